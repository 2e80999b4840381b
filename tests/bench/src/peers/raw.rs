//! A hand-written loop: writes a prebuilt request, scans the answer. The practical limit.

use std::{
    io::{self, IoSlice},
    sync::{Arc, Mutex},
};

use brotli_decompressor::BrotliDecompress;
use flate2::{Crc, Decompress, FlushDecompress, Status};
use memchr::{memchr, memmem::Finder};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{
    CHUNK, Client, Peer, UPLOAD_CHUNK, check_answer, crew, request_headers,
    way::{Plain, Tls, Way},
    websocket,
};
use crate::{
    Fallible, answers,
    rows::{Coding, Reading, Row},
    site::Site,
};

pub(crate) const PEER: Peer = Peer {
    name: "raw",
    open: |row, site| {
        if row.messages.is_some() {
            crew::<websocket::Raw>(row, site)
        } else if row.link.is_tls() {
            crew::<Raw<Tls>>(row, site)
        } else {
            crew::<Raw<Plain>>(row, site)
        }
    },
};

struct Raw<W: Way> {
    way: W,
    stream: Option<W::Stream>,
    talk: Talk,
}

impl<W: Way> Client for Raw<W> {
    async fn open(row: Row, site: &Site) -> Fallible<Vec<Self>> {
        let way = W::to(row, site)?;
        // One for all tasks: a state and a buffer for each would fall out of the cache.
        let inflater = Arc::new(Mutex::new(Inflater::new()));
        let mut clients = Vec::with_capacity(row.tasks);
        for _ in 0..row.tasks {
            clients.push(Self {
                stream: if row.link.is_kept() {
                    Some(way.connect().await?)
                } else {
                    None
                },
                way: way.clone(),
                talk: Talk::new(row, site, &inflater),
            });
        }
        Ok(clients)
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        if let Some(stream) = &mut self.stream {
            return self.talk.exchange(stream, row).await;
        }
        let mut stream = self.way.connect().await?;
        self.talk.exchange(&mut stream, row).await
    }
}

/// What is said over a stream, and heard.
struct Talk {
    request: Vec<u8>,
    block: Block,
    length_name: Finder<'static>,
    chunked_name: Finder<'static>,
    head_end: Finder<'static>,
    inflater: Arc<Mutex<Inflater>>,
}

impl Talk {
    fn new(row: Row, site: &Site, inflater: &Arc<Mutex<Inflater>>) -> Self {
        Self {
            request: request_head(row, site).into_bytes(),
            block: Block::for_answers_of(row.answer_len),
            length_name: Finder::new("content-length: "),
            chunked_name: Finder::new("transfer-encoding: chunked"),
            head_end: Finder::new("\r\n\r\n"),
            inflater: Arc::clone(inflater),
        }
    }

    async fn exchange<S: Stream>(&mut self, stream: &mut S, row: Row) -> Fallible<()> {
        self.send(stream, row.upload_len).await?;
        let (head_len, filled) = self.read_head(stream).await?;
        let head = &self.block.bytes()[..head_len];
        let status = status_of(head)?;
        if row.reading == Reading::Chunks && self.chunked_name.find(head).is_some() {
            let length = self.count_chunks(stream, head_len, filled).await?;
            return check_answer(row, status, length);
        }
        let body_len = self.body_len(head)?;
        let body_in_block = filled - head_len;
        let length = match row.reading {
            Reading::Whole | Reading::Chunks => {
                self.skip(stream, body_len - body_in_block).await?;
                body_len
            }
            Reading::TenHeaders => {
                let values = line_values(head);
                if values < answers::TEN_HEADERS.len() / 2 {
                    return Err("too few headers".into());
                }
                self.skip(stream, body_len - body_in_block).await?;
                body_len
            }
            Reading::Decoded(coding) => {
                let end = head_len + body_len;
                let block = self
                    .block
                    .bytes_mut()
                    .get_mut(..end)
                    .ok_or("body above the block")?;
                stream.read_exact(&mut block[filled..]).await?;
                let mut inflater = self.inflater.lock().expect("no holder panics");
                match coding {
                    Coding::Gzip => inflater.inflate(&block[head_len..])?,
                    Coding::Brotli => inflater.unbrotli(&block[head_len..])?,
                }
            }
        };
        check_answer(row, status, length)
    }

    async fn send<S: Stream>(&mut self, stream: &mut S, body_len: usize) -> io::Result<()> {
        let total = self.request.len() + body_len;
        let mut sent = 0;
        while sent < total {
            sent += if body_len == 0 {
                stream.write(&self.request[sent..]).await?
            } else {
                let slices = gather(&self.request, sent, total);
                stream.write_vectored(&slices).await?
            };
        }
        stream.flush().await
    }

    /// Returns the length of the head and of all that has come so far.
    async fn read_head<S: Stream>(&mut self, stream: &mut S) -> Fallible<(usize, usize)> {
        let mut filled = 0;
        loop {
            let read = stream.read(&mut self.block.bytes_mut()[filled..]).await?;
            if read == 0 {
                return Err("closed or too long before the end of the head".into());
            }
            filled += read;
            if let Some(end) = self.head_end.find(&self.block.bytes()[..filled]) {
                return Ok((end + 4, filled));
            }
        }
    }

    fn body_len(&self, head: &[u8]) -> Fallible<usize> {
        let name = self.length_name.find(head).ok_or("no content-length")?;
        let digits = &head[name + self.length_name.needle().len()..];
        Ok(digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .fold(0, |length, digit| length * 10 + usize::from(digit - b'0')))
    }

    async fn skip<S: Stream>(&mut self, stream: &mut S, mut left: usize) -> Fallible<()> {
        while left > 0 {
            let block = self.block.bytes_mut();
            let room = block.len().min(left);
            let read = stream.read(&mut block[..room]).await?;
            if read == 0 {
                return Err("closed within the body".into());
            }
            if read == room {
                self.block.shift();
            }
            left -= read;
        }
        Ok(())
    }

    /// Returns the length of all chunks together, behind a head in the block's front.
    async fn count_chunks<S: Stream>(
        &mut self,
        stream: &mut S,
        head_len: usize,
        filled: usize,
    ) -> Fallible<usize> {
        let mut chunks = Chunks::default();
        let mut ended = chunks.take(&self.block.bytes()[head_len..filled]);
        while !ended {
            let block = self.block.bytes_mut();
            let read = stream.read(block).await?;
            if read == 0 {
                return Err("closed within the body".into());
            }
            ended = chunks.take(&block[..read]);
            if read == block.len() {
                self.block.shift();
            }
        }
        Ok(chunks.total)
    }
}

/// Counts the bytes in chunks, without extensions and trailers.
#[derive(Default)]
struct Chunks {
    total: usize,
    /// Of the chunk and the line end behind it.
    left: usize,
    /// What is known of the size.
    size: usize,
}

impl Chunks {
    /// Tells whether the last chunk has come.
    fn take(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let here = self.left.min(bytes.len());
                self.left -= here;
                bytes = &bytes[here..];
                continue;
            }
            bytes = rest;
            match first {
                b'\r' => {}
                b'\n' if self.size == 0 => return true,
                b'\n' => {
                    self.total += self.size;
                    self.left = std::mem::take(&mut self.size) + 2;
                }
                digit => {
                    let digit = char::from(digit).to_digit(16).unwrap_or_default();
                    self.size = self.size * 16 + digit as usize;
                }
            }
        }
        false
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

fn request_head(row: Row, site: &Site) -> String {
    let (method, length) = match row.upload_len {
        0 => ("GET", String::new()),
        length => ("POST", format!("content-length: {length}\r\n")),
    };
    let headers: String = request_headers(row.link)
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!(
        "{method} {} HTTP/1.1\r\nhost: {}\r\n{headers}{length}\r\n",
        row.path,
        site.address(row.link)
    )
}

fn status_of(head: &[u8]) -> Fallible<u16> {
    let digits = head
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    Ok(str::from_utf8(digits.ok_or("not HTTP/1.1")?)?.parse()?)
}

/// Returns the length of all header values together, having found each.
fn line_values(mut head: &[u8]) -> usize {
    let mut length = 0;
    while let Some(end) = memchr(b'\n', head) {
        let (line, rest) = head.split_at(end + 1);
        if let Some(colon) = memchr(b':', line) {
            length += line.len() - colon;
        }
        head = rest;
    }
    length
}

/// Returns what follows the first `sent` bytes of head and body: one writev of the head and
/// eight chunks (PERF.md, bulk rule 3).
fn gather(head: &[u8], sent: usize, total: usize) -> [IoSlice<'_>; 9] {
    let mut slices = [IoSlice::new(&[]); 9];
    slices[0] = IoSlice::new(head.get(sent..).unwrap_or_default());
    let mut at = sent.max(head.len());
    for slice in &mut slices[1..] {
        let chunk = &UPLOAD_CHUNK[(at - head.len()) % CHUNK..];
        let chunk = &chunk[..chunk.len().min(total - at)];
        *slice = IoSlice::new(chunk);
        at += chunk.len();
    }
    slices
}

const PAGE: usize = 4096;

/// A read buffer. For more than small answers it has 64 KiB, starts on a page, and moves on by
/// 192 bytes after a full read: the kernel's copy is slow for some offsets within the page
/// (PERF.md, bulk rule 1). Small ones start anywhere: a thousand that start on a page would
/// share the same few sets of the cache.
struct Block {
    memory: Vec<u8>,
    len: usize,
    page: usize,
    start: usize,
}

impl Block {
    const SMALL: usize = 4096;
    const LARGE: usize = 64 * 1024;
    const STEP: usize = 192;

    fn for_answers_of(body_len: usize) -> Self {
        if body_len * 2 <= Self::SMALL {
            let memory = vec![0; Self::SMALL + PAGE];
            return Self {
                memory,
                len: Self::SMALL,
                page: 0,
                start: 0,
            };
        }
        let memory = vec![0; Self::LARGE + 2 * PAGE];
        let page = memory.as_ptr().align_offset(PAGE);
        Self {
            memory,
            len: Self::LARGE,
            page,
            start: page,
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }

    fn shift(&mut self) {
        let offset = (self.start - self.page + Self::STEP) % PAGE;
        self.start = self.page + offset;
    }
}

/// Decodes gzip bodies, the state and the buffer kept from one to the next.
struct Inflater {
    state: Decompress,
    decoded: Vec<u8>,
}

impl Inflater {
    /// The header without options, as our server sends it (RFC 1952 2.3).
    const HEADER: usize = 10;

    fn new() -> Self {
        Self {
            state: Decompress::new(false),
            decoded: Vec::new(),
        }
    }

    /// Returns the decoded length.
    fn inflate(&mut self, body: &[u8]) -> Fallible<usize> {
        self.decoded.clear();
        self.decoded.reserve(answers::JSON);
        self.state.reset(false);
        let deflated = body.get(Self::HEADER..).ok_or("no gzip header")?;
        let status =
            self.state
                .decompress_vec(deflated, &mut self.decoded, FlushDecompress::Finish)?;
        let mut crc = Crc::new();
        crc.update(&self.decoded);
        let trailer = deflated
            .get(self.state.total_in() as usize..)
            .unwrap_or_default();
        let sound = status == Status::StreamEnd && trailer.starts_with(&crc.sum().to_le_bytes());
        if !sound {
            return Err("gzip body damaged".into());
        }
        Ok(self.decoded.len())
    }

    fn unbrotli(&mut self, mut body: &[u8]) -> Fallible<usize> {
        self.decoded.clear();
        self.decoded.reserve(answers::JSON);
        BrotliDecompress(&mut body, &mut self.decoded)?;
        Ok(self.decoded.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_gather(sent: usize, body_len: usize, want: usize) {
        let head = [b'h'; 10];
        let slices = gather(&head, sent, head.len() + body_len);
        assert_eq!(
            slices.iter().map(|slice| slice.len()).sum::<usize>(),
            want,
            "{sent} {body_len}"
        );
    }

    #[test]
    fn gather_takes_the_head_and_up_to_eight_chunks() {
        check_gather(0, 5, 15);
        check_gather(4, 5, 11);
        check_gather(12, 5, 3);
        check_gather(0, 100 * CHUNK, 10 + 8 * CHUNK);
        check_gather(10 + CHUNK + 7, 100 * CHUNK, 8 * CHUNK - 7);
        check_gather(10 + 100 * CHUNK, 100 * CHUNK, 0);
    }
}
