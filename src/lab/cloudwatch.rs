//! CloudWatch: alarms on the lab's own load balancers and database, evaluated period by period.
//!
//! A metric is what was counted within a period; the alarm's state follows a while after the period's end,
//! as AWS's does.

use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::balancer::Balancer;
use super::elbv2::tail;
use super::timing::Span;
use super::wire::{Answer, Call, Cbor, Fault, Protocol, Service, arn};
use super::world::{World, lock};

const PERIOD: Span = Span::new("alarm period", (60.0, 60.0), (0.5, 0.5));
const EVALUATION: Span = Span::new("alarm evaluation", (10.0, 40.0), (0.1, 0.4));

/// How many alarms a page holds when the call does not say.
const PAGE: usize = 50;

/// What an alarm watches.
pub(crate) enum Metric {
    /// Requests that a load balancer answered with an error of its own, within a period.
    Errors(Balancer),
    /// Targets of a load balancer that are unhealthy at the period's end.
    Unhealthy(Balancer),
    /// Whether clients are connected to a database at the period's end.
    Connections(&'static str),
}

/// An alarm's state, as CloudWatch names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The metric is within its threshold.
    Ok,
    /// It is not.
    Alarm,
    /// There is too little of it to say.
    InsufficientData,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Ok => "OK",
            State::Alarm => "ALARM",
            State::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// An alarm: one period over the threshold is enough.
pub(crate) struct Alarm {
    name: String,
    metric: Metric,
    /// What is added up so far.
    counted: u64,
    state: State,
    /// The state that it is kept in.
    held: Option<State>,
    reason: String,
    updated: Timestamp,
}

impl Alarm {
    /// An alarm with the name that follows from what it watches.
    pub(crate) fn new(metric: Metric) -> Alarm {
        let name = match &metric {
            Metric::Errors(balancer) => format!("{}-5xx", balancer.name()),
            Metric::Unhealthy(balancer) => format!("{}-unhealthy-hosts", balancer.name()),
            Metric::Connections(database) => format!("{database}-connections"),
        };
        let (reason, updated) = ("No datapoint crossed the threshold".to_owned(), Timestamp::UNIX_EPOCH);
        Alarm { name, metric, counted: 0, state: State::Ok, held: None, reason, updated }
    }

    /// The metric's value of the period that ends now, and whether the alarm is to fire for it.
    fn measure(&mut self, world: &World) -> (u64, bool) {
        match &self.metric {
            Metric::Errors(balancer) => {
                let all = balancer.errors();
                let value = all - std::mem::replace(&mut self.counted, all);
                (value, value >= 1)
            }
            Metric::Unhealthy(balancer) => {
                let value = balancer.unhealthy() as u64;
                (value, value >= 1)
            }
            Metric::Connections(database) => {
                let value = u64::from(world.truth.failing(database) < 1.0);
                (value, value < 1)
            }
        }
    }

    /// The state that it shows.
    fn shown(&self) -> State {
        self.held.unwrap_or(self.state)
    }

    fn shape(&self) -> Cbor {
        let text = |text: &str| Cbor::Text(text.to_owned());
        let (namespace, metric, statistic, comparison) = match &self.metric {
            Metric::Errors(_) => {
                ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum", "GreaterThanOrEqualToThreshold")
            }
            Metric::Unhealthy(_) => {
                ("AWS/ApplicationELB", "UnHealthyHostCount", "Maximum", "GreaterThanOrEqualToThreshold")
            }
            Metric::Connections(_) => ("AWS/RDS", "DatabaseConnections", "Minimum", "LessThanThreshold"),
        };
        let (dimension, of) = match &self.metric {
            Metric::Errors(balancer) | Metric::Unhealthy(balancer) => {
                ("LoadBalancer", format!("app/{}/{}", balancer.name(), tail(balancer.name())))
            }
            Metric::Connections(database) => ("DBInstanceIdentifier", (*database).to_owned()),
        };
        let updated = Cbor::Time(self.updated.as_millisecond() as f64 / 1e3);
        Cbor::Map(vec![
            ("AlarmName", text(&self.name)),
            ("AlarmArn", text(&arn("cloudwatch", &format!("alarm:{}", self.name)))),
            ("ActionsEnabled", Cbor::Bool(true)),
            ("StateValue", text(self.shown().name())),
            ("StateReason", text(&self.reason)),
            ("StateUpdatedTimestamp", updated.clone()),
            ("StateTransitionedTimestamp", updated),
            ("Namespace", text(namespace)),
            ("MetricName", text(metric)),
            ("Statistic", text(statistic)),
            (
                "Dimensions",
                Cbor::Array(vec![Cbor::Map(vec![("Name", text(dimension)), ("Value", text(&of))])]),
            ),
            ("Period", Cbor::Int(60)),
            ("EvaluationPeriods", Cbor::Int(1)),
            ("Threshold", Cbor::Double(1.0)),
            ("ComparisonOperator", text(comparison)),
            ("TreatMissingData", text("notBreaching")),
        ])
    }
}

/// Composite alarms, and the metric alarms any one of which makes them fire.
const COMPOSITES: [(&str, &[&str]); 1] =
    [("storefront-suffers", &["storefront-5xx", "storefront-unhealthy-hosts"])];

fn composite_state(of: &[&str], alarms: &[Alarm]) -> State {
    let fires = |alarm: &Alarm| of.contains(&alarm.name.as_str()) && alarm.shown() == State::Alarm;
    if alarms.iter().any(fires) { State::Alarm } else { State::Ok }
}

fn composite(name: &str, of: &[&str], alarms: &[Alarm]) -> Cbor {
    let text = |text: &str| Cbor::Text(text.to_owned());
    let rule: Vec<String> = of.iter().map(|alarm| format!("ALARM(\"{alarm}\")")).collect();
    let updated =
        alarms.iter().filter(|alarm| of.contains(&alarm.name.as_str())).map(|alarm| alarm.updated).max();
    let updated = Cbor::Time(updated.unwrap_or(Timestamp::UNIX_EPOCH).as_millisecond() as f64 / 1e3);
    let state = composite_state(of, alarms);
    Cbor::Map(vec![
        ("AlarmName", text(name)),
        ("AlarmArn", text(&arn("cloudwatch", &format!("alarm:{name}")))),
        ("AlarmRule", text(&rule.join(" OR "))),
        ("ActionsEnabled", Cbor::Bool(true)),
        ("StateValue", text(state.name())),
        ("StateReason", text(&format!("{} of the rule", state.name()))),
        ("StateUpdatedTimestamp", updated),
    ])
}

struct Inner {
    world: World,
    alarms: Mutex<Vec<Alarm>>,
}

/// The region's CloudWatch. A clone is the same one.
#[derive(Clone)]
pub(crate) struct CloudWatch(Arc<Inner>);

impl CloudWatch {
    /// All alarms OK, and evaluated from now on in `tasks`.
    pub(crate) fn start(world: World, mut alarms: Vec<Alarm>, tasks: &mut JoinSet<()>) -> CloudWatch {
        for alarm in &mut alarms {
            alarm.updated = world.clock.began();
        }
        let cloudwatch = CloudWatch(Arc::new(Inner { world, alarms: Mutex::new(alarms) }));
        for index in 0..cloudwatch.alarms().len() {
            tasks.spawn(cloudwatch.clone().evaluate(index));
        }
        cloudwatch
    }

    fn alarms(&self) -> MutexGuard<'_, Vec<Alarm>> {
        lock(&self.0.alarms)
    }

    /// Keeps an alarm in a state, or lets it go on.
    pub(crate) fn hold(&self, name: &str, state: Option<State>) {
        for alarm in self.alarms().iter_mut().filter(|alarm| alarm.name == name) {
            alarm.held = state;
        }
    }

    /// Measures one alarm's metric at the end of each period, and judges it a while later.
    async fn evaluate(self, index: usize) {
        let world = &self.0.world;
        let Some(name) = self.alarms().get(index).map(|alarm| alarm.name.clone()) else { return };
        let period = world.pace.draw(PERIOD, &name);
        let delay = world.pace.draw(EVALUATION, &name);
        let first = Instant::now() + period.mul_f64(world.pace.fraction("alarm phase", &name));
        let mut ends = tokio::time::interval_at(first, period);
        loop {
            ends.tick().await;
            let measured = self.alarms().get_mut(index).map(|alarm| alarm.measure(world));
            let Some((value, breaching)) = measured else { return };
            tokio::time::sleep(delay).await;
            self.judge(index, value, breaching);
        }
    }

    fn judge(&self, index: usize, value: u64, breaching: bool) {
        let now = self.0.world.clock.wall(self.0.world.clock.now());
        let mut alarms = self.alarms();
        let Some(alarm) = alarms.get_mut(index) else { return };
        let state = if breaching { State::Alarm } else { State::Ok };
        if alarm.state == state {
            return;
        }
        alarm.state = state;
        alarm.updated = now;
        let crossed = if breaching { "crossed" } else { "did not cross" };
        alarm.reason = format!("Threshold: 1 datapoint [{value}.0] {crossed} the threshold (1.0).");
        self.0.world.truth.layer("alarm", &alarm.name, state.name());
        self.0.world.truth.event(format!("CloudWatch: alarm {} is {}", alarm.name, state.name()));
    }

    fn describe(&self, call: &Call) -> Result<Cbor, Fault> {
        let input = &call.json;
        let texts = |name: &str| -> Vec<&str> {
            let values = input.get(name).and_then(|value| value.as_array()).into_iter().flatten();
            values.filter_map(|value| value.as_str()).collect()
        };
        let names = texts("AlarmNames");
        let prefix = input.get("AlarmNamePrefix").and_then(|value| value.as_str());
        if !names.is_empty() && prefix.is_some() {
            let message = "AlarmNames and AlarmNamePrefix cannot both be given";
            return Err(Fault::new(400, "InvalidParameterCombination", message));
        }
        let state = input.get("StateValue").and_then(|value| value.as_str());
        let types = texts("AlarmTypes");
        let alarms = self.alarms();
        let mut shown: Vec<&Alarm> = alarms
            .iter()
            .filter(|alarm| names.is_empty() || names.contains(&alarm.name.as_str()))
            .filter(|alarm| prefix.is_none_or(|prefix| alarm.name.starts_with(prefix)))
            .filter(|alarm| state.is_none_or(|state| state == alarm.shown().name()))
            .filter(|_| types.is_empty() || types.contains(&"MetricAlarm"))
            .collect();
        shown.sort_by(|one, other| one.name.cmp(&other.name));
        let composites: Vec<Cbor> = COMPOSITES
            .iter()
            .filter(|(name, _)| names.is_empty() || names.contains(name))
            .filter(|(name, _)| prefix.is_none_or(|prefix| name.starts_with(prefix)))
            .filter(|(_, of)| state.is_none_or(|state| state == composite_state(of, &alarms).name()))
            // Without types, AWS shows metric alarms alone.
            .filter(|_| types.contains(&"CompositeAlarm"))
            .map(|(name, of)| composite(name, of, &alarms))
            .collect();
        let size = input.get("MaxRecords").and_then(|value| value.as_u64());
        let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(PAGE);
        if !(1..=100).contains(&size) {
            let message = "MaxRecords must be between 1 and 100";
            return Err(Fault::new(400, "ValidationError", message));
        }
        let start = match input.get("NextToken").and_then(|value| value.as_str()) {
            None => 0,
            Some(token) => {
                token.parse().map_err(|_| Fault::new(400, "InvalidNextToken", "The token is invalid."))?
            }
        };
        let page: Vec<Cbor> = shown.iter().skip(start).take(size).map(|alarm| alarm.shape()).collect();
        let next = start + page.len();
        let mut answer =
            vec![("CompositeAlarms", Cbor::Array(composites)), ("MetricAlarms", Cbor::Array(page))];
        if next < shown.len() {
            answer.push(("NextToken", Cbor::Text(next.to_string())));
        }
        Ok(Cbor::Map(answer))
    }
}

impl Service for CloudWatch {
    fn protocol(&self) -> Protocol {
        Protocol::Cbor
    }

    fn answer(&self, call: &Call) -> Result<Option<Answer>, Fault> {
        match call.operation.as_str() {
            "DescribeAlarms" => Ok(Some(Answer::Cbor(self.describe(call)?))),
            _ => Ok(None),
        }
    }
}
