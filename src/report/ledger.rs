//! What a ledger found, as it stands in the public contract.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::Interval;
use crate::measure::ledger::Ledger;
use crate::run::event::Lag;

/// What one ledger found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerReport {
    /// The probe.
    pub probe: String,
    /// Writes sent.
    pub attempted: u64,
    /// Acknowledged writes.
    pub acked: u64,
    /// Acknowledged and absent at the final read: the RPO count.
    pub lost: u64,
    /// Unknown outcome and absent: no loss was promised.
    pub indeterminate: u64,
    /// Unknown outcome and present.
    pub recovered: u64,
    /// A definite failure that was there all the same.
    pub phantom: u64,
    /// Present more than once.
    pub duplicated: u64,
    /// Present and never written by this run.
    pub unexpected: u64,
    /// Acknowledged and absent, but only after the final read had begun.
    #[serde(default)]
    pub unread: u64,
    /// Acknowledged and on their way when the watch ended: neither there nor lost.
    #[serde(default)]
    pub pending: u64,
    /// How long before the final read the oldest of those was acknowledged, in seconds.
    #[serde(default)]
    pub pending_for: Option<f64>,
    /// Lost seconds of acknowledged writes; absent when the ledger could not be read.
    pub seconds: Option<Interval>,
    /// How long before the fault the recovery point lies, in seconds; absent when nothing was lost.
    #[serde(default)]
    pub before_fault: Option<Interval>,
    /// How many bytes of log the new primary never had, where the store tells; other sessions' writes
    /// are among them.
    #[serde(default)]
    pub bytes: Option<Interval>,
    /// The write spacing: how fine the ledger looked, in seconds.
    pub resolution: f64,
    /// The lost numbers, as inclusive ranges, at most the first hundred.
    pub lost_ranges: Vec<(u32, u32)>,
    /// A lost write and one that survived though it was sent after the lost one's acknowledgement.
    #[serde(default)]
    pub non_suffix: Option<(u32, u32)>,
    /// What light reads during the drill missed; absent when there were none.
    #[serde(default)]
    pub stale: Option<StaleReport>,
    /// Two servers that took writes at a time.
    #[serde(default)]
    pub split_brain: Option<SplitBrainReport>,
    /// Whether the old primary was kept from taking writes; absent when it was not watched.
    #[serde(default)]
    pub fencing: Option<FencingReport>,
    /// Where the lost writes can still be found; absent when nobody looked.
    #[serde(default)]
    pub salvage: Option<SalvageReport>,
    /// How long entries took to arrive where they are read from.
    #[serde(default)]
    pub lag: Option<Lag>,
    /// How many reads in a row agreed at the end.
    #[serde(default)]
    pub reads: u32,
    /// Why the final read is missing, when it is.
    pub error: Option<String>,
}

/// What light reads during the drill missed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StaleReport {
    /// Light reads that were answered.
    pub reads: u64,
    /// Those that missed something acknowledged which was there in the end.
    pub stale: u64,
    /// How many writes they missed.
    pub writes: u64,
    /// The longest time from an acknowledgement to a read that still missed the write, in seconds.
    pub longest: f64,
}

/// Two servers that took writes at a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SplitBrainReport {
    /// Who still took writes.
    pub old: String,
    /// Who had taken over.
    pub new: String,
    /// How many writes the old one took after that.
    pub writes: u64,
    /// From the new one's first acknowledgement to the old one's last, in seconds.
    pub seconds: f64,
    /// How many of those writes were there in the end.
    pub survived: Option<u64>,
    /// Whether the new one took writes after that again; otherwise it may have been a failback.
    pub alternated: bool,
}

/// Whether the old primary was kept from taking writes once another server had taken over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FencingReport {
    /// Who it is.
    pub who: String,
    /// How often it was looked at after another server had acknowledged a write.
    pub looks: u64,
    /// How often it said then that it takes writes: above 0 it was not fenced.
    pub writable: u64,
    /// How often it answered as a standby then.
    pub standby: u64,
    /// From the first to the last look that found it writable, in seconds.
    pub seconds: f64,
    /// How many test writes it took then.
    pub wrote: u64,
}

/// Where the lost writes can still be found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SalvageReport {
    /// The old primary.
    pub who: String,
    /// Lost, and still there.
    pub on_old_only: u64,
    /// Lost, and not there either.
    pub nowhere: u64,
    /// Everything that it holds and the new one does not.
    pub diverged: u64,
    /// How to read it.
    pub query: Option<String>,
    /// Why it could not be read.
    pub error: Option<String>,
}

impl LedgerReport {
    /// The report of what was measured.
    pub(super) fn of(ledger: &Ledger) -> LedgerReport {
        let stale = &ledger.stale;
        LedgerReport {
            probe: ledger.probe.clone(),
            attempted: ledger.attempted,
            acked: ledger.acked,
            lost: ledger.lost,
            indeterminate: ledger.indeterminate,
            recovered: ledger.recovered,
            phantom: ledger.phantom,
            duplicated: ledger.duplicated,
            unexpected: ledger.unexpected,
            unread: ledger.unread,
            pending: ledger.pending,
            pending_for: ledger.pending_for,
            seconds: ledger.seconds,
            before_fault: ledger.before_fault,
            bytes: ledger.bytes,
            resolution: ledger.resolution,
            lost_ranges: ledger.lost_ranges.clone(),
            non_suffix: ledger.hole,
            stale: (stale.reads > 0).then_some(StaleReport {
                reads: stale.reads,
                stale: stale.stale,
                writes: stale.writes,
                longest: stale.longest,
            }),
            split_brain: ledger.split_brain.as_ref().map(|split| SplitBrainReport {
                old: split.old.clone(),
                new: split.new.clone(),
                writes: split.writes,
                seconds: split.seconds,
                survived: split.survived,
                alternated: split.alternated,
            }),
            fencing: ledger.fencing.as_ref().map(|fencing| FencingReport {
                who: fencing.who.clone(),
                looks: fencing.looks,
                writable: fencing.writable,
                standby: fencing.standby,
                seconds: fencing.seconds,
                wrote: fencing.wrote,
            }),
            salvage: ledger.salvage.as_ref().map(|salvage| SalvageReport {
                who: salvage.who.clone(),
                on_old_only: salvage.on_old_only,
                nowhere: salvage.nowhere,
                diverged: salvage.diverged,
                query: salvage.query.clone(),
                error: salvage.error.clone(),
            }),
            lag: ledger.lag,
            reads: ledger.reads,
            error: ledger.error.clone(),
        }
    }
}
