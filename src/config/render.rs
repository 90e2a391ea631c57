//! How problems look on a terminal: the message, the place, the line with a caret below it, the hint, and one
//! closing line that counts. No judgement here.

use std::fmt::Write as _;

use super::problem::{Problem, Severity, may_hold_secret};
use crate::model::settings::SourceFile;

/// The most characters of a message, label or hint that are shown.
const LONGEST: usize = 400;
/// The most characters of a line that are shown.
const WIDEST: usize = 140;

/// Writes problems as people read them, all of them, with a closing line; nothing at all where there is none.
///
/// `files` are the files that the problems are about; colour only repeats what the words say.
pub fn render(problems: &[Problem], files: &[SourceFile], color: bool) -> String {
    let mut out = String::new();
    if problems.is_empty() {
        return out;
    }
    let gutter = problems.iter().map(|problem| problem.line.to_string().len()).max().unwrap_or(1).max(2);
    let paint = Paint { color };
    for problem in problems {
        one(&mut out, problem, files, gutter, paint);
    }
    out.push_str(&closing_line(problems, files.len()));
    out.push('\n');
    out
}

/// How many errors and warnings there are, and what that means: `2 errors, 1 warning in 4 files; nothing was loaded`.
fn closing_line(problems: &[Problem], files: usize) -> String {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let warnings = problems.len() - errors;
    let mut counts = Vec::new();
    if errors > 0 {
        counts.push(counted(errors, "error"));
    }
    if warnings > 0 {
        counts.push(counted(warnings, "warning"));
    }
    let fate = if errors > 0 { "; nothing was loaded" } else { "" };
    format!("{} in {}{fate}", counts.join(", "), counted(files, "file"))
}

/// A number with its noun, in the plural where it is not one.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[derive(Debug, Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn severity(self, severity: Severity, text: &str) -> String {
        self.wrap(if severity == Severity::Error { "1;31" } else { "1;33" }, text)
    }

    fn frame(self, text: &str) -> String {
        self.wrap("34", text)
    }
}

fn one(out: &mut String, problem: &Problem, files: &[SourceFile], gutter: usize, paint: Paint) {
    let Problem { severity, file, line, column, .. } = problem;
    let word = paint.severity(*severity, severity.as_str());
    let _ = writeln!(out, "{word}: {}", shown(&problem.message));
    let arrow = paint.frame(&format!("{:gutter$}-->", ""));
    if *line == 0 {
        let _ = writeln!(out, "{arrow} {file}");
    } else {
        let _ = writeln!(out, "{arrow} {file}:{line}:{column}");
        if let Some(source) = files.iter().find(|source| source.name == *file) {
            excerpt(out, problem, &source.text, gutter, paint);
        }
    }
    if let Some(hint) = &problem.hint {
        let _ = writeln!(out, "{} {}", paint.frame(&format!("{:gutter$} =", "")), shown(&format!("hint: {hint}")));
    }
}

fn excerpt(out: &mut String, problem: &Problem, text: &str, gutter: usize, paint: Paint) {
    let (before, after) = text.split_at_checked(problem.span.start).unwrap_or((text, ""));
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = before.len() + after.find('\n').unwrap_or(after.len());
    let line = text.get(line_start..line_end).unwrap_or_default().trim_end_matches('\r');
    let number = paint.frame(&format!("{:>gutter$} |", problem.line));
    if may_hold_secret(line) {
        let _ = writeln!(out, "{number} (the line may hold a secret)");
        if !problem.label.is_empty() {
            let _ = writeln!(out, "{} {}", paint.frame(&format!("{:gutter$} |", "")), shown(&problem.label));
        }
        return;
    }
    let indent = problem.column.saturating_sub(1);
    let marked = text.get(problem.span.clone()).and_then(|marked| marked.lines().next()).unwrap_or_default();
    // A long line loses its beginning, so that the place itself is always seen.
    let skipped = if line.chars().count() > WIDEST { indent.saturating_sub(WIDEST / 3) } else { 0 };
    let visible: String = line.chars().skip(skipped).take(WIDEST).collect();
    let indent = indent - skipped;
    let carets = marked.chars().count().clamp(1, WIDEST.saturating_sub(indent).max(1));
    let _ = writeln!(out, "{number} {}", shown(&visible).trim_end());
    let under = paint.severity(problem.severity, &format!("{} {}", "^".repeat(carets), shown(&problem.label)));
    let line = format!("{} {:indent$}{under}", paint.frame(&format!("{:gutter$} |", "")), "");
    let _ = writeln!(out, "{}", line.trim_end());
}

/// What a terminal may be sent: a tab is one blank, any other control character a replacement of one column.
fn shown(text: &str) -> String {
    text.chars()
        .take(LONGEST)
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(message: &str, text: &str, found: &str) -> (Problem, Vec<SourceFile>) {
        let (before, _) = text.split_once(found).expect("it is there");
        let start = before.len();
        let in_line = before.rsplit('\n').next().unwrap_or_default();
        let problem = Problem {
            severity: Severity::Error,
            file: "feeds.toml".into(),
            line: before.matches('\n').count() + 1,
            column: in_line.chars().count() + 1,
            span: start..start + found.len(),
            message: message.into(),
            label: "no such owner in config/owners.toml".into(),
            hint: Some("did you mean `maria`?".into()),
        };
        (problem, vec![SourceFile { name: "feeds.toml".into(), text: text.into() }])
    }

    #[test]
    fn a_problem_shows_its_line_a_caret_and_a_hint() {
        let (problem, files) = problem("unknown owner `mria`", "[[feed]]\nowner = \"mria\"\n", "\"mria\"");
        assert_eq!(
            render(&[problem], &files, false),
            "error: unknown owner `mria`\n  --> feeds.toml:2:9\n 2 | owner = \"mria\"\n   |         ^^^^^^ no such owner in \
             config/owners.toml\n   = hint: did you mean `maria`?\n1 error in 1 file; nothing was loaded\n"
        );
    }

    #[test]
    fn a_place_far_right_in_a_long_line_is_seen() {
        let text = format!("terms = [{}\"mria\"]", "\"x\", ".repeat(400));
        let (problem, files) = problem("m", &text, "\"mria\"");
        let shown = render(&[problem], &files, false);
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines[3].find('^').expect("a caret");
        assert!(lines[2].split_at(caret).1.starts_with("\"mria\""), "{shown}");
        assert!(lines[2].len() <= WIDEST + 8);
    }

    #[test]
    fn control_characters_of_a_file_never_reach_the_terminal() {
        let (problem, files) = problem("bad \u{1b}[2J name", "name = \"a\u{1b}[2Jb\"\n", "\"a\u{1b}[2Jb\"");
        assert!(!render(std::slice::from_ref(&problem), &files, false).contains('\u{1b}'));
        let colored = render(&[problem], &files, true);
        assert!(colored.contains("\u{1b}[1;31merror\u{1b}[0m") && !colored.contains("\u{1b}[2J"));
    }
}
