//! Rules about guardrails: what they name is there, they can trip, and they leave the drill time to show its result.

use std::time::Duration;

use super::no_such;
use crate::notation::code::Code;
use crate::notation::decode::{Problem, Spanned, clip};
use crate::notation::units::show;
use crate::notation::yaml::Span;
use crate::spec::draft::{Draft, WatchDraft};
use crate::spec::guardrail::{Availability, Elapsed, Guardrail, LEAST, Latency, OfPrometheus};

/// The rules about each guardrail, and about all of them together.
pub(super) fn guardrails(draft: &Draft, problems: &mut Vec<Problem>) {
    for rail in draft.stop_when.iter().flatten() {
        let limit = match &rail.value {
            Guardrail::Elapsed(elapsed) => {
                undo_fits(rail, elapsed, problems);
                Some(elapsed.elapsed)
            }
            Guardrail::Down(down) => {
                known(draft, &down.probe, problems);
                Some(down.down_for)
            }
            Guardrail::Availability(rule) => availability(draft, rail, rule, problems),
            Guardrail::Latency(rule) => {
                latency(draft, rail, rule, problems);
                None
            }
            Guardrail::Alarm(_) => None,
            Guardrail::Prometheus(rule) => {
                prometheus(rail, rule, problems);
                None
            }
        };
        let rto = draft.objectives.as_ref().and_then(|objectives| objectives.rto.as_ref());
        let (Some(limit), Some(rto)) = (limit, rto) else { continue };
        if limit < rto.within {
            problems.push(
                Problem::new(
                    Code::StopsTooEarly,
                    rail.span,
                    format!("the guardrail `{rail}` aborts before the RTO of {} is over", show(rto.within)),
                )
                .label("a recovery in between is never seen")
                .related(rto.span, "the RTO")
                .help("make the guardrail longer than the RTO")
                .warning(),
            );
        }
    }
    alarms(draft, problems);
}

/// The probe that a guardrail names; says so when there is none.
fn known<'d>(
    draft: &'d Draft,
    probe: &Spanned<String>,
    problems: &mut Vec<Problem>,
) -> Option<&'d WatchDraft> {
    let found = draft.probes.iter().find(|watch| watch.name.text == **probe);
    if found.is_none() {
        let known: Vec<(&str, Span)> =
            draft.probes.iter().map(|watch| (watch.name.text.as_str(), watch.name.span)).collect();
        problems.push(no_such(Code::UnknownProbe, "probe", probe, probe.span, &known));
    }
    found
}

fn undo_fits(rail: &Spanned<Guardrail>, rule: &Elapsed, problems: &mut Vec<Problem>) {
    let Some(undo) = rule.undo_within.filter(|undo| *undo >= rule.elapsed) else { return };
    problems.push(
        Problem::new(
            Code::UndoTooLong,
            rail.span,
            format!(
                "an undo of {} leaves nothing of the {} that the run may take",
                show(undo),
                show(rule.elapsed)
            ),
        )
        .label("it would be stopped as soon as there is something to undo")
        .help("make `elapsed` longer than the drill and its undo together"),
    );
}

/// How long a total outage lasts until the guardrail trips, when the probe is one that the fault may hit.
fn availability(
    draft: &Draft,
    rail: &Spanned<Guardrail>,
    rule: &Availability,
    problems: &mut Vec<Problem>,
) -> Option<Duration> {
    if rule.availability_below.0 <= 0.0 {
        problems.push(
            Problem::new(Code::NeverTrips, rail.span, "an availability is never below 0%")
                .label("can never trip")
                .help("such as `availability_below: 90%`"),
        );
    }
    let watch = known(draft, &rule.probe, problems)?;
    window(watch, rail, (rule.over, LEAST), problems);
    let trips = rule.over.mul_f64((1.0 - rule.availability_below.0).clamp(0.0, 1.0));
    (watch.must_stay_up != Some(true)).then_some(trips)
}

fn latency(draft: &Draft, rail: &Spanned<Guardrail>, rule: &Latency, problems: &mut Vec<Problem>) {
    let Some(watch) = known(draft, &rule.probe, problems) else { return };
    window(watch, rail, (rule.over, rule.percentile.needs()), problems);
    let patience = watch.probe.as_ref().map(|probe| probe.deadline());
    if let Some(patience) = patience.filter(|patience| rule.latency_above >= *patience) {
        problems.push(
            Problem::new(
                Code::NeverTrips,
                rail.span,
                format!("`{}` waits for no answer longer than {}", rule.probe, show(patience)),
            )
            .label("can never trip")
            .related(watch.place, "its timeout")
            .help("make `latency_above` shorter than the probe's timeout"),
        );
    }
}

/// A window holds enough samples to be judged.
fn window(
    watch: &WatchDraft,
    rail: &Spanned<Guardrail>,
    (over, least): (Duration, usize),
    problems: &mut Vec<Problem>,
) {
    let Some(every) = &watch.every else { return };
    let needed = every.saturating_mul(u32::try_from(least).unwrap_or(u32::MAX));
    if over >= needed {
        return;
    }
    let why = match &rail.value {
        Guardrail::Latency(rule) if least > LEAST => format!("{} needs {least} samples", rule.percentile),
        _ => format!("a window has at least {least} samples"),
    };
    problems.push(
        Problem::new(Code::WindowTooShort, rail.span, format!("{} is too short a window: {why}", show(over)))
            .label(format!("`{}` is asked every {}", watch.name.text, show(every.value)))
            .related(every.span, "the probe's spacing")
            .help(format!("make it `over: {}` or longer, or ask more often", show(needed))),
    );
}

fn prometheus(rail: &Spanned<Guardrail>, rule: &OfPrometheus, problems: &mut Vec<Problem>) {
    let query = &rule.prometheus;
    if query.above.is_none() && query.below.is_none() {
        problems.push(
            Problem::new(Code::NoBound, rail.span, "this guardrail does not say which value stops the run")
                .label("`above` or `below` is needed here"),
        );
    }
    if query.timeout.is_zero() {
        problems.push(
            Problem::new(Code::ZeroTime, rail.span, "a timeout of zero leaves no time for any answer")
                .help("leave `timeout` out for 5s"),
        );
    }
}

/// Each guardrail alarm is named once, and is not one that the drill is meant to make fire.
fn alarms(draft: &Draft, problems: &mut Vec<Problem>) {
    let named: Vec<&Spanned<String>> = draft
        .stop_when
        .iter()
        .flatten()
        .filter_map(|rail| match &rail.value {
            Guardrail::Alarm(rule) => Some(&rule.alarm),
            _ => None,
        })
        .collect();
    for (index, alarm) in named.iter().enumerate() {
        let name = clip(&alarm.value);
        if alarm.value.trim().is_empty() {
            problems.push(
                Problem::new(Code::AlarmUnnamed, alarm.span, "an alarm without a name")
                    .label("expected the name of a CloudWatch alarm"),
            );
        } else if let Some(first) = named.iter().take(index).find(|earlier| earlier.value == alarm.value) {
            problems.push(
                Problem::new(
                    Code::AlarmTwice,
                    alarm.span,
                    format!("the guardrail alarm `{name}` is named twice"),
                )
                .label("again")
                .related(first.span, "the first time"),
            );
        }
        if let Some(expected) = draft.alarms.iter().flatten().find(|other| other.value == alarm.value) {
            problems.push(
                Problem::new(
                    Code::AlarmStopsAndExpected,
                    alarm.span,
                    format!("the alarm `{name}` is expected to fire, and would stop the run when it does"),
                )
                .label("stops the run")
                .related(expected.span, "is meant to fire")
                .help("leave it in one of `alarms` and `stop_when`"),
            );
        }
    }
}
