//! A plan that is only read aloud: every step is a question to a person, and nothing is looked up.

use std::time::Duration;

use super::{Decision, Doing, PEOPLE_TIMEOUT, Plan, Planned, Question, Undo, handling, run_id};
use crate::clock::Clock;
use crate::notation::units::show;
use crate::run::event::{PlannedStep, Usual};
use crate::spec::Loaded;
use crate::spec::experiment::{Does, Experiment, OnFailure, Step};
use crate::spec::outputs::Flow;

/// Makes the plan from the file alone.
pub fn make(loaded: &Loaded, clock: &Clock) -> Plan {
    let experiment = &loaded.experiment;
    let facts: Vec<PlannedStep> = experiment.steps.iter().map(|step| fact(experiment, step)).collect();
    Plan {
        run: run_id(&experiment.name.value, clock),
        steps: experiment
            .steps
            .iter()
            .zip(&facts)
            .map(|(step, fact)| planned(experiment, step, fact))
            .collect(),
        facts,
        lanes: Vec::new(),
        probes: Vec::new(),
        watchers: Vec::new(),
        later: Vec::new(),
        unwatched: Vec::new(),
        lookouts: Vec::new(),
        preconditions: Vec::new(),
        permission_checks: Vec::new(),
    }
}

fn fact(experiment: &Experiment, step: &Step) -> PlannedStep {
    let expected = step.expected.map(|expected| expected.as_secs_f64());
    PlannedStep {
        name: step.name.value.clone(),
        kind: step.does.kind().to_owned(),
        summary: summary(experiment, step),
        targets: Vec::new(),
        after: step.after.clone(),
        mutates: false,
        irreversible: step.irreversible,
        undo: None,
        preconditions: Vec::new(),
        permissions: Vec::new(),
        usual: expected.map(|expected| Usual { from: expected, to: expected }),
        undo_usual: None,
        permission_checks: Vec::new(),
        handling: handling(step),
    }
}

fn planned(experiment: &Experiment, step: &Step, fact: &PlannedStep) -> Planned {
    let index_of = |name: &String| experiment.steps.iter().position(|other| other.name.value == *name);
    // Whoever reads aloud may say go: who must do so when it counts is shown.
    let decision = matches!(step.does, Does::Approve(_)).then(|| Decision { by: Vec::new(), at_least: 1 });
    Planned {
        name: fact.name.clone(),
        doing: Doing::Ask(Question { text: fact.summary.clone(), decision }),
        undo: Undo::Nothing,
        after: step.after.iter().filter_map(index_of).collect(),
        timeout: match step.does {
            Does::Manual(_) | Does::Approve(_) => step.timeout.unwrap_or(PEOPLE_TIMEOUT),
            // What a machine would be given says nothing of how long people talk about it.
            _ => PEOPLE_TIMEOUT,
        },
        outlook: String::new(),
        go_on_after_failure: step.on_failure == OnFailure::Continue,
        verify: Vec::new(),
        flow: Flow::default(),
    }
}

/// What would be done, as far as the file alone says it.
fn summary(experiment: &Experiment, step: &Step) -> String {
    let checked = step.verify.iter().map(|check| format!("; then check: {}", check.probe.summary()));
    let does = match &step.does {
        Does::Action(action) => {
            let targets = step.targets.as_deref().unwrap_or(&experiment.targets);
            let target = targets.get(action.target().value.as_str());
            let target = target.map_or_else(|| action.target().value.clone(), |target| target.describe());
            format!("{} on {target}", action.name())
        }
        Does::Run(program) => format!("run {}", line(program)),
        Does::Manual(text) => text.clone(),
        Does::Approve(approval) => approval.question.clone(),
        Does::Wait(time) if time.is_zero() => "wait, for a time that is not known here".to_owned(),
        Does::WaitUntil(conditions) if conditions.is_empty() => {
            format!("wait until: {}", step.name.value)
        }
        Does::Wait(time) => format!("wait {}", show(*time)),
        Does::WaitUntil(conditions) => {
            let said: Vec<String> = conditions.iter().map(|check| check.probe.summary()).collect();
            format!("wait until {}", said.join("; "))
        }
    };
    does + &checked.collect::<String>()
}

fn line(program: &crate::spec::Program) -> String {
    super::program(program, Duration::ZERO).line()
}
