//! How many digests of 40 stories are composed in a second on one core, and what a digest of 5,000 stories takes:
//! `cargo bench --bench compose`. Composing only: nothing is stored and nothing is sent. Ends with 1 when there are fewer
//! than 2,000.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::{collections::HashSet, hint::black_box, process::ExitCode, time::Duration};

use jiff::tz::TimeZone;
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};
use sigtrail::{
    compose::{Envelopes, Identity, Part, parts},
    model::{
        digest::{
            AlsoPublished, DigestContent, DigestKind, DigestStory, Exploitation, Fix, NotSeen, OwnedGroup, StandIn,
            StorySource, Unasked,
        },
        id::StoryNo,
        stack::{Field, Marks, Method, Severity, Tag, TagKind},
    },
};

const STORIES: usize = 40;
const ROUNDS: usize = 5;
const DIGESTS: usize = 1_000;
/// Digests a second.
const LIMIT: f64 = 2_000.0;

fn main() -> ExitCode {
    let content = digest(STORIES);
    let one = composed(&content);
    let bytes: usize = one.iter().map(|part| part.composed.bytes.len()).sum();
    println!("a digest of {STORIES} stories: {} mail, {bytes} bytes", one.len());
    let mut best: f64 = 0.0;
    for round in 1..=ROUNDS {
        let before = processor_seconds();
        for _ in 0..DIGESTS {
            black_box(composed(black_box(&content)));
        }
        let rate = f64::from(u32::try_from(DIGESTS).unwrap()) / (processor_seconds() - before);
        println!("round {round}: {rate:.0} digests a second");
        best = best.max(rate);
    }
    let large = digest(5_000);
    let before = processor_seconds();
    let mails = composed(&large).len();
    println!("a digest of 5,000 stories: {mails} mails in {:.2} s", processor_seconds() - before);
    if best < LIMIT {
        println!("fewer than {LIMIT:.0} a second");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// User and system time of this process.
fn processor_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let spent = usage.user_time() + usage.system_time();
    Duration::from_micros(u64::try_from(spent.num_microseconds()).unwrap()).as_secs_f64()
}

fn composed(content: &DigestContent) -> Vec<Part> {
    let identity = |place: usize| Identity {
        message_id: format!("{place}.{}", content.message_id),
        answer_all_url: content.answer_all_url.clone(),
    };
    parts(content, &Envelopes { identity: &identity, taken: &HashSet::new(), size_limit: None }).unwrap()
}

fn digest(stories: usize) -> DigestContent {
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
        stories: (1..=stories).map(story).collect(),
        also_published: vec![AlsoPublished {
            feed: "Example CERT".to_owned(),
            lines: (0..20)
                .map(|n| (format!("Advice number {n} on accounts"), Some(format!("https://cert.example/2099/{n}"))))
                .collect(),
            more: 12,
        }],
        not_seen: vec![NotSeen {
            feed: "Tarnbase bulletins".to_owned(),
            state: "refused".to_owned(),
            cause: "the server answers 403 Forbidden".to_owned(),
            since: "2026-11-18T06:10:00Z".parse().unwrap(),
            unseen_since: None,
            tries: 26,
            notice: None,
            advice: None,
        }],
        notices: Vec::new(),
        seen_again: Vec::new(),
        feeds_total: 14,
        unasked: Unasked::default(),
        baselines: Vec::new(),
        held: Vec::new(),
        restricted: Vec::new(),
        owns: vec!["Quillgate VPN".to_owned(), "libmarrow".to_owned()],
        groups: vec![OwnedGroup {
            name: "Quillgate PSIRT".to_owned(),
            last_entry_at: Some("2026-11-20T07:10:00Z".parse().unwrap()),
        }],
        answer_all_url: "https://sigtrail.example.com/a/Zk3vT8wQ1nLr6YpXbC2mGA7uVhE4sJdK0o".to_owned(),
        checkpoint: Some(format!(
            "example.com/sigtrail\n48219\n{}\n\n\u{2014} example.com {}\n",
            "q".repeat(44),
            "A".repeat(92)
        )),
        message_id: "0123456789abcdef0123456789abcdef@example.com".to_owned(),
        thread_root: "fedcba9876543210fedcba9876543210@example.com".to_owned(),
        from_name: "sigtrail".to_owned(),
        from_address: "sigtrail@example.com".to_owned(),
    }
}

/// A story like those of real advisories: a title of some words, a text that is longer than what is told, two sources.
fn story(number: usize) -> DigestStory {
    let names = ["Quillgate VPN", "libmarrow", "Heronsoft Mail"];
    let name = names.get(number % names.len()).unwrap();
    let maker = format!("https://psirt.quillgate.example/2099/{number}");
    let sentence = format!("A crafted cookie lets {name} skip the sign-in; all 9.x before 9.1.4 are concerned. ");
    DigestStory {
        story: StoryNo(i64::try_from(number).unwrap()),
        title: format!("{name}: sign-in bypass number {number} in the web portal"),
        link: Some(maker.clone()),
        summary: Some(sentence.repeat(6)),
        cves: vec![format!("CVE-2099-{}", 10_006 + number)],
        marks: Marks { cvss_tenths: Some(75), severity: Some(Severity::High), exploited: number.is_multiple_of(10) },
        exploited_by: number
            .is_multiple_of(10)
            .then(|| Exploitation { feed: "KEV-S".to_owned(), since: "2026-11-19T18:40:00Z".parse().unwrap() }),
        fix: Some(Fix::In(vec!["9.1.4".to_owned()])),
        reason: format!("{name} is yours."),
        waited: None,
        changes: Vec::new(),
        told_before: None,
        earlier: Vec::new(),
        more_earlier: 0,
        tags: vec![(
            (*name).to_owned(),
            Tag {
                kind: TagKind::Component,
                id: (*name).to_owned(),
                term: (*name).to_owned(),
                field: Field::Title,
                start: 0,
                end: name.len(),
                snippet: sentence.clone(),
                method: Method::Term,
                confidence: 90,
            },
        )],
        sources: vec![
            StorySource { feed: "Quillgate PSIRT".to_owned(), link: Some(maker) },
            StorySource {
                feed: "Example CERT".to_owned(),
                link: Some(format!("https://cert.example/2099/{}", 86 + number)),
            },
        ],
        more_sources: 0,
        urgent: number.is_multiple_of(10),
        published: Some("2026-11-19T10:00:00Z".parse().unwrap()),
        first_seen: "2026-11-19T18:40:00Z".parse().unwrap(),
    }
}
