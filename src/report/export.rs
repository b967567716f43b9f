//! The samples themselves, for those who would rather compute than read: one after the other, in the
//! order in which they were decided, and never all of them in memory.

mod csv;
mod hlog;
mod jsonl;

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::clock::Moment;
use crate::journal::Record;
use crate::report::Format;
use crate::run::event::{Event, EventKind, Header, Phase};
use crate::sample::{Class, Mark, Sample};

/// An export under way.
pub trait Export {
    /// Writes what is due with this sample.
    ///
    /// # Errors
    /// It could not be written.
    fn sample(&mut self, sample: &Sample) -> io::Result<()>;

    /// Writes what is left.
    ///
    /// # Errors
    /// It could not be written.
    fn end(&mut self) -> io::Result<()>;
}

/// Begins an export to `out`; `None` for a format that is not made of samples.
///
/// # Errors
/// Its head could not be written.
pub fn begin<'a>(
    format: Format,
    header: &Header,
    events: &[Event],
    out: &'a mut dyn Write,
) -> io::Result<Option<Box<dyn Export + 'a>>> {
    let names = Names::of(header, events);
    Ok(match format {
        Format::Csv => Some(Box::new(csv::Csv::begin(&names, out)?)),
        Format::Jsonl => Some(Box::new(jsonl::Jsonl::begin(names, out))),
        Format::Hlog => Some(Box::new(hlog::Hlog::begin(header, names, out)?)),
        _ => None,
    })
}

/// A whole record as an export.
///
/// # Errors
/// It could not be written, or the format is none of samples.
pub fn all(format: Format, record: &Record, out: &mut dyn Write) -> io::Result<()> {
    let Some(mut export) = begin(format, &record.header, &record.events, out)? else {
        return Err(io::Error::other("this format is not made of samples"));
    };
    for sample in &record.samples {
        export.sample(sample)?;
    }
    export.end()
}

/// What samples refer to by number.
struct Names {
    /// The lanes, by index.
    probes: Vec<String>,
    /// Who answered, by number.
    identities: BTreeMap<u16, String>,
    /// When the run went into each of its phases.
    phases: Vec<(Moment, Phase)>,
}

impl Names {
    fn of(header: &Header, events: &[Event]) -> Names {
        let mut names = Names {
            probes: header.probes.iter().map(|probe| probe.name.clone()).collect(),
            identities: BTreeMap::new(),
            phases: Vec::new(),
        };
        for event in events {
            match &event.kind {
                EventKind::IdentityMet { identity, who } => {
                    names.identities.insert(*identity, who.clone());
                }
                EventKind::PhaseEntered { phase } => names.phases.push((event.at_ns, *phase)),
                _ => {}
            }
        }
        names
    }

    fn probe(&self, sample: &Sample) -> &str {
        self.probes.get(usize::from(sample.probe)).map_or("", String::as_str)
    }

    fn identity(&self, sample: &Sample) -> Option<&str> {
        self.identities.get(&sample.identity).map(String::as_str)
    }

    /// The phase of the run in which a sample was due.
    fn phase(&self, sample: &Sample) -> Phase {
        let entered = self.phases.partition_point(|(at, _)| *at <= sample.scheduled);
        let phase = entered.checked_sub(1).and_then(|at| self.phases.get(at));
        phase.map_or(Phase::SteadyState, |(_, phase)| *phase)
    }
}

/// As in `report.json` and the journal.
fn class_name(class: Class) -> &'static str {
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

fn mark_name(mark: Mark) -> &'static str {
    match mark {
        Mark::Base => "base",
        Mark::Edge => "edge",
        Mark::Late => "late",
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::SteadyState => "steady_state",
        Phase::Steps => "steps",
        Phase::Recovery => "recovery",
        Phase::Observation => "observation",
        Phase::FinalRead => "final_read",
        Phase::Undo => "undo",
    }
}

#[cfg(test)]
#[path = "export/tests.rs"]
mod tests;
