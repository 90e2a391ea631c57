//! Delivering, seen from the mailboxes: what a server may do, who has left meanwhile, what an owner may see, and when a
//! digest goes out.

use jiff::SignedDuration;
use sigtrail::{
    jobs::deliver::Delivered,
    model::{delivery::SendOutcome, time::Time},
    store::Faults,
};

use crate::harness::{
    feed_server::Answer,
    smtp_server::{Act, Mail, Stage},
    world::{World, rss},
};

const STAGES: [Stage; 5] = [Stage::Ehlo, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot];
const FRIDAY: &str = "2026-11-20T09:00:00Z";

fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

/// Three owners, each with a deputy; one feed with one story for Jon.
fn one_story_for_jon() -> World {
    let world = World::at(FRIDAY)
        .owner("maria", "Maria Lopez", "deputy = \"ines\"\ntlp = \"AMBER\"")
        .owner("jon", "Jon Bright", "deputy = \"ines\"\ntlp = \"AMBER\"")
        .owner("ines", "Ines Ruiz", "tlp = \"AMBER\"")
        .component("libmarrow", "libmarrow", "jon", &["libmarrow"])
        .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
        .feed("cert", "unmatched = \"none\"");
    world.publish("cert", &rss(&[("libmarrow crash", "a1", "Long names.")]));
    world
}

/// What the next tick delivers; exactly one delivery is due.
#[track_caller]
fn the_one(world: &mut World) -> Delivered {
    let mut deliveries = world.tick().deliveries.deliveries;
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    deliveries.remove(0)
}

#[track_caller]
fn outcome(world: &mut World) -> SendOutcome {
    the_one(world).outcome.unwrap()
}

/// What came of the first of the deliveries of the next tick; what follows from it may go out in the same tick.
#[track_caller]
fn first(world: &mut World) -> Delivered {
    world.tick().deliveries.deliveries.remove(0)
}

fn nothing_is_due(world: &mut World) -> bool {
    world.tick().deliveries.deliveries.is_empty()
}

fn message_ids(mails: &[Mail]) -> Vec<String> {
    let parser = mail_parser::MessageParser::default();
    let mut ids: Vec<String> =
        mails.iter().map(|mail| parser.parse(&mail.raw).unwrap().message_id().unwrap().to_owned()).collect();
    ids.dedup();
    ids
}

fn outcomes(world: &mut World) -> Vec<String> {
    let finished = world.records_of("delivery-finished");
    finished.iter().map(|record| record["fields"]["outcome"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn m_02_a_digest_that_is_tried_fifty_times_keeps_its_message_id_and_its_bytes() {
    // Nobody stands in for him, so it is tried for longer than a day.
    let mut world = World::at(FRIDAY)
        .owner("jon", "Jon Bright", "")
        .component("libmarrow", "libmarrow", "jon", &["libmarrow"])
        .feed("cert", "unmatched = \"none\"\nowner = \"jon\"");
    world.edit("owners", "fallback = \"maria\"", "fallback = \"jon\"");
    world.publish("cert", &rss(&[("libmarrow crash", "a1", "Long names.")]));
    for _ in 0..25 {
        world.smtp.script(Stage::Dot, Act::LoseReply);
        world.smtp.script(Stage::Dot, Act::reply(451, "4.3.0 later"));
    }
    for _ in 0..60 {
        world.tick();
        world.wait(minutes(67));
    }
    let mails = world.smtp.mailbox("jon@example.com");
    assert_eq!(mails.len(), 26, "25 were taken and nobody was told, one was taken at last");
    assert_eq!(message_ids(&mails).len(), 1);
    assert!(mails.iter().all(|mail| *mail == mails[0]));
    assert_eq!(world.records_of("digest-composed").len(), 1);
    assert_eq!(world.records_of("delivery-started").len(), 51);
    assert_eq!(outcomes(&mut world).last().unwrap(), "accepted");
}

#[test]
fn m_03_a_lost_reply_is_uncertain_and_the_same_bytes_go_out_fifteen_minutes_later() {
    let mut world = one_story_for_jon();
    world.smtp.script(Stage::Dot, Act::LoseReply);
    assert!(matches!(outcome(&mut world), SendOutcome::Uncertain { .. }));
    world.wait(minutes(14));
    world.restart();
    assert!(nothing_is_due(&mut world));
    world.wait(minutes(1));
    assert!(matches!(outcome(&mut world), SendOutcome::Accepted { .. }));
    let mails = world.smtp.mailbox("jon@example.com");
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].raw, mails[1].raw);
    assert_eq!(outcomes(&mut world), ["uncertain", "accepted"]);
}

#[test]
fn an_attempt_that_a_death_left_open_is_reported_as_uncertain_by_the_next_tick() {
    let left_open = (1..400).find_map(|point| {
        let mut world = one_story_for_jon();
        let began = world.restart_with(Faults::at(point)).is_ok();
        let died = began && world.try_tick().is_err();
        world.restart();
        let (started, finished) =
            (world.records_of("delivery-started").len(), world.records_of("delivery-finished").len());
        (died && started > finished).then_some(world)
    });
    let mut world = left_open.expect("some failure falls between the two commits of an attempt");
    let report = world.tick().deliveries;
    assert!(matches!(report.deliveries[0].outcome, Some(SendOutcome::Uncertain { .. })), "{report:?}");
    assert_eq!(report.deliveries.len(), 1, "it is tried again later, not at once");
}

#[test]
fn m_04_a_server_that_hangs_up_after_its_reply_has_taken_the_mail() {
    for (stage, act) in [(Stage::Dot, Act::ReplyThenDrop), (Stage::Quit, Act::Drop)] {
        let mut world = one_story_for_jon();
        world.smtp.script(stage, act);
        assert!(matches!(outcome(&mut world), SendOutcome::Accepted { .. }));
        world.wait(SignedDuration::from_hours(2));
        assert!(nothing_is_due(&mut world));
        assert_eq!(world.mailbox("jon").len(), 1);
    }
}

#[test]
fn m_11_a_4xx_at_any_stage_is_kept_as_the_receipt_and_tried_again_on_the_schedule() {
    for stage in STAGES {
        let mut world = one_story_for_jon();
        world.smtp.script(stage, Act::reply(451, "4.7.1 try later"));
        let first = outcome(&mut world);
        assert!(
            matches!(&first, SendOutcome::Deferred { code: 451, reply } if reply == "4.7.1 try later"),
            "{first:?}"
        );
        assert!(nothing_is_due(&mut world), "{stage:?}: not at once");
        world.wait(minutes(1));
        assert!(matches!(outcome(&mut world), SendOutcome::Accepted { .. }), "{stage:?}");
        assert_eq!(world.mailbox("jon").len(), 1);
        let finished = world.records_of("delivery-finished");
        assert_eq!(finished[0]["fields"]["code"], 451);
        let text = finished[0].to_string();
        assert!(!text.contains("try later"), "a server's words may name people: {text}");
    }
}

#[test]
fn m_12_a_5xx_from_the_recipient_on_is_final_and_whoever_stands_in_gets_the_story() {
    for stage in [Stage::Rcpt, Stage::Data, Stage::Dot] {
        let mut world = one_story_for_jon();
        world.smtp.script(stage, Act::reply(550, "5.1.1 no such user"));
        assert!(matches!(first(&mut world).outcome, Some(SendOutcome::Rejected { code: 550, .. })), "{stage:?}");
        assert_eq!(world.mailbox("ines").len(), 1, "{stage:?}: in the same turn");
        for _ in 0..4 {
            world.wait(SignedDuration::from_hours(20));
            let deliveries = world.tick().deliveries.deliveries;
            assert!(deliveries.iter().all(|one| one.owner.as_str() == "ines"), "{stage:?}: {deliveries:?}");
        }
        assert_eq!(world.mailbox("jon").len(), 0);
        let mails = world.mailbox("ines");
        assert_eq!(mails.len(), 1, "{stage:?}: {mails:?}");
        assert!(mails[0].contains("libmarrow crash") && mails[0].contains("meant for Jon Bright"), "{}", mails[0]);
        let ended = world.records_of("delivery-ended");
        assert_eq!(ended[0]["fields"]["state"], "rejected");
    }
}

#[test]
fn m_13_a_greylisted_digest_arrives_at_the_first_try_after_the_wait() {
    let mut world = one_story_for_jon();
    world.smtp.always(Stage::Rcpt, Act::reply(450, "4.2.0 greylisted"));
    for minute in 0..15 {
        world.tick();
        assert_eq!(world.mailbox("jon").len(), 0, "minute {minute}");
        world.wait(minutes(1));
    }
    world.smtp.behave();
    let mut waited = 15;
    while world.tick().deliveries.deliveries.is_empty() {
        world.wait(minutes(1));
        waited += 1;
    }
    assert_eq!(world.mailbox("jon").len(), 1);
    assert!(waited <= 30, "{waited} minutes");
}

#[test]
fn an_unreachable_server_loses_nothing_and_is_asked_again_at_a_ten_minute_mark() {
    let mut world = one_story_for_jon();
    world.wait(minutes(3));
    world.smtp.down();
    assert!(matches!(outcome(&mut world), SendOutcome::Unreachable { .. }));
    world.smtp.up();
    world.wait(minutes(6));
    assert!(nothing_is_due(&mut world), "09:09");
    world.wait(minutes(1));
    assert!(matches!(outcome(&mut world), SendOutcome::Accepted { .. }), "09:10");
}

#[test]
fn m_30_when_an_owner_has_left_before_the_mail_did_the_deputy_gets_a_digest_of_their_own() {
    let mut world = one_story_for_jon();
    world.edit("owners", "id = \"jon\"", "id = \"jon\"\nuntil = 2026-11-21");
    world.smtp.script(Stage::Rcpt, Act::reply(451, "4.7.1 try later"));
    outcome(&mut world);
    world.wait_until("2026-11-22T09:00:00Z");
    let withdrawn = first(&mut world);
    assert_eq!((withdrawn.owner.as_str(), withdrawn.outcome), ("jon", None));
    assert_eq!(world.mailbox("ines").len(), 1, "in the same turn");
    world.wait_until("2026-11-23T09:00:00Z");
    world.tick();
    assert_eq!(world.mailbox("jon").len(), 0);
    let mails = world.mailbox("ines");
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].contains("libmarrow crash"), "{}", mails[0]);
    assert!(mails[0].contains("meant for Jon Bright"), "it says why it came to her: {}", mails[0]);
    let ended = world.records_of("delivery-ended");
    assert_eq!(ended[0]["fields"]["state"], "withdrawn");
    assert!(ended[0]["fields"]["reason"].as_str().unwrap().contains("not an owner any more"));
    let composed = world.records_of("digest-composed");
    assert_eq!(composed.len(), 2, "new bytes with new links, not the old ones to somebody else");
    assert_ne!(composed[0]["fields"]["message_id"], composed[1]["fields"]["message_id"]);
}

#[test]
fn m_30_what_an_owner_who_was_removed_should_have_read_falls_to_the_fallback() {
    let mut world = one_story_for_jon();
    world.smtp.script(Stage::Rcpt, Act::reply(451, "4.7.1 try later"));
    outcome(&mut world);
    world.edit(
        "owners",
        "id = \"jon\"\nname = \"Jon Bright\"\naddress = \"jon@example.com\"",
        "id = \"pat\"\nname = \"Pat\"\naddress = \"pat@example.com\"",
    );
    world.edit("stack", "owner = \"jon\"", "owner = \"pat\"");
    world.wait(minutes(2));
    world.restart();
    assert_eq!(first(&mut world).outcome, None);
    world.wait_until("2026-11-23T09:00:00Z");
    world.tick();
    assert_eq!((world.mailbox("jon").len(), world.mailbox("maria").len()), (0, 1));
}

#[test]
fn m_30_the_lines_of_a_withdrawn_digest_are_told_to_somebody_else() {
    let mut world = one_story_for_jon().feed("news", "owner = \"jon\"");
    world.publish("news", &rss(&[("Advice on leavers", "n1", "Close accounts.")]));
    world.edit("owners", "id = \"jon\"", "id = \"jon\"\nuntil = 2026-11-21");
    world.smtp.script(Stage::Rcpt, Act::reply(451, "4.7.1 try later"));
    outcome(&mut world);
    world.wait_until("2026-11-22T09:00:00Z");
    world.tick();
    world.wait_until("2026-11-23T09:00:00Z");
    world.tick();
    let mails = world.mailbox("ines");
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert!(mails[0].contains("libmarrow crash") && mails[1].contains("Advice on leavers"), "{mails:?}");
}

#[test]
fn an_address_that_changed_before_the_mail_left_gets_a_digest_composed_for_it() {
    let mut world = one_story_for_jon();
    world.smtp.script(Stage::Rcpt, Act::reply(451, "4.7.1 try later"));
    outcome(&mut world);
    world.edit("owners", "jon@example.com", "jon.bright@example.com");
    world.wait(minutes(2));
    world.restart();
    assert_eq!(first(&mut world).outcome, None);
    world.wait_until("2026-11-23T09:00:00Z");
    world.tick();
    assert_eq!((world.mailbox("jon").len(), world.mailbox("jon.bright").len()), (0, 1));
    assert!(world.mailbox("jon.bright")[0].contains("libmarrow crash"));
}

#[test]
fn tlp_an_owner_below_the_label_is_told_to_ask_and_the_deputy_gets_the_story() {
    let mut world = one_story_for_jon().feed("circle", "tlp = \"AMBER\"\nunmatched = \"none\"");
    world.edit("owners", "name = \"Jon Bright\"", "name = \"Jon Bright\" # low");
    world.edit(
        "owners",
        "deputy = \"ines\"\ntlp = \"AMBER\"\n[[owner]]\nid = \"ines\"",
        "deputy = \"ines\"\ntlp = \"GREEN\"\n[[owner]]\nid = \"ines\"",
    );
    world.publish("circle", &rss(&[("Secret libmarrow attack", "s1", "Do not tell.")]));
    world.tick();
    let (jon, ines) = (world.mailbox("jon"), world.mailbox("ines"));
    assert_eq!((jon.len(), ines.len()), (1, 1));
    assert!(jon[0].contains("libmarrow crash"), "{}", jon[0]);
    assert!(!jon[0].contains("Secret") && !jon[0].contains("Do not tell"), "{}", jon[0]);
    assert!(
        jon[0].contains("AMBER") && jon[0].contains("Ines Ruiz"),
        "a restricted line names whom to ask: {}",
        jon[0]
    );
    assert!(ines[0].contains("Secret libmarrow attack"), "{}", ines[0]);
}

/// Jon's first mail is put off, and meanwhile his ceiling becomes GREEN.
fn lower_the_ceiling_before_the_mail_leaves(world: &mut World) {
    world.smtp.script(Stage::Rcpt, Act::reply(451, "4.7.1 try later"));
    outcome(world);
    world.edit(
        "owners",
        "deputy = \"ines\"\ntlp = \"AMBER\"\n[[owner]]\nid = \"ines\"",
        "deputy = \"ines\"\ntlp = \"GREEN\"\n[[owner]]\nid = \"ines\"",
    );
    world.wait(minutes(2));
    world.restart();
}

#[test]
fn tlp_a_ceiling_that_was_lowered_before_the_mail_left_withdraws_it() {
    let mut world = one_story_for_jon().feed("circle", "tlp = \"AMBER\"\nunmatched = \"none\"");
    world.publish("circle", &rss(&[("Secret libmarrow attack", "s1", "Do not tell.")]));
    lower_the_ceiling_before_the_mail_leaves(&mut world);
    let withdrawn = first(&mut world);
    assert_eq!(withdrawn.outcome, None);
    world.wait_until("2026-11-23T09:00:00Z");
    world.tick();
    let (jon, ines) = (world.mailbox("jon"), world.mailbox("ines"));
    assert_eq!((jon.len(), ines.len()), (1, 1));
    assert!(jon[0].contains("libmarrow crash") && !jon[0].contains("Secret"), "{}", jon[0]);
    assert!(ines[0].contains("Secret libmarrow attack") && !ines[0].contains("libmarrow crash"), "{}", ines[0]);
}

#[test]
fn tlp_a_listed_line_above_a_lowered_ceiling_does_not_leave_either() {
    let mut world = one_story_for_jon().feed("circle", "tlp = \"AMBER\"\nowner = \"jon\"");
    world.publish("circle", &rss(&[("Secret meeting", "s1", "Do not tell.")]));
    lower_the_ceiling_before_the_mail_leaves(&mut world);
    world.tick();
    world.wait_until("2026-11-23T09:00:00Z");
    world.tick();
    let jon = world.mailbox("jon");
    assert_eq!(jon.len(), 1, "{jon:?}");
    assert!(jon[0].contains("libmarrow crash") && !jon[0].contains("Secret meeting"), "{}", jon[0]);
}

#[test]
fn what_is_urgent_by_rule_does_not_wait_for_the_hour() {
    let mut world = one_story_for_jon()
        .feed("kev", "unmatched = \"none\"")
        .stack("[[route]]\nwhen = { feed = [\"kev\"], tag = [\"libmarrow\"] }\nto = [\"maria\"]\nurgent = true");
    world.publish("kev", &rss(&[("libmarrow of old", "k1", "Old.")]));
    world.tick();
    let before = (world.mailbox("maria").len(), world.mailbox("jon").len());
    assert_eq!(before, (1, 1));
    world.publish("kev", &rss(&[("libmarrow of old", "k1", "Old."), ("libmarrow under attack", "k2", "Now.")]));
    world.publish("cert", &rss(&[("libmarrow crash", "a1", "Long names."), ("Quillgate notes", "a2", "Calm.")]));
    world.wait_until("2026-11-20T14:00:00Z");
    world.tick();
    let (maria, jon) = (world.mailbox("maria"), world.mailbox("jon"));
    assert_eq!((maria.len(), jon.len()), (2, 1), "only who is meant by the rule is told at once");
    assert!(maria[1].contains("libmarrow under attack"), "{}", maria[1]);
    assert!(!maria[1].contains("Quillgate notes"), "what can wait waits: {}", maria[1]);
    assert_eq!(world.records_of("digest-composed")[2]["fields"]["kind"], "urgent");
    world.wait_until("2026-11-23T08:30:00Z");
    world.tick();
    let (maria, jon) = (world.mailbox("maria"), world.mailbox("jon"));
    assert_eq!((maria.len(), jon.len()), (3, 2));
    assert!(maria[2].contains("Quillgate notes") && !maria[2].contains("under attack"), "{}", maria[2]);
    assert!(jon[1].contains("libmarrow under attack"), "{}", jon[1]);
}

#[test]
fn missed_hours_collapse_into_one_digest() {
    let mut world = one_story_for_jon();
    world.tick();
    world.publish("cert", &rss(&[("libmarrow crash", "a1", "Long names."), ("libmarrow again", "a2", "Short names.")]));
    world.wait_until("2026-11-20T12:00:00Z");
    world.tick();
    world.wait_until("2026-11-27T15:20:00Z");
    world.restart();
    world.tick();
    world.tick();
    assert_eq!(world.mailbox("jon").len(), 2, "a week was missed, and one digest makes up for it");
    let items = [("libmarrow crash", "a1", "Long names."), ("libmarrow anew", "a3", "No names.")];
    world.publish("cert", &rss(&items));
    world.wait_until("2026-11-29T15:00:00Z");
    world.tick();
    assert_eq!(world.mailbox("jon").len(), 2, "and then the usual hours");
    world.wait_until("2026-11-30T08:00:00Z");
    world.tick();
    assert_eq!(world.mailbox("jon").len(), 3);
}

#[test]
fn the_first_digest_goes_out_as_soon_as_every_due_feed_has_answered_or_failed() {
    let mut world = one_story_for_jon().feed("down", "").feed("slow", "");
    world.answer("down", Answer::status(503));
    let slow = Answer::ok(rss(&[("libmarrow elsewhere", "b1", "More.")]));
    world.answer("slow", slow.delay(std::time::Duration::from_millis(400)));
    world.wait_until("2026-11-21T03:00:00Z");
    world.tick();
    let mails = world.mailbox("jon");
    assert_eq!(mails.len(), 1, "on a Saturday at three, because it is the first");
    assert!(mails[0].contains("libmarrow crash") && mails[0].contains("libmarrow elsewhere"), "{}", mails[0]);
}

#[test]
fn an_empty_day_brings_no_mail() {
    let mut world = one_story_for_jon();
    world.tick();
    let before = world.smtp.mails().len();
    for day in ["23", "24", "25"] {
        world.wait_until(&format!("2026-11-{day}T08:30:00Z"));
        assert_eq!(world.tick().digests.digests.len(), 0);
    }
    assert_eq!(world.smtp.mails().len(), before);
}

#[test]
fn a_digest_at_eight_in_london_goes_out_at_eight_on_both_sides_of_the_change_of_the_clocks() {
    let mut world = World::at("2027-03-26T06:00:00Z")
        .owner("maria", "Maria Lopez", "digest = \"0 8 * * *\"")
        .owner("night", "Nora Night", "digest = \"30 1 * * *\"")
        .component("libmarrow", "libmarrow", "maria", &["libmarrow"])
        .component("quillgate", "Quillgate", "night", &["quillgate"])
        .feed("cert", "unmatched = \"none\"");
    let mut items: Vec<(String, String, String)> = Vec::new();
    let mut publish = |world: &World, n: usize| {
        items.push((format!("libmarrow and Quillgate {n}"), format!("a{n}"), "Text.".to_owned()));
        let borrowed: Vec<_> = items.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        world.publish("cert", &rss(&borrowed));
    };
    publish(&world, 0);
    world.tick();
    let mut sent: Vec<(String, Time)> = Vec::new();
    for n in 1..=8 {
        // Something new every nine hours, a look every half hour.
        publish(&world, n);
        for _ in 0..18 {
            world.wait(minutes(30));
            let now = world.clock.now();
            sent.extend(world.tick().digests.digests.into_iter().map(|digest| (digest.owner.to_string(), now)));
        }
    }
    let of = |owner: &str| -> Vec<String> {
        sent.iter().filter(|(to, _)| to == owner).map(|(_, at)| at.to_string()).collect()
    };
    assert_eq!(of("maria"), ["2027-03-26T08:00:00Z", "2027-03-27T08:00:00Z", "2027-03-28T07:00:00Z"]);
    // 01:30 does not exist on the 28th; that day has its digest all the same, once.
    let night = of("night");
    assert_eq!(night.len(), 3, "{night:?}");
    assert_eq!(night[0], "2027-03-27T01:30:00Z");
    assert!(night[1].starts_with("2027-03-28T0"), "{night:?}");
    assert_eq!(night[2], "2027-03-29T00:30:00Z");
}

#[test]
fn without_a_mail_server_digests_are_files_in_the_outbox_and_the_receipt_says_written() {
    let world = one_story_for_jon();
    let smtp = format!("transport = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"", world.smtp.port());
    let mut world = world.replace_setting(&smtp, "transport = \"directory\"");
    let SendOutcome::Written { file } = outcome(&mut world) else { panic!("not written") };
    let raw = std::fs::read(world.state().join("outbox").join(&file)).unwrap();
    assert!(
        std::path::Path::new(&file).extension().is_some_and(|end| end == "eml") && file.starts_with("jon"),
        "{file}"
    );
    let message = mail_parser::MessageParser::default().parse(&raw).unwrap();
    assert!(message.body_text(0).unwrap().contains("libmarrow crash"));
    assert_eq!(outcomes(&mut world), ["written"]);
    assert_eq!(world.smtp.connections(), 0);
    let stories = world.stories();
    let assignments = world.context().store.read(|read| read.assignments(stories[0].no)).unwrap();
    assert!(assignments[0].digest.is_some());
}
