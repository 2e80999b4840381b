//! The seams: middlewares, traces, the environment and the free function.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aio_client::{
    AddressFamily, BoxFuture, ClientRequest, ClientResponse, ClientSession, ClientTimeout,
    Environment, Event, Next, RequestTrace, Resolved, Resolver, TcpConnector, TraceConfig,
    TraceStart,
};
use aio_tests::http_server::{Request, Response, TestServer};

use crate::peer::{Listener, begin, soon};

/// Answers with the request's `X-Tag` headers.
async fn tags(request: Request) -> Response {
    let tags = request.headers.iter().filter(|(name, _)| name == "X-Tag");
    let tags: Vec<_> = tags.map(|(_, value)| value.as_str()).collect();
    Response::ok(tags.join(","))
}

#[tokio::test]
async fn middlewares_wrap_the_sending_outermost_first() {
    let server = TestServer::start(tags).await.expect("a server");
    let tag = |tag: &'static str| {
        move |mut request: ClientRequest, next: Next| async move {
            request.headers_mut().append("X-Tag", tag).expect("valid");
            next.run(request).await
        }
    };
    let builder = ClientSession::builder()
        .middleware(tag("outer"))
        .middleware(tag("inner"));
    let session = builder.build().expect("valid");
    let body = session
        .get(server.url("/"))
        .await
        .expect("a response")
        .text()
        .await;
    assert_eq!(body.expect("a body"), "outer,inner");
}

#[tokio::test]
async fn a_middleware_may_fail_without_sending() {
    let server = TestServer::start(tags).await.expect("a server");
    let refuse = |_: ClientRequest, _: Next| async {
        Err::<ClientResponse, _>(aio_client::UsageError::SessionClosed.into())
    };
    let session = ClientSession::builder()
        .middleware(refuse)
        .build()
        .expect("valid");
    let error = session.get(server.url("/")).await.expect_err("refused");
    assert_eq!(error.aiohttp_class(), "RuntimeError");
    assert_eq!(server.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_total_timeout_spans_middlewares() {
    let slow = |request: ClientRequest, next: Next| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        next.run(request).await
    };
    let session = ClientSession::builder()
        .middleware(slow)
        .build()
        .expect("valid");
    let request = session
        .get("http://127.0.0.1:1/")
        .timeout(Duration::from_secs(1));
    let error = request.await.expect_err("too slow");
    assert_eq!(error.aiohttp_class(), "TimeoutError");
}

/// Writes the events of all requests down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(pub(crate) Arc<Mutex<Vec<String>>>);

impl TraceConfig for Log {
    fn start(&self, request: &TraceStart<'_>) -> Box<dyn RequestTrace> {
        let Self(log) = self.clone();
        log.lock()
            .expect("no panic")
            .push(format!("{} {}", request.method, request.url.path()));
        Box::new(move |event: &Event<'_>| {
            let shown = format!("{event:?}");
            let name = shown
                .split([' ', '{', '('])
                .next()
                .unwrap_or_default()
                .to_owned();
            let shown = if name == "Connect" { shown } else { name };
            log.lock().expect("no panic").push(shown);
        })
    }
}

#[tokio::test]
async fn traces_see_connector_and_session_in_order() {
    let server = TestServer::start(tags).await.expect("a server");
    let log = Log::default();
    let session = ClientSession::builder()
        .trace_config(log.clone())
        .build()
        .expect("valid");
    for _ in 0..2 {
        session
            .get(server.url("/path"))
            .await
            .expect("a response")
            .read()
            .await
            .expect("a body");
    }
    session
        .get("http://127.0.0.1:1/")
        .await
        .expect_err("nobody listens");
    let want = [
        "GET /path",
        "RequestStart",
        "Connect(CreateStart)",
        "Connect(CreateEnd)",
        "RequestHeadersSent",
        "RequestEnd",
        "GET /path",
        "RequestStart",
        "Connect(Reused)",
        "RequestHeadersSent",
        "RequestEnd",
        "GET /",
        "RequestStart",
        "Connect(CreateStart)",
        "RequestException",
    ];
    assert_eq!(*log.0.lock().expect("no panic"), want);
}

/// Checks what a request that fails is seen to do behind its start.
#[track_caller]
fn check_events(log: &Log, want: &[&str]) {
    let events = log.0.lock().expect("no panic").split_off(0);
    assert_eq!(events.get(2..).expect("it was begun"), want);
}

#[tokio::test]
async fn what_fails_has_no_end_of_its_own() {
    // TRC-13.
    #[derive(Debug)]
    struct Nowhere;

    impl Resolver for Nowhere {
        fn resolve<'a>(
            &'a self,
            _: &'a str,
            _: u16,
            _: AddressFamily,
        ) -> BoxFuture<'a, io::Result<Resolved>> {
            Box::pin(async { Err(io::ErrorKind::NotFound.into()) })
        }
    }

    let connector = TcpConnector::builder().limit(1).resolver(Arc::new(Nowhere));
    let log = Log::default();
    let session = ClientSession::builder()
        .connector(connector.build().expect("valid"))
        .trace_config(log.clone())
        .build()
        .expect("valid");
    let request = session.get("http://a.test/").await;
    request.expect_err("the name has no address");
    let want = [
        "Connect(CreateStart)",
        "Connect(CacheMiss { host: \"a.test\" })",
        "Connect(ResolveStart { host: \"a.test\" })",
        "RequestException",
    ];
    check_events(&log, &want);

    let listener = Listener::new().await;
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
    let _first = listener
        .answer(session.get(listener.url("/")), answer)
        .await;
    log.0.lock().expect("no panic").clear();
    let timeout = ClientTimeout {
        pool: Some(Duration::from_millis(50)),
        ..ClientTimeout::none()
    };
    let request = session.get(listener.url("/")).timeout(timeout).await;
    request.expect_err("too late");
    check_events(&log, &["Connect(QueuedStart)", "RequestException"]);

    let waiting = begin(session.get(listener.url("/")).send()).await;
    session.close().await;
    let sent = soon("the error", waiting).await.expect("no panic");
    sent.expect_err("closed");
    check_events(&log, &["Connect(QueuedStart)", "RequestException"]);
}

/// Watches nothing and panics at each event.
#[derive(Debug)]
struct Broken;

impl TraceConfig for Broken {
    fn start(&self, _: &TraceStart<'_>) -> Box<dyn RequestTrace> {
        Box::new(|event: &Event<'_>| panic!("told of {event:?}"))
    }
}

// EDGE-155 of callbacks: a body has none here, a trace is what is told of its end.
#[tokio::test]
async fn a_trace_that_panics_ends_neither_the_request_nor_the_next_trace() {
    let server = TestServer::start(tags).await.expect("a server");
    let log = Log::default();
    let session = ClientSession::builder()
        .trace_config(Broken)
        .trace_config(log.clone())
        .build()
        .expect("valid");
    let request = session.get(server.url("/path")).header("X-Tag", "one");
    let mut response = request.await.expect("a response");
    assert_eq!(response.text().await.expect("a body"), "one");
    let log = log.0.lock().expect("no panic");
    assert_eq!(log.last().map(String::as_str), Some("RequestEnd"));
}

#[tokio::test]
async fn the_environment_is_an_argument() {
    let environment = Environment::from_pairs([("http_proxy", "http://proxy:3128")]);
    let session = ClientSession::builder()
        .environment(environment)
        .build()
        .expect("valid");
    assert_eq!(
        session.environment().proxy("http"),
        Some("http://proxy:3128")
    );
}

#[tokio::test]
async fn the_free_function_closes_its_connection() {
    let server = TestServer::start(tags).await.expect("a server");
    let request = aio_client::request("get", server.url("/")).header("X-Tag", "one");
    let mut response = request.await.expect("a response");
    assert_eq!(response.text().await.expect("a body"), "one");
    drop(response);
    server.wait_for_open(0).await;
    assert_eq!(server.connections(), 1);
}

/// Panics when it is to begin.
#[derive(Debug)]
struct BrokenStart;

impl TraceConfig for BrokenStart {
    fn start(&self, _: &TraceStart<'_>) -> Box<dyn RequestTrace> {
        panic!("told of a request")
    }
}

#[tokio::test]
async fn a_trace_that_panics_at_its_start_does_not_end_the_request() {
    let builder = ClientSession::builder().trace_config(BrokenStart);
    let (listener, session) = (Listener::new().await, builder.build().expect("valid"));
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let (response, _peer) = listener
        .answer(session.get(listener.url("/")), answer)
        .await;
    assert!(response.ok());
}
