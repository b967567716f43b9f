//! The entries of a game day's agenda, as far as they could be read: drills, and waits between them.

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;

use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem, Spanned, SpannedName, entries, field, unknown_keys};
use crate::notation::shape::{self, Shapes, described};
use crate::notation::yaml::{Key, Node, Span, Value};
use crate::run::event::FileKind;
use crate::spec::experiment::Experiment;
use crate::spec::values::{Piece, Variable, pieces};

/// What an entry is: exactly one of these keys says it.
const KINDS: [&str; 3] = ["experiment", "runbook", "wait"];
/// What goes with a drill alone.
const OF_DRILL: [&str; 4] = ["environment", "with", "tabletop", "dry_run"];
const KEYS: [&str; 8] =
    ["experiment", "runbook", "wait", "environment", "with", "tabletop", "dry_run", "about"];

/// An entry of which some parts could be read.
pub(super) struct Entry {
    /// Where it stands.
    pub(super) span: Span,
    pub(super) about: Option<Option<String>>,
    pub(super) is: Is,
}

/// What an entry is.
pub(super) enum Is {
    Drill(Box<DrillDraft>),
    /// `None` when its time could not be read.
    Wait(Option<Duration>),
    /// Nothing that is known.
    Unread,
}

/// A drill of which at least the file is named.
pub(super) struct DrillDraft {
    pub(super) kind: FileKind,
    /// The file: its path, or the name that stands in it.
    pub(super) named: Spanned<String>,
    pub(super) environment: Option<Option<Spanned<String>>>,
    /// `None` when one of the values could not be read.
    pub(super) with: Option<Vec<(SpannedName, String)>>,
    pub(super) tabletop: Option<bool>,
    pub(super) dry_run: Option<bool>,
    /// The file, once it was found.
    pub(super) found: Option<Found>,
}

/// The file of a drill.
pub(super) struct Found {
    /// As people would write it.
    pub(super) path: PathBuf,
    /// What stands in it as its name.
    pub(super) name: String,
    pub(super) variables: IndexMap<SpannedName, Variable>,
    /// `None` when something is wrong with it.
    pub(super) experiment: Option<Experiment>,
}

impl DrillDraft {
    /// Whether it changes anything where it is held.
    pub(super) fn is_real(&self) -> bool {
        self.tabletop != Some(true) && self.dry_run != Some(true)
    }

    /// What people call it.
    pub(super) fn name(&self) -> &str {
        self.found.as_ref().map_or(&self.named.value, |found| &found.name)
    }
}

impl Entry {
    pub(super) fn read(node: &Node, cx: &mut Context<'_>) -> Entry {
        let expects = "an entry of the agenda: a mapping with experiment, runbook or wait";
        let Some(inside) = entries(node, cx, expects) else {
            return Entry { span: node.span, about: None, is: Is::Unread };
        };
        let span = inside.first().map_or(node.span, |(key, _)| key.span);
        unknown_keys(inside, &KEYS, cx);
        Entry { span, about: field(inside, span, "about", None, cx), is: Is::read(inside, span, cx) }
    }
}

impl Is {
    fn read(inside: &[(Key, Node)], span: Span, cx: &mut Context<'_>) -> Is {
        let kinds: Vec<&Key> =
            inside.iter().map(|(key, _)| key).filter(|key| KINDS.contains(&key.text.as_str())).collect();
        let Some(first) = kinds.first() else {
            // A key that is not known has been told of, and may have been meant for one of these.
            if inside.iter().all(|(key, _)| KEYS.contains(&key.text.as_str())) {
                cx.report(
                    Problem::new(Code::NotExactlyOne, span, "this entry names neither a drill nor a wait")
                        .label("`experiment`, `runbook` or `wait` is needed here"),
                );
            }
            return Is::Unread;
        };
        for other in kinds.iter().skip(1) {
            let message = format!("an entry is one thing: `{}` or `{}`", first.text, other.text);
            cx.report(
                Problem::new(Code::NotExactlyOne, other.span, message)
                    .label("a second one")
                    .related(first.span, "the first")
                    .help("make it an entry of its own"),
            );
        }
        let kind = match first.text.as_str() {
            "experiment" => FileKind::Experiment,
            "runbook" => FileKind::Runbook,
            _ => {
                for (key, _) in inside.iter().filter(|(key, _)| OF_DRILL.contains(&key.text.as_str())) {
                    let message = format!("`{}` goes with a drill", key.text);
                    cx.report(
                        Problem::new(Code::MisplacedKey, key.span, message)
                            .label("this is a `wait`")
                            .related(first.span, "what the entry is"),
                    );
                }
                return Is::Wait(wait(inside, span, cx));
            }
        };
        let named = field::<Spanned<String>>(inside, span, kind.noun(), None, cx);
        let environment = field(inside, span, "environment", None, cx);
        let with = with(inside, kind, cx);
        let tabletop = field(inside, span, "tabletop", Some(false), cx);
        let dry_run = field(inside, span, "dry_run", Some(false), cx);
        if let (Some(true), Some(true)) = (tabletop, dry_run)
            && let Some((key, _)) = inside.iter().find(|(key, _)| key.text == "dry_run")
        {
            cx.report(
                Problem::new(Code::MisplacedKey, key.span, "`dry_run` does not go with `tabletop`")
                    .label("what is read aloud calls nothing at all"),
            );
        }
        let Some(named) = named else { return Is::Unread };
        Is::Drill(Box::new(DrillDraft { kind, named, environment, with, tabletop, dry_run, found: None }))
    }
}

fn wait(inside: &[(Key, Node)], span: Span, cx: &mut Context<'_>) -> Option<Duration> {
    let wait = field::<Spanned<Duration>>(inside, span, "wait", None, cx)?;
    if wait.is_zero() {
        cx.report(Problem::new(Code::ZeroTime, wait.span, "a wait of no time").help("such as `wait: 15m`"));
        return None;
    }
    Some(wait.value)
}

/// The values of a drill's variables. They are templates: what `${env:…}` and `${file:…}` stand for is asked when the
/// drill is held.
fn with(inside: &[(Key, Node)], kind: FileKind, cx: &mut Context<'_>) -> Option<Vec<(SpannedName, String)>> {
    let Some((key, node)) = inside.iter().find(|(key, _)| key.text == "with") else {
        return Some(Vec::new());
    };
    let expects = format!("a mapping of the {}'s variables to their values", kind.noun());
    if node.value == Value::Null {
        let problem = Problem::new(Code::NoValue, key.span, "`with` has no value");
        cx.report(problem.label(format!("expected {expects}")));
        return None;
    }
    let read = |(key, node): &(Key, Node), cx: &mut Context<'_>| {
        let name = SpannedName { text: key.text.clone(), span: key.span };
        let Value::Scalar { text, .. } = &node.value else {
            match node.value {
                Value::Null => cx.report(
                    Problem::new(Code::NoValue, key.span, format!("`{}` has no value", key.text))
                        .label("expected text, a number or a duration"),
                ),
                _ => cx.unexpected(Code::WrongShape, node, "a value: text, a number or a duration"),
            }
            return None;
        };
        template(text, node.span, cx).then(|| (name, text.clone()))
    };
    let values: Vec<_> = entries(node, cx, &expects)?.iter().map(|entry| read(entry, cx)).collect();
    values.into_iter().collect()
}

/// Whether a value refers to nothing but what can be asked for anywhere.
fn template(text: &str, span: Span, cx: &mut Context<'_>) -> bool {
    let pieces = match pieces(text) {
        Ok(pieces) => pieces,
        Err(flaw) => {
            cx.report(flaw.at(span));
            return false;
        }
    };
    let strange = pieces.into_iter().find_map(|piece| match piece {
        Piece::Reference(reference) => {
            let source = reference.split_once(':').map(|(source, _)| source.trim());
            (!matches!(source, Some("env" | "file"))).then_some(reference)
        }
        Piece::Text(_) => None,
    });
    if let Some(reference) = strange {
        cx.report(super::flaw(reference).at(span));
    }
    strange.is_none()
}

/// What an entry may say, for editors.
pub(super) fn shape(shapes: &mut Shapes) -> serde_json::Value {
    shapes.define("firedrill::gameday::entry", |shapes| {
        let text = || shape::scalar("text");
        let keys = vec![
            ("experiment", text(), "An experiment that is run: its path from this file, or its name."),
            ("runbook", text(), "A runbook that is followed: its path from this file, or its name."),
            ("wait", Duration::schema(shapes), "A time to let pass, for people and systems to settle."),
            ("environment", text(), "Where the drill is held, when not where the others are."),
            (
                "with",
                shape::mapping(text()),
                "Values of the drill's variables; `${env:NAME}` and `${file:path}` are asked when it is held.",
            ),
            ("tabletop", shape::truth(), "It is read aloud, and nothing is called."),
            ("dry_run", shape::truth(), "Everything is done but what changes anything."),
            ("about", text(), "What it is about."),
        ];
        let one: Vec<serde_json::Value> =
            KINDS.iter().map(|kind| serde_json::json!({ "required": [kind] })).collect();
        let keys = keys.into_iter().map(|(key, shape, about)| (key, described(shape, about))).collect();
        let mut shape = shape::object("A drill of the game day, or a wait.", keys, &[]);
        shape["oneOf"] = serde_json::json!(one);
        shape
    })
}
