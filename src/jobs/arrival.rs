//! Arrival: what a publisher sent, read for every verb that asks for a feed; or what came in the place of one. What is
//! made of it is the verbs' own.

use url::Url;

use crate::{
    health,
    model::{entry::Document, feed::FeedState},
    parse::ParseError,
    reader::{self, ReadError},
};

/// A document that was read. What a cut took from it is in its warnings, and it is partial.
pub(super) struct Arrival {
    /// The document, without the entries by which a converter reports its own failure.
    pub(super) document: Document,
    /// The words of such an entry.
    pub(super) converter_error: Option<String>,
}

/// Something that is no feed.
pub(super) struct Unreadable {
    /// The state that it puts the feed in.
    pub(super) state: FeedState,
    /// The cause in words.
    pub(super) cause: String,
    /// Whether it is a web page that may lead to the feed.
    pub(super) is_page: bool,
}

impl Unreadable {
    fn new(state: FeedState, cause: String) -> Self {
        Self { state, cause, is_page: false }
    }
}

/// Reads what came from this address; `cut` says what ended it before its end.
pub(super) fn read(
    bytes: Vec<u8>,
    charset: Option<String>,
    url: &Url,
    cut: Option<String>,
) -> Result<Arrival, Unreadable> {
    let head = bytes.get(..health::PAGE_HEAD).unwrap_or(&bytes).to_vec();
    let mut document = reader::read(bytes, charset, Some(url.clone())).map_err(|error| {
        if let Some(cut) = &cut {
            return Unreadable::new(FeedState::Broken, format!("{cut}; nothing of it could be read: {error}"));
        }
        unreadable(&error, &head)
    })?;
    let converter_error = health::take_converter_errors(&mut document.entries, url);
    if let Some(cause) = converter_error.as_ref().filter(|_| document.entries.is_empty()) {
        return Err(Unreadable::new(FeedState::Suspicious, cause.clone()));
    }
    document.partial |= cut.is_some();
    document.warnings.extend(cut);
    Ok(Arrival { document, converter_error })
}

/// What a document is that gave nothing. Only the parser can say that it is no feed; where reading itself failed, nobody
/// knows what it is.
fn unreadable(error: &ReadError, head: &[u8]) -> Unreadable {
    let ReadError::Parse(reason) = error else {
        return Unreadable::new(FeedState::Broken, error.to_string());
    };
    let (state, cause) = health::page(head).unwrap_or_else(|| (FeedState::NotAFeed, error.to_string()));
    let is_page = state == FeedState::NotAFeed && matches!(reason, ParseError::WebPage);
    Unreadable { state, cause, is_page }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_reading_failed_does_not_make_a_document_something_else_than_a_feed() {
        let no_thread = ReadError::NoThread(std::io::Error::other("too many"));
        for error in [ReadError::TooSlow, ReadError::Panicked, no_thread] {
            let found = unreadable(&error, b"<rss>");
            assert_eq!((found.state, found.is_page), (FeedState::Broken, false));
            assert_eq!(found.cause, error.to_string());
        }
        let found = unreadable(&ReadError::Parse(ParseError::WebPage), b"<html>");
        assert_eq!((found.state, found.is_page), (FeedState::NotAFeed, true));
    }
}
