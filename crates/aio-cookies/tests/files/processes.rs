//! Other processes: ones that are killed, ones that save too, ones whose disk is full.

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use aio_cookies::{CookieFormat, CookieJar};

use super::{SITE, Scratch, check_io, header, jar_with, loaded, names, set, show_all};

const VARIABLE: &str = "AIO_COOKIES_TEST_DOES";
const ROUNDS: usize = 500;
/// Each with a file of its own.
const THREADS: usize = 4;
/// How many cookies each of two processes has at a time.
const WINDOW: usize = 5;
/// How often each of them saves.
const SAVINGS: usize = 250;
const LIMIT: Duration = Duration::from_secs(300);

/// Jars of different sizes, of which each is whole or is not.
fn jars() -> [CookieJar; 2] {
    [3, 120].map(|count| {
        let jar = CookieJar::new();
        for number in 0..count {
            let field = format!("{count}-{number}={}", "x".repeat(500));
            set(&jar, SITE, &[&field]);
        }
        jar
    })
}

/// Does what a process is started for.
#[expect(clippy::print_stdout, reason = "the test that started it reads it")]
fn work(what: &str, path: &Path, rounds: usize) {
    match what {
        "saves" => jar_with(&["a=2"]).save(path).expect("saved"),
        "saves one jar over the other" => {
            let jars = jars();
            for round in 0..rounds {
                jars[round % 2].save(path).expect("saved");
            }
        }
        "saves more than fits" => {
            let [small, large] = jars();
            small.save(path).expect("it fits");
            let is_limited = env::var_os("AIO_COOKIES_TEST_LIMITED").is_some();
            let want = if is_limited {
                io::ErrorKind::FileTooLarge
            } else {
                io::ErrorKind::StorageFull
            };
            check_io(large.save(path), path, want);
            check_io(large.save_merged(path, CookieFormat::Aiohttp), path, want);
            saves_what_fits(&small, &large, path);
            let directory = path.parent().expect("a directory");
            assert_eq!(names(directory), ["cookies"]);
            assert_eq!(show_all(&loaded(path)), show_all(&small));
            small.save(path).expect("it fits");
        }
        "fails to save" => {
            let error = jar_with(&["a=2"]).save(path).expect_err("not saved");
            println!("cannot: {}", error.problem);
        }
        "saves where nobody can" => {
            let before = show_all(&loaded(path));
            let jar = jar_with(&["a=2"]);
            check_io(jar.save(path), path, io::ErrorKind::ReadOnlyFilesystem);
            assert_eq!(show_all(&loaded(path)), before);
        }
        who => merge(who, path, rounds),
    }
}

/// What a jar took from the file is no change of its own when it could not save it.
fn saves_what_fits(small: &CookieJar, large: &CookieJar, path: &Path) {
    set(small, SITE, &["3-0=; Max-Age=0", "3-1=changed"]);
    small.save(path).expect("it fits");
    large.clear_where(SystemTime::now(), |cookie| {
        cookie.name().starts_with("120-")
    });
    large
        .save_merged(path, CookieFormat::Aiohttp)
        .expect("it fits");
    assert_eq!(show_all(large), show_all(small));
    assert_eq!(show_all(&loaded(path)), show_all(small));
}

/// Saves again and again with another cookie, and without an old one; none is ever lost.
fn merge(who: &str, path: &Path, rounds: usize) {
    let jar = CookieJar::new();
    for round in 0..rounds {
        set(&jar, SITE, &[&format!("{who}-{round}={round}")]);
        if let Some(old) = round.checked_sub(WINDOW) {
            set(&jar, SITE, &[&format!("{who}-{old}=; Max-Age=0")]);
        }
        jar.save_merged(path, CookieFormat::Aiohttp).expect("saved");
        let own = own(&jar, who);
        assert_eq!(own.len(), (round + 1).min(WINDOW), "{round}: {own:?}");
    }
}

fn own(jar: &CookieJar, who: &str) -> Vec<String> {
    let mut shown = show_all(jar);
    shown.retain(|line| line.starts_with(who));
    shown
}

/// Does what the variable says, if this is a process that another test has started.
#[test]
#[expect(clippy::print_stdout, reason = "the test that kills waits for a line")]
fn a_process_does_what_it_is_started_for() {
    let Some(job) = env::var_os(VARIABLE) else {
        let scratch = Scratch::new("alone");
        work("saves one jar over the other", &scratch.path("cookies"), 10);
        assert_eq!(
            show_all(&loaded(&scratch.path("cookies"))),
            show_all(&jars()[1])
        );
        merge("alone", &scratch.path("merged"), 30);
        assert_eq!(names(&scratch.0), ["cookies", "merged"]);
        return;
    };
    // It ends with who has started it, however that ends.
    thread::spawn(|| {
        drop(io::stdin().read_to_end(&mut Vec::new()));
        process::exit(1);
    });
    let job = job.into_string().expect("UTF-8");
    let [what, rounds, path] = job.splitn(3, '|').collect::<Vec<_>>()[..] else {
        panic!("{job}");
    };
    println!("\nworking");
    work(what, Path::new(path), rounds.parse().expect("a number"));
}

/// A command that starts this program by way of others.
pub(super) fn command(by: &[&OsStr], what: &str, path: &Path, rounds: usize) -> Command {
    let this = env::current_exe().expect("this program");
    let parts = [by, &[this.as_os_str()]].concat();
    let mut command = Command::new(parts[0]);
    command.args(&parts[1..]).args([
        "--exact",
        "processes::a_process_does_what_it_is_started_for",
        "--nocapture",
    ]);
    command
        .env(VARIABLE, format!("{what}|{rounds}|{}", path.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Waits until a process has ended by itself.
#[track_caller]
fn check_done(process: Child) {
    let (status, told) = ended(process);
    assert!(status.success() && told.contains("working"), "{told}");
}

/// Waits until a process has ended; returns how, and what it told.
pub(super) fn ended(mut process: Child) -> (ExitStatus, String) {
    let stdin = process.stdin.take();
    let deadline = Instant::now() + LIMIT;
    while process.try_wait().expect("a process").is_none() {
        if Instant::now() > deadline {
            process.kill().expect("it runs");
        }
        thread::sleep(Duration::from_millis(5));
    }
    let Output { status, stdout, .. } = process.wait_with_output().expect("it has ended");
    drop(stdin);
    (status, String::from_utf8_lossy(&stdout).into_owned())
}

/// Starts a process that saves, and kills it `after` it has begun.
fn kill_one(path: &Path, after: Duration) {
    let mut process = command(&[], "saves one jar over the other", path, 100_000)
        .stderr(Stdio::null())
        .spawn()
        .expect("this program runs");
    let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
    let began = lines.map_while(Result::ok).any(|line| line == "working");
    // Kills at a time of its own; no other time would be wrong.
    thread::sleep(after);
    process.kill().expect("it has not ended yet");
    process.wait().expect("killed");
    assert!(began, "it ended by itself");
}

// EDGE-230.
#[test]
fn no_kill_leaves_half_a_file() {
    let scratch = Scratch::new("killed");
    let whole = jars().map(|jar| show_all(&jar));
    let paths: [PathBuf; THREADS] =
        std::array::from_fn(|thread| scratch.path(&format!("cookies-{thread}")));
    thread::scope(|scope| {
        for (thread, path) in paths.iter().enumerate() {
            let whole = &whole;
            scope.spawn(move || {
                jars()[0].save(path).expect("saved");
                for round in 0..ROUNDS / THREADS {
                    let micros = (round * 7919 + thread * 104_729) % 3000;
                    kill_one(path, Duration::from_micros(micros as u64));
                    let found = show_all(&loaded(path));
                    let count = found.len();
                    assert!(whole.contains(&found), "round {round}: {count} cookies");
                }
            });
        }
    });
    for path in &paths {
        jars()[0].save(path).expect("saved");
    }
    // Nothing is left of those that were killed.
    assert_eq!(
        names(&scratch.0),
        ["cookies-0", "cookies-1", "cookies-2", "cookies-3"]
    );
}

#[test]
fn a_name_without_a_directory_is_one_in_the_current_one() {
    let scratch = Scratch::new("current");
    for _ in 0..2 {
        let mut process = command(&[], "saves", Path::new("cookies"), 1);
        check_done(process.current_dir(&scratch.0).spawn().expect("started"));
        assert_eq!(header(&loaded(&scratch.path("cookies")), SITE), "a=2");
        assert_eq!(names(&scratch.0), ["cookies"]);
    }
}

#[test]
fn two_processes_that_save_at_once_lose_no_cookie() {
    let scratch = Scratch::new("two");
    let path = scratch.path("cookies");
    let both =
        ["one", "two"].map(|who| command(&[], who, &path, SAVINGS).spawn().expect("started"));
    both.into_iter().for_each(check_done);
    let jar = loaded(&path);
    for who in ["one", "two"] {
        let last: Vec<String> = (SAVINGS - WINDOW..SAVINGS)
            .map(|round| format!("{who}-{round}={round} a.test/ host-only"))
            .collect();
        assert_eq!(own(&jar, who), last);
    }
    assert_eq!(jar.len(), 2 * WINDOW);
    assert_eq!(names(&scratch.0), ["cookies"]);
}

#[test]
fn a_file_that_cannot_be_written_whole_is_not_replaced() {
    let scratch = Scratch::new("limited");
    // Blocks are of 512 or 1024 octets; the smaller jar needs eight of the smaller ones.
    let script = "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$@\"";
    let by = ["sh", "-c", script].map(OsStr::new);
    let mut command = command(&by, "saves more than fits", &scratch.path("cookies"), 1);
    check_done(
        command
            .env("AIO_COOKIES_TEST_LIMITED", "")
            .spawn()
            .expect("started"),
    );
    assert_eq!(names(&scratch.0), ["cookies"]);
}

/// Has a process work on a disk of its own; false, if it cannot have one.
fn is_done_on_disk(mount: &str, what: &str, scratch: &Scratch) -> bool {
    let disk = |script: &str| {
        let by = ["unshare", "--map-root-user", "--mount", "sh", "-c", script];
        let by = by.map(|part| part.to_owned());
        by.into_iter().chain([scratch.0.display().to_string()])
    };
    let by: Vec<String> = disk(mount).collect();
    let tried = Command::new(&by[0])
        .args(&by[1..])
        .stderr(Stdio::null())
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        return false;
    }
    let by: Vec<String> = disk(&format!("{mount} && exec \"$@\"")).collect();
    let by: Vec<&OsStr> = by.iter().map(OsStr::new).collect();
    let mut process = command(&by, what, &scratch.path("cookies"), 1);
    check_done(process.spawn().expect("started"));
    true
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_full_disk_leaves_the_old_file() {
    let scratch = Scratch::new("disk");
    let mount = "mount -t tmpfs -o size=64k none \"$0\"";
    if !is_done_on_disk(mount, "saves more than fits", &scratch) {
        eprintln!("skipped: no disk can be mounted here");
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_disk_that_cannot_be_written_to_is_an_error() {
    let scratch = Scratch::new("read-only-disk");
    let path = scratch.path("cookies");
    jar_with(&["a=1"]).save(&path).expect("saved");
    let mount = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\"";
    if !is_done_on_disk(mount, "saves where nobody can", &scratch) {
        eprintln!("skipped: no disk can be mounted here");
    }
    assert_eq!(header(&loaded(&path), SITE), "a=1");
}
