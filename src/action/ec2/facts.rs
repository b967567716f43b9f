//! What actions on EC2 instances rely on.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{DeviceType, Instance, InstanceAttributeName};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::states::id_of;
use crate::action::precondition;
use crate::aws::{Aws, Fault, FaultKind, ec2};
use crate::run::event::Precondition;

pub(super) fn in_state(id: &str, state: &str, wanted: &[&str]) -> Precondition {
    let holds = wanted.contains(&state);
    let found = if holds {
        state.to_owned()
    } else {
        format!("it is {state}: choose another, or wait until it is not")
    };
    precondition(format!("{id} is {}", wanted.join(" or ")), holds, found)
}

/// Whether the protection against `what` is off.
pub(super) async fn unprotected(
    aws: &Aws,
    id: &str,
    what: &str,
    attribute: InstanceAttributeName,
) -> Result<Precondition, Fault> {
    const OPERATION: &str = "ec2:DescribeInstanceAttribute";
    let asked = format!("{id} has no {what} protection");
    let answer = aws.ec2().describe_instance_attribute().instance_id(id).attribute(attribute).send().await;
    let answer = match answer.map_err(|e| Fault::read(OPERATION, id, e)) {
        Ok(answer) => answer,
        Err(fault) if fault.kind == FaultKind::Denied => {
            return Ok(precondition(asked, false, format!("{fault}; {}", fault.help)));
        }
        Err(fault) => return Err(fault),
    };
    let on = [answer.disable_api_termination(), answer.disable_api_stop()]
        .into_iter()
        .flatten()
        .any(|value| value.value() == Some(true));
    let found = if on { "it is protected: choose another, or lift the protection" } else { "not protected" };
    Ok(precondition(asked, !on, found))
}

/// What keeps a stopped instance from being started again.
pub(super) fn restartable(instance: &Instance) -> Vec<Precondition> {
    let id = id_of(instance);
    let mut facts = Vec::new();
    if instance.root_device_type() == Some(&DeviceType::InstanceStore) {
        facts.push(precondition(
            format!("{id} can be stopped"),
            false,
            "its root volume is an instance store, which a stop would lose; EC2 refuses it",
        ));
    }
    if let Some(group) = ec2::tag(instance, "aws:autoscaling:groupName") {
        facts.push(precondition(
            format!("{id} stays after it is stopped"),
            false,
            format!(
                "Auto Scaling group {group} would terminate and replace it, so that it cannot be started again: \
                 use `ec2.terminate_instances`, or suspend the group's ReplaceUnhealthy process"
            ),
        ));
    }
    facts
}

/// What EC2's own rehearsal of the call says. That the caller may not make it is nothing of the resource's: the
/// permission check says so, by name.
pub(super) fn rehearsed<T, E>(
    operation: &str,
    names: &str,
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Option<Precondition>, Fault>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let what = format!("EC2 would accept {operation} (DryRun)");
    let fault = match answer {
        Ok(_) => return Ok(Some(precondition(what, false, "EC2 did not treat the call as a dry run"))),
        Err(error) => Fault::read(operation, names, error),
    };
    match fault.kind {
        _ if fault.code.as_deref() == Some("DryRunOperation") => {
            Ok(Some(precondition(what, true, "it would have succeeded")))
        }
        FaultKind::Denied => Ok(None),
        FaultKind::Refused | FaultKind::Absent => {
            Ok(Some(precondition(what, false, format!("{fault}; {}", fault.help))))
        }
        _ => Err(fault),
    }
}
