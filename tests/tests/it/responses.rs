//! Responses from their head to their end: what is read, kept, released and refused.

use std::io::Write;

use aio_client::wire::http1::Limits;
use aio_client::{ClientError, ClientResponse, ClientSession, RequestBuilder};
use http::Method;
use tokio::io::AsyncWriteExt;

use crate::peer::{Listener, Peer, begin, give_up, soon};
use crate::reading::{CHUNKED, TEN, get};

/// Gets a response in a session of its own.
async fn ask(method: Method, answer: impl AsRef<[u8]>) -> (ClientSession, ClientResponse, Peer) {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.request(method, listener.url("/"));
    let (response, peer) = listener.answer(request, answer).await;
    (session, response, peer)
}

/// The connections of a session: open, and idle of them.
fn connections(session: &ClientSession) -> (usize, usize) {
    let stats = session.connector().stats();
    (stats.open, stats.idle)
}

/// Gets the error of a request whose answer is refused.
async fn refused(set: impl FnOnce(RequestBuilder) -> RequestBuilder, answer: &[u8]) -> ClientError {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = set(session.get(listener.url("/")));
    let serve = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send(answer).await;
        peer
    };
    let (response, _peer) = tokio::join!(request.send(), serve);
    assert_eq!(connections(&session), (0, 0));
    response.expect_err("refused")
}

#[tokio::test]
async fn a_small_response_has_given_its_connection_back() {
    // EDGE-008.
    let (session, mut response, _peer) = ask(Method::GET, format!("{TEN}0123456789")).await;
    assert!(response.is_closed() && response.connection().is_none());
    assert_eq!(connections(&session), (1, 1));
    assert_eq!(response.text().await.expect("a text"), "0123456789");
}

#[tokio::test]
async fn a_response_that_has_no_body_does_not_wait_for_one() {
    // EDGE-009, EDGE-134.
    for (method, head, kept) in [
        (Method::GET, "304 X\r\nContent-Length: 20", true),
        // RFC 9112 6.3: others may see a body in it.
        (Method::GET, "304 X\r\nTransfer-Encoding: chunked", false),
        (Method::GET, "204 X", true),
        (Method::HEAD, "200 X\r\nContent-Length: 20", true),
        (Method::HEAD, "200 X\r\nTransfer-Encoding: chunked", true),
        (Method::HEAD, "404 X\r\nContent-Encoding: gzip", true),
    ] {
        let answer = format!("HTTP/1.1 {head}\r\n\r\n");
        let (session, mut response, _peer) = ask(method, answer).await;
        let read = soon(head, response.read()).await;
        assert_eq!(read.expect("no body"), "", "{head}");
        let kept = usize::from(kept);
        assert_eq!(connections(&session), (kept, kept), "{head}");
    }
}

#[tokio::test]
async fn nothing_is_not_decoded() {
    // EDGE-011, RSP-66.
    for coding in ["gzip", "deflate"] {
        for (method, head) in [
            (Method::GET, "204 X"),
            (Method::GET, "200 X\r\nContent-Length: 0"),
            (Method::HEAD, "200 X\r\nContent-Length: 20"),
        ] {
            let answer = format!("HTTP/1.1 {head}\r\nContent-Encoding: {coding}\r\n\r\n");
            let (_session, mut response, _peer) = ask(method, answer).await;
            let read = soon(head, response.read()).await;
            assert_eq!(read.expect("no body"), "", "{coding}, {head}");
        }
    }
}

#[tokio::test]
async fn a_reader_that_waits_learns_that_all_was_closed() {
    // EDGE-023: nobody else can release a response that is being read; the session can.
    let (session, mut response, _peer) = ask(Method::GET, format!("{TEN}01234")).await;
    let reader = begin(async move { (response.content().line().await, response) }).await;
    soon("the session", session.close()).await;
    let (line, mut response) = soon("the reader", reader).await.expect("no panic");
    let error = line.expect_err("closed");
    assert!(error.is_connection(), "{error}");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError");
    // Released by its owner before, it is the same.
    response.release();
    let error = response.content().line().await.expect_err("released");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError");
}

#[tokio::test]
async fn the_first_failure_of_a_body_stays() {
    // EDGE-024, RSP-30.
    let (session, mut response, mut peer) = ask(Method::GET, CHUNKED).await;
    peer.send("zz\r\n").await;
    for _ in 0..2 {
        let error = response.content().chunk().await.expect_err("no chunk");
        assert_eq!(error.aiohttp_class(), "ClientPayloadError");
    }
    soon("the session", session.close()).await;
    for error in [
        response.content().chunk().await.expect_err("no chunk"),
        response.read().await.expect_err("no body"),
    ] {
        assert_eq!(error.aiohttp_class(), "ClientPayloadError");
    }
}

#[tokio::test]
async fn a_body_that_ends_early_is_an_error() {
    // EDGE-130, EDGE-131, RSP-55.
    for (answer, told) in [
        (format!("{CHUNKED}5\r\nab"), "before its last chunk"),
        (format!("{CHUNKED}5\r\nabcde\r\n"), "before its last chunk"),
        (format!("{TEN}abc"), "3 of 10 bytes"),
    ] {
        let (session, mut response, mut peer) = ask(Method::GET, &answer).await;
        peer.0.shutdown().await.expect("it is open");
        let error = soon("the body", response.read()).await.expect_err("cut");
        assert_eq!(error.aiohttp_class(), "ClientPayloadError");
        assert!(error.to_string().contains(told), "{error}");
        assert_eq!(connections(&session), (0, 0));
    }
}

#[tokio::test]
async fn a_corrupt_body_is_an_error_when_it_is_read() {
    // EDGE-132.
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"some text").expect("in memory");
    let mut packed = packed.finish().expect("in memory");
    packed[3] ^= 0xff;
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: ";
    let mut answer = format!("{head}{}\r\n\r\n", packed.len()).into_bytes();
    answer.extend(packed);
    let (_session, mut response, _peer) = ask(Method::GET, answer).await;
    assert!(response.ok(), "the head is good");
    let error = response.read().await.expect_err("corrupt");
    assert_eq!(error.aiohttp_class(), "ClientPayloadError");
}

#[tokio::test]
async fn a_response_that_is_an_error_can_be_read() {
    // EDGE-135.
    let answer = "HTTP/1.1 500 Oh No\r\nContent-Length: 10\r\n\r\n01234";
    let (session, mut response, mut peer) = ask(Method::GET, answer).await;
    let error = response.raise_for_status().map(|_| ()).expect_err("500");
    assert_eq!(error.status(), Some(500));
    assert_eq!(connections(&session), (1, 0), "it is kept");
    peer.send("56789").await;
    let text = soon("the body", response.text()).await;
    assert_eq!(text.expect("a body"), "0123456789");
    // Outside aiohttp's block nobody holds it any more.
    let (session, response, _peer) = ask(Method::GET, answer).await;
    drop(response);
    assert_eq!(connections(&session), (0, 0));
    // And one that is released does not read on.
    let (_session, mut response, _peer) = ask(Method::GET, answer).await;
    response.release();
    let error = response.text().await.expect_err("released");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError");
}

#[tokio::test]
async fn a_body_that_was_read_stays_as_text() {
    // EDGE-136, RSP-29.
    let (mut response, _peer) = get(format!("{TEN}\"01234567\"")).await;
    response.read().await.expect("a body");
    response.release();
    let error = response.read().await.expect_err("released");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError");
    assert_eq!(response.text().await.expect("a text"), "\"01234567\"");
    let any = aio_client::JsonOptions {
        content_type: None,
        ..Default::default()
    };
    let json: String = response.json_with(&any).await.expect("JSON");
    assert_eq!(json, "01234567");
}

#[tokio::test]
async fn a_body_is_read_again_in_any_way() {
    // RSP-20.
    let (mut response, _peer) = get(format!("{TEN}\"01234567\"")).await;
    for _ in 0..2 {
        assert_eq!(response.read().await.expect("a body"), "\"01234567\"");
        assert_eq!(response.text().await.expect("a text"), "\"01234567\"");
        assert_eq!(response.encoding().await.expect("a charset"), "utf-8");
    }
}

#[tokio::test]
async fn what_comes_behind_a_close_is_ignored() {
    // EDGE-158.
    let (session, mut response, mut peer) = ask(Method::GET, format!("{TEN}01234")).await;
    response.close();
    assert_eq!(connections(&session), (0, 0));
    // The client may have gone already: that is what it is about.
    _ = peer.0.write_all(b"56789").await;
    let error = response.content().chunk().await.expect_err("closed");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError");
    assert!(!response.content().at_eof());
}

#[tokio::test]
async fn a_head_may_come_byte_by_byte() {
    // EDGE-157.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let mut request = Box::pin(session.get(listener.url("/")).send());
    let mut peer = tokio::select! {
        _ = &mut request => panic!("there was no answer"),
        peer = async {
            let mut peer = listener.accept().await;
            peer.head().await;
            peer
        } => peer,
    };
    let head = "HTTP/1.1 200 Fine\r\nX-A: b\r\nContent-Length: 1\r\n\r\n";
    for byte in head.as_bytes() {
        give_up(&mut request).await;
        peer.send([*byte]).await;
    }
    let mut response = soon("the head", request).await.expect("a response");
    assert_eq!(response.reason(), "Fine");
    peer.send("x").await;
    assert_eq!(response.text().await.expect("a body"), "x");
}

#[tokio::test]
async fn an_error_may_have_no_reason() {
    // EDGE-160.
    for line in ["404", "404 "] {
        let answer = format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n");
        let (mut response, _peer) = get(answer).await;
        let error = response.raise_for_status().map(|_| ()).expect_err("404");
        let ClientError::Response(error) = error else {
            panic!("{error:?}");
        };
        assert_eq!((error.status, &*error.message), (404, ""), "{line:?}");
    }
}

#[tokio::test]
async fn an_error_knows_its_response() {
    // RSP-44.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session
        .get(listener.url("/a?b=s3cret"))
        .header("Authorization", "Bearer s3cret");
    let serve = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        let location = "HTTP/1.1 302 Found\r\nLocation: /c\r\nSet-Cookie: id=s3cret\r\n";
        peer.send(format!("{location}Content-Length: 0\r\n\r\n"))
            .await;
        peer.head().await;
        peer.send(
            "HTTP/1.1 403 No Way\r\nSet-Cookie: id=s3cret\r\nX-A: b\r\nContent-Length: 0\r\n\r\n",
        )
        .await;
        peer
    };
    let (response, _peer) = tokio::join!(request.send(), serve);
    let mut response = response.expect("a response");
    let error = response.raise_for_status().map(|_| ()).expect_err("403");
    for shown in [
        format!("{error}"),
        format!("{error:?}"),
        format!("{error:#?}"),
    ] {
        assert!(
            shown.contains("403") && !shown.contains("s3cret"),
            "{shown}"
        );
    }
    let ClientError::Response(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!((error.status, &*error.message), (403, "No Way"));
    let head = error.head.as_ref().expect("a head");
    assert_eq!(head.headers().get("x-a").expect("sent").as_bytes(), b"b");
    // Whoever asks for them gets them all.
    let sent = head.request_info().headers();
    let sent = sent.get("authorization").expect("it was sent");
    assert_eq!(sent.as_bytes(), b"Bearer s3cret");
    let history: Vec<_> = error
        .history
        .iter()
        .map(|head| head.status().as_u16())
        .collect();
    assert_eq!(history, [302]);
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    // EDGE-146.
    let answer = |count| {
        let fields: String = (1..count).map(|at| format!("X-{at}: y\r\n")).collect();
        format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n")
    };
    get(answer(128)).await;
    let error = refused(|request| request, answer(129).as_bytes()).await;
    assert_eq!(error.aiohttp_class(), "ClientResponseError");
    assert_eq!(error.status(), Some(400));
    let more = Limits {
        max_headers: 130,
        ..Limits::default()
    };
    let (listener, strict) = (Listener::new().await, ClientSession::builder());
    let strict = strict.limits(Limits {
        max_headers: 5,
        ..Limits::default()
    });
    let session = strict.build().expect("valid");
    let request = session.get(listener.url("/")).limits(more);
    let (response, _peer) = listener.answer(request, answer(130)).await;
    assert_eq!(response.headers().iter().count(), 130);
}

#[tokio::test]
async fn long_fields_and_lines_are_refused() {
    // EDGE-147, EDGE-148.
    let field = format!(
        "HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n",
        "y".repeat(8191)
    );
    let reason = format!(
        "HTTP/1.1 200 {}\r\nContent-Length: 0\r\n\r\n",
        "y".repeat(8191)
    );
    for answer in [&field, &reason] {
        let error = refused(|request| request, answer.as_bytes()).await;
        assert_eq!(error.status(), Some(400));
    }
    let wide = Limits {
        max_field_size: 8300,
        max_line_size: 8300,
        ..Limits::default()
    };
    for answer in [&field, &reason] {
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let request = session.get(listener.url("/")).limits(wide);
        let (response, _peer) = listener.answer(request, answer).await;
        assert!(response.ok());
    }
}

#[tokio::test]
async fn a_second_response_is_nobodys() {
    // EDGE-156.
    let two = format!("{TEN}0123456789").repeat(2);
    let (session, mut response, _peer) = ask(Method::GET, two).await;
    assert_eq!(response.text().await.expect("the first"), "0123456789");
    assert_eq!(connections(&session), (0, 0), "it is not used again");
}

#[tokio::test]
async fn a_body_without_length_may_be_none() {
    // RSP-53.
    let answer = "HTTP/1.1 200 OK\r\n\r\nbody";
    for (session, request, want) in [
        (true, None, "body"),
        (false, None, ""),
        (true, Some(false), ""),
        (false, Some(true), "body"),
    ] {
        let listener = Listener::new().await;
        let built = ClientSession::builder().read_until_eof(session).build();
        let mut asked = built.expect("valid").get(listener.url("/"));
        if let Some(request) = request {
            asked = asked.read_until_eof(request);
        }
        let (mut response, mut peer) = listener.answer(asked, answer).await;
        // Who reads until the end waits for it.
        _ = peer.0.shutdown().await;
        let text = soon("the body", response.text()).await;
        assert_eq!(text.expect("a body"), want, "{session} {request:?}");
    }
}
