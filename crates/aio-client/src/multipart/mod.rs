//! Multipart bodies as they are received, part by part.

mod body;
mod part;
mod reading;
mod response;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use aio_core::{MultipartError, MultipartLimits, MultipartParser};
use bytes::{Buf, Bytes};
use futures_core::Stream;

use self::body::Frames;
pub use self::part::BodyPart;
use self::reading::Reading;
use crate::error::ClientError;

/// Where the pieces of a multipart body come from.
pub(crate) type Source<'a, E> = dyn Stream<Item = Result<Bytes, E>> + Send + 'a;

/// Makes an error of what is wrong with the parts.
pub(crate) type Wrap<E> = Arc<dyn Fn(MultipartError) -> E + Send + Sync>;

/// A multipart body as it arrives; aiohttp's `MultipartReader`.
///
/// A response gives one by [`multipart`](crate::ClientResponse::multipart); it reads other
/// sources, too, such as the body of a request that a server got. Parts come one at a time,
/// and what is not read of one is passed over. Nothing is read ahead, and nothing is held
/// but one part's head. The futures may be dropped at any time; the next call reads on
/// where they were.
///
/// ```
/// # async fn run(mut response: aio_client::ClientResponse) -> Result<(), aio_client::ClientError> {
/// let mut reader = response.multipart()?;
/// while let Some(mut part) = reader.next().await? {
///     println!("{:?}: {}", part.name(), part.text().await?);
/// }
/// # Ok(())
/// # }
/// ```
pub struct MultipartReader<'a, E = ClientError> {
    source: Pin<Box<Source<'a, E>>>,
    reading: Reading<E>,
}

impl<'a, E: From<MultipartError> + 'static> MultipartReader<'a, E> {
    /// Makes a reader of pieces whose whole has this `Content-Type`; its errors are those of
    /// the pieces.
    ///
    /// ```
    /// # async fn run(pieces: impl futures_core::Stream<Item = std::io::Result<bytes::Bytes>> + Send)
    /// # -> std::io::Result<()> {
    /// use aio_client::MultipartReader;
    ///
    /// let mut reader = MultipartReader::new(b"multipart/mixed; boundary=B", pieces)?;
    /// while let Some(mut part) = reader.next().await? {
    ///     println!("{} bytes", part.read().await?.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the type is none of `multipart/*`, has no boundary, or one of more than 70
    /// characters.
    pub fn new(
        content_type: &[u8],
        pieces: impl Stream<Item = Result<Bytes, E>> + Send + 'a,
    ) -> Result<Self, E> {
        Self::with_limits(content_type, pieces, MultipartLimits::default())
    }

    /// Makes a reader with other limits than the default ones.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_limits(
        content_type: &[u8],
        pieces: impl Stream<Item = Result<Bytes, E>> + Send + 'a,
        limits: MultipartLimits,
    ) -> Result<Self, E> {
        Self::wrapping(content_type, Box::pin(pieces), limits, Arc::new(E::from))
    }

    /// Makes a reader of an `http_body::Body`, as servers have it; its errors are those of
    /// the body. Trailers are passed over.
    ///
    /// ```
    /// # async fn run(body: aio_client::Body) -> Result<(), aio_client::BoxError> {
    /// use aio_client::{MultipartLimits, MultipartReader};
    ///
    /// let limits = MultipartLimits { max_part_size: Some(1 << 20), ..MultipartLimits::default() };
    /// let mut reader = MultipartReader::from_body(b"multipart/form-data; boundary=B", body, limits)?;
    /// while let Some(mut field) = reader.next().await? {
    ///     println!("{:?}: {:?}", field.name(), field.filename());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_body<D: Buf>(
        content_type: &[u8],
        body: impl http_body::Body<Data = D, Error = E> + Send + 'a,
        limits: MultipartLimits,
    ) -> Result<Self, E> {
        Self::with_limits(content_type, Frames::new(body), limits)
    }
}

impl<'a, E> MultipartReader<'a, E> {
    pub(crate) fn wrapping(
        content_type: &[u8],
        source: Pin<Box<Source<'a, E>>>,
        limits: MultipartLimits,
        wrap: Wrap<E>,
    ) -> Result<Self, E> {
        let parser = MultipartParser::new(content_type, limits).map_err(|error| wrap(error))?;
        Ok(Self {
            source,
            reading: Reading::new(parser, limits, wrap),
        })
    }

    /// Returns the next part, `None` behind the last one; what is left of the part before
    /// is passed over.
    ///
    /// In a form, a first part named `_charset_` says how the others are to be read and is
    /// not among them.
    ///
    /// # Errors
    /// If the source fails, the body is not the multipart body it should be, or breaks a
    /// limit. Each later call fails as well.
    pub async fn next(&mut self) -> Result<Option<BodyPart<'_, E>>, E> {
        let found = poll_fn(|cx| self.reading.poll_next(self.source.as_mut(), cx)).await?;
        Ok(found.then(|| BodyPart::new(self.source.as_mut(), &mut self.reading)))
    }

    /// Reads all that is left to the void.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn release(&mut self) -> Result<(), E> {
        while self.next().await?.is_some() {}
        Ok(())
    }

    /// Tells whether the last part was read.
    pub fn at_eof(&self) -> bool {
        self.reading.is_over()
    }
}

impl<E> fmt::Debug for MultipartReader<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultipartReader")
            .field("at_eof", &self.at_eof())
            .finish_non_exhaustive()
    }
}
