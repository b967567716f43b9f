//! Where a drill runs, made ready: a named environment, the embedded lab, or none at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::{Failure, LabTiming, Where};
use crate::aws::{self, Aws};
use crate::lab::{self, Lab};
use crate::probe::tcp::{Address, Tcp};
use crate::probe::{Ask, Resolver};
use crate::redact;
use crate::run::event::EnvironmentFacts;
use crate::spec::environment::{Confirmation, Environment, LAB, Project};
use crate::spec::{self, Diagnostics, Given, Loaded};

/// The environment variables of AWS's own that are secret.
const AWS_SECRETS: [&str; 2] = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// An environment and, if it is the lab, the lab itself.
pub struct Surroundings {
    /// The environment.
    pub environment: Environment,
    /// The embedded region; it lives as long as this does.
    pub lab: Option<Lab>,
    /// Values from the command line, which win.
    given: IndexMap<String, String>,
    /// Whether files are only read aloud, with values as far as they are known.
    aloud: bool,
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
                let wrong = |diagnostics: Diagnostics| Failure::diagnostics(diagnostics.render(false));
                let project = Project::load(&place.project).map_err(wrong)?;
                (project.environment(name).map_err(wrong)?, None)
            }
        };
        Ok(Surroundings { environment, lab, given, aloud: false })
    }

    /// What a file is read aloud with: values as far as they are written down. Nothing is started or asked.
    pub fn aloud(place: &Where) -> Result<Surroundings, Failure> {
        let unnamed =
            Where { environment: place.environment.clone().filter(|name| name != LAB), ..place.clone() };
        let mut surroundings = Surroundings::prepare(&unnamed, 0)?;
        if place.environment.as_deref() == Some(LAB) {
            surroundings.environment.name = LAB.to_owned();
        }
        Ok(Surroundings { aloud: true, ..surroundings })
    }

    /// Reads an experiment with this environment's values.
    pub fn load(&self, path: &Path, colour: bool) -> Result<Loaded, Failure> {
        let mut values = self.environment.values.clone();
        values.extend(self.given.iter().map(|(name, value)| (name.clone(), value.clone())));
        // The lab's values for these are whole DSNs; their passwords are what is secret.
        let mut secrets: Vec<String> = self.lab.iter().flat_map(lab_passwords).collect();
        // What a program of a step prints, or AWS repeats of a request, may hold these.
        secrets.extend(AWS_SECRETS.iter().filter_map(|name| std::env::var(name).ok()));
        let endpoint = self.environment.endpoint_url.as_deref().unwrap_or_default();
        secrets.extend(redact::passwords(endpoint).into_iter().map(str::to_owned));
        let given = Given { values, complete: !self.aloud, aloud: self.aloud, secrets };
        spec::load(path, &given).map_err(|diagnostics| Failure::diagnostics(diagnostics.render(colour)))
    }

    /// What the AWS clients are to be built from.
    pub fn aws_settings(&self, dry_run: bool) -> Result<aws::Settings, Failure> {
        let environment = &self.environment;
        let Some(region) = environment.region.clone() else {
            return Err(Failure::usage(format!("environment `{}` says no region", environment.name))
                .help("add `region: eu-west-1` (or yours) to it in firedrill.yaml"));
        };
        let standard = aws::Settings::default();
        Ok(aws::Settings {
            region,
            profile: environment.profile.clone(),
            role: environment.role.clone(),
            endpoint_url: environment.endpoint_url.clone(),
            accounts: environment.accounts.clone(),
            credentials: self.lab.as_ref().map(|_| ("test".to_owned(), "test".to_owned())),
            lab: self.lab.is_some(),
            scaled: self.lab.as_ref().is_some_and(|lab| lab.timing() == lab::Timing::Scaled),
            dry_run,
            stop_parameter: environment.stop_parameter.clone(),
            // The lab's time is scaled down: what AWS does in a minute it does in a second. A stand-in on this machine bears
            // being looked at as often.
            poll: if self.lab.is_some() || environment.at_hand() {
                Duration::from_millis(100)
            } else {
                standard.poll
            },
            ..standard
        })
    }

    /// Where it runs, for the journal.
    pub async fn facts(&self, loaded: &Loaded, aws: Option<&Aws>) -> Result<EnvironmentFacts, Failure> {
        let identity = match aws {
            Some(aws) => Some(aws.identity().await.map_err(|fault| Failure::not_started(fault.to_string()))?),
            None => None,
        };
        let environment = &self.environment;
        Ok(EnvironmentFacts {
            name: if environment.name.is_empty() { "none".to_owned() } else { environment.name.clone() },
            account: identity.as_ref().map(|identity| identity.account.clone()),
            region: environment.region.clone(),
            identity: identity.map(|identity| identity.arn),
            endpoint_url: environment.endpoint_url.clone(),
            values: loaded.values.clone(),
        })
    }

    /// What the addresses of the embedded lab begin with, such as `127.83.2.`.
    pub fn lab_subnet(&self) -> Option<String> {
        let host = self.lab.as_ref()?.resolver().ip().to_string();
        host.rfind('.').and_then(|dot| host.get(..=dot)).map(str::to_owned)
    }

    /// Which variables were given on the command line.
    pub fn given_names(&self) -> Vec<String> {
        self.given.keys().cloned().collect()
    }

    /// What is asked to tell an outage from this machine's own network being gone.
    pub fn references(&self) -> Vec<Arc<dyn Ask>> {
        let resolver = self.resolver();
        let ask = |address: &Address| Tcp::to(address.clone()).asking(resolver.clone());
        self.environment.references.iter().map(ask).collect()
    }

    /// Whom the probes ask for names.
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

/// The folder of stored runs: as named, else `runs` in the project file's `store:`, else `.firedrill/runs`.
pub fn store(named: Option<&Path>, project: &Path) -> Result<PathBuf, Failure> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let project =
        Project::load(project).map_err(|diagnostics| Failure::diagnostics(diagnostics.render(false)))?;
    Ok(project.store.unwrap_or_else(|| PathBuf::from(".firedrill")).join("runs"))
}

/// Where the locks on environments are: the user's state folder, so that two checkouts on one machine know of each
/// other; beside the runs where there is no such folder.
pub fn locks(store: &Path) -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    match state {
        Some(state) => state.join("firedrill/locks"),
        None => store.join("locks"),
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
        Failure::not_started(format!("the lab cannot start: {error}")).help(
            "it needs free ports on loopback addresses (127.x.y.z); another run may be at it: try again",
        )
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

fn lab_passwords(lab: &Lab) -> Vec<String> {
    let values = lab.values();
    let secret = lab.secrets().into_iter().filter_map(|name| values.get(name));
    secret.flat_map(|dsn| redact::passwords(dsn)).map(str::to_owned).collect()
}

/// A project file with one environment that points at a lab of its own process.
pub fn project_file(lab: &Lab) -> String {
    let mut text = format!(
        "environments:\n  outside-lab:\n    region: {}\n    accounts: [\"{}\"]\n    endpoint_url: {}\n    resolver: {}\n    confirm: none\n    values:\n",
        lab.region(),
        lab.account(),
        lab.endpoint_url(),
        lab.resolver(),
    );
    for (name, value) in lab.values() {
        text.push_str(&format!("      {name}: \"{value}\"\n"));
    }
    text
}
