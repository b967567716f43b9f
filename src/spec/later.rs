//! Words of the language that this version does not read yet: named, so that nobody hunts for a typo.

use std::borrow::Cow;

use crate::notation::code::Code;
use crate::notation::decode::{Context, Problem};
use crate::notation::yaml::{Key, Node, Span, Value};

/// A word and what it would do.
pub(super) type Later = (&'static str, &'static str);

/// Keys of an experiment.
pub(super) const EXPERIMENT: &[Later] = &[("schedule", "schedules")];
/// Keys beside a target's kind.
pub(super) const TARGET: &[Later] =
    &[("region", "targets in another region"), ("role", "targets in another account")];
/// Keys of `firedrill.yaml`.
pub(super) const PROJECT: &[Later] = &[("channels", "notifications")];

/// What others call a key, and what it is called here: from Chaos Toolkit, Kubernetes, GitHub Actions, Gremlin and
/// plain habit. Only words whose values are written as ours.
pub(super) const SYNONYMS: &[(&str, &str)] = &[
    ("rollback", "undo"),
    ("revert", "undo"),
    ("depends_on", "after"),
    ("needs", "after"),
    ("interval", "every"),
    ("period", "every"),
    ("vars", "variables"),
    ("description", "title"),
    ("slo", "objectives"),
    ("guardrails", "stop_when"),
    ("stop_conditions", "stop_when"),
    ("abort_when", "stop_when"),
    ("on_error", "on_failure"),
    ("assert", "verify"),
    ("checks", "verify"),
    ("timezone", "time_zone"),
    ("agenda", "drills"),
    ("attendees", "participants"),
    ("break", "wait"),
    ("pause", "wait"),
    ("az", "availability_zone"),
    ("asg", "auto_scaling_group"),
    ("endpoint", "endpoint_url"),
];

/// The problem of a word that is not read yet.
pub(super) fn problem(word: &str, what: &str, span: Span) -> Problem {
    Problem::new(
        Code::NotYet,
        span,
        format!("`{word}`: {what} are not supported by this version of firedrill"),
    )
    .label("not supported yet")
    .help("remove it for now")
}

/// Reports the keys of a mapping that are not read yet, and gives the mapping without them.
pub(super) fn without<'n>(node: &'n Node, later: &[Later], cx: &mut Context<'_>) -> Cow<'n, Node> {
    let Value::Map(entries) = &node.value else { return Cow::Borrowed(node) };
    if !entries.iter().any(|(key, _)| later.iter().any(|(word, _)| *word == key.text)) {
        return Cow::Borrowed(node);
    }
    let mut kept: Vec<(Key, Node)> = Vec::new();
    for (key, value) in entries {
        match later.iter().find(|(word, _)| *word == key.text) {
            Some((word, what)) => cx.report(problem(word, what, key.span)),
            None => kept.push((key.clone(), value.clone())),
        }
    }
    Cow::Owned(Node { span: node.span, value: Value::Map(kept) })
}
