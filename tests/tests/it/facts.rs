//! What a response tells beside its head and body: trailers, interim responses, its
//! connection, and how long it took.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aio_client::{
    AddressFamily, BoxFuture, ClientResponse, ClientSession, ClientTimeout, Event, RequestTrace,
    RequestUrl, Resolved, Resolver, TcpConnector, Timings, TlsVersion, TraceConfig, TraceStart,
};
use aio_tests::tls::Authority;
use http_body::Body as _;
use rustls::version::{TLS12, TLS13};

use crate::peer::{Listener, Peer, begin, soon};
use crate::tls::{TlsListener, ok, session as tls_session};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const PAUSE: Duration = Duration::from_millis(30);

/// Gets a response that begins with `answer`.
async fn get(session: &ClientSession, answer: impl AsRef<[u8]>) -> (ClientResponse, Peer) {
    let listener = Listener::new().await;
    let request = session.get(listener.url("/"));
    listener
        .answer(request.timeout(ClientTimeout::none()), answer)
        .await
}

fn trailers(response: &ClientResponse) -> Vec<(String, String)> {
    let fields = response.trailers().into_iter().flat_map(|t| t.iter());
    let owned = fields.map(|field| {
        let value = field.to_str().expect("text");
        (field.name().to_owned(), value.to_owned())
    });
    owned.collect()
}

// WISH-07.
#[tokio::test]
async fn trailers_are_told_behind_the_body() {
    let session = ClientSession::new();
    let body = "2\r\nhi\r\n0\r\nX-Sum: 1\r\nx-sum:  2\r\n\r\n";
    let (mut response, _peer) = get(&session, format!("{CHUNKED}{body}")).await;
    assert_eq!(response.text().await.expect("a body"), "hi");
    let want = [("X-Sum", "1"), ("x-sum", "2")];
    let want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(trailers(&response), want);
    response.release();
    assert_eq!(trailers(&response), want, "they stay");

    // In pieces, and through the content alone.
    let (response, mut peer) = get(&session, format!("{CHUNKED}2\r\nhi\r\n")).await;
    let mut content = response.into_stream();
    assert_eq!(
        content.chunk().await.expect("a body").expect("a chunk"),
        "hi"
    );
    assert!(content.trailers().is_none(), "not yet");
    peer.send("0\r\nA: 1\r\n").await;
    let rest = begin(async move { (content.chunk().await, content) }).await;
    peer.send("B: 2\r\n\r\n").await;
    let (end, content) = soon("the end", rest).await.expect("no panic");
    assert!(end.expect("an end").is_none());
    assert_eq!(content.trailers().expect("some").len(), 2);

    let (mut response, _peer) = get(&session, format!("{CHUNKED}0\r\n\r\n")).await;
    response.read().await.expect("a body");
    assert!(response.trailers().is_none());
    let (mut response, _peer) = get(&session, OK).await;
    response.read().await.expect("a body");
    assert!(response.trailers().is_none());
}

#[tokio::test]
async fn trailers_of_a_body_that_nobody_read_are_not_told() {
    let body = "2\r\nhi\r\n0\r\nA: 1\r\n\r\n";
    let (mut response, _peer) = get(&ClientSession::new(), format!("{CHUNKED}{body}")).await;
    assert!(response.trailers().is_none(), "its body was not read");
    response.release();
    assert!(response.trailers().is_none());
}

/// A body with trailers, all at once, in packets, and without a byte before them.
const TRAILED: [(&str, &str, &str); 4] = [
    ("2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n", "", "hi"),
    ("2\r\nhi\r\n0\r\n", "X-Sum: 7\r\n\r\n", "hi"),
    ("0\r\nX-Sum: 7\r\n\r\n", "", ""),
    ("", "0\r\nX-Sum: 7\r\n\r\n", ""),
];

#[tokio::test]
async fn trailers_are_the_last_frame_of_a_body() {
    for (early, late, want) in TRAILED {
        let (response, mut peer) = get(&ClientSession::new(), format!("{CHUNKED}{early}")).await;
        peer.send(late).await;
        let mut body = response.into_stream();
        let (mut data, mut trailers) = (Vec::new(), None);
        let read = async {
            // As hyper does: what says that it has ended is not asked again.
            while !body.is_end_stream() {
                assert!(trailers.is_none(), "nothing comes behind them");
                assert_eq!(body.size_hint().exact(), None, "there is no place for them");
                match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                    None => break,
                    Some(frame) => match frame.expect("good").into_data() {
                        Ok(more) => data.extend(more),
                        Err(frame) => trailers = frame.into_trailers().ok(),
                    },
                }
            }
        };
        soon("the body", read).await;
        assert_eq!(data, want.as_bytes());
        assert_eq!(trailers.expect("they came")["x-sum"], "7", "{early:?}");
        assert!(body.chunk().await.expect("the end").is_none());
        assert!(body.trailers().is_some(), "they stay");
    }
}

#[tokio::test]
async fn trailers_are_sent_on_with_their_body() {
    for (early, late, want) in TRAILED {
        let (response, mut from) = get(&ClientSession::new(), format!("{CHUNKED}{early}")).await;
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let request = session.put(listener.url("/")).body(response.into_stream());
        let to = async {
            let mut to = listener.accept().await;
            let head = to.head().await;
            assert!(head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
            from.send(late).await;
            let body = to.until(b"\r\n\r\n").await;
            to.send(OK).await;
            (body, to)
        };
        let (answer, (body, _to)) =
            soon("the copy", async { tokio::join!(request.send(), to) }).await;
        assert_eq!(answer.expect("a response").status(), 200);
        assert!(body.contains(want), "{body:?}");
        assert!(body.ends_with("0\r\nx-sum: 7\r\n\r\n"), "{body:?}");
    }
}

#[tokio::test]
async fn trailers_change_nothing() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let fields = "Content-Length: 9\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\
                  Content-Encoding: gzip\r\nSet-Cookie: a=1\r\nHost: b.test\r\n\
                  Content-Type: text/html; charset=latin-1\r\n\r\n";
    let answer = format!("{CHUNKED}2\r\nhi\r\n0\r\n{fields}");
    let (mut response, mut peer) = listener
        .answer(session.get(listener.url("/")), answer)
        .await;
    assert_eq!(response.text().await.expect("a body"), "hi");
    assert_eq!(trailers(&response).len(), 7);
    assert_eq!(response.content_length(), None);
    assert_eq!(response.charset(), None);
    assert!(response.cookies().is_empty());
    assert_eq!(response.headers().len(), 1);

    // The same connection serves on, without a cookie.
    let answer = async {
        let head = peer.head().await;
        assert!(!head.to_ascii_lowercase().contains("cookie"), "{head}");
        peer.send(OK).await;
    };
    let (response, ()) = tokio::join!(session.get(listener.url("/")).send(), answer);
    let response = response.expect("a response");
    assert!(response.connection_info().is_reused());
}

#[tokio::test]
async fn trailers_beyond_the_bounds_of_a_head_end_the_body() {
    for trailers in [
        "A: 1\r\n".repeat(128),
        format!("A: {}", "b".repeat(8190)),
        "no colon\r\n\r\n".to_owned(),
    ] {
        let answer = format!("{CHUNKED}0\r\n{trailers}");
        let (mut response, mut peer) = get(&ClientSession::new(), answer).await;
        let error = response.read().await.expect_err("malformed");
        assert_eq!(error.aiohttp_class(), "ClientPayloadError");
        assert!(response.is_closed() && response.trailers().is_none());
        soon("the end of the connection", peer.drain()).await;
    }
}

/// Writes down the statuses and links of interim responses, as they come.
#[derive(Debug, Clone, Default)]
struct Hints(Arc<Mutex<Vec<String>>>);

impl Hints {
    fn seen(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

impl TraceConfig for Hints {
    fn start(&self, _: &TraceStart<'_>) -> Box<dyn RequestTrace> {
        let Self(seen) = self.clone();
        Box::new(move |event: &Event<'_>| {
            let shown = match event {
                Event::Informational { status, headers } => {
                    let link = headers.get("link").map(|link| link.to_str().expect("text"));
                    format!("{} {}", status.as_u16(), link.unwrap_or_default())
                }
                Event::RequestEnd { status } => status.as_u16().to_string(),
                _ => return,
            };
            seen.lock().expect("no panic").push(shown);
        })
    }
}

// WISH-08.
#[tokio::test]
async fn interim_responses_are_told_as_they_come_and_kept() {
    let hints = Hints::default();
    let builder = ClientSession::builder().trace_config(hints.clone());
    let (listener, session) = (Listener::new().await, builder.build().expect("valid"));
    let waiting = begin(session.get(listener.url("/")).send()).await;
    let mut peer = listener.accept().await;
    peer.head().await;
    peer.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        .await;
    let told = async {
        while hints.seen().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    soon("the hints", told).await;
    assert_eq!(
        hints.seen(),
        ["100 ", "103 </a.css>"],
        "before the response"
    );
    peer.send(format!("HTTP/1.1 102 Processing\r\n\r\n{OK}"))
        .await;
    let response = soon("the response", waiting).await.expect("no panic");
    let mut response = response.expect("a response");
    assert_eq!(hints.seen(), ["100 ", "103 </a.css>", "102 ", "200"]);

    let statuses = response.informational().iter();
    let statuses: Vec<_> = statuses.map(|(status, _)| status.as_u16()).collect();
    assert_eq!(statuses, [100, 103, 102]);
    let (_, early) = &response.informational()[1];
    assert_eq!(early.get("LINK").expect("a field").as_bytes(), b"</a.css>");
    assert_eq!(response.text().await.expect("a body"), "hi");

    // Those of one response are not the next one's.
    let answer = async {
        peer.head().await;
        peer.send(OK).await;
    };
    let (response, ()) = tokio::join!(session.get(listener.url("/")).send(), answer);
    let response = response.expect("a response");
    assert!(response.connection_info().is_reused());
    assert!(response.informational().is_empty());
}

#[tokio::test]
async fn the_leave_to_send_a_body_is_an_interim_response() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.post(listener.url("/")).body("body").expect100(true);
    let peer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send("HTTP/1.1 100 Continue\r\nA: 1\r\n\r\n").await;
        assert_eq!(peer.exactly(4).await, b"body");
        peer.send(OK).await;
        peer
    };
    let (response, _peer) = tokio::join!(request.send(), peer);
    let response = response.expect("a response");
    let [(status, headers)] = response.informational() else {
        panic!("{:?}", response.informational());
    };
    assert_eq!((status.as_u16(), headers.len()), (100, 1));
}

#[tokio::test]
async fn interim_responses_without_end_are_refused() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let peer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n".repeat(33))
            .await;
        peer.drain().await;
    };
    let (response, ()) = tokio::join!(session.get(listener.url("/")).send(), soon("the end", peer));
    let error = response.expect_err("without end");
    assert_eq!(error.aiohttp_class(), "ClientResponseError");
}

#[tokio::test]
async fn interim_responses_are_kept_no_longer_than_a_head() {
    let value = "v".repeat(8000);
    let fields = format!("A: {value}\r\n").repeat(100);
    let early = format!("HTTP/1.1 103 Early Hints\r\n{fields}\r\n").repeat(3);
    let (response, _peer) = get(&ClientSession::new(), format!("{early}{OK}")).await;
    assert_eq!(response.informational().len(), 1, "of 800 kB each");
    assert_eq!(response.status(), 200);
}

// 101 is final, as in aiohttp.
#[tokio::test]
async fn switching_protocols_is_no_interim_response() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let (response, _peer) = get(&ClientSession::new(), answer).await;
    assert_eq!(response.status(), 101);
    assert!(response.informational().is_empty());
}

// WISH-06.
#[tokio::test]
async fn the_connection_is_known_when_it_is_gone() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let redirect = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
    let peer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send(redirect).await;
        peer.head().await;
        peer.send("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
            .await;
        peer
    };
    let (response, peer) = tokio::join!(session.get(listener.url("/a")).send(), peer);
    let mut response = response.expect("a response");
    assert!(response.connection().is_none(), "it went back");
    let info = response.connection_info().clone();
    assert_eq!(info.peer_addr(), peer.0.local_addr().ok());
    assert_eq!(info.local_addr(), peer.0.peer_addr().ok());
    assert!(info.tls().is_none() && info.is_reused());
    let [hop] = response.history() else {
        panic!("one redirect");
    };
    assert!(!hop.connection_info().is_reused());
    assert_eq!(hop.connection_info().local_addr(), info.local_addr());
    // An error has it with its head.
    let error = response.raise_for_status().expect_err("404");
    let aio_client::ClientError::Response(error) = error else {
        panic!("{error:?}");
    };
    let head = error.head.as_ref().expect("a head");
    assert_eq!(head.connection_info().peer_addr(), info.peer_addr());
}

#[tokio::test]
async fn a_connection_in_use_tells_whether_others_used_it_before() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    let (mut response, mut peer) = listener.answer(session.get(listener.url("/")), half).await;
    assert!(!response.connection().expect("in use").is_reused());
    peer.send("hi").await;
    response.read().await.expect("a body");
    let answer = async {
        peer.head().await;
        peer.send(half).await;
    };
    let (response, ()) = tokio::join!(session.get(listener.url("/")).send(), answer);
    let response = response.expect("a response");
    assert!(response.connection().expect("in use").is_reused());
    assert!(response.connection_info().is_reused());
}

#[tokio::test]
async fn what_tls_agreed_on_is_known() {
    let authority = Authority::new();
    for (version, want, suite) in [
        (&TLS12, TlsVersion::Tls12, "TLS_ECDHE_"),
        (&TLS13, TlsVersion::Tls13, "TLS_AES_"),
    ] {
        let mut server = authority.server_with(&["127.0.0.1"], &[version]);
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let listener = TlsListener::new(server).await;
        let session = tls_session(authority.client());
        let mut chains = Vec::new();
        // The second handshake resumes the session of the first.
        for resumed in [false, true] {
            let serve = async {
                let mut peer = listener.serve("hi").await;
                peer.end().await;
                peer
            };
            let (response, peer) = tokio::join!(session.get(listener.url()).send(), serve);
            let mut response = response.expect("a response");
            assert_eq!(response.text().await.expect("a body"), "hi");
            drop(peer);
            let info = response.connection_info();
            assert!(!info.is_reused() && info.peer_addr().is_some());
            let tls = info.tls().expect("TLS");
            assert_eq!(tls.version(), want);
            assert!(tls.cipher_suite().starts_with(suite), "{tls:?}");
            assert_eq!(tls.alpn(), Some(&b"http/1.1"[..]));
            assert_eq!(tls.server_name(), "127.0.0.1");
            let [leaf, ..] = tls.certificates() else {
                panic!("no certificate, resumed: {resumed}");
            };
            assert_eq!(leaf[0], 0x30, "DER begins with a sequence");
            assert!(response.timings().tls.is_some());
            chains.push(leaf.clone());
        }
        assert_eq!(chains[0], chains[1]);
        assert_eq!(chains[0].as_ptr(), chains[1].as_ptr(), "one copy is kept");
    }
}

/// The parts of a request behind the connecting.
fn parts(timings: &Timings) -> Duration {
    let Timings {
        pool,
        dns,
        connect,
        tls,
        send,
        wait,
        receive,
        ..
    } = *timings;
    let parts = [pool, dns, connect, tls, send, wait, receive];
    parts.into_iter().flatten().sum()
}

// WISH-32.
#[tokio::test]
async fn slow_phases_show_in_the_timings() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let peer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        tokio::time::sleep(PAUSE).await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            .await;
        peer
    };
    let (response, mut peer) = tokio::join!(session.get(listener.url("/")).send(), peer);
    let mut response = response.expect("a response");
    let timings = response.timings();
    assert!(timings.connect.is_some() && timings.send.is_some());
    let none = (timings.pool, timings.dns, timings.tls, timings.receive);
    assert_eq!(none, (None, None, None, None));
    assert!(timings.wait.expect("it waited") >= PAUSE, "{timings:?}");
    assert!(parts(&timings) <= timings.total, "{timings:?}");

    tokio::time::sleep(PAUSE).await;
    peer.send("hi").await;
    response.read().await.expect("a body");
    let timings = response.timings();
    assert!(timings.receive.expect("it ended") >= PAUSE, "{timings:?}");
    assert!(timings.total >= 2 * PAUSE && parts(&timings) <= timings.total);
    tokio::time::sleep(PAUSE).await;
    assert_eq!(response.timings(), timings, "the end stays");
    assert_eq!(response.into_stream().timings(), timings);

    // On the same connection, with the body in the same packet.
    let answer = async {
        peer.head().await;
        peer.send(OK).await;
    };
    let (response, ()) = tokio::join!(session.get(listener.url("/")).send(), answer);
    let timings = response.expect("a response").timings();
    assert!(timings.connect.is_none() && timings.receive.is_some());
    assert!(parts(&timings) <= timings.total, "{timings:?}");
}

#[tokio::test]
async fn a_response_that_was_left_has_no_end_of_its_body() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh";
    let (mut response, _peer) = get(&ClientSession::new(), half).await;
    response.close();
    let timings = response.timings();
    assert_eq!(timings.receive, None);
    tokio::time::sleep(PAUSE).await;
    assert_eq!(response.timings(), timings, "it was over then");
}

#[derive(Debug)]
struct Slow;

impl Resolver for Slow {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        port: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, std::io::Result<Resolved>> {
        Box::pin(async move {
            tokio::time::sleep(PAUSE).await;
            Ok(vec![([127, 0, 0, 1], port).into()].into())
        })
    }
}

#[tokio::test]
async fn the_queue_and_the_resolver_show_in_the_timings() {
    let connector = TcpConnector::builder().limit(1).resolver(Arc::new(Slow));
    let builder = ClientSession::builder().connector(connector.build().expect("valid"));
    let (listener, session) = (Listener::new().await, builder.build().expect("valid"));
    let url = listener.url("/").replace("127.0.0.1", "a.test");
    let (response, peer) = listener
        .answer(session.get(&*url), "HTTP/1.1 200 OK\r\n\r\n")
        .await;
    let timings = response.timings();
    assert!(timings.dns.expect("resolved") >= PAUSE, "{timings:?}");
    assert!(timings.connect.is_some() && timings.pool.is_none());

    let waiting = begin(session.get(&*url).send()).await;
    tokio::time::sleep(PAUSE).await;
    drop((response, peer));
    let mut peer = listener.accept().await;
    peer.head().await;
    peer.send(OK).await;
    let response = soon("the response", waiting).await.expect("no panic");
    let timings = response.expect("a response").timings();
    assert!(timings.pool.expect("it waited") >= PAUSE, "{timings:?}");
    assert_eq!(timings.dns, None, "the address was known");
    assert!(parts(&timings) <= timings.total, "{timings:?}");
}

#[tokio::test]
async fn a_slow_upload_shows_in_send() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.post(listener.url("/")).body("body");
    let request = request.expect100(true).timeout(ClientTimeout::none());
    let peer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        tokio::time::sleep(PAUSE).await;
        peer.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        peer.exactly(4).await;
        peer.send(OK).await;
        peer
    };
    let (response, _peer) = tokio::join!(request.send(), peer);
    let timings = response.expect("a response").timings();
    assert!(timings.send.expect("it was sent") >= PAUSE, "{timings:?}");
    assert!(timings.wait.is_some() && parts(&timings) <= timings.total);
}

#[tokio::test]
async fn the_total_spans_redirects_and_the_parts_are_those_of_the_last_hop() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let peer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        tokio::time::sleep(PAUSE).await;
        let redirect = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
        peer.send(redirect).await;
        peer.head().await;
        peer.send(OK).await;
        peer
    };
    let (response, _peer) = tokio::join!(session.get(listener.url("/a")).send(), peer);
    let timings = response.expect("a response").timings();
    assert!(timings.connect.is_none(), "the second hop reused it");
    assert!(timings.total >= parts(&timings) + PAUSE, "{timings:?}");
}

#[tokio::test]
async fn a_plain_answer_needs_no_more_than_a_head() {
    let (response, _peer) = get(&ClientSession::new(), ok("")).await;
    assert!(response.trailers().is_none() && response.informational().is_empty());
    assert!(response.timings().receive.is_some());
}

#[tokio::test]
async fn a_connection_that_was_warm_took_no_time() {
    let connector = TcpConnector::new();
    let builder = ClientSession::builder().connector(connector.clone());
    let (listener, session) = (Listener::new().await, builder.build().expect("valid"));
    let url = RequestUrl::parse(&listener.url("/")).expect("a URL");
    assert_eq!(connector.warm_up(&url, 1).await.expect("it listens"), 1);
    let (response, _peer) = listener.answer(session.get(listener.url("/")), OK).await;
    assert!(!response.connection_info().is_reused());
    assert_eq!(response.timings().connect, None);
}
