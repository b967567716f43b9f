//! The operations that change instances, and their dispatch: what is refused and what is answered.

use super::instance::{Instance, State};
use super::life::BY_USER;
use super::{Ec2, Fleet, describe};
use crate::lab::wire::{Fault, Params, Xml};

/// Carries out an operation; nothing when EC2 has none of this name.
pub(super) fn dispatch(ec2: &Ec2, operation: &str, params: &Params) -> Result<Option<Xml>, Fault> {
    let answer = match operation {
        "DescribeInstances" => describe::instances(ec2, params)?,
        "DescribeInstanceStatus" => describe::status(ec2, params)?,
        "DescribeInstanceAttribute" => describe::attribute(ec2, params)?,
        "DescribeAvailabilityZones" => describe::zones(params)?,
        "ModifyInstanceAttribute" => modify(ec2, params)?,
        "TerminateInstances" => {
            change(ec2, params, may_terminate, |ec2, instance| ec2.terminate(instance, BY_USER))?
        }
        "StopInstances" => change(ec2, params, may_stop, |ec2, instance| ec2.stop(instance))?,
        "StartInstances" => change(ec2, params, may_start, |ec2, instance| ec2.start(instance))?,
        "RebootInstances" => {
            change(ec2, params, may_reboot, |ec2, instance| ec2.reboot(instance))?;
            returned()
        }
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

/// Refuses a dry run, as EC2 does when the call would be allowed.
pub(super) fn dry_run(params: &Params) -> Result<(), Fault> {
    if params.flag("DryRun") {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Fault::new(412, "DryRunOperation", message));
    }
    Ok(())
}

/// The ids of a call, each of an instance that exists.
pub(super) fn ids(fleet: &mut Fleet, params: &Params) -> Result<Vec<String>, Fault> {
    let ids: Vec<String> = params.list("InstanceId").into_iter().map(str::to_owned).collect();
    let wrong: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !well_formed(id)).collect();
    if let Some(first) = wrong.first() {
        let message = format!("Invalid id: \"{first}\" (expecting \"i-...\")");
        return Err(Fault::new(400, "InvalidInstanceID.Malformed", message));
    }
    let absent: Vec<&str> = ids.iter().map(String::as_str).filter(|id| fleet.find(id).is_none()).collect();
    match absent.as_slice() {
        [] => Ok(ids),
        [one] => {
            let message = format!("The instance ID '{one}' does not exist");
            Err(Fault::new(400, "InvalidInstanceID.NotFound", message))
        }
        many => {
            let message = format!("The instance IDs '{}' do not exist", many.join(", "));
            Err(Fault::new(400, "InvalidInstanceID.NotFound", message))
        }
    }
}

fn well_formed(id: &str) -> bool {
    let digits = id.strip_prefix("i-").unwrap_or_default();
    matches!(digits.len(), 8 | 17) && digits.chars().all(|c| c.is_ascii_hexdigit())
}

/// Changes all instances of a call, or, when one of them refuses, none.
fn change(
    ec2: &Ec2,
    params: &Params,
    may: fn(&Instance) -> Result<(), Fault>,
    act: impl Fn(&Ec2, &mut Instance),
) -> Result<Xml, Fault> {
    let mut fleet = ec2.fleet();
    let ids = ids(&mut fleet, params)?;
    if ids.is_empty() {
        let message = "The request must contain the parameter InstanceId";
        return Err(Fault::new(400, "MissingParameter", message));
    }
    dry_run(params)?;
    for id in &ids {
        if let Some(instance) = fleet.find(id) {
            may(instance)?;
        }
    }
    let mut changed = Vec::new();
    for id in &ids {
        if let Some(instance) = fleet.find(id) {
            let before = instance.state;
            act(ec2, instance);
            changed.push((id.clone(), before, instance.state));
        }
    }
    let mut xml = Xml::new();
    xml.list("instancesSet", "item", changed, |xml, (id, before, now)| {
        xml.leaf("instanceId", id);
        describe::state(xml, "currentState", now);
        describe::state(xml, "previousState", before);
    });
    Ok(xml)
}

fn may_terminate(instance: &Instance) -> Result<(), Fault> {
    if instance.termination_protected {
        let message = format!(
            "The instance '{}' may not be terminated. Modify its 'disableApiTermination' instance attribute \
             and try again.",
            instance.id
        );
        return Err(Fault::new(400, "OperationNotPermitted", message));
    }
    Ok(())
}

fn may_stop(instance: &Instance) -> Result<(), Fault> {
    if instance.stop_protected {
        let message = format!(
            "The instance '{}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.",
            instance.id
        );
        return Err(Fault::new(400, "OperationNotPermitted", message));
    }
    match instance.state {
        State::Running | State::Stopping | State::Stopped => Ok(()),
        State::Pending | State::ShuttingDown | State::Terminated => Err(incorrect(instance, "stopped")),
    }
}

fn may_start(instance: &Instance) -> Result<(), Fault> {
    match instance.state {
        State::Pending | State::Running | State::Stopped => Ok(()),
        State::Stopping | State::ShuttingDown | State::Terminated => Err(incorrect(instance, "started")),
    }
}

fn may_reboot(instance: &Instance) -> Result<(), Fault> {
    if instance.state == State::Running { Ok(()) } else { Err(incorrect(instance, "rebooted")) }
}

fn incorrect(instance: &Instance, what: &str) -> Fault {
    let message = format!("The instance '{}' is not in a state from which it can be {what}.", instance.id);
    Fault::new(400, "IncorrectInstanceState", message)
}

fn modify(ec2: &Ec2, params: &Params) -> Result<Xml, Fault> {
    let mut fleet = ec2.fleet();
    let instance = describe::one(&mut fleet, params)?;
    dry_run(params)?;
    if params.get("DisableApiTermination.Value").is_some() {
        instance.termination_protected = params.flag("DisableApiTermination.Value");
    }
    if params.get("DisableApiStop.Value").is_some() {
        instance.stop_protected = params.flag("DisableApiStop.Value");
    }
    Ok(returned())
}

fn returned() -> Xml {
    let mut xml = Xml::new();
    xml.leaf("return", true);
    xml
}
