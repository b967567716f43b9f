//! Histories with a known truth: anomalies planted one by one, each named in the verdict and none
//! where there is none; and random ones that are judged against what they were made from.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::journal::fixture::{event, header, sample};
use crate::report::LedgerReport;
use crate::report::build::build;
use crate::run::event::*;

const FAULT: f64 = 10.0;
const EVERY: f64 = 0.05;

/// A drill whose ledger writes every 50 ms for 20 s: by server 1 until the fault, by server 2 from a
/// second later on, refused in between; read back whole.
struct Plant {
    samples: Vec<Sample>,
    reading: Reading,
}

impl Plant {
    fn new() -> Plant {
        let samples = (0..400).map(|seq| {
            let at = f64::from(seq) * EVERY;
            let down = (FAULT..FAULT + 1.0).contains(&at);
            let class = if down { Class::FailFast } else { Class::Ok };
            let identity = if down { 0 } else { 1 + u16::from(at > FAULT) };
            Sample { identity, ..sample(1, seq, at, at + 0.004, class) }
        });
        let reading = Reading {
            began_ns: Moment::from_secs(21.0),
            done_ns: Moment::from_secs(21.5),
            present: vec![(0, 199), (220, 399)],
            stable: true,
            reads: 3,
            ..Reading::default()
        };
        Plant { samples: samples.collect(), reading }
    }

    /// The report of the drill, and everything it says.
    fn report(self) -> (LedgerReport, String) {
        let mut header = header();
        header.objectives = Objectives { rpo_writes: Some(0), ..Objectives::default() };
        let call = EventKind::CallSent { step: "s".into(), operation: "o".into(), resource: "r".into() };
        let seen = EventKind::EffectSeen {
            step: "s".into(),
            after_ns: Moment::from_secs(FAULT),
            evidence: "it stopped".into(),
        };
        let met = |identity, who: &str| EventKind::IdentityMet { identity, who: who.into() };
        let events = vec![
            event(0.1, met(1, "10.0.0.1:5432")),
            event(FAULT, call),
            event(FAULT + 0.5, seen),
            event(FAULT + 1.1, met(2, "10.0.0.2:5432")),
            event(20.5, EventKind::PhaseEntered { phase: Phase::FinalRead }),
            event(21.5, EventKind::LedgerRead { probe: "orders".into(), reading: self.reading }),
            event(22.0, EventKind::RunEnded { ending: Ending::Completed }),
        ];
        let web = (0..200).map(|seq| {
            let at = f64::from(seq) * 0.1;
            sample(0, seq, at, at + 0.01, Class::Ok)
        });
        let samples = web.chain(self.samples).collect();
        let record = Record { header, events, samples, chain_head: String::new(), cut: false };
        let report = build(&record);
        let rpo = report.objectives.iter().find(|objective| objective.name == "rpo").unwrap();
        let said = format!("{:?}: {}\n{}", rpo.verdict, rpo.because, report.notes.join("\n"));
        (report.rpo[0].clone(), said)
    }
}

/// Plants something, and checks that the verdict is this one and that it is named.
fn planted(change: impl FnOnce(&mut Plant), verdict: &str, named: &str) -> LedgerReport {
    let mut plant = Plant::new();
    change(&mut plant);
    let (ledger, said) = plant.report();
    assert!(said.starts_with(verdict), "{said}");
    assert!(said.contains(named), "{said}");
    ledger
}

#[test]
fn where_nothing_is_planted_nothing_is_found() {
    let ledger = planted(|_| {}, "Pass", "orders lost none of 380 acknowledged writes");
    let expected = LedgerReport {
        probe: "orders".into(),
        attempted: 400,
        acked: 380,
        seconds: Some(Interval::new(0.0, 0.0)),
        resolution: EVERY,
        reads: 3,
        ..LedgerReport::default()
    };
    assert_eq!(ledger, expected);
    let (_, said) = Plant::new().report();
    for word in ["split brain", "stale", "hole", "fenced", "more than once"] {
        assert!(!said.contains(word), "{said}");
    }
}

#[test]
fn a_loss_is_a_miss() {
    let lose = |plant: &mut Plant| plant.reading.present = vec![(0, 193), (220, 399)];
    let ledger = planted(lose, "Fail", "orders lost 6 of 380 acknowledged writes");
    assert_eq!((ledger.lost, ledger.non_suffix), (6, None));
    // Write 194 was acknowledged 0.296 s before the fault, 193 sent 0.35 s before it.
    let before = ledger.before_fault.unwrap();
    assert!((before.lo - 0.296).abs() < 1e-6 && (before.hi.unwrap() - 0.35).abs() < 1e-6, "{before:?}");
}

#[test]
fn a_loss_that_is_no_tail_is_a_hole() {
    let lose = |plant: &mut Plant| plant.reading.present = vec![(0, 149), (151, 199), (220, 399)];
    assert_eq!(planted(lose, "Fail", "a hole").non_suffix, Some((150, 151)));
}

#[test]
fn a_duplicate_is_named() {
    let ledger = planted(|plant| plant.reading.duplicated = 2, "Pass", "2 entries are there more than once");
    assert_eq!(ledger.duplicated, 2);
}

#[test]
fn a_phantom_decides_nothing() {
    let appear = |plant: &mut Plant| plant.reading.present = vec![(0, 200), (220, 399)];
    assert_eq!(planted(appear, "Inconclusive", "1 write that had certainly failed").phantom, 1);
}

#[test]
fn contamination_decides_nothing() {
    let appear = |plant: &mut Plant| plant.reading.present = vec![(0, 199), (220, 402)];
    assert_eq!(planted(appear, "Inconclusive", "3 writes that this run never sent").unexpected, 3);
}

#[test]
fn what_was_acknowledged_after_the_read_began_is_unread() {
    let early = |plant: &mut Plant| {
        plant.reading.began_ns = Moment::from_secs(19.9);
        plant.reading.present = vec![(0, 199), (220, 397)];
    };
    let ledger = planted(early, "Inconclusive", "2 writes after the final read had begun");
    assert_eq!((ledger.unread, ledger.lost), (2, 0));
}

#[test]
fn reads_that_differ_decide_nothing() {
    planted(|plant| plant.reading.stable = false, "Inconclusive", "different answers");
}

#[test]
fn what_has_not_arrived_yet_is_pending_and_not_lost() {
    let late = |plant: &mut Plant| {
        plant.reading.present = vec![(0, 199), (220, 389)];
        plant.reading.pending = vec![(390, 399)];
    };
    let ledger = planted(late, "Inconclusive", "10 writes acknowledged and not yet replicated");
    assert_eq!((ledger.pending, ledger.lost, ledger.seconds), (10, 0, Some(Interval::at_least(0.0))));
    assert!((ledger.pending_for.unwrap() - (21.0 - 19.504)).abs() < 1e-6, "{ledger:?}");
}

fn glimpse(at: f64, missing: &[(u32, u32)]) -> Glimpse {
    let (began_ns, done_ns) = (Moment::from_secs(at), Moment::from_secs(at + 0.01));
    Glimpse { began_ns, done_ns, who: Some("10.0.0.9:5432".into()), missing: missing.to_vec() }
}

#[test]
fn a_stale_read_is_named_with_who_gave_it() {
    let miss = |plant: &mut Plant| {
        // 100 was acknowledged at 5.004; 110 only after this read began.
        let missed = vec![glimpse(5.2, &[(100, 101), (110, 110)]), glimpse(6.004, &[(100, 100)])];
        plant.reading.glimpses = Glimpses { reads: 20, failed: 1, missed };
    };
    let stale = planted(miss, "Pass", "stale reads: 2 of 20 light reads missed 2 writes").stale.unwrap();
    assert_eq!((stale.reads, stale.stale, stale.writes), (20, 2, 2));
    assert!((stale.longest - 1.0).abs() < 1e-6, "{stale:?}");
    let (_, said) = {
        let mut plant = Plant::new();
        miss(&mut plant);
        plant.report()
    };
    assert!(said.contains("by 10.0.0.9:5432"), "{said}");
}

#[test]
fn a_light_read_that_missed_what_is_lost_is_not_stale_too() {
    let miss = |plant: &mut Plant| {
        plant.reading.present = vec![(0, 198), (220, 399)];
        plant.reading.glimpses = Glimpses { reads: 9, failed: 0, missed: vec![glimpse(15.0, &[(199, 199)])] };
    };
    let ledger = planted(miss, "Fail", "lost 1 of 380");
    assert_eq!(ledger.stale.unwrap().stale, 0);
}

#[test]
fn two_servers_that_take_writes_at_a_time_are_a_split_brain() {
    let split = |plant: &mut Plant| {
        for sample in plant.samples.iter_mut().filter(|s| (300..320).contains(&s.seq) && s.seq % 2 == 0) {
            sample.identity = 1;
        }
        plant.reading.present = vec![(0, 199), (220, 300)]
            .into_iter()
            .chain((301..400).filter(|s| *s >= 320 || s % 2 == 1).map(|s| (s, s)))
            .collect();
    };
    let ledger = planted(split, "Fail", "split brain: 10.0.0.1:5432 acknowledged 10 writes");
    let brain = ledger.split_brain.unwrap();
    assert_eq!((brain.writes, brain.survived, brain.alternated), (10, Some(1), true));
    assert_eq!((brain.old.as_str(), brain.new.as_str()), ("10.0.0.1:5432", "10.0.0.2:5432"));
    // From the first acknowledgement of 2 (220 at 11.004) to the last of 1 (318 at 15.904).
    assert!((brain.seconds - 4.9).abs() < 1e-6, "{brain:?}");
}

#[test]
fn a_write_in_flight_at_the_takeover_is_no_split_brain() {
    let overlap = |plant: &mut Plant| {
        let late = &mut plant.samples[199];
        late.done = Moment::from_secs(15.0);
    };
    assert_eq!(planted(overlap, "Pass", "lost none").split_brain, None);
}

#[test]
fn an_old_primary_that_still_takes_writes_is_not_fenced() {
    let span = |from: f64, role, superseded, looks, wrote| RoleSpan {
        from_ns: Moment::from_secs(from),
        to_ns: Moment::from_secs(from + f64::from(looks)),
        looks,
        role,
        superseded,
        wrote,
    };
    let look = |plant: &mut Plant| {
        plant.reading.present = vec![(0, 194), (220, 399)];
        let roles = vec![
            span(1.0, Role::Writer, false, 9, 0),
            span(11.5, Role::Writer, true, 4, 2),
            span(16.0, Role::Unreachable, true, 3, 0),
            span(19.0, Role::Standby, true, 1, 0),
        ];
        plant.reading.old = Some(OldPrimary {
            who: Some("10.0.0.1:5432".into()),
            roles,
            present: vec![(0, 197), (200, 201)],
            error: None,
            query: Some("select * from t".into()),
        });
    };
    let ledger = planted(look, "Fail", "not fenced: the old primary 10.0.0.1:5432");
    let fencing = ledger.fencing.unwrap();
    assert_eq!((fencing.looks, fencing.writable, fencing.standby, fencing.wrote), (8, 4, 1, 2));
    let salvage = ledger.salvage.unwrap();
    assert_eq!((salvage.on_old_only, salvage.nowhere, salvage.diverged), (3, 2, 5));
}

#[test]
fn a_history_in_which_too_little_happened_decides_nothing() {
    let seldom = |plant: &mut Plant| {
        plant.samples.iter_mut().filter(|s| (101..190).contains(&s.seq)).for_each(|s| s.class = Class::Shed);
        plant.reading.present = vec![(0, 100), (190, 199), (220, 399)];
    };
    planted(seldom, "Inconclusive", "acknowledged in the 5 s before the fault");
    let idle = |plant: &mut Plant| {
        plant.samples.iter_mut().filter(|s| (205..215).contains(&s.seq)).for_each(|s| s.class = Class::Shed);
    };
    planted(idle, "Inconclusive", "tried 10 writes while it was down");
    let mute = |plant: &mut Plant| {
        plant.samples.iter_mut().filter(|s| s.seq >= 220).for_each(|s| s.class = Class::Info);
        plant.reading.present = vec![(0, 199)];
    };
    planted(mute, "Inconclusive", "acknowledged after the fault");
    planted(
        |plant| plant.reading.error = Some("gone".into()),
        "Inconclusive",
        "could not be read back: gone",
    );
}

#[test]
fn the_bytes_that_were_not_replicated_are_at_least_the_gap_in_the_log() {
    let position = |who: &str, seq, byte| Position { who: who.into(), seq, byte };
    let gap = |plant: &mut Plant| {
        plant.reading.present = vec![(0, 193), (220, 399)];
        plant.reading.positions = vec![position("a", 199, 5000), position("b", 399, 9000)];
        plant.reading.replayed = Some(position("b", 0, 4200));
    };
    assert_eq!(planted(gap, "Fail", "lost 6").bytes, Some(Interval::at_least(800.0)));
    let none = |plant: &mut Plant| {
        plant.reading.positions = vec![position("a", 199, 5000)];
        plant.reading.replayed = Some(position("b", 0, 5100));
    };
    assert_eq!(planted(none, "Pass", "lost none").bytes, Some(Interval::new(0.0, 0.0)));
}

/// A write of a random history: what the client was told, and what is there in the end.
#[derive(Clone, Copy, Debug)]
struct Made {
    told: u8,
    there: bool,
    took_ms: u16,
    server: u8,
}

fn made() -> impl Strategy<Value = Vec<Made>> {
    let one = (0u8..20, 0u8..20, 1u16..900, 1u8..4).prop_map(|(told, there, took_ms, server)| Made {
        told,
        there: there > 0,
        took_ms,
        server,
    });
    prop::collection::vec(one, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// What is counted is what the history was made from, whatever the order in which samples and ranges
    /// come, and nothing is counted that was not put there.
    #[test]
    fn a_random_history_is_judged_as_it_was_made(
        made in made(),
        strangers in prop::collection::btree_set(1000u32..1100, 0..4),
        shuffle in any::<u64>(),
    ) {
        let classes = [Class::FailFast, Class::Info, Class::Timeout, Class::Shed, Class::Slow];
        let mut truth: BTreeMap<&str, u64> = BTreeMap::new();
        let mut samples = Vec::new();
        let mut present: Vec<(u32, u32)> = strangers.iter().map(|seq| (*seq, *seq)).collect();
        let (mut lost, mut survived) = (BTreeSet::new(), Vec::new());
        for (seq, made) in (0u32..).zip(&made) {
            let class = *classes.get(usize::from(made.told)).unwrap_or(&Class::Ok);
            let at = f64::from(seq) * EVERY;
            let took = f64::from(made.took_ms) / 1000.0;
            let acked = matches!(class, Class::Ok | Class::Slow);
            let identity = if acked { made.server.into() } else { 0 };
            samples.push(Sample { identity, ..sample(1, seq, at, at + took, class) });
            if made.there {
                present.push((seq, seq));
            }
            let what = match (class, made.there) {
                (Class::Ok | Class::Slow, false) => { lost.insert(seq); "lost" }
                (Class::Ok | Class::Slow, true) => { survived.push((at, at + took)); "kept" }
                (Class::FailFast, true) => "phantom",
                (Class::Info | Class::Timeout | Class::Shed, true) => "recovered",
                (Class::Info | Class::Timeout, false) => "indeterminate",
                _ => "nothing",
            };
            *truth.entry(what).or_default() += 1;
        }
        // The ranges come in any order; the samples in that of their sending, as a track has them.
        present.sort_by_key(|(seq, _)| u64::from(*seq).wrapping_mul(shuffle | 1));
        samples.sort_by_key(|sample| sample.sent);
        let reading = Reading {
            began_ns: Moment::from_secs(1e6),
            present,
            stable: true,
            ..Reading::default()
        };
        let history = History { samples: &samples, every: EVERY, ..History::default() };
        let ledger = Ledger::judge(&history, Some(&reading));
        let count = |what: &str| truth.get(what).copied().unwrap_or(0);
        prop_assert_eq!(ledger.lost, count("lost"));
        prop_assert_eq!(ledger.phantom, count("phantom"));
        prop_assert_eq!(ledger.recovered, count("recovered"));
        prop_assert_eq!(ledger.indeterminate, count("indeterminate"));
        prop_assert_eq!(ledger.unexpected, strangers.len() as u64);
        prop_assert_eq!(ledger.acked, count("lost") + count("kept"));
        prop_assert_eq!(ledger.unread + ledger.pending + ledger.duplicated, 0);
        let told: BTreeSet<u32> = ledger.lost_ranges.iter().flat_map(|(first, last)| *first..=*last).collect();
        prop_assert_eq!(&told, &lost);
        // Brute force over all pairs of writes.
        let firsts = (1u16..4).filter_map(|who| {
            let own = samples.iter().filter(|s| s.identity == who);
            own.map(|s| s.done).min().map(|first| (first, who))
        });
        let mut firsts: Vec<(Moment, u16)> = firsts.collect();
        firsts.sort_unstable();
        let split = samples.iter().any(|s| {
            let own = firsts.iter().position(|(_, who)| *who == s.identity);
            own.and_then(|own| firsts.get(own + 1)).is_some_and(|(taken, _)| s.sent > *taken)
        });
        prop_assert_eq!(ledger.split_brain.is_some(), split);
        let hole = samples.iter().filter(|s| lost.contains(&s.seq)).min_by_key(|s| s.done).and_then(|first| {
            let last = samples.iter().filter(|s| lost.contains(&s.seq)).map(|s| s.sent).max()?;
            survived.iter().find(|(sent, acked)| {
                Moment::from_secs(*sent) > first.done && Moment::from_secs(*acked) < last
            })
        });
        prop_assert_eq!(ledger.hole.is_some(), hole.is_some());
        prop_assert_eq!(ledger.seconds.map(|s| s.lo > 0.0 || s.hi != Some(0.0)), Some(!lost.is_empty()));
    }
}
