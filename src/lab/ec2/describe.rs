//! The operations that only look.

use super::call::{dry_run, ids};
use super::filter::{Filter, VPC, subnet};
use super::instance::{Instance, State};
use super::{Ec2, Fleet};
use crate::lab::wire::{Fault, Params, Xml};
use crate::lab::world::{ACCOUNT, REGION, ZONES};

/// How many a page holds at most.
const LARGEST_PAGE: u64 = 1000;
/// How many an instance page must at least be asked to hold.
const SMALLEST_PAGE: u64 = 5;

pub(super) fn instances(ec2: &Ec2, params: &Params) -> Result<Xml, Fault> {
    let mut fleet = ec2.fleet();
    let chosen = choose(&mut fleet, params, |_| true)?;
    dry_run(params)?;
    let (page, next) = page(&chosen, params)?;
    let mut xml = Xml::new();
    xml.list("reservationSet", "item", page, |xml, instance| {
        xml.leaf("reservationId", instance.id.replacen("i-", "r-", 1)).leaf("ownerId", ACCOUNT);
        xml.node("groupSet", |_| {});
        xml.list("instancesSet", "item", [instance], describe);
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

fn describe(xml: &mut Xml, instance: &Instance) {
    let octets = instance.address.octets();
    xml.leaf("instanceId", &instance.id).leaf("imageId", "ami-0firedrill0lab000");
    state(xml, "instanceState", instance.state);
    let dashed = octets.map(|octet| octet.to_string()).join("-");
    xml.leaf("privateDnsName", format!("ip-{dashed}.{REGION}.compute.internal"));
    xml.leaf("reason", instance.reason.map_or("", |_| "User initiated"));
    xml.leaf("amiLaunchIndex", 0).leaf("instanceType", "t3.micro");
    xml.leaf("launchTime", format!("{:.3}", instance.launched));
    xml.node("placement", |xml| {
        xml.leaf("availabilityZone", instance.zone).leaf("groupName", "").leaf("tenancy", "default");
    });
    xml.node("monitoring", |xml| {
        xml.leaf("state", "disabled");
    });
    // What is terminated has given its address back.
    if instance.state != State::Terminated {
        xml.leaf("subnetId", subnet(instance.zone)).leaf("vpcId", VPC);
        xml.leaf("privateIpAddress", instance.address);
    }
    if let Some((code, message)) = instance.reason {
        xml.node("stateReason", |xml| {
            xml.leaf("code", code).leaf("message", message);
        });
    }
    xml.leaf("architecture", "x86_64").leaf("rootDeviceType", "ebs").leaf("virtualizationType", "hvm");
    xml.list("tagSet", "item", &instance.tags, |xml, (key, value)| {
        xml.leaf("key", key).leaf("value", value);
    });
}

pub(super) fn status(ec2: &Ec2, params: &Params) -> Result<Xml, Fault> {
    let all = params.flag("IncludeAllInstances");
    let mut fleet = ec2.fleet();
    let chosen = choose(&mut fleet, params, |instance| all || instance.state == State::Running)?;
    dry_run(params)?;
    let (page, next) = page(&chosen, params)?;
    let mut xml = Xml::new();
    xml.list("instanceStatusSet", "item", page, |xml, instance| {
        xml.leaf("instanceId", &instance.id).leaf("availabilityZone", instance.zone);
        state(xml, "instanceState", instance.state);
        let (status, detail) =
            if instance.state == State::Running { ("ok", "passed") } else { ("not-applicable", "") };
        for element in ["systemStatus", "instanceStatus"] {
            xml.node(element, |xml| {
                xml.leaf("status", status);
                if !detail.is_empty() {
                    xml.list("details", "item", [detail], |xml, detail| {
                        xml.leaf("name", "reachability").leaf("status", detail);
                    });
                }
            });
        }
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

pub(super) fn attribute(ec2: &Ec2, params: &Params) -> Result<Xml, Fault> {
    let mut fleet = ec2.fleet();
    let instance = one(&mut fleet, params)?;
    dry_run(params)?;
    let attribute = params.required("Attribute")?;
    let value = match attribute {
        "disableApiTermination" => instance.termination_protected.to_string(),
        "disableApiStop" => instance.stop_protected.to_string(),
        "instanceType" => "t3.micro".to_owned(),
        "instanceInitiatedShutdownBehavior" => "stop".to_owned(),
        other => {
            let message = format!("Value ({other}) for parameter attribute is invalid. Unknown attribute.");
            return Err(Fault::new(400, "InvalidParameterValue", message));
        }
    };
    let mut xml = Xml::new();
    xml.leaf("instanceId", &instance.id);
    xml.node(attribute, |xml| {
        xml.leaf("value", value);
    });
    Ok(xml)
}

pub(super) fn zones(params: &Params) -> Result<Xml, Fault> {
    dry_run(params)?;
    let mut xml = Xml::new();
    xml.list("availabilityZoneInfo", "item", ZONES, |xml, zone| {
        xml.leaf("zoneName", zone).leaf("zoneState", "available").leaf("regionName", REGION);
        xml.leaf("zoneId", format!("euw1-az{}", if zone.ends_with('a') { 1 } else { 2 }));
    });
    Ok(xml)
}

/// The instance that `InstanceId` names.
pub(super) fn one<'a>(fleet: &'a mut Fleet, params: &Params) -> Result<&'a mut Instance, Fault> {
    let id = params.required("InstanceId")?;
    let message = || format!("The instance ID '{id}' does not exist");
    fleet.find(id).ok_or_else(|| Fault::new(400, "InvalidInstanceID.NotFound", message()))
}

/// A state with its code.
pub(super) fn state(xml: &mut Xml, element: &str, state: State) {
    xml.node(element, |xml| {
        xml.leaf("code", state.code()).leaf("name", state.name());
    });
}

/// The instances that ids, filters and `also` leave, in the order in which they were launched.
fn choose<'a>(
    fleet: &'a mut Fleet,
    params: &Params,
    also: impl Fn(&Instance) -> bool,
) -> Result<Vec<&'a Instance>, Fault> {
    let ids = ids(fleet, params)?;
    if !ids.is_empty() && params.get("MaxResults").is_some() {
        let message = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(Fault::new(400, "InvalidParameterCombination", message));
    }
    let filters = Filter::all(params)?;
    let named = |instance: &&Instance| ids.is_empty() || ids.contains(&instance.id);
    let passes =
        |instance: &&Instance| filters.iter().all(|filter| filter.accepts(instance)) && also(instance);
    Ok(fleet.instances.iter().filter(named).filter(passes).collect())
}

/// A page of the instances, and the token of the next one.
fn page<'a>(chosen: &[&'a Instance], params: &Params) -> Result<(Vec<&'a Instance>, Option<String>), Fault> {
    let size = params.number("MaxResults")?.unwrap_or(LARGEST_PAGE);
    if !(SMALLEST_PAGE..=LARGEST_PAGE).contains(&size) {
        let message = format!(
            "Value ( {size} ) for parameter maxResults is invalid. Expecting a value between {SMALLEST_PAGE} \
             and {LARGEST_PAGE}."
        );
        return Err(Fault::new(400, "InvalidParameterValue", message));
    }
    // The token is the id after which the next page starts, so that a launch in between moves nothing.
    let start = match params.get("NextToken") {
        None => 0,
        Some(token) => {
            let wrong = || Fault::new(400, "InvalidNextToken", "The specified NextToken is not valid.");
            let last = token.strip_prefix("after-").ok_or_else(wrong)?;
            chosen.iter().position(|instance| instance.id == last).ok_or_else(wrong)? + 1
        }
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let page: Vec<&Instance> = chosen.iter().skip(start).take(size).copied().collect();
    let more = start + page.len() < chosen.len();
    let next = page.last().filter(|_| more).map(|instance| format!("after-{}", instance.id));
    Ok((page, next))
}
