//! The recovery point: up to where all that was acknowledged survived.

use super::compare::{Era, Eras};
use super::presence::Presence;
use super::{Fate, History, Interval, fate};
use crate::clock::Moment;

/// Where the loss begins.
pub(super) struct Point {
    pub(super) seconds: Interval,
    pub(super) before_fault: Option<Interval>,
    pub(super) hole: Option<(u32, u32)>,
}

/// How many seconds of acknowledged writes were lost.
///
/// All that was acknowledged before the recovery point `Q` survived. With `f` the lost write that
/// was acknowledged first, and `p` the surviving write before it that was sent last,
/// `w_p < Q <= k_f`; with `k_last` the last acknowledgement before the outage, `k_last - Q` is in
/// `[k_last - k_f, k_last - w_p]`. Each outage that loses writes has its own point; the worst counts.
pub(super) fn point(history: &History<'_>, present: &[(u32, u32)], eras: &[Era]) -> Point {
    let mut point = Point { seconds: Interval::new(0.0, 0.0), before_fault: None, hole: None };
    if eras.iter().all(|era| era.first_lost.is_none()) {
        return point;
    }
    let (survivors, hole) = survivors(history, present, eras);
    point.hole = hole;
    let outages = history.outages.len();
    for (at, (era, survivor)) in eras.iter().zip(survivors).enumerate() {
        let Some((first, _)) = era.first_lost else { continue };
        // Without an outage after it, later writes say nothing about where the loss ended.
        let last = if at < outages { era.last_acked } else { era.last_lost_acked };
        let last = last.unwrap_or(first);
        worse(&mut point.seconds, last - first, survivor.map(|sent| last - sent));
        if let Some(fault) = history.fault {
            let ago = |at: Moment| (fault - at).max(0.0);
            let so_far = point.before_fault.get_or_insert(Interval::new(0.0, 0.0));
            worse(so_far, ago(first), survivor.map(ago));
        }
    }
    point
}

fn worse(worst: &mut Interval, lo: f64, hi: Option<f64>) {
    worst.lo = worst.lo.max(lo);
    worst.hi = match (worst.hi, hi) {
        (Some(so_far), Some(hi)) => Some(so_far.max(hi)),
        _ => None,
    };
}

/// For each era the surviving write before its first lost one that was sent last; and a hole, if there
/// is one: a lost write of an era and a surviving one that was sent after the lost one's
/// acknowledgement. Asynchronous replication loses the end of what was written, and never leaves that.
///
/// In the last era survivors follow any loss, once the service is back; there only one with
/// another lost write after it counts.
fn survivors(
    history: &History<'_>,
    present: &[(u32, u32)],
    found: &[Era],
) -> (Vec<Option<Moment>>, Option<(u32, u32)>) {
    let outages = history.outages.len();
    let (mut there, mut eras) = (Presence::new(present), Eras::new(history));
    let mut survivors = vec![None; found.len()];
    let mut hole = None;
    for sample in history.walk() {
        if fate(sample) != Some(Fate::Acked) || !there.has(sample.seq) {
            continue;
        }
        for (era, survivor) in found.iter().zip(&mut survivors) {
            if era.first_lost.is_some_and(|(first, _)| sample.done < first) {
                *survivor = (*survivor).max(Some(sample.sent));
            }
        }
        let at = eras.of(sample);
        let Some(Era { first_lost: Some((acked, seq)), last_lost_sent, .. }) = found.get(at) else {
            continue;
        };
        if hole.is_none() && sample.sent > *acked && (at < outages || sample.done < *last_lost_sent) {
            hole = Some((*seq, sample.seq));
        }
    }
    (survivors, hole)
}
