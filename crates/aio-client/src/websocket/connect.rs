//! From a request to an open WebSocket.

use std::io;

use aio_connector::ConnectionError;
use aio_ws::{ClientHandshake, HandshakeCheck, Protocol, Role, WebSocket, WsConfig, random};

use super::options::WsOptions;
use super::{ClientWebSocketResponse, WsConnection};
use crate::error::{ClientError, ResponseErrorKind, UsageError};
use crate::request::RequestBuilder;
use crate::response::ClientResponse;
use crate::session::ClientSession;

/// Sends the request and makes a WebSocket of its answer.
pub(super) async fn open(
    session: ClientSession,
    request: RequestBuilder,
    options: WsOptions,
) -> Result<ClientWebSocketResponse, ClientError> {
    // EDGE-280: before anything else.
    if let Some(error) = options.refused {
        return Err(UsageError::from(error).into());
    }
    let (key, seed) = (random().map_err(no_random)?, random().map_err(no_random)?);
    let handshake = ClientHandshake::new(key, options.handshake);
    let mut response = ask(request, &handshake).send().await?;
    let (headers, _) = response.headers().to_map();
    let negotiated = handshake.check(response.status(), &headers);
    let negotiated = negotiated.map_err(|check| refused(&mut response, check))?;
    // A middleware may have taken it.
    let Some((upgraded, received)) = response.upgrade() else {
        let attempt = Box::new(response.attempt());
        return Err(ConnectionError::Closed { attempt }.into());
    };
    let connection = WsConnection::new(upgraded, session.clone());
    let config = WsConfig {
        deflate: negotiated.deflate,
        ..options.config
    };
    let mut protocol = Protocol::new(Role::Client, config, seed);
    protocol.receive(&received);
    let socket = WebSocket::new(connection, protocol)
        .with_negotiated(negotiated)
        .with_timeout(options.timeout.into())
        .start_heartbeat();
    Ok(ClientWebSocketResponse::new(socket, &response, session))
}

/// Adds the headers of the handshake (WS-05).
fn ask(request: RequestBuilder, handshake: &ClientHandshake) -> RequestBuilder {
    request.with(|request| {
        let headers = request.headers_mut();
        for (name, value) in ClientHandshake::DEFAULT_HEADERS {
            if !headers.contains(name) {
                headers.append(name, value).map_err(UsageError::from)?;
            }
        }
        for (name, value) in handshake.headers() {
            headers.insert(name, value).map_err(UsageError::from)?;
        }
        Ok(())
    })
}

/// Leaves a response that opens no WebSocket, and names the error.
fn refused(response: &mut ClientResponse, check: HandshakeCheck) -> ClientError {
    let mut error = response.error(ResponseErrorKind::WsHandshake, check.to_string());
    match check {
        // EDGE-288: whatever is here whole leaves its connection usable.
        HandshakeCheck::Status => response.release(),
        _ => response.close(),
    }
    error.handshake = Some(check);
    error.into()
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` gives it away")]
fn no_random(error: io::Error) -> UsageError {
    UsageError::Random(error.kind())
}
