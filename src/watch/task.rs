//! Watching: each watcher a task of its own, from the start of the run until it is told to stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::{Sighting, Watcher};
use crate::aws::{Aws, Fault, FaultKind};
use crate::clock::{Clock, Moment};
use crate::run::event::{EventKind, Layer};

/// Who is told what was seen.
pub type Tell = Arc<dyn Fn(EventKind) + Send + Sync>;

/// The longest pause between two looks, when AWS asks for fewer calls.
const SLOWEST: Duration = Duration::from_secs(30);

/// A change that has been accepted and is to be followed until it is complete.
pub struct Track {
    /// Of what: the record's name.
    pub resource: String,
    /// The id of the Route 53 change.
    pub change: String,
    /// When it was about to be asked for.
    pub since: Moment,
}

/// Watchers at work. Dropping it ends them without a word.
pub struct Patrol {
    stop: watch::Sender<bool>,
    tracks: mpsc::UnboundedSender<Track>,
    tasks: JoinSet<()>,
}

impl Patrol {
    /// Starts the watchers.
    pub fn start(aws: &Aws, watchers: Vec<Watcher>, clock: Clock, tell: Tell) -> Patrol {
        let aws = Arc::new(aws.for_watching());
        let (stop, stopped) = watch::channel(false);
        let (tracks, mut tracked) = mpsc::unbounded_channel::<Track>();
        let mut tasks = JoinSet::new();
        let beat = move |watcher: Watcher| Beat {
            since: watcher.since,
            watcher,
            aws: aws.clone(),
            clock,
            tell: tell.clone(),
            known: BTreeMap::new(),
            looks: 0,
            failed: 0,
            complained: false,
        };
        for watcher in watchers {
            tasks.spawn(beat(watcher).walk(stopped.clone()));
        }
        tasks.spawn(async move {
            let mut followers = JoinSet::new();
            let mut ended = stopped.clone();
            loop {
                tokio::select! {
                    Some(track) = tracked.recv() => {
                        followers.spawn(beat(super::dns::watcher(track)).walk(stopped.clone()));
                    }
                    () = over(&mut ended) => break,
                }
            }
            while followers.join_next().await.is_some() {}
        });
        Patrol { stop, tracks, tasks }
    }

    /// Where to say that a change is to be followed.
    pub fn tracks(&self) -> mpsc::UnboundedSender<Track> {
        self.tracks.clone()
    }

    /// Tells the watchers to stop.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until every watcher has said its last word; [`stop`](Patrol::stop) comes first.
    pub async fn join(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Returns when the watchers are to stop.
async fn over(stopped: &mut watch::Receiver<bool>) {
    // The sender gone means the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// One watcher at work.
struct Beat {
    watcher: Watcher,
    aws: Arc<Aws>,
    clock: Clock,
    tell: Tell,
    /// The newest state of each thing.
    known: BTreeMap<(Layer, String), Sighting>,
    /// The beginning of the last look that did not fail.
    since: Option<Moment>,
    looks: u64,
    failed: u64,
    complained: bool,
}

impl Beat {
    async fn walk(mut self, mut stopped: watch::Receiver<bool>) {
        let mut pause = self.aws.poll();
        loop {
            let asked = self.clock.now();
            let looked = tokio::select! {
                looked = self.watcher.look.look(&self.aws) => looked,
                () = over(&mut stopped) => break,
            };
            self.looks += 1;
            match looked {
                Ok(seen) => {
                    self.take(seen);
                    self.since = Some(asked);
                    pause = self.aws.poll();
                }
                Err(fault) => {
                    self.failed += 1;
                    self.complain(&fault);
                    if matches!(fault.kind, FaultKind::Denied | FaultKind::NoCredentials) {
                        break;
                    }
                    if fault.kind == FaultKind::Throttled {
                        pause = (pause * 2).min(SLOWEST);
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(jittered(pause)) => {}
                () = over(&mut stopped) => break,
            }
        }
        (self.tell)(EventKind::WatcherEnded {
            watcher: self.watcher.facts.name.clone(),
            looks: self.looks,
            failed: self.failed,
            last_ns: self.since.filter(|_| self.looks > self.failed),
        });
    }

    /// Tells what is new since the last look.
    fn take(&mut self, seen: Vec<Sighting>) {
        let first = self.since.is_none();
        let mut present = std::collections::BTreeSet::new();
        for sighting in seen {
            let key = (sighting.layer, sighting.key.clone());
            present.insert(key.clone());
            let known = self.known.get(&key).is_some_and(|known| known.state == sighting.state);
            // What had happened before the first look is history; a state then is where all starts from.
            if !known && (sighting.lasts || !first) {
                self.say(&sighting);
            }
            self.known.insert(key, sighting);
        }
        let gone: Vec<(Layer, String)> = self
            .known
            .iter()
            .filter(|(key, sighting)| sighting.lasts && !present.contains(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            if let Some(last) = self.known.remove(&key) {
                let what = format!("{} is no longer there (was {})", last.resource, last.state);
                self.say(&Sighting { state: "gone".to_owned(), what, stamp: None, ..last });
            }
        }
    }

    fn say(&self, sighting: &Sighting) {
        (self.tell)(EventKind::LayerSeen {
            layer: sighting.layer,
            resource: sighting.resource.clone(),
            state: sighting.state.clone(),
            what: sighting.what.clone(),
            after_ns: self.since,
            stamp: sighting.stamp,
        });
    }

    /// Says once that something could not be seen.
    fn complain(&mut self, fault: &Fault) {
        if std::mem::replace(&mut self.complained, true) {
            return;
        }
        let end = match fault.kind {
            FaultKind::Denied | FaultKind::NoCredentials => "it is not watched any more",
            _ => "what happens in between is seen later, or not at all",
        };
        let text = format!("watching {}: {fault}; {end}", self.watcher.facts.name);
        (self.tell)(EventKind::Noted { text });
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;

/// Around `period`, so that many watchers do not look in step.
fn jittered(period: Duration) -> Duration {
    period.mul_f64(rand::rng().random_range(0.9..1.1))
}
