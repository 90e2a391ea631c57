//! The mail server in trouble, seen from the queue: what waits, for how long, who is asked instead, and what an operator
//! is told. Nothing is lost, nothing is doubled, and nobody's trouble becomes another one's.

mod real;
mod sender;
mod size;

use std::{fs, time::Duration};

use jiff::SignedDuration;
use sigtrail::{
    cli,
    jobs::{self, status::status},
    mail::{Limits, Mailer},
    model::{
        acknowledgement::{Answer, Disposition, Haste, Via},
        delivery::SendOutcome,
        id::{DigestNo, OwnerId, StoryNo},
        time::Time,
    },
};

use crate::harness::{
    smtp_server::{Act, Stage},
    world::{World, rss},
};

const FRIDAY: &str = "2026-11-20T09:00:00Z";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Maria is the fallback, Ines the deputy of everybody, Jon has a component; one feed with one story for Jon.
fn one_story_for_jon() -> World {
    let world = World::at(FRIDAY)
        .owner("maria", "Maria Lopez", "deputy = \"ines\"")
        .owner("jon", "Jon Bright", "deputy = \"ines\"")
        .owner("ines", "Ines Ruiz", "")
        .component("libmarrow", "libmarrow", "jon", &["libmarrow"])
        .feed("cert", "unmatched = \"none\"");
    world.publish("cert", &rss(&[("libmarrow crash", "a1", "Long names.")]));
    world
}

/// That many owners, each with a component and a story about it. Their hours are a minute apart.
fn many(owners: usize) -> World {
    let mut world = World::at("2026-11-20T07:00:00Z").owner("maria", "Maria Lopez", "");
    for n in 0..owners {
        let digest = format!("digest = \"{} {} * * *\"", n % 60, 9 + n / 60);
        world = world.owner(&owner(n), &format!("Owner {n}"), &digest);
        let (id, term) = (format!("part-{n}"), term(n));
        world = world.component(&id, &format!("Part {n}"), &owner(n), &[&term]);
    }
    world = world.feed("cert", "unmatched = \"none\"\nbaseline = 100");
    publish(&world, owners, 1);
    world
}

fn owner(n: usize) -> String {
    format!("owner-{n}")
}

fn term(n: usize) -> String {
    format!("quill{n}gate")
}

/// One story for each owner in each of these rounds.
fn publish(world: &World, owners: usize, rounds: usize) {
    let items: Vec<(String, String)> = (1..=rounds)
        .rev()
        .flat_map(|round| (0..owners).map(move |n| (format!("{} notice {round}", term(n)), format!("r{round}-{n}"))))
        .collect();
    let items: Vec<(&str, &str, &str)> =
        items.iter().map(|(title, id)| (title.as_str(), id.as_str(), "Text.")).collect();
    world.publish("cert", &rss(&items));
}

/// The names of what wants attention, with whom it is about.
fn reasons(world: &mut World) -> Vec<(&'static str, String)> {
    let found = world.context().store.clone();
    let (config, now) = (world.context().config.clone(), world.clock.now());
    let found = found.read(|read| status(read, &config, now)).unwrap();
    found.attention.into_iter().map(|one| (one.reason.as_str(), one.subject)).collect()
}

fn text_of_reason(world: &mut World, name: &str) -> String {
    let context = world.context();
    let found = context.store.read(|read| status(read, &context.config, context.now())).unwrap();
    found.attention.into_iter().filter(|one| one.reason.as_str() == name).map(|one| one.text).collect()
}

fn has(world: &mut World, name: &str) -> bool {
    reasons(world).iter().any(|(reason, _)| *reason == name)
}

/// One turn of the mail loop.
fn mail_turn(world: &mut World) -> Vec<jobs::deliver::Delivered> {
    let context = world.context();
    jobs::mail_due(&context).unwrap().1.deliveries
}

/// Turns of the mail loop at this distance for this long.
fn turns(world: &mut World, every: SignedDuration, until: &str) {
    let until: Time = until.parse().unwrap();
    while world.clock.now() < until {
        world.wait(every);
        mail_turn(world);
    }
}

fn queued(world: &mut World) -> usize {
    world.context().store.read(|read| read.queue()).unwrap().len()
}

/// The subjects of all attempts' beginnings, as moments in minutes since the epoch.
fn attempts(world: &mut World) -> Vec<i64> {
    let records = world.records_of("delivery-started");
    let at =
        |record: &serde_json::Value| record["recorded"].as_str().unwrap().parse::<Time>().unwrap().as_second() / 60;
    records.iter().map(at).collect()
}

/// The most attempts within any hour.
fn most_in_an_hour(minutes: &[i64]) -> usize {
    minutes.iter().map(|from| minutes.iter().filter(|at| (*from..from + 60).contains(*at)).count()).max().unwrap_or(0)
}

/// Every digest went out as one message, and the messages came in the order in which the digests were composed.
fn arrived_once_and_in_order(world: &mut World) {
    let parser = mail_parser::MessageParser::default();
    let mails = world.smtp.mails();
    let sent: Vec<String> =
        mails.iter().map(|mail| parser.parse(&mail.raw).unwrap().message_id().unwrap().to_owned()).collect();
    let composed = world.records_of("digest-composed");
    let composed: Vec<String> =
        composed.iter().map(|record| record["fields"]["message_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(sent, composed);
}

#[test]
fn m_14_each_recipient_of_one_connection_has_a_state_and_a_schedule_of_its_own() {
    let mut world = many(3);
    world.smtp.always_for("owner-0@example.com", Act::reply(450, "4.2.0 greylisted"));
    world.smtp.always_for("owner-1@example.com", Act::reply(550, "5.1.1 no such user"));
    let outcomes: Vec<&str> =
        world.tick().deliveries.deliveries.iter().map(|one| one.outcome.as_ref().unwrap().as_str()).collect();
    // The refused one's story goes to the fallback at once; the others are not touched by it.
    assert_eq!(outcomes, ["deferred", "rejected", "accepted", "accepted"]);
    assert_eq!(world.smtp.connections(), 2, "one for what was due, one for what followed from it");
    assert_eq!(queued(&mut world), 1, "only what was put off waits");
    world.smtp.behave();
    world.wait(MINUTE);
    let later = mail_turn(&mut world);
    assert_eq!(later.len(), 1);
    assert_eq!(later[0].owner.as_str(), "owner-0");
    assert_eq!(
        (world.mailbox("owner-0").len(), world.mailbox("owner-1").len(), world.mailbox("owner-2").len()),
        (1, 0, 1)
    );
    assert!(world.mailbox("maria")[0].contains("quill1gate"));
    assert_eq!(queued(&mut world), 0);
}

#[test]
fn m_12_a_5xx_before_the_recipient_is_the_servers_trouble_and_every_message_waits() {
    for (stage, reply, tried) in [(Stage::Mail, "5.7.1 sender rejected", 3), (Stage::Ehlo, "5.7.1 go away", 1)] {
        let mut world = many(3);
        world.smtp.always(stage, Act::reply(553, reply));
        assert_eq!(world.tick().deliveries.deliveries.len(), tried, "{stage:?}");
        for _ in 0..4 {
            world.wait(MINUTE * 10);
            mail_turn(&mut world);
        }
        assert!(text_of_reason(&mut world, "mail-server-down").contains("5.7.1"), "{:?}", reasons(&mut world));
        assert_eq!((queued(&mut world), world.records_of("delivery-ended").len()), (3, 0), "{stage:?}");
        assert!(world.records_of("handed-over").is_empty());
        world.smtp.behave();
        world.wait(MINUTE * 10);
        mail_turn(&mut world);
        arrived_once_and_in_order(&mut world);
        assert_eq!((world.smtp.mails().len(), world.mailbox("maria").len()), (3, 0));
        assert!(!has(&mut world, "mail-server-down"));
    }
}

#[test]
fn m_15_after_five_days_without_a_relay_every_digest_arrives_once_oldest_first_over_one_connection() {
    let mut world = many(6).stack("[[route]]\nwhen = { tag = [\"part-0\"] }\nto = [\"owner-0\"]\nurgent = true");
    world.smtp.down();
    world.tick();
    for day in 0..5 {
        publish(&world, 6, day + 2);
        let until = format!("2026-11-2{}T08:00:00Z", day + 1);
        let until: Time = until.parse().unwrap();
        world.tick();
        while world.clock.now() < until {
            world.wait(MINUTE * 20);
            if world.clock.now().as_second() % 3600 == 0 {
                world.tick();
            } else {
                mail_turn(&mut world);
            }
        }
        assert!(has(&mut world, "mail-server-down"), "{:?}", reasons(&mut world));
    }
    assert!(most_in_an_hour(&attempts(&mut world)) <= 6, "the server is left alone between its tries");
    assert!(world.records_of("delivery-ended").is_empty(), "nobody's digest ended because the server was away");
    let waiting = queued(&mut world);
    assert!(waiting >= 30, "{waiting}");
    let before = world.smtp.connections();
    world.smtp.up();
    for _ in 0..7 {
        world.wait(MINUTE * 10);
        mail_turn(&mut world);
    }
    assert_eq!(queued(&mut world), 0);
    assert!(!has(&mut world, "mail-server-down"));
    arrived_once_and_in_order(&mut world);
    assert_eq!(world.smtp.connections() - before, 1, "one burst");
    assert_eq!(world.mailbox("maria").len(), 0, "nobody stood in");
}

#[test]
fn m_16_what_nobody_else_may_have_is_given_up_after_five_days_told_and_kept_for_its_owner() {
    let mut world = World::at(FRIDAY)
        .owner("maria", "Maria Lopez", "tlp = \"GREEN\"")
        .owner("jon", "Jon Bright", "deputy = \"maria\"\ntlp = \"AMBER\"")
        .component("libmarrow", "libmarrow", "jon", &["libmarrow"])
        .feed("circle", "unmatched = \"none\"\ntlp = \"AMBER\"\nowner = \"jon\"");
    world.publish("circle", &rss(&[("Secret libmarrow attack", "s1", "Do not tell.")]));
    world.smtp.always_for("jon@example.com", Act::reply(451, "4.3.0 mailbox damaged"));
    world.tick();
    turns(&mut world, MINUTE * 15, "2026-11-25T08:45:00Z");
    assert!(world.records_of("delivery-ended").is_empty(), "{:?}", world.records_of("delivery-ended"));
    assert!(has(&mut world, "delivery-waiting"));
    turns(&mut world, MINUTE * 5, "2026-11-25T09:20:00Z");
    let ended = world.records_of("delivery-ended");
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0]["fields"]["state"], "given-up");
    assert!(text_of_reason(&mut world, "delivery-given-up").contains("mailbox damaged"), "{:?}", reasons(&mut world));
    assert_eq!(world.smtp.mails().len(), 0, "nobody else may see it");
    // The story waits for its owner's hour.
    world.smtp.behave();
    turns(&mut world, MINUTE * 10, "2026-11-26T09:00:00Z");
    let jon = world.mailbox("jon");
    assert_eq!(jon.len(), 1);
    assert!(jon[0].contains("Secret libmarrow attack"), "{}", jon[0]);
}

#[test]
fn m_16_an_owner_whose_server_fails_for_a_day_is_relieved_and_an_urgent_story_after_four_hours() {
    for (urgent, hours) in [(false, 24), (true, 4)] {
        let mut world = one_story_for_jon();
        if urgent {
            world = world.stack("[[route]]\nwhen = { tag = [\"libmarrow\"] }\nto = [\"jon\"]\nurgent = true");
            world.publish("cert", &rss(&[("Other", "b1", "Nothing.")]));
            world.tick();
            world.publish("cert", &rss(&[("Other", "b1", "Nothing."), ("libmarrow crash", "a1", "Long names.")]));
            world.wait(HOUR * 3);
        }
        let start = world.clock.now();
        world.smtp.always_for("jon@example.com", Act::reply(450, "4.2.2 over quota"));
        world.tick();
        assert_eq!(queued(&mut world), 1);
        while world.mailbox("ines").is_empty() {
            world.wait(MINUTE * 10);
            mail_turn(&mut world);
            assert!(world.clock.now().duration_since(start) < HOUR * (hours + 1), "urgent {urgent}: nobody was told");
        }
        let after = world.clock.now().duration_since(start);
        assert!(after >= HOUR * hours, "urgent {urgent}: {after}");
        let ended = world.records_of("delivery-ended");
        assert_eq!((ended.len(), &ended[0]["fields"]["state"]), (1, &"withdrawn".into()));
        assert!(ended[0]["fields"]["reason"].as_str().unwrap().contains("whoever stands in"));
        assert!(text_of_reason(&mut world, "delivery-given-up").contains("over quota"), "{:?}", reasons(&mut world));
        // Jon's server works again: the old bytes stay where they are.
        world.smtp.behave();
        for _ in 0..8 {
            world.wait(MINUTE * 10);
            mail_turn(&mut world);
        }
        assert_eq!((world.mailbox("jon").len(), world.mailbox("ines").len()), (0, 1));
        let ines = &world.mailbox("ines")[0];
        assert!(ines.contains("libmarrow crash") && ines.contains("meant for Jon Bright"), "{ines}");
    }
}

#[test]
fn a_deputy_out_of_reach_as_well_passes_it_on_and_nothing_comes_back() {
    let mut world = one_story_for_jon();
    for name in ["jon", "ines", "maria"] {
        world.smtp.always_for(&format!("{name}@example.com"), Act::reply(450, "4.2.2 over quota"));
    }
    world.tick();
    turns(&mut world, MINUTE * 30, "2026-11-24T12:00:00Z");
    let composed = world.records_of("digest-composed");
    assert_eq!(composed.len(), 3, "Jon, then Ines, then Maria, each once: {composed:?}");
    assert_eq!(queued(&mut world), 1, "the last one waits, for nobody is left");
    world.smtp.behave();
    turns(&mut world, MINUTE * 30, "2026-11-24T14:00:00Z");
    assert_eq!((world.mailbox("jon").len(), world.mailbox("ines").len(), world.mailbox("maria").len()), (0, 0, 1));
}

#[test]
fn m_03_what_nobody_confirms_for_a_day_goes_to_the_deputy_and_the_log_says_that_it_may_have_arrived() {
    let mut world = one_story_for_jon();
    world.smtp.always(Stage::Dot, Act::LoseReply);
    world.tick();
    while world.records_of("delivery-ended").is_empty() {
        world.wait(MINUTE * 15);
        mail_turn(&mut world);
        assert!(world.clock.now() < "2026-11-21T10:00:00Z".parse::<Time>().unwrap());
    }
    let ended = world.records_of("delivery-ended");
    assert!(ended[0]["fields"]["reason"].as_str().unwrap().contains("may have arrived"), "{ended:?}");
    world.smtp.behave();
    turns(&mut world, MINUTE * 15, "2026-11-21T12:00:00Z");
    let jon = world.smtp.mailbox("jon@example.com");
    assert!(jon.len() > 20 && jon.iter().all(|mail| mail.raw == jon[0].raw), "{} copies", jon.len());
    let ines = world.smtp.mailbox("ines@example.com");
    assert!(!ines.is_empty() && ines.iter().all(|mail| mail.raw == ines[0].raw && mail.raw != jon[0].raw));
    assert_eq!(queued(&mut world), 0);
}

#[test]
fn an_answer_shows_that_an_unconfirmed_mail_arrived_and_nobody_stands_in() {
    let mut world = one_story_for_jon();
    world.smtp.always(Stage::Dot, Act::LoseReply);
    world.tick();
    let context = world.context();
    let answer = Answer {
        owner: OwnerId::new("jon"),
        digest: Some(DigestNo(1)),
        stories: vec![StoryNo(1)],
        disposition: Disposition::Acted,
        note: None,
        references: Vec::new(),
        corrects: None,
        happened: None,
        haste: Haste::None,
        nonce: "form-1".to_owned(),
        via: Via::Link,
    };
    jobs::acknowledge::record(&context.store, &answer, context.now()).unwrap();
    turns(&mut world, MINUTE * 15, "2026-11-21T12:00:00Z");
    assert!(world.records_of("delivery-ended").is_empty());
    assert_eq!(world.records_of("digest-composed").len(), 1);
    world.smtp.behave();
    turns(&mut world, MINUTE * 15, "2026-11-21T14:00:00Z");
    assert_eq!((queued(&mut world), world.mailbox("ines").len()), (0, 0));
}

/// The settings of a world whose mail server wants this of the line.
fn with_mail(world: World, lines: &str) -> World {
    world.replace_setting("tls = \"none\"\n", lines)
}

/// Nothing leaves, the operator is told by this reason, and as soon as it is repaired everything arrives once.
#[track_caller]
fn waits_and_tells(mut world: World, reason: &str, words: &str, repair: impl Fn(&mut World)) {
    world.tick();
    for _ in 0..3 {
        world.wait(MINUTE * 10);
        mail_turn(&mut world);
    }
    assert_eq!((world.smtp.count("MAIL"), world.smtp.mails().len(), queued(&mut world)), (0, 0, 1), "{words}");
    let text = text_of_reason(&mut world, reason);
    assert!(text.contains(words) && text.contains("1 mail waits"), "{words}: {:?}: {text}", reasons(&mut world));
    repair(&mut world);
    world.restart();
    for _ in 0..7 {
        world.wait(MINUTE * 10);
        mail_turn(&mut world);
    }
    assert_eq!((world.mailbox("jon").len(), queued(&mut world)), (1, 0), "{words}");
    assert!(!has(&mut world, reason));
}

#[test]
fn m_22_no_fault_of_tls_lets_a_byte_leave_in_the_clear_and_each_is_told() {
    let under_tls = |host: &str, with_ca: bool| {
        let world = one_story_for_jon();
        world.smtp.offer(|offers| offers.starttls = true);
        let ca = world.smtp.ca_file();
        let ca = if with_ca { format!("ca_file = {:?}\n", ca.to_str().unwrap()) } else { String::new() };
        let world = with_mail(world, &format!("tls = \"starttls\"\n{ca}"));
        world.replace_setting("host = \"127.0.0.1\"", &format!("host = \"{host}\""))
    };
    let reason = "mail-server-untrusted";
    let none_offered = under_tls("127.0.0.1", true);
    none_offered.smtp.offer(|offers| offers.starttls = false);
    waits_and_tells(none_offered, reason, "does not offer STARTTLS", |world| {
        world.smtp.offer(|offers| offers.starttls = true);
    });
    waits_and_tells(under_tls("localhost", true), reason, "no TLS with", |world| {
        world.edit("settings", "host = \"localhost\"", "host = \"127.0.0.1\"");
    });
    waits_and_tells(under_tls("127.0.0.1", false), reason, "no TLS with", |world| {
        let ca = format!("tls = \"starttls\"\nca_file = {:?}\n", world.smtp.ca_file().to_str().unwrap());
        world.edit("settings", "tls = \"starttls\"\n", &ca);
    });
    let downgraded = under_tls("127.0.0.1", true);
    downgraded.smtp.always(Stage::Starttls, Act::reply(502, "5.5.1 not today"));
    waits_and_tells(downgraded, reason, "refused STARTTLS", |world| world.smtp.behave());
    let injected = under_tls("127.0.0.1", true);
    injected.smtp.always(Stage::Starttls, Act::Inject("250 AUTH PLAIN".into()));
    waits_and_tells(injected, reason, "before the TLS handshake", |world| world.smtp.behave());
}

/// A world whose mail server wants this password, and gets what stands in the file that it gives back.
fn with_login(world: World, password: &str) -> (World, std::path::PathBuf) {
    let file = world.smtp.password_file(password);
    world.smtp.offer(|offers| offers.login = Some(("sigtrail".into(), password.into())));
    let lines = format!("tls = \"none\"\nusername = \"sigtrail\"\npassword_file = {:?}\n", file.to_str().unwrap());
    (with_mail(world, &lines), file)
}

#[test]
fn m_23_a_rotated_password_keeps_the_queue_alarms_and_locks_no_login_out() {
    const OWNERS: usize = 50;
    let (mut world, file) = with_login(many(OWNERS), "old one");
    world.tick();
    assert_eq!(world.smtp.mails().len(), OWNERS, "everybody had a first digest");
    world.smtp.offer(|offers| offers.login = Some(("sigtrail".into(), "new one".into())));
    publish(&world, OWNERS, 2);
    world.wait_until("2026-11-20T08:59:00Z");
    world.tick();
    let before = world.smtp.count("AUTH");
    let mut tries: Vec<i64> = Vec::new();
    // The digests become due one after another, a minute apart; the loop turns more often than that.
    for turn in 0..2 * 120_i64 {
        let seen = world.smtp.count("AUTH");
        mail_turn(&mut world);
        tries.extend(std::iter::repeat_n(turn / 2, world.smtp.count("AUTH") - seen));
        if turn == 100 {
            // A restart knows what was tried before.
            world.restart();
        }
        world.wait(SignedDuration::from_secs(30));
    }
    assert_eq!(tries.len(), world.smtp.count("AUTH") - before);
    assert!((8..=13).contains(&tries.len()), "{tries:?}");
    assert!(most_in_an_hour(&tries) <= 6, "{tries:?}");
    assert_eq!((queued(&mut world), world.smtp.mails().len()), (OWNERS, OWNERS));
    let text = text_of_reason(&mut world, "mail-login-refused");
    assert!(text.contains("refused the login: 535") && text.contains("50 mails wait"), "{text}");
    assert!(text.contains("password_file") && !text.contains("old one"), "{text}");
    fs::write(&file, "new one\n").unwrap();
    for _ in 0..7 {
        world.wait(MINUTE * 10);
        mail_turn(&mut world);
    }
    assert_eq!(queued(&mut world), 0);
    assert!(!has(&mut world, "mail-login-refused"));
    arrived_once_and_in_order(&mut world);
    assert_eq!(world.smtp.mails().len(), 2 * OWNERS);
}

#[test]
fn m_23_a_server_that_asks_for_a_login_only_at_mail_refuses_nobody_for_good() {
    let mut world = many(4);
    world.smtp.always(Stage::Mail, Act::reply(530, "5.7.0 authentication required"));
    world.tick();
    world.wait(MINUTE * 10);
    mail_turn(&mut world);
    assert!(world.records_of("delivery-ended").is_empty());
    assert_eq!(queued(&mut world), 4);
    assert!(text_of_reason(&mut world, "mail-login-refused").contains("530"), "{:?}", reasons(&mut world));
    world.smtp.behave();
    for _ in 0..3 {
        world.wait(MINUTE * 10);
        mail_turn(&mut world);
    }
    arrived_once_and_in_order(&mut world);
}

#[test]
fn m_17_a_dot_that_takes_nine_tenths_of_its_time_is_waited_for_and_eleven_tenths_are_uncertain() {
    assert_eq!(Limits::default().dot, Duration::from_mins(10));
    // Ten minutes are two seconds here.
    let dot = Duration::from_secs(2);
    for (tenths, expected) in [(9, "accepted"), (11, "uncertain")] {
        let mut world = one_story_for_jon();
        let mut context = world.context();
        let limits = Limits { dot, ..Limits::default() };
        context.mailer =
            Mailer::with_limits(&context.config.mail, &world.state().join("outbox"), limits).unwrap().into();
        world.smtp.script(Stage::Dot, Act::Delay(dot * tenths / 10));
        let sent = jobs::tick(&context, &mut |_| {}).unwrap().deliveries.deliveries;
        assert_eq!(sent[0].outcome.as_ref().unwrap().as_str(), expected, "{tenths}");
        let again = |world: &mut World, minutes: i32| {
            world.wait(MINUTE * minutes);
            mail_turn(world).len()
        };
        let later = (again(&mut world, 14), again(&mut world, 1));
        assert_eq!(later, if expected == "accepted" { (0, 0) } else { (0, 1) });
        let mails = world.smtp.mailbox("jon@example.com");
        assert!(mails.iter().all(|mail| mail.raw == mails[0].raw));
        assert_eq!(queued(&mut world), 0);
    }
}

#[test]
fn m_27_the_envelope_and_the_one_from_line_are_of_one_organisation() {
    for (line, sender) in
        [("", "sigtrail@example.com"), ("envelope_from = \"b@mail.example.com\"\n", "b@mail.example.com")]
    {
        let mut world = with_mail(one_story_for_jon(), &format!("tls = \"none\"\n{line}"));
        world.tick();
        let mail = world.smtp.mailbox("jon@example.com").remove(0);
        assert_eq!(mail.from, sender);
        let text = String::from_utf8_lossy(&mail.raw).into_owned();
        let head = text.split("\r\n\r\n").next().unwrap();
        let senders: Vec<&str> =
            head.lines().filter(|line| ["From:", "Sender:"].iter().any(|name| line.starts_with(name))).collect();
        assert_eq!(senders, ["From: sigtrail <sigtrail@example.com>"]);
        let id = head.lines().find(|line| line.starts_with("Message-ID:")).unwrap();
        assert!(id.ends_with("@example.com>"), "{id}");
    }
}

#[test]
fn m_28_an_address_beyond_ascii_is_a_clear_error_of_the_configuration() {
    let world = one_story_for_jon();
    world.config();
    let path = world.root.path().join("config/owners.toml");
    let owners = fs::read_to_string(&path).unwrap().replace("jon@example.com", "jön@example.com");
    fs::write(&path, owners).unwrap();
    let problems = sigtrail::config::load_at(world.root.path(), world.clock.now()).unwrap_err();
    let problem = problems.problems.iter().find(|problem| problem.message.contains("jön@example.com")).unwrap();
    assert!(problem.message.contains("invalid mail address"), "{}", problem.message);
    assert_eq!(problem.file.as_str(), "config/owners.toml");
}

#[test]
fn a_minute_takes_as_many_mails_as_the_server_is_given_and_the_others_follow_in_order() {
    let world = many(5);
    let mut world = with_mail(world, "tls = \"none\"\nper_minute = 2\n");
    assert_eq!(world.tick().deliveries.deliveries.len(), 2);
    world.wait(SignedDuration::from_secs(59));
    world.restart();
    assert_eq!(mail_turn(&mut world).len(), 0);
    world.wait(SignedDuration::from_secs(1));
    assert_eq!(mail_turn(&mut world).len(), 2);
    world.wait(MINUTE);
    assert_eq!(mail_turn(&mut world).len(), 1);
    arrived_once_and_in_order(&mut world);
}

#[test]
fn the_queue_shows_what_waits_and_why() {
    let mut world = many(2);
    world.smtp.always_for("owner-0@example.com", Act::reply(450, "4.2.0 greylisted"));
    world.tick();
    let context = world.context();
    let print = |json: bool| {
        let mut out = Vec::new();
        let code = cli::queue::print(&context.store, (context.now(), None), json, &mut out).unwrap();
        assert_eq!(code, 0);
        String::from_utf8(out).unwrap()
    };
    let text = print(false);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    for heading in ["OWNER", "DIGEST", "STATE", "SINCE", "ATTEMPTS", "NEXT", "REPLY"] {
        assert!(lines[0].contains(heading), "{text}");
    }
    assert!(lines[1].starts_with("owner-0") && lines[1].contains("deferred"), "{text}");
    assert!(lines[1].ends_with("450 4.2.0 greylisted"), "{text}");
    let row: serde_json::Value = serde_json::from_str(&print(true)).unwrap();
    assert_eq!((&row["owner"], &row["state"], &row["attempts"]), (&"owner-0".into(), &"deferred".into(), &1.into()));
    assert_eq!(row["next"], "2026-11-20T07:01:00.000Z");
    world.smtp.behave();
    world.wait(MINUTE);
    mail_turn(&mut world);
    assert_eq!(print(false), "no mail waits\n");
    assert_eq!(print(true), "");
}

#[test]
fn a_refusal_for_good_that_nobody_else_may_take_over_is_told_again_with_the_next_digest() {
    let mut world = World::at(FRIDAY)
        .owner("maria", "Maria Lopez", "")
        .component("libmarrow", "libmarrow", "maria", &["libmarrow"])
        .feed("cert", "unmatched = \"none\"");
    world.publish("cert", &rss(&[("libmarrow crash", "a1", "Long names.")]));
    world.smtp.script(Stage::Rcpt, Act::reply(550, "5.1.1 no such user"));
    let first = world.tick().deliveries.deliveries;
    assert!(matches!(first[0].outcome, Some(SendOutcome::Rejected { .. })));
    turns(&mut world, MINUTE * 30, "2026-11-23T07:30:00Z");
    assert_eq!(world.smtp.mails().len(), 0, "not before the owner's hour");
    assert!(has(&mut world, "delivery-given-up"));
    turns(&mut world, MINUTE * 30, "2026-11-23T09:00:00Z");
    assert!(world.mailbox("maria")[0].contains("libmarrow crash"));
    assert_eq!(world.smtp.mails().len(), 1);
}
