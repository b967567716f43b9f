//! Where it ran, what proves it, and the experiment as it was written.

use maud::{Markup, html};

use super::parts::{facts_list, said};
use crate::journal::Record;
use crate::report::facts::{clean, hidden};
use crate::report::{Report, words};

pub(super) fn section(report: &Report, record: &Record) -> Markup {
    let environment = &record.header.environment;
    let mut pairs: Vec<(&str, Markup)> = vec![("Environment", said(&report.environment))];
    let optional = [
        ("AWS account", &environment.account),
        ("Region", &environment.region),
        ("Identity", &environment.identity),
        ("Endpoint", &environment.endpoint_url),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            pairs.push((name, html! { code { (clean(value)) } }));
        }
    }
    for (name, value) in &environment.values {
        pairs.push(("Variable", html! { code { (clean(name)) } " = " (clean(value)) }));
    }
    html! {
        section {
            h2 { "Environment and evidence" }
            (facts_list(&pairs))
            (facts_list(&proof(report)))
            @if report.evidence.cut {
                p.alarm { strong { "The journal was cut short." } " The process that ran the drill ended before the drill did." }
            }
        }
    }
}

fn proof(report: &Report) -> Vec<(&'static str, Markup)> {
    let evidence = &report.evidence;
    let mut pairs = vec![
        ("Run", html! { code { (clean(&report.run)) } }),
        ("Started", html! { (clean(&report.started_at)) }),
        ("Ended", html! { (clean(&report.ended_at)) }),
        ("Seed", html! { (report.seed) }),
        ("Samples", html! { (words::count(evidence.samples)) }),
        ("firedrill", said(&evidence.firedrill)),
        ("Experiment, SHA-256", html! { code.hash { (clean(&evidence.experiment_sha256)) } }),
        ("Journal chain, SHA-256", html! { code.hash { (clean(&evidence.journal_sha256)) } }),
    ];
    if !report.controls.is_empty() {
        pairs.push(("Evidence for", said(&report.controls.join(", "))));
    }
    pairs
}

/// The experiment's text as it was read, with line numbers.
pub(super) fn experiment(record: &Record) -> Markup {
    let facts = &record.header.experiment;
    html! {
        section {
            h2 { "The experiment" }
            details {
                summary { (clean(&facts.path)) ", " (words::counted(facts.text.lines().count() as u64, "line", "lines")) }
                ol.code {
                    @for line in facts.text.lines() { li { code { (visible(line)) } } }
                }
            }
        }
    }
}

/// A line with its spaces, and without characters that are not for showing.
fn visible(line: &str) -> String {
    line.chars().map(|c| if c != '\t' && hidden(c) { '\u{fffd}' } else { c }).collect()
}
