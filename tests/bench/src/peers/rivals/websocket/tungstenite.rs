//! tokio-tungstenite.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use crate::{
    Fallible,
    peers::websocket::{Socket, check, message},
    rows::{Messages, Row},
};

pub(super) struct Tungstenite {
    socket: WebSocketStream<TcpStream>,
    message: Bytes,
    waiting: u32,
}

impl Tungstenite {
    async fn receive(&mut self, row: Row) -> Fallible<()> {
        let message = self.socket.next().await.ok_or("the server is gone")??;
        check(row, message.len())
    }
}

impl Socket for Tungstenite {
    async fn over(stream: TcpStream, row: Row) -> Fallible<Self> {
        Ok(Self {
            socket: WebSocketStream::from_raw_socket(stream, Role::Client, None).await,
            message: message(row).into(),
            waiting: 0,
        })
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        let message = || Message::Binary(self.message.clone());
        match row.messages {
            Some(Messages::Received) => self.receive(row).await,
            Some(Messages::Sent { together }) => {
                self.socket.feed(message()).await?;
                self.waiting += 1;
                if self.waiting == together {
                    self.waiting = 0;
                    self.socket.flush().await?;
                }
                Ok(())
            }
            _ => {
                self.socket.send(message()).await?;
                self.receive(row).await
            }
        }
    }
}
