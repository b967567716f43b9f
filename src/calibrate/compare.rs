//! The truth beside what was measured. Pure.

use serde::Serialize;

use super::trial::{Settings, Trial};
use super::{Edge, Line, Mode};
use crate::clock::Clock;
use crate::measure::Measures;
use crate::measure::outage::Outage;
use crate::sample::Sample;
use crate::timeline::{Timeline, Track};

/// How many samples to each side of an edge are evidence.
const AROUND: usize = 4;

/// How well one mode was measured. Times in seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// How the server went down.
    pub mode: Mode,
    /// How many times it did, as far as the truth is certain.
    pub outages: usize,
    /// Outages during which, or during whose confirmation, the truth server itself got no processor: what the
    /// truth is then is not known, and they are in none of the other numbers.
    pub disturbed: usize,
    /// Seen, and called an outage.
    pub as_outage: usize,
    /// Seen, but in too few samples to be called one: what reports call blips.
    pub as_blips: usize,
    /// Longer than `least_seen`, and not seen at all.
    pub missed: usize,
    /// Any outage longer than this must be seen.
    pub least_seen: f64,
    /// Outages whose true begin is within its interval.
    pub begin_inside: usize,
    /// The same of the end.
    pub end_inside: usize,
    /// The same of the duration.
    pub duration_inside: usize,
    /// The intervals' widths: the median, and the widest.
    pub width_p50: Option<f64>,
    /// The widest interval.
    pub width_max: Option<f64>,
    /// How wide it was promised to be at most; nothing is promised of an outage with good answers in it.
    pub promised: Option<f64>,
    /// How far the intervals' middle is from the true duration, in the mean: too long above zero.
    pub bias: Option<f64>,
    /// Outages that were reported and never were.
    pub false_outages: usize,
}

impl Row {
    /// Whether every outage was seen and its truth inside.
    pub fn holds(&self) -> bool {
        let all = [self.begin_inside, self.end_inside, self.duration_inside];
        self.missed == 0 && self.false_outages == 0 && all.iter().all(|inside| *inside == self.as_outage)
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Offence {
    /// Of which mode.
    pub mode: Mode,
    /// What, in a line.
    pub what: String,
    /// The samples around the edges, one a line.
    pub samples: Vec<String>,
}

/// How late things were, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Lags {
    /// The median.
    pub p50: f64,
    /// 99 of 100 were no later.
    pub p99: f64,
    /// 999 of 1000 were no later.
    pub p999: f64,
    /// The latest.
    pub max: f64,
}

impl Lags {
    fn of(mut lags: Vec<f64>) -> Lags {
        lags.sort_by(f64::total_cmp);
        Lags {
            p50: quantile(&lags, 0.5).unwrap_or_default(),
            p99: quantile(&lags, 0.99).unwrap_or_default(),
            p999: quantile(&lags, 0.999).unwrap_or_default(),
            max: lags.last().copied().unwrap_or_default(),
        }
    }
}

/// A time in which the prober did not run.
#[derive(Clone, Debug, Serialize)]
pub struct Stall {
    /// When, in seconds of the calibration.
    pub from: f64,
    /// Until when.
    pub to: f64,
    /// What noticed it.
    pub witness: String,
}

/// A calibration's outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Calibration {
    /// The format: `firedrill/calibration/v1`.
    pub schema: &'static str,
    /// Whether every outage was seen and every truth inside.
    pub holds: bool,
    /// The probes' spacing, in seconds.
    pub every: f64,
    /// The probes' deadline, in seconds.
    pub timeout: f64,
    /// Which client the probes stood for.
    pub connection: &'static str,
    /// What was left to chance.
    pub seed: u64,
    /// One for each mode.
    pub modes: Vec<Row>,
    /// How late the probes' samples were sent.
    pub lag: Lags,
    /// How late a bare thread woke in the same time.
    pub floor: Lags,
    /// When the prober did not run.
    pub stalls: Vec<Stall>,
    /// The shortest RTO target, in seconds, that this spacing can decide on this machine, for an outage that fails
    /// at once: three times the interval's width.
    pub decides: f64,
    /// What is not as it should be.
    pub offences: Vec<Offence>,
}

/// The truth of one outage, in seconds of the run.
#[derive(Clone, Copy, Debug)]
struct Truth {
    down: (f64, f64),
    up: (f64, f64),
}

impl Truth {
    fn length(&self) -> (f64, f64) {
        (self.up.0 - self.down.1, self.up.1 - self.down.0)
    }
}

/// Compares.
pub fn compare(settings: &Settings, trial: &Trial) -> Calibration {
    let timeline = Timeline::of(&trial.record);
    let measures = Measures::of(&trial.record, &timeline);
    let (mut rows, mut offences) = (Vec::new(), Vec::new());
    let lanes = settings.modes.iter().zip(&trial.said).zip(timeline.tracks.iter().zip(&measures.services));
    for ((mode, said), (track, service)) in lanes {
        let lane = Laned { settings, mode: *mode, track, outages: &service.outages };
        rows.push(lane.row(&truths(said, &trial.clock), &starved(*mode, said, &trial.clock), &mut offences));
    }
    let lag = trial.record.samples.iter().filter(|sample| sample.class.counted());
    let lag = Lags::of(lag.map(|sample| sample.sent - sample.scheduled).collect());
    let width = 2.0 * settings.every.as_secs_f64() + lag.p999;
    Calibration {
        schema: "firedrill/calibration/v1",
        holds: rows.iter().all(Row::holds),
        every: settings.every.as_secs_f64(),
        timeout: settings.timeout.as_secs_f64(),
        connection: settings.connection.word(),
        seed: settings.seed,
        modes: rows,
        lag,
        floor: Lags::of(trial.floor.clone()),
        stalls: timeline
            .stalls
            .iter()
            .map(|stall| Stall {
                from: stall.from.secs(),
                to: stall.to.secs(),
                witness: stall.witness.clone(),
            })
            .collect(),
        decides: 3.0 * width,
        offences,
    }
}

fn secs(edge: Edge, clock: &Clock) -> (f64, f64) {
    (clock.moment(edge.lo).secs(), clock.moment(edge.hi).secs())
}

fn truths(said: &[Line], clock: &Clock) -> Vec<Truth> {
    let outage = |line: &Line| match line {
        Line::Outage { span, .. } => Some(Truth { down: secs(span.down, clock), up: secs(span.up, clock) }),
        _ => None,
    };
    said.iter().filter_map(outage).collect()
}

/// When the truth server got no processor. A server that was stopped on purpose got none either.
fn starved(mode: Mode, said: &[Line], clock: &Clock) -> Vec<(f64, f64)> {
    let outages = truths(said, clock);
    let on_purpose = |(from, to): (f64, f64)| {
        mode == Mode::BlackHole && outages.iter().any(|truth| from <= truth.up.1 && truth.down.0 <= to)
    };
    let starved = said.iter().filter_map(|line| match line {
        Line::Starved { starved } => Some(secs(*starved, clock)),
        _ => None,
    });
    starved.filter(|span| !on_purpose(*span)).collect()
}

/// One mode's probe.
struct Laned<'a> {
    settings: &'a Settings,
    mode: Mode,
    track: &'a Track,
    outages: &'a [Outage],
}

impl Laned<'_> {
    fn row(&self, truths: &[Truth], starved: &[(f64, f64)], offences: &mut Vec<Offence>) -> Row {
        let confirm = self.settings.confirm().as_secs_f64();
        let least_seen = self.settings.least_seen(self.mode).as_secs_f64();
        let meets = |from: f64, to: f64| starved.iter().any(|span| span.0 <= to && from <= span.1);
        // An answer that a starved server owes may be late by as long as the client waits for it.
        let wait = self.settings.timeout.as_secs_f64();
        let disturbed = |truth: &Truth| meets(truth.down.0 - wait, truth.up.1 + confirm + wait);
        let known: Vec<&Truth> = truths.iter().filter(|truth| !disturbed(truth)).collect();
        let mut row = Row {
            mode: self.mode,
            outages: known.len(),
            disturbed: truths.len() - known.len(),
            as_outage: 0,
            as_blips: 0,
            missed: 0,
            least_seen,
            begin_inside: 0,
            end_inside: 0,
            duration_inside: 0,
            width_p50: None,
            width_max: None,
            promised: self.settings.promised(self.mode).map(|width| width.as_secs_f64()),
            bias: None,
            false_outages: 0,
        };
        let (mut widths, mut biases) = (Vec::new(), Vec::new());
        for truth in known {
            match self.found(truth) {
                Some(outage) => {
                    row.as_outage += 1;
                    self.judge(truth, outage, &mut row, offences);
                    let Some(hi) = outage.duration.hi else { continue };
                    let length = truth.length();
                    widths.push(hi - outage.duration.lo);
                    biases.push((outage.duration.lo + hi) / 2.0 - (length.0 + length.1) / 2.0);
                }
                None if self.blips(truth) => row.as_blips += 1,
                None if truth.length().0 > least_seen => {
                    row.missed += 1;
                    let what = format!("an outage {} was not seen", said(truth));
                    offences.push(self.offence(what, truth.down.0, truth.up.1));
                }
                None => row.outages -= 1,
            }
        }
        for outage in self.outages {
            let (from, to) = extent(outage);
            let real = truths.iter().any(|truth| overlap(truth, from, to));
            if !real && !meets(from - wait, to) {
                row.false_outages += 1;
                let what = format!("an outage was reported {from:.6} s to {to:.6} s, and there was none");
                offences.push(self.offence(what, from, to));
            }
        }
        widths.sort_by(f64::total_cmp);
        row.width_p50 = quantile(&widths, 0.5);
        row.width_max = widths.last().copied();
        row.bias = (!biases.is_empty()).then(|| biases.iter().sum::<f64>() / biases.len() as f64);
        row
    }

    /// The measured outage that is this one, or the first of those that it was taken for.
    fn found(&self, truth: &Truth) -> Option<&Outage> {
        self.outages.iter().find(|outage| {
            let (from, to) = extent(outage);
            overlap(truth, from, to)
        })
    }

    fn blips(&self, truth: &Truth) -> bool {
        self.track.blips().any(|(_, sample)| overlap(truth, sample.sent.secs(), sample.done.secs()))
    }

    fn judge(&self, truth: &Truth, outage: &Outage, row: &mut Row, offences: &mut Vec<Offence>) {
        let holds = |interval: crate::measure::Interval, truth: (f64, f64)| {
            truth.1 >= interval.lo && interval.hi.is_none_or(|hi| truth.0 <= hi)
        };
        let inside = [
            ("begin", holds(outage.begin, truth.down)),
            ("end", holds(outage.end, truth.up)),
            ("duration", holds(outage.duration, truth.length())),
        ];
        row.begin_inside += usize::from(inside[0].1);
        row.end_inside += usize::from(inside[1].1);
        row.duration_inside += usize::from(inside[2].1);
        let outside: Vec<&str> = inside.iter().filter(|(_, inside)| !inside).map(|(name, _)| *name).collect();
        if !outside.is_empty() {
            let measured = format!(
                "begin {}, end {}, duration {}",
                interval(outage.begin),
                interval(outage.end),
                interval(outage.duration)
            );
            let what = format!(
                "the {} of the outage {} is outside what was measured: {measured}",
                outside.join(" and the "),
                said(truth)
            );
            offences.push(self.offence(what, truth.down.0, truth.up.1));
        }
    }

    fn offence(&self, what: String, from: f64, to: f64) -> Offence {
        let mut samples: Vec<_> = self.track.samples().collect();
        samples.sort_by_key(|sample| sample.sent);
        let near = |at: f64| {
            let middle = samples.partition_point(|sample| sample.sent.secs() < at);
            middle.saturating_sub(AROUND)..(middle + AROUND).min(samples.len())
        };
        let (first, last) = (near(from), near(to));
        let mut shown = first.clone().chain(last).collect::<Vec<_>>();
        shown.sort_unstable();
        shown.dedup();
        let samples = shown.into_iter().filter_map(|at| samples.get(at)).map(|sample| line(sample)).collect();
        Offence { mode: self.mode, what, samples }
    }
}

/// From the first bad sample's sending to the last one's outcome.
fn extent(outage: &Outage) -> (f64, f64) {
    (outage.proof.1.sent.secs(), outage.proof.2.done.secs())
}

fn overlap(truth: &Truth, from: f64, to: f64) -> bool {
    from <= truth.up.1 && truth.down.0 <= to
}

fn said(truth: &Truth) -> String {
    format!("from {:.6} s to {:.6} s ({:.6} s)", truth.down.0, truth.up.1, truth.length().1)
}

fn interval(interval: crate::measure::Interval) -> String {
    match interval.hi {
        Some(hi) => format!("[{:.6}, {hi:.6}]", interval.lo),
        None => format!("[{:.6}, open", interval.lo),
    }
}

fn line(sample: &Sample) -> String {
    format!(
        "#{} due {:.6}, sent {:.6}, done {:.6}: {:?} {}",
        sample.seq,
        sample.scheduled.secs(),
        sample.sent.secs(),
        sample.done.secs(),
        sample.class,
        sample.cause
    )
}

fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((share * last as f64).round() as usize).copied()
}

#[cfg(test)]
mod tests;
