//! The mailbox on an IMAP server: a scripted one that stops talking, breaks off and sends what nobody asked for, and a
//! real one.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use jiff::SignedDuration;
use sigtrail::{
    clock::Stopwatch,
    inbound::{Limits, Look, Seen},
    jobs::{inbound::look_due, status::Reason},
    model::settings::{InboundSettings, InboundSource, MailTls},
};
use tempfile::TempDir;

use super::{holders, hours, look, newest_id, office, reasons, states};
use crate::harness::{
    daemon::{Site, wait_until},
    dovecot::{Dovecot, give, mailbox_owner},
    imap_server::{Act, ImapServer},
    returned::{Maildir, bomb, sample},
    world::{World, rss},
};

/// Short enough for a test, long enough for a busy machine.
const SHORT: Limits =
    Limits { connect: Duration::from_secs(5), command: Duration::from_secs(2), whole: Duration::from_secs(4) };

/// A scripted server with the folder of its password file.
struct Scripted {
    server: ImapServer,
    folder: TempDir,
}

impl Scripted {
    fn start() -> Scripted {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        fs::write(&file, "secret\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        Scripted { server: ImapServer::start(), folder }
    }

    fn settings(&self) -> InboundSettings {
        InboundSettings {
            source: InboundSource::Imap {
                host: "127.0.0.1".into(),
                port: self.server.port(),
                tls: MailTls::None,
                login: ("sigtrail".into(), self.folder.path().join("password")),
                mailbox: "INBOX".into(),
                ca_file: None,
            },
            every: SignedDuration::from_mins(5),
        }
    }

    fn table(&self) -> String {
        format!(
            "[inbound]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nusername = \"sigtrail\"\npassword_file = \"{}\"\n",
            self.server.port(),
            self.folder.path().join("password").display()
        )
    }

    /// What a look at the door alone gives: the first bytes of each message, or why not.
    fn look(&self, most: usize, limits: Limits) -> Result<Vec<Vec<u8>>, String> {
        let mut look = Look::begin(&self.settings(), Seen::default(), most, limits, Arc::new(|| false))
            .map_err(|trouble| trouble.cause)?;
        let mut messages = Vec::new();
        while let Some(letter) = look.next().map_err(|trouble| trouble.cause)? {
            look.mark(&letter).map_err(|trouble| trouble.cause)?;
            messages.push(letter.bytes);
        }
        Ok(messages)
    }
}

/// A world whose reports come to this `[inbound]`, with digests delivered to Jon and Maria.
fn delivered(inbound: &str) -> World {
    let none = Maildir::make();
    let maildir = format!("[inbound]\nmaildir = \"{}\"\n", none.path().display());
    let mut world = office(none.path(), "").replace_setting(&maildir, inbound);
    let items = [("libmarrow crash", "a1", "Long names."), ("Quillgate: a hole", "a3", "Crafted cookies.")];
    world.publish("cert", &rss(&items));
    world.tick();
    world
}

#[test]
fn m_24_a_server_that_stops_talking_at_any_point_is_left_after_the_limits() {
    for stage in ["greeting", "LOGIN", "SELECT", "UID SEARCH", "UID FETCH", "UID STORE"] {
        let scripted = Scripted::start();
        scripted.server.deliver("Subject: hello\r\n\r\n");
        scripted.server.script(stage, Act::Hang);
        let watch = Stopwatch::start();
        let cause = scripted.look(1000, SHORT).unwrap_err();
        assert!(cause.contains("in time"), "{stage}: {cause}");
        assert!(watch.elapsed() < Duration::from_secs(12), "{stage}: {:?}", watch.elapsed());
        assert!(scripted.look(1000, SHORT).is_ok(), "{stage}: the next look finds it well");
    }
}

#[test]
fn m_24_what_a_server_says_that_makes_no_sense_ends_the_look_and_nothing_else() {
    let endless = [b"* OK ".as_slice(), &vec![b'x'; 5 << 20]].concat();
    let many = b"* 1 EXISTS\r\n".repeat(20_000);
    for (stage, act) in [
        ("greeting", Act::Say("BYE too busy".into())),
        ("greeting", Act::Raw(endless)),
        ("greeting", Act::Drop),
        ("LOGIN", Act::Drop),
        ("SELECT", Act::Say("NO [NONEXISTENT] no such mailbox".into())),
        ("SELECT", Act::Say("OK without a word on its state".into())),
        ("SELECT", Act::Raw(many)),
        ("UID SEARCH", Act::Say("BAD what?".into())),
        ("UID SEARCH", Act::Say("+ go on".into())),
        ("UID FETCH", Act::Raw(b"* 1 FETCH (UID 1 BODY[]<0> {99999999999}\r\n".to_vec())),
        ("UID FETCH", Act::Raw(b"* 1 FETCH (UID 1 BODY[]<0> {900}\r\nshort".to_vec())),
        ("UID FETCH", Act::Raw(b"\xFF\0\r\n\r\n".repeat(20_000))),
        ("UID FETCH", Act::Say("BAD what?".into())),
    ] {
        let scripted = Scripted::start();
        scripted.server.deliver("Subject: hello\r\n\r\n");
        scripted.server.script(stage, act.clone());
        assert!(scripted.look(1000, SHORT).is_err(), "{stage} {act:?}");
        assert_eq!(scripted.look(1000, SHORT).unwrap().len(), 1, "{stage}: the next look finds it well");
    }
}

#[test]
fn m_24_of_a_long_message_only_the_beginning_is_kept_also_where_the_server_sends_all_of_it() {
    let scripted = Scripted::start();
    scripted.server.deliver(vec![b'x'; 10 << 20]);
    let limits = Limits { command: Duration::from_secs(20), whole: Duration::from_secs(40), ..SHORT };
    assert_eq!(scripted.look(1000, limits).unwrap()[0].len(), 1000);
    scripted.server.ignore_parts();
    assert_eq!(scripted.look(1000, limits).unwrap()[0].len(), 1000);
}

#[test]
fn a_stop_ends_the_wait_for_a_server_at_once() {
    let scripted = Scripted::start();
    scripted.server.script("SELECT", Act::Hang);
    let asked = Arc::new(AtomicBool::new(false));
    let (ended, asks) = (asked.clone(), asked.clone());
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        asks.store(true, Ordering::SeqCst);
    });
    let watch = Stopwatch::start();
    let ended = Arc::new(move || ended.load(Ordering::SeqCst));
    let looked = Look::begin(&scripted.settings(), Seen::default(), 1000, Limits::default(), ended);
    assert!(looked.err().unwrap().cause.contains("the service stops"));
    assert!(watch.elapsed() < Duration::from_secs(5), "{:?}", watch.elapsed());
}

#[test]
fn nothing_is_read_twice_nor_missed_whatever_others_do_to_the_mailbox() {
    let scripted = Scripted::start();
    let mut world = delivered(&scripted.table());
    let report = sample("postfix", &newest_id(&world, "jon"), "jon@example.com");
    scripted.server.deliver("Subject: first\r\n\r\n");
    let gone = scripted.server.deliver("Subject: second\r\n\r\n");
    assert_eq!(look(&mut world).messages, 2);
    assert_eq!(scripted.server.seen(), [1, 2]);
    assert_eq!(look(&mut world).messages, 0);
    scripted.server.remove(gone);
    scripted.server.deliver(report.clone());
    let looked = look(&mut world);
    assert_eq!((looked.messages, looked.reports.len()), (1, 1));
    assert_eq!(states(&mut world), ["accepted", "bounced"]);
    scripted.server.renumber();
    let again = look(&mut world);
    assert_eq!((again.messages, again.reports[0].has_moved), (2, false), "new numbers: all of it, without harm");
    assert_eq!(world.records_of("bounced").len(), 1);
    world.restart();
    assert_eq!(look(&mut world).messages, 0, "a restart forgets nothing");
}

#[test]
fn a_line_that_breaks_in_the_middle_is_taken_up_where_it_broke() {
    let scripted = Scripted::start();
    let mut world = delivered(&scripted.table());
    for n in 0..5 {
        scripted.server.deliver(format!("Subject: {n}\r\n\r\n"));
    }
    scripted.server.script("UID FETCH 3", Act::Drop);
    world.wait(SignedDuration::from_mins(5));
    let looked = look_due(&world.context()).unwrap();
    assert_eq!(looked.messages, 2);
    assert!(looked.trouble.unwrap().contains("UID FETCH: it closed the connection"));
    assert!(reasons(&mut world).contains(&(Reason::InboundUnreachable, "sigtrail".to_owned())));
    assert_eq!(look(&mut world).messages, 3);
    let fetched: Vec<String> =
        scripted.server.commands().into_iter().filter(|command| command.starts_with("UID FETCH")).collect();
    assert_eq!(fetched.len(), 6, "the third twice: {fetched:?}");
    assert!(!reasons(&mut world).iter().any(|(reason, _)| *reason == Reason::InboundUnreachable));
}

#[test]
fn a_long_row_of_messages_is_read_in_steps() {
    let scripted = Scripted::start();
    let mut world = delivered(&scripted.table());
    for n in 0..410 {
        scripted.server.deliver(format!("Subject: {n}\r\n\r\n"));
    }
    world.wait(SignedDuration::from_mins(5));
    let context = world.context();
    let looks: Vec<usize> = (0..4).map(|_| look_due(&context).unwrap().messages).collect();
    assert_eq!(looks, [200, 200, 10, 0]);
}

/// A mailbox of a user who may own one, served by a real server; `None`: there is none, and that was said.
fn served() -> Option<(Maildir, Dovecot)> {
    let maildir = Maildir::make();
    let owner = mailbox_owner()?;
    give(maildir.path(), owner);
    let server = Dovecot::serve(maildir.path(), owner)?;
    Some((maildir, server))
}

#[test]
fn m_24_a_real_server_gives_reports_forgeries_and_bombs_in_the_clear_under_starttls_and_under_tls() {
    let Some((maildir, server)) = served() else { return };
    let ca = format!("ca_file = \"{}\"", server.ca_file().display());
    for how in [
        format!("port = {}\ntls = \"none\"", server.port),
        format!("port = {}\ntls = \"starttls\"\n{ca}", server.port),
        format!("port = {}\ntls = \"tls\"\n{ca}", server.tls_port),
    ] {
        let mut world = delivered(&server.inbound(&how));
        let old = look(&mut world);
        assert!(old.reports.is_empty(), "what lies there from before is about nothing of ours");
        let (jon, maria) = (newest_id(&world, "jon"), newest_id(&world, "maria"));
        let [recipients, behind] = bomb(&jon, "jon@example.com");
        for message in [
            sample("exim", &maria, "jon@example.com"),
            sample("vacation", &maria, "maria@example.com"),
            sample("read-notification", &maria, "maria@example.com"),
            recipients,
            behind,
        ] {
            maildir.deliver(message);
        }
        give(maildir.path(), mailbox_owner().unwrap());
        let looked = look(&mut world);
        assert_eq!((looked.messages, looked.strange, looked.automatic), (5, 2, 2), "{how}: {looked:?}");
        assert_eq!(looked.reports.len(), 1);
        assert_eq!(states(&mut world), ["accepted", "bounced"], "{how}");
        assert_eq!(holders(&mut world, "libmarrow"), ["ines"]);
        assert_eq!(look(&mut world).messages, 0);
        assert!(maildir.names("cur").iter().all(|name| name.ends_with('S')), "{:?}", maildir.names("cur"));
    }
    assert_eq!(maildir.names("cur").len(), 15, "nothing is removed");
}

#[test]
fn a_real_server_that_refuses_us_is_named_and_not_stormed() {
    let Some((_maildir, server)) = served() else { return };
    let mut world = delivered(&server.inbound(&format!("port = {}\ntls = \"none\"\nevery = \"1m\"", server.port)));
    assert_eq!(look(&mut world).messages, 0);
    server.forget_the_password();
    let mut refused = 0;
    for _ in 0..60 {
        world.wait(SignedDuration::from_mins(1));
        if let Some(trouble) = look_due(&world.context()).unwrap().trouble {
            assert!(trouble.contains("refused the login") && !trouble.contains("another"), "{trouble}");
            refused += 1;
        }
    }
    assert!((2..=6).contains(&refused), "{refused} tries in an hour");
    let named = reasons(&mut world);
    assert!(named.contains(&(Reason::InboundUnreachable, "sigtrail".to_owned())), "{named:?}");
    for how in
        [format!("port = {}\ntls = \"tls\"", server.tls_port), format!("port = {}\ntls = \"starttls\"", server.port)]
    {
        let mut world = delivered(&server.inbound(&how));
        world.wait(hours(1));
        let trouble = look_due(&world.context()).unwrap().trouble.unwrap();
        assert!(trouble.contains("no TLS with"), "a certificate that nobody vouches for: {trouble}");
    }
    assert!(!server.log().contains("Login: user=<sigtrail>, method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, TLS"));
}

#[test]
fn a_server_that_says_nothing_holds_up_no_stop_of_the_service() {
    let scripted = Scripted::start();
    scripted.server.script("LOGIN", Act::Hang);
    let site = Site::new("", "");
    site.write("config/sigtrail.toml", &(site.read("config/sigtrail.toml") + &scripted.table()));
    let mut daemon = site.run();
    wait_until("the mailbox is looked into", || !scripted.server.commands().is_empty());
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(5), "{took:?}\n{}", daemon.log());
    scripted.server.deliver(sample("postfix", "0123456789abcdef0123456789abcdef@example.com", "jon@example.com"));
    scripted.server.deliver(sample("vacation", "0123456789abcdef0123456789abcdef@example.com", "jon@example.com"));
    let again = site.run();
    again.wait_for_line("inbound: read, and nothing moves strange=1 automatic=1");
    assert!(!again.log().contains("jon@"), "{}", again.log());
}

#[test]
fn a_password_that_cannot_stand_in_quotes_is_sent_as_a_literal() {
    let scripted = Scripted::start();
    fs::write(scripted.folder.path().join("password"), "p\u{e4}ss \"word\"\r\n").unwrap();
    scripted.server.deliver("Subject: hello\r\n\r\n");
    assert_eq!(scripted.look(1000, SHORT).unwrap().len(), 1);
    assert_eq!(scripted.server.commands()[0], "LOGIN \"sigtrail\" p\u{e4}ss \"word\"");
}
