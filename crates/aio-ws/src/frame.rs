//! The header of a frame, to and from bytes (RFC 6455 5.2).

use std::ops::BitOr;

use bytes::{BufMut, BytesMut};

use crate::ProtocolError;

/// The header of a frame; its payload follows on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether this frame is the last of its message.
    pub fin: bool,
    /// The reserved bits that are set.
    pub rsv: Rsv,
    /// What the payload is.
    pub opcode: OpCode,
    /// The key the payload is masked with, if it is; see [`Mask`](crate::Mask).
    pub mask: Option<[u8; 4]>,
    /// The length of the payload in bytes.
    pub len: u64,
}

/// What the payload of a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpCode {
    /// More of the message that an earlier frame started.
    Continuation,
    /// Text, or the start of it.
    Text,
    /// Bytes, or the start of them.
    Binary,
    /// The end of the connection, perhaps with code and reason.
    Close,
    /// A question whether the peer is alive.
    Ping,
    /// The answer to a ping.
    Pong,
}

/// A set of the three reserved bits, whose meaning extensions give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rsv(u8);

/// Length codes: up to this one, the code is the length (and control frames end here).
const MAX_SHORT: u8 = 125;
/// The length follows in 16 bits.
pub(crate) const LEN_16: u8 = 126;
/// The length follows in 64 bits.
const LEN_64: u8 = 127;

const FIN_BIT: u8 = 0x80;
const OPCODE_BITS: u8 = 0x0f;
pub(crate) const MASK_BIT: u8 = 0x80;

impl FrameHeader {
    /// The length of the longest header in bytes.
    pub const MAX_SIZE: usize = 14;

    /// Makes the header of an unmasked, final frame with `len` bytes of payload.
    pub const fn new(opcode: OpCode, len: u64) -> Self {
        Self {
            fin: true,
            rsv: Rsv::NONE,
            opcode,
            mask: None,
            len,
        }
    }

    /// Returns the header with a masking key, as every frame from a client has one.
    pub const fn masked(self, key: [u8; 4]) -> Self {
        Self {
            mask: Some(key),
            ..self
        }
    }

    /// Parses the header that `bytes` start with, and returns it with its own length in
    /// bytes; `None` if more bytes are needed.
    ///
    /// `allowed` are the reserved bits that a negotiated extension gives a meaning on the
    /// first frame of a message, such as [`Rsv::RSV1`] for permessage-deflate. A later one
    /// must have none. A control frame may have them, but they mean nothing there: as in
    /// aiohttp, since there are peers that set them; RFC 7692 6.1 forbids it.
    ///
    /// A length written in more bytes than it needs is accepted, as in aiohttp; RFC 6455
    /// forbids to send one.
    ///
    /// ```
    /// use aio_ws::{FrameHeader, OpCode, Rsv};
    ///
    /// let ping = FrameHeader::new(OpCode::Ping, 2);
    /// assert_eq!(FrameHeader::parse(b"\x89\x02hi", Rsv::NONE)?, Some((ping, 2)));
    /// assert_eq!(FrameHeader::parse(b"\x89", Rsv::NONE)?, None);
    /// # Ok::<(), aio_ws::ProtocolError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`ProtocolError`], as soon as the bytes that break the protocol are there. Nothing
    /// behind them can be parsed.
    pub fn parse(bytes: &[u8], allowed: Rsv) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        let fin = first & FIN_BIT != 0;
        let rsv = Rsv(first & Rsv::ALL);
        let bits = first & OPCODE_BITS;
        let is_more = bits == OpCode::Continuation.bits();
        let allowed = if is_more { Rsv::NONE } else { allowed };
        if !allowed.contains(rsv) {
            return Err(ProtocolError::ReservedBits);
        }
        let opcode = OpCode::from_bits(bits)?;
        let len_code = second & !MASK_BIT;
        if opcode.is_control() && !fin {
            return Err(ProtocolError::FragmentedControl);
        }
        if opcode.is_control() && len_code > MAX_SHORT {
            return Err(ProtocolError::ControlTooLong);
        }

        let Some((len, rest)) = parse_len(len_code, rest) else {
            return Ok(None);
        };
        if len > i64::MAX as u64 {
            return Err(ProtocolError::MessageTooBig {
                size: len,
                limit: i64::MAX as u64,
            });
        }
        let (mask, rest) = if second & MASK_BIT == 0 {
            (None, rest)
        } else {
            let Some((key, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (Some(*key), rest)
        };
        Ok(Some((
            Self {
                fin,
                rsv,
                opcode,
                mask,
                len,
            },
            bytes.len() - rest.len(),
        )))
    }

    /// Returns how many bytes the header has on the wire.
    ///
    /// ```
    /// use aio_ws::{FrameHeader, OpCode};
    ///
    /// assert_eq!(FrameHeader::new(OpCode::Binary, 300).size(), 4);
    /// ```
    pub const fn size(&self) -> usize {
        let mask = if self.mask.is_some() { 4 } else { 0 };
        let len = match self.len {
            0..=125 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        2 + len + mask
    }

    /// Appends the header to `output`, the length in as few bytes as possible.
    ///
    /// ```
    /// use aio_ws::{FrameHeader, OpCode};
    ///
    /// let mut output = bytes::BytesMut::new();
    /// FrameHeader::new(OpCode::Binary, 300).encode(&mut output);
    /// assert_eq!(output, &b"\x82\x7e\x01\x2c"[..]);
    /// ```
    #[inline]
    pub fn encode(&self, output: &mut BytesMut) {
        output.reserve(Self::MAX_SIZE);
        let fin = if self.fin { FIN_BIT } else { 0 };
        let mask = if self.mask.is_some() { MASK_BIT } else { 0 };

        let first = fin | self.rsv.0 | self.opcode.bits();
        if self.len <= u64::from(MAX_SHORT) {
            output.put_slice(&[first, mask | self.len as u8]);
        } else if let Ok(len) = u16::try_from(self.len) {
            output.put_slice(&[first, mask | LEN_16]);
            output.put_u16(len);
        } else {
            output.put_slice(&[first, mask | LEN_64]);
            output.put_u64(self.len);
        }
        if let Some(key) = self.mask {
            output.put_slice(&key);
        }
    }
}

/// Reads the length of the payload and returns what follows it.
fn parse_len(code: u8, bytes: &[u8]) -> Option<(u64, &[u8])> {
    match code {
        LEN_16 => {
            let (len, rest) = bytes.split_first_chunk()?;
            Some((u64::from(u16::from_be_bytes(*len)), rest))
        }
        LEN_64 => {
            let (len, rest) = bytes.split_first_chunk()?;
            Some((u64::from_be_bytes(*len), rest))
        }
        short => Some((u64::from(short), bytes)),
    }
}

impl OpCode {
    /// Tells whether this is a close, ping or pong: never fragmented, at most 125 bytes,
    /// and allowed between the frames of a message.
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    const fn from_bits(bits: u8) -> Result<Self, ProtocolError> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            unknown => return Err(ProtocolError::UnknownOpCode(unknown)),
        })
    }

    pub(crate) const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }
}

impl Rsv {
    /// No reserved bit.
    pub const NONE: Self = Self(0);
    /// The first one: with permessage-deflate, the message is compressed.
    pub const RSV1: Self = Self(0x40);
    /// The second one.
    pub const RSV2: Self = Self(0x20);
    /// The third one.
    pub const RSV3: Self = Self(0x10);

    const ALL: u8 = 0x70;

    /// Tells whether all bits of `other` are in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Rsv {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CloseCode;

    const ANY: Rsv = Rsv(Rsv::ALL);

    const OPCODES: [OpCode; 6] = [
        OpCode::Continuation,
        OpCode::Text,
        OpCode::Binary,
        OpCode::Close,
        OpCode::Ping,
        OpCode::Pong,
    ];

    /// Checks that `header` is written as `size` bytes, and read back from them and
    /// whatever follows, but from no fewer.
    #[track_caller]
    fn check_round_trip(header: FrameHeader, size: usize) {
        let mut wire = BytesMut::new();
        header.encode(&mut wire);
        assert_eq!(wire.len(), size, "{header:?}");
        for cut in 0..size {
            assert_eq!(
                FrameHeader::parse(&wire[..cut], ANY),
                Ok(None),
                "{header:?} {cut}"
            );
        }
        assert_eq!(FrameHeader::parse(&wire, ANY), Ok(Some((header, size))));
        wire.extend_from_slice(b"payload");
        assert_eq!(FrameHeader::parse(&wire, ANY), Ok(Some((header, size))));
    }

    #[track_caller]
    fn check_error(bytes: &[u8], allowed: Rsv, want: ProtocolError, code: CloseCode) {
        let bytes_text = bytes.escape_ascii();
        assert_eq!(
            FrameHeader::parse(bytes, allowed),
            Err(want),
            "{bytes_text}"
        );
        assert_eq!(want.close_code(), code, "{bytes_text}");
    }

    #[test]
    fn headers_of_every_length_come_back() {
        for (len, size) in [
            (0, 2),
            (1, 2),
            (125, 2),
            (126, 4),
            (127, 4),
            (65_535, 4),
            (65_536, 10),
            (u64::from(u32::MAX) + 1, 10),
            (i64::MAX as u64, 10),
        ] {
            let header = FrameHeader::new(OpCode::Binary, len);
            check_round_trip(header, size);
            check_round_trip(header.masked([1, 2, 3, 0xff]), size + 4);
            check_round_trip(
                FrameHeader {
                    fin: false,
                    ..header
                },
                size,
            );
        }
        let longest = FrameHeader::new(OpCode::Text, 1 << 40).masked([0; 4]);
        check_round_trip(longest, FrameHeader::MAX_SIZE);
    }

    #[test]
    fn every_opcode_comes_back() {
        for opcode in OPCODES {
            check_round_trip(FrameHeader::new(opcode, 125), 2);
        }
    }

    #[test]
    fn reserved_bits_come_back_where_they_are_allowed() {
        for rsv in [Rsv::RSV1, Rsv::RSV2, Rsv::RSV3, Rsv::RSV1 | Rsv::RSV3] {
            check_round_trip(
                FrameHeader {
                    rsv,
                    ..FrameHeader::new(OpCode::Text, 5)
                },
                2,
            );
        }
    }

    #[test]
    fn headers_read_as_in_the_rfc() {
        // RFC 6455 5.7, the examples.
        let parse = |bytes| {
            FrameHeader::parse(bytes, Rsv::NONE)
                .expect("good")
                .expect("whole")
        };
        let text = FrameHeader::new(OpCode::Text, 5);
        assert_eq!(parse(b"\x81\x05Hello"), (text, 2));
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(parse(masked), (text.masked(key), 6));
        let start = FrameHeader {
            fin: false,
            ..FrameHeader::new(OpCode::Text, 3)
        };
        assert_eq!(parse(b"\x01\x03Hel"), (start, 2));
        assert_eq!(
            parse(b"\x80\x02lo"),
            (FrameHeader::new(OpCode::Continuation, 2), 2)
        );
        assert_eq!(
            parse(b"\x82\x7e\x01\x00"),
            (FrameHeader::new(OpCode::Binary, 256), 4)
        );
        let large = b"\x82\x7f\0\0\0\0\0\x01\0\0";
        assert_eq!(parse(large), (FrameHeader::new(OpCode::Binary, 65_536), 10));
    }

    #[test]
    fn lengths_longer_than_needed_are_accepted() {
        let header = FrameHeader::new(OpCode::Text, 5);
        assert_eq!(
            FrameHeader::parse(b"\x81\x7e\0\x05", Rsv::NONE),
            Ok(Some((header, 4)))
        );
        let wide = b"\x81\x7f\0\0\0\0\0\0\0\x05";
        assert_eq!(FrameHeader::parse(wide, Rsv::NONE), Ok(Some((header, 10))));
    }

    #[test]
    fn reserved_bits_without_meaning_are_refused() {
        let (error, code) = (ProtocolError::ReservedBits, CloseCode::PROTOCOL_ERROR);
        check_error(b"\xc1\0", Rsv::NONE, error, code);
        check_error(b"\xa1\0", Rsv::RSV1, error, code);
        check_error(b"\x91\0", Rsv::RSV1, error, code);
        check_error(b"\xc0\0", Rsv::RSV1, error, code);
        check_error(b"\xa9\0", Rsv::RSV1, error, code);
        check_error(b"\xc9\0", Rsv::NONE, error, code);
    }

    #[test]
    fn reserved_bits_of_a_message_are_taken_on_control_frames() {
        let ping = FrameHeader {
            rsv: Rsv::RSV1,
            ..FrameHeader::new(OpCode::Ping, 0)
        };
        assert_eq!(
            FrameHeader::parse(b"\xc9\0", Rsv::RSV1),
            Ok(Some((ping, 2)))
        );
    }

    #[test]
    fn reserved_opcodes_are_refused() {
        for bits in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
            let error = ProtocolError::UnknownOpCode(bits);
            check_error(&[FIN_BIT | bits, 0], ANY, error, CloseCode::PROTOCOL_ERROR);
        }
    }

    #[test]
    fn control_frames_are_whole_and_short() {
        for opcode in OPCODES.into_iter().filter(|opcode| opcode.is_control()) {
            let (bits, code) = (opcode.bits(), CloseCode::PROTOCOL_ERROR);
            check_error(&[bits, 0], ANY, ProtocolError::FragmentedControl, code);
            check_error(
                &[FIN_BIT | bits, 126],
                ANY,
                ProtocolError::ControlTooLong,
                code,
            );
            check_error(
                &[FIN_BIT | bits, 255],
                ANY,
                ProtocolError::ControlTooLong,
                code,
            );
        }
    }

    #[test]
    fn lengths_of_64_bits_are_refused() {
        let bytes = b"\x82\x7f\x80\0\0\0\0\0\0\0";
        let error = ProtocolError::MessageTooBig {
            size: 1 << 63,
            limit: i64::MAX as u64,
        };
        check_error(bytes, Rsv::NONE, error, CloseCode::MESSAGE_TOO_BIG);
    }

    #[test]
    fn no_two_bytes_panic() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                for len in 2..=FrameHeader::MAX_SIZE {
                    let mut bytes = [0xff; FrameHeader::MAX_SIZE];
                    bytes[..2].copy_from_slice(&[first, second]);
                    _ = FrameHeader::parse(&bytes[..len], Rsv::RSV1);
                }
            }
        }
    }
}
