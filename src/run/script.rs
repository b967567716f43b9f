//! What a plan says of itself: the journal's first line, and what the conductor plays.

use std::time::Duration;

use super::conductor::{Script, ScriptProbe, ScriptStep};
use super::event::{EnvironmentFacts, Header, Safety};
use super::guardrail::{Guardrail, Measure, Watch, Window};
use crate::aws::cloudwatch;
use crate::clock::Clock;
use crate::plan::{Doing, Plan};
use crate::probe::Lane;
use crate::spec::Loaded;
use crate::spec::experiment::Experiment;
use crate::spec::guardrail::{Guardrail as Rule, LEAST, Percentile};
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
            tabletop: false,
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
            safety: Safety {
                guardrails: experiment.stop_when.iter().map(ToString::to_string).collect(),
                preconditions: self.preconditions.clone(),
                permissions: match experiment.guardrail_alarms().is_empty() {
                    true => Vec::new(),
                    false => vec![cloudwatch::DESCRIBE_ALARMS.to_owned()],
                },
            },
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
            by_hand: matches!(step.doing, Doing::Ask(_)),
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
            guardrails: self.guardrails(experiment),
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

    /// The rules of the file; one about a probe once for each lane of it.
    fn guardrails(&self, experiment: &Experiment) -> Vec<Guardrail> {
        let mut rails = Vec::new();
        let mut sources = 0..;
        for rule in &experiment.stop_when {
            let watches = match rule {
                Rule::Elapsed(rule) => {
                    vec![Watch::Elapsed { limit: rule.elapsed, undo_within: rule.undo_within }]
                }
                Rule::Down(rule) => {
                    let down = |(probe, _)| Watch::DownFor { probe, limit: rule.down_for };
                    self.lanes_of(&rule.probe).map(down).collect()
                }
                Rule::Availability(rule) => {
                    let measure = Measure::Availability { below: rule.availability_below.0 };
                    self.windows(&rule.probe, measure, rule.over, LEAST)
                }
                Rule::Latency(rule) => {
                    let Percentile(percentile) = rule.percentile;
                    let measure = Measure::Latency { above: rule.latency_above, percentile };
                    self.windows(&rule.probe, measure, rule.over, rule.percentile.needs())
                }
                // In the order in which the plan made the lookouts.
                Rule::Alarm(_) | Rule::Prometheus(_) => {
                    sources.next().map(|source| Watch::Outside { source }).into_iter().collect()
                }
            };
            rails.extend(watches.into_iter().map(|watch| Guardrail { rule: self.said(rule, &watch), watch }));
        }
        rails
    }

    /// A rule as written, with the lane that this one is about where its probe has several.
    fn said(&self, rule: &Rule, watch: &Watch) -> String {
        let place = match watch {
            Watch::DownFor { probe, .. } => Some(*probe),
            Watch::Window(window) => Some(window.probe),
            Watch::Elapsed { .. } | Watch::Outside { .. } => None,
        };
        match place.and_then(|place| self.probes.get(place)) {
            Some(facts) if facts.name != facts.probe => format!("{rule} ({})", facts.name),
            _ => rule.to_string(),
        }
    }

    fn windows(&self, probe: &str, measure: Measure, over: Duration, least: usize) -> Vec<Watch> {
        let of = |(probe, lane): (usize, &Lane)| {
            Watch::Window(Window::new(probe, measure, over, lane.every, least))
        };
        self.lanes_of(probe).map(of).collect()
    }

    /// The lanes of a probe of the file, with their places.
    fn lanes_of(&self, probe: &str) -> impl Iterator<Item = (usize, &Lane)> {
        let lanes = self.lanes.iter().zip(&self.probes).enumerate();
        lanes.filter(move |(_, (_, facts))| facts.probe == probe).map(|(place, (lane, _))| (place, lane))
    }
}

/// Makes a run one that calls nothing: nothing is watched, nothing stops it but people, and there is nothing to
/// recover from.
pub fn read_aloud(header: &mut Header, script: &mut Script) {
    header.tabletop = true;
    header.measure_from = None;
    header.steady_state.watch = 0.0;
    header.alarms.clear();
    header.safety = Safety::default();
    script.steady_state = header.steady_state.clone();
    script.measure_from = None;
    script.guardrails.clear();
}
