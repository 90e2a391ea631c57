//! `feeds test` and `feeds catalogue`, as a feed editor uses them: what is found, what is asked on the way, and that
//! nothing is written.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use sigtrail::{
    fetch::{Fetcher, Resolver},
    jobs::probe::{self, Asked, MOST_TRIES, Probe, Probed},
    tag::Matcher,
};
use url::Url;

use crate::harness::{
    corpus,
    feed_server::{Answer, FeedServer, Received},
    world::{World, rss},
};

const NOW: &str = "2026-11-20T07:00:00Z";

#[expect(clippy::disallowed_methods, reason = "the program does not start others; its tests start it")]
fn sigtrail(root: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigtrail"));
    for variable in ["STATE_DIRECTORY", "SIGTRAIL_ROOT", "SIGTRAIL_LOG", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.env("TZ", "UTC").arg("--root").arg(root).args(words).current_dir(root).output().unwrap()
}

/// The standard output of a command that must end well.
fn said(root: &Path, words: &[&str]) -> String {
    let output = sigtrail(root, words);
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), talk.as_str()), (Some(0), ""), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn tested(root: &Path, what: &str) -> Value {
    let text = said(root, &["feeds", "test", "--json", what]);
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn probed(world: &World, url: &str) -> Probed {
    let config = world.config();
    let matcher = Matcher::new(&config.components, &config.topics).unwrap();
    let fetcher = Fetcher::new(&config.fetch, world.clock.clone(), Resolver::default()).unwrap();
    let probe =
        Probe { config: &config, matcher: &matcher, fetcher: &fetcher, now: world.clock.now(), remembered: &[] };
    probe::probe(&probe, &Asked::Address(Url::parse(url).unwrap()))
}

fn targets(server: &FeedServer) -> Vec<String> {
    server.all_requests().iter().map(Received::target).collect()
}

fn page(links: &str) -> Answer {
    Answer::ok(format!("<!doctype html><html><head><title>News</title>{links}</head><body>Read on.</body></html>"))
        .content_type("text/html; charset=utf-8")
}

/// A feed with four entries, two of them about Quillgate.
fn bulletins() -> String {
    let items = [
        ("Quillgate: sign-in bypass CVE-2099-10007", "q1", "Exploited. CVSS 9.8."),
        ("Quillgate 9.1.4", "q2", "Fixed."),
        ("Advice on accounts of leavers", "a", "Close them."),
        ("A meeting", "b", "Everybody may come."),
    ];
    let text = rss(&items);
    let mut parts = text.split("</item>");
    let mut dated = parts.next().unwrap().to_owned();
    for (part, day) in parts.zip([19, 18, 16, 12]) {
        write!(dated, "<pubDate>{day} Nov 2026 09:00:00 GMT</pubDate></item>{part}").unwrap();
    }
    dated
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

#[test]
fn an_address_is_tested_in_one_request_and_everything_an_editor_decides_by_is_said() {
    let world = World::company(NOW);
    world.config();
    world.answer("bulletins", Answer::ok(bulletins()).etag("\"1\"").header("Cache-Control", "max-age=43200"));
    let url = world.server.url("/bulletins");
    let told = said(world.root.path(), &["feeds", "test", &url]);
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("200 in 0.") && lines[0].contains(" s, RSS, ") && lines[0].contains(", 4 entries, "));
    assert!(lines[0].ends_with("ETag yes"), "{}", lines[0]);
    for line in [
        "title     Sample",
        "manners   ETag: a document that has not changed is not sent again",
        "wishes    the publisher asks for 12 h (max-age) between two polls, which counts before 1 h",
        "matches   2 of 4: Quillgate VPN 2",
        "goes to   maria 2",
        "listed    maria 2, one line each under \"also published\"",
        "first     a first poll takes the newest 3 as new and only records the other 1",
        "write into feeds.toml:",
        "[[feed]]",
        "name = \"Sample\"",
        "owner = \"maria\"",
    ] {
        assert!(lines.contains(&line), "{line} is not in:\n{told}");
    }
    assert!(
        lines.iter().any(|line| line.starts_with("rhythm    usual gap ") && line.contains(", longest 4 days, ")),
        "{told}"
    );
    let quillgate = "Quillgate: sign-in bypass CVE-2099-10007 -> maria (Quillgate VPN)";
    assert!(lines.iter().any(|line| line.starts_with("newest ") && line.ends_with(quillgate)), "{told}");
    let requests = world.server.all_requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].header("user-agent").unwrap().starts_with(b"sigtrail/"), "it says who asks");
    assert!(requests[0].header("if-none-match").is_none() && requests[0].header("if-modified-since").is_none());
}

#[test]
fn testing_writes_nothing_with_a_state_and_without_one() {
    let world = World::company(NOW).feed("cert", "");
    world.publish("cert", &bulletins());
    world.config();
    let root = world.root.path().to_owned();
    let before = files(&root);
    assert_eq!(tested(&root, "cert")["ok"], true);
    assert_eq!(files(&root), before, "no state is made");
    assert_eq!(sigtrail(&root, &["tick"]).status.code(), Some(0));
    let state = files(&world.state());
    assert!(state.iter().any(|(path, _)| path.ends_with(sigtrail::store::DATABASE)));
    let line = tested(&root, "cert");
    assert_eq!((&line["feed"], &line["toml"]), (&"cert".into(), &Value::Null));
    said(&root, &["feeds", "test", &world.server.url("/cert")]);
    assert!(files(&world.state()) == state, "every byte of the state is as it was");
    let last = world.server.requests("/cert").pop().unwrap();
    assert!(last.header("if-none-match").is_none(), "the test is unconditional though a validator is stored");
}

#[test]
fn what_cannot_be_read_is_weather_and_said_first() {
    let world = World::company(NOW).feed("refusing", "").feed("page", "").feed("gone", "");
    world.answer("refusing", Answer::status(403));
    world.answer("page", page(""));
    world.config();
    let root = world.root.path();
    assert!(said(root, &["feeds", "test", "refusing"]).starts_with("cannot be read: refused (403)\n"));
    let line = tested(root, "refusing");
    assert_eq!(
        (&line["ok"], &line["state"], &line["error"]),
        (&false.into(), &"refused".into(), &"refused (403)".into())
    );
    let told = said(root, &["feeds", "test", "page"]);
    assert!(told.starts_with("cannot be read: this is a web page, not a feed (\"News\")\ntried     "), "{told}");
    let gone = tested(root, &world.server.url("/gone"));
    assert_eq!((&gone["state"], &gone["toml"]), (&"gone".into(), &Value::Null));
    let kept = tested(root, "nvd");
    assert_eq!(kept["ok"], false);
    assert!(kept["instead"].as_str().unwrap().contains("cisa-kev"), "{kept}");
}

#[test]
fn a_challenge_and_a_converters_error_are_told_as_a_poll_would_tell_them() {
    let world = World::company(NOW).feed("guarded", "").feed("bridge", "");
    let guarded = "<!doctype html><html><title>Just a moment...</title><a href='/feed.xml'>feed</a></html>";
    world.answer("guarded", Answer::ok(guarded).header("content-type", "text/html"));
    world.answer("bridge", Answer::ok(rss(&[("Bridge returned error 500! (20414)", "b1", "Something failed.")])));
    world.config();
    let line = tested(world.root.path(), "guarded");
    assert_eq!((&line["ok"], &line["state"]), (&false.into(), &"refused".into()), "{line}");
    assert!(line["error"].as_str().unwrap().contains("Cloudflare"), "{line}");
    assert_eq!(world.server.requests("/feed.xml").len(), 0, "a page that keeps us out is not searched");
    let line = tested(world.root.path(), "bridge");
    assert_eq!((&line["ok"], &line["state"]), (&false.into(), &"suspicious".into()), "{line}");
    assert!(line["error"].as_str().unwrap().contains("Bridge returned error 500!"), "{line}");
}

#[test]
fn a_word_that_stands_for_nothing_is_a_mistake() {
    let world = World::company(NOW);
    world.config();
    for what in ["crt", "mailto:maria@example.com", "two words"] {
        let output = sigtrail(world.root.path(), &["feeds", "test", what]);
        let talk = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{what}: {talk}");
        assert!(talk.contains(&format!("`{what}` is no address")) && talk.contains("feeds catalogue"), "{talk}");
    }
}

#[test]
fn the_feed_behind_a_page_is_found_by_what_the_page_names() {
    let world = World::company(NOW);
    let links = "<link rel=alternate type=\"application/rss+xml\" title=\"Comments\" href=\"/comments/feed\">
        <link rel=alternate type=\"application/atom+xml\" title=\"All &amp; everything\" href=\"x/all.xml?a=1&amp;b=2\">
        <base href=\"/news/\">";
    // A base counts for what follows it.
    let links = links.replace("<base href=\"/news/\">", "");
    world.server.serve("/news/", page(&format!("<base href=\"/news/\">{links}")));
    world.server.serve("/news/x/all.xml?a=1&b=2", Answer::ok(bulletins()));
    world.config();
    let line = tested(world.root.path(), &world.server.url("/news/"));
    assert_eq!((&line["ok"], &line["found_by"], &line["entries"]), (&true.into(), &"named".into(), &4.into()));
    assert_eq!(line["url"], world.server.url("/news/x/all.xml?a=1&b=2"));
    assert_eq!(line["also"][0]["url"], world.server.url("/comments/feed"));
    assert_eq!(targets(&world.server), ["/news/", "/news/x/all.xml?a=1&b=2"], "the feed of comments is not asked");
    let told = said(world.root.path(), &["feeds", "test", &world.server.url("/news/")]);
    assert!(told.starts_with("found     http://") && told.contains("(named by the page as its feed)\n"), "{told}");
}

#[test]
fn usual_addresses_are_tried_where_a_page_names_none_and_their_number_is_bounded() {
    let world = World::company(NOW);
    world.server.serve("/blog", page("<link rel=alternate type='application/rss+xml' href='/dead.xml'>"));
    world.server.serve("/rss.xml", Answer::ok(bulletins()));
    world.config();
    let found = probed(&world, &world.server.url("/blog"));
    assert!(found.is_good());
    assert_eq!(found.reading.unwrap().url.path(), "/rss.xml");
    assert_eq!(
        targets(&world.server),
        ["/blog", "/dead.xml", "/blog/feed", "/blog/index.xml", "/blog/rss.xml", "/feed", "/rss.xml"]
    );
    let link = |n: usize| format!("<link rel=alternate type='application/rss+xml' href='/{n}'>");
    let many = (0..50).map(link).collect::<Vec<_>>().concat();
    world.server.serve("/many", page(&many));
    let before = targets(&world.server).len();
    let lost = probed(&world, &world.server.url("/many"));
    assert!(!lost.is_good() && lost.tries.len() == MOST_TRIES);
    assert_eq!(targets(&world.server).len() - before, MOST_TRIES);
    assert_eq!(lost.trouble().unwrap().said, "this is a web page, not a feed (\"News\")");
}

#[test]
fn behind_an_address_that_is_gone_the_site_is_asked_for_its_feed() {
    let world = World::company(NOW).feed("old", "");
    world.server.serve("/", page("<a href='/new/rss.xml'>News</a>"));
    world.server.serve("/new/rss.xml", Answer::ok(bulletins()));
    world.config();
    let root = world.root.path();
    let by_address = said(root, &["feeds", "test", &world.server.url("/older")]);
    assert!(
        by_address.starts_with("found     ") && by_address.contains("/new/rss.xml (a link on the page)"),
        "{by_address}"
    );
    let told = said(root, &["feeds", "test", "old"]);
    assert!(
        told.starts_with("cannot be read: not found (404)\n"),
        "a configured feed is judged at its address: {told}"
    );
    assert!(by_address.contains("/older: not found (404)\n"), "{by_address}");
    assert!(told.contains("\ninstead   ") && told.contains("/new/rss.xml"), "{told}");
    assert_eq!(tested(root, "old")["ok"], false);
}

#[test]
fn a_feed_that_moved_for_good_is_to_be_written_at_its_new_address() {
    let world = World::company(NOW);
    world.server.serve("/old", Answer::redirect(301, "/mid"));
    world.server.serve("/mid", Answer::redirect(308, "/new"));
    world.server.serve("/for-now", Answer::redirect(302, "/new"));
    world.server.serve("/new", Answer::ok(bulletins()));
    world.config();
    let root = world.root.path();
    let told = said(root, &["feeds", "test", &world.server.url("/old")]);
    let new = world.server.url("/new");
    assert!(told.contains(&format!("address   moved for good to {new}: write this address\n")), "{told}");
    assert!(told.contains(&format!("\nurl = \"{new}\"\n")), "{told}");
    let for_now = tested(root, &world.server.url("/for-now"));
    assert_eq!((&for_now["url"], &for_now["moved_permanently"]), (&world.server.url("/for-now").into(), &false.into()));
    assert_eq!(for_now["answered_by"], new);
}

#[test]
fn what_follows_a_number_sign_is_no_redirect_and_is_not_written() {
    let world = World::company(NOW);
    world.answer("bulletins", Answer::ok(bulletins()));
    world.config();
    let url = world.server.url("/bulletins");
    let told = said(world.root.path(), &["feeds", "test", &format!("{url}#latest")]);
    assert!(!told.contains("\naddress ") && told.contains(&format!("\nurl = \"{url}\"\n")), "{told}");
}

#[test]
fn a_feed_of_the_file_is_tested_where_it_moved_to_and_said_to_stand_as_it_does() {
    let mut world = World::company(NOW).feed("cert", "");
    world.publish("cert", &bulletins());
    world.tick();
    world.server.serve("/new", Answer::ok(bulletins()));
    let new = world.server.url("/new");
    let database = rusqlite::Connection::open(world.state().join(sigtrail::store::DATABASE)).unwrap();
    database.execute("UPDATE feed_state SET moved_to = ?1", [&new]).unwrap();
    let root = world.root.path();
    let told = said(root, &["feeds", "test", "cert"]);
    assert!(told.contains("polls     ok since ") && told.contains("its own interval of 1h\n"), "{told}");
    assert!(
        told.contains(&format!("moved     asked at {new}; feeds.toml says {}\n", world.server.url("/cert"))),
        "{told}"
    );
    let line = tested(root, "cert");
    assert_eq!((&line["url"], &line["ok"], &line["standing"]["state"]), (&new.into(), &true.into(), &"ok".into()));
    assert_eq!(world.server.requests("/cert").len(), 1, "only the poll asked there");
}

#[test]
fn what_a_publisher_wishes_by_expires_and_skipped_hours_is_said() {
    let world = World::company(NOW);
    let skips = "<skipHours><hour>0</hour><hour>1</hour></skipHours><skipDays><day>Sunday</day></skipDays><item>";
    let answer = Answer::ok(bulletins().replacen("<item>", skips, 1))
        .header("Date", "Fri, 20 Nov 2026 07:00:00 GMT")
        .header("Expires", "Fri, 20 Nov 2026 19:00:00 GMT");
    world.answer("bulletins", answer);
    world.config();
    let told = said(world.root.path(), &["feeds", "test", &world.server.url("/bulletins")]);
    assert!(told.contains("wishes    the publisher asks for 12 h (Expires) between two polls"), "{told}");
    assert!(
        told.contains("skips     the publisher does not want to be asked at 0, 1 o'clock and on Sunday (GMT)"),
        "{told}"
    );
}

#[test]
fn what_a_test_proposes_is_what_an_add_writes() {
    let world = World::at(NOW).owner("maria", "Maria Lopez", "").settings("min_interval = \"6h\"\nevery = \"8h\"");
    world.server.serve("/quillgate.xml", Answer::ok(bulletins().replace("<title>Sample</title>", "")));
    world.config();
    let root = world.root.path();
    let url = world.server.url("/quillgate.xml");
    let proposed = tested(root, &url)["toml"].as_str().unwrap().to_owned();
    let output = sigtrail(root, &["feeds", "add", &url]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_to_string(root.join("feeds.toml")).unwrap(), proposed);
    // A source of the catalogue is one by its address, too, and nothing is asked more often than may be.
    fs::write(root.join("feeds.toml"), "").unwrap();
    let output = sigtrail(
        root,
        &["feeds", "add", "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("the catalogue has it as cisa-kev: "), "{output:?}");
    let by_address = fs::read_to_string(root.join("feeds.toml")).unwrap();
    fs::write(root.join("feeds.toml"), "").unwrap();
    assert_eq!(sigtrail(root, &["feeds", "add", "cisa-kev"]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(root.join("feeds.toml")).unwrap(), by_address);
    assert!(by_address.contains("[[group]]\nid = \"cisa\"\n"), "{by_address}");
    let often =
        sigtrail::catalogue::all().iter().find(|one| one.url.is_some() && one.every.as_deref() == Some("2h")).unwrap();
    assert_eq!(sigtrail(root, &["feeds", "add", &often.id]).status.code(), Some(0));
    assert!(fs::read_to_string(root.join("feeds.toml")).unwrap().contains("every = \"6h\"\n"));
}

#[test]
fn what_is_to_be_written_passes_the_check() {
    let world = World::company(NOW);
    let hostile = "Say \"no\" \\ to 'quotes' &amp; \u{202e}tricks \u{7}= [[feed]]";
    world
        .server
        .serve("/a", Answer::ok(bulletins().replace("<title>Sample</title>", &format!("<title>{hostile}</title>"))));
    world.server.serve("/b", Answer::ok(bulletins().replace("<title>Sample</title>", "<title>伟大</title>")));
    world.server.serve("/c", Answer::ok(bulletins().replace("<title>Sample</title>", "")));
    world.config();
    let root = world.root.path();
    let mut feeds = String::new();
    for path in ["/a", "/b", "/c", "/a?again"] {
        world.server.serve("/a?again", Answer::ok(bulletins()));
        fs::write(root.join("feeds.toml"), &feeds).unwrap();
        feeds.push_str(tested(root, &world.server.url(path))["toml"].as_str().unwrap());
        fs::write(root.join("feeds.toml"), &feeds).unwrap();
        let output = sigtrail(root, &["check"]);
        assert_eq!(output.status.code(), Some(0), "{feeds}\n{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(feeds.matches("[[feed]]\n").count(), 4, "{feeds}");
    let known = tested(root, &world.server.url("/b"));
    assert_eq!((&known["toml"], known["feed"].is_string()), (&Value::Null, true), "it is in the file by now");
}

#[test]
fn h_23_a_page_cannot_send_the_test_to_an_address_that_is_not_public() {
    let world = World::company(NOW);
    let (server, canary) = FeedServer::with_canary();
    let forbidden = format!("http://127.0.0.1:{}/feed.xml", canary.port());
    server.serve("/page", page(&format!("<link rel=alternate type='application/rss+xml' href='{forbidden}'>")));
    server.serve("/hop", Answer::redirect(302, &forbidden));
    world.config();
    for url in [server.url("/page"), server.url("/hop"), forbidden] {
        let found = probed(&world, &url);
        assert!(!found.is_good(), "{url}");
        assert!(found.tries.iter().any(|one| one.said.contains("not public")), "{url}: {:?}", found.tries);
    }
    assert_eq!(canary.hits(), 0);
}

#[test]
fn a_document_that_is_cut_or_empty_is_said_to_be_so() {
    let world = World::company(NOW).feed("cut", "").feed("empty", "");
    let whole = bulletins();
    world.answer("cut", Answer::ok(whole.get(..whole.len() - 200).unwrap()).etag("\"1\""));
    world.answer("empty", Answer::ok(rss(&[])));
    world.config();
    let root = world.root.path();
    let cut = said(root, &["feeds", "test", "cut"]);
    assert!(cut.contains("\npartial   ") && cut.contains("manners   ETag, which is not kept while"), "{cut}");
    let empty = tested(root, "empty");
    assert_eq!((&empty["ok"], &empty["entries"]), (&true.into(), &0.into()));
    assert!(empty["remarks"][0].as_str().unwrap().starts_with("it has no entries at all"), "{empty}");
}

#[test]
fn the_catalogue_needs_no_configuration_and_every_line_of_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let all = said(folder.path(), &["feeds", "catalogue", "--json"]);
    assert!(all.lines().count() >= 60);
    for line in all.lines() {
        let listed: Value = serde_json::from_str(line).unwrap();
        for key in ["id", "name", "group_id", "group_name", "kind", "reason", "about", "format", "status"] {
            assert!(listed[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {line}");
        }
    }
    let kev = said(folder.path(), &["feeds", "catalogue", "known", "EXPLOITED", "cisa"]);
    assert!(kev.contains("cisa-kev"), "{kev}");
    assert!(said(folder.path(), &["feeds", "catalogue", "frobnicate"]).starts_with("no source with `frobnicate`"));
}

#[test]
fn every_real_document_of_the_corpus_passes_the_test() {
    let Some(folder) = corpus("every_real_document_of_the_corpus_passes_the_test") else { return };
    let real = folder.join("real");
    let list = fs::read_to_string(real.join("MANIFEST.tsv")).unwrap();
    let series = fs::read_to_string(real.join("series.jsonl")).unwrap();
    let steps = series.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let broken: Vec<String> =
        steps.filter(|step| step.get("invalid").is_some()).map(|step| step["newer"].as_str().unwrap().into()).collect();
    let world = World::company(NOW);
    world.config();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for line in list.lines().skip(1) {
        let [file, _, _, kind, _, entries, ..] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if !["feed", "kev-json", "rolie-json"].contains(&kind) {
            continue;
        }
        count += 1;
        let name = file.rsplit('/').next().unwrap();
        let path = format!("/{count}");
        world.server.serve(&path, Answer::ok(fs::read(real.join(name)).unwrap()));
        let found = if count % 20 == 0 {
            let line = tested(world.root.path(), &world.server.url(&path));
            (line["ok"] == true, line["entries"].as_u64().unwrap_or(0).to_string())
        } else {
            let found = probed(&world, &world.server.url(&path));
            let number = found.outlook.as_ref().map_or(0, |outlook| outlook.entries);
            (found.is_good(), number.to_string())
        };
        let is_broken = broken.iter().any(|one| one.rsplit('/').next() == Some(name));
        if !found.0 || (found.1 != entries && !is_broken) {
            wrong.push(format!("{name}: {found:?}, {entries} entries"));
        }
    }
    println!("{count} documents");
    assert!(count > 50 && wrong.is_empty(), "{}", wrong.join("\n"));
}
