//! What follows when nobody answers: when an owner is reminded, when somebody else is asked, and who that is. Pure
//! arithmetic over what is configured and what happened; the mails are composed and the rows written elsewhere.
//!
//! **When.** The clock starts when the owner's server took the digest. After `after` the owner is reminded, once: of what is
//! calm at the hour of their schedule that is next, of what is urgent outside their quiet hours; never while they are away. After
//! `deputy_after` the story goes to somebody else, but never sooner after the reminder than the two times lie apart:
//! a reminder that had to wait for a Monday leaves as much time as any other.
//!
//! **Who.** The first of the deputies in turn, else the fallback owner, who lives, may see it, is not away, and has not passed
//! it on before. Whoever took over and does not answer either is followed by the fallback owner. When nobody is left the
//! story stays with the last, overdue.

use jiff::SignedDuration;

use crate::{
    model::{
        digest::HandOver,
        feed::Tlp,
        id::OwnerId,
        owner::Owner,
        settings::{Config, RemindSettings},
        time::Time,
    },
    route,
    schedule::Schedule,
};

/// How much before its time a reminder may go, so that it comes at the hour of the day at which its digest came.
const SLACK: SignedDuration = SignedDuration::from_hours(12);

/// Since when, how often and how urgently somebody is asked for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Whether the story is urgent.
    pub urgent: bool,
    /// When the digest was handed over.
    pub delivered_at: Time,
    /// When the reminder was handed over.
    pub reminded_at: Option<Time>,
    /// Whether a reminder is on its way.
    pub is_reminding: bool,
}

/// Somebody who had a story before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Who.
    pub owner: OwnerId,
    /// Why it came to them.
    pub reason: String,
    /// Why it is theirs no more.
    pub why: HandOver,
}

/// What is to be done about a story that waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet.
    Wait,
    /// Its owner is reminded.
    Remind,
    /// Somebody else is asked, for this reason.
    HandOver(HandOver),
}

impl Asked {
    fn times(&self, settings: &RemindSettings) -> (SignedDuration, SignedDuration) {
        if self.urgent {
            (settings.urgent_after, settings.urgent_deputy_after)
        } else {
            (settings.after, settings.deputy_after)
        }
    }

    /// The same without what a clock noted that was ahead: it keeps nobody waiting.
    fn without_what_lies_ahead(self, now: Time) -> Asked {
        let reminded_at = self.reminded_at.filter(|reminded| *reminded <= now);
        Asked { delivered_at: behind(self.delivered_at, now), reminded_at, ..self }
    }

    /// From when on the owner may be reminded: of what is calm, at the first hour of their schedule. What was sent at the
    /// hour was delivered a little later, so the hour that is meant may be a little too early.
    fn remind_from(&self, settings: &RemindSettings) -> Time {
        let remind_at = later(self.delivered_at, self.times(settings).0);
        let early = if self.urgent { SignedDuration::ZERO } else { SLACK.min(settings.after / 2) };
        remind_at.saturating_sub(early).unwrap_or(remind_at)
    }

    /// When somebody else is asked, as far as what happened so far says.
    fn due_at(&self, settings: &RemindSettings) -> Time {
        let (after, deputy_after) = self.times(settings);
        let due = later(self.delivered_at, deputy_after);
        self.reminded_at.map_or(due, |reminded| due.max(later(reminded, deputy_after.saturating_sub(after))))
    }
}

fn later(time: Time, by: SignedDuration) -> Time {
    time.saturating_add(by).unwrap_or(Time::MAX)
}

/// A moment that was noted; long ago where it lies ahead of now.
fn behind(noted: Time, now: Time) -> Time {
    if noted <= now { noted } else { Time::UNIX_EPOCH }
}

/// What is to be done now about a story that waits for this owner's answer.
pub fn step(settings: &RemindSettings, owner: &Owner, asked: Asked, now: Time) -> Step {
    if !owner.is_living(now) {
        return Step::HandOver(HandOver::Left);
    }
    let is_reminded = asked.reminded_at.is_some();
    let asked = asked.without_what_lies_ahead(now);
    if let Some(back) = owner.back_at(now) {
        // What can wait for the return does.
        let cannot_wait = asked.due_at(settings) < back;
        return if cannot_wait { Step::HandOver(HandOver::Away) } else { Step::Wait };
    }
    if asked.is_reminding {
        return Step::Wait;
    }
    if !is_reminded {
        return if reminds_now(settings, owner, asked, now) { Step::Remind } else { Step::Wait };
    }
    if now < asked.due_at(settings) { Step::Wait } else { Step::HandOver(HandOver::NoAnswer) }
}

fn reminds_now(settings: &RemindSettings, owner: &Owner, asked: Asked, now: Time) -> bool {
    let since = asked.remind_from(settings);
    if asked.urgent {
        return since <= now && owner.quiet_until(now).is_none();
    }
    since <= now && hour_has_come(owner, since, now)
}

/// When somebody else is asked, as seen from `now`, if nobody answers and every mail leaves at its moment: from then on
/// the answer is overdue. The reminder that comes before, and absences, count in.
pub fn asks_next_at(settings: &RemindSettings, owner: &Owner, asked: Asked, now: Time) -> Time {
    let mut asked = asked.without_what_lies_ahead(now);
    let mut from = now;
    if let Some(back) = owner.back_at(now) {
        if asked.due_at(settings) < back {
            return now;
        }
        from = back;
    }
    loop {
        let reminded_at = asked.reminded_at.or_else(|| reminder_at(settings, owner, asked, from));
        let due = Asked { reminded_at, ..asked }.due_at(settings);
        let absence = owner.next_absence(from).filter(|(leaves, _)| *leaves < due);
        let Some((leaves, back)) = absence else { return due };
        // Who is away is not reminded, and what cannot wait for the return is somebody else's at once.
        asked.reminded_at = reminded_at.filter(|at| *at < leaves);
        if asked.due_at(settings) < back {
            return leaves;
        }
        from = back;
    }
}

/// Whether somebody else should have been asked by now. What a clock noted that was ahead is not overdue before there was a
/// reminder.
pub fn is_overdue(settings: &RemindSettings, owner: &Owner, asked: Asked, now: Time) -> bool {
    let seen = asked.without_what_lies_ahead(now);
    let from = seen.reminded_at.or(Some(asked.delivered_at).filter(|delivered| *delivered <= now));
    from.is_some_and(|from| asks_next_at(settings, owner, seen, from) <= now)
}

/// When the owner is reminded, not before this moment.
fn reminder_at(settings: &RemindSettings, owner: &Owner, asked: Asked, from: Time) -> Option<Time> {
    let since = asked.remind_from(settings).max(from);
    if asked.urgent {
        return Some(owner.quiet_until(since).unwrap_or(since));
    }
    next_hour(owner, since)
}

/// The first hour of the owner's schedule from this moment on.
fn next_hour(owner: &Owner, since: Time) -> Option<Time> {
    let before = since.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(since);
    Schedule::parse(&owner.digest).ok()?.next_after(&owner.timezone, before)
}

/// Whether an hour of the owner's schedule has come since this moment, absences not counted.
pub fn hour_has_come(owner: &Owner, since: Time, now: Time) -> bool {
    let since = behind(since, now);
    let since = owner.back_since(now).map_or(since, |back| back.max(since));
    next_hour(owner, since).is_some_and(|hour| hour <= now)
}

/// Who is asked next about a story that `owner` has and that those of `before` passed on; `None`: nobody is left.
pub fn next(
    config: &Config,
    (owner, before): (&OwnerId, &[Link]),
    (why, tlp): (HandOver, Tlp),
    now: Time,
) -> Option<OwnerId> {
    let had = |id: &OwnerId| id == owner || before.iter().any(|link| link.owner == *id && link.why != HandOver::Away);
    let can = |id: &&OwnerId| !had(id) && route::can_get_now(config, id, tlp, now);
    let mut line = route::deputies(config, owner);
    let is_second = why == HandOver::NoAnswer && before.iter().any(|link| link.why == HandOver::NoAnswer);
    line.insert(if is_second { 0 } else { line.len() }, &config.fallback);
    if let Some(next) = line.into_iter().find(can) {
        return Some(next.clone());
    }
    // What nobody was told of at all goes to whoever may see it, and what somebody leaves behind even to those who have
    // passed it on.
    let is_lost = matches!(why, HandOver::Undelivered | HandOver::Bounced | HandOver::Left);
    let is_left = why == HandOver::Left;
    let others = || {
        let others = route::deputies(config, owner).into_iter().chain([&config.fallback]);
        others.chain(config.owners.iter().map(|other| &other.id)).filter(|id| route::can_get(config, id, tlp, now))
    };
    let anybody = others().filter(|id| is_lost && !had(id)).min_by_key(|id| !route::is_here(config, id, now));
    let again = || others().filter(|id| is_left && *id != owner).min_by_key(|id| !route::is_here(config, id, now));
    anybody.or_else(again).cloned()
}

/// The reason for who gets a story that `owner` had for this reason, in whole sentences.
pub fn reason(config: &Config, owner: &OwnerId, (reason, before): (&str, &[Link]), why: HandOver, now: Time) -> String {
    let name = |id: &OwnerId| config.owner(id).map_or_else(|| id.to_string(), |owner| owner.name.clone());
    let cause = match why {
        HandOver::NoAnswer => "who has not answered".to_owned(),
        HandOver::Away => route::is_away_in_words(config, owner, now),
        HandOver::Undelivered => "whom no mail reaches".to_owned(),
        HandOver::Bounced => "whose mail came back".to_owned(),
        HandOver::Left => "who cannot get it any more".to_owned(),
    };
    match before.first().filter(|first| first.owner != *owner) {
        None => format!("It was meant for {}, {cause}: \"{}\".", name(owner), reason.trim_end_matches('.')),
        Some(first) => format!(
            "It was meant for {}: \"{}\". Then it was with {}, {cause}.",
            name(&first.owner),
            first.reason.trim_end_matches('.'),
            name(owner),
        ),
    }
}

#[cfg(test)]
mod tests {
    use jiff::{
        civil::{date, time},
        tz::TimeZone,
    };

    use super::*;
    use crate::model::owner::{Away, QuietHours};

    fn at(moment: &str) -> Time {
        moment.parse().unwrap()
    }

    fn maria() -> Owner {
        let config = route::tests::config();
        let zone = TimeZone::get("Europe/London").unwrap();
        Owner { timezone: zone, digest: "0 8 * * MON-FRI".into(), ..config.owners[0].clone() }
    }

    fn asked(delivered: &str, reminded: Option<&str>) -> Asked {
        Asked { urgent: false, delivered_at: at(delivered), reminded_at: reminded.map(at), is_reminding: false }
    }

    fn now(owner: &Owner, asked: Asked, moment: &str) -> Step {
        step(&RemindSettings::default(), owner, asked, at(moment))
    }

    #[test]
    fn a_calm_story_is_reminded_of_at_the_owners_hour_and_a_weekend_takes_no_time_from_anybody() {
        let story = asked("2026-11-18T08:00:03Z", None);
        for (moment, expected) in [
            ("2026-11-20T08:01:00Z", Step::Wait),
            ("2026-11-21T08:00:03Z", Step::Wait),
            ("2026-11-23T07:59:59Z", Step::Wait),
            ("2026-11-23T08:00:00Z", Step::Remind),
            ("2026-12-23T08:00:00Z", Step::Remind),
        ] {
            assert_eq!(now(&maria(), story, moment), expected, "{moment}");
        }
        let reminded = asked("2026-11-18T08:00:03Z", Some("2026-11-23T08:00:01Z"));
        assert_eq!(now(&maria(), reminded, "2026-11-25T08:00:00Z"), Step::Wait);
        assert_eq!(now(&maria(), reminded, "2026-11-25T08:00:01Z"), Step::HandOver(HandOver::NoAnswer));
    }

    #[test]
    fn a_reminder_of_a_clock_that_was_ahead_keeps_nobody_waiting() {
        let story = asked("2026-11-18T08:00:00Z", Some("2027-11-18T08:00:00Z"));
        assert_eq!(now(&maria(), story, "2026-11-22T08:00:00Z"), Step::Wait);
        assert_eq!(now(&maria(), story, "2026-11-23T08:00:00Z"), Step::HandOver(HandOver::NoAnswer));
    }

    #[test]
    fn the_hour_of_a_reminder_is_that_of_the_owners_clock_after_it_was_changed() {
        // The clocks go back on 25 October.
        let story = asked("2026-10-22T07:00:00Z", None);
        assert_eq!(now(&maria(), story, "2026-10-26T07:59:00Z"), Step::Wait);
        assert_eq!(now(&maria(), story, "2026-10-26T08:00:00Z"), Step::Remind);
    }

    #[test]
    fn an_urgent_story_is_reminded_of_at_once_but_not_in_quiet_hours() {
        let quiet_hours = Some(QuietHours { from: time(22, 0, 0, 0), to: time(6, 0, 0, 0) });
        let owner = Owner { quiet_hours, ..maria() };
        let story = Asked { urgent: true, ..asked("2026-11-20T20:00:00Z", None) };
        assert_eq!(now(&maria(), story, "2026-11-20T23:00:00Z"), Step::Remind);
        assert_eq!(now(&owner, story, "2026-11-20T23:00:00Z"), Step::Wait);
        assert_eq!(now(&owner, story, "2026-11-21T06:00:00Z"), Step::Remind);
        let reminded = Asked { reminded_at: Some(at("2026-11-21T06:00:00Z")), ..story };
        assert_eq!(now(&owner, reminded, "2026-11-21T08:59:59Z"), Step::Wait, "as long as after any reminder");
        assert_eq!(now(&owner, reminded, "2026-11-21T09:00:00Z"), Step::HandOver(HandOver::NoAnswer));
    }

    #[test]
    fn who_is_away_is_not_reminded_and_keeps_what_can_wait() {
        let away = vec![Away { from: date(2026, 11, 23), to: date(2026, 11, 24) }];
        let owner = Owner { away, ..maria() };
        let story = asked("2026-11-18T08:00:00Z", None);
        assert_eq!(now(&owner, story, "2026-11-22T23:59:59Z"), Step::Wait);
        assert_eq!(now(&owner, story, "2026-11-23T00:00:00Z"), Step::HandOver(HandOver::Away), "due within it");
        let later = asked("2026-11-20T08:00:00Z", None);
        assert_eq!(now(&owner, later, "2026-11-23T08:00:00Z"), Step::Wait, "due after it");
        assert_eq!(now(&owner, later, "2026-11-25T00:00:00Z"), Step::Wait, "in the night of the return");
        assert_eq!(now(&owner, later, "2026-11-25T08:00:00Z"), Step::Remind, "at the hour");
    }

    /// When the steps really lead to somebody else, looked at every half hour.
    fn lived(owner: &Owner, mut asked: Asked) -> Time {
        let half = SignedDuration::from_mins(30);
        let mut now = asked.delivered_at;
        loop {
            match step(&RemindSettings::default(), owner, asked, now) {
                Step::HandOver(_) => return now,
                Step::Remind => asked.reminded_at = Some(now),
                Step::Wait => {}
            }
            now = now.saturating_add(half).unwrap();
            assert!(now < at("2027-03-01T00:00:00Z"), "nobody is ever asked");
        }
    }

    #[test]
    fn the_moment_that_is_told_is_the_one_at_which_somebody_else_is_asked() {
        let away = |from, to| vec![Away { from, to }];
        let quiet_hours = Some(QuietHours { from: time(22, 0, 0, 0), to: time(6, 0, 0, 0) });
        let owners = [
            maria(),
            Owner { digest: "0 9 * * MON,THU".into(), ..maria() },
            Owner { digest: "30 7 1 * *".into(), ..maria() },
            Owner { timezone: TimeZone::get("Asia/Kathmandu").unwrap(), quiet_hours, ..maria() },
            Owner { away: away(date(2026, 11, 20), date(2026, 11, 20)), ..maria() },
            Owner { away: away(date(2026, 11, 23), date(2026, 12, 4)), quiet_hours, ..maria() },
            Owner {
                away: [away(date(2026, 11, 19), date(2026, 11, 22)), away(date(2026, 11, 23), date(2026, 11, 24))]
                    .concat(),
                ..maria()
            },
        ];
        for (n, owner) in owners.iter().enumerate() {
            for hours in (0..14 * 24).step_by(7) {
                for urgent in [false, true] {
                    let delivered_at =
                        at("2026-11-09T08:00:00Z").saturating_add(SignedDuration::from_hours(hours)).unwrap();
                    let told = Asked { urgent, delivered_at, reminded_at: None, is_reminding: false };
                    let said = asks_next_at(&RemindSettings::default(), owner, told, delivered_at);
                    let late = lived(owner, told).duration_since(said);
                    let is_true = SignedDuration::ZERO <= late && late < SignedDuration::from_mins(30);
                    assert!(is_true, "owner {n}, told {delivered_at}, urgent {urgent}: said {said}, off by {late}");
                }
            }
        }
    }

    #[test]
    fn what_is_overdue_is_not_what_was_just_reminded_of_nor_what_a_clock_noted_that_was_ahead() {
        let away = vec![Away { from: date(2026, 12, 20), to: date(2027, 1, 3) }];
        let owner = Owner { away, ..maria() };
        let is = |asked, moment: &str| is_overdue(&RemindSettings::default(), &owner, asked, at(moment));
        let told = asked("2026-12-18T08:00:00Z", None);
        assert!(!is(told, "2026-12-19T23:00:00Z") && is(told, "2026-12-20T08:00:00Z"), "nobody could be asked");
        let reminded = asked("2026-12-18T08:00:00Z", Some("2027-01-04T08:00:00Z"));
        assert!(!is(reminded, "2027-01-05T08:00:00Z") && is(reminded, "2027-01-06T08:00:00Z"));
        let ahead = asked("2031-01-01T08:00:00Z", None);
        assert!(!is(ahead, "2026-11-18T08:00:00Z"));
        let ahead = asked("2031-01-01T08:00:00Z", Some("2026-11-18T08:00:00Z"));
        assert!(!is(ahead, "2026-11-20T07:59:00Z") && is(ahead, "2026-11-20T08:00:00Z"));
        let said = asks_next_at(&RemindSettings::default(), &owner, ahead, at("2026-11-18T08:00:00Z"));
        assert_eq!(said, at("2026-11-20T08:00:00Z"), "as the reminder says it");
    }

    fn link(owner: &str, why: HandOver) -> Link {
        Link { owner: owner.into(), reason: "Quillgate VPN is yours.".into(), why }
    }

    fn asks(config: &Config, owner: &str, before: &[Link], why: HandOver) -> Option<String> {
        let now = at("2099-01-02T08:00:00Z");
        next(config, (&owner.into(), before), (why, Tlp::Green), now).map(|id| id.to_string())
    }

    /// Maria, Jon, Ines and Kim in a row of deputies; the fallback is Kim.
    fn company() -> Config {
        let mut config = route::tests::config();
        let person = |id: &str, deputy: Option<&str>| Owner {
            id: id.into(),
            deputy: deputy.map(Into::into),
            tlp: Tlp::Amber,
            until: None,
            ..config.owners[0].clone()
        };
        config.owners =
            vec![person("maria", Some("jon")), person("jon", Some("ines")), person("ines", None), person("kim", None)];
        config.fallback = "kim".into();
        config
    }

    #[test]
    fn the_deputy_is_asked_and_then_the_fallback_and_then_nobody() {
        let config = company();
        assert_eq!(asks(&config, "maria", &[], HandOver::NoAnswer).as_deref(), Some("jon"));
        let jon = [link("maria", HandOver::NoAnswer)];
        assert_eq!(asks(&config, "jon", &jon, HandOver::NoAnswer).as_deref(), Some("kim"));
        let kim = [link("maria", HandOver::NoAnswer), link("jon", HandOver::NoAnswer)];
        assert_eq!(asks(&config, "kim", &kim, HandOver::NoAnswer), None);
    }

    #[test]
    fn nobody_is_asked_who_passed_it_on_who_left_who_is_away_or_who_may_not_see_it() {
        let mut config = company();
        config.owners[1].away = vec![Away { from: date(2099, 1, 1), to: date(2099, 1, 9) }];
        assert_eq!(asks(&config, "maria", &[], HandOver::NoAnswer).as_deref(), Some("ines"));
        config.owners[2].tlp = Tlp::Clear;
        assert_eq!(asks(&config, "maria", &[], HandOver::NoAnswer).as_deref(), Some("kim"));
        config.owners[3].until = Some(date(2099, 1, 1));
        assert_eq!(asks(&config, "maria", &[], HandOver::NoAnswer), None, "it stays with her");
        assert_eq!(asks(&config, "maria", &[], HandOver::Bounced).as_deref(), Some("jon"), "better than nobody");
        let mut config = company();
        config.fallback = "maria".into();
        let jon = [link("maria", HandOver::NoAnswer)];
        assert_eq!(asks(&config, "jon", &jon, HandOver::NoAnswer).as_deref(), Some("ines"), "no circle");
        let away = [link("maria", HandOver::Away)];
        assert_eq!(asks(&config, "ines", &away, HandOver::NoAnswer).as_deref(), Some("maria"), "she was never asked");
    }

    #[test]
    fn the_reason_names_who_was_meant_and_who_had_it_last() {
        let config = route::tests::config();
        let owners: Vec<_> = config.owners.iter().map(|owner| (owner.id.clone(), owner.name.clone())).collect();
        let ((first, first_name), (second, second_name)) = (owners[0].clone(), owners[1].clone());
        let now = at("2099-01-02T08:00:00Z");
        let once = reason(&config, &first, ("Quillgate VPN is yours.", &[]), HandOver::NoAnswer, now);
        assert_eq!(once, format!("It was meant for {first_name}, who has not answered: \"Quillgate VPN is yours\"."));
        let before = [link(first.as_str(), HandOver::NoAnswer)];
        let twice = reason(&config, &second, (&once, &before), HandOver::Bounced, now);
        assert_eq!(
            twice,
            format!(
                "It was meant for {first_name}: \"Quillgate VPN is yours\". Then it was with {second_name}, whose mail came back."
            )
        );
    }
}
