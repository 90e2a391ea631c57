//! Forms that record nothing: each says so, says why, and gives back what was typed.

use jiff::SignedDuration;
use sigtrail::{
    model::id::DigestNo,
    token::{self, Scope},
};

use super::Office;
use crate::harness::page::{Reply, ask, nonce_of};

/// What a person typed into any form.
const TYPED: &str = "note=the+portal+is+%3Coff%3E%0D%0Asince+Monday&reference_kind=ticket&reference=CHG-118";
/// The same, to be copied.
const SHOWN: &str = "the portal is &#60;off&#62;\nsince Monday\nCHG-118";

/// What a page gives back to be copied.
fn typed(reply: &Reply) -> Option<&str> {
    let (_, rest) = reply.body.split_once("<textarea id=\"typed\"")?;
    rest.split_once(">\n")?.1.split_once("</textarea>").map(|(text, _)| text)
}

/// Fails where a form was recorded, or does not say plainly that it was not.
#[track_caller]
fn assert_unrecorded(reply: &Reply, status: u16, words: &str) {
    assert_eq!(reply.status, status, "{}", reply.body);
    assert!(reply.body.contains("Not recorded"), "{}", reply.body);
    assert!(reply.body.contains(words), "{words}: {}", reply.body);
    assert!(reply.body.contains("<title>Error: "), "{}", reply.body);
}

/// Every kind of record that a form makes.
fn recorded(office: &mut Office) -> usize {
    let kinds = ["acknowledged", "disowned", "links-asked"];
    kinds.into_iter().map(|kind| office.world.records_of(kind).len()).sum()
}

/// The forms of a digest with what is chosen in them.
fn forms(office: &Office) -> [(String, &'static str); 4] {
    let (all, story) = (office.all.clone(), office.stories[0].clone());
    [
        (story, "disposition=acted&corrects=7"),
        (all.clone(), "disposition=covered"),
        (format!("{all}/rest"), "disposition=not-relevant"),
        (format!("{all}/wrong"), "what=component:quillgate"),
    ]
}

#[test]
fn what_is_sent_with_a_link_that_ended_is_not_recorded_and_can_be_copied() {
    let mut office = Office::open();
    let forms = forms(&office).map(|(path, fields)| (format!("{fields}&nonce={}", office.nonce(&path)), path));
    office.world.wait_until("2026-12-20T08:00:01Z");
    for (fields, path) in forms {
        let reply = office.post(&path, &format!("{fields}&{TYPED}"));
        assert_unrecorded(&reply, 410, "This link ended on 20 Dec.");
        let copied = typed(&reply).unwrap_or_else(|| panic!("{path}: {}", reply.body));
        assert!(SHOWN.starts_with(copied) && copied.contains("since Monday"), "{path}: {copied}");
        assert!(reply.body.contains("Mail me a new link"), "{path}");
        let bare = office.post(&path, &fields);
        assert_unrecorded(&bare, 410, "We can mail a new one to the same address.");
        assert_eq!(typed(&bare), None, "nothing was typed");
        assert!(!office.get(&path).body.contains("Not recorded"), "who only looks has lost nothing");
    }
    let anew = format!("/a/{}/anew", office.all.split('/').nth(2).unwrap());
    assert_unrecorded(&office.post(&anew, "nonce=old"), 410, "This link ended on 20 Dec.");
    assert_eq!(recorded(&mut office), 0);
}

#[test]
fn what_is_sent_with_a_link_that_leads_nowhere_is_not_recorded_and_can_be_copied_by_who_sent_it() {
    let mut office = Office::open();
    let scope = Scope { digest: DigestNo(99), story: None, expires: "2026-12-01T00:00:00Z".parse().unwrap() };
    let nobodys = format!("/a/{}", token::mint(&office.key, &scope));
    let odd = [nobodys.clone(), format!("{nobodys}/rest"), format!("{nobodys}/wrong"), format!("{}/4", office.all)];
    for path in &odd {
        let reply = office.post(path, &format!("disposition=acted&{TYPED}"));
        assert_unrecorded(&reply, 404, "This link is not complete. Copy all of it from the mail.");
        assert!(typed(&reply).is_some_and(|text| text.starts_with("the portal is")), "{path}: {}", reply.body);
        let foreign = [("Origin", "https://evil.example")];
        let elsewhere = ask(office.page.address, "POST", path, &foreign, &format!("disposition=acted&{TYPED}"));
        assert_unrecorded(&elsewhere, 404, "");
        assert_eq!(typed(&elsewhere), None, "what another site wrote is not shown as the person's own: {path}");
    }
    for n in 0..500 {
        if office.get(&odd[0]).status == 429 {
            break;
        }
        assert!(n < 499, "wrong links are limited");
    }
    let limited = office.post(&odd[0], &format!("disposition=acted&{TYPED}"));
    assert_unrecorded(&limited, 429, "This link is not complete.");
    assert!(limited.header("retry-after").is_some() && typed(&limited).is_some());
    assert_eq!(recorded(&mut office), 0);
}

#[test]
fn a_form_with_a_mistake_or_too_old_says_that_nothing_is_recorded_yet_and_comes_back_filled() {
    let mut office = Office::open();
    let nonces = forms(&office).map(|(path, _)| office.nonce(&path));
    for (path, chosen) in forms(&office) {
        let chosen = chosen.trim_end_matches("&corrects=7");
        let bare = office.say(&path, "");
        assert_unrecorded(&bare, 422, "Not recorded yet:");
        let long = office.post(&path, &format!("{chosen}&note={}", "x".repeat(100_000)));
        assert_unrecorded(&long, 413, "did not arrive whole");
        let forged = office.post(&path, &format!("{chosen}&{TYPED}&nonce=AAAA"));
        assert_unrecorded(&forged, 403, "Not recorded yet");
        assert!(forged.body.contains("since Monday</textarea>"), "{path}: {}", forged.body);
    }
    office.world.wait(SignedDuration::from_hours(13));
    for ((path, chosen), nonce) in forms(&office).into_iter().zip(nonces) {
        let stale = office.post(&path, &format!("{chosen}&{TYPED}&nonce={nonce}"));
        assert_unrecorded(&stale, 403, "It is filled in as you left it; send it again.");
        assert!(stale.body.contains("since Monday</textarea>"), "{path}: {}", stale.body);
    }
    assert_eq!(recorded(&mut office), 0);
}

#[test]
fn what_is_said_of_nothing_that_is_theirs_any_more_is_not_recorded() {
    let mut office = Office::open();
    let wrong = format!("{}/wrong", office.all);
    let nonce = office.nonce(&wrong);
    let block = "id = \"quillgate\"\nname = \"Quillgate VPN\"\nowner = ";
    office.world.edit("stack", &format!("{block}\"maria\""), &format!("{block}\"jon\""));
    office.reopen();
    let given_away = office.post(&wrong, &format!("what=component:quillgate&note=Jon+runs+it&nonce={nonce}"));
    assert_unrecorded(&given_away, 422, "what you chose is not configured as yours");
    assert!(given_away.body.contains("Jon runs it</textarea>"), "{}", given_away.body);
    office.world.edit("owners", "id = \"maria\"", "until = 2026-11-19\nid = \"maria\"");
    office.world.edit("owners", "fallback = \"maria\"", "fallback = \"jon\"");
    office.world.edit("stack", "owner = \"maria\"", "owner = \"jon\"");
    office.world.edit("feeds", "owner = \"maria\"", "owner = \"jon\"");
    office.reopen();
    let page = office.get(&wrong);
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Nothing is configured as Maria Lopez&#39;s.") && !page.body.contains("<form"));
    let late = office.post(&wrong, &format!("what=topic:prompt-injection&note=Jon+runs+it&nonce={nonce}"));
    assert_unrecorded(&late, 409, "nothing is configured as yours now");
    assert_eq!(typed(&late), Some("Jon runs it"));
    assert_eq!(recorded(&mut office), 0);
}

#[test]
fn a_form_that_says_something_else_the_second_time_is_not_taken_for_the_first() {
    let mut office = Office::open();
    let story = office.stories[0].clone();
    let nonce = office.nonce(&story);
    let said = "disposition=watching&note=until+Monday&reference_kind=ticket&reference=CHG-1";
    let first = office.post(&story, &format!("{said}&nonce={nonce}"));
    let record = first.header("location").unwrap().split("recorded=").nth(1).unwrap().to_owned();
    let again = office.post(&story, &format!("{said}&nonce={nonce}"));
    assert!(again.header("location").unwrap().ends_with(&format!("?already={record}")));
    let shown = office.get(again.header("location").unwrap()).body;
    assert!(shown.contains(&format!("Nothing was added. It is record {record}.")), "{shown}");
    for other in [
        "disposition=acted&note=until+Monday&reference_kind=ticket&reference=CHG-1".to_owned(),
        "disposition=watching&note=until+Tuesday&reference_kind=ticket&reference=CHG-1".to_owned(),
        "disposition=watching&note=until+Monday&reference_kind=ticket&reference=CHG-2".to_owned(),
        "disposition=watching&note=until+Monday&reference_kind=risk&reference=CHG-1".to_owned(),
        format!("{said}&corrects={record}"),
    ] {
        let reply = office.post(&story, &format!("{other}&nonce={nonce}"));
        assert_unrecorded(&reply, 409, &format!("recorded before, as record {record}, and said something else"));
        assert_eq!(office.acknowledged(), 1, "{other}");
    }
    let reply = office.post(&story, &format!("disposition=acted&note=portal+off&nonce={nonce}"));
    assert!(reply.body.contains("portal off</textarea>") && reply.body.contains("value=\"acted\" checked"));
    assert!(reply.body.contains("until Monday"), "what stands is shown beside it");
    let sent = format!("disposition=acted&note=portal+off&corrects={record}&nonce={}", nonce_of(&reply.body));
    assert_eq!(office.post(&story, &sent).status, 303, "who means it sends it again");
    assert_eq!(office.acknowledged(), 2);
}

#[test]
fn an_answer_for_all_that_says_something_else_the_second_time_is_not_taken_for_the_first() {
    for tail in ["/rest", ""] {
        let mut office = Office::open();
        let path = format!("{}{tail}", office.all);
        let nonce = office.nonce(&path);
        let said = |note: &str| format!("disposition=not-relevant&note={note}&nonce={nonce}");
        assert_eq!(office.post(&path, &said("first")).status, 303);
        assert!(office.post(&path, &said("first")).header("location").unwrap().contains("?already="));
        let other = office.post(&path, &said("second"));
        assert_unrecorded(&other, 409, "and said something else. That stands;");
        assert_eq!(typed(&other), Some("second"), "nothing is open, so there is no form that holds it");
        assert_eq!(office.acknowledged(), 1);
    }
}

#[test]
fn not_yours_said_twice_with_one_form_is_recorded_once_and_another_choice_is_not_swallowed() {
    let mut office = Office::open();
    let wrong = format!("{}/wrong", office.all);
    let nonce = office.nonce(&wrong);
    let said = |what: &str, note: &str| format!("what={what}&note={note}&nonce={nonce}");
    let first = office.post(&wrong, &said("component:quillgate", "Jon+runs+it"));
    let record = first.header("location").unwrap().split("recorded=").nth(1).unwrap().to_owned();
    let again = office.post(&wrong, &said("component:quillgate", "Jon+runs+it"));
    assert_eq!(again.status, 303);
    let shown = office.get(again.header("location").unwrap()).body;
    let words = format!("Already recorded on 20 Nov at 08:00. Nothing was added. It is record {record}.");
    assert!(shown.contains(&words), "{shown}");
    for (what, note) in [("topic:prompt-injection", "Jon+runs+it"), ("component:quillgate", "Eva+runs+it")] {
        let other = office.post(&wrong, &said(what, note));
        assert_unrecorded(&other, 409, &format!("recorded before, as record {record}, and said something else"));
        assert!(other.body.contains(&format!("value=\"{what}\" checked")), "{}", other.body);
        assert!(other.body.contains(&format!("{}</textarea>", note.replace('+', " "))), "{}", other.body);
        assert_eq!(office.world.records_of("disowned").len(), 1);
    }
    let other = office.post(&wrong, &said("topic:prompt-injection", "Eva+knows+it"));
    let sent = format!("what=topic:prompt-injection&note=Eva+knows+it&nonce={}", nonce_of(&other.body));
    let second = office.post(&wrong, &sent);
    assert!(second.header("location").unwrap().contains("?recorded="), "{}", second.body);
    assert_eq!(office.world.records_of("disowned").len(), 2);
    for strange in [format!("{wrong}?recorded=1"), format!("{wrong}?already=999"), format!("{wrong}?already=x")] {
        let page = office.get(&strange);
        assert!(page.status == 200 && !page.body.contains("role=\"status\""), "{strange}: {}", page.body);
    }
}
