//! The least-privilege policy: needs, as statements of an IAM policy document.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::permissions::Need;

/// What a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Looking: planning, the permission check, watching, measuring.
    Plan,
    /// Changing things: the actions, their undo, a ledger's writes.
    Run,
}

impl Part {
    fn of(need: &Need) -> Part {
        if need.mutates() { Part::Run } else { Part::Plan }
    }

    fn word(self) -> &'static str {
        match self {
            Part::Plan => "Plan",
            Part::Run => "Run",
        }
    }
}

type Tags = BTreeMap<String, String>;
/// What has one statement: the part, the service, the resources, and the tags that these carry.
type Scope = (Part, String, BTreeSet<String>, Tags);

/// The policy document that grants these needs, or those of one part.
pub fn document(needs: &[Need], part: Option<Part>) -> Value {
    // An action is granted once for all that needs it.
    let mut granted: BTreeMap<(Part, &str, &Tags), BTreeSet<String>> = BTreeMap::new();
    for need in needs.iter().filter(|need| part.is_none_or(|part| part == Part::of(need))) {
        let entry = granted.entry((Part::of(need), need.action.as_str(), &need.tags)).or_default();
        entry.extend(need.granted.iter().cloned());
    }
    let mut scopes: BTreeMap<Scope, BTreeSet<&str>> = BTreeMap::new();
    for ((part, action, tags), mut resources) in granted {
        if resources.contains("*") {
            resources = BTreeSet::from(["*".to_owned()]);
        }
        let service = action.split(':').next().unwrap_or_default().to_owned();
        scopes.entry((part, service, resources, tags.clone())).or_default().insert(action);
    }
    let mut sids = BTreeMap::new();
    let statements: Vec<Value> =
        scopes.iter().map(|(scope, actions)| statement(scope, actions, &mut sids)).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn statement(scope: &Scope, actions: &BTreeSet<&str>, sids: &mut BTreeMap<String, u32>) -> Value {
    let (part, service, resources, tags) = scope;
    let kind = resources.first().map_or("", |arn| kind_of(arn));
    let name = format!("{}{}{}", part.word(), capital(service), capital(kind));
    let used = sids.entry(name.clone()).or_default();
    *used += 1;
    let sid = if *used == 1 { name } else { format!("{name}{used}") };
    let mut statement = Map::new();
    statement.insert("Sid".to_owned(), json!(sid));
    statement.insert("Effect".to_owned(), json!("Allow"));
    statement.insert("Action".to_owned(), json!(actions));
    statement.insert("Resource".to_owned(), json!(resources));
    if !tags.is_empty() {
        let keys: Map<String, Value> =
            tags.iter().map(|(key, value)| (format!("aws:ResourceTag/{key}"), json!(value))).collect();
        statement.insert("Condition".to_owned(), json!({ "StringEquals": keys }));
    }
    Value::Object(statement)
}

/// The type in an ARN: `instance`, `db`; a bucket and its objects have none of their own.
fn kind_of(arn: &str) -> &str {
    let Some(resource) = arn.splitn(6, ':').nth(5) else { return "all" };
    if arn.split(':').nth(2) == Some("s3") {
        return if resource.contains('/') { "objects" } else { "buckets" };
    }
    resource.split([':', '/']).next().unwrap_or_default()
}

/// A `Sid` holds letters and digits alone.
fn capital(word: &str) -> String {
    let mut letters = word.chars().filter(char::is_ascii_alphanumeric);
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_its_resources_shares_a_statement_and_sids_are_unique() {
        let db = |id: &str| vec![format!("arn:aws:rds:eu-west-1:1:db:{id}")];
        let tagged = Need {
            tags: BTreeMap::from([("app".to_owned(), "shop".to_owned())]),
            ..Need::on("ec2:StopInstances", vec!["arn:aws:ec2:eu-west-1:1:instance/*".to_owned()])
        };
        let needs = [
            Need::everywhere("ec2:DescribeInstances"),
            Need::everywhere("ec2:DescribeInstanceAttribute"),
            Need::on("rds:StopDBInstance", db("a")),
            Need::on("rds:StopDBInstance", db("b")),
            Need::on("rds:StartDBInstance", db("a")),
            tagged,
        ];
        let all = document(&needs, None);
        let sids: Vec<&str> =
            all["Statement"].as_array().unwrap().iter().filter_map(|s| s["Sid"].as_str()).collect();
        assert_eq!(sids, ["PlanEc2All", "RunEc2Instance", "RunRdsDb", "RunRdsDb2"]);
        let plan = &all["Statement"][0];
        assert_eq!(plan["Action"], json!(["ec2:DescribeInstanceAttribute", "ec2:DescribeInstances"]));
        assert_eq!(plan["Resource"], json!(["*"]));
        let condition = &all["Statement"][1]["Condition"]["StringEquals"]["aws:ResourceTag/app"];
        assert_eq!(condition, "shop");
        assert_eq!(document(&needs, Some(Part::Plan))["Statement"].as_array().map(Vec::len), Some(1));
        assert_eq!(document(&needs, Some(Part::Run))["Statement"].as_array().map(Vec::len), Some(3));
    }
}
