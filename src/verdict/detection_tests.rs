use super::*;
use crate::journal::fixture;
use crate::run::event::{CallOutcome, Event};

fn event(at: f64, kind: EventKind) -> Event {
    Event { at_ns: Moment::from_secs(at), kind }
}

fn alarm(at: f64, after: Option<f64>, name: &str, state: &str) -> Event {
    event(
        at,
        EventKind::LayerSeen {
            layer: Layer::Alarm,
            resource: name.to_owned(),
            state: state.to_owned(),
            what: format!("alarm {name} is {state}"),
            after_ns: after.map(Moment::from_secs),
            stamp: None,
        },
    )
}

/// A fault at 10 s, looks at the alarms until 100 s.
fn judged(alarms: &[&str], seen: Vec<Event>, target: f64) -> Objective {
    let mut header = fixture::header();
    header.alarms = alarms.iter().map(|name| (*name).to_owned()).collect();
    let (step, operation, resource) = ("fail over".to_owned(), "op".to_owned(), "it".to_owned());
    let sent =
        EventKind::CallSent { step: step.clone(), operation: operation.clone(), resource: resource.clone() };
    let outcome = CallOutcome::Accepted;
    let returned = EventKind::CallReturned { step, operation, resource, outcome, detail: None };
    let ended = EventKind::WatcherEnded {
        watcher: format!("alarms {}", header.alarms.join(", ")),
        looks: 100,
        failed: 0,
        last_ns: Some(Moment::from_secs(100.0)),
    };
    let mut events = vec![event(10.0, sent), event(10.1, returned), event(100.5, ended)];
    events.extend(seen);
    events.sort_by_key(|event| event.at_ns);
    let record = Record { header, events, samples: Vec::new(), chain_head: String::new(), cut: false };
    let timeline = Timeline::of(&record);
    objective(&record, &timeline, target)
}

fn quiet(name: &str) -> Event {
    alarm(1.0, None, name, "OK")
}

#[test]
fn the_bracket_of_the_looks_decides() {
    let fired = || vec![quiet("a"), alarm(40.0, Some(39.0), "a", "ALARM")];
    let found = judged(&["a"], fired(), 30.0);
    assert_eq!(found.verdict, Verdict::Pass);
    assert_eq!(found.observed, Some(Interval::new(29.0, 30.0)));
    assert_eq!((found.name.as_str(), found.observer.as_str()), ("detection", "a"));
    assert_eq!(judged(&["a"], fired(), 29.5).verdict, Verdict::Inconclusive);
    assert_eq!(judged(&["a"], fired(), 28.9).verdict, Verdict::Fail);
}

#[test]
fn the_first_of_several_alarms_counts() {
    let seen = vec![
        quiet("a"),
        quiet("b"),
        alarm(30.0, Some(29.0), "b", "ALARM"),
        alarm(60.0, Some(59.0), "a", "ALARM"),
    ];
    let found = judged(&["a", "b"], seen, 25.0);
    assert_eq!((found.observer.as_str(), found.verdict), ("b", Verdict::Pass));
}

#[test]
fn no_alarm_is_longer_than_anybody_looked() {
    let found = judged(&["a"], vec![quiet("a")], 60.0);
    assert_eq!((found.verdict, found.observed), (Verdict::Fail, Some(Interval::at_least(90.0))));
    assert_eq!(judged(&["a"], vec![quiet("a")], 120.0).verdict, Verdict::Inconclusive);
}

#[test]
fn an_alarm_that_was_firing_already_decides_nothing() {
    let seen = vec![
        alarm(1.0, None, "a", "ALARM"),
        alarm(20.0, Some(19.0), "a", "OK"),
        alarm(25.0, Some(24.0), "a", "ALARM"),
    ];
    let found = judged(&["a"], seen, 60.0);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert!(found.because.contains("already before the fault"), "{}", found.because);
    let found = judged(&["a"], vec![alarm(1.0, None, "a", "ALARM")], 5.0);
    assert_eq!((found.verdict, found.observed), (Verdict::Inconclusive, None));
}

#[test]
fn an_alarm_that_may_have_fired_before_the_fault_decides_nothing() {
    let found = judged(&["a"], vec![quiet("a"), alarm(10.5, Some(9.5), "a", "ALARM")], 60.0);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert_eq!(found.observed, Some(Interval::new(0.0, 0.5)));
}

#[test]
fn an_alarm_that_was_never_seen_decides_nothing() {
    let found = judged(&["a", "b"], vec![quiet("a"), alarm(30.0, Some(29.0), "a", "ALARM")], 60.0);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert!(found.because.contains("not known"), "{}", found.because);
}
