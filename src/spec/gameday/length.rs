//! How long a drill takes, as far as its file says.

use std::collections::HashMap;
use std::time::Duration;

use crate::action::Pace;
use crate::spec::experiment::{Does, Experiment, Guardrail, Step};

/// How long a drill takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Length {
    /// It never takes less.
    pub(super) least: Duration,
    /// It may take this long: until `elapsed` stops it or, without that, until its deadlines are over.
    pub(super) most: Duration,
}

impl Length {
    /// Of a drill that is held as its file says.
    pub(super) fn of(experiment: &Experiment) -> Length {
        let steady = experiment.steady_state.r#for;
        // What is waited for after the fault, if anything watches.
        let (observe, within) = match experiment.probes.is_empty() {
            true => (Duration::ZERO, Duration::ZERO),
            false => (experiment.recovery.observe, experiment.within()),
        };
        let elapsed = experiment.stop_when.iter().filter_map(|rail| match rail {
            Guardrail::Elapsed(rule) => Some(rule.elapsed),
            _ => None,
        });
        let least = steady.saturating_add(path(&experiment.steps, least).max(observe));
        let deadlines = steady.saturating_add(path(&experiment.steps, most).max(observe).max(within));
        Length { least, most: elapsed.min().unwrap_or(deadlines).max(least) }
    }

    /// Of one that is read aloud: as long as people talk.
    pub(super) fn aloud(experiment: &Experiment) -> Length {
        let talk = |step: &Step| step.expected.unwrap_or_default();
        Length { least: Duration::ZERO, most: path(&experiment.steps, talk) }
    }

    /// Of one in which nothing is changed: the steady state is shown, and the steps are gone through.
    pub(super) fn dry(experiment: &Experiment) -> Length {
        Length { least: Duration::ZERO, most: experiment.steady_state.r#for }
    }
}

fn least(step: &Step) -> Duration {
    match step.does {
        Does::Wait(time) => time,
        _ => Duration::ZERO,
    }
}

fn most(step: &Step) -> Duration {
    let usual = match &step.does {
        Does::Wait(time) => *time,
        Does::WaitUntil(conditions) => {
            conditions.iter().fold(Duration::ZERO, |sum, condition| sum.saturating_add(condition.within))
        }
        Does::Action(action) => Duration::try_from_secs_f64(action.usual(Pace::Aws).to).unwrap_or_default(),
        Does::Run(_) | Does::Manual(_) | Does::Approve(_) => step.expected.unwrap_or_default(),
    };
    step.timeout.unwrap_or(usual)
}

/// The longest way through the steps, each waiting for those before it.
fn path(steps: &[Step], time: impl Fn(&Step) -> Duration) -> Duration {
    let at: HashMap<&str, usize> =
        steps.iter().enumerate().map(|(index, step)| (step.name.value.as_str(), index)).collect();
    let mut ends: Vec<Option<Duration>> = vec![None; steps.len()];
    // Steps may wait for others further down; there is no cycle, so that each round ends one at least.
    for _ in 0..steps.len() {
        let mut any = false;
        for (index, step) in steps.iter().enumerate() {
            if ends.get(index).is_some_and(Option::is_some) {
                continue;
            }
            let end_of = |name: &String| ends.get(*at.get(name.as_str())?).copied().flatten();
            let Some(before) = step.after.iter().map(end_of).collect::<Option<Vec<Duration>>>() else {
                continue;
            };
            let begins = before.into_iter().max().unwrap_or_default();
            if let Some(end) = ends.get_mut(index) {
                *end = Some(begins.saturating_add(time(step)));
                any = true;
            }
        }
        if !any {
            break;
        }
    }
    ends.into_iter().flatten().max().unwrap_or_default()
}
