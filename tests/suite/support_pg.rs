//! A real PostgreSQL primary and standby on loopback, in a temporary folder, for one test.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record, RecordType};
use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;

/// The password of the superuser `postgres`.
pub const PASSWORD: &str = "hunter2";

const VERSIONS: &str = "/usr/lib/postgresql";
const READY_WITHIN: Duration = Duration::from_secs(20);

/// Whether PostgreSQL is here. Without it a test is skipped, loudly, unless
/// `FIREDRILL_REQUIRE_TESTBEDS=1` makes that a failure.
pub fn installed() -> bool {
    let here = binaries().is_some();
    let required = std::env::var("FIREDRILL_REQUIRE_TESTBEDS").is_ok_and(|value| value == "1");
    assert!(here || !required, "FIREDRILL_REQUIRE_TESTBEDS=1, but there is no PostgreSQL in {VERSIONS}");
    if !here {
        eprintln!("SKIPPED: no PostgreSQL in {VERSIONS}; tests/run.sh installs it");
    }
    here
}

/// Where the newest PostgreSQL's programs are.
pub fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?.flatten().map(|entry| entry.path().join("bin"));
    versions.filter(|bin| bin.join("postgres").exists()).max()
}

/// A primary, and perhaps a streaming standby, on one port of two loopback addresses.
pub struct Cluster {
    pub primary: Node,
    pub standby: Option<Node>,
    // Last, so that the servers are gone before their folder is.
    folder: TempDir,
}

pub struct Node {
    pub ip: Ipv4Addr,
    pub port: u16,
    pub data: PathBuf,
    server: Child,
}

impl Cluster {
    /// Starts a primary alone, with these lines added to its configuration.
    pub async fn primary(settings: &str) -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        give_away(folder.path());
        let secret = folder.path().join("password");
        std::fs::write(&secret, PASSWORD).unwrap();
        give_away(&secret);
        let data = folder.path().join("primary");
        let initdb =
            format!("-A scram-sha-256 -U postgres --no-sync --pwfile {} -D {}", show(&secret), show(&data));
        run(&folder, "initdb", &initdb);
        configure(&data, settings);
        let (ip, port) = (Ipv4Addr::new(127, 0, 0, 2), free_port());
        let primary = Node::start(&folder, data, ip, port).await;
        Cluster { primary, standby: None, folder }
    }

    /// Starts a primary and a standby that streams from it.
    pub async fn pair() -> Cluster {
        let mut cluster = Cluster::primary("").await;
        let data = cluster.folder.path().join("standby");
        let (from, port) = (cluster.primary.ip, cluster.primary.port);
        let copy =
            format!("-h {from} -p {port} -U postgres -X stream -c fast --no-sync -R -D {}", show(&data));
        run(&cluster.folder, "pg_basebackup", &copy);
        let standby = Node::start(&cluster.folder, data, Ipv4Addr::new(127, 0, 0, 3), port).await;
        cluster.standby = Some(standby);
        cluster
    }

    /// Makes the standby a primary.
    pub fn promote(&self) {
        let data = show(&self.standby.as_ref().unwrap().data);
        run(&self.folder, "pg_ctl", &format!("promote -w -D {data}"));
    }

    /// A file of this cluster's folder that its server can read.
    pub fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        give_away(&path);
        show(&path)
    }
}

impl Node {
    async fn start(folder: &TempDir, data: PathBuf, ip: Ipv4Addr, port: u16) -> Node {
        let log = std::fs::File::create(data.with_extension("log")).unwrap();
        let arguments = format!("-D {} -p {port} -h {ip} -c unix_socket_directories=", show(&data));
        let server = command(folder, "postgres", &arguments).stderr(log).spawn().unwrap();
        let node = Node { ip, port, data, server };
        let until = Instant::now() + READY_WITHIN;
        while node.try_connect().await.is_none() {
            assert!(Instant::now() < until, "{}", node.log());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        node
    }

    /// A DSN of the superuser.
    pub fn dsn(&self) -> String {
        self.dsn_at(&self.ip.to_string())
    }

    /// The same by another name.
    pub fn dsn_at(&self, host: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@{host}:{}/postgres", self.port)
    }

    /// A session of its own, to look and to meddle with.
    pub async fn session(&self) -> tokio_postgres::Client {
        self.try_connect().await.expect("PostgreSQL should accept a session")
    }

    async fn try_connect(&self) -> Option<tokio_postgres::Client> {
        let (client, connection) = tokio_postgres::connect(&self.dsn(), NoTls).await.ok()?;
        tokio::spawn(connection);
        Some(client)
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    /// Kills the server as a power loss would.
    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.data.with_extension("log")).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // SIGQUIT: immediate shutdown, which also ends the server's own processes.
        if let (Ok(None), Some(pid)) =
            (self.server.try_wait(), rustix::process::Pid::from_raw(self.server.id() as i32))
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
            let _ = self.server.wait();
        }
    }
}

fn configure(data: &Path, settings: &str) {
    let append = |file: &str, text: &str| {
        let mut file = std::fs::OpenOptions::new().append(true).open(data.join(file)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let small = "shared_buffers=16MB\nmax_wal_senders=3\nwal_level=replica\nhot_standby=on\nfsync=off\n";
    append("postgresql.conf", &format!("{small}{settings}\n"));
    append(
        "pg_hba.conf",
        "host replication all 127.0.0.0/8 scram-sha-256\nhost all all 127.0.0.0/8 scram-sha-256\n",
    );
}

/// A port that is free on the addresses used here.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port()
}

fn show(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn run(folder: &TempDir, program: &str, arguments: &str) {
    let output = command(folder, program, arguments).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// PostgreSQL refuses to run as root, so root runs it as `postgres`.
fn command(folder: &TempDir, program: &str, arguments: &str) -> Command {
    let program = show(&binaries().expect("PostgreSQL is installed").join(program));
    let mut command = match rustix::process::getuid().is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", &program]);
            command
        }
        false => Command::new(program),
    };
    command.args(arguments.split(' ')).current_dir(folder.path()).env("PGPASSWORD", PASSWORD);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn give_away(path: &Path) {
    if rustix::process::getuid().is_root() {
        let id = |flag| {
            let output = Command::new("id").args([flag, "postgres"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
        };
        chown(path, Some(id("-u")), Some(id("-g"))).unwrap();
    }
}

/// A DNS server with one name that can be moved.
pub struct Names {
    pub address: SocketAddr,
    points_to: Arc<Mutex<Ipv4Addr>>,
    task: JoinHandle<()>,
}

impl Names {
    /// Serves `name` with a TTL of 1 s.
    pub async fn serve(name: &'static str, ip: Ipv4Addr) -> Names {
        let points_to = Arc::new(Mutex::new(ip));
        let current = points_to.clone();
        let socket = UdpSocket::bind((IpAddr::from(Ipv4Addr::LOCALHOST), 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let asked = question.queries[0].clone();
                let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
                answer.add_query(asked.clone());
                if asked.name().to_ascii().trim_end_matches('.') != name {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                } else if asked.query_type() == RecordType::A {
                    let ip = *current.lock().unwrap();
                    answer.add_answer(Record::from_rdata(asked.name().clone(), 1, RData::A(A(ip))));
                }
                socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
            }
        });
        Names { address, points_to, task }
    }

    /// Moves the name.
    pub fn flip(&self, ip: Ipv4Addr) {
        *self.points_to.lock().unwrap() = ip;
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.task.abort();
    }
}
