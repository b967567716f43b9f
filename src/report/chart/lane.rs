//! One probe's lane: its name, a strip of what was served, its outages, and its latency on a
//! logarithmic scale.

use maud::{Markup, html};

use super::buckets::{Bucket, buckets};
use super::{LEFT, RIGHT, Scale, WIDTH, px};
use crate::report::facts::clean;
use crate::report::table::cut;
use crate::report::{Outage, ProbeReport, StateSpan, words};
use crate::sample::Sample;

/// Where a lane is drawn.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) top: f64,
    pub(super) height: f64,
}

/// Groups in a lane, at most: two units wide each.
const GROUPS: usize = 450;
/// The strip: a thin line when served, a block when not.
const STRIP: f64 = 14.0;
const THIN: f64 = 4.0;

pub(super) fn draw(probe: &ProbeReport, samples: &[&Sample], scale: Scale, place: Place, id: &str) -> Markup {
    let groups = buckets(samples, probe.every, scale.from, scale.to, GROUPS);
    let base = place.top + 10.0 + STRIP;
    html! {
        g {
            line class="rule" x1="0" x2=(px(WIDTH)) y1=(px(place.top)) y2=(px(place.top)) {}
            text class="lane" x="0" y=(px(place.top + 22.0)) {
                title { (clean(&probe.name)) ": " (clean(&probe.summary)) }
                (cut(&clean(&probe.name), 21))
            }
            text class="note" x="0" y=(px(place.top + 38.0)) { (cut(&clean(&probe.kind), 16)) ", " (words::duration(probe.every)) }
            @for outage in shown(&probe.outages, scale) { (shade(outage, scale, place)) }
            (strip(&groups, scale, base, id))
            (states(&probe.states.spans, scale, base + 2.0))
            (latency(&groups, scale, Place { top: base + 8.0, height: place.top + place.height - base - 14.0 }))
            @for outage in shown(&probe.outages, scale) { (caption(outage, scale, (base + place.top + place.height) / 2.0 + 5.0)) }
        }
    }
}

fn shown(outages: &[Outage], scale: Scale) -> impl Iterator<Item = &Outage> {
    outages
        .iter()
        .filter(move |outage| scale.overlaps(outage.begin.lo, outage.end.hi.unwrap_or(f64::INFINITY)))
}

/// The outage: what is certain in one shade, what its bounds leave open in a lighter one.
fn shade(outage: &Outage, scale: Scale, place: Place) -> Markup {
    let sure = (outage.begin.hi.unwrap_or(outage.begin.lo), outage.end.lo);
    let open = (outage.begin.lo, outage.end.hi.unwrap_or(scale.to));
    html! {
        @for (class, (from, to)) in [("open", open), ("sure", sure)] {
            @let (x, width) = (scale.x(from), (scale.x(to) - scale.x(from)).max(if class == "open" { 1.0 } else { 0.0 }));
            @if width > 0.0 {
                rect class=(class) x=(px(x)) y=(px(place.top + 1.0)) width=(px(width)) height=(px(place.height - 2.0)) {}
            }
        }
    }
}

/// How long the outage was, beside or within its shade.
fn caption(outage: &Outage, scale: Scale, y: f64) -> Markup {
    let said = words::span(outage.duration);
    let (from, to) = (scale.x(outage.begin.lo), scale.x(outage.end.hi.unwrap_or(scale.to)));
    let room = said.chars().count() as f64 * 6.6 + 10.0;
    let (x, anchor) = if to - from > room {
        ((from + to) / 2.0, "middle")
    } else if to + room < WIDTH - RIGHT {
        (to + 5.0, "start")
    } else {
        (from - 5.0, "end")
    };
    html! { text class="down" x=(px(x)) y=(px(y)) text-anchor=(anchor) { (said) } }
}

/// Served: a thin line. Not served: a block as tall as the share that failed. Unknown: hatched.
fn strip(groups: &[Bucket], scale: Scale, base: f64, id: &str) -> Markup {
    let (mut good, mut bad, mut void) = (String::new(), String::new(), String::new());
    let alike = |a: &Bucket, b: &Bucket| {
        a.silent() == b.silent() && a.level() == b.level() && (b.from - a.to).abs() < 1e-6
    };
    for run in groups.chunk_by(alike) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let (x, width) = (scale.x(first.from), (scale.x(last.to) - scale.x(first.from)).max(0.8));
        let block =
            |height: f64| format!("M{} {}v-{}h{}v{}z", px(x), px(base), px(height), px(width), px(height));
        match (first.silent(), first.level()) {
            (true, _) => void.push_str(&block(STRIP)),
            (false, 0) => good.push_str(&block(THIN)),
            (false, level) => bad.push_str(&block(THIN + (STRIP - THIN) * f64::from(level) / 8.0)),
        }
    }
    html! {
        @if !good.is_empty() { path class="good" d=(good) {} }
        @if !bad.is_empty() { path class="bad" d=(bad) {} }
        @if !void.is_empty() { path class="void" d=(void) fill={ "url(#" (id) "-hatch)" } {} }
    }
}

/// The seconds that were not up, a thin bar under the strip: one shape per state.
fn states(spans: &[StateSpan], scale: Scale, top: f64) -> Markup {
    let mut paths: Vec<(&str, String)> =
        ["down", "degraded", "brown_out"].map(|state| (state, String::new())).into();
    for span in spans.iter().filter(|span| scale.overlaps(span.from, span.to)) {
        let Some((_, path)) = paths.iter_mut().find(|(state, _)| *state == span.state) else { continue };
        let (x, width) = (scale.x(span.from), (scale.x(span.to) - scale.x(span.from)).max(0.8));
        path.push_str(&format!("M{} {}h{}v4h-{}z", px(x), px(top), px(width), px(width)));
    }
    html! {
        @for (state, path) in paths.iter().filter(|(_, path)| !path.is_empty()) {
            path class={ "state " (state) } d=(path) {}
        }
    }
}

/// The decades that hold all latencies, as powers of ten of a second.
fn decades(groups: &[Bucket]) -> Option<(i32, i32)> {
    let all = || groups.iter().filter_map(|group| group.latency);
    let least = all().map(|(least, ..)| least.max(1e-6)).min_by(f64::total_cmp)?;
    let most = all().map(|(.., most)| most.max(1e-6)).max_by(f64::total_cmp)?;
    let low = least.log10().floor() as i32;
    Some((low, (most.log10().ceil() as i32).max(low + 1)))
}

/// The range of each group as a thin bar, and a line through the medians.
fn latency(groups: &[Bucket], scale: Scale, place: Place) -> Markup {
    let Some((low, high)) = decades(groups) else { return html! {} };
    let y = |seconds: f64| {
        let share = (seconds.max(1e-6).log10() - f64::from(low)) / f64::from(high - low);
        place.top + place.height * (1.0 - share.clamp(0.0, 1.0))
    };
    let (mut ranges, mut medians, mut after) = (String::new(), String::new(), f64::NAN);
    for group in groups {
        let Some((least, median, most)) = group.latency else { continue };
        let x = scale.x((group.from + group.to) / 2.0);
        if y(least) - y(most) > 1.0 {
            ranges.push_str(&format!("M{} {}V{}", px(x), px(y(least)), px(y(most))));
        }
        let joined = (group.from - after).abs() < 1e-6;
        medians.push_str(&format!("{}{} {}", if joined { 'L' } else { 'M' }, px(x), px(y(median))));
        if !joined {
            // A stroke of no length, so that a group on its own shows as a dot.
            medians.push_str("h0");
        }
        after = group.to;
    }
    html! {
        @for decade in [low, high] {
            @let at = y(10f64.powi(decade));
            line class="grid" x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(at)) y2=(px(at)) {}
            text class="tick" x=(px(WIDTH - RIGHT + 6.0)) y=(px(at + 3.5)) { (decade_words(decade)) }
        }
        path class="range" d=(ranges) {}
        path class="median" d=(medians) {}
    }
}

fn decade_words(decade: i32) -> String {
    match decade {
        0.. => format!("{} s", 10u64.pow(decade as u32)),
        -3.. => format!("{} ms", 10u64.pow((decade + 3) as u32)),
        _ => format!("{} µs", 10u64.pow((decade + 6).max(0) as u32)),
    }
}
