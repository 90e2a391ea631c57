//! `[remind]` and `[urgent]` of `config/sigtrail.toml`: how long an answer is waited for, and how often somebody is disturbed.

use jiff::SignedDuration;

use super::{
    fields::{Fields, Shape},
    problem::Report,
    values,
};
use crate::model::settings::{RemindSettings, UrgentSettings};

pub(super) const REMIND: Shape = Shape {
    title: "[remind]",
    keys: &[
        ("after", "\"3d\""),
        ("deputy_after", "\"5d\""),
        ("urgent_after", "\"3h\""),
        ("urgent_deputy_after", "\"6h\""),
    ],
    elsewhere: &[("deputy", "who stands in is set in config/owners.toml"), ("per_day", "it belongs to [urgent]")],
};
pub(super) const URGENT: Shape = Shape {
    title: "[urgent]",
    keys: &[("per_day", "5")],
    elsewhere: &[
        ("quiet_hours", "quiet hours are set for each [[owner]] in config/owners.toml"),
        ("after", "write urgent_after in [remind]"),
    ],
};

/// The shortest and the longest time that an answer may be waited for.
const BOUNDS: (&str, &str) = ("1m", "26w");
/// How many urgent digests a day may be allowed; none would mean that nothing is urgent.
const PER_DAY: (u32, u32) = (1, 100);

/// Reads `[remind]`. What is not stated for urgent stories is never longer than what is stated for the others.
pub(super) fn check(table: &Fields<'_>, report: &mut Report<'_>) -> RemindSettings {
    let default = RemindSettings::default();
    let mut read = |key: &str| table.read(key, report, |text| values::duration(text, BOUNDS.0, BOUNDS.1));
    let (after, deputy_after) = (read("after"), read("deputy_after"));
    let (urgent_after, urgent_deputy_after) = (read("urgent_after"), read("urgent_deputy_after"));
    let after = after.unwrap_or(default.after);
    let deputy_after = deputy_after.unwrap_or(default.deputy_after);
    let settings = RemindSettings {
        after,
        deputy_after,
        urgent_after: urgent_after.unwrap_or(default.urgent_after.min(after)),
        urgent_deputy_after: urgent_deputy_after.unwrap_or(default.urgent_deputy_after.min(deputy_after)),
    };
    let mut must = |is_well: bool, keys: [&str; 2], values: [SignedDuration; 2], message: &str, hint: &str| {
        let Some(key) = keys.into_iter().find(|key| table.has(key)).filter(|_| !is_well) else { return false };
        let label = format!("`{}` is {:#}, `{}` is {:#}", keys[0], values[0], keys[1], values[1]);
        report.error(&table.key_at(key), message).label(label).hint(hint);
        true
    };
    let RemindSettings { urgent_after, urgent_deputy_after, .. } = settings;
    let hint = "the deputy is asked after the owner was reminded: write a longer `deputy_after`";
    must(
        after < deputy_after,
        ["after", "deputy_after"],
        [after, deputy_after],
        "`deputy_after` is not above `after`",
        hint,
    );
    let hint = "what is urgent is asked for no later than the rest: write a shorter time";
    let values = [urgent_after, after];
    let is_late =
        must(urgent_after <= after, ["urgent_after", "after"], values, "`urgent_after` is above `after`", hint);
    let values = [urgent_deputy_after, deputy_after];
    let message = "`urgent_deputy_after` is above `deputy_after`";
    let is_late =
        must(urgent_deputy_after <= deputy_after, ["urgent_deputy_after", "deputy_after"], values, message, hint)
            || is_late;
    if !is_late {
        let message = "`urgent_deputy_after` is not above `urgent_after`";
        let hint = "the deputy is asked after the owner was reminded: write a longer `urgent_deputy_after`";
        let (keys, values) = (["urgent_after", "urgent_deputy_after"], [urgent_after, urgent_deputy_after]);
        must(urgent_after < urgent_deputy_after, keys, values, message, hint);
    }
    settings
}

/// Reads `[urgent]`.
pub(super) fn urgent(table: &Fields<'_>, report: &mut Report<'_>) -> UrgentSettings {
    let default = UrgentSettings::default();
    UrgentSettings { per_day: table.number("per_day", PER_DAY, report).unwrap_or(default.per_day) }
}
