//! The one way into a run's journal: stamps, redacts, writes, syncs, tells the loop.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use super::event::{CallOutcome, Event, EventKind, Header};
use crate::aws::Witness;
use crate::clock::{Clock, Moment};
use crate::journal::{Seal, Writer};
use crate::redact::Redactor;

/// Writes events down before anybody acts on them.
pub struct Recorder {
    clock: Clock,
    redactor: Arc<Redactor>,
    writer: Mutex<Writer>,
    out: UnboundedSender<Event>,
}

impl Recorder {
    /// A recorder on an open journal; every event is also sent to `out`.
    pub fn new(
        clock: Clock,
        redactor: Arc<Redactor>,
        writer: Writer,
        out: UnboundedSender<Event>,
    ) -> Recorder {
        Recorder { clock, redactor, writer: Mutex::new(writer), out }
    }

    /// Writes down what happens now; when this returns, it is on disk.
    ///
    /// # Errors
    /// The journal could not be written: what was about to happen must not.
    pub fn record(&self, kind: EventKind) -> io::Result<Moment> {
        let kind = self.redacted(kind)?;
        let event = {
            // Stamped under the lock, so that the journal's order is the order of its times.
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let event = Event { at_ns: self.clock.now(), kind };
            writer.append(&event)?;
            event
        };
        let at = event.at_ns;
        // The loop has ended: there is nobody left to tell, and the journal has it.
        let _ = self.out.send(event);
        Ok(at)
    }

    /// Chains the samples to the journal, so that none can be taken away unseen.
    ///
    /// # Errors
    /// The journal could not be written.
    pub fn seal(&self, samples: &Seal) -> io::Result<()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).seal(samples)
    }

    /// The run's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Hides secrets in a text.
    pub fn clean(&self, text: &str) -> String {
        self.redactor.clean(text)
    }

    fn redacted(&self, kind: EventKind) -> io::Result<EventKind> {
        let mut value = serde_json::to_value(kind).map_err(io::Error::other)?;
        clean(&mut value, false, &self.redactor);
        serde_json::from_value(value).map_err(io::Error::other)
    }
}

/// The fields that hold words for people, which may quote anything. The others are names that must stay
/// what they are: a step called like a password is still that step.
const FREE_TEXT: &[&str] = &[
    "because", "by", "detail", "error", "evidence", "resource", "rule", "summary", "text", "who", "what",
    "argv", "env", "notes", "kept", "query", "command", "role",
];

/// What is told by others, of any length. Shortened once its secrets are hidden: half a secret would not be
/// known again.
const TOLD: &[&str] = &["because", "detail", "error", "evidence", "state", "text", "who", "what"];
/// The most of it that is kept, in bytes: what a program may say on both of its streams, and a little more.
const LONGEST: usize = 20 * 1024;

fn clean(value: &mut serde_json::Value, free: bool, redactor: &Redactor) {
    match value {
        serde_json::Value::String(text) if free => *text = redactor.clean(text),
        serde_json::Value::Array(values) => values.iter_mut().for_each(|value| clean(value, free, redactor)),
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                clean(value, free || FREE_TEXT.contains(&name.as_str()), redactor);
                if let serde_json::Value::String(text) = value
                    && TOLD.contains(&name.as_str())
                {
                    shorten(text);
                }
            }
        }
        _ => {}
    }
}

fn shorten(text: &mut String) {
    if text.len() > LONGEST {
        let whole = text.len();
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push_str(&format!(" … ({} more bytes)", whole - text.len()));
    }
}

/// Hides secrets in what a plan says of itself.
pub fn clean_header(header: &mut Header, redactor: &Redactor) {
    let clean = |text: &mut String| *text = redactor.clean(text);
    let experiment = &mut header.experiment;
    [&mut experiment.title, &mut experiment.hypothesis, &mut experiment.owner]
        .into_iter()
        .flatten()
        .for_each(clean);
    experiment.controls.iter_mut().for_each(clean);
    header.environment.endpoint_url.iter_mut().for_each(clean);
    header.probes.iter_mut().for_each(|probe| clean(&mut probe.summary));
    clean(&mut header.experiment.text);
    header.safety.guardrails.iter_mut().for_each(&clean);
    header.safety.preconditions.iter_mut().for_each(|condition| {
        clean(&mut condition.what);
        clean(&mut condition.found);
    });
    for runbook in &mut header.experiment.runbooks {
        clean(&mut runbook.text);
    }
    for step in &mut header.plan {
        clean(&mut step.summary);
        let handling = &mut step.handling;
        [&mut handling.owner, &mut handling.role, &mut handling.about].into_iter().flatten().for_each(&clean);
        handling.by.iter_mut().for_each(&clean);
        step.undo.iter_mut().for_each(clean);
        step.targets.iter_mut().for_each(clean);
        step.preconditions.iter_mut().for_each(|condition| {
            clean(&mut condition.what);
            clean(&mut condition.found);
        });
        step.permission_checks.iter_mut().for_each(|check| clean(&mut check.because));
    }
    header.permission_checks.iter_mut().for_each(|check| clean(&mut check.because));
}

/// Who hears the clients' notes while no journal is open.
type Listener = Box<dyn Fn(&str) + Send + Sync>;

/// Stands between the AWS clients, which exist before a run does, and the run's journal.
///
/// Until a recorder is put in place, no mutating call is let through: there would be no record
/// of it.
#[derive(Default)]
pub struct Desk {
    recorder: OnceLock<Arc<Recorder>>,
    early: Option<Listener>,
}

impl Desk {
    /// A desk that tells `early` what is noted before a journal is open: that calls are slow or throttled.
    pub fn telling(early: impl Fn(&str) + Send + Sync + 'static) -> Desk {
        Desk { recorder: OnceLock::new(), early: Some(Box::new(early)) }
    }

    /// Opens the desk.
    pub fn open(&self, recorder: Arc<Recorder>) {
        // A second run on one desk would write into the first one's journal: the first stays.
        let _ = self.recorder.set(recorder);
    }

    fn record(&self, kind: EventKind) -> Result<(), String> {
        match self.recorder.get() {
            Some(recorder) => match recorder.record(kind) {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("the journal cannot be written: {error}")),
            },
            None => Err("no journal is open: nothing may be changed".to_owned()),
        }
    }
}

impl Witness for Desk {
    fn sent(&self, step: &str, operation: &str, resource: &str) -> Result<(), String> {
        self.record(EventKind::CallSent {
            step: step.to_owned(),
            operation: operation.to_owned(),
            resource: resource.to_owned(),
        })
    }

    fn returned(
        &self,
        step: &str,
        operation: &str,
        resource: &str,
        outcome: CallOutcome,
        detail: Option<String>,
    ) {
        // The call has been made: a journal that fails now is found at the next event.
        let _ = self.record(EventKind::CallReturned {
            step: step.to_owned(),
            operation: operation.to_owned(),
            resource: resource.to_owned(),
            outcome,
            detail,
        });
    }

    fn noted(&self, text: String) {
        match (self.recorder.get(), &self.early) {
            (None, Some(early)) => early(&text),
            _ => drop(self.record(EventKind::Noted { text })),
        }
    }
}
