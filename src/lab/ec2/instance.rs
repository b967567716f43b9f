//! One instance: its state and its web server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::Template;
use crate::lab::plane::{Handler, Request, Response, Server};
use crate::lab::world::HTTP_PORT;

/// An instance's state, as EC2 names and numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Running => "running",
            State::ShuttingDown => "shutting-down",
            State::Terminated => "terminated",
            State::Stopping => "stopping",
            State::Stopped => "stopped",
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            State::Pending => 0,
            State::Running => 16,
            State::ShuttingDown => 32,
            State::Terminated => 48,
            State::Stopping => 64,
            State::Stopped => 80,
        }
    }
}

/// An instance.
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) zone: &'static str,
    pub(crate) address: Ipv4Addr,
    /// Sorted.
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) template: Template,
    pub(crate) state: State,
    pub(crate) launched: Timestamp,
    /// Why it is in a state that somebody brought about: AWS's code and message.
    pub(crate) reason: Option<(&'static str, &'static str)>,
    pub(crate) termination_protected: bool,
    pub(crate) stop_protected: bool,
    /// Counts the changes of state: a transition that is due belongs to one of them.
    pub(crate) changes: u64,
    server: Option<Server>,
}

impl Instance {
    pub(super) fn new(
        id: String,
        zone: &'static str,
        address: Ipv4Addr,
        tags: Vec<(String, String)>,
        template: Template,
        launched: Timestamp,
    ) -> Instance {
        Instance {
            id,
            zone,
            address,
            tags,
            template,
            state: State::Pending,
            launched,
            reason: None,
            termination_protected: false,
            stop_protected: false,
            changes: 0,
            server: None,
        }
    }

    /// The value of a tag.
    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Its web server accepts from now on.
    pub(super) fn open(&mut self) -> std::io::Result<()> {
        let at = SocketAddr::new(IpAddr::V4(self.address), HTTP_PORT);
        let handler = web(&self.id, self.zone, self.template.site);
        let balancer = self.template.balancer.clone();
        // A server of before would still hold the address.
        self.server = None;
        let opened = balancer.set_alive(&self.id, true, || Server::open(at, handler));
        match opened {
            Ok(server) => {
                self.server = Some(server);
                Ok(())
            }
            Err(error) => {
                balancer.set_alive(&self.id, false, || ());
                Err(error)
            }
        }
    }

    /// Its listener and all its connections are closed when this returns.
    pub(super) fn close(&mut self) {
        let server = self.server.take();
        self.template.balancer.clone().set_alive(&self.id, false, || drop(server));
    }
}

/// What an instance serves: pages that say who served them.
fn web(id: &str, zone: &str, site: &str) -> Handler {
    let facts: Arc<[(&'static str, String)]> =
        Arc::new([("x-instance", id.to_owned()), ("x-zone", zone.to_owned()), ("x-site", site.to_owned())]);
    Arc::new(move |request: Request| {
        let facts = Arc::clone(&facts);
        let answer: BoxFuture<'static, Response> = Box::pin(async move {
            let found = matches!(request.path(), "/" | "/health");
            let page = if found { Response::text(200, "ok\n") } else { Response::text(404, "not found\n") };
            facts.iter().fold(page, |page, (name, value)| page.with(name, value))
        });
        answer
    })
}
