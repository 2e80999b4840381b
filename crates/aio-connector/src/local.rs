//! Connecting to who listens under a path: what Unix sockets and named pipes share.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::connector::ConnectRequest;
use crate::error::{ConnectErrorKind, ConnectionError, DialError, Phase, is_file_limit};
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
        match self.connect(key, request, connecting).await {
            Ok(stream) => Ok(stream),
            Err(DialError::Timeout) => Err(request.timed_out()),
            Err(DialError::Failed((ConnectErrorKind::Refused, source))) => {
                Err(request.failed_for(key, kind, source))
            }
            Err(DialError::Failed((kind, source))) => Err(request.failed_for(key, kind, source)),
        }
    }

    async fn connect(
        &self,
        key: &ConnectionKey,
        request: &mut ConnectRequest<'_>,
        connecting: impl Future<Output = io::Result<Transport>>,
    ) -> Result<Transport, DialError> {
        request.phase = Phase::Connect;
        tracing::debug!(path = %self.path.display(), "connecting");
        let late = |_| DialError::Timeout;
        let handshake = if key.is_tls() {
            let prepare = self.tls.prepare(key);
            let prepared = request.within(Phase::Tls, prepare).await.map_err(late)?;
            Some(prepared.map_err(DialError::Failed)?)
        } else {
            None
        };
        let connected = request.within(Phase::Connect, connecting).await;
        let stream = connected.map_err(late)?.map_err(|error| {
            let is_full = is_file_limit(&error);
            let kind = if is_full {
                ConnectErrorKind::FileLimit
            } else {
                ConnectErrorKind::Refused
            };
            DialError::failed(kind, error)
        })?;
        let Some(handshake) = handshake else {
            return Ok(stream);
        };
        let agreed = request.within(Phase::Tls, handshake.agree(stream)).await;
        agreed.map_err(late)?.map_err(DialError::Failed)
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
