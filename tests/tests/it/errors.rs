//! The error tree: each of aiohttp's class names is reached, and answered.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use aio_client::wire::text::{Charset, OnError};
use aio_client::{
    Attempt, Body, CertificateProblem, ClientError, ClientPayloadError, ClientReadError,
    ClientResponseError, ConnectError, ConnectErrorKind, ConnectionError, HttpError, PayloadError,
    Phase, ReadError, ResponseErrorKind, TlsProblem, UrlError, UrlErrorKind, UsageError,
};

fn attempt(phase: Phase) -> Attempt {
    Attempt {
        url: "http://example.org/path".into(),
        phase,
        elapsed: Duration::from_millis(1500),
        sent: false,
        dials: Vec::new(),
    }
}

fn io_error() -> Arc<io::Error> {
    Arc::new(io::Error::from(io::ErrorKind::ConnectionReset))
}

fn response(kind: ResponseErrorKind) -> ClientError {
    ClientResponseError {
        body: bytes::Bytes::new(),
        kind,
        status: 400,
        message: "Bad Request".into(),
        head: None,
        history: Vec::new(),
        attempt: attempt(Phase::Head),
        handshake: None,
        source: None,
    }
    .into()
}

fn connect(kind: ConnectErrorKind) -> ClientError {
    let source = Some(io_error() as _);
    let error = ConnectError::new("example.org", 80, kind, attempt(Phase::Connect), source);
    ConnectionError::Connect(error).into()
}

fn timeout(phase: Phase) -> ClientError {
    ConnectionError::Timeout {
        attempt: Box::new(attempt(phase)),
    }
    .into()
}

fn source(error: impl std::error::Error + Send + Sync + 'static) -> ClientError {
    let attempt = Box::new(attempt(Phase::Send));
    ConnectionError::Source {
        attempt,
        source: Arc::new(error),
    }
    .into()
}

fn read(source: ReadError) -> ClientError {
    ClientReadError {
        source,
        attempt: attempt(Phase::Body),
    }
    .into()
}

fn url(kind: UrlErrorKind) -> UrlError {
    UrlError::new("http://user:secret@[::1/?token=secret", kind)
}

/// Every kind of error there is.
fn all() -> Vec<ClientError> {
    let boxed = || Box::new(attempt(Phase::Head));
    let text = Charset::UTF_8
        .decode(b"\xff", OnError::Strict)
        .expect_err("not UTF-8");
    let json = serde_json::from_str::<u8>("x").expect_err("no JSON");
    vec![
        response(ResponseErrorKind::Status),
        response(ResponseErrorKind::Malformed),
        response(ResponseErrorKind::ContentType),
        response(ResponseErrorKind::WsHandshake),
        response(ResponseErrorKind::Proxy),
        response(ResponseErrorKind::TooManyRedirects),
        connect(ConnectErrorKind::Resolve),
        connect(ConnectErrorKind::Refused),
        connect(ConnectErrorKind::Proxy),
        connect(ConnectErrorKind::Unix {
            path: "/run/x".into(),
        }),
        connect(ConnectErrorKind::Pipe {
            path: r"\\.\pipe\x".into(),
        }),
        connect(ConnectErrorKind::Lost),
        connect(ConnectErrorKind::Tls(TlsProblem::NotTls)),
        connect(ConnectErrorKind::Certificate(
            CertificateProblem::SelfSigned,
        )),
        connect(ConnectErrorKind::Fingerprint {
            expected: [0; 32],
            got: [1; 32],
        }),
        ConnectionError::Disconnected {
            partial: b"HTTP/1.1 200 OK\r\nSet-Cookie: secret".as_slice().into(),
            attempt: boxed(),
        }
        .into(),
        ConnectionError::Reset {
            attempt: boxed(),
            source: io_error(),
        }
        .into(),
        ConnectionError::Os {
            attempt: boxed(),
            source: io_error(),
        }
        .into(),
        ConnectionError::Closed { attempt: boxed() }.into(),
        timeout(Phase::Pool),
        timeout(Phase::Body),
        source(io::Error::from(io::ErrorKind::NotFound)),
        source(UsageError::EmptySeparator),
        ClientError::Timeout(boxed()),
        ClientError::UploadAborted(boxed()),
        ClientError::Payload(Box::new(ClientPayloadError {
            source: PayloadError::ShortChunked,
            attempt: attempt(Phase::Body),
        })),
        ClientError::Url(url(UrlErrorKind::Malformed)),
        ClientError::Url(url(UrlErrorKind::NonHttp)),
        ClientError::Redirect(url(UrlErrorKind::Malformed)),
        ClientError::Redirect(url(UrlErrorKind::NonHttp)),
        UsageError::SessionClosed.into(),
        UsageError::Method("G T".into()).into(),
        UsageError::Json("key must be a string".into()).into(),
        read(ReadError::Text(text)),
        read(ReadError::Json(Arc::new(json))),
        read(ReadError::Incomplete {
            partial: "abc".into(),
            expected: 5,
        }),
        read(ReadError::LineTooLong { limit: 5 }),
        read(ReadError::Write(io_error())),
    ]
}

/// The classes of SPEC §14 that are raised themselves, but for those of WebSocket
/// messages, which are not `ClientError`s.
const RAISED: [&str; 30] = [
    "ClientConnectionError",
    "ClientConnectionResetError",
    "ClientOSError",
    "ClientConnectorError",
    "ClientProxyConnectionError",
    "ClientConnectorDNSError",
    "UnixClientConnectorError",
    "ClientConnectorSSLError",
    "ClientConnectorCertificateError",
    "ServerDisconnectedError",
    "ConnectionTimeoutError",
    "SocketTimeoutError",
    "ServerFingerprintMismatch",
    "ClientPayloadError",
    "ClientResponseError",
    "ClientHttpProxyError",
    "ContentTypeError",
    "TooManyRedirects",
    "WSServerHandshakeError",
    "InvalidUrlClientError",
    "InvalidUrlRedirectClientError",
    "NonHttpUrlClientError",
    "NonHttpUrlRedirectClientError",
    "UploadAbortedError",
    "TimeoutError",
    "RuntimeError",
    "ValueError",
    "TypeError",
    "IncompleteReadError",
    "LineTooLong",
];

/// Those that are caught only.
const CAUGHT: [&str; 6] = [
    "ClientError",
    "ClientSSLError",
    "ServerConnectionError",
    "ServerTimeoutError",
    "InvalidURL",
    "RedirectClientError",
];

#[test]
fn each_class_of_aiohttp_is_reached() {
    let errors = all();
    for class in RAISED {
        let found = errors.iter().any(|error| error.aiohttp_class() == class);
        assert!(found, "no error is a {class}");
    }
    for class in CAUGHT {
        assert!(
            errors.iter().any(|error| error.is_a(class)),
            "no error is a {class}"
        );
    }
}

#[test]
fn each_class_below_the_head_and_body_is_reached() {
    let head = [
        HttpError::BadStatusLine("x".into()),
        HttpError::InvalidHeader("x".into()),
        HttpError::LineTooLong { limit: 1 },
        HttpError::TooManyHeaders { limit: 1 },
    ];
    let head = head.map(|error| error.aiohttp_class());
    assert_eq!(
        head,
        [
            "BadStatusLine",
            "InvalidHeader",
            "LineTooLong",
            "BadHttpMessage"
        ]
    );
    let body = [
        PayloadError::ShortLength {
            received: 1,
            expected: 2,
        },
        PayloadError::ShortChunked,
        PayloadError::Truncated { coding: "gzip" },
    ];
    let body = body.map(|error| error.aiohttp_class());
    let want = [
        "ContentLengthError",
        "TransferEncodingError",
        "ContentEncodingError",
    ];
    assert_eq!(body, want);
}

#[test]
fn each_class_of_an_open_websocket_is_reached() {
    use aio_client::{ProtocolError, WsError, WsMsgType};
    let json = || Arc::new(io::Error::other("no JSON"));
    let after = Duration::from_secs(1);
    let expected = WsMsgType::Text;
    let got = WsMsgType::Binary;
    for (error, class) in [
        (ProtocolError::ReservedBits.into(), "WebSocketError"),
        (WsError::MessageType { expected, got }, "WSMessageTypeError"),
        (WsError::Closed, "ClientConnectionResetError"),
        (WsError::Timeout, "TimeoutError"),
        (WsError::Heartbeat { after }, "ServerTimeoutError"),
        (WsError::ReadJson(json()), "JSONDecodeError"),
        (WsError::WriteJson(json()), "TypeError"),
    ] {
        assert_eq!(error.aiohttp_class(), class);
    }
}

#[test]
fn predicates_agree_with_the_classes_above() {
    for error in all() {
        let class = error.aiohttp_class();
        assert_eq!(error.is_a("TimeoutError"), error.is_timeout(), "{class}");
        assert_eq!(
            error.is_a("ClientConnectionError"),
            error.is_connection(),
            "{class}"
        );
        assert_eq!(
            error.is_a("ClientConnectorError"),
            error.is_connector(),
            "{class}"
        );
        assert_eq!(error.is_a("ClientOSError"), error.is_os(), "{class}");
        assert_eq!(
            error.is_a("ServerConnectionError"),
            error.is_server(),
            "{class}"
        );
        assert_eq!(error.is_a("ClientSSLError"), error.is_tls(), "{class}");
        assert_eq!(error.is_a("InvalidURL"), error.is_invalid_url(), "{class}");
    }
}

#[test]
fn the_total_timeout_is_no_connection_error() {
    let error = ClientError::Timeout(Box::new(attempt(Phase::Head)));
    assert!(error.is_timeout() && !error.is_connection() && !error.is_a("ClientError"));
}

#[test]
fn no_error_shows_a_secret() {
    for error in all() {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(!shown.ends_with('.'), "{shown}");
    }
}

#[tokio::test]
async fn an_error_tells_where_it_was_going_and_how_far_it_had_come() {
    let session = aio_client::ClientSession::new();
    let refusing = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = refusing.local_addr().expect("an address");
    drop(refusing);
    let request = session.get(format!("http://ada:secret@{address}/path?token=secret"));
    let error = request.await.expect_err("nobody listens");
    let attempt = error.attempt().expect("it had begun");
    assert_eq!(&*attempt.url, format!("http://{address}/path?…"));
    assert_eq!((attempt.phase, attempt.sent), (Phase::Connect, false));
    assert!(error.is_retryable() && error.is_connector());
    assert!(!format!("{error} {error:?}").contains("secret"));
    let ClientError::Connection(ConnectionError::Connect(error)) = error else {
        panic!("a connect error");
    };
    assert_eq!((error.host(), error.port()), ("127.0.0.1", address.port()));
    let refused = error.os_error().map(io::Error::kind);
    assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
}

#[tokio::test]
async fn mistakes_are_found_before_anything_is_sent() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    server.set_nonblocking(true).expect("a socket");
    let address = server.local_addr().expect("an address");
    let (url, session) = (
        format!("http://{address}/"),
        aio_client::ClientSession::new(),
    );
    let get = |name: &str, value: &str| session.get(&url).header(name, value);
    for (request, class) in [
        (get("X-A", "a\r\nX-B: b"), "ValueError"),
        (get("X\n", "a"), "ValueError"),
        (get("Content-Length", "+1"), "ValueError"),
        (
            get("Content-Length", "1").header("Content-Length", "1"),
            "ValueError",
        ),
        (
            get("Content-Length", "1").header("Transfer-Encoding", "chunked"),
            "ValueError",
        ),
        (get("Transfer-Encoding", "gzip"), "ValueError"),
        (get("Content-Length", "5").body("abc"), "ClientPayloadError"),
        (session.request("GE T", &url), "ValueError"),
        (session.post(&url).body("a").json(&1), "ValueError"),
        (
            session
                .get(format!("http://u:p@{address}/"))
                .header("authorization", "x"),
            "ValueError",
        ),
        (
            session.post(&url).version(http::Version::HTTP_2),
            "ValueError",
        ),
        (
            session.post(&url).body(Body::typed("x", "a/b\r\nX: y")),
            "ValueError",
        ),
        (session.get("relative"), "InvalidUrlClientError"),
        (
            session.get(format!("ftp://{address}/")),
            "NonHttpUrlClientError",
        ),
    ] {
        let shown = format!("{request:?}");
        let error = request.await.expect_err("a mistake");
        assert_eq!(error.aiohttp_class(), class, "{shown}");
    }
    let nobody = server.accept().expect_err("nothing was sent");
    assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
    session.close().await;
    let error = session.get(&url).await.expect_err("closed");
    assert_eq!(error.aiohttp_class(), "RuntimeError");
}

#[tokio::test]
async fn an_error_behind_the_first_byte_sent_says_so() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = server.local_addr().expect("an address");
    let session = aio_client::ClientSession::new();
    let close = async {
        let (mut peer, _) = server.accept().await.expect("a connection");
        let mut head = [0; 1024];
        tokio::io::AsyncReadExt::read(&mut peer, &mut head)
            .await
            .expect("a request");
    };
    let request = session.post(format!("http://{address}/")).body("x").send();
    let (error, ()) = tokio::join!(request, close);
    let error = error.expect_err("the server closed");
    assert_eq!(error.aiohttp_class(), "ServerDisconnectedError");
    let attempt = error.attempt().expect("it had begun");
    assert_eq!((attempt.phase, attempt.sent), (Phase::Head, true));
    assert!(!error.is_retryable());
}
