//! From an experiment and the targets as found to ordered steps, each with its undo.
//!
//! A plan is printable before anything happens; making one only reads. It resolves each target
//! once: what was found here is what the run acts on.

use std::sync::Arc;
use std::time::Duration;

use crate::action::{Action, Pace};
use crate::aws::find::{self, Found};
use crate::aws::{Aws, Fault};
use crate::clock::Clock;
use crate::lookout::Lookout;
use crate::probe::prometheus::ask::PrometheusAsk;
use crate::probe::{Ask, Lane, Opening, Resolver};
use crate::program::Program;
use crate::run::event::{
    Handling, PermissionCheck, PlannedStep, Precondition, ProbeFacts, Usual, WatcherFacts,
};
use crate::spec::Loaded;
use crate::spec::experiment::{self, Does, Experiment, Guardrail, OnFailure, Step};
use crate::spec::outputs::Flow;
use crate::watch::{self, Attached, Watcher};

mod ask;
pub mod frozen;
pub mod permit;
mod rest;
pub mod sealed;
mod start;
pub mod tabletop;
mod text;
mod timeline;

pub use ask::{Decision, Question};

/// How long a step may take when it does not say.
const STEP_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// The same, for what a person does.
const PEOPLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// What is going to happen.
pub struct Plan {
    /// The run's id.
    pub run: String,
    /// The steps, in the order of the file.
    pub steps: Vec<Planned>,
    /// The same, as the journal and people see them.
    pub facts: Vec<PlannedStep>,
    /// The probes, ready to be asked.
    pub lanes: Vec<Lane>,
    /// What the journal says of each lane.
    pub probes: Vec<ProbeFacts>,
    /// The watchers of what the steps act on, and of the alarms.
    pub watchers: Vec<Watcher>,
    /// The watchers that begin with a change that a step is yet to make.
    pub later: Vec<WatcherFacts>,
    /// What of it cannot be watched, each in a sentence.
    pub unwatched: Vec<String>,
    /// Whom the guardrails ask, in the order of the file.
    pub lookouts: Vec<Lookout>,
    /// What must hold before anything is touched, whatever the steps do.
    pub preconditions: Vec<Precondition>,
    /// Whether the caller may do what the watchers, probes and alarms need, once that was asked.
    pub permission_checks: Vec<PermissionCheck>,
}

/// One step, resolved.
#[derive(Clone)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// What it does.
    pub doing: Doing,
    /// How it is undone.
    pub undo: Undo,
    /// The indices of the steps that must be over first.
    pub after: Vec<usize>,
    /// How long each of its waits may take.
    pub timeout: Duration,
    /// What a rehearsal says of it.
    pub outlook: String,
    /// Whether the run goes on when it fails.
    pub go_on_after_failure: bool,
    /// What must be good after it.
    pub verify: Vec<Check>,
    /// What of its program's output is kept, and what it uses of others'.
    pub flow: Flow,
}

/// How a step is undone.
#[derive(Clone)]
pub enum Undo {
    /// As the action itself knows, if it does.
    Own,
    /// Not at all: it is meant to stay.
    Nothing,
    /// By a program.
    Program(Program),
}

/// What a step does.
#[derive(Clone)]
pub enum Doing {
    /// Calls AWS.
    Action(Box<PlannedAction>),
    /// Runs a program.
    Program(Program),
    /// Has a person carry something out, or people decide.
    Ask(Question),
    /// Waits.
    Wait(Duration),
    /// Waits until each of these is good, one after the other.
    WaitUntil(Vec<Check>),
}

/// An action and what it acts on.
#[derive(Clone)]
pub struct PlannedAction {
    /// The action.
    pub action: Action,
    /// What was found.
    pub found: Found,
}

/// A verification after a step.
#[derive(Clone)]
pub struct Check {
    /// What is asked, for people.
    pub summary: String,
    /// How long it may take to become good.
    pub within: Duration,
    /// Whom to ask.
    pub ask: Arc<dyn Ask>,
}

/// What a plan is made with.
pub struct Means<'a> {
    /// The clients, when there is an environment.
    pub aws: Option<&'a Aws>,
    /// How the probes look names up.
    pub resolver: Arc<Resolver>,
    /// Draws the victims.
    pub seed: u64,
    /// The run's clock.
    pub clock: Clock,
}

/// Why there is no plan. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A target could not be resolved.
    #[error("target `{target}`: {source}")]
    Target {
        /// Its name.
        target: String,
        /// Why.
        source: Fault,
    },
    /// A precondition could not be looked at.
    #[error("step `{step}`: {source}")]
    Check {
        /// Its name.
        step: String,
        /// Why.
        source: Fault,
    },
    /// A probe could not be made.
    #[error("probe `{probe}`: {why}")]
    Probe {
        /// Its name.
        probe: String,
        /// Why.
        why: String,
    },
    /// An alarm that cannot be watched.
    #[error("alarms: {source}")]
    Alarms {
        /// Why.
        source: Fault,
    },
    /// A guardrail that cannot be asked.
    #[error("stop_when: {source}")]
    StopWhen {
        /// Why.
        source: Fault,
    },
    /// A guardrail that cannot be made.
    #[error("stop_when: `{rule}`: {why}")]
    Guardrail {
        /// The rule, as written.
        rule: String,
        /// Why.
        why: String,
    },
    /// An action without clients: the experiment was loaded without an environment.
    #[error("step `{step}` acts on AWS, and no environment was given")]
    NoAws {
        /// Its name.
        step: String,
    },
}

impl PlanError {
    /// What to do next, where the call that failed knows.
    pub fn help(&self) -> Option<&str> {
        match self {
            PlanError::Target { source, .. }
            | PlanError::Check { source, .. }
            | PlanError::StopWhen { source }
            | PlanError::Alarms { source } => Some(&source.help),
            PlanError::Probe { .. } | PlanError::Guardrail { .. } | PlanError::NoAws { .. } => None,
        }
    }
}

/// Makes the plan: finds the targets, checks what the steps rely on, opens the probes.
///
/// # Errors
/// A target that is not as described, a call that failed, a probe that cannot be made.
pub async fn make(loaded: &Loaded, means: &Means<'_>) -> Result<Plan, PlanError> {
    let experiment = &loaded.experiment;
    let run = run_id(&experiment.name.value, &means.clock);
    let opening = Opening {
        run_id: run.clone(),
        resolver: means.resolver.clone(),
        probe: String::new(),
        metrics: means.aws.map(Aws::metrics),
        data: means.aws.map(Aws::data_plane),
    };
    let mut steps = Vec::new();
    let mut facts = Vec::new();
    for step in &experiment.steps {
        let (planned, fact) = plan_step(experiment, step, means, &opening).await?;
        steps.push(planned);
        facts.push(fact);
    }
    let (mut lanes, mut probes) = (Vec::new(), Vec::new());
    for watch in &experiment.probes {
        let failed = |why| PlanError::Probe { probe: watch.name.text.clone(), why };
        for variant in watch.probe.variants(&opening).await.map_err(failed)? {
            let facts = watch.facts(&variant);
            let own = Opening { probe: facts.name.clone(), ..opening.clone() };
            let ask = variant.open(&own).map_err(failed)?;
            let name = facts.name.clone();
            lanes.push(Lane {
                name,
                every: watch.every,
                edge_every: watch.edge_every,
                sentinel: watch.sentinel,
                ask,
            });
            probes.push(ProbeFacts { summary: loaded.redactor.clean(&facts.summary), ..facts });
        }
    }
    let lookouts =
        lookouts(experiment, &opening).map_err(|(rule, why)| PlanError::Guardrail { rule, why })?;
    let preconditions = start::conditions(experiment, means.aws, &facts).await?;
    let Attached { watchers, later, missing } = attach(experiment, means, &steps).await?;
    Ok(Plan {
        run,
        steps,
        facts,
        lanes,
        probes,
        watchers,
        later,
        unwatched: missing,
        lookouts,
        preconditions,
        permission_checks: Vec::new(),
    })
}

/// Whom the guardrails ask, in the order of the file. The error is the rule, and why it cannot be asked.
fn lookouts(experiment: &Experiment, opening: &Opening) -> Result<Vec<Lookout>, (String, String)> {
    let mut lookouts = Vec::new();
    for rule in &experiment.stop_when {
        match rule {
            Guardrail::Alarm(alarm) => lookouts.push(Lookout::Alarm(alarm.alarm.value.clone())),
            Guardrail::Prometheus(of) => {
                let query = of.prometheus.clone();
                let failed = |why| (rule.to_string(), why);
                let ask = Arc::new(PrometheusAsk::open(&query.probe(), opening).map_err(failed)?);
                lookouts.push(Lookout::Query { ask, beyond: Arc::new(move |value| query.beyond(value)) });
            }
            _ => {}
        }
    }
    Ok(lookouts)
}

/// The watchers attach themselves to what the steps act on.
async fn attach(
    experiment: &Experiment,
    means: &Means<'_>,
    steps: &[Planned],
) -> Result<Attached, PlanError> {
    let Some(aws) = means.aws else { return Ok(Attached::default()) };
    let touched: Vec<&Found> = steps
        .iter()
        .filter_map(|step| match &step.doing {
            Doing::Action(planned) => Some(&planned.found),
            _ => None,
        })
        .collect();
    let alarms: Vec<String> = experiment.alarms.iter().map(|alarm| alarm.value.clone()).collect();
    watch::attach(aws, &touched, &alarms).await.map_err(|source| PlanError::Alarms { source })
}

async fn plan_step(
    experiment: &Experiment,
    step: &Step,
    means: &Means<'_>,
    opening: &Opening,
) -> Result<(Planned, PlannedStep), PlanError> {
    let name = step.name.value.clone();
    let timeout = step.timeout.unwrap_or(match step.does {
        Does::Manual(_) | Does::Approve(_) => PEOPLE_TIMEOUT,
        _ => STEP_TIMEOUT,
    });
    let mut fact = PlannedStep {
        name: name.clone(),
        kind: step.does.kind().to_owned(),
        summary: String::new(),
        targets: Vec::new(),
        after: step.after.clone(),
        mutates: step.does.injects() || matches!(step.does, Does::Manual(_)),
        irreversible: false,
        undo: None,
        preconditions: Vec::new(),
        permissions: Vec::new(),
        usual: None,
        undo_usual: None,
        permission_checks: Vec::new(),
        handling: handling(step),
    };
    let failed = |what: &str, why| PlanError::Probe { probe: format!("{name}, {what}"), why };
    let expected = step.expected.map(|expected| expected.as_secs_f64());
    fact.usual = expected.map(|expected| Usual { from: expected, to: expected });
    let doing = match &step.does {
        Does::Wait(time) => {
            fact.summary = format!("wait {}", crate::notation::units::show(*time));
            fact.usual = Some(Usual { from: time.as_secs_f64(), to: time.as_secs_f64() });
            Doing::Wait(*time)
        }
        Does::Run(run) => {
            let run = program(run, timeout);
            fact.summary = format!("run {}", run.line());
            Doing::Program(run)
        }
        Does::Action(action) => {
            Doing::Action(Box::new(plan_action(experiment, (step, action), means, &mut fact).await?))
        }
        Does::Manual(text) => {
            fact.summary.clone_from(text);
            Doing::Ask(Question { text: text.clone(), decision: None })
        }
        Does::Approve(approval) => {
            fact.summary.clone_from(&approval.question);
            let decision = Decision { by: approval.by.clone(), at_least: approval.at_least };
            Doing::Ask(Question { text: approval.question.clone(), decision: Some(decision) })
        }
        Does::WaitUntil(conditions) => {
            let conditions = checks(conditions, opening).map_err(|why| failed("wait_until", why))?;
            let said = conditions.iter().map(|check| check.summary.as_str()).collect::<Vec<_>>();
            fact.summary = format!("wait until {}", said.join("; "));
            Doing::WaitUntil(conditions)
        }
    };
    let undo = match &step.undo {
        experiment::Undo::Own => Undo::Own,
        experiment::Undo::Nothing => {
            (fact.undo, fact.undo_usual) = (None, None);
            Undo::Nothing
        }
        experiment::Undo::Program(undo) => {
            let undo = program(undo, STEP_TIMEOUT);
            (fact.undo, fact.undo_usual) = (Some(format!("run {}", undo.line())), None);
            Undo::Program(undo)
        }
    };
    let verify = checks(&step.verify, opening).map_err(|why| failed("verify", why))?;
    let index_of = |name: &String| experiment.steps.iter().position(|other| other.name.value == *name);
    let planned = Planned {
        after: step.after.iter().filter_map(index_of).collect(),
        go_on_after_failure: step.on_failure == OnFailure::Continue,
        name,
        doing,
        undo,
        timeout,
        outlook: timeline::outlook(&fact),
        verify,
        flow: step.flow.clone(),
    };
    Ok((planned, fact))
}

/// What asks the checks of a step. The error is why one of them cannot be made.
fn checks(written: &[experiment::Check], opening: &Opening) -> Result<Vec<Check>, String> {
    let open = |check: &experiment::Check| {
        let ask = check.probe.open(opening)?;
        Ok(Check { summary: check.probe.summary(), within: check.within, ask })
    };
    written.iter().map(open).collect()
}

/// Who carries a step out, and how long it should take.
pub(crate) fn handling(step: &Step) -> Handling {
    let (by, at_least) = match &step.does {
        Does::Approve(approval) => (approval.by.clone(), approval.at_least),
        _ => (Vec::new(), 0),
    };
    Handling {
        owner: step.owner.clone(),
        role: step.role.clone(),
        about: step.about.clone(),
        expected: step.expected.map(|expected| expected.as_secs_f64()),
        by,
        at_least,
    }
}

async fn plan_action(
    experiment: &Experiment,
    (step, action): (&Step, &Action),
    means: &Means<'_>,
    fact: &mut PlannedStep,
) -> Result<PlannedAction, PlanError> {
    let name = &action.target().value;
    let targets = step.targets.as_deref().unwrap_or(&experiment.targets);
    let step = fact.name.clone();
    // The linter refuses a file without the target; said again rather than assumed.
    let (Some(aws), Some(target)) = (means.aws, targets.get(name.as_str())) else {
        return Err(PlanError::NoAws { step });
    };
    let failed = |source| PlanError::Check { step: step.clone(), source };
    let found = find::find(aws, target, means.seed, name)
        .await
        .map_err(|source| PlanError::Target { target: name.clone(), source })?;
    let act = action.act();
    fact.summary = act.summary(&found);
    fact.targets = found.ids();
    fact.irreversible = action.irreversible();
    fact.permissions = act.permissions().iter().map(|name| (*name).to_owned()).collect();
    fact.preconditions = act.check(aws, &found).await.map_err(failed)?;
    rest::look(aws, &found, fact).await;
    let pace = if aws.scaled() { Pace::Scaled } else { Pace::Aws };
    fact.usual = Some(action.usual(pace));
    if fact.preconditions.iter().all(|condition| condition.holds) {
        // Read now so that the plan can say how it would be undone; read again when the step acts.
        let undo = act.prepare(aws, &found).await.map_err(failed)?.undo;
        fact.undo_usual = undo.as_ref().map(|undo| undo.usual(pace));
        fact.undo = undo.map(|undo| undo.summary());
    }
    Ok(PlannedAction { action: action.clone(), found })
}

/// The program that undoes a step, as its file says, when it names one.
pub fn undo_program(loaded: &Loaded, step: &str) -> Option<Program> {
    let step = loaded.experiment.steps.iter().find(|one| one.name.value == step)?;
    match &step.undo {
        experiment::Undo::Program(undo) => Some(program(undo, STEP_TIMEOUT)),
        experiment::Undo::Own | experiment::Undo::Nothing => None,
    }
}

fn program(program: &experiment::Program, timeout: Duration) -> Program {
    Program { argv: program.argv.clone(), env: program.env.clone(), timeout }
}

/// `20261121-105512-reboot-rds-failover-7f3a`: sorts by time, says what it is, is unique.
fn run_id(experiment: &str, clock: &Clock) -> String {
    let now = clock.began().strftime("%Y%m%d-%H%M%S");
    format!("{now}-{experiment}-{:04x}", rand::random::<u16>())
}

impl Plan {
    /// The preconditions that do not hold and what the caller may not do, as text; `None` when all is well.
    pub fn unmet(&self) -> Option<String> {
        let start = self.preconditions.iter().filter(|condition| !condition.holds);
        let start = start.map(|Precondition { what, found, .. }| format!("{what}: {found}"));
        let unmet = |step: &PlannedStep| {
            let lines = step.preconditions.iter().filter(|condition| !condition.holds);
            lines
                .map(|Precondition { what, found, .. }| format!("step `{}`: {what}: {found}", step.name))
                .collect::<Vec<_>>()
        };
        let mut lines: Vec<String> = start.chain(self.facts.iter().flat_map(unmet)).collect();
        lines.extend(self.denied());
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}
