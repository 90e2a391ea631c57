//! The report of a mail server: what it says of which recipients of which message (RFC 3464, and RFC 6533 for names
//! beyond ASCII).

use url::Host;

use super::fields::{Fields, Part, split};
use crate::text;

/// The most recipients of a report; a digest has one.
const MOST_RECIPIENTS: usize = 100;
/// The most blocks of fields that are looked at.
const MOST_BLOCKS: usize = 1_000;
/// The most bytes of a server's words that are kept.
const LONGEST_TEXT: usize = 512;

/// What became of a message for one recipient (RFC 3464 section 2.3.3), the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It will not arrive.
    Failed,
    /// It has not arrived yet.
    Delayed,
    /// It was handed to a system that sends no reports.
    Relayed,
    /// It was handed to several recipients.
    Expanded,
    /// It lies in the mailbox. Nobody has read it for all that is known.
    Delivered,
}

impl Action {
    /// Every action with its word.
    pub const ALL: [(&'static str, Action); 5] = [
        ("failed", Action::Failed),
        ("delayed", Action::Delayed),
        ("relayed", Action::Relayed),
        ("expanded", Action::Expanded),
        ("delivered", Action::Delivered),
    ];

    /// The action's word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, action)| (action == self).then_some(word)).unwrap_or("failed")
    }

    /// The action that a field names, in any case, whatever comment follows.
    fn parse(value: &str) -> Option<Action> {
        let word = value.split([' ', '\t', '(', ';']).next().unwrap_or_default();
        Self::ALL.into_iter().find_map(|(known, action)| known.eq_ignore_ascii_case(word).then_some(action))
    }
}

/// What is said of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address as the sender wrote it, where the report has it.
    pub original: Option<String>,
    /// The address that it was about at last.
    pub last: Option<String>,
    /// What became of it.
    pub action: Action,
    /// The status code (RFC 3463), such as `5.1.1`.
    pub status: Option<String>,
    /// What the server at the other end said, cleaned.
    pub diagnostic: String,
}

impl Recipient {
    /// Whether this is about what was sent to this address. Aliases on the way leave the original as it was.
    pub fn is(&self, address: &str) -> bool {
        let known = [&self.original, &self.last].into_iter().flatten();
        // Some servers hand the sender's own encoding on.
        known.into_iter().any(|known| is_same(known, address) || is_same(&un_xtext(known), address))
    }

    /// Status and words in one line: `5.1.1: smtp; 550 no such user`.
    pub fn text(&self) -> String {
        match (&self.status, self.diagnostic.as_str()) {
            (Some(status), "") => status.clone(),
            (Some(status), said) => format!("{status}: {said}"),
            (None, said) => said.to_owned(),
        }
    }
}

/// A report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The envelope id that the message was sent with (RFC 3461 section 4.4).
    pub envelope_id: Option<String>,
    /// The Message-ID of the message that it gives back, without angle brackets.
    pub message_id: Option<String>,
    /// Its recipients, those only of whom it says what became of them.
    pub recipients: Vec<Recipient>,
}

impl Report {
    /// The report in these parts; `None`: there is none.
    pub(super) fn of(parts: &[Part<'_>]) -> Option<Report> {
        let is = |part: &&Part<'_>, names: &[&str]| names.iter().any(|name| part.kind.is(name));
        let status =
            parts.iter().find(|part| is(part, &["message/delivery-status", "message/global-delivery-status"]))?;
        let given_back = parts.iter().find(|part| {
            is(part, &["text/rfc822-headers", "message/rfc822", "message/global-headers", "message/global"])
        });
        let mut report = Report { message_id: given_back.and_then(message_id), ..Report::default() };
        let mut rest: &[u8] = &status.content;
        for _ in 0..MOST_BLOCKS {
            if rest.is_empty() || report.recipients.len() == MOST_RECIPIENTS {
                break;
            }
            let (block, after) = split(rest);
            let fields = Fields::read(block);
            if report.envelope_id.is_none() {
                report.envelope_id = fields.get("Original-Envelope-Id").map(|id| id.trim().to_owned());
            }
            report.recipients.extend(recipient(&fields));
            rest = after;
        }
        Some(report)
    }
}

fn recipient(fields: &Fields) -> Option<Recipient> {
    let status = fields.get("Status").and_then(|status| status.split([' ', '\t', '(']).next());
    Some(Recipient {
        action: Action::parse(fields.get("Action")?)?,
        original: fields.get("Original-Recipient").map(address),
        last: fields.get("Final-Recipient").map(address),
        status: status.filter(|status| is_status(status)).map(str::to_owned),
        diagnostic: text::clean(fields.get("Diagnostic-Code").unwrap_or_default(), LONGEST_TEXT),
    })
}

/// The address in `rfc822; maria@example.com`.
fn address(value: &str) -> String {
    let address = value.split_once(';').map_or(value, |(_, address)| address).trim();
    address.trim_start_matches('<').trim_end_matches('>').to_owned()
}

fn is_status(text: &str) -> bool {
    let mut numbers = text.split('.');
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    numbers.clone().count() == 3 && numbers.all(is_number)
}

/// What xtext stands for (RFC 3461 section 4): `+2B` is a plus. Text that is none stays as it is.
fn un_xtext(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('+') {
        plain.push_str(before);
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = byte.filter(u8::is_ascii_graphic) {
            plain.push(char::from(byte));
            rest = after.get(2..).unwrap_or_default();
        } else {
            plain.push('+');
            rest = after;
        }
    }
    plain + rest
}

/// Whether two addresses are one: in any case, the domain in either of its two spellings (IDNA).
fn is_same(a: &str, b: &str) -> bool {
    let (Some((a_user, a_domain)), Some((b_user, b_domain))) = (a.rsplit_once('@'), b.rsplit_once('@')) else {
        return false;
    };
    let ascii = |domain: &str| Host::parse(domain).map_or_else(|_| domain.to_lowercase(), |host| host.to_string());
    a_user.to_lowercase() == b_user.to_lowercase() && ascii(a_domain) == ascii(b_domain)
}

/// The Message-ID of a message or of its fields alone.
fn message_id(part: &Part<'_>) -> Option<String> {
    let (head, _) = split(&part.content);
    let fields = Fields::read(head);
    let id = fields.get("Message-ID")?.trim();
    Some(id.strip_prefix('<')?.split_once('>')?.0.to_owned())
}
