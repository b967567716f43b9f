//! The operations of the API: parameters in, checks, what they show or start.

use jiff::{SignedDuration, Timestamp};

use super::fault;
use super::inventory::{Event, Instance, Inventory};
use super::{Place, Rds, shape};
use crate::lab::database::Loss;
use crate::lab::wire::{Fault, Params, Xml};

/// How many things a list shows at once. AWS decides this too; few, so that a client that does
/// not follow markers is caught.
const PAGE: usize = 2;

/// Carries out an operation; `None` when there is none of this name.
pub(super) fn dispatch(rds: &Rds, operation: &str, params: &Params) -> Result<Option<Xml>, Fault> {
    let answer = match operation {
        "DescribeDBInstances" => describe_instances(rds, params),
        "DescribeDBClusters" => describe_clusters(rds, params),
        "DescribeEvents" => describe_events(rds, params),
        "ListTagsForResource" => list_tags(rds, params),
        "RebootDBInstance" => reboot(rds, params),
        "StopDBInstance" => stop(rds, params),
        "StartDBInstance" => start(rds, params),
        "PromoteReadReplica" => promote(rds, params),
        "FailoverDBCluster" => fail_cluster_over(rds, params),
        _ => return Ok(None),
    };
    answer.map(Some)
}

fn place(rds: &Rds) -> Place {
    Place { user: rds.inner.user.clone(), now: rds.now(), databases: rds.inner.databases.clone() }
}

/// The identifier that a name or an ARN stands for.
fn identifier(text: &str) -> &str {
    text.strip_prefix("arn:aws:rds:").and_then(|rest| rest.rsplit(':').next()).unwrap_or(text)
}

/// The filters of a call, of which every one must be known and satisfied.
struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    fn of(params: &Params, known: &[&str]) -> Result<Filters, Fault> {
        let mut found = Vec::new();
        for filter in params.structs("Filters.Filter") {
            let name = filter.required("Name")?.to_owned();
            if !known.contains(&name.as_str()) {
                return Err(fault::value(format!("Unrecognized filter name: {name}")));
            }
            let values: Vec<String> = filter.list("Values.Value").into_iter().map(str::to_owned).collect();
            if values.is_empty() {
                return Err(fault::value(format!("Filter {name} has no values")));
            }
            found.push((name, values));
        }
        Ok(Filters(found))
    }

    fn keep(&self, value_of: impl Fn(&str) -> Option<String>) -> bool {
        self.0.iter().all(|(name, wanted)| {
            let value = value_of(name).unwrap_or_default();
            wanted.iter().any(|wanted| identifier(wanted).eq_ignore_ascii_case(&value))
        })
    }
}

/// The page of `things` that the marker asks for, and the marker of the next one.
fn page<'a, T>(things: &'a [T], params: &Params) -> Result<(&'a [T], Option<String>), Fault> {
    let most = params.number("MaxRecords")?.unwrap_or(100);
    if !(20..=100).contains(&most) {
        return Err(fault::value(format!("Invalid value {most} for MaxRecords. Must be between 20 and 100")));
    }
    let marker = params.get("Marker").filter(|marker| !marker.is_empty());
    let wrong = || fault::value("Invalid marker");
    let from: usize = match marker {
        Some(marker) => marker.strip_prefix("from-").and_then(|from| from.parse().ok()).ok_or_else(wrong)?,
        None => 0,
    };
    let rest = things.get(from..).ok_or_else(wrong)?;
    let size = PAGE.min(usize::try_from(most).unwrap_or(PAGE));
    let next = (rest.len() > size).then(|| format!("from-{}", from + size));
    Ok((&rest[..size.min(rest.len())], next))
}

fn describe_instances(rds: &Rds, params: &Params) -> Result<Xml, Fault> {
    let known = ["db-cluster-id", "db-instance-id", "dbi-resource-id", "domain", "engine"];
    let filters = Filters::of(params, &known)?;
    let inventory = rds.inventory();
    let mut instances: Vec<&Instance> = match params.get("DBInstanceIdentifier") {
        Some(id) => vec![inventory.instance(identifier(id))?],
        None => inventory.instances.iter().collect(),
    };
    instances.retain(|instance| {
        filters.keep(|name| match name {
            "db-cluster-id" => instance.cluster.clone(),
            "db-instance-id" => Some(instance.id.clone()),
            "dbi-resource-id" => Some(instance.resource_id.clone()),
            "engine" => Some(instance.engine.to_owned()),
            _ => None,
        })
    });
    let (shown, marker) = page(&instances, params)?;
    let (place, mut xml) = (place(rds), Xml::new());
    xml.leaf_if("Marker", marker);
    xml.node("DBInstances", |xml| {
        shown.iter().for_each(|instance| shape::instance(xml, &inventory, instance, &place));
    });
    Ok(xml)
}

fn describe_clusters(rds: &Rds, params: &Params) -> Result<Xml, Fault> {
    let filters = Filters::of(
        params,
        &["clone-group-id", "db-cluster-id", "db-cluster-resource-id", "domain", "engine"],
    )?;
    let inventory = rds.inventory();
    let mut clusters = match params.get("DBClusterIdentifier") {
        Some(id) => vec![inventory.cluster(identifier(id))?],
        None => inventory.clusters.iter().collect(),
    };
    clusters.retain(|cluster| {
        filters.keep(|name| match name {
            "db-cluster-id" => Some(cluster.id.clone()),
            "db-cluster-resource-id" => Some(cluster.resource_id.clone()),
            "engine" => Some(cluster.engine.to_owned()),
            _ => None,
        })
    });
    let (shown, marker) = page(&clusters, params)?;
    let (place, mut xml) = (place(rds), Xml::new());
    xml.leaf_if("Marker", marker);
    xml.node("DBClusters", |xml| {
        shown.iter().for_each(|cluster| shape::cluster(xml, &inventory, cluster, &place));
    });
    Ok(xml)
}

/// The time that an event list covers: `Duration` minutes (60) up to now, or from `StartTime` to `EndTime`.
fn window(params: &Params, now: Timestamp) -> Result<(Timestamp, Timestamp), Fault> {
    let time = |name: &str| -> Result<Option<Timestamp>, Fault> {
        let Some(text) = params.get(name) else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| fault::value(format!("{name} is not a valid ISO 8601 time: {text}")))
    };
    let minutes = params.number("Duration")?;
    let (start, end) = (time("StartTime")?, time("EndTime")?);
    if minutes.is_some() && start.is_some() {
        return Err(fault::combination("Duration and StartTime cannot both be given"));
    }
    let minutes = i64::try_from(minutes.unwrap_or(60)).unwrap_or(i64::MAX).min(14 * 24 * 60);
    let end = end.unwrap_or(now);
    let earliest = end.checked_sub(SignedDuration::from_mins(minutes)).unwrap_or(Timestamp::MIN);
    let start = start.unwrap_or(earliest);
    if start > end {
        return Err(fault::combination("StartTime must be before EndTime"));
    }
    Ok((start, end))
}

fn describe_events(rds: &Rds, params: &Params) -> Result<Xml, Fault> {
    let (source, kind) = (params.get("SourceIdentifier").map(identifier), params.get("SourceType"));
    if source.is_some() && kind.is_none() {
        return Err(fault::combination("SourceType must be given when SourceIdentifier is given"));
    }
    let (start, end) = window(params, rds.now())?;
    let categories = params.list("EventCategories.EventCategory");
    let inventory = rds.inventory();
    let wanted = |event: &&Event| {
        source.is_none_or(|source| event.source.eq_ignore_ascii_case(source))
            && kind.is_none_or(|kind| event.kind == kind)
            && (categories.is_empty() || categories.contains(&event.category))
            && event.at >= start
            && event.at <= end
    };
    let events: Vec<&Event> = inventory.events.iter().filter(wanted).collect();
    let (shown, marker) = page(&events, params)?;
    let mut xml = Xml::new();
    xml.leaf_if("Marker", marker);
    xml.node("Events", |xml| shown.iter().for_each(|event| shape::event(xml, event)));
    Ok(xml)
}

fn list_tags(rds: &Rds, params: &Params) -> Result<Xml, Fault> {
    let name = params.required("ResourceName")?;
    let inventory = rds.inventory();
    let mut parts = name.rsplit(':');
    let (id, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let tags = match kind {
        "db" => &inventory.instance(id)?.tags,
        "cluster" => &inventory.cluster(id)?.tags,
        _ => return Err(fault::value(format!("Invalid resource name: {name}"))),
    };
    let mut xml = Xml::new();
    shape::tags(&mut xml, tags);
    Ok(xml)
}

/// The instance as it looks now: the answer of a call that changed it.
fn shown(rds: &Rds, inventory: &Inventory, id: &str) -> Result<Xml, Fault> {
    let mut xml = Xml::new();
    shape::instance(&mut xml, inventory, inventory.instance(id)?, &place(rds));
    Ok(xml)
}

/// The instance that a call names, which must be in `status`.
fn instance_in(rds: &Rds, params: &Params, status: &str) -> Result<Instance, Fault> {
    let id = identifier(params.required("DBInstanceIdentifier")?);
    let instance = rds.inventory().instance(id)?.clone();
    expect(&instance, status)?;
    Ok(instance)
}

fn expect(instance: &Instance, status: &str) -> Result<(), Fault> {
    if instance.status == status {
        return Ok(());
    }
    Err(fault::instance_state(format!("Instance {} is not in {status} state.", instance.id)))
}

/// Takes the instance from the status that it must still be in to the one that a call leads to at
/// once, and shows it so. Of two calls at the same time one is refused here.
fn enter(rds: &Rds, id: &str, from: &str, to: &'static str) -> Result<Xml, Fault> {
    let mut inventory = rds.inventory();
    let instance = inventory.instance_mut(id)?;
    expect(instance, from)?;
    instance.status = to;
    rds.told("db_status", &instance.id, to);
    shown(rds, &inventory, id)
}

fn reboot(rds: &Rds, params: &Params) -> Result<Xml, Fault> {
    let instance = instance_in(rds, params, "available")?;
    let force = params.flag("ForceFailover");
    if force && !instance.multi_az {
        let message = "ForceFailover cannot be specified since the instance is not configured for Multi-AZ";
        return Err(fault::combination(message));
    }
    if force && !rds.inner.databases.synchronous(instance.database, 1 - instance.active) {
        let message = format!("Instance {} has no standby that is in sync.", instance.id);
        return Err(fault::instance_state(message));
    }
    let xml = enter(rds, &instance.id, "available", "rebooting")?;
    let change = rds.change(&instance.id);
    if force {
        tokio::spawn(change.fail_over());
    } else {
        tokio::spawn(change.reboot());
    }
    Ok(xml)
}

fn stop(rds: &Rds, params: &Params) -> Result<Xml, Fault> {
    let instance = instance_in(rds, params, "available")?;
    stoppable(rds, &instance)?;
    let xml = enter(rds, &instance.id, "available", "stopping")?;
    tokio::spawn(rds.change(&instance.id).stop());
    Ok(xml)
}

fn start(rds: &Rds, params: &Params) -> Result<Xml, Fault> {
    let instance = instance_in(rds, params, "stopped")?;
    let xml = enter(rds, &instance.id, "stopped", "starting")?;
    tokio::spawn(rds.change(&instance.id).start());
    Ok(xml)
}

/// AWS stops neither a read replica nor what has one, nor a member of a cluster.
fn stoppable(rds: &Rds, instance: &Instance) -> Result<(), Fault> {
    if instance.cluster.is_some() {
        let message = format!("{} DB instances are not eligible for stopping or starting.", instance.engine);
        return Err(fault::combination(message));
    }
    if instance.source.is_some() {
        return Err(fault::instance_state(format!("Cannot stop {}: it is a read replica.", instance.id)));
    }
    if let Some(replica) = rds.inventory().replicas(&instance.id).first() {
        let message = format!("Cannot stop {}: it has the read replica {replica}.", instance.id);
        return Err(fault::instance_state(message));
    }
    Ok(())
}

fn promote(rds: &Rds, params: &Params) -> Result<Xml, Fault> {
    let instance = instance_in(rds, params, "available")?;
    let Some(source) = instance.source.clone() else {
        return Err(fault::instance_state("DB Instance is not a read replica."));
    };
    let retention = params.number("BackupRetentionPeriod")?.unwrap_or(1);
    if retention > 35 {
        return Err(fault::value(format!(
            "Invalid backup retention period: {retention}. Must be between 0 and 35"
        )));
    }
    let xml = enter(rds, &instance.id, "available", "modifying")?;
    rds.inventory().instance_mut(&instance.id)?.backup_retention = u32::try_from(retention).unwrap_or(1);
    let truth = rds.inner.lab.truth.clone();
    let report = move |loss: &Loss| truth.lost(&source, loss.count, loss.at_ns);
    rds.inner.databases.sever(instance.database, report);
    tokio::spawn(rds.change(&instance.id).promote());
    Ok(xml)
}

fn fail_cluster_over(rds: &Rds, params: &Params) -> Result<Xml, Fault> {
    let id = identifier(params.required("DBClusterIdentifier")?).to_owned();
    let mut inventory = rds.inventory();
    let cluster = inventory.cluster(&id)?.clone();
    if cluster.status != "available" {
        let message = format!("DB cluster is not in available state. Current state: {}", cluster.status);
        return Err(fault::cluster_state(message));
    }
    let new = match params.get("TargetDBInstanceIdentifier").map(identifier) {
        Some(target) => {
            let position = cluster.members.iter().position(|member| member.eq_ignore_ascii_case(target));
            position.ok_or_else(|| fault::no_instance(target))?
        }
        None => (cluster.writer + 1) % cluster.members.len(),
    };
    if new == cluster.writer {
        let message = format!("DB instance {} is already the writer of the cluster.", cluster.members[new]);
        return Err(fault::instance_state(message));
    }
    for member in &cluster.members {
        expect(inventory.instance(member)?, "available")?;
    }
    inventory.cluster_mut(&id)?.status = "failing-over";
    let mut xml = Xml::new();
    shape::cluster(&mut xml, &inventory, inventory.cluster(&id)?, &place(rds));
    drop(inventory);
    tokio::spawn(rds.change(&cluster.id).fail_cluster_over(new));
    Ok(xml)
}
