//! Name servers that others wrote, where they are installed: unbound and knot.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{fs, io};

use crate::daemon::{Daemon, installed};
use crate::dns_script::{A, query};
use crate::tls::Authority;

/// What both know, each with a TTL of 5 seconds.
const RECORDS: [&str; 7] = [
    "four.k.test. 5 IN A 127.0.0.1",
    "six.k.test. 5 IN AAAA ::1",
    "both.k.test. 7 IN A 127.0.0.1",
    "both.k.test. 5 IN AAAA ::1",
    "alias.k.test. 3 IN CNAME both.k.test.",
    "under_score_.k.test. 5 IN A 127.0.0.1",
    "text.k.test. 5 IN TXT \"no address\"",
];

/// How many addresses `many.k.test` has, which no UDP answer has room for.
pub const MANY: usize = 100;

/// A name server on free ports of 127.0.0.1 that runs until it is dropped.
///
/// It knows the zone `k.test`: `four` has the address 127.0.0.1, `six` has `::1`, `both` has
/// both, `alias` is another name for it, `many` has [`MANY`], `text` has none.
#[derive(Debug)]
pub struct DnsServer {
    daemon: Daemon,
    tls: u16,
    https: u16,
}

impl DnsServer {
    /// Starts unbound with more `settings` behind its own, and with a certificate of
    /// `authority` for `names.test`; gives nothing, and says so, where it is not installed.
    ///
    /// ```
    /// use aio_tests::dns_server::DnsServer;
    /// use aio_tests::tls::Authority;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let Some(unbound) = DnsServer::unbound(&Authority::new(), "")? else {
    ///     return Ok(());
    /// };
    /// println!("{}", unbound.address());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If it does not start; the error holds what it says.
    pub fn unbound(authority: &Authority, settings: &str) -> io::Result<Option<Self>> {
        let programs = ["unbound", "/usr/sbin/unbound"];
        let Some(program) = installed("unbound", &programs, &["-V"]) else {
            return Ok(None);
        };
        let (tls, https) = (Cell::new(0), Cell::new(0));
        let prepare = |directory: &Path, port: u16| {
            tls.set(free_port()?);
            https.set(free_port()?);
            let (certificate, key) = authority.server_pem(&["names.test"]);
            fs::write(directory.join("certificate.pem"), certificate)?;
            fs::write(directory.join("key.pem"), key)?;
            let records: String = records()
                .map(|record| format!("    local-data: '{record}'\n"))
                .collect();
            let config = include_str!("../data/unbound.conf")
                .replace("@PORT@", &port.to_string())
                .replace("@TLS@", &tls.get().to_string())
                .replace("@HTTPS@", &https.get().to_string())
                .replace("@DIR@", &directory.display().to_string())
                .replace("@RECORDS@", &records)
                .replace("@SETTINGS@", settings);
            fs::write(directory.join("unbound.conf"), config)?;
            let mut command = Command::new(program);
            command.args(["-d", "-c", "unbound.conf"]);
            Ok(command)
        };
        let daemon = Daemon::start(prepare, serves)?;
        let (tls, https) = (tls.get(), https.get());
        Ok(Some(Self { daemon, tls, https }))
    }

    /// Starts knot; gives nothing, and says so, where it is not installed.
    ///
    /// # Errors
    ///
    /// As [`unbound`](Self::unbound).
    pub fn knot() -> io::Result<Option<Self>> {
        let programs = ["knotd", "/usr/sbin/knotd"];
        let Some(program) = installed("knot", &programs, &["-V"]) else {
            return Ok(None);
        };
        let prepare = |directory: &Path, port: u16| {
            let head = [
                "k.test. 5 SOA ns.k.test. k.k.test. 1 5 5 5 5",
                "k.test. 5 NS four.k.test.",
            ];
            let lines = head.map(str::to_owned).into_iter().chain(records());
            let zone: String = lines.map(|line| line + "\n").collect();
            fs::write(directory.join("k.zone"), zone)?;
            let config = include_str!("../data/knot.conf")
                .replace("@PORT@", &port.to_string())
                .replace("@DIR@", &directory.display().to_string());
            fs::write(directory.join("knot.conf"), config)?;
            let mut command = Command::new(program);
            command.args(["-c", "knot.conf"]);
            Ok(command)
        };
        let daemon = Daemon::start(prepare, serves)?;
        let (tls, https) = (0, 0);
        Ok(Some(Self { daemon, tls, https }))
    }

    /// Returns where it is asked by UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.daemon.port()).into()
    }

    /// Returns where unbound is asked by TLS.
    #[must_use]
    pub fn tls_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.tls).into()
    }

    /// Returns where unbound is asked by HTTPS.
    #[must_use]
    pub fn https_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.https).into()
    }

    /// Ends it, and starts it on the same ports.
    ///
    /// # Errors
    ///
    /// If it does not end, or does not start.
    pub fn restart(&mut self) -> io::Result<()> {
        self.daemon.restart(serves)
    }
}

fn records() -> impl Iterator<Item = String> {
    let many = (1..=MANY).map(|last| format!("many.k.test. 5 IN A 127.0.1.{last}"));
    RECORDS.map(str::to_owned).into_iter().chain(many)
}

fn free_port() -> io::Result<u16> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(free.local_addr()?.port())
}

/// Tells whether it answers.
fn serves(_: &Path, port: u16) -> bool {
    let ask = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        socket.send(&query("four.k.test", A))?;
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer)?;
        // One record at least, and no error.
        io::Result::Ok(length > 12 && answer[3] & 15 == 0 && answer[7] > 0)
    };
    ask().unwrap_or(false)
}
