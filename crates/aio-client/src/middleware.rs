//! Code of the user's around each sending of a request.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use aio_connector::BoxFuture;

use crate::error::ClientError;
use crate::request::ClientRequest;
use crate::response::ClientResponse;
use crate::session::{Context, send};

/// Wraps the sending of requests; aiohttp's `ClientMiddlewareType`.
///
/// It may change the request, send it more than once, or fail without sending.
///
/// ```
/// use aio_client::{ClientRequest, ClientSession, Next};
///
/// let session = ClientSession::builder()
///     .middleware(|mut request: ClientRequest, next: Next| async move {
///         request.headers_mut().insert("X-Tag", "1").expect("a valid header");
///         next.run(request).await
///     })
///     .build()?;
/// # Ok::<(), aio_client::ClientError>(())
/// ```
pub trait Middleware: Send + Sync {
    /// Sends `request` by way of `next`, or does something else about it.
    fn handle(
        &self,
        request: ClientRequest,
        next: Next,
    ) -> BoxFuture<'static, Result<ClientResponse, ClientError>>;
}

impl<F, Fut> Middleware for F
where
    F: Fn(ClientRequest, Next) -> Fut + Send + Sync,
    Fut: Future<Output = Result<ClientResponse, ClientError>> + Send + 'static,
{
    fn handle(
        &self,
        request: ClientRequest,
        next: Next,
    ) -> BoxFuture<'static, Result<ClientResponse, ClientError>> {
        Box::pin(self(request, next))
    }
}

/// What comes after a middleware: the next one, and in the end the sending itself.
///
/// Cheap to clone; each run sends once.
#[derive(Clone)]
pub struct Next {
    chain: Arc<[Arc<dyn Middleware>]>,
    at: usize,
    context: Context,
}

impl Next {
    pub(crate) fn new(chain: Arc<[Arc<dyn Middleware>]>, context: Context) -> Self {
        Self {
            chain,
            at: 0,
            context,
        }
    }

    /// Sends the request on.
    ///
    /// # Errors
    /// Whatever the sending fails with.
    pub async fn run(mut self, request: ClientRequest) -> Result<ClientResponse, ClientError> {
        match self.chain.get(self.at).cloned() {
            Some(middleware) => {
                self.at += 1;
                middleware.handle(request, self).await
            }
            None => send::behind_middlewares(request, &self.context).await,
        }
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Next({} of {})", self.at, self.chain.len())
    }
}
