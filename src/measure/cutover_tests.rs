use super::*;
use crate::journal::fixture::{event, header, probe, sample};
use crate::run::event::{CallOutcome, DnsFacts};

const FAULT: f64 = 5.0;

/// A lane asked every 0.25 s until 20 s; `turns` at this instant, or never, answering with 1 and then 2.
struct Asked {
    name: &'static str,
    role: Option<DnsRole>,
    client: Option<&'static str>,
    turns: Option<f64>,
    ttl: u16,
}

fn asked(name: &'static str, role: Option<DnsRole>, turns: Option<f64>, ttl: u16) -> Asked {
    Asked { name, role, client: None, turns, ttl }
}

fn measured(lanes: &[Asked]) -> Option<Cutover> {
    let mut samples = Vec::new();
    for (index, lane) in lanes.iter().enumerate() {
        for seq in 0..80 {
            // Answered in the middle of its 10 ms.
            let sent = f64::from(seq) * 0.25 + 0.01 * index as f64;
            let identity = if lane.turns.is_some_and(|turns| sent + 0.005 >= turns) { 2 } else { 1 };
            let one = sample(index as u16, seq, sent, sent + 0.01, Class::Ok);
            samples.push(Sample { identity, code: lane.ttl, ..one });
        }
    }
    of(lanes, samples)
}

/// What these samples of these lanes come to, the fault being at [`FAULT`].
fn of(lanes: &[Asked], samples: Vec<Sample>) -> Option<Cutover> {
    let mut header = header();
    header.probes.clear();
    for lane in lanes {
        let mut facts = probe(lane.name, 0.25, false);
        facts.probe = lane.name.split('/').next().unwrap().to_owned();
        facts.client = lane.client.map(str::to_owned);
        facts.dns =
            lane.role.map(|role| DnsFacts { role, decides_cutover: false, this_resolver_only: false });
        header.probes.push(facts);
    }
    let call = |outcome: Option<CallOutcome>| {
        let (step, operation, resource) = ("flip".to_owned(), "op".to_owned(), "www".to_owned());
        match outcome {
            None => EventKind::CallSent { step, operation, resource },
            Some(outcome) => EventKind::CallReturned { step, operation, resource, outcome, detail: None },
        }
    };
    let met = |identity, who: &str| EventKind::IdentityMet { identity, who: who.to_owned() };
    let events = vec![
        event(0.1, met(1, "10.0.0.1")),
        event(FAULT, call(None)),
        event(FAULT + 0.1, call(Some(CallOutcome::Accepted))),
        event(6.0, met(2, "10.0.0.2")),
    ];
    let record = Record { header, events, samples, chain_head: String::new(), cut: false };
    Cutover::of(&record, &Timeline::of(&record))
}

fn holds(interval: Option<Interval>, truth: f64, width: f64) {
    let interval = interval.expect("measured");
    assert!(interval.contains(truth), "{interval:?} does not hold {truth}");
    assert!(interval.hi.expect("bounded") - interval.lo <= width, "{interval:?} is wider than {width}");
}

#[test]
fn each_turn_is_within_one_spacing_and_the_whole_is_made_of_them() {
    let (authoritative, resolver) = (Some(DnsRole::Authoritative), Some(DnsRole::Resolver));
    let fresh = Asked { client: Some("fresh"), ..asked("www/fresh", None, Some(8.9), 200) };
    let kept = Asked { client: Some("kept"), ..asked("www/kept", None, None, 200) };
    let found = measured(&[
        asked("names/ns1", authoritative, Some(6.1), 2),
        asked("names/ns2", authoritative, Some(7.3), 2),
        asked("names/10.0.0.2", resolver, Some(8.4), 1),
        fresh,
        kept,
    ])
    .expect("a cut-over");
    for (lane, truth) in found.lanes.iter().zip([6.1, 7.3, 8.4, 8.9]) {
        holds(lane.first_new, truth, 0.26 + 1e-9);
        holds(lane.last_old, truth, 0.26 + 1e-9);
        assert!(lane.clean, "{lane:?}");
    }
    holds(found.authoritative_first, 6.1, 0.27);
    holds(found.authoritative_all, 7.3, 0.27);
    holds(found.new_first, 8.9, 0.27);
    assert_eq!(found.ttl, Some(2.0));
    // Nobody was seen later than this, and nobody can be later than the last server and the TTL.
    holds(found.everyone, 9.3, 1.3);
    let kept = found.lanes.last().expect("five lanes");
    assert_eq!((kept.last_old.unwrap().hi, kept.first_new.unwrap().hi), (None, None));
    assert!(!kept.clean);
    assert_eq!(kept.last_old.unwrap().lo, 79.0 * 0.25 + 0.04);
    let observers: Vec<&str> = found.lanes.iter().map(|lane| lane.observer.as_str()).collect();
    assert_eq!(observers, ["authoritative", "authoritative", "resolver", "fresh", "kept"]);
}

#[test]
fn a_server_that_does_not_turn_leaves_it_open() {
    let authoritative = Some(DnsRole::Authoritative);
    let found =
        measured(&[asked("n/a", authoritative, Some(6.1), 2), asked("n/b", authoritative, None, 2)]).unwrap();
    assert!(found.authoritative_first.unwrap().hi.is_some());
    assert_eq!(found.authoritative_all.unwrap().hi, None);
    assert_eq!(found.everyone.unwrap().hi, None);
}

#[test]
fn a_ttl_that_does_not_fit_bounds_nothing() {
    let found = measured(&[asked("n/a", Some(DnsRole::Authoritative), Some(6.1), u16::MAX)]).unwrap();
    assert_eq!(found.ttl, None);
    assert_eq!(found.everyone.unwrap().hi, None);
}

#[test]
fn shares_count_every_answer_once() {
    let found = measured(&[
        asked("names/a", Some(DnsRole::Resolver), Some(6.0), 2),
        asked("www", None, Some(9.0), 0),
    ])
    .unwrap();
    assert_eq!(found.shares.len(), 2);
    for share in &found.shares {
        assert_eq!(
            (share.width, share.who.as_slice()),
            (1.0, &["10.0.0.1".to_owned(), "10.0.0.2".into()][..])
        );
        assert_eq!(share.sites, ["old", "new"]);
        assert_eq!(share.answers.iter().flatten().sum::<u64>(), 80);
    }
    assert_eq!(found.shares[0].answers[4], [4, 0, 0]);
    assert_eq!(found.shares[0].answers[7], [0, 4, 0]);
    assert_eq!(found.shares[1].answers[7], [4, 0, 0]);
    let counted: u64 = found.identities.iter().map(|identity| identity.answers).sum();
    assert_eq!(counted, 160);
}

#[test]
fn nothing_is_said_where_nobody_new_answered_and_no_name_was_watched() {
    assert_eq!(measured(&[asked("www", None, None, 0)]), None);
    assert!(measured(&[asked("www", None, Some(7.0), 0)]).is_some());
    assert!(measured(&[asked("names", Some(DnsRole::Resolver), None, 0)]).is_some());
}

/// A number from 0 to 1 that follows from a seed.
fn drawn(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 11) as f64 / (1u64 << 53) as f64
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    /// Whatever the spacing, the latency and, for name servers, the losses: the old site stops at one instant and
    /// the new one begins at another, and both are within what was measured.
    #[test]
    fn the_truth_is_never_outside(
        every in 0.05f64..0.6, phase in 0f64..1.0, latency in 0.001f64..0.4, lost in 0f64..0.4,
        stops in 0f64..10.0, gap in 0f64..4.0, names in proptest::bool::ANY, mut seed in proptest::num::u64::ANY,
    ) {
        let stops = FAULT + stops;
        let begins = if names { stops } else { stops + gap };
        let mut samples = Vec::new();
        for seq in 0..(25.0 / every) as u32 {
            let sent = (f64::from(seq) + phase) * every;
            let took = latency * drawn(&mut seed);
            let served = sent + took * drawn(&mut seed);
            let loses = drawn(&mut seed) < lost;
            let (identity, class, done) = match served {
                // What a name server does not answer says nothing; all traffic is answered by somebody or fails.
                _ if names && loses => (0, Class::Timeout, sent + 0.9),
                at if at < stops => (1, Class::Ok, sent + took),
                at if at < begins => (0, Class::FailFast, sent + took),
                _ => (2, Class::Ok, sent + took),
            };
            samples.push(Sample { identity, code: 2, ..sample(0, seq, sent, done, class) });
        }
        let role = names.then_some(DnsRole::Authoritative);
        let found = of(&[asked("lane", role, None, 2)], samples).expect("a cut-over");
        let lane = &found.lanes[0];
        let (new, old) = (lane.first_new.unwrap(), lane.last_old.unwrap());
        proptest::prop_assert!(new.contains(begins), "{new:?} does not hold {begins}");
        proptest::prop_assert!(old.contains(stops), "{old:?} does not hold {stops}");
        proptest::prop_assert!(!names || found.everyone.unwrap().contains(begins + 2.0));
    }
}
