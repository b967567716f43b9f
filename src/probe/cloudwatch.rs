//! `cloudwatch`: what a CloudWatch metric said of its last whole period.

use std::time::Duration;

use indexmap::IndexMap;

use super::bounds::{Bounds, Number};
use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode};
use crate::notation::units;
use crate::notation::yaml::Node;
use crate::record;

pub(crate) mod ask;

record! {
    /// Reads a CloudWatch metric (`GetMetricStatistics`); good when the newest whole period has a datapoint and
    /// it keeps the bounds. No datapoint is a wrong answer. Its answers are as coarse as the period
    /// and come later still: let another probe decide the RTO. Needs `cloudwatch:GetMetricStatistics`.
    pub struct CloudWatch {
        /// The metric's namespace, such as `AWS/ApplicationELB`.
        pub namespace: String,
        /// The metric's name, such as `HTTPCode_ELB_5XX_Count`.
        pub metric: String,
        /// All of the metric's dimensions, by name.
        pub dimensions: Option<IndexMap<String, String>>,
        /// What is made of a period's values.
        pub statistic: Statistic,
        /// The length of a period.
        pub period: Period = Period(Duration::from_secs(60)),
        /// What a good value is; without it, any datapoint at all.
        pub expect: Option<Expect>,
        /// How long ago the newest whole period may have ended; without it, three periods.
        pub max_age: Option<Duration>,
        /// How long all of it may take.
        pub timeout: Duration = Duration::from_secs(10),
    }
}

record! {
    /// What the statistic must keep.
    pub struct Expect {
        /// It must be less than this.
        pub below: Option<Number>,
        /// It must be more than this.
        pub above: Option<Number>,
    }
}

impl CloudWatch {
    /// One line for people: `Sum of AWS/SQS NumberOfMessagesSent over 1m is above 0`.
    pub fn summary(&self) -> String {
        let CloudWatch { namespace, metric, statistic, .. } = self;
        let period = units::show(self.period.0);
        let mut line = format!("{} of {namespace} {metric} over {period}", statistic.word());
        let bounds = self.bounds();
        if bounds != Bounds::default() {
            line.push_str(&format!(" is {bounds}"));
        }
        line
    }

    /// How long a change can stay unseen, however often it is asked: a period must be over first.
    pub fn blind_time(&self) -> Duration {
        self.period.0
    }

    fn bounds(&self) -> Bounds {
        let expect = self.expect.as_ref();
        Bounds { below: expect.and_then(|e| e.below), above: expect.and_then(|e| e.above) }
    }

    fn oldest(&self) -> Duration {
        self.max_age.unwrap_or(self.period.0 * 3)
    }
}

/// What is made of the values of a period, in CloudWatch's own words.
#[derive(Clone, Debug, PartialEq)]
pub enum Statistic {
    /// One of the five that every metric has.
    Plain(aws_sdk_cloudwatch::types::Statistic),
    /// A percentile: `p99`, `p99.9`.
    Percentile(String),
}

impl Statistic {
    /// As it is written.
    pub fn word(&self) -> &str {
        match self {
            Statistic::Plain(plain) => plain.as_str(),
            Statistic::Percentile(percentile) => percentile,
        }
    }

    fn parse(text: &str) -> Option<Statistic> {
        if ["Average", "Sum", "Minimum", "Maximum", "SampleCount"].contains(&text) {
            return Some(Statistic::Plain(text.into()));
        }
        let rank: f64 = text.strip_prefix('p')?.parse().ok()?;
        (0.0..=100.0).contains(&rank).then(|| Statistic::Percentile(text.to_owned()))
    }
}

impl Decode for Statistic {
    fn expects() -> String {
        "Average, Sum, Minimum, Maximum, SampleCount or a percentile such as p99".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text_for::<Self>(node)?;
        let read = Statistic::parse(&text);
        if read.is_none() {
            cx.unexpected(Code::NotAnArgument, node, &Self::expects());
        }
        read
    }

    fn written(&self) -> Option<String> {
        Some(self.word().to_owned())
    }
}

/// A length that CloudWatch keeps periods of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Period(pub Duration);

impl Decode for Period {
    fn expects() -> String {
        "1s, 5s, 10s, 20s, 30s or whole minutes".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text_for::<Self>(node)?;
        let fits = |period: &Duration| {
            let seconds = period.as_secs();
            let whole = period.subsec_nanos() == 0 && seconds > 0 && seconds <= 86_400;
            whole && (matches!(seconds, 1 | 5 | 10 | 20 | 30) || seconds.is_multiple_of(60))
        };
        let read = units::duration(&text).filter(fits);
        if read.is_none() {
            cx.unexpected(Code::NotAnArgument, node, &Self::expects());
        }
        read.map(Period)
    }

    fn written(&self) -> Option<String> {
        Some(units::show(self.0))
    }
}

#[cfg(test)]
mod tests;
