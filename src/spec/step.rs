//! Steps, as far as they could be read.

use std::time::Duration;

use indexmap::IndexMap;

use super::draft::one_probe;
use super::experiment::{Check, Does, OnFailure, Program, Step, Undo};
use super::outputs::{self, Flow, Output};
use super::people::{Approval, Sentence, conditions};
use super::runbook::Call;
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
    pub(super) owner: Option<Option<String>>,
    pub(super) role: Option<Option<String>>,
    pub(super) about: Option<Option<String>>,
    pub(super) expected: Option<Option<Spanned<Duration>>>,
    /// What of its program's output is kept.
    pub(super) outputs: Vec<Output>,
    /// The outputs that it uses, by name.
    pub(super) uses: Vec<String>,
    /// The runbook whose steps stand in its place.
    pub(super) call: Option<Call>,
}

/// What a step does.
pub(super) struct Deed {
    /// `action`, `run` and so on, where it stands.
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

const KEYS: &[&str] = &[
    "name",
    "action",
    "run",
    "manual",
    "approve",
    "wait",
    "wait_until",
    "runbook",
    "with",
    "verify",
    "timeout",
    "on_failure",
    "after",
    "irreversible",
    "undo",
    "owner",
    "role",
    "about",
    "expected",
    "output",
    "outputs",
];
const DEEDS: [&str; 7] = ["action", "run", "manual", "approve", "wait", "wait_until", "runbook"];
/// What a step that is a runbook says itself; everything else stands in the runbook's own steps.
const OF_CALL: [&str; 4] = ["name", "runbook", "with", "after"];
/// The kinds of step that nobody but a person can take back, or that leave nothing to take back.
const WITHOUT_UNDO: [&str; 3] = ["manual", "approve", "wait_until"];

impl StepDraft {
    pub(super) fn read(node: &Node, cx: &mut Context<'_>) -> StepDraft {
        let inside =
            entries(node, cx, "a step: a mapping with name and one of action, run, manual and so on");
        let broken = inside.is_none();
        let inside = inside.unwrap_or_default();
        let span = inside.first().map_or(node.span, |(key, _)| key.span);
        if broken {
            return StepDraft::nothing(span);
        }
        unknown_keys(inside, KEYS, cx);
        let deed = deed(inside, span, cx);
        let is = |kind: &str| deed.as_ref().is_some_and(|deed| deed.key.value == kind);
        let call = if is("runbook") { Call::read(inside, cx) } else { None };
        for (key, _) in inside {
            misplaced(key, deed.as_ref(), cx);
        }
        let name = match &call {
            Some(call) if !inside.iter().any(|(key, _)| key.text == "name") => Some(call.name()),
            // Its name would have been the runbook's, which could not be read.
            None if is("runbook") && !inside.iter().any(|(key, _)| key.text == "name") => None,
            _ => field::<Spanned<String>>(inside, span, "name", None, cx).filter(|name| one_line(name, cx)),
        };
        StepDraft {
            span,
            name,
            deed,
            verify: checks(inside, cx),
            timeout: field(inside, span, "timeout", None, cx),
            on_failure: field(inside, span, "on_failure", Some(OnFailure::Stop), cx),
            after: field(inside, span, "after", None, cx),
            irreversible: field(inside, span, "irreversible", Some(false), cx),
            undo: field(inside, span, "undo", None, cx),
            owner: field(inside, span, "owner", None, cx),
            role: field(inside, span, "role", None, cx),
            about: field(inside, span, "about", None, cx),
            expected: field(inside, span, "expected", None, cx),
            outputs: outputs::read(inside, cx),
            uses: outputs::used(inside),
            call,
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
            owner: None,
            role: None,
            about: None,
            expected: None,
            outputs: Vec::new(),
            uses: Vec::new(),
            call: None,
        }
    }

    /// The step, when every part of it could be read. `after` are the steps that it waits for.
    pub(super) fn finish(self, after: Vec<String>) -> Option<Step> {
        let deed = self.deed?;
        Some(Step {
            name: self.name?,
            does: deed.value?,
            verify: self.verify?,
            timeout: self.timeout?.map(|timeout| timeout.value).or(deed.timeout),
            on_failure: self.on_failure?,
            after,
            irreversible: self.irreversible?,
            undo: self.undo?.or(deed.undo.map(Undo::Program)).unwrap_or_default(),
            owner: self.owner?,
            role: self.role?,
            about: self.about?,
            expected: self.expected?.map(|expected| expected.value),
            flow: Flow {
                scope: String::new(),
                kept: self.outputs.into_iter().map(|output| (output.name.text, output.pointer)).collect(),
                used: self.uses,
            },
            targets: None,
        })
    }
}

impl StepDraft {
    /// Its name and, of a runbook, its steps' names as they will be, each with its kind when that is known.
    pub(super) fn names(&self) -> Vec<(String, Option<&'static str>)> {
        let Some(name) = &self.name else { return Vec::new() };
        let own = (name.value.clone(), self.deed.as_ref().map(|deed| deed.key.value));
        let inner = self.call.iter().flat_map(Call::steps);
        let inner = inner.map(|(step, kind)| (super::runbook::within(&name.value, step), Some(*kind)));
        std::iter::once(own).chain(inner).collect()
    }

    /// Whether `after` or `measure_from` can mean this step, or one in it, by that name; and its kind.
    pub(super) fn called(&self, name: &str) -> Option<Option<&'static str>> {
        self.names().into_iter().find(|(own, _)| own == name).map(|(_, kind)| kind)
    }

    /// Whether firedrill itself does anything in it; so it may, while it is not known.
    pub(super) fn injects(&self) -> bool {
        const IDLE: [&str; 4] = ["wait", "wait_until", "approve", "manual"];
        match (&self.call, &self.deed) {
            (Some(call), _) => !call.is_known() || call.steps().iter().any(|(_, kind)| !IDLE.contains(kind)),
            (None, Some(deed)) => !IDLE.contains(&deed.key.value),
            (None, None) => true,
        }
    }
}

impl StepDraft {
    /// The step without what depends on values that are not known, for reading aloud.
    pub(super) fn known(mut self) -> StepDraft {
        if let Some(deed) = &mut self.deed
            && deed.value.is_none()
        {
            deed.value = Some(match deed.key.value {
                "wait_until" => Does::WaitUntil(Vec::new()),
                "wait" => Does::Wait(Duration::ZERO),
                key => Does::Manual(format!("{key}: its values are not known here")),
            });
        }
        StepDraft {
            verify: Some(self.verify.unwrap_or_default()),
            timeout: Some(self.timeout.unwrap_or_default()),
            on_failure: Some(self.on_failure.unwrap_or(OnFailure::Stop)),
            irreversible: Some(self.irreversible.unwrap_or_default()),
            undo: Some(self.undo.unwrap_or_default()),
            expected: Some(self.expected.unwrap_or_default()),
            ..self
        }
    }
}

/// Reports a key that says nothing of this kind of step.
fn misplaced(key: &Key, deed: Option<&Deed>, cx: &mut Context<'_>) {
    let Some(deed) = deed else { return };
    let kind = deed.key.value;
    let says = |message: String| {
        Problem::new(Code::MisplacedKey, key.span, message).related(deed.key.span, "what the step is")
    };
    match key.text.as_str() {
        "with" if kind != "runbook" => {
            cx.report(
                says("`with` gives values to a runbook".to_owned()).label(format!("this is a `{kind}` step")),
            );
        }
        name @ ("output" | "outputs") if !matches!(kind, "run" | "runbook") => {
            cx.report(
                says(format!("`{name}` keeps what a program prints")).label(format!("this is `{kind}`")),
            );
        }
        name if kind == "runbook"
            && KEYS.contains(&name)
            && !DEEDS.contains(&name)
            && !OF_CALL.contains(&name) =>
        {
            cx.report(
                says(format!("`{name}` does not go with `runbook`"))
                    .label("each of the runbook's steps says its own")
                    .help(format!("write it in the runbook; beside it stand {}", OF_CALL.join(", "))),
            );
        }
        name @ ("undo" | "irreversible") if WITHOUT_UNDO.contains(&kind) => {
            cx.report(
                says(format!("`{name}` does not go with `{kind}`"))
                    .label("firedrill puts back what it did itself")
                    .help("what a person did, a person takes back: make that a `manual` step of its own"),
            );
        }
        _ => {}
    }
}

/// What the step does: exactly one of the keys that say so.
fn deed(inside: &[(Key, Node)], owner: Span, cx: &mut Context<'_>) -> Option<Deed> {
    let mut found = inside
        .iter()
        .filter_map(|(key, node)| Some((DEEDS.into_iter().find(|deed| *deed == key.text)?, key, node)));
    let Some((name, key, node)) = found.next() else {
        cx.report(
            Problem::new(Code::NothingDone, owner, "this step does nothing")
                .label(format!("one of {} is needed here", DEEDS.map(|deed| format!("`{deed}`")).join(", ")))
                .help("`firedrill actions` lists what an action can be"),
        );
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
    deed.read(node, cx);
    Some(deed)
}

impl Deed {
    /// Reads what is done.
    fn read(&mut self, node: &Node, cx: &mut Context<'_>) {
        self.value = match self.key.value {
            "action" => {
                if let Value::Map(entries) = &node.value
                    && let Some((key, _)) = entries.first()
                {
                    self.place = key.span;
                }
                Action::decode(node, cx).map(Does::Action)
            }
            "run" => run(node, cx).map(|(program, undo, timeout)| {
                (self.undo, self.timeout) = (undo, timeout);
                Does::Run(program)
            }),
            "manual" => Sentence::decode(node, cx).map(|text| Does::Manual(text.0)),
            "approve" => Approval::decode(node, cx).map(Does::Approve),
            "wait_until" => conditions(node, cx).map(Does::WaitUntil),
            // Its steps stand in its place.
            "runbook" => None,
            _ => Duration::decode(node, cx).map(Does::Wait),
        };
    }
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
        return Some((Program { argv: argv.0, env: IndexMap::new(), place: first(node) }, None, None));
    }
    let options = RunOptions::decode(node, cx)?;
    let env = options.env.unwrap_or_default();
    let place = |key| key_of(node, key).map_or(node.span, |(_, words)| first(words));
    let undo = options.undo.map(|argv| Program { argv: argv.0, env: env.clone(), place: place("undo") });
    Some((Program { argv: options.program.0, env, place: place("program") }, undo, options.timeout))
}

/// The place of a list's first word.
fn first(words: &Node) -> Span {
    match &words.value {
        Value::List(words) => words.first().map_or_else(Span::default, |word| word.span),
        _ => words.span,
    }
}

fn key_of<'n>(node: &'n Node, name: &str) -> Option<&'n (Key, Node)> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(key, _)| key.text == name)
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
            let key = key_of(node, if undo.is_some() { "undo" } else { "timeout" });
            cx.report(
                Problem::new(
                    Code::UndoOfUndo,
                    key.map_or(node.span, |(key, _)| key.span),
                    "an undo takes neither `undo` nor `timeout` of its own",
                )
                .label("remove it"),
            );
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
        let problem = cx.mismatch(
            Code::WrongShape,
            node,
            "a list of checks, each a probe such as `- http: { url: … }`",
        );
        cx.report(match node.value {
            Value::Scalar { .. } => problem.help("what a person looks at is a `manual` step of its own"),
            _ => problem,
        });
        return None;
    };
    let read = items.iter().map(|item| check_within(item, Duration::from_secs(30), cx));
    let read: Vec<Option<Check>> = read.collect();
    read.into_iter().collect()
}

/// A check, which may take `usual` until its answer is good when it does not say.
pub(super) fn check_within(node: &Node, usual: Duration, cx: &mut Context<'_>) -> Option<Check> {
    let inside = entries(node, cx, "a check: a probe kind, such as `http`, and perhaps `within`")?;
    let (place, _, probe) = one_probe(node.span, inside, &["within"], cx);
    let within = field(inside, node.span, "within", Some(usual), cx);
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
