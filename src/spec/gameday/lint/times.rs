//! Rules about times: the day fits its period, the clocks show it, freezes leave some, and the drills fit in.

use std::time::Duration;

use jiff::civil::Date;

use crate::notation::code::Code;
use crate::notation::decode::{Problem, Spanned, clip};
use crate::notation::units::show;
use crate::spec::gameday::agenda::{DrillDraft, Is};
use crate::spec::gameday::draft::Draft;
use crate::spec::gameday::length::Length;
use crate::spec::gameday::schedule::Schedule;
use crate::spec::interlock::{Freeze, TimeOfDay};

/// The first year in which a schedule is looked at, since no clock is read.
const FROM: i16 = 2026;
/// After so many years, days of the week and dates go together as before.
const YEARS: i16 = 28;

pub(super) fn times(draft: &Draft, problems: &mut Vec<Problem>) {
    let Some(Some(schedule)) = &draft.schedule else { return };
    let before = problems.len();
    day(schedule, problems);
    if problems.len() == before {
        clocks(schedule, problems);
        overlaps(schedule, problems);
        year(schedule, problems);
    }
    if let Some(lasts) = &schedule.lasts {
        length(draft, lasts, problems);
    }
}

/// The day and the time of day are such as every period has.
fn day(schedule: &Schedule, problems: &mut Vec<Problem>) {
    if let Some((why, help)) = schedule.on.misfit(schedule.every.value) {
        problems.push(
            Problem::new(Code::DayDoesNotFit, schedule.on.span, why)
                .label(format!("it takes place every {}", schedule.every.word()))
                .related(schedule.every.span, "how often")
                .help(help),
        );
    }
    if schedule.at.value >= TimeOfDay(24 * 60) {
        problems.push(
            Problem::new(Code::NotATimeOfDay, schedule.at.span, "`24:00` is the end of a day")
                .label("nothing starts there")
                .help("write `at: \"00:00\"`, which is the start of the day that `on` says"),
        );
    }
    if let Some(lasts) = schedule.lasts.as_ref().filter(|lasts| lasts.is_zero()) {
        let problem = Problem::new(Code::ZeroTime, lasts.span, "a game day of no time");
        problems.push(problem.help("such as `lasts: 3h`, or leave it out"));
    }
}

/// Some day of the schedule is one on which the clocks leave its time out.
fn clocks(schedule: &Schedule, problems: &mut Vec<Problem>) {
    let (Ok(from), Ok(to)) = (Date::new(FROM, 1, 1), Date::new(FROM + YEARS, 1, 1)) else { return };
    let zone = &schedule.time_zone;
    let skipped = schedule.planned(from, to).find(|date| {
        let frozen = || schedule.freeze.iter().flatten().any(|freeze| holds(freeze, *date));
        schedule.at.on(*date).is_some_and(|time| zone.skips(time)) && !frozen()
    });
    if let Some(date) = skipped {
        problems.push(
            Problem::new(
                Code::ClocksSkip,
                schedule.at.span,
                format!("on {date} the clocks of {} go forward past this time", zone.name()),
            )
            .label("not shown on that day")
            .help("it would start at the instant at which they do; another time leaves no doubt")
            .warning(),
        );
    }
}

fn holds(freeze: &Freeze, date: Date) -> bool {
    freeze.from <= date && date <= freeze.to
}

fn written(freeze: &Freeze) -> String {
    match freeze.from == freeze.to {
        true => freeze.from.to_string(),
        false => format!("{}..{}", freeze.from, freeze.to),
    }
}

/// The freezes by their first days.
fn sorted(schedule: &Schedule) -> Vec<&Spanned<Freeze>> {
    let mut sorted: Vec<&Spanned<Freeze>> = schedule.freeze.iter().flatten().collect();
    sorted.sort_by_key(|freeze| (freeze.from, freeze.to));
    sorted
}

/// Each day is frozen once.
fn overlaps(schedule: &Schedule, problems: &mut Vec<Problem>) {
    let mut latest: Option<&Spanned<Freeze>> = None;
    for freeze in sorted(schedule) {
        if let Some(before) = latest.filter(|before| freeze.from <= before.to) {
            // The one further down is the one to change.
            let (first, second) =
                if before.span.start <= freeze.span.start { (before, freeze) } else { (freeze, before) };
            problems.push(
                Problem::new(
                    Code::FreezesOverlap,
                    second.span,
                    format!("{} and {} overlap", written(first), written(second)),
                )
                .label("some of these days are frozen already")
                .related(first.span, "by this one")
                .help("make one of the two, or end the earlier one before the later one begins")
                .warning(),
            );
        }
        latest = Some(latest.filter(|before| before.to > freeze.to).unwrap_or(freeze));
    }
}

/// The freezes leave out no whole year.
fn year(schedule: &Schedule, problems: &mut Vec<Problem>) {
    // Those that touch or overlap, as one.
    let mut merged: Vec<(Freeze, &Spanned<Freeze>)> = Vec::new();
    for freeze in sorted(schedule) {
        match merged.last_mut() {
            Some((last, _)) if last.to.tomorrow().is_ok_and(|next| freeze.from <= next) => {
                last.to = last.to.max(freeze.to);
            }
            _ => merged.push((freeze.value.clone(), freeze)),
        }
    }
    let frozen = |date: &Date| {
        let after = merged.partition_point(|(freeze, _)| freeze.from <= *date);
        after.checked_sub(1).and_then(|at| merged.get(at)).is_some_and(|(freeze, _)| holds(freeze, *date))
    };
    let all = schedule.every.in_a_year();
    for (freeze, place) in &merged {
        let days = schedule.planned(freeze.from, Date::MAX).skip_while(|date| *date < freeze.from);
        let left_out: Vec<Date> = days.take(all).take_while(frozen).collect();
        let (Some(first), Some(last)) = (left_out.first(), left_out.last()) else { continue };
        if left_out.len() < all {
            continue;
        }
        let days = if first == last { format!("{first}") } else { format!("those from {first} to {last}") };
        problems.push(
            Problem::new(
                Code::YearFrozen,
                place.span,
                format!("every game day of a year falls on a freeze: {days}"),
            )
            .label("they are left out, not moved")
            .related(schedule.on.span, "the day")
            .help("choose another day or month, or a shorter freeze")
            .warning(),
        );
        return;
    }
}

/// How long each part of the agenda takes, as far as its file says.
fn lengths(draft: &Draft) -> Vec<(String, Length)> {
    let of = |drill: &DrillDraft| {
        let experiment = drill.found.as_ref()?.experiment.as_ref()?;
        let length = match (drill.tabletop?, drill.dry_run?) {
            (true, _) => Length::aloud(experiment),
            (_, true) => Length::dry(experiment),
            _ => Length::of(experiment),
        };
        Some((clip(drill.name()), length))
    };
    let entries = draft.entries().filter_map(|entry| match &entry.is {
        Is::Drill(drill) => of(drill),
        Is::Wait(time) => time.map(|time| ("waits".to_owned(), Length { least: time, most: time })),
        Is::Unread => None,
    });
    let mut lengths: Vec<(String, Length)> = Vec::new();
    for (name, length) in entries {
        match lengths.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => {
                sum.least = sum.least.saturating_add(length.least);
                sum.most = sum.most.saturating_add(length.most);
            }
            None => lengths.push((name, length)),
        }
    }
    lengths
}

/// The drills and the waits fit into the day.
fn length(draft: &Draft, lasts: &Spanned<Duration>, problems: &mut Vec<Problem>) {
    if lasts.is_zero() {
        return;
    }
    let lengths = lengths(draft);
    let sum = |part: fn(&Length) -> Duration| {
        lengths.iter().fold(Duration::ZERO, |sum, (_, length)| sum.saturating_add(part(length)))
    };
    let each = |part: fn(&Length) -> Duration| {
        let known = lengths.iter().filter(|(_, length)| !part(length).is_zero());
        known.map(|(name, length)| format!("{name} {}", show(part(length)))).collect::<Vec<_>>().join(", ")
    };
    let (least, most) = (sum(|length| length.least), sum(|length| length.most));
    if least > lasts.value {
        problems.push(
            Problem::new(
                Code::DayTooShort,
                lasts.span,
                format!(
                    "the drills and waits take {} at least, and the day lasts {}",
                    show(least),
                    show(lasts.value)
                ),
            )
            .label("over before they are")
            .help(format!("a longer day, or fewer drills: {}", each(|length| length.least))),
        );
    } else if most > lasts.value {
        problems.push(
            Problem::new(
                Code::DayMayBeTooShort,
                lasts.span,
                format!(
                    "the drills and waits may take {}, and the day lasts {}",
                    show(most),
                    show(lasts.value)
                ),
            )
            .label("enough only if all goes well")
            .help(format!("until their deadlines: {}", each(|length| length.most)))
            .warning(),
        );
    }
}
