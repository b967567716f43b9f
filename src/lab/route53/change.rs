//! Change batches: all of their changes are valid, or none is made.

use std::net::Ipv4Addr;

use super::shape;
use crate::lab::wire::{Element, Fault};
use crate::lab::world::DOMAIN;
use crate::lab::zone::{Change, RecordSet, within};

/// The changes of a batch, when all of them can be made to these record sets, one after the other.
pub(super) fn validate(sets: &[RecordSet], batch: &Element) -> Result<Vec<Change>, Fault> {
    let mut after: Vec<RecordSet> = sets.to_vec();
    let mut changes = Vec::new();
    let mut wrong = Vec::new();
    for change in batch.child("Changes").into_iter().flat_map(|changes| changes.all("Change")) {
        match one(&mut after, change)? {
            Ok(change) => changes.push(change),
            Err(message) => wrong.push(message),
        }
    }
    if !wrong.is_empty() {
        return Err(Fault::new(400, "InvalidChangeBatch", format!("[{}]", wrong.join(", "))));
    }
    if changes.is_empty() {
        return Err(Fault::new(400, "InvalidInput", "expected at least one Change"));
    }
    Ok(changes)
}

/// A change, made to `sets`. The outer error is a malformed call, the inner one an invalid change.
fn one(sets: &mut Vec<RecordSet>, change: &Element) -> Result<Result<Change, String>, Fault> {
    let malformed = |message: String| Fault::new(400, "InvalidInput", message);
    let element = change.child("ResourceRecordSet");
    let element = element.ok_or_else(|| malformed("a Change needs a ResourceRecordSet".to_owned()))?;
    let set = shape::read(element).map_err(malformed)?;
    let action = change.text_of("Action").unwrap_or_default();
    let existing = sets.iter().position(|other| other.same_key(&set));
    let put = |sets: &mut Vec<RecordSet>, set: RecordSet| {
        check(sets, &set)?;
        sets.retain(|other| !other.same_key(&set));
        sets.push(set.clone());
        Ok(Change::Put(set))
    };
    let said = match (action, existing) {
        ("UPSERT", _) | ("CREATE", None) => put(sets, set),
        ("CREATE", Some(_)) => {
            Err(format!("Tried to create resource record set {} but it already exists", key(&set)))
        }
        ("DELETE", None) => {
            Err(format!("Tried to delete resource record set {} but it was not found", key(&set)))
        }
        ("DELETE", Some(index)) if sets[index] != set => Err(format!(
            "Tried to delete resource record set {} but the values provided do not match the current values",
            key(&set)
        )),
        ("DELETE", Some(_)) if is_apex(&set) => {
            Err(format!("A HostedZone must contain at least one {} record for the zone itself.", set.kind))
        }
        ("DELETE", Some(index)) => Ok(Change::Delete(sets.remove(index))),
        (other, _) => return Err(malformed(format!("the Action {other} is not CREATE, UPSERT or DELETE"))),
    };
    Ok(said)
}

fn key(set: &RecordSet) -> String {
    let identifier = set.set_identifier.as_ref();
    let identifier =
        identifier.map_or(String::new(), |identifier| format!(", set identifier='{identifier}'"));
    format!("[name='{}', type='{}'{identifier}]", set.name, set.kind)
}

fn is_apex(set: &RecordSet) -> bool {
    within(DOMAIN, &set.name) && matches!(set.kind.as_str(), "NS" | "SOA")
}

/// Whether a record set may stand beside the others.
fn check(sets: &[RecordSet], set: &RecordSet) -> Result<(), String> {
    if !within(&set.name, DOMAIN) {
        return Err(format!("RRSet with DNS name {} is not permitted in zone {DOMAIN}.", set.name));
    }
    for value in &set.values {
        if set.kind == "A" && value.parse::<Ipv4Addr>().is_err() {
            return Err(format!(
                "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 \
                 address) encountered with '{value}''"
            ));
        }
    }
    if set.kind == "CNAME" && set.values.len() > 1 {
        return Err(format!("RRSet of type CNAME with DNS name {} may have one value only", set.name));
    }
    let routed = set.weight.is_some() || set.failover.is_some();
    if routed != set.set_identifier.is_some() {
        return Err(format!(
            "Invalid request: Missing field 'SetIdentifier', or none of 'Weight' and 'Failover', in {}",
            key(set)
        ));
    }
    let others = sets.iter().filter(|other| other.name == set.name && !other.same_key(set));
    for other in others {
        if (other.kind == "CNAME") != (set.kind == "CNAME") {
            return Err(format!(
                "RRSet of type {} with DNS name {} is not permitted as it conflicts with other records with the \
                 same DNS name in zone {DOMAIN}.",
                set.kind, set.name
            ));
        }
        let alike = other.weight.is_some() == set.weight.is_some()
            && other.failover.is_some() == set.failover.is_some();
        if other.kind == set.kind && !alike {
            return Err(format!(
                "RRSet with DNS name {}, type {}, SetIdentifier {} cannot be created because a set of another \
                 routing policy exists with the same name and type",
                set.name,
                set.kind,
                set.set_identifier.as_deref().unwrap_or("(none)")
            ));
        }
        if other.kind == set.kind && set.failover.is_some() && other.failover == set.failover {
            return Err(format!(
                "Tried to create a second failover record set of the same role: {}",
                key(set)
            ));
        }
    }
    Ok(())
}
