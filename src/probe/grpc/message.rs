//! The two messages of the health protocol, written and read by hand: one field each.
//!
//! `HealthCheckRequest { string service = 1; }` and `HealthCheckResponse { ServingStatus status = 1; }`.

use bytes::{BufMut, Bytes, BytesMut};

/// Before each message: a flag for compression and four bytes of length.
const PREFIX: usize = 5;

/// What a server says of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Unknown,
    Serving,
    NotServing,
    ServiceUnknown,
    /// A number that the protocol does not define.
    Other(u64),
}

/// The request, framed.
pub(crate) fn request(service: &str) -> Bytes {
    let mut body = BytesMut::new();
    if !service.is_empty() {
        body.put_u8(1 << 3 | 2);
        put_varint(&mut body, service.len() as u64);
        body.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(PREFIX + body.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    framed.put(body);
    framed.freeze()
}

/// The status in a framed response; the error says what is wrong with it.
pub(crate) fn response(framed: &[u8]) -> Result<Health, String> {
    let cut = || format!("the answer is cut off after {} bytes", framed.len());
    let (prefix, rest) = framed.split_at_checked(PREFIX).ok_or_else(cut)?;
    let (flag, length) = prefix.split_first().ok_or_else(cut)?;
    if *flag != 0 {
        return Err("the answer is compressed, which was not asked for".to_owned());
    }
    let length = length.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte));
    let mut body = rest.get(..length).ok_or_else(cut)?;
    let unreadable = || "the answer is no HealthCheckResponse".to_owned();
    let mut status = 0;
    while !body.is_empty() {
        let key = take_varint(&mut body).ok_or_else(unreadable)?;
        match (key >> 3, key & 7) {
            // A repeated field counts by its last value.
            (1, 0) => status = take_varint(&mut body).ok_or_else(unreadable)?,
            (_, kind) => skip(&mut body, kind).ok_or_else(unreadable)?,
        }
    }
    Ok(match status {
        0 => Health::Unknown,
        1 => Health::Serving,
        2 => Health::NotServing,
        3 => Health::ServiceUnknown,
        other => Health::Other(other),
    })
}

fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

fn take_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Passes over a field that is not known.
fn skip(from: &mut &[u8], kind: u64) -> Option<()> {
    let length = match kind {
        0 => return take_varint(from).map(|_| ()),
        1 => 8,
        2 => usize::try_from(take_varint(from)?).ok()?,
        5 => 4,
        _ => return None,
    };
    *from = from.get(length..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_names_its_service() {
        assert_eq!(&request("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&request("abc")[..], [0, 0, 0, 0, 5, 0x0a, 3, b'a', b'b', b'c']);
        let long = request(&"x".repeat(300));
        assert_eq!(&long[..8], [0, 0, 0, 1, 0x2f, 0x0a, 0xac, 0x02]);
    }

    #[test]
    fn a_response_is_read_with_what_is_beside_the_status() {
        for (bytes, expected) in [
            (&[0, 0, 0, 0, 0][..], Ok(Health::Unknown)),
            (&[0, 0, 0, 0, 2, 8, 1], Ok(Health::Serving)),
            (&[0, 0, 0, 0, 2, 8, 2], Ok(Health::NotServing)),
            (&[0, 0, 0, 0, 2, 8, 3], Ok(Health::ServiceUnknown)),
            (&[0, 0, 0, 0, 3, 8, 0x81, 1], Ok(Health::Other(129))),
            // A string, a fixed32 and a fixed64 that some later version may add.
            (&[0, 0, 0, 0, 4, 0x12, 0, 8, 1], Ok(Health::Serving)),
            (&[0, 0, 0, 0, 7, 0x15, 1, 2, 3, 4, 8, 1], Ok(Health::Serving)),
            (&[0, 0, 0, 0, 11, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 8, 1], Ok(Health::Serving)),
        ] {
            assert_eq!(response(bytes), expected, "{bytes:?}");
        }
        for (bytes, why) in [
            (&[][..], "cut off after 0 bytes"),
            (&[0, 0, 0, 0, 2, 8], "cut off"),
            (&[1, 0, 0, 0, 2, 8, 1], "compressed"),
            (&[0, 0, 0, 0, 1, 8], "no HealthCheckResponse"),
            (&[0, 0, 0, 0, 2, 0x0b, 1], "no HealthCheckResponse"),
        ] {
            let error = response(bytes).unwrap_err();
            assert!(error.contains(why), "{bytes:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = response(&bytes);
        }
    }
}
