//! Connections for HTTP: a pool with limits, name resolution, dialling, proxies, TLS, and the
//! exchange of one request and response on a connection.
//!
//! Everything that touches a socket is here. A connection belongs to the request that
//! uses it and is driven inside that request's task; no task stands behind it.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod connection;
mod connector;
mod dial;
mod dns;
mod drive;
mod error;
mod exchange;
mod filter;
mod info;
mod key;
#[cfg(any(unix, windows))]
mod local;
mod observe;
#[cfg(windows)]
mod pipe;
mod pool;
#[cfg(test)]
#[path = "pool/tests.rs"]
mod pool_tests;
mod pooled;
mod proxy;
mod received;
mod socket;
mod stats;
mod sync;
mod tcp;
mod timer;
mod timings;
#[cfg(feature = "__tls")]
mod tls;
#[cfg(not(feature = "__tls"))]
#[path = "tls/absent.rs"]
mod tls;
mod transport;
#[cfg(unix)]
mod unix;
mod upgraded;
mod upload;

pub use self::connection::Connection;
pub use self::connector::{ConnectRequest, Connector, Dial};
pub use self::dns::{
    AddressFamily, BoxFuture, CachedHost, FixedResolver, Resolved, Resolver, SystemResolver,
};
#[cfg(feature = "hickory-dns")]
pub use self::dns::{HickoryResolver, NameServer};
pub use self::error::{
    Attempt, CertificateProblem, ConnectError, ConnectErrorKind, ConnectionError, DialAttempt,
    PartialHead, Phase, TlsConfigError, TlsProblem,
};
pub use self::exchange::{Exchange, ExchangeError, ExchangeOptions};
pub use self::filter::AddressFilter;
pub use self::info::{ConnectionInfo, TlsInfo, TlsVersion};
pub use self::key::ConnectionKey;
pub use self::observe::{ConnectEvent, ObserveConnect};
#[cfg(windows)]
pub use self::pipe::{NamedPipeConnector, NamedPipeConnectorBuilder, NamedPipeDialer};
pub use self::pool::ReuseOrder;
pub use self::pooled::{PooledConnector, PooledConnectorBuilder, SettingsError};
pub use self::proxy::{IntoProxy, Proxy, ProxyError, TunnelAnswer, TunnelRefusal};
#[cfg(feature = "socks")]
pub use self::proxy::{SocksError, SocksReply};
pub use self::socket::TcpKeepalive;
pub use self::stats::{Evictions, KeyStats, Stats};
pub use self::tcp::{TcpConnector, TcpConnectorBuilder, TcpDialer};
pub use self::timer::{SharedTimer, Timer, now};
pub use self::timings::Timings;
pub use self::tls::TlsConfig;
#[cfg(feature = "__tls")]
pub use self::tls::{Fingerprint, TlsConfigBuilder};
pub use self::transport::Transport;
#[cfg(unix)]
pub use self::unix::{UnixConnector, UnixConnectorBuilder, UnixDialer};
pub use self::upgraded::Upgraded;
pub use self::upload::UploadFraming;
