//! A Route 53 record set as it can be journalled and put back exactly.

use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types::{
    AliasTarget, CidrRoutingConfig, Coordinates, GeoLocation, GeoProximityLocation, ResourceRecord,
    ResourceRecordSet, ResourceRecordSetFailover, ResourceRecordSetRegion, RrType,
};
use serde::{Deserialize, Serialize};

use crate::aws::route53::same_name;

/// A record set with every property that Route 53 gives it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordSet {
    /// `Name`, as Route 53 writes it: with the final dot.
    pub name: String,
    /// `Type`
    pub r#type: String,
    /// `SetIdentifier`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<String>,
    /// `Weight`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// `Region`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `GeoLocation`: continent, country and subdivision code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo_location: Option<[Option<String>; 3]>,
    /// `GeoProximityLocation`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo_proximity: Option<GeoProximity>,
    /// `Failover`: `PRIMARY` or `SECONDARY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover: Option<String>,
    /// `MultiValueAnswer`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_value_answer: Option<bool>,
    /// `CidrRoutingConfig`: collection id and location name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr: Option<[String; 2]>,
    /// `TTL`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// `ResourceRecords`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// `AliasTarget`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
    /// `HealthCheckId`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_id: Option<String>,
    /// `TrafficPolicyInstanceId`: such a record set belongs to its traffic policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_policy_instance_id: Option<String>,
}

/// What an alias record set points at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    /// `HostedZoneId`
    pub hosted_zone_id: String,
    /// `DNSName`
    pub dns_name: String,
    /// `EvaluateTargetHealth`
    pub evaluate_target_health: bool,
}

/// Where a record set stands under geoproximity routing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeoProximity {
    /// `AWSRegion`
    pub aws_region: Option<String>,
    /// `LocalZoneGroup`
    pub local_zone_group: Option<String>,
    /// `Coordinates`: latitude and longitude.
    pub coordinates: Option<[String; 2]>,
    /// `Bias`
    pub bias: Option<i32>,
}

impl RecordSet {
    /// The record set as Route 53 has it.
    pub(crate) fn of(set: &ResourceRecordSet) -> RecordSet {
        RecordSet {
            name: set.name.clone(),
            r#type: set.r#type.as_str().to_owned(),
            set_identifier: set.set_identifier.clone(),
            weight: set.weight,
            region: set.region.as_ref().map(|region| region.as_str().to_owned()),
            geo_location: set.geo_location.as_ref().map(|geo| {
                [geo.continent_code.clone(), geo.country_code.clone(), geo.subdivision_code.clone()]
            }),
            geo_proximity: set.geo_proximity_location.as_ref().map(|geo| GeoProximity {
                aws_region: geo.aws_region.clone(),
                local_zone_group: geo.local_zone_group.clone(),
                coordinates: geo.coordinates.as_ref().map(|c| [c.latitude.clone(), c.longitude.clone()]),
                bias: geo.bias,
            }),
            failover: set.failover.as_ref().map(|failover| failover.as_str().to_owned()),
            multi_value_answer: set.multi_value_answer,
            cidr: set
                .cidr_routing_config
                .as_ref()
                .map(|cidr| [cidr.collection_id.clone(), cidr.location_name.clone()]),
            ttl: set.ttl,
            values: set.resource_records().iter().map(|record| record.value.clone()).collect(),
            alias: set.alias_target.as_ref().map(|alias| Alias {
                hosted_zone_id: alias.hosted_zone_id.clone(),
                dns_name: alias.dns_name.clone(),
                evaluate_target_health: alias.evaluate_target_health,
            }),
            health_check_id: set.health_check_id.clone(),
            traffic_policy_instance_id: set.traffic_policy_instance_id.clone(),
        }
    }

    /// The record set as Route 53 takes it.
    pub(crate) fn build(&self) -> Result<ResourceRecordSet, BuildError> {
        let records: Result<Vec<ResourceRecord>, BuildError> =
            self.values.iter().map(|value| ResourceRecord::builder().value(value).build()).collect();
        let records = records?;
        let alias = self.alias.as_ref().map(|alias| {
            AliasTarget::builder()
                .hosted_zone_id(&alias.hosted_zone_id)
                .dns_name(&alias.dns_name)
                .evaluate_target_health(alias.evaluate_target_health)
                .build()
        });
        let cidr = self.cidr.as_ref().map(|[collection, location]| {
            CidrRoutingConfig::builder().collection_id(collection).location_name(location).build()
        });
        let geo = self.geo_location.as_ref().map(|[continent, country, subdivision]| {
            GeoLocation::builder()
                .set_continent_code(continent.clone())
                .set_country_code(country.clone())
                .set_subdivision_code(subdivision.clone())
                .build()
        });
        ResourceRecordSet::builder()
            .name(&self.name)
            .r#type(RrType::from(self.r#type.as_str()))
            .set_set_identifier(self.set_identifier.clone())
            .set_weight(self.weight)
            .set_region(self.region.as_deref().map(ResourceRecordSetRegion::from))
            .set_geo_location(geo)
            .set_geo_proximity_location(self.geo_proximity.as_ref().map(GeoProximity::build).transpose()?)
            .set_failover(self.failover.as_deref().map(ResourceRecordSetFailover::from))
            .set_multi_value_answer(self.multi_value_answer)
            .set_cidr_routing_config(cidr.transpose()?)
            .set_ttl(self.ttl)
            .set_resource_records((!records.is_empty()).then_some(records))
            .set_alias_target(alias.transpose()?)
            .set_health_check_id(self.health_check_id.clone())
            .set_traffic_policy_instance_id(self.traffic_policy_instance_id.clone())
            .build()
    }

    /// Whether both are the same entry of the zone, whatever they hold.
    pub(crate) fn same_entry(&self, other: &RecordSet) -> bool {
        same_name(&self.name, &other.name)
            && self.r#type == other.r#type
            && self.set_identifier == other.set_identifier
    }

    /// Whether both say the same. Route 53 may write names with a final dot and values in another order.
    pub(crate) fn same(&self, other: &RecordSet) -> bool {
        self.canonical() == other.canonical()
    }

    fn canonical(&self) -> RecordSet {
        let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
        let mut set = self.clone();
        set.name = bare(&set.name);
        if matches!(set.r#type.as_str(), "CNAME" | "A" | "AAAA" | "MX" | "SRV") {
            set.values = set.values.iter().map(|value| bare(value)).collect();
        }
        set.values.sort();
        if let Some(alias) = &mut set.alias {
            alias.dns_name = bare(&alias.dns_name);
        }
        set
    }

    /// One line for people: `www.example.com A = 192.0.2.1 (TTL 60)`.
    pub fn describe(&self) -> String {
        format!("{} = {}", self.entry(), self.content())
    }

    /// Its name, type and identifier.
    pub(crate) fn entry(&self) -> String {
        let identifier = self.set_identifier.as_ref().map(|id| format!(" [{id}]")).unwrap_or_default();
        format!("{} {}{identifier}", self.name.trim_end_matches('.'), self.r#type)
    }

    /// What it says.
    pub(crate) fn content(&self) -> String {
        let answer = match &self.alias {
            Some(alias) => format!("alias of {}", alias.dns_name.trim_end_matches('.')),
            None => self.values.join(", "),
        };
        let mut notes = Vec::new();
        notes.extend(self.weight.map(|weight| format!("weight {weight}")));
        notes.extend(self.failover.clone());
        notes.extend(self.ttl.map(|ttl| format!("TTL {ttl}")));
        if notes.is_empty() { answer } else { format!("{answer} ({})", notes.join(", ")) }
    }
}

impl GeoProximity {
    fn build(&self) -> Result<GeoProximityLocation, BuildError> {
        let coordinates = self.coordinates.as_ref().map(|[latitude, longitude]| {
            Coordinates::builder().latitude(latitude).longitude(longitude).build()
        });
        Ok(GeoProximityLocation::builder()
            .set_aws_region(self.aws_region.clone())
            .set_local_zone_group(self.local_zone_group.clone())
            .set_coordinates(coordinates.transpose()?)
            .set_bias(self.bias)
            .build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_survives_the_journal_and_the_way_back() {
        let full = RecordSet {
            name: "www.example.com.".to_owned(),
            r#type: "A".to_owned(),
            set_identifier: Some("one".to_owned()),
            weight: Some(7),
            region: Some("eu-west-1".to_owned()),
            geo_location: Some([Some("EU".to_owned()), Some("DE".to_owned()), None]),
            geo_proximity: Some(GeoProximity {
                aws_region: Some("eu-west-1".to_owned()),
                local_zone_group: None,
                coordinates: Some(["1.0".to_owned(), "2.0".to_owned()]),
                bias: Some(-3),
            }),
            failover: Some("PRIMARY".to_owned()),
            multi_value_answer: Some(true),
            cidr: Some(["collection".to_owned(), "place".to_owned()]),
            ttl: Some(60),
            values: vec!["192.0.2.1".to_owned(), "192.0.2.2".to_owned()],
            alias: Some(Alias {
                hosted_zone_id: "Z1".to_owned(),
                dns_name: "lb.example.com.".to_owned(),
                evaluate_target_health: true,
            }),
            health_check_id: Some("check".to_owned()),
            traffic_policy_instance_id: Some("policy".to_owned()),
        };
        let journalled = serde_json::to_string(&full).expect("it serialises");
        let back: RecordSet = serde_json::from_str(&journalled).expect("it reads back");
        assert_eq!(RecordSet::of(&back.build().expect("it is complete")), full);
    }

    #[test]
    fn dots_case_and_order_make_no_difference_but_values_do() {
        let set = |name: &str, values: &[&str]| RecordSet {
            name: name.to_owned(),
            r#type: "CNAME".to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            ..RecordSet::default()
        };
        assert!(set("db.example.com", &["A.example.com."]).same(&set("db.example.com.", &["a.example.com"])));
        assert!(!set("db.example.com", &["a.example.com"]).same(&set("db.example.com", &["b.example.com"])));
    }
}
