//! A search that keeps many searches through one text linear.

/// A search forward through one text that is not made again once it has come to the end in vain: later ones would too.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Search {
    in_vain: bool,
}

impl Search {
    /// Runs the search, unless it is known to be in vain.
    pub(crate) fn run(&mut self, find: impl FnOnce() -> Option<usize>) -> Option<usize> {
        let found = if self.in_vain { None } else { find() };
        self.in_vain = found.is_none();
        found
    }
}
