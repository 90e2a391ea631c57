//! What comes back, seen from both ends: reports of servers, forgeries, bombs and the answers of programs in the mailbox;
//! deliveries, stories and records here.

mod imap;
mod real;

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use sigtrail::{
    hex::hex,
    jobs::{
        inbound::{InboundReport, look_due},
        status::{self, Reason},
    },
    model::delivery::DeliveryState,
    store::Faults,
};

use crate::harness::{
    page::{Page, nonce_of},
    returned::{Maildir, bomb, sample},
    smtp_server::{Act, Mail, Stage},
    world::{World, rss, text_of},
};

const FRIDAY: &str = "2026-11-20T09:00:00Z";

fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

/// Jon has libmarrow; his deputy is Ines, after whom comes Maria, the fallback, whose deputy is Jon. Reports come to a
/// maildir.
fn office(maildir: &Path, more: &str) -> World {
    World::at(FRIDAY)
        .owner("maria", "Maria Lopez", "deputy = \"jon\"\ntlp = \"AMBER\"")
        .owner("jon", "Jon Bright", "deputy = \"ines\"\ntlp = \"AMBER\"")
        .owner("ines", "Ines Ruiz", "tlp = \"AMBER\"")
        .component("libmarrow", "libmarrow", "jon", &["libmarrow"])
        .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
        .settings(&format!("[inbound]\nmaildir = \"{}\"\n{more}", maildir.display()))
        .feed("cert", "")
}

/// An office in which digests were delivered: two stories to Jon, one to Maria.
fn delivered(maildir: &Maildir) -> World {
    let mut world = office(maildir.path(), "");
    world.publish(
        "cert",
        &rss(&[
            ("libmarrow crash", "a1", "Long names."),
            ("libmarrow leak", "a2", "Short names."),
            ("Quillgate: a hole", "a3", "Crafted cookies."),
        ]),
    );
    world.tick();
    assert_eq!((world.mailbox("jon").len(), world.mailbox("maria").len()), (1, 1));
    world
}

fn message_id(mail: &Mail) -> String {
    mail_parser::MessageParser::default().parse(&mail.raw).unwrap().message_id().unwrap().to_owned()
}

/// The Message-ID of an owner's newest digest.
fn newest_id(world: &World, owner: &str) -> String {
    message_id(world.smtp.mailbox(&format!("{owner}@example.com")).last().unwrap())
}

/// The Message-ID of an owner's first mail that says this.
fn first_id(world: &World, owner: &str, words: &str) -> String {
    let mails = world.smtp.mailbox(&format!("{owner}@example.com"));
    mails.iter().find(|mail| text_of(mail).contains(words)).map(message_id).unwrap()
}

/// Looks into the mailbox when it is time again.
fn look(world: &mut World) -> InboundReport {
    world.wait(SignedDuration::from_mins(5));
    let report = look_due(&world.context()).unwrap();
    assert_eq!(report.trouble, None);
    report
}

/// How many deliveries of each state there are.
fn states(world: &mut World) -> Vec<&'static str> {
    let context = world.context();
    let states = context.store.read(|read| {
        let digests = read.digests(1000)?;
        digests.into_iter().map(|digest| Ok(read.delivery_of(digest)?.state.as_str())).collect::<Result<Vec<_>, _>>()
    });
    let mut states = states.unwrap();
    states.sort_unstable();
    states
}

/// Who has the stories with this in their title.
fn holders(world: &mut World, title: &str) -> Vec<String> {
    let stories = world.stories();
    let context = world.context();
    let found = stories.iter().filter(|story| story.title().is_some_and(|known| known.contains(title)));
    let mut owners: Vec<String> = found
        .flat_map(|story| context.store.read(|read| read.assignments(story.no)).unwrap())
        .map(|assignment| assignment.owner.to_string())
        .collect();
    owners.sort();
    owners
}

fn reasons(world: &mut World) -> Vec<(Reason, String)> {
    let context = world.context();
    let now = context.now();
    let status = context.store.read(|read| status::status(read, &context.config, now)).unwrap();
    status.attention.into_iter().map(|one| (one.reason, one.subject)).collect()
}

/// The program itself.
#[expect(clippy::disallowed_methods, reason = "the program does not start others; its tests start it")]
fn sigtrail(root: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigtrail"));
    for variable in ["STATE_DIRECTORY", "SIGTRAIL_ROOT", "SIGTRAIL_LOG"] {
        command.env_remove(variable);
    }
    command.arg("--root").arg(root).args(words).current_dir(root).output().unwrap()
}

/// Lets the owners' hour come, on a working day, and sends what is due then.
fn next_morning(world: &mut World) {
    for _ in 0..3 {
        world.wait(hours(24));
        world.tick();
    }
}

#[test]
fn m_24_reports_of_five_kinds_of_servers_move_exactly_the_delivery_that_they_name() {
    for name in ["postfix", "exim", "exchange", "envelope-id-only", "german"] {
        let maildir = Maildir::make();
        let mut world = delivered(&maildir);
        assert_eq!(states(&mut world), ["accepted", "accepted"]);
        let text = sample(name, &newest_id(&world, "jon"), "jon@example.com");
        maildir.deliver(&text);
        let report = look(&mut world);
        assert_eq!(report.reports.len(), 1, "{name}: {report:?}");
        assert_eq!(states(&mut world), ["accepted", "bounced"], "{name}");
        assert_eq!(holders(&mut world, "libmarrow"), ["ines", "ines"], "{name}");
        assert_eq!(holders(&mut world, "Quillgate"), ["maria"], "{name}");
        let records = world.records_of("bounced");
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["fields"]["message"], hex(&Sha256::digest(&text)));
        assert_eq!(records[0]["fields"]["bytes"], text.len());
        assert_eq!(records[0]["fields"]["answered"], false);
        let words = records[0].to_string();
        assert!(
            !words.contains("example.com") && !words.contains("User unknown"),
            "a server's words may name people: {words}"
        );
        assert_eq!(reasons(&mut world), [(Reason::DeliveryBounced, "jon".to_owned())]);
        next_morning(&mut world);
        let mails = world.mailbox("ines").concat();
        assert!(mails.contains("libmarrow crash") && mails.contains("libmarrow leak"), "{name}: {mails}");
        assert!(mails.contains("meant for Jon Bright"), "{mails}");
    }
}

#[test]
fn m_24_the_same_report_again_by_any_way_changes_nothing() {
    let maildir = Maildir::make();
    let mut world = delivered(&maildir);
    let text = sample("postfix", &newest_id(&world, "jon"), "jon@example.com");
    maildir.deliver(&text);
    look(&mut world);
    let before = world.records().len();
    maildir.deliver(&text);
    maildir.deliver(format!("Received: by another way\n{text}"));
    maildir.deliver(sample("exim", &newest_id(&world, "jon"), "jon@example.com"));
    let report = look(&mut world);
    assert_eq!((report.messages, report.reports.len()), (3, 3));
    assert!(report.reports.iter().all(|one| !one.has_moved));
    assert_eq!(world.records().len(), before);
    assert_eq!(holders(&mut world, "libmarrow"), ["ines", "ines"]);
}

#[test]
fn m_24_forged_reports_move_nothing() {
    let maildir = Maildir::make();
    let mut world = delivered(&maildir);
    let (jon, maria) = (newest_id(&world, "jon"), newest_id(&world, "maria"));
    let before = (world.records().len(), states(&mut world));
    let local = jon.split('@').next().unwrap();
    let unknown = "0123456789abcdef0123456789abcdef@example.com";
    for name in ["postfix", "exim", "exchange", "envelope-id-only", "german"] {
        maildir.deliver(sample(name, unknown, "jon@example.com"));
        maildir.deliver(sample(name, &jon, "maria@example.com"));
        maildir.deliver(sample(name, &maria, "jon@example.com"));
        maildir.deliver(sample(name, "", "jon@example.com"));
    }
    maildir.deliver(sample("exim", &format!("{local}@example.net"), "jon@example.com"));
    maildir.deliver(sample("exim", &format!("{local}@example.com.example.net"), "jon@example.com"));
    maildir.deliver(sample(
        "exim",
        &format!("{}@example.com", local.trim_end_matches(local.chars().last().unwrap())),
        "jon@example.com",
    ));
    maildir.deliver(sample("exim", "%@example.com", "jon@example.com"));
    maildir.deliver(sample("envelope-id-only", &local.to_uppercase(), "jon@example.com"));
    maildir.deliver(sample("postfix", &jon, "jon@example.com").replace(&format!("<{jon}>"), &format!("<{maria}>")));
    let report = look(&mut world);
    assert_eq!((report.messages, report.strange, report.reports.len()), (26, 26, 0), "{report:?}");
    assert_eq!((world.records().len(), states(&mut world)), before);
    assert_eq!(reasons(&mut world), []);
}

#[test]
fn m_24_a_report_about_what_no_server_took_moves_nothing() {
    let maildir = Maildir::make();
    let mut world = office(maildir.path(), "");
    world.publish("cert", &rss(&[("libmarrow crash", "a1", "Long names.")]));
    world.smtp.down();
    world.tick();
    let context = world.context();
    let bytes = context.store.read(|read| Ok(read.delivery(sigtrail::model::id::DeliveryNo(1))?.bytes)).unwrap();
    let id = mail_parser::MessageParser::default().parse(&bytes).unwrap().message_id().unwrap().to_owned();
    maildir.deliver(sample("postfix", &id, "jon@example.com"));
    assert_eq!(look(&mut world).strange, 1);
    assert_eq!(states(&mut world), ["queued"]);
}

#[test]
fn m_24_a_bomb_of_ten_megabytes_is_read_in_part_and_says_what_its_beginning_says() {
    let maildir = Maildir::make();
    let mut world = delivered(&maildir);
    let [recipients, behind] = bomb(&newest_id(&world, "jon"), "jon@example.com");
    assert!(recipients.len() > 10_000_000 && behind.len() > 10_000_000);
    maildir.deliver(&recipients);
    let report = look(&mut world);
    assert_eq!((report.strange, report.reports.len()), (1, 0), "ours is not among the first hundred recipients");
    maildir.deliver(&behind);
    assert_eq!(look(&mut world).reports.len(), 1);
    assert_eq!(world.records_of("bounced")[0]["fields"]["bytes"], 512 * 1024);
    assert_eq!(states(&mut world), ["accepted", "bounced"]);
}

#[test]
fn m_24_delays_and_deliveries_are_noted_and_words_alone_are_not() {
    let maildir = Maildir::make();
    let mut world = delivered(&maildir);
    let id = newest_id(&world, "jon");
    for name in ["qmail", "delayed", "delivered", "delayed"] {
        maildir.deliver(sample(name, &id, "jon@example.com"));
    }
    let report = look(&mut world);
    assert_eq!((report.reports.len(), report.others), (3, 1));
    let noted: Vec<serde_json::Value> =
        world.records_of("delivery-reported").iter().map(|record| record["fields"]["action"].clone()).collect();
    assert_eq!(noted, ["delayed", "delivered"]);
    assert_eq!(states(&mut world), ["accepted", "accepted"]);
    assert_eq!(holders(&mut world, "libmarrow"), ["jon", "jon"]);
    assert!(world.records_of("acknowledged").is_empty());
}

#[test]
fn m_26_vacation_replies_and_notifications_of_reading_are_counted_and_are_never_an_answer() {
    let maildir = Maildir::make();
    let mut world = delivered(&maildir);
    let before = world.records().len();
    for name in ["vacation", "out-of-office", "read-notification", "letter"] {
        maildir.deliver(sample(name, &newest_id(&world, "jon"), "jon@example.com"));
    }
    let report = look(&mut world);
    assert_eq!((report.automatic, report.others, report.reports.len()), (3, 1, 0));
    assert_eq!(world.records().len(), before, "not even a record");
    let name = world.context().config.inbound.clone().unwrap().source.name();
    let row = world.context().store.read(|read| read.inbound(&name)).unwrap().unwrap();
    assert_eq!((row.messages, row.automatic, row.others), (4, 3, 1));
    for story in world.stories() {
        assert!(world.context().store.read(|read| read.answers(story.no)).unwrap().is_empty());
    }
}

#[test]
fn what_its_owner_answered_stays_with_the_owner_when_a_report_comes_after_it() {
    let maildir = Maildir::make();
    let mut world = delivered(&maildir);
    let text = world.mailbox("jon").remove(0);
    let path =
        text.lines().find_map(|line| line.trim().strip_prefix("https://sigtrail.example.com/a/")).unwrap().to_owned();
    let page = Page::open(&mut world);
    let path = format!("/a/{}/1", path.split('/').next().unwrap());
    let nonce = nonce_of(&page.get(&path).body);
    let answered = page.post(&path, &format!("disposition=watching&note=&reference=&nonce={nonce}"));
    assert!(answered.status < 400, "{}", answered.body);
    maildir.deliver(sample("postfix", &newest_id(&world, "jon"), "jon@example.com"));
    let report = look(&mut world);
    assert!(!report.reports[0].has_moved);
    assert_eq!(world.records_of("bounced")[0]["fields"]["answered"], true);
    assert_eq!(holders(&mut world, "libmarrow"), ["jon", "jon"], "the digest was plainly read");
    assert_eq!(states(&mut world), ["accepted", "accepted"]);
    assert_eq!(reasons(&mut world), []);
}

#[test]
fn of_a_digest_that_came_back_only_those_stories_move_that_the_owner_has_not_answered_by_the_shell() {
    let maildir = Maildir::make();
    let mut world = delivered(&maildir);
    let leak =
        world.stories().iter().find(|story| story.title().is_some_and(|title| title.contains("leak"))).unwrap().no;
    let root = world.root.path().to_owned();
    let said = sigtrail(&root, &["ack", &leak.to_string(), "--owner", "jon", "--as", "acted"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    maildir.deliver(sample("postfix", &newest_id(&world, "jon"), "jon@example.com"));
    assert!(look(&mut world).reports[0].has_moved);
    assert_eq!(holders(&mut world, "libmarrow leak"), ["jon"]);
    assert_eq!(holders(&mut world, "libmarrow crash"), ["ines"]);
}

#[test]
fn a_digest_of_whoever_stands_in_that_comes_back_too_goes_on_and_never_in_a_circle() {
    let maildir = Maildir::make();
    let mut world = delivered(&maildir);
    for (owner, next) in [("jon", "ines"), ("ines", "maria")] {
        maildir.deliver(sample(
            "postfix",
            &first_id(&world, owner, "libmarrow crash"),
            &format!("{owner}@example.com"),
        ));
        assert!(look(&mut world).reports[0].has_moved, "{owner}");
        assert_eq!(holders(&mut world, "libmarrow"), [next, next]);
        next_morning(&mut world);
        assert!(world.mailbox(next).concat().contains("libmarrow crash"), "{next}");
    }
    maildir.deliver(sample("postfix", &first_id(&world, "maria", "libmarrow crash"), "maria@example.com"));
    assert!(look(&mut world).reports[0].has_moved);
    assert_eq!(holders(&mut world, "libmarrow"), ["maria", "maria"], "nobody is left, and nobody gets it back");
    assert!(reasons(&mut world).iter().any(|(reason, who)| *reason == Reason::DeliveryBounced && who == "maria"));
}

#[test]
fn an_owner_is_named_until_a_later_mail_has_stayed_where_it_went() {
    let maildir = Maildir::make();
    let mut world = delivered(&maildir);
    let is_named = |world: &mut World| reasons(world).contains(&(Reason::DeliveryBounced, "jon".to_owned()));
    maildir.deliver(sample("postfix", &newest_id(&world, "jon"), "jon@example.com"));
    look(&mut world);
    world.wait_until("2026-11-23T07:55:00Z");
    assert!(is_named(&mut world));
    world.publish("cert", &rss(&[("libmarrow again", "a9", "Longer names.")]));
    world.tick();
    world.wait_until("2026-11-23T08:00:00Z");
    world.tick();
    assert!(world.mailbox("jon").last().unwrap().contains("libmarrow again"));
    assert!(is_named(&mut world), "it may come back yet");
    world.wait(hours(2));
    assert!(!is_named(&mut world));
}

#[test]
fn a_report_about_an_address_that_was_corrected_meanwhile_sends_the_stories_to_the_right_one() {
    let maildir = Maildir::make();
    let mut world = delivered(&maildir);
    let text = sample("postfix", &newest_id(&world, "jon"), "jon@example.com");
    world.edit("owners", "jon@example.com", "jon.bright@example.com");
    world.restart();
    maildir.deliver(text);
    assert!(look(&mut world).reports[0].has_moved);
    assert_eq!(holders(&mut world, "libmarrow"), ["jon", "jon"]);
    next_morning(&mut world);
    assert!(world.mailbox("jon.bright").concat().contains("libmarrow crash"));
}

#[test]
fn a_line_of_a_digest_that_came_back_is_told_again() {
    let maildir = Maildir::make();
    let mut world = office(maildir.path(), "");
    world.publish("cert", &rss(&[("Nothing of ours", "b1", "Plain."), ("Quillgate: a hole", "a3", "Cookies.")]));
    world.tick();
    assert!(world.mailbox("maria")[0].contains("Nothing of ours"));
    maildir.deliver(sample("postfix", &newest_id(&world, "maria"), "maria@example.com"));
    assert!(look(&mut world).reports[0].has_moved);
    next_morning(&mut world);
    assert!(world.mailbox("maria")[1..].concat().contains("Nothing of ours"));
}

#[test]
fn what_was_read_lies_in_cur_as_seen_and_nothing_is_removed_or_written_over() {
    let maildir = Maildir::make();
    let mut world = delivered(&maildir);
    let report = sample("postfix", &newest_id(&world, "jon"), "jon@example.com");
    let name = maildir.deliver(&report);
    fs::write(maildir.file("cur", &format!("{name}:2,S")), "another one of this name").unwrap();
    fs::write(maildir.file("cur", "1.old:2,F"), "Subject: moved by a mail program\n\n").unwrap();
    fs::write(maildir.file("cur", "2.seen:2,S"), "Subject: seen\n\n").unwrap();
    fs::write(maildir.file("new", ".hidden"), "x").unwrap();
    let secret = world.root.path().join("secret");
    fs::write(&secret, sample("exim", &newest_id(&world, "maria"), "maria@example.com")).unwrap();
    symlink(&secret, maildir.file("new", "link")).unwrap();
    let looked = look(&mut world);
    assert_eq!((looked.messages, looked.reports.len()), (2, 1));
    assert_eq!(maildir.names("new"), [".hidden", "link"]);
    assert_eq!(maildir.names("cur"), ["1.old:2,FS", &format!("{name},n=1:2,S"), &format!("{name}:2,S"), "2.seen:2,S"]);
    assert_eq!(fs::read_to_string(maildir.file("cur", &format!("{name},n=1:2,S"))).unwrap(), report);
    assert_eq!(look(&mut world).messages, 0);
}

#[test]
fn a_mailbox_is_looked_into_as_often_as_configured_and_a_long_row_in_steps() {
    let maildir = Maildir::make();
    let mut world = office(maildir.path(), "every = \"30m\"");
    let context = world.context();
    let messages = |context: &sigtrail::jobs::Context| look_due(context).unwrap().messages;
    for _ in 0..450 {
        maildir.deliver("Subject: hello\n\n");
    }
    assert_eq!([messages(&context), messages(&context), messages(&context)], [200, 200, 50]);
    maildir.deliver("Subject: hello\n\n");
    assert_eq!(messages(&context), 0);
    world.wait(SignedDuration::from_mins(29));
    assert_eq!(messages(&context), 0);
    world.wait(SignedDuration::from_mins(1));
    assert_eq!(messages(&context), 1);
    world.clock.set_by(hours(-48));
    maildir.deliver("Subject: hello\n\n");
    assert_eq!(messages(&context), 1, "a clock that is set back stops nothing");
}

#[test]
fn a_mailbox_that_cannot_be_read_is_named_and_looked_into_again_after_growing_waits() {
    let maildir = Maildir::make();
    let mut world = office(maildir.path(), "");
    world.publish("cert", &rss(&[]));
    world.tick();
    let away = maildir.path().join("away");
    fs::rename(maildir.path().join("new"), &away).unwrap();
    let mut looks = 0;
    for _ in 0..24 {
        world.wait(SignedDuration::from_mins(5));
        looks += u32::from(look_due(&world.context()).unwrap().trouble.is_some());
    }
    assert_eq!(looks, 5, "after 5, 10, 20, 40 and 80 minutes");
    assert!(reasons(&mut world).contains(&(Reason::InboundUnreachable, "sigtrail".to_owned())));
    fs::rename(&away, maildir.path().join("new")).unwrap();
    maildir.deliver("Subject: hello\n\n");
    world.wait(hours(1));
    assert_eq!(look(&mut world).messages, 1);
    assert!(!reasons(&mut world).iter().any(|(reason, _)| *reason == Reason::InboundUnreachable));
}

#[test]
fn failing_before_and_after_every_commit_of_a_look_bounces_once_and_loses_no_story() {
    let mut died = 0;
    for point in 1..60 {
        let maildir = Maildir::make();
        let mut world = delivered(&maildir);
        maildir.deliver(sample("postfix", &newest_id(&world, "jon"), "jon@example.com"));
        world.wait(SignedDuration::from_mins(5));
        let began = world.restart_with(Faults::at(point)).is_ok();
        let ended = began && look_due(&world.context()).is_ok();
        died += u32::from(began && !ended);
        world.restart();
        look(&mut world);
        assert_eq!(world.records_of("bounced").len(), 1, "point {point}");
        assert_eq!(holders(&mut world, "libmarrow"), ["ines", "ines"], "point {point}");
        assert_eq!(maildir.names("new").len() + maildir.names("cur").len(), 1);
        if ended {
            break;
        }
    }
    assert!(died >= 4, "{died} failures fell into a look");
}

#[test]
fn an_attempt_whose_end_is_not_known_can_come_back_and_is_not_tried_again() {
    let maildir = Maildir::make();
    let mut world = office(maildir.path(), "");
    world.publish("cert", &rss(&[("libmarrow crash", "a1", "Long names.")]));
    world.smtp.script(Stage::Dot, Act::LoseReply);
    world.tick();
    maildir.deliver(sample("postfix", &newest_id(&world, "jon"), "jon@example.com"));
    assert!(look(&mut world).reports[0].has_moved);
    world.wait(hours(1));
    assert!(world.tick().deliveries.deliveries.iter().all(|one| one.owner.as_str() != "jon"));
    assert_eq!(DeliveryState::parse("bounced"), Some(DeliveryState::Bounced));
}

#[test]
fn what_comes_back_and_nobody_else_may_get_is_told_again_at_the_owners_hour() {
    let maildir = Maildir::make();
    let mut world = World::at(FRIDAY)
        .owner("maria", "Maria Lopez", "")
        .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
        .settings(&format!("[inbound]\nmaildir = \"{}\"", maildir.path().display()))
        .feed("cert", "");
    world.publish("cert", &rss(&[("Quillgate: a hole", "a1", "Crafted cookies.")]));
    world.tick();
    maildir.deliver(sample("postfix", &newest_id(&world, "maria"), "maria@example.com"));
    assert!(look(&mut world).reports[0].has_moved);
    next_morning(&mut world);
    let mails = world.news("maria");
    assert_eq!(mails.len(), 2, "{}", mails.join("\n=====\n"));
    assert!(mails[1].contains("Quillgate: a hole"), "{}", mails[1]);
    assert_eq!(holders(&mut world, "Quillgate"), ["maria"]);
}
