//! `kubectl`: its commands and flags, read as its own parser (pflag) reads them.
//!
//! Flags stand anywhere, long or as letters, and are never cut short. What a cluster holds is not known here: of a
//! resource's kind only a slip in the name of a built-in one is told, and a command that resembles no known one may
//! be a plugin.

use super::flags::{Flag, Table, Takes, expected};
use super::{Finding, clip, listed, nearest, open};

mod resource;

static TABLE: Table = Table::new(include_str!("kubectl/table.txt"));

/// Flags that had another name once.
const RENAMED: [(&str, &str); 1] = [("delete-local-data", "delete-emptydir-data")];

/// What is wrong with `words`, the first of which is the program.
pub(super) fn judge(words: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let globals = TABLE.command("*").map(|(_, flags)| flags).unwrap_or_default();
    let Some(named) = command(words, &globals, &mut findings) else { return findings };
    let mut known = TABLE.command(&named.path).map(|(_, flags)| flags).unwrap_or_default();
    let own = known.len();
    known.extend(globals);
    let mut line = Line { words, known: &known, path: &named.path, findings: &mut findings };
    let Some(free) = line.flags(&named.at) else { return findings };
    line.missing(&named, own);
    resource::check(&named.path, words, &free, &mut findings);
    findings
}

/// The command that the words name, and where.
struct Named {
    path: String,
    at: Vec<usize>,
}

fn command(words: &[&str], globals: &[Flag], findings: &mut Vec<Finding>) -> Option<Named> {
    let mut named = Named { path: String::new(), at: Vec::new() };
    let mut nature = '+';
    let mut at = 1;
    while let Some(word) = words.get(at) {
        if open(word) || *word == "--" {
            break;
        }
        if word.starts_with('-') {
            at += if takes_next(word, globals) { 2 } else { 1 };
            continue;
        }
        if *word == "help" || (named.path.is_empty() && matches!(*word, "options" | "__complete")) {
            return None;
        }
        let next = if named.path.is_empty() { (*word).to_owned() } else { format!("{} {word}", named.path) };
        match TABLE.command(&next).filter(|_| !word.contains(' ') && *word != "*") {
            Some((found, _)) => {
                (named.path, nature) = (next, found);
                named.at.push(at);
                if nature == '-' {
                    return Some(named);
                }
            }
            None if nature == '*' => return Some(named),
            None => {
                findings.extend(unknown(at, &named.path, word));
                return None;
            }
        }
        at += 1;
    }
    match nature {
        '*' => return Some(named),
        // The word that is not known yet may be the command.
        _ if at < words.len() || words.iter().any(|word| help(word)) => {}
        _ => findings.push(
            Finding::new(
                words.len().saturating_sub(1),
                format!("`{}` alone does nothing", line(&named.path)),
            )
            .label("a command is needed here"),
        ),
    }
    None
}

fn help(word: &str) -> bool {
    matches!(word, "--help" | "-h" | "--version")
}

/// Whether the word is a flag whose value is the next word, as far as is known before the command is.
fn takes_next(word: &str, globals: &[Flag]) -> bool {
    if word.contains('=') || help(word) {
        return false;
    }
    let flag = match word.strip_prefix("--") {
        Some(name) => globals.iter().find(|flag| flag.name == name),
        // `-nprod` has its value with it.
        None if word.chars().count() > 2 => return false,
        None => globals.iter().find(|flag| flag.letter == word.chars().nth(1)),
    };
    flag.is_none_or(|flag| !matches!(flag.takes, Takes::Bool | Takes::Attached(_)))
}

fn line(path: &str) -> String {
    format!("kubectl {path}").trim_end().to_owned()
}

/// A command that is not known: a slip, or a plugin.
fn unknown(at: usize, path: &str, word: &str) -> Option<Finding> {
    let finding = Finding::new(at, format!("`{}` has no command `{}`", line(path), clip(word)));
    match nearest(word, TABLE.below(path)) {
        Some(near) => Some(finding.label(format!("did you mean `{near}`?"))),
        None if path.is_empty() => None,
        None => {
            let names: Vec<String> = TABLE.below(path).map(str::to_owned).collect();
            Some(finding.label(format!("expected {}", listed(&names))))
        }
    }
}

struct Line<'l> {
    words: &'l [&'l str],
    known: &'l [Flag],
    path: &'l str,
    findings: &'l mut Vec<Finding>,
}

impl Line<'_> {
    /// Checks every flag. The indices of the words that are neither flags nor the command's name; `None` when help is
    /// asked for.
    fn flags(&mut self, named: &[usize]) -> Option<Vec<usize>> {
        let mut free = Vec::new();
        let mut at = 1;
        while let Some(word) = self.words.get(at).copied() {
            let place = at;
            at += 1;
            if word == "--" {
                break;
            }
            if help(word) {
                return None;
            }
            if named.contains(&place) {
                continue;
            }
            if open(word.split('=').next().unwrap_or_default()) || !word.starts_with('-') || word == "-" {
                free.push(place);
                continue;
            }
            let took = match word.strip_prefix("--") {
                Some(long) => self.long(place, long),
                None => self.letters(place, word.get(1..).unwrap_or_default()),
            };
            match took {
                Some(count) => at += count,
                // Whether the next word is the value of an unknown flag is not known.
                None => return Some(Vec::new()),
            }
        }
        Some(free)
    }

    /// `--name`, `--name=value`, `--name value`. How many further words it takes; `None` for an unknown one.
    fn long(&mut self, place: usize, text: &str) -> Option<usize> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let Some(flag) = self.known.iter().find(|flag| flag.name == name).copied() else {
            let finding =
                Finding::new(place, format!("`{}` has no flag `--{}`", line(self.path), clip(name)));
            let renamed = RENAMED.iter().find(|(old, _)| *old == name).map(|(_, new)| *new);
            let near = renamed.or_else(|| nearest(name, self.known.iter().map(|flag| flag.name)));
            self.findings.push(match near {
                Some(near) => finding.label(format!("did you mean `--{near}`?")),
                None => finding.label(format!("not known to {}", TABLE.source())),
            });
            return None;
        };
        Some(self.value(place, &flag, &format!("--{name}"), value))
    }

    /// `-n value`, `-nvalue`, `-n=value`, `-it`.
    fn letters(&mut self, place: usize, text: &str) -> Option<usize> {
        let mut rest = text;
        let name = text.split('=').next().unwrap_or_default();
        if name.len() > 2 && self.known.iter().any(|flag| flag.name == name) {
            let finding = Finding::new(place, format!("`-{name}` is read letter by letter"));
            self.findings.push(finding.label(format!("did you mean `--{name}`?")));
            return None;
        }
        while let Some(letter) = rest.chars().next() {
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            let Some(flag) = self.known.iter().find(|flag| flag.letter == Some(letter)).copied() else {
                let message = format!("`{}` has no flag `-{letter}`", line(self.path));
                let finding = Finding::new(place, message);
                self.findings.push(finding.label(format!("not known to {}", TABLE.source())));
                return None;
            };
            if let Some(value) = rest.strip_prefix('=') {
                return Some(self.value(place, &flag, &format!("-{letter}"), Some(value)));
            }
            if matches!(flag.takes, Takes::Bool | Takes::Attached(_)) {
                continue;
            }
            let value = (!rest.is_empty()).then_some(rest);
            return Some(self.value(place, &flag, &format!("-{letter}"), value));
        }
        Some(0)
    }

    fn value(&mut self, place: usize, flag: &Flag, shown: &str, attached: Option<&str>) -> usize {
        let next = self.words.get(place + 1).copied();
        let (at, value, took) = match (attached, flag.takes, next) {
            (Some(value), _, _) => (place, value, 0),
            (None, Takes::Bool, Some(value @ ("true" | "false"))) => {
                self.apart(place + 1, shown, value);
                return 0;
            }
            (None, Takes::Attached(of), Some(value)) if of.split('|').any(|one| one == value) => {
                self.apart(place + 1, shown, value);
                return 0;
            }
            (None, Takes::Bool | Takes::Attached(_), _) => return 0,
            (None, _, Some(value)) => (place + 1, value, 1),
            (None, _, None) => {
                self.findings.push(Finding::new(place, format!("`{shown}` has no value")));
                return 0;
            }
        };
        if open(value) {
            return took;
        }
        if let Some(expected) = expected(flag.takes, value) {
            self.findings.push(
                Finding::new(at, format!("`{}` is no value for `{shown}`", clip(value)))
                    .label(format!("expected {expected}")),
            );
        } else if flag.name == "patch"
            && value.trim_start().starts_with(['{', '['])
            && !resource::closed(value)
        {
            self.findings.push(
                Finding::new(at, "the patch is broken").label("a quote or a bracket in it is never closed"),
            );
        }
        took
    }

    fn apart(&mut self, at: usize, shown: &str, value: &str) {
        self.findings.push(
            Finding::new(at, format!("`{shown}` takes its value behind `=`"))
                .label(format!("write `{shown}={value}`")),
        );
    }

    /// The flags that the command cannot do without; `own` is how many of those known are its own.
    fn missing(&mut self, named: &Named, own: usize) {
        let given = |flag: &Flag| {
            let long = format!("--{}", flag.name);
            let behind = format!("{long}=");
            self.words.iter().any(|word| *word == long || word.starts_with(&behind) || open(word))
        };
        let names: Vec<String> = self
            .known
            .iter()
            .take(own)
            .filter(|flag| flag.required && !given(flag))
            .map(|flag| format!("--{}", flag.name))
            .collect();
        let broken = self.findings.iter().any(|finding| !finding.warning);
        if let (Some(at), false, false) = (named.at.last(), names.is_empty(), broken) {
            self.findings.push(
                Finding::new(*at, format!("`{}` needs {}", line(self.path), listed(&names)))
                    .label("it is missing"),
            );
        }
    }
}
