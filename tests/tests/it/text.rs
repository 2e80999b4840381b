//! Bodies as text and as JSON.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aio_client::{
    ClientError, ClientResponse, ClientSession, JsonOptions, OnError, ReadError, TextOptions,
    detect_charset,
};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::peer::{Listener, Peer};

/// Gets a response of a content type, in a session with a fallback if there is one.
async fn get_with(
    session: ClientSession,
    content_type: &[u8],
    body: &[u8],
) -> (ClientResponse, Peer) {
    let listener = Listener::new().await;
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Type: ".to_vec();
    answer.extend(content_type);
    answer.extend(format!("\r\nContent-Length: {}\r\n\r\n", body.len()).bytes());
    answer.extend(body);
    listener
        .answer(session.get(listener.url("/")), answer)
        .await
}

async fn get(content_type: &str, body: impl AsRef<[u8]>) -> (ClientResponse, Peer) {
    let session = ClientSession::new();
    get_with(session, content_type.as_bytes(), body.as_ref()).await
}

fn falling_back_to(charset: &'static str) -> ClientSession {
    let builder = ClientSession::builder();
    let builder = builder.fallback_charset(move |_, _| charset.into());
    builder.build().expect("valid")
}

async fn check_fallback(content_type: &[u8], fallback: &'static str, want: &str) {
    let session = falling_back_to(fallback);
    let (mut response, _peer) = get_with(session, content_type, b"\xe9").await;
    let shown = String::from_utf8_lossy(content_type);
    let encoding = response.encoding().await.expect("a charset");
    let text = response.text().await.ok();
    assert_eq!((encoding, text.as_deref()), (want, Some("é")), "{shown}");
}

#[tokio::test]
async fn a_fallback_that_nobody_knows_is_an_error() {
    let session = falling_back_to("utf-unknown");
    let (mut response, _peer) = get_with(session, b"text/plain", b"x").await;
    let error = response.text().await.expect_err("no such charset");
    assert_eq!(error.aiohttp_class(), "LookupError");
    assert!(response.encoding().await.is_err());
    assert_eq!(response.read().await.expect("the body stays"), "x");
}

#[tokio::test]
async fn a_charset_that_nobody_knows_is_none() {
    // EDGE-138.
    check_fallback(
        b"text/plain; charset=utf-16-unknown",
        "latin-1",
        "iso8859-1",
    )
    .await;
    // EDGE-139: what no name can be.
    for odd in [
        &b"text/plain; charset=\xff\xfe"[..],
        b"text/plain; charset=\"\"",
        b"text/plain; charset=",
        b"text/plain; charset",
        b"text/plain; charset=a b c",
        b"text/plain; charset=../../etc/passwd",
        b"text/plain; charset=\x01\x02",
        b"text/plain; charset=%00",
        b"; charset",
        b";;;===;;;",
    ] {
        check_fallback(odd, "cp1252", "cp1252").await;
    }
    let long = format!("text/plain; charset={}", "x".repeat(8000));
    check_fallback(long.as_bytes(), "cp1252", "cp1252").await;
}

#[tokio::test]
async fn the_name_of_a_charset_has_no_nul() {
    // EDGE-139: none comes from the wire, but whoever calls may have one.
    let (mut response, _peer) = get("text/plain", "x").await;
    let options = TextOptions {
        encoding: Some("utf-8\0"),
        ..TextOptions::default()
    };
    let error = response.text_with(&options).await.expect_err("no name");
    assert_eq!(error.aiohttp_class(), "LookupError");
    // And so may whoever is asked.
    let session = falling_back_to("latin-1\0");
    let (mut response, _peer) = get_with(session, b"text/plain", b"x").await;
    let error = response.encoding().await.expect_err("no name");
    assert_eq!(error.aiohttp_class(), "LookupError");
}

#[tokio::test]
async fn a_session_may_guess_charsets() {
    let session = ClientSession::builder().fallback_charset(detect_charset);
    let session = session.build().expect("valid");
    let text = b"\xe4\xfb\xe2\xe0\xf2\xfc \xec\xee\xe6\xed\xee \xe8 \xe2\xef\xf0\xe5\xe4\xfc";
    let (mut response, _peer) = get_with(session.clone(), b"text/plain", text).await;
    let read = response.text().await.expect("a text");
    assert_eq!(
        (read.as_str(), response.encoding().await.ok()),
        ("дывать можно и впредь", Some("cp1251"))
    );
    // What the response says goes before.
    let named = b"text/plain; charset=latin-1";
    let (mut response, _peer) = get_with(session, named, text).await;
    assert_eq!(response.encoding().await.expect("a charset"), "iso8859-1");
}

#[tokio::test]
async fn bad_bytes_are_refused_replaced_or_left_out() {
    let (mut response, _peer) = get("text/plain; charset=ascii", b"a\xe9b").await;
    let error = response.text().await.expect_err("no ASCII");
    assert_eq!(error.aiohttp_class(), "UnicodeDecodeError");
    let ClientError::Read(error) = error else {
        panic!("{error:?}");
    };
    let ReadError::Text(error) = &error.source else {
        panic!("{error:?}");
    };
    assert_eq!((error.charset(), error.offset()), ("ascii", 1));
    for (errors, want) in [(OnError::Replace, "a\u{fffd}b"), (OnError::Ignore, "ab")] {
        let options = TextOptions {
            errors,
            ..TextOptions::default()
        };
        let text = response.text_with(&options).await;
        assert_eq!(text.expect("lenient"), want);
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_text() {
    // RSP-28: it is in the text, and no JSON.
    let (mut response, _peer) = get("application/json", b"\xef\xbb\xbf{}").await;
    assert_eq!(response.text().await.expect("a text"), "\u{feff}{}");
    let error = response.json::<Value>().await.expect_err("no JSON");
    assert_eq!(error.aiohttp_class(), "JSONDecodeError");
    // Where the charset has one, it is not.
    let options = JsonOptions {
        encoding: Some("utf-8-sig"),
        ..JsonOptions::default()
    };
    let value: Value = response.json_with(&options).await.expect("JSON");
    assert_eq!(value, json!({}));
}

#[tokio::test]
async fn json_is_of_its_content_type() {
    // EDGE-141, RSP-25.
    for good in [
        "application/json",
        "application/vnd.api+json",
        "Application/JSON; charset=utf-8",
        "application/json5",
        "text/x+json",
        // Lists, of which the first counts.
        "application/ld+json, text/html",
        "application/json, text/html",
    ] {
        let (mut response, _peer) = get(good, "{}").await;
        let value: Value = response.json().await.expect(good);
        assert_eq!(value, json!({}));
    }
    for bad in [
        "text/html",
        "text/json",
        "application/jso",
        "a/b, c/d+json",
        "",
    ] {
        let (mut response, _peer) = get(bad, "{}").await;
        let error = response.json::<Value>().await.expect_err(bad);
        assert_eq!(error.aiohttp_class(), "ContentTypeError", "{bad}");
        assert_eq!(error.status(), Some(200), "{bad}");
        let told = format!("Attempt to decode JSON with unexpected mimetype: {bad}");
        let ClientError::Response(error) = error else {
            panic!("{error:?}");
        };
        assert_eq!(&*error.message, told);
        let head = error.head.as_ref().expect("a head");
        let field = head.headers().get("content-type").expect("it was sent");
        assert_eq!(field.as_bytes(), bad.as_bytes());
        // The body is there all the same.
        let any = JsonOptions {
            content_type: None,
            ..JsonOptions::default()
        };
        let value: Value = response.json_with(&any).await.expect("JSON");
        assert_eq!(value, json!({}));
        assert_eq!(response.text().await.expect("a text"), "{}");
    }
}

#[tokio::test]
async fn a_blank_body_is_null() {
    // EDGE-140, RSP-27.
    for blank in ["", " ", " \r\n\t\x0b\x0c "] {
        let (mut response, _peer) = get("application/json", blank).await;
        assert_eq!(response.json::<Value>().await.expect("null"), Value::Null);
        let none: Option<u8> = response.json().await.expect("null");
        assert_eq!(none, None);
        response.json::<()>().await.expect("null");
        let error = response.json::<u8>().await.expect_err("no number");
        assert_eq!(error.aiohttp_class(), "JSONDecodeError");
        // As in aiohttp, nothing is to be decoded.
        let unknown = JsonOptions {
            encoding: Some("no such"),
            ..JsonOptions::default()
        };
        response.json_with::<()>(&unknown).await.expect("null");
    }
}

#[tokio::test]
async fn json_is_utf_8_whatever_the_session_guesses() {
    // RSP-22.
    for (content_type, want) in [
        ("application/json", "utf-8"),
        ("application/json+x", "utf-8"),
        ("Application/RDAP+XML", "utf-8"),
        ("application/x+json", "koi8-r"),
        ("text/json", "koi8-r"),
    ] {
        let session = falling_back_to("koi8-r");
        let (mut response, _peer) = get_with(session, content_type.as_bytes(), b"").await;
        let charset = response.encoding().await.expect("a charset");
        assert_eq!(charset, want, "{content_type}");
    }
}

#[tokio::test]
async fn json_is_of_any_charset_and_wrong_bytes_are_none_of_it() {
    let (mut response, _peer) = get("application/json; charset=latin-1", b"[\"caf\xe9\"]").await;
    let value: Vec<String> = response.json().await.expect("JSON");
    assert_eq!(value, ["café"]);
    let (mut response, _peer) = get("application/json", b"[\"caf\xe9\"]").await;
    // Nobody asks for the string with the wrong byte.
    let error = response.json::<IgnoredAny>().await;
    let error = error.expect_err("no UTF-8");
    assert_eq!(error.aiohttp_class(), "UnicodeDecodeError");
}

/// Reads lines of `key=value`, as no JSON has them.
fn read_pairs(text: &str) -> HashMap<&str, &str> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.collect()
}

#[tokio::test]
async fn another_reader_takes_the_place_of_serde_json() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    let session = ClientSession::builder()
        .json_deserialize(move |text, target| {
            log.lock().expect("no panic").push(text.to_owned());
            if text == "nothing" {
                return Ok(());
            }
            let pairs = serde::de::value::MapDeserializer::<_, serde::de::value::Error>::new(
                read_pairs(text).into_iter(),
            );
            target.read(pairs)
        })
        .build()
        .expect("valid");
    let get = |body: &'static [u8]| get_with(session.clone(), b"application/json", body);

    let (mut response, _peer) = get(b"  a=1\nb=2 ").await;
    let map: HashMap<String, String> = response.json().await.expect("pairs");
    let want = [("a".to_owned(), "1".to_owned()), ("b".into(), "2".into())];
    assert_eq!(map, want.into());
    // What it says is no list.
    let error = response.json::<Vec<u8>>().await.expect_err("no list");
    assert_eq!(error.aiohttp_class(), "JSONDecodeError");
    let error = std::error::Error::source(&error).and_then(std::error::Error::source);
    let told = error.expect("a cause").to_string();
    assert!(told.contains("sequence"), "{told}");

    // Who reads nothing has failed, and is not asked where there is nothing.
    let (mut response, _peer) = get(b"nothing").await;
    let error = response.json::<Value>().await.expect_err("nothing");
    assert_eq!(error.aiohttp_class(), "JSONDecodeError");
    let (mut response, _peer) = get(b" ").await;
    assert_eq!(response.json::<Value>().await.expect("null"), Value::Null);
    let seen = seen.lock().expect("no panic");
    assert_eq!(*seen, ["a=1\nb=2", "a=1\nb=2", "nothing"]);
}
