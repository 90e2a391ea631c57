//! Polling: what is new, what is old, what becomes of it, and that nothing is asked for twice or too early.

use jiff::SignedDuration;
use sigtrail::{jobs::poll, model::id::FeedId};

use crate::harness::{
    feed_server::Answer,
    world::{World, rss},
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn items(n: usize) -> Vec<(String, String, String)> {
    (1..=n).map(|i| (format!("Advisory {i} for Quillgate"), format!("a{i}"), format!("Text {i}."))).collect()
}

fn document(items: &[(String, String, String)]) -> String {
    let borrowed: Vec<(&str, &str, &str)> =
        items.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
    rss(&borrowed)
}

#[test]
fn a_first_poll_is_a_baseline_and_shows_the_newest_three() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "");
    world.publish("cert", &document(&items(35)));
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.new), 35);
    assert_eq!(report.poll.sum(|applied| applied.assigned), 3);
    assert_eq!(report.poll.sum(|applied| applied.baseline), 32);
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].contains("Advisory 1 for Quillgate"), "{}", mails[0]);
    assert!(!mails[0].contains("Advisory 4 for Quillgate"), "{}", mails[0]);
    assert!(mails[0].contains("32"), "the first digest says how many were recorded: {}", mails[0]);
    assert_eq!(world.records_of("baseline").len(), 1);
}

#[test]
fn seen_before_and_unchanged_is_nothing() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "every = \"1h\"");
    world.answer("cert", Answer::ok(document(&items(5))));
    world.tick();
    let records = world.records().len();
    world.wait(HOUR + HOUR);
    let report = world.tick();
    assert_eq!(report.poll.feeds.len(), 1);
    assert_eq!(report.poll.sum(|applied| applied.new + applied.revised), 0);
    assert_eq!(world.records().len(), records, "a quiet poll is summarised by day, not recorded one by one");
    world.wait(HOUR * 24);
    world.tick();
    let quiet = world.records_of("quiet-polls");
    assert_eq!(quiet.len(), 1);
    assert_eq!(quiet[0]["fields"]["feeds"]["cert"], 1);
}

#[test]
fn p_01_a_second_poll_sends_both_validators_byte_for_byte_and_a_304_is_no_work() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "");
    let odd = Answer::ok(document(&items(4))).etag("W/\"a,b \"").last_modified("Fri, 20 nov 2026 07:00:00 gmt");
    world.answer("cert", odd);
    world.tick();
    world.wait(HOUR * 2);
    let report = world.tick();
    assert!(report.poll.feeds[0].not_modified);
    let requests = world.server.requests("/cert");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].header("if-none-match"), Some(b"W/\"a,b \"".as_slice()));
    assert_eq!(requests[1].header("if-modified-since"), Some(b"Fri, 20 nov 2026 07:00:00 gmt".as_slice()));
}

#[test]
fn h_16_a_document_that_was_cut_keeps_its_entries_but_not_its_validators() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "");
    let whole = document(&items(6));
    let cut = whole.get(..whole.len() * 2 / 3).unwrap();
    world.answer("cert", Answer::ok(cut).etag("\"cut\""));
    let report = world.tick();
    assert!(report.poll.sum(|applied| applied.new) >= 3);
    world.answer("cert", Answer::ok(&whole).etag("\"whole\""));
    world.wait(HOUR * 2);
    let report = world.tick();
    assert_eq!(world.server.requests("/cert")[1].header("if-none-match"), None);
    assert!(report.poll.sum(|applied| applied.new) >= 1, "the rest arrives at the next poll");
    assert_eq!(world.stories().len(), 6);
}

#[test]
fn h_17_a_whole_document_is_fetched_once_a_week() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "every = \"1d\"");
    world.answer("cert", Answer::ok(document(&items(2))).etag("\"stuck\""));
    for _ in 0..9 {
        world.tick();
        world.wait(HOUR * 27);
    }
    let requests = world.server.requests("/cert");
    let whole = requests.iter().filter(|request| request.header("if-none-match").is_none()).count();
    assert_eq!(requests.len(), 9);
    assert_eq!(whole, 2, "the first, and one after a week");
}

#[test]
fn p_21_a_restart_causes_no_early_poll() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "");
    world.publish("cert", &document(&items(2)));
    world.tick();
    for _ in 0..20 {
        world.wait(SignedDuration::from_mins(2));
        world.restart();
        world.tick();
    }
    assert_eq!(world.server.requests("/cert").len(), 1);
    world.wait(SignedDuration::from_mins(40));
    world.restart();
    world.tick();
    assert_eq!(world.server.requests("/cert").len(), 2);
}

#[test]
fn a_changed_entry_is_a_revision_and_the_owner_is_not_told_twice() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "");
    world.publish("cert", &rss(&[("Quillgate sign-in bypass", "q1", "A crafted cookie.")]));
    world.tick();
    world.publish("cert", &rss(&[("Quillgate sign-in bypass", "q1", "A crafted cookie skips the sign-in.")]));
    world.wait(HOUR * 26);
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.revised), 1);
    let stories = world.stories();
    assert_eq!(stories.len(), 1);
    assert_eq!(stories[0].sources[0].entry.revision, 2);
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 1, "{}", mails.join("\n=====\n"));
    let received = world.records_of("entry-received");
    assert_eq!(received.len(), 2);
    assert_eq!(received[1]["fields"]["revision"], 2);
}

#[test]
fn repeated_guids_in_one_document_swallow_nothing() {
    let item = |package: &str| {
        format!(
            "<item><title>GHSA-2h46-8gf5-fmxv: overflow [{package}]</title><guid>GHSA-2h46-8gf5-fmxv</guid>\
             <link>https://advisories.example/GHSA-2h46-8gf5-fmxv</link><description>In {package}.</description></item>"
        )
    };
    let feed = |packages: &[&str]| {
        let items: String = packages.iter().map(|package| item(package)).collect();
        format!("<rss version=\"2.0\"><channel><title>Advisories</title>{items}</channel></rss>")
    };
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "");
    world.publish("cert", &feed(&["alpha", "beta", "gamma"]));
    assert_eq!(world.tick().poll.sum(|applied| applied.new), 3);
    world.publish("cert", &feed(&["gamma", "alpha", "delta", "beta"]));
    world.wait(HOUR * 2);
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.new), 1, "only delta is new, in whatever order");
    assert_eq!(report.poll.sum(|applied| applied.revised), 0);
    assert_eq!(world.stories().len(), 1, "one advisory, one story");
}

#[test]
fn two_feeds_that_bring_one_cve_in_one_batch_make_one_story() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "").feed("vendor", "");
    world.publish("cert", &rss(&[("CVE-2099-10007 in Quillgate", "c1", "Sign-in bypass.")]));
    world.publish("vendor", &rss(&[("Quillgate 9.1.4 fixes CVE-2099-10007", "v1", "Update now.")]));
    world.tick();
    let stories = world.stories();
    assert_eq!(stories.len(), 1);
    assert_eq!(stories[0].sources.len(), 2);
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("Cert") && mails[0].contains("Vendor"), "every source stands in the mail: {}", mails[0]);
}

#[test]
fn h_40_one_feed_never_hides_or_changes_another_feeds_entry() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("a", "").feed("b", "");
    world.publish("a", &rss(&[("Quillgate advisory", "same-guid", "The real one.")]));
    world.publish("b", &rss(&[("Nothing to see", "same-guid", "A copy of the id.")]));
    world.tick();
    let texts: Vec<String> = world
        .stories()
        .iter()
        .flat_map(|story| &story.sources)
        .map(|source| source.entry.entry.title.clone().unwrap())
        .collect();
    assert_eq!(texts.len(), 2);
    assert!(texts.contains(&"Quillgate advisory".to_owned()));
    assert_eq!(world.records_of("entry-received").iter().filter(|record| record["fields"]["revision"] == 2).count(), 0);
}

#[test]
fn every_entry_ends_at_an_owner_at_a_line_or_at_not_for_us() {
    let mut world = World::company("2026-11-20T07:00:00Z")
        .feed("listed", "unmatched = \"list\"")
        .feed("owned", "unmatched = \"owner\"\nowner = \"jon\"")
        .feed("none", "unmatched = \"none\"");
    for id in ["listed", "owned", "none"] {
        let items = [
            (format!("{id}: about a libmarrow crash"), format!("{id}-1"), "Text.".to_owned()),
            (format!("{id}: about something else"), format!("{id}-2"), "Text.".to_owned()),
        ];
        world.publish(id, &document(&items));
    }
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.assigned), 4, "three matched, one is owned as such");
    assert_eq!(report.poll.sum(|applied| applied.listed), 1);
    assert_eq!(report.poll.sum(|applied| applied.not_for_us), 1);
    let (jon, maria) = (world.mailbox("jon"), world.mailbox("maria"));
    assert!(jon[0].contains("owned: about something else"), "{}", jon[0]);
    assert!(maria[0].contains("listed: about something else"), "{}", maria[0]);
    assert!(!maria[0].contains("none: about something else") && !jon[0].contains("none: about something else"));
    assert_eq!(world.records_of("not-for-us").len(), 1);
    assert_eq!(world.records_of("entries-listed").len(), 1);
    for record in world.records_of("entry-routed") {
        assert_eq!(record["fields"]["config"], 1, "every decision names the configuration it was made under");
    }
}

#[test]
fn a_renamed_feed_keeps_its_history() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "");
    world.publish("cert", &document(&items(4)));
    world.tick();
    world.edit("feeds", "id = \"cert\"\nname = \"Cert\"", "id = \"cert-new\"\nname = \"The new name\"");
    world.wait(HOUR * 2);
    world.restart();
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.new), 0, "nothing comes back as news");
    assert_eq!(world.records_of("feed-renamed").len(), 1);
}

#[test]
fn a_feed_whose_address_changes_keeps_its_history_and_is_asked_at_the_new_one_at_once() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "");
    world.publish("cert", &document(&items(4)));
    world.tick();
    world.publish("moved", &document(&items(5)));
    world.edit("feeds", "/cert\"", "/moved\"");
    world.restart();
    let report = world.tick();
    assert_eq!(report.poll.feeds.len(), 1, "it does not wait for the old address's next poll");
    assert_eq!(report.poll.sum(|applied| applied.new), 1, "only what the new address has beyond the old one is new");
    assert_eq!(report.poll.sum(|applied| applied.baseline), 0, "it is no first poll");
    let asked = world.server.requests("/moved");
    assert_eq!((asked.len(), asked[0].header("if-none-match")), (1, None), "the validators stay behind");
}

#[test]
fn an_owner_who_only_has_a_blind_feed_is_told_after_a_day() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("refusing", "owner = \"jon\"");
    world.answer("refusing", Answer::status(403));
    world.tick();
    world.wait(HOUR * 12);
    world.tick();
    assert_eq!(world.mailbox("jon").len(), 0, "a first poll that failed by chance is no reason for a mail");
    world.wait(HOUR * 13);
    world.tick();
    world.wait(HOUR * 24);
    world.tick();
    let mails = world.mailbox("jon");
    assert_eq!(mails.len(), 1, "{}", mails.join("\n=====\n"));
    assert!(mails[0].starts_with("Subject: Blind: Refusing refuses us since Fri 20 Nov\n"), "{}", mails[0]);
    assert_eq!(world.mailbox("maria").len(), 0, "it is not her feed");
}

#[test]
fn a_feed_that_fails_is_weather_and_named_in_the_next_digest() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "").feed("refusing", "").feed("page", "");
    world.publish("cert", &rss(&[("Quillgate advisory", "q1", "Text.")]));
    world.answer("refusing", Answer::status(403));
    world.answer("page", Answer::ok("<!doctype html><html><body>Sign in</body></html>"));
    let report = world.tick();
    assert_eq!(report.poll.failed(), 2);
    let mails = world.mailbox("maria");
    assert!(mails[0].contains("NOT SEEN (2)"), "{}", mails[0]);
    assert!(mails[0].contains("Refusing: refused"), "{}", mails[0]);
    let states: Vec<String> = world
        .records_of("feed-state")
        .iter()
        .map(|record| record["fields"]["to"].as_str().unwrap().to_owned())
        .collect();
    assert!(states.contains(&"refused".to_owned()) && states.contains(&"not-a-feed".to_owned()), "{states:?}");
}

#[test]
fn purged_entries_leave_their_keys_and_do_not_come_back_as_news() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "").settings("[retention]\nentries = \"30d\"");
    world.answer("cert", Answer::ok(document(&items(5))));
    world.tick();
    world.wait(HOUR * 24 * 40);
    world.tick();
    let stories = world.stories();
    assert!(stories.iter().all(|story| story.title().is_none()), "the texts are gone");
    assert_eq!(world.records_of("entries-purged").len(), 1);
    world.answer("cert", Answer::ok(document(&items(5))));
    world.wait(HOUR * 2);
    let report = world.tick();
    assert_eq!(report.poll.sum(|applied| applied.new + applied.revised), 0);
    let mails = world.news("maria");
    assert_eq!(mails.len(), 1, "{}", mails.join("\n=====\n"));
}

#[test]
fn an_edit_of_a_purged_entry_is_a_revision_of_it_and_another_entry_under_its_id_is_new() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "").settings("[retention]\nentries = \"30d\"");
    let mut listed = items(40);
    world.answer("cert", Answer::ok(document(&listed)));
    world.tick();
    world.wait(HOUR * 24 * 40);
    world.tick();
    for (_, _, text) in &mut listed {
        text.push_str(" One note more.");
    }
    world.answer("cert", Answer::ok(document(&listed)));
    world.wait(HOUR * 25);
    let report = world.tick();
    assert_eq!((report.poll.sum(|applied| applied.new), report.poll.sum(|applied| applied.revised)), (0, 40));
    world.wait(HOUR * 24);
    world.tick();
    assert_eq!(world.news("maria").len(), 1, "nobody is told of old entries again");
    world.wait(HOUR * 24 * 40);
    world.tick();
    let other =
        rss(&[("Quillgate 9.2 opens its doors", "a1", "Another text.")]).replace("cert.example/a1", "cert.example/b1");
    world.answer("cert", Answer::ok(other));
    world.wait(HOUR * 25);
    assert_eq!(world.tick().poll.sum(|applied| applied.new), 1, "an id is not enough to bury an entry under");
}

#[test]
fn a_story_of_two_feeds_says_everything_that_is_the_owners_in_it() {
    let mut world = World::company("2026-11-20T07:00:00Z")
        .component("tarnbase", "Tarnbase", "maria", &["tarnbase"])
        .feed("alpha", "")
        .feed("beta", "");
    world.publish("alpha", &rss(&[("Tarnbase and CVE-2099-10007", "t1", "Tarnbase is affected.")]));
    world.publish("beta", &rss(&[("Quillgate 9.1.4 closes CVE-2099-10007", "q1", "Fixed in Quillgate 9.1.4.")]));
    world.tick();
    let mails = world.mailbox("maria");
    assert_eq!(mails.len(), 1);
    let text = mails[0].split_whitespace().collect::<Vec<_>>().join(" ");
    for said in ["Tarnbase is yours", "Quillgate VPN is yours", "Tarnbase and CVE-2099-10007", "Quillgate 9.1.4 closes"]
    {
        assert!(text.contains(said), "{said} is missing: {text}");
    }
}

#[test]
fn what_has_no_title_is_named_by_the_beginning_of_its_text() {
    let mut world = World::company("2026-11-20T07:00:00Z").feed("cert", "");
    let item = |id: &str, text: &str| format!(r#"{{"id": "{id}", "content_text": "{text}"}}"#);
    let items = [item("a", "Quillgate lets anybody in."), item("b", "A word about something else.")].join(",");
    world.publish("cert", &format!(r#"{{"version": "https://jsonfeed.org/version/1.1", "items": [{items}]}}"#));
    world.tick();
    let mails = world.mailbox("maria");
    assert!(mails[0].contains("1. Quillgate lets anybody in."), "{}", mails[0]);
    assert!(mails[0].contains("A word about something else.") && !mails[0].contains("(no title)"), "{}", mails[0]);
    assert!(world.stories().iter().all(|story| story.title().is_none()), "it is no title");
}

#[test]
fn what_is_under_way_is_not_claimed_again_nor_anything_else_at_its_host_until_it_is_over() {
    let mut world =
        World::company("2026-11-20T07:00:00Z").feed("cert", "every = \"1h\"").feed("maker", "every = \"1h\"");
    world.publish("cert", &rss(&[("One", "one", "Text.")]));
    let context = world.context();
    let under_way = poll::claim(&context, Some(&[FeedId::new("cert")])).unwrap();
    for _ in 0..3 {
        assert!(poll::claim(&context, None).unwrap().is_empty(), "one is under way, the other is at the same host");
        world.wait(HOUR * 2);
    }
    let rows = context.store.read(|read| read.feeds()).unwrap();
    assert_eq!(rows.iter().map(|row| row.attempt).collect::<Vec<_>>(), [1, 0]);
    drop(under_way);
    let report = poll::ask(&context, poll::claim(&context, None).unwrap(), &mut |_| {}).unwrap();
    assert_eq!(report.feeds.len(), 2, "what was given up stays due");
    assert!(world.records_of("feed-state").iter().all(|record| !record.to_string().contains("never ended")));
    world.wait(HOUR * 2);
    assert!(!poll::claim(&context, None).unwrap().is_empty(), "what is done is free again");
}
