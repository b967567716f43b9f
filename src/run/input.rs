//! What an event of the journal means to the conductor.

use super::conductor::Input;
use super::event::{Answer, EventKind};

impl Input {
    /// The input that an event stands for, if it does; `place` finds a step by its name.
    pub fn of(kind: &EventKind, place: &dyn Fn(&String) -> Option<usize>) -> Option<Input> {
        match kind {
            EventKind::CallSent { step, .. } => place(step).map(|step| Input::FaultSent { step }),
            EventKind::StepStarted { step } => place(step).map(|step| Input::Begun { step }),
            EventKind::Answered { step, by, answer: Answer::NoGo, because, .. } => {
                let because = because.as_deref().unwrap_or("no reason was given");
                Some(Input::Abort { by: format!("a no-go at step `{step}` by {by}: {because}") })
            }
            _ => None,
        }
    }
}
