//! Manners towards publishers: what they wish is done, and neither a clock, a pause nor an outage of ours becomes their
//! burden.

use std::{collections::BTreeMap, net::Ipv4Addr};

use jiff::SignedDuration;
use sigtrail::{
    cadence::{self, Rhythm},
    jobs::{self, poll, wake::Watchman},
    model::{
        feed::{FeedState, FeedStatus},
        outcome::CacheHints,
        time::Time,
    },
    parse::{Hint, parse},
};

use crate::harness::{
    feed_server::{Answer, FeedServer},
    world::{World, rss},
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const START: &str = "2026-11-18T07:00:00Z";

fn document() -> String {
    rss(&[("Quillgate advisory", "q1", "Text.")])
}

fn status(world: &mut World, id: &str) -> FeedStatus {
    let context = world.context();
    let feeds = context.store.read(|read| read.feeds()).unwrap();
    feeds.into_iter().find(|feed| feed.id.as_str() == id).unwrap()
}

fn asked(world: &World, id: &str) -> usize {
    world.server.requests(&format!("/{id}")).len()
}

/// Ticks once every `step` until so much time has passed.
fn tick_for(world: &mut World, whole: SignedDuration, step: SignedDuration) {
    let mut passed = SignedDuration::ZERO;
    while passed < whole {
        world.wait(step);
        passed += step;
        world.tick();
    }
}

#[test]
fn p_02_a_validator_that_comes_with_a_304_is_the_next_one_that_is_sent() {
    let mut world = World::company(START).feed("cert", "");
    world.server.script(
        "/cert",
        [
            Answer::ok(document()).header("ETag", "\"old\"").header("Last-Modified", "then"),
            Answer::status(304).header("ETag", "W/\"new, and odd\""),
            Answer::status(304),
        ],
    );
    world.tick();
    tick_for(&mut world, HOUR * 3, HOUR + MINUTE * 15);
    let requests = world.server.requests("/cert");
    assert_eq!(requests[1].header("if-none-match"), Some(&b"\"old\""[..]));
    assert_eq!(requests[2].header("if-none-match"), Some(&b"W/\"new, and odd\""[..]));
    assert_eq!(requests[2].header("if-modified-since"), Some(&b"then"[..]), "what is not replaced stays");
}

#[test]
fn p_03_without_validators_a_feed_is_asked_once_a_day_unless_its_editor_said_how_often() {
    let mut world =
        World::company(START).feed("etag", "").feed("date", "").feed("none", "").feed("stated", "every = \"1h\"");
    world.answer("etag", Answer::ok(document()).etag("\"1\""));
    world.answer("date", Answer::ok(document()).last_modified("Wed, 18 Nov 2026 07:00:00 GMT"));
    world.answer("none", Answer::ok(document()));
    world.answer("stated", Answer::ok(document()));
    world.tick();
    tick_for(&mut world, HOUR * 23, MINUTE * 75);
    assert_eq!(asked(&world, "none"), 1);
    assert_eq!(status(&mut world, "none").next_poll_why, "once a day: no ETag, no Last-Modified");
    for id in ["etag", "date", "stated"] {
        assert!(asked(&world, id) >= 15, "{id}: {}", asked(&world, id));
    }
    for (id, etag, date) in [("etag", true, false), ("date", false, true), ("stated", false, false)] {
        let request = &world.server.requests(&format!("/{id}"))[1];
        assert_eq!(request.header("if-none-match").is_some(), etag, "{id}");
        assert_eq!(request.header("if-modified-since").is_some(), date, "{id}");
    }
    tick_for(&mut world, HOUR * 3, HOUR);
    assert_eq!(asked(&world, "none"), 2);
}

#[test]
fn p_04_p_05_freshness_is_honoured_on_200_and_on_304() {
    let mut world = World::company(START).feed("age", "").feed("expires", "");
    world.answer("age", Answer::ok(document()).etag("\"1\"").header("Cache-Control", "max-age=43200"));
    let date = "Wed, 18 Nov 2026 01:00:00 GMT";
    let expires = Answer::ok(document()).etag("\"1\"").header("Date", date);
    world.answer("expires", expires.header("Expires", "Wed, 18 Nov 2026 13:00:00 GMT"));
    for round in 1..=3 {
        world.tick();
        for id in ["age", "expires"] {
            assert_eq!(asked(&world, id), round, "{id}");
            let feed = status(&mut world, id);
            assert!(feed.next_poll_at.duration_since(world.clock.now()) >= HOUR * 12, "{id}");
        }
        assert_eq!(status(&mut world, "age").next_poll_why, "the publisher asks for 12h (max-age)");
        assert_eq!(status(&mut world, "expires").next_poll_why, "the publisher asks for 12h (Expires)");
        tick_for(&mut world, HOUR * 11, HOUR);
        world.wait(HOUR + MINUTE * 15);
    }
}

#[test]
fn p_06_p_07_nobody_is_asked_before_the_time_that_retry_after_names() {
    let mut world = World::company(START).feed("busy", "").feed("down", "").feed("elsewhere", "");
    world.answer("busy", Answer::status(429).header("Retry-After", "7200"));
    world.answer("down", Answer::status(503).header("Retry-After", "Wed, 18 Nov 2026 10:00:00 GMT"));
    world.answer("elsewhere", Answer::redirect(302, "/there").header("Retry-After", "18000"));
    world.answer("there", Answer::ok(document()).etag("\"1\""));
    world.tick();
    tick_for(&mut world, MINUTE * 119, MINUTE * 7);
    assert_eq!(asked(&world, "busy"), 1);
    tick_for(&mut world, MINUTE * 40, MINUTE * 20);
    assert_eq!((asked(&world, "busy"), asked(&world, "down"), asked(&world, "elsewhere")), (2, 1, 1));
    tick_for(&mut world, MINUTE * 40, MINUTE * 20);
    assert_eq!((asked(&world, "down"), asked(&world, "elsewhere")), (2, 1));
    assert_eq!(status(&mut world, "elsewhere").next_poll_why, "the publisher asks for 5h (Retry-After)");
    tick_for(&mut world, HOUR * 2, HOUR);
    assert_eq!(asked(&world, "elsewhere"), 2, "a redirect may ask for patience, too");
}

#[test]
fn p_08_a_retry_after_of_ten_years_is_cut_to_seven_days_and_that_is_said() {
    let mut world = World::company(START).feed("busy", "");
    world.answer("busy", Answer::status(429).header("Retry-After", "315360000"));
    world.tick();
    let feed = status(&mut world, "busy");
    let wait = feed.next_poll_at.duration_since(world.clock.now());
    assert!(wait >= HOUR * 24 * 7 && wait < HOUR * 24 * 7 + HOUR, "{wait}");
    assert_eq!(feed.next_poll_why, "the publisher asks for 3650d (Retry-After), of which 7d are honoured");
}

#[test]
fn p_08_a_retry_after_beside_a_document_a_304_or_on_the_way_to_one_puts_a_poll_off_by_a_day_at_the_most() {
    let mut world = World::company(START).feed("fine", "").feed("elsewhere", "");
    world.answer("fine", Answer::ok(document()).etag("\"1\"").header("Retry-After", "604800"));
    world.answer("elsewhere", Answer::redirect(302, "/there").header("Retry-After", "604800"));
    world.answer("there", Answer::ok(document()).etag("\"1\""));
    for _ in 0..2 {
        let report = world.tick();
        assert_eq!(report.poll.feeds.len(), 2);
        for id in ["fine", "elsewhere"] {
            let feed = status(&mut world, id);
            assert_eq!(feed.state, FeedState::Ok);
            let why = "the publisher asks for 7d (Retry-After), of which 1d are honoured";
            assert_eq!(feed.next_poll_why, why, "{id}");
        }
        world.wait(HOUR * 25);
    }
}

#[test]
fn p_09_a_server_that_asks_for_fewer_requests_and_does_not_say_how_many_gets_fewer_and_fewer() {
    let mut world = World::company(START).feed("busy", "");
    world.answer("busy", Answer::status(429));
    for hours in [2, 4, 8, 16, 24, 24] {
        world.tick();
        let wait = status(&mut world, "busy").next_poll_at.duration_since(world.clock.now());
        assert_eq!(wait.as_hours(), hours);
        world.wait(wait);
    }
    assert_eq!(asked(&world, "busy"), 6);
}

#[test]
fn each_kind_of_failure_begins_its_own_back_off() {
    let mut world = World::company(START).feed("cert", "");
    let answers = [500, 500, 500, 429, 429, 500].map(Answer::status);
    world.server.script("/cert", answers);
    for hours in [1, 2, 4, 2, 4, 1] {
        world.tick();
        let wait = status(&mut world, "cert").next_poll_at.duration_since(world.clock.now());
        assert!(wait >= HOUR * hours && wait < HOUR * hours + MINUTE * 30, "{hours}: {wait}");
        world.wait(wait);
    }
}

/// A document with these wishes, and how long they make it wait from a Friday at 08:00 GMT with an interval of one hour.
const WISHES: [(&str, i64); 24] = [
    ("", 60),
    ("<ttl>180</ttl>", 180),
    ("<ttl> 180 </ttl>", 180),
    ("<ttl>5</ttl>", 60),
    ("<ttl>0</ttl>", 60),
    ("<ttl>-180</ttl>", 60),
    ("<ttl>soon</ttl>", 60),
    ("<ttl>1000000000</ttl>", 24 * 60),
    ("<ttl>99999999999999999999999999</ttl>", 24 * 60),
    ("<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>1</sy:updateFrequency>", 60),
    ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>", 6 * 60),
    ("<sy:updatePeriod>daily</sy:updatePeriod>", 24 * 60),
    ("<sy:updatePeriod>yearly</sy:updatePeriod>", 24 * 60),
    ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>0</sy:updateFrequency>", 24 * 60),
    ("<sy:updateFrequency>1000000</sy:updateFrequency>", 60),
    ("<ttl>120</ttl><sy:updatePeriod>hourly</sy:updatePeriod>", 120),
    ("<skipHours><hour>9</hour></skipHours>", 120),
    ("<skipHours><hour>9</hour><hour>10</hour><hour>11</hour></skipHours>", 240),
    ("<skipHours><hour>99</hour><hour>-1</hour><hour>x</hour></skipHours>", 60),
    ("<skipDays><day>Friday</day></skipDays>", 16 * 60),
    ("<skipDays><day>friday</day><day>Saturday</day><day>Sunday</day></skipDays>", 64 * 60),
    ("<skipDays><day>Someday</day></skipDays><skipHours></skipHours>", 60),
    ("<ttl>600</ttl><skipHours><hour>18</hour><hour>19</hour></skipHours>", 12 * 60),
    (
        "<skipDays><day>Monday</day><day>Tuesday</day><day>Wednesday</day><day>Thursday</day><day>Friday</day>\
         <day>Saturday</day><day>Sunday</day></skipDays>",
        24 * 60,
    ),
];

fn minutes_to_wait(wishes: &str) -> i64 {
    let text = format!(
        "<rss version=\"2.0\" xmlns:sy=\"http://purl.org/rss/1.0/modules/syndication/\"><channel><title>Example</title>\
         {wishes}<item><title>An advisory</title><guid>a1</guid></item></channel></rss>"
    );
    let read = parse(text.as_bytes(), &Hint::default()).unwrap();
    assert_eq!(read.entries.len(), 1, "the wishes hide no entry: {wishes}");
    assert!(!read.partial, "{wishes}");
    let now: Time = "2026-11-20T08:00:00Z".parse().unwrap();
    let next = cadence::next_poll(&Rhythm {
        now,
        every: HOUR,
        every_stated: false,
        min_interval: MINUTE * 15,
        hints: &CacheHints::default(),
        wishes: &read.hints.wishes,
        has_validators: true,
        state: FeedState::Ok,
        failures: 0,
        gone_for_good: false,
        no_network: false,
        feed_no: 0,
    });
    next.at.duration_since(now).as_mins()
}

#[test]
fn p_10_the_wishes_of_a_document_are_read_and_hostile_ones_capped() {
    for (wishes, expected) in WISHES {
        assert_eq!(minutes_to_wait(wishes), expected, "{wishes}");
    }
    let deep = "<skipHours>".repeat(20_000);
    assert_eq!(minutes_to_wait(&format!("{deep}{}", "</skipHours>".repeat(20_000))), 60, "depth is no weapon");
    let all_hours = (0..24).map(|hour| format!("<hour>{hour}</hour>")).collect::<Vec<_>>().concat();
    assert_eq!(minutes_to_wait(&format!("<skipHours>{all_hours}</skipHours>")), 24 * 60);
}

#[test]
fn p_10_the_wishes_of_the_last_document_hold_when_a_304_brings_none() {
    let mut world = World::company(START).feed("cert", "");
    let text = document().replace("<channel>", "<channel><ttl>300</ttl><skipHours><hour>12</hour></skipHours>");
    world.publish("cert", &text);
    world.tick();
    world.wait(HOUR * 7);
    world.tick();
    let feed = status(&mut world, "cert");
    assert_eq!(asked(&world, "cert"), 2);
    assert_eq!(feed.next_poll_why, "the feed asks for 5h (ttl or updatePeriod)");
    assert!(feed.next_poll_at.duration_since(world.clock.now()) >= HOUR * 5);
    assert_eq!(feed.wishes.skip_hours, [12]);
}

#[test]
fn p_15_gone_twice_a_day_apart_leaves_a_weekly_probe_and_an_alarm_in_the_digest() {
    let mut world = World::company(START).feed("cert", "");
    world.answer("cert", Answer::ok(document()).etag("\"1\""));
    world.tick();
    world.answer("cert", Answer::status(410));
    tick_for(&mut world, HOUR * 24, MINUTE * 75);
    assert_eq!(asked(&world, "cert"), 2, "once is no proof, and it is asked once a day");
    assert!(!status(&mut world, "cert").is_gone_for_good());
    tick_for(&mut world, HOUR * 6, HOUR);
    assert_eq!(asked(&world, "cert"), 3);
    let feed = status(&mut world, "cert");
    assert!(feed.is_gone_for_good());
    assert_eq!(feed.next_poll_why, "gone for good; looked at once a week");
    tick_for(&mut world, HOUR * 24 * 6, HOUR * 8);
    assert_eq!(asked(&world, "cert"), 3);
    let mails = world.mailbox("maria").join("\n");
    let words = mails.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("gone for good, said its publisher twice (410)"), "{mails}");
    tick_for(&mut world, HOUR * 24 * 2, HOUR * 8);
    assert_eq!(asked(&world, "cert"), 4, "a probe a week");
    assert_eq!(world.server.requests("/cert")[3].header("if-none-match"), None, "and an unconditional one");
    world.answer("cert", Answer::ok(document()).etag("\"2\""));
    tick_for(&mut world, HOUR * 24 * 8, HOUR * 8);
    let feed = status(&mut world, "cert");
    assert_eq!((feed.state, feed.gone_at, feed.alarm_at), (FeedState::Ok, None, None), "it recovers by itself");
    let told: Vec<_> = world.records_of("feed-state").iter().map(|one| one["fields"]["cause"].clone()).collect();
    assert_eq!(told.len(), 3, "gone, gone for good, back: {told:?}");
}

#[test]
fn p_15_two_answers_within_minutes_are_one() {
    let mut world = World::company(START).feed("cert", "");
    world.answer("cert", Answer::status(410));
    let context = world.context();
    for _ in 0..3 {
        poll::poll(&context, Some(&["cert".into()]), &mut |_| {}).unwrap();
        world.wait(MINUTE);
    }
    assert!(!status(&mut world, "cert").is_gone_for_good());
    world.wait(HOUR * 25);
    world.answer("cert", Answer::status(404));
    world.tick();
    assert_eq!(status(&mut world, "cert").gone_at, None, "another answer breaks the row");
}

#[test]
fn p_16_a_feed_that_is_not_found_is_looked_for_daily_and_becomes_an_alarm_after_three_days() {
    let mut world = World::company(START).feed("cert", "");
    world.answer("cert", Answer::ok(document()).etag("\"1\""));
    world.tick();
    world.answer("cert", Answer::status(404));
    tick_for(&mut world, HOUR * 26, HOUR);
    assert_eq!(status(&mut world, "cert").state, FeedState::Gone);
    let mails = world.mailbox("maria");
    assert!(mails.last().unwrap().contains("not found (404)"), "named at once: {}", mails.last().unwrap());
    assert_eq!(status(&mut world, "cert").alarm_at, None);
    tick_for(&mut world, HOUR * 24 * 4, HOUR * 3);
    assert!((4..=7).contains(&asked(&world, "cert")), "daily: {}", asked(&world, "cert"));
    assert!(status(&mut world, "cert").alarm_at.is_some());
    let mails = world.mailbox("maria").join("\n");
    let words = mails.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("not found (404), and not seen for three days and more"), "{mails}");
    world.answer("cert", Answer::ok(document()).etag("\"1\""));
    tick_for(&mut world, HOUR * 25, HOUR * 5);
    let feed = status(&mut world, "cert");
    assert_eq!((feed.state, feed.failures, feed.alarm_at), (FeedState::Ok, 0, None));
}

#[test]
fn p_25_a_clock_that_is_set_causes_no_burst_and_no_stall() {
    let mut world = World::company(START);
    let ids: Vec<String> = (0..20).map(|n| format!("f{n}")).collect();
    for id in &ids {
        world.add_feed(id, "");
        world.publish(id, &document());
    }
    let context = world.context();
    let mut watchman = Watchman::default();
    watchman.look(&context).unwrap();
    poll::poll(&context, None, &mut |_| {}).unwrap();
    let years = SignedDuration::from_hours(10 * 365 * 24);
    for by in [years, -years, HOUR, -HOUR, SignedDuration::from_secs(1), SignedDuration::from_secs(-1)] {
        let before: Vec<usize> = ids.iter().map(|id| asked(&world, id)).collect();
        world.clock.set_by(by);
        let jumps = world.records_of("clock-jumped").len();
        let mut most = 0;
        for _ in 0..75 {
            world.wait(MINUTE);
            watchman.look(&context).unwrap();
            most = most.max(poll::poll(&context, None, &mut |_| {}).unwrap().feeds.len());
        }
        let is_jump = by.abs() >= HOUR;
        assert_eq!(world.records_of("clock-jumped").len(), jumps + usize::from(is_jump), "{by}");
        assert!(most <= 10, "no burst: {most} at once after {by}");
        for (id, before) in ids.iter().zip(before) {
            let times = asked(&world, id) - before;
            assert!((1..=2).contains(&times), "{id} was asked {times} times in 75 minutes after {by}");
        }
    }
    let jump = &world.records_of("clock-jumped")[0]["fields"];
    assert_eq!(
        (jump["from"].as_str(), jump["to"].as_str()),
        (Some("2026-11-18T07:01:00.000Z"), Some("2036-11-15T07:01:00.000Z"))
    );
}

#[test]
fn p_25_a_clock_that_is_set_makes_no_feed_silent_and_no_absence_longer() {
    let mut world = World::company(START).feed("cert", "expect = \"3d\"").feed("gone", "");
    world.publish("cert", &document());
    world.publish("gone", &document());
    let context = world.context();
    let mut watchman = Watchman::default();
    watchman.look(&context).unwrap();
    poll::poll(&context, None, &mut |_| {}).unwrap();
    world.answer("gone", Answer::status(404));
    let ages = |world: &mut World| {
        let (now, feed) = (world.clock.now(), status(world, "gone"));
        let moments = [Some(feed.since), feed.unseen_since, feed.last_entry_at, feed.full_fetch_at, feed.last_poll_at];
        moments.map(|at| now.duration_since(at.unwrap()).as_mins())
    };
    let all = || Some(["cert", "gone"].map(Into::into));
    world.wait(HOUR * 2);
    poll::poll(&context, all().as_ref().map(|ids| ids.as_slice()), &mut |_| {}).unwrap();
    watchman.look(&context).unwrap();
    let before = ages(&mut world);
    for days in [100, -100, 3_650, -3_650] {
        world.clock.set_by(HOUR * 24 * days);
        watchman.look(&context).unwrap();
        assert_eq!(ages(&mut world), before, "{days}");
        poll::poll(&context, all().as_ref().map(|ids| ids.as_slice()), &mut |_| {}).unwrap();
        let (cert, gone) = (status(&mut world, "cert"), status(&mut world, "gone"));
        assert_eq!((cert.state, gone.alarm_at), (FeedState::Ok, None), "{days}: {}", cert.cause);
    }
}

#[test]
fn p_25_a_clock_that_was_wrong_for_a_moment_at_the_start_makes_no_feed_silent() {
    let mut world = World::company(START).feed("cert", "expect = \"3d\"");
    world.publish("cert", &document());
    world.tick();
    let known = status(&mut world, "cert");
    world.clock.set_by(-HOUR * 24 * 3_650);
    let context = world.restart().clone();
    let mut watchman = Watchman::default();
    watchman.look(&context).unwrap();
    world.clock.set_by(HOUR * 24 * 3_650);
    watchman.look(&context).unwrap();
    let feed = status(&mut world, "cert");
    assert_eq!((feed.last_entry_at, feed.since), (known.last_entry_at, known.since), "they were right");
}

#[test]
fn p_25_a_tick_finds_a_clock_that_was_set_back_and_polls_within_one_interval() {
    let mut world = World::company(START).feed("a", "").feed("b", "every = \"6h\"");
    world.publish("a", &document());
    world.publish("b", &document());
    world.clock.set_by(SignedDuration::from_hours(10 * 365 * 24));
    world.tick();
    world.clock.set_by(SignedDuration::from_hours(-10 * 365 * 24));
    world.restart();
    for _ in 0..4 {
        world.tick();
        world.wait(MINUTE * 20);
    }
    assert_eq!((asked(&world, "a"), asked(&world, "b")), (2, 2));
    assert_eq!(world.records_of("clock-jumped").len(), 1, "said once");
}

#[test]
fn p_26_after_three_days_of_sleep_each_feed_is_asked_once_over_an_hour() {
    let mut world = World::company(START);
    let ids: Vec<String> = (0..200).map(|n| format!("f{n}")).collect();
    for id in &ids {
        world.add_feed(id, "every = \"2h\"");
        world.publish(id, &document());
    }
    let context = world.context();
    let mut watchman = Watchman::default();
    watchman.look(&context).unwrap();
    let first = poll::poll(&context, None, &mut |_| {}).unwrap().feeds.len();
    assert_eq!(first, 200, "a first poll is never put off");
    world.wait(HOUR * 72);
    assert_eq!(watchman.look(&context).unwrap().spread, 200);
    let mut per_minute = Vec::new();
    for _ in 0..=60 {
        per_minute.push(poll::poll(&context, None, &mut |_| {}).unwrap().feeds.len());
        world.wait(MINUTE);
        watchman.look(&context).unwrap();
    }
    assert_eq!(per_minute.iter().sum::<usize>(), 200);
    assert!(per_minute.iter().all(|count| *count <= 2 * 200 / 60), "{per_minute:?}");
    assert!(ids.iter().all(|id| asked(&world, id) == 2));
    assert!(world.records_of("clock-jumped").is_empty(), "sleep is no jump");
}

#[test]
fn a_restart_spreads_late_polls_once_and_puts_none_off_for_ever() {
    let mut world = World::company(START);
    for n in 0..10 {
        world.add_feed(&format!("f{n}"), "");
        world.publish(&format!("f{n}"), &document());
    }
    world.tick();
    world.wait(HOUR * 30);
    let context = world.context();
    assert_eq!(Watchman::default().look(&context).unwrap().spread, 10);
    world.wait(MINUTE);
    assert_eq!(Watchman::default().look(&context).unwrap().spread, 0, "what was spread is late no more");
    world.wait(MINUTE * 2);
    assert_eq!(poll::poll(&context, None, &mut |_| {}).unwrap().feeds.len(), 10, "few feeds wait a few minutes");
}

#[test]
fn p_30_a_226_adds_what_is_new_and_takes_nothing_away() {
    let mut world = World::company(START).feed("cert", "a_im = true").feed("other", "");
    let entry = |n: u32| (format!("Quillgate advisory {n}"), format!("q{n}"));
    let rss_of = |numbers: &[u32]| {
        let entries: Vec<(String, String)> = numbers.iter().map(|n| entry(*n)).collect();
        let borrowed: Vec<_> = entries.iter().map(|(title, path)| (title.as_str(), path.as_str(), "Text.")).collect();
        rss(&borrowed)
    };
    let delta = |body: String| Answer::status(226).body(body).header("Content-Type", "application/rss+xml");
    world.server.script(
        "/cert",
        [
            Answer::ok(rss_of(&[1, 2])).header("ETag", "\"a\""),
            delta(rss_of(&[3])).header("ETag", "\"b\"").header("IM", "feed"),
            delta(rss_of(&[4])).header("ETag", "\"c\"").header("IM", "vcdiff"),
            Answer::status(304),
        ],
    );
    world.server.script("/other", [Answer::ok(rss_of(&[7])).header("ETag", "\"a\""), delta(rss_of(&[8]))]);
    world.tick();
    world.wait(HOUR * 2);
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.new), 1);
    assert_eq!(status(&mut world, "cert").state, FeedState::Ok);
    let unasked = status(&mut world, "other");
    assert_eq!(
        (unasked.state, unasked.cause.as_str()),
        (FeedState::Broken, "a part of a document that was not asked for (226)")
    );
    world.wait(HOUR * 2);
    world.tick();
    assert_eq!(status(&mut world, "cert").state, FeedState::Broken, "another kind of difference is not read");
    world.wait(HOUR * 2);
    world.tick();
    let requests = world.server.requests("/cert");
    let conditions: Vec<_> = requests.iter().map(|one| (one.header("a-im"), one.header("if-none-match"))).collect();
    let (asked, a, b) = (Some(&b"feed"[..]), Some(&b"\"a\""[..]), Some(&b"\"b\""[..]));
    assert_eq!(conditions, [(None, None), (asked, a), (asked, b), (asked, b)]);
    let titles = world.stories().len();
    assert_eq!(titles, 4, "one to three, and the other feed's");
    world.answer("cert", Answer::ok(rss_of(&[1, 2, 3])).header("ETag", "\"d\""));
    world.wait(HOUR * 2);
    assert_eq!(world.tick().poll.sum(|applied| applied.new), 0, "what was missing was never gone");
}

#[test]
fn h_17_a_change_that_the_validators_hide_is_found_within_seven_days() {
    let mut world = World::company(START).feed("hourly", "").feed("daily", "every = \"1d\"");
    for id in ["hourly", "daily"] {
        world.answer(id, Answer::ok(rss(&[("Old", &format!("{id}1"), "Text.")])).etag("\"stuck\""));
    }
    world.tick();
    for id in ["hourly", "daily"] {
        let both = rss(&[("Old", &format!("{id}1"), "Text."), ("New", &format!("{id}2"), "Text.")]);
        world.answer(id, Answer::ok(both).etag("\"stuck\""));
    }
    tick_for(&mut world, HOUR * 24 * 7, HOUR * 4);
    assert_eq!(world.stories().len(), 4);
    for id in ["hourly", "daily"] {
        let whole = |request: &&crate::harness::feed_server::Received| request.header("if-none-match").is_none();
        assert_eq!(world.server.requests(&format!("/{id}")).iter().filter(whole).count(), 2, "{id}: one a week");
    }
}

/// A world with a feed on each of so many hosts, all of which are up.
fn hosts(count: u8) -> (World, Vec<FeedServer>) {
    let mut world = World::company(START).replace_setting("127.0.0.2/32", "127.0.0.0/27");
    let mut servers = Vec::new();
    for n in 0..count {
        let (id, server) = (format!("f{n}"), FeedServer::start_at(Ipv4Addr::new(127, 0, 0, 3 + n)));
        server.serve(&format!("/{id}"), Answer::ok(document()).etag("\"1\""));
        world.add_feed(&id, "");
        let (from, to) = (world.server.url(&format!("/{id}")), server.url(&format!("/{id}")));
        world.edit("feeds", &format!("{from}\""), &format!("{to}\""));
        servers.push(server);
    }
    (world, servers)
}

#[test]
fn p_28_an_outage_of_our_own_counts_against_no_feed_and_is_recorded_once() {
    let (world, servers) = hosts(6);
    let mut world = world.feed("here", "");
    world.publish("here", &document());
    world.tick();
    drop(servers);
    world.wait(HOUR + MINUTE * 15);
    world.tick();
    let feed = status(&mut world, "f1");
    assert_eq!((feed.state, feed.failures), (FeedState::Ok, 0));
    assert_eq!(feed.cause, "this machine had no network at the last try");
    assert!(feed.next_poll_at.duration_since(world.clock.now()) <= MINUTE * 20, "{}", feed.next_poll_why);
    tick_for(&mut world, HOUR * 2, MINUTE * 20);
    assert_eq!(status(&mut world, "f1").failures, 0);
    let records = world.records_of("no-network");
    assert_eq!(records.len(), 1, "one record for all of it");
    assert_eq!((records[0]["fields"]["feeds"].as_u64(), records[0]["fields"]["hosts"].as_u64()), (Some(6), Some(6)));
    assert!(world.records_of("feed-state").is_empty());
    tick_for(&mut world, HOUR * 5, MINUTE * 30);
    assert_eq!(status(&mut world, "f1").state, FeedState::Broken, "after six hours it is blindness, whoever's fault");
}

#[test]
fn p_28_while_there_is_no_network_nobody_is_told_that_all_feeds_were_seen_and_its_end_is_recorded() {
    let (world, servers) = hosts(6);
    let mut world = world.feed("here", "");
    world.publish("here", &document());
    world.tick();
    world.wait_until("2026-11-19T07:30:00Z");
    world.tick();
    let last_poll_at = status(&mut world, "f1").last_poll_at;
    drop(servers);
    world.publish("here", &rss(&[("Quillgate advisory", "q1", "Text."), ("Fernwald is out", "q2", "Text.")]));
    world.wait_until("2026-11-20T07:45:00Z");
    world.tick();
    assert_eq!(status(&mut world, "f1").last_poll_at, last_poll_at, "nobody answered");
    let (context, now) = (world.context(), world.clock.now());
    let found = context.store.read(|read| jobs::status::status(read, &context.config, now)).unwrap();
    let [one] = found.attention.as_slice() else { panic!("{:?}", found.attention) };
    assert_eq!((one.reason.as_str(), one.subject.as_str(), one.since), ("no-network", "sigtrail", now));
    assert!(one.text.contains("6 feeds could not be asked"), "{}", one.text);
    assert_eq!((found.seen, found.feeds), (1, 7));

    world.wait_until("2026-11-20T08:01:00Z");
    world.tick();
    let mail = world.mailbox("maria").pop().unwrap();
    let words = mail.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("1 of 7 feeds was seen. No network since Fri 20 Nov 07:45: 6 feeds could not be asked."),
        "{mail}"
    );
    assert!(words.starts_with("Subject: Nothing new, 1 of 7 feeds seen"), "{mail}");

    world.wait(HOUR * 2);
    let context = world.context();
    poll::poll(&context, Some(&["here".into()]), &mut |_| {}).unwrap();
    let records = world.records_of("network-back");
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["fields"]["since"], "2026-11-20T07:45:00.000Z");
    poll::poll(&context, Some(&["here".into()]), &mut |_| {}).unwrap();
    assert_eq!(world.records_of("network-back").len(), 1, "said once");
}

#[test]
fn p_28_an_outage_is_recognised_by_ticks_of_a_timer_that_ask_one_host_each() {
    let (mut world, servers) = hosts(6);
    world.tick();
    drop(servers);
    world.wait(HOUR * 2);
    for n in 0..6 {
        // A process of its own for each.
        let context = world.restart().clone();
        poll::poll(&context, Some(&[format!("f{n}").as_str().into()]), &mut |_| {}).unwrap();
        world.wait(MINUTE);
    }
    assert_eq!(world.records_of("no-network").len(), 1);
    assert_eq!(status(&mut world, "f5").state, FeedState::Ok);
}

#[test]
fn p_28_a_few_hosts_that_are_gone_are_no_outage_of_ours() {
    let (mut world, mut servers) = hosts(8);
    world.tick();
    servers.truncate(3);
    world.wait(HOUR + MINUTE * 15);
    world.tick();
    let states: BTreeMap<String, FeedState> =
        (0..8).map(|n| (format!("f{n}"), status(&mut world, &format!("f{n}")).state)).collect();
    assert_eq!(states.values().filter(|state| **state == FeedState::Broken).count(), 5, "{states:?}");
    assert!(world.records_of("no-network").is_empty());
}

#[test]
fn what_our_own_rules_refused_is_asked_at_once_when_they_change() {
    let mut world = World::company(START).feed("inside", "").feed("outside", "");
    world.publish("outside", &document());
    let inside = world.server.url_at("localhost", "/inside");
    world.edit("feeds", &format!("{}\"", world.server.url("/inside")), &format!("{inside}\""));
    world.tick();
    let feed = status(&mut world, "inside");
    assert_eq!(feed.state, FeedState::Refused);
    assert!(feed.cause.starts_with("refused by our own rules"), "{}", feed.cause);
    world.edit("settings", "[\"127.0.0.2/32\"]", "[\"127.0.0.2/32\", \"127.0.0.1/32\", \"::1/128\"]");
    world.wait(MINUTE);
    world.restart();
    let report = world.tick();
    assert_eq!(report.poll.feeds.len(), 1, "only the one that was refused");
    assert_eq!(status(&mut world, "inside").state, FeedState::Broken, "it was dialled now, and nobody listens there");
}

#[test]
fn every_feed_says_why_it_is_asked_when_it_is() {
    let mut world = World::company(START).feed("new", "").feed("fine", "").feed("gone", "").feed("page", "");
    world.publish("fine", &document());
    world.answer("gone", Answer::status(404));
    world.answer("page", Answer::ok("<html><body>Sign in</body></html>"));
    world.answer("new", Answer::status(403));
    world.context();
    assert_eq!(status(&mut world, "fine").next_poll_why, "it was never polled");
    world.tick();
    let whys: Vec<String> =
        ["new", "fine", "gone", "page"].map(|id| status(&mut world, id).next_poll_why).into_iter().collect();
    assert_eq!(
        whys,
        [
            "we are not let in; tried once a day",
            "its own interval of 1h",
            "it is not there; looked for once a day",
            "its own interval of 1h"
        ]
    );
    let context = world.context();
    context.store.write(|write| write.make_due(&["fine".into()], context.clock.now())).unwrap();
    assert_eq!(status(&mut world, "fine").next_poll_why, "somebody asked for it");
}

#[test]
fn p_22_two_hundred_feeds_that_were_due_together_drift_apart_and_a_restart_changes_nothing() {
    let mut world = World::company(START);
    for n in 0..200 {
        world.add_feed(&format!("f{n}"), "");
        world.publish(&format!("f{n}"), &document());
    }
    let context = world.context();
    poll::poll(&context, None, &mut |_| {}).unwrap();
    let plan = |world: &mut World| {
        let context = world.context();
        let feeds = context.store.read(|read| read.feeds()).unwrap();
        feeds.into_iter().map(|feed| feed.next_poll_at).collect::<Vec<Time>>()
    };
    let before = plan(&mut world);
    world.restart();
    assert_eq!(plan(&mut world), before);
    let context = world.context();
    world.wait(HOUR);
    let mut per_minute = Vec::new();
    for _ in 0..6 {
        world.wait(MINUTE);
        per_minute.push(poll::poll(&context, None, &mut |_| {}).unwrap().feeds.len());
    }
    assert_eq!(per_minute.iter().sum::<usize>(), 200, "spread over a tenth of the hour: {per_minute:?}");
    assert!(per_minute.iter().all(|count| *count <= 2 * 200 / 6), "{per_minute:?}");
}
