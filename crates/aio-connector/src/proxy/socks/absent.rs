//! What stands in the place of SOCKS where it is not built in.

use std::error::Error;

use aio_core::BasicAuth;

use super::{Proxy, ProxyError};
use crate::connector::ConnectRequest;
use crate::error::ConnectionError;
use crate::key::ConnectionKey;
use crate::tcp::TcpDialer;
use crate::transport::Transport;

/// How a SOCKS proxy is spoken to, of which there is none.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Socks {}

impl Socks {
    pub(super) const PORT: u16 = 1080;

    pub(super) fn of(scheme: &str) -> Result<Self, ProxyError> {
        Err(match scheme {
            "socks4" | "socks4a" | "socks5" | "socks5h" => ProxyError::NoSocks,
            other => ProxyError::Scheme(other.into()),
        })
    }

    pub(super) fn auth(&mut self, _: &BasicAuth) -> Result<(), ProxyError> {
        match *self {}
    }

    pub(super) fn has_login(&self) -> bool {
        match *self {}
    }
}

pub(crate) fn is_hopeless(_: &(dyn Error + Send + Sync + 'static)) -> bool {
    false
}

impl TcpDialer {
    pub(crate) async fn connect_by_socks(
        &self,
        socks: &Socks,
        _: &Proxy,
        _: &ConnectionKey,
        _: &mut ConnectRequest<'_>,
    ) -> Result<Transport, ConnectionError> {
        match *socks {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_says_what_is_missing() {
        for scheme in ["socks4", "socks4a", "socks5", "socks5h"] {
            let error = Proxy::new(format!("{scheme}://u:pw@h")).expect_err("no SOCKS");
            assert_eq!(error, ProxyError::NoSocks);
            let text = "SOCKS is not built in: no feature `socks`";
            assert_eq!(error.to_string(), text);
        }
    }
}
