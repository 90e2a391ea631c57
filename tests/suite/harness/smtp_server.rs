//! A mail server on loopback that keeps what it accepts and misbehaves on request. It knows nothing of the program.
//!
//! ```ignore
//! let server = SmtpServer::start();
//! server.script(Stage::Rcpt, Act::reply(451, "greylisted"));   // once; the next time it is good again
//! // ... point the mailer at 127.0.0.1, server.port() ...
//! assert_eq!(server.mailbox("maria@example.com").len(), 1);
//! ```

mod dialogue;

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
};
use sigtrail::model::settings::{MailSettings, MailTls, MailTransport};
use tempfile::TempDir;

/// The places of a dialogue where a script can step in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The connection has been made; the greeting is due.
    Greeting,
    /// EHLO or HELO.
    Ehlo,
    /// STARTTLS.
    Starttls,
    /// AUTH, at its last step.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// The message is there, with its final dot.
    Dot,
    /// RSET.
    Rset,
    /// QUIT.
    Quit,
}

/// What the server does at a stage instead of what it should.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sends this line (or these, with CR LF between them). At `Dot`, 2xx also keeps the message.
    Reply(String),
    /// Hangs up without a reply. At `Dot`, the message is not kept.
    Drop,
    /// At `Dot`: keeps the message, then hangs up without a reply. Elsewhere like `Drop`.
    LoseReply,
    /// Replies as it should, then hangs up.
    ReplyThenDrop,
    /// Says nothing more, and leaves the line open until the other side has enough.
    Stall,
    /// Replies one byte every 50 ms and never comes to an end.
    Drip,
    /// Waits, then replies as it should.
    Delay(Duration),
    /// At `Data`: asks for the message, hangs up after this many bytes of it. Elsewhere like `Drop`.
    DropInside(usize),
    /// Replies as it should and sends these bytes right behind, in one packet.
    Inject(String),
    /// Does what it should; a place holder, for faults that come later.
    Good,
}

impl Act {
    /// A reply of one line.
    pub fn reply(code: u16, text: &str) -> Act {
        Act::Reply(format!("{code} {text}"))
    }
}

/// A message that the server accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The address of MAIL FROM.
    pub from: String,
    /// The addresses of RCPT TO.
    pub to: Vec<String>,
    /// The bytes as they were before the transparency of SMTP.
    pub raw: Vec<u8>,
}

/// A self-signed certificate.
#[derive(Debug, Clone, Copy)]
pub enum Certificate {
    /// For this name or address.
    For(&'static str),
    /// The same, but no longer valid.
    ExpiredFor(&'static str),
}

/// What the server offers.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that a server offers or not")]
pub struct Offers {
    /// Whether it offers STARTTLS.
    pub starttls: bool,
    /// Whether it speaks TLS from the first byte.
    pub tls: bool,
    /// The certificate that it shows.
    pub certificate: Certificate,
    /// User and password; asked for when set.
    pub login: Option<(String, String)>,
    /// The words behind AUTH.
    pub mechanisms: &'static str,
    /// The size that it states.
    pub size: Option<u64>,
    /// Whether it offers 8BITMIME and SMTPUTF8.
    pub wide: bool,
    /// Whether it offers DSN.
    pub dsn: bool,
    /// What it refuses at the final dot when it is larger, without having said so.
    pub silent_size: Option<usize>,
}

impl Default for Offers {
    fn default() -> Self {
        Self {
            starttls: false,
            tls: false,
            certificate: Certificate::For("127.0.0.1"),
            login: None,
            mechanisms: "PLAIN LOGIN",
            size: None,
            wide: true,
            dsn: false,
            silent_size: None,
        }
    }
}

/// The server; stops when it is dropped.
pub struct SmtpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    folder: TempDir,
}

struct Shared {
    tls: Arc<ServerConfig>,
    inner: Mutex<Inner>,
}

struct Inner {
    offers: Offers,
    script: Vec<(Stage, VecDeque<Act>)>,
    forever: Vec<(Stage, Act)>,
    recipients: Vec<(String, Act)>,
    mails: Vec<Mail>,
    commands: Vec<String>,
    lines: Vec<TcpStream>,
    connections: usize,
    down: bool,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl SmtpServer {
    /// A plain server that accepts everything.
    pub fn start() -> SmtpServer {
        Self::offering(Offers::default())
    }

    /// A server that offers this.
    pub fn offering(offers: Offers) -> SmtpServer {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = certificate(folder.path(), offers.certificate);
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { tls: Arc::new(tls), inner: Mutex::new(Inner::offering(offers)) });
        let served = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &served));
        SmtpServer { address, shared, folder }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// A PEM file with the certificate that a client must trust.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A password file with this content, beside the server's own files.
    pub fn password_file(&self, content: &str) -> PathBuf {
        let path = self.folder.path().join("password");
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Settings that reach this server.
    pub fn settings(&self, tls: MailTls) -> MailSettings {
        MailSettings {
            from_name: "sigtrail".into(),
            from_address: "sigtrail@example.com".into(),
            envelope_from: None,
            per_minute: None,
            transport: MailTransport::Smtp {
                host: "127.0.0.1".into(),
                port: self.port(),
                tls,
                login: None,
                ca_file: (tls != MailTls::None).then(|| self.ca_file()),
            },
        }
    }

    /// What happens the next time that this stage comes; several calls queue up.
    pub fn script(&self, stage: Stage, act: Act) {
        self.script_times(stage, 1, act);
    }

    /// The same for the next `times` times.
    pub fn script_times(&self, stage: Stage, times: usize, act: Act) {
        let mut inner = self.shared.lock();
        let acts = std::iter::repeat_n(act, times);
        match inner.script.iter_mut().find(|(known, _)| *known == stage) {
            Some((_, queue)) => queue.extend(acts),
            None => inner.script.push((stage, acts.collect())),
        }
    }

    /// What happens at this stage whenever the script has nothing for it.
    pub fn always(&self, stage: Stage, act: Act) {
        self.shared.lock().forever.push((stage, act));
    }

    /// What happens at RCPT whenever it names this address.
    pub fn always_for(&self, address: &str, act: Act) {
        self.shared.lock().recipients.push((address.to_owned(), act));
    }

    /// Forgets all faults.
    pub fn behave(&self) {
        let mut inner = self.shared.lock();
        inner.recipients.clear();
        inner.script.clear();
        inner.forever.clear();
    }

    /// Forgets all faults and everything that came.
    pub fn forget(&self) {
        self.behave();
        let mut inner = self.shared.lock();
        inner.mails.clear();
        inner.commands.clear();
    }

    /// From now on every connection ends at once, the open ones too, until [`Self::up`].
    pub fn down(&self) {
        let mut inner = self.shared.lock();
        inner.down = true;
        inner.hang_up();
    }

    /// Serves again.
    pub fn up(&self) {
        self.shared.lock().down = false;
    }

    /// Hangs up on every open connection; new ones are served.
    pub fn hang_up(&self) {
        self.shared.lock().hang_up();
    }

    /// Changes what it offers to later connections; the certificate stays.
    pub fn offer(&self, change: impl FnOnce(&mut Offers)) {
        change(&mut self.shared.lock().offers);
    }

    /// Every accepted message, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.lock().mails.clone()
    }

    /// The accepted messages to this address, oldest first.
    pub fn mailbox(&self, address: &str) -> Vec<Mail> {
        self.mails().into_iter().filter(|mail| mail.to.iter().any(|to| to == address)).collect()
    }

    /// Every line that came as a command, oldest first.
    pub fn commands(&self) -> Vec<String> {
        self.shared.lock().commands.clone()
    }

    /// How many commands began with this word.
    pub fn count(&self, word: &str) -> usize {
        self.commands().iter().filter(|line| line.to_ascii_uppercase().starts_with(word)).count()
    }

    /// How many connections were made and served.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.closed = true;
        inner.hang_up();
        drop(inner);
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

impl Inner {
    fn offering(offers: Offers) -> Inner {
        Inner {
            offers,
            script: Vec::new(),
            forever: Vec::new(),
            recipients: Vec::new(),
            mails: Vec::new(),
            commands: Vec::new(),
            lines: Vec::new(),
            connections: 0,
            down: false,
            closed: false,
        }
    }

    fn hang_up(&mut self) {
        for line in self.lines.drain(..) {
            let _ = line.shutdown(Shutdown::Both);
        }
    }

    fn recipient(&self, address: &str) -> Option<Act> {
        self.recipients.iter().rev().find(|(known, _)| known == address).map(|(_, act)| act.clone())
    }

    fn act(&mut self, stage: Stage) -> Act {
        let queued = self.script.iter_mut().find(|(known, _)| *known == stage).and_then(|(_, acts)| acts.pop_front());
        let forever = || self.forever.iter().rev().find(|(known, _)| *known == stage).map(|(_, act)| act.clone());
        queued.or_else(forever).unwrap_or(Act::Good)
    }
}

/// Makes a certificate and its key; writes `ca.pem`, `cert.pem` and `key.pem` into the folder.
pub fn certificate(folder: &Path, kind: Certificate) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let (Certificate::For(name) | Certificate::ExpiredFor(name)) = kind;
    let mut wanted = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if matches!(kind, Certificate::ExpiredFor(_)) {
        wanted.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let pair = KeyPair::generate().unwrap();
    let made = wanted.self_signed(&pair).unwrap();
    let key = pair.serialize_pem();
    std::fs::write(folder.join("ca.pem"), made.pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), made.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), &key).unwrap();
    let key = PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).unwrap();
    (made.der().clone(), key.into())
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut inner = shared.lock();
        if inner.closed {
            return;
        }
        let Ok(stream) = stream else { continue };
        if inner.down {
            continue;
        }
        inner.connections += 1;
        inner.lines.extend(stream.try_clone());
        drop(inner);
        let served = Arc::clone(shared);
        thread::spawn(move || {
            // A client that hangs up ends its dialogue, nothing else.
            let _ = dialogue::serve(stream, served);
        });
    }
}
