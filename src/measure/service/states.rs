//! How each second was for one observer: up, browned out, degraded or down.
//!
//! Per second of the schedule, among the samples that say something (measurement reference 1.7):
//! `down` with at least half of them bad, `degraded` with any bad, `brown_out` with none bad and the
//! 95th percentile above the latency limit, else `up`; `unknown` without a sample. It knows the
//! limit that was declared, and judges nothing.

use std::time::Duration;

use crate::clock::Moment;
use crate::measure::outage::Outage;
use crate::timeline::Track;

/// Share of bad samples from which on a second counts as down.
const DOWN: f64 = 0.5;
/// Share of slow samples beyond which a second's 95th percentile is above the limit.
const SLOW: f64 = 0.05;
/// This many falls within the confirmation time are flapping.
const FALLS: usize = 2;

/// The samples of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Good ones.
    pub good: u32,
    /// Bad ones.
    pub bad: u32,
    /// Good ones above the latency limit.
    pub slow: u32,
}

impl Second {
    /// Share of bad samples; `None` when none says anything.
    pub fn bad_ratio(self) -> Option<f64> {
        let known = self.good + self.bad;
        (known > 0).then(|| f64::from(self.bad) / f64::from(known))
    }

    fn state(self) -> State {
        match self.bad_ratio() {
            None => State::Unknown,
            Some(bad) if bad >= DOWN => State::Down,
            Some(bad) if bad > 0.0 => State::Degraded,
            Some(_) if f64::from(self.slow) > SLOW * f64::from(self.good) => State::BrownOut,
            Some(_) => State::Up,
        }
    }
}

/// How a second was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Served, in time.
    Up,
    /// Served, too slowly.
    BrownOut,
    /// Some samples were bad.
    Degraded,
    /// At least half of them were.
    Down,
    /// No sample says anything.
    Unknown,
}

impl State {
    /// Every state, the best first.
    pub const ALL: [State; 5] = [State::Up, State::BrownOut, State::Degraded, State::Down, State::Unknown];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            State::Up => "up",
            State::BrownOut => "brown_out",
            State::Degraded => "degraded",
            State::Down => "down",
            State::Unknown => "unknown",
        }
    }
}

/// How each second of a run was for one observer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct States {
    /// The samples of each second, from the run's start to the end of observation.
    pub seconds: Vec<Second>,
    /// Seconds alike, as `[from, to)`, in order.
    pub spans: Vec<(u32, u32, State)>,
    /// How often it fell from up to down after the fault.
    pub falls: u32,
    /// Whether it fell twice within the confirmation time, or again within it after a proven recovery.
    pub flapping: bool,
}

impl States {
    /// The seconds of one probe until `until`; `limit` is the longest latency that is not slow, in seconds.
    pub fn of(
        track: &Track,
        outages: &[Outage],
        (fault, until): (Option<Moment>, Moment),
        confirm: Duration,
        limit: Option<f64>,
    ) -> States {
        let mut seconds = vec![Second::default(); until.secs().ceil() as usize];
        for sample in track.base().filter(|sample| sample.scheduled < until) {
            let Some(own) = seconds.get_mut(sample.scheduled.secs() as usize) else { continue };
            if sample.class.bad() {
                own.bad += 1;
            } else {
                own.good += 1;
                own.slow += u32::from(limit.is_some_and(|limit| sample.response_time() > limit));
            }
        }
        let falls = fault.map_or_else(Vec::new, |fault| falls(&seconds, fault.secs() as usize));
        let again = |pair: &[Outage]| {
            let [first, second] = pair else { return false };
            let over = first.end.hi.is_some_and(|end| second.begin.lo - end <= confirm.as_secs_f64());
            over && fault.is_some_and(|fault| second.after(fault))
        };
        let within = confirm.as_secs_f64().ceil() as usize;
        States {
            spans: spans(&seconds),
            flapping: falls.windows(FALLS).any(|pair| pair[FALLS - 1] - pair[0] <= within)
                || outages.windows(2).any(again),
            falls: falls.len() as u32,
            seconds,
        }
    }

    /// How many seconds were in a state.
    pub fn count(&self, state: State) -> u64 {
        let own = self.spans.iter().filter(|span| span.2 == state);
        own.map(|(from, to, _)| u64::from(to - from)).sum()
    }
}

fn spans(seconds: &[Second]) -> Vec<(u32, u32, State)> {
    let mut spans: Vec<(u32, u32, State)> = Vec::new();
    for (at, second) in seconds.iter().enumerate() {
        let (at, state) = (at as u32, second.state());
        match spans.last_mut() {
            Some(last) if last.2 == state => last.1 = at + 1,
            _ => spans.push((at, at + 1, state)),
        }
    }
    spans
}

/// The seconds in which it went from up to down; what is neither does not count.
fn falls(seconds: &[Second], from: usize) -> Vec<usize> {
    let mut up = true;
    let mut falls = Vec::new();
    for (at, second) in seconds.iter().enumerate().skip(from) {
        match second.state() {
            State::Down if up => {
                falls.push(at);
                up = false;
            }
            State::Up | State::BrownOut => up = true,
            State::Down | State::Degraded | State::Unknown => {}
        }
    }
    falls
}

#[cfg(test)]
#[path = "states_tests.rs"]
mod tests;
