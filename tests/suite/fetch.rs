//! The fetch door against a publisher on loopback that behaves well, badly and with intent.

mod hostile;

use std::{collections::HashMap, time::Duration};

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

use crate::harness::feed_server::{Answer, FeedServer, Received};

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
    FetchRequest { url: url.as_ref().parse().unwrap(), validators: Validators::default(), a_im: false }
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
    let feed = document(fetcher().fetch(request(server.url("/a.xml#part"))));
    assert_eq!(feed.bytes, FEED.as_bytes());
    assert_eq!(feed.wire_bytes, FEED.len() as u64);
    assert_eq!(feed.cut, None);
    assert_eq!(feed.charset.as_deref(), Some("ISO-8859-1"));
    assert_eq!(feed.validators, Validators::default());
    assert_eq!(feed.final_url.as_str(), server.url("/a.xml"));
    assert!(!feed.moved_permanently);
    assert_eq!(feed.remote, Some(server.address()));
}

fn hints(outcome: FetchOutcome) -> CacheHints {
    match outcome {
        FetchOutcome::Fetched { hints, .. }
        | FetchOutcome::NotModified { hints, .. }
        | FetchOutcome::Failed { hints, .. } => hints,
    }
}

#[test]
fn p_01_the_second_request_carries_both_validators_byte_for_byte_and_a_304_is_no_document() {
    let server = FeedServer::start();
    let (etag, date) = (&b"W/\"a,b \xe9\""[..], &b"  Sat, 1 Nov 26 7:00 CEST"[..]);
    server.serve("/a.xml", Answer::ok(FEED).etag(etag).last_modified(date.trim_ascii()));
    let fetcher = fetcher();
    let first = document(fetcher.fetch(request(server.url("/a.xml"))));
    assert_eq!(first.validators.etag.as_deref(), Some(etag));
    assert_eq!(first.validators.last_modified.as_deref(), Some(date.trim_ascii()));
    for _ in 0..2 {
        let second = fetcher.fetch(again(server.url("/a.xml"), &first.validators));
        let expected = FetchOutcome::NotModified {
            validators: first.validators.clone(),
            moved: None,
            hints: CacheHints::default(),
        };
        assert_eq!(second, expected);
    }
    let sent = server.requests("/a.xml");
    assert_eq!((sent[0].header("if-none-match"), sent[0].header("if-modified-since")), (None, None));
    for request in &sent[1..] {
        assert_eq!(request.header("if-none-match"), Some(etag));
        assert_eq!(request.header("if-modified-since"), Some(date.trim_ascii()));
    }
}

#[test]
fn p_02_validators_that_come_with_a_304_are_handed_on() {
    let server = FeedServer::start();
    server.serve("/a.xml", Answer::status(304).header("ETag", "\"new\"").header("Last-Modified", "later"));
    let known = Validators { etag: Some(b"\"old\"".to_vec()), last_modified: None };
    let outcome = fetcher().fetch(again(server.url("/a.xml"), &known));
    let FetchOutcome::NotModified { validators, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(validators.etag.as_deref(), Some(&b"\"new\""[..]));
    assert_eq!(validators.last_modified.as_deref(), Some(&b"later"[..]));
}

#[test]
fn p_02_a_validator_that_no_server_would_take_back_is_not_kept() {
    let server = FeedServer::start();
    server.serve("/a.xml", Answer::ok(FEED).header("ETag", "x".repeat(20_000)).header("Last-Modified", ""));
    let feed = document(fetcher().fetch(request(server.url("/a.xml"))));
    assert_eq!(feed.validators, Validators::default());
}

#[test]
fn p_03_only_what_the_server_gave_is_sent_back() {
    let server = FeedServer::start();
    server.serve("/etag", Answer::ok(FEED).etag("\"1\""));
    server.serve("/date", Answer::ok(FEED).last_modified("Sat, 01 Nov 2026 07:00:00 GMT"));
    server.serve("/none", Answer::ok(FEED));
    let fetcher = fetcher();
    for path in ["/etag", "/date", "/none"] {
        let first = document(fetcher.fetch(request(server.url(path))));
        let second = fetcher.fetch(again(server.url(path), &first.validators));
        assert_eq!(matches!(second, FetchOutcome::NotModified { .. }), path != "/none", "{path}");
        let sent = &server.requests(path)[1];
        assert_eq!(sent.header("if-none-match").is_some(), path == "/etag", "{path}");
        assert_eq!(sent.header("if-modified-since").is_some(), path == "/date", "{path}");
    }
}

#[test]
fn p_04_to_p_07_the_wishes_of_a_publisher_are_read_from_every_kind_of_answer() {
    let server = FeedServer::start();
    let half_a_day = Some(SignedDuration::from_hours(12));
    server.serve("/200", Answer::ok(FEED).header("Cache-Control", "public, max-age=43200").etag("\"1\""));
    server.serve("/429", Answer::status(429).header("Retry-After", "7200"));
    server.serve("/503", Answer::status(503).header("Retry-After", "Fri, 20 Nov 2026 12:00:00 GMT"));
    server.serve("/move", Answer::redirect(302, "/503b").header("Retry-After", "86400"));
    server.serve("/503b", Answer::status(503).header("Retry-After", "soon"));
    let fetcher = fetcher();
    let ask = |path: &str| fetcher.fetch(request(server.url(path)));
    assert_eq!(hints(ask("/200")).max_age, half_a_day);
    let known = Validators { etag: Some(b"\"1\"".to_vec()), last_modified: None };
    assert_eq!(hints(fetcher.fetch(again(server.url("/200"), &known))).max_age, half_a_day);
    assert_eq!(hints(ask("/429")).retry_after, Some(SignedDuration::from_hours(2)));
    assert_eq!(hints(ask("/503")).retry_after, Some(SignedDuration::from_hours(4)));
    assert_eq!(hints(ask("/move")).retry_after, Some(SignedDuration::from_hours(24)));
    assert_eq!(hints(ask("/503b")).retry_after, None);
}

#[test]
fn p_11_p_14_only_a_way_of_permanent_redirects_is_a_move() {
    let server = FeedServer::start();
    server.serve("/feed", Answer::ok(FEED));
    for (path, status, to, moved) in [
        ("/301", 301, "/feed", true),
        ("/308", 308, "feed", true),
        ("/302", 302, "/feed#x", false),
        ("/303", 303, "/feed", false),
        ("/307", 307, "/feed", false),
        ("/first-301", 301, "/302", false),
        ("/first-302", 302, "/301", false),
        ("/both-301", 301, "/308", true),
    ] {
        server.serve(path, Answer::redirect(status, to).body("<html>moved</html>"));
        let feed = document(fetcher().fetch(request(server.url(path))));
        assert_eq!(feed.moved_permanently, moved, "{path}");
        assert_eq!(feed.final_url.as_str(), server.url("/feed"), "{path}");
    }
}

#[test]
fn p_17_a_refusal_is_named_and_the_user_agent_stays_honest() {
    let server = FeedServer::start();
    server.serve("/403", Answer::status(403).body("<html>no</html>"));
    server.serve("/401", Answer::status(401));
    server.serve("/wall", Answer::status(403).header("CF-Mitigated", "challenge"));
    server.serve("/wall-200", Answer::ok("<html>are you human?</html>").header("cf-mitigated", "challenge"));
    let fetcher = fetcher();
    let ask = |path: &str| failure(fetcher.fetch(request(server.url(path))));
    assert_eq!(ask("/403"), (FeedState::Refused, Some(403), "refused (403)".to_owned()));
    assert_eq!(ask("/401").0, FeedState::Refused);
    for (path, status) in [("/wall", 403), ("/wall-200", 200)] {
        let (state, code, words) = ask(path);
        assert_eq!((state, code), (FeedState::Refused, Some(status)));
        assert!(words.contains("human"), "{words}");
    }
    ask("/403");
    for request in server.all_requests() {
        let agent = String::from_utf8(request.header("user-agent").unwrap().to_vec()).unwrap();
        assert!(agent.starts_with("sigtrail/") && !agent.contains("Mozilla"), "{agent}");
    }
}

#[test]
fn p_18_a_login_page_is_handed_on_as_it_is_for_the_reader_to_judge() {
    let server = FeedServer::start();
    server.serve("/a.xml", Answer::ok("<!doctype html><title>Log in</title>").content_type("text/html"));
    assert_eq!(document(fetcher().fetch(request(server.url("/a.xml")))).cut, None);
}

/// The requests came one gap after the other. A busy machine may let the server see any of them late, the first
/// one too, so the whole is measured and not each pair.
fn assert_spacing(seen: &[Received], gap: Duration) {
    let whole = seen[seen.len() - 1].at.saturating_sub(seen[0].at);
    let gaps = gap * u32::try_from(seen.len() - 1).unwrap();
    assert!(whole + gap.min(Duration::from_millis(300)) >= gaps, "{whole:?} for {gaps:?}");
}

#[test]
fn p_23_one_host_sees_one_request_at_a_time_and_the_gap_between_two_starts() {
    let server = FeedServer::start();
    let gap = Duration::from_millis(60);
    let fetcher = fetcher_by_name(&FetchSettings { per_host_gap: gap.try_into().unwrap(), ..settings() });
    let paths: Vec<String> = (0..20).map(|number| format!("/{number}.xml")).collect();
    for path in &paths {
        server.serve(path, Answer::ok(FEED).delay(Duration::from_millis(20)));
    }
    let requests = paths.iter().map(|path| request(server.url_at("feeds.example", path))).collect();
    let outcomes: HashMap<usize, FetchOutcome> = fetcher.fetch_all(requests).into_iter().collect();
    assert_eq!(outcomes.len(), 20);
    assert!(outcomes.values().all(|outcome| matches!(outcome, FetchOutcome::Fetched { .. })));
    let seen = server.all_requests();
    assert!(seen.iter().all(|request| request.at_once == 1));
    assert_spacing(&seen, gap);
}

#[test]
fn p_23_the_gap_holds_for_redirects_and_for_single_requests_too() {
    let server = FeedServer::start();
    let gap = Duration::from_millis(100);
    let fetcher = fetcher_with(&FetchSettings { per_host_gap: gap.try_into().unwrap(), ..settings() });
    server.serve("/old", Answer::redirect(301, "/new"));
    server.serve("/new", Answer::ok(FEED));
    document(fetcher.fetch(request(server.url("/old"))));
    document(fetcher.clone().fetch(request(server.url("/new"))));
    let seen = server.all_requests();
    assert_eq!(seen.len(), 3);
    assert_spacing(&seen, gap);
}

#[test]
fn p_23_those_who_stand_in_line_share_one_connection() {
    let server = FeedServer::start();
    // A connection is free a moment after the answer's last byte; the gap, a second by default, is far longer.
    let gap = Duration::from_millis(300);
    let fetcher = fetcher_by_name(&FetchSettings { per_host_gap: gap.try_into().unwrap(), ..settings() });
    server.serve("/a.xml", Answer::ok(FEED).delay(Duration::from_millis(100)));
    let requests = (0..5).map(|_| request(server.url_at("feeds.example", "/a.xml"))).collect();
    assert_eq!(fetcher.fetch_all(requests).into_iter().count(), 5);
    assert_eq!(server.connections(), 1);
}

#[test]
fn p_23_the_gap_to_a_host_outlives_a_reload() {
    let server = FeedServer::start();
    let gap = Duration::from_millis(600);
    let settings = FetchSettings { per_host_gap: gap.try_into().unwrap(), ..settings() };
    let fetcher = fetcher_with(&settings);
    server.serve("/a.xml", Answer::ok(FEED));
    document(fetcher.fetch(request(server.url("/a.xml"))));
    let renewed = fetcher.renewed(&settings, clock(), Resolver::System).unwrap();
    document(renewed.fetch(request(server.url("/a.xml"))));
    assert_spacing(&server.all_requests(), gap);
}

#[test]
fn p_24_two_names_of_arxiv_see_one_request_in_three_seconds() {
    let server = FeedServer::start();
    let fetcher = fetcher_by_name(&settings());
    server.serve("/a.xml", Answer::ok(FEED));
    let hosts = ["rss.arxiv.org", "export.arxiv.org"];
    let requests = hosts.map(|host| request(server.url_at(host, "/a.xml"))).to_vec();
    assert_eq!(fetcher.fetch_all(requests).into_iter().count(), 2);
    let seen = server.all_requests();
    assert_eq!(seen.len(), 2);
    assert_spacing(&seen, Duration::from_secs(3));
}

#[test]
fn an_error_of_our_own_is_one_feeds_failure() {
    let broken = |name: &str| if name == "bad.example" { panic!("on purpose") } else { Vec::new() };
    let fetcher = Fetcher::new(&settings(), clock(), Resolver::table(broken)).unwrap();
    let (state, _, words) = failure(fetcher.fetch(request("http://bad.example/a.xml")));
    assert_eq!(state, FeedState::Broken);
    assert!(words.contains("error of its own"), "{words}");
    let both = ["http://bad.example/a.xml", "http://good.example/a.xml"].map(request).to_vec();
    let mut said: Vec<_> =
        fetcher.fetch_all(both).into_iter().map(|(place, outcome)| (place, failure(outcome).2)).collect();
    said.sort();
    assert_eq!(said, [(0, words), (1, "no such name".to_owned())]);
}

#[test]
fn different_hosts_do_not_wait_for_each_other() {
    let server = FeedServer::start();
    server.serve("/a.xml", Answer::ok(FEED).delay(Duration::from_millis(300)));
    let fetcher = fetcher_by_name(&FetchSettings { per_host_gap: SignedDuration::from_secs(5), ..settings() });
    let requests = (0..20).map(|number| request(server.url_at(&format!("h{number}.example"), "/a.xml"))).collect();
    let watch = Stopwatch::start();
    assert_eq!(fetcher.fetch_all(requests).into_iter().count(), 20);
    assert!(watch.elapsed() < Duration::from_secs(4), "{:?}", watch.elapsed());
}

#[test]
fn p_27_a_dead_ipv6_address_costs_less_than_a_second() {
    let server = FeedServer::start();
    server.serve("/a.xml", Answer::ok(FEED));
    let mut settings = settings();
    settings.allow_addresses.push(AddressRange { address: "::1".parse().unwrap(), prefix: 128 });
    let both = || vec!["::1".parse().unwrap(), "127.0.0.2".parse().unwrap()];
    let fetcher = Fetcher::new(&settings, clock(), Resolver::table(move |_| both())).unwrap();
    let watch = Stopwatch::start();
    document(fetcher.fetch(request(server.url_at("feeds.example", "/a.xml"))));
    assert!(watch.elapsed() < Duration::from_secs(1));
}

#[test]
fn p_28_a_name_that_is_not_there_and_a_port_that_is_closed_are_named() {
    let nobody = Fetcher::new(&settings(), clock(), Resolver::table(|_| Vec::new())).unwrap();
    let expected = (FeedState::Broken, None, "no such name".to_owned());
    assert_eq!(failure(nobody.fetch(request("https://feeds.example/a.xml"))), expected);
    let closed = "http://127.0.0.2:1/a.xml";
    let expected = (FeedState::Broken, None, "the connection was refused".to_owned());
    assert_eq!(failure(fetcher().fetch(request(closed))), expected);
}

#[test]
fn p_29_a_request_has_exactly_the_listed_headers() {
    let server = FeedServer::start();
    server.serve("/a.xml?x=1", Answer::ok(FEED).header("Set-Cookie", "id=1; Path=/"));
    let fetcher = fetcher();
    for _ in 0..100 {
        document(fetcher.fetch(request(server.url("/a.xml?x=1"))));
    }
    let expected = format!(
        "GET /a.xml?x=1 HTTP/1.1\r\nuser-agent: sigtrail/{} (+https://security.example.com/feeds)\r\n\
         accept: application/atom+xml, application/rss+xml, application/feed+json, application/json;q=0.9, \
         application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5\r\naccept-encoding: gzip, deflate, br\r\n\
         host: {}\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        server.address()
    );
    let seen = server.requests("/a.xml?x=1");
    assert_eq!(seen.len(), 100);
    for request in seen {
        assert_eq!(String::from_utf8(request.head).unwrap(), expected);
    }
}

#[test]
fn a_contact_that_cannot_stand_in_a_header_is_an_error_and_none_is_none() {
    let broken = FetchSettings { contact: Some("a\r\nX-Evil: 1".to_owned()), ..settings() };
    let error = Fetcher::new(&broken, clock(), Resolver::System).err().unwrap();
    assert!(error.to_string().contains("contact"), "{error}");
    let server = FeedServer::start();
    server.serve("/a.xml", Answer::ok(FEED));
    document(fetcher_with(&FetchSettings { contact: None, ..settings() }).fetch(request(server.url("/a.xml"))));
    let agent = format!("sigtrail/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(server.requests("/a.xml")[0].header("user-agent"), Some(agent.as_bytes()));
}

#[test]
fn p_30_partial_answers_are_errors_and_the_same_etag_again_is_nothing_new() {
    let server = FeedServer::start();
    let fetcher = fetcher();
    for status in [201, 204, 206, 226, 300, 418] {
        let path = format!("/{status}");
        server.serve(&path, if status == 204 { Answer::status(204) } else { Answer::status(status).body(FEED) });
        let (state, code, words) = failure(fetcher.fetch(request(server.url(&path))));
        assert_eq!((state, code), (FeedState::Broken, Some(status)));
        assert!(words.contains(&status.to_string()), "{words}");
    }
    // A server that ignores the condition and sends everything again.
    server.serve("/same", Answer::ok(FEED).header("ETag", "\"1\""));
    let first = document(fetcher.fetch(request(server.url("/same"))));
    let second = fetcher.fetch(again(server.url("/same"), &first.validators));
    assert!(matches!(second, FetchOutcome::NotModified { .. }), "{second:?}");
    let other = Validators { etag: Some(b"\"2\"".to_vec()), last_modified: None };
    document(fetcher.fetch(again(server.url("/same"), &other)));
    // And one that says "not modified" to somebody who has nothing.
    server.serve("/304", Answer::status(304));
    assert_eq!(failure(fetcher.fetch(request(server.url("/304")))).0, FeedState::Broken);
}

#[test]
fn every_class_of_failure_reaches_its_state() {
    let server = FeedServer::start();
    let fetcher = fetcher();
    for (status, state) in [
        (401, FeedState::Refused),
        (403, FeedState::Refused),
        (404, FeedState::Gone),
        (410, FeedState::Gone),
        (429, FeedState::Throttled),
        (503, FeedState::Throttled),
        (500, FeedState::Broken),
        (502, FeedState::Broken),
    ] {
        server.serve("/a.xml", Answer::status(status).body("<html>sorry</html>"));
        let (seen, code, words) = failure(fetcher.fetch(request(server.url("/a.xml"))));
        assert_eq!((seen, code), (state, Some(status)));
        assert!(words.ends_with(&format!("({status})")), "{words}");
    }
}

#[test]
fn packed_bodies_are_unpacked_and_both_sizes_counted() {
    let server = FeedServer::start();
    let text = FEED.repeat(200);
    let plain = || Answer::ok(&text);
    for (path, answer) in [
        ("/gzip", plain().gzip()),
        ("/deflate", plain().deflate()),
        ("/brotli", plain().brotli()),
        ("/twice", plain().brotli().gzip()),
        ("/chunked", plain().gzip().chunked()),
        ("/drip", plain().gzip().drip(40, Duration::from_millis(1))),
    ] {
        server.serve(path, answer);
        let feed = document(fetcher().fetch(request(server.url(path))));
        assert_eq!(feed.bytes, text.as_bytes(), "{path}");
        assert_eq!(feed.cut, None, "{path}");
        assert!(feed.wire_bytes > 20 && feed.wire_bytes < 1_000, "{path}: {}", feed.wire_bytes);
    }
    server.serve("/zstd", plain().header("Content-Encoding", "zstd"));
    assert_eq!(failure(fetcher().fetch(request(server.url("/zstd")))).0, FeedState::Broken);
    server.serve("/damaged", Answer::ok("<rss/>").header("Content-Encoding", "gzip"));
    let (state, _, words) = failure(fetcher().fetch(request(server.url("/damaged"))));
    assert_eq!((state, words.as_str()), (FeedState::Broken, "nothing of the document came: the packing is damaged"));
}

#[test]
fn while_no_outcome_is_taken_only_so_many_requests_start() {
    let server = FeedServer::start();
    server.serve("/a.xml", Answer::ok(FEED));
    let fetcher = fetcher_by_name(&settings());
    let requests = (0..200).map(|number| request(server.url_at(&format!("h{number}.example"), "/a.xml"))).collect();
    let outcomes = fetcher.fetch_all(requests);
    std::thread::sleep(Duration::from_millis(500));
    let started = server.all_requests().len();
    assert!((1..=40).contains(&started), "{started}");
    // The batch goes on when they are taken, even if the fetcher itself is gone.
    drop(fetcher);
    let mut places: Vec<usize> = outcomes.into_iter().map(|(place, _)| place).collect();
    places.sort_unstable();
    assert_eq!(places, (0..200).collect::<Vec<_>>());
}

#[test]
fn dropping_the_receiver_stops_the_rest() {
    let server = FeedServer::start();
    server.serve("/a.xml", Answer::ok(FEED).delay(Duration::from_millis(20)));
    let fetcher = fetcher_by_name(&settings());
    let requests = (0..2_000).map(|number| request(server.url_at(&format!("h{number}.example"), "/a.xml"))).collect();
    let outcomes = fetcher.fetch_all(requests);
    assert!(outcomes.recv().is_ok());
    drop(outcomes);
    std::thread::sleep(Duration::from_millis(300));
    let started = server.all_requests().len();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.all_requests().len(), started);
    assert!(started < 200, "{started}");
}

#[test]
fn many_large_documents_all_arrive_one_after_the_other() {
    let server = FeedServer::start();
    server.serve("/large", Answer::ok("x".repeat(3 * 1024 * 1024)));
    let fetcher = fetcher_by_name(&settings());
    let requests = (0..12).map(|number| request(server.url_at(&format!("h{number}.example"), "/large"))).collect();
    for (_, outcome) in fetcher.fetch_all(requests) {
        let feed = document(outcome);
        assert_eq!((feed.bytes.len(), feed.cut), (3 * 1024 * 1024, None));
    }
}

#[test]
fn a_script_is_played_in_order_and_its_last_answer_stays() {
    let server = FeedServer::start_at("127.0.0.2".parse().unwrap());
    server.script("/a.xml", [Answer::status(500), Answer::ok(FEED), Answer::status(404)]);
    let fetcher = fetcher();
    let states: Vec<bool> =
        (0..4).map(|_| matches!(fetcher.fetch(request(server.url("/a.xml"))), FetchOutcome::Fetched { .. })).collect();
    assert_eq!(states, [false, true, false, false]);
}
