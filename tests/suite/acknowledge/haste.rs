//! Answers that come within seconds of the mail, that the store has no room or no time for, or whose page dies before it can say so.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use jiff::SignedDuration;
use rusqlite::{Connection, OpenFlags};
use sigtrail::store::DATABASE;

use super::{FORM, NOW, Office};
use crate::harness::{
    daemon::{Site, feed, machine},
    feed_server::{Answer, FeedServer},
    page::{ask, nonce_of},
    world::{World, rss},
};

#[test]
fn a_15_an_answer_within_seconds_of_the_mail_is_taken_and_marked() {
    let mut office = Office::open();
    office.world.wait(SignedDuration::from_secs(3));
    office.said(&office.stories[0].clone(), "disposition=acted");
    office.world.wait(SignedDuration::from_secs(1));
    office.said(&office.stories[1].clone(), "disposition=acted");
    let records = office.world.records_of("acknowledged");
    assert_eq!(records[0]["fields"]["haste"], "fast");
    assert!(records[1]["fields"].get("haste").is_none(), "{}", records[1]);
    assert!(office.get(&office.stories[0]).body.contains("fast: within seconds of the mail"));
    assert!(!office.get(&office.stories[1]).body.contains("within seconds"));
}

#[test]
fn a_15_with_confirm_the_page_asks_once_more() {
    let base = "base_url = \"https://sigtrail.example.com\"\n";
    let world = World::company(NOW).replace_setting(base, &format!("{base}fast_answer = \"confirm\"\n"));
    let mut office = Office::of(world.feed("cert", ""));
    let story = office.stories[0].clone();
    let typed = "disposition=watching&note=typed+text&reference_kind=chat&reference=%23ops";
    let first = office.say(&story, typed);
    assert_eq!(first.status, 200);
    assert!(first.body.contains("Not recorded yet") && first.body.contains("typed text"), "{}", first.body);
    assert!(first.body.contains("value=\"watching\" checked") && first.body.contains("value=\"chat\" selected"));
    assert_eq!(office.acknowledged(), 0);
    let sure = nonce_of(&first.body);
    let elsewhere = office.post(&office.stories[1], &format!("{typed}&nonce={sure}"));
    assert_eq!(elsewhere.status, 403, "the second step serves its own story only");
    assert_eq!(office.post(&story, &format!("{typed}&nonce={sure}")).status, 303);
    assert_eq!(office.world.records_of("acknowledged")[0]["fields"]["haste"], "confirmed");
    office.world.wait(SignedDuration::from_secs(4));
    office.said(&office.stories[1].clone(), "disposition=acted");
    assert_eq!(office.acknowledged(), 2, "later nobody is asked twice");
}

/// A file system of its own with little room, unmounted at the end; `None` where this machine gives none.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=0700");
        let mounted = machine("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", folder.path().to_str().unwrap()])?;
        mounted.status.success().then_some(SmallDisk(folder))
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.path().join("full")).unwrap();
        for size in [64 * 1024, 4_096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is still open keeps it alive for a moment; lazily it goes all the same.
        let _ = machine("umount", &["--lazy", self.0.path().to_str().unwrap_or_default()]);
    }
}

/// Puts the whole state of a world on another disk.
fn move_state(world: &World, to: &Path) {
    let from = world.state();
    for file in fs::read_dir(&from).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    fs::rename(&from, from.with_extension("before")).unwrap();
    std::os::unix::fs::symlink(to, &from).unwrap();
}

#[test]
fn a_16_when_the_disk_is_full_the_page_says_not_recorded_and_no_record_is_written() {
    let Some(disk) = SmallDisk::mount("16m") else {
        eprintln!("skipped: a_16_when_the_disk_is_full_the_page_says_not_recorded needs to mount a tmpfs");
        return;
    };
    let mut office = Office::open();
    move_state(&office.world, disk.0.path());
    office.reopen();
    let (story, before) = (office.stories[0].clone(), office.world.records().len());
    let nonce = office.nonce(&story);
    disk.fill();
    for _ in 0..2 {
        let reply = office.post(&story, &format!("disposition=acted&note=typed+text&nonce={nonce}"));
        assert_eq!(reply.status, 503, "{}", reply.body);
        let words = "Not recorded: our storage is full. Your text is still here; try again later.";
        assert!(reply.body.contains(words) && reply.body.contains("typed text"), "{}", reply.body);
        assert!(reply.body.contains("<title>Error: "));
    }
    assert_eq!(office.world.records().len(), before, "nothing of it is in the log");
    assert_eq!(office.get(&story).status, 200, "reading goes on");
    fs::remove_file(disk.0.path().join("full")).unwrap();
    let reply = office.post(&story, &format!("disposition=acted&note=typed+text&nonce={nonce}"));
    assert_eq!(reply.status, 303, "{}", reply.body);
    assert!(reply.header("location").unwrap().contains("?recorded="));
    assert_eq!(office.acknowledged(), 1);
}

#[test]
fn an_answer_that_waits_too_long_is_called_neither_recorded_nor_lost_and_the_same_form_finds_it() {
    let mut office = Office::open();
    let story = office.stories[0].clone();
    let sent = format!("disposition=acted&note=portal+off&nonce={}", office.nonce(&story));
    let other = Connection::open(office.world.state().join(DATABASE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let slow = office.post(&story, &sent);
    assert_eq!(slow.status, 408, "{}", slow.body);
    assert!(slow.body.contains("It took too long to say whether this is recorded."), "{}", slow.body);
    assert!(!slow.body.contains("Not recorded") && slow.header("content-security-policy").is_some(), "{}", slow.body);
    other.execute_batch("ROLLBACK").unwrap();
    let again = office.post(&story, &sent);
    assert_eq!(again.status, 303, "{}", again.body);
    assert_eq!(office.acknowledged(), 1, "whichever of the two was first");
}

/// How many answers there are, seen from outside.
fn answers(database: &Connection) -> i64 {
    database.query_row("SELECT count(*) FROM acknowledgement", [], |row| row.get(0)).unwrap()
}

/// `SIGTRAIL_KILLS` says how often (20): the answer is in the store, and the page dies before it can say so.
#[test]
fn a_09_an_answer_that_was_stored_stands_when_the_page_dies_and_the_same_form_finds_it() {
    let kills: i64 = std::env::var("SIGTRAIL_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let server = FeedServer::start();
    server.serve("/cert", Answer::ok(rss(&[("Quillgate: sign-in bypass", "a1", "Text.")])));
    let site = Site::new(&feed("Cert", &server.url("/cert")), "transport = \"directory\"");
    let mut daemon = site.run();
    let outbox = site.state().join("outbox");
    crate::harness::daemon::wait_until("a digest", || {
        fs::read_dir(&outbox).is_ok_and(|mut files| files.next().is_some())
    });
    let database =
        Connection::open_with_flags(site.state().join("sigtrail.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    database.busy_timeout(Duration::from_secs(30)).unwrap();
    let story = {
        let mail =
            fs::read_dir(&outbox).unwrap().filter_map(|file| fs::read(file.unwrap().path()).ok()).last().unwrap();
        let message = mail_parser::MessageParser::default().parse(&mail).unwrap();
        let text = message.body_text(0).unwrap().into_owned();
        let link = text.lines().find_map(|line| line.trim().strip_prefix("https://sigtrail.example.com/a/")).unwrap();
        format!("/a/{}/1", link.split('/').next().unwrap())
    };
    let mut unheard = 0;
    for n in 0..kills {
        let address = daemon.page();
        let body =
            format!("disposition=acted&note=number+{n}&nonce={}", nonce_of(&ask(address, "GET", &story, &[], "").body));
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "POST {story} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        while answers(&database) == n {
            std::hint::spin_loop();
        }
        daemon.kill();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        unheard += usize::from(!heard.starts_with(b"HTTP/1.1 303"));
        daemon = site.run();
        assert_eq!(answers(&database), n + 1, "what was stored stands");
        let again = ask(daemon.page(), "POST", &story, &[("Content-Type", FORM)], &body);
        assert_eq!(again.status, 303, "{}", again.body);
        let location = again.header("location").unwrap().to_owned();
        assert!(location.contains("?already="), "{location}");
        let shown = ask(daemon.page(), "GET", &location, &[], "").body;
        assert!(shown.contains("Nothing was added.") && shown.contains(&format!("number {n}")), "{shown}");
        assert_eq!(answers(&database), n + 1, "the same form again adds nothing");
    }
    eprintln!("{kills} kills after the answer was stored, {unheard} of them before the page could say so");
    drop(daemon);
    let verified = site.command(&["evidence", "verify", site.state().join("sigtrail.db").to_str().unwrap()]);
    assert!(verified.status.success(), "{verified:?}");
}
