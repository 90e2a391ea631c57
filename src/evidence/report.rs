//! The verdict on a log, and how a person reads it. How it was reached is `verify`'s business.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::tz::TimeZone;

use super::{merkle::Hash, verify::grouped};
use crate::model::time::Time;

/// The longest line of a verdict, in characters.
const MAX_LINE: usize = 400;

/// Something that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// The first bad record by it is one of these, from the first number to the second; `None` where records are
    /// not concerned.
    pub records: Option<(u64, u64)>,
    /// File and line.
    pub place: Option<String>,
    /// What is wrong, in one line.
    pub what: String,
    /// What was expected and found.
    pub detail: Option<String>,
}

/// How far the records agree with a signed head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proven {
    /// How many records, from the first.
    pub size: u64,
    /// When the last of them was written down.
    pub recorded: Option<Time>,
}

/// The verdict on a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The log's name, which the key is named after; `None` without a key.
    pub origin: Option<String>,
    /// The fingerprint of the key; `None` without a key.
    pub fingerprint: Option<String>,
    /// How many records there are.
    pub records: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// How many checkpoints of the pack are signed and agree with the records.
    pub checkpoints: u64,
    /// How many checkpoints from mails are signed and agree with the records.
    pub from_mail: u64,
    /// The size of the newest of those.
    pub mailed_size: Option<u64>,
    /// The file of the key that was given from outside the pack.
    pub key_from: Option<String>,
    /// How far the records agree with a signed head.
    pub proven: Option<Proven>,
    /// How many commitments to texts about people the records hold.
    pub commitments: u64,
    /// How many of them are opened by a text that fits.
    pub opened: u64,
    /// What is wrong, the first bad record first.
    pub problems: Vec<Problem>,
    /// How many problems more there are than are kept in words.
    pub more_problems: u64,
    /// What is worth knowing and not wrong.
    pub notices: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong; otherwise the exit code is 3.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether a key or a mail from outside the pack vouches for it.
    pub fn is_anchored(&self) -> bool {
        self.key_from.is_some() || self.from_mail > 0
    }

    /// The first record that is wrong, where that is known to the record.
    pub fn first_bad_record(&self) -> Option<u64> {
        let (from, to) = self.problems.first()?.records?;
        (from == to).then_some(from)
    }

    /// The first twelve characters of the root in base64, for a line that a person reads.
    pub fn short_root(&self) -> String {
        STANDARD.encode(self.root).chars().take(12).collect()
    }
}

/// The verdict as lines of text, a line end after each: for standard output.
pub fn render(report: &Report) -> String {
    let mut lines = Vec::new();
    match report.problems.split_first() {
        None => lines.push(good_line(report)),
        Some((first, others)) => broken_lines(report, first, others, &mut lines),
    }
    if report.is_good() {
        anchor_lines(report, &mut lines);
    }
    lines.extend(report.notices.iter().map(|notice| format!("note: {notice}")));
    lines.iter().map(|line| clean(line) + "\n").collect()
}

/// A line that can go to a terminal: names of files and logs in a forged pack are not to be trusted with it.
fn clean(line: &str) -> String {
    let shown = line.chars().take(MAX_LINE).map(|c| match c {
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    });
    shown.collect()
}

fn good_line(report: &Report) -> String {
    format!(
        "ok: {}, {}, {} from mail, root {}",
        counted(report.records, "record"),
        counted(report.checkpoints, "checkpoint"),
        grouped(report.from_mail),
        report.short_root()
    )
}

fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

fn anchor_lines(report: &Report, lines: &mut Vec<String>) {
    if let Some(file) = &report.key_from {
        lines.push(format!("anchored: signed by the key in {file}"));
    }
    match report.mailed_size {
        Some(size) if size < report.records => lines.push(format!(
            "anchored: the first {} as a mail has them; {} after the newest mail given",
            counted(size, "record"),
            grouped(report.records - size)
        )),
        Some(_) => lines.push("anchored: every record as a mail has it".to_owned()),
        None => {}
    }
    if !report.is_anchored() {
        lines.push("consistent with itself, not anchored: no --key and no --mail from outside was compared".to_owned());
        if let Some(fingerprint) = &report.fingerprint {
            lines.push(format!("compare fingerprint {fingerprint}"));
        }
    }
}

fn broken_lines(report: &Report, first: &Problem, others: &[Problem], lines: &mut Vec<String>) {
    lines.push(format!("broken: {}", first.what));
    let below: Vec<&str> = [first.detail.as_deref(), first.place.as_deref()].into_iter().flatten().collect();
    if !below.is_empty() {
        lines.push(format!("  {}", below.join("    ")));
    }
    match report.proven {
        Some(Proven { size, recorded: Some(recorded) }) if size > 0 && first.records.is_some() => {
            let day = recorded.to_zoned(TimeZone::UTC).strftime("%-d %b %Y");
            lines.push(format!("  records before {} still prove against the checkpoint of {day}", grouped(size)));
        }
        _ if first.records.is_some() => lines.push("  no record is proven by a checkpoint".to_owned()),
        _ => {}
    }
    for problem in others {
        let place = problem.place.as_ref().map(|place| format!("    {place}")).unwrap_or_default();
        lines.push(format!("also: {}{place}", problem.what));
    }
    if report.more_problems > 0 {
        lines.push(format!("and {} more", grouped(report.more_problems)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::from_millis;

    fn report() -> Report {
        Report {
            origin: Some("example.com/sigtrail".into()),
            fingerprint: Some("ab12".into()),
            records: 48_230,
            checkpoints: 14,
            ..Report::default()
        }
    }

    #[test]
    fn a_verdict_without_an_anchor_says_so() {
        assert_eq!(
            render(&report()),
            "ok: 48,230 records, 14 checkpoints, 0 from mail, root AAAAAAAAAAAA\n\
             consistent with itself, not anchored: no --key and no --mail from outside was compared\n\
             compare fingerprint ab12\n"
        );
    }

    #[test]
    fn a_verdict_with_an_anchor_names_it_and_how_far_it_reaches() {
        let report = Report { from_mail: 1, mailed_size: Some(48_000), key_from: Some("log.pub".into()), ..report() };
        assert_eq!(
            render(&report),
            "ok: 48,230 records, 14 checkpoints, 1 from mail, root AAAAAAAAAAAA\n\
             anchored: signed by the key in log.pub\n\
             anchored: the first 48,000 records as a mail has them; 230 after the newest mail given\n"
        );
    }

    #[test]
    fn a_broken_log_names_the_first_bad_record_and_what_still_holds() {
        let problem = Problem {
            records: Some((31_007, 31_007)),
            place: Some("records/0031.jsonl:8".into()),
            what: "record 31,007 differs from the signed log".into(),
            detail: Some("expected leaf 9f2c41d0, found 51aa07be".into()),
        };
        let proven = Proven { size: 31_000, recorded: Some(from_millis(1_788_307_200_000)) };
        let report = Report { problems: vec![problem], proven: Some(proven), more_problems: 2, ..report() };
        assert_eq!(
            render(&report),
            "broken: record 31,007 differs from the signed log\n\
             \u{20} expected leaf 9f2c41d0, found 51aa07be    records/0031.jsonl:8\n\
             \u{20} records before 31,000 still prove against the checkpoint of 2 Sep 2026\n\
             and 2 more\n"
        );
    }

    #[test]
    fn a_forged_name_cannot_write_lines_nor_colours_of_its_own() {
        let what = "x\nok: 9 records\u{1b}[2J\u{9b}2J\u{202e}".to_owned() + &"y".repeat(9_000);
        let text = render(&Report { problems: vec![Problem { what, ..Problem::default() }], ..report() });
        assert_eq!(text.lines().count(), 1);
        assert!(text.starts_with("broken: x\u{fffd}ok: 9 records\u{fffd}[2J\u{fffd}2J\u{fffd}yyy"), "{text}");
        assert!(text.chars().count() <= MAX_LINE + 1);
    }

    #[test]
    fn one_is_not_many() {
        assert!(
            good_line(&Report { records: 1, checkpoints: 1, ..report() }).starts_with("ok: 1 record, 1 checkpoint,")
        );
    }
}
