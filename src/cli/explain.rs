//! `firedrill explain`: what a problem's code means, with a wrong and a right example.

use std::io::{self, Write};

use clap::Args;

use super::reference::wrapped;
use crate::notation::code::Code;
use crate::notation::diagnostic::printable;
use crate::spec::lessons::{Lesson, lesson};

/// What to explain.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// A code, such as FD0101 or 101; without one, all are listed.
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

/// Explains a code, or lists them all. Gives the exit code: 0, or 2 for a code that there is not.
pub fn explain(code: Option<&str>, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let Some(text) = code else {
        list(out)?;
        return Ok(0);
    };
    match Code::read(text).and_then(lesson) {
        Some(lesson) => {
            page(lesson, out)?;
            Ok(0)
        }
        None => {
            write!(err, "error: there is no code `{}`", printable(text))?;
            match near(text) {
                Some(near) => writeln!(err, "; did you mean {near} ({})?", near.title())?,
                None => writeln!(err, "; `firedrill explain` lists them")?,
            }
            Ok(2)
        }
    }
}

/// The headings of the list, by hundreds.
const PARTS: [&str; 8] = [
    "The file and its YAML",
    "Keys, types and values",
    "Names and references",
    "Steps and their order",
    "Objectives and measuring",
    "Guardrails and safety",
    "The project file",
    "Game days",
];

fn list(out: &mut dyn Write) -> io::Result<()> {
    let mut part = None;
    for code in Code::ALL {
        let hundreds = usize::from(code.number() / 100);
        if part != Some(hundreds) {
            let blank = if part.is_some() { "\n" } else { "" };
            writeln!(out, "{blank}{}\n", PARTS.get(hundreds).copied().unwrap_or_default())?;
            part = Some(hundreds);
        }
        let warns = if lesson(*code).is_some_and(|lesson| lesson.warns) { " (a warning)" } else { "" };
        writeln!(out, "  {code}  {}{warns}", code.title())?;
    }
    writeln!(out, "\n`firedrill explain CODE` says more. A code never changes its meaning.")
}

fn page(lesson: &Lesson, out: &mut dyn Write) -> io::Result<()> {
    let warns = if lesson.warns { " (a warning)" } else { "" };
    writeln!(out, "{}: {}{warns}\n", lesson.code, lesson.code.title())?;
    wrapped(lesson.about, "  ", out)?;
    for (title, example) in [("Wrong", lesson.wrong()), ("Right", lesson.right())] {
        writeln!(out, "\n{title}\n")?;
        example.lines().try_for_each(|line| writeln!(out, "  {line}"))?;
    }
    Ok(())
}

/// The code whose number, or whose title, is nearest to what was written.
fn near(text: &str) -> Option<Code> {
    let text = text.trim().to_lowercase();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let by_title = || Code::ALL.iter().copied().find(|code| code.title().to_lowercase().contains(&text));
    match digits.parse::<i32>() {
        Ok(number) => {
            let distance = |code: &&Code| (i32::from(code.number()) - number).abs();
            let about_the_same = |code: &&Code| i32::from(code.number()) / 100 == number / 100;
            let near = Code::ALL.iter().filter(about_the_same).min_by_key(distance);
            near.filter(|code| distance(code) <= 10).copied()
        }
        Err(_) if text.len() > 2 => by_title(),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(code: Option<&str>) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = explain(code, &mut out, &mut err).expect("written");
        (exit, String::from_utf8(out).expect("text"), String::from_utf8(err).expect("text"))
    }

    #[test]
    fn a_code_is_explained_with_both_examples() {
        let (exit, out, err) = run(Some("fd0108"));
        assert_eq!((exit, err.as_str()), (0, ""));
        insta::assert_snapshot!(out, @r"
        FD0108: a duration without a unit

          A duration without a unit means seconds to one tool and milliseconds to the next. An RTO that
          is wrong by a factor of a thousand still looks like an RTO, so the unit is written.

        Wrong

          objectives: { rto: 90 }

        Right

          objectives: { rto: 90s }
        ");
        assert_eq!(run(Some("108")), (exit, out, err));
    }

    #[test]
    fn all_codes_are_listed_a_line_each() {
        let (exit, out, _) = run(None);
        assert_eq!(exit, 0);
        for code in Code::ALL {
            assert_eq!(out.lines().filter(|line| line.contains(&code.to_string())).count(), 1, "{code}");
        }
        assert!(out.contains("  FD0510  a password in the file (a warning)\n"), "{out}");
    }

    #[test]
    fn an_unknown_code_is_answered_with_the_nearest() {
        let unknown = |code| {
            let (exit, out, err) = run(Some(code));
            assert_eq!((exit, out.as_str()), (2, ""));
            err
        };
        assert_eq!(unknown("FD0199"), "error: there is no code `FD0199`; `firedrill explain` lists them\n");
        assert_eq!(
            unknown("FD0100"),
            "error: there is no code `FD0100`; did you mean FD0101 (unknown key)?\n"
        );
        assert_eq!(
            unknown("merge key"),
            "error: there is no code `merge key`; did you mean FD0012 (a merge key (`<<`))?\n"
        );
        assert_eq!(unknown("\u{1b}[2J").matches('\u{1b}').count(), 0);
    }
}
