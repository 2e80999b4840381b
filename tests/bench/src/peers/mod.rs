//! The clients that are compared.

mod hyper;
mod ours;
mod raw;

use std::{future::Future, net::SocketAddr};

use self::{hyper::Hyper, ours::Ours, raw::Raw};
use crate::{
    Fallible,
    crew::{Crew, Stint},
    rows::Row,
};

/// What one task of a peer holds: a connection, or a handle to a pool of them.
pub(crate) trait Client: Sized + Send + 'static {
    /// Makes a client per task, connected or ready to connect.
    fn open(
        row: Row,
        address: SocketAddr,
        tasks: usize,
    ) -> impl Future<Output = Fallible<Vec<Self>>>;

    /// Sends one request of `row`, reads its answer to the end and checks status and length.
    fn exchange(&mut self, row: Row) -> impl Future<Output = Fallible<()>> + Send;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Raw,
    Hyper,
    Ours,
}

impl Peer {
    pub(crate) const ALL: [Self; 3] = [Self::Raw, Self::Hyper, Self::Ours];

    pub(crate) fn named(name: &str) -> Fallible<Self> {
        let known = Self::ALL.into_iter().find(|peer| peer.name() == name);
        known.ok_or_else(|| format!("no peer {name}").into())
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Hyper => "hyper",
            Self::Ours => "ours",
        }
    }

    pub(crate) async fn open(self, row: Row, address: SocketAddr) -> Fallible<PeerCrew> {
        Ok(match self {
            Self::Raw => PeerCrew::Raw(Crew::open(row, address).await?),
            Self::Hyper => PeerCrew::Hyper(Crew::open(row, address).await?),
            Self::Ours => PeerCrew::Ours(Crew::open(row, address).await?),
        })
    }
}

pub(crate) enum PeerCrew {
    Raw(Crew<Raw>),
    Hyper(Crew<Hyper>),
    Ours(Crew<Ours>),
}

impl PeerCrew {
    pub(crate) async fn work(&mut self, stint: Stint) -> Fallible<u64> {
        match self {
            Self::Raw(crew) => crew.work(stint).await,
            Self::Hyper(crew) => crew.work(stint).await,
            Self::Ours(crew) => crew.work(stint).await,
        }
    }
}

/// The headers every peer sends, as our session does by default.
const REQUEST_HEADERS: [(&str, &str); 3] = [
    ("accept", "*/*"),
    ("accept-encoding", "gzip, deflate"),
    ("user-agent", "bench/1.0"),
];

/// Size of the chunks in which bodies are uploaded.
const CHUNK: usize = 64 * 1024;

/// One chunk of an uploaded body.
static UPLOAD_CHUNK: [u8; CHUNK] = [b'u'; CHUNK];

fn check_answer(row: Row, status: u16, length: usize) -> Fallible<()> {
    if status == 200 && length == row.answer_len() {
        return Ok(());
    }
    Err(format!("{}: status {status} with {length} bytes", row.name()).into())
}
