//! Floods: a feed that brings many more entries than usual is held, told of in one line and decided about once; nothing
//! is lost, and nobody else's digest changes.

use std::{
    fmt::Write as _,
    io::Read as _,
    process::{Command, Stdio},
    time::Duration,
};

use jiff::SignedDuration;
use serde_json::Value;
use sigtrail::{
    jobs::{
        poll::{PollReport, poll},
        status::{Reason, status},
    },
    model::{
        acknowledgement::Via,
        flood::{Decided, Decision, NewDecision},
    },
};

use crate::harness::{
    page::{Page, ask, nonce_of},
    world::World,
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// What is said of a document that took longer to read than it is given.
const TOO_SLOW: &str = "could not be read within";

/// An item: title and path.
type Item = (String, String);

/// An RSS document of items that are short, so that ten thousand of them are read soon on a busy machine too.
fn document(items: &[Item]) -> String {
    let mut text = "<rss version=\"2.0\"><channel><title>Sample</title>\n".to_owned();
    for (title, path) in items {
        writeln!(text, "<item><title>{title}</title><guid isPermaLink=\"false\">{path}</guid></item>").unwrap();
    }
    text + "</channel></rss>\n"
}

fn usual(poll: usize) -> Vec<Item> {
    (0..12).map(|i| (format!("Advice {poll}-{i}"), format!("u{poll}-{i}"))).collect()
}

/// So many entries that nobody expected: every hundredth is about Quillgate, and the first three of those are exploited.
fn flood(name: &str, entries: usize) -> Vec<Item> {
    (0..entries)
        .map(|i| {
            let title = match i {
                0 | 100 | 200 => format!("Quillgate hole {name}{i} is being actively exploited"),
                i if i % 100 == 0 => format!("Quillgate note {name}{i}"),
                i => format!("Filler {name}{i}"),
            };
            (title, format!("{name}{i}"))
        })
        .collect()
}

/// A feed of Maria's that brought twelve entries in each of twenty polls, and one of Jon's beside it.
fn world() -> World {
    let mut world = World::company("2026-11-16T07:00:00Z")
        .owner("eva", "Eva Stone", "until = 2026-11-18\ndeputy = \"jon\"")
        .feed("cert", "every = \"30m\"")
        .feed("other", "unmatched = \"owner\"\nowner = \"jon\"");
    world.publish("cert", &document(&usual(0)));
    world.publish("other", &document(&[("Fernwald 1".to_owned(), "o1".to_owned())]));
    world.tick();
    for poll in 1..=20 {
        world.wait(HOUR + SignedDuration::from_mins(1));
        world.publish("cert", &document(&[usual(poll), usual(poll - 1)].concat()));
        assert_eq!(world.tick().poll.sum(|applied| applied.held), 0, "usual numbers are never held");
    }
    world
}

/// Publishes a flood, polls it and lets the next digests go out.
fn flooded(world: &mut World, items: &[Item]) {
    world.publish("cert", &document(items));
    world.publish(
        "other",
        &document(&[("Fernwald 2".to_owned(), "o2".to_owned()), ("Fernwald 1".to_owned(), "o1".to_owned())]),
    );
    world.wait(HOUR * 2);
    let mut polled = world.tick().poll;
    // On a busy machine an unoptimised program may need more than the five seconds that a document is given.
    for _ in 0..10 {
        if polled.feeds.iter().all(|feed| !feed.cause.contains(TOO_SLOW)) {
            break;
        }
        polled = poll_alone(world);
    }
    world.wait_until("2026-11-17T08:00:00Z");
    world.tick();
}

fn last_mail(world: &World, owner: &str) -> String {
    let mails = world.mailbox(owner);
    mails.last().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The path of the page where Maria's last mail says that it is decided.
fn decide_path(world: &World) -> String {
    let mails = world.mailbox("maria");
    let mail = mails.last().unwrap();
    let line = mail.lines().find(|line| line.contains("/held/")).unwrap_or_else(|| panic!("no link: {mail}"));
    line.trim().strip_prefix("https://sigtrail.example.com").unwrap().to_owned()
}

fn decide(world: &mut World, decision: Decision) -> Decided {
    let context = world.context();
    let row = context.store.read(|read| read.newest_flood(&"cert".into())).unwrap().unwrap();
    let new = NewDecision { flood: row.no, decision, owner: "maria".into(), digest: None, seen: None, via: Via::Shell };
    sigtrail::jobs::flood::decide(&context.store, &new, context.now()).unwrap().unwrap()
}

fn held(world: &mut World) -> usize {
    let context = world.context();
    context.store.read(|read| read.held_by_feed()).unwrap().into_iter().map(|(_, held)| held).sum()
}

fn pairs(records: &[Value]) -> usize {
    records.iter().map(|record| record["fields"]["entries"].as_array().unwrap().len()).sum()
}

#[test]
fn h_43_ten_thousand_new_entries_are_one_line_and_one_decision_and_nobody_else_notices() {
    let mut world = world();
    let before = world.records_of("entry-received").len();
    flooded(&mut world, &flood("f", 10_000));
    assert_eq!(held(&mut world), 9_997);
    assert_eq!(world.records_of("entry-received").len(), before + 10_001, "every entry is stored with its record");
    let records = world.records_of("flood-held");
    assert_eq!((records.len(), pairs(&records)), (1, 9_997));
    assert_eq!((records[0]["fields"]["usual"].clone(), records[0]["fields"]["sent"].clone()), (12.into(), 3.into()));

    let mail = last_mail(&world, "maria");
    assert!(mail.contains("HELD (1)"), "{mail}");
    assert!(mail.contains("Cert brought 10,000 new entries; usually it brings at most 12 at once."), "{mail}");
    assert!(mail.contains("but for 3 that are exploited"), "{mail}");
    assert!(mail.contains("Matches among them: Quillgate VPN 97."), "{mail}");
    let mails = world.mailbox("maria");
    let at_once = mails.iter().filter(|mail| mail.contains("Quillgate hole f100 is being actively exploited"));
    assert_eq!(at_once.count(), 1, "what cannot wait is there: {mails:?}");
    assert!(!mail.contains("Quillgate note") && !mail.contains("Filler"), "nothing else of the flood: {mail}");
    let jon = last_mail(&world, "jon");
    assert!(jon.contains("Fernwald 2") && !jon.contains("HELD") && !jon.contains("Filler"), "{jon}");

    let mails = world.mailbox("maria").len();
    world.wait_until("2026-11-18T08:00:00Z");
    world.tick();
    assert_eq!(world.mailbox("maria").len(), mails, "a flood alone is told of once");

    assert!(matches!(decide(&mut world, Decision::Matching), Decided::New(_)));
    world.wait_until("2026-11-19T08:00:00Z");
    world.tick();
    assert_eq!(held(&mut world), 0);
    assert_eq!(pairs(&world.records_of("not-for-us")), 9_900, "in batches, every one of them");
    let mail = last_mail(&world, "maria");
    assert!(mail.contains("Quillgate note f9900") && !mail.contains("Filler") && !mail.contains("HELD"), "{mail}");
    assert!(
        matches!(decide(&mut world, Decision::All), Decided::Already(given) if given.decision == Decision::Matching)
    );
}

#[test]
fn h_43_all_routes_a_flood_as_if_it_were_new_and_such_numbers_are_usual_from_then_on() {
    let mut world = world();
    flooded(&mut world, &flood("f", 300));
    decide(&mut world, Decision::All);
    world.wait_until("2026-11-18T08:00:00Z");
    world.tick();
    assert_eq!(held(&mut world), 0);
    let mail = last_mail(&world, "maria");
    assert!(mail.contains("Filler f1"), "{mail}");
    assert_eq!(pairs(&world.records_of("entries-listed")), 20 * 12 + 297 + 3);
    world.publish("cert", &document(&flood("g", 300)));
    world.wait(HOUR * 2);
    assert_eq!(world.tick().poll.sum(|applied| applied.held), 0);
}

#[test]
fn h_43_a_released_entry_tells_what_a_new_one_would() {
    let mut world = world();
    world.publish("other", &document(&[("Quillgate CVE-2099-10001".to_owned(), "o2".to_owned())]));
    world.wait_until("2026-11-17T08:00:00Z");
    world.tick();
    assert!(last_mail(&world, "maria").contains("Quillgate CVE-2099-10001"));
    let mut items = flood("f", 300);
    items.push(("Prompt injection CVE-2099-10001 is being actively exploited".to_owned(), "f300".to_owned()));
    world.publish("cert", &document(&items));
    world.wait(HOUR * 2);
    assert_eq!(world.tick().poll.sum(|applied| applied.held), 298);
    world.wait_until("2026-11-18T08:00:00Z");
    world.tick();
    assert!(!last_mail(&world, "maria").contains("CVE-2099-10001"), "it is held");
    decide(&mut world, Decision::Matching);
    world.wait_until("2026-11-19T08:00:00Z");
    world.tick();
    let mail = last_mail(&world, "maria");
    assert!(mail.contains("Updated: now stated to be exploited. You follow Prompt injection."), "{mail}");
}

#[test]
fn h_43_none_records_a_flood_as_not_for_us_and_edits_of_it_stay_so() {
    let mut world = world();
    let mut items = flood("f", 300);
    flooded(&mut world, &items);
    decide(&mut world, Decision::None);
    world.wait(HOUR);
    world.tick();
    assert_eq!((held(&mut world), pairs(&world.records_of("not-for-us"))), (0, 297));
    for (title, _) in &mut items {
        title.push_str(", edited");
    }
    world.publish("cert", &document(&items));
    world.wait(HOUR * 2);
    let report = world.tick();
    assert!(report.poll.sum(|applied| applied.listed) == 0, "{:?}", report.poll.feeds);
    world.publish("cert", &document(&flood("g", 300)));
    world.wait(HOUR * 2);
    assert_eq!(world.tick().poll.sum(|applied| applied.held), 297, "what nobody wanted is not usual");
}

#[test]
fn h_43_while_a_flood_is_held_usual_numbers_go_on_and_a_second_flood_joins_it() {
    let mut world = world();
    flooded(&mut world, &flood("f", 300));
    world.publish("cert", &document(&usual(30)));
    world.wait(HOUR * 2);
    assert_eq!(world.tick().poll.sum(|applied| applied.listed), 12);
    world.publish("cert", &document(&[flood("g", 300), usual(30)].concat()));
    world.wait(HOUR * 2);
    assert_eq!(world.tick().poll.sum(|applied| applied.held), 297);
    let mut edited = flood("g", 300);
    edited[5].0.push_str(", edited");
    world.publish("cert", &document(&edited));
    world.wait(HOUR * 2);
    world.tick();
    assert_eq!(held(&mut world), 594, "an edit of a held entry is held with it");
    world.wait_until("2026-11-18T08:00:00Z");
    world.tick();
    let mail = last_mail(&world, "maria");
    assert!(mail.contains("HELD (1)") && mail.contains("Decide what becomes of the 594"), "{mail}");
    let Decided::New(given) = decide(&mut world, Decision::None) else { panic!("decided before") };
    assert_eq!(given.entries, 594);
}

/// The titles of these items with something behind them.
fn edited(items: &[Item], more: &str) -> Vec<Item> {
    items.iter().map(|(title, path)| (format!("{title}{more}"), path.clone())).collect()
}

/// Polls now, and lets nothing else of a tick happen.
fn poll_alone(world: &mut World) -> PollReport {
    poll(&world.context(), Some(&["cert".into()]), &mut |_| {}).unwrap()
}

#[test]
fn h_43_claiming_exploitation_one_poll_later_lets_no_more_of_a_flood_out() {
    let mut world = world();
    let items = flood("f", 300);
    flooded(&mut world, &items);
    world.publish("cert", &document(&edited(&items, ", Quillgate exploited in the wild")));
    assert_eq!(poll_alone(&mut world).sum(|applied| applied.assigned), 17 + 3, "and the three that went out before");
    assert_eq!(held(&mut world), 280);
    world.publish("cert", &document(&edited(&items, ", Quillgate exploited in the wild, read it")));
    poll_alone(&mut world);
    assert_eq!(held(&mut world), 280);
    let sent: u64 =
        world.records_of("flood-held").iter().map(|record| record["fields"]["sent"].as_u64().unwrap()).sum();
    assert_eq!(sent, 20);
    world.wait_until("2026-11-18T08:00:00Z");
    world.tick();
    let mail = last_mail(&world, "maria");
    assert!(mail.contains("but for 20 that are exploited"), "{mail}");
    assert!(mail.contains("Decide what becomes of the 280"), "{mail}");
    decide(&mut world, Decision::None);
    world.tick();
    world.publish("cert", &document(&edited(&items, ", Quillgate exploited in the wild after all")));
    assert_eq!(poll_alone(&mut world).sum(|applied| applied.assigned), 20, "those that are known to be");
    assert_eq!(held(&mut world), 0);
}

#[test]
fn h_43_what_matched_nothing_when_only_matches_were_wanted_goes_out_when_it_matches() {
    let mut world = world();
    let mut items = flood("f", 300);
    flooded(&mut world, &items);
    decide(&mut world, Decision::Matching);
    world.tick();
    items[5].0 = "Filler f5 is in Quillgate too".to_owned();
    items[6].0 = "Filler f6, edited".to_owned();
    world.publish("cert", &document(&items));
    let applied = poll_alone(&mut world);
    assert_eq!((applied.sum(|one| one.assigned), applied.sum(|one| one.not_for_us)), (1, 1));
    world.wait_until("2026-11-18T08:00:00Z");
    world.tick();
    let mail = last_mail(&world, "maria");
    assert!(mail.contains("Filler f5 is in Quillgate too") && !mail.contains("f6"), "{mail}");
    world.publish("cert", &document(&edited(&items, ", Quillgate")));
    assert_eq!(poll_alone(&mut world).sum(|one| one.held), 296, "all of them at once are a flood again");
}

#[test]
fn h_43_an_edit_between_a_decision_and_its_release_makes_no_second_flood() {
    let mut world = world();
    let mut items = flood("f", 300);
    flooded(&mut world, &items);
    decide(&mut world, Decision::Matching);
    items[5].0.push_str(", edited");
    world.publish("cert", &document(&items));
    assert_eq!(poll_alone(&mut world).sum(|applied| applied.held), 1);
    let floods: Vec<Value> =
        world.records_of("flood-held").iter().map(|record| record["fields"]["flood"].clone()).collect();
    assert_eq!(floods, [1, 1], "it is held with the flood that it is of");
    assert!(world.context().store.read(|read| read.open_floods()).unwrap().is_empty());
    world.tick();
    assert_eq!((held(&mut world), world.records_of("flood-decided").len()), (0, 1));
}

/// A feed of so many old entries that brought one new entry in each of six polls since; with those entries.
fn settled(entries: usize) -> (World, Vec<Item>) {
    let mut world = World::company("2026-11-16T07:00:00Z").feed("cert", "every = \"30m\"");
    let mut items: Vec<Item> = (0..entries).map(|i| (format!("Quillgate note {i}"), format!("n{i}"))).collect();
    world.publish("cert", &document(&items));
    world.tick();
    for poll in 0..6 {
        items.push((format!("Word {poll}"), format!("w{poll}")));
        world.publish("cert", &document(&items));
        poll_alone(&mut world);
        world.wait(HOUR);
    }
    world.wait_until("2026-11-17T08:00:00Z");
    world.tick();
    (world, items)
}

#[test]
fn h_43_old_entries_that_leave_the_baseline_all_at_once_are_held_like_new_ones() {
    let (mut world, mut items) = settled(700);
    let worse = edited(&items[3..303], ", CVSS score: 9.1");
    items.splice(3..303, worse);
    world.publish("cert", &document(&items));
    let applied = poll_alone(&mut world);
    assert_eq!((applied.sum(|one| one.held), applied.sum(|one| one.assigned)), (300, 0));
    world.wait_until("2026-11-18T08:00:00Z");
    world.tick();
    let mail = last_mail(&world, "maria");
    assert!(mail.contains("Cert brought 300 new or changed entries; usually"), "{mail}");
    assert!(!mail.contains("CVSS"), "{mail}");
    decide(&mut world, Decision::Matching);
    world.tick();
    assert_eq!((held(&mut world), world.records_of("entry-routed").len()), (0, 3 + 300));
}

#[test]
fn h_43_what_a_publisher_states_of_nearly_everything_at_once_is_told_to_nobody() {
    let (mut world, items) = settled(300);
    let mails = world.mailbox("maria").len();
    world.publish("cert", &document(&edited(&items, ", CVSS score: 3.1")));
    let applied = poll_alone(&mut world);
    assert_eq!((applied.sum(|one| one.revised), applied.sum(|one| one.baseline)), (306, 297));
    let worse = ", CVSS score: 9.1, fixed in 2.0.1, CVE-2099-10001";
    world.publish("cert", &document(&edited(&items, worse)));
    let applied = poll_alone(&mut world);
    assert_eq!((applied.sum(|one| one.baseline), applied.sum(|one| one.held)), (297, 0));
    world.wait_until("2026-11-18T08:00:00Z");
    world.tick();
    assert_eq!(world.mailbox("maria").len(), mails);
    world.publish("cert", &document(&edited(&items, ", exploited in the wild")));
    assert_eq!(poll_alone(&mut world).sum(|one| one.held), 297 - 20, "but for exploitation, which is a flood");
}

fn reasons(world: &mut World) -> Vec<(Reason, String, String)> {
    let context = world.context();
    let status = context.store.read(|read| status(read, &context.config, context.now())).unwrap();
    status.attention.into_iter().map(|one| (one.reason, one.subject, one.text)).collect()
}

#[test]
fn h_43_a_flood_that_nobody_decides_about_is_named_in_the_status_and_again_after_a_week() {
    let mut world = World::company("2026-11-16T07:00:00Z").feed("cert", "every = \"30m\"\nexpect = \"60d\"");
    world.publish("cert", &document(&usual(0)));
    world.tick();
    let filler: Vec<Item> = (0..600).map(|i| (format!("Filler {i}"), format!("f{i}"))).collect();
    world.publish("cert", &document(&filler));
    world.wait(HOUR * 2);
    world.tick();
    let named = reasons(&mut world);
    assert_eq!((named.len(), named[0].0, named[0].1.as_str()), (1, Reason::Held, "cert"), "{named:?}");
    assert!(named[0].2.starts_with("600 entries of it wait for a decision"), "{named:?}");
    assert!(last_mail(&world, "maria").contains("HELD (1)"), "{}", last_mail(&world, "maria"));
    let mut told = Vec::new();
    for day in 17..=30 {
        world.wait_until(&format!("2026-11-{day}T08:00:00Z"));
        let before = world.mailbox("maria").len();
        world.tick();
        if world.mailbox("maria").len() > before {
            assert!(last_mail(&world, "maria").contains("HELD (1)"), "{}", last_mail(&world, "maria"));
            told.push(day);
        }
    }
    assert_eq!(told, [23, 30], "once a week, by the next regular digest");
    decide(&mut world, Decision::None);
    assert!(reasons(&mut world).is_empty());
}

#[test]
fn h_43_what_a_dropped_feed_left_held_falls_to_the_fallback_owner() {
    let mut world = world();
    world.edit("owners", "fallback = \"maria\"", "fallback = \"jon\"");
    world.restart();
    flooded(&mut world, &flood("f", 300));
    let (status, text) = said(&world, &["feeds", "drop", "cert", "--reason", "It pours."]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("297 entries of it are held"), "{text}");
    assert!(text.contains("jon is asked in the next digest; sigtrail --root"), "{text}");
    assert!(text.contains("feeds release cert --as all|matching|none"), "{text}");
    let url = world.server.url("/cert");
    let cert =
        format!("[[feed]]\nid = \"cert\"\nname = \"Cert\"\nurl = \"{url}\"\nowner = \"maria\"\nevery = \"30m\"\n");
    world.edit("feeds", &cert, "");
    world.restart();
    assert_eq!(reasons(&mut world)[0].0, Reason::Held);
    world.wait_until("2026-11-18T08:00:00Z");
    world.tick();
    let mail = last_mail(&world, "jon");
    assert!(mail.contains("HELD (1)") && mail.contains("Decide what becomes of the 297"), "{mail}");
    let (status, text) = said(&world, &["feeds", "release", "cert", "--as", "all", "--owner", "jon"]);
    assert_eq!(status, Some(0), "{text}");
    world.tick();
    assert_eq!(held(&mut world), 0, "and none of them waits for ever");
    world.wait_until("2026-11-19T08:00:00Z");
    world.tick();
    assert!(last_mail(&world, "jon").contains("Filler f1"), "{}", last_mail(&world, "jon"));
    let (status, text) = said(&world, &["feeds", "release", "nothing", "--as", "all", "--owner", "jon"]);
    assert!(status == Some(2) && text.contains("no feed `nothing` in feeds.toml"), "{text}");
}

#[test]
fn h_43_the_page_changes_nothing_by_get_and_records_one_decision_by_post() {
    let mut world = world();
    flooded(&mut world, &flood("f", 300));
    let (path, office) = (decide_path(&world), Page::open(&mut world));
    let page = office.get(&path);
    assert_eq!(page.status, 200, "{}", page.body);
    for words in ["Cert: 297 entries held", "usually it brings at most 12 at once", "Filler f1", "and 285 more"] {
        assert!(page.body.contains(words), "{words} is missing: {}", page.body);
    }
    office.get(&format!("{path}?decision=all&decided=3"));
    assert_eq!(world.records_of("flood-decided").len(), 0);

    let nonce = nonce_of(&page.body);
    for (body, status) in [
        (format!("decision=all&entries=297&nonce={nonce}x"), 403),
        (format!("decision=some&entries=297&nonce={nonce}"), 422),
        (format!("decision=all&nonce={nonce}"), 422),
        (format!("decision=all&entries=296&nonce={nonce}"), 409),
    ] {
        let reply = office.post(&path, &body);
        assert_eq!(reply.status, status, "{body}");
        assert!(reply.body.contains("Not recorded") && reply.body.contains("<title>Error: "), "{}", reply.body);
        assert_eq!(reply.body.contains("checked"), status == 403 || !body.contains("entries"), "{body}");
    }
    let foreign = [FORM, ("Origin", "https://evil.example")];
    let good = format!("decision=matching&entries=297&nonce={nonce}");
    assert_eq!(ask(office.address, "POST", &path, &foreign, &good).status, 403);
    assert_eq!(world.records_of("flood-decided").len(), 0);

    let reply = office.post(&path, &good);
    assert_eq!(reply.status, 303, "{}", reply.body);
    let location = reply.header("location").unwrap().to_owned();
    let shown = office.get(&location);
    assert!(shown.body.contains("Recorded. Your decision is record"), "{}", shown.body);
    assert!(shown.body.contains("Decided by Maria Lopez") && !shown.body.contains("<form"), "{}", shown.body);

    let again = office.post(&path, &good);
    assert_eq!(again.status, 303);
    let known = office.get(again.header("location").unwrap()).body;
    assert!(known.contains("Already decided so on 17 Nov at 08:00. Nothing was added."), "{known}");
    for other in ["decision=none&entries=297", "decision=none", ""] {
        let second = office.post(&path, &format!("{other}&nonce={nonce}"));
        assert_eq!(second.status, 409, "{other}");
        assert!(second.body.contains("Not recorded: this was decided before."), "{}", second.body);
        assert!(second.body.contains("What matches the stack is routed"), "the first decision stands");
    }
    world.wait_until("2026-12-18T08:00:00Z");
    let late = office.post(&path, &good);
    assert_eq!(late.status, 410);
    assert!(late.body.contains("<h1>Not recorded</h1>") && late.body.contains("This link ended on"), "{}", late.body);
    let records = world.records_of("flood-decided");
    assert_eq!(records.len(), 1);
    let fields = &records[0]["fields"];
    assert_eq!((fields["decision"].as_str(), fields["via"].as_str()), (Some("matching"), Some("link")));
    assert!(fields["owner"]["commitment"].is_string(), "who decided is a commitment: {fields}");
}

#[test]
fn h_43_a_link_of_another_digest_or_of_one_story_decides_nothing() {
    let mut world = world();
    flooded(&mut world, &flood("f", 300));
    let path = decide_path(&world);
    let mails = world.mailbox("jon");
    let jons = mails.last().unwrap().lines().find_map(|line| line.trim().strip_prefix("https://sigtrail.example.com"));
    let jons = jons.unwrap().to_owned();
    let office = Page::open(&mut world);
    for wrong in [format!("{jons}/held/1"), path.replace("/held/1", "/held/2"), format!("{path}0"), format!("{path}/1")]
    {
        assert_eq!(office.get(&wrong).status, 404, "{wrong}");
        assert!(matches!(office.post(&wrong, "decision=all&entries=297").status, 404 | 405), "{wrong}");
    }
    assert_eq!(world.records_of("flood-decided").len(), 0);
}

#[test]
fn h_43_when_the_owner_has_left_the_deputy_decides() {
    let mut world = world();
    flooded(&mut world, &flood("f", 300));
    world.edit("owners", "[[owner]]\nid = \"maria\"", "[[owner]]\nuntil = 2026-11-17\nid = \"maria\"");
    world.edit("owners", "fallback = \"maria\"", "fallback = \"jon\"");
    world.edit("feeds", "owner = \"maria\"", "owner = \"eva\"");
    world.edit("stack", "owner = \"maria\"", "owner = \"jon\"");
    world.restart();
    world.wait_until("2026-11-18T08:00:00Z");
    world.tick();
    world.wait_until("2026-11-19T08:00:00Z");
    world.tick();
    assert!(world.mailbox("eva").is_empty());
    let mail = last_mail(&world, "jon");
    assert!(mail.contains("HELD (1)") && mail.contains("Cert brought 300 new entries"), "{mail}");
}

#[test]
fn h_43_a_first_poll_is_a_baseline_however_much_it_brings() {
    let mut world = World::company("2026-11-16T07:00:00Z").feed("cert", "");
    world.publish("cert", &document(&flood("f", 2_000)));
    let report = world.tick();
    assert_eq!((report.poll.sum(|applied| applied.held), report.poll.sum(|applied| applied.baseline)), (0, 1_997));
}

#[expect(clippy::disallowed_methods, reason = "the program does not start others; its tests start it")]
fn sigtrail(world: &World, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigtrail"));
    for variable in ["STATE_DIRECTORY", "SIGTRAIL_ROOT", "SIGTRAIL_LOG", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.arg("--root").arg(world.root.path()).args(words).current_dir(world.root.path());
    command
}

/// The exit status of a command and what it printed on both outputs.
fn said(world: &World, words: &[&str]) -> (Option<i32>, String) {
    let output = sigtrail(world, words).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn h_43_the_shell_decides_once_and_shows_the_first_decision_afterwards() {
    let mut world = world();
    flooded(&mut world, &flood("f", 300));
    let release = ["feeds", "release", "cert", "--as"];
    for (words, code) in [
        (["some", "--owner", "maria"], "no decision `some`; there is all, matching, none"),
        (["all", "--owner", "nobody"], "no owner `nobody` in config/owners.toml"),
        (["all", "--owner", "eva"], "`eva` has left"),
    ] {
        let (status, text) = said(&world, &[&release[..], &words[..]].concat());
        assert_eq!(status, Some(2), "{text}");
        assert!(text.contains(code), "{text}");
    }
    let (status, text) = said(&world, &["feeds", "release", "other", "--as", "all", "--owner", "maria"]);
    assert!(status == Some(2) && text.contains("nothing of other is held"), "{text}");
    let (_, text) = said(&world, &["feeds"]);
    let release_here = format!("sigtrail --root {} feeds release cert --as", world.root.path().display());
    assert!(text.contains(&format!("cert: 297 entries are held; {release_here}")), "{text}");

    let (status, text) = said(&world, &[&release[..], &["none", "--owner", "jon"]].concat());
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("none of 297 entries of cert"), "{text}");
    let (status, text) = said(&world, &[&release[..], &["all", "--owner", "maria", "--json"]].concat());
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, line["new"].clone(), line["decision"].clone()), (Some(0), false.into(), "none".into()));
    assert_eq!(line["owner"], "jon");
    assert_eq!(world.records_of("flood-decided").len(), 1);
    let feeds = said(&world, &["feeds", "--json"]).1;
    let feed: Value = serde_json::from_str(feeds.lines().next().unwrap()).unwrap();
    assert_eq!(feed["held"], 297, "recorded now, carried out by the next tick");
    world.tick();
    assert_eq!(held(&mut world), 0);
}

#[test]
fn h_43_a_flood_alone_is_a_digest_of_its_own_with_a_subject_that_says_so() {
    let mut world = world();
    let plain: Vec<Item> = (0..300).map(|i| (format!("Filler {i}"), format!("p{i}"))).collect();
    world.wait_until("2026-11-17T08:00:00Z");
    world.tick();
    world.publish("cert", &document(&plain));
    world.wait(HOUR * 2);
    world.tick();
    world.wait_until("2026-11-18T08:00:00Z");
    world.tick();
    let mails = world.mailbox("maria");
    let mail = mails.last().unwrap();
    assert!(mail.starts_with("Subject: Decide: 300 entries of Cert held"), "{mail}");
    assert!(mail.contains("1 flood of entries to decide about"), "{mail}");
}

/// The most memory that a program holds until it ends, in MiB, as the system counts it, and what it printed.
fn peak(mut command: Command) -> (f64, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak = 0.0_f64;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok());
        peak = peak.max(kib.unwrap_or(0.0) / 1024.0);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            let mut text = String::new();
            child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
            return (peak, text);
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}

#[test]
fn h_43_ten_thousand_entries_at_once_stay_within_128_mib() {
    let mut world = world();
    world.publish("cert", &document(&flood("f", 10_000)));
    let measured = || peak(sigtrail(&world, &["poll", "--force", "cert"]));
    let mut tries = std::iter::repeat_with(measured).take(5);
    let (peak, text) = tries.find(|(_, text)| !text.contains(TOO_SLOW)).unwrap();
    assert_eq!(held(&mut world), 9_997, "{text}");
    assert!(peak > 10.0 && peak < 128.0, "{peak} MiB");
}
