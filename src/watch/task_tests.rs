use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::aws::{Settings, Silent};
use crate::watch::Look;

/// A look that is given what it sees.
struct Blind;

#[async_trait]
impl Look for Blind {
    async fn look(&mut self, _: &Aws) -> Result<Vec<Sighting>, Fault> {
        Err(fault(FaultKind::Denied))
    }
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "ec2:DescribeInstances", "i-1", "it failed", "look again")
}

type Told = Arc<Mutex<Vec<EventKind>>>;

async fn beat(since: Option<Moment>) -> (Beat, Told) {
    let settings = Settings {
        endpoint_url: Some("http://127.0.0.1:9".to_owned()),
        credentials: Some(("test".to_owned(), "test".to_owned())),
        poll: Duration::from_millis(1),
        ..Settings::default()
    };
    let aws = Aws::connect(settings, Arc::new(Silent)).await.expect("nothing is sent yet");
    let told = Told::default();
    let heard = told.clone();
    let beat = Beat {
        watcher: Watcher::new("it".to_owned(), &[], Blind),
        aws: Arc::new(aws),
        clock: Clock::start(),
        tell: Arc::new(move |kind| heard.lock().expect("no panic").push(kind)),
        known: BTreeMap::new(),
        since,
        looks: 0,
        failed: 0,
        complained: false,
    };
    (beat, told)
}

/// What was told since the last time it was asked: state and, in milliseconds, the last look without it.
fn changes(told: &Told) -> Vec<(String, Option<u64>)> {
    let events = std::mem::take(&mut *told.lock().expect("no panic"));
    events
        .into_iter()
        .filter_map(|event| match event {
            EventKind::LayerSeen { state, after_ns, .. } => {
                Some((state, after_ns.map(|at| at.0 / 1_000_000)))
            }
            _ => None,
        })
        .collect()
}

fn state(name: &str, state: &str) -> Sighting {
    Sighting::state(Layer::Instance, name, state, format!("{name} is {state}"))
}

fn message(text: &str) -> Sighting {
    Sighting::happened(Layer::DbEvent, "db", text.to_owned(), text)
}

fn look(beat: &mut Beat, at_ms: u64, seen: Vec<Sighting>) {
    beat.take(seen);
    beat.since = Some(Moment(at_ms * 1_000_000));
}

#[tokio::test]
async fn only_changes_are_told_each_with_the_look_before() {
    let (mut beat, told) = beat(None).await;
    look(&mut beat, 10, vec![state("a", "running"), message("old news")]);
    assert_eq!(changes(&told), [("running".to_owned(), None)]);
    look(&mut beat, 20, vec![state("a", "running"), message("old news")]);
    assert_eq!(changes(&told), []);
    // A look that fails leaves the bracket open: the next one counts from the last that did not.
    look(&mut beat, 40, vec![state("a", "stopping"), message("old news"), message("news")]);
    assert_eq!(changes(&told), [("stopping".to_owned(), Some(20)), ("news".to_owned(), Some(20))]);
}

#[tokio::test]
async fn a_state_that_disappears_is_news_and_a_message_that_does_is_not() {
    let (mut beat, told) = beat(None).await;
    look(&mut beat, 10, vec![state("a", "healthy"), state("b", "healthy")]);
    look(&mut beat, 20, vec![state("a", "healthy"), message("news")]);
    assert_eq!(changes(&told).last(), Some(&("gone".to_owned(), Some(10))));
    look(&mut beat, 30, vec![state("a", "healthy")]);
    assert_eq!(changes(&told), []);
    look(&mut beat, 40, vec![state("a", "healthy"), state("b", "initial")]);
    assert_eq!(changes(&told), [("initial".to_owned(), Some(30))]);
}

#[tokio::test]
async fn what_is_followed_from_its_beginning_is_news_at_the_first_look() {
    let (mut beat, told) = beat(Some(Moment(5_000_000))).await;
    look(&mut beat, 10, vec![state("change", "PENDING")]);
    assert_eq!(changes(&told), [("PENDING".to_owned(), Some(5))]);
}

#[tokio::test]
async fn a_watcher_that_may_not_look_says_so_once_and_ends() {
    let (beat, told) = beat(None).await;
    let (_keep, stopped) = watch::channel(false);
    beat.walk(stopped).await;
    let told = told.lock().expect("no panic");
    assert!(
        matches!(
            told.as_slice(),
            [EventKind::Noted { .. }, EventKind::WatcherEnded { looks: 1, failed: 1, last_ns: None, .. }]
        ),
        "{told:?}"
    );
}
