//! The connector for TCP.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::connector::{ConnectRequest, Dial};
use crate::dns::{BoxFuture, Resolver, SystemResolver};
use crate::error::{ConnectErrorKind, ConnectionError, Phase};
use crate::key::ConnectionKey;
use crate::observe::ConnectEvent;
use crate::pooled::{PooledConnector, PooledConnectorBuilder};
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

/// Makes TCP connections.
#[derive(Debug)]
pub struct TcpDialer {
    resolver: Arc<dyn Resolver>,
}

impl Default for TcpDialer {
    fn default() -> Self {
        Self {
            resolver: Arc::new(SystemResolver),
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

impl TcpConnectorBuilder {
    /// Resolves names with `resolver`; default [`SystemResolver`].
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.dialer.resolver = resolver;
        self
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
                Ok(stream) => Ok(stream.into()),
                Err(DialError::Timeout) => Err(request.timed_out()),
                Err(DialError::Failed(kind, source)) => Err(request.failed(key, kind, source)),
            }
        })
    }
}

/// Why no connection was made; the caller adds where it was going.
#[derive(Debug)]
enum DialError {
    Failed(ConnectErrorKind, io::Error),
    /// The last address did not answer within `sock_connect`.
    Timeout,
}

impl TcpDialer {
    /// Tries the addresses of the peer in turn; each may take `sock_connect`.
    async fn connect(
        &self,
        key: &ConnectionKey,
        request: &mut ConnectRequest<'_>,
    ) -> Result<TcpStream, DialError> {
        request.phase = Phase::Connect;
        tracing::debug!(host = key.host(), port = key.port(), "connecting");
        if key.is_tls() {
            let error = io::Error::new(io::ErrorKind::Unsupported, "TLS is not built in yet");
            return Err(DialError::Failed(ConnectErrorKind::Tls, error));
        }
        let addresses = self.addresses(key, request).await?;
        if !addresses.is_empty() {
            request.phase = Phase::Connect;
        }
        let mut last = DialError::Failed(
            ConnectErrorKind::Resolve,
            io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
        );
        for address in addresses {
            match connect(address, request.sock_connect).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn addresses(
        &self,
        key: &ConnectionKey,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Vec<SocketAddr>, DialError> {
        if let Ok(ip) = key.host().parse::<IpAddr>() {
            return Ok(vec![literal(ip, key.port(), key.zone())?]);
        }
        request.phase = Phase::Resolve;
        // CON-55: a name with several trailing dots is looked up with one.
        let host = key.host().trim_end_matches('.');
        let host = key.host().get(..host.len() + 1).unwrap_or(key.host());
        request.observe(ConnectEvent::ResolveStart { host });
        let resolved = self.resolver.resolve(host, key.port()).await;
        let addresses =
            resolved.map_err(|error| DialError::Failed(ConnectErrorKind::Resolve, error))?;
        request.observe(ConnectEvent::ResolveEnd { host });
        Ok(addresses)
    }
}

fn literal(ip: IpAddr, port: u16, zone: Option<&str>) -> Result<SocketAddr, DialError> {
    let (IpAddr::V6(ip), Some(zone)) = (ip, zone) else {
        return Ok(SocketAddr::new(ip, port));
    };
    let scope = zone
        .parse()
        .or_else(|_| interface_index(zone))
        .map_err(|error| DialError::Failed(ConnectErrorKind::Resolve, error))?;
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

async fn connect(address: SocketAddr, limit: Option<Duration>) -> Result<TcpStream, DialError> {
    let connecting = TcpStream::connect(address);
    let connected = match limit.filter(|limit| !limit.is_zero()) {
        None => connecting.await,
        Some(limit) => tokio::time::timeout(limit, connecting)
            .await
            .map_err(|_| DialError::Timeout)?,
    };
    let failed = |error| DialError::Failed(ConnectErrorKind::Refused, error);
    let stream = connected.map_err(failed)?;
    // CON-36: a small request must not wait for the answer to the one before.
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}
