//! SOCKS: how a proxy of version 4, 4a or 5 is asked for a tunnel (RFC 1928, RFC 1929, and
//! Ying-Da Lee's memos on SOCKS4 and 4A).

mod error;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use aio_core::BasicAuth;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub(crate) use self::error::is_hopeless;
pub use self::error::{SocksError, SocksReply};
use super::ProxyError;
use crate::key::ConnectionKey;

/// How a SOCKS proxy is spoken to, and what it is told of who asks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Socks {
    version: Version,
    /// Whether it looks up names itself.
    looks_up: bool,
    login: Option<Login>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Version {
    Four,
    Five,
}

/// In UTF-8, as in URLs: neither version names a charset.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Login {
    user: Box<str>,
    password: Box<str>,
}

/// Whom a proxy is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    Address(SocketAddr),
    Name(&'a str, u16),
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// Why there is no tunnel.
#[derive(Debug)]
pub(crate) enum Failure {
    Socks(SocksError),
    Io(io::Error),
}

impl From<SocksError> for Failure {
    fn from(error: SocksError) -> Self {
        Self::Socks(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Socks(SocksError::Closed),
            _ => Self::Io(error),
        }
    }
}

impl From<Failure> for Arc<dyn Error + Send + Sync> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Socks(error) => Arc::new(error),
            Failure::Io(error) => Arc::new(error),
        }
    }
}

impl Failure {
    /// Tells whether the proxy may connect to another address of the peer.
    pub(crate) fn is_about_the_address(&self) -> bool {
        matches!(self, Self::Socks(SocksError::Refused { reply, .. }) if reply.is_about_the_address())
    }
}

impl Socks {
    /// The port of proxies whose URL has none.
    pub(super) const PORT: u16 = 1080;

    /// Finds what the scheme of a proxy's URL stands for, as in curl.
    pub(super) fn of(scheme: &str) -> Result<Self, ProxyError> {
        let (version, looks_up) = match scheme {
            "socks4" => (Version::Four, false),
            "socks4a" => (Version::Four, true),
            "socks5" => (Version::Five, false),
            "socks5h" => (Version::Five, true),
            other => return Err(ProxyError::Scheme(other.into())),
        };
        Ok(Self {
            version,
            looks_up,
            login: None,
        })
    }

    /// Tells it these credentials; of SOCKS4, which knows no passwords, the login alone.
    pub(super) fn auth(&mut self, auth: &BasicAuth) -> Result<(), ProxyError> {
        let (user, password) = (auth.login(), auth.password());
        match self.version {
            Version::Four if user.contains('\0') => {
                return Err(ProxyError::SocksAuth("SOCKS4 takes no NUL in a login"));
            }
            // RFC 1929 2 wants a password, too; that of many a token is empty, and as with
            // curl and others servers take it so.
            Version::Five if user.is_empty() || user.len().max(password.len()) > 255 => {
                return Err(ProxyError::SocksAuth(
                    "SOCKS5 takes a login of 1 to 255 bytes, and at most 255 of a password",
                ));
            }
            Version::Four | Version::Five => {}
        }
        self.login = Some(Login {
            user: user.into(),
            password: password.into(),
        });
        Ok(())
    }

    pub(super) fn has_login(&self) -> bool {
        self.login.is_some()
    }

    /// Returns the peer as it is asked for by name, unless its address is looked up here.
    pub(crate) fn by_name<'a>(
        &self,
        key: &'a ConnectionKey,
    ) -> Result<Option<Target<'a>>, SocksError> {
        let (host, port) = (key.host(), key.port());
        if !self.looks_up || host.parse::<IpAddr>().is_ok() {
            return Ok(None);
        }
        match host.len() {
            0..=255 => Ok(Some(Target::Name(host, port))),
            length => Err(SocksError::NameTooLong { length }),
        }
    }

    /// Returns those of a peer's addresses that it can be asked for.
    pub(crate) fn by_address(&self, addresses: Vec<SocketAddr>) -> Vec<Target<'static>> {
        let targets = addresses.into_iter().filter_map(|mut address| {
            address.set_ip(address.ip().to_canonical());
            let takes = match (self.version, address.ip()) {
                (Version::Five, _) => true,
                (Version::Four, IpAddr::V6(_)) => false,
                // SOCKS4A says so that a name follows.
                (Version::Four, IpAddr::V4(ip)) => !matches!(ip.octets(), [0, 0, 0, 1..=255]),
            };
            takes.then_some(Target::Address(address))
        });
        targets.collect()
    }

    /// Asks the proxy at the other end of `stream` for a tunnel, and reads its answer:
    /// whatever comes behind that is the peer's.
    pub(crate) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        target: &Target<'_>,
    ) -> Result<(), Failure> {
        match self.version {
            Version::Four => self.ask_four(stream, target).await,
            Version::Five => self.ask_five(stream, target).await,
        }
    }

    async fn ask_four<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        target: &Target<'_>,
    ) -> Result<(), Failure> {
        let user = self.login.as_ref().map_or("", |login| &login.user);
        send(stream, &request_four(user, target)).await?;
        match receive(stream).await? {
            [0, 90] => {}
            [0, code] => return Err(SocksError::refused(target, SocksReply::of_four(code)).into()),
            answer => return Err(SocksError::other(4, answer).into()),
        }
        // Port and address, which mean nothing here.
        skip(stream, 6).await
    }

    async fn ask_five<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        target: &Target<'_>,
    ) -> Result<(), Failure> {
        send(stream, greeting(self.has_login())).await?;
        match (receive(stream).await?, &self.login) {
            ([5, NO_AUTH], _) => {}
            ([5, BY_LOGIN], Some(login)) => {
                send(stream, &login_message(login)).await?;
                // The version that servers put here differs, curl does not look at it either.
                let [_, status] = receive(stream).await?;
                if status != 0 {
                    return Err(SocksError::LoginRefused.into());
                }
            }
            ([5, NO_METHOD], None) => return Err(SocksError::LoginWanted.into()),
            ([5, NO_METHOD], Some(_)) => return Err(SocksError::NoMethod.into()),
            (answer, _) => return Err(SocksError::other(5, answer).into()),
        }
        send(stream, &request_five(target)).await?;
        // Some that refuse say no more than this much.
        match receive(stream).await? {
            [5, 0] => {}
            [5, code] => return Err(SocksError::refused(target, SocksReply::of_five(code)).into()),
            answer => return Err(SocksError::other(5, answer).into()),
        }
        // The address that the proxy connects from, and its port: nobody asked.
        let length = match receive(stream).await? {
            [_, IPV4] => 4,
            [_, IPV6] => 16,
            [_, NAME] => {
                let [length] = receive(stream).await?;
                length.into()
            }
            answer => return Err(SocksError::other(5, answer).into()),
        };
        skip(stream, length + 2).await
    }
}

const CONNECT: u8 = 1;

const NO_AUTH: u8 = 0;
const BY_LOGIN: u8 = 2;
const NO_METHOD: u8 = 0xff;

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

fn greeting(has_login: bool) -> &'static [u8] {
    match has_login {
        false => &[5, 1, NO_AUTH],
        true => &[5, 2, NO_AUTH, BY_LOGIN],
    }
}

fn login_message(login: &Login) -> Vec<u8> {
    let mut message = vec![1];
    push_counted(&mut message, &login.user);
    push_counted(&mut message, &login.password);
    message
}

fn request_five(target: &Target<'_>) -> Vec<u8> {
    let mut message = vec![5, CONNECT, 0];
    match target {
        Target::Address(address) => match address.ip() {
            IpAddr::V4(ip) => {
                message.push(IPV4);
                message.extend(ip.octets());
            }
            IpAddr::V6(ip) => {
                message.push(IPV6);
                message.extend(ip.octets());
            }
        },
        Target::Name(name, _) => {
            message.push(NAME);
            push_counted(&mut message, name);
        }
    }
    message.extend(target.port().to_be_bytes());
    message
}

fn request_four(user: &str, target: &Target<'_>) -> Vec<u8> {
    let (ip, name) = match target {
        Target::Address(address) => match address.ip() {
            IpAddr::V4(ip) => (ip, None),
            // Left out before.
            IpAddr::V6(_) => (Ipv4Addr::UNSPECIFIED, None),
        },
        Target::Name(name, _) => (Ipv4Addr::new(0, 0, 0, 1), Some(name)),
    };
    let mut message = vec![4, CONNECT];
    message.extend(target.port().to_be_bytes());
    message.extend(ip.octets());
    message.extend(user.bytes());
    message.push(0);
    if let Some(name) = name {
        message.extend(name.bytes());
        message.push(0);
    }
    message
}

impl Target<'_> {
    fn port(&self) -> u16 {
        match self {
            Self::Address(address) => address.port(),
            Self::Name(_, port) => *port,
        }
    }
}

/// Appends a text of at most 255 bytes behind its length.
fn push_counted(message: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).expect("checked where it came in");
    message.push(length);
    message.extend(text.bytes());
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> Result<(), Failure> {
    stream.write_all(message).await?;
    Ok(stream.flush().await?)
}

async fn receive<const N: usize>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn skip(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Result<(), Failure> {
    stream.read_exact(&mut vec![0; length]).await?;
    Ok(())
}
