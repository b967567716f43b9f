//! Route 53, as far as it is looked at.

use aws_sdk_route53::types::{ChangeStatus, ResourceRecordSet, RrType};

use super::{Aws, Fault, FaultKind};

pub(crate) const LIST_ZONES: &str = "route53:ListHostedZonesByName";
pub(crate) const LIST_RECORDS: &str = "route53:ListResourceRecordSets";
pub(crate) const LIST_TAGS: &str = "route53:ListTagsForResource";
pub(crate) const GET_CHANGE: &str = "route53:GetChange";

/// The id of the hosted zone that `zone` names: an id (`Z…`, with or without `/hostedzone/`) or
/// a domain name.
pub(crate) async fn zone_id(aws: &Aws, zone: &str) -> Result<String, Fault> {
    let bare = zone.trim_start_matches("/hostedzone/");
    if is_id(bare) {
        return Ok(bare.to_owned());
    }
    let answer = aws
        .route53()
        .list_hosted_zones_by_name()
        .dns_name(bare)
        .send()
        .await
        .map_err(|e| Fault::read(LIST_ZONES, zone, e))?;
    // The list begins at the name; those that bear it come first, private and public ones alike.
    let ids: Vec<&str> = answer
        .hosted_zones
        .iter()
        .filter(|found| same_name(&found.name, bare))
        .map(|found| found.id.trim_start_matches("/hostedzone/"))
        .collect();
    match ids.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => Err(Fault::new(
            FaultKind::Absent,
            LIST_ZONES,
            zone,
            "there is no hosted zone of this name",
            "check the zone's name and the account, or give the zone's id (`Z…`)",
        )),
        several => Err(Fault::new(
            FaultKind::Refused,
            LIST_ZONES,
            zone,
            format!("{} hosted zones bear this name: {}", several.len(), several.join(", ")),
            "give the id of the one that you mean: `zone: Z…`",
        )),
    }
}

/// Whether this is a zone's id: those have no dot and no small letter, names have both.
pub(super) fn is_id(zone: &str) -> bool {
    !zone.is_empty() && zone.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// The record sets of one name and type, in AWS's order.
pub(crate) async fn record_sets(
    aws: &Aws,
    zone_id: &str,
    name: &str,
    rr_type: &RrType,
) -> Result<Vec<ResourceRecordSet>, Fault> {
    let mut found = Vec::new();
    let mut from = (name.to_owned(), rr_type.clone(), None);
    loop {
        let page = aws
            .route53()
            .list_resource_record_sets()
            .hosted_zone_id(zone_id)
            .start_record_name(&from.0)
            .start_record_type(from.1.clone())
            .set_start_record_identifier(from.2.clone())
            .send()
            .await
            .map_err(|e| Fault::read(LIST_RECORDS, name, e))?;
        let listed = page.resource_record_sets.len();
        let ours: Vec<ResourceRecordSet> = page
            .resource_record_sets
            .into_iter()
            .filter(|set| same_name(&set.name, name) && set.r#type == *rr_type)
            .collect();
        // The list is sorted by name and type: a page that ends with others has shown all of ours.
        let more = page.is_truncated && ours.len() == listed;
        found.extend(ours);
        match (page.next_record_name, page.next_record_type) {
            (Some(name), Some(rr_type)) if more => from = (name, rr_type, page.next_record_identifier),
            _ => return Ok(found),
        }
    }
}

/// Whether a change has reached every name server.
pub(crate) async fn in_sync(aws: &Aws, change: &str) -> Result<bool, Fault> {
    let answer =
        aws.route53().get_change().id(change).send().await.map_err(|e| Fault::read(GET_CHANGE, change, e))?;
    Ok(answer.change_info.is_some_and(|info| info.status == ChangeStatus::Insync))
}

/// Whether two names are the same in DNS: case and the final dot do not count, and Route 53
/// writes `*` as `\052`.
pub(crate) fn same_name(one: &str, other: &str) -> bool {
    plain_name(one) == plain_name(other)
}

fn plain_name(name: &str) -> String {
    name.trim_end_matches('.').replace("\\052", "*").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_dns_does() {
        assert!(same_name("www.Example.com.", "www.example.com"));
        assert!(same_name("\\052.example.com.", "*.example.com"));
        assert!(!same_name("www.example.com", "ww.example.com"));
    }

    #[test]
    fn a_zone_id_is_told_from_a_zone_name() {
        assert!(is_id("Z0123456789ABCDEF"));
        for name in ["lab.test", "example.com.", "test", ""] {
            assert!(!is_id(name), "{name}");
        }
    }
}
