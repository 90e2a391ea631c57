//! Purge: empty the texts of entries that are older than stated retention.

use jiff::tz::TimeZone;

use super::{Context, Fault};

/// Empties what is due, in small transactions; how many revisions.
pub fn purge_due(context: &Context) -> Result<usize, Fault> {
    let now = context.now();
    let keep = context.config.retention.entries;
    let Ok(before) = now.to_zoned(TimeZone::UTC).checked_sub(keep) else { return Ok(0) };
    let mut total = 0;
    loop {
        let count = context.store.write(|write| write.purge_entries(before.timestamp(), now))?;
        total += count;
        if count == 0 {
            return Ok(total);
        }
    }
}
