//! The data plane over real sockets: tokio-postgres, psql, crashes and promotions.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::*;

const SECRET: &str = "s3cret";

fn databases(commit_delay: Duration) -> Databases {
    let credentials = Credentials { user: "firedrill".into(), password: SECRET.into() };
    Databases::new(credentials, commit_delay)
}

/// Addresses that nobody listens on.
fn addresses(count: u8) -> Vec<Ipv4Addr> {
    loop {
        let net: [u8; 2] = rand::random();
        let all: Vec<Ipv4Addr> = (1..=count).map(|last| Ipv4Addr::new(127, net[0], net[1], last)).collect();
        if net[0] > 0 && all.iter().all(|address| std::net::TcpListener::bind((*address, PORT)).is_ok()) {
            return all;
        }
    }
}

/// `orders` with a standby, started, and its asynchronous replica.
async fn orders(lag: Duration) -> (Databases, DatabaseId, DatabaseId) {
    orders_with(lag, Duration::from_millis(1)).await
}

async fn orders_with(lag: Duration, commit_delay: Duration) -> (Databases, DatabaseId, DatabaseId) {
    let databases = databases(commit_delay);
    let addresses = addresses(3);
    let orders = databases.add("orders", &addresses[..2]).unwrap();
    let replica = databases.add("orders", &addresses[2..]).unwrap();
    databases.follow(replica, orders, lag);
    databases.start(orders, 0, Phase::Open).await.unwrap();
    databases.start(replica, 0, Phase::Open).await.unwrap();
    (databases, orders, replica)
}

async fn login(address: Ipv4Addr, password: &str, database: &str) -> Result<Client, tokio_postgres::Error> {
    let text = format!(
        "host={address} port={PORT} user=firedrill password={password} dbname={database} connect_timeout=2"
    );
    let (client, connection) = tokio_postgres::connect(&text, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn connect(address: Ipv4Addr) -> Result<Client, tokio_postgres::Error> {
    login(address, SECRET, "orders").await
}

fn code(error: &tokio_postgres::Error) -> &str {
    error.code().map_or("none", |code| code.code())
}

#[tokio::test]
async fn a_ledger_and_a_writer_probe_get_their_answers() {
    let (databases, orders, _) = orders(Duration::ZERO).await;
    let address = databases.address(orders, 0);
    let client = connect(address).await.unwrap();
    let row = client
        .query_one("select pg_is_in_recovery(), inet_server_addr()::text, version(), 1", &[])
        .await
        .unwrap();
    assert!(!row.get::<_, bool>(0));
    assert_eq!(row.get::<_, String>(1), address.to_string());
    assert!(row.get::<_, String>(2).starts_with("PostgreSQL 15"));
    assert_eq!(row.get::<_, i32>(3), 1);
    let row = client.query_one("select inet_server_addr()", &[]).await.unwrap();
    assert_eq!(row.get::<_, std::net::IpAddr>(0), std::net::IpAddr::V4(address));
    assert_eq!(client.query_one("show transaction_read_only", &[]).await.unwrap().get::<_, String>(0), "off");

    client
        .batch_execute(
            "set application_name = 'ledger';
             create table if not exists ledger (seq bigint primary key, note text, ok bool default true,
             at timestamptz not null default clock_timestamp(), by inet default inet_server_addr())",
        )
        .await
        .unwrap();
    for seq in 0..5i64 {
        let insert = "insert into ledger (seq, note) values ($1, $2)";
        assert_eq!(client.execute(insert, &[&seq, &"it's"]).await.unwrap(), 1);
    }
    let again = "insert into ledger (seq) values ($1) on conflict do nothing";
    assert_eq!(client.execute(again, &[&3i64]).await.unwrap(), 0);
    let error = client.execute("insert into ledger (seq) values ($1)", &[&3i64]).await.unwrap_err();
    assert_eq!(code(&error), "23505");
    let row =
        client.query_one("insert into ledger values ($1) returning seq, at, ok, by", &[&9i64]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 9);
    let age = std::time::SystemTime::now().duration_since(row.get("at")).unwrap();
    assert!(age < Duration::from_secs(5), "{age:?}");
    assert!(row.get::<_, bool>("ok"));

    let seqs = client.query("select seq from ledger where seq >= $1 order by seq", &[&1i64]).await.unwrap();
    assert_eq!(seqs.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), [1, 2, 3, 4, 9]);
    assert_eq!(client.query_one("select count(*) from ledger", &[]).await.unwrap().get::<_, i64>(0), 6);
    client
        .batch_execute(
            "create table if not exists \"firedrill_a1\" (run text not null, seq bigint not null,
             by inet default inet_server_addr(), xid xid8 default pg_current_xact_id(), primary key (run, seq))",
        )
        .await
        .unwrap();
    let insert = "insert into firedrill_a1 (run, seq) values ('a-1', 7) returning xid::text, by, pg_current_wal_insert_lsn()";
    let row = client.query_one(insert, &[]).await.unwrap();
    assert!(row.get::<_, String>(0).parse::<u64>().unwrap() > 0);
    client.batch_execute("drop table ledger").await.unwrap();
    assert_eq!(code(&client.query("select seq from ledger", &[]).await.unwrap_err()), "42P01");
}

#[tokio::test]
async fn transactions_commit_together_or_not_at_all() {
    let (databases, orders, _) = orders(Duration::ZERO).await;
    let mut one = connect(databases.address(orders, 0)).await.unwrap();
    let two = connect(databases.address(orders, 0)).await.unwrap();
    one.batch_execute("create table t (seq bigint primary key)").await.unwrap();
    let count = async |client: &Client| {
        client.query_one("select count(*) from t", &[]).await.unwrap().get::<_, i64>(0)
    };

    let transaction = one.transaction().await.unwrap();
    transaction.execute("insert into t values ($1)", &[&1i64]).await.unwrap();
    transaction.execute("insert into t values ($1)", &[&2i64]).await.unwrap();
    let inside = transaction.query_one("select count(*) from t", &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!((inside, count(&two).await), (2, 0));
    transaction.commit().await.unwrap();
    assert_eq!(count(&two).await, 2);

    one.batch_execute("begin; insert into t values (3); rollback").await.unwrap();
    assert_eq!(count(&two).await, 2);
    assert!(one.batch_execute("insert into t values (4); insert into t values (4)").await.is_err());
    assert_eq!(count(&two).await, 2);

    one.batch_execute("begin").await.unwrap();
    assert_eq!(code(&one.batch_execute("select nonsense").await.unwrap_err()), "42703");
    assert_eq!(code(&one.batch_execute("select 1").await.unwrap_err()), "25P02");
    one.batch_execute("commit").await.unwrap();
    one.batch_execute("insert into t values (5)").await.unwrap();
    assert_eq!(count(&two).await, 3);
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_its_code() {
    let (databases, orders, _) = orders(Duration::ZERO).await;
    let client = connect(databases.address(orders, 0)).await.unwrap();
    client.batch_execute("create table t (seq bigint primary key, note text not null)").await.unwrap();
    for (sql, expected) in [
        ("selct 1", "42601"),
        ("select from where", "42601"),
        ("select 'a", "42601"),
        ("vacuum", "0A000"),
        ("copy t to stdout", "0A000"),
        ("create role x", "0A000"),
        ("select * from nowhere", "42P01"),
        ("select missing from t", "42703"),
        ("select pg_sleep(1)", "42883"),
        ("select 1::money", "42704"),
        ("select $1", "42P02"),
        ("show nothing", "42704"),
        ("create table t (a int)", "42P07"),
        ("insert into t values (1)", "23502"),
        ("insert into t values ('x', 'y')", "22P02"),
        ("insert into t values (1, 'y', 2)", "42601"),
        ("insert into t (seq, nope) values (1, 'y')", "42703"),
        ("with recursive a as (select 1) select * from a", "0A000"),
    ] {
        let error = client.batch_execute(sql).await.unwrap_err();
        assert_eq!(code(&error), expected, "{sql}: {error:?}");
    }
    assert_eq!(client.query_one("select 1", &[]).await.unwrap().get::<_, i32>(0), 1);
}

#[tokio::test]
async fn doors_are_shut_with_the_right_words() {
    let (databases, orders, replica) = orders(Duration::ZERO).await;
    let address = databases.address(orders, 0);
    assert_eq!(code(&login(address, "wrong", "orders").await.err().unwrap()), "28P01");
    assert_eq!(code(&login(address, SECRET, "nowhere").await.err().unwrap()), "3D000");

    let standby = connect(databases.address(orders, 1)).await.err().unwrap();
    assert!(standby.code().is_none(), "a Multi-AZ standby refuses the connection: {standby:?}");

    let reader = connect(databases.address(replica, 0)).await.unwrap();
    assert!(reader.query_one("select pg_is_in_recovery()", &[]).await.unwrap().get::<_, bool>(0));
    assert_eq!(reader.query_one("show transaction_read_only", &[]).await.unwrap().get::<_, String>(0), "on");
    let error = reader.batch_execute("create table t (a int)").await.unwrap_err();
    assert_eq!(code(&error), "25006");
    assert!(
        error
            .as_db_error()
            .unwrap()
            .message()
            .contains("cannot execute CREATE TABLE in a read-only transaction")
    );

    databases.stop(orders, 0, false).await;
    databases.start(orders, 0, Phase::Starting).await.unwrap();
    assert_eq!(code(&connect(address).await.err().unwrap()), "57P03");
    databases.set_phase(orders, 0, Phase::Open);
    connect(address).await.unwrap();
}

#[tokio::test]
async fn a_stopped_node_closes_everything_at_once() {
    let (databases, orders, _) = orders(Duration::ZERO).await;
    let address = databases.address(orders, 0);
    let client = connect(address).await.unwrap();
    databases.stop(orders, 0, false).await;
    let refused = std::net::TcpStream::connect((address, PORT)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let waited = tokio::time::timeout(Duration::from_secs(1), client.simple_query("select 1")).await.unwrap();
    assert!(waited.is_err());

    databases.start(orders, 0, Phase::Open).await.unwrap();
    let text = format!("host={address} port={PORT} user=firedrill password={SECRET} dbname=orders");
    let (client, connection) = tokio_postgres::connect(&text, NoTls).await.unwrap();
    let ended = tokio::spawn(connection);
    databases.stop(orders, 0, true).await;
    assert_eq!(code(&ended.await.unwrap().unwrap_err()), "57P01");
    drop(client);
}

#[tokio::test]
async fn psql_is_served() {
    let (databases, orders, _) = orders(Duration::ZERO).await;
    let dsn = format!("postgres://firedrill:{SECRET}@{}:{PORT}/orders", databases.address(orders, 0));
    let psql = async |sql: &str| {
        let mut command = tokio::process::Command::new("psql");
        command.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", &dsn, "-c", sql]).stdin(Stdio::null());
        command.output().await.ok()
    };
    let script =
        "create table p (seq bigint primary key, at timestamptz default now(), flag bool default false)";
    let Some(output) = psql(script).await else {
        assert!(std::env::var_os("FIREDRILL_REQUIRE_TESTBEDS").is_none(), "psql is missing");
        eprintln!("SKIPPED psql_is_served: there is no psql on this machine");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = async |sql: &str| {
        let output = psql(sql).await.unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
            .trim()
            .to_owned()
    };
    assert_eq!(said("insert into p (seq) values (1), (2)").await, "INSERT 0 2");
    assert_eq!(said("select seq, flag from p order by 1").await, "1|f\n2|f");
    assert_eq!(said("select pg_is_in_recovery()").await, "f");
    assert!(said("select 1 from q").await.contains("relation \"q\" does not exist"));
    assert_eq!(
        said("begin; delete from p; rollback; select count(*) from p").await.lines().last().unwrap(),
        "2"
    );
}

/// Writes one row after another, each on a connection that is opened again when it breaks, and
/// keeps what was acknowledged.
async fn write(
    addresses: Vec<Ipv4Addr>,
    from: i64,
    until: tokio::sync::watch::Receiver<bool>,
) -> BTreeSet<i64> {
    let mut acknowledged = BTreeSet::new();
    let (mut seq, mut turn) = (from, 0);
    while !*until.borrow() {
        let address = addresses[turn % addresses.len()];
        turn += 1;
        let Ok(client) = connect(address).await else {
            tokio::time::sleep(Duration::from_millis(3)).await;
            continue;
        };
        while !*until.borrow() {
            seq += 1;
            match client.execute("insert into ledger (seq) values ($1)", &[&seq]).await {
                Ok(1) => {
                    acknowledged.insert(seq);
                }
                _ => break,
            }
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
    }
    acknowledged
}

async fn stored(address: Ipv4Addr) -> BTreeSet<i64> {
    let client = connect(address).await.unwrap();
    let messages = client.simple_query("select seq from ledger order by seq").await.unwrap();
    let seqs = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).and_then(|seq| seq.parse().ok()),
        _ => None,
    });
    seqs.collect()
}

/// Several writers through a crash of the primary with a failover to the standby, or with a
/// promotion of the replica; what is acknowledged and absent is what the databases say is lost.
async fn lost(promote: bool, lag: Duration, pause: Duration, freeze: bool) -> (usize, usize, u64) {
    let (databases, orders, replica) = orders(lag).await;
    let client = connect(databases.address(orders, 0)).await.unwrap();
    client
        .batch_execute("create table ledger (seq bigint primary key, at timestamptz default now())")
        .await
        .unwrap();
    tokio::time::sleep(lag + Duration::from_millis(50)).await;
    let (stop, until) = tokio::sync::watch::channel(false);
    let target = if promote { databases.address(replica, 0) } else { databases.address(orders, 1) };
    let addresses = vec![databases.address(orders, 0), target];
    let writers: Vec<_> = (0..3)
        .map(|writer| tokio::spawn(write(addresses.clone(), writer * 1_000_000, until.clone())))
        .collect();
    tokio::time::sleep(pause / 2).await;
    databases.freeze(replica, freeze);
    tokio::time::sleep(pause / 2).await;

    databases.stop(orders, 0, false).await;
    let counted = Arc::new(Mutex::new(0));
    if promote {
        let report = Arc::clone(&counted);
        databases.sever(replica, move |loss| *report.lock().unwrap() = loss.count).unwrap();
        databases.set_writer(replica, Some(0));
    } else {
        assert!(databases.synchronous(orders, 1));
        databases.set_writer(orders, Some(1));
        databases.start(orders, 1, Phase::Open).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(150)).await;
    stop.send(true).unwrap();
    let mut acknowledged = BTreeSet::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    let stored = stored(target).await;
    let counted = *counted.lock().unwrap();
    (acknowledged.len(), acknowledged.difference(&stored).count(), counted)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_loses_nothing() {
    for round in 0..4 {
        let (acknowledged, absent, counted) =
            lost(false, Duration::ZERO, Duration::from_millis(200 + round * 7), false).await;
        assert!(acknowledged > 30, "{acknowledged}");
        assert_eq!((absent, counted), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_loses_exactly_what_is_counted() {
    let mut any = 0;
    for round in 0..6 {
        let lag = Duration::from_millis(60 + round * 11);
        let (acknowledged, absent, counted) =
            lost(true, lag, Duration::from_millis(200 + round * 13), round % 3 == 2).await;
        assert!(acknowledged > 30, "{acknowledged}");
        assert_eq!(absent as u64, counted, "lag {lag:?}");
        any += absent;
    }
    assert!(any > 0, "the replica was behind, so something must have been lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_old_source_acknowledges_after_the_promotion_is_lost_too() {
    let (databases, orders, replica) = orders(Duration::from_millis(50)).await;
    let old = connect(databases.address(orders, 0)).await.unwrap();
    old.batch_execute("create table ledger (seq bigint primary key)").await.unwrap();
    tokio::time::sleep(Duration::from_millis(120)).await;
    let counted = Arc::new(Mutex::new(u64::MAX));
    let report = Arc::clone(&counted);
    databases.sever(replica, move |loss| *report.lock().unwrap() = loss.count).unwrap();
    assert_eq!(*counted.lock().unwrap(), 0);
    databases.set_writer(replica, Some(0));
    old.batch_execute("insert into ledger values (1), (2)").await.unwrap();
    assert!(old.batch_execute("insert into ledger values (2)").await.is_err());
    old.batch_execute("begin; insert into ledger values (3); rollback").await.unwrap();
    assert_eq!(stored(databases.address(replica, 0)).await.len(), 0);
    assert_eq!(*counted.lock().unwrap(), 2);
}

/// `orders` with a table, and an INSERT that is committed and will be answered 200 ms after it was sent.
async fn in_doubt() -> (Databases, DatabaseId, DatabaseId, tokio::task::JoinHandle<bool>) {
    let (databases, orders, replica) =
        orders_with(Duration::from_millis(80), Duration::from_millis(200)).await;
    let client = connect(databases.address(orders, 0)).await.unwrap();
    client.batch_execute("create table ledger (seq bigint primary key)").await.unwrap();
    tokio::time::sleep(Duration::from_millis(120)).await;
    databases.freeze(replica, true);
    let insert =
        tokio::spawn(async move { client.execute("insert into ledger values (1)", &[]).await.is_ok() });
    tokio::time::sleep(Duration::from_millis(60)).await;
    (databases, orders, replica, insert)
}

fn counter() -> (Arc<Mutex<u64>>, impl Fn(&Loss) + Send + 'static) {
    let counted = Arc::new(Mutex::new(u64::MAX));
    let report = Arc::clone(&counted);
    (counted, move |loss: &Loss| *report.lock().unwrap() = loss.count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_commit_and_answer_acknowledges_nothing() {
    let (databases, orders, replica, insert) = in_doubt().await;
    databases.stop(orders, 0, false).await;
    let (counted, report) = counter();
    databases.sever(replica, report).unwrap();
    databases.set_writer(replica, Some(0));
    assert!(!insert.await.unwrap(), "the client was never told");
    assert_eq!(*counted.lock().unwrap(), 0, "what nobody was told of is not lost");
    assert_eq!(stored(databases.address(replica, 0)).await, BTreeSet::new());
    // The standby has it all the same: it received the commit before the answer was due.
    databases.set_writer(orders, Some(1));
    databases.start(orders, 1, Phase::Open).await.unwrap();
    assert_eq!(stored(databases.address(orders, 1)).await, BTreeSet::from([1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_follows_the_promotion_makes_the_row_a_loss() {
    let (databases, _, replica, insert) = in_doubt().await;
    let (counted, report) = counter();
    databases.sever(replica, report).unwrap();
    assert_eq!(*counted.lock().unwrap(), 0, "not answered yet");
    assert!(insert.await.unwrap());
    assert_eq!(*counted.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_acknowledged() {
    use tokio::io::AsyncWriteExt;
    let (databases, orders, replica) = orders(Duration::from_secs(3600)).await;
    let address = databases.address(orders, 0);
    let client = connect(address).await.unwrap();
    client.batch_execute("create table ledger (seq bigint primary key, note text)").await.unwrap();
    // Asks for far more than the sockets' buffers hold, and reads nothing of it.
    let mut stream = tokio::net::TcpStream::connect((address, PORT)).await.unwrap();
    let mut startup = b"\0\x03\0\0user\0firedrill\0database\0orders\0\0".to_vec();
    let length = (startup.len() as u32 + 4).to_be_bytes();
    startup.splice(0..0, length);
    stream.write_all(&startup).await.unwrap();
    let message = |kind: u8, body: &str| {
        let mut message = vec![kind];
        message.extend((body.len() as u32 + 5).to_be_bytes());
        message.extend(body.as_bytes());
        message.push(0);
        message
    };
    stream.write_all(&message(b'p', SECRET)).await.unwrap();
    let note = "x".repeat(900_000);
    let row = |seq: i64| format!("({seq}, '{note}')");
    let values: Vec<String> = (0..20).map(row).collect();
    let sql = format!("insert into ledger values {} returning note", values.join(", "));
    stream.write_all(&message(b'Q', &sql)).await.unwrap();
    for _ in 0..200 {
        if stored(address).await.len() == 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(stored(address).await.len(), 20, "committed");
    tokio::time::sleep(Duration::from_millis(100)).await;
    databases.stop(orders, 0, false).await;
    let (counted, report) = counter();
    databases.sever(replica, report).unwrap();
    assert_eq!(*counted.lock().unwrap(), 0, "the answer never left");
}

#[tokio::test]
async fn a_member_that_was_away_catches_up() {
    let (databases, orders, _) = orders(Duration::ZERO).await;
    let client = connect(databases.address(orders, 0)).await.unwrap();
    client.batch_execute("create table ledger (seq bigint primary key)").await.unwrap();
    databases.drop_out(orders, 1);
    client.batch_execute("insert into ledger values (1)").await.unwrap();
    assert!(!databases.synchronous(orders, 1));
    assert!(databases.rejoin(orders, 1));
    client.batch_execute("insert into ledger values (2)").await.unwrap();
    databases.stop(orders, 0, false).await;
    databases.set_writer(orders, Some(1));
    databases.start(orders, 1, Phase::Open).await.unwrap();
    assert_eq!(stored(databases.address(orders, 1)).await, BTreeSet::from([1, 2]));
}

#[tokio::test]
async fn garbage_on_the_wire_ends_that_connection_only() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (databases, orders, _) = orders(Duration::ZERO).await;
    let address = databases.address(orders, 0);
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[0xff; 64], &[0x16, 3, 1, 2, 0, 1, 0, 0, 0]] {
        let mut stream = tokio::net::TcpStream::connect((address, PORT)).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{garbage:?} hangs");
    }
    connect(address).await.unwrap();
}
