//! Through which proxy a request goes (SPEC §6.8).

use std::fmt;

use aio_connector::{Proxy, ProxyError};
use aio_core::{BasicAuth, Headers};

/// What a session, or a request, says of proxies.
#[derive(Clone, Default)]
pub(crate) struct ProxyOptions {
    pub(crate) choice: ProxyChoice,
    /// In place of what the proxy's URL has.
    pub(crate) auth: Option<BasicAuth>,
    /// Besides those that the proxy has.
    pub(crate) headers: Headers,
}

#[derive(Debug, Clone, Default)]
pub(crate) enum ProxyChoice {
    /// What the environment says, if it is trusted.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Direct,
    Through(Proxy),
}

impl ProxyOptions {
    /// Makes the proxy of a request that names one.
    pub(crate) fn proxy(&self) -> Result<Option<Proxy>, ProxyError> {
        let ProxyChoice::Through(proxy) = &self.choice else {
            return Ok(None);
        };
        let mut proxy = proxy.clone();
        for field in self.headers.iter() {
            proxy = proxy.header(field.name(), field.as_bytes())?;
        }
        match &self.auth {
            Some(auth) => proxy.auth(auth).map(Some),
            None => Ok(Some(proxy)),
        }
    }
}

// What a proxy is told may be secret, whatever the name of the field.
impl fmt::Debug for ProxyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.choice.fmt(f)
    }
}
