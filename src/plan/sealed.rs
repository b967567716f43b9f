//! Files that show when they were edited: a JSON object of schema, SHA-256 and content.
//!
//! The hash is over the content as it is written, key for key. It shows a slip of the hand or of a merge; it is no
//! signature.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// A file larger than this is none of ours.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What is wrong with a sealed file. It fits after the file's name and a colon.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is larger than any of ours.
    #[error("it is larger than {} MiB, which no such file is", LARGEST / 1024 / 1024)]
    Large,
    /// It is no JSON, or not of the shape that its schema has.
    #[error("it is not what `{schema}` says: {why}")]
    Shape {
        /// The schema.
        schema: &'static str,
        /// What is wrong.
        why: String,
    },
    /// It is of another kind, or of another version.
    #[error("its `schema` is `{found}`, not `{expected}`")]
    Schema {
        /// What it says.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// Its content is not what its hash says.
    #[error("it was edited after it was written: its SHA-256 is {found}, and it says {said}")]
    Edited {
        /// The hash of the content.
        found: String,
        /// The hash in the file.
        said: String,
    },
}

/// The text of a sealed file: `content` under `key`.
///
/// # Errors
/// The content cannot be written as JSON.
pub fn seal(schema: &str, key: &str, content: &impl Serialize) -> io::Result<String> {
    let content = serde_json::to_value(content)?;
    let mut file = Map::new();
    file.insert("schema".to_owned(), Value::from(schema));
    file.insert("sha256".to_owned(), Value::from(digest(&content)));
    file.insert(key.to_owned(), content);
    Ok(serde_json::to_string_pretty(&file)? + "\n")
}

/// Reads a sealed file. Gives the content and its SHA-256.
///
/// # Errors
/// What is wrong with the file.
pub fn read<T: DeserializeOwned>(
    path: &Path,
    schema: &'static str,
    key: &'static str,
) -> Result<(T, String), Broken> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(Broken::Unreadable)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(Broken::Unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Broken::Large);
    }
    open(&bytes, schema, key)
}

fn open<T: DeserializeOwned>(
    bytes: &[u8],
    schema: &'static str,
    key: &'static str,
) -> Result<(T, String), Broken> {
    let shape = |why: String| Broken::Shape { schema, why };
    let mut file: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|error| shape(format!("no JSON object ({error})")))?;
    match file.remove("schema") {
        Some(Value::String(found)) if found == schema => {}
        Some(Value::String(found)) => {
            let found = crate::notation::decode::clip(&found);
            return Err(Broken::Schema { found, expected: schema });
        }
        _ => return Err(shape("it has no `schema`".to_owned())),
    }
    let Some(Value::String(said)) = file.remove("sha256") else {
        return Err(shape("it has no `sha256`".to_owned()));
    };
    let content = file.remove(key).ok_or_else(|| shape(format!("it has no `{key}`")))?;
    if let Some(other) = file.keys().next() {
        return Err(shape(format!("unknown key `{}`", crate::notation::decode::clip(other))));
    }
    let found = digest(&content);
    if found != said {
        return Err(Broken::Edited { found, said: crate::notation::decode::clip(&said) });
    }
    let content = serde_json::from_value(content).map_err(|error| shape(error.to_string()))?;
    Ok((content, found))
}

/// Writes a file that is not there yet, and syncs it.
///
/// # Errors
/// It is there, or cannot be written.
pub fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The SHA-256 of a value as it is written without spaces.
fn digest(content: &Value) -> String {
    hexadecimal(&Sha256::digest(content.to_string().as_bytes()))
}

/// Bytes in hexadecimal.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "firedrill/test/v1";

    fn opened(text: &str) -> Result<Vec<u32>, String> {
        open(text.as_bytes(), SCHEMA, "list").map(|(list, _)| list).map_err(|broken| broken.to_string())
    }

    #[test]
    fn what_was_sealed_is_read_back_however_it_is_laid_out() {
        let text = seal(SCHEMA, "list", &vec![1, 2, 3]).expect("sealed");
        assert_eq!(opened(&text), Ok(vec![1, 2, 3]));
        assert_eq!(opened(&text.replace(['\n', ' '], "")), Ok(vec![1, 2, 3]));
    }

    #[test]
    fn any_edit_is_told() {
        let text = seal(SCHEMA, "list", &vec![1, 2, 3]).expect("sealed");
        for (from, to, word) in [
            ("3", "4", "it was edited after it was written"),
            ("/v1", "/v2", "its `schema` is `firedrill/test/v2`"),
            ("\"list\"", "\"lists\"", "it has no `list`"),
            ("\"sha256\"", "\"sha\"", "it has no `sha256`"),
            ("\"schema\"", "\"extra\": 1, \"schema\"", "unknown key `extra`"),
        ] {
            let at = text.rfind(from).expect("it is there");
            let edited = format!("{}{to}{}", &text[..at], &text[at + from.len()..]);
            let why = opened(&edited).expect_err("edited");
            assert!(why.contains(word), "{from} -> {to}: {why}");
        }
    }

    #[test]
    fn hostile_files_are_errors_and_nothing_else() {
        let deep = "[".repeat(100_000);
        for hostile in ["", "{", "[]", "null", "\u{0}", "{\"schema\": 7}", deep.as_str()] {
            assert!(opened(hostile).is_err(), "{}", &hostile[..hostile.len().min(20)]);
        }
        let text = seal(SCHEMA, "list", &"not a list").expect("sealed");
        assert!(opened(&text).expect_err("a text").contains("it is not what `firedrill/test/v1` says"));
        assert!(matches!(read::<Vec<u32>>(Path::new("/dev/zero"), SCHEMA, "list"), Err(Broken::Large)));
    }
}
