//! Auto Scaling, as far as it is looked at.

use aws_sdk_autoscaling::types::{Activity, AutoScalingGroup, InstanceRefresh};

use super::{Aws, Fault};

pub(crate) const DESCRIBE_GROUPS: &str = "autoscaling:DescribeAutoScalingGroups";
pub(crate) const DESCRIBE_ACTIVITIES: &str = "autoscaling:DescribeScalingActivities";
pub(crate) const DESCRIBE_REFRESHES: &str = "autoscaling:DescribeInstanceRefreshes";

/// How many of a group's activities are looked at: the newest come first.
const NEWEST: i32 = 50;

/// A group by its name; nothing when there is none.
pub(crate) async fn group(aws: &Aws, name: &str) -> Result<Option<AutoScalingGroup>, Fault> {
    let answer = aws.autoscaling().describe_auto_scaling_groups().auto_scaling_group_names(name).send().await;
    let answer = answer.map_err(|e| Fault::read(DESCRIBE_GROUPS, name, e))?;
    Ok(answer.auto_scaling_groups.unwrap_or_default().into_iter().next())
}

/// A group's newest activities.
pub(crate) async fn activities(aws: &Aws, name: &str) -> Result<Vec<Activity>, Fault> {
    let call = aws.autoscaling().describe_scaling_activities().auto_scaling_group_name(name);
    let answer = call.max_records(NEWEST).send().await;
    let answer = answer.map_err(|e| Fault::read(DESCRIBE_ACTIVITIES, name, e))?;
    Ok(answer.activities.unwrap_or_default())
}

/// A group's newest instance refreshes.
pub(crate) async fn refreshes(aws: &Aws, name: &str) -> Result<Vec<InstanceRefresh>, Fault> {
    let answer = aws.autoscaling().describe_instance_refreshes().auto_scaling_group_name(name).send().await;
    let answer = answer.map_err(|e| Fault::read(DESCRIBE_REFRESHES, name, e))?;
    Ok(answer.instance_refreshes.unwrap_or_default())
}
