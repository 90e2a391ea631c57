//! What monitoring is told: `/healthz` and `/metrics` of the real program and of a world, read by a strict parser.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    sync::{Arc, RwLock},
    time::Duration,
};

use jiff::SignedDuration;
use sigtrail::{
    jobs::vitals::Moving,
    web::{Monitor, listen, serve_monitor},
};
use tokio::runtime::Runtime;

use crate::harness::{
    daemon::{Site, feed, machine, wait_until},
    feed_server::{Answer, FeedServer},
    page::ask,
    world::{World, rss},
};

const NOW: &str = "2026-11-20T08:00:00Z";

/// The samples of a text in Prometheus' format 0.0.4, by name and labels as they are written.
struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads a text and refuses everything that the format does not allow.
    #[track_caller]
    fn read(text: &str) -> Metrics {
        let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
        let (mut helped, mut family) = (String::new(), String::new());
        assert!(text.ends_with('\n') && !text.contains("\n\n"), "{text}");
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(is_name(name, ":") && !help.is_empty(), "{line}");
                name.clone_into(&mut helped);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(name == helped && kind == "gauge", "{line}");
                assert!(families.insert(name.to_owned()), "{name} begins twice");
                name.clone_into(&mut family);
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let (name, labels) = series.split_once('{').map_or((series, None), |(name, rest)| (name, Some(rest)));
                assert!(name == family && is_name(name, ":"), "{line} in {family}");
                if let Some(labels) = labels {
                    read_labels(labels);
                }
                let value: f64 = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
                assert!(value.is_finite(), "{line}");
                assert!(samples.insert(series.to_owned(), value).is_none(), "{series} stands twice");
            }
        }
        Metrics(samples)
    }

    #[track_caller]
    fn value(&self, series: &str) -> i64 {
        let value = self.0.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.0.keys()));
        #[expect(clippy::cast_possible_truncation, reason = "whole numbers far below 2^53")]
        let whole = *value as i64;
        whole
    }
}

fn is_name(text: &str, more: &str) -> bool {
    let starts_well = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    starts_well && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || more.contains(c))
}

/// `name="value",...}` to the end, with nothing left over.
fn read_labels(text: &str) {
    let (mut rest, mut seen) = (text, BTreeSet::new());
    loop {
        let (name, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{text}"));
        assert!(is_name(name, "") && seen.insert(name), "{text}");
        let mut escaped = false;
        let end = value.find(|c| match c {
            _ if escaped => {
                assert!(matches!(c, '\\' | '"' | 'n'), "{text}");
                escaped = false;
                false
            }
            '\\' => {
                escaped = true;
                false
            }
            c => c == '"',
        });
        let (_, after) = value.split_at(end.unwrap_or_else(|| panic!("{text}")));
        match after.strip_prefix('"').unwrap() {
            "}" => return,
            more => rest = more.strip_prefix(',').unwrap_or_else(|| panic!("{text}")),
        }
    }
}

/// The listener of monitoring of a world.
struct Watched {
    address: SocketAddr,
    moving: Arc<Moving>,
    _runtime: Runtime,
}

fn watch(world: &mut World) -> Watched {
    let (context, moving, runtime) = (world.context(), Arc::new(Moving::default()), Runtime::new().unwrap());
    let listener = runtime.block_on(async { listen("127.0.0.1:0".parse().unwrap()) }).unwrap();
    let address = listener.local_addr().unwrap();
    let monitor = Monitor {
        store: context.store.clone(),
        config: Arc::new(RwLock::new(context.config.clone())),
        clock: world.clock.clone(),
        moving: Arc::clone(&moving),
        started_at: world.clock.now(),
    };
    runtime.spawn(serve_monitor(listener, monitor, std::future::pending()));
    Watched { address, moving, _runtime: runtime }
}

impl Watched {
    fn health(&self) -> (u16, String) {
        let reply = ask(self.address, "GET", "/healthz", &[], "");
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
        (reply.status, reply.body)
    }

    #[track_caller]
    fn metrics(&self) -> Metrics {
        let reply = ask(self.address, "GET", "/metrics", &[], "");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        Metrics::read(&reply.body)
    }
}

#[test]
fn the_figures_are_what_happened() {
    let mut world = World::company(NOW)
        .reminding()
        .feed("cert", "")
        .feed("away", "owner = \"jon\"")
        .feed("never", "enabled = false");
    world.publish(
        "cert",
        &rss(&[("Quillgate: one", "a1", "x"), ("Quillgate: two", "a2", "x"), ("libmarrow", "a3", "x")]),
    );
    world.answer("away", Answer::status(404));
    world.tick();
    let watched = watch(&mut world);
    let told = watched.metrics();
    let version = format!("sigtrail_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    let start = world.clock.now().as_second();
    for (series, value) in [
        (version.as_str(), 1),
        ("sigtrail_start_time_seconds", start),
        ("sigtrail_healthy", 1),
        ("sigtrail_feeds{state=\"ok\"}", 1),
        ("sigtrail_feeds{state=\"broken\"}", 0),
        ("sigtrail_feed_state{feed=\"cert\",state=\"ok\"}", 1),
        ("sigtrail_feed_last_success_age_seconds{feed=\"cert\"}", 0),
        ("sigtrail_feed_newest_entry_age_seconds{feed=\"cert\"}", 0),
        ("sigtrail_outbox_mails", 0),
        ("sigtrail_outbox_oldest_age_seconds", 0),
        ("sigtrail_digest_lag_seconds", 0),
        ("sigtrail_acknowledgements_open{owner=\"maria\"}", 2),
        ("sigtrail_acknowledgements_open{owner=\"jon\"}", 1),
        ("sigtrail_acknowledgements_overdue{owner=\"maria\"}", 0),
        ("sigtrail_log_unsigned_age_seconds", 0),
    ] {
        assert_eq!(told.value(series), value, "{series}");
    }
    assert!(!told.0.keys().any(|series| series.contains("never")), "a feed that is not followed is no trouble");
    assert!(!told.0.keys().any(|series| series.contains("newest_entry") && series.contains("away")));
    let text = ask(watched.address, "GET", "/metrics", &[], "").body;
    assert!(!text.contains("Maria") && !text.contains("example.com"), "no name and no address: {text}");
    assert_eq!(told.value("sigtrail_log_records"), i64::try_from(world.records().len()).unwrap());

    // Nobody does anything for six days.
    world.wait(SignedDuration::from_hours(6 * 24));
    let later = watched.metrics();
    let age = 6 * 24 * 3_600;
    for (series, value) in [
        ("sigtrail_feed_last_success_age_seconds{feed=\"cert\"}", age),
        ("sigtrail_feed_last_success_age_seconds{feed=\"away\"}", age),
        ("sigtrail_feed_newest_entry_age_seconds{feed=\"cert\"}", age),
        ("sigtrail_acknowledgements_open{owner=\"maria\"}", 2),
        ("sigtrail_acknowledgements_overdue{owner=\"maria\"}", 2),
        ("sigtrail_acknowledgements_overdue{owner=\"jon\"}", 1),
        ("sigtrail_log_checkpoint_age_seconds", age),
    ] {
        assert_eq!(later.value(series), value, "{series}");
    }
    // The next run was on Monday the 23rd at eight.
    assert_eq!(later.value("sigtrail_digest_lag_seconds"), 3 * 24 * 3_600);
}

#[test]
fn a_mail_that_does_not_leave_is_seen_with_its_age() {
    let mut world = World::company(NOW).feed("cert", "").replace_setting("tls = \"none\"", "tls = \"starttls\"");
    world.publish("cert", &rss(&[("Quillgate: one", "a1", "x")]));
    world.tick();
    world.wait(SignedDuration::from_mins(7));
    let told = watch(&mut world).metrics();
    assert_eq!(told.value("sigtrail_outbox_mails"), 1);
    assert_eq!(told.value("sigtrail_outbox_oldest_age_seconds"), 7 * 60);
    assert_eq!(told.value("sigtrail_acknowledgements_open{owner=\"maria\"}"), 0, "nothing was handed over");
}

#[test]
fn health_says_what_is_wrong_by_name() {
    let mut world = World::company(NOW).feed("cert", "");
    world.publish("cert", &rss(&[("Quillgate: one", "a1", "x")]));
    world.tick();
    let watched = watch(&mut world);
    assert_eq!(watched.health(), (200, "ok\n".to_owned()));
    watched.moving.set_polling(false);
    assert_eq!(watched.health(), (503, "polling-stuck\n".to_owned()));
    watched.moving.set_mailing(false);
    assert_eq!(watched.health(), (503, "polling-stuck\nmailing-stuck\n".to_owned()));
    watched.moving.set_polling(true);
    watched.moving.set_mailing(true);
    let database = rusqlite::Connection::open(world.state().join("sigtrail.db")).unwrap();
    database.busy_timeout(Duration::from_secs(20)).unwrap();
    database.execute_batch("PRAGMA foreign_keys = OFF; DROP TRIGGER record_remains; DELETE FROM record WHERE idx = (SELECT max(idx) FROM record)").unwrap();
    assert_eq!(watched.health(), (503, "log-broken\n".to_owned()));
    assert_eq!(watched.metrics().value("sigtrail_healthy"), 0);
    database.execute_batch("DROP TABLE log_head").unwrap();
    assert_eq!(watched.health(), (503, "database-unreadable\n".to_owned()));
    let told = watched.metrics();
    assert_eq!(told.value("sigtrail_healthy"), 0);
    assert!(!told.0.contains_key("sigtrail_outbox_mails"), "nothing is made up");
    for path in ["/", "/metrics/", "/a/x", "/healthz?x"] {
        let status = ask(watched.address, "GET", path, &[], "").status;
        assert_eq!(status, if path.starts_with("/healthz") { 503 } else { 404 }, "{path}");
    }
    assert_eq!(ask(watched.address, "POST", "/healthz", &[], "x").status, 405);
}

#[test]
fn a_changed_root_of_the_log_is_seen() {
    let mut world = World::company(NOW).feed("cert", "");
    world.publish("cert", &rss(&[("Quillgate: one", "a1", "x")]));
    world.tick();
    let watched = watch(&mut world);
    let database = rusqlite::Connection::open(world.state().join("sigtrail.db")).unwrap();
    database
        .execute_batch("DROP TRIGGER record_stays; UPDATE record SET leaf_hash = zeroblob(32) WHERE idx = 0")
        .unwrap();
    // Inner nodes are kept of every fourth level: the first sixteen leaves stand under one of them.
    database
        .execute_batch("DROP TRIGGER log_node_stays; UPDATE log_node SET hash = zeroblob(32) WHERE idx = 0")
        .unwrap();
    assert_eq!(watched.health(), (503, "log-broken\n".to_owned()));
}

#[test]
fn the_service_tells_monitoring_on_a_listener_of_its_own_and_the_page_tells_nothing() {
    let server = FeedServer::start();
    server.serve("/cert", Answer::ok(rss(&[("Quillgate VPN: a way in", "a1", "Update quillgate.")])));
    let site = Site::new(&feed("Cert", &server.url("/cert")), "");
    let settings = site.read("config/sigtrail.toml");
    site.write("config/sigtrail.toml", &format!("{settings}[metrics]\nlisten = \"127.0.0.1:0\"\n"));
    let mut daemon = site.run();
    let line = daemon.wait_for_line("metrics=");
    let address: SocketAddr =
        line.split("metrics=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
    wait_until("the digest is written", || {
        site.number("SELECT count(*) FROM delivery_state WHERE state = 'written'") == 1
    });
    assert_eq!(ask(address, "GET", "/healthz", &[], "").body, "ok\n");
    let text = ask(address, "GET", "/metrics", &[], "").body;
    let told = Metrics::read(&text);
    assert_eq!(told.value("sigtrail_acknowledgements_open{owner=\"maria\"}"), 1);
    assert!(told.value("sigtrail_feed_last_success_age_seconds{feed=\"cert\"}") < 3_600);
    for path in ["/metrics", "/healthz"] {
        assert_eq!(ask(daemon.page(), "GET", path, &[], "").status, 404, "{path} is not on the page's listener");
    }
    let acknowledged = site.command(&["ack", "1", "--owner", "maria", "--as", "acted"]);
    assert!(acknowledged.status.success(), "{acknowledged:?}");
    let told = Metrics::read(&ask(address, "GET", "/metrics", &[], "").body);
    assert_eq!(told.value("sigtrail_acknowledgements_open{owner=\"maria\"}"), 0);
    assert_eq!(told.value("sigtrail_healthy"), 1);
    let file = site.path("metrics.txt");
    fs::write(&file, &text).unwrap();
    let check = format!("command -v promtool >/dev/null || exit 99; promtool check metrics < {}", file.display());
    let said = machine("sh", &["-c", &check]).unwrap();
    if said.status.code() == Some(99) {
        println!("skipped: promtool's own check: there is no promtool on this machine");
    } else {
        assert!(said.status.success(), "{said:?}");
    }
    site.write("config/sigtrail.toml", &format!("{settings}[metrics]\nlisten = \"127.0.0.1:9\"\n"));
    daemon.reload();
    assert!(daemon.log().contains("`listen` under [metrics] changed, which needs a restart"), "{}", daemon.log());
    assert_eq!(ask(address, "GET", "/healthz", &[], "").body, "ok\n", "the old one stays");
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn who_has_left_has_no_digest_that_is_late() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "");
    world.publish("cert", &rss(&[("libmarrow crash", "a1", "Long names.")]));
    world.tick();
    world.edit("owners", "id = \"jon\"", "id = \"jon\"\nuntil = 2026-11-21");
    world.edit("stack", "owner = \"jon\"", "owner = \"maria\"");
    world.restart();
    world.wait_until("2026-11-24T09:00:00Z");
    world.tick();
    let context = world.context();
    let now = context.now();
    let figures = context.store.read(|read| sigtrail::jobs::vitals::figures(read, &context.config, now)).unwrap();
    assert_eq!(figures.digest_lag, 0);
}
