//! How evenly a full pool serves who waits: `cargo xtask fairness`.
//!
//! 10,000 tasks send one GET each to three hosts over 50 connections. The server is a
//! process of its own and counts the sockets. Exits with 1 when a gate is missed.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that measures says what"
)]

use std::env;
use std::error::Error;
use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use aio_client::{
    ClientSession, ConnectEvent, Event, RequestTrace, TcpConnector, TraceConfig, TraceStart,
};
use aio_tests::server_process::{ServerProcess, unwanted};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::{Instant as Deadline, sleep, sleep_until, timeout};

const TASKS: u32 = 10_000;
const HOSTS: usize = 3;
const LIMIT: usize = 50;

/// The gates: sockets at a time, connections in all, longest wait to the median of its host.
const SOCKETS: usize = LIMIT;
const DIALS: usize = 150;
const LONGEST: f64 = 3.0;

/// Only a pool that has lost somebody takes so long.
const HUNG: Duration = Duration::from_secs(120);

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How requests come.
struct Load {
    name: &'static str,
    /// How long the server thinks over each, in milliseconds.
    think: u64,
    /// Over which time they come.
    over: Duration,
    /// How many of ten go to each host.
    shares: [u32; HOSTS],
}

const LOADS: [Load; 3] = [
    Load {
        name: "all at once",
        think: 1,
        over: Duration::ZERO,
        shares: [4, 3, 3],
    },
    Load {
        name: "all at once, six of ten to one host",
        think: 1,
        over: Duration::ZERO,
        shares: [6, 3, 1],
    },
    // At 1 ms nobody would wait: 5,000 come in a second, and so 2,000 are served.
    Load {
        name: "over two seconds",
        think: 25,
        over: Duration::from_secs(2),
        shares: [4, 3, 3],
    },
];

fn main() -> ExitCode {
    let done = match env::args().nth(1).as_deref() {
        None => LOADS
            .iter()
            .try_fold(true, |good, load| Ok(measure(load)? && good)),
        Some("server") => serve().map(|()| true),
        Some(other) => Err(format!("no argument {other:?} is known").into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fairness: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a load, prints what came of it, and tells whether it keeps within the gates.
fn measure(load: &Load) -> Fallible<bool> {
    let (server, addresses) = ServerProcess::start(&["server"])?;
    let hosts = addresses.split_whitespace().map(str::parse);
    let hosts: Vec<SocketAddr> = hosts.collect::<Result<_, _>>()?;
    let start = Instant::now();
    let waits = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async { timeout(HUNG, send(load, &hosts)).await })??;
    let took = start.elapsed().as_secs_f64();
    let report = server.end()?;
    let (peak, dials) = report.trim().split_once(' ').ok_or("no report")?;
    let (peak, dials): (usize, usize) = (peak.parse()?, dials.parse()?);

    let Load { name, think, .. } = load;
    println!("{TASKS} requests {name}, {think} ms each: {took:.2} s");
    println!("  peak {peak} sockets (≤ {SOCKETS}), {dials} dials (≤ {DIALS})");
    let mut good = peak <= SOCKETS && dials <= DIALS;
    for (host, mut waits) in hosts.iter().zip(waits) {
        waits.sort_unstable();
        let requests = waits.len();
        let median = waits.get(requests / 2).ok_or("a host without requests")?;
        let longest = waits.last().ok_or("a host without requests")?;
        let (median, longest) = (median.as_secs_f64() * 1e3, longest.as_secs_f64() * 1e3);
        let ratio = longest / median;
        println!(
            "  {}: {requests} requests, wait: median {median:.1} ms, longest {longest:.1} ms, \
             {ratio:.2} × (≤ {LONGEST})",
            host.ip()
        );
        // Where nobody waits there is no ratio: a load that is none has measured nothing.
        good &= ratio <= LONGEST;
    }
    println!("  {}", if good { "good" } else { "NOT GOOD" });
    Ok(good)
}

/// Sends all requests, and returns how long those to each host waited.
async fn send(load: &Load, hosts: &[SocketAddr]) -> Fallible<Vec<Vec<Duration>>> {
    let waits = Waits::default();
    let session = ClientSession::builder()
        .connector(TcpConnector::builder().limit(LIMIT).build()?)
        .trace_config(waits.clone())
        .build()?;
    let start = Deadline::now();
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let host = hosts[load.host(number)];
        let (session, think) = (session.clone(), load.think);
        if !load.over.is_zero() {
            sleep_until(start + load.over * number / TASKS).await;
        }
        tasks.spawn(async move {
            let url = format!("http://{host}/{think}");
            let mut response = session.get(url).send().await?;
            response.read().await?;
            Fallible::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    session.close().await;
    let waits = waits.take();
    let of = |host: &SocketAddr| {
        let its = waits.iter().filter(|(other, _)| other == host);
        its.map(|(_, wait)| *wait).collect()
    };
    Ok(hosts.iter().map(of).collect())
}

impl Load {
    /// Whom a request goes to: the hosts take turns, as far as their shares allow.
    fn host(&self, number: u32) -> usize {
        let mut place = number % 10;
        for round in 0.. {
            for (host, share) in self.shares.iter().enumerate() {
                if *share > round {
                    if place == 0 {
                        return host;
                    }
                    place -= 1;
                }
            }
            if self.shares.iter().all(|share| *share <= round) {
                break;
            }
        }
        0
    }
}

/// How long each request stood in the queue; nothing when it found a connection.
#[derive(Clone, Debug, Default)]
struct Waits(Arc<Mutex<Vec<(SocketAddr, Duration)>>>);

impl Waits {
    fn take(&self) -> Vec<(SocketAddr, Duration)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TraceConfig for Waits {
    fn start(&self, request: &TraceStart<'_>) -> Box<dyn RequestTrace> {
        let url = request.url.as_str().to_owned();
        let waits = self.clone();
        let (mut since, mut wait) = (None, Duration::ZERO);
        Box::new(move |event: &Event<'_>| match event {
            Event::Connect(ConnectEvent::QueuedStart) => since = Some(Instant::now()),
            Event::Connect(ConnectEvent::QueuedEnd) => {
                wait += since.take().map_or(Duration::ZERO, |since| since.elapsed());
            }
            Event::RequestEnd { .. } => {
                let host = url.split('/').nth(2).and_then(|host| host.parse().ok());
                let mut waits = waits.0.lock().unwrap_or_else(PoisonError::into_inner);
                waits.extend(host.map(|host| (host, wait)));
            }
            _ => {}
        })
    }
}

/// Serves on three hosts until nobody wants it; prints peak and count of the sockets then.
fn serve() -> Fallible<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let sockets = Arc::<Mutex<Sockets>>::default();
    runtime.block_on(async {
        let mut addresses = Vec::new();
        for host in 1..=HOSTS {
            let host = Ipv4Addr::new(127, 0, 0, u8::try_from(host)?);
            let listener = TcpListener::bind((host, 0)).await?;
            addresses.push(listener.local_addr()?.to_string());
            let sockets = Arc::clone(&sockets);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let stream = Arc::new(stream);
                    let mut sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
                    sockets.enter(&stream);
                    tokio::spawn(converse(stream));
                }
            });
        }
        println!("{}", addresses.join(" "));
        unwanted().await;
        Fallible::Ok(())
    })?;
    let sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
    println!("{} {}", sockets.peak, sockets.accepted);
    Ok(())
}

#[derive(Default)]
struct Sockets {
    open: Vec<Weak<TcpStream>>,
    peak: usize,
    accepted: usize,
}

impl Sockets {
    fn enter(&mut self, stream: &Arc<TcpStream>) {
        // The client closes one and opens another; the news of both come together.
        let is_open = |stream: &Weak<TcpStream>| {
            let stream = stream.upgrade();
            stream.is_some_and(|stream| !is_ended(&stream))
        };
        self.open.retain(is_open);
        self.open.push(Arc::downgrade(stream));
        self.peak = self.peak.max(self.open.len());
        self.accepted += 1;
    }
}

/// Tells whether the client has closed.
fn is_ended(stream: &TcpStream) -> bool {
    let peeked = SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
    !matches!(peeked, Ok(1..))
        && !matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Answers each request after the time that its target says, in milliseconds.
async fn converse(stream: Arc<TcpStream>) -> Fallible<()> {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    stream.set_nodelay(true)?;
    let mut request = Vec::with_capacity(1024);
    loop {
        request.clear();
        while !request.ends_with(b"\r\n\r\n") {
            stream.readable().await?;
            match stream.try_read_buf(&mut request) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        let target = str::from_utf8(&request)?.split(' ').nth(1);
        let think = target.and_then(|target| target.strip_prefix('/'));
        sleep(Duration::from_millis(think.ok_or("no target")?.parse()?)).await;
        stream.writable().await?;
        if stream.try_write(ANSWER)? < ANSWER.len() {
            return Err("so little does not fit".into());
        }
    }
}
