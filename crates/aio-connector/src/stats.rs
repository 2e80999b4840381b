//! What a connector holds at a moment, and what it has done since it was made.

/// Counts of a connector's connections; cheap to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Open connections: idle, in use, and those being dialled.
    pub open: usize,
    /// Open connections that no request uses.
    pub idle: usize,
    /// Connections being dialled.
    pub dialling: usize,
    /// Requests that wait for a connection.
    pub waiting: usize,
    /// Connections made since the connector was.
    pub created: u64,
    /// Requests since then that were served by a connection made before.
    pub reused: u64,
    /// Connections closed since then because they were idle for too long.
    pub expired: u64,
    /// Connections closed since then for other reasons than an error or their peer's wish.
    pub evicted: Evictions,
}

/// Counts of connections that were closed before their time, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Evictions {
    /// They had reached the maximum age.
    pub age: u64,
    /// They had served the maximum number of requests.
    pub requests: u64,
    /// There were more idle ones than may be.
    pub idle: u64,
    /// They gave way to a request to another origin.
    pub room: u64,
    /// The peer had closed them, or sent something, while they were idle.
    pub stale: u64,
}

/// Counts of the connections to one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct KeyStats {
    /// Open connections: idle, in use, and those being dialled.
    pub open: usize,
    /// Open connections that no request uses.
    pub idle: usize,
    /// Connections being dialled.
    pub dialling: usize,
    /// Requests that wait for a connection.
    pub waiting: usize,
}

/// Why the pool closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eviction {
    Expired,
    Age,
    Requests,
    Idle,
    Room,
    Stale,
}

impl Stats {
    pub(crate) fn count(&mut self, eviction: Eviction) {
        let counter = match eviction {
            Eviction::Expired => &mut self.expired,
            Eviction::Age => &mut self.evicted.age,
            Eviction::Requests => &mut self.evicted.requests,
            Eviction::Idle => &mut self.evicted.idle,
            Eviction::Room => &mut self.evicted.room,
            Eviction::Stale => &mut self.evicted.stale,
        };
        *counter += 1;
    }
}
