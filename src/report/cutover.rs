//! The cut-over in words, as every format tells it. No format's own markup is known here.

use crate::measure::Interval;
use crate::measure::cutover::{Cutover, Lane, is_name};
use crate::report::facts::{Origin, clean};
use crate::report::words;

/// The columns of the table of lanes.
pub(crate) const COLUMNS: [&str; 5] = ["Lane", "Asks as", "First new answer", "Last old answer", "TTL told"];

/// A row per lane, in the order of [`COLUMNS`].
pub(crate) fn rows(cutover: &Cutover, origin: Origin) -> Vec<[String; 5]> {
    cutover
        .lanes
        .iter()
        .map(|lane| {
            [
                clean(&lane.name),
                observer(&lane.observer).to_owned(),
                lane.first_new.map_or_else(|| "–".to_owned(), |at| when(at, origin, "never")),
                last_old(lane, origin),
                ttl(lane),
            ]
        })
        .collect()
}

/// The milestones of the whole cut-over, each with its time.
pub(crate) fn milestones(cutover: &Cutover, origin: Origin) -> Vec<(&'static str, String)> {
    let all = [
        ("First name server answers anew", cutover.authoritative_first, "not seen"),
        ("All name servers answer anew", cutover.authoritative_all, "not seen"),
        ("No cache can hold the old record", cutover.everyone, "not bounded"),
        ("New site first serves", cutover.new_first, "not seen"),
    ];
    let told = all.into_iter().filter_map(|(name, at, open)| Some((name, when(at?, origin, open))));
    let mut told: Vec<(&'static str, String)> = told.collect();
    if let (Some(ttl), Some(_)) = (cutover.ttl, cutover.everyone) {
        told.push(("TTL of the old record", words::duration(ttl)));
    }
    told
}

/// What a lane stands for.
pub(crate) fn observer(observer: &str) -> &str {
    match observer {
        "authoritative" => "name server",
        "system" => "system's resolver",
        "fresh" => "fresh connections",
        "kept" => "kept connections",
        "reconnect" => "pool that reconnects",
        other => other,
    }
}

/// The old site's people and the new one's: `10.0.0.1 → 10.0.0.2`.
pub(crate) fn moved(who: &[String], sites: &[String]) -> String {
    let of = |wanted: &str| {
        let all = who.iter().zip(sites).filter(|(_, site)| *site == wanted).map(|(who, _)| clean(who));
        all.collect::<Vec<_>>().join(", ")
    };
    match (of("old"), of("new")) {
        (old, new) if new.is_empty() => old,
        (old, new) if old.is_empty() => new,
        (old, new) => format!("{old} → {new}"),
    }
}

fn when(at: Interval, origin: Origin, open: &str) -> String {
    let at = origin.relative(at);
    match at.hi {
        None => open.to_owned(),
        Some(hi) if hi <= 0.0 => format!("{} before", words::span(Interval::new(-hi, -at.lo))),
        Some(hi) => words::span(Interval::new(at.lo.max(0.0), hi)),
    }
}

fn last_old(lane: &Lane, origin: Origin) -> String {
    let Some(at) = lane.last_old else { return "–".to_owned() };
    match at.hi {
        Some(_) => when(at, origin, ""),
        None => {
            let least = Interval::at_least(origin.relative(at).lo.max(0.0));
            format!("{}: still so at the end", words::span(least))
        }
    }
}

fn ttl(lane: &Lane) -> String {
    match lane.ttl {
        Some((least, most)) if is_name(&lane.observer) && least == most => format!("{most} s"),
        Some((least, most)) if is_name(&lane.observer) => format!("{least}–{most} s"),
        _ => "–".to_owned(),
    }
}
