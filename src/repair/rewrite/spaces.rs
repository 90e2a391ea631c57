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
    is_rss: bool,
}

impl<'a> Spaces<'a> {
    /// Takes in a tag's declarations; gives what [`Spaces::release`] wants at its end.
    pub fn bind(&mut self, tag: &Tag<'a>, notes: &mut Notes) -> usize {
        let before = self.bindings.len();
        for (prefix, uri) in declarations(tag) {
            if self.bindings.len() >= MAX_BINDINGS {
                notes.add(Repair::Namespaces, None);
            } else {
                self.bindings.push((prefix, uri, Space::of(uri)));
            }
        }
        before
    }

    /// Drops the declarations since `before`.
    pub fn release(&mut self, before: usize) {
        self.bindings.truncate(before);
    }

    /// Makes the namespace of the root the feed's own. RSS has no namespace, so there whatever has no prefix is its own too.
    pub fn own(&mut self, root: &Tag<'a>, is_rss: bool) {
        self.own = declarations(root).find_map(|(prefix, uri)| (prefix == root.prefix()).then_some(uri));
        self.is_rss = is_rss;
    }

    /// The namespace and the local name, in lower case, of a tag that stands here.
    pub fn resolve(&self, tag: &Tag<'a>, notes: &mut Notes) -> (Space, String) {
        let local = tag.local().to_ascii_lowercase();
        (self.space(tag, notes), local)
    }

    fn space(&self, tag: &Tag<'a>, notes: &mut Notes) -> Space {
        let prefix = tag.prefix();
        // A tag's own declarations count for its own name.
        let declared = declarations(tag).find_map(|(known, uri)| (known == prefix).then(|| (uri, Space::of(uri))));
        let bound = declared.or_else(|| {
            let mut inward = self.bindings.iter().rev();
            inward.find_map(|&(known, uri, space)| (known == prefix).then_some((uri, space)))
        });
        match bound {
            Some((uri, _)) if self.own == Some(uri) => Space::Own,
            Some((_, Space::Other)) if prefix.is_empty() && self.is_rss => Space::Own,
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

/// The prefixes that a tag declares, with their namespaces; the empty prefix is the default.
fn declarations<'a>(tag: &Tag<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let attributes = tag.rest.contains("xmlns").then(|| tag.attributes()).into_iter().flatten();
    attributes.filter_map(|(name, uri)| match name {
        "xmlns" => Some(("", uri)),
        _ => Some((name.strip_prefix("xmlns:")?, uri)),
    })
}
