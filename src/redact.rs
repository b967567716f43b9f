//! Secrets, hidden by value wherever text leaves the program.
//!
//! A secret is known by its value, not by the name of the field it came from: so it is hidden in a
//! server's error message and in a program's output as well. This module knows nothing of files.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

/// What stands in a secret's place.
const MASK: &str = "***";
/// A value shorter than this is not hidden: it would stand in half of all text by chance.
const SHORTEST: usize = 4;
/// A line of a secret of several lines is hidden by itself from this length on.
const SHORTEST_LINE: usize = 8;
/// The part of an encoded secret that is its own is hidden from this length on.
const SHORTEST_ENCODED: usize = 8;
/// What a URL's path and query leave as it is, as most programs write them.
const LOOSE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'#').add(b'?').add(b'%');
/// The same, as RFC 3986 and JavaScript have it.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The secrets of a run.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Redactor {
    secrets: Vec<String>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} values)", self.secrets.len())
    }
}

impl Redactor {
    /// A redactor that knows no secret yet.
    pub fn new() -> Redactor {
        Redactor::default()
    }

    /// Hides this value from now on, and the forms in which it is likely to come back: the lines of a
    /// longer text, the password of a URL or DSN, and each of them percent-encoded, in base64, and with the
    /// escapes of JSON and HTML.
    pub fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        self.insert_encoded(secret);
        self.insert_encoded(&percent_decoded(secret));
        for line in secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE) {
            self.insert(line);
        }
        self.add_passwords(secret);
    }

    /// Hides the passwords that the text holds in URLs (`scheme://user:password@host`) and in DSNs
    /// (`password=…`), the rest of the text staying readable.
    pub fn add_passwords(&mut self, text: &str) {
        for password in passwords(text) {
            self.insert_encoded(password);
            self.insert_encoded(&percent_decoded(password));
        }
    }

    /// A secret as it is, and as a server or a program may have encoded it.
    fn insert_encoded(&mut self, secret: &str) {
        if secret.chars().count() < SHORTEST {
            return;
        }
        self.insert(secret);
        let escaped = serde_json::to_string(secret).unwrap_or_default();
        self.insert(escaped.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default());
        for set in [NON_ALPHANUMERIC, STRICT, LOOSE] {
            let encoded = utf8_percent_encode(secret, set).to_string();
            self.insert(&lower_percent(&encoded));
            // A form writes a space in its own way.
            self.insert(&encoded.replace("%20", "+"));
            self.insert(&encoded);
        }
        let html =
            secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        self.insert(&html);
        self.insert(&html.replace('\'', "&#39;"));
        for part in in_base64(secret) {
            self.insert(&part);
        }
    }

    /// Hides what `other` hides, too.
    pub fn extend(&mut self, other: &Redactor) {
        other.secrets.iter().for_each(|secret| self.insert(secret));
    }

    /// A salted hash over all that is hidden, in whichever order it was met.
    pub fn hash(&self, salt: &str) -> String {
        let mut secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        secrets.sort_unstable();
        salted(salt, secrets)
    }

    /// Whether nothing is hidden.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The text without its secrets. Secrets that overlap are hidden as one.
    pub fn clean(&self, text: &str) -> String {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for secret in &self.secrets {
            let mut from = 0;
            while let Some(at) = text.get(from..).and_then(|rest| rest.find(secret.as_str())) {
                let start = from + at;
                found.push((start, start + secret.len()));
                // One character on, since a secret can overlap itself.
                from = start + secret.chars().next().map_or(1, char::len_utf8);
            }
        }
        found.sort_unstable();
        let mut out = String::with_capacity(text.len());
        let mut clean_from = 0;
        for (start, end) in found {
            if start >= clean_from {
                out.push_str(text.get(clean_from..start).unwrap_or_default());
                out.push_str(MASK);
            }
            clean_from = clean_from.max(end);
        }
        out.push_str(text.get(clean_from..).unwrap_or_default());
        out
    }

    fn insert(&mut self, secret: &str) {
        if secret.chars().count() >= SHORTEST && !self.secrets.iter().any(|known| known == secret) {
            self.secrets.push(secret.to_owned());
        }
    }
}

/// Values that hold secrets, by name. They can be told apart, and are shown nowhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretValues(BTreeMap<String, String>);

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretValues({} values)", self.0.len())
    }
}

impl SecretValues {
    /// Keeps these values.
    pub fn new(values: BTreeMap<String, String>) -> SecretValues {
        SecretValues(values)
    }

    /// The salted hash of each.
    pub fn hashes(&self, salt: &str) -> BTreeMap<String, String> {
        let hash = |(name, value): (&String, &String)| (name.clone(), salted(salt, [value.as_str()]));
        self.0.iter().map(hash).collect()
    }
}

/// How often a hash is hashed again: a short password is not found by trying all, at the cost of some milliseconds.
const ROUNDS: usize = 20_000;

/// A hash by which secrets are told apart and not found out, in hexadecimal.
fn salted<'t>(salt: &str, texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut first = Sha256::new();
    first.update(salt.as_bytes());
    for text in texts {
        // The length, so that two texts cannot be read as two others.
        first.update((text.len() as u64).to_le_bytes());
        first.update(text.as_bytes());
    }
    let mut hash = first.finalize();
    for _ in 0..ROUNDS {
        hash = Sha256::new().chain_update(salt.as_bytes()).chain_update(hash).finalize();
    }
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The passwords in the URLs and key-value DSNs of a text.
pub fn passwords(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    // Most texts hold neither, and every text of a file is asked.
    if !text.contains('@') && !text.contains('=') {
        return found;
    }
    for (at, mark) in text.match_indices("://") {
        let rest = text.get(at + mark.len()..).unwrap_or_default();
        let authority = rest.split(['/', '?', '#', ' ', '\n', '"', '\'']).next().unwrap_or_default();
        let password = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
        found.extend(password.map(|(_, password)| password));
    }
    for (at, mark) in text.match_indices("password=") {
        let rest = text.get(at + mark.len()..).unwrap_or_default();
        let value = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next(),
            None => rest.split([' ', '&', '\n']).next(),
        };
        found.extend(value);
    }
    found.retain(|password| !password.is_empty());
    found
}

/// What a secret looks like in base64, which depends on where it stands in what is encoded. The characters
/// that also hold bits of its neighbours are left out.
fn in_base64(secret: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret.as_bytes());
        let first = (before * 8).div_ceil(6);
        let last = bytes.len() * 8 / 6;
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            parts.extend(
                encoded.get(first..last).filter(|part| part.len() >= SHORTEST_ENCODED).map(str::to_owned),
            );
        }
    }
    parts
}

/// The digits of percent encoding in lower case, the rest as it is.
fn lower_percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut digits = 0;
    for c in text.chars() {
        out.push(if digits > 0 { c.to_ascii_lowercase() } else { c });
        digits = if c == '%' { 2 } else { u8::saturating_sub(digits, 1) };
    }
    out
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = (*byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hiding(secrets: &[&str]) -> Redactor {
        let mut redactor = Redactor::new();
        secrets.iter().for_each(|secret| redactor.add(secret));
        redactor
    }

    #[test]
    fn a_dsn_hides_its_password_in_every_form() {
        let redactor = hiding(&["postgres://app:p%40ss-word@db:5432/orders"]);
        assert_eq!(
            redactor.clean("connecting to postgres://app:p%40ss-word@db:5432/orders"),
            "connecting to ***"
        );
        assert_eq!(redactor.clean("FATAL: password p@ss-word is wrong"), "FATAL: password *** is wrong");
        assert_eq!(redactor.clean("app:p%40ss-word@"), "app:***@");
    }

    #[test]
    fn passwords_are_found_in_urls_and_dsns() {
        let text =
            "https://u:secret1@h/x host=db password='se cret2' user=a; amqp://:secret3@h?password=secret4&x";
        assert_eq!(passwords(text), ["secret1", "secret3", "se cret2", "secret4"]);
        assert_eq!(passwords("http://h:80/a@b:c postgres://user@h/d"), Vec::<&str>::new());
    }

    #[test]
    fn overlapping_secrets_leave_no_rest() {
        assert_eq!(hiding(&["abcdef", "defghi"]).clean("<abcdefghi>"), "<***>");
        assert_eq!(hiding(&["abab"]).clean("ababab."), "***.");
    }

    #[test]
    fn a_short_value_hides_nothing() {
        assert_eq!(hiding(&["", "a", "yes"]).clean("a yes"), "a yes");
    }

    #[test]
    fn lines_and_escapes_of_a_secret_are_hidden() {
        let redactor = hiding(&["first line\nsecond \"line\"\n"]);
        assert_eq!(redactor.clean("x first line y second \"line\""), "x *** y ***");
        assert_eq!(redactor.clean(r#"{"v":"first line\nsecond \"line\""}"#), r#"{"v":"***"}"#);
    }

    #[test]
    fn a_secret_is_known_in_base64_wherever_it_stands() {
        let redactor = hiding(&["hunter22+hunter22"]);
        for before in ["", "u", "us", "user:", "a longer name:"] {
            let encoded = STANDARD_NO_PAD.encode(format!("{before}hunter22+hunter22"));
            let cleaned = redactor.clean(&encoded);
            assert!(
                cleaned.contains("***") && cleaned.len() < encoded.len() / 2 + before.len() + 6,
                "{cleaned}"
            );
        }
        assert_eq!(redactor.clean("key=hunter22%2bhunter22&x"), "key=***&x");
        assert_eq!(redactor.clean("key=hunter22%2Bhunter22&x"), "key=***&x");
        assert_eq!(hiding(&["a<b&c d"]).clean("a&lt;b&amp;c d a%3Cb%26c+d"), "*** ***");
    }

    #[test]
    fn it_does_not_show_what_it_hides() {
        let shown = format!("{:?}", hiding(&["hunter22"]));
        assert!(shown.starts_with("Redactor(") && !shown.contains("hunter"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_secret_is_left(secrets in proptest::collection::vec("[a-c]{4,8}", 1..4), text in "[a-c ]{0,60}") {
            let redactor = hiding(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
            let cleaned = redactor.clean(&text);
            for secret in &secrets {
                prop_assert!(!cleaned.contains(secret.as_str()));
            }
        }
    }
}
