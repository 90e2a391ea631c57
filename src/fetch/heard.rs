//! The head of an answer read as a whole, from raw fields, for whoever damages heads on purpose. Every reading of a field
//! is `head`'s and `decode`'s; nothing here decides anything.

use jiff::SignedDuration;
use reqwest::{
    StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use super::{decode, head};
use crate::model::time::Time;

/// What the head of an answer was understood to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// For how long the document stays fresh.
    pub max_age: Option<SignedDuration>,
    /// For how long not to come back.
    pub retry_after: Option<SignedDuration>,
    /// The character set of the document.
    pub charset: Option<String>,
    /// Where a redirect leads that may be followed.
    pub target: Option<Url>,
    /// How many conditions the next request will carry.
    pub conditions: usize,
    /// Whether the content codings are known here.
    pub is_decodable: bool,
}

/// Reads a head: its status (where it is one, else 200) and fields; fields that no HTTP message can hold are left out.
pub fn heard(status: u16, fields: &[(&[u8], &[u8])], from: &Url, now: Time) -> Heard {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let hints = head::hints(&map, now);
    let _words = head::failure(status, head::is_challenged(&map));
    let codings = map.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
    Heard {
        max_age: hints.max_age,
        retry_after: hints.retry_after,
        charset: head::charset(&map),
        target: head::redirect(status).and_then(|_| head::target(from, &map, status.as_u16()).ok()),
        conditions: head::conditions(&head::validators(&map)).count(),
        is_decodable: decode::codings(codings).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_field_by_field_and_what_no_message_can_hold_is_left_out() {
        let from = Url::parse("https://publisher.example/feeds/a.xml").unwrap();
        let fields: [(&[u8], &[u8]); 6] = [
            (b"Retry-After", b"120"),
            (b"Cache-Control", b"max-age=60"),
            (b"Content-Type", b"text/xml; charset=utf-8"),
            (b"Location", b"/b.xml"),
            (b"ETag", b"\"1\""),
            (b"no name", b"\0"),
        ];
        let heard = heard(301, &fields, &from, "2026-11-22T08:00:00Z".parse().unwrap());
        assert_eq!(heard.retry_after, Some(SignedDuration::from_secs(120)));
        assert_eq!(heard.max_age, Some(SignedDuration::from_secs(60)));
        assert_eq!(heard.charset.as_deref(), Some("utf-8"));
        assert_eq!(heard.target.as_ref().map(Url::as_str), Some("https://publisher.example/b.xml"));
        assert_eq!((heard.conditions, heard.is_decodable), (1, true));
    }
}
