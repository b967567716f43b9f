//! AWS: one client per service from one configuration, and the guard in front of them.
//!
//! The clients that [`Aws`] gives out can only look: an interceptor stops every operation that is
//! not a reading one before it leaves the machine. A mutating call goes through
//! [`guard`](Aws::mutate), which asks the account allow-list first and announces the call to a
//! [`Witness`]. Nothing here knows of experiments, probes or reports.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

mod authority;
pub(crate) mod autoscaling;
pub(crate) mod cloudwatch;
mod data;
mod draw;
pub(crate) mod ec2;
pub(crate) mod ecs;
pub(crate) mod elbv2;
pub mod fault;
pub mod find;
mod guard;
pub mod marks;
pub mod metrics;
pub mod permissions;
pub mod policy;
pub(crate) mod rds;
pub(crate) mod route53;
pub(crate) mod ssm;
pub mod target;
mod wait;

pub use data::DataPlane;
pub use fault::{Fault, FaultKind};
pub(crate) use guard::Purpose;
pub use guard::{Silent, Witness};
pub(crate) use wait::{Look, Wait, jittered};

/// Watchers are many and look all the time: not faster than this, also where a wait may be.
const WATCH_AT_MOST_EVERY: Duration = Duration::from_millis(200);

/// How often IAM is asked what the caller may do. A drill can go on without an answer, and a simulator may have none.
const PERMISSION_ATTEMPTS: u32 = 2;

/// The call that says who the credentials belong to.
pub const WHO_AM_I: &str = "sts:GetCallerIdentity";

/// How to reach AWS, and what may be changed there.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The region; nothing outside of it is touched.
    pub region: String,
    /// A profile of the AWS configuration files.
    pub profile: Option<String>,
    /// The ARN of a role to assume.
    pub role: Option<String>,
    /// A non-standard endpoint for every service.
    pub endpoint_url: Option<String>,
    /// The account ids in which something may be changed.
    pub accounts: Vec<String>,
    /// Fixed access key and secret, for the lab and simulators.
    pub credentials: Option<(String, String)>,
    /// Whether the endpoint is the lab, which needs no allow-list. Believed on loopback only.
    pub lab: bool,
    /// Whether what is there changes as fast as in the lab with its scaled timing.
    pub scaled: bool,
    /// Whether nothing may be changed at all.
    pub dry_run: bool,
    /// The parameter of Systems Manager that stops every run, by name.
    pub stop_parameter: Option<String>,
    /// How long one attempt of a call may take. A reading call is attempted a few times.
    pub call_timeout: Duration,
    /// How often a resource's state is looked at while waiting for it.
    pub poll: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            region: "us-east-1".to_owned(),
            profile: None,
            role: None,
            endpoint_url: None,
            accounts: Vec::new(),
            credentials: None,
            lab: false,
            scaled: false,
            dry_run: false,
            stop_parameter: None,
            call_timeout: Duration::from_secs(10),
            poll: Duration::from_secs(1),
        }
    }
}

impl Settings {
    /// Whether the endpoint is the lab: said so, and on this machine.
    fn in_lab(&self) -> bool {
        self.lab && self.endpoint_url.as_deref().is_some_and(on_loopback)
    }
}

fn on_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Who the credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account id.
    pub account: String,
    /// The ARN of the user or assumed role.
    pub arn: String,
}

/// One client per service.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) rds: aws_sdk_rds::Client,
    pub(crate) ecs: aws_sdk_ecs::Client,
    pub(crate) route53: aws_sdk_route53::Client,
    pub(crate) elbv2: aws_sdk_elasticloadbalancingv2::Client,
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
}

/// A connection to AWS in one region with one identity.
pub struct Aws {
    settings: Settings,
    config: SdkConfig,
    witness: Arc<dyn Witness>,
    readers: Clients,
    writers: Clients,
    sts: aws_sdk_sts::Client,
    iam: aws_sdk_iam::Client,
    identity: OnceLock<Identity>,
    halted: Arc<AtomicBool>,
}

impl Aws {
    /// Prepares the clients. Sends nothing yet, except what the profile or role needs.
    pub async fn connect(settings: Settings, witness: Arc<dyn Witness>) -> Result<Aws, Fault> {
        let config = configuration(&settings).await?;
        let readers = clients(&config, &patience(), || guard::Gatekeeper::reading(witness.clone()));
        // A mutating call is repeated by the guard, and only when it certainly did not happen.
        let writers =
            clients(&config, &RetryConfig::disabled(), || guard::Gatekeeper::writing(witness.clone()));
        let sts = aws_sdk_sts::Client::from_conf(
            aws_sdk_sts::config::Builder::from(&config)
                .retry_config(patience())
                .interceptor(guard::Gatekeeper::reading(witness.clone()))
                .build(),
        );
        let iam = aws_sdk_iam::Client::from_conf(
            aws_sdk_iam::config::Builder::from(&config)
                .retry_config(patience().with_max_attempts(PERMISSION_ATTEMPTS))
                .interceptor(guard::Gatekeeper::reading(witness.clone()))
                .build(),
        );
        Ok(Aws {
            settings,
            config,
            witness,
            readers,
            writers,
            sts,
            iam,
            identity: OnceLock::new(),
            halted: Arc::default(),
        })
    }

    /// The same, for looking alone and again and again: a call that fails is not repeated, since the next
    /// look comes anyhow, and says nothing to the witness, since who looks tells it once.
    pub(crate) fn for_watching(&self) -> Aws {
        let silent: Arc<dyn Witness> = Arc::new(Silent);
        let once = RetryConfig::disabled();
        let readers = clients(&self.config, &once, || guard::Gatekeeper::reading(silent.clone()));
        Aws {
            settings: Settings {
                dry_run: true,
                poll: self.settings.poll.max(WATCH_AT_MOST_EVERY),
                ..self.settings.clone()
            },
            config: self.config.clone(),
            witness: silent,
            writers: readers.clone(),
            readers,
            sts: self.sts.clone(),
            iam: self.iam.clone(),
            identity: OnceLock::new(),
            halted: Arc::default(),
        }
    }

    /// Asks AWS who the credentials belong to, once; mutating calls need it.
    pub async fn identity(&self) -> Result<Identity, Fault> {
        if let Some(identity) = self.identity.get() {
            return Ok(identity.clone());
        }
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| self.sourced(Fault::read(WHO_AM_I, "", error)))?;
        let (Some(account), Some(arn)) = (answer.account, answer.arn) else {
            return Err(Fault::new(
                FaultKind::Unclear,
                WHO_AM_I,
                "",
                "the answer names no account",
                "check `endpoint_url` of the environment: it does not answer as AWS does",
            ));
        };
        Ok(self.identity.get_or_init(|| Identity { account, arn }).clone())
    }

    /// The fault, naming the profile or role that the credentials were to come from.
    fn sourced(&self, mut fault: Fault) -> Fault {
        if fault.kind != FaultKind::NoCredentials {
            return fault;
        }
        if let Some(profile) = &self.settings.profile {
            fault.message.push_str(&format!(" with profile `{profile}`"));
            fault.help = format!(
                "check `profile` of the environment (`aws configure list-profiles` shows those there are), or \
                 log in with `aws sso login --profile {profile}`"
            );
        }
        if let Some(role) = &self.settings.role {
            fault.message.push_str(&format!(" for role {role}"));
        }
        fault
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.settings.region
    }

    /// The role that the environment names.
    pub fn role(&self) -> Option<&str> {
        self.settings.role.as_deref()
    }

    /// The parameter of Systems Manager that stops every run in this environment, if there is to be one.
    pub fn stop_parameter(&self) -> Option<&str> {
        self.settings.stop_parameter.as_deref()
    }

    /// What the ledgers get their clients from.
    pub fn data_plane(&self) -> DataPlane {
        DataPlane::new(&self.config, &self.settings)
    }

    /// Whether what is there changes as fast as in the lab with its scaled timing.
    pub fn scaled(&self) -> bool {
        self.settings.scaled
    }

    /// Whether nothing may be changed.
    pub fn dry_run(&self) -> bool {
        self.settings.dry_run
    }

    /// From now on no action changes anything more: a call that is not yet sent is refused, also the
    /// next of several and the repetition of a throttled one. An undo is sent all the same.
    pub fn halt(&self) {
        self.halted.store(true, Ordering::SeqCst);
    }

    /// Whether [`halt`](Aws::halt) was called.
    pub fn halted(&self) -> bool {
        self.halted.load(Ordering::SeqCst)
    }

    /// What [`halt`](Aws::halt) sets, for those who do not hold the connection.
    pub fn halt_flag(&self) -> Arc<AtomicBool> {
        self.halted.clone()
    }

    /// The spacing of looks at a resource that is waited for.
    pub(crate) fn poll(&self) -> Duration {
        self.settings.poll
    }

    pub(crate) fn note(&self, text: String) {
        self.witness.noted(text);
    }

    pub(crate) fn iam(&self) -> &aws_sdk_iam::Client {
        &self.iam
    }

    pub(crate) fn ec2(&self) -> &aws_sdk_ec2::Client {
        &self.readers.ec2
    }

    pub(crate) fn rds(&self) -> &aws_sdk_rds::Client {
        &self.readers.rds
    }

    pub(crate) fn ecs(&self) -> &aws_sdk_ecs::Client {
        &self.readers.ecs
    }

    pub(crate) fn route53(&self) -> &aws_sdk_route53::Client {
        &self.readers.route53
    }

    pub(crate) fn elbv2(&self) -> &aws_sdk_elasticloadbalancingv2::Client {
        &self.readers.elbv2
    }

    pub(crate) fn autoscaling(&self) -> &aws_sdk_autoscaling::Client {
        &self.readers.autoscaling
    }

    pub(crate) fn cloudwatch(&self) -> &aws_sdk_cloudwatch::Client {
        &self.readers.cloudwatch
    }

    pub(crate) fn ssm(&self) -> &aws_sdk_ssm::Client {
        &self.readers.ssm
    }
}

/// How a reading call is repeated. Not adaptively: that holds calls back after a throttling until their time
/// is up, so that "no answer" would be said of an AWS that answered "too many calls" each time.
fn patience() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(4)
}

/// The configuration that every client is made from.
async fn configuration(settings: &Settings) -> Result<SdkConfig, Fault> {
    let attempt = settings.call_timeout;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(attempt.min(Duration::from_secs(5)))
        .operation_attempt_timeout(attempt)
        .operation_timeout(attempt * 3)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .http_client(http_client(settings))
        .timeout_config(timeouts);
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some((key, secret)) = &settings.credentials {
        loader =
            loader.credentials_provider(Credentials::new(key, secret, None, None, "firedrill environment"));
    }
    let config = loader.load().await;
    let Some(role) = &settings.role else { return Ok(config) };
    let assumed =
        AssumeRoleProvider::builder(role).session_name("firedrill").configure(&config).build().await;
    Ok(config.into_builder().credentials_provider(SharedCredentialsProvider::new(assumed)).build())
}

/// TLS through rustls on ring, as a value: nothing is installed for the process. An endpoint
/// without TLS spares the loading of the system's certificates.
fn http_client(settings: &Settings) -> SharedHttpClient {
    let plain = settings.endpoint_url.as_deref().is_some_and(|url| url.starts_with("http://"));
    let builder = aws_smithy_http_client::Builder::new();
    if plain && settings.credentials.is_some() {
        builder.build_http()
    } else {
        builder.tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https()
    }
}

fn clients(config: &SdkConfig, retry: &RetryConfig, keeper: impl Fn() -> guard::Gatekeeper) -> Clients {
    macro_rules! client {
        ($service:ident) => {
            $service::Client::from_conf(
                $service::config::Builder::from(config)
                    .retry_config(retry.clone())
                    .interceptor(keeper())
                    .build(),
            )
        };
    }
    Clients {
        ec2: client!(aws_sdk_ec2),
        rds: client!(aws_sdk_rds),
        ecs: client!(aws_sdk_ecs),
        route53: client!(aws_sdk_route53),
        elbv2: client!(aws_sdk_elasticloadbalancingv2),
        autoscaling: client!(aws_sdk_autoscaling),
        cloudwatch: client!(aws_sdk_cloudwatch),
        ssm: client!(aws_sdk_ssm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lab_is_on_this_machine_or_it_is_not_the_lab() {
        for (url, expected) in [
            ("http://127.0.0.1:4566", true),
            ("http://127.83.2.9:4566/", true),
            ("http://localhost:80", true),
            ("http://[::1]:80", true),
            ("https://ec2.eu-west-1.amazonaws.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://127.0.0.1@example.com", false),
            ("http://10.0.0.1:1", false),
        ] {
            let settings = Settings { lab: true, endpoint_url: Some(url.to_owned()), ..Settings::default() };
            assert_eq!(settings.in_lab(), expected, "{url}");
        }
        assert!(!Settings { lab: true, ..Settings::default() }.in_lab());
    }
}
