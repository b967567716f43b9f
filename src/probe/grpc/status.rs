//! What the statuses of gRPC, HTTP and HTTP/2 say of the service.

use h2::Reason;

use super::message::Health;
use crate::probe::trouble::Trouble;
use crate::sample::{Cause, Class};

/// Status 0 comes with an answer; every other one is bad.
pub(super) fn of_call(status: u16, message: &str) -> Trouble {
    let (name, class, cause) = match status {
        1 => ("CANCELLED", Class::FailFast, Cause::Reset),
        2 => ("UNKNOWN", Class::FailFast, Cause::ServerError),
        3 => ("INVALID_ARGUMENT", Class::FailFast, Cause::Protocol),
        4 => ("DEADLINE_EXCEEDED", Class::Timeout, Cause::Timeout),
        // The health service says so of a service that it does not know.
        5 => ("NOT_FOUND", Class::Wrong, Cause::Content),
        6 => ("ALREADY_EXISTS", Class::FailFast, Cause::Protocol),
        7 => ("PERMISSION_DENIED", Class::FailFast, Cause::Denied),
        8 => ("RESOURCE_EXHAUSTED", Class::FailFast, Cause::Unavailable),
        9 => ("FAILED_PRECONDITION", Class::FailFast, Cause::ServerError),
        10 => ("ABORTED", Class::FailFast, Cause::ServerError),
        11 => ("OUT_OF_RANGE", Class::FailFast, Cause::Protocol),
        // A server without a health service: it lives, but says nothing of its health.
        12 => ("UNIMPLEMENTED", Class::Wrong, Cause::Content),
        13 => ("INTERNAL", Class::FailFast, Cause::ServerError),
        14 => ("UNAVAILABLE", Class::FailFast, Cause::Unavailable),
        15 => ("DATA_LOSS", Class::FailFast, Cause::ServerError),
        16 => ("UNAUTHENTICATED", Class::FailFast, Cause::Denied),
        _ => ("not a status of gRPC", Class::FailFast, Cause::Protocol),
    };
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    Trouble::new(class, cause, format!("grpc-status {status} ({name}){message}")).code(status)
}

/// What a server says of a service: nothing to complain about, or the trouble.
pub(super) fn of_service(health: Health, service: &str) -> Result<(), Trouble> {
    let named = if service.is_empty() { "the server".to_owned() } else { format!("`{service}`") };
    let (class, cause, said) = match health {
        Health::Serving => return Ok(()),
        Health::NotServing => (Class::FailFast, Cause::Unavailable, "NOT_SERVING".to_owned()),
        Health::ServiceUnknown => (Class::Wrong, Cause::Content, "SERVICE_UNKNOWN".to_owned()),
        Health::Unknown => (Class::Wrong, Cause::Content, "UNKNOWN".to_owned()),
        Health::Other(number) => {
            (Class::Wrong, Cause::Content, format!("{number}, which is no status of a service"))
        }
    };
    Err(Trouble::new(class, cause, format!("{named} is {said}")))
}

/// An HTTP status without a `grpc-status`: something on the way answered in the server's place.
pub(super) fn of_http(status: u16) -> Trouble {
    let (class, cause) = match status {
        401 | 403 => (Class::FailFast, Cause::Denied),
        429 | 502..=504 => (Class::FailFast, Cause::Unavailable),
        500.. => (Class::FailFast, Cause::ServerError),
        _ => (Class::Wrong, Cause::Status),
    };
    Trouble::new(class, cause, format!("HTTP status {status} and no grpc-status")).code(status)
}

/// Why a connection or a stream of HTTP/2 ended.
pub(super) fn of_transport(error: &h2::Error) -> Trouble {
    if let Some(io) = error.get_io() {
        return Trouble::io(io, "HTTP/2");
    }
    let cause = match error.reason() {
        // The server is shutting down, has too much to do, or did not look at the request.
        Some(Reason::NO_ERROR | Reason::REFUSED_STREAM | Reason::ENHANCE_YOUR_CALM) => Cause::Unavailable,
        Some(Reason::CANCEL) => Cause::Reset,
        Some(Reason::INADEQUATE_SECURITY) => Cause::Denied,
        _ if error.to_string().contains("broken pipe") => Cause::Reset,
        _ => Cause::Protocol,
    };
    Trouble::new(Class::FailFast, cause, format!("HTTP/2: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_grpc_status_has_its_cause() {
        for (status, class, cause) in [
            (1, Class::FailFast, Cause::Reset),
            (2, Class::FailFast, Cause::ServerError),
            (3, Class::FailFast, Cause::Protocol),
            (4, Class::Timeout, Cause::Timeout),
            (5, Class::Wrong, Cause::Content),
            (7, Class::FailFast, Cause::Denied),
            (8, Class::FailFast, Cause::Unavailable),
            (12, Class::Wrong, Cause::Content),
            (13, Class::FailFast, Cause::ServerError),
            (14, Class::FailFast, Cause::Unavailable),
            (16, Class::FailFast, Cause::Denied),
            (99, Class::FailFast, Cause::Protocol),
        ] {
            let trouble = of_call(status, "why");
            assert_eq!((trouble.class, trouble.cause, trouble.code), (class, cause, status));
            assert!(trouble.detail.ends_with(": why"), "{}", trouble.detail);
        }
    }

    #[test]
    fn every_state_of_a_service_but_one_is_bad() {
        assert_eq!(of_service(Health::Serving, "s"), Ok(()));
        for (health, class, cause) in [
            (Health::NotServing, Class::FailFast, Cause::Unavailable),
            (Health::ServiceUnknown, Class::Wrong, Cause::Content),
            (Health::Unknown, Class::Wrong, Cause::Content),
            (Health::Other(9), Class::Wrong, Cause::Content),
        ] {
            let trouble = of_service(health, "s").unwrap_err();
            assert_eq!((trouble.class, trouble.cause), (class, cause), "{health:?}");
        }
    }

    #[test]
    fn what_answers_in_the_servers_place_is_told_by_its_status() {
        for (status, class, cause) in [
            (403, Class::FailFast, Cause::Denied),
            (404, Class::Wrong, Cause::Status),
            (429, Class::FailFast, Cause::Unavailable),
            (500, Class::FailFast, Cause::ServerError),
            (503, Class::FailFast, Cause::Unavailable),
        ] {
            let trouble = of_http(status);
            assert_eq!((trouble.class, trouble.cause, trouble.code), (class, cause, status));
        }
    }
}
