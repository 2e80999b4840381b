//! Files as bodies.

mod types;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aio_core::form::attachment;
use aio_core::{Body, BoxError, Headers};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

/// A file to be sent: its length is known, and it can be sent again.
///
/// It is opened and read off the runtime's threads, 256 KiB at a time. How long it is counts
/// when it is opened: what it grows by later is not sent, and if it has shrunk meanwhile the
/// request fails. What is no regular file (a pipe, a terminal) has no length; opening it, or
/// a read of it, that waits keeps its thread even if the request is given up, and the runtime
/// from ending.
///
/// ```no_run
/// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
/// use aio_client::FileBody;
///
/// session.put("http://127.0.0.1:8080/me.png").body(FileBody::new("me.png")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FileBody {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Path(Arc<Path>),
    /// Open; without a place to begin at if it cannot be read twice.
    Open(Arc<File>, Option<u64>),
}

impl FileBody {
    /// Makes a body of the file at `path`, which is opened for each sending.
    ///
    /// The content type is guessed from the extension, or is `application/octet-stream`.
    /// A file that cannot be opened fails the request, with an error that names it.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            source: Source::Path(path.into().into()),
        }
    }

    /// Returns the last part of its path, if it has one.
    pub fn filename(&self) -> Option<Cow<'_, str>> {
        self.path()?.file_name().map(OsStr::to_string_lossy)
    }

    /// Returns the headers that aiohttp gives a file in a multipart body that is no form:
    /// `Content-Disposition: attachment` with its [`filename`](Self::filename), if it has one.
    ///
    /// ```
    /// use aio_client::{FileBody, MultipartWriter};
    ///
    /// let mut writer = MultipartWriter::with_boundary("mixed", "limit")?;
    /// let file = FileBody::new("x.txt");
    /// let headers = file.attachment();
    /// writer.append(file, &headers)?;
    /// # Ok::<(), aio_client::FormError>(())
    /// ```
    #[expect(
        clippy::missing_panics_doc,
        reason = "what is percent-encoded is a value"
    )]
    pub fn attachment(&self) -> Headers {
        let mut headers = Headers::new();
        if let Some(filename) = self.filename() {
            headers
                .append("Content-Disposition", attachment(&filename))
                .expect("it is percent-encoded");
        }
        headers
    }

    fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::Path(path) => Some(path),
            Source::Open(..) => None,
        }
    }
}

impl From<File> for FileBody {
    /// Takes an open file, from its position on; tokio's gives one by `into_std`.
    ///
    /// Each sending begins at that position, and does not move it. A file without one, such
    /// as a pipe, is sent once, and its length is not known.
    fn from(file: File) -> Self {
        let start = (&file).stream_position().ok();
        Self {
            source: Source::Open(Arc::new(file), start),
        }
    }
}

impl From<FileBody> for Body {
    fn from(file: FileBody) -> Self {
        let content_type = file.path().and_then(types::of);
        let body = match file.source {
            Source::Path(path) => Self::replayable(None, move || {
                let path = Arc::clone(&path);
                blocking(move || open(&path))
            }),
            Source::Open(file, Some(start)) => Self::replayable(None, move || {
                let file = Arc::clone(&file);
                blocking(move || body_from(file, start))
            }),
            Source::Open(file, None) => Self::stream(Pieces::new(file, None, None)),
        };
        match content_type {
            Some(content_type) => body.with_content_type(content_type),
            None => body,
        }
    }
}

async fn blocking(
    open: impl FnOnce() -> io::Result<Body> + Send + 'static,
) -> Result<Body, BoxError> {
    Ok(Blocking::spawn(open).await??)
}

/// What is done off the runtime's threads; dropped before a thread has begun with it, it is
/// not done at all.
struct Blocking<T>(JoinHandle<T>);

impl<T: Send + 'static> Blocking<T> {
    fn spawn(work: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(spawn_blocking(work))
    }
}

impl<T> Future for Blocking<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for Blocking<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens a file that nobody else reads.
fn open(path: &Path) -> io::Result<Body> {
    let opened = File::open(path).and_then(|file| body_from(Arc::new(file), 0));
    opened.map_err(|error| {
        let (kind, path) = (error.kind(), path.to_owned());
        io::Error::new(
            kind,
            CannotOpen {
                path,
                source: error,
            },
        )
    })
}

fn body_from(file: Arc<File>, start: u64) -> io::Result<Body> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Ok(Body::stream(Pieces::new(file, None, None)));
    }
    let length = metadata.len().saturating_sub(start);
    let pieces = Pieces::new(file, Some(start), Some(length));
    Ok(Body::sized_stream(pieces, length))
}

/// A file that cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("cannot open {}", .path.display())]
struct CannotOpen {
    path: PathBuf,
    source: io::Error,
}

/// aiohttp's as well.
const PIECE: usize = 256 * 1024;

/// The bytes of a file, each piece read when it is asked for.
struct Pieces {
    file: Arc<File>,
    /// Where the next piece begins; none where that is the file's own affair.
    at: Option<u64>,
    left: Option<u64>,
    reading: Option<Blocking<io::Result<BytesMut>>>,
    /// The last piece again: its memory is free when it is sent.
    last: Bytes,
}

impl Pieces {
    fn new(file: Arc<File>, at: Option<u64>, left: Option<u64>) -> Self {
        Self {
            file,
            at,
            left,
            reading: None,
            last: Bytes::new(),
        }
    }

    fn read(&mut self) -> Blocking<io::Result<BytesMut>> {
        let left = self.left.and_then(|left| usize::try_from(left).ok());
        let length = left.map_or(PIECE, |left| left.min(PIECE));
        let (file, at) = (Arc::clone(&self.file), self.at);
        let last = std::mem::take(&mut self.last).try_into_mut().ok();
        Blocking::spawn(move || {
            let mut piece = last
                .filter(|last| last.len() >= length)
                .unwrap_or_else(|| BytesMut::zeroed(length));
            piece.truncate(length);
            let read = read(&file, at, &mut piece)?;
            piece.truncate(read);
            Ok(piece)
        })
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.left == Some(0) {
            return Poll::Ready(None);
        }
        let mut reading = match this.reading.take() {
            Some(reading) => reading,
            None => this.read(),
        };
        let Poll::Ready(read) = Pin::new(&mut reading).poll(cx) else {
            this.reading = Some(reading);
            return Poll::Pending;
        };
        let piece = read??.freeze();
        let length = piece.len() as u64;
        if length == 0 {
            this.left = Some(0);
            return Poll::Ready(None);
        }
        this.at = this.at.map(|at| at + length);
        this.left = this.left.map(|left| left - length);
        this.last = piece.clone();
        Poll::Ready(Some(Ok(piece)))
    }
}

fn read(mut file: &File, at: Option<u64>, piece: &mut [u8]) -> io::Result<usize> {
    loop {
        let read = match at {
            Some(at) => read_at(file, piece, at),
            None => file.read(piece),
        };
        match read {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, piece: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, piece, at)
}

#[cfg(windows)]
fn read_at(file: &File, piece: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, piece, at)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_read_that_nobody_waits_for_any_more_is_not_begun() {
        let path = std::env::current_exe().expect("it runs");
        let file = Arc::new(File::open(path).expect("it is there"));
        let mut runtime = Builder::new_current_thread();
        runtime.max_blocking_threads(1).enable_time();
        let runtime = runtime.build().expect("a runtime");
        runtime.block_on(async {
            let (go_on, wait) = mpsc::channel::<()>();
            let busy = spawn_blocking(move || wait.recv());
            // Read from its own position, which tells.
            let mut pieces = Pieces::new(Arc::clone(&file), None, None);
            let first = poll_fn(|cx| Poll::Ready(Pin::new(&mut pieces).poll_next(cx)));
            assert!(first.await.is_pending());
            drop((pieces, go_on));
            // What is behind it in the queue is done.
            let both = async { (busy.await, spawn_blocking(|| ()).await) };
            let done = tokio::time::timeout(Duration::from_secs(10), both).await;
            assert!(done.expect("not so late").1.is_ok());
        });
        assert_eq!((&*file).stream_position().expect("a file"), 0);
    }
}
