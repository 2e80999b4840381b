//! Makes frames of messages: compressed, or in fragments.

use bytes::{Bytes, BytesMut};

use super::output::Output;
use super::{MAX_CONTROL, Role, WsConfig};
use crate::{Deflater, OpCode, Rsv, WindowBits, WsError};

/// The way from messages to frames.
pub(super) struct Sender {
    pub(super) output: Output,
    /// What compresses, if that was negotiated.
    deflater: Option<Deflater>,
    /// What is shorter is not compressed.
    min_compress_size: usize,
    /// The message that is sent in fragments.
    fragments: Option<Fragments>,
    /// Where messages are compressed to.
    compressed: BytesMut,
}

#[derive(Clone, Copy)]
struct Fragments {
    opcode: OpCode,
    compressed: bool,
}

impl Sender {
    pub(super) fn new(role: Role, config: &WsConfig, seed: [u8; 32]) -> Self {
        Self {
            output: Output::new(role, seed),
            deflater: config.deflate.map(|params| match role {
                Role::Client => params.client_to_server().0,
                Role::Server => params.server_to_client().0,
            }),
            min_compress_size: config.min_compress_size,
            fragments: None,
            compressed: BytesMut::new(),
        }
    }

    /// Queues a message.
    #[inline]
    pub(super) fn message(&mut self, opcode: OpCode, payload: Bytes) -> Result<(), WsError> {
        self.check_no_fragments()?;
        match &mut self.deflater {
            Some(deflater) if payload.len() >= self.min_compress_size => {
                deflater.deflate(&payload, true, &mut self.compressed);
                self.push_compressed(opcode, true, Rsv::RSV1);
            }
            _ => self.output.push(opcode, true, Rsv::NONE, payload),
        }
        Ok(())
    }

    /// Queues a message that is the caller's: if it must not be kept, it is copied.
    #[inline]
    pub(super) fn borrowed(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), WsError> {
        if self.deflater.is_some() || payload.len() > Output::LARGE {
            return self.message(opcode, Bytes::copy_from_slice(payload));
        }
        self.check_no_fragments()?;
        self.output.push_copy(opcode, true, Rsv::NONE, payload);
        Ok(())
    }

    /// Queues a message compressed on its own.
    pub(super) fn compressed(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        bits: WindowBits,
    ) -> Result<(), WsError> {
        self.check_no_fragments()?;
        let mut stranger = Deflater::new(bits, false);
        let deflater = self.deflater.as_mut().unwrap_or(&mut stranger);
        deflater.deflate_alone(bits, payload, &mut self.compressed);
        self.push_compressed(opcode, true, Rsv::RSV1);
        Ok(())
    }

    /// Queues a piece of a message.
    pub(super) fn fragment(
        &mut self,
        opcode: OpCode,
        payload: Bytes,
        last: bool,
    ) -> Result<(), WsError> {
        let is_first = self.fragments.is_none();
        let fragments = self.fragments.unwrap_or(Fragments {
            opcode,
            compressed: self.deflater.is_some(),
        });
        if fragments.opcode != opcode {
            return Err(WsError::NotSendable(opcode.into()));
        }
        self.fragments = (!last).then_some(fragments);
        let opcode = if is_first {
            opcode
        } else {
            OpCode::Continuation
        };
        match &mut self.deflater {
            Some(deflater) if fragments.compressed => {
                deflater.deflate(&payload, last, &mut self.compressed);
                let rsv = if is_first { Rsv::RSV1 } else { Rsv::NONE };
                self.push_compressed(opcode, last, rsv);
            }
            _ => self.output.push(opcode, last, Rsv::NONE, payload),
        }
        Ok(())
    }

    /// Queues a ping or a pong.
    pub(super) fn control(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), WsError> {
        if payload.len() > MAX_CONTROL {
            return Err(WsError::ControlTooLong(payload.len()));
        }
        self.push_control(opcode, payload);
        Ok(())
    }

    /// Queues a ping or a pong that is not too long.
    pub(super) fn push_control(&mut self, opcode: OpCode, payload: &[u8]) {
        self.output.push_copy(opcode, true, Rsv::NONE, payload);
    }

    pub(super) fn release_memory(&mut self) {
        self.compressed = BytesMut::new();
        self.output.release_memory();
    }

    fn push_compressed(&mut self, opcode: OpCode, fin: bool, rsv: Rsv) {
        if self.compressed.len() <= Output::LARGE {
            self.output.push_copy(opcode, fin, rsv, &self.compressed);
            self.compressed.clear();
        } else {
            let payload = std::mem::take(&mut self.compressed).freeze();
            self.output.push(opcode, fin, rsv, payload);
        }
    }

    #[inline]
    fn check_no_fragments(&self) -> Result<(), WsError> {
        match self.fragments {
            Some(_) => Err(WsError::UnfinishedMessage),
            None => Ok(()),
        }
    }
}
