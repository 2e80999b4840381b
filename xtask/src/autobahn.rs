//! `cargo xtask conformance autobahn [--profile NAME]`: Autobahn|Testsuite, whose server puts
//! a WebSocket client through up to 517 cases.

mod report;
mod suite;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::json;

use self::report::Report;
use self::suite::Suite;
use crate::step::{Failure, Step};
use crate::workspace::Workspace;

pub(crate) use self::suite::python;

/// Who the reports are about.
const AGENT: &str = "aio-client";

/// How long the server may take until it listens.
const START: Duration = Duration::from_secs(60);

/// Which of the cases are run.
#[derive(Debug, PartialEq, Eq)]
struct Profile {
    cases: Vec<String>,
    without: &'static [&'static str],
    /// How many these are, if the suite is not to be believed.
    count: Option<usize>,
    /// Whether they want a client that is as fast as users have it.
    heavy: bool,
}

impl Profile {
    fn named(name: &str) -> Option<Self> {
        let some = |without, count, heavy| Self {
            cases: vec!["*".to_owned()],
            without,
            count: Some(count),
            heavy,
        };
        Some(match name {
            "full" => some(&[], 517, true),
            "core" => some(&["12.*", "13.*"], 301, true),
            "fast" => some(&["9.*", "12.*", "13.*"], 247, false),
            "deflate" => some(
                &[
                    "1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*",
                ],
                216,
                true,
            ),
            _ => Self {
                cases: name
                    .strip_prefix("cases:")?
                    .split(',')
                    .map(str::to_owned)
                    .collect(),
                without: &[],
                count: None,
                heavy: true,
            },
        })
    }
}

/// The command that runs the cases that take seconds.
pub(crate) fn fast() -> Step {
    Step::cargo("xtask conformance autobahn --profile fast")
}

/// Runs the cases that `words` ask for, `--profile NAME` or nothing for all of them.
pub(crate) fn run(workspace: &Workspace, words: &[&str]) -> Result<(), Failure> {
    let name = match words {
        [] => "full",
        ["--profile", name] => name,
        _ => return Err(Failure::Message(USAGE.to_owned())),
    };
    let profile = Profile::named(name).ok_or_else(|| Failure::Message(USAGE.to_owned()))?;
    let home = workspace.target.join("autobahn");
    let suite = Suite::install(workspace, &home)?;

    let reports = home.join("reports");
    // What an earlier run found would count for this one.
    if reports.exists() {
        fs::remove_dir_all(&reports).map_err(failure("cannot remove the old reports"))?;
    }
    let address = free_address().map_err(failure("no port is free"))?;
    let settings = home.join("settings.json");
    let text = json!({
        "url": format!("ws://{address}"),
        "outdir": reports,
        "cases": profile.cases,
        "exclude-cases": profile.without,
        "exclude-agent-cases": {},
    });
    fs::write(&settings, text.to_string()).map_err(failure("cannot write the settings"))?;

    // Built first, so that the server waits for nobody.
    let kind = if profile.heavy { "--release " } else { "" };
    let program = format!("{kind}--quiet -p aio-tests --bin autobahn");
    Step::cargo(&format!("build {program}")).run_in(&workspace.root)?;
    let server = Server::start(&suite.server(&settings), address)?;
    Step::cargo(&format!("run {program} --"))
        .arg(&format!("ws://{address}"))
        .arg(AGENT)
        .run_in(&workspace.root)?;
    drop(server);

    let report = Report::read(&reports.join("index.json"), AGENT, profile.count)?;
    print!("{report}");
    if report.is_clean() {
        Ok(())
    } else {
        Err(Failure::Message("not all cases are passed".to_owned()))
    }
}

const USAGE: &str = "\
usage: cargo xtask conformance autobahn [--profile full|core|fast|deflate|cases:1.*,7.1.1]";

/// The suite's server; killed when dropped.
struct Server(Child);

impl Server {
    fn start(command: &Step, address: SocketAddr) -> Result<Self, Failure> {
        let mut server = Self(command.start()?);
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = server.0.try_wait().map_err(failure("lost the server"))?;
            if let Some(status) = ended {
                return Err(Failure::Message(format!("the server ended: {status}")));
            }
            if begun.elapsed() > START {
                return Err(Failure::Message("the server does not listen".to_owned()));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn failure<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Failure {
    move |error| Failure::Message(format!("{what}: {error}"))
}

/// Reads a file that must be there.
fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(failure(&format!("cannot read {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_names_or_name_their_cases() {
        let cases = Profile::named("cases:1.*,7.1.1").expect("a profile");
        assert_eq!(cases.cases, ["1.*", "7.1.1"]);
        assert_eq!(Profile::named("full").and_then(|p| p.count), Some(517));
        assert_eq!(Profile::named("most"), None);
    }

    #[test]
    fn the_parts_are_the_whole() {
        let count = |name| Profile::named(name).and_then(|profile| profile.count);
        let sum = count("core").zip(count("deflate")).map(|(a, b)| a + b);
        assert_eq!(sum, count("full"));
    }
}
