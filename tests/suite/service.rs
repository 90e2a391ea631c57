//! The service: the real program under a supervisor that only listens, told things by signals, with feeds and a mail
//! server on loopback; and the unit file under systemd's own analysis.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    time::Duration,
};

use sigtrail::clock::Stopwatch;

use crate::harness::{
    daemon::{CEILING, Daemon, Site, feed, machine, wait_until},
    feed_server::{Answer, FeedServer},
    smtp_server::{Act, Offers, SmtpServer, Stage},
    world::rss,
};

/// A document of two items, the first of which is about the stack.
fn document() -> String {
    rss(&[("Quillgate VPN: a way in", "one", "Update quillgate."), ("Nothing of ours", "two", "Other software.")])
}

/// A publisher of that document.
fn publisher(paths: &[&str]) -> FeedServer {
    let server = FeedServer::start();
    for path in paths {
        server.serve(path, Answer::ok(document()));
    }
    server
}

fn smtp(server: &SmtpServer) -> String {
    format!("transport = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n", server.port())
}

fn unit(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name).display().to_string()
}

// ---- The unit

#[test]
fn s_01_the_unit_is_exposed_to_little() {
    let asked = ["security", "--offline=yes", "--threshold=15", "--no-pager", &unit("sigtrail.service")];
    let Some(said) = machine("systemd-analyze", &asked) else {
        eprintln!("skipped: s_01: no systemd-analyze on this machine");
        return;
    };
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{text}{}", String::from_utf8_lossy(&said.stderr));
    let level = text.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_default();
    assert!(level.contains("OK"), "{level}");
}

#[test]
fn s_02_the_unit_is_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("sigtrail.service");
    // The analysis looks for the program where the unit says that it is.
    let here = fs::read_to_string(unit("sigtrail.service")).unwrap();
    fs::write(&copy, here.replace("/usr/bin/sigtrail", env!("CARGO_BIN_EXE_sigtrail"))).unwrap();
    let Some(said) = machine("systemd-analyze", &["verify", "--man=no", &copy.display().to_string()]) else {
        eprintln!("skipped: s_02: no systemd-analyze on this machine");
        return;
    };
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && !text.contains("sigtrail"), "{text}");
}

#[test]
fn s_02_the_user_and_the_folders_of_the_unit_are_well_formed() {
    for (name, file) in [("systemd-sysusers", "sigtrail.sysusers.conf"), ("systemd-tmpfiles", "sigtrail.tmpfiles.conf")]
    {
        let folder = tempfile::tempdir().unwrap();
        let root = format!("--root={}", folder.path().display());
        let etc = folder.path().join("etc");
        fs::create_dir(&etc).unwrap();
        fs::write(etc.join("group"), "root:x:0:\nsigtrail:x:990:\n").unwrap();
        fs::write(etc.join("passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
        let how = if name == "systemd-tmpfiles" { "--create" } else { "--dry-run" };
        let Some(said) = machine(name, &[how, &root, &unit(file)]) else {
            eprintln!("skipped: s_02: no {name} on this machine");
            continue;
        };
        let text = String::from_utf8_lossy(&said.stderr);
        assert!(!text.contains(".conf:"), "{file}: {text}");
    }
}

#[test]
fn the_unit_does_not_restart_where_a_restart_cannot_help() {
    let text = fs::read_to_string(unit("sigtrail.service")).unwrap();
    for line in ["RestartPreventExitStatus=2 3 75", "Environment=SIGTRAIL_ROOT=/etc/sigtrail", "User=sigtrail"] {
        assert!(text.lines().any(|one| one == line), "{line}");
    }
    let credential = text.lines().find(|line| line.contains("LoadCredential")).unwrap();
    assert!(credential.starts_with('#'), "a credential that is not there would stop the unit: {credential}");
}

// ---- Start

#[test]
fn s_03_ready_is_said_once_the_page_answers() {
    let server = publisher(&["/a.xml"]);
    let site = Site::new(&feed("one", &server.url("/a.xml")), "");
    let daemon = site.run();
    let mut page = TcpStream::connect(daemon.page()).unwrap();
    page.set_read_timeout(Some(CEILING)).unwrap();
    page.write_all(b"GET /a/nothing HTTP/1.1\r\nHost: sigtrail.example.com\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(site.number("SELECT count(*) FROM record") >= 3);
}

#[test]
fn s_03_ready_is_never_said_when_the_log_is_broken() {
    let server = publisher(&["/a.xml"]);
    let site = Site::new(&feed("one", &server.url("/a.xml")), "");
    assert_eq!(site.run().stop().0, Some(0));
    let database = rusqlite::Connection::open(site.state().join("sigtrail.db")).unwrap();
    database
        .execute_batch(
            "DROP TRIGGER record_stays;
             UPDATE record SET bytes = zeroblob (40), leaf_hash = zeroblob (32)
             WHERE idx = (SELECT max(idx) FROM record)",
        )
        .unwrap();
    drop(database);
    let mut daemon = site.start(&[]);
    assert_eq!(daemon.wait().code(), Some(3), "{}", daemon.log());
    assert_eq!(daemon.count("READY=1"), 0);
    assert!(daemon.log().contains("log"), "{}", daemon.log());
}

#[test]
fn s_03_ready_is_never_said_when_the_page_cannot_listen() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::new("", "");
    let text = site.read("config/sigtrail.toml");
    site.write("config/sigtrail.toml", &text.replace("127.0.0.1:0\"", &format!("{}\"", taken.local_addr().unwrap())));
    let mut daemon = site.start(&[]);
    assert_eq!(daemon.wait().code(), Some(1), "{}", daemon.log());
    assert_eq!(daemon.count("READY=1"), 0);
    assert!(daemon.log().contains("[web]"), "{}", daemon.log());
}

#[test]
fn a_broken_configuration_ends_the_start_with_all_problems_named() {
    let site = Site::new("[[feed]]\nname = \"one\"\nurl = \"ftp://example.com/\"\nownr = \"maria\"\n", "");
    let mut daemon = site.start(&[]);
    assert_eq!(daemon.wait().code(), Some(2));
    let log = daemon.log();
    assert!(log.contains("feeds.toml:4") && log.contains("ownr") && log.contains("ftp"), "{log}");
    assert!(!site.state().join("sigtrail.db").exists());
}

// ---- The watchdog

#[test]
fn s_04_keep_alives_are_sent_while_both_loops_move() {
    let server = publisher(&["/a.xml"]);
    let site = Site::new(&feed("one", &server.url("/a.xml")), "");
    let mut daemon = site.start(&[("WATCHDOG_USEC", "900000")]);
    daemon.wait_for_times("WATCHDOG=1", 5);
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn s_04_a_poll_that_waits_for_a_slow_feed_is_alive() {
    let server = FeedServer::start();
    server.serve("/slow.xml", Answer::silence());
    let site = Site::new(&feed("slow", &server.url("/slow.xml")), "");
    let mut daemon = site.start(&[("WATCHDOG_USEC", "900000")]);
    wait_until("the slow feed was asked", || !server.requests("/slow.xml").is_empty());
    let before = daemon.count("WATCHDOG=1");
    daemon.wait_for_times("WATCHDOG=1", before + 5);
}

#[test]
fn s_04_without_a_wish_for_keep_alives_none_are_sent() {
    let site = Site::new("", "");
    let mut daemon = site.run();
    assert_eq!(daemon.stop().0, Some(0));
    assert_eq!(daemon.count("WATCHDOG=1"), 0);
}

#[test]
fn s_04_an_abort_leaves_the_state_intact() {
    let server = publisher(&["/a.xml"]);
    let site = Site::new(&feed("one", &server.url("/a.xml")), "");
    let mut daemon = site.run();
    daemon.wait_for_line("digest: composed");
    daemon.signal("ABRT");
    assert_eq!(daemon.wait().signal(), Some(6));
    let mut again = site.run();
    assert_eq!(again.stop().0, Some(0), "{}", again.log());
    assert_eq!(site.number("SELECT count(*) FROM digest"), 1);
}

// ---- The end

#[test]
fn s_06_a_stop_lets_a_mail_under_way_arrive_and_leaves_a_feed_that_is_silent() {
    let (server, mails) = (publisher(&["/a.xml"]), SmtpServer::start());
    server.serve("/slow.xml", Answer::silence());
    mails.always(Stage::Dot, Act::Delay(Duration::from_secs(4)));
    let site = Site::new(&feed("one", &server.url("/a.xml")), &smtp(&mails));
    let mut daemon = in_flight(&site, &server, &mails);
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(10), "{took:?}\n{}", daemon.log());
    assert_eq!(mails.mailbox("maria@example.com").len(), 1);
    assert_eq!(site.number("SELECT count(*) FROM receipt WHERE outcome = 'accepted'"), 1);
    assert_eq!(site.number("SELECT max(attempt) FROM feed_state"), 0, "a stop in order is no crash of a feed");
    mails.behave();
    let mut again = site.run();
    again.wait_for_line("started");
    assert_eq!(again.stop().0, Some(0));
    assert_eq!(mails.mailbox("maria@example.com").len(), 1, "nobody is told twice");
    assert_eq!(server.requests("/slow.xml").len(), 1, "no feed is asked early");
}

#[test]
fn s_06_a_reply_that_stays_open_is_left_and_its_mail_is_sent_again_with_the_same_bytes() {
    let (server, mails) = (publisher(&["/a.xml"]), SmtpServer::start());
    server.serve("/slow.xml", Answer::silence());
    mails.script(Stage::Dot, Act::Stall);
    let site = Site::new(&feed("one", &server.url("/a.xml")), &smtp(&mails));
    let mut daemon = in_flight(&site, &server, &mails);
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(10), "{took:?}\n{}", daemon.log());
    let mut again = site.run();
    wait_until("the open attempt is settled", || {
        site.number("SELECT count(*) FROM receipt WHERE outcome = 'uncertain'") == 1
    });
    assert_eq!(again.stop().0, Some(0));
    let due =
        "SELECT count(*) FROM delivery_state WHERE next_attempt_at > (SELECT max(finished_at) FROM receipt) + 800000";
    assert_eq!(site.number(due), 1, "an uncertain mail waits a quarter of an hour");
    // What it would wait for is brought forward, as if the time had passed.
    site.number("UPDATE delivery_state SET next_attempt_at = 0 RETURNING 1");
    let third = site.run();
    third.wait_for_line("deliver: accepted");
    let mails = mails.mailbox("maria@example.com");
    assert_eq!(mails.len(), 1);
    let database = rusqlite::Connection::open(site.state().join("sigtrail.db")).unwrap();
    let frozen: Vec<u8> = database.query_row("SELECT bytes FROM digest", [], |row| row.get(0)).unwrap();
    assert_eq!(mails[0].raw, frozen);
}

/// A daemon in the middle of a mail whose dot has gone out, and of a request that gets no answer.
fn in_flight(site: &Site, server: &FeedServer, mails: &SmtpServer) -> Daemon {
    let mut daemon = site.run();
    wait_until("the mail is under way", || mails.count("DATA") == 1);
    site.write("feeds.toml", &(site.read("feeds.toml") + &feed("slow", &server.url("/slow.xml"))));
    daemon.reload();
    wait_until("the slow feed was asked", || !server.requests("/slow.xml").is_empty());
    daemon
}

#[test]
fn s_06_a_database_that_somebody_else_holds_does_not_hold_up_a_stop() {
    let site = Site::new("", "");
    let mut daemon = site.run();
    let other = rusqlite::Connection::open(site.state().join("sigtrail.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(10), "{took:?}\n{}", daemon.log());
    drop(other);
    assert_eq!(site.run().stop().0, Some(0));
}

#[test]
fn s_06_a_stop_in_the_middle_of_many_requests_waits_for_none_of_them() {
    // It listens at every address of the machine; only loopback is asked.
    let server = FeedServer::start_at(std::net::Ipv4Addr::UNSPECIFIED);
    let mut feeds = String::new();
    for number in 1..=60 {
        let path = format!("/{number}.xml");
        server.serve(&path, Answer::silence());
        // Each at an address of its own, so that all are asked at once.
        let url = format!("http://127.0.1.{number}:{}{path}", server.port());
        feeds += &feed(&format!("feed {number}"), &url);
    }
    let site = Site::new(&feeds, "");
    let text = site.read("config/sigtrail.toml").replace("127.0.0.2/32", "127.0.0.0/8");
    site.write("config/sigtrail.toml", &text);
    let mut daemon = site.run();
    wait_until("many feeds were asked", || server.all_requests().len() >= 30);
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(10), "{took:?}\n{}", daemon.log());
    assert_eq!(site.number("SELECT count(*) FROM feed_state WHERE attempt > 0 AND last_poll_at IS NULL"), 0);
}

#[test]
fn a_stop_is_told_to_the_supervisor_and_stands_in_the_evidence() {
    let site = Site::new("", "");
    for signal in ["TERM", "INT"] {
        let mut daemon = site.run();
        daemon.signal(signal);
        assert_eq!(daemon.wait().code(), Some(0));
        assert_eq!(daemon.count("STOPPING=1"), 1);
        assert!(daemon.log().contains(&format!("signal=SIG{signal}")), "{}", daemon.log());
    }
    let started = "SELECT count(*) FROM record WHERE instr (bytes, '\"kind\":\"started\"') > 0";
    assert_eq!(site.number(started), 2);
    assert_eq!(site.number(&started.replace("started", "stopped")), 2);
    assert_eq!(site.number("SELECT max(size) FROM checkpoint"), site.number("SELECT count(*) FROM record"));
}

// ---- Reload

/// Faults of many kinds: which file, what is replaced by what, and a word of the message.
const FAULTS: [(&str, &str, &str, &str); 20] = [
    ("feeds.toml", "[[feed]]", "[[feed", "feeds.toml:1:"),
    ("feeds.toml", "owner = \"maria\"", "owner = \"nobody\"", "nobody"),
    ("feeds.toml", "owner = \"maria\"", "ownr = \"maria\"", "ownr"),
    ("feeds.toml", "http://", "gopher://", "gopher"),
    ("feeds.toml", "url = ", "urls = ", "url"),
    ("feeds.toml", "name = \"one\"", "name = 1", "feeds.toml:2:"),
    ("feeds.toml", "name = \"one\"", "name = \"one\"\nevery = \"soon\"", "soon"),
    ("feeds.toml", "name = \"one\"", "name = \"one\"\ngroup = \"nowhere\"", "nowhere"),
    ("feeds.toml", "name = \"one\"", "name = \"one\"\ntopics = [\"nothing\"]", "nothing"),
    ("config/owners.toml", "fallback = \"maria\"", "", "fallback"),
    ("config/owners.toml", "fallback = \"maria\"", "fallback = \"jon\"", "jon"),
    ("config/owners.toml", "address = \"maria@example.com\"", "address = \"maria\"", "address"),
    ("config/owners.toml", "name = \"Maria Lopez\"", "timezone = \"Mars/Base\"", "Mars"),
    ("config/owners.toml", "name = \"Maria Lopez\"", "name = \"Maria\"\ndigest = \"0 8 * * 1\"", "weekday"),
    ("config/owners.toml", "name = \"Maria Lopez\"", "name = \"Maria\"\nuntil = 2020-01-01", "maria"),
    ("config/stack.toml", "terms = [\"quillgate\"]", "terms = [{ regex = \"(\" }]", "regular expression"),
    ("config/stack.toml", "terms = [\"quillgate\"]", "terms = []", "terms"),
    ("config/stack.toml", "owner = \"maria\"", "owner = \"jon\"", "jon"),
    ("config/sigtrail.toml", "from = \"sigtrail <sigtrail@example.com>\"", "", "from"),
    ("config/sigtrail.toml", "per_host_gap = \"0s\"", "per_host_gap = \"-1s\"", "duration"),
];

#[test]
fn s_07_a_broken_configuration_is_named_by_line_and_column_and_the_old_one_stays() {
    let server = publisher(&["/a.xml", "/b.xml"]);
    let site = Site::new(&feed("one", &server.url("/a.xml")), "");
    let mut daemon = site.run();
    daemon.wait_for_line("poll: entries arrived");
    for (number, (file, good, bad, word)) in FAULTS.into_iter().enumerate() {
        let pristine = site.read(file);
        let broken = pristine.replacen(good, bad, 1);
        assert_ne!(broken, pristine, "{good}");
        site.write(file, &broken);
        let read = daemon.log().len();
        daemon.reload();
        let said = daemon.log_from(read);
        let problems: Vec<&str> = said.lines().filter(|line| line.contains(" ERROR check: ")).collect();
        let is_placed = |line: &&str| {
            let place = line.split(" ERROR check: ").nth(1).unwrap_or_default();
            place.split(':').skip(1).take(2).all(|part| part.parse::<usize>().is_ok())
        };
        assert!(!problems.is_empty() && problems.iter().all(is_placed), "{number} {bad:?}: {said}");
        assert!(problems.iter().any(|line| line.contains(file) && line.contains(word)), "{number} {bad:?}: {said}");
        assert!(said.contains("ERROR reload: the old configuration stays"), "{number} {bad:?}: {said}");
        site.write(file, &pristine);
    }
    assert_eq!(site.number("SELECT max(version) FROM configuration"), 1);
    // The old one is at work, and a good one takes its place.
    site.write("feeds.toml", &(site.read("feeds.toml") + &feed("two", &server.url("/b.xml"))));
    daemon.reload();
    daemon.wait_for_line("in force: +1 feed (two)");
    wait_until("the new feed was asked", || !server.requests("/b.xml").is_empty());
    assert_eq!(site.number("SELECT max(version) FROM configuration"), 2);
    let loaded = "SELECT count(*) FROM record WHERE instr (bytes, '\"kind\":\"configuration-loaded\"') > 0";
    assert_eq!(site.number(loaded), 2);
    assert_eq!(daemon.count("RELOADING=1"), FAULTS.len() + 1);
    assert!(daemon.told().iter().any(|line| line.starts_with("MONOTONIC_USEC=")));
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn s_07_every_problem_of_every_file_is_named_at_once() {
    let site = Site::new("", "");
    let mut daemon = site.run();
    site.write("feeds.toml", "[[feed]]\nname = \"a\"\nurl = \"ftp://a.example/\"\nowner = \"x\"\n");
    site.write(
        "config/stack.toml",
        "[[component]]\nid = \"c\"\nname = \"C\"\nowner = \"y\"\nterms = [\"longer term\"]\n",
    );
    daemon.reload();
    let log = daemon.log();
    for place in ["feeds.toml:3:", "feeds.toml:4:", "config/stack.toml:4:"] {
        assert!(log.contains(place), "{place}: {log}");
    }
}

#[test]
fn s_07_what_a_running_service_cannot_change_is_refused_in_words() {
    let site = Site::new("", "");
    let mut daemon = site.run();
    let pristine = site.read("config/sigtrail.toml");
    for (good, bad, words) in [
        ("127.0.0.1:0", "127.0.0.1:1", "needs a restart"),
        ("[fetch]", "[evidence]\norigin = \"example.com/other\"\n[fetch]", "never changes"),
        ("[mail]", "state = \"elsewhere\"\n[mail]", "needs a restart"),
    ] {
        site.write("config/sigtrail.toml", &pristine.replacen(good, bad, 1));
        let read = daemon.log().len();
        daemon.reload();
        let said = daemon.log_from(read);
        assert!(said.contains("the old configuration stays") && said.contains(words), "{bad}: {said}");
    }
    assert!(daemon.is_running());
    assert_eq!(site.number("SELECT max(version) FROM configuration"), 1);
}

#[test]
fn s_08_a_credential_that_is_missing_is_named_and_one_that_is_changed_is_used_without_a_restart() {
    let server = publisher(&["/a.xml"]);
    let mails = SmtpServer::offering(Offers {
        login: Some(("sigtrail".into(), "Tr0ub4dor-secret".into())),
        ..Offers::default()
    });
    let site = Site::new(&feed("one", &server.url("/a.xml")), "");
    let file = site.path("smtp-password");
    let login = format!("username = \"sigtrail\"\npassword_file = \"{}\"\n", file.display());
    let text = site.read("config/sigtrail.toml").replacen("\n[web]", &format!("{}{login}[web]", smtp(&mails)), 1);
    site.write("config/sigtrail.toml", &text);
    let mut refused = site.start(&[]);
    assert_eq!(refused.wait().code(), Some(2));
    assert!(refused.log().contains("config/sigtrail.toml:8") && refused.log().contains("smtp-password"));
    fs::write(&file, "Tr0ub4dor-of-yesterday\n").unwrap();
    let mut daemon = site.run();
    let line = daemon.wait_for_line("deliver: unreachable");
    assert!(line.contains("refused the login"), "{line}");
    fs::write(&file, "Tr0ub4dor-secret\n").unwrap();
    // The next attempt is brought forward, as if its time had come.
    wait_until("the attempt has ended", || site.number("SELECT count(*) FROM receipt") == 1);
    site.number("UPDATE delivery_state SET next_attempt_at = 0 RETURNING 1");
    site.number("UPDATE relay_trouble_state SET hold_until = 0 RETURNING 1");
    daemon.wait_for_line("deliver: accepted");
    assert_eq!(mails.mailbox("maria@example.com").len(), 1);
    assert_eq!(daemon.stop().0, Some(0));
    assert!(!daemon.log().contains("Tr0ub4dor"), "{}", daemon.log());
}

// ---- One instance

#[test]
fn d_13_a_second_instance_is_refused_at_once_and_the_first_goes_on() {
    let server = publisher(&["/a.xml"]);
    let site = Site::new(&feed("one", &server.url("/a.xml")), "");
    let mut first = site.run();
    let watch = Stopwatch::start();
    let mut second = site.start(&[]);
    assert_eq!(second.wait().code(), Some(75), "{}", second.log());
    // The promise is one second; a loaded machine is not what this test is about.
    assert!(watch.elapsed() < Duration::from_secs(5), "{:?}", watch.elapsed());
    assert!(second.log().contains("already"), "{}", second.log());
    assert_eq!(second.count("READY=1"), 0);
    assert_eq!(site.command(&["tick"]).status.code(), Some(75));
    assert!(first.is_running());
    assert_eq!(first.stop().0, Some(0));
}

#[test]
fn d_13_of_many_that_start_together_exactly_one_runs() {
    for round in 0..5 {
        let site = Site::new("", "");
        let mut all: Vec<Daemon> = (0..6).map(|_| site.start(&[])).collect();
        let watch = Stopwatch::start();
        while all.iter_mut().map(|one| usize::from(one.is_running())).sum::<usize>() > 1 {
            assert!(watch.elapsed() < CEILING, "round {round}");
            std::thread::sleep(Duration::from_millis(20));
        }
        for daemon in &mut all {
            if daemon.is_running() {
                daemon.wait_for("READY=1");
                assert_eq!(daemon.stop().0, Some(0), "round {round}: {}", daemon.log());
            } else {
                assert_eq!(daemon.wait().code(), Some(75), "round {round}: {}", daemon.log());
            }
        }
        let started = "SELECT count(*) FROM record WHERE instr (bytes, '\"kind\":\"started\"') > 0";
        assert_eq!(site.number(started), 1, "round {round}");
    }
}

#[test]
fn d_13_the_lock_of_a_killed_process_stops_nobody() {
    let site = Site::new("", "");
    for _ in 0..3 {
        site.run().kill();
    }
    assert_eq!(site.run().stop().0, Some(0));
}

// ---- Restarts

#[test]
fn p_21_restarts_cause_no_early_request() {
    let paths = ["/a.xml", "/b.xml", "/c.xml"];
    let server = publisher(&paths);
    let feeds: String = paths.iter().map(|path| feed(path.trim_matches('/'), &server.url(path))).collect();
    let site = Site::new(&feeds, "");
    for restart in 0_u64..20 {
        let mut daemon = site.run();
        if restart == 0 {
            daemon.wait_for_line("deliver: written");
        }
        // At another moment of its life each time.
        std::thread::sleep(Duration::from_millis(restart * 7));
        if restart % 2 == 0 { daemon.kill() } else { assert_eq!(daemon.stop().0, Some(0)) }
    }
    for path in paths {
        assert_eq!(server.requests(path).len(), 1, "{path}");
    }
    assert_eq!(site.number("SELECT count(*) FROM digest"), 1);
}

#[test]
fn p_21_a_kill_in_the_middle_of_a_request_causes_no_early_one() {
    let server = FeedServer::start();
    server.serve("/slow.xml", Answer::silence());
    let site = Site::new(&feed("slow", &server.url("/slow.xml")), "");
    let mut daemon = site.run();
    wait_until("the feed was asked", || server.requests("/slow.xml").len() == 1);
    daemon.kill();
    for _ in 0..3 {
        let mut daemon = site.run();
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(daemon.stop().0, Some(0));
    }
    assert_eq!(server.requests("/slow.xml").len(), 1);
}

// ---- The log

#[test]
fn the_log_has_one_line_an_event_for_the_journal_and_no_address_in_it() {
    let (server, mails) = (publisher(&["/a.xml"]), SmtpServer::start());
    mails.always(Stage::Dot, Act::reply(250, "maria@example.com has it"));
    server.serve("/gone.xml", Answer::status(404));
    let feeds = feed("one", &server.url("/a.xml")) + &feed("gone", &server.url("/gone.xml"));
    let site = Site::new(&feeds, &smtp(&mails));
    let mut daemon = site.start(&[("JOURNAL_STREAM", "")]);
    daemon.wait_for_line("deliver: accepted");
    assert_eq!(daemon.stop().0, Some(0));
    let log = daemon.log();
    for line in log.lines() {
        let level = line.get(..3).unwrap_or_default();
        assert!(["<3>", "<4>", "<6>"].contains(&level), "{line}");
    }
    assert!(!log.contains('@') && !log.contains("Maria Lopez") && !log.contains("a way in"), "{log}");
    for (text, fields) in [
        ("<6>poll: entries arrived", "feed.id=one new=2"),
        ("<4>poll: cannot be seen", "feed.id=gone feed.state=gone"),
        ("<6>digest: composed", "owner.id=maria"),
        ("<6>deliver: accepted", "owner.id=maria code=250"),
    ] {
        let line = log.lines().find(|line| line.starts_with(text)).unwrap_or_else(|| panic!("{text}: {log}"));
        assert!(line.contains(fields), "{line}");
    }
}

#[test]
fn a_feed_that_keeps_failing_is_logged_once() {
    let server = FeedServer::start();
    let site = Site::new(&feed("gone", &server.url("/gone.xml")), "");
    let daemon = site.run();
    daemon.wait_for_line("cannot be seen");
    for times in 2..4 {
        assert!(site.command(&["poll", "--force", "gone"]).status.success());
        wait_until("the feed was asked again", || server.requests("/gone.xml").len() == times);
    }
    wait_until("the third answer was stored", || site.number("SELECT failures FROM feed_state") == 3);
    assert_eq!(daemon.log().matches("cannot be seen").count(), 1, "{}", daemon.log());
}

#[test]
fn the_log_is_as_loud_as_asked_for() {
    let site = Site::new("", "");
    let mut quiet = site.start(&[("SIGTRAIL_LOG", "error")]);
    quiet.wait_for("READY=1");
    assert_eq!(quiet.stop().0, Some(0));
    assert_eq!(quiet.log(), "");
    let mut odd = site.start(&[("SIGTRAIL_LOG", "run=loud")]);
    odd.wait_for("READY=1");
    assert!(odd.log().contains("SIGTRAIL_LOG cannot be understood") && odd.log().contains("started"), "{}", odd.log());
}

#[test]
fn h_06_a_feed_that_is_silent_delays_no_other_feeds_next_poll() {
    let (slow, fast) = (FeedServer::start(), FeedServer::start_at(std::net::Ipv4Addr::new(127, 0, 0, 3)));
    slow.serve("/slow", Answer::silence());
    fast.serve("/fast", Answer::ok(document()).etag("\"1\""));
    let feeds =
        feed("Slow", &slow.url("/slow")) + &feed("Fast", &fast.url("/fast")).replace("owner", "every = \"1s\"\nowner");
    let site = Site::new(&feeds, "");
    let settings = site.read("config/sigtrail.toml");
    let settings =
        settings.replace("127.0.0.2/32", "127.0.0.2/31").replace("[fetch]", "[fetch]\nmin_interval = \"1s\"");
    site.write("config/sigtrail.toml", &settings);
    let mut daemon = site.run();
    wait_until("the silent feed is asked", || slow.requests("/slow").len() == 1);
    let watch = Stopwatch::start();
    wait_until("the other one is asked again and again", || fast.requests("/fast").len() >= 6);
    assert!(watch.elapsed() < Duration::from_secs(20), "{:?}: it waited for the silent one", watch.elapsed());
    assert!(daemon.is_running());
}

#[test]
fn h_06_twelve_silent_hosts_that_fall_due_one_after_the_other_hold_up_nobody() {
    let at = |last| FeedServer::start_at(std::net::Ipv4Addr::new(127, 0, 0, last));
    let (fast, silent): (FeedServer, Vec<FeedServer>) = (at(3), (4..16).map(at).collect());
    fast.serve("/fast", Answer::ok(document()));
    let mut feeds = feed("Fast", &fast.url("/fast"));
    for (number, server) in silent.iter().enumerate() {
        server.serve("/slow", Answer::ok(document()));
        feeds += &feed(&format!("Slow {number}"), &server.url("/slow"));
    }
    let site = Site::new(&feeds, "");
    let settings = site.read("config/sigtrail.toml");
    let settings = settings.replace("127.0.0.2/32", "127.0.0.0/28").replace("[fetch]", "[fetch]\ntimeout = \"1m\"");
    site.write("config/sigtrail.toml", &settings);
    let mut daemon = site.run();
    wait_until("all were asked", || site.number("SELECT count(*) FROM feed_state WHERE last_poll_at > 0") == 13);
    let falls_due = |id: &str, server: &FeedServer| {
        let before = server.all_requests().len();
        site.number(&format!(
            "UPDATE feed_state SET next_poll_at = 0 WHERE feed = (SELECT no FROM feed WHERE id = '{id}') RETURNING 1"
        ));
        let watch = Stopwatch::start();
        wait_until(id, || server.all_requests().len() > before);
        assert!(watch.elapsed() < Duration::from_secs(10), "{id} is asked after {:?}", watch.elapsed());
    };
    for (number, server) in silent.iter().enumerate() {
        server.serve("/slow", Answer::silence());
        falls_due(&format!("slow-{number}"), server);
    }
    falls_due("fast", &fast);
    assert!(daemon.is_running());
}

#[test]
fn h_06_thirty_feeds_of_a_silent_host_hold_up_no_other_host_and_none_of_them_is_asked_twice() {
    let (slow, fast) = (FeedServer::start(), FeedServer::start_at(std::net::Ipv4Addr::new(127, 0, 0, 3)));
    let mut feeds = feed("Fast", &fast.url("/fast"));
    fast.serve("/fast", Answer::ok(document()));
    for number in 0..30 {
        slow.serve(&format!("/{number}"), Answer::silence());
        feeds += &feed(&format!("Slow {number}"), &slow.url(&format!("/{number}")));
    }
    let site = Site::new(&feeds, "");
    let settings = site.read("config/sigtrail.toml").replace("127.0.0.2/32", "127.0.0.2/31");
    site.write("config/sigtrail.toml", &settings);
    let mut daemon = site.run();
    let waiting = "SELECT count(*) FROM feed_state JOIN feed ON no = feed WHERE id = 'fast' AND NOT (attempt = 0 AND last_poll_at > 0)";
    let is_stored = || site.number(waiting) == 0;
    wait_until("the silent host is asked", || !slow.all_requests().is_empty());
    wait_until("the answer is stored", is_stored);
    // As if an interval had passed, more often than rounds may run beside each other.
    for round in 0..10 {
        let before = fast.all_requests().len();
        site.number("UPDATE feed_state SET next_poll_at = 0 RETURNING 1");
        let watch = Stopwatch::start();
        wait_until("the other host is asked", || fast.all_requests().len() > before);
        assert!(watch.elapsed() < Duration::from_secs(15), "round {round}: {:?}", watch.elapsed());
        wait_until("the answer is stored", is_stored);
    }
    assert_eq!(site.number("SELECT max(attempt) FROM feed_state"), 1, "one claim for one request");
    assert_eq!(site.number("SELECT count(*) FROM record WHERE instr (bytes, 'never ended') > 0"), 0);
    let asked = slow.all_requests().len();
    assert!(asked <= 2, "{asked} requests while the first has no answer");
    assert!(daemon.is_running());
}
