//! Why a WebSocket that reconnects has no connection.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aio_core::BoxError;
use aio_ws::{CloseCode, CloseFrame, WsError};
use http::StatusCode;

use super::ClientWebSocketResponse;
use crate::error::ClientError;

/// Why a [`ReconnectingWebSocket`](crate::ReconnectingWebSocket) has no connection.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReconnectError {
    /// None could be opened.
    #[error(transparent)]
    Connect(ClientError),
    /// The server closed it; with 1005 if it gave no code.
    #[error("the server closed the WebSocket with {} {:?}", .0.code.get(), .0.reason)]
    Closed(CloseFrame),
    /// It broke, or what was to be sent cannot be.
    #[error(transparent)]
    Socket(WsError),
    /// The hook that resubscribes failed, for a reason of its own.
    #[error("cannot resubscribe")]
    Resubscribe(#[source] Arc<dyn Error + Send + Sync>),
    /// There is none at present, and sending does not wait.
    #[error("the WebSocket is not connected")]
    Away,
}

impl ReconnectError {
    /// Tells whether opening a WebSocket again may help; what
    /// [`retry_if`](crate::ReconnectingWebSocket::retry_if) goes by if nothing else is said.
    ///
    /// It may where no connection could be made, or in time, but not if TLS, a proxy or the
    /// closed session refuses; behind an answer with 429 or 500 and above; where the
    /// connection broke; and where the server closed with 1001 (going away), 1005 (no code),
    /// 1006 (no close at all), 1011 (internal error), 1012 (restart), 1013 (try again later)
    /// or 1014 (bad gateway). Else it may not: what is wrong would be wrong again.
    ///
    /// ```
    /// use aio_client::{CloseCode, ReconnectError, WsError};
    ///
    /// assert!(ReconnectError::Closed(CloseCode::GOING_AWAY.into()).may_pass());
    /// assert!(!ReconnectError::Closed(CloseCode::POLICY_VIOLATION.into()).may_pass());
    /// assert!(ReconnectError::Socket(WsError::UnexpectedEnd).may_pass());
    /// ```
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect(ClientError::Connection(error)) => !error.is_hopeless(),
            Self::Connect(ClientError::Timeout(_)) => true,
            Self::Connect(error) => error
                .status()
                .is_some_and(|status| status == StatusCode::TOO_MANY_REQUESTS || status >= 500),
            Self::Closed(frame) => matches!(frame.code.get(), 1001 | 1005 | 1006 | 1011..=1014),
            Self::Socket(error) => matches!(
                error,
                WsError::Closed
                    | WsError::Heartbeat { .. }
                    | WsError::Io(_)
                    | WsError::Timeout
                    | WsError::UnexpectedEnd
            ),
            Self::Resubscribe(_) => false,
            Self::Away => true,
        }
    }

    /// Makes that of a hook that failed, be it because of what the server did.
    pub(super) fn of_hook(error: BoxError, socket: &ClientWebSocketResponse) -> Self {
        let code = match socket.close_code().filter(|_| socket.is_closed()) {
            Some(1005) => Some(CloseCode::NO_STATUS),
            code => code.and_then(CloseCode::from_wire),
        };
        let of_server = match code {
            Some(code) => Some(Self::Closed(code.into())),
            None => socket.exception().map(Self::Socket),
        };
        let error = match error.downcast().map(|error| *error) {
            Ok(error @ (WsError::Closed | WsError::MessageType { .. })) => {
                return of_server.unwrap_or(Self::Socket(error));
            }
            Ok(error) => return Self::Socket(error),
            Err(error) => error,
        };
        match (error.downcast(), of_server) {
            (Ok(error), _) => Self::Connect(*error),
            (Err(_), Some(reason)) if reason.may_pass() => reason,
            (Err(error), _) => Self::Resubscribe(error.into()),
        }
    }

    /// Returns how long the server wants to be left alone, by `Retry-After`.
    pub(super) fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let Self::Connect(ClientError::Response(error)) = self else {
            return None;
        };
        let value = error.head.as_ref()?.headers().get("Retry-After")?;
        let value = value.as_bytes().trim_ascii();
        match str::from_utf8(value).ok()?.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => aio_cookies::parse_date(value)?.duration_since(now).ok(),
        }
    }
}
