//! The measures against a truth that is known: a service that is down when it is told to be, and a
//! prober that is nothing but arithmetic.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Measures;
use crate::clock::Moment;
use crate::journal::Record;
use crate::journal::fixture::{event, header, probe};
use crate::run::event::*;
use crate::sample::{Cause, Class, Sample};
use crate::timeline::Timeline;

const DEADLINE: f64 = 0.9;
const CONFIRM: f64 = 5.0;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Refuse,
    BlackHole,
    /// What is asked is answered once the service is well, if somebody still waits.
    Hang,
    /// Answered, and badly.
    Unavailable,
}

/// What else goes wrong, with the prober and with the service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Trouble {
    /// The chance that a sample is never sent.
    shed: f64,
    /// How late the pacer may be, in seconds, without anybody noticing.
    late: f64,
    /// The chance that an answer takes up to eight times as long.
    slow: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Share {
    Full,
    /// Every second request meets the dead backend.
    EveryOther,
    /// A request meets a dead backend with this chance.
    Random(f64),
}

/// A drill whose truth is known.
#[derive(Clone, Debug)]
struct Drill {
    seed: u64,
    every: f64,
    /// Service time: between this and twice this.
    service: f64,
    fault: f64,
    /// Whether the record says when the fault was injected.
    announced: bool,
    outages: Vec<(f64, f64)>,
    mode: Mode,
    share: Share,
    stalls: Vec<(f64, f64)>,
    trouble: Trouble,
}

impl Drill {
    fn samples(&self) -> Vec<Sample> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let until = self.outages.iter().map(|outage| outage.1).fold(self.fault, f64::max)
            + 60.0 * self.every
            + CONFIRM
            + 3.0;
        let phase = rng.random::<f64>() * self.every;
        let mut turn = 0;
        (0..)
            .map(|seq| (seq, phase + f64::from(seq) * self.every))
            .take_while(|(_, due)| *due < until)
            .map(|(seq, due)| {
                let due = due + self.every * (rng.random::<f64>() - 0.5) * 0.2;
                self.ask(seq, due.max(0.0), &mut turn, &mut rng)
            })
            .collect()
    }

    fn stalled(&self, at: f64) -> Option<f64> {
        self.stalls.iter().find(|stall| (stall.0..stall.1).contains(&at)).map(|stall| stall.1)
    }

    fn ask(&self, seq: u32, due: f64, turn: &mut u32, rng: &mut ChaCha8Rng) -> Sample {
        let mut sent = due + rng.random::<f64>() * 0.0005;
        let sample = |sent: f64, done: f64, class, cause| Sample {
            probe: 0,
            seq,
            scheduled: Moment::from_secs(due),
            sent: Moment::from_secs(sent),
            done: Moment::from_secs(done),
            class,
            cause,
            ..Sample::default()
        };
        sent += rng.random::<f64>() * self.trouble.late;
        if rng.random::<f64>() < self.trouble.shed {
            return sample(due, due, Class::Shed, Cause::InFlight);
        }
        if let Some(over) = self.stalled(sent) {
            if due + self.every < over {
                return sample(due, due, Class::Shed, Cause::Late);
            }
            sent = over + rng.random::<f64>() * 0.0005;
        }
        let slow = if rng.random::<f64>() < self.trouble.slow { 8.0 * rng.random::<f64>() } else { 0.0 };
        let work = self.service * (1.0 + rng.random::<f64>() + slow);
        *turn += 1;
        let unlucky = match self.share {
            Share::Full => true,
            Share::EveryOther => (*turn).is_multiple_of(2),
            Share::Random(share) => rng.random::<f64>() < share,
        };
        // A request meets the service at one instant when it is judged, and while it is worked on otherwise.
        let judged = sent + work * rng.random::<f64>();
        let (from, to) = if self.mode == Mode::Unavailable { (judged, judged) } else { (sent, sent + work) };
        let down = self.outages.iter().find(|outage| outage.0 < to && from < outage.1);
        let (mut done, mut class, mut cause) = match (down.filter(|_| unlucky), self.mode) {
            (None, _) => (sent + work, Class::Ok, Cause::None),
            (Some((begin, _)), Mode::Refuse) => (sent.max(*begin) + 0.0003, Class::FailFast, Cause::Refused),
            (Some(_), Mode::Unavailable) => (sent + work, Class::FailFast, Cause::ServerError),
            (Some((_, end)), Mode::Hang) if end + work < sent + DEADLINE => {
                (sent.max(*end) + work, Class::Ok, Cause::None)
            }
            (Some(_), Mode::BlackHole | Mode::Hang) => (sent + DEADLINE, Class::Timeout, Cause::Timeout),
        };
        if let Some(over) = self.stalled(done) {
            // The answer was there, but the timer may be read first.
            if over > sent + DEADLINE && class == Class::Ok && rng.random::<bool>() {
                (class, cause) = (Class::Timeout, Cause::Timeout);
            }
            done = over + 0.0001;
        }
        sample(sent, done, class, cause)
    }

    fn record(&self) -> Record {
        let mut header = header();
        header.probes = vec![probe("storefront", self.every, false)];
        header.recovery.confirm = CONFIRM;
        let mut samples = self.samples();
        samples.sort_by_key(|sample| sample.done);
        let end = samples.last().map_or(0.0, |sample| sample.done.secs());
        let mut events = vec![event(0.0, EventKind::PhaseEntered { phase: Phase::SteadyState })];
        if self.announced {
            let (step, operation, resource) =
                ("fail over".to_owned(), "rds:RebootDBInstance".to_owned(), "orders-db".to_owned());
            let outcome = CallOutcome::Accepted;
            events.push(event(
                self.fault,
                EventKind::CallSent {
                    step: step.clone(),
                    operation: operation.clone(),
                    resource: resource.clone(),
                },
            ));
            events.push(event(
                self.fault + 0.2,
                EventKind::CallReturned { step, operation, resource, outcome, detail: None },
            ));
        }
        for (from, to) in &self.stalls {
            let (from_ns, to_ns) = (Moment::from_secs(*from), Moment::from_secs(*to + 0.001));
            events.push(event(
                *to,
                EventKind::ProberStalled { from_ns, to_ns, witness: "heartbeat".to_owned() },
            ));
        }
        events.push(event(end + 0.1, EventKind::RunEnded { ending: Ending::Completed }));
        Record { header, events, samples, chain_head: String::new(), cut: false }
    }

    /// Every outage that was found holds the truth. Returns how many there were, and how wide the
    /// widest duration is.
    fn check(&self) -> Result<(usize, f64), TestCaseError> {
        let record = self.record();
        let timeline = Timeline::of(&record);
        let measures = Measures::of(&record, &timeline);
        let service = &measures.services[0];
        let mut width = 0.0_f64;
        for outage in &service.outages {
            let truth = self.outages.iter().find(|(begin, end)| {
                outage.begin.contains(*begin)
                    && outage.end.contains(*end)
                    && outage.duration.contains(end - begin)
            });
            prop_assert!(truth.is_some(), "no truth of {:?} is in {outage:#?}", self.outages);
            width = width.max(outage.duration.hi.unwrap_or(f64::INFINITY) - outage.duration.lo);
        }
        if service.outages.is_empty() && self.share == Share::Full && self.announced {
            let longest = self.outages.iter().map(|outage| outage.1 - outage.0).fold(0.0, f64::max);
            prop_assert!(
                longest <= service.resolution,
                "{longest} s went unseen with a resolution of {}",
                service.resolution
            );
        }
        let last = self.outages.last().map_or(self.fault, |outage| outage.1);
        if let (Some(rto), true) = (service.rto, service.outages.len() == self.outages.len()) {
            prop_assert!(
                rto.seconds.contains(last - self.fault),
                "the true RTO is {}, and was measured as {rto:?}",
                last - self.fault
            );
        }
        Ok((service.outages.len(), width))
    }
}

fn every() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.02), Just(0.05), Just(0.1), Just(0.25), Just(1.0)]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Refuse), Just(Mode::BlackHole)]
}

/// A drill with one or two outages far apart, each of at least so many seconds and samples.
fn drill(share: impl Strategy<Value = Share>, least: f64, asked: f64) -> impl Strategy<Value = Drill> {
    let every = every().prop_map(move |every| if asked > 40.0 { every.min(0.25) } else { every });
    let shape = (every, mode(), share, 0.001..0.03_f64, any::<u64>(), any::<bool>());
    let times = (0.0..1.0_f64, 0.0..2.0_f64, (0.0..1.0_f64, 0.0..1.0_f64), any::<bool>());
    (shape, times).prop_map(
        move |((every, mode, share, service, seed, announced), (at, lag, (one, two), twice))| {
            // Long enough for the entry rule, and a steady state long enough to know the service by.
            let least = least.max(asked * every);
            let fault = 10.0 + 30.0 * every + at;
            let first = (fault + lag, fault + lag + least + one * 8.0);
            let mut outages = vec![first];
            if twice {
                let begin = first.1 + CONFIRM + 200.0 * every + 1.0 + at;
                outages.push((begin, begin + least + two * 4.0));
            }
            Drill {
                seed,
                every,
                service,
                fault,
                announced,
                outages,
                mode,
                share,
                stalls: Vec::new(),
                trouble: Trouble::default(),
            }
        },
    )
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Refuse), Just(Mode::BlackHole), Just(Mode::Hang), Just(Mode::Unavailable)]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let slow = prop_oneof![Just(0.0), Just(0.3)];
    (0.0..0.3_f64, 0.0..0.04_f64, slow).prop_map(|(shed, late, slow)| Trouble { shed, late, slow })
}

/// Stalls: how long after the one before, as a share of half the drill, and how long.
fn stalls() -> impl Strategy<Value = Vec<(f64, f64)>> {
    proptest::collection::vec((0.0..1.0_f64, 0.06..2.0_f64), 0..4)
}

impl Drill {
    fn stalling(mut self, stalls: Vec<(f64, f64)>) -> Drill {
        let end = self.outages.last().map_or(0.0, |outage| outage.1) + CONFIRM;
        let mut at = 0.0;
        for (from, length) in stalls {
            at += from * end * 0.5;
            self.stalls.push((at, at + length));
            at += length + 0.5;
        }
        self
    }
}

fn config(cases: u32) -> ProptestConfig {
    // A fixed seed: a partial outage may by chance (1 in 10 000) look otherwise, and a build that fails
    // once in a while teaches people to ignore it. FIREDRILL_TEST_SEED draws other cases.
    let seed = std::env::var("FIREDRILL_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn the_truth_of_a_full_outage_is_within_and_the_interval_is_narrow(drill in drill(Just(Share::Full), 0.0, 5.0)) {
        let (found, width) = drill.check()?;
        prop_assert_eq!(found, drill.outages.len());
        // Two spacings with their jitter, and the time in which a lost request would have been answered.
        let limit = 2.0 * 1.2 * drill.every + 8.0 * drill.service + 0.002;
        prop_assert!(width <= limit, "the width is {width}, and {limit} was expected");
    }

    // With fewer samples than 41 all may be bad by chance, and with fewer than 20 in the confirmation
    // time all good: nothing that was seen tells such an outage from a full one.
    #[test]
    fn the_truth_of_a_partial_outage_is_within(
        drill in drill(prop_oneof![Just(Share::EveryOther), (0.3..0.7_f64).prop_map(Share::Random)], 3.0, 41.0),
    ) {
        drill.check()?;
    }

    #[test]
    fn half_of_the_requests_failing_for_seconds_is_an_outage(
        drill in drill(prop_oneof![Just(Share::EveryOther), (0.5..0.8_f64).prop_map(Share::Random)], 8.0, 41.0),
    ) {
        let (found, _) = drill.check()?;
        prop_assert_eq!(found, drill.outages.len());
    }

    #[test]
    fn a_stall_of_the_prober_widens_the_interval_and_makes_no_outage(
        mut drill in drill(Just(Share::Full), 0.0, 5.0),
        stalls in proptest::collection::vec((0.0..1.0_f64, 0.06..2.0_f64), 1..3),
    ) {
        drill = drill.stalling(stalls);
        drill.check()?;
        drill.outages.clear();
        let (found, _) = drill.check()?;
        prop_assert_eq!(found, 0, "a stall was taken for an outage");
    }

    #[test]
    fn a_flapping_service_has_one_outage_from_its_first_to_its_last_failure(
        mut drill in drill(Just(Share::Full), 0.0, 5.0), pause in 0.0..0.8_f64, again in 0.0..1.0_f64,
    ) {
        let first = drill.outages[0];
        let begin = first.1 + 2.0 * drill.every + pause * (CONFIRM - 3.0 * drill.every).max(0.0);
        let second = (begin, begin + 4.0 * drill.every + again);
        let flapping = Drill { outages: vec![first, second], ..drill.clone() };
        drill.outages = vec![(first.0, second.1)];
        let record = flapping.record();
        let measures = Measures::of(&record, &Timeline::of(&record));
        prop_assert_eq!(measures.services[0].outages.len(), 1);
        let outage = &measures.services[0].outages[0];
        prop_assert!(outage.begin.contains(first.0), "{outage:#?}");
        prop_assert!(outage.end.contains(second.1), "{outage:#?}");
        prop_assert!(outage.duration.contains(second.1 - first.0), "{outage:#?}");
    }

    #[test]
    fn whatever_goes_wrong_the_truth_of_an_outage_is_within(
        drill in drill(Just(Share::Full), 0.0, 5.0), mode in any_mode(), trouble in trouble(), stalls in stalls(),
    ) {
        Drill { mode, trouble, ..drill }.stalling(stalls).check()?;
    }

    #[test]
    fn whatever_goes_wrong_the_truth_of_a_partial_outage_is_within(
        // With up to a third of the samples never sent.
        drill in drill((0.35..0.7_f64).prop_map(Share::Random), 3.0, 65.0), mode in any_mode(), trouble in trouble(),
    ) {
        Drill { mode, trouble, ..drill }.check()?;
    }

    #[test]
    fn an_outage_too_short_to_be_called_one_is_within_the_resolution(
        drill in drill(Just(Share::Full), 0.0, 0.1), length in 0.1..4.0_f64, mode in any_mode(), trouble in trouble(),
        stalls in stalls(), within_a_stall: bool,
    ) {
        let begin = drill.fault + 0.1 * length;
        let end = begin + length * drill.every;
        let mut drill = Drill { mode, trouble, outages: vec![(begin, end)], announced: true, ..drill };
        if within_a_stall {
            drill.stalls.push((begin - 0.2 * drill.every, end + 0.1));
        } else {
            drill = drill.stalling(stalls);
        }
        drill.check()?;
    }
}
