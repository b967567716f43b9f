//! The wire protocols of the control plane: one HTTP server, dispatching on the service that a
//! request was signed for.
//!
//! It knows how calls and answers are written and who calls; what an operation does is the services'.

mod cbor;
mod fault;
mod params;
mod provoke;
mod reader;
mod xml;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use serde_json::Value;

pub(crate) use self::cbor::Cbor;
pub(crate) use self::fault::Fault;
pub(crate) use self::params::Params;
pub use self::provoke::Provocation;
pub(crate) use self::provoke::Provoked;
pub(crate) use self::reader::Element;
pub(crate) use self::xml::Xml;
use super::world::{ACCOUNT, REGION, USER_ARN, lock};

/// How a service's calls and answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// ec2Query: a form in, XML out.
    Ec2,
    /// awsQuery: a form in, XML out, wrapped in `<…Response><…Result>`.
    Query { namespace: &'static str },
    /// awsJson1.1.
    Json,
    /// rpcv2Cbor: the path names the operation. A service that speaks it speaks awsJson1.0 too, by the request.
    Cbor,
    /// REST-XML.
    RestXml { namespace: &'static str },
}

/// A call, decoded.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Such as `DescribeInstances`.
    pub(crate) operation: String,
    /// The parameters of the query protocols; of REST-XML, those of the URL.
    pub(crate) params: Params,
    /// The input of the JSON and CBOR protocols; null otherwise.
    pub(crate) json: Value,
    /// The path of the URL.
    pub(crate) path: String,
    /// The body as it came.
    pub(crate) body: String,
    /// Whose keys signed it.
    pub(crate) caller: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// What stands inside the result element (the protocol writes the elements around it).
    Xml(Xml),
    /// A JSON object.
    Json(Value),
    /// A CBOR map.
    Cbor(Cbor),
    /// REST-XML: the status, the root element's name, and what stands inside.
    Document(u16, &'static str, Xml),
}

/// A service of the control plane.
pub(crate) trait Service: Send + Sync {
    /// How its calls are written.
    fn protocol(&self) -> Protocol;

    /// The operation of a REST call. Other protocols name the operation themselves.
    fn operation(&self, _method: &Method, _path: &str) -> Option<&'static str> {
        None
    }

    /// Carries out a call. `None`: it has no such operation. Called within the lab's runtime; must not block.
    fn answer(&self, call: &Call) -> Result<Option<Answer>, Fault>;
}

/// Who the access keys belong to.
pub(crate) struct Identities(Mutex<BTreeMap<String, String>>);

impl Default for Identities {
    fn default() -> Identities {
        Identities(Mutex::new(BTreeMap::from([("test".to_owned(), USER_ARN.to_owned())])))
    }
}

impl Identities {
    /// Makes an access key known.
    pub(crate) fn add(&self, key: &str, arn: String) {
        lock(&self.0).insert(key.to_owned(), arn);
    }

    fn arn(&self, key: &str) -> Option<String> {
        lock(&self.0).get(key).cloned()
    }
}

/// The control plane: the services by the name that requests are signed for.
#[derive(Default)]
pub(crate) struct ControlPlane {
    services: BTreeMap<&'static str, Arc<dyn Service>>,
    pub(crate) identities: Arc<Identities>,
    pub(crate) provoked: Provoked,
    calls: Mutex<BTreeMap<String, u64>>,
    requests: AtomicU64,
}

/// What the Authorization header says of a caller.
struct Scope {
    key: String,
    region: String,
    service: String,
}

/// Bodies are small; whatever is larger is no call.
const LARGEST_BODY: usize = 1 << 20;

impl ControlPlane {
    /// Adds the service that requests signed for `name` go to.
    pub(crate) fn add(&mut self, name: &'static str, service: Arc<dyn Service>) {
        self.services.insert(name, service);
    }

    /// Calls so far, by operation. A call with `DryRun` counts as `<operation>(DryRun)`.
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        lock(&self.calls).clone()
    }

    /// Serves until the future is dropped.
    pub(crate) async fn serve(self: Arc<ControlPlane>, listener: tokio::net::TcpListener) {
        let router = axum::Router::new().fallback(move |request: Request<Body>| {
            let plane = Arc::clone(&self);
            async move { plane.respond(request).await }
        });
        // Accepting goes on after an error, so that serving ends with the lab alone.
        let _ = axum::serve(listener, router).await;
    }

    async fn respond(&self, request: Request<Body>) -> Response<Body> {
        let id = format!("00000000-0000-4000-8000-{:012x}", self.requests.fetch_add(1, Ordering::Relaxed));
        let (parts, body) = request.into_parts();
        let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
            return plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body could not be read, or is larger than 1 MiB",
            );
        };
        let Some(scope) = scope(&parts.headers) else {
            return plain(
                StatusCode::FORBIDDEN,
                "firedrill lab: this is an AWS endpoint. Requests must be signed (AWS Signature Version 4); \
                 the static keys `test` / `test` are accepted.",
            );
        };
        let Some(service) = self.services.get(scope.service.as_str()) else {
            let text = format!("firedrill lab: this region has no service `{}`", scope.service);
            return plain(StatusCode::NOT_IMPLEMENTED, &text);
        };
        let protocol = spoken(service.protocol(), &parts.headers);
        let call = match decode(
            service.as_ref(),
            protocol,
            &parts.method,
            parts.uri.path(),
            parts.uri.query(),
            &parts.headers,
            &body,
        ) {
            Ok(call) => call,
            Err(fault) => return refuse(protocol, &id, &fault),
        };
        self.count(&call);
        match self.carry_out(service.as_ref(), protocol, &scope, call).await {
            Some(Ok((operation, answer))) => accept(protocol, &operation, &id, answer),
            Some(Err(fault)) => refuse(protocol, &id, &fault),
            None => html_500(),
        }
    }

    fn count(&self, call: &Call) {
        let dry = if call.params.flag("DryRun") { "(DryRun)" } else { "" };
        *lock(&self.calls).entry(format!("{}{dry}", call.operation)).or_default() += 1;
    }

    /// Authenticates, provokes, dispatches. `None` is a page of HTML.
    async fn carry_out(
        &self,
        service: &dyn Service,
        protocol: Protocol,
        scope: &Scope,
        mut call: Call,
    ) -> Option<Result<(String, Answer), Fault>> {
        let Some(caller) = self.identities.arn(&scope.key) else {
            return Some(Err(Fault::unknown_key(protocol)));
        };
        // Route 53, IAM and STS are global: their requests may be signed for any region.
        if scope.region != REGION && !matches!(scope.service.as_str(), "route53" | "iam" | "sts") {
            let message = format!(
                "Credential should be scoped to a valid region, not '{}'. The lab is region '{REGION}'.",
                scope.region
            );
            return Some(Err(Fault::new(403, "SignatureDoesNotMatch", message)));
        }
        call.caller = caller;
        let provocation = self.provoked.next(&call.operation);
        match provocation {
            Provocation::Throttle(_) => return Some(Err(Fault::throttled(protocol))),
            Provocation::Hang => std::future::pending().await,
            Provocation::Html500 => return None,
            Provocation::AccessDenied => {
                return Some(Err(Fault::denied(protocol, &call.caller, &scope.service, &call.operation)));
            }
            Provocation::HangAfter | Provocation::None => {}
        }
        let answer = match service.answer(&call) {
            Ok(Some(answer)) => Ok((call.operation, answer)),
            Ok(None) => Err(Fault::unknown_operation(protocol, &call.operation)),
            Err(fault) => Err(fault),
        };
        if provocation == Provocation::HangAfter {
            std::future::pending::<()>().await;
        }
        Some(answer)
    }
}

/// Reads `Credential=AKID/date/region/service/aws4_request`.
fn scope(headers: &HeaderMap) -> Option<Scope> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let credential = text.split("Credential=").nth(1)?;
    let mut parts = credential.split([',', ' ']).next()?.split('/');
    let (key, _date) = (parts.next()?.to_owned(), parts.next()?);
    Some(Scope { key, region: parts.next()?.to_owned(), service: parts.next()?.to_owned() })
}

/// The protocol of one request: what is addressed as awsJson is, whatever else the service speaks.
fn spoken(protocol: Protocol, headers: &HeaderMap) -> Protocol {
    let json = headers.contains_key("x-amz-target");
    if protocol == Protocol::Cbor && json { Protocol::Json } else { protocol }
}

fn decode(
    service: &dyn Service,
    protocol: Protocol,
    method: &Method,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Call, Fault> {
    let bytes = body;
    let body = String::from_utf8_lossy(body).into_owned();
    let mut params = Params::from_form(query.unwrap_or_default());
    let mut json = Value::Null;
    let operation = match protocol {
        Protocol::Ec2 | Protocol::Query { .. } => {
            params = Params::from_form(&body);
            params.get("Action").map(str::to_owned)
        }
        Protocol::Json => {
            json = serde_json::from_str(&body).map_err(|error| {
                Fault::new(400, "SerializationException", format!("the body is not JSON: {error}"))
            })?;
            let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
            target.and_then(|target| target.rsplit('.').next()).map(str::to_owned)
        }
        Protocol::Cbor => {
            json = cbor::read(bytes).ok_or_else(|| {
                Fault::new(400, "SerializationException", "the body is not CBOR".to_owned())
            })?;
            path.rsplit_once("/operation/").map(|(_, operation)| operation.to_owned())
        }
        Protocol::RestXml { .. } => service.operation(method, path).map(str::to_owned),
    };
    let operation =
        operation.ok_or_else(|| Fault::unknown_operation(protocol, &format!("{method} {path}")))?;
    Ok(Call { operation, params, json, path: path.to_owned(), body, caller: String::new() })
}

fn accept(protocol: Protocol, operation: &str, id: &str, answer: Answer) -> Response<Body> {
    let response = format!("{operation}Response");
    match (protocol, answer) {
        (Protocol::Json, Answer::Cbor(value)) => {
            respond_with(200, "application/x-amz-json-1.0", id, value.json().to_string())
        }
        (_, Answer::Cbor(value)) => speaking_cbor(respond_with(200, cbor::TYPE, id, value.bytes())),
        (_, Answer::Json(value)) => respond_with(200, "application/x-amz-json-1.1", id, value.to_string()),
        (Protocol::RestXml { namespace }, Answer::Document(status, root, xml)) => {
            respond_with(status, "text/xml", id, Xml::document(root, namespace, &xml))
        }
        (_, Answer::Document(status, root, xml)) => {
            respond_with(status, "text/xml", id, Xml::document(root, "", &xml))
        }
        (Protocol::Query { namespace }, Answer::Xml(inside)) => {
            let mut xml = Xml::new();
            xml.node(&format!("{operation}Result"), |xml| {
                xml.append(&inside);
            });
            xml.node("ResponseMetadata", |xml| {
                xml.leaf("RequestId", id);
            });
            respond_with(200, "text/xml", id, Xml::document(&response, namespace, &xml))
        }
        (_, Answer::Xml(inside)) => {
            let mut xml = Xml::new();
            xml.leaf("requestId", id).append(&inside);
            let namespace = "http://ec2.amazonaws.com/doc/2016-11-15/";
            respond_with(200, "text/xml", id, Xml::document(&response, namespace, &xml))
        }
    }
}

fn refuse(protocol: Protocol, id: &str, fault: &Fault) -> Response<Body> {
    if protocol == Protocol::Cbor {
        let text = |text: &str| Cbor::Text(text.to_owned());
        let body = Cbor::Map(vec![("__type", text(&fault.code)), ("message", text(&fault.message))]);
        return speaking_cbor(respond_with(fault.status, cbor::TYPE, id, body.bytes()));
    }
    let kind = if protocol == Protocol::Json { "application/x-amz-json-1.1" } else { "text/xml" };
    respond_with(fault.status, kind, id, fault.body(protocol, id))
}

/// The header by which the clients know the protocol.
fn speaking_cbor(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert("smithy-protocol", header::HeaderValue::from_static("rpc-v2-cbor"));
    response
}

fn respond_with(status: u16, content_type: &'static str, id: &str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    if let Ok(id) = header::HeaderValue::from_str(id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    response
}

fn html_500() -> Response<Body> {
    let page = "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n\
                <h1>Internal Server Error</h1>\n";
    let mut response = plain(StatusCode::INTERNAL_SERVER_ERROR, page);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html"));
    response
}

/// The ARN of a resource of the lab's account and region.
pub(crate) fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}
