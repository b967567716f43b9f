//! A gate that stands before an imitation of AWS and lets through what an IAM policy allows: actions,
//! resources and tags, as AWS checks them. It knows by itself which call needs what on what, and shares
//! nothing of that with firedrill.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support_moto::{Endpoint, Reply, Request, answer, identity, relay, xml, xml_error};

const HOME: &str = "eu-west-1:123456789012";
/// The only principal there is.
pub const USER: &str = "arn:aws:iam::123456789012:user/firedrill";

/// The gate, and what it does not let through.
pub struct Gate {
    pub endpoint: Endpoint,
    policy: Arc<Mutex<Value>>,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    /// Stands before `upstream`; open to everything until there is a policy.
    pub fn before(upstream: SocketAddr) -> Gate {
        let everything = serde_json::json!({
            "Statement": [{ "Effect": "Allow", "Action": ["*"], "Resource": ["*"] }]
        });
        let (policy, refused) = (Arc::new(Mutex::new(everything)), Arc::<Mutex<Vec<String>>>::default());
        let (law, book) = (policy.clone(), refused.clone());
        let endpoint = Endpoint::start(move |request| {
            let policy = law.lock().expect("no thread panicked with the lock").clone();
            pass(upstream, request, &policy, &book)
        });
        Gate { endpoint, policy, refused }
    }

    /// From now on only this is allowed.
    pub fn allow_only(&self, policy: Value) {
        *self.policy.lock().expect("no thread panicked with the lock") = policy;
        self.refused.lock().expect("no thread panicked with the lock").clear();
    }

    /// The calls that were not let through, with the resources.
    pub fn refused(&self) -> Vec<String> {
        self.refused.lock().expect("no thread panicked with the lock").clone()
    }
}

fn pass(upstream: SocketAddr, request: &Request, policy: &Value, refused: &Mutex<Vec<String>>) -> Reply {
    let Some(service) = signed_for(request) else { return relay(upstream, request) };
    let (operation, resources) = demanded(&service, request);
    // Always allowed, whatever a policy says.
    if operation == "GetCallerIdentity" {
        return identity();
    }
    let action = format!("{service}:{operation}");
    // All that is tagged here is tagged so.
    let tags = [
        ("aws:ResourceTag/app", "storefront"),
        ("aws:ResourceTag/app", "www"),
        ("aws:ResourceTag/site", "a"),
    ];
    if let Some(resource) = resources.iter().find(|resource| !allows(policy, &action, resource, &tags)) {
        refused.lock().expect("no thread panicked with the lock").push(format!("{action} on {resource}"));
        return denial(&service, &format!("{USER} is not authorized to perform: {action} on {resource}"));
    }
    if operation == "SimulatePrincipalPolicy" { simulated(request, policy) } else { relay(upstream, request) }
}

/// The service that a request was signed for, as IAM calls it.
fn signed_for(request: &Request) -> Option<String> {
    let scope = request.head.split("Credential=").nth(1)?.split([',', ' ']).next()?;
    scope.split('/').nth(3).map(str::to_owned)
}

fn form(request: &Request) -> Vec<(String, String)> {
    form_urlencoded::parse(&request.body).into_owned().collect()
}

/// The values of `name.1`, `name.2`, … in a form.
fn members(form: &[(String, String)], name: &str) -> Vec<String> {
    let numbered = |key: &str| {
        let number = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    form.iter().filter(|(key, _)| numbered(key)).map(|(_, value)| value.clone()).collect()
}

/// The operation, and the resources that it needs a permission for.
fn demanded(service: &str, request: &Request) -> (String, Vec<String>) {
    let form = form(request);
    let parameter = |name: &str| {
        form.iter().find(|(key, _)| key == name).map_or("*".to_owned(), |(_, value)| value.clone())
    };
    let everywhere = vec!["*".to_owned()];
    let operation = request.operation();
    match service {
        "ec2" if operation.starts_with("Describe") => (operation, everywhere),
        "ec2" => {
            let ids = members(&form, "InstanceId").into_iter();
            (operation, ids.map(|id| format!("arn:aws:ec2:{HOME}:instance/{id}")).collect())
        }
        "rds" if operation == "DescribeEvents" => (operation, everywhere),
        "rds" => {
            let arn = format!("arn:aws:rds:{HOME}:db:{}", parameter("DBInstanceIdentifier"));
            (operation, vec![arn])
        }
        "iam" => (operation, vec![parameter("PolicySourceArn")]),
        "ecs" => {
            let input: Value = serde_json::from_slice(&request.body).expect("JSON");
            let texts = |name: &str| -> Vec<String> {
                let list = input[name].as_array().into_iter().flatten();
                list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
            };
            let cluster = input["cluster"].as_str().unwrap_or("default");
            let resources = match operation.as_str() {
                "StopTask" => vec![input["task"].as_str().expect("a task").to_owned()],
                "DescribeTasks" => texts("tasks"),
                "DescribeServices" => {
                    let names = texts("services").into_iter();
                    names.map(|name| format!("arn:aws:ecs:{HOME}:service/{cluster}/{name}")).collect()
                }
                _ => everywhere,
            };
            (operation, resources)
        }
        "route53" => rest(request),
        _ => (operation, everywhere),
    }
}

/// Route 53's operations are methods on paths.
fn rest(request: &Request) -> (String, Vec<String>) {
    let mut words = request.head.split_whitespace();
    let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
    let parts: Vec<&str> = path.split(['/', '?']).filter(|part| !part.is_empty()).collect();
    let (name, resource) = match (method, parts.as_slice()) {
        ("GET", ["2013-04-01", "hostedzone", id, "rrset", ..]) => {
            ("ListResourceRecordSets", format!("arn:aws:route53:::hostedzone/{id}"))
        }
        ("POST", ["2013-04-01", "hostedzone", id, "rrset", ..]) => {
            ("ChangeResourceRecordSets", format!("arn:aws:route53:::hostedzone/{id}"))
        }
        ("GET", ["2013-04-01", "tags", "hostedzone", id]) => {
            ("ListTagsForResource", format!("arn:aws:route53:::hostedzone/{id}"))
        }
        ("GET", ["2013-04-01", "change", id]) => ("GetChange", format!("arn:aws:route53:::change/{id}")),
        ("GET", ["2013-04-01", "hostedzonesbyname", ..]) => ("ListHostedZonesByName", "*".to_owned()),
        other => panic!("the gate does not know {other:?}"),
    };
    (name.to_owned(), vec![resource])
}

/// Whether a policy's statements allow an action on a resource, with these values of condition keys.
fn allows(policy: &Value, action: &str, resource: &str, context: &[(&str, &str)]) -> bool {
    let any = |list: &Value, text: &str| {
        list.as_array().expect("a list").iter().any(|pattern| matches(pattern.as_str().expect("text"), text))
    };
    policy["Statement"].as_array().expect("statements").iter().any(|statement| {
        let held = statement["Condition"]["StringEquals"].as_object().into_iter().flatten();
        any(&statement["Action"], action)
            && any(&statement["Resource"], resource)
            && held.into_iter().all(|(key, value)| context.iter().any(|(k, v)| k == key && *v == value))
    })
}

/// Whether a text is as a pattern, whose `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches(after, &rest[at..]))
        }),
    }
}

fn simulated(request: &Request, policy: &Value) -> Reply {
    let form = form(request);
    let mut context: Vec<(String, String)> = Vec::new();
    for number in 1.. {
        let entry = |part: &str| {
            let name = format!("ContextEntries.member.{number}.{part}");
            form.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
        };
        let (Some(key), Some(value)) = (entry("ContextKeyName"), entry("ContextKeyValues.member.1")) else {
            break;
        };
        context.push((key, value));
    }
    let context: Vec<(&str, &str)> =
        context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut results = String::new();
    for action in members(&form, "ActionNames.member") {
        for resource in members(&form, "ResourceArns.member") {
            let decision =
                if allows(policy, &action, &resource, &context) { "allowed" } else { "implicitDeny" };
            results.push_str(&format!(
                "<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}</EvalResourceName>\
                 <EvalDecision>{decision}</EvalDecision></member>"
            ));
        }
    }
    let result = format!("<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>");
    xml("SimulatePrincipalPolicy", &result)
}

fn denial(service: &str, message: &str) -> Reply {
    match service {
        "ec2" => {
            let body = format!(
                "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>{message}</Message></Error>\
                 </Errors><RequestID>r</RequestID></Response>"
            );
            answer("403 Forbidden", "text/xml", &body)
        }
        "ecs" => {
            let body =
                serde_json::json!({ "__type": "AccessDeniedException", "message": message }).to_string();
            answer("400 Bad Request", "application/x-amz-json-1.1", &body)
        }
        _ => xml_error("403 Forbidden", "AccessDenied", message),
    }
}
