//! Proxies that others wrote, where they are installed.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::daemon::{Daemon, installed};
use crate::tls::Authority;

/// Where their settings are.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/real-proxies");

/// A kind of proxy: a program and how it is started.
#[derive(Debug)]
pub struct Kind {
    name: &'static str,
    programs: &'static [&'static str],
    /// What the program can do at once where all that is needed is there.
    check: &'static [&'static str],
    /// One behind the other, they are `proxy.conf`.
    settings: &'static [&'static str],
    arguments: &'static [&'static str],
    /// What makes it answer.
    greeting: Greeting,
    end: Signal,
}

#[derive(Clone, Copy, Debug)]
enum Greeting {
    Http,
    /// SOCKS5 with this way to say who one is.
    Socks(u8),
}

const SQUID: &[&str] = &["squid", "/usr/sbin/squid"];
const SQUIDS: &[&str] = &["-N", "-f", "@DIR@/proxy.conf"];
const TINYPROXY: &[&str] = &["tinyproxy", "/usr/bin/tinyproxy", "/usr/sbin/tinyproxy"];
const TINYPROXYS: &[&str] = &["-d", "-c", "proxy.conf"];

/// squid, for everybody.
pub const SQUID_OPEN: Kind = Kind {
    name: "squid",
    programs: SQUID,
    check: &["-v"],
    settings: &["squid.conf"],
    arguments: SQUIDS,
    greeting: Greeting::Http,
    // Told to end, it takes two seconds; it has no workers.
    end: Signal::KILL,
};

/// squid, for `ada` with `s3cret` (Basic).
pub const SQUID_BASIC: Kind = Kind {
    settings: &["squid-basic.conf", "squid.conf"],
    ..SQUID_OPEN
};

/// squid, for `ada` with `s3cret` (Digest).
pub const SQUID_DIGEST: Kind = Kind {
    settings: &["squid-digest.conf", "squid.conf"],
    ..SQUID_OPEN
};

/// tinyproxy, for everybody.
pub const TINYPROXY_OPEN: Kind = Kind {
    name: "tinyproxy",
    programs: TINYPROXY,
    check: &["-v"],
    settings: &["tinyproxy.conf"],
    arguments: TINYPROXYS,
    greeting: Greeting::Http,
    end: Signal::TERM,
};

/// tinyproxy, for `ada` with `s3cret`.
pub const TINYPROXY_BASIC: Kind = Kind {
    settings: &["tinyproxy.conf", "tinyproxy-basic.conf"],
    ..TINYPROXY_OPEN
};

/// mitmproxy, for everybody.
pub const MITMPROXY_OPEN: Kind = Kind {
    name: "mitmproxy",
    programs: &["mitmdump"],
    check: &["--version"],
    settings: &[],
    arguments: MITMPROXYS,
    greeting: Greeting::Http,
    end: Signal::TERM,
};

const MITMPROXYS: &[&str] = &[
    "--quiet",
    "--set",
    "confdir=@DIR@",
    "--listen-host",
    "127.0.0.1",
    "--listen-port",
    "@PORT@",
    // The server's certificate is for the client to check, which sees another.
    "--ssl-insecure",
    "--scripts",
    "mitmproxy.py",
];

/// dante, for everybody: SOCKS4 and SOCKS5.
pub const DANTE: Kind = Kind {
    name: "dante",
    programs: &["danted", "/usr/sbin/danted", "sockd", "/usr/sbin/sockd"],
    check: &["-v"],
    settings: &["danted.conf"],
    arguments: &["-f", "proxy.conf", "-p", "@DIR@/danted.pid"],
    greeting: Greeting::Socks(0),
    end: Signal::TERM,
};

/// microsocks, for everybody: SOCKS5.
pub const MICROSOCKS_OPEN: Kind = Kind {
    name: "microsocks",
    // It can do nothing at once but fail.
    programs: &["sh"],
    check: &["-c", "command -v microsocks"],
    settings: &[],
    arguments: &["-c", "exec microsocks -i 127.0.0.1 -p @PORT@"],
    greeting: Greeting::Socks(0),
    end: Signal::TERM,
};

/// microsocks, for `ada` with `s3cret`.
pub const MICROSOCKS_AUTH: Kind = Kind {
    arguments: &[
        "-c",
        "exec microsocks -i 127.0.0.1 -p @PORT@ -u ada -P s3cret",
    ],
    greeting: Greeting::Socks(2),
    ..MICROSOCKS_OPEN
};

const STUNNEL: Kind = Kind {
    name: "stunnel",
    programs: &["stunnel", "/usr/bin/stunnel", "stunnel4"],
    check: &["-version"],
    settings: &["stunnel.conf"],
    arguments: &["proxy.conf"],
    greeting: Greeting::Http,
    end: Signal::TERM,
};

/// A proxy on a free port of 127.0.0.1, in a directory of its own, that runs until it is
/// dropped.
///
/// ```
/// use aio_client::ClientSession;
/// use aio_tests::http_server::{Response, TestServer};
/// use aio_tests::real_proxy::{RealProxy, TINYPROXY_OPEN};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let Some(proxy) = RealProxy::start(&TINYPROXY_OPEN)? else {
///     return Ok(());
/// };
/// let server = TestServer::start(async |_| Response::ok("hello")).await?;
/// let session = ClientSession::builder().proxy(format!("http://{}", proxy.host())).build()?;
/// assert_eq!(session.get(server.url("/")).await?.text().await?, "hello");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct RealProxy {
    daemon: Daemon,
    greeting: Greeting,
    end: Signal,
}

impl RealProxy {
    /// Starts one; gives nothing, and says so, where it is not installed.
    ///
    /// # Errors
    ///
    /// If it does not start; the error holds what it says.
    pub fn start(kind: &Kind) -> io::Result<Option<Self>> {
        let greeting = kind.greeting;
        Self::start_with(kind, |_| Ok(()), "", |stream| greeting.is_answered(stream))
    }

    /// Starts stunnel before this one: it takes TLS, with a certificate of `authority`, and
    /// passes on what is in it.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn behind_tls(&self, authority: &Authority) -> io::Result<Option<Self>> {
        let write = |directory: &Path| {
            let (certificate, key) = authority.server_pem(&["127.0.0.1"]);
            fs::write(directory.join("certificate.pem"), certificate)?;
            fs::write(directory.join("key.pem"), key)
        };
        let answers =
            |stream: TcpStream| STUNNEL.greeting.is_answered(over_tls(stream, authority)?);
        Self::start_with(&STUNNEL, write, &self.daemon.port().to_string(), answers)
    }

    fn start_with(
        kind: &Kind,
        write: impl Fn(&Path) -> io::Result<()>,
        behind: &str,
        answers: impl Fn(TcpStream) -> io::Result<bool>,
    ) -> io::Result<Option<Self>> {
        let Some(program) = installed(kind.name, kind.programs, kind.check) else {
            return Ok(None);
        };
        let prepare = |directory: &Path, port: u16| {
            let (port, place) = (port.to_string(), directory.display().to_string());
            let fill = |text: &str| {
                let text = text.replace("@PORT@", &port).replace("@DIR@", &place);
                text.replace("@BEHIND@", behind)
            };
            write(directory)?;
            let mut settings = String::new();
            for file in fs::read_dir(DATA)? {
                let file = file?;
                let text = fill(&fs::read_to_string(file.path())?);
                fs::write(directory.join(file.file_name()), text)?;
            }
            for name in kind.settings {
                settings.push_str(&fs::read_to_string(directory.join(name))?);
            }
            fs::write(directory.join("proxy.conf"), settings)?;
            // Who goes on as another user than root writes there too.
            fs::set_permissions(directory, Permissions::from_mode(0o777))?;
            let mut command = Command::new(program);
            command.args(kind.arguments.iter().map(|argument| fill(argument)));
            // Names that are not found are not looked for long.
            command.env("RES_OPTIONS", "timeout:1 attempts:1");
            Ok(command)
        };
        let daemon = Daemon::start(prepare, |_, port| serves(port, &answers))?;
        Ok(Some(Self {
            daemon,
            greeting: kind.greeting,
            end: kind.end,
        }))
    }

    /// Returns its host and port.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.daemon.port())
    }

    /// Returns its directory, which goes with it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.daemon.directory()
    }

    /// Returns the lines of its list of requests that have `word`.
    ///
    /// # Errors
    ///
    /// If it has none that can be read.
    pub fn listed(&self, word: &str) -> io::Result<Vec<String>> {
        let list = fs::read_to_string(self.directory().join("requests.log"))?;
        let lines = list.lines().filter(|line| line.contains(word));
        Ok(lines.map(str::to_owned).collect())
    }

    /// Ends it, and starts it on the same port.
    ///
    /// # Errors
    ///
    /// If it does not end, or does not start.
    pub fn restart(&mut self) -> io::Result<()> {
        let greeting = self.greeting;
        self.daemon.signal(self.end)?;
        self.daemon
            .restart(|_, port| serves(port, |stream| greeting.is_answered(stream)))
    }
}

impl Drop for RealProxy {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        _ = self.daemon.signal(self.end);
    }
}

impl Greeting {
    fn is_answered(self, mut stream: impl Read + Write) -> io::Result<bool> {
        match self {
            // Where nobody listens: whatever the answer is, it is the proxy's own.
            Self::Http => {
                stream.write_all(b"GET http://127.0.0.1:1/ready HTTP/1.0\r\n\r\n")?;
                let mut answer = [0; 5];
                stream.read_exact(&mut answer)?;
                Ok(&answer == b"HTTP/")
            }
            // RFC 1928 3
            Self::Socks(method) => {
                stream.write_all(&[5, 1, method])?;
                let mut answer = [0; 2];
                stream.read_exact(&mut answer)?;
                Ok(answer == [5, method])
            }
        }
    }
}

fn serves(port: u16, answers: impl Fn(TcpStream) -> io::Result<bool>) -> bool {
    let asked = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).and_then(|stream| {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        answers(stream)
    });
    asked.unwrap_or(false)
}

fn over_tls(
    stream: TcpStream,
    authority: &Authority,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let client = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    let name = Ipv4Addr::LOCALHOST.into();
    let client = ClientConnection::new(Arc::new(client), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(client, stream))
}
