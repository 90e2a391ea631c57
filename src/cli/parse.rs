//! `sigtrail parse`: what a document says, as JSON lines or for people. Pure; reading the files is its caller's part.

use std::fmt::{Display, Write as _};

use serde::Serialize;

use crate::{
    compose::words,
    model::{
        entry::{Document, Entry},
        time::Time,
    },
};

/// A document as `parse --json` prints it.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    ok: bool,
    error: Option<String>,
    partial: bool,
    format: Option<&'static str>,
    title: Option<&'a str>,
    warnings: &'a [String],
    entries: Vec<LineEntry<'a>>,
}

#[derive(Serialize)]
struct LineEntry<'a> {
    guid: Option<&'a str>,
    link: Option<&'a str>,
    title: Option<&'a str>,
    published: Option<Time>,
    updated: Option<Time>,
    authors: &'a [String],
    categories: &'a [String],
    summary: Option<&'a str>,
}

impl<'a> From<&'a Entry> for LineEntry<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            guid: entry.guid.as_deref(),
            link: entry.link.as_deref(),
            title: entry.title.as_deref(),
            published: entry.published,
            updated: entry.updated,
            authors: &entry.authors,
            categories: &entry.categories,
            summary: entry.summary.as_deref(),
        }
    }
}

/// One JSON object without a line end: what `parse --json` prints for a file.
pub fn line(file: &str, result: &Result<Document, impl Display>) -> String {
    let line = match result {
        Ok(document) => Line {
            file,
            ok: true,
            error: None,
            partial: document.partial,
            format: Some(document.format.as_str()),
            title: document.title.as_deref(),
            warnings: &document.warnings,
            entries: document.entries.iter().map(LineEntry::from).collect(),
        },
        Err(error) => Line {
            file,
            ok: false,
            error: Some(error.to_string()),
            partial: false,
            format: None,
            title: None,
            warnings: &[],
            entries: Vec::new(),
        },
    };
    serde_json::to_string(&line).unwrap_or_default()
}

/// The same for people: what the document is, what had to be repaired, and its entries, newest as the document has them.
pub fn report(file: &str, result: &Result<Document, impl Display>) -> String {
    let mut out = String::new();
    match result {
        Err(error) => {
            let _ = writeln!(out, "{file}: not read: {}", words::line(&error.to_string()));
        }
        Ok(document) => {
            let title = document.title.as_deref().unwrap_or("(no title)");
            let count = document.entries.len();
            let entries = if count == 1 { "entry" } else { "entries" };
            let part = if document.partial { ", read in part" } else { "" };
            let _ = writeln!(out, "{file}: {title} ({}, {count} {entries}{part})", document.format);
            for warning in &document.warnings {
                let _ = writeln!(out, "  repaired: {warning}");
            }
            for entry in &document.entries {
                let when = entry
                    .published
                    .or(entry.updated)
                    .map_or_else(|| "no date   ".to_owned(), |time| time.strftime("%Y-%m-%d").to_string());
                let _ = writeln!(out, "  {when}  {}", entry.title.as_deref().unwrap_or("(no title)"));
                if let Some(link) = &entry.link {
                    let _ = writeln!(out, "              {link}");
                }
            }
        }
    }
    out
}
