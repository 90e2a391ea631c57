//! Links of entries: what counts as one, how two are compared, and which host a link leads to. Nothing here resolves a name or opens
//! a connection.

use url::{Host, Url};

use crate::text::clean;

/// The longest link that is kept, in bytes.
const MAX_LINK: usize = 4096;

/// Query parameters that say how a reader came, not what is read.
const TRACKERS: &[&str] = &[
    "fbclid",
    "gclid",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "yclid",
    "twclid",
    "igshid",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "_hsenc",
    "_hsmi",
    "vero_id",
    "oly_anon_id",
    "oly_enc_id",
    "at_medium",
    "at_campaign",
    "ns_mchannel",
    "ns_source",
    "ns_campaign",
    "cmpid",
    "wt_mc",
];

/// An absolute http or https address without user name and password, or nothing.
///
/// A relative reference is resolved against `base` (RFC 3986 section 5.2). Every other scheme (`javascript:`, `data:`, ...) is no link,
/// however it is disguised: the text is read as the WHATWG URL standard reads it, which is what a browser would follow.
pub fn http_link(text: &str, base: Option<&Url>) -> Option<String> {
    web_link(text, base).map(String::from)
}

fn web_link(text: &str, base: Option<&Url>) -> Option<Url> {
    let text = text.trim_matches(|one: char| one.is_whitespace() || one.is_control());
    if text.is_empty() || text.len() > MAX_LINK {
        return None;
    }
    let mut link = match Url::parse(text) {
        Ok(link) => link,
        Err(url::ParseError::RelativeUrlWithoutBase) => base?.join(text).ok()?,
        Err(_) => return None,
    };
    if !is_web(&link) {
        return None;
    }
    link.set_username("").ok()?;
    link.set_password(None).ok()?;
    (link.as_str().len() <= MAX_LINK).then_some(link)
}

/// A relative reference that has no base, as it is written; nothing where a scheme or white space makes it another thing.
pub fn relative(text: &str) -> Option<String> {
    let text = text.trim();
    let is_reference = !text.is_empty()
        && text.len() <= MAX_LINK
        && text.chars().all(|one| !one.is_whitespace() && !one.is_control())
        && Url::parse(text) == Err(url::ParseError::RelativeUrlWithoutBase);
    Some(clean(text, MAX_LINK)).filter(|text| is_reference && !text.is_empty())
}

fn is_web(link: &Url) -> bool {
    matches!(link.scheme(), "http" | "https") && link.has_host()
}

/// A spelling of a link for comparing it with others, never for showing or opening it.
///
/// Scheme and host are lower case; fragment, user, default port, tracking parameters and the last `/` are dropped; the other query
/// parameters are sorted. `http` and `https` count as one.
pub fn canonical(link: &str) -> Option<String> {
    let link = web_link(link, None)?;
    let host = link.host_str()?.trim_end_matches('.');
    let mut out = format!("https://{host}");
    if let Some(port) = link.port() {
        out.push(':');
        out.push_str(&port.to_string());
    }
    out.push_str(link.path().trim_end_matches('/'));
    let mut pairs: Vec<&str> =
        link.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !is_tracker(pair)).collect();
    pairs.sort_unstable();
    for (index, pair) in pairs.into_iter().enumerate() {
        out.push(if index == 0 { '?' } else { '&' });
        out.push_str(pair);
    }
    Some(out)
}

/// Whether a canonical link leads to the front page of a site, which many unrelated entries do.
pub fn is_front_page(canonical: &str) -> bool {
    canonical.strip_prefix("https://").is_some_and(|place| !place.contains(['/', '?', '#']))
}

fn is_tracker(pair: &str) -> bool {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name).to_ascii_lowercase();
    name.starts_with("utm_") || TRACKERS.contains(&name.as_str())
}

/// The host of a link, for showing beside it: a name in its ASCII form (punycode, so that a look-alike shows), or an address.
pub fn domain(link: &str) -> Option<String> {
    let link = Url::parse(link.trim()).ok().filter(is_web)?;
    Some(match link.host()? {
        Host::Domain(name) => clean(name, 255),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        Url::parse("https://example.com/news/feed.xml").unwrap()
    }

    #[test]
    fn relative_references_are_resolved_against_the_base() {
        let base = base();
        let resolved = |text| http_link(text, Some(&base));
        assert_eq!(resolved("../a?b=1#c").as_deref(), Some("https://example.com/a?b=1#c"));
        assert_eq!(resolved("//cdn.example/x").as_deref(), Some("https://cdn.example/x"));
        assert_eq!(resolved("  /y\n").as_deref(), Some("https://example.com/y"));
        assert_eq!(http_link("/y", None), None);
    }

    #[test]
    fn h_34_only_http_and_https_are_links() {
        let base = base();
        for text in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            "java\nscript:alert(1)",
            " javascript:alert(1)",
            "\u{1}javascript:alert(1)",
            "\u{a0}javascript:alert(1)",
            "javascript&colon;alert(1)//x:",
            "data:text/html,<script>alert(1)</script>",
            "DATA:text/html;base64,PHNjcmlwdD4=",
            "vbscript:msgbox(1)",
            "blob:https://example.com/1",
            "intent://scan/#Intent;end",
            "file:///etc/passwd",
            "ftp://example.com/x",
            "mailto:a@example.com",
            "tel:+123",
            "view-source:https://example.com",
            "about:blank",
            "chrome://settings",
            "ms-msdt:/id",
            "search-ms:query=x",
            "jar:https://example.com!/x",
            "feed:https://example.com",
            "ws://example.com",
            "urn:uuid:1",
            "tag:example.com,2026:1",
            "smb://example.com/x",
            "ssh://example.com",
            "livescript:x",
            "x:y",
            "http://",
            "https:///",
        ] {
            let found = http_link(text, Some(&base));
            assert!(found.as_deref().is_none_or(|link| link.starts_with("https://")), "{text:?} became {found:?}");
            assert!(
                !found.is_some_and(|link| link.contains("alert") && !link.starts_with("https://example.com/")),
                "{text:?}"
            );
            assert_eq!(http_link(text, None), None, "{text:?}");
        }
    }

    #[test]
    fn user_names_never_disguise_a_host() {
        assert_eq!(
            http_link("https://bank.example:pw@evil.example/a", None).as_deref(),
            Some("https://evil.example/a")
        );
        assert_eq!(http_link("https:\\\\evil.example\\a", None).as_deref(), Some("https://evil.example/a"));
        assert_eq!(http_link("ht\ntps://example.com/", None).as_deref(), Some("https://example.com/"));
    }

    #[test]
    fn h_37_a_look_alike_host_shows_as_punycode() {
        let link = http_link("https://\u{430}pple.example/x", None).unwrap();
        assert_eq!(domain(&link).as_deref(), Some("xn--pple-43d.example"));
        assert_eq!(domain("http://127.1/").as_deref(), Some("127.0.0.1"));
        assert_eq!(domain("javascript:x"), None);
        assert_eq!(domain("no link"), None);
    }

    #[test]
    fn links_that_differ_only_in_dress_compare_equal() {
        let plain = canonical("https://example.com/a").unwrap();
        for link in [
            "http://example.com/a",
            "HTTPS://EXAMPLE.COM:443/a/",
            "https://user@example.com/a#top",
            "https://example.com./a",
            "https://example.com/a?utm_source=x&UTM_medium=y&fbclid=z",
            "https://example.com/a?",
        ] {
            assert_eq!(canonical(link).unwrap(), plain, "{link}");
        }
        assert_eq!(canonical("https://example.com/?b=2&a=1"), canonical("https://example.com?a=1&b=2"));
        assert_ne!(canonical("https://example.com/A").unwrap(), plain);
        assert_ne!(canonical("https://example.com:8443/a").unwrap(), plain);
        assert_eq!(canonical("mailto:x@example.com"), None);
    }
}
