//! The checkpoints in a mail: found leniently, whatever mail programs made of the text, and given back in the one
//! form that a signature can be checked against. Nothing found here is believed before `note` has opened it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mail_parser::{Message, MessageParser, PartType, decoders::html::html_to_text};

use super::note::{SIGNATURE_MARK, is_key_name};

/// How deep messages attached to messages are looked into.
const MAX_DEPTH: u8 = 4;

/// Every text in the mail (RFC 5322 and MIME, text and HTML parts, attached messages) that has the form of a signed
/// checkpoint, as notes, without repetition. Line breaks, indents and quotation marks (`>`) do not matter.
pub fn notes_in_mail(bytes: &[u8]) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(message) = MessageParser::default().parse(bytes) {
        collect(&message, MAX_DEPTH, &mut notes);
    }
    notes
}

fn collect(message: &Message<'_>, depth: u8, notes: &mut Vec<String>) {
    for part in &message.parts {
        let found = match &part.body {
            PartType::Text(text) => notes_in_text(text),
            PartType::Html(html) => notes_in_text(&html_to_text(html)),
            PartType::Message(inner) if depth > 0 => {
                collect(inner, depth - 1, notes);
                continue;
            }
            _ => continue,
        };
        for note in found {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
}

/// A checkpoint is six words in a row: origin, size, root, a dash, the origin again, the signature.
fn notes_in_text(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().filter(|word| word.bytes().any(|byte| byte != b'>')).collect();
    words.windows(6).filter_map(|six| note_of(six.try_into().ok()?)).collect()
}

fn note_of([origin, size, root, dash, name, signature]: [&str; 6]) -> Option<String> {
    let is_note = dash == SIGNATURE_MARK.trim_end()
        && origin == name
        && is_key_name(origin)
        && size.bytes().all(|byte| byte.is_ascii_digit())
        && STANDARD.decode(root).is_ok_and(|root| root.len() == 32)
        && STANDARD.decode(signature).is_ok_and(|signature| signature.len() == 4 + 64);
    is_note.then(|| format!("{origin}\n{size}\n{root}\n\n{SIGNATURE_MARK}{name} {signature}\n"))
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::evidence::note::Checkpoint;

    fn note() -> String {
        Checkpoint { origin: "example.com/sigtrail".into(), size: 7, root: [0xfb; 32] }
            .sign(&SigningKey::from_bytes(&[1; 32]))
    }

    fn mail(content_type: &str, encoding: &str, body: &str) -> Vec<u8> {
        format!(
            "From: a@example.com\r\nTo: b@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n\
             Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{}",
            body.replace('\n', "\r\n")
        )
        .into_bytes()
    }

    /// Quoted-printable (RFC 2045 section 6.7) with soft breaks every 60 characters of output.
    fn quoted_printable(text: &str) -> String {
        let mut out = String::new();
        let mut column = 0;
        for byte in text.bytes() {
            let word = match byte {
                b'\n' => "\n".to_owned(),
                b'=' | 127.. => format!("={byte:02X}"),
                _ => char::from(byte).to_string(),
            };
            if column + word.len() > 60 && word != "\n" {
                out.push_str("=\n");
                column = 0;
            }
            column = if word == "\n" { 0 } else { column + word.len() };
            out.push_str(&word);
        }
        out
    }

    #[test]
    fn a_checkpoint_is_found_however_the_mail_is_encoded() {
        let text = format!("You own: libmarrow.\n{}\nGreetings, 3 of — us\n", note());
        let base64 = STANDARD.encode(&text);
        let quoted = format!("> > {}", text.replace('\n', "\n> > "));
        let html = format!("<html><head><title>x</title></head><body><p>Hello</p><pre>{}</pre></body></html>", note());
        let broken = format!("<div>{}</div>", note().replace('\n', "<br>").replace('+', "&#43;"));
        for (what, mail) in [
            ("8bit", mail("text/plain; charset=utf-8", "8bit", &text)),
            ("quoted-printable", mail("text/plain; charset=utf-8", "quoted-printable", &quoted_printable(&text))),
            ("base64", mail("text/plain; charset=utf-8", "base64", &base64)),
            ("quoted in an answer", mail("text/plain; charset=utf-8", "8bit", &quoted)),
            ("html, pre", mail("text/html; charset=utf-8", "8bit", &html)),
            ("html, br", mail("text/html; charset=utf-8", "8bit", &broken)),
        ] {
            assert_eq!(notes_in_mail(&mail), [note()], "{what}");
        }
    }

    #[test]
    fn a_checkpoint_is_found_once_in_both_parts_and_in_a_forwarded_mail() {
        let both = format!(
            "--b\nContent-Type: text/plain; charset=utf-8\n\n{0}\n--b\nContent-Type: text/html; charset=utf-8\n\n\
             <pre>{0}</pre>\n--b--\n",
            note()
        );
        let alternative = mail("multipart/alternative; boundary=b", "8bit", &both);
        assert_eq!(notes_in_mail(&alternative), [note()]);
        let inner = String::from_utf8(alternative).unwrap().replace("\r\n", "\n");
        let forwarded = format!("--c\nContent-Type: message/rfc822\n\n{inner}\n--c--\n");
        assert_eq!(notes_in_mail(&mail("multipart/mixed; boundary=c", "8bit", &forwarded)), [note()]);
    }

    #[test]
    fn a_mail_without_a_checkpoint_has_none() {
        for body in ["", "hello", "a 1 b — a c", "— — — — — —"] {
            assert!(notes_in_mail(&mail("text/plain; charset=utf-8", "8bit", body)).is_empty(), "{body}");
        }
        assert!(notes_in_mail(b"").is_empty());
        assert!(notes_in_mail(&[0xff; 200]).is_empty());
    }
}
