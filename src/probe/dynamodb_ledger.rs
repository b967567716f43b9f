//! `dynamodb.ledger`: numbered items, put in one region and read back in another.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeyType, KeysAndAttributes};

use super::cloud::{Refusal, refusal, why};
use super::deadline::within;
use super::ledger::{Attempts, Entries, read_until_stable};
use super::trouble::Trouble;
use super::{Answer, Ask, Opening};
use crate::clock::Clock;
use crate::journal::IntentSlot;
use crate::record;
use crate::run::event::Reading;

/// How many items one call reads at most.
const BATCH: u32 = 100;
/// How many such calls are under way at a time.
const AT_ONCE: usize = 8;
/// How often what a call left out is asked for again.
const TRIES: u32 = 10;
/// How long a call that looks may take.
const LOOK: Duration = Duration::from_secs(10);

record! {
    /// Puts numbered items into a table, each only if it is not there yet, and reads them back with consistent
    /// reads in the region that takes over: an acknowledged item that is missing then is lost data. Nothing is
    /// ever repeated.
    pub struct DynamodbLedger {
        /// The table. Its keys are strings.
        pub table: String,
        /// The name of its partition key.
        pub key: String = "pk".to_owned(),
        /// The name of its sort key, if it has one.
        pub sort_key: Option<String>,
        /// The region to write in; without it, the environment's.
        pub region: Option<String>,
        /// The region to read back in; without it, the one that is written in.
        pub read_from: Option<String>,
        /// How long a write may take before its outcome counts as unknown.
        pub timeout: Duration = Duration::from_secs(2),
        /// From the last failed write to the final read; without it 30s.
        pub settle: Option<Duration>,
        /// Between the repetitions of the final read, three of which must agree; without it 5s.
        pub read_every: Option<Duration>,
    }
}

impl DynamodbLedger {
    /// One line for people.
    pub fn summary(&self) -> String {
        let region = self.region.as_ref().map(|region| format!(" in {region}")).unwrap_or_default();
        match &self.read_from {
            Some(from) => format!("numbered items into table {}{region}, read back in {from}", self.table),
            None => format!("numbered items into table {}{region}", self.table),
        }
    }
}

/// A `dynamodb.ledger` probe, ready to write.
pub(crate) struct DynamodbLedgerAsk {
    settings: DynamodbLedger,
    region: String,
    read_from: String,
    writer: Client,
    reader: Client,
    mark: String,
    attempts: Attempts,
}

impl DynamodbLedgerAsk {
    pub(crate) fn open(ledger: &DynamodbLedger, opening: &Opening) -> Result<DynamodbLedgerAsk, String> {
        let data = opening.data.as_ref().ok_or("it writes to AWS, and no environment was given")?;
        let region = ledger.region.clone().unwrap_or_else(|| data.region().to_owned());
        let read_from = ledger.read_from.clone().unwrap_or_else(|| region.clone());
        Ok(DynamodbLedgerAsk {
            settings: ledger.clone(),
            writer: data.dynamodb(&region, ledger.timeout),
            reader: data.dynamodb(&read_from, LOOK),
            region,
            read_from,
            mark: opening.mark(),
            attempts: Attempts::new(opening.rules(ledger.settle, ledger.read_every)),
        })
    }

    fn key(&self, seq: u32) -> String {
        format!("{}#{seq}", self.mark)
    }

    async fn write(&self, seq: u32) -> Result<u16, Trouble> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let mut put = self
            .writer
            .put_item()
            .table_name(&self.settings.table)
            .item(&self.settings.key, text(&self.key(seq)))
            .item("firedrill_run", text(&self.mark))
            .item("firedrill_seq", AttributeValue::N(seq.to_string()))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", &self.settings.key);
        if let Some(sort) = &self.settings.sort_key {
            put = put.item(sort, text("firedrill"));
        }
        match put.send().await {
            Ok(_) => Ok(200),
            Err(error) => match refusal(&error, &["ConditionalCheckFailedException"], &[]) {
                Refusal::Applied(status) => Ok(status),
                Refusal::Trouble(trouble) => Err(trouble),
            },
        }
    }

    /// Whether the table is there, with the keys that it is said to have.
    async fn check(&self, client: &Client, region: &str) -> Result<(), String> {
        let table = &self.settings.table;
        let asked = client.describe_table().table_name(table).send();
        let asked = tokio::time::timeout(LOOK, asked).await;
        let answer = asked
            .map_err(|_| format!("DynamoDB in {region} did not answer within 10 s"))?
            .map_err(|error| format!("table {table} in {region}: {}", why(&error)))?;
        let keys = answer.table.and_then(|table| table.key_schema).unwrap_or_default();
        let named =
            |kind: &KeyType| keys.iter().find(|k| k.key_type == *kind).map(|k| k.attribute_name.as_str());
        let (hash, range) = (named(&KeyType::Hash), named(&KeyType::Range));
        if hash == Some(self.settings.key.as_str()) && range == self.settings.sort_key.as_deref() {
            return Ok(());
        }
        let sort = range.map(|range| format!(", sort_key: {range}")).unwrap_or_default();
        Err(format!("table {table} in {region} has other keys: say `key: {}{sort}`", hash.unwrap_or("…")))
    }

    async fn read(&self) -> Result<Entries, String> {
        let bound = self.attempts.bound();
        let firsts: Vec<u32> = (0..bound).step_by(BATCH as usize).collect();
        let mut seqs = Vec::new();
        for some in firsts.chunks(AT_ONCE) {
            let calls = some.iter().map(|first| self.batch(*first, bound.min(first.saturating_add(BATCH))));
            for found in futures::future::join_all(calls).await {
                seqs.extend(found?);
            }
        }
        Ok(Entries { seqs, foreign: 0 })
    }

    /// Which of the numbers from `first` to before `end` are there.
    async fn batch(&self, first: u32, end: u32) -> Result<Vec<i64>, String> {
        let keys = (first..end).map(|seq| {
            let mut key = std::collections::HashMap::new();
            key.insert(self.settings.key.clone(), AttributeValue::S(self.key(seq)));
            if let Some(sort) = &self.settings.sort_key {
                key.insert(sort.clone(), AttributeValue::S("firedrill".to_owned()));
            }
            key
        });
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys.collect()))
            .consistent_read(true)
            .projection_expression("firedrill_seq")
            .build();
        let mut left = Some(wanted.map_err(|error| error.to_string())?);
        let mut found = Vec::new();
        for tried in 0..TRIES {
            let Some(wanted) = left.take() else { return Ok(found) };
            let call = self.reader.batch_get_item().request_items(&self.settings.table, wanted);
            let answer = call.send().await.map_err(|error| why(&error))?;
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                let seq = item.get("firedrill_seq").and_then(|seq| seq.as_n().ok());
                let seq = seq.and_then(|seq| seq.parse().ok());
                found.push(seq.ok_or("an item of this run has no number")?);
            }
            left = answer.unprocessed_keys.and_then(|mut keys| keys.remove(&self.settings.table));
            if left.is_some() {
                tokio::time::sleep(Duration::from_millis(50 << tried.min(5))).await;
            }
        }
        match left {
            None => Ok(found),
            Some(_) => {
                Err("DynamoDB left out items again and again: its read capacity is used up".to_owned())
            }
        }
    }
}

#[async_trait]
impl Ask for DynamodbLedgerAsk {
    async fn ask(&self, seq: u32, clock: &Clock) -> Answer {
        self.attempts.note(seq);
        let sent = clock.now();
        let outcome = within(self.settings.timeout, clock, self.write(seq)).await;
        let done = clock.now();
        let answer = match outcome {
            Ok(Ok(status)) => Answer::good(sent, done, status).by(self.region.as_str()),
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
        self.check(&self.writer, &self.region).await?;
        if self.read_from != self.region {
            self.check(&self.reader, &self.read_from).await?;
        }
        Ok(())
    }

    fn journal(&self, intents: IntentSlot) {
        self.attempts.journal(intents);
    }

    async fn read_back(&self, clock: &Clock) -> Option<Reading> {
        let mut reading = read_until_stable(clock, &self.attempts, || self.read()).await;
        reading.kept = Some(format!(
            "delete the items of table {} whose firedrill_run is `{}`",
            self.settings.table, self.mark
        ));
        Some(reading)
    }

    fn read_within(&self) -> Duration {
        self.attempts.rules().all_within()
    }
}
