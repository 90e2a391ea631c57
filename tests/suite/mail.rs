//! The mail door against a server that misbehaves on request, and against a real one.

mod bodies;
mod secure;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::SignedDuration;
use sigtrail::{
    delivery::{Next, Tried, next},
    mail::{Limits, MailError, Mailer, Outgoing},
    model::{
        delivery::{DeliveryState, RelayFault, SendOutcome},
        id::DeliveryNo,
        settings::{MailSettings, MailTls, MailTransport},
        time::from_millis,
    },
};

use crate::harness::{
    postfix::Postfix,
    smtp_server::{Act, Offers, SmtpServer, Stage},
};

const MARIA: &str = "maria@example.com";
const BODY: &[u8] = b"Subject: digest\r\n\r\nOne story.\r\n";

/// Short enough for a test that waits for them, long enough for a loaded machine.
fn short() -> Limits {
    Limits {
        connect: Duration::from_secs(5),
        command: Duration::from_millis(1500),
        dot: Duration::from_millis(2500),
        hurry: Duration::from_millis(300),
    }
}

/// An outbox that no test by SMTP may touch.
fn nowhere() -> &'static Path {
    Path::new("/nonexistent")
}

fn mailer_for(settings: &MailSettings) -> Mailer {
    Mailer::open(settings, nowhere()).unwrap()
}

/// A mailer that gives up soon.
fn impatient(settings: &MailSettings) -> Mailer {
    Mailer::with_limits(settings, nowhere(), short()).unwrap()
}

fn plain(server: &SmtpServer) -> Mailer {
    mailer_for(&server.settings(MailTls::None))
}

fn send(mailer: &Mailer) -> SendOutcome {
    mailer.session().send(MARIA, BODY, "1.eml")
}

#[track_caller]
fn accepted(outcome: &SendOutcome) {
    assert!(matches!(outcome, SendOutcome::Accepted { code: 250, .. }), "{outcome:?}");
}

#[track_caller]
fn unreachable(outcome: &SendOutcome, words: &str) {
    match outcome {
        SendOutcome::Unreachable { cause } if cause.contains(words) => {}
        other => panic!("expected unreachable with {words:?}, got {other:?}"),
    }
}

#[track_caller]
fn unfit(outcome: &SendOutcome, words: &str) {
    match outcome {
        SendOutcome::Unfit { cause } if cause.contains(words) => {}
        other => panic!("expected unfit with {words:?}, got {other:?}"),
    }
}

fn with_login(mut settings: MailSettings, user: &str, file: PathBuf) -> MailSettings {
    if let MailTransport::Smtp { login, .. } = &mut settings.transport {
        *login = Some((user.to_owned(), file));
    }
    settings
}

fn starttls() -> Offers {
    Offers { starttls: true, ..Offers::default() }
}

/// The five stages of rows M-11 and M-12.
const STAGES: [Stage; 5] = [Stage::Ehlo, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot];

#[test]
fn the_reply_of_the_server_is_the_receipt() {
    let server = SmtpServer::start();
    let outcome = send(&plain(&server));
    assert_eq!(outcome, SendOutcome::Accepted { code: 250, reply: "2.0.0 Ok: queued as 1".into() });
    let mails = server.mailbox(MARIA);
    assert_eq!(mails.len(), 1);
    assert_eq!((mails[0].from.as_str(), mails[0].raw.as_slice()), ("sigtrail@example.com", BODY));
    assert_eq!(server.mailbox("jon@example.com"), []);
}

#[test]
fn a_burst_uses_one_connection() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    let mut session = mailer.session();
    for _ in 0..20 {
        accepted(&session.send(MARIA, BODY, ""));
    }
    drop(session);
    assert_eq!((server.connections(), server.mails().len(), server.count("QUIT")), (1, 20, 1));
}

#[test]
fn m_02_a_digest_that_is_deferred_fifty_times_arrives_once_with_its_message_id() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    let body = b"Message-ID: <d1.abc@example.com>\r\nSubject: digest\r\n\r\nOne story.\r\n";
    server.script_times(Stage::Dot, 50, Act::reply(451, "4.3.0 not now"));
    let mut tries = 0;
    let last = loop {
        tries += 1;
        match mailer.session().send(MARIA, body, "") {
            SendOutcome::Deferred { code: 451, .. } => {}
            other => break other,
        }
    };
    accepted(&last);
    assert_eq!(tries, 51);
    let mails = server.mailbox(MARIA);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].raw, body);
}

#[test]
fn m_03_a_reply_that_is_lost_after_the_final_dot_is_uncertain_and_the_same_bytes_go_again() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    server.script(Stage::Dot, Act::LoseReply);
    server.script(Stage::Dot, Act::Drop);
    for _ in 0..2 {
        let outcome = send(&mailer);
        assert!(matches!(&outcome, SendOutcome::Uncertain { cause } if cause.contains("whole message")), "{outcome:?}");
    }
    accepted(&send(&mailer));
    let mails = server.mailbox(MARIA);
    assert_eq!(mails.len(), 2, "the one with the lost reply and the last one");
    assert_eq!(mails[0], mails[1]);
}

#[test]
fn m_03_a_reply_to_the_final_dot_that_is_not_smtp_is_uncertain() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    for nonsense in ["hello", "354 more", "250-half", "25"] {
        server.script(Stage::Dot, Act::Reply(nonsense.into()));
        let mailer = match nonsense {
            // No end comes to this reply: the limit ends the wait.
            "250-half" => impatient(&server.settings(MailTls::None)),
            _ => mailer_for(&server.settings(MailTls::None)),
        };
        let outcome = send(&mailer);
        assert!(matches!(outcome, SendOutcome::Uncertain { .. }), "{nonsense}: {outcome:?}");
    }
    accepted(&send(&mailer));
}

#[test]
fn m_04_a_server_that_dies_after_its_250_has_taken_the_message() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    server.script(Stage::Dot, Act::ReplyThenDrop);
    let mut session = mailer.session();
    accepted(&session.send(MARIA, BODY, ""));
    accepted(&session.send("jon@example.com", BODY, ""));
    assert_eq!((server.mails().len(), server.connections()), (2, 2));
    server.script(Stage::Quit, Act::Drop);
    drop(session);
    assert_eq!(server.mails().len(), 2);
}

#[test]
fn m_11_a_4xx_at_any_of_five_stages_is_deferred_with_its_code_and_text() {
    for stage in STAGES {
        let server = SmtpServer::start();
        let mailer = plain(&server);
        server.script(stage, Act::Reply("451-4.7.1 try\r\n451 4.7.1 later".into()));
        let mut session = mailer.session();
        let outcome = session.send(MARIA, BODY, "");
        assert_eq!(outcome, SendOutcome::Deferred { code: 451, reply: "4.7.1 try 4.7.1 later".into() }, "{stage:?}");
        if stage == Stage::Ehlo {
            unreachable(&session.send(MARIA, BODY, ""), "not tried again in this burst");
            session = mailer.session();
        }
        accepted(&session.send(MARIA, BODY, ""));
        assert_eq!(server.mailbox(MARIA).len(), 1, "{stage:?}");
    }
}

#[test]
fn m_11_a_server_that_shuts_down_in_the_middle_is_deferred_and_asked_again_on_a_new_connection() {
    for stage in STAGES.into_iter().chain([Stage::Greeting]) {
        let server = SmtpServer::start();
        let mailer = plain(&server);
        server.script(stage, Act::reply(421, "shutting down"));
        let mut session = mailer.session();
        let outcome = session.send(MARIA, BODY, "");
        assert!(matches!(outcome, SendOutcome::Deferred { code: 421, .. }), "{stage:?}: {outcome:?}");
        if matches!(stage, Stage::Greeting | Stage::Ehlo) {
            session = mailer.session();
        }
        accepted(&session.send(MARIA, BODY, ""));
        assert_eq!(server.connections(), 2, "{stage:?}");
    }
}

#[test]
fn m_12_a_5xx_from_the_recipient_on_is_a_refusal_for_good_and_the_next_recipient_is_served() {
    for stage in [Stage::Rcpt, Stage::Data, Stage::Dot] {
        let server = SmtpServer::start();
        let mailer = plain(&server);
        server.script(stage, Act::reply(550, "5.1.1 no such user"));
        let mut session = mailer.session();
        let outcome = session.send(MARIA, BODY, "");
        assert_eq!(outcome, SendOutcome::Rejected { code: 550, reply: "5.1.1 no such user".into() }, "{stage:?}");
        accepted(&session.send("jon@example.com", BODY, ""));
        assert_eq!((server.mailbox(MARIA).len(), server.mailbox("jon@example.com").len()), (0, 1), "{stage:?}");
    }
}

#[test]
fn a_line_that_breaks_before_the_final_dot_is_unreachable_and_never_uncertain() {
    for stage in [Stage::Greeting, Stage::Ehlo, Stage::Mail, Stage::Rcpt, Stage::Data] {
        let server = SmtpServer::start();
        server.script(stage, Act::Drop);
        unreachable(&send(&plain(&server)), "broke off");
        assert_eq!(server.mails(), []);
    }
    let server = SmtpServer::start();
    server.script(Stage::Data, Act::DropInside(1000));
    let long = b"All work and no play makes a long message.\r\n".repeat(300_000);
    let outcome = plain(&server).session().send(MARIA, &long, "");
    unreachable(&outcome, "inside the message");
}

#[test]
fn a_connection_that_died_of_old_age_is_made_anew_without_a_word() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    let mut session = mailer.session();
    accepted(&session.send(MARIA, BODY, ""));
    server.hang_up();
    accepted(&session.send(MARIA, BODY, ""));
    server.script(Stage::Mail, Act::reply(421, "idle for too long"));
    accepted(&session.send(MARIA, BODY, ""));
    assert_eq!((server.connections(), server.mails().len()), (3, 3));
}

#[test]
fn a_server_that_is_not_there_is_tried_once_in_a_burst_and_named() {
    let mut settings = SmtpServer::start().settings(MailTls::None);
    if let MailTransport::Smtp { port, .. } = &mut settings.transport {
        // Nobody listens there, and no test that runs beside this one is given it.
        *port = 1;
    }
    let mailer = mailer_for(&settings);
    let mut session = mailer.session();
    unreachable(&session.send(MARIA, BODY, ""), "no connection to 127.0.0.1:1: Connection refused");
    unreachable(&session.send(MARIA, BODY, ""), "not tried again in this burst");
}

#[test]
fn m_17_a_slow_reply_to_the_final_dot_is_waited_for_and_then_uncertain() {
    let server = SmtpServer::start();
    let settings = server.settings(MailTls::None);
    let mailer = impatient(&settings);
    // Longer than a command may take, shorter than the final dot may.
    server.script(Stage::Dot, Act::Delay(Duration::from_secs(2)));
    accepted(&send(&mailer));
    for act in [Act::Stall, Act::Drip] {
        server.script(Stage::Dot, act);
        let outcome = send(&mailer);
        assert!(matches!(&outcome, SendOutcome::Uncertain { cause } if cause.contains("2500 ms")), "{outcome:?}");
    }
    accepted(&send(&mailer));
}

#[test]
fn m_17_a_server_that_falls_silent_at_any_stage_is_left_after_the_limit() {
    let silent = |stage, act| {
        let server = SmtpServer::start();
        let settings = server.settings(MailTls::None);
        let mailer = impatient(&settings);
        server.script(stage, act);
        unreachable(&send(&mailer), "nothing came within 1500 ms");
    };
    std::thread::scope(|scope| {
        for stage in [Stage::Greeting, Stage::Ehlo, Stage::Mail, Stage::Rcpt, Stage::Data] {
            for act in [Act::Stall, Act::Drip] {
                scope.spawn(move || silent(stage, act));
            }
        }
    });
}

#[test]
fn m_17_when_the_service_stops_an_open_final_dot_becomes_uncertain_soon() {
    let server = SmtpServer::start();
    let settings = server.settings(MailTls::None);
    let limits = Limits { hurry: Duration::from_millis(200), ..Limits::default() };
    let mailer = Mailer::with_limits(&settings, nowhere(), limits).unwrap();
    server.script(Stage::Dot, Act::Stall);
    let outcome = std::thread::scope(|scope| {
        let sending = scope.spawn(|| send(&mailer));
        while server.count("DATA") == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        mailer.hurry();
        sending.join().unwrap()
    });
    assert!(matches!(&outcome, SendOutcome::Uncertain { cause } if cause.contains("stopped")), "{outcome:?}");
    server.script(Stage::Rcpt, Act::Stall);
    unreachable(&send(&mailer), "stopped");
}

#[test]
fn m_18_a_message_that_is_too_large_for_the_server_is_not_sent() {
    let server = SmtpServer::offering(Offers { size: Some(50_000), ..Offers::default() });
    let mailer = plain(&server);
    let mut session = mailer.session();
    let large = b"A line of thirty bytes, nearly.\r\n".repeat(2000);
    let outcome = session.send(MARIA, &large, "");
    let SendOutcome::TooLarge { limit: Some(50_000), code: None, reply } = outcome else { panic!("{outcome:?}") };
    assert!(reply.contains("at most 50000 bytes") && reply.contains("66000"), "{reply}");
    assert_eq!(server.count("MAIL"), 0);
    accepted(&session.send(MARIA, BODY, ""));
    assert_eq!(server.count("MAIL FROM:<SIGTRAIL@EXAMPLE.COM> SIZE=31"), 1, "{:?}", server.commands());
}

#[test]
fn m_10_no_program_is_ever_started_to_send_mail() {
    let manifest = include_str!("../../Cargo.toml");
    let lettre = manifest.lines().find(|line| line.starts_with("lettre =")).unwrap();
    assert!(lettre.contains("default-features = false") && !lettre.contains("sendmail"), "{lettre}");
    assert!(include_str!("../../clippy.toml").contains("std::process::Command::new"));
}

#[test]
fn m_13_a_greylisted_digest_arrives_at_the_first_try_after_the_wait() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    let queued = from_millis(1_794_304_800_000);
    let opens = queued + SignedDuration::from_mins(15);
    let (mut now, mut attempt) = (queued, 0);
    server.always(Stage::Rcpt, Act::reply(450, "4.2.0 greylisted"));
    loop {
        if now >= opens {
            server.behave();
        }
        attempt += 1;
        let tried = Tried { delivery: DeliveryNo(1), attempt, is_urgent: false, failing_since: Some(queued), now };
        match next(&send(&mailer), &tried) {
            Next::At(due) => now = due,
            Next::Done(state) => {
                assert_eq!(state, DeliveryState::Accepted);
                break;
            }
        }
        assert!(attempt < 10);
    }
    assert_eq!(now.duration_since(queued).as_mins(), 21, "the attempts were after 0, 1, 6 and 21 minutes");
    assert_eq!(server.mailbox(MARIA).len(), 1);
}

#[test]
fn m_15_when_a_relay_comes_back_all_digests_go_once_and_in_order_over_one_connection() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    server.down();
    let mut session = mailer.session();
    for number in 0..30 {
        let outcome = session.send(MARIA, format!("Subject: {number}\r\n\r\n").as_bytes(), "");
        assert!(matches!(outcome, SendOutcome::Unreachable { .. }), "{outcome:?}");
    }
    drop(session);
    server.up();
    let mut session = mailer.session();
    for number in 0..30 {
        accepted(&session.send(MARIA, format!("Subject: {number}\r\n\r\n").as_bytes(), ""));
    }
    let subjects: Vec<String> = server
        .mailbox(MARIA)
        .iter()
        .map(|mail| String::from_utf8_lossy(&mail.raw).trim_end().trim_start_matches("Subject: ").to_owned())
        .collect();
    assert_eq!(subjects, (0..30).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(server.connections(), 1);
}

#[test]
fn m_28_an_address_beyond_ascii_goes_only_where_smtputf8_is_offered() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    accepted(&mailer.session().send("maría@example.com", BODY, ""));
    accepted(&mailer.session().send("maria@bücher.example", BODY, ""));
    assert_eq!((server.count("MAIL FROM:<SIGTRAIL@EXAMPLE.COM> SMTPUTF8"), server.mails().len()), (1, 2));
    assert_eq!(server.mailbox("maria@xn--bcher-kva.example").len(), 1);
    server.offer(|offers| offers.wide = false);
    let outcome = mailer.session().send("maría@example.com", BODY, "");
    let SendOutcome::Unfit { cause } = outcome else { panic!("{outcome:?}") };
    assert!(cause.contains("beyond ASCII") && cause.contains("SMTPUTF8"), "{cause}");
    assert_eq!(server.mails().len(), 2);
}

#[test]
fn m_18_a_refusal_for_size_is_told_from_a_full_mailbox_at_any_stage() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    for (stage, reply) in [
        (Stage::Mail, "552 5.3.4 message size exceeds fixed limit"),
        (Stage::Mail, "552 too big"),
        (Stage::Rcpt, "552 5.2.3 too long for this mailbox"),
        (Stage::Dot, "552 5.3.4 too big"),
        (Stage::Dot, "523 too long"),
    ] {
        server.script(stage, Act::Reply(reply.into()));
        let outcome = send(&mailer);
        assert!(
            matches!(outcome, SendOutcome::TooLarge { limit: None, code: Some(552 | 523), .. }),
            "{reply}: {outcome:?}"
        );
    }
    for (stage, reply) in [(Stage::Rcpt, "552 mailbox full"), (Stage::Dot, "552 5.2.2 mailbox full")] {
        server.script(stage, Act::Reply(reply.into()));
        assert!(matches!(send(&mailer), SendOutcome::Rejected { code: 552, .. }), "{reply}");
    }
    accepted(&send(&mailer));
}

/// A session's attempt with a message that has a Message-ID.
fn with_id(mailer: &Mailer, to: &str, message_id: &str) -> sigtrail::model::delivery::Attempted {
    mailer.session().hand_over(&Outgoing { to, message_id, bytes: BODY, file: "" })
}

#[test]
fn reports_are_asked_for_where_the_server_sends_them_and_name_the_message_and_the_address() {
    let server = SmtpServer::offering(Offers { dsn: true, ..Offers::default() });
    let mut settings = server.settings(MailTls::None);
    settings.envelope_from = Some("bounces@example.com".into());
    let mailer = mailer_for(&settings);
    accepted(&with_id(&mailer, "maria+alerts=x@example.com", "d41.a+b=c@example.com").outcome);
    let commands = server.commands();
    assert_eq!(
        commands[1..3],
        [
            "MAIL FROM:<bounces@example.com> RET=HDRS ENVID=d41.a+2Bb+3Dc",
            "RCPT TO:<maria+alerts=x@example.com> NOTIFY=FAILURE,DELAY ORCPT=rfc822;maria+2Balerts+3Dx@example.com",
        ]
    );
    assert_eq!(server.mails()[0].from, "bounces@example.com");
    accepted(&with_id(&mailer, "maría@example.com", "").outcome);
    let commands = server.commands();
    assert!(commands.contains(&"RCPT TO:<maría@example.com> NOTIFY=FAILURE,DELAY".to_owned()), "{commands:?}");
    server.offer(|offers| offers.dsn = false);
    accepted(&with_id(&mailer, MARIA, "d41@example.com").outcome);
    let commands = server.commands();
    assert!(commands.contains(&format!("RCPT TO:<{MARIA}>")), "{commands:?}");
    assert!(commands.contains(&"MAIL FROM:<bounces@example.com>".to_owned()), "{commands:?}");
}

#[test]
fn whose_failure_it_is_is_told_by_whether_the_server_knew_the_recipient() {
    let server = SmtpServer::offering(Offers { size: Some(70_000), ..Offers::default() });
    let mailer = plain(&server);
    let fault = || with_id(&mailer, MARIA, "").trouble.map(|trouble| trouble.fault);
    for (stage, reply, expected) in [
        (Stage::Greeting, "421 go away", Some(RelayFault::Busy)),
        (Stage::Greeting, "554 go away", Some(RelayFault::Down)),
        (Stage::Ehlo, "451 later", Some(RelayFault::Busy)),
        (Stage::Ehlo, "550 5.7.1 go away", Some(RelayFault::Down)),
        (Stage::Mail, "452 4.3.1 no space", Some(RelayFault::Busy)),
        (Stage::Mail, "553 5.7.1 sender rejected", Some(RelayFault::Sender)),
        (Stage::Mail, "552 5.3.4 too large", None),
        (Stage::Mail, "530 5.7.0 authentication required", Some(RelayFault::Login)),
        (Stage::Rcpt, "450 4.2.0 greylisted", None),
        (Stage::Rcpt, "550 5.1.1 unknown", None),
        (Stage::Data, "451 later", None),
        (Stage::Dot, "451 later", None),
        (Stage::Dot, "421 shutting down", Some(RelayFault::Busy)),
    ] {
        server.script(stage, Act::Reply(reply.into()));
        assert_eq!(fault(), expected, "{stage:?}: {reply}");
    }
    server.script(Stage::Data, Act::Drop);
    assert_eq!(fault(), None, "the message may be what breaks it");
    server.down();
    assert_eq!(fault(), Some(RelayFault::Down));
    server.up();
    assert_eq!(with_id(&mailer, MARIA, "").size_limit, Some(Some(70_000)));
}

#[test]
fn an_address_that_would_end_the_command_early_is_refused_without_a_connection() {
    let server = SmtpServer::start();
    let outcome = plain(&server).session().send("a@example.com>\r\nRCPT TO:<x@example.com", BODY, "");
    assert!(matches!(outcome, SendOutcome::Rejected { code: 553, .. }), "{outcome:?}");
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_server_that_knows_only_helo_is_served_where_nothing_more_is_asked_for() {
    let server = SmtpServer::start();
    server.script(Stage::Ehlo, Act::reply(502, "5.5.1 what?"));
    accepted(&send(&plain(&server)));
    assert_eq!((server.count("EHLO"), server.count("HELO"), server.mails().len()), (1, 1, 1));
}

#[test]
fn a_greeting_that_turns_everybody_away_keeps_the_digest_in_the_queue() {
    let server = SmtpServer::start();
    server.script(Stage::Greeting, Act::reply(554, "5.7.1 your address is listed"));
    unreachable(&send(&plain(&server)), "refused the greeting: 554 5.7.1");
}

#[test]
fn a_hostile_reply_becomes_a_harmless_receipt() {
    let server = SmtpServer::start();
    let long = "x".repeat(3000);
    server.script(Stage::Dot, Act::Reply(format!("250-\u{1b}[2Jok\u{202e}\u{0}\r\n250 {long}")));
    let SendOutcome::Accepted { reply, .. } = send(&plain(&server)) else { panic!("it is a 250") };
    assert!(reply.starts_with("[2Jok x") && reply.chars().count() == 512, "{reply}");
    server.script(Stage::Dot, Act::Reply(format!("250 {}", long.repeat(1000))));
    let outcome = send(&plain(&server));
    assert!(matches!(outcome, SendOutcome::Uncertain { .. }), "{outcome:?}");
}

#[test]
fn the_mailer_waits_on_any_thread_and_ends_on_any_thread() {
    let server = SmtpServer::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mailer = plain(&server);
        accepted(&send(&mailer));
        drop(mailer);
    });
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn settings_that_cannot_work_are_told_at_once() {
    let server = SmtpServer::offering(starttls());
    let mut settings = server.settings(MailTls::Starttls);
    settings.from_address = "sigtrail".into();
    assert!(matches!(Mailer::open(&settings, nowhere()), Err(MailError::From(_))));
    let file = server.password_file("no certificate");
    let mut settings = server.settings(MailTls::Starttls);
    if let MailTransport::Smtp { ca_file, .. } = &mut settings.transport {
        *ca_file = Some(file);
    }
    let Err(error) = Mailer::open(&settings, nowhere()) else { panic!("it is no certificate") };
    assert!(error.to_string().contains("holds no PEM certificate"), "{error}");
    if let MailTransport::Smtp { host, .. } = &mut settings.transport {
        *host = "not a host".into();
    }
    assert!(matches!(Mailer::open(&settings, nowhere()), Err(MailError::Host(_))));
    settings.transport = MailTransport::Directory;
    assert!(matches!(Mailer::open(&settings, &server.ca_file()), Err(MailError::Outbox { .. })));
}

#[test]
fn the_directory_transport_writes_one_file_for_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let settings = MailSettings {
        from_name: "sigtrail".into(),
        from_address: "sigtrail@example.com".into(),
        envelope_from: None,
        per_minute: None,
        transport: MailTransport::Directory,
    };
    let outbox = folder.path().join("outbox");
    let mailer = Mailer::open(&settings, &outbox).unwrap();
    let mut session = mailer.session();
    for _ in 0..2 {
        assert_eq!(session.send(MARIA, BODY, "7-maria.eml"), SendOutcome::Written { file: "7-maria.eml".into() });
    }
    assert_eq!(std::fs::read(outbox.join("7-maria.eml")).unwrap(), BODY);
    unfit(&session.send(MARIA, b"bare\nline", "8.eml"), "not canonical");
    assert_eq!(std::fs::read_dir(&outbox).unwrap().count(), 1);
}

#[test]
fn a_real_server_delivers_what_was_sent_in_the_clear_and_under_starttls() {
    let Some(postfix) = Postfix::start() else { return };
    let body =
        b"Subject: digest\r\nMessage-ID: <d1.abc@example.com>\r\n\r\nOne story.\r\n.\r\n..two dots\r\n\r\nEnd.\r\n";
    for tls in [MailTls::None, MailTls::Starttls] {
        let mailer = mailer_for(&postfix.settings(tls));
        let mut session = mailer.session();
        for to in [MARIA, "jon@example.com"] {
            let outcome = session.send(to, body, "");
            assert!(outcome.text().contains("queued as"), "{outcome:?}");
            accepted(&outcome);
        }
        let outcome = session.send("nobody@other.example", body, "");
        assert!(matches!(outcome, SendOutcome::Rejected { code: 550, .. }), "{outcome:?}");
    }
    let sent = String::from_utf8_lossy(body).replace("\r\n", "\n");
    for owner in [MARIA, "jon@example.com"] {
        let mailbox = postfix.wait_for(owner, 2);
        assert_eq!(mailbox.len(), 2);
        for mail in mailbox {
            let stored = String::from_utf8(mail).unwrap();
            assert!(stored.ends_with(&sent), "{stored}");
        }
    }
    let under_tls =
        postfix.mailbox(MARIA).iter().filter(|mail| String::from_utf8_lossy(mail).contains("with ESMTPS")).count();
    assert_eq!(under_tls, 1);
}
