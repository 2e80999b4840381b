//! The clients that are compared.

mod ours;
mod raw;
#[cfg(feature = "rivals")]
mod rivals;
mod way;
mod websocket;

use std::pin::Pin;

use crate::{
    Fallible,
    crew::{Crew, Work},
    rows::{Link, Row},
    site::Site,
};

/// What one task of a peer holds: a connection, or a handle to a pool of them.
pub(crate) trait Client: Sized + Send + 'static {
    /// Makes a client per task, connected or ready to connect.
    fn open(row: Row, site: &Site) -> impl Future<Output = Fallible<Vec<Self>>>;

    /// Sends one request of `row`, reads its answer to the end and checks status and length.
    fn exchange(&mut self, row: Row) -> impl Future<Output = Fallible<()>> + Send;
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    open: fn(Row, &Site) -> Opening<'_>,
}

type Opening<'a> = Pin<Box<dyn Future<Output = Fallible<Box<dyn Work>>> + 'a>>;

impl Peer {
    #[cfg(feature = "rivals")]
    pub(crate) const ALL: &[Self] = &[
        Self::RAW,
        rivals::HYPER,
        rivals::HYPER_UTIL,
        rivals::REQWEST,
        Self::OURS,
    ];

    #[cfg(not(feature = "rivals"))]
    pub(crate) const ALL: &[Self] = &[Self::RAW, Self::OURS];

    /// Returns those that a row compares.
    #[cfg(feature = "rivals")]
    pub(crate) fn of(row: Row) -> Vec<Self> {
        if let Some(messages) = row.messages {
            return rivals::websockets(messages);
        }
        let curl = rivals::curl_takes_part(row).then_some(rivals::CURL);
        Self::ALL.iter().copied().chain(curl).collect()
    }

    /// Returns those that a row compares.
    #[cfg(not(feature = "rivals"))]
    pub(crate) fn of(_: Row) -> Vec<Self> {
        Self::ALL.to_vec()
    }

    pub(crate) const RAW: Self = raw::PEER;

    pub(crate) const OURS: Self = ours::PEER;

    pub(crate) fn named(name: &str, row: Row) -> Fallible<Self> {
        let known = Self::of(row).into_iter().find(|peer| peer.name == name);
        known.ok_or_else(|| format!("no peer {name}").into())
    }

    pub(crate) async fn open(self, row: Row, site: &Site) -> Fallible<Box<dyn Work>> {
        (self.open)(row, site).await
    }
}

fn crew<C: Client>(row: Row, site: &Site) -> Opening<'_> {
    Box::pin(async move { Ok(Box::new(Crew::<C>::open(row, site).await?) as Box<dyn Work>) })
}

/// The headers every peer sends, as our session does by default.
const REQUEST_HEADERS: [(&str, &str); 3] = [
    ("accept", "*/*"),
    ("accept-encoding", "gzip, deflate, br"),
    ("user-agent", "bench/1.0"),
];

/// The same, and a farewell where each connection serves one request.
fn request_headers(link: Link) -> impl Iterator<Item = (&'static str, &'static str)> {
    let close = (!link.is_kept()).then_some(("connection", "close"));
    REQUEST_HEADERS.into_iter().chain(close)
}

/// Size of the chunks in which bodies are uploaded.
const CHUNK: usize = 64 * 1024;

/// One chunk of an uploaded body.
static UPLOAD_CHUNK: [u8; CHUNK] = [b'u'; CHUNK];

fn check_answer(row: Row, status: u16, length: usize) -> Fallible<()> {
    if status == 200 && length == row.answer_len {
        return Ok(());
    }
    Err(format!("{}: status {status} with {length} bytes", row.name).into())
}
