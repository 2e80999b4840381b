//! Processes that are killed while they save leave a whole file.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aio_cookies::CookieJar;

use super::{Scratch, set, show_all};

const VARIABLE: &str = "AIO_COOKIES_TEST_SAVES_TO";
const ROUNDS: usize = 500;
/// Each with a file of its own.
const THREADS: usize = 4;

/// Jars of different sizes, of which each is whole or is not.
fn jars() -> [CookieJar; 2] {
    [3, 120].map(|count| {
        let jar = CookieJar::new();
        for number in 0..count {
            let field = format!("{count}-{number}={}", "x".repeat(500));
            set(&jar, "https://a.test/", &[&field]);
        }
        jar
    })
}

/// Saves each of the jars, over and over when this is a process that is going to be killed.
#[test]
#[expect(clippy::print_stdout, reason = "the test that kills waits for a line")]
fn one_jar_is_saved_over_the_other() {
    let scratch = Scratch::new("over");
    let to_be_killed = env::var_os(VARIABLE);
    let path = to_be_killed
        .clone()
        .map_or(scratch.path("cookies"), Into::into);
    let jars = jars();
    if to_be_killed.is_some() {
        println!("\nsaving");
    }
    loop {
        for jar in &jars {
            jar.save(&path).expect("saved");
            if to_be_killed.is_none() {
                assert_eq!(load(&path), show_all(jar));
            }
        }
        if to_be_killed.is_none() {
            return;
        }
    }
}

fn load(path: &Path) -> Vec<String> {
    let jar = CookieJar::new();
    jar.load(path).expect("a whole file");
    show_all(&jar)
}

/// Starts a process that saves, and kills it `after` it has begun.
fn kill_one(path: &Path, after: Duration) {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args([
        "--exact",
        "killed::one_jar_is_saved_over_the_other",
        "--nocapture",
    ]);
    command
        .env(VARIABLE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut process = command.spawn().expect("this program runs");
    let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
    let began = lines.map_while(Result::ok).any(|line| line == "saving");
    // Kills at a time of its own; no other time would be wrong.
    thread::sleep(after);
    process.kill().expect("it runs for ever");
    process.wait().expect("killed");
    assert!(began, "it ended by itself");
}

#[test]
fn no_kill_leaves_half_a_file() {
    let scratch = Scratch::new("killed");
    let whole = jars().map(|jar| show_all(&jar));
    let half_done = AtomicUsize::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (path, whole) = (scratch.path(&format!("cookies-{thread}")), &whole);
            let half_done = &half_done;
            scope.spawn(move || {
                jars()[0].save(&path).expect("saved");
                for round in 0..ROUNDS / THREADS {
                    let micros = (round * 7919 + thread * 104_729) % 3000;
                    kill_one(&path, Duration::from_micros(micros as u64));
                    if path
                        .with_file_name(format!(".cookies-{thread}.tmp"))
                        .exists()
                    {
                        half_done.fetch_add(1, Ordering::Relaxed);
                    }
                    let found = load(&path);
                    assert!(
                        whole.contains(&found),
                        "round {round}: {} cookies",
                        found.len()
                    );
                }
            });
        }
    });
    // Else no kill came while a file was being written.
    let half_done = half_done.into_inner();
    assert!(half_done > 0);
    let files = std::fs::read_dir(&scratch.0).expect("a directory").count();
    assert!(files <= 3 * THREADS, "{files} files are left");
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
}
