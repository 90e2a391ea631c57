//! What a request to "Not yours?" does: open the link, list what its owner answers for, and, for a POST from our own form
//! only, record what they say is not theirs.

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use url::form_urlencoded;

use super::{
    Desk,
    desk::style_name,
    form::{Form, Mistake},
    link::{Beside, NoPage, told, unreadable},
    page::{AGAIN, Banner, already, otherwise, respond},
    sent::{Sent, unstored},
};
use crate::{
    compose::words::{grouped, moment},
    jobs::disown::{self, Owned, OwnedPage},
    model::{
        acknowledgement::MAX_NOTE,
        disowned::{Disowned, Heard},
        time::Time,
    },
    store::StoreError,
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

/// What an owner answers for, behind the link of a digest of theirs.
type Behind = Beside<OwnedPage>;

/// Shows the page; changes nothing.
pub(super) async fn show(State(desk): State<Desk>, place: Place, RawQuery(query): RawQuery) -> Response {
    let now = desk.clock.now();
    let loaded = async {
        let behind = load(&desk, place, now).await?;
        let banner = behind.said(&desk, query.as_deref()).await.map_err(|error| unreadable(&error))?;
        Ok::<_, NoPage>((behind, banner))
    };
    match loaded.await {
        Err(none) => none.show(&desk, None, now),
        Ok((behind, banner)) => behind.view(&desk, now, StatusCode::OK, &Typed::default(), banner),
    }
}

/// Records what the form says, once for each form.
pub(super) async fn record(State(desk): State<Desk>, place: Place, sent: Sent) -> Response {
    let now = desk.clock.now();
    let behind = match load(&desk, place, now).await {
        Ok(behind) => behind,
        Err(none) => return none.show(&desk, Some(&sent.typed()), now),
    };
    let typed = Typed::read(sent.fields());
    let refuse = |status, banner| behind.view(&desk, now, status, &typed, banner);
    if behind.page.things.is_empty() {
        let words =
            "Not recorded: nothing is configured as yours now, so there is nothing that could be somebody else's.";
        return refuse(StatusCode::CONFLICT, Banner::of_trouble(words));
    }
    if let Some((status, words)) = sent.objection(behind.is_fresh(&desk, &typed.nonce, now)) {
        return refuse(status, Banner::of_trouble(words));
    }
    let mistakes = typed.mistakes(&behind.page);
    let Some(thing) = behind.page.things.iter().find(|one| mistakes.is_empty() && value(one) == typed.what) else {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, Banner { mistakes, ..Banner::default() });
    };
    match behind.disown(&desk, thing, &typed, now).await {
        Ok(Heard::New { record }) => behind.see_other("recorded", record),
        Ok(Heard::Already { record }) => behind.see_other("already", record),
        Ok(Heard::Otherwise { record }) => refuse(StatusCode::CONFLICT, Banner::of_trouble(otherwise(record, AGAIN))),
        Err(error) => {
            tracing::error!(target: "acknowledge", digest = %behind.page.digest, %error, "what is not theirs was not recorded");
            let words = unstored(&error, "Your text is still here; try again later.");
            refuse(StatusCode::SERVICE_UNAVAILABLE, Banner::of_trouble(words))
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
        if self.what.is_empty() {
            mistakes.push(Mistake { field: "what", words: "Choose what is not yours".to_owned() });
        } else if page.things.iter().all(|one| value(one) != self.what) {
            let words = "Choose what is not yours: what you chose is not configured as yours".to_owned();
            mistakes.push(Mistake { field: "what", words });
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

async fn load(desk: &Desk, place: Place, now: Time) -> Result<Behind, NoPage> {
    let Ok(Path(token)) = place else { return Err(NoPage::Wrong) };
    Beside::load(desk, (token, "wrong".to_owned()), now, disown::page).await
}

impl Behind {
    async fn disown(&self, desk: &Desk, thing: &Owned, typed: &Typed, now: Time) -> Result<Heard, StoreError> {
        let said = Disowned {
            owner: self.page.owner.clone(),
            kind: thing.kind,
            id: thing.id.clone(),
            note: typed.note.clone(),
            at: now,
            record: 0,
        };
        let (digest, nonce) = (self.page.digest, typed.nonce.clone());
        desk.in_store(move |store, _| disown::record(store, &said, digest, &nonce, now)).await
    }

    /// What the address says was done: believed only where this owner said something that has that record.
    async fn said(&self, desk: &Desk, query: Option<&str>) -> Result<Banner, StoreError> {
        let (new, before) = (told(query, "recorded"), told(query, "already"));
        let Some(record) = new.or(before) else { return Ok(Banner::default()) };
        let owner = self.page.owner.clone();
        let at = desk.in_store(move |store, _| store.read(|read| read.disowned_at(&owner, record))).await?;
        let Some(at) = at else { return Ok(Banner::default()) };
        if new.is_some() {
            let words = format!(
                "Recorded. What you said is record {}. It is yours until somebody changes that.",
                grouped(record)
            );
            return Ok(Banner { good: Some(words), ..Banner::default() });
        }
        let when = moment(at, &self.page.timezone, "%-d %b at %H:%M");
        Ok(Banner { known: Some(already(&when, record)), ..Banner::default() })
    }

    fn view(&self, desk: &Desk, now: Time, status: StatusCode, typed: &Typed, banner: Banner) -> Response {
        let Some(nonce) = self.fresh_nonce(desk, now) else {
            return NoPage::Unreadable.show(desk, banner.is_error().then_some(typed.note.as_str()), now);
        };
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
        let banner = if form.is_some() { banner } else { banner.without_form(&typed.note) };
        let whose = if form.is_some() {
            format!("What {} answers for, as it is configured.", page.owner_name)
        } else {
            format!("Nothing is configured as {}'s.", page.owner_name)
        };
        let title = if banner.is_error() { format!("Error: {heading}") } else { format!("{heading} - sigtrail") };
        respond(
            status,
            &Page {
                root: &self.root,
                style: style_name(),
                title,
                heading,
                whose,
                said: said.collect(),
                form,
                all: self.digest_path(),
                banner,
            },
        )
    }
}
