//! What is wrong with a file of cookies.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Many times what a jar of a crawler holds. The shortest of cookies take 20 times as much
/// memory as they take in a file, and jars are copied to be merged.
pub(super) const MAX_COOKIES: usize = 1 << 19;

/// A file of cookies that cannot be loaded or saved.
///
/// Its text names the file; what is wrong with it is the [`source`](std::error::Error::source).
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot load or save cookies in {}", .path.display())]
#[non_exhaustive]
pub struct CookieFileError {
    /// Which file it is.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: CookieFileProblem,
}

/// What is wrong with a file of cookies.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CookieFileProblem {
    /// The operating system cannot read or write it, or it is no regular file.
    #[error(transparent)]
    Io(Arc<io::Error>),
    /// It is in none of the known formats.
    #[error("no file of cookies in a known format")]
    UnknownFormat,
    /// It is larger than any file of cookies, or would be.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// How large a file may be.
        limit: u64,
    },
    /// It has more cookies than any jar, or would have.
    #[error("more than {limit} cookies")]
    TooMany {
        /// How many a file may have.
        limit: usize,
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
    /// Refuses more cookies than there may be in a file.
    pub(super) fn check_count(count: usize) -> Result<(), Self> {
        if count > MAX_COOKIES {
            return Err(Self::TooMany { limit: MAX_COOKIES });
        }
        Ok(())
    }

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
