//! The day of a schedule as people say it: `second tuesday`, `last friday of the second month`.

use super::schedule::Period;
use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem, clip, nearest};
use crate::notation::fix::Fix;
use crate::notation::shape::{self, Shapes};
use crate::notation::yaml::Node;
use crate::spec::interlock::Day;

/// Which of the days of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nth {
    /// The first to the fourth.
    Number(u8),
    /// The last.
    Last,
}

/// In which month of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A month of the year, from 1 to 12.
    Named(u8),
    /// The first month of the period, or the second and so on.
    Counted(u8),
    /// Its last month.
    Last,
}

/// A day of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct On {
    /// Which of the days of that name; of a week there is but one.
    pub nth: Option<Nth>,
    /// The day of the week.
    pub day: Day,
    /// The month in which it is counted; without it, it is counted in the period.
    pub of: Option<Of>,
}

const DAYS: [(&str, &str, Day); 7] = [
    ("monday", "mon", Day::Monday),
    ("tuesday", "tue", Day::Tuesday),
    ("wednesday", "wed", Day::Wednesday),
    ("thursday", "thu", Day::Thursday),
    ("friday", "fri", Day::Friday),
    ("saturday", "sat", Day::Saturday),
    ("sunday", "sun", Day::Sunday),
];

/// With a fifth only to be told that there is not always one.
const ORDINALS: [&str; 6] = ["first", "second", "third", "fourth", "fifth", "sixth"];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// What people write for the ordinals.
const DIGITS: [(&str, &str); 6] = [
    ("1st", "first"),
    ("2nd", "second"),
    ("3rd", "third"),
    ("4th", "fourth"),
    ("5th", "fifth"),
    ("6th", "sixth"),
];

impl On {
    /// Reads a day as it is written.
    fn parse(text: &str) -> Option<On> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (nth, day, rest) = match words.as_slice() {
            [one] => (None, weekday(one)?, &[][..]),
            [nth, one, rest @ ..] => (Some(self::nth(nth)?), weekday(one)?, rest),
            [] => return None,
        };
        let of = match rest {
            [] => None,
            ["of", month] => Some(Of::Named(count(&MONTHS, month)?)),
            ["of", "the", "last", "month"] => Some(Of::Last),
            ["of", "the", month, "month"] => Some(Of::Counted(count(&ORDINALS, month)?)),
            _ => return None,
        };
        Some(On { nth, day, of })
    }

    /// The day of the week as a word.
    pub fn day_name(&self) -> &'static str {
        DAYS.iter().find(|(_, _, day)| *day == self.day).map_or("day", |(name, ..)| name)
    }

    /// Why it is no day of this period, and what to write instead.
    pub(super) fn misfit(&self, every: Period) -> Option<(String, String)> {
        let (day, period, months) = (self.day_name(), every.word(), every.months());
        let ordinal =
            |month: u8| ORDINALS.get(usize::from(month.saturating_sub(1))).copied().unwrap_or("last");
        match (every, self.nth, self.of) {
            (Period::Week, Some(_), _) => Some((
                format!("a week has one {day}"),
                format!("write `on: {day}`, or another period: `every: month`"),
            )),
            (Period::Week, None, _) => None,
            (_, None, _) => Some((
                format!("which {day} of the {period} is not said"),
                format!("such as `on: second {day}`, or `every: week`"),
            )),
            (_, _, None) => None,
            (Period::Month, _, Some(_)) => Some((
                "a month has no months".to_owned(),
                "leave `of …` out, or say how often that month comes: `every: year`".to_owned(),
            )),
            (Period::Year, _, Some(Of::Counted(_) | Of::Last)) => Some((
                "the month of a year is called by its name".to_owned(),
                "such as `of march`".to_owned(),
            )),
            (Period::Year, _, Some(Of::Named(_))) => None,
            (_, _, Some(Of::Named(month))) => Some((
                format!("{} is in one {period} of the year alone", month_name(month)),
                format!("write `of the {} month`", ordinal((month.saturating_sub(1)) % months + 1)),
            )),
            (_, _, Some(Of::Counted(month))) if month > months => Some((
                format!("a {period} has {months} months"),
                format!("from `of the first month` to `of the {} month`", ordinal(months)),
            )),
            _ => None,
        }
    }
}

fn month_name(month: u8) -> &'static str {
    MONTHS.get(usize::from(month.saturating_sub(1))).copied().unwrap_or("that month")
}

fn weekday(word: &str) -> Option<Day> {
    DAYS.iter().find(|(long, short, _)| *long == word || *short == word).map(|(.., day)| *day)
}

fn nth(word: &str) -> Option<Nth> {
    match word {
        "last" => Some(Nth::Last),
        word => count(&ORDINALS[..4], word).map(Nth::Number),
    }
}

/// The place of a word in a list, from 1.
fn count(words: &[&str], word: &str) -> Option<u8> {
    words.iter().position(|known| *known == word).and_then(|index| u8::try_from(index + 1).ok())
}

/// What was probably meant: each word replaced by the nearest one that there is.
fn meant(text: &str) -> Option<String> {
    let mut known: Vec<&str> = vec!["last", "of", "the", "month"];
    known.extend(ORDINALS);
    known.extend(DAYS.iter().map(|(long, ..)| *long));
    known.extend(MONTHS);
    let lower = text.to_lowercase();
    let words = lower.split_whitespace().filter(|word| !matches!(*word, "each" | "every" | "on"));
    let near = |word: &str| match DIGITS.iter().find(|(digits, _)| *digits == word) {
        Some((_, word)) => Some(*word),
        None if weekday(word).is_some() => DAYS
            .iter()
            .find(|(_, short, _)| *short == word)
            .map_or_else(|| nearest(word, &known), |(long, ..)| Some(*long)),
        None => nearest(word, &known),
    };
    let words: Option<Vec<&str>> = words.take(8).map(near).collect();
    let meant = words?.join(" ");
    (meant != text && On::parse(&meant).is_some()).then_some(meant)
}

impl Decode for On {
    fn expects() -> String {
        "a day such as `second tuesday`, `last friday`, or `first monday of the second month`".to_owned()
    }

    fn schema(_: &mut Shapes) -> serde_json::Value {
        let days: Vec<&str> = DAYS.iter().flat_map(|(long, short, _)| [*long, *short]).collect();
        let form = format!(
            r"^\s*((first|second|third|fourth|last)\s+)?({})(\s+of\s+({}|the\s+({}|last)\s+month))?\s*$",
            days.join("|"),
            MONTHS.join("|"),
            ORDINALS.join("|"),
        );
        shape::described(shape::pattern(&form, false), &Self::expects())
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text(node, &Self::expects())?;
        if let Some(on) = On::parse(&text) {
            return Some(on);
        }
        let mut words = text.split_whitespace();
        if let (Some("fifth" | "5th"), Some(day)) = (words.next(), words.next())
            && weekday(day).is_some()
        {
            cx.report(
                Problem::new(Code::NotADay, node.span, format!("not every month has a fifth {day}"))
                    .label("the first to the fourth, or the last")
                    .help(format!("write `last {day}`")),
            );
            return None;
        }
        let problem =
            Problem::new(Code::NotADay, node.span, format!("`{}` is no day of a schedule", clip(&text)));
        cx.report(match meant(&text) {
            Some(meant) => {
                let problem = problem.label(format!("did you mean `{meant}`?"));
                // Capital letters alone are certain.
                match meant == text.to_lowercase() {
                    true => problem.fix(Fix::replace(node.span, &text, &meant)),
                    false => problem,
                }
            }
            None => problem.label(format!("expected {}", Self::expects())),
        });
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_people_say_them() {
        let on = |nth, day, of| Some(On { nth, day, of });
        let second = Some(Nth::Number(2));
        assert_eq!(On::parse("tuesday"), on(None, Day::Tuesday, None));
        assert_eq!(On::parse("second tue"), on(second, Day::Tuesday, None));
        assert_eq!(On::parse("last  friday of march"), on(Some(Nth::Last), Day::Friday, Some(Of::Named(3))));
        let third = Some(Of::Counted(3));
        assert_eq!(On::parse("second sunday of the third month"), on(second, Day::Sunday, third));
        assert_eq!(On::parse("second sunday of the last month"), on(second, Day::Sunday, Some(Of::Last)));
        for wrong in [
            "",
            "second",
            "Second tuesday",
            "fifth monday",
            "2nd monday",
            "first monday of",
            "first day",
            "monday of march",
        ] {
            assert_eq!(On::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_was_meant_is_proposed() {
        let meant = |text| meant(text);
        assert_eq!(meant("Second Teusday").as_deref(), Some("second tuesday"));
        assert_eq!(meant("2nd tue").as_deref(), Some("second tuesday"));
        assert_eq!(meant("every first monday in march").as_deref(), None);
        assert_eq!(
            meant("each first monday of the 2nd month").as_deref(),
            Some("first monday of the second month")
        );
        assert_eq!(meant("whenever it suits"), None);
    }
}
