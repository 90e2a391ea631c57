//! Remind: who does not answer is reminded once, then somebody else is asked; who is away is stood in for; what is
//! urgent goes at once, within bounds. Days pass on a clock that is moved by hand.

use jiff::SignedDuration;
use serde_json::Value;
use sigtrail::{
    jobs,
    model::{
        acknowledgement::{Answer, Disposition, Haste, Recorded, Via},
        id::{DigestNo, OwnerId, StoryNo},
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

fn tick_at(world: &mut World, moment: &str) {
    world.wait_until(moment);
    world.tick();
}

/// Ticks every half hour until this moment.
fn live_until(world: &mut World, moment: &str) {
    let end: Time = moment.parse().unwrap();
    while world.clock.now() < end {
        world.wait(SignedDuration::from_mins(30).min(end.duration_since(world.clock.now())));
        world.tick();
    }
}

/// Kind, owner and moment of every digest since the first poll, in order.
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
    live_until(&mut world, "2026-12-31T12:00:00Z");
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
    assert!(open[0].asked().due_at(&world.config().remind) < world.clock.now());
    assert_eq!(world.mailbox("maria").len(), 3);
    let jon = &world.mailbox("jon")[0];
    assert!(jon.contains("Quillgate leaks names"), "{jon}");
    let fallback = &world.mailbox("ines")[0];
    for named in ["Maria Lopez", "Quillgate VPN is yours", "Jon Bright"] {
        assert!(fallback.contains(named), "{named} is not in {fallback}");
    }
}

#[test]
fn one_mail_reminds_of_all_that_is_due_and_leads_to_the_links_of_the_digest() {
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
    // Each story leads to its place in the digest that told it, with a link that is good for a month again.
    let context = world.context();
    let mails = world.mailbox("maria");
    let link = |number: usize| {
        let line = mails[3].lines().find(|line| line.trim().ends_with(&format!("/{number}")) && line.contains("/a/"));
        let line = line.unwrap_or_else(|| panic!("no link to {number} in {}", mails[3])).trim().to_owned();
        let token = line.rsplit('/').nth(1).unwrap().to_owned();
        sigtrail::token::open(&context.link_key, &token, context.now()).unwrap()
    };
    assert_eq!((link(1).digest, link(2).digest), (DigestNo(2), DigestNo(2)));
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
    live_until(&mut world, "2026-12-10T09:00:00Z");
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
    live_until(&mut world, "2026-11-24T12:00:00Z");
    let owners: Vec<String> = open(&mut world).iter().map(|row| row.owner.to_string()).collect();
    assert_eq!(owners, ["jon", "maria"], "{:?}", digests(&mut world));
    for owner in ["jon", "maria"] {
        let last = world.mailbox(owner).pop().unwrap();
        assert!(last.contains("exploited"), "{last}");
    }
    assert_eq!(open(&mut world)[0].reminded_at, None, "it starts anew");
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
    live_until(&mut world, "2026-12-31T12:00:00Z");
    assert_eq!(hand_overs(&mut world), ["no-answer"], "{:?}", digests(&mut world));
    assert_eq!(open(&mut world)[0].owner.as_str(), "ines", "the deputy's deputy may see it");
    assert_eq!(world.mailbox("jon").len(), 0);
}
