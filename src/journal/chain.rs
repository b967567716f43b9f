//! One line of the journal, and how it is tied to the one before. Text only: no files.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::samples::Seal;
use crate::run::event::{Event, Header};

/// What `prev` is on the first line.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const PREV: &str = "{\"prev\":\"";
const HASH: &str = ",\"sha256\":\"";
const END: &str = "\"}";
const HEX: usize = 64;

/// What a line says.
// The larger ones are rare, and none is held in numbers.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Body {
    /// The first line.
    Header(Box<Header>),
    /// Something happened.
    Event(Event),
    /// The samples file is complete, and this is what it came to.
    Samples(Seal),
}

/// The line of `body` after a line with hash `prev`, without its newline, and its hash.
pub(super) fn seal(prev: &str, body: &Body) -> Result<(String, String), serde_json::Error> {
    let json = serde_json::to_string(body)?;
    // The body is an object with one key: its braces become the line's own.
    let inner = json.get(1..json.len() - 1).unwrap_or_default();
    let covered = format!("{PREV}{prev}\",{inner}");
    let hash = hex(&Sha256::digest(covered.as_bytes()));
    Ok((format!("{covered}{HASH}{hash}{END}"), hash))
}

/// Reads a line (without its newline) that must follow a line with hash `prev`; gives what it
/// says and its hash. The error says why it is not as it was written.
pub(super) fn open(prev: &str, line: &[u8]) -> Result<(Body, String), String> {
    let line = std::str::from_utf8(line).map_err(|_| "it is not text".to_owned())?;
    let (covered, hash) = split(line).ok_or("it does not end with its `sha256`")?;
    let actual = hex(&Sha256::digest(covered.as_bytes()));
    if actual != hash {
        return Err(format!("its text has SHA-256 {actual}, and it says {hash}: it was changed"));
    }
    let rest = covered.strip_prefix(PREV).ok_or("it does not begin with `prev`")?;
    let (says, rest) = rest.split_at_checked(HEX).ok_or("its `prev` is too short")?;
    if says != prev {
        return Err(format!(
            "it follows a line with SHA-256 {says}, but the line before has {prev}: lines were removed, added or moved"
        ));
    }
    let inner = rest.strip_prefix("\",").ok_or("nothing follows its `prev`")?;
    let body = serde_json::from_str(&format!("{{{inner}}}"))
        .map_err(|error| format!("it cannot be understood: {error}"))?;
    Ok((body, hash.to_owned()))
}

fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_suffix(END)?;
    let (rest, hash) = line.split_at_checked(line.len().checked_sub(HEX)?)?;
    Some((rest.strip_suffix(HASH)?, hash))
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|n| char::from(DIGITS[usize::from(n)])).collect()
}
