//! The value of one option, as far as the CLI or the service would refuse it.
//!
//! It judges the form of a value: no more than the service model says of it.

use super::super::{Finding, clip, nearest};
use super::table::{self, Form, Kind, Opt};

/// What is wrong with a value, still without a place.
pub(super) struct Flaw {
    message: String,
    label: String,
    help: Option<String>,
    warning: bool,
}

impl Flaw {
    fn new(message: String, label: impl Into<String>) -> Flaw {
        Flaw { message, label: label.into(), help: None, warning: false }
    }

    /// The finding at the word with this index.
    pub(super) fn at(self, word: usize) -> Finding {
        let finding = Finding::new(word, self.message).label(self.label);
        let finding = match self.help {
            Some(help) => finding.help(help),
            None => finding,
        };
        if self.warning { finding.warning() } else { finding }
    }
}

/// What an option takes, after "expected".
pub(super) fn expected(kind: Kind) -> String {
    match kind {
        Kind::Flag | Kind::Pair => "nothing".to_owned(),
        Kind::One(form) | Kind::List(form) => match form {
            Form::Text | Form::Loose => "a value".to_owned(),
            Form::Integer => "a whole number".to_owned(),
            Form::Float => "a number".to_owned(),
            Form::Structure => "JSON, or Key=value,Key=value".to_owned(),
            Form::Json => "JSON".to_owned(),
            Form::Enum(number) => one_of(table::values(number)),
        },
        Kind::Choice { of, .. } => one_of(of.split('|')),
        Kind::Custom(1, _) => "a value".to_owned(),
        Kind::Custom(least, _) => format!("{least} values"),
    }
}

fn one_of(values: impl Iterator<Item = &'static str>) -> String {
    const MOST: usize = 8;
    let mut values: Vec<&str> = values.collect();
    let more = if values.len() > MOST { ", …" } else { "" };
    values.truncate(MOST);
    format!("one of {}{more}", values.join(", "))
}

/// What is wrong with a value of an option.
pub(super) fn flaw(option: &Opt, value: &str) -> Option<Flaw> {
    let name = format!("--{}", option.name);
    let wrong = |found: &str| {
        let label = format!("expected {}", expected(option.kind));
        Some(Flaw::new(format!("`{found}` is no value for `{name}`"), label))
    };
    let json = value.trim_start().starts_with(['{', '[']);
    match option.kind {
        Kind::Flag | Kind::Pair | Kind::Custom(..) => None,
        Kind::Choice { of, .. } => match of.split('|').any(|one| one == value) {
            true => None,
            false => Some(choice(&name, value, of.split('|'), option.kind, true)),
        },
        // A list may be one word of JSON.
        Kind::List(_) if value.trim_start().starts_with('[') => not_json(&name, value),
        Kind::One(form) | Kind::List(form) => match form {
            Form::Text => None,
            Form::Integer if is_integer(value) => None,
            Form::Float if value.trim().parse::<f64>().is_ok() => None,
            Form::Integer | Form::Float => wrong(&clip(value)),
            Form::Json | Form::Structure | Form::Loose if json => not_json(&name, value),
            Form::Json => not_json(&name, value),
            Form::Structure if value.contains('=') => None,
            Form::Structure => wrong(&clip(value)),
            Form::Loose => None,
            Form::Enum(number) => match table::values(number).any(|one| one == value) {
                true => None,
                false => Some(choice(&name, value, table::values(number), option.kind, false)),
            },
        },
    }
}

/// A word that is none of those known. The services' enums grow: what resembles none of them may be new.
fn choice<'k>(
    name: &str,
    value: &str,
    known: impl Iterator<Item = &'k str>,
    kind: Kind,
    closed: bool,
) -> Flaw {
    let message = format!("`{}` is no value for `{name}`", clip(value));
    match nearest(value, known) {
        Some(near) if near.eq_ignore_ascii_case(value) => {
            let mut flaw = Flaw::new(message, format!("write `{near}`"));
            flaw.help = Some("upper and lower case count".to_owned());
            flaw
        }
        Some(near) => Flaw::new(message, format!("did you mean `{near}`?")),
        None => {
            let mut flaw = Flaw::new(message, format!("expected {}", expected(kind)));
            flaw.warning = !closed;
            flaw
        }
    }
}

/// A whole number as Python reads one.
fn is_integer(value: &str) -> bool {
    let digits = value.trim().trim_start_matches(['+', '-']);
    let signs = value.trim().len() - digits.len();
    signs <= 1
        && digits.split('_').all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()))
}

fn not_json(name: &str, value: &str) -> Option<Flaw> {
    let error = serde_json::from_str::<serde::de::IgnoredAny>(value).err()?;
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    let at = match value.contains('\n') {
        true => format!("line {}, column {}", error.line(), error.column()),
        false => format!("character {}", error.column().max(1)),
    };
    let mut flaw = Flaw::new(format!("the JSON of `{name}` is broken"), format!("{what}, at {at}"));
    flaw.help = Some("a file is given as file://NAME".to_owned());
    Some(flaw)
}
