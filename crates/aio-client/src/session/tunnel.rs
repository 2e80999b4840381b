//! What a proxy says in place of giving a tunnel, as the error that it is.

use aio_connector::{Attempt, ConnectionError, TunnelAnswer, TunnelRefusal};
use aio_core::RequestUrl;
use http::Method;

use super::ClientSession;
use crate::error::{ClientError, ClientResponseError, ResponseErrorKind};
use crate::response::{RequestInfo, ResponseHead};

/// Names the error that a failure to connect is to the user.
pub(super) fn unconnected(
    error: ConnectionError,
    url: &RequestUrl,
    session: &ClientSession,
) -> ClientError {
    let ConnectionError::Tunnel { refusal, attempt } = error else {
        return error.into();
    };
    match refusal {
        TunnelRefusal::Status(answer) => refused(*answer, url, *attempt, session).into(),
        TunnelRefusal::Malformed(source) => ClientResponseError::malformed(source, *attempt).into(),
        _ => ConnectionError::Tunnel { refusal, attempt }.into(),
    }
}

/// CON-87.
fn refused(
    answer: TunnelAnswer,
    url: &RequestUrl,
    attempt: Attempt,
    session: &ClientSession,
) -> ClientResponseError {
    let TunnelAnswer {
        head, body, sent, ..
    } = answer;
    let info = RequestInfo::new(Method::CONNECT, url.clone(), sent);
    let head = ResponseHead::of_proxy(head, info, session.cookie_jar().style().profile);
    ClientResponseError {
        kind: ResponseErrorKind::Proxy,
        status: head.status().as_u16(),
        message: head.reason().into(),
        head: Some(head),
        history: Vec::new(),
        attempt,
        body,
        handshake: None,
        source: None,
    }
}
