//! The everyday form of YAML, read without the parser: enough to say of a file that nothing is wrong with it.
//!
//! A checker of thousands of files spends most of its time in the YAML parser, and nearly all of what people write is
//! block mappings and lists, plain and quoted text on one line, `{ … }` and `[ … ]` on one line, and simple block text.
//! Anything else, and anything that might be an error, gives nothing: then the parser decides. Where there is a tree it is
//! the parser's own (a property test holds the two together), but nobody is told of a problem, and nothing is run, by it.

use super::{Key, Node, Span, Value, text_of};

/// Deeper or larger than this is left to the parser, which knows the limits.
const DEEPEST: usize = 24;
const MOST_NODES: usize = 10_000;

/// The text and the tree of a file that is in the everyday form; `None` when it is not, or not for certain.
pub fn everyday(bytes: &[u8]) -> Option<(String, Node)> {
    let (text, flaw) = text_of(bytes);
    let tree = if flaw.is_none() { tree(&text)? } else { return None };
    Some((text, tree))
}

fn tree(text: &str) -> Option<Node> {
    // Tabs, carriage returns and Unicode's own line breaks have rules of their own; without a last line break, the text
    // of a block has.
    let odd = |byte: u8| matches!(byte, b'\t' | b'\r');
    let odd_char = |c: char| matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    if !text.ends_with('\n') || text.bytes().fold(false, |any, byte| any | odd(byte)) {
        return None;
    }
    if !text.is_ascii() && text.contains(odd_char) {
        return None;
    }
    let mut start = 0;
    let mut lines = Vec::with_capacity(text.len() / 24);
    for line in text.split_terminator('\n') {
        if line.starts_with("---") || line.starts_with("...") || line.starts_with('%') {
            return None;
        }
        lines.push(Line { start, indent: line.len() - line.trim_start_matches(' ').len(), text: line });
        start += line.len() + 1;
    }
    let mut reader = Reader { lines, at: 0, nodes: 0 };
    let first = reader.peek()?;
    if first.indent != 0 || is_item(first.content()) {
        return None;
    }
    let root = reader.mapping(0, None, 0)?;
    reader.peek().is_none().then_some(root)
}

#[derive(Clone, Copy)]
struct Line<'t> {
    /// Where it begins, in bytes.
    start: usize,
    /// How many spaces come first.
    indent: usize,
    text: &'t str,
}

impl<'t> Line<'t> {
    fn content(&self) -> &'t str {
        self.text.get(self.indent..).unwrap_or_default()
    }

    /// What stands from a place of the line on.
    fn part(&self, from: usize) -> Part<'t> {
        let rest = self.text.get(from..).unwrap_or_default();
        let text = rest.trim_start_matches(' ');
        Part { start: self.start + from + rest.len() - text.len(), text }
    }
}

/// A part of a line, to its end.
#[derive(Clone, Copy)]
struct Part<'t> {
    start: usize,
    text: &'t str,
}

impl<'t> Part<'t> {
    fn from(&self, at: usize) -> Part<'t> {
        let rest = self.text.get(at..).unwrap_or_default();
        let text = rest.trim_start_matches(' ');
        Part { start: self.start + at + rest.len() - text.len(), text }
    }

    fn span(&self, length: usize) -> Span {
        Span { start: self.start, end: self.start + length }
    }

    /// Whether nothing comes but perhaps a comment. What is asked stands behind a space or at the end.
    fn is_over(&self) -> bool {
        self.text.is_empty() || self.text.starts_with('#')
    }
}

struct Reader<'t> {
    lines: Vec<Line<'t>>,
    at: usize,
    nodes: usize,
}

impl<'t> Reader<'t> {
    /// The next line with something on it.
    fn peek(&mut self) -> Option<Line<'t>> {
        while let Some(line) = self.lines.get(self.at) {
            let content = line.content();
            if !content.is_empty() && !content.starts_with('#') {
                return Some(*line);
            }
            self.at += 1;
        }
        None
    }

    /// Goes on behind a value that ends on its line: nothing may continue it.
    fn next_line(&mut self, indent: usize) -> Option<()> {
        self.at += 1;
        self.peek().is_none_or(|line| line.indent <= indent).then_some(())
    }

    fn node(&mut self, span: Span, value: Value) -> Option<Node> {
        self.nodes += 1;
        (self.nodes <= MOST_NODES).then_some(Node { span, value })
    }

    /// The mapping whose keys stand at `indent`; its first entry may stand behind a `- `.
    fn mapping(&mut self, indent: usize, mut first: Option<Part<'t>>, depth: usize) -> Option<Node> {
        let mut entries: Vec<(Key, Node)> = Vec::with_capacity(4);
        let begin = match first {
            Some(part) => part.start,
            None => self.peek()?.start + indent,
        };
        loop {
            let part = match first.take() {
                Some(part) => part,
                None => match self.peek() {
                    Some(line) if line.indent == indent => line.part(indent),
                    Some(line) if line.indent > indent => return None,
                    _ => break,
                },
            };
            if is_item(part.text) {
                return None;
            }
            let (text, length, rest) = key(part)?;
            if entries.iter().any(|(earlier, _)| earlier.text == text) {
                return None;
            }
            let key = Key { text: text.to_owned(), span: part.span(length) };
            let value = self.value(rest, indent, true, depth + 1)?;
            entries.push((key, value));
        }
        let end = entries.last().map_or(begin, |(key, value)| value.span.end.max(key.span.end));
        self.node(Span { start: begin, end }, Value::Map(entries))
    }

    /// The list whose `-` stand at `indent`.
    fn list(&mut self, indent: usize, depth: usize) -> Option<Node> {
        let begin = self.peek()?.start + indent;
        let mut items: Vec<Node> = Vec::with_capacity(4);
        while let Some(line) = self.peek() {
            if line.indent > indent {
                return None;
            }
            if line.indent < indent || !is_item(line.content()) {
                break;
            }
            let part = line.part(indent + 1);
            let column = part.start - line.start;
            let item = match key(part) {
                _ if is_item(part.text) => return None,
                Some(_) if !part.is_over() => self.mapping(column, Some(part), depth + 1)?,
                _ => self.value(part, indent, false, depth + 1)?,
            };
            items.push(item);
        }
        let end = items.last().map_or(begin, |item| item.span.end);
        self.node(Span { start: begin, end }, Value::List(items))
    }

    /// The value behind a `key:` or a `-` at `indent`. Below a key, a list may stand at the key's own indent.
    fn value(&mut self, part: Part<'t>, indent: usize, below_key: bool, depth: usize) -> Option<Node> {
        if depth > DEEPEST {
            return None;
        }
        if part.is_over() {
            self.at += 1;
            return match self.peek() {
                Some(line) if line.indent > indent && is_item(line.content()) => {
                    self.list(line.indent, depth)
                }
                Some(line) if line.indent > indent => self.mapping(line.indent, None, depth),
                Some(line) if below_key && line.indent == indent && is_item(line.content()) => {
                    self.list(indent, depth)
                }
                _ => self.node(part.span(0), Value::Null),
            };
        }
        let first = part.text.bytes().next()?;
        if matches!(first, b'|' | b'>') {
            return self.block_text(part, indent);
        }
        let (node, rest) = match first {
            b'{' | b'[' => self.flow(part, depth)?,
            b'"' | b'\'' => self.quoted(part)?,
            _ => self.plain(part)?,
        };
        if !rest.is_over() {
            return None;
        }
        self.next_line(indent)?;
        Some(node)
    }

    fn quoted(&mut self, part: Part<'t>) -> Option<(Node, Part<'t>)> {
        let (text, length) = quoted(part.text)?;
        let node = self.node(part.span(length), Value::Scalar { text: text.to_owned(), plain: false })?;
        let after = part.text.get(length..)?;
        // A `#` right behind the quote is no comment.
        (!after.starts_with('#')).then(|| (node, part.from(length)))
    }

    /// Text without quotes, to the end of the line or a comment.
    fn plain(&mut self, part: Part<'t>) -> Option<(Node, Part<'t>)> {
        begins_plain(part.text)?;
        let text = part.text.split(" #").next()?.trim_end_matches(' ');
        if text.contains(": ") || text.ends_with(':') {
            return None;
        }
        let node = self.node(part.span(text.len()), scalar(text))?;
        Some((node, part.from(text.len())))
    }

    /// `{ … }` or `[ … ]`, or what stands in one.
    fn flow(&mut self, part: Part<'t>, depth: usize) -> Option<(Node, Part<'t>)> {
        if depth > DEEPEST {
            return None;
        }
        match part.text.bytes().next()? {
            b'{' => self.flow_mapping(part, depth),
            b'[' => self.flow_list(part, depth),
            b'"' | b'\'' => self.quoted(part),
            _ => {
                let text = flow_plain(part.text)?;
                Some((self.node(part.span(text.len()), scalar(text))?, part.from(text.len())))
            }
        }
    }

    fn flow_mapping(&mut self, part: Part<'t>, depth: usize) -> Option<(Node, Part<'t>)> {
        let mut entries: Vec<(Key, Node)> = Vec::with_capacity(4);
        let mut rest = part.from(1);
        while !rest.text.starts_with('}') {
            let (text, length) = match rest.text.bytes().next()? {
                b'"' | b'\'' => quoted(rest.text)?,
                _ => flow_plain(rest.text).filter(|text| is_key(text)).map(|text| (text, text.len()))?,
            };
            if entries.iter().any(|(earlier, _)| earlier.text == text) {
                return None;
            }
            let key = Key { text: text.to_owned(), span: rest.span(length) };
            let colon = rest.text.get(length..)?;
            if !colon.starts_with(": ") {
                return None;
            }
            let (value, after) = self.flow(rest.from(length + 1), depth + 1)?;
            entries.push((key, value));
            rest = separated(after, '}')?;
        }
        let span = Span { start: part.start, end: rest.start + 1 };
        Some((self.node(span, Value::Map(entries))?, behind(rest)?))
    }

    fn flow_list(&mut self, part: Part<'t>, depth: usize) -> Option<(Node, Part<'t>)> {
        let mut items: Vec<Node> = Vec::with_capacity(4);
        let mut rest = part.from(1);
        while !rest.text.starts_with(']') {
            let (item, after) = self.flow(rest, depth + 1)?;
            items.push(item);
            rest = separated(after, ']')?;
        }
        let span = Span { start: part.start, end: rest.start + 1 };
        Some((self.node(span, Value::List(items))?, behind(rest)?))
    }

    /// `|` or `>`, perhaps with a `-`, and the lines below: none of them blank, none less far in than the first.
    fn block_text(&mut self, part: Part<'t>, indent: usize) -> Option<Node> {
        let folded = part.text.starts_with('>');
        let header = part.text.get(1..)?;
        let strip = header.starts_with('-');
        let after = header.strip_prefix('-').unwrap_or(header);
        if !(after.is_empty() || after.starts_with(' ') && after.trim_start_matches(' ').starts_with('#')) {
            return None;
        }
        self.at += 1;
        let first = *self.lines.get(self.at)?;
        let inner = first.indent;
        if inner <= indent || first.content().is_empty() {
            return None;
        }
        let mut text = String::new();
        let mut end = part.start;
        while let Some(line) = self.lines.get(self.at) {
            if line.content().is_empty() || line.indent <= indent {
                break;
            }
            // Folding leaves lines that stand further in as they are.
            if line.indent < inner || (folded && line.indent > inner) || line.text.ends_with(' ') {
                return None;
            }
            if !text.is_empty() {
                text.push(if folded { ' ' } else { '\n' });
            }
            text.push_str(line.text.get(inner..)?);
            end = line.start + line.text.len();
            self.at += 1;
        }
        let blank = |line: &&Line<'_>| line.content().is_empty();
        if self.lines.get(self.at..)?.iter().take_while(blank).any(|line| line.indent > 0) {
            return None;
        }
        if !strip {
            text.push('\n');
            end += 1;
        }
        // What comes behind blank lines could still be more of it.
        self.peek().is_none_or(|line| line.indent <= indent).then_some(())?;
        self.node(Span { start: part.start, end }, Value::Scalar { text, plain: false })
    }
}

/// Whether a line begins an entry of a list.
fn is_item(content: &str) -> bool {
    content == "-" || content.starts_with("- ")
}

/// Text without quotes may begin so, for certain.
fn begins_plain(text: &str) -> Option<()> {
    let mut bytes = text.bytes();
    let fits = match bytes.next()? {
        b'-' => bytes.next().is_some_and(|next| !matches!(next, b' ' | b',' | b'[' | b']' | b'{' | b'}')),
        b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' => false,
        b'\'' | b'"' | b'%' | b'@' | b'`' | b' ' => false,
        _ => true,
    };
    fits.then_some(())
}

fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        _ => Value::Scalar { text: text.to_owned(), plain: true },
    }
}

/// Whether a text without quotes can be a key.
fn is_key(text: &str) -> bool {
    !matches!(text, "" | "~" | "<<") && text.len() < 1000
}

/// The quoted text that comes first, and its length with the quotes. Nothing when it has escapes or goes on below.
fn quoted(text: &str) -> Option<(&str, usize)> {
    let quote = text.chars().next()?;
    let inside = text.get(1..)?;
    let end = inside.find(quote)?;
    let found = inside.get(..end)?;
    let doubled = quote == '\'' && inside.get(end + 1..)?.starts_with('\'');
    let escaped = quote == '"' && found.contains('\\');
    (!doubled && !escaped).then_some((found, end + 2))
}

/// The key that comes first, its length, and what stands behind its colon.
fn key<'t>(part: Part<'t>) -> Option<(&'t str, usize, Part<'t>)> {
    let ends =
        |at: usize| part.text.get(at + 1..).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    if part.text.starts_with(['"', '\'']) {
        let (text, length) = quoted(part.text)?;
        let colon = part.text.get(length..)?.starts_with(':') && ends(length);
        return (colon && text.len() < 1000).then(|| (text, length, part.from(length + 1)));
    }
    begins_plain(part.text)?;
    let colon = part.text.match_indices(':').map(|(at, _)| at).find(|at| ends(*at))?;
    let text = part.text.get(..colon)?;
    (is_key(text) && !text.ends_with(' ') && !text.contains(" #"))
        .then(|| (text, colon, part.from(colon + 1)))
}

/// Text without quotes inside of `{ … }` or `[ … ]`.
fn flow_plain(text: &str) -> Option<&str> {
    begins_plain(text)?;
    let bytes = text.as_bytes();
    let mut end = bytes.len();
    for (at, byte) in bytes.iter().enumerate() {
        let next = bytes.get(at + 1);
        match byte {
            b',' | b']' | b'}' => {
                end = at;
                break;
            }
            b'[' | b'{' => return None,
            b':' if next == Some(&b' ') => {
                end = at;
                break;
            }
            b':' if next.is_none_or(|next| matches!(next, b',' | b'[' | b']' | b'{' | b'}')) => return None,
            b'#' if at > 0 && bytes.get(at - 1) == Some(&b' ') => return None,
            _ => {}
        }
    }
    let found = text.get(..end)?;
    // A line may end inside of the brackets, and a space before a colon be part of a key: not here.
    (end < bytes.len() && !(found.ends_with(' ') && bytes.get(end) == Some(&b':')))
        .then(|| found.trim_end_matches(' '))
}

/// Behind an entry: at the closing bracket, or behind a comma with another entry.
fn separated<'t>(after: Part<'t>, close: char) -> Option<Part<'t>> {
    if after.text.starts_with(close) {
        return Some(after);
    }
    let next = after.text.starts_with(',').then(|| after.from(1))?;
    (!next.text.starts_with([close, ',']) && !next.text.is_empty()).then_some(next)
}

/// Behind the closing bracket that `rest` begins with. A `#` right there is no comment.
fn behind<'t>(rest: Part<'t>) -> Option<Part<'t>> {
    let after = rest.text.get(1..)?;
    (!after.starts_with('#')).then(|| rest.from(1))
}

#[cfg(test)]
mod tests;
