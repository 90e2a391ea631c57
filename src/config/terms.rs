//! The terms of components and topics: their three spellings, and whether each of them can find anything at all
//! or rather too much.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    fields::{Fields, Shape, Text, type_in_words, unseen},
    problem::{At, Report},
};
use crate::model::stack::{Case, Pattern, Term};

/// The longest term, in characters.
const LONGEST_TERM: usize = 200;
/// The longest regular expression, in bytes.
const LONGEST_REGEX: usize = 1_000;
/// The most bytes that a compiled regular expression may take.
const REGEX_SIZE: usize = 1 << 20;
/// How deep the groups of a regular expression may be nested.
const REGEX_NESTING: u32 = 50;
/// A term with fewer letters and digits than this means too many things.
const SHORT: usize = 4;

/// Words of everyday English that are also names of software.
const COMMON_WORDS: [&str; 61] = [
    "access", "agent", "ansible", "base", "bolt", "bolts", "cache", "cloud", "code", "core", "data", "edge", "engine",
    "exchange", "express", "flask", "flow", "gateway", "harbor", "helm", "insight", "lambda", "light", "linear",
    "mail", "meet", "model", "nest", "next", "node", "notes", "nova", "office", "outlook", "patch", "play", "portal",
    "pulse", "puppet", "react", "rust", "salt", "security", "server", "service", "shell", "slack", "snap", "spark",
    "spring", "storage", "swift", "system", "teams", "test", "update", "vault", "visual", "vision", "word", "zoom",
];

const TERM: Shape = Shape {
    title: "{ text = ... }",
    keys: &[
        ("text", "\"SSL\""),
        ("regex", "\"openssl-[0-9.]+\""),
        ("case", "\"exact\""),
        ("near", "[\"openssl.org\"]"),
        ("not", "[\"SSL VPN\"]"),
    ],
    elsewhere: &[],
};

/// The terms of a component or topic; `None` where there is not one good one.
pub(super) fn check(table: &Fields<'_>, report: &mut Report<'_>) -> Option<Vec<Term>> {
    if !table.has("terms") {
        table.missing("terms", report);
    }
    let items = table.items("terms", report)?;
    if items.is_empty() {
        table.empty_list("terms", report);
        return None;
    }
    let mut terms: Vec<Term> = Vec::with_capacity(items.len());
    let mut seen = BTreeSet::new();
    let mut unclear = Vec::new();
    for item in items {
        let at = At { file: table.at.file, span: item.span() };
        let Some((term, at)) = term(item, &at, report) else { continue };
        if !seen.insert(sameness(&term)) {
            report.error(&at, format!("duplicate term `{}`", term.label())).label("again").hint("remove it");
            continue;
        }
        if let Some(why) = ambiguity(&term) {
            unclear.push((at, term.label(), why));
        }
        terms.push(term);
    }
    for (at, label, why) in unclear {
        let near = clear_word(&terms).unwrap_or("...").to_owned();
        let hint = format!("add case = \"exact\" or near = [\"{near}\"]");
        report
            .warning(&at, format!("ambiguous term `{label}`"))
            .label(format!("{why}, any case, no context"))
            .hint(hint);
    }
    (!terms.is_empty()).then_some(terms)
}

fn term<'t>(item: &'t Spanned<DeValue<'t>>, at: &At, report: &mut Report<'_>) -> Option<(Term, At)> {
    match item.get_ref() {
        DeValue::String(text) => {
            let text = Text { text, at: at.clone() };
            let pattern = Pattern::Text { text: words(&text, report)?, case: Case::Any };
            Some((Term { pattern, near: Vec::new(), not: Vec::new() }, at.clone()))
        }
        DeValue::Table(table) => structured(table, at, report),
        other => {
            report
                .error(at, "a term must be a text or a table")
                .label(format!("this is {}", type_in_words(other)))
                .hint("write \"openssl\" or { text = \"SSL\", case = \"exact\" }");
            None
        }
    }
}

fn structured<'t>(table: &'t DeTable<'t>, at: &At, report: &mut Report<'_>) -> Option<(Term, At)> {
    let fields = Fields::open(&TERM, table, at.clone(), report);
    let near = phrases(&fields, "near", report);
    let not = phrases(&fields, "not", report);
    if fields.has("regex") {
        if fields.has("text") {
            let hint = "make two terms of it";
            report
                .error(&fields.key_at("regex"), "a term with both `text` and `regex`")
                .label("one of them")
                .hint(hint);
            return None;
        }
        if fields.has("case") {
            let hint = "begin the expression with (?i) for any case";
            report.error(&fields.key_at("case"), "`case` has no effect on a `regex`").label("no effect").hint(hint);
        }
        let text = fields.prose("regex", report)?;
        let regex = compiled(&text, report)?;
        useless_exclusions(&fields, report, |phrase| regex.is_match(phrase));
        let pattern = Pattern::Regex(text.text.to_owned());
        return Some((Term { pattern, near, not }, text.at));
    }
    let text = fields.need("text", report)?;
    let case = fields.word("case", &[("any", Case::Any), ("exact", Case::Exact)], report).unwrap_or_default();
    let found = words(&text, report)?;
    // A hyphen and a blank are the same when terms are looked for.
    let lower = found.to_lowercase().replace('-', " ");
    useless_exclusions(&fields, report, |phrase| phrase.to_lowercase().replace('-', " ").contains(&lower));
    if let Some(same) = near.iter().find(|near| near.to_lowercase().replace('-', " ") == lower) {
        let hint = "name another word that stands in entries that are meant";
        let at = &fields.key_at("near");
        report.error(at, format!("`near` names the term `{same}` itself")).label("always met").hint(hint);
    }
    Some((Term { pattern: Pattern::Text { text: found, case }, near, not }, text.at))
}

fn words(text: &Text<'_>, report: &mut Report<'_>) -> Option<String> {
    let problem = if let Some(unseen) = unseen(text.text) {
        let message = format!("a character that nobody sees in a term, U+{:04X}", u32::from(unseen));
        report.error(&text.at, message).hint("remove it")
    } else if !text.text.chars().any(char::is_alphanumeric) {
        report.error(&text.at, format!("term `{}` has no letter and no digit", text.text)).hint("remove it")
    } else if text.text.chars().count() > LONGEST_TERM {
        report.error(&text.at, format!("a term of more than {LONGEST_TERM} characters")).hint("shorten it")
    } else {
        return Some(text.text.trim().to_owned());
    };
    problem.label("finds nothing");
    None
}

fn phrases(fields: &Fields<'_>, key: &str, report: &mut Report<'_>) -> Vec<String> {
    let texts = fields.some_texts(key, report).unwrap_or_default();
    texts.iter().filter_map(|text| words(text, report)).collect()
}

/// An exclusion that the term does not stand in excludes nothing.
fn useless_exclusions(fields: &Fields<'_>, report: &mut Report<'_>, contains: impl Fn(&str) -> bool) {
    let texts = fields.texts("not", &mut Report::silent(report.files)).unwrap_or_default();
    for text in texts.iter().filter(|text| !contains(text.text)) {
        let hint = "write the longer phrase that holds the term, such as \"SSL VPN\" for SSL";
        report
            .warning(&text.at, format!("`not` phrase `{}` has no effect", text.text))
            .label("the term is not in it")
            .hint(hint);
    }
}

fn compiled(text: &Text<'_>, report: &mut Report<'_>) -> Option<Regex> {
    if text.text.len() > LONGEST_REGEX {
        let message = format!("a regular expression of more than {LONGEST_REGEX} bytes");
        report.error(&text.at, message).label("too long").hint("make several terms of it");
        return None;
    }
    match RegexBuilder::new(text.text).size_limit(REGEX_SIZE).nest_limit(REGEX_NESTING).build() {
        Ok(regex) if regex.is_match("") => {
            let hint = "ask for at least one character, with + in place of *";
            report
                .error(&text.at, "a regular expression that matches nothing at all")
                .label("found everywhere")
                .hint(hint);
            None
        }
        Ok(regex) => Some(regex),
        Err(error) => {
            let (label, at) = regex_error(&error, text, report);
            let hint = "the syntax is that of the `regex` crate: look-around and back references do not exist";
            report.error(&at, "invalid regular expression").label(label).hint(hint);
            None
        }
    }
}

/// What the regex crate says, in one line, and the place that it points at.
fn regex_error(error: &regex::Error, text: &Text<'_>, report: &Report<'_>) -> (String, At) {
    let regex::Error::Syntax(words) = error else {
        return ("grows too large when compiled; repeats multiply".to_owned(), text.at.clone());
    };
    let label = words.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or("not understood");
    let caret = words.lines().find_map(|line| {
        let column = line.strip_prefix("    ")?.find('^')?;
        line.trim().chars().all(|c| c == '^').then(|| column..column + line.trim().len())
    });
    let at = caret.and_then(|columns| {
        let byte = |column: usize| text.text.char_indices().nth(column).map_or(text.text.len(), |(at, _)| at);
        let part = byte(columns.start)..byte(columns.end);
        (part.start < part.end).then(|| text.part(part, report))
    });
    (label.to_owned(), at.unwrap_or_else(|| text.at.clone()))
}

/// What two terms that find the same have in common.
fn sameness(term: &Term) -> (u8, String) {
    match &term.pattern {
        Pattern::Text { text, case: Case::Any } => (0, text.to_lowercase()),
        Pattern::Text { text, case: Case::Exact } => (1, text.clone()),
        Pattern::Regex(regex) => (2, regex.clone()),
    }
}

fn ambiguity(term: &Term) -> Option<&'static str> {
    let Pattern::Text { text, case: Case::Any } = &term.pattern else { return None };
    if !term.near.is_empty() {
        return None;
    }
    if text.chars().filter(|c| c.is_alphanumeric()).count() < SHORT {
        return Some("short");
    }
    COMMON_WORDS.contains(&text.to_lowercase().as_str()).then_some("a common word")
}

/// A term of the same component that means only one thing.
fn clear_word(terms: &[Term]) -> Option<&str> {
    terms.iter().find_map(|term| match &term.pattern {
        Pattern::Text { text, .. } if ambiguity(term).is_none() && term.near.is_empty() => Some(text.as_str()),
        _ => None,
    })
}
