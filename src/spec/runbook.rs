//! Runbooks inside a file: found by name or path, read with the values that they are given, their steps
//! put in place.
//!
//! A runbook is a file of its own, right or wrong by itself. What is wrong with it is told in one line at
//! the step that names it: the whole of it is told by `firedrill check` of that file.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use super::experiment::{Does, Experiment, Step};
use super::find::{canonical, is_path, shown, stem};
use super::outputs::Flow;
use super::step::StepDraft;
use super::values::Verbatim;
use super::{Examined, Given, draft, examine, find, kind, source};
use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem, Spanned, SpannedName, clip, entries, nearest};
use crate::notation::yaml::{Key, Node, Value};
use crate::redact::Redactor;
use crate::run::event::{FileKind, RunbookFacts};

/// How many runbooks one file may come to run, all told.
const MOST: usize = 100;

/// What a step says of the runbook in its place.
pub(super) struct Call {
    /// The runbook: its name, or its path.
    named: Spanned<String>,
    /// Its variables, with their values as far as they are known.
    with: Vec<(SpannedName, Option<String>)>,
    /// Whether the step has a name of its own.
    own_name: bool,
    /// The runbook, once it was found and is right.
    found: Option<Found>,
}

/// A runbook that was read.
struct Found {
    /// `None` when it depends on values that are not known.
    experiment: Option<Experiment>,
    /// Its steps: name and kind. Those of runbooks in it are named as they will be.
    steps: Vec<(String, &'static str)>,
}

/// What came with the runbooks of a file.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) redactor: Redactor,
    pub(super) values: BTreeMap<String, String>,
    pub(super) sources: Vec<RunbookFacts>,
}

/// Where runbooks are read from, and with what.
pub(super) struct Shelf<'a> {
    /// What the caller knows beside the files.
    pub(super) given: &'a Given,
    /// The files being read, outermost first.
    pub(super) trail: Vec<PathBuf>,
    /// How many were read.
    pub(super) read: &'a Cell<usize>,
}

impl Call {
    /// Reads `runbook` and `with`.
    pub(super) fn read(inside: &[(Key, Node)], cx: &mut Context<'_>) -> Option<Call> {
        let of = |name: &str| inside.iter().find(|(key, _)| key.text == name);
        let (_, node) = of("runbook")?;
        if node.value == Value::Null {
            return None;
        }
        let named = Spanned::<String>::decode(node, cx)?;
        if named.value.contains("${") || named.value.trim().is_empty() {
            cx.report(
                Problem::new(Code::UnknownRunbook, named.span, "a runbook is named as it is")
                    .label("expected a runbook's name, or the path of its file"),
            );
            return None;
        }
        let mut with = Vec::new();
        if let Some((key, node)) = of("with") {
            let expects = "a mapping of the runbook's variables to their values";
            if node.value == Value::Null {
                cx.report(
                    Problem::new(Code::NoValue, key.span, "`with` has no value")
                        .label(format!("expected {expects}")),
                );
            } else {
                for (key, node) in entries(node, cx, expects).unwrap_or_default() {
                    let name = SpannedName { text: key.text.clone(), span: key.span };
                    with.push((name, cx.text(node, "a value: text, a number or a duration")));
                }
            }
        }
        Some(Call { named, with, own_name: of("name").is_some(), found: None })
    }

    /// What its steps' names begin with, when the step has no name of its own.
    pub(super) fn name(&self) -> Spanned<String> {
        let path = Path::new(&self.named.value);
        let stem = if is_path(&self.named.value) { path.file_stem() } else { None };
        let name = stem.map_or_else(|| self.named.value.clone(), |stem| stem.to_string_lossy().into_owned());
        Spanned { value: name, span: self.named.span }
    }

    /// The names of its steps, each with its kind, without what they will begin with.
    pub(super) fn steps(&self) -> &[(String, &'static str)] {
        self.found.as_ref().map(|found| found.steps.as_slice()).unwrap_or_default()
    }

    /// Whether it was found and is right.
    pub(super) fn is_known(&self) -> bool {
        self.found.is_some()
    }

    /// The runbook's steps as steps of the file, called `prefix / step`. `after` is what the runbook waits for.
    pub(super) fn finish(self, prefix: &str, after: &[String]) -> Option<Vec<Step>> {
        let Experiment { steps, targets, owner, .. } = self.found?.experiment?;
        let targets = Arc::new(targets);
        let placed = steps.into_iter().map(|step| Step {
            name: Spanned { value: within(prefix, &step.name.value), span: self.named.span },
            after: match step.after.is_empty() {
                true => after.to_vec(),
                false => step.after.iter().map(|name| within(prefix, name)).collect(),
            },
            targets: step.targets.or_else(|| Some(targets.clone())),
            flow: Flow { scope: format!("{}{}", within(prefix, ""), step.flow.scope), ..step.flow },
            owner: step.owner.or_else(|| owner.clone()),
            ..step
        });
        Some(placed.collect())
    }

    /// The steps that nothing in the runbook waits for: when they are over, it is.
    pub(super) fn last(&self) -> Vec<String> {
        let experiment = self.found.as_ref().and_then(|found| found.experiment.as_ref());
        let steps = experiment.map(|experiment| experiment.steps.as_slice()).unwrap_or_default();
        let awaited = |name: &String| steps.iter().any(|step| step.after.contains(name));
        steps.iter().map(|step| step.name.value.clone()).filter(|name| !awaited(name)).collect()
    }
}

/// A step's name within a runbook.
pub(super) fn within(prefix: &str, step: &str) -> String {
    format!("{prefix} / {step}")
}

/// Finds and reads the runbooks that the steps name. What is wrong with them is reported at the steps.
pub(super) fn include(
    path: &Path,
    steps: &mut [StepDraft],
    shelf: &Shelf<'_>,
    problems: &mut Vec<Problem>,
) -> Gathered {
    let mut gathered = Gathered::default();
    for step in steps {
        let Some(call) = &mut step.call else { continue };
        match find(path, &call.named, shelf) {
            Ok(file) => {
                let read = read(&file, call, shelf, problems);
                let Some((facts, examined)) = read else { continue };
                if !call.own_name {
                    step.name = Some(Spanned { value: facts.name.clone(), span: call.named.span });
                }
                let prefix = step.name.as_ref().map(|name| name.value.clone()).unwrap_or_default();
                gathered.redactor.extend(&examined.redactor);
                let values = examined.values.into_iter();
                gathered.values.extend(values.map(|(name, value)| (within(&prefix, &name), value)));
                gathered.sources.push(RunbookFacts { name: prefix, ..facts });
                gathered.sources.extend(examined.runbooks);
                call.found = Some(Found { experiment: examined.experiment, steps: examined.steps });
            }
            Err(problem) => problems.push(*problem),
        }
    }
    gathered
}

/// Reads one runbook with the values that the step gives it.
fn read(
    file: &Path,
    call: &Call,
    shelf: &Shelf<'_>,
    problems: &mut Vec<Problem>,
) -> Option<(RunbookFacts, Examined)> {
    let span = call.named.span;
    let shown = shown(file);
    let (text, root, flaws) = match source::read(&shown) {
        Ok(read) => read,
        Err(diagnostics) => {
            problems.push(wrong(call, &shown, &diagnostics));
            return None;
        }
    };
    let found = kind(&root).unwrap_or("without `kind:`").to_owned();
    if found != FileKind::Runbook.word() {
        problems.push(
            Problem::new(
                Code::NotARunbook,
                span,
                format!("{} is no runbook, but {}", shown.display(), clip(&found)),
            )
            .label("expected a file of `kind: Runbook`"),
        );
        return None;
    }
    if shelf.given.complete && call.with.iter().any(|(_, value)| value.is_none()) {
        // Why it has no value has been said.
        return None;
    }
    let mut cx = Context::new(&Verbatim);
    let variables = draft::variables(&root, &mut cx);
    let before = problems.len();
    let values = values(call, &variables, shelf.given, problems);
    // What is wrong with a variable itself is told first.
    if cx.problems.is_empty() {
        missing(call, &variables, &values, shelf.given, problems);
    }
    if problems.len() > before {
        return None;
    }
    let given = Given { values, ..shelf.given.clone() };
    let mut trail = shelf.trail.clone();
    trail.push(file.to_owned());
    let inner = Shelf { given: &given, trail, read: shelf.read };
    let mut examined = examine((&shown, &text.text), &root, flaws, &inner);
    let flaws = std::mem::take(&mut examined.problems);
    if flaws.iter().any(|problem| !problem.warning) {
        let diagnostics = super::Diagnostics { path: text.path, text: text.text, problems: flaws };
        problems.push(wrong(call, &shown, &diagnostics));
        return None;
    }
    let name = examined.name.clone().unwrap_or_else(|| call.name().value);
    let sha256 = text.sha256();
    Some((RunbookFacts { name, path: text.path, text: text.text, sha256 }, examined))
}

/// The values for a runbook's variables: those of the step over those of the environment.
fn values(
    call: &Call,
    variables: &IndexMap<SpannedName, super::values::Variable>,
    given: &Given,
    problems: &mut Vec<Problem>,
) -> IndexMap<String, String> {
    let known: Vec<&str> = variables.keys().map(|name| name.text.as_str()).collect();
    let mut values = given.values.clone();
    let runbook = &call.named.value;
    for (name, value) in &call.with {
        if !known.contains(&name.text.as_str()) {
            let problem = Problem::new(
                Code::UnknownVariable,
                name.span,
                format!("the runbook `{}` has no variable `{}`", clip(runbook), clip(&name.text)),
            );
            problems.push(match nearest(&name.text, &known) {
                Some(near) => problem.label(format!("did you mean `{near}`?")),
                None if known.is_empty() => problem.label("it declares no variable"),
                None => problem.label("not declared there").help(format!("it has: {}", known.join(", "))),
            });
        }
        match value {
            // It is a text by now, and no template any more.
            Some(value) => drop(values.insert(name.text.clone(), value.replace("${", "$${"))),
            // What the environment calls by the same name is not what was meant.
            None => drop(values.shift_remove(&name.text)),
        }
    }
    values
}

/// Reports the variables that nobody gives a value to.
fn missing(
    call: &Call,
    variables: &IndexMap<SpannedName, super::values::Variable>,
    values: &IndexMap<String, String>,
    given: &Given,
    problems: &mut Vec<Problem>,
) {
    let runbook = clip(&call.named.value);
    let unset = variables.iter().filter(|(name, variable)| {
        given.complete && variable.default.is_none() && !values.contains_key(&name.text)
    });
    for (name, variable) in unset {
        let about = variable.about.as_ref().map(|about| format!(" ({})", clip(about))).unwrap_or_default();
        problems.push(
            Problem::new(
                Code::NoValueGiven,
                call.named.span,
                format!("the runbook `{runbook}` needs a value for `{}`{about}", name.text),
            )
            .label("no value is given, and it has no default")
            .help(format!("give it here: `with: {{ {}: … }}`, or in the environment", name.text)),
        );
    }
}

/// One line for all that is wrong with a runbook.
fn wrong(call: &Call, file: &Path, diagnostics: &super::Diagnostics) -> Problem {
    let located = diagnostics.located();
    let first = located.iter().find(|at| at.severity != "warning");
    let first = first.map_or_else(String::new, |at| match diagnostics.text.is_empty() {
        true => format!(": {}", at.message),
        false => format!(": line {}: {}", at.region.line, at.message),
    });
    Problem::new(
        Code::RunbookWrong,
        call.named.span,
        format!("the runbook {} is not right{first}", file.display()),
    )
    .label("this runbook")
    .help(format!("see all of it: firedrill check {}", file.display()))
}

/// The file of a runbook that is named by its name or its path.
fn find(from: &Path, named: &Spanned<String>, shelf: &Shelf<'_>) -> Result<PathBuf, Box<Problem>> {
    let problem = |code: Code, message: String| Box::new(Problem::new(code, named.span, message));
    let found = find::file(from, named, FileKind::Runbook)?;
    let again = canonical(&found);
    if let Some(at) = shelf.trail.iter().position(|outer| canonical(outer) == again) {
        let names = shelf.trail.get(at..).unwrap_or_default().iter().chain([&found]);
        let names: Vec<String> = names.map(|path| format!("`{}`", stem(&canonical(path)))).collect();
        return Err(Box::new(
            problem(Code::RunbookInItself, format!("runbooks run each other: {}", names.join(" → ")))
                .label("it would never end")
                .help("put what they share in a runbook of its own"),
        ));
    }
    let read = shelf.read.get() + 1;
    shelf.read.set(read);
    match read > MOST {
        true => Err(problem(Code::TooMuch, format!("more than {MOST} runbooks in one file"))),
        false => Ok(found),
    }
}

/// Each step of a draft as it will be called, with its kind: a runbook's own steps in its place.
pub(super) fn outline(steps: &[StepDraft]) -> Vec<(String, &'static str)> {
    let mut all = Vec::new();
    for step in steps {
        let Some(name) = &step.name else { continue };
        match &step.call {
            Some(call) => all.extend(call.steps().iter().map(|(inner, kind)| (within(name, inner), *kind))),
            None => {
                let kind = match step.deed.as_ref().map(|deed| (deed.key.value, &deed.value)) {
                    Some((_, Some(Does::Action(action)))) => action.name(),
                    Some((key, _)) => key,
                    None => continue,
                };
                all.push((name.value.clone(), kind));
            }
        }
    }
    all
}

/// The steps of a file in their order, a runbook's own in its place, each waiting for what it says.
pub(super) fn flatten(drafts: Vec<StepDraft>, aloud: bool) -> Option<Vec<Step>> {
    // What a step's name stands for where another one waits for it.
    let stands_for: Vec<(String, Vec<String>)> = drafts
        .iter()
        .map(|step| {
            let name = step.name.as_ref().map(|name| name.value.clone()).unwrap_or_default();
            let last = match &step.call {
                Some(call) => call.last().iter().map(|inner| within(&name, inner)).collect(),
                None => vec![name.clone()],
            };
            (name, last)
        })
        .collect();
    let meant = |name: &String| {
        let found = stands_for.iter().find(|(known, _)| known == name);
        found.map_or_else(|| vec![name.clone()], |(_, last)| last.clone())
    };
    let mut steps = Vec::new();
    for (index, mut step) in drafts.into_iter().enumerate() {
        let after: Vec<String> = match step.after.as_ref()? {
            Some(names) => names.0.iter().flat_map(|name| meant(&name.value)).collect(),
            None => {
                let before = index.checked_sub(1).and_then(|index| stands_for.get(index));
                before.map(|(_, last)| last.clone()).unwrap_or_default()
            }
        };
        match step.call.take() {
            Some(call) => steps.extend(call.finish(&step.name.as_ref()?.value, &after)?),
            None if aloud => steps.push(step.known().finish(after)?),
            None => steps.push(step.finish(after)?),
        }
    }
    Some(steps)
}

#[cfg(test)]
#[path = "runbook_tests.rs"]
mod tests;
