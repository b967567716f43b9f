//! Ledgers by the binary and the real clients: what a killed run still accounts for, and what DynamoDB and
//! S3 (moto) hold in the end.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use firedrill::clock::Clock;
use firedrill::journal;
use firedrill::probe::dynamodb_ledger::DynamodbLedger;
use firedrill::probe::s3_ledger::{Replica, S3Ledger};
use firedrill::probe::{Ask, Opening, Probe, Resolver};
use firedrill::sample::{Cause, Class};

use crate::support::firedrill;
use crate::support_moto::{Moto, connected};

/// Stores each entry that is posted at once, and answers a good while later.
struct Store {
    address: SocketAddr,
    seqs: Arc<Mutex<BTreeSet<u32>>>,
}

impl Store {
    fn start(delay: Duration) -> Store {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let seqs: Arc<Mutex<BTreeSet<u32>>> = Arc::default();
        let stored = seqs.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let stored = stored.clone();
                std::thread::spawn(move || serve(stream, &stored, delay));
            }
        });
        Store { address, seqs }
    }

    fn seqs(&self) -> BTreeSet<u32> {
        self.seqs.lock().expect("no panic").clone()
    }
}

fn serve(mut stream: TcpStream, stored: &Mutex<BTreeSet<u32>>, delay: Duration) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let (mut request, mut chunk) = (String::new(), [0; 2048]);
    while !request.contains('}') {
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => request.push_str(&String::from_utf8_lossy(&chunk[..read])),
            _ => return,
        }
    }
    let body = request.split_once("\r\n\r\n").expect("a body").1;
    let entry: serde_json::Value = serde_json::from_str(body).expect("JSON");
    stored.lock().expect("no panic").insert(entry["seq"].as_u64().expect("a number") as u32);
    std::thread::sleep(delay);
    let _ = write!(stream, "HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

#[test]
fn a_killed_run_accounts_for_every_write_that_it_began() {
    let store = Store::start(Duration::from_millis(300));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("drill.yaml");
    let text = format!(
        "kind: Experiment\nname: killed\nobjectives: {{ rpo: 0s }}\nprobes:\n  entries:\n    http.ledger: {{ url: \"http://{}/entries\" }}\n    every: 20ms\n\
         steady_state: {{ for: 60s }}\nsteps:\n  - name: nothing\n    run: [\"true\"]\n",
        store.address
    );
    std::fs::write(&file, text).expect("written");
    let mut child = firedrill()
        .arg("run")
        .arg(&file)
        .arg("--store")
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let until = Instant::now() + Duration::from_secs(60);
    while store.seqs().len() < 120 {
        assert!(Instant::now() < until, "only {} writes within a minute", store.seqs().len());
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    // What had been sent may still be on its way into the store.
    std::thread::sleep(Duration::from_millis(200));
    let stored = store.seqs();
    let run =
        std::fs::read_dir(folder.path()).expect("a folder").flatten().find(|entry| entry.path().is_dir());
    let record = journal::read(&run.expect("a run").path()).expect("a journal");
    assert!(record.cut);
    let known: BTreeSet<u32> = record.samples.iter().map(|sample| sample.seq).collect();
    let forgotten: Vec<&u32> = stored.difference(&known).collect();
    assert!(forgotten.is_empty(), "nobody knows of {forgotten:?}");
    let unknown: BTreeSet<u32> = record
        .samples
        .iter()
        .filter(|sample| (sample.class, sample.cause) == (Class::Info, Cause::Ended))
        .map(|sample| sample.seq)
        .collect();
    // Fifteen were in flight, and those decided since the last second are told by nothing else.
    assert!(unknown.len() >= 10, "{unknown:?}");
    assert!(unknown.intersection(&stored).count() >= 5, "{unknown:?} {stored:?}");
}

fn open(probe: &Probe, aws: &firedrill::aws::Aws) -> Arc<dyn Ask> {
    let opening = Opening {
        probe: "orders".to_owned(),
        data: Some(aws.data_plane()),
        ..Opening::new("test-run", Resolver::System)
    };
    probe.open(&opening).expect("it opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_holds_what_was_acknowledged_and_was_not_taken_away() {
    let Some(moto) = Moto::start() else { return };
    let client = aws_sdk_dynamodb::Client::new(&moto.arranging().await);
    let attribute =
        AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
    client
        .create_table()
        .table_name("orders")
        .attribute_definitions(attribute.build().expect("an attribute"))
        .key_schema(key.build().expect("a key"))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .expect("a table");
    let (aws, _) = connected(moto.settings()).await;
    let ledger = |key: &str, table: &str| {
        Probe::DynamodbLedger(DynamodbLedger {
            table: table.to_owned(),
            key: key.to_owned(),
            sort_key: None,
            region: None,
            read_from: None,
            timeout: Duration::from_secs(5),
            settle: Some(Duration::ZERO),
            read_every: Some(Duration::from_millis(10)),
        })
    };
    let error = open(&ledger("pk", "orders"), &aws).prepare().await.expect_err("another key");
    assert!(error.contains("say `key: id`"), "{error}");
    let error = open(&ledger("pk", "nowhere"), &aws).prepare().await.expect_err("no table");
    assert!(error.contains("ResourceNotFound"), "{error}");

    let ready = open(&ledger("id", "orders"), &aws);
    ready.prepare().await.expect("the table is there");
    let clock = Clock::start();
    for seq in 0..120 {
        let answer = ready.ask(seq, &clock).await;
        assert_eq!((answer.class, answer.cause), (Class::Ok, Cause::None), "{answer:?}");
    }
    // The same entry again was applied before.
    assert_eq!(ready.ask(7, &clock).await.class, Class::Ok);
    let missing = open(&ledger("id", "nowhere"), &aws).ask(0, &clock).await;
    assert_eq!((missing.class, missing.cause), (Class::FailFast, Cause::Status), "{missing:?}");
    for seq in [5, 6, 100] {
        let id = AttributeValue::S(format!("test-run-orders#{seq}"));
        client.delete_item().table_name("orders").key("id", id).send().await.expect("deleted");
    }
    let reading = ready.read_back(&clock).await.expect("a ledger");
    assert_eq!(reading.error, None);
    assert_eq!(reading.present, [(0, 4), (7, 99), (101, 119)]);
    assert_eq!((reading.stable, reading.unexpected, reading.duplicated), (true, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_s3_has_not_replicated_yet_is_pending_and_what_the_source_has_not_is_lost() {
    let Some(moto) = Moto::start() else { return };
    let config = aws_sdk_s3::config::Builder::from(&moto.arranging().await).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(config);
    for bucket in ["uploads-eu", "uploads-us"] {
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
            .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuWest1)
            .build();
        client
            .create_bucket()
            .bucket(bucket)
            .create_bucket_configuration(place)
            .send()
            .await
            .expect("a bucket");
    }
    let (aws, _) = connected(moto.settings()).await;
    let probe = Probe::S3Ledger(S3Ledger {
        bucket: "uploads-eu".to_owned(),
        region: None,
        replica: Some(Replica { bucket: "uploads-us".to_owned(), region: None }),
        prefix: "drill/".to_owned(),
        timeout: Duration::from_secs(5),
        settle: Some(Duration::ZERO),
        read_every: Some(Duration::from_millis(10)),
    });
    let ready = open(&probe, &aws);
    ready.prepare().await.expect("the buckets are there");
    let clock = Clock::start();
    for seq in 0..20 {
        let answer = ready.ask(seq, &clock).await;
        assert_eq!((answer.class, answer.cause), (Class::Ok, Cause::None), "{answer:?}");
    }
    assert_eq!(ready.ask(3, &clock).await.class, Class::Ok, "it was applied before");
    // moto replicates nothing: the test does, all but 10 to 14, and takes 13 and 14 from the source too.
    let key = |seq: u32| {
        let digits: String = format!("{seq:010}").chars().rev().collect();
        format!("drill/test-run-orders/{digits}")
    };
    for seq in (0..10).chain(15..20) {
        let source = format!("uploads-eu/{}", key(seq));
        let copy = client.copy_object().bucket("uploads-us").key(key(seq)).copy_source(source);
        copy.send().await.expect("copied");
    }
    for seq in 13..15 {
        client.delete_object().bucket("uploads-eu").key(key(seq)).send().await.expect("deleted");
    }
    // Arrivals are looked for every second.
    let _ = tokio::time::timeout(Duration::from_millis(1800), ready.attend(&clock)).await;
    let reading = ready.read_back(&clock).await.expect("a ledger");
    assert_eq!(reading.error, None);
    assert_eq!(reading.present, [(0, 9), (15, 19)]);
    assert_eq!((reading.pending, reading.stable), (vec![(10, 12)], true));
    let lag = reading.lag.expect("arrivals were seen");
    assert!(lag.count == 15 && lag.max < 60.0 && lag.p50 <= lag.max, "{lag:?}");
    assert!(reading.kept.is_some_and(|kept| kept.contains("s3://uploads-eu/drill/test-run-orders/")));
}

#[test]
fn a_ledger_in_aws_needs_an_environment() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("drill.yaml");
    let text = "kind: Experiment\nname: x\nobjectives: { rpo: 0s }\nprobes:\n  orders:\n    dynamodb.ledger: { table: orders }\n\
                steps:\n  - name: nothing\n    run: [\"true\"]\n";
    std::fs::write(&file, text).expect("written");
    let output = firedrill().arg("run").arg(&file).arg("--store").arg(folder.path()).output().expect("ran");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("needs an environment"), "{said}");
}
