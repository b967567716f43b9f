//! The time axis: round seconds since the fault, and the wall-clock time at both ends.

use maud::{Markup, html};

use super::{LEFT, RIGHT, Scale, WIDTH, px};
use crate::report::facts::Origin;

/// Room below the lanes.
pub(super) const HEIGHT: f64 = 52.0;

/// About this many steps on the axis.
const STEPS: f64 = 9.0;

/// The step between two ticks: 1, 2 or 5 times a power of ten, or minutes.
fn step(span: f64) -> f64 {
    let least = span / STEPS;
    let rounds =
        [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0];
    let longer = [120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 21600.0];
    rounds.iter().chain(&longer).copied().find(|step| *step >= least).unwrap_or(86400.0)
}

/// Where the ticks are, as seconds of the run with the seconds since the origin.
fn places(scale: Scale, origin: Origin) -> Vec<(f64, f64)> {
    let step = step(scale.to - scale.from);
    let first = ((scale.from - origin.zero) / step).ceil() as i64;
    let last = ((scale.to - origin.zero) / step).floor() as i64;
    (first..=last).map(|n| n as f64 * step).map(|at| (at + origin.zero, at)).collect()
}

pub(super) fn grid(scale: Scale, origin: Origin, top: f64, bottom: f64) -> Markup {
    html! {
        @for (at, _) in places(scale, origin) {
            line class="grid" x1=(px(scale.x(at))) x2=(px(scale.x(at))) y1=(px(top)) y2=(px(bottom)) {}
        }
    }
}

pub(super) fn ticks(scale: Scale, origin: Origin, bottom: f64) -> Markup {
    let unit = step(scale.to - scale.from);
    html! {
        line class="axis" x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(bottom)) y2=(px(bottom)) {}
        @for (at, said) in places(scale, origin) {
            line class="axis" x1=(px(scale.x(at))) x2=(px(scale.x(at))) y1=(px(bottom)) y2=(px(bottom + 5.0)) {}
            text class="tick" x=(px(scale.x(at))) y=(px(bottom + 18.0)) text-anchor="middle" { (label(said, unit)) }
        }
        text class="note" x=(px(LEFT)) y=(px(bottom + 40.0)) { (origin.wall(scale.from)) " UTC" }
        text class="note" x=(px((LEFT + WIDTH - RIGHT) / 2.0)) y=(px(bottom + 40.0)) text-anchor="middle" {
            @if unit >= 60.0 { "minutes " } @else { "seconds " } (origin.label())
        }
        text class="note" x=(px(WIDTH - RIGHT)) y=(px(bottom + 40.0)) text-anchor="end" {
            (origin.wall(scale.to)) " UTC"
        }
    }
}

fn label(at: f64, step: f64) -> String {
    let (value, digits) = match step {
        step if step >= 60.0 => (at / 60.0, 0),
        step if step >= 1.0 => (at, 0),
        step => (at, (-step.log10()).ceil() as usize),
    };
    let sign = if value > 0.0 {
        "+"
    } else if value < 0.0 {
        "−"
    } else {
        ""
    };
    format!("{sign}{:.digits$}", value.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for span in [0.02, 0.7, 3.0, 40.0, 59.0, 600.0, 1803.0, 90000.0] {
            let ticks = span / step(span);
            assert!((3.0..=STEPS).contains(&ticks), "{ticks} ticks for {span} s");
        }
        assert_eq!(label(-5.0, 5.0), "−5");
        assert_eq!(label(0.0, 0.5), "0.0");
        assert_eq!(label(120.0, 60.0), "+2");
    }
}
