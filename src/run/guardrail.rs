//! Guardrails: the rules that stop a run and undo it.
//!
//! Evaluated by the conductor at every input, ticks among them, from its own state alone: what a rule needs of the
//! world outside comes in as a [`Signal`], told by a lookout.

mod window;

use std::time::Duration;

pub use self::window::{Measure, Window};
use super::health::Health;
use crate::clock::Moment;
use crate::lookout::Signal;
use crate::notation::units::show;
use crate::sample::Sample;

/// A signal is of now when it is not older than this: a few times the spacing of the looks.
const FRESH: Duration = Duration::from_secs(5);
/// A guardrail that nobody could read for this long stops the run: it protects nobody.
pub const BLIND: Duration = Duration::from_secs(15);

/// A rule, with the words it was written in.
#[derive(Clone, Debug)]
pub struct Guardrail {
    /// As people see it: `elapsed: 15m`, `probe: storefront, down_for: 5m`.
    pub rule: String,
    /// What it watches.
    pub watch: Watch,
}

/// What a guardrail watches.
#[derive(Clone, Debug)]
pub enum Watch {
    /// The whole run has taken this long, or the undo would no longer fit before that.
    Elapsed {
        /// The limit, from the run's begin to the end of its undo.
        limit: Duration,
        /// What the undo needs; `None`: what undoing the prepared steps usually takes.
        undo_within: Option<Duration>,
    },
    /// A probe has been in an outage for this long.
    DownFor {
        /// The probe's index.
        probe: usize,
        /// The limit.
        limit: Duration,
    },
    /// Too many of a probe's newest samples are bad or late.
    Window(Window),
    /// A lookout.
    Outside {
        /// Its place among the lookouts.
        source: usize,
    },
}

/// Why the run must stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// The rule, as written.
    pub rule: String,
    /// What was seen.
    pub seen: String,
}

/// What is known of a lookout.
#[derive(Clone, Debug, Default)]
struct Told {
    /// When it last said something.
    read: Option<Moment>,
    /// Its newest word.
    last: Option<Signal>,
}

/// All guardrails of a run, with what they have seen.
#[derive(Clone, Debug)]
pub struct Rails {
    rails: Vec<Guardrail>,
    told: Vec<Told>,
    /// What undoing takes, once there is something to undo.
    undo: Option<Duration>,
}

impl Rails {
    /// Rules that have seen nothing yet.
    pub fn new(rails: Vec<Guardrail>) -> Rails {
        let sources = rails.iter().map(|rail| match rail.watch {
            Watch::Outside { source } => source + 1,
            _ => 0,
        });
        let told = vec![Told::default(); sources.max().unwrap_or_default()];
        Rails { rails, told, undo: None }
    }

    /// Takes one sample of a probe's schedule in.
    pub fn observe(&mut self, sample: &Sample) {
        for rail in &mut self.rails {
            if let Watch::Window(window) = &mut rail.watch {
                window.observe(sample);
            }
        }
    }

    /// One more step could be undone, which takes this long.
    pub fn undo_prepared(&mut self, takes: Duration) {
        self.undo = Some(self.undo.unwrap_or_default().saturating_add(takes));
    }

    /// Takes a lookout's word in. What a person should know of it is returned: that it cannot be read, when that is
    /// new.
    pub fn hear(&mut self, now: Moment, source: usize, signal: Signal) -> Option<String> {
        let rule = self.rule(source)?;
        let told = self.told.get_mut(source)?;
        let was = told.last.replace(signal.clone());
        match signal {
            Signal::Unread(why) if !matches!(was, Some(Signal::Unread(_))) => Some(format!(
                "guardrail `{rule}` cannot be read: {why}; a run that has begun is stopped when that lasts {}",
                show(BLIND)
            )),
            Signal::Unread(_) => None,
            Signal::Calm(_) | Signal::Alert(_) => {
                told.read = Some(now);
                None
            }
        }
    }

    fn rule(&self, source: usize) -> Option<String> {
        let of = |rail: &&Guardrail| matches!(rail.watch, Watch::Outside { source: own } if own == source);
        self.rails.iter().find(of).map(|rail| rail.rule.clone())
    }

    /// The lookouts that have said nothing of late, each in a sentence: with one of them a run must not begin.
    pub fn blind(&self, now: Moment) -> Vec<String> {
        let blind = self.rails.iter().filter_map(|rail| {
            let Watch::Outside { source } = rail.watch else { return None };
            let told = self.told.get(source)?;
            let fresh = told.read.is_some_and(|read| now.since(read) <= FRESH);
            (!fresh).then(|| format!("guardrail `{}` cannot be read: {}", rail.rule, told.why()))
        });
        blind.collect()
    }

    /// The first rule that is broken. Rules about probes rest once the probes have stopped. A lookout that cannot be
    /// read counts from the first step on: before it, the steady state judges that.
    pub fn tripped(&mut self, now: Moment, health: &[Health], stage: Stage) -> Option<Trip> {
        let (told, undo) = (&self.told, self.undo);
        self.rails.iter_mut().find_map(|rail| {
            let seen = match &mut rail.watch {
                Watch::Elapsed { limit, undo_within } => too_long(now, *limit, undo, *undo_within),
                Watch::DownFor { probe, limit } if stage != Stage::Read => {
                    let since = health.get(*probe).and_then(Health::down_since)?;
                    (now.since(since) >= *limit).then(|| format!("down for {:.1} s", now - since))
                }
                Watch::Window(window) if stage != Stage::Read => window.tripped(now),
                Watch::DownFor { .. } | Watch::Window(_) => None,
                Watch::Outside { source } => told.get(*source)?.alarming(now, stage),
            }?;
            Some(Trip { rule: rail.rule.clone(), seen })
        })
    }
}

/// How far a run is, for its guardrails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was begun: a lookout that cannot be read keeps the run from beginning, and need not stop it.
    Before,
    /// Steps, recovery, observation: every rule counts.
    Under,
    /// The probes have stopped, and the ledgers are read: rules about probes have nothing to go by.
    Read,
}

fn too_long(
    now: Moment,
    limit: Duration,
    prepared: Option<Duration>,
    undo_within: Option<Duration>,
) -> Option<String> {
    let elapsed = now.since(Moment::ZERO);
    if elapsed >= limit {
        return Some(format!("{:.1} s have passed", elapsed.as_secs_f64()));
    }
    let needed = prepared.map(|usual| undo_within.unwrap_or(usual)).filter(|needed| !needed.is_zero())?;
    (elapsed.saturating_add(needed) >= limit).then(|| {
        let how = if undo_within.is_some() { "may take" } else { "usually takes up to" };
        format!(
            "{:.1} s have passed, and the undo {how} {}: later it would no longer fit",
            elapsed.as_secs_f64(),
            show(needed)
        )
    })
}

impl Told {
    fn why(&self) -> &str {
        match &self.last {
            Some(Signal::Unread(why)) => why,
            _ => "no answer yet",
        }
    }

    /// Why the run must stop for it.
    fn alarming(&self, now: Moment, stage: Stage) -> Option<String> {
        if let Some(Signal::Alert(seen)) = &self.last {
            return Some(seen.clone());
        }
        let silent = now.since(self.read.unwrap_or(Moment::ZERO));
        (stage != Stage::Before && silent >= BLIND)
            .then(|| format!("it could not be read for {:.0} s: {}", silent.as_secs_f64(), self.why()))
    }
}
