//! What a plan says of itself: the journal's first line, and what the conductor plays.

use super::conductor::{Script, ScriptProbe, ScriptStep};
use super::event::{EnvironmentFacts, Header};
use super::guardrail::{self, Guardrail};
use crate::clock::Clock;
use crate::plan::Plan;
use crate::spec::Loaded;
use crate::spec::experiment::{self, Experiment};
use crate::watch::Watcher;

/// What is known of a run besides its plan.
pub struct Circumstances {
    /// The run's clock.
    pub clock: Clock,
    /// Its seed.
    pub seed: u64,
    /// Whether nothing may be changed.
    pub dry_run: bool,
    /// Where it runs.
    pub environment: EnvironmentFacts,
}

impl Plan {
    /// The journal's first line.
    pub fn header(&self, loaded: &Loaded, circumstances: Circumstances) -> Header {
        let experiment = &loaded.experiment;
        Header {
            schema: "firedrill/journal/v1".to_owned(),
            run: self.run.clone(),
            firedrill: env!("CARGO_PKG_VERSION").to_owned(),
            began: circumstances.clock.began(),
            origin_ns: circumstances.clock.origin(),
            seed: circumstances.seed,
            dry_run: circumstances.dry_run,
            experiment: loaded.facts(),
            environment: circumstances.environment,
            probes: self.probes.clone(),
            objectives: experiment.objectives.facts(),
            steady_state: experiment.steady_state.facts(),
            recovery: experiment.recovery_facts(),
            measure_from: self
                .measure_from(experiment)
                .and_then(|i| self.steps.get(i))
                .map(|step| step.name.clone()),
            plan: self.facts.clone(),
            alarms: experiment.alarms.iter().map(|alarm| alarm.value.clone()).collect(),
            watchers: self.watchers.iter().map(Watcher::facts).chain(&self.later).cloned().collect(),
            permission_checks: self.permission_checks.clone(),
        }
    }

    /// What the conductor plays.
    pub fn script(&self, loaded: &Loaded, dry_run: bool) -> Script {
        let experiment = &loaded.experiment;
        let steps = self.steps.iter().map(|step| ScriptStep {
            name: step.name.clone(),
            after: step.after.clone(),
            go_on_after_failure: step.go_on_after_failure,
        });
        let probes = self.lanes.iter().zip(&self.probes).map(|(lane, facts)| ScriptProbe {
            name: lane.name.clone(),
            every: lane.every,
            deadline: lane.ask.deadline(),
            must_stay_up: facts.must_stay_up,
        });
        Script {
            steps: steps.collect(),
            probes: probes.collect(),
            steady_state: experiment.steady_state.facts(),
            recovery: experiment.recovery_facts(),
            guardrails: experiment.stop_when.iter().flat_map(|rule| self.guardrails(rule)).collect(),
            measure_from: self.measure_from(experiment),
            dry_run,
        }
    }

    /// The step that the clock of the RTO starts with, when the file names one; else it is the first
    /// that acts, whichever that turns out to be.
    fn measure_from(&self, experiment: &Experiment) -> Option<usize> {
        let name = experiment.measure_from.as_ref()?;
        self.steps.iter().position(|step| step.name == name.value)
    }

    /// A rule of the file, once for each lane of the probe that it names.
    fn guardrails(&self, rule: &experiment::Guardrail) -> Vec<Guardrail> {
        let watches = match rule {
            experiment::Guardrail::Elapsed(limit) => vec![guardrail::Watch::Elapsed(*limit)],
            experiment::Guardrail::ProbeDown { probe, down_for } => {
                let lanes = self.probes.iter().enumerate().filter(|(_, facts)| facts.probe == probe.value);
                lanes.map(|(probe, _)| guardrail::Watch::DownFor { probe, limit: *down_for }).collect()
            }
        };
        watches.into_iter().map(|watch| Guardrail { rule: rule.to_string(), watch }).collect()
    }
}
