//! The parts of a response.

use std::borrow::BorrowMut;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use aio_connector::{Attempt, now};
use aio_core::{MultipartError, MultipartLimits};
use bytes::Bytes;
use futures_core::Stream;

use super::{MultipartReader, Wrap};
use crate::content::Content;
use crate::error::{ClientError, ClientReadError, ReadError};
use crate::response::{ClientResponse, ResponseHead};

impl ClientResponse {
    /// Returns a reader of the body's parts; aiohttp's `MultipartReader.from_response`.
    ///
    /// Its end is that of the body: the connection is given back. The
    /// [`max_decoded_size`](crate::RequestBuilder::max_decoded_size) of the body is that of
    /// each part, too, unless the limits name another.
    ///
    /// # Errors
    /// If the content type is none of `multipart/*`, has no boundary, or one of more than 70
    /// characters.
    pub fn multipart(&mut self) -> Result<MultipartReader<'_>, ClientError> {
        self.multipart_with(MultipartLimits::default())
    }

    /// Returns a reader of the body's parts with other limits than the default ones.
    ///
    /// # Errors
    /// As [`multipart`](Self::multipart).
    pub fn multipart_with(
        &mut self,
        limits: MultipartLimits,
    ) -> Result<MultipartReader<'_>, ClientError> {
        let (head, wrap) = (self.head().clone(), wrap(self.attempt()));
        read(&head, self.content(), limits, wrap)
    }

    /// Gives up the head and returns a reader of the body's parts that owns what it needs.
    ///
    /// # Errors
    /// As [`multipart`](Self::multipart).
    pub fn into_multipart(self) -> Result<MultipartReader<'static>, ClientError> {
        self.into_multipart_with(MultipartLimits::default())
    }

    /// Gives up the head and returns a reader with other limits than the default ones.
    ///
    /// # Errors
    /// As [`multipart`](Self::multipart).
    pub fn into_multipart_with(
        self,
        limits: MultipartLimits,
    ) -> Result<MultipartReader<'static>, ClientError> {
        let (head, wrap) = (self.head().clone(), wrap(self.attempt()));
        read(&head, self.into_stream(), limits, wrap)
    }
}

fn read<'a>(
    head: &ResponseHead,
    content: impl BorrowMut<Content> + Send + Unpin + 'a,
    mut limits: MultipartLimits,
    wrap: Wrap<ClientError>,
) -> Result<MultipartReader<'a>, ClientError> {
    let of_request = || content.borrow().max_decoded_size();
    limits.max_decoded_size = limits.max_decoded_size.or_else(of_request);
    let content_type = head.headers().get("content-type");
    let content_type = content_type.map_or(&b""[..], |field| field.as_bytes());
    MultipartReader::wrapping(content_type, Box::pin(Pieces(content)), limits, wrap)
}

fn wrap(attempt: Attempt) -> Wrap<ClientError> {
    let since: Instant = now();
    Arc::new(move |error| {
        let source = match error {
            MultipartError::Text(error) => ReadError::Text(error),
            MultipartError::UnknownCharset(label) => ReadError::UnknownCharset(label),
            MultipartError::Json(error) => ReadError::Json(error),
            error => ReadError::Multipart(error),
        };
        let mut attempt = attempt.clone();
        attempt.elapsed += now().saturating_duration_since(since);
        ClientReadError { source, attempt }.into()
    })
}

/// The pieces of a body. Other than its stream they do not end with an error: each later
/// read fails with the same.
struct Pieces<C>(C);

impl<C: BorrowMut<Content> + Unpin> Stream for Pieces<C> {
    type Item = Result<Bytes, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = self.0.borrow_mut().poll_chunk(cx);
        chunk.map(Result::transpose)
    }
}
