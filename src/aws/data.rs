//! The stores that ledgers write to: clients for their data, in whatever region.
//!
//! These calls are a probe's own: numbered entries into a table or bucket that the experiment names. They
//! change nothing that a drill is about, so the guard does not announce them; and they are never
//! repeated, since a repeated write is another write.

use std::fmt;
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::Settings;

/// How long a connection may take: below a second, when TCP repeats a lost SYN by itself.
const CONNECT: Duration = Duration::from_millis(900);

/// What the ledgers get their clients from.
#[derive(Clone)]
pub struct DataPlane {
    config: SdkConfig,
    region: String,
    own_endpoint: bool,
    lab: bool,
}

impl fmt::Debug for DataPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataPlane").field("region", &self.region).finish_non_exhaustive()
    }
}

impl DataPlane {
    pub(super) fn new(config: &SdkConfig, settings: &Settings) -> DataPlane {
        DataPlane {
            config: config.clone(),
            region: settings.region.clone(),
            own_endpoint: settings.endpoint_url.is_some(),
            lab: settings.in_lab(),
        }
    }

    /// Whether this is the lab, whose time is scaled down.
    pub fn in_lab(&self) -> bool {
        self.lab
    }

    /// The region of the environment.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// A client for DynamoDB in a region, which repeats nothing.
    pub(crate) fn dynamodb(&self, region: &str, limit: Duration) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(limit));
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// A client for S3 in a region, which repeats nothing.
    pub(crate) fn s3(&self, region: &str, limit: Duration) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            // An endpoint of one's own has no name for each bucket.
            .force_path_style(self.own_endpoint)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(limit));
        aws_sdk_s3::Client::from_conf(config.build())
    }
}

fn timeouts(limit: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT.min(limit)).operation_timeout(limit).build()
}
