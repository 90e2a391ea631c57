//! The commands as a person types them: the real binary, its output, its exit status and what it leaves on disk.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::harness::{
    feed_server::Answer,
    world::{World, rss},
};

const NOW: &str = "2026-11-20T07:00:00Z";

/// Two feeds, one of which refuses, and nothing polled yet.
fn world() -> World {
    let world = World::company(NOW).feed("refusing", "").feed("cert", "topics = [\"prompt-injection\"]");
    world.answer("refusing", Answer::status(403));
    world.publish("cert", &rss(&[("Quillgate hole CVE-2099-10007", "q1", "Text."), ("Else", "q2", "Text.")]));
    world.config();
    world
}

#[expect(clippy::disallowed_methods, reason = "the program does not start others; its tests start it")]
fn command(program: &str) -> Command {
    Command::new(program)
}

fn sigtrail(root: &Path, words: &[&str]) -> Output {
    let mut command = command(env!("CARGO_BIN_EXE_sigtrail"));
    for variable in ["STATE_DIRECTORY", "SIGTRAIL_ROOT", "SIGTRAIL_LOG", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.arg("--root").arg(root).args(words).current_dir(root).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The standard output of a command that must end well.
fn said(root: &Path, words: &[&str]) -> String {
    let output = sigtrail(root, words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn lines(root: &Path, words: &[&str]) -> Vec<Value> {
    said(root, words).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_command_that_reads_says_that_there_is_no_state_and_makes_none() {
    let world = world();
    let root = world.root.path();
    for words in [
        &["feeds"][..],
        &["feeds", "list", "--json"],
        &["stories"],
        &["status"],
        &["status", "--json"],
        &["match", "--entry", "1"],
        &["digest", "maria"],
        &["digest", "maria", "--preview"],
        &["ack", "1", "--owner", "maria", "--as", "acted"],
        &["act", "1", "--reference", "ticket:CHG-118"],
        &["evidence", "checkpoint"],
        &["evidence", "export", "pack"],
    ] {
        let output = sigtrail(root, words);
        let talk = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {talk}");
        assert!(talk.starts_with("error: no state at ") && talk.contains("sigtrail tick"), "{words:?}: {talk}");
        assert_eq!(text(&output.stdout), "", "{words:?}");
    }
    assert!(!world.state().exists() && !root.join("pack").exists());
}

#[test]
fn nobody_answers_from_the_shell_for_a_story_that_went_to_others_only() {
    let mut world = world();
    let root = world.root.path().to_owned();
    said(&root, &["poll"]);
    let answer = |owner| sigtrail(&root, &["ack", "1", "--owner", owner, "--as", "acted"]);
    let refused = answer("jon");
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        text(&refused.stderr),
        "error: story 1, \"Quillgate hole CVE-2099-10007\", is with maria, not with jon; `sigtrail stories` shows who has \
         which\n"
    );
    assert!(world.records_of("acknowledged").is_empty());
    let recorded = answer("maria");
    assert_eq!(recorded.status.code(), Some(0));
    let told = text(&recorded.stdout);
    assert!(told.contains("acted for maria.\n  1  Quillgate hole CVE-2099-10007\n"), "the title is told: {told}");
    assert_eq!(world.records_of("acknowledged").len(), 1);
}

#[test]
fn nobody_answers_from_the_shell_for_a_story_that_nobody_was_given() {
    let mut world = World::company(NOW).feed("cert", "unmatched = \"none\"");
    world.publish("cert", &rss(&[("Quillgate hole CVE-2099-10007", "q1", "Text."), ("Else", "q2", "Text.")]));
    world.config();
    let root = world.root.path().to_owned();
    said(&root, &["poll"]);
    for words in [&["ack", "2", "--owner", "maria", "--as", "acted"][..], &["ack", "1", "2", "--as", "acted"]] {
        let output = sigtrail(&root, words);
        let talk = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {talk}");
        assert!(talk.starts_with("error: story 2, \"Else\", was given to nobody"), "{talk}");
    }
    assert!(world.records_of("acknowledged").is_empty());
}

#[test]
fn a_filter_of_the_stories_that_nobody_knows_is_a_mistake_and_not_an_empty_answer() {
    let mut world = world();
    let root = world.root.path().to_owned();
    said(&root, &["poll"]);
    for (words, told) in [
        (["--owner", "mria"], "no owner `mria` in config/owners.toml; did you mean `maria`?"),
        (["--component", "quilgate"], "no component `quilgate` in config/stack.toml; did you mean `quillgate`?"),
        (["--topic", "weather"], "no topic `weather` in config/stack.toml; there is prompt-injection"),
        (["--feed", "nowhere"], "no feed `nowhere` in feeds.toml; there is refusing, cert"),
    ] {
        let output = sigtrail(&root, &["stories", "--open", words[0], words[1]]);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", text(&output.stdout));
        assert!(text(&output.stderr).contains(told), "{words:?}: {}", text(&output.stderr));
    }
    assert_eq!(said(&root, &["stories", "--owner", "jon"]), "no story matches --owner jon; leave something out\n");

    world.edit("stack", "id = \"quillgate\"", "id = \"gate\"");
    world.config();
    let found = said(&root, &["stories", "--component", "quillgate"]);
    assert!(found.contains("Quillgate hole"), "what was renamed is still found by the name of its time: {found}");
}

#[test]
fn what_happened_before_is_recorded_at_the_shell_with_both_dates_until_it_is_closed() {
    let mut world = world();
    let root = world.root.path().to_owned();
    said(&root, &["poll"]);
    for (words, told) in [
        (&["act", "1", "--reference", "ticket:CHG-118", "--close"][..], "nobody has answered this story yet"),
        (&["act", "1"], "nothing to attach"),
        (&["act", "1", "--reference", "CHG-118"], "begins with minutes, ticket, pull-request, risk, chat and a colon"),
        (&["ack", "1", "--as", "not-relevant"], "Say why this is not relevant"),
        (&["ack", "1", "--as", "acted", "--at", "2999-01-01"], "is in the future"),
        (&["ack", "1", "--as", "acted", "--corrects", "0"], "names no answer of this owner"),
        (&["ack", "99", "--as", "acted"], "no story 99"),
    ] {
        let output = sigtrail(&root, words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(text(&output.stderr).contains(told), "{words:?}: {}", text(&output.stderr));
    }
    assert!(world.records_of("acknowledged").is_empty());
    let ack = ["ack", "1", "--as", "discuss", "--at", "2026-01-05 14:00", "--reference", "minutes:5 Jan", "--json"];
    let first = &lines(&root, &ack)[0];
    assert_eq!((&first["owner"], &first["happened_at"]), (&"maria".into(), &"2026-01-05T14:00:00Z".into()));
    let act = ["act", "1", "--reference", "ticket:CHG-118", "--reference", "pull-request:https://git.example/7"];
    said(&root, &act);
    said(&root, &["ack", "1", "--as", "watching", "--corrects", &first["record"].to_string()]);
    said(&root, &["act", "1", "--close", "--note", "patched everywhere"]);
    let records = world.records_of("acknowledged");
    let words: Vec<&str> = records.iter().map(|one| one["fields"]["disposition"].as_str().unwrap()).collect();
    assert_eq!(words, ["discuss", "acted", "watching", "closed"]);
    assert_eq!(records[0]["time"], "2026-01-05T14:00:00.000Z");
    let day = |record: &Value, name: &str| record[name].as_str().unwrap().split('T').next().unwrap().to_owned();
    assert_ne!(day(&records[0], "time"), day(&records[0], "recorded"));
    assert_eq!(day(&records[1], "time"), day(&records[1], "recorded"));
    assert_eq!(records[1]["fields"]["references"], serde_json::json!(["ticket", "pull-request"]));
    assert_eq!(records[2]["fields"]["corrects"], first["record"]);
    let stories = lines(&root, &["stories", "--json", "quillgate"]);
    let assigned = &stories[0]["assignments"][0];
    assert_eq!(assigned["disposition"], "closed");
    let references = ["ticket:CHG-118", "pull-request:https://git.example/7"];
    assert_eq!(assigned["references"], serde_json::json!(references));
}

#[test]
fn a_lock_that_cannot_be_made_is_named_with_its_path() {
    let world = world();
    let root = world.root.path();
    fs::create_dir_all(world.state().join("lock")).unwrap();
    let output = sigtrail(root, &["tick"]);
    let talk = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{talk}");
    assert!(talk.contains(&world.state().join("lock").display().to_string()), "{talk}");
}

#[test]
fn a_mistake_on_the_command_line_is_named_and_exits_2() {
    let world = world();
    let root = world.root.path();
    for (words, told) in [
        (&["chek"][..], "'chek'"),
        (&["poll", "--foce"], "'--force'"),
        (&["feeds", "lst"], "'list'"),
        (&["poll", "crt"], "no feed `crt`"),
        (&["digest", "mria"], "no owner `mria`"),
        (&["match"], "sigtrail match \"TEXT\""),
        (&["evidence", "verify", "nowhere"], "nowhere"),
        (&["parse"], "<FILES>..."),
    ] {
        let output = sigtrail(root, words);
        let talk = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {talk}");
        assert!(talk.contains(told), "{words:?}: {talk}");
    }
    assert!(!world.state().exists());
}

#[test]
fn a_file_that_cannot_be_read_is_the_users_mistake_and_the_others_are_read() {
    let world = world();
    let root = world.root.path();
    fs::write(root.join("good.xml"), rss(&[("One", "1", "Text.")])).unwrap();
    let output = sigtrail(root, &["parse", "--json", "missing.xml", "good.xml"]);
    assert_eq!(output.status.code(), Some(2));
    let found: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&found[0]["ok"], &found[1]["ok"]), (&false.into(), &true.into()));
    assert!(found[0]["error"].as_str().unwrap().starts_with("the file cannot be read: No such file"), "{}", found[0]);
    fs::write(root.join("page.html"), "<!doctype html><html><body>Sign in</body></html>").unwrap();
    assert!(
        said(root, &["parse", "page.html", "good.xml"]).starts_with("page.html: not read: "),
        "a bad document is none"
    );
    let url = world.server.url("/refusing");
    let refused = lines(root, &["parse", "--json", &url, "good.xml"]);
    assert_eq!((refused[0]["ok"].as_bool(), refused[1]["ok"].as_bool()), (Some(false), Some(true)));
    assert!(refused[0]["error"].as_str().unwrap().starts_with("refused ("), "{}", refused[0]);
}

#[test]
fn every_table_is_json_lines_with_the_agreed_names() {
    let world = world();
    let root = world.root.path();
    let ticked = lines(root, &["tick", "--json"]);
    let feeds: Vec<&str> =
        ticked.iter().filter(|line| line["next_poll_at"].is_string()).map(|l| l["feed"].as_str().unwrap()).collect();
    assert_eq!(feeds, ["cert", "refusing"], "feeds stand in the order of their identifiers");
    let polled = lines(root, &["poll", "--force", "--json"]);
    assert_eq!((&polled[0]["feed"], &polled[1]["feed"]), (&"cert".into(), &"refusing".into()));
    assert_eq!((&polled[0]["reason"], &polled[1]["state"]), (&Value::Null, &"refused".into()));

    assert!(lines(root, &["poll", "cert", "--json"]).is_empty(), "what is not due is talk, not data");

    let listed = lines(root, &["feeds", "--json"]);
    assert_eq!(
        keys(&listed[0]),
        [
            "entries",
            "feed",
            "group",
            "held",
            "last_entry_at",
            "last_poll_at",
            "moved_to",
            "moving_to",
            "next_poll_at",
            "next_poll_why",
            "owner",
            "partial",
            "reason",
            "since",
            "state",
            "url",
        ]
    );
    let stories = lines(root, &["stories", "--json"]);
    assert_eq!(
        keys(&stories[1]),
        ["assignments", "components", "cves", "first_seen", "sources", "story", "tags", "title", "topics", "urgent"]
    );
    assert_eq!(
        keys(&stories[1]["assignments"][0]),
        ["acknowledged_at", "delivered_at", "digest", "disposition", "note", "owner", "reason", "references"]
    );
    for reference in ["ticket:CHG-118", "minutes:20 Nov", "ticket:CHG-118"] {
        said(root, &["ack", "1", "--owner", "maria", "--as", "acted", "--reference", reference]);
    }
    let answered = &lines(root, &["stories", "--json", "quillgate"])[0]["assignments"][0];
    assert_eq!(
        (&answered["disposition"], &answered["references"]),
        (&"acted".into(), &serde_json::json!(["ticket:CHG-118", "minutes:20 Nov"]))
    );
    assert_eq!(keys(&stories[1]["sources"][0]), ["entry", "feed", "link"]);
    assert_eq!(keys(&stories[1]["tags"][0]), ["confidence", "field", "id", "kind", "method", "snippet", "term"]);
    assert_eq!(stories[1]["cves"], serde_json::json!(["CVE-2099-10007"]));
}

#[test]
fn match_tells_a_stored_entry_with_what_its_feed_brings_and_who_gets_it() {
    let world = world();
    let root = world.root.path();
    said(root, &["tick"]);
    let stories = lines(root, &["stories", "--json", "quillgate"]);
    let entry = stories[0]["sources"][0]["entry"].to_string();
    let told = &lines(root, &["match", "--json", "--entry", &entry])[0];
    let tags: Vec<&str> = told["tags"].as_array().unwrap().iter().map(|tag| tag["id"].as_str().unwrap()).collect();
    assert_eq!(tags, ["quillgate", "prompt-injection"]);
    assert_eq!((&told["fate"], &told["assignments"][0]["owner"]), (&"assigned".into(), &"maria".into()));
    fs::write(root.join("other.toml"), "[[component]]\nid = \"x\"\nname = \"X\"\nowner = \"any\"\nterms = [\"hole\"]")
        .unwrap();
    let other = &lines(root, &["match", "--json", "--stack", "other.toml", "a hole"])[0];
    assert_eq!((&other["tags"][0]["id"], keys(other)), (&"x".into(), vec!["key", "tags"]));
    assert!(!said(root, &["match", "--stack", "other.toml", "a hole"]).contains("goes to"), "owners are not looked at");
    let nothing = &lines(root, &["match", "--json", "something else"])[0];
    assert_eq!((&nothing["fate"], &nothing["key"]), (&"not-for-us".into(), &Value::Null));
}

#[test]
fn root_on_a_state_of_another_user_becomes_that_user_first() {
    let world = world();
    let root = world.root.path();
    if fs::metadata(root).unwrap().uid() != 0 {
        eprintln!("skipped: root_on_a_state_of_another_user_becomes_that_user_first needs root");
        return;
    }
    let nobody = 65_534;
    fs::create_dir(world.state()).unwrap();
    std::os::unix::fs::chown(world.state(), Some(nobody), Some(nobody)).unwrap();
    fs::set_permissions(root, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    said(root, &["poll"]);
    said(root, &["tick"]);
    let database = world.state().join("sigtrail.db");
    said(root, &["evidence", "verify", database.to_str().unwrap()]);
    said(root, &["stories"]);
    let mut seen = 0;
    for entry in fs::read_dir(world.state()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid(), nobody, "{}", entry.path().display());
        seen += 1;
    }
    assert!(seen >= 5, "the state was made");
}

#[test]
fn a_folder_that_may_not_be_read_or_written_is_named_with_what_to_do() {
    let world = world();
    let root = world.root.path();
    if fs::metadata(root).unwrap().uid() != 0 {
        eprintln!("skipped: a_folder_that_may_not_be_read_or_written_is_named_with_what_to_do needs root");
        return;
    }
    said(root, &["tick"]);
    fs::set_permissions(root, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let copy = tempfile::Builder::new().prefix("sigtrail").tempfile().unwrap();
    fs::copy(env!("CARGO_BIN_EXE_sigtrail"), copy.path()).unwrap();
    let program = copy.into_temp_path();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for words in [&["stories"][..], &["tick"], &["--state", "new", "tick"], &["init", "new"], &["demo", "--once"]] {
        let mut command = command(program.to_str().unwrap());
        std::os::unix::process::CommandExt::uid(&mut command, 65_534);
        let output = command.arg("--root").arg(root).args(words).current_dir(root).output().unwrap();
        let talk = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {talk}");
        assert!(talk.contains("Permission denied"), "{words:?}: {talk}");
    }
    assert!(!root.join("new").exists() && !root.join("demo").exists());
}

#[test]
fn completions_and_the_manual_page_name_every_command() {
    let world = world();
    let root = world.root.path();
    let manual = said(root, &["man"]);
    for shell in ["bash", "zsh", "fish"] {
        let script = said(root, &["completions", shell]);
        for name in [
            "demo", "init", "check", "run", "tick", "poll", "feeds", "parse", "match", "stories", "digest", "ack",
            "evidence",
        ] {
            assert!(script.contains(name) && manual.contains(name), "{name} for {shell}");
        }
    }
    assert!(sigtrail(root, &["frobnicate"]).status.code() == Some(2));
}

#[test]
fn the_demo_does_the_whole_job_and_its_pack_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let told = said(root, &["demo", "--once"]);
    for words in
        ["loopback only", "polled", "routed", "mailed", "accepted: 250", "answered", "verified", "demo/outbox/"]
    {
        assert!(told.contains(words), "{words} is not in:\n{told}");
    }
    let mail = fs::read_dir(root.join("demo/outbox")).unwrap().next().unwrap().unwrap().path();
    let verdict = said(root, &["evidence", "verify", "demo/pack", "--mail", mail.to_str().unwrap()]);
    assert!(verdict.starts_with("ok: ") && verdict.contains("anchored: "), "{verdict}");
    let alone = said(root, &["evidence", "verify", "demo/pack"]);
    assert!(alone.contains("consistent with itself, not anchored") && alone.contains("compare fingerprint"), "{alone}");
    let records = root.join("demo/pack/records/0000.jsonl");
    let changed = fs::read_to_string(&records).unwrap().replacen("Quillgate", "Quillgata", 1);
    fs::write(&records, changed).unwrap();
    let broken = sigtrail(root, &["evidence", "verify", "demo/pack"]);
    assert_eq!(broken.status.code(), Some(3));
    assert!(text(&broken.stdout).starts_with("broken: record "), "{}", text(&broken.stdout));
    fs::write(root.join("mine"), "").unwrap();
    let other = sigtrail(root, &["demo", "--once", "--dir", "."]);
    assert_eq!(other.status.code(), Some(2), "a folder that is not a demo's is left alone");
}

#[test]
fn status_ends_with_4_where_something_wants_attention_and_prints_an_object_for_each() {
    let mut world = world();
    world.tick();
    let root = world.root.path();
    let output = sigtrail(root, &["status", "--json"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    let lines: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let refused = lines.iter().find(|line| line["reason"] == "feed-refused").unwrap();
    assert_eq!(keys(refused), ["reason", "since", "subject", "text"]);
    assert_eq!(refused["subject"], "refusing");
    assert!(refused["text"].as_str().unwrap().starts_with("refused (403). "), "{refused}");
    let output = sigtrail(root, &["status"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stdout).starts_with("REASON"), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("1 of 2 feeds seen"), "{}", text(&output.stdout));
}

#[test]
fn init_writes_where_root_says_and_not_where_it_is_typed() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = there.path().join("etc");
    let root = root.to_str().unwrap();
    let done =
        command(env!("CARGO_BIN_EXE_sigtrail")).args(["--root", root, "init"]).current_dir(&here).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert!(Path::new(root).join("config/owners.toml").exists());
    assert_eq!(fs::read_dir(&here).unwrap().count(), 0, "nothing is written beside it");
}
