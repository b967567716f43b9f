//! The small tables of commands and flags, in the form that those of `kubectl` and `terraform` share.
//!
//! The first line of a table names the program and its version. Each other line is the path of a command, a tab, and
//! what is known of it: `+` for a group, `*` for a group that also does something by itself, `-` for a command, `~`
//! for one that is known by name only; then its flags, a space between: `!` before a required one, `,x` behind the
//! name for a letter that stands for it, and `:` and the kind of its value. The path `*` has the flags that every
//! command takes.

use std::collections::HashMap;
use std::sync::OnceLock;

/// A table of a program's commands.
pub(super) struct Table {
    text: &'static str,
    /// What is known of each path, found once: many files may be asked about.
    known: OnceLock<HashMap<&'static str, &'static str>>,
}

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// `b`: nothing, or `=true` and `=false`.
    Bool,
    /// Text.
    Text,
    /// `i`
    Integer,
    /// `d`: a duration as Go writes it.
    Duration,
    /// `o|…`: one of these words, behind `=` only.
    Attached(&'static str),
}

/// A flag of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flag {
    /// Its name without the dashes.
    pub(super) name: &'static str,
    /// The letter that stands for it.
    pub(super) letter: Option<char>,
    /// Whether the command fails without it.
    pub(super) required: bool,
    /// What it takes.
    pub(super) takes: Takes,
}

impl Table {
    /// The table that is written so.
    pub(super) const fn new(text: &'static str) -> Table {
        Table { text, known: OnceLock::new() }
    }

    /// `kubectl 1.32.4`
    pub(super) fn source(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    fn lines(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        self.text.lines().skip(1).filter_map(|line| line.split_once('\t'))
    }

    /// The nature of a command (`+`, `*`, `-` or `~`) and its flags.
    pub(super) fn command(&self, path: &str) -> Option<(char, Vec<Flag>)> {
        let known = self.known.get_or_init(|| self.lines().collect()).get(path)?;
        let mut words = known.split(' ');
        let nature = words.next()?.chars().next()?;
        Some((nature, words.map(flag).collect()))
    }

    /// The names of what stands directly below a group; of all commands for the empty path.
    pub(super) fn below(&self, path: &str) -> impl Iterator<Item = &'static str> + use<> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path} ") };
        self.lines()
            .filter_map(move |(key, _)| key.strip_prefix(prefix.as_str()))
            .filter(|name| !name.contains(' ') && *name != "*")
    }
}

fn flag(word: &'static str) -> Flag {
    let (name, kind) = word.split_once(':').unwrap_or((word, ""));
    let (required, name) = match name.strip_prefix('!') {
        Some(name) => (true, name),
        None => (false, name),
    };
    let (name, letter) = match name.split_once(',') {
        Some((name, letter)) => (name, letter.chars().next()),
        None => (name, None),
    };
    let takes = match kind {
        "b" => Takes::Bool,
        "i" => Takes::Integer,
        "d" => Takes::Duration,
        _ => kind.strip_prefix("o|").map_or(Takes::Text, Takes::Attached),
    };
    Flag { name, letter, required, takes }
}

/// What is wrong with a flag's value, after "expected".
pub(super) fn expected(takes: Takes, value: &str) -> Option<String> {
    match takes {
        Takes::Text => None,
        Takes::Bool => match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" | "0" | "f" | "F" | "false" | "FALSE" | "False" => {
                None
            }
            _ => Some("true or false".to_owned()),
        },
        Takes::Integer => match value.parse::<i64>() {
            Ok(_) => None,
            Err(_) => Some("a whole number".to_owned()),
        },
        Takes::Duration if is_duration(value) => None,
        Takes::Duration => Some("a duration such as 30s, 5m or 1h30m".to_owned()),
        Takes::Attached(of) if of.split('|').any(|one| one == value) => None,
        Takes::Attached(of) => Some(format!("one of {}", of.replace('|', ", "))),
    }
}

/// A duration as Go reads one: `90s`, `1h30m`, `1.5h`, `0`.
fn is_duration(value: &str) -> bool {
    let mut rest = value.strip_prefix(['+', '-']).unwrap_or(value);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (digits, behind) = rest.split_at(number);
        if !digits.contains(|c: char| c.is_ascii_digit()) || digits.matches('.').count() > 1 {
            return false;
        }
        let units = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];
        let Some(unit) = units.iter().find(|unit| {
            behind.strip_prefix(**unit).is_some_and(|next| !next.starts_with(char::is_alphabetic))
        }) else {
            return false;
        };
        rest = behind.get(unit.len()..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for good in ["90s", "1h30m", "1.5h", "0", "-1s", "100ms", ".5s", "1µs"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["", "90", "5 m", "1d", "s", "1..5s", "5min", "1h30", "-", "m5"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }

    #[test]
    fn a_line_is_read_flag_by_flag() {
        let table = Table::new("# x 1\n*\t- n:b\na\t+\na b\t- !c,d:i e:o|f|g h\nb\t~\n");
        assert_eq!(table.source(), "x 1");
        let (nature, flags) = table.command("a b").expect("a command");
        assert_eq!((nature, flags.len()), ('-', 3));
        assert_eq!(flags[0], Flag { name: "c", letter: Some('d'), required: true, takes: Takes::Integer });
        assert_eq!(flags[1].takes, Takes::Attached("f|g"));
        assert_eq!(flags[2].takes, Takes::Text);
        assert_eq!(table.below("").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(table.below("a").collect::<Vec<_>>(), ["b"]);
    }
}
