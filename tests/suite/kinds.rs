//! The probe kinds against the real servers that they are for, and all of them in one drill.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};
use aws_smithy_types::DateTime;
use firedrill::aws::Settings;
use firedrill::clock::Clock;
use firedrill::notation::decode::{Context, Decode, Unresolved};
use firedrill::notation::yaml;
use firedrill::probe::{Answer, Ask, Opening, Probe, Resolver};
use firedrill::sample::{Cause, Class};
use serde_json::Value;

use crate::support::{firedrill, root, said};
use crate::support_kinds::{
    Server, certificate, cloudwatch, grpc, have_grpc, have_program, openssl, prometheus,
};
use crate::support_moto::{Endpoint, Moto, Reply, answer, connected};

/// A probe as a file would say it.
fn probe(text: &str) -> Probe {
    let root = yaml::parse(text.as_bytes()).root.expect("YAML");
    let mut cx = Context::new(&Unresolved);
    let probe = Probe::decode(&root, &mut cx);
    probe.unwrap_or_else(|| panic!("{text}: {:?}", cx.problems))
}

fn opening() -> Opening {
    Opening::new("test-run", Resolver::System)
}

fn open(text: &str) -> Arc<dyn Ask> {
    probe(text).open(&opening()).expect("it opens")
}

async fn ask(text: &str) -> Answer {
    open(text).ask(0, &Clock::start()).await
}

/// Asks until the answer is of this class.
async fn until(ready: &dyn Ask, class: Class) -> Answer {
    let (clock, began) = (Clock::start(), Instant::now());
    loop {
        let answer = ready.ask(0, &clock).await;
        if answer.class == class {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "never {class:?}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn kind(answer: &Answer) -> (Class, Cause) {
    (answer.class, answer.cause)
}

#[tokio::test]
async fn a_real_grpc_server_says_how_it_is() {
    if !have_grpc() || !have_program("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let flag = folder.path().join("down");
    let (cert, key) = certificate(folder.path(), 5);
    let server = grpc(&flag, &cert, &key);
    let (plain, secure) = (server.address, server.secure.expect("TLS too"));
    let tls = format!("tls: {{ ca_file: {}, server_name: shop.test }}", cert.display());

    for (text, class, cause) in [
        (format!("grpc: {{ address: {plain} }}"), Class::Ok, Cause::None),
        (format!("grpc: {{ address: {plain}, service: shop.Checkout }}"), Class::Ok, Cause::None),
        (format!("grpc: {{ address: {plain}, service: shop.Nobody }}"), Class::Wrong, Cause::Content),
        (format!("grpc: {{ address: {secure}, {tls} }}"), Class::Ok, Cause::None),
        // Cleartext to the TLS port, and a certificate that nobody vouches for.
        (format!("grpc: {{ address: {secure} }}"), Class::FailFast, Cause::Reset),
        (
            format!("grpc: {{ address: {secure}, tls: {{ ca_file: {} }} }}", cert.display()),
            Class::FailFast,
            Cause::Tls,
        ),
    ] {
        let answer = ask(&text).await;
        // How a server hangs up on what it cannot read is its own choice.
        let found =
            if answer.cause == Cause::Protocol { (answer.class, Cause::Reset) } else { kind(&answer) };
        assert_eq!(found, (class, cause), "{text}: {answer:?}");
        if class == Class::Ok {
            assert!(answer.who.is_some() && answer.phases.connect > 0 && answer.phases.first_byte > 0);
        }
    }

    for connection in ["fresh", "kept", "reconnect"] {
        let ready = open(&format!("grpc: {{ address: {plain}, connection: {connection} }}"));
        until(&*ready, Class::Ok).await;
        std::fs::write(&flag, "").expect("written");
        let down = until(&*ready, Class::FailFast).await;
        assert_eq!(down.cause, Cause::Unavailable, "{connection}: {down:?}");
        std::fs::remove_file(&flag).expect("removed");
        until(&*ready, Class::Ok).await;
    }

    let ready = open(&format!("grpc: {{ address: {plain}, connection: kept }}"));
    until(&*ready, Class::Ok).await;
    drop(server);
    let gone = until(&*ready, Class::FailFast).await;
    assert!(matches!(gone.cause, Cause::Reset | Cause::Refused | Cause::Unavailable), "{gone:?}");
    let refused = ask(&format!("grpc: {{ address: {plain} }}")).await;
    assert_eq!(kind(&refused), (Class::FailFast, Cause::Refused), "{refused:?}");
}

#[tokio::test]
async fn openssls_certificate_lasts_as_long_as_it_says() {
    if !have_program("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = certificate(folder.path(), 5);
    let server = openssl(&cert, &key);
    let tls = |more: &str| {
        let (address, file) = (server.address, cert.display());
        format!("tls: {{ address: {address}, server_name: shop.test, ca_file: {file}, {more} }}")
    };
    for (more, class, cause, detail) in [
        ("expires_in: 4d", Class::Ok, Cause::None, ""),
        ("expires_in: 14d", Class::Wrong, Cause::Content, "expires in 4d"),
        ("version: \"1.2\"", Class::Ok, Cause::None, ""),
        ("version: \"1.3\"", Class::Ok, Cause::None, ""),
    ] {
        let answer = ask(&tls(more)).await;
        assert_eq!(kind(&answer), (class, cause), "{more}: {answer:?}");
        assert!(answer.detail.clone().unwrap_or_default().contains(detail), "{answer:?}");
        assert!(answer.who.as_deref().is_some_and(|who| who.starts_with("serial ")), "{answer:?}");
        assert!(answer.phases.connect > 0 && answer.phases.tls > 0, "{answer:?}");
    }
}

#[tokio::test]
async fn a_tls_server_that_knows_no_http2_is_no_grpc_server() {
    if !have_program("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = certificate(folder.path(), 5);
    let server = openssl(&cert, &key);
    let tls = format!("{{ ca_file: {}, server_name: shop.test }}", cert.display());
    let answer = ask(&format!("grpc: {{ address: {}, tls: {tls} }}", server.address)).await;
    assert_eq!(kind(&answer), (Class::FailFast, Cause::Protocol), "{answer:?}");
    assert!(answer.detail.unwrap_or_default().contains("ALPN"));
}

/// An exporter with one current series and one whose samples are a minute old.
fn exporter(down: Arc<AtomicBool>) -> Endpoint {
    Endpoint::start(move |_| match down.load(Ordering::SeqCst) {
        true => Reply::Close,
        false => {
            let old = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() - 60_000;
            let text = format!("shop_errors_ratio 0.001\nshop_old 1 {old}\n");
            answer("200 OK", "text/plain; version=0.0.4", &text)
        }
    })
}

#[tokio::test]
async fn a_real_prometheus_is_asked_and_no_data_is_never_good() {
    if !have_program("prometheus") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let down = Arc::new(AtomicBool::new(false));
    let exporter = exporter(down.clone());
    let server = prometheus(folder.path(), exporter.address);
    let text = |query: &str, expect: &str| {
        let url = format!("http://{}", server.address);
        format!("prometheus:\n  url: {url}\n  query: '{query}'\n  expect: {{ {expect} }}\n")
    };
    let current = open(&text("shop_errors_ratio", "below: 1%, max_age: 10s"));
    let good = until(&*current, Class::Ok).await;
    assert!(good.who.is_some() && good.phases.first_byte > 0, "{good:?}");

    for (query, expect, class, cause, detail) in [
        ("up{job=\"shop\"}", "above: 0", Class::Ok, Cause::None, ""),
        ("sum(up)", "above: 0, below: 2", Class::Ok, Cause::None, ""),
        ("shop_errors_ratio", "above: 0.5", Class::Wrong, Cause::Content, "is 0.001, expected above 0.5"),
        ("shop_errors_ratio / 0", "below: 1", Class::Wrong, Cause::Content, "is inf"),
        ("shop_nothing", "below: 1", Class::Wrong, Cause::Content, "no data"),
        ("up", "at_least_series: 2", Class::Wrong, Cause::Content, "1 series"),
        ("shop_old", "max_age: 4m", Class::Ok, Cause::None, ""),
        ("shop_old", "max_age: 30s", Class::Wrong, Cause::Content, "stale"),
        ("up[1m]", "above: 0", Class::Wrong, Cause::Content, "a matrix"),
        ("sum(", "above: 0", Class::Wrong, Cause::Status, "bad_data"),
    ] {
        let answer = ask(&text(query, expect)).await;
        assert_eq!(kind(&answer), (class, cause), "{query}: {answer:?}");
        assert!(answer.detail.clone().unwrap_or_default().contains(detail), "{query}: {answer:?}");
    }

    down.store(true, Ordering::SeqCst);
    let gone = until(&*current, Class::Wrong).await;
    assert!(gone.detail.unwrap_or_default().contains("no data"));
    let up = ask(&text("up", "above: 0")).await;
    assert_eq!(kind(&up), (Class::Wrong, Cause::Content), "{up:?}");
}

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

/// Puts `value` into the last minutes of the metric `Messages` of a queue.
async fn report(moto: &Moto, translator: &Server, queue: &str, value: f64) {
    let config = moto.arranging().await.into_builder();
    let client = aws_sdk_cloudwatch::Client::new(&config.endpoint_url(url(translator)).build());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let minute = now - now.rem_euclid(60);
    for back in 1..=3 {
        let datum = MetricDatum::builder()
            .metric_name("Messages")
            .dimensions(Dimension::builder().name("Queue").value(queue).build())
            .timestamp(DateTime::from_secs(minute - 60 * back + 5))
            .value(value)
            .build();
        client.put_metric_data().namespace("Shop").metric_data(datum).send().await.expect("put");
    }
}

#[tokio::test]
async fn a_metric_of_moto_is_read_and_none_is_never_good() {
    let Some(moto) = Moto::start() else { return };
    let translator = cloudwatch(moto.relay.address);
    report(&moto, &translator, "orders", 7.0).await;
    let settings = Settings { endpoint_url: Some(url(&translator)), ..moto.settings() };
    let (aws, notebook) = connected(settings).await;
    let opening = Opening { metrics: Some(aws.metrics()), ..opening() };
    for (more, class, detail) in [
        ("dimensions: { Queue: orders }, statistic: Sum, expect: { above: 0, below: 8 }", Class::Ok, ""),
        ("dimensions: { Queue: orders }, statistic: Average", Class::Ok, ""),
        ("dimensions: { Queue: orders }, statistic: SampleCount, expect: { below: 2 }", Class::Ok, ""),
        (
            "dimensions: { Queue: orders }, statistic: Sum, expect: { below: 7 }",
            Class::Wrong,
            "is 7, expected below 7",
        ),
        ("dimensions: { Queue: returns }, statistic: Sum", Class::Wrong, "no datapoint of Shop Messages"),
    ] {
        let text = format!("cloudwatch: {{ namespace: Shop, metric: Messages, {more} }}");
        let ready = probe(&text).open(&opening).expect("it opens");
        let answer = ready.ask(0, &Clock::start()).await;
        assert_eq!(answer.class, class, "{more}: {answer:?}");
        assert!(answer.detail.clone().unwrap_or_default().contains(detail), "{answer:?}");
        assert_eq!(answer.who.as_deref(), Some("CloudWatch in eu-west-1"));
    }
    assert_eq!(notebook.lines(), Vec::<String>::new(), "reading is no news");
    drop(translator);
    let text = "cloudwatch: { namespace: Shop, metric: Messages, statistic: Sum, timeout: 3s }";
    let gone = probe(text).open(&opening).expect("it opens").ask(0, &Clock::start()).await;
    assert!(gone.class.bad() && gone.cause != Cause::Content, "{gone:?}");
}

#[test]
fn the_example_of_every_kind_checks_clean() {
    let output = firedrill().arg("check").arg(root().join("tests/kinds")).output().expect("ran");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("1 file checked: no errors"),
        "{}",
        said(&output)
    );
}

#[test]
fn what_is_coarse_cannot_decide_a_short_rto() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.yaml");
    for (probe, words) in [
        (
            "prometheus: { url: \"http://p/\", query: \"rate(x[1m])\", scrape_interval: 15s }",
            "an RTO of 2m cannot be decided by `it`, which measures an outage to within 1m25s",
        ),
        (
            "cloudwatch: { namespace: N, metric: M, statistic: Sum }",
            "what it reads is 1m coarse: let a probe that connects decide",
        ),
        ("command: { run: [\"true\"], timeout: 10s }\n    every: 500ms", "up to 20 programs running at once"),
        ("command: { run: [\"true\"] }\n    every: 100ms", "250ms is the shortest for `command`"),
        ("command: { run: \"curl x\" }", "there is no shell: write [program, argument]"),
        (
            "cloudwatch: { namespace: N, metric: M, statistic: Sum, period: 90s }",
            "1s, 5s, 10s, 20s, 30s or whole",
        ),
        ("tls: { address: h:443, version: \"1.1\" }", "unknown value `1.1`"),
        ("grpc: { address: h }", "expected host:port"),
    ] {
        let text = format!(
            "kind: Experiment\nname: x\nobjectives: {{ rto: 2m }}\nprobes:\n  it:\n    {probe}\nsteps: [{{ name: s, run: [\"true\"] }}]\n"
        );
        std::fs::write(&file, text).expect("written");
        let output = firedrill().arg("check").arg(&file).output().expect("ran");
        assert_eq!(output.status.code(), Some(2), "{probe}: {}", said(&output));
        assert!(said(&output).contains(words), "{probe}: {}", said(&output));
    }
}

struct Bed {
    folder: tempfile::TempDir,
    moto: Moto,
    variables: Vec<String>,
    put: Vec<String>,
    _servers: [Server; 4],
    _exporter: Endpoint,
}

impl Bed {
    async fn arrange() -> Option<Bed> {
        let here = have_grpc() && have_program("openssl") && have_program("prometheus");
        let moto = if here { Moto::start()? } else { return None };
        let translator = cloudwatch(moto.relay.address);
        report(&moto, &translator, "orders", 7.0).await;
        let (put, endpoint) = (moto.relay.mutations(), url(&translator));
        let folder = tempfile::tempdir().expect("a folder");
        let flag = folder.path().join("down");
        let (cert, key) = certificate(folder.path(), 5);
        let exporter = exporter(Arc::default());
        let scraper = prometheus(folder.path(), exporter.address);
        let servers = [grpc(&flag, &cert, &key), openssl(&cert, &key), scraper, translator];
        let prometheus_url = format!("http://{}", servers[2].address);
        let scraped = format!("prometheus: {{ url: \"{prometheus_url}\", query: shop_errors_ratio }}");
        until(&*open(&scraped), Class::Ok).await;
        let project = format!(
            "environments:\n  bed:\n    region: eu-west-1\n    endpoint_url: {}\n    confirm: none\n",
            endpoint
        );
        std::fs::write(folder.path().join("firedrill.yaml"), project).expect("written");
        let variables = vec![
            format!("grpc_address={}", servers[0].address),
            "grpc_token=hunter22-token".to_owned(),
            format!("tls_address={}", servers[1].address),
            format!("ca_file={}", cert.display()),
            format!("prometheus_url={prometheus_url}"),
            format!("flag={}", flag.display()),
            "program_password=hunter22-password".to_owned(),
        ];
        Some(Bed { folder, moto, variables, put, _servers: servers, _exporter: exporter })
    }

    async fn run(&self, file: PathBuf) -> std::process::Output {
        let mut command = firedrill();
        command.arg("run").arg(file).args(["--env", "bed", "--output", "json", "--store"]);
        command.arg(self.folder.path()).arg("--project").arg(self.folder.path().join("firedrill.yaml"));
        for variable in &self.variables {
            command.args(["--var", variable]);
        }
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        tokio::task::spawn_blocking(move || command.output().expect("ran")).await.expect("ran")
    }
}

fn secrets_in(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    files
        .filter(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).contains("hunter22"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_sees_its_part_of_one_drill() {
    let Some(bed) = Bed::arrange().await else { return };
    let output = bed.run(root().join("tests/kinds/every-kind.yaml")).await;
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
    assert_eq!(report["verdict"], "pass", "{}", said(&output));
    let probe = |name: &str| -> Value {
        let probes = report["probes"].as_array().expect("probes");
        probes.iter().find(|probe| probe["name"] == name).expect("the probe").clone()
    };
    for (name, errors) in [("checkout", "unavailable"), ("pooled", "unavailable"), ("program", "status")] {
        let probe = probe(name);
        let outages = probe["outages"].as_array().expect("outages");
        assert_eq!(outages.len(), 1, "{probe}");
        assert!(outages[0]["errors"][errors].as_u64().is_some_and(|count| count > 1), "{probe}");
        // The flag was up for two seconds, and it takes a moment to touch and to see.
        let (lo, hi) = (&outages[0]["duration"]["lo"], &outages[0]["duration"]["hi"]);
        let (lo, hi) = (lo.as_f64().expect("a number"), hi.as_f64().expect("a number"));
        assert!(lo < 2.5 && hi > 1.9, "{name}: [{lo}, {hi}]");
    }
    for name in ["certificate", "scraped", "queue"] {
        let probe = probe(name);
        assert!(probe["ok"].as_u64().is_some_and(|ok| ok > 0), "{probe}");
        assert_eq!(probe["bad"], 0, "{probe}");
    }
    assert_eq!(bed.moto.relay.mutations(), bed.put, "a probe changed something");
    let run = bed.folder.path().join(report["run"].as_str().expect("an id"));
    assert_eq!(secrets_in(&run), Vec::<PathBuf>::new());
    assert!(!said(&output).contains("hunter22"), "a secret was shown");
    let journal = std::fs::read_to_string(run.join("journal.jsonl")).expect("a journal");
    for who in ["node-1", "serial ", "CloudWatch in eu-west-1"] {
        assert!(journal.contains(who), "{who} is not named in the journal");
    }
}
