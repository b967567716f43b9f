//! The guard: the only way to a call that changes something.
//!
//! Three locks, one behind the other: the clients that others can have refuse anything but
//! reading operations; [`Aws::mutate`] refuses a dry run, an account that is not proven or not
//! allowed, and a resource of another account or region; and no mutating call is ever repeated
//! unless AWS said that it did not carry it out.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use rand::RngExt;

use super::fault::Intent;
use super::{Aws, Clients, Fault, FaultKind, Identity, WHO_AM_I};
use crate::run::event::CallOutcome;

/// Who is told of every mutating call, before it is sent and after it came back.
pub trait Witness: Send + Sync {
    /// The call is about to be sent. An action's is sent when this returns `Ok`, and not at all
    /// otherwise: a call that nobody can write down must not be made. An undo's is sent all the same.
    fn sent(&self, step: &str, operation: &str, resource: &str) -> Result<(), String>;
    /// The call came back.
    fn returned(
        &self,
        step: &str,
        operation: &str,
        resource: &str,
        outcome: CallOutcome,
        detail: Option<String>,
    );
    /// Something worth knowing: throttling, a retry.
    fn noted(&self, text: String);
}

/// A witness that keeps nothing: for planning, where no call changes anything.
pub struct Silent;

impl Witness for Silent {
    fn sent(&self, _step: &str, _operation: &str, _resource: &str) -> Result<(), String> {
        Ok(())
    }
    fn returned(
        &self,
        _step: &str,
        _operation: &str,
        _resource: &str,
        _outcome: CallOutcome,
        _detail: Option<String>,
    ) {
    }
    fn noted(&self, _text: String) {}
}

/// What a mutating call is for: what may still stop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An action of a step: not sent unless it is written down, nor once the run is stopping.
    Act,
    /// Putting things back: that matters more than writing it down, and a stopping run needs it most.
    Undo,
}

/// How often a throttled call is sent in all.
const SENDS: u32 = 5;

impl Aws {
    /// Sends a mutating call, if it is allowed at all. The closure gets the clients that may
    /// change something, and makes one call with them; it is called again only after a throttling, or once after
    /// a refusal for the time of its signature.
    pub(crate) async fn mutate<T, E, F, Fut>(
        &self,
        purpose: Purpose,
        step: &str,
        operation: &str,
        resource: &str,
        call: F,
    ) -> Result<T, Fault>
    where
        F: Fn(Clients) -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        self.permit(operation, resource)?;
        let (mut sends, mut clock_set) = (0, false);
        loop {
            sends += 1;
            self.announce(purpose, step, operation, resource)?;
            let fault = match call(self.writers.clone()).await {
                Ok(answer) => {
                    self.witness.returned(step, operation, resource, CallOutcome::Accepted, None);
                    return Ok(answer);
                }
                Err(error) => Fault::of(Intent::Write, operation, resource, &error),
            };
            self.witness.returned(step, operation, resource, fault.kind.outcome(), Some(fault.to_string()));
            // Refused for its time: it certainly did not happen, and the client has learnt the time by now.
            if fault.clock_is_off() && !clock_set {
                clock_set = true;
                self.note(format!(
                    "{operation} of {resource} was refused for this machine's clock; sending it again by AWS's"
                ));
                continue;
            }
            if fault.kind != FaultKind::Throttled || sends == SENDS {
                return Err(fault);
            }
            let pause = backoff(sends);
            self.note(format!(
                "{operation} of {resource} was throttled; sending it again in {} ms ({sends} of {SENDS} used)",
                pause.as_millis()
            ));
            tokio::time::sleep(pause).await;
        }
    }

    /// Writes down that a call is about to be sent, unless the run is stopping. An undo goes on
    /// whatever comes of it.
    fn announce(&self, purpose: Purpose, step: &str, operation: &str, resource: &str) -> Result<(), Fault> {
        let refusal = |message: String, help: &str| {
            Err(Fault::new(FaultKind::Guarded, operation, resource, message, help))
        };
        if purpose == Purpose::Act && self.halted() {
            return refusal("not sent: the run is stopping".to_owned(), "start the drill again");
        }
        match (self.witness.sent(step, operation, resource), purpose) {
            (Ok(()), _) => Ok(()),
            (Err(why), Purpose::Act) => {
                refusal(format!("not sent: {why}"), "see to the disk that holds the runs, then start again")
            }
            (Err(why), Purpose::Undo) => {
                self.note(format!("{operation} of {resource} is sent without being written down: {why}"));
                Ok(())
            }
        }
    }

    /// Who the credentials belong to, if drills may change that account.
    ///
    /// # Errors
    /// The identity is not told, or the account is not on the environment's list.
    pub async fn allowed_identity(&self) -> Result<Identity, Fault> {
        let identity = self.identity().await?;
        self.allowed(&identity)
            .map_err(|(message, help)| Fault::new(FaultKind::Guarded, WHO_AM_I, "", message, help))?;
        Ok(identity)
    }

    /// Whether the account may be changed: why not, and what to do next.
    fn allowed(&self, identity: &Identity) -> Result<(), (String, String)> {
        let allowed = &self.settings.accounts;
        let Identity { account, arn } = identity;
        if allowed.is_empty() && !self.settings.in_lab() {
            return Err((
                format!("the environment allows no account, and this is account {account} ({arn})"),
                format!(
                    "if drills may change that account, add `accounts: [\"{account}\"]` to the environment"
                ),
            ));
        }
        if !allowed.is_empty() && !allowed.contains(account) {
            return Err((
                format!(
                    "account {account} ({arn}) is not allowed in this environment (allowed: {})",
                    allowed.join(", ")
                ),
                "check the profile or role of the environment, or add the account to its `accounts`"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Whether a mutating call may be sent.
    fn permit(&self, operation: &str, resource: &str) -> Result<(), Fault> {
        let refuse = |message: String, help: &str| {
            Err(Fault::new(FaultKind::Guarded, operation, resource, message, help))
        };
        if self.settings.dry_run {
            return refuse("not sent: this is a dry run".to_owned(), "run without `--dry-run`");
        }
        let Some(identity) = self.identity.get() else {
            return refuse(
                "not sent: the account behind these credentials is not known yet".to_owned(),
                "sts:GetCallerIdentity must have answered first: check the credentials",
            );
        };
        if let Err((message, help)) = self.allowed(identity) {
            return refuse(format!("not sent: {message}"), &help);
        }
        let account = &identity.account;
        if let Some((region, owner)) = arn_home(resource) {
            if !region.is_empty() && region != self.settings.region {
                return refuse(
                    format!("not sent: the resource is in region {region}, not {}", self.settings.region),
                    "name a target in the environment's region",
                );
            }
            if !owner.is_empty() && owner != account {
                return refuse(
                    format!("not sent: the resource belongs to account {owner}, not {account}"),
                    "name a target in the environment's account",
                );
            }
        }
        Ok(())
    }
}

/// Region and account in an ARN (either may be empty); `None` for any other name.
fn arn_home(resource: &str) -> Option<(&str, &str)> {
    let mut parts = resource.strip_prefix("arn:")?.split(':');
    let (_partition, _service) = (parts.next()?, parts.next()?);
    Some((parts.next()?, parts.next()?))
}

/// A jittered pause before send number `sends + 1`: half to all of 250 ms, doubled each time.
fn backoff(sends: u32) -> Duration {
    let whole = 250u64 << sends.min(5);
    Duration::from_millis(rand::rng().random_range(whole / 2..=whole))
}

/// Looks over every request of a client as it leaves.
#[derive(Clone)]
pub(super) struct Gatekeeper {
    intent: Intent,
    witness: Arc<dyn Witness>,
}

impl Gatekeeper {
    pub(super) fn reading(witness: Arc<dyn Witness>) -> Gatekeeper {
        Gatekeeper { intent: Intent::Read, witness }
    }

    pub(super) fn writing(witness: Arc<dyn Witness>) -> Gatekeeper {
        Gatekeeper { intent: Intent::Write, witness }
    }
}

impl fmt::Debug for Gatekeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gatekeeper").field("intent", &self.intent).finish_non_exhaustive()
    }
}

/// Whether an operation only looks, by AWS's own naming.
pub(super) fn reads(operation: &str) -> bool {
    ["Describe", "List", "Get", "Simulate"].iter().any(|verb| operation.starts_with(verb))
}

impl Intercept for Gatekeeper {
    fn name(&self) -> &'static str {
        "firedrill lookout"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = cfg.load::<Metadata>().map(|m| m.name().to_owned()).unwrap_or_default();
        // EC2 checks a call with `DryRun=true` and leaves it at that.
        let rehearsed = context
            .request()
            .body()
            .bytes()
            .is_some_and(|body| body.split(|byte| *byte == b'&').any(|pair| pair == b"DryRun=true"));
        if self.intent == Intent::Read && !reads(&operation) && !rehearsed {
            return Err(
                format!("{operation} may change something, and was sent through a reading client").into()
            );
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Err(error)) = context.output_or_error() else { return Ok(()) };
        if self.intent == Intent::Write {
            return Ok(());
        }
        let attempts = cfg.load::<RequestAttempts>().map_or(1, RequestAttempts::attempts);
        let status = context.response().map(|response| response.status().as_u16());
        // What a retry may cure; a plain refusal is no news. Some services throttle with status 400: that
        // is known by the second attempt, since nothing else with that status is repeated.
        let curable = attempts > 1
            || error.is_connector_error()
            || error.is_timeout_error()
            || status.is_some_and(|s| s >= 429);
        if let (Some(metadata), true) = (cfg.load::<Metadata>(), curable) {
            let what = status.map_or_else(|| "no answer".to_owned(), |s| format!("status {s}"));
            self.witness.noted(format!(
                "{}:{}: {what} at attempt {attempts}",
                metadata.service().to_ascii_lowercase().replace(' ', ""),
                metadata.name()
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_where_it_belongs() {
        assert_eq!(
            arn_home("arn:aws:ecs:eu-west-1:123456789012:task/shop/0a1b"),
            Some(("eu-west-1", "123456789012"))
        );
        assert_eq!(arn_home("i-0a1b2c"), None);
    }

    #[tokio::test]
    async fn a_reading_client_sends_nothing_that_could_change_anything() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        listener.set_nonblocking(true).expect("a listener can be non-blocking");
        let settings = crate::aws::Settings {
            endpoint_url: Some(format!("http://{}", listener.local_addr().expect("it is bound"))),
            credentials: Some(("test".to_owned(), "test".to_owned())),
            call_timeout: Duration::from_millis(100),
            ..Default::default()
        };
        let aws = Aws::connect(settings, Arc::new(Silent)).await.expect("it connects");
        let call = || aws.ec2().terminate_instances().instance_ids("i-0a1b2c");
        let refused = call().send().await.expect_err("it is stopped here");
        let why = crate::aws::fault::chain(&refused);
        assert!(why.contains("TerminateInstances may change something"), "{why}");
        assert!(listener.accept().is_err(), "a connection was made");
        // EC2's own rehearsal changes nothing, and is let through.
        assert!(call().dry_run(true).send().await.is_err(), "nobody answers");
        assert!(listener.accept().is_ok(), "no connection was made");
    }

    #[test]
    fn reading_operations_are_known_by_their_verbs() {
        for operation in
            ["DescribeInstances", "ListTasks", "GetChange", "GetCallerIdentity", "SimulatePrincipalPolicy"]
        {
            assert!(reads(operation));
        }
        for operation in
            ["TerminateInstances", "RebootDBInstance", "ChangeResourceRecordSets", "UpdateService"]
        {
            assert!(!reads(operation));
        }
    }
}
