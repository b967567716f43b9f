//! Asking Prometheus.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Client;
use tokio::time::Instant;

use super::answer::{self, Point};
use super::{Expect, Prometheus, query};
use crate::clock::Clock;
use crate::probe::connect::micros;
use crate::probe::deadline::within;
use crate::probe::http::client::{self, Settings, classify};
use crate::probe::trace::{Terms, Trace};
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Opening};
use crate::sample::{Cause, Class};

/// How much of an answer is read.
const MOST_BODY: usize = 4 << 20;

/// A `prometheus` probe, ready to ask.
pub struct PrometheusAsk {
    client: Client,
    url: reqwest::Url,
    /// Asks for the times of the samples, when their age matters.
    ages: Option<(reqwest::Url, Duration)>,
    expect: Option<Expect>,
    terms: Terms,
}

impl PrometheusAsk {
    pub(crate) fn open(prometheus: &Prometheus, opening: &Opening) -> Result<PrometheusAsk, String> {
        let settings = Settings {
            url: prometheus.url.clone(),
            headers: client::headers(prometheus.headers.as_ref())?,
            tls: prometheus.tls.clone(),
            connect_timeout: prometheus.connect_timeout.min(prometheus.timeout),
            redirects: false,
            keep: false,
            resolver: opening.resolver.clone(),
        };
        let base = settings.target()?;
        let limit = prometheus.expect.as_ref().and_then(|expect| expect.max_age);
        let ages = match limit {
            Some(_) if !query::plain_series(&prometheus.query) => {
                return Err(format!(
                    "`max_age` needs a plain series, and `{}` computes something: what is computed has no age; \
                     ask for the series in a probe of its own",
                    prometheus.query
                ));
            }
            Some(limit) => Some((endpoint(&base, &format!("timestamp({})", prometheus.query)), limit)),
            None => None,
        };
        Ok(PrometheusAsk {
            client: settings.client()?,
            url: endpoint(&base, &prometheus.query),
            ages,
            expect: prometheus.expect.clone(),
            terms: Terms { timeout: prometheus.timeout, slower_than: None },
        })
    }

    async fn look(&self, trace: &mut Trace) -> Result<u16, Trouble> {
        let points = self.points(&self.url, trace).await?;
        answer::judge(&points, self.expect.as_ref())?;
        if let Some((url, limit)) = &self.ages {
            let mut second = Trace::default();
            answer::fresh(&self.points(url, &mut second).await?, *limit)?;
        }
        Ok(200)
    }

    /// What the query gives now: each series with its value. The error is for people.
    pub(crate) async fn values(&self) -> Result<Vec<(String, f64)>, String> {
        let mut trace = Trace::default();
        let asked = tokio::time::timeout(self.terms.timeout, self.points(&self.url, &mut trace)).await;
        match asked {
            Ok(Ok(points)) => Ok(points.into_iter().map(|point| (point.series, point.value)).collect()),
            Ok(Err(trouble)) => Err(trouble.detail),
            Err(_) => {
                let limit = crate::notation::units::show(self.terms.timeout);
                Err(format!("Prometheus did not answer within {limit}"))
            }
        }
    }

    async fn points(&self, url: &reqwest::Url, trace: &mut Trace) -> Result<Vec<Point>, Trouble> {
        let begun = Instant::now();
        let mut response = self.client.get(url.clone()).send().await.map_err(|error| classify(&error))?;
        trace.phases.first_byte = micros(begun);
        trace.who = response.remote_addr().map(|peer| peer.to_string().into());
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error).code(status))? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST_BODY {
                let text = format!(
                    "the answer is larger than {} MiB: let the query give fewer series",
                    MOST_BODY >> 20
                );
                return Err(Trouble::new(Class::Wrong, Cause::Content, text).code(status));
            }
        }
        answer::read(status, &body)
    }
}

fn endpoint(base: &reqwest::Url, query: &str) -> reqwest::Url {
    let mut url = base.clone();
    let path = format!("{}/api/v1/query", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url.query_pairs_mut().append_pair("query", query);
    url
}

#[async_trait]
impl Ask for PrometheusAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let mut trace = Trace::default();
        let sent = clock.now();
        let outcome = within(self.terms.timeout, clock, self.look(&mut trace)).await;
        trace.conclude(self.terms, sent, clock.now(), outcome)
    }

    fn deadline(&self) -> Duration {
        self.terms.timeout
    }
}
