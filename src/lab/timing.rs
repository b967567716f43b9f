//! How long the lab's operations take: the published durations, and the same scaled down.
//!
//! A duration is drawn from the seed, the span's name and a key of the caller's, and from nothing
//! else: what else happens in the lab, and in which order, does not change it.

use std::time::Duration;

use sha2::{Digest, Sha256};

/// Which set of durations the lab uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timing {
    /// Scaled down, so that a drill takes seconds.
    #[default]
    Scaled,
    /// As published for AWS, for rehearsals.
    Real,
}

/// The range of a duration, in seconds, in both timings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) name: &'static str,
    pub(crate) real: (f64, f64),
    pub(crate) scaled: (f64, f64),
}

impl Span {
    pub(crate) const fn new(name: &'static str, real: (f64, f64), scaled: (f64, f64)) -> Span {
        Span { name, real, scaled }
    }
}

/// Draws durations from the seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    seed: u64,
    timing: Timing,
}

impl Pace {
    pub(crate) fn new(seed: u64, timing: Timing) -> Pace {
        Pace { seed, timing }
    }

    /// A duration within the span; the same key gives the same duration.
    pub(crate) fn draw(&self, span: Span, key: &str) -> Duration {
        let (low, high) = match self.timing {
            Timing::Scaled => span.scaled,
            Timing::Real => span.real,
        };
        Duration::from_secs_f64(low + (high - low) * self.fraction(span.name, key))
    }

    /// A number in [0, 1) for a name and a key.
    pub(crate) fn fraction(&self, name: &str, key: &str) -> f64 {
        // 53 bits: what a double holds exactly.
        (self.number(name, key) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// 64 drawn bits for a name and a key.
    pub(crate) fn number(&self, name: &str, key: &str) -> u64 {
        let mut hasher = Sha256::new();
        hasher.update(self.seed.to_be_bytes());
        hasher.update((name.len() as u64).to_be_bytes());
        hasher.update(name.as_bytes());
        hasher.update(key.as_bytes());
        hasher.finalize().iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }

    /// A resource's id: the prefix and 17 hexadecimal digits, as AWS makes them.
    pub(crate) fn id(&self, prefix: &str, key: &str) -> String {
        let high = self.number("id", key);
        let low = self.number("id tail", key) & 0xf;
        format!("{prefix}{high:016x}{low:x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span::new("boot", (45.0, 120.0), (1.0, 2.0));

    #[test]
    fn a_draw_depends_on_seed_name_and_key_alone() {
        let pace = Pace::new(7, Timing::Scaled);
        let first = pace.draw(SPAN, "i-1");
        pace.draw(SPAN, "i-2");
        assert_eq!(first, pace.draw(SPAN, "i-1"));
        assert_ne!(first, pace.draw(SPAN, "i-2"));
        assert_ne!(first, Pace::new(8, Timing::Scaled).draw(SPAN, "i-1"));
    }

    #[test]
    fn a_draw_lies_within_the_span_of_its_timing() {
        for seed in 0..200 {
            let scaled = Pace::new(seed, Timing::Scaled).draw(SPAN, "x").as_secs_f64();
            let real = Pace::new(seed, Timing::Real).draw(SPAN, "x").as_secs_f64();
            assert!((1.0..2.0).contains(&scaled), "{scaled}");
            assert!((45.0..120.0).contains(&real), "{real}");
        }
    }

    #[test]
    fn ids_have_seventeen_digits() {
        assert_eq!(Pace::new(1, Timing::Scaled).id("i-", "a").len(), 19);
    }
}
