//! The server's side of one dialogue (RFC 5321), strict about what a client may send.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use rustls::{ServerConnection, StreamOwned};

use super::{Act, Mail, Shared, Stage};

/// Serves one connection to its end.
pub fn serve(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let mut dialogue = Dialogue::begin(stream, shared)?;
    let served = dialogue.run();
    dialogue.hang_up();
    served
}

enum Line {
    Plain(BufReader<TcpStream>),
    Tls(Box<BufReader<StreamOwned<ServerConnection, TcpStream>>>),
    Closed,
}

/// How a stage went.
#[derive(PartialEq, Eq)]
enum Went {
    /// As it should; what the command asked for is so.
    Well,
    /// Refused; the dialogue goes on.
    Refused,
    /// The dialogue is over.
    Over,
}

struct Dialogue {
    line: Line,
    shared: Arc<Shared>,
    logged_in: bool,
    from: Option<String>,
    to: Vec<String>,
}

impl Dialogue {
    fn begin(stream: TcpStream, shared: Arc<Shared>) -> io::Result<Dialogue> {
        stream.set_nodelay(true)?;
        // No test waits for longer; a dialogue that nobody ends must not outlive the tests.
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let tls = shared.lock().offers.tls;
        let line = Line::Plain(BufReader::new(stream));
        let mut dialogue = Dialogue { line, shared, logged_in: false, from: None, to: Vec::new() };
        if tls {
            dialogue.secure()?;
        }
        Ok(dialogue)
    }

    fn secure(&mut self) -> io::Result<()> {
        let Line::Plain(stream) = std::mem::replace(&mut self.line, Line::Closed) else {
            return Err(io::Error::other("TLS inside TLS"));
        };
        let session = ServerConnection::new(Arc::clone(&self.shared.tls)).map_err(io::Error::other)?;
        self.line = Line::Tls(Box::new(BufReader::new(StreamOwned::new(session, stream.into_inner()))));
        Ok(())
    }

    fn hang_up(&mut self) {
        let stream = match &self.line {
            Line::Plain(stream) => stream.get_ref(),
            Line::Tls(stream) => stream.get_ref().get_ref(),
            Line::Closed => return,
        };
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn run(&mut self) -> io::Result<()> {
        let mut went = self.stage(Stage::Greeting, "220 mx.example.com ESMTP")?;
        while went != Went::Over {
            let line = self.read_line()?;
            if line.is_empty() {
                break;
            }
            let line = String::from_utf8_lossy(&line).trim_end_matches("\r\n").to_owned();
            self.shared.lock().commands.push(line.clone());
            went = self.obey(&line)?;
        }
        Ok(())
    }

    fn obey(&mut self, line: &str) -> io::Result<Went> {
        let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match word.as_str() {
            "EHLO" => {
                let offers = self.offers();
                self.stage(Stage::Ehlo, &offers)
            }
            "HELO" => self.stage(Stage::Ehlo, "250 mx.example.com"),
            "STARTTLS" => self.starttls(),
            "AUTH" => self.log_in(line),
            "MAIL" if self.locked() => self.refuse("530 5.7.0 authentication required"),
            "MAIL" if self.from.is_none() => self.mail(line),
            "RCPT" if self.from.is_some() => self.rcpt(line),
            "DATA" if !self.to.is_empty() => self.message(),
            "MAIL" | "RCPT" | "DATA" => self.refuse("503 5.5.1 bad sequence of commands"),
            "RSET" => {
                (self.from, self.to) = (None, Vec::new());
                self.stage(Stage::Rset, "250 ok")
            }
            "QUIT" => self.stage(Stage::Quit, "221 bye").map(|_| Went::Over),
            _ => self.refuse("500 5.5.2 unknown command"),
        }
    }

    fn offers(&self) -> String {
        let inner = self.shared.lock();
        let offers = &inner.offers;
        let mut lines = vec!["mx.example.com".to_owned()];
        if offers.starttls && matches!(self.line, Line::Plain(_)) {
            lines.push("STARTTLS".into());
        }
        if offers.login.is_some() {
            lines.push(format!("AUTH {}", offers.mechanisms));
        }
        lines.extend(offers.size.map(|size| format!("SIZE {size}")));
        if offers.wide {
            lines.extend(["8BITMIME".into(), "SMTPUTF8".into()]);
        }
        lines.extend(offers.dsn.then(|| "DSN".into()));
        let last = format!("250 {}", lines.pop().unwrap_or_default());
        lines.iter().map(|line| format!("250-{line}\r\n")).chain([last]).collect::<Vec<_>>().concat()
    }

    fn starttls(&mut self) -> io::Result<Went> {
        let went = self.stage(Stage::Starttls, "220 go ahead")?;
        if went == Went::Well {
            self.secure()?;
        }
        Ok(went)
    }

    /// Whether a login is due before anything else.
    fn locked(&self) -> bool {
        self.shared.lock().offers.login.is_some() && !self.logged_in
    }

    fn log_in(&mut self, line: &str) -> io::Result<Went> {
        let mut words = line.split(' ').skip(1);
        let given = match (words.next(), words.next()) {
            (Some("PLAIN"), Some(secret)) => {
                let secret = decoded(secret);
                let mut parts = secret.split('\0').skip(1).map(str::to_owned);
                parts.next().zip(parts.next())
            }
            (Some("LOGIN"), None) => {
                self.say("334 VXNlcm5hbWU6")?;
                let user = self.read_line()?;
                self.say("334 UGFzc3dvcmQ6")?;
                let password = self.read_line()?;
                Some((decoded_line(&user), decoded_line(&password)))
            }
            _ => return self.refuse("504 5.5.4 unknown mechanism"),
        };
        let known = self.shared.lock().offers.login.clone();
        if given != known {
            return self.refuse("535 5.7.8 authentication failed");
        }
        let went = self.stage(Stage::Auth, "235 2.7.0 welcome")?;
        self.logged_in = went == Went::Well;
        Ok(went)
    }

    fn mail(&mut self, line: &str) -> io::Result<Went> {
        let went = self.stage(Stage::Mail, "250 2.1.0 ok")?;
        if went == Went::Well {
            self.from = Some(path(line));
        }
        Ok(went)
    }

    fn rcpt(&mut self, line: &str) -> io::Result<Went> {
        let of_address = self.shared.lock().recipient(&path(line));
        let went = match of_address {
            Some(act) => self.play(act, "250 2.1.5 ok")?,
            None => self.stage(Stage::Rcpt, "250 2.1.5 ok")?,
        };
        if went == Went::Well {
            self.to.push(path(line));
        }
        Ok(went)
    }

    fn message(&mut self) -> io::Result<Went> {
        let act = self.shared.lock().act(Stage::Data);
        if let Act::DropInside(bytes) = act {
            self.say("354 go ahead")?;
            let mut part = vec![0; bytes];
            self.reader()?.read_exact(&mut part)?;
            return Ok(Went::Over);
        }
        let went = self.play(act, "354 go ahead")?;
        if went != Went::Well {
            return Ok(went);
        }
        let raw = self.read_message()?;
        let raw_len = raw.len();
        let mail = Mail { from: self.from.take().unwrap_or_default(), to: std::mem::take(&mut self.to), raw };
        let too_large = self.shared.lock().offers.silent_size.is_some_and(|most| most < raw_len);
        let act =
            if too_large { Act::Reply("552 5.3.4 message too big".into()) } else { self.shared.lock().act(Stage::Dot) };
        let kept = match &act {
            Act::Good | Act::LoseReply | Act::ReplyThenDrop | Act::Delay(_) | Act::Inject(_) => true,
            Act::Reply(reply) => reply.starts_with('2'),
            Act::Drop | Act::Stall | Act::Drip | Act::DropInside(_) => false,
        };
        let number = {
            let mut inner = self.shared.lock();
            inner.mails.extend(kept.then_some(mail));
            inner.mails.len()
        };
        self.play(act, &format!("250 2.0.0 Ok: queued as {number}"))
    }

    /// Only CR LF, dot, CR LF ends a message, and one dot before a line goes.
    fn read_message(&mut self) -> io::Result<Vec<u8>> {
        let mut raw = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == b".\r\n" && (raw.is_empty() || raw.ends_with(b"\r\n")) {
                return Ok(raw);
            }
            raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    /// Does what the script has for this stage, or what it should.
    fn stage(&mut self, stage: Stage, good: &str) -> io::Result<Went> {
        let act = self.shared.lock().act(stage);
        self.play(act, good)
    }

    fn play(&mut self, act: Act, good: &str) -> io::Result<Went> {
        match act {
            Act::Good => self.say(good).map(|()| Went::Well),
            Act::Reply(reply) => {
                self.say(&reply)?;
                Ok(match reply.as_bytes().first() {
                    _ if reply.starts_with("421") => Went::Over,
                    Some(b'2' | b'3') => Went::Well,
                    _ => Went::Refused,
                })
            }
            Act::Drop | Act::LoseReply | Act::DropInside(_) => Ok(Went::Over),
            Act::ReplyThenDrop => self.say(good).map(|()| Went::Over),
            Act::Stall => {
                io::copy(self.reader()?, &mut io::sink())?;
                Ok(Went::Over)
            }
            Act::Drip => self.drip(),
            Act::Delay(time) => {
                thread::sleep(time);
                self.say(good).map(|()| Went::Well)
            }
            Act::Inject(text) => self.say(&format!("{good}\r\n{text}")).map(|()| Went::Well),
        }
    }

    fn drip(&mut self) -> io::Result<Went> {
        for byte in b"250-".iter().chain(std::iter::repeat(&b'x')) {
            self.write(&[*byte])?;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(Went::Over)
    }

    fn refuse(&mut self, reply: &str) -> io::Result<Went> {
        self.say(reply).map(|()| Went::Refused)
    }

    fn say(&mut self, reply: &str) -> io::Result<()> {
        self.write(format!("{reply}\r\n").as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.line {
            Line::Plain(stream) => stream.get_mut().write_all(bytes),
            Line::Tls(stream) => {
                stream.get_mut().write_all(bytes)?;
                stream.get_mut().flush()
            }
            Line::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn read_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.reader()?.read_until(b'\n', &mut line)?;
        Ok(line)
    }

    fn reader(&mut self) -> io::Result<&mut dyn BufRead> {
        match &mut self.line {
            Line::Plain(stream) => Ok(stream),
            Line::Tls(stream) => Ok(stream),
            Line::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// The address between `<` and `>`.
fn path(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

fn decoded(text: &str) -> String {
    String::from_utf8(BASE64.decode(text).unwrap_or_default()).unwrap_or_default()
}

fn decoded_line(line: &[u8]) -> String {
    decoded(String::from_utf8_lossy(line).trim_end())
}
