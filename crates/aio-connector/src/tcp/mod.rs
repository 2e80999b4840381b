//! The connector for TCP.

mod builder;
mod dns;
mod sockets;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use crate::connector::{ConnectRequest, Dial};
use crate::dns::{BoxFuture, Names};
use crate::error::{ConnectErrorKind, ConnectionError, DialError, Phase};
use crate::filter::AddressFilter;
use crate::key::ConnectionKey;
use crate::pooled::{PooledConnector, PooledConnectorBuilder};
use crate::socket::{self, SocketOptions};
use crate::tls::{Handshake, TlsConfig};
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
}

impl Default for TcpDialer {
    fn default() -> Self {
        Self {
            names: Names::default(),
            sockets: SocketOptions::default(),
            filter: None,
            tls: TlsConfig::of_connector(),
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
            match self.connect(key, request).await {
                Ok(stream) => Ok(stream),
                Err(DialError::Timeout) => Err(request.timed_out()),
                Err(DialError::Failed((kind, source))) => {
                    Err(request.failed_for(key, kind, source))
                }
            }
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
    /// Tries the addresses of the peer in turn; each may take `sock_connect`.
    async fn connect(
        &self,
        key: &ConnectionKey,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Transport, DialError> {
        request.phase = Phase::Connect;
        tracing::debug!(host = key.host(), port = key.port(), "connecting");
        let handshake = if key.is_tls() {
            let prepared = within(request, Phase::Tls, self.tls.prepare(key)).await?;
            Some(prepared.map_err(DialError::Failed)?)
        } else {
            None
        };
        let addresses = self.addresses(key, request).await?;
        let mut last = DialError::failed(
            ConnectErrorKind::Resolve,
            io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
        );
        // CON-64: where TCP or TLS fails, the next address may do.
        for address in addresses {
            match self.attempt(address, handshake.as_ref(), request).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
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

    /// Connects to one address, and agrees on TLS with who is there.
    async fn attempt(
        &self,
        address: SocketAddr,
        handshake: Option<&Handshake>,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Transport, DialError> {
        let stream = within(request, Phase::Connect, self.sockets.connect(address)).await?;
        let stream = stream.map_err(DialError::Failed)?;
        let Some(handshake) = handshake else {
            return Ok(stream.into());
        };
        let agreed = within(request, Phase::Tls, handshake.agree(stream.into())).await?;
        agreed.map_err(DialError::Failed)
    }
}

fn literal(ip: IpAddr, port: u16, zone: Option<&str>) -> Result<SocketAddr, DialError> {
    let (IpAddr::V6(ip), Some(zone)) = (ip, zone) else {
        return Ok(SocketAddr::new(ip, port));
    };
    let scope = zone
        .parse()
        .or_else(|_| interface_index(zone))
        .map_err(|error| DialError::failed(ConnectErrorKind::Resolve, error))?;
    Ok(SocketAddrV6::new(ip, port, 0, scope).into())
}

/// Finds the number of a network interface, which a zone may name.
fn interface_index(name: &str) -> io::Result<u32> {
    let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("no interface {name:?}"));
    let path = std::path::Path::new("/sys/class/net");
    if name.contains(['/', '.']) {
        return Err(unknown());
    }
    let index = std::fs::read_to_string(path.join(name).join("ifindex")).map_err(|_| unknown())?;
    index.trim().parse().map_err(|_| unknown())
}

async fn within<F: Future>(
    request: &mut ConnectRequest<'_>,
    phase: Phase,
    step: F,
) -> Result<F::Output, DialError> {
    let done = request.within(phase, step).await;
    done.map_err(|_| DialError::Timeout)
}
