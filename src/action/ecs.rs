//! Actions on ECS tasks and services.

use crate::notation::decode::{Problem, Spanned};
use crate::notation::yaml::Span;
use crate::record;

record! {
    /// Stops tasks. There is nothing to undo: a service starts new ones; a task of no service is gone.
    pub struct StopTask {
        /// The name of an `ecs.task` target.
        pub target: Spanned<String>,
        /// Why, as it will stand in the task's `stoppedReason`.
        pub reason: Option<String>,
    }
}

record! {
    /// Changes a service's desired count, or makes it deploy afresh. Undone by restoring the desired count.
    /// At least one of `desired_count` and `force_new_deployment` is needed.
    pub struct UpdateService {
        /// The name of an `ecs.service` target.
        pub target: Spanned<String>,
        /// How many tasks the service shall run.
        pub desired_count: Option<u32>,
        /// Replaces every task, with the task definition unchanged.
        pub force_new_deployment: Option<bool>,
    }
}

impl UpdateService {
    pub(super) fn lint(&self, place: Span) -> Vec<Problem> {
        if self.desired_count.is_some() || self.force_new_deployment == Some(true) {
            return Vec::new();
        }
        vec![
            Problem::new(place, "the service is to be updated, but nothing of it")
                .label("`desired_count` or `force_new_deployment: true` is needed here"),
        ]
    }
}
