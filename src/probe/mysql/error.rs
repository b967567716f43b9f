//! What MySQL's and MariaDB's errors mean to a sample, and to a write.

use mysql_async::{DriverError, Error, IoError, ServerError};

use crate::probe::trouble::{self, Trouble};
use crate::sample::{Cause, Class};

/// The errors of a server that takes no writes: `--read-only`, a read-only mode, a read-only transaction.
const READ_ONLY: [u16; 3] = [1290, 1836, 1792];

/// Why a session or a statement failed.
pub(crate) fn classify(error: &Error) -> Trouble {
    match error {
        Error::Server(server) => Trouble::new(Class::FailFast, cause_of(server.code), spoken(server)),
        Error::Io(IoError::Tls(_)) | Error::Driver(DriverError::NoClientSslFlagFromServer) => {
            Trouble::new(Class::FailFast, Cause::Tls, trouble::line(error))
        }
        Error::Driver(DriverError::ConnectionClosed) => {
            Trouble::new(Class::FailFast, Cause::Reset, "closed before the answer")
        }
        Error::Driver(
            DriverError::UnknownAuthPlugin { .. }
            | DriverError::MysqlOldPasswordDisabled
            | DriverError::CleartextPluginDisabled,
        ) => Trouble::new(Class::FailFast, Cause::Denied, trouble::line(error)),
        Error::Io(_) if trouble::find::<rustls::Error>(error).is_some() => {
            Trouble::new(Class::FailFast, Cause::Tls, trouble::line(error))
        }
        Error::Io(IoError::Io(io)) => Trouble { detail: trouble::line(io), ..Trouble::io(io, "") },
        _ => Trouble::new(Class::FailFast, Cause::Protocol, trouble::line(error)),
    }
}

/// An error of the server, in one line.
fn spoken(server: &ServerError) -> String {
    format!("{} (error {})", server.message.replace('\n', " "), server.code)
}

fn cause_of(code: u16) -> Cause {
    match code {
        code if READ_ONLY.contains(&code) => Cause::ReadOnly,
        // Too many connections of all, of this user, of this hour; shutting down; not ready (Galera); killed.
        1040 | 1203 | 1226 | 1053 | 1047 | 1927 | 3169 => Cause::Unavailable,
        // No such user, database or right; blocked or unknown host; TLS demanded.
        1044 | 1045 | 1049 | 1129 | 1130 | 1142 | 1143 | 1227 | 1698 | 3118 | 3159 => Cause::Denied,
        _ => Cause::Protocol,
    }
}

/// Whether an error after a write was sent proves that it took no effect.
///
/// Read-only servers and refusals of the session or of the statement's text are raised before
/// anything is written. All else stays unknown: a lock wait that times out (1205), a shutdown, a killed query, and a row that is there already
/// (1062), which does not say who put it there.
pub(crate) fn certainly_undone(error: &Error) -> bool {
    let Error::Server(server) = error else { return false };
    READ_ONLY.contains(&server.code)
        || matches!(
            server.code,
            1040 | 1045 | 2003 | 1044 | 1046 | 1047 | 1049 | 1054 | 1064 | 1142 | 1143 | 1146 | 1203 | 1226
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16) -> Error {
        Error::Server(ServerError { code, message: "no\nway".to_owned(), state: "HY000".to_owned() })
    }

    #[test]
    fn a_write_failed_for_certain_only_when_it_cannot_have_happened() {
        for code in [1290, 1836, 1792, 2003, 1040, 1045] {
            assert!(certainly_undone(&server(code)), "{code}");
        }
        for code in [2006, 2013, 1205, 1062, 1053, 1317, 1213, 1927, 9999] {
            assert!(!certainly_undone(&server(code)), "{code}");
        }
        assert!(!certainly_undone(&Error::Driver(DriverError::ConnectionClosed)));
    }

    #[test]
    fn errors_are_told_apart() {
        for (error, cause) in [
            (server(1290), Cause::ReadOnly),
            (server(1040), Cause::Unavailable),
            (server(1045), Cause::Denied),
            (server(1205), Cause::Protocol),
            (Error::Driver(DriverError::ConnectionClosed), Cause::Reset),
            (Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)), Cause::Refused),
            (Error::from(rustls::Error::DecryptError), Cause::Tls),
        ] {
            assert_eq!(classify(&error).cause, cause, "{error}");
        }
        assert_eq!(classify(&server(1290)).detail, "no way (error 1290)");
    }
}
