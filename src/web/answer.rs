//! What a request to the answer page does: open the link, load what stands behind it, and, for a POST from our own
//! form only, record what the person says. Wording is in `page`.

use axum::{
    body::Bytes,
    extract::{
        Path, RawQuery, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use url::{Url, form_urlencoded};

use super::{
    Desk,
    form::{Form, some},
    link,
    page::{self, Outcome, View},
};
use crate::{
    jobs::acknowledge,
    model::{
        acknowledgement::{Answer, AnswerPage, Disposition, Recorded, Via},
        id::StoryNo,
        time::Time,
    },
    store::StoreError,
    token,
};

/// The path of a request by name: a link's text and, where the address goes on, a story's number.
type Place = Result<Path<Vec<(String, String)>>, PathRejection>;

/// Shows the page; changes nothing.
pub(super) async fn show(State(desk): State<Desk>, place: Place, RawQuery(query): RawQuery) -> Response {
    let now = desk.clock.now();
    let wish = Wish::read(query.as_deref().unwrap_or_default());
    match load(&desk, place, now).await {
        Err(refusal) => *refusal,
        Ok(behind) => {
            let form = Form { disposition: wish.disposition, ..Form::default() };
            let outcome = behind.outcome(&wish);
            behind.view(&desk, now, form, outcome, StatusCode::OK)
        }
    }
}

/// Records what the form says, once for each form.
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
    let Ok(body) = body else {
        let outcome = Outcome::Trouble("Not recorded: the form is too long or did not arrive whole.");
        return behind.view(&desk, now, Form::default(), outcome, StatusCode::PAYLOAD_TOO_LARGE);
    };
    let form = Form::read(&body);
    if is_foreign(&headers, &desk.config().web.base_url) {
        let outcome = Outcome::Trouble("Not recorded: the answer came from another site. Record it here.");
        return behind.view(&desk, now, form, outcome, StatusCode::FORBIDDEN);
    }
    if !token::nonce_is_valid(&desk.key, &behind.form_name(), &form.nonce, now) {
        let outcome = Outcome::Trouble(
            "Not recorded yet: this form was open for too long. Your text is still here; send it again.",
        );
        return behind.view(&desk, now, form, outcome, StatusCode::FORBIDDEN);
    }
    let mistakes = form.mistakes();
    let Some(disposition) = form.disposition.filter(|_| mistakes.is_empty()) else {
        return behind.view(&desk, now, form, Outcome::Mistakes(mistakes), StatusCode::UNPROCESSABLE_ENTITY);
    };
    let answer = behind.answer(&form, disposition);
    match store_answer(&desk, answer, now).await {
        Ok(Recorded::New { record }) => behind.see_other("recorded", record),
        Ok(Recorded::Already { record, .. }) => behind.see_other("already", record),
        Err(error) => {
            tracing::error!(target: "acknowledge", digest = %behind.page.digest, %error, "an answer was not recorded");
            let outcome = Outcome::Trouble(if error.is_full() {
                "Not recorded: our storage is full. Your text is still here; try again later."
            } else {
                "Not recorded: our storage failed. Your text is still here; try again later."
            });
            behind.view(&desk, now, form, outcome, StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// What the address asks for beside the place.
#[derive(Debug, Default)]
struct Wish {
    disposition: Option<Disposition>,
    recorded: Option<u64>,
    already: Option<u64>,
}

impl Wish {
    fn read(query: &str) -> Wish {
        let mut wish = Wish::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).take(16) {
            match &*name {
                "as" => wish.disposition = Disposition::parse(&value),
                "recorded" => wish.recorded = value.parse().ok(),
                "already" => wish.already = value.parse().ok(),
                _ => {}
            }
        }
        wish
    }
}

/// What stands behind an opened link.
struct Behind {
    token: String,
    /// Whether the link is for every story of its digest.
    whole: bool,
    /// The number of the one story that the link or the address names.
    number: Option<usize>,
    /// Whether the address names it.
    is_named: bool,
    root: String,
    page: AnswerPage,
}

async fn load(desk: &Desk, place: Place, now: Time) -> Result<Behind, Box<Response>> {
    let place = place.map(|Path(place)| place).unwrap_or_default();
    let part = |name: &str| place.iter().find_map(|(known, text)| (known == name).then_some(text.as_str()));
    let wrong = || Box::new(link::wrong(desk));
    let token = part("token").unwrap_or_default();
    let scope = link::open(desk, token, now)?;
    let named = match part("number") {
        None => None,
        Some(text) => Some(number(text).ok_or_else(wrong)?),
    };
    let number = match (scope.story, named) {
        (Some(story), Some(named)) if story != named => return Err(wrong()),
        (story, named) => named.or(story).map(usize::from),
    };
    let (store, config) = (desk.store.clone(), desk.config());
    let loaded = tokio::task::spawn_blocking(move || acknowledge::page(&store, &config, scope.digest, None)).await;
    let page = match loaded {
        Ok(Ok(Some(page))) => page,
        Ok(Ok(None)) => return Err(wrong()),
        Ok(Err(error)) => return Err(Box::new(link::unreadable(desk, &error))),
        Err(error) => return Err(Box::new(link::unreadable(desk, &error))),
    };
    if number.is_some_and(|number| page.stories.iter().all(|story| story.number != number)) {
        return Err(wrong());
    }
    let (root, token) = (desk.root(), token.to_owned());
    Ok(Behind { token, whole: scope.story.is_none(), number, is_named: named.is_some(), root, page })
}

/// A story's number in its one spelling: no sign, no zero in front.
fn number(text: &str) -> Option<u16> {
    text.parse::<u16>().ok().filter(|number| *number > 0 && number.to_string() == text)
}

async fn store_answer(desk: &Desk, answer: Answer, now: Time) -> Result<Recorded, StoreError> {
    let store = desk.store.clone();
    tokio::task::spawn_blocking(move || acknowledge::record(&store, &answer, now))
        .await
        .unwrap_or(Err(StoreError::OnPurpose("the thread that records")))
}

/// Whether a POST says that another site made it. Browsers send `Origin: null` from a page that has
/// `Referrer-Policy: no-referrer`, so that value says nothing; the nonce is what counts.
pub(super) fn is_foreign(headers: &HeaderMap, base_url: &Url) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if let Some(site) = text("sec-fetch-site") {
        return site != "same-origin";
    }
    match text("origin") {
        None | Some("null") => false,
        Some(origin) => origin != base_url.origin().ascii_serialization(),
    }
}

impl Behind {
    fn path(&self) -> String {
        match self.number {
            Some(number) if self.is_named => format!("{}/a/{}/{number}", self.root, self.token),
            _ => format!("{}/a/{}", self.root, self.token),
        }
    }

    /// What a nonce is made for: the link and the story, so that a form serves nowhere else.
    fn form_name(&self) -> String {
        match self.number {
            Some(number) => format!("{}/{number}", self.token),
            None => format!("{}/all", self.token),
        }
    }

    /// The stories that an answer of this page is about: the one, or those still open, or all where none is.
    fn stories(&self) -> Vec<StoryNo> {
        if let Some(number) = self.number {
            return self.page.stories.iter().filter(|story| story.number == number).map(|story| story.story).collect();
        }
        let open: Vec<StoryNo> =
            self.page.stories.iter().filter(|one| page::is_open(one, &self.page)).map(|one| one.story).collect();
        if open.is_empty() { self.page.stories.iter().map(|story| story.story).collect() } else { open }
    }

    fn answer(&self, form: &Form, disposition: Disposition) -> Answer {
        Answer {
            owner: self.page.owner.clone(),
            digest: Some(self.page.digest),
            stories: self.stories(),
            disposition,
            note: some(&form.note),
            reference: some(&form.reference),
            nonce: form.nonce.clone(),
            via: Via::Link,
        }
    }

    /// What the address says was done: believed only where an answer of this owner with that record
    /// stands.
    fn outcome(&self, wish: &Wish) -> Outcome {
        let shown = |record: u64| {
            let stories = self.page.stories.iter().filter(|one| self.number.is_none_or(|number| one.number == number));
            let mut own = stories.flat_map(|one| &one.answers).filter(|one| one.owner == self.page.owner);
            own.find(|answer| answer.record == record).map(|answer| answer.at)
        };
        let found = |record: Option<u64>| record.and_then(|record| Some((record, shown(record)?)));
        if let Some((record, _)) = found(wish.recorded) {
            Outcome::Recorded { record }
        } else if let Some((_, at)) = found(wish.already) {
            Outcome::Already { at }
        } else {
            Outcome::Nothing
        }
    }

    fn see_other(&self, what: &str, record: u64) -> Response {
        (StatusCode::SEE_OTHER, [(header::LOCATION, format!("{}?{what}={record}", self.path()))]).into_response()
    }

    fn view(&self, desk: &Desk, now: Time, form: Form, outcome: Outcome, status: StatusCode) -> Response {
        let mut random = [0; 16];
        if getrandom::fill(&mut random).is_err() {
            let words = "This page cannot be shown now. Nothing is lost; try again later.";
            return page::notice(StatusCode::SERVICE_UNAVAILABLE, &self.root, words, "");
        }
        let view = View {
            root: &self.root,
            path: self.path(),
            all_path: (self.whole && self.page.in_digest > 1).then(|| format!("{}/a/{}", self.root, self.token)),
            page: &self.page,
            number: self.number,
            form: Form { nonce: token::nonce(&desk.key, &self.form_name(), now, random), ..form },
            outcome,
            base_url: desk.config().web.base_url.clone(),
        };
        page::answer(status, &view)
    }
}
