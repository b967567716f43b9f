//! Rules about what the steps do, and to whom.

use std::collections::HashMap;

use super::no_such;
use crate::notation::code::Code;
use crate::notation::decode::{Problem, Spanned};
use crate::notation::yaml::Span;
use crate::spec::draft::Draft;
use crate::spec::experiment::Does;
use crate::spec::step::StepDraft;

/// The target that a step's action is aimed at.
pub(super) fn aim(step: &StepDraft) -> Option<&Spanned<String>> {
    match step.deed.as_ref()?.value.as_ref()? {
        Does::Action(action) => Some(action.target()),
        _ => None,
    }
}

/// Each target says whom it means.
pub(super) fn targets(draft: &Draft, problems: &mut Vec<Problem>) {
    for target in &draft.targets {
        if let Some(value) = &target.value {
            problems.extend(value.lint(target.place));
        }
    }
}

/// Each step can be done, and does not surprise its author.
pub(super) fn each(draft: &Draft, problems: &mut Vec<Problem>) {
    names(draft, problems);
    for step in &draft.steps {
        action(draft, step, problems);
        if let Some(Some(timeout)) = &step.timeout
            && timeout.is_zero()
        {
            problems.push(
                Problem::new(Code::ZeroTime, timeout.span, "a step's timeout is longer than zero")
                    .help("leave `timeout` out for the action's own limit"),
            );
        }
    }
    // A step that could not be read may well be the fault.
    let injects = |step: &StepDraft| step.deed.as_ref().is_none_or(|deed| deed.key.value != "wait");
    if !draft.steps.iter().any(injects) {
        let place = draft.steps.first().map_or(draft.span, |step| step.span);
        problems.push(
            Problem::new(Code::NoFault, place, "no step breaks anything")
                .label("expected at least one `action` or `run`")
                .help("`firedrill actions` lists what can be broken"),
        );
    }
    if let Some(Some(from)) = &draft.measure_from {
        measure_from(draft, from, problems);
    }
}

fn names(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for name in draft.steps.iter().filter_map(|step| step.name.as_ref()) {
        match seen.get(name.as_str()) {
            Some(first) => problems.push(
                Problem::new(Code::StepTwice, name.span, format!("two steps are called `{name}`"))
                    .label("here again")
                    .related(*first, "first here")
                    .help("reports and `after` go by the name: make each one say what it does"),
            ),
            None => {
                seen.insert(name, name.span);
            }
        }
    }
}

fn action(draft: &Draft, step: &StepDraft, problems: &mut Vec<Problem>) {
    let Some(deed) = &step.deed else { return };
    let Some(Does::Action(action)) = &deed.value else { return };
    problems.extend(action.lint(deed.place));
    let aim = action.target();
    match draft.targets.iter().find(|target| target.name.text == **aim) {
        None => {
            let known: Vec<(&str, Span)> =
                draft.targets.iter().map(|t| (t.name.text.as_str(), t.name.span)).collect();
            problems.push(no_such(Code::UnknownTarget, "target", aim, aim.span, &known));
        }
        Some(target) if target.kind.is_some_and(|kind| kind != action.accepts()) => problems.push(
            Problem::new(
                Code::WrongTargetKind,
                aim.span,
                format!(
                    "{} acts on {}, and `{aim}` is {}",
                    action.name(),
                    an(action.accepts()),
                    an(target.kind.unwrap_or_default())
                ),
            )
            .label(format!("expected {} target", an(action.accepts())))
            .related(target.place, "its kind"),
        ),
        Some(_) => {}
    }
    if action.irreversible() && step.irreversible == Some(false) {
        problems.push(
            Problem::new(Code::Irreversible, deed.place, format!("{} cannot be undone", action.name()))
                .label("what it changes stays changed, also when the run is aborted")
                .help("if that is meant, say so in the step: `irreversible: true`"),
        );
    }
}

fn measure_from(draft: &Draft, from: &Spanned<String>, problems: &mut Vec<Problem>) {
    let named = |step: &&StepDraft| step.name.as_ref().is_some_and(|name| **name == **from);
    match draft.steps.iter().find(named) {
        None => {
            let known: Vec<(&str, Span)> =
                draft.steps.iter().filter_map(|s| s.name.as_ref()).map(|n| (n.as_str(), n.span)).collect();
            problems.push(no_such(Code::UnknownStep, "step", from, from.span, &known));
        }
        Some(step) => {
            if let Some(deed) = step.deed.as_ref().filter(|deed| deed.key.value == "wait") {
                problems.push(
                    Problem::new(Code::MeasuredFromWait, from.span, format!("`{from}` only waits"))
                        .label("the RTO counts from a step that does something")
                        .related(deed.key.span, "waits here"),
                );
            }
        }
    }
}

/// The noun with its article.
fn an(kind: &str) -> String {
    format!(
        "{} {kind}",
        if kind.starts_with(['a', 'e', 'i', 'o', 'u', 'r']) && !kind.starts_with("route") {
            "an"
        } else {
            "a"
        }
    )
}
