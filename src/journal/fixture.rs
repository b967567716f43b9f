//! Small records for tests: a header with one HTTP probe and one ledger.

use crate::clock::Moment;
use crate::run::event::*;
use crate::sample::{Cause, Class, Sample};

/// A probe's facts.
pub(crate) fn probe(name: &str, every: f64, ledger: bool) -> ProbeFacts {
    ProbeFacts {
        name: name.to_owned(),
        probe: name.to_owned(),
        client: None,
        kind: if ledger { "postgres.ledger" } else { "http" }.to_owned(),
        summary: format!("GET http://{name}.example/health, expecting 200"),
        every,
        deadline: 0.9,
        must_stay_up: false,
        ledger,
        dns: None,
    }
}

/// A planned step that changes something.
pub(crate) fn step(name: &str) -> PlannedStep {
    PlannedStep {
        name: name.to_owned(),
        kind: "rds.reboot_db_instance".to_owned(),
        summary: "reboot orders-db with failover".to_owned(),
        targets: vec!["orders-db".to_owned()],
        after: Vec::new(),
        mutates: true,
        irreversible: false,
        undo: None,
        preconditions: Vec::new(),
        permissions: vec!["rds:RebootDBInstance".to_owned()],
        usual: None,
        undo_usual: None,
        permission_checks: Vec::new(),
        handling: Handling::default(),
    }
}

/// A header: probes `storefront` and `orders`, one step `fail over`, no objectives.
pub(crate) fn header() -> Header {
    Header {
        schema: super::SCHEMA.to_owned(),
        run: "20261121-101500-reboot".to_owned(),
        firedrill: "0.1.0".to_owned(),
        began: "2026-11-21T10:15:00.123456789Z".parse().unwrap(),
        origin_ns: 123_456_789,
        seed: u64::MAX,
        dry_run: false,
        tabletop: false,
        experiment: ExperimentFacts {
            name: "reboot".to_owned(),
            text: "kind: Experiment\n".to_owned(),
            ..Default::default()
        },
        environment: EnvironmentFacts { name: "staging".to_owned(), ..Default::default() },
        probes: vec![probe("storefront", 0.1, false), probe("orders", 0.05, true)],
        objectives: Objectives::default(),
        steady_state: SteadyState { watch: 10.0, availability: 1.0 },
        recovery: Recovery { confirm: 5.0, within: 600.0, observe: 20.0 },
        measure_from: None,
        plan: vec![step("fail over")],
        alarms: Vec::new(),
        watchers: Vec::new(),
        safety: Safety::default(),
        permission_checks: Vec::new(),
    }
}

/// An event at an instant in seconds.
pub(crate) fn event(at: f64, kind: EventKind) -> Event {
    Event { at_ns: Moment::from_secs(at), kind }
}

/// A sample that was sent when it was due.
pub(crate) fn sample(probe: u16, seq: u32, sent: f64, done: f64, class: Class) -> Sample {
    let cause = match class {
        Class::FailFast => Cause::Refused,
        Class::Timeout | Class::Info => Cause::Timeout,
        _ => Cause::None,
    };
    let sent = Moment::from_secs(sent);
    Sample {
        probe,
        seq,
        scheduled: sent,
        sent,
        done: Moment::from_secs(done),
        class,
        cause,
        ..Sample::default()
    }
}
