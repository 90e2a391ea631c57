//! Remind: who does not answer is reminded once, then somebody else is asked; who is away is stood in for; what is
//! urgent goes at once, within bounds. Days pass on a clock that is moved by hand.

use jiff::SignedDuration;
use serde_json::Value;
use sigtrail::{
    jobs,
    model::{
        acknowledgement::{Answer, Disposition, Recorded, Via},
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
        reference: None,
        nonce: format!("{owner}-{digest}-{story}-{}", context.now()),
        via: Via::Link,
    };
    let recorded = jobs::acknowledge::record(&context.store, &answer, context.now()).unwrap();
    assert!(matches!(recorded, Recorded::New { .. }));
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
