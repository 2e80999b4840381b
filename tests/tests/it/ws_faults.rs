//! WebSockets whose peer breaks off, is slow, or sends anything: what is whole is received,
//! nothing else is, and the pool is right at once.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use aio_client::ws::handshake::{self, HandshakeOptions};
use aio_client::ws::{
    CloseFrame, Deflater, FrameHeader,
    OpCode::{self, Binary, Close, Continuation, Ping, Pong, Text},
    Protocol, Role, Rsv, WindowBits, WsConfig,
};
use aio_client::{
    ClientError, ClientSession, ClientWebSocketResponse, CloseCode, ConnectionRetry, WsError,
    WsMessage, WsRequestBuilder,
};
use aio_tests::random::Random;
use aio_tests::tls::Authority;
use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::peer::{Listener, Peer, soon};
use crate::proxy::{session, trusting};
use crate::ws::{counts, open};

/// The answer to a handshake.
fn answer(head: &str) -> Vec<u8> {
    let mut request = http::Request::get("/");
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    let options = HandshakeOptions {
        deflate: Some(Default::default()),
        ..HandshakeOptions::default()
    };
    let accepted = handshake::accept(&request.body(()).expect("a request"), &options);
    let (response, _) = accepted.expect("a handshake");
    let mut answer = "HTTP/1.1 101 Switching Protocols\r\n".to_owned();
    for (name, value) in response.headers() {
        let value = value.to_str().expect("text");
        write!(answer, "{name}: {value}\r\n").expect("it is memory");
    }
    (answer + "\r\n").into_bytes()
}

fn frame(opcode: OpCode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        fin,
        ..FrameHeader::new(opcode, payload.len() as u64)
    };
    let mut wire = BytesMut::new();
    header.encode(&mut wire);
    wire.extend_from_slice(payload);
    wire.to_vec()
}

/// What a server says, and the message that is whole with each piece of it.
fn conversation() -> [(Vec<u8>, Option<WsMessage>); 7] {
    let (text, long) = ("Grüße, 🦀", [b'x'; 130]);
    let bytes = |bytes: &[u8]| Some(bytes.into());
    let bye = CloseFrame {
        code: CloseCode::OK,
        reason: "bye".into(),
    };
    [
        (frame(Text, true, text.as_bytes()), Some(text.into())),
        (frame(Binary, false, b"in "), None),
        (frame(Ping, true, b"there?"), None),
        (frame(Continuation, true, b"two"), bytes(b"in two")),
        (frame(Binary, true, b""), bytes(b"")),
        (frame(Binary, true, &long), bytes(&long)),
        (
            frame(Close, true, b"\x03\xe8bye"),
            Some(WsMessage::Close(Some(bye))),
        ),
    ]
}

/// How a connection breaks off.
#[derive(Clone, Copy, Debug)]
enum Break {
    /// As that of a process that ends; under TLS without a word of it.
    End,
    /// As that of a machine that knows of no connection.
    Reset,
}

/// Where a peer stands that breaks off, and who asks it.
struct Faulty {
    listener: Listener,
    tls: Option<TlsAcceptor>,
    session: ClientSession,
}

impl Faulty {
    async fn new(authority: Option<&Authority>) -> Self {
        let builder = match authority {
            None => ClientSession::builder(),
            Some(authority) => trusting(authority.client()),
        };
        Self {
            listener: Listener::new().await,
            tls: authority.map(|authority| authority.server(&["127.0.0.1"]).into()),
            // Else it would ask again.
            session: session(builder.retry_connection(ConnectionRetry::Off)),
        }
    }

    fn request(&self) -> WsRequestBuilder {
        let url = self.listener.url("/");
        self.session.ws_connect(match self.tls {
            None => url,
            Some(_) => url.replace("http:", "https:"),
        })
    }

    /// Breaks off the next connection behind `cut` bytes of the conversation with its head;
    /// returns how many there would be of the head, and of all.
    async fn break_off(&self, cut: usize, how: Break) -> (usize, usize) {
        let Peer(stream) = self.listener.accept().await;
        match &self.tls {
            None => say(Peer(stream), cut, how, |stream| stream).await,
            Some(tls) => {
                let stream = tls.accept(stream).await.expect("a handshake");
                say(Peer(stream), cut, how, |stream| stream.get_mut().0).await
            }
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    mut peer: Peer<S>,
    cut: usize,
    how: Break,
    socket: fn(&mut S) -> &mut TcpStream,
) -> (usize, usize) {
    let mut all = answer(&peer.head().await);
    let head = all.len();
    all.extend(conversation().into_iter().flat_map(|(bytes, _)| bytes));
    peer.send(&all[..cut]).await;
    let socket = socket(&mut peer.0);
    match how {
        Break::End => {
            socket.shutdown().await.expect("the client listens");
            peer.drain().await;
        }
        Break::Reset => reset(socket),
    }
    (head, all.len())
}

/// Has a connection end with a reset when it is dropped.
fn reset(socket: &TcpStream) {
    let no_lingering = SockRef::from(socket).set_linger(Some(Duration::ZERO));
    no_lingering.expect("a socket");
}

/// What a user sees of a WebSocket: all messages, the error if one ends them, then the code
/// that it is closed with and what went wrong.
async fn received(ws: &mut ClientWebSocketResponse) -> Seen {
    let mut events = Vec::new();
    loop {
        match soon("a message", ws.receive()).await {
            Ok(Some(message)) => events.push(Ok(message)),
            Ok(None) => break,
            Err(error) => events.push(Err(error.to_string())),
        }
    }
    assert!(ws.is_closed(), "{events:?}");
    Seen {
        events,
        code: ws.close_code(),
        exception: ws.exception().map(|error| error.to_string()),
    }
}

#[derive(Debug, PartialEq)]
struct Seen {
    events: Vec<Result<WsMessage, String>>,
    code: Option<u16>,
    exception: Option<String>,
}

/// Breaks off at each byte of a conversation.
async fn check_cuts(authority: Option<&Authority>, how: Break) {
    let faulty = Faulty::new(authority).await;
    for cut in 0.. {
        let asking = async {
            let mut ws = faulty.request().send().await?;
            let seen = received(&mut ws).await;
            assert_eq!(counts(&faulty.session), (0, 0), "{how:?} at {cut}");
            Ok::<_, ClientError>(seen)
        };
        let both = async { tokio::join!(asking, faulty.break_off(cut, how)) };
        let (opened, (head, all)) = soon("the end", both).await;
        assert_eq!(counts(&faulty.session), (0, 0), "{how:?} at {cut}");
        match opened {
            Err(error) => {
                assert!(cut < head, "{how:?} at {cut}: {error:?}");
                let class = match how {
                    Break::End => "ServerDisconnectedError",
                    Break::Reset => "ClientOSError",
                };
                assert_eq!(error.aiohttp_class(), class, "{how:?} at {cut}");
            }
            Ok(seen) => {
                let mut end = head;
                let conversation = conversation().into_iter();
                let whole = conversation.take_while(|(bytes, _)| {
                    end += bytes.len();
                    end <= cut
                });
                let messages: Vec<_> = whole.filter_map(|(_, m)| m).map(Ok).collect();
                let code = if cut == all { 1000 } else { 1006 };
                assert_eq!(seen.events, messages, "{how:?} at {cut}");
                assert_eq!(seen.code, Some(code), "{how:?} at {cut}");
            }
        }
        if cut == all {
            break;
        }
    }
}

#[tokio::test]
async fn whatever_is_whole_when_a_connection_ends_is_received() {
    check_cuts(None, Break::End).await;
}

#[tokio::test]
async fn whatever_is_whole_when_a_connection_is_reset_is_received() {
    check_cuts(None, Break::Reset).await;
}

#[tokio::test]
async fn whatever_is_whole_when_tls_breaks_off_is_received() {
    let authority = Authority::new();
    check_cuts(Some(&authority), Break::End).await;
    check_cuts(Some(&authority), Break::Reset).await;
}

#[tokio::test]
async fn single_bytes_are_a_conversation() {
    let faulty = Faulty::new(None).await;
    let peer = async {
        let mut peer = faulty.listener.accept().await;
        let head = answer(&peer.head().await);
        let frames = conversation().into_iter().flat_map(|(bytes, _)| bytes);
        for byte in head.into_iter().chain(frames) {
            peer.send([byte]).await;
            tokio::task::yield_now().await;
        }
        peer.drain().await;
    };
    let asking = async {
        let mut ws = open(faulty.request()).await;
        received(&mut ws).await
    };
    let (seen, ()) = soon("the end", async { tokio::join!(asking, peer) }).await;
    let messages = conversation()
        .into_iter()
        .filter_map(|(_, message)| message);
    assert_eq!(seen.events, messages.map(Ok).collect::<Vec<_>>());
    assert_eq!((seen.code, seen.exception), (Some(1000), None));
}

#[tokio::test]
async fn a_peer_that_leaves_within_a_message_of_ours_is_told_of() {
    // More than the system takes for a peer that does not read.
    const LEN: usize = 16 << 20;
    let payload = Bytes::from(vec![0; LEN]);
    for how in [Break::End, Break::Reset] {
        // Within the header, behind it, and within the payload.
        for cut in (0..=14).chain([1000, 1 << 20]) {
            let faulty = Faulty::new(None).await;
            let peer = async {
                let mut peer = faulty.listener.accept().await;
                let answer = answer(&peer.head().await);
                peer.send(answer).await;
                peer.exactly(cut).await;
                if let Break::Reset = how {
                    reset(&peer.0);
                }
            };
            let asking = async {
                let mut ws = open(faulty.request()).await;
                let sent = ws.send_bytes(payload.clone()).await;
                (sent, received(&mut ws).await, counts(&faulty.session))
            };
            let both = async { tokio::join!(asking, peer) };
            let ((sent, seen, counts), ()) = soon("the end", both).await;
            assert!(
                matches!(sent, Err(WsError::Io(_))),
                "{how:?} at {cut}: {sent:?}"
            );
            assert_eq!(
                (seen.events, seen.code),
                (vec![], Some(1006)),
                "{how:?} at {cut}"
            );
            assert_eq!(counts, (0, 0), "{how:?} at {cut}");
        }
    }
}

/// Frames any of which may be wrong, and bytes of them that are.
fn anything(random: &mut Random) -> Vec<u8> {
    let mut deflater = Deflater::new(WindowBits::MAX, false);
    let mut bytes = BytesMut::new();
    for _ in 0..random.below(8) {
        let opcodes = [
            Text,
            Binary,
            Continuation,
            Continuation,
            Ping,
            Pong,
            Text,
            Close,
        ];
        let opcode = opcodes[random.below(opcodes.len() as u64) as usize];
        let mut payload = BytesMut::new();
        match random.below(8) {
            0 => payload.extend((0..random.below(20)).map(|_| random.below(256) as u8)),
            1 => payload.extend([b'x'; 3000]),
            _ if opcode == Close => payload.extend([3, 0xe8 + random.below(16) as u8]),
            _ => payload.extend("ß€ 漢字 🦀".bytes().take(random.below(20) as usize)),
        }
        let rsv = match random.below(4) {
            0 => Rsv::RSV1,
            _ => Rsv::NONE,
        };
        if rsv == Rsv::RSV1 {
            let plain = payload.split();
            deflater.deflate(&plain, true, &mut payload);
        }
        let header = FrameHeader {
            fin: opcode.is_control() || random.below(3) > 0,
            rsv,
            ..FrameHeader::new(opcode, payload.len() as u64)
        };
        header.encode(&mut bytes);
        bytes.extend_from_slice(&payload);
    }
    for _ in 0..random.below(3) {
        if !bytes.is_empty() {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.below(256) as u8;
        }
    }
    bytes.to_vec()
}

/// What a user is to see of these bytes and the end behind them, by the protocol alone.
fn seen_by_the_protocol(config: WsConfig, bytes: &[u8]) -> Seen {
    let mut protocol = Protocol::new(Role::Client, config, [7; 32]);
    protocol.receive(bytes);
    protocol.end_of_input();
    let mut events = Vec::new();
    while let Some(event) = protocol.poll_event() {
        events.push(event.map_err(|error| error.to_string()));
    }
    Seen {
        events,
        code: protocol.close_code(),
        exception: protocol.exception().map(|error| error.to_string()),
    }
}

#[tokio::test]
async fn any_bytes_are_what_the_protocol_makes_of_them() {
    const LIMIT: usize = 4096;
    let faulty = Faulty::new(None).await;
    let mut codes = BTreeSet::new();
    for seed in 0..500 {
        let mut random = Random::seeded(seed);
        let bytes = anything(&mut random);
        let peer = async {
            let mut peer = faulty.listener.accept().await;
            let answer = answer(&peer.head().await);
            peer.send(answer).await;
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(1 + random.below(rest.len() as u64) as usize);
                // The client may have gone.
                _ = peer.0.write_all(piece).await;
                tokio::task::yield_now().await;
                rest = behind;
            }
            _ = peer.0.shutdown().await;
            peer.drain().await;
        };
        let asking = async {
            let mut ws = open(faulty.request().compress(15).max_msg_size(LIMIT)).await;
            let config = WsConfig {
                deflate: ws.deflate().copied(),
                max_msg_size: LIMIT,
                ..WsConfig::default()
            };
            assert!(config.deflate.is_some());
            let seen = received(&mut ws).await;
            assert_eq!(counts(&faulty.session), (0, 0), "{seed}: {bytes:?}");
            (seen, config)
        };
        let ((seen, config), ()) = soon("the end", async { tokio::join!(asking, peer) }).await;
        let want = seen_by_the_protocol(config, &bytes);
        assert_eq!(seen, want, "{seed}: {bytes:?}");
        codes.extend(seen.code);
    }
    let usual = BTreeSet::from([1000, 1002, 1006, 1007, 1009]);
    assert!(codes.is_superset(&usual), "{codes:?}");
}
