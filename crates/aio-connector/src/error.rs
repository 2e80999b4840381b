//! What can go wrong between a session and its peer.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::proxy::TunnelRefusal;
use crate::socket::BindError;

/// Where a failed request was going and how far it had come.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The URL without userinfo and query.
    pub url: Box<str>,
    /// What was being done.
    pub phase: Phase,
    /// How long the request had been under way.
    pub elapsed: Duration,
    /// Whether any byte of the request had left.
    pub sent: bool,
    /// Each address that was dialled for it, in the order in which that began; empty where
    /// the connection was found in the pool.
    pub dials: Vec<DialAttempt>,
}

/// One address that was dialled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DialAttempt {
    /// The address.
    pub address: SocketAddr,
    /// How far it came: [`Phase::Connect`] or [`Phase::Tls`].
    pub phase: Phase,
    /// When it began, counted from the beginning of the request.
    pub began: Duration,
    /// How long it took, or had taken when it was given up.
    pub elapsed: Duration,
    /// Why it failed; `None` if it did not: it was given up, for another that was faster
    /// or because the request was.
    pub error: Option<Arc<dyn Error + Send + Sync>>,
}

/// The part of a request that was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for a free connection of the pool.
    Pool,
    /// Resolving the host's name.
    Resolve,
    /// Dialling.
    Connect,
    /// Asking a proxy for a tunnel.
    Tunnel,
    /// Agreeing on TLS.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for the response head.
    Head,
    /// Reading the response body.
    Body,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pool => "waiting for a free connection",
            Self::Resolve => "resolving the host",
            Self::Connect => "connecting",
            Self::Tunnel => "asking the proxy for a tunnel",
            Self::Tls => "agreeing on TLS",
            Self::Send => "sending the request",
            Self::Head => "waiting for the response",
            Self::Body => "reading the body",
        })
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} while {} after {:.3} s",
            self.url,
            self.phase,
            self.elapsed.as_secs_f64()
        )?;
        let failed = self.dials.iter().filter(|dial| dial.error.is_some());
        match failed.count() {
            0 | 1 => Ok(()),
            several => write!(f, ", {several} addresses failed"),
        }
    }
}

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
    #[error("connection failed: {attempt}")]
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
            Self::Connect(error) => &mut error.0.attempt,
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
        matches!(self, Self::Connect(error) if matches!(error.kind(), Tls | Certificate))
    }

    /// Tells whether the same request may be sent again whatever its method: no byte of
    /// it had left, and trying again can help.
    pub fn is_retryable(&self) -> bool {
        use ConnectErrorKind::{Certificate, Fingerprint, Forbidden, Tls};
        let hopeless = match self {
            Self::Source { .. } | Self::Closed { .. } | Self::Tunnel { .. } => true,
            Self::Connect(error) => matches!(
                error.kind(),
                Tls | Certificate | Fingerprint { .. } | Forbidden { .. }
            ),
            _ => false,
        };
        !hopeless && !self.attempt().sent
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

/// A connection that could not be made.
///
/// aiohttp: `ClientConnectorError` and all below it, and `ServerFingerprintMismatch`.
#[derive(Debug, Clone)]
pub struct ConnectError(Box<ConnectFailure>);

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConnectFailure {
            host,
            port,
            kind,
            attempt,
            ..
        } = &*self.0;
        match kind {
            // Nobody went to the host.
            ConnectErrorKind::Unix { .. } | ConnectErrorKind::Pipe { .. } => {
                write!(f, "cannot connect to {kind}: {attempt}")
            }
            _ => write!(f, "cannot connect to {host}:{port} [{kind}]: {attempt}"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().map(|cause| cause as _)
    }
}

#[derive(Debug, Clone)]
struct ConnectFailure {
    host: Box<str>,
    port: u16,
    kind: ConnectErrorKind,
    attempt: Attempt,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What a connection could not be made for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The host's name has no address.
    Resolve,
    /// No address of the host accepts.
    Refused,
    /// The host's addresses may not be dialled, by the connector's filter.
    Forbidden {
        /// The first of them.
        address: IpAddr,
    },
    /// The process, or the system, has as many files open as it may (`EMFILE`, `ENFILE`).
    ///
    /// A connection takes one. Keep the connector's `limit` below what the process may have
    /// (`ulimit -n`), or raise that; idle connections are not closed to make room.
    FileLimit,
    /// All local ports towards the peer are taken (`EADDRNOTAVAIL`, `EADDRINUSE`).
    ///
    /// Linux has some 28,000 for each local address and peer. Connections that are kept
    /// need fewer than those that are closed, whose ports rest for a minute; more local
    /// addresses ([`local_addrs`](crate::TcpConnectorBuilder)) have more ports.
    NoLocalPort,
    /// The operating system gives no socket as the connector asks for: of the address's
    /// family, with a local address or an interface, or by the `socket_factory`.
    Socket,
    /// The proxy cannot be reached, or says more than its answer.
    Proxy,
    /// The Unix socket cannot be reached.
    Unix {
        /// The path of the socket; the name of an abstract one behind an `@`.
        path: Box<str>,
    },
    /// The named pipe cannot be reached.
    Pipe {
        /// The path of the pipe.
        path: Box<str>,
    },
    /// TLS could not be agreed on, or is not built in.
    Tls,
    /// The server's certificate is not trusted.
    Certificate,
    /// The server's certificate is not the pinned one.
    Fingerprint {
        /// The SHA-256 that was asked for.
        expected: [u8; 32],
        /// The SHA-256 of the server's certificate.
        got: [u8; 32],
    },
}

impl fmt::Display for ConnectErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve => f.write_str("no address"),
            Self::Refused => f.write_str("no address accepts"),
            Self::Forbidden { address } => write!(f, "address {address} not allowed"),
            Self::FileLimit => f.write_str("too many open files"),
            Self::NoLocalPort => f.write_str("no free local port"),
            Self::Socket => f.write_str("no socket as asked for"),
            Self::Proxy => f.write_str("proxy"),
            Self::Unix { path } => write!(f, "Unix socket {path}"),
            Self::Pipe { path } => write!(f, "named pipe {path}"),
            Self::Tls => f.write_str("TLS"),
            Self::Certificate => f.write_str("certificate not trusted"),
            Self::Fingerprint { expected, got } => {
                let (expected, got) = (hex(expected), hex(got));
                write!(f, "certificate has fingerprint {got}, not {expected}")
            }
        }
    }
}

/// Writes a hash as `openssl` does: `AB:CD:…`.
pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

impl ConnectError {
    /// Makes an error about a connection to `host` and `port`.
    pub fn new(
        host: &str,
        port: u16,
        kind: ConnectErrorKind,
        attempt: Attempt,
        source: Option<Arc<dyn Error + Send + Sync>>,
    ) -> Self {
        Self(Box::new(ConnectFailure {
            host: host.into(),
            port,
            kind,
            attempt,
            source,
        }))
    }

    /// Returns the host that was dialled: the URL's, or the proxy's.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// Returns the port that was dialled.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Returns what it failed for.
    pub fn kind(&self) -> &ConnectErrorKind {
        &self.0.kind
    }

    /// Returns where the request was going and how far it had come.
    pub fn attempt(&self) -> &Attempt {
        &self.0.attempt
    }

    /// Returns the operating system's error, if there is one; aiohttp's `os_error`.
    pub fn os_error(&self) -> Option<&io::Error> {
        let cause = self.cause()?;
        let bind = cause.downcast_ref::<BindError>();
        bind.map(|bind| &bind.error)
            .or_else(|| cause.downcast_ref())
    }

    /// Returns the cause, if there is one.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    fn aiohttp_class(&self) -> &'static str {
        match self.kind() {
            ConnectErrorKind::Resolve => "ClientConnectorDNSError",
            ConnectErrorKind::Refused
            | ConnectErrorKind::Forbidden { .. }
            | ConnectErrorKind::FileLimit
            | ConnectErrorKind::NoLocalPort
            | ConnectErrorKind::Pipe { .. }
            | ConnectErrorKind::Socket => "ClientConnectorError",
            ConnectErrorKind::Proxy => "ClientProxyConnectionError",
            ConnectErrorKind::Unix { .. } => "UnixClientConnectorError",
            ConnectErrorKind::Tls => "ClientConnectorSSLError",
            ConnectErrorKind::Certificate => "ClientConnectorCertificateError",
            ConnectErrorKind::Fingerprint { .. } => "ServerFingerprintMismatch",
        }
    }
}
