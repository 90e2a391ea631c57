//! Names to addresses, filtered: what comes out of here is what is dialled, so a name that changes its mind
//! between a check and a connection gains nothing. Literal addresses never come here; `door` checks those.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{address::may_dial, model::settings::AddressRange};

/// What a test says of a name; no address: there is no such name.
pub type Lookup = dyn Fn(&str) -> Vec<IpAddr> + Send + Sync;

/// Where names are looked up.
#[derive(Clone, Default)]
pub enum Resolver {
    /// The machine's own resolver.
    #[default]
    System,
    /// A table that a test makes up: asked once per lookup, so it may change its mind.
    Table(Arc<Lookup>),
}

impl Resolver {
    /// A table that a test makes up.
    pub fn table(lookup: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        Self::Table(Arc::new(lookup))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Table(_) => "Table",
        })
    }
}

/// Why a name is not dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DialError {
    /// It leads nowhere but to addresses that may not be dialled.
    #[error("the name leads only to addresses that are not public")]
    Forbidden,
    /// There is no such name.
    #[error("no such name")]
    NoName,
    /// Nobody could say.
    #[error("the name could not be looked up")]
    NoAnswer,
}

/// The resolver that the HTTP client dials by.
pub(super) struct PolicyResolver {
    pub(super) resolver: Resolver,
    pub(super) allow: Arc<[AddressRange]>,
}

impl Resolve for PolicyResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.resolver.clone();
        let allow = Arc::clone(&self.allow);
        Box::pin(async move {
            let found = look_up(&resolver, name.as_str()).await?;
            if found.is_empty() {
                return Err(DialError::NoName.into());
            }
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|ip| may_dial(*ip, &allow)).map(|ip| SocketAddr::new(ip, 0)).collect();
            if allowed.is_empty() {
                return Err(DialError::Forbidden.into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

async fn look_up(resolver: &Resolver, name: &str) -> Result<Vec<IpAddr>, DialError> {
    match resolver {
        Resolver::Table(lookup) => Ok(lookup(name)),
        Resolver::System => match tokio::net::lookup_host((name, 0)).await {
            Ok(found) => Ok(found.map(|address| address.ip()).collect()),
            Err(error) => Err(look_up_failure(&error)),
        },
    }
}

/// The system gives its reason only as a text; `EAI_AGAIN` is the one that says nothing about the name.
fn look_up_failure(error: &io::Error) -> DialError {
    if error.to_string().contains("Temporary failure") { DialError::NoAnswer } else { DialError::NoName }
}
