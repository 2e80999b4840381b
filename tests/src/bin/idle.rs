//! What an idle connection costs: `cargo xtask idle`.
//!
//! One session keeps 5,000 connections to a server in a process of its own, each after one
//! small GET. Prints how much of the memory in use one of them has, plain and under TLS;
//! exits with 1 when that is above the aim.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that measures says what"
)]

use std::env;
use std::error::Error;
use std::process::{Command, ExitCode};
use std::time::Duration;

use aio_client::{ClientSession, ConnectionError, RequestUrl, TcpConnector, TlsConfig};
use aio_tests::memory::in_ram;
use aio_tests::server_process::{ServerProcess, unwanted};
use aio_tests::tls::Authority;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How many connections are open before the first look, and are opened at a time.
const FEW: usize = 100;
const MANY: usize = 5_000;

/// Only a broken run takes so long.
const HUNG: Duration = Duration::from_secs(120);

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let done = match env::args().nth(1).as_deref() {
        None => measure_both(),
        Some("plain") => measure("plain", 6.0),
        Some("tls") => measure("tls", 20.0),
        Some("server") => serve().map(|()| true),
        Some(other) => Err(format!("no argument {other:?} is known").into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("idle: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures each in a new process: what one has left behind is not the other's.
fn measure_both() -> Fallible<bool> {
    let mut good = true;
    for kind in ["plain", "tls"] {
        let status = Command::new(env::current_exe()?).arg(kind).status()?;
        good &= status.success();
    }
    Ok(good)
}

/// Measures one kind, and tells whether it is within its aim, in KiB.
fn measure(kind: &str, aim: f64) -> Fallible<bool> {
    allow_many_files()?;
    let (server, line) = ServerProcess::start(&["server"])?;
    let [plain, tls, certificate] = line.split_whitespace().collect::<Vec<_>>()[..] else {
        return Err("the server says something else".into());
    };
    let url = match kind {
        "tls" => format!("https://{tls}/"),
        _ => format!("http://{plain}/"),
    };
    let trusted = TlsConfig::builder().root_certificate_pem(&BASE64.decode(certificate)?);
    let connector = TcpConnector::builder()
        .limit(None)
        .keepalive_timeout(None)
        .tls(trusted.build()?)
        .build()?;
    let session = ClientSession::builder()
        .connector(connector.clone())
        .build()?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let used = |open| {
        let keep = async { timeout(HUNG, keep(&session, &connector, &url, open)).await };
        runtime.block_on(keep)??;
        Fallible::Ok(in_ram()? as f64)
    };
    let few = used(FEW)?;
    let many = used(FEW + MANY)?;
    let each = (many - few) / MANY as f64;
    println!("{kind}: {each:.1} KiB per idle connection (≤ {aim}), {few} KiB in use before");
    server.end()?;
    Ok(each <= aim)
}

/// Has the session keep so many connections, each used for one request lately.
async fn keep(
    session: &ClientSession,
    connector: &TcpConnector,
    url: &str,
    open: usize,
) -> Fallible<()> {
    let origin = RequestUrl::parse(url)?;
    let before = connector.stats().open;
    for open in (before + FEW..=open).step_by(FEW) {
        connector.warm_up(&origin, open).await.map_err(failed)?;
    }
    for _ in 0..open {
        // The one that has been idle for longest is used.
        let mut response = session.get(url).send().await?;
        response.read().await?;
    }
    let stats = connector.stats();
    if (stats.open, stats.idle, stats.created) != (open, open, open as u64) {
        return Err(format!("not all are idle: {stats:?}").into());
    }
    Ok(())
}

fn failed(error: ConnectionError) -> Box<dyn Error + Send + Sync> {
    error.into()
}

/// A process may have as many sockets as the system allows.
fn allow_many_files() -> Fallible<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Serves plain and under TLS until nobody wants it.
fn serve() -> Fallible<()> {
    allow_many_files()?;
    let authority = Authority::new();
    let tls = TlsAcceptor::from(authority.server(&["127.0.0.1"]));
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let plain = TcpListener::bind("127.0.0.1:0").await?;
        let secret = TcpListener::bind("127.0.0.1:0").await?;
        let certificate = BASE64.encode(authority.pem());
        println!(
            "{} {} {certificate}",
            plain.local_addr()?,
            secret.local_addr()?
        );
        tokio::spawn(async move {
            while let Ok((stream, _)) = plain.accept().await {
                tokio::spawn(converse(stream));
            }
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = secret.accept().await {
                let tls = tls.clone();
                tokio::spawn(async move { converse(tls.accept(stream).await?).await });
            }
        });
        unwanted().await;
        Ok(())
    })
}

/// Answers each request.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Fallible<()> {
    let mut request = Vec::new();
    loop {
        request.clear();
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        stream.write_all(answer).await?;
        stream.flush().await?;
    }
}
