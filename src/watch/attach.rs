//! Which watchers a drill gets: found from what its steps act on.
//!
//! Looking around is best effort: a layer that cannot be found for lack of a permission is said to be missing,
//! and the drill goes on without it.

use std::collections::BTreeSet;

use super::{Watcher, alarms, compute, database, service, target_health};
use crate::aws::find::{Found, Resource};
use crate::aws::{Aws, Fault, FaultKind, autoscaling, cloudwatch, ecs, elbv2, route53};
use crate::run::event::WatcherFacts;

/// More target groups than this are not searched for an instance.
const SEARCHED: usize = 100;

/// The watchers of a drill.
#[derive(Default)]
pub struct Attached {
    /// Ready to start.
    pub watchers: Vec<Watcher>,
    /// Those that begin with a change that a step is yet to make.
    pub later: Vec<WatcherFacts>,
    /// What cannot be watched, and why, each in a sentence.
    pub missing: Vec<String>,
}

/// What is to be watched, each thing once.
#[derive(Default)]
struct Subjects {
    instances: BTreeSet<String>,
    scaling_groups: BTreeSet<String>,
    target_groups: BTreeSet<String>,
    db_instances: BTreeSet<String>,
    db_clusters: BTreeSet<String>,
    /// Cluster and service.
    services: BTreeSet<(String, String)>,
    records: BTreeSet<String>,
    missing: Vec<String>,
}

/// Finds the watchers for what is acted on, and for these alarms.
///
/// # Errors
/// An alarm that does not exist, or whose state cannot be asked: without it, what the experiment declares cannot be
/// decided.
pub async fn attach(aws: &Aws, touched: &[&Found], alarms: &[String]) -> Result<Attached, Fault> {
    let mut subjects = Subjects::default();
    for found in touched {
        subjects.add(found);
    }
    subjects.behind_services(aws).await;
    subjects.behind_scaling_groups(aws).await;
    subjects.before_instances(aws).await;
    let mut attached = subjects.watchers();
    if !alarms.is_empty() {
        known(aws, alarms).await?;
        attached.watchers.push(self::alarms::watcher(alarms.to_vec()));
    }
    Ok(attached)
}

/// Refuses alarms that do not exist, and names those that do.
pub(crate) async fn known(aws: &Aws, wanted: &[String]) -> Result<(), Fault> {
    let found: Vec<String> =
        cloudwatch::alarms(aws, wanted).await?.into_iter().map(|alarm| alarm.name).collect();
    let Some(unknown) = wanted.iter().find(|name| !found.contains(name)) else { return Ok(()) };
    let there = cloudwatch::some_names(aws).await?;
    let help = match there.as_slice() {
        [] => "this account has no alarm in this region; check the region".to_owned(),
        names => format!("there is: {}", names.iter().take(20).cloned().collect::<Vec<_>>().join(", ")),
    };
    let message = "there is no alarm of this name";
    Err(Fault::new(FaultKind::Absent, cloudwatch::DESCRIBE_ALARMS, unknown, message, help))
}

impl Subjects {
    fn add(&mut self, found: &Found) {
        let ids = found.ids();
        match found.kind() {
            "ec2.instance" => {
                self.instances.extend(ids);
                let groups =
                    found.resources.iter().filter_map(|resource| fact(resource, "auto_scaling_group"));
                self.scaling_groups.extend(groups);
            }
            "rds.instance" => self.db_instances.extend(ids),
            "rds.cluster" => self.db_clusters.extend(ids),
            "ecs.service" => self.services.extend(ids.into_iter().map(|id| (found.scope().to_owned(), id))),
            "ecs.task" => {
                for group in found.resources.iter().filter_map(|resource| fact(resource, "group")) {
                    if let Some(service) = group.strip_prefix("service:") {
                        self.services.insert((found.scope().to_owned(), service.to_owned()));
                    }
                }
            }
            "route53.record" => self.records.extend(ids),
            _ => {}
        }
    }

    fn miss(&mut self, what: &str, fault: &Fault) {
        self.missing.push(format!("{what} cannot be watched: {fault}"));
    }

    /// The target groups that services register their tasks with.
    async fn behind_services(&mut self, aws: &Aws) {
        for (cluster, name) in self.services.clone() {
            match ecs::service(aws, &cluster, &name).await {
                Ok(service) => {
                    let balancers = service.load_balancers.unwrap_or_default();
                    self.target_groups.extend(balancers.into_iter().filter_map(|one| one.target_group_arn));
                }
                Err(fault) => self.miss(&format!("target health of service {}", ecs::short(&name)), &fault),
            }
        }
    }

    /// The target groups that Auto Scaling groups register their instances with.
    async fn behind_scaling_groups(&mut self, aws: &Aws) {
        for name in self.scaling_groups.clone() {
            match autoscaling::group(aws, &name).await {
                Ok(Some(group)) => self.target_groups.extend(group.target_group_arns.unwrap_or_default()),
                Ok(None) => {
                    self.scaling_groups.remove(&name);
                }
                Err(fault) => {
                    self.scaling_groups.remove(&name);
                    self.miss(&format!("Auto Scaling group {name}"), &fault);
                }
            }
        }
    }

    /// The target groups that hold an instance without a group having said so.
    async fn before_instances(&mut self, aws: &Aws) {
        if self.instances.is_empty() {
            return;
        }
        let what = "target health of the instances";
        let groups = match elbv2::target_groups(aws, SEARCHED).await {
            Ok(groups) => groups,
            Err(fault) => return self.miss(what, &fault),
        };
        if groups.len() == SEARCHED {
            self.missing
                .push(format!("only the first {SEARCHED} target groups were searched for the instances"));
        }
        for arn in groups.into_iter().filter_map(|group| group.target_group_arn) {
            if self.target_groups.contains(&arn) {
                continue;
            }
            match elbv2::target_health(aws, &arn).await {
                Ok(targets) => {
                    let mut ids = targets.into_iter().filter_map(|found| found.target?.id);
                    if ids.any(|id| self.instances.contains(&id)) {
                        self.target_groups.insert(arn);
                    }
                }
                Err(fault) => return self.miss(what, &fault),
            }
        }
    }

    fn watchers(self) -> Attached {
        let mut watchers = Vec::new();
        if !self.instances.is_empty() {
            let ids: Vec<String> = self.instances.into_iter().collect();
            let names = shortened(&ids);
            watchers.push(compute::instances(ids, &names));
        }
        watchers.extend(self.scaling_groups.into_iter().map(compute::group));
        watchers.extend(self.services.into_iter().map(|(cluster, name)| service::watcher(cluster, name)));
        watchers.extend(self.target_groups.into_iter().map(target_health::watcher));
        watchers.extend(self.db_instances.into_iter().map(database::instance));
        watchers.extend(self.db_clusters.into_iter().map(database::cluster));
        let later = self.records.into_iter().map(|record| WatcherFacts {
            name: format!("changes of {record}"),
            permissions: vec![route53::GET_CHANGE.to_owned()],
        });
        Attached { watchers, later: later.collect(), missing: self.missing }
    }
}

fn fact(resource: &Resource, name: &str) -> Option<String> {
    resource.facts.get(name).cloned()
}

fn shortened(ids: &[String]) -> String {
    match ids {
        [first, second, third, rest @ ..] if rest.len() > 1 => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        few => few.join(", "),
    }
}
