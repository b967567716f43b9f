//! The run as a state machine: something happened in, decisions out.
//!
//! Synchronous, with no I/O and no clock of its own, so that a whole drill is a test that pushes
//! inputs and reads a list. Everything that can happen (samples, finished steps, signals, the
//! passing of time) meets here, in one order.

use std::time::Duration;

use super::event::{Ending, EventKind, Phase, Recovery, SteadyState, StepOutcome};
use super::guardrail::{BLIND, Guardrail, Rails, Stage, Trip};
use super::health::Health;
use crate::clock::Moment;
use crate::lookout::Signal;
use crate::sample::{Mark, Sample};

/// What the conductor needs to know of a plan.
#[derive(Clone, Debug)]
pub struct Script {
    /// The steps, in the order of the file.
    pub steps: Vec<ScriptStep>,
    /// The probes, in the order of the samples' index.
    pub probes: Vec<ScriptProbe>,
    /// What must hold first.
    pub steady_state: SteadyState,
    /// What counts as recovered.
    pub recovery: Recovery,
    /// What stops the run.
    pub guardrails: Vec<Guardrail>,
    /// The step whose first call starts the clock of the RTO.
    pub measure_from: Option<usize>,
    /// Whether the steps are only rehearsed.
    pub dry_run: bool,
}

/// A step, as the conductor sees it.
#[derive(Clone, Debug)]
pub struct ScriptStep {
    /// Its name.
    pub name: String,
    /// The steps that must be over first.
    pub after: Vec<usize>,
    /// Whether the run goes on when it fails.
    pub go_on_after_failure: bool,
    /// Whether a person carries it out: what it breaks, it breaks at some time until they say that it is done.
    pub by_hand: bool,
}

/// A probe, as the conductor sees it.
#[derive(Clone, Debug)]
pub struct ScriptProbe {
    /// Its name.
    pub name: String,
    /// Spacing of its samples.
    pub every: Duration,
    /// The longest that a sample takes to be decided.
    pub deadline: Duration,
    /// Whether an outage of it stops the run.
    pub must_stay_up: bool,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time went by.
    Tick,
    /// A probe saw something.
    Sample(Sample),
    /// A step's first mutating call is being sent, or its program started.
    FaultSent {
        /// The step's index.
        step: usize,
    },
    /// A step began.
    Begun {
        /// The step's index.
        step: usize,
    },
    /// How a step will be undone is written down.
    UndoPrepared {
        /// How long that usually takes.
        takes: Duration,
    },
    /// A guardrail's lookout was told something.
    Outside {
        /// Its place among the lookouts.
        source: usize,
        /// What.
        signal: Signal,
    },
    /// A step is over.
    StepFinished {
        /// The step's index.
        step: usize,
        /// How.
        outcome: StepOutcome,
        /// Why.
        detail: Option<String>,
    },
    /// The ledgers were read.
    LedgersRead,
    /// Everything that could be put back was.
    UndoFinished,
    /// Somebody or something wants it to stop.
    Abort {
        /// Who.
        by: String,
    },
}

/// What is to be done.
// The larger ones are rare, and none is held in numbers.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Write this down.
    Record(EventKind),
    /// Start this step.
    Start(usize),
    /// Tell the steps that are under way to stop.
    StopSteps,
    /// Stop probing; samples still in flight may arrive.
    StopProbing,
    /// Read the ledgers back.
    ReadLedgers,
    /// Put everything back.
    Undo,
    /// It is over.
    Finish(Ending),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StepState {
    Waiting,
    Running,
    Over(StepOutcome),
}

/// The state of a run.
#[derive(Debug)]
pub struct Conductor {
    script: Script,
    phase: Phase,
    entered: Moment,
    steps: Vec<StepState>,
    health: Vec<Health>,
    rails: Rails,
    fault_at: Option<Moment>,
    touched_at: Option<Moment>,
    steps_over: Option<Moment>,
    ending: Ending,
    over: bool,
}

impl Conductor {
    /// A run that has not begun.
    pub fn new(script: Script) -> Conductor {
        Conductor {
            phase: Phase::SteadyState,
            entered: Moment::ZERO,
            steps: vec![StepState::Waiting; script.steps.len()],
            health: vec![Health::default(); script.probes.len()],
            rails: Rails::new(script.guardrails.clone()),
            fault_at: None,
            touched_at: None,
            steps_over: None,
            ending: Ending::Completed,
            over: false,
            script,
        }
    }

    /// Begins: call once, when the first sample is about to be due.
    pub fn begin(&mut self, now: Moment) -> Vec<Decision> {
        self.entered = now;
        vec![Decision::Record(EventKind::PhaseEntered { phase: Phase::SteadyState })]
    }

    /// The phase it is in.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// When the fault was injected, once it was.
    pub fn fault_at(&self) -> Option<Moment> {
        self.fault_at
    }

    /// The live picture of each probe.
    pub fn health(&self) -> &[Health] {
        &self.health
    }

    /// Takes in what happened at `now`, and says what to do, in order.
    pub fn handle(&mut self, now: Moment, input: Input) -> Vec<Decision> {
        let mut out = Vec::new();
        if self.over {
            return out;
        }
        match input {
            Input::Tick => {}
            Input::Sample(sample) if sample.mark != Mark::Base => {}
            Input::Sample(sample) => {
                if let Some(health) = self.health.get_mut(usize::from(sample.probe)) {
                    health.observe(&sample);
                }
                self.rails.observe(&sample);
            }
            Input::FaultSent { step } => {
                self.touched_at.get_or_insert(now);
                if self.fault_at.is_none() && self.script.measure_from.is_none_or(|from| from == step) {
                    self.fault_at = Some(now);
                }
            }
            // From here on a person may be at it.
            Input::Begun { step } if self.is_fault_by_hand(step) => drop(self.touched_at.get_or_insert(now)),
            Input::Begun { .. } => {}
            Input::UndoPrepared { takes } => self.rails.undo_prepared(takes),
            Input::Outside { source, signal } => {
                let news = self.rails.hear(now, source, signal);
                out.extend(news.map(|text| Decision::Record(EventKind::Noted { text })));
            }
            Input::StepFinished { step, outcome, detail } => {
                if self.is_fault_by_hand(step) && outcome != StepOutcome::Skipped {
                    self.fault_at.get_or_insert(now);
                }
                self.step_finished(step, outcome, detail, &mut out)
            }
            Input::LedgersRead if self.phase == Phase::FinalRead => self.start_undo(now, &mut out),
            Input::LedgersRead => {}
            Input::UndoFinished => {
                self.over = true;
                out.push(Decision::Finish(self.ending.clone()));
            }
            Input::Abort { by } => self.abort(now, by, &mut out),
        }
        self.advance(now, &mut out);
        out
    }

    /// Whether this step is the fault, and a person carries it out.
    fn is_fault_by_hand(&self, step: usize) -> bool {
        let by_hand = self.script.steps.get(step).is_some_and(|script| script.by_hand);
        by_hand && self.script.measure_from == Some(step) && !self.script.dry_run
    }

    fn step_finished(
        &mut self,
        step: usize,
        outcome: StepOutcome,
        detail: Option<String>,
        out: &mut Vec<Decision>,
    ) {
        let (Some(state), Some(script)) = (self.steps.get_mut(step), self.script.steps.get(step)) else {
            return;
        };
        *state = StepState::Over(outcome);
        let failed = matches!(outcome, StepOutcome::Failed | StepOutcome::Indeterminate);
        if failed && !script.go_on_after_failure && self.ending == Ending::Completed {
            let why = detail.unwrap_or_else(|| "no reason was given".to_owned());
            self.ending = Ending::Failed { because: format!("step `{}`: {why}", script.name) };
            // What runs beside it would only delay the undo.
            out.push(Decision::StopSteps);
        }
    }

    /// Moves on as far as time and state allow.
    fn advance(&mut self, now: Moment, out: &mut Vec<Decision>) {
        if self.over {
            return;
        }
        if let Some(Trip { rule, seen }) = self.tripped(now) {
            let by = format!("guardrail `{rule}`: {seen}");
            out.push(Decision::Record(EventKind::GuardrailTripped { rule, because: seen }));
            match self.phase {
                Phase::SteadyState => self.leave_untouched(now, by, out),
                _ => self.abort(now, by, out),
            }
            return;
        }
        match self.phase {
            Phase::SteadyState => self.judge_steady_state(now, out),
            Phase::Steps => self.advance_steps(now, out),
            Phase::Recovery => self.watch_recovery(now, out),
            Phase::Observation => self.observe(now, out),
            Phase::FinalRead | Phase::Undo => {}
        }
    }

    fn tripped(&mut self, now: Moment) -> Option<Trip> {
        let stage = match self.phase {
            Phase::SteadyState => Stage::Before,
            Phase::Steps | Phase::Recovery | Phase::Observation => Stage::Under,
            Phase::FinalRead => Stage::Read,
            Phase::Undo => return None,
        };
        self.rails.tripped(now, &self.health, stage).or_else(|| {
            let touched = self.touched_at.filter(|_| stage == Stage::Under)?;
            let (probe, since) =
                self.script.probes.iter().zip(&self.health).find_map(|(probe, health)| {
                    let since =
                        health.down_since().filter(|since| probe.must_stay_up && *since >= touched)?;
                    Some((probe, since))
                })?;
            let seen = format!("it has been in an outage since {:.1} s", since.secs());
            Some(Trip { rule: format!("{} must stay up", probe.name), seen })
        })
    }

    fn judge_steady_state(&mut self, now: Moment, out: &mut Vec<Decision>) {
        // The last samples of the window are decided by their deadline at the latest.
        let slack =
            self.script.probes.iter().map(|probe| probe.deadline + probe.every).max().unwrap_or_default();
        let over = self.entered.plus(seconds(self.script.steady_state.watch));
        if now < over || (!self.caught_up(now) && now < over.plus(slack)) {
            return;
        }
        let blind = self.rails.blind(now);
        if !blind.is_empty() && now < over.plus(slack.max(BLIND)) {
            return;
        }
        let needed = self.script.steady_state.availability;
        let mut short: Vec<String> = self
            .script
            .probes
            .iter()
            .zip(&self.health)
            .filter_map(|(probe, health)| shortfall(&probe.name, health, needed))
            .collect();
        short.extend(blind);
        let held = short.is_empty();
        let because = if self.script.probes.is_empty() && held {
            "there is no probe that could show otherwise".to_owned()
        } else if held {
            format!("every probe showed at least {}", percent(needed))
        } else {
            short.join("; ")
        };
        out.push(Decision::Record(EventKind::SteadyStateJudged { held, because: because.clone() }));
        if held {
            self.enter(Phase::Steps, now, out);
            self.advance_steps(now, out);
        } else {
            self.leave_untouched(now, format!("the steady state did not hold: {because}"), out);
        }
    }

    /// Ends the run before anything was begun.
    fn leave_untouched(&mut self, now: Moment, because: String, out: &mut Vec<Decision>) {
        self.ending = Ending::Untouched { because };
        out.push(Decision::StopProbing);
        self.start_undo(now, out);
    }

    /// Whether nearly every sample that was due is decided: else a service may just have gone dark.
    fn caught_up(&self, now: Moment) -> bool {
        self.script.probes.iter().zip(&self.health).all(|(probe, health)| {
            let due = now.since(self.entered).as_secs_f64() / probe.every.as_secs_f64().max(1e-3);
            // The lane starts within one spacing, jitter shifts a sample, and the newest is in flight.
            health.seen() + 3 >= due as u64
        })
    }

    fn advance_steps(&mut self, now: Moment, out: &mut Vec<Decision>) {
        let stopping = self.ending != Ending::Completed;
        for step in 0..self.steps.len() {
            if stopping && self.steps.get(step) == Some(&StepState::Waiting) {
                self.skip(step, out);
            } else if self.ready(step) {
                if let Some(state) = self.steps.get_mut(step) {
                    *state = StepState::Running;
                }
                out.push(Decision::Start(step));
            }
        }
        if !self.steps.iter().all(|state| matches!(state, StepState::Over(_))) {
            return;
        }
        self.steps_over = Some(now);
        let blind = self.script.probes.is_empty();
        if stopping || self.script.dry_run || self.fault_at.is_none() || blind {
            // Nothing to recover from, or no reason to wait for it.
            self.enter_final_read(now, out);
        } else {
            self.enter(Phase::Recovery, now, out);
            self.watch_recovery(now, out);
        }
    }

    fn ready(&self, step: usize) -> bool {
        self.steps.get(step) == Some(&StepState::Waiting)
            && self.script.steps.get(step).is_some_and(|script| {
                script.after.iter().all(|after| matches!(self.steps.get(*after), Some(StepState::Over(_))))
            })
    }

    fn skip(&mut self, step: usize, out: &mut Vec<Decision>) {
        let (Some(state), Some(script)) = (self.steps.get_mut(step), self.script.steps.get(step)) else {
            return;
        };
        *state = StepState::Over(StepOutcome::Skipped);
        out.push(Decision::Record(EventKind::StepFinished {
            step: script.name.clone(),
            outcome: StepOutcome::Skipped,
            detail: Some("the run was stopping".to_owned()),
        }));
    }

    /// Recovered when every impacted probe was good for the confirmation time, counted from its
    /// first good sample, or from the end of the steps for one that never was bad (the fault may
    /// take hold late).
    fn watch_recovery(&mut self, now: Moment, out: &mut Vec<Decision>) {
        let Some(fault_at) = self.fault_at else { return };
        let confirm = seconds(self.script.recovery.confirm);
        let steps_over = self.steps_over.unwrap_or(now);
        let confirmed = self.script.probes.iter().zip(&self.health).all(|(probe, health)| {
            let Some(since) = health.good_since() else { return false };
            let counted_from = if since > fault_at { since } else { steps_over };
            // One deadline more, so that a bad sample still in flight cannot surprise.
            health.good_for(confirm) && now.since(counted_from) >= confirm + probe.deadline
        });
        if confirmed {
            let because = format!("every probe was good for {}", crate::notation::units::show(confirm));
            out.push(Decision::Record(EventKind::RecoveryConfirmed { because }));
            self.enter(Phase::Observation, now, out);
            self.observe(now, out);
        } else if now.since(fault_at) >= seconds(self.script.recovery.within) {
            let probes = self
                .script
                .probes
                .iter()
                .zip(&self.health)
                .filter(|(_, health)| !health.good_for(confirm))
                .map(|(probe, _)| probe.name.clone())
                .collect();
            out.push(Decision::Record(EventKind::RecoveryTimedOut { probes }));
            self.enter_final_read(now, out);
        }
    }

    fn observe(&mut self, now: Moment, out: &mut Vec<Decision>) {
        let Some(fault_at) = self.fault_at else { return };
        if now.since(fault_at) >= seconds(self.script.recovery.observe) {
            self.enter_final_read(now, out);
        }
    }

    fn enter_final_read(&mut self, now: Moment, out: &mut Vec<Decision>) {
        self.enter(Phase::FinalRead, now, out);
        out.push(Decision::StopProbing);
        out.push(Decision::ReadLedgers);
    }

    fn start_undo(&mut self, now: Moment, out: &mut Vec<Decision>) {
        self.enter(Phase::Undo, now, out);
        out.push(Decision::Undo);
    }

    fn abort(&mut self, now: Moment, by: String, out: &mut Vec<Decision>) {
        if self.phase == Phase::Undo {
            let text = format!("{by}: already undoing; Ctrl-C again leaves with what is not undone yet");
            out.push(Decision::Record(EventKind::Noted { text }));
            return;
        }
        out.push(Decision::Record(EventKind::AbortRequested { by: by.clone() }));
        self.ending = Ending::Aborted { by };
        out.push(Decision::StopSteps);
        for step in 0..self.steps.len() {
            if self.steps.get(step) == Some(&StepState::Waiting) {
                self.skip(step, out);
            }
        }
        out.push(Decision::StopProbing);
        self.start_undo(now, out);
    }

    fn enter(&mut self, phase: Phase, now: Moment, out: &mut Vec<Decision>) {
        self.phase = phase;
        self.entered = now;
        out.push(Decision::Record(EventKind::PhaseEntered { phase }));
    }
}

fn shortfall(name: &str, health: &Health, needed: f64) -> Option<String> {
    match health.availability() {
        None => Some(format!("{name} gave no sample")),
        Some(seen) if seen < needed => {
            let (good, bad) = health.counts();
            Some(format!("{name} showed {} ({bad} of {} samples bad)", percent(seen), good + bad))
        }
        Some(_) if health.coverage() < 0.95 => {
            Some(format!("{name} was measured only {} of the time", percent(health.coverage())))
        }
        Some(_) => None,
    }
}

/// A ratio as a percentage that is never rounded up to 100 %.
fn percent(ratio: f64) -> String {
    let shown = (ratio * 10_000.0).floor() / 100.0;
    format!("{shown} %")
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
#[path = "conductor_tests.rs"]
mod tests;
