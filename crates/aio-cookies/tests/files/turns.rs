//! Who saves the same file takes turns, and leaves nothing beside it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::{SITE, Scratch, header, jar_with, loaded, names, read};

/// Has the turn to save `path`, as another process would.
fn locked(path: &Path) -> (PathBuf, File) {
    let name = path.file_name().expect("a file").to_string_lossy();
    let path = path.with_file_name(format!(".{name}.lock"));
    let lock = File::create_new(&path).expect("nobody saves");
    lock.lock().expect("nobody has it");
    (path, lock)
}

#[test]
fn who_saves_waits_for_who_is_saving() {
    let scratch = Scratch::new("lock");
    let path = scratch.path("cookies");
    jar_with(&["a=1"]).save(&path).expect("saved");
    // Who goes removes the lock, or is killed and leaves it.
    for is_killed in [false, true] {
        let (lock, turn) = locked(&path);
        thread::scope(|scope| {
            let saving = scope.spawn(|| jar_with(&["a=2"]).save(&path));
            // It cannot be done before; that it waits is seen by what it saves after.
            thread::sleep(Duration::from_millis(50));
            assert!(!saving.is_finished());
            fs::write(&path, "{}").expect("written");
            if !is_killed {
                fs::remove_file(lock).expect("ours");
            }
            drop(turn);
            saving.join().expect("no panic").expect("saved");
        });
        assert_eq!(header(&loaded(&path), SITE), "a=2");
        assert_eq!(names(&scratch.0), ["cookies"]);
    }
}

// One that removed the lock of another one would let a third one in.
#[test]
fn who_waited_for_a_lock_that_is_gone_waits_for_the_next_one() {
    let scratch = Scratch::new("next-lock");
    let path = scratch.path("cookies");
    jar_with(&["a=1"]).save(&path).expect("saved");
    let (lock, first) = locked(&path);
    thread::scope(|scope| {
        let saving = scope.spawn(|| jar_with(&["a=2"]).save(&path));
        thread::sleep(Duration::from_millis(50));
        fs::remove_file(&lock).expect("ours");
        let (_, second) = locked(&path);
        drop(first);
        thread::sleep(Duration::from_millis(50));
        assert!(!saving.is_finished());
        assert_eq!(header(&loaded(&path), SITE), "a=1");
        assert_eq!(names(&scratch.0), [".cookies.lock", "cookies"]);
        drop(second);
        saving.join().expect("no panic").expect("saved");
    });
    assert_eq!(header(&loaded(&path), SITE), "a=2");
    assert_eq!(names(&scratch.0), ["cookies"]);
}

/// What a process leaves that is killed as it saves.
struct Left<'a> {
    lock: bool,
    temporary: Option<&'a [u8]>,
    file: Option<&'a [u8]>,
}

// EDGE-230: all that a process may be killed between.
#[test]
fn a_process_may_be_killed_at_any_step() {
    let scratch = Scratch::new("steps");
    let path = scratch.path("cookies");
    let contents = ["a=1", "a=2"].map(|field| {
        jar_with(&[field]).save(&path).expect("saved");
        read(&path).into_bytes()
    });
    let [old, new] = [&contents[0][..], &contents[1][..]];
    for before in [None, Some(old)] {
        let left = |lock, temporary, file| Left {
            lock,
            temporary,
            file,
        };
        let mut all = vec![left(true, None, before), left(true, None, Some(new))];
        all.extend((0..=new.len()).map(|end| left(true, Some(&new[..end]), before)));
        all.push(left(false, None, Some(new)));
        for Left {
            lock,
            temporary,
            file,
        } in all
        {
            drop(fs::remove_file(&path));
            if let Some(file) = file {
                fs::write(&path, file).expect("written");
            }
            if let Some(temporary) = temporary {
                fs::write(scratch.path(".cookies.4000000-17.tmp"), temporary).expect("written");
            }
            if lock {
                File::create(scratch.path(".cookies.lock")).expect("written");
            }
            if let Some(file) = file {
                let want = if file == old { "a=1" } else { "a=2" };
                assert_eq!(header(&loaded(&path), SITE), want);
            }
            jar_with(&["a=3"]).save(&path).expect("saved");
            assert_eq!(header(&loaded(&path), SITE), "a=3");
            assert_eq!(names(&scratch.0), ["cookies"]);
        }
    }
}

#[test]
fn only_what_a_killed_process_left_is_removed() {
    let scratch = Scratch::new("leftovers");
    let path = scratch.path("cookies");
    let kept = [
        ".cookies..tmp",
        ".cookies.-.tmp",
        ".cookies.1-.tmp",
        ".cookies.1-2.tmp.txt",
        ".cookies.1-2x.tmp",
        ".cookies.tmp",
        ".other.1-2.tmp",
        "cookies.1-2.tmp",
    ];
    for name in kept.iter().chain(&[".cookies.1-2.tmp", ".cookies.lock"]) {
        fs::write(scratch.path(name), "mine").expect("written");
    }
    // It is removed itself, not what it leads to.
    symlink("cookies.1-2.tmp", scratch.path(".cookies.3-4.tmp")).expect("a link");
    jar_with(&["a=1"]).save(&path).expect("saved");
    let mut want = [&kept[..], &["cookies"]].concat();
    want.sort_unstable();
    assert_eq!(names(&scratch.0), want);
    for name in kept {
        assert_eq!(read(&scratch.path(name)), "mine");
    }
}

// Whoever put it there may have it locked for good.
#[test]
fn a_lock_that_anyone_may_have_put_into_a_directory_for_everyone_is_not_waited_for() {
    let scratch = Scratch::new("everyone");
    fs::set_permissions(&scratch.0, Permissions::from_mode(0o1777)).expect("ours");
    let path = scratch.path("cookies");
    let (lock, _turn) = locked(&path);
    fs::set_permissions(&lock, Permissions::from_mode(0o666)).expect("ours");
    let (done, is_done) = channel();
    let saved = path.clone();
    thread::spawn(move || done.send(jar_with(&["a=1"]).save(saved)));
    let saved = is_done.recv_timeout(Duration::from_secs(20));
    saved.expect("it waits for nobody").expect("saved");
    assert_eq!(header(&loaded(&path), SITE), "a=1");
    assert_eq!(names(&scratch.0), [".cookies.lock", "cookies"]);
}

// As where files cannot be locked.
#[test]
fn what_is_no_lock_is_left_alone_and_the_jar_is_saved() {
    let scratch = Scratch::new("no-lock");
    let (path, lock) = (scratch.path("cookies"), scratch.path(".cookies.lock"));
    symlink("nowhere", &lock).expect("a link");
    jar_with(&["a=1"]).save(&path).expect("saved");
    assert_eq!(names(&scratch.0), [".cookies.lock", "cookies"]);
    fs::remove_file(&lock).expect("a link");
    // What others can read they can lock for good.
    let other = File::create(scratch.path("other")).expect("a file");
    other.lock().expect("nobody has it");
    symlink("other", &lock).expect("a link");
    let (done, is_done) = channel();
    let saved = path.clone();
    thread::spawn(move || done.send(jar_with(&["a=1"]).save(saved)));
    let saved = is_done.recv_timeout(Duration::from_secs(20));
    saved.expect("it waits for nobody").expect("saved");
    fs::remove_file(scratch.path("other")).expect("a file");
    fs::remove_file(&lock).expect("a link");
    fs::create_dir(&lock).expect("a directory");
    jar_with(&["a=2"]).save(&path).expect("saved");
    assert_eq!(header(&loaded(&path), SITE), "a=2");
    assert_eq!(names(&scratch.0), [".cookies.lock", "cookies"]);
    assert_eq!(fs::metadata(&path).expect("saved").mode() & 0o777, 0o600);
}
