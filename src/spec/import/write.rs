//! firedrill's YAML as a person would lay it out: sections in blocks, small mappings on one line.
//!
//! Whatever text it is given is read back as that text, and can neither end a line nor steer a terminal.

use crate::notation::diagnostic::printable;

/// Lines are no longer than this where that can be.
const WIDTH: usize = 110;

/// A value to write.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Out {
    /// Text, quoted where it needs to be.
    Text(String),
    /// What is written as it stands: a number, a duration, a percentage.
    Bare(String),
    /// A sequence.
    List(Vec<Out>),
    /// A mapping.
    Map(Vec<(String, Out)>),
}

impl Out {
    pub(super) fn text(text: impl Into<String>) -> Out {
        Out::Text(text.into())
    }

    pub(super) fn bare(text: impl ToString) -> Out {
        Out::Bare(text.to_string())
    }

    /// A number as it stands, anything else as text.
    pub(super) fn number(text: &str) -> Out {
        let digits = !text.is_empty() && text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { Out::bare(text) } else { Out::text(text) }
    }

    pub(super) fn time(duration: std::time::Duration) -> Out {
        Out::Bare(crate::notation::units::show(duration))
    }

    pub(super) fn texts(texts: impl IntoIterator<Item = impl Into<String>>) -> Out {
        Out::List(texts.into_iter().map(Out::text).collect())
    }

    pub(super) fn map<const N: usize>(entries: [(&str, Out); N]) -> Out {
        Out::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// On one line.
    fn flow(&self) -> String {
        match self {
            Out::Text(text) => scalar(text),
            Out::Bare(text) => text.clone(),
            Out::List(items) => format!("[{}]", items.iter().map(Out::flow).collect::<Vec<_>>().join(", ")),
            Out::Map(entries) if entries.is_empty() => "{}".to_owned(),
            Out::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| format!("{}: {}", scalar(key), value.flow()));
                format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Writes `key: value`, the outermost `blocks` levels each on lines of their own.
pub(super) fn entry(key: &str, value: &Out, indent: usize, blocks: usize, text: &mut String) {
    let margin = " ".repeat(indent);
    let key = scalar(key);
    let flow = value.flow();
    let nested = match value {
        Out::List(items) => !items.is_empty(),
        Out::Map(entries) => !entries.is_empty(),
        Out::Text(_) | Out::Bare(_) => false,
    };
    if !nested || (blocks == 0 && indent + key.chars().count() + 2 + flow.chars().count() <= WIDTH) {
        text.push_str(&format!("{margin}{key}: {flow}\n"));
        return;
    }
    text.push_str(&format!("{margin}{key}:\n"));
    block(value, indent + 2, blocks.saturating_sub(1), text);
}

fn block(value: &Out, indent: usize, blocks: usize, text: &mut String) {
    match value {
        Out::Map(entries) => {
            entries.iter().for_each(|(key, value)| entry(key, value, indent, blocks, text));
        }
        Out::List(items) => items.iter().for_each(|each| item(each, indent, blocks, text)),
        other => text.push_str(&format!("{}{}\n", " ".repeat(indent), other.flow())),
    }
}

/// Writes an item of a list, a mapping with its keys below each other when `blocks` says so or it is too long.
pub(super) fn item(value: &Out, indent: usize, blocks: usize, text: &mut String) {
    let margin = " ".repeat(indent);
    let flow = value.flow();
    match value {
        Out::Map(entries)
            if entries.len() == 1
                || !entries.is_empty() && (blocks > 0 || indent + 2 + flow.chars().count() > WIDTH) =>
        {
            let mut inner = String::new();
            block(value, indent + 2, blocks.saturating_sub(1), &mut inner);
            text.push_str(&format!("{margin}- {}", inner.trim_start()));
        }
        _ => text.push_str(&format!("{margin}- {flow}\n")),
    }
}

/// A scalar or a key, in quotes unless nothing could take it for anything else.
fn scalar(text: &str) -> String {
    let fits = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '.' | '/' | '-' | '%' | '\'' | '(' | ')')
    };
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let plain = begins && !text.ends_with(' ') && text.chars().all(fits) && !word;
    if plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    // JSON within a command is read best as it is.
    let as_it_is = text.contains(['"', '\\']) && !text.contains('\'');
    if as_it_is && text.chars().all(|c| matches!(c, ' '..='~')) {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            ' '..='~' => quoted.push(c),
            c if c.is_alphanumeric()
                || matches!(c, '…' | '–' | '—' | '„' | '“' | '”' | '’' | '‘' | '€' | '→') =>
            {
                quoted.push(c);
            }
            c if u32::from(c) <= 0xff => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) <= 0xffff => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

/// Writes a remark, folded; `first` begins its first line, and the others stand below it.
pub(super) fn remark(first: &str, words: &str, text: &mut String) {
    let words = printable(&super::terms::line(words));
    let margin = " ".repeat(first.chars().count());
    let mut line = format!("# {first}");
    let mut bare = true;
    for word in words.split(' ') {
        if !bare && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(line.trim_end());
            text.push('\n');
            line = format!("# {margin}");
            bare = true;
        }
        if !bare {
            line.push(' ');
        }
        line.push_str(word);
        bare = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::notation::yaml::{Value, parse};

    fn written(value: &Out, blocks: usize) -> String {
        let mut text = String::new();
        entry("key", value, 0, blocks, &mut text);
        text
    }

    #[test]
    fn small_things_stand_on_one_line_and_sections_in_blocks() {
        let probe = Out::map([
            ("http", Out::map([("url", Out::text("http://h/")), ("timeout", Out::bare("2s"))])),
            ("every", Out::bare("1s")),
        ]);
        let web = Out::map([("web", probe)]);
        assert_eq!(
            written(&web, 2),
            "key:\n  web:\n    http: { url: \"http://h/\", timeout: 2s }\n    every: 1s\n"
        );
        let mut text = String::new();
        item(&Out::map([("name", Out::text("yes")), ("wait", Out::bare("1s"))]), 2, 1, &mut text);
        assert_eq!(text, "  - name: \"yes\"\n    wait: 1s\n");
    }

    #[test]
    fn remarks_are_folded_and_stay_remarks() {
        let mut text = String::new();
        remark("- ", &format!("one\nkind: x \u{1b}[31m {}", "word ".repeat(40)), &mut text);
        assert!(text.lines().all(|line| line.starts_with("# ") && line.chars().count() <= WIDTH), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in "\\PC{0,20}|.{0,20}", blocks in 0usize..3) {
            prop_assume!(!text.contains('\u{feff}'));
            let value = Out::Map(vec![("a".to_owned(), Out::List(vec![Out::text(text.clone())]))]);
            let parsed = parse(written(&value, blocks).as_bytes());
            prop_assert_eq!(&parsed.problems, &[]);
            let mut node = parsed.root.expect("a tree");
            loop {
                node = match node.value {
                    Value::Map(mut entries) => entries.remove(0).1,
                    Value::List(mut items) => items.remove(0),
                    Value::Scalar { text: read, .. } => {
                        prop_assert_eq!(read, text);
                        break;
                    }
                    Value::Null => panic!("nothing for {text:?}"),
                };
            }
        }
    }
}
