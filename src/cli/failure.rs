//! Why a command could not do its work, and the exit code that says so.

use std::fmt;
use std::process::ExitCode;

use crate::report::facts::clean_lines;

/// How the process ends, as documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: pass.
    Pass,
    /// 1: an objective was missed, or a runbook's step failed.
    Fail,
    /// 2: usage or spec error.
    Usage,
    /// 3: inconclusive: it could not be run or judged.
    Inconclusive,
    /// 4: aborted.
    Aborted,
    /// 5: something is not undone.
    UndoIncomplete,
}

impl Exit {
    /// The worse of two, for several runs: what is not undone comes first.
    #[must_use]
    pub fn worst(self, other: Exit) -> Exit {
        let rank = |exit| match exit {
            Exit::Pass => 0,
            Exit::Inconclusive => 1,
            Exit::Fail => 2,
            Exit::Usage => 3,
            Exit::Aborted => 4,
            Exit::UndoIncomplete => 5,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Pass => 0,
            Exit::Fail => 1,
            Exit::Usage => 2,
            Exit::Inconclusive => 3,
            Exit::Aborted => 4,
            Exit::UndoIncomplete => 5,
        })
    }
}

/// Something went wrong: what, what to do next, and the exit code.
#[derive(Debug)]
pub struct Failure {
    what: String,
    help: Option<String>,
    /// Already rendered diagnostics, printed as they are.
    rendered: bool,
    exit: Exit,
}

impl Failure {
    /// A wrong command line or file: exit 2.
    pub fn usage(what: impl Into<String>) -> Failure {
        Failure { what: what.into(), help: None, rendered: false, exit: Exit::Usage }
    }

    /// Diagnostics that are already laid out: exit 2.
    pub fn diagnostics(rendered: String) -> Failure {
        Failure { what: rendered, help: None, rendered: true, exit: Exit::Usage }
    }

    /// The world is not as the drill needs it; nothing was changed: exit 3.
    pub fn not_started(what: impl Into<String>) -> Failure {
        Failure { what: what.into(), help: None, rendered: false, exit: Exit::Inconclusive }
    }

    /// A drill that does not begin, `why` being a line or more: exit 3.
    pub fn cannot_begin(drill: &str, why: &str) -> Failure {
        let why = why.replace('\n', "\n  ");
        Failure::not_started(format!("{drill} cannot run as things are; nothing was changed\n  {why}"))
    }

    /// With another exit code.
    #[must_use]
    pub fn exiting(mut self, exit: Exit) -> Failure {
        self.exit = exit;
        self
    }

    /// What to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Failure {
        self.help = Some(help.into());
        self
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// As it is printed.
    pub fn render(&self, colour: bool) -> String {
        if self.rendered {
            return self.what.trim_end().to_owned();
        }
        let error = if colour { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
        let help = self.help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default();
        // The words may be a server's: nothing in them may steer the terminal, or push the rest out of sight.
        let told = clean_lines(&format!("{}{help}", shortened(&self.what)));
        format!("{error}: {told}")
    }
}

/// The most that is told of what went wrong, in bytes.
const LONGEST: usize = 20 * 1024;

fn shortened(text: &str) -> String {
    match text.get(..text.floor_char_boundary(LONGEST)) {
        Some(kept) if kept.len() < text.len() => format!("{kept} … ({} more bytes)", text.len() - kept.len()),
        _ => text.to_owned(),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}
