//! Putting things back: journalled before the action acts, and safe to do twice.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::route53::record_set::RecordSet;
use super::{ec2, ecs, rds, route53};
use crate::aws::{Aws, Fault, jittered};

/// For how many looks a resource that needs nothing is watched before that is believed: a call whose answer
/// was lost may still be on its way, and AWS may show an older state for some seconds after a change.
const LOOKS: u32 = 10;
/// How often it is begun anew after a failure that may pass.
const ANEW: u32 = 5;

/// What one attempt to put the prior state back came to.
pub(super) struct Restored {
    /// What was done, for people.
    pub(super) told: String,
    /// Whether anything was changed.
    pub(super) acted: bool,
    /// Whether any of the resources was found as it should be, so that nothing was done to it.
    pub(super) already: bool,
}

/// What puts the prior state back. It looks first, so that doing it twice, or after somebody else
/// did it, changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "snake_case")]
pub enum Undo {
    /// Starts EC2 instances that were running.
    StartInstances {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Stops EC2 instances that were stopped.
    StopInstances {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Starts DB instances that were available.
    StartDbInstances {
        /// Their identifiers.
        ids: Vec<String>,
    },
    /// Stops DB instances that were stopped.
    StopDbInstances {
        /// Their identifiers.
        ids: Vec<String>,
    },
    /// Restores an ECS service's desired count.
    DesiredCount {
        /// The cluster.
        cluster: String,
        /// The service.
        service: String,
        /// The count it had.
        desired_count: u32,
    },
    /// Restores Route 53 record sets as they were.
    RecordSets {
        /// The hosted zone's id.
        zone_id: String,
        /// The record sets.
        record_sets: Vec<RecordSet>,
    },
}

impl Undo {
    /// What it will do, in one line.
    pub fn summary(&self) -> String {
        match self {
            Undo::StartInstances { ids } | Undo::StartDbInstances { ids } => {
                format!("start {}", ids.join(", "))
            }
            Undo::StopInstances { ids } | Undo::StopDbInstances { ids } => format!("stop {}", ids.join(", ")),
            Undo::DesiredCount { service, desired_count, .. } => {
                format!("set the desired count of {service} back to {desired_count}")
            }
            Undo::RecordSets { record_sets, .. } => {
                let sets: Vec<String> = record_sets.iter().map(RecordSet::describe).collect();
                format!("restore {}", sets.join("; "))
            }
        }
    }

    /// Whether it moves traffic, and so comes last: after the capacity that the traffic needs.
    pub fn moves_traffic(&self) -> bool {
        matches!(self, Undo::RecordSets { .. })
    }

    /// How long it may take: a service's slowest usual case, for each of its resources in turn.
    pub fn limit(&self) -> Duration {
        let (each, count) = match self {
            Undo::StartInstances { ids } | Undo::StopInstances { ids } => (ec2::SETTLED, ids.len()),
            Undo::StartDbInstances { ids } | Undo::StopDbInstances { ids } => (rds::SETTLED, ids.len()),
            Undo::DesiredCount { .. } => (ecs::SETTLED, 1),
            // One batch, however many record sets are in it.
            Undo::RecordSets { .. } => (route53::SETTLED, 1),
        };
        each.saturating_mul(u32::try_from(count.max(1)).unwrap_or(u32::MAX))
    }

    /// Puts the prior state back and waits until it is. The answer says what was done.
    ///
    /// Every attempt looks before it acts, so that a call whose answer was lost is repeated only where its
    /// effect is missing.
    ///
    /// # Errors
    /// A call failed in a way that does not pass, or did so again and again.
    pub async fn apply(&self, aws: &Aws, step: &str) -> Result<String, Fault> {
        let began = Instant::now();
        let mut told = None;
        let mut failures = 0;
        loop {
            let pause = match self.restore(aws, step).await {
                Ok(restored) => {
                    let believed = !restored.already || began.elapsed() >= aws.poll() * LOOKS;
                    let text = match told.take() {
                        Some(text) if !restored.acted => text,
                        _ => restored.told,
                    };
                    if believed {
                        return Ok(text);
                    }
                    told = Some(text);
                    aws.poll()
                }
                Err(fault) if (fault.passing() || fault.between_states()) && failures < ANEW => {
                    failures += 1;
                    aws.note(format!("undoing step `{step}`: {fault}; looking again"));
                    aws.poll() * (1 << failures)
                }
                Err(fault) => return Err(fault),
            };
            sleep(jittered(pause)).await;
        }
    }

    /// One attempt.
    async fn restore(&self, aws: &Aws, step: &str) -> Result<Restored, Fault> {
        match self {
            Undo::StartInstances { ids } => ec2::restore(aws, step, ids, "running").await,
            Undo::StopInstances { ids } => ec2::restore(aws, step, ids, "stopped").await,
            Undo::StartDbInstances { ids } => rds::restore(aws, step, ids, "available").await,
            Undo::StopDbInstances { ids } => rds::restore(aws, step, ids, "stopped").await,
            Undo::DesiredCount { cluster, service, desired_count } => {
                ecs::restore(aws, step, cluster, service, *desired_count).await
            }
            Undo::RecordSets { zone_id, record_sets } => {
                route53::restore(aws, step, zone_id, record_sets).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::action::ec2::{RebootInstances, StopInstances, TerminateInstances};
    use crate::action::{Act, Applied, Watch};
    use crate::aws::find::{Found, Resource, Target};
    use crate::aws::target::Ec2Instance;
    use crate::aws::{FaultKind, Settings, Witness};
    use crate::clock::Clock;
    use crate::lab::Lab;
    use crate::notation::decode::Spanned;
    use crate::notation::yaml::Span;
    use crate::run::event::CallOutcome;

    const NOTHING: &Applied = &Applied { detail: String::new(), handle: None };

    /// A journal whose disk can fill up.
    #[derive(Default)]
    struct Disk {
        full: AtomicBool,
    }

    impl Witness for Disk {
        fn sent(&self, _: &str, _: &str, _: &str) -> Result<(), String> {
            if self.full.load(Ordering::SeqCst) { Err("no space left on device".to_owned()) } else { Ok(()) }
        }
        fn returned(&self, _: &str, _: &str, _: &str, _: CallOutcome, _: Option<String>) {}
        fn noted(&self, _: String) {}
    }

    async fn connected(lab: &Lab, disk: Arc<Disk>) -> Aws {
        let settings = Settings {
            region: lab.region().to_owned(),
            endpoint_url: Some(lab.endpoint_url()),
            credentials: Some(("test".to_owned(), "test".to_owned())),
            lab: true,
            poll: Duration::from_millis(20),
            ..Settings::default()
        };
        let aws = Aws::connect(settings, disk).await.expect("it connects");
        aws.identity().await.expect("the lab knows everybody");
        aws
    }

    async fn one_instance(aws: &Aws) -> Found {
        let answer = aws.ec2().describe_instances().send().await.expect("the lab answers");
        let id = answer
            .reservations()
            .iter()
            .flat_map(|r| r.instances())
            .filter(|i| {
                crate::aws::ec2::state(i) == "running"
                    && crate::aws::ec2::tag(i, "aws:autoscaling:groupName").is_none()
            })
            .find_map(|i| i.instance_id());
        let resource = Resource { id: id.expect("the lab has instances").to_owned(), ..Resource::default() };
        let target = Target::Ec2Instance(Ec2Instance {
            id: Some(resource.id.clone()),
            ids: None,
            tags: None,
            availability_zone: None,
            auto_scaling_group: None,
            state: None,
            pick: None,
            spread: None,
            at_most: None,
        });
        Found { target, scope: None, resources: vec![resource], candidates: 1 }
    }

    fn sent(lab: &Lab, operation: &str) -> u64 {
        lab.calls().iter().filter(|(name, _)| name.ends_with(operation)).map(|(_, count)| count).sum()
    }

    fn named() -> Spanned<String> {
        Spanned { value: "victims".to_owned(), span: Span::default() }
    }

    #[test]
    fn each_undo_may_take_what_its_service_needs_for_each_resource() {
        let minutes = |undo: Undo| undo.limit().as_secs() / 60;
        let ids = || vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(minutes(Undo::StartDbInstances { ids: ids() }), 90);
        assert_eq!(minutes(Undo::StartInstances { ids: ids() }), 30);
        let (cluster, service) = ("shop".to_owned(), "web".to_owned());
        assert_eq!(minutes(Undo::DesiredCount { cluster, service, desired_count: 2 }), 20);
        let zone_id = "Z1".to_owned();
        assert_eq!(minutes(Undo::RecordSets { zone_id, record_sets: Vec::new() }), 10);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn neither_a_full_disk_nor_a_stopping_run_is_in_the_way_of_an_undo() {
        let lab = Lab::start(crate::lab::Settings::default()).expect("a lab");
        let disk = Arc::new(Disk::default());
        let aws = connected(&lab, disk.clone()).await;
        let found = one_instance(&aws).await;
        let stop = StopInstances { target: named(), force: true };
        let prepared = stop.prepare(&aws, &found).await.expect("it is running");
        // What the check of an action rehearses is no call of the kind that is counted here.
        assert_eq!(sent(&lab, "StopInstances"), 0);

        disk.full.store(true, Ordering::SeqCst);
        let fault = stop.apply(&aws, "step", &found, &prepared.before).await.expect_err("the disk is full");
        assert_eq!(fault.kind, FaultKind::Guarded, "{fault}");
        assert!(fault.message.contains("no space left"), "{fault}");
        assert_eq!(sent(&lab, "StopInstances"), 0);

        disk.full.store(false, Ordering::SeqCst);
        stop.apply(&aws, "step", &found, &prepared.before).await.expect("it is accepted");
        disk.full.store(true, Ordering::SeqCst);
        aws.halt();
        let undo = prepared.undo.expect("a stop is undone");
        let told = undo.apply(&aws, "undo").await.expect("it is put back");
        assert!(told.ends_with("running again"), "{told}");
        assert_eq!(sent(&lab, "StartInstances"), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_somebody_else_did_is_not_done_again() {
        let lab = Lab::start(crate::lab::Settings::default()).expect("a lab");
        let aws = connected(&lab, Arc::new(Disk::default())).await;
        let found = one_instance(&aws).await;
        let terminate = TerminateInstances { target: named() };
        let before = terminate.prepare(&aws, &found).await.expect("it is running").before;
        terminate.apply(&aws, "step", &found, &before).await.expect("it is accepted");
        let clock = Clock::start();
        let watch = |within| Watch { clock, since: clock.now(), within };
        let effect = |before, within| terminate.effect(&aws, &found, before, NOTHING, watch(within));
        let seen = effect(&before, Duration::from_secs(20)).await.expect("it is seen");
        assert!(seen.evidence.contains("running became"), "{}", seen.evidence);

        let fault = terminate.prepare(&aws, &found).await.expect_err("it is gone");
        assert_eq!(fault.kind, FaultKind::Refused);
        let id = &found.resources[0].id;
        assert!(fault.message.starts_with(&format!("{id} is already ")), "{fault}");
        // A prior state that shows it already makes no effect of it.
        let mut late = before.clone();
        late.resources[0].state = "terminated".to_owned();
        let fault = effect(&late, Duration::from_millis(100)).await.expect_err("nothing happened since");
        assert_eq!(fault.kind, FaultKind::Late, "{fault}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stopping_run_sends_nothing_more() {
        let lab = Lab::start(crate::lab::Settings::default()).expect("a lab");
        let aws = connected(&lab, Arc::new(Disk::default())).await;
        let found = one_instance(&aws).await;
        let reboot = RebootInstances { target: named() };
        let before = reboot.prepare(&aws, &found).await.expect("it is running").before;

        // Halted while it waits to send a throttled call again.
        lab.provoke("RebootInstances", crate::lab::Provocation::Throttle(100));
        let (ended, ()) = tokio::join!(reboot.apply(&aws, "step", &found, &before), async {
            while sent(&lab, "RebootInstances") == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            aws.halt();
        });
        let fault = ended.expect_err("it is not sent again");
        assert_eq!(
            (fault.kind, fault.message.as_str()),
            (FaultKind::Guarded, "not sent: the run is stopping")
        );
        assert_eq!(sent(&lab, "RebootInstances"), 1);

        let fault = reboot.apply(&aws, "step", &found, &before).await.expect_err("it is not sent at all");
        assert_eq!(fault.kind, FaultKind::Guarded);
        assert_eq!(sent(&lab, "RebootInstances"), 1);
    }
}
