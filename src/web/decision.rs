//! What a request to the page of a flood does: open the link, load the flood, and, for a POST from our own form only,
//! record what the person decides. Wording is in `flood_page`.

use axum::{
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use url::form_urlencoded;

use super::{
    Desk,
    flood_page::{self, View},
    link::{Beside, NoPage, told},
    page::Banner,
    sent::{Sent, unstored},
};
use crate::{
    compose::words::{grouped, moment},
    jobs::flood,
    model::{
        acknowledgement::Via,
        flood::{Decided, Decision, FloodPage, NewDecision},
        id::FloodNo,
        time::Time,
    },
    store::StoreError,
};

/// The path of a request: a link's text and a flood's number.
type Place = Result<Path<(String, String)>, PathRejection>;

/// What is said of another decision than the one that stands.
const FIRST_STANDS: &str =
    "Not recorded: this was decided before. How, and by whom, stands below; a decision is never changed.";

/// A flood, behind the link of a digest that tells of it.
type Behind = Beside<FloodPage>;

/// Shows the page; changes nothing.
pub(super) async fn show(State(desk): State<Desk>, place: Place, RawQuery(query): RawQuery) -> Response {
    let now = desk.clock.now();
    match load(&desk, place, now).await {
        Err(none) => none.show(&desk, None, now),
        Ok(behind) => {
            let banner = behind.said(query.as_deref());
            behind.view(&desk, now, StatusCode::OK, None, banner)
        }
    }
}

/// Records what the form says; the first decision stands.
pub(super) async fn record(State(desk): State<Desk>, place: Place, sent: Sent) -> Response {
    let now = desk.clock.now();
    let behind = match load(&desk, place, now).await {
        Ok(behind) => behind,
        Err(none) => return none.show(&desk, Some(&sent.typed()), now),
    };
    let form = Form::read(sent.fields());
    let refuse = |status, words: &str| behind.view(&desk, now, status, form.decision, Banner::of_trouble(words));
    if let Some((given, _)) = &behind.page.decided {
        return match form.decision {
            Some(decision) if decision == given.decision => behind.see_other("already", given.record),
            _ => refuse(StatusCode::CONFLICT, FIRST_STANDS),
        };
    }
    if !behind.page.may_decide {
        let words = "Not recorded: the link's owner is not an owner any more. The feed's present owner decides.";
        return refuse(StatusCode::FORBIDDEN, words);
    }
    if let Some((status, words)) = sent.objection(behind.is_fresh(&desk, &form.nonce, now)) {
        return refuse(status, words);
    }
    let (Some(decision), Some(seen)) = (form.decision, form.seen) else {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "Not recorded yet: choose what becomes of the entries.");
    };
    match behind.decide(&desk, decision, seen, now).await {
        Ok(Some(Decided::New(given))) => behind.see_other("decided", given.record),
        Ok(Some(Decided::Already(given))) if given.decision == decision => behind.see_other("already", given.record),
        Ok(Some(Decided::Already(_))) => {
            let words = "Not recorded: this was decided meanwhile. Open the link again to see how, and by whom.";
            refuse(StatusCode::CONFLICT, words)
        }
        Ok(Some(Decided::Grown { .. }) | None) => behind.view(
            &desk,
            now,
            StatusCode::CONFLICT,
            None,
            Banner::of_trouble("Not recorded: more entries came while this page was open. Look at them, then decide."),
        ),
        Err(error) => {
            tracing::error!(target: "flood", flood = %behind.page.flood, %error, "a decision was not recorded");
            refuse(StatusCode::SERVICE_UNAVAILABLE, &unstored(&error, "Try again later."))
        }
    }
}

/// The fields of the form as they came.
#[derive(Debug, Default)]
struct Form {
    decision: Option<Decision>,
    seen: Option<usize>,
    nonce: String,
}

impl Form {
    fn read(body: &[u8]) -> Form {
        let mut form = Form::default();
        for (name, value) in form_urlencoded::parse(body).take(16) {
            match &*name {
                "decision" => form.decision = Decision::parse(&value),
                "entries" => form.seen = value.parse().ok(),
                "nonce" => form.nonce = value.into_owned(),
                _ => {}
            }
        }
        form
    }
}

async fn load(desk: &Desk, place: Place, now: Time) -> Result<Behind, NoPage> {
    let Ok(Path((token, number))) = place else { return Err(NoPage::Wrong) };
    let spelled = number.parse::<i64>().ok().filter(|no| *no > 0 && no.to_string() == number);
    let flood = spelled.map(FloodNo).ok_or(NoPage::Wrong)?;
    let tail = format!("held/{flood}");
    Beside::load(desk, (token, tail), now, move |store, config, digest| {
        flood::page(store, config, (digest, flood), now)
    })
    .await
}

impl Behind {
    /// What the address says was done: believed only of the decision that stands.
    fn said(&self, query: Option<&str>) -> Banner {
        let Some((given, _)) = &self.page.decided else { return Banner::default() };
        let record = grouped(given.record);
        if told(query, "decided") == Some(given.record) {
            let words = format!("Recorded. Your decision is record {record}. It takes effect within a few minutes.");
            return Banner { good: Some(words), ..Banner::default() };
        }
        if told(query, "already") == Some(given.record) {
            let when = moment(given.at, &self.page.timezone, "%-d %b at %H:%M");
            let words = format!("Already decided so on {when}. Nothing was added. It is record {record}.");
            return Banner { known: Some(words), ..Banner::default() };
        }
        Banner::default()
    }

    async fn decide(
        &self,
        desk: &Desk,
        decision: Decision,
        seen: usize,
        now: Time,
    ) -> Result<Option<Decided>, StoreError> {
        let new = NewDecision {
            flood: self.page.flood,
            decision,
            owner: self.page.owner.clone(),
            digest: Some(self.page.digest),
            seen: Some(seen),
            via: Via::Link,
        };
        desk.in_store(move |store, _| flood::decide(store, &new, now)).await
    }

    fn view(&self, desk: &Desk, now: Time, status: StatusCode, chosen: Option<Decision>, banner: Banner) -> Response {
        let Some(nonce) = self.fresh_nonce(desk, now) else {
            return NoPage::Unreadable.show(desk, banner.is_error().then_some(""), now);
        };
        let view = View {
            root: &self.root,
            path: self.path(),
            page: &self.page,
            nonce,
            chosen,
            base_url: desk.config().web.base_url.clone(),
        };
        flood_page::show(status, &view, banner)
    }
}
