//! What a large download costs in memory: `cargo xtask download`.
//!
//! Receives 2 GiB from a server in a process of its own, by length, in chunks, in gzip, and
//! by way of `AsyncRead`, throws them away, and prints the most memory that this process had
//! in RAM; exits with 1 when that is above the aim.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that measures says what"
)]

use std::env;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aio_client::{ClientResponse, ClientSession, ClientTimeout};
use aio_tests::memory::peak_in_ram;
use aio_tests::server_process::{ServerProcess, serve};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::timeout;

const SIZE: u64 = 2 << 30;

/// What the server sends at once.
const BLOCK: usize = 64 * 1024;

/// In KiB.
const AIM: u64 = 16 * 1024;

/// Only a broken run takes so long.
const HUNG: Duration = Duration::from_secs(300);

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let done = match env::args().nth(1).as_deref() {
        None => measure(),
        Some("server") => serve(answer).map(|()| true).map_err(Into::into),
        Some(other) => Err(format!("no argument {other:?} is known").into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("download: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Fallible<bool> {
    let (server, address) = ServerProcess::start(&["server"])?;
    let site = format!("http://{}", address.trim());
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let timeouts = ClientSession::builder().timeout(ClientTimeout::none());
    let session = timeouts.build()?;
    runtime.block_on(async {
        for (path, how) in [
            ("length", "by length"),
            ("chunked", "in chunks"),
            ("gzip", "in gzip"),
        ] {
            let response = session.get(format!("{site}/{path}")).await?;
            print(how, timeout(HUNG, by_chunks(response))).await?;
        }
        let response = session.get(format!("{site}/length")).await?;
        print("by AsyncRead", timeout(HUNG, by_reading(response))).await
    })?;
    let peak = peak_in_ram()?;
    println!(
        "peak in RAM: {:.1} MiB (≤ {})",
        peak as f64 / 1024.0,
        AIM / 1024
    );
    server.end()?;
    Ok(peak <= AIM)
}

/// Waits for a download, checks its size, and says how long it took.
async fn print<E: Into<Box<dyn Error + Send + Sync>>>(
    how: &str,
    download: impl Future<Output = Result<Fallible<u64>, E>>,
) -> Fallible<()> {
    let began = Instant::now();
    let received = download.await.map_err(Into::into)??;
    if received != SIZE {
        return Err(format!("{how}: {received} bytes of {SIZE} came").into());
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("2 GiB {how}: {seconds:.1} s; so far {} KiB", peak_in_ram()?);
    Ok(())
}

async fn by_chunks(mut response: ClientResponse) -> Fallible<u64> {
    response.raise_for_status()?;
    let mut received = 0;
    while let Some(chunk) = response.content().chunk().await? {
        received += chunk.len() as u64;
    }
    Ok(received)
}

async fn by_reading(mut response: ClientResponse) -> Fallible<u64> {
    response.raise_for_status()?;
    Ok(copy(response.content(), &mut sink()).await?)
}

/// Answers each request with `SIZE` bytes, in the way its path names.
async fn answer(mut stream: TcpStream) -> Fallible<()> {
    let chunk = format!("{BLOCK:x}\r\n{}\r\n", "d".repeat(BLOCK));
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
        if head.starts_with(b"GET /gzip ") {
            let headers = "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(headers.as_bytes()).await?;
            send_gzip(&mut stream).await?;
        } else if head.starts_with(b"GET /chunked ") {
            stream
                .write_all(b"Transfer-Encoding: chunked\r\n\r\n")
                .await?;
            for _ in 0..SIZE / BLOCK as u64 {
                stream.write_all(chunk.as_bytes()).await?;
            }
            stream.write_all(b"0\r\n\r\n").await?;
        } else {
            let length = format!("Content-Length: {SIZE}\r\n\r\n");
            stream.write_all(length.as_bytes()).await?;
            let block = [b'd'; BLOCK];
            for _ in 0..SIZE / BLOCK as u64 {
                stream.write_all(&block).await?;
            }
        }
    }
}

async fn send_gzip(stream: &mut TcpStream) -> Fallible<()> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let block = [b'd'; BLOCK];
    for _ in 0..SIZE / BLOCK as u64 {
        encoder.write_all(&block)?;
        send_chunk(stream, encoder.get_mut()).await?;
    }
    send_chunk(stream, &mut encoder.finish()?).await?;
    Ok(stream.write_all(b"0\r\n\r\n").await?)
}

/// Sends what is there, and leaves nothing.
async fn send_chunk(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Fallible<()> {
    if !bytes.is_empty() {
        let size = format!("{:x}\r\n", bytes.len());
        stream.write_all(size.as_bytes()).await?;
        stream.write_all(bytes).await?;
        stream.write_all(b"\r\n").await?;
        bytes.clear();
    }
    Ok(())
}
