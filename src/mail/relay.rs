//! The mail server as it is configured: its address, how the line to it is protected, and the login.

use std::{
    fs,
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use lettre::{Address, transport::smtp::extension::ClientId};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio_rustls::TlsConnector;
use url::Host;

use super::{line::Patience, mailer::MailError};
use crate::model::settings::MailTls;

/// The most bytes of a password file that are read.
const MAX_PASSWORD: u64 = 4096;

/// A mail server.
pub(super) struct Relay {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: MailTls,
    /// User name, and the file that holds the password.
    pub(super) login: Option<(String, PathBuf)>,
    /// The name that its certificate must have.
    pub(super) name: ServerName<'static>,
    pub(super) connector: TlsConnector,
    pub(super) patience: Patience,
}

impl Relay {
    /// `smtp.example.com:587`, `[2001:db8::25]:25`.
    pub(super) fn peer(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The password, read anew for each connection so that it can be changed under a running service; line ends at its
    /// end do not count. An error in words that name the file and never its content.
    pub(super) fn password(&self) -> Result<String, String> {
        let Some((_, file)) = &self.login else { return Ok(String::new()) };
        let mut text = String::new();
        fs::File::open(file)
            .and_then(|open| open.take(MAX_PASSWORD).read_to_string(&mut text))
            .map_err(|error| format!("the password file {} cannot be read: {error}", file.display()))?;
        let password = text.trim_end_matches(['\r', '\n']);
        if password.is_empty() || password.contains('\0') {
            return Err(format!("the password file {} holds no password", file.display()));
        }
        Ok(password.to_owned())
    }
}

/// How we name ourselves (RFC 5321 section 4.1.4): the machine's name, else the address of our end.
pub(super) fn hello(local: Option<SocketAddr>) -> ClientId {
    match ClientId::default() {
        ClientId::Domain(name) if is_host_name(&name) => ClientId::Domain(name),
        _ => match local.map(|address| address.ip()) {
            Some(IpAddr::V6(address)) => ClientId::Ipv6(address),
            Some(IpAddr::V4(address)) => ClientId::Ipv4(address),
            None => ClientId::Ipv4(Ipv4Addr::LOCALHOST),
        },
    }
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        && name.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
}

/// The TLS of the mail door: rustls with ring, TLS 1.2 or 1.3, the system's roots and those of `ca_file`; the
/// certificate's chain, dates and name are checked, and no setting turns that off.
pub(crate) fn connector(tls: MailTls, ca_file: Option<&Path>) -> Result<TlsConnector, MailError> {
    let mut roots = RootCertStore::empty();
    if tls != MailTls::None {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if let Some(path) = ca_file {
        let fault = |error| MailError::CaFile { path: path.to_owned(), error };
        let pem = fs::read(path).map_err(fault)?;
        let mut found = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let added = certificate
                .map_err(|error| error.to_string())
                .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
            added.map_err(|error| fault(io::Error::new(io::ErrorKind::InvalidData, error)))?;
            found += 1;
        }
        if found == 0 {
            return Err(fault(io::Error::new(io::ErrorKind::InvalidData, "it holds no PEM certificate")));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(MailError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// An address as it stands in the envelope: its domain in ASCII (IDNA), so that SMTPUTF8 is asked for only where the
/// part before the `@` needs it. `None` where it is no address.
pub(super) fn envelope_address(text: &str) -> Option<Address> {
    let (user, domain) = text.rsplit_once('@')?;
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>')) {
        return None;
    }
    let domain = match Host::parse(domain) {
        Ok(Host::Domain(ascii)) if !domain.starts_with('[') => ascii,
        _ => domain.to_owned(),
    };
    Address::new(user, &domain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ascii(text: &str) -> Option<String> {
        envelope_address(text).map(|address| address.to_string())
    }

    #[test]
    fn an_envelope_address_has_its_domain_in_ascii() {
        assert_eq!(ascii("maria@example.com").as_deref(), Some("maria@example.com"));
        assert_eq!(ascii("maria@Bücher.example").as_deref(), Some("maria@xn--bcher-kva.example"));
        assert_eq!(ascii("maría@example.com").as_deref(), Some("maría@example.com"));
        assert_eq!(ascii("ops@[192.0.2.1]").as_deref(), Some("ops@[192.0.2.1]"));
    }

    #[test]
    fn what_could_end_a_command_early_is_no_envelope_address() {
        for bad in ["", "maria", "a@b\r\nRCPT TO:<x@example.com>", "a>@example.com", "a b@example.com", "a@", "@b"] {
            assert_eq!(ascii(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_a_host_name_is_used_to_say_hello() {
        assert!(is_host_name("mail-1.example.com") && is_host_name("builder7"));
        for bad in ["", "a_b", "a b", "-a", "a..b", "a\r\nMAIL"] {
            assert!(!is_host_name(bad), "{bad:?}");
        }
    }
}
