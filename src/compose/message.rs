//! The message (RFC 5322) around the two parts: headers that hold nothing unclean, a boundary that is derived and not
//! random, and 7-bit lines that end in CR LF. No wording here.

use std::{io::Write as _, time::SystemTime};

use lettre::{
    Address, Message,
    message::{
        Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue},
    },
};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{ComposeError, portion::Identity, words};
use crate::{
    hex::hex,
    model::{
        digest::{About, DigestContent},
        time::Time,
    },
};

/// The longest name in a From or To header, in characters.
const MAX_NAME: usize = 80;
/// More than the headers of most messages take, in bytes.
const HEADERS: usize = 2_048;
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

/// Builds the message of two parts, which are encoded already.
pub(super) fn message(
    content: &DigestContent,
    identity: &Identity,
    subject: &str,
    (text, html): (Vec<u8>, Vec<u8>),
) -> Result<Vec<u8>, ComposeError> {
    let boundary = boundary(identity);
    let parts = MultiPart::alternative().boundary(boundary.as_str()).build();
    let parts_headers = parts.headers().to_string();
    let mut references = format!("<{}>", id(&content.thread_root));
    let mut builder = Message::builder()
        .date(date(content.now))
        .from(mailbox(&content.from_name, &content.from_address)?)
        .to(mailbox(&content.owner_name, &content.owner_address)?)
        .subject(words::line(subject))
        .message_id(Some(format!("<{}>", id(&identity.message_id))));
    if let Some(About::Reminder { in_reply_to, .. } | About::Links { in_reply_to }) = &content.about {
        let earlier = format!("<{}>", id(in_reply_to));
        references = format!("{references} {earlier}");
        builder = builder.in_reply_to(earlier);
    }
    let message = builder
        .references(references)
        .header(ListId(list_id(content)))
        .header(AutoSubmitted("auto-generated".to_owned()))
        .header(AutoResponseSuppress("OOF, AutoReply".to_owned()))
        .multipart(parts)
        .map_err(|error| ComposeError::Message(error.to_string()))?;
    // The parts are put in here, so that their bytes are copied once.
    let mut mail = Vec::with_capacity(text.len() + html.len() + HEADERS);
    let write_error = |error: std::io::Error| ComposeError::Message(error.to_string());
    write!(mail, "{}{parts_headers}\r\n", message.headers()).map_err(write_error)?;
    for (kind, body) in [(ContentType::TEXT_PLAIN, text), (ContentType::TEXT_HTML, html)] {
        write!(mail, "--{boundary}\r\n{}\r\n", part(kind).headers()).map_err(write_error)?;
        mail.extend_from_slice(&body);
        mail.extend_from_slice(b"\r\n");
    }
    write!(mail, "--{boundary}--\r\n").map_err(write_error)?;
    Ok(mail)
}

/// `sigtrail digests <digests.DOMAIN>`, where DOMAIN is that of the links; where they lead to an address of a machine,
/// that of the sender.
fn list_id(content: &DigestContent) -> String {
    let host = Url::parse(&content.answer_all_url).ok().and_then(|url| url.domain().map(str::to_owned));
    let sender = || content.from_address.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned();
    let domain = host.unwrap_or_else(sender);
    let domain: String = domain.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
    format!("sigtrail digests <digests.{domain}>")
}

/// A part without its body.
fn part(kind: ContentType) -> SinglePart {
    let body = Body::dangerous_pre_encoded(Vec::new(), ContentTransferEncoding::QuotedPrintable);
    SinglePart::builder().header(kind).body(body)
}

fn mailbox(name: &str, address: &str) -> Result<Mailbox, ComposeError> {
    let parsed: Address = address.parse().map_err(|_| ComposeError::Address(words::cut(address, MAX_NAME)))?;
    let name = words::unencoded(words::cut(name, MAX_NAME));
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

/// A line that no part can hold: `=_` never stands in what is quoted-printable (RFC 2045 section 6.7).
fn boundary(identity: &Identity) -> String {
    let hash = Sha256::digest(identity.message_id.as_bytes());
    format!("=_sigtrail-{}", hex(hash.get(..16).unwrap_or_default()))
}
