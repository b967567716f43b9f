//! What a file says: experiments, runbooks, game days and environments, typed, checked and with their places.
//!
//! Reading goes bytes → tree ([`notation::yaml`](crate::notation::yaml)) → draft → rules → [`Experiment`].
//! Every problem of a file is collected on the way; an experiment exists only when there is no error. This
//! module calls nothing outside the machine: no AWS, no network.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;

use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode as _, Problem, nearest};
use crate::notation::yaml::{self, Node, Span, Value};
use crate::redact::{Redactor, SecretValues};
use crate::run::event::{ExperimentFacts, FileKind, RunbookFacts};

mod doing;
mod draft;
pub mod environment;
pub mod experiment;
mod files;
mod find;
#[cfg(test)]
pub(crate) mod fixture;
pub mod gameday;
pub mod guardrail;
pub mod import;
pub mod interlock;
mod later;
pub mod lessons;
mod lint;
pub mod outputs;
pub mod people;
mod runbook;
pub mod schema;
pub mod source;
mod step;
pub mod values;

pub use environment::{Confirmation, Environment, Project};
pub use experiment::{Check, Does, Experiment, Guardrail, OnFailure, Program, Rpo, Step, Watch};
pub use files::{find_experiments, yaml_files};
use runbook::Shelf;
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
    /// Whether it is only read aloud: then what depends on values that are not known is left out.
    pub aloud: bool,
    /// Texts that are secret whatever holds them, such as the lab's own passwords.
    pub secrets: Vec<String>,
}

/// An experiment, or a runbook, that is ready to be planned.
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
    /// The runbooks whose steps are among its own.
    pub runbooks: Vec<RunbookFacts>,
}

impl Loaded {
    /// What the journal keeps of the file, secrets hidden.
    pub fn facts(&self) -> ExperimentFacts {
        let facts = self.experiment.facts(&self.source);
        let hidden = |runbook: &RunbookFacts| RunbookFacts {
            text: self.redactor.clean(&runbook.text),
            ..runbook.clone()
        };
        let runbooks = self.runbooks.iter().map(hidden).collect();
        ExperimentFacts { text: self.redactor.clean(&facts.text), runbooks, ..facts }
    }
}

/// Reads the experiment or the runbook at `path`. The error holds every problem of the file.
pub fn load(path: &Path, given: &Given) -> Result<Loaded, Diagnostics> {
    let (source, root, problems) = source::read(path)?;
    if kind(&root) == Some(gameday::KIND) {
        return Err(gameday::not_run(source, &root, problems));
    }
    let read = Cell::new(0);
    let diagnostics =
        |problems| Diagnostics { path: source.path.clone(), text: source.text.clone(), problems };
    if let Some(problem) = is_foreign(path, &source.text, &root) {
        return Err(diagnostics(vec![problem]));
    }
    let examined = examine((path, &source.text), &root, problems, &shelf(path, given, &read));
    if examined.problems.iter().any(|problem| !problem.warning) {
        return Err(diagnostics(examined.problems));
    }
    let Some(experiment) = examined.experiment else {
        let mut problems = examined.problems;
        problems.push(
            Problem::new(
                Code::NoValueGiven,
                root.span,
                format!("the {} depends on values that are not given", noun(&root)),
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
    let (warnings, runbooks) = (examined.problems, examined.runbooks);
    Ok(Loaded { experiment, source, warnings, redactor, values, secret_values, runbooks })
}

/// What is said of another tool's file in the place of one of ours.
fn is_foreign(path: &Path, text: &str, root: &Node) -> Option<Problem> {
    if kind(root).is_some_and(|kind| !is_kubernetes(root, kind)) {
        return None;
    }
    let (import::Foreign::Accepted(format, _) | import::Foreign::Importable(format)) = import::foreign(text)?;
    let Value::Map(top) = &root.value else { return None };
    let place = top.first().map_or(root.span, |(key, _)| key.span);
    let problem = Problem::new(
        Code::MissingKind,
        place,
        format!("this is {}, and none of firedrill's files", format.a_noun()),
    );
    let help = format!("`firedrill import {}` makes one of it", path.display());
    Some(problem.label("another tool's file").help(help))
}

/// What a file turned out to be.
#[derive(Clone, Debug)]
pub enum Checked {
    /// An experiment; the problems may be warnings only, or none.
    Experiment(Diagnostics),
    /// A runbook; the same.
    Runbook(Diagnostics),
    /// A game day; the same, with what is wrong with the files of its drills.
    GameDay(Diagnostics),
    /// Recovery procedures or SLOs of others, which `firedrill import` makes runbooks and experiments of; warnings only,
    /// or none.
    Accepted(Diagnostics),
    /// Another tool's file, which `firedrill import` reads.
    Foreign(import::Format),
    /// Another tool's file of this kind.
    Kubernetes(String),
    /// Something else: YAML without `kind:`.
    Other,
}

impl Checked {
    /// What is wrong with it.
    pub fn problems(self) -> Vec<Problem> {
        match self {
            Checked::Experiment(diagnostics)
            | Checked::Runbook(diagnostics)
            | Checked::GameDay(diagnostics)
            | Checked::Accepted(diagnostics) => diagnostics.problems,
            Checked::Foreign(_) | Checked::Kubernetes(_) | Checked::Other => Vec::new(),
        }
    }
}

/// Checks a file without values from outside it. The error is a file that is not YAML.
pub fn check(path: &Path) -> Result<Checked, Diagnostics> {
    check_text(path, &source::bytes(path)?)
}

/// Checks a text as if it stood in the file at `path`.
pub fn check_text(path: &Path, text: &[u8]) -> Result<Checked, Diagnostics> {
    match right_at_a_glance(path, text) {
        Some(checked) => Ok(checked),
        None => check_closely(path, text),
    }
}

/// What a text is that nothing is wrong with, as far as that shows without the YAML parser: most files, in a part of the
/// time.
fn right_at_a_glance(path: &Path, text: &[u8]) -> Option<Checked> {
    let (text, root) = yaml::everyday(text)?;
    let right: fn(Diagnostics) -> Checked = match kind(&root)? {
        word if word == FileKind::Experiment.word() => Checked::Experiment,
        word if word == FileKind::Runbook.word() => Checked::Runbook,
        _ => return None,
    };
    let (given, read) = (Given::default(), Cell::new(0));
    let examined = examine((path, &text), &root, Vec::new(), &shelf(path, &given, &read));
    examined.problems.is_empty().then(|| right(Diagnostics::none(path)))
}

fn check_closely(path: &Path, text: &[u8]) -> Result<Checked, Diagnostics> {
    let (source, root, problems) = match source::of(path, text) {
        Ok(read) => read,
        // A stream of documents is nothing of ours.
        Err(diagnostics) => return checked_foreign(path, &diagnostics.text, true).ok_or(diagnostics),
    };
    match kind(&root) {
        None => match checked_foreign(path, &source.text, false) {
            Some(foreign) => return Ok(foreign),
            // Read as an experiment, so that it says that it is none.
            None if seems_ours(&root) => {}
            None => return Ok(Checked::Other),
        },
        Some(kind) if is_kubernetes(&root, kind) => {
            let foreign = checked_foreign(path, &source.text, false);
            return Ok(foreign.unwrap_or_else(|| Checked::Kubernetes(kind.to_owned())));
        }
        Some(gameday::KIND) => {
            let (_, problems) = gameday::examine(path, &root, problems);
            return Ok(Checked::GameDay(Diagnostics { path: source.path, text: source.text, problems }));
        }
        Some(_) => {}
    }
    let (given, read) = (Given::default(), Cell::new(0));
    let problems = examine((path, &source.text), &root, problems, &shelf(path, &given, &read)).problems;
    let diagnostics = Diagnostics { path: source.path, text: source.text, problems };
    Ok(match kind(&root) == Some(FileKind::Runbook.word()) {
        true => Checked::Runbook(diagnostics),
        false => Checked::Experiment(diagnostics),
    })
}

/// A text of another tool; of a stream of documents only what is accepted as it stands.
fn checked_foreign(path: &Path, text: &str, stream: bool) -> Option<Checked> {
    let (format, found) = match import::foreign(text)? {
        import::Foreign::Accepted(format, found) => (format, found),
        import::Foreign::Importable(_) if stream => return None,
        import::Foreign::Importable(format) => return Some(Checked::Foreign(format)),
    };
    let code = if format == import::Format::Slo { Code::OfAnSlo } else { Code::ForPeople };
    let warning = |(span, message, help): (_, String, String)| {
        let problem = Problem::new(code, span, message).warning();
        if help.is_empty() { problem } else { problem.help(help) }
    };
    let problems = found.into_iter().map(warning).collect();
    Some(Checked::Accepted(Diagnostics { path: path.display().to_string(), text: text.to_owned(), problems }))
}

/// Whether a document without `kind:` was meant to be one of ours, so that a slip in that one word makes no drill unseen.
fn seems_ours(root: &Node) -> bool {
    const OURS: [&str; 9] = [
        "steps",
        "probes",
        "objectives",
        "targets",
        "steady_state",
        "stop_when",
        "hypothesis",
        "drills",
        "participants",
    ];
    let Value::Map(top) = &root.value else { return false };
    top.iter().filter(|(key, _)| OURS.contains(&key.text.as_str())).count() > 1
}

/// Whether a document is one of Kubernetes' and none of ours.
fn is_kubernetes(root: &Node, kind: &str) -> bool {
    let Value::Map(top) = &root.value else { return false };
    let ours = [FileKind::Experiment, FileKind::Runbook].iter().any(|one| one.word() == kind)
        || kind == gameday::KIND;
    !ours && (kind == "ConfigMap" || top.iter().any(|(key, _)| key.text == "apiVersion"))
}

/// What a file's runbooks are read with.
fn shelf<'a>(path: &Path, given: &'a Given, read: &'a Cell<usize>) -> Shelf<'a> {
    Shelf { given, trail: vec![path.to_owned()], read }
}

fn noun(root: &Node) -> &'static str {
    if kind(root) == Some(FileKind::Runbook.word()) { FileKind::Runbook } else { FileKind::Experiment }.noun()
}

/// Where the value of `kind:` stands.
fn kind_span(root: &Node) -> Span {
    let Value::Map(top) = &root.value else { return root.span };
    top.iter().find(|(key, _)| key.text == "kind").map_or(root.span, |(_, node)| node.span)
}

/// The text of `kind:`.
fn kind(root: &Node) -> Option<&str> {
    let Value::Map(top) = &root.value else { return None };
    match &top.iter().find(|(key, _)| key.text == "kind")?.1.value {
        Value::Scalar { text, .. } => Some(text),
        _ => Some(""),
    }
}

#[derive(Default)]
struct Examined {
    experiment: Option<Experiment>,
    problems: Vec<Problem>,
    redactor: Redactor,
    values: BTreeMap<String, String>,
    /// `name:`
    name: Option<String>,
    /// Each step as it is called, with its kind.
    steps: Vec<(String, &'static str)>,
    runbooks: Vec<RunbookFacts>,
}

/// Reads the variables, then everything else with their values, then asks the rules.
fn examine(
    (path, text): (&Path, &str),
    root: &Node,
    mut problems: Vec<Problem>,
    shelf: &Shelf<'_>,
) -> Examined {
    let kind = match right_kind(root) {
        Ok(kind) => kind,
        Err(problem) => {
            problems.push(*problem);
            return Examined { problems, ..Examined::default() };
        }
    };
    let mut first = Context::new(&Verbatim);
    let variables = draft::variables(root, &mut first);
    problems.append(&mut first.problems);

    let base = path.parent().unwrap_or(Path::new("."));
    let given = shelf.given;
    let bindings = Bindings::new(&variables, &given.values, base, given.complete);
    let mut second = Context::new(&bindings).synonyms(later::SYNONYMS);
    let mut read = draft::Draft::read(root, kind, variables, &mut second);
    problems.append(&mut second.problems);
    let mut gathered = runbook::Gathered::default();
    let (mut name, mut steps) = (None, Vec::new());
    if let Some(draft) = &mut read {
        gathered = runbook::include(path, &mut draft.steps, shelf, &mut problems);
        problems.extend(lint::values(root, draft, &bindings, given.complete));
        problems.extend(lint::draft(draft));
        outputs::lint(root, draft, &mut problems);
        // What is missing or never used is only worth saying of a file that is right: a slip elsewhere may be why.
        if !problems.iter().any(|problem| !problem.warning) {
            problems.extend(lint::unused(root, draft));
            problems.extend(lint::without_undo(draft));
        }
        name = draft.name.as_ref().map(|name| name.value.clone());
        steps = runbook::outline(&draft.steps);
    }
    // Last, since what it offers is no slip that would make something else unused.
    problems.extend(lint::programs(text, root));
    let mut values = bindings.bare_values();
    values.extend(gathered.values);
    let mut redactor = bindings.redactor();
    redactor.extend(&gathered.redactor);
    let aloud = given.aloud && !problems.iter().any(|problem| !problem.warning);
    let experiment = read.and_then(|draft| draft.finish(aloud));
    Examined { experiment, problems, redactor, values, name, steps, runbooks: gathered.sources }
}

/// What the file says that it is. The error is what is wrong with `kind:`.
fn right_kind(root: &Node) -> Result<FileKind, Box<Problem>> {
    let Value::Map(top) = &root.value else {
        let found = crate::notation::decode::kind_of(&root.value);
        let problem =
            Problem::new(Code::NotAnExperiment, root.span, format!("expected an experiment, found {found}"));
        return Err(problem.label("expected a mapping that starts with `kind: Experiment`").into());
    };
    let Some((key, node)) = top.iter().find(|(key, _)| key.text == "kind") else {
        let place = top.first().map_or(root.span, |(key, _)| key.span);
        let problem = Problem::new(Code::MissingKind, place, "missing key `kind`");
        return Err(problem.label("the file starts with `kind: Experiment`").into());
    };
    let mut cx = Context::new(&Verbatim);
    let Some(kind) = String::decode(node, &mut cx) else {
        let expected = "expected `kind: Experiment`, `kind: Runbook` or `kind: GameDay`";
        return Err(Problem::new(Code::MissingKind, key.span, expected).into());
    };
    if let Some(kind) = [FileKind::Experiment, FileKind::Runbook].into_iter().find(|one| one.word() == kind) {
        return Ok(kind);
    }
    let problem = Problem::new(
        Code::UnknownKind,
        node.span,
        format!("unknown kind `{}`", crate::notation::decode::clip(&kind)),
    );
    Err(match nearest(&kind, &["Experiment", "Runbook", gameday::KIND]) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem.label("expected Experiment, Runbook or GameDay"),
    }
    .into())
}

#[cfg(test)]
mod tests;
