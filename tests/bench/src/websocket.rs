//! The server's side of WebSockets, as plain as can be, and the frames that it and the raw
//! loop know: final ones, of at most as many bytes as fit in memory.

use std::io;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compress, Compression, FlushCompress};
use memchr::memmem;
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{Fallible, answers};

/// Final, and of bytes.
pub(crate) const BINARY: u8 = 0x82;

/// Final, of text, and compressed.
const DEFLATED: u8 = 0xc1;

/// What the server floods with is made of messages of so many bytes.
pub(crate) const SMALL: usize = 32;

/// What the frames at the start of a buffer look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) first: u8,
    /// Of the header itself, with the key of a mask.
    pub(crate) len: usize,
    pub(crate) key: Option<[u8; 4]>,
    pub(crate) payload: usize,
}

impl Header {
    /// Reads a header; nothing if it is not whole yet.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let (payload, rest) = match second & 0x7f {
            126 => {
                let (len, rest) = rest.split_first_chunk()?;
                (u16::from_be_bytes(*len).into(), rest)
            }
            127 => {
                let (len, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*len) as usize, rest)
            }
            len => (len.into(), rest),
        };
        let (key, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            let (key, rest) = rest.split_first_chunk()?;
            (Some(*key), rest)
        };
        Some(Self {
            first,
            len: bytes.len() - rest.len(),
            key,
            payload,
        })
    }
}

/// Appends a frame, masked if there is a `key`.
pub(crate) fn write(first: u8, key: Option<[u8; 4]>, payload: &[u8], output: &mut Vec<u8>) {
    output.push(first);
    let mask = if key.is_some() { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..=125 => output.push(mask | len as u8),
        len @ 126..=0xffff => {
            output.push(mask | 126);
            output.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            output.push(mask | 127);
            output.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    let Some(key) = key else {
        output.extend_from_slice(payload);
        return;
    };
    output.extend_from_slice(&key);
    let start = output.len();
    output.extend_from_slice(payload);
    mask_with(key, &mut output[start..]);
}

/// Masks or unmasks.
pub(crate) fn mask_with(key: [u8; 4], payload: &mut [u8]) {
    let [a, b, c, d] = key;
    let twice = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ twice).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// What the server sends over WebSockets, made once.
pub(crate) struct Messages {
    flood: Vec<u8>,
    json: Vec<u8>,
}

impl Messages {
    pub(crate) fn new() -> Fallible<Self> {
        let mut flood = Vec::new();
        while flood.len() < 64 * 1024 {
            write(BINARY, None, &[b'f'; SMALL], &mut flood);
        }
        let mut json = Vec::new();
        let text = answers::json(answers::MESSAGE);
        write(DEFLATED, None, &deflated(text.as_bytes())?, &mut json);
        Ok(Self { flood, json })
    }
}

/// A message as RFC 7692 has it, which refers to none before.
fn deflated(message: &[u8]) -> Fallible<Vec<u8>> {
    let mut compress = Compress::new(Compression::default(), false);
    let mut output = Vec::with_capacity(message.len() + 1024);
    compress.compress_vec(message, &mut output, FlushCompress::Sync)?;
    let end = output
        .strip_suffix(&[0, 0, 0xff, 0xff])
        .ok_or("no end of a block")?;
    Ok(end.to_vec())
}

/// Whether a request asks for a WebSocket.
pub(crate) fn is_asked_for(head: &[u8]) -> bool {
    memmem::find(&head.to_ascii_lowercase(), b"upgrade: websocket").is_some()
}

/// Accepts, and does what the `path` says until the client goes away.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    head: &[u8],
    path: &str,
    messages: &Messages,
) -> Fallible<()> {
    stream.write_all(&accept(head)?).await?;
    match path {
        "/echo" => echo(stream).await?,
        "/source" => loop {
            stream.write_all(&messages.flood).await?;
        },
        "/sink" => {
            let mut block = vec![0; 256 * 1024];
            while stream.read(&mut block).await? > 0 {}
        }
        "/json" => answer(stream, &messages.json).await?,
        _ => return Err("unknown path of a WebSocket".into()),
    }
    Ok(())
}

fn accept(head: &[u8]) -> Fallible<Vec<u8>> {
    let head = str::from_utf8(head)?;
    let field = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let key = field("sec-websocket-key").ok_or("no key")?;
    let hash = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    let extensions = field("sec-websocket-extensions")
        .map_or("", |_| "sec-websocket-extensions: permessage-deflate\r\n");
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {}\r\n{extensions}\r\n",
        BASE64_STANDARD.encode(hash)
    );
    Ok(answer.into_bytes())
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut input = Input::default();
    let mut output = Vec::new();
    loop {
        let Some((header, payload)) = input.frame(stream).await? else {
            return Ok(());
        };
        if let Some(key) = header.key {
            mask_with(key, payload);
        }
        output.clear();
        write(header.first, None, payload, &mut output);
        stream.write_all(&output).await?;
    }
}

/// Answers whatever comes with the same bytes.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, with: &[u8]) -> io::Result<()> {
    let mut input = Input::default();
    while input.frame(stream).await?.is_some() {
        stream.write_all(with).await?;
    }
    Ok(())
}

/// What has been read, and not been looked at.
#[derive(Default)]
pub(crate) struct Input {
    block: Vec<u8>,
    start: usize,
    filled: usize,
}

/// What is read at once, where nothing larger is on its way.
const READ: usize = 64 * 1024;

impl Input {
    /// Reads one frame; nothing at the end.
    pub(crate) async fn frame<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
    ) -> io::Result<Option<(Header, &mut [u8])>> {
        loop {
            let header = Header::read(&self.block[self.start..self.filled]);
            let wanted = header.map_or(1, |header| header.len + header.payload);
            if let Some(header) = header
                && self.filled - self.start >= wanted
            {
                let payload = self.start + header.len;
                self.start = payload + header.payload;
                return Ok(Some((header, &mut self.block[payload..self.start])));
            }
            self.block.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
            if self.block.len() < wanted.max(READ) {
                self.block.resize(wanted.max(READ), 0);
            }
            let read = stream.read(&mut self.block[self.filled..]).await?;
            if read == 0 {
                return Ok(None);
            }
            self.filled += read;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(payload: usize, key: Option<[u8; 4]>, len: usize) {
        let payload = vec![b'p'; payload];
        let mut frame = Vec::new();
        write(BINARY, key, &payload, &mut frame);
        let want = Header {
            first: BINARY,
            len,
            key,
            payload: payload.len(),
        };
        assert_eq!(Header::read(&frame), Some(want));
        assert_eq!(Header::read(&frame[..len - 1]), None);
        if let Some(key) = key {
            mask_with(key, &mut frame[len..]);
        }
        assert_eq!(frame[len..], payload);
    }

    #[test]
    fn a_frame_is_read_as_it_is_written() {
        let key = Some([1, 2, 3, 4]);
        check(0, None, 2);
        check(125, key, 6);
        check(126, None, 4);
        check(0xffff, key, 8);
        check(0x1_0000, None, 10);
        check(0x1_0003, key, 14);
    }

    #[test]
    fn a_key_is_answered_as_in_the_rfc() {
        let head = b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let answer = String::from_utf8(accept(head).expect("a key")).expect("text");
        assert!(
            answer.contains("accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            "{answer}"
        );
    }
}
