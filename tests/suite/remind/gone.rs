//! What follows when somebody has gone: what they leave behind, what is asked of whoever stands in, and what a clock did
//! that was wrong for a while.

use sigtrail::{
    jobs::{
        acknowledge::{Shown, page, record_of_form},
        status::{Reason, status},
    },
    model::{
        acknowledgement::{Answer, Disposition, Haste, Recorded, Via},
        id::{DigestNo, OwnerId, StoryNo},
    },
};

use super::{CALM, MONDAY, answer, company, digests, hand_overs, live_until, open, publish, with};
use crate::harness::{
    smtp_server::{Act, Stage},
    world::{World, rss},
};

fn owners(world: &mut World) -> Vec<String> {
    open(world).iter().map(|row| row.owner.to_string()).collect()
}

fn flat(mail: &str) -> String {
    mail.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Maria, who is the fallback, and Jon, who stands in for her and has taken over a story that she did not answer.
fn taken_over_by_jon() -> World {
    let mut world = World::at(MONDAY)
        .owner("maria", "Maria Lopez", "deputy = \"jon\"")
        .owner("jon", "Jon Bright", "")
        .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
        .feed("cert", "unmatched = \"none\"\nbaseline = 0")
        .reminding();
    world.publish("cert", &rss(&[("Old advice", "old", "Nothing.")]));
    world.tick();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-21T12:00:00Z");
    assert_eq!(owners(&mut world), ["jon"]);
    world
}

fn jon_leaves(world: &mut World) {
    world.edit("owners", "id = \"jon\"", "id = \"jon\"\nuntil = 2026-11-22");
    world.restart();
}

#[test]
fn what_somebody_leaves_behind_goes_back_even_to_whoever_passed_it_on() {
    let mut world = taken_over_by_jon();
    jon_leaves(&mut world);
    live_until(&mut world, "2026-11-23T12:00:00Z");
    assert_eq!(owners(&mut world), ["maria"], "{:?}", digests(&mut world));
    assert_eq!(hand_overs(&mut world), ["no-answer", "left"]);
    let mails = world.news("maria").len();
    live_until(&mut world, "2026-12-10T12:00:00Z");
    assert_eq!(owners(&mut world), ["maria"], "it stays with the last");
    assert_eq!(world.news("maria").len(), mails + 1, "one reminder: {:?}", digests(&mut world));
}

#[test]
fn a_mail_to_whoever_passed_it_on_once_and_has_it_again_is_told_again_when_it_fails() {
    let mut world = taken_over_by_jon();
    world.smtp.always_for("maria@example.com", Act::reply(550, "5.1.1 no such user"));
    jon_leaves(&mut world);
    live_until(&mut world, "2026-11-22T12:00:00Z");
    let before = world.news("maria").len();
    world.smtp.behave();
    live_until(&mut world, "2026-11-23T12:00:00Z");
    assert_eq!(world.news("maria").len(), before + 1, "{:?}", digests(&mut world));
    assert!(world.news("maria")[before].contains(CALM.0));
    assert_eq!(owners(&mut world), ["maria"]);
}

#[test]
fn who_stands_in_is_asked_for_the_others_share_although_they_answered_their_own() {
    let mut world = with(super::AWAY);
    let jons = ("libmarrow: CVE-2099-10007", "c1", "A crash.");
    publish(&world, &[jons]);
    live_until(&mut world, "2026-11-17T12:00:00Z");
    let told = open(&mut world).remove(0);
    assert_eq!(told.owner.as_str(), "jon");
    answer(&mut world, "jon", told.digest.0, told.story.0);
    live_until(&mut world, "2026-11-18T09:00:00Z");
    publish(&world, &[jons, ("Quillgate: CVE-2099-10007", "c2", "The same in another place.")]);
    live_until(&mut world, "2026-11-19T12:00:00Z");
    assert_eq!(owners(&mut world), ["jon"], "Maria is away: {:?}", digests(&mut world));
    let last = flat(world.news("jon").last().unwrap());
    assert!(last.contains("Quillgate VPN belongs to Maria Lopez"), "{last}");
    live_until(&mut world, "2026-11-20T12:00:00Z");
    let mails = world.news("jon").len();
    world.publish(
        "cert",
        &rss(&[("Old advice", "old", "Nothing."), jons, ("Quillgate: CVE-2099-10007", "c2", "Same.")]),
    );
    live_until(&mut world, "2026-11-21T12:00:00Z");
    assert_eq!(world.news("jon").len(), mails, "once");
}

#[test]
fn an_answer_after_a_change_and_before_its_mail_answers_the_change() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-17T09:00:00Z");
    publish(&world, &[(CALM.0, CALM.1, "A list of names. Fixed in 9.1.4.")]);
    live_until(&mut world, "2026-11-17T11:00:00Z");
    answer(&mut world, "maria", 1, 2);
    live_until(&mut world, "2026-11-18T12:00:00Z");
    assert_eq!(digests(&mut world).last().unwrap(), "18 08:00 scheduled maria", "she is told all the same");
    assert!(world.news("maria").last().unwrap().contains("9.1.4"));
    assert!(open(&mut world).is_empty(), "and asked for nothing");
    let context = world.context();
    let again = page(&context.store, &context.config, DigestNo(2), Shown::Open).unwrap().unwrap();
    assert_eq!((again.places.len(), again.open()), (1, 0));
    live_until(&mut world, "2026-11-30T12:00:00Z");
    assert_eq!(hand_overs(&mut world), Vec::<String>::new());
    assert!(world.records_of("reminded").is_empty());
}

#[test]
fn an_answer_to_a_change_that_waits_answers_no_later_change() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-17T09:00:00Z");
    publish(&world, &[(CALM.0, CALM.1, "A list of names. Fixed in 9.1.4.")]);
    live_until(&mut world, "2026-11-17T11:00:00Z");
    answer(&mut world, "maria", 1, 2);
    publish(&world, &[(CALM.0, CALM.1, "A list of names. Fixed in 9.1.4. CVE-2099-10007, CVE-2099-10008.")]);
    live_until(&mut world, "2026-11-18T12:00:00Z");
    assert!(world.news("maria").last().unwrap().contains("CVE-2099-10008"));
    assert_eq!(owners(&mut world), ["maria"], "she did not know of the last change when she answered");
    live_until(&mut world, "2026-11-25T12:00:00Z");
    assert_eq!(hand_overs(&mut world), ["no-answer"]);
}

#[test]
fn a_share_that_comes_to_somebody_who_answered_a_change_that_waits_is_asked_of_them() {
    let mut world = company();
    let both = |text| [("Quillgate and libmarrow leak names", "b1", text)];
    publish(&world, &both("Both of them."));
    live_until(&mut world, "2026-11-18T09:00:00Z");
    publish(&world, &both("Both of them. Fixed in 9.1.4."));
    live_until(&mut world, "2026-11-18T11:00:00Z");
    let jons = open(&mut world).into_iter().map(|row| (row.owner.to_string(), row.digest.0, row.story.0));
    let told: Vec<(String, i64, i64)> = jons.collect();
    assert!(told.is_empty(), "the change waits for the hour: {told:?}");
    answer(&mut world, "jon", 2, 2);
    world.edit("owners", "id = \"maria\"", "id = \"maria\"\naway = [{ from = 2026-11-19, to = 2026-12-31 }]");
    world.restart();
    live_until(&mut world, "2026-11-20T12:00:00Z");
    assert_eq!(owners(&mut world), ["jon"], "for Maria's share: {:?}", digests(&mut world));
}

#[test]
fn a_reminder_that_waits_for_the_server_gives_nothing_away_that_can_wait_for_the_return() {
    let mut world = with("away = [{ from = 2026-11-20, to = 2026-11-20 }]");
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-19T07:30:00Z");
    world.smtp.always(Stage::Greeting, Act::reply(421, "4.3.2 try later"));
    live_until(&mut world, "2026-11-19T12:00:00Z");
    assert_eq!(digests(&mut world).last().unwrap(), "19 08:00 reminder maria");
    world.smtp.behave();
    world.wait_until("2026-11-20T00:10:00Z");
    world.tick();
    live_until(&mut world, "2026-11-20T23:30:00Z");
    assert_eq!(hand_overs(&mut world), Vec::<String>::new());
    assert_eq!(world.news("maria").len(), 1, "nothing is sent to who is away");
    live_until(&mut world, "2026-11-23T12:00:00Z");
    assert_eq!(digests(&mut world).last().unwrap(), "23 08:00 reminder maria", "{:?}", digests(&mut world));
}

#[test]
fn status_says_nothing_of_the_address_of_somebody_who_has_left() {
    let mut world = company();
    world.smtp.always_for("jon@example.com", Act::reply(550, "5.1.1 no such user"));
    publish(&world, &[("libmarrow crash", "m1", "Long names.")]);
    live_until(&mut world, "2026-11-17T12:00:00Z");
    let given_up = |world: &mut World| {
        let context = world.context();
        let found = context.store.read(|read| status(read, &context.config, context.now())).unwrap();
        found.attention.iter().filter(|one| one.reason == Reason::DeliveryGivenUp).count()
    };
    assert_eq!(given_up(&mut world), 1);
    world.edit("owners", "id = \"jon\"", "id = \"jon\"\nuntil = 2026-11-18");
    world.edit("stack", "owner = \"jon\"", "owner = \"ines\"");
    world.restart();
    live_until(&mut world, "2026-11-18T12:00:00Z");
    assert_eq!(given_up(&mut world), 0, "no mail will ever go there");
}

#[test]
fn a_story_that_came_while_the_clock_was_ahead_can_be_answered_once_it_is_right() {
    let mut world = company();
    world.wait_until("2031-01-01T07:00:00Z");
    publish(&world, &[CALM]);
    live_until(&mut world, "2031-01-01T09:00:00Z");
    world.wait_until("2026-11-17T09:00:00Z");
    world.tick();
    let context = world.context();
    let form = Answer {
        owner: OwnerId::new("maria"),
        digest: Some(DigestNo(1)),
        stories: vec![StoryNo(2)],
        disposition: Disposition::Acted,
        note: None,
        references: Vec::new(),
        corrects: None,
        happened: None,
        nonce: "n".to_owned(),
        via: Via::Link,
        haste: Haste::None,
    };
    let recorded = record_of_form(&context.store, &form, Some(context.now()), context.now()).unwrap();
    assert!(matches!(recorded, Recorded::New { .. }), "{recorded:?}");
}

#[test]
fn an_address_that_failed_first_while_the_clock_was_ahead_is_given_up_a_day_after_it_is_right() {
    let mut world = company();
    world.smtp.always_for("maria@example.com", Act::reply(451, "4.3.0 try later"));
    world.wait_until("2031-01-01T07:00:00Z");
    publish(&world, &[CALM]);
    live_until(&mut world, "2031-01-01T09:00:00Z");
    world.wait_until("2026-11-17T09:00:00Z");
    live_until(&mut world, "2026-11-19T09:00:00Z");
    assert_eq!(hand_overs(&mut world), ["undelivered"], "{:?}", digests(&mut world));
}

#[test]
fn a_mail_that_failed_while_the_clock_was_ahead_makes_no_flood_of_mails() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-21T08:00:00Z");
    world.smtp.always_for("maria@example.com", Act::reply(550, "5.1.1 no such user"));
    world.wait_until("2031-01-02T08:30:00Z");
    world.tick();
    let passed = |world: &mut World| digests(world).iter().filter(|line| line.ends_with("passed maria")).count();
    assert_eq!(passed(&mut world), 1, "{:?}", digests(&mut world));
    world.wait_until("2026-11-21T09:00:00Z");
    live_until(&mut world, "2026-11-21T20:00:00Z");
    assert!(passed(&mut world) <= 2, "{:?}", digests(&mut world));
}
