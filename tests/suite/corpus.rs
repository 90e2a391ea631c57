//! Real feed documents, the whole way: served on loopback, polled twice, tagged against a stack, mailed to four owners
//! through a real mail server where there is one, and verified. The documents stay outside: `SIGTRAIL_CORPUS` names
//! the folder, and without it the test says that it is skipped.
#![expect(clippy::redundant_closure_for_method_calls, reason = "the method itself has one lifetime, a closure any")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use jiff::SignedDuration;
use mail_parser::{MessageParser, MimeHeaders as _};
use rusqlite::Connection;
use sigtrail::{
    clock::Stopwatch,
    compose::MAX_HTML,
    evidence::report,
    model::{
        delivery::SendOutcome,
        entry::Entry,
        id::slug,
        settings::{MailTls, MailTransport},
    },
    pack, reader,
    store::DATABASE,
};

use crate::harness::{corpus, feed_server::Answer, postfix::Postfix, world::World};

const OWNERS: [(&str, &str, &str); 4] = [
    ("maria", "Maria Lopez", "deputy = \"jon\"\ndigest = \"0 8 * * *\""),
    ("jon", "Jon Bright", "digest = \"0 9 * * *\"\ntimezone = \"America/New_York\""),
    ("ines", "Inés Ümlaut", "digest = \"0 8 * * *\"\ntimezone = \"Asia/Kolkata\""),
    ("wei", "Wei 伟", "digest = \"30 7 * * *\"\ntimezone = \"Pacific/Auckland\""),
];
/// Components with their terms, given to the owners in turn.
const COMPONENTS: [(&str, &[&str]); 24] = [
    ("Linux kernel", &["linux kernel", "kernel"]),
    ("OpenSSL", &["openssl", "libssl"]),
    ("OpenSSH", &["openssh", "sshd"]),
    ("Apache", &["apache httpd", "httpd", "apache"]),
    ("nginx", &["nginx"]),
    ("Windows", &["windows"]),
    ("SharePoint", &["sharepoint"]),
    ("Chrome", &["chrome", "chromium"]),
    ("Firefox", &["firefox"]),
    ("Cisco", &["cisco", "ios xe"]),
    ("Fortinet", &["fortinet", "fortigate", "fortios"]),
    ("Ivanti", &["ivanti"]),
    ("Citrix", &["citrix", "netscaler"]),
    ("VMware", &["vmware", "esxi", "vcenter"]),
    ("GitLab", &["gitlab"]),
    ("Docker", &["docker"]),
    ("Kubernetes", &["kubernetes", "k8s"]),
    ("Node.js", &["node.js", "npm"]),
    ("Django", &["django"]),
    ("WordPress", &["wordpress"]),
    ("Siemens", &["siemens", "simatic"]),
    ("Rust", &["rust", "cargo"]),
    ("Oracle", &["oracle", "weblogic"]),
    (".NET", &[".net", "asp.net"]),
];
const TOPICS: [(&str, &[&str]); 4] = [
    ("Prompt injection", &["prompt injection", "jailbreak"]),
    ("Ransomware", &["ransomware"]),
    ("Supply chain", &["supply chain", "malicious package"]),
    ("Language models", &["large language model", "llm", "language models"]),
];
const KINDS: [&str; 3] = ["feed", "kev-json", "rolie-json"];

/// A line of the corpus's list.
struct Case {
    id: String,
    file: PathBuf,
    /// How many items it is known to have.
    entries: usize,
    /// How many of them are read.
    read: usize,
    /// How many of those are not copies of an earlier one; some publishers repeat one item for each package.
    distinct: usize,
    /// Whether it is broken as published.
    is_broken: bool,
}

fn cases() -> Option<Vec<Case>> {
    let folder = corpus("the corpus")?;
    let real = folder.join("real");
    let list = fs::read_to_string(real.join("MANIFEST.tsv")).unwrap();
    let mut lines = list.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let column = |name: &str| head.iter().position(|title| *title == name).unwrap();
    let [file, kind, entries] = ["file", "kind", "entries"].map(column);
    let broken = broken_as_published(&real);
    let cases = lines.filter(|line| KINDS.contains(&line[kind])).map(|line| {
        let file = real.join(line[file].rsplit('/').next().unwrap());
        let name = file.file_name().unwrap().to_str().unwrap();
        let (id, is_broken, (read, distinct)) = (slug(name), broken.contains(name), counted(&file));
        Case { id, is_broken, entries: line[entries].parse().unwrap(), read, distinct, file }
    });
    Some(cases.collect())
}

fn broken_as_published(real: &Path) -> BTreeSet<String> {
    let series = fs::read_to_string(real.join("series.jsonl")).unwrap();
    let steps = series.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let broken = steps.filter(|step| step.get("invalid").is_some());
    broken.filter_map(|step| step["newer"].as_str().map(str::to_owned)).collect()
}

/// How many items a document has, and how many of them are not copies.
fn counted(file: &Path) -> (usize, usize) {
    let document = reader::read(fs::read(file).unwrap(), None, None).unwrap();
    let said = |entry: &Entry| {
        let texts = [&entry.guid, &entry.link, &entry.title, &entry.summary, &entry.body].map(Clone::clone);
        (texts, entry.categories.clone())
    };
    (document.entries.len(), document.entries.iter().map(said).collect::<BTreeSet<_>>().len())
}

/// The four owners, the stack, and the documents as feeds: each owner has all three kinds of `unmatched`, and every
/// other feed is new to us down to its last entry.
fn world_of(cases: &[Case]) -> World {
    let mut world = World::at("2026-11-20T06:00:00Z");
    for (id, name, more) in OWNERS {
        world = world.owner(id, name, more);
    }
    for (i, (name, terms)) in COMPONENTS.iter().enumerate() {
        world = world.component(&slug(name), name, OWNERS[i % 4].0, terms);
    }
    for (i, (name, terms)) in TOPICS.iter().enumerate() {
        world = world.topic(&slug(name), name, OWNERS[i % 4].0, terms);
    }
    for (i, case) in cases.iter().enumerate() {
        let unmatched = ["list", "owner", "none"][i % 3];
        let baseline = if i % 2 == 0 { "baseline = 1000" } else { "" };
        world.add_feed(&case.id, &format!("owner = \"{}\"\nunmatched = \"{unmatched}\"\n{baseline}", OWNERS[i % 4].0));
        let kind = match case.file.extension().and_then(|end| end.to_str()) {
            Some("json") => "application/json",
            Some("rdf") => "application/rdf+xml",
            Some("atom") => "application/atom+xml",
            _ => "application/rss+xml",
        };
        let answer = Answer::ok(fs::read(&case.file).unwrap()).content_type(kind);
        // Servers send one validator, the other, or both.
        let answer = if i % 3 == 0 { answer } else { answer.etag(format!("\"{i}\"")) };
        let answer = if i % 3 == 1 { answer } else { answer.last_modified("Fri, 20 Nov 2026 05:00:00 GMT") };
        world.answer(&case.id, answer);
    }
    world
}

/// Sends the world's mail through this server instead of its own.
fn mailing_through(world: World, postfix: &Postfix) -> World {
    let MailTransport::Smtp { port, .. } = postfix.settings(MailTls::Starttls).transport else { panic!("not SMTP") };
    let old = format!("port = {}\ntls = \"none\"", world.smtp.port());
    let new = format!("port = {port}\ntls = \"starttls\"\nca_file = \"{}\"", postfix.ca_file().display());
    world.replace_setting(&old, &new)
}

#[test]
fn real_documents_go_the_whole_way_from_the_feed_to_the_mailbox_and_the_evidence() {
    let Some(cases) = cases() else { return };
    let watch = Stopwatch::start();
    let postfix = Postfix::start();
    let mut world = world_of(&cases);
    if let Some(postfix) = &postfix {
        world = mailing_through(world, postfix);
    }
    let partial = first_poll(&mut world, &cases);
    every_entry_has_its_fate(&world, &cases);
    delivered(&mut world);
    second_poll(&mut world, &cases, &partial);
    world.wait(SignedDuration::from_hours(24));
    let third = world.tick();
    assert_eq!(third.poll.sum(|applied| applied.new + applied.revised), 0, "nothing comes back as news");
    let sent = delivered(&mut world);
    let mails: Vec<Vec<u8>> = OWNERS
        .iter()
        .flat_map(|(owner, ..)| {
            let (address, count) = (format!("{owner}@example.com"), sent.get(*owner).copied().unwrap_or(0));
            assert!(count > 0, "{owner} has no mail");
            match &postfix {
                Some(postfix) => postfix.wait_for(&address, count),
                None => world.smtp.mailbox(&address).into_iter().map(|mail| mail.raw).collect(),
            }
        })
        .collect();
    assert_eq!(mails.len(), sent.values().sum::<usize>());
    let largest = mails.iter().map(|mail| readable(mail)).max().unwrap_or(0);
    let records = verified(&world, &mails);
    println!(
        "{} documents, {} mails{}, largest HTML part {largest} bytes, {records} records, {:.1?}",
        cases.len(),
        mails.len(),
        if postfix.is_some() { " through postfix" } else { " (no postfix: through the fixture)" },
        watch.elapsed()
    );
}

/// Polls everything for the first time; the feeds that were read in part.
fn first_poll(world: &mut World, cases: &[Case]) -> Vec<String> {
    let report = world.tick();
    assert_eq!(report.poll.feeds.len(), cases.len());
    let statuses = world.context().store.read(|read| read.feeds()).unwrap();
    let mut wrong = Vec::new();
    let mut partial = Vec::new();
    for case in cases {
        let polled = report.poll.feeds.iter().find(|feed| feed.feed.as_str() == case.id).unwrap();
        let status = statuses.iter().find(|status| status.id.as_str() == case.id).unwrap();
        if !polled.state.is_seen() {
            wrong.push(format!("{}: {}: {}", case.id, polled.state.as_str(), polled.cause));
        }
        if case.read != case.entries && !case.is_broken {
            wrong.push(format!("{}: {} items read of {}", case.id, case.read, case.entries));
        }
        if polled.applied.new != case.distinct {
            wrong.push(format!("{}: {} items stored of {}", case.id, polled.applied.new, case.distinct));
        }
        if status.partial != case.is_broken {
            wrong.push(format!("{}: partial is {}: {:?}", case.id, status.partial, polled.warnings));
        }
        partial.extend(status.partial.then(|| case.id.clone()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    partial
}

/// Asks everything again, when even those are due that wish to be left alone over a weekend: nothing is sent again but
/// what was read in part.
fn second_poll(world: &mut World, cases: &[Case], partial: &[String]) {
    world.wait(SignedDuration::from_hours(4 * 24));
    let report = world.tick();
    assert_eq!(report.poll.feeds.len(), cases.len());
    for feed in &report.poll.feeds {
        let expected = !partial.iter().any(|id| id == feed.feed.as_str());
        assert_eq!(feed.not_modified, expected, "{}: {}", feed.feed, feed.cause);
    }
    assert_eq!(report.poll.sum(|applied| applied.new + applied.revised), 0);
}

/// Every entry is assigned, listed, recorded as not for us or part of a first look, and the rows and records that say
/// so agree.
fn every_entry_has_its_fate(world: &World, cases: &[Case]) {
    let conn = Connection::open(world.state().join(DATABASE)).unwrap();
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, usize>(0)).unwrap();
    let entries = count("SELECT count(*) FROM entry");
    assert_eq!(entries, cases.iter().map(|case| case.distinct).sum::<usize>());
    let fate = |word: &str| count(&format!("SELECT count(*) FROM revision WHERE n = 1 AND fate = '{word}'"));
    let (assigned, listed) = (fate("assigned"), fate("listed"));
    let (not_for_us, baseline) = (fate("not-for-us"), fate("baseline"));
    assert_eq!(assigned + listed + not_for_us + baseline, entries);
    println!("{entries} entries: {assigned} assigned, {listed} listed, {not_for_us} not for us, {baseline} baseline");
    assert!(assigned > 200 && listed > 100 && not_for_us > 100 && baseline > 1_000);
    let nobody = "SELECT count(*) FROM revision JOIN entry ON entry.no = revision.entry WHERE fate = 'assigned'
                  AND NOT EXISTS (SELECT 1 FROM assignment WHERE assignment.story = entry.story)";
    assert_eq!(count(nobody), 0, "assigned, and to nobody");
    assert_eq!(count("SELECT count(*) FROM listing"), listed);
    let recorded = |kind: &str| {
        count(&format!(
            "SELECT coalesce(sum(json_array_length(text, '$.fields.entries')), 0)
             FROM (SELECT CAST(bytes AS TEXT) AS text FROM record) WHERE text ->> '$.kind' = '{kind}'"
        ))
    };
    assert_eq!(recorded("not-for-us"), not_for_us);
    assert_eq!(recorded("entries-listed"), listed);
    let told = count("SELECT count(*) FROM record WHERE CAST(bytes AS TEXT) ->> '$.kind' = 'entry-received'");
    assert_eq!(told, entries);
}

/// Ticks until every digest is delivered; how many each owner was sent so far.
fn delivered(world: &mut World) -> BTreeMap<String, usize> {
    let conn = Connection::open(world.state().join(DATABASE)).unwrap();
    for _ in 0..4 {
        let waiting: i64 = conn
            .query_row("SELECT count(*) FROM delivery_state WHERE state <> 'accepted'", [], |row| row.get(0))
            .unwrap();
        if waiting == 0 {
            break;
        }
        world.wait(SignedDuration::from_mins(20));
        for delivery in world.tick().deliveries.deliveries {
            assert!(matches!(delivery.outcome, Some(SendOutcome::Accepted { .. })), "{delivery:?}");
        }
    }
    let mut rows = conn.prepare("SELECT owner, count(*) FROM digest GROUP BY owner").unwrap();
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// Reads a mail as a stranger would; the size of its HTML part.
fn readable(mail: &[u8]) -> usize {
    let message = MessageParser::default().parse(mail).unwrap();
    let kinds: Vec<String> = message
        .parts
        .iter()
        .filter_map(|part| part.content_type())
        .map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()))
        .collect();
    assert_eq!(kinds, ["multipart/alternative", "text/plain", "text/html"]);
    let (text, html) = (message.body_text(0).unwrap(), message.body_html(0).unwrap());
    assert!(!message.subject().unwrap().is_empty());
    // A digest about nothing but feeds that cannot be seen has no answer to lead to, and a part of lists has none either.
    let has_answers = !(text.starts_with("Nothing to answer") || text.starts_with("Nothing new to answer"));
    assert_eq!(html.contains("?as="), has_answers, "{text}");
    for part in [&text, &html] {
        assert!(part.len() > 300 && part.contains("https://sigtrail.example.com/a/"), "{part}");
        assert!(!part.contains(['\u{202e}', '\u{2066}', '\0', '\u{1b}']), "control characters");
    }
    assert!(!html.contains("<script") && !html.contains("<img"), "markup of a feed");
    assert!(html.len() <= MAX_HTML, "{} bytes of HTML", html.len());
    html.len()
}

/// Verifies the log with the mails as witnesses; how many records it has.
fn verified(world: &World, mails: &[Vec<u8>]) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = mails
        .iter()
        .enumerate()
        .map(|(i, mail)| {
            let file = folder.path().join(format!("{i}.eml"));
            fs::write(&file, mail).unwrap();
            file
        })
        .collect();
    let verdict = pack::verify(&world.state().join(DATABASE), None, &files).unwrap();
    assert!(verdict.is_good() && verdict.is_anchored(), "{}", report::render(&verdict));
    verdict.records
}
