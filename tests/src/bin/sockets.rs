//! What an open WebSocket costs: `cargo xtask sockets`.
//!
//! One session opens 10,000 with a heartbeat to a server in a process of its own, plain and
//! under TLS, fewer where the system allows fewer files. A task waits at each for a message;
//! for a minute nothing comes but the answers to pings. Prints how much of the memory in use
//! one of them has, and what the heartbeats cost the CPU; exits with 1 when that is above the
//! aim, or if one of them does not stay open.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that measures says what"
)]

use std::env;
use std::error::Error;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aio_client::ws::{WsConfig, WsMessage, server};
use aio_client::{ClientSession, ClientTimeout, ClientWebSocketResponse, TcpConnector, TlsConfig};
use aio_tests::memory::in_ram;
use aio_tests::server_process::{ServerProcess, unwanted};
use aio_tests::tls::Authority;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// How many are open before the first look, and are opened then.
const FEW: usize = 100;
const MANY: usize = 10_000;

/// Files that are no sockets of ours, and some to spare.
const OTHER_FILES: u64 = 100;

const HEARTBEAT: Duration = Duration::from_secs(20);

/// How long they are watched; three beats.
const WATCH: Duration = Duration::from_secs(60);

/// Only a broken run takes so long to open them, on a machine that does much else besides.
const HUNG: Duration = Duration::from_secs(600);

/// The seconds of CPU that all of them may take in a minute: 100 µs for each ping, several
/// times what it takes, which a busy machine does not reach.
const CPU_AIM: f64 = 3.0;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let done = match env::args().nth(1).as_deref() {
        None => measure_both(),
        Some("plain") => measure("plain", 8.0),
        Some("tls") => measure("tls", 22.0),
        Some("server") => serve().map(|()| true),
        Some(other) => Err(format!("no argument {other:?} is known").into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sockets: {error}");
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
    let many = match allow_many_files()? {
        Some(files) => MANY.min(usize::try_from(files.saturating_sub(OTHER_FILES))?),
        None => MANY,
    };
    if many < MANY {
        println!("{kind}: the system allows files for {many} sockets only");
    }
    let few = FEW.min(many / 2);
    let (process, line) = ServerProcess::start(&["server"])?;
    let [plain, tls, certificate] = line.split_whitespace().collect::<Vec<_>>()[..] else {
        return Err("the server says something else".into());
    };
    let url = match kind {
        "tls" => format!("wss://{tls}/"),
        _ => format!("ws://{plain}/"),
    };
    let trusted = TlsConfig::builder().root_certificate_pem(&BASE64.decode(certificate)?);
    let connector = TcpConnector::builder()
        .limit(None)
        .tls(trusted.build()?)
        .build()?;
    let session = ClientSession::builder()
        .connector(connector)
        .timeout(ClientTimeout::none())
        .build()?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (before, after, cpu) = runtime.block_on(async {
        let mut waiting = JoinSet::new();
        timeout(HUNG, open(&session, &url, few, &mut waiting)).await??;
        let before = in_ram()?;
        timeout(HUNG, open(&session, &url, many, &mut waiting)).await??;
        let start = cpu_seconds();
        tokio::select! {
            biased;
            Some(ended) = waiting.join_next() => return Err(ended?.into()),
            () = sleep(WATCH) => {}
        }
        let cpu = (cpu_seconds() - start) * 60.0 / WATCH.as_secs_f64();
        Fallible::Ok((before, in_ram()?, cpu))
    })?;
    let pings: usize = process.end()?.trim().parse()?;
    // The third is just due when the watch ends.
    if pings < 2 * many {
        return Err(format!("only {pings} pings came to the server").into());
    }
    let each = (after as f64 - before as f64) / (many - few) as f64;
    println!(
        "{kind}: {each:.1} KiB per open WebSocket (≤ {aim}), {before} KiB in use before; \
         {many} with {pings} pings: {cpu:.2} s of CPU per minute (≤ {CPU_AIM})"
    );
    Ok(each <= aim && cpu <= CPU_AIM)
}

/// Opens WebSockets until there are so many, and waits at each for what comes.
async fn open(
    session: &ClientSession,
    url: &str,
    count: usize,
    waiting: &mut JoinSet<String>,
) -> Fallible<()> {
    while waiting.len() < count {
        let socket = session.ws_connect(url).heartbeat(HEARTBEAT).send().await?;
        waiting.spawn(wait(socket));
    }
    let stats = session.connector().stats();
    if stats.open != count {
        return Err(format!("not all are open: {stats:?}").into());
    }
    Ok(())
}

/// Waits for a message, and tells that it is not to come.
async fn wait(mut socket: ClientWebSocketResponse) -> String {
    let received = socket.receive().await;
    format!("a WebSocket did not stay silent and open: {received:?}")
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A process may have as many sockets as the system allows; returns how many files that is.
fn allow_many_files() -> Fallible<Option<u64>> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    Ok(limit.current)
}

/// Serves plain and under TLS until nobody wants it; says then how many pings came.
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
                tokio::spawn(answer(stream));
            }
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = secret.accept().await {
                let tls = tls.clone();
                // Else the answer would wait until the tickets of TLS are acknowledged.
                stream.set_nodelay(true)?;
                tokio::spawn(async move { answer(tls.accept(stream).await?).await });
            }
            Fallible::Ok(())
        });
        unwanted().await;
        println!("{}", PINGS.load(Ordering::Relaxed));
        Ok(())
    })
}

static PINGS: AtomicU64 = AtomicU64::new(0);

/// Answers pings, and counts them.
async fn answer<S>(stream: S) -> Fallible<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = WsConfig {
        autoping: false,
        ..WsConfig::default()
    };
    let mut socket = server(stream).config(config).await?;
    while let Some(message) = socket.receive().await? {
        if let WsMessage::Ping(payload) = message {
            PINGS.fetch_add(1, Ordering::Relaxed);
            socket.pong(payload).await?;
        }
    }
    Ok(())
}
