//! Refusals in AWS's words, and how each protocol writes them.

use serde_json::json;

use super::Protocol;
use super::xml::Xml;

/// A refusal: what the service says instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The HTTP status.
    pub(crate) status: u16,
    /// AWS's error code, such as `InvalidInstanceID.NotFound`.
    pub(crate) code: String,
    /// AWS's message.
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Fault {
        Fault { status, code: code.to_owned(), message: message.into() }
    }

    /// An operation that the service does not have.
    pub(crate) fn unknown_operation(protocol: Protocol, operation: &str) -> Fault {
        let message = format!("The action {operation} is not valid for this web service.");
        match protocol {
            Protocol::Ec2 | Protocol::Query { .. } => Fault::new(400, "InvalidAction", message),
            Protocol::Json | Protocol::Cbor => Fault::new(400, "UnknownOperationException", message),
            Protocol::RestXml { .. } => Fault::new(404, "UnknownOperationException", message),
        }
    }

    /// Too many calls.
    pub(crate) fn throttled(protocol: Protocol) -> Fault {
        match protocol {
            Protocol::Ec2 => Fault::new(503, "RequestLimitExceeded", "Request limit exceeded."),
            Protocol::Json | Protocol::Cbor => Fault::new(400, "ThrottlingException", "Rate exceeded"),
            Protocol::Query { .. } | Protocol::RestXml { .. } => {
                Fault::new(400, "Throttling", "Rate exceeded")
            }
        }
    }

    /// The caller may not do this.
    pub(crate) fn denied(protocol: Protocol, caller: &str, service: &str, operation: &str) -> Fault {
        let message = format!(
            "User: {caller} is not authorized to perform: {service}:{operation} because no identity-based \
             policy allows the {service}:{operation} action"
        );
        match protocol {
            Protocol::Ec2 => Fault::new(403, "UnauthorizedOperation", message),
            Protocol::Json | Protocol::Cbor => Fault::new(400, "AccessDeniedException", message),
            Protocol::Query { .. } | Protocol::RestXml { .. } => Fault::new(403, "AccessDenied", message),
        }
    }

    /// An access key that belongs to nobody.
    pub(crate) fn unknown_key(protocol: Protocol) -> Fault {
        let message = "The security token included in the request is invalid.";
        match protocol {
            Protocol::Ec2 => {
                Fault::new(401, "AuthFailure", "AWS was not able to validate the provided access credentials")
            }
            Protocol::Json | Protocol::Cbor => Fault::new(400, "UnrecognizedClientException", message),
            Protocol::Query { .. } | Protocol::RestXml { .. } => {
                Fault::new(403, "InvalidClientTokenId", message)
            }
        }
    }

    /// The body in the protocol's shape.
    pub(super) fn body(&self, protocol: Protocol, request_id: &str) -> String {
        let kind = if self.status >= 500 { "Receiver" } else { "Sender" };
        let mut xml = Xml::new();
        match protocol {
            Protocol::Ec2 => {
                xml.node("Errors", |xml| {
                    xml.node("Error", |xml| {
                        xml.leaf("Code", &self.code).leaf("Message", &self.message);
                    });
                });
                xml.leaf("RequestID", request_id);
                let declaration = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
                let mut response = Xml::new();
                response.node("Response", |inner| {
                    inner.append(&xml);
                });
                format!("{declaration}\n{}", response.as_str())
            }
            Protocol::Query { namespace } | Protocol::RestXml { namespace } => {
                xml.node("Error", |xml| {
                    xml.leaf("Type", kind).leaf("Code", &self.code).leaf("Message", &self.message);
                });
                xml.leaf("RequestId", request_id);
                Xml::document("ErrorResponse", namespace, &xml)
            }
            // CBOR is written where answers are: it is no text.
            Protocol::Json | Protocol::Cbor => {
                json!({ "__type": self.code, "message": self.message }).to_string()
            }
        }
    }
}
