//! The codes that tell why a WebSocket closes (RFC 6455 7.4).

use std::fmt;

/// Why a WebSocket closes.
///
/// Beside the named codes there are those of applications, 3000 to 4999.
///
/// ```
/// use aio_ws::CloseCode;
///
/// assert_eq!(CloseCode::from_wire(1001), Some(CloseCode::GOING_AWAY));
/// assert_eq!(CloseCode::from_wire(4000).map(CloseCode::get), Some(4000));
/// assert_eq!(CloseCode::from_wire(1006), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const OK: Self = Self(1000);
    /// The server shuts down, or the user leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of message came that this endpoint does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// The peer gave no code; never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// The connection ended without a close frame; never on the wire.
    pub const ABNORMAL_CLOSURE: Self = Self(1006);
    /// A text message is not UTF-8.
    pub const INVALID_TEXT: Self = Self(1007);
    /// A message breaks a rule of this endpoint.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// A message is larger than this endpoint takes.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// The server does not offer an extension that the client needs.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// The server met a condition it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// The server restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// The server is overloaded.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// A gateway got no valid answer from the server behind it.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Reads the code of a close frame; `None` if none may have it.
    ///
    /// Allowed are 1000 to 1003, 1007 to 1014 and 3000 to 4999. aiohttp also takes 1006,
    /// which RFC 6455 7.4.1 forbids.
    pub const fn from_wire(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// Returns the code as a number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(codes: impl IntoIterator<Item = u16>, allowed: bool) {
        for code in codes {
            assert_eq!(CloseCode::from_wire(code).is_some(), allowed, "{code}");
        }
    }

    #[test]
    fn registered_and_private_codes_are_allowed_on_the_wire() {
        check(1000..=1003, true);
        check(1007..=1014, true);
        check(3000..=4999, true);
    }

    #[test]
    fn reserved_codes_are_not() {
        check(0..=999, false);
        check(1004..=1006, false);
        check(1015..=2999, false);
        check(5000..=u16::MAX, false);
    }
}
