//! What went wrong, in the few kinds that samples distinguish.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustix::io::Errno;

use super::{Answer, Rest};
use crate::clock::Moment;
use crate::sample::{Cause, Class, Phases};

/// A bad outcome and its reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trouble {
    pub(crate) class: Class,
    pub(crate) cause: Cause,
    pub(crate) code: u16,
    pub(crate) detail: String,
}

impl Trouble {
    pub(crate) fn new(class: Class, cause: Cause, detail: impl Into<String>) -> Trouble {
        Trouble { class, cause, code: 0, detail: detail.into() }
    }

    #[must_use]
    pub(crate) fn code(mut self, code: u16) -> Trouble {
        self.code = code;
        self
    }

    /// The deadline for the whole answer passed.
    pub(crate) fn late(detail: impl Into<String>) -> Trouble {
        Trouble::new(Class::Timeout, Cause::Timeout, detail)
    }

    /// The deadline for the connection passed.
    pub(crate) fn connect_late(detail: impl Into<String>) -> Trouble {
        Trouble::new(Class::Timeout, Cause::ConnectTimeout, detail)
    }

    /// The kind of an error of the operating system.
    pub(crate) fn io(error: &io::Error, doing: &str) -> Trouble {
        use io::ErrorKind::{
            AddrNotAvailable, BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset,
            HostUnreachable, NetworkDown, NetworkUnreachable, NotConnected, OutOfMemory, PermissionDenied,
            TimedOut, UnexpectedEof,
        };
        let (class, cause) = match error.kind() {
            _ if own_fault(error) => (Class::Void, Cause::Local),
            AddrNotAvailable | NetworkDown | OutOfMemory => (Class::Void, Cause::Local),
            ConnectionRefused => (Class::FailFast, Cause::Refused),
            ConnectionReset | ConnectionAborted | BrokenPipe | NotConnected | UnexpectedEof => {
                (Class::FailFast, Cause::Reset)
            }
            // A firewall that rejects answers EACCES or EPERM.
            HostUnreachable | NetworkUnreachable | PermissionDenied => (Class::FailFast, Cause::Unreachable),
            TimedOut => (Class::Timeout, Cause::Timeout),
            _ => (Class::FailFast, Cause::Protocol),
        };
        Trouble::new(class, cause, format!("{doing}: {error}"))
    }

    /// The answer that this trouble is.
    pub(crate) fn answer(self, sent: Moment, done: Moment) -> Answer {
        let Trouble { class, cause, code, detail } = self;
        Answer { class, cause, code, detail: Some(detail), ..Answer::good(sent, done, 0) }
    }

    /// The same for a write that had been sent: what is not certain becomes unknown. A fault of
    /// this machine after the sending leaves the write just as unknown.
    #[must_use]
    pub(crate) fn unknown(mut self) -> Trouble {
        self.class = Class::Info;
        self
    }
}

impl Answer {
    /// A good answer.
    pub fn good(sent: Moment, done: Moment, code: u16) -> Answer {
        Answer {
            sent,
            done,
            class: Class::Ok,
            cause: Cause::None,
            code,
            detail: None,
            who: None,
            phases: Phases::default(),
            rest: Rest::default(),
        }
    }

    /// The same, by whom.
    #[must_use]
    pub(crate) fn by(self, who: impl Into<Arc<str>>) -> Answer {
        Answer { who: Some(who.into()), ..self }
    }
}

/// Whether the error says that this machine ran out of something, whatever the service is doing.
fn own_fault(error: &io::Error) -> bool {
    let own = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error.raw_os_error().is_some_and(|raw| own.iter().any(|errno| errno.raw_os_error() == raw))
}

/// An error and everything beneath it, also what an `io::Error` wraps.
pub(crate) fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let this = next?;
        // `io::Error::source` skips the error that it wraps.
        let wrapped = this.downcast_ref::<io::Error>().and_then(|io| io.get_ref());
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => this.source(),
        };
        Some(this)
    })
}

/// The first error of a type in a chain.
pub(crate) fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    chain(error).find_map(|error| error.downcast_ref::<E>())
}

/// The texts of a chain as one line, without repeating what a text already says.
pub(crate) fn line(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    for text in chain(error).map(ToString::to_string) {
        if line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_void() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::ADDRNOTAVAIL, Errno::NETDOWN] {
            let trouble = Trouble::io(&errno.into(), "connect");
            assert_eq!((trouble.class, trouble.cause), (Class::Void, Cause::Local), "{errno}");
        }
    }

    #[test]
    fn what_the_network_says_is_down() {
        for (errno, cause) in [
            (Errno::CONNREFUSED, Cause::Refused),
            (Errno::CONNRESET, Cause::Reset),
            (Errno::PIPE, Cause::Reset),
            (Errno::HOSTUNREACH, Cause::Unreachable),
            (Errno::NETUNREACH, Cause::Unreachable),
        ] {
            let trouble = Trouble::io(&errno.into(), "connect");
            assert_eq!((trouble.class, trouble.cause), (Class::FailFast, cause), "{errno}");
        }
    }

    #[test]
    fn a_wrapped_error_is_found() {
        let tls = rustls::Error::HandshakeNotComplete;
        let outer = io::Error::new(io::ErrorKind::InvalidData, io::Error::other(tls));
        assert!(find::<rustls::Error>(&outer).is_some());
        assert!(find::<super::super::resolve::DnsFailure>(&outer).is_none());
    }
}
