//! Bodies with content codings: which are offered and decoded, stacked ones, and bounds.

use std::cell::Cell;
use std::io::Write as _;
use std::process::Command;

use aio_client::{
    ClientError, ClientResponse, ClientSession, ClientTimeout, Coding, PayloadError, RequestBuilder,
};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use tokio::task::yield_now;

use crate::peer::{Listener, Peer, give_up, soon};

const HELLO: &[u8] = b"hello, hello, hello";

/// What Python's brotli and zstandard make of `HELLO`.
const BROTLI: &[u8] =
    b"\x1b\x12\0\xf8\x8d\x94\x6e\xde\x44\x09\x52\x86\x96\x6c\x2c\x6f\x11\x4f\x24\xd0\x71\0";
const ZSTD: &[u8] =
    b"\x28\xb5\x2f\xfd\x24\x13\x6d\0\0\x38hello, \x01\0\xe2\x8a\x11\x75\xf3\x98\x8e";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

/// A response with these fields, and the body in a packet of its own.
fn head(fields: &[&str], length: usize) -> String {
    let fields: String = fields
        .iter()
        .map(|field| format!("Content-Encoding: {field}\r\n"))
        .collect();
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {length}\r\n\r\n")
}

fn answer(fields: &[&str], body: &[u8]) -> Vec<u8> {
    [head(fields, body.len()).as_bytes(), body].concat()
}

/// Sends what `set` makes of a request, and answers it.
async fn get(
    set: impl FnOnce(RequestBuilder) -> RequestBuilder,
    answer: impl AsRef<[u8]>,
) -> (ClientResponse, Peer) {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.get(listener.url("/"));
    let request = set(request.timeout(ClientTimeout::none()));
    soon("the client gets on", listener.answer(request, answer)).await
}

fn payload(error: ClientError) -> PayloadError {
    assert!(error.is_a("ClientPayloadError"), "{error}");
    match error {
        ClientError::Payload(error) => error.source,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn all_codings_are_offered_and_decoded() {
    let offered = async |session: ClientSession| {
        let listener = Listener::new().await;
        let server = async {
            let mut peer = listener.accept().await;
            let head = peer.head().await;
            peer.send(answer(&["gzip"], &gzip(HELLO))).await;
            let offered = head
                .lines()
                .find_map(|line| line.strip_prefix("Accept-Encoding: "));
            offered.map(str::to_owned)
        };
        let get = async { session.get(listener.url("/")).await?.read().await };
        let (body, offered) = soon("the client gets on", async { tokio::join!(get, server) }).await;
        (offered.expect("it is offered"), body.expect("a body"))
    };
    let (codings, body) = offered(ClientSession::new()).await;
    assert_eq!(
        (codings.as_str(), &body[..]),
        ("gzip, deflate, br, zstd", HELLO)
    );
    let only = ClientSession::builder().codings([Coding::Brotli, Coding::Gzip]);
    let (codings, body) = offered(only.build().expect("built in")).await;
    assert_eq!((codings.as_str(), &body[..]), ("br, gzip", HELLO));
    let none = ClientSession::builder().codings([]);
    let (codings, body) = offered(none.build().expect("nothing to build in")).await;
    assert_eq!(
        (codings.as_str(), &body[..]),
        ("identity", &gzip(HELLO)[..])
    );

    for (name, body) in [("gzip", &gzip(HELLO)[..]), ("br", BROTLI), ("zstd", ZSTD)] {
        let (mut response, _peer) = get(|request| request, answer(&[name], body)).await;
        assert_eq!(response.read().await.expect("good"), HELLO, "{name}");
        let only = |request: RequestBuilder| request.codings([Coding::Deflate]);
        let (mut response, _peer) = get(only, answer(&[name], body)).await;
        assert_eq!(response.read().await.expect("as it came"), body, "{name}");
    }
}

#[tokio::test]
async fn stacked_codings_are_undone() {
    let inner = zlib(HELLO);
    for (fields, body) in [
        (&["deflate, gzip"][..], gzip(&inner)),
        (&["deflate", "gzip"], gzip(&inner)),
        (&["identity", "Deflate , identity,, GZIP"], gzip(&inner)),
        (
            &["gzip, gzip, deflate", "gzip"],
            gzip(&zlib(&gzip(&gzip(HELLO)))),
        ),
    ] {
        let (mut response, _peer) = get(|request| request, answer(fields, &body)).await;
        assert_eq!(response.read().await.expect("good"), HELLO, "{fields:?}");
        // Byte by byte, in chunks.
        let chunked = head(fields, 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
        let (mut response, mut peer) = get(|request| request, chunked).await;
        let send = async {
            for byte in &body {
                peer.send([b"1\r\n", &[*byte][..], b"\r\n"].concat()).await;
            }
            peer.send("0\r\n\r\n").await;
        };
        let (read, ()) = soon("the client gets on", async {
            tokio::join!(response.read(), send)
        })
        .await;
        assert_eq!(read.expect("good"), HELLO, "{fields:?}");
    }
    for fields in [
        &["exi, gzip"][..],
        &["gzip", "exi"],
        &["gzip, gzip, gzip, gzip, gzip"],
    ] {
        let body = gzip(HELLO);
        let (mut response, _peer) = get(|request| request, answer(fields, &body)).await;
        assert_eq!(
            response.read().await.expect("as it came"),
            body,
            "{fields:?}"
        );
    }
}

#[tokio::test]
async fn stacked_codings_that_give_nothing_let_others_have_their_turn() {
    // 16 MiB of gzip members without a byte in them, each with 1000 bytes in its header.
    let mut member = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 0xe8, 0x03];
    member.extend([0; 1000]);
    member.extend(gzip(b"").split_off(10));
    let body = gzip(&member.repeat((16 << 20) / member.len()));
    let (mut response, _peer) = get(|request| request, answer(&["gzip, gzip"], &body)).await;
    let turns = Cell::new(0);
    let others = async {
        loop {
            turns.set(turns.get() + 1);
            yield_now().await;
        }
    };
    let read = async {
        tokio::select! {
            read = response.read() => read,
            () = others => unreachable!("it has no end"),
        }
    };
    assert_eq!(soon("the client gets on", read).await.expect("good"), "");
    assert!(turns.get() >= 32, "{}", turns.get());
}

#[tokio::test]
async fn what_was_flushed_is_given_before_more_comes() {
    let flushed = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let written = encoder.write_all(HELLO).and_then(|()| encoder.flush());
        written.expect("a Vec takes all");
        encoder.get_ref().clone()
    };
    // The same of Python's zstandard, and of brotli.
    let zstd = b"\x28\xb5\x2f\xfd\0\x58\x38\0\0hello, \x60\0\0hello, hello";
    let brotli = b"\x0b\x09\x80hello, hello, hello";
    for (name, flushed) in [("gzip", &flushed[..]), ("zstd", zstd), ("br", brotli)] {
        let (mut response, mut peer) = get(|request| request, head(&[name], 1000)).await;
        peer.send(flushed).await;
        let mut got = Vec::new();
        while got.len() < HELLO.len() {
            let chunk = soon("the client gets on", response.content().chunk())
                .await
                .expect("good");
            got.extend_from_slice(&chunk.expect("more is to come"));
        }
        assert_eq!(got, HELLO, "{name}");
    }
}

#[tokio::test]
async fn too_much_decoded_is_an_error_however_it_is_read() {
    let text = vec![b'x'; 300_000];
    let bounded = |limit: u64| move |request: RequestBuilder| request.max_decoded_size(limit);
    for fields in [&["gzip"][..], &["gzip, deflate"]] {
        let body = match fields {
            ["gzip"] => gzip(&text),
            _ => zlib(&gzip(&text)),
        };
        let (mut response, _peer) = get(bounded(300_000), answer(fields, &body)).await;
        assert_eq!(response.read().await.expect("as much as may be"), text);
        let (mut response, _peer) = get(bounded(299_999), answer(fields, &body)).await;
        let error = response.read().await.expect_err("a byte too many");
        let PayloadError::DecodedTooLarge { limit } = payload(error) else {
            panic!("another error");
        };
        assert_eq!(limit, 299_999);

        let (mut response, mut peer) = get(bounded(100_000), head(fields, 1 << 20)).await;
        peer.send(&body).await;
        let mut got = 0;
        let error = loop {
            match soon("the client gets on", response.content().chunk()).await {
                Ok(chunk) => got += chunk.expect("no end").len(),
                Err(error) => break error,
            }
        };
        assert!(matches!(
            payload(error),
            PayloadError::DecodedTooLarge { .. }
        ));
        assert!(got <= 100_000, "{got}");
        response.content().chunk().await.expect_err("as before");
        soon("the connection is closed", peer.drain()).await;
    }
    // What is not encoded is not bounded.
    let (mut response, _peer) = get(bounded(9), answer(&["identity"], b"0123456789")).await;
    assert_eq!(response.read().await.expect("ten bytes"), "0123456789");
    // A request has its own bound, or none.
    let session = ClientSession::builder()
        .max_decoded_size(5)
        .build()
        .expect("good");
    for (bound, good) in [(None, true), (Some(19), true), (Some(18), false)] {
        let listener = Listener::new().await;
        let request = session.get(listener.url("/")).max_decoded_size(bound);
        let (mut response, _peer) = listener.answer(request, answer(&["br"], BROTLI)).await;
        assert_eq!(response.read().await.is_ok(), good, "{bound:?}");
    }
    let listener = Listener::new().await;
    let request = session.get(listener.url("/"));
    let (mut response, _peer) = listener.answer(request, answer(&["br"], BROTLI)).await;
    response.text().await.expect_err("the session's");
}

#[tokio::test]
async fn too_much_to_be_read_whole_is_an_error() {
    let bounded = |request: RequestBuilder| request.max_body_size(10);
    let too_large = |error| matches!(payload(error), PayloadError::BodyTooLarge { limit: 10 });
    const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    // At once when the length is told; with what came with the head, too.
    for came in ["", "012", "0123456789a"] {
        let (mut response, mut peer) = get(bounded, format!("{LENGTH}{came}")).await;
        let error = soon("the client gets on", response.read())
            .await
            .expect_err("told");
        assert!(too_large(error), "{came}");
        response.text().await.expect_err("as before");
        if came.len() < 11 {
            soon("the connection is closed", peer.drain()).await;
        }
    }
    // Else when it has come.
    for (begin, end) in [
        (CHUNKED, ""),
        ("HTTP/1.1 200 OK\r\n\r\n", ""),
        (CHUNKED, "0\r\n\r\n"),
    ] {
        let body = if begin == CHUNKED {
            "b\r\n0123456789a\r\n"
        } else {
            "0123456789a"
        };
        let (mut response, mut peer) = get(bounded, begin).await;
        peer.send(format!("{body}{end}")).await;
        let error = soon("the client gets on", response.json::<u64>())
            .await
            .expect_err("too large");
        assert!(too_large(error));
    }
    let (mut response, mut peer) = get(bounded, CHUNKED).await;
    peer.send("6\r\n012345\r\n5\r\n6789a\r\n").await;
    let read = soon("the client gets on", response.content().read_all()).await;
    assert!(too_large(read.expect_err("too large")));
    soon("the connection is closed", peer.drain()).await;
    // What is decoded counts, not what it is decoded from.
    let (mut response, _peer) = get(bounded, answer(&["gzip"], &gzip(b"0123456789"))).await;
    assert_eq!(response.text().await.expect("ten bytes"), "0123456789");
    let (mut response, _peer) = get(bounded, answer(&["gzip"], &gzip(HELLO))).await;
    assert!(too_large(response.text().await.expect_err("more")));

    // Ten bytes are not too many; and in pieces none are, even in whole behind them.
    let (mut response, _peer) = get(bounded, answer(&[], b"0123456789")).await;
    assert_eq!(response.read().await.expect("ten bytes"), "0123456789");
    let (mut response, mut peer) = get(bounded, LENGTH).await;
    peer.send("0123456789a").await;
    let first = soon("the client gets on", response.content().exactly(1))
        .await
        .expect("a byte");
    let rest = soon("the client gets on", response.read())
        .await
        .expect("ten are left");
    assert_eq!((&first[..], &rest[..]), (&b"0"[..], &b"123456789a"[..]));
    // A length without a body says nothing.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = bounded(session.head(listener.url("/")));
    let (mut response, _peer) = soon("the client gets on", listener.answer(request, LENGTH)).await;
    assert_eq!(response.read().await.expect("no body"), "");
}

#[tokio::test]
async fn a_reader_that_goes_away_meets_the_bound_later() {
    let bounded = |request: RequestBuilder| request.max_body_size(10);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n";
    let (mut response, mut peer) = get(bounded, chunked).await;
    give_up(response.read()).await;
    peer.send("8\r\n01234567\r\n").await;
    let error = soon("the client gets on", response.read())
        .await
        .expect_err("too large");
    assert!(matches!(payload(error), PayloadError::BodyTooLarge { .. }));
}

/// RSP-65.
#[tokio::test]
async fn a_coding_that_ends_early_is_an_error_unless_tolerated() {
    for (name, body) in [
        ("gzip", &gzip(HELLO)[..]),
        ("deflate", &zlib(HELLO)),
        ("br", BROTLI),
        ("zstd", ZSTD),
        ("deflate, gzip", &gzip(&zlib(HELLO))),
    ] {
        let cut = answer(&[name], &body[..body.len() - 1]);
        let (mut response, _peer) = get(|request| request, &cut).await;
        let error = response.read().await.expect_err("cut");
        assert!(
            matches!(payload(error), PayloadError::Truncated { .. }),
            "{name}"
        );
        let (mut response, _peer) = get(|request| request.tolerate_truncated(true), &cut).await;
        let got = response.read().await.expect("tolerated");
        assert!(HELLO.starts_with(&got), "{name}");
        assert!(response.content().at_eof());
        // Corrupt is another matter, and so is a body that is cut itself.
        let corrupt = answer(&[name], &[body, b"????"].concat());
        let (mut response, _peer) = get(|request| request.tolerate_truncated(true), corrupt).await;
        let error = response.read().await.expect_err("corrupt");
        assert!(
            matches!(payload(error), PayloadError::Decode { .. }),
            "{name}"
        );
        let (mut response, peer) = get(
            |request| request.tolerate_truncated(true),
            &cut[..cut.len() - 1],
        )
        .await;
        drop(peer);
        let error = soon("the client gets on", response.read())
            .await
            .expect_err("cut");
        assert!(
            matches!(payload(error), PayloadError::ShortLength { .. }),
            "{name}"
        );
    }
}

/// REQ-13.
#[tokio::test]
async fn what_cannot_be_encoded_is_refused() {
    let session = ClientSession::new();
    let request = session.post("http://127.0.0.1:1/").body("text");
    let error = request
        .compress(Coding::Brotli)
        .await
        .expect_err("no encoder");
    assert!(error.is_a("ValueError"), "{error}");
    assert_eq!(
        error.to_string(),
        "compress must be gzip or deflate, not br"
    );
    let builder = ClientSession::builder().compress(Coding::Zstd);
    builder.build().expect_err("no encoder");
}

/// EDGE-133, and what bounds cost that are met: the program says what it measures.
#[test]
fn a_bomb_costs_its_bound_and_its_window_in_memory() {
    let output = Command::new(env!("CARGO_BIN_EXE_bomb"))
        .output()
        .expect("it is built");
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}
