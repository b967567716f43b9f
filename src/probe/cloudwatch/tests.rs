use std::time::Duration;

use super::ask::{judge, trouble};
use super::*;
use crate::aws::metrics::Datapoint;
use crate::aws::{Fault, FaultKind};
use crate::probe::fixture::opening;
use crate::probe::{Probe, Resolver};
use crate::sample::{Cause, Class};

fn probe(below: Option<f64>, above: Option<f64>) -> CloudWatch {
    CloudWatch {
        namespace: "Shop".to_owned(),
        metric: "Errors".to_owned(),
        dimensions: None,
        statistic: Statistic::parse("Sum").unwrap(),
        period: Period(Duration::from_secs(60)),
        expect: Some(Expect { below: below.map(Number), above: above.map(Number) }),
        max_age: None,
        timeout: Duration::from_secs(2),
    }
}

#[test]
fn the_newest_whole_period_decides() {
    let now = 10_000;
    let at = |begins, value| Datapoint { begins, value };
    for (what, points, good, detail) in [
        ("nothing", vec![], false, "no datapoint of Shop Errors for a whole period in the last 3m"),
        ("good", vec![at(9_900, 1.0)], true, ""),
        ("in any order", vec![at(9_900, 1.0), at(9_840, 50.0)], true, ""),
        (
            "the older was good",
            vec![at(9_840, 1.0), at(9_900, 50.0)],
            false,
            "Sum of Shop Errors is 50, expected below 5",
        ),
        ("only what is not over", vec![at(9_960, 1.0)], false, "no datapoint"),
        ("too old", vec![at(9_700, 1.0)], false, "no datapoint"),
        ("just in time", vec![at(9_760, 1.0)], true, ""),
        ("no number", vec![at(9_900, f64::NAN)], false, "is NaN"),
    ] {
        let verdict = judge(&probe(Some(5.0), None), &points, now);
        assert_eq!(verdict.is_ok(), good, "{what}: {verdict:?}");
        if let Err(trouble) = verdict {
            assert_eq!((trouble.class, trouble.cause), (Class::Wrong, Cause::Content), "{what}");
            assert!(trouble.detail.contains(detail), "{what}: {}", trouble.detail);
        }
    }
}

#[test]
fn what_aws_has_against_us_says_nothing_of_the_service() {
    for (kind, class, cause) in [
        (FaultKind::Throttled, Class::Void, Cause::Local),
        (FaultKind::Denied, Class::FailFast, Cause::Denied),
        (FaultKind::NoCredentials, Class::FailFast, Cause::Denied),
        (FaultKind::Unreachable, Class::FailFast, Cause::Unreachable),
        (FaultKind::Unclear, Class::FailFast, Cause::ServerError),
        (FaultKind::Refused, Class::Wrong, Cause::Status),
    ] {
        let found = trouble(&Fault::new(kind, "cloudwatch:GetMetricStatistics", "", "why", "help"));
        assert_eq!((found.class, found.cause), (class, cause), "{kind:?}");
    }
}

#[test]
fn statistics_are_written_in_cloudwatchs_own_words() {
    for text in ["Average", "Sum", "Minimum", "Maximum", "SampleCount", "p99", "p99.9", "p0"] {
        assert_eq!(Statistic::parse(text).unwrap().word(), text);
    }
    for text in ["sum", "avg", "p101", "p", "99"] {
        assert_eq!(Statistic::parse(text), None, "{text}");
    }
}

#[test]
fn without_an_environment_there_is_nobody_to_ask() {
    let error = Probe::CloudWatch(probe(None, None)).open(&opening(Resolver::System)).err().unwrap();
    assert!(error.contains("--env"), "{error}");
}
