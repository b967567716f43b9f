//! Actions on EC2 instances.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::types::InstanceAttributeName;

use self::facts::{in_state, rehearsed, restartable, unprotected};
pub(super) use self::states::{SETTLED, restore};
use self::states::{accepted, before, id_of, in_any, look, reachability, settle, turned};
use super::{Act, Applied, Before, Effect, Prepared, Sight, Undo, Watch, sighted, still_to_do};
use crate::aws::find::Found;
use crate::aws::{Aws, Fault, Purpose, Wait, ec2};
use crate::notation::decode::Spanned;
use crate::record;
use crate::run::event::Precondition;

mod facts;
mod states;

record! {
    /// Terminates instances. Irreversible: what is on their instance stores and on volumes that are
    /// deleted on termination is gone. An Auto Scaling group replaces its own.
    pub struct TerminateInstances {
        /// The name of an `ec2.instance` target.
        pub target: Spanned<String>,
    }
}

record! {
    /// Stops instances. Undone by starting those that were running.
    pub struct StopInstances {
        /// The name of an `ec2.instance` target.
        pub target: Spanned<String>,
        /// Stops without giving the operating system time to shut down.
        pub force: bool = false,
    }
}

record! {
    /// Starts stopped instances. Undone by stopping those that were stopped.
    pub struct StartInstances {
        /// The name of an `ec2.instance` target, with `state: stopped`.
        pub target: Spanned<String>,
    }
}

record! {
    /// Reboots instances. There is nothing to undo.
    pub struct RebootInstances {
        /// The name of an `ec2.instance` target.
        pub target: Spanned<String>,
    }
}

const TERMINATE: &str = "ec2:TerminateInstances";
const STOP: &str = "ec2:StopInstances";
const START: &str = "ec2:StartInstances";
const REBOOT: &str = "ec2:RebootInstances";

#[async_trait]
impl Act for TerminateInstances {
    fn permissions(&self) -> &'static [&'static str] {
        &["ec2:DescribeInstances", "ec2:DescribeInstanceAttribute", TERMINATE]
    }

    fn summary(&self, found: &Found) -> String {
        format!("terminate {}", found.names())
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts = Vec::new();
        let protection = InstanceAttributeName::DisableApiTermination;
        for instance in look(aws, &found.ids()).await? {
            let id = id_of(&instance);
            let state = ec2::state(&instance);
            facts.push(in_state(id, state, &["running", "stopped", "pending", "stopping"]));
            facts.push(unprotected(aws, id, "termination", protection.clone()).await?);
        }
        let rehearsal =
            aws.ec2().terminate_instances().set_instance_ids(Some(found.ids())).dry_run(true).send().await;
        facts.extend(rehearsed(TERMINATE, &found.names(), rehearsal)?);
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let before = before(aws, found).await?;
        still_to_do(TERMINATE, &before, &["shutting-down", "terminated"])?;
        Ok(Prepared { undo: None, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        aws.mutate(Purpose::Act, step, TERMINATE, &ids.join(", "), |clients| {
            clients.ec2.terminate_instances().set_instance_ids(Some(ids.clone())).send()
        })
        .await?;
        Ok(accepted("termination", found))
    }

    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        turned(aws, found, before, &["shutting-down", "terminated"], watch).await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        settle(aws, &found.ids(), "terminated", within).await
    }
}

#[async_trait]
impl Act for StopInstances {
    fn permissions(&self) -> &'static [&'static str] {
        &["ec2:DescribeInstances", "ec2:DescribeInstanceAttribute", STOP, START]
    }

    fn summary(&self, found: &Found) -> String {
        format!("stop {}{}", found.names(), if self.force { ", by force" } else { "" })
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts = Vec::new();
        for instance in look(aws, &found.ids()).await? {
            let id = id_of(&instance);
            facts.push(in_state(id, ec2::state(&instance), &["running"]));
            facts.push(unprotected(aws, id, "stop", InstanceAttributeName::DisableApiStop).await?);
            facts.extend(restartable(&instance));
        }
        let rehearsal =
            aws.ec2().stop_instances().set_instance_ids(Some(found.ids())).dry_run(true).send().await;
        facts.extend(rehearsed(STOP, &found.names(), rehearsal)?);
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let before = before(aws, found).await?;
        still_to_do(STOP, &before, &["stopping", "stopped", "shutting-down", "terminated"])?;
        let ids = in_any(&before, &["running", "pending"]);
        let undo = (!ids.is_empty()).then_some(Undo::StartInstances { ids });
        Ok(Prepared { undo, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        aws.mutate(Purpose::Act, step, STOP, &ids.join(", "), |clients| {
            clients.ec2.stop_instances().set_instance_ids(Some(ids.clone())).force(self.force).send()
        })
        .await?;
        Ok(accepted("stop", found))
    }

    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        turned(aws, found, before, &["stopping", "stopped"], watch).await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        settle(aws, &found.ids(), "stopped", within).await
    }
}

#[async_trait]
impl Act for StartInstances {
    fn permissions(&self) -> &'static [&'static str] {
        &["ec2:DescribeInstances", START, STOP]
    }

    fn summary(&self, found: &Found) -> String {
        format!("start {}", found.names())
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts: Vec<Precondition> = look(aws, &found.ids())
            .await?
            .iter()
            .map(|instance| in_state(id_of(instance), ec2::state(instance), &["stopped"]))
            .collect();
        let rehearsal =
            aws.ec2().start_instances().set_instance_ids(Some(found.ids())).dry_run(true).send().await;
        facts.extend(rehearsed(START, &found.names(), rehearsal)?);
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let before = before(aws, found).await?;
        still_to_do(START, &before, &["pending", "running", "shutting-down", "terminated"])?;
        let ids = in_any(&before, &["stopped", "stopping"]);
        let undo = (!ids.is_empty()).then_some(Undo::StopInstances { ids });
        Ok(Prepared { undo, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        aws.mutate(Purpose::Act, step, START, &ids.join(", "), |clients| {
            clients.ec2.start_instances().set_instance_ids(Some(ids.clone())).send()
        })
        .await?;
        Ok(accepted("start", found))
    }

    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        turned(aws, found, before, &["pending", "running"], watch).await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        settle(aws, &found.ids(), "running", within).await
    }
}

#[async_trait]
impl Act for RebootInstances {
    fn permissions(&self) -> &'static [&'static str] {
        &["ec2:DescribeInstances", "ec2:DescribeInstanceStatus", REBOOT]
    }

    fn summary(&self, found: &Found) -> String {
        format!("reboot {}", found.names())
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts: Vec<Precondition> = look(aws, &found.ids())
            .await?
            .iter()
            .map(|instance| in_state(id_of(instance), ec2::state(instance), &["running"]))
            .collect();
        let rehearsal =
            aws.ec2().reboot_instances().set_instance_ids(Some(found.ids())).dry_run(true).send().await;
        facts.extend(rehearsed(REBOOT, &found.names(), rehearsal)?);
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let mut before = before(aws, found).await?;
        still_to_do(REBOOT, &before, &["stopping", "stopped", "shutting-down", "terminated"])?;
        let health = reachability(aws, &found.ids()).await?;
        for resource in &mut before.resources {
            let status = health.get(&resource.id).cloned().unwrap_or_default();
            resource.facts.insert("reachability".to_owned(), status);
        }
        Ok(Prepared { undo: None, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        aws.mutate(Purpose::Act, step, REBOOT, &ids.join(", "), |clients| {
            clients.ec2.reboot_instances().set_instance_ids(Some(ids.clone())).send()
        })
        .await?;
        Ok(accepted("reboot", found))
    }

    /// EC2 keeps calling a rebooting instance `running`; only its status checks can tell, and they
    /// look once a minute. So this often finds nothing, and the step's own proof decides.
    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        let ids = found.ids();
        let wait = Wait {
            operation: "ec2:DescribeInstanceStatus",
            resource: &found.names(),
            what: "the status checks to notice the reboot (EC2 shows no other sign of it)",
            within: watch.within,
        };
        sighted(aws, wait, watch, || async {
            let now = reachability(aws, &ids).await?;
            let was = |id: &str| before.resource(id).and_then(|r| r.facts.get("reachability"));
            // Only a check that passed and then did not tells of a reboot: one that passes at last is an
            // earlier start's.
            let left = now
                .iter()
                .filter(|(id, status)| was(id).is_some_and(|was| was == "ok") && *status != "ok")
                .count();
            let how: Vec<String> = now.iter().map(|(id, status)| format!("{id}: {status}")).collect();
            Ok(Sight { some: left > 0, all: left == ids.len(), how: how.join("; ") })
        })
        .await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        settle(aws, &found.ids(), "running", within).await
    }
}
