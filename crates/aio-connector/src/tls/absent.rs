//! What stands in the place of TLS where it is not built in.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::{ConnectErrorKind, Refusal, TlsProblem};
use crate::info::TlsInfo;
use crate::key::ConnectionKey;
use crate::transport::Transport;

/// How TLS is spoken; without the feature `tls` there is no way to make one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsConfig(());

impl TlsConfig {
    pub(crate) fn of_connector() -> Self {
        Self(())
    }

    pub(crate) async fn prepare(&self, _: &ConnectionKey) -> Result<Handshake, Refusal> {
        let reason = "TLS is not built in: no feature `tls`";
        let error = io::Error::new(io::ErrorKind::Unsupported, reason);
        let reason = reason.into();
        let kind = ConnectErrorKind::Tls(TlsProblem::Other { reason });
        Err((kind, Arc::new(error)))
    }
}

/// Without TLS nothing fails for it.
pub(crate) fn problem_of(_: &io::Error) -> Option<TlsProblem> {
    None
}

/// A handshake, of which there is none.
pub(crate) enum Handshake {}

impl Handshake {
    pub(crate) async fn agree(&self, _: Transport) -> Result<Transport, Refusal> {
        match *self {}
    }
}

/// A TLS connection, of which there is none.
pub(crate) enum TlsTransport {}

impl TlsTransport {
    pub(crate) fn read_now(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn rest(&mut self) {
        match *self {}
    }

    pub(crate) fn info(&self) -> Option<&Arc<TlsInfo>> {
        match *self {}
    }

    pub(crate) fn hide_info(&mut self) {
        match *self {}
    }

    pub(crate) fn lower(&self) -> &Transport {
        match *self {}
    }
}

impl AsyncRead for TlsTransport {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match *self {}
    }
}

impl AsyncWrite for TlsTransport {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_says_what_is_missing() {
        let url = aio_core::RequestUrl::parse("https://a.test/").expect("a URL");
        let prepared = TlsConfig::of_connector().prepare(&(&url).into()).await;
        let (kind, source) = prepared.map(drop).expect_err("there is no TLS");
        assert!(matches!(kind, ConnectErrorKind::Tls(_)));
        assert_eq!(source.to_string(), "TLS is not built in: no feature `tls`");
    }
}
