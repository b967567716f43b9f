//! The answer of Prometheus's HTTP API, and what it says.

use std::time::Duration;

use serde_json::Value;

use super::Expect;
use crate::notation::units;
use crate::probe::trouble::Trouble;
use crate::sample::{Cause, Class};

/// One value: of which series, when it was computed, and how much.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) series: String,
    pub(super) at: f64,
    pub(super) value: f64,
}

/// Reads an answer: its points, or what is wrong.
pub(super) fn read(status: u16, body: &[u8]) -> Result<Vec<Point>, Trouble> {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let said = |name: &str| json.as_ref().and_then(|json| json[name].as_str()).unwrap_or_default();
    if status != 200 || said("status") != "success" {
        return Err(refused(status, said("errorType"), said("error")));
    }
    let data = json.as_ref().map(|json| &json["data"]).unwrap_or(&Value::Null);
    let unreadable =
        || Trouble::new(Class::FailFast, Cause::Protocol, "the answer is not that of Prometheus's API");
    match data["resultType"].as_str() {
        Some("vector") => {
            let rows = data["result"].as_array().ok_or_else(unreadable)?;
            rows.iter().map(|row| point(name(&row["metric"]), &row["value"]).ok_or_else(unreadable)).collect()
        }
        Some("scalar") => {
            point("the scalar".to_owned(), &data["result"]).map(|point| vec![point]).ok_or_else(unreadable)
        }
        Some(other) => {
            let text = format!("the query gives a {other}, not a value for each series");
            Err(Trouble::new(Class::Wrong, Cause::Content, text))
        }
        None => Err(unreadable()),
    }
}

/// What the server, or something in its place, said instead of an answer.
fn refused(status: u16, kind: &str, error: &str) -> Trouble {
    let why = match (kind, error) {
        ("", "") => String::new(),
        _ => format!(": {kind}: {error}"),
    };
    let (class, cause) = match status {
        401 | 403 => (Class::FailFast, Cause::Denied),
        429 | 502..=504 => (Class::FailFast, Cause::Unavailable),
        500.. => (Class::FailFast, Cause::ServerError),
        // The query itself is not accepted.
        _ => (Class::Wrong, Cause::Status),
    };
    Trouble::new(class, cause, format!("status {status}{why}")).code(status)
}

/// Holds every value against what is expected.
pub(super) fn judge(points: &[Point], expect: Option<&Expect>) -> Result<(), Trouble> {
    let wrong = |text: String| Err(Trouble::new(Class::Wrong, Cause::Content, text));
    let least = expect.map_or(1, |expect| expect.at_least_series);
    if points.is_empty() {
        return wrong("no data: the query matches no series".to_owned());
    }
    if (points.len() as u64) < u64::from(least) {
        return wrong(format!("{} series, expected {least} or more", points.len()));
    }
    let bounds = expect.map(Expect::bounds).unwrap_or_default();
    let bad: Vec<&Point> = points.iter().filter(|point| !bounds.hold(point.value)).collect();
    match bad.as_slice() {
        [] => Ok(()),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            wrong(format!("{} is {}, expected {bounds}{more}", first.series, first.value))
        }
    }
}

/// Holds the age of every series against the limit: the points are those of `timestamp(…)`, so
/// that both times are the server's own.
pub(super) fn fresh(points: &[Point], limit: Duration) -> Result<(), Trouble> {
    let oldest = points.iter().max_by(|a, b| (a.at - a.value).total_cmp(&(b.at - b.value)));
    let Some(Point { series, at, value }) = oldest else {
        return Err(Trouble::new(Class::Wrong, Cause::Content, "no data: its age cannot be told"));
    };
    let age = Duration::try_from_secs_f64((at - value).max(0.0)).unwrap_or(Duration::MAX);
    if age <= limit {
        return Ok(());
    }
    let age = Duration::from_millis(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let text = format!(
        "stale: the newest sample of {series} is {} old, limit {}",
        units::show(age),
        units::show(limit)
    );
    Err(Trouble::new(Class::Wrong, Cause::Content, text))
}

fn point(series: String, pair: &Value) -> Option<Point> {
    Some(Point { series, at: pair[0].as_f64()?, value: pair[1].as_str()?.parse().ok()? })
}

/// The series as PromQL writes it, shortened.
fn name(metric: &Value) -> String {
    let Some(labels) = metric.as_object().filter(|labels| !labels.is_empty()) else {
        return "the value".to_owned();
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = labels.get("__name__").map(text).unwrap_or_default();
    let others = labels.iter().filter(|(label, _)| *label != "__name__").take(4);
    let others: Vec<String> = others.map(|(label, value)| format!("{label}=\"{}\"", text(value))).collect();
    match others.is_empty() {
        true => name,
        false => format!("{name}{{{}}}", others.join(",")),
    }
}
