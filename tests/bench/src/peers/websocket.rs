//! WebSockets by hand: the raw loop, and connections for those who do not make their own.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::Client;
use crate::{
    Fallible, answers,
    rows::{Messages, Row},
    site::Site,
    websocket::{BINARY, Input, write},
};

/// A WebSocket of a peer that is given a connection.
pub(crate) trait Socket: Sized + Send + 'static {
    fn over(stream: TcpStream, row: Row) -> impl Future<Output = Fallible<Self>>;

    /// Sends or receives one message of `row`, or both, and checks its length.
    fn exchange(&mut self, row: Row) -> impl Future<Output = Fallible<()>> + Send;
}

impl<S: Socket> Client for S {
    async fn open(row: Row, site: &Site) -> Fallible<Vec<Self>> {
        let mut sockets = Vec::with_capacity(row.tasks);
        for _ in 0..row.tasks {
            let stream = upgraded(site.address(row.link), row).await?;
            sockets.push(S::over(stream, row).await?);
        }
        Ok(sockets)
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        Socket::exchange(self, row).await
    }
}

/// Connects, asks for a WebSocket and is given it.
async fn upgraded(address: SocketAddr, row: Row) -> Fallible<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let extensions = match row.messages {
        Some(Messages::Deflated) => "sec-websocket-extensions: permessage-deflate\r\n",
        _ => "",
    };
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extensions}\r\n",
        row.path
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    // One at a time: what follows is the peer's.
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    if head.starts_with(b"HTTP/1.1 101 ") {
        Ok(stream)
    } else {
        Err("no WebSocket".into())
    }
}

pub(crate) fn check(row: Row, length: usize) -> Fallible<()> {
    if length == row.answer_len {
        return Ok(());
    }
    Err(format!("{}: a message of {length} bytes", row.name).into())
}

/// What is sent as a message of `row`.
pub(crate) fn message(row: Row) -> Vec<u8> {
    match row.messages {
        Some(Messages::Deflated) => answers::json(row.answer_len).into_bytes(),
        _ => vec![b'm'; row.answer_len],
    }
}

pub(crate) struct Raw {
    stream: TcpStream,
    input: Input,
    output: Vec<u8>,
    message: Vec<u8>,
    key: u32,
    waiting: u32,
}

impl Raw {
    fn put(&mut self) {
        // Another key for each, as for everybody.
        self.key = self.key.wrapping_mul(0x915f_77f5).wrapping_add(1);
        write(
            BINARY,
            Some(self.key.to_ne_bytes()),
            &self.message,
            &mut self.output,
        );
    }

    async fn flush(&mut self) -> Fallible<()> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        Ok(())
    }

    async fn receive(&mut self, row: Row) -> Fallible<()> {
        let frame = self.input.frame(&mut self.stream).await?;
        let (header, _) = frame.ok_or("the server is gone")?;
        check(row, header.payload)
    }
}

impl Socket for Raw {
    async fn over(stream: TcpStream, row: Row) -> Fallible<Self> {
        Ok(Self {
            stream,
            input: Input::default(),
            output: Vec::new(),
            message: message(row),
            key: 0x1234_5678,
            waiting: 0,
        })
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        match row.messages {
            Some(Messages::Received) => self.receive(row).await,
            Some(Messages::Sent { together }) => {
                self.put();
                self.waiting += 1;
                if self.waiting == together {
                    self.waiting = 0;
                    self.flush().await?;
                }
                Ok(())
            }
            _ => {
                self.put();
                self.flush().await?;
                self.receive(row).await
            }
        }
    }
}
