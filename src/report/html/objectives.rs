//! Every target against what was observed, with a picture of the interval and how to read it.

use maud::{Markup, html};

use super::parts::{chip, number, said, split, table, text, value, verdict_class};
use crate::report::facts;
use crate::report::{Objective, Report};

/// The picture's size.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 30.0;

pub(super) fn section(report: &Report) -> Markup {
    let columns = [
        text("Objective"),
        text("Observer"),
        number("Target"),
        number("Observed"),
        text("Against the target"),
        text("Verdict"),
    ];
    let rows: Vec<Vec<Markup>> = report
        .objectives
        .iter()
        .map(|objective| {
            let observed = facts::observed(objective, report);
            let (figure, remark) = split(&observed);
            vec![
                html! { strong.v { (facts::objective(&objective.name)) } },
                html! {
                    span {
                        (said(&objective.observer))
                        @if objective.decisive && many(report, objective) { " " span.tag { "worst" } }
                    }
                },
                value(&facts::target(objective)),
                html! { div { strong.v { (figure) } @if let Some(remark) = remark { span.why { (remark) } } } },
                bar(objective),
                html! { div { (chip(objective.verdict)) span.why { (said(&objective.because)) } } },
            ]
        })
        .collect();
    html! {
        section {
            h2 { "Targets against what was observed" }
            @if rows.is_empty() {
                p.quiet { "The experiment declares no targets." }
            } @else {
                div.objectives { (table(&columns, &rows)) }
                (how_to_read())
            }
        }
    }
}

fn many(report: &Report, objective: &Objective) -> bool {
    report.objectives.iter().filter(|o| o.name == objective.name && o.unit == objective.unit).count() > 1
}

fn how_to_read() -> Markup {
    html! {
        p.quiet.prose {
            strong { "How to read the intervals. " }
            "A prober sees a service only when it asks, so every time is known to lie between two bounds, written "
            span.v { "4.21–4.43 s" } ": the truth is within them, and they are rounded outwards. An objective is a "
            strong { "pass" } " when the whole interval meets the target, a " strong { "fail" }
            " when none of it does, and otherwise " strong { "inconclusive" }
            ". Where several probes observe one objective, the worst decides. “Resolution” is the shortest outage, or the "
            "smallest loss, that could have been seen. This is one drill: it shows what happened once."
        }
    }
}

/// Where values lie in the picture: from 0 for limits from above, up to 1 for shares.
struct Ruler {
    least: f64,
    most: f64,
}

impl Ruler {
    fn of(objective: &Objective) -> Ruler {
        let observed = objective.observed.unwrap_or_default();
        if facts::at_least(objective) {
            let lowest = objective.target.min(if objective.observed.is_some() { observed.lo } else { 1.0 });
            return Ruler { least: (lowest - (1.0 - lowest) * 0.35).max(0.0).min(0.999), most: 1.0 };
        }
        let highest = objective.target.max(observed.hi.unwrap_or(observed.lo));
        Ruler { least: 0.0, most: if highest > 0.0 { highest * 1.25 } else { 1.0 } }
    }

    fn x(&self, value: f64) -> f64 {
        let share = (value - self.least) / (self.most - self.least).max(1e-12);
        4.0 + share.clamp(0.0, 1.0) * (WIDTH - 8.0)
    }
}

/// The interval over the track on which the allowed part is marked.
fn bar(objective: &Objective) -> Markup {
    let ruler = Ruler::of(objective);
    let target = ruler.x(objective.target);
    let (from, to) = if facts::at_least(objective) { (target, WIDTH - 4.0) } else { (4.0, target) };
    let label = format!("target {}", facts::target(objective));
    html! {
        svg.bar viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
            rect.track x="4" y="12" width=(WIDTH - 8.0) height="6" rx="3" {}
            rect.allowed x=(px(from)) y="12" width=(px((to - from).max(0.0))) height="6" rx="3" {}
            @if let Some(observed) = objective.observed {
                @let lo = ruler.x(observed.lo);
                @let hi = observed.hi.map_or(WIDTH - 10.0, |hi| ruler.x(hi));
                @let width = (hi - lo).max(6.0);
                @let left = (lo + hi) / 2.0 - width / 2.0;
                rect class={ "seen " (verdict_class(objective.verdict)) } x=(px(left.clamp(0.0, WIDTH - width))) y="9"
                    width=(px(width)) height="12" rx="3" {}
                @if observed.hi.is_none() {
                    path class={ "seen " (verdict_class(objective.verdict)) } d={ "M" (px(hi)) " 6l10 9-10 9z" } {}
                }
            }
            path.target d={ "M" (px(target)) " 3v24" } {}
        }
    }
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}
