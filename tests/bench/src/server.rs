//! The server: a process of its own on one core, with prebuilt answers, as cheap as can be.

use std::{
    io::{self, Read as _},
    process,
    sync::Arc,
    thread,
};

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{Fallible, answers, cpu, rows::DOWNLOAD};

/// What is sent and received at once by the bulk rows.
const BLOCK: usize = 256 * 1024;

/// Serves until stdin closes; prints its port first.
pub(crate) fn serve(core: usize) -> Fallible<()> {
    cpu::pin_to(core)?;
    end_with_parent();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let answers = Arc::new(Answers::new()?);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answers = Arc::clone(&answers);
            tokio::spawn(async move {
                // A client that goes away is none of the server's business; one that errs
                // otherwise fails its own check.
                Conversation { stream, answers }.run().await.ok();
            });
        }
    })
}

fn end_with_parent() {
    thread::spawn(|| {
        io::stdin().read_to_end(&mut Vec::new()).ok();
        process::exit(0);
    });
}

struct Answers {
    small: Vec<u8>,
    ten_headers: Vec<u8>,
    gzip: Vec<u8>,
    download_head: Vec<u8>,
    block: Vec<u8>,
}

impl Answers {
    fn new() -> Fallible<Self> {
        Ok(Self {
            small: answers::small(),
            ten_headers: answers::ten_headers(),
            gzip: answers::gzip()?,
            download_head: answers::download_head(),
            block: vec![b'd'; BLOCK],
        })
    }
}

struct Conversation {
    stream: TcpStream,
    answers: Arc<Answers>,
}

impl Conversation {
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
            self.answer(head).await?;
        }
    }

    async fn answer(&mut self, head: &[u8]) -> Fallible<()> {
        let target = memchr::memchr(b'/', head).map_or(b' ', |slash| head[slash + 1]);
        match target {
            b'g' if head.starts_with(b"GET /gz") => {
                self.stream.write_all(&self.answers.gzip).await?
            }
            b'g' | b'u' => self.stream.write_all(&self.answers.small).await?,
            b'h' => self.stream.write_all(&self.answers.ten_headers).await?,
            b'd' => self.send_download().await?,
            _ => return Err("unknown path".into()),
        }
        Ok(())
    }

    async fn send_download(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.answers.download_head).await?;
        let mut left = DOWNLOAD;
        while left > 0 {
            let block = &self.answers.block[..BLOCK.min(left)];
            self.stream.write_all(block).await?;
            left -= block.len();
        }
        Ok(())
    }

    async fn receive(&mut self, mut left: usize) -> Fallible<()> {
        let mut block = vec![0; BLOCK];
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
