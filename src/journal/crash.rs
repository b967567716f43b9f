//! Death at a given line, for the tests of recovery; not part of an optimised build.
//!
//! `FIREDRILL_CRASH=17` kills the process when line 17 of a journal is on disk, and `FIREDRILL_CRASH=17:cut` when half of
//! it is: whatever the line says had happened, or was about to, and nothing after it.

use std::sync::OnceLock;

use rustix::process::{Signal, getpid, kill_process};

/// Where to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crash {
    line: u64,
    cut: bool,
}

/// Where this process is to die, if it is.
fn wanted() -> Option<Crash> {
    static WANTED: OnceLock<Option<Crash>> = OnceLock::new();
    *WANTED.get_or_init(|| parse(&std::env::var("FIREDRILL_CRASH").ok()?))
}

fn parse(text: &str) -> Option<Crash> {
    let (line, cut) = match text.split_once(':') {
        Some((line, "cut")) => (line, true),
        Some(_) => return None,
        None => (text, false),
    };
    Some(Crash { line: line.parse().ok()?, cut })
}

/// How much of line number `line` (from 1) may still be written: `None` for all of it.
pub(super) fn allowed(line: u64, length: usize) -> Option<usize> {
    wanted().filter(|crash| crash.line == line && crash.cut).map(|_| length / 2)
}

/// Dies if this line was the last.
pub(super) fn after(line: u64) {
    if wanted().is_some_and(|crash| crash.line == line) {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_named_whole_or_cut() {
        assert_eq!(parse("17"), Some(Crash { line: 17, cut: false }));
        assert_eq!(parse("17:cut"), Some(Crash { line: 17, cut: true }));
        assert_eq!(parse("17:half"), None);
    }
}
