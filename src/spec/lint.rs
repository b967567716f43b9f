//! The rules that look across a file: names, order, what an objective needs.
//!
//! They work on a draft, so that a slip in one place does not hide what is wrong in another, and
//! they say nothing about parts that could not be read.

use std::collections::HashSet;

use super::draft::Draft;
use super::values::{Bindings, variables_in};
use crate::notation::code::Code;
use crate::notation::decode::{Problem, clip, nearest};
use crate::notation::yaml::{Node, Span, Value};
use crate::redact;

mod commands;
mod fits;
mod guardrails;
mod measures;
mod order;
mod programs;
pub(super) mod resources;
mod steps;

pub(super) use commands::programs;
pub(super) use order::waited_for;
pub(super) use steps::without_undo;

/// The rules about a draft.
pub(super) fn draft(draft: &Draft) -> Vec<Problem> {
    let mut problems = Vec::new();
    steps::targets(draft, &mut problems);
    steps::each(draft, &mut problems);
    order::order(draft, &mut problems);
    measures::objectives(draft, &mut problems);
    measures::alarms(draft, &mut problems);
    measures::probes(draft, &mut problems);
    guardrails::guardrails(draft, &mut problems);
    measures::times(draft, &mut problems);
    fits::elapsed(draft, &mut problems);
    fits::records(draft, &mut problems);
    programs::programs(draft, &mut problems);
    problems
}

/// The rules about values: variables in use have one, passwords are not written down, AWS's names can be names.
pub(super) fn values(root: &Node, draft: &Draft, bindings: &Bindings, complete: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    let used = if complete { used_variables(root) } else { HashSet::new() };
    for name in draft.variables.keys().filter(|name| used.contains(name.text.as_str())) {
        if !bindings.has_value(&name.text) {
            let problem = Problem::new(
                Code::NoValueGiven,
                name.span,
                format!("the variable `{}` has no value", name.text),
            )
            .label("no value is given, and it has no default")
            .help(format!(
                "give it under `values:` of the environment in firedrill.yaml, or with --var {}=VALUE",
                name.text
            ));
            problems.push(problem);
        }
    }
    problems.extend(passwords(root));
    resources::resources(root, &mut problems);
    problems
}

/// The passwords that are written down.
pub(super) fn passwords(root: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    visit(root, &mut |text, span| {
        if redact::passwords(text).iter().any(|password| !password.contains("${")) {
            problems.push(
                Problem::new(Code::Password, span, "a password is written in the file")
                    .label("whoever reads the file or a report of the run reads it too")
                    .help("declare a variable with `secret: true`, and give its value in the environment")
                    .warning(),
            );
        }
        if has_access_key(text) {
            problems.push(
                Problem::new(Code::AccessKey, span, "an AWS access key is written in the file")
                    .label("it belongs to whoever reads the file, until it is deactivated")
                    .help(
                        "write ${env:AWS_ACCESS_KEY_ID}, or name a `profile` or a `role` in the environment",
                    )
                    .warning(),
            );
        }
    });
    problems
}

/// Whether an access key's id is in the text: `AKIA` or, for a session's, `ASIA`, and 16 letters and digits.
fn has_access_key(text: &str) -> bool {
    if text.len() < 20 {
        return false;
    }
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| {
        word.len() == 20
            && (word.starts_with("AKIA") || word.starts_with("ASIA"))
            && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}

/// What is declared and never used.
pub(super) fn unused(root: &Node, draft: &Draft) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut idle = |code: Code, what: &str, name: &str, span: Span| {
        problems.push(
            Problem::new(code, span, format!("the {what} `{name}` is never used"))
                .label("declared here")
                .help("remove it, or use it")
                .warning(),
        );
    };
    let used = used_variables(root);
    for name in draft.variables.keys().filter(|name| !used.contains(name.text.as_str())) {
        idle(Code::UnusedVariable, "variable", &name.text, name.span);
    }
    let aimed: HashSet<&str> =
        draft.steps.iter().filter_map(steps::aim).map(|name| name.value.as_str()).collect();
    for target in draft.targets.iter().filter(|target| !aimed.contains(target.name.text.as_str())) {
        idle(Code::UnusedTarget, "target", &target.name.text, target.name.span);
    }
    problems
}

fn used_variables(root: &Node) -> HashSet<&str> {
    let mut used = HashSet::new();
    visit(root, &mut |text, _| used.extend(variables_in(text)));
    used
}

/// Calls `see` with every scalar of the tree.
fn visit<'n>(node: &'n Node, see: &mut dyn FnMut(&'n str, Span)) {
    match &node.value {
        Value::Null => {}
        Value::Scalar { text, .. } => see(text, node.span),
        Value::List(items) => items.iter().for_each(|item| visit(item, see)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| visit(value, see)),
    }
}

/// The problem of a name that nothing has, with the nearest one that something has.
pub(super) fn no_such<N: AsRef<str>>(
    code: Code,
    what: &str,
    name: &str,
    span: Span,
    known: &[(N, Span)],
) -> Problem {
    let known: Vec<(&str, Span)> = known.iter().map(|(name, span)| (name.as_ref(), *span)).collect();
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let problem = Problem::new(code, span, format!("no {what} is called `{}`", clip(name)));
    let near = nearest(name, &names).and_then(|near| known.iter().find(|(name, _)| *name == near));
    match near {
        Some((near, place)) => {
            problem.label(format!("did you mean `{near}`?")).related(*place, format!("this {what}"))
        }
        None if known.is_empty() => problem.label(format!("this file declares no {what}")),
        None => problem
            .label(format!("not a {what} of this file"))
            .help(format!("there is: {}", names.join(", "))),
    }
}
