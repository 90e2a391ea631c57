//! Whole digests, composed and read back by an independent reader of mail.

use jiff::tz::TimeZone;
use mail_parser::{MessageParser, MimeHeaders as _};

use super::*;
use crate::model::{
    digest::{AlsoPublished, BaselineNote, DigestContent, DigestKind, NotSeen, Restricted, StorySource},
    id::StoryNo,
    stack::{Field, Marks, Method, Severity, Tag},
};

pub(super) fn tag(kind: TagKind, name: &str, term: &str, field: Field) -> (String, Tag) {
    let tag = Tag {
        kind,
        id: crate::model::id::slug(name),
        term: term.to_owned(),
        field,
        start: 0,
        end: term.len(),
        snippet: format!("an archive with long names makes {term} write past the end of its buffer"),
        method: Method::Term,
        confidence: 90,
    };
    (name.to_owned(), tag)
}

pub(super) fn story(number: usize, title: &str) -> DigestStory {
    DigestStory {
        story: StoryNo(i64::try_from(number).unwrap()),
        number,
        title: title.to_owned(),
        link: Some(format!("https://psirt.quillgate.example/2099/{number}")),
        summary: Some(
            "A crafted cookie skips the sign-in. All 9.x before 9.1.4; attacks since 17 Nov. Work-around: switch the \
             portal off until the fix is in place."
                .to_owned(),
        ),
        cves: vec![format!("CVE-2099-{}", 10_006 + number)],
        marks: Marks::default(),
        reason: "Quillgate VPN is yours.".to_owned(),
        tags: vec![tag(TagKind::Component, "Quillgate VPN", "Quillgate VPN", Field::Title)],
        sources: vec![
            StorySource {
                feed: "Quillgate PSIRT".to_owned(),
                link: Some(format!("https://psirt.quillgate.example/2099/{number}")),
            },
            StorySource {
                feed: "Example CERT".to_owned(),
                link: Some(format!("https://cert.example/2099/{}", 86 + number)),
            },
        ],
        urgent: false,
        published: Some("2026-11-19T10:00:00Z".parse().unwrap()),
        first_seen: "2026-11-19T18:40:00Z".parse().unwrap(),
        answer_url: format!("https://sigtrail.example.com/a/Zk3vT8wQ1nLr6YpXbC2mGA7uVhE4sJdK0o/{number}"),
    }
}

/// The digest of FACES: three stories, two blind feeds, one line of other news.
pub(super) fn content() -> DigestContent {
    let mut first = story(1, "Quillgate VPN: sign-in bypass in the web portal");
    first.urgent = true;
    first.marks = Marks { cvss_tenths: Some(98), severity: Some(Severity::Critical), exploited: true };
    let mut second = story(2, "libmarrow 2.8.1 fixes a crash on long archive names");
    second.marks = Marks { cvss_tenths: Some(75), severity: Some(Severity::High), exploited: false };
    second.reason = "libmarrow is yours.".to_owned();
    second.tags = vec![
        tag(TagKind::Component, "libmarrow", "libmarrow", Field::Title),
        tag(TagKind::Component, "libmarrow", "marrow.h", Field::Body),
    ];
    let mut third = story(3, "Hidden instructions in calendar invitations");
    third.cves = Vec::new();
    third.published = None;
    third.reason = "You follow prompt injection.".to_owned();
    third.tags = vec![tag(TagKind::Topic, "prompt injection", "prompt injection", Field::Summary)];
    DigestContent {
        kind: DigestKind::Scheduled,
        owner: "maria".into(),
        owner_name: "Maria Lopez".to_owned(),
        owner_address: "maria@example.com".to_owned(),
        deputy_name: Some("Jon Bright".to_owned()),
        timezone: TimeZone::get("Europe/London").unwrap(),
        now: "2026-11-20T08:00:00Z".parse().unwrap(),
        stories: vec![first, second, third],
        also_published: vec![AlsoPublished {
            feed: "Example CERT".to_owned(),
            lines: vec![("Advice on accounts of leavers".to_owned(), Some("https://cert.example/2099/88".to_owned()))],
            more: 2,
        }],
        not_seen: vec![
            NotSeen {
                feed: "Tarnbase bulletins".to_owned(),
                state: "refused".to_owned(),
                cause: "the server answers 403 Forbidden".to_owned(),
                since: "2026-11-18T06:10:00Z".parse().unwrap(),
                tries: 26,
            },
            NotSeen {
                feed: "Fernwald releases".to_owned(),
                state: "not-a-feed".to_owned(),
                cause: "this is a web page, not a feed".to_owned(),
                since: "2025-12-30T06:10:00Z".parse().unwrap(),
                tries: 1,
            },
        ],
        feeds_total: 14,
        baselines: vec![BaselineNote {
            feed: "Heronsoft bulletins".to_owned(),
            recorded: 32,
            matched: vec![("libmarrow".to_owned(), 3), ("Quillgate VPN".to_owned(), 1)],
        }],
        restricted: vec![Restricted {
            feed: "Sharing centre".to_owned(),
            tlp: "RED".to_owned(),
            ask: "Jon Bright".to_owned(),
        }],
        owns: vec!["Quillgate VPN".to_owned(), "libmarrow".to_owned(), "prompt injection".to_owned()],
        answer_all_url: "https://sigtrail.example.com/a/Zk3vT8wQ1nLr6YpXbC2mGA7uVhE4sJdK0o".to_owned(),
        checkpoint: Some(
            "example.com/sigtrail\n48219\nq1Xo5mYw0m3QfJ8m2vQm1b0zQ0p6F2hN4c7cQy1n9lE=\n\n\u{2014} example.com/sigtrail \
             Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
                .to_owned(),
        ),
        message_id: "0123456789abcdef0123456789abcdef@example.com".to_owned(),
        from_name: "sigtrail".to_owned(),
        from_address: "sigtrail@example.com".to_owned(),
    }
}

/// Subject, text part and HTML part as an independent reader finds them.
pub(super) fn read_back(composed: &Composed) -> (String, String, String) {
    let message = MessageParser::default().parse(&composed.bytes).unwrap();
    assert_eq!(message.text_body_count(), 1);
    assert_eq!(message.html_body_count(), 1);
    let kinds: Vec<String> = message
        .parts
        .iter()
        .map(|part| {
            part.content_type()
                .map(|t| format!("{}/{}", t.ctype(), t.subtype().unwrap_or_default()))
                .unwrap_or_default()
        })
        .collect();
    assert_eq!(kinds, ["multipart/alternative", "text/plain", "text/html"]);
    (
        message.subject().unwrap().to_owned(),
        message.body_text(0).unwrap().into_owned(),
        message.body_html(0).unwrap().into_owned(),
    )
}

#[test]
fn the_sample_digest_reads_back() {
    let composed = compose(&content()).unwrap();
    let (subject, text, html) = read_back(&composed);
    if let Some(folder) = std::option_env!("SIGTRAIL_SHOW") {
        std::fs::write(format!("{folder}/digest.html"), &html).unwrap();
        std::fs::write(format!("{folder}/digest.txt"), &text).unwrap();
        std::fs::write(format!("{folder}/digest.eml"), &composed.bytes).unwrap();
    }
    assert_eq!(subject, composed.subject);
}
