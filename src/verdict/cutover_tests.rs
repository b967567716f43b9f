use crate::journal::Record;
use crate::journal::fixture::{event, header, probe, sample, step};
use crate::report::build::build;
use crate::report::{Objective, Outcome, Report, Verdict};
use crate::run::event::*;
use crate::sample::{Class, Sample};

/// A drill with the fault at 10 s: the storefront is down from 10.2 to 12.2, and the zone's one name server
/// answers anew from 13 s on. The RTO is to be 5 s.
fn drill(kind: &str, ttl: u16, dns: DnsFacts) -> Record {
    let mut header = header();
    header.objectives = Objectives { rto: Some(5.0), ..Objectives::default() };
    header.plan = vec![PlannedStep { kind: kind.to_owned(), ..step("move the record") }];
    let names = ProbeFacts { dns: Some(dns), kind: "dns".to_owned(), ..probe("names/ns1", 0.1, false) };
    header.probes = vec![probe("storefront", 0.1, false), ProbeFacts { probe: "names".to_owned(), ..names }];
    let mut samples = Vec::new();
    for seq in 0..300 {
        let at = f64::from(seq) * 0.1 + 0.003;
        let class = if (10.2..12.2).contains(&at) { Class::FailFast } else { Class::Ok };
        samples.push(sample(0, seq, at, at + 0.005, class));
        let identity = if at < 13.0 { 1 } else { 2 };
        samples.push(Sample { identity, code: ttl, ..sample(1, seq, at, at + 0.005, Class::Ok) });
    }
    let step = "move the record".to_owned();
    let (operation, resource) = ("run".to_owned(), "flip".to_owned());
    let call =
        EventKind::CallSent { step: step.clone(), operation: operation.clone(), resource: resource.clone() };
    let outcome = CallOutcome::Accepted;
    let back = EventKind::CallReturned { step: step.clone(), operation, resource, outcome, detail: None };
    let events = vec![
        event(0.0, EventKind::PhaseEntered { phase: Phase::SteadyState }),
        event(0.1, EventKind::IdentityMet { identity: 1, who: "10.0.0.1".into() }),
        event(10.0, call),
        event(10.1, back),
        event(12.0, EventKind::StepFinished { step, outcome: StepOutcome::Done, detail: None }),
        event(13.1, EventKind::IdentityMet { identity: 2, who: "10.0.0.2".into() }),
        event(18.0, EventKind::PhaseEntered { phase: Phase::Observation }),
        event(30.0, EventKind::PhaseEntered { phase: Phase::FinalRead }),
        event(30.4, EventKind::RunEnded { ending: Ending::Completed }),
    ];
    Record { header, events, samples, chain_head: "ab".repeat(32), cut: false }
}

const PLAIN: DnsFacts =
    DnsFacts { role: DnsRole::Authoritative, decides_cutover: false, this_resolver_only: false };

fn rto<'a>(report: &'a Report, observer: &str) -> &'a Objective {
    report.objectives.iter().find(|o| o.name == "rto" && o.observer == observer).unwrap()
}

fn hi(objective: &Objective) -> f64 {
    objective.observed.unwrap().hi.unwrap()
}

#[test]
fn caches_count_where_a_record_was_moved() {
    let report = build(&drill("route53.flip_record", 1, PLAIN));
    let storefront = rto(&report, "storefront");
    // The name server by 13.008, and a TTL of 1 s, from 10.
    assert!((hi(storefront) - 4.008).abs() < 1e-6, "{storefront:?}");
    assert_eq!(storefront.verdict, Verdict::Pass);
    assert!(storefront.because.contains("caches may hold the old record until 4"), "{}", storefront.because);
    assert_eq!(report.verdict, Outcome::Pass, "{}", report.because);
    // A lucky client proves nothing when the TTL is long.
    let report = build(&drill("route53.flip_record", 60, PLAIN));
    let storefront = rto(&report, "storefront");
    assert_eq!((hi(storefront).round(), storefront.verdict), (63.0, Verdict::Inconclusive));
    assert_eq!(report.verdict, Outcome::Inconclusive, "{}", report.because);
    // Nor when it is not known.
    let report = build(&drill("route53.flip_record", u16::MAX, PLAIN));
    assert_eq!(rto(&report, "storefront").observed.unwrap().hi, None);
}

#[test]
fn caches_do_not_count_otherwise() {
    for (kind, dns) in [
        ("rds.reboot_db_instance", PLAIN),
        ("route53.flip_record", DnsFacts { this_resolver_only: true, ..PLAIN }),
        // Without the zone's own servers nothing is known of other caches; that is noted.
        ("route53.flip_record", DnsFacts { role: DnsRole::Resolver, ..PLAIN }),
    ] {
        let report = build(&drill(kind, 60, dns));
        let storefront = rto(&report, "storefront");
        assert!((hi(storefront) - 2.208).abs() < 1e-6, "{storefront:?}");
        assert_eq!(storefront.verdict, Verdict::Pass, "{storefront:?}");
        let noted = report.notes.iter().any(|note| note.contains("servers: authoritative"));
        assert_eq!(noted, dns.role == DnsRole::Resolver, "{:?}", report.notes);
    }
}

#[test]
fn a_probe_that_the_cutover_decides_has_its_rto_there() {
    let decides = DnsFacts { decides_cutover: true, ..PLAIN };
    let report = build(&drill("run", 1, decides));
    let names = rto(&report, "names");
    assert_eq!(names.verdict, Verdict::Pass, "{names:?}");
    let observed = names.observed.unwrap();
    assert!((observed.lo - 2.903).abs() < 1e-6 && (hi(names) - 4.008).abs() < 1e-6, "{observed:?}");
    assert!(
        !report
            .objectives
            .iter()
            .any(|objective| objective.observer == "names/ns1" && objective.name == "rto")
    );
    assert!((hi(rto(&report, "storefront")) - 4.008).abs() < 1e-6);
    let only = DnsFacts { this_resolver_only: true, ..decides };
    let report = build(&drill("run", 60, only));
    assert!((hi(rto(&report, "names")) - 3.008).abs() < 1e-6, "{:?}", rto(&report, "names"));
    // One that never turned is no pass, whatever the others did.
    let mut never = drill("run", 1, decides);
    never.samples.iter_mut().filter(|sample| sample.probe == 1).for_each(|sample| sample.identity = 1);
    let names = build(&never);
    let names = rto(&names, "names");
    assert_eq!((names.observed.unwrap().hi, names.verdict), (None, Verdict::Fail), "{names:?}");
}

#[test]
fn a_turn_for_good_shows_that_the_fault_took_hold() {
    let mut quiet = drill("run", 1, PLAIN);
    quiet.samples.iter_mut().for_each(|sample| sample.class = Class::Ok);
    let report = build(&quiet);
    assert_eq!(report.verdict, Outcome::Pass, "{}", report.because);
    // A new answer among old ones is chance.
    let samples = quiet.samples.iter_mut().filter(|sample| sample.probe == 1 && sample.seq > 200);
    samples.filter(|sample| sample.seq % 2 == 0).for_each(|sample| sample.identity = 1);
    let report = build(&quiet);
    assert_eq!(report.verdict, Outcome::Inconclusive, "{}", report.because);
}
