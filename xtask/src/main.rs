//! The chores of the workspace: `cargo xtask <chore>`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore talks to the person who runs it"
)]

mod autobahn;
mod bench;
mod ci;
mod conformance;
mod layers;
mod measure;
mod step;
mod workspace;

use std::env;
use std::process::ExitCode;

use crate::step::Failure;
use crate::workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask <chore>

  ci [--full]            everything a change must pass; --full adds what is expensive
  layers                 the layer table and the invariants that can be read off the files
  conformance [DIR ...]  replays scenario files; without a DIR, the project's own copy
  conformance autobahn [--profile NAME]
                         Autobahn|Testsuite: full (517 cases), core, fast, deflate
  bench [NAME ...]       runs the benchmarks, or those named
  guard [--keep]         what requests cost, against the kept figures; --keep writes these
  fairness               how evenly a full pool serves 10,000 requests to three hosts
  idle                   what each of 5,000 idle connections costs in memory
  sockets                what each of 10,000 WebSockets costs: memory, and CPU for a heartbeat
  download               what a download of 2 GiB costs in memory
  upload                 what an upload of 2 GiB costs in memory
  bomb                   what small bodies that decode to 10 GiB cost in memory";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Command(code)) => ExitCode::from(code),
        Err(Failure::Message(text)) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<(), Failure> {
    match words {
        ["ci"] => ci::run(&Workspace::load()?),
        ["ci", "--full"] => ci::run_full(&Workspace::load()?),
        ["layers"] => layers::run(&Workspace::load()?),
        ["conformance", "autobahn", options @ ..] => autobahn::run(&Workspace::load()?, options),
        ["conformance", directories @ ..] => conformance::run(directories),
        ["bench", names @ ..] => bench::run(&Workspace::load()?, names),
        [program @ ("bomb" | "download" | "fairness" | "idle" | "sockets" | "upload")] => {
            measure::run(&Workspace::load()?, program)
        }
        ["guard"] => bench::run_guard(&Workspace::load()?, false),
        ["guard", "--keep"] => bench::run_guard(&Workspace::load()?, true),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(Failure::Message(USAGE.to_owned())),
    }
}
