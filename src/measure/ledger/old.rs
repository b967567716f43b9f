//! The old primary: whether it was kept from taking writes, and what only it still holds.

use super::presence::{count, merged, shared};
use crate::run::event::{OldPrimary, Role};

/// Whether the old primary was kept from taking writes once another server had taken over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fencing {
    /// Who it is.
    pub who: String,
    /// How often it was looked at after another server had acknowledged a write.
    pub looks: u64,
    /// How often it said then that it takes writes.
    pub writable: u64,
    /// How often it answered as a standby then.
    pub standby: u64,
    /// From the first to the last look that found it writable, in seconds; the least it can be.
    pub seconds: f64,
    /// How many writes of ours it took then, where writing to it was asked for.
    pub wrote: u64,
}

pub(super) fn fencing(old: &OldPrimary) -> Option<Fencing> {
    if old.roles.is_empty() {
        return None;
    }
    let mut fencing = Fencing { who: old.who.clone().unwrap_or_default(), ..Fencing::default() };
    let (mut first, mut last) = (None, None);
    for span in old.roles.iter().filter(|span| span.superseded) {
        let looks = u64::from(span.looks);
        fencing.looks += looks;
        fencing.wrote += u64::from(span.wrote);
        match span.role {
            Role::Writer => {
                fencing.writable += looks;
                first = first.or(Some(span.from_ns));
                last = Some(span.to_ns);
            }
            Role::Standby => fencing.standby += looks,
            Role::Unreachable => {}
        }
    }
    if let (Some(first), Some(last)) = (first, last) {
        fencing.seconds = last - first;
    }
    Some(fencing)
}

/// Where the lost writes can still be found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Salvage {
    /// Who was asked.
    pub who: String,
    /// Lost, and still on the old primary.
    pub on_old_only: u64,
    /// Lost, and not there either.
    pub nowhere: u64,
    /// Everything that the old primary holds and the new one does not, unknown writes included.
    pub diverged: u64,
    /// How to read it there.
    pub query: Option<String>,
    /// Why the old primary could not be read, when it could not: then nothing is known of the lost.
    pub error: Option<String>,
}

pub(super) fn salvage(old: &OldPrimary, lost: &[(u32, u32)], present: &[(u32, u32)]) -> Option<Salvage> {
    let who = old.who.clone().unwrap_or_default();
    let query = old.query.clone();
    if let Some(error) = &old.error {
        return Some(Salvage { who, query, error: Some(error.clone()), ..Salvage::default() });
    }
    let there = merged(&old.present);
    let on_old_only = shared(lost, &there);
    Some(Salvage {
        who,
        on_old_only,
        nowhere: count(lost) - on_old_only,
        diverged: count(&there) - shared(&there, present),
        query,
        error: None,
    })
}
