//! Permanent redirects: when a feed's new address is asked from now on, when a person is asked instead, and when an
//! address that was taken is given up again. Pure; the state is the feed's row, and `now` is an argument.
//!
//! 301 and 308 are permanent, 302, 303 and 307 are not (RFC 9110 section 15.4); one redirect on the way that is not makes
//! the whole way no move.

use jiff::SignedDuration;
use psl::domain_str;
use url::{Host, Url};

use crate::model::{
    feed::{FeedState, FeedStatus, Moving, Validators},
    time::Time,
};

/// How many equal answers in a row prove a move ...
const ENOUGH: u32 = 3;
/// ... that lie at least this far apart.
const LONG_ENOUGH: SignedDuration = SignedDuration::from_hours(24);
/// After how many failures in a row an address that was taken is given up.
const MOST_FAILURES: u32 = 3;

/// Where the answer to a poll came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// There is no answer, or none that is a feed with something in it: it says nothing of addresses.
    Nowhere,
    /// The address that was asked, or one behind a redirect that is not for good.
    Asked,
    /// Another address, behind redirects that are all permanent.
    Moved(Url),
}

impl Source {
    /// The source of an answer from this address, or from the one that was asked.
    pub fn of(moved: Option<Url>) -> Source {
        moved.map_or(Source::Asked, Source::Moved)
    }
}

/// What a poll changed about a feed's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A permanent redirect was seen for the first time; nothing is taken yet.
    Seen,
    /// The new address is asked from now on.
    Followed,
    /// The move is proved, and a person decides.
    Asked,
    /// An editor wrote the new address into `feeds.toml`.
    Agreed,
    /// The address that was taken is asked no more.
    Dropped,
}

impl Kind {
    /// The kind's word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Seen => "seen",
            Kind::Followed => "followed",
            Kind::Asked => "asked",
            Kind::Agreed => "agreed",
            Kind::Dropped => "dropped",
        }
    }
}

/// One step of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What happened.
    pub kind: Kind,
    /// The address before.
    pub from: String,
    /// The address that the redirects lead to, or that is asked again.
    pub to: String,
    /// When the first of the equal answers came; of an address that is given up, since when it was asked.
    pub since: Option<Time>,
    /// How many equal answers there were.
    pub times: u32,
    /// Why, in words.
    pub reason: String,
}

/// The address that a feed is asked at: where it moved to, else the configured one.
pub fn address(status: &FeedStatus, configured: &Url) -> Url {
    let moved = status.moved_to.as_deref().and_then(|moved| Url::parse(moved).ok());
    moved.unwrap_or_else(|| configured.clone())
}

/// Takes an answer into account: `status` is the feed's after the answer. Gives the step that was taken, if one was.
pub fn observe(status: &mut FeedStatus, configured: &Url, source: &Source, now: Time) -> Option<Step> {
    match source {
        Source::Nowhere => give_up(status, configured, now),
        Source::Asked => {
            status.moving = None;
            None
        }
        Source::Moved(to) => redirected(status, configured, to, now),
    }
}

fn redirected(status: &mut FeedStatus, configured: &Url, to: &Url, now: Time) -> Option<Step> {
    let asked = address(status, configured);
    let before = status.moving.take();
    if *to == asked {
        return None;
    }
    let mut moving = match before {
        Some(moving) if moving.to == to.as_str() => {
            // What was seen in the future was seen by a clock that was ahead.
            Moving { since: moving.since.min(now), times: moving.times.saturating_add(1), ..moving }
        }
        _ => Moving { to: to.to_string(), since: now, times: 1, asked_at: None },
    };
    let step = |kind, moving: &Moving, reason: String| {
        let (from, to) = (asked.to_string(), moving.to.clone());
        Some(Step { kind, from, to, since: Some(moving.since), times: moving.times, reason })
    };
    let is_proved = moving.times >= ENOUGH && now.duration_since(moving.since) >= LONG_ENOUGH;
    if !is_proved {
        let seen = if moving.times == 1 { step(Kind::Seen, &moving, "permanent redirect".to_owned()) } else { None };
        status.moving = Some(moving);
        return seen;
    }
    match objection(configured, to) {
        None => {
            // Back at the configured address, nothing is left to remember.
            status.moved_to = (to != configured).then(|| to.to_string());
            status.moved_at = (to != configured).then_some(now);
            status.move_told = None;
            step(Kind::Followed, &moving, "same site".to_owned())
        }
        Some(reason) => {
            let asks = if moving.asked_at.is_none() { step(Kind::Asked, &moving, reason) } else { None };
            if asks.is_some() {
                moving.asked_at = Some(now);
                status.move_told = None;
            }
            status.moving = Some(moving);
            asks
        }
    }
}

/// An address that was taken and does not give the feed any more is left for the configured one.
fn give_up(status: &mut FeedStatus, configured: &Url, now: Time) -> Option<Step> {
    let taken = status.moved_to.clone()?;
    let is_lost = !status.state.answers() && status.state != FeedState::Throttled;
    let is_settled = status.failures >= MOST_FAILURES && now.duration_since(status.in_trouble_since()) >= LONG_ENOUGH;
    if !(is_lost && is_settled) {
        return None;
    }
    status.moved_to = None;
    status.moving = None;
    // Validators belong to an address.
    status.validators = Validators::default();
    Some(Step {
        kind: Kind::Dropped,
        from: taken,
        to: configured.to_string(),
        since: status.moved_at.take(),
        times: 0,
        reason: format!("it does not give the feed any more: {}", status.cause),
    })
}

/// Why a proved move is not followed unasked; `None`: it is.
pub fn objection(configured: &Url, to: &Url) -> Option<String> {
    if !same_site(configured, to) {
        let host = to.host_str().unwrap_or_default();
        return Some(format!("the new address is on another site, {host}"));
    }
    (to.scheme() != "https").then(|| "the new address is not https".to_owned())
}

/// What a person is asked of a move that is not followed unasked, to be read behind "its publisher"; the address comes
/// behind it.
pub fn question(configured: &Url, to: &str) -> String {
    let why = Url::parse(to).ok().and_then(|to| objection(configured, &to));
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    format!("redirects it for good{why}. It is read there for now; if that is right, write this address in feeds.toml")
}

/// Whether two addresses belong to one registrable domain (the public suffix list, private part included). Hosts without
/// one, such as numeric addresses, are a site each.
pub fn same_site(a: &Url, b: &Url) -> bool {
    match (a.host(), b.host()) {
        (Some(Host::Domain(a)), Some(Host::Domain(b))) => site(a) == site(b),
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn site(host: &str) -> &str {
    let host = host.trim_end_matches('.');
    domain_str(host).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{FeedId, FeedNo};

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn start() -> Time {
        "2026-11-20T08:00:00Z".parse().unwrap()
    }

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn status() -> FeedStatus {
        FeedStatus {
            validators: Validators { etag: Some(b"\"1\"".to_vec()), last_modified: None },
            state: FeedState::Ok,
            ..FeedStatus::unpolled(FeedNo(1), FeedId::new("tarn"), start())
        }
    }

    /// The kinds of the steps that these answers bring, twelve hours apart each.
    fn steps(status: &mut FeedStatus, configured: &Url, sources: &[Source]) -> Vec<Option<Kind>> {
        let mut now = start();
        let mut kinds = Vec::new();
        for source in sources {
            kinds.push(observe(status, configured, source, now).map(|step| step.kind));
            now += HOUR * 12;
        }
        kinds
    }

    const OLD: &str = "http://feeds.tarn.example/all.xml";
    const NEW: &str = "https://www.tarn.example/feed";

    #[test]
    fn p_12_three_equal_permanent_answers_over_a_day_are_a_move() {
        let (mut feed, old, moved) = (status(), url(OLD), Source::Moved(url(NEW)));
        let seen = steps(&mut feed, &old, &[moved.clone(), moved.clone(), moved.clone()]);
        assert_eq!(seen, [Some(Kind::Seen), None, Some(Kind::Followed)]);
        assert_eq!((feed.moved_to.as_deref(), &feed.moving), (Some(NEW), &None));
        assert_eq!(address(&feed, &old), url(NEW));
        assert!(!feed.validators.is_empty(), "the answers came from there already");
        assert_eq!(steps(&mut feed, &old, &[Source::Asked]), [None]);
        assert_eq!(feed.moved_to.as_deref(), Some(NEW), "it answers there");
    }

    #[test]
    fn p_12_many_answers_within_a_day_and_two_after_one_are_no_move_yet() {
        let (old, moved) = (url(OLD), Source::Moved(url(NEW)));
        let mut feed = status();
        for minute in 0..1_439 {
            observe(&mut feed, &old, &moved, start() + SignedDuration::from_mins(minute));
        }
        assert_eq!((feed.moved_to, feed.moving.unwrap().times), (None, 1_439));
        let mut feed = status();
        observe(&mut feed, &old, &moved, start());
        observe(&mut feed, &old, &moved, start() + HOUR * 24 * 30);
        assert_eq!((feed.moved_to, feed.moving.unwrap().times), (None, 2));
    }

    #[test]
    fn p_12_what_interrupts_the_row_begins_it_anew_and_a_failure_does_not() {
        let (old, moved) = (url(OLD), || Source::Moved(url(NEW)));
        let other = Source::Moved(url("https://www.tarn.example/elsewhere"));
        for between in [Source::Asked, other] {
            let mut feed = status();
            steps(&mut feed, &old, &[moved(), moved(), between.clone(), moved(), moved()]);
            assert_eq!((feed.moved_to, feed.moving.unwrap().times), (None, 2), "{between:?}");
        }
        let mut feed = status();
        steps(&mut feed, &old, &[moved(), Source::Nowhere, moved(), Source::Nowhere, moved()]);
        assert_eq!(feed.moved_to.as_deref(), Some(NEW));
    }

    #[test]
    fn p_13_a_move_to_another_site_or_without_https_asks_a_person_once() {
        let old = url(OLD);
        for (to, words) in [
            ("https://marrow.example/all.xml", "another site, marrow.example"),
            ("https://tarn.example.marrow.example/", "another site"),
            ("https://feeds-tarn.example/", "another site"),
            ("http://feeds.tarn.example/new.xml", "not https"),
            ("https://127.0.0.2/all.xml", "another site"),
        ] {
            let (mut feed, mut asked) = (status(), Vec::new());
            for day in 0..6 {
                let now = start() + HOUR * 24 * day;
                asked.extend(observe(&mut feed, &old, &Source::Moved(url(to)), now).filter(|it| it.kind != Kind::Seen));
            }
            let [step] = asked.as_slice() else { panic!("{to}: {asked:?}") };
            assert_eq!((step.kind, step.times, step.to.as_str()), (Kind::Asked, 3, to));
            assert!(step.reason.contains(words), "{}", step.reason);
            assert_eq!((feed.moved_to, feed.moving.unwrap().asked_at), (None, Some(start() + HOUR * 48)));
        }
    }

    #[test]
    fn a_site_is_what_one_can_register_and_a_numeric_address_is_its_own() {
        for (a, b, same) in [
            ("https://a.tarn.example/", "https://tarn.example./x", true),
            ("https://a.co.uk/", "https://b.co.uk/", false),
            ("https://www.a.co.uk/", "https://feeds.a.co.uk:8443/", true),
            ("https://alice.github.io/", "https://bob.github.io/", false),
            ("https://github.io/", "https://bob.github.io/", false),
            ("https://10.1.2.3/", "https://10.9.2.3/", false),
            ("https://10.1.2.3/a", "https://10.1.2.3/b", true),
            ("https://[::1]/a", "https://[::1]/b", true),
            ("https://localhost/a", "https://localhost/b", true),
        ] {
            assert_eq!(same_site(&url(a), &url(b)), same, "{a} {b}");
        }
    }

    #[test]
    fn a_move_may_go_on_and_come_back() {
        let (mut feed, old) = (status(), url("https://a.tarn.example/1"));
        let to = |text: &str| vec![Source::Moved(url(text)); 3];
        steps(&mut feed, &old, &to("https://b.tarn.example/2"));
        steps(&mut feed, &old, &to("https://c.tarn.example/3"));
        assert_eq!(feed.moved_to.as_deref(), Some("https://c.tarn.example/3"));
        assert_eq!(steps(&mut feed, &old, &to(old.as_str()))[2], Some(Kind::Followed));
        assert_eq!((feed.moved_to, feed.moved_at), (None, None));
    }

    #[test]
    fn a_new_address_that_fails_for_a_day_is_left_for_the_configured_one() {
        let (mut feed, old) = (status(), url(OLD));
        feed.moved_to = Some(NEW.to_owned());
        for (state, failures, hours, dropped) in [
            (FeedState::Gone, 3, 23, false),
            (FeedState::Gone, 2, 48, false),
            (FeedState::Throttled, 9, 48, false),
            (FeedState::NotAFeed, 3, 24, true),
        ] {
            (feed.state, feed.failures, feed.unseen_since) = (state, failures, Some(start()));
            feed.since = start() + HOUR * (hours - 1);
            let step = observe(&mut feed, &old, &Source::Nowhere, start() + HOUR * hours);
            assert_eq!(step.map(|step| (step.kind, step.to)), dropped.then(|| (Kind::Dropped, OLD.to_owned())));
        }
        assert!(feed.validators.is_empty());
        assert_eq!(address(&feed, &old), old);
    }

    #[test]
    fn a_clock_that_was_ahead_delays_no_move_for_ever() {
        let (mut feed, old, moved) = (status(), url(OLD), Source::Moved(url(NEW)));
        observe(&mut feed, &old, &moved, start() + HOUR * 24 * 3_650);
        steps(&mut feed, &old, &[moved.clone(), moved.clone(), moved]);
        assert_eq!(feed.moved_to.as_deref(), Some(NEW));
    }
}
