//! The top of the page: the verdict, why, and the figures that a director asks for.

use maud::{Markup, html};

use super::parts::{chip, outcome_class, sign, split, verdict_class};
use crate::journal::Record;
use crate::report::facts::{self, Origin, clean};
use crate::report::{Objective, Report, words};
use crate::run::event::FileKind;

pub(super) fn head(report: &Report, record: &Record, origin: Origin) -> Markup {
    let class = outcome_class(report);
    let title = report.title.as_deref().unwrap_or(&report.experiment);
    html! {
        header class=(class) {
            p.over { (over(report)) span { (origin.day()) } span { (clean(&report.environment)) } }
            h1 {
                span.verdict { (sign(class)) (facts::headline(report)) }
                span.title { (clean(title)) }
            }
            p.because { (sentence(&clean(&report.because))) }
            @if !report.undo.complete {
                p.alarm role="alert" {
                    strong { "Not everything was put back." } " Put it back with "
                    code { "firedrill recover " (clean(&report.run)) } ", or by hand: the commands are below."
                }
            }
            (tiles(report))
            (about(report, record))
        }
    }
}

/// What the page is about.
fn over(report: &Report) -> &'static str {
    match (report.tabletop, report.kind == FileKind::Runbook.noun()) {
        (true, _) => "Tabletop: read aloud, nothing was called",
        (false, true) => "Runbook",
        (false, false) => "Failover drill",
    }
}

/// The decisive observer's figure for each objective.
fn tiles(report: &Report) -> Markup {
    let decisive = facts::decisive(report);
    html! {
        @if !decisive.is_empty() {
            div.tiles { @for objective in decisive { (tile(objective, report)) } }
        }
    }
}

fn tile(objective: &Objective, report: &Report) -> Markup {
    let observed = facts::observed(objective, report);
    let (figure, remark) = split(&observed);
    html! {
        div class={ "tile " (verdict_class(objective.verdict)) } {
            p.name { (facts::objective(&objective.name)) (chip(objective.verdict)) }
            p.figure { (clean(figure)) }
            p.remark { "target " (facts::target(objective)) span.by { (clean(&objective.observer)) } }
            @if let Some(remark) = remark { p.remark { (clean(remark)) } }
        }
    }
}

fn about(report: &Report, record: &Record) -> Markup {
    let kind = record.header.experiment.kind.word();
    let mut pairs: Vec<(&str, String)> = vec![(kind, report.experiment.clone())];
    if let Some(owner) = &report.owner {
        pairs.push(("Owner", owner.clone()));
    }
    if let Some(fault) = &report.fault {
        pairs.push((
            "Fault",
            record
                .header
                .plan
                .iter()
                .find(|step| step.name == fault.step)
                .map_or_else(|| fault.step.clone(), |step| step.summary.clone()),
        ));
    }
    pairs.push(("Length", words::duration((report.duration * 10.0).round() / 10.0)));
    if !report.controls.is_empty() {
        pairs.push(("Evidence for", report.controls.join(", ")));
    }
    html! {
        @if let Some(hypothesis) = &report.hypothesis {
            p.hypothesis { span { "Hypothesis" } " " (clean(hypothesis)) }
        }
        dl.about { @for (name, value) in pairs { div { dt { (name) } dd { (clean(&value)) } } } }
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let mut out: String = chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default();
    if out.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | '%' | '`')) {
        out.push('.');
    }
    out
}
