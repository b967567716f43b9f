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
            format!("{}, to the end", words::span(least))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::cutover::{Identity, Share};
    use crate::report::{Format, Style, fixture, render};

    /// A fault at 10 s: two name servers turn, one resolver, a fresh client, and a kept one never.
    fn moved_record() -> Cutover {
        let fault = fixture::pass().report.fault.expect("a fault").injected_at.lo;
        let at = |from: f64, to: f64| Some(Interval::new(fault + from, fault + to));
        let lane = |name: &str, observer: &str, new: Option<Interval>, old: Option<Interval>| Lane {
            name: name.to_owned(),
            probe: name.split('/').next().unwrap().to_owned(),
            observer: observer.to_owned(),
            first_new: new,
            last_old: old,
            clean: new.is_some(),
            ttl: Some((3, 60)),
        };
        let who = |who: &str, site: &str| Identity {
            who: who.to_owned(),
            site: site.to_owned(),
            answers: 40,
            first: 1.0,
            last: 30.0,
        };
        let share = |observer: &str, answers: Vec<Vec<u64>>| Share {
            probe: "names".to_owned(),
            observer: observer.to_owned(),
            who: vec!["10.0.0.1".to_owned(), "<b>&\u{202e}".to_owned()],
            sites: vec!["old".to_owned(), "new".to_owned()],
            width: 1.0,
            answers,
        };
        Cutover {
            identities: vec![who("10.0.0.1", "old"), who("<b>&\u{202e}", "new")],
            lanes: vec![
                lane("names/ns1", "authoritative", at(3.1, 3.3), at(3.1, 3.3)),
                lane("names/10.0.0.2", "resolver", at(4.0, 4.2), at(4.0, 4.2)),
                lane("app/fresh", "fresh", at(4.5, 4.7), at(4.4, 4.6)),
                lane("app/kept", "kept", None, Some(Interval::at_least(fault + 20.0))),
            ],
            authoritative_first: at(3.1, 3.3),
            authoritative_all: at(3.1, 3.3),
            ttl: Some(60.0),
            everyone: at(4.0, 63.3),
            new_first: at(4.5, 4.7),
            shares: vec![
                share("authoritative", vec![vec![4, 0, 0], vec![2, 2, 0], vec![0, 4, 0], vec![0, 0, 4]]),
                share("kept", vec![vec![4, 0, 0]; 4]),
            ],
        }
    }

    #[test]
    fn every_format_tells_it_and_the_page_stays_whole() {
        let mut scene = fixture::pass();
        scene.report.cutover = Some(moved_record());
        let show = |format| render(&scene.report, &scene.record, format, Style::PLAIN).expect("shown");
        let page = show(Format::Html);
        crate::report::tests::assert_well_formed(&page);
        assert!(page.contains("&lt;b&gt;&amp;\u{fffd}") && !page.contains("<b>"), "not escaped");
        for format in [Format::Html, Format::Text, Format::Markdown] {
            let text = show(format);
            for said in ["3.10–3.30 s", "to the end", "3–60 s", "No cache can hold the old record"] {
                assert!(text.contains(said), "{format:?} does not say `{said}`: {text}");
            }
        }
        let json: serde_json::Value = serde_json::from_str(&show(Format::Json)).expect("JSON");
        assert_eq!(json["cutover"]["lanes"][3]["last_old"].get("hi"), None);
        let bare = render(&fixture::pass().report, &scene.record, Format::Json, Style::PLAIN).expect("shown");
        assert!(!bare.contains("cutover"));
    }

    #[test]
    fn a_band_is_stacked_from_the_old_site_up() {
        let found = moved_record();
        assert_eq!(moved(&found.shares[0].who, &found.shares[0].sites), "10.0.0.1 → <b>&\u{fffd}");
    }
}
