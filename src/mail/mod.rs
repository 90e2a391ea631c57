//! The mail door: hands frozen bytes to a mail server or to a folder and says exactly what came of it. It composes
//! nothing, stores nothing and decides nothing; what follows from an outcome is `delivery`'s business.

mod dialogue;
mod line;
mod mailer;
mod message;
mod outbox;
mod relay;
mod reply;
mod trouble;

pub use line::Limits;
pub(crate) use mailer::Waiting;
pub use mailer::{MailError, Mailer, Outgoing, Session};
pub use message::{flaw, stuffed};
pub(crate) use relay::connector as tls_connector;
