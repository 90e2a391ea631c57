//! A form that somebody sent: whether it is ours and came whole, and the words where it is not taken. The same for every form
//! of the page; what a form says is read where its page is.

use std::convert::Infallible;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode},
};
use url::Url;

use super::{Desk, form::Form};
use crate::store::StoreError;

/// A form as it arrived.
#[derive(Debug)]
pub(super) struct Sent {
    /// `None`: it did not arrive whole.
    body: Option<Bytes>,
    is_foreign: bool,
}

impl FromRequest<Desk> for Sent {
    type Rejection = Infallible;

    async fn from_request(request: Request, desk: &Desk) -> Result<Sent, Infallible> {
        let is_foreign = is_foreign(request.headers(), &desk.config().web.base_url);
        Ok(Sent { body: Bytes::from_request(request, desk).await.ok(), is_foreign })
    }
}

impl Sent {
    /// Its fields as they were sent; none where it did not arrive whole.
    pub(super) fn fields(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    /// Why it is not taken, whatever it says; `is_fresh`: its nonce is that of this page and not too old.
    pub(super) fn objection(&self, is_fresh: bool) -> Option<(StatusCode, &'static str)> {
        if self.body.is_none() {
            let words =
                "Not recorded: the form is too long or did not arrive whole. Shorten the text and send it again.";
            return Some((StatusCode::PAYLOAD_TOO_LARGE, words));
        }
        if self.is_foreign {
            return Some((StatusCode::FORBIDDEN, "Not recorded: this came from another site. Record it here."));
        }
        let words = "Not recorded yet: this form was open for too long. It is filled in as you left it; send it again.";
        (!is_fresh).then_some((StatusCode::FORBIDDEN, words))
    }

    /// What was typed into it, for the page that has no such form: the person can copy it. What another site sent is not
    /// shown as if the person had typed it.
    pub(super) fn typed(&self) -> String {
        if self.is_foreign { String::new() } else { Form::read(self.fields()).typed() }
    }
}

/// What is said where the store took nothing; `advice` says what to do.
pub(super) fn unstored(error: &StoreError, advice: &str) -> String {
    let why = if error.is_full() { "is full" } else { "failed" };
    format!("Not recorded: our storage {why}. {advice}")
}

/// Whether a POST says that another site made it. Browsers send `Origin: null` from a page that has
/// `Referrer-Policy: no-referrer`, so that value says nothing; the nonce is what counts.
fn is_foreign(headers: &HeaderMap, base_url: &Url) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if let Some(site) = text("sec-fetch-site") {
        return site != "same-origin";
    }
    match text("origin") {
        None | Some("null") => false,
        Some(origin) => origin != base_url.origin().ascii_serialization(),
    }
}
