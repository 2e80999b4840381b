//! The value of one field of a form.

use std::borrow::Cow;
use std::fmt;

use aio_core::form::FormError;
use aio_core::text::Charset;
use aio_core::{Body, ContentType};
use bytes::Bytes;
use tokio::io::AsyncRead;

use crate::file::FileBody;
use crate::reader::ReaderBody;

/// The value of a form's field, with what its part says of it.
///
/// ```
/// use aio_client::{Body, FormData, FormPart};
///
/// let photo = FormPart::from(Body::from(b"\xff\xd8\xff"))
///     .filename("me.jpg")
///     .content_type("image/jpeg");
/// let form = FormData::new().part("photo", photo);
/// ```
pub struct FormPart {
    content: Content,
    pub(super) content_type: Option<String>,
    pub(super) filename: Option<String>,
    /// Without a file name it has the field's.
    pub(super) is_file: bool,
}

enum Content {
    Text(String),
    Body(Body),
}

impl FormPart {
    /// Sets the file name.
    #[must_use]
    pub fn filename(mut self, filename: impl Into<String>) -> Self {
        self.filename = Some(filename.into());
        self
    }

    /// Sets the content type, in place of `text/plain` or the body's own.
    ///
    /// A text is encoded as its `charset` says, unless the form sets one.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    pub(super) fn into_body(self, form_charset: Option<&str>) -> Result<Body, FormError> {
        let text = match self.content {
            Content::Text(text) => text,
            Content::Body(body) => {
                return Ok(match self.content_type {
                    Some(content_type) => body.with_content_type(content_type),
                    None => body,
                });
            }
        };
        let own_charset = self.content_type.as_deref().map(|content_type| {
            let content_type = ContentType::parse(content_type.as_bytes());
            content_type.charset().unwrap_or("utf-8").to_owned()
        });
        let label = form_charset.or(own_charset.as_deref()).unwrap_or("utf-8");
        let bytes = charset(label)?.encode(&text)?.into_owned();
        let content_type = self
            .content_type
            .unwrap_or_else(|| format!("text/plain; charset={label}"));
        Ok(Body::typed(bytes, content_type))
    }

    pub(super) fn try_clone(&self) -> Option<Self> {
        let content = match &self.content {
            Content::Text(text) => Content::Text(text.clone()),
            Content::Body(body) => Content::Body(body.try_clone()?),
        };
        Some(Self {
            content,
            content_type: self.content_type.clone(),
            filename: self.filename.clone(),
            is_file: self.is_file,
        })
    }

    /// The text, if it is nothing else.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self {
                content: Content::Text(text),
                content_type: None,
                filename: None,
                ..
            } => Some(text),
            _ => None,
        }
    }

    fn new(content: Content) -> Self {
        Self {
            content,
            content_type: None,
            filename: None,
            is_file: false,
        }
    }

    pub(super) fn file(body: Body) -> Self {
        Self {
            is_file: true,
            ..body.into()
        }
    }
}

pub(super) fn charset(label: &str) -> Result<Charset, FormError> {
    Charset::for_label(label).ok_or_else(|| FormError::UnknownCharset(label.into()))
}

impl From<&str> for FormPart {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for FormPart {
    fn from(text: String) -> Self {
        Self::new(Content::Text(text))
    }
}

impl From<Bytes> for FormPart {
    fn from(bytes: Bytes) -> Self {
        Self::file(bytes.into())
    }
}

impl From<Body> for FormPart {
    fn from(body: Body) -> Self {
        Self::new(Content::Body(body))
    }
}

impl From<FileBody> for FormPart {
    /// Takes a file under its own name.
    fn from(file: FileBody) -> Self {
        let filename = file.filename().map(Cow::into_owned);
        Self {
            filename,
            ..Self::file(file.into())
        }
    }
}

impl<R: AsyncRead + Send + 'static> From<ReaderBody<R>> for FormPart {
    fn from(reader: ReaderBody<R>) -> Self {
        Self::file(reader.into())
    }
}

impl fmt::Debug for FormPart {
    /// The value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormPart")
            .field("content_type", &self.content_type)
            .field("filename", &self.filename)
            .finish_non_exhaustive()
    }
}
