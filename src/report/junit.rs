//! JUnit XML, for the systems that collect test results: one suite per run, one case per
//! objective and observer.
//!
//! | objective | case |
//! |---|---|
//! | pass | passed |
//! | fail | `failure`, type `missed` |
//! | inconclusive | `error`, type `inconclusive`: nothing was shown, which must not read as green |
//! | any, in a dry run or a tabletop reading | skipped |
//!
//! A drill whose verdict no objective explains (aborted, stopped before the fault, without
//! objectives) adds the case `drill`, and an incomplete undo adds the case `undo`, so that such a
//! run is never an empty suite or a green one.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use crate::report::facts;
use crate::report::facts_judged as judged;
use crate::report::{Objective, Outcome, RenderError, Report, Verdict};

/// The run as JUnit XML.
pub fn render(report: &Report) -> Result<String, RenderError> {
    let mut suite = TestSuite::new(report.experiment.as_str());
    suite.set_time(Duration::try_from_secs_f64(report.duration).unwrap_or_default());
    for (name, value) in properties(report) {
        suite.add_property(Property::new(name, value));
    }
    for (name, value) in budgets(report) {
        suite.add_property(Property::new(name, value));
    }
    for objective in &report.objectives {
        suite.add_test_case(objective_case(objective, report));
    }
    if let Some(case) = drill_case(report) {
        suite.add_test_case(case);
    }
    if !report.undo.complete {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_type("undo incomplete")
            .set_message(format!("put it back: firedrill recover {}", report.run));
        status.set_description(report.undo.left.join("\n"));
        suite.add_test_case(case("undo", status, report));
    }
    let mut junit = quick_junit::Report::new("firedrill");
    junit.add_test_suite(suite);
    Ok(facts::clean_lines(&junit.to_string()?))
}

fn case(name: &str, status: TestCaseStatus, report: &Report) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(report.experiment.as_str());
    case
}

/// Values that tell one run from another.
fn properties(report: &Report) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("run", report.run.clone()),
        ("environment", report.environment.clone()),
        ("seed", report.seed.to_string()),
        ("started_at", report.started_at.clone()),
        ("ended_at", report.ended_at.clone()),
        ("verdict", facts::headline(report).to_lowercase()),
        ("firedrill", report.evidence.firedrill.clone()),
        ("experiment_sha256", report.evidence.experiment_sha256.clone()),
        ("journal_sha256", report.evidence.journal_sha256.clone()),
    ];
    let optional = [("account", &report.account), ("region", &report.region), ("owner", &report.owner)];
    all.extend(optional.into_iter().filter_map(|(name, value)| value.clone().map(|value| (name, value))));
    all
}

/// What was spent of the error budget, and the instant of the run at which each page would have fired.
fn budgets(report: &Report) -> Vec<(String, String)> {
    let mut said = Vec::new();
    for probe in &report.probes {
        let Some(budget) = &probe.error_budget else { continue };
        let name = &probe.name;
        said.push((format!("error_budget [{name}]"), format!("spent {}", judged::spent(budget))));
        said.extend(budget.pages.iter().map(|page| {
            let fired = page.fired_at.map_or_else(|| "no".to_owned(), |at| format!("{at} s of the run"));
            (format!("page {} [{name}]", judged::page_name(page)), fired)
        }));
    }
    said
}

fn objective_case(objective: &Objective, report: &Report) -> TestCase {
    let said = format!(
        "{} (observed {}; target {})",
        objective.because,
        facts::observed(objective, report),
        facts::target(objective)
    );
    let status = match objective.verdict {
        _ if report.dry_run || report.tabletop => skipped(said.clone()),
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => bad(NonSuccessKind::Failure, "missed", said.clone()),
        Verdict::Inconclusive => bad(NonSuccessKind::Error, "inconclusive", said.clone()),
    };
    let mut case = case(&case_name(objective), status, report);
    if let Some(hi) = objective.observed.and_then(|observed| observed.hi)
        && objective.name == "rto"
    {
        case.set_time(Duration::try_from_secs_f64(hi).unwrap_or_default());
    }
    case.set_system_out(said);
    case
}

/// `rto [storefront]`, `rpo writes [orders]`: stable from run to run, so that histories line up.
fn case_name(objective: &Objective) -> String {
    let unit = if objective.name == "rpo" { format!(" {}", objective.unit) } else { String::new() };
    format!("{}{unit} [{}]", objective.name, objective.observer)
}

fn drill_case(report: &Report) -> Option<TestCase> {
    let explained = match report.verdict {
        Outcome::Pass => !report.objectives.is_empty(),
        Outcome::Fail => report.objectives.iter().any(|o| o.verdict == Verdict::Fail),
        Outcome::Inconclusive => report.objectives.iter().any(|o| o.verdict == Verdict::Inconclusive),
        Outcome::Aborted => false,
    };
    if explained {
        return None;
    }
    let because = report.because.clone();
    let status = match report.verdict {
        _ if report.dry_run || report.tabletop => skipped(because),
        Outcome::Pass => TestCaseStatus::success(),
        Outcome::Fail => bad(NonSuccessKind::Failure, "missed", because),
        Outcome::Inconclusive => bad(NonSuccessKind::Error, "inconclusive", because),
        Outcome::Aborted => bad(NonSuccessKind::Error, "aborted", because),
    };
    Some(case("drill", status, report))
}

fn bad(kind: NonSuccessKind, ty: &str, message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(ty).set_message(message);
    status
}

fn skipped(message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}
