//! `sigtrail feeds test`: ask for a feed, or find the one behind a page, and tell an editor what it would mean. Writes
//! nothing, opens no state, and needs none.

mod block;
mod lines;
mod report;

use std::io::Write;

use serde_json::json;
use url::Url;

use crate::{
    catalogue,
    cli::{
        failure::Failure,
        place::{Place, become_owner},
    },
    clock::Clock,
    fetch::{Fetcher, Resolver},
    jobs::{
        Fault,
        probe::{self, Asked, Probe},
    },
    model::{id::FeedId, settings::Config},
    tag::Matcher,
};

/// Tests a feed of the configuration, a source of the catalogue, or an address. What cannot be read is bad weather and
/// said so; only a word that stands for nothing is a mistake.
pub fn run(place: &Place, what: &str, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let config = place.config()?;
    if let (None, Some(listed)) = (config.feed(&FeedId::new(what)), catalogue::find(what))
        && listed.url.is_none()
    {
        if json {
            let line = json!({ "asked": what, "ok": false, "error": "there is no feed", "instead": listed.instead });
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "cannot be read: {} has no feed\ninstead   {}", listed.name, listed.instead)?;
        }
        return Ok(0);
    }
    let asked = asked(&config, what)?;
    // What a publisher sends is not to be read as root, whoever typed the command.
    become_owner(&place.state(Some(&config)))?;
    let matcher = Matcher::new(&config.components, &config.topics).map_err(Fault::Matcher)?;
    let fetcher = Fetcher::new(&config.fetch, Clock::System, Resolver::System).map_err(Fault::Fetch)?;
    let now = Clock::System.now();
    let probed = probe::probe(&Probe { config: &config, matcher: &matcher, fetcher: &fetcher, now }, &asked);
    if json {
        writeln!(out, "{}", lines::json_line(&probed, &config, now))?;
    } else {
        write!(out, "{}", report::report(&probed, &config, now))?;
    }
    Ok(0)
}

/// What a word on the command line stands for.
fn asked<'c>(config: &'c Config, what: &str) -> Result<Asked<'c>, Failure> {
    if let Some(feed) = config.feed(&FeedId::new(what)) {
        return Ok(Asked::Feed(feed));
    }
    let listed = catalogue::find(what).and_then(|listed| listed.url.as_deref());
    if let Some(url) = address(listed.unwrap_or(what)) {
        return Ok(Asked::Address(url));
    }
    Err(Failure::Mistake(format!(
        "`{what}` is no address, no feed in feeds.toml and no source of the catalogue; `sigtrail feeds` and \
         `sigtrail feeds catalogue` list those"
    )))
}

/// An address as people write it: `feed:` in front and a missing `https://` are forgiven.
fn address(text: &str) -> Option<Url> {
    let text = text.trim();
    let text = text.strip_prefix("feed:").map_or(text, |rest| rest.trim_start_matches('/'));
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    let full = Url::parse(text).ok().filter(is_web);
    let host = text.split('/').next().unwrap_or_default();
    let is_bare = host.contains('.') && !host.contains(|one: char| one.is_whitespace() || one == '@');
    full.or_else(|| Url::parse(&format!("https://{text}")).ok().filter(|url| is_bare && is_web(url)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_understood_as_people_write_it() {
        let read = |text| address(text).map(String::from);
        for text in ["https://tarnbase.example/feed", "tarnbase.example/feed", "feed://tarnbase.example/feed"] {
            assert_eq!(read(text).as_deref(), Some("https://tarnbase.example/feed"), "{text}");
        }
        assert_eq!(read("feed:http://tarnbase.example/").as_deref(), Some("http://tarnbase.example/"));
        assert_eq!(read("127.0.0.2:8080/x").as_deref(), Some("https://127.0.0.2:8080/x"));
        for text in ["tarnbase", "ftp://tarnbase.example/", "", "mailto:a@tarnbase.example", "two words.example"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
