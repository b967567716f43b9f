//! A real Redis master, its replicas and a sentinel on loopback, in a temporary folder, for one test.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The servers' password.
pub const PASSWORD: &str = "hunter2";

/// What the sentinel calls the master.
pub const MASTER: &str = "orders";

const READY_WITHIN: Duration = Duration::from_secs(20);

/// Whether the programs are here. Without one a test is skipped, loudly, unless
/// `FIREDRILL_REQUIRE_TESTBEDS=1` makes that a failure.
pub fn here(programs: &[&str]) -> bool {
    let missing = |program: &&&str| {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
        !found.status.success()
    };
    let Some(program) = programs.iter().find(missing) else { return true };
    let required = std::env::var("FIREDRILL_REQUIRE_TESTBEDS").is_ok_and(|value| value == "1");
    assert!(!required, "FIREDRILL_REQUIRE_TESTBEDS=1, but there is no `{program}`");
    eprintln!("SKIPPED: no `{program}`; tests/run.sh installs it");
    false
}

/// Whether Redis is here.
pub fn installed() -> bool {
    here(&["redis-server", "redis-cli"])
}

/// A master (the first), its replicas, and perhaps a sentinel.
pub struct Group {
    pub servers: Vec<Node>,
    pub sentinel: Option<Node>,
    // Last, so that the servers are gone before their folder is.
    folder: TempDir,
}

/// One server.
pub struct Node {
    pub ip: Ipv4Addr,
    pub port: u16,
    pub log: PathBuf,
    server: Child,
}

impl Group {
    /// Starts a master and so many replicas, all following it.
    pub fn start(replicas: u8, settings: &[&str]) -> Group {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut servers: Vec<Node> = Vec::new();
        for number in 0..=replicas {
            let ip = Ipv4Addr::new(127, 0, 0, 2 + number);
            let home = folder.path().join(format!("redis{number}"));
            let mut arguments: Vec<String> =
                ["--save", "", "--repl-diskless-sync-delay", "0"].map(str::to_owned).into();
            arguments.extend(settings.iter().map(|word| (*word).to_owned()));
            if let Some(master) = servers.first() {
                arguments.extend(["--replicaof".to_owned(), master.ip.to_string(), port.to_string()]);
            }
            servers.push(Node::server(&home, ip, port, &arguments));
        }
        let group = Group { servers, sentinel: None, folder };
        for replica in group.servers.iter().skip(1) {
            until("the replica follows", || {
                replica.cli(&["info", "replication"]).contains("master_link_status:up")
            });
        }
        group
    }

    /// The same with a sentinel that calls the master down after 500 ms.
    pub fn guarded(replicas: u8) -> Group {
        let mut group = Group::start(replicas, &[]);
        let home = group.folder.path().join("sentinel");
        std::fs::create_dir(&home).unwrap();
        let (ip, port, log) = (Ipv4Addr::LOCALHOST, free_port(), home.join("log"));
        let master = &group.servers[0];
        let text = format!(
            "bind {ip}\nport {port}\ndir {}\nlogfile {}\nsentinel monitor {MASTER} {} {} 1\n\
             sentinel auth-pass {MASTER} {PASSWORD}\nsentinel down-after-milliseconds {MASTER} 500\n\
             sentinel failover-timeout {MASTER} 6000\n",
            home.display(),
            log.display(),
            master.ip,
            master.port
        );
        let config = home.join("sentinel.conf");
        std::fs::write(&config, text).unwrap();
        let arguments = [config.display().to_string(), "--sentinel".to_owned()];
        let sentinel = Node { ip, port, log, server: spawn(&arguments) };
        until("the sentinel knows the replicas", || {
            // Each replica is a list whose second word is its name.
            sentinel.cli(&["sentinel", "replicas", MASTER]).matches("master-link-status\nok").count()
                == usize::from(replicas)
        });
        group.sentinel = Some(sentinel);
        group
    }

    /// A DSN that goes by the sentinel.
    pub fn dsn(&self) -> String {
        let sentinel = self.sentinel.as_ref().unwrap();
        format!("redis+sentinel://:{PASSWORD}@{}:{}/{MASTER}", sentinel.ip, sentinel.port)
    }
}

impl Node {
    fn server(home: &Path, ip: Ipv4Addr, port: u16, more: &[String]) -> Node {
        std::fs::create_dir(home).unwrap();
        let log = home.join("log");
        let mut arguments: Vec<String> =
            ["--bind", "--port", "--dir", "--logfile", "--requirepass", "--masterauth"]
                .into_iter()
                .zip([
                    ip.to_string(),
                    port.to_string(),
                    home.display().to_string(),
                    log.display().to_string(),
                    PASSWORD.to_owned(),
                    PASSWORD.to_owned(),
                ])
                .flat_map(|(name, value)| [name.to_owned(), value])
                .collect();
        // To the master, every replica here comes from 127.0.0.1.
        arguments.extend(["--replica-announce-ip".to_owned(), ip.to_string()]);
        arguments.extend_from_slice(more);
        let node = Node { ip, port, log, server: spawn(&arguments) };
        until("Redis answers", || node.cli(&["ping"]).contains("PONG"));
        node
    }

    /// What `redis-cli` says to a command.
    pub fn cli(&self, words: &[&str]) -> String {
        let (ip, port) = (self.ip.to_string(), self.port.to_string());
        let output = Command::new("redis-cli")
            .args(["-h", &ip, "-p", &port, "--no-auth-warning", "-a", PASSWORD])
            .args(words)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The same as a line of a script.
    pub fn script(&self, words: &str) -> String {
        format!("redis-cli -h {} -p {} --no-auth-warning -a {PASSWORD} {words}", self.ip, self.port)
    }

    /// A DSN of this server.
    pub fn dsn(&self) -> String {
        format!("redis://:{PASSWORD}@{}:{}", self.ip, self.port)
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    /// The wall-clock stamp, in seconds since 1970, of the first line of the log that holds `text`.
    pub fn logged(&self, text: &str) -> Option<f64> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let line = log.lines().find(|line| line.contains(text))?;
        // `4711:X 21 Nov 2026 14:00:00.123 # …`
        let mut words = line.split_whitespace().skip(1);
        let stamp = words.by_ref().take(4).collect::<Vec<_>>().join(" ");
        let time = jiff::civil::DateTime::strptime("%d %b %Y %H:%M:%S%.f", &stamp).unwrap();
        let zoned = time.to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        Some(zoned.timestamp().as_nanosecond() as f64 / 1e9)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn spawn(arguments: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    // The logs are read as UTC.
    command.args(arguments).env("TZ", "UTC").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

/// A port that is free on the addresses used here.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port()
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + READY_WITHIN;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {} s", READY_WITHIN.as_secs());
        std::thread::sleep(Duration::from_millis(30));
    }
}
