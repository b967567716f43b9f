//! A `run` step: a program as an argument list, with a deadline and captured output.
//!
//! No shell. The program gets a process group of its own, so that a deadline or an abort ends
//! what it started too. It knows nothing of steps.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use indexmap::IndexMap;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// How much of each output stream is kept: its end.
const KEPT: usize = 8 * 1024;
/// How long a program has to leave after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// A program to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Added to the environment.
    pub env: IndexMap<String, String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// It exited with 0.
    Success(String),
    /// It exited otherwise; it may have done something before.
    Failure(String),
    /// It never ran.
    NotStarted(String),
}

impl Program {
    /// The line as people would type it.
    pub fn line(&self) -> String {
        let quoted: Vec<String> = self.argv.iter().map(|word| quote(word)).collect();
        quoted.join(" ")
    }

    /// Runs it to its end, its deadline, or until `stop` turns true.
    pub async fn run(&self, stop: watch::Receiver<bool>) -> Ended {
        self.run_and_read(stop).await.0
    }

    /// The same, and what it printed on its standard output: the end of it, when it is long.
    pub async fn run_and_read(&self, stop: watch::Receiver<bool>) -> (Ended, String) {
        let Some((program, arguments)) = self.argv.split_first() else {
            return (Ended::NotStarted("the argument list is empty".to_owned()), String::new());
        };
        let spawned = Command::new(program)
            .args(arguments)
            .envs(&self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => {
                let why = format!("`{program}` could not be started: {error}");
                return (Ended::NotStarted(why), String::new());
            }
        };
        let stdout = tokio::spawn(tail(child.stdout.take()));
        let stderr = tokio::spawn(tail(child.stderr.take()));
        let how = wait(&mut child, self.timeout, stop).await;
        // Its output may be held open by what it started: not waited for beyond the grace time.
        let (out, err) = tokio::time::timeout(GRACE, async {
            let (out, err) = tokio::join!(stdout, stderr);
            (out.unwrap_or_default(), err.unwrap_or_default())
        })
        .await
        .unwrap_or_default();
        let said = format!("{out}\n{err}").trim().to_owned();
        (describe(how, &said), out)
    }
}

enum How {
    Exited(ExitStatus),
    Overdue(Duration),
    Stopped,
    Lost(std::io::Error),
}

async fn wait(child: &mut Child, timeout: Duration, mut stop: watch::Receiver<bool>) -> How {
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let how = tokio::select! {
        exited = child.wait() => {
            // What it left running on purpose is its own affair.
            group.0 = None;
            return exited.map_or_else(How::Lost, How::Exited);
        }
        () = tokio::time::sleep(timeout) => How::Overdue(timeout),
        () = stopped(&mut stop) => How::Stopped,
    };
    group.signal(Signal::TERM);
    // The leader may leave at once and something it started may not: the group gets the whole grace time
    // only while the leader uses it, and is killed in any case.
    let _ = tokio::time::timeout(GRACE, child.wait()).await;
    drop(group);
    let _ = child.wait().await;
    how
}

/// A program and all that it started: killed when this is dropped, also when the run is left at once.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It can fail only because the group is gone, which is what is wanted.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Returns once `stop` is true (never, when it cannot become so any more).
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn describe(how: How, said: &str) -> Ended {
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    match how {
        How::Exited(status) if status.success() => Ended::Success(format!("exit code 0{said}")),
        How::Exited(status) => match status.code() {
            Some(code) => Ended::Failure(format!("exit code {code}{said}")),
            None => Ended::Failure(format!("ended by a signal ({status}){said}")),
        },
        How::Overdue(timeout) => {
            let after = crate::notation::units::show(timeout);
            Ended::Failure(format!("ended by its deadline of {after}{said}"))
        }
        How::Stopped => Ended::Failure(format!("ended since the run was stopped{said}")),
        How::Lost(error) => Ended::Failure(format!("its end could not be awaited: {error}")),
    }
}

async fn tail(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept = Vec::new();
    let mut cut = false;
    let mut chunk = [0u8; 4096];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        kept.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
            cut = true;
        }
    }
    let mut from = kept.len().saturating_sub(KEPT);
    if cut || from > 0 {
        // Half a line could hold half a secret, which nothing would recognise.
        let line = kept.iter().skip(from).position(|byte| *byte == b'\n');
        from = line.map_or(kept.len(), |line| from + line + 1);
    }
    String::from_utf8_lossy(kept.get(from..).unwrap_or_default()).into_owned()
}

/// The word as a shell reads it.
pub fn quote(word: &str) -> String {
    let plain =
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(argv: &[&str], timeout_ms: u64) -> Program {
        Program {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: IndexMap::new(),
            timeout: Duration::from_millis(timeout_ms),
        }
    }

    async fn run(argv: &[&str], timeout_ms: u64) -> Ended {
        let (_keep, stop) = watch::channel(false);
        program(argv, timeout_ms).run(stop).await
    }

    #[tokio::test]
    async fn output_and_exit_code_are_told() {
        assert_eq!(run(&["echo", "done it"], 5000).await, Ended::Success("exit code 0: done it".to_owned()));
        let failed = run(&["sh", "-c", "echo no >&2; exit 7"], 5000).await;
        assert_eq!(failed, Ended::Failure("exit code 7: no".to_owned()));
        assert!(matches!(run(&["no-such-program-here"], 5000).await, Ended::NotStarted(_)));
    }

    #[tokio::test]
    async fn a_deadline_ends_what_the_program_started_too() {
        let marker = format!("{}", 30_000 + std::process::id());
        let ended = run(&["sh", "-c", &format!("sleep {marker} & wait")], 300).await;
        assert!(matches!(ended, Ended::Failure(why) if why.starts_with("ended by its deadline of 300ms")));
        let left = std::process::Command::new("pgrep").args(["-f", &format!("sleep {marker}")]).output();
        assert!(left.is_ok_and(|found| found.stdout.is_empty()), "a child of the program is still running");
    }

    #[tokio::test]
    async fn a_stop_ends_it() {
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn(async move { program(&["sleep", "60"], 60_000).run(stopping).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.send(true).unwrap();
        assert!(matches!(running.await.unwrap(), Ended::Failure(why) if why.contains("stopped")));
    }

    #[test]
    fn the_line_is_quoted_where_it_must_be() {
        assert_eq!(program(&["kill", "-9", "it's me"], 1).line(), r"kill -9 'it'\''s me'");
    }
}
