//! The connector for named pipes of Windows.

use std::future::ready;
use std::io;
use std::path::{Path, PathBuf};

use tokio::net::windows::named_pipe::ClientOptions;

use crate::connector::{ConnectRequest, Dial};
use crate::dns::BoxFuture;
use crate::error::{ConnectErrorKind, ConnectionError};
use crate::key::ConnectionKey;
use crate::local::{LocalPeer, when_free};
use crate::pooled::{PooledConnector, PooledConnectorBuilder};
use crate::tls::TlsConfig;
use crate::transport::Transport;

/// All instances of the pipe are in use, says Windows.
const ERROR_PIPE_BUSY: i32 = 231;

/// Makes and keeps connections to one named pipe, whatever host a URL names; aiohttp's
/// `NamedPipeConnector`.
///
/// The host is for the `Host` field, for cookies and for telling peers apart in the pool;
/// it is not looked for. `https` and `wss` speak TLS with who serves the pipe, other than
/// in aiohttp. Besides `http`, `https`, `ws` and `wss` it takes `npipe://host/target`, which
/// is as `http`.
///
/// While all instances of the pipe are in use, it is tried again within `sock_connect`.
/// That a server has closed an idle connection shows once the runtime has seen it, which
/// may be with the request.
///
/// ```no_run
/// use aio_connector::NamedPipeConnector;
///
/// let connector = NamedPipeConnector::builder(r"\\.\pipe\app").limit(20).build()?;
/// # Ok::<(), aio_connector::SettingsError>(())
/// ```
pub type NamedPipeConnector = PooledConnector<NamedPipeDialer>;

/// Settings of a [`NamedPipeConnector`].
pub type NamedPipeConnectorBuilder = PooledConnectorBuilder<NamedPipeDialer>;

/// Connects to a named pipe, and speaks TLS on that where the URL says so.
#[derive(Debug)]
pub struct NamedPipeDialer {
    peer: LocalPeer,
}

impl NamedPipeConnector {
    /// Makes one with default settings.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::builder(path).build_valid()
    }

    /// Returns the settings to make one with.
    pub fn builder(path: impl Into<PathBuf>) -> NamedPipeConnectorBuilder {
        let peer = LocalPeer::new(path.into());
        Self::over(NamedPipeDialer { peer })
    }

    /// Returns the path of the pipe.
    pub fn path(&self) -> &Path {
        &self.dialer().peer.path
    }
}

impl NamedPipeConnectorBuilder {
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

impl NamedPipeDialer {
    async fn connect(&self) -> io::Result<Transport> {
        let connect = || ready(ClientOptions::new().open(&self.peer.path));
        let is_busy = |error: &io::Error| error.raw_os_error() == Some(ERROR_PIPE_BUSY);
        when_free(connect, is_busy).await.map(Transport::over)
    }
}

impl Dial for NamedPipeDialer {
    fn dial<'a>(
        &'a self,
        key: &'a ConnectionKey,
        request: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
        let path = self.peer.path.to_string_lossy().into();
        let kind = ConnectErrorKind::Pipe { path };
        Box::pin(self.peer.dial(key, request, self.connect(), kind))
    }

    fn schemes(&self) -> &[&str] {
        &["npipe"]
    }

    fn takes_proxies(&self) -> bool {
        false
    }
}
