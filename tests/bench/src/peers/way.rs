//! How peers without a pool of their own make a connection.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::pki_types::ServerName};

use crate::{Fallible, rows::Row, site::Site, tls};

pub(crate) trait Way: Clone + Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn to(row: Row, site: &Site) -> Fallible<Self>;

    fn connect(&self) -> impl Future<Output = Fallible<Self::Stream>> + Send;
}

#[derive(Clone)]
pub(crate) struct Plain {
    address: SocketAddr,
}

impl Way for Plain {
    type Stream = TcpStream;

    fn to(row: Row, site: &Site) -> Fallible<Self> {
        Ok(Self {
            address: site.address(row.link),
        })
    }

    async fn connect(&self) -> Fallible<TcpStream> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

#[derive(Clone)]
pub(crate) struct Tls {
    tcp: Plain,
    connector: TlsConnector,
}

impl Way for Tls {
    type Stream = TlsStream<TcpStream>;

    fn to(row: Row, site: &Site) -> Fallible<Self> {
        let config = tls::client_config(&site.certificate)?;
        Ok(Self {
            tcp: Plain::to(row, site)?,
            connector: Arc::new(config).into(),
        })
    }

    async fn connect(&self) -> Fallible<Self::Stream> {
        let name = ServerName::from(self.tcp.address.ip());
        let stream = self.tcp.connect().await?;
        Ok(self.connector.connect(name, stream).await?)
    }
}
