//! Rules about times that do not fit into each other, and about values that do not fit their record.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::action::Action;
use crate::aws::find::Target;
use crate::aws::target::RecordType;
use crate::notation::code::Code;
use crate::notation::decode::{Problem, Spanned, clip};
use crate::notation::units::show;
use crate::spec::draft::Draft;
use crate::spec::experiment::Does;
use crate::spec::guardrail::Guardrail;

/// The run has time for what it is to do.
pub(super) fn elapsed(draft: &Draft, problems: &mut Vec<Problem>) {
    let limits = draft.stop_when.iter().flatten().filter_map(|rail| match &rail.value {
        Guardrail::Elapsed(rule) => Some((rail, rule.elapsed)),
        _ => None,
    });
    let Some((rail, limit)) = limits.min_by_key(|(_, limit)| *limit) else { return };
    let steady = draft.steady_state.as_ref().map_or(Duration::ZERO, |steady| steady.r#for);
    let cannot_end = cannot_end(draft, rail, limit, steady);
    if cannot_end.is_some() {
        problems.extend(cannot_end);
        return;
    }
    for timeout in draft.steps.iter().filter_map(|step| step.timeout.as_ref()?.as_ref()) {
        if timeout.value > limit {
            problems.push(
                Problem::new(
                    Code::RunTooShort,
                    timeout.span,
                    format!(
                        "the step may take {}, and the run is stopped after {}",
                        show(timeout.value),
                        show(limit)
                    ),
                )
                .label("never reached")
                .related(rail.span, "stops the run")
                .help("make `elapsed` longer than the steps may take, or this timeout shorter")
                .warning(),
            );
        }
    }
}

/// What every run takes at least: the steady state, then its longest wait, or what is measured after the fault.
fn cannot_end(
    draft: &Draft,
    rail: &Spanned<Guardrail>,
    limit: Duration,
    steady: Duration,
) -> Option<Problem> {
    let waits = draft.steps.iter().filter_map(|step| match step.deed.as_ref()?.value.as_ref()? {
        Does::Wait(time) => Some(*time),
        _ => None,
    });
    let recovery = draft.recovery.as_ref();
    let after = recovery.map_or(Duration::ZERO, |recovery| recovery.observe);
    let least = steady.saturating_add(waits.max().unwrap_or_default().max(after));
    if least < limit {
        return None;
    }
    let message = format!("every run takes {} at least, and is stopped after {}", show(least), show(limit));
    let why = format!("{} of steady state come first", show(steady));
    let help =
        format!("{why}, then the longest wait or what is measured after the fault: make `elapsed` longer");
    Some(Problem::new(Code::RunCannotEnd, rail.span, message).label("stops every run").help(help).warning())
}

/// What a record is flipped to can be held by it, and does not outlast the RTO.
pub(super) fn records(draft: &Draft, problems: &mut Vec<Problem>) {
    for deed in draft.steps.iter().filter_map(|step| step.deed.as_ref()) {
        let Some(Does::Action(Action::FlipRecord(flip))) = &deed.value else { continue };
        let target = draft.targets.iter().find(|target| target.name.text == *flip.target);
        if let (Some(Target::Route53Record(record)), Some(values)) =
            (target.and_then(|target| target.value.as_ref()), &flip.values)
            && let Some(why) = unfit(record.r#type, values)
        {
            let problem = Problem::new(Code::RecordValue, deed.place, why);
            problems.push(problem.label(format!("`{}` is of type {}", *flip.target, record.r#type.word())));
        }
        let rto = draft.objectives.as_ref().and_then(|objectives| objectives.rto.as_ref());
        let ttl = flip.ttl.map(|ttl| Duration::from_secs(u64::from(ttl)));
        if let (Some(rto), Some(ttl)) = (rto, ttl)
            && ttl > rto.within
        {
            let message = format!(
                "the record gets a TTL of {}, longer than the RTO of {}",
                show(ttl),
                show(rto.within)
            );
            problems.push(
                Problem::new(Code::TtlTooLong, deed.place, message)
                    .label("clients keep for that long what they were told")
                    .related(rto.span, "the RTO")
                    .help("a record that is failed over has a TTL well below the RTO, such as `ttl: 30`")
                    .warning(),
            );
        }
    }
}

/// Why a record of a type cannot hold these values.
fn unfit(kind: RecordType, values: &[String]) -> Option<String> {
    let known = || values.iter().filter(|value| !value.contains("${"));
    let bad = match kind {
        RecordType::A => {
            known().find(|value| value.parse::<Ipv4Addr>().is_err()).map(|value| (value, "an IPv4 address"))
        }
        RecordType::Aaaa => {
            known().find(|value| value.parse::<Ipv6Addr>().is_err()).map(|value| (value, "an IPv6 address"))
        }
        RecordType::Cname if values.len() > 1 => return Some("a CNAME record has one value".to_owned()),
        RecordType::Cname => {
            known().find(|value| value.contains([' ', '/', ':'])).map(|value| (value, "a domain name"))
        }
        RecordType::Txt | RecordType::Mx | RecordType::Srv => None,
    };
    bad.map(|(value, what)| format!("`{}` is not {what}", clip(value)))
}
