//! Named owners: who gets what, when and up to which label.

use jiff::{
    civil::{self, Date},
    tz::TimeZone,
};

use super::{feed::Tlp, id::OwnerId, time::Time};

/// Days on which somebody is away, in their own zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Away {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
}

/// Hours in which somebody is sent no mail but their digest, on the clocks of their zone; they may cross midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// When they begin.
    pub from: civil::Time,
    /// When they end: the first moment that is not quiet.
    pub to: civil::Time,
}

impl QuietHours {
    fn holds(self, time: civil::Time) -> bool {
        if self.from < self.to { self.from <= time && time < self.to } else { self.from <= time || time < self.to }
    }
}

/// A person who answers for feeds, groups, components or topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Stable identifier.
    pub id: OwnerId,
    /// The person's name.
    pub name: String,
    /// Where digests go.
    pub address: String,
    /// What the person does.
    pub role: Option<String>,
    /// Who stands in.
    pub deputy: Option<OwnerId>,
    /// The zone that the schedule is read in.
    pub timezone: TimeZone,
    /// When digests go: five cron fields with weekday names.
    pub digest: String,
    /// The highest label that may be sent to this person.
    pub tlp: Tlp,
    /// The day from which on this is not a living owner any more.
    pub until: Option<Date>,
    /// When this person is away, in order.
    pub away: Vec<Away>,
    /// When this person is sent nothing but the digest at its hour.
    pub quiet_hours: Option<QuietHours>,
}

impl Owner {
    /// Whether the person is (still) a living owner at this moment, in the person's own zone.
    pub fn is_living(&self, now: Time) -> bool {
        self.until.is_none_or(|until| self.day(now) < until)
    }

    /// The last day of the absence that this moment lies in; absences that meet are one. `None`: the person is there.
    pub fn away_until(&self, now: Time) -> Option<Date> {
        let day = self.day(now);
        let mut last = self.away.iter().find(|away| (away.from..=away.to).contains(&day))?.to;
        for next in self.away.iter().filter(|next| next.to > day) {
            if last.tomorrow().is_ok_and(|tomorrow| next.from == tomorrow) {
                last = next.to;
            }
        }
        Some(last)
    }

    /// When the absence that this moment lies in is over.
    pub fn back_at(&self, now: Time) -> Option<Time> {
        let first = self.away_until(now)?.tomorrow().ok()?;
        first.to_zoned(self.timezone.clone()).ok().map(|midnight| midnight.timestamp())
    }

    /// The first absence that begins after this moment: when it begins, and when it is over; absences that meet are one.
    pub fn next_absence(&self, after: Time) -> Option<(Time, Time)> {
        let midnight = |day: Date| day.to_zoned(self.timezone.clone()).ok().map(|midnight| midnight.timestamp());
        let begins = self.away.iter().filter_map(|away| midnight(away.from)).filter(|begins| *begins > after).min()?;
        Some((begins, self.back_at(begins)?))
    }

    /// When the last absence before this moment was over; `None`: there was none.
    pub fn back_since(&self, now: Time) -> Option<Time> {
        let ends = self.away.iter().filter_map(|away| away.to.tomorrow().ok()?.to_zoned(self.timezone.clone()).ok());
        ends.map(|end| end.timestamp()).filter(|end| *end <= now).max()
    }

    /// When the quiet hours end that this moment lies in; `None`: it lies in none. An end that the clocks skip is the
    /// moment right after the gap.
    pub fn quiet_until(&self, now: Time) -> Option<Time> {
        let quiet = self.quiet_hours?;
        let here = now.to_zoned(self.timezone.clone());
        if !quiet.holds(here.time()) {
            return None;
        }
        // Where an hour comes twice, the end of its first round may lie behind.
        let days = [Some(here.date()), here.date().tomorrow().ok()].into_iter().flatten();
        let ends = days.filter_map(|day| day.to_datetime(quiet.to).to_zoned(self.timezone.clone()).ok());
        ends.map(|end| end.timestamp()).find(|end| *end > now)
    }

    /// When this person's day began.
    pub fn day_began(&self, now: Time) -> Time {
        let here = now.to_zoned(self.timezone.clone());
        here.start_of_day().map_or(now, |start| start.timestamp())
    }

    fn day(&self, now: Time) -> Date {
        now.to_zoned(self.timezone.clone()).date()
    }
}

#[cfg(test)]
mod tests {
    use jiff::{
        civil::{date, time},
        tz::Offset,
    };

    use super::*;

    fn owner(timezone: TimeZone) -> Owner {
        Owner {
            id: "maria".into(),
            name: "Maria Lopez".into(),
            address: "maria@example.com".into(),
            role: None,
            deputy: None,
            timezone,
            digest: "0 8 * * *".into(),
            tlp: Tlp::Amber,
            until: None,
            away: Vec::new(),
            quiet_hours: None,
        }
    }

    fn at(moment: &str) -> Time {
        moment.parse().unwrap()
    }

    #[test]
    fn an_owner_lives_until_the_day_itself_in_their_own_zone() {
        let owner = Owner { until: Some(date(2027, 6, 30)), ..owner(Offset::constant(10).to_time_zone()) };
        assert!(owner.is_living(at("2027-06-29T13:59:59Z")));
        assert!(!owner.is_living(at("2027-06-29T14:00:00Z")));
    }

    #[test]
    fn an_owner_is_away_on_both_days_and_all_between_in_their_own_zone() {
        let days = |from, to| Away { from, to };
        let away = vec![
            days(date(2026, 12, 20), date(2026, 12, 24)),
            days(date(2026, 12, 25), date(2027, 1, 3)),
            days(date(2027, 1, 5), date(2027, 1, 5)),
        ];
        let owner = Owner { away, ..owner(TimeZone::get("America/New_York").unwrap()) };
        assert_eq!(owner.away_until(at("2026-12-20T04:59:59Z")), None);
        assert_eq!(owner.away_until(at("2026-12-20T05:00:00Z")), Some(date(2027, 1, 3)), "absences that meet are one");
        assert_eq!(owner.back_at(at("2026-12-31T05:00:00Z")), Some(at("2027-01-04T05:00:00Z")));
        assert_eq!(owner.away_until(at("2027-01-04T05:00:00Z")), None);
        assert_eq!(owner.away_until(at("2027-01-05T20:00:00Z")), Some(date(2027, 1, 5)));
    }

    #[test]
    fn quiet_hours_end_on_the_owners_clock_whatever_it_does_in_the_night() {
        let quiet = |from, to| Some(QuietHours { from, to });
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let night = Owner { quiet_hours: quiet(time(22, 0, 0, 0), time(6, 0, 0, 0)), ..owner(berlin.clone()) };
        assert_eq!(night.quiet_until(at("2026-11-20T20:59:59Z")), None);
        assert_eq!(night.quiet_until(at("2026-11-20T21:00:00Z")), Some(at("2026-11-21T05:00:00Z")));
        assert_eq!(night.quiet_until(at("2026-11-21T04:59:59Z")), Some(at("2026-11-21T05:00:00Z")));
        assert_eq!(night.quiet_until(at("2026-11-21T05:00:00Z")), None);
        // The clocks go forward at 01:00 UTC and back at 01:00 UTC.
        assert_eq!(night.quiet_until(at("2027-03-27T21:30:00Z")), Some(at("2027-03-28T04:00:00Z")));
        assert_eq!(night.quiet_until(at("2026-10-24T20:30:00Z")), Some(at("2026-10-25T05:00:00Z")));
        // An end that is skipped, and one that comes twice.
        let early = Owner { quiet_hours: quiet(time(1, 0, 0, 0), time(2, 30, 0, 0)), ..owner(berlin) };
        assert_eq!(early.quiet_until(at("2027-03-28T00:30:00Z")), Some(at("2027-03-28T01:30:00Z")));
        assert_eq!(early.quiet_until(at("2027-03-28T01:00:00Z")), None);
        assert!(early.quiet_until(at("2026-10-25T01:10:00Z")).is_some_and(|end| end > at("2026-10-25T01:10:00Z")));
    }
}
