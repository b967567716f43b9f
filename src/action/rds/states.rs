//! The states of DB instances: looked at, told apart, waited for, brought back.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_rds::types::{DbInstance, SourceType};

use super::{START, STOP};
use crate::action::undo::Restored;
use crate::action::{Applied, Before, Effect, Message, Sight, Watch, sighted};
use crate::aws::find::{Found, Resource};
use crate::aws::{Aws, Fault, Look, Purpose, Wait, rds};

/// Starting a large DB instance takes its time.
pub(in crate::action) const SETTLED: Duration = Duration::from_secs(45 * 60);

/// The statuses in which a DB instance serves, by AWS's table of them. What is not here is on its
/// way, or broken.
pub(super) const UP: &[&str] = &[
    "available",
    "backing-up",
    "configuring-associated-roles",
    "configuring-enhanced-monitoring",
    "configuring-iam-database-auth",
    "configuring-log-exports",
    "storage-config-upgrade",
    "storage-initialization",
    "storage-optimization",
];

/// What a status means to one who wants a DB instance to be `to` (`available` or `stopped`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is as wanted.
    There,
    /// It takes the order that brings it there.
    Ready,
    /// It takes no order now.
    Wait,
}

fn standing(status: &str, to: &str) -> Standing {
    match (to, status) {
        ("available", up) if UP.contains(&up) => Standing::There,
        ("available", "stopped") | ("stopped", "available") => Standing::Ready,
        (to, status) if to == status => Standing::There,
        _ => Standing::Wait,
    }
}

/// Brings DB instances back to a status (`available` or `stopped`); what is there is left alone.
pub(in crate::action) async fn restore(
    aws: &Aws,
    step: &str,
    ids: &[String],
    to: &str,
) -> Result<Restored, Fault> {
    let (mut done, mut ordered) = (Vec::new(), 0);
    for id in ids {
        let wait = Wait {
            operation: rds::DESCRIBE_DB_INSTANCES,
            resource: id,
            what: "the DB instance to settle",
            within: SETTLED,
        };
        let settled = wait
            .until(aws, || async {
                let status = rds::status(&rds::instance(aws, id).await?).to_owned();
                Ok(match standing(&status, to) {
                    Standing::Wait => Look::NotYet(status),
                    settled => Look::There(settled),
                })
            })
            .await?;
        if settled == Standing::There {
            done.push(format!("{id} already {to}"));
            continue;
        }
        ordered += 1;
        if to == "available" {
            aws.mutate(Purpose::Undo, step, START, id, |clients| {
                clients.rds.start_db_instance().db_instance_identifier(id).send()
            })
            .await?;
        } else {
            aws.mutate(Purpose::Undo, step, STOP, id, |clients| {
                clients.rds.stop_db_instance().db_instance_identifier(id).send()
            })
            .await?;
        }
        done.push(format!("{id} {to} again"));
    }
    settle(aws, ids, to, SETTLED).await?;
    Ok(Restored { told: done.join("; "), acted: ordered > 0, already: ordered < ids.len() })
}

pub(super) async fn look(aws: &Aws, found: &Found) -> Result<Vec<DbInstance>, Fault> {
    let mut instances = Vec::new();
    for id in found.ids() {
        instances.push(rds::instance(aws, &id).await?);
    }
    Ok(instances)
}

pub(super) fn id_of(instance: &DbInstance) -> &str {
    instance.db_instance_identifier().unwrap_or_default()
}

pub(super) fn source_of(instance: &DbInstance) -> Option<&str> {
    instance
        .read_replica_source_db_instance_identifier()
        .or(instance.read_replica_source_db_cluster_identifier())
        .filter(|source| !source.is_empty())
}

pub(super) async fn before(aws: &Aws, found: &Found) -> Result<Before, Fault> {
    let mut before = Before::default();
    for instance in look(aws, found).await? {
        let source = source_of(&instance).map(|source| ("replica_of".to_owned(), source.to_owned()));
        before.messages.extend(messages(aws, id_of(&instance)).await);
        before.resources.push(Resource {
            id: id_of(&instance).to_owned(),
            zone: instance.availability_zone.clone(),
            state: rds::status(&instance).to_owned(),
            facts: source.into_iter().collect(),
        });
    }
    Ok(before)
}

/// The events of a DB instance. They only add to the evidence: without the right to read them, or
/// where the endpoint has none, the instance's own state has to do.
pub(super) async fn messages(aws: &Aws, id: &str) -> BTreeSet<Message> {
    match rds::messages(aws, SourceType::DbInstance, id).await {
        Ok(messages) => messages,
        Err(fault) => {
            aws.note(format!("doing without the events of {id}: {fault}"));
            BTreeSet::new()
        }
    }
}

pub(super) fn in_any(before: &Before, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    before.resources.iter().filter(|r| wanted(&r.state)).map(|r| r.id.clone()).collect()
}

pub(super) fn writer_before<'b>(before: &'b Before, id: &str) -> &'b str {
    before.resource(id).and_then(|r| r.facts.get("writer")).map_or("nobody", String::as_str)
}

pub(super) fn accepted(what: &str, found: &Found) -> Applied {
    Applied { detail: format!("RDS accepted the {what} of {}", found.names()), handle: None }
}

/// What an operation shows itself by. Anything else that happens to a DB instance, such as a backup
/// that begins, is no evidence of it.
pub(super) struct Signs {
    /// Whether it moves the primary to another zone.
    pub(super) moved: bool,
    /// The statuses that it brings about.
    pub(super) statuses: &'static [&'static str],
    /// What one of its events has in it.
    pub(super) words: &'static [&'static str],
}

/// Waits until every DB instance shows one of the signs, which it did not show before: another
/// zone, no source any more, a status, or an event.
pub(super) async fn stirred(
    aws: &Aws,
    found: &Found,
    before: &Before,
    signs: &Signs,
    watch: Watch,
) -> Result<Effect, Fault> {
    let ids = found.ids();
    let names = found.names();
    let wait = Wait {
        operation: rds::DESCRIBE_DB_INSTANCES,
        resource: &names,
        what: "RDS to show that it took hold",
        within: watch.within,
    };
    sighted(aws, wait, watch, || async {
        let mut stirred = 0;
        let mut how = Vec::new();
        for id in &ids {
            let instance = rds::instance(aws, id).await?;
            let mut sign = before.resource(id).and_then(|was| difference(was, &instance, signs));
            if sign.is_none() {
                sign = news(&before.messages, &messages(aws, id).await, signs.words);
            }
            stirred += usize::from(sign.is_some());
            let sign = sign.unwrap_or_else(|| {
                format!("still {} in {}", rds::status(&instance), instance.availability_zone().unwrap_or("?"))
            });
            how.push(format!("{id}: {sign}"));
        }
        Ok(Sight { some: stirred > 0, all: stirred == ids.len(), how: how.join("; ") })
    })
    .await
}

/// What is different about a DB instance, the most telling thing first.
pub(super) fn difference(was: &Resource, is: &DbInstance, signs: &Signs) -> Option<String> {
    if let (Some(old), Some(new)) = (was.zone.as_deref(), is.availability_zone())
        && old != new
        && signs.moved
    {
        return Some(format!("primary moved from {old} to {new}"));
    }
    if let (Some(source), None) = (was.facts.get("replica_of"), source_of(is)) {
        return Some(format!("no longer a replica of {source}"));
    }
    let status = rds::status(is);
    was.turned(status, signs.statuses).then(|| format!("status went from {} to {status}", was.state))
}

/// A message that was not there before and has one of `words` in it.
pub(super) fn news(before: &BTreeSet<Message>, now: &BTreeSet<Message>, words: &[&str]) -> Option<String> {
    now.difference(before)
        .find(|(_, text)| {
            let text = text.to_lowercase();
            words.iter().any(|word| text.contains(word))
        })
        .map(|(date, text)| format!("event `{text}` of {date}"))
}

/// Waits until every DB instance is `available` (or up and at work on itself), or `stopped`.
pub(super) async fn settle(aws: &Aws, ids: &[String], status: &str, within: Duration) -> Result<(), Fault> {
    for id in ids {
        let what = format!("the DB instance to be {status}");
        let wait = Wait { operation: rds::DESCRIBE_DB_INSTANCES, resource: id, what: &what, within };
        wait.until(aws, || async {
            let instance = rds::instance(aws, id).await?;
            let now = rds::status(&instance);
            Ok(if standing(now, status) == Standing::There {
                Look::There(())
            } else {
                Look::NotYet(now.to_owned())
            })
        })
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::action::rds::{FAILED_OVER, PROMOTED, REBOOTED};

    fn orders() -> Resource {
        Resource {
            id: "orders-db".to_owned(),
            zone: Some("eu-west-1a".to_owned()),
            state: "available".to_owned(),
            facts: BTreeMap::new(),
        }
    }

    fn now(status: &str, zone: &str) -> DbInstance {
        DbInstance::builder().db_instance_status(status).availability_zone(zone).build()
    }

    #[test]
    fn a_failover_is_told_by_the_zone_before_the_status() {
        assert_eq!(
            difference(&orders(), &now("rebooting", "eu-west-1b"), &FAILED_OVER).as_deref(),
            Some("primary moved from eu-west-1a to eu-west-1b")
        );
        assert_eq!(
            difference(&orders(), &now("rebooting", "eu-west-1a"), &FAILED_OVER).as_deref(),
            Some("status went from available to rebooting")
        );
        assert_eq!(difference(&orders(), &now("available", "eu-west-1a"), &FAILED_OVER), None);
    }

    #[test]
    fn what_an_operation_does_not_cause_is_no_evidence_of_it() {
        for status in ["backing-up", "storage-optimization", "modifying"] {
            assert_eq!(difference(&orders(), &now(status, "eu-west-1a"), &FAILED_OVER), None, "{status}");
            assert_eq!(difference(&orders(), &now(status, "eu-west-1a"), &REBOOTED), None, "{status}");
        }
        let rebooting = Resource { state: "rebooting".to_owned(), ..orders() };
        assert_eq!(difference(&rebooting, &now("rebooting", "eu-west-1a"), &REBOOTED), None);
    }

    #[test]
    fn a_database_is_ordered_about_only_when_it_can_take_it() {
        use Standing::{Ready, There, Wait};
        for (status, started, stopped) in [
            ("available", There, Ready),
            ("backing-up", There, Wait),
            ("configuring-enhanced-monitoring", There, Wait),
            ("storage-optimization", There, Wait),
            ("stopped", Ready, There),
            ("stopping", Wait, Wait),
            ("starting", Wait, Wait),
            ("failed", Wait, Wait),
        ] {
            assert_eq!(standing(status, "available"), started, "start, {status}");
            assert_eq!(standing(status, "stopped"), stopped, "stop, {status}");
        }
    }

    #[test]
    fn a_replica_without_its_source_was_promoted() {
        let mut replica = orders();
        replica.facts.insert("replica_of".to_owned(), "orders-db".to_owned());
        assert_eq!(
            difference(&replica, &now("available", "eu-west-1a"), &PROMOTED).as_deref(),
            Some("no longer a replica of orders-db")
        );
    }

    #[test]
    fn only_new_messages_about_the_matter_are_news() {
        let message = |date: &str, text: &str| (date.to_owned(), text.to_owned());
        let before = BTreeSet::from([message("10:00", "Multi-AZ instance failover started")]);
        let mut now = before.clone();
        assert_eq!(news(&before, &now, &["failover"]), None);
        now.insert(message("10:05", "Finished DB instance backup"));
        assert_eq!(news(&before, &now, &["failover"]), None);
        now.insert(message("10:06", "Multi-AZ instance failover started"));
        assert_eq!(
            news(&before, &now, &["failover"]).as_deref(),
            Some("event `Multi-AZ instance failover started` of 10:06")
        );
    }
}
