//! Rules about the order of the steps.

use super::no_such;
use crate::notation::code::Code;
use crate::notation::decode::Problem;
use crate::notation::yaml::Span;
use crate::spec::draft::Draft;
use crate::spec::step::StepDraft;

/// Every `after` names a step, and no step waits for itself.
pub(super) fn order(draft: &Draft, problems: &mut Vec<Problem>) {
    let known = known(draft);
    for after in draft.steps.iter().filter_map(|step| step.after.as_ref()?.as_ref()) {
        for name in after.0.iter().filter(|name| !known.iter().any(|(known, _)| *known == name.as_str())) {
            // Of a runbook that could not be read nobody knows the steps.
            let unread = |step: &StepDraft| {
                let call = step.call.as_ref().is_some_and(|call| !call.is_known());
                let prefix = step.name.as_ref().map(|prefix| format!("{} / ", prefix.value));
                call && prefix.is_some_and(|prefix| name.starts_with(&prefix))
            };
            if !draft.steps.iter().any(unread) {
                problems.push(no_such(Code::UnknownStep, "step", name, name.span, &known));
            }
        }
    }
    if let Some(cycle) = cycle(&draft.steps) {
        problems.push(describe(&draft.steps, &cycle));
    }
}

/// The names that steps go by, those within runbooks among them, each with the place of its step.
pub(super) fn known(draft: &Draft) -> Vec<(String, Span)> {
    let of = |step: &StepDraft| {
        let span = step.name.as_ref().map_or(step.span, |name| name.span);
        step.names().into_iter().map(move |(name, _)| (name, span)).collect::<Vec<_>>()
    };
    draft.steps.iter().flat_map(of).collect()
}

/// The steps that a step waits for, by index.
fn waits_for(steps: &[StepDraft], index: usize) -> Vec<usize> {
    let Some(step) = steps.get(index) else { return Vec::new() };
    match &step.after {
        Some(Some(names)) => names
            .0
            .iter()
            .filter_map(|name| steps.iter().position(|other| other.called(name).is_some()))
            .collect(),
        _ => index.checked_sub(1).into_iter().collect(),
    }
}

/// All the steps that are over before a step begins, by index.
pub(in crate::spec) fn waited_for(steps: &[StepDraft], index: usize) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let mut todo = waits_for(steps, index);
    while let Some(next) = todo.pop() {
        if !found.contains(&next) {
            found.push(next);
            todo.extend(waits_for(steps, next));
        }
    }
    found
}

/// The first cycle, as the indices of its steps, each waiting for the next and the last for the first.
fn cycle(steps: &[StepDraft]) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Closed,
    }
    let mut marks = vec![Mark::New; steps.len()];
    for start in 0..steps.len() {
        // Each entry of the path: a step, and which of those it waits for are still to be followed.
        let mut path: Vec<(usize, Vec<usize>)> = Vec::new();
        if marks.get(start) == Some(&Mark::New) {
            path.push((start, waits_for(steps, start)));
        }
        while let Some((at, todo)) = path.last_mut() {
            let at = *at;
            let Some(next) = todo.pop() else {
                set(&mut marks, at, Mark::Closed);
                path.pop();
                continue;
            };
            set(&mut marks, at, Mark::Open);
            if next == at {
                return Some(vec![at]);
            }
            match marks.get(next) {
                Some(Mark::Open) => {
                    return Some(
                        path.iter().map(|(step, _)| *step).skip_while(|step| *step != next).collect(),
                    );
                }
                Some(Mark::New) => path.push((next, waits_for(steps, next))),
                _ => {}
            }
        }
    }
    fn set(marks: &mut [Mark], at: usize, mark: Mark) {
        if let Some(slot) = marks.get_mut(at) {
            *slot = mark;
        }
    }
    None
}

fn describe(steps: &[StepDraft], cycle: &[usize]) -> Problem {
    let name = |index: usize| {
        let step = steps.get(index);
        step.and_then(|step| step.name.as_ref()).map_or("?", |name| name.as_str())
    };
    let place = |index: usize| {
        let step = steps.get(index);
        let after = step.and_then(|step| step.after.as_ref()?.as_ref()?.0.first());
        let own = step.map_or(Span::default(), |step| step.name.as_ref().map_or(step.span, |name| name.span));
        (after.map_or(own, |after| after.span), after.is_some())
    };
    // The place to change is an `after`; there is one, since the order of the file has no cycle.
    let first =
        cycle.iter().copied().find(|index| place(*index).1).or(cycle.first().copied()).unwrap_or_default();
    let mut problem = match cycle {
        [only] => Problem::new(
            Code::WaitsForItself,
            place(*only).0,
            format!("step `{}` waits for itself", name(*only)),
        ),
        _ => {
            let around = cycle.iter().skip_while(|index| **index != first);
            let around = around.chain(cycle.iter().take_while(|index| **index != first)).chain([&first]);
            let names: Vec<String> = around.map(|index| format!("`{}`", name(*index))).collect();
            Problem::new(
                Code::Cycle,
                place(first).0,
                format!("steps wait for each other: {}", names.join(" → ")),
            )
        }
    };
    for index in cycle.iter().copied().filter(|index| *index != first) {
        let (span, explicit) = place(index);
        let label = match explicit {
            true => "waits here".to_owned(),
            false => format!(
                "waits for `{}`, the step before it, having no `after`",
                name(index.saturating_sub(1))
            ),
        };
        problem = problem.related(span, label);
    }
    problem.label("none of them could start").help("`after: []` makes a step start at once")
}
