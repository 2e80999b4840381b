//! Two hosts on one cable, as network namespaces: the client's has ways to nowhere.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::process::{Command, id};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::daemon::installed;

/// What the client's host is told, with `CLIENT` and `SERVER` in place of the names.
///
/// Who is sent on by the server's host hears nothing; without its black holes IPv6 would tell
/// that there is no way, at times in time to be heard.
const SETUP: &str = "
    -n CLIENT link add cable.1 type veth peer name cable netns SERVER
    -n CLIENT addr add 10.9.0.1/24 dev cable.1
    -n SERVER addr add 10.9.0.2/24 dev cable
    -n SERVER addr add 10.9.0.3/24 dev cable
    -n CLIENT addr add fd09::1/64 dev cable.1 nodad
    -n CLIENT addr add fe80::1/64 dev cable.1 nodad
    -n SERVER addr add fd09::2/64 dev cable nodad
    -n SERVER addr add fe80::2/64 dev cable nodad
    -n CLIENT link set cable.1 up
    -n SERVER link set cable up
    -n SERVER route add blackhole 10.99.0.0/16
    -n SERVER route add blackhole fd99::/64
    -n CLIENT route add 10.99.0.0/16 via 10.9.0.2
    -n CLIENT route add unreachable 10.98.0.0/16
    -n CLIENT route add fd99::/64 via fd09::2
    -n CLIENT route add unreachable fd98::/64
";

/// Two hosts on one cable; they are gone when it is dropped.
///
/// The server's host has 10.9.0.2, 10.9.0.3, `fd09::2` and on the cable `fe80::2`; its end of
/// it is `cable`, the client's `cable.1`. To the client's, 10.99.0.0/16
/// and `fd99::/64` are silent, 10.98.0.0/16 and `fd98::/64` cannot be reached.
#[derive(Debug)]
pub struct Hosts {
    ip: &'static str,
    client: Namespace,
    server: Namespace,
}

impl Hosts {
    /// Makes two hosts; where that cannot be, says that the test is skipped.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub fn new() -> Option<Self> {
        let ip = installed("iproute2", &["ip", "/usr/sbin/ip"], &["-V"])?;
        match Self::with(ip) {
            Ok(hosts) => Some(hosts),
            Err(error) => {
                let test = thread::current();
                let test = test.name().unwrap_or("a test");
                eprintln!("skipped {test}: {error}");
                None
            }
        }
    }

    fn with(ip: &'static str) -> io::Result<Self> {
        let hosts = Self {
            ip,
            client: Namespace::new(ip, "client")?,
            server: Namespace::new(ip, "server")?,
        };
        for line in SETUP.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let name = |word| match word {
                "CLIENT" => hosts.client.name.as_str(),
                "SERVER" => hosts.server.name.as_str(),
                other => other,
            };
            run(hosts.ip, line.split(' ').map(name))?;
        }
        Ok(hosts)
    }

    /// Runs `task` on the client's host, in a thread: sockets it makes are there.
    pub fn at_client<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        self.client.run(task)
    }

    /// Runs `task` on the server's host, in a thread: sockets it makes are there.
    pub fn at_server<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        self.server.run(task)
    }
}

#[derive(Debug)]
struct Namespace {
    ip: &'static str,
    name: String,
}

impl Namespace {
    fn new(ip: &'static str, role: &str) -> io::Result<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("aio-{}-{number}-{role}", id());
        run(ip, ["netns", "add", &name])?;
        Ok(Self { ip, name })
    }

    fn run<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        let moved = || {
            let namespace = File::open(format!("/run/netns/{}", self.name)).expect("it is there");
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("who may make one may enter it");
            task()
        };
        let done = thread::scope(|scope| scope.spawn(moved).join());
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Fails only when somebody else has removed it.
        run(self.ip, ["netns", "del", &self.name]).ok();
    }
}

fn run<'a>(ip: &str, arguments: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    let output = Command::new(ip).args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("ip: {}", error.trim())))
}
