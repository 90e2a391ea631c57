//! What the mail server said of itself. What a delivery makes of it is the business of others.

use rusqlite::OptionalExtension;

use super::{Read, StoreError, unsigned};

impl Read<'_> {
    /// The largest message in bytes that the mail server takes (SIZE, RFC 1870); `None`: it named no limit, or was
    /// never asked.
    pub fn relay_size_limit(&self) -> Result<Option<u64>, StoreError> {
        let limit: Option<i64> = self
            .tx
            .prepare_cached("SELECT size_limit FROM relay_state WHERE one = 1")?
            .query_row([], |row| row.get(0))
            .optional()?
            .flatten();
        // Zero means that there is no fixed limit.
        Ok(limit.map(unsigned).filter(|limit| *limit > 0))
    }
}
