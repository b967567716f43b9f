//! What a drill can do to AWS: one file per service, one type per API operation.
//!
//! The types here are also what a file can say, so that the reference, the decoding and the doing
//! cannot disagree. An action never prints, and knows nothing of probes, runs or reports.

use crate::choice;
use crate::notation::decode::{Problem, Spanned};
use crate::notation::yaml::Span;

pub mod ec2;
pub mod ecs;
pub mod rds;
pub mod route53;

choice! {
    /// What a step does to AWS: named after the API operation, with the API's arguments in snake case.
    pub enum Action: "action" {
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
