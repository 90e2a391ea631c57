//! The acknowledgement page: what a link from a digest opens. `desk` is the server with its routes and headers,
//! `listener` lets people in, `proxy` says for whom they come, `limit` counts their wrong links. `answer` is what a
//! request does, `sent` whether a form may be taken, `form` what was typed, `page` what is shown; `link` opens links and mails
//! new ones, `wrong` is "Not yours?"; `decision` and `flood_page` are the same for a flood. `monitor` is the listener of monitoring and `metrics`
//! what it tells. No decisions about stories here.

mod answer;
mod decision;
mod desk;
mod flood_page;
mod form;
mod limit;
mod link;
mod listener;
mod metrics;
mod monitor;
mod page;
mod proxy;
mod sent;
mod wrong;

pub use desk::{Desk, router, serve};
pub use listener::listen;
pub use monitor::{Monitor, serve as serve_monitor};
