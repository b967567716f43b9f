//! The people of a game day: who takes part in which role, who says go, and who is told what and when.

use std::time::Duration;

use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem, Spanned, SpannedName, clip};
use crate::notation::shape::{self, Shapes};
use crate::notation::units;
use crate::notation::yaml::{Node, Value};
use crate::record;
use crate::spec::experiment::plain_name;
use crate::spec::people::{Roles, Sentence};

record! {
    /// Somebody who takes part.
    pub struct Participant {
        /// Their name, or how they are found, such as `whoever is on call for payments`.
        pub name: Spanned<Text>,
        /// Their role, such as `incident-commander`, or a list of roles.
        pub role: Spanned<Called>,
        /// How they are reached.
        pub contact: Option<String>,
        /// What they do there; needed when neither a drill, nor the go/no-go, nor a message asks for their role.
        pub about: Option<String>,
    }
}

record! {
    /// The question that is asked before the first drill. Without a go the game day does not take place.
    pub struct GoNoGo {
        /// What is decided.
        pub question: Sentence,
        /// In which roles people may say go; anybody may when it is left out.
        pub by: Option<Spanned<Roles>>,
        /// How many people, distinct ones, must say go.
        pub at_least: Spanned<u8> = Spanned { value: 1, span: Default::default() },
        /// When it is asked: `at start`, or earlier, such as `15m before`.
        pub when: Spanned<Moment> = Spanned { value: Moment::Start, span: Default::default() },
        /// What must be so for a go, each a sentence.
        pub conditions: Option<Vec<Sentence>>,
    }
}

record! {
    /// Who is told what, when, and over which channel.
    pub struct Message {
        /// Who is told: a participant's role, or anybody else; or a list of them.
        pub tell: Spanned<Called>,
        /// What they are told.
        pub what: Text,
        /// When: `1d before`, `at start`, `on no-go`, `on abort`, `at end` or `1h after`.
        pub when: Spanned<Moment>,
        /// Over which channel, such as `slack` or `status-page`.
        pub channel: ChannelName,
        /// Where on that channel, such as `#incidents` or an address.
        pub contact: Option<String>,
    }
}

/// One role or name, or a list of them; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called(pub Vec<String>);

impl Decode for Called {
    fn expects() -> String {
        Roles::expects()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        Roles::schema(shapes)
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            let problem = Problem::new(Code::EmptyList, node.span, "the list names nobody");
            cx.report(problem.label(format!("expected {}", Self::expects())));
            return None;
        }
        Roles::decode(node, cx).map(|roles| Called(roles.0))
    }
}

/// A text for people: not empty, and no longer than fits a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub String);

impl Decode for Text {
    fn expects() -> String {
        "a text".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        Sentence::decode(node, cx).map(|sentence| Text(sentence.0))
    }
}

/// The name of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelName(pub String);

impl Decode for ChannelName {
    fn expects() -> String {
        "a channel's name, such as slack or status-page".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text(node, &Self::expects())?;
        let before = cx.problems.len();
        plain_name("channel", &SpannedName { text: text.clone(), span: node.span }, cx);
        (cx.problems.len() == before).then_some(ChannelName(text))
    }
}

/// A time of a game day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// This long before its start.
    Before(Duration),
    /// At its start.
    Start,
    /// When somebody says no-go.
    NoGo,
    /// When a drill is aborted.
    Abort,
    /// At its end.
    End,
    /// This long after its end.
    After(Duration),
}

const FIXED: [(&str, Moment); 4] = [
    ("at start", Moment::Start),
    ("on no-go", Moment::NoGo),
    ("on abort", Moment::Abort),
    ("at end", Moment::End),
];

impl Moment {
    fn parse(text: &str) -> Option<Moment> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let span = |text: &str| units::duration(text).filter(|span| !span.is_zero());
        match words.as_slice() {
            [time, "before"] => span(time).map(Moment::Before),
            [time, "after"] => span(time).map(Moment::After),
            [one, two] => {
                FIXED.iter().find(|(text, _)| text.split_once(' ') == Some((one, two))).map(|(_, at)| *at)
            }
            _ => None,
        }
    }
}

/// What was probably meant by a time.
fn meant(text: &str) -> Option<String> {
    const UNITS: [(&str, &str); 4] = [("day", "d"), ("hour", "h"), ("min", "m"), ("second", "s")];
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split_whitespace().filter(|word| !matches!(*word, "the" | "a" | "an")).collect();
    let nothing = |time: &str| units::duration(time).is_some_and(|span| span.is_zero());
    let unit = |word: &str| UNITS.iter().find(|(unit, _)| word.starts_with(unit)).map(|(_, short)| *short);
    let candidate = match words.as_slice() {
        [number, long, side @ ("before" | "after"), ..] => format!("{number}{} {side}", unit(long)?),
        [time, "before", ..] if nothing(time) => "at start".to_owned(),
        [time, "after", ..] if nothing(time) => "at end".to_owned(),
        [time, side @ ("before" | "after"), ..] => format!("{time} {side}"),
        ["start" | "begin" | "beginning"] | ["on" | "at", "start" | "begin" | "beginning", ..] => {
            "at start".to_owned()
        }
        ["end"] | ["on" | "at", "end", ..] => "at end".to_owned(),
        ["abort" | "aborted"] | ["on" | "at", "abort", ..] => "on abort".to_owned(),
        ["no-go" | "nogo"] | ["on" | "at", "no-go" | "nogo", ..] => "on no-go".to_owned(),
        _ => return None,
    };
    (candidate != text && Moment::parse(&candidate).is_some()).then_some(candidate)
}

impl Decode for Moment {
    fn expects() -> String {
        "`1d before`, `at start`, `on no-go`, `on abort`, `at end` or `1h after`".to_owned()
    }

    fn schema(_: &mut Shapes) -> serde_json::Value {
        let form = r"^\s*(([0-9.]+(ms|s|m|h|d))+\s+(before|after)|at\s+(start|end)|on\s+(no-go|abort))\s*$";
        shape::described(shape::pattern(form, false), &Self::expects())
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text(node, &Self::expects())?;
        let read = Moment::parse(&text);
        if read.is_none() {
            let problem = Problem::new(
                Code::NotAMoment,
                node.span,
                format!("`{}` is no time of a game day", clip(&text)),
            );
            cx.report(match meant(&text) {
                Some(meant) => problem.label(format!("did you mean `{meant}`?")),
                None => problem.label(format!("expected {}", Self::expects())),
            });
        }
        read
    }

    fn written(&self) -> Option<String> {
        Some(match self {
            Moment::Before(span) => format!("{} before", units::show(*span)),
            Moment::After(span) => format!("{} after", units::show(*span)),
            fixed => FIXED.iter().find(|(_, at)| at == fixed)?.0.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written_and_no_others() {
        let hour = Duration::from_secs(3600);
        let all = [
            Moment::Before(hour),
            Moment::Start,
            Moment::NoGo,
            Moment::Abort,
            Moment::End,
            Moment::After(hour),
        ];
        for moment in all {
            assert_eq!(Moment::parse(&moment.written().expect("text")), Some(moment));
        }
        for wrong in
            ["", "before", "0s before", "soon", "1 day before", "at the start", "in time", "1h before start"]
        {
            assert_eq!(Moment::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn prose_is_told_what_to_write() {
        for (prose, write) in [
            ("1 day before", "1d before"),
            ("1h before the start", "1h before"),
            ("at the beginning", "at start"),
            ("On Abort", "on abort"),
            ("2 hours after", "2h after"),
            ("0s before", "at start"),
        ] {
            assert_eq!(meant(prose).as_deref(), Some(write), "{prose}");
        }
        assert_eq!(meant("when it suits"), None);
    }
}
