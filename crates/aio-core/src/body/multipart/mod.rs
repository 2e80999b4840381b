//! Bodies of several parts (RFC 2046 5.1).

mod decode;
mod encode;
mod error;
mod layout;
mod read;
mod write;

pub use self::decode::PartDecoder;
pub use self::error::MultipartError;
pub use self::read::{MultipartEvent, MultipartLimits, MultipartParser};
pub use self::write::MultipartWriter;
