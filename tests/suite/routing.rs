//! Who is told what, and when: from the feeds and the configuration to the mailboxes.

use crate::harness::world::{World, rss};

/// A Friday, an hour before the digests.
const FRIDAY: &str = "2026-11-20T07:00:00Z";

/// Whose first digest is behind them: the feed `cert` had its first poll with one entry of everybody's.
fn settled(world: World) -> World {
    let mut world = world;
    world.publish("cert", &rss(&[("Quillgate, libmarrow", "old", "Text.")]));
    world.tick();
    assert_eq!((world.mailbox("maria").len(), world.mailbox("jon").len()), (1, 1), "everybody has had a first digest");
    world
}

#[test]
fn what_is_urgent_by_a_route_does_not_wait_for_the_hour_and_the_rest_does() {
    let route = "[[route]]\nwhen = { feed = [\"cert\"], tag = [\"libmarrow\"], severity = \"high\" }\n\
                 to = [\"maria\"]\nurgent = true";
    let mut world = settled(World::company(FRIDAY).feed("cert", "").stack(route));
    world.wait_until("2026-11-20T08:00:00Z");
    world.tick();
    world.wait_until("2026-11-20T12:00:00Z");
    world.publish(
        "cert",
        &rss(&[
            ("libmarrow 2.8.1", "bad", "CVSS 9.1. Update now."),
            ("libmarrow 2.8.2", "mild", "CVSS 5.0. Update soon."),
            ("libmarrow 2.8.3", "silent", "It states nothing."),
        ]),
    );
    world.tick();
    let maria = world.mailbox("maria");
    assert_eq!(maria.len(), 2, "{}", maria.join("\n=====\n"));
    assert!(maria[1].starts_with("Subject: libmarrow critical: answer by "), "{}", maria[1]);
    assert!(
        maria[1].contains("URGENT (1)") && maria[1].contains("2.8.1") && !maria[1].contains("2.8.2"),
        "{}",
        maria[1]
    );
    assert_eq!(world.mailbox("jon").len(), 1, "the owner of the component is told at the hour");
    world.wait_until("2026-11-23T08:00:00Z");
    world.tick();
    let jon = world.mailbox("jon");
    assert_eq!(jon.len(), 2);
    for title in ["2.8.1", "2.8.2", "2.8.3"] {
        assert!(jon[1].contains(title), "{}", jon[1]);
    }
    assert_eq!(world.mailbox("maria").len(), 2, "nobody is told twice");
}

#[test]
fn hours_that_were_missed_collapse_into_one_digest() {
    let mut world = settled(World::company(FRIDAY).feed("cert", ""));
    world.publish("cert", &rss(&[("libmarrow 2.8.1", "new", "Text.")]));
    world.wait_until("2026-11-26T21:00:00Z");
    world.tick();
    world.tick();
    let jon = world.mailbox("jon");
    assert_eq!(jon.len(), 2, "four working days passed: {}", jon.join("\n=====\n"));
    world.wait_until("2026-11-27T08:00:00Z");
    world.tick();
    assert_eq!(world.mailbox("jon").len(), 2, "and nothing is said where there is nothing to say");
}

#[test]
fn the_first_digest_tells_of_the_baseline_by_component() {
    let mut world = World::company(FRIDAY).feed("cert", "baseline = 2");
    let items: Vec<(String, String)> = (0..12)
        .map(|n| (if n % 3 == 0 { format!("Quillgate news {n}") } else { format!("Else {n}") }, format!("e{n}")))
        .collect();
    let items: Vec<(&str, &str, &str)> =
        items.iter().map(|(title, path)| (title.as_str(), path.as_str(), "Text.")).collect();
    world.publish("cert", &rss(&items));
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.baseline), 10);
    let maria = world.mailbox("maria");
    let words = maria[0].replace("\n   ", " ").replace('\n', " ");
    assert!(
        words.contains("10 older entries") && words.contains("matches among them: Quillgate VPN 3."),
        "{}",
        maria[0]
    );
    let record = &world.records_of("baseline")[0];
    assert_eq!(record["fields"]["matched"], serde_json::json!({ "quillgate": 3 }));
}

#[test]
fn twenty_lines_of_a_feed_are_also_published_and_the_others_are_counted() {
    let mut world = settled(World::company(FRIDAY).feed("cert", ""));
    let items: Vec<(String, String)> = (0..27).map(|n| (format!("Else number {n:02}."), format!("e{n}"))).collect();
    let items: Vec<(&str, &str, &str)> =
        items.iter().map(|(title, path)| (title.as_str(), path.as_str(), "Text.")).collect();
    world.publish("cert", &rss(&items));
    world.wait_until("2026-11-23T08:00:00Z");
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.listed), 27);
    let maria = world.mailbox("maria").pop().unwrap();
    assert!(maria.contains("ALSO PUBLISHED (27, no answer needed)"), "{maria}");
    assert_eq!(maria.matches("Else number").count(), 20, "{maria}");
    assert!(maria.contains("Cert: and 7 more"), "{maria}");
    assert_eq!(world.records_of("entries-listed")[0]["fields"]["entries"].as_array().map(Vec::len), Some(27));
    world.wait_until("2026-11-24T08:00:00Z");
    world.tick();
    assert_eq!(world.mailbox("maria").len(), 2, "what was counted is not listed again");
}

#[test]
fn who_may_not_see_a_label_is_told_whom_to_ask_and_that_one_gets_it() {
    let mut world = World::at(FRIDAY)
        .owner("maria", "Maria Lopez", "deputy = \"jon\"\ntlp = \"GREEN\"")
        .owner("jon", "Jon Bright", "tlp = \"RED\"")
        .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
        .feed("closed", "tlp = \"AMBER+STRICT\"\nowner = \"jon\"")
        .feed("cert", "");
    world.publish("closed", &rss(&[("Quillgate: not yet public", "q1", "Secret words.")]));
    world.publish("cert", &rss(&[("Quillgate: public", "q2", "Open words.")]));
    world.tick();
    let (maria, jon) = (world.mailbox("maria"), world.mailbox("jon"));
    assert_eq!((maria.len(), jon.len()), (1, 1));
    assert!(maria[0].contains("A restricted entry (TLP:AMBER+STRICT) of Closed: ask Jon Bright."), "{}", maria[0]);
    assert!(maria[0].contains("Open words.") && !maria[0].contains("Secret") && !maria[0].contains("not yet public"));
    assert!(jon[0].contains("Secret words."), "{}", jon[0]);
    assert_eq!(world.records_of("withheld").len(), 1);
    for mail in world.smtp.mailbox("maria@example.com") {
        assert!(!String::from_utf8_lossy(&mail.raw).contains("Secret"), "in no part of the mail");
    }
}

#[test]
fn a_routed_group_and_a_topic_reach_their_owners_with_the_reason() {
    let group = "[[group]]\nid = \"certs\"\nname = \"Certs\"\nreason = \"First word\"\nowner = \"maria\"";
    let mut world = World::company(FRIDAY)
        .stack("[[route]]\nwhen = { group = [\"certs\"] }\nto = [\"jon\"]")
        .feed("cert", &format!("owner = \"maria\"\ngroup = \"certs\"\n{group}"));
    world.publish("cert", &rss(&[("Prompt injection in calendars", "p", "Text.")]));
    world.tick();
    let (maria, jon) = (world.mailbox("maria"), world.mailbox("jon"));
    assert!(maria[0].contains("Why you: You follow Prompt injection."), "{}", maria[0]);
    assert!(jon[0].contains("Route 1 sends it to you."), "{}", jon[0]);
    let stored = world.records_of("entry-tagged");
    let tag = &stored[0]["fields"]["tags"][0];
    assert_eq!(
        (&tag["term"], &tag["field"], &tag["start"], &tag["end"], &tag["snippet"]),
        (&"prompt injection".into(), &"title".into(), &0.into(), &16.into(), &"Prompt injection in calendars".into()),
        "every tag stores its term, field, span and snippet"
    );
}

#[test]
fn what_went_to_nobody_is_no_source_of_a_story() {
    let junk = ("Junk on CVE-2099-10001", "j1", "It is being exploited in the wild.");
    let mut world = World::company(FRIDAY)
        .feed("none", "unmatched = \"none\"")
        .feed("baseline", "baseline = 0")
        .feed("list", "owner = \"jon\"")
        .feed("vendor", "");
    for feed in ["none", "baseline", "list"] {
        world.publish(feed, &rss(&[junk]));
    }
    world.publish("vendor", &rss(&[("Quillgate CVE-2099-10001", "v1", "Text.")]));
    world.tick();
    assert_eq!(world.stories().iter().map(|story| story.sources.len()).collect::<Vec<_>>(), [4]);
    let mail = &world.mailbox("maria")[0];
    let sources = mail.lines().find(|line| line.contains("Sources:")).unwrap_or_else(|| panic!("{mail}"));
    assert!(sources.contains("Vendor") && sources.contains("List"), "{mail}");
    assert!(!mail.contains("None (") && !mail.contains("Baseline ("), "{mail}");
}

#[test]
fn a_story_of_hundreds_of_entries_names_three_of_a_feed_and_counts_the_others() {
    let mut world = World::company(FRIDAY).feed("many", "baseline = 1000").feed("vendor", "baseline = 0");
    let items: Vec<(String, String)> =
        (0..300).map(|n| (format!("Quillgate CVE-2099-10001 note {n}"), format!("m{n}"))).collect();
    let items: Vec<(&str, &str, &str)> = items.iter().map(|(title, path)| (&**title, &**path, "Text.")).collect();
    world.publish("many", &rss(&items));
    world.publish("vendor", &rss(&[]));
    world.tick();
    let mail = &world.mailbox("maria")[0];
    assert_eq!(mail.matches("https://cert.example/m").count(), 3, "{mail}");
    assert!(mail.split_whitespace().collect::<Vec<_>>().join(" ").contains("and 297 more"), "{mail}");
}
