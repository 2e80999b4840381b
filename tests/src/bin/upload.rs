//! What a large upload costs in memory: `cargo xtask upload`.
//!
//! Sends a sparse file of 2 GiB to a server in a process of its own, once by its path and
//! once as a part of a form, and prints the most memory that this process had in RAM; exits
//! with 1 when that is above the aim. Where less than 5 GiB of the disk are free, it says so
//! and does nothing.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that measures says what"
)]

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aio_client::{ClientSession, ClientTimeout, FileBody, FormData, RequestBuilder};
use aio_tests::memory::peak_in_ram;
use aio_tests::server_process::{ServerProcess, serve};
use rustix::fs::statvfs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::timeout;

const SIZE: u64 = 2 << 30;

/// A file system without sparse files has room all the same, and some to spare.
const ROOM: u64 = 5 << 30;

/// In KiB.
const AIM: u64 = 40 * 1024;

/// Only a broken run takes so long.
const HUNG: Duration = Duration::from_secs(300);

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let done = match env::args().nth(1).as_deref() {
        None => measure(),
        Some("server") => serve(count).map(|()| true).map_err(Into::into),
        Some(other) => Err(format!("no argument {other:?} is known").into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("upload: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Fallible<bool> {
    let folder = env::temp_dir();
    let disk = statvfs(&folder)?;
    let free = disk.f_bavail * disk.f_frsize;
    if free < ROOM {
        println!(
            "upload of 2 GiB: skipped, {} MiB are free, not 5 GiB",
            free >> 20
        );
        return Ok(true);
    }
    let file = SparseFile::new(folder.join(format!("aio-upload-{}", std::process::id())))?;
    let (server, address) = ServerProcess::start(&["server"])?;
    let url = format!("http://{}/", address.trim());
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let session = ClientSession::new();
    let body = session.put(&url).body(FileBody::new(&file.path));
    send(&runtime, "by its path", body)?;
    let form = FormData::new().file("file", &file.path);
    send(&runtime, "in a form", session.post(&url).form(form))?;
    let peak = peak_in_ram()?;
    println!(
        "peak in RAM: {:.1} MiB (≤ {})",
        peak as f64 / 1024.0,
        AIM / 1024
    );
    server.end()?;
    Ok(peak <= AIM)
}

fn send(runtime: &runtime::Runtime, how: &str, request: RequestBuilder) -> Fallible<()> {
    let began = Instant::now();
    let answer = async {
        let mut response = request.timeout(ClientTimeout::none()).send().await?;
        response.raise_for_status()?.text().await
    };
    let received = runtime.block_on(async { timeout(HUNG, answer).await })??;
    let received: u64 = received.parse()?;
    if received < SIZE {
        return Err(format!("{how}: the server has {received} bytes of {SIZE}").into());
    }
    println!(
        "2 GiB {how}: {received} bytes in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A file that is all holes; dropping it removes it.
struct SparseFile {
    path: PathBuf,
}

impl SparseFile {
    fn new(path: PathBuf) -> Fallible<Self> {
        let file = File::create(&path)?;
        let sparse = Self { path };
        file.set_len(SIZE)?;
        Ok(sparse)
    }
}

impl Drop for SparseFile {
    fn drop(&mut self) {
        let path: &Path = &self.path;
        if let Err(error) = fs::remove_file(path) {
            eprintln!("{}: {error}", path.display());
        }
    }
}

/// Answers each request with the length of its body, when that has come.
async fn count(mut stream: TcpStream) -> Fallible<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head)?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length: u64 = length.ok_or("a body without length")?.parse()?;
        let mut left = length;
        while left > 0 {
            let room = buffer.len().min(usize::try_from(left)?);
            match stream.read(&mut buffer[..room]).await? {
                0 => return Err("the body is cut off".into()),
                read => left -= read as u64,
            }
        }
        let text = length.to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(answer.as_bytes()).await?;
    }
}
