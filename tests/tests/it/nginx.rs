//! The pool against nginx, which closes connections by its own rules.

use std::collections::HashMap;

use aio_client::{ClientError, ClientResponse, ClientSession, TcpConnector};
use aio_tests::nginx::Nginx;
use aio_tests::random::Random;
use aio_tests::tls::Authority;
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::peer::{Wire, soon};
use crate::servers::{check_pool, is_broken, pause};

/// Starts nginx; where there is none, the test is over.
fn start(settings: &str) -> Option<Nginx> {
    Nginx::start(settings).expect("nginx starts")
}

/// Reads a number off a header of the response.
#[track_caller]
fn number(response: &ClientResponse, name: &str) -> u32 {
    let value = response.headers().get(name).expect("nginx tells");
    let value = value.to_str().expect("ASCII");
    value.parse().expect("a number")
}

/// Sends so many GETs in turn; gives for each the place of its connection among those
/// seen, and how many requests that has served.
async fn sequence(session: &ClientSession, nginx: &Nginx, gets: u32) -> Vec<(usize, u32)> {
    let (mut connections, mut sequence) = (Vec::new(), Vec::new());
    for _ in 0..gets {
        let get = session.get(nginx.url("/")).send();
        let mut response = soon("a response", get).await.expect("nginx answers");
        assert_eq!(response.text().await.expect("a body"), "nginx\n");
        let connection = number(&response, "x-connection");
        if connections.last() != Some(&connection) {
            connections.push(connection);
        }
        sequence.push((connections.len(), number(&response, "x-requests")));
    }
    sequence
}

#[tokio::test]
async fn one_connection_serves_request_after_request() {
    let Some(nginx) = start("") else {
        return;
    };
    let want: Vec<_> = (1..=10).map(|request| (1, request)).collect();
    assert_eq!(sequence(&ClientSession::new(), &nginx, 10).await, want);
}

#[tokio::test]
async fn tls_connections_are_kept_and_replaced_alike() {
    let authority = Authority::new();
    let nginx = Nginx::start_tls(&authority, "keepalive_requests 3;");
    let Some(nginx) = nginx.expect("nginx starts") else {
        return;
    };
    let connector = TcpConnector::builder().tls(authority.client()).build();
    let session = ClientSession::builder().connector(connector.expect("settings"));
    let session = session.build().expect("settings");
    let want = [(1, 1), (1, 2), (1, 3), (2, 1)];
    assert_eq!(sequence(&session, &nginx, 4).await, want);
    check_pool(&session, 1, "behind the last");
}

#[tokio::test]
async fn a_connection_serves_as_many_requests_as_its_server_wants() {
    let Some(nginx) = start("keepalive_requests 3;") else {
        return;
    };
    let want = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1)];
    assert_eq!(sequence(&ClientSession::new(), &nginx, 7).await, want);
}

#[tokio::test]
async fn an_idle_connection_is_replaced_when_its_server_has_closed_it() {
    let Some(nginx) = start("keepalive_timeout 1s;") else {
        return;
    };
    let session = ClientSession::new();
    let get = session.get(nginx.url("/")).send();
    let first = soon("the first", get).await.expect("nginx answers");
    check_pool(&session, 1, "behind the first");
    let client = u16::try_from(number(&first, "x-client")).expect("a port");
    Wire::new(nginx.port(), client).reached().await;
    let post = session.post(nginx.url("/")).body("once").send();
    let second = soon("the second", post).await.expect("nginx answers");
    let connection = |response| number(response, "x-connection");
    assert_ne!(connection(&first), connection(&second));
    assert_eq!(number(&second, "x-requests"), 1);
    check_pool(&session, 1, "behind the second");
}

/// How often nginx has served each target, by its log.
fn served(nginx: Nginx) -> HashMap<String, u32> {
    let mut served = HashMap::new();
    for (method, target, status) in nginx.into_requests().expect("it ends") {
        assert_eq!(status, 200, "{method} {target}");
        *served.entry(target).or_default() += 1;
    }
    served
}

#[tokio::test]
async fn closing_by_the_clock_loses_no_get_and_repeats_no_post() {
    const ROUNDS: usize = 1000;
    let Some(nginx) = start("keepalive_timeout 2ms;") else {
        return;
    };
    let session = ClientSession::new();
    let (mut random, mut posts) = (Random::seeded(5), Vec::new());
    // How many microseconds nginx keeps a connection, as far as is known: the pauses keep
    // to where requests still find it open or just do not.
    let (mut kept, mut found_open, mut broke) = (2000, 0, 0);
    for round in 0..ROUNDS {
        let what = format!("round {round}");
        let first = session.get(nginx.url("/first")).send();
        let first = soon(&what, first).await.expect("a second try succeeds");
        assert_eq!(first.status(), 200, "{what}");

        pause(kept + random.below(200)).await;
        let (is_get, url) = (random.below(2) == 0, nginx.url(&format!("/{round}")));
        let request = if is_get {
            session.get(url)
        } else {
            session.post(url).body("once")
        };
        let sent = soon(&what, request.send()).await;
        match &sent {
            Ok(response) => {
                assert_eq!(response.status(), 200, "{what}");
                let open = number(response, "x-requests") > 1;
                found_open += usize::from(open);
                kept = if open {
                    kept + 20
                } else {
                    kept.saturating_sub(20)
                };
            }
            Err(error) => {
                assert!(!is_get && is_broken(error), "{what}: {error}");
                broke += 1;
            }
        }
        if !is_get {
            posts.push((format!("/{round}"), sent.is_ok()));
        }
        let open = session.connector().stats().open;
        assert!(open <= 1, "{what}: {open} are open");
        check_pool(&session, open, &what);
    }
    session.close().await;
    check_pool(&session, 0, "closed");
    let served = served(nginx);
    for (target, answered) in posts {
        let times = served.get(&target).copied().unwrap_or(0);
        let right = if answered { times == 1 } else { times <= 1 };
        assert!(right, "{target} was served {times} times");
    }
    // Else the pauses were not what they are for.
    assert!(0 < found_open && found_open < ROUNDS - broke);
}

/// Sends GETs until nobody listens any more; gives the targets of those answered.
async fn get_until_the_end(session: ClientSession, base: String, task: usize) -> Vec<String> {
    let mut answered = Vec::new();
    for number in 0.. {
        let target = format!("/{task}/{number}");
        match session.get(format!("{base}{target}")).send().await {
            Ok(response) => {
                assert_eq!(response.status(), 200, "{target}");
                answered.push(target);
            }
            Err(error) if error.is_connector() => break,
            Err(error) => assert!(is_broken(&error), "{target}: {error}"),
        }
    }
    answered
}

#[tokio::test]
async fn a_server_that_reloads_and_ends_under_load_leaves_the_pool_right() {
    let Some(mut nginx) = start("") else {
        return;
    };
    let session = ClientSession::new();
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        tasks.spawn(get_until_the_end(session.clone(), nginx.url(""), task));
    }
    let (other, url) = (ClientSession::new(), nginx.url("/worker"));
    let worker = async || {
        let response = soon("a worker", other.get(url.as_str()).send()).await;
        number(&response.expect("nginx answers"), "x-worker")
    };
    for _ in 0..5 {
        let old = worker().await;
        nginx.reload().expect("it is told");
        soon("a new worker", async { while worker().await == old {} }).await;
    }
    nginx.quit().expect("it is told");
    let answered = soon("the end", tasks.join_all()).await;

    let stats = session.connector().stats();
    check_pool(&session, stats.idle, "behind the last");
    session.close().await;
    other.close().await;
    let served = served(nginx);
    for target in answered.iter().flatten() {
        let times = served.get(target).copied().unwrap_or(0);
        assert!(
            (1..=2).contains(&times),
            "{target} was served {times} times"
        );
    }
    assert!(answered.iter().all(|answered| !answered.is_empty()));
}

#[tokio::test]
async fn an_upload_that_is_refused_at_its_head_has_an_answer() {
    let large = Bytes::from(vec![b'x'; 64 << 20]);
    // With and without reading on before it closes.
    for lingering in ["on", "off"] {
        let settings = format!("client_max_body_size 1k; lingering_close {lingering};");
        let Some(nginx) = start(&settings) else {
            return;
        };
        let session = ClientSession::new();
        for _ in 0..20 {
            let read = async {
                let mut response = session.post(nginx.url("/")).body(large.clone()).await?;
                Ok::<_, ClientError>((response.status().as_u16(), response.text().await?))
            };
            let (status, text) = soon(lingering, read).await.expect("an answer");
            assert_eq!(status, 413, "{lingering}");
            assert!(text.ends_with("</html>\r\n"), "{lingering}: {text}");
            check_pool(&session, 0, lingering);
        }
    }
}
