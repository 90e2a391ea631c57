//! How fast entries are tagged: 100 MB of text against 10,000 terms, `Matcher::tags` from end to end, on one core. Text and
//! terms are made from a fixed seed. `cargo bench --bench tagging`
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench says what it measured"
)]

use sigtrail::{
    clock::Stopwatch,
    model::{
        entry::Entry,
        stack::{Case, Component, Pattern, Term},
    },
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

fn main() {
    let mut seed = Seed(0x5167_7472_6169_6c21);
    let names = names(&mut seed);
    let building = Stopwatch::start();
    let matcher = Matcher::new(&stack(&names), &[]).expect("the terms are valid");
    println!("built a matcher of {TERMS} terms in {:.0} ms", building.elapsed().as_secs_f64() * 1e3);
    for (name, foreign) in [("plain ASCII", false), ("with other letters", true)] {
        let entries = entries(&mut seed, &names, foreign);
        let bytes: usize =
            entries.iter().flat_map(|entry| [&entry.title, &entry.summary]).flatten().map(String::len).sum();
        let mut best = f64::MAX;
        let mut tags = 0;
        for _ in 0..3 {
            let watch = Stopwatch::start();
            tags = entries.iter().map(|entry| matcher.tags(entry).len()).sum::<usize>();
            best = best.min(watch.elapsed().as_secs_f64());
        }
        let size = bytes as f64 / 1e6;
        println!("{name}: {size:.0} MB in {best:.2} s, {:.0} MB/s, {tags} tags in {ENTRIES} entries", size / best);
    }
}
