//! The bytes of a mail of each kind, held against files that were looked at. `SIGTRAIL_WRITE_GOLDEN=1 cargo test --test
//! suite golden` writes them anew, with the HTML beside each for a browser.

use std::{fs, path::PathBuf};

use sigtrail::{
    compose::compose,
    model::{
        acknowledgement::Disposition,
        digest::{AlsoPublished, DigestContent, DigestKind, EarlierNote, HandOver},
        flood::HeldFlood,
        id::FloodNo,
    },
};

use super::{content, empty, kinds, parts::mails, read_back, story, three_stories};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/suite/fixtures/mails")
}

/// A digest with everything that one can have.
fn full() -> DigestContent {
    let mut full = content();
    full.stories[0].told_before = Some("2026-11-18T08:00:00Z".parse().unwrap());
    full.stories[0].changes = vec!["now exploited".to_owned(), "a fix is published".to_owned()];
    full.stories[1].earlier = vec![EarlierNote {
        who: "Jon Bright".to_owned(),
        at: "2026-11-03T10:00:00Z".parse().unwrap(),
        disposition: Disposition::Covered,
        note: Some("only the build image uses it.".to_owned()),
    }];
    let mut again = three_stories().remove(1);
    "libmarrow 2.7 reads one byte too many".clone_into(&mut again.title);
    full.stories.insert(2, again);
    full.held = vec![HeldFlood {
        feed: "Example CERT".to_owned(),
        entries: 10_000,
        usual: 12,
        sent: 0,
        has_changed: false,
        matched: vec![("Quillgate VPN".to_owned(), 40)],
        flood: FloodNo(1),
    }];
    full
}

/// Each file with the digest that it shows and the place of the part.
fn shown() -> Vec<(&'static str, DigestContent, usize)> {
    let many: Vec<_> = (1..=120).map(|n| story(n, &format!("Advisory number {n}"))).collect();
    let many = DigestContent { stories: many, ..content() };
    let urgent = DigestContent { kind: DigestKind::Urgent, stories: three_stories()[..1].to_vec(), ..empty() };
    let blind = DigestContent { not_seen: content().not_seen, ..kinds::heartbeat() };
    let trouble = DigestContent { not_seen: content().not_seen, ..empty() };
    let listed = AlsoPublished {
        feed: "Example CERT".to_owned(),
        lines: vec![("Advice on accounts of leavers".to_owned(), Some("https://cert.example/2099/99".to_owned()))],
        more: 0,
    };
    let listed = DigestContent { also_published: vec![listed], ..empty() };
    vec![
        ("scheduled", full(), 0),
        ("part-1", many.clone(), 0),
        ("part-2", many.clone(), 1),
        ("part-last", many, 2),
        ("urgent", urgent, 0),
        ("reminder", kinds::reminder(), 0),
        ("takeover", kinds::takeover(HandOver::NoAnswer), 0),
        ("passed", kinds::passed(HandOver::NoAnswer), 0),
        ("links", kinds::links_anew(), 0),
        ("heartbeat", kinds::heartbeat(), 0),
        ("heartbeat-blind", blind, 0),
        ("feed-trouble", trouble, 0),
        ("also-published", listed, 0),
    ]
}

#[test]
fn m_25_m_27_the_bytes_of_each_kind_of_mail_are_those_that_were_looked_at() {
    let write = std::env::var_os("SIGTRAIL_WRITE_GOLDEN").is_some_and(|word| word == "1");
    let mut differ = Vec::new();
    for (name, content, place) in shown() {
        let parts = mails(&content, None);
        let composed = &parts[place].composed;
        let file = folder().join(format!("{name}.eml"));
        if write {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&file, &composed.bytes).unwrap();
            let html = std::env::temp_dir().join("sigtrail-golden");
            fs::create_dir_all(&html).unwrap();
            fs::write(html.join(format!("{name}.html")), read_back(composed).html).unwrap();
        }
        let known = fs::read(&file).unwrap_or_default();
        if known != composed.bytes {
            differ.push(name);
        }
    }
    assert!(differ.is_empty(), "other bytes than in {}: {differ:?}", folder().display());
    let known: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !shown().iter().any(|(known, ..)| *name == format!("{known}.eml")))
        .collect();
    assert!(known.is_empty(), "no mail makes {known:?}");
}

#[test]
fn m_27_every_kind_is_from_one_address_and_its_ids_are_of_that_domain() {
    for (name, content, place) in shown() {
        let bytes = mails(&content, None)[place].composed.bytes.clone();
        let message = mail_parser::MessageParser::default().parse(&bytes).unwrap();
        let from = message.from().unwrap().as_list().unwrap().to_vec();
        assert_eq!(from.len(), 1, "{name}");
        assert_eq!(from[0].address(), Some("sigtrail@example.com"), "{name}");
        assert_eq!(from[0].name(), Some("sigtrail"), "{name}");
        assert!(message.sender().is_none() && message.reply_to().is_none(), "{name}");
        assert!(message.message_id().unwrap().ends_with("@example.com"), "{name}");
        assert!(!composed_text(&content).contains("List-Unsubscribe"), "{name}");
    }
}

fn composed_text(content: &DigestContent) -> String {
    String::from_utf8(compose(content).unwrap().bytes).unwrap()
}
