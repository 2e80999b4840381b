//! Takes the messages out of the bytes that come.

use bytes::{Buf, Bytes, BytesMut};

use super::inflate::Inflate;
use super::unfinished::Unfinished;
use super::{Role, WsConfig};
use crate::frame::{LEN_16, MASK_BIT};
use crate::utf8::NotUtf8;
use crate::{
    CloseCode, CloseFrame, FrameHeader, Mask, OpCode, ProtocolError, Rsv, WsMessage, WsText,
};

/// How many bytes to read at once from a peer that has not sent much.
const SMALL_READ: usize = 4 * 1024;
/// How many from one that fills the buffer; more at once do not make it faster. A message of
/// 64 KiB fits in with its header.
const LARGE_READ: usize = 65 * 1024;
/// From how many missing bytes on the rest of a frame is read right behind its start.
const OWN_BUFFER: u64 = 4 * 1024;

/// The first byte of a text message in one frame that is not compressed.
const FIN_TEXT: u8 = 0x81;
/// The first byte of such a binary message.
const FIN_BINARY: u8 = 0x82;

/// What came of the peer and is not taken yet.
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
    /// The reserved bits that a message may start with.
    allowed: Rsv,
    inflate: Option<Inflate>,
    /// The size in bytes that a message must not have; 0: any may.
    max_size: u64,
    /// The same for those that are taken at once; 0: none is.
    max_short: usize,
    decode_text: bool,
    /// Whether frames must be masked; `None`: either will do.
    must_mask: Option<bool>,
}

/// A data frame whose payload is not whole.
struct Frame {
    /// How much of it is missing.
    left: u64,
    mask: Option<Mask>,
    fin: bool,
}

impl Receiver {
    pub(super) fn new(role: Role, config: &WsConfig) -> Self {
        let inflate = config.deflate.map(|params| {
            let inflater = match role {
                Role::Client => params.server_to_client().1,
                Role::Server => params.client_to_server().1,
            };
            Inflate::new(inflater, config.max_msg_size)
        });
        Self {
            input: BytesMut::new(),
            room: SMALL_READ,
            is_offered: false,
            frame: None,
            message: None,
            allowed: inflate.as_ref().map_or(Rsv::NONE, |_| Rsv::RSV1),
            inflate,
            max_size: config.max_msg_size as u64,
            max_short: match config.max_msg_size {
                _ if config.strict_masking => 0,
                0 => usize::MAX,
                limit => limit,
            },
            decode_text: config.decode_text,
            must_mask: config.strict_masking.then_some(role == Role::Server),
        }
    }

    /// Returns where the next bytes go.
    pub(super) fn read_buffer(&mut self) -> &mut BytesMut {
        if self.reads_in_place()
            && let (Some(frame), Some(message)) = (&self.frame, &mut self.message)
        {
            message.reserve(frame.left);
            if let Some(bytes) = message.read_buffer() {
                return bytes;
            }
        }
        // All room was used: there is more to read.
        if self.is_offered && self.input.len() == self.input.capacity() {
            self.room = LARGE_READ;
        }
        self.is_offered = true;
        // Just as much as makes the buffer move what is left to its start, not grow.
        let used = self.input.len();
        let room = self.room.saturating_sub(used).max(SMALL_READ);
        self.input.reserve(room);
        &mut self.input
    }

    /// Tells whether the rest of the frame is worth reading straight into its message, and
    /// nothing stands between.
    fn reads_in_place(&mut self) -> bool {
        let (Some(frame), Some(message)) = (&self.frame, &mut self.message) else {
            return false;
        };
        let is_long = frame.left >= OWN_BUFFER || message.has_read();
        self.input.is_empty() && is_long && message.read_buffer().is_some()
    }

    /// Forgets all that came.
    pub(super) fn clear(&mut self) {
        self.input = BytesMut::new();
        self.frame = None;
        self.message = None;
        self.inflate = None;
    }

    pub(super) fn release_memory(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
            self.room = SMALL_READ;
            self.is_offered = false;
        }
        if let Some(inflate) = &mut self.inflate {
            inflate.release_memory();
        }
    }

    /// Returns the next message if its only frame is short, plain, and here: most are.
    #[inline]
    pub(super) fn poll_short(&mut self) -> Option<Result<WsMessage, ProtocolError>> {
        let &[first, second, ..] = &*self.input else {
            return None;
        };
        let (is_text, is_binary) = (first == FIN_TEXT, first == FIN_BINARY);
        let len = usize::from(second & !MASK_BIT);
        let is_short = len < usize::from(LEN_16) && len < self.max_short;
        if !(is_text || is_binary) || !is_short || self.message.is_some() {
            return None;
        }
        let size = if second < MASK_BIT { 2 } else { 6 };
        if self.input.len() < size + len {
            return None;
        }
        let mut frame = self.input.split_to(size + len);
        if let Some((&mut [_, _, a, b, c, d], payload)) = frame.split_first_chunk_mut()
            && second >= MASK_BIT
        {
            Mask::new([a, b, c, d]).apply(payload);
        }
        let mut payload = frame.freeze();
        payload.advance(size);
        Some(if is_binary {
            Ok(WsMessage::Binary(payload))
        } else {
            self.text(payload)
        })
    }

    /// Returns the next message, ping, pong or close; `None` if its end is missing.
    pub(super) fn poll(&mut self) -> Result<Option<WsMessage>, ProtocolError> {
        loop {
            if let (Some(frame), Some(message)) = (&mut self.frame, &mut self.message) {
                frame.take(&mut self.input, message, &mut self.inflate)?;
                if frame.left > 0 {
                    return Ok(None);
                }
                let is_last = frame.fin;
                self.frame = None;
                if is_last && let Some(message) = self.message.take() {
                    return message.finish().map(Some);
                }
            }
            let header = FrameHeader::parse(&self.input, self.allowed);
            let Some((header, size)) = header.map_err(|error| self.with_limit(error))? else {
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
                return self.take_message(&header, size).map(Some);
            }
            self.begin(&header, size);
        }
    }

    /// Tells our limit in the error of a length that nobody takes.
    fn with_limit(&self, error: ProtocolError) -> ProtocolError {
        match (error, self.max_size) {
            (ProtocolError::MessageTooBig { size, .. }, limit @ 1..) => {
                ProtocolError::MessageTooBig { size, limit }
            }
            _ => error,
        }
    }

    /// Checks what a header alone tells, before its payload takes memory.
    fn check(&self, header: &FrameHeader) -> Result<(), ProtocolError> {
        let is_masked = header.mask.is_some();
        if self.must_mask.is_some_and(|must| must != is_masked) {
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
        let (size, limit) = (declared.saturating_add(header.len), self.max_size);
        if limit > 0 && size >= limit {
            return Err(ProtocolError::MessageTooBig { size, limit });
        }
        Ok(())
    }

    /// Takes the payload of a frame out of the input that is whole in it.
    fn take_whole(&mut self, header: &FrameHeader, size: usize) -> Bytes {
        let mut frame = self.input.split_to(size + header.len as usize);
        if let (Some(key), Some(payload)) = (header.mask, frame.get_mut(size..)) {
            Mask::new(key).apply(payload);
        }
        let mut frame = frame.freeze();
        frame.advance(size);
        frame
    }

    /// Takes a message out of the input whose only frame is whole in it.
    fn take_message(
        &mut self,
        header: &FrameHeader,
        size: usize,
    ) -> Result<WsMessage, ProtocolError> {
        let mut payload = self.take_whole(header, size);
        if let Some(inflate) = &mut self.inflate
            && header.rsv.contains(Rsv::RSV1)
        {
            payload = inflate.message(&payload)?;
        }
        if header.opcode == OpCode::Text {
            return self.text(payload);
        }
        Ok(WsMessage::Binary(payload))
    }

    #[inline]
    fn text(&self, payload: Bytes) -> Result<WsMessage, ProtocolError> {
        if !self.decode_text {
            return Ok(WsMessage::TextBytes(payload));
        }
        match WsText::try_from(payload) {
            Ok(text) => Ok(WsMessage::Text(text)),
            Err(_) => Err(ProtocolError::InvalidText),
        }
    }

    /// Begins a data frame whose payload is not whole, or that is not the whole message.
    fn begin(&mut self, header: &FrameHeader, size: usize) {
        self.input.advance(size);
        let is_text = header.opcode == OpCode::Text && self.decode_text;
        let message = self.message.get_or_insert_with(|| {
            Unfinished::new(header.opcode, header.rsv.contains(Rsv::RSV1), is_text)
        });
        message.declared = message.declared.saturating_add(header.len);
        self.frame = Some(Frame {
            left: header.len,
            mask: header.mask.map(Mask::new),
            fin: header.fin,
        });
    }
}

impl Frame {
    /// Moves what is there of the payload to the message.
    fn take(
        &mut self,
        input: &mut BytesMut,
        message: &mut Unfinished,
        inflate: &mut Option<Inflate>,
    ) -> Result<(), ProtocolError> {
        if message.has_read() {
            let piece = message.take_read(self.left, input);
            self.unmask(piece);
            return Ok(());
        }
        let count = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
        self.unmask(input.get_mut(..count).unwrap_or_default());
        if let Some(inflate) = inflate
            && message.is_compressed
        {
            let is_end = self.fin && self.left == 0;
            let piece = input.get(..count).unwrap_or_default();
            message.push(inflate.piece(piece, is_end, message.len())?)?;
        } else if self.left >= OWN_BUFFER && message.adopt(input) {
            return Ok(());
        } else {
            message.reserve(count as u64 + self.left);
            message.push(input.get(..count).unwrap_or_default())?;
        }
        input.advance(count);
        Ok(())
    }

    /// Unmasks the next piece of the payload.
    fn unmask(&mut self, piece: &mut [u8]) {
        self.left -= piece.len() as u64;
        if let Some(mask) = &mut self.mask {
            mask.apply(piece);
        }
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
