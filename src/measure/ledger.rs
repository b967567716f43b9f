//! What became of numbered writes: which acknowledged ones are gone, and how much time they span.
//!
//! A write has three outcomes: acknowledged, certainly failed, unknown. Only an acknowledged write
//! that is absent at the final read is a loss.
//!
//! Built for ten million writes: one walk over the samples beside the ranges that were read, a second
//! one only when something was lost or several servers took writes, and memory for the gaps alone.

mod brain;
mod compare;
mod old;
mod presence;
mod recovery;
mod stale;

use super::Interval;
use crate::clock::Moment;
use crate::journal::Record;
use crate::run::event::{EventKind, Lag, Reading};
use crate::sample::{Cause, Class, Mark, Sample};
use crate::timeline::Track;

pub use brain::{Server, SplitBrain};
pub use old::{Fencing, Salvage};
pub use stale::Stale;

/// What one ledger found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// The probe's name.
    pub probe: String,
    /// Writes sent.
    pub attempted: u64,
    /// Acknowledged writes.
    pub acked: u64,
    /// Those that were acknowledged before the fault.
    pub acked_before: u64,
    /// Those that were acknowledged after it.
    pub acked_after: u64,
    /// Whether there were enough writes where it matters.
    pub pace: Pace,
    /// Acknowledged, and absent at the final read.
    pub lost: u64,
    /// Acknowledged and absent, but only after the final read had begun: nothing was read since.
    pub unread: u64,
    /// Acknowledged and on their way when the watch ended: neither there nor lost.
    pub pending: u64,
    /// How long ago the oldest of those was acknowledged then, in seconds.
    pub pending_for: Option<f64>,
    /// Unknown outcome and absent.
    pub indeterminate: u64,
    /// Unknown outcome and present.
    pub recovered: u64,
    /// Certainly failed, and present all the same.
    pub phantom: u64,
    /// Present more than once.
    pub duplicated: u64,
    /// Present and never written by this run.
    pub unexpected: u64,
    /// Lost seconds of acknowledged writes; `None` when the ledger could not be read.
    pub seconds: Option<Interval>,
    /// How long before the fault the recovery point lies, when something was lost: the textbook's RPO.
    pub before_fault: Option<Interval>,
    /// How many bytes of log lay between the last acknowledged write and what the new primary had, where
    /// the store tells; they hold other sessions' writes too.
    pub bytes: Option<Interval>,
    /// A lost write that was acknowledged before a surviving one was sent, and that one: the loss is
    /// not merely the end of what was written.
    pub hole: Option<(u32, u32)>,
    /// The lost numbers as inclusive ranges, the first hundred.
    pub lost_ranges: Vec<(u32, u32)>,
    /// What light reads during the drill missed.
    pub stale: Stale,
    /// Whether two servers took writes at a time.
    pub split_brain: Option<SplitBrain>,
    /// Whether the old primary was kept from taking writes.
    pub fencing: Option<Fencing>,
    /// Where the lost writes can still be found.
    pub salvage: Option<Salvage>,
    /// How long entries took to arrive where they are read from.
    pub lag: Option<Lag>,
    /// How many reads in a row agreed.
    pub reads: u32,
    /// Whether repeated reads agreed.
    pub stable: bool,
    /// Why the final read is missing, when it is.
    pub error: Option<String>,
    /// The write spacing, in seconds.
    pub resolution: f64,
    /// What was left behind, and how to remove it.
    pub kept: Option<String>,
    /// What else the store said.
    pub context: Vec<String>,
}

/// Whether there were enough writes where it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Acknowledged in the five seconds before the fault.
    pub before: u64,
    /// How many of those the spacing allows.
    pub before_due: u64,
    /// Sent while the ledger saw an outage.
    pub down: u64,
    /// How many of those the spacing asks for.
    pub down_due: u64,
    /// Acknowledged after the last outage; `None` when there was none.
    pub recovered: Option<u64>,
}

/// What a ledger probe did, as the samples tell it.
#[derive(Clone, Debug, Default)]
pub struct History<'a> {
    /// The probe's samples, by the instant they were sent.
    pub samples: &'a [Sample],
    /// More of them, likewise: those that say nothing of the service. A write is one all the same.
    pub silent: &'a [Sample],
    /// The outages it saw: when the first bad sample was sent, and when the first good one after it.
    pub outages: Vec<(Moment, Option<Moment>)>,
    /// When the fault was injected.
    pub fault: Option<Moment>,
    /// The write spacing, in seconds.
    pub every: f64,
    /// Whether the record was cut short.
    pub cut: bool,
    /// Who answered, by the number that samples carry; the first is number 1.
    pub servers: Vec<String>,
    /// The servers of each other ledger of the run.
    pub others: Vec<Vec<Server>>,
}

impl<'a> History<'a> {
    /// All samples, in the order they were sent.
    pub(crate) fn walk(&self) -> Walk<'a> {
        Walk { one: self.samples, other: self.silent }
    }
}

/// Two lists of samples as one, by the instant they were sent.
#[derive(Clone, Debug)]
pub(crate) struct Walk<'a> {
    one: &'a [Sample],
    other: &'a [Sample],
}

impl<'a> Iterator for Walk<'a> {
    type Item = &'a Sample;

    fn next(&mut self) -> Option<&'a Sample> {
        match (self.one.split_first(), self.other.split_first()) {
            (Some((one, rest)), other) if other.is_none_or(|(other, _)| one.sent <= other.sent) => {
                self.one = rest;
                Some(one)
            }
            (_, Some((other, rest))) => {
                self.other = rest;
                Some(other)
            }
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Acked,
    Failed,
    Unknown,
    /// It never left, as far as is known.
    Unsent,
}

/// What became of a write by its sample alone; `None` for a postscript, which is no write.
pub(crate) fn fate(sample: &Sample) -> Option<Fate> {
    if sample.mark == Mark::Late {
        return None;
    }
    Some(match sample.class {
        // A late acknowledgement is one.
        Class::Ok | Class::Slow => Fate::Acked,
        Class::FailFast => Fate::Failed,
        Class::Void if sample.cause == Cause::Local => Fate::Unsent,
        Class::Shed => Fate::Unsent,
        Class::Timeout | Class::Wrong | Class::Info | Class::Void => Fate::Unknown,
    })
}

impl Ledger {
    /// Compares what a ledger probe wrote with what was there at the end.
    pub fn of(track: &Track, record: &Record, fault: Option<Moment>) -> Ledger {
        let reading = record.events.iter().rev().find_map(|event| match &event.kind {
            EventKind::LedgerRead { probe, reading } if *probe == track.facts.name => Some(reading),
            _ => None,
        });
        let outages = track.spans.iter().filter_map(|span| {
            let end = span.first_good.and_then(|good| track.valid.get(good)).map(|good| good.sent);
            track.valid.get(span.first_bad).map(|bad| (bad.sent, end))
        });
        let mut servers = Vec::new();
        for event in &record.events {
            if let EventKind::IdentityMet { identity, who } = &event.kind {
                let at = usize::from(*identity);
                servers.resize(servers.len().max(at), String::new());
                if let Some(server) = at.checked_sub(1).and_then(|at| servers.get_mut(at)) {
                    server.clone_from(who);
                }
            }
        }
        let history = History {
            samples: &track.valid,
            silent: &track.silent,
            outages: outages.collect(),
            fault,
            every: track.facts.every,
            cut: record.cut,
            servers,
            others: others(track, record),
        };
        Ledger { probe: track.facts.name.clone(), ..Ledger::judge(&history, reading) }
    }

    /// The same from plain slices: what the samples tell against what was read, if anything was.
    pub fn judge(history: &History<'_>, reading: Option<&Reading>) -> Ledger {
        let readable = reading.filter(|reading| reading.error.is_none());
        let mut ledger = Ledger {
            resolution: history.every,
            error: match reading {
                None => Some("the ledger was not read back".to_owned()),
                Some(reading) => reading.error.clone(),
            },
            kept: reading.and_then(|reading| reading.kept.clone()),
            context: reading.map(|reading| reading.notes.clone()).unwrap_or_default(),
            ..Ledger::default()
        };
        compare::compare(&mut ledger, history, readable);
        ledger.split_brain = brain::split(history, readable);
        let Some(reading) = reading else { return ledger };
        // What was seen on the way stands also when the final read failed.
        ledger.stale = stale::stale(history, reading);
        ledger.fencing = reading.old.as_ref().and_then(old::fencing);
        ledger.reads = reading.reads;
        ledger.stable = readable.is_some_and(|reading| reading.stable);
        ledger.lag = reading.lag;
        ledger
    }
}

/// Who acknowledged the writes of the run's other ledgers.
fn others(track: &Track, record: &Record) -> Vec<Vec<Server>> {
    let ledgers = (0u16..).zip(&record.header.probes).filter(|(_, facts)| facts.ledger);
    ledgers
        .filter(|(_, facts)| facts.name != track.facts.name)
        .map(|(probe, _)| brain::servers(record.samples.iter().filter(|sample| sample.probe == probe)))
        .collect()
}

#[cfg(test)]
mod histories;
#[cfg(test)]
mod tests;
