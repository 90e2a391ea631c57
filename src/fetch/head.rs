//! What the head of a response says: validators, freshness, character set, and what a status means for a feed.
//! No I/O.

use reqwest::{
    StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use crate::{
    cadence::{expires, max_age, retry_after},
    model::{
        feed::{FeedState, Validators},
        outcome::CacheHints,
        time::Time,
    },
};

/// The longest name of a character set that is looked at.
const LONGEST_CHARSET: usize = 40;

/// The longest validator that is kept, in bytes. One that no server would take back (431) would lock the feed out
/// of its own publisher for ever.
const LONGEST_VALIDATOR: usize = 2_048;
/// The longest URL that a redirect may name, in bytes.
const LONGEST_LOCATION: usize = 8_192;

/// The validators of a response, byte for byte.
pub(super) fn validators(head: &HeaderMap) -> Validators {
    let value = |name: HeaderName| {
        let bytes = head.get(name)?.as_bytes();
        (1..=LONGEST_VALIDATOR).contains(&bytes.len()).then(|| bytes.to_vec())
    };
    Validators { etag: value(header::ETAG), last_modified: value(header::LAST_MODIFIED) }
}

/// The conditions of a request that wants only what is new (RFC 9110 section 13.1).
pub(super) fn conditions(known: &Validators) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let condition = |name, value: &Option<Vec<u8>>| Some((name, HeaderValue::from_bytes(value.as_ref()?).ok()?));
    [condition(header::IF_NONE_MATCH, &known.etag), condition(header::IF_MODIFIED_SINCE, &known.last_modified)]
        .into_iter()
        .flatten()
}

/// What a response says of when to come back.
pub(super) fn hints(head: &HeaderMap, now: Time) -> CacheHints {
    CacheHints {
        max_age: max_age(head.get_all(header::CACHE_CONTROL).iter().map(HeaderValue::as_bytes)),
        expires: head
            .get(header::EXPIRES)
            .and_then(|value| expires(value.as_bytes(), head.get(header::DATE).map(HeaderValue::as_bytes), now)),
        retry_after: head.get(header::RETRY_AFTER).and_then(|value| retry_after(value.as_bytes(), now)),
    }
}

/// The `charset` parameter of the Content-Type, as it stands there.
pub(super) fn charset(head: &HeaderMap) -> Option<String> {
    let media_type = head.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let label = media_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']).trim())
    })?;
    (!label.is_empty() && label.len() <= LONGEST_CHARSET).then(|| label.to_owned())
}

/// What a status other than 200, 304 and the redirects means. `challenged`: a page for people, that checks
/// whether somebody is one, stands in front of the feed.
pub(super) fn failure(status: StatusCode, challenged: bool) -> (FeedState, String) {
    let code = status.as_u16();
    if challenged {
        return (FeedState::Refused, format!("refused by a page that checks for a human visitor ({code})"));
    }
    match code {
        401 => (FeedState::Refused, "refused: a login is asked for (401)".to_owned()),
        402 | 403 | 407 | 451 | 511 => (FeedState::Refused, format!("refused ({code})")),
        404 => (FeedState::Gone, "not found (404)".to_owned()),
        410 => (FeedState::Gone, "gone for good (410)".to_owned()),
        429 => (FeedState::Throttled, "too many requests (429)".to_owned()),
        503 => (FeedState::Throttled, "not available for now (503)".to_owned()),
        204 => (FeedState::Broken, "an answer without a document (204)".to_owned()),
        206 | 226 => (FeedState::Broken, format!("a part of a document that was not asked for ({code})")),
        500..=599 => (FeedState::Broken, format!("the server has an error ({code})")),
        _ => (FeedState::Broken, format!("an answer that was not asked for ({code})")),
    }
}

/// Whether a 226 may be read: its body is the feed with only the new entries, and not some other difference (RFC 3229
/// section 10.5.2). A server that does not say what it did is believed to have done what it was asked for.
pub(super) fn is_feed_delta(head: &HeaderMap) -> bool {
    let mut said = head.get_all("im").iter().filter_map(|value| value.to_str().ok());
    said.all(|value| value.split(',').all(|one| one.trim().eq_ignore_ascii_case("feed")))
}

/// Whether a challenge stands in front of the feed.
pub(super) fn is_challenged(head: &HeaderMap) -> bool {
    head.contains_key("cf-mitigated")
}

/// Where a redirect leads, and whether it is permanent; `None`: the status is no redirect.
pub(super) fn redirect(status: StatusCode) -> Option<bool> {
    match status.as_u16() {
        301 | 308 => Some(true),
        302 | 303 | 307 => Some(false),
        _ => None,
    }
}

/// The URL that a redirect names, without its fragment (RFC 9110 section 10.2.2), or why it cannot be followed.
pub(super) fn target(from: &Url, head: &HeaderMap, code: u16) -> Result<Url, (FeedState, String)> {
    let broken = |words: &str| (FeedState::Broken, format!("{words} ({code})"));
    let location = head.get(header::LOCATION).ok_or_else(|| broken("a redirect that does not say where to"))?;
    let unreadable = || broken("a redirect whose target cannot be read");
    let text = std::str::from_utf8(location.as_bytes()).map_err(|_| unreadable())?;
    if text.len() > LONGEST_LOCATION {
        return Err(unreadable());
    }
    let mut url = from.join(text.trim()).map_err(|_| unreadable())?;
    url.set_fragment(None);
    if from.scheme() == "https" && url.scheme() == "http" {
        return Err((FeedState::Refused, "refused: a redirect from https to http is not followed".to_owned()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap()))
            .collect()
    }

    #[test]
    fn the_character_set_is_read_as_it_stands() {
        let cases: [(&[u8], Option<&str>); 9] = [
            (b"text/xml; charset=utf-8", Some("utf-8")),
            (b"text/xml;CHARSET=\"ISO-8859-1\"; x=y", Some("ISO-8859-1")),
            (b"text/xml; charset = 'windows-1252' ", Some("windows-1252")),
            (b"text/xml", None),
            (b"charset=utf-8", None),
            (b"text/xml; charset=", None),
            (b"text/xml; charset=\"\"", None),
            (b"text/xml; charset=\xff", None),
            (b"text/xml; charset=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", None),
        ];
        for (value, expected) in cases {
            assert_eq!(charset(&head(&[("content-type", value)])).as_deref(), expected, "{value:?}");
        }
        assert_eq!(charset(&HeaderMap::new()), None);
    }

    #[test]
    fn p_02_validators_are_kept_byte_for_byte() {
        let odd = validators(&head(&[("etag", b"W/\"a,b \xe9\""), ("last-modified", b"yesterday, at noon")]));
        assert_eq!(odd.etag.as_deref(), Some(&b"W/\"a,b \xe9\""[..]));
        let sent: Vec<_> = conditions(&odd).collect();
        assert_eq!(sent[0].1.as_bytes(), b"W/\"a,b \xe9\"");
        assert_eq!(sent[1].1.as_bytes(), b"yesterday, at noon");
        assert_eq!(conditions(&Validators::default()).count(), 0);
    }

    #[test]
    fn h_27_a_redirect_never_leaves_https() {
        let from = Url::parse("https://feeds.example/a/b.xml?x=1").unwrap();
        let to = |location: &'static str| target(&from, &head(&[("location", location.as_bytes())]), 302);
        assert_eq!(to("/c#part").unwrap().as_str(), "https://feeds.example/c");
        assert_eq!(to("c").unwrap().as_str(), "https://feeds.example/a/c");
        assert_eq!(to("//other.example/c").unwrap().as_str(), "https://other.example/c");
        assert_eq!(to("http://feeds.example/c").unwrap_err().0, FeedState::Refused);
        assert_eq!(to("http://[").unwrap_err().0, FeedState::Broken);
        assert_eq!(target(&from, &HeaderMap::new(), 302).unwrap_err().0, FeedState::Broken);
    }

    #[test]
    fn h_50_no_header_makes_its_reader_panic() {
        let now = "2026-11-20T08:00:00Z".parse().unwrap();
        let from = Url::parse("https://feeds.example/a/b.xml").unwrap();
        let alphabet = b"max-age=charset;,\" '09-:/?#[]@.GMT FriNov20\t\x80\xff%;utf";
        let mut seed = 7_u64;
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed >> 33).unwrap()
        };
        for _ in 0..20_000 {
            let length = random() % 40;
            let value: Vec<u8> = (0..length).map(|_| alphabet[random() % alphabet.len()]).collect();
            let value = HeaderValue::from_bytes(&value).unwrap();
            let names = [
                header::CACHE_CONTROL,
                header::RETRY_AFTER,
                header::CONTENT_TYPE,
                header::LOCATION,
                header::EXPIRES,
                header::DATE,
            ];
            let head: HeaderMap = names.into_iter().map(|name| (name, value.clone())).collect();
            let hints = hints(&head, now);
            assert!(hints.retry_after.is_none_or(|wait| wait.is_positive()));
            assert!(hints.max_age.is_none_or(|age| !age.is_negative()));
            assert!(hints.expires.is_none_or(|wait| wait.is_positive()));
            assert!(charset(&head).is_none_or(|label| label.len() <= LONGEST_CHARSET));
            match target(&from, &head, 302) {
                Ok(url) => assert!(url.fragment().is_none() && url.scheme() != "http", "{url}"),
                Err((_, words)) => assert!(words.is_ascii() && !words.is_empty()),
            }
        }
    }

    #[test]
    fn each_status_has_its_class() {
        let classes = [
            (FeedState::Refused, vec![401, 402, 403, 407, 451, 511]),
            (FeedState::Gone, vec![404, 410]),
            (FeedState::Throttled, vec![429, 503]),
            (FeedState::Broken, vec![201, 204, 206, 226, 300, 400, 405, 406, 418, 500, 502, 504, 599]),
        ];
        for (state, codes) in classes {
            for code in codes {
                let (said, words) = failure(StatusCode::from_u16(code).unwrap(), false);
                assert_eq!(said, state, "{code}");
                assert!(words.contains(&code.to_string()), "{words}");
            }
        }
        assert_eq!(failure(StatusCode::OK, true).0, FeedState::Refused);
    }
}
