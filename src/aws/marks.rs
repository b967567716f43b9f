//! What chosen resources carry besides what a target chose them by: tags, and the addresses they answer at.
//!
//! Reads only. The interlocks are held against it.

use aws_sdk_route53::types::TagResourceType;

use super::find::Found;
use super::target::Target;
use super::{Aws, Fault, ec2, ecs, rds, route53};

/// One resource with its marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    /// Its id, as in [`Found`].
    pub id: String,
    /// Its tags, and those of what it is part of: a task's service, a DB instance's cluster, a record's zone.
    pub tags: Vec<(String, String)>,
    /// The addresses and names that it answers at, or that it is.
    pub addresses: Vec<String>,
    /// The ARNs of the tasks that it runs, if it is an ECS service.
    pub tasks: Vec<String>,
}

impl Marked {
    /// Whether it carries this tag with this value.
    pub fn carries(&self, key: &str, value: &str) -> bool {
        self.tags.iter().any(|(k, v)| k == key && v == value)
    }
}

/// The marks of every chosen resource.
///
/// # Errors
/// A call that failed, or a resource that is gone: what is not known is not acted on.
pub async fn marks(aws: &Aws, found: &Found) -> Result<Vec<Marked>, Fault> {
    match &found.target {
        Target::Ec2Instance(_) => instances(aws, found).await,
        Target::RdsInstance(_) => databases(aws, found).await,
        Target::RdsCluster(t) => {
            let cluster = rds::cluster(aws, &t.id).await?;
            let addresses = cluster.endpoint.iter().chain(&cluster.reader_endpoint).cloned().collect();
            let tags = cluster.tag_list.as_deref().unwrap_or_default().iter();
            let tags = tags.map(|tag| pair(tag.key(), tag.value())).collect();
            Ok(every(found, |id| Marked { id, tags, addresses, ..Marked::default() }))
        }
        Target::EcsTask(_) => tasks(aws, found).await,
        Target::EcsService(t) => {
            let tags = service_tags(aws, &t.cluster, &t.service).await?;
            let tasks = ecs::task_arns(aws, &t.cluster, Some(&t.service), None, &t.service).await?;
            Ok(every(found, |id| Marked { id, tags, tasks, ..Marked::default() }))
        }
        Target::Route53Record(t) => {
            let tags = zone_tags(aws, found.scope()).await?;
            let addresses = vec![t.name.clone()];
            Ok(found.ids().into_iter().map(|id| marked(id, &tags, &addresses)).collect())
        }
    }
}

fn marked(id: String, tags: &[(String, String)], addresses: &[String]) -> Marked {
    Marked { id, tags: tags.to_vec(), addresses: addresses.to_vec(), tasks: Vec::new() }
}

/// The one resource of a target that names exactly one.
fn every(found: &Found, mark: impl FnOnce(String) -> Marked) -> Vec<Marked> {
    found.ids().into_iter().next().map(mark).into_iter().collect()
}

fn pair(key: Option<&str>, value: Option<&str>) -> (String, String) {
    (key.unwrap_or_default().to_owned(), value.unwrap_or_default().to_owned())
}

async fn instances(aws: &Aws, found: &Found) -> Result<Vec<Marked>, Fault> {
    let listed = ec2::instances(aws, Some(&found.ids()), Vec::new(), &found.names()).await?;
    Ok(listed
        .iter()
        .map(|instance| {
            let own = [
                instance.private_ip_address(),
                instance.public_ip_address(),
                instance.private_dns_name(),
                instance.public_dns_name(),
                instance.ipv6_address(),
            ];
            Marked {
                id: instance.instance_id().unwrap_or_default().to_owned(),
                tags: instance.tags().iter().map(|tag| pair(tag.key(), tag.value())).collect(),
                addresses: own.into_iter().flatten().filter(|a| !a.is_empty()).map(str::to_owned).collect(),
                tasks: Vec::new(),
            }
        })
        .collect())
}

async fn databases(aws: &Aws, found: &Found) -> Result<Vec<Marked>, Fault> {
    let mut marked = Vec::new();
    for id in found.ids() {
        let instance = rds::instance(aws, &id).await?;
        let mut tags: Vec<_> = instance.tag_list().iter().map(|tag| pair(tag.key(), tag.value())).collect();
        if let Some(cluster) = instance.db_cluster_identifier() {
            let cluster = rds::cluster(aws, cluster).await?;
            tags.extend(cluster.tag_list().iter().map(|tag| pair(tag.key(), tag.value())));
        }
        let addresses = instance.endpoint().and_then(|endpoint| endpoint.address.clone());
        marked.push(Marked { id, tags, addresses: addresses.into_iter().collect(), tasks: Vec::new() });
    }
    Ok(marked)
}

async fn tasks(aws: &Aws, found: &Found) -> Result<Vec<Marked>, Fault> {
    let mut marked: Vec<Marked> = Vec::new();
    let mut services: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for task in ecs::tasks(aws, found.scope(), &found.ids()).await? {
        let mut tags: Vec<_> = task.tags().iter().map(|tag| pair(tag.key(), tag.value())).collect();
        if let Some(service) = task.group().and_then(|group| group.strip_prefix("service:")) {
            if !services.iter().any(|(name, _)| name == service) {
                let of_service = service_tags(aws, found.scope(), service).await?;
                services.push((service.to_owned(), of_service));
            }
            let known = services.iter().filter(|(name, _)| name == service);
            tags.extend(known.flat_map(|(_, tags)| tags.clone()));
        }
        let interfaces = task.containers().iter().flat_map(|container| container.network_interfaces());
        let addresses = interfaces.filter_map(|interface| interface.private_ipv4_address.clone()).collect();
        let id = task.task_arn().unwrap_or_default().to_owned();
        marked.push(Marked { id, tags, addresses, tasks: Vec::new() });
    }
    Ok(marked)
}

async fn service_tags(aws: &Aws, cluster: &str, service: &str) -> Result<Vec<(String, String)>, Fault> {
    let service = ecs::service(aws, cluster, service).await?;
    Ok(service.tags().iter().map(|tag| pair(tag.key(), tag.value())).collect())
}

async fn zone_tags(aws: &Aws, zone: &str) -> Result<Vec<(String, String)>, Fault> {
    let answer = aws
        .route53()
        .list_tags_for_resource()
        .resource_type(TagResourceType::Hostedzone)
        .resource_id(zone)
        .send()
        .await
        .map_err(|e| Fault::read(route53::LIST_TAGS, zone, e))?;
    let tags = answer.resource_tag_set.map(|set| set.tags.unwrap_or_default()).unwrap_or_default();
    Ok(tags.iter().map(|tag| pair(tag.key(), tag.value())).collect())
}
