//! The timeline as one inline SVG: a lane per probe with what was served, its outages and its
//! latency, under the phases, the steps and the fault.
//!
//! Samples are grouped, so the drawing stays small however long the run was. Colours are classes
//! that the page's style sheet defines; shape tells good from bad as well as colour does.

mod axis;
mod buckets;
mod lane;
mod layers;
mod marks;
pub(crate) mod shares;

use maud::{Markup, html};

use crate::journal::Record;
use crate::measure::Interval;
use crate::report::facts::{self, Origin, clean};
use crate::report::{Report, words};
use crate::sample::Sample;

/// The drawing's width; the plot lies between the gutters.
const WIDTH: f64 = 1120.0;
const LEFT: f64 = 168.0;
const RIGHT: f64 = 52.0;

/// From seconds of the run to a place in the plot.
#[derive(Clone, Copy)]
struct Scale {
    from: f64,
    to: f64,
}

impl Scale {
    fn x(self, at: f64) -> f64 {
        let share = (at - self.from) / (self.to - self.from).max(1e-9);
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn overlaps(self, from: f64, to: f64) -> bool {
        to >= self.from && from <= self.to
    }
}

/// A number for an attribute: one decimal is finer than anyone sees.
fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// The run's samples by probe, in the order they were due: sorted once for all drawings.
pub(crate) struct Lanes<'a> {
    by_probe: Vec<Vec<&'a Sample>>,
}

impl<'a> Lanes<'a> {
    pub(crate) fn of(record: &'a Record) -> Lanes<'a> {
        let mut by_probe: Vec<Vec<&Sample>> = vec![Vec::new(); record.header.probes.len()];
        for sample in &record.samples {
            if let Some(own) = by_probe.get_mut(usize::from(sample.probe)) {
                own.push(sample);
            }
        }
        for own in &mut by_probe {
            own.sort_by_key(|sample| sample.seq);
        }
        Lanes { by_probe }
    }

    fn get(&self, index: Option<u16>) -> &[&'a Sample] {
        index.and_then(|index| self.by_probe.get(usize::from(index))).map_or(&[], Vec::as_slice)
    }
}

/// The time of the whole run, and of the part around the fault when that is a small part of it.
pub(crate) fn windows(report: &Report) -> (Interval, Option<Interval>) {
    let whole = (0.0, report.duration.max(0.001));
    let around = report.fault.as_ref().and_then(|fault| {
        let start = fault.injected_at.lo;
        let ends = report.probes.iter().flat_map(|probe| &probe.outages);
        let end = ends.filter_map(|outage| outage.end.hi).fold(start, f64::max);
        let length = end - start;
        let near = Interval::new((start - length * 0.2).max(0.0), (end + length * 0.35).min(whole.1));
        (length > 0.0 && length * 1.55 < 0.4 * whole.1).then_some(near)
    });
    (Interval::new(whole.0, whole.1), around)
}

/// The drawing of a window of the run. `id` keeps the names of two drawings on a page apart.
pub(crate) fn draw(
    report: &Report,
    record: &Record,
    lanes: &Lanes<'_>,
    window: Interval,
    id: &str,
) -> Markup {
    let origin = Origin::of(report, record);
    let scale = Scale { from: window.lo, to: window.hi.unwrap_or(window.lo) };
    let top = marks::height(report, record, scale);
    let tall = if report.probes.len() > 6 { 64.0 } else { 96.0 };
    let probed = top + tall * report.probes.len() as f64;
    let bottom = probed + layers::height(report, scale);
    let height = bottom + axis::HEIGHT;
    let view = format!("0 0 {} {}", px(WIDTH), px(height));
    html! {
        svg class="chart" viewBox=(view) role="img" aria-labelledby={ (id) "-title " (id) "-text" } {
            title id={ (id) "-title" } { (title(scale, origin)) }
            desc id={ (id) "-text" } { (description(report, origin)) }
            defs {
                pattern id={ (id) "-hatch" } width="6" height="6" patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)" { rect class="hatch" width="2" height="6" {} }
            }
            (axis::grid(scale, origin, top, bottom))
            (marks::stalls(report, scale, top, bottom, id))
            @for (row, probe) in report.probes.iter().enumerate() {
                @let place = lane::Place { top: top + tall * row as f64, height: tall };
                (lane::draw(probe, lanes.get(facts::probe_index(record, probe)), scale, place, id))
            }
            (layers::draw(report, scale, origin, probed))
            (marks::draw(report, record, scale, bottom))
            (axis::ticks(scale, origin, bottom))
        }
    }
}

fn title(scale: Scale, origin: Origin) -> String {
    format!(
        "Every probe from {} to {} {}",
        origin.instant(scale.from),
        origin.instant(scale.to),
        origin.label()
    )
}

/// The drawing in words, for those who do not see it.
fn description(report: &Report, origin: Origin) -> String {
    let said: Vec<String> = report
        .probes
        .iter()
        .map(|probe| {
            let outages: Vec<String> = probe
                .outages
                .iter()
                .map(|outage| {
                    format!("an outage of {} from {}", facts::lasted(outage), facts::began(outage, origin))
                })
                .collect();
            let seen = if outages.is_empty() { "no outage".to_owned() } else { outages.join(" and ") };
            let name = clean(&probe.name);
            format!(
                "{name}: {} good and {} bad samples, {seen}.",
                words::count(probe.ok),
                words::count(probe.bad)
            )
        })
        .collect();
    said.join(" ")
}
