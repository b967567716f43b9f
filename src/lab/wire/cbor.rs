//! CBOR (RFC 8949), as far as the rpcv2Cbor protocol uses it.

use serde_json::{Map, Value};

/// The content type.
pub(super) const TYPE: &str = "application/cbor";

/// Deeper than any call goes.
const DEEPEST: usize = 32;

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cbor {
    Text(String),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// Seconds since 1970.
    Time(f64),
    Array(Vec<Cbor>),
    Map(Vec<(&'static str, Cbor)>),
}

impl Cbor {
    /// As bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// The same for those who speak JSON.
    pub(crate) fn json(&self) -> Value {
        match self {
            Cbor::Text(text) => text.as_str().into(),
            Cbor::Int(number) => (*number).into(),
            Cbor::Double(number) | Cbor::Time(number) => (*number).into(),
            Cbor::Bool(value) => (*value).into(),
            Cbor::Array(items) => items.iter().map(Cbor::json).collect(),
            Cbor::Map(entries) => Value::Object(
                entries.iter().map(|(name, value)| ((*name).to_owned(), value.json())).collect(),
            ),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Cbor::Text(text) => write_text(out, text),
            Cbor::Int(number) if *number < 0 => head(out, 1, number.unsigned_abs() - 1),
            Cbor::Int(number) => head(out, 0, number.unsigned_abs()),
            Cbor::Double(number) => {
                out.push(0xfb);
                out.extend(number.to_be_bytes());
            }
            Cbor::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
            Cbor::Time(seconds) => {
                head(out, 6, 1);
                Cbor::Double(*seconds).write(out);
            }
            Cbor::Array(items) => {
                head(out, 4, items.len() as u64);
                items.iter().for_each(|item| item.write(out));
            }
            Cbor::Map(entries) => {
                head(out, 5, entries.len() as u64);
                for (name, value) in entries {
                    write_text(out, name);
                    value.write(out);
                }
            }
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    head(out, 3, text.len() as u64);
    out.extend(text.as_bytes());
}

/// An item's first bytes: its major type and its argument, in as few bytes as it takes.
fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let bytes = argument.to_be_bytes();
    match argument {
        0..=23 => out.push(major << 5 | bytes[7]),
        24..=0xff => out.extend([major << 5 | 24, bytes[7]]),
        0x100..=0xffff => {
            out.push(major << 5 | 25);
            out.extend(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major << 5 | 26);
            out.extend(&bytes[4..]);
        }
        _ => {
            out.push(major << 5 | 27);
            out.extend(bytes);
        }
    }
}

/// The input of a call; nothing when it is not CBOR, or has what no call has. An empty body is an empty input.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() {
        return Some(Value::Object(Map::new()));
    }
    let mut reader = Reader { rest: bytes };
    let value = reader.value(0)?;
    reader.rest.is_empty().then_some(value)
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// The major type, the low bits, and the argument (nothing for an indefinite length).
    fn head(&mut self) -> Option<(u8, u8, Option<u64>)> {
        let first = *self.take(1)?.first()?;
        let (major, low) = (first >> 5, first & 0x1f);
        let argument = match low {
            0..=23 => Some(u64::from(low)),
            24..=27 => {
                let bytes = self.take(1 << (low - 24))?;
                Some(bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
            }
            31 => None,
            _ => return None,
        };
        Some((major, low, argument))
    }

    fn ended(&mut self) -> bool {
        let ended = self.rest.first() == Some(&0xff);
        if ended {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        ended
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        let (major, low, argument) = self.head()?;
        match (major, argument) {
            (0, Some(number)) => Some(number.into()),
            (1, Some(number)) => Some((-1 - i64::try_from(number).ok()?).into()),
            (3, Some(length)) => {
                let text = self.take(usize::try_from(length).ok()?)?;
                Some(std::str::from_utf8(text).ok()?.into())
            }
            (4, length) => self.items(length, |reader| reader.value(depth + 1)).map(Value::Array),
            (5, length) => {
                let entries = self.items(length, |reader| {
                    let Value::String(name) = reader.value(depth + 1)? else { return None };
                    Some((name, reader.value(depth + 1)?))
                })?;
                Some(Value::Object(entries.into_iter().collect()))
            }
            // A tag says what the value is for.
            (6, Some(_)) => self.value(depth + 1),
            (7, Some(bits)) => Some(match low {
                20 => false.into(),
                21 => true.into(),
                22 | 23 => Value::Null,
                26 => f64::from(f32::from_bits(u32::try_from(bits).ok()?)).into(),
                27 => f64::from_bits(bits).into(),
                _ => return None,
            }),
            _ => None,
        }
    }

    fn items<T>(
        &mut self,
        length: Option<u64>,
        mut one: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut items = Vec::new();
        loop {
            match length {
                Some(length) if items.len() as u64 >= length => return Some(items),
                None if self.ended() => return Some(items),
                _ => items.push(one(self)?),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let text = |text: &str| Cbor::Text(text.to_owned());
        let value = Cbor::Map(vec![
            ("name", text(&"x".repeat(300))),
            ("numbers", Cbor::Array([0, 23, 24, 255, 256, 70_000, -1, -500].map(Cbor::Int).into())),
            ("threshold", Cbor::Double(1.5)),
            ("on", Cbor::Bool(true)),
            ("at", Cbor::Time(1_700_000_000.25)),
        ]);
        let expected = json!({
            "name": "x".repeat(300), "numbers": [0, 23, 24, 255, 256, 70_000, -1, -500],
            "threshold": 1.5, "on": true, "at": 1_700_000_000.25,
        });
        assert_eq!(value.json(), expected);
        assert_eq!(read(&value.bytes()), Some(expected));
    }

    #[test]
    fn indefinite_lengths_are_read_and_nonsense_is_not() {
        // {_ "AlarmNames": ["a"]}
        let bytes = [&[0xbf, 0x6a][..], b"AlarmNames", &[0x81, 0x61, b'a', 0xff]].concat();
        assert_eq!(read(&bytes), Some(json!({ "AlarmNames": ["a"] })));
        assert_eq!(read(&[]), Some(json!({})));
        for wrong in
            [&[0xff][..], &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[0x62, b'a'], &[0x81; 90]]
        {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
