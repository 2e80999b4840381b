//! Saving, seen by the kernel: ended before each of its calls, and with calls that fail.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::{Command, ExitStatus, Stdio};

use super::processes::{command, ended};
use super::{SITE, Scratch, header, jar_with, loaded, names};

/// What saving does to files.
const CALLS: [&str; 9] = [
    "openat",
    "flock",
    "write",
    "fsync",
    "fchmod",
    "close",
    "getdents64",
    "?rename,?renameat,?renameat2",
    "?unlink,?unlinkat",
];

/// No call is made as often.
const MAX_CALLS: usize = 20;

/// A process that has ended, and its calls for the files of the test.
struct Traced {
    status: ExitStatus,
    told: String,
    calls: String,
}

fn trace(scratch: &Scratch, does: &str, injected: Option<&str>) -> Traced {
    let trace = scratch.0.with_extension("trace");
    // The traced process is the shell: its number is in the name of the temporary file.
    let script = "D=\"$0\"; T=\"$1\"; I=\"$2\"; shift 3
        exec strace -D -f -y -o \"$T\" -P \"$D\" -P \"$D/cookies\" -P \"$D/.cookies.lock\" \
        -P \"$D/.cookies.$$-0.tmp\" -P \"$D/.cookies.1-2.tmp\" -e \"$I\" \"$@\"";
    let injected = injected.map_or("trace=all".into(), |what| format!("inject={what}"));
    let by = ["sh", "-c", script].map(OsStr::new);
    let told = [scratch.0.as_os_str(), trace.as_os_str(), injected.as_ref()];
    let by = [&by[..], &told, &[OsStr::new("--")]].concat();
    let mut command = command(&by, does, &scratch.path("cookies"), 1);
    let (status, told) = ended(command.stderr(Stdio::null()).spawn().expect("started"));
    let calls = fs::read_to_string(&trace).expect("a trace");
    fs::remove_file(trace).expect("a trace");
    Traced {
        status,
        told,
        calls,
    }
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn can_trace() -> bool {
    let tried = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("skipped: strace is not installed, or nothing may be traced");
    }
    can
}

fn with_old_file(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    jar_with(&["a=1"])
        .save(scratch.path("cookies"))
        .expect("saved");
    scratch
}

// EDGE-230.
#[test]
fn a_process_may_be_killed_before_any_call() {
    if !can_trace() {
        return;
    }
    let mut kills = 0;
    let mut states = Vec::new();
    for is_second in [false, true] {
        for call in CALLS {
            for number in 1..=MAX_CALLS {
                assert!(number < MAX_CALLS, "{call} is made without an end");
                let scratch = with_old_file("calls");
                if is_second {
                    // One was killed before.
                    File::create(scratch.path(".cookies.lock")).expect("made");
                    File::create(scratch.path(".cookies.1-2.tmp")).expect("made");
                }
                let kill = format!("{call}:signal=KILL:when={number}");
                let traced = trace(&scratch, "saves", Some(&kill));
                let path = scratch.path("cookies");
                let found = header(&loaded(&path), SITE);
                if traced.status.success() {
                    assert_eq!(found, "a=2", "{kill}");
                    assert_eq!(names(&scratch.0), ["cookies"], "{kill}");
                    break;
                }
                kills += 1;
                assert!(
                    traced.calls.contains("killed by SIGKILL"),
                    "{}",
                    traced.calls
                );
                let left = names(&scratch.0).len();
                states.push((found.clone(), left));
                assert!(found == "a=1" || found == "a=2", "{kill}: {found}");
                jar_with(&["a=3"]).save(&path).expect("saved");
                assert_eq!(header(&loaded(&path), SITE), "a=3", "{kill}");
                assert_eq!(names(&scratch.0), ["cookies"], "{kill}");
            }
        }
    }
    states.sort();
    states.dedup();
    // Alone; with a lock; with a lock and one file, or two.
    let want = [("a=1", 1), ("a=1", 2), ("a=1", 3), ("a=2", 1), ("a=2", 2)];
    for (found, left) in want {
        assert!(states.contains(&(found.into(), left)), "{states:?}");
    }
    assert!(kills > 20, "{kills}");
}

#[test]
fn the_content_is_on_the_disk_before_the_name_is() {
    if !can_trace() {
        return;
    }
    let scratch = with_old_file("order");
    let calls = trace(&scratch, "saves", None).calls;
    let at = |what: &str, on: &str| {
        let mut lines = calls.lines();
        let found = lines.position(|line| line.contains(what) && line.contains(on));
        found.unwrap_or_else(|| panic!("no {what} of {on}: {calls}"))
    };
    let directory = format!("{}>)", scratch.0.display());
    let order = [
        at("flock(", "LOCK_EX"),
        at("write(", "-0.tmp"),
        at("fsync(", "-0.tmp"),
        at("rename", "/cookies\""),
        at("fsync(", &directory),
        at("unlink", ".cookies.lock"),
        at("flock(", "LOCK_UN"),
    ];
    assert!(order.is_sorted(), "{calls}");
}

#[track_caller]
fn check_fails(call: &str, error: &str, saved: &str) {
    let scratch = with_old_file("fails");
    let inject = format!("{call}:error={error}");
    let traced = trace(&scratch, "fails to save", Some(&inject));
    assert!(traced.status.success(), "{inject}: {}", traced.told);
    assert!(
        traced.told.contains("(os error"),
        "{inject}: {}",
        traced.told
    );
    assert_eq!(
        header(&loaded(&scratch.path("cookies")), SITE),
        saved,
        "{inject}"
    );
    assert_eq!(names(&scratch.0), ["cookies"], "{inject}");
}

#[track_caller]
fn check_saves(inject: &str) -> String {
    let scratch = with_old_file("saves");
    let traced = trace(&scratch, "saves", Some(inject));
    assert!(traced.status.success(), "{inject}: {}", traced.told);
    assert!(
        traced.calls.contains("(INJECTED)"),
        "{inject}: {}",
        traced.calls
    );
    assert_eq!(
        header(&loaded(&scratch.path("cookies")), SITE),
        "a=2",
        "{inject}"
    );
    assert_eq!(names(&scratch.0), ["cookies"], "{inject}");
    traced.calls
}

#[test]
fn a_call_that_fails_is_told_and_leaves_the_old_file() {
    if !can_trace() {
        return;
    }
    check_fails("write:when=1", "ENOSPC", "a=1");
    check_fails("fchmod:when=1", "EPERM", "a=1");
    check_fails("fsync:when=1", "EIO", "a=1");
    check_fails("?rename,?renameat,?renameat2:when=1", "EDQUOT", "a=1");
    // The new name is there, but may not be after a crash.
    check_fails("fsync:when=2", "EIO", "a=2");
}

#[test]
fn what_a_file_system_does_not_know_is_done_without() {
    if !can_trace() {
        return;
    }
    check_saves("fsync:when=2:error=EINVAL");
    for error in ["EOPNOTSUPP", "ENOSYS", "ENOLCK"] {
        check_saves(&format!("flock:when=1:error={error}"));
    }
    // A signal is no reason not to wait.
    let calls = check_saves("flock:when=1:error=EINTR");
    assert_eq!(calls.matches("LOCK_EX").count(), 2, "{calls}");
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_file_that_cannot_keep_its_owner_is_for_nobody_else() {
    if !can_trace() {
        return;
    }
    for (call, owner) in [("when=1", (65534, 0)), ("when=2", (0, 65533))] {
        let scratch = with_old_file("other-owner");
        let path = scratch.path("cookies");
        if chown(&path, Some(65534), Some(65533)).is_err() {
            eprintln!("skipped: only root gives files away");
            return;
        }
        fs::set_permissions(&path, Permissions::from_mode(0o664)).expect("root may");
        let inject = format!("fchown:{call}:error=EPERM");
        let traced = trace(&scratch, "saves", Some(&inject));
        assert!(traced.status.success(), "{}", traced.told);
        let saved = fs::metadata(&path).expect("saved");
        assert_eq!((saved.uid(), saved.gid()), owner);
        assert_eq!(saved.mode() & 0o7777, 0o600);
    }
}
