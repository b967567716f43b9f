//! Auto Scaling: what the lab's group is, and what it has done.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::ec2::group::Group;
use super::ec2::{Ec2, Instance, State};
use super::elbv2::target_group_arn;
use super::wire::{Answer, Call, Fault, Params, Protocol, Service, Xml, arn};
use super::world::{World, ZONES, lock};

/// Something that a group did or is doing.
#[derive(Clone, Debug)]
struct Activity {
    id: String,
    description: String,
    cause: String,
    started: Timestamp,
    ended: Option<Timestamp>,
}

impl Activity {
    fn status(&self) -> &'static str {
        if self.ended.is_some() { "Successful" } else { "InProgress" }
    }
}

/// The activities of a group, oldest first. A clone is the same list.
#[derive(Clone)]
pub(crate) struct Activities {
    group: &'static str,
    world: World,
    list: Arc<Mutex<Vec<Activity>>>,
}

impl Activities {
    /// None yet.
    pub(crate) fn of(group: &'static str, world: &World) -> Activities {
        Activities { group, world: world.clone(), list: Arc::default() }
    }

    /// Begins one; gives its number.
    pub(crate) fn begin(&self, description: &str, cause: &str) -> usize {
        let now = self.now();
        let mut list = lock(&self.list);
        let number = list.len();
        let high = self.world.pace.number("activity", &format!("{} {number}", self.group));
        let id = format!("{:08x}-{:04x}-4000-8000-{number:012x}", high >> 32, high & 0xffff);
        let (description, cause) = (description.to_owned(), format!("At {now:.0} {cause}."));
        let activity = Activity { id, description, cause, started: now, ended: None };
        self.told(&activity);
        self.world.truth.event(format!("Auto Scaling: {}", activity.description));
        list.push(activity);
        number
    }

    /// Ends one.
    pub(crate) fn end(&self, number: usize) {
        let now = self.now();
        if let Some(activity) = lock(&self.list).get_mut(number) {
            activity.ended = Some(now);
            self.told(activity);
        }
    }

    fn told(&self, activity: &Activity) {
        let state = format!("{} ({})", activity.description, activity.status());
        self.world.truth.layer("scaling_activity", self.group, &state);
    }

    fn now(&self) -> Timestamp {
        self.world.clock.wall(self.world.clock.now())
    }
}

/// The region's Auto Scaling: one group.
pub(crate) struct AutoScaling {
    ec2: Ec2,
    group: Group,
}

impl AutoScaling {
    pub(crate) fn new(ec2: Ec2, group: Group) -> AutoScaling {
        AutoScaling { ec2, group }
    }

    fn describe_groups(&self, params: &Params) -> Xml {
        let names = params.list("AutoScalingGroupNames.member");
        let shown = names.is_empty() || names.contains(&self.group.name);
        let mut xml = Xml::new();
        xml.list("AutoScalingGroups", "member", shown.then_some(()), |xml, ()| self.shape(xml));
        xml
    }

    fn shape(&self, xml: &mut Xml) {
        let (name, desired) = (self.group.name, self.group.desired);
        let resource =
            format!("autoScalingGroup:{}:autoScalingGroupName/{name}", self.group.activities.list_id());
        xml.leaf("AutoScalingGroupName", name).leaf("AutoScalingGroupARN", arn("autoscaling", &resource));
        xml.leaf("MinSize", desired).leaf("MaxSize", desired).leaf("DesiredCapacity", desired);
        xml.leaf("DefaultCooldown", 300).leaf("HealthCheckType", "ELB").leaf("HealthCheckGracePeriod", 300);
        xml.node("AvailabilityZones", |xml| {
            for zone in ZONES {
                xml.leaf("member", zone);
            }
        });
        xml.node("TargetGroupARNs", |xml| {
            xml.leaf("member", target_group_arn(name));
        });
        xml.leaf("CreatedTime", self.ec2.world().clock.began());
        let fleet = self.ec2.fleet();
        let members = fleet.instances.iter().filter(|instance| self.group.has(instance));
        xml.list("Instances", "member", members.filter_map(life), |xml, (instance, life, health)| {
            xml.leaf("InstanceId", &instance.id).leaf("AvailabilityZone", instance.zone);
            xml.leaf("LifecycleState", life).leaf("HealthStatus", health).leaf("ProtectedFromScaleIn", false);
        });
    }

    fn describe_refreshes(&self, params: &Params) -> Result<Xml, Fault> {
        if params.get("AutoScalingGroupName").is_some_and(|name| name != self.group.name) {
            let message = "AutoScalingGroup name not found - null";
            return Err(Fault::new(400, "ValidationError", message));
        }
        let refreshing = self.group.refreshing.load(Ordering::SeqCst);
        let mut xml = Xml::new();
        xml.list("InstanceRefreshes", "member", refreshing.then_some(()), |xml, ()| {
            xml.leaf("InstanceRefreshId", self.group.activities.list_id());
            xml.leaf("AutoScalingGroupName", self.group.name).leaf("Status", "InProgress");
            xml.leaf("PercentageComplete", 50).leaf("InstancesToUpdate", 1);
        });
        Ok(xml)
    }

    fn describe_activities(&self, params: &Params) -> Result<Xml, Fault> {
        if params.get("AutoScalingGroupName").is_some_and(|name| name != self.group.name) {
            let message = "AutoScalingGroup name not found - null";
            return Err(Fault::new(400, "ValidationError", message));
        }
        let size = params.number("MaxRecords")?.unwrap_or(100).min(100);
        let size = usize::try_from(size).unwrap_or(100);
        let list = lock(&self.group.activities.list);
        let start = match params.get("NextToken") {
            None => 0,
            Some(token) => token.parse().map_err(|_| {
                Fault::new(400, "InvalidNextToken", format!("The token '{token}' is invalid."))
            })?,
        };
        let page: Vec<&Activity> = list.iter().rev().skip(start).take(size).collect();
        let mut xml = Xml::new();
        xml.list("Activities", "member", &page, |xml, activity| {
            xml.leaf("ActivityId", &activity.id).leaf("AutoScalingGroupName", self.group.name);
            xml.leaf("Description", &activity.description).leaf("Cause", &activity.cause);
            xml.leaf("StartTime", activity.started).leaf_if("EndTime", activity.ended);
            xml.leaf("StatusCode", activity.status());
            xml.leaf("Progress", if activity.ended.is_some() { 100 } else { 50 });
        });
        if start + page.len() < list.len() {
            xml.leaf("NextToken", start + page.len());
        }
        Ok(xml)
    }
}

impl Activities {
    /// Stands for the id that AWS gives a group.
    fn list_id(&self) -> String {
        format!("{:08x}-0000-4000-8000-000000000000", self.world.pace.number("group", self.group) >> 32)
    }
}

/// A member with its life-cycle state and health; nothing for one that is gone.
fn life(instance: &Instance) -> Option<(&Instance, &'static str, &'static str)> {
    match instance.state {
        State::Pending => Some((instance, "Pending", "Healthy")),
        State::Running => Some((instance, "InService", "Healthy")),
        State::ShuttingDown | State::Stopping | State::Stopped => {
            Some((instance, "Terminating", "Unhealthy"))
        }
        State::Terminated => None,
    }
}

impl Service for AutoScaling {
    fn protocol(&self) -> Protocol {
        Protocol::Query { namespace: "http://autoscaling.amazonaws.com/doc/2011-01-01/" }
    }

    fn answer(&self, call: &Call) -> Result<Option<Answer>, Fault> {
        let xml = match call.operation.as_str() {
            "DescribeAutoScalingGroups" => self.describe_groups(&call.params),
            "DescribeInstanceRefreshes" => self.describe_refreshes(&call.params)?,
            "DescribeScalingActivities" => self.describe_activities(&call.params)?,
            _ => return Ok(None),
        };
        Ok(Some(Answer::Xml(xml)))
    }
}
