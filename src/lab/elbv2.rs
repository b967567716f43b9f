//! Elastic Load Balancing: the target groups of the lab's load balancers, and what their checks find.

use super::balancer::{Balancer, Health, TargetKind};
use super::wire::{Answer, Call, Fault, Params, Protocol, Service, Xml, arn};
use super::world::HTTP_PORT;

/// How many target groups a page holds at most.
const LARGEST_PAGE: u64 = 400;

/// The region's load balancing.
pub(crate) struct Elb {
    balancers: Vec<Balancer>,
}

/// The ARN of a load balancer's target group.
pub(crate) fn target_group_arn(name: &str) -> String {
    arn("elasticloadbalancing", &format!("targetgroup/{name}/{}", tail(name)))
}

fn load_balancer_arn(name: &str) -> String {
    arn("elasticloadbalancing", &format!("loadbalancer/app/{name}/{}", tail(name)))
}

/// What AWS puts behind a name: sixteen hexadecimal digits.
pub(crate) fn tail(name: &str) -> String {
    let sum = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{sum:016x}")
}

impl Elb {
    pub(crate) fn new(balancers: Vec<Balancer>) -> Elb {
        Elb { balancers }
    }

    fn describe_target_groups(&self, params: &Params) -> Result<Xml, Fault> {
        let (names, arns) = (params.list("Names.member"), params.list("TargetGroupArns.member"));
        let wanted: Vec<&Balancer> = if names.is_empty() && arns.is_empty() {
            let of = params.get("LoadBalancerArn");
            self.balancers
                .iter()
                .filter(|balancer| of.is_none_or(|of| of == load_balancer_arn(balancer.name())))
                .collect()
        } else {
            let by_name = names.iter().map(|name| self.balancers.iter().find(|b| b.name() == *name));
            let by_arn = arns.iter().map(|arn| self.group(arn).ok());
            by_name.chain(by_arn).collect::<Option<_>>().ok_or_else(not_found)?
        };
        let size = params.number("PageSize")?.unwrap_or(LARGEST_PAGE);
        if !(1..=LARGEST_PAGE).contains(&size) {
            return Err(validation("PageSize must be between 1 and 400"));
        }
        let start = match params.get("Marker") {
            None => 0,
            Some(marker) => marker.parse::<usize>().map_err(|_| validation("Invalid marker"))?,
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let page: Vec<&Balancer> = wanted.iter().skip(start).take(size).copied().collect();
        let mut xml = Xml::new();
        xml.list("TargetGroups", "member", &page, |xml, balancer| target_group(xml, balancer));
        if start + page.len() < wanted.len() {
            xml.leaf("NextMarker", start + page.len());
        }
        Ok(xml)
    }

    fn describe_target_health(&self, params: &Params) -> Result<Xml, Fault> {
        let arn = params.required("TargetGroupArn").map_err(|_| validation("TargetGroupArn is required"))?;
        let registered = self.group(arn)?.targets();
        let asked = params.structs("Targets.member");
        let mut shown: Vec<(String, Option<Health>)> = Vec::new();
        for target in &asked {
            let id = target.required("Id")?;
            let health = registered.iter().find(|(known, _)| known == id).map(|(_, health)| *health);
            shown.push((id.to_owned(), health));
        }
        if asked.is_empty() {
            shown.extend(registered.into_iter().map(|(id, health)| (id, Some(health))));
        }
        let mut xml = Xml::new();
        xml.list("TargetHealthDescriptions", "member", shown, |xml, (id, health)| {
            xml.node("Target", |xml| {
                xml.leaf("Id", id).leaf("Port", HTTP_PORT);
            });
            xml.leaf("HealthCheckPort", HTTP_PORT);
            xml.node("TargetHealth", |xml| {
                let (state, why) = described(health);
                xml.leaf("State", state);
                if let Some((reason, description)) = why {
                    xml.leaf("Reason", reason).leaf("Description", description);
                }
            });
        });
        Ok(xml)
    }

    fn group(&self, arn: &str) -> Result<&Balancer, Fault> {
        let found = self.balancers.iter().find(|balancer| target_group_arn(balancer.name()) == arn);
        found.ok_or_else(not_found)
    }
}

/// A target's state, and the reason and description of all but a healthy one.
fn described(health: Option<Health>) -> (&'static str, Option<(&'static str, &'static str)>) {
    let why = match health {
        Some(Health::Healthy) => None,
        Some(Health::Initial) => Some(("Elb.InitialHealthChecking", "Initial health checks in progress")),
        Some(Health::Unhealthy) => Some(("Target.FailedHealthChecks", "Health checks failed")),
        Some(Health::Unused) => Some(("Target.InvalidState", "Target is in the stopped state")),
        None => Some(("Target.NotRegistered", "Target is not registered to the target group")),
    };
    (health.map_or("unused", Health::name), why)
}

fn target_group(xml: &mut Xml, balancer: &Balancer) {
    let name = balancer.name();
    xml.leaf("TargetGroupArn", target_group_arn(name)).leaf("TargetGroupName", name);
    xml.leaf("Protocol", "HTTP").leaf("Port", HTTP_PORT).leaf("ProtocolVersion", "HTTP1");
    xml.leaf("VpcId", "vpc-0123456789abcdef0").leaf("HealthCheckProtocol", "HTTP");
    xml.leaf("HealthCheckPort", "traffic-port").leaf("HealthCheckEnabled", true);
    xml.leaf("HealthCheckIntervalSeconds", 30).leaf("HealthCheckTimeoutSeconds", 5);
    xml.leaf("HealthyThresholdCount", 2).leaf("UnhealthyThresholdCount", 2);
    xml.leaf("HealthCheckPath", "/health");
    let kind = match balancer.kind() {
        TargetKind::Instance => "instance",
        TargetKind::Ip => "ip",
    };
    xml.leaf("TargetType", kind).leaf("IpAddressType", "ipv4");
    xml.node("LoadBalancerArns", |xml| {
        xml.leaf("member", load_balancer_arn(name));
    });
}

fn not_found() -> Fault {
    Fault::new(400, "TargetGroupNotFound", "One or more target groups not found")
}

fn validation(message: &str) -> Fault {
    Fault::new(400, "ValidationError", message)
}

impl Service for Elb {
    fn protocol(&self) -> Protocol {
        Protocol::Query { namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/" }
    }

    fn answer(&self, call: &Call) -> Result<Option<Answer>, Fault> {
        let xml = match call.operation.as_str() {
            "DescribeTargetGroups" => self.describe_target_groups(&call.params)?,
            "DescribeTargetHealth" => self.describe_target_health(&call.params)?,
            _ => return Ok(None),
        };
        Ok(Some(Answer::Xml(xml)))
    }
}
