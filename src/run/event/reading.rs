//! What a ledger held, in the end and on the way.

use serde::{Deserialize, Serialize};

use crate::clock::Moment;

/// What a ledger held at the final read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// When the read that counts began.
    pub began_ns: Moment,
    /// When it was complete.
    pub done_ns: Moment,
    /// The numbers that were there, as inclusive ranges, ascending.
    pub present: Vec<(u32, u32)>,
    /// Entries that were there more than once, beyond the first.
    pub duplicated: u64,
    /// Entries that this run never wrote.
    pub unexpected: u64,
    /// Whether repeated reads agreed.
    pub stable: bool,
    /// Why the ledger could not be read, when it could not.
    pub error: Option<String>,
    /// How many reads in a row agreed.
    #[serde(default)]
    pub reads: u32,
    /// Numbers that were accepted and had not arrived yet where they are read from: replication was
    /// still under way when the watch ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<(u32, u32)>,
    /// How long entries took to arrive where they are read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Lag>,
    /// What light reads saw while the drill went on.
    #[serde(default)]
    pub glimpses: Glimpses,
    /// What became of the server that was the writer before the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<OldPrimary>,
    /// Where in its log each server acknowledged its last write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<Position>,
    /// How far the server that was read had followed its predecessor's log when it took over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<Position>,
    /// How to remove what the ledger left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// What else the store said: context, never a verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How long entries took from their acknowledgement until they were seen where they are read from,
/// in seconds; each the most that it can have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Lag {
    /// How many were seen to arrive.
    pub count: u64,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}

/// Light reads of the newest entries, through the path that clients use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Glimpses {
    /// How many were answered.
    pub reads: u64,
    /// How many were not.
    pub failed: u64,
    /// Those in which something acknowledged was missing, the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<Glimpse>,
}

/// One light read in which something was missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Glimpse {
    /// When it began.
    pub began_ns: Moment,
    /// When it was complete.
    pub done_ns: Moment,
    /// Who answered.
    pub who: Option<String>,
    /// Numbers that had been acknowledged before it began and were not there.
    pub missing: Vec<(u32, u32)>,
}

/// What became of the server that was the writer before the fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OldPrimary {
    /// Who it says it is.
    pub who: Option<String>,
    /// In which role it was seen, in order of time.
    pub roles: Vec<RoleSpan>,
    /// The numbers that it holds, as inclusive ranges, ascending.
    pub present: Vec<(u32, u32)>,
    /// Why it could not be read in the end, when it could not.
    pub error: Option<String>,
    /// How to read what is there, for whoever wants to save it.
    pub query: Option<String>,
}

/// A time in which a server was seen in one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSpan {
    /// When the first look began.
    pub from_ns: Moment,
    /// When the last look was done.
    pub to_ns: Moment,
    /// How many looks.
    pub looks: u32,
    /// The role.
    pub role: Role,
    /// Whether another server had acknowledged a write before the first of these looks.
    pub superseded: bool,
    /// How many writes of ours it took then, where writing to it was asked for.
    pub wrote: u32,
}

/// The role that a server says it is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It takes writes.
    Writer,
    /// It does not.
    Standby,
    /// It did not answer.
    #[default]
    Unreachable,
}

/// A place in a server's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The server.
    pub who: String,
    /// The write that was acknowledged there; 0 when it is about none.
    pub seq: u32,
    /// Bytes from the log's beginning.
    pub byte: u64,
}
