//! What a request to "Not yours?" does: open the link, list what its owner answers for, and, for a POST from our own form
//! only, record what they say is not theirs.

use askama::Template;
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
    desk::style_name,
    form::{Form, Mistake},
    link,
    page::{Banner, respond},
};
use crate::{
    compose::words::{grouped, moment},
    jobs::disown::{self, Owned, OwnedPage},
    model::{
        acknowledgement::{Disowned, MAX_NOTE},
        time::Time,
    },
    store::StoreError,
    token,
};

/// The path of a request: a link's text.
type Place = Result<Path<String>, PathRejection>;

#[derive(Template)]
#[template(path = "wrong.html")]
struct Page<'a> {
    root: &'a str,
    style: &'static str,
    title: String,
    heading: &'static str,
    whose: String,
    banner: Banner,
    said: Vec<String>,
    form: Option<FormView<'a>>,
    all: String,
}

/// The form as it is shown.
struct FormView<'a> {
    path: String,
    /// Value, name, what it is, whether it is chosen.
    things: Vec<(String, String, &'static str, bool)>,
    note: &'a str,
    nonce: String,
    max_note: usize,
    promise: String,
    what_mistake: Option<String>,
    note_mistake: Option<String>,
}

/// The fields of the form as they came.
#[derive(Debug, Default)]
struct Typed {
    what: String,
    note: String,
    nonce: String,
}

/// What stands behind an opened link.
struct Behind {
    token: String,
    root: String,
    page: OwnedPage,
}

/// Shows the page; changes nothing.
pub(super) async fn show(State(desk): State<Desk>, place: Place, RawQuery(query): RawQuery) -> Response {
    let now = desk.clock.now();
    match load(&desk, place, now).await {
        Err(refusal) => *refusal,
        Ok(behind) => {
            let just = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .find_map(|(name, value)| (name == "recorded").then(|| value.parse::<u64>().ok()).flatten());
            let known =
                |record: &u64| behind.page.things.iter().any(|one| one.disowned.is_some_and(|(_, at)| at == *record));
            let good = just.filter(known).map(|record| {
                format!(
                    "Recorded. What you said is record {}. It is yours until somebody changes that.",
                    grouped(record)
                )
            });
            behind.view(&desk, now, StatusCode::OK, &Typed::default(), Banner { good, ..Banner::default() })
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
    let trouble = |status, typed: &Typed, words| {
        behind.view(&desk, now, status, typed, Banner { trouble: Some(words), ..Banner::default() })
    };
    let Ok(body) = body else {
        let words = "Not recorded: the form is too long or did not arrive whole.";
        return trouble(StatusCode::PAYLOAD_TOO_LARGE, &Typed::default(), words);
    };
    let typed = Typed::read(&body);
    if is_foreign(&headers, &desk.config().web.base_url) {
        let words = "Not recorded: this came from another site. Record it here.";
        return trouble(StatusCode::FORBIDDEN, &typed, words);
    }
    if !token::nonce_is_valid(&desk.key, &behind.form_name(), &typed.nonce, now) {
        let words = "Not recorded yet: this form was open for too long. Your text is still here; send it again.";
        return trouble(StatusCode::FORBIDDEN, &typed, words);
    }
    let mistakes = typed.mistakes(&behind.page);
    let Some(thing) = behind.page.things.iter().find(|one| mistakes.is_empty() && value(one) == typed.what) else {
        let banner = Banner { mistakes, ..Banner::default() };
        return behind.view(&desk, now, StatusCode::UNPROCESSABLE_ENTITY, &typed, banner);
    };
    match behind.disown(&desk, thing, &typed, now).await {
        Ok(record) => {
            let place = format!("{}?recorded={record}", behind.path());
            (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
        }
        Err(error) => {
            tracing::error!(target: "acknowledge", digest = %behind.page.digest, %error, "what is not theirs was not recorded");
            let words = if error.is_full() {
                "Not recorded: our storage is full. Your text is still here; try again later."
            } else {
                "Not recorded: our storage failed. Your text is still here; try again later."
            };
            trouble(StatusCode::SERVICE_UNAVAILABLE, &typed, words)
        }
    }
}

impl Typed {
    /// The note is read as that of an answer is.
    fn read(body: &[u8]) -> Typed {
        let Form { note, nonce, .. } = Form::read(body);
        let what = form_urlencoded::parse(body).take(16).find(|(name, _)| name == "what");
        Typed { what: what.map(|(_, what)| what.into_owned()).unwrap_or_default(), note, nonce }
    }

    fn mistakes(&self, page: &OwnedPage) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if page.things.iter().all(|one| value(one) != self.what) {
            mistakes.push(Mistake { field: "what", words: "Choose what is not yours".to_owned() });
        }
        if self.note.is_empty() {
            mistakes.push(Mistake { field: "note", words: "Say why, or whose it is".to_owned() });
        } else if self.note.chars().count() > MAX_NOTE {
            let words = format!("Use at most {} characters", grouped(MAX_NOTE as u64));
            mistakes.push(Mistake { field: "note", words });
        }
        mistakes
    }
}

/// A thing as the form names it.
fn value(thing: &Owned) -> String {
    format!("{}:{}", thing.kind.as_str(), thing.id)
}

async fn load(desk: &Desk, place: Place, now: Time) -> Result<Behind, Box<Response>> {
    let Ok(Path(token)) = place else { return Err(Box::new(link::wrong(desk))) };
    let scope = link::open(desk, &token, now)?;
    // Only the link of a whole digest speaks for its owner beyond one story.
    if scope.story.is_some() {
        return Err(Box::new(link::wrong(desk)));
    }
    let (store, config) = (desk.store.clone(), desk.config());
    match tokio::task::spawn_blocking(move || disown::page(&store, &config, scope.digest)).await {
        Ok(Ok(Some(page))) => Ok(Behind { token, root: desk.root(), page }),
        Ok(Ok(None)) => Err(Box::new(link::wrong(desk))),
        Ok(Err(error)) => Err(Box::new(link::unreadable(desk, &error))),
        Err(error) => Err(Box::new(link::unreadable(desk, &error))),
    }
}

impl Behind {
    fn path(&self) -> String {
        format!("{}/a/{}/wrong", self.root, self.token)
    }

    /// What a nonce is made for, so that a form serves nowhere else.
    fn form_name(&self) -> String {
        format!("{}/wrong", self.token)
    }

    async fn disown(&self, desk: &Desk, thing: &Owned, typed: &Typed, now: Time) -> Result<u64, StoreError> {
        let said = Disowned {
            owner: self.page.owner.clone(),
            kind: thing.kind,
            id: thing.id.clone(),
            note: typed.note.clone(),
            at: now,
            record: 0,
        };
        let (store, digest, nonce) = (desk.store.clone(), self.page.digest, typed.nonce.clone());
        tokio::task::spawn_blocking(move || disown::record(&store, &said, digest, &nonce, now))
            .await
            .unwrap_or(Err(StoreError::OnPurpose("the thread that records")))
    }

    fn view(&self, desk: &Desk, now: Time, status: StatusCode, typed: &Typed, banner: Banner) -> Response {
        let Some(nonce) = link::fresh_nonce(desk, &self.form_name(), now) else { return link::without_random(desk) };
        let page = &self.page;
        let mistake = |field: &str| {
            banner.mistakes.iter().find(|mistake| mistake.field == field).map(|mistake| mistake.words.clone())
        };
        let heading = "Not yours?";
        let said = page.things.iter().filter_map(|one| {
            let (at, record) = one.disowned?;
            let when = moment(at, &page.timezone, "%-d %b %Y at %H:%M");
            Some(format!("{}: you said so on {when}, record {}.", one.name, grouped(record)))
        });
        let form = (!page.things.is_empty()).then(|| FormView {
            path: self.path(),
            things: page
                .things
                .iter()
                .map(|one| (value(one), one.name.clone(), one.kind.as_str(), value(one) == typed.what))
                .collect(),
            note: &typed.note,
            nonce,
            max_note: MAX_NOTE,
            promise: format!(
                "Recorded as given with the link sent to {}. Nothing changes hands by itself: stories stay open, and \
                 whoever runs sigtrail is told.",
                page.owner_name
            ),
            what_mistake: mistake("what"),
            note_mistake: mistake("note"),
        });
        let title = if banner.is_error() { format!("Error: {heading}") } else { format!("{heading} - sigtrail") };
        respond(
            status,
            &Page {
                root: &self.root,
                style: style_name(),
                title,
                heading,
                whose: format!("What {} answers for, as it is configured.", page.owner_name),
                said: said.collect(),
                form,
                all: format!("{}/a/{}", self.root, self.token),
                banner,
            },
        )
    }
}
