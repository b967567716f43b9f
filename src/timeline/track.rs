//! One probe's samples in the order they were sent, and which of them say anything.

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
    /// Every sample on the schedule, by the instant it was sent.
    pub samples: Vec<Sample>,
    /// The samples that say something about the service, in the same order: neither shed nor
    /// void, and not spoilt by a stall of the prober. Those taken in between during an outage are among
    /// them: they date its edges, and are counted nowhere.
    pub valid: Vec<Sample>,
    /// Answers that came after their sample had timed out.
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
        let mut samples = vec![Vec::new(); record.header.probes.len()];
        for sample in &record.samples {
            if let Some(own) = samples.get_mut(usize::from(sample.probe)) {
                own.push(*sample);
            }
        }
        let confirm = Duration::try_from_secs_f64(record.header.recovery.confirm).unwrap_or_default();
        record
            .header
            .probes
            .iter()
            .zip(samples)
            .map(|(facts, samples)| Track::new(facts, samples, stalls, confirm, touched))
            .collect()
    }

    fn new(
        facts: &ProbeFacts,
        mut samples: Vec<Sample>,
        stalls: &[Stalled],
        confirm: Duration,
        touched: Option<Moment>,
    ) -> Track {
        samples.sort_by_key(|sample| (sample.sent, sample.scheduled, sample.seq));
        let late = samples.iter().filter(|sample| sample.mark == Mark::Late).copied().collect();
        samples.retain(|sample| sample.mark != Mark::Late);
        let said: Vec<Sample> = samples.iter().filter(|sample| counted(sample)).copied().collect();
        samples.retain(|sample| sample.mark == Mark::Base);
        let valid: Vec<Sample> = said.iter().filter(|sample| !spoilt(sample, stalls)).copied().collect();
        let spans = outage::find(&valid, &Rule::new(facts.every, confirm));
        let spoilt = (said.len() - valid.len()) as u64;
        Track { facts: facts.clone(), samples, valid, late, spans, touched, spoilt }
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
        due(self.samples.iter())
    }
}

/// How many samples were due, among these, by their numbers.
pub(crate) fn due<'a>(samples: impl Iterator<Item = &'a Sample>) -> u64 {
    let (mut first, mut last, mut ended) = (u32::MAX, None, 0);
    for sample in samples {
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
