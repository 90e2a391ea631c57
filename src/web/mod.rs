//! The acknowledgement page: what a link from a digest opens. `desk` is the server with its routes and headers,
//! `door` lets people in, `answer` is what a request does, `form` what was typed, `page` what is shown; `link` opens links and mails new ones, `wrong` is "Not yours?"; `decision`
//! and `flood_page` are the same for a flood. No decisions about stories here.

mod answer;
mod decision;
mod desk;
mod door;
mod flood_page;
mod form;
mod link;
mod page;
mod wrong;

pub use desk::{Desk, router, serve};
