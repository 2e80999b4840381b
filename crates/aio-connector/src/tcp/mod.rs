//! The connector for TCP.

mod builder;
mod dns;
mod proxied;
mod sockets;
#[cfg(feature = "socks")]
mod socks;

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::connector::{ConnectRequest, Dial};
use crate::dial::{HappyEyeballs, dial};
use crate::dns::{BoxFuture, Names};
use crate::error::{ConnectErrorKind, ConnectionError, DialError, Phase};
use crate::filter::AddressFilter;
use crate::key::ConnectionKey;
use crate::pooled::{PooledConnector, PooledConnectorBuilder};
use crate::socket::{self, SocketOptions};
use crate::tls::TlsConfig;
use crate::transport::Transport;

/// Makes and keeps TCP connections; aiohttp's `TCPConnector`.
///
/// ```
/// use aio_connector::TcpConnector;
///
/// let connector = TcpConnector::builder().limit(20).limit_per_host(5).build()?;
/// assert_eq!(connector.stats().open, 0);
/// # Ok::<(), aio_connector::SettingsError>(())
/// ```
pub type TcpConnector = PooledConnector<TcpDialer>;

/// Settings of a [`TcpConnector`].
pub type TcpConnectorBuilder = PooledConnectorBuilder<TcpDialer>;

/// Makes TCP connections, and speaks TLS on them where the URL says so.
#[derive(Debug)]
pub struct TcpDialer {
    names: Names,
    sockets: SocketOptions,
    filter: Option<AddressFilter>,
    tls: TlsConfig,
    eyeballs: HappyEyeballs,
}

impl Default for TcpDialer {
    fn default() -> Self {
        Self {
            names: Names::default(),
            sockets: SocketOptions::default(),
            filter: None,
            tls: TlsConfig::of_connector(),
            eyeballs: HappyEyeballs::default(),
        }
    }
}

impl TcpConnector {
    /// Makes one with default settings.
    pub fn new() -> Self {
        Self::builder().build_valid()
    }

    /// Returns the settings to make one with.
    pub fn builder() -> TcpConnectorBuilder {
        Self::over(TcpDialer::default())
    }
}

impl Default for TcpConnector {
    fn default() -> Self {
        Self::new()
    }
}

impl Dial for TcpDialer {
    fn dial<'a>(
        &'a self,
        key: &'a ConnectionKey,
        request: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
        Box::pin(async {
            let Some(proxy) = key.proxy() else {
                let connected = self.connect(key, &self.tls, request).await;
                return connected.map_err(|error| request.dial_failed(key, error));
            };
            Box::pin(self.connect_through(proxy, key, request)).await
        })
    }

    fn schemes(&self) -> &[&str] {
        &["tcp"]
    }

    fn close(&self) {
        self.names.close();
    }
}

impl TcpDialer {
    /// Connects to an address of the peer that accepts; with `tls`, if it names no other.
    async fn connect(
        &self,
        key: &ConnectionKey,
        tls: &TlsConfig,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Transport, DialError> {
        request.phase = Phase::Connect;
        tracing::debug!(host = key.host(), port = key.port(), "connecting");
        let handshake = if key.is_tls() {
            let prepared = request.step(Phase::Tls, tls.prepare(key)).await;
            let prepared = prepared.ok_or(DialError::Timeout)?;
            Some(prepared.map_err(DialError::Failed)?)
        } else {
            None
        };
        let addresses = self.addresses(key, request).await?;
        let connect = async |address| {
            let stream = self.sockets.connect(address).await;
            stream.map(Transport::from).map_err(DialError::Failed)
        };
        let agree = handshake.as_ref().map(|handshake| {
            async |stream| handshake.agree(stream).await.map_err(DialError::Failed)
        });
        dial(&self.eyeballs, addresses, request, connect, agree).await
    }

    /// Finds the addresses that may be dialled.
    async fn addresses(
        &self,
        key: &ConnectionKey,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Vec<SocketAddr>, DialError> {
        request.phase = Phase::Connect;
        let mut addresses = match key.host().parse::<IpAddr>() {
            Ok(ip) => vec![literal(self.names.of_family(ip)?, key.port(), key.zone())?],
            Err(_) => {
                let found = self.names.addresses(key, request).await;
                found.map_err(socket::not_found)?
            }
        };
        if let Some(filter) = &self.filter {
            filter.retain(&mut addresses)?;
        }
        Ok(addresses)
    }
}

/// Makes the address that a URL spells. Only the operating system knows the number of a
/// network interface that a zone names: addresses that are spelled out it looks up nowhere.
fn literal(ip: IpAddr, port: u16, zone: Option<&str>) -> Result<SocketAddr, DialError> {
    let (IpAddr::V6(ip), Some(zone)) = (ip, zone) else {
        return Ok(SocketAddr::new(ip, port));
    };
    let text = format!("{ip}%{zone}");
    let found = (text.as_str(), port).to_socket_addrs();
    let address = found.ok().and_then(|mut found| found.next());
    address.ok_or_else(|| {
        let unknown = format!("no network interface {zone:?} for {ip}");
        let unknown = io::Error::new(io::ErrorKind::NotFound, unknown);
        DialError::failed(ConnectErrorKind::Resolve, unknown)
    })
}
