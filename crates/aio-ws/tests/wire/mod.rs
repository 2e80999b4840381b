//! Frames as bytes, and bytes as frames.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use aio_ws::{FrameHeader, Mask, OpCode, Protocol, ProtocolError, Rsv, WsError, WsMessage};
use bytes::BytesMut;

pub(crate) const SEED: [u8; 32] = [7; 32];

pub(crate) type Event = Result<WsMessage, ProtocolError>;

/// A frame as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: OpCode,
    pub(crate) fin: bool,
    pub(crate) compressed: bool,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(opcode: OpCode, payload: impl AsRef<[u8]>) -> Self {
        Self {
            opcode,
            fin: true,
            compressed: false,
            payload: payload.as_ref().to_vec(),
        }
    }

    pub(crate) fn unfinished(self) -> Self {
        Self { fin: false, ..self }
    }

    pub(crate) fn compressed(self) -> Self {
        Self {
            compressed: true,
            ..self
        }
    }

    pub(crate) fn wire(&self) -> Vec<u8> {
        self.bytes(None)
    }

    pub(crate) fn masked(&self) -> Vec<u8> {
        self.bytes(Some([0x11, 0x22, 0x33, 0x44]))
    }

    fn bytes(&self, key: Option<[u8; 4]>) -> Vec<u8> {
        let header = FrameHeader {
            fin: self.fin,
            rsv: if self.compressed {
                Rsv::RSV1
            } else {
                Rsv::NONE
            },
            mask: key,
            ..FrameHeader::new(self.opcode, self.payload.len() as u64)
        };
        let mut wire = BytesMut::new();
        header.encode(&mut wire);
        assert_eq!(wire.len(), header.size());
        let start = wire.len();
        wire.extend_from_slice(&self.payload);
        if let Some(key) = key {
            Mask::new(key).apply(&mut wire[start..]);
        }
        wire.to_vec()
    }
}

pub(crate) fn text(payload: &str) -> Frame {
    Frame::new(OpCode::Text, payload)
}

pub(crate) fn binary(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(OpCode::Binary, payload)
}

pub(crate) fn more(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(OpCode::Continuation, payload)
}

pub(crate) fn ping(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(OpCode::Ping, payload)
}

pub(crate) fn pong(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(OpCode::Pong, payload)
}

pub(crate) fn close(code: u16, reason: &str) -> Frame {
    let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
    Frame::new(OpCode::Close, payload)
}

pub(crate) fn wire(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::wire).collect()
}

/// Returns the frames that `bytes` are, unmasked.
#[track_caller]
pub(crate) fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut rest = bytes;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (header, size) = FrameHeader::parse(rest, Rsv::RSV1)
            .expect("good")
            .expect("whole");
        let (payload, behind) = rest[size..].split_at(header.len as usize);
        let mut payload = payload.to_vec();
        if let Some(key) = header.mask {
            Mask::new(key).apply(&mut payload);
        }
        frames.push(Frame {
            opcode: header.opcode,
            fin: header.fin,
            compressed: header.rsv.contains(Rsv::RSV1),
            payload,
        });
        rest = behind;
    }
    frames
}

/// Takes all that is to be written, in pieces of `step` bytes.
pub(crate) fn transmit(protocol: &mut Protocol, step: usize) -> Vec<u8> {
    let mut output = Vec::new();
    while let Some(bytes) = protocol.poll_transmit() {
        assert!(!bytes.is_empty());
        let count = bytes.len().min(step);
        output.extend_from_slice(&bytes[..count]);
        protocol.transmitted(count);
    }
    assert_eq!(protocol.queued(), 0);
    output
}

pub(crate) fn sent(protocol: &mut Protocol) -> Vec<Frame> {
    frames(&transmit(protocol, usize::MAX))
}

/// Returns the next event.
#[track_caller]
pub(crate) fn event(protocol: &mut Protocol) -> Option<Event> {
    let event = protocol.poll_event()?;
    Some(event.map_err(|error| match error {
        WsError::Protocol(error) => error,
        other => panic!("{other}"),
    }))
}

/// Returns what comes of the pieces, one given after the other.
#[track_caller]
pub(crate) fn events<'a>(
    protocol: &mut Protocol,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Event> {
    let mut events = Vec::new();
    for piece in pieces {
        protocol.receive(piece);
        while let Some(event) = event(protocol) {
            events.push(event);
        }
    }
    events
}
