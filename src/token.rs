//! Signed, expiring links, the nonces of the forms behind them, and Message-IDs: everything that is derived from
//! the link key. Pure: no clock and no randomness of its own, and nothing here knows what a digest says.
//!
//! A link's text is `base64url(key id ‖ tag ‖ payload ⊕ stream(tag))`, where the tag is HMAC-SHA256 (RFC 2104) over
//! key id and payload, cut to 128 bits, and the stream is HMAC-SHA256 over the tag: the construction of SIV
//! (RFC 5297) with HMAC, so that equal scopes give equal links and nothing of the payload can be read.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::model::{id::DigestNo, time::Time};

/// The length of a tag in bytes: 128 bits.
const TAG: usize = 16;
/// Expiry and story number come first in a payload, the digest's number takes the rest.
const FIXED_PAYLOAD: usize = 6;
/// The most bytes of a payload: the digest's number has at most eight.
const MAX_PAYLOAD: usize = FIXED_PAYLOAD + 8;
/// No token and no nonce is longer than this many characters.
const MAX_TEXT: usize = 96;
/// The bytes of a nonce before its tag: the time of rendering and the random part.
const NONCE_HEAD: usize = 8 + 16;
/// For how long a form may be sent after it was rendered.
const FORM_LIFE: SignedDuration = SignedDuration::from_hours(12);
/// How far a form may seem to come from the future, where the clock was set back.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// The secret that links, nonces and Message-IDs are derived from, with the one before it where there was one: that one
/// opens what was made with it, and makes nothing new. Neither shows itself.
#[derive(Clone)]
pub struct LinkKey {
    now: Secret,
    before: Option<Secret>,
}

impl LinkKey {
    /// The key of these bytes, which must come from a secure random source.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self { now: Secret(bytes), before: None }
    }

    /// This key, which also opens what was made with an older one.
    #[must_use]
    pub fn after(self, older: [u8; 32]) -> Self {
        Self { before: Some(Secret(older)), ..self }
    }

    /// The secrets that may have made something, the newest first.
    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.now).chain(&self.before)
    }
}

#[derive(Clone)]
struct Secret([u8; 32]);

impl Secret {
    fn hmac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes keys of any length, so the error cannot occur; an all-zero key would still sign nothing.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
        mac.update(b"sigtrail ");
        mac.update(purpose.as_bytes());
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn tag(&self, purpose: &str, parts: &[&[u8]]) -> [u8; TAG] {
        let mut tag = [0; TAG];
        for (to, from) in tag.iter_mut().zip(self.hmac(purpose, parts)) {
            *to = from;
        }
        tag
    }

    fn id(&self) -> u8 {
        let [id, ..] = self.hmac("key id", &[]);
        id
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey")
    }
}

/// What a link is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The digest whose stories it answers.
    pub digest: DigestNo,
    /// The number of the story in the digest, from 1; `None`: every story of it.
    pub story: Option<u16>,
    /// Until when it opens, in whole seconds; a link keeps no fraction and nothing after the year 2105.
    pub expires: Time,
}

/// Why a link does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Cut, changed, forged or made with another key: which of these cannot be told.
    #[error("the link is not complete")]
    Incomplete,
    /// It was good once, for this.
    #[error("the link ended at {}", .0.expires)]
    Expired(Scope),
}

/// The text of a link: 34 characters for the first sixteen million digests, `A-Z a-z 0-9 - _` only.
pub fn mint(key: &LinkKey, scope: &Scope) -> String {
    let key = &key.now;
    let payload = payload(scope);
    let tag = key.tag("link", &[&[key.id()], &payload]);
    let mut bytes = Vec::with_capacity(1 + TAG + payload.len());
    bytes.push(key.id());
    bytes.extend_from_slice(&tag);
    bytes.extend(payload.iter().zip(key.hmac("link stream", &[&tag])).map(|(byte, mask)| byte ^ mask));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a link's text stands for. Tags are compared in constant time.
pub fn open(key: &LinkKey, text: &str, now: Time) -> Result<Scope, LinkError> {
    let bytes = decode(text).ok_or(LinkError::Incomplete)?;
    let scope = key.secrets().find_map(|secret| unmask(secret, &bytes)).ok_or(LinkError::Incomplete)?;
    if now >= scope.expires { Err(LinkError::Expired(scope)) } else { Ok(scope) }
}

/// What a link of this secret stands for; `None`: it is none.
fn unmask(secret: &Secret, bytes: &[u8]) -> Option<Scope> {
    let (id, rest) = bytes.split_first()?;
    let (tag, masked) = rest.split_at_checked(TAG)?;
    if *id != secret.id() || masked.len() > MAX_PAYLOAD {
        return None;
    }
    let stream = secret.hmac("link stream", &[tag]);
    let payload: Vec<u8> = masked.iter().zip(stream).map(|(byte, mask)| byte ^ mask).collect();
    if !bool::from(secret.tag("link", &[&[*id], &payload]).ct_eq(tag)) {
        return None;
    }
    scope(&payload)
}

/// The nonce of a form: it says when and behind which link the form was rendered. `token` is the link's text, with
/// whatever tells one form behind it from another; `random` comes from a secure random source.
pub fn nonce(key: &LinkKey, token: &str, now: Time, random: [u8; 16]) -> String {
    let mut bytes = Vec::with_capacity(NONCE_HEAD + TAG);
    bytes.extend_from_slice(&now.as_second().to_be_bytes());
    bytes.extend_from_slice(&random);
    let tag = key.now.tag("form", &[token.as_bytes(), &bytes]);
    bytes.extend_from_slice(&tag);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether this nonce was rendered for this link in the last 12 hours.
pub fn nonce_is_valid(key: &LinkKey, token: &str, nonce: &str, now: Time) -> bool {
    let Some(bytes) = decode(nonce) else { return false };
    let Some((head, tag)) = bytes.split_at_checked(NONCE_HEAD) else { return false };
    if !key.secrets().any(|secret| bool::from(secret.tag("form", &[token.as_bytes(), head]).ct_eq(tag))) {
        return false;
    }
    let Some(seconds) = head.first_chunk().map(|seconds| i64::from_be_bytes(*seconds)) else { return false };
    let Ok(rendered) = Timestamp::from_second(seconds) else { return false };
    let age = now.duration_since(rendered);
    age <= FORM_LIFE && age >= -CLOCK_SLACK
}

/// When the form of this nonce was rendered, to the second; only a nonce that is valid says so truly.
pub fn rendered_at(nonce: &str) -> Option<Time> {
    let seconds = decode(nonce)?.first_chunk().map(|seconds| i64::from_be_bytes(*seconds))?;
    Timestamp::from_second(seconds).ok()
}

/// The Message-ID (RFC 5322 section 3.6.4) of a digest to an address, without angle brackets: the same every time,
/// and nothing of the address can be read from it. `domain` is the sender's; what a domain cannot hold is left out.
pub fn message_id(key: &LinkKey, digest: DigestNo, address: &str, domain: &str) -> String {
    at_domain(key.now.tag("message-id", &[&digest.0.to_be_bytes(), address.as_bytes()]), domain)
}

/// The Message-ID that all mails of a month (`2026-11`) to an owner refer to, so that mail programs show them
/// together; no mail has it, and nothing of the owner can be read from it.
pub fn thread_root(key: &LinkKey, month: &str, owner: &str, domain: &str) -> String {
    at_domain(key.now.tag("thread", &[month.as_bytes(), owner.as_bytes()]), domain)
}

fn at_domain(tag: [u8; TAG], domain: &str) -> String {
    use fmt::Write as _;
    let mut id = String::with_capacity(2 * TAG + 1 + domain.len());
    for byte in tag {
        let _ = write!(id, "{byte:02x}");
    }
    id.push('@');
    let start = id.len();
    id.extend(domain.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).take(255));
    if id.len() == start {
        id.push_str("sigtrail.invalid");
    }
    id
}

fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_TEXT { None } else { URL_SAFE_NO_PAD.decode(text).ok() }
}

fn payload(scope: &Scope) -> Vec<u8> {
    let expires = u32::try_from(scope.expires.as_second().max(0)).unwrap_or(u32::MAX);
    let mut payload = expires.to_be_bytes().to_vec();
    payload.extend_from_slice(&scope.story.unwrap_or(0).to_be_bytes());
    payload.extend(scope.digest.0.to_be_bytes().into_iter().skip_while(|byte| *byte == 0));
    payload
}

fn scope(payload: &[u8]) -> Option<Scope> {
    let (expires, rest) = payload.split_first_chunk::<4>()?;
    let (story, digest) = rest.split_first_chunk::<2>()?;
    let story = u16::from_be_bytes(*story);
    let digest = digest.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    Some(Scope {
        digest: DigestNo(digest.cast_signed()),
        story: (story != 0).then_some(story),
        expires: Timestamp::from_second(i64::from(u32::from_be_bytes(*expires))).ok()?,
    })
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> LinkKey {
        LinkKey::new([7; 32])
    }

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn link(story: Option<u16>) -> Scope {
        Scope { digest: DigestNo(42), story, expires: at("2026-12-20T08:00:00Z") }
    }

    #[test]
    fn a_link_says_what_it_was_minted_for() {
        let now = at("2026-11-20T08:00:00Z");
        for scope in [link(None), link(Some(1)), link(Some(u16::MAX))] {
            let text = mint(&key(), &scope);
            assert_eq!(open(&key(), &text, now), Ok(scope));
        }
        assert!(mint(&key(), &link(Some(3))).len() <= 34);
    }

    #[test]
    fn a_05_every_flipped_bit_every_cut_and_every_other_key_is_refused() {
        let now = at("2026-11-20T08:00:00Z");
        let text = mint(&key(), &link(Some(3)));
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key(), &URL_SAFE_NO_PAD.encode(forged), now), Err(LinkError::Incomplete), "bit {bit}");
        }
        for cut in 0..text.len() {
            assert_eq!(open(&key(), &text[..cut], now), Err(LinkError::Incomplete), "cut at {cut}");
        }
        for place in 0..text.len() {
            for other in ["A", "z", "-", "=", " ", "%"] {
                let mut forged = text.clone();
                forged.replace_range(place..=place, other);
                if forged != text {
                    assert_eq!(open(&key(), &forged, now), Err(LinkError::Incomplete), "{other} at {place}");
                }
            }
        }
        for added in ["A", "AA", "AAAA", "=", "\n", "/"] {
            assert_eq!(open(&key(), &format!("{text}{added}"), now), Err(LinkError::Incomplete));
        }
        assert_eq!(open(&LinkKey::new([8; 32]), &text, now), Err(LinkError::Incomplete));
        assert_eq!(open(&key(), "", now), Err(LinkError::Incomplete));
        assert_eq!(open(&key(), &"A".repeat(1_000_000), now), Err(LinkError::Incomplete));
    }

    #[test]
    fn a_05_a_link_ends_at_its_moment_and_says_when() {
        let text = mint(&key(), &link(None));
        assert!(open(&key(), &text, at("2026-12-20T07:59:59Z")).is_ok());
        let at_the_end = at("2026-12-20T08:00:00Z");
        assert_eq!(open(&key(), &text, at_the_end), Err(LinkError::Expired(link(None))));
    }

    #[test]
    fn a_03_a_nonce_is_good_for_twelve_hours_and_for_its_own_form_only() {
        let rendered = at("2026-11-20T08:00:00Z");
        let nonce = nonce(&key(), "token/1", rendered, [9; 16]);
        assert!(nonce_is_valid(&key(), "token/1", &nonce, rendered));
        assert!(nonce_is_valid(&key(), "token/1", &nonce, at("2026-11-20T20:00:00Z")));
        assert!(!nonce_is_valid(&key(), "token/1", &nonce, at("2026-11-20T20:00:01Z")));
        assert!(!nonce_is_valid(&key(), "token/1", &nonce, at("2026-11-20T07:00:00Z")));
        assert!(!nonce_is_valid(&key(), "token/2", &nonce, rendered));
        assert!(!nonce_is_valid(&LinkKey::new([1; 32]), "token/1", &nonce, rendered));
        for cut in 0..nonce.len() {
            assert!(!nonce_is_valid(&key(), "token/1", &nonce[..cut], rendered));
        }
    }

    #[test]
    fn a_message_id_is_the_same_every_time_and_holds_no_address() {
        let id = message_id(&key(), DigestNo(1), "maria@example.com", "example.com");
        assert_eq!(id, message_id(&key(), DigestNo(1), "maria@example.com", "example.com"));
        assert_ne!(id, message_id(&key(), DigestNo(2), "maria@example.com", "example.com"));
        assert_ne!(id, message_id(&key(), DigestNo(1), "jon@example.com", "example.com"));
        assert!(!id.contains("maria"));
        assert!(id.ends_with("@example.com"));
        assert!(message_id(&key(), DigestNo(1), "a@b", "\r\n>").ends_with("@sigtrail.invalid"));
    }

    #[test]
    fn the_key_does_not_show_itself() {
        assert_eq!(format!("{:?}", key()), "LinkKey");
    }

    proptest! {
        #[test]
        fn every_scope_survives_the_way_into_a_link_and_back(digest: i64, story in 1..=u16::MAX, life in 1..2_000_000_000_i64) {
            let scope = Scope { digest: DigestNo(digest), story: Some(story), expires: Timestamp::from_second(life).unwrap() };
            prop_assert_eq!(open(&key(), &mint(&key(), &scope), Timestamp::UNIX_EPOCH), Ok(scope));
        }

        #[test]
        fn no_text_makes_a_link_or_nonce_of_itself(text in ".{0,100}") {
            prop_assert_eq!(open(&key(), &text, Timestamp::UNIX_EPOCH), Err(LinkError::Incomplete));
            prop_assert!(!nonce_is_valid(&key(), "token", &text, Timestamp::UNIX_EPOCH));
        }
    }
}
