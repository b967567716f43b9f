//! An outage's edges: from the samples that prove it to intervals.
//!
//! With `L` the last good sample before, `F` the first bad, `K` the last bad and `R` the first good
//! of the confirmed run, `a` the instant of sending and `c` of the outcome:
//!
//! - it began in `(a_L, c_F]`: `L` was served at some instant after `a_L`, `F` was not at some
//!   instant before `c_F`;
//! - it ended in `(a_K, c_R]`, for the same reasons;
//! - it lasted at most `c_R - a_L`;
//! - it lasted at least `a_K - c_F`, always. For a full outage more can be said: a request that is
//!   issued while the service is up is answered, within twice the slowest answer `d` that was
//!   seen before. So the service was down by `a_F + 2d`, and not only by the deadline `c_F`: the
//!   outage lasted at least `a_K - min(c_F, a_F + 2d)`. Without that, an unanswered probe would
//!   add its whole deadline to the uncertainty. It is not said of a partial outage, nor of one
//!   that begins with slow answers (a service that slows down is neither up nor down at `a_F`).
//!
//! In a partial outage a good answer may come from a backend that still lives, so `L` and `R` bound
//! nothing by themselves: the `k`-th good sample before and after do (see
//! [`Track`](crate::timeline::Track) and `hidden_good` in `timeline/outage.rs`).
//!
//! A begin that would reach back before the first call that could change anything is cut there, if
//! every sample decided before that call was good: an effect does not precede its cause, and the
//! samples show no trouble of another origin. It is not cut if `F` itself ought to have been
//! answered before the call, for then the trouble is older.

use super::Interval;
use crate::clock::Moment;
use crate::sample::{Class, Sample};
use crate::timeline::{Side, Span, Track, hidden_good};

/// One outage, as one probe proves it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outage {
    /// When it began. Its `lo` is the start of the run when no good sample precedes it.
    pub begin: Interval,
    /// When it ended; without `hi` when recovery was not proven.
    pub end: Interval,
    /// How long it was.
    pub duration: Interval,
    /// Whether every sample within was bad.
    pub full: bool,
    /// What the least duration rests on.
    pub basis: Basis,
    /// The least duration by each basis: by the outcome of the first bad sample, which always holds
    /// (`a_K - c_F`), and by its sending (`a_K - min(c_F, a_F + 2d)`).
    pub least: Least,
    /// Share of bad samples within.
    pub bad_ratio: f64,
    /// The four samples: last good, first bad, last bad, first good.
    pub proof: (Option<Sample>, Sample, Sample, Option<Sample>),
    /// Its position in the probe's list of valid samples.
    pub span: Span,
}

/// The least duration of an outage by each basis, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Least {
    /// From the first bad sample's outcome.
    pub safe: f64,
    /// From the first bad sample's sending.
    pub issue: f64,
}

/// What the least duration of an outage rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// From the first bad sample's sending: a request issued while the service is up is answered.
    Issue,
    /// From the first bad sample's outcome: always true.
    Outcome,
}

/// The outages of one probe, in order.
pub fn outages(track: &Track) -> Vec<Outage> {
    let spans = &track.spans;
    (0..spans.len())
        .filter_map(|at| {
            let before = at.checked_sub(1).and_then(|before| spans.get(before));
            outage(track, spans.get(at)?, before, spans.get(at + 1))
        })
        .collect()
}

fn outage(track: &Track, span: &Span, before: Option<&Span>, after: Option<&Span>) -> Option<Outage> {
    let valid = &track.valid;
    let within = valid.get(span.first_bad..=span.last_bad)?;
    let (first_bad, last_bad) = (within.first()?, within.last()?);
    let bad = within.iter().filter(|sample| sample.class.bad()).count();
    let full = bad == within.len();
    let answered = answered_by(valid.get(..span.first_bad)?, first_bad);
    let well = well_before(valid, span, before, hidden_good(within, Side::Begin));
    let begin_lo = not_before_cause(track, first_bad, answered, well);
    let basis = if full && first_bad.class != Class::Slow { Basis::Issue } else { Basis::Outcome };
    let from = |down_by: Moment| (last_bad.sent - down_by).max(0.0);
    let bounds = Least { safe: from(first_bad.done), issue: from(answered) };
    let least = match basis {
        Basis::Issue => bounds.issue,
        Basis::Outcome => bounds.safe,
    };
    let end_hi = well_after(valid, span, after, hidden_good(within, Side::End));
    let longest = begin_lo.zip(end_hi).map(|(begin, end)| (end - begin).max(least));
    Some(Outage {
        begin: Interval::new(begin_lo.unwrap_or(Moment::ZERO).secs(), first_bad.done.secs()),
        end: Interval { lo: last_bad.sent.secs(), hi: end_hi.map(Moment::secs) },
        duration: Interval { lo: least, hi: longest },
        full,
        basis,
        least: bounds,
        bad_ratio: bad as f64 / within.len() as f64,
        proof: (
            valid.get(..span.first_bad)?.iter().rev().find(|sample| sample.class.good()).copied(),
            *first_bad,
            *last_bad,
            span.first_good.and_then(|at| valid.get(at)).copied(),
        ),
        span: *span,
    })
}

/// By when `sample` would have been answered, had the service been up: within twice the slowest
/// good answer before it. Its own outcome when there is none.
fn answered_by(before: &[Sample], sample: &Sample) -> Moment {
    let good = before.iter().filter(|earlier| earlier.class.good());
    match good.map(|earlier| earlier.done.since(earlier.sent)).max() {
        Some(slowest) => sample.sent.plus(slowest.saturating_mul(2)).min(sample.done),
        None => sample.done,
    }
}

/// The sending of the good sample that proves the service well before an outage; `None` when
/// there are too few. Never before the last bad sample of the outage before.
fn well_before(valid: &[Sample], span: &Span, before: Option<&Span>, needed: usize) -> Option<Moment> {
    let from = before.map_or(0, |before| before.last_bad + 1);
    let proof = (from..span.first_bad).rev().filter(|at| valid[*at].class.good()).nth(needed - 1);
    match (proof, before) {
        (Some(at), _) => Some(valid[at].sent),
        (None, Some(before)) => Some(valid[before.last_bad].sent),
        (None, None) => None,
    }
}

/// The outcome of the good sample that proves the service well after an outage: of the last one there
/// is, when there are fewer than would be needed; `None` when recovery was not confirmed. Never after the
/// first bad sample of the next outage.
fn well_after(valid: &[Sample], span: &Span, after: Option<&Span>, needed: usize) -> Option<Moment> {
    span.first_good?;
    let until = after.map_or(valid.len(), |after| after.first_bad);
    let good = valid.get(span.last_bad + 1..until)?.iter().filter(|sample| sample.class.good());
    let proof: Vec<Moment> = good.take(needed).map(|sample| sample.done).collect();
    match after.and_then(|after| valid.get(after.first_bad)) {
        Some(next) if proof.len() < needed => Some(next.done),
        _ => proof.into_iter().max(),
    }
}

/// The begin's lower bound, cut at the first call that could change anything if all was well
/// before it.
fn not_before_cause(
    track: &Track,
    first_bad: &Sample,
    answered: Moment,
    well: Option<Moment>,
) -> Option<Moment> {
    let Some(cause) = track.touched else { return well };
    let mut earlier = track.valid.iter().filter(|sample| sample.done <= cause).peekable();
    let was_well = earlier.peek().is_some() && earlier.all(|sample| sample.class.good());
    let its_effect = first_bad.done >= cause && answered >= cause;
    if was_well && its_effect { Some(well.unwrap_or(cause).max(cause)) } else { well }
}

#[cfg(test)]
#[path = "outage_tests.rs"]
mod tests;
