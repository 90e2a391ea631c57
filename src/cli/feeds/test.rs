//! `sigtrail feeds test`: ask for a feed, or find the one behind a page, and tell an editor what it would mean. Writes
//! nothing and needs no state; where there is one, it says how a feed stands, and where that moved to.

mod lines;
mod report;

use std::io::Write;

use serde_json::json;
use url::Url;

use super::register::talk;
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
        probe::{self, Asked, Known, Probe},
    },
    model::{feed::FeedStatus, id::FeedId, settings::Config},
    moves,
    store::StoreError,
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
    asked(place, &config, what, &[])?;
    // What a publisher sends is not to be read as root, whoever typed the command.
    become_owner(&place.state(Some(&config)))?;
    let (standings, remembered) = of_the_state(place, &config);
    let asked = asked(place, &config, what, &standings)?;
    let matcher = Matcher::new(&config.components, &config.topics).map_err(Fault::Matcher)?;
    let fetcher = Fetcher::new(&config.fetch, Clock::System, Resolver::System).map_err(Fault::Fetch)?;
    let now = Clock::System.now();
    let probe = Probe { config: &config, matcher: &matcher, fetcher: &fetcher, now, remembered: &remembered };
    let probed = probe::probe(&probe, &asked);
    let standing = standings.iter().find(|row| probed.known == Known::Configured && row.id == probed.feed.id);
    if json {
        writeln!(out, "{}", lines::json_line(&probed, standing, now))?;
    } else {
        write!(out, "{}", report::report(&probed, standing, now))?;
    }
    Ok(0)
}

/// How the feeds stand, and every identifier and address that a state knows; nothing where there is none. One that cannot
/// be read keeps nobody from testing a feed.
fn of_the_state(place: &Place, config: &Config) -> (Vec<FeedStatus>, Vec<(FeedId, String)>) {
    let store = place.store(Some(config));
    let read = store.and_then(|store| Ok(store.read(|read| Ok((read.feeds()?, read.known_feeds()?)))?));
    match read {
        Ok(read) => read,
        Err(Failure::Fault(Fault::Store(StoreError::NoState(_)))) => Default::default(),
        Err(failure) => {
            talk(&format!("the state is not looked at: {failure}"));
            Default::default()
        }
    }
}

/// What a word on the command line stands for: a feed is asked where it moved to.
fn asked<'c>(place: &Place, config: &'c Config, what: &str, standings: &[FeedStatus]) -> Result<Asked<'c>, Failure> {
    if let Some(feed) = config.feed(&FeedId::new(what)) {
        let standing = standings.iter().find(|row| row.id == feed.id);
        let at = standing.map_or_else(|| feed.url.clone(), |row| moves::address(row, &feed.url));
        return Ok(Asked::Feed(feed, at));
    }
    let listed = catalogue::find(what).and_then(|listed| listed.url.as_deref());
    if let Some(url) = address(listed.unwrap_or(what)) {
        return Ok(Asked::Address(url));
    }
    Err(Failure::Mistake(format!(
        "`{what}` is no address, no feed in feeds.toml and no source of the catalogue; `{}` and `{}` list those",
        place.command("feeds"),
        place.command("feeds catalogue")
    )))
}

/// An address as people write it: `feed:` in front and a missing `https://` are forgiven, and what follows a `#` is
/// never sent.
fn address(text: &str) -> Option<Url> {
    let text = text.trim();
    let text = text.strip_prefix("feed:").map_or(text, |rest| rest.trim_start_matches('/'));
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    let full = Url::parse(text).ok().filter(is_web);
    let host = text.split('/').next().unwrap_or_default();
    let is_bare = host.contains('.') && !host.contains(|one: char| one.is_whitespace() || one == '@');
    let mut url = full.or_else(|| Url::parse(&format!("https://{text}")).ok().filter(|url| is_bare && is_web(url)))?;
    url.set_fragment(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_understood_as_people_write_it() {
        let read = |text| address(text).map(String::from);
        for text in [
            "https://tarnbase.example/feed",
            "https://tarnbase.example/feed#top",
            "tarnbase.example/feed",
            "feed://tarnbase.example/feed",
        ] {
            assert_eq!(read(text).as_deref(), Some("https://tarnbase.example/feed"), "{text}");
        }
        assert_eq!(read("feed:http://tarnbase.example/").as_deref(), Some("http://tarnbase.example/"));
        assert_eq!(read("127.0.0.2:8080/x").as_deref(), Some("https://127.0.0.2:8080/x"));
        for text in ["tarnbase", "ftp://tarnbase.example/", "", "mailto:a@tarnbase.example", "two words.example"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
