//! Feeds that move: permanent redirects that are followed for now, taken for good, or left to a person; and what becomes of
//! a feed's history when an editor gives it another address or name, drops it, and takes it up again.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    sync::{Arc, Mutex},
};

use clap::Parser as _;
use jiff::SignedDuration;
use sigtrail::{
    cli::{self, Place, args::Args},
    fetch::{Fetcher, Resolver},
    jobs::{self, Context, TickReport},
    model::feed::{FeedState, FeedStatus},
    moves::Kind,
};

use crate::{
    fetch_tls::{Authority, TlsServer, accept, server_config},
    harness::{
        feed_server::{Answer, FeedServer},
        world::{World, rss},
    },
};

const HALF_A_DAY: SignedDuration = SignedDuration::from_hours(13);

fn document(number: usize) -> String {
    let items: Vec<(String, String)> =
        (1..=number).rev().map(|n| (format!("Advisory {n} for Quillgate"), format!("a{n}"))).collect();
    rss(&items.iter().map(|(title, path)| (title.as_str(), path.as_str(), "Text.")).collect::<Vec<_>>())
}

/// A publisher behind TLS: documents by path, each with an `ETag`, and the heads of the requests.
struct Secure {
    server: TlsServer,
    documents: Arc<Mutex<HashMap<String, String>>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Secure {
    fn start(authority: &Authority, names: &str) -> Secure {
        let config = Arc::new(server_config(authority.certify(names, (2020, 4_000))));
        let (documents, heads) = (Arc::new(Mutex::new(HashMap::new())), Arc::new(Mutex::new(Vec::new())));
        let server = TlsServer::answering({
            let (documents, heads) = (Arc::clone(&documents), Arc::clone(&heads));
            move |stream| {
                let mut stream = accept(&config, stream);
                let (mut head, mut piece) = (Vec::new(), [0; 4_096]);
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut piece) {
                        Ok(read @ 1..) => head.extend_from_slice(&piece[..read]),
                        _ => return,
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default();
                let answer = answer(&head, documents.lock().unwrap().get(path));
                heads.lock().unwrap().push(head);
                let _sent = stream.write_all(answer.as_bytes());
                stream.conn.send_close_notify();
                let _flushed = stream.flush();
            }
        });
        Secure { server, documents, heads }
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.server.address.port())
    }

    fn publish(&self, path: &str, document: String) {
        self.documents.lock().unwrap().insert(path.to_owned(), document);
    }

    fn withdraw(&self, path: &str) {
        self.documents.lock().unwrap().remove(path);
    }

    /// Whether each request so far was conditional.
    fn conditional(&self) -> Vec<bool> {
        self.heads.lock().unwrap().iter().map(|head| head.to_ascii_lowercase().contains("if-none-match")).collect()
    }
}

fn answer(head: &str, document: Option<&String>) -> String {
    let Some(document) = document else {
        return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned();
    };
    let etag = format!("\"{}\"", document.len());
    if head.contains(&etag) {
        return format!("HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\nConnection: close\r\n\r\n");
    }
    let length = document.len();
    format!("HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{document}")
}

/// A world in which every name leads to the stand-in for a public address, with one feed at `feeds.tarn.example`.
struct Site {
    world: World,
    authority: Authority,
}

impl Site {
    fn new() -> Site {
        let mut world = World::company("2026-11-20T07:00:00Z").feed("tarn", "");
        let named = world.server.url_at("feeds.tarn.example", "/tarn");
        let numeric = world.server.url("/tarn");
        world.edit("feeds", &numeric, &named);
        Site { world, authority: Authority::new() }
    }

    fn context(&mut self) -> Context {
        let mut context = self.world.context();
        let resolver = Resolver::table(|_| vec!["127.0.0.2".parse().unwrap()]);
        let (fetch, clock) = (context.config.fetch.clone(), context.clock.clone());
        context.fetcher = Fetcher::with_roots(&fetch, clock, resolver, self.authority.roots()).unwrap();
        context
    }

    fn tick(&mut self) -> TickReport {
        let context = self.context();
        jobs::tick(&context, &mut |_| {}).unwrap()
    }

    /// So many ticks, half a day and an hour apart; the moves that they saw.
    fn ticks(&mut self, number: usize) -> Vec<Option<Kind>> {
        let mut kinds = Vec::new();
        for _ in 0..number {
            let report = self.tick();
            assert_eq!(report.poll.feeds.len(), 1);
            kinds.push(report.poll.feeds[0].moved.as_ref().map(|step| step.kind));
            self.world.wait(HALF_A_DAY);
        }
        kinds
    }

    fn status(&mut self) -> FeedStatus {
        self.world.context().store.read(|read| read.feeds()).unwrap().remove(0)
    }

    fn steps(&mut self) -> Vec<String> {
        let records = self.world.records_of("feed-moved");
        records.iter().map(|record| record["fields"]["step"].as_str().unwrap().to_owned()).collect()
    }

    fn check(&self, json: bool) -> String {
        let root = self.world.root.path().to_str().unwrap();
        let args = Args::try_parse_from(["sigtrail", "--root", root, "check"]).unwrap();
        let (mut out, now) = (Vec::new(), self.world.clock.now());
        assert_eq!(cli::check::run_at(&Place::of(&args), now, json, false, &mut out).unwrap(), 0);
        String::from_utf8(out).unwrap()
    }

    /// Mails that Maria got and that hold this text.
    fn told(&self, text: &str) -> usize {
        self.world.mailbox("maria").iter().filter(|mail| mail.replace('\n', " ").contains(text)).count()
    }
}

#[test]
fn p_11_a_permanent_redirect_is_followed_and_once_changes_no_address() {
    for status in [301, 308] {
        let mut site = Site::new();
        let to = site.world.server.url_at("www.tarn.example", "/new");
        site.world.answer("tarn", Answer::redirect(status, &to));
        site.world.publish("new", &document(3));
        let report = site.tick();
        assert_eq!(report.poll.sum(|applied| applied.new), 3);
        let seen = report.poll.feeds[0].moved.clone().unwrap();
        assert_eq!((seen.kind, seen.to.as_str()), (Kind::Seen, to.as_str()), "what the log says");
        assert_eq!(site.world.records_of("poll")[0]["fields"]["url"], to.as_str(), "what the evidence says");
        assert!(site.steps().is_empty());
        let feed = site.status();
        assert_eq!((feed.state, feed.moved_to, feed.moving.unwrap().times), (FeedState::Ok, None, 1));
        site.world.answer("tarn", Answer::ok(document(3)));
        site.world.wait(HALF_A_DAY);
        site.tick();
        assert_eq!(site.status().moving, None, "it was a slip");
        assert_eq!(site.world.server.requests("/tarn").len(), 2);
    }
}

#[test]
fn p_12_three_equal_permanent_redirects_over_a_day_on_one_site_give_the_feed_its_new_address() {
    let mut site = Site::new();
    let secure = Secure::start(&site.authority, "*.tarn.example");
    let new = secure.url("www.tarn.example", "/feed");
    secure.publish("/feed", document(4));
    site.world.answer("tarn", Answer::redirect(301, &new));
    assert_eq!(site.ticks(3), [Some(Kind::Seen), None, Some(Kind::Followed)]);
    assert_eq!(site.status().moved_to.as_deref(), Some(new.as_str()));
    let record = site.world.records_of("feed-moved").remove(0)["fields"].clone();
    assert_eq!(
        (&record["step"], &record["to"], &record["times"]),
        (&"followed".into(), &new.as_str().into(), &3.into())
    );
    // From now on only the new address is asked, with what it gave before, also after a restart.
    site.world.restart();
    assert_eq!(site.ticks(2), [None, None]);
    assert_eq!(site.world.server.requests("/tarn").len(), 3);
    assert_eq!(secure.conditional(), [false, true, true, true, true]);
    // The owner hears of it once, with the next digest that goes out anyway.
    assert_eq!(site.told("moved and is asked"), 0);
    secure.publish("/feed", document(5));
    site.ticks(8);
    assert_eq!((site.told(&new), site.told("Advisory 5")), (1, 1));
    let shown = site.check(false);
    let place = "warning: feed `tarn` moved\n  --> feeds.toml:4:7\n";
    assert!(shown.contains(place) && shown.contains(&format!("write url = \"{new}\"")), "{shown}");
}

#[test]
fn p_12_the_new_address_in_the_file_settles_the_move_and_another_one_ends_it() {
    for settles in [true, false] {
        let mut site = Site::new();
        let secure = Secure::start(&site.authority, "*.tarn.example");
        let new = secure.url("www.tarn.example", "/feed");
        secure.publish("/feed", document(4));
        secure.publish("/other", document(4));
        let old = site.world.server.url_at("feeds.tarn.example", "/tarn");
        site.world.answer("tarn", Answer::redirect(301, &new));
        site.ticks(3);
        let to = if settles { new } else { secure.url("www.tarn.example", "/other") };
        site.world.edit("feeds", &old, &to);
        site.world.config();
        let shown = site.check(false);
        assert!(shown.contains("reload would: url of 1 feed changed (tarn)"), "{shown}");
        assert!(!shown.contains("warning"), "{shown}");
        site.world.restart();
        let ended = if settles { "agreed" } else { "dropped" };
        assert_eq!((site.status().moved_to, site.steps()), (None, vec!["followed".to_owned(), ended.to_owned()]));
        site.world.wait(HALF_A_DAY);
        let report = site.tick();
        assert_eq!(report.poll.sum(|applied| applied.new), 0, "its history stays");
        assert_eq!(report.poll.feeds[0].not_modified, settles, "validators belong to an address");
        assert!(site.check(false).contains("this is configuration 2, the one that was loaded last"));
    }
}

#[test]
fn p_12_a_new_address_that_stops_giving_the_feed_is_left_for_the_configured_one() {
    let mut site = Site::new();
    let secure = Secure::start(&site.authority, "*.tarn.example");
    let new = secure.url("www.tarn.example", "/feed");
    secure.publish("/feed", document(4));
    site.world.answer("tarn", Answer::redirect(301, &new));
    site.ticks(3);
    secure.withdraw("/feed");
    site.world.answer("tarn", Answer::ok(document(5)));
    for _ in 0..8 {
        site.tick();
        site.world.wait(HALF_A_DAY * 2);
    }
    let feed = site.status();
    assert_eq!((feed.state, feed.moved_to, feed.moving), (FeedState::Ok, None, None));
    assert_eq!(site.steps(), ["followed", "dropped"]);
    assert_eq!(site.world.stories().len(), 5, "what was missed arrives");
}

#[test]
fn p_12_an_empty_document_at_the_new_address_proves_nothing() {
    let mut site = Site::new();
    let secure = Secure::start(&site.authority, "*.tarn.example");
    site.world.answer("tarn", Answer::ok(document(12)));
    site.ticks(1);
    site.world.answer("tarn", Answer::redirect(301, secure.url("www.tarn.example", "/feed")));
    for day in 0..6 {
        secure.publish("/feed", format!("{}<!--{}-->", rss(&[]), " ".repeat(day)));
        site.tick();
        site.world.wait(HALF_A_DAY * 2);
    }
    let feed = site.status();
    assert_eq!((feed.moved_to, feed.moving), (None, None));
}

#[test]
fn p_13_a_move_to_another_site_is_polled_through_and_a_person_is_asked_once() {
    let mut site = Site::new();
    let other = FeedServer::start();
    let new = other.url_at("news.marrow.example", "/feed");
    other.serve("/feed", Answer::ok(document(4)).etag("\"4\""));
    site.world.answer("tarn", Answer::redirect(308, &new));
    assert_eq!(site.ticks(3), [Some(Kind::Seen), None, Some(Kind::Asked)]);
    assert_eq!(site.steps(), ["asked"]);
    let record = site.world.records_of("feed-moved").remove(0)["fields"].clone();
    assert!(record["reason"].as_str().unwrap().contains("another site, news.marrow.example"), "{record}");
    let mails = site.world.mailbox("maria").len();
    assert_eq!(site.ticks(16), [None; 16]);
    assert_eq!(site.told(&new), 1, "the question goes out with nothing else to tell, and once");
    assert_eq!(site.world.mailbox("maria").len(), mails + 1, "it does not nag");
    let feed = site.status();
    assert_eq!((feed.state, &feed.moved_to), (FeedState::Ok, &None));
    assert_eq!(site.world.server.requests("/tarn").len(), 19, "each poll goes by the configured address");
    other.serve("/feed", Answer::ok(document(5)).etag("\"5\""));
    assert_eq!(site.tick().poll.sum(|applied| applied.new), 1, "and is read where it leads");
    let shown = site.check(false);
    assert!(
        shown.contains("feed `tarn` moves, and a person has to agree") && shown.contains("another site"),
        "{shown}"
    );
    let lines: Vec<serde_json::Value> =
        site.check(true).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["severity"], &lines[0]["line"]), (&"warning".into(), &4.into()));
    assert_eq!(lines.last().unwrap()["loaded"], 1);
}

#[test]
fn p_13_the_proposed_address_in_the_file_is_the_answer() {
    let mut site = Site::new();
    let other = FeedServer::start();
    let new = other.url_at("news.marrow.example", "/feed");
    other.serve("/feed", Answer::ok(document(4)).etag("\"4\""));
    let old = site.world.server.url_at("feeds.tarn.example", "/tarn");
    site.world.answer("tarn", Answer::redirect(301, &new));
    site.ticks(4);
    site.world.edit("feeds", &old, &new);
    site.world.restart();
    assert_eq!(site.steps(), ["asked", "agreed"]);
    let report = site.tick();
    assert!(report.poll.feeds[0].not_modified, "what it gave last came from there");
    assert_eq!(site.world.server.requests("/tarn").len(), 4);
    assert_eq!(site.status().moving, None);
    site.world.wait(HALF_A_DAY);
    site.ticks(8);
    assert_eq!(site.told("redirects it for good"), 0, "it was answered before the digest's hour");
}

#[test]
fn p_13_what_to_do_stands_before_an_address_however_long_and_status_asks_as_well() {
    let mut site = Site::new();
    let other = FeedServer::start();
    let path = format!("/{}", "feed".repeat(120));
    other.serve(&path, Answer::ok(document(4)).etag("\"4\""));
    site.world.answer("tarn", Answer::redirect(301, other.url_at("news.marrow.example", &path)));
    site.ticks(8);
    assert_eq!(site.told("if that is right, write this address in feeds.toml: "), 1);
    let context = site.world.context();
    let found = context.store.read(|read| jobs::status::status(read, &context.config, context.now())).unwrap();
    let asked = found.attention.iter().find(|one| one.reason.as_str() == "move-asked").unwrap();
    assert_eq!(asked.subject, "tarn");
    assert!(asked.text.contains("another site, news.marrow.example") && asked.text.ends_with(&path), "{}", asked.text);
}

#[test]
fn p_13_the_owner_of_the_group_is_asked_as_of_its_health_and_of_a_closed_feed_without_the_address() {
    let group = "group = \"certs\"\n[[group]]\nid = \"certs\"\nname = \"Certs\"\nowner = \"jon\"\nreason = \"first\"";
    for is_closed in [false, true] {
        let mut site = Site::new();
        let label = if is_closed { "tlp = \"RED\"\n" } else { "" };
        site.world.edit("feeds", "owner = \"maria\"", &format!("owner = \"maria\"\n{label}{group}"));
        let other = FeedServer::start();
        let new = other.url_at("news.marrow.example", "/feed?key=a-secret");
        other.serve("/feed?key=a-secret", Answer::ok(document(4)).etag("\"4\""));
        site.world.answer("tarn", Answer::redirect(301, &new));
        site.ticks(8);
        assert_eq!(site.told("redirects it for good"), 0, "Maria is not who answers for the group");
        let mails = site.world.mailbox("jon").concat().replace('\n', " ");
        assert_eq!(mails.matches("redirects it for good").count(), 1, "{mails}");
        assert_eq!(mails.contains("a-secret"), !is_closed, "{mails}");
    }
}

#[test]
fn p_13_a_question_in_a_mail_that_nobody_got_is_asked_again() {
    let mut site = Site::new();
    let other = FeedServer::start();
    let new = other.url_at("news.marrow.example", "/feed");
    other.serve("/feed", Answer::ok(document(4)).etag("\"4\""));
    site.world.answer("tarn", Answer::redirect(301, &new));
    site.ticks(8);
    assert_eq!(site.told(&new), 1);
    let path = site.world.state().join(sigtrail::store::DATABASE);
    let told =
        "UPDATE delivery_state SET state = 'rejected' WHERE delivery = (SELECT max(delivery) FROM delivery_state)";
    rusqlite::Connection::open(path).unwrap().execute(told, []).unwrap();
    site.ticks(4);
    assert_eq!(site.told(&new), 2);
}

#[test]
fn p_14_temporary_redirects_are_followed_for_ever_and_never_stored() {
    let mut site = Site::new();
    let secure = Secure::start(&site.authority, "*.tarn.example");
    let new = secure.url("www.tarn.example", "/feed");
    secure.publish("/feed", document(4));
    let between = site.world.server.url_at("feeds.tarn.example", "/between");
    site.world.server.serve("/between", Answer::redirect(302, &new));
    let ways = [(302, &new), (303, &new), (307, &new), (301, &between), (308, &between)];
    for (status, to) in ways {
        site.world.answer("tarn", Answer::redirect(status, to));
        assert_eq!(site.ticks(12), [None; 12], "{status}");
        let feed = site.status();
        assert_eq!((feed.state, feed.moved_to, feed.moving), (FeedState::Ok, None, None), "{status}");
    }
    assert!(site.steps().is_empty());
    assert_eq!(site.world.server.requests("/tarn").len(), 60);
}

#[test]
fn a_feed_that_was_renamed_at_its_new_address_keeps_its_history() {
    let mut site = Site::new();
    let secure = Secure::start(&site.authority, "*.tarn.example");
    let new = secure.url("www.tarn.example", "/feed");
    secure.publish("/feed", document(4));
    let old = site.world.server.url_at("feeds.tarn.example", "/tarn");
    site.world.answer("tarn", Answer::redirect(301, &new));
    site.ticks(3);
    site.world.edit("feeds", &old, &new);
    site.world.edit("feeds", "id = \"tarn\"", "id = \"tarn-cert\"");
    site.world.restart();
    assert_eq!(site.world.records_of("feed-renamed").len(), 1);
    assert_eq!(site.tick().poll.sum(|applied| applied.new), 0);
    assert_eq!(site.world.records_of("baseline").len(), 1);
}

#[test]
fn a_feed_that_is_dropped_keeps_everything_and_goes_on_where_it_was() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("tarn", "").feed("marrow", "");
    world.publish("tarn", &document(12));
    world.publish("marrow", &rss(&[("Of no interest", "m1", "Text.")]));
    world.tick();
    let (url, stories) = (world.server.url("/tarn"), world.stories());
    let table = format!("[[feed]]\nid = \"tarn\"\nname = \"Tarn\"\nurl = \"{url}\"\nowner = \"maria\"\n\n");
    world.edit("feeds", &table, "");
    world.restart();
    let changes = world.records_of("configuration-loaded")[1]["fields"]["changes"].clone();
    assert_eq!(changes, serde_json::json!({"feeds": {"dropped": ["tarn"]}}));
    world.wait(HALF_A_DAY * 20);
    assert_eq!(world.tick().poll.feeds.len(), 1, "it is not asked");
    assert_eq!(world.stories(), stories, "entries, tags and assignments are as they were");
    let records = world.records();
    world.publish("tarn", &document(14));
    world.edit("feeds", "[[feed]]\nid = \"marrow\"", &format!("{table}[[feed]]\nid = \"marrow\""));
    world.restart();
    let report = world.tick();
    let tarn = report.poll.feeds.iter().find(|feed| feed.feed.as_str() == "tarn").unwrap();
    assert_eq!(
        (tarn.applied.new, tarn.applied.baseline, tarn.applied.assigned),
        (2, 0, 2),
        "what came meanwhile is news"
    );
    assert_eq!(world.records()[..records.len()], records);
}

/// The entries that a feed has brought, by the name that it has now.
fn titles(world: &mut World, id: &str) -> Vec<String> {
    let path = world.state().join(sigtrail::store::DATABASE);
    let database = rusqlite::Connection::open(path).unwrap();
    let sql = "SELECT title FROM revision JOIN entry ON entry.no = revision.entry JOIN feed ON feed.no = entry.feed
               WHERE feed.id = ?1 ORDER BY title";
    let mut query = database.prepare(sql).unwrap();
    query.query_map([id], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_feed_that_returns_at_another_address_begins_with_a_baseline_and_its_owner_is_told() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("tarn", "");
    world.publish("tarn", &document(4));
    world.tick();
    world.wait(HALF_A_DAY);
    world.tick();
    assert_eq!(world.mailbox("maria").len(), 1);
    let there = world.server.url("/tarn");
    let table = format!("[[feed]]\nid = \"tarn\"\nname = \"Tarn\"\nurl = \"{there}\"\nowner = \"maria\"\n");
    world.edit("feeds", &table, "");
    world.restart();
    world.tick();
    // Somebody else's feed gets the name that is free again.
    let elsewhere = world.server.url("/elsewhere");
    let items: Vec<String> = (0..10).map(|n| format!("Old bulletin {n} of Quillgate")).collect();
    let items: Vec<(&str, &str, &str)> = items.iter().map(|title| (title.as_str(), title.as_str(), "x")).collect();
    world.publish("elsewhere", &rss(&items));
    world.add_feed("tarn", "");
    world.edit("feeds", &there, &elsewhere);
    world.restart();
    let report = world.tick();
    assert_eq!(
        report.poll.sum(|applied| applied.assigned),
        3,
        "the newest of a baseline, and nothing else of what was there before us"
    );
    assert_eq!(report.poll.sum(|applied| applied.baseline), 7);
    assert_eq!(titles(&mut world, "tarn").len(), 14, "what the name brought before stays");
    world.wait(HALF_A_DAY * 6);
    world.tick();
    let mail = world.mailbox("maria").pop().unwrap();
    assert!(mail.contains("Tarn") && mail.contains('7'), "{mail}");
    assert_eq!(mail.matches("Old bulletin").count(), 3, "{mail}");
}

#[test]
fn a_feed_that_is_followed_all_the_time_keeps_its_history_at_another_address() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("tarn", "");
    world.publish("tarn", &document(12));
    world.publish("new", &document(13));
    world.tick();
    let (old, new) = (world.server.url("/tarn"), world.server.url("/new"));
    world.edit("feeds", &old, &new);
    world.restart();
    let report = world.tick();
    assert_eq!((report.poll.sum(|applied| applied.new), report.poll.sum(|applied| applied.assigned)), (1, 1));
    assert_eq!(world.records_of("baseline").len(), 1);
}

#[test]
fn two_feeds_that_swap_their_names_keep_what_each_address_brought() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("tarn", "").feed("marrow", "");
    world.publish("tarn", &document(5));
    world.publish("marrow", &rss(&[("Of no interest", "m1", "Text.")]));
    world.tick();
    let (tarn, marrow) = (world.server.url("/tarn"), world.server.url("/marrow"));
    for (from, to) in [(&*tarn, "between"), (&*marrow, &*tarn), ("between", &*marrow)] {
        world.edit("feeds", &format!("url = \"{from}\""), &format!("url = \"{to}\""));
    }
    world.restart();
    let renamed: Vec<_> = world.records_of("feed-renamed").into_iter().map(|record| record["fields"].clone()).collect();
    let pairs: Vec<_> =
        renamed.iter().map(|one| (one["from"].as_str().unwrap(), one["to"].as_str().unwrap())).collect();
    assert_eq!(pairs, [("tarn", "marrow"), ("marrow", "tarn")]);
    assert_eq!((titles(&mut world, "tarn").len(), titles(&mut world, "marrow").len()), (1, 5));
    world.wait(HALF_A_DAY);
    let report = world.tick();
    assert_eq!((report.poll.feeds.len(), report.poll.sum(|applied| applied.new)), (2, 0), "nothing of it is news");
}

#[test]
fn a_renamed_feed_keeps_its_history_when_its_old_name_goes_to_a_new_one() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("tarn", "");
    world.publish("tarn", &document(5));
    world.publish("new", &rss(&[("Quillgate at last", "q1", "x"), ("Quillgate before", "q0", "x")]));
    world.tick();
    let (old, new) = (world.server.url("/tarn"), world.server.url("/new"));
    world.edit("feeds", "id = \"tarn\"", "id = \"tarn-cert\"");
    world.add_feed("tarn", "baseline = 0");
    world.edit(
        "feeds",
        &format!("name = \"Tarn\"\nurl = \"{old}\"\nowner = \"maria\"\nbaseline"),
        &format!("name = \"Tarn\"\nurl = \"{new}\"\nowner = \"maria\"\nbaseline"),
    );
    world.restart();
    assert_eq!((titles(&mut world, "tarn-cert").len(), titles(&mut world, "tarn").len()), (5, 0));
    world.wait(HALF_A_DAY);
    let report = world.tick();
    assert_eq!((report.poll.sum(|applied| applied.new), report.poll.sum(|applied| applied.assigned)), (2, 0));
    assert_eq!(world.records_of("feed-renamed").len(), 1);
}
