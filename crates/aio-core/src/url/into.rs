//! What can be given as the URL of a request.

use http::Uri;
use url::Url;

use crate::error::{UrlError, UrlErrorKind};
use crate::url::{RequestUrl, parse};

/// What can be given as the URL of a request: text, [`Url`], [`Uri`] or [`RequestUrl`].
///
/// Text is requoted; the others are taken as encoded.
///
/// ```
/// use aio_core::{IntoUrl, RequestUrl};
///
/// let base = RequestUrl::parse("http://example.org/v1/")?;
/// assert_eq!("users".resolve(Some(&base))?.as_str(), "http://example.org/v1/users");
/// assert!("users".into_url().is_err());
/// # Ok::<(), aio_core::UrlError>(())
/// ```
pub trait IntoUrl: sealed::Sealed + Sized {
    /// Turns an absolute URL into a [`RequestUrl`].
    ///
    /// # Errors
    /// If it is not absolute, or its host or port is invalid.
    fn into_url(self) -> Result<RequestUrl, UrlError> {
        self.resolve(None)
    }

    /// Turns a URL into a [`RequestUrl`]; a relative one is joined to `base`.
    ///
    /// # Errors
    /// If it is neither absolute nor joined to a base, or its host or port is invalid.
    fn resolve(self, base: Option<&RequestUrl>) -> Result<RequestUrl, UrlError>;
}

impl IntoUrl for &str {
    fn resolve(self, base: Option<&RequestUrl>) -> Result<RequestUrl, UrlError> {
        let Some(base) = base else {
            return RequestUrl::parse(self);
        };
        // It has a host, so aiohttp does not join it, but lacks a scheme.
        if parse::lacks_scheme(self) {
            return Err(UrlError::new(self, UrlErrorKind::Malformed));
        }
        base.join(self)
    }
}

impl IntoUrl for String {
    fn resolve(self, base: Option<&RequestUrl>) -> Result<RequestUrl, UrlError> {
        self.as_str().resolve(base)
    }
}

impl IntoUrl for &String {
    fn resolve(self, base: Option<&RequestUrl>) -> Result<RequestUrl, UrlError> {
        self.as_str().resolve(base)
    }
}

impl IntoUrl for Url {
    fn resolve(self, _: Option<&RequestUrl>) -> Result<RequestUrl, UrlError> {
        RequestUrl::from_url(self)
    }
}

impl IntoUrl for &Url {
    fn resolve(self, _: Option<&RequestUrl>) -> Result<RequestUrl, UrlError> {
        RequestUrl::from_url(self.clone())
    }
}

impl IntoUrl for RequestUrl {
    fn resolve(self, _: Option<&RequestUrl>) -> Result<RequestUrl, UrlError> {
        Ok(self)
    }
}

impl IntoUrl for &RequestUrl {
    fn resolve(self, _: Option<&RequestUrl>) -> Result<RequestUrl, UrlError> {
        Ok(self.clone())
    }
}

impl IntoUrl for Uri {
    fn resolve(self, base: Option<&RequestUrl>) -> Result<RequestUrl, UrlError> {
        (&self).resolve(base)
    }
}

impl IntoUrl for &Uri {
    fn resolve(self, base: Option<&RequestUrl>) -> Result<RequestUrl, UrlError> {
        let text = self.to_string();
        match base {
            // The type takes `//host/x` for a path; joined, it would leave the base.
            Some(_) if parse::lacks_scheme(&text) => {
                Err(UrlError::new(&text, UrlErrorKind::Malformed))
            }
            Some(base) if self.host().is_none() => base.join_encoded(&text),
            _ => RequestUrl::encoded(&text),
        }
    }
}

mod sealed {
    use super::{RequestUrl, Uri, Url};

    #[expect(unnameable_types, reason = "nobody else is to implement the trait")]
    pub trait Sealed {}
    impl Sealed for &str {}
    impl Sealed for String {}
    impl Sealed for &String {}
    impl Sealed for Url {}
    impl Sealed for &Url {}
    impl Sealed for RequestUrl {}
    impl Sealed for &RequestUrl {}
    impl Sealed for Uri {}
    impl Sealed for &Uri {}
}
