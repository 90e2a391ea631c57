//! Why no answer came, in words that an owner understands. Nothing of what the other side said is repeated, and
//! no address: the words go into mails and pages.

use std::{error::Error, io, time::Duration};

use rustls::CertificateError;

use super::dial::DialError;
use crate::model::{
    feed::FeedState,
    outcome::{NO_AUTHORITIES, OUR_RULES},
};

/// Why there is no answer to read.
pub(super) struct NoAnswer {
    pub(super) state: FeedState,
    pub(super) words: String,
    /// Whether the request got further than the lookup of the name and the connection, or was never meant to.
    pub(super) reached: bool,
}

impl NoAnswer {
    /// For a reason that lies beyond the connection.
    pub(super) fn beyond((state, words): (FeedState, String)) -> Self {
        Self { state, words, reached: true }
    }
}

/// The class and the words of a request that failed before an answer was read.
pub(super) fn of(error: &reqwest::Error, connect_timeout: Duration, has_roots: bool) -> NoAnswer {
    if let Some(dial) = find::<DialError>(error) {
        return if *dial == DialError::Forbidden {
            NoAnswer::beyond((FeedState::Refused, format!("{OUR_RULES}: {dial}")))
        } else {
            NoAnswer { state: FeedState::Broken, words: dial.to_string(), reached: false }
        };
    }
    let reached = !error.is_connect() || find::<rustls::Error>(error).is_some();
    let words = if let Some(tls) = find::<rustls::Error>(error) {
        format!("TLS: {}", tls_words(tls, has_roots))
    } else if error.is_timeout() {
        format!("no connection within {}", duration(connect_timeout))
    } else if let Some(io) = find::<io::Error>(error) {
        io_words(io, error.is_connect()).to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "the server broke off or does not speak HTTP".to_owned()
    };
    NoAnswer { state: FeedState::Broken, words, reached }
}

/// The first error of a type in the chain of causes. An `io::Error` hides the one that it carries, so it is
/// asked.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match carried {
            Some(carried) => Some(carried),
            None => error.source(),
        };
    }
    None
}

fn io_words(error: &io::Error, connecting: bool) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "the host cannot be reached",
        io::ErrorKind::TimedOut => "the connection timed out",
        _ if connecting => "no connection",
        _ => "the server broke off the connection",
    }
}

fn tls_words(error: &rustls::Error, has_roots: bool) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(_) if !has_roots => NO_AUTHORITIES,
        rustls::Error::InvalidCertificate(problem) => certificate_words(problem),
        rustls::Error::PeerIncompatible(_) => "the server offers no version or cipher that is safe",
        rustls::Error::AlertReceived(_) => "the server refused the handshake",
        rustls::Error::NoCertificatesPresented => "the server shows no certificate",
        _ => "the handshake failed",
    }
}

fn certificate_words(problem: &CertificateError) -> &'static str {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another name"
        }
        CertificateError::UnknownIssuer => "the certificate was issued by nobody that this machine trusts",
        CertificateError::Revoked => "the certificate was revoked",
        _ => "the certificate is not valid",
    }
}

/// A time limit as people write it: `30 s`, `1500 ms`.
pub(super) fn duration(limit: Duration) -> String {
    if limit.subsec_nanos() == 0 { format!("{} s", limit.as_secs()) } else { format!("{} ms", limit.as_millis()) }
}

/// A size as people write it: `10 MiB`, `64 KiB`, `1000 bytes`.
pub(super) fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    if bytes >= MIB && bytes.is_multiple_of(MIB) {
        format!("{} MiB", bytes / MIB)
    } else if bytes >= KIB && bytes.is_multiple_of(KIB) {
        format!("{} KiB", bytes / KIB)
    } else {
        format!("{bytes} bytes")
    }
}
