//! YAML text into a tree that remembers where everything stood.
//!
//! The only file that names the YAML crate. A scalar stays text with its style, so that the
//! typed layer decides what it means (no `no` that becomes `false`, no `1.10` that becomes
//! `1.1`), and every key and value carries its byte range, so that every later error can show
//! its place. It knows nothing of experiments.

use std::collections::HashMap;

use serde_yaml::granit_parser::{
    ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, StrInput, StructureStyle, Tag, options,
};

use super::code::Code;
use super::decode::{Problem, clip};
use super::fix::quoted_reference;

mod everyday;

pub use everyday::everyday;

/// A byte range of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its place.
    pub span: Span,
    /// What stands there.
    pub value: Value,
}

/// What a node can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing after the colon, `~` or `null`.
    Null,
    /// A scalar, as text.
    Scalar {
        /// The text, after YAML's own unquoting and folding.
        text: String,
        /// Whether it was written without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the file; keys are unique.
    Map(Vec<(Key, Node)>),
}

/// The key of a mapping's entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// A file larger than this is refused unread.
pub const MAX_BYTES: usize = 1024 * 1024;
/// A tree with more nodes than this, aliases expanded, is refused.
const MAX_NODES: usize = 20_000;
/// A tree deeper than this is refused.
const MAX_DEPTH: usize = 32;
/// A file with more aliases than this is refused.
const MAX_ALIASES: usize = 64;

/// What reading a file gave: its text, its tree unless it is broken, and every problem.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The text that all places refer to. Bytes that are not UTF-8 are replaced.
    pub text: String,
    /// The tree; absent when the text is not YAML.
    pub root: Option<Node>,
    /// What is wrong, in the order it was found.
    pub problems: Vec<Problem>,
    /// The tags that are none of YAML's own, such as `!Ref`, each where its value stands. Every one is a problem too.
    pub tags: Vec<(Span, String)>,
}

/// Reads one YAML document. A syntax error ends the reading; what a tree may not hold (duplicate
/// keys, merge keys, tags) is collected. Never panics, and takes bounded time and memory.
pub fn parse(bytes: &[u8]) -> Parsed {
    let (text, flaw) = text_of(bytes);
    if let Some(problem) = flaw {
        return Parsed { text, root: None, problems: vec![problem], tags: Vec::new() };
    }
    let (root, problems, tags) = tree_of(&text);
    Parsed { text, root, problems, tags }
}

/// The bytes as text, and what makes them no text at all.
fn text_of(bytes: &[u8]) -> (String, Option<Problem>) {
    if bytes.len() > MAX_BYTES {
        let problem = Problem::new(Code::TooMuch, Span::default(), "the file is larger than 1 MiB")
            .help("is this the right file? a drill fits on a few pages");
        return (String::new(), Some(problem));
    }
    let (text, error) = match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(error) => (String::from_utf8_lossy(bytes).into_owned(), Some(error)),
    };
    if let Some(error) = error {
        // Up to the first bad byte, the offsets of the bytes and of the lossy text agree.
        let at = error.valid_up_to();
        let byte = bytes.get(at).copied().unwrap_or_default();
        let help = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "this looks like UTF-16: save the file as UTF-8",
            _ => "save the file as UTF-8",
        };
        let problem =
            Problem::new(Code::NotUtf8, char_at(&text, at), format!("byte {at} (0x{byte:02x}) is not UTF-8"))
                .label("not UTF-8 from here")
                .help(help);
        return (text, Some(problem));
    }
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    // The bytes that control characters begin with: most texts have none, and are not read letter by letter.
    // Without a way out of the loop, so that the compiler takes many bytes at once.
    let begins = |byte: u8| (byte < 32 && !matches!(byte, 9 | 10 | 13)) | (byte == 0x7f) | (byte == 0xc2);
    let found = text
        .bytes()
        .fold(false, |any, byte| any | begins(byte))
        .then(|| text.char_indices().find(|(_, c)| control(*c)));
    if let Some((at, c)) = found.flatten() {
        let what = if c == '\0' { "a NUL byte" } else { "a control character" };
        let problem = Problem::new(
            Code::ControlCharacter,
            char_at(&text, at),
            format!("{what} (0x{:02x}) cannot stand in a YAML file", u32::from(c)),
        )
        .label("remove it")
        .help("inside double quotes it can be written as an escape, such as \"\\e\" or \"\\x07\"");
        return (text, Some(problem));
    }
    (text, None)
}

fn tree_of(text: &str) -> (Option<Node>, Vec<Problem>, Vec<(Span, String)>) {
    // The BOM stays in the text, so that its checksum is the file's.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = options! { emit_comments: false, emit_unresolved_aliases: true };
    let mut builder = Builder {
        events: Parser::new_from_str_with_options(body, options),
        text,
        offset: text.len() - body.len(),
        anchors: HashMap::new(),
        nodes: 0,
        aliases: 0,
        problems: Vec::new(),
        tags: Vec::new(),
    };
    let root = match builder.document() {
        Ok(root) => root,
        Err(Stop(problem)) => {
            builder.problems.push(*problem);
            None
        }
    };
    (root, builder.problems, builder.tags)
}

/// The comments of a text, in its order; `None` when it is not YAML.
pub fn comments(text: &str) -> Option<Vec<&str>> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let offset = text.len() - body.len();
    let options = options! { emit_comments: false, emit_unresolved_aliases: true };
    let mut found = Vec::new();
    let mut after = 0;
    for event in Parser::new_from_str_with_options(body, options) {
        // Comments stand between scalars, never within one.
        if let (Event::Scalar(..), span) = event.ok()? {
            let at = |mark: &Marker| mark.byte_offset().unwrap_or_default() + offset;
            found.extend(comments_in(text.get(after..at(&span.start)).unwrap_or_default()));
            after = at(&span.end).max(after);
        }
    }
    found.extend(comments_in(text.get(after..).unwrap_or_default()));
    Some(found)
}

/// From each `#` that begins a comment to the end of its line, in a text without scalars.
fn comments_in(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.split_once('#').map(|(_, comment)| comment))
}

/// The character at `at`, as a place; empty at the end of the text.
fn char_at(text: &str, at: usize) -> Span {
    let at = at.min(text.len());
    let length = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    Span { start: at, end: at + length }
}

fn too_deep(span: Span) -> Problem {
    Problem::new(Code::TooMuch, span, format!("nested deeper than {MAX_DEPTH} levels"))
        .label("reading stopped here")
}

/// The problem that ends the reading.
struct Stop(Box<Problem>);

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Stop {
        Stop(Box::new(problem))
    }
}

type Token<'i> = (Event<'i>, Span);

struct Builder<'i> {
    events: Parser<'i, StrInput<'i>>,
    text: &'i str,
    /// Bytes before what the parser was given.
    offset: usize,
    /// The nodes that aliases may refer to, each with its count of nodes and its depth.
    anchors: HashMap<usize, (Node, usize, usize)>,
    nodes: usize,
    aliases: usize,
    problems: Vec<Problem>,
    tags: Vec<(Span, String)>,
}

impl<'i> Builder<'i> {
    /// The whole stream, which must hold one document.
    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    let problem =
                        Problem::new(Code::SecondDocument, span, "a second document in the same file")
                            .label("a new document starts here")
                            .help("put each into a file of its own");
                    return Err(problem.into());
                }
                Event::DocumentStart(..) => {
                    let token = self.next()?;
                    root = Some(self.node(token, 0)?);
                }
                _ => return Err(Problem::new(Code::YamlSyntax, span, "not a YAML document").into()),
            }
        }
        match root {
            Some(Node { value: Value::Null, .. }) | None => {
                self.problems.push(
                    Problem::new(Code::EmptyFile, char_at(self.text, 0), "the file is empty")
                        .label("expected `kind: Experiment`, `name:` and so on")
                        .help("`firedrill init` writes a first experiment"),
                );
                Ok(None)
            }
            found => Ok(found),
        }
    }

    fn next(&mut self) -> Result<Token<'i>, Stop> {
        match self.events.next() {
            Some(Ok((event, span))) => {
                let at = |mark: &Marker| mark.byte_offset().unwrap_or_default() + self.offset;
                let span = Span { start: at(&span.start), end: at(&span.end) };
                Ok((event, span))
            }
            Some(Err(error)) => Err(self.syntax(&error).into()),
            None => Err(Problem::new(
                Code::YamlSyntax,
                char_at(self.text, self.text.len()),
                "the file ends too early",
            )
            .into()),
        }
    }

    /// The parser's error, in words that help a person who writes a drill.
    fn syntax(&self, error: &ScanError) -> Problem {
        let at = error.marker().byte_offset().unwrap_or_default() + self.offset;
        let start = self.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |line| line + 1);
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) || error.info().contains("nesting") {
            return too_deep(char_at(self.text, at));
        }
        let problem = Problem::new(
            Code::YamlSyntax,
            char_at(self.text, at),
            format!("this is not YAML: {}", error.info()),
        );
        let tabbed = |line: &str| line.trim_start_matches(' ').starts_with('\t');
        // Text that goes on in the next line is where the parser still is.
        let below = self.text.get(start..).unwrap_or_default().lines().nth(1).filter(|line| tabbed(line));
        if let Some(below) = below.filter(|_| error.info().contains("found a tab")) {
            let at = start + line.len() + 1 + (below.len() - below.trim_start_matches(' ').len());
            return Problem { code: Code::TabIndentation, span: char_at(self.text, at), ..problem }
                .label("a tab")
                .help("YAML is indented with spaces only");
        }
        if tabbed(line) || matches!(error.kind(), ErrorKind::TabInIndentation | ErrorKind::TabNotAllowed) {
            return Problem { code: Code::TabIndentation, ..problem }
                .label("a tab")
                .help("YAML is indented with spaces only");
        }
        if line.contains('{') && [": ${", "[${", ", ${"].iter().any(|open| line.contains(open)) {
            let fix = quoted_reference(line, start);
            return Problem { code: Code::UnquotedReference, fix, ..problem }
                .help("inside { … } and [ … ] put quotes around values that have `${…}`: \"${name}\"");
        }
        if matches!(error.kind(), ErrorKind::InvalidColonPlacement)
            || ["quote", "unclosed bracket", "mapping values are not allowed"]
                .iter()
                .any(|said| error.info().contains(said))
        {
            return Problem { code: Code::LeftOpen, ..problem }
                .help("is a quote or a bracket left open above? text with `: ` in it needs quotes");
        }
        if error.info().contains("while parsing a block") {
            return problem.help(
                "is this line indented like those it belongs to? the keys of a mapping begin in one column",
            );
        }
        problem
    }

    /// The node that starts with `token`.
    fn node(&mut self, token: Token<'i>, depth: usize) -> Result<Node, Stop> {
        let (event, span) = token;
        self.room(span, 1, depth)?;
        let before = self.nodes;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text_tag = self.check_tag(tag.as_deref(), span);
                let plain = style == ScalarStyle::Plain && !text_tag;
                let null = plain && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                let value = if null { Value::Null } else { Value::Scalar { text: text.into_owned(), plain } };
                (Node { span, value }, anchor)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                (self.list(span, style, depth)?, anchor)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                (self.map(span, style, depth)?, anchor)
            }
            Event::Alias(target) => (self.alias(target, span, depth)?, 0),
            Event::UnresolvedAlias(name) => {
                let problem = Problem::new(
                    Code::UnknownAnchor,
                    span,
                    format!("no anchor `&{name}` stands before this"),
                )
                .label("an alias refers to an anchor further up")
                .help("put quotes around text that starts with `*`");
                return Err(problem.into());
            }
            _ => return Err(Problem::new(Code::YamlSyntax, span, "expected a value here").into()),
        };
        if anchor != 0 {
            let (count, deep) = (self.nodes - before + 1, depth_of(&node));
            self.anchors.insert(anchor, (node.clone(), count, deep));
        }
        Ok(node)
    }

    fn list(&mut self, begin: Span, style: StructureStyle, depth: usize) -> Result<Node, Stop> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                let last = items.last().map(|item| item.span);
                return Ok(Node { span: extent(begin, span, last, style), value: Value::List(items) });
            }
            items.push(self.node((event, span), depth + 1)?);
        }
    }

    fn map(&mut self, begin: Span, style: StructureStyle, depth: usize) -> Result<Node, Stop> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut last = None;
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Node { span: extent(begin, span, last, style), value: Value::Map(entries) });
            }
            let key = self.key((event, span), depth)?;
            let token = self.next()?;
            let value = self.node(token, depth + 1)?;
            last = Some(Span { start: span.start, end: value.span.end.max(span.end) });
            let Some(key) = key else { continue };
            match entries.iter().find(|(earlier, _)| earlier.text == key.text) {
                Some((earlier, _)) => self.problems.push(
                    Problem::new(
                        Code::DuplicateKey,
                        key.span,
                        format!("`{}` is given twice", clip(&key.text)),
                    )
                    .label("here again")
                    .related(earlier.span, "first here")
                    .help("remove one of the two"),
                ),
                None => entries.push((key, value)),
            }
        }
    }

    /// The key that starts with `token`; `None` after reporting one that cannot be.
    fn key(&mut self, token: Token<'i>, depth: usize) -> Result<Option<Key>, Stop> {
        let span = token.1;
        let problem = match token.0 {
            Event::Scalar(text, style, 0, None) => {
                if style == ScalarStyle::Plain && text == "<<" {
                    Problem::new(Code::MergeKey, span, "merge keys (`<<`) are not supported")
                        .label("says nothing of its own")
                        .help("write the keys out, so that a reader sees what is run")
                } else if style == ScalarStyle::Plain && matches!(text.as_ref(), "" | "~") {
                    Problem::new(Code::KeyNotPlain, span, "a key is missing before the colon")
                } else {
                    return Ok(Some(Key { text: text.into_owned(), span }));
                }
            }
            event => {
                // Read, so that what follows is understood.
                self.node((event, span), depth + 1)?;
                Problem::new(Code::KeyNotPlain, span, "a key must be plain text")
                    .label("not a plain key")
                    .help("text that starts with `{`, `[`, `*`, `&` or `!` needs quotes")
            }
        };
        self.problems.push(problem);
        Ok(None)
    }

    fn alias(&mut self, target: usize, span: Span, depth: usize) -> Result<Node, Stop> {
        self.aliases += 1;
        if self.aliases > MAX_ALIASES {
            let problem =
                Problem::new(Code::TooMuch, span, format!("more than {MAX_ALIASES} aliases in one file"))
                    .help("write the values out");
            return Err(problem.into());
        }
        let Some((node, count, deep)) = self.anchors.get(&target).cloned() else {
            return Err(Problem::new(Code::UnknownAnchor, span, "an alias inside what it refers to")
                .label("refers to itself")
                .into());
        };
        self.room(span, count, depth + deep)?;
        Ok(node)
    }

    /// Counts `nodes` more nodes, down to `depth`, and refuses too many or too deep.
    fn room(&mut self, span: Span, nodes: usize, depth: usize) -> Result<(), Stop> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            let problem =
                Problem::new(Code::TooMuch, span, format!("more than {MAX_NODES} values in one file"))
                    .label("reading stopped here")
                    .help("is this the right file? aliases count as often as they are used");
            return Err(problem.into());
        }
        if depth > MAX_DEPTH {
            return Err(too_deep(span).into());
        }
        Ok(())
    }

    /// Reports a tag that is none of YAML's own. True for `!!str`, which makes any scalar text.
    fn check_tag(&mut self, tag: Option<&Tag>, span: Span) -> bool {
        let Some(tag) = tag else { return false };
        if tag.is_custom() {
            self.tags.push((span, tag.original().to_string()));
            self.problems.push(
                Problem::new(
                    Code::CustomTag,
                    span,
                    format!("the tag `{}` has no meaning here", clip(&tag.original())),
                )
                .label("tagged value")
                .help("remove the tag; text that starts with `!` needs quotes"),
            );
        }
        tag.is_yaml_core_schema_tag("str")
    }
}

/// From the first to the last byte of a collection: the brackets of a flow collection, the
/// entries of a block collection (its end event stands after comments and blank lines).
fn extent(begin: Span, end: Span, last: Option<Span>, style: StructureStyle) -> Span {
    let end = match (style, last) {
        (StructureStyle::Block, Some(last)) => last.end,
        _ => end.end,
    };
    Span { start: begin.start, end: end.max(begin.end) }
}

fn depth_of(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Scalar { .. } => 0,
        Value::List(items) => 1 + items.iter().map(depth_of).max().unwrap_or_default(),
        Value::Map(entries) => 1 + entries.iter().map(|(_, node)| depth_of(node)).max().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
