//! How much of a response head is accepted before it is refused.

/// Bounds on what a peer may send around a body; aiohttp's `max_line_size`,
/// `max_field_size` and `max_headers`, with its defaults.
///
/// ```
/// use aio_core::http1::Limits;
///
/// let limits = Limits { max_field_size: 16 * 1024, ..Limits::default() };
/// assert_eq!(limits.max_headers, 128);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest reason phrase in bytes; default 8190.
    pub max_line_size: usize,
    /// Longest header, name and value together, in bytes; default 8190.
    pub max_field_size: usize,
    /// Most header fields of a response, trailers counted in; default 128.
    pub max_headers: usize,
    /// Most interim (1xx) responses before the final one; default 32.
    pub max_interim: usize,
    /// Most bytes of chunk extensions in one body; default 16 KiB.
    pub max_chunk_extensions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_line_size: 8190,
            max_field_size: 8190,
            max_headers: 128,
            max_interim: 32,
            max_chunk_extensions: 16 * 1024,
        }
    }
}

impl Limits {
    /// Returns the most bytes that a head can have and still be accepted: at most 4 GiB,
    /// however high the bounds are.
    pub fn max_head_size(&self) -> usize {
        self.max_headers
            .saturating_mul(self.max_field_size)
            .saturating_add(self.max_line_size)
            .min(u32::MAX as usize)
    }
}
