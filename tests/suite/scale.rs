//! What must not grow with everything that ever arrived: the questions that pages, monitoring and the loops ask the store,
//! and how SQLite means to answer them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use jiff::SignedDuration;
use rusqlite::{
    Connection,
    trace::{TraceEvent, TraceEventCodes},
};
use sigtrail::{
    jobs::{self, Context, status::status, unanswered::overdue, vitals::figures},
    store::{Search, StoreError},
};

use crate::harness::{
    page::Page,
    world::{World, rss},
};

/// The tables that hold a row for everything that ever arrived, was told or was recorded.
const LARGE: [&str; 22] = [
    "entry",
    "entry_alias_state",
    "revision",
    "tag",
    "story",
    "story_key",
    "assignment",
    "reassigned",
    "listing",
    "digest",
    "digest_story",
    "digest_listing",
    "digest_feed",
    "delivery",
    "delivery_state",
    "attempt",
    "receipt",
    "acknowledgement",
    "acknowledgement_story",
    "record",
    "log_node",
    "personal",
];

/// What the store was asked while it was listened to.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<BTreeSet<String>>>);

impl Asked {
    /// Listens to the one connection that is used when one thing happens after another.
    fn listen(&self, context: &Context) {
        let heard = Arc::clone(&self.0);
        let hear = move |event: TraceEvent<'_>| {
            if let TraceEvent::Stmt(statement, _) = event {
                heard.lock().unwrap().insert(statement.sql().into_owned());
            }
        };
        let listened: Result<(), StoreError> = context
            .store
            .with_connection(|connection| Ok(connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(hear))?));
        listened.unwrap();
    }

    /// The questions that were asked since the last look.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap()).into_iter().filter(|sql| is_question(sql)).collect()
    }
}

fn is_question(sql: &str) -> bool {
    ["SELECT", "UPDATE", "DELETE", "WITH"].iter().any(|word| sql.trim_start().starts_with(word))
}

/// The steps of a plan that go through all of a large table. A walk along an index is one as well, unless it ends at once:
/// `min` and `max` of a key do, and a list that is asked for newest first with a limit.
fn walks(database: &Connection, sql: &str) -> Vec<String> {
    let starts = ["SELECT max(", "SELECT min(", "SELECT coalesce(max("];
    let ends_at_once = starts.iter().any(|start| sql.starts_with(start)) || sql.contains("ORDER BY no DESC LIMIT");
    let mut query = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // The plan is the same whatever is bound: `SQLITE_DBCONFIG_ENABLE_QPSG` sees to it in the store.
    let (mut rows, mut steps) = (query.raw_query(), Vec::<String>::new());
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get(3).unwrap());
    }
    let walks = steps.into_iter().filter(|step| {
        let mut words = step.split(' ');
        let table = (words.next() == Some("SCAN")).then(|| words.next()).flatten();
        table.is_some_and(|table| LARGE.contains(&table))
    });
    walks.filter(|_| !ends_at_once).collect()
}

/// A company that was told of some stories, answered one and moved on.
fn office() -> World {
    let mut world = World::company("2026-11-20T08:00:00Z").feed("cert", "").feed("other", "unmatched = \"list\"");
    let items =
        [("Quillgate: one CVE-2099-10007", "a1", "x"), ("libmarrow: two", "a2", "x"), ("Other news", "a3", "x")];
    world.publish("cert", &rss(&items));
    world.publish("other", &rss(&[("Seen elsewhere: CVE-2099-10007", "b1", "x")]));
    world.tick();
    world.wait(SignedDuration::from_hours(3 * 24));
    world.publish("cert", &rss(&[&items[..], &[("Quillgate: three", "a4", "x")]].concat()));
    world.tick();
    world
}

#[test]
fn no_question_of_a_page_of_monitoring_or_of_a_loop_goes_through_a_large_table() {
    let mut world = office();
    let mail = world.mailbox("maria").remove(0);
    let links = mail.lines().filter_map(|line| line.trim().strip_prefix("https://sigtrail.example.com"));
    let links: Vec<String> = links.map(ToOwned::to_owned).collect();
    let (context, asked, page) = (world.context(), Asked::default(), Page::open(&mut world));
    asked.listen(&context);
    let (store, config, now) = (&context.store, &context.config, context.now());
    let maria = || Search { owner: Some("maria".into()), ..Search::default() };
    let mut wrong = Vec::new();
    let database = Connection::open(world.state().join("sigtrail.db")).unwrap();
    let mut judge = |what: &str, least: usize| {
        let questions = asked.take();
        assert!(questions.len() >= least, "{what}: {} questions were heard", questions.len());
        for sql in questions {
            wrong.extend(walks(&database, &sql).into_iter().map(|step| format!("{what}: {step} in {sql}")));
        }
    };
    for link in links {
        assert_eq!(page.get(&link).status, 200, "{link}");
    }
    judge("a page", 6);
    store.read(|read| figures(read, config, now)).unwrap();
    store.read(|read| read.glance_at_log()).unwrap();
    judge("monitoring", 6);
    store.read(|read| status(read, config, now)).unwrap();
    judge("status", 6);
    let late = store.read(|read| overdue(read, config, now)).unwrap().into_iter().map(|row| row.story).collect();
    let (open, among) = (Search { is_open: true, ..maria() }, Search { among: Some(late), ..maria() });
    for search in [Search::default(), open, among, maria()] {
        store.read(|read| read.stories(&search, None, 50)).unwrap();
    }
    judge("stories", 4);
    jobs::mail_due(&context).unwrap();
    judge("a turn of the mailing loop", 8);
    world.wait(SignedDuration::from_hours(24));
    jobs::tick(&world.context(), &mut |_| {}).unwrap();
    judge("a tick", 12);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_judge_of_plans_sees_a_walk() {
    let mut world = office();
    drop(world.context());
    let database = Connection::open(world.state().join("sigtrail.db")).unwrap();
    for walk in
        ["SELECT * FROM entry WHERE first_seen_at > 7", "SELECT count(*) FROM acknowledgement WHERE owner = 'a'"]
    {
        assert_eq!(walks(&database, walk).len(), 1, "{walk}");
    }
    assert_eq!(walks(&database, "SELECT * FROM entry WHERE no = 7"), [""; 0]);
}
