//! The one spelling of a JSON value: RFC 8785 without floating-point numbers. Which values stand in a record is
//! `record`'s business.

use serde_json::{Map, Value};

/// The largest integer that every JSON reader keeps exactly (RFC 8785 section 3.2.2.3, RFC 7493 section 2.2).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Why a text is not the one spelling of its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpellingError {
    /// Not JSON at all.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// JSON, but there is another spelling of it that is the right one.
    #[error("not in canonical form from byte {at} on")]
    NotCanonical {
        /// The first byte that differs from the canonical form, counted from 0.
        at: usize,
    },
    /// A number that is not an integer of at most 53 bits.
    #[error("has a number that is not a whole number of at most 53 bits")]
    Number,
}

/// Appends the canonical form of the value: no white space, keys in the order of their UTF-16 code units, the
/// shortest escapes, UTF-8.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(map) => write_map(map, out),
    }
}

fn write_map(map: &Map<String, Value>, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut members: Vec<(&String, &Value)> = map.iter().collect();
    // The order of UTF-8 bytes, which the map has, differs from UTF-16's only beyond the basic plane.
    if members.iter().any(|(key, _)| !key.is_ascii()) {
        members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    }
    for (i, (key, value)) in members.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_text(key, out);
        out.push(b':');
        write(value, out);
    }
    out.push(b'}');
}

/// Appends a JSON string with the escapes of RFC 8785 section 3.2.2.2.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        if let Some((byte, tail)) = tail.split_first() {
            write_escape(*byte, out);
            rest = tail;
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    out.push(b'\\');
    match byte {
        b'"' | b'\\' => out.push(byte),
        0x08 => out.push(b'b'),
        0x09 => out.push(b't'),
        0x0a => out.push(b'n'),
        0x0c => out.push(b'f'),
        0x0d => out.push(b'r'),
        _ => {
            let low = byte & 15;
            out.extend_from_slice(b"u00");
            out.push(b'0' + (byte >> 4));
            out.push(if low < 10 { b'0' + low } else { b'a' + low - 10 });
        }
    }
}

/// The value of a text in canonical form; any other spelling of it, duplicate keys included, is refused.
pub fn read(bytes: &[u8]) -> Result<Value, SpellingError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| SpellingError::NotJson(error.to_string()))?;
    if !has_only_integers(&value) {
        return Err(SpellingError::Number);
    }
    let mut again = Vec::with_capacity(bytes.len());
    write(&value, &mut again);
    if again == bytes {
        return Ok(value);
    }
    let at = again.iter().zip(bytes).position(|(a, b)| a != b).unwrap_or(again.len().min(bytes.len()));
    Err(SpellingError::NotCanonical { at })
}

fn has_only_integers(value: &Value) -> bool {
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(positive), _) => positive <= MAX_INTEGER,
            (None, Some(negative)) => negative.unsigned_abs() <= MAX_INTEGER,
            (None, None) => false,
        },
        Value::Array(items) => items.iter().all(has_only_integers),
        Value::Object(map) => map.values().all(has_only_integers),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spelled(value: &Value) -> String {
        let mut out = Vec::new();
        write(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_canonical_form_is_that_of_rfc_8785() {
        let value = json!({ "b": [1, -2, null, true], "a": "\u{8}\t\n\u{c}\r\"\\\u{1f}\u{7f}/é€😀", "": {} });
        assert_eq!(
            spelled(&value),
            "{\"\":{},\"a\":\"\\b\\t\\n\\f\\r\\\"\\\\\\u001f\u{7f}/é€😀\",\"b\":[1,-2,null,true]}"
        );
    }

    #[test]
    fn keys_stand_in_the_order_of_their_utf_16_code_units() {
        let value = json!({ "\u{fb33}": 1, "😀": 2, "z": 3 });
        assert_eq!(spelled(&value), "{\"z\":3,\"😀\":2,\"\u{fb33}\":1}");
        assert_eq!(read(spelled(&value).as_bytes()), Ok(value));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for value in
            [json!({}), json!([]), json!("\u{1}"), json!(9_007_199_254_740_991_u64), json!(-1), json!({"a":{"b":[]}})]
        {
            assert_eq!(read(spelled(&value).as_bytes()), Ok(value));
        }
    }

    #[test]
    fn e_17_another_spelling_of_the_same_value_is_refused() {
        let spellings = [
            "{\"a\": 1}",
            " {\"a\":1}",
            "{\"a\":1}\n",
            "{\"b\":1,\"a\":2}",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"a\":2}",
            "{\"\\u0061\":1}",
            "\"\\u00e9\"",
            "\"\\/\"",
            "\"\\u001F\"",
            "\"\\u0009\"",
            "-0",
            "\"\\ud83d\\ude00\"",
            "{\"a\":{\"c\":1,\"b\":1}}",
            "[1, 2]",
        ];
        for text in spellings {
            assert!(
                matches!(read(text.as_bytes()), Err(SpellingError::NotCanonical { .. } | SpellingError::Number)),
                "{text}"
            );
        }
        for text in ["1.0", "1e2", "9007199254740992", "-9007199254740992", "1.5", "18446744073709551616", "[0.1]"] {
            assert_eq!(read(text.as_bytes()), Err(SpellingError::Number), "{text}");
        }
        for text in ["", "{", "{\"a\":01}", "\"\\ud800\"", "\"\n\"", "nul", "{\"a\":1,}", "1 1", "\"\u{0}\""] {
            assert!(matches!(read(text.as_bytes()), Err(SpellingError::NotJson(_))), "{text}");
        }
        assert!(matches!(read(b"\"\xff\""), Err(SpellingError::NotJson(_))));
        assert!(matches!(read("[".repeat(100_000).as_bytes()), Err(SpellingError::NotJson(_))));
    }
}
