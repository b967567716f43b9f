//! What probes need to be allowed in AWS.

use super::Probe;
use super::dynamodb_ledger::DynamodbLedger;
use super::s3_ledger::S3Ledger;
use crate::aws::metrics;
use crate::aws::permissions::{Home, Need};

impl Probe {
    /// What it needs to be allowed; nothing for a probe that does not ask AWS.
    pub fn needs(&self, home: &Home) -> Vec<Need> {
        match self {
            Probe::CloudWatch(_) => vec![Need::everywhere(metrics::OPERATION)],
            Probe::DynamodbLedger(ledger) => dynamodb(ledger, home),
            Probe::S3Ledger(ledger) => s3(ledger, home),
            _ => Vec::new(),
        }
    }
}

fn dynamodb(ledger: &DynamodbLedger, home: &Home) -> Vec<Need> {
    let region = ledger.region.as_deref().unwrap_or(home.region());
    let read_from = ledger.read_from.as_deref().unwrap_or(region);
    let table = |region| home.arn_in(region, "dynamodb", &format!("table/{}", ledger.table));
    let mut both = vec![table(region)];
    if read_from != region {
        both.push(table(read_from));
    }
    vec![
        Need::on("dynamodb:DescribeTable", both),
        Need::on("dynamodb:PutItem", vec![table(region)]),
        Need::on("dynamodb:BatchGetItem", vec![table(read_from)]),
    ]
}

fn s3(ledger: &S3Ledger, home: &Home) -> Vec<Need> {
    let objects = |bucket: &str| home.global("s3", &format!("{bucket}/{}*", ledger.prefix));
    let mut buckets = vec![home.global("s3", &ledger.bucket)];
    let mut needs = vec![Need::on("s3:PutObject", vec![objects(&ledger.bucket)])];
    if let Some(replica) = &ledger.replica {
        buckets.push(home.global("s3", &replica.bucket));
        // HeadObject is allowed by GetObject: whether an object has arrived, and why it has not.
        needs.push(Need::on("s3:GetObject", vec![objects(&ledger.bucket), objects(&replica.bucket)]));
    }
    needs.push(Need::on("s3:ListBucket", buckets));
    needs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Identity;
    use crate::notation::decode::{Context, Decode as _, Unresolved};
    use crate::notation::yaml;

    fn needs(probe: &str) -> Vec<(String, Vec<String>)> {
        let root = yaml::parse(probe.as_bytes()).root.expect("YAML");
        let probe = Probe::decode(&root, &mut Context::new(&Unresolved)).expect("a probe");
        let arn = "arn:aws:iam::123456789012:user/ann".to_owned();
        let home = Home::of(&Identity { account: "123456789012".to_owned(), arn }, "eu-west-1");
        probe.needs(&home).into_iter().map(|need| (need.action, need.resources)).collect()
    }

    #[test]
    fn ledgers_need_their_tables_and_buckets_where_they_are() {
        let found = needs("dynamodb.ledger: { table: t, region: eu-west-1, read_from: eu-west-2 }");
        let table = |region: &str| format!("arn:aws:dynamodb:{region}:123456789012:table/t");
        assert_eq!(found[0].1, [table("eu-west-1"), table("eu-west-2")]);
        assert_eq!(found[1], ("dynamodb:PutItem".to_owned(), vec![table("eu-west-1")]));
        assert_eq!(found[2], ("dynamodb:BatchGetItem".to_owned(), vec![table("eu-west-2")]));
        let found = needs("s3.ledger: { bucket: b, replica: { bucket: r } }");
        assert_eq!(found[0], ("s3:PutObject".to_owned(), vec!["arn:aws:s3:::b/firedrill/*".to_owned()]));
        assert_eq!(found[2].1, ["arn:aws:s3:::b", "arn:aws:s3:::r"]);
        assert_eq!(needs("tcp: { address: \"h:1\" }"), []);
    }
}
