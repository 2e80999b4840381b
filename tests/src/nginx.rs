//! nginx, where it is installed: a server that nobody here wrote.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use crate::tls::Authority;

/// How long nginx may take to start and to end.
const SOON: Duration = Duration::from_secs(10);

/// Where nginx may be; a user's `PATH` need not lead to the second.
const PROGRAMS: [&str; 2] = ["nginx", "/usr/sbin/nginx"];

/// Ends the line of the port, too.
const TLS: &str = " ssl; ssl_certificate certificate.pem; ssl_certificate_key key.pem";

/// An nginx on a free port of 127.0.0.1, in a directory of its own, that runs until it is
/// dropped.
///
/// Each response tells the worker that gave it (`X-Worker`), the client's port
/// (`X-Client`), the number of its connection (`X-Connection`) and how many requests that
/// has served (`X-Requests`).
#[derive(Debug)]
pub struct Nginx {
    program: &'static str,
    directory: Scratch,
    scheme: &'static str,
    port: u16,
    process: Child,
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
        Self::start_with(settings, None)
    }

    /// Starts it under TLS, with a certificate of `authority`.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_tls(authority: &Authority, settings: &str) -> io::Result<Option<Self>> {
        Self::start_with(settings, Some(authority))
    }

    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn start_with(settings: &str, authority: Option<&Authority>) -> io::Result<Option<Self>> {
        let runs = |program: &&str| nginx(program).arg("-v").output().is_ok();
        let Some(program) = PROGRAMS.into_iter().find(runs) else {
            let test = thread::current();
            let test = test.name().unwrap_or("a test");
            eprintln!("skipped {test}: nginx is not installed");
            return Ok(None);
        };
        // The port is free when it is chosen, and may be taken when nginx asks for it.
        let mut last = io::Error::other("it was not tried");
        for _ in 0..5 {
            match Self::start_on_some_port(program, settings, authority) {
                Ok(nginx) => return Ok(Some(nginx)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn start_on_some_port(
        program: &'static str,
        settings: &str,
        authority: Option<&Authority>,
    ) -> io::Result<Self> {
        let directory = Scratch::new()?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = free.local_addr()?.port();
        drop(free);
        let (mut scheme, mut tls) = ("http", "");
        if let Some(authority) = authority {
            let (certificate, key) = authority.server_pem(&["127.0.0.1"]);
            fs::write(directory.0.join("certificate.pem"), certificate)?;
            fs::write(directory.0.join("key.pem"), key)?;
            (scheme, tls) = ("https", TLS);
        }
        let config = include_str!("../data/nginx.conf")
            .replace("@PORT@", &port.to_string())
            .replace("@TLS@", tls)
            .replace("@SETTINGS@", settings);
        fs::write(directory.0.join("nginx.conf"), config)?;
        let process = nginx_in(program, &directory.0).spawn()?;
        let mut nginx = Self {
            program,
            directory,
            scheme,
            port,
            process,
        };
        nginx.wait_until_it_listens()?;
        Ok(nginx)
    }

    /// Waits for its pid file, which it writes when it listens.
    fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let (file, start) = (self.directory.0.join("nginx.pid"), Instant::now());
        while fs::metadata(&file).map_or(0, |file| file.len()) == 0 {
            if self.process.try_wait()?.is_some() || start.elapsed() > SOON {
                let log = fs::read_to_string(self.directory.0.join("error.log"));
                return Err(io::Error::other(log.unwrap_or_default()));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Returns its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL of a path that begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// Has it begin anew with the same settings: a new worker takes the connections to
    /// come, and the old one ends with its requests.
    ///
    /// # Errors
    ///
    /// If nginx refuses.
    pub fn reload(&self) -> io::Result<()> {
        self.signal("reload")
    }

    /// Has it take no more connections, and end with the requests it has.
    ///
    /// # Errors
    ///
    /// If nginx refuses.
    pub fn quit(&self) -> io::Result<()> {
        self.signal("quit")
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let output = nginx_in(self.program, &self.directory.0)
            .args(["-s", signal])
            .stderr(Stdio::piped())
            .output()?;
        check(&output)
    }

    /// Ends it after the requests under way, and returns those it has served, each as its
    /// method, its target and the status.
    ///
    /// # Errors
    ///
    /// If nginx does not end.
    pub fn into_requests(mut self) -> io::Result<Vec<(String, String, u16)>> {
        // It may have been told before.
        _ = self.quit();
        self.wait_for_its_end()?;
        let log = fs::read_to_string(self.directory.0.join("requests.log"))?;
        let line = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            Some((words.next()?, words.next()?, words.next()?.parse().ok()?))
        };
        let requests: Option<Vec<_>> = log.lines().map(line).collect();
        requests.ok_or_else(|| io::Error::other(log))
    }

    fn wait_for_its_end(&mut self) -> io::Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            if start.elapsed() > SOON {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed at once, it would leave its workers behind.
        let ended = self.signal("stop").and_then(|()| self.wait_for_its_end());
        if ended.is_err() {
            // Fails only when it has ended already.
            _ = self.process.kill();
            _ = self.process.wait();
        }
    }
}

fn nginx(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    // Before it has read where its log is, it complains there.
    command.stderr(Stdio::null());
    command
}

fn nginx_in(program: &str, directory: &Path) -> Command {
    let mut command = nginx(program);
    let config = directory.join("nginx.conf");
    command.arg("-p").arg(directory).arg("-c").arg(config);
    command
}

fn check(output: &Output) -> io::Result<()> {
    if output.status.success() {
        Ok(())
    } else {
        Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }
}

/// A directory that goes with its owner.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("aio-tests-nginx-{}-{count}", process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}
