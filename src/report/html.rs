//! The report as one page that needs nothing else: no network, no font, no script.
//!
//! For two readers: a director sees the verdict and the figures in ten seconds, an auditor finds
//! every number's definition, bounds and evidence. `maud` escapes all that comes from outside.

mod breakdown;
mod cutover;
mod evidence;
mod journal;
mod judged;
mod objectives;
mod parts;
mod safety;
mod service;
mod steps;
mod verdict;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::journal::Record;
use crate::report::Report;
use crate::report::chart::Lanes;
use crate::report::facts::{self, Origin, clean};

/// The page's whole style: light, dark, narrow and paper.
const STYLE: &str = include_str!("html/style.css");

/// The report as a self-contained HTML page.
pub fn render(report: &Report, record: &Record) -> String {
    let origin = Origin::of(report, record);
    let lanes = Lanes::of(record);
    let name = format!("{}: {}", facts::headline(report), clean(&report.experiment));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "firedrill " (clean(&report.evidence.firedrill)) };
                title { (name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (verdict::head(report, record, origin))
                main {
                    (objectives::section(report))
                    (service::timeline(report, record, &lanes, origin))
                    (breakdown::section(report, origin))
                    (service::outages(report, origin))
                    (cutover::section(report, origin))
                    (judged::recovery(report))
                    (judged::budget(report, origin))
                    (service::latency(report))
                    (service::ledgers(report))
                    (steps::section(report, record, origin))
                    (steps::put_back(report))
                    (safety::section(report, origin))
                    (steps::prober(report, origin))
                    (evidence::section(report, record))
                    (journal::section(record, origin))
                    (evidence::experiment(record))
                }
                (foot(report))
            }
        }
    }
    .into_string()
}

fn foot(report: &Report) -> Markup {
    html! {
        footer {
            p {
                "Computed from the journal and the samples of run " code { (clean(&report.run)) } " by firedrill "
                (clean(&report.evidence.firedrill)) ". The same run gives the same numbers: "
                code { "firedrill report " (clean(&report.run)) } "."
            }
        }
    }
}
