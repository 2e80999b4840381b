//! WebSocket servers that others wrote, each with the same paths, where they are installed.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::daemon::{Daemon, installed};
use crate::tls::Authority;

/// Where their programs are, and what they do.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/real-websockets");

/// How a server is started.
#[derive(Clone, Copy, Debug)]
pub struct RealWebSocket {
    /// Its name.
    pub name: &'static str,
    interpreters: &'static [&'static str],
    /// What the interpreter can do at once where all that is needed is there.
    check: &'static [&'static str],
    program: &'static str,
    /// Whether it can send a message in fragments.
    pub fragments: bool,
    /// Whether it answers a close with the same code; else with 1000.
    pub echoes_codes: bool,
}

const PYTHON: &[&str] = &["python3", "/usr/bin/python3"];

/// aiohttp's own server.
pub const AIOHTTP: RealWebSocket = RealWebSocket {
    name: "aiohttp.web",
    interpreters: PYTHON,
    check: &["-c", "import aiohttp.web"],
    program: "aiohttp_server.py",
    fragments: false,
    echoes_codes: false,
};

/// Python's websockets.
pub const WEBSOCKETS: RealWebSocket = RealWebSocket {
    name: "websockets",
    interpreters: PYTHON,
    check: &["-c", "import websockets"],
    program: "websockets_server.py",
    fragments: true,
    echoes_codes: true,
};

/// ws for Node.
pub const WS: RealWebSocket = RealWebSocket {
    name: "ws",
    interpreters: &["node", "nodejs"],
    check: &[
        "-e",
        "module.paths.push('/usr/share/nodejs'); require('ws')",
    ],
    program: "ws_server.js",
    fragments: true,
    echoes_codes: true,
};

impl RealWebSocket {
    /// Starts it; gives nothing, and says so, where it is not installed.
    ///
    /// ```
    /// use aio_tests::real_websocket::AIOHTTP;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let Some(server) = AIOHTTP.start(None)? else {
    ///     return Ok(());
    /// };
    /// println!("ws://127.0.0.1:{}/echo", server.port());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If it does not start; the error holds what it says.
    pub fn start(&self, tls: Option<&Authority>) -> io::Result<Option<Daemon>> {
        let Some(interpreter) = installed(self.name, self.interpreters, self.check) else {
            return Ok(None);
        };
        let prepare = |directory: &Path, port: u16| {
            let mut command = Command::new(interpreter);
            command.arg(Path::new(DATA).join(self.program));
            command.arg(port.to_string());
            if let Some(authority) = tls {
                let (certificate, key) = authority.server_pem(&["127.0.0.1"]);
                fs::write(directory.join("certificate.pem"), certificate)?;
                fs::write(directory.join("key.pem"), key)?;
                command.args(["certificate.pem", "key.pem"]);
            }
            Ok(command)
        };
        let serves = |directory: &Path, _| directory.join("ready").exists();
        Daemon::start(prepare, serves).map(Some)
    }
}
