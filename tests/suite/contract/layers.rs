//! What watchers look at: target health, Auto Scaling groups, alarms.

use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, TargetDescription, TargetTypeEnum};

use super::side::{Side, Told, code, sorted};

const NOWHERE: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/nowhere/0123456789abcdef";

/// The storefront's target group and Auto Scaling group in moto. The group is empty there: moto would launch
/// instances that no other row expects.
pub(super) async fn arrange(to: &Side) {
    let ec2 = aws_sdk_ec2::Client::new(&to.config());
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&to.config());
    let groups = aws_sdk_autoscaling::Client::new(&to.config());
    let networks = ec2.describe_vpcs().send().await.expect("moto has a network");
    let group = elb
        .create_target_group()
        .name("storefront")
        .protocol(ProtocolEnum::Http)
        .port(8080)
        .target_type(TargetTypeEnum::Instance)
        .health_check_path("/health")
        .healthy_threshold_count(2)
        .vpc_id(networks.vpcs()[0].vpc_id().expect("a network has an id"))
        .send()
        .await
        .expect("moto makes a target group");
    let arn = group.target_groups()[0].target_group_arn().expect("a group has an ARN").to_owned();
    let app = aws_sdk_ec2::types::Filter::builder().name("tag:app").values("storefront").build();
    let found = ec2.describe_instances().filters(app).send().await.expect("moto has instances");
    for instance in found.reservations().iter().flat_map(|reservation| reservation.instances()) {
        let target = TargetDescription::builder().id(instance.instance_id().expect("an id")).build();
        let register = elb.register_targets().target_group_arn(&arn).targets(target);
        register.send().await.expect("moto registers a target");
    }
    let launch = groups.create_launch_configuration().launch_configuration_name("web");
    let launch = launch.image_id("ami-12345678").instance_type("t3.micro");
    launch.send().await.expect("moto makes a launch configuration");
    let group = groups.create_auto_scaling_group().auto_scaling_group_name("storefront");
    let group = group.launch_configuration_name("web").min_size(0).max_size(2).desired_capacity(0);
    let group = group.availability_zones("eu-west-1a").availability_zones("eu-west-1b");
    let group = group.health_check_type("ELB").health_check_grace_period(300).target_group_arns(arn);
    group.send().await.expect("moto makes a group");
}

pub(super) async fn rows(at: &Side, told: &mut Told) {
    target_groups(at, told).await;
    scaling(at, told).await;
    alarms(at, told).await;
}

async fn target_groups(at: &Side, told: &mut Told) {
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&at.config());
    let answer = elb.describe_target_groups().names("storefront").send().await.expect("the group");
    let group = &answer.target_groups()[0];
    let word = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let shown = format!(
        "{} {} {} {}, checked by {} {} at {} every {} s within {} s, {} up, {} down",
        word(group.target_group_name()),
        group.protocol().map_or("-", |protocol| protocol.as_str()),
        group.port().unwrap_or_default(),
        group.target_type().map_or("-", |kind| kind.as_str()),
        group.health_check_protocol().map_or("-", |protocol| protocol.as_str()),
        word(group.health_check_port()),
        word(group.health_check_path()),
        group.health_check_interval_seconds().unwrap_or_default(),
        group.health_check_timeout_seconds().unwrap_or_default(),
        group.healthy_threshold_count().unwrap_or_default(),
        group.unhealthy_threshold_count().unwrap_or_default(),
    );
    let expected = "storefront HTTP 8080 instance, checked by HTTP traffic-port at /health every 30 s within 5 s, 2 up, \
                    2 down";
    told.row("DescribeTargetGroups", expected, shown);
    let arn = group.target_group_arn().unwrap_or_default().to_owned();
    let by_arn = elb.describe_target_groups().target_group_arns(&arn).send().await;
    told.row("DescribeTargetGroups, by ARN", "accepted", code(&by_arn));
    let unknown = elb.describe_target_groups().names("nowhere").send().await;
    told.row("DescribeTargetGroups, unknown name", "TargetGroupNotFound", code(&unknown));
    let unknown = elb.describe_target_groups().target_group_arns(NOWHERE).send().await;
    told.row("DescribeTargetGroups, unknown ARN", "TargetGroupNotFound", code(&unknown));

    let health = elb.describe_target_health().target_group_arn(&arn).send().await.expect("targets");
    let shown = health.target_health_descriptions().iter().map(|found| {
        let port = found.target().and_then(|target| target.port()).unwrap_or_default();
        let state = found.target_health().and_then(|health| health.state());
        format!("{port} {}", state.map_or("-", |state| state.as_str()))
    });
    told.row("DescribeTargetHealth", "8080 healthy, 8080 healthy", sorted(shown));
    let stranger = TargetDescription::builder().id("i-0123456789abcdef0").build();
    let health = elb.describe_target_health().target_group_arn(&arn).targets(stranger).send().await;
    let health = health.expect("a description");
    let health = health.target_health_descriptions()[0].target_health().expect("its health");
    let shown = format!(
        "{} {}",
        health.state().map_or("-", |state| state.as_str()),
        health.reason().map_or("-", |reason| reason.as_str())
    );
    told.row("DescribeTargetHealth of a stranger", "unused Target.NotRegistered", shown);
    let unknown = elb.describe_target_health().target_group_arn(NOWHERE).send().await;
    told.row("DescribeTargetHealth, unknown group", "TargetGroupNotFound", code(&unknown));
}

async fn scaling(at: &Side, told: &mut Told) {
    let groups = aws_sdk_autoscaling::Client::new(&at.config());
    let named = |name: &str| groups.describe_auto_scaling_groups().auto_scaling_group_names(name).send();
    let answer = named("storefront").await.expect("the group");
    let group = &answer.auto_scaling_groups()[0];
    let shown = format!(
        "{}, at most {}, in {}, checked by {} after {} s, {} target group",
        group.auto_scaling_group_name().unwrap_or("-"),
        group.max_size().unwrap_or_default(),
        sorted(group.availability_zones().iter().cloned()),
        group.health_check_type().unwrap_or("-"),
        group.health_check_grace_period().unwrap_or_default(),
        group.target_group_arns().len(),
    );
    let expected =
        "storefront, at most 2, in eu-west-1a, eu-west-1b, checked by ELB after 300 s, 1 target group";
    told.row("DescribeAutoScalingGroups", expected, shown);
    let members = group.instances().iter().map(|member| {
        let life = member.lifecycle_state().map_or("-", |state| state.as_str());
        format!("{life} {}", member.health_status().unwrap_or("-"))
    });
    // It was made empty there.
    told.but_moto("… its members", "InService Healthy, InService Healthy", "", sorted(members));
    let unknown = named("nowhere").await.expect("an answer");
    told.row("DescribeAutoScalingGroups, unknown", "0", unknown.auto_scaling_groups().len());
    let activities = |name: &str| groups.describe_scaling_activities().auto_scaling_group_name(name).send();
    let answer = activities("storefront").await.expect("an answer");
    told.row("DescribeScalingActivities", "0", answer.activities().len());
    // moto does not mind.
    let unknown = activities("nowhere").await;
    told.but_moto("DescribeScalingActivities, unknown", "ValidationError", "accepted", code(&unknown));
}

/// moto does not speak the protocol that the client of CloudWatch speaks.
async fn alarms(at: &Side, told: &mut Told) {
    let silent = "no AWS answer";
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&at.config());
    let shown = |answer: Result<_, _>| match answer {
        Err(_) => code::<(), _, _>(
            &answer.map(|_: aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput| ()),
        ),
        Ok(answer) => sorted(answer.metric_alarms().iter().map(|alarm| {
            format!(
                "{} {} {} {} {}",
                alarm.alarm_name().unwrap_or("-"),
                alarm.state_value().map_or("-", |state| state.as_str()),
                alarm.namespace().unwrap_or("-"),
                alarm.metric_name().unwrap_or("-"),
                alarm.threshold().unwrap_or_default(),
            )
        })),
    };
    let named = cloudwatch.describe_alarms().alarm_names("checkout-5xx").alarm_names("nowhere").send().await;
    let expected = "checkout-5xx OK AWS/ApplicationELB HTTPCode_ELB_5XX_Count 1";
    told.but_moto("DescribeAlarms", expected, silent, shown(named));
    let page = cloudwatch.describe_alarms().alarm_name_prefix("checkout-").max_records(1).send().await;
    let next = page.as_ref().ok().and_then(|page| page.next_token().map(str::to_owned));
    told.but_moto("DescribeAlarms, a page", expected, silent, shown(page));
    let page = cloudwatch.describe_alarms().alarm_name_prefix("checkout-").set_next_token(next).send().await;
    let expected = "checkout-unhealthy-hosts OK AWS/ApplicationELB UnHealthyHostCount 1";
    told.but_moto("… and the next", expected, silent, shown(page));
    let broken = cloudwatch.describe_alarms().next_token("nonsense").send().await;
    told.but_moto("DescribeAlarms with a broken token", "InvalidNextToken", silent, code(&broken));
}
