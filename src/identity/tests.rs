//! One feed over many polls: what each item is, whatever its publisher does to ids, links and dates.

use std::{cell::Cell, collections::HashMap, convert::Infallible};

use super::*;

/// A store of one feed: what an integration would commit after every poll.
#[derive(Default)]
struct Shelf {
    rows: HashMap<Key, Known>,
    aliases: HashMap<EntryNo, Key>,
    asked: Cell<usize>,
}

impl Shelf {
    fn known(&self, key: &Key) -> Option<Known> {
        self.asked.set(self.asked.get() + 1);
        let alias = || self.aliases.iter().find(|(_, alias)| *alias == key).map(|(entry, _)| *entry);
        self.rows.get(key).cloned().or_else(|| {
            let entry = alias()?;
            let known = self.rows.values().find(|known| known.entry == entry)?;
            Some(Known { is_alias: true, ..known.clone() })
        })
    }

    fn recent(&self, limit: usize) -> Vec<Known> {
        let mut newest: Vec<Known> = self.rows.values().cloned().collect();
        newest.sort_by_key(|known| Reverse(known.entry));
        newest.truncate(limit);
        newest
    }

    fn poll(&mut self, entries: &[Entry]) -> Vec<Option<Identified>> {
        let fingerprints: Vec<_> = entries.iter().map(fingerprint).collect();
        let recent = |limit: usize| Ok(self.recent(limit));
        let recent: &dyn Fn(usize) -> Result<Vec<Known>, Infallible> = &recent;
        let shelves = Shelves { known: &|key| Ok(self.known(key)), recent: (!self.rows.is_empty()).then_some(recent) };
        let fates = identify::<Infallible>(entries.iter().zip(&fingerprints), &shelves).unwrap();
        for (entry, fate) in entries.iter().zip(&fates) {
            let Some(fate) = fate else { continue };
            let (no, revision) = match fate.found {
                Found::New => (EntryNo(i64::try_from(self.rows.len()).unwrap() + 1), 1),
                Found::Unchanged(no) => {
                    if fate.is_alias {
                        self.aliases.insert(no, fate.key);
                    }
                    continue;
                }
                Found::Changed { entry, revision } => {
                    if fate.is_alias {
                        self.aliases.insert(entry, fate.key);
                    }
                    (entry, revision)
                }
            };
            let (title, link, content) = (entry.title.clone(), entry.link.clone(), fingerprint(entry).content);
            // A first version has no older key; looking for one would make large documents slow.
            let of_entry = || self.rows.iter().find(|(_, known)| known.entry == no).map(|(key, _)| *key);
            let old = if revision > 1 { of_entry() } else { None };
            let guid = entry.guid.clone();
            let known = Known { entry: no, revision, content, guid, title, link, traces: None, is_alias: false };
            self.rows.insert(old.unwrap_or(fate.key), known);
        }
        fates
    }

    /// The entry numbers, revisions and newness of a poll, short enough to compare.
    fn words(&mut self, entries: &[Entry]) -> Vec<String> {
        let fates = self.poll(entries);
        fates
            .into_iter()
            .map(|fate| match fate {
                None => "copy".to_owned(),
                Some(Identified { key, found: Found::New, .. }) => format!("new {}", self.rows[&key].entry),
                Some(Identified { found: Found::Unchanged(no), .. }) => format!("same {no}"),
                Some(Identified { found: Found::Changed { entry, revision }, .. }) => {
                    format!("{entry} r{revision}")
                }
            })
            .collect()
    }
}

fn entry(guid: &str, link: &str, title: &str, summary: &str) -> Entry {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Entry { guid: some(guid), link: some(link), title: some(title), summary: some(summary), ..Entry::default() }
}

const PAGE: &str = "https://example.com/advisories/1";

#[test]
fn seen_and_the_same_is_nothing_and_changed_is_a_revision() {
    let mut shelf = Shelf::default();
    assert_eq!(shelf.words(&[entry("1", PAGE, "t", "s")]), ["new 1"]);
    assert_eq!(shelf.words(&[entry("1", PAGE, "t", "s")]), ["same 1"]);
    assert_eq!(shelf.words(&[entry("1", PAGE, "t", "changed")]), ["1 r2"]);
    assert_eq!(shelf.words(&[entry("1", "https://example.com/moved", "other title", "changed")]), ["1 r3"]);
    assert_eq!(shelf.words(&[entry("1", "https://example.com/moved", "other title", "changed")]), ["same 1"]);
}

#[test]
fn words_are_the_same_however_they_are_found() {
    let hash = |text: &str| fingerprint(&Entry { summary: Some(text.into()), ..Entry::default() });
    for space in ["  ", "\t", "\n", "\u{b}", "\u{c}", "\r\n", "\u{85}", "\u{a0}", "\u{2003}"] {
        assert_eq!(hash(&format!("{space}two{space}words")), hash("two words"), "{space:?}");
        assert_eq!(hash(&format!("zwei{space}Wörter{space}")), hash("zwei Wörter"), "{space:?}");
    }
    assert_ne!(hash("two\u{1c}words"), hash("two words"));
}

#[test]
fn a_moved_date_white_space_authors_and_tracking_are_no_change() {
    let mut shelf = Shelf::default();
    let mut one = entry("1", PAGE, "Two words", "a  text");
    one.categories = vec!["b".into(), "a".into()];
    assert_eq!(shelf.words(&[one.clone()]), ["new 1"]);
    one.published = "2099-01-01T00:00:00Z".parse().ok();
    one.updated = one.published;
    one.authors = vec!["somebody".into()];
    one.title = Some("Two\n words ".into());
    one.categories.reverse();
    one.link = Some(format!("{PAGE}?utm_source=feed"));
    assert_eq!(shelf.words(&[one.clone()]), ["same 1"]);
    one.exploited = true;
    assert_eq!(shelf.words(&[one]), ["1 r2"]);
}

#[test]
fn without_an_id_the_link_decides_and_without_a_link_title_and_day() {
    let mut shelf = Shelf::default();
    assert_eq!(shelf.words(&[entry("", PAGE, "t", "s"), entry(" ", "", "t", "s")]), ["new 1", "new 2"]);
    assert_eq!(shelf.words(&[entry("", "", "t", "more"), entry("", PAGE, "t2", "s")]), ["2 r2", "1 r2"]);
    let mut dated = entry("", "", "t", "s");
    dated.published = "2099-01-01T23:59:59Z".parse().ok();
    assert_eq!(shelf.words(&[dated.clone()]), ["new 3"]);
    dated.published = "2099-01-01T01:00:00Z".parse().ok();
    assert_eq!(shelf.words(&[dated]), ["same 3"]);
    assert_eq!(shelf.words(&[entry("", "", "", "only text"), Entry::default()]), ["new 4", "new 5"]);
    assert_eq!(shelf.words(&[Entry::default(), entry("", "", "", "only text")]), ["same 5", "same 4"]);
}

#[test]
fn two_identical_items_in_one_document_are_one() {
    let mut shelf = Shelf::default();
    let twice = [entry("1", PAGE, "t", "s"), entry("1", PAGE, "t", "s")];
    assert_eq!(shelf.words(&twice), ["new 1", "copy"]);
    assert_eq!(shelf.words(&twice), ["same 1", "copy"]);
}

#[test]
fn repeated_ids_swallow_nothing_and_keep_their_identity_in_any_order() {
    let package = |name: &str| entry("GHSA-jfh8-c2jp-5v3q", PAGE, &format!("[{name}] flaw"), "text");
    let mut shelf = Shelf::default();
    let mut items = vec![package("a"), package("b"), package("c")];
    let first = shelf.words(&items);
    assert!(first.iter().all(|word| word.starts_with("new")), "{first:?}");
    items.reverse();
    let second = shelf.words(&items);
    assert!(second.iter().all(|word| word.starts_with("same")), "{second:?}");
    items.swap(0, 1);
    items.push(package("d"));
    let third = shelf.words(&items);
    assert_eq!(third.iter().filter(|word| word.starts_with("same")).count(), 3, "{third:?}");
    assert_eq!(third.last().unwrap(), "new 4");
    for item in &items {
        let alone = shelf.words(std::slice::from_ref(item));
        assert!(alone[0].starts_with("same"), "{alone:?}");
    }
}

#[test]
fn an_entry_that_gets_a_sibling_stays_itself() {
    let mut shelf = Shelf::default();
    assert_eq!(shelf.words(&[entry("1", PAGE, "[b] flaw", "s")]), ["new 1"]);
    let siblings = [entry("1", PAGE, "[a] flaw", "s"), entry("1", PAGE, "[b] flaw", "s")];
    assert_eq!(shelf.words(&siblings), ["new 2", "same 1"]);
    let edited = [entry("1", PAGE, "[b] flaw", "fixed"), entry("1", PAGE, "[a] flaw", "s")];
    assert_eq!(shelf.words(&edited), ["1 r2", "same 2"]);
    assert_eq!(shelf.words(&siblings[..1]), ["same 2"]);
}

#[test]
fn siblings_that_differ_in_their_text_only_are_two_entries() {
    let mut shelf = Shelf::default();
    let ranges = [entry("1", PAGE, "flaw", "before 2.1"), entry("1", PAGE, "flaw", "before 3.4")];
    let first = shelf.words(&ranges);
    assert!(first.contains(&"new 1".to_owned()) && first.contains(&"new 2".to_owned()), "{first:?}");
    assert!(shelf.words(&ranges).iter().all(|word| word.starts_with("same")));
}

#[test]
fn one_id_for_all_items_is_survived() {
    let mut shelf = Shelf::default();
    let items: Vec<Entry> =
        (0..50).map(|n| entry("feed", &format!("{PAGE}/{n}"), &format!("title {n}"), "s")).collect();
    assert!(shelf.words(&items).iter().all(|word| word.starts_with("new")));
    assert_eq!(shelf.rows.len(), 50);
    assert!(shelf.words(&items).iter().all(|word| word.starts_with("same")));
    let edited: Vec<Entry> = items.iter().cloned().map(|one| Entry { title: Some("t".into()), ..one }).collect();
    assert!(shelf.words(&edited).iter().all(|word| word.ends_with("r2")));
}

#[test]
fn links_that_differ_in_their_fragment_are_two() {
    let mut shelf = Shelf::default();
    let page = [entry("", &format!("{PAGE}#one"), "one", "s"), entry("", &format!("{PAGE}#two"), "two", "s")];
    assert_eq!(shelf.words(&page), ["new 1", "new 2"]);
}

#[test]
fn an_unseen_or_unchanged_item_costs_one_question() {
    let mut shelf = Shelf::default();
    let items: Vec<Entry> = (0..10).map(|n| entry(&n.to_string(), PAGE, "t", "s")).collect();
    shelf.poll(&items);
    shelf.poll(&items);
    assert_eq!(shelf.asked.get(), 20);
}

#[test]
fn twenty_thousand_items_under_one_id_are_told_apart_in_time() {
    let mut shelf = Shelf::default();
    let items: Vec<Entry> = (0..20_000).map(|n| entry("1", PAGE, &format!("title {n}"), "s")).collect();
    shelf.poll(&items);
    let again = shelf.words(&items);
    assert!(again.iter().all(|word| word.starts_with("same")));
}

fn numbered(n: usize, id: &str, text: &str) -> Entry {
    entry(&format!("{id}{n}"), &format!("{PAGE}/{n}"), &format!("title {n}"), text)
}

/// The fates of a poll, counted: new, revised, the same.
fn counted(shelf: &mut Shelf, entries: &[Entry]) -> (usize, usize, usize) {
    let words = shelf.words(entries);
    let new = words.iter().filter(|word| word.starts_with("new")).count();
    let same = words.iter().filter(|word| word.starts_with("same")).count();
    (new, words.len() - new - same, same)
}

#[test]
fn h_41_ids_that_change_at_every_poll_make_no_new_entries() {
    let whole = |poll: usize, n: usize| numbered(n, &format!("{poll}-"), "s");
    let bare = |poll: usize, n: usize| entry(&format!("{poll}-{n}"), "", &format!("title {n}"), "");
    let session = |poll: usize, n: usize| {
        entry("", &format!("https://cert.example/show?id={n}&s={poll}"), &format!("t {n}"), "s")
    };
    let alike = |poll: usize, n: usize| entry(&format!("{poll}-{n}"), "https://cert.example/", "Bulletin", "");
    for make in [whole as fn(usize, usize) -> Entry, bare, session, alike] {
        let mut shelf = Shelf::default();
        for poll in 0..20 {
            let document: Vec<Entry> = (0..30).map(|n| make(poll, n)).collect();
            shelf.words(&document);
            assert_eq!(shelf.rows.len(), 30, "after poll {poll}");
        }
        assert!(shelf.aliases.len() <= 30, "one alias an entry at the most");
        assert!(
            shelf.rows.values().all(|known| known.revision <= 3),
            "a link that changes all the time is no revision"
        );
    }
}

#[test]
fn h_41_a_feed_that_got_other_ids_once_is_known_by_them_from_then_on() {
    let mut shelf = Shelf::default();
    let feed = |id: &str, text: &str| (0..20).map(|n| numbered(n, id, text)).collect::<Vec<_>>();
    assert_eq!(counted(&mut shelf, &feed("http://a/", "s")), (20, 0, 0));
    assert_eq!(counted(&mut shelf, &feed("https://b/", "s")), (0, 0, 20));
    let asked = shelf.asked.get();
    assert_eq!(counted(&mut shelf, &feed("https://b/", "s")), (0, 0, 20));
    assert_eq!(shelf.asked.get() - asked, 20, "one question each");
    assert_eq!(counted(&mut shelf, &feed("https://b/", "edited")), (0, 20, 0));
    assert_eq!(counted(&mut shelf, &feed("http://a/", "edited")), (0, 0, 20), "the old ids are theirs for ever");
}

#[test]
fn h_41_a_site_that_moved_is_known_by_what_it_says() {
    let mut shelf = Shelf::default();
    let at = |site: &str, n: usize| {
        let link = format!("https://{site}/{n}");
        entry(&link, &link, &format!("title {n}"), &format!("Text of number {n}."))
    };
    let old: Vec<Entry> = (0..10).map(|n| at("old.example/news", n)).collect();
    let moved: Vec<Entry> = (0..12).map(|n| at("new.example/blog", n)).collect();
    assert_eq!(counted(&mut shelf, &old), (10, 0, 0));
    assert_eq!(counted(&mut shelf, &moved), (2, 10, 0), "the links are other ones, and two are new");
    assert_eq!(counted(&mut shelf, &moved), (0, 0, 12));
}

#[test]
fn a_new_entry_that_reuses_a_title_is_new() {
    let mut shelf = Shelf::default();
    let week = |n: usize, link: &str, text: &str| entry(&format!("week-{n}"), link, "Weekly summary", text);
    let own =
        |n: usize| week(n, &format!("{PAGE}/week/{n}"), "The weekly summary of all advisories, read it on our site.");
    assert_eq!(shelf.words(&[own(1)]), ["new 1"]);
    assert_eq!(shelf.words(&[own(2)]), ["new 2"], "a page of its own");
    assert_eq!(shelf.words(&[own(3), own(2)]), ["new 3", "same 2"]);
    let mut shelf = Shelf::default();
    let landing = |n: usize| week(n, "https://cert.example/", &format!("Number {n}."));
    assert_eq!(shelf.words(&[landing(1)]), ["new 1"]);
    assert_eq!(shelf.words(&[landing(2)]), ["new 2"], "a front page says nothing");
    let mut shelf = Shelf::default();
    let bare = |n: usize| entry(&format!("build-{n}"), "", "Build failed", "");
    assert_eq!(shelf.words(&[bare(1)]), ["new 1"]);
    assert_eq!(shelf.words(&[bare(2)]), ["new 2"], "a phrase tells nothing apart");
    assert_eq!(shelf.words(&[bare(3), bare(2)]), ["new 3", "same 2"]);
}

#[test]
fn a_new_id_beside_the_old_one_is_another_entry() {
    let mut shelf = Shelf::default();
    let one = |id: &str| entry(id, PAGE, "flaw", "the same text");
    assert_eq!(shelf.words(&[one("a")]), ["new 1"]);
    assert_eq!(shelf.words(&[one("a"), one("b")]), ["same 1", "new 2"]);
    assert_eq!(shelf.words(&[one("b")]), ["same 2"]);
    // First in the place of the old one, then beside it.
    let mut shelf = Shelf::default();
    shelf.poll(&[one("a")]);
    assert_eq!(shelf.words(&[one("b")]), ["same 1"]);
    assert_eq!(shelf.words(&[one("b"), one("a")]), ["new 2", "same 1"]);
    assert_eq!(shelf.words(&[one("b"), one("a")]), ["same 2", "same 1"]);
}

#[test]
fn an_id_that_changes_with_every_edit_makes_revisions() {
    let mut shelf = Shelf::default();
    let others = [numbered(1, "x", "s"), numbered(2, "x", "s")];
    let edit = |id: &str, title: &str, text: &str| {
        let mut document = others.to_vec();
        document.push(entry(id, PAGE, title, text));
        document
    };
    shelf.poll(&edit("flaw#1", "flaw", "first"));
    assert_eq!(shelf.words(&edit("flaw#2", "flaw", "second")).last().unwrap(), "3 r2");
    assert_eq!(shelf.words(&edit("flaw#3", "flaw", "third")).last().unwrap(), "3 r3");
    assert_eq!(shelf.words(&edit("flaw#4", "another flaw", "third")).last().unwrap(), "new 4", "no title, no rule");
}

#[test]
fn siblings_are_not_merged_when_their_id_changes() {
    let mut shelf = Shelf::default();
    let package = |id: &str, name: &str| entry(id, PAGE, &format!("[{name}] flaw"), "text");
    let all = |id: &str| ["a", "b", "c"].map(|name| package(id, name));
    assert_eq!(counted(&mut shelf, &all("GHSA-1")), (3, 0, 0));
    assert_eq!(counted(&mut shelf, &all("GHSA-1 again")), (0, 0, 3));
    assert_eq!(counted(&mut shelf, &all("GHSA-1 again")), (0, 0, 3));
    assert_eq!(shelf.words(&[package("GHSA-2", "d")]), ["new 4"]);
}

#[test]
fn entries_that_leave_and_return_are_the_same() {
    let mut shelf = Shelf::default();
    let all: Vec<Entry> = (0..6).map(|n| numbered(n, "id", "s")).collect();
    shelf.poll(&all);
    assert_eq!(counted(&mut shelf, &all[..3]), (0, 0, 3));
    assert_eq!(counted(&mut shelf, &all), (0, 0, 6));
    let back: Vec<Entry> = (0..6).map(|n| numbered(n, "other", "s")).collect();
    assert_eq!(counted(&mut shelf, &back[3..]), (0, 0, 3), "also under other ids");
}

#[test]
fn a_replaced_paper_of_arxiv_is_a_revision_in_every_form() {
    let mut shelf = Shelf::default();
    let paper = |id: &str, text: &str| entry(id, "https://arxiv.org/abs/2601.01234", "On flaws", text);
    assert_eq!(shelf.words(&[paper("oai:arXiv.org:2601.01234v1", "new")]), ["new 1"]);
    assert_eq!(shelf.words(&[paper("oai:arXiv.org:2601.01234v2", "replace")]), ["1 r2"]);
    let api = entry("http://arxiv.org/abs/2601.01234v3", "http://arxiv.org/abs/2601.01234v3", "On flaws", "replace");
    assert_eq!(shelf.words(std::slice::from_ref(&api)), ["1 r3"], "the link says which version it is");
    assert_eq!(shelf.words(std::slice::from_ref(&api)), ["same 1"]);
    let old = entry("http://arxiv.org/abs/2601.01234v2", "http://arxiv.org/abs/2601.01234v2", "On flaws", "replace");
    assert_eq!(shelf.words(&[old.clone(), api]), ["copy", "same 1"], "the newest version stands for it");
    assert_eq!(shelf.words(&[old]), ["same 1"], "an older version is no replacement");
    assert_eq!(shelf.words(&[paper("oai:arXiv.org:2601.01234v1", "new")]), ["same 1"]);
    assert_eq!(shelf.words(&[paper("oai:arXiv.org:2601.01234v4", "replace")]), ["1 r4"]);
    assert_eq!(
        shelf.words(&[paper("oai:arXiv.org:2601.01234v3", "new")]),
        ["same 1"],
        "also where only the id says it"
    );
    let other = entry("oai:arXiv.org:2601.01235v1", "https://arxiv.org/abs/2601.01235", "On flaws", "new");
    assert_eq!(shelf.words(&[other]), ["new 2"]);
}

#[test]
fn twenty_thousand_items_under_new_ids_are_recognised_in_time() {
    for text in ["s", ""] {
        let mut shelf = Shelf::default();
        let feed = |id: &str| (0..20_000).map(|n| entry(&format!("{id}{n}"), "", "alike", text)).collect::<Vec<_>>();
        shelf.poll(&feed("a"));
        let again = shelf.poll(&feed("b"));
        assert!(again.iter().flatten().all(|fate| fate.found != Found::New));
    }
}

#[test]
fn ids_that_are_only_places_in_a_list_swallow_nothing() {
    let mut shelf = Shelf::default();
    let list = |from: usize| {
        let at = |place: usize| numbered(from - place, "", &format!("What happened to number {}.", from - place));
        (0..8).map(|place| Entry { guid: Some(place.to_string()), ..at(place) }).collect::<Vec<_>>()
    };
    assert_eq!(counted(&mut shelf, &list(10)), (8, 0, 0));
    assert_eq!(counted(&mut shelf, &list(11)), (1, 0, 7));
    assert_eq!(counted(&mut shelf, &list(11)), (0, 0, 8));
    assert_eq!(counted(&mut shelf, &list(14)), (3, 0, 5));
    assert_eq!(shelf.rows.len(), 12);
}

#[test]
fn a_feed_without_ids_and_links_that_is_dated_anew_is_known_by_what_it_says() {
    let mut shelf = Shelf::default();
    let dated = |day: &str| {
        let published = format!("{day}T10:00:00Z").parse().ok();
        (0..5).map(|n| Entry { published, ..entry("", "", &format!("title {n}"), "s") }).collect::<Vec<_>>()
    };
    assert_eq!(counted(&mut shelf, &dated("2099-01-01")), (5, 0, 0));
    assert_eq!(counted(&mut shelf, &dated("2099-01-02")), (0, 0, 5));
    assert_eq!(counted(&mut shelf, &dated("2099-01-03")), (0, 0, 5));
}
