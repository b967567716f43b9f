//! Which permission a call needs, and on which resources: the one place that knows it.
//!
//! After AWS's Service Authorization Reference ("Actions, resources, and condition keys for AWS services",
//! one page for each service): an action that the reference gives a resource type is limited to resources,
//! all others are on `*`. What is not certain there is on `*` too, where it is always right.

use std::collections::BTreeMap;

use super::find::{Found, Target};
use super::{Identity, autoscaling, cloudwatch, ec2, ecs, elbv2, rds, route53, ssm};

/// The call that asks IAM whether the caller may do something.
pub const SIMULATE: &str = "iam:SimulatePrincipalPolicy";

/// What a drill does without when it may not be asked.
const OPTIONAL: &[&str] = &[rds::DESCRIBE_EVENTS];

/// Where the resources are, as their ARNs say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    partition: String,
    region: String,
    account: String,
}

impl Home {
    /// The home of an identity's resources in a region.
    pub fn of(identity: &Identity, region: &str) -> Home {
        // A partition of its own: `aws-cn`, `aws-us-gov`. The caller's ARN is in the same one.
        let partition = identity.arn.split(':').nth(1).filter(|name| !name.is_empty()).unwrap_or("aws");
        Home { partition: partition.to_owned(), region: region.to_owned(), account: identity.account.clone() }
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The ARN of something in this region and account: `arn:aws:rds:eu-west-1:123456789012:db:orders`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        self.arn_in(&self.region, service, resource)
    }

    /// The same in another region of this account.
    pub fn arn_in(&self, region: &str, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{region}:{}:{resource}", self.partition, self.account)
    }

    /// The ARN of something that is of no region and account: a bucket, a hosted zone.
    pub fn global(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:::{resource}", self.partition)
    }
}

/// A permission that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The IAM action, such as `rds:RebootDBInstance`.
    pub action: String,
    /// On what it will be used: ARNs, or `*`.
    pub resources: Vec<String>,
    /// What a policy grants it on: more than `resources` where those are drawn anew each time, or do not
    /// live long.
    pub granted: Vec<String>,
    /// The tags by which a policy limits what it is granted on, and which `resources` carry.
    pub tags: BTreeMap<String, String>,
    /// Whether a drill does without it.
    pub optional: bool,
}

impl Need {
    /// An action on these resources.
    pub fn on(action: &str, resources: Vec<String>) -> Need {
        let optional = OPTIONAL.contains(&action);
        let granted = resources.clone();
        Need { action: action.to_owned(), resources, granted, tags: BTreeMap::new(), optional }
    }

    /// An action that IAM limits to no resources.
    pub fn everywhere(action: &str) -> Need {
        Need::on(action, vec!["*".to_owned()])
    }

    /// The same, and a drill does without it.
    #[must_use]
    pub fn optional(mut self) -> Need {
        self.optional = true;
        self
    }

    /// Whether it may change something.
    pub fn mutates(&self) -> bool {
        mutates(&self.action)
    }
}

/// Whether an IAM action may change something, by AWS's own naming.
pub fn mutates(action: &str) -> bool {
    // S3 calls what reads an object, and what lists a bucket, by these verbs too.
    let operation = action.split_once(':').map_or(action, |(_, operation)| operation);
    !super::guard::reads(operation) && !operation.starts_with("BatchGet")
}

/// What finding a target asks.
pub fn finding(target: &Target) -> Vec<&'static str> {
    match target {
        Target::Ec2Instance(_) => vec![ec2::DESCRIBE_INSTANCES],
        Target::RdsInstance(t) if t.cluster.is_some() && t.role.is_some() => {
            vec![rds::DESCRIBE_DB_INSTANCES, rds::DESCRIBE_DB_CLUSTERS]
        }
        Target::RdsInstance(_) => vec![rds::DESCRIBE_DB_INSTANCES],
        Target::RdsCluster(_) => vec![rds::DESCRIBE_DB_CLUSTERS],
        Target::EcsTask(t) if t.id.is_some() => vec![ecs::DESCRIBE_TASKS],
        Target::EcsTask(_) => vec![ecs::LIST_TASKS, ecs::DESCRIBE_TASKS],
        Target::EcsService(_) => vec![ecs::DESCRIBE_SERVICES],
        Target::Route53Record(t) if route53::is_id(t.zone.trim_start_matches("/hostedzone/")) => {
            vec![route53::LIST_RECORDS]
        }
        Target::Route53Record(_) => vec![route53::LIST_ZONES, route53::LIST_RECORDS],
    }
}

/// Of what an action may ask, what it does not need for this target: only a list that is not made.
pub fn spared(action: &str, target: &Target) -> bool {
    [route53::LIST_ZONES, ecs::LIST_TASKS].contains(&action) && !finding(target).contains(&action)
}

/// What watching a target, and finding the watchers, asks.
pub fn watching(found: &Found) -> Vec<&'static str> {
    let fact = |name: &str| found.resources.iter().any(|resource| resource.facts.contains_key(name));
    match &found.target {
        Target::Ec2Instance(_) => {
            let mut asked =
                vec![ec2::DESCRIBE_INSTANCES, elbv2::DESCRIBE_TARGET_GROUPS, elbv2::DESCRIBE_TARGET_HEALTH];
            if fact("auto_scaling_group") {
                asked.extend([autoscaling::DESCRIBE_GROUPS, autoscaling::DESCRIBE_ACTIVITIES]);
            }
            asked
        }
        Target::RdsInstance(_) => vec![rds::DESCRIBE_DB_INSTANCES, rds::DESCRIBE_EVENTS],
        Target::RdsCluster(_) => vec![rds::DESCRIBE_DB_CLUSTERS, rds::DESCRIBE_EVENTS],
        Target::EcsTask(_) if services(found).is_empty() => Vec::new(),
        Target::EcsTask(_) | Target::EcsService(_) => {
            vec![ecs::DESCRIBE_SERVICES, ecs::LIST_TASKS, ecs::DESCRIBE_TASKS]
        }
        Target::Route53Record(_) => vec![route53::GET_CHANGE],
    }
}

/// What telling whether a target is protected by a tag asks, where its own description does not tell.
pub fn marking(found: &Found) -> Vec<&'static str> {
    match &found.target {
        Target::Route53Record(_) => vec![route53::LIST_TAGS],
        Target::EcsService(_) => vec![ecs::LIST_TASKS],
        Target::EcsTask(_) if !services(found).is_empty() => vec![ecs::DESCRIBE_SERVICES],
        Target::RdsInstance(_) if cluster_of(found).is_some() => vec![rds::DESCRIBE_DB_CLUSTERS],
        _ => Vec::new(),
    }
}

/// What telling whether a target is at rest asks: no deployment, no refresh. A drill does without.
pub fn resting(found: &Found) -> Vec<&'static str> {
    let grouped = found.resources.iter().any(|resource| resource.facts.contains_key("auto_scaling_group"));
    match &found.target {
        Target::Ec2Instance(_) if grouped => {
            vec![autoscaling::DESCRIBE_ACTIVITIES, autoscaling::DESCRIBE_REFRESHES]
        }
        Target::EcsTask(_) if !services(found).is_empty() => vec![ecs::DESCRIBE_SERVICES],
        _ => Vec::new(),
    }
}

/// The cluster that the DB instances are members of, if they are.
fn cluster_of(found: &Found) -> Option<&str> {
    found.resources.iter().find_map(|resource| resource.facts.get("cluster")).map(String::as_str)
}

/// The need of an action that is done to, or asked about, a target as found.
pub fn need(action: &str, found: &Found, home: &Home) -> Need {
    let cluster = ecs::short(found.scope());
    match action {
        "ec2:TerminateInstances" | "ec2:StopInstances" | "ec2:StartInstances" | "ec2:RebootInstances" => {
            instances(action, found, home)
        }
        "rds:RebootDBInstance" | "rds:StopDBInstance" | "rds:StartDBInstance" | "rds:PromoteReadReplica" => {
            Need::on(action, each(found, |id| home.arn("rds", &format!("db:{id}"))))
        }
        rds::DESCRIBE_DB_INSTANCES => match &found.target {
            // A list is checked against every DB instance there is.
            Target::RdsInstance(t) if t.id.is_none() && t.ids.is_none() => {
                Need::on(action, vec![home.arn("rds", "db:*")])
            }
            _ => Need::on(action, each(found, |id| home.arn("rds", &format!("db:{id}")))),
        },
        "rds:FailoverDBCluster" | rds::DESCRIBE_DB_CLUSTERS => match &found.target {
            Target::RdsInstance(t) => {
                let cluster = t.cluster.as_deref().or_else(|| cluster_of(found)).unwrap_or("*");
                Need::on(action, vec![home.arn("rds", &format!("cluster:{cluster}"))])
            }
            _ => Need::on(action, each(found, |id| home.arn("rds", &format!("cluster:{id}")))),
        },
        "ecs:StopTask" => {
            // The next drill meets other tasks.
            let granted = vec![home.arn("ecs", &format!("task/{cluster}/*"))];
            let task = |id: &str| match id.starts_with("arn:") {
                true => id.to_owned(),
                false => home.arn("ecs", &format!("task/{cluster}/{id}")),
            };
            Need { granted, ..Need::on(action, each(found, task)) }
        }
        // The tasks that take over cannot be named beforehand.
        ecs::DESCRIBE_TASKS => Need::on(action, vec![home.arn("ecs", &format!("task/{cluster}/*"))]),
        "ecs:UpdateService" | ecs::DESCRIBE_SERVICES => {
            let arn = |name: String| home.arn("ecs", &format!("service/{cluster}/{}", ecs::short(&name)));
            Need::on(action, services(found).into_iter().map(arn).collect())
        }
        "route53:ChangeResourceRecordSets" | route53::LIST_RECORDS | route53::LIST_TAGS => {
            Need::on(action, vec![home.global("route53", &format!("hostedzone/{}", found.scope()))])
        }
        // A change's id is known only once it is made.
        route53::GET_CHANGE => Need::on(action, vec![home.global("route53", "change/*")]),
        // EC2, Elastic Load Balancing and Auto Scaling limit no list. CloudWatch limits DescribeAlarms, but
        // tells nothing of composite alarms to whom it is limited.
        _ => Need::everywhere(action),
    }
}

/// EC2 instances: chosen by tags, they are granted by tags, since the next drill draws or finds others.
fn instances(action: &str, found: &Found, home: &Home) -> Need {
    let need = Need::on(action, each(found, |id| home.arn("ec2", &format!("instance/{id}"))));
    let Target::Ec2Instance(t) = &found.target else { return need };
    if t.id.is_some() || t.ids.is_some() {
        return need;
    }
    let mut tags: BTreeMap<String, String> =
        t.tags.iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
    if let Some(group) = &t.auto_scaling_group {
        tags.insert("aws:autoscaling:groupName".to_owned(), group.clone());
    }
    if tags.is_empty() {
        return need;
    }
    Need { granted: vec![home.arn("ec2", "instance/*")], tags, ..need }
}

fn each(found: &Found, arn: impl Fn(&str) -> String) -> Vec<String> {
    found.resources.iter().map(|resource| arn(&resource.id)).collect()
}

/// The services that a target is, or that its tasks belong to.
fn services(found: &Found) -> Vec<String> {
    match &found.target {
        Target::EcsService(_) => found.ids(),
        _ => {
            let groups = found.resources.iter().filter_map(|resource| resource.facts.get("group"));
            let mut names: Vec<String> =
                groups.filter_map(|group| group.strip_prefix("service:")).map(str::to_owned).collect();
            names.sort();
            names.dedup();
            names
        }
    }
}

/// What a watcher asks of no target in particular.
pub fn beside(action: &str) -> Need {
    // Without its alarms an experiment cannot be decided; whatever else is watched is welcome.
    match action {
        cloudwatch::DESCRIBE_ALARMS => Need::everywhere(action),
        _ => Need::everywhere(action).optional(),
    }
}

/// What reading a parameter of Systems Manager needs.
pub fn parameter(name: &str, home: &Home) -> Need {
    // The ARN of `/drills/stop` ends in `parameter/drills/stop`.
    Need::on(
        ssm::GET_PARAMETER,
        vec![home.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))],
    )
}

/// The user or role whose policies say what an identity may do: an assumed role's is the role. `role` is the
/// role that the environment names, whose ARN alone tells its path.
pub fn principal(identity: &Identity, role: Option<&str>) -> Result<String, String> {
    let arn = &identity.arn;
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, service, _, account, resource] = parts.as_slice() else {
        return Err(format!("`{arn}` is no ARN"));
    };
    match (*service, resource.split('/').collect::<Vec<_>>().as_slice()) {
        ("iam", ["user" | "role", ..]) => Ok(arn.clone()),
        ("iam", ["root"]) => Err("the account's root is no user or role, and IAM simulates those".to_owned()),
        ("sts", ["assumed-role", name, ..]) => {
            let owned = format!(":{account}:role/");
            let named = role.filter(|role| role.contains(&owned) && role.rsplit('/').next() == Some(*name));
            let own = || format!("arn:{partition}:iam::{account}:role/{name}");
            Ok(named.map_or_else(own, str::to_owned))
        }
        _ => Err(format!("`{arn}` is neither a user nor a role, and IAM simulates those")),
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::aws::find::Resource;
    use crate::aws::target::{Ec2Instance, EcsTask};

    fn identity(arn: &str) -> Identity {
        Identity { account: "123456789012".to_owned(), arn: arn.to_owned() }
    }

    fn home() -> Home {
        Home::of(&identity("arn:aws:iam::123456789012:user/ann"), "eu-west-1")
    }

    fn found(target: Target, scope: Option<&str>, id: &str, facts: &[(&str, &str)]) -> Found {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let resource = Resource { id: id.to_owned(), facts, ..Resource::default() };
        Found { target, scope: scope.map(str::to_owned), resources: vec![resource], candidates: 1 }
    }

    fn by_tags(tags: &[(&str, &str)], id: Option<&str>) -> Target {
        let tags: IndexMap<String, String> =
            tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Target::Ec2Instance(Ec2Instance {
            id: id.map(str::to_owned),
            ids: None,
            tags: Some(tags),
            availability_zone: None,
            auto_scaling_group: None,
            state: None,
            pick: None,
            spread: None,
            at_most: None,
        })
    }

    #[test]
    fn an_assumed_role_is_asked_about_as_the_role() {
        let role = "arn:aws:iam::123456789012:role/team/drill";
        for (arn, named, expected) in [
            ("arn:aws:iam::123456789012:user/ann", None, Ok("arn:aws:iam::123456789012:user/ann")),
            (
                "arn:aws:sts::123456789012:assumed-role/drill/firedrill",
                None,
                Ok("arn:aws:iam::123456789012:role/drill"),
            ),
            ("arn:aws:sts::123456789012:assumed-role/drill/firedrill", Some(role), Ok(role)),
            // The environment's role may be another than the one that was assumed in the end.
            (
                "arn:aws-cn:sts::123456789012:assumed-role/other/x",
                Some(role),
                Ok("arn:aws-cn:iam::123456789012:role/other"),
            ),
            ("arn:aws:iam::123456789012:root", None, Err("root")),
            ("arn:aws:sts::123456789012:federated-user/ann", None, Err("federated-user")),
            ("nobody", None, Err("no ARN")),
        ] {
            match (principal(&identity(arn), named), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{arn}"),
                (Err(why), Err(word)) => assert!(why.contains(word), "{arn}: {why}"),
                (found, _) => panic!("{arn}: {found:?}"),
            }
        }
    }

    #[test]
    fn instances_chosen_by_tags_are_granted_by_tags_and_asked_about_by_id() {
        let drawn = found(by_tags(&[("app", "shop")], None), None, "i-1", &[]);
        let need = super::need("ec2:StopInstances", &drawn, &home());
        assert_eq!(need.resources, ["arn:aws:ec2:eu-west-1:123456789012:instance/i-1"]);
        assert_eq!(need.granted, ["arn:aws:ec2:eu-west-1:123456789012:instance/*"]);
        assert_eq!(need.tags, BTreeMap::from([("app".to_owned(), "shop".to_owned())]));
        let named = found(by_tags(&[("app", "shop")], Some("i-1")), None, "i-1", &[]);
        let need = super::need("ec2:StopInstances", &named, &home());
        assert_eq!((need.granted, need.tags), (need.resources, BTreeMap::new()));
        assert_eq!(super::need("ec2:DescribeInstances", &named, &home()).resources, ["*"]);
    }

    #[test]
    fn a_task_is_asked_about_and_its_cluster_granted() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task/shop/0a1b";
        let target = Target::EcsTask(EcsTask {
            cluster: "arn:aws:ecs:eu-west-1:123456789012:cluster/shop".to_owned(),
            service: None,
            family: None,
            id: None,
            availability_zone: None,
            pick: None,
            spread: None,
            at_most: None,
        });
        let cluster = "arn:aws:ecs:eu-west-1:123456789012:cluster/shop";
        let task = found(target, Some(cluster), arn, &[("group", "service:web")]);
        let need = super::need("ecs:StopTask", &task, &home());
        assert_eq!(
            (need.resources, need.granted),
            (vec![arn.to_owned()], vec!["arn:aws:ecs:eu-west-1:123456789012:task/shop/*".to_owned()])
        );
        let need = super::need("ecs:DescribeServices", &task, &home());
        assert_eq!(need.resources, ["arn:aws:ecs:eu-west-1:123456789012:service/shop/web"]);
    }

    #[test]
    fn what_reads_is_told_from_what_changes() {
        for action in ["ec2:DescribeInstances", "s3:GetObject", "dynamodb:BatchGetItem", SIMULATE] {
            assert!(!mutates(action), "{action}");
        }
        for action in ["ec2:StopInstances", "dynamodb:PutItem", "route53:ChangeResourceRecordSets"] {
            assert!(mutates(action), "{action}");
        }
    }
}
