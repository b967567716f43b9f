//! `firedrill schema`: JSON Schema of a kind of file, for editors.

use std::io::{self, Write};

use clap::{Args, ValueEnum};

use crate::spec::schema::{self, Kind};

/// Arguments of `schema`.
#[derive(Args, Debug)]
pub struct SchemaArgs {
    /// The kind of file.
    #[arg(value_enum, default_value_t = Of::Experiment)]
    kind: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Of {
    /// A drill.
    Experiment,
    /// A procedure that people follow.
    Runbook,
    /// Drills in order, with their schedule and their people.
    Gameday,
    /// firedrill.yaml.
    Project,
}

/// Carries `schema` out.
///
/// # Errors
/// The output cannot be written.
pub fn schema(args: &SchemaArgs, out: &mut dyn Write) -> io::Result<u8> {
    let kind = match args.kind {
        Of::Experiment => Kind::Experiment,
        Of::Runbook => Kind::Runbook,
        Of::Gameday => Kind::GameDay,
        Of::Project => Kind::Project,
    };
    serde_json::to_writer_pretty(&mut *out, &schema::of(kind))?;
    writeln!(out)?;
    Ok(0)
}
