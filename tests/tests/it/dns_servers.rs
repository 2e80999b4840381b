//! Names looked up by hickory: at servers that nobody here wrote, and at one that plays what
//! those do not.

use std::error::Error;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aio_client::{
    AddressFamily, ClientError, ClientSession, ClientTimeout, HickoryResolver, NameServer, Phase,
    Resolved, Resolver, TcpConnector,
};
use aio_tests::dns_script::{A, AAAA, Answer, DnsScript, Question};
use aio_tests::dns_server::{DnsServer, MANY};
use aio_tests::http_server::{Response, TestServer};
use aio_tests::tls::Authority;
use tokio::io::{AsyncReadExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::peer::soon;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const SHORT: Duration = Duration::from_millis(50);
/// Shorter than hickory waits for an answer, and long for one from the same machine.
const PROMPT: Duration = Duration::from_secs(4);

/// Starts unbound; where there is none, the test is over.
fn unbound(authority: &Authority, settings: &str) -> Option<DnsServer> {
    DnsServer::unbound(authority, settings).expect("unbound starts")
}

/// Starts all that are installed.
fn servers() -> impl Iterator<Item = DnsServer> {
    let knot = DnsServer::knot().expect("knot starts");
    [unbound(&Authority::new(), ""), knot].into_iter().flatten()
}

fn asking(address: SocketAddr) -> HickoryResolver {
    HickoryResolver::new([NameServer::udp(address)])
}

async fn look_up(resolver: &HickoryResolver, host: &str) -> io::Result<Resolved> {
    soon("an answer", resolver.resolve(host, 80, AddressFamily::Any)).await
}

#[track_caller]
fn found(addresses: &[IpAddr], ttl: u64) -> Resolved {
    let with_port = |address: &IpAddr| SocketAddr::new(*address, 80);
    Resolved {
        addresses: addresses.iter().map(with_port).collect(),
        ttl: Some(Duration::from_secs(ttl)),
    }
}

fn session(resolver: HickoryResolver, timeout: ClientTimeout) -> ClientSession {
    let connector = TcpConnector::builder().resolver(Arc::new(resolver)).build();
    let session = ClientSession::builder().connector(connector.expect("valid settings"));
    session.timeout(timeout).build().expect("valid settings")
}

async fn http_server() -> TestServer {
    let server = TestServer::start(async |_| Response::ok("hello")).await;
    server.expect("a port")
}

/// Fetches from a server by the name of its host, and gives what it said or why it did not.
async fn fetch(session: &ClientSession, host: &str, port: u16) -> Result<String, ClientError> {
    let get = session.get(format!("http://{host}:{port}/")).send();
    soon("a response", get).await?.text().await
}

/// Gives what an error says, and what its causes do.
fn chain(error: &dyn Error) -> String {
    let sources = std::iter::successors(error.source(), |error: &&dyn Error| (*error).source());
    let texts: Vec<_> = sources.map(ToString::to_string).collect();
    texts.join(": ")
}

#[tokio::test]
async fn names_have_their_addresses_and_the_least_ttl() {
    use AddressFamily::{Any, V4 as Only4, V6 as Only6};
    for server in servers() {
        let resolver = asking(server.address());
        for (host, family, addresses, ttl) in [
            ("four.k.test", Any, &[V4][..], 5),
            ("six.k.test", Any, &[V6], 5),
            ("both.k.test", Any, &[V6, V4], 5),
            ("both.k.test.", Any, &[V6, V4], 5),
            ("both.k.test", Only4, &[V4], 7),
            ("both.k.test", Only6, &[V6], 5),
            ("alias.k.test", Any, &[V6, V4], 3),
            ("under_score_.k.test", Any, &[V4], 5),
        ] {
            let answer = soon("an answer", resolver.resolve(host, 80, family)).await;
            let answer = answer.expect("it is known");
            assert_eq!(answer, found(addresses, ttl), "{host} {family:?}");
        }
    }
}

#[tokio::test]
async fn a_host_is_reached_by_its_name() {
    let http = http_server().await;
    for server in servers() {
        let session = session(asking(server.address()), ClientTimeout::default());
        for host in ["four.k.test", "both.k.test", "alias.k.test", "FOUR.k.test."] {
            let text = fetch(&session, host, http.address().port()).await;
            assert_eq!(text.expect("a response"), "hello", "{host}");
        }
    }
}

// EDGE-191
#[tokio::test]
async fn names_without_addresses_are_told_apart_at_once() {
    for server in servers() {
        let session = session(asking(server.address()), ClientTimeout::default());
        let start = Instant::now();
        for (host, want) in [
            ("none.k.test", "no such name (NXDOMAIN)"),
            ("text.k.test", "the name has no such address (NODATA)"),
        ] {
            let error = fetch(&session, host, 80).await.expect_err("no address");
            assert_eq!(error.aiohttp_class(), "ClientConnectorDNSError");
            assert_eq!(error.attempt().expect("it began").phase, Phase::Resolve);
            assert!(error.to_string().contains(host), "{error}");
            assert!(!error.is_timeout());
            assert_eq!(chain(&error), want);
        }
        assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_family_that_a_name_lacks_is_not_found() {
    for server in servers() {
        let resolver = asking(server.address());
        let answer = resolver.resolve("four.k.test", 80, AddressFamily::V6);
        let error = soon("an answer", answer).await.expect_err("it has none");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(error.to_string(), "the name has no such address (NODATA)");
    }
}

#[tokio::test]
async fn an_answer_too_long_for_udp_comes_by_tcp() {
    for server in servers() {
        let answer = look_up(&asking(server.address()), "many.k.test").await;
        let mut addresses = answer.expect("by TCP").addresses;
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), MANY);
    }
}

#[tokio::test]
async fn errors_of_servers_say_what_they_are() {
    let unbound = unbound(&Authority::new(), "");
    let refused = unbound.as_ref();
    let refused = refused.map(|server| (server.address(), "a.refused.test"));
    let script = DnsScript::start(async |question| {
        let code = if question.name == "a.failed.test" {
            2
        } else {
            5
        };
        Some(Answer::failed(code))
    });
    let script = script.await.expect("a port");
    let failed = (script.address(), "a.failed.test");
    let scripted = (script.address(), "a.refused.test");
    let refuses = "the name server refuses to answer (REFUSED)";
    let fails = "the name server has failed (SERVFAIL)";
    let cases = [
        (Some(failed), io::ErrorKind::Other, fails),
        (Some(scripted), io::ErrorKind::PermissionDenied, refuses),
        (refused, io::ErrorKind::PermissionDenied, refuses),
    ];
    for (case, kind, text) in cases {
        let Some((address, host)) = case else {
            continue;
        };
        let error = look_up(&asking(address), host).await.expect_err("an error");
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
    }
}

#[tokio::test]
async fn who_stays_silent_is_asked_so_often_and_so_long() {
    let script = DnsScript::start(async |_| None).await.expect("a port");
    let resolver = asking(script.address()).timeout(SHORT).attempts(3);
    let start = Instant::now();
    let error = look_up(&resolver, "a.test").await.expect_err("silence");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(error.to_string(), "no name server answers in time");
    // Each attempt asks once or, as packets are lost, again.
    for kind in [A, AAAA] {
        let asked = script.asked().into_iter();
        let times = asked.filter(|question| question.kind == kind).count();
        assert!(times >= 3, "{kind}: {times}");
    }
    assert!(start.elapsed() >= 3 * SHORT, "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_answer_may_be_late_within_its_time() {
    let script = DnsScript::start(async |_| {
        tokio::time::sleep(SHORT).await;
        Some(Answer::of([V4], 5))
    });
    let script = script.await.expect("a port");
    let answer = look_up(&asking(script.address()), "a.test").await;
    assert_eq!(answer.expect("in time"), found(&[V4], 5));
}

#[tokio::test]
async fn addresses_hold_for_a_day_at_most() {
    let script = DnsScript::start(async |_| Some(Answer::of([V4], u32::MAX)));
    let script = script.await.expect("a port");
    let answer = look_up(&asking(script.address()), "a.test").await;
    assert_eq!(answer.expect("an address"), found(&[V4], 86_400));
}

/// Checks that a request ends in the time for DNS, and says so.
async fn check_late(resolver: HickoryResolver, host: &str) {
    let timeout = ClientTimeout {
        dns: Some(SHORT),
        ..ClientTimeout::none()
    };
    let session = session(resolver, timeout);
    let start = Instant::now();
    let error = fetch(&session, host, 80).await.expect_err("too late");
    assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.attempt().expect("it began").phase, Phase::Resolve);
}

#[tokio::test]
async fn the_dns_timeout_ends_a_slow_look_up() {
    let script = DnsScript::start(async |_| None).await.expect("a port");
    check_late(asking(script.address()), "a.slow.test").await;
    // The same behind a server that has to ask it.
    let forward = format!(
        "forward-zone:\n    name: \"slow.test.\"\n    forward-addr: 127.0.0.1@{}",
        script.address().port(),
    );
    let Some(server) = unbound(&Authority::new(), &forward) else {
        return;
    };
    check_late(asking(server.address()), "b.slow.test").await;
    assert!(
        script
            .asked()
            .iter()
            .any(|question| question.name == "b.slow.test")
    );
}

#[tokio::test]
async fn where_one_server_is_silent_another_answers() {
    let silent = DnsScript::start(async |_| None).await.expect("a port");
    let live = DnsScript::start(async |_| Some(Answer::of([V6, V4], 5)));
    let live = live.await.expect("a port");
    let servers = [silent.address(), live.address()].map(NameServer::udp);
    let answer = look_up(&HickoryResolver::new(servers), "a.test").await;
    assert_eq!(answer.expect("of the other"), found(&[V6, V4], 5));
}

#[tokio::test]
async fn what_a_family_fails_for_does_not_hide_the_other() {
    let script = DnsScript::start(async |question: Question| match question.kind {
        A => Some(Answer::of([V4], 5)),
        _ => Some(Answer::failed(2)),
    });
    let script = script.await.expect("a port");
    let answer = look_up(&asking(script.address()), "a.test").await;
    assert_eq!(answer.expect("an address"), found(&[V4], 5));
}

#[tokio::test]
async fn that_a_name_may_exist_is_told_before_that_it_has_no_ipv6_address() {
    let script = DnsScript::start(async |question: Question| match question.kind {
        A => Some(Answer::failed(2)),
        _ => Some(Answer::default()),
    });
    let script = script.await.expect("a port");
    let error = look_up(&asking(script.address()), "a.test").await;
    let error = error.expect_err("none");
    assert_eq!(error.to_string(), "the name server has failed (SERVFAIL)");
}

/// The ways to ask unbound that need its certificate.
fn encrypted(server: &DnsServer, name: &str) -> [NameServer; 2] {
    [
        NameServer::tls(server.tls_address(), name),
        NameServer::https(server.https_address(), name),
    ]
}

#[tokio::test]
async fn servers_are_asked_by_tls_and_https() {
    let authority = Authority::new();
    let Some(server) = unbound(&authority, "") else {
        return;
    };
    let http = http_server().await;
    for way in encrypted(&server, "names.test") {
        let resolver = HickoryResolver::new([way.clone()]).tls(authority.client());
        let answer = look_up(&resolver, "both.k.test").await;
        assert_eq!(answer.expect("an answer"), found(&[V6, V4], 5), "{way:?}");
        let error = look_up(&resolver, "none.k.test").await.expect_err("none");
        assert_eq!(error.to_string(), "no such name (NXDOMAIN)");
        let session = session(resolver, ClientTimeout::default());
        let text = fetch(&session, "four.k.test", http.address().port()).await;
        assert_eq!(text.expect("a response"), "hello");
    }
}

#[tokio::test]
async fn a_server_that_is_not_who_it_should_be_is_not_asked() {
    let authority = Authority::new();
    let Some(server) = unbound(&authority, "") else {
        return;
    };
    let strangers = encrypted(&server, "names.test").map(|way| {
        let resolver = HickoryResolver::new([way]).tls(Authority::new().client());
        (resolver, "UnknownIssuer")
    });
    let others = encrypted(&server, "other.test").map(|way| {
        let resolver = HickoryResolver::new([way]).tls(authority.client());
        (resolver, "not valid for name \"other.test\"")
    });
    for (resolver, why) in strangers.into_iter().chain(others) {
        let session = session(resolver, ClientTimeout::default());
        let start = Instant::now();
        let error = fetch(&session, "four.k.test", 80)
            .await
            .expect_err("no trust");
        assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
        assert_eq!(error.aiohttp_class(), "ClientConnectorDNSError");
        let chain = chain(&error);
        assert!(chain.contains("cannot talk to a name server"), "{chain}");
        assert!(chain.contains(why), "{chain}");
    }
}

#[tokio::test]
async fn https_is_asked_at_another_path() {
    let authority = Authority::new();
    let Some(server) = unbound(&authority, "") else {
        return;
    };
    let address = server.https_address();
    for (path, is_served) in [("/dns-query", true), ("/other", false)] {
        let way = NameServer::https_at(address, "names.test", path);
        let resolver = HickoryResolver::new([way]).tls(authority.client());
        let answer = look_up(&resolver, "four.k.test").await;
        assert_eq!(answer.is_ok(), is_served, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_server_that_was_restarted_is_asked_anew() {
    let authority = Authority::new();
    let Some(mut server) = unbound(&authority, "") else {
        return;
    };
    let [tls, https] = encrypted(&server, "names.test");
    let ways = [NameServer::udp(server.address()), tls, https];
    let resolvers = ways.map(|way| HickoryResolver::new([way]).tls(authority.client()));
    for round in 0..3 {
        // Long answers: what is asked by UDP has a TCP connection, too.
        for host in ["four.k.test", "many.k.test"] {
            for resolver in &resolvers {
                let start = Instant::now();
                let answer = look_up(resolver, host).await;
                assert!(answer.is_ok(), "{round} {host} {resolver:?}: {answer:?}");
                assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
            }
        }
        server = tokio::task::spawn_blocking(move || {
            server.restart().expect("it starts again");
            server
        })
        .await
        .expect("no panic");
    }
}

#[tokio::test]
async fn many_names_are_asked_for_at_once() {
    let authority = Authority::new();
    let Some(server) = unbound(&authority, "") else {
        return;
    };
    let [tls, https] = encrypted(&server, "names.test");
    for way in [NameServer::udp(server.address()), tls, https] {
        let resolver = HickoryResolver::new([way]).tls(authority.client());
        let resolver = Arc::new(resolver);
        let mut asking = JoinSet::new();
        for number in 0..200 {
            let resolver = Arc::clone(&resolver);
            asking.spawn(async move {
                let host = format!("none-{number}.k.test");
                let error = look_up(&resolver, &host).await.expect_err("none");
                error.to_string()
            });
        }
        for text in asking.join_all().await {
            assert_eq!(text, "no such name (NXDOMAIN)", "{resolver:?}");
        }
    }
}

/// Stands before a server, counts its connections, and lets go of those there are when it is
/// told to: they stay open, and nothing comes through.
async fn relay(to: SocketAddr, cut: Arc<Notify>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let count = Arc::new(AtomicUsize::new(0));
    let accepted = Arc::clone(&count);
    tokio::spawn(async move {
        let mut relaying = JoinSet::new();
        loop {
            let (mut near, _) = listener.accept().await.expect("a connection");
            accepted.fetch_add(1, Ordering::Relaxed);
            let cut = Arc::clone(&cut);
            relaying.spawn(async move {
                let mut far = TcpStream::connect(to).await.expect("the server listens");
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => {}
                    () = cut.notified() => std::future::pending().await,
                }
            });
        }
    });
    (address, count)
}

#[tokio::test]
async fn a_server_has_one_connection_which_is_left_when_it_falls_silent() {
    let authority = Authority::new();
    let Some(server) = unbound(&authority, "") else {
        return;
    };
    for (to, way) in [
        (server.tls_address(), NameServer::tls as fn(_, _) -> _),
        (server.https_address(), NameServer::https),
    ] {
        let cut = Arc::new(Notify::new());
        let (address, accepted) = relay(to, Arc::clone(&cut)).await;
        let resolver = HickoryResolver::new([way(address, "names.test")]).tls(authority.client());
        let resolver = Arc::new(resolver.timeout(Duration::from_secs(2)));
        let mut asking = JoinSet::new();
        for number in 0..100 {
            let resolver = Arc::clone(&resolver);
            asking.spawn(async move {
                let host = format!("none-{number}.k.test");
                look_up(&resolver, &host).await.expect_err("none")
            });
        }
        for error in asking.join_all().await {
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(accepted.load(Ordering::Relaxed), 1);
        cut.notify_waiters();
        // Asked for the second time there is an answer.
        let answer = look_up(&resolver, "four.k.test").await;
        assert_eq!(answer.expect("an answer"), found(&[V4], 5));
        assert_eq!(accepted.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test]
async fn a_server_that_is_slower_than_another_keeps_its_connection() {
    let quick = DnsScript::start(async |_| Some(Answer::of([V4], 5)));
    let quick = quick.await.expect("a port");
    // It takes connections, and says nothing.
    let slow = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    slow.set_nonblocking(true).expect("it is open");
    let servers = [
        NameServer::udp(quick.address()),
        NameServer::tls(slow.local_addr().expect("it is bound"), "names.test"),
    ];
    let resolver = HickoryResolver::new(servers).tls(Authority::new().client());
    for host in ["a.test", "b.test", "c.test", "d.test", "e.test"] {
        let answer = look_up(&resolver, host).await;
        assert_eq!(answer.expect("of the quick one"), found(&[V4], 5));
    }
    let dialled = std::iter::from_fn(|| slow.accept().ok()).count();
    assert_eq!(dialled, 1);
}

#[tokio::test]
async fn what_is_asked_ends_with_the_resolver() {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = server.local_addr().expect("it is bound");
    let resolver = HickoryResolver::new([NameServer::tls(address, "names.test")]);
    let resolver = resolver.tls(Authority::new().client());
    let asking = resolver.resolve("a.test", 80, AddressFamily::Any);
    assert!(tokio::time::timeout(SHORT, asking).await.is_err());
    let (mut connection, _) = soon("a connection", server.accept()).await.expect("one");
    drop(resolver);
    let start = Instant::now();
    let mut hello = Vec::new();
    let read = soon("its end", connection.read_to_end(&mut hello)).await;
    read.expect("it is closed");
    assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_question_begins_before_there_is_room_for_it() {
    let silent = DnsScript::start(async |_| None).await.expect("a port");
    let resolver = Arc::new(asking(silent.address()).timeout(SHORT).attempts(1));
    let start = tokio::time::Instant::now();
    let mut asking = JoinSet::new();
    // More than are asked at once.
    for number in 0..600 {
        let resolver = Arc::clone(&resolver);
        asking.spawn(async move {
            let host = format!("a-{number}.test");
            let answer = resolver.resolve(&host, 80, AddressFamily::V4).await;
            answer.expect_err("silence").kind()
        });
    }
    for kind in asking.join_all().await {
        assert_eq!(kind, io::ErrorKind::TimedOut);
    }
    assert!(start.elapsed() < 2 * SHORT, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_question_may_have_any_time() {
    let script = DnsScript::start(async |_| Some(Answer::of([V4], 5)));
    let script = script.await.expect("a port");
    let resolver = asking(script.address()).timeout(Duration::MAX);
    let answer = look_up(&resolver, "a.test").await;
    assert_eq!(answer.expect("an address"), found(&[V4], 5));
}

#[test]
fn a_resolver_outlives_the_runtime_that_used_it() {
    let authority = Authority::new();
    let Some(server) = unbound(&authority, "") else {
        return;
    };
    let [tls, https] = encrypted(&server, "names.test");
    for way in [NameServer::udp(server.address()), tls, https] {
        let resolver = HickoryResolver::new([way]).tls(authority.client());
        let runtimes = [0; 3].map(|_| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_all().build().expect("a runtime")
        });
        // One after another, and one beside another that does not run just now.
        let [first, second, third] = runtimes;
        let ask = |runtime: &tokio::runtime::Runtime| {
            for host in ["four.k.test", "many.k.test"] {
                let answer = runtime.block_on(look_up(&resolver, host));
                assert!(answer.is_ok(), "{host} {resolver:?}: {answer:?}");
            }
        };
        ask(&first);
        drop(first);
        ask(&second);
        ask(&third);
        ask(&second);
    }
}

#[tokio::test]
async fn a_look_up_that_is_given_up_leaves_the_next_alone() {
    let script = DnsScript::start(async |question: Question| {
        let silent = question.name == "silent.test";
        (!silent).then(|| Answer::of([V4], 5))
    });
    let script = script.await.expect("a port");
    let resolver = asking(script.address());
    for _ in 0..3 {
        let asking = resolver.resolve("silent.test", 80, AddressFamily::Any);
        assert!(tokio::time::timeout(SHORT, asking).await.is_err());
        let answer = look_up(&resolver, "a.test").await;
        assert_eq!(answer.expect("an address"), found(&[V4], 5));
    }
}

#[tokio::test]
async fn a_hosts_file_goes_before_servers() {
    let path = std::env::temp_dir().join(format!("aio-tests-hosts-{}", std::process::id()));
    let text = "127.0.0.7 a.test b.test # not c.test\n::7 B.test\n";
    fs::write(&path, text).expect("a file");
    // There is nobody to be asked.
    let resolver = HickoryResolver::new([]).hosts_file(&path);
    fs::remove_file(&path).expect("it is there");
    let resolver = resolver.expect("it was read");
    let v4: IpAddr = [127, 0, 0, 7].into();
    let v6: IpAddr = [0, 0, 0, 0, 0, 0, 0, 7].into();
    for (host, want) in [
        ("a.test", &[v4][..]),
        ("b.test", &[v6, v4]),
        ("b.test.", &[v6, v4]),
    ] {
        let answer = look_up(&resolver, host).await.expect("it is there");
        // A file does not say for how long.
        let want = Resolved {
            ttl: None,
            ..found(want, 0)
        };
        assert_eq!(answer, want, "{host}");
    }
    let error = look_up(&resolver, "c.test").await.expect_err("it is not");
    assert_eq!(error.to_string(), "there is no name server to ask");
    assert!(HickoryResolver::new([]).hosts_file(&path).is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn the_systems_settings_are_used() {
    let settings = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let mut lines = settings.lines();
    let names_one = lines.any(|line| line.split_whitespace().next() == Some("nameserver"));
    match HickoryResolver::from_system() {
        // From its hosts file, or by RFC 6761.
        Ok(resolver) => {
            let answer = look_up(&resolver, "localhost").await.expect("it is known");
            assert!(answer.addresses.iter().all(|at| at.ip().is_loopback()));
            assert!(names_one, "{resolver:?}");
        }
        Err(error) => assert!(!names_one, "{error}"),
    }
}

#[tokio::test]
async fn localhost_is_this_machine_and_nobody_is_asked() {
    let script = DnsScript::start(async |_| None).await.expect("a port");
    let resolver = asking(script.address());
    for host in ["localhost", "localhost.", "a.localhost"] {
        let answer = look_up(&resolver, host).await.expect("it is known");
        assert_eq!(answer.addresses, found(&[V6, V4], 0).addresses, "{host}");
    }
    assert_eq!(script.asked(), []);
}

#[tokio::test]
async fn a_host_that_is_no_name_is_an_error_of_its_own() {
    let resolver = HickoryResolver::new([]);
    for host in ["a..test", &"a".repeat(64)] {
        let error = look_up(&resolver, host).await.expect_err("no name");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{host}");
        assert_eq!(error.to_string(), "the host is no name for DNS");
    }
}

#[tokio::test]
async fn a_connector_keeps_addresses_as_long_as_their_records_hold() {
    let script = DnsScript::start(async |question: Question| {
        let ttl = if question.name == "short.test" { 0 } else { 60 };
        Some(Answer::of([V4], ttl))
    });
    let script = script.await.expect("a port");
    let http = http_server().await;
    let resolver = Arc::new(asking(script.address()));
    let connector = TcpConnector::builder().resolver(resolver);
    let connector = connector.honour_dns_ttl(true).force_close(true).build();
    let session = ClientSession::builder().connector(connector.expect("valid settings"));
    let session = session.build().expect("valid settings");
    for host in ["short.test", "long.test"] {
        for _ in 0..3 {
            let text = fetch(&session, host, http.address().port()).await;
            assert_eq!(text.expect("a response"), "hello");
        }
    }
    let asked = script.asked();
    let times = |host: &str| {
        asked
            .iter()
            .filter(|question| question.name == host)
            .count()
    };
    // Each time for both families.
    assert_eq!((times("short.test"), times("long.test")), (6, 2));
}

#[tokio::test]
async fn a_thousand_requests_for_a_new_name_ask_once() {
    let script = DnsScript::start(async |_| {
        tokio::time::sleep(SHORT).await;
        Some(Answer::of([V4], 60))
    });
    let script = script.await.expect("a port");
    let http = http_server().await;
    let session = session(asking(script.address()), ClientTimeout::default());
    let mut requests = JoinSet::new();
    for _ in 0..1000 {
        let (session, port) = (session.clone(), http.address().port());
        requests.spawn(async move { fetch(&session, "a.test", port).await });
    }
    for text in requests.join_all().await {
        assert_eq!(text.expect("a response"), "hello");
    }
    // One for each family.
    let mut kinds: Vec<u16> = script
        .asked()
        .iter()
        .map(|question| question.kind)
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [A, AAAA]);
}
