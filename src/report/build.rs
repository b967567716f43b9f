//! From a stored run to its report: everything is computed here, nothing is remembered.

mod judged;

use std::collections::BTreeMap;

use super::{
    BudgetReport, Evidence, Fault, Latency, LedgerReport, Outage, ProbeReport, ProberReport, Proof, Report,
    SafetyReport, Stall, StatesReport, StepReport, UndoReport, people,
};
use crate::journal::Record;
use crate::measure::latency::Latencies;
use crate::measure::service::{Service, errors};
use crate::measure::{Interval, Measures, outage};
use crate::run::event::{EventKind, PlannedStep, StepOutcome, outstanding};
use crate::sample::{Class, Mark};
use crate::timeline::{Timeline, Track};
use crate::verdict;

/// The version of the public contract.
pub const SCHEMA: &str = "firedrill/report/v1";
/// How many of a run's own notes are repeated.
const NOTES: usize = 100;

/// Measures and judges a run.
pub fn build(record: &Record) -> Report {
    let timeline = Timeline::of(record);
    let measures = Measures::of(record, &timeline);
    let judgement = verdict::judge(record, &timeline, &measures);
    let header = &record.header;
    let errors = first_errors(record);
    let mut notes = judgement.notes;
    notes.extend(
        noted(record).filter(|text| first_error(record, text).is_none()).take(NOTES).map(str::to_owned),
    );
    let ended = jiff::SignedDuration::from_nanos(i64::try_from(timeline.end.0).unwrap_or(i64::MAX));
    Report {
        schema: SCHEMA.to_owned(),
        run: header.run.clone(),
        experiment: header.experiment.name.clone(),
        title: header.experiment.title.clone(),
        hypothesis: header.experiment.hypothesis.clone(),
        owner: header.experiment.owner.clone(),
        controls: header.experiment.controls.clone(),
        environment: header.environment.name.clone(),
        account: header.environment.account.clone(),
        region: header.environment.region.clone(),
        verdict: judgement.outcome,
        because: judgement.because,
        dry_run: header.dry_run,
        tabletop: header.tabletop,
        kind: header.experiment.kind.noun().to_owned(),
        seed: header.seed,
        started_at: header.began.to_string(),
        ended_at: header.began.checked_add(ended).unwrap_or(header.began).to_string(),
        duration: timeline.end.secs(),
        fault: timeline.fault.as_ref().map(|fault| Fault {
            step: fault.step.clone(),
            injected_at: Interval {
                lo: fault.sent.secs(),
                hi: fault.returned.map(crate::clock::Moment::secs),
            },
            evidence: judgement.evidence,
        }),
        rto: judged::worst(record, &timeline, &measures),
        objectives: judgement.objectives,
        probes: timeline
            .tracks
            .iter()
            .enumerate()
            .filter_map(|(at, track)| {
                let first = errors.get(&track.facts.name);
                Some(probe(track, measures.services.get(at)?, first, judged::seen(&measures, at)))
            })
            .collect(),
        rpo: measures.ledgers.iter().map(LedgerReport::of).collect(),
        cutover: measures.cutover.clone(),
        steps: header.plan.iter().map(|step| self::step(record, step)).collect(),
        procedure: people::procedure(record),
        undo: undo(record),
        safety: SafetyReport::of(record),
        prober: prober(record, &timeline),
        notes,
        breakdown: measures.breakdown,
        evidence: Evidence {
            firedrill: header.firedrill.clone(),
            experiment_sha256: header.experiment.sha256.clone(),
            journal_sha256: record.chain_head.clone(),
            samples: record.samples.len() as u64,
            cut: record.cut,
        },
    }
}

fn probe(
    track: &Track,
    service: &Service,
    first: Option<&BTreeMap<String, String>>,
    (states, error_budget): (StatesReport, Option<BudgetReport>),
) -> ProbeReport {
    ProbeReport {
        name: track.facts.name.clone(),
        kind: track.facts.kind.clone(),
        summary: track.facts.summary.clone(),
        every: track.facts.every,
        scheduled: service.counts.scheduled,
        ok: service.counts.ok,
        bad: service.counts.bad,
        void: service.counts.void,
        shed: service.counts.shed,
        coverage: service.counts.coverage(),
        availability: service.availability.map(|found| found.ratio),
        resolution: service.resolution,
        latency_ms: service
            .latency
            .iter()
            .map(|(phase, latencies)| ((*phase).to_owned(), latency(latencies)))
            .collect(),
        parts_ms: service
            .parts
            .iter()
            .map(|(phase, parts)| {
                let parts = parts.iter().map(|(part, found)| ((*part).to_owned(), latency(found)));
                ((*phase).to_owned(), parts.collect())
            })
            .collect(),
        availability_time: service.availability.map(|found| found.time),
        recovery: service.recovery.as_ref().map(judged::recovery),
        states,
        error_budget,
        late: track.late.len() as u64,
        outages: service.outages.iter().map(|outage| self::outage(track, outage)).collect(),
        blips: service.blips,
        errors: service.errors.clone(),
        first_errors: first.cloned().unwrap_or_default(),
    }
}

fn outage(track: &Track, outage: &outage::Outage) -> Outage {
    let (last_good, first_bad, last_bad, first_good) = &outage.proof;
    let within = track.valid.get(outage.span.first_bad..=outage.span.last_bad).unwrap_or_default();
    Outage {
        begin: outage.begin,
        end: outage.end,
        duration: outage.duration,
        least: judged::least(outage),
        errors: errors(within.iter()),
        bad_ratio: outage.bad_ratio,
        proof: Proof {
            last_good: last_good.map(|sample| sample.seq),
            first_bad: first_bad.seq,
            last_bad: last_bad.seq,
            first_good: first_good.map(|sample| sample.seq),
        },
    }
}

fn latency(latencies: &Latencies) -> Latency {
    Latency {
        count: latencies.count(),
        p50: latencies.millis(50.0),
        p95: latencies.millis(95.0),
        p99: latencies.millis(99.0),
        max: latencies.longest() * 1e3,
        unanswered: latencies.unanswered(),
        p99_at_least: latencies.at_least(99.0).map(|seconds| seconds * 1e3),
    }
}

fn step(record: &Record, planned: &PlannedStep) -> StepReport {
    let mut report = StepReport {
        name: planned.name.clone(),
        kind: planned.kind.clone(),
        summary: planned.summary.clone(),
        outcome: "skipped".to_owned(),
        started: None,
        finished: None,
        detail: None,
        evidence: None,
        undo: planned.undo.clone(),
        owner: planned.handling.owner.clone(),
        role: planned.handling.role.clone(),
        about: planned.handling.about.clone(),
        expected: planned.handling.expected,
        confirmations: people::confirmations(&record.events, &planned.name),
        ..StepReport::default()
    };
    for event in &record.events {
        let at = event.at_ns.secs();
        match &event.kind {
            EventKind::StepStarted { step } if *step == planned.name => {
                report.started = Some(at);
                // Until its end is found: the process died in the middle of it.
                report.outcome = "indeterminate".to_owned();
            }
            EventKind::EffectSeen { step, evidence, .. } if *step == planned.name => {
                let seen = report.evidence.get_or_insert_default();
                if !seen.is_empty() {
                    seen.push_str("; ");
                }
                seen.push_str(evidence);
            }
            EventKind::UndoPrepared { step, summary, .. } if *step == planned.name => {
                report.undo = Some(summary.clone());
            }
            EventKind::StepFinished { step, outcome, detail } if *step == planned.name => {
                report.finished = Some(at);
                report.detail.clone_from(detail);
                report.outcome = outcome_name(*outcome).to_owned();
            }
            _ => {}
        }
    }
    report.took = report.started.zip(report.finished).map(|(from, to)| to - from);
    report.slower = report.took.zip(report.expected).is_some_and(|(took, expected)| took > expected);
    report
}

fn outcome_name(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Done => "done",
        StepOutcome::Failed => "failed",
        StepOutcome::Indeterminate => "indeterminate",
        StepOutcome::Skipped => "skipped",
    }
}

/// What was prepared and whether it was put back.
fn undo(record: &Record) -> UndoReport {
    let mut report = UndoReport::default();
    let mut tried: BTreeMap<&str, &str> = BTreeMap::new();
    let mut commands: BTreeMap<&str, &str> = BTreeMap::new();
    for event in &record.events {
        match &event.kind {
            EventKind::UndoPrepared { step, command: Some(command), .. } => {
                commands.insert(step, command);
            }
            EventKind::UndoFinished { step, done: true, detail } => {
                report.done.push(format!("{step}: {detail}"))
            }
            EventKind::UndoFinished { step, done: false, detail } => {
                tried.insert(step, detail);
            }
            _ => {}
        }
    }
    for left in outstanding(&record.events) {
        let step = left.step.as_str();
        let why = tried.get(step).map(|why| format!(" ({why})")).unwrap_or_default();
        let by_hand = commands.get(step).map(|command| format!("; by hand: {command}")).unwrap_or_default();
        report.left.push(format!("{step}: {}{why}{by_hand}", left.summary));
    }
    report.complete = report.left.is_empty();
    report
}

fn prober(record: &Record, timeline: &Timeline) -> ProberReport {
    let sent = record
        .samples
        .iter()
        .filter(|sample| sample.mark == Mark::Base && !matches!(sample.class, Class::Shed | Class::Void));
    ProberReport {
        stalls: timeline
            .stalls
            .iter()
            .map(|stall| Stall {
                from: stall.from.secs(),
                to: stall.to.secs(),
                witness: stall.witness.clone(),
            })
            .collect(),
        lag_ms: Latencies::of_seconds(sent.map(|sample| sample.sent - sample.scheduled))
            .map(|found| latency(&found)),
    }
}

fn noted(record: &Record) -> impl Iterator<Item = &str> {
    record.events.iter().filter_map(|event| match &event.kind {
        EventKind::Noted { text } => Some(text.as_str()),
        _ => None,
    })
}

/// The first error of each cause, in words, by probe.
fn first_errors(record: &Record) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut errors: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (probe, cause, text) in noted(record).filter_map(|text| first_error(record, text)) {
        let of_probe = errors.entry(probe.to_owned()).or_default();
        of_probe.entry(cause.to_owned()).or_insert_with(|| text.to_owned());
    }
    errors
}

/// Reads the note that the engine writes on a probe's first error of a kind:
/// `probe: first cause: text`.
fn first_error<'a>(record: &'a Record, note: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
    record.header.probes.iter().find_map(|probe| {
        let rest = note.strip_prefix(probe.name.as_str())?.strip_prefix(": first ")?;
        let (cause, text) = rest.split_once(": ")?;
        crate::sample::Cause::ALL.iter().any(|known| known.name() == cause).then_some((
            probe.name.as_str(),
            cause,
            text,
        ))
    })
}
