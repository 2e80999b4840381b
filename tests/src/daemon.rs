//! A server that nobody here wrote, where it is installed: a process of its own.

use std::fs::{File, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, io, process, thread};

use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to start and to end: on a machine that is busy mitmproxy has
/// taken half a minute.
const SOON: Duration = Duration::from_secs(120);

/// A server on a free port of 127.0.0.1, in a directory of its own, that runs until it is
/// dropped.
#[derive(Debug)]
pub struct Daemon {
    directory: Scratch,
    port: u16,
    command: Command,
    process: Child,
}

/// Returns the first of `programs` that runs with `arguments` and succeeds (a user's `PATH`
/// need not lead to all of them, which is why some are paths); where there is none, says that
/// the test is skipped for want of `name`.
///
/// ```
/// use aio_tests::daemon::installed;
///
/// assert_eq!(installed("it", &["no-such-program"], &["--version"]), None);
/// ```
#[must_use]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub fn installed(
    name: &str,
    programs: &[&'static str],
    arguments: &[&str],
) -> Option<&'static str> {
    let runs = |program: &&&str| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let found = programs.iter().find(runs).copied();
    if found.is_none() {
        let test = thread::current();
        let test = test.name().unwrap_or("a test");
        eprintln!("skipped {test}: {name} is not installed");
    }
    found
}

impl Daemon {
    /// Starts the command that `prepare` makes of a directory and a port; it serves when
    /// `serves` says so.
    ///
    /// # Errors
    ///
    /// If it does not start; the error holds what it says.
    pub fn start(
        prepare: impl Fn(&Path, u16) -> io::Result<Command>,
        serves: impl Fn(&Path, u16) -> bool,
    ) -> io::Result<Self> {
        // The port is free when it is chosen, and may be taken when the server asks for it.
        let mut last = io::Error::other("it was not tried");
        for _ in 0..5 {
            match Self::start_on_some_port(&prepare, &serves) {
                Ok(daemon) => return Ok(daemon),
                // It runs, and would not serve on another port either.
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn start_on_some_port(
        prepare: impl Fn(&Path, u16) -> io::Result<Command>,
        serves: impl Fn(&Path, u16) -> bool,
    ) -> io::Result<Self> {
        let directory = Scratch::new()?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = free.local_addr()?.port();
        drop(free);
        let mut command = prepare(&directory.0, port)?;
        command.current_dir(&directory.0);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(directory.0.join("stderr.log"))?);
        let process = command.spawn()?;
        let mut daemon = Self {
            directory,
            port,
            command,
            process,
        };
        daemon.wait_until(serves)?;
        Ok(daemon)
    }

    fn wait_until(&mut self, serves: impl Fn(&Path, u16) -> bool) -> io::Result<()> {
        let start = Instant::now();
        while !serves(&self.directory.0, self.port) {
            if self.process.try_wait()?.is_some() {
                return Err(io::Error::other(self.complaints()));
            }
            if start.elapsed() > SOON {
                return Err(io::Error::new(io::ErrorKind::TimedOut, self.complaints()));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Ends it, and starts it with the same command on the same port.
    ///
    /// # Errors
    ///
    /// If it does not end, or does not start.
    pub fn restart(&mut self, serves: impl Fn(&Path, u16) -> bool) -> io::Result<()> {
        self.signal(Signal::TERM)?;
        self.wait_for_its_end()?;
        self.process = self.command.spawn()?;
        self.wait_until(serves)
    }

    fn complaints(&self) -> String {
        let logs = ["stderr.log", "error.log"];
        let logs = logs.map(|log| fs::read(self.directory.0.join(log)).unwrap_or_default());
        String::from_utf8_lossy(&logs.concat()).into_owned()
    }

    /// Returns its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns its directory, which goes with it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory.0
    }

    /// Sends it a signal, unless it has ended.
    ///
    /// # Errors
    ///
    /// If there is no sending it one.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        // Else its number may be another's by now.
        if self.process.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.process), signal)?;
        }
        Ok(())
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn wait_for_its_end(&mut self) -> io::Result<ExitStatus> {
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

impl Drop for Daemon {
    fn drop(&mut self) {
        // Killed at once, it would leave its workers behind.
        let ended = self.signal(Signal::TERM);
        if ended.and_then(|()| self.wait_for_its_end()).is_err() {
            // Fails only when it has ended already.
            _ = self.process.kill();
            _ = self.process.wait();
        }
    }
}

/// A directory that goes with its owner, and that anyone may enter.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn new() -> io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("aio-tests-{}-{count}", process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir(&path)?;
        let scratch = Self(path);
        // A server that root starts goes on as another user, who must get in.
        fs::set_permissions(&scratch.0, Permissions::from_mode(0o755))?;
        Ok(scratch)
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}
