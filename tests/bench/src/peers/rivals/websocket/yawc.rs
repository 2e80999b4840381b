//! yawc.

use ::yawc::{CompressionLevel, Frame, Options, Role, WebSocket};
use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio::net::TcpStream;

use crate::{
    Fallible,
    peers::websocket::{Socket, check, message},
    rows::{Messages, Row},
};

pub(super) struct Yawc {
    socket: WebSocket<TcpStream>,
    message: Bytes,
    waiting: u32,
}

impl Yawc {
    async fn receive(&mut self, row: Row) -> Fallible<()> {
        check(row, self.socket.next_frame().await?.payload().len())
    }
}

impl Socket for Yawc {
    async fn over(stream: TcpStream, row: Row) -> Fallible<Self> {
        // Its bound is not reached by what is as large.
        let options = Options::default().with_limits(2 << 20, 4 << 20);
        let socket = if row.messages == Some(Messages::Deflated) {
            let options = options
                .with_utf8()
                .with_compression_level(CompressionLevel::fast());
            let agreed = Some("permessage-deflate");
            WebSocket::from_stream_with_extensions(stream, Role::Client, agreed, options)?
        } else {
            WebSocket::from_stream(stream, Role::Client, options)?
        };
        Ok(Self {
            socket,
            message: message(row).into(),
            waiting: 0,
        })
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        let message = self.message.clone();
        match row.messages {
            Some(Messages::Received) => self.receive(row).await,
            Some(Messages::Sent { together }) => {
                self.socket.feed(Frame::binary(message)).await?;
                self.waiting += 1;
                if self.waiting == together {
                    self.waiting = 0;
                    self.socket.flush().await?;
                }
                Ok(())
            }
            Some(Messages::Deflated) => {
                self.socket.send(Frame::text(message)).await?;
                self.receive(row).await
            }
            _ => {
                self.socket.send(Frame::binary(message)).await?;
                self.receive(row).await
            }
        }
    }
}
