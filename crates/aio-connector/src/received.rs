//! The buffer that a connection receives into.

use std::future::Future;
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::task::{Context, Poll, ready};

use aio_core::http1::BodyDecoder;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use crate::transport::Transport;

/// What one receive asks for at most. On the CPUs measured (Zen 3) bulk reads of 64 KiB
/// cost 0.71 of hyper's, those of 256 KiB 0.92, those of 8 KiB 1.32.
pub(crate) const READ: usize = 64 * 1024;

/// From here on a body is worth a block that starts on a page.
const BULK: u64 = 16 * 1024;

/// The buffer for heads and small bodies at first, of which half is kept free. Each idle
/// connection keeps it: a service whose responses are longer gets four times that.
const SMALL: usize = 2 * 1024;

/// The kernel's copy runs many times slower when source and destination are 1 to 31
/// bytes apart modulo the page size, and the allocator puts large blocks just there: so
/// a block starts on a page, and after each full read 192 bytes further.
const PAGE: usize = 4096;
const STEP: usize = 192;

/// The begin of a chunk's size line, behind the chunk before: copied into the next block.
const TAIL: usize = 32;

/// What an idle connection may keep of its buffers.
pub(crate) const IDLE_BUFFER: usize = 16 * 1024;

/// What was received and not yet read, and how to receive more.
pub(crate) struct Received {
    bytes: BytesMut,
    /// How far into a page the next bulk read starts.
    shift: usize,
    /// The buffer is a block for bulk reads.
    bulk: bool,
    /// The size of the next small buffer; more when a receive has filled one.
    room: usize,
}

impl Received {
    pub(crate) fn new() -> Self {
        Self {
            bytes: BytesMut::new(),
            shift: 0,
            bulk: false,
            room: SMALL,
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes.freeze()
    }

    /// Receives once, of this `body` or of a head.
    #[inline]
    pub(crate) fn poll_from(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Transport,
        body: Option<&BodyDecoder>,
    ) -> Poll<io::Result<usize>> {
        let bulk = body.is_some_and(|body| self.is_bulk(body));
        if bulk {
            self.prepare_block();
        } else if self.bytes.capacity() - self.bytes.len() < self.room / 2 {
            self.bytes.reserve(self.room);
        }
        let room = self.bytes.capacity() - self.bytes.len();
        let mut limited = (&mut self.bytes).limit(READ);
        let read = ready!(pin!(stream.read_buf(&mut limited)).poll(cx))?;
        if read == room {
            let is_endless = body.is_some_and(|body| body.remaining().is_none());
            self.bulk |= self.room == IDLE_BUFFER && is_endless;
            self.room = (4 * self.room).min(IDLE_BUFFER);
        }
        if bulk && read == READ {
            self.shift = (self.shift + STEP) % PAGE;
        }
        Poll::Ready(Ok(read))
    }

    /// Tells whether the next receive is worth a block.
    fn is_bulk(&self, body: &BodyDecoder) -> bool {
        // Chunks may be short where the body is long.
        let bulk = body.expected() >= BULK || (self.bulk && body.remaining().is_none());
        bulk && self.bytes.len() <= TAIL
    }

    /// Frees what an idle connection need not hold.
    pub(crate) fn rest(&mut self, is_tls: bool) {
        // A piece of a block that is held somewhere keeps all of it alive, and the
        // capacity of a buffer is only what is left of its block. Under TLS there is one
        // more buffer below, which stays.
        let bulk = std::mem::take(&mut self.bulk);
        if bulk || is_tls || self.bytes.try_reclaim(IDLE_BUFFER + 1) {
            self.bytes = BytesMut::new();
        }
    }

    /// Makes room for a bulk read where the kernel copies fast.
    fn prepare_block(&mut self) {
        self.bulk = true;
        let mut tail = [0; TAIL];
        let (tail, _) = tail.split_at_mut(self.bytes.len());
        tail.copy_from_slice(&self.bytes);
        self.bytes.clear();
        self.prepare_empty_block(tail.len());
        self.bytes.extend_from_slice(tail);
    }

    /// The same, with so much room before the place as `lead` bytes need.
    fn prepare_empty_block(&mut self, lead: usize) {
        let block = READ + 2 * PAGE;
        if !self.bytes.try_reclaim(block) {
            // Pieces of the block are still held: it is used up first, so that a small
            // piece that is kept does not keep a block of its own alive.
            if self.bytes.capacity() >= BULK as usize {
                return;
            }
            self.bytes.reserve(block);
        }
        let mut skip = self.bytes.as_ptr().align_offset(PAGE) + self.shift;
        if skip < lead {
            skip += STEP;
        }
        let skip = skip - lead;
        if skip + READ <= self.bytes.capacity() {
            self.bytes.resize(skip, 0);
            self.bytes.advance(skip);
        }
    }
}

impl Deref for Received {
    type Target = BytesMut;

    fn deref(&self) -> &BytesMut {
        &self.bytes
    }
}

impl DerefMut for Received {
    fn deref_mut(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }
}
