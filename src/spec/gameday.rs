//! Game days: drills and waits in order, when they take place, who takes part, who says go, who is told what.
//!
//! A game day is read, checked with all the files that it names, and its schedule computed; it knows nothing of running
//! one. It has no variables: what a drill is given stands in its entry, or in its environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;

use super::source::{self, Source};
use super::values::{Piece, pieces};
use super::{Diagnostics, environment, lint as of_files};
use crate::notation::code::Code;
use crate::notation::decode::{Flaw, Problem, Resolve, Spanned, clip};
use crate::notation::yaml::Node;
use crate::program::quote;
use crate::run::event::FileKind;

mod agenda;
mod draft;
mod files;
mod length;
mod lint;
pub mod on;
pub mod people;
pub mod schedule;
pub(super) mod shape;

pub use people::{GoNoGo, Message, Moment, Participant};
pub use schedule::{Period, Schedule};

use draft::Draft;

/// The word after `kind:`.
pub const KIND: &str = "GameDay";

/// A day on which drills are held.
#[derive(Clone, Debug, PartialEq)]
pub struct GameDay {
    /// Names it in histories and calendars.
    pub name: Spanned<String>,
    /// One line for people.
    pub title: Option<String>,
    /// Who owns it.
    pub owner: Option<String>,
    /// The controls it is evidence for.
    pub controls: Vec<String>,
    /// When it takes place; without one, when somebody starts it.
    pub schedule: Option<Schedule>,
    /// Who takes part. Not empty.
    pub participants: Vec<Participant>,
    /// What is asked before the first drill.
    pub go_no_go: Option<GoNoGo>,
    /// What is done, in order. At least one of it is a drill.
    pub agenda: Vec<Item>,
    /// Who is told what, when, over which channel.
    pub communication: Vec<Message>,
}

/// A part of the agenda.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A drill is held.
    Drill(Box<Drill>),
    /// A time passes, for people and systems to settle.
    Wait {
        /// How long.
        time: Duration,
        /// What it is about.
        about: Option<String>,
    },
}

/// A drill of a game day.
#[derive(Clone, Debug, PartialEq)]
pub struct Drill {
    /// Whether it is an experiment or a runbook.
    pub kind: FileKind,
    /// The name that stands in its file.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Where it is held; an experiment that names nothing of AWS needs no environment.
    pub environment: Option<String>,
    /// Values of its variables, over those of the environment; they may hold `${env:…}` and `${file:…}`, the latter with
    /// paths that are absolute.
    pub with: IndexMap<String, String>,
    /// Whether it is read aloud, and nothing is called.
    pub tabletop: bool,
    /// Whether everything is done but what changes anything.
    pub dry_run: bool,
    /// What it is about.
    pub about: Option<String>,
}

impl Drill {
    /// The command that holds this drill by itself.
    pub fn command(&self) -> String {
        let mut words = vec!["firedrill".to_owned(), "run".to_owned(), self.path.display().to_string()];
        if let Some(environment) = self.environment.as_ref().filter(|_| !self.tabletop) {
            words.extend(["--env".to_owned(), environment.clone()]);
        }
        words.extend(
            self.with.iter().flat_map(|(name, value)| ["--var".to_owned(), format!("{name}={value}")]),
        );
        words.extend(self.tabletop.then(|| "--tabletop".to_owned()));
        words.extend(self.dry_run.then(|| "--dry-run".to_owned()));
        words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
    }
}

impl GameDay {
    /// Its drills, in order.
    pub fn drills(&self) -> impl Iterator<Item = &Drill> {
        self.agenda.iter().filter_map(|item| match item {
            Item::Drill(drill) => Some(drill.as_ref()),
            Item::Wait { .. } => None,
        })
    }
}

/// A game day that is ready to be held.
#[derive(Clone, Debug)]
pub struct LoadedDay {
    /// The game day.
    pub day: GameDay,
    /// The file it was read from.
    pub source: Source,
    /// What is worth a look, none of it an error.
    pub warnings: Vec<Problem>,
}

/// Reads the game day at `path`, and the files of its drills.
///
/// # Errors
/// Every problem of the file.
pub fn load(path: &Path) -> Result<LoadedDay, Diagnostics> {
    let (source, root, problems) = source::read(path)?;
    let (day, problems) = examine(path, &root, problems);
    match day.filter(|_| problems.iter().all(|problem| problem.warning)) {
        Some(day) => Ok(LoadedDay { day, source, warnings: problems }),
        None => Err(Diagnostics { path: source.path, text: source.text, problems }),
    }
}

/// Reads a game day and the files of its drills, then asks the rules.
pub(super) fn examine(
    path: &Path,
    root: &Node,
    mut problems: Vec<Problem>,
) -> (Option<GameDay>, Vec<Problem>) {
    let Some(mut draft) = Draft::read(root, &mut problems) else { return (None, problems) };
    for entry in draft.drills.iter_mut().flat_map(|drills| &mut drills.value) {
        if let agenda::Is::Drill(drill) = &mut entry.is {
            files::read(path, drill, &mut problems);
        }
    }
    problems.extend(of_files::passwords(root));
    lint::draft(path, &draft, &mut problems);
    let day = draft.finish().map(|day| anchored(day, path));
    (day, problems)
}

/// The game day with the paths in its values made absolute, since it is files elsewhere that will use them.
fn anchored(mut day: GameDay, path: &Path) -> GameDay {
    let base = path.parent().unwrap_or(Path::new("."));
    for item in &mut day.agenda {
        if let Item::Drill(drill) = item {
            drill.with.values_mut().for_each(|value| *value = environment::anchored(value, base));
        }
    }
    day
}

/// Why a game day's file is not run, planned or given a policy: what is wrong with it, else that this comes later, and
/// how its drills are held until then.
pub(super) fn not_run(source: Source, root: &Node, problems: Vec<Problem>) -> Diagnostics {
    let path = PathBuf::from(&source.path);
    let (day, mut problems) = examine(&path, root, problems);
    if let Some(day) = day.filter(|_| problems.iter().all(|problem| problem.warning)) {
        let span = super::kind_span(root);
        let commands: Vec<String> = day.drills().map(Drill::command).collect();
        problems = vec![
            Problem::new(
                Code::NotYet,
                span,
                format!(
                    "`{}` is a game day: holding one as a whole is not supported by this version",
                    day.name
                ),
            )
            .label("checked, with all its drills, and not held as a whole yet")
            .help(format!("hold its drills one after the other:\n{}", commands.join("\n"))),
        ];
    }
    Diagnostics { path: source.path, text: source.text, problems }
}

/// A game day has no variables: a reference stands for nothing.
struct NoVariables;

impl Resolve for NoVariables {
    fn resolve(&self, text: &str) -> Result<Option<String>, Flaw> {
        let mut out = String::new();
        for piece in pieces(text)? {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Reference(reference) => return Err(flaw(reference)),
            }
        }
        Ok(Some(out))
    }
}

/// What is wrong with a reference in a game day.
fn flaw(reference: &str) -> Flaw {
    let message = format!("`${{{}}}`: a game day has no variables", clip(reference));
    Flaw::new(Code::UnknownVariable, message)
        .help("write what it stands for; the values under `with:` may be ${env:NAME} or ${file:path}")
}

#[cfg(test)]
mod tests;
