//! A foreign file as a tree whose every place can be told: by line where the text says so, and by JSON pointer.
//!
//! It knows nothing of what the file means, but what of it was read: what nobody read is told by itself.

use std::cell::RefCell;
use std::collections::HashSet;

use crate::notation::code::Code;
use crate::notation::decode::Problem;
use crate::notation::yaml::{self, Key, Node, Span, Value};

/// A file with more documents than this is refused.
const MOST_DOCUMENTS: usize = 64;

/// One document of a file.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Node,
    text: String,
    /// Tags such as `!Ref`, each where its value stands.
    tags: Vec<(Span, String)>,
    /// Where the lines begin; empty when places are not known.
    lines: Vec<usize>,
    /// The scalars that were read, each by its address in `root`.
    read: RefCell<HashSet<usize>>,
}

/// Why a file cannot be read: its text, and what is wrong with it.
pub(super) type Unreadable = (String, Vec<Problem>);

/// Reads JSON or YAML, of which a file may hold several documents.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Document>, Unreadable> {
    if let Some(json) = json(bytes) {
        let parsed = yaml::parse(bytes);
        let twice = parsed.problems.iter().any(|problem| problem.code == Code::DuplicateKey);
        return match parsed.root {
            Some(root) if parsed.problems.is_empty() => Ok(vec![Document::new(root, &parsed.text)]),
            // The last one would win without a word.
            _ if twice => Err((parsed.text, parsed.problems)),
            // Longer than a drill can be, or JSON that YAML has no word for: without its lines, then.
            _ => Ok(vec![Document { lines: Vec::new(), ..Document::new(node_of(json), "") }]),
        };
    }
    let whole = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= yaml::MAX_BYTES);
    let parts = whole.map(documents).unwrap_or_default();
    if parts.len() > MOST_DOCUMENTS {
        let text = whole.unwrap_or_default().to_owned();
        let message = format!("more than {MOST_DOCUMENTS} documents in one file");
        return Err((text, vec![Problem::new(Code::TooMuch, Span::default(), message)]));
    }
    match parts.as_slice() {
        [] | [_] => Ok(vec![one(bytes)?]),
        several => several.iter().map(|part| one(part.as_bytes())).collect(),
    }
}

fn one(bytes: &[u8]) -> Result<Document, Unreadable> {
    let parsed = yaml::parse(bytes);
    let wrong: Vec<Problem> =
        parsed.problems.into_iter().filter(|problem| problem.code != Code::CustomTag).collect();
    match parsed.root {
        Some(root) if wrong.is_empty() => {
            Ok(Document { tags: parsed.tags, ..Document::new(root, &parsed.text) })
        }
        _ => Err((parsed.text, wrong)),
    }
}

fn json(bytes: &[u8]) -> Option<serde_json::Value> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace())?;
    matches!(first, b'{' | b'[').then(|| serde_json::from_slice(bytes).ok()).flatten()
}

fn node_of(value: serde_json::Value) -> Node {
    let scalar = |text: String, plain: bool| Value::Scalar { text, plain };
    let value = match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => scalar(truth.to_string(), true),
        serde_json::Value::Number(number) => scalar(number.to_string(), true),
        serde_json::Value::String(text) => scalar(text, false),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(node_of).collect()),
        serde_json::Value::Object(entries) => {
            let key = |text: String| Key { text, span: Span::default() };
            Value::Map(entries.into_iter().map(|(name, value)| (key(name), node_of(value))).collect())
        }
    };
    Node { span: Span::default(), value }
}

/// The documents of a stream that hold anything, each with blanks in place of the others, so that places stay.
fn documents(text: &str) -> Vec<String> {
    let mut starts = vec![0];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if at > 0 && (bare == "---" || bare.starts_with("--- ")) {
            starts.push(at);
        }
        at += line.len();
    }
    if starts.len() > MOST_DOCUMENTS + 1 {
        return vec![String::new(); starts.len()];
    }
    let mut found = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(text.len());
        let part = text.get(*start..end).unwrap_or_default();
        let said =
            |line: &str| !matches!(line.trim(), "" | "---" | "...") && !line.trim_start().starts_with('#');
        if part.lines().any(said) {
            found.push(blank(text.get(..*start).unwrap_or_default()) + part);
        }
    }
    found
}

/// As many bytes and lines, and nothing in them.
fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

impl Document {
    fn new(root: Node, text: &str) -> Document {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Document {
            root,
            text: text.to_owned(),
            tags: Vec::new(),
            lines: std::iter::once(0).chain(breaks).collect(),
            read: RefCell::default(),
        }
    }

    /// The whole document.
    pub(super) fn top(&self) -> At<'_> {
        At { document: self, node: &self.root, span: self.root.span, pointer: String::new() }
    }
}

/// How much of a part of a document was read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reading {
    /// Some of it, or it was told otherwise.
    Some,
    /// Not a word.
    None,
    /// There is nothing to read.
    Nothing,
}

/// A place in a document.
#[derive(Clone, Debug)]
pub(super) struct At<'d> {
    document: &'d Document,
    pub(super) node: &'d Node,
    /// Of the key, where there is one: a mapping begins on the line after.
    pub(super) span: Span,
    /// Where it stands, as in RFC 6901.
    pub(super) pointer: String,
}

impl<'d> At<'d> {
    /// The value of a key.
    pub(super) fn get(&self, name: &str) -> Option<At<'d>> {
        self.entries().into_iter().find(|(key, _)| *key == name).map(|(_, at)| at)
    }

    /// The value of a key however it is cased: `resourceType`, `ResourceType` and `resource_type` are one.
    pub(super) fn loose(&self, name: &str) -> Option<At<'d>> {
        self.entries().into_iter().find(|(key, _)| loose(key) == loose(name)).map(|(_, at)| at)
    }

    /// The text of a key's value.
    pub(super) fn text_of(&self, name: &str) -> Option<&'d str> {
        self.get(name)?.text()
    }

    /// The entries of a mapping, without those that have no value; nothing of anything else.
    pub(super) fn entries(&self) -> Vec<(&'d str, At<'d>)> {
        let Value::Map(entries) = &self.node.value else { return Vec::new() };
        let valued = entries.iter().filter(|(_, node)| node.value != Value::Null);
        valued
            .map(|(key, node)| {
                let escaped = key.text.replace('~', "~0").replace('/', "~1");
                let pointer = format!("{}/{escaped}", self.pointer);
                (key.text.as_str(), At { document: self.document, node, span: key.span, pointer })
            })
            .collect()
    }

    /// The items of a list; of anything else that is there, itself.
    pub(super) fn items(&self) -> Vec<At<'d>> {
        let Value::List(items) = &self.node.value else { return vec![self.clone()] };
        let at = |(index, node): (usize, &'d Node)| At {
            document: self.document,
            node,
            span: node.span,
            pointer: format!("{}/{index}", self.pointer),
        };
        items.iter().enumerate().map(at).collect()
    }

    /// The text of a scalar, which is read by that.
    pub(super) fn text(&self) -> Option<&'d str> {
        match &self.node.value {
            Value::Scalar { text, .. } => {
                self.document.read.borrow_mut().insert(std::ptr::from_ref(self.node).addr());
                Some(text)
            }
            _ => None,
        }
    }

    /// Whether it is `true`, also in the words of YAML 1.1, which Python and CloudFormation read.
    pub(super) fn truth(&self) -> bool {
        let word = self.text().unwrap_or_default().to_ascii_lowercase();
        matches!(word.as_str(), "true" | "yes" | "on")
    }

    /// Whether it is a scalar without quotes: a number, a truth or a bare word.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.node.value, Value::Scalar { plain: true, .. })
    }

    /// All that it holds on one line, as JSON has it, and read by that.
    pub(super) fn shown(&self) -> String {
        if self.is_map() {
            let each = self.entries().into_iter().map(|(key, at)| format!("{key}: {}", at.shown()));
            return format!("{{ {} }}", each.collect::<Vec<_>>().join(", "));
        }
        if self.is_list() {
            return format!("[{}]", self.items().iter().map(At::shown).collect::<Vec<_>>().join(", "));
        }
        self.text().unwrap_or("null").to_owned()
    }

    /// How many items or entries it has, also those without a value.
    pub(super) fn len(&self) -> usize {
        match &self.node.value {
            Value::List(items) => items.len(),
            Value::Map(entries) => entries.len(),
            Value::Scalar { .. } | Value::Null => 1,
        }
    }

    /// Whether nothing stands in it: an empty list, mapping or text.
    pub(super) fn is_empty(&self) -> bool {
        match &self.node.value {
            Value::Null => true,
            Value::Scalar { text, .. } => text.is_empty(),
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
        }
    }

    /// Says of all that it holds that it was read.
    pub(super) fn known(&self) {
        self.text();
        self.entries().iter().for_each(|(_, at)| at.known());
        if self.is_list() {
            self.items().iter().for_each(At::known);
        }
    }

    /// What of it nobody read, without what stands at or below one of the places `told`: the highest place of each.
    pub(super) fn unread(&self, told: &[&str]) -> Vec<At<'d>> {
        let mut found = Vec::new();
        if let Reading::None = self.reading(told, &mut found) {
            found.push(self.clone());
        }
        found
    }

    fn reading(&self, told: &[&str], found: &mut Vec<At<'d>>) -> Reading {
        if told.contains(&self.pointer.as_str()) {
            return Reading::Some;
        }
        let parts: Vec<At<'d>> = match &self.node.value {
            Value::Null => return Reading::Nothing,
            Value::Scalar { .. } => {
                let read = self.document.read.borrow().contains(&std::ptr::from_ref(self.node).addr());
                return if read { Reading::Some } else { Reading::None };
            }
            Value::List(_) => self.items(),
            Value::Map(_) => self.entries().into_iter().map(|(_, at)| at).collect(),
        };
        let readings: Vec<Reading> = parts.iter().map(|part| part.reading(told, found)).collect();
        if !readings.contains(&Reading::Some) {
            return if readings.contains(&Reading::None) { Reading::None } else { Reading::Nothing };
        }
        let unread = parts.into_iter().zip(&readings).filter(|(_, reading)| **reading == Reading::None);
        found.extend(unread.map(|(part, _)| part));
        Reading::Some
    }

    /// What it is called where it stands: its key, or its list's key and its number.
    pub(super) fn called(&self) -> String {
        let mut parts = self.pointer.rsplit('/').map(|part| part.replace("~1", "/").replace("~0", "~"));
        let last = parts.next().unwrap_or_default();
        match parts.next() {
            Some(list) if last.bytes().all(|byte| byte.is_ascii_digit()) => format!("{list}/{last}"),
            _ => last,
        }
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// A number that is not negative.
    pub(super) fn number(&self) -> Option<f64> {
        self.text()?.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)
    }

    /// Its tag, such as `!Ref`.
    pub(super) fn tag(&self) -> Option<&'d str> {
        let found = self.document.tags.iter().find(|(span, _)| span.start == self.node.span.start);
        found.map(|(_, tag)| tag.as_str())
    }

    /// The line that it stands in, from 1; `None` when places are not known.
    pub(super) fn line(&self) -> Option<usize> {
        self.line_of(self.span)
    }

    /// The line that a place of its document stands in.
    pub(super) fn line_of(&self, span: Span) -> Option<usize> {
        let lines = &self.document.lines;
        (!lines.is_empty()).then(|| lines.partition_point(|start| *start <= span.start))
    }

    /// Where a place in the text that this scalar holds stands in this document.
    pub(super) fn outer(&self, inner: Span) -> Option<Span> {
        let (source, inner_text) = (&self.document.text, self.text()?);
        let lines = &self.document.lines;
        let before = inner_text.get(..inner.start)?;
        let index = before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
        let line = inner_text.split('\n').nth(index)?;
        let first = lines.partition_point(|start| *start <= self.node.span.start);
        // A block scalar begins on the line after its `|`; one without says it on its own line.
        for first in [first, first.checked_sub(1)?] {
            let start = *lines.get(first + index)?;
            let shown = source.get(start..)?.split('\n').next()?.trim_end_matches('\r');
            if !line.is_empty() && shown.ends_with(line) {
                let at = start + shown.len() - line.len() + column;
                return Some(Span {
                    start: at,
                    end: (at + inner.end.saturating_sub(inner.start)).min(start + shown.len()),
                });
            }
        }
        None
    }
}

fn loose(name: &str) -> String {
    name.chars().filter(|c| *c != '_' && *c != '-').flat_map(char::to_lowercase).collect()
}
