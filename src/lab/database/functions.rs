//! PostgreSQL's functions: what they return, and the value of those that depend on the session,
//! the node or the time.
//!
//! Such a value is put into the statement where it is first executed, so that every copy of the
//! database that executes it later gets the same row.

use std::net::{Ipv4Addr, SocketAddr};

use pgwire::api::Type;
use rusqlite::types::Value;

use super::settings;
use super::token::Token;
use super::types::timestamp_text;

/// The version that the database gives itself.
pub(super) const VERSION: &str = "15.0";

/// What session-dependent functions are answered from.
#[derive(Clone, Debug)]
pub(super) struct Context {
    /// The wall clock, in microseconds since the Unix epoch.
    pub(super) now: i64,
    /// When this node was last started.
    pub(super) started: i64,
    pub(super) address: Ipv4Addr,
    pub(super) peer: SocketAddr,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) pid: i32,
    pub(super) in_recovery: bool,
    pub(super) xid: u64,
    pub(super) lsn: u64,
    /// Random bits for this statement.
    pub(super) random: u128,
}

/// What a function returns, when its name alone decides that.
pub(super) fn returns(name: &str) -> Option<Type> {
    Some(match name {
        "now"
        | "clock_timestamp"
        | "statement_timestamp"
        | "transaction_timestamp"
        | "current_timestamp"
        | "pg_postmaster_start_time"
        | "pg_last_xact_replay_timestamp" => Type::TIMESTAMPTZ,
        "pg_is_in_recovery" | "exists" => Type::BOOL,
        "inet_server_addr" | "inet_client_addr" => Type::INET,
        "inet_server_port" | "inet_client_port" | "pg_backend_pid" | "length" | "char_length" => Type::INT4,
        "count" | "row_number" | "rank" | "dense_rank" | "txid_current" => Type::INT8,
        "pg_current_xact_id" => Type::XID8,
        "pg_current_wal_lsn"
        | "pg_current_wal_insert_lsn"
        | "pg_last_wal_receive_lsn"
        | "pg_last_wal_replay_lsn" => Type::PG_LSN,
        "gen_random_uuid" => Type::UUID,
        "version" | "current_setting" | "lower" | "upper" | "substr" | "substring" | "replace" | "trim"
        | "concat" | "string_agg" | "quote" | "hex" => Type::TEXT,
        "current_user" | "session_user" | "user" | "current_role" | "current_database"
        | "current_catalog" | "current_schema" => Type::NAME,
        "avg" | "random" => Type::FLOAT8,
        _ => return None,
    })
}

/// Whether a function is written without brackets.
pub(super) fn bare(name: &str) -> bool {
    matches!(
        name,
        "current_timestamp" | "current_user" | "session_user" | "user" | "current_role" | "current_catalog"
    )
}

/// The value of a function that depends on the session, the node or the time.
pub(super) fn value(name: &str, arguments: &[Token], context: &Context) -> Option<Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    let number = |number: i64| Value::Integer(number);
    Some(match name {
        "now" | "clock_timestamp" | "statement_timestamp" | "transaction_timestamp" | "current_timestamp" => {
            text(&timestamp_text(context.now))
        }
        "pg_last_xact_replay_timestamp" if context.in_recovery => text(&timestamp_text(context.now)),
        "pg_last_xact_replay_timestamp" => Value::Null,
        "pg_postmaster_start_time" => text(&timestamp_text(context.started)),
        "pg_is_in_recovery" => number(i64::from(context.in_recovery)),
        "inet_server_addr" => text(&context.address.to_string()),
        "inet_server_port" => number(5432),
        "inet_client_addr" => text(&context.peer.ip().to_string()),
        "inet_client_port" => number(context.peer.port().into()),
        "pg_backend_pid" => number(context.pid.into()),
        "txid_current" | "pg_current_xact_id" => number(context.xid.try_into().unwrap_or(i64::MAX)),
        "pg_current_wal_lsn"
        | "pg_current_wal_insert_lsn"
        | "pg_last_wal_receive_lsn"
        | "pg_last_wal_replay_lsn" => {
            let position = context.lsn.saturating_mul(64);
            text(&format!("{:X}/{:X}", position >> 32, position & 0xffff_ffff))
        }
        "gen_random_uuid" => text(&uuid(context.random)),
        "version" => text(&format!("PostgreSQL {VERSION} (the database of firedrill's lab)")),
        "current_setting" => {
            text(&settings::shown(arguments.first().and_then(setting)?, context.in_recovery)?)
        }
        "current_user" | "session_user" | "user" | "current_role" => text(&context.user),
        "current_database" | "current_catalog" => text(&context.database),
        "current_schema" => text("public"),
        _ => return None,
    })
}

fn setting(argument: &Token) -> Option<&str> {
    match argument {
        Token::Text(name) => Some(name),
        _ => None,
    }
}

/// A version 4 UUID of these bits.
fn uuid(random: u128) -> String {
    let bits = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
