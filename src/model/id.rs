//! The identifiers: slugs that people write in the configuration and numbers that the store gives.
//! No lookups and no storage here.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! slug_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is; the configuration's check has judged it before.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The identifier as people write it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    )+};
}

macro_rules! number_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

slug_id! {
    /// A feed, as `feeds.toml` names it.
    FeedId,
    /// A special interest group, as `feeds.toml` names it.
    GroupId,
    /// A named owner, as `config/owners.toml` names one.
    OwnerId,
    /// A component of the company's stack.
    ComponentId,
    /// A topic that somebody follows.
    TopicId,
}

number_id! {
    /// A feed in the store: stays the same when the feed is renamed.
    FeedNo,
    /// An entry in the store.
    EntryNo,
    /// A story in the store.
    StoryNo,
    /// An assignment (story x owner) in the store.
    AssignmentNo,
    /// A flood of a feed in the store: what one decision is about.
    FloodNo,
    /// A digest in the store.
    DigestNo,
    /// A delivery (one attempt-history of a digest) in the store.
    DeliveryNo,
    /// An acknowledgement in the store.
    AcknowledgementNo,
    /// A loaded configuration: 1 for the first that this state has seen.
    ConfigVersion,
}

/// The identifier that a name gets by default: lower-case ASCII letters and digits, runs of anything else
/// become one `-`, none at the ends. Empty when the name has no letter or digit of ASCII.
pub fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn a_name_becomes_a_slug() {
        assert_eq!(slug("CISA advisories"), "cisa-advisories");
        assert_eq!(slug("  arXiv: cs.CR + cs.LG "), "arxiv-cs-cr-cs-lg");
        assert_eq!(slug("--"), "");
    }
}
