//! `terraform`: its subcommands and flags, read as Go's `flag` package reads them.
//!
//! Flags begin with one dash or two, stand before all other words, and are never cut short. Of what a configuration
//! holds nothing is known here.

use super::flags::{Flag, Table, Takes, expected};
use super::{Finding, clip, listed, nearest, open};

static TABLE: Table = Table::new(include_str!("terraform/table.txt"));

/// What is wrong with `words`, the first of which is the program.
pub(super) fn judge(words: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((at, path, flags)) = command(words, &mut findings) {
        self::flags(words, at, &path, &flags, &mut findings);
    }
    findings
}

/// The index behind the command's name, the name, and its flags.
fn command(words: &[&str], findings: &mut Vec<Finding>) -> Option<(usize, String, Vec<Flag>)> {
    let mut at = 1;
    // Global options stand before the subcommand, each in one word.
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
        match name {
            "help" | "h" | "version" | "v" => return None,
            "chdir" if word.contains('=') => at += 1,
            _ if open(word) => return None,
            "chdir" => {
                findings.push(
                    Finding::new(at, "`-chdir` has no value")
                        .label("expected its value behind `=`: -chdir=DIR"),
                );
                return None;
            }
            _ => {
                findings.push(
                    Finding::new(at, format!("`{}` is no global option of terraform", clip(word)))
                        .label("options of a subcommand stand behind it"),
                );
                return None;
            }
        }
    }
    let mut path = String::new();
    loop {
        let Some(word) = words.get(at) else {
            findings.push(
                Finding::new(words.len().saturating_sub(1), format!("`{}` alone does nothing", line(&path)))
                    .label("a subcommand is needed here"),
            );
            return None;
        };
        if open(word) || ["-help", "--help", "-h", "help"].contains(word) {
            return None;
        }
        let next = if path.is_empty() { (*word).to_owned() } else { format!("{path} {word}") };
        let Some((nature, flags)) = TABLE.command(&next).filter(|_| !word.contains(' ') && *word != "*")
        else {
            findings.push(unknown(at, &path, word));
            return None;
        };
        at += 1;
        // `terraform providers lock` and `terraform providers`.
        let group = nature == '+' || (nature == '*' && below(&next, words.get(at)));
        match nature {
            '~' => return None,
            _ if group => path = next,
            _ => return Some((at, next, flags)),
        }
    }
}

fn below(path: &str, word: Option<&&str>) -> bool {
    word.is_some_and(|word| TABLE.below(path).any(|name| name == *word))
}

fn line(path: &str) -> String {
    format!("terraform {path}").trim_end().to_owned()
}

fn unknown(at: usize, path: &str, word: &str) -> Finding {
    let finding = Finding::new(at, format!("`{}` has no subcommand `{}`", line(path), clip(word)));
    match nearest(word, TABLE.below(path)) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding.label(format!("not known to {}", TABLE.source())),
    }
}

fn flags(words: &[&str], mut at: usize, path: &str, known: &[Flag], findings: &mut Vec<Finding>) {
    while let Some(word) = words.get(at) {
        if open(word.split('=').next().unwrap_or_default()) || *word == "--" {
            return;
        }
        if !word.starts_with('-') || *word == "-" {
            break;
        }
        let place = at;
        at += 1;
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (*word, None),
        };
        let bare = name.strip_prefix("--").or_else(|| name.strip_prefix('-')).unwrap_or(name);
        if matches!(bare, "help" | "h") {
            return;
        }
        let Some(flag) = known.iter().find(|flag| flag.name == bare) else {
            let finding = Finding::new(place, format!("`{}` has no flag `{}`", line(path), clip(name)));
            findings.push(match nearest(bare, known.iter().map(|flag| flag.name)) {
                Some(near) => finding.label(format!("did you mean `-{near}`?")),
                None => finding.label(format!("not known to {}", TABLE.source())),
            });
            // Whether the next word is its value is not known.
            return;
        };
        let value = match (flag.takes, value) {
            (Takes::Bool, None) => {
                alone(words, at, flag, findings);
                continue;
            }
            (_, Some(value)) => (place, value),
            (_, None) => match words.get(at) {
                Some(value) => {
                    at += 1;
                    (at - 1, *value)
                }
                None => {
                    findings.push(Finding::new(place, format!("`{name}` has no value")));
                    return;
                }
            },
        };
        check(flag, value, findings);
    }
    late(words, at, path, findings);
}

fn check(flag: &Flag, (at, value): (usize, &str), findings: &mut Vec<Finding>) {
    if open(value) {
        return;
    }
    if let Some(expected) = expected(flag.takes, value) {
        findings.push(
            Finding::new(at, format!("`{}` is no value for `-{}`", clip(value), flag.name))
                .label(format!("expected {expected}")),
        );
    } else if flag.name == "var" && !value.contains('=') {
        findings.push(
            Finding::new(at, format!("`{}` gives no variable a value", clip(value)))
                .label("expected NAME=VALUE"),
        );
    }
}

/// `-lock false`: the value of a boolean stands behind `=`.
fn alone(words: &[&str], at: usize, flag: &Flag, findings: &mut Vec<Finding>) {
    if let Some(value @ (&"true" | &"false")) = words.get(at) {
        findings.push(
            Finding::new(at, format!("`-{}` takes its value behind `=`", flag.name))
                .label(format!("write `-{}={value}`", flag.name)),
        );
    }
}

/// A flag behind the first other word is taken for a word.
fn late(words: &[&str], first: usize, path: &str, findings: &mut Vec<Finding>) {
    let behind: Vec<usize> = (first..words.len())
        .filter(|at| words.get(*at).is_some_and(|word| word.len() > 2 && word.starts_with('-')))
        .collect();
    if let Some(at) = behind.first() {
        let names: Vec<String> = words.get(first).map(|word| clip(word)).into_iter().collect();
        findings.push(
            Finding::new(*at, format!("the flags of `{}` stand before its other words", line(path)))
                .label(format!("behind {}, it is no flag any more", listed(&names))),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_table_is_found() {
        for name in TABLE.below("") {
            assert!(TABLE.command(name).is_some(), "{name}");
        }
        assert!(TABLE.below("").count() > 25 && TABLE.source().starts_with("terraform 1."));
    }
}
