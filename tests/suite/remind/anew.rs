//! Mails that are composed anew before they leave: they stay what they were, and tell what is still so.

use super::*;

fn flat(mail: &str) -> String {
    mail.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn m_18_a_takeover_that_is_too_large_stays_a_takeover_in_all_of_its_parts() {
    let titles: Vec<(String, String)> =
        (0..12).map(|n| (format!("Quillgate notice {n:02}"), format!("n{n}"))).collect();
    let text = "A list of names was left open to everybody. ".repeat(12);
    let items: Vec<(&str, &str, &str)> =
        titles.iter().map(|(title, id)| (title.as_str(), id.as_str(), text.as_str())).collect();
    let mut world = company();
    publish(&world, &items);
    live_until(&mut world, "2026-11-21T08:00:00Z");
    let whole = world.smtp.mailbox("maria@example.com")[0].raw.len();
    world.smtp.offer(|offers| offers.size = Some(whole as u64 / 2));
    live_until(&mut world, "2026-11-21T14:00:00Z");
    let composed: Vec<String> = digests(&mut world).into_iter().filter(|one| one.ends_with(" jon")).collect();
    assert!(composed.len() > 2 && composed.iter().all(|one| one == "21 08:30 takeover jon"), "{composed:?}");
    let mails = world.news("jon");
    assert_eq!(mails.len(), composed.len() - 1, "the whole one was withdrawn");
    for mail in &mails {
        assert!(mail.starts_with("Subject: Now yours: Quillgate VPN"), "{mail}");
        assert!(flat(mail).contains("Maria Lopez has not answered in time."), "{mail}");
    }
    for (title, _) in &titles {
        assert_eq!(mails.iter().filter(|mail| mail.contains(title)).count(), 1, "{title}");
    }
    assert_eq!(hand_overs(&mut world), ["no-answer"; 12]);
}

#[test]
fn new_links_that_waited_for_the_mail_server_lead_to_what_is_still_open_however_long_they_waited() {
    for (answered, end) in
        [("2026-11-16T13:00:00Z", "2026-11-16T16:00:00Z"), ("2026-11-18T13:00:00Z", "2026-11-18T16:00:00Z")]
    {
        let mut world = company();
        publish(&world, &[CALM, CALM_TOO]);
        live_until(&mut world, "2026-11-16T12:00:00Z");
        world.smtp.always(Stage::Greeting, Act::reply(421, "4.3.2 try later"));
        let context = world.context();
        jobs::links::ask(&context.store, &context.config, DigestNo(1), context.now()).unwrap();
        live_until(&mut world, answered);
        assert_eq!(digests(&mut world), ["16 08:30 scheduled maria", "16 12:30 links maria"]);
        answer(&mut world, "maria", 1, 2);
        world.wait(SignedDuration::from_mins(30));
        world.tick();
        assert_eq!((digests(&mut world).len(), stories_of(&mut world, 3)), (3, vec![3]), "composed anew");
        world.smtp.behave();
        live_until(&mut world, end);
        let mails = world.news("maria");
        assert_eq!((mails.len(), digests(&mut world).len()), (2, 3));
        let new = &mails[1];
        assert!(new.starts_with("Subject: New links: ") && new.contains(CALM_TOO.0) && !new.contains(CALM.0), "{new}");
        let ended = world.records_of("delivery-ended");
        assert_eq!(ended.len(), 1);
        assert!(field(&ended[0], "reason").as_str().unwrap().starts_with("some of it waits for no answer"));
    }
}

#[test]
fn new_links_that_were_taken_back_are_told_again_although_others_stand() {
    let mut world = company();
    let (first, other) = ([CALM, CALM_TOO], ("Quillgate is slow", "q3", "Very."));
    publish(&world, &first);
    live_until(&mut world, "2026-11-16T12:00:00Z");
    publish(&world, &[&first[..], &[other]].concat());
    live_until(&mut world, "2026-11-17T12:00:00Z");
    world.smtp.always(Stage::Greeting, Act::reply(421, "4.3.2 try later"));
    for digest in [1, 2] {
        let context = world.context();
        jobs::links::ask(&context.store, &context.config, DigestNo(digest), context.now()).unwrap();
        world.wait(SignedDuration::from_mins(30));
        world.tick();
    }
    assert_eq!((stories_of(&mut world, 3), stories_of(&mut world, 4)), (vec![2, 3], vec![4]));
    answer(&mut world, "maria", 1, 2);
    world.smtp.behave();
    live_until(&mut world, "2026-11-17T16:00:00Z");
    let mails: Vec<String> = world.news("maria").into_iter().filter(|mail| mail.contains("New links: ")).collect();
    let told = |title: &str| mails.iter().filter(|mail| mail.contains(title)).count();
    assert_eq!((told(CALM.0), told(CALM_TOO.0), told(other.0)), (0, 1, 1), "{mails:?}");
}

#[test]
fn a_change_after_a_takeover_that_was_sent_twice_is_news_and_no_takeover() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-21T08:00:00Z");
    world.smtp.always(Stage::Greeting, Act::reply(421, "4.3.2 try later"));
    live_until(&mut world, "2026-11-21T12:00:00Z");
    world.edit("owners", "jon@example.com", "jon.bright@example.com");
    world.restart();
    world.smtp.behave();
    live_until(&mut world, "2026-11-22T12:00:00Z");
    let of_jon = |world: &mut World| {
        let all = digests(world).into_iter();
        all.filter_map(|line| line.strip_suffix(" jon").map(str::to_owned)).collect::<Vec<_>>()
    };
    let so_far = of_jon(&mut world);
    assert!(so_far.len() == 2 && so_far.iter().all(|line| line.ends_with("takeover")), "{so_far:?}");
    publish(&world, &[(CALM.0, CALM.1, "A list of names. Fixed in 9.1.4.")]);
    live_until(&mut world, "2026-11-23T12:00:00Z");
    let since = of_jon(&mut world).split_off(2);
    assert!(since.len() == 1 && since[0].ends_with(" scheduled"), "{:?}", digests(&mut world));
}

#[test]
fn the_deputy_reads_why_in_sentences() {
    let mut world = company();
    publish(&world, &[CALM]);
    live_until(&mut world, "2026-11-21T12:00:00Z");
    let said = flat(world.news("jon").last().unwrap());
    let why = "Why you: It was meant for Maria Lopez, who has not answered: \"Quillgate VPN is yours\". \"";
    assert!(said.contains(why), "{said}");
}
