//! What a file says: experiments and environments, typed, checked and with their places.
//!
//! Reading goes bytes → tree ([`notation::yaml`](crate::notation::yaml)) → draft → rules → [`Experiment`].
//! Every problem of a file is collected on the way; an experiment exists only when there is no error. This
//! module calls nothing outside the machine: no AWS, no network.

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;

use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode as _, Problem, nearest};
use crate::notation::yaml::{Node, Value};
use crate::redact::{Redactor, SecretValues};
use crate::run::event::ExperimentFacts;

mod draft;
pub mod environment;
pub mod experiment;
mod files;
pub mod guardrail;
pub mod import;
pub mod interlock;
mod later;
pub mod lessons;
mod lint;
pub mod source;
mod step;
pub mod values;

pub use environment::{Confirmation, Environment, Project};
pub use experiment::{Check, Does, Experiment, Guardrail, OnFailure, Program, Rpo, Step, Watch};
pub use files::{find_experiments, yaml_files};
pub use source::{Diagnostics, Source};
pub use step::{Argv, RunOptions};
use values::{Bindings, Verbatim};

/// What the caller knows beside the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Values of variables: the environment's, and over them those of the command line.
    pub values: IndexMap<String, String>,
    /// Whether every value must be known. Without it, as in `check`, what depends on values from
    /// outside the file is not judged, and neither files nor environment variables are read.
    pub complete: bool,
    /// Texts that are secret whatever holds them, such as the lab's own passwords.
    pub secrets: Vec<String>,
}

/// An experiment that is ready to be planned.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The experiment.
    pub experiment: Experiment,
    /// The file it was read from.
    pub source: Source,
    /// What is worth a look, none of it an error.
    pub warnings: Vec<Problem>,
    /// Hides the secrets that the values held.
    pub redactor: Redactor,
    /// The values of the variables, secrets hidden.
    pub values: BTreeMap<String, String>,
    /// What of the values is hidden, to be told apart and never shown.
    pub secret_values: SecretValues,
}

impl Loaded {
    /// What the journal keeps of the file, secrets hidden.
    pub fn facts(&self) -> ExperimentFacts {
        let facts = self.experiment.facts(&self.source);
        ExperimentFacts { text: self.redactor.clean(&facts.text), ..facts }
    }
}

/// Reads the experiment at `path`. The error holds every problem of the file.
pub fn load(path: &Path, given: &Given) -> Result<Loaded, Diagnostics> {
    let (source, root, problems) = source::read(path)?;
    let examined = examine(path, &root, problems, given);
    let diagnostics =
        |problems| Diagnostics { path: source.path.clone(), text: source.text.clone(), problems };
    if examined.problems.iter().any(|problem| !problem.warning) {
        return Err(diagnostics(examined.problems));
    }
    let Some(experiment) = examined.experiment else {
        let mut problems = examined.problems;
        problems.push(
            Problem::new(
                Code::NoValueGiven,
                root.span,
                "the experiment depends on values that are not given",
            )
            .help("give them in an environment of firedrill.yaml, or with --var NAME=VALUE"),
        );
        return Err(diagnostics(problems));
    };
    let mut redactor = examined.redactor;
    given.secrets.iter().for_each(|secret| redactor.add(secret));
    let values: BTreeMap<String, String> =
        examined.values.iter().map(|(name, value)| (name.clone(), redactor.clean(value))).collect();
    let hidden = examined.values.into_iter().filter(|(name, value)| values.get(name) != Some(value));
    let secret_values = SecretValues::new(hidden.collect());
    Ok(Loaded { experiment, source, warnings: examined.problems, redactor, values, secret_values })
}

/// What a file turned out to be.
#[derive(Clone, Debug)]
pub enum Checked {
    /// An experiment; the problems may be warnings only, or none.
    Experiment(Diagnostics),
    /// A ConfigMap with recovery procedures, which `firedrill import` makes runbooks of; warnings only, or none.
    ConfigMap(Diagnostics),
    /// A kind of file that this version does not check.
    Later(&'static str),
    /// Something else: YAML without `kind:`.
    Other,
}

impl Checked {
    /// What is wrong with it.
    pub fn problems(self) -> Vec<Problem> {
        match self {
            Checked::Experiment(diagnostics) | Checked::ConfigMap(diagnostics) => diagnostics.problems,
            Checked::Later(_) | Checked::Other => Vec::new(),
        }
    }
}

/// Checks a file without values from outside it. The error is a file that is not YAML.
pub fn check(path: &Path) -> Result<Checked, Diagnostics> {
    check_text(path, &source::bytes(path)?)
}

/// Checks a text as if it stood in the file at `path`.
pub fn check_text(path: &Path, text: &[u8]) -> Result<Checked, Diagnostics> {
    let (source, root, problems) = source::of(path, text)?;
    match kind(&root) {
        None => return Ok(Checked::Other),
        Some("ConfigMap") => {
            let Some(found) = import::check_configmap(&source.text) else { return Ok(Checked::Other) };
            let warning = |(span, message, help): (_, String, String)| {
                Problem::new(Code::ForPeople, span, message).help(help).warning()
            };
            let problems = found.into_iter().map(warning).collect();
            return Ok(Checked::ConfigMap(Diagnostics { path: source.path, text: source.text, problems }));
        }
        Some(kind) => {
            if let Some((kind, _)) = later::KINDS.iter().find(|(word, _)| *word == kind) {
                return Ok(Checked::Later(kind));
            }
        }
    }
    let problems = examine(path, &root, problems, &Given::default()).problems;
    Ok(Checked::Experiment(Diagnostics { path: source.path, text: source.text, problems }))
}

/// The text of `kind:`.
fn kind(root: &Node) -> Option<&str> {
    let Value::Map(top) = &root.value else { return None };
    match &top.iter().find(|(key, _)| key.text == "kind")?.1.value {
        Value::Scalar { text, .. } => Some(text),
        _ => Some(""),
    }
}

struct Examined {
    experiment: Option<Experiment>,
    problems: Vec<Problem>,
    redactor: Redactor,
    values: BTreeMap<String, String>,
}

/// Reads the variables, then everything else with their values, then asks the rules.
fn examine(path: &Path, root: &Node, mut problems: Vec<Problem>, given: &Given) -> Examined {
    if let Some(problem) = wrong_kind(root) {
        problems.push(problem);
        let (redactor, values) = (Redactor::new(), BTreeMap::new());
        return Examined { experiment: None, problems, redactor, values };
    }
    let mut first = Context::new(&Verbatim);
    let variables = draft::variables(root, &mut first);
    problems.append(&mut first.problems);

    let base = path.parent().unwrap_or(Path::new("."));
    let bindings = Bindings::new(&variables, &given.values, base, given.complete);
    let mut second = Context::new(&bindings).synonyms(later::SYNONYMS);
    let read = draft::Draft::read(root, variables, &mut second);
    problems.append(&mut second.problems);
    if let Some(draft) = &read {
        problems.extend(lint::values(root, draft, &bindings, given.complete));
        problems.extend(lint::draft(draft));
        // What is never used is only worth saying of a file that is right: a slip elsewhere may be why.
        if !problems.iter().any(|problem| !problem.warning) {
            problems.extend(lint::unused(root, draft));
        }
    }
    let values = bindings.bare_values();
    Examined {
        experiment: read.and_then(draft::Draft::finish),
        problems,
        redactor: bindings.redactor(),
        values,
    }
}

/// What is wrong with `kind:`, when the file is not an experiment.
fn wrong_kind(root: &Node) -> Option<Problem> {
    let Value::Map(top) = &root.value else {
        let found = crate::notation::decode::kind_of(&root.value);
        return Some(
            Problem::new(Code::NotAnExperiment, root.span, format!("expected an experiment, found {found}"))
                .label("expected a mapping that starts with `kind: Experiment`"),
        );
    };
    let Some((key, node)) = top.iter().find(|(key, _)| key.text == "kind") else {
        let place = top.first().map_or(root.span, |(key, _)| key.span);
        return Some(
            Problem::new(Code::MissingKind, place, "missing key `kind`")
                .label("the file starts with `kind: Experiment`"),
        );
    };
    let mut cx = Context::new(&Verbatim);
    let Some(kind) = String::decode(node, &mut cx) else {
        return Some(Problem::new(Code::MissingKind, key.span, "expected `kind: Experiment`"));
    };
    if kind == "Experiment" {
        return None;
    }
    if let Some((word, what)) = later::KINDS.iter().find(|(word, _)| *word == kind) {
        return Some(later::problem(word, what, node.span));
    }
    let problem = Problem::new(
        Code::UnknownKind,
        node.span,
        format!("unknown kind `{}`", crate::notation::decode::clip(&kind)),
    );
    Some(match nearest(&kind, &["Experiment", "Runbook", "GameDay"]) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem.label("expected Experiment"),
    })
}

#[cfg(test)]
mod tests;
