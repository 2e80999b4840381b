//! How sockets are made.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

/// How a connector makes its sockets.
#[derive(Debug, Clone, Default)]
pub(crate) struct SocketOptions {}

impl SocketOptions {
    /// Connects a new socket.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        // CON-36: a small request must not wait for the answer to the one before.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
