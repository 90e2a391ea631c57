//! Floor 1, evidence: what a record says, the RFC 6962 tree over records, the signed heads of it, and how all of
//! them are verified.

pub mod canonical;
pub mod draft;
pub mod event;
pub mod mailed;
pub mod merkle;
pub mod note;
pub mod record;
pub mod report;
pub mod verify;
