//! What a connector tells of its work.

/// Something a connector did for a request, in the order in which it happens.
///
/// What fails or is given up has no end of its own: the request's failure is the next
/// that is told.
///
/// aiohttp: the `on_connection_*` and `on_dns_*` signals of its `TraceConfig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectEvent<'a> {
    /// The request begins to wait for a free connection.
    QueuedStart,
    /// It has got one, or leave to make one.
    QueuedEnd,
    /// An idle connection is used.
    Reused,
    /// A new connection is being made.
    CreateStart,
    /// The addresses of the name are known, or are being looked up already: the request
    /// has them from the cache.
    CacheHit {
        /// The name.
        host: &'a str,
    },
    /// The addresses of the name are not known.
    CacheMiss {
        /// The name.
        host: &'a str,
    },
    /// The name is being resolved.
    ResolveStart {
        /// The name.
        host: &'a str,
    },
    /// The name was resolved.
    ResolveEnd {
        /// The name.
        host: &'a str,
    },
    /// The connection was made.
    CreateEnd,
}

/// Someone who watches a connector at work for one request.
///
/// Called in the request's own task, between its steps; it can neither stall nor cancel
/// the request.
pub trait ObserveConnect: Send {
    /// Takes note of an event.
    fn on_connect(&mut self, event: ConnectEvent<'_>);
}
