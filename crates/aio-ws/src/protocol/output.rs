//! The frames to write, in the order they are written.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use super::Role;
use crate::{FrameHeader, Mask, OpCode, Rsv};

/// How much of a large payload is masked at a time.
const STEP: usize = 64 * 1024;
/// How much is copied before it is masked: both then happen in the nearest cache.
const COPY_STEP: usize = 4 * 1024;
/// With more than this to write, of several pings just the latest is answered.
const BLOCKED: usize = 64 * 1024;

/// The frames to write.
pub(super) struct Output {
    /// Whole frames and at last perhaps a header, as they stand on the wire.
    ready: BytesMut,
    /// The payload whose header stands at the end of `ready`.
    payload: Option<Payload>,
    /// The frames behind it.
    queue: VecDeque<Queued>,
    /// How many bytes are in the queue.
    queue_size: usize,
    /// The payload of the pong that goes ahead of the queue.
    pong: Option<Bytes>,
    /// Where the masking keys of a client come from.
    keys: Option<Box<ChaCha12Rng>>,
}

enum Queued {
    /// Whole frames, as they stand on the wire.
    Frames(BytesMut),
    Large(FrameHeader, Bytes),
}

/// A large payload of which a part is written.
enum Payload {
    /// Written as it is.
    Plain(Bytes),
    /// Masked where it stands: nobody else has it.
    InPlace {
        bytes: BytesMut,
        /// How many bytes in front are masked.
        masked: usize,
        mask: Mask,
    },
    /// Copied to `ready`, and masked there.
    Shared { bytes: Bytes, mask: Mask },
}

impl Output {
    /// Longer payloads are not copied behind those before them.
    pub(super) const LARGE: usize = 16 * 1024;

    pub(super) fn new(role: Role, seed: [u8; 32]) -> Self {
        Self {
            ready: BytesMut::new(),
            payload: None,
            queue: VecDeque::new(),
            queue_size: 0,
            pong: None,
            keys: (role == Role::Client).then(|| Box::new(ChaCha12Rng::from_seed(seed))),
        }
    }

    /// Queues a frame.
    #[inline]
    pub(super) fn push(&mut self, opcode: OpCode, fin: bool, rsv: Rsv, payload: Bytes) {
        if payload.len() <= Self::LARGE {
            return self.push_copy(opcode, fin, rsv, &payload);
        }
        let header = self.header(opcode, fin, rsv, payload.len());
        if self.payload.is_none() && self.queue.is_empty() {
            header.encode(&mut self.ready);
            self.payload = Some(Payload::new(header, payload));
        } else {
            self.queue_size += header.size() + payload.len();
            self.queue.push_back(Queued::Large(header, payload));
        }
    }

    /// Queues a frame, whose payload is copied.
    #[inline]
    pub(super) fn push_copy(&mut self, opcode: OpCode, fin: bool, rsv: Rsv, payload: &[u8]) {
        let header = self.header(opcode, fin, rsv, payload.len());
        if self.payload.is_none() && self.queue.is_empty() {
            append(&mut self.ready, header, payload);
        } else {
            self.push_behind(header, payload);
        }
    }

    /// Queues a frame behind a large one.
    fn push_behind(&mut self, header: FrameHeader, payload: &[u8]) {
        let mut frames = match self.queue.pop_back() {
            Some(Queued::Frames(frames)) => frames,
            large => {
                self.queue.extend(large);
                BytesMut::new()
            }
        };
        let before = frames.len();
        append(&mut frames, header, payload);
        self.queue_size += frames.len() - before;
        self.queue.push_back(Queued::Frames(frames));
    }

    /// Queues the answer to a ping: ahead of what waits for large frames, but inside none.
    ///
    /// RFC 6455 5.5.2 lets us answer the latest of several pings only. We do so while the
    /// peer does not take what we write, so that a flood of pings takes no memory.
    pub(super) fn pong(&mut self, payload: &Bytes) {
        let is_blocked = self.pong.is_some() || self.queued() > BLOCKED;
        if self.payload.is_none() && self.queue.is_empty() && !is_blocked {
            self.push_copy(OpCode::Pong, true, Rsv::NONE, payload);
        } else {
            // What came stands in a buffer for much more.
            self.pong = Some(Bytes::copy_from_slice(payload));
        }
    }

    /// Queues the last frame.
    pub(super) fn close(&mut self, payload: &[u8]) {
        if let Some(pong) = self.pong.take() {
            self.push_copy(OpCode::Pong, true, Rsv::NONE, &pong);
        }
        self.push_copy(OpCode::Close, true, Rsv::NONE, payload);
    }

    /// Returns how many bytes are to be written.
    pub(super) fn queued(&self) -> usize {
        let payload = self.payload.as_ref().map_or(0, Payload::len);
        let header = if self.keys.is_some() { 6 } else { 2 };
        let pong = self.pong.as_ref().map_or(0, |pong| header + pong.len());
        self.ready.len() + payload + self.queue_size + pong
    }

    /// Returns the next bytes to write, in two pieces.
    pub(super) fn next(&mut self) -> [&[u8]; 2] {
        if self.ready.is_empty() && self.payload.is_none() {
            self.next_frame();
        }
        if let Some(payload) = &mut self.payload
            && payload.prepare(&mut self.ready)
        {
            self.payload = None;
        }
        let payload = self.payload.as_ref().map_or(&[][..], Payload::prepared);
        [&self.ready, payload]
    }

    /// Tells that so many bytes are written.
    pub(super) fn written(&mut self, count: usize) {
        let of_ready = count.min(self.ready.len());
        self.ready.advance(of_ready);
        let rest = count - of_ready;
        let is_written = match &mut self.payload {
            Some(Payload::Plain(bytes)) => {
                bytes.advance(rest.min(bytes.len()));
                bytes.is_empty()
            }
            Some(Payload::InPlace { bytes, masked, .. }) => {
                let rest = rest.min(*masked);
                bytes.advance(rest);
                *masked -= rest;
                bytes.is_empty()
            }
            Some(Payload::Shared { .. }) | None => false,
        };
        if is_written {
            self.payload = None;
        }
    }

    /// Forgets all that is not written.
    pub(super) fn clear(&mut self) {
        self.ready = BytesMut::new();
        self.payload = None;
        self.queue.clear();
        self.queue_size = 0;
        self.pong = None;
    }

    pub(super) fn release_memory(&mut self) {
        if self.ready.is_empty() {
            self.ready = BytesMut::new();
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// Goes on to the next frame; nothing is left of those before.
    fn next_frame(&mut self) {
        if let Some(pong) = self.pong.take() {
            let header = self.header(OpCode::Pong, true, Rsv::NONE, pong.len());
            append(&mut self.ready, header, &pong);
            return;
        }
        match self.queue.pop_front() {
            None => {}
            Some(Queued::Frames(frames)) => {
                self.queue_size -= frames.len();
                self.ready = frames;
            }
            Some(Queued::Large(header, payload)) => {
                self.queue_size -= header.size() + payload.len();
                header.encode(&mut self.ready);
                self.payload = Some(Payload::new(header, payload));
            }
        }
    }

    #[inline]
    fn header(&mut self, opcode: OpCode, fin: bool, rsv: Rsv, len: usize) -> FrameHeader {
        FrameHeader {
            fin,
            rsv,
            opcode,
            mask: self.keys.as_mut().map(|keys| keys.next_u32().to_ne_bytes()),
            len: len as u64,
        }
    }
}

impl Payload {
    fn new(header: FrameHeader, payload: Bytes) -> Self {
        let Some(key) = header.mask else {
            return Self::Plain(payload);
        };
        let mask = Mask::new(key);
        match payload.try_into_mut() {
            Ok(bytes) => Self::InPlace {
                bytes,
                masked: 0,
                mask,
            },
            Err(bytes) => Self::Shared { bytes, mask },
        }
    }

    /// Masks the next step; tells whether that was copied behind the header to its end.
    fn prepare(&mut self, header: &mut BytesMut) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::InPlace {
                bytes,
                masked,
                mask,
            } => {
                if *masked == 0 {
                    *masked = bytes.len().min(STEP);
                    mask.apply(bytes.get_mut(..*masked).unwrap_or_default());
                }
                false
            }
            Self::Shared { bytes, mask } => {
                if header.len() < STEP / 2 {
                    let step = bytes.split_to(bytes.len().min(STEP));
                    copy_masked(header, &step, mask);
                }
                bytes.is_empty()
            }
        }
    }

    /// Returns what is to be written behind the header.
    fn prepared(&self) -> &[u8] {
        match self {
            Self::Plain(bytes) => bytes,
            Self::InPlace { bytes, masked, .. } => bytes.get(..*masked).unwrap_or_default(),
            Self::Shared { .. } => &[],
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) | Self::Shared { bytes, .. } => bytes.len(),
            Self::InPlace { bytes, .. } => bytes.len(),
        }
    }
}

/// Appends a frame as it stands on the wire.
#[inline]
fn append(output: &mut BytesMut, header: FrameHeader, payload: &[u8]) {
    output.reserve(FrameHeader::MAX_SIZE + payload.len());
    header.encode(output);
    match header.mask {
        Some(key) => copy_masked(output, payload, &mut Mask::new(key)),
        None => output.extend_from_slice(payload),
    }
}

/// Appends `payload`, masked.
#[inline]
fn copy_masked(output: &mut BytesMut, payload: &[u8], mask: &mut Mask) {
    output.reserve(payload.len());
    let mut rest = payload;
    while let Some((piece, behind)) = rest.split_at_checked(COPY_STEP) {
        append_masked(output, piece, mask);
        rest = behind;
    }
    append_masked(output, rest, mask);
}

#[inline]
fn append_masked(output: &mut BytesMut, piece: &[u8], mask: &mut Mask) {
    let start = output.len();
    output.extend_from_slice(piece);
    mask.apply(output.get_mut(start..).unwrap_or_default());
}
