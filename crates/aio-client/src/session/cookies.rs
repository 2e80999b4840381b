//! Cookies of a request and of its response, by way of the session's jar.

use std::time::SystemTime;

use aio_cookies::CookieRequest;
use aio_core::{HeaderView, RequestUrl};

use super::ClientSession;
use crate::error::{ClientError, UsageError};
use crate::request::RequestParts;

/// Returns the `Cookie` field to send in place of those set by hand, if there is any other
/// cookie (SPEC §9.6).
pub(super) fn header(
    session: &ClientSession,
    request: &RequestParts,
) -> Result<Option<Vec<u8>>, ClientError> {
    let jar = session.cookie_jar();
    let by_hand: Vec<_> = request.headers.get_all("cookie").collect();
    if jar.is_empty() && request.cookies.is_empty() && by_hand.len() < 2 {
        return Ok(None);
    }
    let style = jar.style();
    let own = request.cookies.iter();
    let own = own.map(|(name, value)| style.pair(name, value));
    let own: Result<Vec<_>, _> = own.collect();
    let stored = jar.filter_cookies(&CookieRequest::new(request.url.url(), SystemTime::now()));
    let by_hand: Vec<_> = by_hand.iter().map(|field| field.as_bytes()).collect();
    Ok(style.merge(stored, own.map_err(UsageError::from)?, &by_hand))
}

/// Stores the cookies that a response sets.
pub(super) fn store(session: &ClientSession, url: &RequestUrl, headers: &HeaderView) {
    if !headers.contains("set-cookie") {
        return;
    }
    let mut set_cookie = headers.get_all("set-cookie").map(|field| field.as_bytes());
    let response = CookieRequest::new(url.url(), SystemTime::now());
    session
        .cookie_jar()
        .update_cookies(&response, &mut set_cookie);
}
