//! What a program prints, for later steps: `output: name`, used as `${output:name}`.
//!
//! A plan is made before anything runs, so that an output can only stand where nothing is looked up with it: in the
//! program of a `run` step, and in the texts of `manual` and `approve`.

use super::draft::Draft;
use super::experiment::plain_name;
use super::lint::{no_such, waited_for};
use super::step::StepDraft;
use super::values::{Piece, pieces};
use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem, SpannedName, entries};
use crate::notation::yaml::{Key, Node, Span, Value};

/// Something to keep of what a program prints.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name: unique in the file.
    pub name: SpannedName,
    /// Where it stands in the program's JSON, as RFC 6901 has it; without one it is the last line.
    pub pointer: Option<String>,
}

/// What a step keeps of its program's output, and what it uses of others'.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// What every name begins with: a runbook's outputs are its own.
    pub scope: String,
    /// What is kept: name, and JSON pointer; without one it is the last line.
    pub kept: Vec<(String, Option<String>)>,
    /// What is used.
    pub used: Vec<String>,
}

/// Reads `output` and `outputs` of a step.
pub(super) fn read(inside: &[(Key, Node)], cx: &mut Context<'_>) -> Vec<Output> {
    let mut found = Vec::new();
    for (key, node) in inside {
        match key.text.as_str() {
            "output" => {
                if let Some(name) = String::decode(node, cx) {
                    let name = SpannedName { text: name, span: node.span };
                    found.push(Output { name, pointer: None });
                }
            }
            "outputs" => {
                let expects = "a mapping of names to JSON pointers, such as { arn: /DBInstance/Arn }";
                for (key, node) in entries(node, cx, expects).unwrap_or_default() {
                    let name = SpannedName { text: key.text.clone(), span: key.span };
                    let pointer = String::decode(node, cx);
                    if pointer.as_ref().is_some_and(|pointer| !pointer.starts_with('/')) {
                        cx.report(
                            cx.mismatch(Code::NotAnArgument, node, "a JSON pointer, such as /DBInstance/Arn")
                                .help("it starts with `/`, and names one value in what the program prints"),
                        );
                    }
                    found.extend(pointer.map(|pointer| Output { name, pointer: Some(pointer) }));
                }
            }
            _ => {}
        }
    }
    for output in &found {
        plain_name("output", &output.name, cx);
    }
    found
}

/// The outputs that a text refers to.
fn references(text: &str) -> Vec<&str> {
    if !text.contains('$') {
        return Vec::new();
    }
    let found = pieces(text).unwrap_or_default().into_iter();
    let named = found.filter_map(|piece| match piece {
        Piece::Reference(reference) => reference.split_once(':'),
        Piece::Text(_) => None,
    });
    named.filter(|(source, _)| source.trim() == "output").map(|(_, name)| name.trim()).collect()
}

/// The outputs that a step's program or text refers to.
pub(super) fn used(inside: &[(Key, Node)]) -> Vec<String> {
    let mut names = Vec::new();
    for (key, node) in inside.iter().filter(|(key, _)| PLACES.contains(&key.text.as_str())) {
        visit(node, key.text == "run", &mut |text, _, fits| {
            if fits {
                names.extend(references(text).into_iter().map(str::to_owned));
            }
        });
    }
    names
}

/// Where outputs can be used.
const PLACES: [&str; 3] = ["run", "manual", "approve"];

/// Calls `see` with every text, and whether an output can stand in it: not in the undo of a program, which is written
/// down before the step.
fn visit(node: &Node, program: bool, see: &mut dyn FnMut(&str, Span, bool)) {
    fn inner(node: &Node, program: bool, fits: bool, see: &mut dyn FnMut(&str, Span, bool)) {
        match &node.value {
            Value::Null => {}
            Value::Scalar { text, .. } => see(text, node.span, fits),
            Value::List(items) => items.iter().for_each(|item| inner(item, false, fits, see)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    inner(value, false, fits && !(program && key.text == "undo"), see);
                }
            }
        }
    }
    inner(node, program, true, see);
}

/// Every output is declared once, used where it can be, and after it is there.
pub(super) fn lint(root: &Node, draft: &Draft, problems: &mut Vec<Problem>) {
    let declared: Vec<(usize, &Output)> = draft
        .steps
        .iter()
        .enumerate()
        .flat_map(|(index, step)| step.outputs.iter().map(move |output| (index, output)))
        .collect();
    for (place, (_, output)) in declared.iter().enumerate() {
        let earlier = declared.iter().take(place).find(|(_, earlier)| earlier.name.text == output.name.text);
        if let Some((_, first)) = earlier {
            problems.push(
                Problem::new(
                    Code::OutputTwice,
                    output.name.span,
                    format!("two outputs are called `{}`", output.name.text),
                )
                .label("here again")
                .related(first.name.span, "first here"),
            );
        }
    }
    let Value::Map(top) = &root.value else { return };
    for (key, node) in top {
        match (&node.value, key.text.as_str()) {
            (Value::List(steps), "steps") => {
                for (index, step) in steps.iter().enumerate() {
                    of_step(index, step, draft, &declared, problems);
                }
            }
            _ => visit(node, false, &mut |text, span, _| {
                problems.extend(references(text).into_iter().map(|name| misplaced(name, span)));
            }),
        }
    }
}

fn of_step(
    index: usize,
    step: &Node,
    draft: &Draft,
    declared: &[(usize, &Output)],
    problems: &mut Vec<Problem>,
) {
    let Value::Map(inside) = &step.value else { return };
    for (key, node) in inside {
        let place = PLACES.contains(&key.text.as_str());
        visit(node, key.text == "run", &mut |text, span, fits| {
            for name in references(text) {
                if !place || !fits {
                    problems.push(misplaced(name, span));
                } else if let Some((producer, output)) =
                    declared.iter().find(|(_, one)| one.name.text == name)
                {
                    problems.extend(too_early(index, *producer, output, draft, span));
                } else {
                    let known: Vec<(&str, Span)> =
                        declared.iter().map(|(_, one)| (one.name.text.as_str(), one.name.span)).collect();
                    problems.push(no_such(Code::UnknownOutput, "output", name, span, &known));
                }
            }
        });
    }
}

fn misplaced(name: &str, span: Span) -> Problem {
    Problem::new(Code::OutputHere, span, format!("`${{output:{name}}}` cannot stand here"))
        .label("this is looked at before any step has run")
        .help("outputs can be used in the program of a `run` step, and in the text of `manual` and `approve`")
}

fn too_early(index: usize, producer: usize, output: &Output, draft: &Draft, span: Span) -> Option<Problem> {
    if index != producer && waited_for(&draft.steps, index).contains(&producer) {
        return None;
    }
    let name = |index: usize| {
        let step: Option<&StepDraft> = draft.steps.get(index);
        step.and_then(|step| step.name.as_ref()).map_or("?", |name| name.as_str())
    };
    let problem = Problem::new(
        Code::OutputTooEarly,
        span,
        format!("the output `{}` may not be there yet", output.name.text),
    );
    Some(match index == producer {
        true => problem.label("the step itself prints it"),
        false => problem
            .label(format!("this step does not wait for `{}`", name(producer)))
            .related(output.name.span, "printed here")
            .help(format!("wait for it: `after: [{}]`", name(producer))),
    })
}
