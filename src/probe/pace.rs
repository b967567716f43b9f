//! When samples are due: arithmetic only. No clock, no thread, no sleep.
//!
//! Sample *i* of a lane is due at `t0 + i·every + jitter(i)`. The jitter (within ±10 % of `every`,
//! from the run's seed, none for the first) keeps the lane from beating in step with a health
//! check; it is not accumulated, so nothing drifts. It wanders slowly, from one random place to
//! the next over sixteen samples: two neighbours are never further apart than 101.25 % of the
//! spacing, since that distance is what bounds an outage's edges.

use std::cell::Cell;
use std::ops::Range;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::clock::Moment;

/// The share of the spacing that the jitter may take, to either side.
const JITTER: f64 = 0.1;

/// How many samples lie between two random places.
const KNOT: u32 = 16;

/// How far the generator moves from one sample to the next, in its words.
const WORDS: u128 = 16;

/// When the samples of one lane are due.
#[derive(Clone, Debug)]
pub struct Schedule {
    t0: Moment,
    every: Duration,
    generator: ChaCha8Rng,
    /// The last stretch between two knots that was asked for: its first knot, and how far both are off.
    stretch: Cell<(u32, f64, f64)>,
}

/// What a lane is to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing before this instant.
    Wait(Moment),
    /// Send one sample; the ones before it are too late and are never sent.
    Send {
        /// The sample to send: the newest that is due.
        index: u32,
        /// Those that are given up: sending them too would be a burst at a service that may just be recovering.
        late: Range<u32>,
    },
}

impl Schedule {
    /// The schedule of a lane: `seed` is the run's, `lane` the lane's number.
    pub fn new(t0: Moment, every: Duration, seed: u64, lane: u16) -> Schedule {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(u64::from(lane));
        Schedule {
            t0,
            every: every.max(Duration::from_micros(1)),
            generator,
            stretch: Cell::new((u32::MAX, 0.0, 0.0)),
        }
    }

    /// When a sample is due.
    pub fn due(&self, index: u32) -> Moment {
        let plain = self.t0.plus(self.every * index);
        if index == 0 {
            return plain;
        }
        let (knot, part) = (index / KNOT, f64::from(index % KNOT) / f64::from(KNOT));
        let (from, to) = self.stretch(knot);
        let share = from * (1.0 - part) + to * part;
        let jitter = self.every.mul_f64(share.abs());
        if share < 0.0 { plain.minus(jitter) } else { plain.plus(jitter) }
    }

    /// How far a knot and the one after it are off.
    fn stretch(&self, knot: u32) -> (f64, f64) {
        let (known, from, to) = self.stretch.get();
        if known == knot {
            return (from, to);
        }
        let (from, to) = (self.jitter(knot), self.jitter(knot.saturating_add(1)));
        self.stretch.set((knot, from, to));
        (from, to)
    }

    /// How far the sample at a knot is off its place, as a share of the spacing.
    fn jitter(&self, knot: u32) -> f64 {
        if knot == 0 {
            return 0.0;
        }
        let mut generator = self.generator.clone();
        generator.set_word_pos(u128::from(knot) * WORDS);
        generator.random_range(-JITTER..=JITTER)
    }

    /// What to do at `now`, when `next` is the first sample not yet dealt with.
    pub fn turn(&self, next: u32, now: Moment) -> Turn {
        let due = self.due(next);
        if due > now {
            return Turn::Wait(due);
        }
        let newest = self.newest_due(now).max(next);
        Turn::Send { index: newest, late: next..newest }
    }

    /// The last sample that is due at `now` (0 when none is).
    fn newest_due(&self, now: Moment) -> u32 {
        let elapsed = now.since(self.t0).as_nanos() / self.every.as_nanos().max(1);
        let plain = u32::try_from(elapsed).unwrap_or(u32::MAX);
        // Jitter is less than half a spacing, so it is this one or a neighbour.
        let above = plain.saturating_add(1);
        if self.due(above) <= now {
            above
        } else if self.due(plain) <= now {
            plain
        } else {
            plain.saturating_sub(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVERY: Duration = Duration::from_millis(100);

    fn schedule() -> Schedule {
        Schedule::new(Moment::from_secs(1.0), EVERY, 7, 2)
    }

    fn ms(millis: u64) -> Moment {
        Moment(millis * 1_000_000)
    }

    #[test]
    fn the_first_sample_is_due_at_once() {
        assert_eq!(schedule().due(0), Moment::from_secs(1.0));
        assert_eq!(schedule().turn(0, ms(999)), Turn::Wait(ms(1000)));
        assert_eq!(schedule().turn(0, ms(1000)), Turn::Send { index: 0, late: 0..0 });
    }

    #[test]
    fn the_seed_and_the_lane_decide_the_jitter() {
        let due = |seed, lane| -> Vec<Moment> {
            (0..50).map(|i| Schedule::new(Moment::ZERO, EVERY, seed, lane).due(i)).collect()
        };
        assert_eq!(due(1, 0), due(1, 0));
        assert_ne!(due(1, 0), due(1, 1));
        assert_ne!(due(1, 0), due(2, 0));
        let plain: Vec<Moment> = (0..50).map(|i| Moment::ZERO.plus(EVERY * i)).collect();
        assert_ne!(due(1, 0), plain);
    }

    #[test]
    fn late_samples_are_sent_once_and_never_in_a_burst() {
        // Samples 5.. are due at 1500 ms, 1600 ms, … (give or take 10 ms).
        for (now, expected) in [
            (1480, None),
            (1520, Some((5, 5..5))),
            // More than half a spacing late, but still the newest: sent.
            (1580, Some((5, 5..5))),
            (1620, Some((6, 5..6))),
            (9020, Some((80, 5..80))),
        ] {
            let turn = schedule().turn(5, ms(now));
            match expected {
                None => assert!(matches!(turn, Turn::Wait(_)), "{now}: {turn:?}"),
                Some((index, late)) => assert_eq!(turn, Turn::Send { index, late }, "{now}"),
            }
        }
    }

    proptest! {
        #[test]
        fn samples_stay_near_their_place(index in 1u32..2_000_000, seed: u64, every in 1u64..5000) {
            let every = Duration::from_millis(every);
            let schedule = Schedule::new(Moment::ZERO, every, seed, 0);
            let off = (schedule.due(index) - Moment::ZERO.plus(every * index)).abs();
            prop_assert!(off <= every.as_secs_f64() * JITTER + 1e-9);
        }

        #[test]
        fn neighbours_are_little_further_apart_than_the_spacing(index in 0u32..2_000_000, seed: u64) {
            let schedule = Schedule::new(Moment::ZERO, EVERY, seed, 1);
            let apart = schedule.due(index + 1) - schedule.due(index);
            prop_assert!((apart / EVERY.as_secs_f64() - 1.0).abs() <= 0.2 / f64::from(KNOT) + 1e-6, "{}", apart);
        }

        #[test]
        fn the_newest_due_is_the_newest_due(now in 0u64..20_000_000_000, seed: u64) {
            let schedule = Schedule::new(Moment::ZERO, EVERY, seed, 3);
            let now = Moment(now);
            match schedule.turn(0, now) {
                Turn::Wait(due) => prop_assert!(due > now),
                Turn::Send { index, late } => {
                    prop_assert!(schedule.due(index) <= now);
                    prop_assert!(schedule.due(index + 1) > now);
                    prop_assert_eq!(late, 0..index);
                }
            }
        }
    }
}
