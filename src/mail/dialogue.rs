//! The dialogue with a mail server (RFC 5321): greeting, EHLO, STARTTLS, AUTH, and one transaction for each message.
//! It knows at each stage what a refusal or a broken line means for the message.

use std::{io, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use lettre::{
    Address,
    transport::smtp::{
        authentication::Mechanism,
        commands::{Data, Ehlo, Mail, Quit, Rcpt, Rset, Starttls},
        extension::{ClientId, MailBodyParameter, MailParameter},
    },
};

use super::{
    line::Line,
    message,
    relay::{self, Relay},
    reply::{Offers, Reply, clean},
};
use crate::model::{delivery::SendOutcome, settings::MailTls};

/// For how long a last word of the server is waited for when a message cannot be written to the end, and for its
/// goodbye.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Why a stage did not succeed. Nothing of the message can have been taken.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server said no, for now or for good.
    Refused(Reply),
    /// The line broke, or the server does not do what the configuration asks for.
    Lost(String),
}

impl Trouble {
    /// Whether the connection is of no use any more (421: RFC 5321 section 3.8).
    pub(super) fn ends_connection(&self) -> bool {
        !matches!(self, Trouble::Refused(reply) if reply.code != 421)
    }

    /// What it means for the message that was to be sent.
    pub(super) fn outcome(self) -> SendOutcome {
        match self {
            Trouble::Refused(reply) if reply.never() => SendOutcome::Rejected { code: reply.code, reply: reply.text() },
            Trouble::Refused(reply) => SendOutcome::Deferred { code: reply.code, reply: reply.text() },
            Trouble::Lost(cause) => SendOutcome::Unreachable { cause: clean(&cause) },
        }
    }
}

/// An open connection, past its login.
pub(super) struct Connection {
    line: Line,
    offers: Offers,
    peer: String,
}

impl Connection {
    /// Connects, greets, puts the line under TLS and logs in, as the relay asks for.
    ///
    /// A 4xx reply is a refusal for now. A 5xx to EHLO is one for good; a 5xx in the greeting, to STARTTLS or to the
    /// login says nothing about the message and counts as a server that cannot be reached.
    pub(super) async fn open(relay: &Relay) -> Result<Connection, Trouble> {
        let peer = relay.peer();
        let broken = |error: io::Error| Trouble::Lost(format!("no connection to {peer}: {error}"));
        let mut line = Line::connect(&relay.host, relay.port, relay.patience.clone()).await.map_err(broken)?;
        if relay.tls == MailTls::Tls {
            line = line
                .secure(&relay.connector, relay.name.clone())
                .await
                .map_err(|error| no_tls(&peer, relay.tls, &error))?;
        }
        let hello = relay::hello(line.local_address().ok());
        let mut connection = Connection { line, offers: Offers::default(), peer };
        connection.greeting(relay).await?;
        connection.hello(&hello, relay.tls == MailTls::None && relay.login.is_none()).await?;
        if relay.tls == MailTls::Starttls {
            connection = connection.starttls(relay, &hello).await?;
        }
        if let Some((user, _)) = &relay.login {
            let password = relay.password().map_err(Trouble::Lost)?;
            connection.log_in(user, &password).await?;
        }
        Ok(connection)
    }

    async fn greeting(&mut self, relay: &Relay) -> Result<(), Trouble> {
        let greeting = self.line.reply(relay.patience.limits.command).await;
        let silent = greeting.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::TimedOut);
        match self.expect(greeting, "the greeting", Reply::done, false) {
            Err(Trouble::Lost(cause)) if silent && relay.tls != MailTls::Tls => Err(Trouble::Lost(format!(
                "{cause}; a port that speaks TLS from the first byte, such as 465, needs tls = \"tls\""
            ))),
            other => other.map(|_| ()),
        }
    }

    /// EHLO; a server that does not know the word gets HELO where nothing that it could offer is asked for.
    async fn hello(&mut self, hello: &ClientId, plain_will_do: bool) -> Result<(), Trouble> {
        self.offers = Offers::default();
        match self.ask(&Ehlo::new(hello.clone()).to_string(), "EHLO").await {
            Ok(reply) => {
                self.offers = Offers::of(&reply);
                Ok(())
            }
            Err(Trouble::Refused(reply)) if matches!(reply.code, 500 | 502 | 504) => {
                if plain_will_do {
                    return self.ask(&format!("HELO {hello}\r\n"), "HELO").await.map(|_| ());
                }
                let peer = &self.peer;
                Err(Trouble::Lost(format!("{peer} does not know EHLO ({reply}), which TLS and a login need")))
            }
            Err(trouble) => Err(trouble),
        }
    }

    async fn starttls(mut self, relay: &Relay, hello: &ClientId) -> Result<Connection, Trouble> {
        if !self.offers.starttls {
            let peer = &self.peer;
            return Err(Trouble::Lost(format!("{peer} does not offer STARTTLS, and the configuration asks for it")));
        }
        let reply = self.line.command(&Starttls.to_string()).await;
        self.expect(reply, "STARTTLS", |reply| reply.code == 220, false)?;
        let line = self.line.secure(&relay.connector, relay.name.clone()).await;
        let line = line.map_err(|error| no_tls(&self.peer, relay.tls, &error))?;
        // What was offered before the handshake could come from somebody in between: it is asked for again.
        let mut secured = Connection { line, offers: Offers::default(), peer: self.peer };
        secured.hello(hello, false).await?;
        Ok(secured)
    }

    /// AUTH (RFC 4954) with PLAIN where it is offered, else LOGIN.
    async fn log_in(&mut self, user: &str, password: &str) -> Result<(), Trouble> {
        let offered = |mechanism| self.offers.logins.contains(&mechanism);
        let reply = if offered(Mechanism::Plain) {
            let secret = BASE64.encode(format!("\0{user}\0{password}"));
            self.line.command(&format!("AUTH {} {secret}\r\n", Mechanism::Plain)).await
        } else if offered(Mechanism::Login) {
            self.log_in_by_steps(user, password).await
        } else {
            let peer = &self.peer;
            return Err(Trouble::Lost(format!("{peer} offers no login by PLAIN or LOGIN, and a login is configured")));
        };
        self.expect(reply, "the login", Reply::done, false).map(|_| ())
    }

    async fn log_in_by_steps(&mut self, user: &str, password: &str) -> io::Result<Reply> {
        let mut reply = self.line.command(&format!("AUTH {}\r\n", Mechanism::Login)).await?;
        for answer in [user, password] {
            if reply.code != 334 {
                return Ok(reply);
            }
            reply = self.line.command(&format!("{}\r\n", BASE64.encode(answer))).await?;
        }
        Ok(reply)
    }

    /// Why this message cannot go to this server at all, if so: the code and words that RFC 1870, 6152 and 6531 have
    /// for it. Nothing is sent.
    pub(super) fn unfit(&self, from: &Address, to: &Address, bytes: &[u8]) -> Option<SendOutcome> {
        let peer = &self.peer;
        let size = bytes.len() as u64;
        if let Some(limit) = self.offers.size.filter(|limit| (1..size).contains(limit)) {
            let reply = format!("not sent: {peer} takes at most {limit} bytes, and the message has {size}");
            return Some(SendOutcome::Rejected { code: 552, reply });
        }
        if !(self.offers.utf8 || is_ascii(from) && is_ascii(to)) {
            let reply = format!("not sent: {peer} does not take addresses with characters beyond ASCII");
            return Some(SendOutcome::Rejected { code: 553, reply });
        }
        (!self.offers.eight_bit && !bytes.is_ascii()).then(|| SendOutcome::Unreachable {
            cause: format!("not sent: the message has bytes beyond ASCII, and {peer} does not offer 8BITMIME"),
        })
    }

    /// MAIL: begins a transaction.
    pub(super) async fn begin(&mut self, from: &Address, to: &Address, bytes: &[u8]) -> Result<(), Trouble> {
        let mut parameters = Vec::new();
        if self.offers.size.is_some() {
            parameters.push(MailParameter::Size(bytes.len()));
        }
        if !bytes.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if !(is_ascii(from) && is_ascii(to)) {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        self.ask(&Mail::new(Some(from.clone()), parameters).to_string(), "MAIL").await.map(|_| ())
    }

    /// RCPT, DATA and the message. `Err` as long as the server cannot have taken it.
    pub(super) async fn deliver(&mut self, to: &Address, bytes: &[u8], dot: Duration) -> Result<SendOutcome, Trouble> {
        self.ask(&Rcpt::new(to.clone(), Vec::new()).to_string(), "RCPT").await?;
        let reply = self.line.command(&Data.to_string()).await;
        self.expect(reply, "DATA", |reply| reply.code == 354, true)?;
        if let Err(error) = self.line.write_message(&message::stuffed(bytes)).await {
            return Err(self.cut_short(&error).await);
        }
        if let Err(error) = self.line.write(b".\r\n", dot).await {
            // The end was not handed over whole, so the server has no message.
            return Err(self.cut_short(&error).await);
        }
        Ok(match self.line.reply(dot).await {
            Ok(reply) if reply.done() => SendOutcome::Accepted { code: reply.code, reply: reply.text() },
            Ok(reply) if reply.never() || reply.later() => Trouble::Refused(reply).outcome(),
            Ok(reply) => SendOutcome::Uncertain {
                cause: clean(&format!("{} answered {reply} to the whole message, which means nothing", self.peer)),
            },
            Err(error) => SendOutcome::Uncertain {
                cause: clean(&format!("the whole message went to {}, then: {}", self.peer, words(&error))),
            },
        })
    }

    /// A message that could not be written to the end: the server may have said why before it hung up.
    async fn cut_short(&mut self, error: &io::Error) -> Trouble {
        match self.line.reply(LAST_WORD).await {
            Ok(reply) if reply.later() || reply.never() => Trouble::Refused(reply),
            _ => Trouble::Lost(format!("{} broke off inside the message: {}", self.peer, words(error))),
        }
    }

    /// Clears a refused transaction; false where the connection is of no use any more.
    pub(super) async fn reset(&mut self) -> bool {
        self.line.command(&Rset.to_string()).await.is_ok_and(|reply| reply.done())
    }

    /// Says goodbye. What the server answers changes nothing.
    pub(super) async fn quit(mut self) {
        if self.line.write(Quit.to_string().as_bytes(), LAST_WORD).await.is_ok() {
            let _ = self.line.reply(LAST_WORD).await;
        }
    }

    /// A command that 2xx answers.
    async fn ask(&mut self, command: &str, stage: &str) -> Result<Reply, Trouble> {
        let reply = self.line.command(command).await;
        self.expect(reply, stage, Reply::done, true)
    }

    /// The reply if it is the good one of this stage. A 5xx is a refusal of the message only where `about_message`.
    fn expect(
        &self,
        reply: io::Result<Reply>,
        stage: &str,
        good: impl Fn(&Reply) -> bool,
        about_message: bool,
    ) -> Result<Reply, Trouble> {
        let peer = &self.peer;
        match reply {
            Ok(reply) if good(&reply) => Ok(reply),
            Ok(reply) if reply.later() || (reply.never() && about_message) => Err(Trouble::Refused(reply)),
            Ok(reply) if reply.never() => Err(Trouble::Lost(format!("{peer} refused {stage}: {reply}"))),
            Ok(reply) => Err(Trouble::Lost(format!("{peer} answered {reply} to {stage}, which means nothing"))),
            Err(error) => Err(Trouble::Lost(format!("{peer} broke off at {stage}: {}", words(&error)))),
        }
    }
}

fn no_tls(peer: &str, tls: MailTls, error: &io::Error) -> Trouble {
    let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let cause = match fault {
        Some(rustls::Error::InvalidMessage(_)) if tls == MailTls::Tls => {
            "it does not speak TLS; a port that begins in the clear, such as 25 or 587, needs tls = \"starttls\"".into()
        }
        _ => words(error),
    };
    Trouble::Lost(format!("no TLS with {peer}: {cause}"))
}

/// What the system says, with a plain word for a connection that simply ended.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        _ => error.to_string(),
    }
}

fn is_ascii(address: &Address) -> bool {
    let text: &str = address.as_ref();
    text.is_ascii()
}
