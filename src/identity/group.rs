//! The items of a document that share one id: which of them are known entries, and under which key each is kept. The
//! rules are those of `identity`.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Found, Identified, Item, Key, Known, renamed};

/// The items of a document that share one plain key.
pub(super) struct Group<'e> {
    items: Vec<Item<'e>>,
    is_alone: bool,
    links: HashMap<Option<String>, usize>,
    titles: HashMap<Option<String>, usize>,
    known: HashMap<Key, Known>,
    claimed: HashSet<Key>,
    done: Vec<(usize, Identified)>,
}

impl<'e> Group<'e> {
    pub(super) fn new(mut items: Vec<Item<'e>>) -> Group<'e> {
        // An order of their own, so that the document's order decides nothing.
        items.sort_by_key(Item::by_content);
        let mut links = HashMap::new();
        let mut titles = HashMap::new();
        for item in &items {
            *links.entry(item.link.clone()).or_default() += 1;
            *titles.entry(item.title.clone()).or_default() += 1;
        }
        let is_alone = items.len() == 1;
        Group { items, is_alone, links, titles, known: HashMap::new(), claimed: HashSet::new(), done: Vec::new() }
    }

    pub(super) fn identify<E>(
        mut self,
        known: &mut dyn FnMut(&Key) -> Result<Option<Known>, E>,
    ) -> Result<Vec<(usize, Identified)>, E> {
        self.look_up(known)?;
        self.claim(|_, item, known| item.content == known.content);
        self.claim(|_, item, known| item.has_title_of(known) && item.has_link_of(known));
        self.claim(|group, item, known| {
            (item.has_link_of(known) && group.has_own_link(item))
                || (item.has_title_of(known) && group.has_own_title(item))
        });
        if self.is_alone {
            self.claim(|_, item, known| item.has_title_of(known) || item.has_link_of(known) || item.has_rest_of(known));
        }
        self.name_the_new();
        Ok(self.done)
    }

    /// Asks for every key that may decide. An extended key is given only where the plain one is taken, so an unknown
    /// plain key, and an item that is alone under its id and plainly the same, need one question.
    fn look_up<E>(&mut self, known: &mut dyn FnMut(&Key) -> Result<Option<Known>, E>) -> Result<(), E> {
        let Some(plain) = self.items.first().map(|item| item.plain) else { return Ok(()) };
        let Some(found) = known(&plain)? else { return Ok(()) };
        let is_settled = matches!(self.items.as_slice(), [only] if only.content == found.content
            || (only.has_title_of(&found) && only.has_link_of(&found)));
        self.known.insert(plain, found);
        if is_settled {
            return Ok(());
        }
        for key in self.items.iter().flat_map(Item::extended_keys).collect::<BTreeSet<Key>>() {
            if let Some(found) = known(&key)? {
                self.known.insert(key, found);
            }
        }
        Ok(())
    }

    fn has_own_link(&self, item: &Item<'_>) -> bool {
        item.link.is_some() && self.links.get(&item.link) == Some(&1)
    }

    fn has_own_title(&self, item: &Item<'_>) -> bool {
        item.title.is_some() && self.titles.get(&item.title) == Some(&1)
    }

    /// Gives every item the first of its free known keys for which `is_same` holds.
    fn claim(&mut self, is_same: impl Fn(&Group<'e>, &Item<'e>, &Known) -> bool) {
        for item in std::mem::take(&mut self.items) {
            let claim = item.extended_keys().chain([item.plain]).find_map(|key| {
                let known = self.known.get(&key).filter(|_| !self.claimed.contains(&key))?;
                is_same(self, &item, known).then(|| (key, known.clone()))
            });
            match claim {
                Some((key, known)) => self.settle(&item, key, Some(&known)),
                None => self.items.push(item),
            }
        }
    }

    /// Gives the items that are left keys of their own.
    fn name_the_new(&mut self) {
        for item in std::mem::take(&mut self.items) {
            let by_link = item.by_link().filter(|_| self.has_own_link(&item));
            let by_title = item.by_title().filter(|_| self.has_own_title(&item));
            let key = [Some(item.plain), by_link, by_title]
                .into_iter()
                .flatten()
                .find(|key| !self.claimed.contains(key) && !self.known.contains_key(key))
                .unwrap_or_else(|| item.by_content());
            self.settle(&item, key, None);
        }
    }

    /// Decides what an item is, under this key.
    fn settle(&mut self, item: &Item<'_>, key: Key, known: Option<&Known>) {
        let found = match known {
            None => Found::New,
            Some(known) if renamed::is_unchanged(item.entry, &item.content, known) => Found::Unchanged(known.entry),
            Some(known) => Found::Changed { entry: known.entry, revision: known.revision.saturating_add(1) },
        };
        self.claimed.insert(key);
        let is_alias = known.is_some_and(|known| known.is_alias);
        self.done.push((item.index, Identified { key, found, is_alias }));
    }
}
