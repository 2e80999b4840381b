//! hyper's connection in a task of its own, without a pool.

use http::{HeaderMap, Uri, header::HOST};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;

use super::{
    super::{
        Client, Peer, check_answer, crew,
        way::{Plain, Tls, Way},
    },
    Upload, headers, read, request,
};
use crate::{
    Fallible,
    rows::{Given, Row},
    site::Site,
};

pub(crate) const PEER: Peer = Peer {
    name: "hyper",
    open: |row, site| {
        if row.link.is_tls() {
            crew::<Hyper<Tls>>(row, site)
        } else {
            crew::<Hyper<Plain>>(row, site)
        }
    },
};

struct Hyper<W> {
    way: W,
    sender: Option<SendRequest<Upload>>,
    target: Uri,
    headers: HeaderMap,
}

impl<W: Way> Client for Hyper<W> {
    async fn open(row: Row, site: &Site) -> Fallible<Vec<Self>> {
        let way = W::to(row, site)?;
        let mut headers = headers(row.link);
        headers.insert(HOST, site.address(row.link).to_string().try_into()?);
        let mut clients = Vec::with_capacity(row.tasks);
        for _ in 0..row.tasks {
            clients.push(Self {
                sender: if row.link.is_kept() {
                    Some(connect(&way).await?)
                } else {
                    None
                },
                way: way.clone(),
                target: Uri::from_static(row.path),
                headers: headers.clone(),
            });
        }
        Ok(clients)
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        let target = match row.url {
            Given::Parsed => self.target.clone(),
            Given::Text => row.path.parse()?,
        };
        let request = request(row, target, &self.headers);
        let response = if let Some(sender) = &mut self.sender {
            sender.ready().await?;
            sender.send_request(request).await?
        } else {
            connect(&self.way).await?.send_request(request).await?
        };
        let status = response.status().as_u16();
        check_answer(row, status, read(row, response).await?)
    }
}

async fn connect<W: Way>(way: &W) -> Fallible<SendRequest<Upload>> {
    let (sender, connection) = handshake(TokioIo::new(way.connect().await?)).await?;
    // It ends when `sender` is dropped, or the server closes.
    tokio::spawn(connection);
    Ok(sender)
}
