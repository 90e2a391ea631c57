//! The mutation run: damaged copies of every document of the corpus, each read as the service reads it, with a clock and
//! an eye on memory.
//!
//! Every document gets the same number of mutants, and mutant K of a document is the same in every run with the same
//! seed, so that a run may be split into slices (`--slice 3/10`). Of a document over 64 KiB, one mutant in 16 is of the
//! whole; the others are of its head (2 KiB) and a window of 46 KiB from anywhere, so that a run ends in bounded time.
//! What breaks a promise is kept as a file, named in the output.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use sigtrail::{
    clock::Stopwatch,
    reader::{self, ReadError},
};
use url::Url;

use crate::{Options, Outcome, damage, seed::Seed, service::memory_of};

const MUTANTS: usize = 1_000_000;
/// What is over this is damaged in windows.
const LARGE: usize = 64 * 1024;
const HEAD: usize = 2 * 1024;
const WINDOW: usize = 46 * 1024;
/// One mutant in so many of a large document is of the whole.
const WHOLE_EVERY: usize = 16;
/// No document takes longer.
const SLOWEST: Duration = Duration::from_secs(1);
/// The memory that reading may take over what the program takes anyway, in KiB.
const MOST_MEMORY: u64 = 128 * 1024;
/// The most culprits that are kept.
const MOST_KEPT: usize = 50;

/// What a run saw.
#[derive(Default)]
struct Seen {
    mutants: usize,
    bytes: u64,
    read: usize,
    partial: usize,
    panics: usize,
    slow: usize,
    slowest: Duration,
    slowest_of: String,
}

/// Runs the mutants that the options ask for.
pub fn run(options: &Options) -> Outcome {
    let (wanted, number) = (options.value("--mutants", MUTANTS)?, options.value("--seed", 1_u64)?);
    let limit = Duration::from_secs(60 * options.value("--minutes", 240_u64)?);
    let (slice, slices) = slice(options.text("--slice"))?;
    let files = documents()?;
    let each = wanted.div_ceil(files.len().max(1));
    let (base, watch) = (memory_of("self", "VmRSS")?, Stopwatch::start());
    let place = std::env::temp_dir().join("sigtrail-mutants");
    // Panics are counted by the guard; thousands of lines about them would help nobody.
    std::panic::set_hook(Box::new(|_| {}));
    let mut seen = Seen::default();
    println!("{} documents, {each} mutants of each, seed {number}, slice {slice} of {slices}", files.len());
    for (n, file) in files.iter().enumerate() {
        if watch.elapsed() > limit {
            println!("stopped after {} min, at document {n} of {}", limit.as_secs() / 60, files.len());
            break;
        }
        let document = fs::read(file)?;
        let mut pairing = Seed::of(&[number, n as u64]);
        let other = pairing.pick(&files).map(fs::read).transpose()?.unwrap_or_default();
        for k in (0..each).filter(|k| k % slices == slice - 1) {
            let mutant = Mutant::of(&document, &other, k, Seed::of(&[number, n as u64, k as u64]));
            let name = format!("{}-{k}", file.file_name().unwrap_or_default().display());
            seen.judge(&mutant, &name, &place)?;
        }
    }
    let _the_default = std::panic::take_hook();
    let peak = memory_of("self", "VmHWM")?.saturating_sub(base);
    Ok(seen.report(peak, watch.elapsed()))
}

/// `3/10`: the third of ten.
fn slice(text: Option<&str>) -> Result<(usize, usize), String> {
    let Some(text) = text else { return Ok((1, 1)) };
    let parts = text.split_once('/').and_then(|(one, of)| Some((one.parse().ok()?, of.parse().ok()?)));
    parts.filter(|(one, of)| (1..=*of).contains(one)).ok_or_else(|| format!("--slice {text}: write 1/10"))
}

/// Every document of the corpus, where there is one, and our own fixtures; in order.
fn documents() -> Result<Vec<PathBuf>, std::io::Error> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/fixtures/feeds")];
    match std::env::var_os("SIGTRAIL_CORPUS").filter(|corpus| !corpus.is_empty()) {
        Some(corpus) => folders.extend(["parsers", "real"].map(|name| Path::new(&corpus).join(name))),
        None => println!("SIGTRAIL_CORPUS names no corpus: only our own fixtures are damaged"),
    }
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let is_list = path.extension().is_some_and(|end| ["jsonl", "tsv", "md"].iter().any(|list| end == *list));
            if path.is_dir() {
                folders.push(path);
            } else if !is_list {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A damaged document with what a server says along with it.
struct Mutant {
    bytes: Vec<u8>,
    charset: Option<String>,
    base: Option<Url>,
}

impl Mutant {
    fn of(document: &[u8], other: &[u8], k: usize, mut seed: Seed) -> Mutant {
        let bytes = if document.len() > LARGE && !k.is_multiple_of(WHOLE_EVERY) {
            let from = HEAD + seed.below(document.len() - HEAD);
            let window = document.get(from..(from + WINDOW).min(document.len())).unwrap_or_default();
            damage::damaged(&[document.get(..HEAD).unwrap_or_default(), window].concat(), other, &mut seed)
        } else {
            damage::damaged(document, other, &mut seed)
        };
        let charset = seed.one_in(4).then(|| damage::label(&mut seed).map(str::to_owned)).flatten();
        let base = seed.one_in(2).then(|| Url::parse("https://publisher.example/feeds/a.xml").ok()).flatten();
        Mutant { bytes, charset, base }
    }

    /// Reads it once; how long that took.
    fn read(&self) -> (Result<bool, ReadError>, Duration) {
        let (bytes, charset, base) = (self.bytes.clone(), self.charset.clone(), self.base.clone());
        let watch = Stopwatch::start();
        let outcome = reader::read(bytes, charset, base).map(|document| document.partial);
        (outcome, watch.elapsed())
    }
}

impl Seen {
    fn judge(&mut self, mutant: &Mutant, name: &str, place: &Path) -> std::io::Result<()> {
        let (outcome, mut took) = mutant.read();
        // A busy machine is no fault of the reader's: what is slow must be slow three times.
        for _ in 0..2 {
            if took > SLOWEST {
                took = took.min(mutant.read().1);
            }
        }
        self.mutants += 1;
        self.bytes += mutant.bytes.len() as u64;
        let has_panicked = matches!(outcome, Err(ReadError::Panicked));
        self.read += usize::from(outcome.is_ok());
        self.partial += usize::from(matches!(outcome, Ok(true)));
        self.panics += usize::from(has_panicked);
        self.slow += usize::from(took > SLOWEST);
        if took > self.slowest {
            (self.slowest, self.slowest_of) = (took, name.to_owned());
        }
        if (has_panicked || took > SLOWEST) && self.panics + self.slow <= MOST_KEPT {
            fs::create_dir_all(place)?;
            fs::write(place.join(name), &mutant.bytes)?;
            let what = if has_panicked { "a panic" } else { "too slow" };
            println!("{what}: {} (charset {:?}, {took:.1?})", place.join(name).display(), mutant.charset);
        }
        Ok(())
    }

    fn report(&self, peak: u64, took: Duration) -> bool {
        println!(
            "{} mutants ({:.1} GB) in {:.0} s: {} read, {} of them in part; {} panics, {} over {} s, the slowest {:.0} ms ({}); {} MiB over baseline (limit {})",
            self.mutants,
            self.bytes as f64 / 1e9,
            took.as_secs_f64(),
            self.read,
            self.partial,
            self.panics,
            self.slow,
            SLOWEST.as_secs(),
            self.slowest.as_secs_f64() * 1e3,
            self.slowest_of,
            peak / 1024,
            MOST_MEMORY / 1024
        );
        self.mutants > 0 && self.panics == 0 && self.slow == 0 && peak <= MOST_MEMORY
    }
}
