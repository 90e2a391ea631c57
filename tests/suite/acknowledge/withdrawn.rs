//! Stories that somebody else has now, and labels above what the owner may see: read at most, never decided.

use sigtrail::{
    jobs::acknowledge,
    model::{
        acknowledgement::{Answer, Disposition, Haste, Recorded, Via},
        digest::HandOver,
        id::{AssignmentNo, DigestNo, OwnerId, StoryNo},
    },
    route::Assigned,
    store::Reassigned,
};

use super::{NOW, Office};
use crate::harness::world::World;

/// Gives the story of the first assignment to Jon.
fn hand_over(office: &mut Office) {
    let context = office.world.context();
    let moved = Reassigned {
        assignment: AssignmentNo(1),
        why: HandOver::NoAnswer,
        to: Some(Assigned {
            owner: OwnerId::from("jon"),
            reason: "Maria Lopez did not answer.".to_owned(),
            urgent: false,
        }),
        withheld: None,
    };
    context.store.write(|write| write.reassign(&moved, context.version, context.now())).unwrap();
}

#[test]
fn a_story_that_went_to_somebody_else_can_be_read_and_no_longer_decided() {
    let mut office = Office::open();
    let story = office.stories[0].clone();
    let nonce = office.nonce(&story);
    office.world.wait_until("2026-11-20T14:00:00Z");
    hand_over(&mut office);
    office.world.wait_until("2026-11-20T15:00:00Z");
    let words = "This story is with Jon Bright since 14:00. You can still read it.";
    let page = office.get(&story);
    assert_eq!(page.status, 200);
    assert!(page.body.contains(words) && page.body.contains("sign-in bypass") && !page.body.contains("<form"));
    assert!(page.body.contains("Jon Bright: Maria Lopez did not answer."), "the chain tells it: {}", page.body);
    for fields in ["disposition=acted", "", "disposition=acted&corrects=1"] {
        for nonce in [nonce.as_str(), "old"] {
            let refused = office.post(&story, &format!("{fields}&note=portal+off&nonce={nonce}"));
            assert_eq!(refused.status, if nonce == "old" { 403 } else { 409 });
            assert!(refused.body.contains(&format!("Not recorded. {words}")), "{}", refused.body);
            assert!(refused.body.contains("portal off</textarea>"), "what was typed can be copied: {}", refused.body);
            assert!(!refused.body.contains("<form") && !refused.body.contains("send it again"), "{}", refused.body);
        }
    }
    let list = office.get(&office.all).body;
    assert!(list.contains("with Jon Bright") && list.contains("2 stories to answer"), "{list}");
    assert!(!office.get(&format!("{}/rest", office.all)).body.contains("sign-in bypass"));
    office.said(&format!("{}/rest", office.all), "note=not+in+use");
    let records = office.world.records_of("acknowledged");
    assert_eq!(records.len(), 1);
    assert!(!records[0]["fields"]["stories"].as_array().unwrap().contains(&1.into()), "{}", records[0]);
    office.world.wait_until("2026-11-21T09:00:00Z");
    assert!(office.get(&story).body.contains("since 20 Nov, 14:00."));
}

#[test]
fn what_goes_to_somebody_else_while_the_form_is_sent_is_not_decided_either() {
    let mut office = Office::open();
    hand_over(&mut office);
    let context = office.world.context();
    let answer = Answer {
        owner: OwnerId::from("maria"),
        digest: Some(DigestNo(1)),
        stories: vec![StoryNo(1), StoryNo(2)],
        disposition: Disposition::Acted,
        note: None,
        references: Vec::new(),
        corrects: None,
        happened: None,
        nonce: "late".to_owned(),
        via: Via::Link,
        haste: Haste::None,
    };
    assert_eq!(acknowledge::record(&context.store, &answer, context.now()).unwrap(), Recorded::Passed);
    assert_eq!(office.acknowledged(), 0);
}

#[test]
fn an_owner_whose_ceiling_is_lower_now_sees_nothing_above_it_in_an_old_digest() {
    let world = World::at(NOW)
        .owner("maria", "Maria Lopez", "tlp = \"AMBER\"")
        .owner("jon", "Jon Bright", "tlp = \"RED\"")
        .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
        .feed("cert", "tlp = \"AMBER\"");
    let mut office = Office::of(world);
    assert!(office.get(&office.stories[0]).body.contains("sign-in bypass"));
    let nonce = office.nonce(&office.stories[0]);
    let sent = format!("disposition=covered&nonce={}", office.nonce(&office.stories[1]));
    assert_eq!(office.post(&office.stories[1], &sent).status, 303);
    office.world.edit("owners", "tlp = \"AMBER\"", "tlp = \"GREEN\"");
    office.world.edit("owners", "fallback = \"maria\"", "fallback = \"jon\"");
    office.world.edit("feeds", "owner = \"maria\"", "owner = \"jon\"");
    office.reopen();
    let tails = ["", "/1", "/1?as=acted", "/rest"];
    for tail in tails {
        let page = office.get(&format!("{}{tail}", office.all));
        assert_eq!(page.status, 200);
        for secret in ["sign-in", "crafted", "CVE-2099", "second", "cert.example"] {
            assert!(!page.body.contains(secret), "{secret} at {tail}: {}", page.body);
        }
    }
    let page = office.get(&office.stories[0]).body;
    assert!(page.contains("This entry is restricted. Ask Jon Bright.") && !page.contains("<form"), "{page}");
    let refused = office.post(&office.stories[0], &format!("disposition=acted&note=portal+off&nonce={nonce}"));
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("Not recorded. This entry is restricted. Ask Jon Bright."), "{}", refused.body);
    assert!(refused.body.contains("portal off</textarea>") && !refused.body.contains("<form"), "{}", refused.body);
    let again = office.post(&office.stories[1], &sent);
    assert_eq!(again.status, 303, "what was recorded before is found again: {}", again.body);
    let page = office.get(again.header("location").unwrap()).body;
    assert!(page.contains("Already recorded on 20 Nov") && page.contains("This entry is restricted."), "{page}");
    assert_eq!(office.acknowledged(), 1);
}
