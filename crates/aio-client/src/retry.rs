//! Which requests are sent again when their connection turns out dead (SPEC §5).

use aio_connector::ConnectionError;
use http::Method;

use crate::error::ClientError;
use crate::request::RequestParts;

/// Which requests are sent once more when their connection breaks before a response has
/// come, as one does that the server closes just when it is used again.
///
/// Once in a call, and only with a body that [can be sent again](crate::Body::is_replayable):
/// bytes, a file, but no stream. What fails for another reason, a timeout too, is not sent
/// again.
///
/// ```
/// use aio_client::{ClientSession, ConnectionRetry};
///
/// let session = ClientSession::builder()
///     .retry_connection(ConnectionRetry::Unsent)
///     .build()?;
/// # Ok::<(), aio_client::ClientError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConnectionRetry {
    /// None.
    Off,
    /// Those with an idempotent method: GET, HEAD, OPTIONS, TRACE, PUT and DELETE. As
    /// aiohttp does, and the default.
    #[default]
    Idempotent,
    /// Those, and with any other method those of which the connection had taken not one
    /// byte. TLS that fails does not tell what it took: that counts as something.
    Unsent,
}

impl ConnectionRetry {
    /// Tells whether a request may ever be sent again.
    fn may_retry(self, idempotent: bool) -> bool {
        match self {
            Self::Off => false,
            Self::Idempotent => idempotent,
            Self::Unsent => true,
        }
    }

    /// Tells whether a request may be sent again that failed with `error`.
    pub(crate) fn retries(self, idempotent: bool, error: &ClientError) -> bool {
        is_stale(error) && self.may_retry(idempotent) && (idempotent || !has_left(error))
    }
}

/// What a call has left to spend on dead connections: one retry, whatever its redirects
/// (RTY-01), and by the method that it began with (RTY-02).
#[derive(Debug)]
pub(crate) struct RetryBudget {
    retry: ConnectionRetry,
    idempotent: bool,
}

impl RetryBudget {
    pub(crate) fn of(request: &RequestParts) -> Self {
        Self {
            retry: request.options.retry_connection,
            idempotent: is_idempotent(&request.method),
        }
    }

    pub(crate) fn may_retry(&self) -> bool {
        self.retry.may_retry(self.idempotent)
    }

    /// Tells whether a request that failed so is sent again; the budget is spent then.
    pub(crate) fn retries(&mut self, error: &ClientError) -> bool {
        let retries = self.retry.retries(self.idempotent, error);
        if retries {
            self.retry = ConnectionRetry::Off;
        }
        retries
    }
}

/// RTY-02.
pub(crate) fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

/// RTY-03, RTY-04: the connection broke before a response, which a server may do to one
/// that it has kept open long enough.
fn is_stale(error: &ClientError) -> bool {
    use ConnectionError::{Disconnected, Os, Reset};
    matches!(
        error,
        ClientError::Connection(Disconnected { .. } | Reset { .. } | Os { .. })
    )
}

/// Tells whether any byte of the request may have left.
pub(crate) fn has_left(error: &ClientError) -> bool {
    error.attempt().is_none_or(|attempt| attempt.sent)
}
