//! What several formats say of a report: names in words, the headline, instants as seconds since
//! the fault, and text from outside made safe to show. No format's own markup is known here.

use jiff::{SignedDuration, Timestamp};

use crate::journal::Record;
use crate::measure::Interval;
use crate::report::{LedgerReport, Objective, Outage, Outcome, ProbeReport, Report, Verdict, words};
use crate::run::event::Phase;

/// Where seconds are counted from: the fault if there was one, else the run's start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    began: Timestamp,
    /// The instant that reads as zero, in seconds of the run.
    pub(crate) zero: f64,
    /// Whether that is the fault.
    pub(crate) fault: bool,
}

impl Origin {
    /// The origin of a report.
    pub(crate) fn of(report: &Report, record: &Record) -> Origin {
        let fault = report.fault.as_ref().map(|fault| fault.injected_at.lo);
        Origin { began: record.header.began, zero: fault.unwrap_or(0.0), fault: fault.is_some() }
    }

    /// `since the fault` or `since the run began`.
    pub(crate) fn label(self) -> &'static str {
        if self.fault { "since the fault" } else { "since the run began" }
    }

    /// The same interval, counted from the origin.
    pub(crate) fn relative(self, at: Interval) -> Interval {
        Interval { lo: at.lo - self.zero, hi: at.hi.map(|hi| hi - self.zero) }
    }

    /// An instant to a tenth of a second, with its sign: `+4.2 s`.
    pub(crate) fn instant(self, at: f64) -> String {
        let tenths = ((at - self.zero) * 10.0).round() / 10.0;
        match tenths {
            t if t > 0.0 => format!("+{t:.1} s"),
            t if t < 0.0 => format!("−{:.1} s", -t),
            _ => "0.0 s".to_owned(),
        }
    }

    /// The wall-clock time of an instant, UTC: `10:00:12.4`.
    pub(crate) fn wall(self, at: f64) -> String {
        let millis = (at * 1e3).round() as i64;
        let time = self.began.checked_add(SignedDuration::from_millis(millis)).unwrap_or(self.began);
        let text = time.strftime("%H:%M:%S.%3f").to_string();
        text.get(..text.len() - 2).unwrap_or(&text).to_owned()
    }

    /// The run's first day and minute, UTC: `21 Nov 2026, 10:00 UTC`.
    pub(crate) fn day(self) -> String {
        self.began.strftime("%-d %b %Y, %H:%M UTC").to_string()
    }
}

/// The word that a report opens with.
pub(crate) fn headline(report: &Report) -> &'static str {
    match report.verdict {
        Outcome::Inconclusive if report.dry_run => "Dry run",
        Outcome::Inconclusive if report.tabletop => "Tabletop",
        Outcome::Pass => "Pass",
        Outcome::Fail => "Fail",
        Outcome::Inconclusive => "Inconclusive",
        Outcome::Aborted => "Aborted",
    }
}

/// The verdict of one objective, in a word.
pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
    }
}

/// A point of the breakdown as people say it.
pub(crate) fn point(name: &str) -> String {
    match name {
        "accepted" => "Call accepted".to_owned(),
        "effect" => "Took hold".to_owned(),
        "connections_lost" => "Idle connection lost".to_owned(),
        "detected" => "Detected".to_owned(),
        "replaced" => "Promoted or replaced".to_owned(),
        "dns_moved" => "DNS moved".to_owned(),
        "first_new_answer" => "First answer by another".to_owned(),
        "new_connections" => "First new connection".to_owned(),
        "kept_connections" => "Kept connections".to_owned(),
        "stable" => "Stable".to_owned(),
        name => clean(&capitalised(&name.replace('_', " "))),
    }
}

/// An objective's name as people say it.
pub(crate) fn objective(name: &str) -> String {
    match name {
        "rto" => "RTO".to_owned(),
        "rpo" => "RPO".to_owned(),
        "availability" => "Availability".to_owned(),
        "error_budget" => "Error budget".to_owned(),
        "must_stay_up" => "Must stay up".to_owned(),
        name => match name.strip_prefix("latency_") {
            Some(percentile) => format!("Latency {percentile}"),
            None => clean(&capitalised(&name.replace('_', " "))),
        },
    }
}

/// Whether the observed value must not be below the target (availability), rather than above.
pub(crate) fn at_least(objective: &Objective) -> bool {
    objective.unit == "ratio"
}

/// The declared target: `≤ 2 min`, `≥ 95 %`, `0 writes`.
pub(crate) fn target(objective: &Objective) -> String {
    let said = words::target(objective.target, &objective.unit);
    match (at_least(objective), objective.target) {
        (true, 1.0) => said,
        (true, _) => format!("≥ {said}"),
        (false, 0.0) if objective.name == "must_stay_up" => "no outage".to_owned(),
        (false, 0.0) => said,
        (false, _) => format!("≤ {said}"),
    }
}

/// What was observed: the interval, and what a reader must know of it.
pub(crate) fn observed(objective: &Objective, report: &Report) -> String {
    let Some(interval) = objective.observed else {
        return "not measured".to_owned();
    };
    let probe = report.probes.iter().find(|probe| probe.name == objective.observer);
    let ledger = report.rpo.iter().find(|ledger| ledger.probe == objective.observer);
    let said = words::value(interval, &objective.unit);
    match objective.name.as_str() {
        "rto" if interval.hi.is_none() => format!("{said} (not recovered)"),
        "detection" if interval.hi.is_none() => format!("{said} (no alarm fired)"),
        "rto" | "must_stay_up" if interval.lo == 0.0 => match probe {
            Some(probe) if probe.outages.is_empty() => {
                format!("0 s (resolution {})", words::duration(tidy(probe.resolution)))
            }
            _ => said,
        },
        "rpo" if interval.lo == 0.0 && interval.hi == Some(0.0) => match ledger {
            Some(ledger) => format!("{said} (resolution {})", words::duration(tidy(ledger.resolution))),
            None => said,
        },
        _ => said,
    }
}

/// A resolution is an estimate: three digits are enough.
fn tidy(seconds: f64) -> f64 {
    (seconds * 1e3).ceil() / 1e3
}

/// The objective that a report's figure of each name is quoted from, in the order declared.
pub(crate) fn decisive(report: &Report) -> Vec<&Objective> {
    let mut chosen: Vec<&Objective> = Vec::new();
    for objective in &report.objectives {
        match chosen.iter_mut().find(|other| other.name == objective.name && other.unit == objective.unit) {
            Some(other) if objective.decisive && !other.decisive => *other = objective,
            Some(_) => {}
            None => chosen.push(objective),
        }
    }
    chosen
}

/// The measured RTO, RPO or availability of a run, by name.
pub(crate) fn figure<'a>(report: &'a Report, name: &str) -> Option<&'a Objective> {
    decisive(report).into_iter().find(|objective| objective.name == name)
}

/// The ledger in a sentence: `0 of 9 041 acknowledged writes lost`.
pub(crate) fn lost(ledger: &LedgerReport) -> String {
    match &ledger.error {
        Some(error) => {
            let acked = words::counted(ledger.acked, "write was", "writes were");
            format!("not known: {acked} acknowledged, and the final read failed: {}", clean(error))
        }
        None => format!(
            "{} of {} acknowledged writes lost",
            words::count(ledger.lost),
            words::count(ledger.acked)
        ),
    }
}

/// What else a ledger found, leaving out what it did not: `2 indeterminate, 1 recovered`.
pub(crate) fn ledger_rest(ledger: &LedgerReport) -> Vec<String> {
    let all = [
        (ledger.indeterminate, "indeterminate"),
        (ledger.recovered, "recovered"),
        (ledger.phantom, "phantom"),
        (ledger.duplicated, "duplicated"),
        (ledger.unexpected, "unexpected"),
        (ledger.unread, "unread"),
        (ledger.pending, "pending"),
        (ledger.stale.as_ref().map_or(0, |stale| stale.writes), "stale"),
        (ledger.split_brain.as_ref().map_or(0, |split| split.writes), "split brain"),
    ];
    let counts = all.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", words::count(*n)));
    counts.chain(ledger_context(ledger)).collect()
}

/// Where the loss lies, where a ledger can tell: `recovery point 0.30–0.35 s before the fault`.
pub(crate) fn ledger_context(ledger: &LedgerReport) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(before) = ledger.before_fault.filter(|before| before.hi != Some(0.0)) {
        said.push(format!("recovery point {} before the fault", words::span(before)));
    }
    if let Some(bytes) = ledger.bytes.filter(|bytes| bytes.lo > 0.0) {
        said.push(format!("at least {} bytes of log not replicated", words::count(bytes.lo as u64)));
    }
    if let Some(lag) = &ledger.lag {
        let within = |secs| words::span(Interval { lo: secs, hi: Some(secs) });
        let (p99, max) = (within(lag.p99), within(lag.max));
        said.push(format!("{} seen to arrive, 99 % within {p99}, all within {max}", words::count(lag.count)));
    }
    if let Some(salvage) = ledger.salvage.as_ref().filter(|salvage| salvage.on_old_only > 0) {
        said.push(format!("{} still on the old primary", words::count(salvage.on_old_only)));
    }
    said
}

/// Lost numbers as people write ranges: `4017–4031, 4040`, the first few of them.
pub(crate) fn ranges(ranges: &[(u32, u32)]) -> String {
    let shown = 12;
    let mut said: Vec<String> = ranges
        .iter()
        .take(shown)
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}–{to}") })
        .collect();
    if ranges.len() > shown {
        said.push(format!("and {} more ranges", ranges.len() - shown));
    }
    said.join(", ")
}

/// When an outage began: `0.02–0.12 s after the fault`.
pub(crate) fn began(outage: &Outage, origin: Origin) -> String {
    let at = origin.relative(outage.begin);
    match origin.fault {
        true if at.hi.is_some_and(|hi| hi <= 0.0) => {
            let before = Interval { lo: -at.hi.unwrap_or(0.0), hi: Some(-at.lo) };
            format!("{} before the fault", words::span(before))
        }
        true => format!("{} after the fault", words::span(at)),
        false => format!("{} into the run", words::span(at)),
    }
}

/// How long an outage was: `4.21–4.43 s`, `≥ 30 s (not over when the watch ended)`.
pub(crate) fn lasted(outage: &Outage) -> String {
    let said = words::span(outage.duration);
    if outage.duration.hi.is_none() { format!("{said} (not over when the watch ended)") } else { said }
}

/// `full`, or `partial: 50 % of requests failed`.
pub(crate) fn depth(outage: &Outage) -> String {
    if outage.bad_ratio >= 1.0 {
        "full".to_owned()
    } else {
        // A mean over the outage: whole per cents are as fine as it means anything.
        format!("partial, {:.0} % failed", (outage.bad_ratio * 100.0).clamp(1.0, 99.0))
    }
}

/// Errors by cause, most frequent first: `refused 38, timeout 2`.
pub(crate) fn causes<'a>(errors: impl IntoIterator<Item = (&'a String, &'a u64)>) -> String {
    let mut errors: Vec<_> = errors.into_iter().filter(|(_, n)| **n > 0).collect();
    errors.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let said: Vec<String> =
        errors.iter().map(|(cause, n)| format!("{} {}", cause_words(cause), words::count(**n))).collect();
    said.join(", ")
}

/// A cause as people say it: `connect timeout`.
pub(crate) fn cause_words(cause: &str) -> String {
    match cause {
        "dns" => "DNS".to_owned(),
        "tls" => "TLS".to_owned(),
        cause => clean(&cause.replace('_', " ")),
    }
}

/// The probe's index in the record, which its samples refer to.
pub(crate) fn probe_index(record: &Record, probe: &ProbeReport) -> Option<u16> {
    let index = record.header.probes.iter().position(|facts| facts.name == probe.name)?;
    u16::try_from(index).ok()
}

/// The phases of the latency table, with their names for people, in order.
pub(crate) const PHASES: [(&str, &str); 3] =
    [("baseline", "before"), ("fault", "during"), ("recovered", "after")];

/// A phase's name for people.
pub(crate) fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::SteadyState => "steady state",
        Phase::Steps => "steps",
        Phase::Recovery => "recovery",
        Phase::Observation => "observation",
        Phase::FinalRead => "final read",
        Phase::Undo => "undo",
    }
}

/// Text from outside, without what could steer a terminal, break markup or reorder what is read:
/// control characters and bidirectional overrides become `�`. Line ends and tabs become spaces.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' | '\r' => ' ',
            c if hidden(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The same for text of several lines, whose line ends stay.
pub(crate) fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

/// A character that is not for showing.
pub(crate) fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
