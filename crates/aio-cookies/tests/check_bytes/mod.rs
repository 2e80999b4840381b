//! What holds for any bytes.

pub(crate) mod date;
pub(crate) mod file;
pub(crate) mod set_cookie;
