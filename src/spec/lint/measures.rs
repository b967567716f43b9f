//! Rules about what is measured: whether the probes can decide the objectives.

use std::time::Duration;

use crate::notation::code::Code;
use crate::notation::decode::{Problem, Spanned, clip};
use crate::notation::fix::Fix;
use crate::notation::units::show;
use crate::notation::yaml::Span;
use crate::probe::Probe;
use crate::run::event::FileKind;
use crate::spec::draft::{Draft, WatchDraft};
use crate::spec::experiment::{Availability, ErrorBudget, Rpo, Rto};

/// What needs no more than a packet can be asked this often; what costs more says its kind.
const SHORTEST: Duration = Duration::from_millis(10);

/// How many programs a `command` probe may have running at once.
const MOST_PROGRAMS: u128 = 16;

fn ledger(watch: &WatchDraft) -> bool {
    watch.kind.is_none_or(|kind| kind.ends_with(".ledger"))
}

fn impacted(watch: &WatchDraft) -> bool {
    watch.must_stay_up != Some(true)
}

/// Each objective has a probe that can decide it.
pub(super) fn objectives(draft: &Draft, problems: &mut Vec<Problem>) {
    let Some(objectives) = &draft.objectives else { return };
    // What a runbook declares is a promise: it is judged as far as probes are there to do so.
    let judged = draft.kind == FileKind::Experiment;
    let nobody = |code: Code, name: &str, span: Span| {
        Problem::new(code, span, format!("no probe can decide the {name}"))
            .label("nothing in this file measures it")
            .help("add a probe: `firedrill probes` lists the kinds")
    };
    let idle = draft.probes.is_empty();
    if let Some(rto) = &objectives.rto {
        if idle && judged {
            problems.push(nobody(Code::Undecided, "RTO", rto.span));
        } else if judged && !draft.probes.iter().any(impacted) {
            problems.push(
                nobody(Code::RtoNobodyHit, "RTO", rto.span)
                    .label("every probe says `must_stay_up: true`")
                    .help("take it away from the probes that the fault hits"),
            );
        }
        for watch in draft.probes.iter().filter(|watch| impacted(watch)) {
            resolution(watch, rto, problems);
            hangs(watch, rto, problems);
        }
    }
    if let Some(rpo) = &objectives.rpo {
        recovery_point(draft, rpo, problems);
    }
    if let (true, Some(availability)) = (idle && judged, &objectives.availability) {
        problems.push(nobody(Code::Undecided, "availability", availability.span));
    }
    if let Some(detection) = &objectives.detection {
        self::detection(draft, detection, problems);
    }
    if let (true, Some(latency)) = (idle && judged, &objectives.latency) {
        problems.push(nobody(Code::Undecided, "latency", latency.span));
    }
    let declared = objectives.rto.is_some()
        || objectives.rpo.is_some()
        || objectives.availability.is_some()
        || objectives.latency.is_some()
        || objectives.detection.is_some();
    if !declared && judged {
        problems.push(
            Problem::new(Code::NoObjective, draft.span, "the drill has no objective")
                .label("it measures, but has nothing to be held against")
                .help("declare one: `objectives: { rto: 2m }`")
                .warning(),
        );
    }
    if let Some(availability) = &objectives.availability
        && let Availability::Budget(budget) = &availability.value
    {
        error_budget(budget, availability.span, problems);
    }
    if let (Some(steady), Some(availability)) = (&draft.steady_state, &objectives.availability)
        && let Availability::Served(served) = &availability.value
        && steady.availability.0 < served.0
    {
        problems.push(
            Problem::new(
                Code::MissedBefore,
                availability.span,
                format!(
                    "the objective is {served}, but the steady state may be as low as {}",
                    steady.availability
                ),
            )
            .label("missed before anything is broken")
            .help("raise `steady_state.availability`")
            .warning(),
        );
    }
}

/// A budget of nothing cannot be spent in part. One problem at a time: all stand at the same place.
fn error_budget(budget: &ErrorBudget, span: Span, problems: &mut Vec<Problem>) {
    let slice = budget.time_slice.as_ref().map(|slice| slice.window);
    let problem = if budget.slo.0 >= 1.0 {
        Problem::new(Code::NoBudget, span, "an SLO of 100% leaves no error budget")
            .label("one bad answer spends more than all of it")
            .help("write `availability: 100%` if nothing may fail, or the SLO that is promised")
    } else if budget.over.is_zero() {
        Problem::new(Code::ZeroTime, span, "`over` must be longer than zero").help("such as `over: 30d`")
    } else if slice.is_some_and(|window| window < Duration::from_secs(1)) {
        Problem::new(Code::SliceTooShort, span, "`time_slice.window` must be at least 1s")
            .help("the usual slice is `1m`")
    } else {
        return;
    };
    problems.push(problem);
}

/// An answer that comes at all is a good one, however late, unless the probe says how slow is too slow: a server that
/// hangs for less than the timeout then has no outage.
fn hangs(watch: &WatchDraft, rto: &Spanned<Rto>, problems: &mut Vec<Problem>) {
    let Some(Probe::Http(http)) = &watch.probe else { return };
    let target = rto.within;
    if http.slower_than.is_some() || target >= http.timeout.saturating_mul(3) {
        return;
    }
    problems.push(
        Problem::new(
            Code::HangUnseen,
            watch.place,
            format!("`{}` does not see a hang shorter than {}", watch.name.text, show(http.timeout)),
        )
        .label("an answer within the timeout is good, however slow it is")
        .related(rto.span, "less than three times that")
        .help("say from when on an answer is too slow, such as `slower_than: 300ms`, or set a shorter `timeout`")
        .warning(),
    );
}

/// A target shorter than three times what the probe can tell apart cannot be decided.
fn resolution(watch: &WatchDraft, rto: &Spanned<Rto>, problems: &mut Vec<Problem>) {
    let Some(every) = &watch.every else { return };
    let wait = watch.probe.as_ref().map_or(Duration::ZERO, blind_time);
    let width = every.saturating_mul(2) + wait;
    let target = rto.within;
    if target >= width.saturating_mul(3) {
        return;
    }
    let fitting = (target / 3).saturating_sub(wait) / 2;
    let fastest = Probe::shortest_spacing(watch.kind.unwrap_or_default());
    let help = match fitting >= fastest {
        true => {
            format!("ask more often: `every: {}`", show(Duration::from_millis(fitting.as_millis() as u64)))
        }
        false if coarse(watch) => format!(
            "what it reads is {} coarse: let a probe that connects decide, such as `http`, and leave this one out",
            show(wait)
        ),
        false if !wait.is_zero() => {
            "keep `connect_timeout` below 1s: after that, TCP repeats the SYN by itself".to_owned()
        }
        false => "set a longer RTO, or `must_stay_up: true` for what may not fail at all".to_owned(),
    };
    problems.push(
        Problem::new(
            Code::RtoTooFine,
            every.span,
            format!(
                "an RTO of {} cannot be decided by `{}`, which measures an outage to within {}",
                show(target),
                watch.name.text,
                show(width)
            ),
        )
        .label("asks too seldom")
        .related(rto.span, "needs a third of this")
        .help(help),
    );
}

/// Whether it reads what others measured, and so is as coarse as they are.
fn coarse(watch: &WatchDraft) -> bool {
    matches!(watch.probe, Some(Probe::Prometheus(_) | Probe::CloudWatch(_)))
}

/// When a lost SYN is sent again, in seconds after the first, by either of the kernel's schedules: doubling
/// (1, 3, 7, 15), and linear at first (`tcp_syn_linear_timeouts=4`: 1, 2, 3, 4, 5, 7, 11, 19). Which one a prober's
/// machine follows is not known when a file is checked, so the worse one counts.
const SYN_RETRIES: [u64; 9] = [19, 15, 11, 7, 5, 4, 3, 2, 1];

/// How long the end of an outage can be hidden, however often one asks: by a lost SYN, the offset of the last
/// one that is sent before the connect deadline; by others' measuring, as long as theirs takes. A name server
/// that says nothing over UDP is asked again over TCP.
fn blind_time(probe: &Probe) -> Duration {
    let deadline = match probe {
        Probe::Http(http) => http.connect_timeout,
        Probe::Tcp(tcp) => tcp.connect_timeout,
        Probe::Postgres(postgres) => postgres.connect_timeout,
        Probe::PostgresLedger(ledger) => ledger.connect_timeout,
        Probe::HttpLedger(ledger) => ledger.connect_timeout,
        Probe::Dns(dns) => return dns.patience(),
        Probe::Grpc(grpc) => grpc.connect_timeout.min(grpc.timeout),
        Probe::Tls(tls) => tls.connect_timeout,
        Probe::Prometheus(prometheus) => return prometheus.blind_time(),
        Probe::CloudWatch(cloudwatch) => return cloudwatch.blind_time(),
        // A program's own connections are its own affair.
        Probe::Command(_) => return Duration::ZERO,
        Probe::Mysql(mysql) => mysql.connect_timeout,
        Probe::MysqlLedger(ledger) => ledger.connect_timeout,
        Probe::Redis(redis) => redis.connect_timeout,
        Probe::RedisLedger(ledger) => ledger.connect_timeout,
        // Their connections are kept: a SYN is sent by the first write alone.
        Probe::DynamodbLedger(_) | Probe::S3Ledger(_) => return Duration::ZERO,
    };
    SYN_RETRIES.map(Duration::from_secs).into_iter().find(|offset| *offset < deadline).unwrap_or_default()
}

fn recovery_point(draft: &Draft, rpo: &Spanned<Rpo>, problems: &mut Vec<Problem>) {
    let mut ledgers = draft.probes.iter().filter(|watch| ledger(watch)).peekable();
    if ledgers.peek().is_none() && draft.kind == FileKind::Experiment {
        problems.push(
            Problem::new(Code::RpoUndecided, rpo.span, "no probe can decide the RPO")
                .label("lost writes are counted by a ledger, and there is none")
                .help("add a probe whose kind ends with `.ledger`: `firedrill probes` lists them"),
        );
    }
    let Rpo::Seconds(seconds) = rpo.value else { return };
    for watch in ledgers {
        let Some(every) = &watch.every else { continue };
        if !seconds.is_zero() && seconds < every.value {
            problems.push(
                Problem::new(
                    Code::RpoTooFine,
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
    if draft.alarms.is_empty() && draft.kind == FileKind::Experiment {
        problems.push(
            Problem::new(Code::DetectionUndecided, target.span, "no alarm can decide the detection")
                .label("detected is what made an alarm fire, and this file names none")
                .help("name the CloudWatch alarms that are to fire: `alarms: [checkout-5xx]`"),
        );
    }
    if target.value.is_zero() {
        problems.push(
            Problem::new(Code::ZeroTime, target.span, "an alarm cannot fire in no time")
                .label("longer than zero")
                .help("say how long it may take: `detection: 90s`"),
        );
    } else if target.value < LOOK * 3 {
        problems.push(
            Problem::new(
                Code::DetectionTooFine,
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
                Problem::new(Code::AlarmUnnamed, alarm.span, "an alarm without a name")
                    .label("expected the name of a CloudWatch alarm"),
            );
        }
        if let Some(first) = named.iter().take(index).find(|earlier| earlier.value == alarm.value) {
            let before = named.get(index - 1).map_or(first.span, |before| before.span);
            problems.push(
                Problem::new(
                    Code::AlarmTwice,
                    alarm.span,
                    format!("the alarm `{}` is named twice", clip(&alarm.value)),
                )
                .label("again")
                .related(first.span, "the first time")
                .fix(Fix::remove_item(before, alarm.span, &alarm.value)),
            );
        }
    }
}

/// Each probe measures something, at a rate that can be kept.
pub(super) fn probes(draft: &Draft, problems: &mut Vec<Problem>) {
    for watch in &draft.probes {
        let fastest = Probe::shortest_spacing(watch.kind.unwrap_or_default());
        if let Some(every) = &watch.every
            && every.value < fastest
        {
            let kind = watch.kind.map(|kind| format!(" for `{kind}`")).filter(|_| fastest > SHORTEST);
            problems.push(
                Problem::new(
                    Code::AskedTooOften,
                    every.span,
                    format!("`{}` would be asked every {}", watch.name.text, show(every.value)),
                )
                .label(format!(
                    "{} is the shortest{}",
                    show(fastest),
                    kind.unwrap_or_default()
                )),
            );
        } else {
            programs(watch, problems);
        }
        if watch.probe.as_ref().is_some_and(|probe| probe.deadline().is_zero()) {
            problems.push(
                Problem::new(Code::ZeroTime, watch.place, "this probe's timeout is zero")
                    .label("nothing can answer"),
            );
        }
        let judged = draft.objectives.as_ref().is_none_or(|objectives| objectives.rpo.is_some());
        if !judged && watch.kind.is_some_and(|kind| kind.ends_with(".ledger")) {
            problems.push(
                Problem::new(
                    Code::LedgerUnjudged,
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

/// A program that hangs is killed at its timeout; until then the next ones are started.
fn programs(watch: &WatchDraft, problems: &mut Vec<Problem>) {
    let (Some(Probe::Command(command)), Some(every)) = (&watch.probe, &watch.every) else { return };
    let at_once = command.timeout.as_millis().div_ceil(every.value.as_millis().max(1));
    if at_once > MOST_PROGRAMS {
        problems.push(
            Problem::new(
                Code::TooManyPrograms,
                every.span,
                format!("`{}` would have up to {at_once} programs running at once", watch.name.text),
            )
            .label(format!("its timeout is {}", show(command.timeout)))
            .help(format!("no more than {MOST_PROGRAMS}: a shorter `timeout`, or a longer `every`")),
        );
    }
}

/// Times that must be longer than zero, or than each other.
pub(super) fn times(draft: &Draft, problems: &mut Vec<Problem>) {
    let [steady_for, confirm, within_place] = draft.places;
    let zero = |what: &str, place: Span| {
        Problem::new(Code::NothingWatched, place, format!("`{what}` must be longer than zero"))
    };
    let shown = draft.kind == FileKind::Experiment;
    if shown && draft.steady_state.as_ref().is_some_and(|steady| steady.r#for.is_zero()) {
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
        && within < rto.within
    {
        problems.push(
            Problem::new(
                Code::LooksTooShort,
                within_place,
                format!("the drill looks for {}, less than the RTO of {}", show(within), show(rto.within)),
            )
            .label("a recovery after that is never seen")
            .related(rto.span, "the RTO")
            .help("make `recovery.within` longer than the RTO"),
        );
    }
}
