//! Links that ended, the new ones that are mailed to the same address, and links of an older key.

use std::fs;

use jiff::SignedDuration;

use super::Office;
use crate::harness::{page::nonce_of, world::World};

/// After the links of the first digest have ended.
const AFTER: &str = "2026-12-20T08:00:01Z";

fn links(mail: &str) -> Vec<String> {
    let links = mail.lines().filter_map(|line| line.trim().strip_prefix("https://sigtrail.example.com"));
    links.filter(|path| path.starts_with("/a/")).map(ToOwned::to_owned).collect()
}

#[test]
fn who_asks_with_a_link_that_ended_gets_new_ones_for_what_is_open_by_mail_once_a_day() {
    let world = World::at(super::NOW).owner("maria", "Maria Lopez", "").component(
        "quillgate",
        "Quillgate VPN",
        "maria",
        &["quillgate"],
    );
    // Without anybody else to ask, the stories stay with Maria.
    let mut office = Office::of(world.feed("cert", ""));
    office.said(&office.stories[1].clone(), "disposition=acted");
    office.world.wait_until(AFTER);
    let page = office.get(&office.stories[0]);
    assert_eq!(page.status, 410);
    assert!(page.body.contains("This link ended on 20 Dec.") && !page.body.contains("Quillgate"), "{}", page.body);
    let token = office.all.split('/').nth(2).unwrap().to_owned();
    let anew = format!("/a/{token}/anew");
    assert!(page.body.contains(&format!("action=\"{anew}\"")));
    for forged in ["", "nonce=", "nonce=AAAA"] {
        assert_eq!(office.post(&anew, forged).status, 410, "{forged}");
    }
    let answers: Vec<String> = (0..2)
        .map(|_| {
            let reply = office.post(&anew, &format!("nonce={}", nonce_of(&page.body)));
            assert_eq!(reply.status, 200);
            reply.body
        })
        .collect();
    assert_eq!(answers[0], answers[1], "the second request within a day is answered alike");
    assert!(answers[0].contains("a mail with new links is on its way") && !answers[0].contains("example.com"));
    let asked = office.world.records_of("links-asked");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["fields"]["stories"].as_array().unwrap().len(), 2);
    office.world.tick();
    let mails = office.world.mailbox("maria");
    let new = mails.iter().find(|mail| mail.contains("New links: ")).unwrap_or_else(|| panic!("{mails:?}"));
    assert!(!new.contains("a second hole"), "what was answered is not told again: {new}");
    let composed = office.world.records_of("digest-composed");
    assert_eq!(composed.iter().filter(|record| record["fields"]["kind"] == "links").count(), 1);
    let paths = links(new);
    assert_eq!(office.get(&paths[0]).status, 200);
    office.said(&paths[1].clone(), "disposition=covered");
    office.world.wait(SignedDuration::from_hours(25));
    let page = office.get(&office.stories[0]);
    assert_eq!(office.post(&anew, &format!("nonce={}", nonce_of(&page.body))).status, 200);
    let asked = office.world.records_of("links-asked");
    assert_eq!(asked[1]["fields"]["stories"].as_array().unwrap().len(), 1);
}

#[test]
fn a_link_that_works_gives_no_other_and_one_of_nobody_mails_nothing() {
    let mut office = Office::open();
    let token = office.all.split('/').nth(2).unwrap().to_owned();
    let anew = format!("/a/{token}/anew");
    assert_eq!(office.post(&anew, "nonce=x").status, 404);
    office.world.wait_until(AFTER);
    let nonce = nonce_of(&office.get(&office.all).body);
    office.world.edit("owners", "id = \"maria\"", "until = 2026-11-30\nid = \"maria\"");
    office.world.edit("owners", "fallback = \"maria\"", "fallback = \"jon\"");
    office.world.edit("stack", "owner = \"maria\"", "owner = \"jon\"");
    office.world.edit("feeds", "owner = \"maria\"", "owner = \"jon\"");
    office.reopen();
    assert_eq!(office.post(&anew, &format!("nonce={nonce}")).status, 200, "the answer tells nothing");
    assert!(office.world.records_of("links-asked").is_empty());
    let before = office.world.mailbox("maria").len();
    office.world.tick();
    assert_eq!(office.world.mailbox("maria").len(), before);
}

#[test]
fn a_07_links_of_the_older_key_work_to_their_end_and_new_ones_use_the_new_key() {
    let mut office = Office::open();
    let (story, all) = (office.stories[0].clone(), office.all.clone());
    let nonce = office.nonce(&story);
    let state = office.world.state();
    fs::rename(state.join("link-key"), state.join("link-key.old")).unwrap();
    office.reopen();
    assert_ne!(fs::read(state.join("link-key")).unwrap(), fs::read(state.join("link-key.old")).unwrap());
    assert_eq!(office.get(&all).status, 200);
    let open_form = office.post(&story, &format!("disposition=acted&nonce={nonce}"));
    assert_eq!(open_form.status, 303, "a form that was open meanwhile is taken");
    office.said(&office.stories[1].clone(), "disposition=acted");
    office.world.publish("cert", &crate::harness::world::rss(&[("Quillgate: a fourth hole", "a4", "Text.")]));
    office.world.wait_until("2026-11-23T08:00:00Z");
    office.world.tick();
    let newest = links(office.world.mailbox("maria").last().unwrap())[0].clone();
    // The first six bits of a link are the first of its key's id.
    fs::remove_file(state.join("link-key.old")).unwrap();
    office.reopen();
    assert_eq!(office.get(&newest).status, 200, "made with the new key alone");
    assert_eq!(office.get(&all).status, 404, "without the older key its links are nobody's");
    assert_eq!(office.acknowledged(), 2);
}

#[test]
fn a_07_the_older_key_opens_what_ended_no_longer_than_it_said() {
    let mut office = Office::open();
    let state = office.world.state();
    fs::rename(state.join("link-key"), state.join("link-key.old")).unwrap();
    office.reopen();
    office.world.wait_until("2026-12-20T07:59:59Z");
    assert_eq!(office.get(&office.all).status, 200);
    office.world.wait_until(AFTER);
    assert_eq!(office.get(&office.all).status, 410);
}
