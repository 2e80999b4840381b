//! Cookies of a session: which are sent and stored, hop by hop, and by way of whom.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use aio_client::{
    AddressFamily, Body, BoxFuture, ClientRequest, ClientSession, CookieError, CookieJar,
    CookieJarOptions, CookiePair, CookieRequest, CookieSite, CookieStore, CookieStyle,
    DummyCookieJar, Next, Profile, RedirectAction, RedirectPolicy, RequestBuilder, RequestUrl,
    Resolved, Resolver, TcpConnector,
};
use aio_tests::http_server::{Request, Response, TestServer};
use aio_tests::tls::Authority;
use aio_tests::tunnel::TunnelProxy;

use crate::peer::{Listener, soon};
use crate::proxy::{target, text, trusting};
use crate::site::Site;

fn jar() -> Arc<CookieJar> {
    Arc::new(CookieJar::new())
}

/// What the jar has for a URL.
fn stored(jar: &CookieJar, url: &str) -> String {
    let url = url.parse().expect("a URL");
    let request = CookieRequest::new(&url, SystemTime::now());
    jar.cookie_header(&request).unwrap_or_default()
}

/// The host and the cookies of each request, in the order they came in.
fn told(requests: &Mutex<Vec<Request>>) -> Vec<String> {
    let requests = requests.lock().expect("no panic");
    let line = |request: &Request| {
        let fields = request.headers.iter();
        let cookies = fields.filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        let cookies: Vec<_> = cookies.map(|(_, value)| value.as_str()).collect();
        let host = request.header("host").unwrap_or_default();
        format!("{host}{} {}", request.target, cookies.join(" + "))
    };
    requests.iter().map(line).collect()
}

async fn sent(request: RequestBuilder) {
    let response = soon("the response", request.send()).await;
    response.expect("a response");
}

fn redirect(location: &str) -> Response {
    Response::new(302).header("Location", location)
}

#[tokio::test]
async fn each_hop_has_the_cookies_of_its_host() {
    // RED-32, CKY-63.
    let site = Site::new(|request| match (request.header("host"), &*request.target) {
        (Some("a.shop.test"), "/") => redirect("http://b.shop.test/")
            .header("Set-Cookie", "host=1")
            .header("Set-Cookie", "shop=1; Domain=shop.test"),
        (Some("b.shop.test"), _) => redirect("http://other.test/")
            .header("Set-Cookie", "deep=1; Domain=shop.test; Path=/deep"),
        (Some("other.test"), _) => redirect("http://a.shop.test/deep")
            .header("Set-Cookie", "evil=1; Domain=shop.test")
            .header("Set-Cookie", "other=1"),
        _ => Response::ok("end"),
    })
    .await;
    let jar = jar();
    let session = site.session().cookie_jar(jar.clone());
    let session = session.cookie("shared", "s").build().expect("valid");
    let request = session.get("http://a.shop.test/").cookie("own", "o");
    sent(request.header("Cookie", "hand=h")).await;
    assert_eq!(
        told(&site.seen),
        [
            "a.shop.test/ hand=h; shared=s; own=o",
            "b.shop.test/ shared=s; shop=1",
            "other.test/ shared=s",
            "a.shop.test/deep deep=1; shared=s; host=1; shop=1",
        ]
    );
    assert_eq!(stored(&jar, "http://other.test/"), "shared=s; other=1");
}

/// Finds each host at one of two servers, by the port.
#[derive(Debug)]
struct PlainOrTls(SocketAddr, SocketAddr);

impl Resolver for PlainOrTls {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        port: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        let address = if port == 443 { self.1 } else { self.0 };
        Box::pin(async move { Ok(vec![address].into()) })
    }
}

#[tokio::test]
async fn secure_cookies_are_for_https_on_the_way() {
    let authority = Authority::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = |answer: fn(&str) -> Response| {
        let seen = Arc::clone(&seen);
        move |request: Request| {
            let response = answer(&request.target);
            seen.lock().expect("no panic").push(request);
            std::future::ready(response)
        }
    };
    let over_tls = log(|target| match target {
        "/" => redirect("http://a.test/low")
            .header("Set-Cookie", "id=1; Secure")
            .header("Set-Cookie", "plain=1"),
        _ => Response::ok("end"),
    });
    let plain = log(|_| {
        redirect("https://a.test/end")
            .header("Set-Cookie", "id=2")
            .header("Set-Cookie", "low=1; Secure")
    });
    let over_tls = TestServer::start_tls(authority.server(&["a.test"]), over_tls).await;
    let over_tls = over_tls.expect("a server");
    let plain = TestServer::start(plain).await.expect("a server");
    let resolver = PlainOrTls(plain.address(), over_tls.address());
    let connector = TcpConnector::builder().resolver(Arc::new(resolver));
    let connector = connector.tls(authority.client()).build().expect("valid");
    let session = ClientSession::builder().connector(connector).build();
    sent(session.expect("valid").get("https://a.test/")).await;
    assert_eq!(
        told(&seen),
        ["a.test/ ", "a.test/low plain=1", "a.test/end id=1; plain=1"]
    );
}

#[tokio::test]
async fn a_head_is_enough() {
    // RED-02: cookies come first, whatever becomes of the response.
    let site = Site::new(|request| {
        let target = request.target.trim_start_matches('/').to_owned();
        let response = match &*target {
            "error" => Response::new(500),
            "nowhere" => redirect("ftp://a.test/"),
            "unreadable" => redirect("http://[/"),
            "again" => Response::new(307).header("Location", "/x"),
            _ => redirect("/x"),
        };
        response.header("Set-Cookie", format!("{target}=1"))
    })
    .await;
    let jar = jar();
    let session = site.session().cookie_jar(jar.clone()).build();
    let session = session.expect("valid");
    let to = |name: &str| session.get(format!("http://a.test/{name}"));
    let once = Body::from_http(Body::from("once"));
    let requests = [
        to("error").raise_for_status(true),
        to("nowhere"),
        to("unreadable"),
        session.post("http://a.test/again").body(once),
        to("many").max_redirects(1),
    ];
    for request in requests {
        let failed = soon("an end", request.send()).await;
        failed.expect_err("it must fail");
    }
    let stop = RedirectPolicy::new(|_| RedirectAction::Stop);
    sent(to("stopped").redirect_policy(stop)).await;
    sent(to("final").allow_redirects(false)).await;
    assert_eq!(
        stored(&jar, "http://a.test/"),
        "error=1; nowhere=1; unreadable=1; again=1; many=1; stopped=1; final=1"
    );
}

#[tokio::test]
async fn of_a_body_that_breaks_off_the_cookies_stay_and_hints_set_none() {
    // RFC 6265bis 3: a 100-level response may be ignored; aiohttp does so.
    let (listener, jar) = (Listener::new().await, Arc::new(unsafe_jar()));
    let session = ClientSession::builder().cookie_jar(jar.clone()).build();
    let request = session.expect("valid").get(listener.url("/"));
    let answer = "HTTP/1.1 103 Early Hints\r\nSet-Cookie: hint=1\r\n\r\n\
                  HTTP/1.1 200 OK\r\nSet-Cookie: id=1\r\nContent-Length: 9\r\n\r\nhalf";
    let (mut response, peer) = soon("a head", listener.answer(request, answer)).await;
    drop(peer);
    let body = soon("the end", response.text()).await;
    body.expect_err("the body is not whole");
    assert_eq!(stored(&jar, &listener.url("/")), "id=1");
}

fn unsafe_jar() -> CookieJar {
    CookieJar::with_options(CookieJarOptions {
        allow_ip_hosts: true,
        ..CookieJarOptions::default()
    })
}

#[tokio::test]
async fn through_a_proxy_cookies_are_those_of_the_server() {
    let proxy = Site::new(|_| Response::ok("ok").header("Set-Cookie", "id=1")).await;
    let jar = jar();
    let session = ClientSession::builder().cookie_jar(jar.clone());
    let session = session.proxy(proxy.url("")).build().expect("valid");
    for host in ["a.test", "a.test", "b.test"] {
        sent(session.get(format!("http://{host}/"))).await;
    }
    assert_eq!(
        told(&proxy.seen),
        [
            "a.testhttp://a.test/ ",
            "a.testhttp://a.test/ id=1",
            "b.testhttp://b.test/ "
        ]
    );
    assert_eq!(stored(&jar, &proxy.url("/")), "");
    assert_eq!(stored(&jar, "http://b.test/"), "id=1");
}

#[tokio::test]
async fn a_tunnel_carries_the_cookies_and_its_proxy_sees_none() {
    // CON-86.
    let authority = Authority::new();
    let server = target(&authority).await;
    let proxy = TunnelProxy::start(server.address()).await.expect("a proxy");
    let jar = jar();
    let of_session = trusting(authority.client()).cookie_jar(jar.clone());
    let session = of_session.proxy(proxy.url()).build().expect("valid");
    let now = SystemTime::now();
    let url = "https://a.test/".parse().expect("a URL");
    jar.update_cookies(&CookieRequest::new(&url, now), ["id=1; Secure"]);
    let request = session.get("https://a.test/").cookie("own", "o");
    let seen = text(request.header("Cookie", "hand=h")).await;
    assert!(seen.contains("Cookie: hand=h; id=1; own=o\n"), "{seen}");
    let asked = proxy.asked().concat();
    assert!(asked.starts_with("CONNECT") && !asked.to_ascii_lowercase().contains("cookie"));
}

#[tokio::test]
async fn a_proxy_that_answers_connect_sets_no_cookies() {
    // As in aiohttp, neither for the server nor for the proxy.
    for answer in [
        "407 Who are you\r\nContent-Length: 0",
        "302 Found\r\nLocation: http://b.test/\r\nContent-Length: 0",
        "200 OK",
    ] {
        let (listener, jar) = (Listener::new().await, Arc::new(unsafe_jar()));
        let session = ClientSession::builder().cookie_jar(jar.clone());
        let session = session.proxy(listener.url("")).build().expect("valid");
        let play = async {
            let mut peer = listener.accept().await;
            peer.head().await;
            let cookies = "Set-Cookie: id=1\r\nSet-Cookie: id=2; Domain=a.test";
            peer.send(format!("HTTP/1.1 {answer}\r\n{cookies}\r\n\r\n"))
                .await;
        };
        let both = async { tokio::join!(session.get("https://a.test/").send(), play) };
        let (failed, ()) = soon("an end", both).await;
        failed.expect_err(answer);
        assert!(jar.is_empty(), "{answer}");
    }
}

#[tokio::test]
async fn sessions_share_a_jar() {
    let site = Site::new(|_| Response::ok("ok").header("Set-Cookie", "id=1")).await;
    let jar = jar();
    let session = || {
        site.session()
            .cookie_jar(jar.clone())
            .build()
            .expect("valid")
    };
    let (one, other) = (session(), session());
    sent(one.get("http://a.test/")).await;
    sent(other.get("http://a.test/")).await;
    one.close().await;
    sent(other.clone().get("http://a.test/")).await;
    let want = ["a.test/ ", "a.test/ id=1", "a.test/ id=1"];
    assert_eq!(told(&site.seen), want);
}

#[tokio::test]
async fn a_jar_that_keeps_nothing_leaves_a_request_its_own() {
    // CKY-90.
    let site = Site::new(|_| Response::ok("ok").header("Set-Cookie", "id=1")).await;
    let session = site
        .session()
        .cookie_jar(Arc::new(DummyCookieJar::default()));
    let session = session.cookie("shared", "s").build().expect("valid");
    for _ in 0..2 {
        sent(session.get("http://a.test/").cookie("own", "o")).await;
    }
    assert_eq!(told(&site.seen), ["a.test/ own=o"; 2]);
    assert!(site.session().cookie("a b", "").build().is_err());
}

/// Writes down what it is asked.
#[derive(Debug, Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn write(&self, what: &str, request: &CookieRequest<'_>) {
        let site = match request.site {
            CookieSite::Own => "own",
            _ => "other",
        };
        let line = format!("{what} {} {site}", request.url);
        self.0.lock().expect("no panic").push(line);
        let age = request.now.elapsed().expect("it is past");
        assert!(age.as_secs() < 60, "{age:?}");
    }
}

impl CookieStore for Diary {
    fn update_cookies(
        &self,
        request: &CookieRequest<'_>,
        set_cookie: &mut dyn Iterator<Item = &[u8]>,
    ) {
        let fields: Vec<_> = set_cookie.map(String::from_utf8_lossy).collect();
        self.write(&fields.join(" + "), request);
    }

    fn filter_cookies(&self, request: &CookieRequest<'_>) -> Vec<CookiePair> {
        self.write("filter", request);
        let pair = self.style().pair("id", "7");
        vec![pair.expect("valid")]
    }

    fn add(&self, _: &str, _: &str) -> Result<(), CookieError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_store_of_ones_own_is_told_of_each_hop() {
    let site = Site::new(|request| match &*request.target {
        "/?q=1" => redirect("http://b.test/x")
            .header("Set-Cookie", "a=1")
            .header("set-cookie", "b=2; Path=/"),
        _ => Response::ok("no cookies"),
    })
    .await;
    let diary = Arc::new(Diary::default());
    let session = site.session().cookie_jar(diary.clone()).build();
    let url = "http://ada:pw@a.test/?q=1#part";
    sent(session.expect("valid").get(url)).await;
    let want = [
        "filter http://a.test/?q=1 own",
        "a=1 + b=2; Path=/ http://a.test/?q=1 own",
        "filter http://b.test/x own",
    ];
    assert_eq!(*diary.0.lock().expect("no panic"), want);
    assert_eq!(told(&site.seen), ["a.test/?q=1 id=7", "b.test/x id=7"]);
}

/// Panics when it is asked for cookies.
#[derive(Debug)]
struct Broken;

impl CookieStore for Broken {
    fn update_cookies(&self, _: &CookieRequest<'_>, _: &mut dyn Iterator<Item = &[u8]>) {}

    fn filter_cookies(&self, _: &CookieRequest<'_>) -> Vec<CookiePair> {
        panic!("no cookies today");
    }

    fn add(&self, _: &str, _: &str) -> Result<(), CookieError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_store_that_panics_when_asked_holds_no_connection() {
    // EDGE-018; release.rs has the other half.
    let site = Site::new(|_| Response::ok("ok")).await;
    let session = site.session().cookie_jar(Arc::new(Broken)).build();
    let session = session.expect("valid");
    let sending = tokio::spawn(session.get("http://a.test/").send());
    let ended = soon("the panic", sending).await;
    assert!(ended.expect_err("a panic").is_panic());
    let stats = session.connector().stats();
    assert_eq!((stats.created, stats.open, stats.waiting), (0, 0, 0));
}

/// Sends these cookies set by hand, with what a jar of `profile` has, and tells what arrives.
async fn merged(profile: Profile, in_jar: &[&str], by_hand: &[&str], own: &[&str]) -> String {
    let site = Site::new(|_| Response::ok("ok")).await;
    let jar = CookieJar::with_options(CookieJarOptions {
        style: CookieStyle {
            profile,
            ..CookieStyle::default()
        },
        ..CookieJarOptions::default()
    });
    let url = "http://a.test/".parse().expect("a URL");
    jar.update_cookies(&CookieRequest::new(&url, SystemTime::now()), in_jar);
    let session = site.session().cookie_jar(Arc::new(jar)).build();
    let mut request = session.expect("valid").get("http://a.test/");
    for field in by_hand {
        request = request.header("Cookie", *field);
    }
    for name in own {
        request = request.cookie(*name, "own");
    }
    sent(request).await;
    told(&site.seen).concat().replace("a.test/ ", "")
}

#[tokio::test]
async fn cookies_set_by_hand_are_merged_into_one_header() {
    // CKY-60 to CKY-62; 6265bis 5.8.1 wants one header at most.
    let rfc = async |jar: &[&str], by_hand: &[&str], own: &[&str]| {
        merged(Profile::Rfc6265bis, jar, by_hand, own).await
    };
    let aiohttp = async |jar: &[&str], by_hand: &[&str], own: &[&str]| {
        merged(Profile::Aiohttp, jar, by_hand, own).await
    };
    let jar: &[&str] = &["z=jar", "a=jar"];
    assert_eq!(
        rfc(jar, &["h=1; z=hand"], &["a"]).await,
        "h=1; z=jar; a=own"
    );
    assert_eq!(
        aiohttp(jar, &["h=1; z=hand"], &["a"]).await,
        "a=own; h=1; z=jar"
    );
    assert_eq!(
        rfc(jar, &["b=1", "c=2"], &[]).await,
        "b=1; c=2; z=jar; a=jar"
    );
    assert_eq!(
        aiohttp(jar, &["b=1", "c=2"], &[]).await,
        "a=jar; b=1; c=2; z=jar"
    );
    // Alone they go as they are, but for a second header.
    assert_eq!(rfc(&[], &["b=\"x y\" ;odd"], &[]).await, "b=\"x y\" ;odd");
    assert_eq!(
        aiohttp(&[], &["b=\"x y\" ;odd"], &[]).await,
        "b=\"x y\" ;odd"
    );
    assert_eq!(rfc(&[], &["b=1", "c=2"], &[]).await, "b=1; c=2");
    assert_eq!(
        rfc(&["p=1; Path=/x"], &["b=1", "c=2"], &[]).await,
        "b=1; c=2"
    );
    // As aiohttp.
    assert_eq!(aiohttp(&[], &["b=1", "c=2"], &[]).await, "b=1 + c=2");
}

#[tokio::test]
async fn a_request_cookie_wins_over_the_jar_and_stays_out_of_it() {
    // CKY-63.
    let site = Site::new(|_| Response::ok("ok")).await;
    let jar = jar();
    let session = site.session().cookie_jar(jar.clone());
    let session = session.cookies([("a", "s"), ("b", "s")]).build();
    let session = session.expect("valid");
    let own = [("b", "r"), ("c", "r"), ("c", "last")];
    sent(session.get("http://a.test/").cookies(own)).await;
    sent(session.get("http://a.test/")).await;
    let want = ["a.test/ a=s; b=r; c=last", "a.test/ a=s; b=s"];
    assert_eq!(told(&site.seen), want);
    assert_eq!(jar.len(), 2);
}

#[tokio::test]
async fn what_no_cookie_may_have_is_refused_before_anything_is_sent() {
    let session = ClientSession::new();
    for (name, value) in [("a b", "1"), ("", "1"), ("a", "x;y"), ("a", "x\r\ny: z")] {
        let request = session.get("http://127.0.0.1:1/").cookie(name, value);
        let error = request.await.expect_err(name);
        assert_eq!(error.aiohttp_class(), "CookieError", "{name:?} {value:?}");
        assert!(!format!("{error} {error:?}").contains("y: z"));
    }
    assert_eq!(session.connector().stats().created, 0);
}

#[test]
fn a_session_that_is_refused_leaves_its_jar_alone() {
    let jar = jar();
    let builder = || {
        ClientSession::builder()
            .cookie_jar(jar.clone())
            .cookie("good", "1")
    };
    assert!(builder().cookie("a b", "1").build().is_err());
    assert!(builder().base_url("no URL").build().is_err());
    assert!(jar.is_empty());
    builder().build().expect("valid");
    assert_eq!(jar.len(), 1);
}

#[tokio::test]
async fn of_what_middlewares_send_the_last_answer_sets_cookies() {
    // MW-08. Each sending has what the jar has by then.
    let site = Site::new(|request| match &*request.target {
        "/first" => Response::new(401).header("Set-Cookie", "first=1"),
        _ => Response::ok("ok").header("Set-Cookie", "last=1; Path=/"),
    })
    .await;
    let jar = jar();
    let others = jar.clone();
    let retry = move |mut request: ClientRequest, next: Next| {
        let others = others.clone();
        async move {
            let first = request.try_clone().expect("no body");
            next.clone().run(first).await?.release();
            others.add("token", "t").expect("valid");
            request.set_url(RequestUrl::parse("http://a.test/second").expect("a URL"));
            next.run(request).await
        }
    };
    let session = site.session().cookie_jar(jar.clone()).middleware(retry);
    let session = session.build().expect("valid");
    sent(session.get("http://a.test/first")).await;
    let want = ["a.test/first ", "a.test/second token=t"];
    assert_eq!(told(&site.seen), want);
    assert_eq!(stored(&jar, "http://a.test/"), "token=t; last=1");
}

#[tokio::test]
async fn a_jar_outlives_its_session_in_a_file() {
    let site = Site::new(|_| {
        Response::ok("ok")
            .header("Set-Cookie", "id=1; Max-Age=60")
            .header("Set-Cookie", "gone=1; Max-Age=0")
    })
    .await;
    let name = format!("aio-tests-cookies-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir(&directory).expect("a directory");
    let path = directory.join("cookies.json");
    for run in 0..2 {
        let jar = jar();
        if run > 0 {
            jar.load(&path).expect("a whole file");
        }
        let session = site.session().cookie_jar(jar.clone()).build();
        sent(session.expect("valid").get("http://a.test/")).await;
        jar.save(&path).expect("room");
    }
    std::fs::remove_dir_all(&directory).expect("it was made above");
    assert_eq!(told(&site.seen), ["a.test/ ", "a.test/ id=1"]);
}
