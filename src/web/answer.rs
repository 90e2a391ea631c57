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
    form::{Form, misfit, some},
    link,
    page::{self, Outcome, View, What},
};
use crate::{
    jobs::acknowledge::{self, Shown},
    model::{
        acknowledgement::{Answer, AnswerPage, Disposition, Haste, Place as Placed, Recorded, Standing, Via},
        id::StoryNo,
        settings::FastAnswer,
        time::Time,
    },
    store::StoreError,
    token,
};

/// The path of a request by name: a link's text and, where the address goes on, a story's number.
type Place = Result<Path<Vec<(String, String)>>, PathRejection>;

/// Shows the page; changes nothing.
pub(super) async fn show(State(desk): State<Desk>, place: Place, RawQuery(query): RawQuery) -> Response {
    show_page(&desk, place, query.as_deref(), false).await
}

/// Shows what is still open, to be answered with one reason.
pub(super) async fn show_rest(State(desk): State<Desk>, place: Place, RawQuery(query): RawQuery) -> Response {
    show_page(&desk, place, query.as_deref(), true).await
}

async fn show_page(desk: &Desk, place: Place, query: Option<&str>, is_rest: bool) -> Response {
    let now = desk.clock.now();
    let wish = Wish::read(query.unwrap_or_default());
    match load(desk, place, is_rest, wish.from, now).await {
        Err(refusal) => *refusal,
        Ok(behind) => {
            let form = Form { disposition: wish.disposition, ..Form::default() };
            match behind.outcome(desk, &wish).await {
                Ok(outcome) => behind.view(desk, now, form, outcome, StatusCode::OK),
                Err(error) => link::unreadable(desk, &error),
            }
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
    record_answer(&desk, place, &headers, body, false).await
}

/// Records one reason for everything that is still open.
pub(super) async fn record_rest(
    State(desk): State<Desk>,
    place: Place,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    record_answer(&desk, place, &headers, body, true).await
}

async fn record_answer(
    desk: &Desk,
    place: Place,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    is_rest: bool,
) -> Response {
    let now = desk.clock.now();
    let behind = match load(desk, place, is_rest, 1, now).await {
        Ok(behind) => behind,
        Err(refusal) => return *refusal,
    };
    let Ok(body) = body else {
        let outcome = Outcome::Trouble("Not recorded: the form is too long or did not arrive whole.");
        return behind.view(desk, now, Form::default(), outcome, StatusCode::PAYLOAD_TOO_LARGE);
    };
    let mut form = Form::read(&body);
    if is_rest {
        form.disposition = Some(Disposition::NotRelevant);
    }
    if is_foreign(headers, &desk.config().web.base_url) {
        let outcome = Outcome::Trouble("Not recorded: the answer came from another site. Record it here.");
        return behind.view(desk, now, form, outcome, StatusCode::FORBIDDEN);
    }
    let is_sure = token::nonce_is_valid(&desk.key, &behind.sure_name(), &form.nonce, now);
    if !is_sure && !token::nonce_is_valid(&desk.key, &behind.form_name(), &form.nonce, now) {
        let outcome = Outcome::Trouble(
            "Not recorded yet: this form was open for too long. Your text is still here; send it again.",
        );
        return behind.view(desk, now, form, outcome, StatusCode::FORBIDDEN);
    }
    if matches!(behind.what, What::One(_)) && !behind.may_decide() {
        return behind.view(desk, now, form, Outcome::Nothing, StatusCode::CONFLICT);
    }
    let mistakes = form.mistakes();
    let Some(disposition) = form.disposition.filter(|_| mistakes.is_empty()) else {
        return behind.view(desk, now, form, Outcome::Mistakes(mistakes), StatusCode::UNPROCESSABLE_ENTITY);
    };
    let haste = acknowledge::haste(behind.page.sent_at, is_sure, now);
    if haste == Haste::Fast && desk.config().web.fast_answer == FastAnswer::Confirm {
        return behind.view(desk, now, form, Outcome::OnceMore, StatusCode::OK);
    }
    let answer = behind.answer(&form, disposition, haste);
    settled(desk, behind, form, answer, now).await
}

/// Records the answer and shows what came of it.
async fn settled(desk: &Desk, behind: Behind, form: Form, answer: Answer, now: Time) -> Response {
    let store = desk.store.clone();
    let shown = token::rendered_at(&answer.nonce);
    let recorded = tokio::task::spawn_blocking(move || acknowledge::record_of_form(&store, &answer, shown, now))
        .await
        .unwrap_or(Err(StoreError::OnPurpose("the thread that records")));
    match recorded {
        Ok(Recorded::New { record }) => behind.see_other("recorded", record),
        Ok(Recorded::Already { record, .. }) => behind.see_other("already", record),
        Ok(Recorded::Unfit(unfit)) => {
            let outcome = Outcome::Mistakes(vec![misfit(unfit)]);
            behind.view(desk, now, form, outcome, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Ok(Recorded::Passed) => {
            let outcome = Outcome::Trouble("Not recorded: somebody else has this now. Open the link again to see who.");
            behind.view(desk, now, form, outcome, StatusCode::CONFLICT)
        }
        Ok(Recorded::Changed) => {
            let outcome = Outcome::Trouble(
                "Not recorded: this has changed, or was answered, since you opened it. Look at it again; your text is still here.",
            );
            behind.view(desk, now, form, outcome, StatusCode::CONFLICT)
        }
        Err(error) => {
            tracing::error!(target: "acknowledge", digest = %behind.page.digest, %error, "an answer was not recorded");
            let outcome = Outcome::Trouble(if error.is_full() {
                "Not recorded: our storage is full. Your text is still here; try again later."
            } else {
                "Not recorded: our storage failed. Your text is still here; try again later."
            });
            behind.view(desk, now, form, outcome, StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// What the address asks for beside the place.
#[derive(Debug)]
struct Wish {
    disposition: Option<Disposition>,
    recorded: Option<u64>,
    already: Option<u64>,
    /// The first story of a long list.
    from: usize,
}

impl Wish {
    fn read(query: &str) -> Wish {
        let mut wish = Wish { disposition: None, recorded: None, already: None, from: 1 };
        for (name, value) in form_urlencoded::parse(query.as_bytes()).take(16) {
            match &*name {
                "as" => wish.disposition = Disposition::parse(&value),
                "recorded" => wish.recorded = value.parse().ok(),
                "already" => wish.already = value.parse().ok(),
                "from" => wish.from = value.parse().unwrap_or(1),
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
    what: What,
    /// Whether the address names the one story that is shown.
    is_named: bool,
    root: String,
    page: AnswerPage,
}

async fn load(desk: &Desk, place: Place, is_rest: bool, from: usize, now: Time) -> Result<Behind, Box<Response>> {
    let place = place.map(|Path(place)| place).unwrap_or_default();
    let part = |name: &str| place.iter().find_map(|(known, text)| (known == name).then_some(text.as_str()));
    let wrong = || Box::new(link::wrong(desk));
    let token = part("token").unwrap_or_default();
    let scope = link::open(desk, token, now)?;
    let named = match part("number") {
        None => None,
        Some(text) => Some(number(text).ok_or_else(wrong)?),
    };
    let what = match (scope.story, named) {
        // Only the link of a whole digest speaks for all that is open in it.
        (Some(_), _) if is_rest => return Err(wrong()),
        (Some(story), Some(named)) if story != named => return Err(wrong()),
        (story, named) => match named.or(story) {
            Some(number) => What::One(usize::from(number)),
            None if is_rest => What::Rest,
            None => What::Whole,
        },
    };
    let shown = match what {
        What::One(number) => Shown::One(number),
        What::Whole => Shown::From(from),
        What::Rest => Shown::Open,
    };
    let (store, config) = (desk.store.clone(), desk.config());
    let loaded = tokio::task::spawn_blocking(move || acknowledge::page(&store, &config, scope.digest, shown)).await;
    let page = match loaded {
        Ok(Ok(Some(page))) => page,
        Ok(Ok(None)) => return Err(wrong()),
        Ok(Err(error)) => return Err(Box::new(link::unreadable(desk, &error))),
        Err(error) => return Err(Box::new(link::unreadable(desk, &error))),
    };
    let (root, token) = (desk.root(), token.to_owned());
    Ok(Behind { token, whole: scope.story.is_none(), what, is_named: named.is_some(), root, page })
}

/// A story's number in its one spelling: no sign, no zero in front.
fn number(text: &str) -> Option<u16> {
    text.parse::<u16>().ok().filter(|number| *number > 0 && number.to_string() == text)
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
        match self.what {
            What::One(number) if self.is_named => format!("{}/a/{}/{number}", self.root, self.token),
            What::Rest => format!("{}/a/{}/rest", self.root, self.token),
            What::One(_) | What::Whole => format!("{}/a/{}", self.root, self.token),
        }
    }

    /// What a nonce is made for: the link and the story, so that a form serves nowhere else.
    fn form_name(&self) -> String {
        match self.what {
            What::One(number) => format!("{}/{number}", self.token),
            What::Whole => format!("{}/all", self.token),
            What::Rest => format!("{}/rest", self.token),
        }
    }

    /// The same for the form that asks once more.
    fn sure_name(&self) -> String {
        format!("{}/sure", self.form_name())
    }

    /// The stories that an answer of this page is about: the one, or those still open.
    fn stories(&self) -> Vec<StoryNo> {
        let places = &self.page.places;
        let of = |keep: &dyn Fn(&Placed) -> bool| -> Vec<StoryNo> {
            places.iter().filter(|place| keep(place)).map(|place| place.story).collect()
        };
        if let What::One(number) = self.what {
            return of(&|place| place.number == number);
        }
        of(&|place| place.is_open)
    }

    /// Whether there is a story that this owner may answer here.
    fn may_decide(&self) -> bool {
        match self.what {
            What::One(_) => self.page.stories.iter().all(|story| story.standing == Standing::Theirs),
            What::Whole | What::Rest => !self.stories().is_empty(),
        }
    }

    fn answer(&self, form: &Form, disposition: Disposition, haste: Haste) -> Answer {
        Answer {
            owner: self.page.owner.clone(),
            digest: Some(self.page.digest),
            stories: self.stories(),
            disposition,
            note: some(&form.note),
            references: form.references(),
            corrects: form.corrects,
            happened: None,
            nonce: form.nonce.clone(),
            via: Via::Link,
            haste,
        }
    }

    /// What the address says was done: believed only where an answer of this owner to these stories has that record.
    async fn outcome(&self, desk: &Desk, wish: &Wish) -> Result<Outcome, StoreError> {
        let Some(record) = wish.recorded.or(wish.already) else { return Ok(Outcome::Nothing) };
        let (store, owner) = (desk.store.clone(), self.page.owner.clone());
        let given = tokio::task::spawn_blocking(move || store.read(|read| read.answer_of_record(&owner, record)))
            .await
            .unwrap_or(Err(StoreError::OnPurpose("the thread that reads")))?;
        let here = |story: &StoryNo| match self.what {
            What::One(number) => self.page.places.iter().any(|place| place.number == number && place.story == *story),
            What::Whole | What::Rest => self.page.places.iter().any(|place| place.story == *story),
        };
        Ok(match given.filter(|(_, stories)| stories.iter().any(here)) {
            Some(_) if wish.recorded.is_some() => Outcome::Recorded { record },
            Some((at, _)) => Outcome::Already { at },
            None => Outcome::Nothing,
        })
    }

    fn see_other(&self, what: &str, record: u64) -> Response {
        (StatusCode::SEE_OTHER, [(header::LOCATION, format!("{}?{what}={record}", self.path()))]).into_response()
    }

    fn view(&self, desk: &Desk, now: Time, form: Form, outcome: Outcome, status: StatusCode) -> Response {
        let name = if outcome == Outcome::OnceMore { self.sure_name() } else { self.form_name() };
        let Some(nonce) = link::fresh_nonce(desk, &name, now) else { return link::without_random(desk) };
        let is_of_many = self.page.places.len() > 1 || self.what == What::Rest;
        let view = View {
            root: &self.root,
            path: self.path(),
            all_path: (self.whole && is_of_many).then(|| format!("{}/a/{}", self.root, self.token)),
            page: &self.page,
            what: self.what,
            form: Form { nonce, ..form },
            outcome,
            base_url: desk.config().web.base_url.clone(),
            now,
        };
        page::answer(status, &view)
    }
}
