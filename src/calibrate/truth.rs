//! The truth server's process: plays outages by a schedule, and says when they were.
//!
//! It knows nothing of who asks it, nor of measuring.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::server::Server;
use super::{Down, Edge, Line, Mode};
use crate::clock::boottime_ns;

/// How long a flapping service is down, and up, at a time.
const FLAP: Duration = Duration::from_millis(250);
/// How often the server looks whether it gets the processor, and how late it may be.
const BEAT: Duration = Duration::from_millis(5);
const LATE: Duration = Duration::from_millis(10);

/// What to play.
#[derive(Clone, Debug)]
pub struct Play {
    /// How to go down.
    pub mode: Mode,
    /// How many times.
    pub outages: u32,
    /// How long each time, give or take 20 %.
    pub length: Duration,
    /// When given, lengths are spread between this and `length` instead, as many short ones as long ones.
    pub least: Option<Duration>,
    /// How long it is well before each outage: at least, and up to a fifth (and 100 ms) longer, so that no
    /// outage begins in step with anything.
    pub pause: Duration,
    /// Decides lengths, pauses and which requests fail.
    pub seed: u64,
    /// How long the process lives at most, beside the outages and pauses themselves.
    pub linger: Duration,
}

/// Serves and plays: says where it listens, waits for a line on standard input, plays the outages,
/// and goes on serving until standard input is closed or its time is over.
///
/// # Errors
/// No port is free, a process cannot be started or stopped, or nobody listens to what it says.
pub fn run(play: &Play) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let longest = play.length.max(play.least.unwrap_or_default()).mul_f64(1.2);
    let all = (longest + play.pause.mul_f64(1.2) + Duration::from_millis(100)) * play.outages + play.linger;
    local.block_on(&runtime, async {
        // Standard input blocks, so it is read on a thread of its own, which ends with the process.
        let (said, mut orders) = mpsc::unbounded_channel();
        thread::spawn(move || {
            for line in io::stdin().lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    return;
                }
            }
        });
        let (subject, address) = Subject::start(play)?;
        say(&Line::Listening { listening: address })?;
        let life = tokio::time::timeout(all, async {
            if orders.recv().await.is_some() {
                tokio::select! {
                    ended = perform(play, &subject) => ended?,
                    () = closed(&mut orders) => return Ok(()),
                }
                say(&Line::Done { done: true })?;
                closed(&mut orders).await;
            }
            Ok(())
        });
        life.await.unwrap_or(Ok(()))
    })
}

/// Returns when standard input is closed.
async fn closed(orders: &mut mpsc::UnboundedReceiver<String>) {
    while orders.recv().await.is_some() {}
}

async fn perform(play: &Play, subject: &Subject) -> io::Result<()> {
    let mut draws = ChaCha8Rng::seed_from_u64(play.seed);
    let spread = (play.pause / 5).max(Duration::from_millis(100));
    for outage in 0..play.outages {
        let length = length(play, &mut draws);
        tokio::time::sleep(play.pause + spread.mul_f64(draws.random())).await;
        let flaps = match play.mode {
            Mode::Flap => flap(subject, length).await?,
            mode => vec![once(subject, mode, length).await?],
        };
        if let (Some(first), Some(last)) = (flaps.first(), flaps.last()) {
            let span = Down { down: first.down, up: last.up };
            let flaps = if play.mode == Mode::Flap { flaps } else { Vec::new() };
            say(&Line::Outage { outage, span, flaps })?;
        }
    }
    Ok(())
}

fn length(play: &Play, draws: &mut ChaCha8Rng) -> Duration {
    let share: f64 = draws.random();
    match play.least {
        Some(least) if least < play.length && !least.is_zero() => {
            least.mul_f64((play.length.as_secs_f64() / least.as_secs_f64()).powf(share))
        }
        Some(least) => least,
        None => play.length.mul_f64(0.8 + 0.4 * share),
    }
}

async fn once(subject: &Subject, mode: Mode, length: Duration) -> io::Result<Down> {
    let down = subject.down(mode)?;
    tokio::time::sleep(length).await;
    Ok(Down { down, up: subject.up(mode)? })
}

/// Down and up in turn, for about `length`, ending with the last time of being down.
async fn flap(subject: &Subject, length: Duration) -> io::Result<Vec<Down>> {
    let mut left = length;
    let mut flaps = Vec::new();
    loop {
        flaps.push(once(subject, Mode::Flap, left.min(FLAP)).await?);
        left = left.saturating_sub(FLAP);
        if left <= FLAP {
            return Ok(flaps);
        }
        tokio::time::sleep(FLAP).await;
        left -= FLAP;
    }
}

fn say(line: &Line) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, line)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// What goes down.
enum Subject {
    /// This process serves.
    Here(Server),
    /// A child serves, to be stopped as a whole.
    There(Serving),
}

impl Subject {
    fn start(play: &Play) -> io::Result<(Subject, String)> {
        if play.mode == Mode::BlackHole {
            let (serving, address) = Serving::start(play)?;
            return Ok((Subject::There(serving), address));
        }
        let server = Server::start(play.seed)?;
        let address = server.address().to_string();
        tokio::task::spawn_local(watch());
        Ok((Subject::Here(server), address))
    }

    fn down(&self, mode: Mode) -> io::Result<Edge> {
        match self {
            Subject::Here(server) => server.down(mode),
            Subject::There(serving) => serving.stop(),
        }
    }

    fn up(&self, mode: Mode) -> io::Result<Edge> {
        match self {
            Subject::Here(server) => server.up(mode),
            Subject::There(serving) => serving.go_on(),
        }
    }
}

/// Says when this process, and so the server, got no processor.
async fn watch() {
    loop {
        let before = boottime_ns();
        tokio::time::sleep(BEAT).await;
        let now = boottime_ns();
        if now.saturating_sub(before) > u64::try_from((BEAT + LATE).as_nanos()).unwrap_or(u64::MAX)
            && say(&Line::Starved { starved: Edge { lo: before, hi: now } }).is_err()
        {
            return;
        }
    }
}

/// A child process that serves.
struct Serving {
    child: Child,
    pid: Pid,
}

impl Serving {
    fn start(play: &Play) -> io::Result<(Serving, String)> {
        let linger = (play.linger + (play.length + play.pause) * 2 * play.outages).as_millis().to_string();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["calibrate", "--truth-server", Mode::Plain.name(), "--end-with-parent"])
            .args(["--linger", &linger])
            .args(["--seed", &play.seed.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let gone = || io::Error::other("the serving process said nothing");
        let out = child.stdout.take().ok_or_else(gone)?;
        let pid = Pid::from_child(&child);
        let serving = Serving { child, pid };
        let mut lines = BufReader::new(out).lines();
        let first = lines.next().ok_or_else(gone)??;
        let Ok(Line::Listening { listening }) = serde_json::from_str(&first) else { return Err(gone()) };
        // When it was starved. That it was stopped shows there too; who reads it knows of both.
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut out = io::stdout().lock();
                if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                    return;
                }
            }
        });
        Ok((serving, listening))
    }

    /// Stops it. It may run on for a moment after the call, so it is down once the kernel says so.
    fn stop(&self) -> io::Result<Edge> {
        let lo = boottime_ns();
        kill_process(self.pid, Signal::STOP)?;
        waitid(WaitId::Pid(self.pid), WaitIdOptions::STOPPED)?;
        Ok(Edge { lo, hi: boottime_ns() })
    }

    fn go_on(&self) -> io::Result<Edge> {
        let lo = boottime_ns();
        kill_process(self.pid, Signal::CONT)?;
        Ok(Edge { lo, hi: boottime_ns() })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Killing ends a stopped process too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends this process when the one that started it ends: a serving process may be stopped just then,
/// and would never see that its standard input was closed.
///
/// # Errors
/// The system does not do this.
pub fn end_with_parent() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(())
}
