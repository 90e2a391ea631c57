//! What a request to the answer page does: open the link, load what stands behind it, and, for a POST from our own
//! form only, record what the person says. Wording is in `page`.

use axum::{
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use url::form_urlencoded;

use super::{
    Desk,
    form::{Form, misfit, some},
    link::{self, NoPage},
    page::{self, Outcome, View, What},
    sent::{Sent, unstored},
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
        Err(none) => none.show(desk, None, now),
        Ok(behind) => {
            let form = Form { disposition: wish.disposition, ..Form::default() };
            match behind.outcome(desk, &wish).await {
                Ok(outcome) => behind.view(desk, now, form, outcome, StatusCode::OK),
                Err(error) => link::unreadable(&error).show(desk, None, now),
            }
        }
    }
}

/// Records what the form says, once for each form.
pub(super) async fn record(State(desk): State<Desk>, place: Place, sent: Sent) -> Response {
    record_answer(&desk, place, &sent, false).await
}

/// Records one reason for everything that is still open.
pub(super) async fn record_rest(State(desk): State<Desk>, place: Place, sent: Sent) -> Response {
    record_answer(&desk, place, &sent, true).await
}

async fn record_answer(desk: &Desk, place: Place, sent: &Sent, is_rest: bool) -> Response {
    let now = desk.clock.now();
    let behind = match load(desk, place, is_rest, 1, now).await {
        Ok(behind) => behind,
        Err(none) => return none.show(desk, Some(&sent.typed()), now),
    };
    let mut form = Form::read(sent.fields());
    if is_rest {
        form.disposition = Some(Disposition::NotRelevant);
    }
    let may_decide = behind.may_decide();
    let is_sure = token::nonce_is_valid(&desk.key, &behind.sure_name(), &form.nonce, now);
    let is_fresh = is_sure || token::nonce_is_valid(&desk.key, &behind.form_name(), &form.nonce, now);
    if let Some((status, words)) = sent.objection(is_fresh) {
        let outcome = if may_decide { Outcome::Trouble(words.to_owned()) } else { Outcome::Gone };
        return behind.view(desk, now, form, outcome, status);
    }
    let mistakes = if may_decide { form.mistakes() } else { Vec::new() };
    if !mistakes.is_empty() {
        return behind.view(desk, now, form, Outcome::Mistakes(mistakes), StatusCode::UNPROCESSABLE_ENTITY);
    }
    let Some(disposition) = form.disposition else {
        return behind.view(desk, now, form, Outcome::Gone, StatusCode::CONFLICT);
    };
    let haste = acknowledge::haste(behind.page.sent_at, is_sure, now);
    if may_decide && haste == Haste::Fast && desk.config().web.fast_answer == FastAnswer::Confirm {
        return behind.view(desk, now, form, Outcome::OnceMore, StatusCode::OK);
    }
    let answer = behind.answer(&form, disposition, haste);
    settled(desk, behind, form, answer, now).await
}

/// Records the answer and shows what came of it. Where nothing is the owner's to answer any more, all that can come of it is
/// that the same form was recorded before.
async fn settled(desk: &Desk, behind: Behind, form: Form, answer: Answer, now: Time) -> Response {
    let shown = token::rendered_at(&answer.nonce);
    let recorded = desk.in_store(move |store, _| acknowledge::record_of_form(store, &answer, shown, now)).await;
    let (status, outcome) = match recorded {
        Ok(Recorded::New { record }) => return link::see_other(&behind.path(), "recorded", record),
        Ok(Recorded::Already { record, .. }) => return link::see_other(&behind.path(), "already", record),
        Ok(Recorded::Otherwise { record }) => (StatusCode::CONFLICT, Outcome::Otherwise { record }),
        Ok(Recorded::Unfit(unfit)) => (StatusCode::UNPROCESSABLE_ENTITY, Outcome::Mistakes(vec![misfit(unfit)])),
        Ok(Recorded::Changed) if !behind.may_decide() => (StatusCode::CONFLICT, Outcome::Gone),
        Ok(Recorded::Passed) => {
            let words = "Not recorded: somebody else has this now. Open the link again to see who.";
            (StatusCode::CONFLICT, Outcome::Trouble(words.to_owned()))
        }
        Ok(Recorded::Changed) => {
            let words = "Not recorded: this has changed, or was answered, since you opened it. Look at it again; your text is \
                         still here.";
            (StatusCode::CONFLICT, Outcome::Trouble(words.to_owned()))
        }
        Err(error) => {
            tracing::error!(target: "acknowledge", digest = %behind.page.digest, %error, "an answer was not recorded");
            let words = unstored(&error, "Your text is still here; try again later.");
            (StatusCode::SERVICE_UNAVAILABLE, Outcome::Trouble(words))
        }
    };
    behind.view(desk, now, form, outcome, status)
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

async fn load(desk: &Desk, place: Place, is_rest: bool, from: usize, now: Time) -> Result<Behind, NoPage> {
    let place = place.map(|Path(place)| place).unwrap_or_default();
    let part = |name: &str| place.iter().find_map(|(known, text)| (known == name).then_some(text.as_str()));
    let token = part("token").unwrap_or_default();
    let scope = link::open(desk, token, now)?;
    let named = match part("number") {
        None => None,
        Some(text) => Some(number(text).ok_or(NoPage::Wrong)?),
    };
    let what = match (scope.story, named) {
        // Only the link of a whole digest speaks for all that is open in it.
        (Some(_), _) if is_rest => return Err(NoPage::Wrong),
        (Some(story), Some(named)) if story != named => return Err(NoPage::Wrong),
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
    let digest = scope.digest;
    let page = link::behind(desk, move |store, config| acknowledge::page(store, config, digest, shown)).await?;
    let (root, token) = (desk.root(), token.to_owned());
    Ok(Behind { token, whole: scope.story.is_none(), what, is_named: named.is_some(), root, page })
}

/// A story's number in its one spelling: no sign, no zero in front.
fn number(text: &str) -> Option<u16> {
    text.parse::<u16>().ok().filter(|number| *number > 0 && number.to_string() == text)
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

    /// The stories that an answer of this page is about: the one, or those still open; none that is not theirs to answer.
    fn stories(&self) -> Vec<StoryNo> {
        let is_asked = |place: &&Placed| match self.what {
            What::One(number) => place.number == number && self.may_decide(),
            What::Whole | What::Rest => place.is_open,
        };
        self.page.places.iter().filter(is_asked).map(|place| place.story).collect()
    }

    /// Whether there is a story that this owner may answer here.
    fn may_decide(&self) -> bool {
        match self.what {
            What::One(_) => self.page.stories.iter().all(|story| story.standing == Standing::Theirs),
            What::Whole | What::Rest => self.page.open() > 0,
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
        let owner = self.page.owner.clone();
        let given = desk.in_store(move |store, _| store.read(|read| read.answer_of_record(&owner, record))).await?;
        let here = |story: &StoryNo| match self.what {
            What::One(number) => self.page.places.iter().any(|place| place.number == number && place.story == *story),
            What::Whole | What::Rest => self.page.places.iter().any(|place| place.story == *story),
        };
        Ok(match given.filter(|(_, stories)| stories.iter().any(here)) {
            Some(_) if wish.recorded.is_some() => Outcome::Recorded { record },
            Some((at, _)) => Outcome::Already { at, record },
            None => Outcome::Nothing,
        })
    }

    fn view(&self, desk: &Desk, now: Time, form: Form, outcome: Outcome, status: StatusCode) -> Response {
        let name = if outcome == Outcome::OnceMore { self.sure_name() } else { self.form_name() };
        let Some(nonce) = link::fresh_nonce(desk, &name, now) else {
            let typed = (status != StatusCode::OK).then(|| form.typed());
            return NoPage::Unreadable.show(desk, typed.as_deref(), now);
        };
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
