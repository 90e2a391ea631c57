//! What an editor changed between two versions of the configuration's files: which feeds, groups, owners, components and
//! topics came, went, were renamed or got other values, and which other keys changed. Files are compared key by key as
//! they are written; what the keys mean is not judged here.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use toml::{Table, Value};

use crate::model::{id::slug, settings::SourceFile};

/// How many identifiers of one kind are named in words.
const MOST_NAMED: usize = 20;
/// The lists of tables that have identifiers, by their keys, with the noun of what they declare.
const LISTS: [(&str, &str); 5] =
    [("feed", "feed"), ("group", "group"), ("owner", "owner"), ("component", "component"), ("topic", "topic")];

/// What happened to the tables of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Identifiers that are new, in file order.
    pub added: Vec<String>,
    /// Identifiers that are gone.
    pub dropped: Vec<String>,
    /// Feeds whose identifier changed while their address stayed: before and after.
    pub renamed: Vec<(String, String)>,
    /// Identifiers that stayed, with the keys whose values differ.
    pub changed: Vec<(String, Vec<String>)>,
}

impl Changes {
    /// Whether this one stayed and this key of it has another value.
    pub fn has_other(&self, id: &str, key: &str) -> bool {
        self.changed.iter().any(|(changed, keys)| changed == id && keys.iter().any(|one| one == key))
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.dropped.is_empty() && self.renamed.is_empty() && self.changed.is_empty()
    }
}

/// What differs between two versions of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// `[[feed]]`.
    pub feeds: Changes,
    /// `[[group]]`.
    pub groups: Changes,
    /// `[[owner]]`.
    pub owners: Changes,
    /// `[[component]]`.
    pub components: Changes,
    /// `[[topic]]`.
    pub topics: Changes,
    /// Other keys, with their table in front: `fallback`, `route`, `mail.host`.
    pub keys: Vec<String>,
}

impl Difference {
    /// Compares two versions; a file that is not TOML counts as empty.
    pub fn between(old: &[SourceFile], new: &[SourceFile]) -> Difference {
        let (old, new) = (joined(old), joined(new));
        let mut difference = Difference::default();
        for (key, _) in LISTS {
            let changes = tables(old.get(key), new.get(key));
            *difference.of_mut(key) = changes;
        }
        difference.feeds.take_renamed(&old, &new);
        for key in names(&old, &new) {
            if LISTS.iter().all(|(list, _)| *list != key) {
                difference.keys.extend(keys(key, old.get(key), new.get(key)));
            }
        }
        difference
    }

    /// Whether nothing but comments and layout differs.
    pub fn is_empty(&self) -> bool {
        LISTS.iter().all(|(key, _)| self.of(key).is_empty()) && self.keys.is_empty()
    }

    /// In one line: `+2 feeds (a, b); -1 feed (c); owner of 3 feeds changed (d, e, f); mail.host changed`.
    pub fn words(&self) -> String {
        let mut parts = Vec::new();
        for (key, noun) in LISTS {
            said(noun, self.of(key), &mut parts);
        }
        if !self.keys.is_empty() {
            parts.push(format!("{} changed", named(&self.keys)));
        }
        if parts.is_empty() { "only comments or layout changed".to_owned() } else { parts.join("; ") }
    }

    /// As an object: for each kind what was `added`, `dropped`, `renamed` (pairs) and `changed` (identifier to keys), and
    /// the other `keys`; what is empty is left out. Owners are people: with `people` their identifiers, else how many.
    pub fn to_json(&self, people: bool) -> Json {
        let mut all = Map::new();
        let kinds = [("feeds", "feed"), ("groups", "group"), ("components", "component"), ("topics", "topic")];
        for (name, key) in kinds.into_iter().chain(people.then_some(("owners", "owner"))) {
            let changes = self.of(key);
            if !changes.is_empty() {
                all.insert(name.to_owned(), object(changes));
            }
        }
        if !people && !self.owners.is_empty() {
            let Changes { added, dropped, changed, .. } = &self.owners;
            let counts = [("added", added.len()), ("dropped", dropped.len()), ("changed", changed.len())];
            let counts = counts.into_iter().filter(|(_, count)| *count > 0);
            all.insert("owners".to_owned(), counts.map(|(word, count)| (word.to_owned(), json!(count))).collect());
        }
        if !self.keys.is_empty() {
            all.insert("keys".to_owned(), json!(self.keys));
        }
        Json::Object(all)
    }

    fn of(&self, key: &str) -> &Changes {
        match key {
            "feed" => &self.feeds,
            "group" => &self.groups,
            "owner" => &self.owners,
            "component" => &self.components,
            _ => &self.topics,
        }
    }

    fn of_mut(&mut self, key: &str) -> &mut Changes {
        match key {
            "feed" => &mut self.feeds,
            "group" => &mut self.groups,
            "owner" => &mut self.owners,
            "component" => &mut self.components,
            _ => &mut self.topics,
        }
    }
}

/// All files as one table: no key stands at the top of two of them.
fn joined(files: &[SourceFile]) -> Table {
    let tables = files.iter().filter_map(|file| file.text.trim_start_matches('\u{feff}').parse::<Table>().ok());
    tables.flatten().collect()
}

/// The names of both tables, each once.
fn names<'t>(old: &'t Table, new: &'t Table) -> Vec<&'t str> {
    let mut names: Vec<&str> = old.keys().chain(new.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The changed keys of a table, or the key itself where it is none.
fn keys(name: &str, old: Option<&Value>, new: Option<&Value>) -> Vec<String> {
    if old == new {
        return Vec::new();
    }
    let empty = Table::new();
    let table = |value: Option<&'_ Value>| value.is_none_or(Value::is_table);
    if !(table(old) && table(new)) {
        return vec![name.to_owned()];
    }
    let part = |value: Option<&'_ Value>| value.and_then(Value::as_table).unwrap_or(&empty).clone();
    differing(&part(old), &part(new)).into_iter().map(|key| format!("{name}.{key}")).collect()
}

fn differing(old: &Table, new: &Table) -> Vec<String> {
    names(old, new).into_iter().filter(|key| old.get(*key) != new.get(*key)).map(str::to_owned).collect()
}

/// The identifier of a table: `id`, else the slug of its name.
fn id_of(table: &Table) -> Option<String> {
    let text = |key: &str| table.get(key).and_then(Value::as_str);
    text("id").map(str::to_owned).or_else(|| text("name").map(slug)).filter(|id| !id.is_empty())
}

/// The tables of a list by their identifiers, and those in file order.
fn by_id(list: Option<&Value>) -> (Vec<String>, BTreeMap<String, &Table>) {
    let tables = list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table);
    let (mut order, mut found) = (Vec::new(), BTreeMap::new());
    for table in tables {
        if let Some(id) = id_of(table) {
            order.push(id.clone());
            found.insert(id, table);
        }
    }
    (order, found)
}

fn tables(old: Option<&Value>, new: Option<&Value>) -> Changes {
    if old == new {
        return Changes::default();
    }
    let ((old_order, old), (new_order, new)) = (by_id(old), by_id(new));
    let mut changes = Changes {
        added: new_order.iter().filter(|id| !old.contains_key(*id)).cloned().collect(),
        dropped: old_order.into_iter().filter(|id| !new.contains_key(id)).collect(),
        ..Changes::default()
    };
    for id in new_order {
        let Some((before, after)) = old.get(&id).zip(new.get(&id)) else { continue };
        let mut keys = differing(before, after);
        // An identifier that is written out where it was the slug of the name is the same one.
        keys.retain(|name| name != "id");
        if !keys.is_empty() {
            changes.changed.push((id, keys));
        }
    }
    changes
}

impl Changes {
    /// Takes feeds that went and came at one address for one feed that was renamed.
    fn take_renamed(&mut self, old: &Table, new: &Table) {
        if self.added.is_empty() || self.dropped.is_empty() {
            return;
        }
        let ((_, old), (_, new)) = (by_id(old.get("feed")), by_id(new.get("feed")));
        let gone: BTreeMap<&str, &String> =
            self.dropped.iter().filter_map(|id| Some((old.get(id)?.get("url")?.as_str()?, id))).collect();
        let came = |id: &String| gone.get(new.get(id)?.get("url")?.as_str()?).map(|from| ((*from).clone(), id.clone()));
        let renamed: Vec<(String, String)> = self.added.iter().filter_map(came).collect();
        self.added.retain(|id| renamed.iter().all(|(_, to)| to != id));
        self.dropped.retain(|id| renamed.iter().all(|(from, _)| from != id));
        self.renamed = renamed;
    }
}

fn object(changes: &Changes) -> Json {
    let mut object = Map::new();
    for (word, ids) in [("added", &changes.added), ("dropped", &changes.dropped)] {
        if !ids.is_empty() {
            object.insert(word.to_owned(), json!(ids));
        }
    }
    if !changes.renamed.is_empty() {
        object.insert("renamed".to_owned(), json!(changes.renamed));
    }
    if !changes.changed.is_empty() {
        let changed: Map<String, Json> = changes.changed.iter().map(|(id, keys)| (id.clone(), json!(keys))).collect();
        object.insert("changed".to_owned(), Json::Object(changed));
    }
    Json::Object(object)
}

fn said(noun: &str, changes: &Changes, parts: &mut Vec<String>) {
    for (sign, ids) in [("+", &changes.added), ("-", &changes.dropped)] {
        if !ids.is_empty() {
            parts.push(format!("{sign}{} ({})", counted(ids.len(), noun), named(ids)));
        }
    }
    let renamed = changes.renamed.iter().take(MOST_NAMED);
    parts.extend(renamed.map(|(from, to)| format!("{noun} {from} renamed to {to}")));
    if let Some(more) = changes.renamed.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        parts.push(format!("{} more renamed", counted(more, noun)));
    }
    let mut by_key: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (id, keys) in &changes.changed {
        for key in keys {
            by_key.entry(key).or_default().push(id.clone());
        }
    }
    for (key, ids) in by_key {
        parts.push(format!("{key} of {} changed ({})", counted(ids.len(), noun), named(&ids)));
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn named(ids: &[String]) -> String {
    let shown = ids.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = ids.len().saturating_sub(MOST_NAMED);
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(feeds: &str, owners: &str, stack: &str, settings: &str) -> Vec<SourceFile> {
        let names = ["feeds.toml", "config/owners.toml", "config/stack.toml", "config/sigtrail.toml"];
        let texts = [feeds, owners, stack, settings];
        names.iter().zip(texts).map(|(name, text)| SourceFile { name: (*name).into(), text: text.into() }).collect()
    }

    fn feed(name: &str, url: &str, more: &str) -> String {
        format!("[[feed]]\nname = \"{name}\"\nurl = \"{url}\"\nowner = \"maria\"\n{more}\n")
    }

    fn old() -> Vec<SourceFile> {
        let feeds = feed("Tarn", "https://tarn.example/", "") + &feed("Marrow", "https://marrow.example/", "");
        files(
            &feeds,
            "fallback = \"maria\"\n[[owner]]\nid = \"maria\"\naddress = \"maria@example.com\"\n",
            "[[component]]\nid = \"quillgate\"\nterms = [\"quillgate\"]\n[[route]]\nto = [\"maria\"]\n",
            "state = \"var\"\n[mail]\nhost = \"a\"\nport = 25\n",
        )
    }

    #[test]
    fn what_was_added_dropped_changed_and_set_is_said_in_one_line() {
        let feeds = feed("Tarn", "https://tarn.example/", "every = \"2h\"").replace("maria", "jon")
            + &feed("Peat", "https://peat.example/", "")
            + &feed("Fen", "https://fen.example/", "");
        let new = files(
            &feeds,
            "fallback = \"jon\"\n[[owner]]\nid = \"maria\"\naddress = \"m@example.com\"\n[[owner]]\nid = \"jon\"\n",
            "[[component]]\nid = \"quillgate\"\nterms = [\"quillgate\", \"qg\"]\n[[component]]\nid = \"fennel\"\n",
            "# a comment\nstate = \"other\"\n[mail]\nhost = \"b\"\nport = 25\n[web]\nlisten = \"127.0.0.1:1\"\n",
        );
        let difference = Difference::between(&old(), &new);
        assert_eq!(
            difference.words(),
            "+2 feeds (peat, fen); -1 feed (marrow); every of 1 feed changed (tarn); owner of 1 feed changed (tarn); \
             +1 owner (jon); address of 1 owner changed (maria); +1 component (fennel); \
             terms of 1 component changed (quillgate); fallback, mail.host, route, state, web.listen changed"
        );
        let open = difference.to_json(false);
        assert_eq!(open["feeds"]["changed"]["tarn"], json!(["every", "owner"]));
        assert_eq!(open["owners"], json!({"added": 1, "changed": 1}));
        assert!(!open.to_string().contains("jon"), "people are counted: {open}");
        assert_eq!(difference.to_json(true)["owners"]["added"], json!(["jon"]));
    }

    #[test]
    fn comments_layout_order_and_an_identifier_that_is_written_out_are_no_change() {
        let feeds = "# ours\n".to_owned()
            + &feed("Marrow", "https://marrow.example/", "")
            + &feed("Tarn", "https://tarn.example/", "id = \"tarn\"");
        let mut new = old();
        new[0].text = format!("\u{feff}{}", feeds.replace('\n', "\r\n"));
        let difference = Difference::between(&old(), &new);
        assert!(difference.is_empty(), "{difference:?}");
        assert_eq!(difference.words(), "only comments or layout changed");
        assert_eq!(difference.to_json(false), json!({}));
    }

    #[test]
    fn a_feed_that_goes_and_comes_at_one_address_is_renamed() {
        let mut new = old();
        new[0].text = new[0].text.replace("name = \"Tarn\"", "name = \"Tarn CERT\"");
        let difference = Difference::between(&old(), &new);
        assert_eq!(difference.words(), "feed tarn renamed to tarn-cert");
        assert_eq!(difference.to_json(false), json!({"feeds": {"renamed": [["tarn", "tarn-cert"]]}}));
    }

    #[test]
    fn a_long_list_is_counted_to_its_end() {
        let feeds: String = (0..25).map(|n| feed(&format!("f{n}"), &format!("https://f{n}.example/"), "")).collect();
        let words = Difference::between(&files("", "", "", ""), &files(&feeds, "", "", "")).words();
        assert!(words.starts_with("+25 feeds (f0, f1, ") && words.ends_with("f19 and 5 more)"), "{words}");
    }

    #[test]
    fn what_is_no_toml_counts_as_empty() {
        let words = Difference::between(&files("[[", "", "", ""), &old()).words();
        assert!(words.starts_with("+2 feeds (tarn, marrow)"), "{words}");
    }
}
