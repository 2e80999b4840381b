//! How many connections there may be, and for how long.

use std::time::{Duration, Instant};

use super::idle::Keep;
use crate::stats::Eviction;

/// The limits of a pool; `usize::MAX` and `u64::MAX` stand for none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Most open connections.
    pub(crate) limit: usize,
    /// Most open connections of one origin.
    pub(crate) per_host: usize,
    /// Most idle connections.
    pub(crate) idle: usize,
    /// Most idle connections of one origin.
    pub(crate) idle_per_host: usize,
    /// How long an idle connection may be used again; `None` for ever.
    pub(crate) keepalive: Option<Duration>,
    /// How old a connection may be that is used again; `None` for ever.
    pub(crate) age: Option<Duration>,
    /// How many requests a connection may serve.
    pub(crate) requests: u64,
    /// Which of several idle connections is used again.
    pub(crate) order: ReuseOrder,
}

/// Which of several idle connections to one peer is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReuseOrder {
    /// The one released longest ago, as in aiohttp (CON-20): all stay alive.
    #[default]
    OldestFirst,
    /// The one released last: those that are not needed run out of time.
    NewestFirst,
}

/// What is known of a connection that is given back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served {
    /// When it was made.
    pub(crate) created: Instant,
    /// How many requests it has served.
    pub(crate) requests: u64,
    /// For how long its server keeps it open, if it said so.
    pub(crate) hint: Option<Duration>,
}

impl Bounds {
    pub(crate) const NONE: Self = Self {
        limit: usize::MAX,
        per_host: usize::MAX,
        idle: usize::MAX,
        idle_per_host: usize::MAX,
        keepalive: None,
        age: None,
        requests: u64::MAX,
        order: ReuseOrder::OldestFirst,
    };

    /// Tells for how long a connection may be kept, or why it may not.
    pub(crate) fn keep(&self, served: Served, now: Instant) -> Result<Keep, Eviction> {
        if served.requests >= self.requests {
            return Err(Eviction::Requests);
        }
        let idle = [self.keepalive, served.hint].into_iter().flatten().min();
        let expires = idle.and_then(|idle| now.checked_add(idle));
        let aged = self.age.and_then(|age| served.created.checked_add(age));
        let age_is_first = aged.is_some_and(|aged| expires.is_none_or(|expires| aged < expires));
        let (until, then) = if age_is_first {
            (aged, Eviction::Age)
        } else {
            (expires, Eviction::Expired)
        };
        if age_is_first && until.is_some_and(|until| until <= now) {
            return Err(then);
        }
        Ok(Keep { until, then })
    }
}

/// Returns a limit where 0 means none.
pub(crate) fn limit_or_unlimited(limit: Option<usize>) -> usize {
    match limit {
        None | Some(0) => usize::MAX,
        Some(limit) => limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_to_close_it_counts() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let served = |requests, hint: Option<u32>| Served {
            created: now,
            requests,
            hint: hint.map(|seconds| seconds * second),
        };
        let keep = |bounds: Bounds, served| match bounds.keep(served, now + 3 * second) {
            Ok(keep) => Ok((keep.until.map(|until| until - now), keep.then)),
            Err(eviction) => Err(eviction),
        };
        let bounds = Bounds {
            keepalive: Some(15 * second),
            requests: 9,
            ..Bounds::NONE
        };
        let (expired, age) = (Eviction::Expired, Eviction::Age);
        assert_eq!(keep(Bounds::NONE, served(1, None)), Ok((None, expired)));
        assert_eq!(
            keep(bounds, served(1, None)),
            Ok((Some(18 * second), expired))
        );
        assert_eq!(
            keep(bounds, served(1, Some(4))),
            Ok((Some(7 * second), expired))
        );
        assert_eq!(keep(bounds, served(9, None)), Err(Eviction::Requests));
        let young = Bounds {
            age: Some(10 * second),
            ..bounds
        };
        assert_eq!(keep(young, served(1, None)), Ok((Some(10 * second), age)));
        let old = Bounds {
            age: Some(3 * second),
            ..bounds
        };
        assert_eq!(keep(old, served(1, None)), Err(age));
        let none = Bounds {
            keepalive: Some(Duration::ZERO),
            ..bounds
        };
        // Whoever waits may have it.
        assert_eq!(keep(none, served(1, None)), Ok((Some(3 * second), expired)));
    }

    #[test]
    fn zero_is_no_limit() {
        assert_eq!(limit_or_unlimited(None), usize::MAX);
        assert_eq!(limit_or_unlimited(Some(0)), usize::MAX);
        assert_eq!(limit_or_unlimited(Some(7)), 7);
    }
}
