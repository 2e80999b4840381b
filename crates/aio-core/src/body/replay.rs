//! Bodies that are opened anew for each sending.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;

use super::{Body, BodyStream, BoxError};

type Opening = Pin<Box<dyn Future<Output = Result<Body, BoxError>> + Send>>;

/// Gives the same body again and again.
#[derive(Clone)]
pub(super) struct Opener {
    open: Arc<dyn Fn() -> Opening + Send + Sync>,
}

impl Opener {
    pub(super) fn new<F, Fut>(open: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Body, BoxError>> + Send + 'static,
    {
        Self {
            open: Arc::new(move || Box::pin(open())),
        }
    }

    pub(super) fn open(&self) -> Opening {
        (self.open)()
    }

    /// Makes a stream that opens the body when it is first polled.
    pub(super) fn into_stream(self) -> BodyStream {
        Box::pin(Late::Unopened(self))
    }
}

/// A body that is opened when its first frame is asked for.
enum Late {
    Unopened(Opener),
    Opening(Opening),
    Open(Body),
    Failed,
}

impl http_body::Body for Late {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            match &mut *self {
                Self::Unopened(opener) => *self = Self::Opening(opener.open()),
                Self::Opening(opening) => match ready!(opening.as_mut().poll(cx)) {
                    Ok(body) => *self = Self::Open(body),
                    Err(error) => {
                        *self = Self::Failed;
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                Self::Open(body) => return Pin::new(body).poll_frame(cx),
                Self::Failed => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Open(body) => body.is_end_stream(),
            Self::Failed => true,
            Self::Unopened(_) | Self::Opening(_) => false,
        }
    }
}
