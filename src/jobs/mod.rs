//! Floor 3, the verbs: load, decide, commit.

pub mod acknowledge;
