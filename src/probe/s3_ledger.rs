//! `s3.ledger`: numbered objects, put into one bucket and read back from its replica.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ReplicationStatus;

use super::cloud::{Refusal, refusal, why};
use super::deadline::within;
use super::ledger::{Attempts, Entries, ranges, read_until_stable};
use super::trouble::Trouble;
use super::{Answer, Ask, Opening};
use crate::clock::{Clock, Moment};
use crate::journal::IntentSlot;
use crate::record;
use crate::run::event::{Lag, Reading};

/// How often arrivals are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// How many objects are looked for each time.
const LOOKS: usize = 32;
/// How many objects are waited for at most, and how many arrivals are kept.
const MOST: usize = 100_000;
/// How long a call that looks may take.
const LOOK: Duration = Duration::from_secs(10);
/// Of how many objects that did not arrive the source is asked how their replication stands.
const MOST_ASKED: usize = 200;

record! {
    /// Puts numbered objects into a bucket, each only if it is not there yet, and reads them back by a list of the
    /// bucket that they are replicated to. What has not arrived when the watch ends, and is not given up by
    /// S3, is pending, which is neither there nor lost.
    pub struct S3Ledger {
        /// The bucket to write to.
        pub bucket: String,
        /// Its region; without it, the environment's.
        pub region: Option<String>,
        /// Where its objects are replicated to, and read back from; without it, the bucket itself.
        pub replica: Option<Replica>,
        /// What the objects' keys begin with.
        pub prefix: String = "firedrill/".to_owned(),
        /// How long a write may take before its outcome counts as unknown.
        pub timeout: Duration = Duration::from_secs(2),
        /// From the last failed write to the final read; without it 30s.
        pub settle: Option<Duration>,
        /// Between the repetitions of the final read, three of which must agree; without it 5s.
        pub read_every: Option<Duration>,
    }
}

record! {
    /// A bucket that another one's objects are replicated to.
    pub struct Replica {
        /// The bucket.
        pub bucket: String,
        /// Its region; without it, the environment's.
        pub region: Option<String>,
    }
}

impl S3Ledger {
    /// One line for people.
    pub fn summary(&self) -> String {
        match &self.replica {
            Some(replica) => {
                format!("numbered objects into bucket {}, read back from {}", self.bucket, replica.bucket)
            }
            None => format!("numbered objects into bucket {}", self.bucket),
        }
    }
}

/// A bucket and how to reach it.
struct Place {
    client: Client,
    bucket: String,
    region: String,
}

/// An `s3.ledger` probe, ready to write.
pub(crate) struct S3LedgerAsk {
    settings: S3Ledger,
    source: Place,
    replica: Option<Place>,
    /// Short deadlines, for the writes alone.
    writer: Client,
    prefix: String,
    attempts: Attempts,
    arrivals: Mutex<Arrivals>,
}

#[derive(Default)]
struct Arrivals {
    /// Acknowledged and not yet seen in the replica, and when they were.
    awaited: BTreeMap<u32, Moment>,
    /// How long those that were seen took, in seconds.
    took: Vec<f64>,
}

impl S3LedgerAsk {
    pub(crate) fn open(ledger: &S3Ledger, opening: &Opening) -> Result<S3LedgerAsk, String> {
        let data = opening.data.as_ref().ok_or("it writes to AWS, and no environment was given")?;
        let place = |bucket: &str, region: Option<&String>| {
            let region = region.cloned().unwrap_or_else(|| data.region().to_owned());
            Place { client: data.s3(&region, LOOK), bucket: bucket.to_owned(), region }
        };
        let source = place(&ledger.bucket, ledger.region.as_ref());
        Ok(S3LedgerAsk {
            settings: ledger.clone(),
            writer: data.s3(&source.region, ledger.timeout),
            source,
            replica: ledger.replica.as_ref().map(|r| place(&r.bucket, r.region.as_ref())),
            prefix: format!("{}{}/", ledger.prefix, opening.mark()),
            attempts: Attempts::new(opening.rules(ledger.settle, ledger.read_every)),
            arrivals: Mutex::default(),
        })
    }

    /// The key of a number: its digits reversed, so that neighbours do not fall on one partition.
    fn key(&self, seq: u32) -> String {
        let digits: String = format!("{seq:010}").chars().rev().collect();
        format!("{}{digits}", self.prefix)
    }

    async fn write(&self, seq: u32) -> Result<u16, Trouble> {
        let put = self
            .writer
            .put_object()
            .bucket(&self.source.bucket)
            .key(self.key(seq))
            .if_none_match("*")
            .body(ByteStream::from(seq.to_string().into_bytes()));
        match put.send().await {
            Ok(_) => Ok(200),
            Err(error) => match refusal(&error, &["PreconditionFailed"], &["ConditionalRequestConflict"]) {
                Refusal::Applied(status) => Ok(status),
                Refusal::Trouble(trouble) => Err(trouble),
            },
        }
    }

    /// The numbers in a bucket.
    async fn list(&self, place: &Place) -> Result<Vec<i64>, String> {
        let call = place.client.list_objects_v2().bucket(&place.bucket).prefix(&self.prefix);
        let mut pages = call.into_paginator().send();
        let mut seqs = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| format!("bucket {}: {}", place.bucket, why(&error)))?;
            for key in page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key) {
                let digits = key.strip_prefix(&self.prefix).unwrap_or_default();
                let seq = digits.chars().rev().collect::<String>().parse();
                seqs.push(seq.map_err(|_| format!("`{key}` is not an object of a ledger"))?);
            }
        }
        Ok(seqs)
    }

    fn read_from(&self) -> &Place {
        self.replica.as_ref().unwrap_or(&self.source)
    }

    /// Looks for the oldest objects that have not arrived yet.
    async fn look(&self, replica: &Place, clock: &Clock) {
        let oldest: Vec<(u32, Moment)> =
            self.arrivals().awaited.iter().take(LOOKS).map(|(seq, acked)| (*seq, *acked)).collect();
        let looks = oldest
            .iter()
            .map(|(seq, _)| replica.client.head_object().bucket(&replica.bucket).key(self.key(*seq)).send());
        let found = futures::future::join_all(looks).await;
        let now = clock.now();
        let mut arrivals = self.arrivals();
        for ((seq, acked), found) in oldest.into_iter().zip(found) {
            if found.is_ok() && arrivals.awaited.remove(&seq).is_some() && arrivals.took.len() < MOST {
                arrivals.took.push(now - acked);
            }
        }
    }

    /// What is in the source, is not in the replica, and that S3 has not given up.
    async fn pending(&self, present: &[(u32, u32)]) -> Result<Vec<u32>, String> {
        let arrived = |seq: u32| present.iter().any(|(first, last)| (*first..=*last).contains(&seq));
        let there = self.list(&self.source).await?;
        let mut missing: Vec<u32> = there
            .into_iter()
            .filter_map(|seq| u32::try_from(seq).ok())
            .filter(|seq| !arrived(*seq))
            .collect();
        missing.sort_unstable();
        let asked: Vec<u32> = missing.iter().copied().take(MOST_ASKED).collect();
        let looks = asked.iter().map(|seq| {
            self.source.client.head_object().bucket(&self.source.bucket).key(self.key(*seq)).send()
        });
        let statuses = futures::future::join_all(looks).await;
        for (seq, status) in asked.into_iter().zip(statuses) {
            if status.is_ok_and(|object| object.replication_status == Some(ReplicationStatus::Failed)) {
                missing.retain(|missing| *missing != seq);
            }
        }
        Ok(missing)
    }

    fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lag(&self) -> Option<Lag> {
        let mut took = self.arrivals().took.clone();
        took.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (took.len() as f64 * share).ceil() as usize;
            took.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        (!took.is_empty()).then(|| Lag {
            count: took.len() as u64,
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
        })
    }
}

#[async_trait]
impl Ask for S3LedgerAsk {
    async fn ask(&self, seq: u32, clock: &Clock) -> Answer {
        self.attempts.note(seq);
        let sent = clock.now();
        let outcome = within(self.settings.timeout, clock, self.write(seq)).await;
        let done = clock.now();
        let answer = match outcome {
            Ok(Ok(status)) => {
                let mut arrivals = self.arrivals();
                if self.replica.is_some() && arrivals.awaited.len() < MOST {
                    arrivals.awaited.insert(seq, done);
                }
                Answer::good(sent, done, status)
            }
            Ok(Err(trouble)) => trouble.answer(sent, done),
            Err(over) => {
                let text = format!("no answer within {} ms", self.settings.timeout.as_millis());
                Trouble::late(text).unknown().answer(sent, over)
            }
        };
        self.attempts.decided(seq, &answer);
        answer
    }

    fn deadline(&self) -> Duration {
        self.settings.timeout
    }

    fn writes(&self) -> bool {
        true
    }

    async fn prepare(&self) -> Result<(), String> {
        for place in std::iter::once(&self.source).chain(&self.replica) {
            let list = tokio::time::timeout(LOOK, self.list(place)).await;
            let found = list.map_err(|_| format!("bucket {} did not answer within 10 s", place.bucket))??;
            if !found.is_empty() {
                return Err(format!("bucket {} already holds objects under {}", place.bucket, self.prefix));
            }
        }
        Ok(())
    }

    fn journal(&self, intents: IntentSlot) {
        self.attempts.journal(intents);
    }

    async fn attend(&self, clock: &Clock) {
        let Some(replica) = &self.replica else { return };
        let mut due = clock.now();
        loop {
            due = due.plus(EVERY).max(clock.now());
            clock.sleep_until(due).await;
            self.look(replica, clock).await;
        }
    }

    async fn read_back(&self, clock: &Clock) -> Option<Reading> {
        let place = self.read_from();
        let read = || async { Ok(Entries { seqs: self.list(place).await?, foreign: 0 }) };
        let mut reading = read_until_stable(clock, &self.attempts, read).await;
        if self.replica.is_some() && reading.error.is_none() {
            match self.pending(&reading.present).await {
                Ok(pending) => reading.pending = ranges(pending),
                Err(why) => reading.notes.push(format!(
                    "what is still on its way cannot be told from what is lost, since the source cannot be \
                     read: {why}"
                )),
            }
        }
        reading.lag = self.lag();
        reading.kept = Some(format!("aws s3 rm --recursive s3://{}/{}", self.source.bucket, self.prefix));
        Some(reading)
    }

    fn read_within(&self) -> Duration {
        self.attempts.rules().all_within()
    }
}
