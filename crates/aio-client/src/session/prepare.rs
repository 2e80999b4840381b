//! What a session adds to a request before it is sent: headers, parameters, credentials.

use aio_connector::{Phase, Proxy, SharedTimer};
use aio_core::BasicAuth;

use super::send::attempt;
use super::{ClientSession, Context};
use crate::deadline::Deadlines;
use crate::error::{ClientError, UsageError};
use crate::netrc;
use crate::request::RequestParts;

/// Puts the session's headers and parameters under the request's own, and the credentials
/// that the request names, or else the session's, into its headers.
pub(super) fn merge_defaults(
    session: &ClientSession,
    request: &mut RequestParts,
) -> Result<(), ClientError> {
    let defaults = session.defaults();
    if let Some(options) = &request.options.proxy {
        request.proxy = options.proxy()?;
    }
    if !defaults.headers.is_empty() {
        let own = std::mem::replace(&mut request.headers, defaults.headers.clone());
        request.headers.merge(&own);
    }
    if !defaults.params.is_empty() {
        request.url = request.url.clone().with_missing_params(&defaults.params);
    }
    let of_session = || {
        defaults
            .basic_auth
            .as_ref()
            .filter(|_| session.may_authorize(request))
    };
    let credentials = match (request.url.userinfo(), request.authorization.as_deref()) {
        // REQ-16.
        (Some(_), Some(_)) => return Err(UsageError::TwoAuths.into()),
        (in_url, given) => in_url.or(given).or_else(of_session),
    };
    let Some(credentials) = credentials.cloned() else {
        return Ok(());
    };
    if request.headers.contains("authorization") {
        return Err(UsageError::TwoAuths.into());
    }
    request.authorization = None;
    request.authorize(&credentials)
}

impl ClientSession {
    /// Tells whether the session's credentials may go where the request goes (SES-14).
    fn may_authorize(&self, request: &RequestParts) -> bool {
        let base = self.defaults().base_url.as_ref();
        base.is_none_or(|base| base.same_origin(&request.url))
    }
}

impl RequestParts {
    /// Sets the `Authorization` header: one as any other from here on, which middlewares
    /// may change.
    pub(super) fn authorize(&mut self, credentials: &BasicAuth) -> Result<(), ClientError> {
        let credentials = credentials.encode().map_err(UsageError::from)?;
        let set = self.headers.insert("Authorization", credentials);
        Ok(set.map_err(UsageError::from)?)
    }
}

/// Looks into the environment: for the proxy of this hop, if the request names none itself
/// (RED-33, CON-97: none is told what is another's), and within `total` for credentials, if
/// the proxy (CON-95) or the request has none.
pub(super) async fn ask_environment(
    request: &mut RequestParts,
    context: &Context,
) -> Result<(), ClientError> {
    let environment = context.session.environment();
    let mut host_of_proxy = None;
    if request.options.asks_for_proxy() {
        request.proxy = environment.find_proxy(&request.url)?.cloned();
        let unknown = |proxy: &&Proxy| !proxy.has_credentials();
        host_of_proxy = request.proxy.as_ref().filter(unknown);
    }
    let host_of_proxy = host_of_proxy.map(|proxy| proxy.url().host().to_owned());
    let has_own = request.headers.contains("authorization");
    let host = (!has_own).then(|| request.url.host().to_owned());

    let Deadlines { total, started } = context.deadlines;
    let looking = netrc::credentials(environment, [host_of_proxy, host]);
    let Some([of_proxy, own]) = SharedTimer::default().within(total, looking).await else {
        let attempt = attempt(&request.url, started, Phase::Pool, false);
        return Err(ClientError::Timeout(Box::new(attempt)));
    };
    if let (Some(proxy), Some(credentials)) = (&mut request.proxy, of_proxy) {
        *proxy = proxy.clone().auth(&credentials)?;
    }
    own.map_or(Ok(()), |credentials| request.authorize(&credentials))
}
