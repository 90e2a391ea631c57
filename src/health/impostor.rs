//! What comes in the place of a feed, or of an entry: challenges, login pages, and the errors that converters serve as
//! if they were news. Recognised by what each kind of software writes, never by one known document.

use url::Url;

use crate::{
    advisory,
    model::{entry::Entry, feed::FeedState},
    text::clean,
};

/// How much of a page is looked at: what gives it away stands in its head.
pub const PAGE_HEAD: usize = 32 * 1024;
/// The longest text of somebody else in a cause, in bytes.
const MAX_QUOTE: usize = 120;

/// A sign of a kind of page: every one of the texts is in it, in lower case.
struct Sign {
    texts: &'static [&'static str],
    state: FeedState,
    words: &'static str,
}

const fn sign(texts: &'static [&'static str], state: FeedState, words: &'static str) -> Sign {
    Sign { texts, state, words }
}

const CLOUDFLARE: &str = "refused by a page of Cloudflare that checks for a human visitor";
const AKAMAI: &str = "refused by Akamai's \"Access Denied\" page";
const IMPERVA: &str = "refused by a page of Imperva that checks for a human visitor";
const AWS: &str = "refused by a page of AWS WAF that checks for a human visitor";
const CAPTCHA: &str = "refused by a page that asks for a captcha";
const HUMAN: &str = "refused by a page that checks for a human visitor";

/// The most telling signs first.
const SIGNS: [Sign; 19] = [
    sign(&["/cdn-cgi/challenge-platform/"], FeedState::Refused, CLOUDFLARE),
    sign(&["<title>just a moment"], FeedState::Refused, CLOUDFLARE),
    sign(&["_cf_chl_opt"], FeedState::Refused, CLOUDFLARE),
    sign(&["<title>attention required! | cloudflare"], FeedState::Refused, CLOUDFLARE),
    sign(&["<title>access denied", "edgesuite.net"], FeedState::Refused, AKAMAI),
    sign(&["<title>access denied", "reference&#32;&#35;"], FeedState::Refused, AKAMAI),
    sign(&["_incapsula_resource"], FeedState::Refused, IMPERVA),
    sign(&["awswafcookiedomainlist"], FeedState::Refused, AWS),
    sign(
        &["captcha-delivery.com"],
        FeedState::Refused,
        "refused by a page of DataDome that checks for a human visitor",
    ),
    sign(&["sucuri website firewall"], FeedState::Refused, "refused by the Sucuri firewall"),
    sign(&["px-captcha"], FeedState::Refused, CAPTCHA),
    sign(&["hcaptcha.com"], FeedState::Refused, CAPTCHA),
    sign(&["g-recaptcha"], FeedState::Refused, CAPTCHA),
    sign(&["<title>making sure you"], FeedState::Refused, HUMAN),
    sign(&["<title>access denied"], FeedState::Refused, "refused by an \"Access Denied\" page"),
    sign(&["rsshub", "looks like something went wrong"], FeedState::Broken, "the converter RSSHub reports an error"),
    sign(&["rss-bridge", "exception"], FeedState::Broken, "the converter RSS-Bridge reports an error"),
    sign(&["type=\"password\""], FeedState::NotAFeed, "a login page, not a feed"),
    sign(&["type='password'"], FeedState::NotAFeed, "a login page, not a feed"),
];

/// What a page that came in the place of a feed is, told by the beginning of its bytes; `None`: it is no page, or one
/// that says nothing about itself.
pub fn page(head: &[u8]) -> Option<(FeedState, String)> {
    let text = String::from_utf8_lossy(head.get(..PAGE_HEAD).unwrap_or(head)).to_ascii_lowercase();
    if !(text.contains("<html") || text.contains("<!doctype html")) {
        return None;
    }
    if let Some(sign) = SIGNS.iter().find(|sign| sign.texts.iter().all(|one| text.contains(one))) {
        return Some((sign.state, sign.words.to_owned()));
    }
    let title = title(head)?;
    Some((FeedState::NotAFeed, format!("this is a web page, not a feed (\"{title}\")")))
}

/// The title of a page, cleaned and cut.
fn title(head: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(head.get(..PAGE_HEAD).unwrap_or(head));
    let start = text.to_ascii_lowercase().find("<title")?;
    let (_, rest) = text.get(start..)?.split_once('>')?;
    let title = clean(rest.split('<').next()?, MAX_QUOTE);
    (!title.is_empty()).then_some(title)
}

/// How RSS-Bridge begins the title of its error, in lower case; a code and the number of the day follow.
const BRIDGE_TITLE: &str = "bridge returned error ";
/// What RSS-Bridge adds to the feed's own address where its error leads to.
const BRIDGE_TIME: &str = "_error_time";
/// Beginnings of the title of a document's only entry that leave no doubt, in lower case.
const SOLE_TITLES: [&str; 8] = [
    "error fetching http",
    "error generating feed",
    "error loading http",
    "error parsing http",
    "failed to fetch http",
    "failed to load http",
    "this feed has been disabled",
    "your feed has expired",
];
/// Beginnings of the title of a document's only entry that leave some, in lower case.
const DOUBTFUL_TITLES: [&str; 5] = ["rss-bridge: ", "[rss-bridge] error", "rsshub error", "feed error", "rss error"];
/// Words of a title that speak of an error, in lower case; they count where the only entry leads back to the feed itself.
const ERROR_WORDS: [&str; 9] =
    ["error", "exception", "failed", "failure", "could not", "unable to", "expired", "disabled", "quota"];
/// What Full-Text RSS writes where it found neither title nor text.
const NO_FULL_TEXT: &str = "[unable to retrieve full-text content]";
/// How many errors of one document are quoted.
const MOST_QUOTED: usize = 3;

/// Takes the errors of a converter out of the entries of a document that came from this address: they are neither
/// stored nor mailed, and stand in the words that are given back. What only seems to be one stays, with words as well.
pub fn take_converter_errors(entries: &mut Vec<Entry>, url: &Url) -> Option<String> {
    let is_sole = entries.len() == 1;
    let mut errors = Vec::new();
    entries.retain(|entry| {
        let is_error = is_converter_error(entry, is_sole) && !names_advisory(entry);
        if is_error {
            errors.push(quote(entry));
        }
        !is_error
    });
    if errors.is_empty() {
        let doubted = entries.first().filter(|entry| is_sole && is_doubtful(entry, url) && !names_advisory(entry))?;
        return Some(format!("its only entry seems to be the error of a converter: {}", quote(doubted)));
    }
    Some(format!("the converter in front of the source reports {}", counted(&errors)))
}

/// `an error: "one"`, or `5 errors: "one", "two", "three" and 2 more`.
fn counted(errors: &[String]) -> String {
    let shown: Vec<&str> = errors.iter().take(MOST_QUOTED).map(String::as_str).collect();
    let shown = shown.join(", ");
    match (errors.len(), errors.len().saturating_sub(MOST_QUOTED)) {
        (1, _) => format!("an error: {shown}"),
        (all, 0) => format!("{all} errors: {shown}"),
        (all, more) => format!("{all} errors: {shown} and {more} more"),
    }
}

/// Whether an entry is written as only a converter writes.
fn is_converter_error(entry: &Entry, is_sole: bool) -> bool {
    let title = title_of(entry);
    let has_bridge_time = || entry.link.as_deref().is_some_and(|link| link.contains(BRIDGE_TIME));
    if begins(title, &[BRIDGE_TITLE]) || has_bridge_time() || (is_sole && begins(title, &SOLE_TITLES)) {
        return true;
    }
    let mut texts = [&entry.summary, &entry.body].into_iter().flatten().map(|text| text.trim()).peekable();
    let says_nothing = title.is_empty() || title.eq_ignore_ascii_case("no title found") || title == NO_FULL_TEXT;
    says_nothing && texts.peek().is_some() && texts.all(|text| text == NO_FULL_TEXT)
}

/// Whether the only entry of a document may be an error: it says so, or speaks of one and leads to the feed itself.
fn is_doubtful(entry: &Entry, url: &Url) -> bool {
    let title = title_of(entry).to_lowercase();
    begins(&title, &DOUBTFUL_TITLES) || (leads_back(entry, url) && ERROR_WORDS.iter().any(|word| title.contains(word)))
}

/// Whether an entry names a CVE or another advisory: no converter does so in an error of its own.
fn names_advisory(entry: &Entry) -> bool {
    let texts = [&entry.title, &entry.link, &entry.summary, &entry.body];
    texts.into_iter().flatten().any(|text| !advisory::ids(text).is_empty())
}

fn title_of(entry: &Entry) -> &str {
    entry.title.as_deref().unwrap_or("").trim()
}

/// Whether a title begins with one of these, in any case.
fn begins(title: &str, beginnings: &[&str]) -> bool {
    let has = |one: &str| title.get(..one.len()).is_some_and(|head| head.eq_ignore_ascii_case(one));
    beginnings.iter().any(|one| has(one))
}

/// Whether an entry leads to the very address of the feed that it is in.
fn leads_back(entry: &Entry, url: &Url) -> bool {
    let link = entry.link.as_deref().and_then(|link| Url::parse(link).ok());
    link.is_some_and(|link| link == *url)
}

fn quote(entry: &Entry) -> String {
    let text = entry.title.as_deref().or(entry.summary.as_deref()).or(entry.body.as_deref()).unwrap_or("");
    format!("\"{}\"", clean(text, MAX_QUOTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(title: &str, link: &str) -> Entry {
        let link = (!link.is_empty()).then(|| link.to_owned());
        Entry { title: Some(title.to_owned()), link, ..Entry::default() }
    }

    fn feed() -> Url {
        Url::parse("https://bridge.example/?action=display&bridge=Tarnbase&format=Atom").unwrap()
    }

    #[test]
    fn pages_that_refuse_us_are_told_from_pages_that_are_merely_no_feed() {
        let cases = [
            ("<title>Just a moment...</title>", FeedState::Refused, "Cloudflare"),
            ("<script src=\"/cdn-cgi/challenge-platform/x\"></script>", FeedState::Refused, "Cloudflare"),
            ("<TITLE>Access Denied</TITLE>http://errors.edgesuite.net/18.1", FeedState::Refused, "Akamai"),
            ("<title>Access Denied</title>", FeedState::Refused, "Access Denied"),
            ("<script src=\"/_Incapsula_Resource?x=1\">", FeedState::Refused, "Imperva"),
            ("<div class=\"g-recaptcha\"></div>", FeedState::Refused, "captcha"),
            ("<title>Making sure you&#39;re not a bot!</title>", FeedState::Refused, "human visitor"),
            ("<form><input name=p type=\"password\"></form>", FeedState::NotAFeed, "login page"),
            ("<title>Page not found\u{202e}</title>", FeedState::NotAFeed, "not a feed (\"Page not found\")"),
            ("<h1>Looks like something went wrong</h1><a>RSSHub</a>", FeedState::Broken, "RSSHub"),
        ];
        for (inside, state, words) in cases {
            let found = page(format!("<!DOCTYPE html><html><head>{inside}</head></html>").as_bytes()).unwrap();
            assert_eq!(found.0, state, "{inside}");
            assert!(found.1.contains(words), "{inside}: {}", found.1);
        }
    }

    #[test]
    fn what_is_no_page_is_left_to_the_reader() {
        for document in ["", "<rss><title>Just a moment</title></rss>", "{\"title\": \"captcha\"}", "<html></html>"] {
            assert_eq!(page(document.as_bytes()), None, "{document}");
        }
        assert_eq!(page(b"<html><title>\xff\xfe"), Some((FeedState::NotAFeed, page_words())));
    }

    fn page_words() -> String {
        "this is a web page, not a feed (\"\u{fffd}\u{fffd}\")".to_owned()
    }

    #[test]
    fn errors_of_converters_are_no_entries_and_the_entries_beside_them_are_kept() {
        let again = "https://bridge.example/?action=display&bridge=Tarnbase&format=Atom&_error_time=20779";
        let mut entries = vec![
            entry("Tarnbase 4.2 closes CVE-2026-11111", "https://tarnbase.example/4.2"),
            entry("Bridge returned error 500! (20779)", ""),
            entry("HTTP 403: request failed", again),
        ];
        let words = take_converter_errors(&mut entries, &feed()).unwrap();
        assert_eq!(entries.len(), 1);
        let both = "reports 2 errors: \"Bridge returned error 500! (20779)\", \"HTTP 403: request failed\"";
        assert!(words.ends_with(both), "{words}");
        let mut many = vec![entry("Bridge returned error 500! (20779)", ""); 5];
        let words = take_converter_errors(&mut many, &feed()).unwrap();
        assert!(words.contains("reports 5 errors: ") && words.ends_with(" and 2 more"), "{words}");
    }

    #[test]
    fn the_only_entry_may_be_an_error_in_plain_words() {
        for title in ["Error fetching https://tarnbase.example/", "This feed has been disabled by its owner"] {
            let mut entries = vec![entry(title, "")];
            assert!(take_converter_errors(&mut entries, &feed()).is_some(), "{title}");
            assert!(entries.is_empty());
        }
        let mut empty = entry("No Title Found", "");
        empty.summary = Some("[unable to retrieve full-text content]".to_owned());
        assert!(take_converter_errors(&mut vec![empty], &feed()).is_some());
    }

    #[test]
    fn advisories_that_speak_of_errors_are_entries() {
        let mut entries = vec![
            entry("Error handling flaw in Quillgate VPN", "https://cert.example/a1"),
            entry("Bridge networks of Tarnbase returned errors", "https://cert.example/a2"),
            entry("Unable to parse: exception in libmarrow", "https://bridge.example/advisories/3"),
            entry("Failed to fetch advisories? Read this", "https://cert.example/a4"),
        ];
        let mut cut_text = entry("A real title", "https://cert.example/a5");
        cut_text.summary = Some("[unable to retrieve full-text content]".to_owned());
        entries.push(cut_text);
        assert_eq!(take_converter_errors(&mut entries, &feed()), None);
        assert_eq!(entries.len(), 5);
    }

    #[test]
    fn advisories_that_lead_to_the_feeds_own_address_are_entries() {
        let flaw = "Unhandled exception in openssl allows remote code execution";
        for link in ["https://cert.example/all.xml#cve1", "https://cert.example/all.xml?id=77"] {
            let url = Url::parse("https://cert.example/all.xml").unwrap();
            for mut entries in [vec![entry(flaw, link)], vec![entry(flaw, link), entry("b", link)]] {
                let before = entries.clone();
                assert_eq!(take_converter_errors(&mut entries, &url), None, "{link}");
                assert_eq!(entries, before, "{link}");
            }
        }
    }

    #[test]
    fn an_entry_that_names_an_advisory_is_an_entry_whatever_else_it_says() {
        let titles =
            ["Bridge returned error 500! (CVE-2026-11111)", "Error parsing http headers (GHSA-2v6g-7cfq-ph2m)"];
        for title in titles {
            let mut entries = vec![entry(title, "https://cert.example/all.xml")];
            assert_eq!(take_converter_errors(&mut entries, &Url::parse("https://cert.example/all.xml").unwrap()), None);
            assert_eq!(entries.len(), 1, "{title}");
        }
    }

    #[test]
    fn what_only_seems_to_be_an_error_stays_and_is_doubted_where_it_stands_alone() {
        for (title, link) in [("Unable to read the source", feed().as_str()), ("RSSHub error: no route", "")] {
            let mut entries = vec![entry(title, link)];
            let words = take_converter_errors(&mut entries, &feed()).unwrap();
            assert!(words.starts_with("its only entry seems to be") && entries.len() == 1, "{words}");
            let mut entries = vec![entry(title, link), entry("b", "")];
            assert_eq!(take_converter_errors(&mut entries, &feed()), None);
        }
    }
}
