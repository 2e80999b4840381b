//! Bodies on their way out: what they wait for, what is counted of them, how they fail.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aio_connector::{
    BoxFuture, ConnectRequest, Connection, ConnectionError, ConnectionKey, Dial, Exchange,
    ExchangeError, ExchangeOptions, PooledConnector, Transport, UploadFraming,
};
use aio_core::coding::{Coding, Decoder};
use aio_core::http1::{BodyDecoder, BodyEvent, Exchanged, Framing, Head, Limits};
use aio_core::{Body, BoxError, PayloadError, RequestUrl, UploadProgress};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::task::coop;

const HEAD: &str = "POST / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What a pipe holds in each direction.
const PIPE: usize = 1024;

/// Connects to ends that the test keeps.
#[derive(Default, Clone)]
struct InMemory {
    far: Arc<Mutex<Vec<DuplexStream>>>,
}

impl Dial for InMemory {
    fn dial<'a>(
        &'a self,
        _: &'a ConnectionKey,
        _: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
        let (near, far) = tokio::io::duplex(PIPE);
        self.far.lock().expect("no panic").push(far);
        Box::pin(async { Ok(Transport::over(near)) })
    }
}

/// A pool with the other end of its one connection.
struct Line {
    pool: PooledConnector<InMemory>,
    far: DuplexStream,
}

impl Line {
    /// Begins to send a request whose body waits for the server's leave.
    async fn expecting(body: Body, framing: UploadFraming) -> (Self, Exchange) {
        Self::sending(body, framing, true).await
    }

    async fn sending(
        body: Body,
        framing: UploadFraming,
        expect_continue: bool,
    ) -> (Self, Exchange) {
        let dial = InMemory::default();
        let pool = PooledConnector::over(dial.clone()).build().expect("valid");
        let url = RequestUrl::parse("http://a.test/").expect("a URL");
        let connected = pool.connect(&mut ConnectRequest::new(&url)).await;
        let mut connection: Connection = connected.expect("there is always one");
        connection
            .head_buffer()
            .0
            .extend_from_slice(HEAD.as_bytes());
        let options = ExchangeOptions {
            framing,
            limits: Limits::default(),
            exchanged: Exchanged::of(&Method::POST),
            expect_continue,
            force_close: false,
        };
        let exchange = Exchange::start(connection, body, options);
        let far = dial.far.lock().expect("no panic").pop();
        let far = far.expect("it was dialled");
        (Self { pool, far }, exchange)
    }

    async fn say(&mut self, text: &str) {
        let said = self.far.write_all(text.as_bytes());
        soon(said).await.expect("it fits into the pipe");
    }

    /// Hears what has arrived and no more.
    fn hear_bytes(&mut self) -> Vec<u8> {
        let mut heard = Vec::new();
        loop {
            let mut piece = [0; PIPE];
            let mut piece = ReadBuf::new(&mut piece);
            let read = poll(|cx| Pin::new(&mut self.far).poll_read(cx, &mut piece));
            if read.is_pending() || piece.filled().is_empty() {
                return heard;
            }
            heard.extend_from_slice(piece.filled());
        }
    }

    fn hear(&mut self) -> String {
        String::from_utf8(self.hear_bytes()).expect("ASCII")
    }

    #[track_caller]
    fn check(&self, open: usize, idle: usize, what: &str) {
        let stats = self.pool.stats();
        assert_eq!(
            (stats.open, stats.idle),
            (open, idle),
            "{what}: (open, idle)"
        );
    }
}

/// Polls once, whatever the task may still do of the runtime's budget.
fn poll<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let mut cx = Context::from_waker(Waker::noop());
    pin!(coop::unconstrained(poll_fn(poll))).poll(&mut cx)
}

/// Bounds a wait; the clock of these tests goes on by itself when everybody waits.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    let bound = Duration::from_secs(10);
    tokio::time::timeout(bound, what)
        .await
        .expect("not so late")
}

async fn head(exchange: &mut Exchange) -> Result<Head, ExchangeError> {
    soon(poll_fn(|cx| exchange.poll_head(cx))).await
}

/// Drives the exchange as far as it comes without an answer.
#[track_caller]
fn drive(exchange: &mut Exchange) {
    for _ in 0..10 {
        assert!(poll(|cx| exchange.poll_head(cx)).is_pending());
    }
}

async fn body(exchange: &mut Exchange) -> String {
    let mut text = Vec::new();
    loop {
        match soon(poll_fn(|cx| exchange.poll_body(cx))).await {
            Ok(BodyEvent::Data(piece)) => text.extend_from_slice(&piece),
            Ok(BodyEvent::End) => return String::from_utf8(text).expect("ASCII"),
            Ok(_) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Frames that are there at once; then it ends, waits for ever, or panics.
struct Frames {
    frames: VecDeque<Result<Frame<Bytes>, BoxError>>,
    then: Then,
    hint: SizeHint,
    /// Whoever else has it knows whether the source is dropped.
    _alive: Arc<()>,
}

enum Then {
    End,
    Wait,
    Panic,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match (self.frames.pop_front(), &self.then) {
            (None, Then::Wait) => Poll::Pending,
            (None, Then::Panic) => panic!("as it was told"),
            (frame, _) => Poll::Ready(frame),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

/// A body of pieces, and what tells whether it is dropped.
fn pieces(texts: &[&'static str], then: Then) -> (Body, Arc<()>) {
    let frames = texts.iter().map(|&text| Ok(Frame::data(text.into())));
    frames_of(frames.collect(), then, SizeHint::default())
}

fn frames_of(
    frames: VecDeque<Result<Frame<Bytes>, BoxError>>,
    then: Then,
    hint: SizeHint,
) -> (Body, Arc<()>) {
    let alive = Arc::default();
    let body = Body::from_http(Frames {
        frames,
        then,
        hint,
        _alive: Arc::clone(&alive),
    });
    (body, alive)
}

#[track_caller]
fn check_dropped(alive: &Arc<()>, what: &str) {
    assert_eq!(Arc::strong_count(alive), 1, "{what}: the source is dropped");
}

#[tokio::test(start_paused = true)]
async fn a_body_waits_for_leave_to_be_sent() {
    for leave in [
        CONTINUE.to_owned(),
        format!("HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 102 P\r\n\r\n{CONTINUE}"),
    ] {
        for (upload, framing, want) in [
            (Body::from("abc"), UploadFraming::Length(3), "abc"),
            (
                pieces(&["a", "bc"], Then::End).0,
                UploadFraming::Chunked,
                "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
            ),
        ] {
            let (mut line, mut exchange) = Line::expecting(upload, framing).await;
            assert!(!exchange.is_waiting_for_continue(), "the head is not out");
            drive(&mut exchange);
            assert_eq!(line.hear(), HEAD);
            assert!(exchange.is_waiting_for_continue());
            assert!(!exchange.is_sent() && !exchange.is_sending());
            line.say(&leave).await;
            drive(&mut exchange);
            assert_eq!(line.hear(), want);
            assert!(!exchange.is_waiting_for_continue());
            line.say(OK).await;
            assert_eq!(head(&mut exchange).await.expect("a head").status, 200);
            assert_eq!(body(&mut exchange).await, "ok");
            line.check(1, 1, want);
        }
    }
}

/// EDGE-064.
#[tokio::test(start_paused = true)]
async fn a_final_response_in_place_of_the_leave_drops_the_body_and_its_connection() {
    for status in ["200 OK", "302 Found", "417 Expectation Failed", "500 No"] {
        let (upload, alive) = pieces(&["abc"], Then::End);
        let (mut line, mut exchange) = Line::expecting(upload, UploadFraming::Chunked).await;
        drive(&mut exchange);
        let response = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno");
        line.say(&response).await;
        head(&mut exchange).await.expect("a head");
        assert!(!exchange.is_sending() && !exchange.is_waiting_for_continue());
        assert_eq!(body(&mut exchange).await, "no", "{status}");
        check_dropped(&alive, status);
        line.check(0, 0, status);
        assert_eq!(line.hear(), HEAD, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_final_response_in_place_of_the_leave_is_not_kept_when_it_is_released_either() {
    let (mut line, mut exchange) =
        Line::expecting(Body::from("abc"), UploadFraming::Length(3)).await;
    drive(&mut exchange);
    line.say(OK).await;
    head(&mut exchange).await.expect("a head");
    exchange.release();
    line.check(0, 0, "released");
    assert_eq!(line.hear(), HEAD);
}

/// EDGE-063, EDGE-065. As in aiohttp, a server that does not answer the question loses its
/// connection, though there was no body to keep back.
#[tokio::test(start_paused = true)]
async fn without_a_body_the_response_comes_all_the_same() {
    for (upload, framing, want) in [
        (Body::none as fn() -> Body, UploadFraming::Length(0), ""),
        (Body::none, UploadFraming::Chunked, "0\r\n\r\n"),
        (|| Body::from(""), UploadFraming::Length(0), ""),
        (|| Body::from(""), UploadFraming::Chunked, "0\r\n\r\n"),
    ] {
        let (mut line, mut exchange) = Line::expecting(upload(), framing).await;
        drive(&mut exchange);
        line.say(&format!("{CONTINUE}{OK}")).await;
        head(&mut exchange).await.expect("a head");
        assert_eq!(body(&mut exchange).await, "ok");
        assert_eq!(line.hear(), format!("{HEAD}{want}"));
        line.check(1, 1, want);

        let (mut line, mut exchange) = Line::expecting(upload(), framing).await;
        drive(&mut exchange);
        line.say(OK).await;
        head(&mut exchange).await.expect("a head");
        assert_eq!(body(&mut exchange).await, "ok");
        assert_eq!(line.hear(), HEAD);
        line.check(0, 0, want);
    }
}

/// A body that was not let go is there for another request.
#[tokio::test(start_paused = true)]
async fn a_body_that_was_not_let_go_is_given_back() {
    let (mut line, mut exchange) =
        Line::expecting(Body::from("abc"), UploadFraming::Length(3)).await;
    drive(&mut exchange);
    assert!(exchange.take_unsent_body().is_none());
    line.say(OK).await;
    head(&mut exchange).await.expect("a head");
    let unsent = exchange.take_unsent_body().expect("it is unsent");
    assert_eq!(unsent.as_bytes().map(|bytes| &bytes[..]), Some(&b"abc"[..]));
    assert!(exchange.take_unsent_body().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_body_may_go_without_leave() {
    let (mut line, mut exchange) =
        Line::expecting(Body::from("abc"), UploadFraming::Length(3)).await;
    drive(&mut exchange);
    assert_eq!(line.hear(), HEAD);
    exchange.send_body();
    assert!(!exchange.is_waiting_for_continue());
    drive(&mut exchange);
    assert_eq!(line.hear(), "abc");
    assert!(exchange.is_sent());
    // The leave may come late, or not at all.
    line.say(&format!("{CONTINUE}{OK}")).await;
    head(&mut exchange).await.expect("a head");
    assert_eq!(body(&mut exchange).await, "ok");
    line.check(1, 1, "kept");
}

#[tokio::test(start_paused = true)]
async fn a_body_goes_out_behind_leave_and_response_in_one() {
    let (mut line, mut exchange) =
        Line::expecting(Body::from("abc"), UploadFraming::Length(3)).await;
    drive(&mut exchange);
    line.say(&format!("{CONTINUE}{OK}")).await;
    head(&mut exchange).await.expect("a head");
    assert_eq!(body(&mut exchange).await, "ok");
    assert_eq!(line.hear(), format!("{HEAD}abc"));
    line.check(1, 1, "kept");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_instead_of_giving_leave_is_disconnected() {
    let (upload, alive) = pieces(&["abc"], Then::End);
    let (line, mut exchange) = Line::expecting(upload, UploadFraming::Chunked).await;
    drive(&mut exchange);
    let Line { pool, far } = line;
    drop(far);
    let error = head(&mut exchange).await.expect_err("nobody answers");
    assert!(
        matches!(error, ExchangeError::Disconnected { .. }),
        "{error:?}"
    );
    assert_eq!(pool.stats().open, 0);
    check_dropped(&alive, "disconnected");
}

/// EDGE-067.
#[tokio::test(start_paused = true)]
async fn an_exchange_dropped_at_any_point_closes_its_connection() {
    let response = format!("{CONTINUE}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    // How much the server has said when the request is dropped.
    for said in (0..=response.len()).rev() {
        for polls in [0, 1, 2] {
            let (upload, alive) = pieces(&["abc"], Then::Wait);
            let (mut line, mut exchange) = Line::expecting(upload, UploadFraming::Chunked).await;
            line.say(&response[..said]).await;
            let mut got = false;
            for _ in 0..polls {
                got = got || poll(|cx| exchange.poll_head(cx)).is_ready();
            }
            if got {
                let polled = poll(|cx| exchange.poll_body(cx));
                assert!(polled.is_pending(), "{said}");
            }
            drop(exchange);
            let what = format!("{said} bytes said, {polls} polls");
            line.check(0, 0, &what);
            check_dropped(&alive, &what);
            let heard = line.hear();
            let let_go = polls > 0 && said >= CONTINUE.len();
            assert_eq!(heard.starts_with(HEAD), polls > 0, "{what}");
            assert_eq!(heard.ends_with("3\r\nabc"), let_go, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn progress_counts_the_bodys_own_bytes() {
    for framing in [UploadFraming::Length(5000), UploadFraming::Chunked] {
        let bytes = "x".repeat(5000);
        let frames = [&bytes[..2000], "", &bytes[2000..]]
            .map(|text| Ok(Frame::data(Bytes::copy_from_slice(text.as_bytes()))));
        let (stream, _) = frames_of(frames.into(), Then::End, SizeHint::default());
        for upload in [Body::from(bytes), stream] {
            let progress = UploadProgress::default();
            progress.set_sent(7);
            let upload = upload.with_progress(progress.clone());
            let (mut line, mut exchange) = Line::sending(upload, framing, false).await;
            assert_eq!(progress.sent(), 0, "it begins again");
            let mut heard = String::new();
            while !exchange.is_sent() {
                drive(&mut exchange);
                heard += &line.hear();
                let body = heard.strip_prefix(HEAD).expect("the head goes first");
                let sent = body.matches('x').count();
                assert_eq!(progress.sent(), sent as u64, "{framing:?}");
            }
            assert_eq!(progress.sent(), 5000);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn progress_is_nothing_while_a_body_waits_for_leave() {
    let progress = UploadProgress::default();
    let upload = Body::from("abc").with_progress(progress.clone());
    let (mut line, mut exchange) = Line::expecting(upload, UploadFraming::Chunked).await;
    drive(&mut exchange);
    assert_eq!(progress.sent(), 0);
    line.say(CONTINUE).await;
    drive(&mut exchange);
    assert_eq!(progress.sent(), 3);
}

/// EDGE-051, EDGE-052: the session names the errors.
#[tokio::test(start_paused = true)]
async fn a_source_that_fails_closes_the_connection() {
    let frames = VecDeque::from([Ok(Frame::data("abc".into())), Err("out of ink".into())]);
    let (upload, alive) = frames_of(frames, Then::End, SizeHint::default());
    let (mut line, mut exchange) = Line::sending(upload, UploadFraming::Chunked, false).await;
    let error = head(&mut exchange).await.expect_err("a failed source");
    assert!(
        matches!(&error, ExchangeError::Source(source) if source.to_string() == "out of ink"),
        "{error:?}"
    );
    line.check(0, 0, "failed");
    check_dropped(&alive, "failed");
    assert_eq!(line.hear(), format!("{HEAD}3\r\nabc"));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_closes_the_connection() {
    for expect_continue in [false, true] {
        let (upload, alive) = pieces(&["abc"], Then::Panic);
        let framing = UploadFraming::Chunked;
        let (mut line, mut exchange) = Line::sending(upload, framing, expect_continue).await;
        if expect_continue {
            drive(&mut exchange);
            line.say(CONTINUE).await;
        }
        let polled = catch_unwind(AssertUnwindSafe(|| {
            poll(|cx| exchange.poll_head(cx)).is_ready()
        }));
        assert!(polled.is_err(), "the source panics");
        drop(exchange);
        line.check(0, 0, "panicked");
        check_dropped(&alive, "panicked");
    }
}

/// A body of three bytes that says it has `length`, with trailers or without.
fn claiming(length: u64, trailers: bool) -> Body {
    let mut frames = VecDeque::from([Ok(Frame::data(Bytes::from("abc")))]);
    if trailers {
        frames.push_back(Ok(Frame::trailers(HeaderMap::new())));
    }
    let (body, _) = frames_of(frames, Then::End, SizeHint::with_exact(length));
    assert_eq!(body.len(), Some(length));
    body
}

#[tokio::test(start_paused = true)]
async fn a_body_must_have_its_announced_length() {
    for length in [0, 2, 4] {
        for upload in [
            Body::from("abc"),
            pieces(&["a", "bc"], Then::End).0,
            claiming(length, false),
            claiming(length, true),
        ] {
            let framing = UploadFraming::Length(length);
            let (mut line, mut exchange) = Line::sending(upload, framing, false).await;
            let error = head(&mut exchange).await.expect_err("a wrong length");
            assert!(
                matches!(error, ExchangeError::Payload(PayloadError::UploadLength { actual, expected })
                    if (actual > expected) == (3 > length) && expected == length),
                "{error:?}"
            );
            line.check(0, 0, "wrong");
            let heard = line.hear();
            let heard = heard.strip_prefix(HEAD).unwrap_or_default();
            assert!(heard.len() as u64 <= length, "{heard:?}: never too much");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_compressed_body_must_have_the_length_it_announced() {
    let upload = claiming(4, false).compressed(Coding::Gzip);
    let (line, mut exchange) = Line::sending(upload, UploadFraming::Chunked, false).await;
    let error = head(&mut exchange).await.expect_err("a wrong length");
    assert!(
        matches!(
            error,
            ExchangeError::Payload(PayloadError::UploadLength {
                actual: 3,
                expected: 4
            })
        ),
        "{error:?}"
    );
    line.check(0, 0, "wrong");
}

#[tokio::test(start_paused = true)]
async fn a_compressed_body_goes_out_in_chunks_and_in_turns() {
    let progress = UploadProgress::default();
    let text = "0123456789".repeat(100_000);
    let upload = Body::from(text.clone()).with_progress(progress.clone());
    let upload = upload.compressed(Coding::Gzip);
    let (mut line, mut exchange) = Line::sending(upload, UploadFraming::Chunked, false).await;
    let (mut polls, mut heard) = (0, Vec::new());
    while !exchange.is_sent() {
        polls += 1;
        assert!(poll(|cx| exchange.poll_head(cx)).is_pending());
        heard.extend(line.hear_bytes());
    }
    assert!(polls > 3, "{polls}: others have their turn");
    assert_eq!(progress.sent(), text.len() as u64);
    let mut wire = BytesMut::from(heard.strip_prefix(HEAD.as_bytes()).expect("the head"));
    let mut chunks = BodyDecoder::new(Framing::Chunked, &Limits::default(), 0);
    let (mut decoder, mut got) = (Decoder::new(Coding::Gzip), BytesMut::new());
    loop {
        match chunks.decode(&mut wire).expect("good") {
            BodyEvent::Data(mut packed) => {
                let decoded = decoder.decode(&mut packed, &mut got, usize::MAX);
                decoded.expect("good");
            }
            BodyEvent::ChunkEnd => {}
            BodyEvent::End => break,
            BodyEvent::More => panic!("all of it was heard"),
        }
    }
    decoder.finish().expect("whole");
    assert!(got == text);
}

#[tokio::test(start_paused = true)]
async fn empty_pieces_behind_a_full_one_do_not_stop_a_body() {
    let texts: Vec<_> = (0..500)
        .map(|at| if at % 18 == 0 { "a" } else { "" })
        .chain(["b"])
        .collect();
    let (body, _) = pieces(&texts, Then::End);
    let (line, mut exchange) = Line::sending(body, UploadFraming::Chunked, false).await;
    let Line {
        pool: _open,
        mut far,
    } = line;
    // A task of its own, whose turns are not those of the exchange.
    let answered = tokio::spawn(async move {
        let mut heard = Vec::new();
        while !heard.ends_with(b"1\r\nb\r\n0\r\n\r\n") {
            far.read_buf(&mut heard).await.expect("it is open");
        }
        far.write_all(OK.as_bytes()).await.expect("it is open");
        far
    });
    let head = head(&mut exchange).await.expect("a response");
    answered.await.expect("no panic");
    assert_eq!(head.status, 200);
}
