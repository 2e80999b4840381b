//! The codec, as tables.

use bytes::BytesMut;

use super::*;

/// A codec of one direction, with the limit of a message.
fn both(bits: u8, takeover: bool) -> (Deflater, Inflater) {
    codec(WindowBits::new(bits).expect("9 to 15"), !takeover)
}

fn deflate(deflater: &mut Deflater, message: &[u8]) -> BytesMut {
    let mut wire = BytesMut::new();
    deflater.deflate(message, true, &mut wire);
    wire
}

fn inflate(inflater: &mut Inflater, wire: &[u8], room: usize) -> Result<BytesMut, InflateError> {
    let mut message = BytesMut::new();
    inflater.inflate(wire, true, &mut message, room)?;
    Ok(message)
}

/// RFC 7692 7.2.3: the examples.
#[track_caller]
fn check_inflates(wire: &[&[u8]], want: &[&str]) {
    let (_, mut inflater) = both(15, true);
    for (wire, want) in wire.iter().zip(want) {
        let message = inflate(&mut inflater, wire, usize::MAX).expect("valid");
        assert_eq!(message, want, "{wire:?}");
    }
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    check_inflates(&[hello], &["Hello"]);
    check_inflates(&[hello, hello], &["Hello", "Hello"]);
    check_inflates(&[hello, b"\xf2\x00\x11\x00\x00"], &["Hello", "Hello"]);
    // A block without compression; a final block; two blocks.
    check_inflates(
        &[b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"],
        &["Hello"],
    );
    check_inflates(&[b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"], &["Hello"]);
    check_inflates(
        &[b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"],
        &["Hello"],
    );
    check_inflates(&[b"\x00", hello], &["", "Hello"]);
}

#[test]
fn a_final_block_may_lack_the_empty_one_behind_it() {
    let last = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
    check_inflates(
        &[last, last, b"\xf2\x48\xcd\xc9\xc9\x07\x00"],
        &["Hello"; 3],
    );
}

#[test]
fn an_empty_message_is_one_byte() {
    let (mut deflater, mut inflater) = both(15, true);
    for _ in 0..3 {
        let wire = deflate(&mut deflater, b"");
        assert_eq!(wire, &b"\0"[..]);
        assert_eq!(inflate(&mut inflater, &wire, 0), Ok(BytesMut::new()));
        let wire = deflate(&mut deflater, b"Hello");
        assert_eq!(inflate(&mut inflater, &wire, 5).expect("fits"), "Hello");
    }
}
