//! What became of numbered writes: which acknowledged ones are gone, and how much time they span.
//!
//! A write has three outcomes: acknowledged, certainly failed, unknown. Only an acknowledged write
//! that is absent at the final read is a loss.

use super::Interval;
use crate::clock::Moment;
use crate::journal::Record;
use crate::run::event::{EventKind, Reading};
use crate::sample::{Cause, Class, Sample};
use crate::timeline::Track;

/// How many ranges of lost numbers are kept.
const RANGES: usize = 100;

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
    /// Acknowledged, and absent at the final read.
    pub lost: u64,
    /// Acknowledged and absent, but only after the final read had begun: nothing was read since.
    pub unread: u64,
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
    /// A lost write that was acknowledged before a surviving one was sent, and that one: the loss is
    /// not merely the end of what was written.
    pub hole: Option<(u32, u32)>,
    /// The lost numbers as inclusive ranges, the first hundred.
    pub lost_ranges: Vec<(u32, u32)>,
    /// Whether repeated reads agreed.
    pub stable: bool,
    /// Why the final read is missing, when it is.
    pub error: Option<String>,
    /// The write spacing, in seconds.
    pub resolution: f64,
}

/// A write, in the order of its number.
#[derive(Clone, Copy, Debug)]
struct Write {
    seq: u32,
    sent: Moment,
    acked: Moment,
    fate: Fate,
    present: bool,
    /// How many outages had begun when it was sent.
    era: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Acked,
    Failed,
    Unknown,
    /// It never left, as far as is known.
    Unsent,
}

fn fate(sample: &Sample) -> Fate {
    match sample.class {
        // A late acknowledgement is one.
        Class::Ok | Class::Slow => Fate::Acked,
        Class::FailFast => Fate::Failed,
        Class::Void if sample.cause == Cause::Local => Fate::Unsent,
        Class::Shed => Fate::Unsent,
        Class::Timeout | Class::Wrong | Class::Info | Class::Void => Fate::Unknown,
    }
}

impl Ledger {
    /// Compares what a ledger probe wrote with what was there at the end.
    pub fn of(track: &Track, record: &Record, fault: Option<Moment>) -> Ledger {
        let reading = record.events.iter().rev().find_map(|event| match &event.kind {
            EventKind::LedgerRead { probe, reading } if *probe == track.facts.name => Some(reading),
            _ => None,
        });
        let readable = reading.filter(|reading| reading.error.is_none());
        let present = readable.map(|reading| merged(&reading.present)).unwrap_or_default();
        let writes = writes(track, &present);
        let mut ledger = Ledger {
            probe: track.facts.name.clone(),
            resolution: track.facts.every,
            error: match reading {
                None => Some("the ledger was not read back".to_owned()),
                Some(reading) => reading.error.clone(),
            },
            ..Ledger::default()
        };
        for write in writes.iter().filter(|write| write.fate == Fate::Acked) {
            ledger.acked += 1;
            ledger.acked_before += u64::from(fault.is_some_and(|fault| write.acked <= fault));
            ledger.acked_after += u64::from(fault.is_some_and(|fault| write.acked > fault));
        }
        ledger.attempted = writes.iter().filter(|write| write.fate != Fate::Unsent).count() as u64;
        if let Some(reading) = readable {
            ledger.compare(&writes, &present, reading, track, record.cut);
        }
        ledger
    }

    fn compare(
        &mut self,
        writes: &[Write],
        present: &[(u32, u32)],
        reading: &Reading,
        track: &Track,
        cut: bool,
    ) {
        self.stable = reading.stable;
        self.duplicated = reading.duplicated;
        self.unexpected = reading.unexpected + strangers(writes, present, cut);
        let mut lost = Vec::new();
        for write in writes {
            match (write.fate, write.present) {
                (Fate::Acked, false) if write.acked > reading.began_ns => self.unread += 1,
                (Fate::Acked, false) => lost.push(*write),
                (Fate::Failed, true) => self.phantom += 1,
                (Fate::Unknown | Fate::Unsent, true) => self.recovered += 1,
                (Fate::Unknown, false) => self.indeterminate += 1,
                (Fate::Acked, true) | (Fate::Failed | Fate::Unsent, false) => {}
            }
        }
        self.lost = lost.len() as u64;
        self.lost_ranges = ranges(&lost);
        self.seconds = Some(seconds(writes, &lost, track.spans.len()));
        self.hole = (0..=track.spans.len()).find_map(|era| hole(writes, &lost, era, track.spans.len()));
    }
}

/// The probe's writes by number, each with whether it was there at the end.
fn writes(track: &Track, present: &[(u32, u32)]) -> Vec<Write> {
    let begins: Vec<Moment> =
        track.spans.iter().filter_map(|span| track.valid.get(span.first_bad)).map(|bad| bad.sent).collect();
    let mut writes: Vec<Write> = track
        .samples()
        .map(|sample| Write {
            seq: sample.seq,
            sent: sample.sent,
            acked: sample.done,
            fate: fate(sample),
            present: false,
            era: begins.partition_point(|begin| *begin <= sample.sent),
        })
        .collect();
    writes.sort_by_key(|write| write.seq);
    let mut ranges = present.iter().peekable();
    for write in &mut writes {
        while ranges.next_if(|(_, last)| *last < write.seq).is_some() {}
        write.present = ranges.peek().is_some_and(|(first, _)| *first <= write.seq);
    }
    writes
}

/// Ranges in ascending order that do not touch, however they were given.
fn merged(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut sorted: Vec<(u32, u32)> = ranges.iter().copied().filter(|(first, last)| first <= last).collect();
    sorted.sort_unstable();
    let mut out: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
    for (first, last) in sorted {
        match out.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => out.push((first, last)),
        }
    }
    out
}

/// How many numbers were there that no sample of this run carries. When the record was cut, those
/// above its last number may be writes whose samples never reached the disk.
fn strangers(writes: &[Write], present: &[(u32, u32)], cut: bool) -> u64 {
    let limit = match writes.last() {
        Some(last) if cut => last.seq,
        None if cut => return 0,
        _ => u32::MAX,
    };
    let there: u64 = present
        .iter()
        .filter(|(first, _)| *first <= limit)
        .map(|(first, last)| u64::from((*last).min(limit) - first) + 1)
        .sum();
    let mut ours = 0;
    let mut before = None;
    for write in writes.iter().filter(|write| write.present) {
        ours += u64::from(before != Some(write.seq));
        before = Some(write.seq);
    }
    there.saturating_sub(ours)
}

fn ranges(lost: &[Write]) -> Vec<(u32, u32)> {
    let mut out: Vec<(u32, u32)> = Vec::new();
    for write in lost {
        match out.last_mut() {
            Some((_, last)) if write.seq == last.saturating_add(1) => *last = write.seq,
            _ => out.push((write.seq, write.seq)),
        }
        if out.len() > RANGES {
            out.pop();
            break;
        }
    }
    out
}

/// How many seconds of acknowledged writes were lost.
///
/// All that was acknowledged before the recovery point `Q` survived. With `f` the lost write that
/// was acknowledged first, and `p` the surviving write before it that was sent last,
/// `w_p < Q <= k_f`; with `k_last` the last acknowledgement before the outage, `k_last - Q` is in
/// `[k_last - k_f, k_last - w_p]`. Each outage that loses writes has its own point; the worst counts.
fn seconds(writes: &[Write], lost: &[Write], outages: usize) -> Interval {
    let mut worst = Interval::new(0.0, 0.0);
    for era in 0..=outages {
        let here = || lost.iter().filter(|write| write.era == era);
        let Some(first) = here().map(|write| write.acked).min() else { continue };
        let acked = writes.iter().filter(|write| write.fate == Fate::Acked);
        // Without an outage after it, later writes say nothing about where the loss ended.
        let last = acked
            .clone()
            .filter(|write| write.era == era && (era < outages || !write.present))
            .map(|write| write.acked)
            .max()
            .unwrap_or(first);
        let survivor =
            acked.filter(|write| write.present && write.acked < first).map(|write| write.sent).max();
        worst.lo = worst.lo.max(last - first);
        worst.hi = match (worst.hi, survivor) {
            (Some(hi), Some(sent)) => Some(hi.max(last - sent)),
            _ => None,
        };
    }
    worst
}

/// A lost write of an era and a surviving one that was sent after the lost one's acknowledgement:
/// asynchronous replication loses the end of what was written, and never leaves such a hole.
///
/// In the last era survivors follow any loss, once the service is back; there only one with
/// another lost write after it counts.
fn hole(writes: &[Write], lost: &[Write], era: usize, outages: usize) -> Option<(u32, u32)> {
    let here = || lost.iter().filter(|write| write.era == era);
    let first = here().min_by_key(|write| write.acked)?;
    let last = here().map(|write| write.sent).max()?;
    writes
        .iter()
        .find(|write| {
            let survived = write.fate == Fate::Acked && write.present && write.era == era;
            survived && write.sent > first.acked && (era < outages || write.acked < last)
        })
        .map(|write| (first.seq, write.seq))
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
