//! WebSockets of servers that others wrote: aiohttp.web, Python's websockets and ws for Node,
//! the last behind nginx as well (data/real-websockets).

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use aio_client::ws::{DeflateParams, WindowBits};
use aio_client::{
    ClientSession, ClientWebSocketResponse, CloseCode, WsError, WsMessage, WsRequestBuilder,
};
use aio_tests::daemon::Daemon;
use aio_tests::nginx::Nginx;
use aio_tests::random::Random;
use aio_tests::real_websocket::{AIOHTTP, RealWebSocket, WEBSOCKETS, WS};
use aio_tests::tls::Authority;
use bytes::Bytes;
use rustix::process::Signal;

use crate::peer::soon;
use crate::proxy::{session, trusting};
use crate::ws::{check_echo, close, counts, open};

/// Each form of a length, and what no buffer holds.
const SIZES: [usize; 8] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20, LARGEST];
const LARGEST: usize = 16 << 20;

const SMALL: WindowBits = WindowBits::MIN;

/// Ways to compress; the first is none.
static WAYS: LazyLock<[Option<DeflateParams>; 5]> = LazyLock::new(|| {
    let params = DeflateParams::default();
    let alone = DeflateParams {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..params
    };
    let small = |params| DeflateParams {
        server_max_window_bits: SMALL,
        client_max_window_bits: SMALL,
        ..params
    };
    [
        None,
        Some(params),
        Some(small(params)),
        Some(alone),
        Some(small(alone)),
    ]
});

/// Text and bytes that are longer than any window, as long as the largest message.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut random = Random::seeded(9);
    let words = ["a", "message ", "é", "ß€ ", "漢字", "🦀"];
    let mut text = String::new();
    while text.len() < 100_000 {
        text.push_str(words[random.below(words.len() as u64) as usize]);
    }
    text.repeat(LARGEST / text.len() + 1)
});
static BYTES: LazyLock<Bytes> = LazyLock::new(|| {
    let mut random = Random::seeded(10);
    let bytes: Vec<u8> = (0..100_000).map(|_| random.below(256) as u8).collect();
    bytes.repeat(LARGEST / bytes.len() + 1).into()
});

/// The beginning of the text, in so many bytes.
fn text(size: usize) -> String {
    let whole = (0..=size).rev().find(|end| TEXT.is_char_boundary(*end));
    let text = &TEXT[..whole.expect("0 is one")];
    text.to_owned() + &".".repeat(size - text.len())
}

/// Has the server send back a text and bytes of this size.
async fn check_size(ws: &mut ClientWebSocketResponse, size: usize, what: &str) {
    let (text, bytes) = (text(size), BYTES.slice(..size));
    let echo = async {
        ws.send_str(text.as_str()).await?;
        let same_text = *ws.receive_str().await? == *text;
        ws.send_bytes(bytes.clone()).await?;
        Ok::<_, WsError>((same_text, ws.receive_bytes().await? == bytes))
    };
    let echoed = soon(what, echo).await;
    let echoed = echoed.unwrap_or_else(|error| panic!("{what}, {size} bytes: {error:?}"));
    assert_eq!(echoed, (true, true), "{what}, {size} bytes");
}

/// Opens WebSockets to `url`, one for each way to compress, and has messages come back.
async fn check_echoes(session: &ClientSession, url: &str, largest: usize) {
    for (n, offer) in WAYS.iter().enumerate() {
        let what = format!("{url}, {offer:?}");
        let request = session.ws_connect(url).max_msg_size(0).deflate(*offer);
        let mut ws = open(request).await;
        let agreed = ws.deflate();
        assert_eq!(agreed.is_some(), offer.is_some(), "{what}");
        if let (Some(offer), Some(agreed)) = (offer, agreed) {
            // The server may want less.
            let kept = [
                agreed.server_max_window_bits <= offer.server_max_window_bits,
                agreed.client_max_window_bits <= offer.client_max_window_bits,
                agreed.server_no_context_takeover >= offer.server_no_context_takeover,
                agreed.client_no_context_takeover >= offer.client_no_context_takeover,
            ];
            assert_eq!(kept, [true; 4], "{what}: {agreed:?}");
        }
        // The rest differ in what happens at the ends of windows and messages.
        let largest = if n < 2 { largest } else { 1 << 20 };
        for size in SIZES.into_iter().filter(|size| *size <= largest) {
            check_size(&mut ws, size, &what).await;
        }
        // With all of the window full of other things.
        check_size(&mut ws, 1, &what).await;
        close(&mut ws).await;
    }
    assert_eq!(counts(session), (0, 0), "{url}");
}

fn url(server: &Daemon, path: &str) -> String {
    format!("ws://127.0.0.1:{}{path}", server.port())
}

fn started(server: &RealWebSocket, tls: Option<&Authority>) -> Option<Daemon> {
    server.start(tls).expect("it starts")
}

async fn check_messages(server: &RealWebSocket) {
    if let Some(server) = started(server, None) {
        check_echoes(&ClientSession::new(), &url(&server, "/echo"), LARGEST).await;
    }
    let authority = Authority::new();
    if let Some(server) = started(server, Some(&authority)) {
        let url = url(&server, "/echo").replace("ws:", "wss:");
        check_echoes(&session(trusting(authority.client())), &url, LARGEST).await;
    }
}

#[tokio::test]
async fn messages_of_any_size_come_back_from_aiohttp_web() {
    check_messages(&AIOHTTP).await;
}

#[tokio::test]
async fn messages_of_any_size_come_back_from_websockets() {
    check_messages(&WEBSOCKETS).await;
}

#[tokio::test]
async fn messages_of_any_size_come_back_from_ws() {
    check_messages(&WS).await;
}

/// A server of this kind and a request for one of its WebSockets.
struct Talk {
    server: Daemon,
    session: ClientSession,
    /// How many WebSockets it has seen the end of.
    ended: usize,
}

impl Talk {
    fn new(server: &RealWebSocket) -> Option<Self> {
        Some(Self {
            server: started(server, None)?,
            session: ClientSession::new(),
            ended: 0,
        })
    }

    fn request(&self, path: &str) -> WsRequestBuilder {
        self.session.ws_connect(url(&self.server, path))
    }

    async fn open(&self, path: &str) -> ClientWebSocketResponse {
        open(self.request(path)).await
    }

    /// Waits until the server has seen the end of one more WebSocket, and returns what of it.
    async fn end(&mut self) -> String {
        self.ended += 1;
        let file = self.server.directory().join("closes");
        let line = async {
            loop {
                let lines = fs::read_to_string(&file).unwrap_or_default();
                let mut whole = lines.split_inclusive('\n').filter(|l| l.ends_with('\n'));
                if let Some(line) = whole.nth(self.ended - 1) {
                    return line.trim_end().to_owned();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        soon("the end at the server", line).await
    }
}

/// Pings, closes and subprotocols, with one server.
async fn check_controls(server: &RealWebSocket) {
    let Some(mut talk) = Talk::new(server) else {
        return;
    };
    check_pings(&mut talk).await;
    check_closes(&mut talk, server).await;
    check_protocols(&mut talk).await;
    if server.fragments {
        check_fragments(&mut talk).await;
    }
    assert_eq!(counts(&talk.session), (0, 0));
}

async fn receive(ws: &mut ClientWebSocketResponse) -> Option<WsMessage> {
    soon("a message", ws.receive()).await.expect("it is open")
}

async fn check_pings(talk: &mut Talk) {
    // Its ping is answered while a message is waited for.
    let mut ws = talk.open("/ping/are-you-there").await;
    assert_eq!(receive(&mut ws).await, Some("are-you-there".into()));
    close(&mut ws).await;
    talk.end().await;

    let mut ws = open(talk.request("/echo").autoping(false)).await;
    for payload in [&b""[..], b"p", &[0xff; 125]] {
        ws.ping(payload).await.expect("it is open");
        let pong = WsMessage::Pong(Bytes::copy_from_slice(payload));
        assert_eq!(receive(&mut ws).await, Some(pong));
    }
    ws.pong("unasked").await.expect("it is open");
    check_echo(&mut ws, "behind it").await;
    close(&mut ws).await;
    talk.end().await;
}

async fn check_closes(talk: &mut Talk, server: &RealWebSocket) {
    let reason = format!("Grüße{}", "!".repeat(116));
    let closes = [(1000, ""), (1001, "away"), (3000, "own"), (4999, &*reason)];
    for (code, reason) in closes {
        let what = format!("{code} {reason}");
        let mut ws = talk.open("/echo").await;
        let given = CloseCode::from_wire(code).expect("a code");
        assert!(soon("the close", ws.close(given, reason)).await, "{what}");
        assert_eq!(talk.end().await, what.trim_end());
        let answer = if server.echoes_codes { code } else { 1000 };
        assert_eq!(ws.close_code(), Some(answer), "{what}");

        let mut ws = talk.open(&format!("/close/{code}/{reason}")).await;
        let message = receive(&mut ws).await;
        let Some(WsMessage::Close(Some(frame))) = message else {
            panic!("{what}: {message:?}");
        };
        assert_eq!((frame.code.get(), &*frame.reason), (code, reason));
        assert_eq!(receive(&mut ws).await, None, "{what}");
        assert_eq!((ws.is_closed(), ws.close_code()), (true, Some(code)));
        talk.end().await;
        assert_eq!(counts(&talk.session), (0, 0), "{what}");
    }
}

async fn check_protocols(talk: &mut Talk) {
    for (asked, got) in [
        (&["v1"][..], Some("v1")),
        (&["v3", "v2"], Some("v2")),
        (&[], None),
    ] {
        let mut ws = open(talk.request("/echo").protocols(asked.iter().copied())).await;
        assert_eq!(ws.protocol(), got, "{asked:?}");
        check_echo(&mut ws, "with it").await;
        close(&mut ws).await;
        talk.end().await;
    }
}

async fn check_fragments(talk: &mut Talk) {
    for offer in *WAYS {
        for (count, size) in [(2, 1), (3, 0), (1000, 100), (5, 1 << 20)] {
            let what = format!("{count} of {size}, {offer:?}");
            let request = talk.request(&format!("/pieces/{count}/{size}"));
            let mut ws = open(request.deflate(offer).max_msg_size(0)).await;
            let letters = (b'a'..=b'z').cycle().take(count);
            let text: Vec<u8> = letters.flat_map(|letter| vec![letter; size]).collect();
            let got = receive(&mut ws).await.and_then(WsMessage::into_bytes);
            assert!(got.is_some_and(|got| got == text), "{what}");
            let bytes = (0..count).flat_map(|n| vec![n as u8; size]);
            let want = WsMessage::Binary(bytes.collect());
            assert!(receive(&mut ws).await == Some(want), "{what}");
            close(&mut ws).await;
            talk.end().await;
        }
    }
}

#[tokio::test]
async fn pings_closes_and_protocols_are_as_with_aiohttp_web() {
    check_controls(&AIOHTTP).await;
}

#[tokio::test]
async fn pings_closes_and_protocols_are_as_with_websockets() {
    check_controls(&WEBSOCKETS).await;
}

#[tokio::test]
async fn pings_closes_and_protocols_are_as_with_ws() {
    check_controls(&WS).await;
}

#[tokio::test]
async fn a_server_that_is_killed_leaves_1006() {
    for server in [AIOHTTP, WEBSOCKETS, WS] {
        let Some(mut talk) = Talk::new(&server) else {
            continue;
        };
        let mut ws = talk.open("/echo").await;
        check_echo(&mut ws, "alive").await;
        let name = server.name;
        talk.server.signal(Signal::KILL).expect("it is told");
        assert_eq!(receive(&mut ws).await, None, "{name}");
        assert_eq!((ws.is_closed(), ws.close_code()), (true, Some(1006)));
        let sent = soon(name, ws.send_str("x")).await;
        assert!(matches!(sent, Err(WsError::Closed)), "{name}: {sent:?}");
        assert!(!soon(name, ws.close(CloseCode::OK, "")).await, "{name}");
        assert_eq!(counts(&talk.session), (0, 0), "{name}");
    }
}

#[tokio::test]
async fn the_heartbeat_tells_a_server_that_stands_still_from_one_that_is_silent() {
    const BEAT: Duration = Duration::from_millis(500);
    for server in [AIOHTTP, WEBSOCKETS, WS] {
        let Some(mut talk) = Talk::new(&server) else {
            continue;
        };
        let name = server.name;
        let mut ws = open(talk.request("/echo").heartbeat(BEAT)).await;
        // Some beats long nothing comes but pongs.
        let silence = tokio::time::timeout(3 * BEAT, ws.receive()).await;
        assert!(silence.is_err(), "{name}: {silence:?}");
        check_echo(&mut ws, "alive").await;
        talk.server.signal(Signal::STOP).expect("it is told");
        let dead = soon(name, ws.receive()).await;
        talk.server.signal(Signal::CONT).expect("it is told");
        assert!(
            matches!(dead, Err(WsError::Heartbeat { after }) if after == BEAT / 2),
            "{name}: {dead:?}"
        );
        assert_eq!((ws.is_closed(), ws.close_code()), (true, Some(1006)));
        assert_eq!(counts(&talk.session), (0, 0), "{name}");
    }
}

#[tokio::test]
async fn nginx_stands_in_front() {
    let (authority, Some(mut talk)) = (Authority::new(), Talk::new(&WS)) else {
        return;
    };
    let settings = format!(
        "location ~ ^/(echo|ping|close)\\b {{ \
            proxy_pass http://127.0.0.1:{}; \
            proxy_http_version 1.1; \
            proxy_set_header Upgrade $http_upgrade; \
            proxy_set_header Connection upgrade; \
        }}",
        talk.server.port()
    );
    let nginx = Nginx::start_tls(&authority, &settings).expect("it starts");
    let Some(nginx) = nginx else {
        return;
    };
    let session = session(trusting(authority.client()));
    let url = |path| nginx.url(path).replace("https", "wss");
    check_echoes(&session, &url("/echo"), LARGEST).await;
    for _ in &*WAYS {
        assert_eq!(talk.end().await, "1000");
    }

    let mut ws = open(session.ws_connect(url("/ping/through-it"))).await;
    assert_eq!(receive(&mut ws).await, Some("through-it".into()));
    let code = CloseCode::from_wire(4001).expect("a code");
    assert!(soon("the close", ws.close(code, "done")).await);
    assert_eq!(talk.end().await, "4001 done");
    let mut ws = open(session.ws_connect(url("/close/4002/gone"))).await;
    let message = receive(&mut ws).await;
    assert!(matches!(message, Some(WsMessage::Close(_))), "{message:?}");
    assert_eq!(ws.close_code(), Some(4002));

    // What is no WebSocket is nginx's own, and its connection is used again.
    let refused = soon("the answer", session.ws_connect(url("/")).send()).await;
    assert_eq!(refused.expect_err("no WebSocket").status(), Some(200));
    assert_eq!(counts(&session), (1, 1));

    let mut ws = open(session.ws_connect(url("/echo"))).await;
    talk.server.signal(Signal::KILL).expect("it is told");
    assert_eq!(receive(&mut ws).await, None);
    assert_eq!(ws.close_code(), Some(1006));
    let refused = soon("the answer", session.ws_connect(url("/echo")).send()).await;
    assert_eq!(refused.expect_err("no WebSocket").status(), Some(502));
}
