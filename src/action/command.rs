//! What a person would type to do what an undo does: for when nobody but a person can.

use serde_json::{Value, json};

use super::route53::record_set::RecordSet;
use super::undo::Undo;

impl Undo {
    /// The command of the AWS CLI that puts the prior state back; `;` between several.
    pub fn command(&self, region: &str) -> String {
        let region = match region {
            "" => String::new(),
            region => format!(" --region {region}"),
        };
        let each = |ids: &[String], what: &str| {
            let line = |id: &String| format!("aws rds {what}{region} --db-instance-identifier {}", word(id));
            ids.iter().map(line).collect::<Vec<_>>().join("; ")
        };
        let all = |ids: &[String], what: &str| {
            let ids: Vec<String> = ids.iter().map(|id| word(id)).collect();
            format!("aws ec2 {what}{region} --instance-ids {}", ids.join(" "))
        };
        match self {
            Undo::StartInstances { ids } => all(ids, "start-instances"),
            Undo::StopInstances { ids } => all(ids, "stop-instances"),
            Undo::StartDbInstances { ids } => each(ids, "start-db-instance"),
            Undo::StopDbInstances { ids } => each(ids, "stop-db-instance"),
            Undo::DesiredCount { cluster, service, desired_count } => format!(
                "aws ecs update-service{region} --cluster {} --service {} --desired-count {desired_count}",
                word(cluster),
                word(service)
            ),
            Undo::RecordSets { zone_id, record_sets } => {
                let change = |set: &RecordSet| json!({ "Action": "UPSERT", "ResourceRecordSet": shape(set) });
                let batch = json!({ "Changes": record_sets.iter().map(change).collect::<Vec<_>>() });
                format!(
                    "aws route53 change-resource-record-sets --hosted-zone-id {} --change-batch {}",
                    word(zone_id),
                    word(&batch.to_string())
                )
            }
        }
    }
}

/// One word of a shell's line.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// A record set as the API writes it.
fn shape(set: &RecordSet) -> Value {
    let mut shape = json!({ "Name": set.name, "Type": set.r#type });
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            shape[name] = value;
        }
    };
    put("SetIdentifier", json!(set.set_identifier));
    put("Weight", json!(set.weight));
    put("Region", json!(set.region));
    put("Failover", json!(set.failover));
    put("MultiValueAnswer", json!(set.multi_value_answer));
    put("TTL", json!(set.ttl));
    put("HealthCheckId", json!(set.health_check_id));
    put("TrafficPolicyInstanceId", json!(set.traffic_policy_instance_id));
    if let Some([continent, country, subdivision]) = &set.geo_location {
        let all =
            json!({ "ContinentCode": continent, "CountryCode": country, "SubdivisionCode": subdivision });
        put("GeoLocation", present(all));
    }
    if let Some(geo) = &set.geo_proximity {
        let place = geo.coordinates.as_ref().map(|[lat, long]| json!({ "Latitude": lat, "Longitude": long }));
        let all = json!({ "AWSRegion": geo.aws_region, "LocalZoneGroup": geo.local_zone_group,
            "Coordinates": place, "Bias": geo.bias });
        put("GeoProximityLocation", present(all));
    }
    if let Some([collection, location]) = &set.cidr {
        put("CidrRoutingConfig", json!({ "CollectionId": collection, "LocationName": location }));
    }
    if let Some(alias) = &set.alias {
        put(
            "AliasTarget",
            json!({ "HostedZoneId": alias.hosted_zone_id, "DNSName": alias.dns_name,
                "EvaluateTargetHealth": alias.evaluate_target_health }),
        );
    }
    if !set.values.is_empty() {
        let values: Vec<Value> = set.values.iter().map(|value| json!({ "Value": value })).collect();
        put("ResourceRecords", json!(values));
    }
    shape
}

/// Without what is absent.
fn present(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_undo_is_a_line_that_a_shell_takes() {
        let ids = || vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(
            Undo::StartInstances { ids: ids() }.command("eu-west-1"),
            "aws ec2 start-instances --region eu-west-1 --instance-ids one two"
        );
        assert_eq!(
            Undo::StopDbInstances { ids: ids() }.command(""),
            "aws rds stop-db-instance --db-instance-identifier one; aws rds stop-db-instance --db-instance-identifier two"
        );
        let set = RecordSet {
            name: "www.example.com.".to_owned(),
            r#type: "TXT".to_owned(),
            ttl: Some(60),
            values: vec!["\"it's\"".to_owned()],
            ..RecordSet::default()
        };
        let undo = Undo::RecordSets { zone_id: "Z1".to_owned(), record_sets: vec![set] };
        let line = undo.command("");
        let batch = line.split_once("--change-batch '").expect("a batch").1;
        let batch: Value =
            serde_json::from_str(&batch.trim_end_matches('\'').replace(r"'\''", "'")).expect("JSON");
        let set = &batch["Changes"][0]["ResourceRecordSet"];
        assert_eq!(set["ResourceRecords"][0]["Value"], "\"it's\"");
        assert_eq!(set["TTL"], 60);
        assert_eq!(set.get("Weight"), None);
    }
}
