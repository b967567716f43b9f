//! Names, times and texts of others, as firedrill writes them.

use std::time::Duration;

/// A name of lower-case letters, digits and `-`: an experiment's, a runbook's, a file's.
pub(super) fn slug(text: &str, otherwise: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' };
    let spaced: String = text.chars().map(fits).collect();
    let mut slug = String::new();
    for word in spaced.split_whitespace() {
        if slug.len() + word.len() > 60 {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(word);
    }
    if slug.is_empty() { otherwise.to_owned() } else { slug }
}

/// A name of letters, digits and `_`: a variable's, a target's, a probe's.
pub(super) fn name(text: &str, otherwise: &str) -> String {
    let mut words = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => words.push(c),
            _ if !words.is_empty() && !words.ends_with('_') => words.push('_'),
            _ => {}
        }
    }
    words.truncate(60);
    let words = words.trim_end_matches('_');
    if words.is_empty() { otherwise.to_owned() } else { words.to_owned() }
}

/// `ProjectAlarm.Arn` as a variable: `project_alarm_arn`.
pub(super) fn snake(text: &str, otherwise: &str) -> String {
    let mut spaced = String::new();
    let mut lower = false;
    for c in text.chars() {
        if c.is_ascii_uppercase() && lower {
            spaced.push('_');
        }
        lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        spaced.push(c.to_ascii_lowercase());
    }
    name(&spaced, otherwise)
}

/// A text on one line.
pub(super) fn line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A step's name: one line of at most 100 characters.
pub(super) fn step(text: &str) -> String {
    let text = literal(&line(text));
    match text.char_indices().nth(90) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default().trim_end_matches(['$', '{'])),
        None => text,
    }
}

/// A text that refers to nothing, whatever stands in it.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

/// `5 minutes`, `1 hour 30 minutes`, `PT5M`, `90s`, `1 day`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let text = text.trim().trim_start_matches(['<', '~', '=']).trim();
    if let Some(duration) = crate::notation::units::duration(text) {
        return Some(duration);
    }
    let spoken = text.to_ascii_lowercase();
    for (unit, days) in [("day", 1.0), ("week", 7.0)] {
        let number = spoken.strip_suffix('s').unwrap_or(&spoken).strip_suffix(unit).map(str::trim);
        if let Some(number) = number.and_then(|number| number.parse::<f64>().ok()) {
            return Duration::try_from_secs_f64(number * days * 86_400.0).ok();
        }
    }
    let parsed: jiff::SignedDuration = text.parse().or_else(|_| spoken.parse()).ok()?;
    Duration::try_from(parsed).ok()
}

/// Seconds, as a number says them.
pub(super) fn seconds(number: f64) -> Option<Duration> {
    // To the millisecond: what is written is read again.
    let millis = (number * 1000.0).round();
    (0.0..=1e12).contains(&millis).then(|| Duration::from_millis(millis as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_what_fits() {
        assert_eq!(slug("Database Failover (EU)", "x"), "database-failover-eu");
        assert_eq!(slug("……", "imported"), "imported");
        assert_eq!(slug(&"word ".repeat(40), "x").len(), 59);
        assert_eq!(name("all our microservices", "x"), "all_our_microservices");
        assert_eq!(name("--", "probe"), "probe");
        assert_eq!(snake("ProjectAlarm.Arn", "x"), "project_alarm_arn");
        assert_eq!(snake("AWS::AccountId", "x"), "aws_account_id");
        assert_eq!(step("a\nb ${c}"), "a b $${c}");
    }

    #[test]
    fn times_are_read_as_people_and_aws_write_them() {
        let read = |text: &str| duration(text).map(|duration| duration.as_secs());
        for (text, wanted) in [
            ("5 minutes", 300),
            ("1 minute", 60),
            ("1 hour 30 minutes", 5400),
            ("PT2M", 120),
            ("PT1H30M", 5400),
            ("90s", 90),
            ("4 Hours", 14_400),
            ("1 day", 86_400),
            ("2 weeks", 1_209_600),
            ("< 15 min", 900),
            ("0", 0),
        ] {
            assert_eq!(read(text), Some(wanted), "{text}");
        }
        for text in ["", "soon", "five minutes", "5", "-5m", "PT-5M", "NaN days", "-1 day"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
