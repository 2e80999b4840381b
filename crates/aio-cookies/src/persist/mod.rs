//! Jars in files.

mod error;

pub use self::error::{CookieFileError, CookieFileProblem};
