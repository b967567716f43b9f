//! Rules about what the steps do, and to whom.

use std::collections::HashMap;

use super::no_such;
use crate::notation::code::Code;
use crate::notation::decode::{Problem, Spanned};
use crate::notation::yaml::Span;
use crate::run::event::FileKind;
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
        if let Some(Some(expected)) = &step.expected
            && expected.is_zero()
        {
            problems.push(
                Problem::new(Code::ZeroTime, expected.span, "a step is expected to take longer than no time")
                    .help("leave `expected` out when nobody knows how long it takes"),
            );
        }
    }
    breaks(draft, problems);
    if let Some(Some(from)) = &draft.measure_from {
        measure_from(draft, from, problems);
    }
}

/// An experiment breaks something; a runbook does something.
fn breaks(draft: &Draft, problems: &mut Vec<Problem>) {
    if draft.kind == FileKind::Runbook {
        if draft.steps.is_empty() {
            problems.push(
                Problem::new(Code::NoStep, draft.span, "a runbook without a step")
                    .label("expected at least one step")
                    .help("such as `steps: [{ name: call the owner, manual: \"…\" }]`"),
            );
        }
        return;
    }
    // A person may be the fault where the file says so; then that name is looked at by itself.
    let by_hand = matches!(&draft.measure_from, Some(Some(_)) | None);
    if draft.steps.iter().any(StepDraft::injects) || by_hand {
        return;
    }
    let place = draft.steps.first().map_or(draft.span, |step| step.span);
    let problem = Problem::new(Code::NoFault, place, "no step breaks anything")
        .label("expected at least one `action` or `run`");
    let manual = |step: &StepDraft| step.names().into_iter().any(|(_, kind)| kind == Some("manual"));
    problems.push(match draft.steps.iter().any(manual) {
        true => problem.help("when a person breaks it, say which step that is: `measure_from: STEP`"),
        false => problem.help("`firedrill actions` lists what can be broken"),
    });
}

fn names(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<String, Span> = HashMap::new();
    for step in &draft.steps {
        let Some(span) = step.name.as_ref().map(|name| name.span) else { continue };
        for (name, _) in step.names() {
            if let Some(first) = seen.get(&name) {
                let problem = Problem::new(Code::StepTwice, span, format!("two steps are called `{name}`"))
                    .label("here again")
                    .related(*first, "first here");
                problems.push(match &step.call {
                    Some(_) => {
                        problem.help("a runbook that is run twice needs a `name` of its own each time")
                    }
                    None => {
                        problem.help("reports and `after` go by the name: make each one say what it does")
                    }
                });
                break;
            }
            seen.insert(name, span);
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

/// The programs of an experiment that nothing undoes: they are all that firedrill cannot know how to undo. In a runbook
/// they are what the runbook is for.
pub(in crate::spec) fn without_undo(draft: &Draft) -> Vec<Problem> {
    match draft.kind {
        FileKind::Experiment => draft.steps.iter().filter_map(silent).collect(),
        FileKind::Runbook => Vec::new(),
    }
}

fn silent(step: &StepDraft) -> Option<Problem> {
    let deed = step.deed.as_ref()?;
    let silent = step.undo == Some(None) && deed.undo.is_none() && step.irreversible == Some(false);
    if deed.key.value != "run" || deed.value.is_none() || !silent {
        return None;
    }
    let problem =
        Problem::new(Code::NoUndo, deed.key.span, "nothing says how to undo what this program does")
            .label("what it changes stays changed, also when the run is aborted")
            .help(
                "give the step an undo, `undo: [program, argument]`, or say that it needs none: `undo: none`",
            );
    Some(problem.warning())
}

fn measure_from(draft: &Draft, from: &Spanned<String>, problems: &mut Vec<Problem>) {
    let named = draft.steps.iter().find_map(|step| Some((step, step.called(from)?)));
    let Some((step, kind)) = named else {
        problems.push(no_such(Code::UnknownStep, "step", from, from.span, &super::order::known(draft)));
        return;
    };
    let place = step.deed.as_ref().map_or(step.span, |deed| deed.key.span);
    let only = match kind {
        Some("wait" | "wait_until") => "only waits",
        Some("approve") => "only asks",
        Some("runbook") => "is a runbook of several steps",
        _ => return,
    };
    let problem = Problem::new(Code::MeasuredFromWait, from.span, format!("`{from}` {only}"))
        .label("the RTO counts from a step that does something")
        .related(place, "this step");
    problems.push(match kind {
        Some("runbook") => problem.help(format!("name one of its steps: `measure_from: \"{from} / STEP\"`")),
        _ => problem,
    });
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
