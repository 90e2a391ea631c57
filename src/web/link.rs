//! Opening the link of a mail, what is said of one that leads nowhere, and the new link that one that ended can ask for. What
//! stands behind a link is loaded elsewhere.

use axum::{
    body::Bytes,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use url::form_urlencoded;

use super::{Desk, answer::is_foreign, page};
use crate::{
    jobs::links,
    model::time::Time,
    token::{self, LinkError, Scope},
};

/// What a link speaks for, or the page that says why it does not.
pub(super) fn open(desk: &Desk, token: &str, now: Time) -> Result<Scope, Box<Response>> {
    token::open(&desk.key, token, now).map_err(|error| {
        Box::new(match error {
            LinkError::Incomplete => wrong(desk),
            LinkError::Expired(scope) => expired(desk, token, scope.expires, now),
        })
    })
}

/// The page of a link that leads nowhere.
pub(super) fn wrong(desk: &Desk) -> Response {
    let words = "This link is not complete. Copy all of it from the mail.";
    page::notice(StatusCode::NOT_FOUND, &desk.root(), words, "")
}

/// The page of what could not be read just now.
pub(super) fn unreadable(desk: &Desk, error: &dyn std::error::Error) -> Response {
    tracing::error!(target: "acknowledge", %error, "an answer page could not be read");
    without_random(desk)
}

/// The page where there are no random bytes for a form.
pub(super) fn without_random(desk: &Desk) -> Response {
    let words = "This page cannot be shown now. Nothing is lost; try again later.";
    page::notice(StatusCode::SERVICE_UNAVAILABLE, &desk.root(), words, "")
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

fn expired(desk: &Desk, token: &str, at: Time, now: Time) -> Response {
    let Some(nonce) = fresh_nonce(desk, &form_name(token), now) else { return without_random(desk) };
    let root = desk.root();
    page::expired(&root, at, (&format!("{root}/a/{token}/anew"), &nonce))
}

/// Asks for new links to what is still open behind a link that ended. The answer is the same whatever is open, and whether
/// or not they were asked for before.
pub(super) async fn anew(
    State(desk): State<Desk>,
    token: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let now = desk.clock.now();
    let Ok(Path(token)) = token else { return wrong(&desk) };
    let Err(LinkError::Expired(scope)) = token::open(&desk.key, &token, now) else { return wrong(&desk) };
    let nonce = form_urlencoded::parse(&body).take(8).find(|(name, _)| name == "nonce").map(|(_, nonce)| nonce);
    let is_ours = nonce.is_some_and(|nonce| token::nonce_is_valid(&desk.key, &form_name(&token), &nonce, now));
    if !is_ours || is_foreign(&headers, &desk.config().web.base_url) {
        return expired(&desk, &token, scope.expires, now);
    }
    let (store, config) = (desk.store.clone(), desk.config());
    let asked = tokio::task::spawn_blocking(move || links::ask(&store, &config, scope.digest, now)).await;
    let failed = match asked {
        Ok(Ok(())) => {
            let words = "If a story is still open, a mail with new links is on its way.";
            return page::notice(
                StatusCode::OK,
                &desk.root(),
                words,
                "It goes to whoever the first mail was for, once a day at most.",
            );
        }
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::error!(target: "acknowledge", error = failed, "new links were not asked for");
    let words = "Not recorded: our storage failed. Try again later.";
    page::notice(StatusCode::SERVICE_UNAVAILABLE, &desk.root(), words, "")
}
