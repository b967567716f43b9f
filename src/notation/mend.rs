//! Mends a text by the certain changes that its problems carry, one at a time.
//!
//! A change is kept only when the text is better for it: it is YAML, or further on the way to it, it has fewer errors,
//! and its comments are the same. It knows nothing of files, nor of what the text is about: that is the judge's.

use super::decode::Problem;
use super::yaml;

/// A text after its changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Mended {
    /// The text.
    pub text: String,
    /// What was done, in the order it was done.
    pub done: Vec<Done>,
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// The line of the text as it was, from 1.
    pub line: usize,
    /// What was done.
    pub what: String,
}

/// No text takes more changes than this at once.
const MOST: usize = 200;

/// Makes the changes that make the text better. `judge` says what is wrong with a text. `None` when there is nothing to
/// be done.
pub fn mend(text: &str, judge: &dyn Fn(&str) -> Vec<Problem>) -> Option<Mended> {
    let mut mended = Mended { text: text.to_owned(), done: Vec::new() };
    // Places where lines went, in the text as it was when they did, and how many.
    let mut gone: Vec<(usize, usize)> = Vec::new();
    let mut problems = judge(text);
    while mended.done.len() < MOST {
        let Some(better) = first_better(&mended.text, &problems, judge) else { break };
        let at = better.at;
        let lines = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count();
        let before = lines(mended.text.get(..at).unwrap_or_default());
        let earlier: usize = gone.iter().filter(|(line, _)| *line <= before).map(|(_, count)| count).sum();
        // What is taken out begins at the end of the line before.
        let own = lines(&mended.text).saturating_sub(lines(&better.text));
        mended.done.push(Done { line: before + earlier + own + 1, what: better.what });
        if own > 0 {
            gone.push((before, own));
        }
        mended.text = better.text;
        problems = better.problems;
    }
    (!mended.done.is_empty()).then_some(mended)
}

/// A text that is better than the one before it.
struct Better {
    text: String,
    problems: Vec<Problem>,
    at: usize,
    what: String,
}

fn first_better(text: &str, problems: &[Problem], judge: &dyn Fn(&str) -> Vec<Problem>) -> Option<Better> {
    let now = badness(text, problems);
    let comments = yaml::comments(text);
    let mut fixes: Vec<_> = problems.iter().filter_map(|problem| problem.fix.as_ref()).collect();
    fixes.sort_by_key(|fix| fix.span);
    fixes.dedup();
    fixes.into_iter().take(MOST).find_map(|fix| {
        let (range, _) = fix.edit(text)?;
        let after = fix.apply(text)?;
        // Where the text was no YAML before, its comments could not be told.
        if comments.is_some() && yaml::comments(&after) != comments {
            return None;
        }
        let problems = judge(&after);
        let better = badness(&after, &problems) < now;
        better.then(|| Better { text: after, problems, at: range.start, what: fix.what.clone() })
    })
}

/// How bad a text is: no YAML, the worse the earlier it breaks; else by its errors, and then its warnings.
fn badness(text: &str, problems: &[Problem]) -> (bool, usize, usize) {
    let errors = || problems.iter().filter(|problem| !problem.warning);
    match yaml::parse(text.as_bytes()).root {
        Some(_) => (false, errors().count(), problems.len()),
        None => {
            let broken = errors().map(|problem| problem.span.start).min().unwrap_or_default();
            (true, usize::MAX - broken, 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::code::Code;
    use crate::notation::fix::Fix;
    use crate::notation::yaml::{Node, Span, Value};

    /// Finds `bad` wrong wherever it is a value, and `worse` twice as much.
    fn judge(text: &str) -> Vec<Problem> {
        let parsed = yaml::parse(text.as_bytes());
        let mut problems = parsed.problems;
        let Some(Node { value: Value::Map(entries), .. }) = parsed.root else { return problems };
        for (_, node) in entries {
            let Value::Scalar { text, .. } = &node.value else { continue };
            let count = usize::from(text == "bad") + 2 * usize::from(text == "worse");
            for nth in 0..count {
                let problem = Problem::new(Code::UnknownWord, node.span, format!("{text} {nth}"));
                let to = if text == "bad" { "good" } else { "bad" };
                problems.push(problem.fix(Fix::replace(node.span, text, to)));
            }
        }
        problems
    }

    #[test]
    fn changes_are_made_one_after_the_other_until_none_helps() {
        let text = "# kept\na: bad # kept\nb: 'worse'\nc: fine\n";
        let mended = mend(text, &judge).expect("mended");
        assert_eq!(mended.text, "# kept\na: good # kept\nb: good\nc: fine\n");
        let done: Vec<(usize, &str)> =
            mended.done.iter().map(|done| (done.line, done.what.as_str())).collect();
        assert_eq!(
            done,
            [(2, "`bad` becomes `good`"), (3, "`worse` becomes `bad`"), (3, "`bad` becomes `good`")]
        );
        assert_eq!(mend(&mended.text, &judge), None);
    }

    #[test]
    fn a_change_that_does_not_help_is_not_made() {
        let useless = |text: &str| {
            let span = Span { start: 3, end: 3 + text.len().saturating_sub(4) };
            vec![Problem::new(Code::UnknownWord, span, "wrong").fix(Fix::replace(span, "x", "yy"))]
        };
        assert_eq!(mend("a: x\n", &useless), None);
        // A change that would make a comment of what stands after it.
        let comment = |text: &str| match text.contains("bad") {
            true => {
                let span = Span { start: 3, end: 6 };
                vec![Problem::new(Code::UnknownWord, span, "wrong").fix(Fix::replace(span, "bad", "x # y"))]
            }
            false => Vec::new(),
        };
        assert_eq!(mend("a: bad\n", &comment), None);
    }

    #[test]
    fn references_are_quoted_line_by_line_until_the_text_is_yaml() {
        let text = "a: { x: ${one} }\nb: { x: ${two}/y, z: ${three} }\n";
        let mended = mend(text, &judge).expect("mended");
        assert_eq!(mended.text, "a: { x: \"${one}\" }\nb: { x: \"${two}/y\", z: \"${three}\" }\n");
        assert_eq!(mended.done.iter().map(|done| done.line).collect::<Vec<_>>(), [1, 2, 2]);
    }

    #[test]
    fn lines_are_those_of_the_text_as_it_was() {
        let twice = |text: &str| {
            let found: Vec<usize> = text.match_indices("- x").map(|(at, _)| at + 2).collect();
            let mut problems: Vec<Problem> = found
                .windows(2)
                .map(|pair| {
                    let (first, second) = (
                        Span { start: pair[0], end: pair[0] + 1 },
                        Span { start: pair[1], end: pair[1] + 1 },
                    );
                    Problem::new(Code::AlarmTwice, second, "twice").fix(Fix::remove_item(first, second, "x"))
                })
                .collect();
            problems.extend(judge(text));
            problems
        };
        let mended = mend("l:\n - x\n - x\nb: bad\n", &twice).expect("mended");
        assert_eq!(mended.text, "l:\n - x\nb: good\n");
        assert_eq!(mended.done.iter().map(|done| done.line).collect::<Vec<_>>(), [3, 4]);
    }
}
