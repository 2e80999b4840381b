//! What a connector holds at a moment.

/// Counts of a connector's connections at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Open connections, idle and in use, and those being dialled.
    pub open: usize,
    /// Open connections that no request uses.
    pub idle: usize,
    /// Requests that wait for a connection.
    pub waiting: usize,
}
