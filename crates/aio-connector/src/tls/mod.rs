//! TLS under a connection.

mod builder;
mod certificate;
mod checks;
mod client;
mod config;
mod errors;
mod facts;
mod fingerprint;
#[cfg(feature = "rustls")]
mod from_rustls;
mod identity;
mod key_log;
mod named;
mod pem;
mod problem;
mod provider;
mod roots;
mod settings;
mod verifier;
mod witness;

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use self::builder::TlsConfigBuilder;
pub use self::config::TlsConfig;
pub(crate) use self::errors::problem_of;
pub use self::fingerprint::Fingerprint;
use self::witness::{Seen, witnessed};
use crate::error::Refusal;
use crate::info::TlsInfo;
use crate::key::ConnectionKey;
use crate::transport::Transport;

impl TlsConfig {
    /// What a connector uses that was given no settings.
    pub(crate) fn of_connector() -> Self {
        Self::new()
    }

    /// Prepares for handshakes with a peer, whose own settings take the place of these: what
    /// is wrong with the settings or the name shows before anyone is dialled.
    pub(crate) async fn prepare(&self, peer: &ConnectionKey) -> Result<Handshake, Refusal> {
        let name = peer.server_name().to_owned();
        let server = ServerName::try_from(name).map_err(errors::before_tls)?;
        let config = peer.tls().unwrap_or(self).clone();
        // CON-75: a connector's fingerprint holds where a request names none.
        let fingerprint = config.fingerprint().or_else(|| self.fingerprint());
        let connector = TlsConnector::from(config.client().await?);
        Ok(Handshake {
            config,
            fingerprint,
            connector,
            server,
        })
    }
}

/// A handshake to be made, with each address of a server if need be.
pub(crate) struct Handshake {
    config: TlsConfig,
    fingerprint: Option<Fingerprint>,
    connector: TlsConnector,
    server: ServerName<'static>,
}

impl Handshake {
    /// Agrees with the peer of `stream`, which must be the server, on TLS.
    pub(crate) async fn agree(&self, stream: Transport) -> Result<Transport, Refusal> {
        let connecting = self.connector.connect(self.server.clone(), stream);
        let host = self.server.to_str();
        let stream = match witnessed(connecting).await {
            Ok(stream) => stream,
            Err((error, seen)) => return Err(errors::refusal(error, &seen, &host)),
        };
        let session = stream.get_ref().1;
        if let Some(fingerprint) = &self.fingerprint {
            // No verifier sees a session that is resumed, nor the connector's fingerprint;
            // the certificates are those of the first handshake then.
            let shown = session.peer_certificates().and_then(<[_]>::first);
            let shown = shown.map_or(&[][..], |certificate| certificate);
            let checked = fingerprint.check(shown);
            checked.map_err(|error| errors::of_tls(error, &Seen::default(), &host))?;
        }
        let info = Arc::new(self.config.info(session, &self.server));
        let info = Some(info);
        Ok(Transport::from(TlsTransport { stream, info }))
    }
}

/// How often the socket is asked at most, for 4 KiB each time: a peer that sends tickets
/// without end must not keep the thread.
const READS: usize = 32;

/// A TLS connection over a byte stream.
///
/// Dropped, it tells the peer so, if that goes without waiting.
pub(crate) struct TlsTransport {
    stream: TlsStream<Transport>,
    info: Option<Arc<TlsInfo>>,
}

impl TlsTransport {
    /// Reads what has arrived, without waiting for more.
    ///
    /// New tickets and keys are taken in: they may come at any time.
    pub(crate) fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (lower, session) = self.stream.get_mut();
        // What failed before fails again, though the socket may be silent.
        session.writer().flush()?;
        for _ in 0..READS {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            session.read_tls(&mut Now(lower))?;
            session.process_new_packets().map_err(io::Error::other)?;
        }
        Err(io::Error::other("the peer sends without end"))
    }

    /// Frees what an idle connection need not hold.
    pub(crate) fn rest(&mut self) {
        // Behind long records the buffer for what is received is cut down only when it is
        // to be read into.
        let (lower, session) = self.stream.get_mut();
        _ = session.read_tls(&mut Nothing);
        lower.rest();
    }

    /// Returns what was agreed on, if that is to be told.
    pub(crate) fn info(&self) -> Option<&Arc<TlsInfo>> {
        self.info.as_ref()
    }

    /// Tells nobody what was agreed on.
    pub(crate) fn hide_info(&mut self) {
        self.info = None;
    }

    /// Returns the byte stream below.
    pub(crate) fn lower(&self) -> &Transport {
        self.stream.get_ref().0
    }
}

impl Drop for TlsTransport {
    fn drop(&mut self) {
        let (lower, session) = self.stream.get_mut();
        session.send_close_notify();
        while session.wants_write() && matches!(session.write_tls(&mut Now(lower)), Ok(1..)) {}
    }
}

/// Reads and writes without waiting.
struct Now<'a>(&'a mut Transport);

impl Read for Now<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_now(buffer)
    }
}

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_now(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has nothing to be read yet.
struct Nothing;

impl Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl AsyncRead for TlsTransport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        // An alert or a change of keys that reading led to: nobody else sends it.
        if self.stream.get_ref().1.wants_write() {
            _ = Pin::new(&mut self.stream).poll_flush(cx);
        }
        read
    }
}

impl AsyncWrite for TlsTransport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
