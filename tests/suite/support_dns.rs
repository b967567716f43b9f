//! Real servers on loopback for one test: knot as name server, unbound as resolver, HAProxy as load
//! balancer and as its own backends, and small sites that say who they are.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::Ran;

const READY_WITHIN: Duration = Duration::from_secs(20);
/// `/proc/uptime` is cut to hundredths of a second.
const HUNDREDTH: f64 = 0.01;

/// Whether these programs are here. Without them a test is skipped, loudly, unless
/// `FIREDRILL_REQUIRE_TESTBEDS=1` makes that a failure.
pub fn installed(programs: &[&str]) -> bool {
    let missing: Vec<&&str> = programs.iter().filter(|program| find(program).is_none()).collect();
    let required = std::env::var("FIREDRILL_REQUIRE_TESTBEDS").is_ok_and(|value| value == "1");
    assert!(missing.is_empty() || !required, "FIREDRILL_REQUIRE_TESTBEDS=1, but there is no {missing:?}");
    if !missing.is_empty() {
        eprintln!("SKIPPED: no {missing:?}; tests/run.sh installs them");
    }
    missing.is_empty()
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    // Servers are where only root's PATH looks.
    let folders = path.split(':').chain(["/usr/sbin", "/sbin"]);
    folders.map(|folder| Path::new(folder).join(program)).find(|path| path.is_file())
}

/// A server's process, which ends with the test.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program of [`installed`] with its output in `log`.
    pub fn start(program: &str, arguments: &[&str], log: PathBuf) -> Process {
        let output = File::create(&log).unwrap();
        let child = Command::new(find(program).unwrap())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Process { child, log }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until `ready` says so.
    pub fn until(self, mut ready: impl FnMut() -> bool) -> Process {
        let until = Instant::now() + READY_WITHIN;
        while !ready() {
            assert!(Instant::now() < until, "not ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(30));
        }
        self
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be dead already: then this only collects it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free for TCP and UDP on every address of this machine.
pub fn free_port() -> u16 {
    loop {
        let tcp = StdListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

/// Whether somebody accepts connections there.
pub fn accepts(port: u16) -> bool {
    std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether a name server answers with an address.
fn answers(port: u16, name: &str) -> bool {
    let asked = Command::new(find("kdig").unwrap())
        .args(["+short", "+time=1", "+retry=0", "@127.0.0.1", "-p", &port.to_string(), name, "A"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&asked.stdout).starts_with("127.")
}

/// A knot with the zone `drill.test`, in which `app` can be moved by `knsupdate`.
pub struct Knot {
    pub port: u16,
    folder: PathBuf,
    _process: Process,
}

impl Knot {
    /// Serves `app.drill.test` with this address and TTL.
    pub fn serve(folder: &Path, name: &str, address: Ipv4Addr, ttl: u32) -> Knot {
        let (port, folder) = (free_port(), folder.join(name));
        std::fs::create_dir(&folder).unwrap();
        let zone = format!(
            "$ORIGIN drill.test.\n$TTL {ttl}\n@ IN SOA ns.drill.test. h.drill.test. 1 60 60 600 {ttl}\n\
             @ IN NS ns\nns IN A 127.0.0.1\napp IN A {address}\n"
        );
        std::fs::write(folder.join("drill.zone"), zone).unwrap();
        let bed = folder.display();
        let config = format!(
            "server:\n    listen: 127.0.0.1@{port}\n    rundir: {bed}\ndatabase:\n    storage: {bed}\n\
             control:\n    listen: {bed}/knot.sock\nacl:\n  - id: upd\n    address: 127.0.0.1\n    \
             action: [update]\nzone:\n  - domain: drill.test\n    storage: {bed}\n    file: drill.zone\n    \
             acl: upd\n    zonefile-sync: -1\n    zonefile-load: difference-no-serial\n    journal-content: all\n"
        );
        let path = folder.join("knot.conf");
        std::fs::write(&path, config).unwrap();
        let process = Process::start("knotd", &["-c", path.to_str().unwrap()], folder.join("knot.log"));
        let process = process.until(|| answers(port, "app.drill.test"));
        Knot { port, folder, _process: process }
    }

    /// Lines of a shell script that move `app` to an address, with the time of the machine before and
    /// after it in `stamps`.
    pub fn flip(&self, to: Ipv4Addr, ttl: u32, stamps: &Path) -> String {
        let update = self.folder.join("update");
        let text = format!(
            "server 127.0.0.1 {}\nzone drill.test.\nupdate delete app.drill.test. A\n\
             update add app.drill.test. {ttl} A {to}\nsend\n",
            self.port
        );
        std::fs::write(&update, text).unwrap();
        stamped(&format!("{} {}", find("knsupdate").unwrap().display(), update.display()), stamps)
    }
}

/// A line of a shell script with the machine's time, in seconds since it was started, before and after.
pub fn stamped(line: &str, stamps: &Path) -> String {
    let stamps = stamps.display();
    format!(
        "read -r before _ < /proc/uptime\n{line}\nread -r after _ < /proc/uptime\n\
         echo \"$before $after\" > {stamps}\n"
    )
}

/// When a stamped line was under way, in seconds of the run: `/proc/uptime` is the run's own clock, cut.
pub fn stamps(path: &Path, ran: &Ran) -> (f64, f64) {
    let origin = ran.header()["header"]["origin_ns"].as_u64().expect("an origin") as f64 / 1e9;
    let text = std::fs::read_to_string(path).expect("the step left its stamps");
    let mut both = text.split_whitespace().map(|stamp| stamp.parse::<f64>().expect("seconds") - origin);
    let (before, after) = (both.next().expect("before"), both.next().expect("after"));
    (before, after + HUNDREDTH)
}

/// An unbound that asks these knots for the zone, and nobody for anything else.
pub struct Unbound {
    pub port: u16,
    _process: Process,
}

impl Unbound {
    pub fn asking(folder: &Path, knots: &[&Knot]) -> Unbound {
        let (port, folder) = (free_port(), folder.join("unbound"));
        std::fs::create_dir(&folder).unwrap();
        let stubs: String =
            knots.iter().map(|knot| format!("  stub-addr: 127.0.0.1@{}\n", knot.port)).collect();
        let config = format!(
            "server:\n  interface: 127.0.0.1\n  port: {port}\n  do-daemonize: no\n  username: \"\"\n  chroot: \"\"\n  \
             directory: \"{}\"\n  pidfile: \"\"\n  do-not-query-localhost: no\n  domain-insecure: \"drill.test\"\n  \
             module-config: \"iterator\"\n  use-syslog: no\n  num-threads: 1\n  local-zone: \"test.\" nodefault\n  \
             access-control: 127.0.0.0/8 allow\nremote-control:\n  control-enable: no\nstub-zone:\n  \
             name: \"drill.test\"\n{stubs}forward-zone:\n  name: \".\"\n  forward-addr: 127.0.0.1@{}\n",
            folder.display(),
            knots[0].port
        );
        let path = folder.join("unbound.conf");
        std::fs::write(&path, config).unwrap();
        let process =
            Process::start("unbound", &["-d", "-c", path.to_str().unwrap()], folder.join("unbound.log"));
        let process = process.until(|| answers(port, "app.drill.test"));
        Unbound { port, _process: process }
    }
}

/// A small HTTP site that says who it is and keeps its connections.
pub struct Site {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Site {
    pub async fn open(ip: Ipv4Addr, port: u16) -> Site {
        let listener = TcpListener::bind((ip, port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // An error is the client's going away.
                tokio::spawn(async move { converse(stream, ip).await });
            }
        });
        Site { address, task }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(mut stream: TcpStream, ip: Ipv4Addr) -> std::io::Result<()> {
    let mut request = Vec::new();
    loop {
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        request.clear();
        let answer = format!("HTTP/1.1 200 OK\r\nx-served-by: {ip}\r\ncontent-length: 3\r\n\r\nok\n");
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// The lane of a report's cut-over.
pub fn lane<'a>(ran: &'a Ran, name: &str) -> &'a Value {
    let lanes = ran.report["cutover"]["lanes"].as_array();
    let found = lanes.and_then(|lanes| lanes.iter().find(|lane| lane["name"] == name));
    found.unwrap_or_else(|| panic!("no lane {name} in {}", ran.report["cutover"]))
}

/// An interval's ends; without an upper one, infinity.
pub fn ends(interval: &Value) -> (f64, f64) {
    (interval["lo"].as_f64().expect("a lower end"), interval["hi"].as_f64().unwrap_or(f64::INFINITY))
}

/// Fails unless something that happened within `truth` can have happened within `measured`.
pub fn holds(what: &str, measured: &Value, truth: (f64, f64)) {
    let (lo, hi) = ends(measured);
    assert!(lo <= truth.1 && hi >= truth.0, "{what}: {measured} does not hold the truth {truth:?}");
}
