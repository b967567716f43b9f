//! `prometheus`: what a monitoring server says of the service, by an instant query.

use std::time::Duration;

use indexmap::IndexMap;

use super::bounds::{Bounds, Number};
use super::http::{Tls, Url};
use crate::notation::units;
use crate::record;

mod answer;
pub(crate) mod ask;
mod query;

record! {
    /// Asks a Prometheus server an instant query; good when there are series and every value keeps the
    /// bounds. No data is a wrong answer, never a good one, and so is NaN. What it says lags behind by the scrape
    /// interval and the ranges in the query: the probe of a client sees an outage sooner and more exactly.
    pub struct Prometheus {
        /// The server, such as `http://prometheus.test:9090`; `/api/v1/query` is added to it.
        pub url: Url,
        /// The query, in PromQL.
        pub query: String,
        /// What a good answer looks like; without it, any data at all.
        pub expect: Option<Expect>,
        /// How often the server scrapes what the query reads: the probe cannot see a change sooner.
        pub scrape_interval: Duration = Duration::from_secs(60),
        /// Headers to send, by name.
        pub headers: Option<IndexMap<String, String>>,
        /// How the server's certificate is checked.
        pub tls: Option<Tls>,
        /// How long the connection may take: name, TCP and TLS. Keep it below 1s, when TCP
        /// repeats a lost SYN by itself.
        pub connect_timeout: Duration = Duration::from_millis(900),
        /// How long all of it may take.
        pub timeout: Duration = Duration::from_secs(5),
    }
}

record! {
    /// What every value of the answer must keep.
    pub struct Expect {
        /// Every value must be less than this.
        pub below: Option<Number>,
        /// Every value must be more than this.
        pub above: Option<Number>,
        /// How many series there must be.
        pub at_least_series: u32 = 1,
        /// How old the newest sample of every series may be. The query must then be a plain series, such as
        /// `up{job="shop"}`: what is computed has no age of its own.
        pub max_age: Option<Duration>,
    }
}

impl Expect {
    fn bounds(&self) -> Bounds {
        Bounds { below: self.below, above: self.above }
    }
}

impl Prometheus {
    /// One line for people: `up{job="shop"} at http://prometheus.test:9090/ is above 0`.
    pub fn summary(&self) -> String {
        let mut line = format!("`{}` at {}", self.query, self.url);
        let Some(expect) = &self.expect else { return line };
        if expect.below.is_some() || expect.above.is_some() {
            line.push_str(&format!(" is {}", expect.bounds()));
        }
        if expect.at_least_series != 1 {
            line.push_str(&format!(", {} series or more", expect.at_least_series));
        }
        if let Some(age) = expect.max_age {
            line.push_str(&format!(", not older than {}", units::show(age)));
        }
        line
    }

    /// How long a change can stay unseen, however often it is asked.
    pub fn blind_time(&self) -> Duration {
        self.scrape_interval + query::longest_range(&self.query)
    }
}

#[cfg(test)]
mod tests;
