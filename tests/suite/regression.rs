//! Faults that were found once: each test plays the story in which one showed itself.

use std::sync::Arc;

use jiff::SignedDuration;
use sigtrail::{
    jobs::{
        self,
        acknowledge::{self, Shown},
        poll,
    },
    model::id::{DigestNo, FeedId},
};

use crate::harness::{
    feed_server::Answer,
    smtp_server::{Act, Stage},
    world::{World, rss},
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// After the hour of the digests, so that what comes later waits until Monday.
const FRIDAY: &str = "2026-11-20T09:00:00Z";

fn advisories(n: usize, text: &str) -> String {
    let items: Vec<(String, String)> =
        (1..=n).map(|i| (format!("Advisory {i} for Quillgate"), format!("a{i}"))).collect();
    let items: Vec<(&str, &str, &str)> = items.iter().map(|(a, b)| (a.as_str(), b.as_str(), text)).collect();
    rss(&items)
}

/// Maria, and her deputy Jon who may see everything.
fn company(maria: &str) -> World {
    World::at(FRIDAY)
        .owner("maria", "Maria Lopez", &format!("deputy = \"jon\"\n{maria}"))
        .owner("jon", "Jon Bright", "tlp = \"RED\"")
        .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
        .component("libmarrow", "libmarrow", "jon", &["libmarrow"])
}

#[test]
fn a_label_binds_after_its_feed_left_the_configuration() {
    let mut world = company("").feed("open", "").feed("closed", "tlp = \"RED\"");
    world.publish("open", &rss(&[("CVE-2099-10001: Quillgate", "open", "Known to all.")]));
    world.publish("closed", &rss(&[("CVE-2099-10001: Quillgate", "secret", "Known to few, with CVE-2099-10002.")]));
    world.tick();
    let url = world.server.url("/closed");
    let block =
        format!("[[feed]]\nid = \"closed\"\nname = \"Closed\"\nurl = \"{url}\"\nowner = \"maria\"\ntlp = \"RED\"\n");
    world.edit("feeds", &block, "");
    world.restart();
    let context = world.context();
    for digest in [1, 2] {
        let Some(page) = acknowledge::page(&context.store, &context.config, DigestNo(digest), Shown::From(1)).unwrap()
        else {
            continue;
        };
        if page.owner.as_str() == "maria" {
            let said = format!("{:?}", page.stories);
            assert!(said.contains("cert.example/open"), "{said}");
            assert!(!said.contains("secret") && !said.contains("10002"), "{said}");
        }
    }
}

#[test]
fn what_a_withdrawn_digest_listed_is_told_by_the_next_one() {
    let mut world = World::company(FRIDAY).feed("cert", "");
    world.publish("cert", &rss(&[("Gardening for beginners", "g1", "Spades."), ("Quillgate fix", "q1", "Text.")]));
    world.smtp.always(Stage::Data, Act::reply(451, "4.3.0 later"));
    world.tick();
    world.smtp.behave();
    world.edit("owners", "maria@example.com", "lopez@example.com");
    world.restart();
    world.wait(HOUR);
    world.tick();
    world.wait(SignedDuration::from_mins(1));
    world.tick();
    let mails = world.mailbox("lopez");
    assert_eq!(mails.len(), 1, "what was due is due still: {mails:?}");
    assert!(mails[0].contains("Quillgate fix") && mails[0].contains("Gardening for beginners"), "{}", mails[0]);
    assert!(world.mailbox("maria").is_empty());
}

#[test]
fn a_line_that_a_later_digest_told_does_not_wait_again_when_an_earlier_one_is_refused() {
    let mut world = World::company(FRIDAY).feed("cert", "");
    let document = |more: &str| rss(&[("Gardening for beginners", "g1", &format!("How to hold a spade. {more}"))]);
    world.publish("cert", &document(""));
    world.smtp.always(Stage::Data, Act::reply(451, "4.3.0 later"));
    world.tick();
    world.smtp.behave();
    world.publish("cert", &document("It is being exploited in the wild."));
    world.smtp.script(Stage::Data, Act::reply(451, "4.3.0 later"));
    world.wait_until("2026-11-23T08:00:00Z");
    world.tick();
    assert_eq!(world.mailbox("maria").len(), 1, "the second digest, while the first is tried again");
    world.smtp.script(Stage::Data, Act::reply(550, "5.7.1 not this one"));
    world.wait(HOUR * 6);
    world.tick();
    assert_eq!(world.records_of("delivery-ended").len(), 1);
    world.wait_until("2026-11-24T08:00:00Z");
    world.tick();
    assert_eq!(world.mailbox("maria").len(), 1, "{:?}", world.mailbox("maria"));
}

#[test]
fn a_withdrawal_names_nobody_in_the_open() {
    let mut world = company("until = 2026-11-22").feed("cert", "");
    world.publish("cert", &rss(&[("Quillgate fix", "q1", "Text.")]));
    world.smtp.always(Stage::Data, Act::reply(451, "4.3.0 later"));
    world.edit("owners", "fallback = \"maria\"", "fallback = \"jon\"");
    world.tick();
    world.smtp.behave();
    world.wait_until("2026-11-23T08:00:00Z");
    world.tick();
    let ended = world.records_of("delivery-ended");
    assert_eq!(ended.len(), 1, "{ended:?}");
    for record in world.records() {
        let open = record["fields"].to_string();
        for personal in ["maria", "Maria", "Lopez", "jon", "Bright"] {
            assert!(!open.contains(personal), "{personal} stands open in {record}");
        }
    }
    world.wait(SignedDuration::from_mins(1));
    world.tick();
    let mails = world.mailbox("jon");
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("It was meant for Maria Lopez"), "the deputy reads why: {}", mails[0]);
}

#[test]
fn a_label_that_rose_keeps_listed_lines_from_leaving() {
    let mut world = company("").feed("cert", "tlp = \"GREEN\"");
    world.publish("cert", &rss(&[("Gardening for beginners", "g1", "Spades."), ("Quillgate fix", "q1", "Text.")]));
    world.publish("other", &rss(&[("Quillgate note", "n1", "Text.")]));
    world.add_feed("other", "");
    world.smtp.always(Stage::Data, Act::reply(451, "4.3.0 later"));
    world.tick();
    world.smtp.behave();
    world.edit("feeds", "tlp = \"GREEN\"", "tlp = \"RED\"");
    world.restart();
    world.wait(HOUR);
    world.tick();
    world.wait(SignedDuration::from_mins(1));
    world.tick();
    let (maria, jon) = (world.mailbox("maria").join("\n"), world.mailbox("jon").join("\n"));
    assert!(!maria.contains("Gardening") && !maria.contains("Quillgate fix"), "{maria}");
    assert!(maria.contains("Quillgate note"), "the rest goes out at once: {maria}");
    assert!(maria.contains("Jon Bright"), "and says whom to ask: {maria}");
    assert!(jon.contains("Gardening") && jon.contains("Quillgate fix"), "{jon}");
}

#[test]
fn a_label_that_rose_while_a_story_waited_delays_no_other() {
    let mut world = company("").feed("cert", "tlp = \"GREEN\"").feed("other", "");
    world.publish("cert", &rss(&[("Quillgate one", "q1", "Text.")]));
    world.publish("other", &rss(&[("libmarrow and Quillgate", "n1", "Text.")]));
    world.tick();
    world.wait(HOUR * 3);
    world.publish("cert", &rss(&[("Quillgate secret", "q2", "Text.")]));
    world.publish("other", &rss(&[("Quillgate second note", "n2", "Text.")]));
    world.tick();
    world.edit("feeds", "tlp = \"GREEN\"", "tlp = \"RED\"");
    world.restart();
    world.wait_until("2026-11-23T08:00:00Z");
    world.tick();
    let (maria, jon) = (world.mailbox("maria"), world.mailbox("jon"));
    assert_eq!(maria.len(), 2);
    assert!(maria[1].contains("second note") && !maria[1].contains("secret"), "{}", maria[1]);
    assert!(jon.join("\n").contains("Quillgate secret"), "{jon:?}");
    assert!(world.records_of("delivery-ended").is_empty(), "nothing had to be withdrawn");
}

#[test]
fn a_deputy_who_has_the_story_is_not_given_it_twice() {
    let mut world = company("until = 2026-11-22").feed("cert", "");
    world.edit("owners", "fallback = \"maria\"", "fallback = \"jon\"");
    world.publish("cert", &rss(&[("Quillgate and libmarrow", "q1", "Text.")]));
    world.tick();
    world.wait(HOUR * 3);
    world.publish("cert", &rss(&[("Quillgate and libmarrow again", "q2", "Text.")]));
    world.tick();
    world.wait_until("2026-11-23T08:00:00Z");
    let report = world.tick();
    let stories: Vec<usize> = report.digests.digests.iter().map(|digest| digest.stories).collect();
    assert_eq!(stories, [1], "{:?}", report.digests);
}

#[test]
fn a_digest_that_cannot_be_composed_stops_no_other() {
    let mut world = company("").feed("cert", "");
    world.publish("cert", &rss(&[("Quillgate and libmarrow", "q1", "Text.")]));
    let mut context = world.context();
    let mut config = (*context.config).clone();
    config.owners[0].address = "no address".to_owned();
    context.config = Arc::new(config);
    poll::poll(&context, None, &mut |_| {}).unwrap();
    let (digests, deliveries) = jobs::mail_due(&context).unwrap();
    assert_eq!(digests.failed.len(), 1, "{digests:?}");
    assert_eq!(deliveries.deliveries.len(), 1);
    assert_eq!(world.mailbox("jon").len(), 1);
}

#[test]
fn a_first_document_that_was_cut_brings_no_flood_with_the_next_one() {
    let mut world = World::company(FRIDAY).feed("cert", "every = \"1h\"");
    let whole = advisories(40, "Text.");
    world.answer("cert", Answer::ok(whole.get(..whole.len() / 4).unwrap()));
    world.tick();
    world.answer("cert", Answer::ok(&whole));
    world.wait(HOUR * 2);
    let report = world.tick();
    assert!(report.poll.sum(|applied| applied.new) >= 20);
    assert!(report.poll.sum(|applied| applied.assigned) <= 3, "{:?}", report.poll);
    assert_eq!(world.stories().len(), 40);
    let last = advisories(41, "Text.");
    world.answer("cert", Answer::ok(&last));
    world.wait(HOUR * 2);
    assert_eq!(world.tick().poll.sum(|applied| applied.assigned), 1, "from then on what is new is news");
}

#[test]
fn a_page_of_old_entries_that_is_edited_as_a_whole_is_no_news() {
    let mut world = World::company(FRIDAY).feed("cert", "every = \"1h\"");
    world.answer("cert", Answer::ok(advisories(30, "Text.")));
    world.tick();
    world.answer("cert", Answer::ok(advisories(30, "Text. Follow us on the usual channels.")));
    world.wait(HOUR * 2);
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.revised), 30);
    assert_eq!(report.poll.sum(|applied| applied.baseline), 27, "{:?}", report.poll);
    world.answer("cert", Answer::ok(advisories(30, "Text. CVSS score: 9.8.")));
    world.wait(HOUR * 2);
    let report = world.tick();
    assert_eq!(
        report.poll.sum(|applied| applied.baseline),
        27,
        "a score in every entry at once is how they are written"
    );
    world.answer("cert", Answer::ok(advisories(30, "Text. It is actively exploited.")));
    world.wait(HOUR * 2);
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.assigned), 30, "what became worse is news");
}

#[test]
fn a_story_is_not_listed_to_its_owner_as_well() {
    let mut world = World::company(FRIDAY).feed("cert", "").feed("maker", "");
    world.publish("cert", &rss(&[("CVE-2099-10001: a gateway", "c1", "Sign-in bypass.")]));
    world.publish("maker", &rss(&[("CVE-2099-10001: Quillgate", "m1", "Sign-in bypass.")]));
    world.tick();
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 1);
    assert!(!mails[0].to_uppercase().contains("ALSO PUBLISHED"), "{}", mails[0]);
}

#[test]
fn an_answer_from_an_address_that_was_changed_meanwhile_is_dropped() {
    let mut world = World::company(FRIDAY).feed("cert", "");
    world.answer("cert", Answer::ok(advisories(5, "Text.")).etag("\"old\""));
    let old = world.context();
    world.edit("feeds", "/cert\"", "/new\"");
    world.answer("new", Answer::ok(advisories(5, "Text.")).etag("\"new\""));
    world.restart();
    poll::poll(&old, None, &mut |_| {}).unwrap();
    world.wait(HOUR * 2);
    let report = world.tick();
    assert_eq!(world.server.requests("/new")[0].header("if-none-match"), None);
    assert_eq!(report.poll.sum(|applied| applied.new), 5);
}

#[test]
fn two_urgent_digests_of_one_moment_do_not_collide() {
    let mut world =
        World::company(FRIDAY).stack("[[route]]\nwhen = { tag = [\"quillgate\"] }\nto = [\"maria\"]\nurgent = true\n");
    world = world.feed("cert", "");
    world.publish("cert", &advisories(1, "Text."));
    world.tick();
    let context = world.context();
    for n in 2..=4 {
        world.publish("cert", &advisories(n, "Text."));
        poll::poll(&context, Some(&[FeedId::new("cert")]), &mut |_| {}).unwrap();
        jobs::mail_due(&context).unwrap();
    }
    assert_eq!(world.mailbox("maria").len(), 4);
}

#[test]
fn two_polls_that_never_ended_make_a_feed_broken_and_asked_once_a_day() {
    let mut world = World::company(FRIDAY).feed("cert", "");
    world.publish("cert", &advisories(1, "Text."));
    let context = world.context();
    for _ in 0..3 {
        let now = context.now();
        context.store.write(|write| write.claim_polls(None, &context.config, &|_, _| true, now)).unwrap();
        world.wait(HOUR * 2);
    }
    let feeds = context.store.read(|read| read.feeds()).unwrap();
    assert_eq!(feeds[0].state.as_str(), "broken");
    assert_eq!(world.records_of("feed-state").len(), 1);
    assert!(world.tick().poll.feeds.is_empty(), "it is not first in line for ever");
    world.wait(HOUR * 24);
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.new), 1);
    assert_eq!(report.poll.failed(), 0);
}

#[test]
fn what_somebody_else_got_instead_does_not_keep_texts_beyond_retention() {
    let mut world = company("until = 2026-11-22").feed("cert", "").settings("[retention]\nentries = \"30d\"");
    world.edit("owners", "fallback = \"maria\"", "fallback = \"jon\"");
    world.publish("cert", &rss(&[("Quillgate one", "q1", "Text.")]));
    world.tick();
    world.wait(HOUR * 3);
    world.publish("cert", &rss(&[("Quillgate two", "q2", "Text.")]));
    world.tick();
    world.wait(HOUR * 24 * 40);
    world.tick();
    world.tick();
    assert!(world.stories().iter().all(|story| story.title().is_none()), "the texts are gone");
}

#[test]
fn a_clock_that_was_years_ahead_leaves_nothing_waiting_for_years() {
    let mut world = World::company("2036-11-20T09:00:00Z").feed("cert", "");
    world.publish("cert", &advisories(1, "Text."));
    world.smtp.always(Stage::Data, Act::reply(451, "4.3.0 later"));
    world.tick();
    world.smtp.behave();
    world.wait_until("2026-11-20T09:00:00Z");
    world.publish("cert", &advisories(2, "Text."));
    world.tick();
    assert_eq!(world.mailbox("maria").len(), 1, "the digest that was put off goes out");
    world.wait(HOUR);
    world.tick();
    assert_eq!(world.stories().len(), 2, "the feed is asked within the hour");
    world.wait_until("2026-11-23T08:00:00Z");
    world.tick();
    let mails = world.mailbox("maria");
    assert!(mails.len() == 2 && mails[1].contains("Advisory 2"), "the next hour is the next hour: {mails:?}");
}

#[test]
fn an_owner_who_never_had_a_digest_learns_that_their_feeds_are_blind() {
    let mut world = World::company(FRIDAY).feed("cert", "");
    world.answer("cert", Answer::status(403));
    world.tick();
    world.wait(HOUR * 25);
    world.tick();
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].contains("403"), "{}", mails[0]);
    world.wait(HOUR * 24 * 3);
    world.tick();
    let mails = world.mailbox("maria");
    assert!(mails.len() == 2 && mails[1].contains("Please act"), "after three days they are asked to act: {mails:?}");
    world.wait(HOUR * 24 * 7);
    world.tick();
    assert_eq!(world.news("maria").len(), 2, "and is not told every day");
    let weekly = world.mailbox("maria").pop().unwrap();
    assert!(weekly.starts_with("Subject: Blind in week 49: 1 of 1 feeds not seen\n"), "but once a week: {weekly}");
}
