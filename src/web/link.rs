//! Opening the link of a mail, and what is said of one that leads nowhere. What stands behind it is loaded elsewhere.

use axum::{http::StatusCode, response::Response};

use super::{Desk, page};
use crate::{
    model::time::Time,
    token::{self, LinkError, Scope},
};

/// What a link speaks for, or the page that says why it does not.
pub(super) fn open(desk: &Desk, token: &str, now: Time) -> Result<Scope, Box<Response>> {
    token::open(&desk.key, token, now).map_err(|error| match error {
        LinkError::Incomplete => Box::new(wrong(desk)),
        LinkError::Expired { at } => Box::new(page::expired(&desk.root(), at)),
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
    let words = "This page cannot be shown now. Nothing is lost; try again later.";
    page::notice(StatusCode::SERVICE_UNAVAILABLE, &desk.root(), words, "")
}
