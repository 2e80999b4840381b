//! A cookie jar by RFC 6265bis, or by the rules of Python's aiohttp.
//!
//! [`CookieJar`] stores the cookies of responses and gives the `Cookie` header of requests;
//! sessions know it as a [`CookieStore`]. Its parts stand alone: [`SetCookie`] reads a
//! `Set-Cookie` field, [`parse_date`] an `Expires` attribute, [`Domain`] compares hosts with
//! `Domain` attributes, [`default_path`] and [`path_match`] do the same for paths, and
//! [`CookieStyle`] writes the header. Nothing here does I/O or reads a clock, but for
//! [`CookieJar::save`] and [`CookieJar::load`]; [`CookieFormat`] and [`read_cookies`] have the
//! formats of their files without one.
//!
//! How many of the IETF http-state working group's cases and dates come out as RFC 6265bis wants
//! them, and how many lines of the public suffix list's tests do; others were asked the same. A
//! case is right if the next request's `Cookie` header is, octet by octet; all dates are given
//! to what reads dates. Of ours, tests say so.
//!
//! | | 218 cases | 70 dates | 78 suffixes |
//! |---|---|---|---|
//! | here | 218 | 70 | 78 |
//! | aiohttp 3.14.5 | 162 | 66 | no list |
//! | cookie_store 0.22.1 | 180 to 188, in no certain order | 20 | 76, if given a list |
//! | tough-cookie 6.1.0 | 194; 213 in its loose mode | 70 | 75 |
//!
//! Features:
//!
//! * `public-suffix` (default): the public suffix list, compiled in, so that no cookie of
//!   `evil.co.uk` is for all of `co.uk`. Without it each top-level domain is a public suffix, and
//!   no other domain is.
//! * `pickle`: [`read_cookies`] and [`CookieJar::load`] read the files of Python's aiohttp before
//!   version 3.14, too.
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
pub use self::persist::{CookieFileError, CookieFileProblem, CookieFormat, read_cookies};
pub use self::site::CookieSite;
pub use self::store::{CookieRequest, CookieStore, DummyCookieJar};
