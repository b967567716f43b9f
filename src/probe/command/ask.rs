//! Running the program once per sample and judging how it ended.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;

use super::Command;
use super::child::{self, Ended};
use crate::clock::Clock;
use crate::probe::deadline::within;
use crate::probe::trace::{Terms, Trace};
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask};
use crate::sample::{Cause, Class};

/// A longer line is not shown: cut in half, it could hold half a secret, which nothing would recognise.
const LONGEST_LINE: usize = 500;

/// A `command` probe, ready to ask.
pub(crate) struct CommandAsk {
    command: Command,
}

impl CommandAsk {
    pub(crate) fn open(command: &Command) -> Result<CommandAsk, String> {
        let program = command.run.0.first().map(String::as_str).unwrap_or_default();
        match runnable(program) {
            true => Ok(CommandAsk { command: command.clone() }),
            false => Err(format!(
                "`{program}` is no program that can be run here: check its name, and that it is executable"
            )),
        }
    }

    async fn run(&self, trace: &mut Trace) -> Result<u16, Trouble> {
        let ended = child::run(&self.command.run.0, self.command.env.as_ref())
            .await
            // It was there when the run began: what is lacking now is this machine's.
            .map_err(|error| {
                let text = format!("`{}` could not be run: {error}", self.command.run.0.join(" "));
                Trouble::new(Class::Void, Cause::Local, text)
            })?;
        if self.command.names_who {
            trace.who = first_line(&ended.stdout).map(Into::into);
        }
        judge(&self.command, &ended)
    }
}

fn judge(command: &Command, ended: &Ended) -> Result<u16, Trouble> {
    let said = first_line(&ended.stderr).or_else(|| first_line(&ended.stdout));
    let said = said.map(|line| format!(": {line}")).unwrap_or_default();
    let (status, text) = match (ended.status.code(), ended.status.signal()) {
        (Some(0), _) => (0, String::new()),
        (Some(code), _) => (code, format!("exit status {code}{said}")),
        // As a shell counts them.
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            (128 + signal, format!("ended by signal {signal}{said}"))
        }
    };
    if status != 0 {
        let code = u16::try_from(status).unwrap_or(u16::MAX);
        return Err(Trouble::new(Class::FailFast, Cause::Status, text).code(code));
    }
    let expected = command.expect.as_ref().and_then(|expect| expect.stdout_contains.as_ref());
    match expected {
        Some(expected) if !ended.stdout.contains(expected.as_str()) => {
            let said = first_line(&ended.stdout).unwrap_or_else(|| "nothing".to_owned());
            let text = format!("its output does not contain `{expected}`; it begins: {said}");
            Err(Trouble::new(Class::Wrong, Cause::Content, text))
        }
        _ => Ok(0),
    }
}

fn first_line(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(match line.len() {
        ..=LONGEST_LINE => line.to_owned(),
        long => format!("(a line of {long} bytes)"),
    })
}

/// Whether there is such a program: at the path that is given, or in a folder of `PATH`.
fn runnable(program: &str) -> bool {
    let executable = |path: &Path| {
        path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return executable(Path::new(program));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    !program.is_empty() && std::env::split_paths(&folders).any(|folder| executable(&folder.join(program)))
}

#[async_trait]
impl Ask for CommandAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let mut trace = Trace::default();
        let terms = Terms { timeout: self.command.timeout, slower_than: None };
        let sent = clock.now();
        let outcome = within(terms.timeout, clock, self.run(&mut trace)).await;
        trace.conclude(terms, sent, clock.now(), outcome)
    }

    fn deadline(&self) -> Duration {
        self.command.timeout
    }
}
