//! What memory the protocol takes. The only test of its binary: others would be counted with it.

mod wire;

use std::alloc::System;

use aio_ws::{DeflateParams, Deflater, OpCode, Protocol, Role, WindowBits, WsConfig, WsMessage};
use bytes::{Bytes, BytesMut};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use self::wire::{Frame, SEED, binary, more, ping, text};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const KIB: usize = 1024;

/// Returns how many bytes are held since the region began.
fn held(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change
        .bytes_allocated
        .saturating_sub(change.bytes_deallocated)
}

/// Gives the bytes to the protocol as often as told, and returns how many messages came.
fn receive(protocol: &mut Protocol, bytes: &[u8], times: usize) -> usize {
    let mut count = 0;
    for _ in 0..times {
        protocol.receive(bytes);
        while let Some(event) = protocol.poll_event() {
            assert!(matches!(
                event,
                Ok(WsMessage::Text(_) | WsMessage::Binary(_))
            ));
            count += 1;
        }
    }
    count
}

/// Returns how many allocations it takes, apart from those that the test harness happens to make.
fn allocations(mut of: impl FnMut()) -> usize {
    let counts = (0..5).map(|_| {
        let region = Region::new(ALLOCATOR);
        of();
        region.change().allocations
    });
    counts.min().unwrap_or_default()
}

#[track_caller]
fn check_flood(role: Role, flood: &[u8], messages: usize) {
    let mut protocol = Protocol::new(role, WsConfig::default(), SEED);
    receive(&mut protocol, flood, 3);
    let count = allocations(|| assert_eq!(receive(&mut protocol, flood, 10), 10 * messages));
    assert_eq!(count, 0);
}

/// Checks that what a peer sends never makes the protocol hold more than told.
#[track_caller]
fn check_bound(config: WsConfig, start: &[u8], flood: &[u8], times: usize, bound: usize) {
    let region = Region::new(ALLOCATOR);
    let mut protocol = Protocol::new(Role::Client, config, SEED);
    protocol.receive(start);
    for _ in 0..times {
        protocol.receive(flood);
        while let Some(event) = protocol.poll_event() {
            drop(event);
        }
        assert!(held(&region) <= bound, "{} bytes", held(&region));
    }
}

#[test]
fn memory_is_bounded() {
    // A flood of short messages takes none.
    let flood = |frame: Vec<u8>, size: usize| frame.repeat(size / frame.len());
    let short = [b'x'; 32];
    check_flood(
        Role::Client,
        &flood(binary(short).wire(), 60 * KIB),
        60 * KIB / 34,
    );
    check_flood(
        Role::Client,
        &flood(text("grüße").wire(), 4 * KIB),
        4 * KIB / 9,
    );
    check_flood(
        Role::Server,
        &flood(binary(short).masked(), 60 * KIB),
        60 * KIB / 38,
    );
    check_flood(
        Role::Server,
        &flood(text("grüße").masked(), 4 * KIB),
        4 * KIB / 13,
    );

    // Nor does a flood of answers that are written.
    let mut client = Protocol::new(Role::Client, WsConfig::default(), SEED);
    let mut answer = |times: usize| {
        for _ in 0..times {
            client
                .send(Bytes::from_static(b"0123456789"))
                .expect("open");
            client.send_str("0123456789").expect("open");
            while let Some(count) = client.poll_transmit().map(<[u8]>::len) {
                client.transmitted(count);
            }
        }
    };
    assert_eq!(allocations(|| answer(1000)), 0);
    assert!(allocations(|| drop(Vec::<u8>::with_capacity(9))) > 0);

    // A socket that idles holds the generator of its keys.
    let region = Region::new(ALLOCATOR);
    let mut idle = Protocol::new(Role::Client, WsConfig::default(), SEED);
    receive(&mut idle, &flood(binary(short).wire(), 60 * KIB), 10);
    idle.send("hello").expect("open");
    while let Some(count) = idle.poll_transmit().map(<[u8]>::len) {
        idle.transmitted(count);
    }
    assert!(held(&region) > 60 * KIB);
    idle.release_memory();
    assert!(held(&region) <= 400, "{}", held(&region));
    assert!(size_of::<Protocol>() <= 900, "{}", size_of::<Protocol>());

    // EDGE-284, EDGE-287: whatever a peer sends.
    let config = WsConfig::default();
    let unlimited = WsConfig {
        max_msg_size: 0,
        ..config
    };
    let limit = config.max_msg_size;
    let huge = b"\x7f\x7f\xff\xff\xff\xff\xff\xff\xff";
    for first in [b"\x82", b"\x81", b"\x02", b"\x01"] {
        let start = [&first[..], huge].concat();
        check_bound(unlimited, &start, b"x", 2000, 1100 * KIB);
    }
    let start = text("").unfinished().wire();
    check_bound(
        config,
        &start,
        &more("").unfinished().wire(),
        10_000,
        16 * KIB,
    );
    check_bound(
        config,
        &start,
        &more("a").unfinished().wire(),
        100_000,
        300 * KIB,
    );
    let piece = more(vec![b'x'; 50_000]).unfinished().wire();
    check_bound(config, &start, &piece, 200, 3 * limit + 200 * KIB);
    let start = binary("").unfinished().wire();
    check_bound(config, &start, &piece, 200, 3 * limit + 200 * KIB);
    check_bound(
        config,
        b"",
        &ping([b'x'; 125]).wire().repeat(500),
        200,
        400 * KIB,
    );

    // A message of zeros, of which 1 MiB would be 1 GiB.
    let mut bomb = BytesMut::new();
    let zeros = vec![0; 16 * KIB * KIB];
    Deflater::new(WindowBits::MAX, true).deflate(&zeros, true, &mut bomb);
    drop(zeros);
    let compressed = WsConfig {
        deflate: Some(DeflateParams::default()),
        ..config
    };
    let frame = Frame::new(OpCode::Binary, &bomb).compressed();
    let wire = frame.wire();
    check_bound(compressed, b"", &wire, 3, 3 * limit);
    let frame = frame.unfinished().wire();
    for piece in [1, 100, 10_000] {
        let region = Region::new(ALLOCATOR);
        let mut client = Protocol::new(Role::Client, compressed, SEED);
        for piece in frame.chunks(piece) {
            client.receive(piece);
            _ = client.poll_event();
            assert!(held(&region) <= 4 * limit, "{} bytes", held(&region));
        }
        assert_eq!(client.close_code(), Some(1009));
    }
}
