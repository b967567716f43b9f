//! EC2 instances, and the Auto Scaling groups that replace them.

use async_trait::async_trait;
use aws_sdk_autoscaling::types::Activity;

use super::{Look, Sighting, Watcher};
use crate::aws::{Aws, Fault, autoscaling, ec2};
use crate::run::event::Layer;

struct Instances(Vec<String>);

/// Watches the states of these instances.
pub(super) fn instances(ids: Vec<String>, names: &str) -> Watcher {
    Watcher::new(format!("instances {names}"), &[ec2::DESCRIBE_INSTANCES], Instances(ids))
}

#[async_trait]
impl Look for Instances {
    async fn look(&mut self, aws: &Aws) -> Result<Vec<Sighting>, Fault> {
        let found = ec2::instances(aws, Some(&self.0), Vec::new(), &self.0.join(", ")).await?;
        let seen = found.iter().map(|instance| {
            let id = instance.instance_id().unwrap_or_default();
            let state = ec2::state(instance);
            Sighting::state(Layer::Instance, id, state, format!("instance {id} is {state}"))
        });
        Ok(seen.collect())
    }
}

struct Group(String);

/// Watches the activities and the members of an Auto Scaling group.
pub(super) fn group(name: String) -> Watcher {
    let permissions = [autoscaling::DESCRIBE_ACTIVITIES, autoscaling::DESCRIBE_GROUPS];
    Watcher::new(format!("Auto Scaling group {name}"), &permissions, Group(name))
}

#[async_trait]
impl Look for Group {
    async fn look(&mut self, aws: &Aws) -> Result<Vec<Sighting>, Fault> {
        let name = &self.0;
        let activities = autoscaling::activities(aws, name).await?;
        let mut seen: Vec<Sighting> = activities.into_iter().map(|done| activity(name, done)).collect();
        let group = autoscaling::group(aws, name).await?;
        for member in group.and_then(|group| group.instances).unwrap_or_default() {
            let id = member.instance_id.unwrap_or_default();
            let life = member.lifecycle_state.map_or_else(String::new, |state| state.as_str().to_owned());
            let state = format!("{life} {}", member.health_status.unwrap_or_default());
            let what = format!("{id} of group {name} is {state}");
            seen.push(Sighting::state(Layer::GroupMember, &format!("{name}/{id}"), state, what));
        }
        Ok(seen)
    }
}

fn activity(group: &str, activity: Activity) -> Sighting {
    let status = activity.status_code.map_or_else(String::new, |code| code.as_str().to_owned());
    let what = format!("{} ({status})", activity.description.unwrap_or_default());
    let seen = Sighting::happened(
        Layer::ScalingActivity,
        group,
        activity.activity_id.unwrap_or_default(),
        format!("group {group}: {what}"),
    );
    Sighting { state: what, ..seen }.stamped(activity.end_time.or(activity.start_time))
}
