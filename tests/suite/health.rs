//! Health: feeds that die, fall silent, turn empty or are impersonated, and who is told of it, how often, and where.

use std::collections::BTreeMap;

use clap::Parser as _;
use jiff::SignedDuration;
use sigtrail::{
    cli::{self, args::Args},
    health,
    jobs::{
        self,
        status::{Reason, Status, status},
    },
    model::{
        feed::{FeedState, FeedStatus},
        id::FeedNo,
        outcome::NO_AUTHORITIES,
    },
};

use crate::harness::{
    feed_server::Answer,
    smtp_server::{Act, Stage},
    world::{World, rss},
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// A Monday morning in London.
const MONDAY: &str = "2026-11-16T07:00:00Z";

/// A document with the entries of these numbers, newest first.
fn numbered(numbers: impl DoubleEndedIterator<Item = usize>) -> String {
    let items: Vec<(String, String)> = numbers.rev().map(|n| (format!("Bulletin {n}"), format!("b{n}"))).collect();
    let items: Vec<(&str, &str, &str)> =
        items.iter().map(|(title, path)| (title.as_str(), path.as_str(), "-")).collect();
    rss(&items)
}

fn html(inside: &str) -> Answer {
    Answer::ok(format!("<!DOCTYPE html><html><head>{inside}</head><body></body></html>")).content_type("text/html")
}

fn found(world: &mut World) -> Status {
    let context = world.context();
    let now = context.now();
    context.store.read(|read| status(read, &context.config, now)).unwrap()
}

fn reasons(world: &mut World) -> Vec<(&'static str, String)> {
    found(world).attention.into_iter().map(|one| (one.reason.as_str(), one.subject)).collect()
}

/// Lines that were wrapped, joined again.
fn unwrapped(mail: &str) -> String {
    mail.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Ticks in steps of so many hours.
fn run(world: &mut World, hours: i64, step: i64) {
    for _ in 0..hours / step {
        world.wait(HOUR * i32::try_from(step).unwrap());
        world.tick();
    }
}

#[test]
fn p_16_a_feed_that_is_gone_is_named_alarmed_about_after_three_days_and_told_when_it_is_back() {
    let mut world = World::company(MONDAY).feed("cert", "unmatched = \"none\"");
    world.publish("cert", &numbered(1..=3));
    world.tick();
    world.answer("cert", Answer::status(404));
    run(&mut world, 24 * 9, 6);
    let requests = world.server.requests("/cert").len();
    assert!((8..=11).contains(&requests), "asked once a day: {requests}");
    let mails = world.mailbox("maria");
    let subjects: Vec<&str> = mails.iter().filter_map(|mail| mail.lines().next()).collect();
    assert_eq!(
        subjects,
        ["Subject: Blind: Cert is gone since Mon 16 Nov", "Subject: Still blind: Cert is gone since Mon 16 Nov"]
    );
    assert!(unwrapped(&mails[0]).contains("New: Cert: gone since Mon 16 Nov"), "{}", mails[0]);
    assert!(unwrapped(&mails[1]).contains("Please act: Cert: gone since Mon 16 Nov"), "{}", mails[1]);
    for mail in &mails {
        let advice = "mend `url` if it moved, or `sigtrail feeds drop cert --reason \"...\"`.";
        assert!(unwrapped(mail).contains(advice), "{mail}");
    }
    assert_eq!(reasons(&mut world), [("feed-gone", "cert".to_owned())]);

    world.publish("cert", &numbered(1..=3));
    run(&mut world, 24 * 4, 6);
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 3);
    assert!(mails[2].starts_with("Subject: Seen again: Cert ("), "{}", mails[2]);
    assert!(unwrapped(&mails[2]).contains("; it was gone."), "{}", mails[2]);
    assert_eq!(reasons(&mut world), []);
    // Gone, an alarm after three days, and seen again.
    assert_eq!(world.records_of("feed-state").len(), 3);
}

#[test]
fn p_16_a_feed_that_fails_in_another_way_each_time_is_alarmed_about_after_three_days_as_well() {
    let mut world = World::company(MONDAY).feed("cert", "unmatched = \"none\"");
    world.publish("cert", &numbered(1..=3));
    world.tick();
    let kinds = [404, 500, 429];
    world.server.script("/cert", (0..60).map(|n| Answer::status(kinds[n % 3])));
    run(&mut world, 24 * 4, 6);
    let mails = world.mailbox("maria");
    let alarms: Vec<&String> = mails.iter().filter(|mail| mail.starts_with("Subject: Still blind: ")).collect();
    assert_eq!(alarms.len(), 1, "{mails:?}");
    assert!(alarms[0].starts_with("Subject: Still blind: Cert is not seen since Mon 16 Nov\n"), "{}", alarms[0]);
    let words = unwrapped(alarms[0]);
    assert!(words.contains("Please act: Cert: ") && words.contains(", not seen since Mon 16 Nov 1"), "{words}");
    world.publish("cert", &numbered(1..=3));
    run(&mut world, 24, 6);
    assert_eq!(reasons(&mut world), []);
}

#[test]
fn p_17_a_refusal_is_named_with_its_cause_and_makes_nobody_pretend_to_be_a_browser() {
    let mut world = World::company(MONDAY).feed("a", "").feed("b", "").feed("c", "").feed("d", "");
    world.answer("a", Answer::status(403));
    world.answer("b", Answer::status(403).header("cf-mitigated", "challenge"));
    world.answer("c", html("<title>Just a moment...</title>"));
    world.answer("d", html("<title>Access Denied</title> errors.edgesuite.net"));
    let report = world.tick();
    for feed in &report.poll.feeds {
        assert_eq!(feed.state.as_str(), "refused", "{}", feed.feed);
        assert!(feed.cause.starts_with("refused"), "{}", feed.cause);
    }
    let cause = |id: &str| report.poll.feeds.iter().find(|feed| feed.feed.as_str() == id).unwrap().cause.clone();
    assert!(cause("b").contains("human visitor"), "{}", cause("b"));
    assert!(cause("c").contains("Cloudflare") && cause("d").contains("Akamai"));
    run(&mut world, 72, 12);
    for id in ["a", "b", "c", "d"] {
        let requests = world.server.requests(&format!("/{id}"));
        assert!((2..=5).contains(&requests.len()), "{id} is asked once a day: {}", requests.len());
        for request in requests {
            let agent = String::from_utf8_lossy(request.header("user-agent").unwrap()).into_owned();
            assert!(agent.contains("sigtrail") && !agent.contains("Mozilla"), "{agent}");
        }
    }
}

#[test]
fn p_18_a_login_page_is_no_feed_and_leaves_what_is_known_alone() {
    let mut world = World::company(MONDAY).feed("cert", "unmatched = \"none\"");
    world.publish("cert", &numbered(1..=12));
    world.tick();
    world.answer("cert", html("<form><input type=\"password\"></form>"));
    world.wait(HOUR * 2);
    let report = world.tick();
    assert_eq!(report.poll.feeds[0].state.as_str(), "not-a-feed");
    assert_eq!(report.poll.feeds[0].cause, "a login page, not a feed");
    assert_eq!(world.stories().len(), 12);
    world.publish("cert", &numbered(1..=13));
    run(&mut world, 24, 6);
    assert_eq!(world.stories().len(), 13, "only the new one is new");
    assert_eq!(reasons(&mut world), []);
}

#[test]
fn p_19_an_empty_document_deletes_nothing_is_fetched_again_after_an_hour_and_flagged_the_second_time() {
    for empty in [Answer::ok(rss(&[])), Answer::ok(rss(&[])).etag("\"empty\"")] {
        let mut world = World::company(MONDAY).feed("cert", "unmatched = \"none\"\nevery = \"6h\"");
        world.publish("cert", &numbered(1..=10));
        world.tick();
        world.answer("cert", empty);
        world.wait(HOUR * 7);
        let first = world.tick();
        assert!(first.poll.feeds[0].state.is_seen(), "{}", first.poll.feeds[0].state.as_str());
        let wait = first.poll.feeds[0].next_poll_at.duration_since(world.clock.now());
        assert!(wait >= HOUR && wait < HOUR * 2, "{wait:#}");
        world.wait(HOUR * 2);
        let second = world.tick();
        assert_eq!(second.poll.feeds[0].state.as_str(), "suspicious");
        assert!(second.poll.feeds[0].cause.contains("empty"), "{}", second.poll.feeds[0].cause);
        let wait = second.poll.feeds[0].next_poll_at.duration_since(world.clock.now());
        assert!(wait >= HOUR * 6, "{wait:#}");
        assert_eq!(world.stories().len(), 10);
        assert_eq!(reasons(&mut world), [("feed-suspicious", "cert".to_owned())]);
        world.publish("cert", &numbered(2..=11));
        world.wait(HOUR * 7);
        let third = world.tick();
        assert_eq!(third.poll.feeds[0].state.as_str(), "ok");
        assert_eq!(third.poll.sum(|applied| applied.new), 1);
    }
}

#[test]
fn h_16_a_document_that_is_cut_at_every_poll_is_named_from_the_second_time_on_and_is_no_quiet_poll() {
    let mut world = World::company(MONDAY).feed("cert", "unmatched = \"none\"");
    let whole = numbered(1..=10);
    let cut = Answer::ok(whole.get(..whole.len() / 2).unwrap()).etag("\"cut\"");
    world.answer("cert", cut);
    let report = world.tick();
    assert_eq!(report.poll.feeds[0].state.as_str(), "ok", "it may be a mistake of a minute");
    world.wait(HOUR * 2);
    let report = world.tick();
    assert_eq!(report.poll.feeds[0].state.as_str(), "suspicious");
    let cause = "read only in part: the document breaks off; what was complete is kept; entries may be missing";
    assert_eq!(report.poll.feeds[0].cause, cause);
    assert_eq!(reasons(&mut world), [("feed-suspicious", "cert".to_owned())]);
    run(&mut world, 48, 12);
    assert!(world.mailbox("maria").iter().any(|mail| unwrapped(mail).contains("read only in part")));
    assert!(world.records_of("quiet-polls").is_empty(), "what is missing from it may be news");
    world.publish("cert", &whole);
    run(&mut world, 24, 12);
    assert_eq!(reasons(&mut world), []);
}

#[test]
fn a_document_that_is_not_to_be_believed_is_no_quiet_poll() {
    let error = rss(&[("Bridge returned error 500! (20779)", "x1", "Exception"), ("Bulletin 1", "b1", "-")]);
    for doubtful in [rss(&[]), error] {
        let mut world = World::company(MONDAY).feed("cert", "unmatched = \"none\"");
        world.publish("cert", &numbered(1..=10));
        world.tick();
        world.answer("cert", Answer::ok(doubtful).etag("\"doubtful\""));
        run(&mut world, 48, 6);
        assert_eq!(reasons(&mut world), [("feed-suspicious", "cert".to_owned())]);
        assert!(world.records_of("quiet-polls").is_empty());
    }
}

#[test]
fn a_feed_that_had_few_entries_may_be_empty() {
    let mut world = World::company(MONDAY).feed("cert", "unmatched = \"none\"");
    world.publish("cert", &numbered(1..=9));
    world.tick();
    world.answer("cert", Answer::ok(rss(&[])));
    run(&mut world, 12, 2);
    assert_eq!(reasons(&mut world), []);
}

#[test]
fn errors_of_a_converter_are_neither_stored_nor_mailed_and_are_the_cause() {
    let mut world = World::company(MONDAY).feed("bridge", "owner = \"maria\"\nunmatched = \"owner\"\nbaseline = 0");
    world.publish("bridge", &numbered(1..=3));
    world.tick();
    let error = ("Bridge returned error 500! (20779)", "x1", "Exception");
    world.publish("bridge", &rss(&[error]));
    world.wait(HOUR * 2);
    let report = world.tick();
    assert_eq!(report.poll.feeds[0].state.as_str(), "suspicious");
    assert!(report.poll.feeds[0].cause.contains("\"Bridge returned error 500! (20779)\""));
    world.publish("bridge", &rss(&[error, ("Bulletin 4", "b4", "-")]));
    world.wait(HOUR * 3);
    let report = world.tick();
    assert_eq!(report.poll.feeds[0].state.as_str(), "suspicious");
    assert_eq!(report.poll.sum(|applied| applied.new), 1, "the entry beside the error is an entry");
    run(&mut world, 48, 12);
    let titles: Vec<String> = world
        .stories()
        .iter()
        .flat_map(|story| &story.sources)
        .filter_map(|source| source.entry.entry.title.clone())
        .collect();
    assert_eq!(titles.len(), 4, "{titles:?}");
    assert!(titles.iter().all(|title| !title.contains("Bridge")), "{titles:?}");
    for mail in world.mailbox("maria") {
        assert!(!mail.contains(". Bridge returned error"), "{mail}");
    }
    world.publish("bridge", &numbered(1..=4));
    world.wait(HOUR * 3);
    assert_eq!(world.tick().poll.feeds[0].state.as_str(), "ok");
}

#[test]
fn advisories_that_lead_to_their_own_feed_and_speak_of_errors_are_stored_and_mailed() {
    let mut world = World::company(MONDAY).feed("vendor", "owner = \"maria\"\nunmatched = \"owner\"\nbaseline = 0");
    let home = world.server.url("/vendor");
    let flaws = [
        ("Unhandled exception in openssl allows remote code execution", format!("{home}#cve1")),
        ("Failure to check a length in Peatbog", format!("{home}?id=77")),
        ("Unable to read the source", home.clone()),
    ];
    let mut published = rss(&[("First", "first", "-")]);
    world.publish("vendor", &published);
    world.tick();
    for (title, link) in &flaws {
        published = published
            .replace("</channel>", &format!("<item><title>{title}</title><link>{link}</link></item></channel>"));
        world.publish("vendor", &published);
        world.wait(HOUR * 3);
        let report = world.tick();
        assert_eq!((report.poll.sum(|applied| applied.new), report.poll.feeds[0].state.as_str()), (1, "ok"), "{title}");
    }
    run(&mut world, 48, 12);
    let mails = world.mailbox("maria").concat();
    for (title, _) in flaws {
        assert!(mails.contains(title), "{title}: {mails}");
    }
    // Alone, the last of them is doubted, and kept all the same.
    let mut alone = World::company(MONDAY).feed("vendor", "baseline = 0");
    let home = alone.server.url("/vendor");
    alone.publish("vendor", &rss(&[("Unable to read the source", "x", "-")]).replace("https://cert.example/x", &home));
    let report = alone.tick();
    assert_eq!(report.poll.sum(|applied| applied.new), 1);
    assert_eq!(report.poll.feeds[0].state.as_str(), "suspicious");
    assert!(report.poll.feeds[0].cause.contains("\"Unable to read the source\""), "{}", report.poll.feeds[0].cause);
}

#[test]
fn the_owner_of_the_group_is_told_and_nobody_else() {
    let group = "owner = \"maria\"\nunmatched = \"none\"\ngroup = \"certs\"\n[[group]]\nid = \"certs\"\nname = \"Certs\"\n\
                 owner = \"jon\"\nreason = \"first word\"";
    let mut world = World::company(MONDAY).feed("cert", group);
    world.answer("cert", Answer::status(403));
    run(&mut world, 48, 6);
    assert_eq!(world.mailbox("jon").len(), 1, "{:?}", world.mailbox("jon"));
    assert!(world.mailbox("maria").is_empty(), "{:?}", world.mailbox("maria"));
}

#[test]
fn what_a_digest_told_that_never_left_is_told_again() {
    let mut world = World::company(MONDAY).feed("cert", "unmatched = \"none\"");
    world.answer("cert", Answer::status(403));
    world.smtp.script(Stage::Rcpt, Act::reply(550, "5.1.1 no such user"));
    run(&mut world, 60, 6);
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 1, "the first was refused, the second told it: {mails:?}");
    assert!(unwrapped(&mails[0]).contains("New: Cert: refused"), "{}", mails[0]);
}

/// How a feed of the sixty days behaves: on which days it publishes, and when it falls silent.
struct Habit {
    id: &'static str,
    more: &'static str,
    publishes: fn(usize) -> bool,
    silent_from: usize,
}

const HEALTHY: usize = 1_000;

/// Day 0 is a Monday.
const HABITS: [Habit; 9] = [
    Habit { id: "daily", more: "", publishes: |_| true, silent_from: HEALTHY },
    Habit { id: "weekdays", more: "", publishes: |day| day % 7 < 5, silent_from: HEALTHY },
    Habit { id: "weekly", more: "", publishes: |day| day % 7 == 1, silent_from: HEALTHY },
    Habit { id: "bursty", more: "", publishes: |day| [0, 1, 2, 6, 7].contains(&(day % 9)), silent_from: HEALTHY },
    // A holiday of three days in the fifth week.
    Habit { id: "archive", more: "", publishes: |day| day % 7 < 5 && !(30..33).contains(&day), silent_from: HEALTHY },
    Habit { id: "daily-dies", more: "", publishes: |_| true, silent_from: 35 },
    Habit { id: "weekdays-die", more: "", publishes: |day| day % 7 < 5, silent_from: 38 },
    Habit { id: "weekly-dies", more: "expect = \"10d\"", publishes: |day| day % 7 == 1, silent_from: 30 },
    Habit { id: "bursts-die", more: "", publishes: |day| [0, 1, 2, 6, 7].contains(&(day % 9)), silent_from: 37 },
];

#[test]
fn p_20_in_sixty_days_each_feed_that_falls_silent_is_told_once_and_no_healthy_one_is() {
    let mut world = World::company("2026-08-03T05:00:00Z");
    for habit in &HABITS {
        world = world.feed(habit.id, &format!("unmatched = \"none\"\nevery = \"11h\"\n{}", habit.more));
    }
    let mut published: BTreeMap<&str, usize> = BTreeMap::new();
    for day in 0..60 {
        for habit in HABITS.iter().filter(|habit| day == 0 || (day < habit.silent_from && (habit.publishes)(day))) {
            let newest = published.entry(habit.id).or_insert(10);
            *newest += 1;
            world.publish(habit.id, &numbered(*newest - 10..=*newest));
        }
        for _ in 0..2 {
            world.tick();
            world.wait(HOUR * 12);
        }
    }
    let told = world.mailbox("maria").iter().map(|mail| unwrapped(mail)).collect::<Vec<_>>().join("\n");
    for habit in &HABITS {
        let mut name = habit.id.replace('-', " ");
        name.get_mut(..1).unwrap().make_ascii_uppercase();
        let lines = told.matches(&format!("New: {name}: silent since")).count();
        assert_eq!(lines, usize::from(habit.silent_from != HEALTHY), "{name}: {told}");
    }
    assert_eq!(told.matches("New: ").count(), 4, "{told}");
    assert!(!told.contains("Please act"), "{told}");
    assert!(told.contains("Subject: Silent: Weekly dies since "), "{told}");
    assert!(told.contains("Subject: Quiet week 40: 4 of 9 feeds silent for too long"), "{told}");
    assert_eq!(world.records_of("feed-state").len(), 4, "a weekend is no evidence");
    let mut stale: Vec<(&str, String)> = HABITS
        .iter()
        .filter(|habit| habit.silent_from != HEALTHY)
        .map(|habit| ("feed-stale", habit.id.to_owned()))
        .collect();
    stale.sort();
    assert_eq!(reasons(&mut world), stale);

    let context = world.context();
    let mut out = Vec::new();
    let code = cli::status::print(&context.store, &context.config, (context.now(), None), false, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(code, 4);
    assert!(
        text.contains("`expect` allows 10 days") && text.contains("4 things want attention: 5 of 9 feeds seen"),
        "{text}"
    );

    world.publish("daily-dies", &numbered(60..=70));
    world.tick();
    run(&mut world, 96, 12);
    let told = world.mailbox("maria").iter().map(|mail| unwrapped(mail)).collect::<Vec<_>>().join("\n");
    assert_eq!(told.matches("Daily dies: seen again since").count(), 1, "{told}");
    assert!(told.contains("it was silent."), "{told}");
}

/// Whether every command that a text advises can be typed as it stands; how many there are.
fn typeable(text: &str) -> usize {
    let commands: Vec<&str> = text.split('`').filter(|words| words.starts_with("sigtrail ")).collect();
    for command in &commands {
        let parsed = Args::try_parse_from(command.split(' '));
        assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
    }
    commands.len()
}

#[test]
fn every_command_that_is_advised_can_be_typed_as_it_stands() {
    let mut world = World::company(MONDAY).feed("cert", "");
    let config = world.context().config;
    let feed = config.feed(&"cert".into()).unwrap();
    let mut commands = 0;
    for (_, state) in FeedState::ALL {
        for cause in ["", "refused by our own rules: its address is not public"] {
            let unpolled = FeedStatus::unpolled(FeedNo(1), "cert".into(), world.clock.now());
            let status = FeedStatus { state, cause: cause.to_owned(), ..unpolled };
            commands += typeable(&health::advice(feed, &status).unwrap_or_default());
        }
    }
    assert!(commands >= 10, "{commands}");
}

#[test]
fn advice_is_about_the_cause() {
    let mut world = World::company(MONDAY).feed("inside", "").feed("port", "").feed("cut", "");
    let whole = numbered(1..=10);
    world.answer("cut", Answer::ok(whole.get(..whole.len() / 2).unwrap()));
    world.answer("inside", Answer::redirect(302, "http://127.0.0.9/inside"));
    world.answer("port", Answer::redirect(302, "http://127.0.0.2:9/port"));
    world.edit("settings", "allow_ports = []", &format!("allow_ports = [80, {}]", world.server.port()));
    world.tick();
    let context = world.context();
    jobs::poll::poll(&context, Some(&["cut".into()]), &mut |_| {}).unwrap();
    let told: Vec<(String, String)> =
        found(&mut world).attention.into_iter().map(|one| (one.subject, one.text)).collect();
    for (feed, words) in [
        ("inside", "If sigtrail shall ask there, name its address in `allow_addresses`"),
        ("port", "If sigtrail shall ask there, name its port in `allow_ports`"),
        ("cut", "raise `max_wire`, `max_decoded` or `timeout`"),
    ] {
        let (_, text) = told.iter().find(|(subject, _)| subject == feed).unwrap();
        assert!(text.contains(words) && !text.contains("Ask the publisher to let"), "{text}");
    }
    let unpolled = FeedStatus::unpolled(FeedNo(1), "cut".into(), world.clock.now());
    let status = FeedStatus { state: FeedState::Broken, cause: format!("TLS: {NO_AUTHORITIES}"), ..unpolled };
    let advice = health::advice(context.config.feed(&"cut".into()).unwrap(), &status).unwrap();
    assert!(advice.contains("Install ca-certificates on this machine") && !advice.contains("`url`"), "{advice}");
}

#[test]
fn status_names_each_reason_and_is_well_when_nothing_wants_attention() {
    let mut world = World::company(MONDAY).feed("cert", "owner = \"maria\"\nunmatched = \"owner\"");
    world.publish("cert", &numbered(1..=3));
    world.smtp.down();
    world.tick();
    assert_eq!(reasons(&mut world), []);
    let context = world.context();
    let mut out = Vec::new();
    assert_eq!(cli::status::print(&context.store, &context.config, (context.now(), None), true, &mut out).unwrap(), 0);
    assert!(out.is_empty(), "no attention, no line");
    cli::status::print(&context.store, &context.config, (context.now(), None), false, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("All is well: 1 of 1 feed seen, newest poll "), "{text}");

    world.wait(HOUR * 5);
    let sigtrail = || "sigtrail".to_owned();
    assert_eq!(
        reasons(&mut world),
        [("nothing-polled", sigtrail()), ("mail-server-down", sigtrail()), ("delivery-waiting", "maria".to_owned())]
    );
    world.publish("cert", &numbered(1..=4));
    jobs::poll::poll(&world.context(), None, &mut |_| {}).unwrap();
    world.wait(HOUR * 3);
    let attention = found(&mut world).attention;
    let names: Vec<&str> = attention.iter().map(|one| one.reason.as_str()).collect();
    assert!(names.contains(&"log-checkpoint-old"), "{names:?}");
    assert_eq!(attention.iter().map(|one| typeable(&one.text)).sum::<usize>(), 2, "{attention:?}");
    world.smtp.up();
    world.smtp.script_times(Stage::Rcpt, 8, Act::reply(550, "5.1.1 no such user"));
    world.tick();
    let given_up = |owner: &str| ("delivery-given-up", owner.to_owned());
    assert_eq!(
        reasons(&mut world),
        [given_up("jon"), given_up("maria")],
        "her deputy is asked at once, and out of reach as well"
    );
    for (state, name) in [
        (Answer::status(404), "feed-gone"),
        (Answer::status(403), "feed-refused"),
        (Answer::status(500), "feed-broken"),
        (Answer::status(429), "feed-throttled"),
        (html("<title>Hello</title>"), "not-a-feed"),
    ] {
        world.answer("cert", state);
        let context = world.context();
        jobs::poll::poll(&context, Some(&["cert".into()]), &mut |_| {}).unwrap();
        let names: Vec<&str> = found(&mut world).attention.iter().map(|one| one.reason.as_str()).collect();
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    // Those of the mailbox that mails come back to are shown in `inbound.rs`.
    assert_eq!(Reason::ALL.len(), 23);
}

/// Texts that want out of an error message: markup, control sequences, forged lines, turned text.
const HOSTILE: [&str; 20] = [
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&lt;img src=x onerror=alert(1)&gt;",
    "\"&gt;&lt;a href=https://evil.example&gt;click&lt;/a&gt;",
    "' onmouseover='alert(1)",
    "&#27;[31mred&#27;[0m",
    "&#27;]8;;https://evil.example&#7;link&#27;]8;;&#7;",
    "\u{1b}[2J\u{1b}[H",
    "a&#13;&#10;Bcc: somebody@evil.example",
    "a\nERROR sigtrail: forged",
    "\u{202e}txt.exe",
    "\u{2066}turned\u{2069}",
    "\u{200b}zero\u{200d}width\u{feff}",
    "&amp;lt;b&amp;gt;twice&amp;lt;/b&amp;gt;",
    "javascript:alert(1)",
    "{{7*7}}{% raw %}",
    "%s%n%x",
    "&lt;/title&gt;&lt;/head&gt;&lt;body&gt;",
    "&lt;!--",
    "&#0;&#8;&#127;&#x85;&#x2028;",
    "=cmd|' /C calc'!A0",
];

#[test]
fn h_47_hostile_text_in_errors_is_inert_in_mail_terminal_and_json() {
    let mut world = World::company(MONDAY);
    for (n, text) in HOSTILE.iter().enumerate() {
        let id = format!("feed{n}");
        world = world.feed(&id, "unmatched = \"none\"");
        if n % 2 == 0 {
            world.answer(&id, html(&format!("<title>{text}</title>")));
        } else {
            world.answer(&id, Answer::ok(rss(&[(&format!("Bridge returned error {text}!"), "x", "-")])));
        }
    }
    let report = world.tick();
    assert!(report.poll.feeds.iter().all(|feed| !feed.state.is_seen()));
    run(&mut world, 48, 12);

    let is_calm = |c: char| {
        c == '\n' || !(c.is_control() || "\u{202e}\u{2066}\u{2069}\u{200b}\u{200d}\u{feff}\u{2028}".contains(c))
    };
    let (context, mut shown) = (world.context(), Vec::new());
    for json in [false, true] {
        for width in [None, Some(80)] {
            cli::status::print(&context.store, &context.config, (context.now(), width), json, &mut shown).unwrap();
        }
    }
    let mut shown = String::from_utf8(shown).unwrap();
    let mut listed = Vec::new();
    cli::poll::write_feeds(&report.poll, &mut listed).unwrap();
    shown.push_str(&String::from_utf8(listed).unwrap());
    for line in shown.lines() {
        assert!(line.chars().all(is_calm), "{line:?}");
        assert!(!line.starts_with("ERROR") && !line.starts_with("Bcc"), "{line:?}");
    }

    let mails = world.smtp.mailbox("maria@example.com");
    assert_eq!(mails.len(), 1);
    let message = mail_parser::MessageParser::default().parse(&mails[0].raw).unwrap();
    let (text, html) = (message.body_text(0).unwrap(), message.body_html(0).unwrap());
    assert!(text.contains("could not be seen"), "{text}");
    assert!(text.replace("\r\n", "\n").chars().all(is_calm), "{text:?}");
    for markup in ["<script", "<img", "<a href=https://evil", "href=\"https://evil", "</body><body>"] {
        assert!(!html.contains(markup), "{markup}: {html}");
    }
    assert_eq!(html.matches("<title").count(), 1);
    assert_eq!(html.matches("</title>").count(), 1);
    assert_eq!(message.headers_raw().filter(|(name, _)| name.eq_ignore_ascii_case("bcc")).count(), 0);
}
