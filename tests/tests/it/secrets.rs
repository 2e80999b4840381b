//! Nothing that is shown has a secret in it: userinfo, queries, credentials, cookies.

use std::fmt::{Debug, Display};
use std::sync::{Arc, Mutex};

use aio_client::{
    BasicAuth, ClientError, ClientRequest, ClientSession, ConnectionError, Event, IntoParams, Next,
    RequestTrace, RequestUrl, TraceConfig, TraceStart,
};

use crate::peer::Listener;

#[track_caller]
fn check(shown: &str) {
    assert!(!shown.contains("s3cret"), "{shown}");
    // Nor as a list of bytes.
    let bytes = b"s3cret".map(|byte| byte.to_string()).join(", ");
    assert!(!shown.contains(&bytes), "{shown}");
}

#[track_caller]
fn check_debug(value: &impl Debug) {
    check(&format!("{value:?}"));
    check(&format!("{value:#?}"));
}

#[track_caller]
fn check_shown(value: &(impl Debug + Display)) {
    check(&value.to_string());
    check_debug(value);
}

#[tokio::test]
async fn urls_that_are_refused() {
    for url in [
        "ada:s3cret@example.org/x",
        "http:/ada:s3cret@example.org/",
        "https:ada:s3cret@example.org",
        "http:ada:s3cret@example.org",
        "//ada:s3cret@example.org/",
        "ftp://ada:s3cret@example.org/",
        "http://ada:s3cret@/",
        "http://ada:s3cret@exa mple.org/",
        "http://ada:s3cret@[::1/",
        "http://ada:s3cret@example.org:port/",
        "http://ada@x:s3cret@1.2.3/",
        "http://s3cret@[::1/",
        "http://[::1/?token=s3cret",
        "example.org/?token=s3cret",
        "http://[::1/#s3cret",
    ] {
        let error = ClientSession::new().get(url).await.expect_err(url);
        check_shown(&error);
        let source = std::error::Error::source(&error);
        check(&format!("{source:?}"));
    }
}

#[test]
fn urls_that_are_taken() {
    for url in [
        "http://ada:s3cret@example.org/",
        "http://s3cret@example.org/",
        "http://example.org/?token=s3cret",
        "http://example.org/?s3cret",
    ] {
        let url = RequestUrl::parse(url).expect("a URL");
        check_debug(&url);
        check_debug(&ClientSession::new().get(&url));
    }
    let url = RequestUrl::parse("http://ada:s3cret@example.org/").expect("a URL");
    check_shown(&url);
}

#[test]
fn parameters_and_credentials() {
    check_debug(&[("token", "s3cret")].into_params().expect("text"));
    check_debug(&"token=s3cret".into_params().expect("text"));
    check_debug(&BasicAuth::new("ada", "s3cret"));
    check_debug(&BasicAuth::new("s3cret", ""));
    let error = BasicAuth::new("s3:cret", "s3cret").encode();
    check_shown(&error.expect_err("a colon"));
}

#[test]
fn requests_and_sessions() {
    let session = ClientSession::builder()
        .base_url("http://ada:s3cret@example.org/")
        .header("Authorization", "Bearer s3cret")
        .build()
        .expect("valid");
    check_debug(&session);
    let request = session.get("x").query([("token", "s3cret")]);
    check_debug(&request.header("Cookie", "id=s3cret").body("s3cret"));
    let auth = BasicAuth::new("s3cret", "s3cret");
    check_debug(&session.get("x").basic_auth(auth));
    check_debug(&session.get("x").cookie("id", "s3cret"));
    check_debug(&session.get("x").cookie("id", "s3cret").build());
    let builder = ClientSession::builder().cookie("id", "s3cret");
    check_debug(&builder.query([("token", "s3cret")]));
}

#[tokio::test]
async fn what_came_of_a_head() {
    let cookie = "HTTP/1.1 200 OK\r\nSet-Cookie: id=s3cret\r\n";
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let answer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send(cookie).await;
    };
    let request = session.post(listener.url("/?token=s3cret"));
    let (error, ()) = tokio::join!(request.send(), answer);
    let error = error.expect_err("half a head");
    check_shown(&error);
    let ClientError::Connection(ConnectionError::Disconnected { partial, .. }) = error else {
        panic!("the server disconnected");
    };
    assert_eq!(*partial, *cookie.as_bytes(), "it is there all the same");
    check_debug(&partial);
}

#[tokio::test]
async fn heads_that_are_refused() {
    for line in [
        "Set-Cookie : id=s3cret",
        "Set-Cookie: id=s3cret\0",
        "Location: http://ada:s3cret@example.org/\0",
    ] {
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let answer = async {
            let mut peer = listener.accept().await;
            peer.head().await;
            peer.send(format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n"))
                .await;
            peer
        };
        let (error, _peer) = tokio::join!(session.get(listener.url("/")).send(), answer);
        check_shown(&error.expect_err(line));
    }
}

/// Writes all down that a trace is shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

impl Log {
    /// Returns all that it was shown.
    pub(crate) fn shown(&self) -> String {
        self.0.lock().expect("no panic").clone()
    }

    fn write(&self, shown: &str) {
        self.0.lock().expect("no panic").push_str(shown);
    }
}

impl TraceConfig for Log {
    fn start(&self, request: &TraceStart<'_>) -> Box<dyn RequestTrace> {
        self.write(&format!("{request:?}"));
        let log = self.clone();
        Box::new(move |event: &Event<'_>| {
            log.write(&format!("{event:?}"));
            if let Event::RequestHeadersSent { request } = event {
                log.write(&format!("{:?} {:?}", request.headers(), request.url()));
            }
        })
    }
}

#[tokio::test]
async fn traces_middlewares_and_responses() {
    let log = Log::default();
    let seen = log.clone();
    let look = move |request: ClientRequest, next: Next| {
        seen.write(&format!("{request:?}"));
        next.run(request)
    };
    let session = ClientSession::builder()
        .trace_config(log.clone())
        .middleware(look)
        .build()
        .expect("valid");
    let listener = Listener::new().await;
    let url = format!("http://ada:s3cret@{}/?token=s3cret", listener.host());
    let answer = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\
                  Set-Cookie: id=s3cret\r\nLocation: http://ada:s3cret@example.org/\r\n\
                  URI: http://ada:s3cret@example.org/\r\n\r\n";
    let request = session
        .get(url)
        .header("Cookie", "id=s3cret")
        .cookie("own", "s3cret")
        .allow_redirects(false);
    let (response, _peer) = listener.answer(request, answer).await;
    check_debug(&response);
    check_debug(response.head());
    check_debug(response.request_info());
    check_debug(&response.request_info().headers());
    check_debug(response.headers());
    let shown = log.0.lock().expect("no panic");
    assert!(shown.contains("RequestEnd"));
    check(&shown);
}

#[tokio::test]
async fn a_header_line_without_colon_shows_nothing() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let answer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\nSet-Cookie id=s3cret\r\n\r\n")
            .await;
        peer
    };
    let (error, _peer) = tokio::join!(session.get(listener.url("/")).send(), answer);
    let shown = error.expect_err("no colon").to_string();
    assert!(!shown.contains("s3cret"), "{shown}");
}
