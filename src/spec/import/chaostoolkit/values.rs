//! `configuration` and `secrets`: what `${name}` stands for in the texts of an experiment.

use std::collections::HashMap;

use super::super::Left;
use super::super::document::At;
use super::super::sketch::{Sketch, Variable};
use super::super::terms::{line, literal, snake};

/// What is AWS's own in a configuration: it belongs to an environment.
const SURROUNDINGS: [(&str, &str); 7] = [
    ("aws_region", "region"),
    ("aws_profile_name", "profile"),
    ("aws_assume_role_arn", "role"),
    ("aws_assume_role_session_name", "role"),
    ("aws_assume_role_duration_seconds", "role"),
    ("aws_endpoint_scheme", "endpoint_url"),
    ("aws_endpoint_url", "endpoint_url"),
];

/// The names that texts refer to, and the variables that they became.
#[derive(Default)]
pub(in super::super) struct Values {
    names: HashMap<String, String>,
    /// The values that the experiment says outright.
    plain: HashMap<String, String>,
}

impl Values {
    pub(super) fn read(&mut self, top: &At<'_>, sketch: &mut Sketch) {
        for (key, at) in top.get("configuration").map(|at| at.entries()).unwrap_or_default() {
            if let Some((_, place)) = SURROUNDINGS.iter().find(|(name, _)| *name == key) {
                let why = "where a drill runs is the environment's business";
                sketch.left(
                    &at,
                    &format!("`{key}`"),
                    why,
                    &format!("`{place}:` of the environment in firedrill.yaml"),
                );
                continue;
            }
            self.declare(key, key, &at, false, sketch);
        }
        for (group, at) in top.get("secrets").map(|at| at.entries()).unwrap_or_default() {
            if !at.is_map() || at.get("type").is_some() {
                self.declare(group, group, &at, true, sketch);
                continue;
            }
            for (key, at) in at.entries() {
                self.declare(key, &format!("{group}.{key}"), &at, true, sketch);
            }
        }
    }

    fn declare(&mut self, key: &str, path: &str, at: &At<'_>, secret: bool, sketch: &mut Sketch) {
        let name = match sketch.variables.contains_key(&snake(key, "value")) {
            true => snake(path, "value"),
            false => snake(key, "value"),
        };
        let noun = if secret { "secret" } else { "configuration" };
        let mut variable = Variable {
            about: format!("the {noun} `{}` of the experiment", line(key)),
            secret,
            ..Variable::default()
        };
        let from = at.text_of("type");
        let key_of = at.text_of("key").or_else(|| at.text_of("env_var"));
        match (from, key_of) {
            (Some("env"), Some(env)) => match at.text_of("default") {
                Some(default) if !secret => {
                    variable.default = Some(literal(default));
                    let why = "a variable has its default or `${env:…}`, not one after the other";
                    let proposal = format!("give it where that is meant: --var {name}=\"${}\"", line(env));
                    sketch.left(at, &format!("the environment variable `{}`", line(env)), why, &proposal);
                }
                other => {
                    variable.default = plain_env(env).map(|env| format!("${{env:{env}}}"));
                    if other.is_some() || variable.default.is_none() {
                        let why = match other {
                            Some(_) => "a secret written in a file is no secret",
                            None => "firedrill reads environment variables of letters, digits and `_`",
                        };
                        let proposal = format!("give it in the environment: `values: {{ {name}: … }}`");
                        let place = at.get("default").or(at.get("key")).unwrap_or_else(|| at.clone());
                        sketch.left(&place, &format!("the value of `{}`", line(path)), why, &proposal);
                    }
                }
            },
            (Some(source), _) if at.is_map() => {
                let why = format!("firedrill has no values from `{}`", line(source));
                let proposal = format!(
                    "give it in the environment: `values: {{ {name}: … }}`, which may say ${{env:NAME}} or ${{file:path}}"
                );
                sketch.left(at, &format!("the value of `{}`", line(key)), &why, &proposal);
            }
            _ if secret => {
                let why = "a secret written in a file is no secret";
                sketch.left(
                    at,
                    &format!("the value of `{}`", line(path)),
                    why,
                    "give it in the environment, as ${env:NAME} or ${file:path}",
                );
            }
            _ => match at.text() {
                Some(text) => {
                    variable.default = Some(literal(text));
                    self.plain.insert(key.to_owned(), text.to_owned());
                }
                None => {
                    let why = "a variable holds one value";
                    sketch.left(
                        at,
                        &format!("the value of `{}`", line(key)),
                        why,
                        "write the list where it is used",
                    );
                }
            },
        }
        let why = "nothing that was carried over uses it";
        if sketch.left.last().is_none_or(|left| left.pointer != at.pointer) {
            variable.told = Some(Box::new(Left::new(at, &format!("the {noun} `{}`", line(path)), why, "")));
        }
        sketch.variables.entry(name.clone()).or_insert(variable);
        self.names.insert(key.to_owned(), name.clone());
        self.names.insert(path.to_owned(), name);
    }

    /// The number that a text such as `${pause}` stands for, when the experiment says it outright.
    pub(super) fn number(&self, text: &str, sketch: &mut Sketch) -> Option<f64> {
        let name = text.trim().strip_prefix('$')?;
        let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
        let number = self.plain.get(name)?.parse::<f64>().ok()?;
        if let Some(variable) = self.names.get(name).and_then(|name| sketch.variables.get_mut(name)) {
            // It stands where it was used, so that nothing of it is lost.
            variable.told = None;
        }
        (number.is_finite() && number >= 0.0).then_some(number)
    }

    /// Whether the experiment says what a name stands for.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// A text with its `${name}`s as firedrill's. What is not known becomes a variable to be given.
    pub(super) fn text(&self, text: &str, sketch: &mut Sketch) -> String {
        self.replace(text, sketch, true)
    }

    /// A command line, in which what is not known is the shell's own.
    pub(super) fn shell(&self, text: &str, sketch: &mut Sketch) -> String {
        self.replace(text, sketch, false)
    }

    fn replace(&self, text: &str, sketch: &mut Sketch, declare: bool) -> String {
        let mut out = String::new();
        let text = self.braced(text);
        let mut rest = text.as_str();
        while let Some((before, inside)) = rest.split_once("${") {
            out.push_str(before);
            let named = inside.split_once('}').filter(|(name, _)| is_name(name));
            let Some((name, after)) = named else {
                out.push_str("$${");
                rest = inside;
                continue;
            };
            rest = after;
            match self.names.get(name) {
                Some(known) => out.push_str(&format!("${{{known}}}")),
                None if declare => {
                    let about = format!("the experiment says ${{{name}}}, and does not say what that is");
                    out.push_str(&sketch.variable(&snake(name, "value"), literal(&about)));
                }
                None => out.push_str(&format!("$${{{name}}}")),
            }
        }
        out.push_str(rest);
        out
    }
}

impl Values {
    /// `$name` as `${name}`, for names that the experiment knows: Python takes one for the other.
    fn braced(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(after) = inside.strip_prefix('$') {
                // Twice is once, and no reference; before a brace firedrill writes it as Python does.
                out.push_str(if after.starts_with('{') { "$$" } else { "$" });
                rest = after;
                continue;
            }
            out.push('$');
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let (name, after) = inside.split_at(inside.find(|c| !fits(c)).unwrap_or(inside.len()));
            if self.knows(name) {
                out.push_str(&format!("{{{name}}}"));
                rest = after;
            } else {
                rest = inside;
            }
        }
        out + rest
    }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !name.is_empty() && name.len() <= 60 && name.chars().all(fits)
}

fn plain_env(name: &str) -> Option<&str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(fits)).then_some(name)
}
