//! CloudWatch alarms, by name: what tells people.

use async_trait::async_trait;

use super::{Look, Sighting, Watcher};
use crate::aws::{Aws, Fault, cloudwatch};
use crate::run::event::Layer;

/// What the journal calls the watcher of all alarms.
pub(crate) const NAME: &str = "alarms";

struct Alarms(Vec<String>);

/// Watches these alarms.
pub(super) fn watcher(names: Vec<String>) -> Watcher {
    let name = format!("{NAME} {}", names.join(", "));
    Watcher::new(name, &[cloudwatch::DESCRIBE_ALARMS], Alarms(names))
}

#[async_trait]
impl Look for Alarms {
    async fn look(&mut self, aws: &Aws) -> Result<Vec<Sighting>, Fault> {
        let alarms = cloudwatch::alarms(aws, &self.0).await?;
        let seen = alarms.into_iter().map(|alarm| {
            let reason = alarm.reason.filter(|reason| !reason.is_empty());
            let why = reason.map_or_else(String::new, |reason| format!(": {reason}"));
            let what = format!("alarm {} is {}{why}", alarm.name, alarm.state);
            Sighting::state(Layer::Alarm, &alarm.name, alarm.state, what).stamped(alarm.updated)
        });
        Ok(seen.collect())
    }
}
