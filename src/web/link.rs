//! Opening the link of a mail, what is shown where there is no page behind it, and the new link that one that ended can ask for.
//! What stands behind a link is loaded elsewhere.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::tz::TimeZone;
use url::form_urlencoded;

use super::{
    Desk,
    page::{self, Instead},
    sent::{Sent, unstored},
};
use crate::{
    compose::words::moment,
    jobs::links,
    model::{id::DigestNo, settings::Config, time::Time},
    store::{Store, StoreError},
    token::{self, LinkError, Scope},
};

/// Why there is no page behind a link.
#[derive(Debug)]
pub(super) enum NoPage {
    /// It leads nowhere.
    Wrong,
    /// The link of this text ended at this moment.
    Ended(String, Time),
    /// What stands behind it cannot be shown just now.
    Unreadable,
}

impl NoPage {
    /// What is shown instead. `typed` is what was typed into a form that was sent there, of which nothing is recorded; `None`:
    /// none was sent.
    pub(super) fn show(&self, desk: &Desk, typed: Option<&str>, now: Time) -> Response {
        let root = desk.root();
        let (status, words, advice) = match self {
            NoPage::Wrong => {
                (StatusCode::NOT_FOUND, "This link is not complete. Copy all of it from the mail.".to_owned(), "")
            }
            NoPage::Ended(_, at) => (
                StatusCode::GONE,
                format!("This link ended on {}.", moment(*at, &TimeZone::UTC, "%-d %b")),
                "We can mail a new one to the same address.",
            ),
            NoPage::Unreadable => {
                let advice = if typed.is_some() { "Try again later." } else { "Nothing is lost; try again later." };
                (StatusCode::SERVICE_UNAVAILABLE, "This page cannot be shown now.".to_owned(), advice)
            }
        };
        let form = match self {
            NoPage::Ended(token, _) => {
                fresh_nonce(desk, &form_name(token), now).map(|nonce| (format!("{root}/a/{token}/anew"), nonce))
            }
            NoPage::Wrong | NoPage::Unreadable => None,
        };
        let form = form.as_ref().map(|(path, nonce)| (path.as_str(), nonce.as_str()));
        page::instead(status, &Instead { root: &root, words: &words, advice, form, typed })
    }
}

/// What a link speaks for.
pub(super) fn open(desk: &Desk, token: &str, now: Time) -> Result<Scope, NoPage> {
    token::open(&desk.key, token, now).map_err(|error| match error {
        LinkError::Incomplete => NoPage::Wrong,
        LinkError::Expired(scope) => NoPage::Ended(token.to_owned(), scope.expires),
    })
}

/// What stands behind a link that was opened; nothing: it leads nowhere.
pub(super) async fn behind<T: Send + 'static>(
    desk: &Desk,
    load: impl FnOnce(&Store, &Config) -> Result<Option<T>, StoreError> + Send + 'static,
) -> Result<T, NoPage> {
    match desk.in_store(load).await {
        Ok(found) => found.ok_or(NoPage::Wrong),
        Err(error) => Err(unreadable(&error)),
    }
}

/// What could not be read.
pub(super) fn unreadable(error: &StoreError) -> NoPage {
    tracing::error!(target: "acknowledge", %error, "an answer page could not be read");
    NoPage::Unreadable
}

/// A page behind the link of a whole digest beside those of its stories.
#[derive(Debug)]
pub(super) struct Beside<T> {
    token: String,
    /// What the address has after the link.
    tail: String,
    /// The path that every address of ours begins with.
    pub root: String,
    /// What it shows.
    pub page: T,
}

impl<T: Send + 'static> Beside<T> {
    /// Opens the link and loads the page. Only the link of a whole digest speaks for its owner beyond one story.
    pub(super) async fn load(
        desk: &Desk,
        (token, tail): (String, String),
        now: Time,
        load: impl FnOnce(&Store, &Config, DigestNo) -> Result<Option<T>, StoreError> + Send + 'static,
    ) -> Result<Beside<T>, NoPage> {
        let scope = open(desk, &token, now)?;
        if scope.story.is_some() {
            return Err(NoPage::Wrong);
        }
        let page = behind(desk, move |store, config| load(store, config, scope.digest)).await?;
        Ok(Beside { token, tail, root: desk.root(), page })
    }
}

impl<T> Beside<T> {
    /// Where the page is, and where its form goes.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.digest_path(), self.tail)
    }

    /// The page of the whole digest.
    pub(super) fn digest_path(&self) -> String {
        format!("{}/a/{}", self.root, self.token)
    }

    /// A nonce for its form that serves nowhere else; `None`: the system gives no random bytes.
    pub(super) fn fresh_nonce(&self, desk: &Desk, now: Time) -> Option<String> {
        fresh_nonce(desk, &self.form_name(), now)
    }

    /// Whether a nonce is of its form, and not too old.
    pub(super) fn is_fresh(&self, desk: &Desk, nonce: &str, now: Time) -> bool {
        token::nonce_is_valid(&desk.key, &self.form_name(), nonce, now)
    }

    /// Leads back to the page, which says what was done; `what` is read by [`told`].
    pub(super) fn see_other(&self, what: &str, record: u64) -> Response {
        see_other(&self.path(), what, record)
    }

    fn form_name(&self) -> String {
        format!("{}/{}", self.token, self.tail)
    }
}

/// Leads to a page after a form was taken.
pub(super) fn see_other(path: &str, what: &str, record: u64) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, format!("{path}?{what}={record}"))]).into_response()
}

/// The record that the address names as this; believed only where the store says so too.
pub(super) fn told(query: Option<&str>, what: &str) -> Option<u64> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).take(16);
    pairs.find_map(|(name, value)| (name == what).then(|| value.parse().ok()).flatten())
}

/// A nonce for a form of this name; `None`: the system gives no random bytes.
pub(super) fn fresh_nonce(desk: &Desk, name: &str, now: Time) -> Option<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    Some(token::nonce(&desk.key, name, now, random))
}

/// What the nonce of the form that asks for a new link is made for.
fn form_name(token: &str) -> String {
    format!("{token}/anew")
}

/// Asks for new links to what is still open behind a link that ended. The answer is the same whatever is open, and whether
/// or not they were asked for before.
pub(super) async fn anew(State(desk): State<Desk>, token: Result<Path<String>, PathRejection>, sent: Sent) -> Response {
    let now = desk.clock.now();
    let nothing_typed = Some("");
    let Ok(Path(token)) = token else { return NoPage::Wrong.show(&desk, nothing_typed, now) };
    let Err(LinkError::Expired(scope)) = token::open(&desk.key, &token, now) else {
        return NoPage::Wrong.show(&desk, nothing_typed, now);
    };
    let nonce = form_urlencoded::parse(sent.fields()).take(8).find(|(name, _)| name == "nonce").map(|(_, nonce)| nonce);
    let is_fresh = nonce.is_some_and(|nonce| token::nonce_is_valid(&desk.key, &form_name(&token), &nonce, now));
    if sent.objection(is_fresh).is_some() {
        return NoPage::Ended(token, scope.expires).show(&desk, nothing_typed, now);
    }
    match desk.in_store(move |store, config| links::ask(store, config, scope.digest, now)).await {
        Ok(()) => {
            let words = "If a story is still open, a mail with new links is on its way.";
            page::notice(
                StatusCode::OK,
                &desk.root(),
                words,
                "It goes to whoever the first mail was for, once a day at most.",
            )
        }
        Err(error) => {
            tracing::error!(target: "acknowledge", %error, "new links were not asked for");
            let words = unstored(&error, "Try again later.");
            page::notice(StatusCode::SERVICE_UNAVAILABLE, &desk.root(), &words, "")
        }
    }
}
