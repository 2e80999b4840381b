//! fastwebsockets, which writes each frame at once unless its stream gathers them.

use ::fastwebsockets::{Frame, Payload, Role, WebSocket};
use tokio::{io::BufStream, net::TcpStream};

use crate::{
    Fallible,
    peers::websocket::{Socket, check, message},
    rows::{Messages, Row},
};

pub(super) struct Fast {
    socket: Kind,
    message: Vec<u8>,
    waiting: u32,
}

enum Kind {
    Plain(WebSocket<TcpStream>),
    Gathering(WebSocket<BufStream<TcpStream>>),
}

impl Socket for Fast {
    async fn over(stream: TcpStream, row: Row) -> Fallible<Self> {
        let socket = match row.messages {
            Some(Messages::Sent { .. }) => {
                let stream = BufStream::new(stream);
                Kind::Gathering(WebSocket::after_handshake(stream, Role::Client))
            }
            _ => Kind::Plain(WebSocket::after_handshake(stream, Role::Client)),
        };
        Ok(Self {
            socket,
            message: message(row),
            waiting: 0,
        })
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        // It masks in place, so that each message is copied before.
        let frame = || Frame::binary(Payload::Owned(self.message.clone()));
        match (&mut self.socket, row.messages) {
            (Kind::Plain(socket), Some(Messages::Received)) => {
                check(row, socket.read_frame().await?.payload.len())
            }
            (Kind::Plain(socket), _) => {
                socket.write_frame(frame()).await?;
                check(row, socket.read_frame().await?.payload.len())
            }
            (Kind::Gathering(socket), messages) => {
                socket.write_frame(frame()).await?;
                self.waiting += 1;
                if messages
                    == Some(Messages::Sent {
                        together: self.waiting,
                    })
                {
                    self.waiting = 0;
                    socket.flush().await?;
                }
                Ok(())
            }
        }
    }
}
