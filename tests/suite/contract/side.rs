//! One of the two that are compared, and what it told.

use std::fmt::Display;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;

/// Where the calls go.
pub(super) struct Side {
    pub(super) name: &'static str,
    endpoint: String,
    /// The hosted zone's id, which is each side's own.
    pub(super) zone: String,
}

impl Side {
    pub(super) fn of(name: &'static str, endpoint: &str) -> Side {
        Side { name, endpoint: endpoint.to_owned(), zone: String::new() }
    }

    pub(super) fn config_with(&self, key: &str, secret: &str, token: Option<&str>) -> aws_config::SdkConfig {
        let keys = Credentials::new(key, secret, token.map(str::to_owned), None, "test");
        aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .endpoint_url(&self.endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            // A row is one call: what would be repeated is an answer too.
            .retry_config(RetryConfig::disabled())
            .build()
    }

    pub(super) fn config(&self) -> aws_config::SdkConfig {
        self.config_with("test", "test", None)
    }
}

/// What one side told, row by row.
pub(super) struct Told {
    side: &'static str,
    pub(super) rows: Vec<String>,
    pub(super) wrong: Vec<String>,
}

impl Told {
    pub(super) fn by(side: &Side) -> Told {
        Told { side: side.name, rows: Vec::new(), wrong: Vec::new() }
    }

    /// A call that both answer as AWS does.
    pub(super) fn row(&mut self, call: &str, aws: &str, answer: impl Display) {
        self.hold(call, aws, &answer.to_string());
    }

    /// A call that the lab answers as AWS does, and moto in its own, wrong way.
    pub(super) fn but_moto(&mut self, call: &str, aws: &str, moto: &str, answer: impl Display) {
        let expected = if self.is_moto() { moto } else { aws };
        self.hold(call, expected, &answer.to_string());
    }

    pub(super) fn is_moto(&self) -> bool {
        self.side == "moto"
    }

    pub(super) fn and(mut self, other: Told) -> Told {
        self.rows.extend(other.rows);
        self.wrong.extend(other.wrong);
        self
    }

    fn hold(&mut self, call: &str, expected: &str, answer: &str) {
        if answer != expected {
            self.wrong
                .push(format!("  {}: {call}\n    expected {expected}\n    answered {answer}", self.side));
        }
        self.rows.push(call.to_owned());
    }
}

/// AWS's error code, `accepted`, or how there was no AWS answer at all.
pub(super) fn code<T, E, R>(answer: &Result<T, SdkError<E, R>>) -> String
where
    E: ProvideErrorMetadata,
{
    match answer {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.code().unwrap_or("no AWS answer").to_owned(),
    }
}

/// What `look` sees as soon as it is `wanted`, or what it saw last.
pub(super) async fn eventually<F: Future<Output = String>>(
    wanted: &str,
    mut look: impl FnMut() -> F,
) -> String {
    let begun = Instant::now();
    loop {
        let seen = look().await;
        if seen == wanted || begun.elapsed() > Duration::from_secs(8) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sorted and joined: what a list holds, whatever its order.
pub(super) fn sorted(items: impl IntoIterator<Item = String>) -> String {
    let mut items: Vec<String> = items.into_iter().collect();
    items.sort();
    items.join(", ")
}
