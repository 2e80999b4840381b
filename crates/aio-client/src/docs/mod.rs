//! Guides: pages to read, without code.

pub mod from_aiohttp {
    #![doc = include_str!("from-aiohttp.md")]

    // For the links of the page.
    #[cfg(doc)]
    use crate::*;
}
