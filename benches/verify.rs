//! How long a log of 1,000,000 records takes to write, to sign, to export and to verify, and how much memory the
//! verification needs: `cargo bench --bench verify [-- RECORDS]`. Verification runs in a process of its own, so that
//! its peak is its own.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::{env, fs, path::Path};

use ed25519_dalek::SigningKey;
use rusqlite::{Connection, TransactionBehavior};
use sigtrail::{
    clock::Stopwatch,
    evidence::{
        event::{Event, Personal},
        hex::hex,
        note::{PUBLIC_KEY_FILE, VerifierKey},
        report::render,
    },
    model::{
        id::{ConfigVersion, DeliveryNo, EntryNo, OwnerId, StoryNo},
        stack::{Field, Method, Tag, TagKind},
        time::{Time, from_millis},
    },
    pack,
    store::log,
};

const ORIGIN: &str = "example.com/sigtrail";
const RECORDS: u64 = 1_000_000;
const BATCH: u64 = 50_000;

fn main() {
    // Cargo adds `--bench` of its own.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.as_slice() {
        [verb, path] if verb == "verify" => verify(Path::new(path)),
        [records] => measure(records.parse().unwrap()),
        _ => measure(RECORDS),
    }
}

fn measure(records: u64) {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::from_bytes(&[1; 32]);
    let verifier = VerifierKey::new(ORIGIN, key.verifying_key()).unwrap();
    let database = dir.path().join("log.db");
    fs::write(dir.path().join(PUBLIC_KEY_FILE), format!("{verifier}\n")).unwrap();
    let mut conn = Connection::open(&database).unwrap();
    conn.execute_batch(&format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {}", log::TABLES)).unwrap();

    let (mut append, mut sign) = (0.0, 0.0);
    for first in (0..records).step_by(usize::try_from(BATCH).unwrap()) {
        append += seconds(|| append_batch(&mut conn, first, BATCH.min(records - first)));
        sign += seconds(|| {
            log::checkpoint(&mut conn, &key, ORIGIN).unwrap();
        });
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let each = |seconds: f64| seconds * 1e6 / records as f64;
    println!("append   {append:6.2} s, {:.2} us each (commits with fsync included)", each(append));
    println!("sign     {sign:6.2} s, {:.2} us a record hashed again", each(sign));
    let folder = dir.path().join("pack");
    let export = seconds(|| {
        pack::export(&conn, &verifier, &folder).unwrap();
    });
    println!("export   {export:6.2} s, {:.2} us each", each(export));
    drop(conn);
    for what in [&folder, &database] {
        child(what);
    }
}

#[expect(clippy::disallowed_methods, reason = "the peak of a process is only known of a process of its own")]
fn child(path: &Path) {
    let status = std::process::Command::new(env::current_exe().unwrap()).arg("verify").arg(path).status().unwrap();
    assert!(status.success(), "the log did not verify");
}

fn verify(path: &Path) {
    let watch = Stopwatch::start();
    let report = pack::verify(path, None, &[]).unwrap();
    let elapsed = watch.elapsed().as_secs_f64();
    assert!(report.is_good(), "{}", render(&report));
    let peak = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or(" unknown").trim().to_owned();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    println!("verify   {elapsed:6.2} s, {} records, peak {peak}, {name}", report.records);
}

fn seconds(work: impl FnOnce()) -> f64 {
    let watch = Stopwatch::start();
    work();
    watch.elapsed().as_secs_f64()
}

fn append_batch(conn: &mut Connection, first: u64, count: u64) {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let mut appender = log::Appender::open(&tx).unwrap();
    for index in first..first + count {
        let at = moment(index);
        appender.append(event(index), at, at).unwrap();
    }
    appender.finish().unwrap();
    tx.commit().unwrap();
}

fn moment(index: u64) -> Time {
    from_millis(1_794_304_800_000 + i64::try_from(index).unwrap() * 100)
}

/// The mix of a working log: an entry, its tags, its route, its receipt.
fn event(index: u64) -> Event {
    let number = i64::try_from(index).unwrap();
    let owner = OwnerId::new(format!("owner-{}", index % 40));
    match index % 4 {
        _ if index == 0 => Event::LogBegun { origin: ORIGIN.into() },
        0 => Event::EntryTagged {
            entry: EntryNo(number),
            revision: 1,
            tags: vec![Tag {
                kind: TagKind::Component,
                id: "quillgate-vpn".into(),
                term: "Quillgate".into(),
                field: Field::Title,
                start: 0,
                end: 9,
                snippet: "Quillgate VPN: sign-in bypass in the portal of all versions before 9.1.4".into(),
                method: Method::Term,
                confidence: 90,
            }],
            config: ConfigVersion(1),
        },
        1 => Event::EntryReceived {
            feed: "quillgate-psirt".into(),
            entry: EntryNo(number),
            revision: 1,
            key: hex(&[7; 32]),
            content: hex(&[9; 32]),
            guid: Some(format!("urn:uuid:12345678-1234-1234-1234-{index:012}")),
            link: Some(format!("https://psirt.quillgate.example/advisories/{index}")),
            title: Some("Quillgate VPN: sign-in bypass in the portal".into()),
            story: StoryNo(number),
        },
        2 => Event::EntryRouted {
            entry: EntryNo(number),
            revision: 1,
            story: StoryNo(number),
            owner: Personal::owner(&owner),
            reason: Personal::of(&owner, "Quillgate VPN is yours."),
            urgent: false,
            config: ConfigVersion(1),
        },
        _ => Event::DeliveryFinished {
            delivery: DeliveryNo(number),
            attempt: 1,
            outcome: "accepted".into(),
            code: Some(250),
            reply: Personal::of(&owner, "2.0.0 Ok: queued as 4bQk1R2z0Xz1"),
        },
    }
}
