//! Changes of a file's text that certainly mend a problem: a misspelt key, a `yes` for `true`.
//!
//! Certain means that nobody would have to think about it. Everything else is advice, and stays a help line. A change
//! is a place and what stands there afterwards: it touches no other byte, and no comment.

use std::ops::Range;

use super::yaml::Span;

/// A change that certainly mends a problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    /// What is changed.
    pub span: Span,
    /// What becomes of it.
    pub change: Change,
    /// What is done, for people: `` `hypotesis` becomes `hypothesis` ``.
    pub what: String,
}

/// What becomes of a place.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// This stands there instead.
    Replace(String),
    /// A list's item goes, with the comma or the dash before it; `after` is the end of the item before.
    RemoveItem {
        /// The end of the item before.
        after: usize,
    },
}

impl Fix {
    /// Another word at a place.
    pub fn replace(span: Span, from: &str, to: &str) -> Fix {
        let what = format!("`{}` becomes `{}`", super::decode::clip(from), super::decode::clip(to));
        Fix { span, change: Change::Replace(to.to_owned()), what }
    }

    /// Takes an item out of its list.
    pub fn remove_item(before: Span, span: Span, item: &str) -> Fix {
        let what = format!("`{}` is named once", super::decode::clip(item));
        Fix { span, change: Change::RemoveItem { after: before.end }, what }
    }

    /// The bytes that go and the text that comes, as far as the text is as it was when the fix was made. `None` when
    /// there is more at the place than may be changed: a comment, or something else.
    pub fn edit(&self, text: &str) -> Option<(Range<usize>, &str)> {
        let item = text.get(self.span.start..self.span.end)?;
        match &self.change {
            Change::Replace(with) => {
                // An alias shows what stands elsewhere, under the alias's name.
                let sound = !item.is_empty() && !item.starts_with(['*', '&', '!']) && !item.contains('\n');
                sound.then_some((self.span.start..self.span.end, with.as_str()))
            }
            Change::RemoveItem { after } => {
                let gap = text.get(*after..self.span.start)?;
                let rest = text.get(self.span.end..)?;
                let line = rest.lines().next().unwrap_or_default();
                let sound = matches!(gap.trim(), "," | "-") && !line.contains('#');
                sound.then_some((*after..self.span.end, ""))
            }
        }
    }

    /// The text after the change.
    pub fn apply(&self, text: &str) -> Option<String> {
        let (range, with) = self.edit(text)?;
        Some(format!("{}{with}{}", text.get(..range.start)?, text.get(range.end..)?))
    }
}

/// The first value of a line that has a `${…}` and no quotes, as it would have to be quoted. `start` is where the line
/// begins in its text.
pub(super) fn quoted_reference(line: &str, start: usize) -> Option<Fix> {
    let (mut single, mut double) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            '"' if !single => double = !double,
            '\'' if !double => single = !single,
            '#' if !single && !double => return None,
            '$' if !single && !double && line.get(at..)?.starts_with("${") => {
                let before = line.get(..at)?.trim_end();
                if !before.ends_with([':', ',', '[']) {
                    return None;
                }
                let value = unquoted_value(line.get(at..)?)?;
                let span = Span { start: start + at, end: start + at + value.len() };
                return Some(Fix::replace(span, value, &format!("\"{value}\"")));
            }
            _ => {}
        }
    }
    None
}

/// The text from a `${` to where the value of a flow collection ends.
fn unquoted_value(text: &str) -> Option<&str> {
    let mut inside = false;
    for (at, c) in text.char_indices() {
        match c {
            '{' => inside = true,
            '}' if inside => inside = false,
            ',' | '}' | ']' if !inside => return text.get(..at).map(str::trim_end),
            '"' | '\'' | '\\' | '#' | '\n' => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str, part: &str) -> Span {
        let start = text.rfind(part).expect("a part");
        Span { start, end: start + part.len() }
    }

    #[test]
    fn a_word_is_replaced_and_nothing_else() {
        let text = "# kept\r\nhypotesis: x   # kept too\r\n";
        let fix = Fix::replace(span(text, "hypotesis"), "hypotesis", "hypothesis");
        assert_eq!(fix.apply(text).as_deref(), Some("# kept\r\nhypothesis: x   # kept too\r\n"));
        assert_eq!(fix.apply("short"), None);
        let alias = Fix::replace(Span { start: 3, end: 7 }, "yes", "true");
        assert_eq!(alias.apply("a: *yes"), None);
    }

    #[test]
    fn an_item_goes_with_its_separator_unless_a_comment_stands_there() {
        let remove = |text: &str| {
            let first = text.find("web").expect("an item");
            let fix = Fix::remove_item(Span { start: first, end: first + 3 }, span(text, "web"), "web");
            fix.apply(text)
        };
        assert_eq!(remove("alarms: [web, web]\n").as_deref(), Some("alarms: [web]\n"));
        assert_eq!(remove("alarms:\n  - web\n  - web\nx: y\n").as_deref(), Some("alarms:\n  - web\nx: y\n"));
        assert_eq!(remove("alarms:\n  - web # first\n  - web\n"), None);
        assert_eq!(remove("alarms:\n  - web\n  - web # again\n"), None);
        assert_eq!(remove("alarms: [web, other, web]\n"), None);
    }

    #[test]
    fn a_reference_is_quoted_to_the_end_of_its_value() {
        let quoted = |line: &str| quoted_reference(line, 0).and_then(|fix| fix.apply(line));
        assert_eq!(
            quoted("  http: { url: ${base}/health, method: GET }").as_deref(),
            Some("  http: { url: \"${base}/health\", method: GET }")
        );
        assert_eq!(quoted("  run: [echo, ${word}]").as_deref(), Some("  run: [echo, \"${word}\"]"));
        assert_eq!(quoted("  { a: \"${x}\", b: ${y} }").as_deref(), Some("  { a: \"${x}\", b: \"${y}\" }"));
        for untouched in
            ["  { a: \"${x}\" }", "  { a: b${x} }", "  { a: b } # ${x}", "  { a: ${x", "  { a: ${x} # }"]
        {
            assert_eq!(quoted(untouched), None, "{untouched}");
        }
    }
}
