//! Connecting to who listens under a path: what Unix sockets and named pipes share.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::connector::ConnectRequest;
use crate::error::{ConnectErrorKind, ConnectionError, Phase, is_file_limit};
use crate::key::ConnectionKey;
use crate::tls::TlsConfig;
use crate::transport::Transport;

/// How long is waited before a busy server is tried again: at first, and at most.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A peer with a path, and how TLS is spoken with it.
#[derive(Debug)]
pub(crate) struct LocalPeer {
    pub(crate) path: PathBuf,
    pub(crate) tls: TlsConfig,
}

impl LocalPeer {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            tls: TlsConfig::of_connector(),
        }
    }

    /// Connects as `connecting` does, and speaks TLS where the URL says so; `kind` names
    /// what fails, unless it is TLS.
    pub(crate) async fn dial(
        &self,
        key: &ConnectionKey,
        request: &mut ConnectRequest<'_>,
        connecting: impl Future<Output = io::Result<Transport>>,
        kind: ConnectErrorKind,
    ) -> Result<Transport, ConnectionError> {
        tracing::debug!(path = %self.path.display(), "connecting");
        let handshake = if key.is_tls() {
            let prepared = request.within(Phase::Tls, self.tls.prepare(key)).await?;
            Some(prepared.map_err(|(kind, source)| request.failed_for(key, kind, source))?)
        } else {
            None
        };
        let connected = request.within(Phase::Connect, connecting).await?;
        let stream = connected.map_err(|error| {
            let is_full = is_file_limit(&error);
            let kind = if is_full {
                ConnectErrorKind::FileLimit
            } else {
                kind.clone()
            };
            request.failed(key, kind, error)
        })?;
        let Some(handshake) = handshake else {
            return Ok(stream);
        };
        let agreed = request.within(Phase::Tls, handshake.agree(stream)).await?;
        agreed.map_err(|(failed, source)| {
            // A connection that breaks is no failure of TLS.
            let is_broken = failed == ConnectErrorKind::Lost;
            request.failed_for(key, if is_broken { kind } else { failed }, source)
        })
    }
}

/// Connects by `connect`; while the server `is_busy`, of whose end nothing tells, again and
/// again.
pub(crate) async fn when_free<T, F>(
    connect: impl Fn() -> F,
    is_busy: impl Fn(&io::Error) -> bool,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut pause = PAUSE;
    loop {
        match connect().await {
            Err(error) if is_busy(&error) => tokio::time::sleep(pause).await,
            connected => return connected,
        }
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}
