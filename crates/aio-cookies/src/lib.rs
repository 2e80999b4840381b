//! A cookie jar by RFC 6265bis, or by the rules of Python's aiohttp.
//!
//! [`CookieJar`] stores the cookies of responses and gives the `Cookie` header of requests;
//! sessions know it as a [`CookieStore`]. Its parts stand alone: [`SetCookie`] reads a
//! `Set-Cookie` field, [`parse_date`] an `Expires` attribute, [`Domain`] compares hosts with
//! `Domain` attributes, [`default_path`] and [`path_match`] do the same for paths, and
//! [`CookieStyle`] writes the header. Nothing here does I/O or reads a clock.
//!
//! Features:
//!
//! * `public-suffix` (default): the public suffix list, compiled in, so that no cookie of
//!   `evil.co.uk` is for all of `co.uk`. Without it each top-level domain is a public suffix, and
//!   no other domain is.
//! * `cookie`: [`Cookie`] becomes a `cookie::Cookie`, and that a [`SetCookie`].
//! * `serde`: [`Cookie`] is written and read by serde.
//! * `reqwest`: a [`CookieJar`] is the cookie provider of a `reqwest::Client`. reqwest tells no
//!   time, so the clock is read there.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod admit;
mod coding;
mod cookie;
mod date;
mod domain;
mod error;
mod foreign;
mod header;
mod host;
mod jar;
mod options;
mod parse;
mod path;
mod persist;
mod site;
mod store;
mod suffix;

pub use self::cookie::{Cookie, SameSite};
pub use self::date::parse_date;
pub use self::domain::{Domain, DomainAttribute};
pub use self::error::CookieError;
pub use self::header::{CookiePair, CookieStyle, Profile};
pub use self::jar::CookieJar;
pub use self::options::{CookieJarOptions, CookieLimits};
pub use self::parse::SetCookie;
pub use self::path::{default_path, path_match};
pub use self::persist::{CookieFileError, CookieFileProblem};
pub use self::site::CookieSite;
pub use self::store::{CookieRequest, CookieStore, DummyCookieJar};
