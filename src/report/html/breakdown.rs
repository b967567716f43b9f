//! What the recovery is made of: each point with its bracket and who says so, and everything that the cloud
//! said meanwhile.

use maud::{Markup, html};

use super::parts::{number, said, table, text, value};
use crate::measure::breakdown::{LayerChange, Point};
use crate::report::facts::{self, Origin, clean};
use crate::report::{Report, words};

/// A page shows no more changes than this.
const MOST: usize = 300;

pub(super) fn section(report: &Report, origin: Origin) -> Markup {
    let Some(breakdown) = report.breakdown.as_ref().filter(|found| found.points.len() > 1) else {
        return html! {};
    };
    let points: Vec<Vec<Markup>> = breakdown.points.iter().map(|found| point(found, origin)).collect();
    let layers: Vec<Vec<Markup>> =
        breakdown.layers.iter().take(MOST).map(|change| layer(change, origin)).collect();
    html! {
        section {
            h2 { "What the recovery is made of" }
            p.quiet {
                "The first sign of each kind after the fault. A layer of the cloud is looked at again and again: its \
                 change came between the last look that did not show it and the first that did."
            }
            (table(&[text("Point"), number("After the fault"), text("Seen by"), text("What was seen")], &points))
            @if let Some(repair) = breakdown.from_detection {
                p { "From detection to the last recovery: " strong.v { (words::span(repair)) } "." }
            }
            @if !layers.is_empty() {
                details {
                    summary { (words::counted(breakdown.layers.len() as u64, "change", "changes")) " of the cloud's own layers" }
                    (table(
                        &[number("After the fault"), text("Layer"), text("What was seen"), text("The cloud's stamp")],
                        &layers,
                    ))
                    @if breakdown.layers.len() > MOST {
                        p.quiet { "report.json holds " (words::count((breakdown.layers.len() - MOST) as u64)) " more." }
                    }
                }
            }
        }
    }
}

fn point(point: &Point, origin: Origin) -> Vec<Markup> {
    vec![
        html! { strong { (facts::point(&point.name)) } },
        value(&words::span(origin.relative(point.at))),
        said(&point.by.replace('_', " ")),
        said(&point.what),
    ]
}

fn layer(change: &LayerChange, origin: Origin) -> Vec<Markup> {
    vec![
        value(&words::span(origin.relative(change.at))),
        said(&change.layer.replace('_', " ")),
        said(&change.what),
        html! { @if let Some(stamp) = &change.stamp { span.quiet { (clean(stamp)) } } },
    ]
}
