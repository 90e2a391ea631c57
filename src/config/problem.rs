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

    /// The text that the problem is about, as it stands in its file.
    pub fn offending<'t>(&self, files: &'t [SourceFile]) -> &'t str {
        let file = files.iter().find(|file| file.name == self.file);
        file.and_then(|file| file.text.get(self.span.clone())).unwrap_or_default()
    }
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
}

impl<'t> Report<'t> {
    pub(super) fn new(files: &'t [SourceFile]) -> Self {
        Self { files, syntax: Vec::new(), found: Vec::new(), broken: Vec::new() }
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
        problems
    }

    fn add(&mut self, severity: Severity, at: &At, message: String) -> &mut Problem {
        let problem = self.problem(severity, at, message);
        self.found.push((at.file, problem));
        let last = self.found.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "pushed on the line above")]
        &mut self.found[last].1
    }

    fn problem(&self, severity: Severity, at: &At, message: String) -> Problem {
        let file = self.files.get(at.file);
        let text = file.map_or("", |file| file.text.as_str());
        let before = text.get(..at.span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Problem {
            severity,
            file: file.map(|file| file.name.clone()).unwrap_or_default(),
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
            span: at.span.clone(),
            message,
            label: String::new(),
            hint: None,
        }
    }
}
