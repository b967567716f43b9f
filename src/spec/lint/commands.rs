//! Rules about the programs that a file runs: `aws`, `kubectl` and `terraform` get words that they know.
//!
//! It looks at the file as it is written, not at what values make of it: so a finding stands at the very word, and
//! shows no value that is secret.

use std::ops::Range;

use crate::command::{self, Finding};
use crate::notation::code::Code;
use crate::notation::decode::Problem;
use crate::notation::yaml::{Key, Node, Span, Value};

/// The rules about every program of an experiment: those of `run` steps, of their undoing, of `command` probes.
/// `text` is the file that `root` was read from.
pub(in crate::spec) fn programs(text: &str, root: &Node) -> Vec<Problem> {
    let mut programs = Programs { text, problems: Vec::new() };
    for step in items(root, "steps") {
        programs.program(child(step, "run"), true);
        programs.program(child(step, "undo"), false);
        let awaited = child(step, "wait_until").into_iter().chain(items(step, "wait_until"));
        awaited.chain(items(step, "verify")).for_each(|check| programs.probe(check));
    }
    if let Some(Value::Map(probes)) = child(root, "probes").map(|node| &node.value) {
        probes.iter().for_each(|(_, node)| programs.probe(node));
    }
    programs.problems
}

struct Programs<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

impl Programs<'_> {
    /// A `run` or an `undo` in either form. An action is offered only for what a step does itself.
    fn program(&mut self, node: Option<&Node>, offer: bool) {
        match node.map(|node| &node.value) {
            Some(Value::List(words)) => self.list(words, offer),
            Some(Value::Map(_)) => {
                let inside = |name| node.and_then(|node| child(node, name));
                self.program(inside("program"), offer);
                self.program(inside("undo"), false);
            }
            _ => {}
        }
    }

    fn probe(&mut self, node: &Node) {
        let run = child(node, "command").and_then(|command| child(command, "run"));
        if let Some(Value::List(words)) = run.map(|node| &node.value) {
            self.list(words, false);
        }
    }

    /// One argument list.
    fn list(&mut self, words: &[Node], offer: bool) {
        // What is no text has been reported where the list is read.
        let Some(texts) = words.iter().map(scalar).collect::<Option<Vec<&str>>>() else { return };
        for finding in command::judge(&texts) {
            let Some(word) = words.get(finding.place.word).filter(|_| offer || !finding.offer) else {
                continue;
            };
            self.problems.push(problem(self.text, word, finding));
        }
    }
}

fn problem(text: &str, word: &Node, finding: Finding) -> Problem {
    let within = finding.place.within.and_then(|within| part(text, word, within));
    let code = match finding.offer {
        true => Code::ActionDoesThis,
        false if finding.shell => Code::ShellWord,
        false => Code::CommandLine,
    };
    let mut problem = Problem::new(code, within.unwrap_or(word.span), finding.message).label(finding.label);
    problem.help = finding.help;
    problem.warning = finding.warning;
    problem
}

/// The place of a part of a scalar's text, whatever quoting, folding and indentation add to it in the file. `None`
/// where escapes stand for other characters.
fn part(text: &str, word: &Node, within: Range<usize>) -> Option<Span> {
    let written = text.get(word.span.start..word.span.end)?;
    let mut rest = written.char_indices();
    let (mut start, mut end) = (None, None);
    for (at, character) in scalar(word)?.char_indices() {
        let matching = |c: char| c == character || (c.is_whitespace() && character.is_whitespace());
        let place = loop {
            match rest.next()? {
                (place, c) if matching(c) => break place,
                (_, c) if c.is_whitespace() || matches!(c, '"' | '\'' | '\\') => {}
                _ => return None,
            }
        };
        if at >= within.end {
            break;
        }
        if at >= within.start {
            start.get_or_insert(place);
            end = Some(place + character.len_utf8());
        }
    }
    Some(Span { start: word.span.start + start?, end: word.span.start + end? })
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
