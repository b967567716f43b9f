//! The operations of Route 53.

use axum::http::Method;

use super::{Hosted, Route53, Submitted, change, labels, order, shape};
use crate::lab::wire::{Answer, Call, Element, Fault, Params, Xml};
use crate::lab::world::DOMAIN;

/// The tags of the hosted zone.
const TAGS: [(&str, &str); 2] = [("app", "edge"), ("firedrill:opt-in", "true")];
/// How many items a page holds at most.
const LARGEST_PAGE: u64 = 300;

/// Which operation a method and a path are.
pub(super) fn operation(method: &Method, path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let ["2013-04-01", rest @ ..] = parts.as_slice() else { return None };
    match (method.as_str(), rest) {
        ("GET", ["hostedzone"]) => Some("ListHostedZones"),
        ("GET", ["hostedzonesbyname"]) => Some("ListHostedZonesByName"),
        ("GET", ["hostedzonecount"]) => Some("GetHostedZoneCount"),
        ("GET", ["hostedzone", _]) => Some("GetHostedZone"),
        ("GET", ["hostedzone", _, "rrset"]) => Some("ListResourceRecordSets"),
        ("POST", ["hostedzone", _, "rrset"]) => Some("ChangeResourceRecordSets"),
        ("GET", ["change", _]) => Some("GetChange"),
        ("GET", ["tags", _, _]) => Some("ListTagsForResource"),
        _ => None,
    }
}

/// Carries out an operation; nothing when the lab's Route 53 has none of this name.
pub(super) fn dispatch(route53: &Route53, call: &Call) -> Result<Option<Answer>, Fault> {
    let id = call.path.trim_matches('/').split('/').nth(2).unwrap_or_default();
    let (root, xml) = match call.operation.as_str() {
        "ListHostedZones" => ("ListHostedZonesResponse", list_zones(route53, &call.params)?),
        "ListHostedZonesByName" => {
            ("ListHostedZonesByNameResponse", list_zones_by_name(route53, &call.params)?)
        }
        "GetHostedZoneCount" => {
            let mut xml = Xml::new();
            xml.leaf("HostedZoneCount", 1);
            ("GetHostedZoneCountResponse", xml)
        }
        "GetHostedZone" => ("GetHostedZoneResponse", get_zone(route53, id)?),
        "ListResourceRecordSets" => ("ListResourceRecordSetsResponse", list_sets(route53, id, &call.params)?),
        "ChangeResourceRecordSets" => {
            ("ChangeResourceRecordSetsResponse", change_sets(route53, id, &call.body)?)
        }
        "ListTagsForResource" => ("ListTagsForResourceResponse", list_tags(route53, &call.path)?),
        "GetChange" => ("GetChangeResponse", get_change(route53, id)?),
        _ => return Ok(None),
    };
    Ok(Some(Answer::Document(200, root, xml)))
}

fn check_zone(route53: &Route53, id: &str) -> Result<(), Fault> {
    if id == route53.zone_id() {
        return Ok(());
    }
    Err(Fault::new(404, "NoSuchHostedZone", format!("No hosted zone found with ID: {id}")))
}

fn zone(route53: &Route53, hosted: &Hosted, xml: &mut Xml) {
    xml.leaf("Id", format!("/hostedzone/{}", route53.zone_id())).leaf("Name", format!("{DOMAIN}."));
    xml.leaf("CallerReference", "firedrill-lab");
    xml.node("Config", |xml| {
        xml.leaf("Comment", "the lab's zone").leaf("PrivateZone", false);
    });
    xml.leaf("ResourceRecordSetCount", hosted.sets.len());
}

fn max_items(params: &Params) -> Result<usize, Fault> {
    let asked = params.number("maxitems")?.unwrap_or(LARGEST_PAGE);
    if asked == 0 {
        return Err(Fault::new(400, "InvalidInput", "MaxItems must be at least 1"));
    }
    Ok(usize::try_from(asked.min(LARGEST_PAGE)).unwrap_or(usize::MAX))
}

fn list_zones(route53: &Route53, params: &Params) -> Result<Xml, Fault> {
    let size = max_items(params)?;
    let hosted = route53.hosted();
    let mut xml = Xml::new();
    xml.list("HostedZones", "HostedZone", [()], |xml, ()| zone(route53, &hosted, xml));
    xml.leaf_if("Marker", params.get("marker")).leaf("IsTruncated", false).leaf("MaxItems", size);
    Ok(xml)
}

fn list_zones_by_name(route53: &Route53, params: &Params) -> Result<Xml, Fault> {
    let size = max_items(params)?;
    let hosted = route53.hosted();
    // The list starts at the name; the zone is on it unless the name comes after it.
    let listed = params.get("dnsname").is_none_or(|name| labels(name) <= labels(DOMAIN));
    let mut xml = Xml::new();
    xml.list("HostedZones", "HostedZone", listed.then_some(()), |xml, ()| zone(route53, &hosted, xml));
    xml.leaf_if("DNSName", params.get("dnsname")).leaf_if("HostedZoneId", params.get("hostedzoneid"));
    xml.leaf("IsTruncated", false).leaf("MaxItems", size);
    Ok(xml)
}

fn get_zone(route53: &Route53, id: &str) -> Result<Xml, Fault> {
    check_zone(route53, id)?;
    let hosted = route53.hosted();
    let mut xml = Xml::new();
    xml.node("HostedZone", |xml| zone(route53, &hosted, xml));
    xml.node("DelegationSet", |xml| {
        xml.node("NameServers", |xml| {
            xml.leaf("NameServer", format!("ns.{DOMAIN}"));
        });
    });
    Ok(xml)
}

fn list_sets(route53: &Route53, id: &str, params: &Params) -> Result<Xml, Fault> {
    check_zone(route53, id)?;
    let size = max_items(params)?;
    if params.get("type").is_some() && params.get("name").is_none() {
        return Err(Fault::new(400, "InvalidInput", "a type needs a name"));
    }
    let hosted = route53.hosted();
    let before = |set: &&super::RecordSet| {
        let Some(name) = params.get("name") else { return false };
        let (name_order, kind, identifier) = order(set);
        let start = labels(name);
        let Some(start_kind) = params.get("type").filter(|_| name_order == start) else {
            return name_order < start;
        };
        let start_identifier = params.get("identifier").map(str::to_owned);
        (kind.as_str(), identifier) < (start_kind, start_identifier)
    };
    let mut rest = hosted.sets.iter().skip_while(before);
    let page: Vec<_> = rest.by_ref().take(size).collect();
    let next = rest.next();
    let mut xml = Xml::new();
    xml.list("ResourceRecordSets", "ResourceRecordSet", page, shape::record_set);
    xml.leaf("IsTruncated", next.is_some());
    if let Some(next) = next {
        xml.leaf("NextRecordName", &next.name).leaf("NextRecordType", &next.kind);
        xml.leaf_if("NextRecordIdentifier", next.set_identifier.as_ref());
    }
    xml.leaf("MaxItems", size);
    Ok(xml)
}

fn list_tags(route53: &Route53, path: &str) -> Result<Xml, Fault> {
    let mut parts = path.trim_matches('/').split('/').skip(2);
    let (kind, id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if kind != "hostedzone" {
        return Err(Fault::new(400, "InvalidInput", format!("the lab has no tags of a {kind}")));
    }
    check_zone(route53, id)?;
    let mut xml = Xml::new();
    xml.node("ResourceTagSet", |xml| {
        xml.leaf("ResourceType", kind).leaf("ResourceId", id);
        xml.list("Tags", "Tag", TAGS, |xml, (key, value)| {
            xml.leaf("Key", key).leaf("Value", value);
        });
    });
    Ok(xml)
}

fn change_sets(route53: &Route53, id: &str, body: &str) -> Result<Xml, Fault> {
    check_zone(route53, id)?;
    let input = Element::read(body)?;
    let batch = input.child("ChangeBatch");
    let batch = batch.ok_or_else(|| Fault::new(400, "InvalidInput", "expected a ChangeBatch"))?;
    let mut hosted = route53.hosted();
    let changes = change::validate(&hosted.sets, batch)?;
    let comment = batch.text_of("Comment").map(str::to_owned);
    let id = route53.submit(&mut hosted, changes, comment);
    Ok(info(&hosted, &id))
}

fn get_change(route53: &Route53, id: &str) -> Result<Xml, Fault> {
    let hosted = route53.hosted();
    if !hosted.submitted.contains_key(id) {
        let message = format!("A change with id '{id}' does not exist.");
        return Err(Fault::new(404, "NoSuchChange", message));
    }
    Ok(info(&hosted, id))
}

fn info(hosted: &Hosted, id: &str) -> Xml {
    let mut xml = Xml::new();
    if let Some(Submitted { at, synced, comment }) = hosted.submitted.get(id) {
        xml.node("ChangeInfo", |xml| {
            xml.leaf("Id", format!("/change/{id}"));
            xml.leaf("Status", if *synced { "INSYNC" } else { "PENDING" });
            xml.leaf("SubmittedAt", format!("{at:.3}")).leaf_if("Comment", comment.as_ref());
        });
    }
    xml
}
