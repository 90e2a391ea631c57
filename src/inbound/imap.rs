//! A mailbox on an IMAP server: what has come since the last look, message after message, each marked as seen. Messages
//! are known by UIDVALIDITY and UID, not by a flag that anybody's mail program sets.

use std::{collections::VecDeque, fs, io::Read as _, path::Path};

use rustls::pki_types::ServerName;

use super::{
    Letter, MOST_MESSAGES, Place, Seen, Trouble,
    dialogue::{
        Dialogue,
        Word::{Plain, Text},
    },
    line::{Line, Patience},
    response::{End, Response},
};
use crate::{
    mail::{Waiting, tls_connector},
    model::settings::{InboundSource, MailTls},
};

/// The most bytes of a password file that are read.
const MAX_PASSWORD: u64 = 4096;

/// An open mailbox.
pub(super) struct Imap {
    waiting: Waiting,
    dialogue: Dialogue,
    uid_validity: u32,
    unread: VecDeque<u32>,
    most: usize,
}

impl Imap {
    /// Connects, logs in, opens the mailbox and asks what came after `seen`.
    pub(super) fn open(source: &InboundSource, seen: Seen, most: usize, patience: Patience) -> Result<Imap, Trouble> {
        let waiting = Waiting::new().map_err(|error| Trouble::new(error.to_string()))?;
        let opened = waiting.run(async {
            let mut dialogue = log_in(source, most, patience).await?;
            let (uid_validity, unread) = search(&mut dialogue, source, seen).await?;
            Ok((dialogue, uid_validity, unread))
        });
        let (dialogue, uid_validity, unread) = ran(opened)?;
        Ok(Imap { waiting, dialogue, uid_validity, unread, most })
    }

    /// How many messages are left.
    pub(super) fn left(&self) -> usize {
        self.unread.len()
    }

    /// The next message. One that was removed meanwhile is passed over, and so is one that the server cannot give.
    pub(super) fn next(&mut self) -> Result<Option<Letter>, Trouble> {
        self.fetch().inspect_err(|_| {
            // What comes after must not be read before it: its UID would hide this one.
            self.unread.clear();
        })
    }

    fn fetch(&mut self) -> Result<Option<Letter>, Trouble> {
        while let Some(uid) = self.unread.pop_front() {
            let (number, part) = (uid.to_string(), format!("BODY.PEEK[]<0.{}>", self.most));
            let words = [Plain("UID"), Plain("FETCH"), Plain(&number), Plain(&part)];
            let (heard, end) = ran(self.waiting.run(self.dialogue.ask(&words)))?;
            let bytes = heard.iter().find_map(|response| response.message_of(uid));
            match (bytes, end) {
                (Some(bytes), _) => {
                    let seen = Some(Seen { uid_validity: self.uid_validity, last_uid: uid });
                    return Ok(Some(Letter { bytes, seen, place: Place::Uid(uid) }));
                }
                (None, End::Misunderstood(said)) => return Err(Trouble::new(format!("cannot fetch: {said}"))),
                (None, _) => {}
            }
        }
        Ok(None)
    }

    /// Marks a message as seen, for people who look into the mailbox; whether the server lets us changes nothing.
    pub(super) fn mark(&mut self, uid: u32) -> Result<(), Trouble> {
        let number = uid.to_string();
        let words = [Plain("UID"), Plain("STORE"), Plain(&number), Plain("+FLAGS.SILENT"), Plain("(\\Seen)")];
        ran(self.waiting.run(self.dialogue.ask(&words))).map(|_| ())
    }
}

impl Drop for Imap {
    fn drop(&mut self) {
        // Everything is done; a goodbye that fails changes nothing.
        let _ = self.waiting.run(self.dialogue.ask(&[Plain("LOGOUT")]));
    }
}

fn ran<T>(done: std::io::Result<Result<T, Trouble>>) -> Result<T, Trouble> {
    done.unwrap_or_else(|error| Err(Trouble::new(error.to_string())))
}

async fn log_in(source: &InboundSource, keep: usize, patience: Patience) -> Result<Dialogue, Trouble> {
    let InboundSource::Imap { host, port, tls, login: (user, file), ca_file, .. } = source else {
        return Err(Trouble::new("no server"));
    };
    let peer = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let connector = tls_connector(*tls, ca_file.as_deref()).map_err(|error| Trouble::new(error.to_string()))?;
    let name = ServerName::try_from(host.clone()).map_err(|_| Trouble::new(format!("{host:?} is no host name")))?;
    let no_tls = |error: std::io::Error| Trouble::new(format!("no TLS with {peer}: {error}"));
    let password = password(file)?;
    let line = Line::connect(host, *port, keep, patience).await;
    let mut line = line.map_err(|error| Trouble::new(format!("cannot connect to {peer}: {error}")))?;
    if *tls == MailTls::Tls {
        line = line.secure(&connector, name.clone()).await.map_err(no_tls)?;
    }
    let mut dialogue = Dialogue::begin(line, &peer, false).await?;
    if *tls == MailTls::Starttls {
        dialogue.need(&[Plain("STARTTLS")], "STARTTLS").await?;
        let line = dialogue.into_line().secure(&connector, name).await.map_err(no_tls)?;
        dialogue = Dialogue::begin(line, &peer, true).await?;
    }
    match dialogue.ask(&[Plain("LOGIN"), Text(user), Text(&password)]).await? {
        (_, End::Well) => Ok(dialogue),
        (_, End::Refused(said) | End::Misunderstood(said)) => {
            Err(Trouble { login: true, ..Trouble::new(format!("{peer} refused the login: {said}")) })
        }
    }
}

/// The password, read anew for each look so that it can be changed under a running service; line ends at its end do not
/// count.
fn password(file: &Path) -> Result<String, Trouble> {
    let mut text = String::new();
    let read = fs::File::open(file).and_then(|open| open.take(MAX_PASSWORD).read_to_string(&mut text));
    read.map_err(|error| Trouble::new(format!("the password file {} cannot be read: {error}", file.display())))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.contains(['\0', '\r', '\n']) {
        return Err(Trouble::new(format!("the password file {} holds no password", file.display())));
    }
    Ok(password.to_owned())
}

/// Opens the mailbox; its UIDVALIDITY and the first UIDs after `seen`, which count for nothing under another one.
async fn search(dialogue: &mut Dialogue, source: &InboundSource, seen: Seen) -> Result<(u32, VecDeque<u32>), Trouble> {
    let InboundSource::Imap { mailbox, .. } = source else { return Err(Trouble::new("no server")) };
    let opened = dialogue.need(&[Plain("SELECT"), Text(mailbox)], "the mailbox").await?;
    let uid_validity = opened.iter().find_map(|response| response.code("UIDVALIDITY"));
    let uid_validity = uid_validity.ok_or_else(|| Trouble::new("the mailbox has no UIDVALIDITY"))?;
    if opened.iter().find_map(|response| response.number_before("EXISTS")) == Some(0) {
        return Ok((uid_validity, VecDeque::new()));
    }
    let after = if seen.uid_validity == uid_validity { seen.last_uid } else { 0 };
    let range = format!("{}:*", after.saturating_add(1));
    let words = [Plain("UID"), Plain("SEARCH"), Plain("UID"), Plain(&range)];
    let found = dialogue.need(&words, "a search").await?;
    let numbers = found.iter().filter_map(|response: &Response| response.after("SEARCH"));
    // A range that begins after the last message names the last message.
    let mut uids: Vec<u32> = numbers
        .flat_map(|text| text.split(' ').filter_map(|uid| uid.parse().ok()))
        .filter(|uid| *uid > after)
        .collect();
    uids.sort_unstable();
    uids.dedup();
    // One more than a look takes shows that there are more.
    uids.truncate(MOST_MESSAGES + 1);
    Ok((uid_validity, uids.into()))
}
