//! The scripted server, driven by a bare socket: what it sends and what it writes down.

use std::time::Duration;

use aio_tests::events::Events;
use aio_tests::ports::Ports;
use aio_tests::script::ServerScript;
use aio_tests::server::{BoundServer, ScriptedServer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(2);

/// A server of a scenario on a port of its own.
struct Scripted {
    server: ScriptedServer,
    port: u16,
    events: Events,
}

impl Scripted {
    fn start(spec: &Value) -> Self {
        let bound = BoundServer::bind().expect("a free port");
        let (port, events) = (bound.port(), Events::default());
        let mut ports = Ports::default();
        ports.add("a", port);
        let script = ServerScript::parse(spec, &ports).expect("a good script");
        let server = bound.start(script, &events).expect("a running server");
        Self {
            server,
            port,
            events,
        }
    }

    fn with(steps: &Value) -> Self {
        Self::start(&json!({"connections": [steps]}))
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port))
            .await
            .expect("a listening server")
    }

    /// Waits for the scripts to end and returns the records of all connections.
    async fn wire(mut self) -> Value {
        let stopped = self.server.finish(Instant::now() + SOON).await;
        assert_eq!(stopped, 0, "scripts still running");
        json!(self.server.wire())
    }
}

/// Sends bytes, closes, and returns what the only connection recorded.
async fn records_of(steps: Value, sent: &[u8]) -> Value {
    let server = Scripted::with(&steps);
    let mut stream = server.connect().await;
    stream.write_all(sent).await.expect("an open connection");
    drop(stream);
    server.wire().await[0].clone()
}

async fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    let reading = timeout(SOON, stream.read_to_end(&mut received)).await;
    reading.expect("an end in time").expect("no reset");
    received
}

#[tokio::test]
async fn a_body_by_length_is_recorded() {
    let sent = b"PUT /p?q HTTP/1.1\r\nContent-Length: 3\r\nA: \xff\r\n\r\nabcd";
    let want = json!([{
        "method": "PUT", "target": "/p?q", "version": "HTTP/1.1",
        "headers": [["a", {"b64": "/w=="}], ["content-length", "3"]],
        "framing": "length", "body": {"text": "abc"},
    }, {"partial": true}]);
    let steps = json!([{"read_request": true}, {"read_head": true}]);
    assert_eq!(records_of(steps, sent).await, want);
}

#[tokio::test]
async fn a_chunked_body_is_recorded_without_its_chunks() {
    let sent = b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n";
    let records = records_of(json!([{"read_head": true}, {"read_body": true}]), sent).await;
    assert_eq!(records[0]["framing"], "chunked");
    assert_eq!(records[0]["body"], json!({"text": "abcde"}));
}

#[tokio::test]
async fn bad_chunks_match_no_recording() {
    for body in ["x\r\n", "3\r\nabcd\r\n"] {
        let sent = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        let records = records_of(json!([{"read_request": true}]), sent.as_bytes()).await;
        assert!(records[0].get("broken").is_some(), "{body:?}: {records}");
    }
}

#[tokio::test]
async fn input_that_ends_early_is_marked() {
    let both = || json!([{"read_request": true}]);
    assert_eq!(
        records_of(both(), b"GET / HT").await,
        json!([{"partial": true}])
    );
    assert_eq!(records_of(both(), b"").await, Value::Null);
    let records = records_of(both(), b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab").await;
    assert_eq!(
        (&records[0]["incomplete"], records[0].get("body")),
        (&json!(true), None)
    );
}

#[tokio::test]
async fn a_multipart_body_loses_its_boundary() {
    let body = "--b\r\nX: y\r\n\r\nfield\r\n--b--\r\n";
    let head = "POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b";
    let sent = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let records = records_of(json!([{"read_request": true}]), sent.as_bytes()).await;
    assert_eq!(
        records[0]["multipart"],
        json!([{"headers": [["x", "y"]], "body": {"text": "field"}}])
    );
    let headers = json!([
        ["content-length", "{len}"],
        ["content-type", "multipart/form-data; boundary={boundary}"]
    ]);
    assert_eq!(records[0]["headers"], headers);
}

#[tokio::test]
async fn sends_are_byte_exact() {
    let steps = json!([
        {"send": "ÿ{a} {a.port}\r\n"},
        {"repeat": {"times": 2, "steps": [{"send_b64": "AAE="}]}},
        {"send_fill": {"fill": "ab", "times": 2}},
        {"close": true},
    ]);
    let server = Scripted::with(&steps);
    let port = server.port;
    let received = read_to_end(server.connect().await).await;
    let want = [
        b"\xff127.0.0.1:",
        format!("{port} {port}\r\n").as_bytes(),
        b"\0\x01\0\x01abab",
    ]
    .concat();
    assert_eq!(received, want);
}

#[tokio::test]
async fn wait_client_close_tells_whether_it_came() {
    let records = records_of(json!([{"wait_client_close": true}]), b"ignored").await;
    assert_eq!(records, json!([{"closed": true}]));

    let server = Scripted::with(&json!([{"wait_client_close": 0.05}]));
    let _open = server.connect().await;
    assert_eq!(server.wire().await, json!([[{"closed": false}]]));
}

#[tokio::test]
async fn connections_beyond_the_scripts_are_recorded_and_closed() {
    let server = Scripted::start(&json!({"connections": [[], [{"read_head": true}]]}));
    let (_first, second, third) = (
        server.connect().await,
        server.connect().await,
        server.connect().await,
    );
    assert_eq!(read_to_end(third).await, b"");
    drop(second);
    assert_eq!(server.wire().await, json!([[{"unexpected": true}]]));
}

#[tokio::test]
async fn a_connection_made_just_before_the_end_is_seen() {
    let server = Scripted::start(&json!({"connections": []}));
    let _stream =
        std::net::TcpStream::connect(("127.0.0.1", server.port)).expect("a listening server");
    assert_eq!(server.wire().await, json!([[{"unexpected": true}]]));
}

#[tokio::test]
async fn a_finished_script_leaves_its_connection_open_until_the_server_is_dropped() {
    let mut server = Scripted::with(&json!([{"send": "x"}]));
    let mut stream = server.connect().await;
    server.server.finish(Instant::now() + SOON).await;
    assert_eq!(stream.read_u8().await.expect("sent before"), b'x');
    let waiting = timeout(Duration::from_millis(50), stream.read_u8()).await;
    assert!(waiting.is_err(), "{waiting:?}");
    drop(server);
    assert_eq!(read_to_end(stream).await, b"");
}

#[tokio::test]
async fn close_is_no_reset_even_with_input_unread() {
    let server = Scripted::with(&json!([{"wait": "go"}, {"send": "bye"}, {"close": true}]));
    let mut stream = server.connect().await;
    stream
        .write_all(&[b'x'; 10_000])
        .await
        .expect("an open connection");
    server.events.signal("go");
    assert_eq!(read_to_end(stream).await, b"bye");
}

#[tokio::test]
async fn half_close_and_reset_do_what_they_say() {
    let steps =
        json!([{"half_close": true}, {"read_request": true}, {"wait": "go"}, {"reset": true}]);
    let server = Scripted::with(&steps);
    let mut stream = server.connect().await;
    assert_eq!(stream.read(&mut [0]).await.expect("an end, no reset"), 0);
    stream
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("the other half is open");
    server.events.signal("go");
    let mut server = server;
    server.server.finish(Instant::now() + SOON).await;
    assert_eq!(server.server.wire()[0][0]["framing"], "none");
    assert!(stream.write_all(b"more").await.is_err());
}

#[tokio::test]
async fn uploads_are_taken_in_while_no_step_reads() {
    let server =
        Scripted::with(&json!([{"read_head": true}, {"wait": "sent"}, {"read_body": true}]));
    let mut stream = server.connect().await;
    let body = vec![b'x'; 20_000_000];
    let head = format!("PUT / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
    stream
        .write_all(head.as_bytes())
        .await
        .expect("an open connection");
    timeout(SOON, stream.write_all(&body))
        .await
        .expect("no stall")
        .expect("an open connection");
    server.events.signal("sent");
    assert_eq!(server.wire().await[0][0]["body"]["len"], 20_000_000);
}

#[tokio::test]
async fn refused_and_blackholed_connections_fail_as_told() {
    let refusing = Scripted::start(&json!({"refuse": true}));
    let refused = TcpStream::connect(("127.0.0.1", refusing.port)).await;
    assert_eq!(
        refused.map_err(|error| error.kind()).err(),
        Some(std::io::ErrorKind::ConnectionRefused)
    );

    let silent = Scripted::start(&json!({"blackhole": true}));
    let connecting = TcpStream::connect(("127.0.0.1", silent.port));
    let connected = timeout(Duration::from_millis(100), connecting).await;
    assert!(connected.is_err(), "{connected:?}");
}

#[tokio::test]
async fn websocket_steps_shake_hands_and_record_frames() {
    let steps = json!([
        {"read_head": true},
        {"ws_accept": {"protocol": "chat", "headers": [["X", "y"]]}},
        {"ws_expect": true},
        {"ws_send": {"opcode": 8, "close_code": 1000}},
        {"ws_expect": true},
        {"ws_expect": true},
    ]);
    let server = Scripted::with(&steps);
    let mut stream = server.connect().await;
    // Key and answer are those of RFC 6455 1.3.
    let request = b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request).await.expect("an open connection");
    let want = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\nX: y\r\n\r\n";
    let mut answer = vec![0; want.len()];
    stream
        .read_exact(&mut answer)
        .await
        .expect("the whole answer");
    assert_eq!(answer, want);

    // RFC 6455 5.7: a single-frame masked text message.
    let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    stream.write_all(hello).await.expect("an open connection");
    let mut close = [0; 4];
    stream.read_exact(&mut close).await.expect("a frame");
    assert_eq!(&close, b"\x88\x02\x03\xe8");
    stream
        .write_all(b"\x88\x02\x03\xe8")
        .await
        .expect("an open connection");
    drop(stream);

    let wire = server.wire().await;
    let records = wire[0].as_array().expect("the records of a connection");
    let want = [
        json!({"frame": 1, "fin": true, "rsv1": false, "masked": true, "payload": {"text": "Hello"}}),
        json!({"frame": 8, "fin": true, "rsv1": false, "masked": false, "close_code": 1000, "payload": {"text": ""}}),
        json!({"frame": "eof"}),
    ];
    assert_eq!(records[1..], want);
}

#[tokio::test(start_paused = true)]
async fn a_read_step_that_never_ends_is_recorded() {
    let server = Scripted::with(&json!([{"read_head": true}]));
    let _open = server.connect().await;
    let mut server = server;
    server
        .server
        .finish(Instant::now() + Duration::from_secs(60))
        .await;
    assert_eq!(
        json!(server.server.wire()),
        json!([[{"timeout": "ReadHead"}]])
    );
}
