//! Acknowledge: show what a link stands for, and record what a person says. Only a deliberate act records.

use crate::{
    model::{
        acknowledgement::{Answer, AnswerPage, Recorded},
        id::{DigestNo, StoryNo},
        settings::Config,
        time::Time,
    },
    store::{Store, StoreError},
};

/// What stands behind a link to a digest (`story`: `None`, every story of it) or to one story of it. `None`:
/// there is no such digest or story. Changes nothing.
pub fn page(
    _store: &Store,
    _config: &Config,
    _digest: DigestNo,
    _story: Option<StoryNo>,
) -> Result<Option<AnswerPage>, StoreError> {
    Ok(None)
}

/// Records an answer with its evidence, or finds that the same form was recorded before.
pub fn record(_store: &Store, _answer: &Answer, _now: Time) -> Result<Recorded, StoreError> {
    Err(StoreError::OnPurpose("not written yet"))
}
