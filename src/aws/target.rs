//! What a file can say about whom an action is aimed at: the kinds of target and their selectors.
//!
//! Declarations only: looking the resources up is `find`'s work.

use indexmap::IndexMap;

use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem};
use crate::notation::shape::{self, Shapes};
use crate::notation::yaml::{Node, Span, Value};
use crate::{choice, record, words};

choice! {
    /// Whom an action is aimed at: resources that are looked up when the plan is made.
    pub enum Target: "target kind", UnknownTargetKind {
        "ec2.instance" => Ec2Instance(Ec2Instance),
        "rds.instance" => RdsInstance(RdsInstance),
        "rds.cluster" => RdsCluster(RdsCluster),
        "ecs.task" => EcsTask(EcsTask),
        "ecs.service" => EcsService(EcsService),
        "route53.record" => Route53Record(Route53Record),
    }
}

record! {
    /// EC2 instances, by id, tags, zone or Auto Scaling group. At least one of these is needed;
    /// those given must all match.
    pub struct Ec2Instance {
        /// The instance's id, such as `i-0abc123def4567890`.
        pub id: Option<String>,
        /// Several instance ids.
        pub ids: Option<Vec<String>>,
        /// Tags that the instance carries: every one of them, with this value.
        pub tags: Option<IndexMap<String, String>>,
        /// The Availability Zone it runs in, such as `eu-west-1a`.
        pub availability_zone: Option<String>,
        /// The Auto Scaling group that it belongs to.
        pub auto_scaling_group: Option<String>,
        /// The state it is in; `running` unless said otherwise. Terminated instances are never chosen.
        pub state: Option<Ec2State>,
        /// How many of those that match: `{ count: 1 }`, `{ percent: 30 }` or `all`, which is also
        /// what happens without it. Drawn with the run's seed.
        pub pick: Option<Pick>,
        /// Draws evenly over the zones.
        pub spread: Option<Spread>,
        /// Refuses to go on when more than this many would be chosen.
        pub at_most: Option<u32>,
    }
}

record! {
    /// RDS DB instances, by identifier, tags, zone or the Aurora cluster they belong to. At least one
    /// of these is needed; those given must all match.
    pub struct RdsInstance {
        /// The DB instance identifier.
        pub id: Option<String>,
        /// Several DB instance identifiers.
        pub ids: Option<Vec<String>>,
        /// Tags that the DB instance carries: every one of them, with this value.
        pub tags: Option<IndexMap<String, String>>,
        /// The Availability Zone of its primary, such as `eu-west-1a`.
        pub availability_zone: Option<String>,
        /// The Aurora or Multi-AZ DB cluster that it is a member of.
        pub cluster: Option<String>,
        /// Its role in that cluster. Needs `cluster`.
        pub role: Option<ClusterRole>,
        /// The status it has, as the API writes it; `available` unless said otherwise, `any` for all.
        /// An instance given by `id` or `ids` is found in any status; the preconditions look at it.
        pub status: Option<String>,
        /// How many of those that match: `{ count: 1 }`, `{ percent: 30 }` or `all`, which is also
        /// what happens without it. Drawn with the run's seed.
        pub pick: Option<Pick>,
        /// Draws evenly over the zones.
        pub spread: Option<Spread>,
        /// Refuses to go on when more than this many would be chosen.
        pub at_most: Option<u32>,
    }
}

record! {
    /// An RDS DB cluster: Aurora, or Multi-AZ with readable standbys.
    pub struct RdsCluster {
        /// The DB cluster identifier.
        pub id: String,
    }
}

record! {
    /// Running ECS tasks of a cluster.
    pub struct EcsTask {
        /// The cluster's name or ARN.
        pub cluster: String,
        /// The service that started them.
        pub service: Option<String>,
        /// The task definition family that they are of.
        pub family: Option<String>,
        /// One task's id or ARN.
        pub id: Option<String>,
        /// The Availability Zone they run in, such as `eu-west-1a`.
        pub availability_zone: Option<String>,
        /// How many of those that match: `{ count: 1 }`, `{ percent: 30 }` or `all`, which is also
        /// what happens without it. Drawn with the run's seed.
        pub pick: Option<Pick>,
        /// Draws evenly over the zones.
        pub spread: Option<Spread>,
        /// Refuses to go on when more than this many would be chosen.
        pub at_most: Option<u32>,
    }
}

record! {
    /// An ECS service.
    pub struct EcsService {
        /// The cluster's name or ARN.
        pub cluster: String,
        /// The service's name or ARN.
        pub service: String,
    }
}

record! {
    /// A Route 53 record: the record sets of one name and type in one hosted zone.
    pub struct Route53Record {
        /// The hosted zone, by id (`Z…`) or by its name, such as `example.com`.
        pub zone: String,
        /// The record's full name, such as `www.example.com`.
        pub name: String,
        /// The record's type.
        pub r#type: RecordType,
        /// Which record set, when several share the name under a routing policy. Without it, all do.
        pub set_identifier: Option<String>,
    }
}

words! {
    /// The states of an EC2 instance that a target can ask for.
    pub enum Ec2State {
        /// Running.
        "running" => Running,
        /// Stopped.
        "stopped" => Stopped,
        /// Starting.
        "pending" => Pending,
        /// Stopping.
        "stopping" => Stopping,
        /// Whatever state it is in, terminated and terminating ones excepted.
        "any" => Any,
    }
}

words! {
    /// What a DB instance is in its cluster.
    pub enum ClusterRole {
        /// The one that takes writes.
        "writer" => Writer,
        /// Any of the others.
        "reader" => Reader,
    }
}

words! {
    /// Over what the chosen resources are spread.
    pub enum Spread {
        /// As evenly over the Availability Zones as the numbers allow.
        "availability_zone" => AvailabilityZone,
    }
}

words! {
    /// The types of Route 53 records that can be moved.
    pub enum RecordType {
        /// IPv4 addresses.
        "A" => A,
        /// IPv6 addresses.
        "AAAA" => Aaaa,
        /// Another name.
        "CNAME" => Cname,
        /// Text.
        "TXT" => Txt,
        /// Mail servers.
        "MX" => Mx,
        /// Services.
        "SRV" => Srv,
    }
}

record! {
    /// A number of resources, or a part of them.
    pub struct Share {
        /// This many.
        pub count: Option<u32>,
        /// This many in a hundred, rounded up.
        pub percent: Option<u32>,
    }
}

/// How many of the resources that match are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Every one (`all`).
    All,
    /// This many (`{ count: 1 }`); fewer is an error.
    Count(u32),
    /// This many in a hundred, rounded up (`{ percent: 30 }`).
    Percent(u32),
}

impl Decode for Pick {
    fn expects() -> String {
        "{ count: 1 }, { percent: 30 } or all".to_owned()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::any_of(vec![shape::words(&[("all", "All that match.")]), Share::schema(shapes)])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let expects = Self::expects();
        if let Value::Scalar { .. } = &node.value {
            if cx.text(node, &expects)? == "all" {
                return Some(Pick::All);
            }
            cx.unexpected(Code::NotAnArgument, node, &expects);
            return None;
        }
        let share = Share::decode(node, cx)?;
        match (share.count, share.percent) {
            (Some(count), None) if count > 0 => Some(Pick::Count(count)),
            (None, Some(percent)) if (1..=100).contains(&percent) => Some(Pick::Percent(percent)),
            _ => {
                cx.unexpected(Code::NotAnArgument, node, &expects);
                None
            }
        }
    }
}

impl Target {
    /// What is wrong with the selector taken as a whole; `place` is where the target stands.
    pub fn lint(&self, place: Span) -> Vec<Problem> {
        let mut problems = Vec::new();
        let selective = match self {
            Target::Ec2Instance(t) => {
                t.id.is_some()
                    || t.ids.is_some()
                    || t.tags.as_ref().is_some_and(|tags| !tags.is_empty())
                    || t.availability_zone.is_some()
                    || t.auto_scaling_group.is_some()
            }
            Target::RdsInstance(t) => {
                if t.role.is_some() && t.cluster.is_none() {
                    problems.push(
                        Problem::new(Code::RoleWithoutCluster, place, "`role` without `cluster`")
                            .label("a DB instance has a role in a cluster")
                            .help("name the cluster: `cluster: <DB cluster identifier>`"),
                    );
                }
                t.id.is_some()
                    || t.ids.is_some()
                    || t.tags.as_ref().is_some_and(|tags| !tags.is_empty())
                    || t.availability_zone.is_some()
                    || t.cluster.is_some()
            }
            Target::RdsCluster(_) | Target::EcsTask(_) | Target::EcsService(_) | Target::Route53Record(_) => {
                true
            }
        };
        if !selective {
            problems.push(
                Problem::new(
                    Code::SelectsAll,
                    place,
                    format!("this {} target selects everything in the region", self.name()),
                )
                .label("it says neither an id nor tags nor a zone")
                .help("say whom you mean, such as `tags: { app: storefront }`"),
            );
        }
        problems
    }
}

impl Target {
    /// The selector in one line, for messages: `ec2.instance (app=storefront, in eu-west-1a)`.
    pub fn describe(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut part = |prefix: &str, value: Option<&str>| {
            parts.extend(value.map(|value| format!("{prefix}{value}")));
        };
        match self {
            Target::Ec2Instance(t) => {
                part("", t.id.as_deref());
                part("", t.ids.as_ref().map(|ids| ids.join(", ")).as_deref());
                for (key, value) in t.tags.iter().flatten() {
                    part(&format!("{key}="), Some(value));
                }
                part("in ", t.availability_zone.as_deref());
                part("of group ", t.auto_scaling_group.as_deref());
                part("", Some(t.state.unwrap_or(Ec2State::Running).word()));
            }
            Target::RdsInstance(t) => {
                part("", t.id.as_deref());
                part("", t.ids.as_ref().map(|ids| ids.join(", ")).as_deref());
                for (key, value) in t.tags.iter().flatten() {
                    part(&format!("{key}="), Some(value));
                }
                part("in ", t.availability_zone.as_deref());
                part("of cluster ", t.cluster.as_deref());
                part("", t.role.map(ClusterRole::word));
                part("", t.status.as_deref());
            }
            Target::RdsCluster(t) => part("", Some(&t.id)),
            Target::EcsTask(t) => {
                part("", t.id.as_deref());
                part("of cluster ", Some(&t.cluster));
                part("of service ", t.service.as_deref());
                part("of family ", t.family.as_deref());
                part("in ", t.availability_zone.as_deref());
            }
            Target::EcsService(t) => {
                part("", Some(&t.service));
                part("of cluster ", Some(&t.cluster));
            }
            Target::Route53Record(t) => {
                part("", Some(&format!("{} {}", t.name, t.r#type.word())));
                part("", t.set_identifier.as_deref());
                part("in zone ", Some(&t.zone));
            }
        }
        format!("{} ({})", self.name(), parts.join(", "))
    }
}
