//! The conformance replayer: runs scenarios against the client and says which of them came out as recorded.

mod lists;
mod report;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::runtime;
use tokio::time::{Instant, timeout};

use crate::client::{Client, Setup};
use crate::compare::differences;
use crate::events::Events;
use crate::ports::Ports;
use crate::program::Program;
use crate::scenario::Scenario;
use crate::script::ServerScript;
use crate::server::BoundServer;
use crate::wire;

pub use lists::{Deviations, ExpectedFailures};
pub use report::{Judgement, Report};

/// How long the scripts may run on after the last call.
const SETTLE: Duration = Duration::from_secs(2);

/// How many scenarios run at the same time.
const AT_ONCE: usize = 4;

/// Areas in which time matters: a mismatch there may be the load of the machine.
const TIMED_AREAS: [&str; 3] = ["timeout", "conn", "ws"];

/// What came of running a scenario.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// What was recorded.
    Match,
    /// Something else; the differences.
    Mismatch(Vec<String>),
    /// A call that hangs; the differences.
    ///
    /// Only a right to hang covers it: the script of a server may serve one behaviour only.
    Hung(Vec<String>),
    /// A call that the client does not have; the differences.
    ///
    /// No right to deviate covers it.
    Unable(Vec<String>),
    /// The scenario could not be run to its end: a bad file, a panic.
    Broken(String),
}

/// Replays the project's own copy of the scenarios, or only those whose name contains one of `only`.
///
/// # Errors
///
/// Says which directory or list cannot be read.
pub fn replay_own(only: &[String], out: &mut dyn Write) -> io::Result<Report> {
    let tests_data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let deviations = Deviations::load(&tests_data.join("conformance-deviations.txt"))?;
    let expected = ExpectedFailures::load(&tests_data.join("conformance-expected-failures.txt"))?;
    replay(
        &[
            tests_data.join("conformance"),
            tests_data.join("conformance-extra"),
        ],
        only,
        &expected,
        &deviations,
        out,
    )
}

/// Replays whole directories, without the list of expected failures.
///
/// # Errors
///
/// Says which directory or list cannot be read.
pub fn replay_dirs(dirs: &[PathBuf], only: &[String], out: &mut dyn Write) -> io::Result<Report> {
    let tests_data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let deviations = Deviations::load(&tests_data.join("conformance-deviations.txt"))?;
    replay(dirs, only, &ExpectedFailures::default(), &deviations, out)
}

fn replay(
    dirs: &[PathBuf],
    only: &[String],
    expected: &ExpectedFailures,
    deviations: &Deviations,
    out: &mut dyn Write,
) -> io::Result<Report> {
    let mut paths = Vec::new();
    for dir in dirs {
        find_scenarios(dir, &mut paths)?;
    }
    let is_wanted = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        only.is_empty() || only.iter().any(|part| name.contains(part))
    };
    paths.retain(is_wanted);
    paths.sort();

    let mut report = Report::default();
    let mut again = Vec::new();
    for (path, outcome) in paths.iter().zip(run_all(&paths)) {
        let (name, scenario) = (stem(path), Scenario::load(path).ok());
        let by_right = scenario
            .as_ref()
            .and_then(|scenario| scenario.deviation_ok.as_deref());
        let judgement = Judgement::of(
            &outcome,
            expected.get(&name),
            deviations.get(&name).or(by_right),
        );
        let timed = scenario.is_some_and(|scenario| TIMED_AREAS.contains(&scenario.area()));
        if timed
            && matches!(
                (&judgement, &outcome),
                (
                    Judgement::Failed(_),
                    Outcome::Mismatch(_) | Outcome::Hung(_) | Outcome::Unable(_)
                )
            )
        {
            again.push((path, name, outcome));
        } else {
            report.add(name, judgement);
        }
    }
    for (path, name, first) in again {
        let second = run_file(path);
        writeln!(out, "run again alone: {name}")?;
        writeln!(out, "  among others: {}", first.in_one_line())?;
        writeln!(out, "  alone:        {}", second.in_one_line())?;
        report.add(name, Judgement::of(&second, None, None));
    }
    if only.is_empty() {
        let names: Vec<_> = paths.iter().map(|path| stem(path)).collect();
        for name in expected.names().filter(|name| !names.contains(name)) {
            report.add(
                name.clone(),
                Judgement::Failed(
                    "listed as an expected failure, but there is no such scenario".into(),
                ),
            );
        }
    }
    Ok(report)
}

fn find_scenarios(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let with_path =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", dir.display()));
    if dir.is_file() {
        found.push(dir.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(dir).map_err(with_path)? {
        let path = entry.map_err(with_path)?.path();
        if path.is_dir() {
            find_scenarios(&path, found)?;
        } else if path.extension() == Some(OsStr::new("json")) {
            found.push(path);
        }
    }
    Ok(())
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Runs scenarios, some at the same time, and returns their outcomes in the same order.
fn run_all(paths: &[PathBuf]) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![Outcome::Broken("not run".into()); paths.len()]);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = paths.get(index) else {
                        return;
                    };
                    let outcome = run_file(path);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner)[index] = outcome;
                }
            });
        }
    });
    outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Runs a scenario on a thread of its own: branches start in order, as they were recorded.
fn run_file(path: &Path) -> Outcome {
    let scenario = match Scenario::load(path) {
        Ok(scenario) if scenario.name == stem(path) => Arc::new(scenario),
        Ok(scenario) => {
            return Outcome::Broken(format!("the name in the file is {:?}", scenario.name));
        }
        Err(error) => return Outcome::Broken(error),
    };
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Outcome::Broken(format!("no runtime: {error}")),
    };
    let running = runtime.spawn(run(scenario.clone()));
    match runtime.block_on(running) {
        Ok(Ok(got)) => Outcome::of(&scenario.expect, &got),
        Ok(Err(error)) => Outcome::Broken(error),
        Err(error) => Outcome::Broken(error.to_string()),
    }
}

impl Outcome {
    fn of(want: &Value, got: &Value) -> Self {
        let differences = differences(want, got);
        if differences.is_empty() {
            Self::Match
        } else if shows(got, "unsupported") {
            Self::Unable(differences)
        } else if shows(got, "harness_timeout") {
            Self::Hung(differences)
        } else {
            Self::Mismatch(differences)
        }
    }

    fn in_one_line(&self) -> String {
        match self {
            Self::Match => "as recorded".into(),
            Self::Mismatch(differences) | Self::Hung(differences) | Self::Unable(differences) => {
                differences.join("; ")
            }
            Self::Broken(error) => error.clone(),
        }
    }
}

fn shows(result: &Value, mark: &str) -> bool {
    match result {
        Value::Object(map) => {
            map.contains_key(mark) || map.values().any(|value| shows(value, mark))
        }
        Value::Array(items) => items.iter().any(|item| shows(item, mark)),
        _ => false,
    }
}

/// Runs a scenario and returns what should equal its `expect`.
async fn run(scenario: Arc<Scenario>) -> Result<Value, String> {
    let events = Events::default();
    let mut ports = Ports::default();
    let mut bound = Vec::new();
    for (name, spec) in &scenario.servers {
        let server = BoundServer::bind().map_err(|error| format!("no port for {name}: {error}"))?;
        ports.add(name, server.port());
        bound.push((name, spec, server));
    }
    let mut servers = Vec::new();
    for (name, spec, server) in bound {
        let script = ServerScript::parse(spec, &ports)?;
        let server = server
            .start(script, &events)
            .map_err(|error| format!("server {name}: {error}"))?;
        servers.push((name, server));
    }

    let netrc = scenario
        .netrc
        .as_deref()
        .map(|text| Netrc::write(&scenario.name, &ports.fill(text)));
    let netrc = netrc
        .transpose()
        .map_err(|error| format!("netrc: {error}"))?;
    let setup = setup(&scenario, &ports, netrc.as_ref());
    let results = match Client::open(&setup) {
        Ok(client) => run_ops(client, &scenario.ops, &ports, events).await,
        Err(missing) => vec![json!({"unsupported": missing})],
    };

    let deadline = Instant::now() + SETTLE;
    for (_, server) in &mut servers {
        server.finish(deadline).await;
    }
    let own_user_agent = scenario.sets_header("user-agent");
    let own_accept_encoding = scenario.sets_header("accept-encoding");
    let mut log = Map::new();
    for (name, server) in servers {
        let mut connections = server.wire();
        for record in connections.iter_mut().flatten() {
            wire::normalise(record, own_user_agent, own_accept_encoding);
        }
        log.insert(name.clone(), json!(connections));
    }
    Ok(ports.unfill_value(&json!({"ops": results, "wire": log})))
}

async fn run_ops(client: Client, ops: &[Value], ports: &Ports, events: Events) -> Vec<Value> {
    let client = Arc::new(client);
    let program = Program {
        client: client.clone(),
        events,
    };
    let mut results = Vec::with_capacity(ops.len());
    for op in ops {
        results.push(program.run(&ports.fill_value(op)).await);
    }
    if timeout(SETTLE, client.close()).await.is_err() {
        results.push(json!({"harness_timeout": "closing the session"}));
    }
    results
}

fn setup(scenario: &Scenario, ports: &Ports, netrc: Option<&Netrc>) -> Setup {
    let netrc = netrc.map_or(Path::new("/dev/null"), |netrc| &netrc.path);
    let mut env = vec![("NETRC".to_owned(), netrc.to_string_lossy().into_owned())];
    for (name, value) in &scenario.env {
        env.push((name.clone(), ports.fill(value.as_str().unwrap_or_default())));
    }
    let session = scenario.session.iter();
    Setup {
        session: session
            .map(|(key, value)| (key.clone(), ports.fill_value(value)))
            .collect(),
        resolve: scenario.resolve.clone(),
        env,
        concurrent: scenario.ops.iter().any(|op| op["op"] == "concurrent"),
    }
}

/// A netrc file that is there as long as the scenario runs.
struct Netrc {
    path: PathBuf,
}

impl Netrc {
    fn write(scenario: &str, text: &str) -> io::Result<Self> {
        let path =
            std::env::temp_dir().join(format!("aio-tests-{}-{scenario}.netrc", process::id()));
        File::create(&path)?.write_all(text.as_bytes())?;
        Ok(Self { path })
    }
}

impl Drop for Netrc {
    fn drop(&mut self) {
        // A file left behind in the temporary directory hurts nobody.
        _ = fs::remove_file(&self.path);
    }
}
