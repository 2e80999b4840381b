//! What can be sent besides requests that are built here.

use std::sync::Arc;

use aio_core::Body;
use http::Version;

use super::{ClientRequest, check_version, usage};
use crate::error::ClientError;
use crate::session::ClientSession;

/// What [`ClientSession::execute`] sends: an [`http::Request`], whose body is whatever is one
/// here, or a [`ClientRequest`] that was built before.
///
/// An `http::Request` that says 1.1 is sent in the session's version, one that says 1.0 so; its extensions mean nothing
/// here. A relative URI is joined to the session's base URL.
pub trait IntoRequest: sealed::Sealed {
    /// Makes the request; the session gives an `http::Request` its options.
    ///
    /// # Errors
    /// If the URL cannot be requested, or the version is none that is spoken.
    fn into_request(self, session: &ClientSession) -> Result<ClientRequest, ClientError>;
}

impl IntoRequest for ClientRequest {
    fn into_request(self, _: &ClientSession) -> Result<Self, ClientError> {
        Ok(self)
    }
}

impl<B: Into<Body>> IntoRequest for http::Request<B> {
    fn into_request(self, session: &ClientSession) -> Result<ClientRequest, ClientError> {
        let (parts, body) = self.into_parts();
        check_version(parts.version)?;
        let mut request = ClientRequest::new(session, parts.method, parts.uri)?;
        if parts.version == Version::HTTP_10 {
            Arc::make_mut(&mut request.parts.options).version = parts.version;
        }
        for (name, value) in &parts.headers {
            request.parts.headers.append(name, value).map_err(usage)?;
        }
        request.body = body.into();
        Ok(request)
    }
}

mod sealed {
    use super::{Body, ClientRequest};

    #[expect(unnameable_types, reason = "nobody else is to implement the trait")]
    pub trait Sealed {}
    impl Sealed for ClientRequest {}
    impl<B: Into<Body>> Sealed for http::Request<B> {}
}
