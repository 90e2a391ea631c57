//! Replies of a mail server (RFC 5321 section 4.2): reading them, what they offer, and their text as a receipt.

use lettre::transport::smtp::authentication::Mechanism;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// The longest line of a reply that is read, its end included; the RFC allows 512 bytes.
const MAX_LINE: u64 = 4096;
/// The most lines of a reply.
const MAX_LINES: usize = 256;
/// The most characters of a receipt.
const MAX_TEXT: usize = 512;

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// Three digits, 200 to 599.
    pub(super) code: u16,
    /// The text of each line, as it came.
    lines: Vec<String>,
}

impl Reply {
    /// Reads one reply, all its lines. A reply that no server should give is an error of the kind `InvalidData`, the
    /// end of the connection one of the kind `UnexpectedEof`.
    pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Reply> {
        let mut code = None;
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            from.take(MAX_LINE).read_until(b'\n', &mut line).await?;
            if line.is_empty() {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let (this, last, text) = split(&line).ok_or_else(malformed)?;
            if code.is_some_and(|code| code != this) || lines.len() == MAX_LINES {
                return Err(malformed());
            }
            code = Some(this);
            lines.push(text);
            if last {
                return Ok(Reply { code: this, lines });
            }
        }
    }

    /// 2xx: done.
    pub(super) fn done(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// 4xx: not now.
    pub(super) fn later(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// 5xx: never.
    pub(super) fn never(&self) -> bool {
        (500..600).contains(&self.code)
    }

    /// Whether it asks for a login, or for a better one, at any stage (RFC 4954 sections 4 and 6).
    pub(super) fn wants_login(&self) -> bool {
        matches!(self.code, 530 | 534 | 535 | 538)
    }

    /// Whether it says that the message is too large: by code, or by the extended one (RFC 3463: 5.2.3, 5.3.4). A bare
    /// 552 says so only `of_message`; to a recipient it says that a mailbox is full, which 5.2.2 always does.
    pub(super) fn is_size(&self, of_message: bool) -> bool {
        let extended = self.lines.first().and_then(|line| line.split(' ').next()).unwrap_or_default();
        match extended {
            "5.2.3" | "5.3.4" => self.never(),
            "5.2.2" => false,
            _ => self.code == 523 || (self.code == 552 && of_message),
        }
    }

    /// The text of all lines, joined and cleaned: the receipt.
    pub(super) fn text(&self) -> String {
        clean(&self.lines.join(" "))
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.text())
    }
}

fn malformed() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, "its reply is not SMTP")
}

/// Code, whether it is the last line, and text of one line; `None` where it is not a whole reply line.
fn split(line: &[u8]) -> Option<(u16, bool, String)> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0_u16, |code, digit| code * 10 + u16::from(digit - b'0'));
    let (last, text) = match rest.split_first() {
        None => (true, rest),
        Some((b' ', text)) => (true, text),
        Some((b'-', text)) => (false, text),
        Some(_) => return None,
    };
    (200..600).contains(&code).then(|| (code, last, String::from_utf8_lossy(text).into_owned()))
}

/// Text of a server or the system without control characters and invisible marks, at most 512 characters.
pub(super) fn clean(text: &str) -> String {
    let seen = text.chars().map(|c| if hidden(c) { ' ' } else { c });
    let mut clean = String::new();
    for c in seen.take(MAX_TEXT * 4) {
        if c != ' ' || !(clean.is_empty() || clean.ends_with(' ')) {
            clean.push(c);
        }
    }
    clean.chars().take(MAX_TEXT).collect::<String>().trim_end().to_owned()
}

/// Whether a character changes how the text around it looks instead of being seen itself.
fn hidden(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// What a server offers in its reply to EHLO (RFC 5321 section 4.1.1.1); keywords in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the reply that stands there or not")]
pub(super) struct Offers {
    /// STARTTLS (RFC 3207).
    pub(super) starttls: bool,
    /// 8BITMIME (RFC 6152).
    pub(super) eight_bit: bool,
    /// SMTPUTF8 (RFC 6531).
    pub(super) utf8: bool,
    /// SIZE (RFC 1870): the largest message in bytes, 0 where none is stated.
    pub(super) size: Option<u64>,
    /// DSN (RFC 3461): reports can be asked for.
    pub(super) dsn: bool,
    /// The offered ways to log in (RFC 4954) that we know.
    pub(super) logins: Vec<Mechanism>,
}

impl Offers {
    /// The offers of a reply to EHLO; its first line is a greeting.
    pub(super) fn of(reply: &Reply) -> Offers {
        let mut offers = Offers::default();
        for line in reply.lines.iter().skip(1) {
            // Some old servers write `AUTH=LOGIN`.
            let line = line.to_ascii_uppercase().replace("AUTH=", "AUTH ");
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("STARTTLS") => offers.starttls = true,
                Some("8BITMIME") => offers.eight_bit = true,
                Some("SMTPUTF8") => offers.utf8 = true,
                Some("DSN") => offers.dsn = true,
                Some("SIZE") => offers.size = Some(words.next().and_then(|size| size.parse().ok()).unwrap_or(0)),
                Some("AUTH") => offers.logins.extend(words.filter_map(login)),
                _ => {}
            }
        }
        offers
    }
}

fn login(word: &str) -> Option<Mechanism> {
    match word {
        "PLAIN" => Some(Mechanism::Plain),
        "LOGIN" => Some(Mechanism::Login),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> std::io::Result<Reply> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { Reply::read(&mut std::io::Cursor::new(bytes.to_vec())).await })
    }

    #[test]
    fn all_lines_of_a_reply_become_one_receipt() {
        let reply = read(b"250-2.0.0 Ok\r\n250-queued\r\n250 as 4711\r\nnext").unwrap();
        assert_eq!((reply.code, reply.text().as_str()), (250, "2.0.0 Ok queued as 4711"));
        assert_eq!(read(b"354\r\n").unwrap().text(), "");
        assert_eq!(read(b"250 \xC3\xA9 \xFF\n").unwrap().text(), "é \u{FFFD}");
    }

    #[test]
    fn what_is_not_a_reply_is_an_error_and_never_a_success() {
        let endless = [b"250 ".as_slice(), &[b'a'; 9000]].concat();
        let many = b"250-a\r\n".repeat(1000);
        for bad in [
            b"".as_slice(),
            b"2",
            b"250",
            b"25x a\r\n",
            b"250_a\r\n",
            b"250-a\r\n451 b\r\n",
            b"650 a\r\n",
            b"150 a\r\n",
        ] {
            assert!(read(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
        assert!(read(&endless).is_err() && read(&many).is_err());
    }

    #[test]
    fn a_receipt_has_no_control_characters_and_at_most_512_characters() {
        let hostile = format!("2.0.0 \u{1b}[31mOk\u{202E}\u{0}\u{85}\u{2028} {}", "é".repeat(2000));
        let text = clean(&hostile);
        assert!(text.starts_with("2.0.0 [31mOk é"), "{text}");
        assert_eq!(text.chars().count(), 512);
        assert!(!text.chars().any(char::is_control));
    }

    #[test]
    fn m_18_a_reply_about_size_is_told_from_a_full_mailbox() {
        for (bytes, of_message, is_size) in [
            (b"552 message size exceeds fixed limit\r\n".as_slice(), true, true),
            (b"552 5.3.4 message too big\r\n", false, true),
            (b"554 5.2.3 too long for this mailbox\r\n", false, true),
            (b"523 too long\r\n", false, true),
            (b"552 5.2.2 mailbox full\r\n", true, false),
            (b"552 storage allocation exceeded\r\n", false, false),
            (b"452 4.3.4 not now\r\n", true, false),
            (b"550 5.1.1 unknown\r\n", true, false),
        ] {
            assert_eq!(read(bytes).unwrap().is_size(of_message), is_size, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn offers_are_read_in_any_case() {
        let reply = read(b"250-mx.example.com\r\n250-size 50000\r\n250-StartTLS\r\n250-8BITMIME\r\n250-AUTH=LOGIN\r\n250 AUTH CRAM-MD5 plain\r\n").unwrap();
        let offers = Offers::of(&reply);
        assert!(offers.starttls && offers.eight_bit && !offers.utf8);
        assert_eq!(offers.size, Some(50_000));
        assert_eq!(offers.logins, [Mechanism::Login, Mechanism::Plain]);
        assert_eq!(Offers::of(&read(b"250-STARTTLS\r\n250 SIZE\r\n").unwrap()).size, Some(0));
        assert!(Offers::of(&read(b"250-mx\r\n250 dsn\r\n").unwrap()).dsn && !offers.dsn);
        assert!(!Offers::of(&read(b"250 STARTTLS\r\n").unwrap()).starttls, "the first line is a greeting");
    }
}
