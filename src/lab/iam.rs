//! IAM: only its simulation of what a caller may do, which in the lab is everything.

use super::wire::{Answer, Call, Fault, Protocol, Service, Xml};
use super::world::{ACCOUNT, USER_ARN};

/// The region's IAM.
pub(crate) struct Iam;

/// Whether this is somebody whose policies can be simulated: the lab's user, or a role of its account.
fn known(source: &str) -> Result<(), Fault> {
    let Some(resource) = source.strip_prefix(&format!("arn:aws:iam::{ACCOUNT}:")) else {
        let message = format!("Invalid Entity Arn: {source} does not clearly define entity type and name.");
        return Err(Fault::new(400, "InvalidInput", message));
    };
    if source == USER_ARN || resource.strip_prefix("role/").is_some_and(|name| !name.is_empty()) {
        return Ok(());
    }
    Err(Fault::new(404, "NoSuchEntity", format!("The entity {source} cannot be found.")))
}

fn simulate(call: &Call) -> Result<Xml, Fault> {
    known(call.params.required("PolicySourceArn")?)?;
    let actions = call.params.list("ActionNames.member");
    if actions.is_empty() {
        return Err(Fault::new(400, "ValidationError", "ActionNames must hold at least one action"));
    }
    let mut resources = call.params.list("ResourceArns.member");
    if resources.is_empty() {
        resources.push("*");
    }
    let pairs = actions.iter().flat_map(|action| resources.iter().map(move |arn| (*action, *arn)));
    let mut xml = Xml::new();
    xml.leaf("IsTruncated", false);
    xml.list("EvaluationResults", "member", pairs, |xml, (action, resource)| {
        xml.leaf("EvalActionName", action).leaf("EvalResourceName", resource).leaf("EvalDecision", "allowed");
        xml.node("MatchedStatements", |_| {}).node("MissingContextValues", |_| {});
    });
    Ok(xml)
}

impl Service for Iam {
    fn protocol(&self) -> Protocol {
        Protocol::Query { namespace: "https://iam.amazonaws.com/doc/2010-05-08/" }
    }

    fn answer(&self, call: &Call) -> Result<Option<Answer>, Fault> {
        match call.operation.as_str() {
            "SimulatePrincipalPolicy" => simulate(call).map(|xml| Some(Answer::Xml(xml))),
            _ => Ok(None),
        }
    }
}
