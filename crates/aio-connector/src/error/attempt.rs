//! Where a failed request was going, and how far it had come.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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
