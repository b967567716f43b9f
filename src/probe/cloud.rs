//! What an AWS SDK's error says of a write: certainly not done, or unknown.

use std::error::Error;
use std::io;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::trouble::{self, Trouble};
use crate::sample::{Cause, Class};

/// What came of a write that was not simply done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The entry was there already: something on the way sent it twice.
    Applied(u16),
    /// It failed, or nobody knows.
    Trouble(Trouble),
}

/// Sorts the error of a write. `applied` are the codes that say that the entry is there already,
/// `unknown` those below 500 that leave it open.
pub(crate) fn refusal<E>(error: &SdkError<E, HttpResponse>, applied: &[&str], unknown: &[&str]) -> Refusal
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let text = trouble::line(error);
    let said = |class, cause| Refusal::Trouble(Trouble::new(class, cause, text.clone()));
    match error {
        SdkError::ConstructionFailure(_) => said(Class::FailFast, Cause::Protocol),
        SdkError::TimeoutError(_) => said(Class::Info, Cause::Timeout),
        SdkError::DispatchFailure(failure) => {
            let refused = trouble::find::<io::Error>(error).map(io::Error::kind);
            match failure.as_connector_error() {
                _ if text.contains("dns error") => said(Class::FailFast, Cause::Dns),
                _ if refused == Some(io::ErrorKind::ConnectionRefused) => {
                    said(Class::FailFast, Cause::Refused)
                }
                // Nothing is sent before the connection stands.
                _ if text.contains("connect timeout") => said(Class::FailFast, Cause::ConnectTimeout),
                Some(connector) if connector.is_user() => said(Class::FailFast, Cause::Protocol),
                Some(connector) if connector.is_timeout() => said(Class::Info, Cause::Timeout),
                Some(_) => said(Class::Info, Cause::Reset),
                // No connector was asked: there were no credentials.
                None => said(Class::FailFast, Cause::Denied),
            }
        }
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or_default();
            if applied.contains(&code) || (code.is_empty() && status == 412) {
                return Refusal::Applied(status);
            }
            let (class, cause) = sorted(status, code, unknown);
            let text = match (code, service.err().message()) {
                ("", _) => format!("status {status} to a write"),
                (code, message) => format!("{code}: {}", message.unwrap_or("no reason given")),
            };
            Refusal::Trouble(Trouble::new(class, cause, text).code(status))
        }
        _ => said(Class::Info, Cause::Protocol),
    }
}

fn sorted(status: u16, code: &str, unknown: &[&str]) -> (Class, Cause) {
    let throttled = ["SlowDown", "ThrottlingException", "RequestLimitExceeded", "Throttling"].contains(&code)
        || code.starts_with("ProvisionedThroughputExceeded");
    match status {
        _ if throttled => (Class::FailFast, Cause::Unavailable),
        _ if unknown.contains(&code) => (Class::Info, Cause::Status),
        401 | 403 => (Class::FailFast, Cause::Denied),
        500.. => (Class::Info, Cause::ServerError),
        _ if code.contains("AccessDenied") || code.contains("UnrecognizedClient") => {
            (Class::FailFast, Cause::Denied)
        }
        _ => (Class::FailFast, Cause::Status),
    }
}

/// The error of a call that only looks, in one line.
pub(crate) fn why<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match refusal(error, &[], &[]) {
        Refusal::Trouble(trouble) => trouble.detail,
        Refusal::Applied(status) => format!("status {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_certainly_undone_or_unknown() {
        for (status, code, class, cause) in [
            (400, "ProvisionedThroughputExceededException", Class::FailFast, Cause::Unavailable),
            (400, "ThrottlingException", Class::FailFast, Cause::Unavailable),
            (503, "SlowDown", Class::FailFast, Cause::Unavailable),
            (400, "ResourceNotFoundException", Class::FailFast, Cause::Status),
            (400, "ReplicatedWriteConflictException", Class::FailFast, Cause::Status),
            (400, "UnrecognizedClientException", Class::FailFast, Cause::Denied),
            (403, "AccessDenied", Class::FailFast, Cause::Denied),
            (409, "ConditionalRequestConflict", Class::Info, Cause::Status),
            (500, "InternalServerError", Class::Info, Cause::ServerError),
            (503, "ServiceUnavailable", Class::Info, Cause::ServerError),
        ] {
            let found = sorted(status, code, &["ConditionalRequestConflict"]);
            assert_eq!(found, (class, cause), "{status} {code}");
        }
    }
}
