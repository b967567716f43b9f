//! What a dry run shows: when what would happen, how long things usually take, and how each is undone.

use std::fmt::Write;
use std::time::Duration;

use crate::notation::units::show;
use crate::run::event::{BY_PEOPLE, Header, PlannedStep, Usual};

/// What a rehearsed step says of itself: how long it usually takes, and how it would be undone.
pub(super) fn outlook(step: &PlannedStep) -> String {
    if BY_PEOPLE.contains(&step.kind.as_str()) {
        return format!("nobody is asked; it {}", takes(step));
    }
    format!("it {}; undo: {}", takes(step), undo(step))
}

fn takes(step: &PlannedStep) -> String {
    match step.usual {
        Some(usual) if Some(usual.from) == step.handling.expected && usual.from == usual.to => {
            format!("is expected to take {}", words(usual.from))
        }
        Some(usual) if usual.from == usual.to => format!("takes {}", words(usual.from)),
        Some(usual) => format!("usually takes {}", range(usual)),
        None => match step.kind.as_str() {
            "manual" => "takes as long as a person does".to_owned(),
            "approve" => "takes as long as people decide".to_owned(),
            "wait_until" => "takes until it is so".to_owned(),
            _ => "takes as long as its program does".to_owned(),
        },
    }
}

fn undo(step: &PlannedStep) -> String {
    match (&step.undo, step.undo_usual) {
        (Some(undo), Some(usual)) => format!("{undo}, which usually takes {}", range(usual)),
        (Some(undo), None) => undo.clone(),
        (None, _) if step.irreversible => "none: it is IRREVERSIBLE".to_owned(),
        (None, _) => "nothing to undo".to_owned(),
    }
}

fn range(usual: Usual) -> String {
    format!("{} to {}", words(usual.from), words(usual.to))
}

fn words(seconds: f64) -> String {
    show(Duration::from_millis((seconds * 1000.0).round() as u64))
}

/// An instant of the timeline: at the earliest, and at the latest that is usual; `None`: nobody can say.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Instant {
    from: f64,
    to: Option<f64>,
}

impl Instant {
    fn later(self, by: Option<Usual>) -> Instant {
        Instant {
            from: self.from + by.map_or(0.0, |usual| usual.from),
            to: self.to.zip(by).map(|(to, usual)| to + usual.to),
        }
    }

    fn max(self, other: Instant) -> Instant {
        Instant { from: self.from.max(other.from), to: self.to.zip(other.to).map(|(one, two)| one.max(two)) }
    }

    fn words(self) -> String {
        match self.to {
            Some(to) if to == self.from => words(self.from),
            Some(to) => format!("{} to {}", words(self.from), words(to)),
            None => format!("{} or later", words(self.from)),
        }
    }
}

/// When each step begins and ends. The steps that another one waits for stand somewhere in the list, never in a
/// circle.
fn schedule(header: &Header) -> Vec<(Instant, Instant)> {
    let begin = Instant { from: header.steady_state.watch, to: Some(header.steady_state.watch) };
    let mut spans: Vec<Option<(Instant, Instant)>> = vec![None; header.plan.len()];
    for _ in 0..header.plan.len() {
        for (place, step) in header.plan.iter().enumerate() {
            let before = step.after.iter().map(|name| {
                let other = header.plan.iter().position(|other| other.name == *name)?;
                spans.get(other).copied().flatten().map(|(_, end)| end)
            });
            let ends: Option<Vec<Instant>> = before.collect();
            let start = ends.map(|ends| ends.into_iter().fold(begin, Instant::max));
            if let (Some(start), Some(span)) = (start, spans.get_mut(place)) {
                *span = Some((start, start.later(step.usual)));
            }
        }
    }
    spans.into_iter().map(|span| span.unwrap_or((begin, Instant { from: begin.from, to: None }))).collect()
}

/// The timeline as text, in times since the run's begin.
pub(super) fn text(header: &Header) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(header, &mut out);
    out
}

fn write_text(header: &Header, out: &mut String) -> std::fmt::Result {
    let spans = schedule(header);
    writeln!(out, "What would happen when, in times since the run's begin")?;
    if !header.probes.is_empty() {
        writeln!(out, "  {:<18} the steady state is watched for {}", "0s", words(header.steady_state.watch))?;
    }
    for (number, (step, (start, _))) in header.plan.iter().zip(&spans).enumerate() {
        writeln!(out, "  {:<18} {}. {}: {}", start.words(), number + 1, step.name, step.summary)?;
        writeln!(out, "  {:<18}    {}", "", takes(step))?;
        if !BY_PEOPLE.contains(&step.kind.as_str()) {
            writeln!(out, "  {:<18}    undo: {}", "", undo(step))?;
        }
    }
    let over = spans.iter().map(|(_, end)| *end).reduce(Instant::max);
    if let Some(over) = over.filter(|_| !header.probes.is_empty()) {
        writeln!(
            out,
            "  {:<18} recovery is waited for: good for {} in a row, until {} after the fault at most",
            over.words(),
            words(header.recovery.confirm),
            words(header.recovery.within)
        )?;
    }
    let undone = header.plan.iter().filter(|step| step.undo.is_some());
    let usual: Vec<Usual> = undone.clone().filter_map(|step| step.undo_usual).collect();
    let sum = Usual {
        from: usual.iter().map(|usual| usual.from).sum(),
        to: usual.iter().map(|usual| usual.to).sum(),
    };
    match (undone.clone().count(), usual.len()) {
        (0, _) => writeln!(out, "  {:<18} there is nothing to undo", "then"),
        (all, known) if known < all => {
            writeln!(out, "  {:<18} it is undone, in a time that nobody can tell before", "then")
        }
        _ => writeln!(out, "  {:<18} it is undone, which usually takes {}", "then", range(sum)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture;

    fn step(name: &str, after: &[&str], usual: Option<(f64, f64)>) -> PlannedStep {
        PlannedStep {
            after: after.iter().map(|name| (*name).to_owned()).collect(),
            usual: usual.map(|(from, to)| Usual { from, to }),
            ..fixture::step(name)
        }
    }

    #[test]
    fn a_step_begins_when_all_that_it_waits_for_are_over() {
        let mut header = fixture::header();
        header.plan = vec![
            step("last", &["slow", "quick"], Some((1.0, 1.0))),
            step("slow", &[], Some((60.0, 120.0))),
            step("quick", &[], Some((90.0, 100.0))),
        ];
        let spans = schedule(&header);
        assert_eq!(spans[0].0, Instant { from: 100.0, to: Some(130.0) });
        assert_eq!(spans[1].0, Instant { from: 10.0, to: Some(10.0) });
        let text = text(&header);
        assert!(text.contains("1m40s to 2m10s     1. last"), "{text}");
        assert!(text.contains("1m41s to 2m11s     recovery is waited for"), "{text}");
        assert!(text.contains("there is nothing to undo"), "{text}");
    }

    #[test]
    fn after_a_program_nobody_knows_the_latest_time() {
        let mut header = fixture::header();
        let undone = PlannedStep {
            undo: Some("start i-1".to_owned()),
            undo_usual: Some(Usual { from: 10.0, to: 60.0 }),
            ..step("stop", &["run"], Some((20.0, 60.0)))
        };
        header.plan = vec![step("run", &[], None), undone];
        let text = text(&header);
        assert!(text.contains("10s or later       2. stop"), "{text}");
        assert!(text.contains("undo: start i-1, which usually takes 10s to 1m"), "{text}");
        assert!(text.contains("it is undone, which usually takes 10s to 1m"), "{text}");
        assert_eq!(outlook(&header.plan[0]), "it takes as long as its program does; undo: nothing to undo");
    }
}
