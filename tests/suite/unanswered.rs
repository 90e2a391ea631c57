//! What is open, what is overdue and with whom: as `stories` and `status` tell it of a state that time has passed over.

use jiff::SignedDuration;
use serde_json::Value;
use sigtrail::{clock::Clock, model::time::Time};

use crate::harness::{
    daemon::{Site, feed, machine, wait_until},
    feed_server::{Answer, FeedServer},
    world::{World, rss},
};

/// Before the real moment at which a command looks at the state.
fn ago(hours: i64) -> Time {
    Clock::System.now().checked_sub(SignedDuration::from_hours(hours)).unwrap()
}

/// Runs a command on a world's files and state; its exit status and what it printed.
fn said(world: &World, arguments: &[&str]) -> (i32, String) {
    let root = world.root.path().display().to_string();
    let all: Vec<&str> = ["--root", &root].into_iter().chain(arguments.iter().copied()).collect();
    let output = machine(env!("CARGO_BIN_EXE_sigtrail"), &all).unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.code().is_some_and(|code| code == 0 || code == 4), "{arguments:?}: {err}");
    (output.status.code().unwrap(), out)
}

/// The titles of the stories that are found.
fn titles(world: &World, arguments: &[&str]) -> Vec<String> {
    let all: Vec<&str> = ["stories", "--json"].into_iter().chain(arguments.iter().copied()).collect();
    let (_, text) = said(world, &all);
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|story| story["title"].as_str().unwrap().to_owned()).collect()
}

/// A company whose digests go every hour, which was told of five stories ten days ago, and of a sixth and reminded four days
/// ago; nobody has looked after it since.
fn ten_days() -> World {
    let mut world = World::at(&ago(240).to_string())
        .reminding()
        .owner("maria", "Maria Lopez", "deputy = \"jon\"\ndigest = \"0 * * * *\"")
        .owner("jon", "Jon Bright", "digest = \"0 * * * *\"")
        .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
        .component("libmarrow", "libmarrow", "jon", &["libmarrow"])
        .topic("prompt-injection", "Prompt injection", "maria", &["prompt injection"])
        .feed("cert", "unmatched = \"none\"\nbaseline = 20")
        .feed("bulletin", "unmatched = \"none\"\nbaseline = 20");
    let old = [
        ("Quillgate: one", "a1", "x"),
        ("libmarrow: two", "a2", "x"),
        ("A prompt injection: three", "a3", "x"),
        ("Quillgate and libmarrow: four", "a4", "x"),
        ("Nothing of ours: five", "a5", "x"),
    ];
    world.publish("cert", &rss(&old));
    world.publish("bulletin", &rss(&[("Quillgate: from a bulletin", "b1", "x")]));
    world.tick();
    world.wait_until(&ago(100).to_string());
    world.publish("cert", &rss(&[&old[..], &[("Quillgate: new", "a6", "x")]].concat()));
    world.tick();
    world.wait(SignedDuration::from_mins(59));
    world.tick();
    world
}

#[test]
fn stories_say_what_is_open_and_overdue_and_with_whom() {
    let world = ten_days();
    let with = |arguments: &[&str]| titles(&world, arguments);
    assert_eq!(with(&[]).len(), 7);
    assert_eq!(with(&["--open"]).len(), 6, "what is not for us waits for nobody");
    assert_eq!(with(&["--overdue"]).len(), 5);
    assert!(!with(&["--overdue"]).contains(&"Quillgate: new".to_owned()));
    assert_eq!(with(&["--overdue", "--owner", "jon"]), ["Quillgate and libmarrow: four", "libmarrow: two"]);
    assert_eq!(with(&["--owner", "jon"]), ["Quillgate and libmarrow: four", "libmarrow: two"]);
    assert_eq!(with(&["--topic", "prompt-injection"]), ["A prompt injection: three"]);
    assert_eq!(with(&["--component", "libmarrow"]), ["Quillgate and libmarrow: four", "libmarrow: two"]);
    assert_eq!(with(&["--feed", "bulletin"]), ["Quillgate: from a bulletin"]);
    assert_eq!(with(&["--component", "quillgate", "--feed", "cert", "FOUR"]), ["Quillgate and libmarrow: four"]);
    assert_eq!(with(&["--open", "--component", "libmarrow", "--owner", "maria"]), ["Quillgate and libmarrow: four"]);

    let (_, text) = said(&world, &["stories", "--open", "--limit", "2"]);
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("older ones: sigtrail stories --open --before "), "{text}");
    let mut paged = with(&["--open", "--limit", "2"]);
    let mut before = last.rsplit(' ').next().unwrap().to_owned();
    while let next @ [_, ..] = with(&["--open", "--limit", "2", "--before", &before]).as_slice() {
        paged.extend_from_slice(next);
        let (_, text) = said(&world, &["stories", "--open", "--limit", "2", "--before", &before]);
        let Some(hint) = text.lines().last().filter(|line| line.starts_with("older")) else { break };
        before = hint.rsplit(' ').next().unwrap().to_owned();
    }
    assert_eq!(paged, with(&["--open"]), "pages by key give each story once");
    let (_, text) = said(&world, &["stories", "--owner", "jon"]);
    assert!(text.contains("overdue") && text.contains("libmarrow: two"), "{text}");
    let (_, text) = said(&world, &["stories", "--component", "quillgate", "new"]);
    assert!(text.contains("open") && !text.contains("overdue"), "{text}");
    let (_, text) = said(&world, &["stories", "--owner", "jon", "x"]);
    assert_eq!(text, "no story matches --owner jon \"x\"; leave something out\n");
}

#[test]
fn status_names_who_has_not_answered_and_since_when() {
    let mut world = ten_days();
    let (code, text) = said(&world, &["status"]);
    assert_eq!(code, 4);
    let line = |owner: &str| {
        let found = text.lines().find(|line| line.starts_with("answer-overdue") && line.contains(owner));
        found.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    assert!(line("maria").contains("4 stories wait for an answer: `sigtrail stories --overdue --owner maria`."));
    assert!(line("jon").contains("2 stories wait"), "{text}");
    assert!(text.lines().last().unwrap() == "7 stories open, 6 overdue; outbox 0", "{text}");
    let (_, json) = said(&world, &["status", "--json"]);
    let delivered = ago(240).strftime("%Y-%m-%dT").to_string();
    let overdue: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|one| one["reason"] == "answer-overdue")
        .collect();
    assert_eq!(overdue.len(), 2);
    assert!(overdue.iter().all(|one| one["since"].as_str().unwrap().starts_with(&delivered)), "{json}");

    // Each answers, and one more than once.
    for (owner, text) in [("maria", "one"), ("maria", "one"), ("maria", "four"), ("jon", "four"), ("jon", "two")] {
        let (_, found) = said(&world, &["stories", "--json", text]);
        let story = serde_json::from_str::<Value>(found.lines().next().unwrap()).unwrap()["story"].to_string();
        said(&world, &["ack", &story, "--owner", owner, "--as", "acted"]);
    }
    let (code, text) = said(&world, &["status"]);
    assert!(code == 4 && !text.contains("jon"), "{text}");
    assert!(text.contains("2 stories wait for an answer"), "{text}");
    let mut overdue = titles(&world, &["--overdue"]);
    overdue.sort();
    assert_eq!(overdue, ["A prompt injection: three", "Quillgate: from a bulletin"]);
    assert_eq!(titles(&world, &["--open", "--owner", "jon"]), [""; 0]);
    let (_, text) = said(&world, &["stories", "--open", "--owner", "jon"]);
    assert_eq!(text, "no story matches --open --owner jon; leave something out\n");

    // What the triggers keep is what the facts say.
    let database = rusqlite::Connection::open(world.state().join("sigtrail.db")).unwrap();
    let numbers = |sql: &str| -> Vec<i64> {
        let mut query = database.prepare(sql).unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let kept = numbers("SELECT assignment FROM open_state ORDER BY 1");
    let facts = "SELECT assignment.no FROM assignment JOIN digest_story ON digest_story.assignment = assignment.no
         JOIN digest ON digest.no = digest_story.digest
         WHERE assignment.no NOT IN (SELECT assignment FROM reassigned) AND NOT EXISTS
             (SELECT 1 FROM acknowledgement JOIN acknowledgement_story ON acknowledgement = acknowledgement.no
              WHERE acknowledgement_story.story = assignment.story AND acknowledgement.owner = assignment.owner
                  AND coalesce(first_record, acknowledgement.record) >= coalesce(log_size, digest.record)) ORDER BY 1";
    assert_eq!(kept, numbers(facts));
    assert_eq!(kept.len(), 3);
    assert!(world.records_of("acknowledged").len() >= 5);
}

#[test]
fn status_says_since_when_the_service_runs_and_nothing_of_one_that_does_not() {
    let server = FeedServer::start();
    server.serve("/cert", Answer::ok(rss(&[("Quillgate VPN: a way in", "a1", "Update quillgate.")])));
    let site = Site::new(&feed("Cert", &server.url("/cert")), "");
    let mut daemon = site.run();
    wait_until("the digest is written", || {
        site.number("SELECT count(*) FROM delivery_state WHERE state = 'written'") == 1
    });
    let said = |site: &Site| String::from_utf8(site.command(&["status"]).stdout).unwrap();
    let text = said(&site);
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("running since ") && last.ends_with("; 1 story open, 0 overdue; outbox 0"), "{text}");
    assert_eq!(daemon.stop().0, Some(0));
    assert_eq!(said(&site).lines().last().unwrap(), "1 story open, 0 overdue; outbox 0");
    let mut daemon = site.run();
    daemon.kill();
    assert_eq!(said(&site).lines().last().unwrap(), "1 story open, 0 overdue; outbox 0", "a lock that nobody holds");
}
