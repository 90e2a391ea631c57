//! Nobody answers, and the process ends anywhere on the way: everybody is reminded once, the story is with one person at a
//! time, and the log says exactly that.

use sigtrail::{model::id::DigestNo, store::Faults};

use super::{
    Run,
    trail::{Promise, Trail},
};
use crate::harness::world::{World, rss};

const PROMISE: Promise = Promise {
    entries: &[("cert", "old", 1), ("cert", "q1", 1), ("cert", "q2", 1)],
    told: &[],
    recorded: &[
        ("entry-routed", "assignment"),
        ("digest-composed", "digest"),
        ("delivery-started", "attempt"),
        ("delivery-finished", "receipt"),
        ("handed-over", "handed_over"),
        ("urgent-waits", "urgent_waits"),
        ("reminded", "(SELECT DISTINCT digest FROM reminder)"),
    ],
};

/// What the digests of the story are, in any order.
const DIGESTS: &[&str] = &[
    "passed jon",
    "passed maria",
    "reminder ines",
    "reminder jon",
    "reminder maria",
    "scheduled maria",
    "takeover ines",
    "takeover jon",
    "urgent maria",
];

fn world() -> World {
    let mut world = World::at("2026-11-16T07:00:00Z")
        .owner(
            "maria",
            "Maria Lopez",
            "deputy = \"jon\"\naway = [{ from = 2026-11-23, to = 2026-11-24 }]\n\
             quiet_hours = { from = \"20:00\", to = \"06:00\" }",
        )
        .owner("jon", "Jon Bright", "")
        .owner("ines", "Ines Ruiz", "")
        .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
        .feed("cert", "unmatched = \"none\"\nbaseline = 0\nevery = \"12h\"")
        .replace_setting(
            "urgent_after = \"25w\"\nurgent_deputy_after = \"26w\"",
            "urgent_after = \"4d\"\nurgent_deputy_after = \"6d\"",
        )
        .replace_setting("after = \"25w\"\ndeputy_after = \"26w\"", "after = \"4d\"\ndeputy_after = \"6d\"");
    world.edit("owners", "fallback = \"maria\"", "fallback = \"ines\"");
    world.publish("cert", &rss(&[("Old advice", "old", "Nothing.")]));
    world
}

/// Plays the story with a failure somewhere; what is left of it.
fn play(faults: &Faults) -> (Trail, Vec<String>) {
    let mut run = Run::new(world());
    let started = run.world.restart_with(faults.clone()).map(|_| ());
    run.see(started.as_ref().err(), faults);
    let calm = ("Quillgate leaks names", "q1", "A list of names.");
    let urgent = ("Quillgate sign-in bypass", "q2", "It is actively exploited.");
    for (moment, items) in [
        ("2026-11-16T07:30:00Z", None),
        ("2026-11-16T20:30:00Z", Some(vec![calm])),
        ("2026-11-17T08:40:00Z", None),
        ("2026-11-17T20:50:00Z", Some(vec![calm, urgent])),
        ("2026-11-18T06:05:00Z", None),
        ("2026-11-22T08:00:00Z", None),
        ("2026-11-23T00:10:00Z", None),
        ("2026-11-25T08:10:00Z", None),
        ("2026-11-27T08:10:00Z", None),
        ("2026-12-01T00:20:00Z", None),
        ("2026-12-07T08:10:00Z", None),
    ] {
        if let Some(items) = items {
            run.world.publish("cert", &rss(&[&[("Old advice", "old", "Nothing.")], items.as_slice()].concat()));
        }
        run.world.wait_until(moment);
        run.settle(faults);
    }
    let context = run.world.context();
    let digests = context.store.read(|read| {
        let mut lines = Vec::new();
        for no in read.digests(1_000)? {
            lines.extend(read.digest(DigestNo(no.0))?.map(|row| format!("{} {}", row.kind.as_str(), row.owner)));
        }
        Ok(lines)
    });
    let mut digests = digests.unwrap();
    // Signs of life come in empty weeks, whatever failed before.
    digests.retain(|line| !line.starts_with("heartbeat"));
    digests.sort();
    let notes = run.notes.clone();
    (Trail::of(&mut run.world, &PROMISE, &notes), digests)
}

#[test]
fn failing_anywhere_reminds_nobody_twice_and_hands_nothing_over_twice() {
    let mut runs = 0;
    // An odd step meets the points before and after commits in turn.
    for point in (1..).step_by(7) {
        let faults = Faults::at(point);
        let (trail, digests) = play(&faults);
        let problems = trail.problems(&PROMISE, &[]);
        assert!(problems.is_empty(), "failing at point {point}:\n{}", problems.join("\n"));
        assert_eq!(digests, DIGESTS, "failing at point {point}");
        runs += 1;
        if !faults.struck() {
            break;
        }
    }
    println!("{runs} runs, each with one failure");
    assert!(runs > 20, "{runs} points are not the whole story");
}
