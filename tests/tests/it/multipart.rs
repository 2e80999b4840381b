//! Multipart responses, part by part.

use std::io::Write;

use aio_client::{
    BodyPart, BoxFuture, ClientError, ClientPayloadError, ClientReadError, ClientResponse,
    ClientSession, MultipartError, MultipartLimits, PayloadError, ReadError,
};
use aio_tests::http_server::{Body, Response, TestServer};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::peer::{Listener, give_up, soon};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=B\r\n";

const BODY: &str = "--B\r\nX-A: 1\r\n\r\nhello,\r\nworld\r\n--B\r\n\r\n\r\n--B\r\n\
    Content-Length: 4\r\n\r\n\r\n--\r\n--B--\r\n";

fn parts() -> [Bytes; 3] {
    ["hello,\r\nworld", "", "\r\n--"].map(Bytes::from)
}

fn gzipped(data: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(data).expect("a Vec takes all");
    gzip.finish().expect("a Vec takes all")
}

async fn read(response: &mut ClientResponse) -> Result<Vec<Bytes>, ClientError> {
    let mut reader = response.multipart()?;
    let mut parts = Vec::new();
    while let Some(mut part) = reader.next().await? {
        parts.push(part.read().await?);
    }
    Ok(parts)
}

/// Answers one request with `answer` and closes.
async fn get(answer: impl AsRef<[u8]>) -> (ClientResponse, ClientSession) {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.get(listener.url("/"));
    let (response, mut peer) = listener.answer(request, answer).await;
    peer.end().await;
    (response, session)
}

// BODY-76.
#[tokio::test]
async fn connection_is_given_back_at_the_end() {
    let server = TestServer::start(|request| async move {
        let typed = |body| {
            let answer = Response::new(200).body(body);
            answer.header("Content-Type", "multipart/mixed; boundary=B")
        };
        let epilogue = |length| format!("{BODY}{}", "x\r\n".repeat(length)).into();
        match request.target.as_str() {
            "/length" => typed(Body::Bytes(BODY.into())),
            "/epilogue" => typed(Body::Bytes(epilogue(10_000))),
            "/long-epilogue" => typed(Body::Bytes(epilogue(1_000_000))),
            // A chunk for each byte: the last one comes behind the last boundary.
            _ => typed(Body::Chunked(
                BODY.bytes().map(|b| vec![b].into()).collect(),
            )),
        }
    });
    let (server, session) = (server.await.expect("a server"), ClientSession::new());
    for path in ["/length", "/chunked", "/epilogue"] {
        for _ in 0..3 {
            let mut response = session.get(server.url(path)).await.expect("a response");
            let read = soon("the parts", read(&mut response)).await;
            assert_eq!(read.expect("good"), parts());
            assert!(response.is_closed(), "{path}");
        }
    }
    assert_eq!(server.connections(), 1);
    // Nobody reads an endless one to its end.
    let mut response = session
        .get(server.url("/long-epilogue"))
        .await
        .expect("a response");
    let read = soon("the parts", read(&mut response)).await;
    assert_eq!(read.expect("good"), parts());
    assert!(!response.is_closed());
    drop(response);
    let response = session
        .get(server.url("/length"))
        .await
        .expect("a response");
    assert_eq!(server.connections(), 2);
    let mut reader = response.into_multipart().expect("parts");
    let task = tokio::spawn(async move {
        let mut count = 0;
        while let Some(mut part) = reader.next().await? {
            part.release().await?;
            count += 1;
        }
        Ok::<usize, ClientError>(count)
    });
    assert_eq!(task.await.expect("no panic").expect("good"), 3);
    assert_eq!(session.connector().stats().idle, 1);
}

#[tokio::test]
async fn connection_of_a_reader_that_is_dropped_is_closed() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let answer = format!("{HEAD}Content-Length: 1000\r\n\r\n{BODY}");
    let request = session.get(listener.url("/"));
    let (response, mut peer) = listener.answer(request, answer).await;
    let mut reader = response.into_multipart().expect("parts");
    reader.next().await.expect("good").expect("a part");
    drop(reader);
    soon("the close", peer.drain()).await;
    assert_eq!(session.connector().stats().open, 0);
}

/// What `read` fails with.
async fn failure(answer: impl AsRef<[u8]>) -> ClientError {
    let (mut response, _session) = get(answer).await;
    let failed = soon("the error", read(&mut response)).await;
    failed.expect_err("it is broken")
}

// BODY-83, EDGE-130 and EDGE-131 for parts.
#[tokio::test]
async fn truncated_body_is_its_own_error() {
    // Inside of the parts, and behind the last one.
    for cut in [0, 3, 10, 30, BODY.len() - 1, BODY.len()] {
        let body = &BODY[..cut];
        let length = BODY.len() + 1;
        let error = failure(format!("{HEAD}Content-Length: {length}\r\n\r\n{body}")).await;
        let ClientError::Payload(error) = error else {
            panic!("{error:?}");
        };
        let ClientPayloadError { source, .. } = *error;
        let want = (cut as u64, length as u64);
        assert!(
            matches!(source, PayloadError::ShortLength { received, expected }
                if (received, expected) == want),
            "{source}"
        );
        let error = failure(format!(
            "{HEAD}Transfer-Encoding: chunked\r\n\r\n{cut:x}\r\n{body}"
        ));
        assert_eq!(error.await.aiohttp_class(), "ClientPayloadError");
    }
}

#[tokio::test]
async fn whole_body_without_its_last_boundary_is_an_error() {
    for (cut, class, text) in [
        (0, "ValueError", "could not find the starting boundary"),
        (10, "ValueError", "the body ends before its last boundary"),
        (
            BODY.len() - 4,
            "ValueError",
            "the body ends before its last boundary",
        ),
    ] {
        let answer = format!("{HEAD}Content-Length: {cut}\r\n\r\n{}", &BODY[..cut]);
        let error = failure(answer).await;
        assert_eq!(error.aiohttp_class(), class);
        assert!(error.is_a(class) && !error.is_a("ClientError"));
        assert!(error.to_string().starts_with(text), "{error}");
        let attempt = error.attempt().expect("it had begun");
        assert!(attempt.url.starts_with("http://127.0.0.1:"));
    }
    let bad = format!("{HEAD}\r\n--B\r\nno field\r\n\r\n--B--");
    let error = failure(bad).await;
    assert!(
        error.is_a("InvalidHeader") && error.is_a("BadHttpMessage"),
        "{error}"
    );
}

// BODY-70.
#[tokio::test]
async fn other_content_types_have_no_parts() {
    for (head, class) in [
        ("", "AssertionError"),
        ("Content-Type: text/plain\r\n", "AssertionError"),
        ("Content-Type: multipart/mixed\r\n", "ValueError"),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 2\r\n\r\nhi");
        let (mut response, _session) = get(answer).await;
        let error = response.multipart().expect_err("no parts");
        assert_eq!(error.aiohttp_class(), class);
        // It can be read otherwise.
        assert_eq!(response.text().await.expect("text"), "hi");
    }
}

#[tokio::test]
async fn limits_are_those_asked_for() {
    let limits = MultipartLimits {
        max_parts: Some(2),
        max_part_size: Some(12),
        ..MultipartLimits::default()
    };
    let (response, _session) = get(format!("{HEAD}\r\n{BODY}")).await;
    let mut reader = response.into_multipart_with(limits).expect("parts");
    let mut part = reader.next().await.expect("good").expect("a part");
    let error = part.read().await.expect_err("too large");
    let ClientError::Read(error) = error else {
        panic!("{error:?}");
    };
    let ClientReadError { source, .. } = *error;
    assert!(matches!(
        source,
        ReadError::Multipart(MultipartError::PartTooLarge { limit: 12 })
    ));
    let (mut response, _session) = get(format!("{HEAD}\r\n{BODY}")).await;
    let limits = MultipartLimits {
        max_part_size: None,
        ..limits
    };
    let mut reader = response.multipart_with(limits).expect("parts");
    for _ in 0..2 {
        reader.next().await.expect("good").expect("a part");
    }
    let error = reader.next().await.expect_err("too many");
    assert!(
        error.to_string().starts_with("more than 2 parts"),
        "{error}"
    );
}

// What a session allows a body to decode to, it allows each part.
#[tokio::test]
async fn parts_keep_to_the_bound_of_their_session() {
    let head = b"--B\r\nContent-Encoding: gzip\r\n\r\n";
    let bomb = gzipped(&[0; 100_000]);
    let plain = format!("--B\r\n\r\n{}\r\n", "x".repeat(20_000));
    let body = [plain.as_bytes(), head, &bomb, b"\r\n--B--\r\n"].concat();
    let answer = [format!("{HEAD}\r\n").as_bytes(), &body].concat();
    let loose = MultipartLimits::default();
    let tight = MultipartLimits {
        max_decoded_size: Some(9_000),
        ..loose
    };
    for (limits, bound) in [(loose, 10_000), (tight, 9_000)] {
        let session = ClientSession::builder().max_decoded_size(10_000);
        let session = session.build().expect("settings");
        let listener = Listener::new().await;
        let request = session.get(listener.url("/"));
        let (mut response, mut peer) = listener.answer(request, answer.clone()).await;
        peer.end().await;
        let mut reader = response.multipart_with(limits).expect("parts");
        // As much as is sent.
        let mut part = reader.next().await.expect("good").expect("a part");
        let read = part.read_decoded().await.map(|data| data.len());
        assert_eq!(read.expect("not coded"), 20_000);
        let mut part = reader.next().await.expect("good").expect("a part");
        let read = part.read_decoded().await.map(|data| data.len());
        let error = read.expect_err("too large").to_string();
        let want = format!("a part has more than {bound} bytes");
        assert!(error.starts_with(&want), "{error}");
    }
}

// A compressed response is decoded before its parts are.
#[tokio::test]
async fn parts_of_a_compressed_response_are_read() {
    let body = gzipped(BODY.as_bytes());
    let head = format!(
        "{HEAD}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (mut response, _session) = get([head.as_bytes(), &body].concat()).await;
    assert_eq!(read(&mut response).await.expect("good"), parts());
}

/// A way to read all of a part, as far as it has come.
type Read = for<'a> fn(&'a mut BodyPart<'_>) -> BoxFuture<'a, Result<Bytes, ClientError>>;

const READS: [(&str, Read); 6] = [
    ("read", |part| Box::pin(part.read())),
    ("read_decoded", |part| Box::pin(part.read_decoded())),
    ("text", |part| {
        Box::pin(async { Ok(part.text().await?.into()) })
    }),
    ("chunk_of", |part| {
        Box::pin(async { Ok(part.chunk_of(100).await?.unwrap_or_default()) })
    }),
    ("line", |part| {
        Box::pin(async { Ok(part.line().await?.unwrap_or_default()) })
    }),
    ("release and nothing", |part| {
        Box::pin(async {
            part.release().await?;
            Ok(Bytes::from("one line"))
        })
    }),
];

// Dropping a future loses nothing, wherever it waits.
#[tokio::test]
async fn a_reader_that_went_away_goes_on() {
    let body = "pre\r\n--B\r\nX-A: 1\r\n\r\none line\r\n--B\r\n\r\n--B--\r\nepi";
    let start = body.find("one").expect("it is there");
    let end = start + "one line".len();
    for (name, read) in READS {
        for cut in 0..body.len() {
            let (listener, session) = (Listener::new().await, ClientSession::new());
            let head = format!("{HEAD}Content-Length: {}\r\n\r\n", body.len());
            let request = session.get(listener.url("/"));
            let (mut response, mut peer) = listener.answer(request, head).await;
            peer.send(&body[..cut]).await;
            let mut reader = response.multipart().expect("parts");
            if cut < start {
                give_up(reader.next()).await;
                peer.send(&body[cut..]).await;
            }
            let mut part = soon("a part", reader.next())
                .await
                .expect("good")
                .expect("a part");
            // The boundary is whole with its line end.
            if (start..end + "\r\n--B\r\n".len()).contains(&cut) {
                give_up(read(&mut part)).await;
                peer.send(&body[cut..]).await;
            }
            let data = soon(name, read(&mut part)).await.expect("good");
            assert_eq!(data, "one line", "{name}, cut at {cut}");
            let behind = cut >= end + "\r\n--B\r\n".len();
            let head_end = end + "\r\n--B\r\n\r\n".len();
            if behind && cut < head_end {
                give_up(reader.next()).await;
                peer.send(&body[cut..]).await;
            }
            let part = soon("a part", reader.next()).await.expect("good");
            part.expect("a part");
            if cut >= head_end {
                give_up(reader.next()).await;
                peer.send(&body[cut..]).await;
            }
            let end = soon("the end", reader.next()).await.expect("good");
            assert!(end.is_none() && reader.at_eof());
            drop(reader);
            assert!(response.is_closed(), "{name}, cut at {cut}");
        }
    }
}
