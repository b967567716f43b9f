//! CloudWatch, as far as it is looked at: the state of alarms.

use aws_sdk_cloudwatch::types::AlarmType;
use aws_smithy_types::DateTime;

use super::{Aws, Fault};

pub(crate) const DESCRIBE_ALARMS: &str = "cloudwatch:DescribeAlarms";

/// What one DescribeAlarms call takes and gives at most.
const AT_ONCE: usize = 100;

/// An alarm, metric or composite.
pub(crate) struct Alarm {
    pub(crate) name: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub(crate) state: String,
    /// Why, in CloudWatch's words.
    pub(crate) reason: Option<String>,
    /// When the state was last updated, by CloudWatch's clock.
    pub(crate) updated: Option<DateTime>,
}

/// The alarms of these names, those that there are.
pub(crate) async fn alarms(aws: &Aws, names: &[String]) -> Result<Vec<Alarm>, Fault> {
    let mut found = Vec::new();
    for some in names.chunks(AT_ONCE) {
        let answer = describe(aws).set_alarm_names(Some(some.to_vec())).send().await;
        let answer = answer.map_err(|e| Fault::read(DESCRIBE_ALARMS, &some.join(", "), e))?;
        found.extend(alarms_of(answer.metric_alarms, answer.composite_alarms));
    }
    Ok(found)
}

/// The names of the alarms there are: the first page, which is enough to show what they look like.
pub(crate) async fn some_names(aws: &Aws) -> Result<Vec<String>, Fault> {
    let answer = describe(aws).send().await.map_err(|e| Fault::read(DESCRIBE_ALARMS, "", e))?;
    let mut names: Vec<String> =
        alarms_of(answer.metric_alarms, answer.composite_alarms).map(|alarm| alarm.name).collect();
    names.sort();
    Ok(names)
}

fn describe(
    aws: &Aws,
) -> aws_sdk_cloudwatch::operation::describe_alarms::builders::DescribeAlarmsFluentBuilder {
    // Without the types, AWS shows metric alarms alone.
    let call = aws.cloudwatch().describe_alarms().alarm_types(AlarmType::MetricAlarm);
    call.alarm_types(AlarmType::CompositeAlarm).max_records(AT_ONCE as i32)
}

fn alarms_of(
    metric: Option<Vec<aws_sdk_cloudwatch::types::MetricAlarm>>,
    composite: Option<Vec<aws_sdk_cloudwatch::types::CompositeAlarm>>,
) -> impl Iterator<Item = Alarm> {
    let state = |value: Option<aws_sdk_cloudwatch::types::StateValue>| {
        value.map_or_else(|| "UNKNOWN".to_owned(), |value| value.as_str().to_owned())
    };
    let metric = metric.unwrap_or_default().into_iter().map(move |alarm| Alarm {
        name: alarm.alarm_name.unwrap_or_default(),
        state: state(alarm.state_value),
        reason: alarm.state_reason,
        updated: alarm.state_updated_timestamp,
    });
    let composite = composite.unwrap_or_default().into_iter().map(move |alarm| Alarm {
        name: alarm.alarm_name.unwrap_or_default(),
        state: state(alarm.state_value),
        reason: alarm.state_reason,
        updated: alarm.state_updated_timestamp,
    });
    metric.chain(composite)
}
