//! Endpoints that tests talk to instead of AWS: moto behind a counting relay, and scripted ones.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use firedrill::aws::{Aws, Settings, Witness};
use firedrill::run::event::CallOutcome;

use crate::support::mutates;

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    /// The API operation: `RebootDBInstance`, `StopTask`, or `POST /path` for REST.
    pub fn operation(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        if let Some(action) = body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
            return action.to_owned();
        }
        let target = self.head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("x-amz-target").then(|| value.trim().to_owned())
        });
        match target {
            Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
            None => self.head.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
        }
    }

    /// Whether it could change anything.
    pub fn mutates(&self) -> bool {
        let operation = self.operation();
        let rehearsal = String::from_utf8_lossy(&self.body).split('&').any(|pair| pair == "DryRun=true");
        mutates(&operation) && !rehearsal
    }
}

/// What a scripted endpoint does with a request.
pub enum Reply {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Says nothing until the endpoint goes.
    Hang,
    /// Closes without a word.
    Close,
}

/// An answer with a status and a body.
pub fn answer(status: &str, kind: &str, body: &str) -> Reply {
    Reply::Bytes(
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

/// The answer of the query APIs (STS, RDS) to `operation`.
pub fn xml(operation: &str, result: &str) -> Reply {
    let body = format!(
        "<{operation}Response><{operation}Result>{result}</{operation}Result>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"
    );
    answer("200 OK", "text/xml", &body)
}

/// An error of the query APIs.
pub fn xml_error(status: &str, code: &str, message: &str) -> Reply {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>r</RequestId></ErrorResponse>"
    );
    answer(status, "text/xml", &body)
}

/// STS saying who one is.
pub fn identity() -> Reply {
    xml(
        "GetCallerIdentity",
        "<Arn>arn:aws:iam::123456789012:user/firedrill</Arn><UserId>U</UserId><Account>123456789012</Account>",
    )
}

type Script = dyn Fn(&Request) -> Reply + Send + Sync;

/// A tiny HTTP server on loopback that keeps every request it got.
pub struct Endpoint {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    over: Arc<AtomicBool>,
}

impl Endpoint {
    pub fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let script: Arc<Script> = Arc::new(script);
        let (kept, ended) = (requests.clone(), over.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (script, kept, ended) = (script.clone(), kept.clone(), ended.clone());
                thread::spawn(move || serve(stream, &*script, &kept, &ended));
            }
        });
        Endpoint { address, requests, over }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no thread panicked with the lock").clone()
    }

    /// The mutating operations it was sent, in order.
    pub fn mutations(&self) -> Vec<String> {
        self.requests().iter().filter(|r| r.mutates()).map(Request::operation).collect()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the accepting thread, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(mut stream: TcpStream, script: &Script, kept: &Mutex<Vec<Request>>, over: &AtomicBool) {
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
    let Some(request) = read_request(&mut stream) else { return };
    kept.lock().expect("no thread panicked with the lock").push(request.clone());
    match script(&request) {
        Reply::Bytes(bytes) => drop(stream.write_all(&bytes)),
        Reply::Close => {}
        Reply::Hang => {
            while !over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

pub fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut chunk) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .unwrap_or(0);
    while bytes.len() < end + length {
        match stream.read(&mut chunk) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
    Some(Request { head, body: bytes[end..end + length].to_vec() })
}

/// Sends a request on and brings the answer back whole.
pub fn relay(upstream: SocketAddr, request: &Request) -> Reply {
    forward(upstream, request).map_or(Reply::Close, Reply::Bytes)
}

/// Sends a request on, on a connection of its own, and gives the whole answer.
pub fn forward(upstream: SocketAddr, request: &Request) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    // One request per connection: the end of the answer is the end of the stream.
    let head = request.head.trim_end_matches("\r\n").to_owned() + "\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    stream.write_all(&request.body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// moto, in a process of its own, behind a relay that keeps every request.
pub struct Moto {
    child: Child,
    pub relay: Endpoint,
    direct: SocketAddr,
}

impl Moto {
    /// Starts moto, or returns `None` where it is not installed. `FIREDRILL_MOTO` names the
    /// `moto_server` program; then, and with `FIREDRILL_REQUIRE_TESTBEDS=1`, it must be there.
    pub fn start() -> Option<Moto> {
        let named = std::env::var_os("FIREDRILL_MOTO").map(PathBuf::from);
        let required = std::env::var("FIREDRILL_REQUIRE_TESTBEDS").is_ok_and(|value| value == "1");
        let wanted = named.is_some() || required;
        let program = named
            .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".test/moto/bin/moto_server"));
        if !program.exists() {
            assert!(!wanted, "moto is wanted, but {} is not there", program.display());
            eprintln!("skipped: moto is not installed (see tests/run.sh)");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port is free");
        let child = Command::new(&program)
            .args(["-H", "127.0.0.1", "-p", &port.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto_server starts");
        let relay = Endpoint::start(move |request| relay(port, request));
        let mut moto = Moto { child, relay, direct: port };
        moto.wait_until_up();
        Some(moto)
    }

    fn wait_until_up(&mut self) {
        let began = Instant::now();
        while TcpStream::connect(self.direct).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "moto did not come up within a minute");
            let ended = self.child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "moto ended at once: {ended:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes moto check credentials and permissions from now on.
    pub fn require_permissions(&self) {
        self.control("reset-auth", "application/octet-stream", "0");
    }

    /// Keeps tasks RUNNING until they are stopped; moto otherwise moves them on at every look.
    pub fn hold_tasks(&self) {
        let transition = r#"{"model_name":"ecs::task","transition":{"progression":"time","seconds":600}}"#;
        self.control("state-manager/set-transition", "application/json", transition);
    }

    fn control(&self, path: &str, kind: &str, body: &str) {
        let head = format!(
            "POST /moto-api/{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.direct,
            body.len()
        );
        let request = Request { head, body: body.as_bytes().to_vec() };
        let done = match relay(self.direct, &request) {
            Reply::Bytes(bytes) => {
                bytes.split(|byte| *byte == b' ').nth(1).is_some_and(|code| code[0] == b'2')
            }
            _ => false,
        };
        assert!(done, "moto does not take {path}");
    }

    /// Settings that allow changes in moto's account.
    pub fn settings(&self) -> Settings {
        settings(&self.relay.url())
    }

    /// A configuration for the clients that a test arranges the world with.
    pub async fn arranging(&self) -> aws_config::SdkConfig {
        aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region("eu-west-1")
            .endpoint_url(format!("http://{}", self.direct))
            .credentials_provider(aws_credential_types::Credentials::new("test", "test", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .load()
            .await
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Settings for an endpoint that stands for account 123456789012, with short patience.
pub fn settings(url: &str) -> Settings {
    Settings {
        region: "eu-west-1".to_owned(),
        endpoint_url: Some(url.to_owned()),
        accounts: vec!["123456789012".to_owned()],
        credentials: Some(("test".to_owned(), "test".to_owned())),
        call_timeout: Duration::from_secs(20),
        poll: Duration::from_millis(50),
        ..Settings::default()
    }
}

/// Keeps what the guard tells.
#[derive(Default)]
pub struct Notebook(pub Mutex<Vec<String>>);

impl Notebook {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no thread panicked with the lock").clone()
    }

    fn write(&self, line: String) {
        self.0.lock().expect("no thread panicked with the lock").push(line);
    }
}

impl Witness for Notebook {
    fn sent(&self, step: &str, operation: &str, resource: &str) -> Result<(), String> {
        self.write(format!("sent {operation} of {resource} for {step}"));
        Ok(())
    }

    fn returned(&self, _: &str, operation: &str, _: &str, outcome: CallOutcome, _: Option<String>) {
        self.write(format!("returned {operation} {outcome:?}"));
    }

    fn noted(&self, text: String) {
        self.write(format!("noted {text}"));
    }
}

/// A connection whose identity is proven.
pub async fn connected(settings: Settings) -> (Aws, Arc<Notebook>) {
    let notebook = Arc::new(Notebook::default());
    let aws = Aws::connect(settings, notebook.clone()).await.expect("it connects");
    aws.identity().await.expect("the identity is told");
    (aws, notebook)
}
