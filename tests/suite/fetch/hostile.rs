//! Servers that mean harm: bombs, silence, redirects that lead inside, names that change their mind.

use std::{net::IpAddr, time::Duration};

use jiff::SignedDuration;
use sigtrail::{
    clock::Stopwatch,
    fetch::{Fetcher, Resolver},
    model::{
        feed::{FeedState, Validators},
        outcome::FetchOutcome,
        settings::{AddressRange, FetchSettings},
    },
};

use super::{FEED, again, clock, document, failure, fetcher, fetcher_by_name, fetcher_with, request, settings};
use crate::harness::feed_server::{Answer, Canary, FeedServer};

/// A gibibyte of zeros: members of one mebibyte, one after the other (RFC 1952 section 2.2).
fn gzip_bomb() -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 1024 * 1024]).unwrap();
    encoder.finish().unwrap().repeat(1_024)
}

#[test]
fn h_05_a_bomb_is_stopped_at_the_decoded_cap_and_what_was_read_is_kept() {
    let server = FeedServer::start();
    server.serve("/gzip", Answer::ok(gzip_bomb()).header("Content-Encoding", "gzip"));
    let feed = document(fetcher().fetch(request(server.url("/gzip"))));
    assert_eq!(feed.bytes.len(), 20 * 1024 * 1024);
    assert_eq!(feed.bytes.capacity(), feed.bytes.len());
    assert_eq!(feed.cut.as_deref(), Some("cut at 20 MiB after unpacking"));
    assert!(feed.wire_bytes < 100_000, "{}", feed.wire_bytes);

    let small = fetcher_with(&FetchSettings { max_decoded: 64 * 1024, ..settings() });
    let zeros = || Answer::ok(vec![0; 2 * 1024 * 1024]);
    for (path, answer) in [("/br", zeros().brotli()), ("/deflate", zeros().deflate()), ("/plain", zeros())] {
        server.serve(path, answer);
        let feed = document(small.fetch(request(server.url(path))));
        assert_eq!(feed.bytes.len(), 64 * 1024, "{path}");
        assert_eq!(feed.cut.as_deref(), Some("cut at 64 KiB after unpacking"), "{path}");
    }
    for (path, answer) in [("/br-br", zeros().brotli().brotli()), ("/gzip-br", zeros().gzip().brotli())] {
        server.serve(path, answer);
        let feed = document(small.fetch(request(server.url(path))));
        assert!(feed.cut.is_some() && feed.bytes.len() <= 64 * 1024, "{path}");
    }
    server.serve("/thrice", zeros().gzip().gzip().gzip());
    assert_eq!(failure(small.fetch(request(server.url("/thrice")))).0, FeedState::Broken);
}

#[test]
fn h_05_the_bytes_on_the_wire_have_a_cap_of_their_own() {
    let server = FeedServer::start();
    server.serve("/a.xml", Answer::ok("x".repeat(100_001)).etag("\"1\""));
    let fetcher = fetcher_with(&FetchSettings { max_wire: 100_000, ..settings() });
    let feed = document(fetcher.fetch(request(server.url("/a.xml"))));
    assert_eq!((feed.bytes.len(), feed.wire_bytes), (100_000, 100_000));
    assert_eq!(feed.cut.as_deref(), Some("cut at 100000 bytes on the wire"));
    server.serve("/b.xml", Answer::ok("x".repeat(100_000)));
    assert_eq!(document(fetcher.fetch(request(server.url("/b.xml")))).cut, None);
}

#[test]
fn h_06_no_answer_takes_longer_than_the_limit_and_the_others_are_on_time() {
    let server = FeedServer::start();
    let slow = Duration::from_millis(400);
    let faults = [
        ("/silence", Answer::silence()),
        ("/head", Answer::ok(FEED).stall_after(20)),
        ("/body", Answer::ok(FEED).stall_after(100)),
        ("/drip-head", Answer::ok(FEED).drip(1, slow)),
        ("/drip-body", Answer::ok(FEED.repeat(20)).drip(100, slow)),
        ("/endless", Answer::ok("<item/>").endless().drip(100, Duration::from_millis(5))),
        ("/early-hints", Answer::raw("HTTP/1.1 103 Early\r\n\r\n").endless()),
        ("/late", Answer::ok(FEED).delay(Duration::from_mins(1))),
    ];
    let limit = SignedDuration::from_millis(1_500);
    let fetcher = fetcher_by_name(&FetchSettings { timeout: limit, ..settings() });
    let mut urls = Vec::new();
    for (number, (path, answer)) in faults.into_iter().enumerate() {
        server.serve(path, answer);
        urls.push(server.url_at(&format!("bad{number}.example"), path));
    }
    server.serve("/good", Answer::ok(FEED));
    urls.extend((0..10).map(|number| server.url_at(&format!("good{number}.example"), "/good")));
    let watch = Stopwatch::start();
    for (place, outcome) in fetcher.fetch_all(urls.iter().map(request).collect()) {
        let url = &urls[place];
        if url.ends_with("/good") {
            assert_eq!(document(outcome).cut, None);
            assert!(watch.elapsed() < Duration::from_millis(1_400), "{url}");
        } else if let FetchOutcome::Fetched { document, .. } = outcome {
            assert_eq!(document.cut.as_deref(), Some("cut after 1500 ms"), "{url}");
        } else {
            let (state, _, words) = failure(outcome);
            assert_eq!(state, FeedState::Broken, "{url}");
            assert!(words.ends_with("1500 ms"), "{url}: {words}");
        }
    }
    assert!(watch.elapsed() < Duration::from_secs(5), "{:?}", watch.elapsed());
}

#[test]
fn h_06_the_time_limit_is_one_for_all_redirects_together() {
    let server = FeedServer::start();
    let half = Duration::from_millis(400);
    server.serve("/1", Answer::redirect(302, "/2").delay(half));
    server.serve("/2", Answer::redirect(302, "/3").delay(half));
    server.serve("/3", Answer::ok(FEED).delay(half));
    let fetcher = fetcher_with(&FetchSettings { timeout: SignedDuration::from_millis(900), ..settings() });
    let (state, _, words) = failure(fetcher.fetch(request(server.url("/1"))));
    assert_eq!((state, words.as_str()), (FeedState::Broken, "no answer within 900 ms"));
}

#[test]
fn h_16_a_broken_connection_leaves_what_came_and_says_so() {
    let server = FeedServer::start();
    server.serve("/short", Answer::ok(FEED).length(1_000).etag("\"1\"").close_after(usize::MAX));
    let feed = document(fetcher().fetch(request(server.url("/short"))));
    assert_eq!(feed.bytes, FEED.as_bytes());
    assert_eq!(feed.cut.as_deref(), Some("the connection broke before the end"));
    server.serve("/chunk", Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<rss"));
    assert!(document(fetcher().fetch(request(server.url("/chunk")))).cut.is_some());
    // Without a length the end of the connection is the end of the document (RFC 9112 section 6.3).
    server.serve("/closed", Answer::raw("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<rss/>"));
    assert_eq!(document(fetcher().fetch(request(server.url("/closed")))).cut, None);
}

#[test]
fn h_18_answers_that_are_no_http_are_an_error_and_no_hang() {
    let server = FeedServer::start();
    let many = "X-Filler: 1\r\n".repeat(150);
    let answers = [
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        format!("HTTP/1.1 200 OK\r\nX-Large: {}\r\n\r\n", "x".repeat(900_000)),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n<rss/>\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 8\r\n\r\n<rss/><x".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n<rss/>".to_owned(),
        "HTTP/1.1 abc\r\n\r\n".to_owned(),
        "HTTP/9.9 200 OK\r\n\r\n".to_owned(),
        "220 mail.example ESMTP\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nX".to_owned(),
        "HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n".to_owned(),
        String::new(),
    ];
    let fetcher = fetcher();
    for answer in answers {
        server.serve("/a.xml", Answer::raw(&answer));
        let watch = Stopwatch::start();
        let (state, _, words) = failure(fetcher.fetch(request(server.url("/a.xml"))));
        assert_eq!(state, FeedState::Broken, "{answer:.60}");
        assert!(!words.is_empty() && !words.contains("127."), "{words}");
        assert!(watch.elapsed() < Duration::from_secs(5), "{answer:.60}");
    }
    // Both framings at once: the chunks count (RFC 9112 section 6.3), and the connection is not used again.
    server.serve(
        "/a.xml",
        Answer::raw(
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n<rss/>\r\n0\r\n\r\n",
        ),
    );
    if let FetchOutcome::Fetched { document, .. } = fetcher.fetch(request(server.url("/a.xml"))) {
        assert_eq!(document.bytes, b"<rss/>");
    }
}

#[test]
fn h_20_redirects_end_at_five() {
    let server = FeedServer::start();
    server.serve("/loop", Answer::redirect(302, "/loop"));
    for step in 1..=6 {
        server.serve(&format!("/{step}"), Answer::redirect(301, format!("/{}", step - 1)));
    }
    server.serve("/0", Answer::ok(FEED));
    server.serve("/nowhere", Answer::status(302));
    server.serve("/unreadable", Answer::redirect(302, b"http://[\xff"));
    server.serve("/long", Answer::redirect(302, "/x".repeat(10_000)));
    let fetcher = fetcher();
    let ask = |path: &str| fetcher.fetch(request(server.url(path)));
    assert!(document(ask("/5")).moved_permanently);
    for path in ["/6", "/loop"] {
        assert_eq!(
            failure(ask(path)),
            (FeedState::Broken, Some(if path == "/6" { 301 } else { 302 }), "more than 5 redirects".to_owned())
        );
    }
    assert_eq!(server.requests("/loop").len(), 6);
    assert_eq!(failure(ask("/nowhere")).0, FeedState::Broken);
    assert_eq!(failure(ask("/unreadable")).0, FeedState::Broken);
    assert_eq!(failure(ask("/long")).0, FeedState::Broken);
}

/// Every spelling of an address of this machine that the canary listens on.
fn local_spellings(port: u16) -> Vec<String> {
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
        "\u{2460}\u{2461}\u{2466}.0.0.1",
        "127%2e0.0.1",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "localhost",
    ]
    .iter()
    .map(|host| format!("http://{host}:{port}/a.xml"))
    .collect()
}

#[test]
fn h_21_h_22_h_23_no_spelling_of_a_local_address_is_dialled_directly_or_after_a_redirect() {
    let (server, canary) = FeedServer::with_canary();
    let fetcher = fetcher();
    for (number, url) in local_spellings(server.port()).iter().enumerate() {
        let (state, status, words) = failure(fetcher.fetch(request(url)));
        assert_eq!((state, status), (FeedState::Refused, None), "{url}: {words}");
        assert!(words.contains("not public"), "{url}: {words}");
        let path = format!("/{number}");
        server.serve(&path, Answer::redirect(301, url));
        let (state, _, words) = failure(fetcher.fetch(request(server.url(&path))));
        assert_eq!(state, FeedState::Refused, "{url}: {words}");
    }
    assert_eq!(canary.hits(), 0);
}

#[test]
fn h_24_a_name_that_changes_its_mind_gains_nothing() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (server, canary) = FeedServer::with_canary();
    server.serve("/a.xml", Answer::ok(FEED).header("Connection", "close"));
    let asked = AtomicUsize::new(0);
    let flips = move |_: &str| {
        let turn = asked.fetch_add(1, Ordering::SeqCst);
        vec![if turn.is_multiple_of(2) { "127.0.0.2" } else { "127.0.0.1" }.parse::<IpAddr>().unwrap()]
    };
    let fetcher = Fetcher::new(&settings(), clock(), Resolver::table(flips)).unwrap();
    let (mut read, mut refused) = (0, 0);
    for _ in 0..1_000 {
        match fetcher.fetch(request(server.url_at("rebind.example", "/a.xml"))) {
            FetchOutcome::Fetched { .. } => read += 1,
            FetchOutcome::Failed { state: FeedState::Refused, .. } => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(read > 0 && refused > 0, "{read} {refused}");
    assert_eq!(canary.hits(), 0);
}

#[test]
fn h_25_of_a_public_and_a_private_address_only_the_public_one_is_dialled() {
    let (server, canary) = FeedServer::with_canary();
    server.serve("/a.xml", Answer::ok(FEED).header("Connection", "close"));
    let both = |_: &str| ["127.0.0.1", "127.0.0.2", "::1"].iter().map(|ip| ip.parse().unwrap()).collect();
    let fetcher = Fetcher::new(&settings(), clock(), Resolver::table(both)).unwrap();
    for _ in 0..50 {
        document(fetcher.fetch(request(server.url_at("two.example", "/a.xml"))));
    }
    assert_eq!(canary.hits(), 0);
    // Not even when the public one does not answer.
    let mut settings = settings();
    settings.allow_addresses = vec![AddressRange { address: "127.0.0.3".parse().unwrap(), prefix: 32 }];
    let dead = |_: &str| ["127.0.0.1", "127.0.0.3", "::1"].iter().map(|ip| ip.parse().unwrap()).collect();
    let fetcher = Fetcher::new(&settings, clock(), Resolver::table(dead)).unwrap();
    assert_eq!(failure(fetcher.fetch(request(server.url_at("two.example", "/a.xml")))).0, FeedState::Broken);
    assert_eq!(canary.hits(), 0);
}

#[test]
fn h_26_user_names_are_refused_directly_and_after_a_redirect() {
    let server = FeedServer::start();
    let url = format!("http://maria:secret@{}/a.xml", server.address());
    server.serve("/hop", Answer::redirect(302, &url));
    for asked in [url, server.url("/hop")] {
        let (state, _, words) = failure(fetcher().fetch(request(asked)));
        assert_eq!(state, FeedState::Refused);
        assert!(words.contains("user name") && !words.contains("secret"), "{words}");
    }
    assert!(server.requests("/a.xml").is_empty());
}

#[test]
fn h_27_only_http_and_https_are_followed() {
    let server = FeedServer::start();
    for target in [
        "file:///etc/passwd",
        "ftp://127.0.0.2/a",
        "gopher://127.0.0.2/",
        "data:text/xml,<rss/>",
        "javascript:alert(1)",
        "ws://127.0.0.2/",
        "mailto:maria@example.com",
        "blob:http://127.0.0.2/1",
    ] {
        server.serve("/hop", Answer::redirect(302, target));
        let (state, _, words) = failure(fetcher().fetch(request(server.url("/hop"))));
        assert_eq!(state, FeedState::Refused, "{target}");
        assert!(words.starts_with("refused after a redirect: only http and https"), "{words}");
    }
}

#[test]
fn h_28_the_metadata_address_is_refused() {
    let server = FeedServer::start();
    server.serve("/hop", Answer::redirect(302, "http://169.254.169.254/latest/meta-data/"));
    let (state, _, words) = failure(fetcher().fetch(request(server.url("/hop"))));
    assert_eq!(state, FeedState::Refused);
    assert!(!words.contains("169.254"), "{words}");
}

#[test]
fn h_29_a_redirect_to_our_own_ports_is_refused() {
    let server = FeedServer::start();
    let own_page = Canary::start(0);
    let ports = vec![server.port()];
    let strict = fetcher_with(&FetchSettings { allow_ports: ports, ..settings() });
    server.serve("/page", Answer::redirect(302, format!("http://127.0.0.1:{}/acknowledge", own_page.port())));
    server.serve("/page-2", Answer::redirect(302, format!("http://127.0.0.2:{}/", own_page.port())));
    server.serve("/mail", Answer::redirect(302, "http://127.0.0.2:25/"));
    for path in ["/page", "/page-2", "/mail"] {
        let (state, _, words) = failure(strict.fetch(request(server.url(path))));
        assert_eq!(state, FeedState::Refused, "{path}");
        assert!(words.contains("allow_ports"), "{words}");
    }
    let (state, _, _) = failure(fetcher().fetch(request(server.url("/page"))));
    assert_eq!(state, FeedState::Refused);
    assert_eq!(own_page.hits(), 0);
}

#[test]
fn h_30_another_origin_gets_the_listed_headers_and_no_cookie() {
    let server = FeedServer::start();
    let other = FeedServer::start();
    let hop = Answer::redirect(302, other.url("/b.xml"));
    server.serve("/a.xml", hop.header("Set-Cookie", "session=secret").header("WWW-Authenticate", "Basic"));
    other.serve("/b.xml", Answer::ok(FEED));
    let known = Validators { etag: Some(b"\"1\"".to_vec()), last_modified: None };
    let fetcher = fetcher();
    for _ in 0..2 {
        document(fetcher.fetch(again(server.url("/a.xml"), &known)));
    }
    let seen = other.requests("/b.xml");
    assert_eq!(seen.len(), 2);
    for request in seen {
        assert_eq!(request.header_names(), ["user-agent", "accept", "accept-encoding", "if-none-match", "host"]);
    }
}
