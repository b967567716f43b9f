//! Time windows and freezes: whether things may be changed at an instant, and until when.
//!
//! A window is a stretch of instants, made from its day and its two times of day in its zone. A time that
//! daylight saving leaves out counts as the instant at which the clocks go forward; one that comes twice
//! counts as its first coming, so that a window opens once and closes once.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::spec::interlock::{Freeze, Interlocks, Window, Zone};

/// How far ahead the next opening is looked for, in days: past any yearly freeze.
const DAYS_AHEAD: i32 = 400;

/// Why nothing may be changed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shut {
    /// The rule: `windows` or `freeze`.
    pub rule: &'static str,
    /// Where it is written.
    pub place: String,
    /// Why, in a sentence.
    pub why: String,
    /// When it will be allowed again, if within a year or so.
    pub opens: Option<Timestamp>,
}

/// Whether things may be changed at `now`: until when at most (`None` for no end in sight), or why not.
///
/// # Errors
/// The rule that forbids it.
pub fn standing(rules: &Interlocks, now: Timestamp) -> Result<Option<Timestamp>, Shut> {
    let Some(mut shut) = shut(rules, now) else {
        let closes = edges(rules, now).into_iter().find(|edge| self::shut(rules, *edge).is_some());
        return Ok(closes);
    };
    shut.opens = edges(rules, now).into_iter().find(|edge| self::shut(rules, *edge).is_none());
    Err(shut)
}

/// An instant as the people of the zone read it: `2026-11-27 17:00 Europe/Berlin`.
pub fn told(rules: &Interlocks, at: Timestamp) -> String {
    let local = at.to_zoned(rules.time_zone.0.clone());
    format!("{} {}", local.strftime("%a %Y-%m-%d %H:%M"), rules.time_zone.name())
}

fn shut(rules: &Interlocks, at: Timestamp) -> Option<Shut> {
    if let Some(freeze) = &rules.freeze {
        let today = at.to_zoned(rules.time_zone.0.clone()).date();
        if let Some(Freeze { from, to }) = freeze.is.iter().find(|f| f.from <= today && today <= f.to) {
            let days = if from == to { format!("on {from}") } else { format!("from {from} to {to}") };
            let why = format!("changes are frozen {days} ({})", rules.time_zone.name());
            return Some(Shut { rule: "freeze", place: freeze.place.clone(), why, opens: None });
        }
    }
    let windows = rules.windows.as_ref()?;
    let within = windows.is.iter().any(|window| {
        let today = at.to_zoned(zone(window, rules).0.clone()).date();
        // One that passes midnight belongs to the day on which it opened.
        let days = [today.yesterday().ok(), Some(today)];
        let mut spans = days.into_iter().flatten().filter_map(|day| span(window, rules, day));
        spans.any(|(from, to)| from <= at && at < to)
    });
    if within {
        return None;
    }
    let listed: Vec<String> = windows.is.iter().map(Window::describe).collect();
    let why = format!("it is {}, outside of {}", told(rules, at), listed.join("; "));
    Some(Shut { rule: "windows", place: windows.place.clone(), why, opens: None })
}

/// The instants after `now` at which what is allowed may change, in order.
fn edges(rules: &Interlocks, now: Timestamp) -> Vec<Timestamp> {
    let mut edges = Vec::new();
    for window in rules.windows.iter().flat_map(|rule| &rule.is) {
        let mut day = now.to_zoned(zone(window, rules).0.clone()).date().yesterday().ok();
        for _ in 0..DAYS_AHEAD {
            let Some(date) = day else { break };
            edges.extend(span(window, rules, date).into_iter().flat_map(|(from, to)| [from, to]));
            day = date.tomorrow().ok();
        }
    }
    for freeze in rules.freeze.iter().flat_map(|rule| &rule.is) {
        let midnight = |date: Date| rules.time_zone.instant(date.at(0, 0, 0, 0));
        edges.extend(midnight(freeze.from));
        edges.extend(freeze.to.tomorrow().ok().and_then(midnight));
    }
    edges.retain(|edge| *edge > now);
    edges.sort_unstable();
    edges.dedup();
    edges
}

fn zone<'r>(window: &'r Window, rules: &'r Interlocks) -> &'r Zone {
    window.time_zone.as_ref().unwrap_or(&rules.time_zone)
}

/// From when to when a window is open that opens on this day; `None` when it does not.
fn span(window: &Window, rules: &Interlocks, day: Date) -> Option<(Timestamp, Timestamp)> {
    if !window.opens_on(day) {
        return None;
    }
    let closes_on = if window.to > window.from { day } else { day.tomorrow().ok()? };
    let zone = zone(window, rules);
    let (from, to) = (zone.instant(window.from.on(day)?)?, zone.instant(window.to.on(closes_on)?)?);
    (from < to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::spec::interlock::{Day, Rule, TimeOfDay};

    fn zone_of(name: &str) -> Zone {
        Zone(TimeZone::get(name).expect("a zone"))
    }

    fn window(days: &[Day], from: u16, to: u16) -> Window {
        let days = (!days.is_empty()).then(|| days.to_vec());
        Window { days, from: TimeOfDay(from), to: TimeOfDay(to), time_zone: None }
    }

    fn rules(zone: &str, windows: &[Window], freeze: &[(&str, &str)]) -> Interlocks {
        let date = |text: &str| text.parse::<Date>().expect("a date");
        let freeze: Vec<Freeze> =
            freeze.iter().map(|(from, to)| Freeze { from: date(from), to: date(to) }).collect();
        let place = "firedrill.yaml:7".to_owned();
        Interlocks {
            time_zone: zone_of(zone),
            windows: (!windows.is_empty()).then(|| Rule { is: windows.to_vec(), place: place.clone() }),
            freeze: (!freeze.is_empty()).then_some(Rule { is: freeze, place }),
            ..Interlocks::default()
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    const WORK: [Day; 5] = [Day::Monday, Day::Tuesday, Day::Wednesday, Day::Thursday, Day::Friday];

    #[test]
    fn without_rules_it_is_always_allowed() {
        assert_eq!(standing(&Interlocks::default(), at("2026-11-21T10:00:00Z")), Ok(None));
    }

    #[test]
    fn a_window_is_in_its_own_zone_and_its_end_is_outside() {
        let berlin = rules("Europe/Berlin", &[window(&WORK, 9 * 60, 17 * 60)], &[]);
        // 21 November 2026 is a Saturday; Berlin is an hour ahead of UTC then, and two in summer.
        assert_eq!(standing(&berlin, at("2026-11-20T08:00:00Z")), Ok(Some(at("2026-11-20T16:00:00Z"))));
        assert_eq!(standing(&berlin, at("2026-07-17T07:00:00Z")), Ok(Some(at("2026-07-17T15:00:00Z"))));
        for outside in ["2026-11-20T07:59:59Z", "2026-11-20T16:00:00Z", "2026-11-21T10:00:00Z"] {
            let shut = standing(&berlin, at(outside)).expect_err("outside");
            assert_eq!(shut.rule, "windows");
        }
        let weekend = standing(&berlin, at("2026-11-21T10:00:00Z")).expect_err("outside");
        assert_eq!(weekend.opens, Some(at("2026-11-23T08:00:00Z")));
        assert_eq!(
            weekend.why,
            "it is Sat 2026-11-21 11:00 Europe/Berlin, outside of mon, tue, wed, thu, fri 09:00-17:00"
        );
    }

    #[test]
    fn a_window_may_name_its_own_zone_and_pass_midnight() {
        let mut night = window(&[Day::Friday], 22 * 60, 2 * 60);
        night.time_zone = Some(zone_of("America/New_York"));
        let rules = rules("Europe/Berlin", &[night], &[]);
        // Friday 22:00 in New York is Saturday 03:00 UTC.
        assert_eq!(standing(&rules, at("2026-11-21T03:00:00Z")), Ok(Some(at("2026-11-21T07:00:00Z"))));
        assert_eq!(standing(&rules, at("2026-11-21T06:59:59Z")), Ok(Some(at("2026-11-21T07:00:00Z"))));
        assert!(standing(&rules, at("2026-11-21T07:00:00Z")).is_err());
        assert!(standing(&rules, at("2026-11-20T06:00:00Z")).is_err(), "Thursday's night is not Friday's");
    }

    #[test]
    fn windows_that_touch_are_one() {
        let whole_days = rules("UTC", &[window(&[Day::Monday, Day::Tuesday], 0, 1440)], &[]);
        assert_eq!(standing(&whole_days, at("2026-11-23T12:00:00Z")), Ok(Some(at("2026-11-25T00:00:00Z"))));
        let always = rules("UTC", &[window(&[], 0, 1440)], &[]);
        assert_eq!(standing(&always, at("2026-11-23T12:00:00Z")), Ok(None));
    }

    #[test]
    fn a_time_that_the_clocks_leave_out_is_when_they_go_forward() {
        // Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
        let until = rules("Europe/Berlin", &[window(&[], 60, 150)], &[]);
        assert_eq!(standing(&until, at("2026-03-29T00:59:59Z")), Ok(Some(at("2026-03-29T01:00:00Z"))));
        assert!(standing(&until, at("2026-03-29T01:00:00Z")).is_err());
        let from = rules("Europe/Berlin", &[window(&[], 150, 240)], &[]);
        assert!(standing(&from, at("2026-03-29T00:59:59Z")).is_err());
        assert_eq!(standing(&from, at("2026-03-29T01:00:00Z")), Ok(Some(at("2026-03-29T02:00:00Z"))));
        let within = rules("Europe/Berlin", &[window(&[], 125, 155)], &[]);
        for minute in ["2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"] {
            assert!(standing(&within, at(minute)).is_err(), "{minute}");
        }
    }

    #[test]
    fn a_time_that_comes_twice_is_its_first_coming() {
        // Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC, so that 02:30 is at 00:30 and at 01:30.
        let short = rules("Europe/Berlin", &[window(&[], 120, 150)], &[]);
        assert_eq!(standing(&short, at("2026-10-25T00:00:00Z")), Ok(Some(at("2026-10-25T00:30:00Z"))));
        assert!(standing(&short, at("2026-10-25T00:30:00Z")).is_err());
        assert!(standing(&short, at("2026-10-25T01:15:00Z")).is_err(), "it does not open a second time");
        let long = rules("Europe/Berlin", &[window(&[], 120, 180)], &[]);
        assert_eq!(standing(&long, at("2026-10-25T01:59:00Z")), Ok(Some(at("2026-10-25T02:00:00Z"))));
    }

    #[test]
    fn a_freeze_beats_a_window_and_closes_it() {
        let frozen = rules(
            "Europe/Berlin",
            &[window(&WORK, 9 * 60, 17 * 60)],
            &[("2026-12-21", "2027-01-03"), ("2026-11-27", "2026-11-27")],
        );
        let shut = standing(&frozen, at("2026-11-27T10:00:00Z")).expect_err("Black Friday");
        assert_eq!((shut.rule, shut.place.as_str()), ("freeze", "firedrill.yaml:7"));
        assert_eq!(shut.why, "changes are frozen on 2026-11-27 (Europe/Berlin)");
        assert_eq!(shut.opens, Some(at("2026-11-30T08:00:00Z")));
        let shut = standing(&frozen, at("2026-12-31T10:00:00Z")).expect_err("the turn of the year");
        assert_eq!(shut.opens, Some(at("2027-01-04T08:00:00Z")));
        // Both ends are whole days of Berlin, not of UTC.
        let open = rules("Europe/Berlin", &[], &[("2026-12-21", "2027-01-03")]);
        assert_eq!(standing(&open, at("2026-12-20T22:59:59Z")), Ok(Some(at("2026-12-20T23:00:00Z"))));
        assert!(standing(&open, at("2026-12-20T23:00:00Z")).is_err());
        assert!(standing(&open, at("2027-01-03T22:59:59Z")).is_err());
        assert_eq!(standing(&open, at("2027-01-03T23:00:00Z")), Ok(None));
    }
}
