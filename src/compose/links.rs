//! Which addresses of a feed become links in a mail, and how the others are shown so that no mail client makes
//! links of them. No fetching and no names looked up: only what can be seen in the address itself.

use url::{Host, Url};

use super::{encode::run, words};
use crate::address::is_global_unicast;

/// No longer address becomes a link.
const MAX_LINK: usize = 2_000;

/// What becomes of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// A link, with the domain that is shown beside it, in its ASCII spelling.
    To {
        /// The address.
        url: String,
        /// Its host.
        domain: String,
    },
    /// Only words, with the reason.
    Words(String),
    /// There is no address, or none that can be named.
    Absent,
}

impl Link {
    /// The address, where it is a link.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Link::To { url, .. } => Some(url),
            _ => None,
        }
    }

    /// What stands beside the link's words.
    pub(crate) fn beside(&self) -> &str {
        match self {
            Link::To { domain, .. } => domain,
            Link::Words(words) => words,
            Link::Absent => "",
        }
    }
}

/// The judge of a digest's links: it knows which host is our own.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    own_host: Option<String>,
    /// The same, spelled so that it is no address.
    broken: String,
}

impl Judge {
    /// A judge for mails whose answer links start like this one.
    pub(crate) fn new(answer_url: &str) -> Self {
        let own_host = Url::parse(answer_url).ok().and_then(|url| host_text(&url));
        let own = own_host.as_deref().unwrap_or_default();
        let broken = if own.contains('.') { own.replace('.', "[.]") } else { format!("[{own}]") };
        Self { own_host, broken }
    }

    /// What becomes of an address that a feed brought.
    pub(crate) fn link(&self, address: Option<&str>) -> Link {
        let Some(url) = address.and_then(|address| Url::parse(address.trim()).ok()) else { return Link::Absent };
        let Some(domain) = host_text(&url) else { return Link::Absent };
        if !matches!(url.scheme(), "http" | "https") {
            return Link::Absent;
        }
        if self.own_host.as_ref() == Some(&domain) {
            return Link::Words("(a link that imitates ours was left out)".to_owned());
        }
        let shown = || self.defang(words::cut(&format!("{domain}{}", url.path()), 120));
        if url.host().is_none_or(|host| is_inside(&host, &domain)) {
            return Link::Words(format!("{} (an inside address, not linked)", shown()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Link::Words(format!("{} (an address with a login in it, not linked)", shown()));
        }
        if url.as_str().len() > MAX_LINK {
            return Link::Words(format!("{} (an address too long to link)", shown()));
        }
        Link::To { url: url.into(), domain }
    }

    /// A feed's text in which our own host's name cannot become a link, whatever the mail client does with texts
    /// that look like one.
    pub(crate) fn defang(&self, text: impl Into<String>) -> String {
        let text = text.into();
        let Some(own) = &self.own_host else { return text };
        let mut rest = text.as_str();
        let mut out = String::new();
        while let Some((before, after)) = split_at_host(rest, own) {
            out.push_str(before);
            out.push_str(&self.broken);
            rest = after;
        }
        if out.is_empty() {
            return text;
        }
        out.push_str(rest);
        out
    }
}

/// The text before and after the first place where a host's name stands, in any case.
fn split_at_host<'a>(text: &'a str, host: &str) -> Option<(&'a str, &'a str)> {
    // A host's dot is rarer in texts than its letters.
    let mark = host.find('.').unwrap_or(0);
    let looked_for = *host.as_bytes().get(mark)?;
    let mut from = 0;
    loop {
        let found = run(text.as_bytes().get(from + mark..)?, |byte| !byte.eq_ignore_ascii_case(&looked_for));
        let (at, end) = (from + found, from + found + host.len());
        if text.as_bytes().get(at..end)?.eq_ignore_ascii_case(host.as_bytes()) {
            return Some((text.get(..at)?, text.get(end..)?));
        }
        from = at + 1;
    }
}

fn host_text(url: &Url) -> Option<String> {
    let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

/// Whether a host can only be meant inside somebody's network; `name` is its text as it is shown.
fn is_inside(host: &Host<&str>, name: &str) -> bool {
    match host {
        Host::Ipv4(address) => !is_global_unicast((*address).into()),
        Host::Ipv6(address) => !is_global_unicast((*address).into()),
        Host::Domain(_) => {
            let last = name.rsplit('.').next().unwrap_or_default();
            !name.contains('.')
                || matches!(last, "localhost" | "local" | "internal" | "lan" | "home" | "corp" | "intranet")
                || name.ends_with(".home.arpa")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge() -> Judge {
        Judge::new("https://sigtrail.example.com/a/Zk3vT8wQ1nLr6YpXbC2mGA")
    }

    #[test]
    fn a_link_keeps_its_address_and_shows_its_domain() {
        let link = judge().link(Some("https://cert.example/2099/87?a=b&c=d#e"));
        assert_eq!(link.url(), Some("https://cert.example/2099/87?a=b&c=d#e"));
        assert_eq!(link.beside(), "cert.example");
    }

    #[test]
    fn h_37_a_domain_is_shown_in_its_ascii_spelling() {
        assert_eq!(judge().link(Some("https://аpple.com/")).beside(), "xn--pple-43d.com");
    }

    #[test]
    fn h_33_an_inside_address_is_words_and_not_a_link() {
        for address in [
            "http://127.0.0.1:8090/a/b",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://10.1.2.3/x",
            "http://192.168.0.1/",
            "http://172.16.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[fd00::1]/",
            "http://[fe80::1]/",
            "http://[64:ff9b::a00:1]/",
            "http://[2002:a00:1::]/",
            "http://localhost:3000/",
            "http://printer/",
            "https://wiki.corp.internal/",
            "http://nas.local./",
            "http://user:secret@cert.example/",
        ] {
            let link = judge().link(Some(address));
            assert_eq!(link.url(), None, "{address}");
            assert!(!link.beside().contains("://"), "{address}");
            assert!(!link.beside().contains("secret"), "{address}");
        }
    }

    #[test]
    fn h_34_only_http_and_https_become_links() {
        for address in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            " javascript:alert(1)",
            "data:text/html,<script>",
            "vbscript:x",
            "blob:https://cert.example/1",
            "intent://cert.example/#Intent;end",
            "file:///etc/passwd",
            "mailto:a@example.com",
            "//cert.example/",
            "/relative",
            "",
        ] {
            assert_eq!(judge().link(Some(address)), Link::Absent, "{address}");
        }
    }

    #[test]
    fn h_39_nothing_from_a_feed_links_to_our_own_host() {
        for address in [
            "https://sigtrail.example.com/a/forged",
            "http://SIGTRAIL.example.com:80/a/forged",
            "https://sigtrail.example.com./a/forged",
            "https://x@sigtrail.example.com/a/forged",
            "https://sigtrail%2Eexample.com/",
        ] {
            assert_eq!(judge().link(Some(address)).url(), None, "{address}");
        }
        let text = judge().defang("Answer at https://SigTrail.example.com/a/1 or sigtrail.example.com.");
        assert_eq!(text, "Answer at https://sigtrail[.]example[.]com/a/1 or sigtrail[.]example[.]com.");
        let local = Judge::new("http://localhost:8090/a/x");
        assert_eq!(local.defang("see http://localhost:8090/a/y"), "see http://[localhost]:8090/a/y");
    }
}
