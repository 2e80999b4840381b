//! Cookies as other crates know them, each behind the feature of its name.

#[cfg(feature = "cookie")]
mod cookie;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "serde")]
mod serde;
