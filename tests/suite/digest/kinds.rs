//! What each kind of mail says, to the word, and that no two subjects of one owner are equal.

use std::collections::HashSet;

use sigtrail::{
    compose::{Envelopes, Identity, compose, parts},
    model::{
        acknowledgement::Disposition,
        digest::{About, DigestContent, DigestKind, EarlierNote, Fix, HandOver},
        time::Time,
    },
};

use super::{ANSWER_ALL, ReadBack, content, empty, flat, links, mail, three_stories, tree};

fn at(moment: &str) -> Time {
    moment.parse().unwrap()
}

pub(super) fn reminder() -> DigestContent {
    let about = About::Reminder {
        since: at("2026-11-17T09:12:00Z"),
        in_reply_to: "0f0f@example.com".to_owned(),
        then: Some((at("2026-11-22T09:12:00Z"), "Jon Bright".to_owned())),
    };
    let stories = three_stories().split_off(1);
    DigestContent { kind: DigestKind::Reminder, about: Some(about), stories, ..empty() }
}

pub(super) fn takeover(why: HandOver) -> DigestContent {
    let mut jon = empty();
    jon.kind = DigestKind::Takeover;
    jon.about = Some(About::Takeover { from: "Maria Lopez".to_owned(), why });
    "Jon Bright".clone_into(&mut jon.owner_name);
    "jon@example.com".clone_into(&mut jon.owner_address);
    jon.stories = three_stories()[..1].to_vec();
    "Ada Stone".clone_into(&mut jon.stand_in.as_mut().unwrap().name);
    jon
}

pub(super) fn passed(why: HandOver) -> DigestContent {
    let about = About::Passed { to: "Jon Bright".to_owned(), why, told: 3 };
    DigestContent { kind: DigestKind::Passed, about: Some(about), stories: three_stories(), ..empty() }
}

pub(super) fn links_anew() -> DigestContent {
    let about = About::Links { in_reply_to: "0f0f@example.com".to_owned() };
    DigestContent { kind: DigestKind::Links, about: Some(about), stories: three_stories(), ..empty() }
}

pub(super) fn heartbeat() -> DigestContent {
    DigestContent { kind: DigestKind::Heartbeat, ..empty() }
}

pub(super) fn of_all_kinds() -> Vec<DigestContent> {
    let whys = HandOver::ALL.map(|(_, why)| why);
    let mut all = vec![content(), reminder(), links_anew(), heartbeat()];
    all.push(DigestContent { kind: DigestKind::Urgent, stories: three_stories()[..1].to_vec(), ..content() });
    all.push(DigestContent { not_seen: content().not_seen, ..heartbeat() });
    all.extend(whys.map(takeover));
    all.extend(whys.map(passed));
    all
}

#[test]
fn every_kind_has_the_subject_of_its_situation() {
    let subject = |content: &DigestContent| mail(content).subject;
    assert_eq!(subject(&reminder()), "Still open: libmarrow and 1 more, since Tue 17 Nov");
    assert_eq!(subject(&passed(HandOver::NoAnswer)), "Passed to Jon: Quillgate VPN and 2 more (20 Nov)");
    assert_eq!(subject(&links_anew()), "New links: Quillgate VPN and 2 more (20 Nov)");
    assert_eq!(subject(&heartbeat()), "Quiet week 47: nothing for you, 14 of 14 feeds seen");
    let blind = DigestContent { not_seen: content().not_seen, ..heartbeat() };
    assert_eq!(subject(&blind), "Blind in week 47: 2 of 14 feeds not seen");
    let takeovers = HandOver::ALL.map(|(_, why)| subject(&takeover(why)));
    assert_eq!(
        takeovers,
        [
            "Now yours: Quillgate VPN, no answer from Maria (20 Nov)",
            "Now yours: Quillgate VPN, Maria is away (20 Nov)",
            "Now yours: Quillgate VPN, no mail reaches Maria (20 Nov)",
            "Now yours: Quillgate VPN, mail to Maria came back (20 Nov)",
            "Now yours: Quillgate VPN, no longer Maria's (20 Nov)",
        ]
    );
    for content in of_all_kinds() {
        assert!(subject(&content).chars().count() <= 60, "{}", subject(&content));
    }
}

#[test]
fn a_name_is_called_by_its_first_word_where_that_is_one() {
    let from = |name: &str| {
        let about = About::Takeover { from: name.to_owned(), why: HandOver::Away };
        mail(&DigestContent { about: Some(about), ..takeover(HandOver::Away) }).subject
    };
    assert!(from("Maria").contains(", Maria is away"));
    assert!(from("Dr. Maria Lopez").contains(", Dr. Maria Lopez is away"));
    assert!(from("Lopez, Maria").contains(", Lopez, Maria is away"));
    assert!(from(&"x".repeat(200)).chars().count() <= 60);
}

#[test]
fn every_kind_says_in_its_first_lines_what_to_do_and_why_it_comes() {
    let first = |content: &DigestContent| {
        let text = mail(content).text;
        flat(text.split("\r\n\r\n").chain(text.split("\n\n")).take(1).next().unwrap_or_default())
    };
    let says = |content: &DigestContent, words: &[&str]| {
        let ReadBack { text, html, .. } = mail(content);
        for part in [flat(&text), flat(&tree(&html).1)] {
            for words in words {
                assert!(part.contains(words), "{words:?} is not in {part}");
            }
        }
    };
    assert!(first(&reminder()).starts_with("Still open: libmarrow and 1 more"));
    says(&reminder(), &["With you since Tue, and not answered. On Sun 22 Nov 09:12 Jon Bright is asked."]);
    says(
        &takeover(HandOver::NoAnswer),
        &[
            "Now yours: Quillgate VPN",
            "Maria Lopez has not answered in time.",
            "Without an answer by 14:00, Ada Stone is asked.",
        ],
    );
    says(&takeover(HandOver::Bounced), &["The mail to Maria Lopez came back."]);
    says(&passed(HandOver::Away), &["Nothing to do: Jon Bright now has Quillgate VPN and 2 more", "You were away."]);
    says(&links_anew(), &["New links: Quillgate VPN and 2 more", "The links of your earlier mail have ended."]);
    says(&heartbeat(), &["Nothing for you this week", "14 of 14 feeds were seen.", "nothing to do"]);
    let blind = DigestContent { not_seen: content().not_seen, ..heartbeat() };
    says(&blind, &["Nothing for you this week, and 2 feeds could not be seen", "12 of 14 feeds were seen."]);
}

#[test]
fn what_is_with_somebody_else_cannot_be_answered_from_the_mail() {
    let ReadBack { text, html, .. } = mail(&passed(HandOver::NoAnswer));
    assert!(!text.contains("/a/") && !html.contains("/a/"), "{text}");
    assert!(!text.contains("Answer") && !text.contains("is asked"), "{text}");
    assert!(text.contains("Quillgate VPN: sign-in bypass in the web portal"));
}

#[test]
fn who_is_asked_is_said_only_where_there_is_somebody() {
    assert!(mail(&content()).text.contains("Without an answer, Jon Bright is asked."));
    let alone = mail(&DigestContent { stand_in: None, ..content() });
    assert!(!alone.text.contains("is asked") && !alone.html.contains("is asked"));
    assert!(alone.text.starts_with("Answer Quillgate VPN first; 2 other stories can wait"), "{}", alone.text);
    assert!(!mail(&empty()).text.contains("is asked"), "nothing to answer");
}

#[test]
fn by_is_a_moment_of_the_owners_own_day() {
    let first = |content: &DigestContent| mail(content).text.lines().next().unwrap().to_owned();
    let mut one = content();
    one.stories = three_stories().split_off(2);
    assert_eq!(first(&one), "Answer prompt injection by Wed 08:00");
    one.stand_in.as_mut().unwrap().calm_at = at("2026-12-04T08:00:00Z");
    assert_eq!(first(&one), "Answer prompt injection by Fri 4 Dec 08:00");
    one.stories = three_stories().split_off(1);
    assert_eq!(first(&one), "2 stories to answer by Fri 4 Dec 08:00, none of them urgent");
    let mut night = DigestContent { stories: three_stories()[..1].to_vec(), ..content() };
    night.stand_in.as_mut().unwrap().urgent_at = at("2026-11-21T02:00:00Z");
    assert_eq!(first(&night), "Answer Quillgate VPN by Sat 02:00");
    night.kind = DigestKind::Urgent;
    assert_eq!(mail(&night).subject, "Quillgate VPN exploited: answer by Sat 02:00 (20 Nov)");
}

#[test]
fn a_story_says_its_marks_as_they_are_stated_and_no_others() {
    let text = flat(&mail(&content()).text);
    assert!(text.contains("Exploited (KEV-S, 19 Nov). CVSS 9.8 (critical). Fix 9.1.4. CVE-2099-10007."), "{text}");
    assert!(text.contains("CVSS 7.5 (high). CVE-2099-10008."), "{text}");
    let html = flat(&tree(&mail(&content()).html).1);
    assert!(html.contains("Exploited (KEV-S, 19 Nov) · CVSS 9.8 (critical) · Fix 9.1.4 · CVE-2099-10007"), "{html}");
    assert!(!text.contains("No attacks") && !html.contains("No attacks"), "what nobody states is not said");
    let mut stated = content();
    stated.stories[1].fix = Some(Fix::Stated);
    stated.stories[0].exploited_by = None;
    let text = flat(&mail(&stated).text);
    assert!(text.contains("CVSS 7.5 (high). Fix available.") && text.contains(" Exploited. CVSS 9.8"), "{text}");
}

#[test]
fn a_story_that_is_told_again_says_since_when_it_changed_and_what_was_said_of_it() {
    let mut content = content();
    content.stories[0].told_before = Some(at("2026-11-18T08:00:00Z"));
    content.stories[0].changes = vec!["now exploited; fix published".to_owned()];
    let note = |who: &str, moment: &str, disposition, note: Option<&str>| EarlierNote {
        who: who.to_owned(),
        at: at(moment),
        disposition,
        note: note.map(str::to_owned),
    };
    content.stories[1].earlier = vec![
        note("Jon Bright", "2026-11-03T10:00:00Z", Disposition::Covered, Some("only the build image uses it.")),
        note("Maria Lopez", "2025-11-01T10:00:00Z", Disposition::NotRelevant, None),
    ];
    content.stories[1].more_earlier = 4;
    let mail = mail(&content);
    for part in [flat(&mail.text), flat(&tree(&mail.html).1)] {
        assert!(part.contains("Changed since Wed: now exploited; fix published"), "{part}");
        assert!(part.contains("Jon Bright, 3 Nov, covered: only the build image uses it."), "{part}");
        assert!(part.contains("Maria Lopez, 1 Nov 2025: not relevant."), "{part}");
        assert!(part.contains("4 earlier answers are on the page."), "{part}");
    }
}

#[test]
fn why_it_came_ends_before_its_proof_and_why_it_waited_is_a_line_of_its_own() {
    let reason = "It was meant for Maria Lopez, who has not answered: \"Quillgate VPN is yours\".";
    let waited = "It is urgent and waited for the end of your quiet hours.";
    let mut one = three_stories().remove(0);
    reason.clone_into(&mut one.reason);
    one.waited = Some(waited.to_owned());
    let mail = mail(&DigestContent { stories: vec![one], ..takeover(HandOver::NoAnswer) });
    for part in [flat(&mail.text), flat(&tree(&mail.html).1)] {
        let whole = format!("Why you: {reason} \"Quillgate VPN\" in the title, confidence 90. {waited}");
        assert!(part.contains(&whole), "{part}");
    }
    assert!(mail.text.lines().any(|line| line.trim() == waited), "{}", mail.text);
    let lines: Vec<&str> = mail.html.lines().collect();
    assert!(lines.windows(3).any(|lines| lines == ["<br />", waited, "<br />"]), "{}", mail.html);
}

#[test]
fn the_foot_says_what_is_yours_and_which_groups_were_quiet() {
    let mail = mail(&content());
    for part in [flat(&mail.text), flat(&tree(&mail.html).1)] {
        assert!(part.contains("You own: Quillgate VPN, libmarrow, prompt injection. Not yours?"), "{part}");
        assert!(part.contains("Groups: Quillgate PSIRT today, Fernwald quiet 31 days."), "{part}");
        assert!(part.contains("All stories still open: seen, nothing for us, one reason for all"), "{part}");
    }
    let hrefs = links(&mail.html);
    assert!(hrefs.contains(&format!("{ANSWER_ALL}/rest")) && hrefs.contains(&format!("{ANSWER_ALL}/wrong")));
    assert!(mail.text.lines().any(|line| line.trim() == format!("{ANSWER_ALL}/rest")));
}

#[test]
fn stories_of_one_component_stand_under_its_name_where_there_are_several() {
    let mut content = content();
    let mut again = three_stories().remove(1);
    again.title = "libmarrow again".to_owned();
    content.stories.insert(2, again);
    let mut calm = three_stories().remove(0);
    calm.urgent = false;
    content.stories.insert(3, calm);
    let mail = mail(&content);
    for part in [mail.text.clone(), tree(&mail.html).1] {
        let places: Vec<usize> = ["libmarrow (2)", "libmarrow 2.8.1", "libmarrow again", "Quillgate VPN (1)"]
            .iter()
            .map(|words| part.find(words).unwrap_or_else(|| panic!("{words} is not in {part}")))
            .collect();
        assert!(places.is_sorted(), "{part}");
    }
}

#[test]
fn no_two_subjects_of_one_owner_are_equal() {
    let mut taken: HashSet<String> = HashSet::new();
    let identity = |_| Identity { message_id: content().message_id, answer_all_url: content().answer_all_url };
    let contents = of_all_kinds();
    for _ in 0..4 {
        for content in &contents {
            let made = parts(content, &Envelopes { identity: &identity, taken: &taken, size_limit: None }).unwrap();
            for part in made {
                assert!(taken.insert(part.composed.subject.clone()), "{} twice", part.composed.subject);
            }
        }
    }
    assert!(taken.contains("Quillgate VPN exploited, +2 for you (Fri 20 Nov 08:00)"), "{taken:#?}");
    assert!(taken.contains("Quiet week 47: 14 of 14 feeds seen (20 Nov 08:00)"), "{taken:#?}");
}

#[test]
fn m_25_a_reminder_and_new_links_refer_to_the_mail_they_are_about() {
    for content in [reminder(), links_anew()] {
        let bytes = compose(&content).unwrap().bytes;
        let head = String::from_utf8(bytes).unwrap();
        let head = head.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
        assert!(head.contains("\r\nIn-Reply-To: <0f0f@example.com>\r\n"), "{head}");
        let root = "<fedcba9876543210fedcba9876543210@example.com>";
        assert!(head.contains(&format!("\r\nReferences: {root} <0f0f@example.com>\r\n")), "{head}");
    }
    for content in [content(), takeover(HandOver::Left), passed(HandOver::Left), heartbeat()] {
        assert!(!String::from_utf8(compose(&content).unwrap().bytes).unwrap().contains("In-Reply-To"));
    }
}
