//! What a response answers before its body is read.

use std::sync::Arc;
use std::time::SystemTime;

use aio_client::{
    ClientError, ClientResponse, ClientSession, CookieJar, CookieJarOptions, CookieRequest,
};

use crate::peer::Listener;

/// Gets `path` from a server that says `fields`; the status stands before them.
async fn get(session: &ClientSession, path: &str, fields: &[u8]) -> ClientResponse {
    let listener = Listener::new().await;
    let answer = [b"HTTP/1.1 ", fields, b"\r\nContent-Length: 0\r\n\r\n"].concat();
    let (response, _) = listener
        .answer(session.get(listener.url(path)), answer)
        .await;
    response
}

// EDGE-144, and EDGE-145: `cookies` are read from the raw headers and cannot be assigned, so
// the two never differ. aiohttp's `cookies` has the last of a name only.
#[tokio::test]
async fn cookies_of_a_name_are_all_there() {
    let jar = Arc::new(CookieJar::with_options(CookieJarOptions {
        allow_ip_hosts: true,
        ..CookieJarOptions::default()
    }));
    let session = ClientSession::builder()
        .cookie_jar(jar.clone())
        .build()
        .expect("a session");
    let fields = b"200 OK\r\nSet-Cookie: id=1; Path=/\r\nSet-Cookie: id=2; Path=/sub";
    let response = get(&session, "/sub/x", fields).await;
    let values: Vec<_> = response
        .cookies()
        .iter()
        .map(|cookie| cookie.value().to_owned())
        .collect();
    assert_eq!(values, [b"1", b"2"]);
    let raw: Vec<_> = response
        .headers()
        .get_all("set-cookie")
        .map(|field| field.as_bytes())
        .collect();
    assert_eq!(raw, [&b"id=1; Path=/"[..], b"id=2; Path=/sub"]);
    let request = CookieRequest::new(response.url().url(), SystemTime::now());
    assert_eq!(jar.cookie_header(&request).as_deref(), Some("id=2; id=1"));
}

// EDGE-159.
#[tokio::test]
async fn debug_is_ascii_whatever_path_and_reason_are() {
    let response = get(
        &ClientSession::new(),
        "/\u{e9}",
        b"200 caf\xe9 \"x\"\r\nX-A: \xc3\xa9",
    )
    .await;
    let shown = format!("{response:?}");
    assert!(shown.is_ascii(), "{shown}");
    for part in ["/%C3%A9,", r#"reason: "caf\xe9 \"x\"""#, r"X-A: \xc3\xa9"] {
        assert!(shown.contains(part), "{shown}");
    }
    assert_eq!(response.reason(), "caf\u{fffd} \"x\"");
}

// EDGE-160.
#[tokio::test]
async fn an_error_without_a_reason_phrase_has_none() {
    for status in ["404", "404 "] {
        let mut response = get(&ClientSession::new(), "/", status.as_bytes()).await;
        let error = response.raise_for_status().expect_err("not found");
        let ClientError::Response(error) = error else {
            panic!("{error:?}");
        };
        assert_eq!((error.status, &*error.message), (404, ""));
    }
}
