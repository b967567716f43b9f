//! What several sections share: tables that stack on a narrow screen, verdicts with a sign and a
//! word, and lists of facts.

use maud::{Markup, html};

use crate::report::facts::{self, clean};
use crate::report::{Outcome, Report, Verdict};

/// A column: its name and whether it holds numbers.
pub(super) struct Column(pub(super) &'static str, pub(super) bool);

/// A column of text.
pub(super) const fn text(name: &'static str) -> Column {
    Column(name, false)
}

/// A column of numbers, aligned at the right.
pub(super) const fn number(name: &'static str) -> Column {
    Column(name, true)
}

/// A table; each cell carries its column's name for the stacked form.
pub(super) fn table(columns: &[Column], rows: &[Vec<Markup>]) -> Markup {
    html! {
        table {
            thead { tr { @for Column(name, numeric) in columns { th scope="col" class=[numeric.then_some("n")] { (name) } } } }
            tbody {
                @for row in rows {
                    tr {
                        @for (cell, Column(name, numeric)) in row.iter().zip(columns) {
                            td data-label=(name) class=[numeric.then_some("n")] { (cell) }
                        }
                    }
                }
            }
        }
    }
}

/// Text from outside.
pub(super) fn said(text: &str) -> Markup {
    html! { (clean(text)) }
}

/// A value that must not be broken over lines.
pub(super) fn value(text: &str) -> Markup {
    html! { span.v { (text) } }
}

/// The class that gives a verdict its colour.
pub(super) fn verdict_class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "unsure",
    }
}

/// The class of the whole drill's verdict.
pub(super) fn outcome_class(report: &Report) -> &'static str {
    match report.verdict {
        Outcome::Inconclusive if report.dry_run || report.tabletop => "calm",
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Inconclusive | Outcome::Aborted => "unsure",
    }
}

/// A sign that differs by shape, not by colour alone.
pub(super) fn sign(class: &str) -> Markup {
    let path = match class {
        "pass" => "M4.5 8.5l2.5 2.5 4.5-5.5",
        "fail" => "M5 5l6 6M11 5l-6 6",
        "calm" => "M6.5 4.8l4.6 3.2-4.6 3.2z",
        _ => "M8 4v5M8 11.4v.2",
    };
    html! {
        svg.sign viewBox="0 0 16 16" aria-hidden="true" { circle cx="8" cy="8" r="8" {} path d=(path) {} }
    }
}

/// A verdict in a word with its sign.
pub(super) fn chip(verdict: Verdict) -> Markup {
    let class = verdict_class(verdict);
    html! { span class={ "chip " (class) } { (sign(class)) (facts::verdict(verdict)) } }
}

/// Names and values, as pairs.
pub(super) fn facts_list(pairs: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts { @for (name, value) in pairs { div { dt { (name) } dd { (value) } } } }
    }
}

/// An observed value and the remark in brackets after it.
pub(super) fn split(observed: &str) -> (&str, Option<&str>) {
    match observed.split_once(" (") {
        Some((figure, remark)) => (figure, Some(remark.trim_end_matches(')'))),
        None => (observed, None),
    }
}
