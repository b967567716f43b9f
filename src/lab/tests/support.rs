//! Clients of the lab that share no code with it.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};

use crate::lab::Lab;

/// The SDK's clients, all pointed at one lab.
#[derive(Clone)]
pub(in crate::lab) struct Clients {
    endpoint: String,
    keys: (String, String),
    region: String,
}

impl Clients {
    pub(in crate::lab) fn of(lab: &Lab) -> Clients {
        let keys = ("test".to_owned(), "test".to_owned());
        Clients { endpoint: lab.endpoint_url(), keys, region: lab.region().to_owned() }
    }

    pub(in crate::lab) fn with_keys(mut self, id: &str, secret: &str) -> Clients {
        self.keys = (id.to_owned(), secret.to_owned());
        self
    }

    pub(in crate::lab) fn in_region(mut self, region: &str) -> Clients {
        self.region = region.to_owned();
        self
    }

    fn config(&self) -> aws_config::SdkConfig {
        let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        let http = aws_smithy_http_client::Builder::new().tls_provider(provider).build_https();
        let keys = Credentials::new(&self.keys.0, &self.keys.1, None, None, "test");
        aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new(self.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .endpoint_url(&self.endpoint)
            .http_client(http)
            .retry_config(RetryConfig::disabled())
            .build()
    }

    pub(in crate::lab) fn ec2(&self) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::new(&self.config())
    }

    pub(in crate::lab) fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.config())
    }

    pub(in crate::lab) fn ecs(&self) -> aws_sdk_ecs::Client {
        aws_sdk_ecs::Client::new(&self.config())
    }

    pub(in crate::lab) fn rds(&self) -> aws_sdk_rds::Client {
        aws_sdk_rds::Client::new(&self.config())
    }

    pub(in crate::lab) fn route53(&self) -> aws_sdk_route53::Client {
        aws_sdk_route53::Client::new(&self.config())
    }

    pub(in crate::lab) fn sts(&self) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config())
    }

    /// The ids of the running instances of an app.
    pub(in crate::lab) async fn instances(&self, app: &str) -> Vec<String> {
        use aws_sdk_ec2::types::Filter;
        let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let answer = self
            .ec2()
            .describe_instances()
            .filters(filter("tag:app", app))
            .filters(filter("instance-state-name", "running"))
            .send()
            .await
            .expect("instances");
        let instances = answer.reservations().iter().flat_map(|reservation| reservation.instances());
        instances.filter_map(|instance| instance.instance_id()).map(str::to_owned).collect()
    }

    /// The name of an instance's state.
    pub(in crate::lab) async fn state(&self, id: &str) -> String {
        let answer = self.ec2().describe_instances().instance_ids(id).send().await.expect("an instance");
        let state = answer.reservations()[0].instances()[0].state().and_then(|state| state.name());
        state.expect("a state").as_str().to_owned()
    }
}

/// AWS's code of a refused call.
pub(in crate::lab) fn code<T, E, R>(
    answer: &Result<T, aws_smithy_runtime_api::client::result::SdkError<E, R>>,
) -> String
where
    E: ProvideErrorMetadata,
{
    match answer {
        Ok(_) => "(the call was accepted)".to_owned(),
        Err(error) => error.code().unwrap_or("(no code)").to_owned(),
    }
}

/// Waits, in bounded time, until something holds.
pub(in crate::lab) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "not in 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The bytes of a question for a name's addresses.
pub(in crate::lab) fn question(name: &str) -> Vec<u8> {
    let mut question = Message::query();
    question.add_query(Query::query(Name::from_ascii(name).expect("a name"), RecordType::A));
    question.to_vec().expect("bytes")
}

/// The addresses in an answer's bytes.
pub(in crate::lab) fn addresses(answer: &[u8]) -> Vec<IpAddr> {
    let answer = Message::from_vec(answer).expect("a message");
    assert!(answer.metadata.authoritative);
    let data = answer.answers.iter().map(|record| &record.data);
    data.filter_map(|data| if let RData::A(address) = data { Some(IpAddr::V4(address.0)) } else { None })
        .collect()
}

/// Asks the lab's DNS server for the addresses of a name.
pub(in crate::lab) fn resolve(server: SocketAddr, name: &str) -> Vec<IpAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    socket.send_to(&question(name), server).expect("sent");
    let mut buffer = [0; 4096];
    let (length, from) = socket.recv_from(&mut buffer).expect("an answer");
    assert_eq!(from, server);
    addresses(&buffer[..length])
}

/// What an HTTP server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lab) struct Said {
    pub(in crate::lab) status: u16,
    pub(in crate::lab) head: String,
    pub(in crate::lab) body: String,
}

impl Said {
    pub(in crate::lab) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A plain HTTP client.
pub(in crate::lab) struct Client;

impl Client {
    pub(in crate::lab) fn get(address: SocketAddr, path: &str, host: &str) -> Result<Said, String> {
        Client::send(address, &format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"))
    }

    pub(in crate::lab) fn post(
        address: SocketAddr,
        path: &str,
        key: &str,
        body: &str,
    ) -> Result<Said, String> {
        let length = body.len();
        Client::send(
            address,
            &format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nidempotency-key: {key}\r\ncontent-length: {length}\r\n\
                 connection: close\r\n\r\n{body}"
            ),
        )
    }

    fn send(address: SocketAddr, request: &str) -> Result<Said, String> {
        let failed = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).map_err(failed)?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(failed)?;
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(failed)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no head")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
        Ok(Said { status, head: head.to_owned(), body: body.to_owned() })
    }
}

/// Asks a load balancer.
pub(in crate::lab) fn get(address: IpAddr, path: &str) -> Result<Said, String> {
    Client::get(SocketAddr::new(address, 8080), path, "shop.lab.test")
}
