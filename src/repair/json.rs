//! Mends what writers of JSON by hand get wrong and RFC 8259 forbids, and nothing that would change a meaning.

use std::str::Chars;

/// The text with raw control characters in strings made spaces, escapes that JSON does not know made plain, halves of surrogate pairs
/// replaced and commas before a closing bracket dropped; nothing where it has none of these.
pub fn mend(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(one) = chars.next() {
        match one {
            '"' => {
                out.push('"');
                string(&mut chars, &mut out);
            }
            ',' if chars.as_str().trim_ascii_start().starts_with([']', '}']) => {}
            _ => out.push(one),
        }
    }
    (!out.eq_ignore_ascii_case(text)).then_some(out)
}

/// The rest of a string, up to and with its closing quote.
fn string(chars: &mut Chars<'_>, out: &mut String) {
    while let Some(one) = chars.next() {
        match one {
            '"' => return out.push('"'),
            '\\' => escape(chars, out),
            one if one < ' ' => out.push(' '),
            one => out.push(one),
        }
    }
}

fn escape(chars: &mut Chars<'_>, out: &mut String) {
    match chars.next() {
        Some(known @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => out.extend(['\\', known]),
        Some('u') => unicode(chars, out),
        Some(other) if other >= ' ' => out.push(other),
        _ => out.push(' '),
    }
}

fn unicode(chars: &mut Chars<'_>, out: &mut String) {
    let Some(unit) = hex(chars.as_str()) else { return out.push('u') };
    skip(chars, 4);
    let second = chars.as_str().strip_prefix("\\u").and_then(hex).filter(|second| (0xdc00..0xe000).contains(second));
    match (unit, second) {
        (0xd800..0xdc00, Some(second)) => {
            skip(chars, 6);
            push_unit(out, unit);
            push_unit(out, second);
        }
        (0xd800..0xe000, _) => out.push(char::REPLACEMENT_CHARACTER),
        _ => push_unit(out, unit),
    }
}

fn push_unit(out: &mut String, unit: u32) {
    out.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        out.extend(char::from_digit((unit >> shift) & 0xf, 16));
    }
}

fn hex(text: &str) -> Option<u32> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

fn skip(chars: &mut Chars<'_>, count: usize) {
    for _ in 0..count {
        chars.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_valid_stays_as_it_is() {
        let valid = "{\"a\": [1, \"x,]\\\"\\u00e9\\ud83d\\ude00\\n\"], \"b\": {}}";
        assert_eq!(mend(valid), None);
    }

    #[test]
    fn what_people_get_wrong_becomes_valid() {
        for (broken, text) in [
            ("[\"a\nb\tc\"]", "a b c"),
            ("[\"it\\'s\"]", "it's"),
            ("[\"a\\ud83dz\"]", "a\u{fffd}z"),
            ("[\"a\\ude00\"]", "a\u{fffd}"),
            ("[\"a\",]", "a"),
            ("[\"a\" , \n ]", "a"),
            ("[\"\\u00zz\"]", "u00zz"),
        ] {
            let mended: Vec<String> = serde_json::from_str(&mend(broken).unwrap()).unwrap();
            assert_eq!(mended, [text], "{broken}");
        }
    }
}
