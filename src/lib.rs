//! sigtrail: polls the feeds of special interest groups, tags and routes their entries to named owners, mails
//! digests and keeps a tamper-evident log of who received, acknowledged and acted on what.
//!
//! The floors, lowest first; a file imports only from lower floors or its own directory:
//! 0 words, 1 arithmetic, 2 doors, 3 verbs, 4 faces.

// Floor 0: words.
pub mod model;

// Floor 1: arithmetic.
pub mod address;
pub mod advisory;
pub mod answer;
pub mod bounce;
pub mod cadence;
pub mod catalogue;
pub mod chain;
pub mod change;
pub mod compose;
pub mod date;
pub mod delivery;
pub mod difference;
pub mod discover;
pub mod evidence;
pub mod flood;
pub mod health;
pub mod hex;
pub mod identity;
pub mod link;
pub mod marks;
pub mod moves;
pub mod outlook;
pub mod parse;
pub mod plan;
pub mod register;
pub mod reminder;
pub mod repair;
pub mod route;
pub mod schedule;
pub mod story;
pub mod tag;
pub mod text;
pub mod token;

// Floor 2: doors.
pub mod clock;
pub mod config;
pub mod fetch;
pub mod inbound;
pub mod key;
pub mod lock;
pub mod mail;
pub mod pack;
pub mod reader;
pub mod store;
pub mod user;

// Floor 3: verbs.
pub mod jobs;

// Floor 4: faces.
pub mod cli;
pub mod daemon;
pub mod web;
