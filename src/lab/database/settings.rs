//! What SHOW answers. SET is accepted for any name and changes nothing: the settings that
//! clients set on connecting do not matter to the lab.

use super::functions::VERSION;

/// The value of a setting, unless the lab's database has none of that name.
pub(super) fn shown(name: &str, in_recovery: bool) -> Option<String> {
    let switch = |on: bool| if on { "on" } else { "off" };
    let value = match name.to_lowercase().as_str() {
        "transaction_read_only" | "default_transaction_read_only" | "in_hot_standby" => switch(in_recovery),
        "transaction_isolation" | "default_transaction_isolation" => "read committed",
        "server_version" => VERSION,
        "server_version_num" => "150000",
        "server_encoding" | "client_encoding" => "UTF8",
        "timezone" => "UTC",
        "datestyle" => "ISO, MDY",
        "search_path" => "\"$user\", public",
        "synchronous_commit" | "fsync" | "standard_conforming_strings" => "on",
        "max_connections" => "200",
        "statement_timeout" | "lock_timeout" | "idle_in_transaction_session_timeout" => "0",
        "application_name" => "",
        "port" => "5432",
        _ => return None,
    };
    Some(value.to_owned())
}
