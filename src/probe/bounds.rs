//! Bounds that a measured number must keep.

use std::fmt;

use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode};
use crate::notation::units;
use crate::notation::yaml::Node;

/// A number, which may be written as a percentage: `0.01` or `1%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Decode for Number {
    fn expects() -> String {
        "a number such as 250, 0.01 or 1%".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text_for::<Self>(node)?;
        let read = match text.strip_suffix('%') {
            Some(_) => units::ratio(&text),
            None => text.parse::<f64>().ok().filter(|number| number.is_finite()),
        };
        if read.is_none() {
            cx.unexpected(Code::NotANumber, node, &Self::expects());
        }
        read.map(Number)
    }

    fn written(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// What a number must be; both ends are excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) below: Option<Number>,
    pub(crate) above: Option<Number>,
}

impl Bounds {
    /// Whether the number keeps them. What is not a number keeps none, not even when there are none.
    pub(crate) fn hold(&self, value: f64) -> bool {
        !value.is_nan()
            && self.below.is_none_or(|limit| value < limit.0)
            && self.above.is_none_or(|limit| value > limit.0)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.above, self.below) {
            (Some(above), Some(below)) => write!(f, "above {above} and below {below}"),
            (Some(above), None) => write!(f, "above {above}"),
            (None, Some(below)) => write!(f, "below {below}"),
            (None, None) => f.write_str("any number"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(below: Option<f64>, above: Option<f64>) -> Bounds {
        Bounds { below: below.map(Number), above: above.map(Number) }
    }

    #[test]
    fn the_ends_are_outside_and_what_is_no_number_keeps_nothing() {
        for (limits, value, holds) in [
            (bounds(Some(0.01), None), 0.009, true),
            (bounds(Some(0.01), None), 0.01, false),
            (bounds(None, Some(3.0)), 3.0, false),
            (bounds(None, Some(3.0)), f64::INFINITY, true),
            (bounds(Some(5.0), Some(3.0)), 4.0, true),
            (bounds(Some(5.0), Some(3.0)), 5.5, false),
            (bounds(None, None), -1.0, true),
            (bounds(None, None), f64::NAN, false),
            (bounds(Some(1.0), None), f64::NAN, false),
        ] {
            assert_eq!(limits.hold(value), holds, "{value} {limits}");
        }
    }
}
