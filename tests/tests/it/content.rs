//! A body in pieces: separators, counts, ends, writers, and the traits of others.

use std::future::poll_fn;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aio_client::{
    Body, BoxFuture, ClientError, ClientResponse, ClientSession, ReadError, ResponseHead,
};
use bytes::Bytes;
use http::{Method, StatusCode, Version};
use http_body::Body as _;
use tokio::io::{AsyncBufReadExt, AsyncWrite, BufWriter, DuplexStream};

use crate::in_time::Memory;
use crate::peer::{Listener, Peer, give_up, soon};
use crate::reading::{CHUNKED, TEN, get};

const ENDLESS: &str = "HTTP/1.1 200 OK\r\n\r\n";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(text).expect("in memory");
    gzip.finish().expect("in memory")
}

/// An answer with `body`, compressed.
fn gzipped(body: &[u8]) -> Vec<u8> {
    let body = gzip(body);
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ";
    let mut answer = format!("{head}{}\r\n\r\n", body.len()).into_bytes();
    answer.extend(body);
    answer
}

/// Gets a response whose body comes in packets; on a paused clock each is read by itself.
async fn in_packets<'a>(
    packets: impl IntoIterator<Item = &'a [u8]>,
    read: impl AsyncFnOnce(&mut ClientResponse),
) {
    let (session, mut peers) = Memory::session();
    let serve = async {
        let mut peer = peers.next().await;
        peer.head().await;
        peer.send(ENDLESS).await;
        for packet in packets {
            tokio::time::sleep(Duration::from_millis(1)).await;
            peer.send(packet).await;
        }
    };
    let request = async {
        let mut response = session.get("http://a.test/").await.expect("a response");
        read(&mut response).await;
    };
    soon("the body", async { tokio::join!(serve, request) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_separator_may_come_in_two_packets() {
    // EDGE-149.
    in_packets([&b"a-"[..], b"-b", b"-", b"-c"], async |response| {
        let content = response.content();
        for want in ["a--", "b--", "c"] {
            let part = content.until(b"--").await.expect("a part");
            assert_eq!(part.as_deref(), Some(want.as_bytes()));
        }
        assert_eq!(content.until(b"--").await.expect("the end"), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_separator_may_come_byte_by_byte() {
    // EDGE-150.
    let text = b"ab\r\r\n\rc\r\n\r\nd\r\n\r".as_slice();
    in_packets(text.chunks(1), async |response| {
        let content = response.content();
        for want in ["ab\r\r\n\rc\r\n\r\n", "d\r\n\r"] {
            let part = content.until(b"\r\n\r\n").await.expect("a part");
            assert_eq!(part.as_deref(), Some(want.as_bytes()));
        }
        assert!(content.at_eof());
    })
    .await;
}

#[track_caller]
fn check_too_long(read: Result<Option<Bytes>, ClientError>, limit: usize) {
    let error = read.expect_err("too long");
    assert_eq!(error.aiohttp_class(), "LineTooLong");
    let ClientError::Read(error) = error else {
        panic!("{error:?}");
    };
    assert!(matches!(error.source, ReadError::LineTooLong { limit: told } if told == limit));
    let told = format!("got more than {limit} bytes when reading");
    assert_eq!(error.source.to_string(), told);
}

#[tokio::test]
async fn a_line_is_as_long_as_it_may_be() {
    // EDGE-151.
    let (mut response, _peer) = get(format!("{TEN}abcd\nabcde")).await;
    let content = response.content();
    let line = content.line_within(5).await.expect("just within");
    assert_eq!(line.as_deref(), Some(&b"abcd\n"[..]));
    let rest = content.until_within(b"\n", 5).await.expect("just within");
    assert_eq!(rest.as_deref(), Some(&b"abcde"[..]));
    assert_eq!(content.line_within(1).await.expect("the end"), None);

    let (mut response, _peer) = get(format!("{TEN}abcd\nabcde")).await;
    let content = response.content();
    check_too_long(content.line_within(4).await, 4);
    // It was passed over, so that a loop comes to an end.
    check_too_long(content.until_within(b"\n", 4).await, 4);
    assert_eq!(content.line_within(4).await.expect("the end"), None);
}

#[tokio::test]
async fn a_line_without_a_limit_of_its_own_has_half_a_mebibyte() {
    const LIMIT: usize = 512 * 1024;
    for (len, fits) in [(LIMIT, true), (LIMIT + 1, false)] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");
        let (mut response, mut peer) = get(head).await;
        let line = format!("{}\n", "x".repeat(len - 1));
        let read = async {
            let (line, ()) = tokio::join!(response.content().line(), peer.send(&line));
            line
        };
        let read = soon("the line", read).await;
        if fits {
            assert_eq!(read.expect("a line").expect("a line").len(), len);
        } else {
            check_too_long(read, LIMIT);
        }
    }
}

#[tokio::test]
async fn exactly_tells_what_there_was_instead() {
    // EDGE-154.
    let (mut response, _peer) = get("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc").await;
    let error = response.content().exactly(5).await.expect_err("too few");
    assert_eq!(error.aiohttp_class(), "IncompleteReadError");
    let ClientError::Read(error) = error else {
        panic!("{error:?}");
    };
    let ReadError::Incomplete { partial, expected } = &error.source else {
        panic!("{error:?}");
    };
    assert_eq!((&**partial, *expected), (&b"abc"[..], 5));
}

#[tokio::test]
async fn bytes_are_counted_as_they_come_and_as_they_were_sent() {
    // EDGE-161, RSP-69.
    let text = "text ".repeat(1000);
    let sent = gzip(text.as_bytes()).len() as u64;
    let (mut response, _peer) = get(gzipped(text.as_bytes())).await;
    let content = response.content();
    assert_eq!((content.total_bytes(), content.total_raw_bytes()), (0, 0));
    content.exactly(5).await.expect("five bytes");
    assert_eq!(content.total_bytes(), 5000, "a piece is decoded whole");
    content.read_all().await.expect("the rest");
    let totals = (content.total_bytes(), content.total_raw_bytes());
    assert_eq!(totals, (5000, sent));

    for answer in [
        format!("{TEN}0123456789"),
        ENDLESS.to_owned() + "0123456789",
    ] {
        let (mut response, mut peer) = get(&answer).await;
        peer.end().await;
        response.content().read_all().await.expect("a body");
        let content = response.content();
        let totals = (content.total_bytes(), content.total_raw_bytes());
        assert_eq!(totals, (10, 10), "{answer}");
    }

    // The framing of chunks does not count.
    let (mut response, mut peer) = get(CHUNKED).await;
    peer.send("5;x=y\r\n01234\r\n5\r\n56789\r\n0\r\nX: y\r\n\r\n")
        .await;
    response.read().await.expect("a body");
    let content = response.content();
    let totals = (content.total_bytes(), content.total_raw_bytes());
    assert_eq!(totals, (10, 10));
}

#[tokio::test]
async fn a_body_may_have_come_before_it_is_read() {
    let (mut response, _peer) = get(format!("{TEN}0123456789")).await;
    let content = response.content();
    assert!(content.is_eof() && !content.at_eof());
    content.read_all().await.expect("a body");
    assert!(content.is_eof() && content.at_eof());

    let (mut response, mut peer) = get(format!("{TEN}01234")).await;
    assert!(!response.content().is_eof());
    peer.send("56789").await;
    response.content().exactly(10).await.expect("a body");
    assert!(response.content().is_eof());

    let (mut response, _peer) = get(format!("{TEN}01234")).await;
    response.close();
    assert!(!response.content().is_eof());
}

#[tokio::test]
async fn a_body_until_the_end_has_no_error() {
    // EDGE-025.
    let (mut response, mut peer) = get(ENDLESS).await;
    peer.send("hello").await;
    drop(peer);
    assert_eq!(response.read().await.expect("a body"), "hello");
    let content = response.content();
    assert!(content.at_eof() && content.is_eof());
    assert_eq!(content.chunk().await.expect("no error"), None);
    assert_eq!(content.read_all().await.expect("no error"), "");
}

#[tokio::test]
async fn http_chunks_are_told_behind_their_decoded_data() {
    // EDGE-152: the coding ends its blocks elsewhere than the chunks end.
    let mut packed = gzip(b"");
    for text in [&b"first "[..], b"second"] {
        packed.extend(gzip(text));
    }
    let cut = packed.len() - gzip(b"second").len() / 2;
    let (mut response, mut peer) =
        get("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n")
            .await;
    for part in [&packed[..cut], &packed[cut..]] {
        peer.send(format!("{:x}\r\n", part.len())).await;
        peer.send(part).await;
        peer.send("\r\n").await;
    }
    peer.send("0\r\n\r\n").await;
    let (mut text, mut ends) = (Vec::new(), Vec::new());
    let read = async {
        while let Some((data, end)) = response.content().http_chunk().await.expect("a chunk") {
            text.extend_from_slice(&data);
            if end {
                ends.push(text.len());
            }
        }
    };
    soon("the chunks", read).await;
    assert_eq!(text, b"first second");
    assert_eq!(ends.last(), Some(&12), "{ends:?}");
    assert!(
        ends.first() >= Some(&6),
        "what the first chunk holds goes before its end"
    );
}

#[tokio::test]
async fn lines_are_read_by_the_traits_of_tokio_too() {
    let (mut response, _peer) = get(format!("{TEN}a\nbc\r\ndef\n")).await;
    let mut lines = response.content().lines();
    let mut read = Vec::new();
    while let Some(line) = lines.next_line().await.expect("a line") {
        read.push(line);
    }
    assert_eq!(read, ["a", "bc", "def"]);
}

#[tokio::test]
async fn a_body_is_copied_whole() {
    for (answer, want) in [
        (
            format!("{TEN}0123456789").into_bytes(),
            "0123456789".to_owned(),
        ),
        (
            format!("{CHUNKED}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").into(),
            "abcde".into(),
        ),
        (
            gzipped("text ".repeat(50_000).as_bytes()),
            "text ".repeat(50_000),
        ),
        ("HTTP/1.1 204 X\r\n\r\n".into(), String::new()),
    ] {
        let (mut response, _peer) = get(answer).await;
        // It must be flushed to arrive.
        let mut copied = BufWriter::with_capacity(64, Vec::new());
        let bytes = response.content().copy_to(&mut copied).await;
        assert_eq!(bytes.expect("a body"), want.len() as u64);
        assert_eq!(copied.get_ref(), want.as_bytes());
        assert!(response.content().at_eof());
        let none = response.content().copy_to(&mut copied).await;
        assert_eq!(none.expect("the end"), 0);
    }
}

#[tokio::test]
async fn what_a_writer_has_not_taken_is_there_for_the_next() {
    let (mut response, mut peer) = get(format!("{TEN}01234")).await;
    let (mut near, mut far) = tokio::io::duplex(3);
    give_up(response.content().copy_to(&mut near)).await;
    peer.send("56789").await;
    // Three bytes are in the pipe, the others are not lost.
    let rest = response.content().read_all().await.expect("the rest");
    assert_eq!(rest, "3456789");
    assert_eq!(read_now(&mut far), b"012");
}

fn read_now(stream: &mut DuplexStream) -> Vec<u8> {
    let mut room = [0; 16];
    let mut room = tokio::io::ReadBuf::new(&mut room);
    let mut context = Context::from_waker(std::task::Waker::noop());
    let read = tokio::io::AsyncRead::poll_read(Pin::new(stream), &mut context, &mut room);
    assert!(matches!(read, Poll::Ready(Ok(()))));
    room.filled().to_vec()
}

#[tokio::test]
async fn what_is_copied_is_not_held_back_by_a_slow_server() {
    let (mut response, _peer) = get(format!("{TEN}01234")).await;
    let mut copied = BufWriter::with_capacity(64, Vec::new());
    give_up(response.content().copy_to(&mut copied)).await;
    assert_eq!(copied.get_ref(), b"01234");
}

/// Takes so many bytes, and then fails, or takes nothing more.
struct Full {
    room: usize,
    error: Option<io::ErrorKind>,
}

impl AsyncWrite for Full {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let len = bytes.len().min(self.room);
        self.room -= len;
        Poll::Ready(match self.error {
            Some(error) if len == 0 => Err(error.into()),
            _ => Ok(len),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_copy_tells_who_failed() {
    for (error, want) in [
        (Some(io::ErrorKind::StorageFull), io::ErrorKind::StorageFull),
        (None, io::ErrorKind::WriteZero),
    ] {
        let (mut response, _peer) = get(format!("{TEN}0123456789")).await;
        let mut full = Full { room: 4, error };
        let error = response.content().copy_to(&mut full).await;
        let error = error.expect_err("no room");
        assert_eq!(error.aiohttp_class(), "OSError");
        let ClientError::Read(error) = error else {
            panic!("{error:?}");
        };
        assert!(matches!(&error.source, ReadError::Write(error) if error.kind() == want));
        // The writer is at fault, not the body.
        let rest = response.content().read_all().await.expect("the rest");
        assert_eq!(rest, "456789");
    }

    let (mut response, peer) = get(format!("{TEN}01234")).await;
    drop(peer);
    let mut copied = Vec::new();
    let error = response.content().copy_to(&mut copied).await;
    let error = error.expect_err("half a body");
    assert_eq!(error.aiohttp_class(), "ClientPayloadError");
    assert_eq!(copied, b"01234");
}

/// Reads a body by the trait; gives its pieces together, and how they ended.
async fn frames<B: http_body::Body<Data = Bytes> + Unpin>(
    body: &mut B,
) -> (Vec<u8>, Option<B::Error>) {
    let mut all = Vec::new();
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => return (all, None),
            Some(Err(error)) => return (all, Some(error)),
            Some(Ok(frame)) => all.extend(frame.into_data().expect("no trailers")),
        }
    }
}

#[tokio::test]
async fn a_body_tells_how_long_it_is() {
    for (answer, want) in [
        (format!("{TEN}01234").into_bytes(), Some(10)),
        (format!("{TEN}0123456789").into_bytes(), Some(10)),
        (CHUNKED.into(), None),
        // All of it is here.
        (
            format!("{CHUNKED}3\r\nabc\r\n0\r\n\r\n").into_bytes(),
            Some(3),
        ),
        (gzipped(b"text"), None),
        ("HTTP/1.1 204 X\r\n\r\n".into(), Some(0)),
    ] {
        let (response, _peer) = get(&answer).await;
        let content = response.into_stream();
        let shown = String::from_utf8_lossy(&answer);
        assert_eq!(content.size_hint().exact(), want, "{shown}");
        assert_eq!(content.is_end_stream(), want == Some(0), "{shown}");
    }
    let (mut response, _peer) = get(format!("{TEN}a\n345")).await;
    response.content().line().await.expect("a line");
    let mut content = response.into_stream();
    assert_eq!(content.size_hint().exact(), Some(8));
    give_up(frames(&mut content)).await;
    assert_eq!(content.size_hint().exact(), Some(5));
}

#[tokio::test]
async fn a_response_is_one_of_the_http_crate() {
    let (mut response, _peer) =
        get("HTTP/1.0 203 So\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 4\r\n\r\nbody").await;
    response.content().exactly(1).await.expect("a byte");
    let response: http::Response<Body> = response.into();
    let (parts, mut body) = response.into_parts();
    assert_eq!(parts.status, StatusCode::NON_AUTHORITATIVE_INFORMATION);
    assert_eq!(parts.version, Version::HTTP_10);
    let all: Vec<_> = parts.headers.get_all("x-a").iter().collect();
    assert_eq!(all, ["1", "2"]);
    assert_eq!(parts.headers["content-length"], "4");
    let head = parts.extensions.get::<ResponseHead>().expect("the head");
    assert_eq!(head.reason(), "So");
    let (text, error) = frames(&mut body).await;
    assert!(error.is_none() && text == b"ody");

    // What was read whole is there again.
    let (mut response, _peer) = get(format!("{TEN}0123456789")).await;
    response.text().await.expect("a text");
    let mut body = http::Response::from(response).into_body();
    assert_eq!(body.len(), Some(10));
    assert_eq!(frames(&mut body).await.0, b"0123456789");
}

#[tokio::test]
async fn a_decoded_response_does_not_say_that_it_is_encoded() {
    let (response, _peer) = get(gzipped(b"text")).await;
    let response: http::Response<Body> = response.into();
    assert!(response.headers().is_empty(), "{:?}", response.headers());
    assert_eq!(frames(&mut response.into_body()).await.0, b"text");

    // There is no body that would contradict it.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.request(Method::HEAD, listener.url("/"));
    let (response, _peer) = listener.answer(request, gzipped(b"")).await;
    let response: http::Response<Body> = response.into();
    assert_eq!(response.headers().len(), 2);
    assert_eq!(frames(&mut response.into_body()).await.0, b"");
}

#[tokio::test]
async fn a_response_is_sent_on_as_it_comes() {
    for (answer, late, sent) in [
        (format!("{TEN}01234"), "56789", "Content-Length: 10\r\n"),
        (
            format!("{CHUNKED}5\r\n01234\r\n"),
            "5\r\n56789\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n",
        ),
    ] {
        let (response, mut from) = get(answer).await;
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let request = session.put(listener.url("/")).body(response.into_stream());
        let to = async {
            let mut to: Peer = listener.accept().await;
            let head = to.head().await;
            assert!(head.contains(sent), "{head}");
            to.until(b"01234").await;
            from.send(late).await;
            to.until(b"56789").await;
            to.send("HTTP/1.1 204 X\r\n\r\n").await;
            to
        };
        let (answer, _to) = soon("the copy", async { tokio::join!(request.send(), to) }).await;
        assert_eq!(answer.expect("a response").status(), 204);
    }
}

#[tokio::test]
async fn a_broken_response_breaks_what_it_is_sent_on_in() {
    let (response, peer) = get(format!("{TEN}01234")).await;
    drop(peer);
    let mut body = http::Response::from(response).into_body();
    let (text, error) = frames(&mut body).await;
    assert_eq!(text, b"01234");
    let error = error.expect("half a body").downcast::<ClientError>();
    let class = error.expect("ours").aiohttp_class();
    assert_eq!(class, "ClientPayloadError");
}

/// Has a stream of a response dropped, and tells how many connections are open and idle.
async fn dropped_with(answer: &str, late: &str) -> (usize, usize) {
    fn is_static_and_send<T: Send + 'static>(_: &T) {}
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.get(listener.url("/"));
    let (response, mut peer) = listener.answer(request, answer).await;
    let stream = response.into_stream();
    is_static_and_send(&stream);
    peer.send(late).await;
    if !late.is_empty() {
        peer.wire().reached().await;
    }
    drop(stream);
    let stats = session.connector().stats();
    (stats.open, stats.idle)
}

#[tokio::test]
async fn a_stream_counts_its_connection_until_it_is_dropped() {
    let whole = format!("{TEN}0123456789");
    assert_eq!(dropped_with(&whole, "").await, (1, 1));
    let half = format!("{TEN}01234");
    assert_eq!(dropped_with(&half, "").await, (0, 0));
    // The rest had arrived.
    assert_eq!(dropped_with(&half, "56789").await, (1, 1));
}

#[tokio::test]
async fn an_owned_stream_is_read_in_another_task() {
    let (response, mut peer) = get(TEN).await;
    let mut stream = response.into_stream();
    let task = tokio::spawn(async move { stream.read_all().await });
    peer.send("0123456789").await;
    let read = soon("the body", task).await.expect("no panic");
    assert_eq!(read.expect("a body"), "0123456789");
}

/// Polls a future to its end; tells how often others had their turn before that.
async fn turns<T>(future: impl Future<Output = T>) -> (T, usize) {
    let (mut future, mut turns) = (Box::pin(future), 0);
    let polled = poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        turns += usize::from(polled.is_pending());
        polled
    });
    let done = soon("the body", polled).await;
    (done, turns)
}

#[tokio::test]
async fn a_bomb_leaves_others_their_turn_however_it_is_read() {
    // All of it is at hand, in one packet, and the writer never waits.
    const LEN: usize = 64 << 20;
    let body = gzip(&gzip(&gzip(&vec![0; LEN])));
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip, gzip\r\nContent-Length: ";
    let answer = [format!("{head}{}\r\n\r\n", body.len()).as_bytes(), &body].concat();
    let reads: [Read; 4] = [
        |response| {
            Box::pin(async {
                let mut sink = tokio::io::sink();
                response.content().copy_to(&mut sink).await
            })
        },
        |response| Box::pin(async { Ok(response.read().await?.len() as u64) }),
        |response| {
            Box::pin(async {
                let mut read = 0;
                while let Some(chunk) = response.content().chunk().await? {
                    read += chunk.len() as u64;
                }
                Ok(read)
            })
        },
        |response| Box::pin(async { Ok(response.content().exactly(LEN).await?.len() as u64) }),
    ];
    for (at, read) in reads.into_iter().enumerate() {
        let (mut response, _peer) = get(&answer).await;
        // Else the socket would give others their turn.
        assert!(response.is_closed());
        let (bytes, turns) = turns(read(&mut response)).await;
        assert_eq!(bytes.expect("a body"), LEN as u64);
        assert!(turns > 4, "{at}: {turns}");
    }
}

type Read = for<'a> fn(&'a mut ClientResponse) -> BoxFuture<'a, Result<u64, ClientError>>;
