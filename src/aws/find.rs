//! From a target as written to resources as found.
//!
//! Reads only. What cannot be chosen is told apart by why, since "nothing matched" alone sends
//! people to the console.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Instance;
use aws_sdk_rds::types::DbInstance;
use aws_sdk_route53::types::{ResourceRecordSet, RrType};
use serde::{Deserialize, Serialize};

use super::draw::{draw, wanted};
pub use super::target::Target;
use super::target::{
    ClusterRole, Ec2Instance, Ec2State, EcsService, EcsTask, Pick, RdsCluster, RdsInstance, RecordType,
    Route53Record, Spread,
};
use super::{Aws, Fault, FaultKind, ec2, ecs, rds, route53};

/// What a target was found to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The target as written, its references resolved.
    pub target: Target,
    /// Where the resources live, when their ids do not say so: the ECS cluster, the hosted zone's id.
    pub scope: Option<String>,
    /// The resources that were chosen, sorted by id.
    pub resources: Vec<Resource>,
    /// How many could have been.
    pub candidates: usize,
}

impl Found {
    /// The target's kind, such as `ec2.instance`.
    pub fn kind(&self) -> &'static str {
        self.target.name()
    }

    /// The ids of the chosen resources.
    pub fn ids(&self) -> Vec<String> {
        self.resources.iter().map(|resource| resource.id.clone()).collect()
    }

    /// The chosen resources in one line, long lists cut.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.resources.iter().map(|resource| ecs::short(&resource.id)).collect();
        match names.as_slice() {
            [first, second, third, rest @ ..] if rest.len() > 1 => {
                format!("{first}, {second}, {third} and {} more", rest.len())
            }
            few => few.join(", "),
        }
    }

    pub(crate) fn scope(&self) -> &str {
        self.scope.as_deref().unwrap_or_default()
    }
}

/// One resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its id: instance id, DB identifier, task ARN, or a record's name and type.
    pub id: String,
    /// Its Availability Zone.
    pub zone: Option<String>,
    /// Its state, as the API writes it.
    pub state: String,
    /// What else is worth showing of it.
    pub facts: BTreeMap<String, String>,
}

/// Looks a target up. `seed` and `name` (the target's name in the experiment) decide who is drawn.
pub async fn find(aws: &Aws, target: &Target, seed: u64, name: &str) -> Result<Found, Fault> {
    let mut scope = None;
    let (operation, candidates, sieve) = match target {
        Target::Ec2Instance(t) => find_ec2(aws, t).await?,
        Target::RdsInstance(t) => find_rds(aws, t).await?,
        Target::RdsCluster(t) => find_cluster(aws, t).await?,
        Target::EcsTask(t) => {
            scope = Some(t.cluster.clone());
            find_tasks(aws, t).await?
        }
        Target::EcsService(t) => {
            scope = Some(t.cluster.clone());
            find_service(aws, t).await?
        }
        Target::Route53Record(t) => {
            let zone = route53::zone_id(aws, &t.zone).await?;
            let found = find_records(aws, t, &zone).await?;
            scope = Some(zone);
            found
        }
    };
    let choice = Choice::of(target);
    let resources = choose(candidates, &choice, seed, name).map_err(|(kind, message, help)| {
        let message = format!("{message}: {}{}", target.describe(), sieve.told());
        // Its name is for the caller to say, who knows it as the file does.
        Fault::new(kind, operation, "", message, help)
    })?;
    Ok(Found { target: target.clone(), scope, candidates: resources.1, resources: resources.0 })
}

/// Who was left out, and why: reason to count.
#[derive(Default)]
struct Sieve(BTreeMap<String, usize>);

impl Sieve {
    fn out(&mut self, why: impl Into<String>) {
        *self.0.entry(why.into()).or_default() += 1;
    }

    /// `; 3 others match but are stopped`, or nothing.
    fn told(&self) -> String {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(why, n)| format!("{n} {} {why}", if *n == 1 { "is" } else { "are" }))
            .collect();
        if parts.is_empty() { String::new() } else { format!("; of the others, {}", parts.join(", ")) }
    }
}

/// The call that listed, the candidates, and those left out.
type Listed = (&'static str, Vec<Resource>, Sieve);

async fn find_ec2(aws: &Aws, t: &Ec2Instance) -> Result<Listed, Fault> {
    let ids: Vec<String> = t.id.iter().chain(t.ids.iter().flatten()).cloned().collect();
    let mut filters = Vec::new();
    for (key, value) in t.tags.iter().flatten() {
        filters.push(ec2::filter(format!("tag:{key}"), value));
    }
    if let Some(zone) = &t.availability_zone {
        filters.push(ec2::filter("availability-zone", zone));
    }
    if let Some(group) = &t.auto_scaling_group {
        filters.push(ec2::filter("tag:aws:autoscaling:groupName", group));
    }
    let listed =
        ec2::instances(aws, (!ids.is_empty()).then_some(ids.as_slice()), filters, &ids.join(", ")).await?;
    let wanted = t.state.unwrap_or(Ec2State::Running);
    let mut sieve = Sieve::default();
    let mut candidates = Vec::new();
    for instance in &listed {
        let state = ec2::state(instance);
        let gone = matches!(state, "terminated" | "shutting-down");
        if !gone && (wanted == Ec2State::Any || state == wanted.word()) {
            candidates.push(ec2_resource(instance));
        } else {
            sieve.out(state);
        }
    }
    Ok((ec2::DESCRIBE_INSTANCES, candidates, sieve))
}

fn ec2_resource(instance: &Instance) -> Resource {
    let mut facts = BTreeMap::new();
    if let Some(name) = ec2::tag(instance, "Name") {
        facts.insert("name".to_owned(), name.to_owned());
    }
    if let Some(group) = ec2::tag(instance, "aws:autoscaling:groupName") {
        facts.insert("auto_scaling_group".to_owned(), group.to_owned());
    }
    if let Some(size) = instance.instance_type() {
        facts.insert("instance_type".to_owned(), size.as_str().to_owned());
    }
    Resource {
        id: instance.instance_id().unwrap_or_default().to_owned(),
        zone: ec2::zone(instance).map(str::to_owned),
        state: ec2::state(instance).to_owned(),
        facts,
    }
}

async fn find_rds(aws: &Aws, t: &RdsInstance) -> Result<Listed, Fault> {
    let ids: Vec<String> = t.id.iter().chain(t.ids.iter().flatten()).cloned().collect();
    let mut listed = Vec::new();
    if ids.is_empty() {
        listed = rds::instances(aws, t.cluster.as_deref(), "").await?;
    }
    for id in &ids {
        listed.push(rds::instance(aws, id).await?);
    }
    let writer = match (&t.cluster, t.role) {
        (Some(cluster), Some(_)) => rds::writer(&rds::cluster(aws, cluster).await?).map(str::to_owned),
        _ => None,
    };
    let status = match &t.status {
        Some(any) if any == "any" => None,
        Some(status) => Some(status.as_str()),
        None if ids.is_empty() => Some("available"),
        None => None,
    };
    let mut sieve = Sieve::default();
    let mut candidates = Vec::new();
    for instance in &listed {
        if !rds_matches(instance, t, writer.as_deref()) {
            continue;
        }
        if status.is_some_and(|status| status != rds::status(instance)) {
            sieve.out(rds::status(instance));
        } else {
            candidates.push(rds_resource(instance));
        }
    }
    Ok((rds::DESCRIBE_DB_INSTANCES, candidates, sieve))
}

fn rds_matches(instance: &DbInstance, t: &RdsInstance, writer: Option<&str>) -> bool {
    let tagged = t.tags.iter().flatten().all(|(key, value)| {
        instance.tag_list().iter().any(|tag| tag.key() == Some(key) && tag.value() == Some(value))
    });
    let placed = t.availability_zone.as_deref().is_none_or(|zone| instance.availability_zone() == Some(zone));
    let member = t.cluster.as_deref().is_none_or(|id| instance.db_cluster_identifier() == Some(id));
    let writes = writer.is_some() && instance.db_instance_identifier() == writer;
    let cast = match t.role {
        None => true,
        Some(ClusterRole::Writer) => writes,
        Some(ClusterRole::Reader) => !writes,
    };
    tagged && placed && member && cast
}

fn rds_resource(instance: &DbInstance) -> Resource {
    let mut facts = BTreeMap::new();
    let mut fact = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            facts.insert(key.to_owned(), value);
        }
    };
    fact("engine", instance.engine.clone());
    fact("multi_az", instance.multi_az.map(|yes| yes.to_string()));
    fact("secondary_zone", instance.secondary_availability_zone.clone());
    fact("replica_of", instance.read_replica_source_db_instance_identifier.clone());
    fact("cluster", instance.db_cluster_identifier.clone());
    fact("endpoint", instance.endpoint().and_then(|endpoint| endpoint.address.clone()));
    Resource {
        id: instance.db_instance_identifier().unwrap_or_default().to_owned(),
        zone: instance.availability_zone.clone(),
        state: rds::status(instance).to_owned(),
        facts,
    }
}

async fn find_cluster(aws: &Aws, t: &RdsCluster) -> Result<Listed, Fault> {
    let cluster = rds::cluster(aws, &t.id).await?;
    let members: Vec<&str> =
        cluster.db_cluster_members().iter().filter_map(|m| m.db_instance_identifier()).collect();
    let mut facts = BTreeMap::from([("members".to_owned(), members.join(", "))]);
    if let Some(writer) = rds::writer(&cluster) {
        facts.insert("writer".to_owned(), writer.to_owned());
    }
    let resource = Resource {
        id: cluster.db_cluster_identifier().unwrap_or(&t.id).to_owned(),
        zone: None,
        state: cluster.status().unwrap_or("unknown").to_owned(),
        facts,
    };
    Ok((rds::DESCRIBE_DB_CLUSTERS, vec![resource], Sieve::default()))
}

async fn find_tasks(aws: &Aws, t: &EcsTask) -> Result<Listed, Fault> {
    let arns = match &t.id {
        Some(id) => vec![id.clone()],
        None => {
            ecs::task_arns(aws, &t.cluster, t.service.as_deref(), t.family.as_deref(), &t.cluster).await?
        }
    };
    let mut sieve = Sieve::default();
    let mut candidates = Vec::new();
    for task in ecs::tasks(aws, &t.cluster, &arns).await? {
        let state = task.last_status().unwrap_or("UNKNOWN");
        let zone = task.availability_zone();
        if t.availability_zone.as_deref().is_some_and(|wanted| zone != Some(wanted)) {
            sieve.out(format!("in {}", zone.unwrap_or("no zone")));
        } else if state != "RUNNING" {
            sieve.out(state);
        } else {
            let mut facts = BTreeMap::new();
            if let Some(group) = task.group() {
                facts.insert("group".to_owned(), group.to_owned());
            }
            candidates.push(Resource {
                id: task.task_arn().unwrap_or_default().to_owned(),
                zone: zone.map(str::to_owned),
                state: state.to_owned(),
                facts,
            });
        }
    }
    Ok((ecs::DESCRIBE_TASKS, candidates, sieve))
}

async fn find_service(aws: &Aws, t: &EcsService) -> Result<Listed, Fault> {
    let service = ecs::service(aws, &t.cluster, &t.service).await?;
    let resource = Resource {
        id: service.service_name().unwrap_or(&t.service).to_owned(),
        zone: None,
        state: service.status().unwrap_or("UNKNOWN").to_owned(),
        facts: BTreeMap::from([
            ("desired_count".to_owned(), service.desired_count.to_string()),
            ("running_count".to_owned(), service.running_count.to_string()),
        ]),
    };
    Ok((ecs::DESCRIBE_SERVICES, vec![resource], Sieve::default()))
}

async fn find_records(aws: &Aws, t: &Route53Record, zone: &str) -> Result<Listed, Fault> {
    let mut sieve = Sieve::default();
    let mut candidates = Vec::new();
    for set in route53::record_sets(aws, zone, &t.name, &rr_type(t.r#type)).await? {
        if t.set_identifier.is_some() && set.set_identifier != t.set_identifier {
            sieve.out(format!("called {}", set.set_identifier.as_deref().unwrap_or("nothing")));
        } else {
            candidates.push(record_resource(&set));
        }
    }
    Ok((route53::LIST_RECORDS, candidates, sieve))
}

fn record_resource(set: &ResourceRecordSet) -> Resource {
    let mut id = format!("{} {}", set.name.trim_end_matches('.'), set.r#type.as_str());
    let mut facts = BTreeMap::new();
    if let Some(identifier) = &set.set_identifier {
        id.push_str(&format!(" [{identifier}]"));
        facts.insert("set_identifier".to_owned(), identifier.clone());
    }
    if let Some(weight) = set.weight {
        facts.insert("weight".to_owned(), weight.to_string());
    }
    if let Some(failover) = &set.failover {
        facts.insert("failover".to_owned(), failover.as_str().to_owned());
    }
    if let Some(ttl) = set.ttl {
        facts.insert("ttl".to_owned(), ttl.to_string());
    }
    let values: Vec<&str> = set.resource_records().iter().map(|record| record.value.as_str()).collect();
    let state = match &set.alias_target {
        Some(alias) => format!("alias of {}", alias.dns_name),
        None => values.join(", "),
    };
    Resource { id, zone: None, state, facts }
}

/// The SDK's name of a record type.
pub(crate) fn rr_type(record_type: RecordType) -> RrType {
    RrType::from(record_type.word())
}

/// The part of a target that says how many.
struct Choice {
    pick: Pick,
    spread: bool,
    at_most: Option<u32>,
    /// What to change when nothing matches.
    help: &'static str,
}

impl Choice {
    fn of(target: &Target) -> Choice {
        let (pick, spread, at_most) = match target {
            Target::Ec2Instance(t) => (t.pick, t.spread, t.at_most),
            Target::RdsInstance(t) => (t.pick, t.spread, t.at_most),
            Target::EcsTask(t) => (t.pick, t.spread, t.at_most),
            _ => (None, None, None),
        };
        let help = match target {
            Target::Ec2Instance(_) => "check the tags, zone and region, or ask for another `state`",
            Target::RdsInstance(_) => "check the tags, zone and region, or ask for another `status`",
            Target::Route53Record(_) => "check the record's name, type and `set_identifier`, and the zone",
            _ => "check the cluster, service and region",
        };
        let spread = spread == Some(Spread::AvailabilityZone);
        Choice { pick: pick.unwrap_or(Pick::All), spread, at_most, help }
    }
}

type Unchosen = (FaultKind, String, String);

/// The chosen of the candidates, and how many there were.
fn choose(
    candidates: Vec<Resource>,
    choice: &Choice,
    seed: u64,
    name: &str,
) -> Result<(Vec<Resource>, usize), Unchosen> {
    let there = candidates.len();
    if there == 0 {
        return Err((FaultKind::Absent, "nothing matches".to_owned(), choice.help.to_owned()));
    }
    let count = wanted(choice.pick, there);
    if count > there {
        return Err((
            FaultKind::Absent,
            format!("{count} are to be picked, and {there} match"),
            format!("pick fewer, or {}", choice.help),
        ));
    }
    if let Some(limit) = choice.at_most.filter(|limit| count > *limit as usize) {
        return Err((
            FaultKind::Refused,
            format!("{count} would be chosen, and `at_most` allows {limit}"),
            format!("narrow the target, or pick fewer: `pick: {{ count: {limit} }}`"),
        ));
    }
    let zone = |resource: &Resource| resource.zone.clone().unwrap_or_default();
    let by_zone: Option<&dyn Fn(&Resource) -> String> = if choice.spread { Some(&zone) } else { None };
    Ok((draw(candidates, count, seed, name, |resource| resource.id.clone(), by_zone), there))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(n: usize) -> Vec<Resource> {
        (0..n).map(|i| Resource { id: format!("i-{i}"), ..Resource::default() }).collect()
    }

    fn choice(pick: Pick, at_most: Option<u32>) -> Choice {
        Choice { pick, spread: false, at_most, help: "look again" }
    }

    #[test]
    fn more_than_at_most_is_refused_before_anyone_is_drawn() {
        let (kind, message, _) = choose(resources(5), &choice(Pick::All, Some(2)), 1, "t").unwrap_err();
        assert_eq!(kind, FaultKind::Refused);
        assert_eq!(message, "5 would be chosen, and `at_most` allows 2");
        assert!(choose(resources(5), &choice(Pick::Count(2), Some(2)), 1, "t").is_ok());
    }

    #[test]
    fn too_few_is_an_error_that_counts() {
        let (kind, message, _) = choose(resources(1), &choice(Pick::Count(2), None), 1, "t").unwrap_err();
        assert_eq!((kind, message.as_str()), (FaultKind::Absent, "2 are to be picked, and 1 match"));
    }

    #[test]
    fn those_left_out_are_told_by_their_reason() {
        let mut sieve = Sieve::default();
        for state in ["stopped", "stopped", "pending"] {
            sieve.out(state);
        }
        assert_eq!(sieve.told(), "; of the others, 1 is pending, 2 are stopped");
    }
}
