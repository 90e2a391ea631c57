//! The message (RFC 5322) around the two parts: headers that hold nothing unclean, a boundary that is derived and not
//! random, and 7-bit lines that end in CR LF. No wording here.

use std::time::SystemTime;

use lettre::{
    Address, Message,
    message::{
        Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue},
    },
};
use sha2::{Digest as _, Sha256};

use super::{ComposeError, words};
use crate::model::{digest::DigestContent, time::Time};

/// The longest name in a From or To header, in characters.
const MAX_NAME: usize = 80;
/// The last second of the year 9999: the Date header has four digits for a year.
const LAST_SECOND: i64 = 253_402_300_799;

macro_rules! fixed_header {
    ($($(#[$doc:meta])* $name:ident = $spelling:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        struct $name(String);

        impl Header for $name {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($spelling)
            }

            fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
                Ok(Self(text.to_owned()))
            }

            fn display(&self) -> HeaderValue {
                HeaderValue::new(Self::name(), self.0.clone())
            }
        }
    )+};
}

fixed_header! {
    /// RFC 3834 section 5: answering machines keep quiet.
    AutoSubmitted = "Auto-Submitted",
    /// RFC 2919: a handle for filters.
    ListId = "List-Id",
    /// MS-OXCMAIL: no out-of-office replies; delivery reports are wanted.
    AutoResponseSuppress = "X-Auto-Response-Suppress",
}

/// Builds the message.
pub(super) fn message(content: &DigestContent, subject: &str, text: &str, html: &str) -> Result<Vec<u8>, ComposeError> {
    let domain = content.from_address.rsplit_once('@').map_or("", |(_, domain)| domain);
    let domain: String = domain.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
    let parts = MultiPart::alternative()
        .boundary(boundary(content, text, html))
        .singlepart(part(ContentType::TEXT_PLAIN, text)?)
        .singlepart(part(ContentType::TEXT_HTML, html)?);
    let message = Message::builder()
        .date(date(content.now))
        .from(mailbox(&content.from_name, &content.from_address)?)
        .to(mailbox(&content.owner_name, &content.owner_address)?)
        .subject(words::line(subject))
        .message_id(Some(format!("<{}>", id(&content.message_id))))
        .header(ListId(format!("sigtrail digests <digests.{domain}>")))
        .header(AutoSubmitted("auto-generated".to_owned()))
        .header(AutoResponseSuppress("OOF, AutoReply".to_owned()))
        .multipart(parts)
        .map_err(|error| ComposeError::Message(error.to_string()))?;
    Ok(message.formatted())
}

/// The length in bytes of a text as it is encoded in the mail; its line ends are CR LF.
pub(super) fn encoded_len(text: &str) -> Result<usize, ComposeError> {
    quoted_printable(text).map(|body| body.len())
}

fn quoted_printable(text: &str) -> Result<Body, ComposeError> {
    Body::new_with_encoding(text.to_owned(), ContentTransferEncoding::QuotedPrintable)
        .map_err(|_| ComposeError::Message("a part could not be encoded".to_owned()))
}

fn part(kind: ContentType, text: &str) -> Result<SinglePart, ComposeError> {
    Ok(SinglePart::builder().header(kind).body(quoted_printable(text)?))
}

fn mailbox(name: &str, address: &str) -> Result<Mailbox, ComposeError> {
    let parsed: Address = address.parse().map_err(|_| ComposeError::Address(words::cut(address, MAX_NAME)))?;
    let name = words::cut(name, MAX_NAME);
    Ok(Mailbox::new((!name.is_empty()).then_some(name), parsed))
}

/// A Message-ID holds visible ASCII without angle brackets only.
fn id(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>')).take(400).collect()
}

fn date(now: Time) -> SystemTime {
    let seconds = now.as_second().clamp(0, LAST_SECOND).unsigned_abs();
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds)
}

/// A line that no part can hold: the parts' own hash is in it.
fn boundary(content: &DigestContent, text: &str, html: &str) -> String {
    use std::fmt::Write as _;
    let hash = Sha256::new()
        .chain_update(content.message_id.as_bytes())
        .chain_update(text.as_bytes())
        .chain_update(html.as_bytes())
        .finalize();
    let mut boundary = "sigtrail-".to_owned();
    for byte in hash.iter().take(16) {
        let _ = write!(boundary, "{byte:02x}");
    }
    boundary
}
