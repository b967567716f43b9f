//! Frozen plans on the command line: written by `plan -o`, run by `run plan.json`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::surroundings::Surroundings;
use super::{Failure, Where};
use crate::interlock::approval::Person;
use crate::plan::frozen::{Basis, Frozen, of_circumstances, of_steps};
use crate::plan::{Plan, PlanError};
use crate::run::event::EnvironmentFacts;
use crate::spec::Loaded;
use jiff::Timestamp;

/// A frozen plan as it was read.
#[derive(Debug)]
pub struct Opened {
    /// Its file.
    pub path: PathBuf,
    /// The SHA-256 of its content.
    pub sha256: String,
    /// What it says.
    pub plan: Frozen,
}

/// What a plan is frozen from, besides the plan.
pub struct Made<'a> {
    /// The experiment.
    pub loaded: &'a Loaded,
    /// Where it is to be run.
    pub surroundings: &'a Surroundings,
    /// The same, as found.
    pub environment: EnvironmentFacts,
    /// What the victims are drawn with.
    pub seed: u64,
    /// Now.
    pub now: Timestamp,
}

impl Made<'_> {
    /// Freezes the plan, hiding secrets behind this salt.
    fn freeze(&self, salt: String, plan: Option<&Plan>) -> Result<Frozen, Failure> {
        let surroundings = self.surroundings;
        let person = Person::here(None);
        let basis = Basis {
            loaded: self.loaded,
            environment: self.environment.clone(),
            role: surroundings.environment.role.clone(),
            lab_subnet: surroundings.lab_subnet(),
            seed: self.seed,
            salt,
            given: surroundings.given_names(),
            made: (format!("{}@{}", person.user, person.host), self.now),
        };
        Frozen::of(basis, plan)
            .map_err(|error| Failure::not_started(format!("the plan cannot be frozen: {error}")))
    }

    /// Writes the plan to a file of its own.
    pub fn write(&self, path: &Path, plan: &Plan) -> Result<(), Failure> {
        let salt = format!("{:032x}", rand::random::<u128>());
        let written = self.freeze(salt, Some(plan))?.sealed();
        let written = written.and_then(|text| std::fs::write(path, text));
        written
            .map_err(|error| Failure::not_started(format!("{} cannot be written: {error}", path.display())))
    }

    /// Holds the plan made anew, or why there is none, against the frozen one.
    ///
    /// # Errors
    /// Every difference, in words.
    pub fn same_as(&self, opened: &Opened, plan: Result<&Plan, &PlanError>) -> Result<(), Failure> {
        let now = self.freeze(opened.plan.salt.clone(), plan.ok())?;
        let mut differences = of_circumstances(&opened.plan, &now);
        match plan {
            Ok(_) => differences.extend(of_steps(&opened.plan, &now)),
            Err(error) => differences.push(format!("it cannot be planned any more: {error}")),
        }
        if differences.is_empty() { Ok(()) } else { Err(opened.outdated(&differences)) }
    }
}

impl Opened {
    /// Reads a frozen plan.
    ///
    /// # Errors
    /// What is wrong with the file: exit 2.
    pub fn read(path: &Path) -> Result<Opened, Failure> {
        let (plan, sha256) = Frozen::read(path).map_err(|broken| {
            Failure::usage(format!("{} is no plan that can be run: {broken}", path.display()))
                .help("a plan is written by `firedrill plan FILE --env ENV -o plan.json`, and never edited")
        })?;
        Ok(Opened { path: path.to_owned(), sha256, plan })
    }

    /// The frozen plan among the files of a command line: it is run alone, with what it was planned with.
    ///
    /// # Errors
    /// It is wrong, one of several files, or the command line asks for something else.
    pub fn among(paths: &[PathBuf], place: &mut Where) -> Result<Option<Opened>, Failure> {
        let Some(path) = paths.iter().find(|path| path.extension().is_some_and(|ext| ext == "json")) else {
            return Ok(None);
        };
        if paths.len() > 1 {
            return Err(Failure::usage(format!(
                "{} is a frozen plan, and not the only file",
                path.display()
            ))
            .help("run it alone: firedrill run plan.json"));
        }
        let opened = Opened::read(path)?;
        let frozen = &opened.plan;
        let name = Some(frozen.environment.name.clone()).filter(|name| name != "none");
        if place.environment.is_some() && place.environment != name {
            let (asked, name) = (place.environment.clone().unwrap_or_default(), &frozen.environment.name);
            return Err(Failure::usage(format!(
                "{} was planned for `{name}`, not for `{asked}`",
                path.display()
            ))
            .help("leave `--env` out, or plan for that environment"));
        }
        if place.seed.is_some_and(|seed| seed != frozen.seed) {
            return Err(Failure::usage(format!("{} was planned with seed {}", path.display(), frozen.seed))
                .help("leave `--seed` out: a frozen plan has its victims"));
        }
        place.environment = name;
        place.seed = Some(frozen.seed);
        for (name, value) in frozen.values.iter().filter(|(_, value)| value.given && value.hash.is_none()) {
            let given = place.variables.iter().any(|given| given.split('=').next() == Some(name.as_str()));
            if !given {
                place.variables.push(format!("{name}={}", value.shown));
            }
        }
        Ok(Some(opened))
    }

    /// The experiment that it was made from.
    pub fn experiment(&self) -> PathBuf {
        PathBuf::from(&self.plan.experiment.path)
    }

    /// It does not hold any more: exit 3.
    pub fn outdated(&self, differences: &[String]) -> Failure {
        let list: String = differences.iter().map(|difference| format!("\n  {difference}")).collect();
        Failure::not_started(format!(
            "{} does not hold any more; nothing was changed{list}",
            self.path.display()
        ))
        .help("look at each difference, then plan, and have it approved, again")
    }

    /// What it would do, for people.
    pub fn summary(&self) -> String {
        let plan = &self.plan;
        let mut out = String::new();
        let place = [&plan.environment.account, &plan.environment.region];
        let place: Vec<&str> = place.into_iter().flatten().map(String::as_str).collect();
        let place = if place.is_empty() { String::new() } else { format!(" ({})", place.join(", ")) };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{} in {}{place}", plan.experiment.name, plan.environment.name);
        let _ = writeln!(out, "  planned   {} by {}, seed {}", plan.made_at, plan.made_by, plan.seed);
        let _ = writeln!(out, "  SHA-256   {}", self.sha256);
        for (number, step) in plan.steps.iter().enumerate() {
            let undo = match (&step.undo, step.irreversible, step.mutates) {
                (Some(undo), _, _) => format!("; undo: {undo}"),
                (None, true, _) => "; IRREVERSIBLE".to_owned(),
                (None, false, true) => "; nothing to undo".to_owned(),
                (None, false, false) => String::new(),
            };
            let _ = writeln!(out, "  {}. {}: {}{undo}", number + 1, step.name, step.summary);
        }
        out
    }
}
