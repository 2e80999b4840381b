//! A multipart body as it is sent: texts, and the bodies of the parts between them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;

use super::encode::Coded;
use super::write::Part;
use crate::headers::Headers;
use crate::{Body, BodyStream, BoxError};

/// Up to here a part is copied to stand in one piece with the boundaries around it, which
/// saves a write each.
pub(super) const SMALL: usize = 64 * 1024;

/// The pieces of a whole in their order.
pub(super) struct Layout {
    pieces: VecDeque<Piece>,
    /// What the next piece begins with.
    text: BytesMut,
    length: Option<u64>,
}

enum Piece {
    Bytes(Bytes),
    Frames(BodyStream),
}

impl Layout {
    pub(super) fn new() -> Self {
        Self {
            pieces: VecDeque::new(),
            text: BytesMut::new(),
            length: Some(0),
        }
    }

    pub(super) fn push_text(&mut self, texts: &[&str]) {
        texts
            .iter()
            .for_each(|text| self.push_small(text.as_bytes()));
    }

    pub(super) fn push_head(&mut self, headers: &Headers) {
        for field in headers.iter() {
            self.push_text(&[field.name(), ": "]);
            self.push_small(field.as_bytes());
            self.push_text(&["\r\n"]);
        }
        self.push_text(&["\r\n"]);
    }

    pub(super) fn push_body(&mut self, part: Part) {
        match part.plain_bytes() {
            Some(bytes) if bytes.len() <= SMALL => self.push_small(bytes),
            Some(bytes) => {
                let (bytes, length) = (bytes.clone(), bytes.len() as u64);
                self.push(Piece::Bytes(bytes), Some(length));
            }
            None => {
                let length = part.len();
                let frames: BodyStream = match part.codings.are_none() {
                    true => Box::pin(part.body),
                    false => Box::pin(Coded::new(part.body, part.codings)),
                };
                self.push(Piece::Frames(frames), length);
            }
        }
    }

    fn push_small(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        self.lengthen(Some(bytes.len() as u64));
    }

    fn push(&mut self, piece: Piece, length: Option<u64>) {
        self.end_text();
        self.pieces.push_back(piece);
        self.lengthen(length);
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text).freeze();
            self.pieces.push_back(Piece::Bytes(text));
        }
    }

    fn lengthen(&mut self, by: Option<u64>) {
        self.length = self
            .length
            .zip(by)
            .and_then(|(length, by)| length.checked_add(by));
    }

    pub(super) fn into_body(mut self) -> Body {
        if self.pieces.is_empty() {
            return Body::from(self.text.freeze());
        }
        self.end_text();
        Body::of_stream(Box::pin(Pieces(self.pieces)), self.length)
    }
}

/// One piece after the other.
struct Pieces(VecDeque<Piece>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        while let Some(piece) = self.0.front_mut() {
            let data = match piece {
                Piece::Bytes(bytes) => Some(std::mem::take(bytes)).filter(|left| !left.is_empty()),
                // A part has no place for trailers.
                Piece::Frames(frames) => ready!(frames.as_mut().poll_frame(cx)?)
                    .map(|frame| frame.into_data().unwrap_or_default()),
            };
            // An empty one, too: who asks for pieces says when others get their turn.
            if let Some(data) = data {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            self.0.pop_front();
        }
        Poll::Ready(None)
    }
}
