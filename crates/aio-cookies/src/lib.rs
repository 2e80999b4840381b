//! The decisions of RFC 6265 (as revised by 6265bis) on dates, domains and paths.
//!
//! What stands today: [`parse_date`] reads the `Expires` attribute, [`Domain`] compares
//! hosts with `Domain` attributes, [`default_path`] and [`path_match`] do the same for
//! paths. Nothing here does I/O or reads a clock.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod date;
mod domain;
mod path;

pub use self::date::parse_date;
pub use self::domain::{Domain, DomainAttribute};
pub use self::path::{default_path, path_match};
