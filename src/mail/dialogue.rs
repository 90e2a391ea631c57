//! The dialogue with a mail server (RFC 5321): greeting, EHLO, STARTTLS, AUTH, and one transaction for each message.
//! It knows at each stage what a refusal or a broken line means for the message.

use std::{io, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use lettre::{
    Address,
    transport::smtp::{
        authentication::Mechanism,
        commands::{Data, Ehlo, Mail, Quit, Rcpt, Rset, Starttls},
        extension::{ClientId, MailBodyParameter, MailParameter, RcptParameter},
    },
};

use super::{
    line::Line,
    message,
    relay::{self, Relay},
    reply::{Offers, Reply, clean},
    trouble::{Step, Trouble, What},
};
use crate::model::{
    delivery::{RelayFault, SendOutcome},
    settings::MailTls,
};

/// For how long a last word of the server is waited for when a message cannot be written to the end, and for its
/// goodbye.
const LAST_WORD: Duration = Duration::from_secs(5);

/// A message with its envelope.
#[derive(Debug, Clone, Copy)]
pub(super) struct Letter<'l> {
    pub(super) from: &'l Address,
    pub(super) to: &'l Address,
    /// What the server names when it reports on this message (ENVID, RFC 3461 section 4.4).
    pub(super) id: Option<&'l str>,
    pub(super) bytes: &'l [u8],
}

impl Letter<'_> {
    fn is_ascii_envelope(&self) -> bool {
        is_ascii(self.from) && is_ascii(self.to)
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
        let broken = |error: io::Error| Trouble::lost(RelayFault::Down, format!("no connection to {peer}: {error}"));
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
            let password = relay.password().map_err(|cause| Trouble::lost(RelayFault::Login, cause))?;
            connection.log_in(user, &password).await?;
        }
        Ok(connection)
    }

    async fn greeting(&mut self, relay: &Relay) -> Result<(), Trouble> {
        let greeting = self.line.reply(relay.patience.limits.command).await;
        let silent = greeting.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::TimedOut);
        match self.expect(greeting, Step::Greeting, Reply::done) {
            Err(Trouble { what: What::Lost(cause), fault }) if silent && relay.tls != MailTls::Tls => {
                let hint = "a port that speaks TLS from the first byte, such as 465, needs tls = \"tls\"";
                Err(Trouble { what: What::Lost(format!("{cause}; {hint}")), fault })
            }
            other => other.map(|_| ()),
        }
    }

    /// EHLO; a server that does not know the word gets HELO where nothing that it could offer is asked for.
    async fn hello(&mut self, hello: &ClientId, plain_will_do: bool) -> Result<(), Trouble> {
        self.offers = Offers::default();
        let reply = self.line.command(&Ehlo::new(hello.clone()).to_string()).await;
        if let Some(reply) = reply.as_ref().ok().filter(|reply| matches!(reply.code, 500 | 502 | 504)) {
            if plain_will_do {
                return self.ask(&format!("HELO {hello}\r\n"), Step::Helo).await.map(|_| ());
            }
            let cause = format!("{} does not know EHLO ({reply}), which TLS and a login need", self.peer);
            return Err(Trouble::lost(RelayFault::Tls, cause));
        }
        self.offers = Offers::of(&self.expect(reply, Step::Ehlo, Reply::done)?);
        Ok(())
    }

    async fn starttls(mut self, relay: &Relay, hello: &ClientId) -> Result<Connection, Trouble> {
        if !self.offers.starttls {
            let cause = format!("{} does not offer STARTTLS, and the configuration asks for it", self.peer);
            return Err(Trouble::lost(RelayFault::Tls, cause));
        }
        let reply = self.line.command(&Starttls.to_string()).await;
        self.expect(reply, Step::Starttls, |reply| reply.code == 220)?;
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
            let cause = format!("{} offers no login by PLAIN or LOGIN, and a login is configured", self.peer);
            return Err(Trouble::lost(RelayFault::Login, cause));
        };
        self.expect(reply, Step::Login, Reply::done).map(|_| ())
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

    /// The largest message that the server says it takes; `None`: it states no limit.
    pub(super) fn size_limit(&self) -> Option<u64> {
        self.offers.size.filter(|limit| *limit > 0)
    }

    /// Why this message cannot go to this server at all, if so (RFC 1870, 6152 and 6531). Nothing is sent.
    pub(super) fn unfit(&self, letter: Letter<'_>) -> Option<SendOutcome> {
        let peer = &self.peer;
        let size = letter.bytes.len() as u64;
        if let Some(limit) = self.size_limit().filter(|limit| *limit < size) {
            let reply = format!("not sent: {peer} takes at most {limit} bytes, and the message has {size}");
            return Some(SendOutcome::TooLarge { limit: Some(limit), code: None, reply });
        }
        let unfit = |cause: String| Some(SendOutcome::Unfit { cause });
        if !(self.offers.utf8 || letter.is_ascii_envelope()) {
            return unfit(format!(
                "not sent: the address has characters beyond ASCII, and {peer} does not offer SMTPUTF8"
            ));
        }
        if !(self.offers.eight_bit || letter.bytes.is_ascii()) {
            return unfit(format!("not sent: the message has bytes beyond ASCII, and {peer} does not offer 8BITMIME"));
        }
        None
    }

    /// MAIL: begins a transaction. Where the server sends reports (RFC 3461), it is asked to name the message in them
    /// and to send back no more than its header.
    pub(super) async fn begin(&mut self, letter: Letter<'_>) -> Result<(), Trouble> {
        let mut parameters = Vec::new();
        if self.offers.size.is_some() {
            parameters.push(MailParameter::Size(letter.bytes.len()));
        }
        if !letter.bytes.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if !letter.is_ascii_envelope() {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if self.offers.dsn {
            parameters.push(MailParameter::Other { keyword: "RET".into(), value: Some("HDRS".into()) });
            // lettre writes values as xtext.
            let id = letter.id.filter(|id| is_envelope_id(id)).map(str::to_owned);
            parameters.extend(id.map(|id| MailParameter::Other { keyword: "ENVID".into(), value: Some(id) }));
        }
        self.ask(&Mail::new(Some(letter.from.clone()), parameters).to_string(), Step::Mail).await.map(|_| ())
    }

    /// What is asked of a server that sends reports: of failures and delays, naming the address as it was given. An
    /// address beyond ASCII has no such form (RFC 6533 section 3).
    fn reports(&self, to: &Address) -> Vec<RcptParameter> {
        if !self.offers.dsn {
            return Vec::new();
        }
        let with = |keyword: &str, value: String| RcptParameter::Other { keyword: keyword.into(), value: Some(value) };
        let mut parameters = vec![with("NOTIFY", "FAILURE,DELAY".to_owned())];
        if is_ascii(to) {
            parameters.push(with("ORCPT", format!("rfc822;{to}")));
        }
        parameters
    }

    /// RCPT, DATA and the message. `Err` as long as the server cannot have taken it.
    pub(super) async fn deliver(&mut self, letter: Letter<'_>, dot: Duration) -> Result<SendOutcome, Trouble> {
        let reports = self.reports(letter.to);
        self.ask(&Rcpt::new(letter.to.clone(), reports).to_string(), Step::Rcpt).await?;
        let reply = self.line.command(&Data.to_string()).await;
        self.expect(reply, Step::Data, |reply| reply.code == 354)?;
        if let Err(error) = self.line.write_message(&message::stuffed(letter.bytes)).await {
            return Err(self.cut_short(&error).await);
        }
        if let Err(error) = self.line.write(b".\r\n", dot).await {
            // The end was not handed over whole, so the server has no message.
            return Err(self.cut_short(&error).await);
        }
        Ok(match self.line.reply(dot).await {
            Ok(reply) if reply.done() => SendOutcome::Accepted { code: reply.code, reply: reply.text() },
            Ok(reply) if reply.never() || reply.later() => return Err(Trouble::refused(Step::Dot, reply)),
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
            Ok(reply) if reply.later() || reply.never() => Trouble::refused(Step::Dot, reply),
            _ => {
                let cause = format!("{} broke off inside the message: {}", self.peer, words(error));
                Trouble { what: What::Lost(cause), fault: None }
            }
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
    async fn ask(&mut self, command: &str, step: Step) -> Result<Reply, Trouble> {
        let reply = self.line.command(command).await;
        self.expect(reply, step, Reply::done)
    }

    /// The reply if it is the good one of this step.
    fn expect(&self, reply: io::Result<Reply>, step: Step, good: impl Fn(&Reply) -> bool) -> Result<Reply, Trouble> {
        let (peer, name) = (&self.peer, step.name());
        let lost = |cause: String| Trouble {
            what: What::Lost(cause),
            fault: step.is_before_recipient().then_some(step.fault()),
        };
        match reply {
            Ok(reply) if good(&reply) => Ok(reply),
            Ok(reply) if reply.wants_login() => {
                Err(Trouble::lost(RelayFault::Login, format!("{peer} refused {name}: {reply}")))
            }
            Ok(reply) if reply.later() || (reply.never() && step.refuses_message(&reply)) => {
                Err(Trouble::refused(step, reply))
            }
            Ok(reply) if reply.never() => {
                Err(Trouble::lost(step.fault_of_refusal(), format!("{peer} refused {name}: {reply}")))
            }
            Ok(reply) => Err(lost(format!("{peer} answered {reply} to {name}, which means nothing"))),
            Err(error) => Err(lost(format!("{peer} broke off at {name}: {}", words(&error)))),
        }
    }
}

/// Whether a text can be an ENVID: printable ASCII, at most 100 characters as xtext (RFC 3461 section 4.4).
fn is_envelope_id(id: &str) -> bool {
    let as_xtext = id.len() + 2 * id.bytes().filter(|byte| matches!(byte, b'+' | b'=')).count();
    (1..=100).contains(&as_xtext) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn no_tls(peer: &str, tls: MailTls, error: &io::Error) -> Trouble {
    let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let cause = match fault {
        Some(rustls::Error::InvalidMessage(_)) if tls == MailTls::Tls => {
            "it does not speak TLS; a port that begins in the clear, such as 25 or 587, needs tls = \"starttls\"".into()
        }
        _ => words(error),
    };
    Trouble::lost(RelayFault::Tls, format!("no TLS with {peer}: {cause}"))
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
