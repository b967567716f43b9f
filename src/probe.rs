//! Probes: what a client would see, asked on a fixed schedule.
//!
//! Open model: sample *i* is due at `t0 + i·every`, whatever happened to the one before. A probe
//! is asked once per sample and answers with one [`Answer`]; it never retries, never caches a
//! name, never prints, and knows nothing of runs or objectives.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::aws::DataPlane;
use crate::aws::metrics::Metrics;
use crate::choice;
use crate::clock::{Clock, Moment};
use crate::journal::IntentSlot;
use crate::run::event::{DnsFacts, Reading};
use crate::sample::{Cause, Class, Phases};

pub mod bounds;
mod cloud;
pub mod cloudwatch;
pub mod command;
mod connect;
mod deadline;
pub mod dns;
pub mod dynamodb_ledger;
#[cfg(test)]
mod fixture;
pub mod grpc;
pub mod http;
pub mod http_ledger;
mod kept;
mod ledger;
pub mod mysql;
pub mod mysql_ledger;
pub mod pace;
mod permissions;
pub mod postgres;
pub mod postgres_ledger;
pub mod prober;
pub mod prometheus;
pub mod redis;
pub mod redis_ledger;
mod resolve;
pub mod s3_ledger;
mod store_url;
pub mod tcp;
mod tls;
pub mod tls_check;
mod trace;
mod trouble;
mod variant;

pub use resolve::Resolver;
pub use variant::Variant;

choice! {
    /// What a probe asks of the service.
    pub enum Probe: "probe kind", UnknownProbeKind {
        "http" => Http(http::Http),
        "tcp" => Tcp(tcp::Tcp),
        "dns" => Dns(dns::Dns),
        "grpc" => Grpc(grpc::Grpc),
        "tls" => Tls(tls_check::Tls),
        "command" => Command(command::Command),
        "prometheus" => Prometheus(prometheus::Prometheus),
        "cloudwatch" => CloudWatch(cloudwatch::CloudWatch),
        "postgres" => Postgres(postgres::Postgres),
        "postgres.ledger" => PostgresLedger(postgres_ledger::PostgresLedger),
        "http.ledger" => HttpLedger(http_ledger::HttpLedger),
        "mysql" => Mysql(mysql::Mysql),
        "mysql.ledger" => MysqlLedger(mysql_ledger::MysqlLedger),
        "redis" => Redis(redis::Redis),
        "redis.ledger" => RedisLedger(redis_ledger::RedisLedger),
        "dynamodb.ledger" => DynamodbLedger(dynamodb_ledger::DynamodbLedger),
        "s3.ledger" => S3Ledger(s3_ledger::S3Ledger),
    }
}

/// What probes need to know of the run that they are opened for.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The run's id: ledgers mark their entries with it.
    pub run_id: String,
    /// Whom to ask for names.
    pub resolver: Arc<Resolver>,
    /// Who reads CloudWatch's metrics, when there is an environment.
    pub metrics: Option<Metrics>,
    /// The probe's name, to tell the ledgers of one run apart; empty for a verification.
    pub probe: String,
    /// Clients for the stores that ledgers write to, when there is an environment.
    pub data: Option<DataPlane>,
}

impl Opening {
    /// For a probe that needs nothing but names.
    pub fn new(run_id: impl Into<String>, resolver: Resolver) -> Opening {
        Opening {
            run_id: run_id.into(),
            resolver: Arc::new(resolver),
            probe: String::new(),
            metrics: None,
            data: None,
        }
    }

    /// What a ledger marks its entries with.
    pub(crate) fn mark(&self) -> String {
        let Opening { run_id, probe, .. } = self;
        if probe.is_empty() { run_id.clone() } else { format!("{run_id}-{probe}") }
    }

    /// When a ledger's final read may begin. The lab's time is scaled down, and so is this.
    pub(crate) fn rules(&self, settle: Option<Duration>, every: Option<Duration>) -> ledger::Rules {
        let lab = self.data.as_ref().is_some_and(DataPlane::in_lab);
        let (standard, between) = if lab { (1000, 500) } else { (30_000, 5000) };
        ledger::Rules {
            settle: settle.unwrap_or(Duration::from_millis(standard)),
            every: every.unwrap_or(Duration::from_millis(between)),
        }
    }
}

impl Probe {
    /// Makes it ready to be asked. Connects to nothing yet, but reads certificate files.
    pub fn open(&self, opening: &Opening) -> Result<Arc<dyn Ask>, String> {
        if self.deadline().is_zero() {
            return Err("a timeout of 0 leaves no time for any answer".to_owned());
        }
        Ok(match self {
            Probe::Http(http) => Arc::new(http::ask::HttpAsk::open(http, opening)?),
            Probe::Tcp(tcp) => Arc::new(tcp::ask::TcpAsk::open(tcp, opening)),
            Probe::Dns(dns) => Arc::new(dns::ask::DnsAsk::open(dns, opening)?),
            Probe::Grpc(grpc) => Arc::new(grpc::ask::GrpcAsk::open(grpc, opening)?),
            Probe::Tls(tls) => Arc::new(tls_check::ask::TlsAsk::open(tls, opening)?),
            Probe::Command(command) => Arc::new(command::ask::CommandAsk::open(command)?),
            Probe::Prometheus(prometheus) => {
                Arc::new(prometheus::ask::PrometheusAsk::open(prometheus, opening)?)
            }
            Probe::CloudWatch(cloudwatch) => {
                Arc::new(cloudwatch::ask::CloudWatchAsk::open(cloudwatch, opening)?)
            }
            Probe::Postgres(postgres) => Arc::new(postgres::ask::PostgresAsk::open(postgres, opening)?),
            Probe::PostgresLedger(ledger) => {
                Arc::new(postgres_ledger::PostgresLedgerAsk::open(ledger, opening)?)
            }
            Probe::HttpLedger(ledger) => Arc::new(http_ledger::HttpLedgerAsk::open(ledger, opening)?),
            Probe::Mysql(mysql) => Arc::new(mysql::ask::MysqlAsk::open(mysql, opening)?),
            Probe::MysqlLedger(ledger) => Arc::new(mysql_ledger::MysqlLedgerAsk::open(ledger, opening)?),
            Probe::Redis(redis) => Arc::new(redis::ask::RedisAsk::open(redis, opening)?),
            Probe::RedisLedger(ledger) => Arc::new(redis_ledger::RedisLedgerAsk::open(ledger, opening)?),
            Probe::DynamodbLedger(ledger) => {
                Arc::new(dynamodb_ledger::DynamodbLedgerAsk::open(ledger, opening)?)
            }
            Probe::S3Ledger(ledger) => Arc::new(s3_ledger::S3LedgerAsk::open(ledger, opening)?),
        })
    }

    /// One line for people: what is asked of whom. Passwords are hidden.
    pub fn summary(&self) -> String {
        match self {
            Probe::Http(http) => http.summary(),
            Probe::Tcp(tcp) => tcp.summary(),
            Probe::Dns(dns) => dns.summary(),
            Probe::Grpc(grpc) => grpc.summary(),
            Probe::Tls(tls) => tls.summary(),
            Probe::Command(command) => command.summary(),
            Probe::Prometheus(prometheus) => prometheus.summary(),
            Probe::CloudWatch(cloudwatch) => cloudwatch.summary(),
            Probe::Postgres(postgres) => postgres.summary(),
            Probe::PostgresLedger(ledger) => ledger.summary(),
            Probe::HttpLedger(ledger) => ledger.summary(),
            Probe::Mysql(mysql) => mysql.summary(),
            Probe::MysqlLedger(ledger) => ledger.summary(),
            Probe::Redis(redis) => redis.summary(),
            Probe::RedisLedger(ledger) => ledger.summary(),
            Probe::DynamodbLedger(ledger) => ledger.summary(),
            Probe::S3Ledger(ledger) => ledger.summary(),
        }
    }

    /// How to read its answers, when it asks name servers.
    pub fn dns_facts(&self) -> Option<DnsFacts> {
        match self {
            Probe::Dns(dns) => Some(dns.facts()),
            _ => None,
        }
    }

    /// Whether it writes numbered entries that are read back in the end.
    pub fn is_ledger(&self) -> bool {
        self.name().ends_with(".ledger")
    }

    /// Whether it asks AWS, and so needs an environment.
    pub fn asks_aws(&self) -> bool {
        matches!(self, Probe::CloudWatch(_) | Probe::DynamodbLedger(_) | Probe::S3Ledger(_))
    }

    /// The spacing of a kind's samples when a file does not say it.
    pub fn usual_spacing(kind: &str) -> Duration {
        match kind {
            "command" => Duration::from_secs(1),
            "prometheus" => Duration::from_secs(5),
            "cloudwatch" => Duration::from_secs(30),
            _ => Duration::from_millis(100),
        }
    }

    /// The shortest spacing of a kind's samples: what asking costs, here or there, sets it.
    pub fn shortest_spacing(kind: &str) -> Duration {
        match kind {
            // A process each time.
            "command" | "prometheus" => Duration::from_millis(250),
            // Paid by the call, and limited for the whole account.
            "cloudwatch" => Duration::from_secs(5),
            _ => Duration::from_millis(10),
        }
    }

    /// The longest that one asking can take.
    pub fn deadline(&self) -> Duration {
        match self {
            Probe::Http(http) => http.timeout,
            Probe::Tcp(tcp) => tcp.deadline(),
            Probe::Dns(dns) => dns.timeout,
            Probe::Grpc(grpc) => grpc.timeout,
            Probe::Tls(tls) => tls.deadline(),
            Probe::Command(command) => command.timeout,
            Probe::Prometheus(prometheus) => prometheus.timeout,
            Probe::CloudWatch(cloudwatch) => cloudwatch.timeout,
            Probe::Postgres(postgres) => postgres.timeout,
            Probe::PostgresLedger(ledger) => ledger.timeout,
            Probe::HttpLedger(ledger) => ledger.timeout,
            Probe::Mysql(mysql) => mysql.timeout,
            Probe::MysqlLedger(ledger) => ledger.timeout,
            Probe::Redis(redis) => redis.timeout,
            Probe::RedisLedger(ledger) => ledger.timeout,
            Probe::DynamodbLedger(ledger) => ledger.timeout,
            Probe::S3Ledger(ledger) => ledger.timeout,
        }
    }
}

/// What goes on after a deadline: whether a good answer came after all.
#[derive(Default)]
pub struct Rest(Option<BoxFuture<'static, bool>>);

impl Rest {
    /// Goes on with this work.
    pub fn of(work: impl Future<Output = bool> + Send + 'static) -> Rest {
        Rest(Some(work.boxed()))
    }

    /// The work, if there is any.
    pub(crate) fn work(self) -> Option<BoxFuture<'static, bool>> {
        self.0
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Rest(under way)" } else { "Rest(none)" })
    }
}

/// The answer to one asking.
#[derive(Debug)]
pub struct Answer {
    /// When the first byte or SYN was sent.
    pub sent: Moment,
    /// When the outcome was known.
    pub done: Moment,
    /// The outcome.
    pub class: Class,
    /// Why, when it was not good.
    pub cause: Cause,
    /// The protocol's own code, else 0.
    pub code: u16,
    /// One line for people: the error, secrets redacted. Kept for the first of each kind.
    pub detail: Option<String>,
    /// Who answered, in the server's own words where it has any (a header, a server id), else its
    /// address. `None` when nobody did.
    pub who: Option<Arc<str>>,
    /// How long its parts took.
    pub phases: Phases,
    /// For a sample that timed out: the socket is kept, and what comes over it late is noted.
    pub rest: Rest,
}

/// A probe that is ready to be asked: connected to nothing, holding its settings.
#[async_trait]
pub trait Ask: Send + Sync {
    /// Asks once. Returns by [`Ask::deadline`] after the call at the latest.
    /// `seq` numbers the sample; a ledger writes that number.
    async fn ask(&self, seq: u32, clock: &Clock) -> Answer;

    /// The longest that one asking can take.
    fn deadline(&self) -> Duration;

    /// Whether one asking takes so little of the processor (microseconds: no handshake, no hashing) that it may
    /// be done on the thread that paces all probes.
    fn light(&self) -> bool {
        false
    }

    /// Whether asking writes: then a missing answer means *unknown* ([`Class::Info`]), not *down*.
    fn writes(&self) -> bool {
        false
    }

    /// Whom an idle connection beside the probe would be with; `None` where there is no such thing.
    fn post(&self) -> Option<prober::sentinel::Post> {
        None
    }

    /// Before the first sample: what must exist (a ledger's table). The error is for people.
    async fn prepare(&self) -> Result<(), String> {
        Ok(())
    }

    /// A ledger's attempts are to be written down here before they are made.
    fn journal(&self, _intents: IntentSlot) {}

    /// What a ledger does beside its writes while it is probed: light reads, looks at the old
    /// primary. Runs until it is dropped; what it finds is told by [`Ask::read_back`].
    async fn attend(&self, _clock: &Clock) {}

    /// A ledger's final read, from the authoritative writer; `None` for a probe that is none.
    async fn read_back(&self, _clock: &Clock) -> Option<Reading> {
        None
    }

    /// How long the final read may take.
    fn read_within(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// A probe of a run: what the prober schedules.
#[derive(Clone)]
pub struct Lane {
    /// The probe's name, for messages.
    pub name: String,
    /// Spacing of the samples.
    pub every: Duration,
    /// Spacing of the samples in between while an outage is on, to date its end more closely.
    pub edge_every: Option<Duration>,
    /// Whether an idle connection is held beside it, to see when it is lost.
    pub sentinel: bool,
    /// Whom to ask.
    pub ask: Arc<dyn Ask>,
}

#[cfg(test)]
mod tests;
