//! A long chunked body, whatever its chunks and however it is read.

use std::future::poll_fn;

use aio_connector::{Connection, Exchange, ExchangeOptions, UploadFraming};
use aio_core::http1::{BodyEvent, Exchanged, Limits};
use aio_core::{Body, RequestUrl};
use bytes::Bytes;
use http::Method;
use tokio::io::{AsyncWriteExt, duplex};

/// More than a few of the blocks that bulk bodies are read into.
const LENGTH: usize = 1 << 20;

/// `LENGTH` bytes that repeat at no power of two.
fn text() -> Vec<u8> {
    (0..LENGTH).map(|at| (at % 251) as u8).collect()
}

/// The text in chunks of these sizes, in turn, and their number.
fn chunked(sizes: &[usize]) -> (Vec<u8>, usize) {
    let (text, mut rest, mut wire) = (text(), 0, Vec::new());
    let mut count = 0;
    for size in sizes.iter().cycle() {
        let size = (*size).min(LENGTH - rest);
        if size == 0 {
            break;
        }
        wire.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        wire.extend_from_slice(&text[rest..rest + size]);
        wire.extend_from_slice(b"\r\n");
        rest += size;
        count += 1;
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    (wire, count)
}

/// Receives the text, written in pieces of so many bytes; keeps one piece in `keep`.
async fn check(sizes: &[usize], written: usize, keep: usize) {
    let (near, mut far) = duplex(128 * 1024);
    let (wire, count) = chunked(sizes);
    let server = tokio::spawn(async move {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        far.write_all(head).await?;
        for piece in wire.chunks(written) {
            far.write_all(piece).await?;
        }
        std::io::Result::Ok(far)
    });
    let url = RequestUrl::parse("http://example.org/").expect("a URL");
    let options = ExchangeOptions {
        framing: UploadFraming::Length(0),
        limits: Limits::default(),
        exchanged: Exchanged::of(&Method::GET),
        expect_continue: false,
        force_close: false,
    };
    let mut exchange = Exchange::start(Connection::over(near, &url), Body::none(), options);
    poll_fn(|cx| exchange.poll_head(cx)).await.expect("a head");
    let (mut got, mut ends) = (Vec::new(), 0);
    let mut kept: Vec<(usize, Bytes)> = Vec::new();
    let mut pieces = 0;
    loop {
        match poll_fn(|cx| exchange.poll_body(cx)).await.expect("a body") {
            BodyEvent::Data(data) => {
                pieces += 1;
                if pieces % keep == 0 {
                    kept.push((got.len(), data.clone()));
                }
                got.extend_from_slice(&data);
            }
            BodyEvent::ChunkEnd => ends += 1,
            BodyEvent::End => break,
            BodyEvent::More => panic!("more is no event of a read"),
        }
    }
    let about = format!("chunks of {sizes:?} written by {written}");
    let text = text();
    assert!(got == text, "{about}: the body");
    assert_eq!(ends, count, "{about}");
    for (at, data) in kept {
        assert!(data == text[at..at + data.len()], "{about}: kept from {at}");
    }
    server.await.expect("no panic").expect("all was read");
}

#[tokio::test]
async fn a_long_body_comes_whole_in_chunks_of_any_size() {
    let sizes: [&[usize]; 5] = [
        &[16 * 1024],
        &[100],
        &[1, 16 * 1024, 100, 70_000, 4096, 15_000],
        &[64 * 1024 - 1, 1],
        &[300_000],
    ];
    for sizes in sizes {
        for written in [1000, 16 * 1024 + 7, 64 * 1024, LENGTH * 2] {
            check(sizes, written, 1).await;
            check(sizes, written, 7).await;
            check(sizes, written, usize::MAX).await;
        }
    }
}
