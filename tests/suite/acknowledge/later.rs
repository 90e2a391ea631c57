//! What comes after the first answer: references, the next steps until a story is closed, corrections, and the chain that
//! shows all of it.

use rusqlite::Connection;
use serde_json::{Value, json};
use sigtrail::store::DATABASE;

use super::Office;

fn chain(page: &str) -> Vec<(String, String, u64)> {
    let text = |row: &str, class: &str| -> String {
        let Some(rest) = row.split(&format!("<span class=\"{class}\">")).nth(1) else { return String::new() };
        let mut plain = String::new();
        let mut depth = 1;
        let mut rest = rest;
        while depth > 0 {
            let Some((before, after)) = rest.split_once('<') else { break };
            plain.push_str(before);
            depth = if after.starts_with("/span") { depth - 1 } else { depth + usize::from(after.starts_with("span")) };
            rest = after.split_once('>').map_or("", |(_, after)| after);
        }
        plain.trim().to_owned()
    };
    let Some(list) = page.split("<ol class=\"chain\">").nth(1) else { return Vec::new() };
    let list = list.split("</ol>").next().unwrap();
    list.split("<li")
        .skip(1)
        .map(|row| {
            let record = text(row, "no").replace("record ", "").replace(',', "");
            (text(row, "what"), text(row, "how"), record.parse().unwrap_or(0))
        })
        .collect()
}

#[test]
fn a_later_visit_adds_to_the_chain_until_the_story_is_closed() {
    let mut office = Office::open();
    let story = office.stories[0].clone();
    assert!(!office.get(&story).body.contains("value=\"closed\""), "there is nothing to close yet");
    let early = office.say(&story, "disposition=closed&note=done");
    assert_eq!(early.status, 422);
    assert!(early.body.contains("Say first what was done: nobody has answered this yet"));
    office.said(&story, "disposition=discuss&reference_kind=minutes&reference=20+Nov,+item+4");
    office.world.wait(jiff::SignedDuration::from_hours(2));
    office.said(
        &story,
        "disposition=acted&note=portal+off&reference_kind=ticket&reference=https://tickets.example/CHG-118",
    );
    let page = office.get(&story);
    assert!(page.body.contains("value=\"closed\"") && page.body.contains("not yet"));
    let last = office.said(&story, "disposition=closed");
    let page = office.get(&story);
    let steps = chain(&page.body);
    let words: Vec<&str> = steps.iter().map(|(word, _, _)| word.as_str()).collect();
    assert_eq!(words, ["received", "tagged", "routed", "delivered", "answered", "answered", "closed"], "{}", page.body);
    assert!(steps[0].1.starts_with("Cert, entry "), "{steps:?}");
    assert!(steps[2].1.contains("Maria Lopez: Quillgate VPN is yours."), "{steps:?}");
    assert!(steps[3].1.contains("Maria Lopez: 250"), "{steps:?}");
    assert!(steps[4].1.contains("Maria Lopez: discuss") && steps[4].1.contains("minutes 20 Nov, item 4"), "{steps:?}");
    assert_eq!(steps[6].2, last);
    assert!(page.body.contains("<a href=\"https://tickets.example/CHG-118\" rel=\"noopener noreferrer\">"));
    assert!(!page.body.contains("not yet"));
    let records = office.world.records();
    let kinds: Vec<&Value> = steps.iter().map(|(_, _, no)| &records[usize::try_from(*no).unwrap()]["kind"]).collect();
    let expected = [
        "entry-received",
        "entry-tagged",
        "entry-routed",
        "delivery-finished",
        "acknowledged",
        "acknowledged",
        "acknowledged",
    ];
    assert_eq!(kinds, expected, "each step names its own record");
    let said = office.world.records_of("acknowledged");
    assert_eq!(said[0]["fields"]["references"], json!(["minutes"]));
    assert_eq!(said[1]["fields"]["references"], json!(["ticket"]));
    assert!(!format!("{said:?}").contains("CHG-118"), "what a reference says enters the log as a commitment only");
}

#[test]
fn closing_needs_a_word_or_a_reference_and_a_reference_needs_its_kind() {
    let mut office = Office::open();
    let story = office.stories[1].clone();
    office.said(&story, "disposition=acted");
    let bare = office.say(&story, "disposition=closed");
    assert_eq!(bare.status, 422);
    assert!(bare.body.contains("Say how this was closed, or give a reference"));
    let kindless = office.say(&story, "disposition=closed&reference_kind=&reference=CHG-9");
    assert_eq!(kindless.status, 422);
    assert!(kindless.body.contains("Choose what the reference is") && kindless.body.contains("value=\"CHG-9\""));
    office.said(&story, "disposition=closed&reference_kind=risk&reference=R-12");
    assert_eq!(office.acknowledged(), 2);
    let whole = office.say(&office.all.clone(), "disposition=closed&note=all+done");
    assert_eq!(whole.status, 422, "a digest is not closed at once: its open stories have no answer yet");
}

#[test]
fn a_correction_is_a_new_record_that_names_the_one_it_corrects() {
    let mut office = Office::open();
    let (story, other) = (office.stories[0].clone(), office.stories[1].clone());
    let wrong = office.said(&story, "disposition=not-relevant&note=not+in+use");
    let elsewhere = office.said(&other, "disposition=acted");
    for corrects in [elsewhere, 0, 999_999] {
        let reply = office.say(&story, &format!("disposition=acted&corrects={corrects}"));
        assert_eq!(reply.status, 422, "{corrects}");
        assert!(reply.body.contains("Choose an answer of yours that was not corrected yet"));
    }
    assert_eq!(office.say(&story, "disposition=acted&corrects=x").status, 422);
    let right = office.said(&story, &format!("disposition=acted&note=patched&corrects={wrong}"));
    let again = office.say(&story, &format!("disposition=watching&corrects={wrong}"));
    assert_eq!(again.status, 422, "what was corrected is not corrected twice");
    let page = office.get(&story);
    assert!(page.body.contains(&format!("corrected by record {right}")));
    assert!(page.body.contains("not in use") && page.body.contains("patched"), "answers are never changed");
    assert!(chain(&page.body).iter().any(|(word, how, no)| word == "corrected"
        && *no == right
        && how.contains(&format!("instead of record {wrong}"))));
    let records = office.world.records_of("acknowledged");
    assert_eq!(records.last().unwrap()["fields"]["corrects"], wrong);
}

#[test]
fn what_records_speak_of_can_be_made_anew_from_the_log() {
    let office = Office::open();
    office.said(&office.stories[0].clone(), "disposition=acted");
    office.said(&office.all.clone(), "disposition=covered");
    let database = Connection::open(office.world.state().join(DATABASE)).unwrap();
    let rows = || -> Vec<(String, i64, i64)> {
        let mut query = database.prepare("SELECT about, no, record FROM trail_state ORDER BY 1, 2, 3").unwrap();
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().map(Result::unwrap).collect()
    };
    let kept = rows();
    assert!(kept.len() > 8, "{kept:?}");
    database.execute("DELETE FROM trail_state", []).unwrap();
    let migration = include_str!("../../../src/store/migrations/0002_owner.sql");
    let (_, table) = migration.split_once("CREATE TABLE trail_state").unwrap();
    for insert in table.split("INSERT OR IGNORE INTO trail_state").skip(1) {
        let insert = insert.split(';').next().unwrap();
        database.execute(&format!("INSERT OR IGNORE INTO trail_state{insert}"), []).unwrap();
    }
    assert_eq!(rows(), kept);
}
