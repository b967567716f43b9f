//! A real MariaDB primary and its replica on loopback, in a temporary folder, for one test.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support_redis::{free_port, here, until};

/// The password of the user `app`, who may do all in the database `drill` and nothing else.
pub const PASSWORD: &str = "hunter2";

/// Whether MariaDB is here.
pub fn installed() -> bool {
    here(&["mariadbd", "mariadb-install-db", "mariadb"])
}

/// A primary, and perhaps a replica, on one port of two loopback addresses.
pub struct Pair {
    pub primary: Node,
    pub replica: Option<Node>,
    // Last, so that the servers are gone before their folder is.
    _folder: TempDir,
}

/// One server.
pub struct Node {
    pub ip: Ipv4Addr,
    pub port: u16,
    pub socket: PathBuf,
    server: Child,
}

impl Pair {
    /// Starts a primary alone.
    pub fn primary() -> Pair {
        Pair::start(false, &[])
    }

    /// Starts a primary and a replica that is read-only and follows it. With `semi_sync`, a commit waits for the replica.
    pub fn replicated(semi_sync: bool) -> Pair {
        let settings = ["--rpl-semi-sync-master-enabled=1", "--rpl-semi-sync-master-wait-point=AFTER_SYNC"];
        // Short, for what is written before there is a replica.
        let more = ["--rpl-semi-sync-master-timeout=100"];
        match semi_sync {
            true => Pair::start(true, &[&settings[..], &more].concat()),
            false => Pair::start(true, &[]),
        }
    }

    fn start(replicated: bool, settings: &[&str]) -> Pair {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("primary");
        let install = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", empty.display()))
            .args(as_root())
            .output()
            .unwrap();
        assert!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));
        let copy = folder.path().join("replica");
        if replicated {
            let copied = Command::new("cp").arg("-a").args([&empty, &copy]).status().unwrap();
            assert!(copied.success());
        }
        let port = free_port();
        let primary = Node::start(&empty, Ipv4Addr::new(127, 0, 0, 2), port, 1, settings);
        primary.sql(&format!(
            "create database drill; create user app@'127.%' identified by '{PASSWORD}'; \
             grant all on drill.* to app@'127.%'; create user follower@'127.%' identified by '{PASSWORD}'; \
             grant replication slave on *.* to follower@'127.%';"
        ));
        let replica = replicated.then(|| {
            let ip = Ipv4Addr::new(127, 0, 0, 3);
            let settings = ["--read-only=1", "--rpl-semi-sync-slave-enabled=1"];
            let replica = Node::start(&copy, ip, port, 2, &settings);
            replica.sql(&format!(
                "change master to master_host='{}', master_port={port}, master_user='follower', \
                 master_password='{PASSWORD}', master_use_gtid=slave_pos; start slave;",
                primary.ip
            ));
            until("the replica follows", || {
                replica.sql("select count(*) from mysql.db where db = 'drill'").trim() == "1"
            });
            replica
        });
        if !settings.is_empty() {
            primary.sql("set global rpl_semi_sync_master_timeout = 60000");
            until("a commit waits for the replica", || {
                primary.sql("show status like 'rpl_semi_sync_master_status'").contains("ON")
            });
        }
        Pair { primary, replica, _folder: folder }
    }
}

impl Node {
    fn start(data: &Path, ip: Ipv4Addr, port: u16, id: u8, settings: &[&str]) -> Node {
        let socket = data.with_extension("sock");
        let log = std::fs::File::create(data.with_extension("log")).unwrap();
        let server = Command::new("mariadbd")
            .args(["--no-defaults", "--skip-name-resolve", "--log-bin", "--innodb-buffer-pool-size=16M"])
            .args([format!("--datadir={}", data.display()), format!("--socket={}", socket.display())])
            .args([format!("--bind-address={ip}"), format!("--port={port}"), format!("--server-id={id}")])
            .args(settings)
            .args(as_root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let node = Node { ip, port, socket, server };
        until("MariaDB answers", || node.try_sql("select 1").is_some());
        node
    }

    /// What root's client says to some statements.
    pub fn sql(&self, statements: &str) -> String {
        self.try_sql(statements).unwrap_or_else(|| panic!("refused: {statements}"))
    }

    fn try_sql(&self, statements: &str) -> Option<String> {
        let output = Command::new("mariadb")
            .args(["--no-defaults", "-uroot", "-N", "-B"])
            .arg(format!("--socket={}", self.socket.display()))
            .args(["-e", statements])
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The same as a line of a script.
    pub fn script(&self, statements: &str) -> String {
        format!("mariadb --no-defaults -uroot --socket={} -e {statements:?}", self.socket.display())
    }

    /// A DSN of the user `app`.
    pub fn dsn(&self) -> String {
        self.dsn_at(&self.ip.to_string())
    }

    /// The same by another name.
    pub fn dsn_at(&self, host: &str) -> String {
        format!("mysql://app:{PASSWORD}@{host}:{}/drill", self.port)
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.server.id()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// MariaDB refuses to run as root unless it is told to.
fn as_root() -> Option<&'static str> {
    rustix::process::getuid().is_root().then_some("--user=root")
}
