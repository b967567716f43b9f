//! Steps, as far as they could be read.

use std::time::Duration;

use indexmap::IndexMap;

use super::draft::one_probe;
use super::experiment::{Check, Does, OnFailure, Program, Step, Undo};
use super::later;
use crate::action::Action;
use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem, Spanned, entries, field, unknown_keys};
use crate::notation::fix::Fix;
use crate::notation::shape::{self, Shapes};
use crate::notation::yaml::{Key, Node, Span, Value};
use crate::record;

/// A step of which some parts could be read.
pub(super) struct StepDraft {
    /// Where it stands.
    pub(super) span: Span,
    pub(super) name: Option<Spanned<String>>,
    /// What it does; `None` when it says nothing that is known.
    pub(super) deed: Option<Deed>,
    pub(super) verify: Option<Vec<Check>>,
    pub(super) timeout: Option<Option<Spanned<Duration>>>,
    pub(super) on_failure: Option<OnFailure>,
    /// `Some(None)` when it waits for the step before.
    pub(super) after: Option<Option<Names>>,
    pub(super) irreversible: Option<bool>,
    pub(super) undo: Option<Option<Undo>>,
}

/// What a step does.
pub(super) struct Deed {
    /// `action`, `run` or `wait`, where it stands.
    pub(super) key: Spanned<&'static str>,
    /// For an action: where its name stands.
    pub(super) place: Span,
    pub(super) value: Option<Does>,
    /// What the `run` mapping says beside the program.
    pub(super) undo: Option<Program>,
    timeout: Option<Duration>,
}

/// One name, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Names(pub(super) Vec<Spanned<String>>);

impl Decode for Names {
    fn expects() -> String {
        "a list of step names".to_owned()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::any_of(vec![String::schema(shapes), Vec::<String>::schema(shapes)])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar { .. } => Spanned::<String>::decode(node, cx).map(|name| Names(vec![name])),
            _ => Vec::<Spanned<String>>::decode(node, cx).map(Names),
        }
    }
}

const KEYS: &[&str] =
    &["name", "action", "run", "wait", "verify", "timeout", "on_failure", "after", "irreversible", "undo"];
const DEEDS: [&str; 3] = ["action", "run", "wait"];

impl StepDraft {
    pub(super) fn read(node: &Node, cx: &mut Context<'_>) -> StepDraft {
        let before = cx.problems.len();
        let node = &later::without(node, later::STEP, cx);
        let excused = cx.problems.len() > before;
        let inside = entries(node, cx, "a step: a mapping with name and action, run or wait");
        let broken = inside.is_none();
        let inside = inside.unwrap_or_default();
        let span = inside.first().map_or(node.span, |(key, _)| key.span);
        if broken {
            return StepDraft::nothing(span);
        }
        unknown_keys(inside, KEYS, cx);
        StepDraft {
            span,
            name: field::<Spanned<String>>(inside, span, "name", None, cx).filter(|name| one_line(name, cx)),
            deed: deed(inside, span, excused, cx),
            verify: checks(inside, cx),
            timeout: field(inside, span, "timeout", None, cx),
            on_failure: field(inside, span, "on_failure", Some(OnFailure::Stop), cx),
            after: field(inside, span, "after", None, cx),
            irreversible: field(inside, span, "irreversible", Some(false), cx),
            undo: field(inside, span, "undo", None, cx),
        }
    }

    fn nothing(span: Span) -> StepDraft {
        StepDraft {
            span,
            name: None,
            deed: None,
            verify: None,
            timeout: None,
            on_failure: None,
            after: None,
            irreversible: None,
            undo: None,
        }
    }

    /// The step, when every part of it could be read. `before` is the step that stands before it.
    pub(super) fn finish(self, before: Option<String>) -> Option<Step> {
        let deed = self.deed?;
        Some(Step {
            name: self.name?,
            does: deed.value?,
            verify: self.verify?,
            timeout: self.timeout?.map(|timeout| timeout.value).or(deed.timeout),
            on_failure: self.on_failure?,
            after: match self.after? {
                Some(names) => names.0.into_iter().map(|name| name.value).collect(),
                None => before.into_iter().collect(),
            },
            irreversible: self.irreversible?,
            undo: self.undo?.or(deed.undo.map(Undo::Program)).unwrap_or_default(),
        })
    }
}

/// What the step does: exactly one of the keys that say so. `excused` when a word that is not read
/// yet has been reported in its place.
fn deed(inside: &[(Key, Node)], owner: Span, excused: bool, cx: &mut Context<'_>) -> Option<Deed> {
    let mut found = inside
        .iter()
        .filter_map(|(key, node)| Some((DEEDS.into_iter().find(|deed| *deed == key.text)?, key, node)));
    let Some((name, key, node)) = found.next() else {
        if !excused {
            cx.report(
                Problem::new(Code::NothingDone, owner, "this step does nothing")
                    .label("`action`, `run` or `wait` is needed here")
                    .help("`firedrill actions` lists what an action can be"),
            );
        }
        return None;
    };
    for (other, other_key, _) in found {
        cx.report(
            Problem::new(
                Code::TwoThingsDone,
                other_key.span,
                format!("a step does one thing: `{name}` or `{other}`"),
            )
            .label("a second one")
            .related(key.span, "the first")
            .help("make it a step of its own"),
        );
    }
    let mut deed = Deed {
        key: Spanned { value: name, span: key.span },
        place: key.span,
        value: None,
        undo: None,
        timeout: None,
    };
    if node.value == Value::Null {
        cx.report(
            Problem::new(Code::NoValue, key.span, format!("`{name}` has no value"))
                .label("what is to be done?"),
        );
        return Some(deed);
    }
    match name {
        "action" => {
            if let Value::Map(entries) = &node.value
                && let Some((key, _)) = entries.first()
            {
                deed.place = key.span;
            }
            deed.value = Action::decode(node, cx).map(Does::Action);
        }
        "run" => {
            if let Some((program, undo, timeout)) = run(node, cx) {
                deed.value = Some(Does::Run(program));
                (deed.undo, deed.timeout) = (undo, timeout);
            }
        }
        _ => deed.value = Duration::decode(node, cx).map(Does::Wait),
    }
    Some(deed)
}

record! {
    /// A program to run, in its longer form.
    pub struct RunOptions {
        /// The program, then its arguments. There is no shell in between.
        pub program: Argv,
        /// Environment variables added to those of this process.
        pub env: Option<IndexMap<String, String>>,
        /// The program that undoes it.
        pub undo: Option<Argv>,
        /// How long it may take.
        pub timeout: Option<Duration>,
    }
}

fn run(node: &Node, cx: &mut Context<'_>) -> Option<(Program, Option<Program>, Option<Duration>)> {
    if !matches!(node.value, Value::Map(_)) {
        let argv = Argv::decode(node, cx)?;
        return Some((Program { argv: argv.0, env: IndexMap::new() }, None, None));
    }
    let options = RunOptions::decode(node, cx)?;
    let env = options.env.unwrap_or_default();
    let undo = options.undo.map(|argv| Program { argv: argv.0, env: env.clone() });
    Some((Program { argv: options.program.0, env }, undo, options.timeout))
}

/// A program and its arguments; not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argv(pub Vec<String>);

impl Decode for Argv {
    fn expects() -> String {
        "a list: the program, then its arguments".to_owned()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        Vec::<String>::schema(shapes)
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        if let Value::Scalar { text, .. } = &node.value {
            let problem = cx.mismatch(Code::NotAList, node, &Self::expects());
            cx.report(as_a_list(problem, node.span, text));
            return None;
        }
        let argv: Vec<String> = Vec::decode(node, cx)?;
        if argv.first().is_none_or(String::is_empty) {
            cx.report(
                Problem::new(Code::NoProgram, node.span, "the program is missing")
                    .label(format!("expected {}", Self::expects())),
            );
            return None;
        }
        Some(Argv(argv))
    }
}

/// A command line as the list that it stands for, as long as nothing in it means something to a shell.
fn as_a_list(problem: Problem, span: Span, line: &str) -> Problem {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _-./:=,+@".contains(c);
    if line.trim().is_empty() || !line.chars().all(plain) {
        return problem
            .help("there is no shell in between; write the words as a list, or [sh, -c, \"…\"] for a shell");
    }
    let words: Vec<String> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
    let list = format!("[{}]", words.join(", "));
    let problem = problem.help(format!("there is no shell in between; write {list}"));
    problem.fix(Fix::replace(span, line, &list))
}

impl Decode for Undo {
    fn expects() -> String {
        format!("`none`, when it is meant to stay, or a program: {}", Program::expects())
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::any_of(vec![serde_json::json!({ "const": "none" }), Program::schema(shapes)])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar { text, .. } if text == "none" => Some(Undo::Nothing),
            _ => Program::decode(node, cx).map(Undo::Program),
        }
    }
}

impl Decode for Program {
    fn expects() -> String {
        "a list, [program, argument, …], or a mapping with program and env".to_owned()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::any_of(vec![Argv::schema(shapes), RunOptions::schema(shapes)])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let (program, undo, timeout) = run(node, cx)?;
        if undo.is_some() || timeout.is_some() {
            cx.report(Problem::new(
                Code::UndoOfUndo,
                node.span,
                "an undo takes neither `undo` nor `timeout` of its own",
            ));
            return None;
        }
        Some(program)
    }
}

fn checks(inside: &[(Key, Node)], cx: &mut Context<'_>) -> Option<Vec<Check>> {
    let Some((_, node)) = inside.iter().find(|(key, _)| key.text == "verify") else {
        return Some(Vec::new());
    };
    let Value::List(items) = &node.value else {
        cx.unexpected(Code::WrongShape, node, "a list of checks, each a probe such as `- http: { url: … }`");
        return None;
    };
    let read: Vec<Option<Check>> = items.iter().map(|item| check(item, cx)).collect();
    read.into_iter().collect()
}

fn check(node: &Node, cx: &mut Context<'_>) -> Option<Check> {
    let inside = entries(node, cx, "a check: a probe kind, such as `http`, and perhaps `within`")?;
    let (place, _, probe) = one_probe(node.span, inside, &["within"], cx);
    let within = field(inside, node.span, "within", Some(Duration::from_secs(30)), cx);
    if probe.as_ref().is_some_and(crate::probe::Probe::is_ledger) {
        cx.report(
            Problem::new(Code::LedgerVerifies, place, "a ledger cannot verify a step")
                .label("it is read back when the run is over")
                .help("declare it under `probes:`"),
        );
    }
    Some(Check { probe: probe?, within: within? })
}

fn one_line(name: &Spanned<String>, cx: &mut Context<'_>) -> bool {
    let fits = !name.trim().is_empty() && name.chars().count() <= 100 && !name.contains(char::is_control);
    if !fits {
        cx.report(Problem::new(
            Code::NotAStepName,
            name.span,
            "a step's name is one line of at most 100 characters",
        ));
    }
    fits
}
