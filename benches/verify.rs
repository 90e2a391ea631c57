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
        note::{PUBLIC_KEY_FILE, VerifierKey},
        report::render,
    },
    hex::hex,
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

    let (mut append, mut sign) = (Cost::default(), Cost::default());
    for first in (0..records).step_by(usize::try_from(BATCH).unwrap()) {
        append.add(|| append_batch(&mut conn, first, BATCH.min(records - first)));
        sign.add(|| {
            log::checkpoint(&mut conn, &key, ORIGIN).unwrap();
        });
    }
    append.print("append", records);
    sign.print("sign", records);
    let folder = dir.path().join("pack");
    let mut export = Cost::default();
    export.add(|| {
        pack::export(&conn, &verifier, &folder).unwrap();
    });
    export.print("export", records);
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
    let mut cost = Cost::default();
    let mut report = None;
    cost.add(|| report = pack::verify(path, None, &[]).ok());
    let report = report.unwrap();
    assert!(report.is_good(), "{}", render(&report));
    let peak = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or(" unknown").trim().to_owned();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    cost.print(&format!("verify {name}, peak {peak}"), report.records);
}

/// Time on the clock, and time of the processor, which says more on a machine that others use.
#[derive(Default)]
struct Cost {
    elapsed: f64,
    processor: f64,
}

impl Cost {
    fn add(&mut self, work: impl FnOnce()) {
        let (watch, before) = (Stopwatch::start(), processor_seconds());
        work();
        self.elapsed += watch.elapsed().as_secs_f64();
        self.processor += processor_seconds() - before;
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn print(&self, what: &str, records: u64) {
        let each = self.processor * 1e6 / records as f64;
        println!("{:6.2} s, {:6.2} CPU-s, {each:5.2} CPU-us a record: {what}", self.elapsed, self.processor);
    }
}

/// What the process has used so far, from the kernel's 100 ticks a second (proc(5), `stat`, fields 14 and 15).
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
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
            changed: None,
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
