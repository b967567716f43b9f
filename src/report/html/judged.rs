//! Recovery by each of its definitions, the states of the seconds, the error budget, and how long the parts
//! of asking took.

use maud::{Markup, html};

use super::parts::{number, said, table, text, value};
use crate::report::facts::{self, Origin};
use crate::report::facts_judged as judged;
use crate::report::{BudgetReport, Latency, Report, words};

pub(super) fn recovery(report: &Report) -> Markup {
    let found = judged::recoveries(report);
    let has = |wanted: &str| found.iter().any(|(name, _)| *name == wanted);
    let mut columns = vec![text("Probe"), number("From the call"), number("From the first failure")];
    if has("from_detection") {
        columns.push(number("From detection"));
    }
    columns.extend([number("Down in all"), number("To full service"), text("Its seconds")]);
    let names = ["from_injection", "from_first_failure", "from_detection", "total_down", "full_recovery"];
    let worst = report.rto.as_ref().and_then(|rto| rto.worst_observer.as_deref());
    let rows: Vec<Vec<Markup>> = report
        .probes
        .iter()
        .filter(|probe| probe.recovery.is_some())
        .map(|probe| {
            let mut row = vec![html! {
                span { strong { (said(&probe.name)) }
                    @if report.probes.len() > 1 && worst == Some(probe.name.as_str()) { " " span.tag { "worst" } } }
            }];
            let told = names.into_iter().filter(|name| *name != "from_detection" || has(name));
            row.extend(told.map(|name| value(&judged::recovered(probe, name))));
            row.push(html! { (judged::states(probe)) });
            row
        })
        .collect();
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "Recovery" }
                (table(&columns, &rows))
                p.quiet.prose {
                    @if let Some(rto) = &report.rto { "The target is held against the time " strong { (measured(&rto.measured)) } ". " }
                    strong { "To full service" } " is until, for the confirmation time, the 99th percentile of the latency and the "
                    "share that was served were back within 20 % of what they had been before the fault. A second is "
                    strong { "down" } " when at least half of its samples were bad, " strong { "degraded" } " when some were, and "
                    strong { "slow" } " when none was and the 95th percentile was above the latency target."
                }
            }
        }
    }
}

fn measured(name: &str) -> &'static str {
    match name {
        "from_first_failure" => "from the first failure",
        "total_down" => "down in all",
        "full_recovery" => "to full service",
        _ => "from the call",
    }
}

pub(super) fn budget(report: &Report, origin: Origin) -> Markup {
    let found: Vec<(&str, &BudgetReport)> = report
        .probes
        .iter()
        .filter_map(|probe| probe.error_budget.as_ref().map(|budget| (probe.name.as_str(), budget)))
        .collect();
    let columns = [text("Probe"), text("Page"), number("Highest burn rate"), text("Would it have fired?")];
    let rows: Vec<Vec<Markup>> = found
        .iter()
        .filter(|(_, budget)| budget.pages.iter().any(|page| page.highest > 0.0))
        .flat_map(|(probe, budget)| budget.pages.iter().map(move |page| (*probe, page)))
        .map(|(probe, page)| {
            vec![
                html! { strong { (said(probe)) } },
                value(&judged::page_name(page)),
                value(&format!("{:.1}×", page.highest)),
                html! { (judged::page(page, origin)) },
            ]
        })
        .collect();
    html! {
        @if !found.is_empty() {
            section {
                h2 { "Error budget" }
                @for (probe, budget) in &found {
                    p.lead { strong { (said(probe)) } " spent " (judged::spent(budget)) "." }
                }
                @if rows.is_empty() { p.quiet { "No request failed, so no page would have fired." } }
                @else { (table(&columns, &rows)) }
                p.quiet.prose {
                    "A page fires when the error ratio is at least its burn rate times what the SLO allows, over both of its "
                    "windows. Before the run the service is taken to have been good at the same rate. A real alert comes "
                    "later: by the scrape, the evaluation of the rule, and the notification."
                }
            }
        }
    }
}

/// How long resolving, connecting, TLS and the wait for the first byte took.
pub(super) fn parts(report: &Report) -> Markup {
    let names = [("dns", "name"), ("connect", "connect"), ("tls", "TLS"), ("first_byte", "first byte")];
    let mut rows: Vec<Vec<Markup>> = Vec::new();
    for probe in &report.probes {
        for (phase, when) in facts::PHASES {
            let Some(parts) = probe.parts_ms.get(phase) else { continue };
            for (part, name) in names {
                if let Some(latency) = parts.get(part) {
                    rows.push(row(&probe.name, when, name, latency));
                }
            }
        }
    }
    let columns = [
        text("Probe"),
        text("Fault"),
        text("Part"),
        number("Samples"),
        number("p50"),
        number("p95"),
        number("p99"),
        number("Largest"),
    ];
    html! {
        @if !rows.is_empty() {
            h3 { "Where the time went" }
            (table(&columns, &rows))
        }
    }
}

fn row(probe: &str, when: &str, part: &str, latency: &Latency) -> Vec<Markup> {
    vec![
        html! { strong { (said(probe)) } },
        html! { (when) },
        html! { (part) },
        value(&words::count(latency.count)),
        value(&words::millis(latency.p50)),
        value(&words::millis(latency.p95)),
        value(&words::millis(latency.p99)),
        value(&words::millis(latency.max)),
    ]
}
