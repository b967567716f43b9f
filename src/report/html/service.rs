//! What clients would have seen: the timeline, the outages, the latency, and the data.

use maud::{Markup, html};

use super::judged;
use super::parts::{number, said, table, text, value};
use crate::journal::Record;
use crate::report::chart::{self, Lanes};
use crate::report::facts::{self, Origin, clean};
use crate::report::{Latency, LedgerReport, Outage, ProbeReport, Report, words};

pub(super) fn timeline(report: &Report, record: &Record, lanes: &Lanes<'_>, origin: Origin) -> Markup {
    let (whole, around) = chart::windows(report);
    html! {
        section.timeline {
            h2 { "Timeline" }
            p.quiet {
                "Every sample of every probe. Zero is "
                @if origin.fault { "the moment the call that injected the fault was sent" } @else { "the start of the run" }
                ", " (origin.wall(origin.zero)) " UTC."
            }
            (legend())
            @if let Some(around) = around {
                h3 { "Around the fault" }
                div.scroll tabindex="0" role="region" aria-label="Timeline around the fault" {
                    (chart::draw(report, record, lanes, around, "near"))
                }
                h3 { "The whole run" }
            }
            div.scroll tabindex="0" role="region" aria-label="Timeline of the whole run" {
                (chart::draw(report, record, lanes, whole, "whole"))
            }
        }
    }
}

fn legend() -> Markup {
    html! {
        ul.legend {
            li { svg viewBox="0 0 28 16" aria-hidden="true" { rect.good y="11" width="28" height="4" {} } "served" }
            li { svg viewBox="0 0 28 16" aria-hidden="true" { rect.bad y="1" width="14" height="14" {} rect.bad x="14" y="7" width="14" height="8" {} }
                "not served, as tall as the share that failed" }
            li { svg viewBox="0 0 28 16" aria-hidden="true" { rect.open width="28" height="16" {} rect.sure x="7" width="14" height="16" {} }
                "outage, and where its bounds leave it open" }
            li { svg viewBox="0 0 28 16" aria-hidden="true" { path.range d="M6 15V3M14 13V5M22 14V2" {} path.median d="M0 11L10 9 28 11" {} }
                "latency: median and range, log scale" }
            li { svg viewBox="0 0 28 16" aria-hidden="true" { rect class="state down" x="0" y="6" width="9" height="4" {}
                rect class="state degraded" x="9" y="6" width="9" height="4" {} rect class="state brown_out" x="18" y="6" width="10" height="4" {} }
                "seconds: down, degraded, slow" }
            li { svg viewBox="0 0 28 16" aria-hidden="true" { path.gap d="M2 16L10 0M10 16L18 0M18 16L26 0" {} } "the prober cannot say" }
        }
    }
}

pub(super) fn outages(report: &Report, origin: Origin) -> Markup {
    let columns = [
        text("Probe"),
        number("Began"),
        number("Lasted"),
        text("Depth"),
        text("Errors"),
        text("Proof: samples"),
    ];
    let rows: Vec<Vec<Markup>> = report
        .probes
        .iter()
        .flat_map(|probe| probe.outages.iter().map(move |outage| (probe, outage)))
        .map(|(probe, outage)| {
            let proof = &outage.proof;
            let after = proof.first_good.map_or_else(|| "none".to_owned(), |seq| format!("{seq} good"));
            let before = proof.last_good.map_or_else(|| "none".to_owned(), |seq| format!("{seq} good"));
            vec![
                html! { strong { (said(&probe.name)) } },
                value(&facts::began(outage, origin)),
                html! {
                    div {
                        strong.v { (words::span(outage.duration)) }
                        @if outage.duration.hi.is_none() { span.why { "not over when the watch ended" } }
                        @if !outage.least.used.is_empty() { span.why { (least(outage)) } }
                    }
                },
                said(&facts::depth(outage)),
                html! { (facts::causes(&outage.errors)) },
                html! { span.quiet { (before) ", " (proof.first_bad) "–" (proof.last_bad) " bad, " (after) } },
            ]
        })
        .collect();
    html! {
        section {
            h2 { "Outages" }
            @if rows.is_empty() {
                p.quiet { "No probe saw an outage. The shortest that each could have seen is its resolution, below." }
            } @else { div.two { (table(&columns, &rows)) } }
            (samples(report))
        }
    }
}

/// Which of the two least durations was used, and what the other one is.
fn least(outage: &Outage) -> String {
    let least = &outage.least;
    // Rounded down: a least length stays one.
    let said = |seconds: f64| words::duration((seconds * 100.0).floor() / 100.0);
    match least.used.as_str() {
        "issue" => format!("least: by issue ({} by outcome)", said(least.safe)),
        _ => format!("least: by outcome ({} by issue)", said(least.issue)),
    }
}

/// What each probe asked, how often, and what came back.
fn samples(report: &Report) -> Markup {
    let columns = [
        text("Probe"),
        number("Every"),
        number("Due"),
        number("Good"),
        number("Bad"),
        number("Void or not sent"),
        number("Coverage"),
        number("Availability since the fault"),
        number("Resolution"),
    ];
    let rows: Vec<Vec<Markup>> = report
        .probes
        .iter()
        .map(|probe| {
            let resolution = (probe.resolution * 1e3).ceil() / 1e3;
            vec![
                html! { div { strong { (said(&probe.name)) } span.why { (said(&probe.summary)) } } },
                value(&words::duration(probe.every)),
                value(&words::count(probe.scheduled)),
                value(&words::count(probe.ok)),
                value(&words::count(probe.bad)),
                value(&words::count(probe.void + probe.shed)),
                value(&words::percent(probe.coverage)),
                html! {
                    div {
                        span.v { (probe.availability.map_or_else(|| "–".to_owned(), words::percent)) }
                        @if let Some(time) = probe.availability_time { span class="why v" { (words::share(time)) " of the time" } }
                    }
                },
                value(&words::duration(resolution)),
            ]
        })
        .collect();
    html! {
        h3 { "What was asked, and what came back" }
        (table(&columns, &rows))
        @for probe in report.probes.iter().filter(|probe| !probe.errors.is_empty()) { (errors(probe)) }
    }
}

fn errors(probe: &ProbeReport) -> Markup {
    html! {
        p.errors {
            strong { (clean(&probe.name)) } " failed with " (facts::causes(&probe.errors))
            @if probe.blips > 0 { "; of these " (words::counted(probe.blips, "was a blip", "were blips")) " outside any outage" }
            "."
            @for (cause, first) in &probe.first_errors {
                span.why { "first " (facts::cause_words(cause)) ": " code { (clean(first)) } }
            }
        }
    }
}

pub(super) fn latency(report: &Report) -> Markup {
    let mut rows: Vec<Vec<Markup>> = Vec::new();
    for probe in &report.probes {
        for (phase, name) in facts::PHASES {
            if let Some(latency) = probe.latency_ms.get(phase) {
                rows.push(latency_row(probe, name, latency));
            }
        }
    }
    let columns = [
        text("Probe"),
        text("Fault"),
        number("Served"),
        number("p50"),
        number("p95"),
        number("p99"),
        number("Largest"),
        number("Not answered"),
    ];
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "Latency before, during and after" }
                p.quiet { "Of samples that were served, counted from the time at which each was due." }
                (table(&columns, &rows))
                (judged::parts(report))
            }
        }
    }
}

fn latency_row(probe: &ProbeReport, phase: &str, latency: &Latency) -> Vec<Markup> {
    vec![
        html! { strong { (said(&probe.name)) } },
        html! { (phase) },
        value(&words::count(latency.count)),
        value(&words::millis(latency.p50)),
        value(&words::millis(latency.p95)),
        html! {
            div {
                span.v { (words::millis(latency.p99)) }
                @if let Some(least) = latency.p99_at_least { span class="why v" { "≥ " (words::millis(least)) " with the unanswered" } }
            }
        },
        value(&words::millis(latency.max)),
        value(&if latency.unanswered > 0 { words::count(latency.unanswered) } else { "–".to_owned() }),
    ]
}

pub(super) fn ledgers(report: &Report) -> Markup {
    html! {
        @if !report.rpo.is_empty() {
            section {
                h2 { "Data: what was acknowledged and what survived" }
                @for ledger in &report.rpo { (account(ledger)) }
                p.quiet.prose {
                    "The probe writes numbered entries and reads them all back from the writer after recovery. "
                    strong { "Lost" } " is acknowledged and absent: only this counts against RPO. "
                    strong { "Indeterminate" } " was never answered for certain and is absent: nothing was promised. "
                    strong { "Recovered" } " was never answered and is there. " strong { "Phantom" }
                    " was refused and is there all the same. " strong { "Unexpected" } " was not written by this run."
                }
            }
        }
    }
}

fn account(ledger: &LedgerReport) -> Markup {
    let figures = [
        ("attempted", ledger.attempted, ""),
        ("acknowledged", ledger.acked, ""),
        ("lost", ledger.lost, if ledger.lost > 0 { "fail" } else { "pass" }),
        ("indeterminate", ledger.indeterminate, ""),
        ("recovered", ledger.recovered, ""),
        ("phantom", ledger.phantom, if ledger.phantom > 0 { "unsure" } else { "" }),
        ("duplicated", ledger.duplicated, if ledger.duplicated > 0 { "unsure" } else { "" }),
        ("unexpected", ledger.unexpected, if ledger.unexpected > 0 { "unsure" } else { "" }),
    ];
    // What most ledgers cannot have is told only where there is any.
    let rare = [("unread", ledger.unread, "unsure"), ("pending", ledger.pending, "unsure")];
    let figures = figures.into_iter().chain(rare.into_iter().filter(|(_, n, _)| *n > 0));
    html! {
        p.lead {
            strong { (clean(&ledger.probe)) } ": " (facts::lost(ledger))
            @if let Some(seconds) = ledger.seconds && ledger.lost > 0 { ", " (words::span(seconds)) " of writes" }
            @for more in facts::ledger_context(ledger) { ", " (more) }
            "; one write every " (words::duration(ledger.resolution)) "."
        }
        @if ledger.error.is_none() {
            dl.account { @for (name, n, class) in figures { div class=(class) { dt { (name) } dd { (words::count(n)) } } } }
        }
        @if !ledger.lost_ranges.is_empty() { p.quiet { "Lost numbers: " (facts::ranges(&ledger.lost_ranges)) } }
    }
}
