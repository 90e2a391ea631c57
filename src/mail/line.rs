//! The line to a mail server: a TCP connection, plain or under TLS, on which every wait has an end.
//!
//! lettre's own connection is not used, for four reasons: it keeps what a server said before the TLS handshake and
//! reads it as an answer after it, it has no limit on a reply that comes byte by byte, it does not tell a message that
//! was cut short from one whose reply was lost, and it forgets the SIZE that a server states.

use std::{io, net::SocketAddr, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpStream, lookup_host},
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::reply::Reply;

/// How many addresses of a server's name are tried.
const MAX_ADDRESSES: usize = 8;
/// The bytes of a message that share one time limit.
const BLOCK: usize = 64 * 1024;

/// The longest that the parts of a dialogue may take (RFC 5321 section 4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Looking up the server's name, and connecting to each of its addresses.
    pub connect: Duration,
    /// The TLS handshake, each command with its whole reply, and each 64 KiB of the message.
    pub command: Duration,
    /// The reply to the final dot.
    pub dot: Duration,
    /// All waits together that are still to come after [`super::Mailer::hurry`].
    pub hurry: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            command: Duration::from_mins(5),
            dot: Duration::from_mins(10),
            hurry: Duration::from_secs(8),
        }
    }
}

/// How long is waited: the limits, and an end to all waits when the service stops.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    /// The limits.
    pub(super) limits: Limits,
    /// True from the moment when nothing is waited for any more.
    pub(super) over: watch::Receiver<bool>,
}

impl Patience {
    /// Waits for `work`, at most `limit`. Being late is an error of the kind `TimedOut`.
    async fn within<T>(&self, limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let mut over = self.over.clone();
        let stopped = async {
            if over.wait_for(|over| *over).await.is_err() {
                // Nobody is left who could stop the wait.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            // What is there already counts, however late it is.
            biased;
            done = timeout(limit, work) => done.unwrap_or_else(|_| Err(late(&format!("within {}", spell(limit))))),
            () = stopped => Err(late("before the service stopped")),
        }
    }
}

fn late(when: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("nothing came {when}"))
}

/// A limit in words: whole seconds where there are any.
fn spell(limit: Duration) -> String {
    if limit.subsec_millis() == 0 { format!("{} s", limit.as_secs()) } else { format!("{} ms", limit.as_millis()) }
}

/// A connection to a mail server.
pub(super) struct Line {
    stream: Stream,
    patience: Patience,
}

enum Stream {
    Plain(BufReader<TcpStream>),
    Tls(Box<BufReader<TlsStream<TcpStream>>>),
}

impl Line {
    /// Connects to the first address of the server that answers.
    pub(super) async fn connect(host: &str, port: u16, patience: Patience) -> io::Result<Line> {
        let limit = patience.limits.connect;
        let addresses: Vec<SocketAddr> = patience
            .within(limit, async { Ok(lookup_host((host, port)).await?.take(MAX_ADDRESSES).collect()) })
            .await?;
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
        for address in addresses {
            match patience.within(limit, TcpStream::connect(address)).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(Line { stream: Stream::Plain(BufReader::new(stream)), patience });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The address of our end.
    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        match &self.stream {
            Stream::Plain(stream) => stream.get_ref().local_addr(),
            Stream::Tls(stream) => stream.get_ref().get_ref().0.local_addr(),
        }
    }

    /// Puts the connection under TLS; the server's certificate must be for `name`.
    ///
    /// What the server sent before is never carried over: it could come from somebody in between (RFC 3207 section
    /// 4.2).
    pub(super) async fn secure(self, connector: &TlsConnector, name: ServerName<'static>) -> io::Result<Line> {
        let Stream::Plain(stream) = self.stream else { return Ok(self) };
        if !stream.buffer().is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it spoke on before the TLS handshake"));
        }
        let handshake = connector.connect(name, stream.into_inner());
        let secured = self.patience.within(self.patience.limits.command, handshake).await?;
        Ok(Line { stream: Stream::Tls(Box::new(BufReader::new(secured))), patience: self.patience })
    }

    /// Writes a command and reads the whole reply to it.
    pub(super) async fn command(&mut self, command: &str) -> io::Result<Reply> {
        let limit = self.patience.limits.command;
        self.write(command.as_bytes(), limit).await?;
        self.reply(limit).await
    }

    /// Writes the bytes of a message; each block of them has the limit of a command.
    pub(super) async fn write_message(&mut self, bytes: &[u8]) -> io::Result<()> {
        for block in bytes.chunks(BLOCK) {
            self.write(block, self.patience.limits.command).await?;
        }
        Ok(())
    }

    /// Hands bytes to the system, all of them or an error.
    pub(super) async fn write(&mut self, bytes: &[u8], limit: Duration) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => self.patience.within(limit, hand_over(stream, bytes)).await,
            Stream::Tls(stream) => self.patience.within(limit, hand_over(stream, bytes)).await,
        }
    }

    /// Reads a whole reply.
    pub(super) async fn reply(&mut self, limit: Duration) -> io::Result<Reply> {
        match &mut self.stream {
            Stream::Plain(stream) => self.patience.within(limit, Reply::read(stream)).await,
            Stream::Tls(stream) => self.patience.within(limit, Reply::read(stream)).await,
        }
    }
}

async fn hand_over(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}
