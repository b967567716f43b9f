//! What guarded the run: the rules that would have stopped it, and what its caller was allowed to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::journal::Record;
use crate::run::event::{EventKind, MayI, PermissionCheck};

/// What guarded the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SafetyReport {
    /// The rules of `stop_when`, in the order of the file.
    pub guardrails: Vec<GuardrailReport>,
    /// What was asked of AWS about the caller's permissions before anything was touched.
    pub permissions: Vec<PermissionReport>,
}

/// A rule that stops a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuardrailReport {
    /// The rule, as written.
    pub rule: String,
    /// When it stopped the run, in seconds since `started_at`; absent when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tripped_at: Option<f64>,
    /// What was seen then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// Whether the caller may do one thing that the drill needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PermissionReport {
    /// The IAM action, such as `rds:RebootDBInstance`.
    pub action: String,
    /// On what: ARNs, or `*`.
    pub resources: Vec<String>,
    /// `allowed`, `denied` or `cannot_tell`.
    pub answer: String,
    /// How the answer is known, or why there is none.
    pub because: String,
    /// Whether the drill does without it.
    pub optional: bool,
    /// The step that needs it; absent for what watches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

impl SafetyReport {
    /// From a run's journal.
    pub(super) fn of(record: &Record) -> SafetyReport {
        let header = &record.header;
        let tripped = |rule: &str| {
            record.events.iter().find_map(|event| match &event.kind {
                EventKind::GuardrailTripped { rule: one, because } if one == rule => {
                    Some((event.at_ns.secs(), because.clone()))
                }
                _ => None,
            })
        };
        let guardrail = |rule: &String| {
            let (at, because) = tripped(rule).unzip();
            let because = because.filter(|because| !because.is_empty());
            GuardrailReport { rule: rule.clone(), tripped_at: at, because }
        };
        // One that the file does not name, such as the closing of a window, is told once it stopped the run.
        let named = &header.safety.guardrails;
        let others = record.events.iter().filter_map(|event| match &event.kind {
            EventKind::GuardrailTripped { rule, .. } if !named.contains(rule) => Some(rule),
            _ => None,
        });
        let of_steps = header.plan.iter().flat_map(|step| {
            step.permission_checks.iter().map(|check| PermissionReport::of(check, Some(&step.name)))
        });
        let beside = header.permission_checks.iter().map(|check| PermissionReport::of(check, None));
        SafetyReport {
            guardrails: named.iter().chain(others).map(guardrail).collect(),
            permissions: of_steps.chain(beside).collect(),
        }
    }

    /// The permissions that were not found to be granted.
    pub fn reservations(&self) -> impl Iterator<Item = &PermissionReport> {
        self.permissions.iter().filter(|one| one.answer != "allowed")
    }
}

impl PermissionReport {
    fn of(check: &PermissionCheck, step: Option<&String>) -> PermissionReport {
        let answer = match check.answer {
            MayI::Allowed => "allowed",
            MayI::Denied => "denied",
            MayI::CannotTell => "cannot_tell",
        };
        PermissionReport {
            action: check.action.clone(),
            resources: check.resources.clone(),
            answer: answer.to_owned(),
            because: check.because.clone(),
            optional: check.optional,
            step: step.cloned(),
        }
    }
}
