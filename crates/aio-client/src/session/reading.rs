//! The settings of a session that are about bodies of responses.

use std::sync::Arc;

use aio_core::coding::Coding;

use super::ClientSessionBuilder;
use crate::codings::Codings;

impl ClientSessionBuilder {
    /// Sets which content codings are offered to servers (`Accept-Encoding`) and decoded;
    /// default all that are built in, in the order gzip, deflate, br, zstd.
    ///
    /// Bodies with other codings are given as they come. Without any, `identity` is offered.
    ///
    /// ```
    /// use aio_client::{ClientSession, Coding};
    ///
    /// let session = ClientSession::builder().codings([Coding::Gzip]).build()?;
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn codings(mut self, codings: impl IntoIterator<Item = Coding>) -> Self {
        match Codings::new(codings) {
            Ok(codings) => self.options().reading.codings = Arc::new(codings),
            Err(error) => self.fail(error.into()),
        }
        self
    }

    /// Sets whether bodies are decoded as their `Content-Encoding` says; default true.
    pub fn auto_decompress(mut self, auto_decompress: bool) -> Self {
        self.options().auto_decompress = auto_decompress;
        self
    }

    /// Sets whether a body is good whose coding ends early, though all of its bytes have
    /// come; default false. Then it ends with what could be decoded, as in aiohttp.
    pub fn tolerate_truncated(mut self, tolerate: bool) -> Self {
        self.options().reading.tolerate_truncated = tolerate;
        self
    }

    /// Sets how many bytes a body with a content coding may decode to; default any number.
    ///
    /// However it is read, more is an error
    /// ([`PayloadError::DecodedTooLarge`](crate::PayloadError::DecodedTooLarge)) and closes
    /// the connection, if some of the body is still to come. Without it a body that is read
    /// piece by piece costs no more memory than any other, but as much time as its sender
    /// likes.
    ///
    /// ```
    /// use aio_client::ClientSession;
    ///
    /// let session = ClientSession::builder().max_decoded_size(64 << 20).build()?;
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn max_decoded_size(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.options().reading.max_decoded_size = bytes.into();
        self
    }

    /// Sets how many bytes a body may have that is read whole (`read`, `text`, `json`,
    /// [`Content::read_all`](crate::Content::read_all)); default any number.
    ///
    /// More is an error
    /// ([`PayloadError::BodyTooLarge`](crate::PayloadError::BodyTooLarge)), at once when the
    /// head tells the length, and closes the connection, if some is still to come. Reading
    /// piece by piece has no bound.
    ///
    /// ```
    /// use aio_client::ClientSession;
    ///
    /// let session = ClientSession::builder().max_body_size(10 << 20).build()?;
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn max_body_size(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.options().reading.max_body_size = bytes.into();
        self
    }
}
