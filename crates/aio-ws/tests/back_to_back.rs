//! Two protocols with a wire between that gives bytes on as it likes, and may be cut.

mod wire;

use std::collections::VecDeque;

use aio_ws::{
    CloseCode, CloseFrame, DeflateParams, Protocol, Role, WindowBits, WsConfig, WsError, WsMessage,
};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

use self::wire::SEED;

/// What happens next; `side` is 0 or 1.
#[derive(Debug, Clone)]
enum Step {
    Send(usize, WsMessage),
    SendCompressed(usize, WsMessage, u8),
    /// The pieces of one message, with a ping behind each.
    SendFragments(usize, Vec<WsMessage>),
    /// A side writes up to so many bytes to the wire.
    Write(usize, usize),
    /// So many bytes of the wire reach a side.
    Deliver(usize, usize),
    /// A side takes up to so many events.
    Receive(usize, usize),
    Release(usize),
    Close(usize, u16),
    /// What is on the wire to a side is cut to so many bytes, and nothing follows.
    Cut(usize, usize),
}

struct Side {
    protocol: Protocol,
    /// Messages sent that are to reach the other side, in order.
    sent: Vec<WsMessage>,
    received: Vec<WsMessage>,
    /// What is under way to this side.
    wire: VecDeque<u8>,
    is_cut: bool,
    /// The code it closed with.
    closed: Option<u16>,
}

impl Side {
    fn new(role: Role, config: WsConfig) -> Self {
        Self {
            protocol: Protocol::new(role, config, SEED),
            sent: Vec::new(),
            received: Vec::new(),
            wire: VecDeque::new(),
            is_cut: false,
            closed: None,
        }
    }

    fn sends(&mut self, message: WsMessage, result: Result<(), WsError>) {
        match result {
            Ok(()) => self.sent.push(message),
            Err(error) => assert!(matches!(error, WsError::Closed), "{error}"),
        }
    }

    /// Takes up to `count` events; tells whether there are no more.
    fn receive(&mut self, count: usize) -> Result<bool, TestCaseError> {
        for _ in 0..count {
            match self.protocol.poll_event() {
                Some(Ok(message)) => self.received.push(message),
                Some(Err(error)) => return Err(TestCaseError::fail(error.to_string())),
                None => return Ok(true),
            }
        }
        Ok(false)
    }
}

struct Pair {
    sides: [Side; 2],
}

impl Pair {
    fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Send(side, message) => {
                let side = &mut self.sides[side];
                let result = match &message {
                    WsMessage::Text(text) if text.len() % 2 == 0 => side.protocol.send_str(text),
                    message => side.protocol.send(message.clone()),
                };
                side.sends(message, result);
            }
            Step::SendCompressed(side, message, bits) => {
                let side = &mut self.sides[side];
                let bits = WindowBits::new(bits).expect("9 to 15");
                let result = side.protocol.send_compressed(message.clone(), bits);
                side.sends(message, result);
            }
            Step::SendFragments(side, pieces) => {
                let side = &mut self.sides[side];
                let whole = concat(&pieces);
                let last = pieces.len() - 1;
                let mut result = Ok(());
                for (at, piece) in pieces.into_iter().enumerate() {
                    result = side.protocol.send_fragment(piece, at == last);
                    _ = side
                        .protocol
                        .send(WsMessage::Ping(Bytes::from_static(b"between")));
                }
                side.sends(whole, result);
            }
            Step::Write(side, most) => self.write(side, most),
            Step::Deliver(side, count) => self.deliver(side, count),
            Step::Receive(side, count) => _ = self.sides[side].receive(count)?,
            Step::Release(side) => self.sides[side].protocol.release_memory(),
            Step::Close(side, code) => {
                let code = CloseCode::from_wire(code).expect("allowed");
                let reason = "reason".into();
                let side = &mut self.sides[side];
                if side.protocol.close(Some(CloseFrame { code, reason })) {
                    side.closed = Some(code.get());
                }
            }
            Step::Cut(side, keep) => {
                let side = &mut self.sides[side];
                if !side.is_cut {
                    side.wire.truncate(keep);
                    side.is_cut = true;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, side: usize, mut most: usize) {
        let [a, b] = &mut self.sides;
        let (from, to) = if side == 0 { (a, b) } else { (b, a) };
        while most > 0
            && let Some([first, second]) = from.protocol.poll_transmit_vectored()
        {
            let count = (first.len() + second.len()).min(most);
            if !to.is_cut {
                to.wire
                    .extend(first.iter().chain(second.iter()).take(count));
            }
            from.protocol.transmitted(count);
            most -= count;
        }
    }

    fn deliver(&mut self, side: usize, count: usize) {
        let side = &mut self.sides[side];
        let count = count.min(side.wire.len());
        let bytes: Vec<u8> = side.wire.drain(..count).collect();
        side.protocol.read_buffer().extend_from_slice(&bytes);
        if side.is_cut && side.wire.is_empty() {
            side.protocol.end_of_input();
        }
    }

    /// Lets everything under way arrive.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..4 {
            for side in [0, 1] {
                self.write(side, usize::MAX);
                self.deliver(1 - side, usize::MAX);
                prop_assert!(self.sides[1 - side].receive(usize::MAX)?);
            }
        }
        Ok(())
    }
}

fn concat(pieces: &[WsMessage]) -> WsMessage {
    if pieces.iter().all(|piece| piece.as_text().is_some()) {
        return pieces
            .iter()
            .filter_map(WsMessage::as_text)
            .collect::<String>()
            .into();
    }
    let bytes = pieces.iter().filter_map(|piece| piece.clone().into_bytes());
    bytes.collect::<Vec<_>>().concat().into()
}

/// Checks that what came is how what was sent begins.
#[track_caller]
fn check_begins(received: &[WsMessage], sent: &[WsMessage]) -> Result<(), TestCaseError> {
    let count = received.len();
    prop_assert!(
        count <= sent.len(),
        "invented: {:?}",
        &received[sent.len()..]
    );
    prop_assert_eq!(received, &sent[..count]);
    Ok(())
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        20 => 0..200_usize,
        4 => 0..5000_usize,
        3 => 4000..70_000_usize,
        1 => 100_000..300_000_usize,
    ]
}

fn message() -> impl Strategy<Value = WsMessage> {
    let kind = prop_oneof![
        Just("x"),
        Just("ab"),
        Just("grü€ß😀"),
        Just("\u{7ff}\u{ffff}")
    ];
    prop_oneof![
        (length(), kind).prop_map(|(len, kind)| kind.repeat(len / kind.len()).into()),
        (length(), any::<u32>()).prop_map(|(len, seed)| noise(len, seed).into()),
    ]
}

fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn pieces() -> impl Strategy<Value = Vec<WsMessage>> {
    let text = vec(
        prop_oneof![Just(""), Just("a"), Just("€"), Just("long text ")],
        1..6,
    );
    let bytes = vec((0..9000_usize, any::<u32>()), 1..5);
    prop_oneof![
        text.prop_map(|pieces| pieces.into_iter().map(WsMessage::from).collect()),
        bytes.prop_map(|pieces| {
            let pieces = pieces.into_iter();
            pieces.map(|(len, seed)| noise(len, seed).into()).collect()
        }),
    ]
}

fn config() -> impl Strategy<Value = WsConfig> {
    let bits = || (9..=15_u8).prop_map(|bits| WindowBits::new(bits).expect("9 to 15"));
    let params = (any::<bool>(), any::<bool>(), bits(), bits());
    let deflate = params.prop_map(|(server, client, server_bits, client_bits)| DeflateParams {
        server_no_context_takeover: server,
        client_no_context_takeover: client,
        server_max_window_bits: server_bits,
        client_max_window_bits: client_bits,
    });
    let deflate = prop_oneof![Just(None), deflate.prop_map(Some)];
    (deflate, prop_oneof![Just(0), Just(50_usize)]).prop_map(|(deflate, min_compress_size)| {
        WsConfig {
            deflate,
            min_compress_size,
            ..WsConfig::default()
        }
    })
}

fn traffic(deflate: bool) -> impl Strategy<Value = Step> {
    let side = 0..2_usize;
    let control = prop_oneof![
        vec(any::<u8>(), 0..=125).prop_map(|bytes| WsMessage::Ping(bytes.into())),
        vec(any::<u8>(), 0..=125).prop_map(|bytes| WsMessage::Pong(bytes.into())),
    ];
    let bits = 9..=15_u8;
    let alone = (side.clone(), message(), bits).prop_map(move |(side, message, bits)| {
        if deflate {
            Step::SendCompressed(side, message, bits)
        } else {
            Step::Send(side, message)
        }
    });
    prop_oneof![
        6 => (side.clone(), message()).prop_map(|(side, message)| Step::Send(side, message)),
        1 => alone,
        2 => (side.clone(), pieces()).prop_map(|(side, pieces)| Step::SendFragments(side, pieces)),
        2 => (side.clone(), control).prop_map(|(side, message)| Step::Send(side, message)),
        8 => (side.clone(), length()).prop_map(|(side, most)| Step::Write(side, most)),
        10 => (side.clone(), length()).prop_map(|(side, count)| Step::Deliver(side, count)),
        6 => (side.clone(), 1..5_usize).prop_map(|(side, count)| Step::Receive(side, count)),
        1 => side.prop_map(Step::Release),
    ]
}

fn case() -> impl Strategy<Value = (WsConfig, Vec<Step>, Vec<Step>)> {
    config().prop_flat_map(|config| {
        let deflate = config.deflate.is_some();
        let steps = vec(traffic(deflate), 0..60);
        let after = vec(traffic(deflate), 0..20);
        (Just(config), steps, after)
    })
}

fn new_pair(config: WsConfig) -> Pair {
    Pair {
        sides: [
            Side::new(Role::Client, config),
            Side::new(Role::Server, config),
        ],
    }
}

/// What is sent and seen by the other side: pings and pongs are not.
fn messages(sent: &[WsMessage]) -> Vec<WsMessage> {
    let is_message =
        |message: &&WsMessage| matches!(message, WsMessage::Text(_) | WsMessage::Binary(_));
    sent.iter().filter(is_message).cloned().collect()
}

proptest! {
    /// Whatever the splits, all messages come, in order, and both sides close.
    #[test]
    fn nothing_is_lost_reordered_or_invented(
        (config, steps, after) in case(),
        closer in 0..2_usize,
        code in 3000..5000_u16,
    ) {
        let mut pair = new_pair(config);
        for step in steps {
            pair.run(step)?;
        }
        pair.settle()?;
        for side in [0, 1] {
            let sent = messages(&pair.sides[1 - side].sent);
            prop_assert_eq!(&pair.sides[side].received, &sent);
        }

        pair.run(Step::Close(closer, code))?;
        for step in after {
            pair.run(step)?;
        }
        pair.settle()?;
        for side in &pair.sides {
            prop_assert!(side.protocol.is_closed() && side.protocol.is_done());
            prop_assert!(side.protocol.exception().is_none());
            prop_assert_eq!(side.protocol.queued(), 0);
        }
        // The one that closed has heard all until then, the other one all there is.
        prop_assert_eq!(pair.sides[closer].protocol.close_code(), Some(1000));
        let (received, [sent, other]) = match closer {
            0 => (&pair.sides[1].received, [&pair.sides[0].sent, &pair.sides[1].sent]),
            _ => (&pair.sides[0].received, [&pair.sides[1].sent, &pair.sides[0].sent]),
        };
        let mut want = messages(sent);
        let frame = CloseFrame {
            code: CloseCode::from_wire(code).expect("allowed"),
            reason: "reason".into(),
        };
        want.push(WsMessage::Close(Some(frame)));
        prop_assert_eq!(received, &want);
        check_begins(&pair.sides[closer].received, &messages(other))?;
        prop_assert_eq!(pair.sides[1 - closer].protocol.close_code(), Some(code));
    }

    /// With a wire that is cut, what comes is how what was sent begins.
    #[test]
    fn cut_wire_ends_the_messages_where_it_is_cut(
        (config, steps, after) in case(),
        side in 0..2_usize,
        keep in length(),
    ) {
        let mut pair = new_pair(config);
        for step in steps.into_iter().chain([Step::Cut(side, keep)]).chain(after) {
            pair.run(step)?;
        }
        pair.settle()?;
        for side in [0, 1] {
            let sent = messages(&pair.sides[1 - side].sent);
            check_begins(&pair.sides[side].received, &sent)?;
            if !pair.sides[side].is_cut && !pair.sides[1 - side].is_cut {
                prop_assert_eq!(&pair.sides[side].received, &sent);
            }
            if pair.sides[side].is_cut {
                prop_assert!(pair.sides[side].protocol.is_done());
                prop_assert_eq!(pair.sides[side].protocol.close_code(), Some(1006));
            }
        }
    }
}
