//! A digest that is too large for one mail: numbered parts which hold all of it together.

use std::collections::{BTreeSet, HashSet};

use sigtrail::{
    compose::{Envelopes, Identity, MAX_HTML, Part, parts},
    model::digest::{AlsoPublished, BaselineNote, DigestContent, DigestKind, DigestStory, Restricted},
};

use super::{
    ANSWER_ALL, content, empty, encoded_html, flat, links, not_seen, on_the_wire, read_back, source, spoil, story, tree,
};

/// The mails of a digest, each with a link of its own.
pub(super) fn mails(content: &DigestContent, size_limit: Option<u64>) -> Vec<Part> {
    let identity = |place: usize| match place {
        0 => Identity { message_id: content.message_id.clone(), answer_all_url: content.answer_all_url.clone() },
        _ => Identity {
            message_id: format!("{place}.{}", content.message_id),
            answer_all_url: format!("{ANSWER_ALL}p{place}"),
        },
    };
    parts(content, &Envelopes { identity: &identity, taken: &HashSet::new(), size_limit }).unwrap()
}

fn flood(stories: usize) -> DigestContent {
    let stories: Vec<DigestStory> =
        (1..=stories).map(|n| story(n, &format!("Advisory number {n} of the flood"))).collect();
    DigestContent { stories, ..content() }
}

#[test]
fn m_19_five_thousand_stories_stand_in_numbered_parts_that_hold_all_of_them() {
    let content = flood(5_000);
    let parts = mails(&content, None);
    assert!((60..=140).contains(&parts.len()), "{}", parts.len());
    let (mut shown, mut told, mut subjects, mut ids) =
        (BTreeSet::new(), BTreeSet::new(), HashSet::new(), HashSet::new());
    for (place, part) in parts.iter().enumerate() {
        on_the_wire(&part.composed.bytes);
        let size = encoded_html(&part.composed.bytes);
        assert!(size <= MAX_HTML, "{size}");
        assert!(size > MAX_HTML * 9 / 10 || place + 1 == parts.len(), "part {place} is only {size} large");
        let mail = read_back(&part.composed);
        let k_of_n = format!("{} of {}", place + 1, parts.len());
        assert!(mail.subject.ends_with(&format!("(Fri 20 Nov, {k_of_n})")), "{}", mail.subject);
        assert!(mail.subject.chars().count() <= 60, "{}", mail.subject);
        let part_of = match part.holds.stories.len() {
            0 => format!("Part {k_of_n}, after 5,000 stories"),
            stories => format!("Part {k_of_n}, with {stories} of 5,000 stories"),
        };
        assert!(flat(&mail.text).contains(&part_of), "{part_of}: {}", mail.text.chars().take(600).collect::<String>());
        assert!(mail.html.contains(part_of.split(" of 5,").next().unwrap()), "{part_of}");
        let link = &part.identity.answer_all_url;
        let leads_to_answers = !part.holds.stories.is_empty();
        assert_eq!(mail.text.lines().any(|line| line.trim() == link), leads_to_answers, "the answer link of its own");
        assert_eq!(links(&mail.html).contains(link), leads_to_answers);
        assert!(links(&mail.html).iter().filter(|href| href.contains("/a/")).all(|href| {
            href.strip_prefix(link.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }));
        assert!(mail.text.contains("q1Xo5mYw0m3QfJ8m2vQm1b0zQ0p6F2hN4c7cQy1n9lE="), "every mail is a witness");
        let titles = |text: &str| {
            let found = text
                .match_indices("Advisory number ")
                .map(|(at, words)| text[at + words.len()..].split(' ').next().unwrap().parse::<usize>().unwrap());
            found.collect::<Vec<_>>()
        };
        let in_html = titles(&tree(&mail.html).1);
        assert_eq!(in_html, titles(&mail.text), "both parts hold the same stories in the same order");
        for (i, n) in in_html.iter().enumerate() {
            assert!(
                mail.text.contains(&format!("{}. Advisory number {n} of the flood", i + 1)),
                "numbers are the part's own"
            );
            assert!(mail.text.lines().any(|line| line.trim() == format!("{link}/{}", i + 1)));
        }
        shown.extend(in_html);
        told.extend(titles(&mail.text));
        assert!(!mail.html.contains("in the text part"));
        assert!(subjects.insert(mail.subject.clone()), "{} twice", mail.subject);
        assert!(ids.insert(part.identity.message_id.clone()));
    }
    let all: BTreeSet<usize> = (1..=5_000).collect();
    assert_eq!(shown, all);
    assert_eq!(told, all);
    let texts: Vec<String> = parts.iter().map(|part| read_back(&part.composed).text).collect();
    for words in ["NOT SEEN (2)", "FIRST LOOK (1)", "RESTRICTED (1)", "ALSO PUBLISHED (3", "You own:"] {
        let places: Vec<usize> = (0..texts.len()).filter(|place| texts[*place].contains(words)).collect();
        assert_eq!(places.len(), 1, "{words} stands once, not in {places:?}");
        assert!(places[0] + 2 >= texts.len(), "{words} follows the stories");
    }
    assert!(texts.last().unwrap().contains("You own:"), "the foot is at the end");
}

#[test]
fn m_19_a_digest_that_fits_is_one_mail_without_a_place() {
    let parts = mails(&flood(30), None);
    assert_eq!(parts.len(), 1);
    assert!(parts[0].composed.subject.ends_with("(Fri 20 Nov)"));
    assert!(!read_back(&parts[0].composed).text.contains("Part 1"));
    let more = mails(&flood(60), None);
    assert_eq!(more.len(), 2);
    assert!(more[1].composed.subject.ends_with("(Fri 20 Nov, 2 of 2)"), "{}", more[1].composed.subject);
}

/// Names, lists and links as long as they can be.
fn widest() -> DigestContent {
    let wide = "\u{1f4a5}<&\"".repeat(2_000);
    let mut spoiled = content();
    spoiled.stories = (1..=200)
        .map(|n| {
            let mut one = story(n, &wide);
            spoil(&mut one, &wide);
            one.cves = (0..500).map(|i| format!("CVE-2099-{i}")).collect();
            one.changes = vec![wide.clone(); 6];
            one.sources =
                (0..100).map(|i| source(&wide, &format!("https://cert.example/{i}/{}", "p".repeat(1_900)))).collect();
            one
        })
        .collect();
    spoiled.not_seen = (0..300).map(|_| not_seen(&wide, "refused", &wide, 3)).collect();
    spoiled.baselines = (0..300)
        .map(|_| BaselineNote { feed: wide.clone(), recorded: 1, matched: vec![(wide.clone(), 1); 50] })
        .collect();
    spoiled.restricted =
        (0..300).map(|_| Restricted { feed: wide.clone(), tlp: "RED".to_owned(), ask: wide.clone() }).collect();
    spoiled.also_published =
        vec![AlsoPublished { feed: wide.clone(), lines: vec![(wide.clone(), None); 300], more: 9 }];
    spoiled.owns = vec![wide.clone(); 100];
    spoiled.owner_name = wide;
    spoiled
}

#[test]
fn m_19_the_longest_names_and_lists_stand_in_parts_too() {
    let content = widest();
    let parts = mails(&content, None);
    let (mut stories, mut lists) = (0, [0; 4]);
    for part in &parts {
        let size = encoded_html(&part.composed.bytes);
        assert!(size <= MAX_HTML, "{size}");
        on_the_wire(&part.composed.bytes);
        let here = tree(&read_back(&part.composed).html).0.iter().filter(|(name, _)| name == "h3").count();
        assert_eq!(here, part.holds.stories.len());
        assert_eq!(part.holds.stories.start, stories, "nothing between two parts");
        stories = part.holds.stories.end.max(stories);
        for (sum, range) in lists.iter_mut().zip([
            &part.holds.not_seen,
            &part.holds.baselines,
            &part.holds.restricted,
            &part.holds.also,
        ]) {
            assert_eq!(range.start, *sum);
            *sum += range.len();
        }
    }
    assert_eq!(stories, 200);
    assert_eq!(lists, [300, 300, 300, 301]);
    assert_eq!(parts.iter().filter(|part| part.holds.is_last).count(), 1);
}

#[test]
fn m_18_parts_are_no_longer_than_the_mail_server_takes_down_to_one_story() {
    for limit in [200_000_u64, 50_000, 30_000, 24_000] {
        let parts = mails(&flood(40), Some(limit));
        assert!(parts.iter().all(|part| part.composed.bytes.len() as u64 <= limit), "{limit}");
        let stories: usize = parts.iter().map(|part| part.holds.stories.len()).sum();
        assert_eq!(stories, 40, "{limit}");
        assert!(parts.iter().all(|part| !read_back(&part.composed).text.contains("Shortened")), "{limit}");
    }
    let mut one = flood(2);
    spoil(&mut one.stories[0], &"words and more words ".repeat(200));
    one.stories[0].sources =
        (0..20).map(|i| source("Example CERT", &format!("https://cert.example/{i}/{}", "p".repeat(900)))).collect();
    let parts = mails(&one, Some(24_000));
    assert!(parts.iter().all(|part| part.composed.bytes.len() <= 24_000));
    let first = read_back(&parts[0].composed);
    assert!(first.text.contains("Shortened, because the mail server takes only small mails;"), "{}", first.text);
    assert!(tree(&first.html).1.contains("Shortened, because the mail server takes only small mails;"));
    assert!(first.text.contains("words and more words"), "{}", first.text);
    assert!(!read_back(&parts[1].composed).text.contains("Shortened"));
}

#[test]
fn m_18_a_limit_that_nothing_can_meet_still_gives_every_story_as_small_as_it_can_be() {
    let parts = mails(&flood(3), Some(1_000));
    let stories: usize = parts.iter().map(|part| part.holds.stories.len()).sum();
    assert_eq!(stories, 3);
    assert!(parts.iter().all(|part| part.composed.bytes.len() < 20_000));
}

#[test]
fn every_part_of_a_mail_about_stories_has_a_story() {
    for (kind, about) in super::kinds::of_all_kinds().into_iter().map(|one| (one.kind, one.about)) {
        if matches!(kind, DigestKind::Scheduled | DigestKind::Urgent | DigestKind::Heartbeat) {
            continue;
        }
        let owns = (0..40).map(|n| format!("A component with a long name, number {n}")).collect();
        let content = DigestContent { kind, about, stories: flood(6).stories, owns, ..empty() };
        let whole = mails(&content, None)[0].composed.bytes.len();
        for twentieths in 5..20 {
            let parts = mails(&content, Some((whole * twentieths / 20) as u64));
            let held: Vec<usize> = parts.iter().map(|part| part.holds.stories.len()).collect();
            assert!(held.iter().all(|stories| *stories > 0), "{:?}: {held:?}", content.kind);
            assert_eq!(held.iter().sum::<usize>(), content.stories.len());
        }
    }
}
