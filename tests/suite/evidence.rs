//! The evidence log from outside: packs and databases, tampered with in every way that RELIABILITY.md lists, and
//! verified as an auditor would.

mod follow;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use ed25519_dalek::SigningKey;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use sigtrail::{
    evidence::{
        event::{Event, Personal},
        merkle::Edge,
        note::{Checkpoint, PUBLIC_KEY_FILE, VerifierKey},
        record::{self, commitment},
        report::{Report, render},
    },
    hex::hex,
    model::{
        id::{ConfigVersion, DeliveryNo, EntryNo, OwnerId, StoryNo},
        time::{Time, from_millis},
    },
    pack::{self, PackError},
    store::log,
};
use tempfile::TempDir;

const ORIGIN: &str = "example.com/sigtrail";

fn signing(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn verifier() -> VerifierKey {
    VerifierKey::new(ORIGIN, signing(1).verifying_key()).unwrap()
}

fn at(index: u64) -> Time {
    from_millis(1_794_304_800_000 + i64::try_from(index).unwrap() * 60_000)
}

fn event(index: u64, who: u64, salt: &str) -> Event {
    let owner = OwnerId::new(format!("person-{who}"));
    match index % 4 {
        _ if index == 0 => Event::LogBegun { origin: ORIGIN.into() },
        0 => Event::Stopped { reason: format!("{salt}{index}") },
        1 => Event::EntryReceived {
            feed: "quillgate".into(),
            entry: EntryNo(i64::try_from(index).unwrap()),
            revision: 1,
            key: hex(&Sha256::digest(index.to_string())),
            content: hex(&Sha256::digest(format!("{salt}{index}"))),
            guid: Some(format!("urn:example:{index}")),
            link: Some(format!("https://psirt.quillgate.example/{index}")),
            title: Some("Quillgate VPN: \"sign-in\" bypass".into()),
            story: StoryNo(1),
            changed: None,
        },
        2 => Event::EntryRouted {
            entry: EntryNo(1),
            revision: 1,
            story: StoryNo(1),
            owner: Personal::owner(&owner),
            reason: Personal::of(&owner, format!("Quillgate VPN is {owner}'s.")),
            urgent: false,
            config: ConfigVersion(1),
        },
        _ => Event::DeliveryFinished {
            delivery: DeliveryNo(1),
            attempt: 1,
            outcome: "accepted".into(),
            code: Some(250),
            reply: Personal::of(&owner, format!("2.0.0 Ok {owner}@example.com")),
        },
    }
}

/// A state folder with a database and a key, and whatever packs and mails a test makes of it.
struct Evidence {
    dir: Rc<TempDir>,
    conn: Connection,
    /// What distinguishes this history from another.
    salt: &'static str,
    people: u64,
}

impl Evidence {
    fn new() -> Self {
        Self::with(3, "")
    }

    fn with(people: u64, salt: &'static str) -> Self {
        let dir = Rc::new(tempfile::tempdir().unwrap());
        let conn = Connection::open(dir.path().join("log.db")).unwrap();
        conn.execute_batch(&format!("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; {}", log::TABLES)).unwrap();
        fs::write(dir.path().join(PUBLIC_KEY_FILE), format!("{}\n", verifier())).unwrap();
        Self { dir, conn, salt, people }
    }

    /// Appends up to this size and signs there.
    fn grown(mut self, size: u64) -> Self {
        let tx = self.conn.transaction().unwrap();
        let mut appender = log::Appender::open(&tx).unwrap();
        for index in log::size(&tx).unwrap()..size {
            appender.append(event(index, index % self.people, self.salt), at(index), at(index)).unwrap();
        }
        appender.finish().unwrap();
        tx.commit().unwrap();
        self.sign();
        self
    }

    fn sign(&mut self) -> String {
        log::checkpoint(&mut self.conn, &signing(1), ORIGIN).unwrap()
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("log.db")
    }

    fn export(&self, name: &str) -> Pack {
        let path = self.dir.path().join(name);
        pack::export(&self.conn, &verifier(), &path).unwrap();
        Pack { path, _dir: Rc::clone(&self.dir) }
    }

    /// The newest checkpoint as a mail brought it.
    fn mail(&mut self, name: &str) -> PathBuf {
        let note = self.sign();
        let path = self.dir.path().join(name);
        fs::write(&path, mail(&note)).unwrap();
        path
    }
}

fn mail(note: &str) -> String {
    format!(
        "From: sigtrail <sigtrail@example.com>\r\nTo: maria@example.com\r\nSubject: 2 stories\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nYou own: Quillgate VPN.\r\n{}",
        note.replace('\n', "\r\n")
    )
}

struct Pack {
    path: PathBuf,
    _dir: Rc<TempDir>,
}

impl Pack {
    fn verify(&self) -> Report {
        self.verify_with(&[])
    }

    fn verify_with(&self, mails: &[PathBuf]) -> Report {
        pack::verify(&self.path, None, mails).unwrap()
    }

    fn lines(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.path.join(name)).unwrap().lines().map(str::to_owned).collect()
    }

    fn write_lines(&self, name: &str, lines: &[String]) {
        let text: String = lines.iter().fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").unwrap();
            text
        });
        fs::write(self.path.join(name), text).unwrap();
    }

    /// What a forger does last: makes the manifest and the leaves fit.
    fn cover_up(&self) {
        let mut leaves = Vec::new();
        let mut names = vec!["README.md".to_owned(), "checkpoints".into(), "key.pub".into(), "leaves.txt".into()];
        let mut files: Vec<_> = fs::read_dir(self.path.join("records")).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for file in files {
            let text = fs::read(&file).unwrap();
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            leaves.extend(lines.map(|line| hex(&sigtrail::evidence::merkle::leaf_hash(line))));
            names.push(format!("records/{}", file.file_name().unwrap().to_str().unwrap()));
        }
        self.write_lines("leaves.txt", &leaves);
        names.push("personal.jsonl".into());
        names.retain(|name| self.path.join(name).exists());
        let sums: Vec<String> = names
            .iter()
            .map(|name| format!("{}  {name}", hex(&Sha256::digest(fs::read(self.path.join(name)).unwrap()))))
            .collect();
        self.write_lines("MANIFEST.sha256", &sums);
    }
}

#[track_caller]
fn assert_good(report: &Report) {
    assert!(report.is_good(), "{}", render(report));
}

#[track_caller]
fn assert_broken_at(report: &Report, index: u64) {
    assert_eq!(report.first_bad_record(), Some(index), "{}", render(report));
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn an_honest_pack_verifies_and_says_that_nothing_from_outside_was_compared() {
    let evidence = Evidence::new().grown(700).grown(2_345);
    let report = evidence.export("pack").verify();
    assert_good(&report);
    assert_eq!((report.records, report.checkpoints, report.from_mail), (2_345, 2, 0));
    assert_eq!(report.commitments, report.opened);
    assert!(report.commitments > 1_000);
    assert!(!report.is_anchored());
    let text = render(&report);
    assert!(text.starts_with("ok: 2,345 records, 2 checkpoints, 0 from mail, root "), "{text}");
    assert!(text.contains("consistent with itself, not anchored"), "{text}");
    assert!(text.contains(&format!("compare fingerprint {}", verifier().fingerprint())), "{text}");
}

#[test]
fn an_honest_pack_is_anchored_by_a_key_or_a_mail_from_outside() {
    let mut evidence = Evidence::new().grown(40);
    let mails = [evidence.mail("maria.eml")];
    let evidence = evidence.grown(100);
    let pack = evidence.export("pack");
    let report = pack.verify_with(&mails);
    assert_good(&report);
    assert_eq!((report.from_mail, report.mailed_size), (1, Some(40)));
    let key = evidence.dir.path().join("from-the-notary.pub");
    fs::write(&key, format!("{}\n", verifier())).unwrap();
    let report = pack::verify(&pack.path, Some(&key), &[]).unwrap();
    assert_good(&report);
    assert!(report.is_anchored());
}

#[test]
fn the_same_log_gives_the_same_pack_and_an_occupied_folder_is_refused() {
    let evidence = Evidence::new().grown(1_500);
    let (one, two) = (evidence.export("one"), evidence.export("two"));
    for name in ["MANIFEST.sha256", "README.md", "records/0001.jsonl", "personal.jsonl", "checkpoints", "key.pub"] {
        assert_eq!(fs::read(one.path.join(name)).unwrap(), fs::read(two.path.join(name)).unwrap(), "{name}");
    }
    let before = fs::read(one.path.join("MANIFEST.sha256")).unwrap();
    let refused = pack::export(&evidence.conn, &verifier(), &one.path);
    assert!(matches!(refused, Err(PackError::NotEmpty(_))));
    assert_eq!(fs::read(one.path.join("MANIFEST.sha256")).unwrap(), before);
}

#[test]
fn a_log_without_a_checkpoint_is_not_exported_and_unsigned_records_stay_out() {
    let evidence = Evidence::new();
    let path = evidence.dir.path().join("pack");
    assert!(matches!(pack::export(&evidence.conn, &verifier(), &path), Err(PackError::Unsigned)));
    assert!(!path.exists());
    let evidence = evidence.grown(10);
    log::append(&evidence.conn, Event::Stopped { reason: "late".into() }, at(10), at(10)).unwrap();
    let exported = pack::export(&evidence.conn, &verifier(), &path).unwrap();
    assert_eq!((exported.records, exported.unsigned), (10, 1));
    assert_good(&pack::verify(&path, None, &[]).unwrap());
    let report = pack::verify(&evidence.database(), None, &[]).unwrap();
    assert_good(&report);
    assert_eq!(report.records, 11);
    assert!(render(&report).contains("note: 1 of 11 records are in no checkpoint yet"), "{}", render(&report));
}

#[test]
fn the_manifest_is_what_sha256sum_reads() {
    let pack = Evidence::new().grown(20).export("pack");
    let lines = pack.lines("MANIFEST.sha256");
    assert_eq!(lines.len(), 6);
    for line in lines {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(sum, hex(&Sha256::digest(fs::read(pack.path.join(name)).unwrap())), "{name}");
    }
}

#[test]
fn e_01_every_flipped_bit_of_a_record_is_found_at_the_right_index() {
    let evidence = Evidence::new().grown(12).grown(25);
    let pack = evidence.export("pack");
    let file = pack.path.join("records/0000.jsonl");
    let good = fs::read(&file).unwrap();
    let mut numbers = Numbers(1);
    for _ in 0..3_000 {
        let bit = numbers.below(good.len() as u64 * 8);
        let byte = usize::try_from(bit / 8).unwrap();
        let mut bad = good.clone();
        bad[byte] ^= 1 << (bit % 8);
        fs::write(&file, &bad).unwrap();
        let index = good[..byte].split(|byte| *byte == b'\n').count() as u64 - 1;
        assert_broken_at(&pack.verify(), index);
    }
}

#[test]
fn e_01_a_forger_who_makes_leaves_and_manifest_fit_is_found_by_the_signed_root() {
    let evidence = Evidence::new().grown(30).grown(60);
    let pack = evidence.export("pack");
    let file = pack.path.join("records/0000.jsonl");
    let good = fs::read(&file).unwrap();
    let mut numbers = Numbers(2);
    for _ in 0..300 {
        let byte = usize::try_from(numbers.below(good.len() as u64)).unwrap();
        if !good[byte].is_ascii_digit() {
            continue;
        }
        let mut bad = good.clone();
        bad[byte] ^= 1;
        fs::write(&file, &bad).unwrap();
        pack.cover_up();
        let report = pack.verify();
        let index = good[..byte].split(|byte| *byte == b'\n').count() as u64 - 1;
        let (from, to) = report.problems[0].records.unwrap();
        assert!((from..=to).contains(&index), "{index}: {}", render(&report));
        assert_eq!(report.proven.map_or(0, |proven| proven.size), if index < 30 { 0 } else { 30 });
    }
}

#[test]
fn e_01_a_flipped_bit_anywhere_in_a_pack_is_found() {
    let pack = Evidence::new().grown(12).export("pack");
    let mut numbers = Numbers(3);
    for name in ["checkpoints", "key.pub", "leaves.txt", "personal.jsonl", "README.md", "MANIFEST.sha256"] {
        let path = pack.path.join(name);
        let good = fs::read(&path).unwrap();
        for _ in 0..100 {
            let bit = usize::try_from(numbers.below(good.len() as u64 * 8)).unwrap();
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bad).unwrap();
            assert!(!pack.verify().is_good(), "{name}, bit {bit}");
        }
        fs::write(&path, &good).unwrap();
        assert_good(&pack.verify());
    }
}

#[test]
fn e_02_a_record_deleted_inserted_swapped_or_duplicated_is_found() {
    let evidence = Evidence::new().grown(20).grown(51);
    let pack = evidence.export("pack");
    let records = pack.lines("records/0000.jsonl");
    let leaves = pack.lines("leaves.txt");
    for at in 0..50 {
        let index = at as u64;
        let mut deleted = records.clone();
        deleted.remove(at);
        let mut swapped = records.clone();
        swapped.swap(at, at + 1);
        let mut doubled = records.clone();
        doubled.insert(at, records[at].clone());
        let mut inserted = records.clone();
        inserted.insert(at, records[at].replace("\"time\":\"2026", "\"time\":\"2025"));
        for (bad, first) in [(&deleted, index), (&swapped, index), (&doubled, index + 1), (&inserted, index)] {
            pack.write_lines("leaves.txt", &leaves);
            pack.write_lines("records/0000.jsonl", bad);
            assert_broken_at(&pack.verify(), first);
            pack.cover_up();
            let report = pack.verify();
            let (from, to) = report.problems[0].records.unwrap();
            assert!((from..=to).contains(&first), "{first}: {}", render(&report));
        }
    }
}

#[test]
fn e_02_a_record_added_after_the_last_checkpoint_of_a_pack_is_found() {
    let pack = Evidence::new().grown(9).export("pack");
    let mut records = pack.lines("records/0000.jsonl");
    records.push(records[8].replace("\"index\":8", "\"index\":9"));
    pack.write_lines("records/0000.jsonl", &records);
    pack.cover_up();
    let report = pack.verify();
    assert_broken_at(&report, 9);
    assert!(render(&report).contains("1 of 10 records are in no checkpoint"), "{}", render(&report));
}

#[test]
fn e_03_a_cut_off_tail_is_found_when_any_later_checkpoint_is_shown() {
    let mut evidence = Evidence::new();
    let mut pack_of = Vec::new();
    for size in (1..=200).step_by(7) {
        evidence = evidence.grown(size);
        pack_of.push((size, evidence.export(&format!("pack-{size}"))));
    }
    let mails = [evidence.mail("maria.eml")];
    let (last, honest) = pack_of.pop().unwrap();
    assert_good(&honest.verify_with(&mails));
    for (size, pack) in pack_of {
        assert_good(&pack.verify());
        let report = pack.verify_with(&mails);
        assert_broken_at(&report, size);
        let text = render(&report);
        assert!(text.contains(&format!("checkpoint of {last} records, {size} are here: rolled back")), "{text}");
    }
}

#[test]
fn e_03_a_pack_cut_at_any_size_is_found_by_its_own_checkpoints() {
    let pack = Evidence::new().grown(30).grown(60).export("pack");
    let records = pack.lines("records/0000.jsonl");
    for size in 1..60 {
        pack.write_lines("records/0000.jsonl", &records[..size]);
        pack.cover_up();
        assert_broken_at(&pack.verify(), size as u64);
    }
}

#[test]
fn e_04_a_log_rebuilt_with_the_stolen_key_is_found_with_one_earlier_mail() {
    let mut honest = Evidence::new().grown(50);
    let mails = [honest.mail("maria.eml")];
    let rebuilt = Evidence::with(3, "another ").grown(50).grown(80);
    let pack = rebuilt.export("pack");
    assert_good(&pack.verify());
    let report = pack.verify_with(&mails);
    assert!(!report.is_good());
    assert_eq!(report.problems[0].records, Some((0, 49)), "{}", render(&report));
    let text = render(&report);
    assert!(text.contains("maria.eml") && text.contains("the key signed two histories"), "{text}");
    assert!(text.contains("no record is proven by a checkpoint"), "{text}");
}

#[test]
fn e_05_two_histories_are_found_with_one_mail_of_each() {
    let mut one = Evidence::new().grown(50);
    let mut two = Evidence::with(3, "another ").grown(50);
    let mails = [one.mail("maria.eml"), two.mail("jon.eml")];
    for evidence in [&one, &two] {
        let pack = evidence.export("pack");
        assert!(!pack.verify_with(&mails).is_good());
        let good = mails.iter().filter(|mail| pack.verify_with(&[(*mail).clone()]).is_good()).count();
        assert_eq!(good, 1, "each pack agrees with the one mail that its owner got");
    }
}

#[test]
fn e_06_a_pack_or_a_mail_signed_by_another_key_is_refused() {
    let mut evidence = Evidence::new().grown(50);
    let mails = [evidence.mail("maria.eml")];
    let pack = evidence.export("pack");
    let root = Edge::read(50, &mut |level, index| log::node(&evidence.conn, level, index)).unwrap().root();
    let forged = Checkpoint { origin: ORIGIN.into(), size: 50, root }.sign(&signing(2));
    let other = VerifierKey::new(ORIGIN, signing(2).verifying_key()).unwrap();
    fs::write(pack.path.join("checkpoints"), &forged).unwrap();
    pack.cover_up();
    assert!(!pack.verify().is_good(), "the pack's own key did not sign");
    fs::write(pack.path.join("key.pub"), format!("{other}\n")).unwrap();
    pack.cover_up();
    assert_good(&pack.verify());
    assert!(!pack.verify().is_anchored());
    let report = pack.verify_with(&mails);
    assert!(render(&report).contains("not signed by the key"), "{}", render(&report));
    let key = evidence.dir.path().join("from-the-notary.pub");
    fs::write(&key, verifier().to_string()).unwrap();
    let report = pack::verify(&pack.path, Some(&key), &[]).unwrap();
    assert!(render(&report).contains("from-the-notary.pub"), "{}", render(&report));
    assert!(!report.is_good());
}

#[test]
fn e_10_a_pack_and_a_database_verify_without_service_and_leave_no_trace() {
    let evidence = Evidence::new().grown(60);
    let pack = evidence.export("pack");
    let database = evidence.database();
    let report = pack::verify(&database, None, &[]).unwrap();
    assert_good(&report);
    assert_eq!(report.records, 60);
    let Evidence { dir, conn, .. } = evidence;
    drop(conn);
    let names = || {
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let bytes = fs::read(&database).unwrap();
    assert_good(&pack::verify(&database, None, &[]).unwrap());
    assert_good(&pack.verify());
    assert_eq!(names(), before);
    assert_eq!(fs::read(&database).unwrap(), bytes);
}

#[test]
fn e_10_a_database_is_verified_while_it_is_written() {
    let mut evidence = Evidence::new().grown(60);
    let database = evidence.database();
    let tx = evidence.conn.transaction().unwrap();
    log::append(&tx, Event::Stopped { reason: "not yet committed".into() }, at(60), at(60)).unwrap();
    let report = pack::verify(&database, None, &[]).unwrap();
    assert_good(&report);
    assert_eq!(report.records, 60);
}

#[test]
fn e_01_a_database_that_was_changed_behind_the_triggers_is_broken_at_the_right_record() {
    for (sql, index) in [
        ("UPDATE record SET bytes = CAST(replace(bytes, 'Quillgate', 'Fernwald') AS BLOB) WHERE idx = 5", 5),
        ("UPDATE record SET leaf_hash = zeroblob(32) WHERE idx = 7", 7),
        ("DELETE FROM record WHERE idx = 8", 8),
        ("DELETE FROM record WHERE idx >= 18", 18),
        ("UPDATE log_head SET size = 3", 20),
    ] {
        let evidence = Evidence::new().grown(20);
        let triggers = "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_schema WHERE type = 'trigger'";
        let drops: String = evidence.conn.query_row(triggers, [], |row| row.get(0)).unwrap();
        evidence.conn.execute_batch(&format!("PRAGMA foreign_keys = OFF; {drops}; {sql}")).unwrap();
        assert_broken_at(&pack::verify(&evidence.database(), None, &[]).unwrap(), index);
    }
}

#[test]
fn what_is_neither_a_pack_nor_a_log_is_refused_and_not_called_broken() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(pack::verify(dir.path(), None, &[]), Err(PackError::NotEvidence { .. })));
    let file = dir.path().join("x.db");
    assert!(matches!(pack::verify(&file, None, &[]), Err(PackError::File { .. })));
    fs::write(&file, "hello").unwrap();
    assert!(matches!(pack::verify(&file, None, &[]), Err(PackError::NotEvidence { .. })));
    fs::remove_file(&file).unwrap();
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    assert!(matches!(pack::verify(&file, None, &[]), Err(PackError::NotEvidence { .. })));
    fs::write(&file, "no key").unwrap();
    assert!(matches!(pack::verify(dir.path(), Some(&file), &[]), Err(PackError::Key { .. })));
}

#[test]
fn e_12_a_record_of_a_newer_format_is_refused_in_words() {
    let pack = Evidence::new().grown(9).export("pack");
    let mut records = pack.lines("records/0000.jsonl");
    records[4] = records[4].replace("\"v\":1", "\"v\":2");
    pack.write_lines("records/0000.jsonl", &records);
    pack.cover_up();
    let report = pack.verify();
    assert_eq!(report.problems[0].records, Some((0, 8)));
    assert!(render(&report).contains("record 4 has version 2 of the format"), "{}", render(&report));
}

#[test]
fn e_14_a_log_that_renames_itself_is_refused() {
    let evidence = Evidence::new().grown(20);
    let pack = evidence.export("pack");
    let renamed = "example.com/innocent";
    let root = Edge::read(20, &mut |level, index| log::node(&evidence.conn, level, index)).unwrap().root();
    let note = Checkpoint { origin: renamed.into(), size: 20, root }.sign(&signing(1));
    fs::write(pack.path.join("checkpoints"), note).unwrap();
    pack.cover_up();
    assert!(!pack.verify().is_good(), "the key is named after another log");
    let key = VerifierKey::new(renamed, signing(1).verifying_key()).unwrap();
    fs::write(pack.path.join("key.pub"), format!("{key}\n")).unwrap();
    pack.cover_up();
    let report = pack.verify();
    assert_broken_at(&report, 0);
    assert!(render(&report).contains("does not begin the log `example.com/innocent`"), "{}", render(&report));
}

#[test]
fn e_17_a_record_in_another_spelling_is_refused_even_when_it_is_signed() {
    let evidence = Evidence::new();
    let line = "{\"fields\": {\"origin\":\"example.com/sigtrail\"},\"index\":0,\"kind\":\"log-begun\",\
                \"recorded\":\"2026-11-10T10:00:00.000Z\",\"time\":\"2026-11-10T10:00:00.000Z\",\"v\":1}";
    let leaf = sigtrail::evidence::merkle::leaf_hash(line.as_bytes());
    evidence.conn.execute("INSERT INTO record VALUES (0, ?1, ?2)", (line.as_bytes(), leaf)).unwrap();
    evidence.conn.execute_batch("UPDATE log_head SET size = 1").unwrap();
    let note = Checkpoint { origin: ORIGIN.into(), size: 1, root: leaf }.sign(&signing(1));
    evidence.conn.execute("INSERT INTO checkpoint VALUES (1, ?1, ?2)", (leaf, note)).unwrap();
    let report = evidence.export("pack").verify();
    assert_broken_at(&report, 0);
    assert!(render(&report).contains("not in canonical form from byte 10 on"), "{}", render(&report));
}

#[test]
fn e_18_an_old_checkpoint_offered_as_the_newest_is_called_a_rollback() {
    let mut evidence = Evidence::new().grown(30);
    let old = evidence.export("old");
    let early = [evidence.mail("early.eml")];
    let mut evidence = evidence.grown(31);
    let late = [evidence.mail("late.eml")];
    assert_good(&old.verify_with(&early));
    let report = old.verify_with(&[early, late].concat());
    assert_broken_at(&report, 30);
    let text = render(&report);
    assert!(text.contains("late.eml holds a signed checkpoint of 31 records, 30 are here: rolled back"), "{text}");
    assert!(text.contains("records before 30 still prove against the checkpoint of 10 Nov 2026"), "{text}");
}

#[test]
fn a_file_that_is_no_part_of_a_pack_is_named_and_a_missing_one_is_a_problem() {
    let pack = Evidence::new().grown(1_005).export("pack");
    fs::write(pack.path.join("notes.txt"), "mine").unwrap();
    let report = pack.verify();
    assert_good(&report);
    assert!(render(&report).contains("note: notes.txt is no part of a pack"), "{}", render(&report));
    for name in ["README.md", "MANIFEST.sha256", "checkpoints", "key.pub", "leaves.txt", "records/0000.jsonl"] {
        let bytes = fs::read(pack.path.join(name)).unwrap();
        fs::remove_file(pack.path.join(name)).unwrap();
        assert!(!pack.verify().is_good(), "{name}");
        fs::write(pack.path.join(name), bytes).unwrap();
    }
    assert_good(&pack.verify());
}

#[test]
fn a_mail_without_a_checkpoint_is_no_anchor_and_no_fault() {
    let evidence = Evidence::new().grown(5);
    let path = evidence.dir.path().join("hello.eml");
    fs::write(&path, "Subject: hello\r\n\r\nhello\r\n").unwrap();
    let report = evidence.export("pack").verify_with(&[path]);
    assert_good(&report);
    assert!(!report.is_anchored());
    assert!(render(&report).contains("hello.eml carries no checkpoint"));
}

#[test]
fn a_changed_text_about_a_person_is_found() {
    let pack = Evidence::new().grown(20).export("pack");
    let good = pack.lines("personal.jsonl");
    let mut changed = good.clone();
    changed[0] = changed[0].replace("person-2", "person-1");
    let mut moved = good.clone();
    moved[0] = moved[0].replace("\"record\":2", "\"record\":6");
    let mut added = good.clone();
    added.push(good.last().unwrap().clone());
    for bad in [changed, moved, added] {
        pack.write_lines("personal.jsonl", &bad);
        pack.cover_up();
        let report = pack.verify();
        assert!(!report.is_good());
        assert_eq!(report.first_bad_record(), None, "the records are as they were");
    }
    fs::remove_file(pack.path.join("personal.jsonl")).unwrap();
    let report = pack.verify();
    assert_good(&report);
    assert!(render(&report).contains("personal.jsonl is not in this pack"), "{}", render(&report));
}

/// Whether the bytes of any file below the folder hold the text.
fn found_below(dir: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(found_below(&path, text));
        } else if fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path);
        }
    }
    found
}

#[test]
fn e_21_a_person_can_be_erased_and_the_log_verifies_to_the_same_root() {
    let mut evidence = Evidence::with(500, "").grown(2_100);
    let mails = [evidence.mail("maria.eml")];
    let before = evidence.export("before").verify_with(&mails);
    fs::remove_dir_all(evidence.dir.path().join("before")).unwrap();
    assert!(!found_below(evidence.dir.path(), "person-123").is_empty());
    evidence.conn.execute("DELETE FROM personal WHERE person = 'person-123'", []).unwrap();
    evidence.conn.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let pack = evidence.export("pack");
    assert_eq!(found_below(evidence.dir.path(), "person-123"), [] as [PathBuf; 0]);
    let after = pack.verify_with(&mails);
    assert_good(&after);
    assert_eq!((after.root, after.records), (before.root, before.records));
    assert_eq!(after.commitments, before.commitments);
    let erased = before.opened - after.opened;
    assert!(erased > 0);
    let text = render(&after);
    assert!(text.contains(&format!("{erased} of 1,5")) && text.contains("erased, or left out"), "{text}");
    assert_good(&pack::verify(&evidence.database(), None, &mails).unwrap());
}

#[test]
fn e_22_a_staff_list_of_ten_thousand_names_matches_no_commitment() {
    let evidence = Evidence::with(500, "").grown(1_100);
    evidence.conn.execute("DELETE FROM personal WHERE person = 'person-123'", []).unwrap();
    let pack = evidence.export("pack");
    let mut commitments = std::collections::HashSet::new();
    for name in ["records/0000.jsonl", "records/0001.jsonl"] {
        for line in pack.lines(name) {
            let record = record::read(line.as_bytes()).unwrap();
            commitments.extend(record.commitments().filter(|(name, _)| *name == "owner").map(|(_, hash)| hash));
        }
    }
    assert!(commitments.len() > 200);
    for n in 0..10_000 {
        let name = format!("person-{n}");
        for guess in [
            Sha256::digest(&name).into(),
            Sha256::digest(format!("owner\n{name}")).into(),
            commitment(&[0; 32], "owner", &name),
        ] {
            assert!(!commitments.contains(&guess), "{name}");
        }
    }
}

#[test]
fn an_endless_line_in_a_pack_is_refused_without_being_read_whole() {
    let pack = Evidence::new().grown(5).export("pack");
    let path = pack.path.join("records/0000.jsonl");
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(1 << 30).unwrap();
    let text = render(&pack.verify());
    assert!(text.contains("records/0000.jsonl: line 6 is too long"), "{text}");
}

#[test]
fn a_database_without_its_key_is_refused_and_not_called_broken() {
    let evidence = Evidence::new().grown(5);
    let public = evidence.dir.path().join(PUBLIC_KEY_FILE);
    let key = evidence.dir.path().join("elsewhere.pub");
    fs::rename(public, &key).unwrap();
    let refused = pack::verify(&evidence.database(), None, &[]);
    assert!(matches!(refused, Err(PackError::NoKey { .. })), "{refused:?}");
    assert_good(&pack::verify(&evidence.database(), Some(&key), &[]).unwrap());
}

#[test]
fn nothing_but_regular_files_is_read_from_a_pack() {
    let pack = Evidence::new().grown(5).export("pack");
    let path = pack.path.join("records/0000.jsonl");
    let elsewhere = pack.path.join("../elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    let report = pack.verify();
    assert!(render(&report).contains("not a regular file"), "{}", render(&report));
}
