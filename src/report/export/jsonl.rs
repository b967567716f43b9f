//! Every sample as a JSON object on a line of its own. Times are seconds on the run's clock; what a sample
//! does not have is left out.

use std::io::{self, Write};

use serde::Serialize;

use super::{Export, Names, class_name, mark_name, phase_name};
use crate::sample::{Cause, Sample};

/// The samples as JSON Lines.
pub(super) struct Jsonl<'a> {
    out: &'a mut dyn Write,
    names: Names,
}

impl<'a> Jsonl<'a> {
    pub(super) fn begin(names: Names, out: &'a mut dyn Write) -> Jsonl<'a> {
        Jsonl { out, names }
    }
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    probe: &'a str,
    seq: u32,
    phase: &'static str,
    mark: &'static str,
    scheduled_s: f64,
    sent_s: f64,
    done_s: f64,
    class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "none")]
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a str>,
    #[serde(skip_serializing_if = "nothing")]
    dns_us: u32,
    #[serde(skip_serializing_if = "nothing")]
    connect_us: u32,
    #[serde(skip_serializing_if = "nothing")]
    tls_us: u32,
    #[serde(skip_serializing_if = "nothing")]
    first_byte_us: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn none(code: &u16) -> bool {
    *code == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn nothing(micros: &u32) -> bool {
    *micros == 0
}

impl Export for Jsonl<'_> {
    fn sample(&mut self, sample: &Sample) -> io::Result<()> {
        let line = Line {
            probe: self.names.probe(sample),
            seq: sample.seq,
            phase: phase_name(self.names.phase(sample)),
            mark: mark_name(sample.mark),
            scheduled_s: sample.scheduled.secs(),
            sent_s: sample.sent.secs(),
            done_s: sample.done.secs(),
            class: class_name(sample.class),
            cause: (sample.cause != Cause::None).then(|| sample.cause.name()),
            code: sample.code,
            identity: self.names.identity(sample),
            dns_us: sample.phases.dns,
            connect_us: sample.phases.connect,
            tls_us: sample.phases.tls,
            first_byte_us: sample.phases.first_byte,
        };
        serde_json::to_writer(&mut *self.out, &line)?;
        self.out.write_all(b"\n")
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
