//! One conversation with an IMAP server (RFC 3501): greeting, STARTTLS, login, one mailbox, and the few commands that
//! reading it takes.

use std::io;

use super::{
    Trouble,
    line::Line,
    response::{End, Response, quoted},
};

/// The most responses to one command.
const MOST_RESPONSES: usize = 10_000;

/// A conversation.
pub(super) struct Dialogue {
    line: Line,
    peer: String,
    tags: u32,
    /// Whether the line broke: nothing is asked any more.
    is_over: bool,
}

/// An argument of a command.
pub(super) enum Word<'w> {
    /// As it stands.
    Plain(&'w str),
    /// Any text; in quotes, or as a literal.
    Text(&'w str),
}

impl Dialogue {
    /// Takes the server's greeting, unless it was taken before the line was put under TLS.
    pub(super) async fn begin(line: Line, peer: &str, greeted: bool) -> Result<Dialogue, Trouble> {
        let mut dialogue = Dialogue { line, peer: peer.to_owned(), tags: 0, is_over: false };
        if !greeted {
            let greeting = dialogue.line.response().await.map_err(|error| dialogue.broke_off("connecting", &error))?;
            if greeting.after("OK").is_none() {
                return Err(Trouble::new(format!("{peer} does not let us in: {}", greeting.text)));
            }
        }
        Ok(dialogue)
    }

    /// Sends a command and reads everything up to its end.
    pub(super) async fn ask(&mut self, words: &[Word<'_>]) -> Result<(Vec<Response>, End), Trouble> {
        self.tags += 1;
        let tag = format!("a{}", self.tags);
        // The name of the command only: an argument may be a password.
        let name = words.iter().take(2).filter_map(|word| match word {
            Word::Plain(word) => Some(*word),
            Word::Text(_) => None,
        });
        let name = name.collect::<Vec<_>>().join(" ");
        if self.is_over {
            return Err(Trouble::new(format!("the line to {} is broken", self.peer)));
        }
        self.exchange(&tag, words).await.map_err(|error| {
            self.is_over = true;
            self.broke_off(&name, &error)
        })
    }

    async fn exchange(&mut self, tag: &str, words: &[Word<'_>]) -> io::Result<(Vec<Response>, End)> {
        let mut out = tag.to_owned();
        let mut heard = Vec::new();
        for word in words {
            out.push(' ');
            match word {
                Word::Plain(word) => out.push_str(word),
                Word::Text(text) => {
                    if let Some(quoted) = quoted(text) {
                        out.push_str(&quoted);
                        continue;
                    }
                    let head = format!("{out}{{{}}}\r\n", text.len());
                    self.line.write(head.as_bytes()).await?;
                    if let Some(end) = self.hear(tag, &mut heard, true).await? {
                        return Ok((heard, end));
                    }
                    out = (*text).to_owned();
                }
            }
        }
        out.push_str("\r\n");
        self.line.write(out.as_bytes()).await?;
        match self.hear(tag, &mut heard, false).await? {
            Some(end) => Ok((heard, end)),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "it asks for more than there is")),
        }
    }

    /// Reads up to the command's end; `None`: to the word that the literal may come.
    async fn hear(&mut self, tag: &str, heard: &mut Vec<Response>, may_ask: bool) -> io::Result<Option<End>> {
        while heard.len() < MOST_RESPONSES {
            let response = self.line.response().await?;
            if let Some(end) = response.end(tag) {
                heard.push(response);
                return Ok(Some(end));
            }
            if response.asks_for_more() {
                let ended = if may_ask { Ok(None) } else { Err(io::ErrorKind::InvalidData.into()) };
                return ended;
            }
            heard.push(response);
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "it does not stop to speak"))
    }

    /// Sends a command that has to succeed.
    pub(super) async fn need(&mut self, words: &[Word<'_>], what: &str) -> Result<Vec<Response>, Trouble> {
        match self.ask(words).await? {
            (heard, End::Well) => Ok(heard),
            (_, End::Refused(said) | End::Misunderstood(said)) => {
                Err(Trouble::new(format!("{} refused {what}: {said}", self.peer)))
            }
        }
    }

    /// The line, for TLS.
    pub(super) fn into_line(self) -> Line {
        self.line
    }

    fn broke_off(&self, stage: &str, error: &io::Error) -> Trouble {
        let words = match error.kind() {
            io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
            _ => error.to_string(),
        };
        Trouble::new(format!("{} broke off at {stage}: {words}", self.peer))
    }
}
