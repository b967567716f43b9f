//! What happened to the run rather than to a probe: phases, steps, the fault, recovery, an abort,
//! and the times in which the prober itself stood still.

use maud::{Markup, html};

use super::{RIGHT, Scale, WIDTH, px};
use crate::journal::Record;
use crate::report::facts::clean;
use crate::report::table::cut;
use crate::report::{Report, StepReport};
use crate::run::event::{EventKind, Phase};

/// Rows above the lanes: marks, phases, then the steps.
const MARKS: f64 = 20.0;
const PHASES: f64 = 24.0;
const STEP: f64 = 20.0;
/// Rows of steps; steps that overlap go into different ones.
const ROWS: usize = 5;
/// The usual width of a character in a label.
const LETTER: f64 = 6.3;

/// The height of what stands above the lanes.
pub(super) fn height(report: &Report, _record: &Record, scale: Scale) -> f64 {
    let rows = place(report, scale).iter().map(|(row, _)| row + 1).max().unwrap_or(0);
    MARKS + PHASES + STEP * rows as f64 + 10.0
}

/// Marks, phases and steps; lines for instants reach down to `bottom`.
pub(super) fn draw(report: &Report, record: &Record, scale: Scale, bottom: f64) -> Markup {
    html! {
        (phases(report, record, scale))
        (steps(report, scale))
        (instants(report, record, scale, bottom))
    }
}

/// Times in which the prober did not run.
pub(super) fn stalls(report: &Report, scale: Scale, top: f64, bottom: f64, id: &str) -> Markup {
    html! {
        @for stall in report.prober.stalls.iter().filter(|stall| scale.overlaps(stall.from, stall.to)) {
            rect class="void" fill={ "url(#" (id) "-hatch)" } x=(px(scale.x(stall.from))) y=(px(top))
                width=(px((scale.x(stall.to) - scale.x(stall.from)).max(1.0))) height=(px(bottom - top)) {
                title { "The prober stalled" }
            }
        }
    }
}

fn phases(report: &Report, record: &Record, scale: Scale) -> Markup {
    let entered: Vec<(f64, Phase)> = record
        .events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::PhaseEntered { phase } => Some((event.at_ns.secs(), phase)),
            _ => None,
        })
        .collect();
    let ends = entered.iter().skip(1).map(|(at, _)| *at).chain([report.duration]);
    html! {
        text class="note" x="0" y=(px(MARKS + 14.0)) { "phase" }
        @for (number, ((from, phase), to)) in entered.iter().zip(ends).enumerate() {
            @let (x, width) = (scale.x(*from), scale.x(to) - scale.x(*from));
            @if scale.overlaps(*from, to) && width > 0.0 {
                rect class=(if number % 2 == 0 { "phase" } else { "phase odd" }) x=(px(x)) y=(px(MARKS))
                    width=(px(width)) height="20" { title { (phase_name(*phase)) } }
                @if width > phase_name(*phase).len() as f64 * LETTER + 8.0 {
                    text class="tick" x=(px(x + 6.0)) y=(px(MARKS + 14.0)) { (phase_name(*phase)) }
                }
            }
        }
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::SteadyState => "steady state",
        Phase::Steps => "steps",
        Phase::Recovery => "recovery",
        Phase::Observation => "observation",
        Phase::FinalRead => "final read",
        Phase::Undo => "undo",
    }
}

/// The steps that were begun, each with its row: the first row in which its label fits.
fn place(report: &Report, scale: Scale) -> Vec<(usize, &StepReport)> {
    let mut ends = [f64::NEG_INFINITY; ROWS];
    let mut placed = Vec::new();
    for step in &report.steps {
        let Some(from) = step.started else { continue };
        let to = step.finished.unwrap_or(report.duration);
        if !scale.overlaps(from, to) {
            continue;
        }
        let reach = scale.x(to).max(scale.x(from) + LETTER * step.name.chars().count().min(LONGEST) as f64);
        let free = ends.iter().position(|end| *end <= scale.x(from));
        let row = free.unwrap_or(ROWS - 1);
        ends[row] = reach + 16.0;
        placed.push((row, step));
    }
    placed
}

/// A step's label is not longer than this.
const LONGEST: usize = 42;

fn steps(report: &Report, scale: Scale) -> Markup {
    let placed = place(report, scale);
    html! {
        @if !placed.is_empty() {
            text class="note" x="0" y=(px(MARKS + PHASES + 14.0)) { "steps" }
        }
        @for (row, step) in placed {
            @let from = scale.x(step.started.unwrap_or(0.0));
            @let width = (scale.x(step.finished.unwrap_or(report.duration)) - from).max(3.0);
            @let y = MARKS + PHASES + STEP * row as f64;
            @let name = cut(&clean(&step.name), LONGEST);
            @let turned = from + name.chars().count() as f64 * LETTER > WIDTH - RIGHT;
            rect class="step" x=(px(from)) y=(px(y + 15.0)) width=(px(width)) height="3" {}
            text class="tick strong" y=(px(y + 11.0)) x=(px(if turned { from + width } else { from + 4.0 }))
                text-anchor=(if turned { "end" } else { "start" }) {
                title { (clean(&step.name)) ": " (clean(&step.outcome)) }
                (name)
            }
        }
    }
}

/// Instants that matter, as lines with a name.
fn instants(report: &Report, record: &Record, scale: Scale, bottom: f64) -> Markup {
    let mut marks: Vec<(f64, &str, String)> = Vec::new();
    if let Some(fault) = &report.fault {
        marks.push((fault.injected_at.lo, "fault", "fault".to_owned()));
    }
    for event in &record.events {
        let at = event.at_ns.secs();
        match &event.kind {
            EventKind::RecoveryConfirmed { .. } => marks.push((at, "mark", "recovery confirmed".to_owned())),
            EventKind::RecoveryTimedOut { .. } => marks.push((at, "mark", "recovery timed out".to_owned())),
            EventKind::AbortRequested { by } => {
                marks.push((at, "mark", format!("abort: {}", cut(&clean(by), 24))))
            }
            _ => {}
        }
    }
    html! {
        @for (at, class, name) in marks.iter().filter(|(at, ..)| scale.overlaps(*at, *at)) {
            @let x = scale.x(*at);
            @let turned = x + name.chars().count() as f64 * 6.8 > WIDTH - RIGHT;
            line class=(class) x1=(px(x)) x2=(px(x)) y1="4" y2=(px(bottom)) {}
            text class={ (class) "-name" } y="13" x=(px(if turned { x - 6.0 } else { x + 6.0 }))
                text-anchor=(if turned { "end" } else { "start" }) { (name) }
        }
    }
}
