//! An experiment as far as it could be read.
//!
//! A part that is wrong, or that depends on a value not known yet, is `None`, and the rest is still there:
//! so the rules that look across the file can say all that is wrong with it, not only what is wrong first.

use std::time::Duration;

use indexmap::IndexMap;

use super::experiment::{Experiment, Guardrail, Objectives, Ratio, Recovery, SteadyState, Watch, plain_name};
use super::step::StepDraft;
use super::values::{Variable, Verbatim};
use super::{guardrail, later, runbook};
use crate::aws::find::Target;
use crate::notation::code::Code;
use crate::notation::decode::{
    Context, Decode, Problem, Spanned, SpannedName, entries, field, unknown_key, unknown_keys,
};
use crate::notation::yaml::{Key, Node, Span, Value};
use crate::probe::Probe;
use crate::run::event::FileKind;

/// The parts of an experiment that could be read.
pub(super) struct Draft {
    /// What the file says that it is.
    pub(super) kind: FileKind,
    /// The whole file.
    pub(super) span: Span,
    pub(super) name: Option<Spanned<String>>,
    pub(super) title: Option<Option<String>>,
    pub(super) hypothesis: Option<Option<String>>,
    pub(super) owner: Option<Option<String>>,
    pub(super) controls: Option<Option<Vec<String>>>,
    pub(super) variables: IndexMap<SpannedName, Variable>,
    pub(super) objectives: Option<Objectives>,
    pub(super) targets: Vec<TargetDraft>,
    pub(super) alarms: Vec<Option<Spanned<String>>>,
    pub(super) probes: Vec<WatchDraft>,
    pub(super) steady_state: Option<SteadyState>,
    pub(super) stop_when: Vec<Option<Spanned<Guardrail>>>,
    pub(super) steps: Vec<StepDraft>,
    pub(super) measure_from: Option<Option<Spanned<String>>>,
    pub(super) recovery: Option<Recovery>,
    /// Where `steady_state.for`, `recovery.confirm` and `recovery.within` stand.
    pub(super) places: [Span; 3],
}

/// A target of which at least the name is known.
pub(super) struct TargetDraft {
    pub(super) name: SpannedName,
    /// Its kind, when it is a known one.
    pub(super) kind: Option<&'static str>,
    /// Where the kind stands.
    pub(super) place: Span,
    pub(super) value: Option<Target>,
}

/// A probe of which at least the name is known.
pub(super) struct WatchDraft {
    pub(super) name: SpannedName,
    /// Its kind, when it is a known one.
    pub(super) kind: Option<&'static str>,
    /// Where the kind stands.
    pub(super) place: Span,
    pub(super) probe: Option<Probe>,
    pub(super) every: Option<Spanned<Duration>>,
    pub(super) edge_every: Option<Option<Spanned<Duration>>>,
    pub(super) sentinel: Option<bool>,
    pub(super) must_stay_up: Option<bool>,
}

const KEYS: &[&str] = &[
    "kind",
    "name",
    "title",
    "hypothesis",
    "owner",
    "controls",
    "variables",
    "objectives",
    "targets",
    "alarms",
    "probes",
    "steady_state",
    "stop_when",
    "steps",
    "measure_from",
    "recovery",
];

impl Draft {
    /// Reads what can be read. `variables` are those that the bindings of the context were made from.
    pub(super) fn read(
        root: &Node,
        kind: FileKind,
        variables: IndexMap<SpannedName, Variable>,
        cx: &mut Context<'_>,
    ) -> Option<Draft> {
        let root = &later::without(root, later::EXPERIMENT, cx);
        let expects =
            format!("a mapping with kind, name, steps and so on: what the {} consists of", kind.noun());
        let top = entries(root, cx, &expects)?;
        // A procedure shows nothing by itself.
        let known: Vec<&str> =
            KEYS.iter().copied().filter(|key| kind == FileKind::Experiment || *key != "hypothesis").collect();
        unknown_keys(top, &known, cx);
        // An error about the whole file points at its first line.
        let span = top.first().map_or(root.span, |(key, _)| key.span);
        let name = field::<Spanned<String>>(top, span, "name", None, cx)
            .filter(|name| slug(article(kind), name, cx));
        Some(Draft {
            kind,
            span,
            name,
            title: field(top, span, "title", None, cx),
            hypothesis: field(top, span, "hypothesis", None, cx),
            owner: field(top, span, "owner", None, cx),
            controls: field(top, span, "controls", None, cx),
            variables,
            objectives: objectives(top, cx),
            targets: targets(top, cx),
            alarms: list(top, "alarms", cx, Spanned::decode),
            probes: probes(top, cx),
            steady_state: steady_state(kind, top, cx),
            stop_when: list(top, "stop_when", cx, guardrail::read),
            steps: steps(top, span, cx),
            measure_from: field(top, span, "measure_from", None, cx),
            recovery: section(top, "recovery", cx),
            places: [("steady_state", "for"), ("recovery", "confirm"), ("recovery", "within")]
                .map(|(section, key)| place(top, section, key).unwrap_or(span)),
        })
    }

    /// The experiment, when every part of it could be read; `aloud`, what could not be is left out. The rules must
    /// have been asked first.
    pub(super) fn finish(self, aloud: bool) -> Option<Experiment> {
        let targets = self.targets.into_iter().map(|target| Some((target.name, target.value?)));
        let targets = targets.filter(|target| !aloud || target.is_some());
        let probes = self.probes.into_iter().map(|watch| {
            Some(Watch {
                name: watch.name,
                probe: watch.probe?,
                every: watch.every?.value,
                edge_every: watch.edge_every?.map(|every| every.value),
                sentinel: watch.sentinel?,
                must_stay_up: watch.must_stay_up?,
            })
        });
        let probes = probes.filter(|probe| !aloud || probe.is_some());
        let rails = self.stop_when.into_iter().map(|rail| Some(rail?.value));
        let rails = rails.filter(|rail| !aloud || rail.is_some());
        let unread = || aloud.then(|| Context::new(&Verbatim));
        Some(Experiment {
            kind: self.kind,
            name: self.name?,
            title: self.title?,
            hypothesis: self.hypothesis?,
            owner: self.owner?,
            controls: self.controls?.unwrap_or_default(),
            variables: self.variables,
            objectives: self.objectives.or_else(|| aloud.then(Objectives::none))?,
            targets: targets.collect::<Option<_>>()?,
            alarms: self.alarms.into_iter().collect::<Option<_>>()?,
            probes: probes.collect::<Option<_>>()?,
            steady_state: self.steady_state.or_else(|| section(&[], "steady_state", &mut unread()?))?,
            stop_when: rails.collect::<Option<_>>()?,
            steps: runbook::flatten(self.steps, aloud)?,
            measure_from: self.measure_from?,
            recovery: self.recovery.or_else(|| section(&[], "recovery", &mut unread()?))?,
        })
    }
}

/// The variables of a file, as far as they can be read.
pub(super) fn variables(root: &Node, cx: &mut Context<'_>) -> IndexMap<SpannedName, Variable> {
    let Value::Map(top) = &root.value else { return IndexMap::new() };
    let mut variables = IndexMap::new();
    for (key, node) in section_entries(top, "variables", cx) {
        let name = SpannedName { text: key.text.clone(), span: key.span };
        plain_name("variable", &name, cx);
        // One that is wrong is declared all the same.
        let variable = Variable::decode(node, cx);
        variables.insert(name, variable.unwrap_or(Variable { about: None, default: None, secret: true }));
    }
    variables
}

/// The node of a key that has a value; reports one that has none.
fn node_of<'n>(top: &'n [(Key, Node)], name: &str, cx: &mut Context<'_>) -> Option<&'n Node> {
    let (key, node) = top.iter().find(|(key, _)| key.text == name)?;
    if node.value == Value::Null {
        cx.report(
            Problem::new(Code::NoValue, key.span, format!("`{name}` has no value"))
                .help("give it a value, or leave the key out"),
        );
        return None;
    }
    Some(node)
}

/// The entries of a mapping that may be left out.
fn section_entries<'n>(top: &'n [(Key, Node)], name: &str, cx: &mut Context<'_>) -> &'n [(Key, Node)] {
    let Some(node) = node_of(top, name, cx) else { return &[] };
    entries(node, cx, &format!("a mapping of {name} by name")).unwrap_or_default()
}

/// The items of a list that may be left out, each read on its own.
fn list<T>(
    top: &[(Key, Node)],
    name: &str,
    cx: &mut Context<'_>,
    read: fn(&Node, &mut Context<'_>) -> Option<T>,
) -> Vec<Option<T>> {
    let Some(node) = node_of(top, name, cx) else { return Vec::new() };
    match &node.value {
        Value::List(items) => items.iter().map(|item| read(item, cx)).collect(),
        _ => {
            cx.unexpected(Code::WrongShape, node, "a list");
            vec![None]
        }
    }
}

/// A record all of whose keys may be left out, and which may be left out itself.
fn section<T: Decode>(top: &[(Key, Node)], name: &str, cx: &mut Context<'_>) -> Option<T> {
    if top.iter().any(|(key, _)| key.text == name) {
        return T::decode(node_of(top, name, cx)?, cx);
    }
    T::decode(&Node { span: Span::default(), value: Value::Map(Vec::new()) }, cx)
}

/// The steady state. A runbook is followed when things are not well: unless it says so itself, they need not be, and
/// without a probe there is nothing to watch.
fn steady_state(kind: FileKind, top: &[(Key, Node)], cx: &mut Context<'_>) -> Option<SteadyState> {
    let declared = |name: &str| top.iter().any(|(key, _)| key.text == name);
    let mut steady: SteadyState = section(top, "steady_state", cx)?;
    if kind == FileKind::Runbook && !declared("steady_state") {
        steady.availability = Ratio(0.0);
        if !declared("probes") {
            steady.r#for = Duration::ZERO;
        }
    }
    Some(steady)
}

/// Where the value of a section's key stands.
fn place(top: &[(Key, Node)], section: &str, key: &str) -> Option<Span> {
    let (_, node) = top.iter().find(|(name, _)| name.text == section)?;
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(name, _)| name.text == key).map(|(_, node)| node.span)
}

fn objectives(top: &[(Key, Node)], cx: &mut Context<'_>) -> Option<Objectives> {
    if !top.iter().any(|(key, _)| key.text == "objectives") {
        return Some(Objectives::none());
    }
    Objectives::decode(node_of(top, "objectives", cx)?, cx)
}

fn targets(top: &[(Key, Node)], cx: &mut Context<'_>) -> Vec<TargetDraft> {
    let read = |(key, node): &(Key, Node), cx: &mut Context<'_>| {
        let name = SpannedName { text: key.text.clone(), span: key.span };
        plain_name("target", &name, cx);
        let node = later::without(node, later::TARGET, cx);
        let (kind, place) = kind_of(&node, Target::NAMES);
        TargetDraft { name, kind, place, value: Target::decode(&node, cx) }
    };
    section_entries(top, "targets", cx).iter().map(|entry| read(entry, cx)).collect()
}

/// The kind that the only key of a mapping says, when it is known, and its place.
fn kind_of(node: &Node, known: &[&'static str]) -> (Option<&'static str>, Span) {
    match &node.value {
        Value::Map(entries) => match entries.first() {
            Some((key, _)) => (known.iter().copied().find(|kind| *kind == key.text), key.span),
            None => (None, node.span),
        },
        _ => (None, node.span),
    }
}

fn probes(top: &[(Key, Node)], cx: &mut Context<'_>) -> Vec<WatchDraft> {
    section_entries(top, "probes", cx).iter().map(|(key, node)| watch(key, node, cx)).collect()
}

fn watch(key: &Key, node: &Node, cx: &mut Context<'_>) -> WatchDraft {
    const BESIDE: &[&str] = &["every", "edge_every", "sentinel", "must_stay_up"];
    let name = SpannedName { text: key.text.clone(), span: key.span };
    plain_name("probe", &name, cx);
    let expects = "a probe: its kind, such as `http`, and perhaps `every`";
    let Value::Map(inside) = &node.value else {
        match node.value {
            Value::Null => cx.report(
                Problem::new(Code::NoValue, key.span, format!("`{}` has no value", key.text))
                    .label(format!("expected {expects}")),
            ),
            _ => cx.unexpected(Code::WrongShape, node, expects),
        }
        let (kind, probe, every, edge_every, sentinel, must_stay_up) = (None, None, None, None, None, None);
        return WatchDraft { place: name.span, name, kind, probe, every, edge_every, sentinel, must_stay_up };
    };
    let (place, kind, probe) = one_probe(key.span, inside, BESIDE, cx);
    let every = inside.iter().any(|(key, _)| key.text == "every");
    WatchDraft {
        every: match every {
            true => field(inside, node.span, "every", None, cx),
            false => Some(Spanned { value: Probe::usual_spacing(kind.unwrap_or_default()), span: key.span }),
        },
        edge_every: match inside.iter().any(|(key, _)| key.text == "edge_every") {
            true => field(inside, node.span, "edge_every", None, cx).map(Some),
            false => Some(None),
        },
        sentinel: field(inside, node.span, "sentinel", Some(false), cx),
        must_stay_up: field(inside, node.span, "must_stay_up", Some(false), cx),
        name,
        kind,
        place,
        probe,
    }
}

/// The one probe kind among the keys of a mapping, apart from the keys that stand `beside` it.
pub(super) fn one_probe(
    owner: Span,
    inside: &[(Key, Node)],
    beside: &[&str],
    cx: &mut Context<'_>,
) -> (Span, Option<&'static str>, Option<Probe>) {
    let mut kinds = inside.iter().filter(|(key, _)| !beside.contains(&key.text.as_str()));
    let Some((key, node)) = kinds.next() else {
        cx.report(
            Problem::new(Code::NoProbeKind, owner, "this probe has no kind")
                .label("what does it ask, and of whom?")
                .help(format!("one of: {}", Probe::NAMES.join(", "))),
        );
        return (owner, None, None);
    };
    for (extra, _) in kinds {
        let problem = match Probe::NAMES.contains(&extra.text.as_str()) {
            true => Problem::new(Code::TwoProbeKinds, extra.span, "a probe has one kind")
                .label("a second kind")
                .related(key.span, "the first")
                .help("make it a probe of its own"),
            false => {
                let known: Vec<&str> = Probe::NAMES.iter().chain(beside).copied().collect();
                unknown_key(extra, &known, inside, cx)
            }
        };
        cx.report(problem);
    }
    let kind = Probe::NAMES.iter().copied().find(|kind| *kind == key.text);
    (key.span, kind, Probe::decode_as(key, node, cx))
}

fn steps(top: &[(Key, Node)], owner: Span, cx: &mut Context<'_>) -> Vec<StepDraft> {
    if !top.iter().any(|(key, _)| key.text == "steps") {
        cx.report(
            Problem::new(Code::MissingKey, owner, "missing key `steps`")
                .label("`steps:` is needed here: a list of what is done, in order"),
        );
    }
    list(top, "steps", cx, |node, cx| Some(StepDraft::read(node, cx))).into_iter().flatten().collect()
}

fn article(kind: FileKind) -> &'static str {
    if kind == FileKind::Experiment { "an experiment" } else { "a runbook" }
}

/// Whether the name can be a part of a path and of a metric's label; reports it when not.
pub(super) fn slug(a: &str, name: &Spanned<String>, cx: &mut Context<'_>) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edges = name.starts_with('-') || name.ends_with('-');
    if !name.is_empty() && name.len() <= 64 && name.chars().all(fits) && !edges {
        return true;
    }
    let words: String = name.to_lowercase().chars().map(|c| if fits(c) { c } else { ' ' }).take(64).collect();
    let suggestion = words.split([' ', '-']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    let mut problem = Problem::new(
        Code::NotAnExperimentName,
        name.span,
        format!("{a}'s name is made of lower-case letters, digits and `-`"),
    )
    .label("it names folders, metrics and links");
    if !suggestion.is_empty() {
        problem = problem.help(format!("write {suggestion}, and keep the wording for `title`"));
    }
    cx.report(problem);
    false
}
