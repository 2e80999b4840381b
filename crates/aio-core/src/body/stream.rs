//! Bodies that come in pieces, as streams and as [`http_body::Body`], both ways.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http_body::{Frame, SizeHint};

use super::{Body, BoxError, Kind};
use crate::PayloadError;

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Kind::Unopened { opener, length } = &self.kind {
            let (stream, length) = (opener.clone().into_stream(), *length);
            self.kind = Kind::stream(stream, length);
        }
        match &mut self.kind {
            Kind::None | Kind::Unopened { .. } => Poll::Ready(None),
            Kind::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Stream {
                stream,
                length: Some(left),
                given,
            } => {
                let frame = ready!(stream.as_mut().poll_frame(cx)?);
                let data = frame.as_ref().and_then(Frame::data_ref);
                let data = data.map_or(0, Bytes::len) as u64;
                let is_end = frame.as_ref().is_none_or(Frame::is_trailers);
                if data > *left || (is_end && *left > 0) {
                    let error = PayloadError::UploadLength {
                        actual: *given + data,
                        expected: *given + *left,
                    };
                    self.kind = Kind::None;
                    return Poll::Ready(Some(Err(error.into())));
                }
                (*left, *given) = (*left - data, *given + data);
                Poll::Ready(frame.map(Ok))
            }
            Kind::Stream { stream, .. } => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::None => true,
            Kind::Bytes(bytes) => bytes.is_empty(),
            Kind::Stream { stream, .. } => stream.is_end_stream(),
            Kind::Unopened { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (self.len(), &self.kind) {
            (Some(length), _) => SizeHint::with_exact(length),
            (None, Kind::Stream { stream, .. }) => stream.size_hint(),
            (None, _) => SizeHint::default(),
        }
    }
}

/// The items of a stream as the frames of a [`BodyStream`].
pub(super) struct Pieces<S> {
    stream: Pin<Box<S>>,
    /// What is left of its length.
    left: Option<u64>,
}

impl<S> Pieces<S> {
    pub(super) fn new(stream: S, length: Option<u64>) -> Self {
        Self {
            stream: Box::pin(stream),
            left: length,
        }
    }
}

impl<S, B, E> http_body::Body for Pieces<S>
where
    S: Stream<Item = Result<B, E>>,
    B: Into<Bytes>,
    E: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let item = match this.stream.as_mut().poll_next(cx) {
            // All of it has come. A socket that stays open would never say so.
            Poll::Pending if this.left == Some(0) => return Poll::Ready(None),
            item => ready!(item),
        };
        Poll::Ready(item.map(|piece| {
            let piece = piece.map_err(Into::into)?.into();
            if let Some(left) = &mut this.left {
                *left = left.saturating_sub(piece.len() as u64);
            }
            Ok(Frame::data(piece))
        }))
    }
}

/// The frames of any body as those of a [`BodyStream`].
pub(super) struct Frames<B> {
    body: Pin<Box<B>>,
}

impl<B> Frames<B> {
    pub(super) fn new(body: B) -> Self {
        Self {
            body: Box::pin(body),
        }
    }
}

impl<B> http_body::Body for Frames<B>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.body.as_mut().poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(Into::into)?;
            // Data that is `Bytes` already is not copied.
            Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
