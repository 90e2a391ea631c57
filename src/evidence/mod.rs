//! Floor 1, evidence: what a record says, the RFC 6962 tree over records, and the signed heads of it.

pub mod canonical;
pub mod event;
pub mod hex;
pub mod merkle;
pub mod note;
pub mod record;
