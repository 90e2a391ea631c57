//! The fetch door against a publisher on loopback that behaves well, badly and with intent.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use jiff::SignedDuration;
use sigtrail::{
    clock::{Clock, Stopwatch},
    fetch::{FetchRequest, Fetcher, Resolver},
    model::{
        feed::{FeedState, Validators},
        outcome::{CacheHints, FetchOutcome, Fetched},
        settings::{AddressRange, FetchSettings},
    },
};

use crate::harness::feed_server::{Answer, Canary, FeedServer};

const FEED: &str = "<rss version=\"2.0\"><channel><title>Example</title></channel></rss>";

fn settings() -> FetchSettings {
    FetchSettings {
        contact: Some("https://security.example.com/feeds".to_owned()),
        every: SignedDuration::from_hours(1),
        min_interval: SignedDuration::from_mins(30),
        per_host_gap: SignedDuration::ZERO,
        timeout: SignedDuration::from_secs(10),
        max_wire: 10 * 1024 * 1024,
        max_decoded: 20 * 1024 * 1024,
        allow_addresses: vec![AddressRange { address: "127.0.0.2".parse().unwrap(), prefix: 32 }],
        allow_ports: Vec::new(),
    }
}

fn clock() -> Clock {
    Clock::manual("2026-11-20T08:00:00Z".parse().unwrap())
}

fn fetcher() -> Fetcher {
    fetcher_with(&settings())
}

fn fetcher_with(settings: &FetchSettings) -> Fetcher {
    Fetcher::new(settings, clock(), Resolver::System).unwrap()
}

/// A fetcher for which every name leads to the feed server.
fn fetcher_by_name(settings: &FetchSettings) -> Fetcher {
    Fetcher::new(settings, clock(), Resolver::table(|_| vec!["127.0.0.2".parse().unwrap()])).unwrap()
}

fn request(url: impl AsRef<str>) -> FetchRequest {
    FetchRequest { url: url.as_ref().parse().unwrap(), validators: Validators::default() }
}

fn again(url: impl AsRef<str>, validators: &Validators) -> FetchRequest {
    FetchRequest { validators: validators.clone(), ..request(url) }
}

fn document(outcome: FetchOutcome) -> Fetched {
    match outcome {
        FetchOutcome::Fetched { document, .. } => *document,
        other => panic!("no document: {other:?}"),
    }
}

fn failure(outcome: FetchOutcome) -> (FeedState, Option<u16>, String) {
    match outcome {
        FetchOutcome::Failed { state, status, cause, .. } => (state, status, cause),
        other => panic!("no failure: {other:?}"),
    }
}

#[test]
fn a_document_comes_with_what_is_known_about_it() {
    let server = FeedServer::start();
    server.serve("/a.xml", Answer::ok(FEED).content_type("text/xml; charset=ISO-8859-1"));
    let fetched = document(fetcher().fetch(request(server.url("/a.xml#part"))));
    assert_eq!(fetched.bytes, FEED.as_bytes());
    assert_eq!(fetched.wire_bytes, FEED.len() as u64);
    assert_eq!(fetched.cut, None);
    assert_eq!(fetched.charset.as_deref(), Some("ISO-8859-1"));
    assert_eq!(fetched.validators, Validators::default());
    assert_eq!(fetched.final_url.as_str(), server.url("/a.xml"));
    assert!(!fetched.moved_permanently);
    assert_eq!(fetched.remote, Some(server.address()));
}
