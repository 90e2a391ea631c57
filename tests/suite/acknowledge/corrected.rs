//! What a correction changes and what it leaves: it stands where the corrected answer stood, everywhere that answers are
//! read.

use jiff::SignedDuration;
use sigtrail::model::id::OwnerId;

use super::{NOW, Office};
use crate::harness::{
    daemon::machine,
    world::{World, rss},
};

/// The stories that wait for an answer of Maria, by number.
fn open(office: &mut Office) -> Vec<i64> {
    let rows = office.world.context().store.read(|read| read.open_of(&OwnerId::new("maria"))).unwrap();
    rows.into_iter().map(|row| row.story.0).collect()
}

#[test]
fn a_correction_of_an_older_answer_leaves_a_closed_story_closed() {
    let office = Office::open();
    let story = office.stories[0].clone();
    let wrong = office.said(&story, "disposition=watching&note=still+looking");
    office.world.wait(SignedDuration::from_hours(1));
    let closing = office.said(&story, "disposition=closed&note=portal+removed");
    let right = office.said(&story, &format!("disposition=acted&note=portal+off&corrects={wrong}"));
    let page = office.get(&story).body;
    assert!(!page.contains("not yet"), "the closing was said after what is corrected: {page}");
    assert!(page.contains(&format!("corrected by record {right}")));
    let list = office.get(&office.all.clone()).body;
    assert!(list.contains("answered: Closed"), "{list}");
    let shown = office.stories_json();
    assert!(shown.contains("\"disposition\":\"closed\"") && shown.contains("portal removed"), "{shown}");

    office.said(&story, &format!("disposition=discuss&note=not+yet+gone&corrects={closing}"));
    assert!(office.get(&story).body.contains("not yet"), "the closing itself was corrected");
    assert!(office.get(&office.all.clone()).body.contains("answered: Discuss"));
    assert!(office.stories_json().contains("\"disposition\":\"discuss\""));
}

#[test]
fn a_reference_that_was_corrected_away_is_no_trace_of_a_closing_and_is_listed_no_more() {
    let mut office = Office::open();
    let story = office.stories[0].clone();
    let wrong = office.said(&story, "disposition=acted&reference_kind=ticket&reference=CHG-118");
    assert!(office.stories_json().contains("ticket:CHG-118"));
    office.said(&story, &format!("disposition=watching&corrects={wrong}"));
    assert!(!office.stories_json().contains("CHG-118"));
    let bare = office.say(&story, "disposition=closed");
    assert_eq!(bare.status, 422, "{}", bare.body);
    assert!(bare.body.contains("Say how this was closed, or give a reference"));
    assert_eq!(office.acknowledged(), 2);
}

#[test]
fn a_correction_of_what_was_said_before_a_change_answers_no_change_and_mails_quote_what_stands() {
    let mut office = Office::of(World::company(NOW).feed("cert", "baseline = 3"));
    let story = office.stories[0].clone();
    let wrong = office.said(&story, "disposition=not-relevant&note=we+have+none");
    let right = office.said(&story, &format!("disposition=watching&note=one+in+the+lab&corrects={wrong}"));
    assert_eq!(open(&mut office).len(), 2);

    let exploited = "A crafted cookie skips the sign-in. It is actively exploited.";
    office.world.publish("cert", &rss(&[("Quillgate: sign-in bypass CVE-2099-10007", "a1", exploited)]));
    office.world.wait(SignedDuration::from_hours(2));
    office.world.tick();
    let mail = office.world.mailbox("maria").pop().unwrap();
    assert!(mail.contains("exploited") && mail.contains("one in the lab"), "{mail}");
    assert!(!mail.contains("we have none"), "what was corrected is not quoted: {mail}");
    assert_eq!(open(&mut office).len(), 3, "it is asked again");
    let link = mail.lines().find_map(|line| line.trim().strip_prefix("https://sigtrail.example.com/a/"));
    let story = format!("/a/{}/1", link.unwrap().trim_end_matches("/1"));

    let again = office.said(&story, &format!("disposition=covered&note=lab+only&corrects={right}"));
    assert_eq!(open(&mut office).len(), 3, "the correction says what was meant before the change");
    let page = office.get(&story).body;
    assert!(page.contains("What do you say?") && page.contains(&format!("corrected by record {again}")), "{page}");
    office.said(&story, "disposition=acted&note=taken+off+the+net");
    assert_eq!(open(&mut office).len(), 2);
    assert!(office.get(&story).body.contains("Add another answer"));
}

impl Office {
    /// What `sigtrail stories --json` prints of the first story.
    fn stories_json(&self) -> String {
        let root = self.world.root.path().display().to_string();
        let words = ["--root", &root, "stories", "--json", "sign-in"];
        let output = machine(env!("CARGO_BIN_EXE_sigtrail"), &words).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}
