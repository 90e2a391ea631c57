//! Changes as they are told, and what they are stored as.

use super::*;
use crate::model::stack::{Field, Method};

fn version(title: &str, text: &str) -> Version {
    let entry = Entry { title: Some(title.into()), summary: Some(text.into()), ..Entry::default() };
    Version { marks: crate::marks::marks(&entry), entry, tags: Vec::new() }
}

fn tag(id: &str) -> Tag {
    Tag {
        kind: TagKind::Component,
        id: id.into(),
        term: id.into(),
        field: Field::Title,
        start: 0,
        end: 1,
        snippet: String::new(),
        method: Method::Term,
        confidence: 50,
    }
}

const LONG: &str = "A flaw in the parser of Quillgate lets anybody on the network read what they should not.";

/// The sentence for a reader who is meant by every component.
fn told(before: &str, now: &str) -> Option<String> {
    let text = |more: &str| format!("{LONG} {more}");
    between(&version("Flaw", &text(before)), &version("Flaw", &text(now))).sentence(&|id| Some(id.to_owned()))
}

#[test]
fn every_material_change_is_told_in_words() {
    for (before, now, words) in [
        ("", "It is being exploited in the wild.", "Updated: now stated to be exploited."),
        ("Severity: medium", "Severity: critical", "Updated: severity critical, was medium."),
        ("", "CVSS 7.5", "Updated: severity high, first stated."),
        ("CVE-2099-10001", "CVE-2099-10001, CVE-2099-10002", "Updated: names CVE-2099-10002 as well."),
        ("CVE-2099-10001, CVE-2099-10002", "CVE-2099-10001", "Updated: names CVE-2099-10002 no longer."),
        ("No patch is available.", "Fixed in 9.1.4.", "Updated: a fix is published."),
        ("", "This advisory has been withdrawn.", "Updated: its publisher withdrew it."),
        (
            "Known use in ransomware campaigns: Unknown",
            "Known use in ransomware campaigns: Known",
            "Updated: now known to be used for ransomware.",
        ),
    ] {
        assert_eq!(told(before, now).as_deref(), Some(words));
    }
}

#[test]
fn every_other_change_is_told_to_nobody() {
    for (before, now) in [
        ("", "A word."),
        ("Severity: critical", "Severity: low"),
        ("", "Severity: low"),
        ("", "CVSS score: 6.9"),
        ("It is being exploited in the wild.", ""),
        ("Fixed in 9.1.4.", "Fixed in 9.1.5."),
        ("one", "two"),
    ] {
        assert_eq!(told(before, now), None, "{before} -> {now}");
    }
    let mut moved = version("Flaw", LONG);
    moved.entry.link = Some("https://cert.example/elsewhere".into());
    moved.entry.categories = vec!["news".into()];
    let change = between(&version("Flaw", LONG), &moved);
    assert!(!change.is_material());
    assert_eq!(change.names(), ["link", "categories"]);
}

/// What was told by entries with these versions, numbered from 1.
fn heard(told: &[Version]) -> Heard {
    let mut heard = Heard::default();
    for (entry, version) in (1..).zip(told) {
        heard.add(EntryNo(entry), version);
    }
    heard
}

#[test]
fn a_new_component_is_told_to_whom_it_means() {
    let mut now = version("Flaw", LONG);
    now.tags = vec![tag("libmarrow")];
    let change = between(&version("Flaw", LONG), &now);
    assert!(change.is_material());
    let name = |id: &str| (id == "libmarrow").then(|| "libmarrow".to_owned());
    assert_eq!(change.sentence(&name).as_deref(), Some("Updated: now about libmarrow too."));
    assert_eq!(change.sentence(&|_| None), None);
    assert!(!change.beyond(EntryNo(9), &heard(&[now])).is_material());
}

#[test]
fn what_was_told_of_the_story_before_is_no_news() {
    let was = version("Flaw CVE-2099-10001", LONG);
    let now = version(
        "Flaw CVE-2099-10001",
        &format!("{LONG} Severity: critical. Exploited in the wild. CVE-2099-10002. Fixed in 9.1.4."),
    );
    let change = between(&was, &now);
    assert_eq!(change.names(), ["exploited", "severity", "cves", "fix", "text"]);
    let calm = change.clone().beyond(EntryNo(9), &heard(&[version("t", "Severity: high. Fixed in 9.1.4.")]));
    assert_eq!(calm.names(), ["exploited", "severity", "cves", "text"]);
    assert!(!change.beyond(EntryNo(9), &heard(&[now])).is_material());
}

#[test]
fn an_id_that_is_gone_is_news_unless_another_entry_names_it() {
    let was = version("Flaw CVE-2099-10001 CVE-2099-10002", LONG);
    let change = between(&was, &version("Flaw CVE-2099-10001", LONG));
    let told = heard(&[was]);
    assert!(change.clone().beyond(EntryNo(1), &told).is_material());
    assert!(!change.beyond(EntryNo(2), &told).is_material());
}

#[test]
fn what_comes_back_after_it_was_told_is_no_news() {
    let was = version("Flaw", &format!("{LONG} Severity: high. Fixed in 9.1.4."));
    let back = between(&version("Flaw", LONG), &was);
    assert!(back.is_material() && !back.beyond(EntryNo(1), &heard(&[was])).is_material());
}

#[test]
fn only_what_is_worse_leaves_the_baseline() {
    let worse = |before: &str, now: &str| between(&version("t", before), &version("t", now)).is_worse();
    assert!(worse("", "Severity: high"));
    assert!(worse("Severity: low", "Severity: medium"));
    assert!(!worse("", "Severity: medium"));
    assert!(worse("Severity: low", "Severity: high"));
    assert!(worse("", "exploited in the wild"));
    assert!(!worse("Severity: high", "Severity: low"));
    assert!(!worse("", "CVE-2099-10001. Fixed in 9.1.4. This advisory has been withdrawn."));
}

#[test]
fn a_version_whose_texts_are_gone_is_compared_by_its_marks() {
    let before = Version { marks: Marks { severity: Some(Severity::Low), ..Marks::default() }, ..Version::default() };
    let mut now = version("Flaw CVE-2099-10001", &format!("{LONG} Severity: critical. Fixed in 9.1.4."));
    now.tags = vec![tag("quillgate")];
    assert_eq!(between(&before, &now).names(), ["severity"]);
}

#[test]
fn was_and_is_stand_beside_each_other() {
    let change = between(&version("Flaw in 9.1.3", "Before 9.1.3."), &version("Flaw in 9.1.4", "Before 9.1.4."));
    assert_eq!(change.lines(), ["The title was \"Flaw in 9.1.3\".", "Was \"Before 9.1.3.\", is \"Before 9.1.4.\""]);
}

#[test]
fn a_change_is_stored_as_what_it_says() {
    let change = between(&version("a", "Severity: low"), &version("b", "Severity: high"));
    let json = serde_json::to_string(&change).unwrap();
    assert_eq!(
        json,
        r#"{"title":["a","b"],"severity":["low","high"],"text":[{"was":"Severity: low","is":"Severity: high"}]}"#
    );
    assert_eq!(serde_json::from_str::<Change>(&json).unwrap(), change);
    assert_eq!(serde_json::from_str::<Change>("{}").unwrap(), Change::default());
}

#[test]
fn texts_that_come_or_go_are_no_rewriting() {
    let bare = Version { entry: Entry { title: Some("Flaw".into()), ..Entry::default() }, ..Version::default() };
    assert!(!between(&bare, &version("Flaw", LONG)).rewritten);
    assert!(!between(&version("Flaw", LONG), &bare).rewritten);
    assert!(
        between(&version("Flaw", LONG), &version("Flaw", "Something else entirely stands here from today on."))
            .rewritten
    );
}
