//! Actions on Route 53 records.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, RrType};
use indexmap::IndexMap;

use self::record_set::RecordSet;
use super::undo::Restored;
use super::{Act, Applied, Before, Effect, Prepared, Sight, Undo, Watch, precondition, sighted};
use crate::aws::find::{Found, Target, rr_type};
use crate::aws::{Aws, Fault, FaultKind, Look, Purpose, Wait, route53};
use crate::notation::code::Code;
use crate::notation::decode::{Problem, Spanned};
use crate::notation::yaml::Span;
use crate::record;
use crate::run::event::Precondition;

pub mod record_set;

record! {
    /// Moves a record's traffic elsewhere: to other values, to other weights, or from the PRIMARY of a
    /// failover pair to its SECONDARY. Undone by restoring the exact record sets. Exactly one of
    /// `values`, `weights` and `swap_failover` is needed. Clients follow when the TTL that they saw
    /// has passed.
    pub struct FlipRecord {
        /// The name of a `route53.record` target.
        pub target: Spanned<String>,
        /// The values that replace the record's present ones.
        pub values: Option<Vec<String>>,
        /// The new weight, from 0 to 255, of each named record set (its `SetIdentifier`).
        pub weights: Option<IndexMap<String, u8>>,
        /// Makes the SECONDARY of a failover pair the PRIMARY, and the other way round.
        pub swap_failover: Option<bool>,
        /// The TTL in seconds of the changed record sets; unchanged when left out.
        pub ttl: Option<u32>,
    }
}

impl FlipRecord {
    pub(super) fn lint(&self, place: Span) -> Vec<Problem> {
        let mut problems = Vec::new();
        let given = [self.values.is_some(), self.weights.is_some(), self.swap_failover == Some(true)];
        match given.iter().filter(|given| **given).count() {
            1 => {}
            0 => problems.push(
                Problem::new(Code::FlipToNowhere, place, "the record is to be flipped, but not to what")
                    .label("`values`, `weights` or `swap_failover: true` is needed here"),
            ),
            _ => problems.push(
                Problem::new(
                    Code::FlipTwoWays,
                    place,
                    "more than one of `values`, `weights` and `swap_failover` is given",
                )
                .label("exactly one is needed")
                .help("use one step for each"),
            ),
        }
        if self.values.as_ref().is_some_and(Vec::is_empty) {
            problems.push(
                Problem::new(Code::EmptyList, place, "`values` is empty")
                    .label("a record needs at least one value"),
            );
        }
        if self.weights.as_ref().is_some_and(IndexMap::is_empty) {
            problems.push(
                Problem::new(Code::EmptyList, place, "`weights` is empty")
                    .label("a SetIdentifier and its weight are needed"),
            );
        }
        problems
    }
}

const CHANGE: &str = "route53:ChangeResourceRecordSets";

/// Route 53 usually needs a minute at most.
pub(super) const SETTLED: Duration = Duration::from_secs(10 * 60);

#[async_trait]
impl Act for FlipRecord {
    fn permissions(&self) -> &'static [&'static str] {
        &[route53::LIST_ZONES, route53::LIST_RECORDS, route53::LIST_TAGS, route53::GET_CHANGE, CHANGE]
    }

    fn summary(&self, found: &Found) -> String {
        let to = if let Some(values) = &self.values {
            values.join(", ")
        } else if let Some(weights) = &self.weights {
            let weights: Vec<String> = weights.iter().map(|(id, weight)| format!("{id}={weight}")).collect();
            format!("weights {}", weights.join(", "))
        } else {
            "its SECONDARY".to_owned()
        };
        let what = match &found.target {
            Target::Route53Record(t) => format!("{} {}", t.name, t.r#type.word()),
            _ => found.names(),
        };
        format!("point {what} to {to}")
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let sets = chosen(aws, found).await?;
        let mut facts: Vec<Precondition> = sets
            .iter()
            .map(|set| precondition(format!("{} exists", set.entry()), true, set.content()))
            .collect();
        for set in sets.iter().filter(|set| set.traffic_policy_instance_id.is_some()) {
            let found = "a traffic policy made it: change the policy, not the record set";
            facts.push(precondition(format!("{} stands for itself", set.entry()), false, found));
        }
        let what = "the record can be flipped";
        facts.push(match self.flipped(&sets) {
            Err(why) => precondition(what, false, why),
            Ok(changed) if changed.is_empty() => {
                precondition(what, false, "it already is as asked: nothing would change")
            }
            Ok(changed) => {
                let changes: Vec<String> = changed.iter().map(RecordSet::describe).collect();
                precondition(what, true, format!("to {}", changes.join("; ")))
            }
        });
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let record_sets = chosen(aws, found).await?;
        let undo = Undo::RecordSets { zone_id: found.scope().to_owned(), record_sets: record_sets.clone() };
        Ok(Prepared { undo: Some(undo), before: Before { record_sets, ..Before::default() } })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, before: &Before) -> Result<Applied, Fault> {
        let names = found.names();
        let changed = self.flipped(&before.record_sets).map_err(|why| unfit(&names, why))?;
        if changed.is_empty() {
            return Err(unfit(&names, "it already is as asked: nothing would change".to_owned()));
        }
        let handle = upsert(aws, Purpose::Act, step, found.scope(), &changed).await?;
        Ok(Applied { detail: format!("Route 53 accepted change {handle}"), handle: Some(handle) })
    }

    /// Some name servers may answer anew as soon as the change is accepted, and all do once it is
    /// INSYNC: the bracket spans both.
    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        applied: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        let names = found.names();
        let wanted = self.flipped(&before.record_sets).map_err(|why| unfit(&names, why))?;
        let wait = Wait {
            operation: route53::LIST_RECORDS,
            resource: &names,
            what: "the record to be changed and INSYNC",
            within: watch.within,
        };
        sighted(aws, wait, watch, || async {
            let now = chosen(aws, found).await?;
            let there = wanted.iter().filter(|set| now.iter().any(|is| is.same(set))).count();
            let listed = there == wanted.len() && there > 0;
            let synced = match &applied.handle {
                Some(change) if listed => route53::in_sync(aws, change).await?,
                _ => listed,
            };
            let sync = if synced { "INSYNC" } else { "PENDING" };
            Ok(Sight { some: there > 0, all: listed && synced, how: told(&before.record_sets, &now, sync) })
        })
        .await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        applied: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        match &applied.handle {
            Some(change) => synced(aws, &found.names(), change, within).await,
            None => Ok(()),
        }
    }
}

impl FlipRecord {
    /// The record sets that change, as they will be; an error says why the flip does not fit them.
    fn flipped(&self, sets: &[RecordSet]) -> Result<Vec<RecordSet>, String> {
        let mut flipped = if let Some(values) = &self.values {
            vec![self.to_values(sets, values)?]
        } else if let Some(weights) = &self.weights {
            to_weights(sets, weights)?
        } else {
            swapped(sets)?
        };
        if let Some(ttl) = self.ttl {
            flipped
                .iter_mut()
                .filter(|set| set.alias.is_none())
                .for_each(|set| set.ttl = Some(i64::from(ttl)));
        }
        flipped.retain(|new| !sets.iter().any(|old| old.same(new)));
        Ok(flipped)
    }

    fn to_values(&self, sets: &[RecordSet], values: &[String]) -> Result<RecordSet, String> {
        let [set] = sets else {
            let names: Vec<&str> = sets.iter().filter_map(|set| set.set_identifier.as_deref()).collect();
            return Err(format!(
                "{} record sets share the name ({}): say which with `set_identifier` of the target",
                sets.len(),
                names.join(", ")
            ));
        };
        let Some(ttl) = self.ttl.map(i64::from).or(set.ttl) else {
            return Err(
                "it is an alias, which has no TTL: give `ttl` for the values that replace it".to_owned()
            );
        };
        Ok(RecordSet { values: values.to_vec(), ttl: Some(ttl), alias: None, ..set.clone() })
    }
}

fn to_weights(sets: &[RecordSet], weights: &IndexMap<String, u8>) -> Result<Vec<RecordSet>, String> {
    weights
        .iter()
        .map(|(identifier, weight)| {
            let set = sets.iter().find(|set| set.set_identifier.as_ref() == Some(identifier));
            let Some(set) = set else {
                let known: Vec<&str> = sets.iter().filter_map(|set| set.set_identifier.as_deref()).collect();
                return Err(format!(
                    "there is no record set `{identifier}`; there are: {}",
                    known.join(", ")
                ));
            };
            if set.weight.is_none() {
                return Err(format!("record set `{identifier}` is not under weighted routing"));
            }
            Ok(RecordSet { weight: Some(i64::from(*weight)), ..set.clone() })
        })
        .collect()
}

/// The two of a failover pair with their contents exchanged. The contents move, not the roles: a
/// batch that exchanged the roles would pass through a state with two of one role.
fn swapped(sets: &[RecordSet]) -> Result<Vec<RecordSet>, String> {
    let of = |role: &str| -> Vec<&RecordSet> {
        sets.iter().filter(|set| set.failover.as_deref() == Some(role)).collect()
    };
    let (primary, secondary) = match (of("PRIMARY").as_slice(), of("SECONDARY").as_slice()) {
        ([primary], [secondary]) => (*primary, *secondary),
        (primaries, secondaries) => {
            return Err(format!(
                "a failover pair has one PRIMARY and one SECONDARY; here are {} and {}",
                primaries.len(),
                secondaries.len()
            ));
        }
    };
    let with_content = |role: &RecordSet, content: &RecordSet| RecordSet {
        ttl: content.ttl,
        values: content.values.clone(),
        alias: content.alias.clone(),
        health_check_id: content.health_check_id.clone(),
        ..role.clone()
    };
    Ok(vec![with_content(primary, secondary), with_content(secondary, primary)])
}

/// Puts record sets back as they were; those that are so already are left alone.
pub(super) async fn restore(
    aws: &Aws,
    step: &str,
    zone_id: &str,
    record_sets: &[RecordSet],
) -> Result<Restored, Fault> {
    let differing = differing(aws, zone_id, record_sets).await?;
    let names: Vec<String> = record_sets.iter().map(RecordSet::describe).collect();
    if differing.is_empty() {
        let told = format!("already as it was: {}", names.join("; "));
        return Ok(Restored { told, acted: false, already: true });
    }
    let change = upsert(aws, Purpose::Undo, step, zone_id, &differing).await?;
    synced(aws, &names.join("; "), &change, SETTLED).await?;
    let still = self::differing(aws, zone_id, record_sets).await?;
    if let Some(set) = still.first() {
        return Err(Fault::new(
            FaultKind::Unclear,
            route53::LIST_RECORDS,
            &set.entry(),
            format!("restored, and yet it does not read {}", set.content()),
            "somebody else may be changing it: look at the record in the console",
        ));
    }
    let told = format!("restored {}", names.join("; "));
    Ok(Restored { told, acted: true, already: differing.len() < record_sets.len() })
}

/// Those of `record_sets` that the zone does not hold as they are here.
async fn differing(aws: &Aws, zone_id: &str, record_sets: &[RecordSet]) -> Result<Vec<RecordSet>, Fault> {
    let mut differing = Vec::new();
    for set in record_sets {
        let rr_type = RrType::from(set.r#type.as_str());
        let now = route53::record_sets(aws, zone_id, &set.name, &rr_type).await?;
        let same = now.iter().map(RecordSet::of).any(|is| is.same_entry(set) && is.same(set));
        if !same {
            differing.push(set.clone());
        }
    }
    Ok(differing)
}

/// The record sets that the target chose, as they are now.
async fn chosen(aws: &Aws, found: &Found) -> Result<Vec<RecordSet>, Fault> {
    let Target::Route53Record(target) = &found.target else {
        return Err(unfit(&found.names(), "the target is no `route53.record`".to_owned()));
    };
    let sets = route53::record_sets(aws, found.scope(), &target.name, &rr_type(target.r#type)).await?;
    Ok(sets
        .iter()
        .filter(|set| target.set_identifier.is_none() || set.set_identifier == target.set_identifier)
        .map(RecordSet::of)
        .collect())
}

/// Writes record sets in one batch, which Route 53 carries out whole or not at all. Returns the change's id.
async fn upsert(
    aws: &Aws,
    purpose: Purpose,
    step: &str,
    zone_id: &str,
    sets: &[RecordSet],
) -> Result<String, Fault> {
    let names: Vec<String> = sets.iter().map(RecordSet::entry).collect();
    let names = names.join(", ");
    let mut batch = ChangeBatch::builder().comment(format!("firedrill: {step}"));
    for set in sets {
        let set = set.build().map_err(|e| unfit(&names, e.to_string()))?;
        let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(set).build();
        batch = batch.changes(change.map_err(|e| unfit(&names, e.to_string()))?);
    }
    let batch = batch.build().map_err(|e| unfit(&names, e.to_string()))?;
    let answer = aws
        .mutate(purpose, step, CHANGE, &names, |clients| {
            clients
                .route53
                .change_resource_record_sets()
                .hosted_zone_id(zone_id)
                .change_batch(batch.clone())
                .send()
        })
        .await?;
    let id = answer.change_info.map(|info| info.id).unwrap_or_default();
    Ok(id.trim_start_matches("/change/").to_owned())
}

async fn synced(aws: &Aws, names: &str, change: &str, within: Duration) -> Result<(), Fault> {
    let what = "the change to reach every name server";
    let wait = Wait { operation: route53::GET_CHANGE, resource: names, what, within };
    wait.until(aws, || async {
        let synced = route53::in_sync(aws, change).await?;
        Ok(if synced { Look::There(()) } else { Look::NotYet("PENDING".to_owned()) })
    })
    .await
}

fn unfit(names: &str, why: String) -> Fault {
    Fault::new(FaultKind::Refused, CHANGE, names, why, "change the step's arguments or its target")
}

/// What became of each record set.
fn told(before: &[RecordSet], now: &[RecordSet], sync: &str) -> String {
    let lines: Vec<String> = now
        .iter()
        .map(|is| match before.iter().find(|was| was.same_entry(is)) {
            Some(was) if !was.same(is) => {
                format!("{}: {} became {}", is.entry(), was.content(), is.content())
            }
            _ => format!("{}: {}", is.entry(), is.content()),
        })
        .collect();
    format!("{} ({sync})", lines.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::yaml::Span;

    fn flip(values: &[&str]) -> FlipRecord {
        FlipRecord {
            target: Spanned { value: "www".to_owned(), span: Span::default() },
            values: (!values.is_empty()).then(|| values.iter().map(|v| (*v).to_owned()).collect()),
            weights: None,
            swap_failover: None,
            ttl: None,
        }
    }

    fn set(identifier: Option<&str>, value: &str) -> RecordSet {
        RecordSet {
            name: "www.example.com.".to_owned(),
            r#type: "A".to_owned(),
            set_identifier: identifier.map(str::to_owned),
            ttl: Some(60),
            values: vec![value.to_owned()],
            ..RecordSet::default()
        }
    }

    #[test]
    fn values_replace_and_keep_the_ttl() {
        let flipped = flip(&["192.0.2.2"]).flipped(&[set(None, "192.0.2.1")]).expect("it fits");
        assert_eq!(flipped, [set(None, "192.0.2.2")]);
        assert_eq!(flip(&["192.0.2.1"]).flipped(&[set(None, "192.0.2.1")]), Ok(vec![]));
    }

    #[test]
    fn values_need_one_record_set() {
        let sets = [set(Some("one"), "192.0.2.1"), set(Some("two"), "192.0.2.2")];
        let why = flip(&["192.0.2.3"]).flipped(&sets).expect_err("two share the name");
        assert!(why.contains("one, two"), "{why}");
    }

    #[test]
    fn weights_change_only_the_named_sets() {
        let weighted = |id, weight| RecordSet { weight: Some(weight), ..set(Some(id), "192.0.2.1") };
        let sets = [weighted("a", 100), weighted("b", 0), weighted("c", 5)];
        let weights = IndexMap::from([("a".to_owned(), 0), ("b".to_owned(), 100), ("c".to_owned(), 5)]);
        let flip = FlipRecord { weights: Some(weights), ..flip(&[]) };
        assert_eq!(flip.flipped(&sets), Ok(vec![weighted("a", 0), weighted("b", 100)]));
        let unknown = FlipRecord { weights: Some(IndexMap::from([("d".to_owned(), 1)])), ..flip };
        assert!(unknown.flipped(&sets).expect_err("there is no d").contains("a, b, c"));
    }

    #[test]
    fn a_failover_pair_swaps_contents_with_their_health_checks() {
        let role = |id: &str, role: &str, value: &str, check: &str| RecordSet {
            failover: Some(role.to_owned()),
            health_check_id: Some(check.to_owned()),
            ..set(Some(id), value)
        };
        let sets =
            [role("p", "PRIMARY", "192.0.2.1", "check-1"), role("s", "SECONDARY", "192.0.2.2", "check-2")];
        let swap = FlipRecord { swap_failover: Some(true), ..flip(&[]) };
        assert_eq!(
            swap.flipped(&sets),
            Ok(vec![
                role("p", "PRIMARY", "192.0.2.2", "check-2"),
                role("s", "SECONDARY", "192.0.2.1", "check-1")
            ])
        );
        assert!(swap.flipped(&sets[..1]).is_err());
    }

    #[test]
    fn exactly_one_way_of_flipping_is_asked_for() {
        let messages = |flip: &FlipRecord| -> Vec<String> {
            flip.lint(Span::default()).into_iter().map(|problem| problem.message).collect()
        };
        assert_eq!(messages(&flip(&["192.0.2.1"])), Vec::<String>::new());
        assert_eq!(messages(&flip(&[])), ["the record is to be flipped, but not to what"]);
        let both = FlipRecord { swap_failover: Some(true), ..flip(&["192.0.2.1"]) };
        assert_eq!(messages(&both).len(), 1);
    }
}
