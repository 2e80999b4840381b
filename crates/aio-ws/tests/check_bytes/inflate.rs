//! Any bytes are compressed messages or are not: nothing panics, and no more comes out than there
//! is room for, however they are split.

use aio_ws::{Deflater, InflateError, Inflater, WindowBits};
use bytes::BytesMut;

/// Two bytes of settings, the size of the pieces, then a message, which comes twice.
pub(crate) fn check(input: &[u8]) {
    let &[settings, room, piece, ref message @ ..] = input else {
        return;
    };
    let bits = WindowBits::new(9 + settings % 7).expect("9 to 15");
    let takeover = settings & 0x80 != 0;
    let room = usize::from(room) * 64;

    let whole = inflate_twice(Inflater::new(takeover), message, usize::MAX, room);
    let split = usize::from(piece).max(1);
    let pieces = inflate_twice(Inflater::new(takeover), message, split, room);
    assert_eq!(whole, pieces);

    if let (output, None) = whole {
        let mut wire = BytesMut::new();
        Deflater::new(bits, takeover).deflate(&output, true, &mut wire);
        let mut again = BytesMut::new();
        let result = Inflater::new(takeover).inflate(&wire, true, &mut again, output.len());
        assert_eq!((again, result), (output, Ok(())));
    }
}

/// Returns what came out, and the error that ended it.
fn inflate_twice(
    mut inflater: Inflater,
    message: &[u8],
    piece: usize,
    room: usize,
) -> (BytesMut, Option<InflateError>) {
    let mut output = BytesMut::new();
    for _ in 0..2 {
        let start = output.len();
        let pieces = message.chunks(piece).map(|piece| (piece, false));
        for (piece, end_of_message) in pieces.chain([(&[][..], true)]) {
            let left = start + room - output.len();
            let result = inflater.inflate(piece, end_of_message, &mut output, left);
            assert!(output.len() <= start + room);
            if let Err(error) = result {
                let again = inflater.inflate(b"", true, &mut output, usize::MAX);
                assert_eq!(again, Err(error));
                return (output, Some(error));
            }
        }
    }
    (output, None)
}
