//! Named owners: who gets what, when and up to which label.

use jiff::{civil::Date, tz::TimeZone};

use super::{feed::Tlp, id::OwnerId, time::Time};

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
}

impl Owner {
    /// Whether the person is (still) a living owner at this moment, in the person's own zone.
    pub fn is_living(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now.to_zoned(self.timezone.clone()).date() < until)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn an_owner_lives_until_the_day_itself_in_their_own_zone() {
        let zone = jiff::tz::Offset::constant(10).to_time_zone();
        let owner = Owner {
            id: "maria".into(),
            name: "Maria Lopez".into(),
            address: "maria@example.com".into(),
            role: None,
            deputy: None,
            timezone: zone,
            digest: "0 8 * * *".into(),
            tlp: Tlp::Amber,
            until: Some(date(2027, 6, 30)),
        };
        let before: Time = "2027-06-29T13:59:59Z".parse().unwrap_or_default();
        let on_the_day: Time = "2027-06-29T14:00:00Z".parse().unwrap_or_default();
        assert!(owner.is_living(before));
        assert!(!owner.is_living(on_the_day));
    }
}
