//! A real mail server: a private Postfix on loopback with a configuration, queue and mailboxes of its own in a
//! temporary folder. It needs the Debian package `postfix` and root, and no init; a login needs `sasl2-bin` and
//! `libsasl2-modules` as well. Elsewhere the test says that it is skipped.

use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::Duration,
};

use sigtrail::model::settings::{MailSettings, MailTls, MailTransport};
use tempfile::TempDir;

use super::{
    smtp_server::{Certificate, certificate},
    world::World,
};

/// Nobody waits longer for a mail, or for the server itself.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);
/// The server ends by itself after this, in seconds, should a test be killed before it can stop it.
const LIFE: &str = "300";

/// How the server is to be; by default it takes mail for everybody at `example.com` from anybody.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// User and password that it wants, under TLS only, before it takes anything.
    pub login: Option<(&'static str, &'static str)>,
    /// The largest message that it takes, which its EHLO says.
    pub size_limit: Option<usize>,
    /// The addresses that it knows; it refuses all others.
    pub known: Option<Vec<&'static str>>,
    /// Addresses whose mail it takes and returns to the sender afterwards: it does not know them after all.
    pub returned: Vec<&'static str>,
    /// More lines of its configuration.
    pub more: String,
}

/// A running Postfix; stops when it is dropped. Mail to any address at `example.com` is delivered to one
/// maildir, mail to any other is refused.
pub struct Postfix {
    folder: TempDir,
    port: u16,
    master: Child,
}

impl Postfix {
    /// Starts one, or says aloud why not.
    pub fn start() -> Option<Postfix> {
        Self::start_as(&Wishes::default())
    }

    /// Starts one that takes mail for this address, finds out later that it cannot be delivered, and returns it to the
    /// envelope's sender, whose mails lie in a maildir of their own.
    pub fn start_returning(address: &str, sender: &str) -> Option<Postfix> {
        let more = format!(
            "virtual_alias_maps = inline:{{ {{ {address} = nobody@gone.example }} }}\n\
             default_transport = error:5.1.1 there is no such mailbox any more\n\
             virtual_mailbox_maps = inline:{{ {{ {sender} = returned/ }} }} static:mail/\n"
        );
        Self::start_as(&Wishes { more, ..Wishes::default() })
    }

    /// Starts one that is like this, or says aloud why not.
    pub fn start_as(wishes: &Wishes) -> Option<Postfix> {
        let (Some(daemons), Some(owner)) = (daemon_directory(), user_id("postfix")) else {
            println!("skipped: postfix is not installed");
            return None;
        };
        if user_id("") != Some(0) {
            println!("skipped: postfix runs only as root");
            return None;
        }
        if wishes.login.is_some() && run("saslpasswd2", &["-h"]).is_err_and(|said| said.contains("os error 2")) {
            println!("skipped: a login at postfix: sasl2-bin is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // Postfix drops its rights and must still find its files.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let port = free_port();
        configure(folder.path(), port, owner, wishes);
        let checked = run("postfix", &["-c", &config(folder.path()), "check"]);
        assert!(checked.is_ok(), "postfix cannot make its folders: {checked:?}{}", log(folder.path()));
        let master = start_master(&daemons, folder.path());
        let server = Postfix { folder, port, master };
        server.wait_until_it_answers();
        Some(server)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The maildir with what was returned to the sender, and who owns it.
    pub fn returned(&self) -> (PathBuf, u32) {
        (self.folder.path().join("returned"), user_id("postfix").unwrap())
    }

    /// Waits until so many mails were returned.
    pub fn wait_for_returned(&self, messages: usize) {
        let (folder, _) = self.returned();
        let count = |part: &str| fs::read_dir(folder.join(part)).unwrap().count();
        self.wait(|| (count("new") + count("cur") >= messages).then_some(()), "a returned mail");
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
                port: self.port,
                tls,
                login: None,
                ca_file: (tls != MailTls::None).then(|| self.ca_file()),
            },
        }
    }

    /// Makes a world mail through this server under STARTTLS; `more` are lines for `[mail]`.
    pub fn serve(&self, world: World, more: &str) -> World {
        let old = format!("port = {}\ntls = \"none\"", world.smtp.port());
        let ca = self.ca_file();
        let new = format!("port = {}\ntls = \"starttls\"\nca_file = \"{}\"\n{more}", self.port, ca.display());
        world.replace_setting(&old, &new)
    }

    /// A PEM file with the certificate that a client must trust.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The delivered messages to an address at `example.com`, in the order of their delivery, as Postfix stores them:
    /// its own header fields first, LF as line ends.
    pub fn mailbox(&self, address: &str) -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("mail/new")) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let owner = format!("\nDelivered-To: {address}\n");
        let mails = files.iter().map(|file| fs::read(file).unwrap());
        mails.filter(|mail| String::from_utf8_lossy(mail).contains(&owner)).collect()
    }

    /// The mailbox as soon as it holds this many messages.
    pub fn wait_for(&self, address: &str, messages: usize) -> Vec<Vec<u8>> {
        self.wait(|| Some(self.mailbox(address)).filter(|mailbox| mailbox.len() >= messages), address)
    }

    /// What it wrote into its log so far.
    pub fn log(&self) -> String {
        log(self.folder.path())
    }

    fn wait_until_it_answers(&self) {
        self.wait(|| TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok(), "an answer");
    }

    fn wait<T>(&self, ready: impl Fn() -> Option<T>, what: &str) -> T {
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            if let Some(result) = ready() {
                return result;
            }
            thread::sleep(PAUSE);
        }
        panic!("postfix: waited in vain for {what}{}", log(self.folder.path()));
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // It is over; what cannot be stopped now ends by itself.
        let _ = run("postfix", &["-c", &config(self.folder.path()), "abort"]);
        let _ = self.master.wait();
    }
}

fn config(folder: &Path) -> String {
    folder.join("config").to_str().unwrap().to_owned()
}

fn log(folder: &Path) -> String {
    format!("; its log:\n{}", fs::read_to_string(folder.join("postfix.log")).unwrap_or_default())
}

/// A port below those that the system gives away, so that no test beside this one is given it in the meantime.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 9_000).unwrap();
    std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed))
        .take(1_000)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("a free port between 20000 and 30000")
}

/// The output of a program that succeeded, else what it complained of.
pub(super) fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    run_with(program, arguments, "")
}

/// The same with this as its input.
#[expect(clippy::disallowed_methods, reason = "a real mail server is another program; only the tests start it")]
fn run_with(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let path = format!("/usr/sbin:/sbin:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that reads nothing may be over before.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[expect(clippy::disallowed_methods, reason = "a real mail server is another program; only the tests start it")]
fn start_master(daemons: &Path, folder: &Path) -> Child {
    Command::new(daemons.join("master"))
        .args(["-c", &config(folder), "-d", "-e", LIFE])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn daemon_directory() -> Option<PathBuf> {
    run("postconf", &["-d", "-h", "daemon_directory"]).ok().map(PathBuf::from).filter(|folder| folder.is_dir())
}

/// The number of a user; of the one who runs the tests for the empty name.
pub(super) fn user_id(name: &str) -> Option<u32> {
    let arguments = if name.is_empty() { vec!["-u"] } else { vec!["-u", name] };
    run("id", &arguments).ok()?.parse().ok()
}

fn configure(folder: &Path, port: u16, owner: u32, wishes: &Wishes) {
    let config = folder.join("config");
    fs::create_dir(&config).unwrap();
    fs::create_dir(folder.join("queue")).unwrap();
    for maildir in ["mail", "returned"] {
        let mail = folder.join(maildir);
        fs::create_dir(&mail).unwrap();
        for part in ["new", "cur", "tmp"] {
            fs::create_dir(mail.join(part)).unwrap();
            std::os::unix::fs::chown(mail.join(part), Some(owner), Some(owner)).unwrap();
        }
        std::os::unix::fs::chown(&mail, Some(owner), Some(owner)).unwrap();
    }
    certificate(folder, Certificate::For("127.0.0.1"));
    let place = folder.to_str().unwrap();
    fs::write(config.join("main.cf"), main_cf(place, owner) + &wished(place, wishes)).unwrap();
    if let Some((user, password)) = wishes.login {
        give_login(folder, owner, user, password);
    }
    fs::write(config.join("master.cf"), master_cf(port)).unwrap();
}

fn main_cf(folder: &str, owner: u32) -> String {
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {folder}/queue\n\
         data_directory = {folder}/data\n\
         maillog_file = {folder}/postfix.log\n\
         maillog_file_prefixes = {folder}\n\
         myhostname = mx.example.com\n\
         mydestination =\n\
         alias_maps =\n\
         alias_database =\n\
         inet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\n\
         mynetworks = 127.0.0.0/8\n\
         disable_dns_lookups = yes\n\
         smtpd_peername_lookup = no\n\
         local_header_rewrite_clients =\n\
         smtpd_tls_security_level = may\n\
         smtpd_tls_cert_file = {folder}/cert.pem\n\
         smtpd_tls_key_file = {folder}/key.pem\n\
         smtpd_client_connection_rate_limit = 0\n\
         default_transport = error:no mail leaves this machine\n\
         virtual_mailbox_domains = example.com\n\
         virtual_mailbox_base = {folder}\n\
         virtual_mailbox_maps = static:mail/\n\
         virtual_minimum_uid = 1\n\
         virtual_uid_maps = static:{owner}\n\
         virtual_gid_maps = static:{owner}\n"
    )
}

/// The settings for what is wished; a later line replaces an earlier one.
fn wished(folder: &str, wishes: &Wishes) -> String {
    let mut lines: Vec<String> = Vec::new();
    if wishes.login.is_some() {
        lines.push(format!(
            "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = cyrus\nsmtpd_sasl_path = smtpd\n\
             cyrus_sasl_config_path = {folder}/config/sasl\nsmtpd_sasl_local_domain = example.com\nsmtpd_tls_auth_only = yes\n\
             smtpd_sasl_security_options = noanonymous\nsmtpd_client_restrictions = permit_sasl_authenticated, reject\n"
        ));
    }
    if let Some(limit) = wishes.size_limit {
        lines.push(format!("message_size_limit = {limit}\n"));
    }
    if let Some(known) = &wishes.known {
        let known: Vec<String> = known.iter().map(|address| format!("{{ {address} = mail/ }}")).collect();
        lines.push(format!("virtual_mailbox_maps = inline:{{ {} }}\n", known.join(", ")));
    }
    if !wishes.returned.is_empty() {
        let returned: Vec<String> =
            wishes.returned.iter().map(|address| format!("{{ {address} = returner: }}")).collect();
        lines.push(format!("transport_maps = inline:{{ {} }}\n", returned.join(", ")));
    }
    lines.push(wishes.more.clone());
    lines.concat()
}

/// A password that Cyrus SASL finds in a file of this server's own.
fn give_login(folder: &Path, owner: u32, user: &str, password: &str) {
    // Debian's Postfix looks for it there.
    let sasl = folder.join("config/sasl");
    fs::create_dir(&sasl).unwrap();
    let file = sasl.join("sasldb2");
    let place = file.to_str().unwrap();
    let conf =
        format!("pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: {place}\n");
    fs::write(sasl.join("smtpd.conf"), conf).unwrap();
    let arguments = ["-p", "-c", "-f", place, "-u", "example.com", user];
    let given = run_with("saslpasswd2", &arguments, password);
    assert!(given.is_ok(), "no login could be made: {given:?}");
    std::os::unix::fs::chown(&file, Some(owner), None).unwrap();
}

fn master_cf(port: u16) -> String {
    let mut services = format!("127.0.0.1:{port} inet n - n - - smtpd\n");
    for service in [
        "cleanup unix n - n - 0 cleanup",
        "qmgr unix n - n 300 1 qmgr",
        "tlsmgr unix - - n 1000? 1 tlsmgr",
        "rewrite unix - - n - - trivial-rewrite",
        "bounce unix - - n - 0 bounce",
        "defer unix - - n - 0 bounce",
        "trace unix - - n - 0 bounce",
        "flush unix n - n 1000? 0 flush",
        "proxymap unix - - n - - proxymap",
        "showq unix n - n - - showq",
        "error unix - - n - - error",
        "retry unix - - n - - error",
        // Delivers, but knows nobody.
        "returner unix - n n - - virtual -o virtual_mailbox_maps=inline:{nobody@example.com=mail/}",
        "virtual unix - n n - - virtual",
        "anvil unix - - n - 1 anvil",
        "postlog unix-dgram n - n - 1 postlogd",
    ] {
        services.push_str(service);
        services.push('\n');
    }
    services
}
