//! Shaking hands, and reading the certificate that came with it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use x509_parser::parse_x509_certificate;

use super::handshake::{handshake, server_name, trust};
use super::{Tls, Version, lasting};
use crate::clock::Clock;
use crate::probe::connect::{Reached, connect};
use crate::probe::resolve::Resolver;
use crate::probe::tls;
use crate::probe::trace::{Terms, Trace};
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Opening};
use crate::sample::{Cause, Class};

/// A `tls` probe, ready to ask.
pub(crate) struct TlsAsk {
    tls: Tls,
    config: ClientConfig,
    name: ServerName<'static>,
    resolver: Arc<Resolver>,
}

impl TlsAsk {
    pub(crate) fn open(tls: &Tls, opening: &Opening) -> Result<TlsAsk, String> {
        let versions: &[&rustls::SupportedProtocolVersion] = match tls.version {
            Some(Version::Tls12) => &[&TLS12],
            Some(Version::Tls13) => &[&TLS13],
            None => &[&TLS12, &TLS13],
        };
        let mut config = tls::client_with(trust(tls.insecure, tls.ca_file.as_ref()), versions)?;
        // A resumed session shows no certificate: it would hide the one that is served now.
        config.resumption = Resumption::disabled();
        Ok(TlsAsk {
            tls: tls.clone(),
            config,
            name: server_name(tls.server_name.as_ref(), &tls.address.host)?,
            resolver: opening.resolver.clone(),
        })
    }

    async fn look(&self, trace: &mut Trace, clock: &Clock) -> Result<u16, Trouble> {
        let Reached { stream, phases, .. } =
            connect(&self.resolver, &self.tls.address, self.tls.connect_timeout).await?;
        trace.phases = phases;
        let mut config = self.config.clone();
        config.time_provider = Arc::new(RunTime(*clock));
        let (stream, took) =
            handshake(Arc::new(config), self.name.clone(), stream, self.tls.tls_timeout, clock).await?;
        trace.phases.tls = took;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let Some(own) = chain.first() else {
            return Err(Trouble::new(Class::FailFast, Cause::Tls, "the server showed no certificate"));
        };
        let certificate = Certificate::read(own)?;
        trace.who = Some(certificate.serial.as_str().into());
        match self.tls.expires_in {
            Some(least) => certificate.lasts(least, clock.wall(clock.now())).map(|()| 0),
            None => Ok(0),
        }
    }
}

/// What is of interest in a certificate.
struct Certificate {
    serial: String,
    until: Timestamp,
}

impl Certificate {
    fn read(der: &[u8]) -> Result<Certificate, Trouble> {
        let unreadable = |why: String| {
            Trouble::new(Class::Wrong, Cause::Content, format!("the certificate cannot be read: {why}"))
        };
        let (_, parsed) = parse_x509_certificate(der).map_err(|error| unreadable(error.to_string()))?;
        let until = Timestamp::from_second(parsed.validity().not_after.timestamp())
            .map_err(|error| unreadable(error.to_string()))?;
        Ok(Certificate { serial: format!("serial {}", parsed.raw_serial_as_string()), until })
    }

    fn lasts(&self, least: Duration, now: Timestamp) -> Result<(), Trouble> {
        let left = self.until.duration_since(now);
        if SignedDuration::try_from(least).is_ok_and(|least| left >= least) {
            return Ok(());
        }
        let Certificate { serial, until } = self;
        let when = match Duration::try_from(left) {
            Ok(left) => format!("expires in {}", lasting(left)),
            Err(_) => "has expired".to_owned(),
        };
        let text = format!("the certificate ({serial}) {when}, at {until}; expected {} more", lasting(least));
        Err(Trouble::new(Class::Wrong, Cause::Content, text))
    }
}

/// The run's clock, for the check of a certificate's dates: the wall clock is read once in a run.
#[derive(Debug)]
struct RunTime(Clock);

impl TimeProvider for RunTime {
    fn current_time(&self) -> Option<UnixTime> {
        let now = self.0.wall(self.0.now()).as_second();
        u64::try_from(now).ok().map(|now| UnixTime::since_unix_epoch(Duration::from_secs(now)))
    }
}

#[async_trait]
impl Ask for TlsAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let mut trace = Trace::default();
        let sent = clock.now();
        let outcome = self.look(&mut trace, clock).await;
        let terms = Terms { timeout: self.deadline(), slower_than: None };
        trace.conclude(terms, sent, clock.now(), Ok(outcome))
    }

    fn deadline(&self) -> Duration {
        self.tls.deadline()
    }
}
