//! Bodies of several parts (RFC 2046 5.1).

mod encode;
mod layout;
mod write;

pub use self::write::MultipartWriter;
