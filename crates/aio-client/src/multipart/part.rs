//! One part of a multipart body.

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aio_core::text::Charset;
use aio_core::{ContentDisposition, ContentType, HeaderView, MultipartError, form};
use bytes::Bytes;
use futures_core::Stream;
use memchr::memchr;
use serde::de::DeserializeOwned;

use super::reading::Reading;
use super::{MultipartReader, Source};
use crate::error::ClientError;
use crate::response::TextOptions;

/// A part of a multipart body; aiohttp's `BodyPartReader`.
///
/// What is read of it is gone: a second read gives what is left, at the end nothing. It is
/// a [`Stream`] of its data as it came.
///
/// ```
/// # async fn run(mut response: aio_client::ClientResponse) -> Result<(), aio_client::ClientError> {
/// let mut reader = response.multipart()?;
/// while let Some(mut part) = reader.next().await? {
///     println!("{:?} {}", part.filename(), part.content_type().essence());
///     while let Some(piece) = part.decoded_chunk().await? {
///         println!("{} bytes", piece.len());
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct BodyPart<'a, E = ClientError> {
    source: Pin<&'a mut Source<'a, E>>,
    reading: &'a mut Reading<E>,
}

/// The longest line; that of a response.
const MAX_LINE: usize = 512 * 1024;

impl<'a, E> BodyPart<'a, E> {
    pub(super) fn new(source: Pin<&'a mut Source<'a, E>>, reading: &'a mut Reading<E>) -> Self {
        Self { source, reading }
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderView {
        self.reading.headers()
    }

    /// Returns the name that `Content-Disposition` gives it.
    pub fn name(&self) -> Option<String> {
        name(self.headers())
    }

    /// Returns the file name that `Content-Disposition` gives it. It is the sender's: no
    /// path of yours.
    pub fn filename(&self) -> Option<String> {
        disposition(self.headers(), "filename")
    }

    /// Returns its content type; absent or malformed, `application/octet-stream`.
    pub fn content_type(&self) -> ContentType {
        let field = self.headers().get("content-type");
        field.map_or_else(ContentType::default, |field| {
            ContentType::parse(field.as_bytes())
        })
    }

    /// Tells whether it is a multipart body of its own.
    pub fn is_multipart(&self) -> bool {
        self.content_type().essence().starts_with("multipart/")
    }

    /// Tells whether all of it was read.
    pub fn at_eof(&self) -> bool {
        self.reading.is_part_over()
    }

    /// Returns a reader of its own parts.
    ///
    /// aiohttp's `next` gives such a reader in place of the part; here the part can be read
    /// as it is as well.
    ///
    /// # Errors
    /// If it [is none](Self::is_multipart), its boundary is missing or too long, or if it
    /// stands in more than `max_depth` others.
    pub fn multipart(self) -> Result<MultipartReader<'a, E>, E>
    where
        E: 'a,
    {
        let (limits, depth) = (self.reading.limits(), self.reading.depth() + 1);
        let wrap = self.reading.wrap().clone();
        if depth > limits.max_depth {
            let limit = limits.max_depth;
            return Err(wrap(MultipartError::TooDeep { limit }));
        }
        let content_type = self.headers().get("content-type");
        let content_type = content_type.map_or_else(Vec::new, |field| field.as_bytes().to_vec());
        let mut reader = MultipartReader::wrapping(&content_type, Box::pin(self), limits, wrap)?;
        reader.reading.set_depth(depth);
        Ok(reader)
    }

    /// Returns the next piece as it arrives, not decoded and never empty; `None` at the end.
    ///
    /// # Errors
    /// If the source fails, the body is not the multipart body it should be, or breaks a
    /// limit.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, E> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Returns the next `size` bytes, not decoded, at the end of the part fewer; `None`
    /// behind it. aiohttp's `read_chunk`.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn chunk_of(&mut self, size: usize) -> Result<Option<Bytes>, E> {
        let size = size.max(1);
        poll_fn(|cx| self.poll_fill(cx, size)).await?;
        Ok(self.take(size))
    }

    /// Returns the next line with its line feed, at the end of the part without; `None`
    /// behind it. aiohttp's `readline`.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk), and if it has more than 512 KiB.
    pub async fn line(&mut self) -> Result<Option<Bytes>, E> {
        let mut searched = 0;
        loop {
            let buffer = self.reading.buffer();
            let unseen = buffer.get(searched..).unwrap_or_default();
            let found = memchr(b'\n', unseen).map(|at| searched + at + 1);
            let len = buffer.len();
            if found.unwrap_or(len) > MAX_LINE {
                let limit = MAX_LINE;
                return Err(self.error(MultipartError::LineTooLong { limit }));
            }
            if let Some(end) = found {
                return Ok(self.take(end));
            }
            searched = len;
            poll_fn(|cx| self.poll_fill(cx, len + 1)).await?;
            if self.reading.buffer().len() == len {
                return Ok(self.take(len));
            }
        }
    }

    /// Returns all that is left, not decoded.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn read(&mut self) -> Result<Bytes, E> {
        poll_fn(|cx| self.poll_fill(cx, usize::MAX)).await?;
        Ok(self.take(usize::MAX).unwrap_or_default())
    }

    /// Returns the next piece, decoded as `Content-Transfer-Encoding` and
    /// `Content-Encoding` say, in a form as the former; `None` at the end. aiohttp's
    /// `decode_iter`.
    ///
    /// Pieces have about 64 KiB at most, whatever they are decoded from.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk), if one of the codings is unknown, or the data is not what
    /// they say.
    pub async fn decoded_chunk(&mut self) -> Result<Option<Bytes>, E> {
        let decoded = poll_fn(|cx| {
            let decoded = self.reading.decoded();
            if !decoded.is_empty() {
                return Poll::Ready(Ok(decoded));
            }
            ready!(self.reading.poll_decode(self.source.as_mut(), cx))?;
            Poll::Ready(Ok(self.reading.decoded()))
        });
        Ok(Some(decoded.await?).filter(|decoded| !decoded.is_empty()))
    }

    /// Returns all that is left, decoded. aiohttp's `read(decode=True)`.
    ///
    /// # Errors
    /// As [`decoded_chunk`](Self::decoded_chunk).
    pub async fn read_decoded(&mut self) -> Result<Bytes, E> {
        poll_fn(|cx| {
            while ready!(self.reading.poll_decode(self.source.as_mut(), cx))? {}
            Poll::Ready(Ok(self.reading.decoded()))
        })
        .await
    }

    /// Reads all that is left as text, by the charset of its content type, else by that of
    /// the form's `_charset_`, else UTF-8.
    ///
    /// # Errors
    /// As [`read_decoded`](Self::read_decoded), if the charset is unknown, or if there are
    /// bytes that mean nothing in it.
    pub async fn text(&mut self) -> Result<String, E> {
        self.text_with(&TextOptions::default()).await
    }

    /// Reads all that is left as text in another way than by default.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub async fn text_with(&mut self, options: &TextOptions<'_>) -> Result<String, E> {
        // First: who names another then finds the data still there.
        let charset = self.charset(options.encoding)?;
        let bytes = self.read_decoded().await?;
        let text = charset.decode(&bytes, options.errors);
        text.map(Cow::into_owned)
            .map_err(|error| self.error(MultipartError::Text(error)))
    }

    /// Reads all that is left as JSON, whatever the content type; a blank part is `null`.
    ///
    /// # Errors
    /// As [`text`](Self::text), or if it is not the JSON that `T` needs.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, E> {
        let text = self.text().await?;
        let text = match text.trim() {
            "" => "null",
            _ => &text,
        };
        let value = serde_json::from_str(text);
        value.map_err(|error| self.error(MultipartError::Json(Arc::new(error))))
    }

    /// Reads all that is left as the pairs of `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub async fn form(&mut self) -> Result<Vec<(String, String)>, E> {
        let charset = self.charset(None)?;
        let bytes = self.read_decoded().await?;
        let text = charset.decode(bytes.trim_ascii_end(), TextOptions::default().errors);
        let text = text.map_err(|error| self.error(MultipartError::Text(error)))?;
        Ok(form::urldecode(&text, charset))
    }

    /// Reads all that is left to the void.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn release(&mut self) -> Result<(), E> {
        while self.chunk().await?.is_some() {}
        Ok(())
    }

    fn error(&self, error: MultipartError) -> E {
        (self.reading.wrap())(error)
    }

    /// BODY-82.
    fn charset(&self, asked: Option<&str>) -> Result<Charset, E> {
        let content_type = self.content_type();
        let label = asked
            .or(content_type.charset())
            .or(self.reading.default_charset())
            .unwrap_or("utf-8");
        Charset::for_label(label)
            .ok_or_else(|| self.error(MultipartError::UnknownCharset(label.into())))
    }

    /// Takes up to `limit` bytes of what is buffered, if there are any.
    fn take(&mut self, limit: usize) -> Option<Bytes> {
        let buffer = self.reading.buffer();
        let taken = buffer.split_to(buffer.len().min(limit)).freeze();
        Some(taken).filter(|taken| !taken.is_empty())
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, E>> {
        let buffered = self.take(usize::MAX);
        if buffered.is_some() {
            return Poll::Ready(Ok(buffered));
        }
        self.reading.poll_data(self.source.as_mut(), cx)
    }

    /// Buffers until there are `size` bytes or the part has ended.
    fn poll_fill(&mut self, cx: &mut Context<'_>, size: usize) -> Poll<Result<(), E>> {
        while self.reading.buffer().len() < size {
            match ready!(self.reading.poll_data(self.source.as_mut(), cx))? {
                Some(data) => self.reading.buffer().extend_from_slice(&data),
                None => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<E> Stream for BodyPart<'_, E> {
    type Item = Result<Bytes, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_chunk(cx).map(Result::transpose)
    }
}

impl<E> fmt::Debug for BodyPart<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyPart")
            .field("headers", self.headers())
            .field("at_eof", &self.at_eof())
            .finish_non_exhaustive()
    }
}

/// The name that a part with these headers has.
pub(super) fn name(headers: &HeaderView) -> Option<String> {
    disposition(headers, "name")
}

fn disposition(headers: &HeaderView, parameter: &str) -> Option<String> {
    let field = headers.get("content-disposition")?;
    let disposition = ContentDisposition::parse(field.as_bytes());
    disposition.parameter(parameter).map(Into::into)
}
