//! The pages, rendered from invented stories and read as a document tree.

use jiff::tz::TimeZone;
use quick_xml::{Reader, events::Event};

use super::*;
use crate::{
    compose::words,
    model::{
        acknowledgement::{Chain, ChainStep, GivenAnswer, Haste, Place, ReferenceKind},
        digest::{Fix, StorySource},
        id::{DigestNo, StoryNo},
        stack::{Field, Marks, Method, Severity, Tag, TagKind},
    },
};

fn story(number: usize, title: &str) -> PageStory {
    let tag = Tag {
        kind: TagKind::Component,
        id: "quillgate-vpn".to_owned(),
        term: "Quillgate VPN".to_owned(),
        field: Field::Summary,
        start: 0,
        end: 13,
        snippet: "All versions of Quillgate VPN before 9.1.4 let a crafted cookie skip the sign-in".to_owned(),
        method: Method::Term,
        confidence: 90,
    };
    PageStory {
        story: StoryNo(i64::try_from(number).unwrap()),
        number,
        standing: Standing::Theirs,
        title: title.to_owned(),
        summary: Some(
            "A crafted cookie skips the sign-in. All 9.x before 9.1.4; attacks since 17 Nov. Work-around: switch the \
             portal off until the fix is in place."
                .to_owned(),
        ),
        cves: vec!["CVE-2099-10007".to_owned()],
        marks: Marks { cvss_tenths: Some(98), severity: Some(Severity::Critical), exploited: number == 1 },
        fix: None,
        reason: "Quillgate VPN is yours.".to_owned(),
        tags: vec![("Quillgate VPN".to_owned(), tag)],
        sources: vec![
            StorySource {
                feed: "Quillgate PSIRT".to_owned(),
                link: Some("https://psirt.quillgate.example/2099/11".to_owned()),
            },
            StorySource { feed: "Example CERT".to_owned(), link: Some("https://cert.example/2099/87".to_owned()) },
        ],
        more_sources: 0,
        answers: Vec::new(),
        chain: Chain::default(),
    }
}

fn step(word: &str, text: &str, record: u64) -> ChainStep {
    let at = "2026-11-20T08:00:00Z".parse().unwrap();
    ChainStep {
        at,
        recorded: at,
        word: word.to_owned(),
        text: text.to_owned(),
        references: Vec::new(),
        record,
        corrected_by: None,
    }
}

fn given(name: &str, record: u64) -> GivenAnswer {
    GivenAnswer {
        at: "2026-11-20T09:31:00Z".parse().unwrap(),
        happened: "2026-11-20T09:31:00Z".parse().unwrap(),
        owner: if name == "Maria Lopez" { "maria" } else { "jon" }.into(),
        owner_name: name.to_owned(),
        disposition: Disposition::Watching,
        note: Some("only the build image uses it\nand that is rebuilt <weekly>".to_owned()),
        references: vec![ticket("CHG-118")],
        corrects: None,
        haste: Haste::None,
        record,
    }
}

fn ticket(text: &str) -> Reference {
    Reference { kind: ReferenceKind::Ticket, text: text.to_owned() }
}

fn page() -> AnswerPage {
    let mut answered = story(2, "libmarrow 2.8.1 fixes a crash on long archive names");
    answered.answers = vec![given("Jon Bright", 48_101), given("Maria Lopez", 48_230)];
    let place = |number: usize| Place { story: StoryNo(i64::try_from(number).unwrap()), number, is_open: number != 2 };
    AnswerPage {
        checkpoint: Some("example.com/sigtrail\n8\nroot=\n\n\u{2014} example.com/sigtrail signature=\n".to_owned()),
        digest: DigestNo(7),
        owner: "maria".into(),
        owner_name: "Maria Lopez".to_owned(),
        timezone: TimeZone::get("Europe/London").unwrap(),
        stories: vec![
            story(1, "Quillgate VPN: sign-in bypass in the web portal"),
            answered,
            story(3, "Hidden instructions in calendar invitations"),
        ],
        places: [1, 2, 3].map(place).to_vec(),
        told_at: Time::UNIX_EPOCH,
        sent_at: None,
    }
}

fn view(page: &AnswerPage, number: Option<usize>, form: Form, outcome: Outcome) -> View<'_> {
    let what = number.map_or(What::Whole, What::One);
    view_of(page, what, form, outcome)
}

fn view_of(page: &AnswerPage, what: What, form: Form, outcome: Outcome) -> View<'_> {
    View {
        root: "",
        path: "/a/Zk3vT8wQ1nLr6YpXbC2mGA7uVhE4sJdK0o".to_owned(),
        all_path: Some("/a/Zk3vT8wQ1nLr6YpXbC2mGA7uVhE4sJdK0o".to_owned()),
        page,
        what,
        form,
        outcome,
        base_url: Url::parse("https://sigtrail.example.com").unwrap(),
        now: "2026-11-20T16:00:00Z".parse().unwrap(),
    }
}

async fn html(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn rendered(view: &View<'_>) -> String {
    html(answer(StatusCode::OK, view)).await
}

/// Every element with its attributes; fails where the markup does not nest.
fn elements(html: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = Reader::from_str(html);
    let mut found = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => return found,
            Event::Start(tag) | Event::Empty(tag) => {
                let attributes = tag
                    .attributes()
                    .map(|attribute| {
                        let attribute = attribute.unwrap();
                        let name = attribute.key.as_ref().to_owned();
                        (name, attribute.value.into_owned())
                    })
                    .collect();
                found.push((tag.name().as_ref().to_owned(), attributes));
            }
            _ => {}
        }
    }
}

fn show(name: &str, html: &str) {
    if let Some(folder) = std::option_env!("SIGTRAIL_SHOW") {
        let html = html.replace(&format!("href=\"/{}\"", style_name()), "href=\"style.css\"");
        std::fs::write(format!("{folder}/{name}.html"), html).unwrap();
    }
}

#[tokio::test]
async fn a_story_says_what_it_is_why_it_came_and_what_was_said() {
    let page = page();
    let html = rendered(&view(&page, Some(1), Form::default(), Outcome::Nothing)).await;
    show("story", &html);
    for words in [
        "Quillgate VPN: sign-in bypass in the web portal",
        "exploited",
        "CVSS 9.8 (critical)",
        "CVE-2099-10007",
        "Quillgate VPN is yours.",
        "in the summary",
        "psirt.quillgate.example",
        "What do you say?",
        "Recorded as given with the link sent to Maria Lopez.",
        "Next: 3 of 3",
        "All 3 stories",
    ] {
        assert!(html.contains(words), "{words}");
    }
    let html = rendered(&view(&page, Some(2), Form::default(), Outcome::Recorded { record: 48_230 })).await;
    show("recorded", &html);
    for words in [
        "Recorded. Your answer is record 48,230. 2 stories are still open.",
        "Add another answer",
        "Jon Bright, 20 Nov 2026 at 09:31",
        "rebuilt &#60;weekly&#62;",
        "Reference: ticket CHG-118",
    ] {
        assert!(html.contains(words), "{words}");
    }
}

#[tokio::test]
async fn nothing_is_chosen_beforehand_but_what_the_mail_chose() {
    let page = page();
    let html = rendered(&view(&page, Some(1), Form::default(), Outcome::Nothing)).await;
    assert!(!html.contains("checked"));
    let form = Form { disposition: Some(Disposition::Watching), ..Form::default() };
    let html = rendered(&view(&page, Some(1), form, Outcome::Nothing)).await;
    let checked: Vec<_> = elements(&html)
        .into_iter()
        .filter(|(_, attributes)| attributes.iter().any(|(name, _)| name == "checked"))
        .collect();
    assert_eq!(checked.len(), 1);
    assert!(checked[0].1.contains(&("value".to_owned(), "watching".to_owned())));
}

#[tokio::test]
async fn a_mistake_is_said_above_and_at_its_field_and_keeps_what_was_typed() {
    let page = page();
    let form = Form {
        disposition: Some(Disposition::NotRelevant),
        note: String::new(),
        reference: "CHG-\"118\"".to_owned(),
        asks_kind: true,
        nonce: "n".to_owned(),
        ..Form::default()
    };
    let mistakes = form.mistakes();
    let html = rendered(&view(&page, Some(1), form, Outcome::Mistakes(mistakes))).await;
    show("mistake", &html);
    assert!(html.contains("<title>Error: "));
    assert!(html.contains("There is a problem"));
    assert_eq!(html.matches("Say why this is not relevant").count(), 2);
    assert!(html.contains("href=\"#note\"") && html.contains("href=\"#kind\""));
    assert_eq!(html.matches("Choose what the reference is").count(), 2);
    assert!(html.contains("value=\"CHG-&#34;118&#34;\""));
}

#[tokio::test]
async fn a_whole_digest_lists_its_stories_and_takes_one_answer_for_the_open_ones() {
    let mut page = page();
    let html = rendered(&view(&page, None, Form::default(), Outcome::Nothing)).await;
    show("stories", &html);
    for words in [
        "2 stories to answer",
        "One answer for both open stories",
        "answered: Watching",
        "/a/Zk3vT8wQ1nLr6YpXbC2mGA7uVhE4sJdK0o/3",
    ] {
        assert!(html.contains(words), "{words}");
    }
    for story in &mut page.stories {
        story.answers = vec![given("Maria Lopez", 9)];
    }
    for place in &mut page.places {
        place.is_open = false;
    }
    let html = rendered(&view(
        &page,
        None,
        Form::default(),
        Outcome::Already { at: page.stories[0].answers[0].at, record: 9 },
    ))
    .await;
    assert!(html.contains("Nothing is open"));
    assert!(html.contains("Already recorded on 20 Nov at 09:31. Nothing was added."));
    assert!(!html.contains("<form"));
}

#[tokio::test]
async fn a_link_that_ended_says_when() {
    let ended = Instead {
        root: "",
        words: "This link ended on 20 Dec.",
        advice: "We can mail a new one to the same address.",
        form: Some(("/a/x/anew", "n")),
        typed: None,
    };
    let shown = html(instead(StatusCode::GONE, &ended)).await;
    show("expired", &shown);
    assert_eq!(shown.matches(ended.words).count(), 2, "as the title and as the heading");
    assert!(shown.contains(ended.advice) && shown.contains("action=\"/a/x/anew\"") && !shown.contains("Not recorded"));
    let typed = "the portal is <off>\nCHG-118";
    let shown = html(instead(StatusCode::GONE, &Instead { typed: Some(typed), ..ended })).await;
    show("expired-typed", &shown);
    elements(&shown);
    assert!(shown.contains("<title>Error: Not recorded</title>") && shown.contains("<h1>Not recorded</h1>"));
    assert!(shown.contains("This link ended on 20 Dec.") && shown.contains("action=\"/a/x/anew\""));
    assert!(shown.contains("the portal is &#60;off&#62;\nCHG-118</textarea>"), "{shown}");
}

#[tokio::test]
async fn a_fix_is_marked_as_the_digest_marks_it_on_the_page_of_a_story_and_in_the_list() {
    let mut page = page();
    page.stories[0].fix = Some(Fix::In(vec!["9.1.4".to_owned(), "8.7.2".to_owned()]));
    page.stories[2].fix = Some(Fix::Stated);
    let story = rendered(&view(&page, Some(1), Form::default(), Outcome::Nothing)).await;
    show("fix", &story);
    let order =
        ["exploited", "CVSS 9.8 (critical)", "<span class=\"mark fix\">Fix 9.1.4, 8.7.2</span>", "CVE-2099-10007"];
    let places = order.map(|words| story.find(words).unwrap_or_else(|| panic!("{words}: {story}")));
    assert!(places.is_sorted(), "in the order of the digest: {places:?}");
    let list = rendered(&view(&page, None, Form::default(), Outcome::Nothing)).await;
    assert_eq!(list.matches("class=\"mark fix\"").count(), 2, "{list}");
    assert!(list.contains("Fix 9.1.4, 8.7.2") && list.contains("Fix available"));
}

#[tokio::test]
async fn h_35_nothing_of_a_feed_becomes_markup_on_the_page() {
    const HOSTILE: &[&str] = &[
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'><svg/onload=alert(1)>",
        "</title></textarea></style></script><form action=https://evil.example><button>Acknowledge",
        "<a href=\"javascript:alert(1)\">x</a>",
        "&lt;script&gt;&#60;b&#62;{{7*7}}${7*7}<!--",
        "]]><![CDATA[<x>",
    ];
    let plain = rendered(&view(&page(), Some(1), Form::default(), Outcome::Nothing)).await;
    let names = |html: &str| elements(html).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    for hostile in HOSTILE {
        let mut page = page();
        let story = &mut page.stories[0];
        story.title = (*hostile).to_owned();
        story.summary = Some((*hostile).to_owned());
        story.cves = vec![(*hostile).to_owned()];
        story.reason = (*hostile).to_owned();
        story.tags[0].0 = (*hostile).to_owned();
        story.tags[0].1.term = (*hostile).to_owned();
        story.tags[0].1.snippet = (*hostile).to_owned();
        story.sources[0].feed = (*hostile).to_owned();
        story.sources[1].link = Some("javascript:alert(1)".to_owned());
        page.owner_name = (*hostile).to_owned();
        let html = rendered(&view(&page, Some(1), Form::default(), Outcome::Nothing)).await;
        let mut expected = names(&plain);
        let lost_link = expected.iter().rposition(|name| name == "a").unwrap();
        let before_nav = expected[..lost_link - 1].iter().rposition(|name| name == "a").unwrap();
        expected.remove(before_nav);
        assert_eq!(names(&html), expected, "{hostile}");
        for (_, attributes) in elements(&html) {
            for (name, value) in attributes {
                assert!(!name.starts_with("on") && name != "style" && name != "src", "{hostile}: {name}");
                assert!(!value.to_lowercase().contains("javascript:") || name == "value", "{hostile}: {value}");
            }
        }
        let escaped = words::line(hostile).replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;");
        assert!(html.contains(&escaped.replace('"', "&#34;").replace('\'', "&#39;")), "{hostile}");
    }
}

#[tokio::test]
async fn h_39_a_feed_cannot_link_to_our_own_page() {
    let mut page = page();
    page.stories[0].title = "Answer at https://sigtrail.example.com/a/forged".to_owned();
    page.stories[0].sources[0].link = Some("https://sigtrail.example.com/a/forged".to_owned());
    let html = rendered(&view(&page, Some(1), Form::default(), Outcome::Nothing)).await;
    assert!(!html.contains("sigtrail.example.com"));
    assert!(html.contains("a link that imitates ours was left out"));
}

#[tokio::test]
async fn the_markup_is_plain_and_labelled() {
    let page = page();
    let story = rendered(&view(&page, Some(1), Form::default(), Outcome::Nothing)).await;
    let whole = rendered(&view(&page, None, Form::default(), Outcome::Nothing)).await;
    let rest = rendered(&view_of(&page, What::Rest, Form::default(), Outcome::Nothing)).await;
    let answered = rendered(&view(&page, Some(2), Form::default(), Outcome::Nothing)).await;
    for html in [story, whole, rest, answered] {
        let elements = elements(&html);
        let ids: Vec<&String> = elements
            .iter()
            .flat_map(|(_, attributes)| attributes)
            .filter(|(name, _)| name == "id")
            .map(|(_, id)| id)
            .collect();
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ids.len(), "an id stands twice");
        assert_eq!(elements.iter().filter(|(name, _)| name == "h1").count(), 1);
        for (name, attributes) in &elements {
            assert!(!matches!(name.as_str(), "script" | "style" | "iframe" | "img" | "object"), "{name}");
            for (attribute, value) in attributes {
                assert!(attribute != "style" && !attribute.starts_with("on"), "{attribute}");
                if matches!(attribute.as_str(), "for" | "aria-labelledby" | "aria-describedby") {
                    for id in value.split(' ') {
                        assert!(ids.iter().any(|known| *known == id), "{attribute}={id}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn the_chain_stands_below_with_its_records_and_says_what_is_not_yet() {
    let mut page = page();
    let story = &mut page.stories[1];
    story.chain.steps = vec![
        step("received", "Quillgate PSIRT, entry 11", 48_020),
        ChainStep {
            recorded: "2026-11-22T10:00:00Z".parse().unwrap(),
            references: vec![
                ticket("https://tickets.example/CHG-118"),
                ticket("http://plain.example/1"),
                ticket("minutes"),
            ],
            corrected_by: Some(48_300),
            ..step("answered", "Maria Lopez: acted, \"portal <off>\"", 48_230)
        },
    ];
    let html = rendered(&view(&page, Some(2), Form::default(), Outcome::Nothing)).await;
    show("chain", &html);
    for words in [
        "What became of it",
        "48,020",
        "20 Nov 2026 08:00",
        "(recorded 22 Nov 2026 10:00)",
        "corrected by record 48,300",
        "portal &#60;off&#62;",
        "<a href=\"https://tickets.example/CHG-118\"",
        "not yet",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert!(!html.contains("href=\"http://plain.example"), "only https becomes a link");
    assert!(html.find("<form").unwrap() < html.find("class=\"chain\"").unwrap());
    page.stories[1].chain.is_closed = true;
    let html = rendered(&view(&page, Some(2), Form::default(), Outcome::Nothing)).await;
    assert!(!html.contains("not yet"));
}

#[tokio::test]
async fn closing_is_offered_after_an_answer_and_correcting_to_whoever_gave_one() {
    let page = page();
    let first = rendered(&view(&page, Some(1), Form::default(), Outcome::Nothing)).await;
    assert!(!first.contains("value=\"closed\"") && !first.contains("name=\"corrects\""));
    let again = rendered(&view(&page, Some(2), Form::default(), Outcome::Nothing)).await;
    assert!(again.contains("value=\"closed\""));
    assert!(again.contains("corrects record 48,230 (watching)") && !again.contains("corrects record 48,101"));
    let whole = rendered(&view(&page, None, Form::default(), Outcome::Nothing)).await;
    assert!(!whole.contains("value=\"closed\"") && !whole.contains("name=\"corrects\""));
}

#[tokio::test]
async fn the_rest_takes_one_reason_and_shows_for_what() {
    let mut page = page();
    page.stories.remove(1);
    let html = rendered(&view_of(&page, What::Rest, Form::default(), Outcome::Nothing)).await;
    show("rest", &html);
    for words in ["seen, nothing for us", "One reason for all", "Both open stories are not relevant", "Record for both"]
    {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains("type=\"radio\"") && !html.contains("libmarrow"));
}

#[tokio::test]
async fn what_somebody_else_has_can_be_read_and_what_is_restricted_cannot() {
    let mut page = page();
    page.stories[0].standing =
        Standing::With { name: "Jon Bright".to_owned(), since: "2026-11-20T14:00:00Z".parse().unwrap() };
    let html = rendered(&view(&page, Some(1), Form::default(), Outcome::Nothing)).await;
    show("withdrawn", &html);
    assert!(html.contains("This story is with Jon Bright since 14:00. You can still read it."));
    assert!(html.contains("A crafted cookie") && !html.contains("<form"));
    page.stories[0].standing = Standing::Restricted { ask: "Jon Bright".to_owned() };
    let html = rendered(&view(&page, Some(1), Form::default(), Outcome::Nothing)).await;
    assert!(html.contains("This entry is restricted. Ask Jon Bright.") && !html.contains("<form"));
}
