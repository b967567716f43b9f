//! The cut-over: when names and traffic went over to another site, and who answered when.

use maud::{Markup, html};

use super::parts::{Column, facts_list, said, table, value};
use crate::report::Report;
use crate::report::chart::shares;
use crate::report::cutover::{COLUMNS, milestones, moved, observer, rows};
use crate::report::facts::{Origin, clean};

pub(super) fn section(report: &Report, origin: Origin) -> Markup {
    let Some(found) = &report.cutover else { return html! {} };
    let columns = COLUMNS.map(|name| Column(name, !matches!(name, "Lane" | "Asks as")));
    let lanes: Vec<Vec<Markup>> = rows(found, origin)
        .iter()
        .map(|row| {
            let mut cells = row.iter();
            let mut out: Vec<Markup> = cells.by_ref().take(2).map(|cell| said(cell)).collect();
            out.extend(cells.map(|cell| value(cell)));
            out
        })
        .collect();
    let times = milestones(found, origin);
    let times: Vec<(&str, Markup)> =
        times.iter().map(|(name, at)| (*name, html! { strong.v { (at) } })).collect();
    html! {
        section.cutover {
            h2 { "Cut-over: who answered when" }
            p.quiet {
                "Times are seconds " (origin.label()) ". Each server turned after the last old answer was asked for and \
                 before the first new one had arrived. A resolver's answer is one sample of what is left of a TTL: \
                 other caches may be as late as the last name server's turn and the old record's whole TTL."
            }
            (facts_list(&times))
            (table(&columns, &lanes))
            @if !found.shares.is_empty() {
                h3 { "Share of the answers" }
                ul.legend {
                    li { svg viewBox="0 0 28 16" aria-hidden="true" { rect.old-site width="28" height="16" {} } "old site" }
                    li { svg viewBox="0 0 28 16" aria-hidden="true" { rect.new-site width="28" height="16" {} } "new site" }
                    li { svg viewBox="0 0 28 16" aria-hidden="true" { rect.no-site width="28" height="16" {} } "nobody" }
                }
                div.scroll tabindex="0" role="region" aria-label="Who answered over time" {
                    (shares::draw(found, report.duration, origin))
                }
                @for share in &found.shares {
                    p.quiet { strong { (clean(&share.probe)) } ", " (observer(&share.observer)) ": " (moved(&share.who, &share.sites)) }
                }
            }
        }
    }
}
