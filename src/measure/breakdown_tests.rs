use super::*;
use crate::journal::fixture;
use crate::run::event::{CallOutcome, Event, Layer};
use crate::sample::{Class, Phases};

fn event(at: f64, kind: EventKind) -> Event {
    Event { at_ns: Moment::from_secs(at), kind }
}

fn seen(at: f64, after: Option<f64>, layer: Layer, resource: &str, state: &str) -> Event {
    let after_ns = after.map(Moment::from_secs);
    let (resource, what) = (resource.to_owned(), format!("{resource} is {state}"));
    event(at, EventKind::LayerSeen { layer, resource, state: state.to_owned(), what, after_ns, stamp: None })
}

/// Ten samples a second of the first probe, down from 10.05 to 14 s, then answered by somebody else.
fn record(events: Vec<Event>) -> Record {
    let samples = (0..300).map(|seq| {
        let sent = Moment::from_secs(f64::from(seq) * 0.1);
        let down = (10.05..14.0).contains(&sent.secs());
        Sample {
            probe: 0,
            seq,
            scheduled: sent,
            sent,
            done: sent.plus(std::time::Duration::from_millis(2)),
            class: if down { Class::FailFast } else { Class::Ok },
            identity: if down { 0 } else { 1 + u16::from(sent.secs() >= 14.0) },
            phases: Phases { connect: 90, ..Phases::default() },
            ..Sample::default()
        }
    });
    let mut header = fixture::header();
    header.probes.truncate(1);
    let call = |outcome| {
        let (step, operation, resource) =
            ("fail over".to_owned(), "rds:RebootDBInstance".to_owned(), "orders-db".to_owned());
        match outcome {
            None => EventKind::CallSent { step, operation, resource },
            Some(outcome) => EventKind::CallReturned { step, operation, resource, outcome, detail: None },
        }
    };
    let mut all = vec![
        event(0.0, EventKind::IdentityMet { identity: 1, who: "127.0.0.1".to_owned() }),
        event(10.0, call(None)),
        event(10.02, call(Some(CallOutcome::Accepted))),
        event(14.0, EventKind::IdentityMet { identity: 2, who: "127.0.0.2".to_owned() }),
    ];
    all.extend(events);
    all.sort_by_key(|event| event.at_ns);
    Record { header, events: all, samples: samples.collect(), chain_head: String::new(), cut: false }
}

fn broken_down(events: Vec<Event>) -> Breakdown {
    let record = record(events);
    let timeline = Timeline::of(&record);
    let services: Vec<Service> = timeline.tracks.iter().map(|track| Service::of(track, &timeline)).collect();
    Breakdown::of(&record, &timeline, &services).expect("there was a fault")
}

fn failover() -> Vec<Event> {
    vec![
        seen(1.0, None, Layer::DbStatus, "orders-db", "available"),
        seen(1.0, None, Layer::DbZone, "orders-db", "eu-west-1a"),
        seen(5.0, Some(4.0), Layer::DbEvent, "orders-db", "Multi-AZ instance failover started."),
        seen(11.0, Some(9.9), Layer::DbStatus, "orders-db", "rebooting"),
        seen(12.0, Some(11.0), Layer::DbEvent, "orders-db", "Multi-AZ instance failover started."),
        seen(13.5, Some(12.5), Layer::DbEvent, "orders-db", "DB instance restarted"),
        seen(16.0, Some(15.0), Layer::DbZone, "orders-db", "eu-west-1b"),
    ]
}

#[test]
fn each_point_is_the_first_sign_of_its_kind_after_the_fault() {
    let found = broken_down(failover());
    let names: Vec<&str> = found.points.iter().map(|point| point.name.as_str()).collect();
    let expected =
        ["accepted", "effect", "detected", "replaced", "first_new_answer", "new_connections", "stable"];
    assert_eq!(names, expected);
    let effect = found.point("effect").expect("it took hold");
    assert_eq!(effect.by, "storefront", "the probe felt it before the next look");
    assert!(effect.at.contains(10.05), "{effect:?}");
    let detected = found.point("detected").expect("it was detected");
    assert_eq!((detected.at.lo, detected.at.hi), (11.0, Some(12.0)));
    assert_eq!((detected.since_fault.lo, detected.since_fault.hi), (1.0, Some(2.0)));
    assert_eq!(found.point("replaced").map(|point| point.at.hi), Some(Some(13.5)));
    let new = found.point("first_new_answer").expect("somebody new answered");
    assert!(new.what.contains("127.0.0.2") && new.at.contains(14.0), "{new:?}");
    assert!(found.point("stable").expect("it recovered").at.contains(14.0));
    assert!(found.layers.iter().all(|layer| layer.at.hi >= Some(10.0)), "history is left out");
}

#[test]
fn the_rto_from_detection_lies_between_the_brackets() {
    let found = broken_down(failover()).from_detection.expect("both were seen");
    assert!(found.contains(2.5), "{found:?}");
    // Detected in [11, 12], stable in [13.9, 14.002].
    assert!((1.9..2.0).contains(&found.lo) && found.hi.is_some_and(|hi| hi < 3.1), "{found:?}");
}

#[test]
fn a_change_that_straddles_the_fault_begins_with_it() {
    let found = broken_down(vec![
        seen(1.0, None, Layer::Instance, "i-1", "running"),
        seen(10.04, Some(9.0), Layer::Instance, "i-1", "shutting-down"),
    ]);
    let effect = found.point("effect").expect("it took hold");
    assert_eq!((effect.by.as_str(), effect.at.lo), ("instance", 10.0));
}

#[test]
fn a_point_that_nothing_showed_is_left_out() {
    let found = broken_down(Vec::new());
    assert!(found.point("detected").is_none() && found.from_detection.is_none());
    assert!(found.point("dns_moved").is_none() && found.point("kept_connections").is_none());
}

#[test]
fn without_a_fault_there_is_nothing_to_take_apart() {
    let mut record = record(failover());
    record.events.retain(|event| !matches!(event.kind, EventKind::CallSent { .. }));
    let timeline = Timeline::of(&record);
    let services: Vec<Service> = timeline.tracks.iter().map(|track| Service::of(track, &timeline)).collect();
    assert_eq!(Breakdown::of(&record, &timeline, &services), None);
}
