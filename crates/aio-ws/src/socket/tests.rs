//! Sockets over streams in memory, with the clock stopped.

mod cancel;
mod close;
mod heartbeat;
mod receive;
mod send;
mod split;

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;

use super::*;
use crate::{FrameHeader, Mask, Role, Rsv, WsConfig, WsMsgType};

const MS: Duration = Duration::from_millis(1);

/// What two ends of a connection hold for each other.
const ROOM: usize = 64 * 1024;

/// A socket of a client and the bare stream of its peer.
fn client() -> (WebSocket<DuplexStream>, Peer) {
    client_with(WsConfig::default(), ROOM)
}

fn client_with(config: WsConfig, room: usize) -> (WebSocket<DuplexStream>, Peer) {
    let (near, far) = duplex(room);
    (socket(near, Role::Client, config), Peer::new(far))
}

/// Two sockets that talk to each other.
fn pair(room: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (near, far) = duplex(room);
    (
        socket(near, Role::Client, WsConfig::default()),
        socket(far, Role::Server, WsConfig::default()),
    )
}

fn socket<S>(stream: S, role: Role, config: WsConfig) -> WebSocket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    WebSocket::new(stream, Protocol::new(role, config, [7; 32]))
}

/// A server that does what it is told, frame by frame.
struct Peer {
    stream: DuplexStream,
    input: BytesMut,
}

impl Peer {
    fn new(stream: DuplexStream) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
        }
    }

    /// Sends a final frame.
    async fn send(&mut self, opcode: OpCode, payload: impl AsRef<[u8]>) {
        let frame = frame(opcode, payload.as_ref());
        self.stream.write_all(&frame).await.expect("read");
    }

    async fn send_close(&mut self, code: CloseCode) {
        self.send(OpCode::Close, code.get().to_be_bytes()).await;
    }

    /// Reads a frame; `None` at the end of the stream.
    async fn frame(&mut self) -> Option<(OpCode, Vec<u8>)> {
        loop {
            if let Some((header, size)) =
                FrameHeader::parse(&self.input, Rsv::NONE).expect("a good frame")
                && self.input.len() >= size + header.len as usize
            {
                self.input.advance(size);
                let mut payload = self.input.split_to(header.len as usize);
                if let Some(key) = header.mask {
                    Mask::new(key).apply(&mut payload);
                }
                return Some((header.opcode, payload.to_vec()));
            }
            if within(self.stream.read_buf(&mut self.input))
                .await
                .expect("no error in memory")
                == 0
            {
                return None;
            }
        }
    }

    /// Reads frames up to the end.
    async fn frames(&mut self) -> Vec<(OpCode, Vec<u8>)> {
        let mut frames = Vec::new();
        while let Some(frame) = self.frame().await {
            frames.push(frame);
        }
        frames
    }
}

fn frame(opcode: OpCode, payload: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    FrameHeader::new(opcode, payload.len() as u64).encode(&mut frame);
    frame.extend_from_slice(payload);
    frame
}

/// A close frame with the code, as it is read.
fn closed(code: CloseCode) -> (OpCode, Vec<u8>) {
    (OpCode::Close, code.get().to_be_bytes().to_vec())
}

/// Waits for what must come; the clock is stopped, so that this takes no time.
async fn within<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(3600), future)
        .await
        .expect("it comes")
}

/// Tells whether a future goes on waiting, whatever other tasks do.
async fn waits<F: Future>(future: Pin<&mut F>) -> bool {
    timeout(MS, future).await.is_err()
}

/// Polls a future, whenever it is woken, at most `count` times; `None` if it was not ready.
async fn cut<F: Future>(future: F, count: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|cx| {
        if polls == count {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == count => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The next item of a stream, without a crate for it.
async fn next<S: futures_core::Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    within(poll_fn(|cx: &mut Context<'_>| {
        Pin::new(&mut *stream).poll_next(cx)
    }))
    .await
}

/// What a socket tells of itself.
#[track_caller]
fn check_state<S>(socket: &WebSocket<S>, closed: bool, code: Option<u16>, exception: Option<&str>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    assert_eq!(socket.is_closed(), closed, "closed");
    assert_eq!(socket.close_code(), code, "code");
    let class = socket.exception().map(|error| error.aiohttp_class());
    assert_eq!(class, exception, "exception");
}

#[track_caller]
fn text_of(received: Result<Option<WsMessage>, WsError>) -> String {
    match received {
        Ok(Some(WsMessage::Text(text))) => text.into(),
        other => panic!("no text: {other:?}"),
    }
}

#[test]
fn sockets_may_be_sent_and_moved() {
    fn check<T: Send + Unpin + 'static>(_: &T) {}
    fn check_future<T: Send>(_: &T) {}
    let (mut socket, _peer) = client();
    check(&socket);
    check_future(&socket.receive());
    check_future(&socket.receive_str());
    check_future(&socket.send("x"));
    check_future(&socket.feed("x"));
    check_future(&socket.flush());
    check_future(&socket.close(CloseCode::OK, ""));
    let (reader, writer) = socket.split();
    check(&reader);
    check(&writer);
}

#[test]
fn futures_are_small() {
    let (mut socket, _peer) = client();
    let size = size_of_val(&socket.receive());
    assert!(size <= 128, "{size}");
    let size = size_of_val(&socket.send("x"));
    assert!(size <= 256, "{size}");
    let size = size_of_val(&socket.close(CloseCode::OK, ""));
    assert!(size <= 256, "{size}");
    let size = size_of_val(&socket);
    assert!(size <= 192, "{size}");
    let size = size_of::<Core<DuplexStream>>();
    assert!(size <= 1024, "{size}");
    let size = size_of::<Result<Option<WsMessage>, WsError>>();
    assert!(size <= 48, "{size}");
}
