//! Finds outages among a probe's valid samples.
//!
//! Entering needs a rule, else one lost packet is an outage: three bad samples in a row, or at
//! least half of the samples (and three) bad over three quarters of a second, or of six samples where
//! these take longer. It is backdated to the first bad sample.
//!
//! Leaving needs proof, since an endpoint flaps after a failover and, with one of two backends
//! dead, good answers come in between: `N` good samples in a row, then good for the confirmation
//! time `S` with at most 1 % bad and no new outage, seen to its end; and after a partial outage
//! either more good samples in a row than chance explains (see [`hidden_good`]) or no bad one any more,
//! as long as was looked. It is backdated to the first good sample.
//!
//! A partial outage shows bad samples before the rule is met. These belong to it when so few good
//! ones lie between that chance explains them: see [`hidden_good`].

use std::time::Duration;

use crate::sample::Sample;

/// Bad samples in a row that make an outage.
const IN_A_ROW: usize = 3;
/// The window of the second entry rule, in seconds, and the least number of samples it spans.
const WINDOW: f64 = 1.0;
const WINDOW_SAMPLES: f64 = 6.0;
/// How much of the window the stretch with half of its samples bad must fill.
const STRETCH: f64 = 0.75;
/// Good samples in a row that a confirmed run starts with, where that many fit.
const CONFIRM_RUN: usize = 10;
/// Share of bad samples that the confirmation time may hold.
const CONFIRM_BAD: f64 = 0.01;
/// How improbable a run of good answers from a degraded service must be to count as proof.
const CHANCE: f64 = 1e-4;
/// This many bad samples among so many before an entry belong to the outage.
const TROUBLED_BAD: usize = 3;
const TROUBLED_AMONG: usize = 40;
/// How many samples next to an edge are looked at for its own share of bad ones.
const EDGE: usize = 20;

/// An outage as positions in the list of valid samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first bad sample.
    pub first_bad: usize,
    /// The last bad sample.
    pub last_bad: usize,
    /// The first good sample of the confirmed run after it; `None` when recovery was not proven.
    pub first_good: Option<usize>,
}

impl Span {
    /// Whether the sample at this position is within the outage.
    pub fn holds(&self, index: usize) -> bool {
        (self.first_bad..=self.last_bad).contains(&index)
    }
}

/// How one probe's outages are entered and left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    window: Duration,
    confirm: Duration,
    run: usize,
    /// What the confirmation time may lack at its end: the sample after it is not due yet.
    tolerance: Duration,
}

impl Rule {
    /// The rule for a probe with this spacing, in seconds.
    pub(super) fn new(every: f64, confirm: Duration) -> Rule {
        let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
        let fit = confirm.as_secs_f64() / every.max(1e-3) + 1.0;
        Rule {
            window: seconds(WINDOW.max(WINDOW_SAMPLES * every)),
            confirm,
            run: (fit as usize).clamp(IN_A_ROW, CONFIRM_RUN),
            tolerance: seconds(1.5 * every),
        }
    }
}

/// What is asked of the samples again and again, computed once. Positions are kept in four bytes: a
/// probe is asked for less than 2³² samples, and this stands beside all of them.
struct Index<'a> {
    samples: &'a [Sample],
    /// Bad samples before each position.
    bad: Vec<u32>,
    /// Length of the run of like samples that starts at each position.
    run: Vec<u32>,
    /// The end of the confirmation time that starts at each position.
    confirm_end: Vec<u32>,
    /// The next position at which an outage is entered.
    next_entry: Vec<u32>,
    /// The latest that any sample from each position on was decided, when good.
    decided: Vec<u64>,
}

impl<'a> Index<'a> {
    fn new(samples: &'a [Sample], rule: &Rule) -> Index<'a> {
        let len = samples.len();
        let mut bad = Vec::with_capacity(len + 1);
        let mut count = 0;
        bad.push(0);
        for sample in samples {
            count += u32::from(sample.class.bad());
            bad.push(count);
        }
        let mut run = vec![1; len];
        for at in (0..len.saturating_sub(1)).rev() {
            if samples[at].class.bad() == samples[at + 1].class.bad() {
                run[at] = run[at + 1] + 1;
            }
        }
        let window_end = ends(samples, rule.window);
        let mut next_entry = vec![len as u32; len + 1];
        let mut decided = vec![0; len + 1];
        for at in (0..len).rev() {
            let is_bad = samples[at].class.bad();
            let end = window_end[at] as usize;
            let within = (bad[end] - bad[at]) as usize;
            // Up to the last bad one: that it was good again within the same second does not make it less.
            let last = (at..end).rev().find(|at| samples[*at].class.bad()).unwrap_or(at);
            let stretch = last + 1 - at;
            let dense =
                within >= IN_A_ROW && 2 * within >= stretch && stretch as f64 >= STRETCH * (end - at) as f64;
            let entered = is_bad && (run[at] as usize >= IN_A_ROW || dense);
            next_entry[at] = if entered { at as u32 } else { next_entry[at + 1] };
            decided[at] = decided[at + 1].max(if is_bad { 0 } else { samples[at].done.0 });
        }
        Index { samples, bad, run, confirm_end: ends(samples, rule.confirm), next_entry, decided }
    }

    fn is_bad(&self, at: usize) -> bool {
        self.samples[at].class.bad()
    }

    /// Whether no sample from this position on was bad.
    fn good_to_the_end(&self, at: usize) -> bool {
        self.bad.last() == self.bad.get(at)
    }

    fn run(&self, at: usize) -> usize {
        self.run[at] as usize
    }

    fn next_entry(&self, at: usize) -> usize {
        self.next_entry[at] as usize
    }

    /// Whether the sample at this position starts a confirmed run.
    fn confirmed(&self, at: usize, rule: &Rule) -> bool {
        let end = self.confirm_end[at] as usize;
        let bad = self.bad[end] - self.bad[at];
        let needed = self.samples[at].sent.plus(rule.confirm).minus(rule.tolerance);
        !self.is_bad(at)
            && self.run(at) >= rule.run
            && f64::from(bad) <= CONFIRM_BAD * (end - at) as f64
            && self.next_entry(at) >= end
            && self.decided[at] >= needed.0
    }
}

/// For each position, the first position that was sent `after` or more later.
fn ends(samples: &[Sample], after: Duration) -> Vec<u32> {
    let mut end = 0;
    samples
        .iter()
        .enumerate()
        .map(|(at, sample)| {
            let limit = sample.sent.plus(after);
            end = end.max(at + 1);
            while samples.get(end).is_some_and(|later| later.sent < limit) {
                end += 1;
            }
            end as u32
        })
        .collect()
}

/// Finds the outages, in order.
pub(super) fn find(samples: &[Sample], rule: &Rule) -> Vec<Span> {
    let index = Index::new(samples, rule);
    let mut spans = Vec::new();
    let mut from = 0;
    loop {
        let entry = index.next_entry(from);
        if entry >= samples.len() {
            return spans;
        }
        let first_bad = troubled(samples, from, entry);
        let good = (entry + 1..samples.len()).find(|at| {
            let after_bad = index.is_bad(at - 1);
            after_bad
                && index.confirmed(*at, rule)
                && (index.good_to_the_end(*at) || index.run(*at) >= hidden(samples, first_bad, *at))
        });
        let last_bad = match good {
            Some(at) => at - 1,
            None => samples.iter().rposition(|sample| sample.class.bad()).unwrap_or(entry),
        };
        let span = Span { first_bad, last_bad, first_good: good };
        spans.push(backdated(samples, span, from));
        let Some(at) = good else { return spans };
        from = at;
    }
}

/// Where the trouble that led to an entry began: at the first of several bad samples shortly before
/// it, if there are any. Three bad in a row may then be chance in a partial outage, and taken alone
/// would look like a full one.
fn troubled(samples: &[Sample], from: usize, entry: usize) -> usize {
    let near = from.max(entry.saturating_sub(TROUBLED_AMONG));
    let bad = || (near..entry).filter(|at| samples[*at].class.bad());
    if bad().count() < TROUBLED_BAD { entry } else { bad().next().unwrap_or(entry) }
}

/// How many good samples in a row chance explains after the outage from `first_bad` up to `end`: a
/// partial outage is not over before one more.
fn hidden(samples: &[Sample], first_bad: usize, end: usize) -> usize {
    hidden_good(samples.get(first_bad..end).unwrap_or_default(), Side::End)
}

/// Takes in the bad samples before the outage that belong to it: as long as chance explains the good
/// ones between.
fn backdated(samples: &[Sample], mut span: Span, from: usize) -> Span {
    loop {
        let within = samples.get(span.first_bad..=span.last_bad).unwrap_or_default();
        let near = hidden_good(within, Side::Begin);
        let before = span.first_bad;
        for at in (from..before).rev().filter(|at| samples[*at].class.bad()) {
            if span.first_bad - at > near {
                break;
            }
            span.first_bad = at;
        }
        if span.first_bad == before {
            return span;
        }
    }
}

/// An end of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Its begin.
    Begin,
    /// Its end.
    End,
}

/// Which good sample, counted from the edge outwards, proves that the service was well: 1 in a
/// full outage, where no good answer can come from a service that is down.
///
/// In a partial outage one can: from the backend that still lives. With a share `p` of bad
/// answers, `k` good ones in a row come with chance `(1-p)^k`, and the `k`-th counts as proof once
/// that is at most 1e-4. `p` is not known but counted: its lower 97.7 % bound (Wilson) over the whole
/// outage is used, or the share among the twenty samples next to the edge, whichever is less, since
/// an outage may be full at first and partial later. The outermost samples are bad by definition
/// and are left out of the count.
///
/// An outage whose samples are all bad is taken for a full one. A partial one of `n` samples looks
/// so with chance `p^n`: nothing that was seen tells the two apart.
pub(crate) fn hidden_good(outage: &[Sample], side: Side) -> usize {
    if outage.iter().all(|sample| sample.class.bad()) {
        return 1;
    }
    let inner = outage.get(1..outage.len() - 1).unwrap_or_default();
    let near = match side {
        Side::Begin => inner.get(..EDGE).unwrap_or(inner),
        Side::End => inner.get(inner.len().saturating_sub(EDGE)..).unwrap_or(inner),
    };
    let share = least_share(inner).min(share(near)).clamp(0.05, 0.99);
    ((CHANCE.ln() / (1.0 - share).ln()).ceil() as usize).max(1)
}

/// The lower 97.7 % Wilson bound of the share of bad samples.
fn least_share(samples: &[Sample]) -> f64 {
    let (count, share) = (samples.len().max(1) as f64, share(samples));
    let z = 2.0_f64;
    let centre = share + z * z / (2.0 * count);
    let spread = z * (share * (1.0 - share) / count + z * z / (4.0 * count * count)).sqrt();
    (centre - spread) / (1.0 + z * z / count)
}

fn share(samples: &[Sample]) -> f64 {
    samples.iter().filter(|sample| sample.class.bad()).count() as f64 / samples.len().max(1) as f64
}
