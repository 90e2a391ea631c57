//! An IMAP server on loopback that does what a test says: stop talking, break off, refuse, or send more than it was asked
//! for. In the clear only; the real one is `dovecot`.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// What it does when a command comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Says nothing more.
    Hang,
    /// Closes the connection.
    Drop,
    /// Answers with this, the tag put before it.
    Say(String),
    /// Sends this as it stands and closes the connection.
    Raw(Vec<u8>),
}

/// The server's memory.
#[derive(Debug, Default)]
struct Memory {
    messages: Vec<(u32, Vec<u8>)>,
    seen: Vec<u32>,
    last_uid: u32,
    uid_validity: u32,
    acts: Vec<(String, Act)>,
    commands: Vec<String>,
    ignores_parts: bool,
}

/// The server; the thread ends with the process.
pub struct ImapServer {
    port: u16,
    memory: Arc<Mutex<Memory>>,
}

impl ImapServer {
    /// Starts one with an empty mailbox.
    pub fn start() -> ImapServer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let memory = Arc::new(Mutex::new(Memory { uid_validity: 7, ..Memory::default() }));
        let shared = memory.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || {
                    // A client that goes away ends its conversation.
                    let _ = converse(stream, &shared);
                });
            }
        });
        ImapServer { port, memory }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        locked(&self.memory)
    }

    /// Puts a message into the mailbox; its UID.
    pub fn deliver(&self, message: impl Into<Vec<u8>>) -> u32 {
        let mut memory = self.memory();
        memory.last_uid += 1;
        let uid = memory.last_uid;
        memory.messages.push((uid, message.into()));
        uid
    }

    /// Removes a message.
    pub fn remove(&self, uid: u32) {
        self.memory().messages.retain(|(known, _)| *known != uid);
    }

    /// Gives the messages new UIDs from 1 on, and the mailbox a new UIDVALIDITY.
    pub fn renumber(&self) {
        let mut memory = self.memory();
        memory.uid_validity += 1;
        for (uid, (known, _)) in (1..).zip(&mut memory.messages) {
            *known = uid;
        }
        memory.last_uid = u32::try_from(memory.messages.len()).unwrap();
    }

    /// Does this the next time that a command begins with these words; "greeting" is what comes first.
    pub fn script(&self, command: &str, act: Act) {
        self.memory().acts.push((command.to_owned(), act));
    }

    /// Sends whole messages from now on, whatever part is asked for.
    pub fn ignore_parts(&self) {
        self.memory().ignores_parts = true;
    }

    /// The UIDs that were marked as seen.
    pub fn seen(&self) -> Vec<u32> {
        self.memory().seen.clone()
    }

    /// The commands that came, without their tags.
    pub fn commands(&self) -> Vec<String> {
        self.memory().commands.clone()
    }
}

fn locked(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Carries out an act; whether the conversation goes on.
fn act(stream: &mut TcpStream, tag: &str, act: Act) -> std::io::Result<bool> {
    match act {
        Act::Hang => {
            thread::sleep(Duration::from_mins(1));
            Ok(false)
        }
        Act::Drop => Ok(false),
        Act::Say(text) => stream.write_all(format!("{tag} {text}\r\n").as_bytes()).map(|()| true),
        Act::Raw(bytes) => stream.write_all(&bytes).map(|()| false),
    }
}

fn take(memory: &Mutex<Memory>, command: &str) -> Option<Act> {
    let mut memory = locked(memory);
    let at = memory.acts.iter().position(|(start, _)| command.starts_with(start.as_str()))?;
    Some(memory.acts.remove(at).1)
}

fn converse(mut stream: TcpStream, memory: &Mutex<Memory>) -> std::io::Result<()> {
    if let Some(first) = take(memory, "greeting")
        && !act(&mut stream, "*", first)?
    {
        return Ok(());
    }
    stream.write_all(b"* OK ready\r\n")?;
    let mut lines = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        while let Some(length) = line.trim_end().strip_suffix('}').and_then(|line| line.rsplit_once('{')) {
            assert!(length.1.parse::<usize>().is_ok(), "{line}");
            stream.write_all(b"+ go on\r\n")?;
            let cut = length.0.to_owned();
            line = cut;
            lines.read_line(&mut line)?;
        }
        let (tag, command) = line.trim_end().split_once(' ').unwrap_or((&line, ""));
        locked(memory).commands.push(command.to_owned());
        if let Some(scripted) = take(memory, command) {
            if act(&mut stream, tag, scripted)? {
                continue;
            }
            return Ok(());
        }
        let untagged = answer(&mut locked(memory), command);
        stream.write_all(&untagged)?;
        stream.write_all(format!("{tag} OK done\r\n").as_bytes())?;
        if command == "LOGOUT" {
            return Ok(());
        }
    }
}

/// The untagged responses to a command.
fn answer(memory: &mut Memory, command: &str) -> Vec<u8> {
    let words: Vec<&str> = command.split(' ').collect();
    match words.as_slice() {
        ["SELECT", ..] => {
            let (exists, validity) = (memory.messages.len(), memory.uid_validity);
            format!("* FLAGS (\\Seen)\r\n* {exists} EXISTS\r\n* OK [UIDVALIDITY {validity}] fine\r\n").into_bytes()
        }
        ["UID", "SEARCH", "UID", range] => {
            let from: u32 = range.split(':').next().unwrap().parse().unwrap();
            let last = memory.messages.last().map(|(uid, _)| *uid);
            let uids = memory.messages.iter().map(|(uid, _)| *uid).filter(|uid| *uid >= from || Some(*uid) == last);
            let uids: Vec<String> = uids.map(|uid| uid.to_string()).collect();
            format!("* SEARCH {}\r\n", uids.join(" ")).into_bytes()
        }
        ["UID", "FETCH", uid, part] => {
            let uid: u32 = uid.parse().unwrap();
            let most: usize = part.trim_end_matches('>').rsplit_once("<0.").unwrap().1.parse().unwrap();
            let most = if memory.ignores_parts { usize::MAX } else { most };
            let found = memory.messages.iter().position(|(known, _)| *known == uid);
            found.map_or_else(Vec::new, |at| {
                let (_, message) = &memory.messages[at];
                let message = &message[..message.len().min(most)];
                let head = format!("* {} FETCH (UID {uid} BODY[]<0> {{{}}}\r\n", at + 1, message.len());
                [head.as_bytes(), message, b" FLAGS ())\r\n* 1 FETCH (FLAGS (\\Recent))\r\n"].concat()
            })
        }
        ["UID", "STORE", uid, ..] => {
            memory.seen.push(uid.parse().unwrap());
            Vec::new()
        }
        ["LOGOUT"] => b"* BYE\r\n".to_vec(),
        _ => Vec::new(),
    }
}
