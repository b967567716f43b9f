//! What a drill can do to AWS: one file per service, one type per API operation.
//!
//! The types here are also what a file can say, so that the reference, the decoding and the doing
//! cannot disagree. An action never prints, and knows nothing of probes, runs or reports.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use crate::aws::find::{Found, Resource};
use crate::aws::{Aws, Fault, FaultKind, Look, Wait};
use crate::choice;
use crate::clock::{Clock, Moment};
use crate::notation::decode::{Problem, Spanned};
use crate::notation::yaml::Span;
use crate::run::event::Precondition;

mod command;
pub mod ec2;
pub mod ecs;
pub mod rds;
pub mod route53;
mod undo;
mod usual;

pub use crate::aws::rds::Message;
pub use route53::record_set::RecordSet;
pub use undo::Undo;
pub use usual::Pace;

choice! {
    /// What a step does to AWS: named after the API operation, with the API's arguments in snake case.
    pub enum Action: "action", UnknownAction {
        "ec2.terminate_instances" => TerminateInstances(ec2::TerminateInstances),
        "ec2.stop_instances" => StopInstances(ec2::StopInstances),
        "ec2.start_instances" => StartInstances(ec2::StartInstances),
        "ec2.reboot_instances" => RebootInstances(ec2::RebootInstances),
        "rds.reboot_db_instance" => RebootDbInstance(rds::RebootDbInstance),
        "rds.stop_db_instance" => StopDbInstance(rds::StopDbInstance),
        "rds.start_db_instance" => StartDbInstance(rds::StartDbInstance),
        "rds.failover_db_cluster" => FailoverDbCluster(rds::FailoverDbCluster),
        "rds.promote_read_replica" => PromoteReadReplica(rds::PromoteReadReplica),
        "ecs.stop_task" => StopTask(ecs::StopTask),
        "ecs.update_service" => UpdateService(ecs::UpdateService),
        "route53.flip_record" => FlipRecord(route53::FlipRecord),
    }
}

impl Action {
    /// What does it.
    pub fn act(&self) -> &dyn Act {
        match self {
            Action::TerminateInstances(a) => a,
            Action::StopInstances(a) => a,
            Action::StartInstances(a) => a,
            Action::RebootInstances(a) => a,
            Action::RebootDbInstance(a) => a,
            Action::StopDbInstance(a) => a,
            Action::StartDbInstance(a) => a,
            Action::FailoverDbCluster(a) => a,
            Action::PromoteReadReplica(a) => a,
            Action::StopTask(a) => a,
            Action::UpdateService(a) => a,
            Action::FlipRecord(a) => a,
        }
    }

    /// The name of the experiment's target that it acts on, with its place.
    pub fn target(&self) -> &Spanned<String> {
        match self {
            Action::TerminateInstances(a) => &a.target,
            Action::StopInstances(a) => &a.target,
            Action::StartInstances(a) => &a.target,
            Action::RebootInstances(a) => &a.target,
            Action::RebootDbInstance(a) => &a.target,
            Action::StopDbInstance(a) => &a.target,
            Action::StartDbInstance(a) => &a.target,
            Action::FailoverDbCluster(a) => &a.target,
            Action::PromoteReadReplica(a) => &a.target,
            Action::StopTask(a) => &a.target,
            Action::UpdateService(a) => &a.target,
            Action::FlipRecord(a) => &a.target,
        }
    }

    /// The kind of target that it acts on, such as `ec2.instance`.
    pub fn accepts(&self) -> &'static str {
        match self {
            Action::TerminateInstances(_)
            | Action::StopInstances(_)
            | Action::StartInstances(_)
            | Action::RebootInstances(_) => "ec2.instance",
            Action::RebootDbInstance(_)
            | Action::StopDbInstance(_)
            | Action::StartDbInstance(_)
            | Action::PromoteReadReplica(_) => "rds.instance",
            Action::FailoverDbCluster(_) => "rds.cluster",
            Action::StopTask(_) => "ecs.task",
            Action::UpdateService(_) => "ecs.service",
            Action::FlipRecord(_) => "route53.record",
        }
    }

    /// Whether nothing can bring the prior state back, so that the step must say `irreversible: true`.
    pub fn irreversible(&self) -> bool {
        matches!(self, Action::TerminateInstances(_) | Action::PromoteReadReplica(_))
    }

    /// What is wrong with the arguments taken together; `place` is where the action stands.
    pub fn lint(&self, place: Span) -> Vec<Problem> {
        match self {
            Action::FlipRecord(flip) => flip.lint(place),
            Action::UpdateService(update) => update.lint(place),
            Action::PromoteReadReplica(promote) => promote.lint(place),
            _ => Vec::new(),
        }
    }
}

/// An action as it is done: everything about one API operation in one place.
///
/// The order of a run is `check`, `prepare`, `apply`, `effect`, `ready`. All but `apply` only look.
#[async_trait]
pub trait Act: Send + Sync {
    /// The IAM actions that it needs, its looking around included. Its own call stands before those of its undo.
    fn permissions(&self) -> &'static [&'static str];

    /// What it will do, to whom, in one line.
    fn summary(&self, found: &Found) -> String;

    /// Whether what it relies on holds. A fault means that this could not be asked.
    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault>;

    /// The prior state: what the effect is told by, and what the undo puts back.
    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault>;

    /// Does it. Accepted by AWS is not yet in effect.
    async fn apply(&self, aws: &Aws, step: &str, found: &Found, before: &Before) -> Result<Applied, Fault>;

    /// Waits until the resources themselves show that it took hold. `applied` may be the default
    /// when the call's outcome is unclear.
    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        applied: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault>;

    /// Waits until it is complete, where a later step may rely on that.
    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        applied: &Applied,
        within: Duration,
    ) -> Result<(), Fault>;
}

/// What is known before an action acts.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// How it will be undone, if it can and need be.
    pub undo: Option<Undo>,
    /// The prior state.
    pub before: Before,
}

/// The state of the resources before an action.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// Each resource, as a fresh look showed it.
    pub resources: Vec<Resource>,
    /// The messages about them that were there already.
    pub messages: BTreeSet<Message>,
    /// Route 53 record sets.
    pub record_sets: Vec<RecordSet>,
}

impl Before {
    /// How a resource was.
    pub(crate) fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id == id)
    }
}

impl Resource {
    /// Whether it came into one of `states` since: one that was in one of them before did not.
    pub(crate) fn turned(&self, now: &str, states: &[&str]) -> bool {
        states.contains(&now) && !states.contains(&self.state.as_str())
    }
}

/// Refuses to do what is done already: nobody could tell its effect from what was there before.
pub(crate) fn still_to_do(operation: &str, before: &Before, done: &[&str]) -> Result<(), Fault> {
    match before.resources.iter().find(|resource| done.contains(&resource.state.as_str())) {
        None => Ok(()),
        Some(resource) => Err(elsewhere(operation, &resource.id, &resource.state)),
    }
}

/// The fault of a victim that is `already` what the action would make of it.
pub(crate) fn elsewhere(operation: &str, id: &str, already: &str) -> Fault {
    let message = format!("{id} is already {already}: somebody else was here; plan again");
    Fault::new(FaultKind::Refused, operation, id, message, "plan again: the victims may be others by now")
}

/// What AWS said when it accepted the call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// One line for people.
    pub detail: String,
    /// What to ask for progress with, where the API has such a thing (a Route 53 change id).
    pub handle: Option<String>,
}

/// How an effect is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// The run's clock.
    pub clock: Clock,
    /// When the call was about to be sent: the effect is not older.
    pub since: Moment,
    /// How long to look for it.
    pub within: Duration,
}

/// That an action took hold, and between which instants.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// What was seen, such as `orders-db: primary moved from eu-west-1a to eu-west-1b`.
    pub evidence: String,
    /// The beginning of the last look that did not show it.
    pub after: Moment,
    /// The end of the first look that showed it whole.
    pub seen: Moment,
}

/// One look for an effect on several resources.
pub(crate) struct Sight {
    /// Whether any of them shows it.
    pub(crate) some: bool,
    /// Whether all of them do.
    pub(crate) all: bool,
    /// What they show.
    pub(crate) how: String,
}

/// Looks until all show the effect, and brackets the instant at which the first one did.
pub(crate) async fn sighted<Fut>(
    aws: &Aws,
    wait: Wait<'_>,
    watch: Watch,
    mut look: impl FnMut() -> Fut + Send,
) -> Result<Effect, Fault>
where
    Fut: Future<Output = Result<Sight, Fault>> + Send,
{
    let after = Mutex::new(watch.since);
    let evidence = wait
        .until(aws, || {
            let asked = watch.clock.now();
            let looking = look();
            let after = &after;
            async move {
                let sight = looking.await?;
                if sight.all {
                    return Ok(Look::There(sight.how));
                }
                if !sight.some
                    && let Ok(mut after) = after.lock()
                {
                    *after = asked;
                }
                Ok(Look::NotYet(sight.how))
            }
        })
        .await?;
    let after = after.into_inner().unwrap_or(watch.since);
    Ok(Effect { evidence, after, seen: watch.clock.now() })
}

/// One call for each of `ids`, in order. A failure after the first success is unclear as a whole:
/// the step did happen, in part.
pub(crate) async fn one_by_one<Fut>(ids: &[String], call: impl Fn(String) -> Fut) -> Result<(), Fault>
where
    Fut: Future<Output = Result<(), Fault>>,
{
    for (done, id) in ids.iter().enumerate() {
        if let Err(mut fault) = call(id.clone()).await {
            if done > 0 {
                fault.kind = FaultKind::Unclear;
                fault.message = format!("{} (it was done to {done} of {} before)", fault.message, ids.len());
            }
            return Err(fault);
        }
    }
    Ok(())
}

/// A precondition that holds or not.
pub(crate) fn precondition(what: impl Into<String>, holds: bool, found: impl Into<String>) -> Precondition {
    Precondition { what: what.into(), holds, found: found.into() }
}
