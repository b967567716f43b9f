//! One probe's samples in the order they were sent, and which of them say anything.
//!
//! A run can hold ten million samples, so each is held here once, either among the valid ones or
//! among the silent ones.

use std::time::Duration;

use super::Stalled;
use super::outage::{self, Rule, Span};
use crate::clock::Moment;
use crate::journal::Record;
use crate::run::event::ProbeFacts;
use crate::sample::{Cause, Class, Mark, Sample};

/// One probe's samples.
#[derive(Clone, Debug)]
pub struct Track {
    /// What the probe is.
    pub facts: ProbeFacts,
    /// The samples that say something about the service, by the instant they were sent: neither
    /// shed nor void, and not spoilt by a stall of the prober. Those asked in between, to date the end
    /// of an outage, are among them: what counts samples looks at [`Track::base`].
    pub valid: Vec<Sample>,
    /// The samples that say nothing, in the same order.
    pub silent: Vec<Sample>,
    /// Answers that came after their sample had timed out: evidence of nothing else.
    pub late: Vec<Sample>,
    /// Where the outages lie among the valid samples.
    pub spans: Vec<Span>,
    /// When the first call that may have changed something was sent.
    pub touched: Option<Moment>,
    /// Bad samples that a stall of the prober made void.
    pub spoilt: u64,
}

impl Track {
    /// The tracks of every probe of a run.
    pub(super) fn all(record: &Record, stalls: &[Stalled], touched: Option<Moment>) -> Vec<Track> {
        let mut counts = vec![[0; 3]; record.header.probes.len()];
        for sample in &record.samples {
            if let Some(own) = counts.get_mut(usize::from(sample.probe)) {
                own[Kind::of(sample, stalls) as usize] += 1;
            }
        }
        let mut parts: Vec<[Vec<Sample>; 3]> =
            counts.iter().map(|counts| counts.map(Vec::with_capacity)).collect();
        let mut spoilt = vec![0; parts.len()];
        for sample in &record.samples {
            let probe = usize::from(sample.probe);
            let Some(own) = parts.get_mut(probe) else { continue };
            let kind = Kind::of(sample, stalls);
            spoilt[probe] += u64::from(kind == Kind::Silent && counted(sample));
            own[kind as usize].push(*sample);
        }
        let confirm = Duration::try_from_secs_f64(record.header.recovery.confirm).unwrap_or_default();
        let facts = record.header.probes.iter();
        facts
            .zip(parts)
            .zip(spoilt)
            .map(|((facts, parts), spoilt)| {
                let [valid, silent, late] = parts.map(by_sending);
                let spans = outage::find(&valid, &Rule::new(facts.every, confirm));
                Track { facts: facts.clone(), valid, silent, late, spans, touched, spoilt }
            })
            .collect()
    }

    /// Every sample but the late answers: the valid ones, then the silent ones, each by sending.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> + Clone {
        self.valid.iter().chain(&self.silent)
    }

    /// The valid samples of the schedule: what availability and latency are made of.
    pub fn base(&self) -> impl Iterator<Item = &Sample> + Clone {
        self.valid.iter().filter(|sample| sample.mark == Mark::Base)
    }

    /// The bad samples that belong to no outage.
    pub fn blips(&self) -> impl Iterator<Item = (usize, &Sample)> {
        self.valid
            .iter()
            .enumerate()
            .filter(|(index, sample)| sample.class.bad() && !self.spans.iter().any(|span| span.holds(*index)))
    }

    /// How many samples were due, by their numbers: one that is missing from the record was due
    /// all the same. Those that the end of the run cut off are left out.
    pub fn due(&self) -> u64 {
        due(self.samples())
    }
}

/// What a sample is to a track: its place in the three lists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Valid,
    Silent,
    Late,
}

impl Kind {
    fn of(sample: &Sample, stalls: &[Stalled]) -> Kind {
        match sample.mark {
            Mark::Late => Kind::Late,
            _ if counted(sample) && !spoilt(sample, stalls) => Kind::Valid,
            _ => Kind::Silent,
        }
    }
}

/// In place: a stable sort would need half of the samples' room again.
fn by_sending(mut samples: Vec<Sample>) -> Vec<Sample> {
    samples.sort_unstable_by_key(|sample| (sample.sent, sample.scheduled, sample.seq));
    samples
}

/// How many samples of the schedule were due, among these, by their numbers.
pub(crate) fn due<'a>(samples: impl Iterator<Item = &'a Sample>) -> u64 {
    let (mut first, mut last, mut ended) = (u32::MAX, None, 0);
    for sample in samples.filter(|sample| sample.mark == Mark::Base) {
        first = first.min(sample.seq);
        last = last.max(Some(sample.seq));
        ended += u64::from(sample.cause == Cause::Ended);
    }
    last.map_or(0, |last| (u64::from(last - first) + 1).saturating_sub(ended))
}

/// Whether the sample says something about the service.
fn counted(sample: &Sample) -> bool {
    sample.class.counted() && sample.cause != Cause::Ended
}

/// Whether a stall of the prober may be why the sample is bad. A good answer is proof whenever it
/// was read; a bad one is not, when the prober did not run between its sending and its outcome:
/// the answer may have been waiting, or the peer may have given up on a silent client.
fn spoilt(sample: &Sample, stalls: &[Stalled]) -> bool {
    sample.class != Class::Ok
        && stalls.iter().any(|stall| sample.sent <= stall.to && sample.done >= stall.from)
}
