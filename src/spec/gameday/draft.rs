//! A game day as far as it could be read: a part that is wrong is `None`, and the rest is still there.

use super::agenda::{Entry, Is};
use super::people::{GoNoGo, Message, Participant};
use super::schedule::Schedule;
use super::{Drill, GameDay, Item, NoVariables};
use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem, Spanned, clip, entries, field, unknown_keys};
use crate::notation::yaml::{Key, Node, Span, Value};
use crate::spec::{draft, later};

/// No day has more drills, and each of them is a file to read.
const MOST_ENTRIES: usize = 50;

/// The parts of a game day that could be read.
pub(super) struct Draft {
    /// The whole file.
    pub(super) span: Span,
    pub(super) name: Option<Spanned<String>>,
    pub(super) title: Option<Option<String>>,
    pub(super) owner: Option<Option<String>>,
    pub(super) controls: Option<Option<Vec<String>>>,
    /// Where drills are held that do not say so themselves.
    pub(super) environment: Option<Option<Spanned<String>>>,
    pub(super) schedule: Option<Option<Schedule>>,
    /// `None` where the list itself could not be read.
    pub(super) participants: Option<Vec<Option<Participant>>>,
    pub(super) go_no_go: Option<Option<Spanned<GoNoGo>>>,
    pub(super) drills: Option<Spanned<Vec<Entry>>>,
    pub(super) communication: Option<Vec<Option<Message>>>,
}

pub(super) const KEYS: [&str; 11] = [
    "kind",
    "name",
    "title",
    "owner",
    "controls",
    "environment",
    "schedule",
    "participants",
    "go_no_go",
    "drills",
    "communication",
];

impl Draft {
    /// Reads what can be read.
    pub(super) fn read(root: &Node, problems: &mut Vec<Problem>) -> Option<Draft> {
        let mut cx = Context::new(&NoVariables).synonyms(later::SYNONYMS);
        let draft = Draft::within(root, &mut cx);
        problems.append(&mut cx.problems);
        draft
    }

    fn within(root: &Node, cx: &mut Context<'_>) -> Option<Draft> {
        let expects = "a mapping with kind, name, participants, drills and so on";
        let top = entries(root, cx, expects)?;
        unknown_keys(top, &KEYS, cx);
        // An error about the whole file points at its first line.
        let span = top.first().map_or(root.span, |(key, _)| key.span);
        let name = field::<Spanned<String>>(top, span, "name", None, cx);
        Some(Draft {
            span,
            name: name.filter(|name| draft::slug("a game day", name, cx)),
            title: field(top, span, "title", None, cx),
            owner: field(top, span, "owner", None, cx),
            controls: field(top, span, "controls", None, cx),
            environment: field(top, span, "environment", None, cx),
            schedule: field(top, span, "schedule", None, cx),
            participants: participants(top, span, cx),
            go_no_go: field(top, span, "go_no_go", None, cx),
            drills: drills(top, span, cx),
            communication: match top.iter().any(|(key, _)| key.text == "communication") {
                true => each(top, "communication", span, Message::decode, cx).map(|list| list.value),
                false => Some(Vec::new()),
            },
        })
    }

    /// The agenda's entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.drills.iter().flat_map(|drills| &drills.value)
    }

    /// The game day, when every part of it could be read. The rules must have been asked first.
    pub(super) fn finish(self) -> Option<GameDay> {
        let environment = self.environment?.map(|environment| environment.value);
        let agenda = self.drills?.value.into_iter().map(|entry| item(entry, environment.as_ref()));
        Some(GameDay {
            name: self.name?,
            title: self.title?,
            owner: self.owner?,
            controls: self.controls?.unwrap_or_default(),
            schedule: self.schedule?,
            participants: self.participants?.into_iter().collect::<Option<_>>()?,
            go_no_go: self.go_no_go?.map(|asked| asked.value),
            agenda: agenda.collect::<Option<_>>()?,
            communication: self.communication?.into_iter().collect::<Option<_>>()?,
        })
    }
}

fn item(entry: Entry, environment: Option<&String>) -> Option<Item> {
    let about = entry.about?;
    let draft = match entry.is {
        Is::Wait(time) => return Some(Item::Wait { time: time?, about }),
        Is::Drill(draft) => *draft,
        Is::Unread => return None,
    };
    let found = draft.found?;
    let own = draft.environment?.map(|environment| environment.value);
    Some(Item::Drill(Box::new(Drill {
        kind: draft.kind,
        name: found.name,
        path: found.path,
        environment: own.or_else(|| environment.cloned()),
        with: draft.with?.into_iter().map(|(name, value)| (name.text, value)).collect(),
        tabletop: draft.tabletop?,
        dry_run: draft.dry_run?,
        about,
    })))
}

/// The entries of a list that must be there, each read on its own.
fn each<T>(
    top: &[(Key, Node)],
    name: &str,
    owner: Span,
    read: impl Fn(&Node, &mut Context<'_>) -> Option<T>,
    cx: &mut Context<'_>,
) -> Option<Spanned<Vec<Option<T>>>> {
    let Some((key, node)) = top.iter().find(|(key, _)| key.text == name) else {
        cx.report(
            Problem::new(Code::MissingKey, owner, format!("missing key `{name}`"))
                .label(format!("`{name}:` is needed here: a list")),
        );
        return None;
    };
    match &node.value {
        Value::List(items) => {
            let value = items.iter().map(|item| read(item, cx)).collect();
            Some(Spanned { value, span: key.span })
        }
        Value::Null => {
            cx.report(
                Problem::new(Code::NoValue, key.span, format!("`{name}` has no value"))
                    .label("expected a list")
                    .help("give it a value, or leave the key out"),
            );
            None
        }
        _ => {
            cx.unexpected(Code::WrongShape, node, "a list");
            None
        }
    }
}

fn participants(top: &[(Key, Node)], span: Span, cx: &mut Context<'_>) -> Option<Vec<Option<Participant>>> {
    let list = each(top, "participants", span, Participant::decode, cx)?;
    if list.value.is_empty() {
        let problem = Problem::new(Code::EmptyList, list.span, "nobody takes part in this game day");
        cx.report(problem.label("at least one participant is needed"));
        return None;
    }
    Some(list.value)
}

fn drills(top: &[(Key, Node)], span: Span, cx: &mut Context<'_>) -> Option<Spanned<Vec<Entry>>> {
    let list = each(top, "drills", span, |node, cx| Some(Entry::read(node, cx)), cx)?;
    let mut value: Vec<Entry> = list.value.into_iter().flatten().collect();
    if value.iter().all(|entry| matches!(entry.is, Is::Wait(_))) {
        let name = top.iter().find(|(key, _)| key.text == "name").map(|(_, node)| &node.value);
        let name = match name {
            Some(Value::Scalar { text, .. }) => format!("`{}`", clip(text)),
            _ => "the game day".to_owned(),
        };
        cx.report(
            Problem::new(Code::NoDrill, list.span, format!("{name} has no drill"))
                .label("what is drilled?")
                .help("such as `- experiment: experiments/terminate-instance.yaml`"),
        );
    }
    if let Some(first) = value.get(MOST_ENTRIES) {
        let message = format!("more than {MOST_ENTRIES} entries in one game day");
        cx.report(Problem::new(Code::TooMuch, first.span, message));
        value.truncate(MOST_ENTRIES);
    }
    Some(Spanned { value, span: list.span })
}
