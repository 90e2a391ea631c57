//! The line to an IMAP server: a TCP connection, plain or under TLS, on which every wait has an end and nothing that the
//! server sends is kept without a limit.

use std::{io, net::SocketAddr, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, lookup_host},
    time::{interval, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Ended, Limits, response};
use crate::clock::Stopwatch;

/// How many addresses of a server's name are tried.
const MAX_ADDRESSES: usize = 8;
/// The longest line: that of a search in a mailbox with half a million messages.
const LONGEST_LINE: usize = 4 << 20;
/// The most literals of one response.
const MOST_LITERALS: usize = 8;
/// The longest literal that is read to its end, of which only the beginning is kept.
const LONGEST_LITERAL: u64 = 64 << 20;
/// How often is looked whether the service stops.
const GLANCE: Duration = Duration::from_millis(100);

/// How long is waited: the limits, counted from the beginning of a look, and an end when the service stops.
#[derive(Clone)]
pub(super) struct Patience {
    pub(super) limits: Limits,
    ended: Ended,
    since: Stopwatch,
}

impl Patience {
    pub(super) fn new(limits: Limits, ended: Ended) -> Patience {
        Patience { limits, ended, since: Stopwatch::start() }
    }

    /// Waits for `work`, at most `limit` and never beyond the end of the look.
    pub(super) async fn within<T>(&self, limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let left = self.limits.whole.saturating_sub(self.since.elapsed());
        let stopped = async {
            let mut glances = interval(GLANCE);
            loop {
                glances.tick().await;
                if (self.ended)() {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            done = timeout(limit.min(left), work) => done.unwrap_or_else(|_| Err(late("nothing came in time"))),
            () = stopped => Err(late("the service stops")),
        }
    }
}

fn late(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A connection to an IMAP server.
pub(super) struct Line {
    stream: Stream,
    pub(super) patience: Patience,
    /// How much of a literal is kept.
    keep: usize,
}

enum Stream {
    Plain(BufReader<TcpStream>),
    Tls(Box<BufReader<TlsStream<TcpStream>>>),
}

impl Line {
    /// Connects to the first address of the server that answers. `keep`: how many bytes of a literal are kept.
    pub(super) async fn connect(host: &str, port: u16, keep: usize, patience: Patience) -> io::Result<Line> {
        let limit = patience.limits.connect;
        let addresses: Vec<SocketAddr> = patience
            .within(limit, async { Ok(lookup_host((host, port)).await?.take(MAX_ADDRESSES).collect()) })
            .await?;
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
        for address in addresses {
            match patience.within(limit, TcpStream::connect(address)).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(Line { stream: Stream::Plain(BufReader::new(stream)), patience, keep });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Puts the connection under TLS; the server's certificate must be for `name`. What the server sent before is
    /// never carried over: it could come from somebody in between.
    pub(super) async fn secure(self, connector: &TlsConnector, name: ServerName<'static>) -> io::Result<Line> {
        let Stream::Plain(stream) = self.stream else { return Ok(self) };
        if !stream.buffer().is_empty() {
            return Err(bad("it spoke on before the TLS handshake"));
        }
        let handshake = connector.connect(name, stream.into_inner());
        let secured = self.patience.within(self.patience.limits.command, handshake).await?;
        Ok(Line { stream: Stream::Tls(Box::new(BufReader::new(secured))), ..self })
    }

    /// Hands bytes to the system, all of them or an error.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let limit = self.patience.limits.command;
        let hand_over = async {
            match &mut self.stream {
                Stream::Plain(stream) => {
                    stream.write_all(bytes).await?;
                    stream.flush().await
                }
                Stream::Tls(stream) => {
                    stream.write_all(bytes).await?;
                    stream.flush().await
                }
            }
        };
        self.patience.within(limit, hand_over).await
    }

    /// Reads one response.
    pub(super) async fn response(&mut self) -> io::Result<response::Response> {
        let (limit, keep) = (self.patience.limits.command, self.keep);
        match &mut self.stream {
            Stream::Plain(stream) => self.patience.within(limit, read(stream, keep)).await,
            Stream::Tls(stream) => self.patience.within(limit, read(stream.as_mut(), keep)).await,
        }
    }
}

async fn read(stream: &mut (impl AsyncBufRead + Unpin), keep: usize) -> io::Result<response::Response> {
    let mut response = response::Response::default();
    loop {
        let line = read_line(stream).await?;
        let Some(length) = response::literal_length(&line) else {
            response.text.push_str(&line);
            return Ok(response);
        };
        if length > LONGEST_LITERAL || response.literals.len() == MOST_LITERALS {
            return Err(bad("it sends more than was asked for"));
        }
        response.text.push_str(line.rsplit_once('{').map_or(line.as_str(), |(before, _)| before));
        response.literals.push(read_literal(stream, length, keep).await?);
    }
}

async fn read_line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = Vec::new();
    let most = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
    (&mut *stream).take(most).read_until(b'\n', &mut line).await?;
    match line.strip_suffix(b"\n") {
        Some(whole) => Ok(String::from_utf8_lossy(whole.strip_suffix(b"\r").unwrap_or(whole)).into_owned()),
        None if line.len() == LONGEST_LINE => Err(bad("a line of it has no end")),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

async fn read_literal(stream: &mut (impl AsyncRead + Unpin), length: u64, keep: usize) -> io::Result<Vec<u8>> {
    let keep = length.min(u64::try_from(keep).unwrap_or(u64::MAX));
    let mut kept = Vec::new();
    let got = (&mut *stream).take(keep).read_to_end(&mut kept).await?;
    let rest = length - keep;
    let drained = tokio::io::copy(&mut (&mut *stream).take(rest), &mut tokio::io::sink()).await?;
    if u64::try_from(got) == Ok(keep) && drained == rest { Ok(kept) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], keep: usize) -> io::Result<response::Response> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(read(&mut io::Cursor::new(bytes.to_vec()), keep))
    }

    #[test]
    fn a_literal_is_kept_in_part_and_read_to_its_end() {
        let response = all(b"* 1 FETCH (UID 4 BODY[]<0> {10}\r\n0123456789 X {2}\r\nab)\r\nnext", 4).unwrap();
        assert_eq!(response.text, "* 1 FETCH (UID 4 BODY[]<0>  X )");
        assert_eq!(response.literals, [b"0123".to_vec(), b"ab".to_vec()]);
    }

    #[test]
    fn m_24_what_is_endless_or_cut_is_an_error() {
        let endless = vec![b'a'; LONGEST_LINE + 10];
        let many = b"{1}\r\na".repeat(100);
        for bad in [b"".as_slice(), b"* OK", b"{5}\r\nabc", b"{99999999999}\r\n", &endless, &many] {
            assert!(all(bad, 100).is_err());
        }
    }
}
