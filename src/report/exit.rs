//! What a run's report stands for where only a number is heard: the exit code.

use super::{Outcome, Report};

/// Whether a dry run found everything in order: the steady state held, every step was rehearsed,
/// and nothing failed.
pub fn rehearsed_ok(report: &Report) -> bool {
    report.dry_run
        && report.verdict == Outcome::Inconclusive
        && !report.evidence.cut
        && report.undo.complete
        && report
            .steps
            .iter()
            .all(|step| step.started.is_some() && matches!(step.outcome.as_str(), "done" | "skipped"))
}

/// The exit code that a run's report stands for: 0 pass (or a dry run that found everything in
/// order), 1 fail, 3 inconclusive, 4 aborted, 5 undo incomplete.
pub fn exit_code(report: &Report) -> u8 {
    if !report.undo.complete {
        return 5;
    }
    match report.verdict {
        Outcome::Pass => 0,
        Outcome::Fail => 1,
        Outcome::Inconclusive if rehearsed_ok(report) => 0,
        Outcome::Inconclusive => 3,
        Outcome::Aborted => 4,
    }
}
