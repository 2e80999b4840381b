//! nginx, where it is installed: a server that nobody here wrote.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use rustix::process::Signal;

use crate::daemon::{Daemon, installed};
use crate::tls::Authority;

/// Where nginx may be.
pub const PROGRAMS: [&str; 2] = ["nginx", "/usr/sbin/nginx"];

const TLS: &str = " ssl; ssl_certificate certificate.pem; ssl_certificate_key key.pem";

/// The name of its Unix socket.
const SOCKET: &str = "nginx.sock";

/// Where nginx listens.
#[derive(Clone, Copy)]
enum Listen<'a> {
    Port,
    PortOfTls(&'a Authority),
    Socket,
}

/// An nginx on a free port of 127.0.0.1, in a directory of its own, that runs until it is
/// dropped.
///
/// Each response tells the worker that gave it (`X-Worker`), the client's port
/// (`X-Client`), the number of its connection (`X-Connection`) and how many requests that
/// has served (`X-Requests`).
#[derive(Debug)]
pub struct Nginx {
    daemon: Daemon,
    scheme: &'static str,
}

impl Nginx {
    /// Starts nginx with `settings` in its server block; gives nothing, and says so, where
    /// nginx is not installed.
    ///
    /// ```
    /// use aio_tests::nginx::Nginx;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let Some(nginx) = Nginx::start("keepalive_requests 3;")? else {
    ///     return Ok(());
    /// };
    /// println!("{}", nginx.url("/"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If nginx does not start; the error holds what it says.
    pub fn start(settings: &str) -> io::Result<Option<Self>> {
        Self::start_with(settings, Listen::Port)
    }

    /// Starts it under TLS, with a certificate of `authority`, which the settings know as
    /// `authority.pem`.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_tls(authority: &Authority, settings: &str) -> io::Result<Option<Self>> {
        Self::start_with(settings, Listen::PortOfTls(authority))
    }

    /// Starts it on a [Unix socket](Self::socket) in its directory.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_unix(settings: &str) -> io::Result<Option<Self>> {
        Self::start_with(settings, Listen::Socket)
    }

    fn start_with(settings: &str, listen: Listen<'_>) -> io::Result<Option<Self>> {
        let Some(program) = installed("nginx", &PROGRAMS, &["-v"]) else {
            return Ok(None);
        };
        let prepare = |directory: &Path, port: u16| {
            let listen = match listen {
                Listen::Port => format!("127.0.0.1:{port}"),
                Listen::PortOfTls(authority) => {
                    let (certificate, key) = authority.server_pem(&["127.0.0.1"]);
                    fs::write(directory.join("certificate.pem"), certificate)?;
                    fs::write(directory.join("key.pem"), key)?;
                    fs::write(directory.join("authority.pem"), authority.pem())?;
                    format!("127.0.0.1:{port}{TLS}")
                }
                Listen::Socket => format!("unix:{}", directory.join(SOCKET).display()),
            };
            let config = include_str!("../data/nginx.conf")
                .replace("@LISTEN@", &listen)
                .replace("@SETTINGS@", settings);
            fs::write(directory.join("nginx.conf"), config)?;
            let mut command = Command::new(program);
            command.arg("-p").arg(directory).args(["-c", "nginx.conf"]);
            Ok(command)
        };
        // Its pid file is written when it listens.
        let serves = |directory: &Path, _| {
            fs::metadata(directory.join("nginx.pid")).is_ok_and(|file| file.len() > 0)
        };
        let scheme = match listen {
            Listen::PortOfTls(_) => "https",
            Listen::Port | Listen::Socket => "http",
        };
        let daemon = Daemon::start(prepare, serves)?;
        Ok(Some(Self { daemon, scheme }))
    }

    /// Returns its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.daemon.port()
    }

    /// Returns the path of the Unix socket that [`start_unix`](Self::start_unix) puts it on.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.daemon.directory().join(SOCKET)
    }

    /// Returns the URL of a path that begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port())
    }

    /// Has it begin anew with the same settings: a new worker takes the connections to
    /// come, and the old one ends with its requests.
    ///
    /// # Errors
    ///
    /// If there is no telling it.
    pub fn reload(&mut self) -> io::Result<()> {
        self.daemon.signal(Signal::HUP)
    }

    /// Has it take no more connections, and end with the requests it has.
    ///
    /// # Errors
    ///
    /// If there is no telling it.
    pub fn quit(&mut self) -> io::Result<()> {
        self.daemon.signal(Signal::QUIT)
    }

    /// Ends it after the requests under way, and returns those it has served, each as its
    /// method, its target and the status.
    ///
    /// # Errors
    ///
    /// If nginx does not end.
    pub fn into_requests(mut self) -> io::Result<Vec<(String, String, u16)>> {
        self.quit()?;
        self.daemon.wait_for_its_end()?;
        let log = fs::read_to_string(self.daemon.directory().join("requests.log"))?;
        let line = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            Some((words.next()?, words.next()?, words.next()?.parse().ok()?))
        };
        let requests: Option<Vec<_>> = log.lines().map(line).collect();
        requests.ok_or_else(|| io::Error::other(log))
    }
}
