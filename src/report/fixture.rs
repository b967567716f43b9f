//! Runs that never happened, for the formats' tests: samples drawn from a simple service and a
//! report counted from them. The numbers are plausible and repeatable, not judged.

mod scenes;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub(crate) use scenes::*;

use crate::clock::Moment;
use crate::journal::Record;
use crate::measure::Interval;
use crate::report::{
    Evidence, Fault, Latency, LeastReport, Outage, Outcome, ProbeReport, ProberReport, Proof, Report,
    SafetyReport, StatesReport, UndoReport,
};
use crate::run::event::{
    EnvironmentFacts, Event, EventKind, ExperimentFacts, Header, Objectives, Phase, ProbeFacts, Recovery,
    Safety, SteadyState,
};
use crate::sample::{Cause, Class, Phases, Sample};

/// A recorded run and its report.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) record: Record,
    pub(crate) report: Report,
}

/// One probe of a scene and what befalls its service.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) facts: ProbeFacts,
    /// From, to, share of requests that fail, how.
    pub(crate) down: Vec<(f64, f64, f64, Cause)>,
    /// Usual service time in milliseconds.
    pub(crate) usual_ms: f64,
}

impl Service {
    pub(crate) fn new(name: &str, kind: &str, summary: &str, every: f64) -> Service {
        let facts = ProbeFacts {
            name: name.to_owned(),
            probe: name.to_owned(),
            client: None,
            kind: kind.to_owned(),
            summary: summary.to_owned(),
            every,
            deadline: 0.9,
            must_stay_up: false,
            ledger: kind.ends_with("ledger"),
            dns: None,
        };
        Service { facts, down: Vec::new(), usual_ms: 4.0 }
    }

    pub(crate) fn down(mut self, from: f64, to: f64, share: f64, cause: Cause) -> Service {
        self.down.push((from, to, share, cause));
        self
    }

    fn sample(&self, probe: u16, seq: u32, stall: Option<(f64, f64)>) -> Sample {
        let noise = noise(u64::from(probe) << 32 | u64::from(seq));
        let scheduled = f64::from(seq) * self.facts.every;
        let sent = scheduled + 0.0002 * (1.0 + noise);
        let hit = self.down.iter().find(|(from, to, share, _)| {
            sent >= *from && sent < *to && self::noise(u64::from(seq) * 7 + 3) < *share
        });
        let after = self.down.iter().any(|(_, to, ..)| sent >= *to && sent < to + 3.0);
        let took = self.usual_ms * (1.0 + 4.0 * noise.powi(6)) * if after { 4.0 } else { 1.0 } / 1e3;
        let (class, cause, took) = match hit {
            _ if stall.is_some_and(|(from, to)| sent >= from && sent < to) => {
                (Class::Void, Cause::Late, took)
            }
            Some((.., Cause::ConnectTimeout)) => (Class::Timeout, Cause::ConnectTimeout, self.facts.deadline),
            Some((.., cause)) => (Class::FailFast, *cause, 0.0008),
            None => (Class::Ok, Cause::None, took),
        };
        Sample {
            probe,
            seq,
            scheduled: Moment::from_secs(scheduled),
            sent: Moment::from_secs(sent),
            done: Moment::from_secs(sent + took),
            class,
            cause,
            phases: self.phases(class, noise),
            ..Sample::default()
        }
    }

    /// The parts of asking an HTTP service over a fresh connection.
    fn phases(&self, class: Class, noise: f64) -> Phases {
        if self.facts.kind != "http" || class != Class::Ok {
            return Phases::default();
        }
        let micros = |share: f64| (self.usual_ms * 1e3 * share * (1.0 + noise)) as u32;
        Phases { dns: micros(0.05), connect: micros(0.1), tls: micros(0.25), first_byte: micros(0.5) }
    }
}

/// Repeatable, from 0 to 1.
fn noise(seed: u64) -> f64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

pub(crate) fn event(at: f64, kind: EventKind) -> Event {
    Event { at_ns: Moment::from_secs(at), kind }
}

pub(crate) fn phase(at: f64, phase: Phase) -> Event {
    event(at, EventKind::PhaseEntered { phase })
}

/// The samples of every service and a report of what its probes saw, without a verdict.
pub(crate) fn observe(
    services: &[Service],
    until: f64,
    fault: Option<Interval>,
    stall: Option<(f64, f64)>,
) -> Scene {
    let mut samples = Vec::new();
    let mut probes = Vec::new();
    for (index, service) in services.iter().enumerate() {
        let due = (until / service.facts.every).round() as u32;
        let own: Vec<Sample> = (0..due).map(|seq| service.sample(index as u16, seq, stall)).collect();
        probes.push(probe_report(service, &own, fault));
        samples.extend(own);
    }
    samples.sort_by_key(|sample| sample.done);
    let header = header(services);
    let report = blank_report(&header, until, probes, fault, samples.len() as u64);
    let record = Record { header, events: Vec::new(), samples, chain_head: "b7".repeat(32), cut: false };
    Scene { record, report }
}

fn header(services: &[Service]) -> Header {
    let text = include_str!("fixture/experiment.yaml").to_owned();
    Header {
        schema: "firedrill/journal/v1".into(),
        run: "20261121T100000Z-reboot-rds-failover-7f3a".into(),
        firedrill: "0.1.0".into(),
        began: "2026-11-21T10:00:00Z".parse::<Timestamp>().expect("a timestamp"),
        origin_ns: 0,
        seed: 7,
        dry_run: false,
        tabletop: false,
        experiment: ExperimentFacts {
            kind: Default::default(),
            runbooks: Vec::new(),
            name: "reboot-rds-failover".into(),
            title: Some("The orders database survives the loss of its primary".into()),
            hypothesis: Some(
                "Rebooting the Multi-AZ primary with failover interrupts checkout for under two minutes \
                 and loses no acknowledged order."
                    .into(),
            ),
            owner: Some("payments-sre".into()),
            controls: vec!["SOC2-A1.3".into(), "ISO27001-A.5.30".into(), "NIST-800-53-CP-4".into()],
            path: "experiments/reboot-rds-failover.yaml".into(),
            text,
            sha256: "3c".repeat(32),
        },
        environment: EnvironmentFacts {
            name: "staging".into(),
            account: Some("123456789012".into()),
            region: Some("eu-west-1".into()),
            identity: Some("arn:aws:sts::123456789012:assumed-role/firedrill/game-day".into()),
            endpoint_url: None,
            values: BTreeMap::from([
                ("db_instance".into(), "orders-db".into()),
                ("orders_dsn".into(), "(secret)".into()),
                ("storefront".into(), "https://shop.staging.example.com".into()),
            ]),
        },
        probes: services.iter().map(|service| service.facts.clone()).collect(),
        objectives: Objectives::default(),
        steady_state: SteadyState { watch: 10.0, availability: 1.0 },
        recovery: Recovery { confirm: 10.0, within: 600.0, observe: 25.0 },
        measure_from: None,
        plan: Vec::new(),
        alarms: Vec::new(),
        watchers: Vec::new(),
        safety: Safety::default(),
        permission_checks: Vec::new(),
    }
}

fn blank_report(
    header: &Header,
    until: f64,
    probes: Vec<ProbeReport>,
    fault: Option<Interval>,
    samples: u64,
) -> Report {
    Report {
        schema: "firedrill/report/v1".into(),
        run: header.run.clone(),
        experiment: header.experiment.name.clone(),
        title: header.experiment.title.clone(),
        hypothesis: header.experiment.hypothesis.clone(),
        owner: header.experiment.owner.clone(),
        controls: header.experiment.controls.clone(),
        environment: header.environment.name.clone(),
        account: header.environment.account.clone(),
        region: header.environment.region.clone(),
        verdict: Outcome::Inconclusive,
        because: String::new(),
        tabletop: false,
        kind: "experiment".to_owned(),
        procedure: None,
        dry_run: false,
        seed: header.seed,
        started_at: header.began.to_string(),
        ended_at: header.began.to_string(),
        duration: until,
        fault: fault.map(|injected_at| Fault {
            step: "fail over the primary".into(),
            injected_at,
            evidence: Vec::new(),
        }),
        rto: None,
        objectives: Vec::new(),
        probes,
        rpo: Vec::new(),
        cutover: None,
        steps: Vec::new(),
        undo: UndoReport { complete: true, ..UndoReport::default() },
        safety: SafetyReport::default(),
        prober: ProberReport {
            stalls: Vec::new(),
            lag_ms: Some(Latency {
                count: samples,
                p50: 0.06,
                p95: 0.11,
                p99: 0.21,
                max: 3.4,
                ..Latency::default()
            }),
        },
        notes: Vec::new(),
        breakdown: None,
        evidence: Evidence {
            firedrill: header.firedrill.clone(),
            experiment_sha256: header.experiment.sha256.clone(),
            journal_sha256: "b7".repeat(32),
            samples,
            cut: false,
        },
    }
}

fn probe_report(service: &Service, samples: &[Sample], fault: Option<Interval>) -> ProbeReport {
    let count = |test: fn(Class) -> bool| samples.iter().filter(|s| test(s.class)).count() as u64;
    let (ok, bad) = (count(Class::good), count(Class::bad));
    let outages: Vec<Outage> =
        service.down.iter().filter_map(|(from, to, ..)| outage(samples, *from, *to)).collect();
    let since = fault.map_or(f64::INFINITY, |fault| fault.lo);
    let watched: Vec<&Sample> =
        samples.iter().filter(|s| s.scheduled.secs() >= since && s.class.counted()).collect();
    let served = watched.iter().filter(|s| s.class.good()).count();
    let over = service.down.iter().map(|(_, to, ..)| *to).fold(since, f64::max);
    let mut latency_ms = BTreeMap::new();
    for (name, from, to) in [("baseline", 0.0, since), ("fault", since, over), ("recovered", over, 1e9)] {
        if let Some(latency) = latency(samples, from, to) {
            latency_ms.insert(name.to_owned(), latency);
        }
    }
    ProbeReport {
        name: service.facts.name.clone(),
        kind: service.facts.kind.clone(),
        summary: service.facts.summary.clone(),
        every: service.facts.every,
        scheduled: samples.len() as u64,
        ok,
        bad,
        void: count(|class| class == Class::Void),
        shed: count(|class| class == Class::Shed),
        coverage: (ok + bad) as f64 / samples.len().max(1) as f64,
        availability: (!watched.is_empty()).then(|| served as f64 / watched.len() as f64),
        resolution: 2.0 * service.facts.every + 5.0 * service.usual_ms / 1e3,
        latency_ms,
        parts_ms: BTreeMap::new(),
        availability_time: None,
        recovery: None,
        states: StatesReport::default(),
        error_budget: None,
        late: 0,
        outages,
        blips: 0,
        errors: errors(samples.iter()),
        first_errors: BTreeMap::new(),
    }
}

fn errors<'a>(samples: impl Iterator<Item = &'a Sample>) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for sample in samples.filter(|s| s.class.bad()) {
        *errors.entry(sample.cause.name().to_owned()).or_insert(0) += 1;
    }
    errors
}

fn outage(samples: &[Sample], from: f64, to: f64) -> Option<Outage> {
    let within: Vec<usize> = (0..samples.len())
        .filter(|&i| samples[i].class.bad() && (from..to).contains(&samples[i].sent.secs()))
        .collect();
    let (first, last) = (*within.first()?, *within.last()?);
    let before = samples[..first].iter().rev().find(|s| s.class.good())?;
    let after = samples[last..].iter().find(|s| s.class.good());
    let begin = Interval::new(before.sent.secs(), samples[first].done.secs());
    let end = Interval { lo: samples[last].sent.secs(), hi: after.map(|s| s.done.secs()) };
    let shortest = samples[last].sent - samples[first].sent;
    let counted = samples[first..=last].iter().filter(|s| s.class.counted()).count();
    Some(Outage {
        begin,
        end,
        duration: Interval { lo: shortest, hi: end.hi.map(|hi| hi - begin.lo) },
        least: LeastReport { safe: shortest, issue: shortest, used: "issue".into() },
        errors: errors(samples[first..=last].iter()),
        bad_ratio: within.len() as f64 / counted as f64,
        proof: Proof {
            last_good: Some(before.seq),
            first_bad: samples[first].seq,
            last_bad: samples[last].seq,
            first_good: after.map(|s| s.seq),
        },
    })
}

fn latency(samples: &[Sample], from: f64, to: f64) -> Option<Latency> {
    let mut times: Vec<f64> = samples
        .iter()
        .filter(|s| s.class.good() && (from..to).contains(&s.scheduled.secs()))
        .map(|s| (s.response_time() * 1e6).round() / 1e3)
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    (!times.is_empty()).then(|| Latency {
        count: times.len() as u64,
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
        max: at(1.0),
        ..Latency::default()
    })
}
