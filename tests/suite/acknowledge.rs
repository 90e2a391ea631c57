//! The acknowledgement page as browsers, scanners and forgers meet it: a whole world behind it, raw HTTP in front.
#![expect(clippy::string_slice, reason = "a test fails by panicking")]

mod browser;
mod corrected;
mod ended;
mod haste;
mod later;
mod listed;
mod rest;
mod scanners;
mod unrecorded;
mod withdrawn;

use std::{collections::BTreeSet, net::TcpStream, sync::Arc, time::Duration};

use jiff::SignedDuration;
use sigtrail::{
    model::id::DigestNo,
    token::{self, LinkKey, Scope},
};

use crate::harness::{
    page::{Page, Reply, ask, nonce_of},
    world::{World, rss},
};

const FORM: &str = "application/x-www-form-urlencoded";
const NOW: &str = "2026-11-20T08:00:00Z";

/// A world with a mailed digest of three stories, and its page on loopback.
struct Office {
    world: World,
    key: Arc<LinkKey>,
    page: Page,
    /// The path that answers the whole digest.
    all: String,
    /// The paths of the three stories.
    stories: Vec<String>,
}

impl Office {
    fn open() -> Office {
        Office::of(World::company(NOW).feed("cert", ""))
    }

    /// The same in another world that has the feed.
    fn of(mut world: World) -> Office {
        world.publish(
            "cert",
            &rss(&[
                ("Quillgate: sign-in bypass CVE-2099-10007", "a1", "A crafted cookie skips the sign-in."),
                ("Quillgate: a second hole", "a2", "Text of the second."),
                ("Quillgate: a third hole", "a3", "Text of the third."),
            ]),
        );
        world.tick();
        let mails = world.mailbox("maria");
        let paths: Vec<String> = mails[0]
            .lines()
            .filter_map(|line| line.trim().strip_prefix("https://sigtrail.example.com"))
            .filter(|path| !path.ends_with("/rest") && !path.ends_with("/wrong"))
            .map(ToOwned::to_owned)
            .collect();
        assert_eq!(paths.len(), 4, "{}", mails[0]);
        let context = world.context();
        let page = Page::open(&mut world);
        Office { world, key: context.link_key.clone(), page, all: paths[0].clone(), stories: paths[1..].to_vec() }
    }

    fn get(&self, path: &str) -> Reply {
        self.page.get(path)
    }

    fn post(&self, path: &str, body: &str) -> Reply {
        self.page.post(path, body)
    }

    /// The nonce of a fresh form.
    fn nonce(&self, path: &str) -> String {
        nonce_of(&self.get(path).body)
    }

    /// Sends a form with a fresh nonce.
    fn say(&self, path: &str, fields: &str) -> Reply {
        self.post(path, &format!("{fields}&nonce={}", self.nonce(path)))
    }

    /// Sends a form that must be recorded; the number of its record.
    #[track_caller]
    fn said(&self, path: &str, fields: &str) -> u64 {
        let reply = self.say(path, fields);
        assert_eq!(reply.status, 303, "{}", reply.body);
        reply.header("location").unwrap().split("recorded=").nth(1).unwrap().parse().unwrap()
    }

    /// Starts the page anew, with the configuration and the keys as they are now.
    fn reopen(&mut self) {
        self.page.stop().shutdown_timeout(Duration::from_secs(10));
        self.world.restart();
        self.key = self.world.context().link_key.clone();
        self.page = Page::open(&mut self.world);
    }

    fn acknowledged(&mut self) -> usize {
        self.world.records_of("acknowledged").len()
    }
}

#[test]
fn an_answer_is_recorded_by_two_clicks_and_shown_with_its_record() {
    let mut office = Office::open();
    let story = office.stories[0].clone();
    let page = office.get(&format!("{story}?as=watching"));
    assert_eq!(page.status, 200);
    assert!(page.body.contains("value=\"watching\" checked"), "{}", page.body);
    assert!(page.body.contains("Recorded as given with the link sent to Maria Lopez."));
    let body =
        format!("disposition=watching&note=portal+is+%3Coff%3E&reference=CHG-118&nonce={}", nonce_of(&page.body));
    let reply = office.post(&story, &body);
    assert_eq!(reply.status, 303, "{}", reply.body);
    let location = reply.header("location").unwrap().to_owned();
    assert!(location.starts_with(&format!("{story}?recorded=")), "{location}");
    let shown = office.get(&location);
    assert!(shown.body.contains("2 stories are still open."), "{}", shown.body);
    for words in [
        "Recorded. Your answer is record",
        "portal is &#60;off&#62;",
        "Reference: ticket CHG-118",
        "Add another answer",
    ] {
        assert!(shown.body.contains(words), "{words}");
    }
    let records = office.world.records_of("acknowledged");
    assert_eq!(records.len(), 1);
    assert!(!records[0].to_string().contains("portal"), "a note enters the log as a commitment only: {}", records[0]);
    let believed = office.get(&format!("{}?recorded=1", office.stories[1]));
    assert!(!believed.body.contains("Recorded. Your answer"), "a record number in an address proves nothing");
}

#[test]
fn one_answer_for_the_whole_digest_leaves_nothing_open() {
    let mut office = Office::open();
    let all = office.all.clone();
    let page = office.get(&all);
    assert!(page.body.contains("3 stories to answer") && page.body.contains("One answer for all 3 open stories"));
    let first = format!("{all}/1");
    let reply = office.post(&first, &format!("disposition=acted&nonce={}", office.nonce(&first)));
    assert_eq!(reply.status, 303);
    assert!(office.get(reply.header("location").unwrap()).body.contains("Next: 2 of 3"));
    let reply = office.post(&all, &format!("disposition=covered&nonce={}", office.nonce(&all)));
    assert_eq!(reply.status, 303, "{}", reply.body);
    let shown = office.get(reply.header("location").unwrap());
    assert!(shown.body.contains("Nothing of this digest is open any more."), "{}", shown.body);
    assert!(!shown.body.contains("<form"));
    let stories: Vec<usize> = office
        .world
        .records_of("acknowledged")
        .iter()
        .map(|record| record["fields"]["stories"].as_array().unwrap_or_else(|| panic!("{record}")).len())
        .collect();
    assert_eq!(stories, [1, 2], "the answer for all is about those still open");
}

#[test]
fn a_missing_answer_and_a_missing_reason_are_asked_for_and_what_was_typed_stays() {
    let mut office = Office::open();
    let story = office.stories[0].clone();
    let reply = office.post(&story, &format!("reference=CHG-7&nonce={}", office.nonce(&story)));
    assert_eq!(reply.status, 422);
    assert!(reply.body.contains("Choose what you say") && reply.body.contains("value=\"CHG-7\""));
    assert!(reply.body.contains("<title>Error: "));
    let reply = office.post(&story, &format!("disposition=not-relevant&note=+&nonce={}", nonce_of(&reply.body)));
    assert_eq!(reply.status, 422);
    assert!(reply.body.contains("Say why this is not relevant"));
    let body = format!("disposition=not-relevant&note=not+in+use&nonce={}", nonce_of(&reply.body));
    assert_eq!(office.post(&story, &body).status, 303);
    assert_eq!(office.acknowledged(), 1);
}

#[test]
fn a_03_a_post_without_a_nonce_with_an_old_or_strange_one_or_from_elsewhere_is_refused() {
    let mut office = Office::open();
    let (first, second) = (office.stories[0].clone(), office.stories[1].clone());
    let good = office.nonce(&first);
    let typed = "disposition=acted&note=typed+text";
    for nonce in
        [String::new(), "AAAA".to_owned(), office.nonce(&second), office.nonce(&office.all), format!("{good}A")]
    {
        let reply = office.post(&first, &format!("{typed}&nonce={nonce}"));
        assert_eq!(reply.status, 403, "{nonce}");
        assert!(reply.body.contains("typed text"), "a refused form comes back filled");
    }
    let elsewhere: [&[(&str, &str)]; 6] = [
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "none")],
        &[("Origin", "https://evil.example")],
        &[("Origin", "https://sigtrail.example.com.evil.example")],
        &[("Origin", "http://sigtrail.example.com"), ("Sec-Fetch-Site", "cross-site")],
    ];
    for headers in elsewhere {
        let reply = ask(office.page.address, "POST", &first, headers, &format!("{typed}&nonce={good}"));
        assert_eq!(reply.status, 403, "{headers:?}");
    }
    office.world.wait(SignedDuration::from_hours(13));
    let reply = office.post(&first, &format!("{typed}&nonce={good}"));
    assert_eq!(reply.status, 403);
    assert!(reply.body.contains("It is filled in as you left it") && reply.body.contains("typed text"));
    assert_eq!(office.acknowledged(), 0);
    let fresh = nonce_of(&reply.body);
    for headers in [("Sec-Fetch-Site", "same-origin"), ("Origin", "null"), ("Origin", "https://sigtrail.example.com")] {
        let reply = ask(office.page.address, "POST", &first, &[headers], &format!("{typed}&nonce={fresh}"));
        assert_eq!(reply.status, 303, "{headers:?}");
    }
    assert_eq!(office.acknowledged(), 1);
}

#[test]
fn a_04_a_good_post_a_hundred_times_makes_one_record_and_a_hundred_equal_answers() {
    let mut office = Office::open();
    let story = office.stories[0].clone();
    let body = format!("disposition=acted&nonce={}", office.nonce(&story));
    let address = office.page.address;
    let mut records = BTreeSet::new();
    let mut fresh = 0;
    let mut count = |reply: &Reply| {
        assert_eq!(reply.status, 303, "{}", reply.body);
        let location = reply.header("location").unwrap().to_owned();
        fresh += usize::from(location.contains("?recorded="));
        records.insert(location.split('=').nth(1).unwrap().to_owned());
    };
    let threads: Vec<_> = (0..50)
        .map(|_| {
            let (story, body) = (story.clone(), body.clone());
            std::thread::spawn(move || [(); 2].map(|()| ask(address, "POST", &story, &[("Content-Type", FORM)], &body)))
        })
        .collect();
    let replies: Vec<Reply> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(replies.len(), 100);
    replies.iter().for_each(&mut count);
    assert_eq!((records.len(), fresh), (1, 1));
    assert_eq!(office.acknowledged(), 1);
    let record = records.first().unwrap();
    let page = office.get(&format!("{story}?already={record}"));
    assert!(page.body.contains("Already recorded on 20 Nov at 08:00. Nothing was added."), "{}", page.body);
    let again = office.post(&story, &format!("disposition=discuss&nonce={}", office.nonce(&story)));
    assert!(again.header("location").unwrap().contains("?recorded="));
    assert_eq!(office.acknowledged(), 2, "a new form makes a new record");
}

#[test]
fn a_05_forged_cut_and_ended_links_open_nothing() {
    let mut office = Office::open();
    let token = office.all["/a/".len()..].to_owned();
    for place in 0..token.len() {
        let old = token.as_bytes()[place];
        let new = if old == b'A' { 'B' } else { 'A' };
        let mut forged = token.clone();
        forged.replace_range(place..=place, &new.to_string());
        for reply in [office.get(&format!("/a/{forged}")), office.post(&format!("/a/{forged}"), "disposition=acted")] {
            assert_eq!(reply.status, 404, "{forged}");
            assert!(reply.body.contains("This link is not complete. Copy all of it from the mail."));
        }
    }
    for cut in [1, 10, token.len() - 1] {
        assert_eq!(office.get(&format!("/a/{}", &token[..cut])).status, 404);
    }
    assert_eq!(office.get(&format!("/a/{token}A")).status, 404);
    assert_eq!(office.get(&format!("/a/{}", "A".repeat(5_000))).status, 404);
    let strange = Scope { digest: DigestNo(1), story: None, expires: "2027-01-01T00:00:00Z".parse().unwrap() };
    assert_eq!(office.get(&format!("/a/{}", token::mint(&LinkKey::new([3; 32]), &strange))).status, 404);
    let nonce = office.nonce(&office.all);
    office.world.wait_until("2026-12-20T08:00:01Z");
    for reply in [office.get(&office.all), office.post(&office.all, &format!("disposition=acted&nonce={nonce}"))] {
        assert_eq!(reply.status, 410);
        assert!(reply.body.contains("This link ended on 20 Dec."), "{}", reply.body);
    }
    assert_eq!(office.acknowledged(), 0);
}

#[test]
fn a_06_a_link_opens_its_own_story_and_its_own_digest_only() {
    let mut office = Office::open();
    let expires = "2026-12-01T00:00:00Z".parse().unwrap();
    let own = format!("/a/{}", token::mint(&office.key, &Scope { digest: DigestNo(1), story: Some(1), expires }));
    assert!(office.get(&own).body.contains("sign-in bypass"));
    for number in ["2", "3", "4", "0", "01", "+1", "-1", "1.0", "65537", "x", "%31%00", "1%2F2"] {
        let path = format!("{own}/{number}");
        assert_eq!(office.get(&path).status, 404, "{path}");
        assert_eq!(office.post(&path, "disposition=acted").status, 404, "{path}");
    }
    assert_eq!(office.get(&format!("{}/4", office.all)).status, 404, "no such story in the digest");
    let scope =
        |digest, story| Scope { digest: DigestNo(digest), story, expires: "2026-12-01T00:00:00Z".parse().unwrap() };
    for other in [scope(2, None), scope(0, None), scope(-1, None), scope(1, Some(9))] {
        let path = format!("/a/{}", token::mint(&office.key, &other));
        assert_eq!(office.get(&path).status, 404, "{other:?}");
        assert_eq!(office.post(&path, "disposition=acted").status, 404, "{other:?}");
    }
    assert_eq!(office.acknowledged(), 0);
}

#[test]
fn a_10_every_response_carries_exactly_these_headers() {
    let office = Office::open();
    let style = {
        let page = office.get(&office.all).body;
        let start = page.find("rel=\"stylesheet\" href=\"").unwrap() + "rel=\"stylesheet\" href=\"".len();
        page[start..].split('"').next().unwrap().to_owned()
    };
    assert_eq!(office.get(&style).header("content-type"), Some("text/css; charset=utf-8"));
    let nonce = office.nonce(&office.all);
    let replies = [
        (200, office.get(&office.all)),
        (200, office.get(&style)),
        (200, ask(office.page.address, "HEAD", &office.stories[0], &[], "")),
        (303, office.post(&office.all, &format!("disposition=acted&nonce={nonce}"))),
        (403, office.post(&office.stories[0], "disposition=acted")),
        (404, office.get("/")),
        (404, office.get("/a/wrong")),
        (404, office.get("/a/%ff%fe/1")),
        (405, ask(office.page.address, "DELETE", &office.all, &[], "")),
        (405, ask(office.page.address, "POST", &style, &[], "")),
        (413, office.post(&office.stories[1], &"x".repeat(200_000))),
        (422, office.post(&office.stories[1], &format!("nonce={}", office.nonce(&office.stories[1])))),
    ];
    for (status, reply) in replies {
        assert_eq!(reply.status, status, "{}", reply.body);
        assert_eq!(
            reply.header("content-security-policy"),
            Some(
                "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                 frame-ancestors 'none'"
            )
        );
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("set-cookie"), None);
        assert_eq!(reply.header("server"), None);
    }
}

#[test]
fn a_11_odd_paths_are_not_found_and_lead_nowhere_else() {
    let office = Office::open();
    let all = office.all.clone();
    let mut odd: Vec<String> = [
        "//evil.example",
        "//evil.example/a/x",
        "/%2f%2fevil.example",
        "/\\evil.example",
        "/%5cevil.example",
        "/https://evil.example",
        "/a",
        "/a/",
        "/a//",
        "/a/../../etc/passwd",
        "/a/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/.git/config",
        "/.env",
        "/style.css",
        "/style.000000000000.css",
        "/templates/style.css",
        "/index.html",
        "/robots.txt",
        "/favicon.ico",
        "/admin",
        "/login?next=//evil.example",
        "/sign-in",
        "/stories",
        "/;/evil.example",
        "/a/%00",
        "/a/%0d%0aLocation:%20https://evil.example",
        "/a/javascript:alert(1)",
        "/a/<script>",
        "/A/x",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    for tail in
        ["/", "/1/", "//1", "/1/2", "/rest/", "/wrong/1", "/../1", "/%31/..", "%2f1", "/1%0d%0aX: y", ";1", "/１"]
    {
        odd.push(format!("{all}{tail}"));
    }
    assert!(odd.len() >= 40);
    for path in odd {
        for method in ["GET", "POST"] {
            let reply = ask(office.page.address, method, &path, &[], "disposition=acted&next=//evil.example");
            // What is no request line at all is refused before it is a path.
            assert!(matches!(reply.status, 404 | 400), "{method} {path}: {}", reply.status);
            assert_eq!(reply.header("location"), None, "{method} {path}");
            assert!(!reply.body.contains("evil") && !reply.body.contains("<script"), "{method} {path}");
        }
    }
}

#[test]
fn a_12_a_spoofed_host_changes_no_link() {
    let office = Office::open();
    let story = office.stories[0].clone();
    let spoofed = [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "javascript"),
        ("Forwarded", "host=evil.example;proto=http"),
        ("X-Original-URL", "/evil"),
        ("X-Forwarded-Prefix", "//evil.example"),
    ];
    let page = ask(office.page.address, "GET", &story, &spoofed, "");
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("evil"), "{}", page.body);
    let body = format!("disposition=acted&nonce={}", nonce_of(&page.body));
    let reply = ask(office.page.address, "POST", &story, &spoofed, &body);
    assert_eq!(reply.status, 303);
    assert!(reply.header("location").unwrap().starts_with(&story));
}

#[test]
fn the_server_stops_in_order_and_lets_go_of_its_port() {
    let mut office = Office::open();
    assert_eq!(office.get(&office.all).status, 200);
    let runtime = office.page.stop();
    runtime.shutdown_timeout(Duration::from_secs(10));
    assert!(TcpStream::connect(office.page.address).is_err());
}
