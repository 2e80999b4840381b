//! What a request sets about the body of its response, in place of the session's settings.

use std::sync::Arc;

use aio_core::coding::Coding;

use super::RequestBuilder;
use crate::codings::Codings;

impl RequestBuilder {
    /// Sets which content codings are offered to the server and decoded, in place of the
    /// session's.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// // Not compressed, if the server can help it.
    /// session.get("http://127.0.0.1:8080/big.iso").codings([]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn codings(self, codings: impl IntoIterator<Item = Coding>) -> Self {
        match Codings::new(codings) {
            Ok(codings) => self.with_options(|options| options.reading.codings = Arc::new(codings)),
            Err(error) => self.with(|_| Err(error.into())),
        }
    }

    /// Sets whether the body is decoded as its `Content-Encoding` says, in place of the
    /// session's setting.
    pub fn auto_decompress(self, auto_decompress: bool) -> Self {
        self.with_options(|options| options.auto_decompress = auto_decompress)
    }

    /// Sets whether the body is good when its coding ends early, though all of its bytes
    /// have come, in place of the session's setting.
    pub fn tolerate_truncated(self, tolerate: bool) -> Self {
        self.with_options(|options| options.reading.tolerate_truncated = tolerate)
    }

    /// Sets how many bytes a body with a content coding may decode to, in place of the
    /// session's setting; `None` for any number.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// let request = session.get("http://127.0.0.1:8080/").max_decoded_size(64 << 20);
    /// let mut response = request.await?;
    /// while let Some(chunk) = response.content().chunk().await? {
    ///     println!("{} bytes", chunk.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_decoded_size(self, bytes: impl Into<Option<u64>>) -> Self {
        self.with_options(|options| options.reading.max_decoded_size = bytes.into())
    }

    /// Sets how many bytes the body may have when it is read whole, in place of the
    /// session's setting; `None` for any number.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// let mut response = session.get("http://127.0.0.1:8080/").max_body_size(1 << 20).await?;
    /// println!("{}", response.text().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_body_size(self, bytes: impl Into<Option<u64>>) -> Self {
        self.with_options(|options| options.reading.max_body_size = bytes.into())
    }
}
