//! A name server to be asked.

use std::net::SocketAddr;
#[cfg(feature = "__tls")]
use std::sync::Arc;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig};

/// A name server, and how it is asked.
///
/// ```
/// use aio_connector::NameServer;
///
/// let server = NameServer::udp("192.0.2.1:53".parse()?);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct NameServer {
    pub(super) config: NameServerConfig,
}

impl NameServer {
    /// Asks by UDP, and by TCP where an answer is too long for that; the port is 53 as a
    /// rule.
    pub fn udp(address: SocketAddr) -> Self {
        Self::asked_by(
            address,
            vec![ConnectionConfig::udp(), ConnectionConfig::tcp()],
        )
    }

    /// Asks by TLS (RFC 7858); the port is 853 as a rule.
    ///
    /// The certificate must be for `name`, which is a name or an IP address.
    ///
    /// ```
    /// use aio_connector::NameServer;
    ///
    /// let server = NameServer::tls("9.9.9.9:853".parse()?, "dns.quad9.net");
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[cfg(feature = "__tls")]
    pub fn tls(address: SocketAddr, name: &str) -> Self {
        Self::asked_by(address, vec![ConnectionConfig::tls(name.into())])
    }

    /// Asks by HTTPS (RFC 8484) at the path `/dns-query`; the port is 443 as a rule.
    ///
    /// The certificate must be for `name`, which is a name or an IP address.
    #[cfg(feature = "__tls")]
    pub fn https(address: SocketAddr, name: &str) -> Self {
        Self::asked_by_https(address, name, None)
    }

    /// Asks by HTTPS at another path.
    #[cfg(feature = "__tls")]
    pub fn https_at(address: SocketAddr, name: &str, path: &str) -> Self {
        Self::asked_by_https(address, name, Some(path.into()))
    }

    #[cfg(feature = "__tls")]
    fn asked_by_https(address: SocketAddr, name: &str, path: Option<Arc<str>>) -> Self {
        Self::asked_by(address, vec![ConnectionConfig::https(name.into(), path)])
    }

    fn asked_by(address: SocketAddr, mut ways: Vec<ConnectionConfig>) -> Self {
        for way in &mut ways {
            way.port = address.port();
        }
        // That a name does not exist is an answer: no other server is asked.
        let config = NameServerConfig::new(address.ip(), true, ways);
        Self { config }
    }
}
