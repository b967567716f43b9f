//! Rules about the programs that a file runs: `aws`, `kubectl` and `terraform` get words that they know.
//!
//! It looks at the file as it is written, not at what values make of it: so a finding stands at the very word, and
//! shows no value that is secret.

use crate::command::{self, Finding};
use crate::notation::decode::Problem;
use crate::notation::yaml::{Key, Node, Span, Value};

/// The rules about every program of an experiment: those of `run` steps, of their undoing, of `command` probes.
pub(super) fn programs(root: &Node, problems: &mut Vec<Problem>) {
    for step in items(root, "steps") {
        program(child(step, "run"), true, problems);
        program(child(step, "undo"), false, problems);
        for check in items(step, "verify") {
            probe(check, problems);
        }
    }
    if let Some(Value::Map(probes)) = child(root, "probes").map(|node| &node.value) {
        probes.iter().for_each(|(_, node)| probe(node, problems));
    }
}

/// A `run` or an `undo` in either form. An action is offered only for what a step does itself.
fn program(node: Option<&Node>, offer: bool, problems: &mut Vec<Problem>) {
    let Some(node) = node else { return };
    match &node.value {
        Value::List(words) => list(words, offer, problems),
        Value::Map(_) => {
            program(child(node, "program"), offer, problems);
            program(child(node, "undo"), false, problems);
        }
        _ => {}
    }
}

fn probe(node: &Node, problems: &mut Vec<Problem>) {
    if let Some(Value::List(words)) =
        child(node, "command").and_then(|command| child(command, "run")).map(|node| &node.value)
    {
        list(words, false, problems);
    }
}

/// One argument list.
fn list(words: &[Node], offer: bool, problems: &mut Vec<Problem>) {
    let texts: Option<Vec<&str>> = words.iter().map(scalar).collect();
    // What is no text has been reported where the list is read.
    let Some(texts) = texts else { return };
    // `$${` is how a file writes `${`: what the program gets is not known here either way.
    for finding in command::judge(&texts) {
        if !offer && finding.offer {
            continue;
        }
        if let Some(word) = words.get(finding.place.word) {
            problems.push(problem(word, finding));
        }
    }
}

fn problem(word: &Node, finding: Finding) -> Problem {
    let within = finding.place.within.clone().and_then(|within| part(word, within));
    let mut problem = Problem::new(within.unwrap_or(word.span), finding.message).label(finding.label);
    problem.help = finding.help;
    problem.warning = finding.warning;
    problem
}

/// The place of a part of a scalar; `None` where quoting or folding makes the text another than the source.
fn part(word: &Node, within: std::ops::Range<usize>) -> Option<Span> {
    let text = scalar(word)?;
    let length = word.span.end.checked_sub(word.span.start)?;
    let quotes = length.checked_sub(text.len())?;
    let before = match (&word.value, quotes) {
        (Value::Scalar { plain: true, .. }, 0) => 0,
        (Value::Scalar { plain: false, .. }, 2) => 1,
        _ => return None,
    };
    let start = word.span.start + before;
    Some(Span { start: start + within.start, end: start + within.end })
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

fn child<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(key, _): &&(Key, Node)| key.text == name).map(|(_, node)| node)
}

/// The items of a list under a key.
fn items<'n>(node: &'n Node, name: &str) -> &'n [Node] {
    match child(node, name).map(|node| &node.value) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}
