//! Compose: makes the bytes of a digest mail from what it says. Pure: the same content gives the same bytes.
//! What a digest says in words is in `said`, `story` and `action`, which feed links become links in `links`; `plain`,
//! `html` and `subject` are the three places where it is read, `message` puts them into one mail, and `parts` decides how
//! many mails it takes. Nothing here decides who gets what.

mod action;
mod encode;
pub(crate) mod held;
mod html;
pub(crate) mod links;
mod message;
mod parts;
mod plain;
mod portion;
pub(crate) mod said;
mod seen;
mod story;
mod subject;
pub(crate) mod words;

use std::collections::HashSet;

pub use self::{
    parts::{Envelopes, Part, parts},
    portion::{Holds, Identity},
};
use crate::model::{
    digest::{Composed, DigestContent, DigestStory},
    stack::TagKind,
};

/// The most bytes of the HTML part as it is encoded in the mail; Gmail cuts what is longer than about 102 KB.
pub const MAX_HTML: usize = 90 * 1024;

/// Why a digest cannot be composed. None of these can come from a feed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// An address of the configuration is none.
    #[error("`{0}` is not an e-mail address")]
    Address(String),
    /// The template did not render.
    #[error("the digest's template: {0}")]
    Template(#[from] askama::Error),
    /// The message could not be built.
    #[error("the digest's message: {0}")]
    Message(String),
}

/// Composes a digest as one mail, whatever its size: one `multipart/alternative` message (RFC 2046 section 5.1.4) with a
/// complete text part and an HTML part, in 7-bit lines that end in CR LF.
pub fn compose(content: &DigestContent) -> Result<Composed, ComposeError> {
    let judge = links::Judge::new(&content.answer_all_url);
    let made = parts::make(content, &portion::Portion::whole(content), &judge, &HashSet::new())?;
    Ok(made.composed)
}

/// A group of stories in a digest, in the order of the groups; the stories of a group keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Urgent,
    Components,
    Topics,
    Others,
}

impl Section {
    const ALL: [Section; 4] = [Section::Urgent, Section::Components, Section::Topics, Section::Others];

    fn of(story: &DigestStory) -> Section {
        if story.urgent {
            return Section::Urgent;
        }
        match story.tags.first().map(|(_, tag)| tag.kind) {
            Some(TagKind::Component) => Section::Components,
            Some(TagKind::Topic) => Section::Topics,
            None => Section::Others,
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Section::Urgent => "Urgent",
            Section::Components => "Your components",
            Section::Topics => "Your topics",
            Section::Others => "Also routed to you",
        }
    }
}
