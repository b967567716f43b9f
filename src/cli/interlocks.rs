//! What a drill must pass before it begins: confirmation, and the environment's interlocks.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::frozen::Opened;
use super::run::cannot_begin;
use super::surroundings::Surroundings;
use super::{Failure, Where};
use crate::aws::Aws;
use crate::interlock::approval::Person;
use crate::interlock::{self, Refusal, calendar};
use crate::plan::Plan;
use crate::run::guardrail::{self, Guardrail};
use crate::spec::Loaded;
use crate::spec::environment::{Confirmation, Environment, LAB};

/// What a person says to be let through.
#[derive(Args, Debug, Clone, Default)]
pub struct Say {
    /// Do not ask for confirmation. Not enough where the environment says `require_confirm: true`.
    #[arg(long)]
    yes: bool,
    /// Confirm by the environment's name.
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Run outside of the environment's windows, or in a freeze, where it says `override: allowed`. Journalled.
    #[arg(long, value_name = "REASON")]
    outside_window: Option<String>,
    /// Who runs this, where the plan needs approvals, and who answers for manual steps at this terminal; else this
    /// machine's user.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl Say {
    /// Who sits at this terminal.
    pub fn who(&self) -> Person {
        Person::here(self.by.as_deref())
    }
}

/// What a drill is let through with.
#[derive(Debug, Default)]
pub struct Passed {
    /// What is to be written down.
    pub notes: Vec<String>,
    /// Stops the run when its window closes.
    pub closing: Option<Guardrail>,
}

/// Outside the lab somebody types the environment's name, once for all files.
pub fn confirm(say: &Say, place: &Where, files: &[PathBuf]) -> Result<(), Failure> {
    if let Some(confirmed) = say.confirm.as_deref().filter(|name| place.environment.as_deref() != Some(name))
    {
        let meant = place.environment.as_deref().unwrap_or("none");
        return Err(Failure::usage(format!("`--confirm {confirmed}` is not the environment, `{meant}`"))
            .help("it must be the very name of the environment that is changed; nothing was changed"));
    }
    let Some(name) = place.environment.as_deref().filter(|name| *name != LAB) else { return Ok(()) };
    if say.confirm.is_some() {
        return Ok(());
    }
    let surroundings = Surroundings::prepare(place, 0)?;
    let required = surroundings.environment.interlocks.require_confirm;
    if !required && (say.yes || !surroundings.needs_confirmation()) {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        let help = match required {
            true => format!("say --confirm {name}: the environment says `require_confirm: true`"),
            false => "run it on a terminal and type the environment's name, or say --yes".to_owned(),
        };
        return Err(Failure::usage(format!(
            "running in `{name}` changes things there and needs confirmation"
        ))
        .help(help));
    }
    let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let wanted = match surroundings.environment.confirm {
        Confirmation::Yes if !required => "yes",
        Confirmation::Yes | Confirmation::Name | Confirmation::None => name,
    };
    super::say(&format!("This changes things in `{name}`: {}.\nType `{wanted}` to go on: ", list.join(", ")));
    let mut typed = String::new();
    match std::io::stdin().lock().read_line(&mut typed) {
        Ok(_) if typed.trim() == wanted => Ok(()),
        _ => Err(Failure::usage("not confirmed; nothing was changed")),
    }
}

/// A drill at the gate.
pub struct Gate<'a> {
    /// The experiment.
    pub loaded: &'a Loaded,
    /// Where it is to be run.
    pub surroundings: &'a Surroundings,
    /// Who looks.
    pub aws: Option<&'a Aws>,
    /// When.
    pub now: Timestamp,
}

impl Gate<'_> {
    /// Holds a plan against the interlocks, each of them, and lets it through. `opened` is the frozen plan that
    /// it was made from.
    ///
    /// # Errors
    /// Every interlock that holds it back.
    pub async fn pass(&self, plan: &Plan, say: &Say, opened: Option<&Opened>) -> Result<Passed, Failure> {
        let environment = &self.surroundings.environment;
        let rules = &environment.interlocks;
        let mut refusals = self.of_targets(plan).await?;
        let mut passed = Passed::default();
        match interlock::of_time(rules, self.now, say.outside_window.as_deref()) {
            Ok(open) => {
                passed.closing = open.closes.map(|closes| closing(environment, self.now, closes));
                passed.notes.extend(open.note);
            }
            Err(refusal) => refusals.push(refusal),
        }
        let frozen = opened.map(|opened| (opened.path.as_path(), opened.sha256.as_str()));
        let runner = say.who();
        match interlock::of_people(rules, frozen, &runner, self.now) {
            Ok(note) => passed.notes.extend(note),
            Err(refusal) => refusals.push(refusal),
        }
        if let (Some(opened), true) = (opened, refusals.is_empty()) {
            passed.notes.push(format!(
                "run as frozen in {}: SHA-256 {}",
                opened.path.display(),
                opened.sha256
            ));
        }
        self.verdict(&refusals).map(|()| passed)
    }

    /// Holds a plan against the interlocks that stand whenever it is run. What only time or people lack is given
    /// back, in sentences.
    ///
    /// # Errors
    /// Every interlock that holds it back.
    pub async fn rehearse(&self, plan: &Plan) -> Result<Vec<String>, Failure> {
        let refusals = self.of_targets(plan).await?;
        self.verdict(&refusals)?;
        let rules = &self.surroundings.environment.interlocks;
        let mut lacking = Vec::new();
        if let Err(refusal) = interlock::of_time(rules, self.now, None) {
            lacking.push(format!("it could not be run now: {refusal}; {}", refusal.help));
        }
        if let Some(rule) = &rules.approvals {
            lacking.push(format!(
                "it can only be run frozen, and approved by {} beside the one who runs ({})",
                rule.is, rule.place
            ));
        }
        Ok(lacking)
    }

    async fn of_targets(&self, plan: &Plan) -> Result<Vec<Refusal>, Failure> {
        interlock::of_targets(&self.surroundings.environment, plan, self.aws)
            .await
            .map_err(|fault| cannot_begin(self.loaded, &fault.to_string(), Some(&fault.help)))
    }

    fn verdict(&self, refusals: &[Refusal]) -> Result<(), Failure> {
        if refusals.is_empty() {
            return Ok(());
        }
        let why: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        let mut help: Vec<&str> = refusals.iter().map(|refusal| refusal.help.as_str()).collect();
        help.dedup();
        Err(cannot_begin(self.loaded, &why.join("\n"), Some(&help.join("\n  help: "))))
    }
}

/// Stops a run that began at `now` when its window closes.
fn closing(environment: &Environment, now: Timestamp, closes: Timestamp) -> Guardrail {
    let at = calendar::told(&environment.interlocks, closes);
    let left = closes.duration_since(now).try_into().unwrap_or_default();
    Guardrail {
        rule: format!("the window of `{}` closes at {at}", environment.name),
        // What was begun within the window may be put back after it.
        watch: guardrail::Watch::Elapsed { limit: left, undo_within: Some(std::time::Duration::ZERO) },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Moment;
    use crate::run::guardrail::{Rails, Stage};

    #[test]
    fn a_run_is_stopped_at_the_instant_at_which_its_window_closes() {
        let environment = Environment { name: "prod".to_owned(), ..Environment::none() };
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let guardrail = closing(&environment, at("2026-11-20T16:59:58Z"), at("2026-11-20T17:00:00Z"));
        assert_eq!(guardrail.rule, "the window of `prod` closes at Fri 2026-11-20 17:00 UTC");
        let mut rails = Rails::new(vec![guardrail]);
        let mut tripped = |millis| {
            let now = Moment::ZERO.plus(Duration::from_millis(millis));
            rails.tripped(now, &[], Stage::Under).is_some()
        };
        assert!(!tripped(1999));
        assert!(tripped(2000));
    }
}
