//! A mail server that takes only small mails.

use sigtrail::model::delivery::SendOutcome;

use super::{FRIDAY, MINUTE, mail_turn, one_story_for_jon, queued, reasons, text_of_reason, turns};
use crate::harness::{
    postfix::{Postfix, Wishes},
    smtp_server::{Mail, Offers},
    world::{World, rss},
};

const STORIES: usize = 40;

/// Forty stories for Jon.
fn forty_stories() -> World {
    let world = World::at(FRIDAY)
        .owner("maria", "Maria Lopez", "")
        .owner("jon", "Jon Bright", "")
        .component("libmarrow", "libmarrow", "jon", &["libmarrow"])
        .feed("cert", "unmatched = \"none\"\nbaseline = 100");
    publish(&world, STORIES);
    world
}

fn title(n: usize) -> String {
    format!("libmarrow notice {n:03}")
}

fn publish(world: &World, stories: usize) {
    let text = "A crafted archive with long names ends the reader. ".repeat(6);
    let items: Vec<(String, String)> = (0..stories).map(|n| (title(n), format!("a{n}"))).collect();
    let items: Vec<(&str, &str, &str)> =
        items.iter().map(|(title, id)| (title.as_str(), id.as_str(), text.as_str())).collect();
    world.publish("cert", &rss(&items));
}

/// The size of the digest that would go out, from a world beside this one.
fn whole_size() -> usize {
    let mut world = forty_stories();
    world.tick();
    world.smtp.mails()[0].raw.len()
}

/// Every story arrived, each in one mail, and no mail is larger than this.
#[track_caller]
fn all_in_parts(world: &World, most: usize) {
    let mails = world.smtp.mailbox("jon@example.com");
    assert!(mails.len() > 1 && mails.iter().all(|mail| mail.raw.len() <= most), "{} parts", mails.len());
    let texts = world.mailbox("jon");
    for n in 0..STORIES {
        let times = texts.iter().filter(|text| text.contains(&title(n))).count();
        assert_eq!(times, 1, "{}", title(n));
    }
}

fn size_limit(world: &mut World) -> Option<u64> {
    world.context().store.read(|read| read.relay_size_limit()).unwrap()
}

#[test]
fn m_18_a_digest_beyond_the_size_of_the_server_is_superseded_by_parts_that_fit() {
    let limit = whole_size() / 3;
    let mut world = forty_stories();
    world.smtp.offer(|offers| offers.size = Some(limit as u64));
    let first = world.tick().deliveries.deliveries;
    assert!(matches!(first[0].outcome, Some(SendOutcome::TooLarge { code: None, .. })), "{first:?}");
    assert!(first[0].reason.as_ref().is_some_and(|reason| reason.contains("smaller parts")), "{first:?}");
    assert!(!world.mailbox("jon").is_empty(), "composed anew at once");
    for _ in 0..8 {
        mail_turn(&mut world);
    }
    all_in_parts(&world, limit);
    assert_eq!(queued(&mut world), 0);
    let ended = world.records_of("delivery-ended");
    assert_eq!((ended.len(), &ended[0]["fields"]["state"]), (1, &"withdrawn".into()));
    assert_eq!(size_limit(&mut world), Some(limit as u64 - 2_048), "with room for what the server adds");
    // A server that takes more is given more.
    world.smtp.offer(|offers| offers.size = None);
    world.smtp.forget();
    world.publish("cert", &rss(&[("libmarrow the last", "z1", "Text.")]));
    world.wait_until("2026-11-23T08:30:00Z");
    world.tick();
    assert_eq!(size_limit(&mut world), None);
    assert!(world.mailbox("jon")[0].contains("libmarrow the last"));
}

#[test]
fn m_18_a_server_that_does_not_say_its_size_is_given_less_until_it_takes_it() {
    let limit = whole_size() / 3;
    let mut world = forty_stories();
    world.smtp.offer(|offers| offers.silent_size = Some(limit));
    world.tick();
    for _ in 0..12 {
        mail_turn(&mut world);
    }
    all_in_parts(&world, limit);
    let refused = world.records_of("delivery-ended").len();
    assert!((1..=4).contains(&refused), "{refused} were refused");
    assert!(world.records_of("delivery-finished").iter().any(|record| record["fields"]["outcome"] == "too-large"));
}

#[test]
fn m_18_one_story_and_many_lines_that_are_too_large_together_go_out_in_parts() {
    let news = |n: usize| format!("Advice on leavers, part {n}, and what they should hand back");
    let lines: Vec<(String, String)> = (0..20).map(|n| (news(n), format!("n{n}"))).collect();
    let lines: Vec<(&str, &str, &str)> =
        lines.iter().map(|(title, id)| (title.as_str(), id.as_str(), "Text.")).collect();
    let with_lines = || {
        let world = one_story_for_jon().feed("news", "owner = \"jon\"\nbaseline = 100");
        world.publish("news", &rss(&lines));
        world
    };
    let mut world = with_lines();
    world.tick();
    let whole = world.smtp.mailbox("jon@example.com")[0].raw.len();
    let limit = whole * 3 / 4;
    let mut world = with_lines();
    world.smtp.offer(|offers| offers.size = Some(limit as u64));
    for _ in 0..4 {
        world.tick();
    }
    let mails = world.smtp.mailbox("jon@example.com");
    assert!(mails.len() > 1 && mails.iter().all(|mail| mail.raw.len() <= limit), "{} parts", mails.len());
    let texts = world.mailbox("jon").concat();
    assert!(texts.contains("libmarrow crash"));
    assert!((0..20).all(|n| texts.split_whitespace().collect::<Vec<_>>().join(" ").contains(&news(n))), "{texts}");
    assert_eq!((queued(&mut world), world.mailbox("ines").len()), (0, 0));
}

#[test]
fn m_18_a_story_that_is_too_large_alone_waits_is_told_and_makes_no_loop() {
    let mut world = one_story_for_jon();
    world.smtp.offer(|offers: &mut Offers| offers.size = Some(900));
    world.tick();
    for _ in 0..20 {
        mail_turn(&mut world);
    }
    assert_eq!(world.records_of("digest-composed").len(), 1);
    assert_eq!(world.records_of("delivery-started").len(), 1);
    let text = text_of_reason(&mut world, "delivery-impossible");
    assert!(text.contains("at most 900 bytes"), "{:?}: {text}", reasons(&mut world));
    turns(&mut world, MINUTE * 10, "2026-11-23T06:00:00Z");
    // Whoever stands in has the same server; what they are told of it takes two parts each time.
    let composed = world.records_of("digest-composed");
    let moments: std::collections::BTreeSet<String> =
        composed.iter().map(|record| record["time"].to_string()).collect();
    assert!(moments.len() <= 3, "{moments:?}");
    world.smtp.offer(|offers| offers.size = Some(1_000_000));
    turns(&mut world, MINUTE * 10, "2026-11-23T08:00:00Z");
    let told = |mail: &Mail| String::from_utf8_lossy(&mail.raw).contains("libmarrow");
    let told = world.smtp.mails().iter().filter(|mail| told(mail)).count();
    assert_eq!(told, 1, "whoever has the story in the end is told of it, and nobody else");
    assert!(world.records_of("delivery-ended").iter().all(|record| record["fields"]["state"] == "withdrawn"));
}

#[test]
fn m_18_a_real_server_with_a_size_limit_gets_parts_that_it_takes() {
    let limit = whole_size() / 3;
    let Some(postfix) = Postfix::start_as(&Wishes { size_limit: Some(limit), ..Wishes::default() }) else { return };
    let mut world = postfix.serve(forty_stories(), "");
    let first = world.tick().deliveries.deliveries;
    assert!(matches!(first[0].outcome, Some(SendOutcome::TooLarge { code: None, .. })), "{first:?}");
    for _ in 0..8 {
        mail_turn(&mut world);
    }
    assert_eq!(queued(&mut world), 0);
    let withdrawn = world.records_of("delivery-ended").len();
    assert_eq!(withdrawn, 1, "no part was refused");
    let parts = world.records_of("digest-composed").len() - withdrawn;
    let mailbox = postfix.wait_for("jon@example.com", parts);
    assert_eq!(mailbox.len(), parts);
    let text: String = mailbox.iter().map(|mail| String::from_utf8_lossy(mail).into_owned()).collect();
    // The heading of each story stands once in the text and once in the HTML of one part.
    for n in 0..STORIES {
        assert!(text.contains(&title(n)), "{}", title(n));
    }
}
