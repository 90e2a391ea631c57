//! What the tests share: servers on loopback with scripted faults, the world that a story is played in, its page,
//! and a browser.

pub mod browser;
pub mod daemon;
pub mod feed_server;
pub mod page;
pub mod postfix;
pub mod smtp_server;
pub mod world;
