//! Bytes of any peer are a handshake or are none: nothing else happens.

#[path = "check_bytes/handshake.rs"]
mod check_handshake;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::sample::{Index, select};

use self::check_handshake::check;

/// Samples in which bytes are changed or added.
fn damaged(samples: Vec<&'static [u8]>) -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<Index>(), any::<u8>(), any::<bool>()), 0..6);
    (select(samples), changes).prop_map(|(sample, changes)| {
        let mut bytes = sample.to_vec();
        for (at, byte, replaces) in changes {
            let at = at.index(bytes.len());
            bytes.splice(at..at + usize::from(replaces), [byte]);
        }
        bytes
    })
}

/// Bytes at random; heads and fields of pieces that mean something; heads that are damaged.
fn handshakes() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"GET / HTTP/1.1\r\n",
        b"HTTP/1.1 101 x\r\n",
        b"HTTP/1.1 100 x\r\n",
        b"Sec-WebSocket-Extensions: ",
        b"permessage-deflate",
        b"server_no_context_takeover",
        b"client_no_context_takeover",
        b"server_max_window_bits",
        b"client_max_window_bits",
        b"=",
        b"8",
        b"10",
        b"15",
        b"\"",
        b"\\",
        b"; ",
        b";",
        b", ",
        b" ",
        b"a",
        b"\xff",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
    ];
    let heads: Vec<&'static [u8]> = vec![
        include_bytes!("../fuzz/seeds-handshake/request"),
        include_bytes!("../fuzz/seeds-handshake/response"),
        include_bytes!("../fuzz/seeds-handshake/extensions"),
    ];
    prop_oneof![
        vec(any::<u8>(), 0..80),
        vec(select(pieces), 0..24).prop_map(|pieces| pieces.concat()),
        damaged(heads),
    ]
}

proptest! {
    #[test]
    fn handshakes_are_taken_or_refused(input in handshakes()) {
        check(&input);
    }
}
