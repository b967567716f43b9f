//! The cut-over from the old site to the new one: when each name server, resolver and kind of client
//! turned, and who answered which share when.
//!
//! A server's answer is what it was at some instant between the question's sending and the answer's
//! arrival. So a lane turned after the last old answer was asked for, and before the first new one had
//! arrived; with `F` the first and `A` the last of the authoritative servers to turn, whoever caches
//! may answer with the old values until `A` plus the old record's TTL. One resolver is one sample of
//! that remainder: it may be lucky.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Interval;
use crate::clock::Moment;
use crate::journal::Record;
use crate::run::event::{DnsRole, EventKind};
use crate::sample::{Class, Sample};
use crate::timeline::cutover::{Site, Sites, Turn, answers, asked};
use crate::timeline::{Timeline, Track};

/// The most buckets of a share over time.
const BUCKETS: f64 = 600.0;
/// The most identities that a share tells apart.
const APART: usize = 8;
/// The name of all the others.
const OTHERS: &str = "others";
/// A TTL from here on is not told more closely: see [`Cutover::ttl`].
const LONGEST_TTL: u16 = u16::MAX;

/// When names, resolvers and traffic went over to those who answered only after the fault. All instants
/// are seconds on the run's clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cutover {
    /// Everybody who answered, in the order of their first answer.
    pub identities: Vec<Identity>,
    /// How each lane turned.
    pub lanes: Vec<Lane>,
    /// When the first of the zone's own name servers answered anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authoritative_first: Option<Interval>,
    /// When all of them did; without `hi` when one was not seen to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authoritative_all: Option<Interval>,
    /// The longest that the old record might be cached, in seconds; absent when no answer said so, or
    /// when it was 18 hours or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<f64>,
    /// When nobody's cache held the old values any more: at the latest `authoritative_all` and the TTL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub everyone: Option<Interval>,
    /// When the new site first served a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_first: Option<Interval>,
    /// Who answered over time.
    pub shares: Vec<Share>,
}

/// Somebody who answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// The server's own words, its address, or a record's values.
    pub who: String,
    /// `old` for those who answered before the fault, else `new`.
    pub site: String,
    /// How many answers.
    pub answers: u64,
    /// When the first came.
    pub first: f64,
    /// When the last came.
    pub last: f64,
}

/// How one lane turned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// The probe's name in the file.
    pub probe: String,
    /// `authoritative`, `resolver`, `system`, or for traffic `fresh`, `kept`, `reconnect` or `client`.
    pub observer: String,
    /// When it got its first new answer; without `hi` when it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_new: Option<Interval>,
    /// When it got its last old answer; without `hi` when it still did at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_old: Option<Interval>,
    /// Whether nothing that it asked after its first new answer was answered by the old site.
    pub clean: bool,
    /// The least and the most seconds that its answers were to be cached for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<(u16, u16)>,
}

/// Who answered some lanes over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// The probe's name in the file.
    pub probe: String,
    /// As of its lanes: `authoritative`, `resolver`, `fresh`, …
    pub observer: String,
    /// Who answered: at most eight, and then `others`.
    pub who: Vec<String>,
    /// `old` or `new`, for each of them.
    pub sites: Vec<String>,
    /// The length of a bucket: a second, or more in a long run.
    pub width: f64,
    /// Answers from each of `who`, and last those from nobody, for each bucket from the run's start.
    pub answers: Vec<Vec<u64>>,
}

impl Cutover {
    /// Measures a run's cut-over; `None` without a fault, or when nobody new answered and no name server
    /// was watched.
    pub fn of(record: &Record, timeline: &Timeline) -> Option<Cutover> {
        let fault = timeline.fault.as_ref()?.sent;
        let until = timeline.watched_until;
        let sites = Sites::of(timeline, fault);
        let names = names(record);
        let mut lanes = Vec::new();
        for track in &timeline.tracks {
            if answers(track, until).next().is_some() {
                lanes.push(lane(track, &Turn::of(track, &sites, until), until));
            }
        }
        let identities = identities(timeline, &sites, &names);
        let watched = timeline.tracks.iter().any(|track| track.facts.dns.is_some());
        if !watched && identities.iter().all(|identity| identity.site == "old") {
            return None;
        }
        let authorities: Vec<Interval> = turns(&lanes, |lane| lane.observer == "authoritative");
        let clients: Vec<Interval> = turns(&lanes, |lane| !is_name(&lane.observer));
        let (authoritative_first, authoritative_all) = (earliest(&authorities), latest(&authorities));
        let ttl = ttl(timeline, &sites, until);
        let seen_old = lanes.iter().filter(|lane| is_name(&lane.observer));
        let seen_old = seen_old.filter_map(|lane| Some(lane.last_old?.lo)).fold(0.0, f64::max);
        let everyone = authoritative_all.map(|all| {
            let hi = all.hi.zip(ttl).map(|(all, ttl)| all + ttl);
            Interval { lo: all.lo.max(seen_old), hi: hi.map(|hi| hi.max(seen_old)) }
        });
        Some(Cutover {
            new_first: earliest(&clients),
            shares: shares(timeline, &sites, &names),
            identities,
            authoritative_first,
            authoritative_all,
            ttl,
            everyone,
            lanes,
        })
    }

    /// The lanes of one probe of the file.
    pub fn lanes_of<'a>(&'a self, probe: &'a str) -> impl Iterator<Item = &'a Lane> {
        self.lanes.iter().filter(move |lane| lane.probe == probe)
    }
}

/// Whether lanes of this kind ask for names.
pub fn is_name(observer: &str) -> bool {
    matches!(observer, "authoritative" | "resolver" | "system")
}

/// What each number of an identity stands for.
fn names(record: &Record) -> BTreeMap<u16, &str> {
    let met = record.events.iter().filter_map(|event| match &event.kind {
        EventKind::IdentityMet { identity, who } => Some((*identity, who.as_str())),
        _ => None,
    });
    met.collect()
}

fn called(names: &BTreeMap<u16, &str>, identity: u16) -> String {
    names.get(&identity).map_or_else(|| format!("no. {identity}"), |who| (*who).to_owned())
}

/// What kind of observer a lane is.
fn observer(track: &Track) -> String {
    let role = track.facts.dns.as_ref().map(|dns| match dns.role {
        DnsRole::Authoritative => "authoritative",
        DnsRole::Resolver => "resolver",
        DnsRole::System => "system",
    });
    role.or(track.facts.client.as_deref()).unwrap_or("client").to_owned()
}

fn word(site: Option<Site>) -> String {
    match site {
        Some(Site::New) => "new",
        _ => "old",
    }
    .to_owned()
}

fn identities(timeline: &Timeline, sites: &Sites, names: &BTreeMap<u16, &str>) -> Vec<Identity> {
    let mut found: BTreeMap<u16, Identity> = BTreeMap::new();
    let all = timeline.tracks.iter().flat_map(|track| answers(track, timeline.watched_until));
    for sample in all {
        let at = sample.done.secs();
        let identity = found.entry(sample.identity).or_insert_with(|| Identity {
            who: called(names, sample.identity),
            site: word(sites.site(sample.identity)),
            answers: 0,
            first: at,
            last: at,
        });
        identity.answers += 1;
        identity.first = identity.first.min(at);
        identity.last = identity.last.max(at);
    }
    let mut all: Vec<Identity> = found.into_values().collect();
    all.sort_by(|a, b| a.first.total_cmp(&b.first));
    all
}

fn lane(track: &Track, turn: &Turn, until: Moment) -> Lane {
    let between = |from: Option<Sample>, to: Option<Sample>| {
        let hi = to.map(|sample| sample.done.secs());
        let lo = from.map_or(0.0, |sample| sample.sent.secs());
        (from.is_some() || to.is_some()).then_some(Interval { lo: hi.map_or(lo, |hi| lo.min(hi)), hi })
    };
    let told = answers(track, until).filter(|sample| sample.class == Class::Ok).map(|sample| sample.code);
    // The system's resolver says nothing of TTLs.
    let tells = track.facts.dns.as_ref().is_some_and(|dns| dns.role != DnsRole::System);
    let ttl = told.fold(None, |ttl: Option<(u16, u16)>, code| {
        let (least, most) = ttl.unwrap_or((code, code));
        Some((least.min(code), most.max(code)))
    });
    Lane {
        name: track.facts.name.clone(),
        probe: track.facts.probe.clone(),
        observer: observer(track),
        first_new: between(turn.before_new, turn.first_new),
        last_old: turn.last_old.and_then(|old| between(Some(old), turn.after_old)),
        clean: turn.clean(),
        ttl: ttl.filter(|_| tells),
    }
}

fn turns(lanes: &[Lane], wanted: impl Fn(&Lane) -> bool) -> Vec<Interval> {
    lanes.iter().filter(|lane| wanted(lane)).filter_map(|lane| lane.first_new).collect()
}

/// When the first of several things happened.
fn earliest(all: &[Interval]) -> Option<Interval> {
    let lo = all.iter().map(|one| one.lo).reduce(f64::min)?;
    Some(Interval { lo, hi: all.iter().filter_map(|one| one.hi).reduce(f64::min) })
}

/// When all of several things had happened.
fn latest(all: &[Interval]) -> Option<Interval> {
    let lo = all.iter().map(|one| one.lo).reduce(f64::max)?;
    let hi: Option<Vec<f64>> = all.iter().map(|one| one.hi).collect();
    Some(Interval { lo, hi: hi.and_then(|hi| hi.into_iter().reduce(f64::max)) })
}

/// The longest TTL that an old answer carried: from the name servers themselves if they were asked,
/// since a resolver tells only what is left.
fn ttl(timeline: &Timeline, sites: &Sites, until: Moment) -> Option<f64> {
    let longest = |wanted: DnsRole| {
        let lanes = timeline
            .tracks
            .iter()
            .filter(move |track| track.facts.dns.as_ref().is_some_and(|dns| dns.role == wanted));
        let told = lanes
            .flat_map(|track| answers(track, until))
            .filter(|sample| sample.class == Class::Ok && sites.site(sample.identity) == Some(Site::Old));
        told.map(|sample| sample.code).max()
    };
    let ttl = longest(DnsRole::Authoritative).or_else(|| longest(DnsRole::Resolver))?;
    (ttl < LONGEST_TTL).then_some(f64::from(ttl))
}

fn shares(timeline: &Timeline, sites: &Sites, names: &BTreeMap<u16, &str>) -> Vec<Share> {
    let mut groups: Vec<((&str, String), Vec<&Track>)> = Vec::new();
    for track in &timeline.tracks {
        let key = (track.facts.probe.as_str(), observer(track));
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, tracks)) => tracks.push(track),
            None => groups.push((key, vec![track])),
        }
    }
    // Traffic is also shown that stayed with the old site while other traffic went over.
    let known = |tracks: &[&Track]| {
        tracks.iter().any(|track| answers(track, timeline.watched_until).next().is_some())
    };
    let shown = groups.into_iter().filter(|(_, tracks)| known(tracks));
    shown.map(|((probe, observer), tracks)| share(probe, observer, &tracks, timeline, sites, names)).collect()
}

fn share(
    probe: &str,
    observer: String,
    tracks: &[&Track],
    timeline: &Timeline,
    sites: &Sites,
    names: &BTreeMap<u16, &str>,
) -> Share {
    let until = timeline.watched_until;
    let width = (until.secs() / BUCKETS).ceil().max(1.0);
    let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
    for sample in tracks.iter().flat_map(|track| answers(track, until)) {
        *counts.entry(sample.identity).or_default() += 1;
    }
    let mut ranked: Vec<(u16, u64)> = counts.into_iter().collect();
    ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut apart: Vec<u16> = ranked.iter().take(APART).map(|(identity, _)| *identity).collect();
    // The old ones first, so that the new ones are seen to take over from the same edge.
    apart.sort_by_key(|identity| (sites.site(*identity) == Some(Site::New), *identity));
    let mut who: Vec<String> = apart.iter().map(|identity| called(names, *identity)).collect();
    let mut of: Vec<String> = apart.iter().map(|identity| word(sites.site(*identity))).collect();
    if ranked.len() > APART {
        let left = ranked.iter().skip(APART);
        let site = left.map(|(identity, _)| sites.site(*identity)).find(|site| *site == Some(Site::New));
        who.push(OTHERS.to_owned());
        of.push(word(site.flatten()));
    }
    let mut answers = vec![vec![0; who.len() + 1]; (until.secs() / width).ceil() as usize];
    for sample in tracks.iter().flat_map(|track| asked(track, until)) {
        let column = match sample.identity {
            0 => who.len(),
            identity => apart.iter().position(|known| *known == identity).unwrap_or(APART),
        };
        let bucket = (sample.done.secs() / width) as usize;
        let last = answers.len().saturating_sub(1);
        if let Some(count) = answers.get_mut(bucket.min(last)).and_then(|bucket| bucket.get_mut(column)) {
            *count += 1;
        }
    }
    Share { probe: probe.to_owned(), observer, who, sites: of, width, answers }
}

#[cfg(test)]
#[path = "cutover_tests.rs"]
mod tests;
