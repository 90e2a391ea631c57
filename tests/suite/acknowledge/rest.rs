//! One reason for everything that is still open, and "Not yours?".

use sigtrail::jobs::status::{Reason, status};

use super::Office;
use crate::harness::world::World;

#[test]
fn one_reason_answers_all_stories_that_are_still_open_and_the_page_shows_which() {
    let mut office = Office::open();
    office.said(&office.stories[1].clone(), "disposition=watching");
    let rest = format!("{}/rest", office.all);
    let page = office.get(&rest).body;
    assert!(page.contains("sign-in bypass") && page.contains("a third hole") && !page.contains("a second hole"));
    let bare = office.say(&rest, "note=+");
    assert_eq!(bare.status, 422);
    assert!(bare.body.contains("Say why this is not relevant") && bare.body.contains("<title>Error: "));
    office.said(&rest, "disposition=acted&note=none+of+it+is+in+use");
    let records = office.world.records_of("acknowledged");
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["fields"]["stories"].as_array().unwrap().len(), 2, "one record over what was open");
    assert_eq!(records[1]["fields"]["disposition"], "not-relevant", "the page asks for nothing else");
    let done = office.get(&rest);
    assert!(done.body.contains("Nothing is open") && !done.body.contains("<form"));
    let page = office.get(&office.stories[2]);
    assert!(page.body.contains("none of it is in use"));
    let one = sigtrail::token::mint(
        &office.key,
        &sigtrail::token::Scope {
            digest: sigtrail::model::id::DigestNo(1),
            story: Some(1),
            expires: "2026-12-01T00:00:00Z".parse().unwrap(),
        },
    );
    for tail in ["rest", "wrong"] {
        assert_eq!(office.get(&format!("/a/{one}/{tail}")).status, 404, "a link for one story speaks for that one");
    }
}

#[test]
fn who_says_that_something_is_not_theirs_is_heard_and_nothing_changes_hands() {
    let mut office = Office::open();
    let wrong = format!("{}/wrong", office.all);
    let page = office.get(&wrong).body;
    for thing in ["component:quillgate", "topic:prompt-injection", "feed:cert"] {
        assert!(page.contains(&format!("value=\"{thing}\"")), "{thing}");
    }
    assert!(!page.contains("libmarrow"), "what is Jon's is not Maria's to refuse");
    for (fields, words) in [
        ("note=Jon+runs+it", "Choose what is not yours"),
        ("what=component:quillgate", "Say why, or whose it is"),
        ("what=component:libmarrow&note=x", "Choose what is not yours"),
    ] {
        let reply = office.say(&wrong, fields);
        assert_eq!(reply.status, 422, "{fields}");
        assert!(reply.body.contains(words) && reply.body.contains("<title>Error: "), "{words}");
    }
    let record = office.said(&wrong, "what=component:quillgate&note=Jon+runs+it");
    let page = office.get(&format!("{wrong}?recorded={record}"));
    assert!(page.body.contains("Recorded. What you said is record"), "{}", page.body);
    let records = office.world.records_of("disowned");
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["fields"]["what"], &records[0]["fields"]["id"]),
        (&"component".into(), &"quillgate".into())
    );
    assert!(!records[0].to_string().contains("Jon"), "{}", records[0]);
    assert!(office.get(&office.all).body.contains("3 stories to answer"));
    let named = |world: &mut World| -> Vec<String> {
        let context = world.context();
        let now = context.now();
        let status = context.store.read(|read| status(read, &context.config, now)).unwrap();
        status.attention.into_iter().filter(|one| one.reason == Reason::NotTheirs).map(|one| one.text).collect()
    };
    let texts = named(&mut office.world);
    assert_eq!(texts.len(), 1);
    assert!(texts[0].contains("Maria Lopez says that Quillgate VPN is not theirs: \"Jon runs it\""), "{texts:?}");
    let block = "id = \"quillgate\"\nname = \"Quillgate VPN\"\nowner = ";
    office.world.edit("stack", &format!("{block}\"maria\""), &format!("{block}\"jon\""));
    office.world.restart();
    assert!(named(&mut office.world).is_empty(), "it is somebody else's now");
}

#[test]
fn a_form_for_what_was_open_answers_nothing_that_was_answered_since() {
    for tail in ["", "/rest"] {
        let mut office = Office::open();
        let path = format!("{}{tail}", office.all);
        let nonce = office.nonce(&path);
        for story in office.stories.clone() {
            office.said(&story, "disposition=acted");
        }
        let before = office.acknowledged();
        let reply = office.post(&path, &format!("disposition=not-relevant&note=for+all+of+it&nonce={nonce}"));
        assert_eq!(reply.status, 409, "{path}");
        assert!(reply.body.contains("Not recorded: nothing of this is open any more."), "{}", reply.body);
        assert!(reply.body.contains("for all of it</textarea>") && !reply.body.contains("<form"), "{}", reply.body);
        assert_eq!(office.acknowledged(), before);
    }
}

#[test]
fn a_form_that_was_opened_before_a_story_changed_does_not_answer_the_change() {
    let mut office = Office::open();
    let story = office.stories[0].clone();
    let nonce = office.nonce(&story);
    office.world.wait(jiff::SignedDuration::from_hours(4));
    office.world.publish(
        "cert",
        &crate::harness::world::rss(&[(
            "Quillgate: sign-in bypass CVE-2099-10007",
            "a1",
            "A crafted cookie skips the sign-in. It is actively exploited.",
        )]),
    );
    office.world.tick();
    let reply = office.post(&story, &format!("disposition=not-relevant&note=can+wait&nonce={nonce}"));
    assert_eq!(reply.status, 409, "{}", reply.body);
    assert!(reply.body.contains("this has changed") && reply.body.contains("can wait"), "{}", reply.body);
    assert_eq!(office.acknowledged(), 0);
    office.said(&story, "disposition=acted");
}
