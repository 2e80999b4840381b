//! A session at work, against a server of its own; or, given a URL, fetching that.
//!
//! Exits with 1 when any figure is not what it must be.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example prints"
)]

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aio_client::{
    ClientError, ClientSession, CloseCode, Coding, CookieJar, CookieJarOptions, Environment,
    FormData, ResponseErrorKind, TcpConnector, TlsConfig, UnixConnector, UploadProgress, WsError,
};
use aio_tests::daemon::Scratch;
use aio_tests::http_server::{Body, Request, Response, TestServer};
use aio_tests::tls::Authority;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

type Error = Box<dyn std::error::Error>;

const MIB: u64 = 1024 * 1024;
const DOWNLOAD: u64 = 200 * MIB;
const TASKS: usize = 200;
const LIMIT: usize = 20;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    age: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match std::env::args().nth(1) {
        Some(url) => fetch(&url).await,
        None => tour().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what is at a URL.
async fn fetch(url: &str) -> Result<(), Error> {
    let session = ClientSession::new();
    let mut response = session.get(url).await?;
    println!(
        "{:?} {} {}",
        response.version(),
        response.status().as_u16(),
        response.reason()
    );
    for (name, value) in response.raw_headers() {
        println!("{name}: {}", String::from_utf8_lossy(value));
    }
    println!();
    let mut out = std::io::stdout();
    while let Some(chunk) = response.content().chunk().await? {
        out.write_all(&chunk)?;
    }
    Ok(out.flush()?)
}

async fn tour() -> Result<(), Error> {
    let server = TestServer::start(answer).await?;
    let session = ClientSession::builder()
        .base_url(server.url("/"))
        // Hosts that are addresses set no cookies otherwise.
        .cookie_jar(Arc::new(CookieJar::with_options(CookieJarOptions {
            allow_ip_hosts: true,
            ..CookieJarOptions::default()
        })))
        .build()?;
    get_json(&session).await?;
    post_json(&session).await?;
    log_in(&session).await?;
    upload(&session).await?;
    download(&session).await?;
    many_at_once().await?;
    over_tls().await?;
    through_a_proxy().await?;
    over_a_unix_socket().await?;
    over_a_websocket(&session).await?;
    failing_host().await?;
    session.close().await;
    Ok(())
}

fn title(text: &str) {
    println!("\n== {text}");
}

/// Fails the example with the figure that is wrong.
fn must_be<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, want: &T) -> Result<(), Error> {
    if got == want {
        Ok(())
    } else {
        Err(format!("{what} is {got:?}, must be {want:?}").into())
    }
}

async fn get_json(session: &ClientSession) -> Result<(), Error> {
    title("GET json");
    let mut response = session.get("user").query([("name", "Ada")]).await?;
    let user: User = response.raise_for_status()?.json().await?;
    println!("{} {} gives {user:?}", response.status(), response.url());
    must_be(
        "the user",
        &user,
        &User {
            name: "Ada".into(),
            age: 36,
        },
    )
}

async fn post_json(session: &ClientSession) -> Result<(), Error> {
    title("POST json");
    let sent = User {
        name: "Grace".into(),
        age: 85,
    };
    let mut response = session.post("users").json(&sent).await?;
    let stored: User = response.json().await?;
    println!("{} stored {stored:?}", response.status());
    must_be("the stored user", &stored, &sent)
}

async fn log_in(session: &ClientSession) -> Result<(), Error> {
    title("A form, a redirect, and the cookie set on the way");
    let form = FormData::new()
        .text("user", "Ada")
        .text("password", "s3cret");
    let mut response = session.post("login").form(form).await?;
    for hop in response.history() {
        println!("{} {} gives {}", hop.method(), hop.url(), hop.status());
    }
    let text = response.raise_for_status()?.text().await?;
    println!("{} {} gives {text:?}", response.method(), response.url());
    must_be("the greeting", &text.as_str(), &"hello, Ada")
}

async fn upload(session: &ClientSession) -> Result<(), Error> {
    title("1 MiB as a part of a form, compressed");
    let progress = UploadProgress::default();
    let form = FormData::new()
        .text("name", "zeros")
        .bytes("file", vec![0; MIB as usize]);
    let request = session.post("upload").form(form).compress(Coding::Gzip);
    let mut response = request.upload_progress(progress.clone()).await?;
    let received: u64 = response.text().await?.parse()?;
    println!("{} bytes of form, {received} sent", progress.sent());
    must_be("compressing of use", &(received < 64 * 1024), &true)
}

async fn download(session: &ClientSession) -> Result<(), Error> {
    title("200 MiB, streamed");
    let (started, mut response) = (Instant::now(), session.get("big").await?);
    let mut progress = Progress::new(response.content_length().unwrap_or_default());
    let mut hash = Sha256::new();
    while let Some(chunk) = response.content().chunk().await? {
        hash.update(&chunk);
        progress.advance(chunk.len() as u64);
    }
    let hash = hex(&hash.finalize());
    let received = progress.finish();
    println!(
        "{} MiB in {:.1} s, SHA-256 {hash}",
        received / MIB,
        started.elapsed().as_secs_f64()
    );
    must_be("the length", &received, &DOWNLOAD)?;
    must_be("the hash", &hash, &download_hash())
}

async fn many_at_once() -> Result<(), Error> {
    title("200 requests at once, 20 connections at most");
    let server = TestServer::start(answer).await?;
    let connector = TcpConnector::builder().limit(LIMIT).build()?;
    let session = ClientSession::builder()
        .connector(connector.clone())
        .build()?;
    let started = Instant::now();
    let requests: Vec<_> = (0..TASKS)
        .map(|_| tokio::spawn(session.get(server.url("/user?name=Ada")).send()))
        .collect();
    let mut fine = 0;
    for request in requests {
        let user: User = request.await??.json().await?;
        fine += usize::from(user.name == "Ada");
    }
    let connections = server.connections();
    let elapsed = started.elapsed().as_millis();
    println!("{fine} answers in {elapsed} ms over {connections} connections");
    let stats = connector.stats();
    println!(
        "the pool has made {} connections and reused them {} times; {} are idle, {} wait",
        stats.created, stats.reused, stats.idle, stats.waiting
    );
    for (key, stats) in connector.stats_by_key() {
        println!("{key:?}: {} open, {} idle", stats.open, stats.idle);
    }
    must_be(
        "the number of connections made and reused",
        &(stats.created + stats.reused),
        &(TASKS as u64),
    )?;
    must_be("the number of answers", &fine, &TASKS)?;
    must_be(
        "the number of connections",
        &(connections.clamp(1, LIMIT)),
        &connections,
    )
}

async fn over_tls() -> Result<(), Error> {
    title("TLS, with an authority of our own");
    let authority = Authority::new();
    let server = TestServer::start_tls(authority.server(&["127.0.0.1"]), answer).await?;
    let trusting = |authority: &Authority| -> Result<ClientSession, Error> {
        let tls = TlsConfig::builder().root_certificate_pem(authority.pem().as_bytes());
        Ok(ClientSession::builder().tls(tls.build()?).build()?)
    };
    let url = server.url("/user?name=Ada");
    let mut response = trusting(&authority)?.get(&url).await?;
    let user: User = response.json().await?;
    println!("{} {} gives {user:?}", response.status(), response.url());
    must_be("the user", &user.name.as_str(), &"Ada")?;

    let Err(error) = trusting(&Authority::new())?.get(&url).await else {
        return Err("an unknown authority was trusted".into());
    };
    println!("{error}");
    must_be(
        "its aiohttp class",
        &error.aiohttp_class(),
        &"ClientConnectorCertificateError",
    )
}

async fn through_a_proxy() -> Result<(), Error> {
    title("Through a proxy, which the environment names");
    let proxy = TestServer::start(stand_in).await?;
    let environment = Environment::from_pairs([
        (
            "all_proxy",
            format!("http://ada:s3cret@{}", proxy.address()),
        ),
        ("no_proxy", "127.0.0.0/8, .internal.test".into()),
    ]);
    let session = ClientSession::builder()
        .trust_env(true)
        .environment(environment)
        .build()?;
    let mut response = session.get("http://example.test/x?y").await?;
    let told = response.text().await?;
    println!("{} {} gives {told:?}", response.status(), response.url());
    let want = "GET http://example.test/x?y from Basic YWRhOnMzY3JldA==";
    must_be("what the proxy is told", &told.as_str(), &want)?;

    let server = TestServer::start(answer).await?;
    let mut response = session.get(server.url("/user?name=Ada")).await?;
    let user: User = response.json().await?;
    println!("{} {} goes directly", response.status(), response.url());
    must_be("the user", &user.name.as_str(), &"Ada")?;

    let Err(ClientError::Response(error)) = session.get("https://example.test/").await else {
        return Err("a tunnel was not refused".into());
    };
    println!("{error}: {}", String::from_utf8_lossy(&error.body));
    must_be("the status", &error.status, &403)?;
    must_be("the kind", &error.kind, &ResponseErrorKind::Proxy)
}

/// A proxy that answers plain requests itself, and opens no tunnels.
async fn stand_in(request: Request) -> Response {
    if request.method == "CONNECT" {
        return Response::new(403).body(Body::Bytes("no tunnels here".into()));
    }
    let who = request.header("Proxy-Authorization").unwrap_or("nobody");
    Response::ok(format!("{} {} from {who}", request.method, request.target))
}

async fn over_a_unix_socket() -> Result<(), Error> {
    title("A Unix socket");
    let directory = Scratch::new()?;
    let server = TestServer::start_unix(directory.path().join("app.sock"), None, answer)?;
    let connector = UnixConnector::new(server.path());
    let session = ClientSession::builder().connector(connector).build()?;
    let mut response = session.get("http://app/user?name=Ada").await?;
    let user: User = response.json().await?;
    let path = server.path().display();
    println!(
        "{} {} over {path} gives {user:?}",
        response.status(),
        response.url()
    );
    must_be("the user", &user.name.as_str(), &"Ada")?;

    let connector = UnixConnector::new(directory.path().join("no.sock"));
    let session = ClientSession::builder().connector(connector).build()?;
    let Err(error) = session.get("http://app/").await else {
        return Err("a socket that is not there answered".into());
    };
    println!("{error}");
    must_be(
        "its aiohttp class",
        &error.aiohttp_class(),
        &"UnixClientConnectorError",
    )
}

async fn over_a_websocket(session: &ClientSession) -> Result<(), Error> {
    title("A WebSocket");
    let mut ws = session.ws_connect("echo").protocols(["echo.v1"]).await?;
    println!("{} {:?}", ws.head().status(), ws.protocol());
    let ada = User {
        name: "Ada".into(),
        age: 36,
    };
    ws.send_json(&ada).await?;
    must_be("the echo", &ws.receive_json::<User>().await?, &ada)?;
    let messages = 10_000;
    let start = Instant::now();
    let (mut reader, mut writer) = ws.split();
    let sending = tokio::spawn(async move {
        for number in 0..messages {
            writer.feed(number.to_string()).await?;
        }
        writer.flush().await?;
        Ok::<_, WsError>(writer)
    });
    for number in 0..messages {
        must_be(
            "an echo",
            &&*reader.receive_str().await?,
            &&*number.to_string(),
        )?;
    }
    println!(
        "{messages} messages and their echoes in {:?}",
        start.elapsed()
    );
    let mut writer = sending.await??;
    must_be("closing", &writer.close(CloseCode::OK, "done").await, &true)?;
    must_be("the close code", &reader.close_code(), &Some(1000))
}

async fn failing_host() -> Result<(), Error> {
    title("A host that refuses");
    let refusing = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let session = ClientSession::new();
    let Err(error) = session.get(format!("http://{refusing}/")).await else {
        return Err("a closed port answered".into());
    };
    println!("{error}");
    if let ClientError::Connection(aio_client::ConnectionError::Connect(error)) = &error {
        println!(
            "because: {}",
            error.cause().map(ToString::to_string).unwrap_or_default()
        );
    }
    must_be(
        "its aiohttp class",
        &error.aiohttp_class(),
        &"ClientConnectorError",
    )
}

/// What the server answers.
async fn answer(request: Request) -> Response {
    match (request.method.as_str(), request.target.as_str()) {
        ("GET", "/user?name=Ada") => {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Response::ok(r#"{"name": "Ada", "age": 36}"#).header("Content-Type", "application/json")
        }
        ("POST", "/users") => Response::new(201)
            .header("Content-Type", "application/json")
            .body(Body::Bytes(request.body)),
        ("POST", "/login") if request.body == "user=Ada&password=s3cret" => Response::new(303)
            .header("Set-Cookie", "user=Ada; HttpOnly")
            .header("Location", "/home"),
        ("GET", "/home") if request.header("Cookie") == Some("user=Ada") => {
            Response::ok("hello, Ada")
        }
        ("GET", "/echo") => {
            Response::websocket(&request).header("Sec-WebSocket-Protocol", "echo.v1")
        }
        ("POST", "/upload") => Response::ok(request.body.len().to_string()),
        ("GET", "/big") => {
            let block = vec![7; MIB as usize].into();
            Response::new(200).body(Body::Repeat {
                block,
                length: DOWNLOAD,
            })
        }
        _ => Response::new(404),
    }
}

fn download_hash() -> String {
    let (block, mut hash) = (vec![7; MIB as usize], Sha256::new());
    (0..DOWNLOAD / MIB).for_each(|_| hash.update(&block));
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A bar on a terminal, a line each quarter elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    done: u64,
    whole: u64,
}

impl Progress {
    fn new(whole: u64) -> Self {
        let style = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec}";
        let bar = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::new(whole);
            ProgressStyle::with_template(style)
                .map(|style| bar.set_style(style))
                .ok();
            bar
        });
        Self {
            bar,
            done: 0,
            whole,
        }
    }

    fn advance(&mut self, count: u64) {
        let quarter = |done: u64| done * 4 / self.whole.max(1);
        let (before, after) = (self.done, self.done + count);
        self.done = after;
        match &self.bar {
            Some(bar) => bar.set_position(after),
            None if quarter(before) < quarter(after) => println!("{} MiB", after / MIB),
            None => {}
        }
    }

    fn finish(self) -> u64 {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.done
    }
}
