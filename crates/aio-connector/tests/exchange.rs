//! One exchange over a byte stream in memory.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use aio_connector::{Connection, Exchange, ExchangeError, ExchangeOptions, UploadFraming};
use aio_core::http1::{BodyEvent, Exchanged, Head, Limits};
use aio_core::{Body, BoxError, HttpError, PayloadError, RequestUrl};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body::Frame;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a.test\r\n\r\n";
const PIPE: usize = 1024 * 1024;

fn start<S>(stream: S, method: &Method, body: Body, framing: UploadFraming) -> Exchange
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let url = RequestUrl::parse("http://a.test/").expect("a URL");
    let mut connection = Connection::over(stream, &url);
    connection.head_buffer().0.extend_from_slice(HEAD);
    let options = ExchangeOptions {
        framing,
        limits: Limits::default(),
        exchanged: Exchanged::of(method),
        expect_continue: false,
        force_close: false,
    };
    Exchange::start(connection, body, options)
}

/// Begins a GET that is answered by `response`, behind which the peer closes.
async fn answered(method: &Method, response: &[u8]) -> Exchange {
    let (near, mut far) = duplex(PIPE);
    far.write_all(response).await.expect("fits into the pipe");
    far.shutdown().await.expect("open");
    tokio::spawn(async move { far.read_to_end(&mut Vec::new()).await });
    start(near, method, Body::none(), UploadFraming::Length(0))
}

async fn head(exchange: &mut Exchange) -> Result<Head, ExchangeError> {
    poll_fn(|cx| exchange.poll_head(cx)).await
}

/// Reads to the end; also tells at which bytes chunks ended.
async fn body(exchange: &mut Exchange) -> Result<(Vec<u8>, Vec<usize>), ExchangeError> {
    let (mut data, mut ends) = (Vec::new(), Vec::new());
    loop {
        match poll_fn(|cx| exchange.poll_body(cx)).await? {
            BodyEvent::Data(piece) => data.extend_from_slice(&piece),
            BodyEvent::ChunkEnd => ends.push(data.len()),
            BodyEvent::End => return Ok((data, ends)),
            BodyEvent::More => panic!("poll_body never gives More"),
        }
    }
}

#[track_caller]
fn poll_once<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    poll(&mut Context::from_waker(Waker::noop()))
}

async fn check(method: Method, response: &str, want: &str, ends: &[usize]) {
    let mut exchange = answered(&method, response.as_bytes()).await;
    let head = head(&mut exchange).await.expect("a head");
    assert_eq!(head.status.as_u16(), 200, "{response:?}");
    let (data, chunks) = body(&mut exchange).await.expect("a body");
    assert_eq!(data, want.as_bytes(), "{response:?}");
    assert_eq!(chunks, ends, "{response:?}");
    assert!(exchange.connection().is_none(), "{response:?}: given back");
    assert_eq!(exchange.remaining(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_response_is_read_as_it_is_framed() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let (get, length) = (Method::GET, "Content-Length: 2\r\n\r\n");
    check(get.clone(), &format!("{ok}{length}hi"), "hi", &[]).await;
    check(
        get.clone(),
        &format!("{ok}Content-Length: 0\r\n\r\n"),
        "",
        &[],
    )
    .await;
    let chunked = format!("{ok}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
    check(get.clone(), &chunked, "abc", &[2, 3]).await;
    check(
        get.clone(),
        &format!("{ok}\r\nuntil the end"),
        "until the end",
        &[],
    )
    .await;
    check(Method::HEAD, &format!("{ok}{length}"), "", &[]).await;
    let interim = "HTTP/1.1 103 Early\r\nLink: a\r\n\r\n".repeat(32);
    check(get, &format!("{interim}{ok}{length}hi"), "hi", &[]).await;
}

async fn head_error(response: &[u8]) -> ExchangeError {
    let mut exchange = answered(&Method::GET, response).await;
    let error = head(&mut exchange).await.expect_err("no head");
    assert!(exchange.connection().is_none(), "closed");
    error
}

#[tokio::test(start_paused = true)]
async fn a_failed_head_tells_why() {
    let error = head_error(b"HTTP/1.1 200 OK\r\nA: 1").await;
    assert!(
        matches!(&error, ExchangeError::Disconnected { partial } if **partial == *b"HTTP/1.1 200 OK\r\nA: 1"),
        "{error:?}"
    );
    let error = head_error(b"").await;
    assert!(
        matches!(&error, ExchangeError::Disconnected { partial } if partial.is_empty()),
        "{error:?}"
    );
    let error = head_error("HTTP/1.1 100 C\r\n\r\n".repeat(33).as_bytes()).await;
    assert!(
        matches!(
            error,
            ExchangeError::Http(HttpError::TooManyInterim { limit: 32 })
        ),
        "{error:?}"
    );
    let error = head_error(b"SSH-2.0\r\n").await;
    assert!(
        matches!(error, ExchangeError::Http(HttpError::BadStatusLine(_))),
        "{error:?}"
    );
}

async fn body_error(response: &str) -> String {
    let mut exchange = answered(&Method::GET, response.as_bytes()).await;
    head(&mut exchange).await.expect("a head");
    let error = body(&mut exchange).await.expect_err("an incomplete body");
    assert!(exchange.connection().is_none(), "closed");
    match error {
        ExchangeError::Payload(error) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_cut_short_is_an_error() {
    assert_eq!(
        body_error("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await,
        "received 3 of 9 bytes of the body"
    );
    assert_eq!(
        body_error("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab").await,
        "the chunked body ended before its last chunk"
    );
}

/// The pieces of an upload; behind them it ends, or never does.
struct Pieces {
    pieces: VecDeque<Result<Bytes, BoxError>>,
    endless: bool,
}

impl Stream for Pieces {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.pieces.pop_front() {
            None if self.endless => Poll::Pending,
            piece => Poll::Ready(piece),
        }
    }
}

fn pieces<const N: usize>(texts: [&'static str; N], endless: bool) -> Body {
    let pieces = texts
        .into_iter()
        .map(|text| Ok(Bytes::from(text)))
        .collect();
    Body::stream(Pieces { pieces, endless })
}

async fn arrived(far: &mut DuplexStream) -> String {
    let mut bytes = vec![0; 4096];
    let count = far.read(&mut bytes).await.expect("open");
    bytes.truncate(count);
    let bytes = bytes.strip_prefix(HEAD).unwrap_or(&bytes);
    String::from_utf8(bytes.to_vec()).expect("ASCII")
}

#[tokio::test(start_paused = true)]
async fn an_early_response_is_read_while_the_upload_is_pending() {
    let (near, mut far) = duplex(PIPE);
    let upload = pieces(["abc"], true);
    let mut exchange = start(near, &Method::POST, upload, UploadFraming::Chunked);
    assert!(poll_once(|cx| exchange.poll_head(cx)).is_pending());
    assert_eq!(arrived(&mut far).await, "3\r\nabc");
    let response = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
    far.write_all(response).await.expect("open");
    assert_eq!(
        head(&mut exchange).await.expect("a head").status.as_u16(),
        413
    );
    assert!(!exchange.is_sent());
    assert_eq!(body(&mut exchange).await.expect("a body").0, b"no");
    assert_eq!(far.read(&mut [0]).await.expect("closed"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_upload_goes_on_behind_an_early_response_that_does_not_refuse_it() {
    let (near, mut far) = duplex(PIPE);
    let upload = pieces(["abc", "de"], false);
    let mut exchange = start(near, &Method::POST, upload, UploadFraming::Chunked);
    let response = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok";
    far.write_all(response).await.expect("open");
    assert!(head(&mut exchange).await.is_ok());
    assert_eq!(body(&mut exchange).await.expect("a body").0, b"ok");
    assert!(exchange.is_sent());
    let mut sent = String::new();
    far.read_to_string(&mut sent).await.expect("closed");
    assert!(
        sent.ends_with("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
        "{sent:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_source_fails_the_exchange() {
    let (near, _far) = duplex(PIPE);
    let failing = Pieces {
        pieces: VecDeque::from([Ok(Bytes::from("abc")), Err("out of ink".into())]),
        endless: false,
    };
    let mut exchange = start(
        near,
        &Method::POST,
        Body::stream(failing),
        UploadFraming::Chunked,
    );
    let error = head(&mut exchange).await.expect_err("a failed source");
    assert!(
        matches!(&error, ExchangeError::Source(source) if source.to_string() == "out of ink"),
        "{error:?}"
    );
    assert!(exchange.connection().is_none(), "closed");
}

async fn check_length(announced: u64, actual: u64) {
    let (near, _far) = duplex(PIPE);
    let upload = pieces(["abc", "de"], false);
    let framing = UploadFraming::Length(announced);
    let mut exchange = start(near, &Method::POST, upload, framing);
    let error = head(&mut exchange).await.expect_err("a wrong length");
    assert!(
        matches!(error, ExchangeError::Payload(PayloadError::UploadLength { actual: a, expected })
            if (a, expected) == (actual, announced)),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_must_have_its_announced_length() {
    check_length(4, 5).await;
    check_length(6, 5).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_of_known_length_is_read_into_a_buffer() {
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";
    let (near, mut far) = duplex(PIPE);
    let (first, rest) = response.split_at(response.len() - 6);
    let mut exchange = start(near, &Method::GET, Body::none(), UploadFraming::Length(0));
    far.write_all(first).await.expect("open");
    head(&mut exchange).await.expect("a head");
    let mut target = BytesMut::with_capacity(64);
    let read = poll_fn(|cx| exchange.poll_body_into(cx, &mut target)).await;
    assert_eq!(read.expect("four bytes lay behind the head"), 4);
    assert!(poll_once(|cx| exchange.poll_body_into(cx, &mut target)).is_pending());
    far.write_all(rest).await.expect("open");
    let read = poll_fn(|cx| exchange.poll_body_into(cx, &mut target)).await;
    assert_eq!(
        (read.expect("the rest"), &target[..]),
        (6, &b"0123456789"[..])
    );
    let read = poll_fn(|cx| exchange.poll_body_into(cx, &mut target)).await;
    assert_eq!(read.expect("the end"), 0);
    assert!(exchange.connection().is_none());
}

/// A stream that notes each write and reads what it was made with.
struct Recorder {
    writes: Arc<Mutex<Vec<Vec<u8>>>>,
    reads: &'static [u8],
    broken: bool,
}

impl AsyncRead for Recorder {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (now, later) = self
            .reads
            .split_at(self.reads.len().min(buffer.remaining()));
        self.reads = later;
        buffer.put_slice(now);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorder {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        let bytes: Vec<u8> = bytes.collect();
        let count = bytes.len();
        self.writes.lock().expect("no panic").push(bytes);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No\r\n\r\n";

async fn check_writes(body: Body, framing: UploadFraming, want: &[&str]) {
    let writes = Arc::default();
    let recorder = Recorder {
        writes: Arc::clone(&writes),
        reads: NO_CONTENT,
        broken: false,
    };
    let mut exchange = start(recorder, &Method::POST, body, framing);
    head(&mut exchange).await.expect("a head");
    assert!(exchange.is_sent());
    let writes = writes.lock().expect("no panic").clone();
    let writes: Vec<_> = writes.iter().map(|w| String::from_utf8_lossy(w)).collect();
    assert_eq!(
        writes.first().map(|w| w.as_bytes().starts_with(HEAD)),
        Some(true)
    );
    let behind: Vec<_> = writes.iter().map(|w| w.rsplit("\r\n\r\n").next()).collect();
    let sent: usize = writes.iter().map(|w| w.len()).sum();
    assert_eq!(exchange.sent(), sent as u64);
    assert_eq!(writes.concat()[HEAD.len()..], want.concat(), "{writes:?}");
    assert_eq!(writes.len(), want.len(), "{behind:?}");
}

#[tokio::test(start_paused = true)]
async fn head_and_body_are_gathered_into_few_writes() {
    check_writes(Body::none(), UploadFraming::Length(0), &[""]).await;
    check_writes(Body::from("abc"), UploadFraming::Length(3), &["abc"]).await;
    check_writes(
        Body::from("abc"),
        UploadFraming::Chunked,
        &["3\r\nabc\r\n0\r\n\r\n"],
    )
    .await;
    let eight = pieces(["a", "b", "c", "d", "e", "f", "g", "h"], false);
    let chunks = "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n1\r\ne\r\n1\r\nf\r\n1\r\ng\r\n1\r\nh";
    check_writes(eight, UploadFraming::Chunked, &[chunks, "\r\n0\r\n\r\n"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_response_outlives_a_failed_write() {
    let recorder = |reads| Recorder {
        writes: Arc::default(),
        reads,
        broken: true,
    };
    let none = || (Body::from("abc"), UploadFraming::Length(3));
    let (upload, framing) = none();
    let mut exchange = start(recorder(NO_CONTENT), &Method::POST, upload, framing);
    assert_eq!(
        head(&mut exchange).await.expect("a head").status.as_u16(),
        204
    );
    let (upload, framing) = none();
    let mut exchange = start(recorder(b""), &Method::POST, upload, framing);
    let error = head(&mut exchange).await.expect_err("no response");
    assert!(
        matches!(&error, ExchangeError::WriteBody(error) if error.kind() == io::ErrorKind::BrokenPipe),
        "{error:?}"
    );
}

/// As TLS tells of an alert.
struct Alert;

impl AsyncRead for Alert {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "alert")))
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_comes_before_the_write_that_failed_for_it() {
    let broken = Recorder {
        writes: Arc::default(),
        reads: b"",
        broken: true,
    };
    let stream = tokio::io::join(Alert, broken);
    let framing = UploadFraming::Length(3);
    let mut exchange = start(stream, &Method::POST, Body::from("abc"), framing);
    let error = head(&mut exchange).await.expect_err("no response");
    assert!(
        matches!(&error, ExchangeError::Read(error) if error.to_string() == "alert"),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_piece_is_flushed_while_its_source_has_no_more() {
    let (near, mut far) = duplex(PIPE);
    let buffering = tokio::io::BufStream::new(near);
    let upload = pieces(["abc"], true);
    let mut exchange = start(buffering, &Method::POST, upload, UploadFraming::Chunked);
    assert!(poll_once(|cx| exchange.poll_head(cx)).is_pending());
    let second = std::time::Duration::from_secs(1);
    let got = tokio::time::timeout(second, arrived(&mut far)).await;
    assert_eq!(got.expect("flushed"), "3\r\nabc");
}

/// A peer that answers for ever, a chunk at each read, and writes down what it is sent.
struct Talkative {
    answered: bool,
    writes: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Talkative {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.answered, true) {
            buffer.put_slice(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        }
        buffer.put_slice(b"3\r\nabc\r\n");
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Talkative {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes
            .lock()
            .expect("no panic")
            .extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Is pending some times, then gives one piece, then nothing more.
struct Late(usize);

impl Stream for Late {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0 += 1;
        match self.0 {
            1..5 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            5 => Poll::Ready(Some(Ok(Bytes::from_static(b"late")))),
            _ => Poll::Pending,
        }
    }
}

#[tokio::test]
async fn a_response_without_pause_does_not_hold_up_the_upload() {
    let writes = Arc::default();
    let peer = Talkative {
        answered: false,
        writes: Arc::clone(&writes),
    };
    let upload = Body::stream(Late(0));
    let mut exchange = start(peer, &Method::POST, upload, UploadFraming::Chunked);
    head(&mut exchange).await.expect("a head");
    for _ in 0..10 {
        poll_fn(|cx| exchange.poll_body(cx)).await.expect("a chunk");
    }
    let sent = writes.lock().expect("no panic").clone();
    assert!(sent.ends_with(b"4\r\nlate"), "{}", sent.escape_ascii());
}

#[tokio::test]
async fn there_is_no_body_before_the_head() {
    let mut exchange = answered(&Method::GET, b"HTTP/1.1 200 OK\r\n\r\nbody").await;
    let error = body(&mut exchange).await.expect_err("no head yet");
    assert!(matches!(error, ExchangeError::Closed), "{error:?}");
}

/// One piece, then trailers.
struct Trailed(VecDeque<Frame<Bytes>>);

impl Trailed {
    fn new(trailers: &[(&'static str, &'static str)]) -> Self {
        let fields = trailers.iter().map(|&(name, value)| {
            let value = HeaderValue::from_static(value);
            (HeaderName::from_static(name), value)
        });
        let trailers = Frame::trailers(HeaderMap::from_iter(fields));
        Self(VecDeque::from([Frame::data(Bytes::from("abc")), trailers]))
    }
}

impl http_body::Body for Trailed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

#[tokio::test(start_paused = true)]
async fn trailers_stand_behind_the_last_chunk() {
    let upload = |trailers| Body::from_http(Trailed::new(trailers));
    check_writes(
        upload(&[("x-sum", "7"), ("etag", "a")]),
        UploadFraming::Chunked,
        &["3\r\nabc\r\n0\r\nx-sum: 7\r\netag: a\r\n\r\n"],
    )
    .await;
    check_writes(
        upload(&[("content-length", "9"), ("cookie", "a=b")]),
        UploadFraming::Chunked,
        &["3\r\nabc\r\n0\r\n\r\n"],
    )
    .await;
    let one = upload(&[("x-sum", "7")]);
    check_writes(one, UploadFraming::Length(3), &["abc"]).await;
}
