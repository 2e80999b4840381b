//! Servers that others wrote, each with the same files, where they are installed.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::daemon::{Daemon, installed};
use crate::random::Random;

/// Where their settings are, and the files that are served by all of them.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/real-servers");

/// The 1st of January 2020: when all files were changed last.
const CHANGED: Duration = Duration::from_secs(1_577_836_800);

/// How a server is started.
#[derive(Debug)]
pub struct RealServer {
    /// Its name, and that of its list of requests.
    pub name: &'static str,
    programs: &'static [&'static str],
    /// What the program can do at once where all that is needed is there.
    check: &'static [&'static str],
    settings: Option<&'static str>,
    arguments: &'static [&'static str],
}

const PYTHON: &[&str] = &["python3", "/usr/bin/python3"];

/// All servers.
pub const ALL: [RealServer; 7] = [
    RealServer {
        name: "nginx",
        programs: &crate::nginx::PROGRAMS,
        check: &["-v"],
        settings: Some("nginx.conf"),
        arguments: &["-p", "@DIR@", "-c", "nginx.conf"],
    },
    RealServer {
        name: "apache2",
        programs: &["apache2", "/usr/sbin/apache2"],
        check: &["-v"],
        settings: Some("apache.conf"),
        arguments: &["-f", "@DIR@/apache.conf", "-DFOREGROUND"],
    },
    RealServer {
        name: "lighttpd",
        programs: &["lighttpd", "/usr/sbin/lighttpd"],
        check: &["-v"],
        settings: Some("lighttpd.conf"),
        arguments: &["-D", "-f", "lighttpd.conf"],
    },
    RealServer {
        name: "caddy",
        programs: &["caddy"],
        check: &["version"],
        settings: Some("Caddyfile"),
        arguments: &["run", "--config", "Caddyfile", "--adapter", "caddyfile"],
    },
    RealServer {
        name: "http.server",
        programs: PYTHON,
        check: &["-c", "import http.server"],
        settings: None,
        arguments: &[
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            "--directory",
            "www",
            "@PORT@",
        ],
    },
    RealServer {
        name: "http.server-1.1",
        programs: PYTHON,
        // Before 3.11 it could not be told which version to speak.
        check: &["-c", "import sys; assert sys.version_info >= (3, 11)"],
        settings: None,
        arguments: &[
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            "--directory",
            "www",
            "--protocol",
            "HTTP/1.1",
            "@PORT@",
        ],
    },
    RealServer {
        name: "aiohttp.web",
        programs: PYTHON,
        check: &["-c", "import aiohttp.web"],
        settings: Some("server.py"),
        arguments: &["server.py", "@PORT@", "www"],
    },
];

impl RealServer {
    /// Starts it; gives nothing, and says so, where it is not installed.
    ///
    /// # Errors
    ///
    /// If it does not start; the error holds what it says.
    pub fn start(&self) -> io::Result<Option<Daemon>> {
        let Some(program) = installed(self.name, self.programs, self.check) else {
            return Ok(None);
        };
        let prepare = |directory: &Path, port: u16| {
            let place = directory.display().to_string();
            let fill = |text: &str| {
                let text = text.replace("@PORT@", &port.to_string());
                text.replace("@DIR@", &place)
            };
            write_files(directory)?;
            if let Some(settings) = self.settings {
                let text = fs::read_to_string(Path::new(DATA).join(settings))?;
                fs::write(directory.join(settings), fill(&text))?;
            }
            let mut command = Command::new(program);
            command.args(self.arguments.iter().map(|argument| fill(argument)));
            // What caddy keeps, else in the user's.
            command.env("XDG_CONFIG_HOME", directory);
            command.env("XDG_DATA_HOME", directory);
            Ok(command)
        };
        Daemon::start(prepare, |directory, port| {
            serves_from(directory, port).unwrap_or(false)
        })
        .map(Some)
    }
}

/// Tells whether a server serves from this very directory.
fn serves_from(directory: &Path, port: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /ready.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer.ends_with(directory.as_os_str().as_encoded_bytes()))
}

/// Writes what is served, and who may see it.
fn write_files(directory: &Path) -> io::Result<()> {
    let www = directory.join("www");
    copy(&Path::new(DATA).join("www"), &www)?;
    let place = directory.as_os_str().as_encoded_bytes();
    let lines: String = (0..1000)
        .map(|n| format!("line {n} of the text\n"))
        .collect();
    let mut random = Random::seeded(8);
    let mut bytes = |length| {
        (0..length)
            .map(|_| random.below(256) as u8)
            .collect::<Vec<_>>()
    };
    for (name, content) in [
        ("ready.txt", place),
        ("text.txt", lines.as_bytes()),
        ("empty.txt", b""),
        ("data.bin", &bytes(300_000)),
        ("large.bin", &bytes(3_000_000)),
        ("large.txt", lines.repeat(100).as_bytes()),
    ] {
        fs::write(www.join(name), content)?;
    }
    fs::create_dir(directory.join("put"))?;
    fs::write(
        directory.join("users"),
        "ada:{SHA}/vNB+F2HQ559kaLUZbmHHvZrXpg=\n",
    )?;
    fs::write(directory.join("plain-users"), "ada:s3cret\n")?;
    change_all(directory)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// Gives all files, and directories, the same time of change, and lets anybody read them:
/// a server that root starts is another user.
fn change_all(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            change_all(&entry?.path())?;
        }
    }
    let file = File::open(path)?;
    file.set_permissions(Permissions::from_mode(0o755))?;
    file.set_modified(SystemTime::UNIX_EPOCH + CHANGED)
}
