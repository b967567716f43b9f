//! One calibration: truth servers, the real prober on them, and what both say, side by side.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::pacing::Bare;
use super::{Line, Mode};
use crate::clock::Clock;
use crate::journal::{self, Record};
use crate::probe::http::{Connection, Connections, Expect, Http, Statuses};
use crate::probe::prober::{Prober, Seen};
use crate::probe::{Lane, Opening, Probe, Resolver};
use crate::run::event::{
    Ending, EnvironmentFacts, Event, EventKind, ExperimentFacts, Header, Objectives, ProbeFacts, Recovery,
    Safety, SteadyState,
};

/// How long all is well before the first outage, and after the last one's confirmation.
const CALM: Duration = Duration::from_secs(1);
/// How long a truth server may take to listen.
const START: Duration = Duration::from_secs(20);

/// What to calibrate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The ways to go down: each has a server and a probe of its own, all at the same time.
    pub modes: Vec<Mode>,
    /// How many outages of each.
    pub outages: u32,
    /// The probes' spacing.
    pub every: Duration,
    /// The probes' deadline.
    pub timeout: Duration,
    /// Which client the probes stand for.
    pub connection: Connection,
    /// Decides lengths, pauses, phases and jitter.
    pub seed: u64,
}

impl Settings {
    /// How long all must be well for a recovery to count: longer than a flapping service is up at a time.
    pub fn confirm(&self) -> Duration {
        Duration::from_millis(500).max(self.every * 12)
    }

    /// Any outage longer than this meets at least one sample that cannot be answered well: the jitter may put
    /// two samples 1.0125 spacings apart, and one that waits must be given up before the outage is over.
    pub fn least_seen(&self, mode: Mode) -> Duration {
        match mode.waits() {
            true => self.timeout + self.every.mul_f64(1.0125),
            false => self.every.mul_f64(1.0125),
        }
    }

    /// How wide an outage's interval may be: two spacings and 5 ms. Where requests wait, also the deadline at
    /// either edge: one that is asked just before the end may be answered all the same, and once such a late answer
    /// was seen, a request is not known to be lost before its deadline. Nothing is promised of an outage with good
    /// answers in it: how many of those in a row are chance depends on how many there are.
    pub fn promised(&self, mode: Mode) -> Option<Duration> {
        let waits = if mode.waits() { self.timeout * 2 } else { Duration::ZERO };
        let whole = !matches!(mode, Mode::Partial | Mode::Flap);
        whole.then_some(self.every * 2 + waits + Duration::from_millis(5))
    }

    /// The shortest and the longest outage of a mode.
    fn lengths(&self, mode: Mode) -> (Duration, Duration) {
        match mode {
            // With fewer samples than about forty, a service of which half is left may look whole.
            Mode::Partial | Mode::Flap => {
                let least = Duration::from_millis(1200).max(self.every * 60);
                (least, least.mul_f64(1.3))
            }
            mode => {
                let least = self.least_seen(mode).max(self.every.mul_f64(2.05));
                (least, (least * 3).max(Duration::from_millis(600)))
            }
        }
    }

    /// Between outages: long enough to be confirmed well, also after a partial outage.
    fn pause(&self) -> Duration {
        (self.confirm() * 2).max(self.every * 50)
    }

    /// About how long it all takes.
    pub fn takes(&self) -> Duration {
        let one = |mode: &Mode| {
            let (least, most) = self.lengths(*mode);
            ((least + most) / 2 + self.pause().mul_f64(1.1)) * self.outages
        };
        self.modes.iter().map(one).max().unwrap_or_default() + CALM * 2 + self.confirm()
    }
}

/// What was played and what was seen.
#[derive(Debug)]
pub struct Trial {
    /// What the truth servers said, in the modes' order.
    pub said: Vec<Vec<Line>>,
    /// What the probes saw, as a run is recorded; in the same order.
    pub record: Record,
    /// The run's clock, to which the truth is put.
    pub clock: Clock,
    /// How late a bare thread woke meanwhile, in seconds.
    pub floor: Vec<f64>,
}

/// Plays and watches. Dropping the future ends every child process.
///
/// # Errors
/// A truth server does not start, or ends before its time; the prober cannot be started.
pub async fn run(settings: &Settings) -> Result<Trial, String> {
    let mut players = Vec::new();
    for (index, mode) in settings.modes.iter().enumerate() {
        let seed = settings.seed.wrapping_add(index as u64);
        players.push(Player::start(*mode, seed, settings).await.map_err(|why| failed(*mode, &why))?);
    }
    let opening = Opening::new("calibrate", Resolver::System);
    let probes: Vec<Probe> =
        players.iter().map(|player| probe(&player.address, settings)).collect::<Result<_, _>>()?;
    let lanes = probes.iter().zip(&players).map(|(probe, player)| {
        let ask = probe.open(&opening)?;
        Ok(Lane {
            name: player.mode.name().to_owned(),
            every: settings.every,
            edge_every: None,
            sentinel: false,
            ask,
        })
    });
    let lanes = lanes.collect::<Result<Vec<Lane>, String>>()?;
    let clock = Clock::start();
    let (out, seen) = unbounded_channel();
    let bare = Bare::start(settings.every).map_err(|error| format!("no thread can be started: {error}"))?;
    let prober = Prober::start(lanes, clock, settings.seed, out)
        .map_err(|error| format!("the prober cannot be started: {error}"))?;
    tokio::time::sleep(CALM).await;
    let playing = players.into_iter().map(|player| async move {
        let mode = player.mode;
        player.play(settings).await.map_err(|why| failed(mode, &why))
    });
    let played = futures::future::try_join_all(playing).await?;
    tokio::time::sleep(settings.confirm() + CALM).await;
    prober.stop().await;
    let floor = bare.stop();
    let said = played.into_iter().map(|(said, _)| said).collect();
    Ok(Trial { said, record: record(settings, &probes, clock, seen), clock, floor })
}

fn failed(mode: Mode, why: &str) -> String {
    format!("the truth server of mode `{}`: {why}", mode.name())
}

fn probe(address: &str, settings: &Settings) -> Result<Probe, String> {
    let url = reqwest::Url::parse(&format!("http://{address}/")).map_err(|error| error.to_string())?;
    let expect = Expect {
        status: Some(Statuses(vec![(200, 200)])),
        headers: None,
        body_contains: Some("ok".to_owned()),
    };
    Ok(Probe::Http(Http {
        expect: Some(expect),
        timeout: settings.timeout,
        connection: Connections(vec![settings.connection]),
        ..Http::get(url)
    }))
}

/// What was seen, as a run that did nothing but watch.
fn record(settings: &Settings, probes: &[Probe], clock: Clock, seen: UnboundedReceiver<Seen>) -> Record {
    let (mut events, mut samples) = (Vec::new(), Vec::new());
    let mut seen = seen;
    while let Ok(seen) = seen.try_recv() {
        match seen {
            Seen::Sample(sample) => samples.push(sample),
            Seen::Stall { from, to, witness } => events.push(Event {
                at_ns: to,
                kind: EventKind::ProberStalled { from_ns: from, to_ns: to, witness },
            }),
            _ => {}
        }
    }
    events.push(Event { at_ns: clock.now(), kind: EventKind::RunEnded { ending: Ending::Completed } });
    let facts = |(mode, probe): (&Mode, &Probe)| ProbeFacts {
        name: mode.name().to_owned(),
        probe: mode.name().to_owned(),
        client: None,
        dns: None,
        kind: probe.name().to_owned(),
        summary: probe.summary(),
        every: settings.every.as_secs_f64(),
        deadline: probe.deadline().as_secs_f64(),
        must_stay_up: false,
        ledger: false,
    };
    let header = Header {
        schema: journal::SCHEMA.to_owned(),
        run: "calibrate".to_owned(),
        firedrill: env!("CARGO_PKG_VERSION").to_owned(),
        began: clock.began(),
        origin_ns: clock.origin(),
        seed: settings.seed,
        dry_run: false,
        tabletop: false,
        experiment: ExperimentFacts { name: "calibrate".to_owned(), ..ExperimentFacts::default() },
        environment: EnvironmentFacts::default(),
        alarms: Vec::new(),
        watchers: Vec::new(),
        safety: Safety::default(),
        permission_checks: Vec::new(),
        probes: settings.modes.iter().zip(probes).map(facts).collect(),
        objectives: Objectives::default(),
        steady_state: SteadyState { watch: CALM.as_secs_f64(), availability: 1.0 },
        recovery: Recovery { confirm: settings.confirm().as_secs_f64(), within: 60.0, observe: 0.0 },
        measure_from: None,
        plan: Vec::new(),
    };
    Record { header, events, samples, chain_head: String::new(), cut: false }
}

/// A truth server's process.
struct Player {
    mode: Mode,
    address: String,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Player {
    async fn start(mode: Mode, seed: u64, settings: &Settings) -> Result<Player, String> {
        let (least, length) = settings.lengths(mode);
        let millis = |duration: Duration| duration.as_millis().to_string();
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .args(["calibrate", "--truth-server", mode.name()])
            .args(["--outages", &settings.outages.to_string(), "--seed", &seed.to_string()])
            .args(["--least", &millis(least), "--length", &millis(length)])
            .args(["--pause", &millis(settings.pause())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A Ctrl-C at the terminal is this process's to answer.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| error.to_string())?;
        let none = || "it has no standard input or output".to_owned();
        let input = child.stdin.take().ok_or_else(none)?;
        let mut lines = BufReader::new(child.stdout.take().ok_or_else(none)?).lines();
        let first = tokio::time::timeout(START, next(&mut lines));
        let Line::Listening { listening } = first.await.map_err(|_| "it does not start".to_owned())?? else {
            return Err("it does not say where it listens".to_owned());
        };
        Ok(Player { mode, address: listening, input, lines, child })
    }

    /// Lets it play; what it said, and the process: it goes on serving as long as that is kept.
    async fn play(mut self, settings: &Settings) -> Result<(Vec<Line>, Child), String> {
        self.input.write_all(b"go\n").await.map_err(|error| error.to_string())?;
        let mut said = Vec::new();
        let all = settings.takes() * 2 + Duration::from_secs(30);
        let playing = async {
            loop {
                match next(&mut self.lines).await? {
                    Line::Done { .. } => return Ok::<(), String>(()),
                    line => said.push(line),
                }
            }
        };
        tokio::time::timeout(all, playing).await.map_err(|_| "it does not come to its end".to_owned())??;
        // Closing its standard input would end it, and that would be one more outage.
        self.child.stdin = Some(self.input);
        self.child.stdout = Some(self.lines.into_inner().into_inner());
        Ok((said, self.child))
    }
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<Line, String> {
    let line = lines.next_line().await.map_err(|error| error.to_string())?;
    let line = line.ok_or_else(|| "it ended before its time".to_owned())?;
    serde_json::from_str(&line).map_err(|error| format!("`{line}`: {error}"))
}
