use std::sync::atomic::AtomicU32;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Rest};
use crate::sample::{Class, Mark};

/// What a scripted probe does when it is asked.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Answers,
    Fails,
    /// Answers after this long.
    Takes(Duration),
    /// Keeps no deadline.
    Hangs,
    Panics,
    /// Keeps its thread for this long, the first time, as broken code does.
    Blocks(Duration),
    /// Times out at once, and answers this long after.
    Late(Duration),
}

struct Script {
    does: Does,
    writes: bool,
    asked: AtomicU32,
    flying: AtomicU32,
    most_flying: AtomicU32,
}

/// Counts down also when the asking is given up.
struct Flying<'s>(&'s Script);

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        self.0.flying.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Ask for Script {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let sent = clock.now();
        let asked_before = self.asked.fetch_add(1, Ordering::SeqCst);
        self.most_flying.fetch_max(self.flying.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let _flying = Flying(self);
        match self.does {
            Does::Answers | Does::Fails => {}
            Does::Late(time) => {
                let late = Trouble::late("no answer in time").answer(sent, clock.now());
                let rest = Rest::of(async move {
                    tokio::time::sleep(time).await;
                    true
                });
                return Answer { rest, ..late };
            }
            Does::Takes(time) => tokio::time::sleep(time).await,
            Does::Hangs => std::future::pending().await,
            Does::Panics => panic!("broken on purpose"),
            Does::Blocks(time) if asked_before == 0 => thread::sleep(time),
            Does::Blocks(_) => {}
        }
        let mut answer = Answer::good(sent, clock.now(), 0);
        if self.does == Does::Fails {
            (answer.class, answer.cause) = (Class::FailFast, Cause::Refused);
            answer.detail = Some("connection refused".to_owned());
        }
        answer
    }

    fn deadline(&self) -> Duration {
        Duration::from_millis(200)
    }

    fn writes(&self) -> bool {
        self.writes
    }
}

fn lane(every: u64, does: Does, writes: bool) -> (Lane, Arc<Script>) {
    let script = Arc::new(Script {
        does,
        writes,
        asked: AtomicU32::new(0),
        flying: AtomicU32::new(0),
        most_flying: AtomicU32::new(0),
    });
    (
        Lane {
            name: "scripted".to_owned(),
            every: Duration::from_millis(every),
            edge_every: None,
            sentinel: false,
            ask: script.clone(),
        },
        script,
    )
}

/// Runs lanes for a while; everything that was seen.
async fn run(lanes: Vec<Lane>, time: Duration) -> Vec<Seen> {
    let (out, mut seen) = unbounded_channel();
    let prober = Prober::start(lanes, Clock::start(), 7, out).unwrap();
    tokio::time::sleep(time).await;
    prober.stop().await;
    drain(&mut seen)
}

fn drain(seen: &mut UnboundedReceiver<Seen>) -> Vec<Seen> {
    std::iter::from_fn(|| seen.try_recv().ok()).collect()
}

fn samples(seen: &[Seen]) -> Vec<Sample> {
    let mut samples: Vec<Sample> = seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Sample(sample) => Some(*sample),
            _ => None,
        })
        .collect();
    samples.sort_by_key(|sample| (sample.probe, sample.seq));
    samples
}

/// Every number from 0 on is there, once.
fn assert_complete(samples: &[Sample]) {
    let seqs: Vec<u32> = samples.iter().map(|sample| sample.seq).collect();
    assert_eq!(seqs, (0..seqs.len() as u32).collect::<Vec<_>>());
}

#[tokio::test]
async fn samples_are_asked_on_schedule_and_numbered() {
    let (first, asked) = lane(20, Does::Answers, false);
    let (second, _) = lane(50, Does::Fails, false);
    let seen = run(vec![first, second], Duration::from_millis(1000)).await;
    let samples = samples(&seen);
    let of = |probe| samples.iter().filter(|sample| sample.probe == probe).copied().collect::<Vec<_>>();
    assert_complete(&of(0));
    assert_complete(&of(1));
    for (probe, every) in [(0, 0.020), (1, 0.050)] {
        let lane = of(probe);
        assert!(lane.len() as f64 >= 0.9 / every, "{}", lane.len());
        for sample in &lane {
            let place = f64::from(sample.seq) * every;
            let off = (sample.scheduled - lane[0].scheduled - place).abs();
            assert!(off <= every * 0.101, "{sample:?}");
        }
    }
    let sent = of(0).iter().filter(|sample| sample.class == Class::Ok).count();
    assert_eq!(asked.asked.load(Ordering::SeqCst) as usize, sent);
    assert!(samples.iter().all(|sample| sample.sent >= sample.scheduled));
    let errors: Vec<&Seen> = seen.iter().filter(|seen| matches!(seen, Seen::FirstError { .. })).collect();
    let expected =
        Seen::FirstError { probe: 1, cause: Cause::Refused, text: "connection refused".to_owned() };
    assert_eq!(errors, [&expected]);
}

#[tokio::test]
async fn a_slow_service_does_not_slow_the_schedule() {
    let (slow, script) = lane(20, Does::Takes(Duration::from_millis(180)), false);
    let samples = samples(&run(vec![slow], Duration::from_millis(600)).await);
    assert_complete(&samples);
    assert!(samples.len() >= 28, "{}", samples.len());
    // Those in flight at the end were waited for. A busy machine may make the pacer late.
    let (good, other): (Vec<Sample>, Vec<Sample>) =
        samples.iter().partition(|sample| sample.class == Class::Ok);
    assert!(other.iter().all(|sample| sample.cause == Cause::Late), "{other:?}");
    assert_eq!(script.asked.load(Ordering::SeqCst) as usize, good.len());
    assert!(script.most_flying.load(Ordering::SeqCst) > 4);
}

#[tokio::test]
async fn a_probe_that_keeps_no_deadline_is_given_up() {
    for (writes, class) in [(false, Class::Timeout), (true, Class::Info)] {
        let (hanging, _) = lane(1000, Does::Hangs, writes);
        let seen = run(vec![hanging], Duration::from_millis(50)).await;
        let samples = samples(&seen);
        // Given up a little after its deadline of 200 ms, or ended by the prober at about that time.
        let by_deadline = (class, Cause::Timeout);
        let by_end = (if writes { Class::Info } else { Class::Void }, Cause::Ended);
        let decided: Vec<_> = samples.iter().map(|sample| (sample.class, sample.cause)).collect();
        assert!(decided == [by_deadline] || decided == [by_end], "{samples:?}");
    }
}

#[tokio::test]
async fn too_many_in_flight_are_shed() {
    // A deadline of 200 ms, given up after 300 ms: 40 + 8 may fly at a spacing of 5 ms.
    let (hanging, script) = lane(5, Does::Hangs, false);
    let samples = samples(&run(vec![hanging], Duration::from_millis(600)).await);
    assert_complete(&samples);
    let shed: Vec<&Sample> = samples.iter().filter(|sample| sample.cause == Cause::InFlight).collect();
    assert!(shed.len() > 3 && shed.iter().all(|sample| sample.class == Class::Shed), "{samples:?}");
    assert_eq!(script.most_flying.load(Ordering::SeqCst), 48);
}

#[tokio::test]
async fn a_broken_probe_is_nobodys_outage() {
    for (writes, class) in [(false, Class::Void), (true, Class::Info)] {
        let (broken, _) = lane(2000, Does::Panics, writes);
        let samples = samples(&run(vec![broken], Duration::from_millis(900)).await);
        assert_eq!(samples.len(), 1);
        assert_eq!((samples[0].class, samples[0].cause), (class, Cause::Local));
    }
}

#[tokio::test]
async fn a_starved_runtime_is_reported_as_a_stall() {
    let blocked = Duration::from_millis(400);
    // Enough lanes to take every worker, each once.
    let lanes = (0..4).map(|_| lane(40, Does::Blocks(blocked), false).0).collect();
    let seen = run(lanes, Duration::from_millis(1200)).await;
    let longest = seen.iter().filter_map(|seen| match seen {
        Seen::Stall { from, to, witness } if witness == "runtime" => Some(to.since(*from)),
        _ => None,
    });
    let longest = longest.max().unwrap();
    assert!(longest > Duration::from_millis(300) && longest < Duration::from_millis(1200), "{longest:?}");
}

#[tokio::test]
async fn a_short_lag_is_not_a_stall() {
    let lanes = (0..4).map(|_| lane(100, Does::Answers, false).0).collect();
    let seen = run(lanes, Duration::from_millis(500)).await;
    // A busy machine may stall for real; but the pauses between two beats are none.
    for seen in &seen {
        if let Seen::Stall { from, to, .. } = seen {
            assert!(to.since(*from) > Duration::from_millis(50), "{seen:?}");
        }
    }
}

/// Set in the process that [`a_stopped_process_says_so_and_sends_no_burst`] starts and stops.
const CHILD: &str = "FIREDRILL_TEST_PACED_CHILD";

/// Not a test of its own: what the child of the next one does.
#[tokio::test]
async fn paced_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    println!("started");
    for seen in run(vec![lane(20, Does::Answers, false).0], Duration::from_millis(1500)).await {
        match seen {
            Seen::Sample(sample) => println!("{} {:?}", sample.sent.0, sample.class),
            Seen::Stall { from, to, witness } => println!("{witness} {}", to.since(from).as_millis()),
            _ => {}
        }
    }
}

#[test]
fn a_stopped_process_says_so_and_sends_no_burst() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, Signal, kill_process};

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "probe::prober::tests::paced_child", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(child.id() as i32).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with("started")));
    thread::sleep(Duration::from_millis(400));
    kill_process(pid, Signal::STOP).unwrap();
    thread::sleep(Duration::from_millis(500));
    kill_process(pid, Signal::CONT).unwrap();
    let lines: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success());

    for witness in ["pacer ", "runtime "] {
        let stalls: Vec<u64> =
            lines.iter().filter_map(|line| line.strip_prefix(witness)?.parse().ok()).collect();
        // All of it was seen, and not much more.
        assert!(stalls.iter().any(|stall| (480..=700).contains(stall)), "{witness}: {stalls:?}");
    }
    let shed = lines.iter().filter(|line| line.ends_with(" Shed")).count();
    assert!((20..=35).contains(&shed), "{shed} of the 25 samples that were due in 500 ms");
    let mut sent: Vec<u64> = lines.iter().filter_map(|line| line.strip_suffix(" Ok")?.parse().ok()).collect();
    sent.sort_unstable();
    let busiest = sent.windows(4).map(|four| four[3] - four[0]).min().unwrap();
    assert!(busiest > 20_000_000, "four samples within {busiest} ns");
}

#[tokio::test]
async fn dropping_a_prober_stops_it() {
    let (first, script) = lane(10, Does::Answers, false);
    let (out, _seen) = unbounded_channel();
    let prober = Prober::start(vec![first], Clock::start(), 7, out).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(prober);
    let asked = script.asked.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(script.asked.load(Ordering::SeqCst), asked);
    assert!(asked > 3);
}

#[tokio::test]
async fn an_outage_is_looked_at_more_closely() {
    let (mut failing, _) = lane(100, Does::Fails, false);
    let (mut healthy, _) = lane(100, Does::Answers, false);
    for lane in [&mut failing, &mut healthy] {
        lane.edge_every = Some(Duration::from_millis(20));
    }
    let seen = run(vec![failing, healthy], Duration::from_millis(1000)).await;
    let samples = samples(&seen);
    let of = |probe, mark| samples.iter().filter(move |s| (s.probe, s.mark) == (probe, mark)).count();
    assert_eq!(of(1, Mark::Edge), 0, "nothing is wrong with it");
    let third = samples.iter().find(|s| (s.probe, s.mark, s.seq) == (0, Mark::Base, 2)).unwrap().done;
    assert!(samples.iter().filter(|s| s.mark == Mark::Edge).all(|s| s.sent >= third));
    // From the third bad sample on, every 20 ms: about 700 ms, or as long as stopping the prober took.
    let last = samples.iter().filter(|s| s.probe == 0).map(|s| s.sent).max().unwrap();
    let most = last.since(third).as_millis() / 20 + 2;
    assert!((20..=most).contains(&(of(0, Mark::Edge) as u128)), "{} of {most}", of(0, Mark::Edge));
    let base = of(0, Mark::Base);
    assert!((9..=11).contains(&base), "the schedule itself is kept: {base}");
}

#[tokio::test]
async fn an_answer_after_the_deadline_is_noted() {
    let seen =
        run(vec![lane(100, Does::Late(Duration::from_millis(150)), false).0], Duration::from_millis(650))
            .await;
    let samples = samples(&seen);
    let late: Vec<&Sample> = samples.iter().filter(|sample| sample.mark == Mark::Late).collect();
    assert!(late.len() >= 4, "{samples:?}");
    for late in late {
        let own = samples.iter().find(|s| s.mark == Mark::Base && s.seq == late.seq).unwrap();
        assert_eq!((own.class, own.sent, own.scheduled), (Class::Timeout, late.sent, late.scheduled));
        assert!(late.done.since(own.done) >= Duration::from_millis(140), "{late:?} after {own:?}");
    }
}

#[tokio::test]
async fn a_lost_idle_connection_is_told_and_held_again() {
    use crate::probe::tcp::{Address, Tcp};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::parse(&listener.local_addr().unwrap().to_string()).unwrap();
    let clock = Clock::start();
    let ask = Tcp::to(address).asking(Arc::new(crate::probe::Resolver::System));
    // Asked once a minute: the idle connection is all that can tell.
    let lane =
        Lane { name: "db".to_owned(), every: Duration::from_secs(60), edge_every: None, sentinel: true, ask };
    let (out, mut seen) = unbounded_channel();
    let prober = Prober::start(vec![lane], clock, 7, out).unwrap();
    let mut held = Vec::new();
    // The one sample and the sentinel, in either order.
    for _ in 0..2 {
        held.push(listener.accept().await.unwrap().0);
    }
    let before = clock.now();
    drop(held);
    let (after, lost, how) = loop {
        if let Seen::ConnectionLost { probe: 0, after, lost, how, .. } = seen.recv().await.unwrap() {
            break (after, lost, how);
        }
    };
    assert!(after <= lost && lost >= before && how == "closed", "{after} {lost} {how}, dropped at {before}");
    let again = tokio::time::timeout(Duration::from_secs(5), listener.accept()).await;
    assert!(again.is_ok(), "another is held");
    prober.stop().await;
}

#[tokio::test]
async fn a_network_of_ones_own_that_is_gone_is_a_stall() {
    for (others, expected) in
        [(vec![Does::Fails, Does::Fails], true), (vec![Does::Fails, Does::Answers], false)]
    {
        let references = others.iter().map(|does| lane(50, *does, false).1 as Arc<dyn Ask>).collect();
        let (out, mut seen) = unbounded_channel();
        let probed = vec![lane(50, Does::Fails, false).0];
        let prober = Prober::start_beside(probed, references, Clock::start(), 7, out).unwrap();
        tokio::time::sleep(Duration::from_millis(800)).await;
        prober.stop().await;
        let blind = |seen: &Seen| matches!(seen, Seen::Stall { witness, .. } if witness == "references");
        assert_eq!(drain(&mut seen).iter().any(blind), expected, "{expected}");
    }
}
