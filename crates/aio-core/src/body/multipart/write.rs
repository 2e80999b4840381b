//! Multipart bodies to be sent.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::encode::Codings;
use super::layout::{Layout, SMALL};
use crate::body::form::{self, FormError};
use crate::body::{Body, BoxError};
use crate::headers::{Headers, is_token};
use crate::text::Charset;

/// A body of several parts, each with headers of its own; aiohttp's `MultipartWriter`.
///
/// Its length is known if that of each part is, and it can be sent again if each part can.
/// Else a part that is opened late, such as a file, is of unknown length as well. Big parts
/// are not copied.
///
/// ```
/// use aio_core::{Body, Headers, MultipartWriter};
///
/// let mut writer = MultipartWriter::with_boundary("mixed", "limit")?;
/// writer.append("héé", &Headers::new())?;
/// let body = Body::from(writer);
/// assert_eq!(body.content_type(), Some("multipart/mixed; boundary=limit"));
/// let text = "--limit\r\nContent-Type: text/plain; charset=utf-8\r\n\
///     Content-Length: 5\r\n\r\nhéé\r\n--limit--\r\n";
/// assert_eq!(body.as_bytes().unwrap(), text);
/// # Ok::<(), aio_core::form::FormError>(())
/// ```
pub struct MultipartWriter {
    subtype: Box<str>,
    boundary: Box<str>,
    parts: Vec<Part>,
}

pub(super) struct Part {
    pub(super) headers: Headers,
    pub(super) codings: Codings,
    pub(super) body: Body,
}

impl MultipartWriter {
    /// Makes one of type `multipart/subtype` without parts.
    ///
    /// aiohttp's default subtype is `mixed`; its boundaries are 32 random hexadecimal
    /// digits. A boundary must not occur in a part, and nobody checks that: whoever writes
    /// the parts must not be able to guess it.
    ///
    /// # Errors
    /// If the subtype is no token, or the boundary is empty, not ASCII, or has a control
    /// character other than TAB.
    pub fn with_boundary(subtype: &str, boundary: &str) -> Result<Self, FormError> {
        if subtype.is_empty() || !subtype.bytes().all(is_token) {
            return Err(FormError::Subtype(subtype.into()));
        }
        let is_valid = |byte: u8| (b' '..=b'~').contains(&byte) || byte == b'\t';
        if boundary.is_empty() || !boundary.bytes().all(is_valid) {
            return Err(FormError::Boundary(boundary.into()));
        }
        Ok(Self {
            subtype: subtype.into(),
            boundary: boundary.into(),
            parts: Vec::new(),
        })
    }

    /// Appends a part: text, bytes, another writer or any [`Body`].
    ///
    /// Its `Content-Type` is the body's, unless `headers` has one. A `Content-Encoding` of
    /// `deflate` (raw) or `gzip` and a `Content-Transfer-Encoding` of `base64` or
    /// `quoted-printable` are applied to the part; with neither, `Content-Length` is added
    /// if it is known.
    ///
    /// In `form-data` these three headers are forbidden, and a `Content-Disposition` with a
    /// made-up name is added if there is none.
    ///
    /// # Errors
    /// If the headers ask for an unknown coding, or are not for `form-data`; if the body's
    /// content type has a control character.
    pub fn append(&mut self, body: impl Into<Body>, headers: &Headers) -> Result<(), FormError> {
        let body = body.into();
        let mut all = Headers::new();
        if let Some(content_type) = body.content_type() {
            all.append("Content-Type", content_type)?;
        }
        all.merge(headers);
        if self.is_form() {
            let is_forbidden = |name: &&str| all.contains(name);
            if let Some(name) = FORBIDDEN_IN_FORMS.into_iter().find(is_forbidden) {
                return Err(FormError::FormHeader(name));
            }
            if !all.contains(DISPOSITION) {
                let name = format!("section-{}", self.parts.len());
                all.append(DISPOSITION, form::quoted_disposition(&name, None))?;
            }
        }
        self.parts.push(Part {
            codings: Codings::of(&all)?,
            headers: all,
            body,
        });
        Ok(())
    }

    /// Appends a part of JSON that is written already.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_json(
        &mut self,
        json: impl Into<Bytes>,
        headers: &Headers,
    ) -> Result<(), FormError> {
        self.append(Body::typed(json, "application/json"), headers)
    }

    /// Appends a part of pairs as `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_form<K: AsRef<str>, V: AsRef<str>>(
        &mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
        headers: &Headers,
    ) -> Result<(), FormError> {
        let text = form::urlencode(pairs, Charset::UTF_8)?;
        self.append(Body::typed(text, form::URLENCODED), headers)
    }

    /// Returns what stands between the parts.
    pub fn boundary(&self) -> &str {
        &self.boundary
    }

    /// Returns the `Content-Type` of the whole; the boundary is quoted if it is no token.
    pub fn content_type(&self) -> String {
        let (subtype, boundary) = (&self.subtype, &self.boundary);
        match boundary.bytes().all(is_token) {
            true => format!("multipart/{subtype}; boundary={boundary}"),
            false => {
                let boundary = form::escaped(boundary, "\\\"");
                format!("multipart/{subtype}; boundary=\"{boundary}\"")
            }
        }
    }

    /// Returns the number of parts.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Tells whether there is no part.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Makes another writer with the same parts, unless one of them can be sent once only.
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self {
            subtype: self.subtype.clone(),
            boundary: self.boundary.clone(),
            parts: self
                .parts
                .iter()
                .map(Part::try_clone)
                .collect::<Option<_>>()?,
        })
    }

    fn is_form(&self) -> bool {
        *self.subtype == *"form-data"
    }

    /// Opens each part, so that the length of each is known before the first is sent.
    async fn open(mut self) -> Result<Body, BoxError> {
        for part in &mut self.parts {
            part.body.open().await?;
        }
        Ok(self.laid_out())
    }

    fn laid_out(self) -> Body {
        let with_length = !self.is_form();
        let mut layout = Layout::new();
        for mut part in self.parts {
            if with_length && let Some(length) = part.len() {
                part.headers
                    .insert("Content-Length", length.to_string())
                    .expect("digits are a value");
            }
            layout.push_text(&["--", &self.boundary, "\r\n"]);
            layout.push_head(&part.headers);
            layout.push_body(part);
            layout.push_text(&["\r\n"]);
        }
        layout.push_text(&["--", &self.boundary, "--\r\n"]);
        layout.into_body()
    }
}

const DISPOSITION: &str = "Content-Disposition";

/// RFC 7578 4.7 and 4.8.
const FORBIDDEN_IN_FORMS: [&str; 3] = [
    "Content-Encoding",
    "Content-Length",
    "Content-Transfer-Encoding",
];

impl From<MultipartWriter> for Body {
    fn from(writer: MultipartWriter) -> Self {
        let content_type = writer.content_type();
        let again = match writer.parts.iter().all(Part::is_small) {
            true => None,
            false => writer.try_clone(),
        };
        let body = match again {
            // All of it is there; or it is sent once, each part opened when it is its turn.
            None => writer.laid_out(),
            Some(again) => {
                let length = again.laid_out().len();
                // A lock for `Sync` alone, which streams are not.
                let writer = Mutex::new(writer);
                Self::replayable(length, move || {
                    let writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                    let writer = writer.try_clone();
                    async { writer.ok_or("a part cannot be sent again")?.open().await }
                })
            }
        };
        body.with_content_type(content_type)
    }
}

impl fmt::Debug for MultipartWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultipartWriter")
            .field("content_type", &self.content_type())
            .field("len", &self.len())
            .finish()
    }
}

impl Part {
    /// The length as sent, if known.
    pub(super) fn len(&self) -> Option<u64> {
        self.body.len().filter(|_| self.codings.are_none())
    }

    fn is_small(&self) -> bool {
        self.plain_bytes().is_some_and(|bytes| bytes.len() <= SMALL)
    }

    /// The bytes as sent, if they are there.
    pub(super) fn plain_bytes(&self) -> Option<&Bytes> {
        self.body.as_bytes().filter(|_| self.codings.are_none())
    }

    fn try_clone(&self) -> Option<Self> {
        Some(Self {
            headers: self.headers.clone(),
            codings: self.codings,
            body: self.body.try_clone()?,
        })
    }
}

#[cfg(test)]
mod tests;
