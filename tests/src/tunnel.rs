//! A proxy that gives tunnels, and remembers what it was asked for them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// A proxy whose tunnels all lead to one server, whatever host is asked for.
///
/// Dropping it ends it and its tunnels.
///
/// ```
/// use aio_tests::tunnel::TunnelProxy;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = "127.0.0.1:9".parse()?;
/// let proxy = TunnelProxy::start(server).await?;
/// assert!(proxy.url().starts_with("http://127.0.0.1:"));
/// assert!(proxy.asked().is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TunnelProxy {
    address: SocketAddr,
    is_tls: bool,
    asked: Arc<Mutex<Vec<String>>>,
    open: watch::Sender<usize>,
    acceptor: JoinHandle<()>,
}

impl TunnelProxy {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        Self::start_with(server, None).await
    }

    /// Starts one that is spoken to over TLS.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub async fn start_tls(server: SocketAddr, tls: Arc<ServerConfig>) -> io::Result<Self> {
        Self::start_with(server, Some(TlsAcceptor::from(tls))).await
    }

    async fn start_with(server: SocketAddr, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, is_tls) = (listener.local_addr()?, tls.is_some());
        let asked = Arc::default();
        let open = watch::Sender::new(0);
        let (log, counted) = (Arc::clone(&asked), open.clone());
        let acceptor = tokio::spawn(async move {
            let mut tunnels = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.send_modify(|open| *open += 1);
                let (tls, log, counted) = (tls.clone(), Arc::clone(&log), counted.clone());
                tunnels.spawn(async move {
                    accepted(stream, tls, server, log).await;
                    counted.send_modify(|open| *open -= 1);
                });
            }
        });
        Ok(Self {
            address,
            is_tls,
            asked,
            open,
            acceptor,
        })
    }

    /// Returns its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for("")
    }

    /// Returns its URL with this userinfo.
    #[must_use]
    pub fn url_for(&self, userinfo: &str) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let at = if userinfo.is_empty() { "" } else { "@" };
        format!("{scheme}://{userinfo}{at}{}", self.address)
    }

    /// Returns the heads of the requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns how many connections to it are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// Waits until exactly so many are open.
    pub async fn wait_for_open(&self, open: usize) {
        // It keeps a sender itself: the channel is open.
        _ = self.open.subscribe().wait_for(|now| *now == open).await;
    }
}

impl Drop for TunnelProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

/// What goes wrong ends the connection, which is for the client to notice.
async fn accepted(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    server: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
) {
    _ = match tls {
        None => tunnel(stream, server, &log).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => tunnel(stream, server, &log).await,
            Err(error) => Err(error),
        },
    };
}

async fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    server: SocketAddr,
    log: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(head);
    let mut far = TcpStream::connect(server).await?;
    stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await?;
    stream.flush().await?;
    copy_bidirectional(&mut stream, &mut far).await?;
    Ok(())
}
