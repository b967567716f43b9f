//! Split brain: two servers that took writes at a time, by who acknowledged what.

use super::presence::{Presence, merged};
use super::{Fate, History, fate};
use crate::clock::Moment;
use crate::run::event::Reading;
use crate::sample::Sample;

/// Writes that one server acknowledged after another had taken over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SplitBrain {
    /// Who still took writes.
    pub old: String,
    /// Who had acknowledged one before.
    pub new: String,
    /// How many writes the old one took after that.
    pub writes: u64,
    /// From the new one's first acknowledgement to the old one's last.
    pub seconds: f64,
    /// How many of those writes were there in the end; `None` when the ledger could not be read.
    pub survived: Option<u64>,
    /// Whether the new one took writes after that again: otherwise it may have been a failback.
    pub alternated: bool,
}

/// When one server took writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its number in the samples.
    pub identity: u16,
    /// Its first acknowledgement.
    pub first: Moment,
    /// When the last write that it acknowledged was sent.
    pub last_sent: Moment,
}

/// A write counts when it was sent after another server, that came later, had first acknowledged one:
/// then the two did not merely overlap. Of several pairs the one with most writes is told.
pub(super) fn split(history: &History<'_>, reading: Option<&Reading>) -> Option<SplitBrain> {
    let servers = together(servers(history.walk()), &history.others);
    if servers.len() < 2 {
        return None;
    }
    // By identity: from when on it should not have taken writes any more, and because of whom.
    let taken_over: Vec<(u16, Moment, u16)> = servers
        .windows(2)
        .filter_map(|pair| match pair {
            [old, new] => Some((old.identity, new.first, new.identity)),
            _ => None,
        })
        .collect();
    let present = reading.map(|reading| merged(&reading.present)).unwrap_or_default();
    let mut there = Presence::new(&present);
    let mut found: Vec<Found> = vec![Found::default(); taken_over.len()];
    for sample in history.walk() {
        let Some(at) = taken_over.iter().position(|(old, ..)| *old == sample.identity) else { continue };
        let (Some((_, over, _)), Some(found)) = (taken_over.get(at), found.get_mut(at)) else { continue };
        if sample.sent <= *over || fate(sample) != Some(Fate::Acked) {
            continue;
        }
        found.writes += 1;
        found.survived += u64::from(there.has(sample.seq));
        found.first = found.first.or(Some(sample.done));
        found.last = found.last.max(sample.done);
    }
    let (found, (old, over, new)) = found
        .into_iter()
        .zip(taken_over)
        .max_by_key(|(found, _)| found.writes)
        .filter(|(f, _)| f.writes > 0)?;
    let newer = servers.iter().skip_while(|server| server.identity != old).skip(1);
    let name = |identity: u16| {
        let known = usize::from(identity).checked_sub(1).and_then(|at| history.servers.get(at));
        known.filter(|who| !who.is_empty()).cloned().unwrap_or_else(|| format!("server {identity}"))
    };
    Some(SplitBrain {
        old: name(old),
        new: name(new),
        writes: found.writes,
        seconds: found.last - over,
        survived: reading.map(|_| found.survived),
        alternated: newer.into_iter().any(|s| found.first.is_some_and(|first| s.last_sent > first)),
    })
}

#[derive(Clone, Copy, Debug, Default)]
struct Found {
    writes: u64,
    survived: u64,
    first: Option<Moment>,
    last: Moment,
}

/// Who acknowledged writes, in the order of their first acknowledgement.
pub(super) fn servers<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    let mut at = 0;
    for sample in samples {
        if sample.identity == 0 || fate(sample) != Some(Fate::Acked) {
            continue;
        }
        if servers.get(at).is_none_or(|server| server.identity != sample.identity) {
            at = servers.iter().position(|s| s.identity == sample.identity).unwrap_or(servers.len());
        }
        match servers.get_mut(at) {
            Some(server) => {
                server.first = server.first.min(sample.done);
                server.last_sent = server.last_sent.max(sample.sent);
            }
            None => {
                servers.push(Server { identity: sample.identity, first: sample.done, last_sent: sample.sent })
            }
        }
    }
    servers
}

/// A ledger's own servers with those of the others, in the order of their first acknowledgement. Another
/// ledger counts when it has a server in common: then both write to one store, and what took over
/// there took over here. A client that keeps its connections would never see it by itself.
fn together(mut servers: Vec<Server>, others: &[Vec<Server>]) -> Vec<Server> {
    let own: Vec<u16> = servers.iter().map(|server| server.identity).collect();
    for other in others.iter().filter(|other| other.iter().any(|server| own.contains(&server.identity))) {
        for theirs in other {
            match servers.iter_mut().find(|server| server.identity == theirs.identity) {
                Some(server) => {
                    server.first = server.first.min(theirs.first);
                    server.last_sent = server.last_sent.max(theirs.last_sent);
                }
                None => servers.push(*theirs),
            }
        }
    }
    servers.sort_by_key(|server| server.first);
    servers
}
