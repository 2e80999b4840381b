//! Redirects: what is sent to the next hop, what is not, and what comes of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aio_client::{
    BasicAuth, Body, ClientError, ClientRequest, ClientResponse, ClientSession, ClientTimeout,
    ConnectionRetry, CookieJar, CookieJarOptions, Next, PayloadError, RedirectAction,
    RedirectPolicy, RequestBuilder, RequestUrl, ResponseErrorKind, SetCookie, UploadProgress,
};
use aio_tests::http_server::{Request, Response, TestServer};
use aio_tests::tls::Authority;
use bytes::Bytes;

use crate::peer::{Listener, begin, give_up, soon};
use crate::site::Site;

/// Begins one whose paths redirect: `/302/to`; all else is answered with `end`.
async fn redirecting() -> Site {
    Site::new(|request| redirect_named_by(&request.target)).await
}

/// Begins one whose root redirects to `away`; all else is answered with `end`.
async fn leading_to(away: String) -> Site {
    Site::new(move |request| match request.target.as_str() {
        "/" => redirect(302, &away),
        _ => Response::ok("end"),
    })
    .await
}

fn redirect(status: u16, location: &str) -> Response {
    Response::new(status).header("Location", location)
}

/// Redirects with the status that a target begins with to the rest of it.
fn redirect_named_by(target: &str) -> Response {
    let (first, rest) = target
        .get(1..)
        .unwrap_or_default()
        .split_at_checked(3)
        .unwrap_or_default();
    match first.parse() {
        Ok(status) => redirect(status, rest),
        Err(_) => Response::ok("end"),
    }
}

fn in_use(session: &ClientSession) -> usize {
    let stats = session.connector().stats();
    stats.open - stats.idle
}

fn stream(text: &'static str) -> Body {
    Body::from_http(Body::from(text))
}

fn history(response: &ClientResponse) -> Vec<(u16, String)> {
    let hop =
        |head: &aio_client::ResponseHead| (head.status().as_u16(), head.url().target().to_owned());
    response.history().iter().map(hop).collect()
}

#[tokio::test]
async fn a_post_becomes_a_get_without_what_belongs_to_its_body() {
    // EDGE-080, RED-05, RED-10.
    for status in ["301", "302", "303"] {
        let (site, session) = (redirecting().await, ClientSession::new());
        let request = session
            .post(site.url(&format!("/{status}/x")))
            .body("body")
            .header("Content-Length", "4")
            .header("Content-Type", "text/x")
            .expect100(true)
            .chunked(false);
        let response = request.await.expect("a response");
        assert_eq!(site.asked(), [&format!("POST /{status}/x body"), "GET /x"]);
        for name in ["content-length", "transfer-encoding", "expect"] {
            assert!(site.last_values(name).is_empty(), "{status} {name}");
        }
        assert_eq!(site.last_values("content-type"), ["text/x"]);
        assert_eq!(response.method(), "GET");
    }
}

#[tokio::test]
async fn chunks_and_compression_do_not_outlive_the_body() {
    // RED-10: fixed. REQ-50.
    let (site, session) = (redirecting().await, ClientSession::new());
    let request = session.post(site.url("/303/x")).body("body").chunked(true);
    request.await.expect("a response");
    assert!(site.last_values("transfer-encoding").is_empty());
    // The connection is in step: it serves one more.
    session.get(site.url("/y")).await.expect("a response");
    assert_eq!(site.asked(), ["POST /303/x body", "GET /x", "GET /y"]);
    assert_eq!(session.connector().stats().created, 1);
}

#[tokio::test]
async fn bodies_are_sent_again_where_the_method_stays() {
    // EDGE-081, EDGE-085, EDGE-086.
    let bodies: [fn() -> Body; 4] = [
        || Body::from("again"),
        || Body::from(Bytes::from_static(b"again")),
        || Body::replayable(None, || async { Ok(Body::from("again")) }),
        || Body::replayable(Some(5), || async { Ok(stream("again")) }),
    ];
    for body in bodies {
        let (site, session) = (redirecting().await, ClientSession::new());
        let request = session.post(site.url("/307/308/307/x")).body(body());
        request.await.expect("a response");
        let want = ["/307/308/307/x", "/308/307/x", "/307/x", "/x"];
        assert_eq!(
            site.asked(),
            want.map(|target| format!("POST {target} again"))
        );
        assert_eq!(session.connector().stats().created, 1);
    }
    let (site, session) = (redirecting().await, ClientSession::new());
    let request = session.post(site.url("/307/x")).body("");
    request.await.expect("a response");
    assert_eq!(site.asked(), ["POST /307/x", "POST /x"]);
    assert_eq!(site.last_values("content-length"), ["0"]);
}

#[tokio::test]
async fn a_body_that_was_read_once_cannot_follow() {
    // EDGE-082, EDGE-083, RED-08.
    for (method, status) in [("POST", 307), ("POST", 308), ("PUT", 301), ("PATCH", 302)] {
        let (site, session) = (redirecting().await, ClientSession::new());
        let request = session
            .request(method, site.url(&format!("/{status}/x")))
            .body(stream("once"));
        match request.await {
            Err(ClientError::Payload(error)) => {
                assert!(matches!(error.source, PayloadError::NotReplayable));
            }
            other => panic!("{method} {status}: {other:?}"),
        }
        assert_eq!(site.asked(), [format!("{method} /{status}/x once")]);
    }
    // Where the body is dropped it need not.
    let (site, session) = (redirecting().await, ClientSession::new());
    let response = session.post(site.url("/302/x")).body(stream("once")).await;
    assert_eq!(response.expect("a response").status(), 200);
    assert_eq!(site.asked(), ["POST /302/x once", "GET /x"]);
}

#[tokio::test]
async fn a_body_may_be_kept_by_one_hop_and_dropped_by_the_next() {
    // EDGE-084.
    let (site, session) = (redirecting().await, ClientSession::new());
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&opened);
    let body = Body::replayable(None, move || {
        counter.fetch_add(1, Ordering::Relaxed);
        async { Ok(Body::from("file")) }
    });
    let response = session
        .post(site.url("/307/302/x"))
        .body(body)
        .await
        .expect("a response");
    assert_eq!(
        site.asked(),
        ["POST /307/302/x file", "POST /302/x file", "GET /x"]
    );
    assert_eq!(opened.load(Ordering::Relaxed), 2);
    assert_eq!(
        history(&response),
        [(307, "/307/302/x".to_owned()), (302, "/302/x".to_owned())]
    );
}

#[tokio::test]
async fn a_dropped_body_has_no_progress() {
    // BODY-110.
    let (site, session) = (redirecting().await, ClientSession::new());
    let progress = UploadProgress::default();
    for (path, want) in [("/307/x", 4), ("/303/x", 0)] {
        let request = session.post(site.url(path)).body("body");
        let request = request.upload_progress(progress.clone());
        request.await.expect("a response");
        assert_eq!(progress.sent(), want, "{path}");
    }
}

#[tokio::test]
async fn the_tenth_redirect_is_too_many() {
    // EDGE-087, RED-12, RED-13.
    let site = Site::new(|request| redirect(302, &format!("{}x", request.target))).await;
    let session = ClientSession::new();
    for (max, hops) in [(None, 10), (Some(1), 1), (Some(3), 3)] {
        let request = session.get(site.url("/"));
        let request = match max {
            Some(max) => request.max_redirects(max),
            None => request,
        };
        let Err(ClientError::Response(error)) = request.await else {
            panic!("too many");
        };
        assert_eq!(error.kind, ResponseErrorKind::TooManyRedirects);
        assert_eq!((error.status, &*error.message), (0, ""));
        let targets: Vec<_> = error
            .history
            .iter()
            .map(|head| head.url().target().len())
            .collect();
        assert_eq!(targets, (1..=hops).collect::<Vec<_>>());
        assert_eq!(in_use(&session), 0);
    }
}

#[tokio::test]
async fn no_limit_is_none() {
    let site = Site::new(|request| match request.target.len() {
        100 => Response::ok("end"),
        _ => redirect(302, &format!("{}x", request.target)),
    })
    .await;
    let response = ClientSession::new()
        .get(site.url("/"))
        .max_redirects(0)
        .await;
    assert_eq!(response.expect("a response").history().len(), 99);
}

#[tokio::test]
async fn a_location_that_leads_nowhere_is_an_error_of_its_own() {
    // EDGE-088, EDGE-089, RED-19 to RED-23.
    for (location, class) in [
        ("http://", "InvalidUrlRedirectClientError"),
        ("http:///x", "InvalidUrlRedirectClientError"),
        ("http://host:port/", "InvalidUrlRedirectClientError"),
        ("http://[::1", "InvalidUrlRedirectClientError"),
        ("ftp://host/", "NonHttpUrlRedirectClientError"),
        ("ws://host/", "NonHttpUrlRedirectClientError"),
        ("mailto:ada", "NonHttpUrlRedirectClientError"),
        ("javascript:alert(1)", "NonHttpUrlRedirectClientError"),
    ] {
        let (site, session) = (redirecting().await, ClientSession::new());
        let request = session
            .post(site.url(&format!("/307/307{location}")))
            .body("body");
        let error = request.await.expect_err(location);
        assert_eq!(error.aiohttp_class(), class, "{location}");
        assert!(error.is_a("RedirectClientError"));
        assert_eq!(site.asked().len(), 2, "{location}");
        let stats = session.connector().stats();
        assert_eq!((stats.open, stats.idle), (1, 1), "{location}");
    }
}

#[tokio::test]
async fn secrets_do_not_follow_to_another_origin() {
    // EDGE-092, RED-24, RED-25, RED-29, RED-34.
    let there = redirecting().await;
    let here = leading_to(there.url("/")).await;
    let session = ClientSession::builder()
        .header("Authorization", "one")
        .build();
    let request = session
        .expect("valid")
        .get(here.url("/"))
        .header("authorization", "two")
        .header("AUTHORIZATION", "three")
        .header("Cookie", "id=7")
        .header("Proxy-Authorization", "four")
        .header("Host", "name.test")
        .header("X-Key", "five");
    request.await.expect("a response");
    assert_eq!(here.last_values("authorization"), ["two", "three"]);
    assert_eq!(here.last_values("host"), ["name.test"]);
    for name in ["authorization", "cookie", "proxy-authorization"] {
        assert!(there.last_values(name).is_empty(), "{name}");
    }
    assert_eq!(there.last_values("host"), [there.host()]);
    assert_eq!(there.last_values("x-key"), ["five"]);
}

#[tokio::test]
async fn secrets_do_not_come_back() {
    // RED-25.
    let here = Listener::new().await;
    let back = here.url("/back");
    let there = Site::new(move |_| redirect(302, &back)).await;
    let session = ClientSession::new();
    let request = session
        .get(here.url("/"))
        .basic_auth(BasicAuth::new("ada", "pw"))
        .header("Cookie", "id=7");
    let play = async {
        let mut peer = here.accept().await;
        let first = peer.head().await;
        peer.send(format!(
            "HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: {}\r\n\r\n",
            there.url("/")
        ))
        .await;
        let second = peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        (first, second)
    };
    let (response, (first, second)) = tokio::join!(request.send(), play);
    response.expect("a response");
    assert!(first.contains("Authorization: Basic") && first.contains("Cookie: id=7"));
    assert!(
        !second.contains("Authorization") && !second.contains("Cookie"),
        "{second}"
    );
}

#[tokio::test]
async fn secrets_stay_within_an_origin() {
    // EDGE-093, RED-34.
    let (site, session) = (redirecting().await, ClientSession::new());
    let url = site.url("/302/x").replace("http://", "http://ada:pw@");
    let request = session
        .get(url)
        .header("Cookie", "id=7")
        .header("Host", "name.test");
    let response = request.await.expect("a response");
    assert_eq!(site.last_values("authorization"), ["Basic YWRhOnB3"]);
    assert_eq!(site.last_values("cookie"), ["id=7"]);
    assert_eq!(site.last_values("host"), ["name.test"]);
    assert_eq!(response.url().userinfo(), None);
}

#[tokio::test]
async fn credentials_of_a_location_take_over() {
    // EDGE-094, RED-30.
    let session = ClientSession::new();
    let site = Site::new(|request| match request.target.as_str() {
        "/" => {
            let host = request.headers.iter().find(|(name, _)| name == "Host");
            let host = &host.expect("a host").1;
            redirect(302, &format!("http://eve:pw@{host}/x"))
        }
        _ => Response::ok("end"),
    })
    .await;
    let request = session.get(site.url("/")).header("Authorization", "own");
    request.await.expect("a response");
    assert_eq!(site.last_values("authorization"), ["Basic ZXZlOnB3"]);
    let both = site.url("/").replace("http://", "http://ada:pw@");
    let request = session.get(both).header("Authorization", "own");
    assert_eq!(
        request.await.expect_err("both").aiohttp_class(),
        "ValueError"
    );
    assert_eq!(site.asked().len(), 2);
}

/// Sends a request that goes from one origin to another and back; returns which of the
/// three requests had credentials.
async fn authorized(with_base: bool) -> [bool; 3] {
    let here = Arc::new(Mutex::new(String::new()));
    let back = Arc::clone(&here);
    let there = Site::new(move |_| redirect(302, &back.lock().expect("no panic"))).await;
    let site = leading_to(there.url("/")).await;
    *here.lock().expect("no panic") = site.url("/back");
    let mut builder = ClientSession::builder().basic_auth(BasicAuth::new("ada", "pw"));
    if with_base {
        builder = builder.base_url(site.url("/"));
    }
    let session = builder.build().expect("valid");
    session.get(site.url("/")).await.expect("a response");
    let seen = site.seen.lock().expect("no panic");
    let has_it = |request: &Request| {
        request
            .headers
            .iter()
            .any(|(name, _)| name == "Authorization")
    };
    [
        has_it(&seen[0]),
        !there.last_values("authorization").is_empty(),
        has_it(&seen[1]),
    ]
}

#[tokio::test]
async fn credentials_of_the_session_stay_with_its_origin() {
    // EDGE-095, SES-14; RED-28: fixed, without a base URL they stay with the first origin.
    assert_eq!(authorized(true).await, [true, false, true]);
    assert_eq!(authorized(false).await, [true, false, true]);
}

#[tokio::test]
async fn a_base_url_keeps_the_credentials_to_itself() {
    // SES-14.
    let (base, other) = (redirecting().await, redirecting().await);
    let session = ClientSession::builder()
        .base_url(base.url("/"))
        .basic_auth(BasicAuth::new("ada", "pw"))
        .build()
        .expect("valid");
    session.get("x").await.expect("a response");
    session.get(other.url("/x")).await.expect("a response");
    assert_eq!(base.last_values("authorization"), ["Basic YWRhOnB3"]);
    assert!(other.last_values("authorization").is_empty());
}

#[tokio::test]
async fn fragments_and_parameters_are_not_inherited() {
    // EDGE-096, EDGE-097, RED-22, RED-26.
    let session = ClientSession::builder()
        .query([("key", "1")])
        .build()
        .expect("valid");
    let site = Site::new(|request| match request.target.starts_with("/a") {
        true => redirect(302, "/b?c=d#new"),
        false => Response::ok("end"),
    })
    .await;
    let request = session.get(site.url("/a?x=y#old")).query([("p", "q")]);
    let response = request.await.expect("a response");
    assert_eq!(site.asked(), ["GET /a?x=y&p=q&key=1", "GET /b?c=d"]);
    assert_eq!(response.url().as_str(), site.url("/b?c=d"));
    assert_eq!(response.real_url(), site.url("/b?c=d#new"));
}

#[tokio::test]
async fn head_is_redirected_on_request_only() {
    // EDGE-098, RED-40.
    let (site, session) = (redirecting().await, ClientSession::new());
    let response = session.head(site.url("/302/x")).await.expect("a response");
    assert_eq!(response.status(), 302);
    let request = session.head(site.url("/303/x")).allow_redirects(true);
    assert_eq!(request.await.expect("a response").status(), 200);
    assert_eq!(site.asked(), ["HEAD /302/x", "HEAD /303/x", "HEAD /x"]);
}

#[tokio::test]
async fn a_redirect_without_location_is_the_response() {
    // EDGE-099, RED-03: it stands in its own history, as in aiohttp.
    let site = Site::new(|_| Response::new(302)).await;
    let mut response = ClientSession::new()
        .get(site.url("/"))
        .await
        .expect("a response");
    assert_eq!(response.status(), 302);
    assert_eq!(response.read().await.expect("a body"), "");
    assert_eq!(history(&response), [(302, "/".to_owned())]);
}

#[tokio::test]
async fn the_final_response_is_judged_with_its_history() {
    // EDGE-100, RED-39.
    let site = Site::new(|request| match request.target.as_str() {
        "/" => redirect(302, "/missing"),
        _ => Response::new(404),
    })
    .await;
    let request = ClientSession::new()
        .get(site.url("/"))
        .raise_for_status(true);
    let Err(ClientError::Response(error)) = request.await else {
        panic!("404 is an error");
    };
    assert_eq!((error.status, error.history.len()), (404, 1));
}

#[tokio::test]
async fn a_policy_has_the_last_word() {
    let (site, other) = (redirecting().await, redirecting().await);
    let session = ClientSession::builder()
        .redirect_policy(RedirectPolicy::same_origin())
        .build()
        .expect("valid");
    let response = session
        .get(site.url("/302/302/x"))
        .await
        .expect("a response");
    assert_eq!(
        (response.status().as_u16(), response.history().len()),
        (200, 2)
    );
    let away = format!("/302{}", other.url("/x"));
    let mut response = session
        .get(site.url(&format!("/302{away}")))
        .await
        .expect("a response");
    assert_eq!(
        (response.status().as_u16(), response.history().len()),
        (302, 1)
    );
    assert_eq!(response.read().await.expect("it is not released"), "");
    assert!(other.asked().is_empty());
    // What is not followed is not too many.
    let request = session
        .get(site.url(&format!("/302{away}")))
        .max_redirects(2);
    assert_eq!(request.await.expect("a response").status(), 302);

    let keep = RedirectPolicy::new(|hop| {
        assert_eq!((hop.method.as_str(), hop.history.len()), ("GET", 0));
        assert!(!hop.is_cross_origin() && hop.response.status() == 302);
        RedirectAction::KeepMethod
    });
    let request = session
        .post(site.url("/302/kept"))
        .body("body")
        .redirect_policy(keep);
    request.await.expect("a response");
    assert_eq!(
        site.asked().last().map(String::as_str),
        Some("POST /kept body")
    );
}

#[tokio::test]
async fn a_policy_knows_nothing_of_where_middlewares_go() {
    let there = redirecting().await;
    let url = RequestUrl::parse(&there.url("/302/x")).expect("a URL");
    let elsewhere = move |mut request: ClientRequest, next: Next| {
        if request.url().path() == "/" {
            request.set_url(url.clone());
        }
        next.run(request)
    };
    let session = ClientSession::builder()
        .middleware(elsewhere)
        .redirect_policy(RedirectPolicy::same_origin())
        .build()
        .expect("valid");
    let here = redirecting().await;
    session.get(here.url("/")).await.expect("a response");
    assert_eq!(there.asked(), ["GET /302/x"]);
    assert_eq!(here.asked(), ["GET /x"]);
}

#[tokio::test]
async fn middlewares_run_for_each_hop() {
    // EDGE-260, MW-07.
    let site = redirecting().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let tag = move |mut request: ClientRequest, next: Next| {
        log.lock()
            .expect("no panic")
            .push(request.url().target().to_owned());
        request
            .headers_mut()
            .insert("X-Tag", "1")
            .expect("a header");
        next.run(request)
    };
    let session = ClientSession::builder()
        .middleware(tag)
        .build()
        .expect("valid");
    let response = session.post(site.url("/307/302/x")).body("body").await;
    assert_eq!(history(&response.expect("a response")).len(), 2);
    assert_eq!(
        *seen.lock().expect("no panic"),
        ["/307/302/x", "/302/x", "/x"]
    );
    assert_eq!(
        site.asked(),
        ["POST /307/302/x body", "POST /302/x body", "GET /x"]
    );
    assert_eq!(site.last_values("x-tag"), ["1"]);
}

#[tokio::test]
async fn a_redirect_with_a_long_body_costs_its_connection_and_no_time() {
    // RED-04.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let play = async {
        let mut first = listener.accept().await;
        first.head().await;
        first
            .send("HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 9\r\n\r\nhalf")
            .await;
        let mut second = listener.accept().await;
        second.head().await;
        second
            .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        first.drain().await;
    };
    let request = session.get(listener.url("/")).send();
    let (response, ()) = soon("both hops", async { tokio::join!(request, play) }).await;
    assert_eq!(response.expect("a response").status(), 200);
    assert_eq!(session.connector().stats().open, 1);
}

#[tokio::test]
async fn the_total_timeout_spans_all_hops() {
    // RED-38.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let timeout = ClientTimeout::total(Duration::from_secs(5));
    let request = session.get(listener.url("/")).timeout(timeout);
    let play = async {
        let mut peer = listener.accept().await;
        loop {
            peer.head().await;
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(2)).await;
            tokio::time::resume();
            peer.send("HTTP/1.1 302 F\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")
                .await;
        }
    };
    let error = tokio::select! {
        response = request.send() => response.expect_err("six seconds"),
        () = play => unreachable!("it goes on"),
    };
    assert!(matches!(error, ClientError::Timeout(_)), "{error:?}");
    assert_eq!(in_use(&session), 0);
}

#[tokio::test]
async fn a_dropped_redirect_leaves_nothing_behind() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.get(listener.url("/"));
    let sent = begin(request.send()).await;
    let mut peer = listener.accept().await;
    peer.head().await;
    peer.send("HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
        .await;
    peer.head().await;
    assert_eq!(in_use(&session), 1);
    sent.abort();
    assert!(sent.await.expect_err("it is dropped").is_cancelled());
    soon("the connection", peer.drain()).await;
    assert_eq!(session.connector().stats().open, 0);
    // And one that is dropped while its body is opened.
    let body = Body::replayable(None, std::future::pending);
    let request = session.post(listener.url("/")).body(body);
    give_up(request.send()).await;
    assert_eq!(in_use(&session), 0);
}

#[tokio::test]
async fn a_dead_connection_is_retried_in_the_middle() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let play = async {
        let mut first = listener.accept().await;
        first.head().await;
        first
            .send("HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
            .await;
        first.head().await;
        drop(first);
        let mut second = listener.accept().await;
        let head = second.head().await;
        second
            .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        head
    };
    let request = session.get(listener.url("/"));
    let (response, head) = tokio::join!(request.send(), play);
    assert_eq!(response.expect("a response").history().len(), 1);
    assert!(head.starts_with("GET /x "));
    let off = session
        .get(listener.url("/"))
        .retry_connection(ConnectionRetry::Off);
    check_off(off, &listener).await;
}

async fn check_off(request: RequestBuilder, listener: &Listener) {
    let play = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send("HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
            .await;
        peer.head().await;
    };
    let (response, ()) = tokio::join!(request.send(), play);
    let error = response.expect_err("the connection ends");
    assert_eq!(error.aiohttp_class(), "ServerDisconnectedError");
}

fn jar_for_addresses() -> Arc<CookieJar> {
    Arc::new(CookieJar::with_options(CookieJarOptions {
        allow_ip_hosts: true,
        ..CookieJarOptions::default()
    }))
}

#[tokio::test]
async fn cookies_set_on_the_way_go_along() {
    // EDGE-090, RED-32, RED-36.
    let site = Site::new(|request| match request.target.as_str() {
        "/" => redirect(302, "/x").header("Set-Cookie", "id=7"),
        _ => Response::ok("end").header("Set-Cookie", "last=1"),
    })
    .await;
    let session = ClientSession::builder().cookie_jar(jar_for_addresses());
    let session = session.cookie("shared", "s").build().expect("valid");
    let request = session
        .get(site.url("/"))
        .cookie("own", "o")
        .header("Cookie", "hand=h");
    let response = request.await.expect("a response");
    let sent: BTreeSet<_> = site
        .last_values("cookie")
        .concat()
        .split("; ")
        .map(str::to_owned)
        .collect();
    assert_eq!(
        sent,
        ["hand=h", "id=7", "own=o", "shared=s"]
            .map(str::to_owned)
            .into()
    );
    let names = |cookies: Vec<SetCookie>| {
        cookies
            .iter()
            .map(|cookie| cookie.name().to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(response.cookies()), [b"last"]);
    assert_eq!(names(response.history()[0].cookies()), [b"id"]);
}

#[tokio::test]
async fn a_jar_stays_bounded_over_a_thousand_redirects() {
    // EDGE-091.
    let site = Site::new(|request| {
        let count = request.target.trim_start_matches('/');
        let count: u32 = count.parse().unwrap_or_default();
        match count {
            1000 => Response::ok("end"),
            _ => redirect(302, &format!("/{}", count + 1))
                .header("Set-Cookie", format!("c{count}=1")),
        }
    })
    .await;
    let jar = jar_for_addresses();
    let session = ClientSession::builder()
        .cookie_jar(jar.clone())
        .build()
        .expect("valid");
    let response = session
        .get(site.url("/0"))
        .max_redirects(0)
        .await
        .expect("a response");
    assert_eq!(response.history().len(), 1000);
    assert!((150..=180).contains(&jar.len()), "{}", jar.len());
}

#[tokio::test]
async fn cookies_of_a_request_do_not_follow_to_another_origin() {
    // RED-24, RED-27, CKY-63.
    let there = redirecting().await;
    let here = leading_to(there.url("/")).await;
    let session = ClientSession::builder()
        .cookie("shared", "s")
        .build()
        .expect("valid");
    session
        .get(here.url("/"))
        .cookie("own", "o")
        .await
        .expect("a response");
    assert_eq!(here.last_values("cookie"), ["shared=s; own=o"]);
    assert_eq!(there.last_values("cookie"), ["shared=s"]);
    session.get(here.url("/x")).await.expect("a response");
    assert_eq!(here.last_values("cookie"), ["shared=s"]);
}

#[tokio::test]
async fn a_server_hostname_is_for_the_first_origin() {
    // RED-11: fixed.
    let authority = Authority::new();
    let first = Arc::new(Mutex::new(String::new()));
    let back = Arc::clone(&first);
    let there = TestServer::start_tls(authority.server(&["127.0.0.1"]), move |_| {
        let back = back.lock().expect("no panic").clone();
        std::future::ready(redirect(302, &back))
    });
    let there = there.await.expect("a server");
    let away = there.url("/");
    let here = TestServer::start_tls(authority.server(&["a.test"]), move |request: Request| {
        std::future::ready(match request.target.as_str() {
            "/" => redirect(302, &away),
            _ => Response::ok("end"),
        })
    });
    let here = here.await.expect("a server");
    *first.lock().expect("no panic") = here.url("/back");
    let request = ClientSession::new()
        .get(here.url("/"))
        .tls(authority.client())
        .server_hostname("a.test");
    let response = request.await.expect("each has the name that is asked for");
    assert_eq!(response.history().len(), 2);
    // Elsewhere it would not do.
    let request = ClientSession::new()
        .get(there.url("/"))
        .tls(authority.client())
        .server_hostname("a.test");
    let error = request.await.expect_err("the certificate has another name");
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
}
