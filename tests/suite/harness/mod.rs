//! What the tests share: servers on loopback with scripted faults, the world that a story is played in, and
//! its page.

pub mod daemon;
pub mod dovecot;
pub mod feed_server;
pub mod imap_server;
pub mod page;
pub mod postfix;
pub mod returned;
pub mod smtp_server;
pub mod world;
