//! Identity under attack: which entry an item is, what a revision is, and which change is told again. The last test
//! plays real documents in the order in which they were published; they stay outside, `SIGTRAIL_CORPUS` names their folder.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use jiff::SignedDuration;
use serde_json::Value;
use sigtrail::{
    jobs::acknowledge::{self, Shown},
    model::{
        acknowledgement::{Answer as Said, Disposition, Haste, Via},
        id::{DigestNo, OwnerId, StoryNo},
    },
    store::StoryRow,
};

use crate::harness::{
    corpus,
    feed_server::Answer,
    world::{World, rss},
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Friday, after the hour of the digests; an owner's first one goes out at once.
const FRIDAY: &str = "2026-11-20T09:00:00Z";
/// The hours of the digests after it.
const MONDAY: &str = "2026-11-23T08:00:00Z";
const TUESDAY: &str = "2026-11-24T08:00:00Z";

const FLAW: &str = "A flaw in the parser of Quillgate lets anybody on the network read what they should not.";

/// An RSS document with these items: id, link, title, description.
fn items(items: &[(String, String, String, String)]) -> String {
    let mut text = "<rss version=\"2.0\"><channel><title>Sample</title><link>https://cert.example/</link>\
                    <description>Invented</description>"
        .to_owned();
    for (id, link, title, description) in items {
        write!(
            text,
            "<item><title>{title}</title><link>{link}</link><guid isPermaLink=\"false\">{id}</guid>\
             <description>{description}</description></item>"
        )
        .unwrap();
    }
    text + "</channel></rss>"
}

/// An Atom document with one entry.
fn atom(id: &str, link: &str, title: &str) -> String {
    format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Sample</title><id>urn:sample</id>\
         <updated>2026-11-20T00:00:00Z</updated><entry><id>{id}</id><title>{title}</title><link href=\"{link}\"/>\
         <updated>2026-11-20T00:00:00Z</updated><summary>{FLAW}</summary></entry></feed>"
    )
}

/// A world whose feed `cert` has told Maria of one story about Quillgate.
fn told(text: &str) -> World {
    let mut world = World::company(FRIDAY).feed("cert", "");
    world.publish("cert", &rss(&[("Quillgate flaw", "q1", text)]));
    world.tick();
    assert_eq!(world.mailbox("maria").len(), 1);
    world
}

/// The words of a mail with single spaces.
fn words(mail: &str) -> String {
    mail.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn field<'r>(record: &'r Value, name: &str) -> &'r Value {
    &record["fields"][name]
}

#[test]
fn h_40_a_feed_with_another_feeds_ids_and_links_neither_hides_nor_replaces_its_entries() {
    let (id, link) = ("https://cert.example/a1", "https://cert.example/advisories/1");
    let guid =
        |feed: &str| items(&[(id.into(), format!("https://{feed}.example/1"), format!("{feed} one"), FLAW.into())]);
    let atom_id = |feed: &str| atom(id, &format!("https://{feed}.example/1"), &format!("{feed} one"));
    let same_link = |feed: &str| items(&[(format!("{feed}-1"), link.into(), format!("{feed} one"), FLAW.into())]);
    for (make, is_shared_link) in [(&guid as &dyn Fn(&str) -> String, false), (&atom_id, false), (&same_link, true)] {
        for order in [["alpha", "beta"], ["beta", "alpha"]] {
            let mut world = World::company(FRIDAY).feed("alpha", "").feed("beta", "");
            for feed in order {
                world.publish(feed, &rss(&[("Something else", &format!("{feed}-0"), "Text.")]));
            }
            world.tick();
            for feed in order {
                world.publish(feed, &make(feed));
                world.wait(HOUR * 2);
                world.tick();
            }
            let received = world.records_of("entry-received");
            for feed in order {
                let of = received.iter().filter(|record| field(record, "feed") == feed).skip(1);
                let titles: Vec<String> =
                    of.map(|record| format!("{} r{}", field(record, "title"), field(record, "revision"))).collect();
                assert_eq!(titles, [format!("\"{feed} one\" r1")], "{order:?}");
            }
            let stories = world.stories();
            let with = |feed: &str| {
                let title = format!("{feed} one");
                let mut sources = stories.iter().flat_map(|story| &story.sources);
                sources.any(|source| {
                    source.feed_id.as_str() == feed && source.entry.entry.title.as_deref() == Some(title.as_str())
                })
            };
            assert!(with("alpha") && with("beta"), "{order:?}");
            assert_eq!(stories.len(), if is_shared_link { 3 } else { 4 }, "a link is one story, an id is none");
        }
    }
}

#[test]
fn h_41_a_hundred_items_whose_ids_change_at_each_of_a_hundred_polls_are_a_hundred_items() {
    let mut world = World::company(FRIDAY).feed("cert", "every = \"1h\"");
    let document = |poll: usize| {
        let item = |n: usize| {
            (format!("{poll}-{n}"), format!("https://cert.example/{n}"), format!("Advisory {n}"), format!("Text {n}."))
        };
        items(&(0..100).map(item).collect::<Vec<_>>())
    };
    for poll in 0..100 {
        world.answer("cert", Answer::ok(document(poll)));
        world.tick();
        world.wait(HOUR * 2);
    }
    assert_eq!(world.server.requests("/cert").len(), 100);
    assert_eq!(world.records_of("entry-received").len(), 100);
    assert_eq!(world.stories().iter().map(|story| story.sources.len()).sum::<usize>(), 100);
    let path = world.state().join(sigtrail::store::DATABASE);
    let database = rusqlite::Connection::open(path).unwrap();
    let aliases: i64 = database.query_row("SELECT count(*) FROM entry_alias_state", [], |row| row.get(0)).unwrap();
    assert_eq!(aliases, 100, "the newest id of each, and no other");
}

#[test]
fn h_41_a_feed_that_got_other_ids_tells_only_what_is_new() {
    let mut world = World::company(FRIDAY).feed("cert", "");
    let document = |site: &str, count: usize| {
        let item = |n: usize| {
            let id = format!("{site}/{n}");
            (id.clone(), id, format!("Quillgate advisory {n}"), format!("What is wrong with number {n}."))
        };
        items(&(0..count).map(item).collect::<Vec<_>>())
    };
    world.answer("cert", Answer::ok(document("http://cert.example", 20)));
    world.tick();
    world.answer("cert", Answer::ok(document("https://www.cert.example/news", 21)));
    world.wait_until(MONDAY);
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.new), 1);
    world.wait(HOUR * 2);
    assert_eq!(world.tick().poll.sum(|applied| applied.new + applied.revised), 0);
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 2);
    assert!(mails[1].contains("Quillgate advisory 20") && mails[1].contains("1 story for"), "{}", mails[1]);
}

#[test]
fn h_42_a_text_that_is_rewritten_after_it_was_answered_is_told_again_and_both_are_evidence() {
    let mut world = told(FLAW);
    let context = world.context();
    let answer = Said {
        owner: OwnerId::from("maria"),
        digest: Some(DigestNo(1)),
        stories: vec![StoryNo(1)],
        disposition: Disposition::NotRelevant,
        note: Some("we do not parse".to_owned()),
        references: Vec::new(),
        corrects: None,
        happened: None,
        nonce: "one".to_owned(),
        via: Via::Link,
        haste: Haste::None,
    };
    acknowledge::record(&context.store, &answer, context.now()).unwrap();
    let rewritten =
        "All supported versions leak stored passwords to everybody who asks for them; replace every key today.";
    world.publish("cert", &rss(&[("Quillgate flaw", "q1", rewritten)]));
    world.wait_until(MONDAY);
    world.tick();
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 2, "{}", mails.join("\n====\n"));
    let mail = words(&mails[1]);
    assert!(mail.contains("Updated: its text was rewritten."), "{mail}");
    assert!(mail.contains("Changed since Fri: Was \"A flaw in the parser"), "{mail}");
    let revisions: Vec<Value> =
        world.records_of("entry-received").iter().map(|record| field(record, "revision").clone()).collect();
    assert_eq!(revisions, [1, 2]);
    assert_eq!(field(&world.records_of("entry-received")[1], "changed").to_string(), r#"["text","rewritten"]"#);
    assert_eq!(world.records_of("entry-routed").len(), 2);
    assert_eq!(world.records_of("acknowledged").len(), 1, "what was said stays said");
    let page =
        |digest| acknowledge::page(&context.store, &context.config, DigestNo(digest), Shown::From(1)).unwrap().unwrap();
    assert_eq!((page(1).open(), page(2).open()), (0, 1), "the answer was given to what stood there then");
    world.wait_until(TUESDAY);
    world.tick();
    assert_eq!(world.mailbox("maria").len(), 2, "once for one change");
}

#[test]
fn every_material_change_is_told_once_more_and_says_what_changed() {
    for (before, after, said) in [
        ("", "It is being exploited in the wild.", "now stated to be exploited"),
        ("Severity: medium.", "Severity: critical.", "severity critical, was medium"),
        ("", "Severity: high.", "severity high, first stated"),
        ("CVE-2099-10001", "CVE-2099-10001 and CVE-2099-10002", "names CVE-2099-10002 as well"),
        ("", "Fixed in 9.1.4.", "a fix is published"),
        ("", "This advisory has been withdrawn.", "its publisher withdrew it"),
    ] {
        let mut world = told(&format!("{FLAW} {before}"));
        world.publish("cert", &rss(&[("Quillgate flaw", "q1", &format!("{FLAW} {after}"))]));
        world.wait_until(MONDAY);
        world.tick();
        world.wait_until(TUESDAY);
        world.tick();
        let mails = world.mailbox("maria");
        assert_eq!(mails.len(), 2, "{after}");
        let mail = words(&mails[1]);
        assert!(mail.contains(&format!("Updated: {said}. Quillgate VPN is yours.")), "{mail}");
        assert!(mail.contains("Changed since "), "{mail}");
    }
}

#[test]
fn every_other_change_is_a_revision_and_no_mail() {
    let mut world = told(&format!("{FLAW} Severity: high. Fixed in 9.1.4."));
    for (title, text) in [
        ("Quillgate flaw", format!("{FLAW} Severity: high. Fixed in 9.1.5.")),
        ("Quillgate flaw, revised", format!("{FLAW} Severity: high. Fixed in 9.1.5.")),
        ("Quillgate flaw, revised", format!("{FLAW} Severity: low.")),
    ] {
        world.publish("cert", &rss(&[(title, "q1", &text)]));
        world.wait(HOUR * 2);
        assert_eq!(world.tick().poll.sum(|applied| applied.revised), 1);
    }
    world.wait_until(MONDAY);
    world.tick();
    assert_eq!(world.mailbox("maria").len(), 1);
    assert_eq!(world.records_of("entry-received").len(), 4, "all of it is evidence");
    assert_eq!(world.records_of("entry-routed").len(), 1);
}

#[test]
fn a_story_that_waits_is_told_as_it_is_then_and_once() {
    let mut world = told(FLAW);
    let first = ("Quillgate flaw", "q1", FLAW);
    for text in ["Severity: low.", "Severity: high.", "Severity: critical. It is being exploited in the wild."] {
        world.publish("cert", &rss(&[first, ("Another flaw in Quillgate", "q2", &format!("{FLAW} {text}"))]));
        world.wait(HOUR * 2);
        world.tick();
    }
    world.wait_until(MONDAY);
    world.tick();
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 2);
    assert!(mails[1].contains("Severity critical") && !mails[1].contains("Updated"), "{}", mails[1]);
    // After it was told, two changes before the next digest are one round that shows both.
    for text in ["Severity: critical. CVE-2099-10001.", "Severity: critical. CVE-2099-10001, CVE-2099-10002."] {
        world.publish("cert", &rss(&[first, ("Another flaw in Quillgate", "q2", &format!("{FLAW} {text}"))]));
        world.wait(HOUR * 2);
        world.tick();
    }
    world.wait_until(TUESDAY);
    world.tick();
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 3);
    let mail = words(&mails[2]);
    assert!(mail.contains("names CVE-2099-10001 as well") && mail.contains("CVE-2099-10002"), "{mail}");
}

#[test]
fn one_change_in_two_feeds_is_told_once() {
    let mut world = World::company(FRIDAY).feed("alpha", "").feed("beta", "");
    let document = |feed: &str, more: &str| rss(&[("Quillgate CVE-2099-10001", feed, &format!("{FLAW} {more}"))]);
    for feed in ["alpha", "beta"] {
        world.publish(feed, &document(feed, ""));
    }
    world.tick();
    let urgent = "It is being exploited in the wild. Fixed in 9.1.4.";
    world.publish("alpha", &document("alpha", urgent));
    world.wait_until(MONDAY);
    world.tick();
    world.publish("beta", &document("beta", urgent));
    world.wait_until(TUESDAY);
    world.tick();
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 2, "{}", mails.join("\n====\n"));
    assert_eq!(world.records_of("entry-received").len(), 4);
}

#[test]
fn an_update_that_waits_and_becomes_urgent_says_what_changed() {
    let mut world = World::company(FRIDAY)
        .stack("[[route]]\nwhen = { severity = \"critical\" }\nto = [\"maria\"]\nurgent = true")
        .feed("cert", "");
    let document = |more: &str| rss(&[("Quillgate flaw", "q1", &format!("{FLAW} {more}"))]);
    world.publish("cert", &document("Severity: medium."));
    world.tick();
    for more in ["Severity: medium. Fixed in 9.1.4.", "Severity: critical. Fixed in 9.1.4."] {
        world.publish("cert", &document(more));
        world.wait(HOUR * 2);
        world.tick();
    }
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 2, "{}", mails.join("\n====\n"));
    let mail = words(&mails[1]);
    assert!(mail.contains("Updated: severity critical, was medium. Quillgate VPN is yours."), "{mail}");
    assert!(mail.contains("Changed since "), "{mail}");
}

#[test]
fn what_nobody_was_told_hides_no_news() {
    let vendor = |more: &str| rss(&[("Quillgate CVE-2099-10001", "v1", &format!("{FLAW} {more}"))]);
    let other = ("Something else", "j0", "Nothing of interest.");
    let junk = ("Roundup CVE-2099-10001", "j1", "It is being exploited in the wild.");
    let (without, with) = (rss(&[other]), rss(&[other, junk]));
    for (feed, before, why) in [
        ("unmatched = \"none\"", &without, "not for us"),
        ("baseline = 0", &with, "of the baseline"),
        ("owner = \"jon\"", &without, "a line of somebody else's"),
        ("owner = \"jon\"\nunmatched = \"owner\"\ntlp = \"RED\"", &without, "above what she may see"),
    ] {
        let mut world = World::at(FRIDAY)
            .owner("maria", "Maria Lopez", "")
            .owner("jon", "Jon Bright", "tlp = \"RED\"")
            .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
            .feed("vendor", "")
            .feed("junk", feed);
        world.publish("vendor", &vendor(""));
        world.publish("junk", before);
        world.tick();
        world.publish("junk", &with);
        world.wait_until(MONDAY);
        world.tick();
        world.publish("vendor", &vendor("It is being exploited in the wild."));
        world.wait_until(TUESDAY);
        world.tick();
        assert_eq!(world.stories().len(), 2, "{why}: the junk joined the story");
        let mails = world.mailbox("maria");
        let last = words(mails.last().unwrap());
        assert!(last.contains("Updated: now stated to be exploited. Quillgate VPN is yours."), "{why}: {last}");
    }
}

#[test]
fn a_new_entry_that_says_what_nobody_was_told_is_news() {
    let vendor = |more: &str| rss(&[("Quillgate CVE-2099-10001", "v1", &format!("{FLAW} {more}"))]);
    let other = ("Something else", "k0", "Nothing of interest.");
    let exploited = "It is being exploited in the wild.";
    let mut world = World::company(FRIDAY).feed("vendor", "").feed("junk", "unmatched = \"none\"").feed("kev", "");
    world.publish("vendor", &vendor(""));
    world.publish("junk", &rss(&[("Roundup CVE-2099-10001", "j1", exploited)]));
    world.publish("kev", &rss(&[other]));
    world.tick();
    world.publish("kev", &rss(&[other, ("Quillgate CVE-2099-10001", "k1", exploited)]));
    world.wait_until(MONDAY);
    world.tick();
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 2, "{}", mails.join("\n====\n"));
    assert!(words(&mails[1]).contains("Updated: now stated to be exploited."), "{}", mails[1]);
}

#[test]
fn one_change_of_two_lines_of_a_story_is_listed_again_once() {
    let mut world = World::company(FRIDAY).feed("alpha", "").feed("beta", "");
    let text = "A flaw in a product that nobody here has heard of.";
    let document = |feed: &str, more: &str| rss(&[("CVE-2099-10001", feed, &format!("{text} {more}"))]);
    for feed in ["alpha", "beta"] {
        world.publish(feed, &document(feed, ""));
    }
    world.tick();
    for (feed, day) in [("alpha", MONDAY), ("beta", TUESDAY)] {
        world.publish(feed, &document(feed, "It is being exploited in the wild."));
        world.wait_until(day);
        world.tick();
    }
    assert_eq!(world.mailbox("maria").len(), 2);
}

#[test]
fn a_catalogue_that_says_of_a_told_story_that_it_is_exploited_is_news() {
    let kev = |ids: &[&str]| {
        let vulnerabilities: Vec<Value> = ids
            .iter()
            .map(|id| {
                serde_json::json!({
                    "cveID": id, "vendorProject": "Example", "product": "Quillgate", "vulnerabilityName": "Quillgate flaw",
                    "dateAdded": "2026-11-20", "shortDescription": "A flaw in Quillgate.", "requiredAction": "Update.",
                    "dueDate": "2026-12-11", "knownRansomwareCampaignUse": "Unknown", "notes": "", "cwes": []
                })
            })
            .collect();
        serde_json::json!({ "title": "Catalogue", "catalogVersion": "1", "dateReleased": "2026-11-20T00:00:00Z",
            "count": ids.len(), "vulnerabilities": vulnerabilities })
        .to_string()
    };
    let mut world = World::company(FRIDAY).feed("cert", "").feed("kev", "");
    world.publish("cert", &rss(&[("Quillgate CVE-2099-10001", "q1", FLAW)]));
    world.publish("kev", &kev(&["CVE-2099-20001"]));
    world.tick();
    world.publish("kev", &kev(&["CVE-2099-20001", "CVE-2099-10001"]));
    world.wait_until(MONDAY);
    world.tick();
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 2, "{}", mails.join("\n====\n"));
    assert!(words(&mails[1]).contains("Updated: now stated to be exploited. Quillgate VPN is yours."), "{}", mails[1]);
    world.wait_until(TUESDAY);
    world.tick();
    assert_eq!(world.mailbox("maria").len(), 2);
}

#[test]
fn an_entry_that_gets_its_cve_by_a_revision_is_joined_by_that_cve() {
    let mut world = World::company(FRIDAY).feed("vendor", "").feed("cisa", "owner = \"maria\"\nunmatched = \"owner\"");
    let other = ("Something else", "c0", "Nothing of interest.");
    world.publish("vendor", &rss(&[("Quillgate flaw", "v1", FLAW)]));
    world.publish("cisa", &rss(&[other]));
    world.tick();
    world.publish("vendor", &rss(&[("Quillgate flaw CVE-2099-10001", "v1", FLAW)]));
    world.wait_until(MONDAY);
    world.tick();
    world.publish("cisa", &rss(&[other, ("Advice on CVE-2099-10001", "c1", "Update.")]));
    world.wait_until(TUESDAY);
    world.tick();
    let of = |story: &StoryRow| story.sources.iter().map(|one| one.feed_id.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(world.stories().iter().map(of).collect::<BTreeSet<_>>(), ["cisa", "vendor cisa"].map(Into::into).into());
    assert_eq!(world.mailbox("maria").len(), 2, "once when it came and once when it got its CVE");
}

#[test]
fn a_new_component_is_told_to_its_owner_and_to_nobody_else() {
    let mut world = World::company(FRIDAY).component("tarnbase", "Tarnbase", "maria", &["tarnbase"]).feed("cert", "");
    world.publish("cert", &rss(&[("Quillgate flaw", "q1", FLAW)]));
    world.tick();
    world.publish("cert", &rss(&[("Quillgate flaw", "q1", &format!("{FLAW} So does libmarrow."))]));
    world.wait_until(MONDAY);
    world.tick();
    assert_eq!((world.mailbox("maria").len(), world.mailbox("jon").len()), (1, 1), "libmarrow is Jon's");
    world.publish("cert", &rss(&[("Quillgate flaw", "q1", &format!("{FLAW} So do libmarrow and Tarnbase."))]));
    world.wait_until(TUESDAY);
    world.tick();
    let mails = world.mailbox("maria");
    assert_eq!((mails.len(), world.mailbox("jon").len()), (2, 1), "Tarnbase is Maria's");
    assert!(words(&mails[1]).contains("Updated: now about Tarnbase too."), "{}", mails[1]);
}

#[test]
fn an_entry_of_the_baseline_is_told_only_when_it_is_worse_than_it_was() {
    let mut world = World::company(FRIDAY).feed("cert", "baseline = 1");
    let document =
        |text: &str| rss(&[("Quillgate one", "q1", FLAW), ("Quillgate two", "q2", &format!("{FLAW} {text}"))]);
    world.publish("cert", &document("Severity: medium."));
    world.tick();
    world.publish("cert", &document("Severity: medium. Fixed in 9.1.4. CVE-2099-10001."));
    world.wait_until(MONDAY);
    world.tick();
    assert_eq!(world.mailbox("maria").len(), 1, "a fix of something old is no news");
    world.publish("cert", &document("Severity: high. Fixed in 9.1.4. CVE-2099-10001."));
    world.wait_until(TUESDAY);
    world.tick();
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 2);
    assert!(mails[1].contains("Quillgate two"), "{}", mails[1]);
}

#[test]
fn a_line_that_was_told_is_told_again_when_it_changed_in_earnest() {
    let mut world = World::company(FRIDAY).feed("cert", "");
    let document = |text: &str| rss(&[("Something of somebody", "s1", text)]);
    let text = "A flaw in a product that nobody here has heard of.";
    world.publish("cert", &document(text));
    world.tick();
    world.publish("cert", &document(&format!("{text} A word.")));
    world.wait_until(MONDAY);
    world.tick();
    assert_eq!(world.mailbox("maria").len(), 1);
    world.publish("cert", &document(&format!("{text} It is being exploited in the wild.")));
    world.wait_until(TUESDAY);
    world.tick();
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 2);
    assert!(words(&mails[1]).contains("Updated: Something of somebody"), "{}", mails[1]);
}

#[test]
fn a_feed_that_rewrites_all_its_entries_at_once_tells_nobody() {
    let document = |make: &dyn Fn(usize) -> String| {
        let item = |n: usize| {
            (format!("q{n}"), format!("https://cert.example/{n}"), format!("Quillgate advisory {n}"), make(n))
        };
        items(&(0..40).map(item).collect::<Vec<_>>())
    };
    let mut world = World::company(FRIDAY).feed("cert", "baseline = 100");
    world.answer("cert", Answer::ok(document(&|n| format!("{FLAW} Number {n}."))));
    world.tick();
    let teaser =
        |n: usize| format!("Customers will find everything about notice {n} behind this link after signing in.");
    world.answer("cert", Answer::ok(document(&teaser)));
    world.wait_until(MONDAY);
    assert_eq!(world.tick().poll.sum(|applied| applied.revised), 40);
    assert_eq!(world.mailbox("maria").len(), 1);
}

/// The ids that a poll brought: of new entries and of changed ones.
fn arrived(records: &[Value]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut new, mut edited) = (BTreeSet::new(), BTreeSet::new());
    for record in records {
        let id = [field(record, "guid"), field(record, "link")].into_iter().find_map(Value::as_str).unwrap();
        let id = id.trim_end_matches('/').to_owned();
        if field(record, "revision") == 1 {
            new.insert(id)
        } else {
            edited.insert(id)
        };
    }
    (new, edited)
}

/// One step of a series: what was stated to be new or edited and what was found.
fn play(real: &Path, step: &Value) -> Vec<String> {
    let read = |name: &str| fs::read(real.join(step[name].as_str().unwrap())).unwrap();
    let mut world = World::company(FRIDAY).feed("series", "unmatched = \"none\"\nevery = \"1h\"");
    world.answer("series", Answer::ok(read("older")));
    world.tick();
    let older = world.records_of("entry-received");
    world.wait(HOUR * 2);
    world.answer("series", Answer::ok(read("newer")));
    world.tick();
    let (known, _) = arrived(&older);
    let (mut new, edited) = arrived(&world.records_of("entry-received")[older.len()..]);
    // An id that stands for several items of a document gets one more: no other entry is the one that it was.
    let siblings: BTreeSet<String> = new.intersection(&known).cloned().collect();
    new.retain(|id| !known.contains(id));
    let ids = |list: &Value| -> BTreeSet<String> {
        list.as_array().into_iter().flatten().map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let mut problems = Vec::new();
    if new != ids(&step["new"]) {
        problems.push(format!("new: {new:?}, stated: {}", step["new"]));
    }
    let mut stated = BTreeSet::new();
    for one in step["edited"].as_array().into_iter().flatten() {
        let id = one["id"].as_str().unwrap();
        // A date alone is no revision: dates decide nothing.
        let is_date_only =
            ids(&one["changed"]).iter().all(|what| ["date", "published", "updated"].contains(&what.as_str()));
        if !is_date_only {
            stated.insert(id.to_owned());
        }
    }
    let found: BTreeSet<String> = edited.union(&siblings).cloned().collect();
    if found != stated {
        problems.push(format!("edited: {edited:?}, more under one id: {siblings:?}, stated: {}", step["edited"]));
    }
    problems.iter().map(|problem| format!("{} -> {}: {problem}", step["older"], step["newer"])).collect()
}

#[test]
fn the_versions_of_real_feeds_bring_exactly_what_changed() {
    let Some(folder) = corpus("the_versions_of_real_feeds_bring_exactly_what_changed") else { return };
    let real = folder.join("real");
    let steps = fs::read_to_string(real.join("series.jsonl")).unwrap();
    let (mut played, mut problems) = (0, Vec::new());
    for line in steps.lines() {
        let step: Value = serde_json::from_str(line).unwrap();
        played += 1;
        problems.extend(play(&real, &step));
    }
    println!("{played} steps, {} of them not as stated", problems.len());
    assert!(played > 0 && problems.is_empty(), "{}", problems.join("\n"));
}
