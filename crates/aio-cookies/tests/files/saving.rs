//! How a jar gets into a file, and what others find there meanwhile.

use std::error::Error;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use aio_cookies::{
    CookieFileError, CookieFileProblem, CookieFormat, CookieJar, CookieJarOptions, CookieRequest,
    CookieStore, Profile,
};

use super::{Scratch, header, jar_like, read, set, show_all, url};

const SITE: &str = "https://a.test/";

const FORMATS: [CookieFormat; 3] = [
    CookieFormat::Aiohttp,
    CookieFormat::Netscape,
    CookieFormat::Browser,
];

fn jar_with(fields: &[&str]) -> CookieJar {
    let jar = CookieJar::new();
    set(&jar, SITE, fields);
    jar
}

fn loaded(path: &Path) -> CookieJar {
    let jar = CookieJar::new();
    jar.load(path).expect("a file of cookies");
    jar
}

#[track_caller]
fn check_io(result: Result<(), CookieFileError>, path: &Path, want: std::io::ErrorKind) {
    let error = result.expect_err("no such file can be");
    assert_eq!(error.path.as_deref(), Some(path));
    assert!(
        error.to_string().starts_with(&*path.to_string_lossy()),
        "{error}"
    );
    assert!(error.source().is_some());
    match error.problem {
        CookieFileProblem::Io(error) => assert_eq!(error.kind(), want, "{error}"),
        other => panic!("{other}"),
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

// EDGE-230.
#[test]
fn a_jar_is_loaded_as_it_was_saved() {
    let scratch = Scratch::new("round");
    for format in FORMATS {
        let jar = jar_like(CookieJarOptions::aiohttp());
        let fields = [
            "s=\"4 5\"; Secure; HttpOnly; Path=/x; Expires=Wed, 09 Jun 2100 10:18:14 GMT",
            "d=2; Domain=a.test",
            "gone=1; Max-Age=0",
        ];
        set(&jar, SITE, &fields);
        let path = scratch.path("cookies");
        jar.save_as(&path, format).expect("saved");
        let again = jar_like(CookieJarOptions::aiohttp());
        again.load(&path).expect("loaded");
        assert_eq!(again.len(), 2);
        assert_eq!(show_all(&again), show_all(&jar), "{format:?}");
        assert_eq!(names(&scratch.0), [".cookies.lock", "cookies"]);
    }
}

#[test]
fn what_ends_between_is_not_there() {
    let scratch = Scratch::new("ended");
    let path = scratch.path("cookies.txt");
    let line = |end: u64, name: &str| format!("a.test\tFALSE\t/\tFALSE\t{end}\t{name}\t1\n");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    fs::write(&path, line(now - 1, "old") + &line(now + 1000, "new")).expect("written");
    assert_eq!(header(&loaded(&path), SITE), "new=1");
}

// CKY-84, CKY-10.
#[test]
fn a_jar_without_addresses_loads_none() {
    let scratch = Scratch::new("addresses");
    let path = scratch.path("cookies.json");
    let jar = jar_like(CookieJarOptions::default());
    set(&jar, "http://127.0.0.1/", &["a=1"]);
    set(&jar, "http://[::1]/", &["b=1"]);
    jar.add("shared", "1").expect("legal");
    jar.save(&path).expect("saved");
    assert_eq!(show_all(&loaded(&path)), ["shared=1 /"]);
    let again = jar_like(CookieJarOptions::default());
    again.load(&path).expect("loaded");
    assert_eq!(show_all(&again), show_all(&jar));
}

// CKY-14: other programs have saved what no jar should have taken.
#[test]
fn a_file_brings_no_cookie_for_all_of_a_public_suffix() {
    let scratch = Scratch::new("suffix");
    let path = scratch.path("cookies.txt");
    let line = |domain: &str| format!(".{domain}\tTRUE\t/\tFALSE\t0\t{domain}\t1\n");
    fs::write(&path, line("com") + &line("example.com")).expect("written");
    let jar = loaded(&path);
    assert_eq!(header(&jar, "https://www.example.com/"), "example.com=1");
    assert_eq!(header(&jar, "https://com/"), "com=1");
    jar.save_merged(&path, CookieFormat::Netscape)
        .expect("saved");
    assert_eq!(
        header(&loaded(&path), "https://www.example.com/"),
        "example.com=1"
    );
}

#[test]
fn jars_of_either_profile_load_what_the_other_saved() {
    let scratch = Scratch::new("profiles");
    let path = scratch.path("cookies.json");
    let aiohttp = jar_like(CookieJarOptions::aiohttp());
    let fields = ["q=\"a\\054b\"", "r=x y", "e=", "c=\"\\012\""];
    let strict = jar_with(&fields);
    strict.save(&path).expect("saved");
    aiohttp.load(&path).expect("loaded");
    assert_eq!(
        header(&aiohttp, SITE),
        "c=\"\\012\"; e=\"\"; q=\"a\\054b\"; r=\"x y\""
    );
    let of_server = jar_like(CookieJarOptions::aiohttp());
    set(&of_server, SITE, &fields[..3]);
    assert_eq!(show_all(&aiohttp)[..3], show_all(&of_server));
    aiohttp.save(&path).expect("saved");
    assert_eq!(show_all(&loaded(&path)), show_all(&strict));
}

// EDGE-223: what a program set itself is sent from a file as before.
#[test]
fn cookies_without_added_quotes_keep_their_own() {
    let scratch = Scratch::new("quotes");
    let path = scratch.path("cookies.json");
    let mut options = CookieJarOptions::aiohttp();
    options.style.quote_cookie = false;
    let jar = CookieJar::with_options(options.clone());
    jar.add("ip-cookie", "\"second\"").expect("legal");
    jar.save(&path).expect("saved");
    // As aiohttp has it in its files.
    assert!(read(&path).contains(r#""coded_value": "\"\\\"second\\\"\"""#));
    let again = CookieJar::with_options(options);
    again.load(&path).expect("loaded");
    assert_eq!(header(&again, SITE), "ip-cookie=\"second\"");
}

// EDGE-234: there are no views here, but stores in many hands.
#[test]
fn who_holds_the_jar_has_what_is_loaded() {
    let scratch = Scratch::new("views");
    let path = scratch.path("cookies.json");
    jar_with(&["new=1"]).save(&path).expect("saved");
    let jar = Arc::new(jar_with(&["old=1"]));
    let held: Arc<dyn CookieStore> = Arc::clone(&jar) as _;
    jar.load(&path).expect("loaded");
    let url = url(SITE);
    let pairs = held.filter_cookies(&CookieRequest::new(&url, SystemTime::now()));
    let names: Vec<&[u8]> = pairs.iter().map(|pair| pair.name()).collect();
    assert_eq!(names, [b"new"]);
}

#[test]
fn a_file_that_cannot_be_read_leaves_the_jar_as_it_was() {
    let scratch = Scratch::new("damaged");
    let path = scratch.path("cookies");
    let whole = jar_with(&["one=\"more\""]);
    let jar = jar_with(&["a=1"]);
    check_io(jar.load(&path), &path, std::io::ErrorKind::NotFound);
    // Where lines are missing, or the end of one, cookies.txt is still whole.
    for format in [CookieFormat::Aiohttp, CookieFormat::Browser] {
        whole.save_as(&path, format).expect("saved");
        let text = fs::read(&path).expect("saved");
        for end in 1..text.len() {
            fs::write(&path, &text[..end]).expect("written");
            let error = jar.load(&path).expect_err("half a file").to_string();
            assert!(!error.contains("more"), "{error}");
            let merged = jar.save_merged(&path, format).expect_err("half a file");
            assert_eq!(merged.to_string(), error);
            assert_eq!(header(&jar, SITE), "a=1", "{end}");
        }
    }
    fs::write(&path, "a.test\tTRUE\t/\tTRUE\t0").expect("written");
    let error = jar.load(&path).expect_err("half a file").to_string();
    assert!(error.ends_with("cookies: line 1: not seven columns with tabs between them"));
    assert_eq!(header(&jar, SITE), "a=1");
}

#[test]
fn a_file_without_end_is_not_read() {
    let scratch = Scratch::new("large");
    let path = scratch.path("cookies.txt");
    let file = File::create(&path).expect("created");
    file.set_len(16 * 1024 * 1024 + 1).expect("sparse");
    let error = jar_with(&["a=1"]).load(&path).expect_err("too large");
    let limit = 16 * 1024 * 1024;
    assert!(
        matches!(error.problem, CookieFileProblem::TooLarge { limit: told } if told == limit),
        "{error}"
    );
}

// EDGE-233, CKY-83.
#[cfg(unix)]
#[test]
fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("modes");
    let path = scratch.path("cookies.json");
    let mode = |name: &str| {
        let metadata = fs::metadata(scratch.path(name)).expect("a file");
        metadata.permissions().mode() & 0o777
    };
    jar_with(&["a=1"]).save(&path).expect("saved");
    assert_eq!(mode("cookies.json"), 0o600);
    assert_eq!(mode(".cookies.json.lock"), 0o600);
    for kept in [0o644, 0o600, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(kept)).expect("its owner");
        jar_with(&["a=1"]).save(&path).expect("saved");
        assert_eq!(mode("cookies.json"), kept);
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_to_a_file() {
    use std::os::unix::fs::symlink;
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
    assert_eq!(
        names(&scratch.path("real")),
        [".cookies.lock", "cookies", "second"]
    );
    let looped = scratch.path("loop");
    symlink("loop", &looped).expect("a link");
    assert!(jar_with(&["a=1"]).save(&looped).is_err());
    assert!(fs::symlink_metadata(&looped).expect("a link").is_symlink());
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_not_replaced() {
    let scratch = Scratch::new("irregular");
    let directory = scratch.path("directory");
    fs::create_dir(&directory).expect("a directory");
    let jar = jar_with(&["a=1"]);
    check_io(
        jar.save(&directory),
        &directory,
        std::io::ErrorKind::InvalidInput,
    );
    let socket = scratch.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    check_io(jar.save(&socket), &socket, std::io::ErrorKind::InvalidInput);
    let nowhere = scratch.path("no/where");
    check_io(jar.save(&nowhere), &nowhere, std::io::ErrorKind::NotFound);
    assert!(jar.save("/").is_err() && jar.save("..").is_err() && jar.save("").is_err());
}

#[cfg(unix)]
#[test]
fn what_a_killed_process_left_is_not_trusted() {
    let scratch = Scratch::new("left");
    let (path, other) = (scratch.path("cookies"), scratch.path("other"));
    fs::write(&other, "mine").expect("written");
    std::os::unix::fs::symlink("other", scratch.path(".cookies.tmp")).expect("a link");
    jar_with(&["a=1"]).save(&path).expect("saved");
    assert_eq!(read(&other), "mine");
    assert_eq!(names(&scratch.0), [".cookies.lock", "cookies", "other"]);
    assert!(!fs::symlink_metadata(&path).expect("saved").is_symlink());
}

#[test]
fn who_saves_waits_for_who_is_saving() {
    let scratch = Scratch::new("lock");
    let path = scratch.path("cookies");
    jar_with(&["a=1"]).save(&path).expect("saved");
    let lock = File::options()
        .write(true)
        .open(scratch.path(".cookies.lock"));
    let lock = lock.expect("the lock stays");
    lock.lock().expect("nobody has it");
    thread::scope(|scope| {
        let saving = scope.spawn(|| jar_with(&["a=2"]).save(&path));
        // It cannot be done before; that it waits is seen by what it saves after.
        thread::sleep(Duration::from_millis(50));
        assert!(!saving.is_finished());
        assert_eq!(header(&loaded(&path), SITE), "a=1");
        fs::write(&path, "{}").expect("written");
        lock.unlock().expect("ours");
        saving.join().expect("no panic").expect("saved");
    });
    assert_eq!(header(&loaded(&path), SITE), "a=2");
}

/// Two jars load the same file; each does something; the first one saves, then the second.
#[track_caller]
fn check_merge(name: &str, (before, first, second): (&[&str], &[&str], &[&str]), want: &[&str]) {
    for profile in [Profile::Rfc6265bis, Profile::Aiohttp] {
        for format in FORMATS {
            let scratch = Scratch::new(&format!("merge-{name}"));
            let path = scratch.path("cookies");
            jar_with(before).save_as(&path, format).expect("saved");
            let [one, two] = [first, second].map(|fields| {
                let mut options = CookieJarOptions::default();
                options.style.profile = profile;
                let jar = CookieJar::with_options(options);
                jar.load(&path).expect("loaded");
                set(&jar, SITE, fields);
                jar
            });
            one.save_merged(&path, format).expect("saved");
            two.save_merged(&path, format).expect("saved");
            let sorted = |jar: &CookieJar| {
                let header = header(jar, SITE);
                let mut pairs: Vec<String> = header.split("; ").map(str::to_owned).collect();
                pairs.sort();
                pairs.join("; ")
            };
            assert_eq!(sorted(&two), want.join("; "), "{profile:?} {format:?}");
            assert_eq!(
                sorted(&loaded(&path)),
                want.join("; "),
                "{profile:?} {format:?}"
            );
            // The first one has what the second did when it saves again, which changes nothing.
            let saved = read(&path);
            one.save_merged(&path, format).expect("saved");
            assert_eq!(sorted(&one), want.join("; "), "{profile:?} {format:?}");
            assert_eq!(sorted(&loaded(&path)), want.join("; "));
            assert_eq!(read(&path).len(), saved.len());
        }
    }
}

#[test]
fn jars_that_save_in_turn_have_what_both_did() {
    let gone = "a=; Max-Age=0";
    check_merge(
        "new",
        (&["a=1"], &["b=1"], &["c=1"]),
        &["a=1", "b=1", "c=1"],
    );
    check_merge(
        "changed",
        (&["a=1", "b=1"], &["a=2"], &["c=1"]),
        &["a=2", "b=1", "c=1"],
    );
    check_merge("last", (&["a=1"], &["a=2"], &["a=3"]), &["a=3"]);
    check_merge(
        "removed-first",
        (&["a=1", "b=1"], &[gone], &["c=1"]),
        &["b=1", "c=1"],
    );
    check_merge(
        "removed-second",
        (&["a=1", "b=1"], &["c=1"], &[gone]),
        &["b=1", "c=1"],
    );
    check_merge(
        "removed-and-set",
        (&["a=1", "b=1"], &[gone], &["a=2"]),
        &["a=2", "b=1"],
    );
    check_merge(
        "set-and-removed",
        (&["a=1", "b=1"], &["a=2"], &[gone]),
        &["b=1"],
    );
    check_merge("nothing", (&["a=1"], &[], &[]), &["a=1"]);
}

#[test]
fn merging_takes_nothing_away_that_the_format_does_not_hold() {
    let scratch = Scratch::new("merge-held");
    let path = scratch.path("cookies.txt");
    let jar = jar_with(&["a=1; SameSite=Lax; Path=/", "tab=x\ty"]);
    jar.add("shared", "1").expect("legal");
    let before = show_all(&jar);
    jar.save_merged(&path, CookieFormat::Netscape)
        .expect("saved");
    let other = loaded(&path);
    set(&other, SITE, &["b=1"]);
    other
        .save_merged(&path, CookieFormat::Netscape)
        .expect("saved");
    jar.save_merged(&path, CookieFormat::Netscape)
        .expect("saved");
    let mut want = before;
    want.push("b=1 a.test/ host-only".into());
    assert_eq!(show_all(&jar), want);
}

#[test]
fn a_jar_that_never_saw_the_file_adds_to_it() {
    let scratch = Scratch::new("merge-fresh");
    let path = scratch.path("cookies.json");
    jar_with(&["a=1", "b=1"]).save(&path).expect("saved");
    let fresh = jar_with(&["b=2", "c=2"]);
    let empty = scratch.path("empty");
    fs::write(&empty, "").expect("written");
    fresh
        .save_merged(&empty, CookieFormat::Aiohttp)
        .expect("saved");
    assert_eq!(loaded(&empty).len(), 2);
    let fresh = jar_with(&["b=2", "c=2"]);
    fresh
        .save_merged(&path, CookieFormat::Aiohttp)
        .expect("saved");
    for jar in [&fresh, &loaded(&path)] {
        let mut shown = show_all(jar);
        shown.sort();
        let host = "a.test/ host-only";
        assert_eq!(
            shown,
            ["a=1", "b=2", "c=2"].map(|pair| format!("{pair} {host}"))
        );
    }
}

// What the other file never had is not lost in it.
#[test]
fn a_jar_of_one_file_can_be_saved_in_another() {
    let scratch = Scratch::new("merge-other");
    let (one, two) = (scratch.path("one.json"), scratch.path("two.txt"));
    jar_with(&["a=1", "b=1"]).save(&one).expect("saved");
    let other = jar_with(&["b=2", "c=2"]);
    other.save_as(&two, CookieFormat::Netscape).expect("saved");
    let jar = loaded(&one);
    jar.save_merged(&two, CookieFormat::Netscape)
        .expect("saved");
    let mut names: Vec<String> = show_all(&loaded(&two));
    names.sort();
    let host = "a.test/ host-only";
    assert_eq!(
        names,
        ["a=1", "b=1", "c=2"].map(|pair| format!("{pair} {host}"))
    );
}

// Nobody's cookie is lost, however the savings fall.
#[test]
fn many_that_save_at_once_lose_nothing() {
    let scratch = Scratch::new("merge-many");
    let path = scratch.path("cookies.json");
    thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let jar = CookieJar::new();
                for turn in 0..5 {
                    set(&jar, SITE, &[&format!("{writer}-{turn}=1")]);
                    jar.save_merged(path, CookieFormat::Aiohttp).expect("saved");
                }
            });
        }
    });
    assert_eq!(loaded(&path).len(), 20);
}

#[test]
fn what_a_format_cannot_hold_is_no_change() {
    // An extension exports fractions of a second, which cookies.txt does not have.
    let exported = r#"[{"domain": "a.test", "hostOnly": true, "path": "/", "name": "a",
        "value": "1", "sameSite": "lax", "expirationDate": 4116219494.5}]"#;
    let scratch = Scratch::new("other-format");
    let path = scratch.path("cookies");
    fs::write(&path, exported).expect("written");
    let jar = loaded(&path);
    // Somebody logs out meanwhile.
    fs::write(&path, "a.test\tFALSE\t/\tFALSE\t0\tb\t2\n").expect("written");
    jar.save_merged(&path, CookieFormat::Netscape)
        .expect("saved");
    let names: Vec<_> = jar
        .cookies(SystemTime::now())
        .iter()
        .map(|c| c.name().into_owned())
        .collect();
    assert_eq!(names, ["b"]);
}
