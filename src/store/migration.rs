//! Numbered, forward-only steps of the schema, each in one transaction; `PRAGMA user_version` counts them.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::{APPLICATION_ID, StoreError, log};

/// The steps, oldest first; a released one is never edited.
const STEPS: [&[&str]; 2] =
    [&[log::TABLES, include_str!("migrations/0001_spine.sql")], &[include_str!("migrations/0002_owner.sql")]];

fn pragma(connection: &Connection, name: &str) -> Result<i32, StoreError> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

/// Brings the file to the newest schema. Errors: it belongs to something else or to a newer sigtrail, and then
/// nothing is touched.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    refuse_other(connection, path)?;
    let found = usize::try_from(pragma(connection, "user_version")?).unwrap_or(0);
    for (done, step) in STEPS.iter().enumerate().skip(found) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have taken the step between our look and our lock.
        let version: usize = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version > done {
            continue;
        }
        for sql in *step {
            tx.execute_batch(sql)?;
        }
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", i64::try_from(done + 1).unwrap_or(i64::MAX))?;
        tx.commit()?;
    }
    Ok(())
}

/// Errors when the file is not a database of this sigtrail or an older one.
pub(super) fn refuse_other(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let foreign = |what: String| StoreError::Foreign { path: path.to_owned(), what };
    let (id, version) = (pragma(connection, "application_id")?, pragma(connection, "user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && id != APPLICATION_ID {
        return Err(foreign("this is a database of another program".to_owned()));
    }
    if usize::try_from(version).is_ok_and(|version| version > STEPS.len()) {
        return Err(foreign(format!(
            "made by a newer sigtrail (schema {version}, this one knows {}); nothing was touched",
            STEPS.len()
        )));
    }
    Ok(())
}
