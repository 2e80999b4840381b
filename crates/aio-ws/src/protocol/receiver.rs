//! Takes the messages out of the bytes that come.

use std::mem;

use bytes::{Buf, Bytes, BytesMut};

use super::WsConfig;
use super::config::Role;
use crate::utf8::{NotUtf8, TextPieces};
use crate::{
    CloseCode, CloseFrame, FrameHeader, Mask, OpCode, ProtocolError, Rsv, WsMessage, WsText,
};

/// How many bytes to read at once from a peer that has not sent much.
const SMALL_READ: usize = 4 * 1024;
/// How many from one that fills the buffer; more at once do not make it faster.
const LARGE_READ: usize = 64 * 1024;
/// How much room is made ahead for a message that is only announced.
const TRUSTED: usize = 1024 * 1024;
/// From how many missing bytes on the rest of a message is read right behind its start.
const OWN_BUFFER: usize = 4 * 1024;

/// What came of the peer and is not taken yet.
#[derive(Debug)]
pub(super) struct Receiver {
    /// Bytes with a frame header in front, or with payload of `frame`.
    input: BytesMut,
    /// How much to read at once.
    room: usize,
    /// Whether `input` had room to read into.
    is_offered: bool,
    /// The data frame whose payload is not whole.
    frame: Option<Frame>,
    /// The message whose frames are not all here.
    message: Option<Unfinished>,
    rules: Rules,
}

#[derive(Debug)]
struct Rules {
    /// 0: none.
    max_size: u64,
    decode_text: bool,
    /// Whether frames must be masked; `None`: either will do.
    masked: Option<bool>,
    /// The reserved bits that start a message.
    allowed: Rsv,
}

/// A data frame whose payload is not whole.
#[derive(Debug)]
struct Frame {
    /// How much of it is missing.
    left: u64,
    mask: Option<Mask>,
    fin: bool,
}

/// A message whose frames are not all here.
#[derive(Debug)]
struct Unfinished {
    /// What it is by its first frame.
    opcode: OpCode,
    /// How long it is by the headers of its frames.
    declared: u64,
    payload: Payload,
}

#[derive(Debug)]
enum Payload {
    Text(TextPieces),
    Bytes {
        bytes: BytesMut,
        /// What is read straight into `bytes` stands behind this.
        taken: usize,
    },
}

impl Receiver {
    pub(super) fn new(role: Role, config: &WsConfig) -> Self {
        Self {
            input: BytesMut::new(),
            room: SMALL_READ,
            is_offered: false,
            frame: None,
            message: None,
            rules: Rules {
                max_size: config.max_msg_size as u64,
                decode_text: config.decode_text,
                masked: config.strict_masking.then_some(role == Role::Server),
                allowed: Rsv::NONE,
            },
        }
    }

    /// Returns where the next bytes go.
    pub(super) fn read_buffer(&mut self) -> &mut BytesMut {
        let into_message = match (&self.frame, &mut self.message) {
            (Some(frame), Some(message)) if self.input.is_empty() => message.read_buffer(frame),
            _ => None,
        };
        if let Some(bytes) = into_message {
            return bytes;
        }
        // All room was used: there is more to read.
        if self.is_offered && self.input.len() == self.input.capacity() {
            self.room = LARGE_READ;
        }
        self.is_offered = true;
        // Just as much as makes the buffer move what is left to its start, not grow.
        let used = self.input.len();
        self.input
            .reserve(self.room.saturating_sub(used).max(SMALL_READ));
        &mut self.input
    }

    /// Forgets all that came.
    pub(super) fn clear(&mut self) {
        self.input = BytesMut::new();
        self.frame = None;
        self.message = None;
    }

    pub(super) fn release_memory(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
            self.room = SMALL_READ;
            self.is_offered = false;
        }
    }

    /// Returns the next message, ping, pong or close; `None` if its end is missing.
    pub(super) fn poll(&mut self) -> Result<Option<WsMessage>, ProtocolError> {
        loop {
            if self.frame.is_some() {
                if !self.take_payload()? {
                    return Ok(None);
                }
                if let Some(message) = self.finish_frame()? {
                    return Ok(Some(message));
                }
            }
            let Some((header, size)) = FrameHeader::parse(&self.input, self.rules.allowed)? else {
                return Ok(None);
            };
            self.check(&header)?;
            let is_whole = header.len <= (self.input.len() - size) as u64;
            if header.opcode.is_control() {
                if !is_whole {
                    return Ok(None);
                }
                let payload = self.take_whole(&header, size);
                return control(header.opcode, payload).map(Some);
            }
            let is_alone = header.fin && header.opcode != OpCode::Continuation;
            if is_whole && is_alone {
                let payload = self.take_whole(&header, size);
                return self.rules.message(header.opcode, payload).map(Some);
            }
            self.begin(&header, size);
        }
    }

    /// Checks what a header alone tells, before its payload takes memory.
    fn check(&self, header: &FrameHeader) -> Result<(), ProtocolError> {
        let rules = &self.rules;
        if rules
            .masked
            .is_some_and(|masked| masked != header.mask.is_some())
        {
            return Err(ProtocolError::Masking);
        }
        if header.opcode.is_control() {
            return Ok(());
        }
        let declared = match (&self.message, header.opcode) {
            (None, OpCode::Continuation) => return Err(ProtocolError::NothingToContinue),
            (None, _) => 0,
            (Some(message), OpCode::Continuation) => message.declared,
            // An empty fragment starts a message, too, unlike in aiohttp.
            (Some(_), opcode) => return Err(ProtocolError::UnfinishedMessage(opcode.bits())),
        };
        let size = declared.saturating_add(header.len);
        if rules.max_size > 0 && size >= rules.max_size {
            let limit = rules.max_size;
            return Err(ProtocolError::MessageTooBig { size, limit });
        }
        Ok(())
    }

    /// Takes a frame out of the input that is whole in it.
    fn take_whole(&mut self, header: &FrameHeader, size: usize) -> Bytes {
        let mut frame = self.input.split_to(size + header.len as usize);
        if let (Some(key), Some(payload)) = (header.mask, frame.get_mut(size..)) {
            Mask::new(key).apply(payload);
        }
        let mut frame = frame.freeze();
        frame.advance(size);
        frame
    }

    /// Begins a data frame whose payload is not whole, or that is not the whole message.
    fn begin(&mut self, header: &FrameHeader, size: usize) {
        self.input.advance(size);
        self.frame = Some(Frame {
            left: header.len,
            mask: header.mask.map(Mask::new),
            fin: header.fin,
        });
        let rules = &self.rules;
        let message = self.message.get_or_insert_with(|| Unfinished {
            opcode: header.opcode,
            declared: 0,
            payload: rules.payload(header.opcode),
        });
        message.declared = message.declared.saturating_add(header.len);
        if let Payload::Text(text) = &mut message.payload {
            text.reserve(usize::try_from(header.len).unwrap_or(TRUSTED).min(TRUSTED));
        }
    }

    /// Takes what is there of the payload of the frame; tells whether that is all of it.
    fn take_payload(&mut self) -> Result<bool, ProtocolError> {
        let (Some(frame), Some(message)) = (&mut self.frame, &mut self.message) else {
            return Ok(false);
        };
        match &mut message.payload {
            Payload::Text(text) => {
                let count = frame.available(self.input.len());
                let piece = self.input.get_mut(..count).unwrap_or_default();
                frame.take(piece);
                text.push(piece)?;
                self.input.advance(count);
            }
            Payload::Bytes { bytes, taken } => {
                if bytes.len() > *taken {
                    // It was read in place, perhaps with what follows the frame.
                    let end = *taken + frame.available(bytes.len() - *taken);
                    self.input
                        .extend_from_slice(bytes.get(end..).unwrap_or_default());
                    bytes.truncate(end);
                } else {
                    let count = frame.available(self.input.len());
                    if bytes.is_empty() && frame.left - count as u64 >= OWN_BUFFER as u64 {
                        *bytes = mem::take(&mut self.input);
                    } else {
                        bytes.reserve(count.max(frame.available(OWN_BUFFER)));
                        bytes.extend_from_slice(self.input.get(..count).unwrap_or_default());
                        self.input.advance(count);
                    }
                }
                if let Some(piece) = bytes.get_mut(*taken..) {
                    frame.take(piece);
                }
                *taken = bytes.len();
            }
        }
        Ok(frame.left == 0)
    }

    /// Ends the frame, and with it the message if it is the last one.
    fn finish_frame(&mut self) -> Result<Option<WsMessage>, ProtocolError> {
        let is_last = self.frame.take().is_some_and(|frame| frame.fin);
        if !is_last {
            return Ok(None);
        }
        let Some(message) = self.message.take() else {
            return Ok(None);
        };
        Ok(Some(match message.payload {
            Payload::Text(text) => WsMessage::Text(text.finish()?.into()),
            Payload::Bytes { bytes, .. } if message.opcode == OpCode::Text => {
                WsMessage::TextBytes(bytes.freeze())
            }
            Payload::Bytes { bytes, .. } => WsMessage::Binary(bytes.freeze()),
        }))
    }
}

impl Rules {
    /// Returns an empty payload for a message of the type.
    fn payload(&self, opcode: OpCode) -> Payload {
        if opcode == OpCode::Text && self.decode_text {
            return Payload::Text(TextPieces::default());
        }
        Payload::Bytes {
            bytes: BytesMut::new(),
            taken: 0,
        }
    }

    /// Makes the message whose payload is whole.
    fn message(&self, opcode: OpCode, payload: Bytes) -> Result<WsMessage, ProtocolError> {
        Ok(match opcode {
            OpCode::Text if self.decode_text => {
                WsMessage::Text(WsText::try_from(payload).map_err(|_| NotUtf8)?)
            }
            OpCode::Text => WsMessage::TextBytes(payload),
            _ => WsMessage::Binary(payload),
        })
    }
}

impl Frame {
    /// Returns how many of `count` bytes belong to the frame.
    fn available(&self, count: usize) -> usize {
        usize::try_from(self.left).map_or(count, |left| left.min(count))
    }

    /// Takes the next piece of the payload, which is unmasked.
    fn take(&mut self, piece: &mut [u8]) {
        self.left -= piece.len() as u64;
        if let Some(mask) = &mut self.mask {
            mask.apply(piece);
        }
    }
}

impl Unfinished {
    /// Returns the message itself if much of it is missing: the rest is read in place.
    fn read_buffer(&mut self, frame: &Frame) -> Option<&mut BytesMut> {
        let Payload::Bytes { bytes, taken } = &mut self.payload else {
            return None;
        };
        let left = frame.available(bytes.len().max(TRUSTED));
        if left < OWN_BUFFER && bytes.len() == *taken {
            return None;
        }
        bytes.reserve(left);
        Some(bytes)
    }
}

/// Makes a message of a control frame.
fn control(opcode: OpCode, mut payload: Bytes) -> Result<WsMessage, ProtocolError> {
    match opcode {
        OpCode::Ping => return Ok(WsMessage::Ping(payload)),
        OpCode::Pong => return Ok(WsMessage::Pong(payload)),
        _ => {}
    }
    let code = match *payload {
        [] => return Ok(WsMessage::Close(None)),
        [half] => return Err(ProtocolError::InvalidCloseFrame(half)),
        [high, low, ..] => u16::from_be_bytes([high, low]),
    };
    let code = CloseCode::from_wire(code).ok_or(ProtocolError::InvalidCloseCode(code))?;
    let reason = WsText::try_from(payload.split_off(2)).map_err(|_| NotUtf8)?;
    Ok(WsMessage::Close(Some(CloseFrame { code, reason })))
}

impl From<NotUtf8> for ProtocolError {
    fn from(_: NotUtf8) -> Self {
        Self::InvalidText
    }
}
