//! From bytes to text. The label that a document or a server gives is believed last, because it is so often wrong.

use std::borrow::Cow;

use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::notes::{Notes, Repair};

/// How far the declaration of an XML document is searched for, in bytes.
const DECLARATION: usize = 1024;

/// A document as text.
pub struct Decoded<'a> {
    /// The text, without byte order marks.
    pub text: Cow<'a, str>,
    /// What had to be repaired.
    pub notes: Notes,
}

/// The widths and byte orders of Unicode that are told by their shape.
#[derive(Clone, Copy)]
enum Shape {
    Utf16(&'static Encoding),
    Utf32 { big: bool },
}

/// Decodes a document: by its byte order mark, else by the shape of UTF-32 and UTF-16, else as UTF-8 where it is valid but for a few bytes, else by the
/// label of the response, else by its own declaration, else as windows-1252. It is decoded once, and never fails.
pub fn decode<'a>(bytes: &'a [u8], charset: Option<&str>) -> Decoded<'a> {
    let mut notes = Notes::default();
    let text = decode_noting(bytes, charset, &mut notes);
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_start_matches('\u{feff}')),
        Cow::Owned(text) if text.starts_with('\u{feff}') => Cow::Owned(text.trim_start_matches('\u{feff}').to_owned()),
        Cow::Owned(text) => Cow::Owned(text),
    };
    Decoded { text, notes }
}

fn decode_noting<'a>(bytes: &'a [u8], charset: Option<&str>, notes: &mut Notes) -> Cow<'a, str> {
    match shape(bytes) {
        Some(Shape::Utf32 { big }) => return Cow::Owned(utf_32(bytes, big)),
        Some(Shape::Utf16(encoding)) => return encoding.decode_without_bom_handling(bytes).0,
        None => {}
    }
    let declared = declared(bytes);
    let labels = [charset, declared.as_deref()].into_iter().flatten();
    if let Ok(text) = std::str::from_utf8(bytes) {
        // ISO-2022-JP is plain ASCII on the outside.
        if bytes.contains(&0x1b) && labels.clone().filter_map(known).any(|encoding| encoding == ISO_2022_JP) {
            return ISO_2022_JP.decode_without_bom_handling(bytes).0;
        }
        let differs = declared.as_deref().and_then(known).is_some_and(|encoding| encoding != UTF_8);
        if differs && !text.is_ascii() {
            notes.add(Repair::WrongEncoding, None);
        }
        return Cow::Borrowed(text);
    }
    if is_mostly_utf_8(bytes) {
        notes.add(Repair::BadBytes, None);
        return String::from_utf8_lossy(bytes);
    }
    for encoding in labels.filter_map(known) {
        if encoding != UTF_8 && encoding != UTF_16LE && encoding != UTF_16BE {
            let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
            if had_errors {
                notes.add(Repair::BadBytes, None);
            }
            return text;
        }
    }
    notes.add(Repair::GuessedEncoding, None);
    WINDOWS_1252.decode_without_bom_handling(bytes).0
}

/// Whether the bytes beyond ASCII are UTF-8 but for a few, so that windows-1252 would spoil more than it saves.
fn is_mostly_utf_8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|one| !one.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good > 4 * bad
}

/// UTF-16 and UTF-32 by byte order mark, else by the zeros around the first sign.
fn shape(bytes: &[u8]) -> Option<Shape> {
    match *bytes {
        [0xff, 0xfe, 0, 0, ..] | [b'<' | b'{', 0, 0, 0, ..] => Some(Shape::Utf32 { big: false }),
        [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, b'<' | b'{', ..] => Some(Shape::Utf32 { big: true }),
        [0xff, 0xfe, ..] => Some(Shape::Utf16(UTF_16LE)),
        [0xfe, 0xff, ..] => Some(Shape::Utf16(UTF_16BE)),
        [first, 0, second, 0, ..] if is_opening(first, second) => Some(Shape::Utf16(UTF_16LE)),
        [0, first, 0, second, ..] if is_opening(first, second) => Some(Shape::Utf16(UTF_16BE)),
        _ => None,
    }
}

fn is_opening(first: u8, second: u8) -> bool {
    matches!(first, b'<' | b'{' | b'\n' | b'\r' | b' ') && second.is_ascii() && second != 0
}

fn utf_32(bytes: &[u8], big: bool) -> String {
    let units = bytes.as_chunks::<4>().0.iter();
    units
        .map(|&unit| if big { u32::from_be_bytes(unit) } else { u32::from_le_bytes(unit) })
        .map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// The encoding that the XML declaration names (XML 1.0 section 4.3.3).
fn declared(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..DECLARATION.min(bytes.len()))?;
    let head: String = head.iter().map(|&byte| char::from(byte)).collect();
    let start = head.find("<?xml")?;
    let declaration = head.get(start..)?;
    let declaration = declaration.split_once("?>").map_or(declaration, |(inside, _)| inside);
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let label = value.trim_start_matches(['"', '\'']);
    let end = label
        .find(|one: char| !(one.is_ascii_alphanumeric() || matches!(one, '-' | '_' | '.' | ':')))
        .unwrap_or(label.len());
    label.get(..end).map(str::to_owned).filter(|label| !label.is_empty())
}

/// The encoding of a label of the Encoding Standard, or of the names that other systems have for the same.
fn known(label: &str) -> Option<&'static Encoding> {
    let label = label.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    let by_name = |name: &str| Encoding::for_label(name.as_bytes());
    by_name(&label).or_else(|| by_name(&label.replace('_', "-"))).or_else(|| {
        match label.replace(['_', '-'], "").as_str() {
            "cp932" | "ms932" | "sjis" | "shiftjis" => by_name("shift_jis"),
            "cp936" | "ms936" | "hz" | "hzgb2312" => by_name("gbk"),
            "cp949" | "ms949" | "uhc" => by_name("euc-kr"),
            "cp950" | "ms950" | "big5hkscs" => by_name("big5"),
            "eucjp" | "ujis" => by_name("euc-jp"),
            "koi8r" => by_name("koi8-r"),
            "koi8u" => by_name("koi8-u"),
            other => {
                by_name(&format!("windows-{}", other.strip_prefix("cp").or_else(|| other.strip_prefix("windows"))?))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], charset: Option<&str>) -> String {
        decode(bytes, charset).text.into_owned()
    }

    const CAFE: &str = "<?xml version=\"1.0\"?><a>Caf\u{e9} \u{20ac}</a>";

    #[test]
    fn h_15_each_width_and_order_of_unicode_is_told_by_its_bytes() {
        let units = |big: bool, mark: bool| -> Vec<u8> {
            let text = if mark { format!("\u{feff}{CAFE}") } else { CAFE.to_owned() };
            text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        let wide = |big: bool, mark: bool| -> Vec<u8> {
            let text = if mark { format!("\u{feff}{CAFE}") } else { CAFE.to_owned() };
            text.chars()
                .flat_map(|one| if big { u32::from(one).to_be_bytes() } else { u32::from(one).to_le_bytes() })
                .collect()
        };
        for big in [false, true] {
            for mark in [false, true] {
                assert_eq!(text(&units(big, mark), Some("utf-8")), CAFE, "utf-16 big {big} mark {mark}");
                assert_eq!(text(&wide(big, mark), Some("utf-8")), CAFE, "utf-32 big {big} mark {mark}");
            }
        }
        assert_eq!(text(format!("\u{feff}\u{feff}{CAFE}").as_bytes(), None), CAFE);
    }

    #[test]
    fn valid_utf_8_wins_over_any_label() {
        let lying = CAFE.replace("?>", " encoding=\"iso-8859-1\"?>");
        assert_eq!(text(lying.as_bytes(), Some("windows-1251")), lying);
    }

    #[test]
    fn the_response_goes_before_the_declaration_and_windows_1252_comes_last() {
        let declared = b"<?xml version='1.0' encoding='iso-8859-5'?><a>\xe4</a>";
        assert!(text(declared, None).contains('ф'));
        assert!(text(declared, Some("windows-1252")).contains('ä'));
        assert!(text(declared, Some("no-such-charset")).contains('ф'));
        assert!(text(b"<a>\x93\xe4\x94</a>", None).contains("“ä”"));
        assert!(text(b"<?xml encoding='utf-8'?><a>\xe4</a>", None).contains('ä'));
        assert!(text(b"<?xml encoding='cp1251'?><a>\xe4</a>", None).contains('д'));
    }

    #[test]
    fn one_broken_byte_does_not_spoil_the_other_characters() {
        let mut bytes = "<a>Кафе и ресторан ".as_bytes().to_vec();
        bytes.extend(b"\xff</a>");
        assert!(text(&bytes, None).starts_with("<a>Кафе и ресторан \u{fffd}"));
    }

    #[test]
    fn h_15_overlong_and_seven_bit_tricks_make_no_markup() {
        assert!(!text(b"\xc0\xbcscript\xc0\xbe", None).contains('<'));
        assert!(!text(b"+ADw-script+AD4-", Some("utf-7")).contains('<'));
        let japanese = b"<?xml encoding='iso-2022-jp'?>\x1b$B$3$s\x1b(B";
        assert!(text(japanese, None).ends_with("こん"));
    }
}
