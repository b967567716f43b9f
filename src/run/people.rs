//! What a run asks of people: steps that somebody carries out, and decisions to go on.
//!
//! Answers come from the run's own terminal, and from other processes as files in the run's folder (see
//! [`mail`](super::mail)). Each is journalled before it counts. It never prints and reads no terminal.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::event::{Answer, EventKind, StepOutcome, Via};
use super::mail::Mailbox;
use super::recorder::Recorder;
use super::step::Ending;
use crate::interlock::approval::Person;
use crate::notation::decode::nearest;
use crate::notation::units::show;
use crate::plan::{Decision, Question};
use crate::program::stopped;

/// The longest reason that is kept, in characters.
const REASON: usize = 1000;
/// The longest name of a person or a role, in characters.
const NAME: usize = 80;

/// What a person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The step that it is about.
    pub step: String,
    /// Who.
    pub by: Person,
    /// In which role.
    pub role: Option<String>,
    /// What.
    pub answer: Answer,
    /// Why.
    pub because: Option<String>,
    /// Where.
    pub via: Via,
}

struct Open {
    step: String,
    question: Question,
    /// Who said go so far.
    gone: Vec<Person>,
    told: Option<oneshot::Sender<Ending>>,
}

/// The questions of a run that are open.
#[derive(Default)]
pub struct People {
    recorder: OnceLock<Arc<Recorder>>,
    mailbox: OnceLock<Mailbox>,
    open: Mutex<Vec<Open>>,
}

impl People {
    /// Begins to listen: answers are written by `recorder`, and letters are looked for in the run's folder.
    ///
    /// # Errors
    /// The folder for letters cannot be made.
    pub fn listen(&self, recorder: Arc<Recorder>, dir: &Path) -> std::io::Result<()> {
        // A second run with the same people would mix up their answers: the first stays.
        let _ = self.recorder.set(recorder);
        let _ = self.mailbox.set(Mailbox::open(dir)?);
        Ok(())
    }

    /// Takes in what came by letter since the last time, and tells the senders what became of it.
    pub fn look(&self) {
        if let Some(mailbox) = self.mailbox.get() {
            mailbox.each(&mut |given| self.take(given));
        }
    }

    /// Asks, and waits for the answer, for the end of the time, or for the run to stop.
    pub async fn ask(
        &self,
        step: &str,
        question: &Question,
        timeout: Duration,
        stop: &mut watch::Receiver<bool>,
    ) -> Ending {
        let (told, mut answer) = oneshot::channel();
        let open =
            Open { step: step.to_owned(), question: question.clone(), gone: Vec::new(), told: Some(told) };
        self.lock().push(open);
        if let Some(recorder) = self.recorder.get() {
            let asked = EventKind::Asked { step: step.to_owned(), text: question.text.clone() };
            if let Err(error) = recorder.record(asked) {
                self.lock().retain(|open| open.step != step);
                return (StepOutcome::Failed, Some(format!("the journal cannot be written: {error}")));
            }
        }
        let ended = tokio::select! {
            // An answer that is journalled counts, also when the time is over at the same moment.
            biased;
            Ok(ended) = &mut answer => Some(ended),
            () = stopped(stop) => None,
            () = tokio::time::sleep(timeout) => Some(self.overdue(step, question, timeout)),
        };
        self.lock().retain(|open| open.step != step);
        // It may have come between the end of the time and now.
        if let Ok(ended) = answer.try_recv() {
            return ended;
        }
        ended.unwrap_or_else(|| match question.decision {
            Some(_) => (StepOutcome::Skipped, Some("the run was stopping".to_owned())),
            None => {
                (StepOutcome::Indeterminate, Some("the run was stopped while a person was at it".to_owned()))
            }
        })
    }

    fn overdue(&self, step: &str, question: &Question, timeout: Duration) -> Ending {
        let within = show(timeout);
        let gone = self.lock().iter().find(|open| open.step == step).map_or(0, |open| open.gone.len());
        let why = match &question.decision {
            Some(decision) if decision.at_least > 1 => {
                format!("{gone} of {} said go within {within}", decision.at_least)
            }
            Some(_) => format!("nobody said go within {within}"),
            None => format!("nobody confirmed it within {within}"),
        };
        (StepOutcome::Failed, Some(why))
    }

    /// Takes an answer in. When this returns without an error, it is on disk and counts.
    ///
    /// # Errors
    /// Why it does not count, in a sentence.
    pub fn take(&self, given: Given) -> Result<(), String> {
        let given = Given {
            because: given.because.map(|text| tidy(&text, REASON)).filter(|text| !text.is_empty()),
            role: given.role.map(|role| tidy(&role, NAME)).filter(|role| !role.is_empty()),
            by: Person {
                name: tidy(&given.by.name, NAME),
                user: tidy(&given.by.user, NAME),
                host: tidy(&given.by.host, NAME),
            },
            ..given
        };
        if given.by.name.is_empty() {
            return Err("an answer needs a name: who says it?".to_owned());
        }
        let Some(recorder) = self.recorder.get() else { return Err("the run has not begun".to_owned()) };
        let mut open = self.lock();
        let Some(at) = open.iter().position(|open| open.step == given.step) else {
            return Err(nobody_asks(&given.step, &open));
        };
        let Some(one) = open.get_mut(at) else { return Err(nobody_asks(&given.step, &[])) };
        if one.told.is_none() {
            return Err(format!("step `{}` has its answer already", one.step));
        }
        fits(one, &given)?;
        let answered = EventKind::Answered {
            step: given.step.clone(),
            by: given.by.to_string(),
            role: given.role.clone(),
            answer: given.answer,
            because: given.because.clone(),
            via: given.via,
        };
        recorder.record(answered).map_err(|error| format!("the journal cannot be written: {error}"))?;
        if let Some(ended) = ending(one, &given)
            && let Some(told) = one.told.take()
        {
            // Nobody waits any more when the time was over in this very moment: the journal has it.
            let _ = told.send(ended);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nobody_asks(step: &str, open: &[Open]) -> String {
    let names: Vec<&str> = open.iter().map(|open| open.step.as_str()).collect();
    match (nearest(step, &names), names.as_slice()) {
        (_, []) => format!("step `{}` does not wait for anybody now, nor does any other", tidy(step, 200)),
        (Some(near), _) => {
            format!("step `{}` does not wait for anybody now; did you mean `{near}`?", tidy(step, 200))
        }
        (None, names) => format!(
            "step `{}` does not wait for anybody now; these do: {}",
            tidy(step, 200),
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Whether an answer is one to this question, by somebody who may give it.
fn fits(open: &Open, given: &Given) -> Result<(), String> {
    if matches!(given.answer, Answer::Skipped | Answer::Failed | Answer::NoGo) && given.because.is_none() {
        return Err(format!("`{}` needs a reason: whoever reads the report will ask", given.answer.words()));
    }
    let Some(decision) = &open.question.decision else {
        return match given.answer {
            Answer::Go | Answer::NoGo => {
                Err("it is something to do, not to decide: answer done, skip or failed".to_owned())
            }
            Answer::Done | Answer::Skipped | Answer::Failed => Ok(()),
        };
    };
    match given.answer {
        // Whoever sees a reason to stop may say so.
        Answer::NoGo => Ok(()),
        Answer::Go => may_go(open, decision, given),
        Answer::Done | Answer::Skipped | Answer::Failed => {
            Err("it is a decision: answer go or no-go".to_owned())
        }
    }
}

fn may_go(open: &Open, decision: &Decision, given: &Given) -> Result<(), String> {
    let same = |one: &str, other: &str| one.trim().to_lowercase() == other.trim().to_lowercase();
    let said = [given.role.as_deref(), Some(given.by.name.as_str())];
    let named = |role: &String| said.into_iter().flatten().any(|said| same(said, role));
    if !decision.by.is_empty() && !decision.by.iter().any(named) {
        let roles = decision.by.join(", ");
        return Err(format!("this go is given by: {roles}; say as which of them, or answer no-go"));
    }
    match open.gone.iter().find(|gone| gone.may_be(&given.by)) {
        Some(gone) => {
            Err(format!("{} may be {gone}, who said go already: another person is needed", given.by))
        }
        None => Ok(()),
    }
}

/// How the step ends by this answer; `None` while more people must say go.
fn ending(open: &mut Open, given: &Given) -> Option<Ending> {
    let because = given.because.as_deref().unwrap_or_default();
    let by = &given.by;
    Some(match given.answer {
        Answer::Done if because.is_empty() => (StepOutcome::Done, Some(format!("done by {by}"))),
        Answer::Done => (StepOutcome::Done, Some(format!("done by {by}: {because}"))),
        Answer::Skipped => (StepOutcome::Skipped, Some(format!("skipped by {by}: {because}"))),
        Answer::Failed => (StepOutcome::Failed, Some(format!("failed, says {by}: {because}"))),
        Answer::NoGo => (StepOutcome::Failed, Some(format!("no-go by {by}: {because}"))),
        Answer::Go => {
            open.gone.push(by.clone());
            let needed = open.question.decision.as_ref().map_or(1, |decision| usize::from(decision.at_least));
            if open.gone.len() < needed {
                return None;
            }
            let names: Vec<String> = open.gone.iter().map(ToString::to_string).collect();
            (StepOutcome::Done, Some(format!("go by {}", names.join(", "))))
        }
    })
}

/// What a person typed, as one line without control characters, and no longer than this.
pub fn tidy(text: &str, most: usize) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", words.get(..at).unwrap_or_default()),
        None => words,
    }
}

#[cfg(test)]
#[path = "people_tests.rs"]
mod tests;
