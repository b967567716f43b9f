//! From a YAML tree to typed values, collecting every error on the way.
//!
//! Serde stops at the first error and loses places when it buffers; a drill's author wants all
//! of a file's errors at once, each with its place. So the spec's types are declared with the
//! macros of `declare` ([`record!`](crate::record), [`choice!`](crate::choice),
//! [`words!`](crate::words)): one declaration gives the
//! struct, its decoding and its reference text (`firedrill actions`, `firedrill probes`).
//!
//! `None` from a decoder means *no value*: either the problem has been reported, or the value
//! depends on a variable that is not known yet (a `check` without an environment).

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;

use super::code::Code;
use super::fix::Fix;
pub use super::problem::{Flaw, Problem};
use super::shape::{self, Shapes};
use super::yaml::{Key, Node, Span, Value};

/// How `${…}` in a value is answered.
pub trait Resolve {
    /// The text with every reference replaced; `Ok(None)` when one is not known yet.
    fn resolve(&self, text: &str) -> Result<Option<String>, Flaw>;

    /// What the text stands for, as it may be shown to people: secrets hidden. `None` when there
    /// is nothing to add to the text itself.
    fn shown(&self, _text: &str) -> Option<String> {
        None
    }
}

/// Leaves references as they stand: what `check` uses when no environment is given.
pub struct Unresolved;

impl Resolve for Unresolved {
    fn resolve(&self, text: &str) -> Result<Option<String>, Flaw> {
        Ok(if text.contains("${") { None } else { Some(text.to_owned()) })
    }
}

/// What decoding carries along: the problems so far and how references are answered.
pub struct Context<'a> {
    /// Every problem found so far.
    pub problems: Vec<Problem>,
    resolver: &'a dyn Resolve,
    /// What others call a key, and what it is called here.
    synonyms: &'static [(&'static str, &'static str)],
}

impl<'a> Context<'a> {
    /// A context with no problems yet.
    pub fn new(resolver: &'a dyn Resolve) -> Context<'a> {
        Context { problems: Vec::new(), resolver, synonyms: &[] }
    }

    /// Knows what others call keys: each pair is their word and the one that is read here.
    #[must_use]
    pub fn synonyms(mut self, words: &'static [(&'static str, &'static str)]) -> Context<'a> {
        self.synonyms = words;
        self
    }

    /// Reports a problem.
    pub fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The scalar at `node` with its references replaced. Reports a non-scalar and a reference
    /// that has no answer; `None` also when a reference is not known yet.
    pub fn text(&mut self, node: &Node, expects: &str) -> Option<String> {
        match &node.value {
            Value::Scalar { text, .. } => match self.resolver.resolve(text) {
                Ok(resolved) => resolved,
                Err(flaw) => {
                    self.report(flaw.at(node.span));
                    None
                }
            },
            other => {
                self.report(
                    Problem::new(
                        Code::WrongShape,
                        node.span,
                        format!("expected {expects}, found {}", kind_of(other)),
                    )
                    .label(format!("expected {expects}")),
                );
                None
            }
        }
    }

    /// The scalar at `node`, as [`text`](Context::text), where a `T` is expected: what that looks like is only put into words
    /// when it is something else.
    pub fn text_for<T: Decode>(&mut self, node: &Node) -> Option<String> {
        match &node.value {
            Value::Scalar { .. } => self.text(node, ""),
            _ => self.text(node, &T::expects()),
        }
    }

    /// Reports that the value at `node` is not what was expected.
    pub fn unexpected(&mut self, code: Code, node: &Node, expects: &str) {
        let problem = self.mismatch(code, node, expects);
        self.report(problem);
    }

    /// The problem that [`unexpected`](Context::unexpected) reports, to add advice to.
    pub fn mismatch(&self, code: Code, node: &Node, expects: &str) -> Problem {
        let found = match &node.value {
            Value::Scalar { text, .. } => match self.resolver.shown(text) {
                Some(shown) => format!("`{}`, which is `{}`", clip(text), clip(&shown)),
                None => format!("`{}`", clip(text)),
            },
            other => kind_of(other).to_owned(),
        };
        Problem::new(code, node.span, format!("expected {expects}, found {found}"))
            .label(format!("expected {expects}"))
    }
}

/// The text, or its beginning when it is too long for a message.
pub fn clip(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// What a node is, in a sentence.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Scalar { .. } => "a single value",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

/// A type that can be read from a YAML tree.
pub trait Decode: Sized {
    /// What a value looks like: `a duration such as 100ms`. Fits after "expected".
    fn expects() -> String;

    /// Reads the value, reporting what is wrong with it.
    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self>;

    /// What a file may say, for editors.
    fn schema(_shapes: &mut Shapes) -> serde_json::Value {
        shape::scalar(&Self::expects())
    }

    /// The value when the key is left out; `None` when it must be there.
    fn absent() -> Option<Self> {
        None
    }

    /// The value as it would be written in a file; `None` for what does not fit on a line.
    fn written(&self) -> Option<String> {
        None
    }
}

/// One key of a record, for the reference and for "did you mean".
#[derive(Clone, Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// Its documentation.
    pub about: &'static str,
    /// What its value looks like.
    pub expects: String,
    /// Whether it must be there.
    pub required: bool,
    /// Its default as it would be written, if it has one worth showing.
    pub default: Option<String>,
}

/// A mapping with known keys.
pub trait Record: Decode {
    /// Its documentation.
    fn about() -> &'static str;
    /// Its keys.
    fn fields() -> Vec<Field>;
}

/// One alternative of a [`choice!`](crate::choice), for the reference.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// Its key.
    pub name: &'static str,
    /// Its documentation.
    pub about: &'static str,
    /// Its keys.
    pub fields: Vec<Field>,
}

/// A value together with its place, for rules that talk about it later.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: Decode> Decode for Spanned<T> {
    fn expects() -> String {
        T::expects()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        T::schema(shapes)
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        T::decode(node, cx).map(|value| Spanned { value, span: node.span })
    }

    fn written(&self) -> Option<String> {
        self.value.written()
    }
}

impl<T: Decode> Decode for Option<T> {
    fn expects() -> String {
        T::expects()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        T::schema(shapes)
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        T::decode(node, cx).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn written(&self) -> Option<String> {
        self.as_ref().and_then(T::written)
    }
}

impl<T: Decode> Decode for Box<T> {
    fn expects() -> String {
        T::expects()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        T::schema(shapes)
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        T::decode(node, cx).map(Box::new)
    }
}

impl Decode for String {
    fn expects() -> String {
        "text".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let before = cx.problems.len();
        match (cx.text(node, "text"), &node.value) {
            (Some(text), _) => Some(text),
            // Not known yet: the reference stands for itself, so that what holds it can be checked.
            (None, Value::Scalar { text, .. }) if cx.problems.len() == before => Some(text.clone()),
            _ => None,
        }
    }

    fn written(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Decode for bool {
    fn expects() -> String {
        "true or false".to_owned()
    }

    fn schema(_shapes: &mut Shapes) -> serde_json::Value {
        shape::truth()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match cx.text(node, "true or false")?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                let mut problem = cx.mismatch(Code::NotABoolean, node, "true or false");
                let lower = other.to_ascii_lowercase();
                let meant = match lower.as_str() {
                    "yes" | "on" | "y" | "1" | "true" => Some("true"),
                    "no" | "off" | "n" | "0" | "false" => Some("false"),
                    _ => None,
                };
                problem.help = meant.map(|meant| format!("write {meant}"));
                // A number may have been meant as one, and a reference is mended where its value stands.
                let said = matches!(&node.value, Value::Scalar { text, .. } if text == other);
                if let (Some(meant), true) = (meant, said && lower.len() > 1) {
                    problem = problem.fix(Fix::replace(node.span, other, meant));
                }
                cx.report(problem);
                None
            }
        }
    }

    fn written(&self) -> Option<String> {
        Some(self.to_string())
    }
}

macro_rules! whole_numbers {
    ($($t:ty),*) => {$(
        impl Decode for $t {
            fn expects() -> String {
                "a whole number".to_owned()
            }

            fn schema(_shapes: &mut Shapes) -> serde_json::Value {
                // The bounds that all of these types fit in.
                shape::whole(<$t>::MIN.try_into().unwrap_or(i64::MIN), <$t>::MAX.try_into().unwrap_or(u64::MAX))
            }

            fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
                let text = cx.text(node, "a whole number")?;
                match text.parse() {
                    Ok(number) => Some(number),
                    Err(_) => {
                        cx.unexpected(Code::NotANumber, node, &format!("a whole number from {} to {}", <$t>::MIN, <$t>::MAX));
                        None
                    }
                }
            }

            fn written(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}
whole_numbers!(u8, u16, u32, u64, i32, i64);

impl Decode for Duration {
    fn expects() -> String {
        "a duration such as 100ms, 5s, 2m or 1h30m".to_owned()
    }

    fn schema(_shapes: &mut Shapes) -> serde_json::Value {
        let text = shape::pattern(r"^\s*(0|([0-9.]+(ms|s|m|h|d))+)\s*$", false);
        shape::described(shape::any_of(vec![serde_json::json!({ "const": 0 }), text]), &Self::expects())
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text_for::<Self>(node)?;
        match super::units::duration(&text) {
            Some(duration) => Some(duration),
            None => {
                let bare = text.parse::<f64>().is_ok();
                let code = if bare { Code::NoUnit } else { Code::NotADuration };
                let mut problem = cx.mismatch(code, node, &Self::expects());
                if bare {
                    problem = problem.help(format!("give it a unit: {text}s, {text}ms or {text}m"));
                }
                cx.report(problem);
                None
            }
        }
    }

    fn written(&self) -> Option<String> {
        Some(super::units::show(*self))
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn expects() -> String {
        format!("a list, each entry {}", T::expects())
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::list(T::schema(shapes))
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let Value::List(nodes) = &node.value else {
            cx.unexpected(Code::WrongShape, node, &Self::expects());
            return None;
        };
        // Every entry is read, so that every entry's problems are reported.
        let read: Vec<Option<T>> = nodes.iter().map(|node| T::decode(node, cx)).collect();
        read.into_iter().collect()
    }
}

impl<T: Decode> Decode for IndexMap<String, T> {
    fn expects() -> String {
        format!("a mapping of names, each {}", T::expects())
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::mapping(T::schema(shapes))
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let entries = entries_for::<Self>(node, cx)?;
        let read: Vec<Option<(String, T)>> = entries
            .iter()
            .map(|(key, node)| T::decode(node, cx).map(|value| (key.text.clone(), value)))
            .collect();
        read.into_iter().collect()
    }
}

impl<T: Decode> Decode for IndexMap<SpannedName, T> {
    fn expects() -> String {
        format!("a mapping of names, each {}", T::expects())
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::mapping(T::schema(shapes))
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let entries = entries_for::<Self>(node, cx)?;
        let read: Vec<Option<(SpannedName, T)>> = entries
            .iter()
            .map(|(key, node)| {
                let name = SpannedName { text: key.text.clone(), span: key.span };
                T::decode(node, cx).map(|value| (name, value))
            })
            .collect();
        read.into_iter().collect()
    }
}

/// A name that is a mapping's key, with its place; equal when the texts are.
#[derive(Clone, Debug)]
pub struct SpannedName {
    /// The name.
    pub text: String,
    /// Its place.
    pub span: Span,
}

impl PartialEq for SpannedName {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for SpannedName {}

impl std::hash::Hash for SpannedName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl std::borrow::Borrow<str> for SpannedName {
    fn borrow(&self) -> &str {
        &self.text
    }
}

/// The entries of the mapping at `node`; reports anything else.
pub fn entries<'n>(node: &'n Node, cx: &mut Context<'_>, expects: &str) -> Option<&'n [(Key, Node)]> {
    match &node.value {
        Value::Map(entries) => Some(entries),
        _ => {
            cx.unexpected(Code::WrongShape, node, expects);
            None
        }
    }
}

/// The entries of the mapping at `node`, where a `T` is expected; reports anything else.
pub fn entries_for<'n, T: Decode>(node: &'n Node, cx: &mut Context<'_>) -> Option<&'n [(Key, Node)]> {
    match &node.value {
        Value::Map(entries) => Some(entries),
        _ => entries(node, cx, &T::expects()),
    }
}

/// Reads one key of a record. Used by [`record!`](crate::record).
pub fn field<T: Decode>(
    entries: &[(Key, Node)],
    owner: Span,
    name: &str,
    default: Option<T>,
    cx: &mut Context<'_>,
) -> Option<T> {
    match entries.iter().find(|(key, _)| key.text == name) {
        // A key with nothing after it is a slip, not a default.
        Some((key, node)) if node.value == Value::Null => {
            cx.report(
                Problem::new(Code::NoValue, key.span, format!("`{name}` has no value"))
                    .label(format!("expected {}", T::expects()))
                    .help("give it a value, or leave the key out"),
            );
            None
        }
        Some((_, node)) => T::decode(node, cx),
        None => default.or_else(T::absent).or_else(|| {
            cx.report(
                Problem::new(Code::MissingKey, owner, format!("missing key `{name}`"))
                    .label(format!("`{name}:` is needed here: {}", T::expects())),
            );
            None
        }),
    }
}

/// Reports the keys of a mapping that are not among `known`. Used by [`record!`](crate::record).
pub fn unknown_keys(entries: &[(Key, Node)], known: &[&str], cx: &mut Context<'_>) {
    for (key, _) in entries {
        if !known.contains(&key.text.as_str()) {
            cx.report(unknown_key(key, known, entries, cx));
        }
    }
}

/// The problem of a key that is not among the known ones, in a mapping with these `entries`. Mended where there is just
/// one key that can be meant, and it is not there already.
pub fn unknown_key(key: &Key, known: &[&str], entries: &[(Key, Node)], cx: &Context<'_>) -> Problem {
    let mut problem = unknown(Code::UnknownKey, "key", &key.text, key.span, known);
    let synonym = cx.synonyms.iter().find(|(theirs, ours)| *theirs == key.text && known.contains(ours));
    let meant = match (near(&key.text, known).as_slice(), synonym) {
        ([only], _) => *only,
        ([], Some((_, ours))) => {
            problem.help = None;
            problem.label = format!("did you mean `{ours}`?");
            ours
        }
        _ => return problem,
    };
    let taken = entries.iter().any(|(other, _)| other.text == meant);
    if taken { problem } else { problem.fix(Fix::replace(key.span, &key.text, meant)) }
}

/// The problem of a word that is not among the known ones.
pub fn unknown_word(word: &str, span: Span, known: &[&str]) -> Problem {
    let problem = unknown(Code::UnknownWord, "value", word, span, known);
    match known.iter().find(|known| known.eq_ignore_ascii_case(word)) {
        Some(known) => problem.fix(Fix::replace(span, word, known)),
        None => problem,
    }
}

/// The problem of a name that is not among the known ones, with the nearest one proposed.
pub fn unknown(code: Code, what: &str, name: &str, span: Span, known: &[&str]) -> Problem {
    let problem = Problem::new(code, span, format!("unknown {what} `{name}`"));
    match nearest(name, known) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None if known.is_empty() => problem.label(format!("no {what} is known here")),
        None => {
            problem.label(format!("not a known {what}")).help(format!("known here: {}", known.join(", ")))
        }
    }
}

/// The known name nearest to `name`, when one is near enough to be what was meant.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    near(name, known).into_iter().min_by_key(|candidate| strsim::damerau_levenshtein(name, candidate))
}

/// The known names that are near enough to `name` to be what was meant.
fn near<'k>(name: &str, known: &[&'k str]) -> Vec<&'k str> {
    let near = |candidate: &&&str| {
        let distance = strsim::damerau_levenshtein(name, candidate);
        distance <= (candidate.chars().count().max(3) / 3).max(1)
    };
    known.iter().filter(near).copied().collect()
}

/// A field's name as it is written in a file: `r#for` is `for`.
pub const fn bare(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// The lines of a doc comment as one text.
pub fn join_docs(lines: &[&'static str]) -> &'static str {
    // One leaked string per declared type and key, made when the reference is printed.
    Box::leak(lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").into_boxed_str())
}
