//! Reading a body: whatever way, whatever order, with a reader that goes away.

use std::io::Write;
use std::time::Duration;

use aio_client::{BoxFuture, ClientError, ClientResponse, ClientSession, ClientTimeout};
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt};

use crate::peer::{Listener, Peer, give_up, soon};

pub(crate) const TEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
pub(crate) const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Gets a response that begins with `answer`.
pub(crate) async fn get(answer: impl AsRef<[u8]>) -> (ClientResponse, Peer) {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.get(listener.url("/"));
    listener
        .answer(request.timeout(ClientTimeout::none()), answer)
        .await
}

type Read = for<'a> fn(&'a mut ClientResponse) -> BoxFuture<'a, Result<Bytes, ClientError>>;

/// All that there is in the ways of reading.
const READS: [(&str, Read); 12] = [
    ("read", |response| Box::pin(response.read())),
    ("text", |response| {
        Box::pin(async { Ok(response.text().await?.into()) })
    }),
    ("read_all", |response| {
        Box::pin(response.content().read_all())
    }),
    ("chunk", |response| {
        Box::pin(async {
            let mut all = Vec::new();
            while let Some(chunk) = response.content().chunk().await? {
                all.extend_from_slice(&chunk);
            }
            Ok(all.into())
        })
    }),
    ("http_chunk", |response| {
        Box::pin(async {
            let mut all = Vec::new();
            while let Some((chunk, _)) = response.content().http_chunk().await? {
                all.extend_from_slice(&chunk);
            }
            Ok(all.into())
        })
    }),
    ("chunk_of", |response| {
        Box::pin(async { Ok(response.content().chunk_of(10).await?.unwrap_or_default()) })
    }),
    ("exactly", |response| {
        Box::pin(response.content().exactly(10))
    }),
    ("line", |response| {
        Box::pin(async { Ok(response.content().line().await?.unwrap_or_default()) })
    }),
    ("until", |response| {
        Box::pin(async { Ok(response.content().until(b"89").await?.unwrap_or_default()) })
    }),
    ("AsyncRead", |response| {
        Box::pin(async {
            let mut all = vec![0; 10];
            let read = response.content().read_exact(&mut all).await;
            read.expect("ten bytes come");
            Ok(all.into())
        })
    }),
    ("AsyncBufRead", |response| {
        Box::pin(async {
            let mut all = Vec::new();
            let read = response.content().read_until(b'9', &mut all).await;
            read.map_err(|error| error.downcast::<ClientError>().expect("ours"))?;
            Ok(all.into())
        })
    }),
    ("copy_to", |response| {
        Box::pin(async {
            let mut all = Vec::new();
            response.content().copy_to(&mut all).await?;
            Ok(all.into())
        })
    }),
];

/// Those that hand out what there is before they have all.
const HAND_OUT: [&str; 5] = [
    "chunk",
    "http_chunk",
    "AsyncRead",
    "AsyncBufRead",
    "copy_to",
];

/// Has `first` given up half way, and `second` read on.
async fn check_reads_on(first: (&str, Read), second: (&str, Read), chunked: bool) {
    let shown = format!("{} behind {}, chunked: {chunked}", second.0, first.0);
    let (head, early, late) = match chunked {
        false => (TEN, "01234", "56789"),
        true => (CHUNKED, "5\r\n01234\r\n", "5\r\n56789\r\n0\r\n\r\n"),
    };
    let (mut response, mut peer) = get(head).await;
    peer.send(early).await;
    give_up(first.1(&mut response)).await;
    peer.send(late).await;
    let read = soon(&shown, second.1(&mut response)).await;
    let read = read.unwrap_or_else(|error| panic!("{shown}: {error}"));
    // What gives all at once had nothing to hand out yet; what gives pieces has.
    let handed_out = if HAND_OUT.contains(&first.0) { 5 } else { 0 };
    let whole = b"0123456789";
    let is_rest = *read == whole[handed_out..] || *read == whole[..];
    assert!(is_rest, "{shown}: {read:?}");
    if handed_out == 0 {
        assert_eq!(*read, whole[..], "{shown}");
    }
}

#[tokio::test]
async fn a_read_given_up_loses_nothing_for_the_next() {
    let asks_for_ten = ["chunk_of", "exactly", "AsyncRead"];
    for first in READS {
        for second in READS {
            // What the first has handed out, the second cannot wait for.
            if HAND_OUT.contains(&first.0) && asks_for_ten.contains(&second.0) {
                continue;
            }
            check_reads_on(first, second, false).await;
            check_reads_on(first, second, true).await;
        }
    }
}

#[tokio::test]
async fn a_gzip_read_given_up_loses_nothing_for_the_next() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gzip.write_all(b"0123456789").expect("in memory");
    let gzip = gzip.finish().expect("in memory");
    let (early, late) = gzip.split_at(gzip.len() / 2);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        gzip.len()
    );
    for (name, read) in READS {
        if HAND_OUT.contains(&name) {
            continue;
        }
        let (mut response, mut peer) = get(&head).await;
        peer.send(early).await;
        give_up(read(&mut response)).await;
        peer.send(late).await;
        let read = soon(name, response.read()).await;
        assert_eq!(read.expect("a body"), "0123456789", "{name}");
    }
}

#[tokio::test]
async fn a_chunk_that_ends_badly_is_an_error_however_it_is_read() {
    for (name, read) in READS {
        if name == "AsyncRead" {
            continue;
        }
        let (mut response, mut peer) = get(CHUNKED).await;
        peer.send("5\r\nhelloXX5\r\nworld\r\n0\r\n\r\n").await;
        let error = soon(name, read(&mut response)).await;
        let error = error.expect_err("no line end behind the chunk");
        assert_eq!(error.aiohttp_class(), "ClientPayloadError", "{name}");
        // RSP-28: it stays.
        let again = read(&mut response).await.expect_err("still broken");
        assert_eq!(again.aiohttp_class(), "ClientPayloadError", "{name}");
        assert!(response.is_closed(), "{name}");
    }
}

#[tokio::test]
async fn a_broken_body_gives_what_came_before() {
    let (mut response, mut peer) = get(CHUNKED).await;
    peer.send("5\r\nhelloXX").await;
    let piece = soon("http_chunk", response.content().http_chunk()).await;
    assert_eq!(piece.expect("a piece"), Some(("hello".into(), false)));
    let error = response.content().http_chunk().await.expect_err("broken");
    assert_eq!(error.aiohttp_class(), "ClientPayloadError");
}

#[tokio::test]
async fn what_was_not_read_before_a_close_is_gone() {
    for (end, close) in [
        ("close", ClientResponse::close as fn(&mut ClientResponse)),
        ("release", ClientResponse::release),
    ] {
        for (name, read) in READS {
            if ["line", "until", "AsyncRead"].contains(&name) {
                continue;
            }
            let (mut response, _peer) = get(format!("{TEN}a\nb\nc")).await;
            let line = response.content().line().await.expect("a line");
            assert_eq!(line.as_deref(), Some(b"a\n".as_slice()));
            close(&mut response);
            assert!(response.is_closed() && !response.content().at_eof());
            let error = read(&mut response).await.expect_err("closed");
            let class = error.aiohttp_class();
            assert_eq!(class, "ClientConnectionError", "{name} behind {end}");
        }
    }
}

#[tokio::test]
async fn a_body_that_was_read_outlives_a_close() {
    let (mut response, _peer) = get(format!("{TEN}0123456789")).await;
    assert_eq!(response.read().await.expect("a body"), "0123456789");
    response.close();
    assert_eq!(response.text().await.expect("a text"), "0123456789");
    // RSP-29.
    let error = response.read().await.expect_err("closed");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError");
}

#[tokio::test]
async fn the_end_is_where_all_was_handed_out() {
    let (mut response, mut peer) = get(TEN).await;
    assert!(!response.content().at_eof(), "nothing came");
    peer.send("0123456789").await;
    let two = response.content().exactly(2).await.expect("two bytes");
    assert!(two == "01" && !response.content().at_eof());
    let rest = response.content().read_all().await.expect("the rest");
    assert!(rest == "23456789" && response.content().at_eof());
    assert_eq!(response.content().chunk().await.expect("the end"), None);

    let (mut response, _peer) = get("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert!(response.content().at_eof(), "there is no body");

    let (mut response, _peer) = get(TEN).await;
    response.close();
    assert!(!response.content().at_eof(), "it was never read");
}

#[tokio::test]
async fn a_truncated_gzip_body_is_not_at_its_end() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"hello").expect("in memory");
    let mut gzip = gzip.finish().expect("in memory");
    gzip.truncate(gzip.len() - 4);
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        gzip.len()
    )
    .into_bytes();
    answer.extend(gzip);
    let (mut response, _peer) = get(answer).await;
    let chunk = response.content().chunk().await.expect("a piece");
    assert_eq!(chunk.as_deref(), Some(b"hello".as_slice()));
    assert!(!response.content().at_eof());
    let error = response.content().chunk().await.expect_err("truncated");
    assert_eq!(error.aiohttp_class(), "ClientPayloadError");
    assert!(!response.content().at_eof());
}

#[tokio::test]
async fn a_read_of_no_bytes_does_not_wait() {
    let (mut response, _peer) = get(TEN).await;
    let read = soon("AsyncRead", AsyncReadExt::read(response.content(), &mut [])).await;
    assert_eq!(read.expect("nothing to fail"), 0);
    let read = soon("read", response.content().read(0)).await;
    assert_eq!(read.expect("nothing to fail"), "");
}

#[tokio::test]
async fn total_is_over_whatever_is_at_hand() {
    // TMO-17.
    for (name, read) in READS {
        if name == "AsyncRead" {
            continue;
        }
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let total = Duration::from_secs(100);
        let request = session.get(listener.url("/")).timeout(total);
        // Half of it came with the head.
        let (mut response, mut peer) = listener.answer(request, format!("{TEN}01234")).await;
        peer.send("56789").await;
        tokio::time::pause();
        tokio::time::advance(2 * total).await;
        let error = read(&mut response).await.expect_err("too late");
        tokio::time::resume();
        assert_eq!(error.aiohttp_class(), "TimeoutError", "{name}");
        assert_eq!(session.connector().stats().open, 0, "{name}");
    }
}

#[tokio::test]
async fn a_body_that_is_here_is_not_too_late() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let total = Duration::from_secs(100);
    let request = session.get(listener.url("/")).timeout(total);
    let (mut response, _peer) = listener.answer(request, format!("{TEN}0123456789")).await;
    tokio::time::pause();
    tokio::time::advance(2 * total).await;
    assert_eq!(response.read().await.expect("it came"), "0123456789");
}

#[tokio::test]
async fn sock_read_is_over_though_the_upload_is_stuck() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let timeout = ClientTimeout {
        sock_read: Some(Duration::from_secs(100)),
        ..ClientTimeout::none()
    };
    // More than all buffers on the way hold, and the peer reads nothing of it.
    let request = session.post(listener.url("/")).body(vec![0; 64 << 20]);
    let answer = format!("{TEN}01234");
    let (mut response, _peer) = listener.answer(request.timeout(timeout), answer).await;
    tokio::time::pause();
    let error = response.read().await.expect_err("the peer is silent");
    assert_eq!(error.aiohttp_class(), "SocketTimeoutError");
}

#[tokio::test]
async fn a_broken_body_is_not_at_its_end() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (mut response, mut peer) = listener.answer(session.get(listener.url("/")), head).await;
    peer.send("5\r\nhelloXX").await;
    response.content().chunk().await.expect("a piece");
    response.content().chunk().await.expect_err("broken");
    assert!(!response.content().at_eof());
}

#[tokio::test]
async fn lines_that_were_not_read_before_a_close_are_gone() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\na\nb\nc";
    let (mut response, _peer) = listener
        .answer(session.get(listener.url("/")), answer)
        .await;
    response.content().line().await.expect("a line");
    response.close();
    let error = response.content().line().await.expect_err("closed");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError");
}

#[tokio::test]
async fn lines_at_hand_are_too_late_behind_total() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let total = Duration::from_secs(100);
    let request = session.get(listener.url("/")).timeout(total);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\na\nb\nc";
    let (mut response, _peer) = listener.answer(request, answer).await;
    response.content().line().await.expect("a line");
    tokio::time::pause();
    tokio::time::advance(2 * total).await;
    let error = response.content().line().await.expect_err("too late");
    assert_eq!(error.aiohttp_class(), "TimeoutError");
}
