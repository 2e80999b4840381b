//! When nobody reads, the server is held up: what waits here has a bound.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aio_client::{BoxFuture, ClientError, ClientResponse, Content};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};

use crate::in_time::{Memory, PIPE};
use crate::peer::soon;

/// What may wait beside what the pipe holds, which stands for the buffers of sockets.
const BOUND: u64 = 2 * 64 * 1024;

/// How a server frames and packs a body without end.
#[derive(Debug, Clone, Copy)]
enum Sends {
    Plain,
    Chunked {
        chunk: usize,
    },
    Gzip,
    /// Gzip of zeros, a thousand times as long when decoded.
    Bomb,
}

impl Sends {
    fn head(self) -> &'static str {
        match self {
            Self::Plain => "HTTP/1.1 200 OK\r\n\r\n",
            Self::Chunked { .. } => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            Self::Gzip | Self::Bomb => "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
        }
    }

    /// What is sent again and again.
    fn piece(self) -> Vec<u8> {
        // With line ends, and not to be compressed much.
        let mut text: Vec<u8> = (0..100_000_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        match self {
            Self::Plain => text,
            Self::Chunked { chunk } => {
                let mut piece = format!("{chunk:x}\r\n").into_bytes();
                piece.extend(text.iter().cycle().take(chunk));
                piece.extend(b"\r\n");
                piece
            }
            Self::Gzip | Self::Bomb => {
                if let Self::Bomb = self {
                    text = vec![0; 10_000_000];
                }
                let fast = flate2::Compression::fast();
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), fast);
                gzip.write_all(&text).expect("in memory");
                gzip.finish().expect("in memory")
            }
        }
    }
}

/// Gets a response without end; tells how much of its body the server has got rid of.
async fn endless(sends: Sends) -> (ClientResponse, Arc<AtomicU64>) {
    let (session, mut peers) = Memory::session();
    let written = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&written);
    let request = session.get("http://a.test/");
    tokio::spawn(async move {
        let mut peer = peers.next().await;
        peer.head().await;
        peer.send(sends.head()).await;
        let piece = sends.piece();
        // As little at a time as the pipe takes, to count it truly.
        loop {
            for part in piece.chunks(PIPE) {
                peer.send(part).await;
                count.fetch_add(part.len() as u64, Ordering::Relaxed);
            }
        }
    });
    let response = soon("the head", request.send()).await;
    (response.expect("a response"), written)
}

/// Lets the server do all that it can.
async fn settle() {
    // The clock goes on when everybody waits.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

type Read = for<'a> fn(&'a mut Content) -> BoxFuture<'a, Result<usize, ClientError>>;

/// Ways to read a little; each tells how much.
const READS: [(&str, Read); 7] = [
    ("chunk", |content| {
        Box::pin(async { Ok(content.chunk().await?.expect("more").len()) })
    }),
    ("http_chunk", |content| {
        Box::pin(async { Ok(content.http_chunk().await?.expect("more").0.len()) })
    }),
    ("read", |content| {
        Box::pin(async { Ok(content.read(10).await?.len()) })
    }),
    ("exactly", |content| {
        Box::pin(async { Ok(content.exactly(5000).await?.len()) })
    }),
    ("until", |content| {
        Box::pin(async { Ok(content.until(b"\0").await?.expect("more").len()) })
    }),
    ("AsyncRead", |content| {
        Box::pin(async { Ok(content.read_u8().await.map(|_| 1).expect("more")) })
    }),
    ("AsyncBufRead", |content| {
        Box::pin(async {
            let len = content.fill_buf().await.expect("more").len();
            content.consume(len);
            Ok(len)
        })
    }),
];

async fn check(sends: Sends) {
    let (_response, written) = endless(sends).await;
    settle().await;
    let waits = written.load(Ordering::Relaxed);
    assert!(waits <= BOUND + PIPE as u64, "{sends:?}, unread: {waits}");

    for (name, read) in READS {
        let (mut response, written) = endless(sends).await;
        let mut got = 0;
        for round in 0..100 {
            let piece = read(response.content()).await.expect("a piece");
            // Nor is more decoded at a time.
            assert!(piece <= BOUND as usize, "{sends:?}, {name}: {piece}");
            got += piece as u64;
            settle().await;
            let content = response.content();
            let taken = match sends {
                // The framing is not counted by the client; each chunk has it.
                Sends::Chunked { chunk } => {
                    let len = sends.piece().len() as u64;
                    content.total_raw_bytes() / chunk as u64 * len
                }
                _ => content.total_raw_bytes(),
            };
            let waits = written.load(Ordering::Relaxed).saturating_sub(taken);
            let shown = format!("{sends:?}, {name}, round {round}: {waits}");
            assert!(waits <= BOUND + PIPE as u64, "{shown}");
            // What was taken from the wire and not handed out has the same bound.
            assert!(content.total_bytes() - got <= BOUND, "{shown}");
        }
        assert!(got > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_body_waits_with_the_server() {
    check(Sends::Plain).await;
}

#[tokio::test(start_paused = true)]
async fn a_chunked_body_waits_with_the_server() {
    check(Sends::Chunked { chunk: 5000 }).await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_small_chunks_waits_with_the_server() {
    // EDGE-153: nothing is read ahead, so that no ends of chunks pile up either.
    check(Sends::Chunked { chunk: 1 }).await;
}

#[tokio::test(start_paused = true)]
async fn a_compressed_body_waits_with_the_server() {
    check(Sends::Gzip).await;
}

#[tokio::test(start_paused = true)]
async fn a_bomb_goes_off_piece_by_piece() {
    // EDGE-133.
    check(Sends::Bomb).await;
}
