//! How fast entries are judged: 100 MB of text against 10,000 terms, `Matcher::tags` from end to end, and what else is read
//! of each (identifiers, marks, fingerprint), on one core. Text and terms are made from a fixed seed.
//! `cargo bench --bench tagging`
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench says what it measured"
)]

use sigtrail::{
    clock::Stopwatch,
    identity::fingerprint,
    marks::marks,
    model::{
        entry::Entry,
        stack::{Case, Component, Pattern, Term},
    },
    story::keys,
    tag::Matcher,
};

const TERMS: usize = 10_000;
const TERMS_PER_COMPONENT: usize = 10;
const ENTRIES: usize = 50_000;
const ENTRY_BYTES: usize = 2_000;
/// How many words of a text stand for one name of the stack.
const WORDS_PER_NAME: u64 = 200;

/// A small generator (xorshift), so that every run has the same text.
struct Seed(u64);

impl Seed {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn pick<'a>(&mut self, from: &'a [String]) -> &'a str {
        let at = usize::try_from(self.next() % from.len() as u64).unwrap_or_default();
        from.get(at).map_or("", String::as_str)
    }

    /// A word that can be pronounced, as names of products and most words of prose can.
    fn word(&mut self, syllables: u64) -> String {
        const CONSONANTS: &[&str] =
            &["b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "gr", "sh", "th", "qu"];
        const VOWELS: &[&str] = &["a", "e", "i", "o", "u", "ea", "io"];
        let mut word = String::new();
        for _ in 0..syllables {
            for sounds in [CONSONANTS, VOWELS] {
                let at = usize::try_from(self.next() % sounds.len() as u64).unwrap_or_default();
                word.push_str(sounds.get(at).copied().unwrap_or_default());
            }
        }
        if self.next().is_multiple_of(3) {
            word.push('n');
        }
        word
    }
}

fn names(seed: &mut Seed) -> Vec<String> {
    (0..TERMS)
        .map(|n| match n % 5 {
            0 => format!("{} {}", seed.word(2), seed.word(3)),
            1 => format!("{}-{}", seed.word(2), seed.word(2)),
            2 => format!("{}.js", seed.word(3)),
            _ => seed.word(3),
        })
        .collect()
}

fn stack(names: &[String]) -> Vec<Component> {
    names
        .chunks(TERMS_PER_COMPONENT)
        .enumerate()
        .map(|(n, names)| Component {
            id: format!("component-{n}").as_str().into(),
            name: format!("Component {n}"),
            owner: "maria".into(),
            terms: names
                .iter()
                .map(|name| Term {
                    pattern: Pattern::Text { text: name.clone(), case: Case::Any },
                    near: Vec::new(),
                    not: Vec::new(),
                })
                .collect(),
        })
        .collect()
}

/// Text in sentences; `foreign` puts letters beyond ASCII into some words.
fn text(seed: &mut Seed, words: &[String], names: &[String], bytes: usize, foreign: bool) -> String {
    let mut text = String::with_capacity(bytes + 32);
    let mut is_first = true;
    while text.len() < bytes {
        let word = if seed.next().is_multiple_of(WORDS_PER_NAME) { seed.pick(names) } else { seed.pick(words) };
        let mut chars = word.chars();
        if let Some(first) = chars.next() {
            text.push(if is_first { first.to_ascii_uppercase() } else { first });
            text.push_str(chars.as_str());
        }
        if foreign && seed.next().is_multiple_of(8) {
            text.push_str("äß");
        }
        is_first = seed.next().is_multiple_of(12);
        text.push_str(if is_first { ". " } else { " " });
    }
    text
}

fn entries(seed: &mut Seed, names: &[String], foreign: bool) -> Vec<Entry> {
    let words: Vec<String> = (0..20_000).map(|n| seed.word(1 + n % 3)).collect();
    (0..ENTRIES)
        .map(|_| Entry {
            title: Some(text(seed, &words, names, 60, foreign)),
            summary: Some(text(seed, &words, names, ENTRY_BYTES - 60, foreign)),
            ..Entry::default()
        })
        .collect()
}

/// The seconds that this process has spent on a processor, so that what else the machine does counts little; where the
/// system does not tell, the seconds that went by.
fn seconds(since: Stopwatch) -> f64 {
    let told = std::fs::read_to_string("/proc/self/schedstat").ok();
    let on_cpu = told.and_then(|line| line.split(' ').next()?.parse::<f64>().ok());
    on_cpu.map_or_else(|| since.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}

/// Judges every entry three times and says how long the quickest run took.
fn measure(name: &str, entries: &[Entry], judge: impl Fn(&Entry) -> usize) {
    let bytes: usize = entries.iter().flat_map(|entry| [&entry.title, &entry.summary]).flatten().map(String::len).sum();
    let mut best = f64::MAX;
    let mut found = 0;
    let watch = Stopwatch::start();
    for _ in 0..3 {
        let start = seconds(watch);
        found = entries.iter().map(&judge).sum::<usize>();
        best = best.min(seconds(watch) - start);
    }
    let size = bytes as f64 / 1e6;
    println!("{name}: {size:.0} MB in {best:.2} CPU-s, {:.0} MB/s, {found} found in {ENTRIES} entries", size / best);
}

fn main() {
    let mut seed = Seed(0x5167_7472_6169_6c21);
    let names = names(&mut seed);
    let plain = entries(&mut seed, &names, false);
    let foreign = entries(&mut seed, &names, true);
    for count in [TERMS, TERMS / 10] {
        let building = Stopwatch::start();
        let stack = stack(names.get(..count).unwrap_or_default());
        let matcher = Matcher::new(&stack, &[]).expect("the terms are valid");
        println!("{count} terms, built in {:.0} ms", building.elapsed().as_secs_f64() * 1e3);
        measure("  tags, plain ASCII", &plain, |entry| matcher.tags(entry).len());
        measure("  tags, with other letters", &foreign, |entry| matcher.tags(entry).len());
    }
    for (name, entries) in [("plain ASCII", &plain), ("with other letters", &foreign)] {
        println!("{name}");
        measure("  story keys", entries, |entry| keys(entry, &fingerprint(entry)).joins.len());
        measure("  marks", entries, |entry| usize::from(marks(entry).exploited));
        measure("  fingerprint", entries, |entry| usize::from(fingerprint(entry).content[0] == 0));
    }
}
