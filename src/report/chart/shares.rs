//! Who answered over time: for each group of lanes a band, stacked to the whole of its answers, the
//! old site's from below in one colour and the new one's above it in another.

use maud::{Markup, html};

use super::axis;
use super::{Scale, WIDTH, px};
use crate::measure::cutover::{Cutover, Share};
use crate::report::cutover::{moved, observer};
use crate::report::facts::{Origin, clean};
use crate::report::table::cut;

/// Room for one band, and for the band itself within it.
const ROW: f64 = 64.0;
const BAND: f64 = 40.0;
/// Room above the first band.
const TOP: f64 = 4.0;

/// The drawing of a run's shares. `duration` is the run's length in seconds.
pub(crate) fn draw(cutover: &Cutover, duration: f64, origin: Origin) -> Markup {
    let scale = Scale { from: 0.0, to: duration.max(0.001) };
    let bottom = TOP + ROW * cutover.shares.len() as f64;
    let view = format!("0 0 {} {}", px(WIDTH), px(bottom + axis::HEIGHT));
    html! {
        svg class="chart" viewBox=(view) role="img" aria-labelledby="shares-title shares-text" {
            title id="shares-title" { "Who answered over time" }
            desc id="shares-text" { (description(cutover)) }
            (axis::grid(scale, origin, TOP, bottom))
            @for (row, share) in cutover.shares.iter().enumerate() { (band(share, scale, TOP + ROW * row as f64)) }
            @if origin.fault {
                line class="fault" x1=(px(scale.x(origin.zero))) x2=(px(scale.x(origin.zero))) y1=(px(TOP)) y2=(px(bottom)) {}
            }
            (axis::ticks(scale, origin, bottom))
        }
    }
}

fn band(share: &Share, scale: Scale, top: f64) -> Markup {
    let base = top + 8.0 + BAND;
    let columns = share.who.len();
    html! {
        g {
            line class="rule" x1="0" x2=(px(WIDTH)) y1=(px(top)) y2=(px(top)) {}
            text class="lane" x="0" y=(px(top + 22.0)) { title { (clean(&share.probe)) } (cut(&clean(&share.probe), 21)) }
            text class="note" x="0" y=(px(top + 38.0)) { (observer(&share.observer)) }
            @for column in 0..=columns {
                @let class = match share.sites.get(column).map(String::as_str) {
                    Some("new") => "new-site",
                    Some(_) => "old-site",
                    None => "no-site",
                };
                @let path = area(share, column, scale, base);
                @if !path.is_empty() {
                    path class=(class) fill-opacity=(opacity(share, column)) d=(path) {
                        title { (share.who.get(column).map_or_else(|| "nobody answered".to_owned(), |who| clean(who))) }
                    }
                }
            }
        }
    }
}

/// Several of one site differ in strength.
fn opacity(share: &Share, column: usize) -> &'static str {
    let site = share.sites.get(column);
    let before = share.sites.iter().take(column).filter(|other| Some(*other) == site).count();
    ["1", "0.75", "0.55", "0.4"].get(before % 4).copied().unwrap_or("1")
}

/// The area of one column: a rectangle for each run of buckets in which it has the same place.
fn area(share: &Share, column: usize, scale: Scale, base: f64) -> String {
    let mut path = String::new();
    let mut open: Option<(f64, f64, f64)> = None;
    let mut close = |open: &mut Option<(f64, f64, f64)>, until: f64| {
        if let Some((from, low, high)) = open.take() {
            let (x, to) = (px(scale.x(from)), px(scale.x(until)));
            path.push_str(&format!("M{x} {}H{to}V{}H{x}Z", px(base - low * BAND), px(base - high * BAND)));
        }
    };
    for (index, bucket) in share.answers.iter().enumerate() {
        let at = index as f64 * share.width;
        let total: u64 = bucket.iter().sum();
        let below: u64 = bucket.iter().take(column).sum();
        let own = bucket.get(column).copied().unwrap_or_default();
        let place = (own > 0).then(|| (below as f64 / total as f64, (below + own) as f64 / total as f64));
        if open.map(|(_, low, high)| (low, high)) != place {
            close(&mut open, at);
            open = place.map(|(low, high)| (at, low, high));
        }
    }
    close(&mut open, (share.answers.len() as f64 * share.width).min(scale.to));
    path
}

/// The drawing in words, for those who do not see it.
fn description(cutover: &Cutover) -> String {
    let said = cutover.shares.iter().map(|share| {
        let who = moved(&share.who, &share.sites);
        format!("{}, {}: {who}.", clean(&share.probe), observer(&share.observer))
    });
    said.collect::<Vec<_>>().join(" ")
}
