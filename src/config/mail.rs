//! `[mail]` of `config/sigtrail.toml`, and whether the files that it names can be used. No mail is sent here.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use url::Host;

use super::{
    fields::{Fields, Shape},
    problem::Report,
    settings::below,
    values::{self, Flaw},
};
use crate::model::settings::{MailSettings, MailTls, MailTransport};

/// The most bytes of a certificate file that are looked at.
const CA_FILE_SIZE: u64 = 4 << 20;

/// Keys that only mean something for a mail server.
const SMTP_KEYS: [&str; 8] =
    ["host", "port", "tls", "username", "password_file", "ca_file", "envelope_from", "per_minute"];

const IN_A_FILE: &str = "put the password in a file of its own and name it: password_file = \"...\"";

pub(super) const SHAPE: Shape = Shape {
    title: "[mail]",
    keys: &[
        ("from", "\"sigtrail <sigtrail@example.com>\""),
        ("transport", "\"smtp\""),
        ("host", "\"smtp.example.com\""),
        ("port", "587"),
        ("tls", "\"starttls\""),
        ("username", "\"sigtrail\""),
        ("password_file", "\"/run/credentials/sigtrail.service/smtp-password\""),
        ("ca_file", "\"/etc/ssl/example-ca.pem\""),
        ("envelope_from", "\"sigtrail-bounces@example.com\""),
        ("per_minute", "60"),
    ],
    elsewhere: &[
        ("password", IN_A_FILE),
        ("pass", IN_A_FILE),
        ("secret", IN_A_FILE),
        ("user", "write username = \"...\""),
        ("server", "write host = \"...\""),
        ("directory", "write transport = \"directory\"; the files go to the folder outbox of the state"),
    ],
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    Smtp,
}

/// Reads the table; relative paths are meant from the root.
pub(super) fn check(table: &Fields<'_>, root: &Path, report: &mut Report<'_>) -> Option<MailSettings> {
    if !table.has("from") {
        table.missing("from", report);
    }
    let from = table.read("from", report, values::sender);
    let kinds = [("directory", Kind::Directory), ("smtp", Kind::Smtp)];
    let kind = if table.has("transport") { table.word("transport", &kinds, report) } else { Some(Kind::Directory) };
    let transport = match kind? {
        Kind::Smtp => smtp(table, root, report),
        Kind::Directory => {
            without_server(table, report);
            Some(MailTransport::Directory)
        }
    };
    let (from_name, from_address) = from?;
    let envelope_from = envelope_from(table, &from_address, report);
    let per_minute = table.number("per_minute", (1, 10_000), report);
    Some(MailSettings { from_name, from_address, envelope_from, per_minute, transport: transport? })
}

/// Another sender in the envelope, of the same organisation as the one that people see: what checks the one against
/// the other (DMARC, RFC 7489 section 3.1) finds them aligned.
fn envelope_from(table: &Fields<'_>, from: &str, report: &mut Report<'_>) -> Option<String> {
    let text = table.text("envelope_from", report)?;
    let address = match values::mail_address(text.text) {
        Ok(address) => address,
        Err(flaw) => {
            text.flaw(flaw, report);
            return None;
        }
    };
    let (theirs, ours) = (organisation(&address), organisation(from));
    if theirs != ours {
        let hint = format!("name an address of {ours}, or remove the line: bounces go to {from}");
        let message = format!("`envelope_from` is of {theirs}, and `from` of {ours}");
        report.error(&text.at, message).label("mail that two organisations seem to send is refused").hint(hint);
        return None;
    }
    Some(address)
}

/// The registrable domain of an address, in lower case.
fn organisation(address: &str) -> String {
    let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain).to_ascii_lowercase();
    psl::domain_str(&domain).map_or(domain.clone(), str::to_owned)
}

fn without_server(table: &Fields<'_>, report: &mut Report<'_>) {
    for key in SMTP_KEYS.into_iter().filter(|key| table.has(key)) {
        let message = format!("`{key}` has no effect with transport = \"directory\"");
        let hint = "write transport = \"smtp\", or remove the line";
        report.error(&table.key_at(key), message).label("mails are written to files").hint(hint);
    }
}

fn smtp(table: &Fields<'_>, root: &Path, report: &mut Report<'_>) -> Option<MailTransport> {
    if !table.has("host") {
        table.missing("host", report);
    }
    let host = table.read("host", report, host);
    let words = [("starttls", MailTls::Starttls), ("tls", MailTls::Tls), ("none", MailTls::None)];
    let tls = table.word("tls", &words, report).unwrap_or(MailTls::Starttls);
    let port = table.number("port", (1, 65_535), report).and_then(|port| u16::try_from(port).ok());
    let login = login(table, root, report);
    let ca_file = ca_file(table, root, tls, report);
    let local = host.as_deref().is_some_and(is_local);
    if tls == MailTls::None && !local {
        let at = table.key_at("tls");
        let hint = "write tls = \"starttls\" or tls = \"tls\"";
        if login.is_some() {
            report.error(&at, "the password would cross the network unprotected").label("no protection").hint(hint);
        } else {
            report.warning(&at, "mails cross the network unprotected").label("no protection").hint(hint);
        }
    }
    let port = port.unwrap_or(default_port(tls));
    Some(MailTransport::Smtp { host: host?, port, tls, login, ca_file })
}

/// The certificates that are trusted beside the system's.
pub(super) fn ca_file(table: &Fields<'_>, root: &Path, tls: MailTls, report: &mut Report<'_>) -> Option<PathBuf> {
    let ca_file = table.text("ca_file", report).map(|text| {
        let path = below(root, text.text);
        if let Err(flaw) = certificates(text.text, &path) {
            text.flaw(flaw, report);
        }
        path
    });
    if tls == MailTls::None && ca_file.is_some() {
        let hint = "write tls = \"starttls\", or remove the line";
        report
            .error(&table.key_at("ca_file"), "`ca_file` has no effect with tls = \"none\"")
            .label("no effect")
            .hint(hint);
    }
    ca_file
}

/// 587 (RFC 6409) with STARTTLS, 465 (RFC 8314) with TLS, 25 without protection.
fn default_port(tls: MailTls) -> u16 {
    match tls {
        MailTls::Starttls => 587,
        MailTls::Tls => 465,
        MailTls::None => 25,
    }
}

pub(super) fn host(text: &str) -> Result<String, Flaw> {
    let flaw = |hint: String| Flaw::new(format!("invalid host `{text}`"), "a name or an address, nothing else", hint);
    if let Some((_, rest)) = text.split_once("://") {
        return Err(flaw(format!("write \"{}\"", rest.trim_end_matches('/'))));
    }
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    if let Some((name, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
    {
        return Err(flaw(format!("write host = \"{name}\" and port = {port}")));
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) => Ok(name),
        Ok(Host::Ipv4(address)) => Ok(address.to_string()),
        _ => Err(flaw("write something like \"smtp.example.com\"".to_owned())),
    }
}

pub(super) fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

pub(super) fn login(table: &Fields<'_>, root: &Path, report: &mut Report<'_>) -> Option<(String, PathBuf)> {
    let username = table.text("username", report);
    let password_file = table.text("password_file", report);
    for (key, other) in [("username", "password_file"), ("password_file", "username")] {
        if table.has(key) && !table.has(other) {
            let message = format!("`{key}` without `{other}`");
            let hint = format!("add {other} = \"...\", or remove the line");
            report.error(&table.key_at(key), message).label("a login needs both").hint(hint);
        }
    }
    let text = password_file?;
    let path = below(root, text.text);
    match secret(text.text, &path) {
        Ok(None) => {}
        Ok(Some(concern)) => {
            report.warning(&text.at, concern.message).label(concern.label).hint(concern.hint);
        }
        Err(flaw) => text.flaw(flaw, report),
    }
    Some((username?.text.to_owned(), path))
}

/// Whether a file can hold a secret; a concern is only worth a warning.
fn secret(typed: &str, path: &Path) -> Result<Option<Flaw>, Flaw> {
    let shown = path.display();
    let unreadable = |error: &std::io::Error| {
        let hint = format!("make {shown} a file that only sigtrail can read");
        Flaw::new(format!("cannot read password file `{typed}`"), error.to_string(), hint)
    };
    let metadata = match fs::metadata(path) {
        // systemd makes these only while the service runs, and `check` is used by people.
        Err(_) if path.starts_with("/run/credentials") => {
            let hint = "add LoadCredential= to the unit; sigtrail run will look again";
            let message = format!("password file `{typed}` is not there now");
            return Ok(Some(Flaw::new(message, "made when the service starts", hint)));
        }
        Err(error) => return Err(unreadable(&error)),
        Ok(metadata) => metadata,
    };
    let refusal = |message: &str, hint: String| Err(Flaw::new(format!("password file `{typed}` {message}"), "", hint));
    if !metadata.is_file() {
        return refusal("is not a file", format!("make {shown} a file"));
    }
    File::open(path).map_err(|error| unreadable(&error))?;
    if metadata.len() == 0 {
        return refusal("is empty", format!("write the password into {shown}"));
    }
    let open_to_others = metadata.mode() & 0o077 != 0 && !path.starts_with("/run/credentials");
    Ok(open_to_others.then(|| {
        let label = format!("its mode is {:04o}", metadata.mode() & 0o777);
        Flaw::new(format!("password file `{typed}` is open to others"), label, format!("run: chmod 600 {shown}"))
    }))
}

/// Whether a file holds PEM certificates.
fn certificates(typed: &str, path: &Path) -> Result<(), Flaw> {
    let shown = path.display();
    let mut pem = Vec::new();
    let read = File::open(path).and_then(|file| file.take(CA_FILE_SIZE).read_to_end(&mut pem));
    if let Err(error) = read {
        let hint = format!("make {shown} a file with PEM certificates that sigtrail can read");
        return Err(Flaw::new(format!("cannot read certificate file `{typed}`"), error.to_string(), hint));
    }
    if String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
        return Ok(());
    }
    let hint = "it must hold at least one -----BEGIN CERTIFICATE----- block";
    Err(Flaw::new(format!("no certificate in `{typed}`"), "not PEM certificates", hint))
}
