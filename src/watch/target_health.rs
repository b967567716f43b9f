//! The targets of a target group: what the load balancer's own checks find.

use async_trait::async_trait;

use super::{Look, Sighting, Watcher};
use crate::aws::{Aws, Fault, elbv2};
use crate::run::event::Layer;

struct TargetGroup(String);

/// Watches the targets of the group with this ARN.
pub(super) fn watcher(arn: String) -> Watcher {
    let name = format!("target health in {}", elbv2::group_name(&arn));
    let permissions = [elbv2::DESCRIBE_TARGET_HEALTH, elbv2::DESCRIBE_TARGET_GROUPS];
    Watcher::new(name, &permissions, TargetGroup(arn))
}

#[async_trait]
impl Look for TargetGroup {
    async fn look(&mut self, aws: &Aws) -> Result<Vec<Sighting>, Fault> {
        let group = elbv2::group_name(&self.0);
        let seen = elbv2::target_health(aws, &self.0).await?.into_iter().map(|found| {
            let target = found.target.and_then(|target| target.id).unwrap_or_default();
            let resource = format!("{group}/{target}");
            let health = found.target_health;
            let state = health.as_ref().and_then(|health| health.state.as_ref());
            let state = state.map_or("unknown", |state| state.as_str()).to_owned();
            let why = health
                .and_then(|health| health.description)
                .map_or_else(String::new, |why| format!(": {why}"));
            let what = format!("target {target} of {group} is {state}{why}");
            Sighting::state(Layer::TargetHealth, &resource, state, what)
        });
        Ok(seen.collect())
    }
}
