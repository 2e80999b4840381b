//! What a small body that decodes to 10 GiB costs in memory: `cargo xtask bomb`.
//!
//! Each coding is read in each way in a process of its own, which prints the most memory that
//! it had in RAM above what it had before; exits with 1 when that is above the aim.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that measures says what"
)]

use std::env;
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::process::{Command, ExitCode};
use std::time::Duration;

use aio_client::{ClientError, ClientSession, Coding, PayloadError};
use aio_tests::memory::{in_ram, peak_in_ram};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::time::timeout;

/// What a bomb decodes to.
const SIZE: u64 = 10 << 30;

/// The bound on what is decoded or read whole.
const BOUND: u64 = 8 << 20;

/// How much is read piece by piece, before the reader has enough.
const ENOUGH: u64 = 100 << 20;

/// What reading costs beside the bound and the window: buffers, the session, and the server,
/// which is in the same process.
const SLACK: u64 = 4 << 20;

/// Only a broken run takes so long.
const HUNG: Duration = Duration::from_secs(120);

const CODINGS: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How a bomb is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Whole, with `max_decoded_size`.
    MaxDecoded,
    /// Whole, with `max_body_size`.
    MaxBody,
    /// In pieces of at most 1 KiB, without a bound.
    Pieces,
}

const WAYS: [Way; 3] = [Way::MaxDecoded, Way::MaxBody, Way::Pieces];

fn main() -> ExitCode {
    let words: Vec<_> = env::args().skip(1).collect();
    let done = match words.as_slice() {
        [] => all(),
        [coding, way] => one(coding, way).map(|()| true),
        _ => Err("give nothing, or a coding and a way".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bomb: {error}");
            ExitCode::FAILURE
        }
    }
}

fn all() -> Fallible<bool> {
    let mut good = true;
    for coding in CODINGS {
        for way in WAYS {
            let own = env::current_exe()?;
            let words = [coding.name().to_owned(), format!("{way:?}")];
            let output = Command::new(own).args(&words).output()?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(format!("{words:?}: {said}").into());
            }
            let cost: u64 = String::from_utf8(output.stdout)?.trim().parse()?;
            let aim = (aim(coding, way)) >> 10;
            println!("{:4} {way:10?} {cost:6} KiB (≤ {aim})", coding.name());
            good &= cost <= aim;
        }
    }
    Ok(good)
}

/// What may be held of a bomb, in bytes.
fn aim(coding: Coding, way: Way) -> u64 {
    // The windows of these bombs, which are the largest that there are.
    let window = match coding {
        Coding::Brotli => 16 << 20,
        Coding::Zstd => 8 << 20,
        _ => 0,
    };
    let held = if way == Way::Pieces { 0 } else { BOUND };
    held + window + SLACK
}

/// Reads a bomb in this process, and prints what that cost in KiB.
fn one(coding: &str, way: &str) -> Fallible<()> {
    let coding = Coding::from_header(coding.as_bytes()).ok_or("no such coding")?;
    let way = WAYS.into_iter().find(|known| format!("{known:?}") == way);
    let way = way.ok_or("no such way")?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let bomb = Bomb::new(coding)?;
    let before = in_ram()?;
    runtime.block_on(async { timeout(HUNG, bomb.read(way)).await })??;
    println!("{}", peak_in_ram()?.saturating_sub(before));
    Ok(())
}

/// A body: its begin, and what comes again and again behind it.
struct Bomb {
    coding: Coding,
    head: Vec<u8>,
    again: Vec<u8>,
    times: u64,
}

impl Bomb {
    fn new(coding: Coding) -> Fallible<Self> {
        let (head, again, each) = match coding {
            // Members of 16 MiB: 10 MiB in all.
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                for _ in 0..256 {
                    encoder.write_all(&[0; 64 << 10])?;
                }
                (Vec::new(), encoder.finish()?, 16 << 20)
            }
            // One stream with a window of 16 MiB.
            Coding::Brotli => {
                let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/bombs/10-gib-of-zeros.br");
                (Vec::new(), fs::read(path)?, SIZE)
            }
            // One frame with a window of 8 MiB, of blocks that repeat a byte 128 Ki times
            // (RFC 8878 3.1.1.2): 320 KiB in all. Its end never comes.
            _ => {
                let block = (128_u32 << 10 << 3 | 1 << 1).to_le_bytes();
                let head = b"\x28\xb5\x2f\xfd\0\x68".to_vec();
                (
                    head,
                    [&block[..3], b"\0"].concat().repeat(1 << 10),
                    128 << 20,
                )
            }
        };
        Ok(Self {
            coding,
            head,
            again,
            times: SIZE / each,
        })
    }

    /// Reads it from a server.
    async fn read(self, way: Way) -> Fallible<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let server = tokio::spawn(self.serve(listener));
        let session = match way {
            Way::MaxDecoded => ClientSession::builder().max_decoded_size(BOUND),
            Way::MaxBody => ClientSession::builder().max_body_size(BOUND),
            Way::Pieces => ClientSession::builder(),
        };
        let mut response = session.build()?.get(&url).await?;
        if way == Way::Pieces {
            let mut read = 0;
            while read < ENOUGH {
                read += response.content().read(1024).await?.len() as u64;
            }
        } else {
            let error = response.read().await.err().ok_or("no error")?;
            let ClientError::Payload(error) = &error else {
                return Err(error.into());
            };
            let limit = match (way, &error.source) {
                (Way::MaxDecoded, PayloadError::DecodedTooLarge { limit })
                | (Way::MaxBody, PayloadError::BodyTooLarge { limit }) => *limit,
                _ => return Err(error.clone().into()),
            };
            if limit != BOUND {
                return Err(format!("limit {limit}").into());
            }
        }
        server.abort();
        Ok(())
    }

    /// Sends it to whoever asks first, until they leave.
    async fn serve(self, listener: TcpListener) -> Fallible<()> {
        let (mut stream, _) = listener.accept().await?;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await?);
        }
        let length = self.head.len() as u64 + self.times * self.again.len() as u64;
        let coding = self.coding.name();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&self.head).await?;
        for _ in 0..self.times {
            stream.write_all(&self.again).await?;
        }
        Ok(())
    }
}
