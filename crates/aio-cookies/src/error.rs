//! What is wrong with a cookie that a program sets.

/// A cookie of the program's own that cannot be sent.
///
/// Cookies of servers give no errors: what is malformed in them is dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is empty, or has a character that a name may not have.
    #[error("illegal cookie name {0:?}")]
    Name(String),
    /// The value of the cookie named so has a character that cannot be sent.
    #[error("illegal character in the value of cookie {0:?}")]
    Value(String),
}
