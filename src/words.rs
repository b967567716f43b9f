//! Measured values in words: `4.21–4.43 s`, `≥ 600 s (not recovered)`, `99.2 %`.
//!
//! Every format takes its wording from here, so that no two reports of a run differ. An interval
//! is rounded outwards and with enough digits to show its width; a share is rounded down, so that
//! nothing below 100 % reads as 100 %. It knows nothing of reports.

use crate::measure::Interval;

/// Slack for binary fractions: 4.21 · 100 is 420.99999999999994.
const SLACK: f64 = 1e-6;

/// A whole number with its thousands apart: `9 041`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `1 write`, `3 writes`, `9 041 writes`.
pub fn counted(number: u64, singular: &str, plural: &str) -> String {
    format!("{} {}", count(number), if number == 1 { singular } else { plural })
}

/// A duration that is exact, such as a target: `800 ms`, `90 s`, `2 min`, `1 h 30 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown".to_owned();
    }
    if seconds < 0.0 {
        return format!("−{}", duration(-seconds));
    }
    if seconds == 0.0 {
        return "0 s".to_owned();
    }
    if seconds < 1.0 {
        return format!("{} ms", trimmed(seconds * 1e3, 2));
    }
    if seconds < 120.0 && seconds != 60.0 {
        return format!("{} s", trimmed(seconds, 3));
    }
    let whole = if seconds < 600.0 { seconds } else { seconds.round() };
    let hours = (whole / 3600.0).floor();
    let minutes = ((whole - hours * 3600.0) / 60.0).floor();
    let rest = trimmed(whole - hours * 3600.0 - minutes * 60.0, 1);
    let parts = [(trimmed(hours, 0), "h"), (trimmed(minutes, 0), "min"), (rest, "s")];
    let said: Vec<String> =
        parts.iter().filter(|(n, _)| n != "0").map(|(n, unit)| format!("{n} {unit}")).collect();
    said.join(" ")
}

/// A long time that is exact, such as an SLO's: `30 d`, `6 h`, else as [`duration`] says it.
pub fn long(seconds: f64) -> String {
    let days = seconds / 86_400.0;
    if days >= 1.0 && days.fract() == 0.0 { format!("{} d", count(days as u64)) } else { duration(seconds) }
}

/// A latency, in three digits or so, so that columns of them line up: `0.42 ms`, `13.0 ms`, `412 ms`, `1.21 s`.
pub fn millis(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() => "unknown".to_owned(),
        ms if ms >= 999.5 => format!("{:.2} s", ms / 1e3),
        ms if ms >= 99.95 => format!("{ms:.0} ms"),
        ms if ms >= 9.995 => format!("{ms:.1} ms"),
        ms => format!("{ms:.2} ms"),
    }
}

/// A measured time: `4.21–4.43 s`, `52–61 ms`, `12.1–12.3 min`, `≥ 600 s`.
pub fn span(interval: Interval) -> String {
    let largest = interval.hi.unwrap_or(interval.lo).abs().max(interval.lo.abs());
    let (unit, scale) = match largest {
        0.0 => ("s", 1.0),
        s if s < 0.1 => ("ms", 1e3),
        s if s <= 600.0 => ("s", 1.0),
        s if s <= 7200.0 => ("min", 1.0 / 60.0),
        _ => ("h", 1.0 / 3600.0),
    };
    let finest = if unit == "ms" { 1 } else { 3 };
    let scaled = Interval { lo: interval.lo * scale, hi: interval.hi.map(|hi| hi * scale) };
    format!("{} {unit}", bounds(scaled, finest))
}

/// A measured share: `99.2 %`, `99.99 %`, `99.21–99.34 %`.
pub fn share(interval: Interval) -> String {
    match interval.hi {
        Some(hi) if hi > interval.lo => {
            let digits = share_digits(interval.lo).max(share_digits(hi));
            let up = ceiled(hi * 100.0, digits);
            let hi = if hi < 1.0 && up.starts_with("100") { floored(hi * 100.0, digits) } else { up };
            format!("{}–{hi} %", floored(interval.lo * 100.0, digits))
        }
        _ => percent(interval.lo),
    }
}

/// A share of one as a percentage, rounded down; never 100 % below one nor 0 % above none.
pub fn percent(ratio: f64) -> String {
    if !ratio.is_finite() {
        return "unknown".to_owned();
    }
    let text = without_zeros(&floored(ratio * 100.0, share_digits(ratio)));
    if text == "0" && ratio > 0.0 { "< 0.01 %".to_owned() } else { format!("{text} %") }
}

/// A measured value in the unit that objectives name: `s`, `ratio`, `budget`, or something counted.
pub fn value(interval: Interval, unit: &str) -> String {
    match unit {
        "s" => span(interval),
        "ratio" => share(interval),
        "budget" => format!("{} of the error budget", share(interval)),
        unit => match interval.hi {
            Some(hi) if hi == interval.lo => counted(hi.max(0.0) as u64, unit.trim_end_matches('s'), unit),
            _ => format!("{} {unit}", bounds(interval, 0)),
        },
    }
}

/// A target in the unit that objectives name: `2 min`, `95 %`, `0 writes`.
pub fn target(target: f64, unit: &str) -> String {
    match unit {
        "s" => duration(target),
        "ratio" => percent(target),
        "budget" => format!("{} of the error budget", percent(target)),
        unit => counted(target.max(0.0) as u64, unit.trim_end_matches('s'), unit),
    }
}

/// `lo–hi`, rounded outwards; one number when they are the same; `≥ lo` without an upper bound.
fn bounds(interval: Interval, finest: usize) -> String {
    match interval.hi {
        None => format!("≥ {}", without_zeros(&floored(interval.lo, finest.min(2)))),
        Some(hi) if hi <= interval.lo => trimmed(interval.lo, finest),
        Some(hi) => {
            // At least five steps of the last digit between the bounds: the width shows.
            let wide = (-((hi - interval.lo) / 5.0).log10()).ceil();
            let digits = (wide.max(0.0) as usize).min(finest);
            let lo = floored(interval.lo, digits);
            let hi = ceiled(hi, digits);
            let lo = if interval.lo == 0.0 { "0".to_owned() } else { lo };
            if lo == hi { lo } else { format!("{lo}–{hi}") }
        }
    }
}

/// How many decimals a percentage needs so that it does not read as 100.
fn share_digits(ratio: f64) -> usize {
    let missing = 1.0 - ratio;
    if missing <= 0.0 {
        return 2;
    }
    let needed = (-missing.log10() - SLACK).ceil() - 2.0;
    (needed.max(2.0) as usize).min(8)
}

fn floored(value: f64, digits: usize) -> String {
    let scale = 10f64.powi(digits as i32);
    signed((value * scale + SLACK).floor() / scale, digits)
}

fn ceiled(value: f64, digits: usize) -> String {
    let scale = 10f64.powi(digits as i32);
    signed((value * scale - SLACK).ceil() / scale, digits)
}

/// Rounded to at most `digits` decimals, without zeros at the end.
fn trimmed(value: f64, digits: usize) -> String {
    without_zeros(&signed(value, digits))
}

/// With a true minus sign, and no minus before zero.
fn signed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

fn without_zeros(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn intervals_show_their_width_and_round_outwards() {
        assert_eq!(span(Interval::new(4.2139, 4.4271)), "4.21–4.43 s");
        assert_eq!(span(Interval::new(41.81, 42.0)), "41.81–42.00 s");
        assert_eq!(span(Interval::new(0.0, 0.2)), "0–0.20 s");
        assert_eq!(span(Interval::new(0.0, 0.0)), "0 s");
        assert_eq!(span(Interval::new(0.0521, 0.0608)), "52–61 ms");
        assert_eq!(span(Interval::new(726.0, 738.0)), "12.10–12.30 min");
        assert_eq!(span(Interval::new(-0.12, -0.04)), "−0.12–−0.04 s");
        assert_eq!(span(Interval::at_least(600.0)), "≥ 600 s");
        assert_eq!(span(Interval::at_least(900.0)), "≥ 15 min");
    }

    #[test]
    fn targets_read_as_they_are_written() {
        assert_eq!(target(120.0, "s"), "2 min");
        assert_eq!(target(90.0, "s"), "90 s");
        assert_eq!(target(0.8, "s"), "800 ms");
        assert_eq!(target(0.0, "s"), "0 s");
        assert_eq!(target(5400.0, "s"), "1 h 30 min");
        assert_eq!(target(0.95, "ratio"), "95 %");
        assert_eq!(target(0.9999, "ratio"), "99.99 %");
        assert_eq!(target(1.0, "writes"), "1 write");
        assert_eq!(value(Interval::new(0.0, 0.0), "writes"), "0 writes");
        assert_eq!(value(Interval::new(3.0, 5.0), "writes"), "3–5 writes");
        assert_eq!(duration(754.3), "12 min 34 s");
        assert_eq!(duration(60.0), "1 min");
    }

    #[test]
    fn latencies_have_three_digits() {
        let said: Vec<String> = [0.42, 6.0, 13.0, 411.9, 1210.0].map(millis).into();
        assert_eq!(said, ["0.42 ms", "6.00 ms", "13.0 ms", "412 ms", "1.21 s"]);
    }

    #[test]
    fn a_share_below_one_never_reads_as_all() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.999_999), "99.9999 %");
        assert_eq!(percent(0.99996), "99.996 %");
        assert_eq!(percent(0.992), "99.2 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.000_001), "< 0.01 %");
        assert_eq!(share(Interval::new(0.99211, 0.99333)), "99.21–99.34 %");
        assert_eq!(share(Interval::new(0.98, 0.99999)), "98.000–99.999 %");
        assert_eq!(share(Interval::new(0.98, 1.0)), "98.00–100.00 %");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(count(0), "0");
        assert_eq!(count(9041), "9 041");
        assert_eq!(count(1_000_000), "1 000 000");
        assert_eq!(counted(1, "write", "writes"), "1 write");
    }

    /// The first number in a text that uses this module's signs.
    fn numbers(text: &str) -> Vec<f64> {
        text.split(['–', ' ']).filter_map(|part| part.replace('−', "-").parse().ok()).collect()
    }

    proptest! {
        #[test]
        fn what_is_shown_contains_what_was_measured(lo in 0.1f64..500.0, width in 0.0005f64..90.0) {
            let shown = numbers(&span(Interval::new(lo, lo + width)));
            prop_assert_eq!(shown.len(), 2);
            prop_assert!(shown[0] <= lo + 1e-6 && shown[1] >= lo + width - 1e-6);
        }

        #[test]
        fn less_than_all_is_shown_as_less(missing in 1e-9f64..1.0) {
            prop_assert_ne!(percent(1.0 - missing), "100 %");
        }
    }
}
