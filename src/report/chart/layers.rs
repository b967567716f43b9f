//! The cloud's own layers: a thin lane for each, with a bar from the last look that did not show a change to
//! the first that did.

use maud::{Markup, html};

use super::{Scale, WIDTH, px};
use crate::measure::breakdown::LayerChange;
use crate::report::Report;
use crate::report::facts::{Origin, clean};
use crate::report::table::cut;

/// A lane's height.
const LANE: f64 = 22.0;
/// More lanes than this would drown the probes.
const MOST: usize = 14;
/// Room above the first lane.
const GAP: f64 = 8.0;

/// The changes that are shown, by layer and resource, in the order of their first change.
fn lanes(report: &Report, scale: Scale) -> Vec<(String, Vec<&LayerChange>)> {
    let mut lanes: Vec<(String, Vec<&LayerChange>)> = Vec::new();
    for change in report.breakdown.iter().flat_map(|breakdown| &breakdown.layers) {
        if !scale.overlaps(change.at.lo, change.at.hi.unwrap_or(change.at.lo)) {
            continue;
        }
        let name = change.layer.replace('_', " ");
        match lanes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, changes)) => changes.push(change),
            None => lanes.push((name, vec![change])),
        }
    }
    lanes.truncate(MOST);
    lanes
}

/// The height of all lanes.
pub(super) fn height(report: &Report, scale: Scale) -> f64 {
    match lanes(report, scale).len() {
        0 => 0.0,
        count => GAP + LANE * count as f64,
    }
}

/// The lanes below `top`.
pub(super) fn draw(report: &Report, scale: Scale, origin: Origin, top: f64) -> Markup {
    html! {
        @for (row, (name, changes)) in lanes(report, scale).iter().enumerate() {
            @let y = top + GAP + LANE * row as f64;
            line class="rule" x1="0" x2=(px(WIDTH)) y1=(px(y)) y2=(px(y)) {}
            text class="note" x="0" y=(px(y + 15.0)) { (cut(&clean(name), 22)) }
            @for change in changes {
                @let (from, to) = (scale.x(change.at.lo), scale.x(change.at.hi.unwrap_or(change.at.lo)));
                rect class="step" x=(px(from)) y=(px(y + 6.0)) width=(px((to - from).max(3.0))) height="10" {
                    title { (clean(&change.what)) ", " (origin.instant(change.at.lo)) " to " (origin.instant(change.at.hi.unwrap_or(change.at.lo))) }
                }
            }
        }
    }
}
