//! The calls of the AWS CLI that firedrill makes itself, better: it waits, measures, and undoes what can be undone.
//!
//! A call is offered as an action only when the action can do all that the call's options say.

use super::aws::Given;
use super::{Finding, open};

/// The options that say where and how to call, not what to do; an environment says them for an action.
const ASIDE: &[&str] = &[
    "region",
    "profile",
    "output",
    "query",
    "no-cli-pager",
    "no-paginate",
    "color",
    "endpoint-url",
    "debug",
    "ca-bundle",
    "cli-read-timeout",
    "cli-connect-timeout",
    "no-verify-ssl",
    "cli-binary-format",
];

/// An action in YAML, as it is written in an experiment.
struct Native {
    name: &'static str,
    /// The kind of the target, and its keys and values.
    target: (&'static str, Vec<(&'static str, String)>),
    /// The action's arguments beside the target.
    arguments: Vec<(&'static str, String)>,
    irreversible: bool,
    /// Whether firedrill can put the prior state back.
    undone: bool,
}

/// What a call says.
struct Call<'g, 'w>(&'g [Given<'w>]);

impl Call<'_, '_> {
    fn values(&self, name: &str) -> Option<Vec<String>> {
        let given = self.0.iter().rev().find(|given| given.name == name)?;
        Some(given.values.iter().map(|value| scalar(value)).collect())
    }

    fn value(&self, name: &str) -> Option<String> {
        self.values(name)?.into_iter().next()
    }

    fn flag(&self, name: &str) -> bool {
        self.0.iter().rev().find(|given| given.name == name).is_some_and(|given| !given.negative)
    }

    /// Whether it gives nothing beside these options.
    fn only(&self, names: &[&str]) -> bool {
        self.0.iter().all(|given| names.contains(&given.name) || ASIDE.contains(&given.name))
    }
}

/// The offer to let an action do what the operation `path` of the AWS CLI does.
pub(super) fn offer(word: usize, path: &str, given: &[Given<'_>]) -> Option<Finding> {
    let native = native(path, &Call(given))?;
    let undone = if native.undone { ", waits for it, and undoes it" } else { " and waits for it" };
    let mut finding = Finding::new(word, format!("`{}` does this{undone}", native.name))
        .label("as an action it can be planned, rehearsed dry and measured")
        .help(yaml(&native))
        .warning();
    finding.offer = true;
    Some(finding)
}

fn native(path: &str, call: &Call<'_, '_>) -> Option<Native> {
    let (service, operation) = path.split_once(' ')?;
    match service {
        "ec2" => ec2(operation, call),
        "rds" => rds(operation, call),
        "ecs" => ecs(operation, call),
        "route53" => route53(operation, call),
        _ => None,
    }
}

fn ec2(operation: &str, call: &Call<'_, '_>) -> Option<Native> {
    let ids = call.values("instance-ids").filter(|ids| !ids.is_empty())?;
    let mut keys = match ids.as_slice() {
        [one] => vec![("id", one.clone())],
        several => vec![("ids", format!("[{}]", several.join(", ")))],
    };
    let mut arguments = Vec::new();
    let name = match operation {
        "terminate-instances" if call.only(&["instance-ids"]) => "ec2.terminate_instances",
        "stop-instances" if call.only(&["instance-ids", "force"]) => {
            if call.flag("force") {
                arguments.push(("force", "true".to_owned()));
            }
            "ec2.stop_instances"
        }
        "start-instances" if call.only(&["instance-ids"]) => {
            keys.push(("state", "stopped".to_owned()));
            "ec2.start_instances"
        }
        "reboot-instances" if call.only(&["instance-ids"]) => "ec2.reboot_instances",
        _ => return None,
    };
    let irreversible = operation == "terminate-instances";
    let undone = matches!(operation, "stop-instances" | "start-instances");
    Some(Native { name, target: ("ec2.instance", keys), arguments, irreversible, undone })
}

fn rds(operation: &str, call: &Call<'_, '_>) -> Option<Native> {
    if operation == "failover-db-cluster" {
        return failover(call);
    }
    let id = vec![("id", call.value("db-instance-identifier")?)];
    let mut arguments = Vec::new();
    let (name, known): (_, &[&str]) = match operation {
        "promote-read-replica" => {
            arguments
                .extend(call.value("backup-retention-period").map(|days| ("backup_retention_period", days)));
            ("rds.promote_read_replica", &["db-instance-identifier", "backup-retention-period"])
        }
        "reboot-db-instance" => {
            if call.flag("force-failover") {
                arguments.push(("force_failover", "true".to_owned()));
            }
            ("rds.reboot_db_instance", &["db-instance-identifier", "force-failover"])
        }
        "stop-db-instance" => ("rds.stop_db_instance", &["db-instance-identifier"]),
        "start-db-instance" => ("rds.start_db_instance", &["db-instance-identifier"]),
        _ => return None,
    };
    let irreversible = operation == "promote-read-replica";
    let undone = matches!(operation, "stop-db-instance" | "start-db-instance");
    call.only(known).then_some(Native { name, target: ("rds.instance", id), arguments, irreversible, undone })
}

fn failover(call: &Call<'_, '_>) -> Option<Native> {
    let id = vec![("id", call.value("db-cluster-identifier")?)];
    let member = call.value("target-db-instance-identifier");
    let arguments = member.map(|member| ("target_db_instance_identifier", member)).into_iter().collect();
    call.only(&["db-cluster-identifier", "target-db-instance-identifier"]).then_some(Native {
        name: "rds.failover_db_cluster",
        target: ("rds.cluster", id),
        arguments,
        irreversible: false,
        undone: false,
    })
}

fn ecs(operation: &str, call: &Call<'_, '_>) -> Option<Native> {
    // The API's own default.
    let cluster = call.value("cluster").unwrap_or_else(|| "default".to_owned());
    let mut arguments = Vec::new();
    match operation {
        "stop-task" if call.only(&["cluster", "task", "reason"]) => {
            arguments.extend(call.value("reason").map(|reason| ("reason", reason)));
            let keys = vec![("cluster", cluster), ("id", call.value("task")?)];
            let target = ("ecs.task", keys);
            Some(Native { name: "ecs.stop_task", target, arguments, irreversible: false, undone: false })
        }
        "update-service" if call.only(&["cluster", "service", "desired-count", "force-new-deployment"]) => {
            arguments.extend(call.value("desired-count").map(|count| ("desired_count", count)));
            if call.flag("force-new-deployment") {
                arguments.push(("force_new_deployment", "true".to_owned()));
            }
            let undone = call.value("desired-count").is_some();
            let target = ("ecs.service", vec![("cluster", cluster), ("service", call.value("service")?)]);
            let some = !arguments.is_empty();
            some.then_some(Native {
                name: "ecs.update_service",
                target,
                arguments,
                irreversible: false,
                undone,
            })
        }
        _ => None,
    }
}

/// A change batch that stands in a file, or says no more than an UPSERT of one record's values.
fn route53(operation: &str, call: &Call<'_, '_>) -> Option<Native> {
    if operation != "change-resource-record-sets" || !call.only(&["hosted-zone-id", "change-batch"]) {
        return None;
    }
    let given = call.0.iter().find(|given| given.name == "change-batch")?;
    let batch = given.values.first()?;
    let zone = ("zone", call.value("hosted-zone-id")?);
    let (name, r#type, values, ttl) = match batch.trim_start().starts_with('{') && !open(batch) {
        true => record(batch)?,
        false => ("www.example.com".to_owned(), "A".to_owned(), "[192.0.2.10]".to_owned(), None),
    };
    let mut arguments = vec![("values", values)];
    arguments.extend(ttl.map(|ttl| ("ttl", ttl)));
    let target = ("route53.record", vec![zone, ("name", name), ("type", r#type)]);
    Some(Native { name: "route53.flip_record", target, arguments, irreversible: false, undone: true })
}

/// Name, type, values and TTL of the one record that a change batch sets.
fn record(batch: &str) -> Option<(String, String, String, Option<String>)> {
    let batch: serde_json::Value = serde_json::from_str(batch).ok()?;
    let [change] = batch.get("Changes")?.as_array()?.as_slice() else { return None };
    let set = change.get("ResourceRecordSet")?;
    let plain = ["Name", "Type", "TTL", "ResourceRecords"];
    if change.get("Action")? != "UPSERT" || set.as_object()?.keys().any(|key| !plain.contains(&key.as_str()))
    {
        return None;
    }
    let text = |key: &str| Some(scalar(set.get(key)?.as_str()?));
    let record = |record: &serde_json::Value| Some(scalar(record.get("Value")?.as_str()?));
    let records: Option<Vec<String>> = set.get("ResourceRecords")?.as_array()?.iter().map(record).collect();
    let values = format!("[{}]", records?.join(", "));
    Some((text("Name")?, text("Type")?, values, set.get("TTL").map(ToString::to_string)))
}

/// The lines of an experiment that do it.
fn yaml(native: &Native) -> String {
    let flow = |pairs: &[(&str, String)]| {
        let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        pairs.join(", ")
    };
    let target = native.target.0.rsplit('.').next().unwrap_or_default();
    let mut arguments = vec![("target", target.to_owned())];
    arguments.extend(native.arguments.iter().cloned());
    let irreversible = if native.irreversible { "\n    irreversible: true" } else { "" };
    format!(
        "write it as an action:\ntargets:\n  {target}: {{ {}: {{ {} }} }}\nsteps:\n  - name: {}\n    action: {{ {}: {{ {} }} }}{irreversible}",
        native.target.0,
        flow(&native.target.1),
        native.name.rsplit('.').next().unwrap_or_default().replace('_', " "),
        native.name,
        flow(&arguments),
    )
}

/// A word as a scalar of YAML's flow style.
fn scalar(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let known = word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(plain);
    let other = matches!(word, "true" | "false" | "null" | "yes" | "no" | "on" | "off");
    match known && !other {
        true => word.to_owned(),
        false => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}
