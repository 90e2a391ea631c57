//! The one grammar that everything in a report is written in: fields with names and folded values (RFC 5322 section 2.2),
//! a content type with its parameters (RFC 2045), and parts between boundaries (RFC 2046). What they mean is not known here.

use std::borrow::Cow;

use mail_parser::decoders::{base64::base64_decode, quoted_printable::quoted_printable_decode};

/// The most fields of one block.
const MOST_FIELDS: usize = 500;
/// The most bytes of a field's value that are kept.
const LONGEST_VALUE: usize = 4_000;
/// The most parts of a message.
const MOST_PARTS: usize = 16;

/// Fields in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

/// A content type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ContentType {
    /// `type/subtype` in lower case.
    name: String,
    parameters: Vec<(String, String)>,
}

/// A part of a message: its fields and its content, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part<'m> {
    pub(super) kind: ContentType,
    pub(super) content: Cow<'m, [u8]>,
}

/// Where the fields end and what follows begins: at the first empty line.
pub(super) fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let next = at + line.len();
        if line.trim_ascii_end().is_empty() {
            return (bytes.get(..at).unwrap_or_default(), bytes.get(next..).unwrap_or_default());
        }
        at = next;
    }
    (bytes, &[])
}

impl Fields {
    /// The fields of a block. A line that is neither a field nor the continuation of one counts as nothing.
    pub(super) fn read(block: &[u8]) -> Fields {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in block.split(|byte| *byte == b'\n') {
            let text = String::from_utf8_lossy(line);
            if text.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut().filter(|(_, value)| value.len() < LONGEST_VALUE) {
                    value.push(' ');
                    value.push_str(text.trim());
                }
            } else if let Some((name, value)) = text.split_once(':') {
                if fields.len() == MOST_FIELDS {
                    break;
                }
                fields.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
        for (_, value) in &mut fields {
            value.truncate(value.floor_char_boundary(LONGEST_VALUE));
        }
        Fields(fields)
    }

    /// The value of the first field of this name, in any case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The content type; without one nothing is known of it.
    pub(super) fn content_type(&self) -> ContentType {
        self.get("Content-Type").map(ContentType::read).unwrap_or_default()
    }
}

impl ContentType {
    fn read(value: &str) -> ContentType {
        let (name, mut rest) = value.split_once(';').unwrap_or((value, ""));
        let mut parameters = Vec::new();
        while let Some((name, after)) = rest.split_once('=') {
            let (value, after) = parameter_value(after.trim_start());
            parameters.push((name.trim().to_ascii_lowercase(), value));
            rest = after.split_once(';').map_or("", |(_, next)| next);
        }
        ContentType { name: name.trim().to_ascii_lowercase(), parameters }
    }

    /// Whether this is that type, given in lower case.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// A parameter, its name given in lower case.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A parameter's value, in quotes or not, and what follows it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let (value, after) = text.split_at_checked(end).unwrap_or((text, ""));
        return (value.trim().to_owned(), after);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            _ => value.push(c),
        }
    }
    (value, "")
}

/// The parts between the lines that hold this boundary; the last one of a message that was cut ends where it ends.
pub(super) fn parts<'m>(body: &'m [u8], boundary: &str) -> Vec<Part<'m>> {
    let mut parts = Vec::new();
    if boundary.is_empty() {
        return parts;
    }
    let (mut at, mut begun) = (0, None);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let marker = line.strip_prefix(b"--").and_then(|rest| rest.strip_prefix(boundary.as_bytes()));
        let marker = marker.map(<[u8]>::trim_ascii_end).filter(|rest| rest.is_empty() || *rest == b"--");
        if let Some(rest) = marker {
            parts.extend(begun.and_then(|begun| body.get(begun..at)).map(Part::read));
            begun = Some(at + line.len());
            if !rest.is_empty() || parts.len() == MOST_PARTS {
                return parts;
            }
        }
        at += line.len();
    }
    parts.extend(begun.and_then(|begun| body.get(begun..)).map(Part::read));
    parts
}

impl Part<'_> {
    fn read(bytes: &[u8]) -> Part<'_> {
        // Where the part has no fields, its empty line stands first.
        let (head, body) = split(bytes);
        let head = Fields::read(head);
        let encoding = head.get("Content-Transfer-Encoding").unwrap_or_default().to_ascii_lowercase();
        let decoded = match encoding.as_str() {
            "base64" => base64_decode(body),
            "quoted-printable" => quoted_printable_decode(body),
            _ => None,
        };
        Part { kind: head.content_type(), content: decoded.map_or(Cow::Borrowed(body), Cow::Owned) }
    }
}
