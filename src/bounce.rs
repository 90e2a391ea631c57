//! What a message is that came back to the sender of the digests: the report of a mail server (RFC 3464), a notification
//! of what somebody did with a mail (RFC 8098), the answer of a program (RFC 3834), or something else. And what a report
//! says of one digest, if anything.
//!
//! Pure, and never trusting: anybody can write to that address. At most [`LONGEST`] bytes are looked at, in one pass and
//! without going into what is nested; nothing here can tell a digest from a guess, that is the store's business.

mod fields;
mod report;

pub use report::{Action, Recipient, Report};

use self::fields::Fields;

/// How many bytes of a message are looked at, and how many a door need read. A report says what it has to say before
/// the message that it gives back.
pub const LONGEST: usize = 512 * 1024;

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A mail server tells what became of a message.
    Report(Report),
    /// A mail program tells that a message was shown or thrown away. It says nothing of who did it, and proves nothing.
    Notification,
    /// A program answered: somebody is away, or a robot has the address.
    AutoReply,
    /// Anything else, such as a letter by a person, or a bounce in words only.
    Other,
}

/// Says what a message is. Lines may end with LF or CR LF.
pub fn read(message: &[u8]) -> Incoming {
    let message = message.get(..LONGEST).unwrap_or(message);
    let (head, body) = fields::split(message);
    let head = Fields::read(head);
    let kind = head.content_type();
    if kind.is("multipart/report") {
        let about = kind.parameter("report-type").unwrap_or_default().to_ascii_lowercase();
        match about.as_str() {
            "disposition-notification" => return Incoming::Notification,
            "delivery-status" | "" => {
                let parts = kind.parameter("boundary").map(|boundary| fields::parts(body, boundary));
                if let Some(report) = Report::of(&parts.unwrap_or_default()) {
                    return Incoming::Report(report);
                }
            }
            _ => {}
        }
    }
    if is_automatic(&head) { Incoming::AutoReply } else { Incoming::Other }
}

/// Whether a program wrote this: RFC 3834 section 5, and what was usual before it.
fn is_automatic(head: &Fields) -> bool {
    let says = |name: &str, words: &[&str]| {
        head.get(name).is_some_and(|value| words.iter().any(|word| value.trim().eq_ignore_ascii_case(word)))
    };
    head.get("Auto-Submitted").is_some_and(|value| !value.trim().to_ascii_lowercase().starts_with("no"))
        || says("Precedence", &["bulk", "junk", "list", "auto_reply"])
        || ["X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply-From", "X-Vacation"]
            .iter()
            .any(|name| head.get(name).is_some())
        || says("X-Auto-Response-Suppress", &["all", "oof", "autoreply"])
}

/// What this report says of the digest with this Message-ID (without angle brackets) that went to this address: the
/// worst of it. `None`: it is not about that digest.
///
/// It has to name the digest by the Message-ID of the message that it gives back, or by the envelope id that the digest
/// was sent with (the part of its Message-ID before the `@`); where it names it twice, both have to fit. And the digest's
/// own address has to be among the recipients that it speaks of.
pub fn about<'r>(report: &'r Report, message_id: &str, address: &str) -> Option<&'r Recipient> {
    let (local, _) = message_id.split_once('@')?;
    let by_message = report.message_id.as_deref().map(|id| id == message_id);
    let by_envelope = report.envelope_id.as_deref().filter(|id| is_ours(id)).map(|id| id == local);
    let is_named = match (by_message, by_envelope) {
        (None, None) => false,
        (by_message, by_envelope) => by_message.unwrap_or(true) && by_envelope.unwrap_or(true),
    };
    if !is_named {
        return None;
    }
    report.recipients.iter().filter(|recipient| recipient.is(address)).min_by_key(|recipient| recipient.action)
}

/// The parts before the `@` of the Message-IDs that a report may be about: at most two.
pub fn candidates(report: &Report) -> Vec<&str> {
    let of_message = report.message_id.as_deref().and_then(|id| id.split_once('@')).map(|(local, _)| local);
    let mut found: Vec<&str> =
        [of_message, report.envelope_id.as_deref()].into_iter().flatten().filter(|id| is_ours(id)).collect();
    found.dedup();
    found
}

/// Whether a name could be one of ours at all: what `token::message_id` makes.
fn is_ours(local: &str) -> bool {
    local.len() == 32 && local.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests;
