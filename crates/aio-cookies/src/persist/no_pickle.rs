//! Pickles, which this build does not read.

use std::time::SystemTime;

use super::CookieFileProblem;
use crate::cookie::Cookie;

pub(super) fn read(_: &[u8], _: SystemTime) -> Result<Vec<Cookie>, CookieFileProblem> {
    Err(CookieFileProblem::UnknownFormat)
}
