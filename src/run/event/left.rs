//! What a run has changed and not put back, by its events alone.

use std::collections::BTreeMap;

use super::{CallOutcome, Event, EventKind};

/// An undo that a journal holds and that is not done.
#[derive(Clone, Debug, PartialEq)]
pub struct Outstanding {
    /// The step.
    pub step: String,
    /// One line for people.
    pub summary: String,
    /// How, as it was written down; secrets are hidden in it.
    pub undo: serde_json::Value,
    /// Whether the outcome of one of the step's calls is not known: what it changes may show late.
    pub unclear: bool,
}

/// What is still to be put back, by a journal alone. A step that sent no call, or whose calls were all refused, changed
/// nothing and leaves nothing.
pub fn outstanding(events: &[Event]) -> Vec<Outstanding> {
    let mut prepared: Vec<Outstanding> = Vec::new();
    // Calls that were sent and not refused, and calls whose answer is not known, by step.
    let mut effective: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for event in events {
        match &event.kind {
            EventKind::UndoPrepared { step, summary, undo, .. } => prepared.push(Outstanding {
                step: step.clone(),
                summary: summary.clone(),
                undo: undo.clone(),
                unclear: false,
            }),
            EventKind::CallSent { step, .. } => {
                let (sent, open) = effective.entry(step).or_default();
                (*sent, *open) = (*sent + 1, *open + 1);
            }
            EventKind::CallReturned { step, outcome, .. } => {
                let (sent, open) = effective.entry(step).or_default();
                match outcome {
                    CallOutcome::Accepted => *open -= 1,
                    CallOutcome::Refused => (*sent, *open) = (*sent - 1, *open - 1),
                    CallOutcome::Unclear => {}
                }
            }
            EventKind::UndoFinished { step, done: true, .. } => prepared.retain(|one| one.step != *step),
            _ => {}
        }
    }
    let of = |step: &str| effective.get(step).copied().unwrap_or_default();
    prepared.retain(|one| of(&one.step).0 > 0);
    prepared.iter_mut().for_each(|one| one.unclear = of(&one.step).1 > 0);
    prepared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;

    fn events(kinds: Vec<EventKind>) -> Vec<Event> {
        (1u64..).zip(kinds).map(|(at, kind)| Event { at_ns: Moment(at), kind }).collect()
    }

    fn prepared(step: &str) -> EventKind {
        EventKind::UndoPrepared {
            step: step.into(),
            summary: "start it".into(),
            command: None,
            undo: serde_json::Value::Null,
        }
    }

    fn sent(step: &str) -> EventKind {
        EventKind::CallSent { step: step.into(), operation: "op".into(), resource: "r".into() }
    }

    fn returned(step: &str, outcome: CallOutcome) -> EventKind {
        let (operation, resource) = ("op".into(), "r".into());
        EventKind::CallReturned { step: step.into(), operation, resource, outcome, detail: None }
    }

    fn steps(kinds: Vec<EventKind>) -> Vec<(String, bool)> {
        outstanding(&events(kinds)).into_iter().map(|one| (one.step, one.unclear)).collect()
    }

    #[test]
    fn what_was_not_sent_or_was_refused_or_is_put_back_is_not_outstanding() {
        let back = EventKind::UndoFinished { step: "a".into(), done: true, detail: String::new() };
        let not_back = EventKind::UndoFinished { step: "a".into(), done: false, detail: String::new() };
        let name = || "a".to_owned();
        assert_eq!(steps(vec![prepared("a")]), []);
        assert_eq!(steps(vec![prepared("a"), sent("a"), returned("a", CallOutcome::Refused)]), []);
        assert_eq!(steps(vec![prepared("a"), sent("a")]), [(name(), true)]);
        assert_eq!(
            steps(vec![prepared("a"), sent("a"), returned("a", CallOutcome::Unclear)]),
            [(name(), true)]
        );
        let accepted = vec![prepared("a"), sent("a"), returned("a", CallOutcome::Accepted)];
        assert_eq!(steps(accepted.clone()), [(name(), false)]);
        assert_eq!(steps([accepted.clone(), vec![back]].concat()), []);
        assert_eq!(steps([accepted, vec![not_back]].concat()), [(name(), false)]);
    }

    #[test]
    fn a_throttled_call_that_was_sent_again_is_not_refused_as_a_whole() {
        let kinds = vec![
            prepared("a"),
            sent("a"),
            returned("a", CallOutcome::Refused),
            sent("a"),
            returned("a", CallOutcome::Accepted),
        ];
        assert_eq!(steps(kinds), [("a".to_owned(), false)]);
    }
}
