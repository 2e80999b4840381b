//! WebSockets that are opened again: when, how soon, and what is told of it. Servers are in
//! memory, and the clock stands still.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use aio_client::ws::server;
use aio_client::{
    BasicAuth, BoxError, BoxFuture, ClientSession, ClientSessionBuilder, ClientWebSocketResponse,
    ClientWsTimeout, CloseCode, CloseFrame, ConnectErrorKind, ConnectRequest, ConnectionError,
    ConnectionKey, ConnectionRetry, Dial, PooledConnector, ReconnectError, ReconnectingWebSocket,
    TlsProblem, Transport, Unconfirmed, WebSocket, WsError, WsEvent, WsMessage,
};
use futures_core::Stream;
use http::header::{COOKIE, HeaderValue, RETRY_AFTER, SET_COOKIE};
use http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
pub(crate) const URL: &str = "ws://a.test/feed";

/// Dials a server in memory; refuses when there is none.
struct Dials {
    dialled: mpsc::UnboundedSender<Far>,
    refusal: ConnectErrorKind,
}

impl Dial for Dials {
    fn dial<'a>(
        &'a self,
        key: &'a ConnectionKey,
        request: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
        let (near, stream) = tokio::io::duplex(16 * 1024);
        let far = Far {
            stream,
            cut: AtomicBool::new(false),
        };
        let dialled = match self.dialled.send(far) {
            Ok(()) => Ok(Transport::over(near)),
            Err(_) => {
                let error = io::Error::from(io::ErrorKind::ConnectionRefused);
                Err(request.failed(key, self.refusal.clone(), error))
            }
        };
        Box::pin(async { dialled })
    }
}

/// A server that does what it is told.
pub(crate) struct Server(mpsc::UnboundedReceiver<Far>);

impl Server {
    async fn stream(&mut self) -> Far {
        self.0.recv().await.expect("a session")
    }

    pub(crate) async fn accept(&mut self) -> WebSocket<Far> {
        server(self.stream().await).await.expect("a handshake")
    }

    async fn refuse(&mut self, status: u16, retry_after: Option<&str>) {
        let asked = server(self.stream().await).read_request().await;
        let mut answer = Response::new(());
        *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
        if let Some(value) = retry_after {
            let value = HeaderValue::from_str(value).expect("a value");
            answer.headers_mut().insert(RETRY_AFTER, value);
        }
        let refused = asked.expect("a request").refuse(answer).await;
        refused.expect("the client waits");
    }

    /// Accepts, says something, and is gone.
    pub(crate) async fn say_and_vanish(&mut self, text: &str) {
        let mut socket = self.accept().await;
        socket.send_str(text).await.expect("it is open");
        vanish(socket);
    }

    /// Accepts, and closes with a code.
    async fn close_with(&mut self, code: u16) {
        let mut socket = self.accept().await;
        let code = CloseCode::from_wire(code).unwrap_or(CloseCode::NO_STATUS);
        socket.close(code, "why").await;
    }
}

/// The server's end of a connection, which may be cut.
pub(crate) struct Far {
    stream: DuplexStream,
    cut: AtomicBool,
}

/// Ends the connection without a close frame.
pub(crate) fn vanish(socket: WebSocket<Far>) {
    socket.with_stream(|far| far.cut.store(true, Ordering::Relaxed));
    drop(socket);
}

impl AsyncRead for Far {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Far {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.cut.load(Ordering::Relaxed) {
            false => Pin::new(&mut self.stream).poll_write(cx, bytes),
            true => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

pub(crate) fn session_with(
    refusal: ConnectErrorKind,
    change: impl FnOnce(ClientSessionBuilder) -> ClientSessionBuilder,
) -> (ClientSession, Server) {
    let (dialled, streams) = mpsc::unbounded_channel();
    let connector = PooledConnector::over(Dials { dialled, refusal }).build();
    let builder = ClientSession::builder()
        .connector(connector.expect("valid"))
        .retry_connection(ConnectionRetry::Off);
    let session = change(builder).build().expect("valid");
    (session, Server(streams))
}

pub(crate) fn feed() -> (ReconnectingWebSocket, Server) {
    let (session, server) = session();
    (session.ws_connect(URL).reconnecting(), server)
}

pub(crate) fn session() -> (ClientSession, Server) {
    session_with(ConnectErrorKind::Refused, |builder| builder)
}

/// Waits for what is to happen within a day.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    let limit = Duration::from_secs(24 * 60 * 60);
    timeout(limit, future).await.expect("within a day")
}

pub(crate) type Told = Result<Option<WsEvent>, ReconnectError>;

/// Shows an event in short.
pub(crate) fn short(told: Told) -> String {
    match told {
        Ok(Some(WsEvent::Message(message))) => message.as_text().expect("a text").to_owned(),
        Ok(Some(WsEvent::Gap { unconfirmed })) => format!("gap {}", listed(&unconfirmed)),
        Ok(Some(other)) => format!("{other:?}"),
        Ok(None) => "end".to_owned(),
        Err(error) => format!("error: {error}"),
    }
}

pub(crate) fn listed(unconfirmed: &Unconfirmed) -> String {
    let messages = unconfirmed.messages.iter();
    let listed: Vec<_> = messages
        .map(|(number, message)| format!("{number}:{}", message.as_text().expect("a text")))
        .collect();
    format!("{listed:?}+{}", unconfirmed.forgotten)
}

pub(crate) async fn next(ws: &mut ReconnectingWebSocket) -> String {
    short(within(ws.next_event()).await)
}

/// Lets the client do what it can until it has to wait for the server.
pub(crate) async fn settle(ws: &mut ReconnectingWebSocket) {
    let event = timeout(MS, ws.next_event()).await;
    assert!(event.is_err(), "{}", short(event.expect("an event")));
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_told_before_the_first_message_behind_it() {
    let (mut ws, mut server) = feed();
    let serve = async {
        for text in ["one", "two", "three"] {
            server.say_and_vanish(text).await;
        }
        server.close_with(1000).await;
    };
    let receive = async {
        let mut told = Vec::new();
        while told.last().is_none_or(|last| last != "end") {
            told.push(next(&mut ws).await);
        }
        told
    };
    let ((), told) = tokio::join!(serve, receive);
    let gap = "gap []+0";
    assert_eq!(told, ["one", gap, "two", gap, "three", gap, "end"]);
    assert_eq!(next(&mut ws).await, "end");
}

#[tokio::test(start_paused = true)]
async fn every_poll_may_be_the_last_of_its_future() {
    let (ws, mut server) = feed();
    let mut ws = ws.resubscribe(|socket, _| {
        Box::pin(async move {
            socket.send_str("hello").await?;
            assert_eq!(socket.receive_str().await?, "welcome");
            Ok(())
        })
    });
    let serve = async {
        server.refuse(503, None).await;
        for number in 0..3 {
            let mut socket = server.accept().await;
            assert_eq!(socket.receive_str().await.expect("the hook"), "hello");
            socket.send_str("welcome").await.expect("it is open");
            let echo = socket.receive_str().await.expect("a message");
            assert_eq!(echo, format!("{number}").as_str());
            socket.send(echo).await.expect("it is open");
            vanish(socket);
        }
        server.close_with(1000).await;
    };
    // Each future is dropped behind each poll but the last.
    let client = async {
        poll_fn(|cx| pin!(ws.connected()).poll(cx).map(|opened| opened.is_ok())).await;
        let mut told = Vec::new();
        for number in 0..3 {
            let sent = within(ws.send(format!("{number}"))).await;
            assert_eq!(sent.expect("it is open"), number);
            for _ in ["the echo", "the gap, or the end"] {
                told.push(short(poll_fn(|cx| pin!(ws.next_event()).poll(cx)).await));
            }
        }
        told
    };
    let ((), told) = within(async { tokio::join!(serve, client) }).await;
    // The server was gone before it read the ping behind the message.
    let gaps = [r#"gap ["0:0"]+0"#, r#"gap ["1:1"]+0"#];
    assert_eq!(told, ["0", gaps[0], "1", gaps[1], "2", "end"]);
}

#[track_caller]
fn frame(code: u16) -> ReconnectError {
    let code = CloseCode::from_wire(code).expect("a code");
    ReconnectError::Closed(code.into())
}

#[test]
fn what_may_pass() {
    for code in [1001, 1011, 1012, 1013, 1014] {
        assert!(frame(code).may_pass(), "{code}");
    }
    for code in [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 4999] {
        assert!(!frame(code).may_pass(), "{code}");
    }
    for code in [CloseCode::NO_STATUS, CloseCode::ABNORMAL_CLOSURE] {
        assert!(ReconnectError::Closed(code.into()).may_pass(), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_close_of_the_server_says_whether_to_come_back() {
    for (code, want) in [
        (
            1008,
            "error: the server closed the WebSocket with 1008 \"why\"",
        ),
        (
            4001,
            "error: the server closed the WebSocket with 4001 \"why\"",
        ),
        (1000, "end"),
        (1012, "again"),
        (1005, "again"),
    ] {
        let (mut ws, mut server) = feed();
        let serve = async {
            server.close_with(code).await;
            if want == "again" {
                let socket = server.accept().await;
                drop(socket);
            }
        };
        let ((), told) = tokio::join!(serve, async {
            match want {
                "again" => {
                    assert_eq!(next(&mut ws).await, "gap []+0");
                    "again".to_owned()
                }
                _ => next(&mut ws).await,
            }
        });
        assert_eq!(told, want, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_breaks_the_protocol_is_left() {
    let (mut ws, mut server) = feed();
    let serve = async {
        let mut socket = server.accept().await;
        let invalid = WsMessage::TextBytes("\u{e9}".as_bytes()[..1].to_vec().into());
        socket.send(invalid).await.expect("it is open");
        socket
    };
    let (_socket, told) = tokio::join!(serve, next(&mut ws));
    assert_eq!(told, "error: Invalid UTF-8 text message");
    assert_eq!(next(&mut ws).await, "end");
    // Who asks again is told that it is over.
    let error = ws.send("x").await.expect_err("it has ended");
    assert!(matches!(error, ReconnectError::Socket(WsError::Closed)));
    assert!(ws.connected().await.is_err());
}

/// Gives how long it took until the client came back behind an answer.
async fn time_behind(status: u16, retry_after: Option<&str>) -> Duration {
    let (mut ws, mut server) = feed();
    let serve = async {
        server.refuse(status, retry_after).await;
        let begun = Instant::now();
        server.close_with(1000).await;
        begun.elapsed()
    };
    let (elapsed, told) = tokio::join!(serve, next(&mut ws));
    assert_eq!(told, "end");
    elapsed
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_busy_says_how_long() {
    for status in [429, 500, 503, 599] {
        assert!(time_behind(status, None).await <= 501 * MS, "{status}");
        let asked = time_behind(status, Some(" 7 ")).await;
        assert!((7 * SECOND..=7501 * MS).contains(&asked), "{asked:?}");
    }
    for nonsense in ["soon", "-1", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        assert!(time_behind(503, Some(nonsense)).await <= 501 * MS);
    }
    let (mut ws, mut server) = feed();
    let refusing = server.refuse(503, Some("Fri, 31 Dec 9999 23:59:59 GMT"));
    let year = timeout(365 * 24 * 3600 * SECOND, ws.next_event());
    let ((), told) = tokio::join!(refusing, year);
    assert!(told.is_err(), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_is_left() {
    for status in [200, 204, 400, 401, 403, 404, 407] {
        let (mut ws, mut server) = feed();
        let ((), told) = tokio::join!(server.refuse(status, Some("1")), within(ws.next_event()));
        let Err(ReconnectError::Connect(error)) = told else {
            panic!("{status}: {told:?}");
        };
        assert_eq!(error.status(), Some(status));
        assert_eq!(next(&mut ws).await, "end");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_dialled_is_tried_again_unless_that_is_hopeless() {
    for (refusal, tries) in [
        (ConnectErrorKind::Refused, 4),
        (ConnectErrorKind::Resolve, 4),
        (ConnectErrorKind::Lost, 4),
        (ConnectErrorKind::Tls(TlsProblem::NotTls), 1),
        (
            ConnectErrorKind::Fingerprint {
                expected: [0; 32],
                got: [1; 32],
            },
            1,
        ),
    ] {
        let (session, server) = session_with(refusal.clone(), |builder| builder);
        drop(server);
        let tried = Arc::new(Mutex::new(0));
        let count = Arc::clone(&tried);
        let ws = session.ws_connect(URL).reconnecting().max_failures(3);
        let mut ws = ws.retry_if(move |error| {
            *count.lock().expect("no panic") += 1;
            error.may_pass()
        });
        let told = within(ws.next_event()).await;
        assert!(matches!(told, Err(ReconnectError::Connect(_))), "{told:?}");
        assert_eq!(*tried.lock().expect("no panic"), tries, "{refusal:?}");
    }
    let session = ClientSession::new();
    let mut ws = session.ws_connect("nowhere").reconnecting();
    let Err(ReconnectError::Connect(error)) = ws.connected().await.map(|_| ()) else {
        panic!("that is no URL");
    };
    assert!(error.is_invalid_url());
    assert!(
        next(&mut ws).await.starts_with("error: "),
        "it is told once more"
    );
}

#[tokio::test(start_paused = true)]
async fn the_user_decides_what_is_tried_again() {
    let (ws, mut server) = feed();
    let mut ws = ws.retry_if(|error| match error {
        ReconnectError::Closed(CloseFrame { code, reason }) => {
            code.get() == 4000 && reason == "why"
        }
        error => error.may_pass(),
    });
    let serve = async {
        server.close_with(4000).await;
        server.close_with(1012).await;
    };
    let ((), told) = tokio::join!(serve, async { [next(&mut ws).await, next(&mut ws).await] });
    assert_eq!(told[0], "gap []+0");
    assert!(told[1].contains("1012"), "{told:?}");
}

/// Gives the waits of a client that nobody answers.
async fn waits(
    change: impl FnOnce(ReconnectingWebSocket) -> ReconnectingWebSocket,
) -> Vec<Duration> {
    let (session, server) = session();
    drop(server);
    let failed = Arc::new(Mutex::new(Vec::new()));
    let times = Arc::clone(&failed);
    let ws = session.ws_connect(URL).reconnecting().retry_if(move |_| {
        times.lock().expect("no panic").push(Instant::now());
        true
    });
    let told = within(change(ws).next_event()).await;
    assert!(matches!(told, Err(ReconnectError::Connect(_))), "{told:?}");
    let failed = failed.lock().expect("no panic");
    failed.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn waits_grow_and_are_spread() {
    let mut spread = [0; 4];
    for _ in 0..50 {
        let waits = waits(|ws| ws.max_failures(12)).await;
        assert_eq!(waits.len(), 12);
        for (failures, wait) in waits.iter().enumerate() {
            let most = (500 * MS * (1 << failures)).min(30 * SECOND);
            // The clock of tests goes in steps of a millisecond.
            assert!(*wait <= most + MS, "{failures}: {wait:?}");
            let quarter = (*wait).min(most - MS).as_millis() * 4 / most.as_millis();
            spread[usize::try_from(quarter).expect("below four")] += 1;
        }
    }
    // Of 600, 150 each; less than 90 would happen once in 10^8.
    assert!(spread.iter().all(|count| *count > 90), "{spread:?}");

    let waits = waits(|ws| ws.max_failures(20).backoff(Duration::ZERO, SECOND)).await;
    assert!(waits.iter().all(|wait| *wait <= 1001 * MS), "{waits:?}");
    assert!(waits.iter().sum::<Duration>() > SECOND, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn there_may_be_an_end_to_trying() {
    assert_eq!(waits(|ws| ws.max_failures(0)).await.len(), 0);
    assert_eq!(waits(|ws| ws.max_failures(1)).await.len(), 1);
    for limit in [Duration::ZERO, 10 * SECOND, 100 * SECOND] {
        let away: Duration = waits(|ws| ws.max_away(limit)).await.iter().sum();
        assert!(away <= limit, "{away:?}");
        // The next try would have been later than the limit.
        assert!(away + 31 * SECOND > limit, "{away:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_lived_makes_good_for_failures() {
    for (lived, lives) in [(30 * SECOND, 9), (29 * SECOND, 3)] {
        let (ws, mut server) = feed();
        let mut ws = ws.max_failures(3).max_away(300 * SECOND);
        let serve = tokio::spawn(async move {
            for _ in 0..9 {
                let socket = server.accept().await;
                tokio::time::sleep(lived).await;
                vanish(socket);
            }
        });
        let mut gaps = 0;
        while let Ok(event) = within(ws.next_event()).await {
            assert!(matches!(event, Some(WsEvent::Gap { .. })), "{event:?}");
            gaps += 1;
        }
        // Each connection but the first comes with a gap; behind the last nobody listens.
        assert_eq!(gaps, lives - if lives == 9 { 1 } else { 0 });
        serve.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn sending_waits_for_a_connection_or_does_not() {
    let (mut ws, mut server) = feed();
    let serve = async {
        server.refuse(503, Some("9")).await;
        let mut socket = server.accept().await;
        let text = socket.receive_str().await.expect("a message");
        (text, socket)
    };
    let ((text, socket), sent) = within(async { tokio::join!(serve, ws.send("1")) }).await;
    assert_eq!((&*text, sent.expect("it opened")), ("1", 0));
    drop((ws, socket));

    let (ws, mut server) = feed();
    let mut ws = ws.send_waits(false);
    let error = ws.send("x").await.expect_err("there is no connection");
    assert!(matches!(error, ReconnectError::Away));
    let (socket, opened) = tokio::join!(server.accept(), within(ws.connected()));
    assert_eq!(opened.expect("it opens").head().status(), 101);
    assert_eq!(ws.send("x").await.expect("it is open"), 0);
    vanish(socket);
    settle(&mut ws).await;
    let error = ws.send("x").await.expect_err("it is away");
    assert!(matches!(error, ReconnectError::Away), "{error:?}");
    let (_socket, told) = tokio::join!(server.accept(), next(&mut ws));
    assert_eq!(told, "gap [\"0:x\"]+0");
    assert_eq!(ws.send("y").await.expect("it is open"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_is_an_error_and_nothing_else() {
    let (mut ws, mut server) = feed();
    let (_socket, opened) = tokio::join!(server.accept(), ws.connected());
    opened.expect("it opens");
    for message in [WsMessage::Close(None), WsMessage::Closing] {
        let error = ws.send(message).await.expect_err("no way");
        assert!(matches!(
            error,
            ReconnectError::Socket(WsError::NotSendable(_))
        ));
    }
    let error = ws.send(WsMessage::Ping(vec![0; 126].into())).await;
    let error = error.expect_err("too long");
    assert!(matches!(
        error,
        ReconnectError::Socket(WsError::ControlTooLong(126))
    ));
    let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
    let error = ws.send_json(&unwritable).await.expect_err("no JSON");
    assert!(matches!(
        error,
        ReconnectError::Socket(WsError::WriteJson(_))
    ));
    assert!(ws.take_unconfirmed().is_empty());
    assert_eq!(ws.send_json(&[1]).await.expect("it is open"), 0);
    assert_eq!(listed(&ws.take_unconfirmed()), "[\"0:[1]\"]+0");
}

/// A hook that writes down what it is told, and fails the second time.
fn hook(
    log: Arc<Mutex<Vec<u64>>>,
    error: impl Fn() -> BoxError,
) -> impl for<'a> Fn(&'a mut ClientWebSocketResponse, u64) -> BoxFuture<'a, Result<(), BoxError>> {
    move |_, lost| {
        let mut log = log.lock().expect("no panic");
        log.push(lost);
        let result = if log.len() == 2 { Err(error()) } else { Ok(()) };
        Box::pin(async { result })
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_may_fail() {
    let refused = || ReconnectError::Away.into();
    let broken = || WsError::UnexpectedEnd.into();
    for (error, want) in [
        (
            Box::new(refused) as Box<dyn Fn() -> BoxError + Send + Sync>,
            "error: cannot resubscribe",
        ),
        (Box::new(broken), "gap []+0"),
    ] {
        let log = Arc::default();
        let (ws, mut server) = feed();
        let mut ws = ws.resubscribe(hook(Arc::clone(&log), error));
        let serve = async {
            for _ in 0..2 {
                server.say_and_vanish("x").await;
            }
            if want != "error: cannot resubscribe" {
                vanish(server.accept().await);
            }
        };
        let told = async { [next(&mut ws).await, next(&mut ws).await] };
        let ((), told) = tokio::join!(serve, told);
        assert_eq!(told, ["x", want]);
        let calls: &[u64] = if want == "gap []+0" {
            &[0, 1, 1]
        } else {
            &[0, 1]
        };
        assert_eq!(*log.lock().expect("no panic"), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_server_does_to_a_hook_counts() {
    for (code, want) in [
        (
            1008,
            "error: the server closed the WebSocket with 1008 \"\"",
        ),
        (1012, "welcome"),
        (1005, "welcome"),
        (1006, "welcome"),
    ] {
        let (ws, mut server) = feed();
        // That it fails for a reason of its own does not hide that of the server.
        let mut ws = ws.resubscribe(|socket, _| {
            Box::pin(async move {
                match socket.receive_str().await {
                    Ok(_) => Ok(()),
                    Err(error) if socket.close_code() == Some(1008) => Err(error.into()),
                    Err(error) => Err(format!("not let in: {error}").into()),
                }
            })
        });
        let serve = async {
            match code {
                1006 => vanish(server.accept().await),
                code => server.close_with(code).await,
            }
            if want == "welcome" {
                let mut socket = server.accept().await;
                for text in ["for the hook", "welcome"] {
                    socket.send_str(text).await.expect("it is open");
                }
            }
        };
        let ((), told) = tokio::join!(serve, next(&mut ws));
        assert_eq!(told, want, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_server_is_found() {
    let (session, mut server) = session();
    let silence = ClientWsTimeout {
        ws_receive: Some(60 * SECOND),
        ..ClientWsTimeout::default()
    };
    for request in [
        session.ws_connect(URL).heartbeat(40 * SECOND),
        session.ws_connect(URL).timeout(silence),
    ] {
        let mut ws = request.reconnecting();
        let serve = async {
            let dead = server.accept().await;
            let begun = Instant::now();
            let again = server.accept().await;
            (begun.elapsed(), dead, again)
        };
        let ((elapsed, ..), told) = tokio::join!(serve, next(&mut ws));
        assert_eq!(told, "gap []+0");
        assert!((60 * SECOND..61 * SECOND).contains(&elapsed), "{elapsed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_session_ends_it() {
    let (session, mut server) = session();
    let mut ws = session.ws_connect(URL).reconnecting();
    let (socket, opened) = tokio::join!(server.accept(), ws.connected());
    opened.expect("it opens");
    session.close().await;
    let begun = Instant::now();
    assert!(
        next(&mut ws).await.starts_with("error: "),
        "its connection is closed"
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(next(&mut ws).await, "end");
    drop(socket);

    // Also one that waits for its next try.
    let (session, mut server) = self::session();
    let mut ws = session.ws_connect(URL).reconnecting();
    let refused = async {
        server.refuse(503, Some("5")).await;
        tokio::time::sleep(SECOND).await;
        session.close().await;
    };
    let ((), told) = tokio::join!(refused, next(&mut ws));
    assert_eq!(told, "error: session is closed");
}

#[tokio::test(start_paused = true)]
async fn closing_ends_it_whatever_it_does() {
    // Before it began, while it waits, and while it is open.
    let (mut ws, _server) = feed();
    assert!(ws.close(CloseCode::OK, "").await);
    assert!(!ws.close(CloseCode::OK, "").await);
    assert_eq!(next(&mut ws).await, "end");

    let (mut ws, mut server) = feed();
    let waiting = async { timeout(SECOND, ws.next_event()).await.is_err() };
    let ((), waits) = tokio::join!(server.refuse(503, Some("60")), waiting);
    assert!(waits && ws.close(CloseCode::OK, "").await);
    assert_eq!(next(&mut ws).await, "end");

    let (mut ws, mut server) = feed();
    let (mut socket, opened) = tokio::join!(server.accept(), ws.connected());
    opened.expect("it opens");
    let (closed, received) = tokio::join!(ws.close(CloseCode::GOING_AWAY, "bye"), socket.receive());
    assert!(closed);
    let Ok(Some(WsMessage::Close(Some(frame)))) = received else {
        panic!("{received:?}");
    };
    assert_eq!((frame.code, &*frame.reason), (CloseCode::GOING_AWAY, "bye"));
    assert_eq!(next(&mut ws).await, "end");

    // And one that is dropped half way.
    let (mut ws, mut server) = feed();
    let (_socket, opened) = tokio::join!(server.accept(), ws.connected());
    opened.expect("it opens");
    assert!(timeout(SECOND, ws.close(CloseCode::OK, "")).await.is_err());
    assert_eq!(next(&mut ws).await, "end");
}

#[tokio::test(start_paused = true)]
async fn dropped_it_leaves_nothing_behind() {
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let (session, mut server) = session();
    let before = tasks();
    let request = session.ws_connect(URL).heartbeat(SECOND);
    let mut ws = request.reconnecting();
    let (mut socket, opened) = tokio::join!(server.accept(), ws.connected());
    opened.expect("it opens");
    drop(ws);
    let Ok(Some(WsMessage::Close(Some(frame)))) = within(socket.receive()).await else {
        panic!("it says goodbye");
    };
    assert_eq!(frame.code, CloseCode::GOING_AWAY);
    tokio::time::sleep(SECOND).await;
    assert_eq!((session.connector().stats().open, tasks()), (0, before));

    // In the handshake, and while it waits.
    let mut ws = session.ws_connect(URL).reconnecting();
    let (stream, waits) = tokio::join!(server.stream(), timeout(MS, ws.next_event()));
    assert!(waits.is_err());
    drop(ws);
    assert_eq!((session.connector().stats().open, tasks()), (0, before));
    drop(stream);
    let mut ws = session.ws_connect(URL).reconnecting();
    let waiting = async { timeout(SECOND, ws.next_event()).await.is_err() };
    let ((), waits) = tokio::join!(server.refuse(503, Some("60")), waiting);
    assert!(waits);
    drop(ws);
    assert_eq!((session.connector().stats().open, tasks()), (0, before));
}

#[tokio::test(start_paused = true)]
async fn each_connection_is_asked_for_anew() {
    let (session, mut server) = session();
    let request = session.ws_connect(URL);
    let mut ws = request
        .basic_auth(BasicAuth::new("ada", "s3cret"))
        .reconnecting();
    let serve = async {
        let mut seen = Vec::new();
        for number in 0..3 {
            let mut asked = server_of(&mut server).await;
            let headers = asked.request().headers();
            let authorized = headers.get("authorization").is_some();
            let cookie = headers
                .get(COOKIE)
                .map(|value| value.to_str().expect("text"));
            seen.push((authorized, cookie.map(str::to_owned)));
            let cookie = HeaderValue::from_str(&format!("visit={number}")).expect("a value");
            asked.headers_mut().insert(SET_COOKIE, cookie);
            vanish(asked.accept().await.expect("the client waits"));
        }
        seen
    };
    let receive = async { [next(&mut ws).await, next(&mut ws).await] };
    let (seen, _) = tokio::join!(serve, receive);
    let visit = |number| Some(format!("visit={number}"));
    assert_eq!(seen, [(true, None), (true, visit(0)), (true, visit(1))]);
}

async fn server_of(server: &mut Server) -> aio_client::ws::Asked<Far> {
    let asked = aio_client::ws::server(server.stream().await).read_request();
    asked.await.expect("a request")
}

#[tokio::test(start_paused = true)]
async fn secrets_stay_hidden() {
    let (session, mut server) = session();
    let request = session.ws_connect(URL).header("Cookie", "id=s3cret");
    let mut ws = request
        .basic_auth(BasicAuth::new("ada", "s3cret"))
        .reconnecting();
    let mut shown = vec![format!("{ws:?}")];
    let (socket, opened) = tokio::join!(server.accept(), ws.connected());
    opened.expect("it opens");
    ws.send("token s3cret").await.expect("it is open");
    shown.push(format!("{ws:?}"));
    drop(socket);
    drop(server);
    let waits = timeout(SECOND, ws.next_event()).await;
    assert!(waits.is_err());
    shown.push(format!("{ws:?}"));
    shown.push(format!("{:?}", ws.take_unconfirmed()));
    for shown in shown {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_a_stream() {
    let (mut ws, mut server) = feed();
    let serve = async {
        server.say_and_vanish("one").await;
        server.close_with(1008).await;
    };
    let receive = async {
        let mut told = Vec::new();
        while let Some(event) = poll_fn(|cx| Pin::new(&mut ws).poll_next(cx)).await {
            told.push(short(event.map(Some)));
        }
        told
    };
    let ((), told) = tokio::join!(serve, receive);
    assert_eq!(told[..2], ["one", "gap []+0"]);
    assert!(told[2].contains("1008") && told.len() == 3, "{told:?}");
}
