//! A thousand digests from a generator with a fixed seed: whatever feeds write, nothing in a mail loads, runs or submits,
//! and its text part has everything that its HTML part has.

use std::collections::BTreeSet;

use sigtrail::{
    compose::compose,
    model::{
        acknowledgement::Disposition,
        digest::{AlsoPublished, DigestContent, DigestKind, DigestStory, EarlierNote, Fix, HandOver, Restricted},
        flood::HeldFlood,
        id::FloodNo,
        stack::{Field, Marks, Severity, TagKind},
    },
    text::clean,
};

use super::{ANSWER_ALL, BREAKING, MARKUP, content, is_inert, kinds, links, not_seen, read_back, source, story, tag};

/// Numbers that look random and are the same every time (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    fn text(&mut self) -> String {
        let plain = ["A crafted cookie skips the sign-in", "Überlänge beim Lesen", "漢字の題名", "Fix for libmarrow"];
        let mut text = String::new();
        for _ in 0..=self.below(3) {
            let part = match self.below(3) {
                0 => plain[self.below(plain.len())],
                1 => MARKUP[self.below(MARKUP.len())],
                _ => BREAKING[self.below(BREAKING.len())],
            };
            text.push_str(part);
            text.push(' ');
        }
        text
    }

    fn link(&mut self) -> Option<String> {
        let n = self.below(1_000_000);
        match self.below(6) {
            0 => None,
            1 => Some("javascript:alert(1)".to_owned()),
            2 => Some(format!("http://10.0.0.{}/x", n % 250)),
            _ => Some(format!("https://cert.example/{n}?a=b&c=\"<{n}>'")),
        }
    }

    fn story(&mut self, number: usize) -> DigestStory {
        let mut one = story(number, &self.text());
        one.link = self.link();
        one.summary = (self.below(4) > 0).then(|| self.text());
        one.urgent = self.below(5) == 0;
        one.marks = Marks {
            cvss_tenths: (self.below(2) == 0).then(|| u8::try_from(self.below(101)).unwrap()),
            severity: (self.below(2) == 0).then_some(Severity::High),
            exploited: self.below(4) == 0,
        };
        one.fix = (self.below(3) == 0).then(|| Fix::In(vec![self.text()]));
        one.changes = (0..self.below(3)).map(|_| self.text()).collect();
        one.earlier = (0..self.below(3))
            .map(|_| EarlierNote {
                who: self.text(),
                at: one.first_seen,
                disposition: Disposition::Covered,
                note: Some(self.text()),
            })
            .collect();
        one.reason = self.text();
        let kinds = [TagKind::Component, TagKind::Topic];
        let fields = [Field::Title, Field::Body, Field::Categories];
        one.tags = (0..self.below(4))
            .map(|_| tag(kinds[self.below(2)], &self.text(), &self.text(), fields[self.below(3)]))
            .collect();
        one.sources = (0..self.below(5))
            .map(|_| {
                let mut one = source(&self.text(), "");
                one.link = self.link();
                one
            })
            .collect();
        one.more_sources = self.below(3) * 7;
        one
    }

    fn digest(&mut self) -> DigestContent {
        let all = DigestKind::ALL;
        let base = match all[self.below(all.len())].1 {
            DigestKind::Reminder => kinds::reminder(),
            DigestKind::Links => kinds::links_anew(),
            DigestKind::Heartbeat => return kinds::heartbeat(),
            DigestKind::Takeover => kinds::takeover(HandOver::Bounced),
            DigestKind::Passed => kinds::passed(HandOver::Away),
            kind => DigestContent { kind, ..content() },
        };
        DigestContent {
            owner_name: self.text(),
            stories: (1..=self.below(9)).map(|number| self.story(number)).collect(),
            also_published: (0..self.below(3))
                .map(|_| AlsoPublished {
                    feed: self.text(),
                    lines: (0..self.below(5)).map(|_| (self.text(), self.link())).collect(),
                    more: self.below(3),
                })
                .collect(),
            not_seen: (0..self.below(3)).map(|_| not_seen(&self.text(), "refused", &self.text(), 3)).collect(),
            notices: (0..self.below(2)).map(|_| self.text()).collect(),
            restricted: (0..self.below(2))
                .map(|_| Restricted { feed: self.text(), tlp: "RED".to_owned(), ask: self.text() })
                .collect(),
            held: (0..self.below(2))
                .map(|n| HeldFlood {
                    feed: self.text(),
                    entries: 900,
                    usual: 3,
                    sent: 0,
                    has_changed: false,
                    matched: Vec::new(),
                    flood: FloodNo(i64::try_from(n).unwrap() + 1),
                })
                .collect(),
            owns: (0..self.below(4)).map(|_| self.text()).collect(),
            ..base
        }
    }
}

/// Without white space, where lines may have been broken; cut like the longest title.
fn bare(text: &str) -> String {
    clean(text, usize::MAX).chars().filter(|c| !c.is_whitespace()).take(40).collect()
}

#[test]
fn m_20_m_21_a_thousand_digests_load_nothing_and_their_text_parts_are_complete() {
    let mut chance = Chance(2_026);
    for n in 0..1_000 {
        let content = chance.digest();
        let mail = read_back(&compose(&content).unwrap());
        is_inert(&mail.html);
        let text: String = mail.text.chars().filter(|c| !c.is_whitespace()).collect();
        let lines: BTreeSet<&str> = mail.text.lines().map(str::trim).collect();
        for href in links(&mail.html) {
            let href = href.split("?as=").next().unwrap();
            assert!(lines.contains(href), "digest {n}: {href} is in the HTML part only");
        }
        let also = content.also_published.iter().flat_map(|feed| feed.lines.iter().map(|(title, _)| title));
        let told = content.stories.iter().flat_map(|one| [Some(&one.title), Some(&one.reason), one.summary.as_ref()]);
        let rest = content.notices.iter().chain(content.not_seen.iter().map(|feed| &feed.feed)).chain(also);
        for words in told.flatten().chain(rest) {
            assert!(text.contains(&bare(words)), "digest {n}: {words:?} is not in {}", mail.text);
        }
        if content.kind == DigestKind::Passed {
            assert!(!mail.text.contains(ANSWER_ALL) || !content.held.is_empty(), "digest {n}: nothing to answer");
            continue;
        }
        if !content.stories.is_empty() {
            assert!(lines.contains(ANSWER_ALL), "digest {n}: the link of all answers");
        }
        for number in 1..=content.stories.len() {
            assert!(lines.contains(format!("{ANSWER_ALL}/{number}").as_str()), "digest {n}: story {number}");
        }
    }
}
