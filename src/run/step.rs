//! One step, carried out: undo prepared, acted, seen to take hold, verified.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::event::{CallOutcome, EventKind, StepOutcome};
use super::outputs::Outputs;
use super::people::People;
use super::recorder::Recorder;
use super::undo::{Stack, Undoing};
use crate::action::{Act, Effect, Watch};
use crate::aws::find::Target;
use crate::aws::{Aws, Fault};
use crate::plan::{Check, Doing, Planned, Question, Undo};
use crate::probe::Ask;
use crate::program::Program;
use crate::program::{Ended, stopped};
use crate::watch::Track;

/// How often a verification asks again.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// What carrying out a step needs.
pub struct Stage {
    /// The journal.
    pub recorder: Arc<Recorder>,
    /// What is to be undone.
    pub undo: Arc<Stack>,
    /// The clients, when the plan uses AWS.
    pub aws: Option<Arc<Aws>>,
    /// Who is asked what people do.
    pub people: Arc<People>,
    /// What programs printed so far.
    pub outputs: Arc<Outputs>,
    /// Whether nothing may be changed.
    pub dry_run: bool,
    /// Turns true when the run stops.
    pub stop: watch::Receiver<bool>,
    /// Where the watchers hear of changes that are to be followed.
    pub tracks: Option<mpsc::UnboundedSender<Track>>,
}

/// How a step went, and why.
pub type Ending = (StepOutcome, Option<String>);

impl Stage {
    /// Carries out a step. Its events are written as they happen.
    ///
    /// A mutating call is always waited for (it has a deadline of its own), so that its outcome is
    /// known; the waiting for effects after it ends when the run stops.
    pub async fn carry_out(mut self, step: &Planned) -> Ending {
        let started = EventKind::StepStarted { step: step.name.clone() };
        if let Err(error) = self.recorder.record(started) {
            return failed(format!("the journal cannot be written: {error}"));
        }
        if self.dry_run {
            return (StepOutcome::Skipped, Some(format!("dry run: rehearsed, not done; {}", step.outlook)));
        }
        // A check that is good already shows nothing by being good afterwards.
        let mut held = Vec::new();
        for check in &step.verify {
            held.push(check.ask.ask(0, self.recorder.clock()).await.class.good());
        }
        let acted = match &step.doing {
            Doing::Wait(time) => self.wait(*time).await,
            Doing::Program(program) => match self.outputs.fill_program(&step.flow, program) {
                Ok(program) => self.run_program(step, &program).await,
                Err(why) => failed(why),
            },
            Doing::Action(_) => self.act(step).await,
            Doing::Ask(question) => match self.outputs.fill(&step.flow, &question.text) {
                Ok(text) => {
                    let question = Question { text, ..question.clone() };
                    self.people.ask(&step.name, &question, step.timeout, &mut self.stop).await
                }
                Err(why) => failed(why),
            },
            Doing::WaitUntil(conditions) => self.wait_until(step, conditions).await,
        };
        match acted {
            (StepOutcome::Done, detail) if !step.verify.is_empty() => self.verify(step, &held, detail).await,
            other => other,
        }
    }

    async fn wait(&mut self, time: Duration) -> Ending {
        tokio::select! {
            () = tokio::time::sleep(time) => (StepOutcome::Done, None),
            () = stopped(&mut self.stop) => stopping(),
        }
    }

    /// Asks until each condition is good, one after the other.
    async fn wait_until(&mut self, step: &Planned, conditions: &[Check]) -> Ending {
        let began = self.recorder.clock().now();
        for check in conditions {
            let left = step.timeout.saturating_sub(self.recorder.clock().now().since(began));
            let limit = check.within.min(left);
            match within(limit, &mut self.stop, ask_until_good(check.ask.as_ref(), &self.recorder)).await {
                Waited::Done(()) => {}
                Waited::Overdue => {
                    let after = crate::notation::units::show(limit);
                    return failed(format!("not so within {after}: {}", check.summary));
                }
                Waited::Stopped => return stopping(),
            }
        }
        let met: Vec<&str> = conditions.iter().map(|check| check.summary.as_str()).collect();
        (StepOutcome::Done, Some(format!("it is so: {}", met.join("; "))))
    }

    async fn run_program(&mut self, step: &Planned, program: &Program) -> Ending {
        let line = program.line();
        if let Undo::Program(undo) = &step.undo
            && let Err(why) = self.prepare_undo(step, Undoing::Program(undo.clone()))
        {
            return failed(why);
        }
        if *self.stop.borrow() {
            return stopping();
        }
        let sent = EventKind::CallSent {
            step: step.name.clone(),
            operation: "run".to_owned(),
            resource: line.clone(),
        };
        if let Err(error) = self.recorder.record(sent) {
            return failed(format!("the journal cannot be written: {error}"));
        }
        let (ended, stdout) = program.run_and_read(self.stop.clone()).await;
        let (call, outcome, detail) = match ended {
            Ended::Success(said) => (CallOutcome::Accepted, StepOutcome::Done, said),
            Ended::Failure(said) => (CallOutcome::Unclear, StepOutcome::Failed, said),
            Ended::NotStarted(said) => (CallOutcome::Refused, StepOutcome::Failed, said),
        };
        let returned = EventKind::CallReturned {
            step: step.name.clone(),
            operation: "run".to_owned(),
            resource: line,
            outcome: call,
            detail: Some(detail.clone()),
        };
        if let Err(error) = self.recorder.record(returned) {
            return failed(format!("the journal cannot be written: {error}"));
        }
        if outcome == StepOutcome::Done {
            match self.outputs.keep(&step.flow, &stdout) {
                Ok(kept) => kept.into_iter().for_each(|(name, value)| {
                    self.note(format!("step `{}`: output `{name}` is `{value}`", step.name));
                }),
                Err(why) => return failed(why),
            }
        }
        (outcome, Some(detail))
    }

    async fn act(&mut self, step: &Planned) -> Ending {
        let (Doing::Action(planned), Some(aws)) = (&step.doing, self.aws.clone()) else {
            return failed("an AWS action was planned without AWS clients".to_owned());
        };
        let act: &dyn Act = planned.action.act();
        let found = &planned.found;
        let prepared = match act.prepare(&aws, found).await {
            Ok(prepared) => prepared,
            Err(fault) => return failed(fault.to_string()),
        };
        let undoing = match &step.undo {
            Undo::Own => prepared.undo.map(Undoing::Action),
            Undo::Nothing => None,
            Undo::Program(program) => Some(Undoing::Program(program.clone())),
        };
        if let Some(undoing) = undoing
            && let Err(why) = self.prepare_undo(step, undoing)
        {
            return failed(why);
        }
        if *self.stop.borrow() {
            return stopping();
        }
        let watch =
            Watch { clock: *self.recorder.clock(), since: self.recorder.clock().now(), within: step.timeout };
        let before = &prepared.before;
        let applied = match act.apply(&aws, &step.name, found, before).await {
            Ok(applied) => applied,
            Err(fault) if fault.kind.outcome() == CallOutcome::Unclear => {
                return (StepOutcome::Indeterminate, Some(fault.to_string()));
            }
            Err(fault) => return failed(fault.to_string()),
        };
        if let (Some(tracks), Some(change), Target::Route53Record(_)) =
            (&self.tracks, &applied.handle, &found.target)
        {
            // Nobody listens any more once the run is over.
            let _ =
                tracks.send(Track { resource: found.names(), change: change.clone(), since: watch.since });
        }
        if let Some(ended) = self.await_effect(step, act.effect(&aws, found, before, &applied, watch)).await {
            return ended;
        }
        let timeout = step.timeout;
        match within(timeout, &mut self.stop, act.ready(&aws, found, before, &applied, timeout)).await {
            Waited::Done(Ok(())) => (StepOutcome::Done, None),
            Waited::Done(Err(fault)) => failed(fault.to_string()),
            Waited::Overdue => {
                failed(format!("it was not complete within {}", crate::notation::units::show(timeout)))
            }
            Waited::Stopped => (StepOutcome::Indeterminate, Some("the run was stopped".to_owned())),
        }
    }

    /// Waits for the resource's own evidence. `None`: go on, also when there was none (then a probe
    /// or a verification may still show it, or the verdict says that nothing did).
    async fn await_effect(
        &mut self,
        step: &Planned,
        effect: impl Future<Output = Result<Effect, Fault>>,
    ) -> Option<Ending> {
        match within(step.timeout, &mut self.stop, effect).await {
            Waited::Done(Ok(effect)) => {
                let seen = EventKind::EffectSeen {
                    step: step.name.clone(),
                    after_ns: effect.after,
                    evidence: effect.evidence,
                };
                let recorded = self.recorder.record(seen);
                recorded.err().map(|error| failed(format!("the journal cannot be written: {error}")))
            }
            Waited::Done(Err(fault)) => {
                self.note(format!("step `{}` was accepted, but not seen to take hold: {fault}", step.name));
                Some((StepOutcome::Done, Some("accepted; not seen to take hold".to_owned())))
            }
            Waited::Overdue => {
                let after = crate::notation::units::show(step.timeout);
                self.note(format!("step `{}` was accepted, but nothing showed it within {after}", step.name));
                Some((StepOutcome::Done, Some("accepted; not seen to take hold".to_owned())))
            }
            Waited::Stopped => Some((StepOutcome::Indeterminate, Some("the run was stopped".to_owned()))),
        }
    }

    fn prepare_undo(&self, step: &Planned, undoing: Undoing) -> Result<(), String> {
        self.undo
            .prepare(&step.name, undoing)
            .map_err(|error| format!("the journal cannot be written: {error}"))
    }

    fn note(&self, text: String) {
        // A note that cannot be written is not worth failing for: the next event tells.
        let _ = self.recorder.record(EventKind::Noted { text });
    }

    /// Asks each verification until it is good, or the step's time is up.
    async fn verify(&mut self, step: &Planned, held: &[bool], detail: Option<String>) -> Ending {
        for (check, held) in step.verify.iter().zip(held) {
            let began = self.recorder.clock().now();
            match within(check.within, &mut self.stop, ask_until_good(check.ask.as_ref(), &self.recorder))
                .await
            {
                Waited::Done(()) if *held => {
                    self.note(format!("step `{}`: verified, as before it: {}", step.name, check.summary));
                }
                Waited::Done(()) => {
                    let seen = EventKind::EffectSeen {
                        step: step.name.clone(),
                        after_ns: began,
                        evidence: format!("verified: {}", check.summary),
                    };
                    if let Err(error) = self.recorder.record(seen) {
                        return failed(format!("the journal cannot be written: {error}"));
                    }
                }
                Waited::Overdue => {
                    let after = crate::notation::units::show(check.within);
                    return failed(format!("not verified within {after}: {}", check.summary));
                }
                Waited::Stopped => {
                    return (StepOutcome::Indeterminate, Some("the run was stopped".to_owned()));
                }
            }
        }
        (StepOutcome::Done, detail)
    }
}

async fn ask_until_good(ask: &dyn Ask, recorder: &Recorder) {
    let mut seq = 0;
    while !ask.ask(seq, recorder.clock()).await.class.good() {
        seq += 1;
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

fn stopping() -> Ending {
    (StepOutcome::Skipped, Some("the run was stopping".to_owned()))
}

fn failed(why: String) -> Ending {
    (StepOutcome::Failed, Some(why))
}

enum Waited<T> {
    Done(T),
    Overdue,
    Stopped,
}

async fn within<T>(
    timeout: Duration,
    stop: &mut watch::Receiver<bool>,
    what: impl Future<Output = T>,
) -> Waited<T> {
    tokio::select! {
        value = what => Waited::Done(value),
        () = tokio::time::sleep(timeout) => Waited::Overdue,
        () = stopped(stop) => Waited::Stopped,
    }
}
