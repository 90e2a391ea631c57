//! `[inbound]` of `config/sigtrail.toml`: the mailbox that returned mails come to. Nothing is read from it here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::SignedDuration;

use super::{
    fields::{Fields, Shape},
    mail,
    problem::Report,
    settings::below,
    values::{self, Flaw},
};
use crate::model::settings::{InboundSettings, InboundSource, MailTls};

/// Keys that only mean something for an IMAP server.
const IMAP_KEYS: [&str; 7] = ["host", "port", "tls", "username", "password_file", "mailbox", "ca_file"];

const IN_A_FILE: &str = "put the password in a file of its own and name it: password_file = \"...\"";

pub(super) const SHAPE: Shape = Shape {
    title: "[inbound]",
    keys: &[
        ("maildir", "\"/var/mail/sigtrail\""),
        ("host", "\"imap.example.com\""),
        ("port", "993"),
        ("tls", "\"tls\""),
        ("username", "\"sigtrail\""),
        ("password_file", "\"/run/credentials/sigtrail.service/imap-password\""),
        ("mailbox", "\"INBOX\""),
        ("ca_file", "\"/etc/ssl/example-ca.pem\""),
        ("every", "\"5m\""),
    ],
    elsewhere: &[
        ("password", IN_A_FILE),
        ("pass", IN_A_FILE),
        ("user", "write username = \"...\""),
        ("server", "write host = \"...\""),
        ("folder", "write mailbox = \"...\" for IMAP, or maildir = \"...\""),
        ("path", "write maildir = \"...\""),
    ],
};

/// Reads the table; relative paths are meant from the root.
pub(super) fn check(table: &Fields<'_>, root: &Path, report: &mut Report<'_>) -> Option<InboundSettings> {
    let every = table.read("every", report, |text| values::duration(text, "10s", "1d"));
    let every = every.unwrap_or(SignedDuration::from_mins(5));
    let source = match (table.has("maildir"), table.has("host")) {
        (true, has_host) => {
            if has_host {
                let hint = "remove one of the two: a mailbox is a folder, or on a server";
                report.error(&table.key_at("host"), "both `maildir` and `host`").label("a second mailbox").hint(hint);
                return None;
            }
            without_server(table, report);
            maildir(table, root, report).map(InboundSource::Maildir)
        }
        (false, true) => imap(table, root, report),
        (false, false) => {
            let hint = "add maildir = \"/var/mail/sigtrail\" for a folder, or host = \"imap.example.com\" for a server";
            report.error(&table.at, "no mailbox in [inbound]").label("needs `maildir` or `host`").hint(hint);
            None
        }
    };
    Some(InboundSettings { source: source?, every })
}

fn without_server(table: &Fields<'_>, report: &mut Report<'_>) {
    for key in IMAP_KEYS.into_iter().filter(|key| table.has(key)) {
        let message = format!("`{key}` has no effect with a maildir");
        let hint = "write host = \"...\" instead of maildir, or remove the line";
        report.error(&table.key_at(key), message).label("no server is asked").hint(hint);
    }
}

fn maildir(table: &Fields<'_>, root: &Path, report: &mut Report<'_>) -> Option<PathBuf> {
    table.read("maildir", report, |text| {
        let path = below(root, text);
        let is_there = fs::read_dir(&path);
        if let Err(error) = is_there {
            let hint = format!("make {} a maildir that sigtrail can read and write", path.display());
            return Err(Flaw::new(format!("cannot read maildir `{text}`"), error.to_string(), hint));
        }
        let lacking: Vec<&str> = ["new", "cur"].into_iter().filter(|part| !path.join(part).is_dir()).collect();
        if lacking.is_empty() {
            return Ok(path);
        }
        let label = format!("it has no folder {}", lacking.join(" and no folder "));
        Err(Flaw::new(format!("`{text}` is no maildir"), label, "name the folder that holds new, cur and tmp"))
    })
}

fn imap(table: &Fields<'_>, root: &Path, report: &mut Report<'_>) -> Option<InboundSource> {
    let host = table.read("host", report, mail::host);
    let words = [("tls", MailTls::Tls), ("starttls", MailTls::Starttls), ("none", MailTls::None)];
    let tls = table.word("tls", &words, report).unwrap_or(MailTls::Tls);
    let port = table.number("port", (1, 65_535), report).and_then(|port| u16::try_from(port).ok());
    if !table.has("username") && !table.has("password_file") {
        table.missing("username", report);
    }
    let login = mail::login(table, root, report);
    let mailbox = if table.has("mailbox") { table.read("mailbox", report, mailbox) } else { Some("INBOX".to_owned()) };
    let ca_file = mail::ca_file(table, root, tls, report);
    if tls == MailTls::None && !host.as_deref().is_some_and(mail::is_local) {
        let hint = "write tls = \"tls\" or tls = \"starttls\"";
        report
            .error(&table.key_at("tls"), "the password would cross the network unprotected")
            .label("no protection")
            .hint(hint);
    }
    let port = port.unwrap_or(if tls == MailTls::Tls { 993 } else { 143 });
    Some(InboundSource::Imap { host: host?, port, tls, login: login?, mailbox: mailbox?, ca_file })
}

/// A mailbox's name as IMAP spells it (RFC 3501 section 5.1.3).
fn mailbox(text: &str) -> Result<String, Flaw> {
    if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    let hint = "write it as the server lists it, in modified UTF-7, or take a mailbox with a plain name";
    Err(Flaw::new(format!("invalid mailbox `{text}`"), "plain ASCII only", hint))
}
