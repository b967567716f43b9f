//! Where a drill runs, made ready: a named environment, the embedded lab, or none at all.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{Failure, LabTiming, Where};
use crate::aws;
use crate::lab::{self, Lab};
use crate::probe::resolve::Resolver;
use crate::spec::environment::{Confirmation, Environment, Project};
use crate::spec::{self, Given, Loaded};

/// The name of the built-in environment.
pub const LAB: &str = "lab";

/// An environment and, if it is the lab, the lab itself.
pub struct Surroundings {
    /// The environment.
    pub environment: Environment,
    /// The embedded region; it lives as long as this does.
    pub lab: Option<Lab>,
    /// Values from the command line, which win.
    given: IndexMap<String, String>,
}

impl Surroundings {
    /// Finds the environment, or starts the lab.
    pub fn prepare(place: &Where, seed: u64) -> Result<Surroundings, Failure> {
        let given = parse_variables(&place.variables)?;
        let (environment, lab) = match place.environment.as_deref() {
            None => (Environment::none(), None),
            Some(LAB) => {
                let lab = start_lab(place.lab_timing, seed)?;
                (lab_environment(&lab), Some(lab))
            }
            Some(name) => {
                let project = Project::load(&place.project)
                    .map_err(|diagnostics| Failure::diagnostics(diagnostics.render(false)))?;
                let environment = project.environment(name).map_err(Failure::usage)?;
                (environment, None)
            }
        };
        Ok(Surroundings { environment, lab, given })
    }

    /// Reads an experiment with this environment's values.
    pub fn load(&self, path: &std::path::Path, colour: bool) -> Result<Loaded, Failure> {
        let mut values = self.environment.values.clone();
        values.extend(self.given.iter().map(|(name, value)| (name.clone(), value.clone())));
        let secrets = self.lab.iter().flat_map(Lab::secrets).map(str::to_owned).collect();
        let given = Given { values, complete: true, secrets };
        spec::load(path, &given).map_err(|diagnostics| Failure::diagnostics(diagnostics.render(colour)))
    }

    /// What the AWS clients are to be built from.
    pub fn aws_settings(&self, dry_run: bool) -> aws::Settings {
        let environment = &self.environment;
        aws::Settings {
            region: environment.region.clone(),
            profile: environment.profile.clone(),
            role: environment.role.clone(),
            endpoint_url: environment.endpoint_url.clone(),
            accounts: environment.accounts.clone(),
            credentials: self.lab.as_ref().map(|_| ("test".to_owned(), "test".to_owned())),
            dry_run,
        }
    }

    /// How the probes look names up.
    pub fn resolver(&self) -> Arc<Resolver> {
        Arc::new(match self.environment.resolver {
            Some(server) => Resolver::Server(server),
            None => Resolver::System,
        })
    }

    /// Whether somebody must confirm before anything is changed.
    pub fn needs_confirmation(&self) -> bool {
        self.lab.is_none() && self.environment.confirm != Confirmation::None
    }
}

/// `name=value` arguments.
pub fn parse_variables(arguments: &[String]) -> Result<IndexMap<String, String>, Failure> {
    let parse = |argument: &String| match argument.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::usage(format!("`--var {argument}` is not NAME=VALUE"))),
    };
    arguments.iter().map(parse).collect()
}

/// Starts the embedded region.
pub fn start_lab(timing: LabTiming, seed: u64) -> Result<Lab, Failure> {
    let timing = match timing {
        LabTiming::Scaled => lab::Timing::Scaled,
        LabTiming::Real => lab::Timing::Real,
    };
    Lab::start(lab::Settings { seed, timing }).map_err(|error| {
        Failure::not_started(format!("the lab cannot start: {error}"))
            .help("it needs free ports on loopback addresses (127.x.y.z); another run may be at it: try again")
    })
}

fn lab_environment(lab: &Lab) -> Environment {
    Environment {
        name: LAB.to_owned(),
        region: Some(lab.region().to_owned()),
        accounts: vec![lab.account().to_owned()],
        endpoint_url: Some(lab.endpoint_url()),
        resolver: Some(lab.resolver()),
        values: lab.values().into_iter().collect(),
        confirm: Confirmation::None,
        ..Environment::none()
    }
}
