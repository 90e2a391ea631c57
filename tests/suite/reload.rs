//! An editor at work on the four files while the real program runs: what is put in force, what is refused, what is said
//! and recorded of it, and that no feed loses its history.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
};

use serde_json::{Value, json};

use super::config;
use crate::harness::{
    daemon::{CEILING, Daemon, Site, feed, wait_until},
    feed_server::{Answer, FeedServer},
    world::rss,
};

/// After so many broken configurations a feed is polled again; the page is asked after each.
const POLL_AFTER: usize = 15;

fn document(prefix: &str) -> String {
    rss(&[
        ("Quillgate VPN: a way in", &format!("{prefix}1"), "Update quillgate."),
        ("Other", &format!("{prefix}2"), "x"),
    ])
}

fn publisher(paths: &[&str]) -> FeedServer {
    let server = FeedServer::start();
    for path in paths {
        server.serve(path, Answer::ok(document(path)).etag(format!("\"{path}\"")));
    }
    server
}

/// Whether the acknowledgement page answers.
fn page_answers(daemon: &Daemon) -> bool {
    let mut page = TcpStream::connect(daemon.page()).unwrap();
    page.set_read_timeout(Some(CEILING)).unwrap();
    page.write_all(b"GET /a/nothing HTTP/1.1\r\nHost: sigtrail.example.com\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).unwrap();
    answer.starts_with("HTTP/1.1 4")
}

/// Makes every feed due and waits until this path was asked for once more, and the answer is stored.
fn poll_again(site: &Site, server: &FeedServer, path: &str) {
    let before = server.requests(path).len();
    site.number("UPDATE feed_state SET next_poll_at = 0 WHERE enabled = 1 RETURNING 1");
    wait_until("the feed is asked again", || server.requests(path).len() > before);
    wait_until("the answer is stored", || site.number("SELECT count(*) FROM feed_state WHERE attempt > 0") == 0);
}

/// The changes in the records of loaded configurations.
fn changes(site: &Site) -> Vec<Value> {
    let database = rusqlite::Connection::open(site.state().join("sigtrail.db")).unwrap();
    let mut query = database.prepare("SELECT bytes FROM record ORDER BY idx").unwrap();
    let rows = query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let records = rows.map(|bytes| serde_json::from_slice::<Value>(&bytes.unwrap()).unwrap());
    let loaded = records.filter(|record| record["kind"] == "configuration-loaded");
    loaded.map(|record| record["fields"]["changes"].clone()).collect()
}

fn last_status(daemon: &mut Daemon) -> String {
    daemon.told().into_iter().rfind(|line| line.starts_with("STATUS=")).unwrap_or_default()
}

fn check(site: &Site) -> String {
    let checked = site.command(&["check"]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    String::from_utf8(checked.stdout).unwrap()
}

#[test]
fn s_07_after_each_of_sixty_broken_configurations_the_old_one_works_and_a_good_one_is_applied() {
    let server = publisher(&["/a.xml", "/b.xml"]);
    let site = Site::new(&feed("one", &server.url("/a.xml")), "");
    let mut daemon = site.run();
    daemon.wait_for_line("poll: entries arrived");
    fs::write(site.path("smtp-password"), "not a real one").unwrap();
    fs::set_permissions(site.path("smtp-password"), fs::Permissions::from_mode(0o600)).unwrap();
    let names = ["feeds.toml", "config/owners.toml", "config/stack.toml", "config/sigtrail.toml"];
    let good = names.map(|name| (name, site.read(name)));
    let all = config::broken_configurations();
    assert!(all.len() >= 60, "{}", all.len());
    for (number, broken) in all.iter().enumerate() {
        for (name, text) in &broken.texts {
            site.write(name, text);
        }
        let read = daemon.log().len();
        daemon.reload();
        let said = daemon.log_from(read);
        let named = said.lines().find(|line| line.contains(" ERROR check: ") && line.contains(broken.file));
        let named = named.unwrap_or_else(|| panic!("{}: {said}", broken.message));
        // A message may quote what the log writes in another way.
        let words = broken.message.split(['`', '"', '\\', '\u{7f}']).next().unwrap_or_default();
        assert!(said.contains(words), "{}: {said}", broken.message);
        let place: Vec<&str> = named.split(broken.file).nth(1).unwrap_or_default().split(':').collect();
        assert!(place[1].parse::<usize>().is_ok() && place[2].parse::<usize>().is_ok(), "{named}");
        assert!(said.contains("ERROR reload: the old configuration stays"), "{}: {said}", broken.message);
        assert!(last_status(&mut daemon).contains("configuration 1; last reload REFUSED: "), "{}", broken.message);
        assert!(page_answers(&daemon), "{}", broken.message);
        if number % POLL_AFTER == 0 {
            poll_again(&site, &server, "/a.xml");
        }
    }
    assert_eq!(site.number("SELECT max(version) FROM configuration"), 1);
    for (name, text) in &good {
        site.write(name, text);
    }
    site.write("feeds.toml", &(site.read("feeds.toml") + &feed("two", &server.url("/b.xml"))));
    daemon.reload();
    wait_until("the new feed is asked", || !server.requests("/b.xml").is_empty());
    assert_eq!(changes(&site), [Value::Null, json!({"feeds": {"added": ["two"]}})]);
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
#[expect(clippy::too_many_lines, reason = "one day of an editor, told in its order")]
fn an_editor_adds_breaks_mends_renames_moves_and_drops_a_feed_while_the_daemon_runs() {
    let server = publisher(&["/a.xml", "/b.xml", "/c.xml"]);
    let site = Site::new(&feed("one", &server.url("/a.xml")), "");
    let mut daemon = site.run();
    daemon.wait_for_line("entries arrived");
    let entries = |id: &str| {
        site.number(&format!("SELECT count(*) FROM entry JOIN feed ON feed.no = entry.feed WHERE feed.id = '{id}'"))
    };
    assert!(check(&site).contains("this is configuration 1, the one that was loaded last"));

    // Adds: three lines and a reload.
    let (one, two) = (feed("one", &server.url("/a.xml")), feed("two", &server.url("/b.xml")));
    site.write("feeds.toml", &format!("{one}{two}"));
    assert!(check(&site).contains("reload would: +1 feed (two) (against configuration 1)"), "{}", check(&site));
    daemon.reload();
    daemon.wait_for_line("in force: +1 feed (two)");
    assert!(last_status(&mut daemon).contains("2 feeds, 1 owners, configuration 2; last reload: +1 feed (two)"));
    wait_until("its entries are there", || entries("two") == 2);

    // Breaks: nothing changes, and the other feeds go on.
    site.write("feeds.toml", &format!("{one}{}", two.replace("owner", "ownr")));
    daemon.reload();
    daemon.wait_for_line("feeds.toml:9:1: unknown key `ownr`");
    assert!(
        last_status(&mut daemon).contains("configuration 2; last reload REFUSED: 1 error, the first in feeds.toml")
    );
    assert!(page_answers(&daemon));
    poll_again(&site, &server, "/b.xml");

    // Mends: what is in force is what was.
    site.write("feeds.toml", &format!("{one}{two}"));
    daemon.reload();
    daemon.wait_for_line("in force: nothing changed");

    // Renames: the same feed under another name, with its history and its validators.
    let asked = server.requests("/b.xml").len();
    let renamed = two.replace("\"two\"", "\"Second feed\"");
    site.write("feeds.toml", &format!("{one}{renamed}"));
    daemon.reload();
    daemon.wait_for_line("in force: feed two renamed to second-feed");
    poll_again(&site, &server, "/b.xml");
    assert_eq!((entries("two"), entries("second-feed")), (0, 2));
    assert!(server.requests("/b.xml")[asked].header("if-none-match").is_some());

    // Gives the other one a new address under its identifier: asked there at once, without old validators.
    let moved = one.replace("/a.xml", "/c.xml");
    server.serve("/c.xml", Answer::ok(document("/a.xml")).etag("\"c\""));
    site.write("feeds.toml", &format!("{moved}{renamed}"));
    daemon.reload();
    daemon.wait_for_line("in force: url of 1 feed changed (one)");
    wait_until("it is asked there", || !server.requests("/c.xml").is_empty());
    wait_until("the answer is stored", || site.number("SELECT count(*) FROM feed_state WHERE attempt > 0") == 0);
    assert!(server.requests("/c.xml")[0].header("if-none-match").is_none());
    assert_eq!(entries("one"), 2, "what is known under another address is known");

    // Drops: not asked any more, and all that it brought stays.
    let records = site.number("SELECT count(*) FROM record");
    site.write("feeds.toml", &moved);
    daemon.reload();
    daemon.wait_for_line("in force: -1 feed (second-feed)");
    let asked = server.requests("/b.xml").len();
    poll_again(&site, &server, "/c.xml");
    assert_eq!((server.requests("/b.xml").len(), entries("second-feed")), (asked, 2));
    let stories = String::from_utf8(site.command(&["stories", "--json"]).stdout).unwrap();
    assert!(stories.contains("second-feed"), "{stories}");

    // Takes it up again: it goes on where it was.
    site.write("feeds.toml", &format!("{moved}{renamed}"));
    daemon.reload();
    poll_again(&site, &server, "/b.xml");
    assert_eq!((entries("second-feed"), site.number("SELECT count(*) FROM baseline")), (2, 2));
    assert!(server.requests("/b.xml")[asked].header("if-none-match").is_some());
    assert!(site.number("SELECT count(*) FROM record") > records);
    assert_eq!(
        changes(&site),
        [
            Value::Null,
            json!({"feeds": {"added": ["two"]}}),
            json!({"feeds": {"renamed": [["two", "second-feed"]]}}),
            json!({"feeds": {"changed": {"one": ["url"]}}}),
            json!({"feeds": {"dropped": ["second-feed"]}}),
            json!({"feeds": {"added": ["second-feed"]}}),
        ]
    );
    assert_eq!(daemon.stop().0, Some(0));
    let verified = site.command(&["evidence", "verify", site.state().join("sigtrail.db").to_str().unwrap()]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}

#[test]
fn a_change_of_owners_is_said_in_the_log_and_recorded_without_a_name() {
    let site = Site::new("", "");
    let mut daemon = site.run();
    let owners = site.read("config/owners.toml").replace("Maria Lopez", "Maria Bright");
    let jon = "\n[[owner]]\nid = \"jon\"\nname = \"Jon Bright\"\naddress = \"jon@example.com\"\n";
    site.write("config/owners.toml", &format!("{owners}{jon}"));
    let settings = site.read("config/sigtrail.toml").replace("per_host_gap = \"0s\"", "per_host_gap = \"1s\"");
    site.write("config/sigtrail.toml", &settings);
    daemon.reload();
    daemon.wait_for_line("in force: +1 owner (jon); name of 1 owner changed (maria); fetch.per_host_gap changed");
    let recorded = &changes(&site)[1];
    assert_eq!(*recorded, json!({"owners": {"added": 1, "changed": 1}, "keys": ["fetch.per_host_gap"]}));
    let open =
        "SELECT count(*) FROM record WHERE instr (bytes, 'jon') + instr (bytes, 'maria') + instr (bytes, 'Bright') > 0";
    assert_eq!(site.number(open), 0, "personal data only as commitments");
    let people = "SELECT count(*) FROM personal WHERE field LIKE 'owner_%' AND person IN ('jon', 'maria')";
    assert_eq!(site.number(people), 2);
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn what_changed_while_the_service_was_stopped_is_recorded_at_its_start() {
    let server = publisher(&["/a.xml", "/b.xml"]);
    let site = Site::new(&feed("one", &server.url("/a.xml")), "");
    assert_eq!(site.run().stop().0, Some(0));
    site.write("feeds.toml", &feed("two", &server.url("/b.xml")));
    assert_eq!(site.run().stop().0, Some(0));
    assert_eq!(changes(&site), [Value::Null, json!({"feeds": {"added": ["two"], "dropped": ["one"]}})]);
}

#[test]
fn a_check_says_what_a_reload_would_refuse_and_works_without_a_state() {
    let site = Site::new("", "");
    assert!(!check(&site).contains("reload would"), "there is nothing to compare with");
    assert!(!site.state().exists(), "a command that reads makes no state");
    assert_eq!(site.run().stop().0, Some(0));
    let text = site.read("config/sigtrail.toml").replace("127.0.0.1:0", "127.0.0.1:1");
    site.write("config/sigtrail.toml", &text);
    let said = check(&site);
    let refused = "reload would be refused: `listen` under [web] changed from 127.0.0.1:0 to 127.0.0.1:1, which needs a \
                   restart (against configuration 1: web.listen changed)";
    assert!(said.contains(refused), "{said}");
    fs::write(site.state().join("sigtrail.db"), "no database").unwrap();
    let checked = site.command(&["check"]);
    assert_eq!(checked.status.code(), Some(0), "the files are what is checked");
    assert!(String::from_utf8_lossy(&checked.stderr).contains("the state is not looked at: "), "{checked:?}");
}

#[test]
fn a_check_says_of_a_reload_what_the_reload_does() {
    let site = Site::new("", "");
    let mut daemon = site.run();
    let pristine = site.read("config/sigtrail.toml");
    for (from, to, is_refused) in [
        ("sigtrail@example.com", "sigtrail@other.example", true),
        ("[web]\nlisten = \"127.0.0.1:0\"", "[web]\nlisten = \"127.0.0.1:1\"", true),
        ("[mail]", "state = \"var\"\n[mail]", false),
        ("[fetch]", "[evidence]\norigin = \"example.com/sigtrail\"\n[fetch]", false),
    ] {
        site.write("config/sigtrail.toml", &pristine.replacen(from, to, 1));
        let said = check(&site);
        assert_eq!(said.contains("reload would be refused: "), is_refused, "{to}: {said}");
        daemon.reload();
        assert_eq!(last_status(&mut daemon).contains("REFUSED"), is_refused, "{to}: {}", daemon.log());
        site.write("config/sigtrail.toml", &pristine);
        daemon.reload();
    }
}

/// The names of the reasons of `status` with their texts.
fn reasons(site: &Site) -> Vec<(String, String)> {
    let asked = site.command(&["status", "--json"]);
    let text = String::from_utf8(asked.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found: Vec<_> = lines.map(|line| (word(&line["reason"]), word(&line["text"]))).collect();
    assert_eq!(asked.status.code(), Some(if found.is_empty() { 0 } else { 4 }), "{found:?}");
    found
}

#[test]
fn an_edit_that_is_not_in_force_is_a_reason_and_all_else_is_judged_by_what_is() {
    let server = publisher(&["/b.xml"]);
    server.serve("/a.xml", Answer::status(404));
    let (one, two) = (feed("one", &server.url("/a.xml")), feed("two", &server.url("/b.xml")));
    let site = Site::new(&one, "");
    let mut daemon = site.run();
    wait_until("the answer is stored", || site.number("SELECT count(*) FROM feed_state WHERE failures > 0") == 1);
    let before = reasons(&site);
    assert_eq!(before.len(), 1, "{before:?}");

    site.write("feeds.toml", &two);
    let found = reasons(&site);
    assert_eq!(found[0].0, "configuration-not-in-force");
    assert!(found[0].1.contains("configuration 1, which is in force: +1 feed (two); -1 feed (one)"), "{found:?}");
    assert_eq!(found[1..], before, "a feed that is still polled is still judged");
    let listed = String::from_utf8(site.command(&["feeds", "list"]).stdout).unwrap();
    assert!(listed.ends_with("reload would: +1 feed (two); -1 feed (one) (against configuration 1)\n"), "{listed}");

    site.write("feeds.toml", &two.replace("owner", "ownr"));
    daemon.reload();
    let found = reasons(&site);
    assert!(found[0].1.starts_with("1 error in feeds.toml: configuration 1 stays in force"), "{found:?}");
    assert_eq!(found[1..], before);

    let settings = site.read("config/sigtrail.toml");
    site.write("feeds.toml", &format!("# ours\n{one}"));
    assert_eq!(reasons(&site), before, "a comment has no force");
    site.write("config/sigtrail.toml", &settings.replace("sigtrail@example.com", "sigtrail@other.example"));
    let found = reasons(&site);
    assert!(found[0].1.contains("A reload would be refused: the log's name became"), "{found:?}");
    site.write("config/sigtrail.toml", &settings);

    site.write("feeds.toml", &two);
    daemon.reload();
    wait_until("the new feed is polled", || site.number("SELECT count(*) FROM entry") > 0);
    assert_eq!(reasons(&site), []);
}
