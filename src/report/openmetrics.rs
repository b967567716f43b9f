//! The figures of a run as OpenMetrics text, for a trend over the quarters: push it to a gateway or
//! let a collector read the file.
//!
//! Every measured value is two samples, `bound="lo"` and `bound="hi"`; a value without an upper
//! bound has no `hi`. Names and units follow the format's rules: seconds, ratios, base units.

use crate::report::facts::clean;
use crate::report::facts_judged as judged;
use crate::report::{Objective, Outcome, Report, Verdict};

/// The run as OpenMetrics text.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let run = labels(&[
        ("experiment", &report.experiment),
        ("environment", &report.environment),
        ("run", &report.run),
    ]);
    family(&mut out, "firedrill_verdict", "stateset", None, "The outcome of the drill.");
    for (name, outcome) in [
        ("pass", Outcome::Pass),
        ("fail", Outcome::Fail),
        ("inconclusive", Outcome::Inconclusive),
        ("aborted", Outcome::Aborted),
    ] {
        let set = u8::from(report.verdict == outcome);
        out.push_str(&format!("firedrill_verdict{{{run},firedrill_verdict=\"{name}\"}} {set}\n"));
    }
    family(&mut out, "firedrill_run_duration_seconds", "gauge", Some("seconds"), "How long the run took.");
    out.push_str(&format!("firedrill_run_duration_seconds{{{run}}} {}\n", report.duration));
    family(&mut out, "firedrill_undo_complete", "gauge", None, "Whether everything was put back.");
    out.push_str(&format!("firedrill_undo_complete{{{run}}} {}\n", u8::from(report.undo.complete)));
    objectives(&mut out, report, &run);
    recovery(&mut out, report, &run);
    budgets(&mut out, report, &run);
    ledgers(&mut out, report, &run);
    out.push_str("# EOF\n");
    out
}

fn objectives(out: &mut String, report: &Report, run: &str) {
    if report.objectives.is_empty() {
        return;
    }
    let each = |objective: &Objective| {
        labels(&[
            ("objective", &objective.name),
            ("observer", &objective.observer),
            ("in", if objective.unit == "s" { "seconds" } else { &objective.unit }),
        ])
    };
    family(out, "firedrill_observed", "gauge", None, "What was measured: somewhere between its bounds.");
    for objective in &report.objectives {
        let Some(observed) = objective.observed else { continue };
        for (bound, value) in [("lo", Some(observed.lo)), ("hi", observed.hi)] {
            let Some(value) = value else { continue };
            let own = each(objective);
            out.push_str(&format!("firedrill_observed{{{run},{own},bound=\"{bound}\"}} {value}\n"));
        }
    }
    family(out, "firedrill_target", "gauge", None, "The declared target.");
    for objective in &report.objectives {
        out.push_str(&format!("firedrill_target{{{run},{}}} {}\n", each(objective), objective.target));
    }
    family(out, "firedrill_objective_met", "gauge", None, "1 met, 0 missed; absent when it cannot be said.");
    for objective in report.objectives.iter().filter(|o| o.verdict != Verdict::Inconclusive) {
        let met = u8::from(objective.verdict == Verdict::Pass);
        out.push_str(&format!("firedrill_objective_met{{{run},{}}} {met}\n", each(objective)));
    }
}

fn recovery(out: &mut String, report: &Report, run: &str) {
    let columns = judged::recoveries(report);
    if columns.is_empty() {
        return;
    }
    family(
        out,
        "firedrill_recovery_seconds",
        "gauge",
        Some("seconds"),
        "The recovery time by each of its definitions.",
    );
    for probe in &report.probes {
        for (name, _) in &columns {
            let Some(seconds) = judged::recovery(probe, name) else { continue };
            for (bound, value) in [("lo", Some(seconds.lo)), ("hi", seconds.hi)] {
                let Some(value) = value else { continue };
                let own = labels(&[("probe", &probe.name), ("measured", name), ("bound", bound)]);
                out.push_str(&format!("firedrill_recovery_seconds{{{run},{own}}} {value}\n"));
            }
        }
    }
}

fn budgets(out: &mut String, report: &Report, run: &str) {
    let found: Vec<_> = report
        .probes
        .iter()
        .filter_map(|probe| probe.error_budget.as_ref().map(|budget| (probe.name.as_str(), budget)))
        .collect();
    if found.is_empty() {
        return;
    }
    family(
        out,
        "firedrill_error_budget_spent_ratio",
        "gauge",
        Some("ratio"),
        "The share of the declared error budget that the drill spent.",
    );
    for (probe, budget) in &found {
        for (bound, value) in [("lo", Some(budget.spent.lo)), ("hi", budget.spent.hi)] {
            let Some(value) = value else { continue };
            let own = labels(&[("probe", probe), ("bound", bound)]);
            out.push_str(&format!("firedrill_error_budget_spent_ratio{{{run},{own}}} {value}\n"));
        }
    }
    family(out, "firedrill_page_fired", "gauge", None, "Whether a burn-rate page would have fired.");
    for (probe, budget) in &found {
        for page in &budget.pages {
            let (burn, long) = (page.burn_rate.to_string(), page.long.to_string());
            let own = labels(&[("probe", probe), ("burn_rate", &burn), ("window_seconds", &long)]);
            let fired = u8::from(page.fired_at.is_some());
            out.push_str(&format!("firedrill_page_fired{{{run},{own}}} {fired}\n"));
        }
    }
}

fn ledgers(out: &mut String, report: &Report, run: &str) {
    if report.rpo.is_empty() {
        return;
    }
    family(out, "firedrill_ledger_writes", "gauge", None, "Numbered writes by what became of them.");
    for ledger in &report.rpo {
        let read = ledger.error.is_none();
        let counts = [
            ("attempted", ledger.attempted, true),
            ("acked", ledger.acked, true),
            ("lost", ledger.lost, read),
            ("indeterminate", ledger.indeterminate, read),
            ("recovered", ledger.recovered, read),
            ("phantom", ledger.phantom, read),
            ("duplicated", ledger.duplicated, read),
            ("unexpected", ledger.unexpected, read),
        ];
        for (what, count, _) in counts.iter().filter(|(.., known)| *known) {
            let own = labels(&[("probe", &ledger.probe), ("what", what)]);
            out.push_str(&format!("firedrill_ledger_writes{{{run},{own}}} {count}\n"));
        }
    }
}

fn family(out: &mut String, name: &str, kind: &str, unit: Option<&str>, help: &str) {
    out.push_str(&format!("# TYPE {name} {kind}\n"));
    if let Some(unit) = unit {
        out.push_str(&format!("# UNIT {name} {unit}\n"));
    }
    out.push_str(&format!("# HELP {name} {help}\n"));
}

/// `name="value"` pairs with their values escaped.
fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped = |value: &str| clean(value).replace('\\', "\\\\").replace('"', "\\\"");
    let said: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    said.join(",")
}
