//! Requests as they are built: what reaches the server, and what is refused before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aio_client::{
    Body, ClientError, ClientSession, Coding, ConnectionError, FileBody, JsonValue, RequestBuilder,
    RequestUrl, python_json,
};
use aio_tests::http_server::{Request, Response};
use bytes::Bytes;
use serde_json::json;

use crate::peer::Listener;
use crate::site::Site;

async fn site() -> Site {
    Site::new(|_| Response::ok("ok")).await
}

fn session(site: &Site) -> ClientSession {
    site.session().build().expect("valid")
}

/// Sends a request for `url`, and checks target and `Host` of what the server saw.
#[track_caller]
fn check_seen(seen: &Request, target: &str, host: &str) {
    assert_eq!(seen.target, target);
    assert_eq!(seen.header("Host"), Some(host));
    assert_eq!(seen.headers[0].0.to_lowercase(), "host", "it is the first");
}

#[tokio::test]
async fn parameters_extend_the_query() {
    // EDGE-030, EDGE-031, EDGE-034.
    let site = site().await;
    let session = session(&site);
    let none: [(&str, &str); 0] = [];
    for (url, params, want) in [
        ("http://a.test/?a=1", vec![("a", "2")], "/?a=1&a=2"),
        ("http://a.test/?a=1", none.to_vec(), "/?a=1"),
        (
            "http://a.test/p#top",
            vec![("k", "v 1"), ("k", "\u{e9}")],
            "/p?k=v+1&k=%C3%A9",
        ),
        ("http://a.test", vec![("q", "a+b&c=d")], "/?q=a%2Bb%26c%3Dd"),
    ] {
        session.get(url).query(params).await.expect("a response");
        check_seen(&site.last(), want, "a.test");
    }
}

#[tokio::test]
async fn a_session_has_parameters_too() {
    let site = site().await;
    let session = site
        .session()
        .query([("key", "1"), ("page", "0")])
        .query([("key", "2")])
        .build()
        .expect("valid");
    session
        .get("http://a.test/?page=2")
        .query([("q", "x")])
        .await
        .expect("a response");
    check_seen(&site.last(), "/?page=2&q=x&key=1&key=2", "a.test");
}

#[tokio::test]
async fn paths_are_quoted_once() {
    // EDGE-032, EDGE-033, REQ-28, REQ-29.
    let site = site().await;
    let session = session(&site);
    for (url, want) in [
        ("http://a.test/get/%25s", "/get/%25s"),
        ("http://a.test/!$&'()*+,;=:@", "/!$&'()*+,;=:@"),
        ("http://a.test/\u{e9} x?%7e=%2f", "/%C3%A9%20x?~=/"),
        ("http://a.test/%zz/a/../b", "/%25zz/b"),
    ] {
        session.get(url).await.expect("a response");
        check_seen(&site.last(), want, "a.test");
    }
    let encoded = RequestUrl::encoded("http://a.test/%7euser/../%2f?a=%2b").expect("a URL");
    session.get(encoded).await.expect("a response");
    check_seen(&site.last(), "/%7euser/../%2f?a=%2b", "a.test");
}

#[tokio::test]
async fn hosts_are_sent_in_their_canonical_form() {
    // EDGE-035, EDGE-036, EDGE-037.
    let site = site().await;
    let session = session(&site);
    for (url, want) in [
        ("http://ma\u{f1}ana.com", "xn--maana-pta.com"),
        ("HTTP://EXAMPLE.com:80/", "example.com"),
        ("ws://example.com:80/", "example.com"),
        ("http://example.com:443/", "example.com:443"),
        ("http://python.org.:99", "python.org:99"),
        ("http://python.org..", "python.org"),
    ] {
        session.get(url).await.expect("a response");
        check_seen(&site.last(), "/", want);
    }
    let error = session
        .get("http://\u{2061}owhefopw.com")
        .await
        .expect_err("invalid");
    assert_eq!(error.aiohttp_class(), "InvalidUrlClientError");
}

#[tokio::test]
async fn a_host_of_the_callers_is_sent_first_as_it_is() {
    // EDGE-038, REQ-32.
    let site = site().await;
    let request = session(&site).get("http://a.test/").header("X-A", "1");
    request
        .header("host", "Other.test:8080")
        .await
        .expect("a response");
    let seen = site.last();
    check_seen(&seen, "/", "Other.test:8080");
    assert_eq!(
        seen.headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
            .count(),
        1
    );
}

#[tokio::test]
async fn headers_of_the_request_replace_those_of_the_session() {
    // EDGE-039, SES-02, REQ-35 to REQ-38.
    let site = site().await;
    let session = site
        .session()
        .headers([("X-Both", "1"), ("X-Both", "2"), ("X-Session", "s")])
        .header("X-Empty", "")
        .build()
        .expect("valid");
    session.get("http://a.test/").await.expect("a response");
    assert_eq!(site.last_values("x-both"), ["1", "2"]);
    assert_eq!(site.last_values("x-empty"), [""]);
    let request = session
        .get("http://a.test/")
        .header("x-both", "3")
        .header("X-BOTH", "4");
    request.await.expect("a response");
    assert_eq!(site.last_values("x-both"), ["3", "4"], "REQ-37: fixed");
    assert_eq!(site.last_values("x-session"), ["s"]);
}

#[tokio::test]
async fn headers_by_themselves_can_be_left_out() {
    // EDGE-042, EDGE-043, REQ-56.
    let site = site().await;
    let session = site
        .session()
        .skip_auto_header("user-agent")
        .build()
        .expect("valid");
    let request = session
        .post("http://a.test/")
        .body(Bytes::from_static(b"abc"));
    let request = request
        .skip_auto_header("Accept")
        .skip_auto_header("CONTENT-TYPE");
    request
        .skip_auto_header("Content-Length")
        .await
        .expect("a response");
    for name in ["user-agent", "accept", "content-type"] {
        assert!(site.last_values(name).is_empty(), "{name}");
    }
    assert_eq!(site.last_values("content-length"), ["3"]);
    assert_eq!(site.last_values("accept-encoding").len(), 1);
}

#[tokio::test]
async fn what_is_compressed_before_stays_as_it_is() {
    // EDGE-047.
    let site = site().await;
    let request = session(&site)
        .post("http://a.test/")
        .body(Bytes::from_static(b"\x1f\x8bzip"));
    request
        .header("Content-Encoding", "gzip")
        .await
        .expect("a response");
    assert_eq!(site.last().body, &b"\x1f\x8bzip"[..]);
    assert_eq!(site.last_values("content-length"), ["5"]);
}

/// Checks that a request is refused, and as what, before anything is sent.
async fn check_refused(request: RequestBuilder, class: &str) {
    let error = request.await.expect_err(class);
    assert_eq!(error.aiohttp_class(), class, "{error}");
}

#[tokio::test]
async fn options_that_contradict_headers_are_refused() {
    // EDGE-048, REQ-10 to REQ-14.
    let listener = Listener::new().await;
    let session = ClientSession::new();
    let post = || session.post(listener.url("/")).body("body");
    for request in [
        post()
            .compress(Coding::Deflate)
            .header("Content-Length", "4"),
        post()
            .compress(Coding::Gzip)
            .header("Content-Encoding", "br"),
        post()
            .compress(Coding::Gzip)
            .header("Transfer-Encoding", "chunked"),
        post().chunked(true).header("Content-Length", "4"),
        post().chunked(true).header("Transfer-Encoding", "chunked"),
        post()
            .header("Content-Length", "4")
            .header("Transfer-Encoding", "chunked"),
        post().header("Transfer-Encoding", "gzip, chunked"),
        post().json(&1),
    ] {
        check_refused(request, "ValueError").await;
    }
    assert_eq!(session.connector().stats().created, 0);
}

#[tokio::test]
async fn a_length_by_hand_must_be_that_of_the_body() {
    // EDGE-049, REQ-48: fixed, a body that is longer or shorter is an error.
    let listener = Listener::new().await;
    let session = ClientSession::new();
    for given in ["500", "2000"] {
        let post = session
            .post(listener.url("/"))
            .header("Content-Length", given);
        check_refused(post.body(vec![b'x'; 1000]), "ClientPayloadError").await;
    }
    assert_eq!(session.connector().stats().created, 0);
}

#[tokio::test]
async fn a_length_by_hand_is_digits() {
    // EDGE-050, REQ-14.
    let listener = Listener::new().await;
    let session = ClientSession::new();
    let too_large = "99999999999999999999";
    for given in [
        "+1", " 1", "1_0", "\u{661}", "1.0", "", "-1", "0x1", "1,1", too_large,
    ] {
        let request = session
            .post(listener.url("/"))
            .header("Content-Length", given);
        check_refused(request.body("x"), "ValueError").await;
    }
    assert_eq!(session.connector().stats().created, 0);
}

#[tokio::test]
async fn a_source_that_fails_is_the_cause() {
    // EDGE-051, EDGE-052, EDGE-053.
    let site = site().await;
    let session = session(&site);
    let failing = |error: fn() -> aio_client::BoxError| {
        session
            .post("http://a.test/")
            .body(Body::replayable(None, move || {
                std::future::ready(Err::<Body, _>(error()))
            }))
    };
    for (error, class) in [
        (
            (|| "no".into()) as fn() -> aio_client::BoxError,
            "ClientConnectionError",
        ),
        (
            || std::io::Error::from_raw_os_error(5).into(),
            "ClientOSError",
        ),
        (
            || std::io::Error::from(std::io::ErrorKind::TimedOut).into(),
            "TimeoutError",
        ),
    ] {
        let failed = failing(error).await.expect_err(class);
        assert_eq!(failed.aiohttp_class(), class);
        let ClientError::Connection(ConnectionError::Source { source, .. }) = failed else {
            panic!("{class}: the source is to blame");
        };
        assert_eq!(source.to_string(), error().to_string());
    }
    assert!(site.asked().is_empty());
    // Nothing was sent: the connection is as good as new.
    assert_eq!(session.connector().stats().created, 1);
}

#[tokio::test]
async fn a_serializer_of_the_sessions_writes_json() {
    // EDGE-061; EDGE-062 has no counterpart, there is one hook and it gives bytes.
    let site = site().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let serialize = move |value: JsonValue<'_>| {
        counter.fetch_add(1, Ordering::Relaxed);
        python_json(value)
    };
    let session = site
        .session()
        .json_serialize(serialize)
        .build()
        .expect("valid");
    let request = session
        .post("http://a.test/")
        .json(&json!({"a": [1, "\u{e9}"]}));
    request.await.expect("a response");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(site.last().body, r#"{"a": [1, "\u00e9"]}"#);
    assert_eq!(site.last_values("content-type"), ["application/json"]);
    assert_eq!(site.last_values("content-length"), ["20"]);
}

#[tokio::test]
async fn an_open_file_can_be_sent_twice() {
    // EDGE-069: no cursor moves, so that the second request has the same body.
    let site = site().await;
    let session = session(&site);
    let folder = std::env::temp_dir().join(format!("aio-building-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("x.txt");
    std::fs::write(&path, "content").expect("a file");
    for _ in 0..2 {
        session
            .post("http://a.test/")
            .body(FileBody::new(&path))
            .await
            .expect("a response");
        assert_eq!(site.last().body, "content");
        assert_eq!(site.last_values("content-type"), ["text/plain"]);
    }
    std::fs::remove_dir_all(&folder).expect("it is there");
}

#[tokio::test]
async fn requests_of_other_crates_are_sent() {
    let site = site().await;
    let session = site
        .session()
        .base_url("http://a.test/v1/")
        .build()
        .expect("valid");
    let request = http::Request::put("users/7?x=1")
        .header("x-a", "1")
        .body("text");
    // Not a URI by itself: it has neither scheme nor host, nor a leading slash.
    assert!(request.is_err());
    let request = http::Request::put("/users/7?x=1")
        .header("x-a", "1")
        .body("text");
    session
        .execute(request.expect("a request"))
        .await
        .expect("a response");
    let seen = site.last();
    check_seen(&seen, "/users/7?x=1", "a.test");
    assert_eq!(
        (seen.method.as_str(), &seen.body[..]),
        ("PUT", &b"text"[..])
    );
    assert_eq!(seen.header("x-a"), Some("1"));

    let request = http::Request::get("http://b.test/").version(http::Version::HTTP_10);
    session
        .execute(request.body(()).expect("a request"))
        .await
        .expect("a response");
    assert!(!site.last().http11);
    let request = http::Request::get("http://b.test/").version(http::Version::HTTP_2);
    let request = request.body(()).expect("a request");
    check_refused(session.execute(request), "ValueError").await;

    let built = session
        .post("x")
        .body("built")
        .header("X-B", "2")
        .build()
        .expect("valid");
    let again = built.try_clone().expect("text");
    for request in [built, again] {
        session
            .execute(request)
            .header("X-C", "3")
            .await
            .expect("a response");
        let seen = site.last();
        check_seen(&seen, "/v1/x", "a.test");
        assert_eq!(
            (seen.header("X-B"), seen.header("X-C")),
            (Some("2"), Some("3"))
        );
        assert_eq!(seen.body, "built");
    }
}

#[tokio::test]
async fn chunks_and_lengths_are_never_both_sent() {
    // REQ-50 to REQ-52: fixed.
    let site = site().await;
    let session = session(&site);
    let get = session.get("http://a.test/1").chunked(true);
    get.await.expect("a response");
    assert!(site.last_values("transfer-encoding").is_empty());
    let post = session
        .post("http://a.test/2")
        .body("abc")
        .header("Transfer-Encoding", "chunked");
    post.await.expect("a response");
    assert!(site.last_values("content-length").is_empty());
    let post = session.post("http://a.test/3").body("abc").chunked(false);
    post.await.expect("a response");
    assert!(site.last_values("transfer-encoding").is_empty());
    let post = session.post("http://a.test/4").chunked(true);
    post.await.expect("a response");
    assert_eq!(site.last_values("transfer-encoding"), ["chunked"]);
    assert_eq!(
        site.asked(),
        ["GET /1", "POST /2 abc", "POST /3 abc", "POST /4"]
    );
    assert_eq!(session.connector().stats().created, 1, "it stays in step");
}
