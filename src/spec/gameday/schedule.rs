//! When a game day takes place: the second Tuesday of each quarter at ten, say, apart from freezes.
//!
//! Pure: which occurrence comes next follows from the schedule and the instant that is asked about. No clock is read.

use std::time::Duration;

use jiff::Zoned;
use jiff::civil::Date;

use super::on::{Nth, Of, On};
use crate::notation::decode::Spanned;
use crate::spec::interlock::{Day, Freeze, TimeOfDay, Zone};
use crate::{record, words};

words! {
    /// How often a game day takes place. Quarters and half-years are those of the calendar.
    pub enum Period {
        /// Once from each Monday to the Sunday after it.
        "week" => Week,
        /// Once a month.
        "month" => Month,
        /// Once from January to March, and so on.
        "quarter" => Quarter,
        /// Once from January to June, and once from July to December.
        "half-year" => HalfYear,
        /// Once a year.
        "year" => Year,
    }
}

impl Period {
    /// How many months it has; a week has none.
    pub fn months(self) -> u8 {
        match self {
            Period::Week => 0,
            Period::Month => 1,
            Period::Quarter => 3,
            Period::HalfYear => 6,
            Period::Year => 12,
        }
    }

    /// How many of them a year has, rounded down.
    pub fn in_a_year(self) -> usize {
        match self.months() {
            0 => 52,
            months => usize::from(12 / months),
        }
    }

    /// The first day of the period that a day is in.
    pub fn first_day(self, date: Date) -> Option<Date> {
        match i8::try_from(self.months()).ok()? {
            0 => date.checked_sub(jiff::Span::new().days(date.weekday().to_monday_zero_offset())).ok(),
            months => Date::new(date.year(), date.month() - (date.month() - 1) % months, 1).ok(),
        }
    }

    /// The first day of the next one, from the first day of one.
    pub fn next(self, first: Date) -> Option<Date> {
        let step = match self.months() {
            0 => jiff::Span::new().days(7),
            months => jiff::Span::new().months(months),
        };
        first.checked_add(step).ok()
    }
}

record! {
    /// When a game day takes place.
    pub struct Schedule {
        /// How often.
        pub every: Spanned<Period>,
        /// On which day: `second tuesday`, counted from the first day of the period; `last friday`; in one of its months:
        /// `first monday of the second month`; of a year also `first monday of march`; of a week the day alone.
        pub on: Spanned<On>,
        /// When it starts, such as `10:00`.
        pub at: Spanned<TimeOfDay>,
        /// The IANA time zone of `at` and of the freeze dates, such as `Europe/Berlin`.
        pub time_zone: Zone,
        /// How long it lasts: what people keep free. Its drills and waits must fit in.
        pub lasts: Option<Spanned<Duration>>,
        /// Days without game days, each a date or a range with both its ends, as in an environment. One that would fall on them
        /// is left out, not moved.
        pub freeze: Option<Vec<Spanned<Freeze>>>,
    }
}

impl Schedule {
    /// The start of the first occurrence after an instant, in the schedule's zone. `None` when the calendar ends before.
    pub fn next(&self, after: &Zoned) -> Option<Zoned> {
        let zone = &self.time_zone.0;
        let every = self.every.value;
        // A start belongs to the date of its day, whatever the zone makes of it.
        let today = after.with_time_zone(zone.clone()).date();
        let mut first = every.first_day(today.yesterday().unwrap_or(today))?;
        loop {
            let start = self.date_in(first).and_then(|date| self.start_on(date));
            let frozen = start.as_ref().and_then(|start| self.frozen(start));
            match (start, frozen) {
                (Some(start), None) if start.timestamp() > after.timestamp() => return Some(start),
                // Over the whole freeze at once: it may last for centuries.
                (_, Some(freeze)) => first = every.next(first)?.max(every.first_day(freeze.to)?),
                _ => first = every.next(first)?,
            }
        }
    }

    /// The day on which it would take place in the period that begins on `first`, freeze or not.
    pub fn date_in(&self, first: Date) -> Option<Date> {
        let next = self.every.next(first)?;
        let (from, until) = match self.on.of {
            None => (first, next),
            Some(of) => {
                let months = self.every.months();
                let index = match of {
                    Of::Named(month) => month.checked_sub(1)? % months.max(1),
                    Of::Counted(month) => month.checked_sub(1)?,
                    Of::Last => months.checked_sub(1)?,
                };
                let from = first.checked_add(jiff::Span::new().months(index)).ok()?;
                (from, Period::Month.next(from)?)
            }
        };
        let nth = self.on.nth.unwrap_or(Nth::Number(1));
        let found = match nth {
            Nth::Number(number) => {
                let ahead = days_between(Day::of(from), self.on.day) + 7 * (i64::from(number) - 1);
                from.checked_add(jiff::Span::new().days(ahead)).ok()?
            }
            Nth::Last => {
                let last = until.yesterday().ok()?;
                let back = days_between(self.on.day, Day::of(last));
                last.checked_sub(jiff::Span::new().days(back)).ok()?
            }
        };
        (from <= found && found < until).then_some(found)
    }

    /// The instant at which it starts on a day. A time that the clocks leave out is the instant at which they go forward, and
    /// of one that comes twice it is the first.
    pub fn start_on(&self, date: Date) -> Option<Zoned> {
        let instant = self.time_zone.instant(self.at.on(date)?)?;
        Some(instant.to_zoned(self.time_zone.0.clone()))
    }

    /// The freeze that one which starts then would fall on, with any part of it.
    pub fn frozen(&self, start: &Zoned) -> Option<&Freeze> {
        let first = start.date();
        let lasts = self.lasts.as_ref().map_or(Duration::ZERO, |lasts| lasts.value);
        // Its end is the first instant after it.
        let end = start.checked_add(lasts.saturating_sub(Duration::from_nanos(1))).map(|end| end.date());
        let last = end.unwrap_or(first).max(first);
        let freeze = self.freeze.iter().flatten().map(|freeze| &freeze.value);
        freeze.filter(|freeze| freeze.from <= last && first <= freeze.to).max_by_key(|freeze| freeze.to)
    }

    /// The days on which it would take place in the periods from one day to another, freeze or not.
    pub(super) fn planned(&self, from: Date, to: Date) -> impl Iterator<Item = Date> + '_ {
        let firsts = std::iter::successors(self.every.first_day(from), |first| self.every.next(*first));
        firsts.take_while(move |first| *first <= to).filter_map(|first| self.date_in(first))
    }
}

/// How many days a day of the week comes after another, from 0 to 6.
fn days_between(from: Day, to: Day) -> i64 {
    (i64::from(to as u8) - i64::from(from as u8)).rem_euclid(7)
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
