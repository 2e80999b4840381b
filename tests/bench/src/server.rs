//! The server: a process of its own, with prebuilt answers, as cheap as can be.

use std::{
    io::{self, Read as _},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use memchr::memmem;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{TlsAcceptor, rustls::HandshakeKind};

use crate::{Fallible, answers, cpu, files, rows::DOWNLOAD, site::Site, tls::Acceptors, websocket};

/// What is sent and received at once by the bulk rows.
const BLOCK: usize = 256 * 1024;

/// Serves until stdin closes; prints its [`Site`] and an empty line first.
pub(crate) fn serve(core: Option<usize>) -> Fallible<()> {
    if let Some(core) = core {
        cpu::pin_to(core)?;
    }
    files::allow_many()?;
    end_with_parent();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let house = Arc::new(House::new()?);
        let tls = Acceptors::new()?;
        let plain = TcpListener::bind("127.0.0.1:0").await?;
        let resuming = TcpListener::bind("127.0.0.1:0").await?;
        let forgetful = TcpListener::bind("127.0.0.1:0").await?;
        let site = Site {
            ports: [
                plain.local_addr()?.port(),
                resuming.local_addr()?.port(),
                forgetful.local_addr()?.port(),
            ],
            certificate: tls.certificate,
        };
        println!("{}\n", site.to_string().trim_end());
        tokio::spawn(serve_tls(resuming, tls.resuming, Arc::clone(&house)));
        tokio::spawn(serve_tls(forgetful, tls.forgetful, Arc::clone(&house)));
        serve_plain(plain, house).await
    })
}

async fn serve_plain(listener: TcpListener, house: Arc<House>) -> Fallible<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            // A client that goes away is none of the server's business; one that errs
            // otherwise fails its own check.
            Conversation { stream, house }.run().await.ok();
        });
    }
}

async fn serve_tls(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    house: Arc<House>,
) -> Fallible<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (house, acceptor) = (Arc::clone(&house), acceptor.clone());
        tokio::spawn(async move {
            let stream = acceptor.accept(stream).await?;
            house.count(stream.get_ref().1.handshake_kind());
            Conversation { stream, house }.run().await.ok();
            io::Result::Ok(())
        });
    }
}

fn end_with_parent() {
    thread::spawn(|| {
        io::stdin().read_to_end(&mut Vec::new()).ok();
        process::exit(0);
    });
}

/// What all conversations share.
struct House {
    small: Vec<u8>,
    ten_headers: Vec<u8>,
    body: Vec<u8>,
    gzip: Vec<u8>,
    brotli: Vec<u8>,
    download_head: Vec<u8>,
    block: Vec<u8>,
    chunked_head: Vec<u8>,
    /// A block in chunks.
    chunks: Vec<u8>,
    messages: websocket::Messages,
    handshakes: AtomicU64,
    resumed: AtomicU64,
}

impl House {
    fn new() -> Fallible<Self> {
        Ok(Self {
            small: answers::small(),
            ten_headers: answers::ten_headers(),
            body: answers::body(),
            gzip: answers::gzip()?,
            brotli: answers::brotli()?,
            download_head: answers::download_head(),
            block: vec![b'd'; BLOCK],
            chunked_head: answers::chunked_head(),
            chunks: answers::chunks(BLOCK),
            messages: websocket::Messages::new()?,
            handshakes: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
        })
    }

    fn count(&self, handshake: Option<HandshakeKind>) {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        if handshake == Some(HandshakeKind::Resumed) {
            self.resumed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn handshakes(&self) -> String {
        let [all, resumed] =
            [&self.handshakes, &self.resumed].map(|count| count.load(Ordering::Relaxed));
        format!("{all} {resumed}")
    }
}

struct Conversation<S> {
    stream: S,
    house: Arc<House>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    async fn run(mut self) -> Fallible<()> {
        let mut block = vec![0; 16 * 1024];
        loop {
            let mut filled = 0;
            let head_len = loop {
                let read = self.stream.read(&mut block[filled..]).await?;
                if read == 0 {
                    return Ok(());
                }
                filled += read;
                if let Some(end) = memmem::find(&block[..filled], b"\r\n\r\n") {
                    break end + 4;
                }
            };
            let head = &block[..head_len];
            if head.starts_with(b"POST ") {
                let left = content_length(head)? - (filled - head_len);
                self.receive(left).await?;
            }
            if websocket::is_asked_for(head) {
                let path = str::from_utf8(head)?.split(' ').nth(1).ok_or("no path")?;
                return websocket::serve(&mut self.stream, head, path, &self.house.messages).await;
            }
            self.answer(head).await?;
            self.stream.flush().await?;
            if closes(head) {
                return Ok(self.stream.shutdown().await?);
            }
        }
    }

    async fn answer(&mut self, head: &[u8]) -> Fallible<()> {
        let (stream, house) = (&mut self.stream, &self.house);
        let path = head.splitn(3, |&byte| byte == b' ').nth(1);
        match path.ok_or("no path")? {
            b"/get" | b"/upload" => stream.write_all(&house.small).await?,
            b"/headers" => stream.write_all(&house.ten_headers).await?,
            b"/body" => stream.write_all(&house.body).await?,
            b"/gzip" => stream.write_all(&house.gzip).await?,
            b"/brotli" => stream.write_all(&house.brotli).await?,
            b"/download-chunked" => self.send_chunks().await?,
            b"/download" => self.send_download().await?,
            b"/handshakes" => stream.write_all(house.handshakes().as_bytes()).await?,
            _ => return Err("unknown path".into()),
        }
        Ok(())
    }

    async fn send_download(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.house.download_head).await?;
        let mut left = DOWNLOAD;
        while left > 0 {
            let block = &self.house.block[..BLOCK.min(left)];
            self.stream.write_all(block).await?;
            left -= block.len();
        }
        Ok(())
    }

    async fn send_chunks(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.house.chunked_head).await?;
        for _ in 0..DOWNLOAD / BLOCK {
            self.stream.write_all(&self.house.chunks).await?;
        }
        self.stream.write_all(answers::LAST_CHUNK).await
    }

    async fn receive(&mut self, mut left: usize) -> Fallible<()> {
        if left == 0 {
            return Ok(());
        }
        let mut block = vec![0; BLOCK.min(left)];
        while left > 0 {
            let room = block.len().min(left);
            let read = self.stream.read(&mut block[..room]).await?;
            if read == 0 {
                return Err("closed within the body".into());
            }
            left -= read;
        }
        Ok(())
    }
}

fn content_length(head: &[u8]) -> Fallible<usize> {
    let head = str::from_utf8(head)?.to_ascii_lowercase();
    let (_, value) = head
        .split_once("content-length:")
        .ok_or("an upload needs a content-length")?;
    let line = value.lines().next().unwrap_or_default();
    Ok(line.trim().parse()?)
}

fn closes(head: &[u8]) -> bool {
    memmem::find(head, b"onnection: close").is_some()
}
