//! What a web page says of its feeds: the links in its head, and links in its text that look like feeds. In time linear in
//! the length of the page; HTML is cut into tags and never interpreted.

use url::{Host, Url};

use super::{Candidate, How};
use crate::{
    link::http_link,
    repair::{Notes, Token, Tokens},
    text::{clean, from_html},
};

/// The most feeds that a page may name.
const MOST_NAMED: usize = 16;
/// The most links that are kept.
const MOST_LINKED: usize = 16;
/// The longest title that is kept, in bytes.
const LONGEST_TITLE: usize = 120;
/// The longest address that is looked at, in bytes.
const LONGEST_ADDRESS: usize = 4_096;

/// The feeds that a page names or links to, the likely ones first: named ones before links, feeds of comments last.
///
/// `page` is the address that answered; a `<base>` of the page counts in its place. References in attributes are decoded,
/// relative addresses are resolved, and where the page came over https its own site is not left for http.
pub fn on_page(html: &str, page: &Url) -> Vec<Candidate> {
    let mut reader =
        Reader { page, base: page.clone(), has_base: false, named: Vec::new(), linked: Vec::new(), open: None };
    let (mut tokens, mut notes) = (Tokens::new(html), Notes::default());
    while let Some(token) = tokens.next(&mut notes) {
        match token {
            Token::Open(tag) => reader.open(tag.name, &|name| tag.attribute(name)),
            Token::Close(tag) if tag.name.eq_ignore_ascii_case("a") => reader.open = None,
            Token::Text(text) => reader.text(text),
            _ => {}
        }
    }
    let mut named = reader.named;
    named.sort_by_key(is_about_comments);
    let mut linked = reader.linked;
    linked.sort_by_key(is_about_comments);
    let mut found: Vec<Candidate> = Vec::new();
    for candidate in named.into_iter().chain(linked) {
        if !found.iter().any(|known| known.url == candidate.url) {
            found.push(candidate);
        }
    }
    found
}

struct Reader<'p> {
    page: &'p Url,
    base: Url,
    has_base: bool,
    named: Vec<Candidate>,
    linked: Vec<Candidate>,
    /// Where the link leads whose text is being read.
    open: Option<Url>,
}

impl Reader<'_> {
    fn open<'t>(&mut self, name: &str, attribute: &dyn Fn(&str) -> Option<&'t str>) {
        if name.eq_ignore_ascii_case("link") {
            self.name(attribute);
        } else if name.eq_ignore_ascii_case("a") {
            self.link(attribute);
        } else if name.eq_ignore_ascii_case("base") && !self.has_base {
            let base = attribute("href").and_then(|href| self.address(href));
            self.has_base = base.is_some();
            self.base = base.unwrap_or_else(|| self.base.clone());
        }
    }

    /// `<link rel="alternate" type="..." href="...">`
    fn name<'t>(&mut self, attribute: &dyn Fn(&str) -> Option<&'t str>) {
        let is = |word: &str| {
            attribute("rel").is_some_and(|rel| rel.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case(word)))
        };
        if self.named.len() == MOST_NAMED || !(is("alternate") || is("feed")) || is("stylesheet") {
            return;
        }
        let Some(url) = attribute("href").and_then(|href| self.address(href)) else { return };
        let kind = attribute("type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_feed = match kind.as_str() {
            "application/rss+xml" | "application/atom+xml" | "application/feed+json" | "application/rdf+xml" => true,
            // These name all kinds of things beside feeds.
            "application/json" | "application/xml" | "text/xml" => looks_like_feed(&url),
            "" => is("feed"),
            _ => false,
        };
        if is_feed {
            let title = attribute("title").map(|title| from_html(title, LONGEST_TITLE));
            let title = title.filter(|title| !title.is_empty());
            self.named.push(Candidate { url, how: How::Named, title });
        }
    }

    /// `<a href="...">`
    fn link<'t>(&mut self, attribute: &dyn Fn(&str) -> Option<&'t str>) {
        self.open = None;
        let Some(url) = attribute("href").and_then(|href| self.address(href)) else { return };
        if !self.is_near(&url) {
            return;
        }
        let said = ["title", "aria-label", "type"].into_iter().filter_map(attribute).any(speaks_of_feeds);
        if said || looks_like_feed(&url) {
            self.keep(url);
        } else {
            self.open = Some(url);
        }
    }

    fn text(&mut self, text: &str) {
        if self.open.is_some()
            && speaks_of_feeds(text)
            && let Some(url) = self.open.take()
        {
            self.keep(url);
        }
    }

    fn keep(&mut self, url: Url) {
        if self.linked.len() < MOST_LINKED {
            self.linked.push(Candidate::new(url, How::Linked));
        }
    }

    /// The address in an attribute, absolute and without a fragment.
    fn address(&self, raw: &str) -> Option<Url> {
        if raw.len() > LONGEST_ADDRESS {
            return None;
        }
        let mut url = Url::parse(&http_link(&from_html(raw, LONGEST_ADDRESS), Some(&self.base))?).ok()?;
        url.set_fragment(None);
        let is_own = url.host() == self.page.host() && url.port().is_none();
        if self.page.scheme() == "https" && url.scheme() == "http" && is_own {
            url.set_scheme("https").ok()?;
        }
        (url != *self.page).then_some(url)
    }

    /// Whether an address belongs to the site of the page, or to the one service that carries others' feeds.
    fn is_near(&self, url: &Url) -> bool {
        match (self.page.host(), url.host()) {
            (Some(Host::Domain(own)), Some(Host::Domain(other))) => {
                site(own) == site(other) || other == "feeds.feedburner.com"
            }
            (own, other) => own == other,
        }
    }
}

/// The name under which a site was registered; the host itself where the list of suffixes knows none.
fn site(host: &str) -> &str {
    psl::domain_str(host).unwrap_or(host)
}

/// Whether a word of the text says that this is a feed.
fn speaks_of_feeds(text: &str) -> bool {
    let text = clean(text.get(..text.floor_char_boundary(200)).unwrap_or_default(), 200).to_ascii_lowercase();
    text.split(|one: char| !one.is_ascii_alphanumeric()).any(|word| matches!(word, "rss" | "atom" | "feed" | "feeds"))
}

/// Whether an address looks like that of a feed.
fn looks_like_feed(url: &Url) -> bool {
    let path = url.path().to_ascii_lowercase();
    let path = path.trim_end_matches('/');
    let (folders, last) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, end) = last.rsplit_once('.').unwrap_or((last, ""));
    if last.contains("sitemap") || matches!(end, "opml" | "html" | "htm" | "php" | "css" | "js" | "png" | "svg" | "pdf")
    {
        return false;
    }
    let is_word = |part: &str| matches!(part, "feed" | "feeds" | "rss" | "rss2" | "atom" | "rdf");
    let has_word = |text: &str| text.split(|one: char| !one.is_ascii_alphanumeric()).any(is_word);
    let in_query = url.query_pairs().any(|(name, value)| {
        matches!(name.as_ref(), "feed" | "format" | "type" | "alt") && is_word(&value.to_ascii_lowercase())
    });
    match end {
        "rss" | "atom" | "rdf" => true,
        "xml" | "json" => has_word(stem) || has_word(folders) || (end == "xml" && stem == "index"),
        _ => is_word(last) || in_query || (has_word(last) && !last.contains('%')),
    }
}

fn is_about_comments(candidate: &Candidate) -> bool {
    let said = candidate.title.as_deref().unwrap_or_default().to_ascii_lowercase();
    said.contains("comment") || candidate.url.path().to_ascii_lowercase().contains("comment")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(html: &str) -> Vec<(String, &'static str)> {
        let page = Url::parse("https://www.tarnbase.example/news/today").unwrap();
        on_page(html, &page).into_iter().map(|one| (one.url.to_string(), one.how.as_str())).collect()
    }

    fn named(path: &str) -> (String, &'static str) {
        (format!("https://www.tarnbase.example{path}"), "named")
    }

    #[test]
    fn a_page_names_its_feeds_in_any_spelling_and_those_of_comments_come_last() {
        let html = "<!doctype html><HTML><head><title>News</title>
            <link rel='alternate' type='application/rss+xml' title='News &raquo; Comments Feed' href='/comments/feed/'>
            <LINK TYPE=application/atom+xml REL=\"Alternate Home\" HREF=../atom.xml />
            <link rel=\"alternate\" href=\"/f?a=1&amp;b=2#top\" type=\"application/rss+xml; charset=utf-8\">
            <link rel=alternate type=application/feed+json href=//www.tarnbase.example/feed.json>
            <link rel='alternate' type='application/rss+xml' href='http://www.tarnbase.example/plain.rss'>
            </head><body></body></html>";
        let paths = ["/atom.xml", "/f?a=1&b=2", "/feed.json", "/plain.rss", "/comments/feed/"];
        assert_eq!(found(html), paths.map(named), "http of its own site becomes https");
    }

    #[test]
    fn what_only_resembles_a_feed_is_none() {
        for html in [
            "<link rel='alternate stylesheet' type='application/rss+xml' href='/x.css'>",
            "<link rel='alternate' hreflang='de' href='/de/'>",
            "<link rel='alternate' type='application/json' href='/wp-json/wp/v2/pages/7'>",
            "<link rel='alternate' type='application/json+oembed' href='/oembed?feed=1'>",
            "<link rel='stylesheet' href='/feed.css'><link rel='alternate' type='application/rss+xml'>",
            "<link rel='alternate' type='application/rss+xml' href='javascript:alert(1)'>",
            "<link rel='alternate' type='application/rss+xml' href=''>",
            "<!-- <link rel='alternate' type='application/rss+xml' href='/old.xml'> -->",
            "<a href='/feedback'>Feedback</a><a href='/sitemap.xml'>Map</a><a href='/rss.html'>x</a>",
            "<a href='https://reader.example/add?feed=rss'>Follow us by RSS</a>",
        ] {
            assert_eq!(found(html), [], "{html}");
        }
    }

    #[test]
    fn links_that_look_like_feeds_follow_those_that_are_named() {
        let html = "<base href='https://blog.tarnbase.example/b/'><base href='https://evil.example/'>
            <a href='bulletins.rdf'>Bulletins</a> <a href='/x/17'><b>Subscribe</b> (RSS)</a> <a href='/about'>RSS or not</a
            ><a href='?format=atom'>x</a> <a href='bulletins.rdf'>again</a> <a href='/plain'>plain</a>
            <a href='https://feeds.feedburner.com/tarnbase/rss'>x</a>
            <link rel='alternate' type='application/rss+xml' href='main.xml'>";
        let below = |path: &str| format!("https://blog.tarnbase.example{path}");
        assert_eq!(
            found(html),
            [
                (below("/b/main.xml"), "named"),
                (below("/b/bulletins.rdf"), "linked"),
                (below("/x/17"), "linked"),
                (below("/about"), "linked"),
                (below("/b/?format=atom"), "linked"),
                ("https://feeds.feedburner.com/tarnbase/rss".to_owned(), "linked"),
            ]
        );
    }

    #[test]
    fn scripts_and_broken_markup_hide_nothing_that_follows() {
        let html = "<script>if (a<b && c==\"</script>\") d(\"<!-- \")</script><p <<a <div title=\"x>
            <link rel=alternate type=\"application/rss+xml\" href=\"/feed.xml\"><a href='/unclosed";
        assert_eq!(found(html), [named("/feed.xml")]);
    }

    #[test]
    fn a_hostile_page_is_read_in_linear_time_and_gives_a_bounded_list() {
        // Quadratic time would take hours here.
        let times = 50_000;
        let many = "<link rel=alternate type=application/rss+xml href=/a.xml><a href=/f.rss>".repeat(times);
        let found = found(&many);
        assert_eq!(found, [named("/a.xml"), ("https://www.tarnbase.example/f.rss".to_owned(), "linked")]);
        for piece in ["<", "<a ", "<!--", "<a href=\"", "<link rel='", "<![CDATA[", "<a href=x><b ", "&"] {
            on_page(&piece.repeat(times), &Url::parse("https://www.tarnbase.example/").unwrap());
        }
    }
}
