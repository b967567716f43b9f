//! Where firedrill itself runs and what it reaches AWS by, so that a drill does not saw off its own branch.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::aws::marks::Marked;
use crate::spec::environment::Environment;

/// How long the metadata service of EC2 has in all. Where there is none, nothing answers.
const BUDGET: Duration = Duration::from_millis(300);
/// Where it is, unless the SDK's own variable says otherwise.
const METADATA: &str = "http://169.254.169.254";
/// An answer longer than this is none of theirs.
const LONGEST: usize = 64 * 1024;

/// What this process is, as AWS names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ourselves {
    /// The EC2 instance it runs on.
    pub instance: Option<String>,
    /// The ARN of the ECS task it runs in.
    pub task: Option<String>,
}

/// Asks the metadata services of EC2 (`AWS_EC2_METADATA_DISABLED=true` spares that) and of ECS. Where nobody
/// answers in time, it runs on neither.
pub async fn look() -> Ourselves {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let disabled =
        variable("AWS_EC2_METADATA_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true"));
    let metadata = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| METADATA.to_owned());
    let on_instance = async {
        if disabled {
            return None;
        }
        tokio::time::timeout(BUDGET, instance(metadata.trim_end_matches('/'))).await.ok()?
    };
    let in_task = async {
        let url = variable("ECS_CONTAINER_METADATA_URI_V4")?;
        tokio::time::timeout(BUDGET, task(url.trim_end_matches('/'))).await.ok()?
    };
    let (instance, task) = tokio::join!(on_instance, in_task);
    Ourselves { instance, task }
}

/// The instance's id, by IMDSv2: a token first.
async fn instance(metadata: &str) -> Option<String> {
    let lifetime = ("x-aws-ec2-metadata-token-ttl-seconds", "60");
    let token = ask(Method::PUT, &format!("{metadata}/latest/api/token"), lifetime).await?;
    let token = ("x-aws-ec2-metadata-token", token.trim());
    let id = ask(Method::GET, &format!("{metadata}/latest/meta-data/instance-id"), token).await?;
    Some(id.trim().to_owned()).filter(|id| id.starts_with("i-"))
}

async fn task(metadata: &str) -> Option<String> {
    let answer = ask(Method::GET, &format!("{metadata}/task"), ("accept", "application/json")).await?;
    let answer: serde_json::Value = serde_json::from_str(&answer).ok()?;
    Some(answer.get("TaskARN")?.as_str()?.to_owned())
}

/// One request over plain HTTP to an address that needs no resolving.
async fn ask(method: Method, url: &str, (name, value): (&str, &str)) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    let authority = uri.authority()?.clone();
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(uri.path())
        .header("host", authority.as_str())
        .header(name, value)
        .body(Full::<Bytes>::default())
        .ok()?;
    let answer = async {
        let response = sender.send_request(request).await.ok().filter(|r| r.status().is_success())?;
        let body = Limited::new(response.into_body(), LONGEST).collect().await.ok()?.to_bytes();
        String::from_utf8(body.to_vec()).ok()
    }
    .await;
    connection.abort();
    answer
}

/// The hosts that firedrill needs during a drill, each with what it needs it for.
pub fn lifelines(environment: &Environment) -> Vec<(String, String)> {
    let mut hosts = Vec::new();
    if let Some(host) = environment.endpoint_url.as_deref().and_then(host_of) {
        hosts.push((host, "`endpoint_url`, by which firedrill reaches AWS".to_owned()));
    }
    if let Some(resolver) = environment.resolver {
        hosts.push((resolver.ip().to_string(), "`resolver`, which the probes ask for names".to_owned()));
    }
    for reference in &environment.references {
        let why = "`references`, by which an outage is told from the own network being gone".to_owned();
        hosts.push((plain(&reference.host), why));
    }
    hosts
}

/// What of the marked resources firedrill itself stands on: a sentence for each.
pub fn stands_on(ourselves: &Ourselves, environment: &Environment, marked: &[Marked]) -> Vec<String> {
    let mut found = Vec::new();
    for resource in marked {
        let id = &resource.id;
        if ourselves.instance.as_ref() == Some(id) {
            found.push(format!("{id} is the EC2 instance on which firedrill itself runs"));
        }
        if ourselves.task.as_ref().is_some_and(|task| task == id || resource.tasks.contains(task)) {
            found.push(format!("{id} is the ECS task or service in which firedrill itself runs"));
        }
        for (host, what) in lifelines(environment) {
            if resource.addresses.iter().any(|address| leads_to(address, &host)) {
                found.push(format!("{id} is `{host}`: {what}"));
            }
        }
        // With no endpoint of its own, AWS is reached by these names; a private zone can hold them.
        let names = resource.addresses.iter().filter(|_| environment.endpoint_url.is_none());
        for name in names.filter(|name| is_api(name)) {
            found.push(format!("{id} is `{}`: a name by which firedrill reaches AWS", plain(name)));
        }
    }
    found
}

/// Whether an address or name, which may be a wildcard record's, is what `host` says.
fn leads_to(address: &str, host: &str) -> bool {
    let (address, host) = (plain(address), plain(host));
    match address.strip_prefix("*.") {
        Some(parent) => host.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => address == host,
    }
}

/// Whether a record's name is one of AWS's API endpoints.
fn is_api(name: &str) -> bool {
    let name = plain(name);
    // Load balancers and databases have names there as well; those are not what the API is called by.
    let served = ["elb", "rds", "compute", "cache"].iter().any(|part| name.split('.').any(|p| p == *part));
    (name.ends_with(".amazonaws.com") || name == "amazonaws.com") && !served
}

/// A name as it is compared: without the final dot, in small letters; an address in its usual form.
fn plain(name: &str) -> String {
    let name = name.trim_end_matches('.').replace("\\052", "*").to_ascii_lowercase();
    name.parse::<IpAddr>().map_or(name, |address| address.to_string())
}

/// The host of a URL.
fn host_of(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    Some(plain(uri.host()?.trim_matches(['[', ']'])))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::probe::tcp::Address;

    fn environment() -> Environment {
        Environment {
            endpoint_url: Some("https://api.internal.example.com:8443/aws".to_owned()),
            resolver: "10.0.0.2:53".parse().ok(),
            references: Address::parse("Canary.Example.com:443").into_iter().collect(),
            ..Environment::none()
        }
    }

    fn marked(id: &str, addresses: &[&str]) -> Marked {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        Marked { id: id.to_owned(), addresses, ..Marked::default() }
    }

    fn stands(marked: Marked) -> Vec<String> {
        stands_on(&Ourselves::default(), &environment(), &[marked])
    }

    #[test]
    fn what_firedrill_reaches_the_world_by_is_known_by_name_and_address() {
        for (address, word) in [
            ("api.internal.example.com", "`endpoint_url`"),
            ("API.internal.example.com.", "`endpoint_url`"),
            ("*.internal.example.com", "`endpoint_url`"),
            ("\\052.internal.example.com.", "`endpoint_url`"),
            ("10.0.0.2", "`resolver`"),
            ("canary.example.com", "`references`"),
        ] {
            let found = stands(marked("it", &[address]));
            assert!(found.len() == 1 && found[0].contains(word), "{address}: {found:?}");
        }
        for other in
            ["internal.example.com", "www.example.com", "10.0.0.20", "xapi.internal.example.com", "*.com.au"]
        {
            assert_eq!(stands(marked("it", &[other])), Vec::<String>::new(), "{other}");
        }
    }

    #[test]
    fn the_names_of_aws_count_only_when_aws_is_reached_by_them() {
        let api = marked("it", &["ec2.eu-west-1.amazonaws.com"]);
        let none = Environment::none();
        assert_eq!(stands_on(&Ourselves::default(), &none, std::slice::from_ref(&api)).len(), 1);
        assert_eq!(stands(api), Vec::<String>::new());
        let database = marked("it", &["orders.abc.eu-west-1.rds.amazonaws.com"]);
        assert_eq!(stands_on(&Ourselves::default(), &none, &[database]), Vec::<String>::new());
    }

    #[test]
    fn the_machine_and_the_task_that_it_runs_on_are_known() {
        let ourselves = Ourselves { instance: Some("i-1".to_owned()), task: Some("arn:t/2".to_owned()) };
        let none = Environment::none();
        let service = Marked { tasks: vec!["arn:t/2".to_owned()], ..marked("checkout", &[]) };
        for (resource, count) in
            [(marked("i-1", &[]), 1), (marked("arn:t/2", &[]), 1), (service, 1), (marked("i-2", &[]), 0)]
        {
            assert_eq!(
                stands_on(&ourselves, &none, std::slice::from_ref(&resource)).len(),
                count,
                "{resource:?}"
            );
        }
    }

    /// A metadata service that answers each request by its path.
    async fn service(answers: &'static [(&'static str, &'static str)]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut read = vec![0; 4096];
                let count = stream.read(&mut read).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&read[..count]).into_owned();
                let answer = answers.iter().find(|(line, _)| head.starts_with(line));
                let (status, body) = answer.map_or(("404 Not Found", ""), |(_, body)| ("200 OK", *body));
                let text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(text.as_bytes()).await;
            }
        });
        url
    }

    #[tokio::test]
    async fn the_metadata_services_are_asked_as_they_want_to_be() {
        let url =
            service(&[("PUT /latest/api/token", "t"), ("GET /latest/meta-data/instance-id", "i-0abc\n")])
                .await;
        assert_eq!(instance(&url).await.as_deref(), Some("i-0abc"));
        let url = service(&[("GET /v4/x/task", "{\"Cluster\":\"c\",\"TaskARN\":\"arn:task/1\"}")]).await;
        assert_eq!(task(&format!("{url}/v4/x")).await.as_deref(), Some("arn:task/1"));
        assert_eq!(instance(&url).await, None);
        assert_eq!(instance("http://127.0.0.1:1").await, None);
    }
}
