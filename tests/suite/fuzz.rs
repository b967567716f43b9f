//! What parses bytes from outside, given bytes that nobody meant: it never panics, never loops, holds no more
//! than it must, and a stored run that was tampered with is found out.
//!
//! `FIREDRILL_FUZZ_CASES` says how many cases each test makes (`tests/fuzz.sh` runs them for a given time).
//! What is found then is written to `tests/corpus/<parser>/`, from where every later run replays it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use firedrill::clock::Clock;
use firedrill::journal::{self, Record};
use firedrill::probe::{Ask, Opening, Resolver};
use firedrill::report::{self, Format, Style};
use firedrill::spec::{self, Given};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use crate::support::{Ran, root, said};

/// A case that takes longer is a loop.
const LONGEST: Duration = Duration::from_secs(30);
/// How much the process may grow while it is answered without end.
const GROWTH: u64 = 192 << 20;

fn cases(usual: u32) -> u32 {
    std::env::var("FIREDRILL_FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// One change to bytes; the place is a share of their length.
#[derive(Clone, Debug)]
enum Edit {
    Flip(f64, u8),
    Put(f64, u8),
    Insert(f64, Vec<u8>),
    Cut(f64),
    Remove(f64, usize),
    Repeat(f64, usize, u8),
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = 0.0..1.0f64;
    prop_oneof![
        (place.clone(), 0..8u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (place.clone(), any::<u8>()).prop_map(|(at, byte)| Edit::Put(at, byte)),
        (place.clone(), telling()).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        place.clone().prop_map(Edit::Cut),
        (place.clone(), 1..40usize).prop_map(|(at, len)| Edit::Remove(at, len)),
        (place, 1..60usize, 1..20u8).prop_map(|(at, len, times)| Edit::Repeat(at, len, times)),
    ]
}

/// Bytes that mean something to one parser or another, and any others.
fn telling() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&'static [u8]> = vec![
        b"${",
        b"$${",
        b"}",
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!binary ",
        b"---\n",
        b"- ",
        b"? ",
        b": ",
        b"{",
        b"[",
        b"|",
        b">-\n",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\0",
        b"\t",
        b"\r\n",
        b"99999999999999999999",
        b"-1",
        b"1e999",
        b".nan",
        b"\xf0\x9f\x92\xa3",
        b"\xc0\x0c",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\0\0\0\0",
        b"*-1\r\n",
        b"$536870912\r\n",
        b"*1000000\r\n",
    ];
    prop_oneof![
        proptest::sample::select(known).prop_map(<[u8]>::to_vec),
        proptest::collection::vec(any::<u8>(), 1..24)
    ]
}

fn edited(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for edit in edits {
        let place = |at: f64| ((bytes.len() as f64 * at) as usize).min(bytes.len().saturating_sub(1));
        if bytes.is_empty() {
            break;
        }
        match edit {
            Edit::Flip(at, bit) => {
                let at = place(*at);
                bytes[at] ^= 1 << bit;
            }
            Edit::Put(at, byte) => {
                let at = place(*at);
                bytes[at] = *byte;
            }
            Edit::Insert(at, more) => {
                let at = place(*at);
                bytes.splice(at..at, more.iter().copied());
            }
            Edit::Cut(at) => bytes.truncate(place(*at)),
            Edit::Remove(at, len) => {
                let at = place(*at);
                bytes.drain(at..(at + len).min(bytes.len()));
            }
            Edit::Repeat(at, len, times) => {
                let at = place(*at);
                let part = bytes[at..(at + len).min(bytes.len())].repeat(usize::from(*times));
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

fn corpus(parser: &str) -> PathBuf {
    root().join("tests/corpus").join(parser)
}

/// What was found before, by name.
fn replayed(parser: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(corpus(parser)).into_iter().flatten().flatten();
    let mut found: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let bytes = std::fs::read(entry.path()).expect("a corpus file can be read");
            (entry.file_name().to_string_lossy().into_owned(), bytes)
        })
        .collect();
    found.sort();
    found
}

/// Counts panics anywhere in the process, also those that a task swallows.
fn watch_for_panics() -> Arc<AtomicUsize> {
    let panics = Arc::new(AtomicUsize::new(0));
    let counted = panics.clone();
    std::panic::set_hook(Box::new(move |info| {
        counted.fetch_add(1, Ordering::SeqCst);
        eprintln!("{info}");
    }));
    panics
}

/// Ends the process when one case takes too long: a loop can be told in no other way.
struct Watchdog(Arc<AtomicU64>, Instant);

impl Watchdog {
    fn start() -> Watchdog {
        let (since, zero) = (Arc::new(AtomicU64::new(u64::MAX)), Instant::now());
        let watched = since.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(500));
                let now = zero.elapsed().as_millis() as u64;
                if now.saturating_sub(watched.load(Ordering::SeqCst)) > LONGEST.as_millis() as u64 {
                    eprintln!("a case takes longer than {LONGEST:?}");
                    std::process::abort();
                }
            }
        });
        Watchdog(since, zero)
    }

    fn over<T>(&self, case: impl FnOnce() -> T) -> T {
        self.0.store(self.1.elapsed().as_millis() as u64, Ordering::SeqCst);
        let value = case();
        self.0.store(u64::MAX, Ordering::SeqCst);
        value
    }
}

/// Tries a parser on what was found before, and then on `count` changed copies of what is right. An error is
/// what is wrong with how it went.
fn fuzz(parser: &str, right: &[Vec<u8>], count: u32, try_on: impl Fn(&[u8]) -> Result<(), String>) {
    let panics = watch_for_panics();
    let watchdog = Watchdog::start();
    let once = |bytes: &[u8]| -> Result<(), String> {
        let before = panics.load(Ordering::SeqCst);
        let tried = watchdog.over(|| catch_unwind(AssertUnwindSafe(|| try_on(bytes))));
        match tried {
            _ if panics.load(Ordering::SeqCst) > before => Err("it panicked".to_owned()),
            Ok(result) => result,
            Err(_) => Err("it panicked".to_owned()),
        }
    };
    for (name, bytes) in replayed(parser) {
        once(&bytes).unwrap_or_else(|why| panic!("tests/corpus/{parser}/{name}: {why}"));
    }
    for bytes in right {
        once(bytes).unwrap_or_else(|why| panic!("unchanged: {why}: {:?}", String::from_utf8_lossy(bytes)));
    }
    let config =
        Config { cases: count, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let inputs =
        (0..right.len().max(1), proptest::collection::vec(edit(), 0..6), any::<bool>(), any::<[u8; 64]>());
    let tried = AtomicUsize::new(0);
    let bytes_of = |which: usize, edits: &[Edit], noise: bool, random: &[u8]| match right.get(which) {
        Some(bytes) if !noise || !edits.is_empty() => edited(bytes, edits),
        _ => random.to_vec(),
    };
    let ran = runner.run(&inputs, |(which, edits, noise, random)| {
        tried.fetch_add(1, Ordering::SeqCst);
        once(&bytes_of(which, &edits, noise, &random)).map_err(TestCaseError::fail)
    });
    println!("fuzz {parser}: {} cases", tried.load(Ordering::SeqCst));
    if let Err(TestError::Fail(why, (which, edits, noise, random))) = &ran {
        let bytes = bytes_of(*which, edits, *noise, random);
        let name = format!(
            "found-{:016x}",
            bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            })
        );
        let kept = corpus(parser);
        std::fs::create_dir_all(&kept).expect("the corpus can be written");
        std::fs::write(kept.join(&name), &bytes).expect("the corpus can be written");
        panic!("{why}; kept as tests/corpus/{parser}/{name}: {:?}", String::from_utf8_lossy(&bytes));
    }
    ran.expect("the cases can be made");
}

#[test]
fn any_text_as_an_experiment() {
    let mut right = Vec::new();
    for folder in ["experiments", "tests/bad", "tests/kinds"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("a folder").flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "yaml") {
                right.push(std::fs::read(entry.path()).expect("a file"));
            }
        }
    }
    assert!(right.len() > 5, "{} files to begin with", right.len());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("any.yaml");
    fuzz("spec", &right, cases(400), |bytes| {
        std::fs::write(&path, bytes).expect("written");
        let began = Instant::now();
        if let Err(diagnostics) = spec::check(&path) {
            drop(diagnostics.render(false));
        }
        // The program `run` never looks at the environment of this process here.
        if let Err(diagnostics) = spec::load(&path, &Given { complete: false, ..Given::default() }) {
            drop(diagnostics.render(true));
        }
        match began.elapsed() {
            took if took > Duration::from_secs(5) => Err(format!("it took {took:?}")),
            _ => Ok(()),
        }
    });
}

/// A stored run of the program's own.
fn stored() -> (tempfile::TempDir, PathBuf) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            let _ = stream.read(&mut [0; 2048]);
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("drill.yaml");
    let text = format!(
        "kind: Experiment\nname: drill\nobjectives: {{ rto: 10s }}\nprobes:\n  web:\n    http: {{ url: \"http://{address}/\" }}\n    \
         every: 50ms\nsteady_state: {{ for: 1s }}\nsteps:\n  - name: nothing\n    run: [\"true\"]\n\
         recovery: {{ confirm: 500ms, within: 10s, observe: 1s }}\n"
    );
    std::fs::write(&file, text).expect("written");
    let ran = Ran::run(&file, &folder.path().join("runs"), &["--seed", "1"]);
    assert!(ran.phase("observation").is_some(), "{}", said(&ran.output));
    let dir = ran.dir.clone();
    (folder, dir)
}

/// Reads a run of which one file was replaced. What is read must be what was written, or be cut short.
fn tampered(dir: &Path, name: &str, whole: &Record, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(dir.join(name), bytes).expect("written");
    let Ok(record) = journal::read(dir) else { return Ok(()) };
    let built = report::build::build(&record);
    for format in
        [Format::Text, Format::Json, Format::Html, Format::Markdown, Format::Junit, Format::OpenMetrics]
    {
        report::render(&built, &record, format, Style::PLAIN).map_err(|error| error.to_string())?;
    }
    let same =
        record.header == whole.header && record.events == whole.events && record.samples == whole.samples;
    if same {
        return Ok(());
    }
    if !record.cut {
        return Err(format!("{name} was changed, and nobody noticed"));
    }
    let begins = whole.events.starts_with(&record.events);
    if record.header != whole.header
        || !begins
        || (name == "samples.bin" && !whole.samples.starts_with(&record.samples))
    {
        return Err(format!("what is left of {name} is not what was written"));
    }
    if built.verdict == report::Outcome::Pass {
        return Err("a run that was cut short passes".to_owned());
    }
    Ok(())
}

#[test]
fn any_bytes_as_a_stored_run() {
    let (_folder, dir) = stored();
    let whole = journal::read(&dir).expect("it was just written");
    for name in ["journal.jsonl", "samples.bin"] {
        let bytes = std::fs::read(dir.join(name)).expect("it is there");
        let parser = name.split('.').next().expect("a name");
        let before = std::fs::metadata(dir.join(name)).expect("it is there").len();
        fuzz(parser, std::slice::from_ref(&bytes), cases(400), |bytes| tampered(&dir, name, &whole, bytes));
        // Every single bit of a stretch in the middle, where a change is hardest to see.
        let middle = bytes.len() / 2;
        for at in middle..(middle + 40).min(bytes.len()) {
            for bit in 0..8 {
                let changed = edited(&bytes, &[]);
                let mut changed = changed;
                changed[at] ^= 1 << bit;
                tampered(&dir, name, &whole, &changed)
                    .unwrap_or_else(|why| panic!("byte {at}, bit {bit}: {why}"));
            }
        }
        std::fs::write(dir.join(name), &bytes).expect("written");
        assert_eq!(std::fs::metadata(dir.join(name)).expect("it is there").len(), before);
    }
}

/// What a hostile server does after its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Close,
    Hang,
    Endless,
}

/// What the server answers with at the moment.
struct Words {
    bytes: Vec<u8>,
    then: Then,
}

/// A server on TCP and UDP at one port that answers with the words of the moment.
struct Hostile {
    address: SocketAddr,
    words: Arc<Mutex<Words>>,
    over: Arc<AtomicBool>,
}

impl Hostile {
    fn start() -> Hostile {
        let (listener, socket) = bound();
        let address = listener.local_addr().expect("an address");
        let words = Arc::new(Mutex::new(Words { bytes: Vec::new(), then: Then::Close }));
        let over = Arc::new(AtomicBool::new(false));
        let (of_tcp, of_udp, ended) = (words.clone(), words.clone(), over.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (words, ended) = (of_tcp.clone(), ended.clone());
                std::thread::spawn(move || converse(stream, &words, &ended));
            }
        });
        std::thread::spawn(move || {
            let mut question = [0; 4096];
            while let Ok((read, from)) = socket.recv_from(&mut question) {
                let bytes = answer_to(&question[..read], &of_udp.lock().expect("no panic").bytes);
                let _ = socket.send_to(&bytes[..bytes.len().min(60_000)], from);
            }
        });
        Hostile { address, words, over }
    }

    fn say(&self, bytes: &[u8], then: Then) {
        *self.words.lock().expect("no panic") = Words { bytes: bytes.to_vec(), then };
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// The same port of both kinds.
fn bound() -> (TcpListener, UdpSocket) {
    for _ in 0..100 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().expect("an address")) {
            return (listener, socket);
        }
    }
    panic!("no port is free for both");
}

/// A DNS answer is looked at only when it bears the question's number.
fn answer_to(question: &[u8], bytes: &[u8]) -> Vec<u8> {
    question.iter().take(2).chain(bytes.iter().skip(2)).copied().collect()
}

fn converse(mut stream: std::net::TcpStream, words: &Mutex<Words>, over: &AtomicBool) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
    let _ = stream.set_write_timeout(Some(Duration::from_millis(500)));
    let (bytes, then) = {
        let words = words.lock().expect("no panic");
        (words.bytes.clone(), words.then)
    };
    // Some clients speak first and some wait: nothing is said too early for either.
    let _ = stream.read(&mut [0; 4096]);
    if stream.write_all(&bytes).is_err() {
        return;
    }
    let block = bytes.last().copied().map_or_else(|| vec![0; 65536], |byte| vec![byte; 65536]);
    let began = Instant::now();
    while !over.load(Ordering::SeqCst) && began.elapsed() < Duration::from_secs(3) {
        match then {
            Then::Close => return,
            Then::Endless if stream.write_all(&block).is_err() => return,
            Then::Endless => {}
            Then::Hang => match stream.read(&mut [0; 4096]) {
                Ok(0) => return,
                _ => std::thread::sleep(Duration::from_millis(5)),
            },
        }
    }
}

/// The probe of an experiment that has this one only, ready to be asked.
fn opened(probe: &str) -> Arc<dyn Ask> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("one.yaml");
    let text = format!(
        "kind: Experiment\nname: one\nobjectives: {{ rto: 5s }}\nprobes:\n  it:\n    {probe}\n    every: 500ms\n\
         steps:\n  - name: x\n    run: [\"true\"]\nrecovery: {{ confirm: 1s }}\n"
    );
    std::fs::write(&path, text).expect("written");
    let given = Given { complete: true, ..Given::default() };
    let loaded = spec::load(&path, &given).unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    let opening = Opening::new("fuzz", Resolver::System);
    loaded.experiment.probes[0].probe.open(&opening).expect("it can be opened")
}

/// The most memory that this process has held so far, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<u64> =
        line.and_then(|line| line.split_whitespace().next()).and_then(|text| text.parse().ok());
    kib.unwrap_or(0) << 10
}

/// Asks a probe of a server that answers with changed copies of what is right, and then closes, hangs or never
/// stops. Every answer must come in time.
fn hostile(parser: &str, probe: &str, right: &[Vec<u8>]) {
    let server = Hostile::start();
    let ask = opened(&probe.replace("ADDRESS", &server.address.to_string()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let clock = Clock::start();
    let number = AtomicUsize::new(0);
    let late = ask.deadline() + Duration::from_secs(3);
    let before = peak();
    fuzz(parser, right, cases(48), |bytes| {
        let nth = number.fetch_add(1, Ordering::SeqCst);
        let then = [Then::Close, Then::Hang, Then::Endless][nth % 3];
        server.say(bytes, then);
        let began = Instant::now();
        let answer = runtime.block_on(ask.ask(nth as u32, &clock));
        let took = began.elapsed();
        if took > late {
            return Err(format!("{then:?}: it took {took:?}, and should take {:?} at most", ask.deadline()));
        }
        let told = answer.detail.as_deref().map_or(0, str::len) + answer.who.as_deref().map_or(0, str::len);
        if told > 4 * bytes.len() + (1 << 20) {
            return Err(format!("{then:?}: {told} bytes are told of it"));
        }
        Ok(())
    });
    let grown = peak().saturating_sub(before);
    println!("fuzz {parser}: the process grew by {} MiB", grown >> 20);
    assert!(grown < GROWTH, "the process grew by {} MiB", grown >> 20);
}

#[test]
fn any_bytes_from_an_http_server() {
    let right = [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-who: a\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nuntil the end ",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ];
    let right: Vec<Vec<u8>> = right.iter().map(|text| text.as_bytes().to_vec()).collect();
    let probe = "http: { url: \"http://ADDRESS/\", timeout: 300ms, identity_header: x-who, \
                 expect: { status: 200, body_contains: nothing } }";
    hostile("http", probe, &right);
}

#[test]
fn any_bytes_from_a_grpc_server() {
    let settings = b"\0\0\0\x04\0\0\0\0\0".to_vec();
    let acknowledged = b"\0\0\0\x04\x01\0\0\0\0".to_vec();
    // HEADERS with `:status 200` from the static table and `content-type`, then one message, then trailers.
    let headers = b"\0\0\x01\x01\x04\0\0\0\x01\x88".to_vec();
    let data = b"\0\0\x07\0\0\0\0\0\x01\0\0\0\0\x02\x08\x01".to_vec();
    let trailers = b"\0\0\x01\x01\x05\0\0\0\x01\x88".to_vec();
    let whole = [settings.clone(), acknowledged, headers, data, trailers].concat();
    let goaway = [settings.clone(), b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x02".to_vec()].concat();
    hostile("grpc", "grpc: { address: \"ADDRESS\", timeout: 300ms }", &[whole, goaway, settings]);
}

#[test]
fn any_bytes_from_a_dns_server() {
    // An answer to `www.lab.test A`: one question, one record; the number is the question's.
    let mut answer = vec![0, 0, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    answer.extend_from_slice(b"\x03www\x03lab\x04test\0\0\x01\0\x01");
    answer.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01");
    let mut cut = answer.clone();
    cut[2] = 0x86;
    let mut alias = answer[..12 + 18].to_vec();
    alias.extend_from_slice(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x02\xc0\x0c");
    hostile("dns", "dns: { name: www.lab.test, server: \"ADDRESS\", timeout: 200ms }", &[answer, cut, alias]);
}

#[test]
fn any_bytes_from_a_postgresql_server() {
    let login = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x19server_version\x0015.1\0\0\0K\0\0\0\x0c\0\0\0\x01\0\0\0\x02Z\0\0\0\x05I".to_vec();
    let rows = b"T\0\0\0\x1e\0\x01in_recovery\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0D\0\0\0\x0b\0\x01\0\0\0\x01fC\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I".to_vec();
    let sasl = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0".to_vec();
    let refused = b"E\0\0\0\x1dSFATAL\0C28P01\0Mwrong\0\0".to_vec();
    let whole = [login.clone(), rows].concat();
    let probe = "postgres: { dsn: \"postgres://u:p@ADDRESS/db?sslmode=disable\", timeout: 300ms }";
    hostile("postgres", probe, &[whole, login, sasl, refused]);
}

#[test]
fn any_bytes_from_a_mysql_server() {
    let mut hello =
        b"\x0a8.0.36\0\x08\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0".to_vec();
    hello.extend_from_slice(b"ijklmnopqrst\0caching_sha2_password\0");
    let packet = |number: u8, body: &[u8]| {
        let mut packet = (body.len() as u32).to_le_bytes()[..3].to_vec();
        packet.push(number);
        packet.extend_from_slice(body);
        packet
    };
    let done = packet(2, b"\0\0\0\x02\0\0\0");
    let refused = packet(2, b"\xff\x15\x04#28000Access denied");
    let hello = packet(0, &hello);
    let probe = "mysql: { dsn: \"mysql://u:p@ADDRESS/db\", timeout: 300ms }";
    hostile("mysql", probe, &[[hello.clone(), done].concat(), [hello.clone(), refused].concat(), hello]);
}

#[test]
fn any_bytes_from_a_redis_server() {
    let right = [
        "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n",
        "-LOADING Redis is loading the dataset in memory\r\n",
        "+OK\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n",
        "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:6379\r\n$9\r\nconnected\r\n:1\r\n",
    ];
    let right: Vec<Vec<u8>> = right.iter().map(|text| text.as_bytes().to_vec()).collect();
    hostile("redis", "redis: { dsn: \"redis://ADDRESS/0\", timeout: 300ms }", &right);
}
