//! stand-in
use crate::model::entry::Document;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct ReadError;
pub fn read(_b: Vec<u8>, _c: Option<String>, _u: Option<url::Url>) -> Result<Document, ReadError> {
    Err(ReadError)
}
