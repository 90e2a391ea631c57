//! Real servers at both ends: a digest that is answered, and one that bounces.
