//! The rules that look across a game day: its drills and where they are held, its people, its times.
//!
//! They work on a draft, so that a slip in one place does not hide what is wrong in another, and they say nothing about
//! parts that could not be read.

use std::path::Path;

use super::agenda::{DrillDraft, Is};
use super::draft::Draft;
use crate::notation::code::Code;
use crate::notation::decode::{Problem, Spanned, clip, nearest};
use crate::probe::Probe;
use crate::spec::environment::{LAB, Project};
use crate::spec::experiment::{Does, Experiment, Step};
use crate::spec::find;

mod people;
mod times;

/// The rules about a draft. `from` is the game day's own file.
pub(super) fn draft(from: &Path, draft: &Draft, problems: &mut Vec<Problem>) {
    environments(from, draft, problems);
    twice(draft, problems);
    people::people(draft, problems);
    times::times(draft, problems);
    // What is missing is only worth saying of a file that is right: a slip elsewhere may be why.
    if problems.iter().all(|problem| problem.warning) {
        people::idle(draft, problems);
        care(draft, problems);
    }
}

fn drills(draft: &Draft) -> impl Iterator<Item = &DrillDraft> {
    draft.entries().filter_map(|entry| match &entry.is {
        Is::Drill(drill) => Some(drill.as_ref()),
        _ => None,
    })
}

/// Where a drill is held, as far as the file says. `None` when that could not be read.
fn environment<'d>(draft: &'d Draft, drill: &'d DrillDraft) -> Option<Option<&'d Spanned<String>>> {
    let (own, day) = (drill.environment.as_ref()?, draft.environment.as_ref()?);
    Some(own.as_ref().or(day.as_ref()))
}

/// Every drill that needs an environment has one; the project knows it, and it gives what the drill needs.
fn environments(from: &Path, draft: &Draft, problems: &mut Vec<Problem>) {
    let file = find::project(from).map(|folder| folder.join("firedrill.yaml"));
    // What is wrong with the project file is told by checking that.
    let file = file.filter(|file| file.is_file());
    let project = file.as_ref().and_then(|file| Project::read(file).ok());
    let named = draft.environment.iter().flatten();
    let own = drills(draft).filter_map(|drill| drill.environment.as_ref()?.as_ref());
    let named = named.chain(own);
    match &project {
        Some(project) => named.for_each(|environment| known(project, environment, problems)),
        None if file.is_none() => {
            problems.extend(named.filter(|name| name.as_str() != "lab").map(undeclared))
        }
        None => {}
    }
    for drill in drills(draft).filter(|drill| drill.tabletop != Some(true)) {
        let Some(environment) = environment(draft, drill) else { continue };
        match (environment, &project) {
            (None, _) => nowhere(drill, problems),
            (Some(environment), Some(project)) => values(project, drill, environment, problems),
            _ => {}
        }
    }
}

/// The problem of an environment where there is no project file at all.
fn undeclared(environment: &Spanned<String>) -> Problem {
    let what = format!("no environment is called `{}`", clip(environment));
    Problem::new(Code::UnknownEnvironment, environment.span, what)
        .label("no firedrill.yaml stands above this file")
        .help("declare it in the project's firedrill.yaml; `lab` needs none")
}

fn known(project: &Project, environment: &Spanned<String>, problems: &mut Vec<Problem>) {
    let names = project.names();
    if names.contains(&environment.as_str()) {
        return;
    }
    let what = format!("no environment is called `{}`", clip(environment));
    let problem = Problem::new(Code::UnknownEnvironment, environment.span, what);
    problems.push(match nearest(environment, &names) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem.label("not in firedrill.yaml").help(format!("there is: {}", names.join(", "))),
    });
}

fn nowhere(drill: &DrillDraft, problems: &mut Vec<Problem>) {
    let experiment = drill.found.as_ref().and_then(|found| found.experiment.as_ref());
    if experiment.is_some_and(names_aws) {
        let what = format!("the {} `{}` names things of AWS", drill.kind.noun(), clip(drill.name()));
        problems.push(
            Problem::new(
                Code::DrillNowhere,
                drill.named.span,
                format!("{what}, and no environment to find them in"),
            )
            .label("where is it held?")
            .help(
                "`environment: staging`, at the top for all drills or here for this one; `lab` is built in",
            ),
        );
    }
}

/// Whether an environment is needed to find what it names.
fn names_aws(experiment: &Experiment) -> bool {
    let checks = experiment.steps.iter().flat_map(Step::checks).map(|check| &check.probe);
    experiment.steps.iter().any(|step| matches!(step.does, Does::Action(_)))
        || experiment.probes.iter().map(|watch| &watch.probe).chain(checks).any(Probe::asks_aws)
        || !experiment.alarms.is_empty()
        || !experiment.guardrail_alarms().is_empty()
}

/// Every variable of the drill has a value: here, by its default, or by its environment. The lab's are its own affair.
fn values(project: &Project, drill: &DrillDraft, environment: &Spanned<String>, problems: &mut Vec<Problem>) {
    let (Some(found), Some(with)) = (&drill.found, &drill.with) else { return };
    if environment.value == LAB {
        return;
    }
    let Some(given) = project.gives(environment) else { return };
    let unset = found.variables.iter().filter(|(name, variable)| {
        let here = with.iter().any(|(given, _)| given.text == name.text);
        variable.default.is_none() && !here && !given.contains(&name.text.as_str())
    });
    let unset: Vec<String> = unset.map(|(name, _)| format!("`{}`", name.text)).collect();
    if !unset.is_empty() {
        let (noun, name) = (drill.kind.noun(), clip(drill.name()));
        let what = format!("the {noun} `{name}` has no value for {} in `{environment}`", unset.join(", "));
        problems.push(
            Problem::new(Code::NoValueGiven, drill.named.span, what).label("it would not begin").help(
                "give it here, `with: { NAME: … }`, or under `values:` of the environment in firedrill.yaml",
            ),
        );
    }
}

/// No drill is held twice alike.
fn twice(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut seen: Vec<&DrillDraft> = Vec::new();
    for drill in drills(draft) {
        let read = drill.with.is_some() && drill.tabletop.is_some() && drill.dry_run.is_some();
        let (Some(found), true, Some(_)) = (&drill.found, read, environment(draft, drill)) else { continue };
        let alike = |other: &&&DrillDraft| {
            let place = |drill| environment(draft, drill).flatten().map(|name| name.value.as_str());
            let with = |drill: &DrillDraft| {
                let with = drill.with.iter().flatten();
                with.map(|(name, value)| (name.text.clone(), value.clone())).collect::<Vec<_>>()
            };
            other.found.as_ref().is_some_and(|other| other.path == found.path)
                && place(other) == place(drill)
                && with(other) == with(drill)
                && (other.tabletop, other.dry_run) == (drill.tabletop, drill.dry_run)
        };
        match seen.iter().find(alike) {
            Some(first) => problems.push(
                Problem::new(
                    Code::DrillTwice,
                    drill.named.span,
                    format!("`{}` is held twice in the same way", clip(drill.name())),
                )
                .label("again")
                .related(first.named.span, "the first time")
                .help("take one out, or say what differs: `environment`, `with`, `tabletop`, `dry_run`")
                .warning(),
            ),
            None => seen.push(drill),
        }
    }
}

/// What is done where people rely on the service is decided and told.
fn care(draft: &Draft, problems: &mut Vec<Problem>) {
    let felt = drills(draft).find(|drill| {
        let lab = environment(draft, drill).flatten().is_some_and(|environment| environment.value == LAB);
        drill.is_real() && !lab
    });
    let Some(drill) = felt else { return };
    let place = environment(draft, drill).flatten().map(|environment| clip(environment));
    let place = place.map_or_else(String::new, |place| format!(" in `{place}`"));
    let span = draft.name.as_ref().map_or(draft.span, |name| name.span);
    let name = clip(drill.name());
    if matches!(draft.go_no_go, Some(None)) {
        problems.push(
            Problem::new(
                Code::NoGoNoGo,
                span,
                format!("nobody decides whether `{name}` is held{place} on that day"),
            )
            .label("a game day without a go/no-go")
            .related(drill.named.span, "the first drill that is held for real")
            .help("`go_no_go: { question: …, by: [role, …] }` is asked before the first drill")
            .warning(),
        );
    }
    if draft.communication.as_ref().is_some_and(Vec::is_empty) {
        problems.push(
            Problem::new(Code::NobodyTold, span, format!("nobody is told that `{name}` is held{place}"))
                .label("a game day without a communication plan")
                .related(drill.named.span, "the first drill that is held for real")
                .help("`communication: [{ tell: …, what: …, when: 1d before, channel: … }]`")
                .warning(),
        );
    }
}
