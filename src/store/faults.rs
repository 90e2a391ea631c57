//! Failures on purpose: the nth commit point fails. A store without any is unchanged by this file.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use super::StoreError;

/// Counts commit points down and fails at the one that was asked for; the default never fails.
#[derive(Debug, Clone, Default)]
pub struct Faults(Option<Arc<AtomicI64>>);

impl Faults {
    /// Fails at the nth point (1 is the first); every point after it fails as well, as after a crash.
    pub fn at(n: i64) -> Faults {
        Faults(Some(Arc::new(AtomicI64::new(n))))
    }

    /// Whether the point that was asked for has been reached.
    pub fn struck(&self) -> bool {
        self.0.as_ref().is_some_and(|left| left.load(Ordering::SeqCst) <= 0)
    }

    pub(super) fn point(&self, name: &'static str) -> Result<(), StoreError> {
        match &self.0 {
            Some(left) if left.fetch_sub(1, Ordering::SeqCst) <= 1 => Err(StoreError::OnPurpose(name)),
            _ => Ok(()),
        }
    }
}
