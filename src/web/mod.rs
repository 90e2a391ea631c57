//! The acknowledgement page: what a link from a digest opens. `desk` is the server with its routes and headers,
//! `door` lets people in, `answer` is what a request does, `form` what was typed, `page` what is shown. No decisions
//! about stories here.

mod answer;
mod desk;
mod door;
mod form;
mod page;

pub use desk::{Desk, router, serve};
