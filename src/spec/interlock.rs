//! What an environment says must hold before anything in it is changed.
//!
//! Declarations only: [`interlock`](crate::interlock) holds a plan against them.

use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem, Spanned};
use crate::notation::yaml::{Node, Span};
use crate::{record, words};

/// How long an approval holds when the environment does not say.
pub const APPROVAL_VALID: Duration = Duration::from_secs(24 * 60 * 60);

/// Tags, by key.
pub type Tags = IndexMap<String, String>;

/// A rule, and where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule<T> {
    /// What it says.
    pub is: T,
    /// Its place, such as `firedrill.yaml:9`.
    pub place: String,
}

/// The interlocks of an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Interlocks {
    /// A resource that carries any of these tags is never acted on.
    pub protected: Rule<Tags>,
    /// Only a resource that carries all of these tags is acted on.
    pub opt_in: Option<Rule<Tags>>,
    /// The time zone of the freeze dates, and of the windows that name none.
    pub time_zone: Zone,
    /// Outside of these nothing is changed.
    pub windows: Option<Rule<Vec<Window>>>,
    /// Within these nothing is changed.
    pub freeze: Option<Rule<Vec<Freeze>>>,
    /// Whether `--outside-window` may override windows and freezes.
    pub r#override: Override,
    /// How much one drill may act on.
    pub limits: Option<Rule<Limits>>,
    /// How many people beside the one who runs must approve the frozen plan.
    pub approvals: Option<Rule<u8>>,
    /// How long an approval holds.
    pub approval_valid: Duration,
    /// Whether the environment's name must be given by `--confirm`, whatever else confirms.
    pub require_confirm: bool,
}

impl Default for Interlocks {
    fn default() -> Interlocks {
        let never = IndexMap::from([("firedrill".to_owned(), "never".to_owned())]);
        Interlocks {
            protected: Rule { is: never, place: "the default of every environment".to_owned() },
            opt_in: None,
            time_zone: Zone(TimeZone::UTC),
            windows: None,
            freeze: None,
            r#override: Override::Never,
            limits: None,
            approvals: None,
            approval_valid: APPROVAL_VALID,
            require_confirm: false,
        }
    }
}

record! {
    /// Resources, told by their tags.
    pub struct Tagged {
        /// Tags and their values.
        pub tags: IndexMap<String, String>,
    }
}

record! {
    /// When things may be changed: on these days, from one time of day to another.
    pub struct Window {
        /// The days on which it opens: `mon` to `sun`. Every day when left out.
        pub days: Option<Vec<Day>>,
        /// When it opens, such as `09:00`.
        pub from: TimeOfDay,
        /// When it closes, such as `17:00`, or `24:00` for midnight; the next day when it is before `from`.
        pub to: TimeOfDay,
        /// The IANA time zone of these times, such as `Europe/Berlin`; the environment's when left out.
        pub time_zone: Option<Zone>,
    }
}

record! {
    /// How much one drill may act on.
    pub struct Limits {
        /// At most this many resources, over all steps.
        pub targets: Option<u32>,
        /// At most this many in a hundred of those that match a target, rounded up.
        pub percent: Option<u32>,
    }
}

words! {
    /// The days of the week.
    pub enum Day {
        /// Monday.
        "mon" => Monday,
        /// Tuesday.
        "tue" => Tuesday,
        /// Wednesday.
        "wed" => Wednesday,
        /// Thursday.
        "thu" => Thursday,
        /// Friday.
        "fri" => Friday,
        /// Saturday.
        "sat" => Saturday,
        /// Sunday.
        "sun" => Sunday,
    }
}

impl Day {
    /// The day of a date.
    pub fn of(date: Date) -> Day {
        use jiff::civil::Weekday;
        match date.weekday() {
            Weekday::Monday => Day::Monday,
            Weekday::Tuesday => Day::Tuesday,
            Weekday::Wednesday => Day::Wednesday,
            Weekday::Thursday => Day::Thursday,
            Weekday::Friday => Day::Friday,
            Weekday::Saturday => Day::Saturday,
            Weekday::Sunday => Day::Sunday,
        }
    }
}

words! {
    /// Whether a person may decide to change things outside of the windows.
    pub enum Override {
        /// Nobody may.
        "never" => Never,
        /// Whoever gives a reason may: `--outside-window REASON`. It is journalled.
        "allowed" => Allowed,
    }
}

/// A time zone of the IANA database.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(pub TimeZone);

impl Zone {
    /// Its IANA name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The instant at which the zone's clocks first show this time or, left out by them, go past it.
    pub fn instant(&self, time: DateTime) -> Option<Timestamp> {
        let ambiguous = self.0.to_ambiguous_timestamp(time);
        match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => {
                // The earlier reading is before the clocks go forward, by less than they do.
                let before = ambiguous.earlier().ok()?;
                self.0.following(before).next().map(|transition| transition.timestamp())
            }
            _ => ambiguous.earlier().ok(),
        }
    }

    /// Whether the zone's clocks go past this time without showing it.
    pub fn skips(&self, time: DateTime) -> bool {
        matches!(self.0.to_ambiguous_timestamp(time).offset(), AmbiguousOffset::Gap { .. })
    }
}

impl Decode for Zone {
    fn expects() -> String {
        "an IANA time zone, such as Europe/Berlin or UTC".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let name = cx.text_for::<Self>(node)?;
        match TimeZone::get(&name) {
            Ok(zone) => Some(Zone(zone)),
            Err(_) => {
                let help = "offsets and abbreviations are no zones";
                let problem = cx.mismatch(Code::NotATimeZone, node, &Self::expects()).help(help);
                cx.report(problem);
                None
            }
        }
    }

    fn written(&self) -> Option<String> {
        Some(self.name().to_owned())
    }
}

/// A time of day, in minutes since midnight: from 0 to 1440, which is the next midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(pub u16);

impl TimeOfDay {
    /// The next midnight.
    const MIDNIGHT: u16 = 24 * 60;

    fn parse(text: &str) -> Option<TimeOfDay> {
        let (hours, minutes) = text.split_once(':')?;
        let number = |text: &str| match text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u16>().ok(),
            false => None,
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let fits = (hours < 24 && minutes < 60) || (hours == 24 && minutes == 0);
        fits.then_some(TimeOfDay(hours * 60 + minutes))
    }

    /// This time on a date, or on the next one for midnight at the day's end. `None` past the calendar's end.
    pub fn on(self, date: Date) -> Option<DateTime> {
        let date = if self.0 >= TimeOfDay::MIDNIGHT { date.tomorrow().ok()? } else { date };
        let (hours, minutes) = (self.0 / 60 % 24, self.0 % 60);
        let time = Time::new(i8::try_from(hours).ok()?, i8::try_from(minutes).ok()?, 0, 0).ok()?;
        Some(date.to_datetime(time))
    }
}

impl Decode for TimeOfDay {
    fn expects() -> String {
        "a time of day from 00:00 to 24:00, such as 09:30".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text_for::<Self>(node)?;
        let read = TimeOfDay::parse(&text);
        if read.is_none() {
            cx.unexpected(Code::NotATimeOfDay, node, &Self::expects());
        }
        read
    }

    fn written(&self) -> Option<String> {
        Some(format!("{:02}:{:02}", self.0 / 60, self.0 % 60))
    }
}

/// Days within which nothing is changed, the last one included.
#[derive(Clone, Debug, PartialEq)]
pub struct Freeze {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
}

impl Decode for Freeze {
    fn expects() -> String {
        "a date such as 2026-12-24, or a range such as 2026-12-20..2027-01-02".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text_for::<Self>(node)?;
        let (from, to) = text.split_once("..").unwrap_or((&text, &text));
        let (Some(from), Some(to)) = (date(from), date(to)) else {
            cx.unexpected(Code::NotADate, node, &Self::expects());
            return None;
        };
        if to < from {
            let problem = Problem::new(
                Code::FreezeBackwards,
                node.span,
                format!("the freeze ends on {to}, before it begins on {from}"),
            );
            cx.report(problem.label("the earlier date comes first"));
            return None;
        }
        Some(Freeze { from, to })
    }

    fn written(&self) -> Option<String> {
        Some(if self.from == self.to { self.from.to_string() } else { format!("{}..{}", self.from, self.to) })
    }
}

/// `YYYY-MM-DD` and nothing else.
fn date(text: &str) -> Option<Date> {
    let text = text.trim();
    if text.len() == 10 { text.parse().ok() } else { None }
}

impl Window {
    /// Whether it opens on this day.
    pub fn opens_on(&self, date: Date) -> bool {
        self.days.as_ref().is_none_or(|days| days.contains(&Day::of(date)))
    }

    /// As it would be written: `mon, tue 09:00-17:00`.
    pub fn describe(&self) -> String {
        let days = match &self.days {
            Some(days) if days.is_empty() => "on no day".to_owned(),
            Some(days) => days.iter().map(|day| day.word()).collect::<Vec<_>>().join(", "),
            None => "every day".to_owned(),
        };
        let time = |time: TimeOfDay| time.written().unwrap_or_default();
        let zone = self.time_zone.as_ref().map(|zone| format!(" {}", zone.name())).unwrap_or_default();
        format!("{days} {}-{}{zone}", time(self.from), time(self.to))
    }
}

/// What is wrong with an environment's rules that each are well written.
pub(super) fn lint(
    windows: Option<&Spanned<Vec<Window>>>,
    opt_in: Option<&Spanned<Tagged>>,
    limits: Option<&Spanned<Limits>>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wrong = |code: Code, span: Span, message: String, label: &str| {
        problems.push(Problem::new(code, span, message).label(label));
    };
    if let Some(windows) = windows {
        if windows.is_empty() {
            wrong(
                Code::WindowNeverOpens,
                windows.span,
                "`windows` is empty: nothing could ever be changed".to_owned(),
                "a window is needed",
            );
        }
        for window in windows.iter() {
            let never = window.days.as_ref().is_some_and(Vec::is_empty);
            if window.from == window.to || never || window.from.0 == TimeOfDay::MIDNIGHT {
                wrong(
                    Code::WindowNeverOpens,
                    windows.span,
                    format!("the window `{}` never opens", window.describe()),
                    "this one",
                );
            }
        }
    }
    if let Some(opt_in) = opt_in.filter(|opt_in| opt_in.tags.is_empty()) {
        wrong(
            Code::OptInForAll,
            opt_in.span,
            "`opt_in` names no tag: it would allow everything".to_owned(),
            "a tag is needed",
        );
    }
    if let Some(limits) = limits {
        if limits.percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
            wrong(
                Code::LimitOutOfRange,
                limits.span,
                "`percent` is not from 1 to 100".to_owned(),
                "this limit",
            );
        }
        if limits.targets == Some(0) {
            wrong(
                Code::LimitOutOfRange,
                limits.span,
                "`targets: 0` would refuse every drill".to_owned(),
                "at least 1",
            );
        }
    }
    problems
}

/// The value and `file:line` of a rule that is written in a file with this text.
pub(super) fn placed<T>(rule: Spanned<T>, path: &str, text: &str) -> Rule<T> {
    let before = text.get(..rule.span.start).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    Rule { is: rule.value, place: format!("{path}:{line}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_strictly() {
        let read = |text| TimeOfDay::parse(text).map(|time| time.0);
        assert_eq!(read("09:30"), Some(570));
        assert_eq!(read("24:00"), Some(1440));
        for wrong in ["9:30", "24:01", "12:60", "25:00", "0930", "+9:30", "", "09:30:00", "٠٩:٣٠"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn midnight_at_the_end_of_a_day_is_the_next_day() {
        let new_year = TimeOfDay(1440).on(Date::constant(2026, 12, 31)).expect("a time");
        assert_eq!(new_year, Date::constant(2027, 1, 1).at(0, 0, 0, 0));
        assert_eq!(TimeOfDay(1440).on(Date::MAX), None);
    }

    #[test]
    fn dates_are_whole_dates() {
        assert_eq!(date("2026-12-24"), Some(Date::constant(2026, 12, 24)));
        for wrong in ["2026-13-01", "2026-02-29", "24.12.2026", "2026-12-24T10:00", "2026-1-1"] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }
}
