//! What people see while a run goes on: lines for events, and on a terminal a live panel.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::prompt::Prompt;
use crate::clock::Moment;
use crate::notation::units::show;
use crate::report::facts::clean;
use crate::run::conductor::Conductor;
use crate::run::engine::View;
use crate::run::event::{CallOutcome, Event, EventKind, Header, Phase, StepOutcome};
use crate::sample::Sample;

/// How many recent samples a probe's rate and strip are made of.
const RECENT: usize = 30;

/// How many stalls of the prober are told one by one: a machine that is too busy has many.
const STALLS_SHOWN: usize = 4;

/// Shows a run on standard error.
pub struct Live {
    panel: Option<Panel>,
    /// What people are asked.
    prompt: Option<Prompt>,
    probes: Vec<Recent>,
    rto: Option<f64>,
    deadline: f64,
    stalls: usize,
}

struct Panel {
    multi: MultiProgress,
    head: ProgressBar,
    lines: Vec<ProgressBar>,
}

struct Recent {
    name: String,
    every: f64,
    samples: VecDeque<Sample>,
}

impl Live {
    /// A view of a run that has this header.
    pub fn new(header: &Header, colour: bool) -> Live {
        let interactive = std::io::stderr().is_terminal()
            && std::env::var_os("CI").is_none()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let probes: Vec<Recent> = header
            .probes
            .iter()
            .map(|probe| Recent { name: probe.name.clone(), every: probe.every, samples: VecDeque::new() })
            .collect();
        let panel = interactive.then(|| Panel::new(&probes, colour));
        Live {
            panel,
            prompt: None,
            probes,
            rto: header.objectives.rto,
            deadline: header.recovery.within,
            stalls: 0,
        }
    }

    /// The same, with somebody to ask.
    pub fn asking(self, prompt: Prompt) -> Live {
        Live { prompt: Some(prompt), ..self }
    }

    fn line(&self, text: &str) {
        // What others said stands in it: nothing of that may steer the terminal, or look like a line of ours.
        let text = &clean(text);
        let question = self.prompt.as_ref().and_then(Prompt::open);
        match (&self.panel, question) {
            // The panel is away, and what was typed so far is still in the terminal's own line.
            (Some(_), Some(question)) => super::show(&format!("\r\x1b[2K{text}\n{question}")),
            (None, Some(question)) => super::show(&format!("\n{text}\n{question}")),
            // Nothing to do about a terminal that cannot be written to.
            (Some(panel), None) => drop(panel.multi.println(text)),
            (None, None) => super::show(&format!("{text}\n")),
        }
    }

    /// Lets something happen to what is asked. A question and a panel that is drawn anew eight times a second
    /// would write over each other: the panel stays away while something is asked.
    fn with_prompt(&mut self, what: impl FnOnce(&mut Prompt) -> Vec<String>) {
        let Some(prompt) = &mut self.prompt else { return };
        let before = prompt.open();
        let lines = what(prompt);
        let after = prompt.open();
        if let Some(panel) = &self.panel {
            match (before.is_some(), after.is_some()) {
                (false, true) => panel.hide(),
                (true, false) => {
                    super::show("\r\x1b[2K");
                    panel.show();
                }
                _ => {}
            }
        }
        for line in &lines {
            self.line(line);
        }
        if let Some(question) = after.filter(|after| lines.is_empty() && before.as_ref() != Some(after)) {
            let away = if self.panel.is_some() { "\r\x1b[2K" } else { "\n" };
            super::show(&format!("{away}{question}"));
        }
    }

    /// Takes the panel away; lines stay.
    pub fn close(&mut self) {
        if let Some(panel) = self.panel.take() {
            let _ = panel.multi.clear();
        }
    }
}

impl Panel {
    fn new(probes: &[Recent], colour: bool) -> Panel {
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        let plain = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
        };
        let head = multi.add(ProgressBar::new_spinner());
        head.set_style(plain(if colour { "{msg:.bold}" } else { "{msg}" }));
        let lines = probes
            .iter()
            .map(|_| {
                let line = multi.add(ProgressBar::new_spinner());
                line.set_style(plain("{msg}"));
                line
            })
            .collect();
        Panel { multi, head, lines }
    }

    fn hide(&self) {
        // Nothing to do about a terminal that cannot be written to.
        let _ = self.multi.clear();
        self.multi.set_draw_target(ProgressDrawTarget::hidden());
    }

    fn show(&self) {
        self.multi.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
    }
}

impl View for Live {
    fn event(&mut self, event: &Event) {
        if let EventKind::StepFinished { step, .. } = &event.kind {
            self.with_prompt(|prompt| prompt.ended(step).into_iter().map(indented).collect());
        }
        if matches!(event.kind, EventKind::ProberStalled { .. }) {
            self.stalls += 1;
            match self.stalls.cmp(&STALLS_SHOWN) {
                Ordering::Less => {}
                Ordering::Equal => self.line("           (more stalls of the prober are in the report)"),
                Ordering::Greater => return,
            }
        }
        // Without a probe there is nothing to show first, and nothing to read back.
        let idle = matches!(
            event.kind,
            EventKind::PhaseEntered { phase: Phase::SteadyState | Phase::FinalRead }
                | EventKind::SteadyStateJudged { held: true, .. }
        );
        if let Some(text) = describe(&event.kind).filter(|_| !(idle && self.probes.is_empty())) {
            self.line(&format!("{:>8.2}s  {text}", event.at_ns.secs()));
        }
        if let EventKind::Asked { step, text } = &event.kind {
            self.with_prompt(|prompt| prompt.asked(step, text).into_iter().map(indented).collect());
        }
    }

    fn sample(&mut self, sample: &Sample) {
        if let Some(recent) = self.probes.get_mut(usize::from(sample.probe)) {
            if recent.samples.len() == RECENT {
                recent.samples.pop_front();
            }
            recent.samples.push_back(*sample);
        }
    }

    fn tick(&mut self, now: Moment, conductor: &Conductor) {
        self.with_prompt(Prompt::poll);
        let Some(panel) = &self.panel else { return };
        panel.head.set_message(self.head(now, conductor));
        let width = self.probes.iter().map(|probe| probe.name.chars().count()).max().unwrap_or_default();
        for ((probe, health), line) in self.probes.iter().zip(conductor.health()).zip(&panel.lines) {
            let state = match (health.down_since(), health.good_since()) {
                (Some(since), _) => format!("DOWN for {:.1} s", now - since),
                (None, Some(_)) => "up".to_owned(),
                (None, None) if health.counts() == (0, 0) => "…".to_owned(),
                (None, None) => "failing".to_owned(),
            };
            let (good, bad) = health.counts();
            line.set_message(format!(
                "  {:width$}  {}  {:<14} {:>6.1}/s  {good} ok, {bad} bad",
                probe.name,
                strip(&probe.samples),
                state,
                rate(probe),
            ));
        }
    }
}

impl Live {
    fn head(&self, now: Moment, conductor: &Conductor) -> String {
        let phase = phase_words(conductor.phase());
        let Some(fault_at) = conductor.fault_at() else {
            return format!("{phase} · {:.1} s", now.secs());
        };
        let since = now - fault_at;
        let all_up = conductor.health().iter().all(|health| !health.down());
        match self.rto {
            Some(rto) if !all_up && since > rto => {
                format!("{phase} · {since:.1} s since the fault, RTO target {} PASSED", words(rto))
            }
            Some(rto) => format!("{phase} · {since:.1} s since the fault, RTO target {}", words(rto)),
            None => format!("{phase} · {since:.1} s since the fault, at most {}", words(self.deadline)),
        }
    }
}

/// A line beneath an event.
fn indented(line: String) -> String {
    format!("           {line}")
}

fn words(seconds: f64) -> String {
    show(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn rate(probe: &Recent) -> f64 {
    match (probe.samples.front(), probe.samples.back()) {
        (Some(first), Some(last)) if last.scheduled > first.scheduled => {
            (probe.samples.len() - 1) as f64 / (last.scheduled - first.scheduled)
        }
        _ if probe.every > 0.0 => 1.0 / probe.every,
        _ => 0.0,
    }
}

/// The newest samples as marks: good, bad, not measured.
fn strip(samples: &VecDeque<Sample>) -> String {
    let marks = samples.iter().map(|sample| {
        if sample.class.good() {
            '·'
        } else if sample.class.bad() {
            '█'
        } else {
            '?'
        }
    });
    let blank = std::iter::repeat_n(' ', RECENT.saturating_sub(samples.len()));
    blank.chain(marks).collect()
}

/// A phase in words.
pub fn phase_words(phase: Phase) -> &'static str {
    match phase {
        Phase::SteadyState => "showing the steady state",
        Phase::Steps => "carrying out the steps",
        Phase::Recovery => "waiting for recovery to be confirmed",
        Phase::Observation => "recovered; observing",
        Phase::FinalRead => "reading the ledgers back",
        Phase::Undo => "undoing",
    }
}

/// An event as a line for people; `None` for those that say nothing new.
pub fn describe(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::PhaseEntered { phase } => format!("— {}", phase_words(*phase)),
        EventKind::SteadyStateJudged { held: true, because } => format!("steady state holds: {because}"),
        EventKind::SteadyStateJudged { held: false, because } => {
            format!("steady state does NOT hold: {because}; nothing is touched")
        }
        EventKind::StepStarted { step } => format!("step `{step}`"),
        EventKind::CallSent { operation, resource, .. } => format!("  {operation}  {resource}"),
        EventKind::CallReturned { operation, outcome, detail, .. } => {
            let how = match outcome {
                CallOutcome::Accepted => "accepted",
                CallOutcome::Refused => "REFUSED",
                CallOutcome::Unclear => "UNCLEAR whether it happened",
            };
            match detail {
                Some(detail) => format!("  {operation}: {how}: {}", first_line(detail)),
                None => format!("  {operation}: {how}"),
            }
        }
        EventKind::UndoPrepared { summary, .. } => format!("  can be undone: {summary}"),
        EventKind::TakenOver { by } => format!("taken over by {by}"),
        EventKind::EffectSeen { evidence, .. } => format!("  seen: {evidence}"),
        EventKind::Answered { step, by, role, answer, because, .. } => {
            let role = role.as_ref().map(|role| format!(" as {role}")).unwrap_or_default();
            let because = because.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            format!("  step `{step}`: {}, says {by}{role}{because}", answer.words())
        }
        EventKind::StepFinished { step, outcome, detail } => {
            let how = match outcome {
                StepOutcome::Done => return None,
                StepOutcome::Failed => "FAILED",
                StepOutcome::Indeterminate => "ended UNCLEAR",
                StepOutcome::Skipped => "skipped",
            };
            format!("step `{step}` {how}: {}", detail.as_deref().unwrap_or("no reason given"))
        }
        EventKind::ProberStalled { from_ns, to_ns, witness } => {
            format!(
                "the prober itself stalled for {:.3} s ({witness}): its samples then are void",
                *to_ns - *from_ns
            )
        }
        EventKind::RecoveryConfirmed { because } => format!("recovery confirmed: {because}"),
        EventKind::RecoveryTimedOut { probes } => {
            format!("recovery NOT confirmed in time: {}", probes.join(", "))
        }
        EventKind::LedgerRead { probe, reading } => match &reading.error {
            None => {
                let rows: u64 = reading.present.iter().map(|(lo, hi)| u64::from(hi - lo) + 1).sum();
                format!("ledger `{probe}` read back: {rows} writes are there")
            }
            Some(error) => format!("ledger `{probe}` could NOT be read back: {error}"),
        },
        EventKind::GuardrailTripped { rule, because } => format!("GUARDRAIL: {rule}: {because}"),
        EventKind::AbortRequested { by } => {
            format!("ABORT by {by}: stopping and undoing (again to leave at once)")
        }
        EventKind::UndoStarted { step } => format!("undoing step `{step}`"),
        EventKind::UndoFinished { done: true, detail, .. } => format!("  undone: {detail}"),
        EventKind::UndoFinished { done: false, detail, .. } => format!("  NOT undone: {detail}"),
        EventKind::Noted { text } => text.clone(),
        EventKind::LayerSeen { after_ns: Some(_), what, .. } => format!("  layer: {}", first_line(what)),
        EventKind::ConnectionLost { probe, peer, detail, .. } => {
            format!("{probe}: the idle connection to {peer} was lost: {detail}")
        }
        EventKind::LayerSeen { .. }
        | EventKind::WatcherEnded { .. }
        // Whoever asks shows it.
        | EventKind::Asked { .. }
        | EventKind::IdentityMet { .. }
        | EventKind::RunEnded { .. } => return None,
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
