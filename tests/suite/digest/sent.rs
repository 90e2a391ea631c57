//! Digests from the feed to the mailbox: parts that are mails of their own, what the sources state, what was said before,
//! the preview, and the weekly sign of life.

use jiff::SignedDuration;
use sigtrail::{
    jobs,
    model::acknowledgement::{Answer, Disposition, Haste, Via},
};

use super::flat;
use crate::harness::{
    feed_server::Answer as Reply,
    smtp_server::{Act, Stage},
    world::{World, rss},
};

const FRIDAY: &str = "2026-11-20T08:00:00Z";
const MONDAY: &str = "2026-11-23T08:00:00Z";
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A feed with so many stories of Maria's, all of them new.
fn many(stories: usize) -> World {
    let world = World::company(FRIDAY).feed("cert", &format!("baseline = {stories}"));
    let items: Vec<(String, String)> =
        (1..=stories).map(|n| (format!("Quillgate flaw number {n}"), format!("a{n}"))).collect();
    let items: Vec<(&str, &str, &str)> =
        items.iter().map(|(title, path)| (title.as_str(), path.as_str(), "It lets anybody in.")).collect();
    world.publish("cert", &rss(&items));
    world
}

fn numbers(mail: &str) -> Vec<usize> {
    let found = mail.match_indices("Quillgate flaw number ");
    found.map(|(at, words)| mail[at + words.len()..].split_whitespace().next().unwrap().parse().unwrap()).collect()
}

fn query(world: &World, sql: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(world.state().join(sigtrail::store::DATABASE)).unwrap();
    let mut query = connection.prepare(sql).unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(|row| row.unwrap()).collect()
}

/// As if the mail server had said that it takes no larger message.
fn relay_takes(world: &World, bytes: usize) {
    let connection = rusqlite::Connection::open(world.state().join(sigtrail::store::DATABASE)).unwrap();
    connection
        .execute("INSERT OR REPLACE INTO relay_state (one, size_limit, seen_at) VALUES (1, ?1, 0)", [bytes])
        .unwrap();
}

#[test]
fn m_19_each_part_is_a_digest_of_its_own_with_its_delivery_and_its_record() {
    let mut world = many(130);
    world.tick();
    let mails = world.mailbox("maria");
    assert!(mails.len() > 1, "{}", mails.len());
    let mut told: Vec<usize> = mails.iter().flat_map(|mail| numbers(mail)).collect();
    told.sort_unstable();
    assert_eq!(told, (1..=130).collect::<Vec<_>>());
    for (i, mail) in mails.iter().enumerate() {
        assert!(mail.lines().next().unwrap().ends_with(&format!("{} of {})", i + 1, mails.len())), "{mail}");
    }
    let rows = |sql: &str| query(&world, sql).len();
    assert_eq!(rows("SELECT DISTINCT message_id FROM digest"), mails.len());
    assert_eq!(rows("SELECT DISTINCT CAST(scheduled_for AS TEXT) FROM digest"), mails.len());
    assert_eq!(rows("SELECT state FROM delivery JOIN delivery_state ON no = delivery"), mails.len());
    assert_eq!(rows("SELECT CAST(digest AS TEXT) FROM digest_story"), 130);
    assert_eq!(rows("SELECT CAST(composed_at AS TEXT) FROM digest GROUP BY composed_at"), 1, "all at one moment");
    let records = world.records_of("digest-composed");
    assert_eq!(records.len(), mails.len());
    let stories: usize = records.iter().map(|record| record["fields"]["stories"].as_array().unwrap().len()).sum();
    assert_eq!(stories, 130);
    world.tick();
    assert_eq!(world.mailbox("maria").len(), mails.len(), "and nothing is told twice");
}

#[test]
fn m_18_a_digest_is_composed_in_parts_that_the_mail_server_takes() {
    let mut world = many(40);
    world.restart();
    relay_takes(&world, 30_000);
    world.tick();
    let raw = world.smtp.mailbox("maria@example.com");
    assert!(raw.len() > 2 && raw.iter().all(|mail| mail.raw.len() <= 30_000), "{}", raw.len());
    let mut told: Vec<usize> = world.mailbox("maria").iter().flat_map(|mail| numbers(mail)).collect();
    told.sort_unstable();
    assert_eq!(told, (1..=40).collect::<Vec<_>>());
}

#[test]
fn a_preview_is_what_is_then_sent_to_the_byte_part_for_part() {
    for stories in [2, 130] {
        let mut world = many(stories);
        let context = world.context();
        jobs::poll::poll(&context, None, &mut |_| {}).unwrap();
        jobs::checkpoint::checkpoint(&context).unwrap();
        let maria = context.config.owner(&"maria".into()).unwrap().clone();
        let before = jobs::digest::preview(&context, &maria).unwrap();
        assert!(world.mailbox("maria").is_empty() && world.records_of("digest-composed").is_empty());
        jobs::mail_due(&context).unwrap();
        let sent: Vec<Vec<u8>> = world.smtp.mailbox("maria@example.com").into_iter().map(|mail| mail.raw).collect();
        let before: Vec<Vec<u8>> = before.into_iter().map(|mail| mail.bytes).collect();
        assert!(before == sent && !sent.is_empty(), "{stories}: {} and {} mails", before.len(), sent.len());
        assert!(jobs::digest::preview(&context, &maria).unwrap().is_empty(), "nothing waits any more");
    }
}

#[test]
fn m_27_the_envelope_names_the_sender_of_the_header() {
    let mut world = many(2);
    world.tick();
    for mail in world.smtp.mailbox("maria@example.com") {
        let message = mail_parser::MessageParser::default().parse(&mail.raw).unwrap();
        let from = message.from().unwrap().first().unwrap().address().unwrap().to_owned();
        let domain = |address: &str| address.rsplit_once('@').unwrap().1.to_owned();
        let organisation = |address: &str| psl::domain_str(&domain(address)).unwrap().to_owned();
        assert_eq!(organisation(&mail.from), organisation(&from), "{} and {from}", mail.from);
        assert_eq!(domain(message.message_id().unwrap()), domain(&from));
    }
}

#[test]
fn a_digest_says_who_states_the_exploitation_which_version_fixes_it_and_by_when_to_answer() {
    let mut world = World::company("2026-11-19T18:40:00Z").feed("cert", "").feed("kev-s", "unmatched = \"none\"");
    world.publish("cert", &rss(&[("Quillgate CVE-2099-10007", "a1", "A hole. Fixed in 9.1.4.")]));
    world.publish("kev-s", &rss(&[]));
    world.context();
    world.publish("kev-s", &rss(&[("Quillgate CVE-2099-10007", "k1", "It is being exploited in the wild.")]));
    world.tick();
    let mail = flat(&world.mailbox("maria")[0]);
    assert!(mail.contains("Exploited (Kev s, 19 Nov). Fix 9.1.4. CVE-2099-10007."), "{mail}");
    assert!(mail.contains("Without an answer, Jon Bright is asked."), "{mail}");
    assert!(
        mail.contains("Groups: ") && mail.contains("You own: Quillgate VPN, Prompt injection. Not yours?"),
        "{mail}"
    );
}

#[test]
fn what_was_said_of_a_story_stands_in_the_next_mail_about_it() {
    let flaw = |more: &str| rss(&[("Quillgate flaw", "q1", &format!("A flaw in the parser. {more}"))]);
    let mut world = World::company(FRIDAY).feed("cert", "");
    world.publish("cert", &flaw(""));
    world.tick();
    let context = world.context();
    let stories = world.stories().iter().map(|story| story.no).collect();
    let answer = Answer {
        digest: None,
        stories,
        owner: "jon".into(),
        disposition: Disposition::Covered,
        note: Some("only the build image uses it.".to_owned()),
        references: Vec::new(),
        corrects: None,
        happened: None,
        haste: Haste::None,
        nonce: "n".to_owned(),
        via: Via::Shell,
    };
    jobs::acknowledge::record(&context.store, &answer, context.now()).unwrap();
    world.publish("cert", &flaw("Fixed in 9.1.4."));
    world.wait_until(MONDAY);
    world.tick();
    let mail = flat(world.mailbox("maria").last().unwrap());
    assert!(mail.contains("Jon Bright, 20 Nov, covered: only the build image uses it."), "{mail}");
    assert!(mail.contains("Changed since Fri: "), "{mail}");
}

#[test]
fn what_was_said_by_somebody_who_saw_more_is_not_told() {
    let mut world = World::at(FRIDAY)
        .owner("maria", "Maria Lopez", "tlp = \"RED\"")
        .owner("jon", "Jon Bright", "tlp = \"GREEN\"")
        .component("quillgate", "Quillgate VPN", "jon", &["quillgate"])
        .feed("cert", "tlp = \"GREEN\"")
        .feed("sharing", "tlp = \"RED\"");
    let both = |more: &str| rss(&[("Quillgate CVE-2099-10007", "a1", &format!("A hole. {more}"))]);
    world.publish("cert", &both(""));
    world.publish("sharing", &both("The attackers are known."));
    world.tick();
    let context = world.context();
    let stories = world.stories().iter().map(|story| story.no).collect();
    let answer = Answer {
        digest: None,
        stories,
        owner: "maria".into(),
        disposition: Disposition::Discuss,
        note: Some("the attackers are the Ghostly group".to_owned()),
        references: Vec::new(),
        corrects: None,
        happened: None,
        haste: Haste::None,
        nonce: "n".to_owned(),
        via: Via::Shell,
    };
    jobs::acknowledge::record(&context.store, &answer, context.now()).unwrap();
    world.publish("cert", &both("Fixed in 9.1.4."));
    world.wait_until(MONDAY);
    world.tick();
    let mails = world.mailbox("jon");
    assert!(mails.len() == 2 && mails[1].contains("Fix 9.1.4"), "{mails:?}");
    assert!(mails.iter().all(|mail| !mail.contains("Ghostly")), "{mails:?}");
}

#[test]
fn an_empty_day_brings_no_mail_and_an_empty_week_one_at_the_owners_hour() {
    let mut world = World::company("2026-11-20T09:30:00Z").feed("cert", "");
    world.publish("cert", &rss(&[("Quillgate flaw", "q1", "A flaw.")]));
    world.tick();
    assert_eq!(world.mailbox("maria").len(), 1);
    let mut came: Vec<String> = Vec::new();
    for _ in 0..24 * 17 {
        world.wait(HOUR);
        world.tick();
        if world.mailbox("maria").len() > 1 + came.len() {
            came.push(world.clock.now().to_string());
        }
    }
    // A working day's eight o'clock, a week after the mail before.
    assert_eq!(came, ["2026-11-27T08:30:00Z", "2026-12-04T08:30:00Z"]);
    let mails = world.mailbox("maria");
    assert!(mails[1].starts_with("Subject: Quiet week 48: nothing new, 1 of 1 feeds seen\n"), "{}", mails[1]);
    assert!(mails[1].contains("Nothing new for you this week\n"), "{}", mails[1]);
    assert!(mails[1].contains("1 story of an earlier mail is still open."), "{}", mails[1]);
    assert!(mails[1].contains("1 of 1 feed was seen."), "{}", mails[1]);
    let jon = world.mailbox("jon");
    assert!(
        jon.len() >= 2 && jon.iter().all(|mail| mail.contains("Quiet week")),
        "who never had a digest too: {jon:?}"
    );
    assert!(jon.iter().all(|mail| mail.contains("nothing for you") && mail.contains("nothing to do")), "{jon:?}");
    assert_eq!(world.records_of("digest-composed").last().unwrap()["fields"]["kind"], "heartbeat");
}

#[test]
fn a_week_in_which_sigtrail_was_blind_is_not_called_quiet() {
    let mut world = World::company(FRIDAY).feed("cert", "").feed("tarnbase", "owner = \"jon\"");
    world.publish("cert", &rss(&[("Quillgate flaw", "q1", "A flaw.")]));
    world.publish("tarnbase", &rss(&[]));
    world.tick();
    world.answer("tarnbase", Reply::status(403));
    for _ in 0..12 {
        world.wait(HOUR * 24);
        world.tick();
    }
    let mails = world.mailbox("maria");
    let last = mails.last().unwrap();
    assert!(last.starts_with("Subject: Blind in week 48: 1 of 2 feeds not seen\n"), "{mails:?}");
    assert!(flat(last).contains("Nothing new for you this week, and 1 feed could not be seen"), "{last}");
    assert!(last.contains("1 story of an earlier mail is still open."), "{last}");
    assert!(!last.contains("nothing to do"), "{last}");
    assert!(last.contains("NOT SEEN (1)"), "{last}");
}

/// A feed that refuses to be seen, and so many lines of others that they take several mails.
fn blind_and_much_else() -> World {
    let mut world = World::company("2026-11-19T08:00:00Z").feed("dark", "unmatched = \"none\"");
    world.answer("dark", Reply::status(403));
    for feed in ["a", "b", "c", "d", "e", "f"] {
        world.add_feed(&format!("news-{feed}"), "baseline = 20");
        let items: Vec<(String, String)> =
            (10..30).map(|n| (format!("Advice {feed}-{n} on what leavers should hand back"), format!("{n}"))).collect();
        let items: Vec<(&str, &str, &str)> =
            items.iter().map(|(title, path)| (title.as_str(), path.as_str(), "Text.")).collect();
        world.publish(&format!("news-{feed}"), &rss(&items));
    }
    world.restart();
    relay_takes(&world, 30_000);
    world
}

#[test]
fn what_a_part_tells_of_a_feed_is_told_again_where_that_part_did_not_arrive_and_only_there() {
    let tells = |mail: &String| flat(mail).contains("New: Dark: refused");
    let mut whole = blind_and_much_else();
    whole.tick();
    let mails = whole.mailbox("maria");
    let place = mails.iter().position(tells).unwrap_or_else(|| panic!("{mails:?}"));
    assert!(place + 1 < mails.len(), "it does not stand in the last of {} parts", mails.len());
    for refused in [place, mails.len() - 1] {
        let mut world = blind_and_much_else();
        world.smtp.script_times(Stage::Rcpt, refused, Act::Good);
        world.smtp.script(Stage::Rcpt, Act::reply(550, "5.1.1 no such user"));
        world.tick();
        let first = world.mailbox("maria");
        assert_eq!(first.len(), mails.len() - 1);
        world.wait_until("2026-11-20T08:00:00Z");
        world.tick();
        let all = world.mailbox("maria");
        assert!(all.len() > first.len(), "the lines of the part that was refused come with the next digest");
        assert_eq!(first.iter().any(tells), refused != place);
        assert_eq!(all[first.len()..].iter().any(tells), refused == place, "part {refused} was refused");
        for title in ["a-10", "c-17", "f-29"] {
            assert_eq!(all.iter().filter(|mail| mail.contains(title)).count(), 1, "{title}");
        }
    }
}
