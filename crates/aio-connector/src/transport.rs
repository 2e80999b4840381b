//! The byte stream under a connection.

use std::fmt;
use std::future::{Future, poll_fn};
#[cfg(feature = "__tls")]
use std::io::Write;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::task::coop::unconstrained;

use crate::info::{Facts, TlsInfo};
use crate::tls::TlsTransport;

/// A byte stream that a connection can run over.
trait AsyncStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> AsyncStream for S {}

/// The byte stream under a connection; aiohttp's `transport`.
///
/// What a [`Dial`](crate::Dial) makes, and what [`Connection::detach`] gives away.
///
/// [`Connection::detach`]: crate::Connection::detach
pub struct Transport(Stream);

/// Sockets without indirection, anything else boxed.
enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Tls(Box<TlsTransport>),
    Boxed(Box<dyn AsyncStream>),
}

impl From<TcpStream> for Transport {
    fn from(stream: TcpStream) -> Self {
        Self(Stream::Tcp(stream))
    }
}

#[cfg(unix)]
impl From<UnixStream> for Transport {
    fn from(stream: UnixStream) -> Self {
        Self(Stream::Unix(stream))
    }
}

impl From<TlsTransport> for Transport {
    fn from(stream: TlsTransport) -> Self {
        Self(Stream::Tls(Box::new(stream)))
    }
}

impl Transport {
    /// Makes one of any byte stream.
    pub fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Stream::Boxed(Box::new(stream)))
    }

    /// Reads what has arrived, without waiting for more.
    ///
    /// Asks the socket itself: the runtime may not know yet that it is readable.
    pub(crate) fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Stream::Tcp(stream) => (&*SockRef::from(&*stream)).read(buffer),
            #[cfg(unix)]
            Stream::Unix(stream) => (&*SockRef::from(&*stream)).read(buffer),
            Stream::Tls(stream) => stream.read_now(buffer),
            Stream::Boxed(stream) => {
                let mut buffer = ReadBuf::new(buffer);
                match now(|cx| Pin::new(&mut *stream).poll_read(cx, &mut buffer)) {
                    Poll::Ready(read) => read.map(|()| buffer.filled().len()),
                    Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
                }
            }
        }
    }

    /// Writes what can be written without waiting.
    ///
    /// Asks the socket itself: the task may have spent its share of the runtime's budget.
    #[cfg(feature = "__tls")]
    pub(crate) fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Stream::Tcp(stream) => (&*SockRef::from(stream)).write(bytes),
            #[cfg(unix)]
            Stream::Unix(stream) => (&*SockRef::from(stream)).write(bytes),
            _ => match now(|cx| Pin::new(&mut *self).poll_write(cx, bytes)) {
                Poll::Ready(written) => written,
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            },
        }
    }

    /// Frees what an idle connection need not hold.
    pub(crate) fn rest(&mut self) {
        if let Stream::Tls(stream) = &mut self.0 {
            stream.rest();
        }
    }

    /// Tells nothing of the TLS on it: with whom that is spoken is not who answers.
    pub(crate) fn untold(mut self) -> Self {
        if let Stream::Tls(stream) = &mut self.0 {
            stream.hide_info();
        }
        self
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.0, Stream::Tls(_))
    }

    /// Tells what does not change while it lives.
    pub(crate) fn facts(&self) -> Facts {
        Facts {
            peer_addr: self.peer_addr(),
            local_addr: self.local_addr(),
            tls: self.tls(),
        }
    }

    fn tls(&self) -> Option<Arc<TlsInfo>> {
        match &self.0 {
            Stream::Tls(stream) => stream.info().cloned(),
            _ => None,
        }
    }

    /// Returns the peer's address, if it has one of IP.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Stream::Tcp(stream) => stream.peer_addr().ok(),
            Stream::Tls(stream) => stream.lower().peer_addr(),
            _ => None,
        }
    }

    /// Returns the address on this side, if it has one of IP.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Stream::Tcp(stream) => stream.local_addr().ok(),
            Stream::Tls(stream) => stream.lower().local_addr(),
            _ => None,
        }
    }
}

impl Stream {
    /// Gives it for polling.
    fn pinned(&mut self) -> Pin<&mut dyn AsyncStream> {
        match self {
            Self::Tcp(stream) => Pin::new(stream),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(&mut **stream),
            Self::Boxed(stream) => Pin::new(&mut **stream),
        }
    }
}

/// Polls without waiting, whatever the task may still do of the runtime's budget.
fn now<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let mut cx = Context::from_waker(Waker::noop());
    pin!(unconstrained(poll_fn(poll))).poll(&mut cx)
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            stream => stream.pinned().poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            stream => stream.pinned().poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            stream => stream.pinned().poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Stream::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
            Stream::Boxed(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            stream => stream.pinned().poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            stream => stream.pinned().poll_shutdown(cx),
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("peer_addr", &self.peer_addr())
            .finish_non_exhaustive()
    }
}
