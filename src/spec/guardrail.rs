//! Guardrails as a file says them: what stops a run and undoes it.

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;

use super::experiment::Ratio;
use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem, Spanned, entries, unknown_keys};
use crate::notation::shape::{self, Shapes};
use crate::notation::units;
use crate::notation::yaml::Node;
use crate::probe::bounds::Number;
use crate::probe::http::{Tls, Url};
use crate::probe::prometheus::Prometheus;
use crate::record;

/// A window is judged from this many samples on.
pub const LEAST: usize = 10;

/// What aborts a run, and undoes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Guardrail {
    /// The run has taken this long, or the undo would no longer fit before that.
    Elapsed(Elapsed),
    /// A probe has been down for this long.
    Down(Down),
    /// Too few of a probe's answers were good.
    Availability(Availability),
    /// A probe's answers came too late.
    Latency(Latency),
    /// A CloudWatch alarm, metric or composite, is in ALARM.
    Alarm(Alarm),
    /// A value of Prometheus is beyond a bound.
    Prometheus(Box<OfPrometheus>),
}

/// What a file may say of one, for editors.
pub(super) fn schema(shapes: &mut Shapes) -> serde_json::Value {
    shape::any_of(vec![
        Elapsed::schema(shapes),
        Down::schema(shapes),
        Availability::schema(shapes),
        Latency::schema(shapes),
        Alarm::schema(shapes),
        OfPrometheus::schema(shapes),
    ])
}

record! {
    /// Stops the run when it has taken this long. Once there is something to undo it stops earlier, so that the undo
    /// still fits before: by what the undo usually takes, or by `undo_within`.
    pub struct Elapsed {
        /// How long the run may take, its undo included.
        pub elapsed: Duration,
        /// How long the undo may take; without it, what undoing the prepared steps usually takes. A program that
        /// undoes has no usual time: say it here.
        pub undo_within: Option<Duration>,
    }
}

record! {
    /// Stops the run when a probe has been in one outage for this long.
    pub struct Down {
        /// The probe.
        pub probe: Spanned<String>,
        /// For how long.
        pub down_for: Duration,
    }
}

record! {
    /// Stops the run when too few of a probe's answers were good. What of the window is still to come counts as good.
    pub struct Availability {
        /// The probe.
        pub probe: Spanned<String>,
        /// The least share of good answers.
        pub availability_below: Ratio,
        /// The window that slides along: at least ten samples.
        pub over: Duration,
    }
}

record! {
    /// Stops the run when a percentile of a probe's response times is too long. An answer that did not come counts
    /// with the time that it was waited for; one that failed at once does not count.
    pub struct Latency {
        /// The probe.
        pub probe: Spanned<String>,
        /// The longest that it may be.
        pub latency_above: Duration,
        /// Which percentile.
        pub percentile: Percentile = Percentile(99.0),
        /// The window that slides along: at least ten samples, and enough for the percentile.
        pub over: Duration,
    }
}

record! {
    /// Stops the run when a CloudWatch alarm, metric or composite, is in ALARM; also when it cannot be read for 15s.
    /// The run does not start while it is in ALARM.
    pub struct Alarm {
        /// The alarm's name.
        pub alarm: Spanned<String>,
    }
}

record! {
    /// Stops the run when a value of Prometheus is beyond a bound.
    pub struct OfPrometheus {
        /// What is asked of whom.
        pub prometheus: Query,
    }
}

record! {
    /// An instant query, asked every second. Stops the run when any value of the answer is beyond a bound; also when
    /// there is no value for 15s: no answer, no series, or NaN. At least one of `above` and `below` is needed.
    pub struct Query {
        /// The server, such as `http://prometheus.test:9090`; `/api/v1/query` is added to it.
        pub url: Url,
        /// The query, in PromQL.
        pub query: String,
        /// Stops the run when a value is more than this.
        pub above: Option<Number>,
        /// Stops the run when a value is less than this.
        pub below: Option<Number>,
        /// Headers to send, by name, such as `Authorization: "Bearer ${token}"`.
        pub headers: Option<IndexMap<String, String>>,
        /// How the server's certificate is checked.
        pub tls: Option<Tls>,
        /// How long the connection may take: name, TCP and TLS.
        pub connect_timeout: Duration = Duration::from_millis(900),
        /// How long all of it may take.
        pub timeout: Duration = Duration::from_secs(5),
    }
}

impl Query {
    /// The probe that asks the same; what it expects is for the guardrail to say.
    pub fn probe(&self) -> Prometheus {
        Prometheus {
            url: self.url.clone(),
            query: self.query.clone(),
            expect: None,
            scrape_interval: Duration::ZERO,
            headers: self.headers.clone(),
            tls: self.tls.clone(),
            connect_timeout: self.connect_timeout,
            timeout: self.timeout,
        }
    }

    /// Whether a value stops the run. Both bounds are still good.
    pub fn beyond(&self, value: f64) -> bool {
        self.above.is_some_and(|limit| value > limit.0) || self.below.is_some_and(|limit| value < limit.0)
    }

    /// `above 0.05`, `below 1`, or both.
    pub fn bounds(&self) -> String {
        let above = self.above.map(|limit| format!("above {limit}"));
        let below = self.below.map(|limit| format!("below {limit}"));
        above.into_iter().chain(below).collect::<Vec<_>>().join(" or ")
    }
}

/// A percentile, from 50 to below 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentile(pub f64);

impl Percentile {
    /// How many samples it takes until it is not simply the largest of them.
    pub fn needs(self) -> usize {
        // Rounded first: 100 / (100 - 99.9) is 1000.0000000000568.
        let samples = (100.0 / (100.0 - self.0) * 1e6).round() / 1e6;
        LEAST.max(samples.ceil() as usize)
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl Decode for Percentile {
    fn expects() -> String {
        "a percentile from 50 to 99.99, such as 99 or p99".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text_for::<Self>(node)?;
        let number = text.strip_prefix('p').unwrap_or(&text).parse::<f64>().ok();
        let read = number.filter(|number| (50.0..=99.99).contains(number)).map(Percentile);
        if read.is_none() {
            cx.unexpected(Code::NotANumber, node, &Self::expects());
        }
        read
    }

    fn written(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

impl fmt::Display for Guardrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = units::show;
        match self {
            Guardrail::Elapsed(Elapsed { elapsed, undo_within: None }) => {
                write!(f, "elapsed: {}", show(*elapsed))
            }
            Guardrail::Elapsed(Elapsed { elapsed, undo_within: Some(undo) }) => {
                write!(f, "elapsed: {}, undo_within: {}", show(*elapsed), show(*undo))
            }
            Guardrail::Down(Down { probe, down_for }) => {
                write!(f, "probe: {probe}, down_for: {}", show(*down_for))
            }
            Guardrail::Availability(Availability { probe, availability_below, over }) => {
                write!(f, "probe: {probe}, availability_below: {availability_below}, over: {}", show(*over))
            }
            Guardrail::Latency(Latency { probe, latency_above, percentile, over }) => write!(
                f,
                "probe: {probe}, latency_above: {}, percentile: {}, over: {}",
                show(*latency_above),
                percentile.0,
                show(*over)
            ),
            Guardrail::Alarm(Alarm { alarm }) => write!(f, "alarm: {alarm}"),
            Guardrail::Prometheus(rule) => {
                let query = &rule.prometheus;
                write!(f, "prometheus: `{}` at {} is {}", query.query, query.url, query.bounds())
            }
        }
    }
}

/// The key that says which guardrail an entry is.
const KINDS: [&str; 6] =
    ["elapsed", "down_for", "availability_below", "latency_above", "alarm", "prometheus"];
const OF_A_PROBE: &str = "`down_for`, `availability_below` or `latency_above`";
const EXPECTS: &str =
    "a guardrail: { elapsed: 15m }, { probe: NAME, down_for: 5m }, { alarm: NAME } or one of the others";

/// Reads one entry of `stop_when`.
pub(super) fn read(node: &Node, cx: &mut Context<'_>) -> Option<Spanned<Guardrail>> {
    let inside = entries(node, cx, EXPECTS)?;
    let kinds: Vec<&str> =
        inside.iter().map(|(key, _)| key.text.as_str()).filter(|key| KINDS.contains(key)).collect();
    let value = match kinds.as_slice() {
        ["elapsed"] => Elapsed::decode(node, cx).map(Guardrail::Elapsed),
        ["down_for"] => Down::decode(node, cx).map(Guardrail::Down),
        ["availability_below"] => Availability::decode(node, cx).map(Guardrail::Availability),
        ["latency_above"] => Latency::decode(node, cx).map(Guardrail::Latency),
        ["alarm"] => Alarm::decode(node, cx).map(Guardrail::Alarm),
        [_] => Box::<OfPrometheus>::decode(node, cx).map(Guardrail::Prometheus),
        [] if inside.is_empty() => {
            cx.unexpected(Code::WrongShape, node, EXPECTS);
            None
        }
        [] => {
            let before = cx.problems.len();
            let known: Vec<&str> =
                KINDS.into_iter().chain(["probe", "over", "percentile", "undo_within"]).collect();
            unknown_keys(inside, &known, cx);
            if cx.problems.len() == before {
                cx.report(
                    Problem::new(Code::NoCondition, node.span, "this guardrail does not say when to stop")
                        .label(format!("with `probe`: {OF_A_PROBE} is needed here"))
                        .help(format!("a guardrail has one of: {}", KINDS.join(", "))),
                );
            }
            None
        }
        _ => {
            cx.report(
                Problem::new(Code::TwoGuardrails, node.span, "two guardrails in one entry")
                    .label(format!("says {}", kinds.join(" and ")))
                    .help("give each an entry of its own, starting with `-`"),
            );
            None
        }
    };
    value.map(|value| Spanned { value, span: node.span })
}
