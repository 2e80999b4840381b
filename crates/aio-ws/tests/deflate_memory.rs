//! What compression holds between messages.

use std::alloc::System;

use aio_ws::{Deflater, Inflater, WindowBits};
use bytes::BytesMut;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const KIB: usize = 1024;

/// Sends a message through 20 codecs, and returns the bytes that each holds on to, without what
/// all share.
fn held_by_each(bits: WindowBits, takeover: bool) -> (usize, usize) {
    let message = b"a message, and a message again";
    let (mut wire, mut text) = (
        BytesMut::with_capacity(KIB),
        BytesMut::with_capacity(64 * KIB),
    );
    let mut held = [0, 0];
    let codec = || (Deflater::new(bits, takeover), Inflater::new(takeover));
    let mut shared = codec();
    shared.0.deflate(message, true, &mut wire);
    assert!(shared.1.inflate(&wire, true, &mut text, KIB).is_ok());
    let mut codecs: Vec<_> = (0..20).map(|_| codec()).collect();
    for (deflater, inflater) in &mut codecs {
        wire.clear();
        let region = Region::new(ALLOCATOR);
        deflater.deflate(message, true, &mut wire);
        let change = region.change();
        held[0] += change.bytes_allocated - change.bytes_deallocated;

        text.clear();
        let region = Region::new(ALLOCATOR);
        let inflated = inflater.inflate(&wire, true, &mut text, KIB);
        let change = region.change();
        held[1] += change.bytes_allocated - change.bytes_deallocated;
        assert!(inflated.is_ok() && text == message[..]);
    }
    (held[0] / 20, held[1] / 20)
}

// One test: the counts are of the whole process.
#[test]
fn contexts_are_kept_only_where_they_are_needed() {
    let unused = Region::new(ALLOCATOR);
    let codec = (Deflater::new(WindowBits::MAX, true), Inflater::new(true));
    assert_eq!(unused.change().allocations, 0);
    drop(codec);

    assert_eq!(held_by_each(WindowBits::MAX, false), (0, 0));
    assert_eq!(held_by_each(WindowBits::MIN, false), (0, 0));

    let (deflater, inflater) = held_by_each(WindowBits::MAX, true);
    assert!((300..=400).contains(&(deflater / KIB)), "{deflater}");
    assert!(inflater <= 48 * KIB, "{inflater}");
    let (deflater, _) = held_by_each(WindowBits::MIN, true);
    assert!(deflater <= 260 * KIB, "{deflater}");
}
