//! The workloads: what is asked for, over how many connections, in slices of what size.

use std::time::Duration;

use crate::{Fallible, answers, crew::Stint};

const MIB: usize = 1 << 20;

/// One download of the `download` row; its rounds add up to more than 1 GiB per peer.
pub(crate) const DOWNLOAD: usize = 64 * MIB;

/// One upload of the `upload` row; its rounds add up to more than 512 MiB per peer.
pub(crate) const UPLOAD: usize = 32 * MIB;

/// One workload, the same for every peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) path: &'static str,
    pub(crate) url: Given,
    /// Tasks at work at once, each with a connection unless a pool has a limit.
    pub(crate) tasks: usize,
    pub(crate) link: Link,
    pub(crate) slice: Stint,
    pub(crate) rounds: usize,
    /// Length of the request's body; 0 for a GET.
    pub(crate) upload_len: usize,
    pub(crate) reading: Reading,
    /// Length of the answer's body, or of a message, when decoded.
    pub(crate) answer_len: usize,
    /// What is exchanged in place of requests and answers.
    pub(crate) messages: Option<Messages>,
}

/// What goes over a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Messages {
    /// Each message is sent, and comes back.
    Echoed,
    /// The server sends all the time.
    Received,
    /// The server only reads; so many go out together.
    Sent { together: u32 },
    /// As `Echoed`, but of JSON, and compressed both ways.
    Deflated,
}

/// How the caller hands over the address, where a peer takes both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Parsed,
    Text,
}

/// What a request goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Kept,
    /// A connection per request.
    Fresh,
    TlsKept,
    /// A connection per request to a server that resumes no session.
    TlsFull,
    TlsResumed,
}

/// What is done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Whole,
    TenHeaders,
    Chunks,
    Decoded(Coding),
}

/// What a body is encoded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Brotli,
}

impl Link {
    pub(crate) fn is_kept(self) -> bool {
        matches!(self, Self::Kept | Self::TlsKept)
    }

    pub(crate) fn is_tls(self) -> bool {
        !matches!(self, Self::Kept | Self::Fresh)
    }
}

impl Row {
    /// Small GET, the row that most others vary.
    pub(crate) const GET: Self = Self {
        name: "get",
        about: "64 tasks, small GET",
        path: "/get",
        url: Given::Parsed,
        tasks: 64,
        link: Link::Kept,
        slice: Stint::For(Duration::from_millis(40)),
        // Enough for intervals of a few percent on a noisy machine.
        rounds: 60,
        upload_len: 0,
        reading: Reading::Whole,
        answer_len: answers::SMALL.len(),
        messages: None,
    };

    pub(crate) const TEXT_URL: Self = Self {
        name: "text-url",
        about: "64 tasks, small GET of a URL given as text",
        url: Given::Text,
        ..Self::GET
    };

    const SEQUENTIAL: Self = Self {
        name: "sequential",
        about: "one task, small GET",
        tasks: 1,
        ..Self::GET
    };

    pub(crate) const HEADERS: Self = Self {
        name: "headers",
        about: "64 tasks, 1 KiB body, ten headers read",
        path: "/headers",
        reading: Reading::TenHeaders,
        answer_len: answers::KILOBYTE,
        ..Self::GET
    };

    pub(crate) const POST: Self = Self {
        name: "post",
        about: "64 tasks, POST 1 KiB, small answer",
        path: "/upload",
        upload_len: 1024,
        ..Self::GET
    };

    /// Short, as longer bodies come in a number of reads that differs between runs.
    pub(crate) const BODY: Self = Self {
        name: "body",
        about: "64 tasks, 4 KiB body",
        path: "/body",
        answer_len: answers::BODY,
        ..Self::GET
    };

    const CROWD: Self = Self {
        name: "crowd",
        about: "1000 tasks, small GET; ours under limit(100), the rest know no limit: 1000 connections",
        tasks: 1000,
        slice: Stint::For(Duration::from_millis(100)),
        ..Self::GET
    };

    const CONNECT: Self = Self {
        name: "connect",
        about: "16 tasks, small GET, a new connection per request",
        tasks: 16,
        link: Link::Fresh,
        ..Self::GET
    };

    pub(crate) const TLS: Self = Self {
        name: "tls",
        about: "64 tasks, small GET, TLS kept alive",
        link: Link::TlsKept,
        ..Self::GET
    };

    const HANDSHAKE: Self = Self {
        name: "handshake",
        about: "4 tasks, small GET, a full TLS handshake per request",
        tasks: 4,
        link: Link::TlsFull,
        ..Self::GET
    };

    /// Few tasks: rustls keeps eight tickets per server, and each serves once.
    const RESUMPTION: Self = Self {
        name: "resumption",
        about: "4 tasks, small GET, a resumed TLS handshake per request",
        link: Link::TlsResumed,
        ..Self::HANDSHAKE
    };

    const DOWNLOAD: Self = Self {
        name: "download",
        about: "down by content-length, 64 MiB at a time",
        path: "/download",
        tasks: 1,
        slice: Stint::Requests(1),
        // More, as single transfers differ more in cost than slices of many requests.
        rounds: 240,
        reading: Reading::Chunks,
        answer_len: DOWNLOAD,
        ..Self::GET
    };

    const DOWNLOAD_CHUNKED: Self = Self {
        name: "download-chunked",
        about: "down in chunks of 16 KiB, 64 MiB at a time",
        path: "/download-chunked",
        ..Self::DOWNLOAD
    };

    const UPLOAD: Self = Self {
        name: "upload",
        about: "up by content-length, 32 MiB at a time",
        path: "/upload",
        upload_len: UPLOAD,
        reading: Reading::Whole,
        answer_len: answers::SMALL.len(),
        ..Self::DOWNLOAD
    };

    const GZIP: Self = Self {
        name: "gzip",
        about: "64 tasks, curl one, 64 KiB of JSON in gzip, decoded",
        path: "/gzip",
        reading: Reading::Decoded(Coding::Gzip),
        answer_len: answers::JSON,
        ..Self::GET
    };

    const BROTLI: Self = Self {
        name: "brotli",
        about: "64 tasks, curl one, 64 KiB of JSON in brotli, decoded",
        path: "/brotli",
        reading: Reading::Decoded(Coding::Brotli),
        ..Self::GZIP
    };

    pub(crate) const ECHO: Self = Self {
        name: "ws-32",
        about: "32 WebSockets, messages of 32 bytes echoed",
        path: "/echo",
        tasks: 32,
        answer_len: 32,
        messages: Some(Messages::Echoed),
        ..Self::GET
    };

    const ECHO_1K: Self = Self {
        name: "ws-1k",
        about: "32 WebSockets, messages of 1 KiB echoed",
        answer_len: 1024,
        ..Self::ECHO
    };

    const ECHO_64K: Self = Self {
        name: "ws-64k",
        about: "32 WebSockets, messages of 64 KiB echoed",
        answer_len: 64 * 1024,
        ..Self::ECHO
    };

    const ECHO_1M: Self = Self {
        name: "ws-1m",
        about: "32 WebSockets, messages of 1 MiB echoed",
        answer_len: MIB,
        slice: Stint::For(Duration::from_millis(100)),
        ..Self::ECHO
    };

    const ONE: Self = Self {
        name: "ws-one-32",
        about: "one WebSocket, messages of 32 bytes echoed",
        tasks: 1,
        ..Self::ECHO
    };

    const ONE_1K: Self = Self {
        name: "ws-one-1k",
        about: "one WebSocket, messages of 1 KiB echoed",
        tasks: 1,
        ..Self::ECHO_1K
    };

    const ONE_64K: Self = Self {
        name: "ws-one-64k",
        about: "one WebSocket, messages of 64 KiB echoed",
        tasks: 1,
        ..Self::ECHO_64K
    };

    const ONE_1M: Self = Self {
        name: "ws-one-1m",
        about: "one WebSocket, messages of 1 MiB echoed",
        tasks: 1,
        ..Self::ECHO_1M
    };

    pub(crate) const FLOOD: Self = Self {
        name: "ws-receive",
        about: "one WebSocket, messages of 32 bytes received as fast as they come",
        path: "/source",
        messages: Some(Messages::Received),
        ..Self::ONE
    };

    const SEND: Self = Self {
        name: "ws-send",
        about: "one WebSocket, messages of 32 bytes sent, 64 to a flush",
        path: "/sink",
        messages: Some(Messages::Sent { together: 64 }),
        ..Self::ONE
    };

    const DEFLATE: Self = Self {
        name: "ws-json",
        about: "32 WebSockets, 4 KiB of JSON compressed both ways, at level 1",
        path: "/json",
        answer_len: answers::MESSAGE,
        messages: Some(Messages::Deflated),
        ..Self::ECHO
    };

    /// What is run when no row is named.
    pub(crate) const ALL: [Self; 25] = [
        Self::SEQUENTIAL,
        Self::GET,
        Self::HEADERS,
        Self::POST,
        Self::CROWD,
        Self::CONNECT,
        Self::TLS,
        Self::HANDSHAKE,
        Self::RESUMPTION,
        Self::DOWNLOAD,
        Self::DOWNLOAD_CHUNKED,
        Self::UPLOAD,
        Self::GZIP,
        Self::BROTLI,
        Self::ONE,
        Self::ONE_1K,
        Self::ONE_64K,
        Self::ONE_1M,
        Self::ECHO,
        Self::ECHO_1K,
        Self::ECHO_64K,
        Self::ECHO_1M,
        Self::FLOOD,
        Self::SEND,
        Self::DEFLATE,
    ];

    /// What the guard counts too.
    const MORE: [Self; 2] = [Self::TEXT_URL, Self::BODY];

    pub(crate) fn named(name: &str) -> Fallible<Self> {
        let rows = || Self::ALL.into_iter().chain(Self::MORE);
        rows().find(|row| row.name == name).ok_or_else(|| {
            let names: Vec<&str> = rows().map(|row| row.name).collect();
            let names = names.join(", ");
            format!("no row {name}; there are {names}, instructions, allocations, cookies").into()
        })
    }
}
