//! One story followed through a pack with the commands of its README, and with nothing but the pack.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use sigtrail::{
    jobs::{Fault, checkpoint::checkpoint},
    pack,
};

use crate::harness::{
    page::{Page, nonce_of},
    world::{World, rss},
};

/// The lines that a command of the README prints, run in the pack.
#[expect(clippy::disallowed_methods, reason = "an auditor has a shell; only the tests start one")]
fn printed(pack: &Path, command: &str) -> Vec<Value> {
    let output = Command::new("sh").args(["-c", command]).current_dir(pack).output().unwrap();
    assert!(output.stderr.is_empty(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The kinds of these records.
fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().filter_map(|record| record["kind"].as_str()).collect()
}

/// The first of these records that is of a kind.
#[track_caller]
fn first<'a>(records: &'a [Value], kind: &str) -> &'a Value {
    records.iter().find(|record| record["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {records:?}"))
}

/// A company that was told of two stories and of one entry that needs no answer, and answered the first story.
fn company() -> World {
    let mut world = World::company("2026-11-20T08:00:00Z").feed("cert", "baseline = 3");
    world.publish(
        "cert",
        &rss(&[
            ("Quillgate: sign-in bypass", "a1", "A crafted cookie skips the sign-in."),
            ("Quillgate: a second hole", "a2", "Text of the second."),
            ("A note of no concern", "a3", "Text of the third."),
            ("An old note", "a4", "Text of the fourth."),
        ]),
    );
    world.tick();
    let mail = world.mailbox("maria").remove(0);
    let link = mail.lines().find_map(|line| line.trim().strip_prefix("https://sigtrail.example.com")).unwrap();
    let page = Page::open(&mut world);
    let path = format!("{link}/1");
    let body = format!("disposition=acted&note=portal+off&nonce={}", nonce_of(&page.get(&path).body));
    assert_eq!(page.post(&path, &body).status, 303);
    world
}

#[test]
fn the_readme_of_a_pack_leads_through_one_story_with_nothing_but_the_pack() {
    let mut world = company();
    let context = world.context();
    checkpoint(&context).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("pack");
    let key = &context.evidence_key.verifier;
    context.store.with_connection(|connection| Ok::<_, Fault>(pack::export(connection, key, &dir))).unwrap().unwrap();

    let readme = fs::read_to_string(dir.join("README.md")).unwrap();
    let (_, section) = readme.split_once("## Follow one story").unwrap();
    let commands: Vec<&str> = section.lines().map(str::trim).filter(|line| line.starts_with("grep ")).collect();
    let [words, story, tags, loaded, lists, baseline, digest, delivery, texts] = commands[..] else {
        panic!("other commands than this test follows: {commands:?}");
    };
    // The numbers of the README stand for those that the steps before have found.
    let with = |command: &str, name: &str, from: &str, to: &Value| {
        let (named, listed) = (format!("\"{name}\":{from}"), format!("*{from}[],]"));
        assert!(command.contains(&named) || command.contains(&listed) || command.contains(&format!("[{from},")));
        let command = command.replace(&named, &format!("\"{name}\":{to}")).replace(&listed, &format!("*{to}[],]"));
        command.replace(&format!("[{from},"), &format!("[{to},"))
    };

    let received = printed(&dir, &words.replace("words of the title", "sign-in bypass"));
    let [entry] = &received[..] else { panic!("{received:?}") };
    let (story_no, entry_no) = (&entry["fields"]["story"], &entry["fields"]["entry"]);
    let about = printed(&dir, &with(story, "story", "5", story_no));
    assert_eq!(kinds(&about), ["entry-received", "entry-routed", "digest-composed", "acknowledged"]);
    let tagged = printed(&dir, &with(tags, "entry", "11", entry_no));
    assert_eq!(tagged[0]["fields"]["tags"][0]["term"], "quillgate", "{tagged:?}");

    let configured = printed(&dir, &with(loaded, "config", "1", &tagged[0]["fields"]["config"]));
    let files = printed(&dir, &with(texts, "record", "51", &configured[0]["index"]));
    assert!(files.iter().any(|file| file["text"].as_str().unwrap().contains("name = \"Quillgate VPN\"")), "{files:?}");

    let sent = printed(&dir, &with(digest, "digest", "1", &first(&about, "digest-composed")["fields"]["digest"]));
    let started = &first(&sent, "delivery-started")["fields"]["delivery"];
    let receipts = printed(&dir, &with(delivery, "delivery", "1", started));
    assert_eq!(first(&receipts, "delivery-finished")["fields"]["outcome"], "accepted");
    let answer = &first(&about, "acknowledged")["index"];
    let said = printed(&dir, &with(texts, "record", "51", answer));
    let said: Vec<(&str, &str)> =
        said.iter().map(|text| (text["field"].as_str().unwrap(), text["text"].as_str().unwrap())).collect();
    assert_eq!(said, [("note", "portal off"), ("owner", "maria")]);

    let entry_of = |title: &str| {
        let found = printed(&dir, &words.replace("words of the title", title));
        found[0]["fields"]["entry"].clone()
    };
    let listed = printed(&dir, &with(lists, "", "11", &entry_of("no concern")));
    assert_eq!(kinds(&listed), ["entries-listed"]);
    let old = printed(&dir, &with(baseline, "", "11", &entry_of("old note")));
    assert_eq!(kinds(&old), ["baseline"]);
}
