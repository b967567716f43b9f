//! Record sets as XML, out and in.

use crate::lab::wire::{Element, Xml};
use crate::lab::zone::{Failover, RecordSet, absolute};

/// A record set as a list tells it.
pub(super) fn record_set(xml: &mut Xml, set: &RecordSet) {
    xml.leaf("Name", &set.name).leaf("Type", &set.kind);
    xml.leaf_if("SetIdentifier", set.set_identifier.as_ref()).leaf_if("Weight", set.weight);
    xml.leaf_if(
        "Failover",
        set.failover.map(|role| match role {
            Failover::Primary => "PRIMARY",
            Failover::Secondary => "SECONDARY",
        }),
    );
    xml.leaf("TTL", set.ttl);
    xml.list("ResourceRecords", "ResourceRecord", &set.values, |xml, value| {
        xml.leaf("Value", value);
    });
    xml.leaf_if("HealthCheckId", set.health_check.as_ref());
}

/// A record set as a change names it; what is wrong with it otherwise.
pub(super) fn read(element: &Element) -> Result<RecordSet, String> {
    let required = |name: &str| {
        element.text_of(name).map(str::trim).ok_or_else(|| format!("a resource record set needs a {name}"))
    };
    for unsupported in ["AliasTarget", "Region", "GeoLocation", "GeoProximityLocation", "MultiValueAnswer"] {
        if element.child(unsupported).is_some() {
            return Err(format!("the lab has no record sets with {unsupported}"));
        }
    }
    let name = absolute(required("Name")?);
    let kind = required("Type")?.to_owned();
    if !["A", "CNAME", "TXT", "NS", "SOA"].contains(&kind.as_str()) {
        return Err(format!("the lab has no record sets of type {kind}"));
    }
    let ttl = required("TTL")?.parse().map_err(|_| "the TTL is not a whole number of seconds".to_owned())?;
    let weight = match element.text_of("Weight").map(str::parse::<u64>) {
        None => None,
        Some(Ok(weight)) if weight <= 255 => Some(weight),
        Some(_) => return Err("the Weight is not a whole number from 0 to 255".to_owned()),
    };
    let failover = match element.text_of("Failover") {
        None => None,
        Some("PRIMARY") => Some(Failover::Primary),
        Some("SECONDARY") => Some(Failover::Secondary),
        Some(other) => return Err(format!("Failover {other} is neither PRIMARY nor SECONDARY")),
    };
    let records = element.child("ResourceRecords").ok_or("a resource record set needs ResourceRecords")?;
    let values: Vec<String> = records
        .all("ResourceRecord")
        .filter_map(|record| record.text_of("Value"))
        .map(str::to_owned)
        .collect();
    if values.is_empty() {
        return Err("a resource record set needs at least one value".to_owned());
    }
    let text = |name: &str| element.text_of(name).map(str::to_owned);
    let (set_identifier, health_check) = (text("SetIdentifier"), text("HealthCheckId"));
    Ok(RecordSet { name, kind, set_identifier, weight, failover, health_check, ttl, values })
}
