//! What can be wrong with the configuration: one problem with its place, and the list that collects them all.
//! How a problem looks is `render`'s business; what counts as one is `check`'s.

use std::{fmt, ops::Range};

use crate::model::settings::SourceFile;

/// Whether a problem stops the configuration from being loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It does; nothing is loaded.
    Error,
    /// It does not, and somebody should look at it.
    Warning,
}

impl Severity {
    /// The severity's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One thing that is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether nothing is loaded because of it.
    pub severity: Severity,
    /// The name of the file below the root, as [`SourceFile::name`].
    pub file: String,
    /// The line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// The column in characters, from 1; 0 where the file as a whole is meant.
    pub column: usize,
    /// The bytes of the file that it is about.
    pub span: Range<usize>,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// What is to be said beside the place; may be empty.
    pub label: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Problem {
    pub(super) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = label.into();
        self
    }

    pub(super) fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// The text that the problem is about, as it stands in its file; nothing where a secret stands there.
    pub fn offending<'t>(&self, files: &'t [SourceFile]) -> &'t str {
        let file = files.iter().find(|file| file.name == self.file);
        let Some((before, rest)) = file.and_then(|file| file.text.split_at_checked(self.span.start)) else { return "" };
        let before = before.rsplit('\n').next().unwrap_or_default();
        let after = rest.split('\n').next().unwrap_or_default();
        let in_value = before.contains('=') && may_hold_secret(&format!("{before}{after}"));
        if in_value { "" } else { rest.get(..self.span.len()).unwrap_or_default() }
    }
}

/// Whether a line may hold a secret, which must reach neither a terminal nor a log.
pub(super) fn may_hold_secret(line: &str) -> bool {
    let mut before_signs = line.split('=').rev().skip(1);
    let names_one = before_signs.any(|before| {
        let key = before.trim_end().trim_end_matches(['"', '\'']).to_ascii_lowercase();
        let key = key.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').next().unwrap_or_default();
        ["pass", "secret", "token"].iter().any(|word| key.contains(word)) && !key.ends_with("_file")
    });
    names_one || has_user_info(line)
}

/// Whether a URL in a text has a user name or password before its host.
pub(super) fn has_user_info(text: &str) -> bool {
    let authority =
        |rest: &str| rest.split(['/', '?', '#', '"', '\'', ' ']).next().is_some_and(|host| host.contains('@'));
    text.split("://").skip(1).any(authority)
}

/// Everything that is wrong with a configuration of which at least one thing is an error.
#[derive(Debug, Clone)]
pub struct Problems {
    /// The problems, by file, line and column; warnings too.
    pub problems: Vec<Problem>,
    /// The files as far as they could be read, for [`super::render`].
    pub files: Vec<SourceFile>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::render(&self.problems, &self.files, false))
    }
}

impl std::error::Error for Problems {}

/// The most problems that are kept beside those of the syntax; nobody reads more of them in one go.
const MOST: usize = 1_000;

/// A place in one of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At {
    /// The number of the file in the list of files.
    pub file: usize,
    /// The bytes of its text.
    pub span: Range<usize>,
}

/// Collects problems while the files are judged.
#[derive(Debug)]
pub(super) struct Report<'t> {
    pub files: &'t [SourceFile],
    syntax: Vec<Problem>,
    found: Vec<(usize, Problem)>,
    broken: Vec<At>,
    /// Where the lines of each file begin; empty when nobody asks.
    line_starts: Vec<Vec<usize>>,
    /// Takes what comes after the last problem that is kept.
    spare: Problem,
}

impl<'t> Report<'t> {
    pub(super) fn new(files: &'t [SourceFile]) -> Self {
        let line_starts = files.iter().map(|file| line_starts(&file.text)).collect();
        Self { line_starts, ..Self::silent(files) }
    }

    /// A report that nobody reads, for looking at something ahead of its time.
    pub(super) fn silent(files: &'t [SourceFile]) -> Self {
        let spare = Problem {
            severity: Severity::Error,
            file: String::new(),
            line: 0,
            column: 0,
            span: 0..0,
            message: String::new(),
            label: String::new(),
            hint: None,
        };
        Self { files, syntax: Vec::new(), found: Vec::new(), broken: Vec::new(), line_starts: Vec::new(), spare }
    }

    /// The line that a place is on, from 1.
    pub(super) fn line(&self, at: &At) -> usize {
        self.line_starts.get(at.file).map_or(0, |starts| starts.partition_point(|start| *start <= at.span.start))
    }

    pub(super) fn error(&mut self, at: &At, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Error, at, message.into())
    }

    pub(super) fn warning(&mut self, at: &At, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Warning, at, message.into())
    }

    /// Something about a file as a whole.
    pub(super) fn whole_file(&mut self, file: usize, message: impl Into<String>) -> &mut Problem {
        let problem = self.add(Severity::Error, &At { file, span: 0..0 }, message.into());
        (problem.line, problem.column) = (0, 0);
        problem
    }

    /// Something that keeps a stretch of a file from being understood: whatever else seems wrong there is not said.
    pub(super) fn syntax(&mut self, at: &At, stretch: Range<usize>, message: String, hint: Option<String>) {
        let mut problem = self.problem(Severity::Error, at, message);
        problem.hint = hint;
        self.syntax.push(problem);
        if !stretch.is_empty() {
            self.broken.push(At { file: at.file, span: stretch });
        }
    }

    /// A file whose text is not there: nothing else is said of it.
    pub(super) fn unread(&mut self, file: usize, message: String, hint: String) {
        self.syntax(&At { file, span: 0..0 }, 0..1, message, Some(hint));
        if let Some(problem) = self.syntax.last_mut() {
            (problem.line, problem.column) = (0, 0);
        }
    }

    /// Whether nothing more is kept, so that looking for good words is in vain.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= MOST
    }

    /// Whether a file has a stretch that could not be understood.
    pub(super) fn is_broken(&self, file: usize) -> bool {
        self.broken.iter().any(|stretch| stretch.file == file)
    }

    /// The problems that were found, in the order of the files and their lines.
    pub(super) fn finish(self) -> Vec<Problem> {
        let order = |name: &str| self.files.iter().position(|file| file.name == name);
        let hidden = |file: usize, problem: &Problem| {
            self.broken.iter().any(|stretch| stretch.file == file && stretch.span.contains(&problem.span.start))
        };
        let found = self.found.iter().filter(|(file, problem)| !hidden(*file, problem)).map(|(_, problem)| problem);
        let mut problems: Vec<Problem> = self.syntax.iter().chain(found).cloned().collect();
        problems.sort_by_key(|problem| (order(&problem.file), problem.line, problem.column));
        problems.dedup();
        if self.found.len() >= MOST {
            // An error, because one may be among those that were not kept.
            let mut last =
                Self::silent(self.files).problem(Severity::Error, &At { file: 0, span: 0..0 }, String::new());
            last.message = format!("more than {MOST} problems; the others are not shown");
            (last.line, last.column) = (0, 0);
            problems.push(last);
        }
        problems
    }

    fn add(&mut self, severity: Severity, at: &At, message: String) -> &mut Problem {
        if self.found.len() >= MOST {
            return &mut self.spare;
        }
        let problem = self.problem(severity, at, message);
        self.found.push((at.file, problem));
        self.found.last_mut().map_or(&mut self.spare, |(_, problem)| problem)
    }

    fn problem(&self, severity: Severity, at: &At, message: String) -> Problem {
        let file = self.files.get(at.file);
        let line = self.line(at);
        let starts = self.line_starts.get(at.file);
        let line_start = starts.and_then(|starts| starts.get(line.wrapping_sub(1))).copied().unwrap_or(at.span.start);
        let before = file.and_then(|file| file.text.get(line_start..at.span.start)).unwrap_or_default();
        Problem {
            severity,
            file: file.map(|file| file.name.clone()).unwrap_or_default(),
            line,
            column: before.chars().count() + 1,
            span: at.span.clone(),
            message,
            label: String::new(),
            hint: None,
        }
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_secret_are_known_by_their_keys_and_urls() {
        for line in [
            "password = \"hunter2\"",
            "\"pass\" = \"hunter2\"",
            "mail.password=\"hunter2\"",
            "mail = { from = \"a\", secret = \"hunter2\" }",
            "api_token = 'hunter2'",
            "url = \"https://me:hunter2@example.com/\"",
            "url = \"https://example.com/?token=hunter2\"",
        ] {
            assert!(may_hold_secret(line), "{line}");
        }
        for line in
            ["password_file = \"x\"", "from = \"a <a@example.com>\"", "url = \"https://example.com/@a\"", "[mail]"]
        {
            assert!(!may_hold_secret(line), "{line}");
        }
    }
}
