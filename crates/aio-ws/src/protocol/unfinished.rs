//! A message whose end has not come.

use std::mem;

use bytes::BytesMut;

use crate::utf8::TextPieces;
use crate::{OpCode, ProtocolError, WsMessage};

/// How much room is made ahead for a message that is only announced.
const TRUSTED: usize = 1024 * 1024;

/// A message whose end has not come.
pub(super) struct Unfinished {
    /// What it is by its first frame.
    pub(super) opcode: OpCode,
    /// How long it is by the headers of its frames.
    pub(super) declared: u64,
    pub(super) is_compressed: bool,
    payload: Payload,
}

enum Payload {
    Text(TextPieces),
    Bytes {
        bytes: BytesMut,
        /// What is read straight into `bytes` stands behind this.
        taken: usize,
    },
}

impl Unfinished {
    /// Makes an empty message; it is not checked to be text unless `is_text`.
    pub(super) fn new(opcode: OpCode, is_compressed: bool, is_text: bool) -> Self {
        Self {
            opcode,
            declared: 0,
            is_compressed,
            payload: if is_text {
                Payload::Text(TextPieces::default())
            } else {
                Payload::Bytes {
                    bytes: BytesMut::new(),
                    taken: 0,
                }
            },
        }
    }

    pub(super) fn len(&self) -> usize {
        match &self.payload {
            Payload::Text(text) => text.len(),
            Payload::Bytes { taken, .. } => *taken,
        }
    }

    /// Makes room for `count` more bytes, as far as their announcement can be trusted: the more
    /// came, the more is believed to follow.
    pub(super) fn reserve(&mut self, count: u64) {
        let trusted = TRUSTED.saturating_sub(self.len()).max(self.len());
        let count = usize::try_from(count).map_or(trusted, |count| count.min(trusted));
        match &mut self.payload {
            Payload::Text(text) => text.reserve(count),
            Payload::Bytes { bytes, .. } => bytes.reserve(count),
        }
    }

    /// Appends a piece of the payload.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), ProtocolError> {
        match &mut self.payload {
            Payload::Text(text) => text.push(piece)?,
            Payload::Bytes { bytes, taken } => {
                bytes.extend_from_slice(piece);
                *taken = bytes.len();
            }
        }
        Ok(())
    }

    /// Takes all of `input` over as the start of the payload, with its room, if it can.
    pub(super) fn adopt(&mut self, input: &mut BytesMut) -> bool {
        match &mut self.payload {
            Payload::Bytes { bytes, taken } if bytes.is_empty() => {
                *bytes = mem::take(input);
                *taken = bytes.len();
                true
            }
            _ => false,
        }
    }

    /// Returns what the rest of an uncompressed message can be read into, if anything.
    pub(super) fn read_buffer(&mut self) -> Option<&mut BytesMut> {
        match &mut self.payload {
            Payload::Bytes { bytes, .. } if !self.is_compressed => Some(bytes),
            _ => None,
        }
    }

    /// Tells whether something was read that is not taken.
    pub(super) fn has_read(&self) -> bool {
        matches!(&self.payload, Payload::Bytes { bytes, taken } if bytes.len() > *taken)
    }

    /// Takes up to `count` of the bytes that were read, and puts those behind into `rest`.
    pub(super) fn take_read(&mut self, count: u64, rest: &mut BytesMut) -> &mut [u8] {
        let Payload::Bytes { bytes, taken } = &mut self.payload else {
            return &mut [];
        };
        let start = *taken;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        *taken = bytes.len().min(start.saturating_add(count));
        rest.extend_from_slice(bytes.get(*taken..).unwrap_or_default());
        bytes.truncate(*taken);
        bytes.get_mut(start..).unwrap_or_default()
    }

    pub(super) fn finish(self) -> Result<WsMessage, ProtocolError> {
        Ok(match self.payload {
            Payload::Text(text) => WsMessage::Text(text.finish()?.into()),
            Payload::Bytes { bytes, .. } if self.opcode == OpCode::Text => {
                WsMessage::TextBytes(bytes.freeze())
            }
            Payload::Bytes { bytes, .. } => WsMessage::Binary(bytes.freeze()),
        })
    }
}
