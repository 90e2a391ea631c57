//! The digest mail as its reader gets it: composed from invented stories and read back by an independent reader of
//! mail and by a reader of markup that fails where elements do not nest.
#![expect(clippy::string_slice, reason = "a test fails by panicking")]

mod golden;
mod kinds;
mod many;
mod parts;
mod sent;
mod subjects;

use jiff::tz::TimeZone;
use mail_parser::{MessageParser, MimeHeaders as _};
use proptest::prelude::*;
use quick_xml::{Reader, events::Event};
use sigtrail::{
    compose::compose,
    model::{
        digest::{
            About, AlsoPublished, BaselineNote, Composed, DigestContent, DigestKind, DigestStory, Exploitation, Fix,
            NotSeen, OwnedGroup, Restricted, SeenAgain, StandIn, StorySource, Unasked,
        },
        id::{StoryNo, slug},
        stack::{Field, Marks, Method, Severity, Tag, TagKind},
    },
};

const ANSWER_ALL: &str = "https://sigtrail.example.com/a/Zk3vT8wQ1nLr6YpXbC2mGA7uVhE4sJdK0o";
const CHECKPOINT: &str = "example.com/sigtrail\n48219\nq1Xo5mYw0m3QfJ8m2vQm1b0zQ0p6F2hN4c7cQy1n9lE=\n\n\u{2014} \
                          example.com/sigtrail Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gG\
                          zGku9nTo+zyWE+xeMcTOAYQ8=\n";
/// Texts that a header must not carry through, in any field.
const BREAKING: &[&str] = &[
    "\r\nBcc: victim@example.net",
    "\nBcc: victim@example.net",
    "\rBcc: victim@example.net",
    "\r\n\r\n<script>alert(1)</script>",
    "\u{0}Bcc: x",
    "a\u{0}b",
    "\u{85}Bcc: x",
    "\u{2028}Bcc: x",
    "\u{2029}Bcc: x",
    "\u{b}\u{c}x",
    "\u{1b}[31mred",
    "\u{7f}\u{80}\u{9f}",
    "\u{202e}moc.elpmaxe@gro",
    "\u{2066}x\u{2069}",
    "\u{200b}\u{200d}\u{feff}",
    "\u{e0041}\u{e0042}",
    "\u{ad}soft",
    "=?utf-8?q?=0D=0ABcc:_x?=",
    "=?utf-8?b?DQpCY2M6IHg=?=",
    "%0d%0aBcc: x",
    "\\r\\nBcc: x",
    "\"<evil@example.net>\"",
    "evil@example.net, other@example.net",
    "Name <evil@example.net>",
    "(comment) name",
    "a;b:c",
    "back\\slash\\",
    "\"",
    "\u{1f600} smile",
    "Übermäßig große Größe",
    "漢字かな交じり文",
    "العربية",
    " \t ",
    "",
    "\r\n.\r\nMAIL FROM:<evil@example.net>",
    "\n\nThe body begins here",
    "\r\n\tfolded: x",
    "\r\n folded",
    "x\r\nContent-Type: text/html",
    "x\r\nAuto-Submitted: no",
    "x\nList-Unsubscribe: <https://evil.example/>",
    "x\rReply-To: evil@example.net",
    "Subject: again",
    "From: x",
    ":",
    ">\r\nBcc: x",
    "> <evil@example.net",
    "<>",
    "@",
    "=?utf-8?q?unfinished",
    "=?utf-16?b?AAAA?=",
    "=?iso-8859-1*en?q?=41?=",
    "=??utf-8?q?=00?=",
    "%00",
    "\u{c2}\u{85}",
    "\u{feff}x",
    "\u{fff9}x\u{fffb}",
    "\u{180e}x",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}",
    "\u{10ffff}",
];
/// Markup that must come out as text.
const MARKUP: &[&str] = &[
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "<img src=\"https://evil.example/pixel.gif\" width=1 height=1>",
    "<img srcset=\"https://evil.example/a 1x\">",
    "<table background=https://evil.example/b.png>",
    "<div style=\"background:url(https://evil.example/c)\">",
    "<style>@import url(https://evil.example/d.css)</style>",
    "<link rel=stylesheet href=https://evil.example/e.css>",
    "<form action=https://evil.example/><button>Acknowledge</button></form>",
    "<input type=submit value=Acknowledge>",
    "<a href=\"javascript:alert(1)\">Acknowledge</a>",
    "</title></style></table></html><h1>Acknowledge",
    "<iframe src=https://evil.example></iframe>",
    "<object data=x></object><embed src=x>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content=0;url=https://evil.example>",
    "<video src=x onerror=alert(1)>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "<!-- --!><script>",
    "]]><![CDATA[<script>]]>",
    "<![endif]--><script>alert(1)</script>",
    "{{ 7*7 }}${7*7}{% raw %}",
];

fn tag(kind: TagKind, name: &str, term: &str, field: Field) -> (String, Tag) {
    let tag = Tag {
        kind,
        id: slug(name),
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

fn source(feed: &str, link: &str) -> StorySource {
    StorySource { feed: feed.to_owned(), link: Some(link.to_owned()) }
}

fn story(number: usize, title: &str) -> DigestStory {
    let maker = format!("https://psirt.quillgate.example/2099/{number}");
    DigestStory {
        story: StoryNo(i64::try_from(number).unwrap()),
        title: title.to_owned(),
        link: Some(maker.clone()),
        summary: Some(
            "A crafted cookie skips the sign-in. All 9.x before 9.1.4; attacks since 17 Nov. Work-around: switch the \
             portal off."
                .to_owned(),
        ),
        cves: vec![format!("CVE-2099-{}", 10_006 + number)],
        marks: Marks::default(),
        exploited_by: None,
        fix: None,
        reason: "Quillgate VPN is yours.".to_owned(),
        waited: None,
        changes: Vec::new(),
        told_before: None,
        earlier: Vec::new(),
        more_earlier: 0,
        tags: vec![tag(TagKind::Component, "Quillgate VPN", "Quillgate VPN", Field::Title)],
        sources: vec![
            source("Quillgate PSIRT", &maker),
            source("Example CERT", &format!("https://cert.example/2099/{}", 86 + number)),
        ],
        more_sources: 0,
        urgent: false,
        published: Some("2026-11-19T10:00:00Z".parse().unwrap()),
        first_seen: "2026-11-19T18:40:00Z".parse().unwrap(),
    }
}

fn three_stories() -> Vec<DigestStory> {
    let mut first = story(1, "Quillgate VPN: sign-in bypass in the web portal");
    first.urgent = true;
    first.marks = Marks { cvss_tenths: Some(98), severity: Some(Severity::Critical), exploited: true };
    let since = "2026-11-19T18:40:00Z".parse().unwrap();
    first.exploited_by = Some(Exploitation { feed: "KEV-S".to_owned(), since });
    first.fix = Some(Fix::In(vec!["9.1.4".to_owned()]));
    let mut second = story(2, "libmarrow 2.8.1 fixes a crash on long archive names");
    second.summary =
        Some("An archive whose names are longer than 4,096 bytes ends the reader. Fixed in 2.8.1.".to_owned());
    second.marks = Marks { cvss_tenths: Some(75), severity: Some(Severity::High), exploited: false };
    "libmarrow is yours.".clone_into(&mut second.reason);
    second.tags = vec![
        tag(TagKind::Component, "libmarrow", "libmarrow", Field::Title),
        tag(TagKind::Component, "libmarrow", "marrow.h", Field::Body),
    ];
    let mut third = story(3, "Hidden instructions in calendar invitations");
    third.summary = Some("Assistants that read invitations follow what is written in white on white.".to_owned());
    third.cves = Vec::new();
    third.published = None;
    "You follow prompt injection.".clone_into(&mut third.reason);
    third.tags = vec![tag(TagKind::Topic, "prompt injection", "indirect injection", Field::Summary)];
    "a case of indirect injection: the reader never sees the text".clone_into(&mut third.tags[0].1.snippet);
    third.sources.truncate(1);
    vec![first, second, third]
}

/// The text with single spaces.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Three stories, two feeds that could not be seen, other news, a first look and a restricted entry.
fn content() -> DigestContent {
    DigestContent {
        still_open: 0,
        kind: DigestKind::Scheduled,
        about: None,
        owner: "maria".into(),
        owner_name: "Maria Lopez".to_owned(),
        owner_address: "maria@example.com".to_owned(),
        stand_in: Some(StandIn {
            name: "Jon Bright".to_owned(),
            urgent_at: "2026-11-20T14:00:00Z".parse().unwrap(),
            calm_at: "2026-11-25T08:00:00Z".parse().unwrap(),
        }),
        timezone: TimeZone::get("Europe/London").unwrap(),
        now: "2026-11-20T08:00:00Z".parse().unwrap(),
        stories: three_stories(),
        also_published: vec![AlsoPublished {
            feed: "Example CERT".to_owned(),
            lines: vec![("Advice on accounts of leavers".to_owned(), Some("https://cert.example/2099/99".to_owned()))],
            more: 2,
        }],
        not_seen: vec![
            not_seen("Tarnbase bulletins", "refused", "the server answers 403 Forbidden", 26),
            not_seen("Fernwald releases", "not-a-feed", "this is a web page, not a feed", 1),
        ],
        notices: vec!["Marrow releases moves to https://www.marrow.example/feed.".to_owned()],
        seen_again: Vec::new(),
        feeds_total: 14,
        unasked: Unasked::default(),
        baselines: vec![BaselineNote {
            feed: "Heronsoft bulletins".to_owned(),
            recorded: 32,
            matched: vec![("libmarrow".to_owned(), 3), ("Quillgate VPN".to_owned(), 1)],
        }],
        held: Vec::new(),
        restricted: vec![Restricted {
            feed: "Sharing centre".to_owned(),
            tlp: "RED".to_owned(),
            ask: "Jon Bright".to_owned(),
        }],
        owns: vec!["Quillgate VPN".to_owned(), "libmarrow".to_owned(), "prompt injection".to_owned()],
        groups: vec![
            OwnedGroup {
                name: "Quillgate PSIRT".to_owned(),
                last_entry_at: Some("2026-11-20T07:10:00Z".parse().unwrap()),
            },
            OwnedGroup { name: "Fernwald".to_owned(), last_entry_at: Some("2026-10-20T08:00:00Z".parse().unwrap()) },
        ],
        answer_all_url: ANSWER_ALL.to_owned(),
        checkpoint: Some(CHECKPOINT.to_owned()),
        message_id: "0123456789abcdef0123456789abcdef@example.com".to_owned(),
        thread_root: "fedcba9876543210fedcba9876543210@example.com".to_owned(),
        from_name: "sigtrail".to_owned(),
        from_address: "sigtrail@example.com".to_owned(),
    }
}

fn not_seen(feed: &str, state: &str, cause: &str, tries: u32) -> NotSeen {
    NotSeen {
        feed: feed.to_owned(),
        state: state.to_owned(),
        cause: cause.to_owned(),
        since: "2026-11-18T06:10:00Z".parse().unwrap(),
        unseen_since: None,
        tries,
        notice: None,
        advice: None,
    }
}

fn empty() -> DigestContent {
    DigestContent {
        stories: Vec::new(),
        also_published: Vec::new(),
        not_seen: Vec::new(),
        notices: Vec::new(),
        baselines: Vec::new(),
        restricted: Vec::new(),
        ..content()
    }
}

/// Every text of a story that a feed can write.
fn spoil(story: &mut DigestStory, text: &str) {
    text.clone_into(&mut story.title);
    story.summary = Some(text.to_owned());
    story.cves = vec![text.to_owned()];
    for (name, tag) in &mut story.tags {
        text.clone_into(name);
        text.clone_into(&mut tag.term);
        text.clone_into(&mut tag.snippet);
    }
    for source in &mut story.sources {
        text.clone_into(&mut source.feed);
    }
}

struct ReadBack {
    subject: String,
    text: String,
    html: String,
}

/// The message as an independent reader finds it.
fn read_back(composed: &Composed) -> ReadBack {
    let message = MessageParser::default().parse(&composed.bytes).unwrap();
    let kinds: Vec<String> = message
        .parts
        .iter()
        .filter_map(|part| part.content_type())
        .map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()))
        .collect();
    assert_eq!(kinds, ["multipart/alternative", "text/plain", "text/html"]);
    ReadBack {
        subject: message.subject().unwrap_or_default().to_owned(),
        text: message.body_text(0).unwrap().into_owned(),
        html: message.body_html(0).unwrap().into_owned(),
    }
}

fn mail(content: &DigestContent) -> ReadBack {
    read_back(&compose(content).unwrap())
}

type Element = (String, Vec<(String, String)>);

/// Every element with its attributes, and the text between them; fails where the markup does not nest.
fn tree(html: &str) -> (Vec<Element>, String) {
    let mut reader = Reader::from_str(html);
    let (mut elements, mut text) = (Vec::new(), String::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => return (elements, text),
            Event::Start(tag) | Event::Empty(tag) => {
                let attributes = tag.attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    let value = quick_xml::escape::unescape(&attribute.value).unwrap().into_owned();
                    (attribute.key.as_ref().to_owned(), value)
                });
                elements.push((tag.name().as_ref().to_owned(), attributes.collect()));
            }
            Event::Text(part) => text.push_str(&part),
            Event::GeneralRef(name) => {
                text.push_str(&quick_xml::escape::unescape(&format!("&{};", &*name)).unwrap());
            }
            _ => {}
        }
    }
}

fn links(html: &str) -> Vec<String> {
    tree(html)
        .0
        .into_iter()
        .flat_map(|(_, attributes)| attributes)
        .filter(|(name, _)| name == "href")
        .map(|(_, to)| to)
        .collect()
}

/// The encoded length of the HTML part: from its first byte to the closing boundary.
fn encoded_html(bytes: &[u8]) -> usize {
    let text = std::str::from_utf8(bytes).unwrap();
    let part = text.rfind("Content-Type: text/html").unwrap();
    let body = part + text[part..].find("\r\n\r\n").unwrap() + 4;
    text[body..].rfind("\r\n--=_sigtrail-").unwrap()
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    assert_eq!(compose(&content()).unwrap(), compose(&content()).unwrap());
}

#[test]
fn the_first_screen_says_what_to_do_for_whom_and_where() {
    let mail = mail(&content());
    if let Some(folder) = std::option_env!("SIGTRAIL_SHOW") {
        std::fs::write(format!("{folder}/digest.html"), &mail.html).unwrap();
        std::fs::write(format!("{folder}/digest.txt"), &mail.text).unwrap();
    }
    let first: Vec<&str> = mail.text.lines().take(7).collect();
    assert_eq!(
        first,
        [
            "Answer Quillgate VPN by 14:00; two more can wait until Wednesday",
            "",
            "3 stories for Maria Lopez, Fri 20 Nov 2026, 08:00 Europe/London.",
            "2 feeds could not be seen.",
            "Without an answer, Jon Bright is asked.",
            "Answer all 3 on one page:",
            ANSWER_ALL,
        ]
    );
    let (_, text) = tree(&mail.html);
    for words in ["Answer Quillgate VPN by 14:00; two more can wait until Wednesday", "2 feeds could not be seen."] {
        assert!(text.contains(words), "{words}");
    }
}

#[test]
fn a_subject_says_the_worst_first_and_the_day_last_in_sixty_characters() {
    assert_eq!(mail(&content()).subject, "Quillgate VPN exploited, libmarrow high, +1 (Fri 20 Nov)");
    let one = DigestContent { stories: three_stories().split_off(1)[..1].to_vec(), ..content() };
    assert_eq!(mail(&one).subject, "libmarrow high (Fri 20 Nov)");
    let two = DigestContent { stories: three_stories().split_off(1), ..content() };
    assert_eq!(mail(&two).subject, "libmarrow high, prompt injection (Fri 20 Nov)");
    let same = DigestContent { stories: (1..=9).map(|n| story(n, "x")).collect(), ..content() };
    assert_eq!(mail(&same).subject, "Quillgate VPN, +8 for you (Fri 20 Nov)");
    let mut twice = vec![story(1, "a"), story(2, "b")];
    twice[0].marks.exploited = true;
    twice[1].marks.exploited = false;
    let twice = mail(&DigestContent { stories: twice, ..content() }).subject;
    assert_eq!(twice, "Quillgate VPN exploited, +1 for you (Fri 20 Nov)", "no name stands twice");
    let urgent = DigestContent { kind: DigestKind::Urgent, stories: three_stories()[..1].to_vec(), ..content() };
    assert_eq!(mail(&urgent).subject, "Quillgate VPN exploited: answer by 14:00 today (20 Nov)");
    let alone = DigestContent { stand_in: None, ..urgent };
    assert_eq!(mail(&alone).subject, "Quillgate VPN exploited: answer now (20 Nov 08:00)");
    assert_eq!(mail(&empty()).subject, "Nothing for you, all feeds seen (Fri 20 Nov)");
    let blind = DigestContent { not_seen: content().not_seen, ..empty() };
    assert_eq!(mail(&blind).subject, "Blind: Tarnbase bullet… refuses us since Wed 18 Nov, +1 feed");
    let mut silent = blind.clone();
    silent.not_seen = vec![not_seen("Fernwald releases", "stale", "nothing new for 20 days", 0)];
    assert_eq!(mail(&silent).subject, "Silent: Fernwald releases since Wed 18 Nov");
    assert!(mail(&silent).text.starts_with("Nothing to answer, and 1 feed is silent for too long"));
    silent.seen_again = vec![SeenAgain {
        feed: "Tarnbase bulletins".to_owned(),
        was: "stale".to_owned(),
        since: "2026-11-19T06:10:00Z".parse().unwrap(),
    }];
    let again = mail(&silent);
    assert_eq!(again.subject, "Seen again: Tarnbase bulletins (Fri 20 Nov)");
    assert!(again.text.contains("SEEN AGAIN (1)"), "{}", again.text);
    assert!(tree(&again.html).1.contains("Tarnbase bulletins: seen again since Thu 19 Nov 06:10; it was silent."));
    let listed = DigestContent { also_published: content().also_published, ..blind };
    assert_eq!(mail(&listed).subject, "Nothing for you, 12 of 14 feeds seen (Fri 20 Nov)");
    let lost = Unasked { cut_off: 3, no_network_since: Some(content().now), new: 1 };
    let lost = mail(&DigestContent { unasked: lost, ..empty() });
    assert_eq!(lost.subject, "Nothing for you, 10 of 14 feeds seen (Fri 20 Nov)");
    assert!(lost.text.starts_with("Nothing to answer, and 3 feeds could not be asked"), "{}", lost.text);
    assert!(lost.text.contains("10 of 14 feeds were seen. No network since Fri 20 Nov"), "{}", lost.text);
    assert!(lost.text.split_whitespace().collect::<Vec<_>>().join(" ").contains("1 feed was not asked yet."));
    let back = Unasked { cut_off: 1, ..Unasked::default() };
    let back = mail(&DigestContent { unasked: back, ..empty() }).text;
    assert!(
        back.split_whitespace().collect::<Vec<_>>().join(" ").contains("1 feed could not be asked at the last try")
    );
    let long = DigestContent { not_seen: vec![not_seen(&"Überlang ".repeat(40), "not-a-feed", "", 1)], ..empty() };
    let long = mail(&long).subject;
    assert!(long.starts_with("Blind: Überlang Überlang") && long.ends_with("… is no feed since Wed 18 Nov"), "{long}");
    assert!(long.chars().count() <= 60, "{long}");
    let mut long = story(1, &"Überlange Überschrift ".repeat(40));
    long.tags.clear();
    let long = mail(&DigestContent { stories: vec![long, story(2, "b"), story(3, "c")], ..content() }).subject;
    assert!(long.starts_with("Überlange Überschrift") && long.ends_with(" (Fri 20 Nov)"), "{long}");
    assert!(long.chars().count() <= 60, "{long}");
}

#[test]
fn stories_stand_by_urgency_component_topic_and_route_and_keep_their_order_there() {
    let mut stories = three_stories();
    let mut another = story(4, "libmarrow mentioned in passing");
    another.tags = vec![tag(TagKind::Component, "libmarrow", "marrow", Field::Body)];
    let mut routed = story(5, "routed");
    routed.tags.clear();
    stories.insert(0, routed);
    stories.push(another);
    let text = mail(&DigestContent { stories, ..content() }).text;
    let shown =
        ["URGENT (1)", "2. Quillgate", "YOUR COMPONENTS (2)", "3. libmarrow", "5. libmarrow", "YOUR TOPICS (1)"];
    let places: Vec<usize> = shown
        .into_iter()
        .chain(["4. Hidden", "ALSO ROUTED TO YOU (1)", "1. routed"])
        .map(|words| text.find(words).unwrap())
        .collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn a_date_that_cannot_be_is_called_unclear() {
    for at in ["1989-12-31T23:59:59Z", "2026-11-23T08:00:00Z", "9999-01-01T00:00:00Z", "-000001-01-01T00:00:00Z"] {
        let mut one = story(1, "x");
        one.published = Some(at.parse().unwrap());
        let text = mail(&DigestContent { stories: vec![one], ..content() }).text;
        assert!(text.contains("Date unclear, first seen Thu 19 Nov 18:40."), "{at}");
    }
}

#[test]
fn a_quiet_day_and_a_blind_one_do_not_look_the_same() {
    let quiet = mail(&empty());
    assert!(quiet.text.starts_with("Nothing to answer\r\n") || quiet.text.starts_with("Nothing to answer\n"));
    assert!(quiet.text.contains("14 of 14 feeds were seen."));
    let blind = mail(&DigestContent { not_seen: content().not_seen, ..empty() });
    assert!(blind.text.starts_with("Nothing to answer, and 2 feeds could not be seen"));
    assert!(blind.text.contains("NOT SEEN (2)"));
    let words = "Tarnbase bulletins: refused since Wed 18 Nov 06:10, 26 tries; the server answers 403 Forbidden.";
    assert!(blind.text.replace(['\r', '\n'], " ").replace("  ", " ").contains(words), "{}", blind.text);
    assert!(tree(&blind.html).1.contains(words));
}

#[test]
fn the_checkpoint_stands_in_both_parts_to_the_byte() {
    let mail = mail(&content());
    assert!(mail.text.replace("\r\n", "\n").contains(CHECKPOINT));
    assert!(tree(&mail.html).1.replace("\r\n", "\n").contains(CHECKPOINT));
}

/// A digest whose headers this text reaches: one header at a time, and all at once.
fn spoiled_headers(text: &str) -> Vec<DigestContent> {
    let person = |content: &mut DigestContent| text.clone_into(&mut content.owner_name);
    let sender = |content: &mut DigestContent| text.clone_into(&mut content.from_name);
    let subject = |content: &mut DigestContent| content.stories.iter_mut().for_each(|story| spoil(story, text));
    let id = |content: &mut DigestContent| content.message_id = format!("id{text}@example.com");
    let root = |content: &mut DigestContent| content.thread_root = format!("root{text}@example.com");
    let reply = |content: &mut DigestContent| {
        content.about = Some(About::Links { in_reply_to: format!("earlier{text}@example.com") });
    };
    let headers: [&dyn Fn(&mut DigestContent); 6] = [&person, &sender, &subject, &id, &root, &reply];
    let mut all = content();
    let mut spoiled: Vec<DigestContent> = headers
        .iter()
        .map(|spoil_one| {
            let mut one = content();
            spoil_one(&mut one);
            spoil_one(&mut all);
            one
        })
        .collect();
    text.clone_into(&mut all.also_published[0].feed);
    text.clone_into(&mut all.not_seen[0].feed);
    all.owns = vec![text.to_owned()];
    spoiled.push(all);
    spoiled
}

#[test]
fn m_05_nothing_breaks_out_of_a_header() {
    assert_eq!(BREAKING.iter().collect::<std::collections::HashSet<_>>().len(), 60);
    for text in BREAKING {
        for spoiled in spoiled_headers(text) {
            let mut expected = HEADERS.to_vec();
            if spoiled.about.is_some() {
                expected.insert(5, "In-Reply-To");
            }
            for kind in [DigestKind::Scheduled, DigestKind::Urgent] {
                let composed = compose(&DigestContent { kind, ..spoiled.clone() }).unwrap();
                on_the_wire(&composed.bytes);
                assert_eq!(header_names(&composed.bytes), expected, "{text:?}");
                let message = MessageParser::default().parse(&composed.bytes).unwrap();
                assert_eq!(message.from().unwrap().as_list().unwrap().len(), 1);
                assert_eq!(message.to().unwrap().as_list().unwrap().len(), 1);
                assert_eq!(message.to().unwrap().first().unwrap().address(), Some("maria@example.com"), "{text:?}");
                assert_eq!(
                    message.from().unwrap().first().unwrap().address(),
                    Some("sigtrail@example.com"),
                    "{text:?}"
                );
                assert!(composed.subject.chars().count() <= 60);
            }
        }
    }
    for address in ["maria@example.com\r\nBcc: x@example.net", "no address", "", "a@b\u{0}"] {
        assert!(compose(&DigestContent { owner_address: address.to_owned(), ..content() }).is_err(), "{address:?}");
        assert!(compose(&DigestContent { from_address: address.to_owned(), ..content() }).is_err(), "{address:?}");
    }
}

const HEADERS: [&str; 11] = [
    "Date",
    "From",
    "To",
    "Subject",
    "Message-ID",
    "References",
    "List-Id",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
];

/// The names of the message's own headers, unfolded.
fn header_names(bytes: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(bytes).unwrap();
    let head = &text[..text.find("\r\n\r\n").unwrap()];
    head.split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split(':').next().unwrap().to_owned())
        .collect()
}

#[test]
fn m_06_decoded_headers_hold_no_control_or_invisible_character() {
    for text in BREAKING {
        let mut spoiled = content();
        spoiled.owner_name = (*text).to_owned();
        spoiled.from_name = (*text).to_owned();
        spoiled.stories.iter_mut().for_each(|story| spoil(story, text));
        let composed = compose(&spoiled).unwrap();
        let message = MessageParser::default().parse(&composed.bytes).unwrap();
        let names = [message.from(), message.to()]
            .map(|list| list.unwrap().first().unwrap().name().unwrap_or_default().to_owned());
        for decoded in names.iter().map(String::as_str).chain([message.subject().unwrap()]) {
            assert!(
                !decoded.contains(|c: char| c.is_control()
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')),
                "{text:?} became {decoded:?}"
            );
        }
        assert_eq!(message.subject().unwrap(), composed.subject, "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn m_07_the_sender_is_fixed_whatever_feeds_write(title in "\\PC{0,80}", feed in ".{0,40}", link in ".{0,60}") {
        let mut content = content();
        for story in &mut content.stories {
            spoil(story, &title);
            story.link = Some(link.clone());
        }
        content.also_published[0].feed.clone_from(&feed);
        content.not_seen[0].feed = feed;
        let composed = compose(&content).unwrap();
        let text = std::str::from_utf8(&composed.bytes).unwrap();
        prop_assert!(text.contains("\r\nFrom: sigtrail <sigtrail@example.com>\r\n"));
        prop_assert_eq!(header_names(&composed.bytes), HEADERS);
        on_the_wire(&composed.bytes);
    }

    #[test]
    fn m_09_any_text_is_clean_on_the_wire_and_reads_back(text in "(?s).{0,400}") {
        let mut content = content();
        content.stories[0].summary = Some(text.clone());
        content.checkpoint = None;
        let composed = compose(&content).unwrap();
        on_the_wire(&composed.bytes);
        read_back(&composed);
    }
}

/// CR LF only, ASCII only, no line over 998 bytes; the last line ends.
fn on_the_wire(bytes: &[u8]) {
    assert!(bytes.is_ascii());
    assert!(bytes.ends_with(b"\r\n"));
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(!text.contains('\0'));
    for line in text.split("\r\n") {
        assert!(line.len() <= 998, "{}", line.len());
        assert!(!line.contains(['\r', '\n']), "{line:?}");
    }
}

#[test]
fn m_09_dot_lines_long_lines_and_line_ends_stay_canonical() {
    for text in
        [".", "..\r\n.\r\n", "\n.\n", "From here", &"x".repeat(5_000), &"ä".repeat(5_000), "a\rb\nc\r\nd", "trailing  "]
    {
        let mut content = content();
        content.stories[0].title = text.to_owned();
        content.stories[0].summary = Some(text.to_owned());
        content.stories[0].link = Some(format!("https://cert.example/{}", "p".repeat(1_500)));
        content.not_seen[0].cause = text.to_owned();
        on_the_wire(&compose(&content).unwrap().bytes);
    }
}

/// Nothing that loads, runs or submits.
fn is_inert(html: &str) {
    let (elements, _) = tree(html);
    for (name, attributes) in &elements {
        let known = matches!(
            name.as_str(),
            "html"
                | "head"
                | "meta"
                | "title"
                | "style"
                | "body"
                | "div"
                | "table"
                | "tr"
                | "td"
                | "h1"
                | "h2"
                | "h3"
                | "b"
                | "a"
                | "br"
                | "pre"
                | "span"
        );
        assert!(known, "{name}");
        for (attribute, value) in attributes {
            assert!(
                !attribute.starts_with("on")
                    && !matches!(attribute.as_str(), "src" | "srcset" | "background" | "action"),
                "{attribute}"
            );
            match attribute.as_str() {
                "href" => assert!(value.starts_with("https://") || value.starts_with("http://"), "{value}"),
                "style" => assert!(!value.contains("url("), "{value}"),
                _ => {}
            }
        }
    }
    let style = &html[html.find("<style>").unwrap()..html.find("</style>").unwrap()];
    assert!(!style.contains("url(") && !style.contains("@import") && style.len() <= 2_048, "{}", style.len());
}

#[test]
fn m_20_h_36_h_38_nothing_in_a_mail_loads_runs_or_submits() {
    is_inert(&mail(&content()).html);
    is_inert(&mail(&empty()).html);
    for text in MARKUP {
        let mut spoiled = content();
        spoiled.stories.iter_mut().for_each(|story| spoil(story, text));
        spoiled.also_published[0].lines[0].0 = (*text).to_owned();
        spoiled.not_seen[0].cause = (*text).to_owned();
        is_inert(&mail(&spoiled).html);
    }
}

#[test]
fn h_35_markup_of_a_feed_comes_out_as_text_and_adds_no_element() {
    let names = |html: &str| tree(html).0.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let expected = names(&mail(&content()).html);
    for text in MARKUP {
        let mut spoiled = content();
        let cves = spoiled.stories[2].cves.clone();
        spoiled.stories.iter_mut().for_each(|story| spoil(story, text));
        spoiled.stories[2].cves = cves;
        spoiled.owns = vec![(*text).to_owned()];
        let mail = mail(&spoiled);
        assert_eq!(names(&mail.html), expected, "{text}");
        assert!(tree(&mail.html).1.matches(text).count() >= 6, "{text}");
        assert!(mail.text.replace("\r\n   ", " ").replace("\n   ", " ").matches(text).count() >= 6, "{text}");
    }
}

#[test]
fn m_21_the_text_part_has_every_story_every_link_and_every_answer() {
    let content = content();
    let mail = mail(&content);
    let lines: Vec<&str> = mail.text.lines().map(str::trim).collect();
    for story in &content.stories {
        for link in story.link.iter().chain(story.sources.iter().filter_map(|source| source.link.as_ref())) {
            assert!(lines.contains(&link.as_str()), "{link}");
        }
        assert!(mail.text.contains(&story.title) && story.cves.iter().all(|cve| mail.text.contains(cve)));
        assert!(story.sources.iter().all(|source| mail.text.contains(&source.feed)));
    }
    for number in 1..=content.stories.len() {
        assert!(lines.contains(&format!("{ANSWER_ALL}/{number}").as_str()));
    }
    for href in links(&mail.html) {
        let href = href.split("?as=").next().unwrap().to_owned();
        assert!(lines.contains(&href.as_str()), "{href} is in the HTML part only");
    }
    for words in
        ["2 MORE", "and 2 more", "libmarrow 3, Quillgate VPN 1", "TLP:RED", "ask Jon Bright", "You own:"].iter().skip(1)
    {
        assert!(mail.text.contains(words), "{words}");
    }
}

#[test]
fn sources_that_are_not_named_are_counted_in_both_parts() {
    let mut content = content();
    content.stories[0].more_sources = 1_481;
    content.stories[2].more_sources = 2;
    let mail = mail(&content);
    assert!(mail.text.contains("Sources: Quillgate PSIRT, Example CERT, and 1,481 more"), "{}", mail.text);
    assert!(mail.text.contains("Sources: Quillgate PSIRT, and 2 more"), "{}", mail.text);
    let html = tree(&mail.html).1.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(html.contains(", and 1,481 more") && html.contains(", and 2 more"), "{html}");
}

#[test]
fn m_21_lines_of_words_are_at_most_72_columns() {
    let mut content = content();
    content.checkpoint = None;
    for line in mail(&content).text.lines() {
        assert!(line.chars().count() <= 72 || line.trim().starts_with("https://"), "{line}");
        assert_eq!(line, line.trim_end());
    }
}

#[test]
fn m_25_the_headers_are_exactly_these() {
    let composed = compose(&content()).unwrap();
    let text = std::str::from_utf8(&composed.bytes).unwrap();
    let head = &text[..text.find("\r\n\r\n").unwrap()];
    let (fixed, boundary) = head.split_once(" boundary=\"=_sigtrail-").unwrap();
    assert_eq!(
        fixed,
        "Date: Fri, 20 Nov 2026 08:00:00 +0000\r\n\
         From: sigtrail <sigtrail@example.com>\r\n\
         To: \"Maria Lopez\" <maria@example.com>\r\n\
         Subject: Quillgate VPN exploited, libmarrow high, +1 (Fri 20 Nov)\r\n\
         Message-ID: <0123456789abcdef0123456789abcdef@example.com>\r\n\
         References: <fedcba9876543210fedcba9876543210@example.com>\r\n\
         List-Id: sigtrail digests <digests.sigtrail.example.com>\r\n\
         Auto-Submitted: auto-generated\r\n\
         X-Auto-Response-Suppress: OOF, AutoReply\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative;\r\n"
    );
    assert!(boundary.trim_end_matches('"').bytes().all(|b| b.is_ascii_hexdigit()));
}

#[test]
fn m_29_every_colour_has_a_dark_counterpart_and_headings_stand_in_order() {
    let html = mail(&content()).html;
    let style = &html[html.find("@media (prefers-color-scheme:dark)").unwrap()..html.find("</style>").unwrap()];
    let (elements, _) = tree(&html);
    for (name, attributes) in &elements {
        let value =
            |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str());
        let classes: Vec<&str> = value("class").split(' ').collect();
        for declaration in value("style").split(';') {
            let Some((property, colour)) = declaration.split_once(':') else { continue };
            if !colour.contains('#') {
                continue;
            }
            let wanted = match property.trim() {
                "border-top" => "border-top-color:",
                "border-left" => "border-left-color:",
                property => property,
            };
            let covered = classes.iter().any(|class| {
                style
                    .lines()
                    .any(|rule| rule.starts_with(&format!(".{class}{{")) && rule.contains(&format!("{{{wanted}")))
            });
            assert!(covered, "<{name} class={classes:?}>: {declaration} stays as it is in the dark");
        }
    }
    let light = &html[html.find("<style>").unwrap()..html.find("@media").unwrap()];
    for rule in light.lines().filter(|rule| rule.starts_with('.') && rule.contains('#')) {
        let class = rule.split('{').next().unwrap();
        assert!(style.lines().any(|dark| dark.starts_with(&format!("{class}{{"))), "{rule} stays as it is in the dark");
    }
    let headings: Vec<&str> = elements
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with('h') && name.len() == 2)
        .collect();
    assert_eq!(headings[0], "h1");
    assert_eq!(headings.iter().filter(|name| **name == "h1").count(), 1);
    assert_eq!(headings[1], "h2");
    assert!(
        elements
            .iter()
            .any(|(name, attributes)| name == "html" && attributes.contains(&("lang".to_owned(), "en".to_owned())))
    );
}

#[test]
fn h_33_h_34_an_inside_or_odd_address_is_never_a_link() {
    for address in [
        "http://127.0.0.1:8090/a/x",
        "http://10.0.0.5/admin",
        "http://[::1]/",
        "http://localhost/",
        "http://router.local/",
        "https://wiki.internal/",
        "http://2130706433/",
        "javascript:alert(1)",
        "data:text/html,x",
        "java\tscript:alert(1)",
        "vbscript:x",
        "file:///etc/passwd",
    ] {
        let mut content = content();
        for story in &mut content.stories {
            story.link = Some(address.to_owned());
            story.sources.iter_mut().for_each(|source| source.link = Some(address.to_owned()));
        }
        content.also_published[0].lines[0].1 = Some(address.to_owned());
        let mail = mail(&content);
        assert!(links(&mail.html).iter().all(|href| href.starts_with(ANSWER_ALL)), "{address}");
        assert!(!mail.text.contains(address), "{address}");
    }
}

#[test]
fn h_39_no_feed_text_or_link_leads_to_our_own_host() {
    let mut content = content();
    let forged = "https://sigtrail.example.com/a/forged?as=acted";
    for story in &mut content.stories {
        spoil(story, &format!("Answer at {forged} or http://SIGTRAIL.example.com/x"));
        story.link = Some(forged.to_owned());
        story.sources.iter_mut().for_each(|source| source.link = Some("https://sigtrail.example.com.:443/".to_owned()));
    }
    content.also_published[0].lines[0] = (forged.to_owned(), Some(forged.to_owned()));
    let mail = mail(&content);
    assert!(links(&mail.html).iter().all(|href| href.starts_with(ANSWER_ALL)));
    for part in [mail.text.replace(ANSWER_ALL, ""), mail.html.replace(ANSWER_ALL, "")] {
        assert!(!part.to_lowercase().contains("sigtrail.example.com"), "{part}");
    }
}
