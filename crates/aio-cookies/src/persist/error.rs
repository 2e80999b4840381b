//! What is wrong with a file of cookies.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A file of cookies that cannot be read or written; the jar is as it was.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}{problem}", .path.as_ref().map(|path| format!("{}: ", path.display())).unwrap_or_default())]
#[non_exhaustive]
pub struct CookieFileError {
    /// Which file it is, if it is one.
    pub path: Option<PathBuf>,
    /// What is wrong with it.
    #[source]
    pub problem: CookieFileProblem,
}

/// What is wrong with a file of cookies.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CookieFileProblem {
    /// The operating system cannot read or write it.
    #[error("cannot be opened, read or written")]
    Io(#[source] Arc<io::Error>),
    /// It is in none of the known formats.
    #[error("no file of cookies in a known format")]
    UnknownFormat,
    /// It is larger than any file of cookies.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// How large a file may be.
        limit: u64,
    },
    /// It is damaged at a place.
    #[error("line {line}: {reason}")]
    Malformed {
        /// The line, from 1; of a binary format the byte.
        line: usize,
        /// What is wrong there; values of cookies are not shown.
        reason: Box<str>,
    },
}

impl CookieFileProblem {
    pub(super) fn malformed(line: usize, reason: impl Into<Box<str>>) -> Self {
        Self::Malformed {
            line,
            reason: reason.into(),
        }
    }
}

impl From<io::Error> for CookieFileProblem {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
