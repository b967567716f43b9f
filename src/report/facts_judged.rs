//! What several formats say of recovery, of the seconds' states and of the error budget, in words.

use crate::measure::Interval;
use crate::report::facts::Origin;
use crate::report::{BudgetReport, PageReport, ProbeReport, Report, words};

/// The definitions of the recovery time that any probe has a value for, with their names for people.
pub(crate) fn recoveries(report: &Report) -> Vec<(&'static str, &'static str)> {
    let all = [
        ("from_injection", "from the call"),
        ("from_first_failure", "from the first failure"),
        ("from_detection", "from detection"),
        ("total_down", "down in all"),
        ("full_recovery", "to full service"),
    ];
    let said = |name: &str| report.probes.iter().any(|probe| recovery(probe, name).is_some());
    all.into_iter().filter(|(name, _)| said(name)).collect()
}

/// One probe's recovery time by a definition.
pub(crate) fn recovery(probe: &ProbeReport, name: &str) -> Option<Interval> {
    let found = probe.recovery.as_ref()?;
    match name {
        "from_injection" => Some(found.from_injection),
        "from_first_failure" => Some(found.from_first_failure),
        "from_detection" => found.from_detection,
        "total_down" => Some(found.total_down),
        _ => found.full_recovery,
    }
}

/// The same in words: `4.21–4.43 s`, and `0 s` within the resolution for a probe that saw no outage.
pub(crate) fn recovered(probe: &ProbeReport, name: &str) -> String {
    match recovery(probe, name) {
        None => "–".to_owned(),
        Some(seconds) if seconds.lo == 0.0 && seconds.hi.is_some_and(|hi| hi <= probe.resolution) => {
            "0 s".to_owned()
        }
        Some(seconds) => words::span(seconds),
    }
}

/// The probes that a recovery time is told of: those that felt something.
pub(crate) fn shaken(report: &Report) -> impl Iterator<Item = &ProbeReport> {
    report.probes.iter().filter(|probe| probe.recovery.is_some()).filter(|probe| {
        let late = |name| {
            recovery(probe, name).is_some_and(|seconds| seconds.hi.is_none_or(|hi| hi > probe.resolution))
        };
        !probe.outages.is_empty() || late("from_injection") || late("full_recovery")
    })
}

/// A state's name for people.
pub(crate) fn state_name(state: &str) -> &'static str {
    match state {
        "up" => "up",
        "brown_out" => "slow",
        "degraded" => "degraded",
        "down" => "down",
        _ => "unknown",
    }
}

/// How long a probe was in which state, leaving out what was not: `52 s up, 4 s down`; and whether it flapped.
pub(crate) fn states(probe: &ProbeReport) -> String {
    let named = ["up", "brown_out", "degraded", "down", "unknown"];
    let seconds = |state: &str| probe.states.seconds.get(state).copied().unwrap_or_default();
    let mut said: Vec<String> = named
        .into_iter()
        .filter(|state| seconds(state) > 0)
        .map(|state| format!("{} {}", words::duration(seconds(state) as f64), state_name(state)))
        .collect();
    if probe.states.flapping {
        said.push(format!(
            "flapping ({} from up to down)",
            words::counted(probe.states.falls.into(), "fall", "falls")
        ));
    }
    said.join(", ")
}

/// What was spent of the error budget, in words.
pub(crate) fn spent(budget: &BudgetReport) -> String {
    let mut said = format!(
        "{} of the error budget of {} over {}",
        words::share(budget.spent),
        words::percent(budget.slo),
        words::long(budget.over)
    );
    if let Some(slices) = &budget.slices {
        said.push_str(&format!(
            " ({} good, {} bad, {} unknown slices of {}; good from {} on)",
            words::count(slices.good),
            words::count(slices.bad),
            words::count(slices.unknown),
            words::long(slices.window),
            words::percent(slices.target)
        ));
    }
    said
}

/// A page's name: `14.4× over 1 h and 5 min`.
pub(crate) fn page_name(page: &PageReport) -> String {
    format!("{}× over {} and {}", page.burn_rate, words::long(page.long), words::long(page.short))
}

/// Whether, and when, a page would have fired.
pub(crate) fn page(page: &PageReport, origin: Origin) -> String {
    match page.fired_at {
        Some(at) => {
            format!("would have fired {} {}", origin.instant(at).trim_start_matches('+'), after(origin, at))
        }
        None => format!(
            "would not have fired: it takes {} of full outage",
            words::duration((page.needs * 10.0).round() / 10.0)
        ),
    }
}

fn after(origin: Origin, at: f64) -> &'static str {
    match (origin.fault, at >= origin.zero) {
        (true, true) => "after the fault",
        (true, false) => "before the fault",
        (false, _) => "into the run",
    }
}

/// The error budget in a sentence, with each probe's name: for formats that are lists of lines.
pub(crate) fn budgets(report: &Report, origin: Origin) -> Vec<(&str, String)> {
    let sentence = |budget: &BudgetReport| format!("spent {}; {}", spent(budget), pages(budget, origin));
    let of = |probe: &'_ ProbeReport| probe.error_budget.as_ref().map(sentence);
    report.probes.iter().filter_map(|probe| Some((probe.name.as_str(), of(probe)?))).collect()
}

/// The pages that would have fired; when none would, what the fastest of them takes.
fn pages(budget: &BudgetReport, origin: Origin) -> String {
    let fired = budget.pages.iter().filter(|rule| rule.fired_at.is_some());
    let fired: Vec<String> =
        fired.map(|rule| format!("the page at {} {}", page_name(rule), page(rule, origin))).collect();
    let fastest = budget.pages.iter().min_by(|a, b| a.needs.total_cmp(&b.needs));
    match (fired.is_empty(), fastest) {
        (true, Some(rule)) => {
            let needs = words::duration((rule.needs * 10.0).round() / 10.0);
            format!("no page would have fired: {} takes {needs} of full outage", page_name(rule))
        }
        _ => fired.join("; "),
    }
}
