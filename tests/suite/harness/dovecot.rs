//! A real mailbox: a private Dovecot on loopback that serves one maildir by IMAP to one user. It needs the Debian package
//! `dovecot-imapd` and root, and no init; elsewhere the test says that it is skipped.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use super::{
    postfix::{free_port, run, user_id},
    smtp_server::{Certificate, certificate},
};

/// Nobody waits longer for the server.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);
/// Who logs in, and with what: a password that has to be quoted.
pub const USER: &str = "sigtrail";
const PASSWORD: &str = "a \"good\" \\ pass{3}";

/// A running Dovecot; stops when it is dropped.
pub struct Dovecot {
    folder: TempDir,
    /// Where it speaks in the clear and offers STARTTLS.
    pub port: u16,
    /// Where it speaks TLS from the first byte.
    pub tls_port: u16,
    master: Child,
}

impl Dovecot {
    /// Serves a maildir that belongs to the user with this number and not to root; or says aloud why not.
    pub fn serve(maildir: &Path, owner: u32) -> Option<Dovecot> {
        if run("dovecot", &["--version"]).is_err() {
            println!("skipped: dovecot is not installed");
            return None;
        }
        if user_id("") != Some(0) {
            println!("skipped: dovecot runs only as root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        certificate(folder.path(), Certificate::For("127.0.0.1"));
        let (port, tls_port) = (free_port(), free_port());
        let config = folder.path().join("dovecot.conf");
        fs::write(&config, configuration(folder.path(), maildir, owner, (port, tls_port))).unwrap();
        let users = format!("{USER}:{{PLAIN}}{PASSWORD}\n");
        fs::write(folder.path().join("users"), users).unwrap();
        let master = start_master(&config);
        let server = Dovecot { folder, port, tls_port, master };
        server.wait_until_it_answers();
        Some(server)
    }

    /// The table `[inbound]` that reads this server's mailbox, with the keys of `how` and the right password.
    pub fn inbound(&self, how: &str) -> String {
        let password = self.folder.path().join("password");
        fs::write(&password, format!("{PASSWORD}\n")).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        format!(
            "[inbound]\nhost = \"127.0.0.1\"\nusername = \"{USER}\"\npassword_file = \"{}\"\n{how}\n",
            password.display()
        )
    }

    /// Changes the password on our side only.
    pub fn forget_the_password(&self) {
        fs::write(self.folder.path().join("password"), "another").unwrap();
    }

    /// A PEM file with the certificate that a client must trust.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What it wrote into its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("dovecot.log")).unwrap_or_default()
    }

    fn wait_until_it_answers(&self) {
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            if [self.port, self.tls_port].iter().all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok()) {
                return;
            }
            thread::sleep(PAUSE);
        }
        panic!("dovecot does not answer; its log:\n{}", self.log());
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // It takes its children with it when it is asked, not when it is killed.
        let asked = run("kill", &["-TERM", &self.master.id().to_string()]);
        if asked.is_ok() {
            let _ = self.master.wait();
        }
    }
}

/// A user who may own a mailbox.
pub fn mailbox_owner() -> Option<u32> {
    user_id("mail")
}

/// Gives a maildir and everything in it to a user.
pub fn give(maildir: &Path, owner: u32) {
    chown(maildir, Some(owner), Some(owner)).unwrap();
    for entry in fs::read_dir(maildir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { give(&path, owner) } else { chown(&path, Some(owner), Some(owner)).unwrap() }
    }
}

#[expect(clippy::disallowed_methods, reason = "a real mail server is another program; only the tests start it")]
fn start_master(config: &Path) -> Child {
    let path = format!("/usr/sbin:/sbin:{}", std::env::var("PATH").unwrap_or_default());
    Command::new("dovecot")
        .args(["-F", "-c", config.to_str().unwrap()])
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn configuration(folder: &Path, maildir: &Path, owner: u32, (port, tls_port): (u16, u16)) -> String {
    let (folder, maildir) = (folder.display(), maildir.display());
    format!(
        "base_dir = {folder}/run\n\
         state_dir = {folder}/state\n\
         log_path = {folder}/dovecot.log\n\
         protocols = imap\n\
         listen = 127.0.0.1\n\
         instance_name = sigtrail-test-{port}\n\
         ssl = yes\n\
         ssl_cert = <{folder}/cert.pem\n\
         ssl_key = <{folder}/key.pem\n\
         disable_plaintext_auth = no\n\
         auth_failure_delay = 0\n\
         mail_location = maildir:{maildir}\n\
         first_valid_uid = 1\n\
         passdb {{\n  driver = passwd-file\n  args = scheme=PLAIN {folder}/users\n}}\n\
         userdb {{\n  driver = static\n  args = uid={owner} gid={owner} home={maildir}\n}}\n\
         service imap-login {{\n\
           inet_listener imap {{\n    port = {port}\n  }}\n\
           inet_listener imaps {{\n    port = {tls_port}\n    ssl = yes\n  }}\n\
         }}\n"
    )
}
