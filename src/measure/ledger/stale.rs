//! Stale reads: what light reads during the drill missed, though it had been acknowledged and was there
//! in the end. What was missed and is lost is a loss, and counted as one.

use super::presence::{Presence, merged};
use super::{Fate, History, fate};
use crate::clock::Moment;
use crate::run::event::Reading;

/// What light reads during the drill missed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stale {
    /// Light reads that were answered.
    pub reads: u64,
    /// Those that missed something acknowledged which was there in the end.
    pub stale: u64,
    /// How many writes they missed, each counted once.
    pub writes: u64,
    /// The longest time from an acknowledgement to a read that still missed the write, in seconds.
    pub longest: f64,
    /// Who gave the stale answers.
    pub by: Vec<String>,
}

/// A number that a light read missed.
#[derive(Clone, Copy, Debug)]
struct Missed {
    seq: u32,
    acked: Option<Moment>,
    counted: bool,
}

pub(super) fn stale(history: &History<'_>, reading: &Reading) -> Stale {
    let glimpses = &reading.glimpses;
    let mut stale = Stale { reads: glimpses.reads, ..Stale::default() };
    let ranges = glimpses.missed.iter().flat_map(|glimpse| glimpse.missing.iter().copied());
    let mut missed: Vec<Missed> = merged(&ranges.collect::<Vec<_>>())
        .into_iter()
        .flat_map(|(first, last)| first..=last)
        .map(|seq| Missed { seq, acked: None, counted: false })
        .collect();
    let (Some(first), Some(last)) = (missed.first().map(|m| m.seq), missed.last().map(|m| m.seq)) else {
        return stale;
    };
    let present = merged(&reading.present);
    let mut there = Presence::new(&present);
    for sample in history.walk().filter(|sample| (first..=last).contains(&sample.seq)) {
        let Ok(at) = missed.binary_search_by_key(&sample.seq, |missed| missed.seq) else { continue };
        if fate(sample) == Some(Fate::Acked)
            && there.has(sample.seq)
            && let Some(missed) = missed.get_mut(at)
        {
            missed.acked = Some(sample.done);
        }
    }
    for glimpse in &glimpses.missed {
        let mut any = false;
        for (first, last) in &glimpse.missing {
            let from = missed.partition_point(|missed| missed.seq < *first);
            for missed in missed.iter_mut().skip(from).take_while(|missed| missed.seq <= *last) {
                // Only a read that began after the acknowledgement had to show it.
                let Some(acked) = missed.acked.filter(|acked| *acked < glimpse.began_ns) else { continue };
                any = true;
                stale.writes += u64::from(!missed.counted);
                missed.counted = true;
                stale.longest = stale.longest.max(glimpse.began_ns - acked);
            }
        }
        stale.stale += u64::from(any);
        if let (true, Some(who)) = (any, &glimpse.who)
            && !stale.by.contains(who)
        {
            stale.by.push(who.clone());
        }
    }
    stale
}
