//! Lookouts: what guardrails are told from outside the run, by CloudWatch and Prometheus.
//!
//! Each is asked about every second by a task of its own, with a time limit, and never by a step: whatever a
//! step is busy with, a guardrail is looked at. What could not be read is told as well: a guardrail that nobody
//! can read protects nobody. Knows nothing of experiments, plans or the run that listens.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::task::JoinSet;

use crate::aws::{Aws, cloudwatch};
use crate::probe::prometheus::ask::PrometheusAsk;

/// How often each is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long CloudWatch may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a lookout was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// All is well: what was seen.
    Calm(String),
    /// The run must stop: what was seen.
    Alert(String),
    /// Nobody could say: why.
    Unread(String),
}

/// Whether a value stops the run.
pub type Judge = Arc<dyn Fn(f64) -> bool + Send + Sync>;

/// Whom a guardrail asks.
#[derive(Clone)]
pub enum Lookout {
    /// A CloudWatch alarm, by name.
    Alarm(String),
    /// An instant query, and which of its values stop the run.
    Query {
        /// What is asked.
        ask: Arc<PrometheusAsk>,
        /// Which values are too much.
        beyond: Judge,
    },
}

/// Lookouts at work. Dropping it ends them.
pub struct Lookouts {
    tasks: JoinSet<()>,
}

impl Lookouts {
    /// Starts them. `tell` hears what each was told, by its place in the list.
    pub fn start<T>(lookouts: Vec<Lookout>, aws: Option<&Aws>, tell: T) -> Lookouts
    where
        T: Fn(usize, Signal) + Clone + Send + Sync + 'static,
    {
        let mut tasks = JoinSet::new();
        let mut alarms = Vec::new();
        for (place, lookout) in lookouts.into_iter().enumerate() {
            match lookout {
                Lookout::Alarm(name) => alarms.push((place, name)),
                Lookout::Query { ask, beyond } => {
                    let tell = tell.clone();
                    tasks.spawn(async move {
                        loop {
                            tell(place, query(&ask, &beyond).await);
                            pause().await;
                        }
                    });
                }
            }
        }
        if let (false, Some(aws)) = (alarms.is_empty(), aws) {
            // Read together: DescribeAlarms is limited for the whole account.
            let aws = aws.for_watching();
            tasks.spawn(async move {
                loop {
                    for (place, signal) in look(&aws, &alarms).await {
                        tell(place, signal);
                    }
                    pause().await;
                }
            });
        }
        Lookouts { tasks }
    }

    /// Ends them.
    pub fn stop(&mut self) {
        self.tasks.abort_all();
    }
}

/// Around a second, so that several runs do not ask in step.
async fn pause() {
    let factor = rand::rng().random_range(0.9..1.1);
    tokio::time::sleep(EVERY.mul_f64(factor)).await;
}

async fn look(aws: &Aws, alarms: &[(usize, String)]) -> Vec<(usize, Signal)> {
    let names: Vec<String> = alarms.iter().map(|(_, name)| name.clone()).collect();
    let unread =
        |why: String| alarms.iter().map(|(place, _)| (*place, Signal::Unread(why.clone()))).collect();
    let found = match tokio::time::timeout(PATIENCE, cloudwatch::alarms(aws, &names)).await {
        Ok(Ok(found)) => found,
        Ok(Err(fault)) => return unread(fault.to_string()),
        Err(_) => return unread(format!("CloudWatch did not answer within {} s", PATIENCE.as_secs())),
    };
    let told = |name: &String| match found.iter().find(|alarm| alarm.name == *name) {
        Some(alarm) => of_alarm(&alarm.state, alarm.reason.as_deref()),
        None => Signal::Unread("there is no alarm of this name any more".to_owned()),
    };
    alarms.iter().map(|(place, name)| (*place, told(name))).collect()
}

/// What an alarm's state says. `INSUFFICIENT_DATA` is no reason to stop: a quiet metric has none.
fn of_alarm(state: &str, reason: Option<&str>) -> Signal {
    match state {
        "ALARM" => {
            let why = reason.filter(|why| !why.is_empty()).map(|why| format!(": {why}")).unwrap_or_default();
            Signal::Alert(format!("it is in ALARM{why}"))
        }
        "OK" | "INSUFFICIENT_DATA" => Signal::Calm(format!("it is {state}")),
        other => Signal::Unread(format!("its state is `{other}`, which is none of CloudWatch's")),
    }
}

async fn query(ask: &PrometheusAsk, beyond: &Judge) -> Signal {
    match ask.values().await {
        Ok(values) => of_values(&values, beyond),
        Err(why) => Signal::Unread(why),
    }
}

/// What the values say: one that is too much stops the run, also beside one that is no number.
fn of_values(values: &[(String, f64)], beyond: &Judge) -> Signal {
    if let Some((series, value)) = values.iter().find(|(_, value)| beyond(*value)) {
        return Signal::Alert(format!("{series} is {value}"));
    }
    match values {
        [] => Signal::Unread("no data: the query matches no series".to_owned()),
        values => match values.iter().find(|(_, value)| value.is_nan()) {
            Some((series, _)) => Signal::Unread(format!("{series} is NaN")),
            None => {
                let shown: Vec<String> =
                    values.iter().take(3).map(|(series, value)| format!("{series} is {value}")).collect();
                Signal::Calm(shown.join(", "))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_alarm_in_alarm_is_an_alert() {
        let reason = Some("Threshold crossed");
        assert_eq!(of_alarm("ALARM", reason), Signal::Alert("it is in ALARM: Threshold crossed".to_owned()));
        assert_eq!(of_alarm("OK", reason), Signal::Calm("it is OK".to_owned()));
        let quiet = Signal::Calm("it is INSUFFICIENT_DATA".to_owned());
        assert_eq!(of_alarm("INSUFFICIENT_DATA", None), quiet);
        assert!(matches!(of_alarm("UNKNOWN", None), Signal::Unread(_)));
    }

    #[test]
    fn one_value_too_many_is_an_alert_and_no_value_says_nothing() {
        let beyond: Judge = Arc::new(|value| value > 0.05);
        let values = |values: &[f64]| {
            let named: Vec<(String, f64)> =
                values.iter().map(|value| ("errors".to_owned(), *value)).collect();
            of_values(&named, &beyond)
        };
        assert_eq!(values(&[0.01, 0.05]), Signal::Calm("errors is 0.01, errors is 0.05".to_owned()));
        assert_eq!(values(&[0.01, f64::NAN, 0.06]), Signal::Alert("errors is 0.06".to_owned()));
        assert!(matches!(values(&[]), Signal::Unread(_)));
        assert_eq!(values(&[0.01, f64::NAN]), Signal::Unread("errors is NaN".to_owned()));
    }
}
