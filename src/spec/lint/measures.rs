//! Rules about what is measured: whether the probes can decide the objectives.

use std::time::Duration;

use super::no_such;
use crate::notation::decode::{Problem, Spanned, clip};
use crate::notation::units::show;
use crate::notation::yaml::Span;
use crate::probe::Probe;
use crate::spec::draft::{Draft, WatchDraft};
use crate::spec::experiment::{Guardrail, Rpo};

/// A probe cannot be asked more often than this.
const FASTEST: Duration = Duration::from_millis(10);

fn ledger(watch: &WatchDraft) -> bool {
    watch.kind.is_none_or(|kind| kind.ends_with(".ledger"))
}

fn impacted(watch: &WatchDraft) -> bool {
    watch.must_stay_up != Some(true)
}

/// Each objective has a probe that can decide it.
pub(super) fn objectives(draft: &Draft, problems: &mut Vec<Problem>) {
    let Some(objectives) = &draft.objectives else { return };
    let nobody = |name: &str, span: Span| {
        Problem::new(span, format!("no probe can decide the {name}"))
            .label("nothing in this file measures it")
            .help("add a probe: `firedrill probes` lists the kinds")
    };
    let idle = draft.probes.is_empty();
    if let Some(rto) = &objectives.rto {
        if idle {
            problems.push(nobody("RTO", rto.span));
        } else if !draft.probes.iter().any(impacted) {
            problems.push(
                nobody("RTO", rto.span)
                    .label("every probe says `must_stay_up: true`")
                    .help("take it away from the probes that the fault hits"),
            );
        }
        for watch in draft.probes.iter().filter(|watch| impacted(watch)) {
            resolution(watch, rto, problems);
        }
    }
    if let Some(rpo) = &objectives.rpo {
        recovery_point(draft, rpo, problems);
    }
    if let (true, Some(availability)) = (idle, &objectives.availability) {
        problems.push(nobody("availability", availability.span));
    }
    if let Some(detection) = &objectives.detection {
        self::detection(draft, detection, problems);
    }
    if let (true, Some(latency)) = (idle, &objectives.latency) {
        problems.push(nobody("latency", latency.span));
    }
    let declared = objectives.rto.is_some()
        || objectives.rpo.is_some()
        || objectives.availability.is_some()
        || objectives.latency.is_some()
        || objectives.detection.is_some();
    if !declared {
        problems.push(
            Problem::new(draft.span, "the drill has no objective")
                .label("it measures, but has nothing to be held against")
                .help("declare one: `objectives: { rto: 2m }`")
                .warning(),
        );
    }
    if let (Some(steady), Some(availability)) = (&draft.steady_state, &objectives.availability)
        && steady.availability.0 < availability.0
    {
        problems.push(
            Problem::new(
                availability.span,
                format!(
                    "the objective is {}, but the steady state may be as low as {}",
                    availability.value, steady.availability
                ),
            )
            .label("missed before anything is broken")
            .help("raise `steady_state.availability`")
            .warning(),
        );
    }
}

/// A target shorter than three times what the probe can tell apart cannot be decided.
fn resolution(watch: &WatchDraft, rto: &Spanned<Duration>, problems: &mut Vec<Problem>) {
    let Some(every) = &watch.every else { return };
    let wait = watch.probe.as_ref().map_or(Duration::ZERO, blind_time);
    let width = every.saturating_mul(2) + wait;
    if rto.value >= width.saturating_mul(3) {
        return;
    }
    let fitting = (rto.value / 3).saturating_sub(wait) / 2;
    let help = match fitting >= FASTEST {
        true => {
            format!("ask more often: `every: {}`", show(Duration::from_millis(fitting.as_millis() as u64)))
        }
        false if !wait.is_zero() => {
            "keep `connect_timeout` below 1s: after that, TCP repeats the SYN by itself".to_owned()
        }
        false => "set a longer RTO, or `must_stay_up: true` for what may not fail at all".to_owned(),
    };
    problems.push(
        Problem::new(
            every.span,
            format!(
                "an RTO of {} cannot be decided by `{}`, which measures an outage to within {}",
                show(rto.value),
                watch.name.text,
                show(width)
            ),
        )
        .label("asks too seldom")
        .related(rto.span, "needs a third of this")
        .help(help),
    );
}

/// How long a lost SYN can hide the end of an outage: the offset of the last one that is sent before the
/// connect deadline.
fn blind_time(probe: &Probe) -> Duration {
    let deadline = match probe {
        Probe::Http(http) => http.connect_timeout,
        Probe::Tcp(tcp) => tcp.connect_timeout,
        Probe::Postgres(postgres) => postgres.connect_timeout,
        Probe::PostgresLedger(ledger) => ledger.connect_timeout,
        Probe::HttpLedger(ledger) => ledger.connect_timeout,
        Probe::Dns(_) => return Duration::ZERO,
    };
    let retries = [15, 7, 3, 1].map(Duration::from_secs);
    retries.into_iter().find(|offset| *offset <= deadline).unwrap_or_default()
}

fn recovery_point(draft: &Draft, rpo: &Spanned<Rpo>, problems: &mut Vec<Problem>) {
    let mut ledgers = draft.probes.iter().filter(|watch| ledger(watch)).peekable();
    if ledgers.peek().is_none() {
        problems.push(
            Problem::new(rpo.span, "no probe can decide the RPO")
                .label("lost writes are counted by a ledger, and there is none")
                .help("add a probe of kind `postgres.ledger` or `http.ledger`"),
        );
    }
    let Rpo::Seconds(seconds) = rpo.value else { return };
    for watch in ledgers {
        let Some(every) = &watch.every else { continue };
        if !seconds.is_zero() && seconds < every.value {
            problems.push(
                Problem::new(
                    every.span,
                    format!("`{}` writes too seldom for an RPO of {}", watch.name.text, show(seconds)),
                )
                .label("the spacing of its writes is its resolution")
                .related(rpo.span, "finer than that")
                .warning(),
            );
        }
    }
}

/// Detection is told by an alarm.
fn detection(draft: &Draft, target: &Spanned<Duration>, problems: &mut Vec<Problem>) {
    if draft.alarms.is_empty() {
        problems.push(
            Problem::new(target.span, "no alarm can decide the detection")
                .label("detected is what made an alarm fire, and this file names none")
                .help("name the CloudWatch alarms that are to fire: `alarms: [checkout-5xx]`"),
        );
    }
    if target.value.is_zero() {
        problems.push(
            Problem::new(target.span, "an alarm cannot fire in no time")
                .label("longer than zero")
                .help("say how long it may take: `detection: 90s`"),
        );
    } else if target.value < LOOK * 3 {
        problems.push(
            Problem::new(
                target.span,
                format!("a detection within {} can hardly be decided", show(target.value)),
            )
            .label(format!("alarms are looked at every {}", show(LOOK)))
            .help("CloudWatch itself takes tens of seconds: allow three looks at least")
            .warning(),
        );
    }
}

/// Alarms are looked at this often.
const LOOK: Duration = Duration::from_secs(1);

/// Each alarm is named once.
pub(super) fn alarms(draft: &Draft, problems: &mut Vec<Problem>) {
    let named: Vec<&Spanned<String>> = draft.alarms.iter().flatten().collect();
    for (index, alarm) in named.iter().enumerate() {
        if alarm.value.trim().is_empty() {
            problems.push(
                Problem::new(alarm.span, "an alarm without a name")
                    .label("expected the name of a CloudWatch alarm"),
            );
        }
        if let Some(first) = named.iter().take(index).find(|earlier| earlier.value == alarm.value) {
            problems.push(
                Problem::new(alarm.span, format!("the alarm `{}` is named twice", clip(&alarm.value)))
                    .label("again")
                    .related(first.span, "the first time"),
            );
        }
    }
}

/// Each probe measures something, at a rate that can be kept.
pub(super) fn probes(draft: &Draft, problems: &mut Vec<Problem>) {
    for watch in &draft.probes {
        if let Some(every) = &watch.every
            && every.value < FASTEST
        {
            problems.push(
                Problem::new(
                    every.span,
                    format!("`{}` would be asked every {}", watch.name.text, show(every.value)),
                )
                .label("10ms is the shortest"),
            );
        }
        if watch.probe.as_ref().is_some_and(|probe| probe.deadline().is_zero()) {
            problems
                .push(Problem::new(watch.place, "this probe's timeout is zero").label("nothing can answer"));
        }
        let judged = draft.objectives.as_ref().is_none_or(|objectives| objectives.rpo.is_some());
        if !judged && watch.kind.is_some_and(|kind| kind.ends_with(".ledger")) {
            problems.push(
                Problem::new(
                    watch.place,
                    format!("`{}` counts lost writes, and no RPO judges them", watch.name.text),
                )
                .label("a ledger")
                .help("declare `objectives: { rpo: 0s }`")
                .warning(),
            );
        }
    }
}

/// Each guardrail names a probe, and leaves the drill time to show its result.
pub(super) fn guardrails(draft: &Draft, problems: &mut Vec<Problem>) {
    let rto = draft.objectives.as_ref().and_then(|objectives| objectives.rto.as_ref());
    for rail in draft.stop_when.iter().flatten() {
        let (limit, place) = match &rail.value {
            Guardrail::Elapsed(limit) => (*limit, rail.span),
            Guardrail::ProbeDown { probe, down_for } => {
                if !draft.probes.iter().any(|watch| watch.name.text == **probe) {
                    let known: Vec<(&str, Span)> =
                        draft.probes.iter().map(|w| (w.name.text.as_str(), w.name.span)).collect();
                    problems.push(no_such("probe", probe, probe.span, &known));
                }
                (*down_for, rail.span)
            }
        };
        let Some(rto) = rto.filter(|rto| limit < rto.value) else { continue };
        problems.push(
            Problem::new(
                place,
                format!("the guardrail `{rail}` aborts before the RTO of {} is over", show(rto.value)),
            )
            .label("a recovery in between is never seen")
            .related(rto.span, "the RTO")
            .help("make the guardrail longer than the RTO")
            .warning(),
        );
    }
}

/// Times that must be longer than zero, or than each other.
pub(super) fn times(draft: &Draft, problems: &mut Vec<Problem>) {
    let [steady_for, confirm, within_place] = draft.places;
    let zero = |what: &str, place: Span| Problem::new(place, format!("`{what}` must be longer than zero"));
    if draft.steady_state.as_ref().is_some_and(|steady| steady.r#for.is_zero()) {
        problems.push(
            zero("steady_state.for", steady_for).help("what was never seen well cannot be seen to recover"),
        );
    }
    let Some(recovery) = &draft.recovery else { return };
    if recovery.confirm.is_zero() {
        problems.push(
            zero("recovery.confirm", confirm).help("the first good answer is not recovery: endpoints flap"),
        );
    }
    let rto = draft.objectives.as_ref().and_then(|objectives| objectives.rto.as_ref());
    if let (Some(within), Some(rto)) = (recovery.within, rto)
        && within < rto.value
    {
        problems.push(
            Problem::new(
                within_place,
                format!("the drill looks for {}, less than the RTO of {}", show(within), show(rto.value)),
            )
            .label("a recovery after that is never seen")
            .related(rto.span, "the RTO")
            .help("make `recovery.within` longer than the RTO"),
        );
    }
}
