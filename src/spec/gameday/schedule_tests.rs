use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::date;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::notation::decode::{Context, Decode};
use crate::notation::yaml;
use crate::spec::values::Verbatim;

fn schedule(text: &str) -> Schedule {
    let root = yaml::parse(text.as_bytes()).root.expect("YAML");
    let mut cx = Context::new(&Verbatim);
    let read = Schedule::decode(&root, &mut cx);
    assert_eq!(cx.problems, [], "{text}");
    read.expect("a schedule")
}

fn at(text: &str) -> Zoned {
    text.parse::<Timestamp>().expect("a time").to_zoned(TimeZone::UTC)
}

/// The next starts after an instant, as its own clocks show them.
fn next(text: &str, after: &str, many: usize) -> Vec<String> {
    let (schedule, mut after) = (schedule(text), at(after));
    let mut found = Vec::new();
    while found.len() < many {
        let Some(start) = schedule.next(&after) else { break };
        found.push(start.strftime("%a %Y-%m-%d %H:%M").to_string());
        after = start;
    }
    found
}

#[test]
fn each_period_has_its_day() {
    let quarter = "{ every: quarter, on: second tuesday, at: '10:00', time_zone: Europe/Berlin }";
    let starts =
        ["Tue 2026-10-13 10:00", "Tue 2027-01-12 10:00", "Tue 2027-04-13 10:00", "Tue 2027-07-13 10:00"];
    assert_eq!(next(quarter, "2026-09-01T00:00:00Z", 4), starts);
    let month = "{ every: month, on: last friday, at: '09:30', time_zone: UTC }";
    assert_eq!(next(month, "2026-11-01T00:00:00Z", 2), ["Fri 2026-11-27 09:30", "Fri 2026-12-25 09:30"]);
    let week = "{ every: week, on: mon, at: '00:00', time_zone: UTC }";
    assert_eq!(next(week, "2026-11-22T00:00:00Z", 2), ["Mon 2026-11-23 00:00", "Mon 2026-11-30 00:00"]);
    let half = "{ every: half-year, on: last thursday, at: '10:00', time_zone: UTC }";
    assert_eq!(next(half, "2026-01-01T00:00:00Z", 2), ["Thu 2026-06-25 10:00", "Thu 2026-12-31 10:00"]);
}

#[test]
fn a_month_of_the_period_is_counted_or_named() {
    let second = "{ every: quarter, on: first monday of the second month, at: '10:00', time_zone: UTC }";
    assert_eq!(next(second, "2026-01-01T00:00:00Z", 2), ["Mon 2026-02-02 10:00", "Mon 2026-05-04 10:00"]);
    let last = "{ every: half-year, on: third monday of the last month, at: '10:00', time_zone: UTC }";
    assert_eq!(next(last, "2026-01-01T00:00:00Z", 2), ["Mon 2026-06-15 10:00", "Mon 2026-12-21 10:00"]);
    let march = "{ every: year, on: fourth wednesday of march, at: '10:00', time_zone: UTC }";
    assert_eq!(next(march, "2026-01-01T00:00:00Z", 2), ["Wed 2026-03-25 10:00", "Wed 2027-03-24 10:00"]);
}

#[test]
fn the_next_one_is_after_the_instant_and_not_at_it() {
    let week = "{ every: week, on: tuesday, at: '10:00', time_zone: Europe/Berlin }";
    // 10:00 in Berlin is 09:00 UTC in winter.
    assert_eq!(next(week, "2026-11-24T08:59:59Z", 1), ["Tue 2026-11-24 10:00"]);
    assert_eq!(next(week, "2026-11-24T09:00:00Z", 1), ["Tue 2026-12-01 10:00"]);
}

#[test]
fn the_day_is_that_of_the_zone() {
    // Tuesday 23:30 in Honolulu is Wednesday in UTC.
    let week = "{ every: week, on: tuesday, at: '23:30', time_zone: Pacific/Honolulu }";
    let start = schedule(week).next(&at("2026-11-24T12:00:00Z")).expect("a start");
    assert_eq!(start.timestamp(), "2026-11-25T09:30:00Z".parse().expect("a time"));
}

#[test]
fn what_falls_on_a_freeze_is_left_out() {
    let text = "{ every: quarter, on: second tuesday, at: '10:00', time_zone: UTC, freeze: [2027-01-12, 2026-10-01..2026-10-13] }";
    assert_eq!(next(text, "2026-09-01T00:00:00Z", 2), ["Tue 2027-04-13 10:00", "Tue 2027-07-13 10:00"]);
    // One that begins the day before, and lasts into it.
    let night = "{ every: week, on: tuesday, at: '22:00', time_zone: UTC, lasts: 4h, freeze: [2026-11-25] }";
    assert_eq!(next(night, "2026-11-22T00:00:00Z", 1), ["Tue 2026-12-01 22:00"]);
    // One that ends at midnight does not.
    let evening = night.replace("4h", "2h");
    assert_eq!(next(&evening, "2026-11-22T00:00:00Z", 1), ["Tue 2026-11-24 22:00"]);
}

#[test]
fn centuries_of_freeze_are_passed_at_once_and_the_calendar_ends() {
    let long = "{ every: week, on: tuesday, at: '10:00', time_zone: UTC, freeze: [2026-01-01..9990-01-01] }";
    let start = schedule(long).next(&at("2026-11-22T00:00:00Z")).expect("a start");
    assert_eq!(start.date(), date(9990, 1, 2));
    let never = long.replace("9990-01-01", "9999-12-31");
    assert_eq!(schedule(&never).next(&at("2026-11-22T00:00:00Z")), None);
}

#[test]
fn a_time_that_the_clocks_leave_out_is_when_they_go_forward_and_one_that_comes_twice_its_first_coming() {
    let spring = "{ every: year, on: last sunday of march, at: '02:30', time_zone: Europe/Berlin }";
    let start = schedule(spring).next(&at("2027-01-01T00:00:00Z")).expect("a start");
    assert_eq!(start.timestamp(), "2027-03-28T01:00:00Z".parse().expect("a time"));
    let autumn = "{ every: year, on: last sunday of october, at: '02:30', time_zone: Europe/Berlin }";
    let start = schedule(autumn).next(&at("2026-01-01T00:00:00Z")).expect("a start");
    assert_eq!(start.timestamp(), "2026-10-25T00:30:00Z".parse().expect("a time"));
}

/// From a period's first day to the day after its last, told by walking its days.
fn period_of(every: Period, day: Date) -> (Date, Date) {
    let same = |other: Date| match every {
        Period::Week => {
            day.iso_week_date().week() == other.iso_week_date().week()
                && day.iso_week_date().year() == other.iso_week_date().year()
        }
        Period::Month => (day.year(), day.month()) == (other.year(), other.month()),
        Period::Quarter => (day.year(), (day.month() + 2) / 3) == (other.year(), (other.month() + 2) / 3),
        Period::HalfYear => (day.year(), day.month() > 6) == (other.year(), other.month() > 6),
        Period::Year => day.year() == other.year(),
    };
    let (mut first, mut after) = (day, day);
    while same(first.yesterday().expect("a day")) {
        first = first.yesterday().expect("a day");
    }
    while same(after) {
        after = after.tomorrow().expect("a day");
    }
    (first, after)
}

fn days(from: Date, to: Date) -> Vec<Date> {
    from.series(1.day()).take_while(|day| *day < to).collect()
}

const PERIODS: [Period; 5] = [Period::Week, Period::Month, Period::Quarter, Period::HalfYear, Period::Year];
const ZONES: [&str; 4] = ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the schedule, each occurrence is later than the one before, on the day of its period that is meant, at the
    /// time of day that is meant, and on no freeze; and no period without a freeze is left out.
    #[test]
    fn occurrences_are_the_days_that_are_meant(
        every in 0usize..5,
        number in 0u8..5,
        weekday in 0usize..7,
        month in 0u8..8,
        minute in 0u16..1440,
        zone in 0usize..4,
        freezes in proptest::collection::vec((0i64..1500, 0i64..120), 0..4),
        from in 0i64..1500,
    ) {
        let every = PERIODS[every];
        let day = [Day::Monday, Day::Tuesday, Day::Wednesday, Day::Thursday, Day::Friday, Day::Saturday, Day::Sunday][weekday];
        let nth = (every != Period::Week).then_some(if number == 0 { Nth::Last } else { Nth::Number(number) });
        let of = match (every.months(), month) {
            (0 | 1, _) | (_, 0) => None,
            (12, month) => Some(Of::Named(month)),
            (_, 7) => Some(Of::Last),
            (months, month) => Some(Of::Counted((month - 1) % months + 1)),
        };
        let spanned = |value| Spanned { value, span: Default::default() };
        let base = date(2024, 1, 1);
        let later = |days: i64| base.checked_add(days.days()).expect("a day");
        let freeze: Vec<Freeze> =
            freezes.iter().map(|(from, long)| Freeze { from: later(*from), to: later(from + long) }).collect();
        let schedule = Schedule {
            every: Spanned { value: every, span: Default::default() },
            on: Spanned { value: On { nth, day, of }, span: Default::default() },
            at: Spanned { value: TimeOfDay(minute), span: Default::default() },
            time_zone: Zone(TimeZone::get(ZONES[zone]).expect("a zone")),
            lasts: None,
            freeze: Some(freeze.iter().cloned().map(spanned).collect()),
        };
        prop_assert!(schedule.on.misfit(every).is_none());
        let mut after = later(from).at(12, 0, 0, 0).to_zoned(TimeZone::UTC).expect("a time");
        for _ in 0..4 {
            let Some(start) = schedule.next(&after) else { return Err(TestCaseError::fail("it ends")) };
            prop_assert!(start > after);
            // The day is the one whose time of day the start stands for.
            let meant: Vec<Date> = [start.date(), start.date().yesterday().expect("a day")]
                .into_iter()
                .filter(|date| schedule.start_on(*date).as_ref() == Some(&start))
                .collect();
            let found = *meant.first().expect("a day");
            prop_assert_eq!(Day::of(found), day);
            let (first, end) = period_of(every, found);
            let mut alike: Vec<Date> = days(first, end).into_iter().filter(|date| Day::of(*date) == day).collect();
            if let Some(of) = of {
                let months: Vec<i8> = match of {
                    Of::Named(month) => vec![month as i8],
                    Of::Counted(month) => vec![first.month() + month as i8 - 1],
                    Of::Last => vec![first.month() + every.months() as i8 - 1],
                };
                alike.retain(|date| months.contains(&date.month()));
            }
            let expected = match nth {
                None => alike.first(),
                Some(Nth::Number(number)) => alike.get(usize::from(number) - 1),
                Some(Nth::Last) => alike.last(),
            };
            prop_assert_eq!(Some(&found), expected);
            let frozen = |date: Date| freeze.iter().any(|freeze| freeze.from <= date && date <= freeze.to);
            prop_assert!(!frozen(start.date()));
            // What was passed over was frozen, or before.
            let mut day = period_of(every, after.with_time_zone(schedule.time_zone.0.clone()).date()).0;
            while day < first {
                let passed = schedule.date_in(day).and_then(|date| schedule.start_on(date)).expect("a start");
                prop_assert!(passed <= after || frozen(passed.date()), "{passed} was passed over");
                day = period_of(every, day).1;
            }
            after = start;
        }
    }
}
