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
pub(crate) enum Row {
    Get,
    Headers,
    Download,
    Upload,
    Gzip,
}

impl Row {
    pub(crate) const ALL: [Self; 5] = [
        Self::Get,
        Self::Headers,
        Self::Download,
        Self::Upload,
        Self::Gzip,
    ];

    pub(crate) fn named(name: &str) -> Fallible<Self> {
        let known = Self::ALL.into_iter().find(|row| row.name() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("no row {name}; there are {names}, instructions, allocations").into()
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Headers => "headers",
            Self::Download => "download",
            Self::Upload => "upload",
            Self::Gzip => "gzip",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Get => "64 tasks, small GET",
            Self::Headers => "64 tasks, 1 KiB body, ten headers read",
            Self::Download => "down by content-length, 64 MiB at a time",
            Self::Upload => "up by content-length, 32 MiB at a time",
            Self::Gzip => "64 tasks, 64 KiB of JSON in gzip, decoded",
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Get => "/get",
            Self::Headers => "/headers",
            Self::Download => "/download",
            Self::Upload => "/upload",
            Self::Gzip => "/gzip",
        }
    }

    /// Tasks at work at once, each with a connection.
    pub(crate) fn tasks(self) -> usize {
        match self {
            Self::Get | Self::Headers | Self::Gzip => 64,
            Self::Download | Self::Upload => 1,
        }
    }

    pub(crate) fn slice(self) -> Stint {
        match self {
            Self::Get | Self::Headers | Self::Gzip => Stint::For(Duration::from_millis(40)),
            Self::Download | Self::Upload => Stint::Requests(1),
        }
    }

    /// Length of the request's body.
    pub(crate) fn upload_len(self) -> usize {
        match self {
            Self::Upload => UPLOAD,
            Self::Get | Self::Headers | Self::Download | Self::Gzip => 0,
        }
    }

    /// Length of the answer's body when decoded.
    pub(crate) fn answer_len(self) -> usize {
        match self {
            Self::Get | Self::Upload => answers::SMALL.len(),
            Self::Headers => answers::KILOBYTE,
            Self::Download => DOWNLOAD,
            Self::Gzip => answers::JSON,
        }
    }
}
