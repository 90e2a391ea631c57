//! What the tests share: servers on loopback with scripted faults, and the world that a story is played in.

pub mod daemon;
pub mod feed_server;
pub mod postfix;
pub mod smtp_server;
pub mod world;
