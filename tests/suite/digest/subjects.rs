//! Subjects at the edge of their length: whatever the names are and however many mails of a day are alike, what matters
//! survives, none is too long, and no two are equal.

use std::collections::HashSet;

use sigtrail::{
    compose::{Envelopes, Identity, parts},
    model::digest::{About, DigestContent, DigestKind, HandOver},
};

use super::{content, kinds, three_stories};

/// Names of components, or titles of stories without any.
const NAMES: [&str; 6] = [
    "Quillgate VPN",
    "A component whose name is longer than any telephone shows, and then some",
    "Überlange Komponente für Größenmaße und Straßen im Südosten Österreichs",
    "漢字かな交じりの長い部品の名前は電話の画面に入りきらないのでここで切られる",
    "one-word-that-can-be-broken-nowhere-because-it-has-no-space-in-it-at-all",
    "العربية العربية العربية العربية العربية العربية",
];

/// All stories of a digest are exploited and have this name: as that of their component, or as their title.
fn named(mut content: DigestContent, name: &str, is_tagged: bool) -> DigestContent {
    for story in &mut content.stories {
        name.clone_into(&mut story.title);
        story.marks.exploited = true;
        story.tags.retain(|_| is_tagged);
        story.tags.iter_mut().for_each(|(tag, _)| name.clone_into(tag));
    }
    content
}

/// What a subject of such a digest must say, whatever else is left out.
fn essential(content: &DigestContent) -> &'static [&'static str] {
    match (content.kind, &content.about) {
        (DigestKind::Urgent, _) => &[" exploited", ": answer"],
        (DigestKind::Heartbeat, _) => &[" week 47"],
        (_, Some(About::Reminder { .. })) => &["Still open: "],
        (_, Some(About::Takeover { .. })) => &["Now yours: "],
        (_, Some(About::Passed { .. })) => &["Passed "],
        (_, Some(About::Links { .. })) => &["New links: "],
        _ => &[" exploited"],
    }
}

fn subjects(content: &DigestContent, taken: &HashSet<String>, size_limit: Option<u64>) -> (Vec<String>, usize) {
    let identity = |place| Identity {
        message_id: format!("{place}.{}", content.message_id),
        answer_all_url: content.answer_all_url.clone(),
    };
    let made = parts(content, &Envelopes { identity: &identity, taken, size_limit }).unwrap();
    let bytes = made.iter().map(|part| part.composed.bytes.len()).sum();
    (made.into_iter().map(|part| part.composed.subject).collect(), bytes)
}

#[test]
fn what_matters_survives_every_name_and_every_number_of_mails_alike() {
    let long = About::Takeover { from: "Maximiliane-Alexandra Featherstonehaugh".to_owned(), why: HandOver::Bounced };
    let mut contents = kinds::of_all_kinds();
    contents.push(DigestContent { about: Some(long), ..kinds::takeover(HandOver::Bounced) });
    contents.push(DigestContent { kind: DigestKind::Urgent, stories: three_stories(), ..content() });
    for (content, name, is_tagged) in contents.iter().flat_map(|content| {
        NAMES.iter().flat_map(move |name| [true, false].map(|is_tagged| (content, *name, is_tagged)))
    }) {
        let content = named(content.clone(), name, is_tagged);
        let beginning: String = name.chars().take(3).collect();
        let mut taken = HashSet::new();
        let (_, whole) = subjects(&content, &taken, None);
        for size_limit in [None, Some(whole as u64 * 3 / 4)].into_iter().cycle().take(6) {
            let (made, _) = subjects(&content, &taken, size_limit);
            for (place, subject) in made.iter().enumerate() {
                assert!(subject.chars().count() <= 60, "{} characters: {subject}", subject.chars().count());
                let (is_rest, is_of_none) = (subject.starts_with("The rest of"), subject.contains("he rest"));
                for words in essential(&content).iter().filter(|_| !is_rest) {
                    assert!(subject.contains(words), "{words:?} is not in {subject:?}");
                }
                assert!(is_of_none || content.stories.is_empty() || subject.contains(&beginning), "{name}: {subject}");
                let part = format!("{} of {}", place + 1, made.len());
                assert!(made.len() == 1 || subject.contains(&part), "{part} is not in {subject}");
                assert!(taken.insert(subject.clone()), "twice: {subject}");
            }
        }
    }
}

#[test]
fn the_second_mail_of_a_day_leaves_out_what_matters_least() {
    let second = |content: &DigestContent| {
        let (first, _) = subjects(content, &HashSet::new(), None);
        subjects(content, &first.into_iter().collect(), None).0.remove(0)
    };
    let urgent = DigestContent { kind: DigestKind::Urgent, stories: three_stories()[..1].to_vec(), ..content() };
    assert_eq!(second(&urgent), "Quillgate VPN exploited: answer by 14:00 (20 Nov 08:00)");
    assert_eq!(second(&kinds::heartbeat()), "Quiet week 47: 14 of 14 feeds seen (20 Nov 08:00)");
    let taken = second(&kinds::takeover(HandOver::Undelivered));
    assert_eq!(taken, "Now yours: Quillgate VPN, from Maria (20 Nov 08:00)");
    let long = named(content(), NAMES[1], true);
    assert_eq!(second(&long), "A component whose… exploited, +2 for you (Fri 20 Nov 08:00)");
}
