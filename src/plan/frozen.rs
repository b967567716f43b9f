//! A plan that is kept: what was planned, so that exactly that is run, or nothing.
//!
//! It holds no secret: a value that is one is kept as a salted hash, by which a change of it is found.

mod differences;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sealed::{self, Broken};
use super::{Doing, Plan};
use crate::aws::find::Resource;
use crate::run::event::{EnvironmentFacts, PlannedStep};
use crate::spec::Loaded;

pub use differences::{of_circumstances, of_steps};

/// The format of a plan file.
pub const SCHEMA: &str = "firedrill/plan/v1";

/// A plan as it is kept in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// The version of firedrill that made it.
    pub firedrill: String,
    /// When, by the wall clock.
    pub made_at: Timestamp,
    /// By whom, for people.
    pub made_by: String,
    /// The experiment.
    pub experiment: FrozenExperiment,
    /// Where it is to be run.
    pub environment: FrozenEnvironment,
    /// What the victims are drawn with.
    pub seed: u64,
    /// What the hashes of the secrets begin with.
    pub salt: String,
    /// The values of the variables.
    pub values: BTreeMap<String, FrozenValue>,
    /// A salted hash over every secret of the drill, those that are no variable's among them.
    pub secrets: String,
    /// Whom the steps act on.
    pub targets: Vec<FrozenTarget>,
    /// The steps, each with its undo.
    pub steps: Vec<PlannedStep>,
}

/// The experiment's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenExperiment {
    /// `name:`
    pub name: String,
    /// The file's path as given.
    pub path: String,
    /// SHA-256 of the file's text, in hexadecimal.
    pub sha256: String,
    /// The text, secrets hidden.
    pub text: String,
    /// SHA-256 of the text of each runbook whose steps are among its own, by what their names begin with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runbooks: BTreeMap<String, String>,
}

/// The environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenEnvironment {
    /// Its name; empty for none.
    pub name: String,
    /// The AWS account's id, once proven.
    pub account: Option<String>,
    /// The AWS region.
    pub region: Option<String>,
    /// A non-standard endpoint.
    pub endpoint_url: Option<String>,
    /// The role that is assumed.
    pub role: Option<String>,
}

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenValue {
    /// As it may be shown.
    pub shown: String,
    /// The salted hash of what it is, when it holds a secret.
    pub hash: Option<String>,
    /// Whether it was given on the command line, so that a run takes it from here.
    pub given: bool,
}

/// Whom a step acts on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenTarget {
    /// The step.
    pub step: String,
    /// The target's name in the experiment.
    pub target: String,
    /// The selector, in words.
    pub asked: String,
    /// The ECS cluster or the hosted zone.
    pub scope: Option<String>,
    /// How many could have been chosen.
    pub candidates: usize,
    /// The chosen.
    pub resources: Vec<Resource>,
}

/// What a plan is frozen from.
pub struct Basis<'a> {
    /// The experiment.
    pub loaded: &'a Loaded,
    /// Where it is to be run, as found.
    pub environment: EnvironmentFacts,
    /// The role that is assumed there.
    pub role: Option<String>,
    /// Of the embedded lab, what its addresses begin with: they are others each time it starts.
    pub lab_subnet: Option<String>,
    /// Draws the victims.
    pub seed: u64,
    /// What the hashes of the secrets begin with.
    pub salt: String,
    /// Which variables were given on the command line.
    pub given: Vec<String>,
    /// By whom, and when.
    pub made: (String, Timestamp),
}

impl Frozen {
    /// Freezes a plan; without one, what is known before it is made.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn of(basis: Basis<'_>, plan: Option<&Plan>) -> io::Result<Frozen> {
        let Basis { loaded, environment, role, lab_subnet, seed, salt, given, made } = basis;
        let facts = loaded.facts();
        let hashes = loaded.secret_values.hashes(&salt);
        let values = environment.values.into_iter().map(|(name, shown)| {
            let value = FrozenValue { shown, hash: hashes.get(&name).cloned(), given: given.contains(&name) };
            (name, value)
        });
        let frozen = Frozen {
            firedrill: env!("CARGO_PKG_VERSION").to_owned(),
            made_at: made.1,
            made_by: made.0,
            experiment: FrozenExperiment {
                name: facts.name,
                path: facts.path,
                sha256: facts.sha256,
                text: facts.text,
                runbooks: facts.runbooks.into_iter().map(|runbook| (runbook.name, runbook.sha256)).collect(),
            },
            environment: FrozenEnvironment {
                name: environment.name,
                account: environment.account,
                region: environment.region,
                endpoint_url: environment.endpoint_url,
                role,
            },
            seed,
            values: values.collect(),
            secrets: loaded.redactor.hash(&salt),
            salt,
            targets: plan.map(targets).unwrap_or_default(),
            steps: plan.map(|plan| plan.facts.clone()).unwrap_or_default(),
        };
        frozen.cleaned(&|text| {
            let text = loaded.redactor.clean(text);
            match &lab_subnet {
                Some(subnet) => text.replace(subnet.as_str(), "127.lab."),
                None => text,
            }
        })
    }

    /// Reads a plan file. Gives the plan and its SHA-256.
    ///
    /// # Errors
    /// What is wrong with the file, an edit above all.
    pub fn read(path: &Path) -> Result<(Frozen, String), Broken> {
        sealed::read(path, SCHEMA, "plan")
    }

    /// The text of a plan file.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn sealed(&self) -> io::Result<String> {
        sealed::seal(SCHEMA, "plan", self)
    }

    /// The same, with every text that comes from outside passed through `clean`.
    fn cleaned(mut self, clean: &dyn Fn(&str) -> String) -> io::Result<Frozen> {
        for value in self.values.values_mut() {
            value.shown = clean(&value.shown);
        }
        self.environment.endpoint_url = self.environment.endpoint_url.as_deref().map(clean);
        let parts = (self.targets, self.steps);
        let mut parts = serde_json::to_value(parts)?;
        each_text(&mut parts, clean);
        (self.targets, self.steps) = serde_json::from_value(parts)?;
        Ok(self)
    }
}

fn targets(plan: &Plan) -> Vec<FrozenTarget> {
    let acted = plan.steps.iter().filter_map(|step| match &step.doing {
        Doing::Action(planned) => Some((step, planned)),
        _ => None,
    });
    acted
        .map(|(step, planned)| FrozenTarget {
            step: step.name.clone(),
            target: planned.action.target().value.clone(),
            asked: planned.found.target.describe(),
            scope: planned.found.scope.clone(),
            candidates: planned.found.candidates,
            resources: planned.found.resources.clone(),
        })
        .collect()
}

fn each_text(value: &mut Value, clean: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = clean(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, clean)),
        Value::Object(entries) => entries.values_mut().for_each(|entry| each_text(entry, clean)),
        _ => {}
    }
}
