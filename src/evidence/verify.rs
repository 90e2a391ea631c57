//! Verification as a stream: records with the leaves that are claimed for them, the texts about people beside them,
//! and every signed head, from the pack or from outside. What a verdict looks like is `report`'s business; where
//! the records come from is `pack`'s.

use super::{
    merkle::{Edge, Hash, leaf_hash},
    note::{self, Checkpoint, VerifierKey},
    record::{self, Record},
    report::{Problem, Proven, Report},
};
use crate::model::time::Time;

/// The most problems that are kept in words; the rest is counted.
const MAX_PROBLEMS: usize = 20;

/// A signed note that the records must agree with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The note.
    pub note: String,
    /// The file that it was found in.
    pub from: String,
    /// Whether it comes from a mail, and so from outside the pack.
    pub mailed: bool,
}

/// What may be after the last checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Nothing: a pack ends with a checkpoint.
    Signed,
    /// Records that are not signed yet: a log that is being written.
    Open,
}

/// A text about a person that opens a commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening<'a> {
    /// The record.
    pub index: u64,
    /// The record's field.
    pub field: &'a str,
    /// The salt.
    pub salt: &'a [u8; 32],
    /// The text.
    pub text: &'a str,
}

struct Head {
    checkpoint: Checkpoint,
    from: String,
    mailed: bool,
}

/// Takes the records in their order and says at the end what is wrong with them.
pub struct Verifier {
    heads: Vec<Head>,
    next_head: usize,
    tree: Edge,
    /// The tree over the claimed leaves, from the first record on that differs from its own.
    claimed: Option<Edge>,
    claimed_proven: u64,
    /// The largest size at which a head has the root of the records.
    agreed: Option<u64>,
    /// Whether a head was found to have another one.
    disagrees: bool,
    others: Vec<Other>,
    /// By how much the last record's index was ahead of its place.
    shift: i128,
    /// Texts about people without a commitment: how many, and where the first stands.
    strays: Option<(u64, String)>,
    altered: Vec<Altered>,
    open: Vec<(String, Hash)>,
    last_recorded: Option<Time>,
    report: Report,
}

struct Other {
    size: u64,
    from: String,
    proven: u64,
}

struct Altered {
    index: u64,
    place: String,
    expected: Hash,
    found: Hash,
}

impl Verifier {
    /// Starts with the signed heads. A note that this key does not vouch for is a problem of its own; without a key
    /// nothing can be believed, and the caller says so with [`Verifier::problem`]. `key_from` names the file of a key
    /// that comes from outside the pack.
    pub fn new(key: Option<&VerifierKey>, notes: Vec<Given>, key_from: Option<String>) -> Self {
        let mut report = Report { key_from, ..Report::default() };
        let mut heads = Vec::new();
        if let Some(key) = key {
            report.origin = Some(key.name().to_owned());
            report.fingerprint = Some(key.fingerprint());
            for Given { note, from, mailed } in notes {
                match note::open(&note, key) {
                    Ok(checkpoint) => heads.push(Head { checkpoint, from, mailed }),
                    Err(error) => {
                        let what = format!("a checkpoint in {from}: {error}");
                        report.problems.push(Problem { what, ..Problem::default() });
                    }
                }
            }
        }
        heads.sort_by_key(|head| head.checkpoint.size);
        let mut verifier = Self {
            heads,
            next_head: 0,
            tree: Edge::default(),
            claimed: None,
            claimed_proven: 0,
            agreed: None,
            disagrees: false,
            others: Vec::new(),
            shift: 0,
            strays: None,
            altered: Vec::new(),
            open: Vec::new(),
            last_recorded: None,
            report,
        };
        verifier.check_heads();
        verifier
    }

    /// How many records were taken.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Adds something wrong that the caller found.
    pub fn problem(&mut self, problem: Problem) {
        if self.report.problems.len() < MAX_PROBLEMS {
            self.report.problems.push(problem);
        } else {
            self.report.more_problems += 1;
        }
    }

    /// Adds something worth knowing that is not wrong.
    pub fn notice(&mut self, notice: impl Into<String>) {
        self.report.notices.push(notice.into());
    }

    /// Takes the next record, without its line end, with the leaf hash that the pack claims for it. `place` says
    /// where it stands and is asked only when something is wrong.
    pub fn record(&mut self, bytes: &[u8], claimed: Option<Hash>, place: &dyn Fn() -> String) {
        let index = self.tree.size();
        let leaf = leaf_hash(bytes);
        let claimed = claimed.unwrap_or(leaf);
        if claimed != leaf && self.claimed.is_none() {
            self.claimed = Some(self.tree.clone());
        }
        if let Some(tree) = &mut self.claimed {
            tree.push(claimed, &mut |_, _, _| {});
        }
        self.open.clear();
        match record::read(bytes) {
            Ok(record) => {
                if record.index == index && claimed != leaf {
                    self.altered(Altered { index, place: place(), expected: claimed, found: leaf });
                }
                self.content(index, &record, place);
            }
            Err(_) if claimed != leaf => {
                self.altered(Altered { index, place: place(), expected: claimed, found: leaf });
            }
            Err(error) => self.problem_at(index, place(), format!("record {} {error}", grouped(index))),
        }
        self.tree.push(leaf, &mut |_, _, _| {});
        self.check_heads();
    }

    fn altered(&mut self, altered: Altered) {
        if self.altered.len() < MAX_PROBLEMS {
            self.altered.push(altered);
        } else {
            self.report.more_problems += 1;
        }
    }

    fn content(&mut self, index: u64, record: &Record, place: &dyn Fn() -> String) {
        // One record too few or too many shifts all that follow, and is one problem.
        let shift = i128::from(record.index) - i128::from(index);
        if shift != std::mem::replace(&mut self.shift, shift) && shift != 0 {
            let (expected, found) = (grouped(index), grouped(record.index));
            self.problem_at(index, place(), format!("record {expected} is missing: record {found} is in its place"));
        }
        if index == 0 {
            self.beginning(record, place);
        }
        self.open.extend(record.commitments().map(|(field, hash)| (field.to_owned(), hash)));
        self.report.commitments += self.open.len() as u64;
        self.last_recorded = Some(record.recorded);
    }

    /// The first record names the log, and so does the key.
    fn beginning(&mut self, record: &Record, place: &dyn Fn() -> String) {
        let Some(name) = &self.report.origin else { return };
        let origin = record.fields.get("origin").and_then(|value| value.as_str());
        if record.kind != "log-begun" || origin != Some(name.as_str()) {
            let what = format!("record 0 does not begin the log `{name}`, which the key is named after");
            self.problem_at(0, place(), what);
        }
    }

    fn problem_at(&mut self, index: u64, place: String, what: String) {
        self.problem(Problem { records: Some((index, index)), place: Some(place), what, detail: None });
    }

    /// Takes a text that opens a commitment of the record taken last.
    pub fn opening(&mut self, opening: Opening<'_>, place: &dyn Fn() -> String) {
        let Opening { index, field, salt, text } = opening;
        let current = index.checked_add(1) == Some(self.tree.size());
        let position = if current { self.open.iter().position(|(name, _)| name == field) } else { None };
        let Some(position) = position else {
            let (count, first) = self.strays.take().unwrap_or_else(|| (0, place()));
            self.strays = Some((count + 1, first));
            return;
        };
        let (_, committed) = self.open.swap_remove(position);
        if record::commitment(salt, field, text) == committed {
            self.report.opened += 1;
        } else {
            let what = format!("the text `{field}` beside record {} is not the one in the log", grouped(index));
            self.problem(Problem { records: None, place: Some(place()), what, detail: None });
        }
    }

    /// Holds the signed heads of the present size against the tree.
    fn check_heads(&mut self) {
        let size = self.tree.size();
        if self.heads.get(self.next_head).is_none_or(|head| head.checkpoint.size != size) {
            return;
        }
        let root = self.tree.root();
        let claimed_root = self.claimed.as_ref().map(Edge::root);
        let proven = self.report.proven.map_or(0, |proven| proven.size);
        while let Some(head) = self.heads.get(self.next_head).filter(|head| head.checkpoint.size == size) {
            self.next_head += 1;
            if head.checkpoint.root == root {
                self.agreed = Some(size);
                self.report.checkpoints += u64::from(!head.mailed);
                self.report.from_mail += u64::from(head.mailed);
                if head.mailed {
                    self.report.mailed_size = Some(size);
                }
                continue;
            }
            self.disagrees = true;
            if claimed_root == Some(head.checkpoint.root) {
                // The leaves are as signed: the altered records are known one by one.
                self.claimed_proven = size;
            } else {
                self.others.push(Other { size, from: head.from.clone(), proven });
            }
        }
        if !self.disagrees {
            self.report.proven = Some(Proven { size, recorded: self.last_recorded });
        }
    }

    /// Heads that have another root than the records.
    fn other_roots(&mut self) {
        for Other { size, from, proven } in std::mem::take(&mut self.others) {
            let last = size.saturating_sub(1).max(proven);
            let detail = if self.agreed.is_some_and(|agreed| agreed >= size) {
                "the key signed two histories: this one, and the one that this checkpoint is of".to_owned()
            } else if last > proven {
                format!("the first bad record is one of {} to {}", grouped(proven), grouped(last))
            } else {
                format!("the bad record is {}", grouped(last))
            };
            self.report.problems.push(Problem {
                records: Some((proven, last)),
                place: None,
                what: format!("the first {} records have not the root that was signed in {from}", grouped(size)),
                detail: Some(detail),
            });
        }
    }

    /// Ends the stream and gives the verdict.
    pub fn finish(mut self, tail: Tail) -> Report {
        self.open.clear();
        let size = self.tree.size();
        self.report.records = size;
        self.report.root = self.tree.root();
        self.missing_records(size);
        self.unsigned_records(size, tail);
        self.altered_records();
        self.other_roots();
        if let Some((count, place)) = self.strays.take() {
            let what = format!("{} texts about people belong to no commitment here", grouped(count));
            self.problem(Problem { place: Some(place), what, ..Problem::default() });
        }
        let missing = self.report.commitments - self.report.opened.min(self.report.commitments);
        if missing > 0 {
            let all = grouped(self.report.commitments);
            self.notice(format!("{} of {all} texts about people are not here: erased, or left out", grouped(missing)));
        }
        // Records first, by the first that can be bad; then what is wrong around them.
        self.report.problems.sort_by_key(|problem| (problem.records.is_none(), problem.records));
        let beyond = self.report.problems.len().saturating_sub(MAX_PROBLEMS);
        self.report.problems.truncate(MAX_PROBLEMS);
        self.report.more_problems += beyond as u64;
        self.report
    }

    /// Heads of more records than there are: the end was cut off, or an old copy is offered as the newest.
    fn missing_records(&mut self, size: u64) {
        let beyond: Vec<Problem> = self
            .heads
            .iter()
            .skip(self.next_head)
            .map(|head| Problem {
                records: Some((size, size)),
                place: None,
                what: format!("record {} is missing: the log ends before it", grouped(size)),
                detail: Some(format!(
                    "{} holds a signed checkpoint of {} records, {} are here: rolled back or cut off",
                    head.from,
                    grouped(head.checkpoint.size),
                    grouped(size)
                )),
            })
            .collect();
        self.report.problems.extend(beyond);
    }

    fn unsigned_records(&mut self, size: u64, tail: Tail) {
        let is_cut = self.next_head < self.heads.len();
        let from = self.heads.last().map_or(0, |head| head.checkpoint.size);
        if is_cut || (from == size && !self.heads.is_empty()) {
            return;
        }
        let what = format!("{} of {} records are in no checkpoint", grouped(size - from), grouped(size));
        match tail {
            Tail::Signed => {
                let records = Some((from, size.saturating_sub(1).max(from)));
                self.report.problems.push(Problem { records, place: None, what, detail: None });
            }
            Tail::Open => self.notice(format!("{what} yet")),
        }
    }

    fn altered_records(&mut self) {
        for Altered { index, place, expected, found } in std::mem::take(&mut self.altered) {
            let from = if index < self.claimed_proven { "the signed log" } else { "the leaf that is kept of it" };
            self.report.problems.push(Problem {
                records: Some((index, index)),
                place: Some(place),
                what: format!("record {} differs from {from}", grouped(index)),
                detail: Some(format!("expected leaf {}, found {}", short(&expected), short(&found))),
            });
        }
    }
}

fn short(hash: &Hash) -> String {
    crate::hex::hex(hash.get(..4).unwrap_or_default())
}

/// A number with its thousands set apart: `48,230`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
