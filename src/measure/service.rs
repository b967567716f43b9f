//! What one probe measured: counts, availability, latency, outages and RTO.

mod recovery;
mod states;

use std::collections::BTreeMap;

use super::Interval;
use super::latency::Latencies;
use super::outage::{self, Outage};
use crate::clock::Moment;
use crate::sample::{Cause, Class, Sample};
use crate::timeline::{Side, Timeline, Track, due, hidden_good};

pub use recovery::Recovery;
pub use states::{Second, State, States};

/// So many bad samples among so many in a row, outside any outage, mean that the service was degraded: where one
/// sample of a hundred fails by chance, either happens in one of a hundred stretches or fewer.
const DEGRADED: [(usize, usize); 2] = [(3, 20), (4, 80)];

/// What one probe measured.
#[derive(Clone, Debug)]
pub struct Service {
    /// How its samples went.
    pub counts: Counts,
    /// Availability from the fault to the end of observation; `None` without samples then.
    pub availability: Option<Availability>,
    /// No outage longer than this can have gone unseen, in seconds.
    pub resolution: f64,
    /// Latency of correct answers per phase: `baseline`, `fault`, `recovered`.
    pub latency: BTreeMap<&'static str, Latencies>,
    /// How long the parts of asking took in each of these phases: `dns`, `connect`, `tls`, `first_byte`.
    pub parts: BTreeMap<&'static str, BTreeMap<&'static str, Latencies>>,
    /// Latency of correct answers from the steady state to the end of observation.
    pub overall: Option<Latencies>,
    /// Its outages, in order.
    pub outages: Vec<Outage>,
    /// Recovery time from the fault; `None` without a fault or without a sample after it.
    pub rto: Option<Rto>,
    /// The recovery time by each of its definitions.
    pub recovery: Option<Recovery>,
    /// Recovery time from the first call of any step that may have changed something, or from the fault if
    /// that came first: what must stay up must do so from then on.
    pub since_touched: Option<Rto>,
    /// The first bad sample of the first trouble that began after the fault: of an outage, or of bad
    /// samples too dense to be chance. One bad sample alone shows nothing.
    pub felt: Option<Sample>,
    /// Bad samples outside any outage.
    pub blips: u64,
    /// Bad samples by cause.
    pub errors: BTreeMap<String, u64>,
}

/// How a probe's samples went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Samples that were due.
    pub scheduled: u64,
    /// Good ones.
    pub ok: u64,
    /// Bad ones.
    pub bad: u64,
    /// Ones that say nothing, the prober having been at fault, or that are missing.
    pub void: u64,
    /// Ones never sent.
    pub shed: u64,
}

impl Counts {
    /// Share of samples that say something.
    pub fn coverage(&self) -> f64 {
        (self.ok + self.bad) as f64 / self.scheduled.max(1) as f64
    }
}

/// Request-based availability of one probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Availability {
    /// Good samples.
    pub ok: u64,
    /// Bad samples.
    pub bad: u64,
    /// Samples that say nothing.
    pub unknown: u64,
    /// `ok / (ok + bad)`.
    pub ratio: f64,
    /// What it can be at most and at least, whatever the unknown samples would have said.
    pub bounds: Interval,
    /// `1 - Σ outages / window`: the share of the time that was no outage.
    pub time: Interval,
}

impl Availability {
    /// Share of samples that say something.
    pub fn coverage(&self) -> f64 {
        (self.ok + self.bad) as f64 / (self.ok + self.bad + self.unknown).max(1) as f64
    }
}

/// Recovery time from the injection of the fault, as one probe saw it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rto {
    /// Seconds from the call being sent.
    pub seconds: Interval,
    /// What it is made of.
    pub how: Recovered,
}

/// What an RTO is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// No outage was seen: it is 0, within the resolution.
    NeverDown,
    /// No outage by the entry rule, but too many bad samples to say that nothing happened: the
    /// upper bound is where chance no longer explains the good samples after the last bad one.
    Degraded,
    /// The last outage ended, and recovery was confirmed.
    Confirmed,
    /// Recovery was not confirmed: there is no upper bound.
    Unconfirmed,
}

impl Service {
    /// Measures one probe's samples.
    pub fn of(track: &Track, timeline: &Timeline) -> Service {
        let fault = timeline.fault.as_ref().map(|fault| fault.sent);
        let outages = outage::outages(track);
        let resolution = resolution(track).max(fault.map_or(0.0, |fault| longest_gap(track, fault)));
        let over = outages.iter().rev().find(|outage| fault.is_some_and(|fault| outage.after(fault)));
        let over = match over {
            Some(outage) => outage.proof.3.map(|good| good.sent),
            None => timeline.observing,
        };
        let correct = |from: Moment, to: Moment| latencies(track, from, to);
        let (began, ended) = (fault.unwrap_or(Moment(u64::MAX)), over.unwrap_or(Moment(u64::MAX)));
        let phases = [
            ("baseline", Moment::ZERO, began),
            ("fault", began, ended),
            ("recovered", ended.max(began), Moment(u64::MAX)),
        ];
        let latency: BTreeMap<&'static str, Latencies> = phases
            .into_iter()
            .filter_map(|(name, from, to)| correct(from, to).map(|found| (name, found)))
            .collect();
        let rto = |from: Moment| rto(track, &outages, from, resolution);
        let since_fault = fault.and_then(rto).map(|rto| by_hand(rto, timeline, &outages));
        Service {
            counts: counts(track),
            availability: fault
                .and_then(|fault| availability(track, &outages, fault, timeline.watched_until)),
            resolution,
            recovery: since_fault
                .and_then(|rto| Recovery::of(track, timeline, &outages, &rto, latency.get("baseline"))),
            latency,
            parts: phases
                .into_iter()
                .map(|(name, from, to)| (name, parts(track, from, to)))
                .filter(|(_, parts)| !parts.is_empty())
                .collect(),
            overall: correct(Moment::ZERO, timeline.watched_until),
            since_touched: timeline.disturbed().and_then(rto),
            rto: since_fault,
            felt: fault.and_then(|fault| felt(track, &outages, fault)),
            blips: track.blips().count() as u64,
            errors: errors(track.valid.iter()),
            outages,
        }
    }

    /// The outages that what was done at `fault` may have caused.
    pub fn outages_after(&self, fault: Moment) -> impl Iterator<Item = &Outage> {
        self.outages.iter().filter(move |outage| outage.after(fault))
    }
}

impl Outage {
    /// Whether it lasted into the time after `fault`.
    pub fn after(&self, fault: Moment) -> bool {
        self.proof.2.done >= fault && self.end.hi.is_none_or(|hi| hi > fault.secs())
    }
}

fn counts(track: &Track) -> Counts {
    let scheduled = track.due();
    let good = track.base().filter(|sample| sample.class.good()).count() as u64;
    let bad = track.base().count() as u64 - good;
    let shed = track.silent.iter().filter(|sample| sample.class == Class::Shed).count() as u64;
    Counts { scheduled, ok: good, bad, void: scheduled.saturating_sub(good + bad + shed), shed }
}

/// Latency of the correct answers that were due in `[from, to)`, and how many samples had none by the
/// deadline: of these it is only known that they took longer.
fn latencies(track: &Track, from: Moment, to: Moment) -> Option<Latencies> {
    let due = || track.base().filter(|sample| (from..to).contains(&sample.scheduled));
    let correct = due().filter(|sample| matches!(sample.class, Class::Ok | Class::Slow));
    let unanswered = due().filter(|sample| unanswered(sample)).count() as u64;
    Latencies::of(correct).map(|found| found.censored(unanswered, track.facts.deadline))
}

/// Whether nothing is known of the sample's latency but that it is longer than was waited.
fn unanswered(sample: &Sample) -> bool {
    match sample.class {
        Class::Timeout => true,
        Class::Info => matches!(sample.cause, Cause::Timeout | Cause::ConnectTimeout),
        _ => false,
    }
}

/// How long the parts of asking took, of the correct answers due in `[from, to)`.
fn parts(track: &Track, from: Moment, to: Moment) -> BTreeMap<&'static str, Latencies> {
    type Part = (&'static str, fn(&Sample) -> u32);
    const PARTS: [Part; 4] = [
        ("dns", |sample| sample.phases.dns),
        ("connect", |sample| sample.phases.connect),
        ("tls", |sample| sample.phases.tls),
        ("first_byte", |sample| sample.phases.first_byte),
    ];
    let of = |part: fn(&Sample) -> u32| {
        let correct = track.base().filter(|sample| matches!(sample.class, Class::Ok | Class::Slow));
        let within = correct.filter(|sample| (from..to).contains(&sample.scheduled));
        let took = within.map(part).filter(|micros| *micros > 0);
        Latencies::of_seconds(took.map(|micros| f64::from(micros) / 1e6))
    };
    PARTS.into_iter().filter_map(|(name, part)| of(part).map(|found| (name, found))).collect()
}

/// `2·every`, and the slowest good answer.
fn resolution(track: &Track) -> f64 {
    let good = track.valid.iter().filter(|sample| sample.class.good());
    2.0 * track.facts.every + good.map(|sample| sample.done - sample.sent).fold(0.0, f64::max)
}

/// The longest time after `from` that no good sample vouches for, outages apart: from the sending of one good
/// sample to the outcome of the next. A bad sample here and there, and samples that were shed or made void by a
/// stall, leave room for an outage that is none by the entry rule, or that nobody saw.
fn longest_gap(track: &Track, from: Moment) -> f64 {
    let mut longest = 0.0_f64;
    let mut last: Option<(usize, &Sample)> = None;
    for (at, sample) in track.valid.iter().enumerate().filter(|(_, sample)| sample.class.good()) {
        if let Some((before, earlier)) = last
            && sample.done >= from
            && !track.spans.iter().any(|span| (before..at).contains(&span.first_bad))
        {
            longest = longest.max(sample.done - earlier.sent.max(from));
        }
        last = Some((at, sample));
    }
    longest
}

fn availability(track: &Track, outages: &[Outage], from: Moment, to: Moment) -> Option<Availability> {
    let watched = |sample: &&Sample| (from..to).contains(&sample.scheduled);
    let known = track.base().filter(watched).count() as u64;
    let ok = track.base().filter(watched).filter(|sample| sample.class.good()).count() as u64;
    let due = due(track.samples().filter(watched)).max(known);
    if known == 0 {
        return None;
    }
    let unknown = due - known;
    Some(Availability {
        ok,
        bad: known - ok,
        unknown,
        ratio: ok as f64 / known as f64,
        bounds: Interval::new(ok as f64 / due as f64, (ok + unknown) as f64 / due as f64),
        time: time_based(outages, from.secs(), to.secs()),
    })
}

/// The share of a window that lies in no outage.
fn time_based(outages: &[Outage], from: f64, to: f64) -> Interval {
    let window = (to - from).max(f64::MIN_POSITIVE);
    let within = |begin: f64, end: f64| (end.min(to) - begin.max(from)).max(0.0);
    let (mut least, mut most) = (0.0, 0.0);
    for outage in outages {
        let longest = within(outage.begin.lo, outage.end.hi.unwrap_or(to));
        least += outage.duration.lo.min(within(outage.begin.lo, outage.end.lo)).min(longest);
        most += longest;
    }
    Interval::new((1.0 - most / window).max(0.0), (1.0 - least / window).max(0.0))
}

fn rto(track: &Track, outages: &[Outage], fault: Moment, resolution: f64) -> Option<Rto> {
    track.valid.iter().find(|sample| sample.sent >= fault)?;
    if let Some(last) = outages.iter().rev().find(|outage| outage.after(fault)) {
        let lo = (last.proof.2.sent - fault).max(0.0);
        let hi = last.end.hi.map(|hi| hi - fault.secs());
        let how = if hi.is_some() { Recovered::Confirmed } else { Recovered::Unconfirmed };
        return Some(Rto { seconds: Interval { lo, hi }, how });
    }
    Some(match last_degraded(track, fault) {
        None => Rto { seconds: Interval::new(0.0, resolution), how: Recovered::NeverDown },
        Some((first, last)) => {
            // As after a partial outage: the next good answer may come from what still lives.
            let within = track.valid.get(first..=last).unwrap_or_default();
            let needed = hidden_good(within, Side::End).max(DEGRADED_GOOD);
            let good = track.valid.iter().skip(last).filter(|sample| sample.class.good()).take(needed);
            let hi = good.map(|sample| sample.done).max().map(|done| (done - fault).max(resolution));
            Rto { seconds: Interval { lo: 0.0, hi }, how: Recovered::Degraded }
        }
    })
}

/// Widens the recovery time when a person was the fault: they did it at some time after they were asked, at the
/// latest when they said so, and no later than the first outage began.
fn by_hand(rto: Rto, timeline: &Timeline, outages: &[Outage]) -> Rto {
    let Some(fault) = timeline.fault.as_ref().filter(|fault| fault.latest > fault.sent) else { return rto };
    let first = outages.iter().find(|outage| outage.after(fault.sent)).and_then(|outage| outage.begin.hi);
    let later = (fault.latest - fault.sent).min(first.map_or(f64::MAX, |begin| begin - fault.sent.secs()));
    let seconds = Interval { lo: (rto.seconds.lo - later.max(0.0)).max(0.0), ..rto.seconds };
    Rto { seconds, ..rto }
}

/// Good samples in a row that prove a degraded service well, when half of its answers may be bad: chance
/// explains that many at most once in ten thousand times (`0.5^14`).
const DEGRADED_GOOD: usize = 14;

/// The last bad samples after the fault that stand too close together to be chance: the first and
/// the last of them. The entry rule asks for half of the samples, so that 30 % bad answers may open
/// no outage; RTO 0 would be a lie all the same.
fn last_degraded(track: &Track, fault: Moment) -> Option<(usize, usize)> {
    let bad = blips(track, |sample| sample.done >= fault);
    crowds(&bad).max_by_key(|(_, last)| *last)
}

/// The first bad sample that shows that the fault took hold. It must have been *sent* after it, and belong
/// to trouble that nobody had seen before: any single sample may have failed for another reason. (An outage
/// may begin with a request that was in flight when the call was sent.)
fn felt(track: &Track, outages: &[Outage], fault: Moment) -> Option<Sample> {
    let new = outages.iter().filter(|outage| outage.proof.1.done >= fault);
    let outage = new.flat_map(|outage| track.valid.get(outage.span.first_bad..=outage.span.last_bad));
    let outage = outage.flatten().find(|sample| sample.class.bad() && sample.sent >= fault).copied();
    let bad = blips(track, |sample| sample.sent >= fault);
    let degraded = crowds(&bad).map(|(first, _)| first).min();
    let degraded = degraded.and_then(|at| track.valid.get(at)).copied();
    outage.into_iter().chain(degraded).min_by_key(|sample| sample.sent)
}

/// The positions of the bad samples outside any outage that are `wanted`.
fn blips(track: &Track, wanted: impl Fn(&Sample) -> bool) -> Vec<usize> {
    track.blips().filter(|(_, sample)| wanted(sample)).map(|(index, _)| index).collect()
}

/// Where the positions of some bad samples are closer together than chance explains: the first and the last of each
/// such crowd.
fn crowds(bad: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    DEGRADED.into_iter().flat_map(move |(count, among)| {
        let ends = bad.windows(count).filter_map(|crowd| Some((*crowd.first()?, *crowd.last()?)));
        ends.filter(move |(first, last)| last - first < among)
    })
}

/// Bad samples by the name of their cause.
pub(crate) fn errors<'a>(samples: impl Iterator<Item = &'a Sample>) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for sample in samples.filter(|sample| sample.class.bad()) {
        *errors.entry(cause(sample).to_owned()).or_insert(0) += 1;
    }
    errors
}

/// Why a sample was bad, as reports name it. A slow answer was not wrong otherwise.
pub(crate) fn cause(sample: &Sample) -> &'static str {
    if sample.class == Class::Slow { "slow" } else { sample.cause.name() }
}
