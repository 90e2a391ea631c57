//! The namespaces that are in force at a place of the document (Namespaces in XML 1.0).

use crate::repair::{
    dialect::Space,
    notes::{Notes, Repair},
    token::Tag,
};

/// The most declarations in force that are looked at.
const MAX_BINDINGS: usize = 256;

/// The declarations in force, innermost last.
#[derive(Default)]
pub struct Spaces<'a> {
    bindings: Vec<(&'a str, &'a str, Space)>,
    own: Option<&'a str>,
}

impl<'a> Spaces<'a> {
    /// Takes in a tag's declarations; gives what [`Spaces::release`] wants at its end.
    pub fn bind(&mut self, tag: &Tag<'a>, notes: &mut Notes) -> usize {
        let before = self.bindings.len();
        if !tag.rest.contains("xmlns") {
            return before;
        }
        for (name, uri) in tag.attributes() {
            let prefix = if name == "xmlns" { Some("") } else { name.strip_prefix("xmlns:") };
            match prefix {
                Some(_) if self.bindings.len() >= MAX_BINDINGS => notes.add(Repair::Namespaces, None),
                Some(prefix) => self.bindings.push((prefix, uri, Space::of(uri))),
                None => {}
            }
        }
        before
    }

    /// Drops the declarations since `before`.
    pub fn release(&mut self, before: usize) {
        self.bindings.truncate(before);
    }

    /// Makes the namespace of the root the feed's own.
    pub fn own(&mut self, root: &Tag<'a>) {
        self.own = self.uri(root.prefix());
    }

    fn uri(&self, prefix: &str) -> Option<&'a str> {
        self.bindings.iter().rev().find_map(|&(known, uri, _)| (known == prefix).then_some(uri))
    }

    /// The namespace and the local name, in lower case, of a tag that stands here.
    pub fn resolve(&self, tag: &Tag<'a>, notes: &mut Notes) -> (Space, String) {
        let local = tag.local().to_ascii_lowercase();
        (self.space(tag, notes), local)
    }

    fn space(&self, tag: &Tag<'a>, notes: &mut Notes) -> Space {
        let prefix = tag.prefix();
        // A declaration of the tag's own counts for its own name.
        let declared = if tag.rest.contains("xmlns") {
            let mut wanted = tag.attributes();
            wanted.find_map(|(name, uri)| {
                let known = if name == "xmlns" { "" } else { name.strip_prefix("xmlns:")? };
                (known == prefix).then_some((uri, Space::of(uri)))
            })
        } else {
            None
        };
        let bound = declared.or_else(|| {
            self.bindings.iter().rev().find_map(|&(known, uri, space)| (known == prefix).then_some((uri, space)))
        });
        match bound {
            Some((uri, _)) if self.own == Some(uri) => Space::Own,
            Some((_, space)) => space,
            None if prefix.is_empty() => Space::Own,
            None => {
                let space = Space::customary(prefix);
                if space != Space::Other {
                    notes.add(Repair::UndeclaredPrefix, None);
                }
                space
            }
        }
    }
}
