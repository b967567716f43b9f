//! The files of a game day's drills: found, read with the values that they are given, and right by themselves.
//!
//! What is wrong with a drill's file is told in one line at the entry that names it: the whole of it is told by
//! `firedrill check` of that file.

use std::cell::Cell;
use std::path::Path;

use indexmap::IndexMap;

use super::agenda::{DrillDraft, Found};
use crate::notation::code::Code;
use crate::notation::decode::{Context, Problem, clip, nearest};
use crate::notation::yaml::Node;
use crate::run::event::FileKind;
use crate::spec::runbook::Shelf;
use crate::spec::values::Verbatim;
use crate::spec::{Diagnostics, Examined, Given, Source, draft, examine, find, kind, source};

/// Finds and reads the file of a drill. `from` is the game day's own file.
pub(super) fn read(from: &Path, drill: &mut DrillDraft, problems: &mut Vec<Problem>) {
    let named = &drill.named;
    if named.value.trim().is_empty() {
        let noun = drill.kind.noun();
        problems.push(
            Problem::new(find::unknown(drill.kind), named.span, format!("no {noun} is named"))
                .label(format!("expected the {noun}'s name, or the path of its file")),
        );
        return;
    }
    let file = match find::file(from, named, drill.kind) {
        Ok(file) => file,
        Err(problem) => return problems.push(*problem),
    };
    if let Some(problem) = outside(from, &file, drill) {
        return problems.push(problem);
    }
    let shown = find::shown(&file);
    let (text, root, flaws) = match source::read(&shown) {
        Ok(read) => read,
        Err(diagnostics) => return problems.push(wrong(drill, &shown, &diagnostics, "")),
    };
    if let Some(problem) = other_kind(drill, &shown, &root) {
        return problems.push(problem);
    }
    let mut cx = Context::new(&Verbatim);
    let variables = draft::variables(&root, &mut cx);
    let before = problems.len();
    unknown_values(drill, variables.keys().map(|name| name.text.as_str()).collect(), problems);
    let known = problems.len() == before;
    let values = if known { values(drill) } else { IndexMap::new() };
    let examined = read_with(&shown, &text, &root, (flaws.clone(), values));
    let failed = |examined: &Examined| examined.problems.iter().any(|problem| !problem.warning);
    let mut experiment = None;
    if failed(&examined) {
        // Of a file that is right by itself it is the values that are wrong.
        let alone = read_with(&shown, &text, &root, (flaws, IndexMap::new()));
        let because = if failed(&alone) { "" } else { " with these values" };
        let of =
            Diagnostics { path: text.path.clone(), text: text.text.clone(), problems: examined.problems };
        problems.push(wrong(drill, &shown, &of, because));
    } else {
        experiment = examined.experiment;
    }
    let name = examined.name.unwrap_or_else(|| named.value.clone());
    drill.found = Some(Found { path: shown, name, variables, experiment });
}

/// A game day is whole where its project is checked out: here, on a colleague's machine, on the day.
fn outside(from: &Path, file: &Path, drill: &DrillDraft) -> Option<Problem> {
    let project = find::canonical(&find::project(from)?);
    let found = find::canonical(file);
    if found.starts_with(&project) {
        return None;
    }
    let message = format!("{} is not in the project of this game day", find::shown(file).display());
    Some(
        Problem::new(Code::DrillOutside, drill.named.span, message).label("nobody else has it there").help(
            format!("the project begins at {}: move the file into it", find::shown(&project).display()),
        ),
    )
}

/// What is wrong with a file of another kind than the entry says.
fn other_kind(drill: &DrillDraft, shown: &Path, root: &Node) -> Option<Problem> {
    let found = kind(root).unwrap_or("without `kind:`");
    if found == drill.kind.word() {
        return None;
    }
    let code = match drill.kind {
        FileKind::Experiment => Code::FileNotAnExperiment,
        FileKind::Runbook => Code::NotARunbook,
    };
    let (noun, shown) = (drill.kind.noun(), shown.display());
    let problem = Problem::new(code, drill.named.span, format!("{shown} is no {noun}, but {}", clip(found)))
        .label(format!("expected a file of `kind: {}`", drill.kind.word()));
    let other = [FileKind::Experiment, FileKind::Runbook].into_iter().find(|kind| kind.word() == found);
    Some(match other {
        Some(other) => problem.help(format!("write `{}: {}`", other.noun(), clip(&drill.named.value))),
        None => problem,
    })
}

/// The values of the entry, as far as they are known before it is held.
fn values(drill: &DrillDraft) -> IndexMap<String, String> {
    let with = drill.with.iter().flatten();
    with.map(|(name, value)| (name.text.clone(), value.clone())).collect()
}

/// Reports values for variables that the drill does not have.
fn unknown_values(drill: &DrillDraft, known: Vec<&str>, problems: &mut Vec<Problem>) {
    let noun = drill.kind.noun();
    for (name, _) in drill.with.iter().flatten().filter(|(name, _)| !known.contains(&name.text.as_str())) {
        let what =
            format!("the {noun} `{}` has no variable `{}`", clip(&drill.named.value), clip(&name.text));
        let problem = Problem::new(Code::UnknownVariable, name.span, what);
        problems.push(match nearest(&name.text, &known) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None if known.is_empty() => problem.label("it declares no variable"),
            None => problem.label("not declared there").help(format!("it has: {}", known.join(", "))),
        });
    }
}

/// What the file is with these values, and what is wrong with it then.
fn read_with(
    path: &Path,
    text: &Source,
    root: &Node,
    (flaws, values): (Vec<Problem>, IndexMap<String, String>),
) -> Examined {
    let given = Given { values, aloud: true, ..Given::default() };
    let read = Cell::new(0);
    let shelf = Shelf { given: &given, trail: vec![find::canonical(path)], read: &read };
    examine((path, &text.text), root, flaws, &shelf)
}

/// One line for all that is wrong with a drill's file.
fn wrong(drill: &DrillDraft, file: &Path, diagnostics: &Diagnostics, because: &str) -> Problem {
    let located = diagnostics.located();
    let first = located.iter().find(|at| at.severity != "warning");
    let first = first.map_or_else(String::new, |at| match diagnostics.text.is_empty() {
        true => format!(": {}", at.message),
        false => format!(": line {}: {}", at.region.line, at.message),
    });
    let code = match drill.kind {
        FileKind::Experiment => Code::ExperimentWrong,
        FileKind::Runbook => Code::RunbookWrong,
    };
    let (noun, file) = (drill.kind.noun(), file.display());
    let problem =
        Problem::new(code, drill.named.span, format!("the {noun} {file} is not right{because}{first}"))
            .label(format!("this {noun}"));
    match because {
        "" => problem.help(format!("see all of it: firedrill check {file}")),
        _ => problem.help("mend the values under `with:`"),
    }
}
