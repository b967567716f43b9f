//! CloudWatch metrics, to be read.

use std::fmt;
use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::types::Dimension;
use aws_smithy_types::DateTime;

use super::{Aws, Fault};

pub(crate) const OPERATION: &str = "cloudwatch:GetMetricStatistics";

/// A reader of metrics, in one region with one identity.
#[derive(Clone)]
pub struct Metrics {
    client: Client,
    region: String,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metrics({})", self.region)
    }
}

/// A metric and what is made of it.
#[derive(Clone, Debug)]
pub(crate) struct Metric {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: Vec<(String, String)>,
    /// One of the plain statistics, or a percentile.
    pub(crate) statistic: String,
    pub(crate) period: Duration,
}

/// The statistic of one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Datapoint {
    /// When the period begins, in seconds of the Unix epoch.
    pub(crate) begins: i64,
    pub(crate) value: f64,
}

impl Aws {
    /// A reader of metrics.
    pub fn metrics(&self) -> Metrics {
        Metrics { client: self.cloudwatch().clone(), region: self.region().to_owned() }
    }
}

impl Metrics {
    /// Who is asked, for people.
    pub(crate) fn name(&self) -> String {
        format!("CloudWatch in {}", self.region)
    }

    /// The datapoints of the periods that begin from `from` until before `until`, in seconds of the
    /// Unix epoch. Asked once: a sample that is repeated inside would hide that the first call failed.
    pub(crate) async fn datapoints(
        &self,
        metric: &Metric,
        from: i64,
        until: i64,
    ) -> Result<Vec<Datapoint>, Fault> {
        let Metric { namespace, name, dimensions, statistic, period } = metric;
        let dimensions =
            dimensions.iter().map(|(name, value)| Dimension::builder().name(name).value(value).build());
        let call = self
            .client
            .get_metric_statistics()
            .namespace(namespace)
            .metric_name(name)
            .set_dimensions(Some(dimensions.collect()))
            .start_time(DateTime::from_secs(from))
            .end_time(DateTime::from_secs(until))
            .period(i32::try_from(period.as_secs()).unwrap_or(i32::MAX));
        let percentile = statistic.starts_with('p');
        let call = match percentile {
            true => call.extended_statistics(statistic),
            false => call.statistics(statistic.as_str().into()),
        };
        let once = aws_sdk_cloudwatch::config::Builder::new().retry_config(RetryConfig::disabled());
        let answer = call.customize().config_override(once).send().await;
        let answer = answer.map_err(|error| Fault::read(OPERATION, &format!("{namespace} {name}"), error))?;
        let read = answer.datapoints().iter().filter_map(|point| {
            let value = match statistic.as_str() {
                "Average" => point.average(),
                "Sum" => point.sum(),
                "Minimum" => point.minimum(),
                "Maximum" => point.maximum(),
                "SampleCount" => point.sample_count(),
                percentile => point.extended_statistics().and_then(|all| all.get(percentile)).copied(),
            };
            Some(Datapoint { begins: point.timestamp()?.secs(), value: value? })
        });
        Ok(read.collect())
    }
}
