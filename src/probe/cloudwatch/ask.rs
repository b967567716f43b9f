//! Reading a metric and judging its newest whole period.

use std::time::Duration;

use async_trait::async_trait;

use super::CloudWatch;
use crate::aws::metrics::{Datapoint, Metric, Metrics};
use crate::aws::{Fault, FaultKind};
use crate::clock::Clock;
use crate::notation::units;
use crate::probe::deadline::within;
use crate::probe::trace::{Terms, Trace};
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Opening};
use crate::sample::{Cause, Class};

/// A `cloudwatch` probe, ready to ask.
pub(crate) struct CloudWatchAsk {
    probe: CloudWatch,
    metrics: Metrics,
    metric: Metric,
    terms: Terms,
}

impl CloudWatchAsk {
    pub(crate) fn open(probe: &CloudWatch, opening: &Opening) -> Result<CloudWatchAsk, String> {
        let Some(metrics) = opening.metrics.clone() else {
            return Err("it reads from AWS, and no environment was given: name one with --env".to_owned());
        };
        let dimensions = probe.dimensions.iter().flatten();
        let metric = Metric {
            namespace: probe.namespace.clone(),
            name: probe.metric.clone(),
            dimensions: dimensions.map(|(name, value)| (name.clone(), value.clone())).collect(),
            statistic: probe.statistic.word().to_owned(),
            period: probe.period.0,
        };
        let terms = Terms { timeout: probe.timeout, slower_than: None };
        Ok(CloudWatchAsk { probe: probe.clone(), metrics, metric, terms })
    }

    async fn look(&self, trace: &mut Trace, clock: &Clock) -> Result<u16, Trouble> {
        let now = clock.wall(clock.now()).as_second();
        let period = i64::try_from(self.probe.period.0.as_secs()).unwrap_or(i64::MAX).max(1);
        // A period that is not over has said only a part of what it will say.
        let until = now - now.rem_euclid(period);
        let oldest = i64::try_from(self.probe.oldest().as_secs()).unwrap_or(i64::MAX);
        let from = now.saturating_sub(oldest).saturating_sub(period);
        let found = self.metrics.datapoints(&self.metric, from, until).await;
        let found = found.map_err(|fault| trouble(&fault))?;
        trace.who = Some(self.metrics.name().into());
        judge(&self.probe, &found, now)
    }
}

/// The newest of the datapoints decides.
pub(super) fn judge(probe: &CloudWatch, found: &[Datapoint], now: i64) -> Result<u16, Trouble> {
    let wrong = |text: String| Err(Trouble::new(Class::Wrong, Cause::Content, text));
    let period = i64::try_from(probe.period.0.as_secs()).unwrap_or(i64::MAX);
    let oldest = i64::try_from(probe.oldest().as_secs()).unwrap_or(i64::MAX);
    let age = |point: &Datapoint| now.saturating_sub(point.begins.saturating_add(period));
    let newest =
        found.iter().filter(|point| (0..=oldest).contains(&age(point))).max_by_key(|point| point.begins);
    let metric = format!("{} {}", probe.namespace, probe.metric);
    let Some(newest) = newest else {
        return wrong(format!(
            "no datapoint of {metric} for a whole period in the last {}: check its dimensions, which must all be \
             named, and that something reports it",
            units::show(probe.oldest())
        ));
    };
    let bounds = probe.bounds();
    match bounds.hold(newest.value) {
        true => Ok(0),
        false => wrong(format!(
            "{} of {metric} is {}, expected {bounds} (the period ended {} ago)",
            probe.statistic.word(),
            newest.value,
            units::show(Duration::from_secs(age(newest).unsigned_abs()))
        )),
    }
}

/// What a call that gave no answer says: of the service nothing, where AWS had only enough of us.
pub(super) fn trouble(fault: &Fault) -> Trouble {
    let (class, cause) = match fault.kind {
        FaultKind::Throttled | FaultKind::Guarded => (Class::Void, Cause::Local),
        FaultKind::Denied | FaultKind::NoCredentials => (Class::FailFast, Cause::Denied),
        FaultKind::Unreachable => (Class::FailFast, Cause::Unreachable),
        FaultKind::Late => (Class::Timeout, Cause::Timeout),
        FaultKind::Unclear => (Class::FailFast, Cause::ServerError),
        FaultKind::Refused | FaultKind::Absent => (Class::Wrong, Cause::Status),
    };
    Trouble::new(class, cause, fault.to_string())
}

#[async_trait]
impl Ask for CloudWatchAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let mut trace = Trace::default();
        let sent = clock.now();
        let outcome = within(self.terms.timeout, clock, self.look(&mut trace, clock)).await;
        trace.conclude(self.terms, sent, clock.now(), outcome)
    }

    fn deadline(&self) -> Duration {
        self.terms.timeout
    }
}
