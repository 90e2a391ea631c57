//! Remind: who does not answer is reminded once, then somebody else is asked; who is away is stood in for; what is
//! urgent goes at once, within bounds. Days pass on a clock that is moved by hand.

mod anew;
mod gone;

use jiff::SignedDuration;
use serde_json::Value;
use sigtrail::{
    jobs::{self, unanswered::overdue},
    model::{
        acknowledgement::{Answer, Disposition, Haste, Recorded, Via},
        digest::DigestKind,
        id::{AssignmentNo, DigestNo, OwnerId, StoryNo},
        time::Time,
    },
    store::OpenRow,
};

use crate::harness::{
    smtp_server::{Act, Stage},
    world::{World, rss},
};

/// A Monday, an hour before anybody's digest.
const MONDAY: &str = "2026-11-16T07:00:00Z";

/// Maria (deputy Jon) has Quillgate, Jon has libmarrow; Ines is the fallback and has nothing. A first poll is over.
fn company() -> World {
    with("")
}

/// The same with more said of Maria.
fn with(more: &str) -> World {
    let mut world = World::at(MONDAY)
        .owner("maria", "Maria Lopez", &format!("deputy = \"jon\"\n{more}"))
        .owner("jon", "Jon Bright", "")
        .owner("ines", "Ines Ruiz", "")
        .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
        .component("libmarrow", "libmarrow", "jon", &["libmarrow"])
        .feed("cert", "unmatched = \"none\"\nbaseline = 0")
        .stack("[[route]]\nwhen = { tag = [\"quillgate\"], severity = \"critical\" }\nto = [\"maria\"]\nurgent = true")
        .reminding();
    world.edit("owners", "fallback = \"maria\"", "fallback = \"ines\"");
    world.publish("cert", &rss(&[("Old advice", "old", "Nothing.")]));
    world.tick();
    world
}

/// Publishes stories; one with "critical" in its text is urgent.
fn publish(world: &World, items: &[(&str, &str, &str)]) {
    world.publish("cert", &rss(&[&[("Old advice", "old", "Nothing.")], items].concat()));
}

const CALM: (&str, &str, &str) = ("Quillgate leaks names", "q1", "A list of names.");
const CALM_TOO: (&str, &str, &str) = ("Quillgate forgets sessions", "q2", "Everybody signs in again.");
const URGENT: (&str, &str, &str) = ("Quillgate sign-in bypass", "q9", "CVSS v3 base score 9.8, a crafted cookie.");

/// Ticks every half hour until this moment.
fn live_until(world: &mut World, moment: &str) {
    let end: Time = moment.parse().unwrap();
    while world.clock.now() < end {
        world.wait(SignedDuration::from_mins(30).min(end.duration_since(world.clock.now())));
        world.tick();
    }
}

/// Kind, owner and moment of every digest since the first poll, in order, but for the weekly signs of life.
fn digests(world: &mut World) -> Vec<String> {
    let context = world.context();
    let found = context.store.read(|read| {
        let mut rows = Vec::new();
        for no in read.digests(1_000)? {
            rows.extend(read.digest(no)?);
        }
        Ok(rows)
    });
    let mut rows = found.unwrap();
    rows.reverse();
    rows.retain(|row| row.kind != DigestKind::Heartbeat);
    rows.iter()
        .map(|row| format!("{} {} {}", row.composed_at.strftime("%d %H:%M"), row.kind.as_str(), row.owner))
        .collect()
}

fn open(world: &mut World) -> Vec<OpenRow> {
    world.context().store.read(|read| read.open_assignments()).unwrap()
}

/// The stories of a digest, by its place among all digests from the first on.
fn stories_of(world: &mut World, digest: i64) -> Vec<i64> {
    let row = world.context().store.read(|read| read.digest(DigestNo(digest))).unwrap().unwrap();
    row.stories.iter().map(|(story, _)| story.0).collect()
}

fn answer(world: &mut World, owner: &str, digest: i64, story: i64) {
    let context = world.context();
    let answer = Answer {
        owner: OwnerId::new(owner),
        digest: Some(DigestNo(digest)),
        stories: vec![StoryNo(story)],
        disposition: Disposition::Acted,
        note: None,
        references: Vec::new(),
        corrects: None,
        happened: None,
        nonce: format!("{owner}-{digest}-{story}-{}", context.now()),
        via: Via::Link,
        haste: Haste::None,
    };
    let recorded = jobs::acknowledge::record(&context.store, &answer, context.now()).unwrap();
    assert!(matches!(recorded, Recorded::New { .. } | Recorded::Passed), "{recorded:?}");
}

fn field<'v>(record: &'v Value, name: &str) -> &'v Value {
    &record["fields"][name]
}

/// Why stories changed hands, in order.
fn hand_overs(world: &mut World) -> Vec<String> {
    let records = world.records_of("handed-over");
    records.iter().map(|record| field(record, "why").as_str().unwrap().to_owned()).collect()
}

#[test]
fn who_does_not_answer_is_reminded_once_then_the_deputy_is_asked_and_then_the_fallback() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-30T12:00:00Z");
    for day in ["2026-12-05T12:00:00Z", "2026-12-31T12:00:00Z"] {
        world.wait_until(day);
        world.tick();
    }
    assert_eq!(
        digests(&mut world),
        [
            "16 08:30 scheduled maria",
            "19 08:00 reminder maria",
            "21 08:30 passed maria",
            "21 08:30 takeover jon",
            "24 08:00 reminder jon",
            "26 08:30 passed jon",
            "26 08:30 takeover ines",
            "30 08:00 reminder ines",
        ]
    );
    assert_eq!(hand_overs(&mut world), ["no-answer", "no-answer"]);
    assert_eq!(world.records_of("reminded").len(), 3);
    let open = open(&mut world);
    assert_eq!(open.len(), 1, "it stays overdue with the last");
    assert_eq!(open[0].owner.as_str(), "ines");
    let context = world.context();
    let late = context.store.read(|read| overdue(read, &context.config, context.now())).unwrap();
    assert_eq!(late, open);
    let with = world.context().store.read(|read| read.now_with(AssignmentNo(1))).unwrap().unwrap();
    assert_eq!((with.0.as_str(), with.1.to_string().as_str()), ("ines", "2026-11-26T08:30:00Z"));
    assert_eq!(world.news("maria").len(), 3);
    let jon = &world.news("jon")[0];
    assert!(jon.contains("Quillgate leaks names"), "{jon}");
    let fallback = &world.news("ines")[0];
    for named in ["Maria Lopez", "Quillgate VPN is yours", "Jon Bright"] {
        assert!(fallback.contains(named), "{named} is not in {fallback}");
    }
}

#[test]
fn one_mail_reminds_of_all_that_is_due_and_leads_to_links_of_its_own() {
    let mut world = company();
    publish(&world, &[CALM, CALM_TOO]);
    live_until(&mut world, "2026-11-16T09:00:00Z");
    answer(&mut world, "maria", 1, 2);
    publish(&world, &[CALM, CALM_TOO, ("Quillgate is slow", "q3", "Very."), ("Quillgate is loud", "q4", "Very.")]);
    live_until(&mut world, "2026-11-19T12:00:00Z");
    assert_eq!(
        digests(&mut world),
        ["16 08:30 scheduled maria", "17 08:00 scheduled maria", "19 08:00 reminder maria"]
    );
    assert_eq!(stories_of(&mut world, 3), [3], "one was answered, the others are a day younger");
    live_until(&mut world, "2026-11-20T12:00:00Z");
    assert_eq!(stories_of(&mut world, 4), [4, 5]);
    let reminded = world.records_of("reminded");
    assert_eq!(reminded.len(), 2);
    assert_eq!(*field(&reminded[1], "stories"), serde_json::json!([4, 5]));
    // Each story leads to its place in the reminder, with a link that is good for a month again.
    let context = world.context();
    let mails = world.news("maria");
    let link = |number: usize| {
        let line = mails[3].lines().find(|line| line.trim().ends_with(&format!("/{number}")) && line.contains("/a/"));
        let line = line.unwrap_or_else(|| panic!("no link to {number} in {}", mails[3])).trim().to_owned();
        let token = line.rsplit('/').nth(1).unwrap().to_owned();
        sigtrail::token::open(&context.link_key, &token, context.now()).unwrap()
    };
    assert_eq!((link(1).digest, link(2).digest), (DigestNo(4), DigestNo(4)));
    assert!(link(1).expires > "2026-12-19T12:00:00Z".parse().unwrap());
}

#[test]
fn who_answered_is_left_alone_and_an_answer_after_the_hand_over_takes_nothing_from_the_deputy() {
    let mut world = company();
    publish(&world, &[CALM, CALM_TOO]);
    live_until(&mut world, "2026-11-20T09:00:00Z");
    let first = open(&mut world)[0].story;
    answer(&mut world, "maria", 1, first.0);
    live_until(&mut world, "2026-11-21T09:00:00Z");
    let left = open(&mut world);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].owner.as_str(), "jon");
    assert_ne!(left[0].story, first);
    answer(&mut world, "maria", 1, left[0].story.0);
    assert_eq!(open(&mut world), left, "the link of the first digest decides no more");
    answer(&mut world, "jon", 3, left[0].story.0);
    assert_eq!(open(&mut world), []);
    world.wait_until("2026-12-10T09:00:00Z");
    world.tick();
    assert_eq!(hand_overs(&mut world), ["no-answer"]);
}

#[test]
fn a_story_that_was_passed_on_comes_back_only_when_something_changed_and_then_both_are_told() {
    let mut world = company().feed("other", "unmatched = \"none\"");
    world.publish("other", &rss(&[("Old advice elsewhere", "o0", "Nothing.")]));
    world.restart();
    world.tick();
    let cve = ("CVE-2099-10007 in Quillgate", "c1", "A crafted cookie.");
    publish(&world, &[cve]);
    live_until(&mut world, "2026-11-21T12:00:00Z");
    assert_eq!(open(&mut world)[0].owner.as_str(), "jon");
    let before = digests(&mut world).len();
    world.publish("other", &rss(&[("Quillgate CVE-2099-10007 explained", "o1", "The same again.")]));
    live_until(&mut world, "2026-11-23T12:00:00Z");
    assert_eq!(digests(&mut world).len(), before, "nothing new: {:?}", digests(&mut world));
    publish(&world, &[("CVE-2099-10007 in Quillgate", "c1", "A crafted cookie. It is actively exploited.")]);
    live_until(&mut world, "2026-11-23T15:00:00Z");
    let owners: Vec<String> = open(&mut world).iter().map(|row| row.owner.to_string()).collect();
    assert_eq!(owners, ["jon", "maria"], "{:?}", digests(&mut world));
    for owner in ["jon", "maria"] {
        let last = world.mailbox(owner).pop().unwrap();
        assert!(last.contains("exploited"), "{last}");
    }
    assert_eq!(open(&mut world)[0].reminded_at, None, "it starts anew");
    live_until(&mut world, "2026-11-23T22:30:00Z");
    let owners: Vec<String> = open(&mut world).iter().map(|row| row.owner.to_string()).collect();
    assert_eq!(owners, ["ines"], "neither answered, and the fallback is asked once: {:?}", digests(&mut world));
    assert_eq!(stories_handed_over(&mut world), world.records_of("handed-over").len());
}

fn stories_handed_over(world: &mut World) -> usize {
    let connection = rusqlite::Connection::open(world.state().join(sigtrail::store::DATABASE)).unwrap();
    connection.query_row("SELECT count(*) FROM handed_over", [], |row| row.get(0)).unwrap()
}

#[test]
fn what_is_urgent_is_reminded_of_and_passed_on_within_hours() {
    let mut world = company();
    publish(&world, &[URGENT]);
    live_until(&mut world, "2026-11-18T12:00:00Z");
    let all = digests(&mut world);
    let urgent = all.iter().position(|line| line.contains("urgent") || line.contains("scheduled")).unwrap();
    assert_eq!(
        all[urgent + 1..],
        [
            "16 11:30 reminder maria",
            "16 14:30 passed maria",
            "16 14:30 takeover jon",
            "16 17:30 reminder jon",
            "16 20:30 passed jon",
            "16 20:30 takeover ines",
            "16 23:30 reminder ines",
        ],
        "{all:?}"
    );
}

#[test]
fn nobody_is_asked_who_may_not_see_it_and_a_circle_ends() {
    let mut world = company();
    world.edit("owners", "id = \"jon\"", "id = \"jon\"\ntlp = \"GREEN\"\ndeputy = \"ines\"");
    world.edit("owners", "fallback = \"ines\"", "fallback = \"maria\"");
    world.edit("feeds", "id = \"cert\"", "id = \"cert\"\ntlp = \"AMBER\"");
    world.edit("stack", "name = \"libmarrow\"\nowner = \"jon\"", "name = \"libmarrow\"\nowner = \"ines\"");
    world.restart();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-30T12:00:00Z");
    for day in ["2026-12-05T12:00:00Z", "2026-12-31T12:00:00Z"] {
        world.wait_until(day);
        world.tick();
    }
    assert_eq!(hand_overs(&mut world), ["no-answer"], "{:?}", digests(&mut world));
    assert_eq!(open(&mut world)[0].owner.as_str(), "ines", "the deputy's deputy may see it");
    assert_eq!(world.news("jon").len(), 0);
}

const AWAY: &str = "away = [{ from = 2026-11-18, to = 2026-11-22 }]";

#[test]
fn what_comes_while_somebody_is_away_is_the_deputys_and_the_return_tells_of_it() {
    let mut world = with(AWAY);
    live_until(&mut world, "2026-11-18T10:00:00Z");
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-20T12:00:00Z");
    assert_eq!(digests(&mut world), ["18 11:30 scheduled jon"]);
    assert_eq!(open(&mut world)[0].owner.as_str(), "jon");
    let jon = &world.news("jon")[0];
    let said = jon.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("belongs to Maria Lopez, who is away until 22 Nov 2026; you stand in."), "{jon}");
    live_until(&mut world, "2026-11-23T12:00:00Z");
    assert_eq!(digests(&mut world)[1..], ["23 08:00 passed maria", "23 08:00 reminder jon"]);
    let maria = &world.news("maria")[0];
    assert!(maria.contains("Quillgate leaks names"), "{maria}");
    answer(&mut world, "jon", 1, 2);
    world.publish("cert", &rss(&[("Old advice", "old", "Nothing."), CALM, ("Quillgate leaks names", "q1b", "Again.")]));
    live_until(&mut world, "2026-11-24T12:00:00Z");
    assert_eq!(open(&mut world).iter().map(|row| row.owner.as_str()).collect::<Vec<_>>(), ["maria"], "what is new");
}

#[test]
fn what_waits_or_is_due_when_an_absence_begins_goes_to_the_deputy_and_the_rest_stays() {
    let mut world = with("away = [{ from = 2026-11-20, to = 2026-11-22 }]\ndigest = \"0 8 * * MON,WED,FRI\"");
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-18T09:00:00Z");
    publish(&world, &[CALM, ("Quillgate is slow", "q3", "Very.")]);
    live_until(&mut world, "2026-11-19T12:00:00Z");
    assert_eq!(digests(&mut world), ["16 08:30 scheduled maria"]);
    publish(&world, &[CALM, ("Quillgate is slow", "q3", "Very."), CALM_TOO]);
    live_until(&mut world, "2026-11-22T23:30:00Z");
    let so_far = digests(&mut world);
    assert_eq!(so_far[1..], ["20 00:00 takeover jon"], "no reminder and no digest to who is away");
    let stories = stories_of(&mut world, 2);
    assert_eq!(stories.len(), 3, "what was due on Saturday, and what waited: {stories:?}");
    assert_eq!(hand_overs(&mut world), ["away", "away", "away"]);
    assert_eq!(world.news("maria").len(), 1);
    live_until(&mut world, "2026-11-23T07:30:00Z");
    assert_eq!(digests(&mut world).len(), 2, "the first day back begins at its hour");
    live_until(&mut world, "2026-11-23T08:00:00Z");
    assert!(digests(&mut world).contains(&"23 08:00 passed maria".to_owned()), "{:?}", digests(&mut world));
    assert_eq!(stories_of(&mut world, 3).len(), 3);
}

#[test]
fn what_is_not_due_in_an_absence_waits_for_the_return() {
    let mut world = with("away = [{ from = 2026-11-18, to = 2026-11-19 }]");
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-21T12:00:00Z");
    assert_eq!(digests(&mut world), ["16 08:30 scheduled maria", "20 08:00 reminder maria"]);
    assert_eq!(hand_overs(&mut world), Vec::<String>::new());
}

#[test]
fn a_mail_that_could_not_leave_before_an_absence_goes_to_the_deputy() {
    let mut world = with(AWAY);
    // A server in trouble is nobody's fault: the mail waits for it, and with nobody else.
    world.smtp.always(Stage::Greeting, Act::reply(421, "4.3.2 try later"));
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-17T23:30:00Z");
    assert_eq!(digests(&mut world), ["16 08:30 scheduled maria"]);
    world.smtp.behave();
    live_until(&mut world, "2026-11-18T12:00:00Z");
    assert_eq!((world.news("maria").len(), world.news("jon").len()), (0, 1));
    assert_eq!(hand_overs(&mut world), ["away"]);
    let ended = world.records_of("delivery-ended");
    assert_eq!(field(&ended[0], "reason"), "its addressee is away");
}

/// The days on which Maria was sent urgent mail, with how many of them, and what waited and why.
fn urgent_days(world: &mut World) -> (Vec<String>, Vec<String>) {
    let urgent = digests(world).into_iter().filter(|line| line.contains(" urgent ")).collect();
    let waits = world.records_of("urgent-waits");
    (urgent, waits.iter().map(|record| field(record, "why").as_str().unwrap().to_owned()).collect())
}

#[test]
fn quiet_hours_hold_urgent_mail_back_until_they_end_and_the_mail_says_so() {
    let mut world = with("quiet_hours = { from = \"22:00\", to = \"06:00\" }");
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-16T21:00:00Z");
    publish(&world, &[CALM, URGENT]);
    live_until(&mut world, "2026-11-17T05:30:00Z");
    assert_eq!(urgent_days(&mut world), (vec![], vec!["quiet-hours".to_owned()]));
    live_until(&mut world, "2026-11-17T06:00:00Z");
    assert_eq!(urgent_days(&mut world).0, ["17 06:00 urgent maria"]);
    let mail = world.news("maria").pop().unwrap();
    let said = mail.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("waited for the end of your quiet hours"), "{mail}");
    // The reminder is due within the next quiet hours only when it is asked for late; a hand-over waits like any mail.
    live_until(&mut world, "2026-11-17T12:30:00Z");
    assert!(digests(&mut world).contains(&"17 09:00 reminder maria".to_owned()), "{:?}", digests(&mut world));
}

#[test]
fn five_urgent_mails_a_day_are_the_most_and_the_next_digest_brings_the_rest_and_says_so() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-17T09:00:00Z");
    let titles: Vec<String> = (0..7).map(|n| format!("Quillgate flaw number {n}")).collect();
    let links: Vec<String> = (0..7).map(|n| format!("u{n}")).collect();
    let mut items = vec![CALM];
    for (title, link) in titles.iter().zip(&links) {
        items.push((title, link, "CVSS v3 base score 9.8."));
        publish(&world, &items);
        world.wait(SignedDuration::from_mins(70));
        world.tick();
    }
    let (urgent, waits) = urgent_days(&mut world);
    assert_eq!(urgent.len(), 5, "{urgent:?}");
    assert_eq!(waits, ["capped", "capped"]);
    live_until(&mut world, "2026-11-18T08:30:00Z");
    let all = digests(&mut world);
    assert_eq!(all.iter().filter(|line| line.contains("18 08:10 scheduled maria")).count(), 1, "{all:?}");
    let mails = world.news("maria");
    let digest = mails.iter().find(|mail| mail.contains("Quillgate flaw number 6")).unwrap();
    assert!(digest.contains("Quillgate flaw number 5"), "{digest}");
    let said = digest.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("the most urgent mails that you get on a day are 5"), "{digest}");
    for n in 0..7 {
        let told = mails.iter().filter(|mail| mail.contains(&format!("Quillgate flaw number {n}")));
        let news = told.filter(|mail| !mail.starts_with("Subject: Still open") && !mail.contains("passed")).count();
        assert!(news >= 1, "{n}");
    }
}

#[test]
fn what_is_exploited_and_names_a_component_is_urgent_and_told_once() {
    let mut world = company();
    publish(&world, &[("libmarrow 2.8", "m1", "A flaw.")]);
    live_until(&mut world, "2026-11-16T12:00:00Z");
    let exploited = ("libmarrow 2.8", "m1", "A flaw. It is actively exploited in the wild.");
    publish(&world, &[exploited]);
    live_until(&mut world, "2026-11-16T13:30:00Z");
    let (urgent, _) = urgent_days(&mut world);
    assert_eq!(urgent, ["16 13:00 urgent jon"]);
    publish(&world, &[("libmarrow 2.8", "m1", "A flaw, and how to see it. It is actively exploited in the wild.")]);
    live_until(&mut world, "2026-11-16T15:00:00Z");
    assert_eq!(urgent_days(&mut world).0.len(), 1);
}

#[test]
fn what_is_open_with_somebody_who_leaves_goes_on_at_once_and_they_are_told_nothing() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-16T12:00:00Z");
    world.edit("owners", "id = \"maria\"", "id = \"maria\"\nuntil = 2026-11-17");
    world.edit("stack", "owner = \"maria\"", "owner = \"jon\"");
    world.edit("stack", "to = [\"maria\"]", "to = [\"jon\"]");
    world.edit("feeds", "owner = \"maria\"", "owner = \"jon\"");
    world.restart();
    live_until(&mut world, "2026-11-18T12:00:00Z");
    assert_eq!(digests(&mut world), ["16 08:30 scheduled maria", "17 00:00 takeover jon"]);
    assert_eq!(hand_overs(&mut world), ["left"]);
}

#[test]
fn mailboxes_that_refuse_each_other_s_stories_end_with_the_last_of_them() {
    let mut world = company();
    world.smtp.always(Stage::Rcpt, Act::reply(550, "5.1.1 no such user"));
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-17T12:00:00Z");
    assert_eq!(
        digests(&mut world),
        [
            "16 08:30 scheduled maria",
            "16 08:30 takeover jon",
            "16 08:30 takeover ines",
            "16 08:30 scheduled ines",
            "17 08:00 scheduled ines"
        ],
        "each is tried once and at once, and there is no circle: the last of them is told at their hour"
    );
    assert_eq!(hand_overs(&mut world), ["undelivered", "undelivered"]);
    assert_eq!(open(&mut world), [], "nobody was asked");
}

#[test]
fn a_takeover_waits_for_the_end_of_the_deputys_quiet_hours() {
    let mut world = company();
    world.edit("owners", "id = \"jon\"", "id = \"jon\"\nquiet_hours = { from = \"08:00\", to = \"10:00\" }");
    world.restart();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-21T12:00:00Z");
    assert_eq!(
        digests(&mut world)[2..],
        ["21 08:30 passed maria", "21 10:00 takeover jon"],
        "it changed hands at once and is told later"
    );
}

#[test]
fn m_18_a_reminder_that_is_too_large_is_told_in_parts_and_stays_a_reminder() {
    let titles: Vec<(String, String)> = (0..12).map(|n| (format!("Quillgate notice {n}"), format!("n{n}"))).collect();
    let text = "A list of names was left open to everybody. ".repeat(12);
    let items: Vec<(&str, &str, &str)> =
        titles.iter().map(|(title, id)| (title.as_str(), id.as_str(), text.as_str())).collect();
    let mut world = company();
    publish(&world, &items);
    live_until(&mut world, "2026-11-19T07:30:00Z");
    assert_eq!(digests(&mut world), ["16 08:30 scheduled maria"]);
    let routed = world.records_of("entry-routed").len();
    let whole = world.smtp.mailbox("maria@example.com")[0].raw.len();
    world.smtp.offer(|offers| offers.size = Some(whole as u64 / 2));
    live_until(&mut world, "2026-11-20T12:00:00Z");
    let later = digests(&mut world).split_off(1);
    assert!(later.len() > 2 && later.iter().all(|one| one == "19 08:00 reminder maria"), "{later:?}");
    let ended = world.records_of("delivery-ended");
    assert_eq!((ended.len(), field(&ended[0], "state")), (1, &"withdrawn".into()));
    assert_eq!(world.records_of("entry-routed").len(), routed, "nothing became news");
    assert!(open(&mut world).iter().all(|row| row.reminded_at.is_some()));
    let reminded: Vec<usize> =
        world.records_of("reminded").iter().map(|one| field(one, "stories").as_array().unwrap().len()).collect();
    assert_eq!(reminded[1..].iter().sum::<usize>(), 12, "{reminded:?}");
    assert!(reminded.iter().all(|stories| *stories > 0), "{reminded:?}");
}

#[test]
fn who_was_not_reached_by_the_word_that_it_was_passed_on_is_told_at_the_next_hour() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-21T08:00:00Z");
    world.smtp.always_for("maria@example.com", Act::reply(550, "5.2.1 mailbox disabled"));
    live_until(&mut world, "2026-11-21T12:00:00Z");
    assert_eq!(digests(&mut world)[2..], ["21 08:30 passed maria", "21 08:30 takeover jon"], "not tried all day");
    world.smtp.behave();
    live_until(&mut world, "2026-11-23T12:00:00Z");
    assert_eq!(digests(&mut world)[4..], ["23 08:00 passed maria"]);
    let told = world.mailbox("maria").into_iter().filter(|mail| mail.contains("Jon")).count();
    live_until(&mut world, "2026-11-23T18:00:00Z");
    assert!(told > 0);
    assert_eq!(digests(&mut world).len(), 5, "told once");
}

/// The state tables that the triggers keep are what the facts say.
#[test]
fn what_is_open_and_what_was_not_told_can_be_computed_from_the_facts() {
    let mut world = with("away = [{ from = 2026-11-25, to = 2026-11-26 }]");
    publish(&world, &[CALM, CALM_TOO, URGENT]);
    live_until(&mut world, "2026-11-16T12:00:00Z");
    answer(&mut world, "maria", 1, 3);
    publish(&world, &[CALM, CALM_TOO, URGENT, ("libmarrow crash", "m1", "Text."), ("Quillgate anew", "q7", "Text.")]);
    let path = world.state().join(sigtrail::store::DATABASE);
    for day in ["17", "19", "20", "22", "24", "25", "26", "27", "30"] {
        world.wait_until(&format!("2026-11-{day}T08:10:00Z"));
        world.tick();
        world.wait(SignedDuration::from_hours(1));
        world.tick();
        let connection = rusqlite::Connection::open(&path).unwrap();
        let numbers = |sql: &str| -> Vec<i64> {
            let mut query = connection.prepare(sql).unwrap();
            query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(
            numbers("SELECT assignment FROM open_state ORDER BY 1"),
            numbers(
                "SELECT assignment.no FROM assignment JOIN digest_story ON digest_story.assignment = assignment.no
                 JOIN digest ON digest.no = digest_story.digest
                 WHERE assignment.no NOT IN (SELECT assignment FROM reassigned) AND NOT EXISTS (
                     SELECT 1 FROM acknowledgement JOIN acknowledgement_story ON acknowledgement = acknowledgement.no
                     WHERE acknowledgement_story.story = assignment.story
                         AND acknowledgement.owner = assignment.owner
                         AND coalesce(first_record, acknowledgement.record) >= coalesce(log_size, digest.record))
                 ORDER BY 1"
            ),
            "on the {day}th"
        );
        assert_eq!(
            numbers("SELECT assignment FROM passed_state ORDER BY 1"),
            numbers(
                "SELECT assignment FROM handed_over WHERE why IN ('no-answer', 'away')
                     AND assignment NOT IN (SELECT assignment FROM digest_passed JOIN standing_digest USING (digest))
                 ORDER BY 1"
            ),
            "on the {day}th"
        );
    }
    assert!(hand_overs(&mut world).len() > 3);
}

#[test]
fn a_change_that_cannot_be_delivered_goes_on_although_its_story_was_answered_before() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-16T12:00:00Z");
    let told = open(&mut world).remove(0);
    answer(&mut world, "maria", told.digest.0, told.story.0);
    assert!(open(&mut world).is_empty());
    world.smtp.always_for("maria@example.com", Act::reply(550, "5.1.1 no such user"));
    publish(&world, &[(CALM.0, CALM.1, "A list of names. CVE-2099-10007 is actively exploited.")]);
    live_until(&mut world, "2026-11-16T15:00:00Z");
    let owners: Vec<String> = open(&mut world).iter().map(|row| row.owner.to_string()).collect();
    assert_eq!(owners, ["jon"], "{:?}", digests(&mut world));
    assert!(world.news("jon").last().unwrap().contains("actively exploited"));
}

#[test]
fn whoever_answered_their_own_share_of_a_story_is_asked_for_somebody_elses() {
    let mut world = company();
    publish(&world, &[("Quillgate and libmarrow leak names", "b1", "Both of them.")]);
    live_until(&mut world, "2026-11-17T12:00:00Z");
    let jons = open(&mut world).into_iter().find(|row| row.owner.as_str() == "jon").unwrap();
    answer(&mut world, "jon", jons.digest.0, jons.story.0);
    live_until(&mut world, "2026-11-24T12:00:00Z");
    let told = digests(&mut world);
    assert!(told.iter().any(|line| line.ends_with("takeover jon")), "{told:?}");
    let owners: Vec<String> = open(&mut world).iter().map(|row| row.owner.to_string()).collect();
    assert_eq!(owners, ["jon"], "{told:?}");
}

/// The first version reminded nobody: what it told is not reminded of after an upgrade, what it left in the queue is.
#[test]
fn an_upgrade_reminds_of_nothing_that_was_told_before_it() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-16T12:00:00Z");
    world.smtp.always(Stage::Greeting, Act::reply(421, "4.3.2 try later"));
    publish(&world, &[CALM, CALM_TOO]);
    live_until(&mut world, "2026-11-17T09:00:00Z");
    world.stop();
    let migration = include_str!("../../src/store/migrations/0002_owner.sql");
    let (_, fill) = migration.split_once("\nINSERT INTO open_state").unwrap();
    let database = rusqlite::Connection::open(world.state().join(sigtrail::store::DATABASE)).unwrap();
    assert_eq!(database.execute("DELETE FROM open_state", []).unwrap(), 2);
    database.execute(&format!("INSERT INTO open_state{}", fill.split(';').next().unwrap()), []).unwrap();
    drop(database);
    world.smtp.behave();
    live_until(&mut world, "2026-11-23T12:00:00Z");
    let left: Vec<(i64, String)> = open(&mut world).iter().map(|row| (row.story.0, row.owner.to_string())).collect();
    assert_eq!(left, [(3, "jon".to_owned())]);
    let reminded = world.records_of("reminded");
    assert_eq!(reminded.len(), 1, "{reminded:?}");
    assert_eq!(*field(&reminded[0], "stories"), serde_json::json!([3]));
    assert_eq!(hand_overs(&mut world), ["no-answer"]);
}

/// A clock that was years ahead when Maria was told, and is right again.
#[test]
fn what_a_clock_that_was_ahead_noted_keeps_nobody_waiting() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-16T09:00:00Z");
    answer(&mut world, "maria", 1, 2);
    world.wait_until("2031-01-01T09:00:00Z");
    world.tick();
    publish(&world, &[CALM, URGENT]);
    live_until(&mut world, "2031-01-01T11:00:00Z");
    let told = digests(&mut world);
    assert!(told.last().unwrap().ends_with("urgent maria"), "{told:?}");
    world.wait_until("2026-11-16T12:00:00Z");
    world.tick();
    assert_eq!(digests(&mut world)[told.len()..], ["16 12:00 reminder maria"]);
    live_until(&mut world, "2026-11-18T12:00:00Z");
    assert!(hand_overs(&mut world).contains(&"no-answer".to_owned()));
    // Mails of another year count neither for the day nor for the week.
    let (context, maria) = (world.context(), OwnerId::new("maria"));
    let day = |moment: &str| moment.parse::<Time>().unwrap();
    let urgent = |from, to| context.store.read(|read| read.urgent_digests_between(&maria, day(from), day(to))).unwrap();
    assert_eq!(urgent("2026-11-16T00:00:00Z", "2026-11-16T23:00:00Z"), 0);
    assert_eq!(urgent("2031-01-01T00:00:00Z", "2031-01-01T23:00:00Z"), 1);
}

/// The moments of Maria's weekly signs of life.
fn heartbeats(world: &mut World) -> Vec<String> {
    let context = world.context();
    let rows = context.store.read(|read| {
        let rows = read.digests(1_000)?.into_iter().map(|no| read.digest(no));
        rows.collect::<Result<Vec<_>, _>>()
    });
    let mut rows: Vec<_> = rows.unwrap().into_iter().flatten().collect();
    rows.retain(|row| row.kind == DigestKind::Heartbeat && row.owner.as_str() == "maria");
    rows.iter().rev().map(|row| row.composed_at.strftime("%d %H:%M").to_string()).collect()
}

#[test]
fn a_mail_of_a_clock_that_was_ahead_does_not_stop_the_weekly_sign_of_life() {
    let mut world = company();
    publish(&world, &[CALM]);
    world.wait_until("2031-01-01T09:00:00Z");
    world.tick();
    assert_eq!(digests(&mut world).len(), 1, "{:?}", digests(&mut world));
    world.wait_until("2026-11-16T09:00:00Z");
    world.tick();
    answer(&mut world, "maria", 1, 2);
    live_until(&mut world, "2026-12-02T12:00:00Z");
    assert_eq!(heartbeats(&mut world).len(), 2, "one a week, and not one a day: {:?}", digests(&mut world));
}

#[test]
fn what_its_owner_may_not_see_any_more_goes_on_at_once() {
    let mut world = company();
    world.edit("owners", "id = \"maria\"", "id = \"maria\"\ntlp = \"GREEN\"");
    world.restart();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-16T12:00:00Z");
    assert_eq!(open(&mut world)[0].owner.as_str(), "maria");
    world.edit("feeds", "id = \"cert\"", "id = \"cert\"\ntlp = \"AMBER\"");
    world.restart();
    world.tick();
    assert_eq!(hand_overs(&mut world), ["left"]);
    assert_eq!(digests(&mut world)[1..], ["16 12:00 takeover jon"]);
    assert_eq!(world.records_of("withheld").len(), 1);
    live_until(&mut world, "2026-11-17T12:00:00Z");
    assert_eq!(open(&mut world).iter().map(|row| row.owner.as_str()).collect::<Vec<_>>(), ["jon"]);
}

#[test]
fn a_mail_that_never_arrived_is_no_sign_of_life() {
    let mut world = company();
    live_until(&mut world, "2026-11-20T12:00:00Z");
    world.smtp.always(Stage::Rcpt, Act::reply(550, "5.1.1 no such user"));
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-21T12:00:00Z");
    assert!(digests(&mut world).contains(&"20 13:00 scheduled maria".to_owned()), "{:?}", digests(&mut world));
    world.smtp.behave();
    live_until(&mut world, "2026-11-24T12:00:00Z");
    assert_eq!(heartbeats(&mut world), ["23 08:00"], "{:?}", digests(&mut world));
}

#[test]
fn what_waited_for_the_end_of_quiet_hours_and_is_one_too_many_joins_the_next_digest() {
    let mut world = with("quiet_hours = { from = \"12:00\", to = \"14:00\" }").settings("[urgent]\nper_day = 1");
    world.restart();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-16T09:00:00Z");
    publish(&world, &[CALM, URGENT]);
    live_until(&mut world, "2026-11-16T11:30:00Z");
    publish(&world, &[CALM, URGENT, ("Quillgate flaw too many", "u2", "CVSS v3 base score 9.8.")]);
    live_until(&mut world, "2026-11-17T07:30:00Z");
    let (urgent, waits) = urgent_days(&mut world);
    assert_eq!(urgent.len(), 1, "{urgent:?}");
    assert_eq!(waits, ["quiet-hours", "capped"]);
    live_until(&mut world, "2026-11-17T08:30:00Z");
    let mails = world.news("maria");
    let digest = mails.iter().find(|mail| mail.contains("Quillgate flaw too many")).unwrap();
    let said = digest.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("the most urgent mails that you get on a day are 1"), "{digest}");
}

#[test]
fn the_mail_after_an_absence_names_who_has_it_now_and_no_mail_that_never_was() {
    let mut world = with("away = [{ from = 2026-11-18, to = 2026-11-25 }]");
    live_until(&mut world, "2026-11-18T10:00:00Z");
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-26T12:00:00Z");
    assert_eq!(open(&mut world)[0].owner.as_str(), "ines", "{:?}", digests(&mut world));
    assert!(digests(&mut world).contains(&"26 08:00 passed maria".to_owned()), "{:?}", digests(&mut world));
    let mail = world.news("maria").remove(0);
    let said = mail.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("Ines Ruiz has") && said.contains("You were away."), "{mail}");
    assert!(!said.contains("Jon Bright has") && !said.contains("earlier mail"), "{mail}");
}

#[test]
fn a_reminder_that_waited_for_the_mail_server_asks_only_for_what_is_still_open() {
    let mut world = company();
    publish(&world, &[CALM, CALM_TOO]);
    live_until(&mut world, "2026-11-18T12:00:00Z");
    world.smtp.always(Stage::Greeting, Act::reply(421, "4.3.2 try later"));
    live_until(&mut world, "2026-11-20T12:00:00Z");
    assert_eq!(digests(&mut world), ["16 08:30 scheduled maria", "19 08:00 reminder maria"]);
    answer(&mut world, "maria", 1, 2);
    live_until(&mut world, "2026-11-21T12:00:00Z");
    assert_eq!(hand_overs(&mut world), Vec::<String>::new(), "no reminder has left");
    assert_eq!(digests(&mut world).len(), 3, "the first was withdrawn, and the other waits");
    world.smtp.behave();
    live_until(&mut world, "2026-11-21T14:00:00Z");
    assert_eq!(digests(&mut world).len(), 3);
    assert_eq!(stories_of(&mut world, 3), [3]);
    let mails = world.news("maria");
    assert_eq!(mails.len(), 2);
    assert!(
        mails[1].contains(CALM_TOO.0) && !mails[1].contains(CALM.0) && !mails[1].contains("1 more"),
        "{}",
        mails[1]
    );
    live_until(&mut world, "2026-11-23T11:30:00Z");
    assert_eq!(hand_overs(&mut world), Vec::<String>::new(), "two days from when it left");
    live_until(&mut world, "2026-11-23T14:30:00Z");
    assert_eq!(hand_overs(&mut world), ["no-answer"]);
}

#[test]
fn mails_that_ask_for_what_was_answered_meanwhile_do_not_leave() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-18T12:00:00Z");
    world.smtp.always(Stage::Greeting, Act::reply(421, "4.3.2 try later"));
    live_until(&mut world, "2026-11-19T09:00:00Z");
    let context = world.context();
    jobs::links::ask(&context.store, &context.config, DigestNo(1), context.now()).unwrap();
    live_until(&mut world, "2026-11-19T10:00:00Z");
    assert_eq!(digests(&mut world)[1..], ["19 08:00 reminder maria", "19 09:30 links maria"]);
    answer(&mut world, "maria", 1, 2);
    world.smtp.behave();
    live_until(&mut world, "2026-11-19T14:00:00Z");
    assert_eq!(world.news("maria").len(), 1);
    let ended = world.records_of("delivery-ended");
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert!(ended.iter().all(|record| field(record, "reason").as_str().unwrap().starts_with("nothing in it waits")));
    assert_eq!(digests(&mut world).len(), 3, "and nothing takes their place");
}
