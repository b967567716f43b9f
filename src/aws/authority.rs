//! Asking AWS, before anything is touched, whether the caller may do what a drill needs.
//!
//! Two ways: EC2 checks a call with `DryRun` against everything that decides in earnest. All else is put to IAM's
//! simulation of the caller's policies, which sees no session policy, no policy of a resource, and no value
//! of a condition that it is not told; a denial that may rest on such a value counts as no answer.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType, ResourceSpecificResult,
};

use super::permissions::{Need, SIMULATE, principal};
use super::{Aws, Fault, FaultKind};
use crate::run::event::{MayI, PermissionCheck};

/// An answer, and how it is known or why there is none.
type Verdict = (MayI, String);
/// What can be asked about in one call: the same resources with the same tags.
type Batch<'a> = (&'a [String], &'a BTreeMap<String, String>);

impl Aws {
    /// Asks about each need, in their order.
    pub async fn may(&self, needs: &[Need]) -> Vec<PermissionCheck> {
        let mut verdicts: Vec<Option<Verdict>> = Vec::with_capacity(needs.len());
        for need in needs {
            verdicts.push(rehearse(self, need).await);
        }
        let mut batches: BTreeMap<Batch<'_>, Vec<usize>> = BTreeMap::new();
        for (index, need) in needs.iter().enumerate().filter(|(index, _)| verdicts[*index].is_none()) {
            batches.entry((need.resources.as_slice(), &need.tags)).or_default().push(index);
        }
        // What keeps one question from being answered keeps the others, too.
        let mut silent: Option<String> = None;
        for (batch, indices) in batches {
            let actions: Vec<String> = indices.iter().map(|index| needs[*index].action.clone()).collect();
            let answers = match &silent {
                Some(why) => Err((true, why.clone())),
                None => simulate(self, batch, actions).await,
            };
            for index in indices {
                verdicts[index] = Some(match &answers {
                    Ok(answers) => answers.get(&needs[index].action).cloned().unwrap_or_else(unanswered),
                    Err((_, why)) => (MayI::CannotTell, why.clone()),
                });
            }
            if let Err((true, why)) = answers {
                silent = Some(why);
            }
        }
        needs.iter().zip(verdicts).map(|(need, verdict)| check(need, verdict)).collect()
    }
}

fn unanswered() -> Verdict {
    (MayI::CannotTell, format!("{SIMULATE} did not answer for it"))
}

fn check(need: &Need, verdict: Option<Verdict>) -> PermissionCheck {
    let (answer, because) = verdict.unwrap_or_else(unanswered);
    PermissionCheck {
        action: need.action.clone(),
        resources: need.resources.clone(),
        answer,
        because,
        optional: need.optional,
    }
}

/// EC2's own rehearsal; nothing for what it does not rehearse, or when it says something else.
async fn rehearse(aws: &Aws, need: &Need) -> Option<Verdict> {
    let ids: Vec<String> =
        need.resources.iter().filter_map(|arn| Some(arn.split_once(":instance/")?.1.to_owned())).collect();
    macro_rules! rehearsal {
        ($operation:ident) => {{
            let sent = aws.ec2().$operation().set_instance_ids(Some(ids.clone())).dry_run(true).send().await;
            Fault::read(&need.action, &ids.join(", "), sent.err()?)
        }};
    }
    let fault = match need.action.as_str() {
        "ec2:TerminateInstances" => rehearsal!(terminate_instances),
        "ec2:StopInstances" => rehearsal!(stop_instances),
        "ec2:StartInstances" => rehearsal!(start_instances),
        "ec2:RebootInstances" => rehearsal!(reboot_instances),
        _ => return None,
    };
    match fault.kind {
        _ if fault.code.as_deref() == Some("DryRunOperation") => {
            Some((MayI::Allowed, "EC2's DryRun".to_owned()))
        }
        FaultKind::Denied => {
            // AWS adds some kilobytes that only it can read.
            let message = fault.message.split(" Encoded authorization failure").next().unwrap_or_default();
            let code = fault.code.as_deref().unwrap_or("no code");
            Some((MayI::Denied, format!("EC2's DryRun: {} ({code})", message.trim_end_matches('.'))))
        }
        _ => None,
    }
}

/// What IAM makes of these actions on a batch's resources. An error says whether to ask no more, and why.
async fn simulate(
    aws: &Aws,
    (resources, tags): Batch<'_>,
    actions: Vec<String>,
) -> Result<BTreeMap<String, Verdict>, (bool, String)> {
    let identity = aws.identity().await.map_err(|fault| (true, fault.to_string()))?;
    let source = principal(&identity, aws.role()).map_err(|why| (true, why))?;
    let mut known = vec![entry("aws:RequestedRegion", aws.region())];
    known.extend(tags.iter().map(|(key, value)| entry(&format!("aws:ResourceTag/{key}"), value)));
    let mut pages = aws
        .iam()
        .simulate_principal_policy()
        .policy_source_arn(&source)
        .set_action_names(Some(actions))
        .set_resource_arns(Some(resources.to_vec()))
        .set_context_entries(Some(known))
        .into_paginator()
        .send();
    let mut verdicts: BTreeMap<String, Verdict> = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            let fault = Fault::read(SIMULATE, &source, error);
            // A refusal is of what was asked; anything else would meet the next question as well.
            (fault.kind != FaultKind::Refused, fault.to_string())
        })?;
        for result in page.evaluation_results() {
            let kept = verdicts.entry(result.eval_action_name().to_owned()).or_insert_with(|| judged(result));
            // On several resources the worst counts.
            for verdict in
                std::iter::once(judged(result)).chain(result.resource_specific_results().iter().map(of_one))
            {
                if verdict.0 > kept.0 {
                    *kept = verdict;
                }
            }
        }
    }
    Ok(verdicts)
}

fn entry(key: &str, value: &str) -> ContextEntry {
    ContextEntry::builder()
        .context_key_name(key)
        .context_key_values(value)
        .context_key_type(ContextKeyTypeEnum::String)
        .build()
}

fn judged(result: &EvaluationResult) -> Verdict {
    let organization = result.organizations_decision_detail().map(|detail| detail.allowed_by_organizations());
    let boundary =
        result.permissions_boundary_decision_detail().map(|detail| detail.allowed_by_permissions_boundary());
    let why = match (organization, boundary) {
        (Some(false), _) => Some("the organization's policies do not allow it"),
        (_, Some(false)) => Some("the permissions boundary does not allow it"),
        _ => None,
    };
    decided(result.eval_decision(), result.missing_context_values(), why)
}

fn of_one(result: &ResourceSpecificResult) -> Verdict {
    decided(result.eval_resource_decision(), result.missing_context_values(), None)
}

/// A decision, without what it was not told; `why` says who denied it, where that is known.
fn decided(decision: &PolicyEvaluationDecisionType, missing: &[String], why: Option<&str>) -> Verdict {
    let word = decision.as_str();
    if *decision == PolicyEvaluationDecisionType::Allowed {
        return (MayI::Allowed, "IAM's simulation".to_owned());
    }
    if !missing.is_empty() {
        let missing = missing.join(", ");
        let why =
            format!("IAM's simulation says {word}, and was not told {missing}, which a policy asks for");
        return (MayI::CannotTell, why);
    }
    let usual = match decision {
        PolicyEvaluationDecisionType::ExplicitDeny => "a policy denies it",
        _ => "no policy allows it",
    };
    (MayI::Denied, format!("IAM's simulation: {} ({word})", why.unwrap_or(usual)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(decision: PolicyEvaluationDecisionType, missing: &[&str]) -> EvaluationResult {
        let missing = missing.iter().map(|key| (*key).to_owned()).collect();
        EvaluationResult::builder()
            .eval_action_name("rds:RebootDBInstance")
            .eval_decision(decision)
            .set_missing_context_values(Some(missing))
            .build()
            .expect("a result is complete")
    }

    #[test]
    fn a_denial_that_may_rest_on_what_was_not_told_is_no_answer() {
        use PolicyEvaluationDecisionType::{Allowed, ExplicitDeny, ImplicitDeny};
        assert_eq!(judged(&result(Allowed, &["aws:MultiFactorAuthPresent"])).0, MayI::Allowed);
        assert_eq!(judged(&result(ImplicitDeny, &[])).0, MayI::Denied);
        assert!(judged(&result(ExplicitDeny, &[])).1.contains("a policy denies it"));
        let (answer, why) = judged(&result(ImplicitDeny, &["aws:SourceIp"]));
        assert_eq!(answer, MayI::CannotTell);
        assert!(why.contains("aws:SourceIp"), "{why}");
    }

    #[test]
    fn the_worst_answer_is_the_greatest() {
        assert!(MayI::Denied > MayI::CannotTell && MayI::CannotTell > MayI::Allowed);
    }
}
