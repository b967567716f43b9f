//! Real servers for the probe kinds: gRPC with its health service, OpenSSL, Prometheus, and moto's CloudWatch
//! behind a translator. All on loopback.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::root;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// Whether a program is here. Without it a test is skipped, loudly, unless
/// `FIREDRILL_REQUIRE_TESTBEDS=1` makes that a failure.
pub(crate) fn have(what: &str, here: bool) -> bool {
    let required = std::env::var("FIREDRILL_REQUIRE_TESTBEDS").is_ok_and(|value| value == "1");
    assert!(here || !required, "FIREDRILL_REQUIRE_TESTBEDS=1, but {what} is not there");
    if !here {
        eprintln!("SKIPPED: {what} is not there; tests/run.sh installs it");
    }
    here
}

fn python() -> PathBuf {
    root().join(".test/grpc/bin/python")
}

pub(crate) fn have_grpc() -> bool {
    have("grpcio", python().exists())
}

pub(crate) fn have_program(name: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    have(name, std::env::split_paths(&folders).any(|folder| folder.join(name).exists()))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// A server process that ends with the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Where it speaks TLS, if it does so too.
    pub(crate) secure: Option<SocketAddr>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    fn wait_until_up(mut self) -> Server {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(began.elapsed() < READY_WITHIN, "{} did not come up", self.address);
            let ended = self.child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "the server of {} ended at once: {ended:?}", self.address);
            thread::sleep(Duration::from_millis(20));
        }
        self
    }
}

/// A certificate for `shop.test` that signs itself and lasts for so many days: its file and its key's.
pub(crate) fn certificate(folder: &Path, days: u32) -> (PathBuf, PathBuf) {
    let (config, certificate, key) =
        (folder.join("openssl.cnf"), folder.join("shop.pem"), folder.join("shop.key"));
    let text = "[req]\ndistinguished_name=name\nx509_extensions=own\nprompt=no\n[name]\nCN=shop.test\n\
                [own]\nsubjectAltName=DNS:shop.test\nbasicConstraints=critical,CA:FALSE\n";
    std::fs::write(&config, text).expect("written");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", &days.to_string(), "-config"])
        .arg(&config)
        .arg("-out")
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

/// A gRPC server that is NOT_SERVING while the file `flag` exists.
pub(crate) fn grpc(flag: &Path, certificate: &Path, key: &Path) -> Server {
    let mut command = Command::new(python());
    command.arg(script("grpc_server.py")).args([flag, certificate, key]);
    telling(&mut command)
}

/// What makes moto's CloudWatch understand the SDK, which speaks CBOR to it; the rest it hands on.
pub(crate) fn cloudwatch(moto: SocketAddr) -> Server {
    let mut command = Command::new(root().join(".test/moto/bin/python"));
    telling(command.arg(script("cloudwatch_cbor.py")).arg(moto.port().to_string()))
}

fn script(name: &str) -> PathBuf {
    root().join("tests").join(name)
}

/// Starts a server that prints its ports, and ends when its input is closed.
fn telling(command: &mut Command) -> Server {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("its ports");
    let ports: Vec<u16> = line.split_whitespace().map(|port| port.parse().expect("a port")).collect();
    let at = |port: &u16| SocketAddr::from(([127, 0, 0, 1], *port));
    let address = ports.first().map(at).expect("the server tells its port");
    Server { child, address, secure: ports.get(1).map(at) }.wait_until_up()
}

/// OpenSSL's own TLS server.
pub(crate) fn openssl(certificate: &Path, key: &Path) -> Server {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let child = Command::new("openssl")
        .args(["s_server", "-quiet", "-www", "-accept", &address.to_string(), "-cert"])
        .arg(certificate)
        .arg("-key")
        .arg(key)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl starts");
    Server { child, address, secure: None }.wait_until_up()
}

/// Prometheus, scraping `target` every half second as the job `shop`.
pub(crate) fn prometheus(folder: &Path, target: SocketAddr) -> Server {
    let config = folder.join("prometheus.yml");
    let text = format!(
        "global: {{ scrape_interval: 500ms, scrape_timeout: 400ms }}\nscrape_configs:\n  - job_name: shop\n    static_configs: [{{ targets: [\"{target}\"] }}]\n"
    );
    std::fs::write(&config, text).expect("written");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--log.level=error")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus starts");
    Server { child, address, secure: None }.wait_until_up()
}
