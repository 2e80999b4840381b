//! What may be at the path that a jar is saved to, and what becomes of it.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use aio_cookies::CookieFormat;

use super::{SITE, Scratch, check_io, header, jar_with, loaded, names};

// EDGE-233, CKY-83.
#[test]
fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
    let scratch = Scratch::new("modes");
    let path = scratch.path("cookies.json");
    let mode = || fs::metadata(&path).expect("a file").mode() & 0o7777;
    jar_with(&["a=1"]).save(&path).expect("saved");
    assert_eq!(mode(), 0o600);
    for kept in [0o644, 0o600, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(kept)).expect("its owner");
        jar_with(&["a=1"]).save(&path).expect("saved");
        assert_eq!(mode(), kept);
    }
}

#[test]
fn links_are_followed_to_a_file() {
    let scratch = Scratch::new("links");
    fs::create_dir(scratch.path("real")).expect("a directory");
    symlink("real/second", scratch.path("first")).expect("a link");
    symlink("../real/cookies", scratch.path("real/second")).expect("a link");
    for value in ["a=1", "a=2"] {
        // At first it leads nowhere.
        jar_with(&[value])
            .save(scratch.path("first"))
            .expect("saved");
        assert_eq!(header(&loaded(&scratch.path("real/cookies")), SITE), value);
    }
    assert!(
        fs::symlink_metadata(scratch.path("first"))
            .expect("a link")
            .is_symlink()
    );
    assert_eq!(names(&scratch.path("real")), ["cookies", "second"]);
    let looped = scratch.path("loop");
    symlink("loop", &looped).expect("a link");
    assert!(jar_with(&["a=1"]).save(&looped).is_err());
    assert!(fs::symlink_metadata(&looped).expect("a link").is_symlink());
}

#[test]
fn what_is_no_regular_file_is_neither_read_nor_replaced() {
    let scratch = Scratch::new("irregular");
    let [directory, pipe, socket] = ["directory", "pipe", "socket"].map(|name| scratch.path(name));
    fs::create_dir(&directory).expect("a directory");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo is everywhere").success());
    let _listener = UnixListener::bind(&socket).expect("a socket");
    let jar = jar_with(&["a=1"]);
    let device = Path::new("/dev/null");
    // Nobody writes into the pipe: whoever opened it as a file would wait for ever.
    // Beside this one nothing can be made.
    let system = Path::new("/proc/self/fd");
    let system = system.exists().then_some(system);
    for path in [&directory, &pipe, &socket, device]
        .into_iter()
        .chain(system)
    {
        let before = names(&scratch.0);
        check_io(jar.save(path), path, io::ErrorKind::InvalidInput);
        assert!(jar.save_merged(path, CookieFormat::Aiohttp).is_err());
        assert_eq!(names(&scratch.0), before);
    }
    for path in [&directory, &pipe, device] {
        check_io(jar.load(path), path, io::ErrorKind::InvalidInput);
    }
    assert!(jar.load(&socket).is_err());
    let nowhere = scratch.path("no/where");
    check_io(jar.save(&nowhere), &nowhere, io::ErrorKind::NotFound);
    assert!(jar.save("/").is_err() && jar.save("..").is_err() && jar.save("").is_err());
    assert_eq!(header(&jar, SITE), "a=1");
}

#[test]
fn names_may_be_of_any_octets_and_as_long_as_any() {
    let scratch = Scratch::new("names");
    let long = "n".repeat(255);
    let wide = "\u{20ac}".repeat(85);
    let octets = [b'\xff'; 255];
    let names_of: [&[u8]; 5] = [
        b"\xff\xfe.json",
        b" .\n",
        long.as_bytes(),
        wide.as_bytes(),
        &octets,
    ];
    for name in names_of {
        let path = scratch.0.join(OsStr::from_bytes(name));
        for value in ["a=1", "a=2"] {
            jar_with(&[value]).save(&path).expect("saved");
            assert_eq!(header(&loaded(&path), SITE), value);
        }
        fs::remove_file(&path).expect("what was saved");
        assert_eq!(names(&scratch.0), [""; 0]);
    }
    let too_long = scratch.path(&"n".repeat(256));
    check_io(
        jar_with(&[]).save(&too_long),
        &too_long,
        io::ErrorKind::InvalidFilename,
    );
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_file_keeps_its_owner() {
    let scratch = Scratch::new("owner");
    let path = scratch.path("cookies");
    jar_with(&["a=1"]).save(&path).expect("saved");
    if chown(&path, Some(65534), Some(65533)).is_err() {
        eprintln!("skipped: only root gives files away");
        return;
    }
    fs::set_permissions(&path, Permissions::from_mode(0o664)).expect("root may");
    jar_with(&["a=2"]).save(&path).expect("saved");
    let saved = fs::metadata(&path).expect("saved");
    assert_eq!((saved.uid(), saved.gid()), (65534, 65533));
    assert_eq!(saved.mode() & 0o7777, 0o664);
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_directory_that_cannot_be_written_to_is_an_error() {
    let scratch = Scratch::new("read-only");
    let path = scratch.path("cookies");
    jar_with(&["a=1"]).save(&path).expect("saved");
    fs::set_permissions(&scratch.0, Permissions::from_mode(0o500)).expect("its owner");
    let is_for_all = File::create(scratch.path("root")).is_ok();
    let saved = jar_with(&["a=2"]).save(&path);
    fs::set_permissions(&scratch.0, Permissions::from_mode(0o700)).expect("its owner");
    if is_for_all {
        eprintln!("skipped: root writes everywhere");
        return;
    }
    check_io(saved, &path, io::ErrorKind::PermissionDenied);
    assert_eq!(header(&loaded(&path), SITE), "a=1");
}

// As a user might put it into `/tmp`, to have root write into a file of root.
#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_link_that_the_system_does_not_follow_is_not_followed() {
    let scratch = Scratch::new("sticky");
    fs::set_permissions(&scratch.0, Permissions::from_mode(0o1777)).expect("its owner");
    fs::write(scratch.path("profile"), "mine").expect("written");
    let links =
        ["profile", "nothing"].map(|target| (target, scratch.path(&format!("to-{target}"))));
    for (target, link) in &links {
        symlink(target, link).expect("a link");
        let is_given = lchown(link, Some(65534), None).is_ok();
        let is_refused =
            fs::metadata(link).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
        if !is_given || !is_refused {
            eprintln!("skipped: not root, or links are followed everywhere here");
            return;
        }
    }
    for (_, link) in &links {
        let saved = jar_with(&["a=1"]).save(link);
        check_io(saved, link, io::ErrorKind::PermissionDenied);
    }
    assert_eq!(names(&scratch.0), ["profile", "to-nothing", "to-profile"]);
    assert_eq!(super::read(&scratch.path("profile")), "mine");
}
