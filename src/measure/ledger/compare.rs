//! The samples against the final read: how many writes came to which end, and where the loss lies.

use std::time::Duration;

use super::presence::{Presence, Runs, count, merged, shared};
use super::{Fate, History, Interval, Ledger, Pace, fate, old, recovery};
use crate::clock::Moment;
use crate::run::event::Reading;
use crate::sample::Sample;

/// How many ranges of lost numbers are kept.
const RANGES: usize = 100;
/// How far before the fault its preparation is looked at.
const BEFORE: Duration = Duration::from_secs(5);

/// Of the writes that were sent after as many outages had begun.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Era {
    /// The lost write that was acknowledged first.
    pub(super) first_lost: Option<(Moment, u32)>,
    /// When the last lost one was sent.
    pub(super) last_lost_sent: Moment,
    /// When the last lost one was acknowledged.
    pub(super) last_lost_acked: Option<Moment>,
    /// When the last one of all was acknowledged.
    pub(super) last_acked: Option<Moment>,
}

/// Which era a write belongs to: how many outages had begun when it was sent.
#[derive(Clone, Debug)]
pub(super) struct Eras<'a> {
    begins: &'a [(Moment, Option<Moment>)],
    at: usize,
}

impl<'a> Eras<'a> {
    pub(super) fn new(history: &'a History<'_>) -> Eras<'a> {
        Eras { begins: &history.outages, at: 0 }
    }

    /// The samples come in the order they were sent.
    pub(super) fn of(&mut self, sample: &Sample) -> usize {
        while self.begins.get(self.at).is_some_and(|(begin, _)| *begin <= sample.sent) {
            self.at += 1;
        }
        self.at
    }
}

/// Fills in what the samples say, and what the final read says of them.
pub(super) fn compare(ledger: &mut Ledger, history: &History<'_>, reading: Option<&Reading>) {
    let present = reading.map(|reading| merged(&reading.present)).unwrap_or_default();
    let pending = reading.map(|reading| merged(&reading.pending)).unwrap_or_default();
    let began = reading.map_or(Moment::ZERO, |reading| reading.began_ns);
    let (mut there, mut on_the_way) = (Presence::new(&present), Presence::new(&pending));
    let mut eras = Eras::new(history);
    let mut found = vec![Era::default(); history.outages.len() + 1];
    let mut lost = Runs::default();
    let mut tally = Tally::new(history);
    let (mut ours, mut newest, mut oldest_pending) = (0u64, None, None::<Moment>);
    for sample in history.walk() {
        let Some(fate) = fate(sample) else { continue };
        tally.add(sample, fate);
        if reading.is_none() {
            continue;
        }
        let present = there.has(sample.seq);
        ours += u64::from(present);
        newest = newest.max(Some(sample.seq));
        let Some(era) = found.get_mut(eras.of(sample)) else { continue };
        if fate == Fate::Acked {
            era.last_acked = era.last_acked.max(Some(sample.done));
        }
        match (fate, present) {
            (Fate::Acked, true) | (Fate::Failed | Fate::Unsent, false) => {}
            (Fate::Failed, true) => ledger.phantom += 1,
            (Fate::Unknown | Fate::Unsent, true) => ledger.recovered += 1,
            (Fate::Unknown, false) => ledger.indeterminate += 1,
            (Fate::Acked, false) if on_the_way.has(sample.seq) => {
                ledger.pending += 1;
                oldest_pending = Some(oldest_pending.map_or(sample.done, |at| at.min(sample.done)));
            }
            (Fate::Acked, false) if sample.done > began => ledger.unread += 1,
            (Fate::Acked, false) => {
                ledger.lost += 1;
                lost.push(sample.seq);
                let this = (sample.done, sample.seq);
                era.first_lost = Some(era.first_lost.map_or(this, |first| first.min(this)));
                era.last_lost_sent = era.last_lost_sent.max(sample.sent);
                era.last_lost_acked = era.last_lost_acked.max(Some(sample.done));
            }
        }
    }
    tally.into(ledger);
    let Some(reading) = reading else { return };
    ledger.duplicated = reading.duplicated;
    ledger.unexpected = reading.unexpected + strangers(&present, ours, newest, history.cut);
    ledger.pending_for = oldest_pending.map(|at| began - at);
    let point = recovery::point(history, &present, &found);
    ledger.seconds = Some(point.seconds);
    ledger.before_fault = point.before_fault;
    ledger.hole = point.hole;
    if ledger.pending > 0 {
        // Had the place they come from been lost for good then, these would be gone.
        ledger.seconds = Some(Interval { lo: point.seconds.lo, hi: None });
    }
    let lost = lost.merged();
    ledger.bytes = bytes(reading, ledger.lost);
    ledger.salvage = reading.old.as_ref().and_then(|old| old::salvage(old, &lost, &present));
    ledger.lost_ranges = lost.into_iter().take(RANGES).collect();
}

/// How many numbers were there that no sample of this run carries. When the record was cut, those
/// above its last number may be writes whose samples never reached the disk.
fn strangers(present: &[(u32, u32)], ours: u64, newest: Option<u32>, cut: bool) -> u64 {
    let there = match newest {
        Some(newest) if cut => shared(present, &[(0, newest)]),
        None if cut => 0,
        _ => count(present),
    };
    there.saturating_sub(ours)
}

/// How much log the new primary never had, by the last write that its predecessor acknowledged. The
/// position that came with the write lies before its commit, so this is the least it can be.
fn bytes(reading: &Reading, lost: u64) -> Option<Interval> {
    let replayed = reading.replayed.as_ref()?;
    let last = reading.positions.iter().filter(|p| p.who != replayed.who).max_by_key(|p| p.seq)?;
    let gap = last.byte.saturating_sub(replayed.byte);
    Some(match (gap, lost) {
        (0, 0) => Interval::new(0.0, 0.0),
        (gap, _) => Interval::at_least(gap as f64),
    })
}

/// Counts that need no final read.
struct Tally<'a> {
    history: &'a History<'a>,
    attempted: u64,
    acked: u64,
    before: u64,
    after: u64,
    first_sent: Option<Moment>,
    pace: Pace,
    /// Where the last outage ended.
    up_again: Option<Moment>,
    outages: &'a [(Moment, Option<Moment>)],
}

impl<'a> Tally<'a> {
    fn new(history: &'a History<'a>) -> Tally<'a> {
        let last = history.outages.last();
        Tally {
            history,
            attempted: 0,
            acked: 0,
            before: 0,
            after: 0,
            first_sent: None,
            pace: Pace { recovered: last.map(|_| 0), ..Pace::default() },
            up_again: last.and_then(|(_, end)| *end),
            outages: &history.outages,
        }
    }

    fn add(&mut self, sample: &Sample, fate: Fate) {
        self.first_sent = self.first_sent.or(Some(sample.sent));
        if fate != Fate::Unsent {
            self.attempted += 1;
            while self.outages.first().is_some_and(|(_, end)| end.is_some_and(|end| end <= sample.sent)) {
                self.outages = self.outages.get(1..).unwrap_or_default();
            }
            let down = self.outages.first().is_some_and(|(begin, _)| *begin <= sample.sent);
            self.pace.down += u64::from(down);
        }
        if fate != Fate::Acked {
            return;
        }
        self.acked += 1;
        if let Some(fault) = self.history.fault {
            let before = sample.done <= fault;
            self.before += u64::from(before);
            self.after += u64::from(!before);
            self.pace.before += u64::from(before && fault.since(sample.done) <= BEFORE);
        }
        if let (Some(recovered), Some(up)) = (&mut self.pace.recovered, self.up_again) {
            *recovered += u64::from(sample.sent >= up);
        }
    }

    fn into(self, ledger: &mut Ledger) {
        let every = self.history.every.max(1e-6);
        let due = |time: Duration| (time.as_secs_f64() / every).floor() as u64;
        (ledger.attempted, ledger.acked) = (self.attempted, self.acked);
        (ledger.acked_before, ledger.acked_after) = (self.before, self.after);
        ledger.pace = self.pace;
        if let (Some(fault), Some(first)) = (self.history.fault, self.first_sent) {
            ledger.pace.before_due = due(fault.since(first).min(BEFORE));
        }
        let ends = [self.history.samples.last(), self.history.silent.last()];
        let last = ends.iter().flatten().map(|last| last.sent).max().unwrap_or(Moment::ZERO);
        ledger.pace.down_due =
            self.history.outages.iter().map(|(begin, end)| due(end.unwrap_or(last).since(*begin))).sum();
    }
}
