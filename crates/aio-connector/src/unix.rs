//! The connector for Unix sockets.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use crate::connector::{ConnectRequest, Dial};
use crate::dns::BoxFuture;
use crate::error::{ConnectErrorKind, ConnectionError};
use crate::key::ConnectionKey;
use crate::local::{LocalPeer, when_free};
use crate::pooled::{PooledConnector, PooledConnectorBuilder};
use crate::tls::TlsConfig;
use crate::transport::Transport;

/// Makes and keeps connections to one Unix socket, whatever host a URL names; aiohttp's
/// `UnixConnector`.
///
/// The host is for the `Host` field, for cookies and for telling peers apart in the pool;
/// it is not looked for. `https` and `wss` speak TLS with who listens on the socket, other
/// than in aiohttp. Besides `http`, `https`, `ws` and `wss` it takes `unix://host/target`,
/// which is as `http`.
///
/// On Linux a path that begins with a NUL is the name of an abstract socket, behind the
/// NUL. While the queue of a server is full, Linux refuses to connect, which is tried again
/// within `sock_connect`.
///
/// ```
/// use aio_connector::UnixConnector;
///
/// let connector = UnixConnector::builder("/run/app.sock").limit(20).build()?;
/// assert_eq!(connector.path().to_str(), Some("/run/app.sock"));
/// let named = UnixConnector::new("\0app");
/// assert_eq!(named.path().to_str(), Some("\0app"));
/// # Ok::<(), aio_connector::SettingsError>(())
/// ```
pub type UnixConnector = PooledConnector<UnixDialer>;

/// Settings of a [`UnixConnector`].
pub type UnixConnectorBuilder = PooledConnectorBuilder<UnixDialer>;

/// Connects to a Unix socket, and speaks TLS on that where the URL says so.
#[derive(Debug)]
pub struct UnixDialer {
    peer: LocalPeer,
}

impl UnixConnector {
    /// Makes one with default settings.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::builder(path).build_valid()
    }

    /// Returns the settings to make one with. A path that is too long shows when a
    /// connection is to be made.
    pub fn builder(path: impl Into<PathBuf>) -> UnixConnectorBuilder {
        let peer = LocalPeer::new(path.into());
        Self::over(UnixDialer { peer })
    }

    /// Returns the path of the socket.
    pub fn path(&self) -> &Path {
        &self.dialer().peer.path
    }
}

impl UnixConnectorBuilder {
    /// Sets how TLS is spoken where a request does not say; default as
    /// `TlsConfig::new()`: whoever the operating system trusts.
    ///
    /// The server is to prove that it is the URL's host, or the request's
    /// `server_hostname`.
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.dialer.peer.tls = tls;
        self
    }
}

impl UnixDialer {
    async fn connect(&self) -> io::Result<Transport> {
        let connect = || UnixStream::connect(&self.peer.path);
        let is_busy = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        when_free(connect, is_busy).await.map(Transport::from)
    }
}

impl Dial for UnixDialer {
    fn dial<'a>(
        &'a self,
        key: &'a ConnectionKey,
        request: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
        let path = shown(&self.peer.path);
        let kind = ConnectErrorKind::Unix { path };
        Box::pin(self.peer.dial(key, request, self.connect(), kind))
    }

    fn schemes(&self) -> &[&str] {
        &["unix"]
    }

    fn takes_proxies(&self) -> bool {
        false
    }
}

/// Gives a path as text; the name of an abstract socket begins with `@`, as the tools of
/// Linux show it.
fn shown(path: &Path) -> Box<str> {
    let text = path.to_string_lossy();
    match text.strip_prefix('\0') {
        Some(name) => format!("@{name}").into(),
        None => text.into(),
    }
}
