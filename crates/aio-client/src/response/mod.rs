//! A response: its head, and its body in one piece.

mod convert;
mod events;
mod head;
mod text;

use std::fmt;
use std::sync::Arc;

use aio_connector::{Attempt, Connection, Timings, Transport, Upgraded};
use aio_core::HeaderView;
use aio_core::http1::Head;
use bytes::Bytes;

pub use self::events::{EventOptions, EventStream};
pub use self::head::{RequestInfo, ResponseHead};
pub use self::text::{JsonOptions, TextOptions};
use crate::content::Content;
use crate::error::{ClientError, ClientResponseError, ResponseErrorKind};
use crate::options::RequestOptions;
use crate::session::Context;

/// The response to a request; aiohttp's `ClientResponse`.
///
/// The reading methods take `&mut self` and keep the body, so that `text` then `json`
/// works. Dropping it gives its connection back, if the rest of the body has arrived, or
/// closes it.
///
/// ```
/// # async fn run() -> Result<(), aio_client::ClientError> {
/// # let session = aio_client::ClientSession::new();
/// let mut response = session.get("http://127.0.0.1:8080/big.iso").await?;
/// println!("{} {}", response.status(), response.url());
/// while let Some(chunk) = response.content().chunk().await? {
///     println!("{} bytes", chunk.len());
/// }
/// # Ok(())
/// # }
/// ```
pub struct ClientResponse {
    head: ResponseHead,
    content: Content,
    /// The body, once it was read whole.
    body: Option<Bytes>,
    history: Vec<ResponseHead>,
}

impl std::ops::Deref for ClientResponse {
    type Target = ResponseHead;

    fn deref(&self) -> &ResponseHead {
        &self.head
    }
}

impl ClientResponse {
    pub(crate) fn new(
        context: &Context,
        options: Arc<RequestOptions>,
        request: RequestInfo,
        head: Head,
        mut exchange: aio_connector::Exchange,
    ) -> Self {
        let profile = context.session.cookie_jar().style().profile;
        let head = ResponseHead::new(head, request, profile, &mut exchange);
        Self {
            content: Content::new(context, &head, options, exchange),
            head,
            body: None,
            history: Vec::new(),
        }
    }

    pub(crate) fn set_history(&mut self, history: Vec<ResponseHead>) {
        self.history = history;
    }

    pub(crate) fn attempt(&self) -> Attempt {
        self.content.attempt()
    }

    /// Returns the response without its body.
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }

    /// Returns the redirects on the way to it, oldest first.
    pub fn history(&self) -> &[ResponseHead] {
        &self.history
    }

    /// Returns the body as a stream of pieces; what was read of it is not in
    /// [`read`](Self::read) any more.
    pub fn content(&mut self) -> &mut Content {
        &mut self.content
    }

    /// Returns the connection, until the body has ended.
    pub fn connection(&self) -> Option<&Connection> {
        self.content.connection()
    }

    /// Tells whether its connection was given back or closed.
    pub fn is_closed(&self) -> bool {
        self.connection().is_none()
    }

    /// Returns the fields that came behind the body, once that was read to its end and if
    /// there were any; names and values as received.
    ///
    /// Whatever their names, they change nothing: no cookie is set, no length or connection
    /// option is taken from them.
    ///
    /// ```
    /// # async fn run(mut response: aio_client::ClientResponse) -> Result<(), aio_client::ClientError> {
    /// let body = response.read().await?;
    /// let digest = response.trailers().and_then(|trailers| trailers.get("Digest"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn trailers(&self) -> Option<&HeaderView> {
        self.content.trailers()
    }

    /// Tells how long the parts of the request took; see [`Timings`].
    ///
    /// ```
    /// # async fn run() -> Result<(), aio_client::ClientError> {
    /// # let session = aio_client::ClientSession::new();
    /// let mut response = session.get("http://127.0.0.1:8080/").await?;
    /// response.read().await?;
    /// let timings = response.timings();
    /// println!("{:?} until the head, {:?} in all", timings.wait, timings.total);
    /// # Ok(())
    /// # }
    /// ```
    pub fn timings(&self) -> Timings {
        self.content.timings()
    }

    /// Reads the whole body and keeps it; again gives the same.
    ///
    /// Dropping the future loses nothing: the next call reads on, as do the methods of
    /// [`content`](Self::content).
    ///
    /// # Errors
    /// If the body ends early, cannot be decoded, or comes too late. Each later read
    /// fails with the same error.
    pub async fn read(&mut self) -> Result<Bytes, ClientError> {
        if self.body.is_some() && self.content.is_closed() {
            // RSP-29: what was read stays for `text` and `json`, not for this.
            self.content.check()?;
        }
        self.kept().await
    }

    /// Reads the whole body, or gives what was read of it before.
    async fn kept(&mut self) -> Result<Bytes, ClientError> {
        if let Some(body) = &self.body {
            return Ok(body.clone());
        }
        let read = self.content.read_all().await;
        if let Err(ClientError::Timeout(_)) = &read {
            self.content.fail_as_closed();
        }
        let body = read?;
        self.body = Some(body.clone());
        Ok(body)
    }

    /// Fails if the status is 400 or more.
    ///
    /// # Errors
    /// With the status, reason and headers of such a response.
    pub fn raise_for_status(&mut self) -> Result<&mut Self, ClientError> {
        if self.ok() {
            return Ok(self);
        }
        let reason = self.reason().into_owned();
        Err(self.error(ResponseErrorKind::Status, reason).into())
    }

    pub(crate) fn error(&self, kind: ResponseErrorKind, message: String) -> ClientResponseError {
        ClientResponseError {
            kind,
            status: self.status().as_u16(),
            message: message.into(),
            head: Some(self.head.clone()),
            history: self.history.clone(),
            attempt: self.attempt(),
            body: Bytes::new(),
            handshake: None,
            source: None,
        }
    }

    /// Gives up the head and keeps the body, as a stream of pieces that owns what it
    /// needs; what was read of it before is not in it.
    pub fn into_stream(self) -> Content {
        self.content
    }

    /// Takes the byte stream out behind a response that hands it over (101 to an upgrade, or
    /// 2xx to CONNECT), with what was received behind the head; gives nothing behind any
    /// other.
    ///
    /// Such a response keeps its connection, though it has no body: aiohttp's
    /// `resp.connection.transport`.
    ///
    /// ```
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tokio::io::AsyncWriteExt;
    /// # let session = aio_client::ClientSession::new();
    /// let request = session.get("http://127.0.0.1:8080/");
    /// let request = request.header("Connection", "upgrade").header("Upgrade", "echo");
    /// if let Some((mut transport, received)) = request.await?.detach() {
    ///     transport.write_all(b"hello").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn detach(mut self) -> Option<(Transport, Bytes)> {
        self.content.detach()
    }

    /// Takes the byte stream out so that it counts in its connector's limits on.
    pub(crate) fn upgrade(&mut self) -> Option<(Upgraded, Bytes)> {
        self.content.upgrade()
    }

    /// Gives the connection back if the rest of the body has arrived, else closes it. A
    /// body that was read before stays.
    pub fn release(&mut self) {
        self.content.release();
    }

    /// Closes the connection. A body that was read before stays.
    pub fn close(&mut self) {
        self.content.close();
    }
}

impl fmt::Debug for ClientResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientResponse")
            .field("head", &self.head)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
