//! Servers that close, reset and talk out of turn, and what stands in the pool behind them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use aio_client::{Body, ClientError, ClientSession};
use aio_tests::random::Random;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::peer::{Listener, Peer, soon};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const FRESH: &str = "HTTP/1.1 299 Fresh\r\nContent-Length: 0\r\n\r\n";

/// More than all buffers on the way hold.
const LARGE: usize = 64 << 20;

/// Sends a GET that leaves its connection idle, and gives the peer's end.
async fn idle(listener: &Listener, session: &ClientSession) -> Peer {
    let (mut response, peer) = listener.answer(session.get(listener.url("/")), OK).await;
    assert_eq!(response.text().await.expect("a body"), "ok");
    check_pool(session, 1, "behind the first");
    peer
}

/// Checks that so many connections are open, all of them idle.
#[track_caller]
pub(crate) fn check_pool(session: &ClientSession, open: usize, what: &str) {
    let stats = session.connector().stats();
    let counts = (stats.open, stats.idle, stats.waiting);
    assert_eq!(counts, (open, open, 0), "{what}");
}

/// Sends a POST, which is sent once: it must go out on a new connection.
async fn check_replaced(listener: &Listener, session: &ClientSession, what: &str) {
    let post = session.post(listener.url("/")).body("once");
    let (response, _peer) = soon(what, listener.answer(post, FRESH)).await;
    assert_eq!(response.status(), 299, "{what}");
    check_pool(session, 1, what);
}

#[tokio::test]
async fn what_a_server_says_out_of_turn_is_no_answer() {
    for said in [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
        "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "garbage",
        "\r\n",
        "\0",
    ] {
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let mut peer = idle(&listener, &session).await;
        peer.send(said).await;
        peer.wire().reached().await;
        check_replaced(&listener, &session, said).await;
        soon(said, peer.drain()).await;
    }
}

#[tokio::test]
async fn what_follows_a_response_is_no_answer() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.get(listener.url("/"));
    let (mut response, mut peer) = listener.answer(request, format!("{OK}{OK}")).await;
    assert_eq!(response.text().await.expect("a body"), "ok");
    check_pool(&session, 0, "it was not done");
    soon("the connection", peer.drain()).await;
    check_replaced(&listener, &session, "behind a second response").await;
}

#[tokio::test]
async fn a_server_that_ends_what_it_says_gets_no_more_requests() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let mut peer = idle(&listener, &session).await;
    peer.end().await;
    peer.wire().reached().await;
    check_replaced(&listener, &session, "behind a half-close").await;
    soon("the other half", peer.drain()).await;
}

#[tokio::test]
async fn a_server_that_resets_an_idle_connection_gets_a_new_one() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let peer = idle(&listener, &session).await;
    let wire = peer.wire();
    peer.reset();
    wire.reached().await;
    check_replaced(&listener, &session, "behind a reset").await;
}

#[tokio::test]
async fn an_upload_fails_when_its_server_ends_without_an_answer() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    for size in [4, LARGE] {
        let upload = session.post(listener.url("/")).body(vec![b'x'; size]);
        let end = async {
            let mut peer = listener.accept().await;
            peer.head().await;
            peer.end().await;
            peer
        };
        let both = async { tokio::join!(upload.send(), end) };
        let (outcome, mut peer) = soon("the error", both).await;
        let error = outcome.expect_err("there was no answer");
        assert_eq!(error.aiohttp_class(), "ServerDisconnectedError", "{size}");
        assert!(!error.is_retryable(), "{size}: {error:?}");
        check_pool(&session, 0, "behind the error");
        soon("the other half", peer.drain()).await;
    }
}

#[tokio::test]
async fn an_upload_that_may_be_sent_again_is_when_its_server_ends_without_an_answer() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let upload = session.put(listener.url("/")).body(vec![b'x'; LARGE]);
    let twice = async {
        let mut first = listener.accept().await;
        first.head().await;
        first.end().await;
        let mut second = listener.accept().await;
        second.head().await;
        second.skip(LARGE as u64).await;
        second.send(OK).await;
        (first, second)
    };
    let both = async { tokio::join!(upload.send(), twice) };
    let (response, (mut first, _second)) = soon("the response", both).await;
    assert_eq!(response.expect("the second answers").status(), 200);
    check_pool(&session, 1, "behind the second");
    soon("the other half of the first", first.drain()).await;
}

#[tokio::test]
async fn a_reset_inside_the_head_fails_a_post_and_repeats_a_get() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let reset = async || {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Le").await;
        peer.reset();
    };
    let post = session.post(listener.url("/")).body("once");
    let both = async { tokio::join!(post.send(), reset()) };
    let (outcome, ()) = soon("the error", both).await;
    let error = outcome.expect_err("a reset");
    assert_eq!(error.aiohttp_class(), "ClientOSError");
    assert!(!error.is_retryable(), "{error:?}");
    check_pool(&session, 0, "behind the error");

    let twice = async {
        reset().await;
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send(OK).await;
        peer
    };
    let get = session.get(listener.url("/"));
    let both = async { tokio::join!(get.send(), twice) };
    let (response, _peer) = soon("the response", both).await;
    assert_eq!(response.expect("the second answers").status(), 200);
    check_pool(&session, 1, "behind the second");
}

#[tokio::test]
async fn a_reset_inside_the_body_is_the_end_of_it() {
    for head in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let request = session.get(listener.url("/"));
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n");
        let (mut response, mut peer) = listener.answer(request, answer).await;
        let cut = if head.starts_with('C') {
            "he"
        } else {
            "2\r\nhe\r\n"
        };
        peer.send(cut).await;
        let chunk = soon(head, response.content().chunk()).await;
        assert_eq!(chunk.expect("what came"), Some(Bytes::from("he")), "{head}");
        peer.reset();
        let rest = soon(head, response.read()).await;
        let error = rest.expect_err("it is cut off");
        assert_eq!(error.aiohttp_class(), "ClientPayloadError", "{head}");
        check_pool(&session, 0, head);
    }
}

/// Answers the head of an upload and closes at once, with a reset: nobody reads the rest.
async fn answer_and_close(listener: &Listener, answer: &str) {
    let mut peer = listener.accept().await;
    peer.head().await;
    peer.send(answer).await;
}

/// A body that has always one piece more.
fn endless() -> Body {
    struct Endless;
    impl futures_core::Stream for Endless {
        type Item = Result<Bytes, io::Error>;

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(Some(Ok(Bytes::from_static(&[b'x'; 16 * 1024]))))
        }
    }
    Body::stream(Endless)
}

#[tokio::test]
async fn an_answer_before_the_end_of_an_upload_outlives_its_connection() {
    let large = Bytes::from(vec![b'x'; LARGE]);
    for answer in [
        "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 413 Too Large\r\nConnection: close\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
    ] {
        let (listener, session) = (Listener::new().await, ClientSession::new());
        for body in (0..20).flat_map(|_| [Body::from(large.clone()), endless()]) {
            let read = async {
                let mut response = session.post(listener.url("/")).body(body).await?;
                response.text().await
            };
            let both = async { tokio::join!(read, answer_and_close(&listener, answer)) };
            let (text, ()) = soon(answer, both).await;
            assert_eq!(text.expect("the answer"), "no", "{answer:?}");
            check_pool(&session, 0, answer);
        }
    }
}

/// What a server does on a connection when it has answered.
#[derive(Clone, Copy, Debug)]
enum Mood {
    /// Answers the next request as well.
    Steady,
    /// Closes after so many microseconds, whatever comes meanwhile.
    Idle(u64),
    /// Closes when so much of a request has come.
    Request(u64),
    /// Answers a request with so much of a head, and closes.
    Answer(u64),
}

impl Mood {
    fn any(random: &mut Random) -> Self {
        match random.below(10) {
            0 => Self::Steady,
            1..=5 => Self::Idle(random.below(400)),
            // No request here is longer.
            6 | 7 => Self::Request(1 + random.below(200)),
            _ => Self::Answer(random.below(HEAD.len() as u64)),
        }
    }

    fn target(self) -> String {
        match self {
            Self::Steady => "/steady/0".to_owned(),
            Self::Idle(micros) => format!("/idle/{micros}"),
            Self::Request(bytes) => format!("/request/{bytes}"),
            Self::Answer(bytes) => format!("/answer/{bytes}"),
        }
    }

    /// Reads off a target what is asked for.
    fn of(target: &str) -> Self {
        let asked = target[1..].split_once('/');
        let asked = asked.map(|(mood, number)| (mood, number.parse().expect("a number")));
        match asked.expect("two words") {
            ("idle", micros) => Self::Idle(micros),
            ("request", bytes) => Self::Request(bytes),
            ("answer", bytes) => Self::Answer(bytes),
            _ => Self::Steady,
        }
    }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: ";

/// A server that counts the numbers it is sent, and whose mood is asked for.
struct MoodyServer {
    address: SocketAddr,
    seen: Seen,
    open: watch::Receiver<usize>,
    /// Ends when it is dropped.
    _serving: JoinSet<()>,
}

/// How often each number came.
type Seen = Arc<Mutex<Vec<u32>>>;

impl MoodyServer {
    async fn start(numbers: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::new(Mutex::new(vec![0; numbers]));
        let (counts, open) = watch::channel(0);
        let (mut serving, shared) = (JoinSet::new(), Arc::clone(&seen));
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counts.send_modify(|open| *open += 1);
                let (seen, counts) = (Arc::clone(&shared), counts.clone());
                connections.spawn(async move {
                    let input = Vec::new();
                    // That the client leaves is no error.
                    _ = Conversation {
                        stream,
                        input,
                        seen,
                    }
                    .run()
                    .await;
                    counts.send_modify(|open| *open -= 1);
                });
            }
        });
        Self {
            address,
            seen,
            open,
            _serving: serving,
        }
    }

    fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    fn seen(&self, number: usize) -> u32 {
        self.seen.lock().expect("no panic")[number]
    }
}

struct Conversation {
    stream: TcpStream,
    input: Vec<u8>,
    seen: Seen,
}

impl Conversation {
    async fn run(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut mood = Mood::Steady;
        loop {
            match mood {
                Mood::Steady => {
                    let Some((target, body)) = self.request().await? else {
                        return Ok(());
                    };
                    mood = Mood::of(&target);
                    let answer = format!("{HEAD}{}\r\n\r\n{body}", body.len());
                    self.stream.write_all(answer.as_bytes()).await?;
                }
                Mood::Idle(micros) => {
                    pause(micros).await;
                    return self.close();
                }
                Mood::Request(bytes) => {
                    while (self.input.len() as u64) < bytes && parse(&self.input).is_none() {
                        self.input.push(self.stream.read_u8().await?);
                    }
                    return self.close();
                }
                Mood::Answer(bytes) => {
                    self.request().await?;
                    let head = &HEAD.as_bytes()[..bytes as usize];
                    return self.stream.write_all(head).await;
                }
            }
        }
    }

    /// Receives a request and counts it, if there is one: its target and its body.
    async fn request(&mut self) -> io::Result<Option<(String, String)>> {
        loop {
            if let Some(request) = parse(&self.input) {
                count(&self.seen, &request);
                self.input.clear();
                return Ok(Some(request));
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Closes, and counts what had come by then, read or not.
    fn close(mut self) -> io::Result<()> {
        let mut unread = [0; 1024];
        let stream = self.stream.into_std()?;
        if let Ok(length) = stream.peek(&mut unread) {
            self.input.extend_from_slice(&unread[..length]);
        }
        if let Some(request) = parse(&self.input) {
            count(&self.seen, &request);
        }
        Ok(())
    }
}

/// Counts the number of a request: a GET has it in its target, a POST in its body.
fn count(seen: &Seen, (target, body): &(String, String)) {
    let number = target.strip_prefix("/get/").unwrap_or(body);
    if let Ok(number) = number.parse::<usize>() {
        seen.lock().expect("no panic")[number] += 1;
    }
}

/// Takes target and body out of a request that is there whole.
fn parse(input: &[u8]) -> Option<(String, String)> {
    let request = str::from_utf8(input).expect("ASCII");
    let (head, body) = request.split_once("\r\n\r\n")?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
    let target = head.split(' ').nth(1)?;
    (body.len() == length).then(|| (target.to_owned(), body.to_owned()))
}

/// Waits for less than a timer can.
pub(crate) async fn pause(micros: u64) {
    let (start, pause) = (Instant::now(), Duration::from_micros(micros));
    while start.elapsed() < pause {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_while_we_send_loses_no_get_and_repeats_no_post() {
    const ROUNDS: usize = 1000;
    let (server, session) = (MoodyServer::start(ROUNDS).await, ClientSession::new());
    let (mut random, mut posts) = (Random::seeded(3), Vec::new());
    let (mut answered, mut repeated) = (0, 0);
    for round in 0..ROUNDS {
        let mood = Mood::any(&mut random);
        let what = format!("round {round}, {mood:?}");
        let first = session.get(server.url(&mood.target())).send();
        let first = soon(&what, first).await.expect("the server is steady");
        drop(first);
        check_pool(&session, 1, &what);

        pause(random.below(400)).await;
        if random.below(2) == 0 {
            let get = session.get(server.url(&format!("/get/{round}"))).send();
            let got = soon(&what, get).await;
            assert_eq!(
                got.expect("the second try succeeds").status(),
                200,
                "{what}"
            );
            repeated += server.seen(round) - 1;
        } else {
            let post = session.post(server.url("/post/0")).body(round.to_string());
            let sent = soon(&what, async { post.await?.text().await }).await;
            match &sent {
                Ok(text) => assert_eq!(*text, round.to_string(), "{what}"),
                Err(error) => assert!(is_broken(error), "{what}: {error}"),
            }
            answered += usize::from(sent.is_ok());
            posts.push((round, sent.is_ok()));
        }
        let open = session.connector().stats().open;
        assert!(open <= 1, "{what}: {open} are open");
        check_pool(&session, open, &what);
    }
    session.close().await;
    check_pool(&session, 0, "closed");
    let mut open = server.open.clone();
    let closed = soon(
        "the end of all connections",
        open.wait_for(|open| *open == 0),
    )
    .await;
    closed.expect("the server counts");
    for (number, answered) in &posts {
        let seen = server.seen(*number);
        assert!(
            if *answered { seen == 1 } else { seen <= 1 },
            "{number} came {seen} times"
        );
    }
    // Else the moods were not what they are for.
    assert!(0 < answered && answered < posts.len() && repeated > 0);
}

/// Tells whether an error says that the connection broke.
pub(crate) fn is_broken(error: &ClientError) -> bool {
    matches!(
        error.aiohttp_class(),
        "ServerDisconnectedError" | "ClientOSError" | "ClientConnectionResetError"
    )
}
