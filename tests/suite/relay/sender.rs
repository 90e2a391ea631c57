//! A sender that is refused for good (5xx to MAIL): with every message it is the mail server's trouble, with one alone that
//! message's, and the others go on.

use super::*;

const REFUSED: &str = "5.7.1 not from you";

fn refuse(world: &World, times: usize) {
    world.smtp.script_times(Stage::Mail, times, Act::reply(553, REFUSED));
}

fn outcomes(delivered: &[jobs::deliver::Delivered]) -> Vec<&'static str> {
    let word = |one: &jobs::deliver::Delivered| match one.outcome.as_ref().unwrap() {
        SendOutcome::Accepted { .. } => "accepted",
        SendOutcome::Unreachable { .. } => "unreachable",
        other => panic!("{other:?}"),
    };
    delivered.iter().map(word).collect()
}

#[test]
fn m_12_one_message_whose_sender_is_refused_holds_up_no_other_and_goes_to_whoever_stands_in() {
    let mut world = many(3);
    refuse(&world, 1);
    assert_eq!(outcomes(&world.tick().deliveries.deliveries), ["unreachable", "accepted", "accepted"]);
    assert_eq!((queued(&mut world), world.smtp.mails().len()), (1, 2));
    // It is refused again and again while there is nothing else to send.
    world.smtp.always(Stage::Mail, Act::reply(553, REFUSED));
    turns(&mut world, MINUTE * 10, "2026-11-21T06:50:00Z");
    assert!(!has(&mut world, "mail-server-down"), "{:?}", reasons(&mut world));
    assert!(text_of_reason(&mut world, "delivery-waiting").contains(REFUSED), "{:?}", reasons(&mut world));
    assert!(world.records_of("handed-over").is_empty());
    world.smtp.behave();
    refuse(&world, 1);
    turns(&mut world, MINUTE * 10, "2026-11-21T07:30:00Z");
    assert_eq!((world.mailbox("owner-0").len(), queued(&mut world)), (0, 0));
    assert!(world.mailbox("maria").iter().any(|mail| mail.contains("quill0gate")), "{:?}", world.mailbox("maria"));
}

#[test]
fn m_12_a_refused_message_arrives_when_the_server_has_changed_its_mind() {
    let mut world = many(2);
    refuse(&world, 1);
    world.tick();
    world.wait(MINUTE * 10);
    assert_eq!(outcomes(&mail_turn(&mut world)), ["accepted"]);
    assert_eq!((world.mailbox("owner-0").len(), world.mailbox("maria").len()), (1, 0));
    assert!(world.records_of("handed-over").is_empty() && world.records_of("delivery-ended").is_empty());
}

#[test]
fn m_12_messages_that_are_refused_at_the_head_of_the_queue_keep_no_other_for_long() {
    let mut world = many(6);
    refuse(&world, 3);
    assert_eq!(outcomes(&world.tick().deliveries.deliveries), ["unreachable"; 3], "no more are tried in vain");
    world.smtp.script_times(Stage::Mail, 3, Act::Good);
    world.smtp.always(Stage::Mail, Act::reply(553, REFUSED));
    assert_eq!(mail_turn(&mut world).len(), 0, "it is left alone");
    world.wait(MINUTE * 10);
    let second = mail_turn(&mut world);
    let owners: Vec<&str> = second.iter().map(|one| one.owner.as_str()).collect();
    assert_eq!(owners, ["owner-3", "owner-4", "owner-5", "owner-0", "owner-1", "owner-2"]);
    assert_eq!((world.smtp.mails().len(), queued(&mut world)), (3, 3));
    turns(&mut world, MINUTE * 10, "2026-11-20T08:30:00Z");
    assert!(!has(&mut world, "mail-server-down"), "what it refuses is these messages: {:?}", reasons(&mut world));
}

#[test]
fn m_12_a_server_that_refuses_every_sender_is_asked_little_and_told_of() {
    let mut world = many(8);
    world.smtp.always(Stage::Mail, Act::reply(553, REFUSED));
    world.tick();
    turns(&mut world, MINUTE * 2, "2026-11-20T09:00:00Z");
    assert!(most_in_an_hour(&attempts(&mut world)) <= 18 + 3, "{:?}", attempts(&mut world));
    let text = text_of_reason(&mut world, "mail-server-down");
    assert!(text.contains(REFUSED) && text.contains("8 mails wait") && text.contains("`envelope_from`"), "{text}");
    assert!(world.records_of("handed-over").is_empty() && world.records_of("delivery-ended").is_empty());
    assert_eq!(queued(&mut world), 8);
    world.smtp.behave();
    turns(&mut world, MINUTE * 2, "2026-11-20T09:20:00Z");
    assert_eq!((world.smtp.mails().len(), queued(&mut world), world.mailbox("maria").len()), (8, 0, 0));
    assert!(!has(&mut world, "mail-server-down"));
}

#[test]
fn m_12_where_a_minute_takes_one_mail_a_refused_message_holds_up_the_others_once_only() {
    let mut world = with_mail(many(4), "tls = \"none\"\nper_minute = 1\n");
    refuse(&world, 1);
    assert_eq!(outcomes(&world.tick().deliveries.deliveries), ["unreachable"]);
    world.wait(MINUTE * 10);
    assert_eq!(outcomes(&mail_turn(&mut world)), ["accepted"], "another one is tried first");
    world.wait(MINUTE);
    refuse(&world, 1);
    assert_eq!(outcomes(&mail_turn(&mut world)), ["unreachable"], "the oldest has its turn");
    for _ in 0..2 {
        world.wait(MINUTE);
        assert_eq!(outcomes(&mail_turn(&mut world)), ["accepted"], "and holds up nobody");
    }
    assert_eq!(queued(&mut world), 1);
}
