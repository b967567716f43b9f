//! Every sample as a row (RFC 4180, with a head). Times are seconds on the run's clock.

use std::io::{self, Write};

use super::{Export, Names, class_name, mark_name};
use crate::report::facts::clean;
use crate::sample::Sample;

/// The columns, in order. New ones are added at the end.
const HEAD: &str = "probe,seq,scheduled_s,sent_s,done_s,class,cause,code,mark,identity,dns_us,connect_us,tls_us,first_byte_us\n";

/// The samples as CSV.
pub(super) struct Csv<'a> {
    out: &'a mut dyn Write,
    probes: Vec<String>,
    identities: Vec<(u16, String)>,
}

impl<'a> Csv<'a> {
    /// Writes the head.
    pub(super) fn begin(names: &Names, out: &'a mut dyn Write) -> io::Result<Csv<'a>> {
        out.write_all(HEAD.as_bytes())?;
        Ok(Csv {
            out,
            probes: names.probes.iter().map(|name| quoted(name)).collect(),
            identities: names.identities.iter().map(|(number, who)| (*number, quoted(who))).collect(),
        })
    }
}

impl Export for Csv<'_> {
    fn sample(&mut self, sample: &Sample) -> io::Result<()> {
        let who = self.identities.binary_search_by_key(&sample.identity, |(number, _)| *number);
        let who = who.ok().and_then(|at| self.identities.get(at)).map_or("", |(_, who)| who.as_str());
        writeln!(
            self.out,
            "{},{},{:.6},{:.6},{:.6},{},{},{},{},{},{},{},{},{}",
            self.probes.get(usize::from(sample.probe)).map_or("", String::as_str),
            sample.seq,
            sample.scheduled.secs(),
            sample.sent.secs(),
            sample.done.secs(),
            class_name(sample.class),
            sample.cause,
            sample.code,
            mark_name(sample.mark),
            who,
            sample.phases.dns,
            sample.phases.connect,
            sample.phases.tls,
            sample.phases.first_byte,
        )
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Text for a cell. A spreadsheet takes what begins with one of these for a formula, and an apostrophe for
/// "this is text".
fn quoted(text: &str) -> String {
    let text = clean(text);
    let formula = text.trim_start().starts_with(['=', '+', '-', '@']);
    let text = if formula { format!("'{text}") } else { text };
    let plain =
        text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | '/' | ':'));
    if plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}
