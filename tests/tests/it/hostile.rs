//! Texts that would break a request open: each is refused before a byte leaves, or sent so
//! that it stays what it is.

use aio_client::{BasicAuth, Body, ClientSession, FormData, FormPart, RequestBuilder, RequestUrl};
use aio_tests::http_server::{Request, Response};
use bytes::Bytes;

use crate::site::Site;

/// What is to become of a hostile text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The request is not sent.
    Refused,
    /// It is sent, and the text is data in it.
    Sent,
}

use Fate::{Refused, Sent};

/// Tells whether a request has a line of its own that the text was to smuggle in.
fn is_broken_open(request: &Request) -> bool {
    let is_evil = |text: &str| text.to_ascii_lowercase().starts_with("x-evil");
    let has_evil_field = request.headers.iter().any(|(name, _)| is_evil(name));
    let body = String::from_utf8_lossy(&request.body);
    let has_evil_line = body.split(['\r', '\n']).any(is_evil);
    let delimiters = body.matches("--limit").count();
    let is_odd_form = body.contains("form-data") && delimiters != 2;
    let odd_line = format!("{}{}", request.method, request.target);
    let is_odd_line = !odd_line.bytes().all(|byte| byte.is_ascii_graphic());
    has_evil_field || has_evil_line || is_odd_form || is_odd_line
}

struct Range {
    site: Site,
    session: ClientSession,
    tried: usize,
}

impl Range {
    async fn new() -> Self {
        let site = Site::new(|_| Response::ok("ok")).await;
        let session = site.session().build().expect("valid");
        Self {
            site,
            session,
            tried: 0,
        }
    }

    fn post(&self) -> RequestBuilder {
        self.session.post("http://a.test/")
    }

    /// Sends a request, and checks what the server saw of it.
    async fn check(&mut self, request: RequestBuilder, text: &str, want: Fate) {
        self.tried += 1;
        let before = self.site.asked().len();
        let sent = request.await;
        let seen = self.site.asked().len() - before;
        let fate = if sent.is_ok() { Sent } else { Refused };
        assert_eq!(fate, want, "{text:?}: {sent:?}");
        assert_eq!(seen, usize::from(want == Sent), "{text:?}");
        if want == Sent {
            let seen = self.site.last();
            assert!(!is_broken_open(&seen), "{text:?}: {seen:?}");
        }
    }

    async fn form(&mut self, part: FormPart, name: &str, text: &str, want: Fate) {
        let form = FormData::new().boundary("limit").part(name, part);
        self.check(self.post().form(form), text, want).await;
    }
}

#[tokio::test]
async fn what_is_smuggled_in_would_be_seen() {
    let range = Range::new().await;
    let evil = range.post().header("X-Evil", "1");
    evil.await.expect("a response");
    assert!(is_broken_open(&range.site.last()));
    let evil = range.post().body("a\r\nX-Evil: 1");
    evil.await.expect("a response");
    assert!(is_broken_open(&range.site.last()));
}

#[tokio::test]
async fn nothing_hostile_gets_through() {
    // EDGE-040, EDGE-041, EDGE-058, REQ-03, REQ-04, BODY-36.
    let mut range = Range::new().await;

    for method in [
        "",
        " ",
        "GE T",
        "GET\t",
        "GET\r\nX-Evil: 1",
        "GET\0",
        "G\u{e9}T",
        "GET:",
        "(GET)",
        "GET / HTTP/1.1\r\nX-Evil: 1\r\n\r\nPOST",
    ] {
        let request = range.session.request(method, "http://a.test/");
        range.check(request, method, Refused).await;
    }

    for (url, want) in [
        ("http://a.test/a b", Sent),
        ("http://a.test/\r\nX-Evil: 1", Sent),
        ("http://a.test/\0\x1f\x7f", Sent),
        ("http://a.test/%0d%0aX-Evil:%201", Sent),
        ("http://a.test/?q=1 HTTP/1.1\r\nX-Evil: 1\r\n\r\n", Sent),
        ("http://a.test/#\r\nX-Evil: 1", Sent),
        ("http://a.test/\u{2028}\u{ff0f}", Sent),
        ("http://ada\r\nX-Evil:1@a.test/", Sent),
        ("http://a.test\\@b.test/", Refused),
        ("http://a.test\0b.test/", Refused),
        ("http://a.test%0d%0aX-Evil:1/", Refused),
        ("http://a.test:80\u{661}/", Refused),
    ] {
        range.check(range.session.get(url), url, want).await;
    }
    for target in ["/a b", "/\r\nX-Evil: 1", "/\u{e9}", "/\0", "/a\tb"] {
        let url = RequestUrl::encoded(&format!("http://a.test{target}"));
        match url {
            Ok(url) => range.check(range.session.get(url), target, Sent).await,
            Err(_) => range.tried += 1,
        }
    }
    for param in ["1\r\nX-Evil: 1", "1 HTTP/1.1", "1&evil=2#3", "\0"] {
        let request = range.session.get("http://a.test/").query([(param, param)]);
        range.check(request, param, Sent).await;
        assert!(!range.site.last().target.contains("&evil"));
    }

    for name in [
        "",
        " X",
        "X ",
        "X Y",
        "X:",
        "X\r\n",
        "X\n",
        "X\0",
        "X\t",
        "\u{e9}",
        "X(",
        "X: 1\r\nX-Evil",
    ] {
        range
            .check(range.post().header(name, "1"), name, Refused)
            .await;
    }
    for (value, want) in [
        ("1\r\nX-Evil: 1", Refused),
        ("1\nX-Evil: 1", Refused),
        ("1\rX-Evil: 1", Refused),
        ("1\0", Refused),
        ("\x7f", Refused),
        ("\x0b", Refused),
        ("\x1b[2J", Refused),
        ("a\tb", Sent),
        ("\u{e9}", Sent),
        (" \u{2028} ", Sent),
    ] {
        range
            .check(range.post().header("X-A", value), value, want)
            .await;
        let typed = Body::typed(Bytes::from_static(b"x"), value.to_owned());
        range.check(range.post().body(typed), value, want).await;
    }

    for (name, value) in [
        ("a\r\nX-Evil", "1"),
        ("a;b", "1"),
        ("a=b", "1"),
        ("", "1"),
        ("a", "1\r\nX-Evil: 1"),
        ("a", "1;evil=2"),
        ("a", "\0"),
    ] {
        range
            .check(range.post().cookie(name, value), name, Refused)
            .await;
    }
    for login in ["ada:eve", "\u{20ac}"] {
        let auth = BasicAuth::new(login, "pw");
        range
            .check(range.post().basic_auth(auth), login, Refused)
            .await;
    }
    let auth = BasicAuth::new("ada\r\nX-Evil", "1\r\nX-Evil: 1");
    range
        .check(range.post().basic_auth(auth), "a login", Sent)
        .await;

    for (name, want) in [
        ("a\r\nX-Evil: 1", Refused),
        ("a\nX-Evil: 1", Refused),
        ("a\0", Refused),
        ("a\x7f", Refused),
        ("a\"; filename=\"evil", Sent),
        ("a\"\\", Sent),
        ("a; name=b", Sent),
        ("\u{e9}\u{2028}", Sent),
    ] {
        let part = FormPart::from("value").filename("f.txt");
        range.form(part, name, name, want).await;
        let disposition = String::from_utf8_lossy(&range.site.last().body).into_owned();
        assert!(
            !disposition.contains("; filename=\"evil\""),
            "{disposition}"
        );
    }
    for (filename, want) in [
        ("a\r\nX-Evil: 1", Refused),
        ("a\nX-Evil: 1", Refused),
        ("a\0.txt", Refused),
        ("a\x1b", Refused),
        ("a\"; name=\"evil", Sent),
        ("../../etc/passwd", Sent),
        ("%22%0d%0aX-Evil: 1", Sent),
        ("\u{202e}txt.exe", Sent),
        ("a;b\\", Sent),
    ] {
        let part = FormPart::from("value").filename(filename);
        range.form(part, "f", filename, want).await;
        let disposition = String::from_utf8_lossy(&range.site.last().body).into_owned();
        assert!(!disposition.contains("; name=\"evil\""), "{disposition}");
    }
    for content_type in ["text/plain\r\nX-Evil: 1", "a\nb", "\0"] {
        let part = FormPart::from("value").content_type(content_type);
        range.form(part, "f", content_type, Refused).await;
    }
    for boundary in ["a\r\nX-Evil: 1", "\0", "\u{e9}", ""] {
        let form = FormData::new().boundary(boundary).bytes("f", "value");
        range
            .check(range.post().form(form), boundary, Refused)
            .await;
    }
    assert!(range.tried >= 60, "{}", range.tried);
}
