use super::*;
use crate::journal::fixture::{event, header, sample};
use crate::sample::Phases;

/// Two probes over three seconds, the phase changing in the middle of the second one.
fn record() -> Record {
    let mut header = header();
    header.probes[0].name = "store, front".into();
    let mut samples = Vec::new();
    for seq in 0..30 {
        let at = f64::from(seq) * 0.1;
        let class = if (12..15).contains(&seq) { Class::Timeout } else { Class::Ok };
        let mut one = sample(0, seq, at, at + 0.005 + f64::from(seq) * 1e-4, class);
        (one.identity, one.phases) = (1, Phases { dns: 7, connect: 11, tls: 0, first_byte: 13 });
        samples.push(one);
        samples.push(sample(1, seq, at, at + 0.002, Class::Ok));
    }
    let mut edge = sample(0, 14, 1.45, 1.46, Class::Ok);
    edge.mark = Mark::Edge;
    samples.push(edge);
    let events = vec![
        event(0.0, EventKind::PhaseEntered { phase: Phase::SteadyState }),
        event(0.1, EventKind::IdentityMet { identity: 1, who: "10.0.0.7:80 \"a\"".into() }),
        event(1.55, EventKind::PhaseEntered { phase: Phase::Steps }),
    ];
    Record { header, events, samples, chain_head: String::new(), cut: false }
}

fn text(format: Format) -> String {
    let mut out = Vec::new();
    all(format, &record(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_row_says_all_that_a_sample_holds() {
    let csv = text(Format::Csv);
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 62);
    assert_eq!(
        rows[1],
        "\"store, front\",0,0.000000,0.000000,0.005000,ok,none,0,base,\"10.0.0.7:80 \"\"a\"\"\",7,11,0,13"
    );
    assert_eq!(rows[2], "orders,0,0.000000,0.000000,0.002000,ok,none,0,base,,0,0,0,0");
    assert!(rows[61].ends_with("ok,none,0,edge,,0,0,0,0"), "{}", rows[61]);
}

#[test]
fn a_line_is_an_object_without_what_there_was_not() {
    let jsonl = text(Format::Jsonl);
    let lines: Vec<serde_json::Value> =
        jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 61);
    assert_eq!(lines[0]["identity"], "10.0.0.7:80 \"a\"");
    assert_eq!((lines[0]["dns_us"].as_u64(), lines[0].get("tls_us")), (Some(7), None));
    assert_eq!((&lines[24]["class"], &lines[24]["cause"]), (&"timeout".into(), &"timeout".into()));
    assert_eq!((&lines[31]["phase"], &lines[32]["phase"]), (&"steady_state".into(), &"steps".into()));
}

#[test]
fn the_interval_log_has_a_line_per_second_probe_and_phase() {
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    let log = text(Format::Hlog);
    assert!(log.contains("#[StartTime: 1795256100.123 (seconds since epoch)]"), "{log}");
    let mut tags = Vec::new();
    for entry in IntervalLogIterator::new(log.replace("\"StartTimestamp\"", "#").as_bytes()) {
        if let LogEntry::Interval(line) = entry.unwrap() {
            let tag = line.tag().unwrap().as_str().to_owned();
            tags.push((line.start_timestamp().as_secs(), tag, line.duration().as_secs()));
        }
    }
    let expected = [
        (0, "store__front.steady_state", 1),
        (0, "orders.steady_state", 1),
        (1, "store__front.steady_state", 1),
        (1, "store__front.steps", 1),
        (1, "orders.steady_state", 1),
        (1, "orders.steps", 1),
        (2, "store__front.steps", 1),
        (2, "orders.steps", 1),
    ];
    let expected: Vec<_> = expected.map(|(at, tag, long)| (at, tag.to_owned(), long)).into();
    assert_eq!(tags, expected);
}
