//! How far an upload has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells how far the upload of a body has come; aiohttp's `UploadTracker`.
///
/// It counts the body's own bytes that the system took for sending, without head and
/// framing, in the sending under way: it begins again at 0 with a retry or a redirect.
/// Clones tell the same.
///
/// ```
/// use aio_core::{Body, UploadProgress};
///
/// let progress = UploadProgress::default();
/// let body = Body::from("abc").with_progress(progress.clone());
/// assert_eq!(body.progress().map(UploadProgress::sent), Some(0));
/// // While and after the body is sent:
/// println!("{} of 3 bytes", progress.sent());
/// ```
#[derive(Debug, Clone, Default)]
pub struct UploadProgress {
    sent: Arc<AtomicU64>,
}

impl UploadProgress {
    /// Returns how many bytes of the body are sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Says how many bytes of the body are sent; for who sends it.
    pub fn set_sent(&self, sent: u64) {
        self.sent.store(sent, Ordering::Relaxed);
    }
}
