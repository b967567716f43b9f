//! Rules about AWS's own names, as far as their form alone tells that nothing can be called so.
//!
//! They read the tree, where every name has its place. A name that holds a `${…}` is not judged, nor is a form that AWS
//! might extend: only what was never an id, an ARN or a zone.

use crate::notation::code::Code;
use crate::notation::decode::{Problem, clip, nearest};
use crate::notation::yaml::{Key, Node, Span, Value};

/// The rules about the targets of an experiment, and about its alarms.
pub(super) fn resources(root: &Node, problems: &mut Vec<Problem>) {
    for (_, target) in entries_of(root, "targets") {
        for (kind, node) in entries(target) {
            for (key, value) in entries(node) {
                for (text, span) in texts(value) {
                    problems.extend(judge(&kind.text, &key.text, text, span));
                }
            }
        }
    }
    let listed = node_of(root, "alarms").map(texts).unwrap_or_default();
    let guarding = node_of(root, "stop_when").map(items).unwrap_or_default();
    let guarding = guarding.iter().filter_map(|rail| node_of(rail, "alarm")).flat_map(texts);
    for (text, span) in listed.into_iter().chain(guarding) {
        if text.starts_with("arn:") {
            let name = text.split_once(":alarm:").map(|(_, name)| format!("write {}", clip(name)));
            let mut problem =
                Problem::new(Code::AlarmArn, span, "an alarm is given by its name, and this is an ARN")
                    .label("expected the name of a CloudWatch alarm");
            problem.help = name;
            problems.push(problem);
        }
    }
}

/// The rules about an environment of the project file.
pub(in crate::spec) fn environment(node: &Node) -> Vec<Problem> {
    let text_of = |key: &str| node_of(node, key).map(texts).unwrap_or_default().into_iter().next();
    let endpoint = text_of("endpoint_url");
    let mut problems = Vec::new();
    if let Some((text, span)) = endpoint {
        let url = reqwest::Url::parse(text).ok();
        if !url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            let expects = "a URL such as http://127.0.0.1:5000";
            let message = format!("expected {expects}, found `{}`", clip(text));
            problems.push(Problem::new(Code::NotAUrl, span, message).label(format!("expected {expects}")));
        }
    }
    let at_aws = node_of(node, "endpoint_url").is_none();
    if let Some((text, span)) = text_of("region").filter(|(text, _)| at_aws && !is_region(text)) {
        let problem = Problem::new(
            Code::RegionName,
            span,
            format!("`{}` is not the name of an AWS region", clip(text)),
        )
        .label("expected a region such as eu-west-1");
        problems.push(match text.strip_suffix(|c: char| c.is_ascii_lowercase()) {
            Some(region) if is_region(region) => {
                problem.help(format!("this is one of its zones: write {region}"))
            }
            _ => match near_region(text) {
                Some(region) => problem.help(format!("did you mean {region}?")),
                None => problem,
            },
        });
    }
    if let Some((text, span)) = text_of("role") {
        problems.extend(arn(text, span, "iam", "arn:aws:iam::123456789012:role/firedrill"));
    }
    problems
}

/// What is wrong with one value of a target.
fn judge(kind: &str, key: &str, text: &str, span: Span) -> Option<Problem> {
    let wrong = |code: Code, what: &str, expects: &str| {
        let message = format!("`{}` is not {what}", clip(text));
        Some(Problem::new(code, span, message).label(format!("expected {expects}")))
    };
    match (kind, key) {
        (_, "availability_zone") => {
            let help = match text {
                _ if is_region(text) => format!("this is a region: write {text}a, or another of its zones"),
                _ if is_zone_id(text) => {
                    "this is a zone's id: write the name that your account has for it".to_owned()
                }
                _ => return None,
            };
            wrong(Code::AvailabilityZone, "an Availability Zone", "a zone such as eu-west-1a")
                .map(|problem| problem.help(help))
        }
        ("ec2.instance", "id" | "ids") if !is_instance_id(text) => {
            let expects = "`i-` and 8 or 17 hexadecimal digits, such as i-0abc123def4567890";
            wrong(Code::ResourceId, "the id of an EC2 instance", expects)
        }
        ("rds.instance" | "rds.cluster", "id" | "ids") | ("rds.instance", "cluster") => {
            match text.starts_with("arn:") {
                true => arn(text, span, "rds", "arn:aws:rds:eu-west-1:123456789012:db:orders"),
                false if is_rds_identifier(text) => None,
                false => {
                    let expects = "up to 63 letters, digits and single hyphens, a letter first";
                    wrong(Code::ResourceId, "an RDS identifier", expects)
                }
            }
        }
        ("ecs.task" | "ecs.service", "cluster" | "service" | "id") => match text.starts_with("arn:") {
            true => arn(text, span, "ecs", "arn:aws:ecs:eu-west-1:123456789012:cluster/shop"),
            false if is_ecs_name(text) => None,
            false => {
                wrong(Code::ResourceId, "an ECS name", "up to 255 letters, digits, `-` and `_`, or an ARN")
            }
        },
        ("route53.record", "zone") if !is_zone(text) => {
            wrong(Code::HostedZone, "a hosted zone", "its id (`Z…`) or its domain name, such as example.com")
        }
        _ => None,
    }
}

/// What is wrong with an ARN of a service.
fn arn(text: &str, span: Span, service: &str, example: &str) -> Option<Problem> {
    let wrong = |why: String| {
        let problem = Problem::new(Code::Arn, span, format!("not an ARN of {service}: {why}"));
        Some(problem.label(format!("expected such as {example}")))
    };
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, found, _, account, resource] = parts.as_slice() else {
        return wrong("it has six parts, `arn:partition:service:region:account:resource`".to_owned());
    };
    if !(*partition == "aws" || partition.starts_with("aws-")) {
        return wrong(format!("`{}` is no partition of AWS", clip(partition)));
    }
    if *found != service {
        return wrong(format!("its service is `{}`", clip(found)));
    }
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return wrong(format!("`{}` is not an account id of 12 digits", clip(account)));
    }
    if resource.is_empty() { wrong("it names no resource".to_owned()) } else { None }
}

fn is_instance_id(text: &str) -> bool {
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let digits = text.strip_prefix("i-").unwrap_or_default();
    matches!(digits.len(), 8 | 17) && digits.bytes().all(hexadecimal)
}

fn is_rds_identifier(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let shape =
        text.len() <= 63 && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(fits);
    shape && !text.ends_with('-') && !text.contains("--")
}

fn is_ecs_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.len() <= 255 && text.bytes().all(fits)
}

fn is_zone(text: &str) -> bool {
    let name = text.strip_prefix("/hostedzone/").unwrap_or(text);
    !name.is_empty() && !name.starts_with("arn:") && !name.contains(['/', ':', ' ', '@', '?'])
}

/// `eu-west-1`, `us-gov-west-1`: words of letters, then a number.
fn is_region(text: &str) -> bool {
    let mut parts: Vec<&str> = text.split('-').collect();
    let number = parts.pop().unwrap_or_default();
    let word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let numbered =
        !number.is_empty() && number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    numbered
        && (2..=4).contains(&parts.len())
        && parts.iter().all(word)
        && parts.first().is_some_and(|area| area.len() == 2)
        && parts.last().is_some_and(|direction| DIRECTIONS.contains(direction))
}

/// Where in its area a region is.
const DIRECTIONS: [&str; 9] =
    ["north", "south", "east", "west", "central", "northeast", "northwest", "southeast", "southwest"];

/// The region that is meant by one with its direction misspelt, or with `_` for `-`.
fn near_region(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase().replace(['_', ' '], "-");
    let (rest, number) = text.rsplit_once('-')?;
    let (area, direction) = rest.rsplit_once('-')?;
    let region = format!("{area}-{}-{number}", nearest(direction, &DIRECTIONS)?);
    is_region(&region).then_some(region)
}

/// `euw1-az1`: the same physical zone in every account.
fn is_zone_id(text: &str) -> bool {
    let Some((region, number)) = text.split_once("-az") else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let letters = region.trim_end_matches(|c: char| c.is_ascii_digit());
    let shape = letters.bytes().all(|byte| byte.is_ascii_lowercase()) && (3..=5).contains(&letters.len());
    digits(number) && shape && region.len() > letters.len()
}

fn entries(node: &Node) -> &[(Key, Node)] {
    match &node.value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}

fn node_of<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    entries(node).iter().find(|(name, _)| name.text == key).map(|(_, node)| node)
}

fn entries_of<'n>(root: &'n Node, key: &str) -> &'n [(Key, Node)] {
    node_of(root, key).map(entries).unwrap_or_default()
}

fn items(node: &Node) -> Vec<&Node> {
    match &node.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![node],
    }
}

/// The texts of a value or of a list of values, as far as they stand for themselves.
fn texts<'a>(node: &'a Node) -> Vec<(&'a str, Span)> {
    let text = |node: &'a Node| match &node.value {
        Value::Scalar { text, .. } if !text.contains("${") => Some((text.as_str(), node.span)),
        _ => None,
    };
    items(node).into_iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(fits: fn(&str) -> bool, right: &[&str], wrong: &[&str]) {
        for text in right {
            assert!(fits(text), "{text}");
        }
        for text in wrong {
            assert!(!fits(text), "{text}");
        }
    }

    #[test]
    fn forms_are_told_from_what_was_never_one() {
        each(
            is_instance_id,
            &["i-0abc123def4567890", "i-1a2b3c4d"],
            &[
                "i-",
                "i-0abc123",
                "i-0ABC123DEF4567890",
                "I-1a2b3c4d",
                "0abc123def4567890",
                "i-0abc123def456789g",
            ],
        );
        each(
            is_rds_identifier,
            &["orders", "Orders-1", "a"],
            &["", "1orders", "orders_1", "orders-", "or--ders", "orders.eu-west-1.rds.amazonaws.com"],
        );
        each(
            is_region,
            &["eu-west-1", "us-gov-west-1", "cn-north-1", "ap-southeast-5", "us-isob-east-1", "mx-central-1"],
            &[
                "eu-west-1a",
                "Ireland",
                "eu_west_1",
                "us-west-2-lax-1a",
                "eu-west",
                "",
                "us-east-1-wl1-bos-wlz-1",
                "eu-wset-1",
                "eu-test-1",
            ],
        );
        assert_eq!(near_region("eu-wset-1").as_deref(), Some("eu-west-1"));
        assert_eq!(near_region("US_GOV_WEST_1").as_deref(), Some("us-gov-west-1"));
        assert_eq!(near_region("Ireland"), None);
        each(is_zone_id, &["euw1-az1", "use1-az12"], &["eu-west-1a", "eu-west-1", "-az1", "euw-az1"]);
        each(
            is_zone,
            &["Z0123456789ABC", "/hostedzone/Z0123", "example.com", "corp", "2.0.192.in-addr.arpa"],
            &["", "https://shop.test/", "arn:aws:route53:::hostedzone/Z1", "two words"],
        );
    }

    #[test]
    fn an_arn_has_six_parts_and_the_service_that_fits() {
        let wrong = |text: &str| arn(text, Span::default(), "ecs", "…").map(|problem| problem.message);
        assert_eq!(wrong("arn:aws:ecs:eu-west-1:123456789012:cluster/shop"), None);
        assert_eq!(wrong("arn:aws-us-gov:ecs:us-gov-west-1:123456789012:task/a:b"), None);
        for (text, why) in [
            ("arn:aws:ecs:eu-west-1:cluster/shop", "six parts"),
            ("arn:aws:ec2:eu-west-1:123456789012:cluster/shop", "its service is `ec2`"),
            ("arn:amazon:ecs:eu-west-1:123456789012:cluster/shop", "no partition"),
            ("arn:aws:ecs:eu-west-1:12345:cluster/shop", "12 digits"),
            ("arn:aws:ecs:eu-west-1:123456789012:", "no resource"),
        ] {
            assert!(wrong(text).is_some_and(|message| message.contains(why)), "{text}");
        }
    }
}
