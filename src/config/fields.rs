//! How `check` takes keys out of the tree: every unknown key and every value of the wrong type is reported on the
//! way, with its place. What a value means is not judged here.

use std::{collections::BTreeSet, ops::Range};

use jiff::civil::Date;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    problem::{At, Report},
    spelling::nearest,
    values::Flaw,
};

/// The hint for a key whose name is taken but which does nothing so far.
pub(super) const RESERVED: &str = "the name is reserved, but it has no effect yet; remove it";

/// The most tables of one kind that a file may have.
const MOST_TABLES: usize = 20_000;

/// The most bytes of a text of one line.
const LONGEST_LINE: usize = 2_000;

/// Which keys a table may have.
#[derive(Debug)]
pub(super) struct Shape {
    /// How the table is written: `[[feed]]`; empty for the top of a file.
    pub title: &'static str,
    /// Every key with an example of its value.
    pub keys: &'static [(&'static str, &'static str)],
    /// What is to be said of keys that people might well expect here.
    pub elsewhere: &'static [(&'static str, &'static str)],
}

impl Shape {
    fn example(&self, key: &str) -> &'static str {
        self.keys.iter().find_map(|(name, example)| (*name == key).then_some(*example)).unwrap_or("...")
    }

    fn place(&self) -> String {
        if self.title.is_empty() { "at the top of the file".to_owned() } else { format!("in {}", self.title) }
    }
}

/// A text value with its place.
#[derive(Debug, Clone)]
pub(super) struct Text<'t> {
    pub text: &'t str,
    pub at: At,
}

impl Text<'_> {
    /// The place of a part of the text; the whole of it where escapes hide which bytes those are.
    pub(super) fn part(&self, part: Range<usize>, report: &Report<'_>) -> At {
        let raw = report.files.get(self.at.file).and_then(|file| file.text.get(self.at.span.clone()));
        let quotes = ["\"\"\"", "'''", "\"", "'"];
        let bare = raw.and_then(|raw| {
            let quote = quotes.into_iter().find(|quote| raw.starts_with(quote))?;
            (raw.strip_prefix(quote)?.strip_suffix(quote)? == self.text).then_some(quote.len())
        });
        match bare {
            Some(quote) if part.end <= self.text.len() => {
                let start = self.at.span.start + quote;
                At { file: self.at.file, span: start + part.start..start + part.end }
            }
            _ => self.at.clone(),
        }
    }

    /// Reports what is wrong with the text.
    pub(super) fn flaw(&self, flaw: Flaw, report: &mut Report<'_>) {
        let at = flaw.part.map_or_else(|| self.at.clone(), |part| self.part(part, report));
        let problem = report.error(&at, flaw.message).label(flaw.label);
        if !flaw.hint.is_empty() {
            problem.hint(flaw.hint);
        }
    }
}

/// A table whose keys are taken one by one.
#[derive(Debug, Clone)]
pub(super) struct Fields<'t> {
    shape: &'static Shape,
    table: &'t DeTable<'t>,
    pub at: At,
}

impl<'t> Fields<'t> {
    /// Opens a table and reports the keys that it must not have.
    pub(super) fn open(shape: &'static Shape, table: &'t DeTable<'t>, at: At, report: &mut Report<'_>) -> Self {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if shape.keys.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let place = At { file: at.file, span: key.span() };
            let problem = report.error(&place, format!("unknown key `{name}` {}", shape.place()));
            let elsewhere = shape.elsewhere.iter().find_map(|(other, hint)| (*other == name).then_some(*hint));
            let near = nearest(name, shape.keys.iter().map(|(known, _)| *known));
            match (elsewhere, near) {
                (Some(RESERVED), _) => problem.label("does nothing yet").hint(RESERVED),
                (Some(hint), _) => problem.label("does not belong here").hint(hint),
                (None, Some(near)) => problem.label("no such key").hint(format!("did you mean `{near}`?")),
                (None, None) => {
                    let known: Vec<&str> = shape.keys.iter().map(|(known, _)| *known).collect();
                    problem.label("no such key").hint(format!("the keys are {}", known.join(", ")))
                }
            };
        }
        Self { shape, table, at }
    }

    fn spanned(&self, value: &Spanned<DeValue<'t>>) -> At {
        At { file: self.at.file, span: value.span() }
    }

    fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'t>>, wanted: &str, report: &mut Report<'_>) {
        let message = format!("`{key}` must be {wanted}");
        let label = format!("this is {}", type_in_words(value.get_ref()));
        let hint = format!("write {key} = {}", self.shape.example(key));
        report.error(&self.spanned(value), message).label(label).hint(hint);
    }

    /// Whether a key that is not there stands there under a wrong name, which has been reported.
    fn misnamed(&self, key: &str) -> bool {
        let known = || self.shape.keys.iter().map(|(known, _)| *known);
        let spelled = format!("write {key} = ");
        self.table
            .keys()
            .map(|typed| typed.get_ref().as_ref())
            .filter(|typed| known().all(|known| known != *typed))
            .any(|typed: &str| {
                let elsewhere = self.shape.elsewhere.iter().find(|(other, _)| *other == typed);
                elsewhere.map_or_else(|| nearest(typed, known()) == Some(key), |(_, hint)| hint.starts_with(&spelled))
            })
    }

    /// Reports that a key is not there.
    pub(super) fn missing(&self, key: &str, report: &mut Report<'_>) {
        if self.misnamed(key) {
            return;
        }
        let hint = format!("add {key} = {}", self.shape.example(key));
        if self.shape.title.is_empty() {
            report.whole_file(self.at.file, format!("missing key `{key}` at the top of the file")).hint(hint);
        } else {
            report
                .error(&self.at, format!("missing key `{key}` in {}", self.shape.title))
                .label(format!("needs `{key}`"))
                .hint(hint);
        }
    }

    /// Whether the key is there, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The place of a key's name.
    pub(super) fn key_at(&self, key: &str) -> At {
        let found = self.table.keys().find(|known| known.get_ref().as_ref() == key);
        found.map_or_else(|| self.at.clone(), |found| At { file: self.at.file, span: found.span() })
    }

    /// A line of text.
    pub(super) fn text(&self, key: &str, report: &mut Report<'_>) -> Option<Text<'t>> {
        let text = self.prose(key, report)?;
        one_line(key, text, report)
    }

    /// A line of text that must be there.
    pub(super) fn need(&self, key: &str, report: &mut Report<'_>) -> Option<Text<'t>> {
        if !self.has(key) {
            self.missing(key, report);
        }
        self.text(key, report)
    }

    /// A text of one line or more.
    pub(super) fn prose(&self, key: &str, report: &mut Report<'_>) -> Option<Text<'t>> {
        let value = self.value(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, "a text in quotes", report);
            return None;
        };
        let at = self.spanned(value);
        if text.trim().is_empty() {
            let hint = format!("write {key} = {}, or remove the line", self.shape.example(key));
            report.error(&at, format!("`{key}` is empty")).hint(hint);
            return None;
        }
        if let Some(unseen) = unseen(&text.replace(['\n', '\r', '\t'], " ")) {
            let message = format!("a character that nobody sees in `{key}`, U+{:04X}", u32::from(unseen));
            report.error(&at, message).label("must be plain text").hint("remove it");
            return None;
        }
        Some(Text { text, at })
    }

    /// A text that means something: read by `read`, whose flaw is reported.
    pub(super) fn read<T>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        read: impl FnOnce(&str) -> Result<T, Flaw>,
    ) -> Option<T> {
        let text = self.text(key, report)?;
        match read(text.text) {
            Ok(value) => Some(value),
            Err(flaw) => {
                text.flaw(flaw, report);
                None
            }
        }
    }

    /// A word out of a list.
    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&str, T)], report: &mut Report<'_>) -> Option<T> {
        self.read(key, report, |text| {
            words.iter().find_map(|(word, value)| (*word == text).then_some(*value)).ok_or_else(|| {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                let hint = match nearest(text, known.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("one of {}", known.join(", ")),
                };
                Flaw::new(format!("unknown {key} `{text}`"), format!("not one of {}", known.join(", ")), hint)
            })
        })
    }

    /// A whole number between two bounds, both included.
    pub(super) fn number(&self, key: &str, bounds: (u32, u32), report: &mut Report<'_>) -> Option<u32> {
        let value = self.value(key)?;
        let wanted = format!("a whole number from {} to {}", bounds.0, bounds.1);
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, &wanted, report);
            return None;
        };
        number_in(integer, bounds).or_else(|| {
            let hint = format!("write {key} = {}", self.shape.example(key));
            report.error(&self.spanned(value), format!("`{key}` must be {wanted}")).label("out of range").hint(hint);
            None
        })
    }

    /// True or false.
    pub(super) fn flag(&self, key: &str, report: &mut Report<'_>) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, value, "true or false", report);
        }
        flag
    }

    /// A day, written without quotes.
    pub(super) fn date(&self, key: &str, report: &mut Report<'_>) -> Option<Date> {
        let value = self.value(key)?;
        let datetime = value.get_ref().as_datetime().filter(|datetime| datetime.time.is_none());
        let Some(date) = datetime.and_then(|datetime| datetime.date) else {
            self.wrong_type(key, value, "a day without quotes", report);
            return None;
        };
        let part = |part: u8| i8::try_from(part).unwrap_or(0);
        i16::try_from(date.year).ok().and_then(|year| Date::new(year, part(date.month), part(date.day)).ok())
    }

    /// The values of a list.
    pub(super) fn items(&self, key: &str, report: &mut Report<'_>) -> Option<Vec<&'t Spanned<DeValue<'t>>>> {
        let value = self.value(key)?;
        let items = value.get_ref().as_array().map(|array| array.iter().collect());
        if items.is_none() {
            self.wrong_type(key, value, "a list", report);
        }
        items
    }

    /// A list of texts, each of one line and each of them once; values that are no text are reported and left out.
    pub(super) fn texts(&self, key: &str, report: &mut Report<'_>) -> Option<Vec<Text<'t>>> {
        let mut texts: Vec<Text<'t>> = Vec::new();
        let mut seen = BTreeSet::new();
        for item in self.items(key, report)? {
            let at = self.spanned(item);
            let Some(text) = item.get_ref().as_str() else {
                let hint = format!("write {key} = {}", self.shape.example(key));
                report
                    .error(&at, format!("`{key}` must be a list of texts"))
                    .label(format!("this is {}", type_in_words(item.get_ref())))
                    .hint(hint);
                continue;
            };
            if text.trim().is_empty() {
                report.error(&at, format!("an empty text in `{key}`")).hint("remove it");
            } else if !seen.insert(text) {
                report.error(&at, format!("`{text}` stands twice in `{key}`")).label("again").hint("remove it");
            } else {
                texts.extend(one_line(key, Text { text, at }, report));
            }
        }
        Some(texts)
    }

    /// A list of texts that must not be empty where it stands.
    pub(super) fn some_texts(&self, key: &str, report: &mut Report<'_>) -> Option<Vec<Text<'t>>> {
        if self.items(key, &mut Report::silent(report.files)).is_some_and(|items| items.is_empty()) {
            self.empty_list(key, report);
        }
        self.texts(key, report)
    }

    /// Reports a list in which something is needed.
    pub(super) fn empty_list(&self, key: &str, report: &mut Report<'_>) {
        let at = self.value(key).map_or_else(|| self.at.clone(), |value| self.spanned(value));
        let hint = format!("write {key} = {}", self.shape.example(key));
        report.error(&at, format!("`{key}` is empty")).label("nothing in it").hint(hint);
    }

    /// A table below this one.
    pub(super) fn table(&self, key: &str, shape: &'static Shape, report: &mut Report<'_>) -> Option<Fields<'t>> {
        let value = self.value(key)?;
        let Some(table) = value.get_ref().as_table() else {
            let label = format!("this is {}", type_in_words(value.get_ref()));
            let hint = format!("write {}", shape.title);
            report.error(&self.spanned(value), format!("`{key}` must be a table")).label(label).hint(hint);
            return None;
        };
        Some(Fields::open(shape, table, self.spanned(value), report))
    }

    /// The tables of a list, such as every `[[feed]]`.
    pub(super) fn tables(&self, key: &str, shape: &'static Shape, report: &mut Report<'_>) -> Vec<Fields<'t>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            let label = format!("this is {}", type_in_words(value.get_ref()));
            let hint = format!("write {} with two brackets, once for each", shape.title);
            report.error(&self.spanned(value), format!("`{key}` must be a list of tables")).label(label).hint(hint);
            // What is meant is plain, so the rest of it can be judged as well.
            let one = value.get_ref().as_table();
            return one.map(|table| Fields::open(shape, table, self.spanned(value), report)).into_iter().collect();
        };
        let mut tables = Vec::with_capacity(array.len().min(MOST_TABLES));
        for item in array {
            if tables.len() == MOST_TABLES {
                let message = format!("more than {MOST_TABLES} tables {}", shape.title);
                let hint = "remove what nobody follows, or run a second sigtrail with a state of its own";
                report.error(&self.spanned(item), message).label("too many").hint(hint);
                break;
            }
            if let Some(table) = item.get_ref().as_table() {
                tables.push(Fields::open(shape, table, self.spanned(item), report));
                continue;
            }
            let label = format!("this is {}", type_in_words(item.get_ref()));
            let hint = format!("write {}", shape.title);
            report.error(&self.spanned(item), format!("`{key}` must be a list of tables")).label(label).hint(hint);
        }
        tables
    }
}

/// The number, if it lies between the bounds.
pub(super) fn number_in(integer: &toml::de::DeInteger<'_>, bounds: (u32, u32)) -> Option<u32> {
    let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok()?;
    (bounds.0..=bounds.1).contains(&number).then_some(number)
}

/// A character that nobody sees, line breaks among them: it would spoil a header or keep a term from being found.
pub(super) fn unseen(text: &str) -> Option<char> {
    text.chars().find(|c| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    })
}

fn one_line<'t>(key: &str, text: Text<'t>, report: &mut Report<'_>) -> Option<Text<'t>> {
    if let Some(unseen) = unseen(text.text) {
        let message = format!("a character that nobody sees in `{key}`, U+{:04X}", u32::from(unseen));
        report.error(&text.at, message).label("must be one line of plain text").hint("remove it");
        return None;
    }
    if text.text.len() > LONGEST_LINE {
        let message = format!("`{key}` has more than {LONGEST_LINE} bytes");
        report.error(&text.at, message).label("too long").hint("shorten it");
        return None;
    }
    if text.text.trim() != text.text {
        let hint = format!("write \"{}\"", text.text.trim());
        report.error(&text.at, format!("blanks around the text of `{key}`")).label("blanks at its ends").hint(hint);
        return None;
    }
    Some(text)
}

/// A value's type as people say it.
pub(super) fn type_in_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
