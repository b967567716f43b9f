//! What was done: the steps with what each relied on, what showed it, how it is undone; what was
//! put back; and how well the prober itself kept time.

use maud::{Markup, html};

use super::parts::{number, said, sign, table, text, value};
use crate::journal::Record;
use crate::report::facts::{Origin, clean};
use crate::report::{Report, StepReport, people, words};
use crate::run::event::PlannedStep;

pub(super) fn section(report: &Report, record: &Record, origin: Origin) -> Markup {
    let plan = &record.header.plan;
    let plan_of = |name: &str| plan.iter().find(|plan| plan.name == name);
    let unbegun = plan.iter().filter(|plan| report.steps.iter().all(|step| step.name != plan.name));
    // Where nothing was done, the plan is what there is to read.
    let open = report.fault.is_none();
    html! {
        @if !report.steps.is_empty() || !plan.is_empty() {
            section {
                h2 { "Steps" }
                @for line in people::said(report) { p { (clean(&line)) "." } }
                ol.steps {
                    @for step in &report.steps { (entry(step, plan_of(&step.name), origin, open)) }
                    @for plan in unbegun { (entry(&not_begun(plan), Some(plan), origin, open)) }
                }
                @if let Some(fault) = &report.fault { (took_hold(report, fault, origin)) }
            }
        }
    }
}

/// A step that the run did not come to.
fn not_begun(plan: &PlannedStep) -> StepReport {
    StepReport {
        name: plan.name.clone(),
        kind: plan.kind.clone(),
        summary: plan.summary.clone(),
        outcome: "not begun".to_owned(),
        started: None,
        finished: None,
        detail: None,
        evidence: None,
        undo: plan.undo.clone(),
        owner: plan.handling.owner.clone(),
        role: plan.handling.role.clone(),
        about: plan.handling.about.clone(),
        expected: plan.handling.expected,
        ..StepReport::default()
    }
}

fn entry(step: &StepReport, plan: Option<&PlannedStep>, origin: Origin, open: bool) -> Markup {
    let class = match step.outcome.as_str() {
        "done" => "pass",
        "failed" => "fail",
        "skipped" | "not begun" => "calm",
        _ => "unsure",
    };
    let mut facts: Vec<(&str, Markup)> = Vec::new();
    if let Some(from) = step.started {
        let when = step
            .finished
            .map(|to| format!("{}, took {}", origin.wall(to), words::duration(tenths(to - from))));
        facts.push(("Time", html! {
            span.v { (origin.wall(from)) " UTC" } " (" (origin.instant(from)) ") to " span.v { (when.unwrap_or_else(|| "the end".to_owned())) }
        }));
    }
    if let (Some(expected), Some(_)) = (step.expected, step.took) {
        let slower = if step.slower { "; it took longer" } else { "" };
        facts.push(("Expected", said(&format!("{}{slower}", words::duration(expected)))));
    }
    for (name, text) in [("Owner", &step.owner), ("Role", &step.role), ("About", &step.about)] {
        facts.extend(text.as_ref().map(|text| (name, said(text))));
    }
    for one in &step.confirmations {
        let role = one.role.as_ref().map(|role| format!(" as {role}")).unwrap_or_default();
        let because = one.because.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        let answer = one.answer.replace('_', "-");
        facts.push(("Confirmed", html! {
            span.v { (origin.wall(one.at)) " UTC" } " " (clean(&format!("{answer}, says {}{role}{because}", one.by)))
        }));
    }
    if let Some(evidence) = &step.evidence {
        facts.push(("Seen", said(evidence)));
    }
    if let Some(detail) = &step.detail {
        facts.push(("Note", said(detail)));
    }
    if let Some(undo) = &step.undo {
        facts.push(("Undo", said(undo)));
    }
    html! {
        li {
            p.step-head {
                strong { (clean(&step.name)) }
                span class={ "chip " (class) } { (sign(class)) (clean(&step.outcome)) }
                code { (clean(&step.kind)) }
            }
            p { (clean(&step.summary)) }
            dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
            @if let Some(plan) = plan { (planned(plan, open)) }
        }
    }
}

/// What the plan knew before anything happened.
fn planned(plan: &PlannedStep, open: bool) -> Markup {
    let mut facts: Vec<(&str, Markup)> = Vec::new();
    if !plan.targets.is_empty() {
        facts.push(("Targets", said(&plan.targets.join(", "))));
    }
    if !plan.after.is_empty() {
        facts.push(("After", said(&plan.after.join(", "))));
    }
    if plan.irreversible {
        facts.push(("Irreversible", html! { "yes, and the experiment says so" }));
    }
    if !plan.permissions.is_empty() {
        facts.push((
            "IAM actions",
            html! { @for action in &plan.permissions { code { (clean(action)) } " " } },
        ));
    }
    html! {
        details open[open] {
            summary { "Plan and preconditions" }
            @if !plan.preconditions.is_empty() {
                ul.checks {
                    @for check in &plan.preconditions {
                        @let class = if check.holds { "pass" } else { "fail" };
                        li class=(class) {
                            (sign(class)) span { (clean(&check.what)) span.why { (if check.holds { "holds" } else { "does not hold" }) ": " (clean(&check.found)) } }
                        }
                    }
                }
            }
            dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
        }
    }
}

fn took_hold(report: &Report, fault: &crate::report::Fault, origin: Origin) -> Markup {
    let took = fault.injected_at.hi.map(|hi| ((hi - fault.injected_at.lo) * 1e3).round() / 1e3);
    let manual = report.steps.iter().any(|step| step.name == fault.step && step.kind == "manual");
    let by_hand = took.map(words::duration).filter(|_| manual);
    let call = took.map_or_else(|| "never".to_owned(), words::duration);
    let rows: Vec<Vec<Markup>> = fault
        .evidence
        .iter()
        .map(|seen| vec![said(&seen.by), said(&seen.what), value(&words::span(origin.relative(seen.at)))])
        .collect();
    html! {
        h3 { "How the fault is known to have taken hold" }
        @if let Some(by_hand) = by_hand {
            p.quiet {
                strong { (clean(&fault.step)) } " was carried out by a person, at some time within the " (by_hand)
                " between being asked and saying so. RTO is counted from there, and is as uncertain."
            }
        } @else { p.quiet {
            "The call of " strong { (clean(&fault.step)) } " was answered "
            @if took.is_some() { (call) " after it was sent" } @else { (call) }
            ". RTO is counted from its sending."
        } }
        @if rows.is_empty() {
            @if report.probes.iter().all(|probe| probe.outages.is_empty()) { p { "Nothing showed it." } }
        } @else { (table(&[text("Seen by"), text("What"), number("After the fault")], &rows)) }
    }
}

pub(super) fn put_back(report: &Report) -> Markup {
    let undo = &report.undo;
    html! {
        section {
            h2 { "What was put back" }
            @if undo.complete && undo.done.is_empty() { p.quiet { "There was nothing to put back." } }
            ul.checks {
                @for done in &undo.done { li.pass { (sign("pass")) span { (clean(done)) } } }
                @for left in &undo.left { li.fail { (sign("fail")) span { strong { "Not put back: " } (clean(left)) } } }
            }
        }
    }
}

pub(super) fn prober(report: &Report, origin: Origin) -> Markup {
    let prober = &report.prober;
    let rows: Vec<Vec<Markup>> = prober
        .stalls
        .iter()
        .map(|stall| {
            vec![
                value(&origin.instant(stall.from)),
                value(&words::duration(((stall.to - stall.from) * 1e3).round() / 1e3)),
                said(&stall.witness),
            ]
        })
        .collect();
    html! {
        section {
            h2 { "Health of the prober" }
            @if let Some(lag) = &prober.lag_ms {
                p {
                    "Samples left " (words::millis(lag.p50)) " late at the median, " (words::millis(lag.p99))
                    " at the 99th percentile, " (words::millis(lag.max)) " at most."
                }
            }
            @if rows.is_empty() {
                p.quiet { "It never stood still." }
            } @else {
                p { "It stood still " (words::counted(rows.len() as u64, "time", "times")) ". What it saw then is void: neither up nor down." }
                (table(&[text("From"), number("For"), text("Noticed by")], &rows))
            }
            @if !report.notes.is_empty() {
                h3 { "Notes" }
                ul.notes { @for note in &report.notes { li { (clean(note)) } } }
            }
        }
    }
}

fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}
