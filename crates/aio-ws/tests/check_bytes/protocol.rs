//! Any bytes are frames or break the protocol: nothing panics, nothing is told twice, memory is
//! bounded, and it does not matter how they are split.

use aio_ws::{DeflateParams, Protocol, ProtocolError, Role, WsConfig, WsError, WsMessage};

/// The limit on messages.
const LIMIT: usize = 100_000;

/// What came of the bytes of a peer.
#[derive(Debug, PartialEq)]
struct Outcome {
    messages: Vec<WsMessage>,
    error: Option<ProtocolError>,
    is_closed: bool,
    close_code: Option<u16>,
    output: Vec<u8>,
}

/// A byte of settings, the size of the pieces, then what a peer sends.
pub(crate) fn check(input: &[u8]) {
    let &[settings, piece, ref bytes @ ..] = input else {
        return;
    };
    let is_set = |bit: u8| settings & (1 << bit) != 0;
    let role = if is_set(0) {
        Role::Server
    } else {
        Role::Client
    };
    let config = WsConfig {
        max_msg_size: if is_set(1) { LIMIT } else { 100 },
        autoping: is_set(2),
        autoclose: is_set(3),
        decode_text: !is_set(4),
        strict_masking: is_set(5),
        deflate: is_set(6).then(DeflateParams::default),
        ..WsConfig::default()
    };
    let closes_first = is_set(7);
    let whole = run(role, config, closes_first, bytes, usize::MAX);
    let split = run(role, config, closes_first, bytes, usize::from(piece).max(1));
    assert_eq!(whole.messages, split.messages);
    if config.deflate.is_some() && whole.error.is_some() {
        // It can be bad text as far as it can be inflated: the one may be seen before the other.
        assert!(split.error.is_some());
    } else {
        assert_eq!(whole, split);
    }
}

fn run(role: Role, config: WsConfig, closes_first: bool, bytes: &[u8], piece: usize) -> Outcome {
    let mut protocol = Protocol::new(role, config, [3; 32]);
    protocol.send_fragment("unfinished", false).expect("open");
    if closes_first {
        protocol.close(None);
    }
    let mut messages = Vec::new();
    let mut error = None;
    for piece in bytes.chunks(piece) {
        protocol.receive(piece);
        while let Some(event) = protocol.poll_event() {
            assert!(error.is_none(), "{event:?} behind an error");
            match event {
                Ok(message) => messages.push(checked(message, config)),
                Err(WsError::Protocol(broken)) => error = Some(broken),
                Err(other) => panic!("{other}"),
            }
        }
        assert!(protocol.poll_event().is_none());
        assert!(protocol.queued() < 70_000);
        assert!(protocol.read_buffer().capacity() < 300_000);
    }
    if let Some(error) = error {
        assert!(protocol.is_closed() && protocol.is_done());
        assert_eq!(protocol.close_code(), Some(error.close_code().get()));
    }
    assert!(!closes_first || messages.is_empty());
    let mut output = Vec::new();
    while let Some(bytes) = protocol.poll_transmit() {
        let count = bytes.len().min(100);
        output.extend_from_slice(&bytes[..count]);
        protocol.transmitted(count);
    }
    protocol.end_of_input();
    assert!(protocol.poll_event().is_none());
    assert!(!protocol.is_receiving());
    Outcome {
        messages,
        error,
        is_closed: protocol.is_closed(),
        close_code: protocol.close_code(),
        output,
    }
}

fn checked(message: WsMessage, config: WsConfig) -> WsMessage {
    match &message {
        WsMessage::Text(text) => {
            assert!(config.decode_text && text.len() <= LIMIT);
            assert!(std::str::from_utf8(text.as_bytes()).is_ok());
        }
        WsMessage::TextBytes(bytes) => assert!(!config.decode_text && bytes.len() <= LIMIT),
        WsMessage::Binary(bytes) => assert!(bytes.len() <= LIMIT),
        WsMessage::Ping(bytes) | WsMessage::Pong(bytes) => {
            assert!(!config.autoping && bytes.len() <= 125);
        }
        WsMessage::Close(Some(frame)) => assert!(frame.reason.len() <= 123),
        WsMessage::Close(None) => {}
        other => panic!("{other:?} from the wire"),
    }
    message
}
