use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::fixture::{event, header, sample};
use super::*;
use crate::clock::Moment;
use crate::run::event::*;
use crate::sample::{Cause, Class, Mark, Phases, Sample};

fn write(dir: &Path, events: &[Event], samples: &[Sample], seal: bool) -> String {
    let mut writer = Writer::create(dir, &header()).unwrap();
    let mut out = SampleWriter::create(dir).unwrap();
    for some in samples.chunks(3) {
        some.iter().for_each(|sample| out.append(sample).unwrap());
        out.flush().unwrap();
    }
    for event in events {
        writer.append(event).unwrap();
    }
    if seal {
        writer.seal(&out.seal()).unwrap();
    }
    writer.head().to_owned()
}

/// Where each block of a samples file ends, and how many samples there are up to there.
fn block_ends(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut at, mut samples, mut ends) = (16, 0, Vec::new());
    while at < bytes.len() {
        let count = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        at += 4 + count * 48 + 32;
        samples += count;
        ends.push((at, samples));
    }
    ends
}

fn ended() -> Event {
    event(9.0, EventKind::RunEnded { ending: Ending::Completed })
}

fn small() -> (Vec<Event>, Vec<Sample>) {
    let events = vec![
        event(1.0, EventKind::PhaseEntered { phase: Phase::SteadyState }),
        event(2.5, EventKind::Noted { text: "a \"quoted\" line,\"sha256\":\"\n\u{1F525}".to_owned() }),
        ended(),
    ];
    let samples = (0..4).map(|n| sample(0, n, f64::from(n), f64::from(n) + 0.01, Class::Ok)).collect();
    (events, samples)
}

fn kinds() -> impl Strategy<Value = EventKind> {
    let text = ".{0,40}";
    prop_oneof![
        text.prop_map(|text| EventKind::Noted { text }),
        (text, text, any::<u64>()).prop_map(|(step, summary, n)| EventKind::UndoPrepared {
            command: None,
            step,
            summary,
            undo: serde_json::json!({"nested": [n, null, {"a": "b"}], "minus": -3}),
        }),
        (text, text, proptest::option::of(text)).prop_map(|(step, operation, detail)| {
            EventKind::CallReturned {
                step,
                operation,
                resource: String::new(),
                outcome: CallOutcome::Unclear,
                detail,
            }
        }),
        (any::<u64>(), any::<u64>()).prop_map(|(from, to)| EventKind::ProberStalled {
            from_ns: Moment(from),
            to_ns: Moment(to),
            witness: "heartbeat".to_owned(),
        }),
        (any::<u64>(), proptest::collection::vec(any::<(u32, u32)>(), 0..4)).prop_map(|(n, present)| {
            EventKind::LedgerRead {
                probe: "orders".to_owned(),
                reading: Reading {
                    began_ns: Moment(n),
                    present,
                    duplicated: n,
                    stable: true,
                    ..Default::default()
                },
            }
        }),
    ]
}

fn samples() -> impl Strategy<Value = Sample> {
    let times = (0u64..1 << 60, any::<u32>(), any::<u32>());
    let codes = (0..Class::ALL.len(), 0..Cause::ALL.len(), 0..Mark::ALL.len());
    (any::<(u16, u32, u16, u16, [u32; 4])>(), times, codes).prop_map(
        |((probe, seq, code, identity, parts), (scheduled, lag, total), (class, cause, mark))| {
            let sent = Moment(scheduled + u64::from(lag) * 1000);
            let [dns, connect, tls, first_byte] = parts;
            Sample {
                probe,
                seq,
                scheduled: Moment(scheduled),
                sent,
                done: Moment(sent.0 + u64::from(total) * 1000),
                class: Class::ALL[class],
                cause: Cause::ALL[cause],
                code,
                identity,
                mark: Mark::ALL[mark],
                phases: Phases { dns, connect, tls, first_byte },
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn what_was_written_is_read(
        kinds in proptest::collection::vec((any::<u64>(), kinds()), 0..6),
        samples in proptest::collection::vec(samples(), 0..40),
        seal: bool,
    ) {
        let dir = TempDir::new().unwrap();
        let mut events: Vec<Event> =
            kinds.into_iter().map(|(at, kind)| Event { at_ns: Moment(at), kind }).collect();
        let cut = read_after(dir.path(), &events, &samples, seal);
        prop_assert!(cut.cut);
        events.push(ended());
        let mut writer = Writer::open(dir.path()).unwrap();
        writer.append(&ended()).unwrap();
        let record = read(dir.path()).unwrap();
        prop_assert_eq!(record.header, header());
        prop_assert_eq!(record.events, events);
        prop_assert_eq!(record.samples, samples);
        prop_assert_eq!(record.chain_head.as_str(), writer.head());
        prop_assert!(!record.cut);
    }
}

fn read_after(dir: &Path, events: &[Event], samples: &[Sample], seal: bool) -> Record {
    let head = write(dir, events, samples, seal);
    let record = read(dir).unwrap();
    assert_eq!(record.chain_head, head);
    record
}

#[test]
fn a_journal_cut_at_any_byte_gives_its_prefix() {
    let (events, samples) = small();
    let dir = TempDir::new().unwrap();
    write(dir.path(), &events, &samples, false);
    let bytes = fs::read(dir.path().join(JOURNAL_FILE)).unwrap();
    for len in 0..bytes.len() {
        fs::write(dir.path().join(JOURNAL_FILE), &bytes[..len]).unwrap();
        let whole = bytes[..len].iter().filter(|byte| **byte == b'\n').count();
        match read(dir.path()) {
            Ok(record) => {
                assert!(record.cut, "cut at {len} went unnoticed");
                assert_eq!(record.events, events[..whole - 1], "cut at {len}");
            }
            Err(JournalError::Empty { .. }) => assert_eq!(whole, 0, "cut at {len}"),
            Err(other) => panic!("cut at {len}: {other}"),
        }
    }
}

#[test]
fn samples_cut_at_any_byte_give_their_prefix_until_the_run_has_ended() {
    let (events, samples) = small();
    let dir = TempDir::new().unwrap();
    write(dir.path(), &events[..2], &samples, false);
    let path = dir.path().join(SAMPLES_FILE);
    let bytes = fs::read(&path).unwrap();
    let ends = block_ends(&bytes);
    assert!(ends.len() >= 2, "one block has no middle to be cut in: {ends:?}");
    for len in 0..bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        let record = read(dir.path()).unwrap();
        assert!(record.cut);
        let whole = ends.iter().filter(|(end, _)| *end <= len).map(|(_, count)| *count).max();
        assert_eq!(record.samples, samples[..whole.unwrap_or(0)], "cut at {len}");
    }
    Writer::open(dir.path()).unwrap().append(&ended()).unwrap();
    let error = read(dir.path()).unwrap_err();
    assert!(matches!(error, JournalError::Samples { record: 4, .. }), "{error}");
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let (events, samples) = small();
    let dir = TempDir::new().unwrap();
    write(dir.path(), &events, &samples, true);
    for file in [JOURNAL_FILE, SAMPLES_FILE] {
        let path = dir.path().join(file);
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            fs::write(&path, &flipped).unwrap();
            let found = read(dir.path()).map_or(true, |record| record.cut);
            assert!(found, "{file}: a flipped bit at byte {at} went unnoticed");
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert!(!read(dir.path()).unwrap().cut);
}

#[test]
fn a_removed_line_is_named() {
    let (events, samples) = small();
    let dir = TempDir::new().unwrap();
    write(dir.path(), &events, &samples, true);
    let path = dir.path().join(JOURNAL_FILE);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().enumerate().filter(|(n, _)| *n != 2).map(|(_, line)| line).collect();
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let error = read(dir.path()).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { line: 3, .. }), "{error}");
    assert!(error.to_string().contains("removed"), "{error}");
}

#[test]
fn a_removed_sample_is_found_against_the_seal() {
    let (events, samples) = small();
    let dir = TempDir::new().unwrap();
    write(dir.path(), &events, &samples, true);
    let path = dir.path().join(SAMPLES_FILE);
    let bytes = fs::read(&path).unwrap();
    let (end, _) = block_ends(&bytes)[0];
    fs::write(&path, &bytes[..end]).unwrap();
    let error = read(dir.path()).unwrap_err();
    assert!(error.to_string().contains("4 samples"), "{error}");
}

#[test]
fn a_torn_line_is_cut_off_before_going_on() {
    let (events, samples) = small();
    let dir = TempDir::new().unwrap();
    write(dir.path(), &events[..2], &samples, false);
    let path = dir.path().join(JOURNAL_FILE);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"prev\":\"12");
    fs::write(&path, &bytes).unwrap();
    Writer::open(dir.path()).unwrap().append(&ended()).unwrap();
    let record = read(dir.path()).unwrap();
    assert_eq!(record.events, events);
    assert!(!record.cut);
}

#[test]
fn a_run_has_one_writer() {
    let dir = TempDir::new().unwrap();
    let writer = Writer::create(dir.path(), &header()).unwrap();
    let error = Writer::open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("still alive"), "{error}");
    drop(writer);
    assert_eq!(Writer::create(dir.path(), &header()).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert!(Writer::open(dir.path()).is_ok());
}

#[test]
fn a_line_can_be_checked_with_sha256sum() {
    use sha2::{Digest, Sha256};
    let dir = TempDir::new().unwrap();
    let head = write(dir.path(), &[ended()], &[], false);
    let text = fs::read_to_string(dir.path().join(JOURNAL_FILE)).unwrap();
    let last = text.lines().last().unwrap();
    let covered = &last[..last.rfind(",\"sha256\":").unwrap()];
    assert_eq!(chain::hex(&Sha256::digest(covered)), head);
}
