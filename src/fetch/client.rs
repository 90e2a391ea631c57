//! The HTTP client and its TLS: what it may do by itself, which is next to nothing. No proxy, no cookie, no
//! redirect, no second try, and no address that the policy has not seen.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, redirect, retry};
use rustls::{ClientConfig, RootCertStore};

use super::dial::PolicyResolver;

/// An idle connection is kept for this long, which spans the gap between two feeds of one host.
const KEEP_IDLE: Duration = Duration::from_secs(5);

/// Makes the clients of all hosts alike.
pub(super) struct Clients {
    tls: ClientConfig,
    resolver: Arc<PolicyResolver>,
    connect_timeout: Duration,
    /// Whether there is any certificate authority to trust.
    pub(super) has_roots: bool,
}

impl Clients {
    /// Clients that trust these authorities, by TLS 1.2 and 1.3.
    pub(super) fn new(
        roots: RootCertStore,
        resolver: PolicyResolver,
        connect_timeout: Duration,
    ) -> Result<Self, rustls::Error> {
        let has_roots = !roots.is_empty();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { tls, resolver: Arc::new(resolver), connect_timeout, has_roots })
    }

    /// A client with no connection yet; TLS sessions are remembered by all of them together.
    pub(super) fn new_client(&self) -> reqwest::Result<Client> {
        Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .dns_resolver(Arc::clone(&self.resolver))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(self.connect_timeout)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(KEEP_IDLE)
            .build()
    }
}
