//! The loop of a run: the one place where samples, steps, signals and time meet.
//!
//! It feeds the conductor and carries out its decisions. It never prints: whoever wants to show
//! the run gets every event and sample through [`View`].

use std::io;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::conductor::{Conductor, Decision, Input, Script};
pub use super::error::RunError;
use super::event::{Ending, Event, EventKind, Header, Reading, StepOutcome};
use super::outputs::Outputs;
use super::people::People;
use super::recorder::{Desk, Recorder, clean_header};
use super::signals::{CTRL_C, Signals};
use super::step::Stage;
use super::stop::StopFiles;
use super::stop::parameter::{self, Said};
use super::undo::{Stack, Undoing};
use crate::action::Pace;
use crate::aws::Aws;
use crate::clock::{Clock, Moment};
use crate::journal::open::{self, OpenRun};
use crate::journal::{Intents, SampleWriter, Writer};
use crate::lookout::{Lookout, Lookouts, Signal};
use crate::plan::{Doing, Planned};
use crate::probe::prober::{Prober, Seen};
use crate::probe::{Ask, Lane};
use crate::redact::Redactor;
use crate::sample::{Cause, Sample};
use crate::watch::{Patrol, Watcher};

/// How often samples are taken in and guardrails, phases and the view look at the time. To be woken for each sample
/// would cost more than all else about it.
const TICK: Duration = Duration::from_millis(100);
/// How often samples go to disk.
const FLUSH: Duration = Duration::from_secs(1);
/// Everything a run needs.
pub struct Run {
    /// The first line of its journal.
    pub header: Header,
    /// What the conductor plays.
    pub script: Script,
    /// The steps, as in the script.
    pub steps: Vec<Planned>,
    /// The probes, as in the script.
    pub lanes: Vec<Lane>,
    /// The watchers of what the steps act on, and of the alarms.
    pub watchers: Vec<Watcher>,
    /// What is worth knowing before it begins, each in a sentence: what cannot be watched, what was overridden.
    pub remarks: Vec<String>,
    /// What says that it is not over until everything is put back; `None` for a run that leaves nothing behind.
    pub opened: Option<OpenRun>,
    /// The files that stop it.
    pub stop_files: StopFiles,
    /// Who is asked what people do.
    pub people: Arc<People>,
    /// Whom the guardrails ask, as in the script.
    pub lookouts: Vec<Lookout>,
    /// What is asked to tell an outage from this machine's own network being gone.
    pub references: Vec<Arc<dyn Ask>>,
    /// The clients, when the plan uses AWS.
    pub aws: Option<Arc<Aws>>,
    /// Where the clients announce their calls.
    pub desk: Arc<Desk>,
    /// Hides secrets in everything that is written.
    pub redactor: Arc<Redactor>,
    /// The run's folder; made by this.
    pub dir: PathBuf,
    /// The run's clock.
    pub clock: Clock,
}

/// Whoever shows a run while it goes on.
pub trait View {
    /// Something happened.
    fn event(&mut self, event: &Event);
    /// A probe saw something.
    fn sample(&mut self, sample: &Sample);
    /// Time went by.
    fn tick(&mut self, now: Moment, conductor: &Conductor);
}

/// How a run came to its end.
#[derive(Debug)]
pub enum Finished {
    /// It wrote its last event.
    Ended(Ending),
    /// It was left at a second signal, with these steps not undone.
    Left(Vec<(String, String)>),
}

/// Runs it: returns when it is over and on disk.
///
/// # Errors
/// The journal, the prober or the signal handlers could not be set up. Nothing was changed then.
pub async fn run(mut run: Run, view: &mut dyn View, signals: &mut Signals) -> Result<Finished, RunError> {
    clean_header(&mut run.header, &run.redactor);
    for lane in &run.lanes {
        let why = match lane.ask.prepare().await {
            Ok(()) => continue,
            Err(why) => run.redactor.clean(&why),
        };
        return Err(RunError::Probe { probe: lane.name.clone(), why });
    }
    let dir = run.dir.clone();
    let journal_error = |source| RunError::Journal { dir: dir.clone(), source };
    std::fs::create_dir_all(&run.dir).map_err(journal_error)?;
    if let Some(opened) = &run.opened {
        opened.write(&run.dir).map_err(journal_error)?;
    }
    let writer = Writer::create(&run.dir, &run.header).map_err(journal_error)?;
    let samples = SampleWriter::create(&run.dir).map_err(journal_error)?;
    let intents = Intents::create(&run.dir, run.lanes.len()).map_err(journal_error)?;
    for (probe, lane) in run.lanes.iter().enumerate().filter(|(_, lane)| lane.ask.writes()) {
        lane.ask.journal(intents.slot(probe));
    }
    let (event_out, events) = mpsc::unbounded_channel();
    let recorder = Arc::new(Recorder::new(run.clock, run.redactor.clone(), writer, event_out));
    run.desk.open(recorder.clone());
    if run.steps.iter().any(|step| matches!(step.doing, Doing::Ask(_))) && !run.header.dry_run {
        run.people.listen(recorder.clone(), &run.dir).map_err(journal_error)?;
    }
    let (seen_out, seen) = mpsc::unbounded_channel();
    let prober =
        Prober::start_beside(run.lanes.clone(), run.references.clone(), run.clock, run.header.seed, seen_out)
            .map_err(RunError::Prober)?;
    let mut attending = JoinSet::new();
    for lane in run.lanes.iter().filter(|lane| lane.ask.writes()) {
        let (ask, clock) = (lane.ask.clone(), run.clock);
        attending.spawn(async move { ask.attend(&clock).await });
    }
    for text in std::mem::take(&mut run.remarks) {
        recorder.record(EventKind::Noted { text }).map_err(journal_error)?;
    }
    let patrol = patrol(&mut run, &recorder);
    let region = run.header.environment.region.clone();
    let (message_out, messages) = mpsc::unbounded_channel();
    let (stop, _) = watch::channel(false);
    let told = message_out.clone();
    let lookouts =
        Lookouts::start(std::mem::take(&mut run.lookouts), run.aws.as_deref(), move |source, signal| {
            // Nobody listens any more once the run is over.
            let _ = told.send(Message::Outside { source, signal });
        });
    let told = message_out.clone();
    let asking = parameter::watch(run.aws.as_deref(), move |said| {
        let _ = told.send(Message::StopParameter(said));
    });
    let mut engine = Engine {
        conductor: Conductor::new(run.script.clone()),
        run,
        undo: Arc::new(Stack::new(recorder.clone(), region.as_deref())),
        outputs: Arc::default(),
        recorder,
        samples,
        intents,
        prober: Some(prober),
        attending,
        probing_over: None,
        patrol,
        lookouts,
        _asking: asking,
        tasks: JoinSet::new(),
        reading: None,
        stop,
        message_out,
        view,
        ending: None,
    };
    match engine.go(events, seen, messages, signals).await {
        Ok(finished) => Ok(finished),
        Err(source) => Err(RunError::Broken { source, left: engine.rescue().await }),
    }
}

/// Starts the watchers: before the fault, so that what is news after it is known to be news.
fn patrol(run: &mut Run, recorder: &Arc<Recorder>) -> Option<Patrol> {
    let aws = run.aws.as_deref()?;
    let recorder = recorder.clone();
    let tell = Arc::new(move |kind| {
        // A journal that fails is found at the run's own next event.
        let _ = recorder.record(kind);
    });
    Some(Patrol::start(aws, std::mem::take(&mut run.watchers), run.clock, tell))
}

/// What the engine's own tasks tell it.
enum Message {
    StepOver { step: usize, outcome: StepOutcome, detail: Option<String> },
    LedgersRead,
    UndoOver,
    Outside { source: usize, signal: Signal },
    StopParameter(Said),
}

struct Engine<'v> {
    run: Run,
    conductor: Conductor,
    recorder: Arc<Recorder>,
    samples: SampleWriter,
    intents: Intents,
    prober: Option<Prober>,
    /// What the ledgers do beside their writes; ends with the probing.
    attending: JoinSet<()>,
    probing_over: Option<oneshot::Receiver<()>>,
    patrol: Option<Patrol>,
    lookouts: Lookouts,
    /// Looks at the parameter that stops the run; ends with the engine.
    _asking: JoinSet<()>,
    undo: Arc<Stack>,
    outputs: Arc<Outputs>,
    tasks: JoinSet<()>,
    reading: Option<AbortHandle>,
    stop: watch::Sender<bool>,
    message_out: mpsc::UnboundedSender<Message>,
    view: &'v mut dyn View,
    ending: Option<Ending>,
}

impl Engine<'_> {
    async fn go(
        &mut self,
        mut events: mpsc::UnboundedReceiver<Event>,
        mut seen: mpsc::UnboundedReceiver<Seen>,
        mut messages: mpsc::UnboundedReceiver<Message>,
        signals: &mut Signals,
    ) -> io::Result<Finished> {
        let decisions = self.conductor.begin(self.run.clock.now());
        self.carry_out(decisions)?;
        let mut ticker = tokio::time::interval(TICK);
        ticker.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut flushed = self.run.clock.now();
        let mut interrupted = false;
        while self.ending.is_none() {
            tokio::select! {
                // In this order, so that a fault is known before the samples that felt it.
                biased;
                signal = signals.next() => {
                    // Only a person leaves a fault behind on purpose: a closing terminal or a cancelled
                    // CI job sends several signals and means one thing.
                    if signal == CTRL_C && interrupted {
                        return Ok(Finished::Left(self.undo.left()));
                    }
                    interrupted |= signal == CTRL_C;
                    self.feed(Input::Abort { by: signal.to_owned() })?;
                }
                Some(event) = events.recv() => self.take_event(&event)?,
                Some(message) = messages.recv() => self.take_message(message)?,
                _ = ticker.tick() => {
                    while let Ok(seen) = seen.try_recv() {
                        self.take_seen(seen)?;
                    }
                    if let Some(by) = self.run.stop_files.asked() {
                        self.feed(Input::Abort { by })?;
                    }
                    self.run.people.look();
                    self.feed(Input::Tick)?;
                    let now = self.run.clock.now();
                    if now.since(flushed) >= FLUSH {
                        self.samples.flush()?;
                        self.intents.sync()?;
                        flushed = now;
                    }
                    self.view.tick(now, &self.conductor);
                }
            }
        }
        self.finish(events, seen).await
    }

    /// After the last decision: the samples still in flight, then the last event.
    async fn finish(
        &mut self,
        mut events: mpsc::UnboundedReceiver<Event>,
        mut seen: mpsc::UnboundedReceiver<Seen>,
    ) -> io::Result<Finished> {
        self.stop_probing();
        self.lookouts.stop();
        if let Some(over) = self.probing_over.take() {
            // The sender is only dropped when the prober has stopped, either way.
            let _ = over.await;
        }
        if let Some(patrol) = self.patrol.take() {
            patrol.join().await;
        }
        while let Ok(seen) = seen.try_recv() {
            self.take_seen(seen)?;
        }
        self.samples.flush()?;
        self.recorder.seal(&self.samples.seal())?;
        let ending = self.ending.clone().unwrap_or(Ending::Completed);
        self.recorder.record(EventKind::RunEnded { ending: ending.clone() })?;
        if self.undo.left().is_empty() {
            // A file that stays is found by the next run, and `recover` then finds nothing to do.
            let _ = open::close(&self.run.dir);
        }
        while let Ok(event) = events.try_recv() {
            self.view.event(&event);
        }
        Ok(Finished::Ended(ending))
    }

    fn feed(&mut self, input: Input) -> io::Result<()> {
        self.feed_at(self.run.clock.now(), input)
    }

    fn feed_at(&mut self, now: Moment, input: Input) -> io::Result<()> {
        let decisions = self.conductor.handle(now, input);
        self.carry_out(decisions)
    }

    fn take_event(&mut self, event: &Event) -> io::Result<()> {
        self.view.event(event);
        if let EventKind::UndoPrepared { undo, .. } = &event.kind {
            let takes = self.undo_takes(undo);
            return self.feed_at(event.at_ns, Input::UndoPrepared { takes });
        }
        let place = |name: &String| self.run.steps.iter().position(|planned| planned.name == *name);
        let input = Input::of(&event.kind, &place);
        input.map_or(Ok(()), |input| self.feed_at(event.at_ns, input))
    }

    /// How long undoing this usually takes.
    fn undo_takes(&self, undo: &serde_json::Value) -> Duration {
        let scaled = self.run.aws.as_ref().is_some_and(|aws| aws.scaled());
        let pace = if scaled { Pace::Scaled } else { Pace::Aws };
        let undoing = serde_json::from_value::<Undoing>(undo.clone());
        undoing.map(|undoing| undoing.usual(pace)).unwrap_or_default()
    }

    fn take_message(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::StepOver { step, outcome, detail } => {
                if let Some(planned) = self.run.steps.get(step) {
                    self.recorder.record(EventKind::StepFinished {
                        step: planned.name.clone(),
                        outcome,
                        detail: detail.clone(),
                    })?;
                }
                self.feed(Input::StepFinished { step, outcome, detail })
            }
            Message::LedgersRead => self.feed(Input::LedgersRead),
            Message::UndoOver => self.feed(Input::UndoFinished),
            Message::Outside { source, signal } => self.feed(Input::Outside { source, signal }),
            Message::StopParameter(Said::Stop(by)) => self.feed(Input::Abort { by }),
            Message::StopParameter(said) => {
                self.recorder.record(EventKind::Noted { text: parameter::news(&said) }).map(|_| ())
            }
        }
    }

    fn take_seen(&mut self, seen: Seen) -> io::Result<()> {
        if self.run.lanes.is_empty() {
            // How well nothing was measured is of no interest.
            return Ok(());
        }
        match seen {
            Seen::Sample(sample) => {
                self.samples.append(&sample)?;
                self.view.sample(&sample);
                self.feed(Input::Sample(sample))
            }
            Seen::Stall { from, to, witness } => self
                .recorder
                .record(EventKind::ProberStalled { from_ns: from, to_ns: to, witness })
                .map(|_| ()),
            Seen::FirstError { probe, cause, text } => {
                let name = self.run.lanes.get(usize::from(probe)).map_or("?", |lane| lane.name.as_str());
                // What is told of a good answer is no error.
                let text = match cause {
                    Cause::None => format!("{name}: {text}"),
                    cause => format!("{name}: first {cause}: {text}"),
                };
                self.recorder.record(EventKind::Noted { text }).map(|_| ())
            }
            Seen::ConnectionLost { probe, peer, after, lost, how } => {
                let probe = self.run.lanes.get(usize::from(probe)).map_or("?", |lane| lane.name.as_str());
                let probe = probe.to_owned();
                let kind =
                    EventKind::ConnectionLost { probe, peer, after_ns: after, lost_ns: lost, detail: how };
                self.recorder.record(kind).map(|_| ())
            }
            Seen::Noted { text } => self.recorder.record(EventKind::Noted { text }).map(|_| ()),
            Seen::Identity { identity, who } => {
                self.recorder.record(EventKind::IdentityMet { identity, who: who.to_string() }).map(|_| ())
            }
        }
    }

    fn carry_out(&mut self, decisions: Vec<Decision>) -> io::Result<()> {
        for decision in decisions {
            match decision {
                Decision::Record(kind) => {
                    self.samples.flush()?;
                    self.recorder.record(kind)?;
                }
                Decision::Start(step) => self.start(step),
                Decision::StopSteps => {
                    if let Some(aws) = &self.run.aws {
                        aws.halt();
                    }
                    self.stop.send_replace(true);
                }
                Decision::StopProbing => self.stop_probing(),
                Decision::ReadLedgers => self.read_ledgers(),
                Decision::Undo => self.start_undo(),
                Decision::Finish(ending) => self.ending = Some(ending),
            }
        }
        Ok(())
    }

    fn start(&mut self, step: usize) {
        let Some(planned) = self.run.steps.get(step).cloned() else { return };
        let stage = Stage {
            recorder: self.recorder.clone(),
            undo: self.undo.clone(),
            aws: self.run.aws.clone(),
            people: self.run.people.clone(),
            outputs: self.outputs.clone(),
            dry_run: self.run.header.dry_run,
            stop: self.stop.subscribe(),
            tracks: self.patrol.as_ref().map(Patrol::tracks),
        };
        let out = self.message_out.clone();
        self.tasks.spawn(async move {
            let carried = AssertUnwindSafe(stage.carry_out(&planned)).catch_unwind().await;
            let (outcome, detail) = carried.unwrap_or_else(|_| {
                (
                    StepOutcome::Indeterminate,
                    Some("firedrill itself failed in this step: please report it".to_owned()),
                )
            });
            let _ = out.send(Message::StepOver { step, outcome, detail });
        });
    }

    fn stop_probing(&mut self) {
        if let Some(patrol) = &self.patrol {
            patrol.stop();
        }
        let Some(prober) = self.prober.take() else { return };
        self.attending.abort_all();
        let (over, probing_over) = oneshot::channel();
        self.probing_over = Some(probing_over);
        tokio::spawn(async move {
            prober.stop().await;
            // The loop may have ended: then nobody waits for it.
            let _ = over.send(());
        });
    }

    fn read_ledgers(&mut self) {
        let over = self.probing_over.take();
        let lanes = self.run.lanes.clone();
        let recorder = self.recorder.clone();
        let out = self.message_out.clone();
        let read = async move {
            if let Some(over) = over {
                // An error means that the prober is gone, which is as good.
                let _ = over.await;
            }
            for lane in lanes {
                let limit = lane.ask.read_within();
                let read = tokio::time::timeout(limit, lane.ask.read_back(recorder.clock())).await;
                let reading = match read {
                    Ok(None) => continue,
                    Ok(Some(reading)) => reading,
                    Err(_) => {
                        let error = format!("not read within {}", crate::notation::units::show(limit));
                        Reading { error: Some(error), ..Reading::default() }
                    }
                };
                let read = EventKind::LedgerRead { probe: lane.name.clone(), reading };
                if recorder.record(read).is_err() {
                    break;
                }
            }
        };
        // A panic in a read must not keep the run from its undo.
        self.reading = Some(self.tasks.spawn(async move {
            let _ = AssertUnwindSafe(read).catch_unwind().await;
            let _ = out.send(Message::LedgersRead);
        }));
    }

    /// Undo begins when every step that was under way has ended: a call must not land after the
    /// undo that was to take it back.
    fn start_undo(&mut self) {
        if let Some(reading) = self.reading.take() {
            // The fault must not stay in place for the sake of a number.
            reading.abort();
        }
        let mut tasks = std::mem::take(&mut self.tasks);
        let aws = self.run.aws.clone();
        let undo = self.undo.clone();
        let out = self.message_out.clone();
        self.tasks.spawn(async move {
            while tasks.join_next().await.is_some() {}
            let _ = AssertUnwindSafe(undo.undo_all(aws.as_deref())).catch_unwind().await;
            let _ = out.send(Message::UndoOver);
        });
    }

    /// The journal failed: nothing more is begun, and what was begun is put back all the same.
    async fn rescue(&mut self) -> Vec<(String, String)> {
        if let Some(aws) = &self.run.aws {
            aws.halt();
        }
        self.stop.send_replace(true);
        self.stop_probing();
        while self.tasks.join_next().await.is_some() {}
        self.undo.undo_all(self.run.aws.as_deref()).await;
        self.undo.left()
    }
}
