//! `cargo xtask ci`: everything a change must pass, cheapest first.
//!
//! What is run is decided in [`everyday`] and [`expensive`], which touch
//! nothing; [`run`] and [`run_full`] then work through their lists.

use crate::step::{Failure, Step};
use crate::workspace::{Member, Workspace};
use crate::{autobahn, bench, conformance, layers};

/// Runs what every change must pass.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let tools = Tools::look(workspace);
    work_through(workspace, &everyday(workspace, &tools))?;
    println!("ci: all passed");
    Ok(())
}

/// Runs the same, then what is too slow or needs too much for each change.
pub(crate) fn run_full(workspace: &Workspace) -> Result<(), Failure> {
    let tools = Tools::look(workspace);
    work_through(workspace, &everyday(workspace, &tools))?;
    work_through(workspace, &expensive(workspace, &tools))?;
    println!("ci --full: all passed");
    Ok(())
}

/// What a run consists of.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Run(Step),
    Layers,
    Skip(&'static str),
}

/// The fuzz targets of a crate are a package of their own, which a plain check keeps alive.
const FUZZ: [&str; 3] = [
    "check --manifest-path crates/aio-core/fuzz/Cargo.toml --target-dir target/fuzz",
    "check --manifest-path crates/aio-cookies/fuzz/Cargo.toml --target-dir target/fuzz",
    "check --manifest-path crates/aio-ws/fuzz/Cargo.toml --target-dir target/fuzz",
];

/// A program on reqwest and aio-cookies alone; it is no part of the workspace.
const WITH_REQWEST: &str = "test --manifest-path tests/with-reqwest/Cargo.toml --target-dir target";

/// Jars that a table of SQLite keeps: the example in the docs of aio-cookies.
const WITH_SQLITE: &str = "test --manifest-path tests/with-sqlite/Cargo.toml --target-dir target";

const AWS_LC: &str = "test -p aio-connector --features aws-lc,hickory-dns --lib";

/// Conversions of cookies, which nobody in the workspace asks for.
const COOKIES: &str = "test -p aio-cookies --all-features --lib";

const NO_TLS: &str = "test -p aio-connector --no-default-features --all-targets";

/// What this machine has beyond cargo.
#[derive(Debug, Default)]
struct Tools {
    nextest: bool,
    deny: bool,
    semver_checks: bool,
    /// The tag of the last release, which a change is compared with.
    release: Option<String>,
    /// The toolchain of the declared minimum version.
    oldest_rust: bool,
    /// The benchmarks' package is part of this checkout.
    bench: bool,
    /// Counts instructions.
    valgrind: bool,
    /// What can be compiled for Windows: only there are named pipes.
    windows: bool,
    /// Runs the server of Autobahn|Testsuite.
    python27: bool,
}

const WINDOWS: &str = "x86_64-pc-windows-gnu";

impl Tools {
    fn look(workspace: &Workspace) -> Self {
        let works = |step: Step| step.answer_in(&workspace.root).is_some();
        let oldest = oldest_rust(workspace);
        Self {
            nextest: works(Step::cargo("nextest --version")),
            deny: works(Step::cargo("deny --version")),
            semver_checks: works(Step::cargo("semver-checks --version")),
            release: Step::new("git", "describe --tags --abbrev=0 --match v*")
                .answer_in(&workspace.root),
            oldest_rust: works(Step::new(
                "rustup",
                &format!("run {oldest} cargo --version"),
            )),
            bench: workspace.root.join(bench::MANIFEST).exists(),
            valgrind: works(Step::new("valgrind", "--version")),
            windows: Step::new("rustup", "target list --installed")
                .answer_in(&workspace.root)
                .is_some_and(|targets| targets.lines().any(|target| target == WINDOWS)),
            python27: autobahn::python().is_some(),
        }
    }
}

fn everyday(workspace: &Workspace, tools: &Tools) -> Vec<Task> {
    let mut tasks = vec![
        Task::Run(Step::cargo("fmt --all --check")),
        Task::Layers,
        Task::Run(Step::cargo(
            "clippy --workspace --all-targets -- -D warnings",
        )),
        Task::Run(Step::cargo(if tools.nextest {
            "nextest run --workspace"
        } else {
            "test --workspace --all-targets"
        })),
        // Beside ring, which every other test has to itself.
        Task::Run(Step::cargo(AWS_LC)),
        Task::Run(Step::cargo(NO_TLS)),
        Task::Run(Step::cargo(COOKIES)),
        Task::Run(Step::cargo(WITH_REQWEST)),
        Task::Run(Step::cargo("test --workspace --doc")),
        // What a newcomer runs first.
        Task::Run(Step::cargo("run --quiet --example quickstart")),
        Task::Run(Step::cargo("run --quiet --example reconnecting")),
        Task::Run(Step::cargo("run --quiet -p aio-tests --bin upload")),
        Task::Run(Step::cargo("run --quiet -p aio-tests --bin download")),
    ];
    tasks.extend(workspace.published().flat_map(each_feature).map(Task::Run));
    tasks.push(Task::Run(
        Step::cargo("doc --workspace --no-deps").variable("RUSTDOCFLAGS", "-D warnings"),
    ));
    tasks.push(if tools.windows {
        // Without TLS, whose C code would need a compiler for Windows.
        Task::Run(Step::cargo(&format!(
            "clippy --target {WINDOWS} -p aio-connector --no-default-features --all-targets \
             -- -D warnings"
        )))
    } else {
        Task::Skip("the check for Windows: its target is not installed")
    });
    if tools.windows {
        // Its tests would need TLS.
        tasks.push(Task::Run(Step::cargo(&format!(
            "clippy --target {WINDOWS} -p aio-client --no-default-features -- -D warnings"
        ))));
    }
    tasks.push(match tools {
        Tools { bench: false, .. } => Task::Skip("the guard: tests/bench is not here"),
        Tools {
            valgrind: false, ..
        } => Task::Skip("the guard: valgrind is not installed"),
        _ => Task::Run(bench::guard(workspace)),
    });
    tasks.push(if tools.python27 {
        Task::Run(autobahn::fast())
    } else {
        Task::Skip("Autobahn|Testsuite: there is no Python 2.7")
    });
    // Last and alone: its scenarios measure time.
    tasks.push(Task::Run(conformance::replay()));
    tasks
}

fn expensive(workspace: &Workspace, tools: &Tools) -> Vec<Task> {
    let pairs = workspace.published().flat_map(feature_pairs);
    let mut tasks: Vec<Task> = pairs.map(Task::Run).collect();
    tasks.push(if tools.oldest_rust {
        let oldest = oldest_rust(workspace);
        let line = format!("run {oldest} cargo check --workspace");
        Task::Run(Step::new("rustup", &line))
    } else {
        Task::Skip("the minimum Rust version: its toolchain is not installed")
    });
    tasks.push(if tools.bench {
        let line = format!(
            "check --manifest-path {} --features rivals",
            bench::MANIFEST
        );
        let step = Step::cargo(&line);
        Task::Run(bench::sharing_target(workspace, step))
    } else {
        Task::Skip("the rivals' bench build: tests/bench is not here")
    });
    tasks.extend(FUZZ.map(|line| Task::Run(Step::cargo(line))));
    tasks.push(Task::Run(Step::cargo(WITH_SQLITE)));
    tasks.push(if tools.deny {
        Task::Run(Step::cargo("deny check --config .ci/deny.toml"))
    } else {
        Task::Skip("cargo deny: not installed")
    });
    tasks.push(match &tools.release {
        _ if !tools.semver_checks => Task::Skip("cargo semver-checks: not installed"),
        None => Task::Skip("cargo semver-checks: no release to compare with"),
        Some(tag) => Task::Run(Step::cargo(&format!(
            "semver-checks --workspace --baseline-rev {tag}"
        ))),
    });
    tasks
}

/// A crate alone: without features, then with each one.
fn each_feature(member: &Member) -> Vec<Step> {
    let bare = check_alone(&member.name);
    let with_one = member
        .features()
        .map(|feature| Step::cargo(&format!("{bare} --features {feature}")));
    [Step::cargo(&bare)].into_iter().chain(with_one).collect()
}

/// A crate alone with each two of its features; `default` is but a set of the others.
fn feature_pairs(member: &Member) -> Vec<Step> {
    let bare = check_alone(&member.name);
    let features: Vec<&str> = member.features().filter(|f| *f != "default").collect();
    let mut steps = Vec::new();
    for (position, first) in features.iter().enumerate() {
        for second in features.iter().skip(position + 1) {
            steps.push(Step::cargo(&format!("{bare} --features {first},{second}")));
        }
    }
    steps
}

fn check_alone(name: &str) -> String {
    format!("check -p {name} --no-default-features")
}

fn oldest_rust(workspace: &Workspace) -> &str {
    let declared = workspace
        .published()
        .find_map(|m| m.rust_version.as_deref());
    declared.unwrap_or("stable")
}

fn work_through(workspace: &Workspace, tasks: &[Task]) -> Result<(), Failure> {
    for task in tasks {
        match task {
            Task::Run(step) => step.run_in(&workspace.root)?,
            Task::Layers => {
                println!("$ cargo xtask layers");
                layers::run(workspace)?;
            }
            Task::Skip(what) => println!("skipped {what}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::sample;

    #[track_caller]
    fn check(tasks: &[Task], want: &[&str]) {
        let lines: Vec<String> = tasks
            .iter()
            .map(|task| match task {
                Task::Run(step) => step.to_string(),
                Task::Layers => "layers".to_owned(),
                Task::Skip(what) => format!("skipped {what}"),
            })
            .collect();
        assert_eq!(lines, want);
    }

    #[test]
    fn everyday_goes_from_cheap_to_slow_and_ends_with_the_replay() {
        let tools = Tools {
            nextest: true,
            bench: true,
            valgrind: true,
            windows: true,
            python27: true,
            ..Tools::default()
        };
        check(
            &everyday(&sample(), &tools),
            &[
                "cargo fmt --all --check",
                "layers",
                "cargo clippy --workspace --all-targets -- -D warnings",
                "cargo nextest run --workspace",
                "cargo test -p aio-connector --features aws-lc,hickory-dns --lib",
                "cargo test -p aio-connector --no-default-features --all-targets",
                "cargo test -p aio-cookies --all-features --lib",
                "cargo test --manifest-path tests/with-reqwest/Cargo.toml --target-dir target",
                "cargo test --workspace --doc",
                "cargo run --quiet --example quickstart",
                "cargo run --quiet --example reconnecting",
                "cargo run --quiet -p aio-tests --bin upload",
                "cargo run --quiet -p aio-tests --bin download",
                "cargo check -p aio-core --no-default-features",
                "cargo check -p aio-core --no-default-features --features brotli",
                "cargo check -p aio-core --no-default-features --features default",
                "cargo check -p aio-core --no-default-features --features zstd",
                "RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps",
                "cargo clippy --target x86_64-pc-windows-gnu -p aio-connector --no-default-features --all-targets -- -D warnings",
                "cargo clippy --target x86_64-pc-windows-gnu -p aio-client --no-default-features -- -D warnings",
                "CARGO_TARGET_DIR=/w/target cargo run --quiet --release --manifest-path tests/bench/Cargo.toml -- guard",
                "cargo xtask conformance autobahn --profile fast",
                "cargo run --quiet -p aio-tests --bin conformance --",
            ],
        );
    }

    #[test]
    fn without_nextest_cargo_runs_the_tests() {
        let tasks = everyday(&sample(), &Tools::default());
        check(&tasks[3..4], &["cargo test --workspace --all-targets"]);
    }

    #[test]
    fn without_valgrind_the_guard_is_skipped() {
        let tools = Tools {
            bench: true,
            ..Tools::default()
        };
        let tasks = everyday(&sample(), &tools);
        check(
            &tasks[tasks.len() - 3..],
            &[
                "skipped the guard: valgrind is not installed",
                "skipped Autobahn|Testsuite: there is no Python 2.7",
                "cargo run --quiet -p aio-tests --bin conformance --",
            ],
        );
    }

    #[test]
    fn full_names_what_it_skips() {
        check(
            &expensive(&sample(), &Tools::default()),
            &[
                "cargo check -p aio-core --no-default-features --features brotli,zstd",
                "skipped the minimum Rust version: its toolchain is not installed",
                "skipped the rivals' bench build: tests/bench is not here",
                "cargo check --manifest-path crates/aio-core/fuzz/Cargo.toml --target-dir target/fuzz",
                "cargo check --manifest-path crates/aio-cookies/fuzz/Cargo.toml --target-dir target/fuzz",
                "cargo check --manifest-path crates/aio-ws/fuzz/Cargo.toml --target-dir target/fuzz",
                "cargo test --manifest-path tests/with-sqlite/Cargo.toml --target-dir target",
                "skipped cargo deny: not installed",
                "skipped cargo semver-checks: not installed",
            ],
        );
    }

    #[test]
    fn full_runs_what_is_installed() {
        let tools = Tools {
            deny: true,
            semver_checks: true,
            release: Some("v0.1.0".to_owned()),
            oldest_rust: true,
            bench: true,
            ..Tools::default()
        };
        check(
            &expensive(&sample(), &tools)[1..],
            &[
                "rustup run 1.89 cargo check --workspace",
                "CARGO_TARGET_DIR=/w/target cargo check --manifest-path tests/bench/Cargo.toml --features rivals",
                "cargo check --manifest-path crates/aio-core/fuzz/Cargo.toml --target-dir target/fuzz",
                "cargo check --manifest-path crates/aio-cookies/fuzz/Cargo.toml --target-dir target/fuzz",
                "cargo check --manifest-path crates/aio-ws/fuzz/Cargo.toml --target-dir target/fuzz",
                "cargo test --manifest-path tests/with-sqlite/Cargo.toml --target-dir target",
                "cargo deny check --config .ci/deny.toml",
                "cargo semver-checks --workspace --baseline-rev v0.1.0",
            ],
        );
    }
}
