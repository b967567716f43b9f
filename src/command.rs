//! Whether a command line names what its program has: `aws`, `kubectl` and `terraform`, without starting any.
//!
//! Words in, findings out. What the programs know stands in tables that are part of this program. A word with `${…}`
//! in it is one that is not known yet: it may be anything, and is held against nothing. This module knows nothing of
//! files, YAML or drills.

use std::ops::Range;

use crate::notation::decode::clip;

mod aws;
mod flags;
mod kubectl;
mod native;
mod terraform;
mod words;

pub use words::{plain_command, split_command};

/// Something about a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What is wrong, in one line.
    pub message: String,
    /// A word under the place: what was expected there. May be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether the program may well do what is meant all the same.
    pub warning: bool,
    /// Whether nothing is wrong, and an action of firedrill would do the same better.
    pub offer: bool,
    /// Whether it is a word that only a shell understands, where there is none.
    pub shell: bool,
}

/// Where a finding is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The index of the word.
    pub word: usize,
    /// Which part of it, in bytes, when the word is a script of its own (`sh -c`).
    pub within: Option<Range<usize>>,
}

impl Finding {
    fn new(word: usize, message: impl Into<String>) -> Finding {
        let place = Place { word, within: None };
        Finding {
            place,
            message: message.into(),
            label: String::new(),
            help: None,
            warning: false,
            offer: false,
            shell: false,
        }
    }

    fn label(mut self, label: impl Into<String>) -> Finding {
        self.label = label.into();
        self
    }

    fn help(mut self, help: impl Into<String>) -> Finding {
        self.help = Some(help.into());
        self
    }

    fn warning(mut self) -> Finding {
        self.warning = true;
        self
    }
}

/// What is wrong with a program and its arguments. Nothing for a program that is not known here.
pub fn judge(argv: &[&str]) -> Vec<Finding> {
    let skipped = wrapped(argv);
    let words = argv.get(skipped..).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else { return Vec::new() };
    let mut findings = match name(program) {
        "sh" | "bash" | "dash" | "zsh" => script(arguments),
        _ => {
            let mut findings = command(words);
            findings.extend(shell_word(words));
            findings
        }
    };
    findings.iter_mut().for_each(|finding| finding.place.word += skipped);
    findings
}

/// A command that is no shell.
fn command(words: &[&str]) -> Vec<Finding> {
    match name(words.first().copied().unwrap_or_default()) {
        "aws" => aws::judge(words),
        "kubectl" => kubectl::judge(words),
        "terraform" => terraform::judge(words),
        _ => Vec::new(),
    }
}

/// The first word that only a shell understands, in a command that has none.
fn shell_word(words: &[&str]) -> Option<Finding> {
    // They hand their words to a shell, maybe elsewhere, or take such words themselves.
    const TAKES: [&str; 8] = ["ssh", "su", "watch", "parallel", "eval", "expr", "test", "["];
    const SHELL: [&str; 10] = ["|", "||", "&&", "&", ">", ">>", "<", "2>", "2>&1", "2>/dev/null"];
    let program = name(words.first()?);
    if TAKES.contains(&program) {
        return None;
    }
    let at = words.iter().position(|word| SHELL.contains(word))?;
    let message = format!("`{}` means something to a shell only, and there is none here", words.get(at)?);
    let finding = Finding::new(at, message)
        .label(format!("an argument of `{}`", clip(program)))
        .help("give the line to a shell: [sh, -c, \"… | …\"]")
        .warning();
    Some(Finding { shell: true, ..finding })
}

/// The last part of a program's path.
fn name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or_default()
}

/// How many words stand before the program that does the work: `env A=b`, `sudo`, `timeout 60`.
fn wrapped(argv: &[&str]) -> usize {
    let mut at = 0;
    while let Some(word) = argv.get(at) {
        let plain = argv.get(at + 1).is_some_and(|next| !next.starts_with('-'));
        at += match name(word) {
            "env" | "sudo" | "nohup" | "exec" | "command" | "time" if plain => 1,
            "timeout" if plain => 2,
            _ if is_assignment(word) => 1,
            _ => break,
        };
    }
    at
}

/// `NAME=value`
fn is_assignment(word: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(part) && !name.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// A shell's arguments: the commands of its script.
fn script(arguments: &[&str]) -> Vec<Finding> {
    // `-c`, also among others: `-ec`, `-lc`.
    let is_c = |word: &&str| {
        word.strip_prefix('-')
            .is_some_and(|flags| flags.ends_with('c') && flags.chars().all(|flag| flag.is_ascii_lowercase()))
    };
    let Some(at) = arguments.iter().position(is_c) else { return Vec::new() };
    // An option that takes a word (`-o pipefail`) may stand before: then this is not understood.
    if at > 0 {
        return Vec::new();
    }
    let Some(text) = arguments.get(at + 1) else { return Vec::new() };
    let Some(commands) = words::split_script(text) else { return Vec::new() };
    let mut findings = Vec::new();
    for words in commands {
        let plain: Vec<&str> = words.iter().map(|(_, word)| word.as_str()).collect();
        let opening = plain.iter().take_while(|word| OPENING.contains(word)).count();
        let inside = plain.get(opening..).unwrap_or_default();
        let skipped = opening + wrapped(inside);
        for mut finding in command(plain.get(skipped..).unwrap_or_default()) {
            finding.place = Place {
                // The program itself is the word before the arguments.
                word: at + 2,
                within: words.get(skipped + finding.place.word).map(|(range, _)| range.clone()),
            };
            findings.push(finding);
        }
    }
    findings
}

/// What a shell's command may stand behind.
const OPENING: [&str; 9] = ["if", "then", "else", "elif", "do", "while", "until", "!", "{"];

/// Whether a word is not known yet, as a whole or in part.
fn open(word: &str) -> bool {
    word.contains("${")
}

/// The known name nearest to `name`, when one is near enough to be what was meant.
fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let lower = name.to_ascii_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let most = (candidate.chars().count().max(3) / 3).clamp(1, 4);
        // What differs more in length than it may in letters is not compared.
        if candidate.len().abs_diff(lower.len()) > most {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_ascii_lowercase());
        // A letter is forgotten more often than one is added.
        let nearer = |(least, found): (usize, &str)| {
            distance < least || (distance == least && candidate.len() > found.len())
        };
        if distance <= most && best.is_none_or(nearer) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `` `a` ``, `` `a` and `b` ``, `` `a`, `b` and `c` ``.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [head @ .., last] => {
            let head: Vec<String> = head.iter().map(|name| format!("`{name}`")).collect();
            format!("{} and `{last}`", head.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
