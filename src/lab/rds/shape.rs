//! Instances, clusters and events as the API shows them.

use jiff::Timestamp;

use super::Place;
use super::inventory::{Cluster, Event, Instance, Inventory};
use crate::lab::database::PORT;
use crate::lab::wire::{Xml, arn};

const VERSION: &str = "15.4";
/// Backups lag behind by about five minutes.
const RESTORABLE_LAG: i64 = 300;

/// An instant as the API writes it.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The ARN of an instance (`db`) or a cluster.
pub(super) fn rds_arn(kind: &str, id: &str) -> String {
    arn("rds", &format!("{kind}:{id}"))
}

pub(super) fn tags(xml: &mut Xml, tags: &[(String, String)]) {
    xml.node("TagList", |xml| {
        for (key, value) in tags {
            xml.node("Tag", |xml| {
                xml.leaf("Key", key).leaf("Value", value);
            });
        }
    });
}

fn network(xml: &mut Xml) {
    xml.node("VpcSecurityGroups", |xml| {
        xml.node("VpcSecurityGroupMembership", |xml| {
            xml.leaf("VpcSecurityGroupId", "sg-0db0a1b2c3d4e5f60").leaf("Status", "active");
        });
    });
}

/// `<DBInstance>`.
pub(super) fn instance(xml: &mut Xml, inventory: &Inventory, instance: &Instance, place: &Place) {
    xml.node("DBInstance", |xml| {
        xml.leaf("DBInstanceIdentifier", &instance.id)
            .leaf("DBInstanceClass", "db.m6g.large")
            .leaf("Engine", instance.engine)
            .leaf("EngineVersion", VERSION)
            .leaf("DBInstanceStatus", instance.status)
            .leaf("MasterUsername", &place.user)
            .leaf("DBName", &instance.database_name)
            .node("Endpoint", |xml| {
                xml.leaf("Address", &instance.endpoint)
                    .leaf("Port", PORT)
                    .leaf("HostedZoneId", "Z1TTGA775OQIYO");
            })
            .leaf("AllocatedStorage", if instance.cluster.is_some() { 1 } else { 100 })
            .leaf("InstanceCreateTime", time(instance.created))
            .leaf("PreferredBackupWindow", "03:00-03:30")
            .leaf("BackupRetentionPeriod", instance.backup_retention)
            .leaf("PreferredMaintenanceWindow", "sun:04:00-sun:04:30")
            .leaf("AvailabilityZone", instance.zone())
            .leaf_if("SecondaryAvailabilityZone", instance.secondary_zone())
            .leaf("MultiAZ", instance.multi_az)
            .leaf("AutoMinorVersionUpgrade", true)
            .leaf("PubliclyAccessible", false)
            .leaf("StorageType", if instance.cluster.is_some() { "aurora" } else { "gp3" })
            .leaf("StorageEncrypted", true)
            .leaf("DbiResourceId", &instance.resource_id)
            .leaf("DBInstanceArn", rds_arn("db", &instance.id))
            .leaf("IAMDatabaseAuthenticationEnabled", false)
            .leaf("DeletionProtection", instance.source.is_none())
            .node("PendingModifiedValues", |xml| {
                xml.leaf_if("DBInstanceClass", instance.pending_class);
            })
            .leaf_if("DBClusterIdentifier", instance.cluster.as_ref())
            .leaf_if("ReadReplicaSourceDBInstanceIdentifier", instance.source.as_ref());
        if instance.backup_retention > 0 && instance.status != "stopped" {
            let restorable =
                place.now.checked_sub(jiff::SignedDuration::from_secs(RESTORABLE_LAG)).unwrap_or(place.now);
            xml.leaf("LatestRestorableTime", time(restorable.max(instance.created)));
        }
        xml.node("ReadReplicaDBInstanceIdentifiers", |xml| {
            for replica in inventory.replicas(&instance.id) {
                xml.leaf("ReadReplicaDBInstanceIdentifier", replica);
            }
        });
        xml.node("StatusInfos", |xml| {
            if instance.source.is_some() {
                let replicating = place.replicating(instance.database);
                xml.node("DBInstanceStatusInfo", |xml| {
                    xml.leaf("StatusType", "read replication")
                        .leaf("Normal", replicating)
                        .leaf("Status", if replicating { "replicating" } else { "error" });
                });
            }
        });
        network(xml);
        tags(xml, &instance.tags);
    });
}

/// `<DBCluster>`.
pub(super) fn cluster(xml: &mut Xml, inventory: &Inventory, cluster: &Cluster, place: &Place) {
    xml.node("DBCluster", |xml| {
        xml.leaf("DBClusterIdentifier", &cluster.id)
            .leaf("DBClusterArn", rds_arn("cluster", &cluster.id))
            .leaf("DbClusterResourceId", &cluster.resource_id)
            .leaf("DatabaseName", &cluster.database_name)
            .leaf("Engine", cluster.engine)
            .leaf("EngineVersion", VERSION)
            .leaf("EngineMode", "provisioned")
            .leaf("Status", cluster.status)
            .leaf("Endpoint", &cluster.endpoint)
            .leaf("ReaderEndpoint", &cluster.reader_endpoint)
            .leaf("Port", PORT)
            .leaf("MultiAZ", cluster.members.len() > 1)
            .leaf("MasterUsername", &place.user)
            .leaf("BackupRetentionPeriod", 1)
            .leaf("ClusterCreateTime", time(cluster.created))
            .leaf("LatestRestorableTime", time(place.now))
            .leaf("AllocatedStorage", 1)
            .leaf("StorageEncrypted", true)
            .leaf("DeletionProtection", true)
            .node("AvailabilityZones", |xml| {
                for member in &cluster.members {
                    if let Ok(instance) = inventory.instance(member) {
                        xml.leaf("AvailabilityZone", instance.zone());
                    }
                }
            })
            .node("DBClusterMembers", |xml| {
                for (index, member) in cluster.members.iter().enumerate() {
                    xml.node("DBClusterMember", |xml| {
                        xml.leaf("DBInstanceIdentifier", member)
                            .leaf("IsClusterWriter", index == cluster.writer)
                            .leaf("DBClusterParameterGroupStatus", "in-sync")
                            .leaf("PromotionTier", 1);
                    });
                }
            });
        network(xml);
        tags(xml, &cluster.tags);
    });
}

/// `<Event>`.
pub(super) fn event(xml: &mut Xml, event: &Event) {
    let resource = if event.kind == "db-cluster" { "cluster" } else { "db" };
    xml.node("Event", |xml| {
        xml.leaf("SourceIdentifier", &event.source)
            .leaf("SourceType", event.kind)
            .leaf("Message", &event.message)
            .node("EventCategories", |xml| {
                xml.leaf("EventCategory", event.category);
            })
            .leaf("Date", time(event.at))
            .leaf("SourceArn", rds_arn(resource, &event.source));
    });
}
