//! A lab in the test's own process, which outlives the runs that act on it, and how it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use firedrill::lab::{Lab, Settings};

/// The name of the environment that points at it.
pub(crate) const ENVIRONMENT: &str = "outside";

/// A project file with one environment, of this name, that points at `endpoint`, which stands before or for a lab.
/// `settings` are more lines of the environment, indented by four.
pub(crate) fn project(lab: &Lab, name: &str, endpoint: &str, settings: &str) -> String {
    let text = firedrill::cli::surroundings::project_file(lab);
    text.replacen("outside-lab", name, 1).replacen(&lab.endpoint_url(), endpoint, 1).replacen(
        "    values:\n",
        &format!("{settings}    values:\n"),
        1,
    )
}

/// A lab, and a project whose environment points at it.
pub(crate) struct Outside {
    pub(crate) lab: Lab,
    pub(crate) folder: tempfile::TempDir,
    config: aws_config::SdkConfig,
}

impl Outside {
    /// Starts a lab; `settings` are more lines of the environment, indented by four.
    pub(crate) fn start(seed: u64, settings: &str) -> Outside {
        let lab = Lab::start(Settings { seed, ..Settings::default() }).expect("a lab");
        let folder = tempfile::tempdir().expect("a folder");
        let text = project(&lab, ENVIRONMENT, &lab.endpoint_url(), settings);
        std::fs::write(folder.path().join("firedrill.yaml"), text).expect("written");
        let credentials = aws_credential_types::Credentials::new("test", "test", None, None, "test");
        let config = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new(lab.region().to_owned()))
            .endpoint_url(lab.endpoint_url())
            .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Outside { lab, folder, config }
    }

    /// What clients of the lab are made from.
    pub(crate) fn config(&self) -> &aws_config::SdkConfig {
        &self.config
    }

    /// Where runs are stored.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    /// The command with the project, the environment and the store of this lab.
    pub(crate) fn firedrill(&self, verb: &str) -> std::process::Command {
        let mut command = crate::support::firedrill();
        command.arg(verb).arg("--project").arg(self.folder.path().join("firedrill.yaml"));
        if verb != "iam-policy" {
            command.arg("--store").arg(self.store());
        }
        if verb != "abort" && verb != "report" {
            command.args(["--env", ENVIRONMENT]);
        }
        // As any user of a machine would have: locks beside nobody else's.
        command.env("XDG_STATE_HOME", self.folder.path().join("state"));
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    /// The folders of its runs.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.store()).into_iter().flatten().flatten();
        let mut runs: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        runs.sort();
        runs
    }

    /// How everything stands that a drill can change: counts and states, without the names of what was replaced.
    pub(crate) async fn standing(&self) -> BTreeMap<String, String> {
        let mut standing = BTreeMap::new();
        let ec2 = aws_sdk_ec2::Client::new(&self.config);
        let answer = ec2.describe_instances().send().await.expect("the lab answers");
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for instance in answer.reservations().iter().flat_map(|reservation| reservation.instances()) {
            let state = instance.state().and_then(|state| state.name()).map_or("?", |name| name.as_str());
            let tag = |key: &str| {
                let found = instance.tags().iter().find(|tag| tag.key() == Some(key));
                found.and_then(|tag| tag.value()).unwrap_or("-").to_owned()
            };
            if state != "terminated" {
                let key = format!("instances {} {}", tag("app"), tag("site"));
                groups.entry(key).or_default().push(state.to_owned());
            }
        }
        for (group, mut states) in groups {
            states.sort();
            standing.insert(group, states.join(" "));
        }
        let rds = aws_sdk_rds::Client::new(&self.config);
        let answer = rds.describe_db_instances().send().await.expect("the lab answers");
        for one in answer.db_instances() {
            let id = one.db_instance_identifier().unwrap_or("?");
            standing.insert(format!("db {id}"), one.db_instance_status().unwrap_or("?").to_owned());
        }
        let route53 = aws_sdk_route53::Client::new(&self.config);
        let zone = self.lab.values()["zone_id"].clone();
        let answer = route53.list_resource_record_sets().hosted_zone_id(zone).send().await;
        for set in answer.expect("the lab answers").resource_record_sets() {
            let values: Vec<&str> = set.resource_records().iter().map(|record| record.value()).collect();
            standing.insert(format!("record {} {}", set.name(), set.r#type().as_str()), values.join(" "));
        }
        let ecs = aws_sdk_ecs::Client::new(&self.config);
        let values = self.lab.values();
        let (cluster, service) = (&values["ecs_cluster"], &values["ecs_service"]);
        let answer = ecs.describe_services().cluster(cluster).services(service).send().await;
        for one in answer.expect("the lab answers").services() {
            let (wanted, runs) = (one.desired_count(), one.running_count());
            standing.insert(format!("service {service}"), format!("{runs} of {wanted}"));
        }
        standing
    }

    /// Waits until everything stands as `wanted`, but for what begins with one of `lasting`; what still differs when it
    /// never does.
    pub(crate) async fn differs(
        &self,
        wanted: &BTreeMap<String, String>,
        lasting: &[&str],
        within: Duration,
    ) -> Option<String> {
        let began = Instant::now();
        loop {
            let now = self.standing().await;
            let passes = |key: &str| lasting.iter().any(|lasts| key.starts_with(lasts));
            let keys: BTreeSet<&String> =
                wanted.keys().chain(now.keys()).filter(|key| !passes(key)).collect();
            let line = |key: &String| format!("{key}: {:?}, was {:?}", now.get(key), wanted.get(key));
            let changed = keys.into_iter().filter(|key| now.get(*key) != wanted.get(*key));
            let differs = changed.map(line).collect::<Vec<_>>().join("; ");
            if differs.is_empty() {
                return None;
            }
            if began.elapsed() > within {
                return Some(differs);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A bundled experiment.
pub(crate) fn bundled(name: &str) -> PathBuf {
    crate::support::root().join("experiments").join(name)
}

/// How many lines a run's journal has.
pub(crate) fn lines(run: &Path) -> usize {
    let text = std::fs::read(run.join("journal.jsonl")).unwrap_or_default();
    text.iter().filter(|byte| **byte == b'\n').count()
}
