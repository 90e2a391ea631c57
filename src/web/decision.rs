//! What a request to the page of a flood does: open the link, load the flood, and, for a POST from our own form only,
//! record what the person decides. Wording is in `flood_page`.

use axum::{
    body::Bytes,
    extract::{
        Path, RawQuery, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use super::{
    Desk,
    answer::is_foreign,
    flood_page::{self, View},
    link, page,
};
use crate::{
    jobs::flood,
    model::{
        acknowledgement::Via,
        flood::{Decided, Decision, FloodPage, NewDecision},
        id::FloodNo,
        time::Time,
    },
    store::StoreError,
    token,
};

/// The path of a request: a link's text and a flood's number.
type Place = Result<Path<(String, String)>, PathRejection>;

/// Shows the page; changes nothing.
pub(super) async fn show(State(desk): State<Desk>, place: Place, RawQuery(query): RawQuery) -> Response {
    let now = desk.clock.now();
    match load(&desk, place, now).await {
        Err(refusal) => *refusal,
        Ok(behind) => {
            let just = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .find_map(|(name, value)| (name == "decided").then(|| value.parse::<u64>().ok()).flatten());
            let stands = behind.page.decided.as_ref().map(|(given, _)| given.record);
            let is_recorded = just.is_some() && just == stands;
            behind.view(&desk, now, StatusCode::OK, is_recorded, None)
        }
    }
}

/// Records what the form says; the first decision stands.
pub(super) async fn record(
    State(desk): State<Desk>,
    place: Place,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let now = desk.clock.now();
    let behind = match load(&desk, place, now).await {
        Ok(behind) => behind,
        Err(refusal) => return *refusal,
    };
    let refuse = |status, words| behind.view(&desk, now, status, false, Some(words));
    let Ok(body) = body else {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "Not recorded: the form did not arrive whole.");
    };
    let form = Form::read(&body);
    if is_foreign(&headers, &desk.config().web.base_url) {
        return refuse(StatusCode::FORBIDDEN, "Not recorded: the decision came from another site. Decide here.");
    }
    if !token::nonce_is_valid(&desk.key, &behind.form_name(), &form.nonce, now) {
        return refuse(
            StatusCode::FORBIDDEN,
            "Not recorded yet: this form was open for too long. Choose again and send it.",
        );
    }
    if !behind.page.may_decide {
        return refuse(StatusCode::FORBIDDEN, "Not recorded: the link's owner is not an owner any more.");
    }
    let (Some(decision), Some(seen)) = (form.decision, form.seen) else {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "Choose what becomes of the entries.");
    };
    match behind.decide(&desk, decision, seen, now).await {
        Ok(Some(Decided::New(given))) => {
            let place = format!("{}?decided={}", behind.path(), given.record);
            (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
        }
        Ok(Some(Decided::Already(_))) => (StatusCode::SEE_OTHER, [(header::LOCATION, behind.path())]).into_response(),
        Ok(Some(Decided::Grown { .. }) | None) => refuse(
            StatusCode::CONFLICT,
            "Not recorded: more entries came while this page was open. Look at them, then decide.",
        ),
        Err(error) => {
            tracing::error!(target: "flood", flood = %behind.page.flood, %error, "a decision was not recorded");
            let words = if error.is_full() {
                "Not recorded: our storage is full. Try again later."
            } else {
                "Not recorded: our storage failed. Try again later."
            };
            refuse(StatusCode::SERVICE_UNAVAILABLE, words)
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

/// What stands behind an opened link.
struct Behind {
    token: String,
    root: String,
    page: FloodPage,
}

async fn load(desk: &Desk, place: Place, now: Time) -> Result<Behind, Box<Response>> {
    let Ok(Path((token, number))) = place else { return Err(Box::new(link::wrong(desk))) };
    let scope = link::open(desk, &token, now)?;
    let spelled = number.parse::<i64>().ok().filter(|no| *no > 0 && no.to_string() == number);
    // Only the link of a whole digest speaks for everything that the digest tells of.
    let Some(flood) = spelled.filter(|_| scope.story.is_none()) else { return Err(Box::new(link::wrong(desk))) };
    let (store, config) = (desk.store.clone(), desk.config());
    let what = (scope.digest, FloodNo(flood));
    match tokio::task::spawn_blocking(move || flood::page(&store, &config, what, now)).await {
        Ok(Ok(Some(page))) => Ok(Behind { token, root: desk.root(), page }),
        Ok(Ok(None)) => Err(Box::new(link::wrong(desk))),
        Ok(Err(error)) => Err(Box::new(link::unreadable(desk, &error))),
        Err(error) => Err(Box::new(link::unreadable(desk, &error))),
    }
}

impl Behind {
    fn path(&self) -> String {
        format!("{}/a/{}/held/{}", self.root, self.token, self.page.flood)
    }

    /// What a nonce is made for: the link and the flood, so that a form serves nowhere else.
    fn form_name(&self) -> String {
        format!("{}/held/{}", self.token, self.page.flood)
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
        let store = desk.store.clone();
        tokio::task::spawn_blocking(move || flood::decide(&store, &new, now))
            .await
            .unwrap_or(Err(StoreError::OnPurpose("the thread that records")))
    }

    fn view(
        &self,
        desk: &Desk,
        now: Time,
        status: StatusCode,
        is_recorded: bool,
        trouble: Option<&'static str>,
    ) -> Response {
        let mut random = [0; 16];
        if getrandom::fill(&mut random).is_err() {
            let words = "This page cannot be shown now. Nothing is lost; try again later.";
            return page::notice(StatusCode::SERVICE_UNAVAILABLE, &self.root, words, "");
        }
        let base_url = desk.config().web.base_url.clone();
        let view = View {
            root: &self.root,
            path: self.path(),
            page: &self.page,
            nonce: token::nonce(&desk.key, &self.form_name(), now, random),
            is_recorded,
            trouble,
            base_url: base_url.as_str(),
        };
        flood_page::show(status, &view)
    }
}
