//! What can go wrong with a call to AWS, in few classes that decide what happens next.
//!
//! The one question behind the classes: did the call change anything? `Refused`, `Throttled`,
//! `Absent` and `Denied` say *certainly not*; `Unclear` says *perhaps*.

use std::error::Error;
use std::fmt;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::run::event::CallOutcome;

/// The class of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// AWS understood the call and declined it.
    Refused,
    /// AWS declined it for now: too many calls.
    Throttled,
    /// What the call names does not exist.
    Absent,
    /// The identity may not do this, or is not accepted.
    Denied,
    /// No usable answer: it may have happened.
    Unclear,
    /// The endpoint cannot be reached, or gave a read no answer: nothing happened.
    Unreachable,
    /// There are no credentials to call with.
    NoCredentials,
    /// firedrill itself did not send the call: a dry run, or an account that is not allowed.
    Guarded,
    /// A resource did not come into the expected state in time.
    Late,
}

impl FaultKind {
    /// How a mutating call that ended so is to be recorded.
    pub fn outcome(self) -> CallOutcome {
        match self {
            FaultKind::Unclear | FaultKind::Late => CallOutcome::Unclear,
            _ => CallOutcome::Refused,
        }
    }
}

/// A call to AWS that did not give what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its class.
    pub kind: FaultKind,
    /// The call, such as `rds:RebootDBInstance`.
    pub operation: String,
    /// What it was about, such as `orders-db`; empty when about nothing in particular.
    pub resource: String,
    /// AWS's error code.
    pub code: Option<Box<str>>,
    /// What happened, in a sentence without the call's name.
    pub message: String,
    /// What to do next.
    pub help: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.operation)?;
        if !self.resource.is_empty() {
            write!(f, " of {}", self.resource)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(code) = &self.code {
            write!(f, " ({code})")?;
        }
        Ok(())
    }
}

impl Error for Fault {}

/// Whether a call only looks, or may change something: what silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Changes nothing.
    Read,
    /// May change something.
    Write,
}

impl Fault {
    /// A fault that firedrill states by itself.
    pub(crate) fn new(
        kind: FaultKind,
        operation: &str,
        resource: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Fault {
        Fault {
            kind,
            operation: operation.to_owned(),
            resource: resource.to_owned(),
            code: None,
            message: message.into(),
            help: help.into(),
        }
    }

    /// Whether the same look may well succeed when it is made again.
    pub(crate) fn passing(&self) -> bool {
        matches!(self.kind, FaultKind::Throttled | FaultKind::Unclear | FaultKind::Unreachable)
    }

    /// Whether AWS declined only since the resource is on its way from one state to another.
    pub(crate) fn between_states(&self) -> bool {
        const CODES: &[&str] = &[
            "IncorrectInstanceState",
            "IncorrectState",
            "InvalidDBInstanceState",
            "InvalidDBInstanceStateFault",
            "PriorRequestNotComplete",
        ];
        self.code.as_deref().is_some_and(|code| CODES.contains(&code))
    }

    /// Whether AWS declined since this machine's clock is off. Its answer told the client by how much, which
    /// signs its next call by AWS's clock.
    pub(crate) fn clock_is_off(&self) -> bool {
        let Some(code) = self.code.as_deref() else { return false };
        clock_is_off(code, &self.message)
    }

    /// The fault of a reading call.
    pub(crate) fn read<E>(operation: &str, resource: &str, error: SdkError<E, HttpResponse>) -> Fault
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        Fault::of(Intent::Read, operation, resource, &error)
    }

    /// Classes an SDK error.
    pub(crate) fn of<E>(
        intent: Intent,
        operation: &str,
        resource: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> Fault
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let fault = |kind, message: String, help: &str| Fault::new(kind, operation, resource, message, help);
        if let Some(credentials) = find_source::<CredentialsError>(error) {
            return no_credentials(operation, credentials);
        }
        let response = match error {
            SdkError::ServiceError(service) => Some(service.raw()),
            SdkError::ResponseError(broken) => Some(broken.raw()),
            _ => None,
        };
        if let Some(response) = response {
            let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
            let message = error.as_service_error().and_then(ProvideErrorMetadata::message);
            return answered(intent, operation, resource, response, code, message);
        }
        match error {
            SdkError::ConstructionFailure(_) => fault(
                FaultKind::Refused,
                format!("the call could not be made up: {}", chain(error)),
                "check the arguments, the region and the credentials of the environment",
            ),
            SdkError::TimeoutError(_) => silent(intent, operation, resource, "no answer in time"),
            SdkError::DispatchFailure(failure) => {
                let why = root(error);
                if never_sent(error) {
                    fault(
                        FaultKind::Unreachable,
                        format!("the endpoint cannot be reached: {why}"),
                        "check the network, the region and `endpoint_url` of the environment",
                    )
                } else if failure.is_timeout() {
                    silent(intent, operation, resource, "no answer in time")
                } else {
                    silent(
                        intent,
                        operation,
                        resource,
                        &format!("the connection broke before an answer: {why}"),
                    )
                }
            }
            _ => silent(intent, operation, resource, &chain(error)),
        }
    }
}

/// Nothing usable came back: harmless when reading, unclear when writing.
fn silent(intent: Intent, operation: &str, resource: &str, what: &str) -> Fault {
    match intent {
        Intent::Read => Fault::new(
            FaultKind::Unreachable,
            operation,
            resource,
            what,
            "check the network and `endpoint_url` of the environment, then try again",
        ),
        Intent::Write => Fault::new(
            FaultKind::Unclear,
            operation,
            resource,
            format!("{what}; it may have happened"),
            "look at the resource before anything is repeated: the call is not sent again",
        ),
    }
}

/// AWS, or something in its place, answered with an error.
fn answered(
    intent: Intent,
    operation: &str,
    resource: &str,
    response: &HttpResponse,
    code: Option<&str>,
    message: Option<&str>,
) -> Fault {
    let status = response.status().as_u16();
    let Some(code) = code else {
        return unreadable(intent, operation, resource, status, response);
    };
    let kind = class_of(code, status);
    let help = if clock_is_off(code, message.unwrap_or_default()) {
        "set this machine's clock right (by NTP): AWS allows it to be a few minutes off; if it is right, renew the \
         credentials"
            .to_owned()
    } else {
        help_for(kind, operation, code)
    };
    let message = message.filter(|text| !text.is_empty()).unwrap_or(match kind {
        FaultKind::Throttled => "too many calls",
        FaultKind::Denied => "access denied",
        _ => "AWS gave no reason",
    });
    Fault {
        kind,
        operation: operation.to_owned(),
        resource: resource.to_owned(),
        code: Some(code.into()),
        // What follows the first line is the request as AWS received it, the session token in it.
        message: message.lines().next().unwrap_or_default().trim_end_matches('.').to_owned(),
        help,
    }
}

/// An answer that is not one of AWS: a proxy's page, or a simulator that lacks the operation.
fn unreadable(
    intent: Intent,
    operation: &str,
    resource: &str,
    status: u16,
    response: &HttpResponse,
) -> Fault {
    let body = response.body().bytes().unwrap_or_default();
    let page = body.iter().copied().find(|byte| !byte.is_ascii_whitespace()) == Some(b'<')
        && String::from_utf8_lossy(&body[..body.len().min(200)]).to_ascii_lowercase().contains("html");
    let what = if page { "an HTML page" } else { "something that is not an AWS answer" };
    let message = format!("the endpoint answered with status {status} and {what}");
    let (kind, help) = match (status, intent) {
        (401 | 403, _) => (FaultKind::Denied, "check the credentials, and any proxy on the way to AWS"),
        (429, _) => (FaultKind::Throttled, "wait, and make fewer calls at once"),
        (400..=499, _) => {
            (FaultKind::Refused, "check `endpoint_url`: it may not be AWS, or may lack this operation")
        }
        (_, Intent::Write) => (
            FaultKind::Unclear,
            "look at the resource before anything is repeated; if `endpoint_url` is a simulator, it may lack this operation",
        ),
        (_, Intent::Read) => (
            FaultKind::Unclear,
            "try again; a proxy may have answered in AWS's place, and a simulator at `endpoint_url` may lack this operation",
        ),
    };
    Fault::new(kind, operation, resource, message, help)
}

/// The class of an AWS error code that came with an HTTP status.
fn class_of(code: &str, status: u16) -> FaultKind {
    const THROTTLED: &[&str] = &[
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "SlowDown",
        "BandwidthLimitExceeded",
    ];
    const DENIED: &[&str] = &[
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "UnauthorizedAccess",
        "AuthFailure",
        "Blocked",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "PendingVerification",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ];
    if THROTTLED.contains(&code) || status == 429 {
        FaultKind::Throttled
    } else if DENIED.contains(&code) {
        FaultKind::Denied
    } else if code.contains("NotFound") || code.starts_with("NoSuch") {
        FaultKind::Absent
    } else if status >= 500 {
        FaultKind::Unclear
    } else if matches!(status, 401 | 403) {
        FaultKind::Denied
    } else {
        FaultKind::Refused
    }
}

/// Whether a code and its message speak of the time at which a call was signed.
fn clock_is_off(code: &str, message: &str) -> bool {
    match code {
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => true,
        // The same codes also say that the secret key is wrong.
        "SignatureDoesNotMatch" | "InvalidSignatureException" => {
            message.contains("expired") || message.contains("not yet current")
        }
        _ => false,
    }
}

fn help_for(kind: FaultKind, operation: &str, code: &str) -> String {
    match kind {
        FaultKind::Throttled => "wait, and make fewer calls at once".to_owned(),
        FaultKind::Absent => "check the name or id, the region and the account".to_owned(),
        FaultKind::Denied if code.contains("Expired") => "renew the credentials and try again".to_owned(),
        FaultKind::Denied
            if matches!(
                code,
                "AuthFailure"
                    | "InvalidClientTokenId"
                    | "SignatureDoesNotMatch"
                    | "UnrecognizedClientException"
            ) =>
        {
            "AWS does not accept these credentials: check the profile or role of the environment".to_owned()
        }
        FaultKind::Denied => format!("allow `{operation}` for this identity"),
        FaultKind::Unclear => "look at the resource before anything is repeated".to_owned(),
        _ => "change what AWS objects to, then plan again".to_owned(),
    }
}

fn no_credentials(operation: &str, error: &CredentialsError) -> Fault {
    let why = match error {
        CredentialsError::CredentialsNotLoaded(_) => "no AWS credentials were found".to_owned(),
        CredentialsError::ProviderTimedOut(_) => "the credentials were not given in time".to_owned(),
        other => format!("the credentials could not be had: {}", chain(other)),
    };
    Fault::new(
        FaultKind::NoCredentials,
        operation,
        "",
        why,
        "give the environment a `profile` or `role`, set AWS_PROFILE or AWS_ACCESS_KEY_ID, or log in with `aws sso login`",
    )
}

/// Whether a failed dispatch certainly never carried the call: the connection was not made.
fn never_sent(error: &(dyn Error + 'static)) -> bool {
    let refused = find_source::<io::Error>(error).is_some_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::AddrNotAvailable
        )
    });
    // The HTTP client's own types for these are private; its words are not.
    let words = chain(error).to_ascii_lowercase();
    refused || words.contains("dns error") || words.contains("http connect timeout")
}

/// The first error of type `T` in the chain.
fn find_source<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        at = error.source();
    }
    None
}

/// The whole chain of an error in one line, without repetitions.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut at = Some(error);
    while let Some(error) = at {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        at = error.source();
    }
    parts.join(": ")
}

/// The innermost error of a chain, which is the one that says why.
fn root(error: &(dyn Error + 'static)) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_classed_by_what_they_say_about_the_effect() {
        let cases = [
            ("RequestLimitExceeded", 503, FaultKind::Throttled),
            ("Throttling", 400, FaultKind::Throttled),
            ("PriorRequestNotComplete", 400, FaultKind::Throttled),
            ("DBInstanceNotFound", 404, FaultKind::Absent),
            ("InvalidInstanceID.NotFound", 400, FaultKind::Absent),
            ("NoSuchHostedZone", 404, FaultKind::Absent),
            ("ClusterNotFoundException", 400, FaultKind::Absent),
            ("UnauthorizedOperation", 403, FaultKind::Denied),
            ("SomethingElse", 403, FaultKind::Denied),
            ("InvalidParameterCombination", 400, FaultKind::Refused),
            ("InternalFailure", 500, FaultKind::Unclear),
            ("ServiceUnavailable", 503, FaultKind::Unclear),
        ];
        for (code, status, kind) in cases {
            assert_eq!(class_of(code, status), kind, "{code} with {status}");
        }
    }

    #[test]
    fn a_clock_that_is_off_is_told_from_a_wrong_key() {
        assert!(clock_is_off("RequestTimeTooSkewed", ""));
        let late = "Signature expired: 20260101T000000Z is now earlier than 20260101T005500Z";
        assert!(clock_is_off("InvalidSignatureException", late));
        assert!(!clock_is_off("SignatureDoesNotMatch", "The request signature we calculated does not match"));
        assert!(!clock_is_off("ExpiredToken", "The security token included in the request is expired"));
    }

    #[test]
    fn only_what_may_have_happened_is_unclear() {
        assert_eq!(FaultKind::Unclear.outcome(), CallOutcome::Unclear);
        for kind in [FaultKind::Refused, FaultKind::Throttled, FaultKind::Denied, FaultKind::Unreachable] {
            assert_eq!(kind.outcome(), CallOutcome::Refused);
        }
    }
}
