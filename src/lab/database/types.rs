//! PostgreSQL's types: their names, how SQLite keeps them, and their text and binary forms on
//! the wire.

use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};
use jiff::Timestamp;
use pgwire::api::Type;
use rusqlite::types::Value;

use super::fault::SqlFault;
use super::token::Token;

/// Microseconds from the Unix epoch to PostgreSQL's (2000-01-01).
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// The type at the head of `tokens` and how many tokens its name takes.
pub(super) fn named(tokens: &[Token]) -> Option<(Type, usize)> {
    let word = |at: usize| tokens.get(at).and_then(Token::name).unwrap_or_default();
    let (ty, mut taken) = match word(0) {
        "bigint" | "int8" | "bigserial" | "serial8" => (Type::INT8, 1),
        "int" | "integer" | "int4" | "serial" | "serial4" => (Type::INT4, 1),
        "smallint" | "int2" => (Type::INT2, 1),
        "text" => (Type::TEXT, 1),
        "varchar" => (Type::VARCHAR, 1),
        "character" if word(1) == "varying" => (Type::VARCHAR, 2),
        "char" | "character" | "bpchar" => (Type::BPCHAR, 1),
        "name" => (Type::NAME, 1),
        "bool" | "boolean" => (Type::BOOL, 1),
        "timestamptz" => (Type::TIMESTAMPTZ, 1),
        "timestamp" => zoned(tokens),
        "float8" => (Type::FLOAT8, 1),
        "double" if word(1) == "precision" => (Type::FLOAT8, 2),
        "real" | "float4" => (Type::FLOAT4, 1),
        "numeric" | "decimal" => (Type::NUMERIC, 1),
        "uuid" => (Type::UUID, 1),
        "bytea" => (Type::BYTEA, 1),
        "json" => (Type::JSON, 1),
        "jsonb" => (Type::JSONB, 1),
        "inet" => (Type::INET, 1),
        "xid8" => (Type::XID8, 1),
        "xid" => (Type::XID, 1),
        "pg_lsn" => (Type::PG_LSN, 1),
        "oid" | "regclass" => (Type::OID, 1),
        _ => return None,
    };
    taken += modifier(&tokens[taken..]);
    Some((ty, taken))
}

/// `timestamp [(p)] [with|without time zone]`.
fn zoned(tokens: &[Token]) -> (Type, usize) {
    let taken = 1 + modifier(&tokens[1..]);
    let rest = &tokens[taken..];
    let zone = rest.get(1).is_some_and(|t| t.is("time")) && rest.get(2).is_some_and(|t| t.is("zone"));
    match rest.first() {
        Some(token) if zone && token.is("with") => (Type::TIMESTAMPTZ, taken + 3),
        Some(token) if zone && token.is("without") => (Type::TIMESTAMP, taken + 3),
        _ => (Type::TIMESTAMP, taken),
    }
}

/// The length of `(20)` or `(10, 2)` at the head of `tokens`.
fn modifier(tokens: &[Token]) -> usize {
    if !tokens.first().is_some_and(|token| token.is_symbol("(")) {
        return 0;
    }
    tokens.iter().position(|token| token.is_symbol(")")).map_or(0, |end| end + 1)
}

/// The type of a column of a STRICT table that keeps values of `ty`.
pub(super) fn stored(ty: &Type) -> &'static str {
    match *ty {
        Type::INT8 | Type::INT4 | Type::INT2 | Type::BOOL | Type::XID8 | Type::XID | Type::OID => "INT",
        Type::FLOAT8 | Type::FLOAT4 => "REAL",
        Type::BYTEA => "BLOB",
        Type::NUMERIC => "ANY",
        _ => "TEXT",
    }
}

/// The instant `micros` after the Unix epoch as PostgreSQL writes a timestamptz in UTC.
pub(super) fn timestamp_text(micros: i64) -> String {
    let Ok(instant) = Timestamp::from_microsecond(micros) else { return "infinity".to_owned() };
    instant.strftime("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
}

fn timestamp_micros(text: &str) -> Result<i64, SqlFault> {
    let mut iso = text.trim().replacen(' ', "T", 1);
    if iso.ends_with("+00") {
        iso.push_str(":00");
    } else if !iso.ends_with('Z') && iso.rfind(['+', '-']).is_none_or(|sign| sign < 11) {
        iso.push('Z');
    }
    let instant: Timestamp = iso.parse().map_err(|_| invalid("timestamp with time zone", text))?;
    Ok(instant.as_microsecond())
}

fn invalid(ty: &str, text: &str) -> SqlFault {
    SqlFault::new("22P02", format!("invalid input syntax for type {ty}: \"{text}\""))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn integer(value: &Value, ty: &Type) -> Result<i64, SqlFault> {
    match value {
        Value::Integer(number) => Ok(*number),
        Value::Real(number) => Ok(number.round() as i64),
        other => plain(other).trim().parse().map_err(|_| invalid(ty.name(), &plain(other))),
    }
}

fn real(value: &Value, ty: &Type) -> Result<f64, SqlFault> {
    match value {
        Value::Integer(number) => Ok(*number as f64),
        Value::Real(number) => Ok(*number),
        other => plain(other).trim().parse().map_err(|_| invalid(ty.name(), &plain(other))),
    }
}

fn boolean(value: &Value) -> Result<bool, SqlFault> {
    match value {
        Value::Integer(number) => Ok(*number != 0),
        other => match plain(other).trim().to_lowercase().as_str() {
            "t" | "true" | "yes" | "on" | "1" => Ok(true),
            "f" | "false" | "no" | "off" | "0" => Ok(false),
            text => Err(invalid("boolean", text)),
        },
    }
}

/// Appends one column of a DataRow: length and bytes.
pub(super) fn encode(value: &Value, ty: &Type, binary: bool, out: &mut BytesMut) -> Result<(), SqlFault> {
    if matches!(value, Value::Null) {
        out.put_i32(-1);
        return Ok(());
    }
    let start = out.len();
    out.put_i32(0);
    if binary {
        encode_binary(value, ty, out)?;
    } else {
        encode_text(value, ty, out)?;
    }
    let length =
        i32::try_from(out.len() - start - 4).map_err(|_| SqlFault::new("54000", "value too large"))?;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn encode_text(value: &Value, ty: &Type, out: &mut BytesMut) -> Result<(), SqlFault> {
    let text = match (ty, value) {
        (&Type::BOOL, _) => if boolean(value)? { "t" } else { "f" }.to_owned(),
        (&Type::INT8 | &Type::INT4 | &Type::INT2, _) => integer(value, ty)?.to_string(),
        (_, Value::Blob(bytes)) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("\\x{hex}")
        }
        _ => plain(value),
    };
    out.put_slice(text.as_bytes());
    Ok(())
}

fn encode_binary(value: &Value, ty: &Type, out: &mut BytesMut) -> Result<(), SqlFault> {
    let range = || SqlFault::new("22003", format!("{} out of range", ty.name()));
    match *ty {
        Type::BOOL => out.put_u8(u8::from(boolean(value)?)),
        Type::INT8 | Type::XID8 => out.put_i64(integer(value, ty)?),
        Type::INT4 => out.put_i32(i32::try_from(integer(value, ty)?).map_err(|_| range())?),
        Type::XID | Type::OID => out.put_u32(u32::try_from(integer(value, ty)?).map_err(|_| range())?),
        Type::INT2 => out.put_i16(i16::try_from(integer(value, ty)?).map_err(|_| range())?),
        Type::FLOAT8 => out.put_f64(real(value, ty)?),
        Type::FLOAT4 => out.put_f32(real(value, ty)? as f32),
        Type::TIMESTAMPTZ | Type::TIMESTAMP => out.put_i64(timestamp_micros(&plain(value))? - POSTGRES_EPOCH),
        Type::INET => {
            let address: Ipv4Addr = plain(value).parse().map_err(|_| invalid("inet", &plain(value)))?;
            out.put_slice(&[2, 32, 0, 4]);
            out.put_slice(&address.octets());
        }
        Type::UUID => {
            let digits = plain(value).replace('-', "");
            let number = u128::from_str_radix(&digits, 16).map_err(|_| invalid("uuid", &plain(value)))?;
            out.put_u128(number);
        }
        Type::PG_LSN => out.put_u64(lsn(&plain(value))?),
        Type::JSONB => {
            out.put_u8(1);
            out.put_slice(plain(value).as_bytes());
        }
        Type::BYTEA => match value {
            Value::Blob(bytes) => out.put_slice(bytes),
            other => out.put_slice(plain(other).as_bytes()),
        },
        Type::NUMERIC => return Err(SqlFault::unsupported("the binary form of numeric")),
        _ => out.put_slice(plain(value).as_bytes()),
    }
    Ok(())
}

fn lsn(text: &str) -> Result<u64, SqlFault> {
    let parts = text.split_once('/').and_then(|(high, low)| {
        let high = u64::from_str_radix(high, 16).ok()?;
        Some(high << 32 | u64::from_str_radix(low, 16).ok()?)
    });
    parts.ok_or_else(|| invalid("pg_lsn", text))
}

/// A parameter as the client bound it.
pub(super) fn decode(bytes: Option<&[u8]>, ty: &Type, binary: bool) -> Result<Value, SqlFault> {
    let Some(bytes) = bytes else { return Ok(Value::Null) };
    if binary { decode_binary(bytes, ty) } else { decode_text(bytes, ty) }
}

fn utf8(bytes: &[u8]) -> Result<String, SqlFault> {
    let text = String::from_utf8(bytes.to_vec())
        .map_err(|_| SqlFault::new("22021", "invalid byte sequence for encoding \"UTF8\""))?;
    if text.contains('\0') {
        return Err(SqlFault::new("22021", "invalid byte sequence for encoding \"UTF8\": 0x00"));
    }
    Ok(text)
}

fn decode_text(bytes: &[u8], ty: &Type) -> Result<Value, SqlFault> {
    let text = utf8(bytes)?;
    let value = Value::Text(text);
    Ok(match *ty {
        Type::INT8 | Type::INT4 | Type::INT2 | Type::XID8 | Type::XID | Type::OID => {
            Value::Integer(integer(&value, ty)?)
        }
        Type::FLOAT8 | Type::FLOAT4 => Value::Real(real(&value, ty)?),
        Type::BOOL => Value::Integer(i64::from(boolean(&value)?)),
        Type::TIMESTAMPTZ => Value::Text(timestamp_text(timestamp_micros(&plain(&value))?)),
        _ => value,
    })
}

fn decode_binary(bytes: &[u8], ty: &Type) -> Result<Value, SqlFault> {
    let short = || SqlFault::new("22P03", format!("incorrect binary data format for type {}", ty.name()));
    let value = match *ty {
        Type::INT8 | Type::XID8 => Value::Integer(i64::from_be_bytes(bytes.try_into().map_err(|_| short())?)),
        Type::INT4 => Value::Integer(i32::from_be_bytes(bytes.try_into().map_err(|_| short())?).into()),
        Type::XID | Type::OID => {
            Value::Integer(u32::from_be_bytes(bytes.try_into().map_err(|_| short())?).into())
        }
        Type::INT2 => Value::Integer(i16::from_be_bytes(bytes.try_into().map_err(|_| short())?).into()),
        Type::FLOAT8 => Value::Real(f64::from_be_bytes(bytes.try_into().map_err(|_| short())?)),
        Type::FLOAT4 => Value::Real(f32::from_be_bytes(bytes.try_into().map_err(|_| short())?).into()),
        Type::BOOL => Value::Integer(i64::from(*bytes.first().ok_or_else(short)? != 0)),
        Type::TIMESTAMPTZ | Type::TIMESTAMP => {
            let micros = i64::from_be_bytes(bytes.try_into().map_err(|_| short())?);
            Value::Text(timestamp_text(micros.saturating_add(POSTGRES_EPOCH)))
        }
        Type::UUID => {
            let number = u128::from_be_bytes(bytes.try_into().map_err(|_| short())?);
            let hex = format!("{number:032x}");
            let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
            Value::Text(parts.join("-"))
        }
        Type::INET => match bytes {
            [2, _, _, 4, a, b, c, d] => Value::Text(Ipv4Addr::new(*a, *b, *c, *d).to_string()),
            _ => return Err(short()),
        },
        Type::JSONB => Value::Text(utf8(bytes.get(1..).ok_or_else(short)?)?),
        Type::BYTEA => Value::Blob(bytes.to_vec()),
        Type::NUMERIC => return Err(SqlFault::unsupported("the binary form of numeric")),
        _ => Value::Text(utf8(bytes)?),
    };
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::super::token::tokens;
    use super::*;

    #[test]
    fn names_of_several_words() {
        let read = |sql: &str| named(&tokens(sql).unwrap());
        assert_eq!(read("timestamp with time zone default"), Some((Type::TIMESTAMPTZ, 4)));
        assert_eq!(read("timestamp(3) without time zone"), Some((Type::TIMESTAMP, 7)));
        assert_eq!(read("character varying (20) not null"), Some((Type::VARCHAR, 5)));
        assert_eq!(read("double precision"), Some((Type::FLOAT8, 2)));
        assert_eq!(read("money"), None);
    }

    #[test]
    fn a_timestamp_survives_both_forms() {
        let micros = 1_795_258_463_123_456;
        let text = timestamp_text(micros);
        assert_eq!(text, "2026-11-21 10:54:23.123456+00");
        assert_eq!(timestamp_micros(&text).unwrap(), micros);
        assert_eq!(timestamp_micros("2026-11-21 10:54:23.123456").unwrap(), micros);
        let mut out = BytesMut::new();
        encode(&Value::Text(text.clone()), &Type::TIMESTAMPTZ, true, &mut out).unwrap();
        assert_eq!(decode(Some(&out[4..]), &Type::TIMESTAMPTZ, true).unwrap(), Value::Text(text));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let mut out = BytesMut::new();
        assert_eq!(
            encode(&Value::Text("abc".into()), &Type::INT8, true, &mut out).unwrap_err().code,
            "22P02"
        );
        assert_eq!(encode(&Value::Integer(1 << 40), &Type::INT4, true, &mut out).unwrap_err().code, "22003");
        assert_eq!(decode(Some(&[1, 2]), &Type::INT8, true).unwrap_err().code, "22P03");
        assert_eq!(decode(Some(b"x"), &Type::INT8, false).unwrap_err().code, "22P02");
    }
}
