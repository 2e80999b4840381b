//! What can go wrong between a session and its peer.

mod attempt;
mod connect;
mod tls;
mod tls_config;

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

pub use self::attempt::{Attempt, DialAttempt, Phase};
#[cfg(feature = "__tls")]
pub(crate) use self::connect::hex;
pub use self::connect::{ConnectError, ConnectErrorKind};
pub use self::tls::{CertificateProblem, TlsProblem};
pub use self::tls_config::TlsConfigError;
use crate::proxy::{TunnelRefusal, socks};

/// A request that failed on its connection, or for want of one.
///
/// aiohttp: `ClientConnectionError` and all below it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// No connection could be made.
    #[error(transparent)]
    Connect(ConnectError),
    /// The server closed before a whole response head had come.
    #[error("server disconnected: {attempt}")]
    Disconnected {
        /// What had come of the head.
        partial: PartialHead,
        /// Where the request was going.
        attempt: Box<Attempt>,
    },
    /// The proxy gives no tunnel.
    #[error("no tunnel through the proxy ({refusal}): {attempt}")]
    Tunnel {
        /// What it says instead.
        refusal: TunnelRefusal,
        /// Where the request was going.
        attempt: Box<Attempt>,
    },
    /// The connection was found closed when the request was written.
    #[error("connection closed by the peer: {attempt}")]
    Reset {
        /// Where the request was going.
        attempt: Box<Attempt>,
        /// What the operating system says.
        source: Arc<io::Error>,
    },
    /// The operating system reports an error of the connection.
    #[error("connection failed{}: {attempt}", alert(source))]
    Os {
        /// Where the request was going.
        attempt: Box<Attempt>,
        /// What the operating system says.
        source: Arc<io::Error>,
    },
    /// A phase took longer than its timeout.
    #[error("timeout: {attempt}")]
    Timeout {
        /// Where the request was going; its phase tells which timeout it was.
        attempt: Box<Attempt>,
    },
    /// The body of the request could not be read from its source.
    #[error("cannot read the request body: {attempt}")]
    Source {
        /// Where the request was going.
        attempt: Box<Attempt>,
        /// What the source says.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The connection or the connector was closed on this side.
    #[error("connection closed: {attempt}")]
    Closed {
        /// Where the request was going.
        attempt: Box<Attempt>,
    },
}

/// What had come of a response head; `Debug` hides it, since it may hold cookies.
#[derive(Clone, PartialEq, Eq)]
pub struct PartialHead(Box<[u8]>);

impl From<&[u8]> for PartialHead {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl std::ops::Deref for PartialHead {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PartialHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl ConnectionError {
    /// Returns where the request was going and how far it had come.
    pub fn attempt(&self) -> &Attempt {
        match self {
            Self::Connect(error) => error.attempt(),
            Self::Disconnected { attempt, .. }
            | Self::Tunnel { attempt, .. }
            | Self::Reset { attempt, .. }
            | Self::Os { attempt, .. }
            | Self::Timeout { attempt }
            | Self::Source { attempt, .. }
            | Self::Closed { attempt } => attempt,
        }
    }

    /// Returns the same to correct it.
    pub fn attempt_mut(&mut self) -> &mut Attempt {
        match self {
            Self::Connect(error) => error.attempt_mut(),
            Self::Disconnected { attempt, .. }
            | Self::Tunnel { attempt, .. }
            | Self::Reset { attempt, .. }
            | Self::Os { attempt, .. }
            | Self::Timeout { attempt }
            | Self::Source { attempt, .. }
            | Self::Closed { attempt } => attempt,
        }
    }

    /// Tells whether a phase took longer than its timeout.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// Tells whether no connection could be made; aiohttp's `ClientConnectorError`.
    pub fn is_connector(&self) -> bool {
        match self {
            Self::Connect(error) => !matches!(error.kind(), ConnectErrorKind::Fingerprint { .. }),
            _ => false,
        }
    }

    /// Tells whether the operating system is the one to blame; aiohttp's `ClientOSError`.
    pub fn is_os(&self) -> bool {
        match self {
            Self::Os { .. } => true,
            Self::Source { source, .. } => source.is::<io::Error>(),
            other => other.is_connector(),
        }
    }

    /// Tells whether the server is the one to blame; aiohttp's `ServerConnectionError`.
    pub fn is_server(&self) -> bool {
        match self {
            Self::Disconnected { .. } | Self::Timeout { .. } => true,
            Self::Connect(error) => matches!(error.kind(), ConnectErrorKind::Fingerprint { .. }),
            _ => false,
        }
    }

    /// Tells whether TLS could not be agreed on; aiohttp's `ClientSSLError`.
    pub fn is_tls(&self) -> bool {
        use ConnectErrorKind::{Certificate, Tls};
        matches!(self, Self::Connect(error) if matches!(error.kind(), Tls(_) | Certificate(_)))
    }

    /// Tells whether the same request may be sent again whatever its method: no byte of
    /// it had left, and trying again can help.
    pub fn is_retryable(&self) -> bool {
        !self.is_hopeless() && !self.attempt().sent
    }

    /// Tells whether trying again cannot help: TLS or the proxy refuses, the address is
    /// forbidden, or the connector is closed.
    pub fn is_hopeless(&self) -> bool {
        use ConnectErrorKind::{Certificate, Fingerprint, Forbidden, Proxy, Tls};
        match self {
            Self::Source { .. } | Self::Closed { .. } | Self::Tunnel { .. } => true,
            Self::Connect(error) => match error.kind() {
                Tls(_) | Certificate(_) | Fingerprint { .. } | Forbidden { .. } => true,
                Proxy => error.cause().is_some_and(socks::is_hopeless),
                _ => false,
            },
            _ => false,
        }
    }

    /// Returns the name of the aiohttp class that stands for it.
    pub fn aiohttp_class(&self) -> &'static str {
        match self {
            Self::Connect(error) => error.aiohttp_class(),
            Self::Disconnected { .. } => "ServerDisconnectedError",
            Self::Tunnel { refusal, .. } => match refusal {
                TunnelRefusal::Status(_) => "ClientHttpProxyError",
                TunnelRefusal::Malformed(_) => "ClientResponseError",
            },
            Self::Reset { .. } => "ClientConnectionResetError",
            Self::Os { .. } => "ClientOSError",
            Self::Timeout { attempt } => match attempt.phase {
                Phase::Pool | Phase::Resolve | Phase::Connect | Phase::Tunnel | Phase::Tls => {
                    "ConnectionTimeoutError"
                }
                Phase::Send | Phase::Head | Phase::Body => "SocketTimeoutError",
            },
            // EDGE-053: a timeout that no system call reports is Python's own.
            Self::Source { source, .. } => match source.downcast_ref::<io::Error>() {
                Some(error)
                    if error.kind() == io::ErrorKind::TimedOut
                        && error.raw_os_error().is_none() =>
                {
                    "TimeoutError"
                }
                Some(_) => "ClientOSError",
                None => "ClientConnectionError",
            },
            Self::Closed { .. } => "ClientConnectionError",
        }
    }
}

/// Says what the server complains of, if it is a matter of TLS: one of TLS 1.3 refuses, or
/// misses, a client's certificate only when the client takes the handshake for done.
fn alert(source: &io::Error) -> String {
    crate::tls::problem_of(source).map_or_else(String::new, |problem| format!(" [{problem}]"))
}

/// Why no connection was made; the caller adds where it was going.
pub(crate) type Refusal = (ConnectErrorKind, Arc<dyn Error + Send + Sync>);

/// Why a dial failed; the caller adds where it was going.
#[derive(Debug, Clone)]
pub(crate) enum DialError {
    Failed(Refusal),
    /// A step took too long; the phase of the request tells which.
    Timeout,
}

impl DialError {
    pub(crate) fn failed(
        kind: ConnectErrorKind,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::Failed((kind, Arc::new(source)))
    }
}

/// Tells whether it is `EMFILE` or `ENFILE`, for which the standard library has no kind.
pub(crate) fn is_file_limit(error: &io::Error) -> bool {
    // The same numbers on every Unix; on Windows WSAEMFILE.
    let numbers: &[i32] = if cfg!(windows) { &[10024] } else { &[24, 23] };
    error
        .raw_os_error()
        .is_some_and(|raw| numbers.contains(&raw))
}
