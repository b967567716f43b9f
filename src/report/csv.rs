//! Every sample as a row, for those who would rather compute than read.
//!
//! Times are seconds on the run's clock. One row per sample, in the order in which they were decided.

use std::fmt::Write;

use crate::journal::Record;
use crate::sample::Class;

/// The columns, in order.
const HEAD: &str = "probe,seq,scheduled_s,sent_s,done_s,class,cause,code\n";

/// The samples as CSV (RFC 4180, with a head).
pub fn render(record: &Record) -> String {
    let names: Vec<String> = record.header.probes.iter().map(|probe| quoted(&probe.name)).collect();
    let mut out = String::with_capacity(HEAD.len() + record.samples.len() * 64);
    out.push_str(HEAD);
    for sample in &record.samples {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{},{},{:.6},{:.6},{:.6},{},{},{}",
            names.get(usize::from(sample.probe)).map_or("", String::as_str),
            sample.seq,
            sample.scheduled.secs(),
            sample.sent.secs(),
            sample.done.secs(),
            class(sample.class),
            sample.cause,
            sample.code
        );
    }
    out
}

/// As in `report.json` and the journal.
fn class(class: Class) -> &'static str {
    match class {
        Class::Ok => "ok",
        Class::Slow => "slow",
        Class::FailFast => "fail_fast",
        Class::Timeout => "timeout",
        Class::Wrong => "wrong",
        Class::Info => "info",
        Class::Shed => "shed",
        Class::Void => "void",
    }
}

fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' '));
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}
