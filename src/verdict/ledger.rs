//! What a ledger's figures can carry, and what a reader should know of them.

use crate::measure::Interval;
use crate::measure::ledger::{Fencing, Ledger, Salvage, SplitBrain, Stale};
use crate::words;

/// Acknowledged writes needed before and after the fault, whatever the spacing.
const WRITES: u64 = 3;
/// Acknowledged writes needed in the five seconds before the fault, where the spacing allows that many.
const JUST_BEFORE: u64 = 20;
/// The share of what the spacing allows that is enough where it allows less, and while the service is down.
const ENOUGH: f64 = 0.8;

fn writes(count: u64) -> String {
    words::counted(count, "write", "writes")
}

/// Why a ledger's figures cannot carry a pass.
pub(super) fn guard(ledger: &Ledger) -> Option<String> {
    let probe = &ledger.probe;
    if let Some(error) = &ledger.error {
        return Some(format!("{probe} could not be read back: {error}"));
    }
    if !ledger.stable {
        return Some(format!("{probe} gave different answers when it was read back more than once"));
    }
    if ledger.unexpected > 0 {
        return Some(format!("{probe} held {} that this run never sent", writes(ledger.unexpected)));
    }
    if ledger.phantom > 0 {
        return Some(format!("{probe} held {} that had certainly failed", writes(ledger.phantom)));
    }
    if ledger.unread > 0 {
        return Some(format!(
            "{probe} acknowledged {} after the final read had begun",
            writes(ledger.unread)
        ));
    }
    if ledger.pending > 0 {
        let since = ledger.pending_for.map_or(String::new(), |secs| {
            format!(", the oldest {} before", words::span(Interval::new(secs, secs)))
        });
        return Some(format!(
            "{probe} had {} acknowledged and not yet replicated when the watch ended{since}",
            writes(ledger.pending)
        ));
    }
    vacuous(ledger)
}

/// Too little was written where it matters: then "none lost" says nothing.
fn vacuous(ledger: &Ledger) -> Option<String> {
    let probe = &ledger.probe;
    for (acked, when) in [(ledger.acked_before, "before"), (ledger.acked_after, "after")] {
        if acked < WRITES {
            return Some(format!(
                "{probe} had {} acknowledged {when} the fault, and {WRITES} are needed",
                writes(acked)
            ));
        }
    }
    let enough = |due: u64| (due as f64 * ENOUGH).floor() as u64;
    let needed = enough(ledger.pace.before_due).min(JUST_BEFORE);
    if ledger.pace.before < needed {
        return Some(format!(
            "{probe} had {} acknowledged in the 5 s before the fault, and {needed} are needed",
            writes(ledger.pace.before)
        ));
    }
    let needed = enough(ledger.pace.down_due);
    if ledger.pace.down < needed {
        return Some(format!(
            "{probe} tried {} while it was down, and its spacing asks for {}",
            writes(ledger.pace.down),
            words::count(ledger.pace.down_due)
        ));
    }
    (ledger.pace.recovered == Some(0)).then(|| format!("{probe} had no write acknowledged after its outage"))
}

/// What a reader should know of a ledger, whatever the verdict: each anomaly by its name.
pub(super) fn findings(ledger: &Ledger) -> Vec<String> {
    let probe = &ledger.probe;
    let mut notes = Vec::new();
    if let Some((lost, survived)) = ledger.hole {
        notes.push(format!(
            "{probe}: write {lost} is lost, though write {survived}, sent after it was acknowledged, survived: \
             this is not the lag of a replica but a hole"
        ));
    }
    if ledger.duplicated > 0 {
        let count = words::counted(ledger.duplicated, "entry is", "entries are");
        notes.push(format!("{probe}: {count} there more than once"));
    }
    if let Some(split) = &ledger.split_brain {
        notes.push(format!("{probe}: {}", split_brain(split)));
    }
    if let Some(fencing) = ledger.fencing.as_ref().filter(|fencing| fencing.writable > 0) {
        notes.push(format!("{probe}: {}", unfenced(fencing)));
    }
    if ledger.stale.stale > 0 {
        notes.push(format!("{probe}: {}", stale_reads(&ledger.stale)));
    }
    if let Some(salvage) = ledger.salvage.as_ref().filter(|salvage| ledger.lost > 0 || salvage.diverged > 0) {
        notes.push(format!("{probe}: {}", salvageable(salvage)));
    }
    if let Some(kept) = &ledger.kept {
        notes.push(format!("{probe}: its entries were left in place; to remove them: {kept}"));
    }
    notes.extend(ledger.context.iter().map(|text| format!("{probe}: {text}")));
    notes
}

fn seconds(seconds: f64) -> String {
    words::span(Interval::new(seconds, seconds))
}

fn split_brain(split: &SplitBrain) -> String {
    let SplitBrain { old, new, .. } = split;
    let survived = match split.survived {
        Some(survived) if survived == split.writes => "all of them survived".to_owned(),
        Some(survived) => format!("{} of them survived", words::count(survived)),
        None => "whether they survived is not known".to_owned(),
    };
    let turns = match split.alternated {
        true => "both took writes by turns",
        false => "the other took none after that, so it may have been a failback",
    };
    format!(
        "split brain: {old} acknowledged {} that were sent after {new} had taken over, for {} from then on; \
         {survived}; {turns}",
        writes(split.writes),
        seconds(split.seconds)
    )
}

fn unfenced(fencing: &Fencing) -> String {
    let Fencing { who, .. } = fencing;
    let took = match fencing.wrote {
        0 => String::new(),
        wrote => format!(", and took {} of a test", writes(wrote)),
    };
    format!(
        "not fenced: the old primary {who} still said that it takes writes in {} of {} looks after another \
         server had taken over, over {}{took}",
        words::count(fencing.writable),
        words::count(fencing.looks),
        seconds(fencing.seconds)
    )
}

fn stale_reads(stale: &Stale) -> String {
    let by = match stale.by.as_slice() {
        [] => String::new(),
        who => format!(", by {}", who.join(" and ")),
    };
    format!(
        "stale reads: {} of {} light reads missed {} that had been acknowledged, up to {} before{by}",
        words::count(stale.stale),
        words::count(stale.reads),
        writes(stale.writes),
        seconds(stale.longest)
    )
}

fn salvageable(salvage: &Salvage) -> String {
    let who = &salvage.who;
    if let Some(error) = &salvage.error {
        return format!("whether the old primary {who} still holds what is lost is not known: {error}");
    }
    let how =
        salvage.query.as_ref().map(|query| format!("; to read them there: {query}")).unwrap_or_default();
    format!(
        "of the lost writes {} are still on the old primary {who} and {} nowhere; it holds {} that the new \
         one does not{how}",
        words::count(salvage.on_old_only),
        words::count(salvage.nowhere),
        words::counted(salvage.diverged, "entry", "entries")
    )
}
