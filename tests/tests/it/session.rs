//! A session's life: sharing, closing, and what its responses keep.

use std::time::Duration;

use aio_client::{ClientSession, ClientTimeout, TcpConnector};
use aio_tests::http_server::{Body, Request, Response, TestServer};
use bytes::Bytes;

async fn answer(request: Request) -> Response {
    match request.target.split('?').next().unwrap_or_default() {
        "/large" => {
            let block = Bytes::from(vec![b'x'; 64 * 1024]);
            Response::new(200).body(Body::Repeat {
                block,
                length: 8 * 1024 * 1024,
            })
        }
        "/json" => Response::ok(r#"{"a": 1}"#).header("Content-Type", "application/json"),
        "/host" => Response::ok(request.header("Host").unwrap_or_default().to_owned()),
        "/missing" => Response::new(404),
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Response::ok("late")
        }
        _ => Response::ok("hello"),
    }
}

async fn server() -> TestServer {
    TestServer::start(answer).await.expect("a server")
}

#[tokio::test]
async fn a_small_response_is_closed_before_it_is_read() {
    // EDGE-008.
    let (server, session) = (server().await, ClientSession::new());
    let mut response = session.get(server.url("/")).await.expect("a response");
    assert!(response.is_closed() && response.connection().is_none());
    assert_eq!(session.connector().stats().idle, 1);
    assert_eq!(response.text().await.expect("a body"), "hello");
}

#[tokio::test]
async fn a_body_is_kept_for_reading_in_several_ways() {
    let (server, session) = (server().await, ClientSession::new());
    let mut response = session.get(server.url("/json")).await.expect("a response");
    let value: serde_json::Value = response.json().await.expect("JSON");
    assert_eq!(value["a"], 1);
    assert_eq!(response.text().await.expect("text"), r#"{"a": 1}"#);
    // RSP-29: what was read stays for text, not for read.
    response.release();
    assert_eq!(response.text().await.expect("text").len(), 8);
    assert!(response.read().await.is_err());
}

#[tokio::test]
async fn a_response_keeps_its_session_alive() {
    let server = server().await;
    let mut response = ClientSession::new()
        .get(server.url("/large"))
        .await
        .expect("a response");
    assert_eq!(
        response.read().await.expect("a body").len(),
        8 * 1024 * 1024
    );
    drop(response);
    server.wait_for_open(0).await;
}

#[tokio::test]
async fn reading_on_after_the_session_is_closed_fails() {
    // EDGE-137.
    let (server, session) = (server().await, ClientSession::new());
    let mut response = session.get(server.url("/large")).await.expect("a response");
    session.close().await;
    session.close().await;
    let error = response.read().await.expect_err("closed");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError");
    server.wait_for_open(0).await;
}

#[tokio::test]
async fn a_shared_connector_outlives_a_session_that_does_not_own_it() {
    let (server, connector) = (server().await, TcpConnector::new());
    for _ in 0..2 {
        let builder = ClientSession::builder().connector(connector.clone());
        let session = builder.connector_owner(false).build().expect("valid");
        session
            .get(server.url("/"))
            .await
            .expect("a response")
            .read()
            .await
            .expect("a body");
        session.close().await;
        assert!(session.is_closed() && !connector.is_closed());
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn no_uri_leaves_the_base_url() {
    let (server, elsewhere) = (server().await, server().await);
    let builder = ClientSession::builder().base_url(server.url("/api/"));
    let builder = builder.header("Authorization", "Bearer secret");
    let session = builder.build().expect("valid");
    let escape = format!("//{}/x", elsewhere.address());
    // The type takes it for a path.
    let uri: http::Uri = escape.parse().expect("a URI");
    for request in [session.get(escape), session.get(&uri), session.get(uri)] {
        let error = request.await.expect_err("no scheme");
        assert_eq!(error.aiohttp_class(), "InvalidUrlClientError");
    }
    assert_eq!((server.connections(), elsewhere.connections()), (0, 0));
    // What is relative is joined; what is absolute is meant.
    let uri = |text: &str| text.parse::<http::Uri>().expect("a URI");
    let response = session.get(uri("/x?a=%2F")).await.expect("a response");
    assert_eq!(response.url().to_string(), server.url("/x?a=%2F"));
    let absolute = elsewhere.url("/x");
    let response = session.get(uri(&absolute)).await.expect("a response");
    assert_eq!(response.url().to_string(), absolute);
}

#[tokio::test]
async fn a_bad_status_is_an_error_where_asked_for() {
    let (server, session) = (server().await, ClientSession::new());
    let mut response = session
        .get(server.url("/missing?token=secret"))
        .await
        .expect("a response");
    let error = response.raise_for_status().expect_err("404");
    assert_eq!(
        (error.status(), error.aiohttp_class()),
        (Some(404), "ClientResponseError")
    );
    assert!(
        !format!("{error} {error:?}").contains("secret"),
        "{error:?}"
    );
    let raising = ClientSession::builder()
        .raise_for_status(true)
        .build()
        .expect("valid");
    assert_eq!(
        raising
            .get(server.url("/missing"))
            .await
            .expect_err("404")
            .status(),
        Some(404)
    );
}

#[tokio::test]
async fn the_request_as_sent_stays_at_hand() {
    let (server, session) = (server().await, ClientSession::new());
    let request = session.get(server.url("/#top")).header("X-Case", "Kept");
    let response = request.await.expect("a response");
    let info = response.request_info();
    let names: Vec<_> = info
        .headers()
        .iter()
        .map(|field| field.name().to_owned())
        .collect();
    assert_eq!(
        names,
        ["Host", "X-Case", "Accept", "Accept-Encoding", "User-Agent"]
    );
    assert!(response.real_url().ends_with("/#top"));
    assert!(!response.url().to_string().contains('#'));
}

#[tokio::test]
async fn a_timed_out_request_leaves_a_session_that_works() {
    // EDGE-120.
    let (server, session) = (server().await, ClientSession::new());
    let timeout = ClientTimeout {
        sock_read: Some(Duration::from_millis(50)),
        ..ClientTimeout::none()
    };
    let error = session
        .get(server.url("/slow"))
        .timeout(timeout)
        .await
        .expect_err("slow");
    assert_eq!(error.aiohttp_class(), "SocketTimeoutError");
    assert!(error.attempt().is_some_and(|attempt| attempt.sent));
    let error = session
        .get(server.url("/slow"))
        .timeout(Duration::from_millis(50))
        .await;
    assert_eq!(error.expect_err("slow").aiohttp_class(), "TimeoutError");
    assert_eq!(session.connector().stats().open, 0);
    assert!(session.get(server.url("/")).await.is_ok());
}

#[tokio::test]
async fn a_task_can_send_and_another_read() {
    let (server, session) = (server().await, ClientSession::new());
    let sent = tokio::spawn(session.get(server.url("/large")).send()).await;
    let mut response = sent.expect("no panic").expect("a response");
    let read = tokio::spawn(async move { response.read().await.map(|body| body.len()) }).await;
    assert_eq!(read.expect("no panic").expect("a body"), 8 * 1024 * 1024);
}

#[test]
fn a_session_outlives_the_runtime_it_was_first_used_in() {
    let runtime = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime")
    };
    // The server has a runtime of its own, in a thread of its own.
    let (tell, told) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        runtime().block_on(async {
            let server = server().await;
            tell.send(server.url("/")).expect("the test waits");
            stopped.await.ok();
        });
    });
    let (url, session) = (told.recv().expect("a server"), ClientSession::new());
    for _ in 0..3 {
        let post = async { session.post(&url).body("x").await?.text().await };
        assert_eq!(runtime().block_on(post).expect("a body"), "hello");
    }
    drop(stop);
    thread.join().expect("no panic");
}

#[tokio::test]
async fn a_detached_connector_serves_another_session() {
    // SES-20, SES-34, SES-36.
    let (server, first) = (server().await, ClientSession::new());
    let read = async |session: &ClientSession| session.get(server.url("/")).await?.text().await;
    read(&first).await.expect("a body");
    let connector = first.detach();
    assert!(first.is_closed() && !first.connector_owner());
    assert_eq!(
        read(&first).await.expect_err("closed").aiohttp_class(),
        "RuntimeError"
    );
    drop(first);
    let second = ClientSession::builder()
        .connector(connector)
        .build()
        .expect("valid");
    read(&second).await.expect("a body");
    let stats = second.connector().stats();
    assert_eq!(
        (stats.created, stats.idle),
        (1, 1),
        "its connection is still there"
    );
    second.close().await;
    assert!(second.connector().is_closed());
}
