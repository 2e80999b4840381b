//! What a SOCKS proxy says in place of giving a tunnel.

use std::error::Error;
use std::fmt;

use super::Target;

/// Why a SOCKS proxy gives no tunnel: the cause of a
/// [`ConnectErrorKind::Proxy`](crate::ConnectErrorKind::Proxy).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SocksError {
    /// It does not connect to the peer.
    #[error("the SOCKS proxy does not connect to {target}: {reply}")]
    Refused {
        /// The peer's name or address, and its port, as the proxy was told it.
        target: Box<str>,
        /// What it says.
        reply: SocksReply,
    },
    /// It takes nobody who does not tell a login and a password, or more.
    #[error("the SOCKS proxy takes nobody without credentials")]
    LoginWanted,
    /// It refuses the login and the password.
    #[error("the SOCKS proxy refuses the login and the password")]
    LoginRefused,
    /// It takes neither anybody, nor a login and a password.
    #[error("the SOCKS proxy wants other credentials than a login and a password")]
    NoMethod,
    /// It answers as an HTTP server does.
    #[error("the proxy does not speak SOCKS{version}: it answers HTTP")]
    Http {
        /// The version that was spoken to it: 4 or 5.
        version: u8,
    },
    /// It answers what this version of SOCKS does not know.
    #[error("the proxy does not speak SOCKS{version}: it says {:#04x} {:#04x}", .answer[0], .answer[1])]
    Malformed {
        /// The version that was spoken to it: 4 or 5.
        version: u8,
        /// The two bytes that are not understood.
        answer: [u8; 2],
    },
    /// It closed in the middle of its answers.
    #[error("the SOCKS proxy closed before its answer")]
    Closed,
    /// The peer's name is longer than the 255 bytes that a proxy can be told.
    #[error("a name of {length} bytes is too long for a SOCKS proxy")]
    NameTooLong {
        /// Its length.
        length: usize,
    },
    /// The peer has no address of IPv4, and SOCKS4 knows no other.
    #[error("{host} has no address of IPv4, and SOCKS4 knows no other")]
    NoIpv4 {
        /// The peer's name, or its address.
        host: Box<str>,
    },
}

/// What a SOCKS proxy says for not connecting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocksReply {
    /// SOCKS5, 1: it failed.
    GeneralFailure,
    /// SOCKS5, 2: the proxy's rules do not allow it.
    NotAllowed,
    /// SOCKS5, 3.
    NetworkUnreachable,
    /// SOCKS5, 4; many say so too if a name has no address.
    HostUnreachable,
    /// SOCKS5, 5: the peer refuses the connection.
    ConnectionRefused,
    /// SOCKS5, 6: it took too long.
    TtlExpired,
    /// SOCKS5, 7: the proxy does not connect to anybody.
    CommandNotSupported,
    /// SOCKS5, 8: the proxy does not know addresses of this kind, such as IPv6.
    AddressTypeNotSupported,
    /// SOCKS4, 91: it failed, or is not allowed.
    Rejected,
    /// SOCKS4, 92: the proxy cannot ask this machine's `identd` who the user is.
    NoIdentd,
    /// SOCKS4, 93: this machine's `identd` names another user.
    OtherUser,
    /// Another number.
    Other(u8),
}

/// Tells whether a cause is a proxy's answer that will be the same another time.
pub(crate) fn is_hopeless(cause: &(dyn Error + Send + Sync + 'static)) -> bool {
    match cause.downcast_ref() {
        Some(SocksError::Refused { reply, .. }) => !reply.is_about_the_address(),
        Some(error) => *error != SocksError::Closed,
        None => false,
    }
}

impl SocksReply {
    pub(super) fn of_five(code: u8) -> Self {
        match code {
            1 => Self::GeneralFailure,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::ConnectionRefused,
            6 => Self::TtlExpired,
            7 => Self::CommandNotSupported,
            8 => Self::AddressTypeNotSupported,
            other => Self::Other(other),
        }
    }

    pub(super) fn of_four(code: u8) -> Self {
        match code {
            91 => Self::Rejected,
            92 => Self::NoIdentd,
            93 => Self::OtherUser,
            other => Self::Other(other),
        }
    }

    /// Tells whether it may say otherwise of another address.
    pub(super) fn is_about_the_address(self) -> bool {
        !matches!(
            self,
            Self::NotAllowed | Self::CommandNotSupported | Self::NoIdentd | Self::OtherUser
        )
    }
}

impl fmt::Display for SocksReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GeneralFailure => "general failure",
            Self::NotAllowed => "not allowed by its rules",
            Self::NetworkUnreachable => "network unreachable",
            Self::HostUnreachable => "host unreachable",
            Self::ConnectionRefused => "connection refused",
            Self::TtlExpired => "TTL expired",
            Self::CommandNotSupported => "command not supported",
            Self::AddressTypeNotSupported => "address type not supported",
            Self::Rejected => "rejected or failed",
            Self::NoIdentd => "no identd to ask for the user",
            Self::OtherUser => "identd names another user",
            Self::Other(code) => return write!(f, "reply {code}"),
        })
    }
}

impl SocksError {
    pub(super) fn refused(target: &Target<'_>, reply: SocksReply) -> Self {
        Self::Refused {
            target: target.to_string().into(),
            reply,
        }
    }

    /// Names an answer that this version does not know.
    pub(super) fn other(version: u8, answer: [u8; 2]) -> Self {
        match &answer {
            b"HT" => Self::Http { version },
            _ => Self::Malformed { version, answer },
        }
    }
}
