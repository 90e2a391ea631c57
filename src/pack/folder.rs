//! Verifying a pack in a folder: every file is read once, in step, and held against the manifest.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    CHECKPOINTS, LEAVES, MANIFEST, PERSONAL, PUBLIC_KEY, PackError, README, RECORDS,
    check::{Outside, OwnedOpening, parse_key, whole_file},
    lines::{Lines, regular_file},
};
use crate::{
    evidence::{
        canonical,
        merkle::Hash,
        report::{Problem, Report},
        verify::{Given, Tail, Verifier},
    },
    hex::{hex, unhex},
};

/// The notes of a file of checkpoints: text, empty line, signatures, empty line, and again.
fn split_notes(text: &str) -> Vec<Given> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut blocks = text.split("\n\n");
    let mut notes = Vec::new();
    while let Some(head) = blocks.next().filter(|head| !head.is_empty()) {
        let signatures = blocks.next().unwrap_or_default();
        let size = head.split('\n').nth(1).unwrap_or_default();
        let from = format!("{CHECKPOINTS} (size {size})");
        notes.push(Given { note: format!("{head}\n\n{signatures}\n"), from, mailed: false });
    }
    notes
}

/// The files of a pack that were read, with their sums, against the manifest.
struct Files {
    dir: PathBuf,
    sums: BTreeMap<String, Hash>,
    unreadable: Vec<Problem>,
}

impl Files {
    fn failed(&mut self, name: &str, error: &io::Error) {
        let what = match error.kind() {
            io::ErrorKind::NotFound => format!("{name} is missing"),
            _ => format!("{name}: {error}"),
        };
        self.unreadable.push(Problem { what, ..Problem::default() });
    }

    /// The bytes of a file that is read whole; where it cannot be, none and a problem.
    fn whole(&mut self, name: &str) -> Vec<u8> {
        match regular_file(&self.dir, name).and_then(|path| whole_file(&path)) {
            Ok(bytes) => {
                self.sums.insert(name.to_owned(), sha256(&bytes));
                bytes
            }
            Err(error) => {
                self.failed(name, &error);
                Vec::new()
            }
        }
    }

    fn open(&mut self, name: &str) -> Option<Lines> {
        Lines::open(&self.dir, name).map_err(|error| self.failed(name, &error)).ok()
    }

    /// The next line of a file, if there is one and it can be read.
    fn advance(&mut self, name: &str, lines: &mut Option<Lines>) -> bool {
        match lines.as_mut().map_or(Ok(false), Lines::advance) {
            Ok(more) => more,
            Err(error) => {
                self.failed(name, &error);
                *lines = None;
                false
            }
        }
    }

    fn close(&mut self, name: &str, lines: Option<Lines>) {
        match lines.map(Lines::sha256) {
            Some(Ok(sum)) => {
                self.sums.insert(name.to_owned(), sum);
            }
            Some(Err(error)) => self.failed(name, &error),
            None => {}
        }
    }
}

fn sha256(bytes: &[u8]) -> Hash {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

/// Verifies the pack in this folder.
pub(super) fn verify(dir: &Path, outside: Outside) -> Result<Report, PackError> {
    let is_there = |name: &str| fs::symlink_metadata(dir.join(name)).is_ok();
    if ![RECORDS, CHECKPOINTS, MANIFEST].into_iter().any(is_there) {
        let why = "not a pack: it has neither records nor checkpoints nor a manifest";
        return Err(PackError::NotEvidence { path: dir.to_owned(), why });
    }
    let mut files = Files { dir: dir.to_owned(), sums: BTreeMap::new(), unreadable: Vec::new() };
    let inside = parse_key(&files.whole(PUBLIC_KEY), PUBLIC_KEY);
    let checkpoints = files.whole(CHECKPOINTS);
    let mut verifier = outside.start(inside, split_notes(&String::from_utf8_lossy(&checkpoints)));
    records(&mut files, &mut verifier);
    files.whole(README);
    manifest(&mut files, &mut verifier);
    strangers(&files, &mut verifier);
    for problem in files.unreadable {
        verifier.problem(problem);
    }
    Ok(verifier.finish(Tail::Signed))
}

/// Streams records, leaves and texts about people in step.
fn records(files: &mut Files, verifier: &mut Verifier) {
    let mut leaves = files.open(LEAVES);
    let has_personal = fs::symlink_metadata(files.dir.join(PERSONAL)).is_ok();
    let mut personal = if has_personal { files.open(PERSONAL) } else { None };
    let mut opening = next_opening(files, &mut personal, verifier);
    for name in record_files(files) {
        let mut lines = files.open(&name);
        while files.advance(&name, &mut lines) {
            let Some(record) = &lines else { break };
            let leaf = if files.advance(LEAVES, &mut leaves) { read_leaf(leaves.as_ref(), verifier) } else { None };
            verifier.record(record.line(), leaf, &|| record.place());
            while let Some(next) = opening.take_if(|next| next.index < verifier.size()) {
                verifier.opening(next.borrow(), &|| place_of(personal.as_ref()));
                opening = next_opening(files, &mut personal, verifier);
            }
        }
        files.close(&name, lines);
    }
    while let Some(next) = opening {
        verifier.opening(next.borrow(), &|| place_of(personal.as_ref()));
        opening = next_opening(files, &mut personal, verifier);
    }
    if files.advance(LEAVES, &mut leaves) {
        let place = leaves.as_ref().map(Lines::place);
        let index = verifier.size();
        let what = format!("record {index} is missing: its leaf is here");
        verifier.problem(Problem { records: Some((index, index)), place, what, detail: None });
    }
    files.close(LEAVES, leaves);
    files.close(PERSONAL, personal);
}

/// The record files in the order of their numbers.
fn record_files(files: &mut Files) -> Vec<String> {
    let mut names = Vec::new();
    match fs::read_dir(files.dir.join(RECORDS)) {
        Ok(entries) => {
            for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
                let number = name.strip_suffix(".jsonl").and_then(|number| number.parse::<u64>().ok());
                names.extend(number.map(|number| (number, format!("{RECORDS}/{name}"))));
            }
        }
        Err(error) => files.failed(RECORDS, &error),
    }
    names.sort();
    names.into_iter().map(|(_, name)| name).collect()
}

fn read_leaf(leaves: Option<&Lines>, verifier: &mut Verifier) -> Option<Hash> {
    let lines = leaves?;
    let leaf = std::str::from_utf8(lines.line()).ok().and_then(unhex);
    if leaf.is_none() {
        let what = "not a hash in 64 lower-case digits".to_owned();
        verifier.problem(Problem { place: Some(lines.place()), what, ..Problem::default() });
    }
    leaf
}

/// A line of the file of texts about people.
fn read_opening(line: &[u8]) -> Option<OwnedOpening> {
    let Value::Object(mut members) = canonical::read(line).ok()? else { return None };
    let Some(Value::String(field)) = members.remove("field") else { return None };
    let Some(Value::String(text)) = members.remove("text") else { return None };
    let salt = unhex(members.get("salt")?.as_str()?)?;
    Some(OwnedOpening { index: members.get("record")?.as_u64()?, field, salt, text })
}

fn place_of(lines: Option<&Lines>) -> String {
    lines.map(Lines::place).unwrap_or_default()
}

/// The next line of the file of texts about people that is one; others are problems.
fn next_opening(files: &mut Files, lines: &mut Option<Lines>, verifier: &mut Verifier) -> Option<OwnedOpening> {
    while files.advance(PERSONAL, lines) {
        let present = lines.as_ref()?;
        if let Some(opening) = read_opening(present.line()) {
            return Some(opening);
        }
        let what = "not a text about a person in canonical form".to_owned();
        verifier.problem(Problem { place: Some(present.place()), what, ..Problem::default() });
    }
    None
}

/// Names what lies in the pack and was not looked at.
fn strangers(files: &Files, verifier: &mut Verifier) {
    let known = [README, CHECKPOINTS, LEAVES, MANIFEST, PERSONAL, PUBLIC_KEY, RECORDS];
    let Ok(entries) = fs::read_dir(&files.dir) else { return };
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| !known.contains(&name.as_str()))
        .collect();
    names.sort();
    for name in names {
        verifier.notice(format!("{name} is no part of a pack and was not looked at"));
    }
}

/// Holds the sums of the files against the manifest, and the folder's names against both.
fn manifest(files: &mut Files, verifier: &mut Verifier) {
    let text = files.whole(MANIFEST);
    files.sums.remove(MANIFEST);
    if text.is_empty() {
        return;
    }
    let mut found = std::mem::take(&mut files.sums);
    let text = String::from_utf8_lossy(&text);
    for (line, number) in text.lines().zip(1_u64..) {
        let Some((sum, name)) = line.split_once("  ").and_then(|(sum, name)| Some((unhex(sum)?, name))) else {
            let place = Some(format!("{MANIFEST}:{number}"));
            verifier.problem(Problem { place, what: "not a sum and a name".to_owned(), ..Problem::default() });
            continue;
        };
        match found.remove(name) {
            Some(hash) if hash == sum => {}
            Some(hash) => {
                let what = format!("{name} is not the file that {MANIFEST} names");
                let detail = Some(format!("expected {}, found {}", hex(&sum), hex(&hash)));
                verifier.problem(Problem { what, detail, ..Problem::default() });
            }
            None if name == PERSONAL => verifier.notice(format!("{PERSONAL} is not in this pack")),
            // What could not be opened is a problem already.
            None if files.unreadable.iter().any(|problem| problem.what.starts_with(name)) => {}
            None => {
                let what = format!("{name} stands in {MANIFEST} and is no file of this pack");
                verifier.problem(Problem { what, ..Problem::default() });
            }
        }
    }
    for name in found.into_keys() {
        let what = format!("{name} does not stand in {MANIFEST}");
        verifier.problem(Problem { what, ..Problem::default() });
    }
}
