//! What can be told of a PromQL expression without a server.

use std::time::Duration;

use crate::notation::units;

/// The longest range in the expression: `[5m]`, or `[1h:1m]` of a subquery.
pub(super) fn longest_range(query: &str) -> Duration {
    let brackets = outside_quotes(query);
    let ranges = brackets.split('[').skip(1).filter_map(|rest| {
        let inside = rest.split(']').next()?;
        units::duration(inside.split(':').next()?.trim())
    });
    ranges.max().unwrap_or_default()
}

/// Whether it names a series and computes nothing: only that has samples with an age.
pub(super) fn plain_series(query: &str) -> bool {
    let bare = outside_quotes(query.trim());
    let (name, selector) = match bare.split_once('{') {
        Some((name, rest)) => (name.trim(), Some(rest)),
        None => (bare.as_str(), None),
    };
    let named = name.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || "_:".contains(first))
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
    match selector {
        // One pair of braces, at the end.
        Some(rest) => (named || name.is_empty()) && rest.find('}') == Some(rest.len().saturating_sub(1)),
        None => named,
    }
}

/// The expression with the text between quotes taken out.
fn outside_quotes(query: &str) -> String {
    let mut out = String::with_capacity(query.len());
    let (mut quote, mut escaped) = (None, false);
    for c in query.chars() {
        match quote {
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None => out.push(c),
            Some(_) if escaped => escaped = false,
            Some('"' | '\'') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_range_is_found_outside_of_quotes() {
        for (query, seconds) in [
            ("up", 0),
            ("rate(errors_total[5m])", 300),
            ("rate(a[30s]) / rate(b[1m30s])", 90),
            ("max_over_time(rate(a[1m])[1h:30s])", 3600),
            (r#"up{path="x[9h]\"[8h]"}"#, 0),
            ("broken[", 0),
        ] {
            assert_eq!(longest_range(query), Duration::from_secs(seconds), "{query}");
        }
    }

    #[test]
    fn only_a_series_as_it_is_has_an_age() {
        for query in ["up", "job:errors:rate5m", r#"up{job="a}b"}"#, r#"{__name__="up"}"#, " up "] {
            assert!(plain_series(query), "{query}");
        }
        for query in ["up == 1", "rate(a[5m])", "1", "up{a=\"b\"} > 0", "sum(up)", "", "a{} or b{}", "up[5m]"]
        {
            assert!(!plain_series(query), "{query}");
        }
    }
}
